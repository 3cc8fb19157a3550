"""Convex penalties that need not be even: one-sided l1 norms and the pinball loss."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._core import accumulate, elementwise, is_numpy, total
from .._core._validate import fraction, real_input
from ..prox._asymmetric_l1 import (
    asymmetric_l1_left,
    asymmetric_l1_right,
    asymmetric_l1_value,
    asymmetric_threshold,
)
from ..prox._nonnegative_l1 import (
    nonnegative_l1_left,
    nonnegative_l1_right,
    nonnegative_l1_value,
    nonnegative_threshold,
)
from ._base import Gauge, Separable, beside, frozen, full, quotient


class Sided(Separable):
    """A sum over real coordinates of a convex function that need not be even.

    Subclasses set the formulas of the slopes to the left and to the right, which bound the
    subdifferential; where it is empty the left one is ``inf`` or the right one ``-inf``.
    """

    is_convex = True
    left_formula: ClassVar[Any]
    right_formula: ClassVar[Any]

    def value(self, x: Any) -> Any:
        """Penalty at ``x``: one number, or one per column."""
        x = real_input("x", x)
        parameters = self.value_parameters(x)
        if is_numpy(x) and x.ndim == 1:
            return accumulate(self.value_formula, x, parameters)
        return total(elementwise(self.value_formula, x, parameters))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        return super().prox(real_input("v", v), step)

    def slopes(self, x: Any) -> tuple[Any, Any]:
        """The ends of the subdifferential at ``x``, for each coordinate."""
        x = np.asarray(real_input("x", x), float)
        parameters = self.value_parameters(x)
        return (
            elementwise(self.left_formula, x, parameters),
            elementwise(self.right_formula, x, parameters),
        )

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary; ``inf`` if none is."""
        wanted = -np.asarray(gradient, float)
        left, right = self.slopes(np.zeros_like(wanted))
        with np.errstate(divide="ignore", invalid="ignore"):
            at_least = np.maximum(
                np.where((left < 0) & (wanted < 0), wanted / left, 0.0),
                np.where((right > 0) & (wanted > 0), wanted / right, 0.0),
            )
            at_most = np.minimum(
                np.where(left > 0, wanted / left, np.inf),
                np.where(right < 0, wanted / right, np.inf),
            )
        possible = (left <= right) & (left < np.inf) & (right > -np.inf)
        possible &= (left < 0) | (wanted >= 0)
        possible &= (right > 0) | (wanted <= 0)
        low = np.max(at_least, axis=0, initial=0.0)
        fits = np.all(possible, axis=0) & (low <= np.min(at_most, axis=0, initial=np.inf))
        return np.where(fits, low, np.inf)[()]

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate."""
        left, right = self.slopes(x)
        below, above = left + gradient, -np.asarray(gradient) - right
        return np.maximum(np.maximum(below, above), 0.0)


class NonnegativeL1(Gauge, Sided):
    r"""Weighted l1 norm of vectors without negative entries.

    .. math:: f(x) = \sum_i \lambda_i x_i \text{ if } x \ge 0,\ \infty \text{ otherwise}, \qquad
        f^*(y) = 0 \text{ if } y_i \le \lambda_i \text{ for all } i, \ \infty \text{ otherwise}

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0. At 0 only the constraint is left, ``inf`` forces a coordinate to zero.

    Raises
    ------
    ValueError
        If ``lam`` is negative or NaN.

    See Also
    --------
    sparseopt.prox.nonnegative_l1 : The proximal operator as a function.

    References
    ----------
    P. L. Combettes, V. R. Wajs (2005). Signal recovery by proximal forward-backward splitting.
    Multiscale Model. Simul. 4(4).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.NonnegativeL1(2.0).value([1.0, 3.0])
    8.0
    """

    value_formula = nonnegative_l1_value
    prox_formula = nonnegative_threshold
    left_formula = nonnegative_l1_left
    right_formula = nonnegative_l1_right

    def __init__(self, lam: Any) -> None:
        self.lam = frozen("lam", lam)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """The level."""
        return (beside(self.lam, x),)

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Threshold ``step * lam``."""
        return (step * beside(self.lam, v),)

    @property
    def is_norm(self) -> bool:
        """Whether every coordinate is penalised, so that any dual vector can be scaled."""
        return bool(np.min(self.lam, initial=np.inf) > 0.0)

    def dual_norm(self, y: Any) -> Any:
        """``max(y_i / lam_i, 0)``, per column of a batch."""
        y = real_input("y", y)
        return np.max(quotient(y, beside(self.lam, y)), axis=0, initial=0.0)

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.dual_norm(-np.asarray(gradient))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        inside = cp.transforms.indicator([x >= 0])
        return cp.sum(cp.multiply(full(self.lam, x), x)) + inside


