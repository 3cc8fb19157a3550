"""No penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._base import Penalty


class Zero(Penalty):
    """The zero function: what `sparseopt.minimize` uses when there is no penalty.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Zero().value([1.0, -3.0])
    0.0
    """

    is_convex = True
    is_separable = True

    def value(self, x: Any) -> Any:
        """0, per column of a batch."""
        return np.zeros(np.shape(x)[1:])[()] if np.ndim(x) > 1 else 0.0

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``v`` itself."""
        return v
