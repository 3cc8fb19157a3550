"""Thresholds that depend on an operator's parameters only, found once for a whole array."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import elementwise, to_host


def from_parameters(kernel: Any, *parameters: Any) -> Any:
    """``kernel(*parameters)`` in float64: a number, or an array if a parameter is one.

    It is what an operator decides by, so it carries no gradient and is found on the host.
    """
    hosts = [np.asarray(to_host(p), np.float64) for p in parameters]
    try:
        shape = np.broadcast_shapes(*(h.shape for h in hosts))
    except ValueError:
        shapes = ", ".join(str(h.shape) for h in hosts)
        raise ValueError(f"parameters must broadcast to one shape, got {shapes}") from None
    first = np.broadcast_to(hosts[0], shape).copy()
    found = elementwise(kernel, first, tuple(hosts[1:]))
    return found if shape else float(found)