class AsymmetricL1(Gauge, Sided):
    r"""The l1 norm with one level above zero and one below.

    .. math:: f(x) = \sum_i \lambda^+_i \max(x_i, 0) + \lambda^-_i \max(-x_i, 0), \qquad
        f^*(y) = 0 \text{ if } -\lambda^-_i \le y_i \le \lambda^+_i \text{ for all } i,
        \ \infty \text{ otherwise}

    Parameters
    ----------
    lam_plus, lam_minus : float or array_like, shape (n,)
        Levels above and below zero, both >= 0; ``inf`` forbids a sign.

    Raises
    ------
    ValueError
        If a level is negative or NaN.

    See Also
    --------
    sparseopt.prox.asymmetric_l1 : The proximal operator as a function.

    References
    ----------
    P. L. Combettes, V. R. Wajs (2005). Signal recovery by proximal forward-backward splitting.
    Multiscale Model. Simul. 4(4).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.AsymmetricL1(1.0, 2.0).value([1.0, -3.0])
    7.0
    """

    value_formula = asymmetric_l1_value
    prox_formula = asymmetric_threshold
    left_formula = asymmetric_l1_left
    right_formula = asymmetric_l1_right

    def __init__(self, lam_plus: Any, lam_minus: Any) -> None:
        self.lam_plus = frozen("lam_plus", lam_plus)
        self.lam_minus = frozen("lam_minus", lam_minus)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Both levels."""
        return (beside(self.lam_plus, x), beside(self.lam_minus, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Both thresholds, ``step`` times the levels."""
        return tuple(step * level for level in self.value_parameters(v))

    @property
    def is_norm(self) -> bool:
        """Whether every coordinate is penalised on both sides of zero."""
        return bool(np.min(np.minimum(self.lam_plus, self.lam_minus), initial=np.inf) > 0.0)

    def dual_norm(self, y: Any) -> Any:
        """The largest of ``y_i / lam_plus_i`` and ``-y_i / lam_minus_i``, per column of a batch."""
        y = real_input("y", y)
        plus, minus = self.value_parameters(y)
        size = np.abs(y)
        return np.max(quotient(size, np.where(y > 0, plus, minus)), axis=0, initial=0.0)

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.dual_norm(-np.asarray(gradient))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        plus, minus = (full(level, x) for level in (self.lam_plus, self.lam_minus))
        return cp.sum(cp.multiply(plus, cp.pos(x)) + cp.multiply(minus, cp.neg(x)))


class Pinball(AsymmetricL1):
    r"""Pinball loss of quantile regression.

    .. math:: f(x) = \sum_i \lambda_i \bigl(\tau \max(x_i, 0) + (1 - \tau) \max(-x_i, 0)\bigr)

    Parameters
    ----------
    tau : float or array_like, shape (n,)
        Quantile, in [0, 1].
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``tau`` is outside [0, 1], ``lam`` is negative or infinite, or either is NaN.

    See Also
    --------
    sparseopt.prox.pinball : The proximal operator as a function.

    References
    ----------
    R. Koenker, G. Bassett (1978). Regression quantiles. Econometrica 46(1).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Pinball(0.75).value([1.0, -3.0])
    1.5
    """

    def __init__(self, tau: Any, lam: Any = 1.0) -> None:
        self.tau = frozen("tau", fraction("tau", tau))
        self.lam = frozen("lam", lam, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """The levels ``lam tau`` and ``lam (1 - tau)``."""
        tau, lam = beside(self.tau, x), beside(self.lam, x)
        return (lam * tau, lam * (1.0 - tau))

    @property
    def lam_plus(self) -> Any:
        """``lam tau``."""
        return self.lam * self.tau

    @property
    def lam_minus(self) -> Any:
        """``lam (1 - tau)``."""
        return self.lam * (1.0 - self.tau)
