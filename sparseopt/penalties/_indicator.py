"""What all constraints share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import to_host
from ._base import Penalty, require_dimension


class Indicator(Penalty):
    """0 on a set and ``inf`` outside, with the projection as proximal operator.

    Subclasses define ``project(v)`` along the first axis. A point counts as inside if its
    projection is as near as rounding allows: ``64 sqrt(n)`` units in the last place of the
    largest entry.
    """

    def project(self, v: Any) -> Any:
        """The nearest point of the set, for every column."""
        raise NotImplementedError

    def value(self, x: Any) -> Any:
        """0 inside, up to rounding, and ``inf`` outside; per column of a batch."""
        require_dimension("x", x)
        x = np.asarray(to_host(x))
        if x.dtype.kind not in "fc" or x.dtype == np.float16:
            x = x.astype(np.float64)
        return np.where(self._is_near(x, np.asarray(self.project(x))), 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        require_dimension("v", v)
        return self.project(v if hasattr(v, "ndim") else np.asarray(v))

    def _is_near(self, x: Any, nearest: Any, axes: tuple[int, ...] = (0,)) -> Any:
        away = np.max(np.abs(x - nearest), axis=axes, initial=0.0)
        return away <= np.squeeze(rounding(x, axes), axes)


def rounding(x: Any, axes: tuple[int, ...] = (0,)) -> Any:
    """``64 sqrt(n)`` units in the last place of the largest entry over the axes, which stay."""
    count = max(int(np.prod([x.shape[a] for a in axes])), 1)
    size = np.max(np.abs(x), axis=axes, initial=0.0, keepdims=True)
    return 64 * np.sqrt(count) * np.finfo(x.dtype).eps * size


def is_zero(part: Any, whole: Any, axes: Any = 0) -> Any:
    """Whether ``part`` vanishes beside ``whole``, up to rounding, per column."""
    part, whole = np.asarray(part), np.asarray(whole)
    size = np.max(np.abs(whole), axis=axes, initial=0.0)
    return np.max(np.abs(part), axis=axes, initial=0.0) <= 1e-12 * size


def zero_or_infinite(inside: Any) -> Any:
    """0 where ``inside``, ``inf`` elsewhere."""
    return np.where(inside, 0.0, np.inf)[()]
