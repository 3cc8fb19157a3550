"""Constraint to a box."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import to_host, total
from .._core._validate import real_input
from ..prox._project_box import bounds, box_left, box_right, box_value, clip
from ._base import beside, frozen, full
from ._indicator import rounding, zero_or_infinite
from ._sided import Sided


class Box(Sided):
    r"""Constraint to a box.

    .. math:: f(x) = 0 \text{ if } l_i \le x_i \le u_i \text{ for all } i, \ \infty
        \text{ otherwise}, \qquad f^*(y) = \sum_i \max(l_i y_i, u_i y_i)

    As for all sets, a bound counts as met up to rounding: ``64 sqrt(n)`` units in the last place of
    the largest entry of ``x``.

    Parameters
    ----------
    lower, upper : float or array_like, shape (n,)
        Bounds; ``-inf`` and ``inf`` leave a side open.

    Raises
    ------
    ValueError
        If ``lower > upper`` somewhere, or either is NaN.

    See Also
    --------
    sparseopt.prox.project_box : The proximal operator as a function.

    References
    ----------
    S. Boyd, L. Vandenberghe (2004). Convex Optimization, section 8.1.1. Cambridge.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Box(0.0, 1.0).prox([-2.0, 0.5, 3.0])
    array([0. , 0.5, 1. ])
    """

    value_formula = box_value
    prox_formula = clip
    left_formula = box_left
    right_formula = box_right

    def __init__(self, lower: Any, upper: Any) -> None:
        lower, upper = bounds(lower, upper)
        self.lower = frozen("lower", lower, low=-np.inf)
        self.upper = frozen("upper", upper, low=-np.inf)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Both bounds."""
        return (beside(self.lower, x), beside(self.upper, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Both bounds; the step has no effect."""
        return self.value_parameters(v)

    def value(self, x: Any) -> Any:
        """0 inside, up to rounding, and ``inf`` outside; per column of a batch."""
        x = _on_host(real_input("x", x))
        nearest = self.prox(x)
        with np.errstate(invalid="ignore"):
            inside = (x == nearest) | (np.abs(x - nearest) <= _slack(x))
        return zero_or_infinite(np.all(inside, axis=0) if x.ndim else inside)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        """The ends of the subdifferential at ``x``, or at the bound that it meets by rounding."""
        x = _on_host(real_input("x", x))
        with np.errstate(invalid="ignore"):
            for bound in self.value_parameters(x):
                x = np.where(np.abs(x - bound) <= _slack(x), bound, x)
        return super().slopes(x)

    def conjugate(self, y: Any) -> Any:
        """``max(lower y, upper y)``, per column of a batch."""
        y = np.asarray(real_input("y", y), float)
        lower, upper = self.value_parameters(y)
        with np.errstate(invalid="ignore"):
            return total(np.where(y == 0, 0.0, np.where(y > 0, upper, lower) * y))

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        low, high = full(self.lower, x), full(self.upper, x)
        above = cp.multiply(np.isfinite(low), x) >= np.where(np.isfinite(low), low, 0.0)
        below = cp.multiply(np.isfinite(high), x) <= np.where(np.isfinite(high), high, 0.0)
        return cp.transforms.indicator([above, below])


def _on_host(x: Any) -> Any:
    x = np.asarray(to_host(x))
    return x if x.dtype.kind == "f" and x.dtype != np.float16 else x.astype(np.float64)


def _slack(x: Any) -> Any:
    """What rounding may move an entry by; nothing beside an infinite one."""
    slack = rounding(x, (0,) if x.ndim else ())
    return np.where(np.isfinite(slack), slack, 0.0)
