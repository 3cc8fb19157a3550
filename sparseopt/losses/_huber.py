"""Huber's robust regression."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._core import formula, maximum, minimum, where
from .._core._validate import finite_array, positive
from ..prox._huber import huber_curvature, huber_derivative, huber_value
from ._pointwise import Formulas, PointwiseLoss

Array = np.ndarray[Any, Any]


@formula
def huber_loss(z, y, w, delta):  # type: ignore[no-untyped-def]
    """``w h(z - y)``."""
    return huber_value(z - y, delta, w)


@formula
def huber_loss_slope(z, y, w, delta):  # type: ignore[no-untyped-def]
    """Derivative in z."""
    return huber_derivative(z - y, delta, w)


@formula
def huber_loss_curvature(z, y, w, delta):  # type: ignore[no-untyped-def]
    """Second derivative in z."""
    return huber_curvature(z - y, delta, w)


@formula
def huber_loss_bregman(new, old, y, w, delta):  # type: ignore[no-untyped-def]
    """``(c' - c) (r' - c' + (c' - c)/2)`` for residuals r and their values c cut at delta.

    Both terms of the second factor have the sign of the first.
    """
    r, s = new - y, old - y
    c = minimum(maximum(r, -delta), delta)
    both = (abs(r) <= delta) & (abs(s) <= delta)
    step = where(both, new - old, c - minimum(maximum(s, -delta), delta))
    return w * step * ((r - c) + 0.5 * step)


@formula
def huber_loss_conjugate(u, y, w, delta, slack):  # type: ignore[no-untyped-def]
    """``u^2 / (2 w) + u y`` for ``|u| <= w delta``."""
    inside = abs(u) <= w * delta * (1.0 + slack)
    return where(inside, u * (0.5 * u / where(w > 0.0, w, 1.0) + y), inf)


@formula
def huber_loss_reach(u, y, w, delta):  # type: ignore[no-untyped-def]
    """The largest t with ``t |u| <= w delta``."""
    size = abs(u)
    return where(size > 0.0, w * delta / where(size > 0.0, size, 1.0), inf)


class Huber(PointwiseLoss):
    r"""Huber's loss of the residuals: a square up to delta, a line beyond.

    .. math:: f(x) = \sum_i w_i\, h\bigl((A x - y)_i\bigr), \quad
        h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\
        \delta |r| - \delta^2 / 2 & \text{otherwise} \end{cases}

    Parameters
    ----------
    A : ndarray, SciPy sparse array or LinearOperator, shape (m, n)
        Real.
    y : array_like, shape (m,) or (m, k)
        Real data; k columns are k problems that share ``A``.
    delta : float
        Modulus at which the square becomes a line, > 0. For standard normal residuals 1.345 keeps
        95 per cent of the efficiency of least squares.
    sample_weights : array_like, shape (m,), optional
        Weights w >= 0.
    intercept : bool
        Add an unpenalised constant, one per column, and minimise it out.

    Attributes
    ----------
    shape, dtype
        Of an unknown; float32 only if ``A`` and ``y`` both are.

    Raises
    ------
    ValueError
        If shapes do not fit, something is not finite, or ``delta`` <= 0.
    TypeError
        If ``A`` or ``y`` is complex or not numeric.

    References
    ----------
    P. J. Huber (1964). Robust estimation of a location parameter. Ann. Math. Statist. 35(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses
    >>> f = losses.Huber(np.eye(2), [0.5, 10.0], delta=1.0)
    >>> f.value([0.0, 0.0])
    9.625
    >>> f.gradient([0.0, 0.0])
    array([-0.5, -1. ])
    """

    curvature_bound = 1.0
    _formulas = Formulas(
        huber_loss,
        huber_loss_slope,
        huber_loss_curvature,
        huber_loss_bregman,
        huber_loss_conjugate,
        huber_loss_reach,
    )

    def __init__(
        self,
        A: Any,
        y: Any,
        delta: float,
        *,
        sample_weights: Any = None,
        intercept: bool = False,
    ):
        self.delta = positive("delta", delta)
        self._numbers = (self.delta,)
        super().__init__(A, y, sample_weights=sample_weights, intercept=intercept)

    def dual_scale(self, u: Array, limit: Any) -> Any:
        """The t in [0, limit] for which ``-conjugate(t u)`` is largest, per column."""
        return self._best_scale(u, self.y, np.minimum(limit, self._reach(u)))

    def _data(self, y: Any) -> Array:
        y = finite_array("y", y, ndim=(1, 2))
        if y.dtype.kind == "c":
            raise TypeError(f"y must be real, got dtype {y.dtype}")
        return y
