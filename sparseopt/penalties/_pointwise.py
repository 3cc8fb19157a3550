"""Losses of single numbers as penalties: Huber, hinge, squared hinge, logistic, Poisson."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import total
from .._core._validate import real_input
from ..prox._hinge import (
    hinge_left,
    hinge_right,
    hinge_shift,
    hinge_value,
    squared_hinge_shrink,
    squared_hinge_slope,
    squared_hinge_value,
)
from ..prox._huber import huber_shrink, huber_slope, huber_value
from ..prox._logistic import logistic_root, logistic_slope, logistic_value
from ..prox._poisson import poisson_left, poisson_right, poisson_root, poisson_value
from ._base import Separable, beside, frozen, full
from ._sided import Sided

_ROUNDING = 64 * 2.0**-52  # a dual point on the boundary may be outside by this much


class Huber(Separable):
    r"""Huber function.

    .. math:: f(x) = \sum_i \lambda_i \begin{cases} x_i^2 / 2 & |x_i| \le \delta \\
        \delta |x_i| - \delta^2 / 2 & \text{otherwise} \end{cases}, \qquad
        f^*(y) = \sum_i \frac{y_i^2}{2\lambda_i} \text{ if } |y_i| \le \lambda_i\delta
        \text{ for all } i

    Parameters
    ----------
    delta : float or array_like, shape (n,)
        Modulus at which the square becomes a line, > 0 and finite.
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``delta`` is not positive, ``lam`` is negative, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.huber : The proximal operator as a function.

    References
    ----------
    P. J. Huber (1964). Robust estimation of a location parameter. Ann. Math. Statist. 35(1).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Huber(1.0).value([1.0, -3.0])
    3.0
    """

    is_convex = True
    value_formula = huber_value
    prox_formula = huber_shrink
    slope_formula = huber_slope

    def __init__(self, delta: Any, lam: Any = 1.0) -> None:
        self.delta = frozen("delta", delta, strict=True, finite=True)
        self.lam = frozen("lam", lam, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Modulus and level."""
        return (beside(self.delta, x), beside(self.lam, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam`` and modulus."""
        return (step * beside(self.lam, v), beside(self.delta, v))

    def conjugate(self, y: Any) -> Any:
        """``y^2 / (2 lam)`` for ``|y| <= lam delta``, per column of a batch."""
        size = np.abs(y)
        delta, lam = self.value_parameters(size)
        inside = size <= lam * delta * (1.0 + _ROUNDING)
        square = size * size / (2.0 * np.where(lam > 0, lam, 1.0))
        return total(np.where(inside, square, np.inf))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        delta, lam = full(self.delta, x), full(self.lam, x)
        scaled = cp.huber(cp.multiply(1.0 / delta, x))
        return cp.sum(cp.multiply(0.5 * lam * delta * delta, scaled))


class Hinge(Sided):
    r"""Hinge loss.

    .. math:: f(x) = \sum_i \lambda_i \max(0, 1 - x_i), \qquad
        f^*(y) = \sum_i y_i \text{ if } -\lambda_i \le y_i \le 0 \text{ for all } i

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or infinite.

    See Also
    --------
    sparseopt.prox.hinge : The proximal operator as a function.

    References
    ----------
    C. Cortes, V. Vapnik (1995). Support-vector networks. Mach. Learn. 20.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Hinge().value([0.5, 3.0, -1.0])
    2.5
    """

    value_formula = hinge_value
    prox_formula = hinge_shift
    left_formula = hinge_left
    right_formula = hinge_right

    def __init__(self, lam: Any = 1.0) -> None:
        self.lam = frozen("lam", lam, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """The level."""
        return (beside(self.lam, x),)

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam``."""
        return (step * beside(self.lam, v),)

    def conjugate(self, y: Any) -> Any:
        """``y`` for ``-lam <= y <= 0``, per column of a batch."""
        y = real_input("y", y)
        inside = (y <= 0.0) & (y >= -beside(self.lam, y) * (1.0 + _ROUNDING))
        return total(np.where(inside, y, np.inf))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.sum(cp.multiply(full(self.lam, x), cp.pos(1 - x)))


class SquaredHinge(Sided):
    r"""Squared hinge loss.

    .. math:: f(x) = \sum_i \tfrac{\lambda_i}{2} \max(0, 1 - x_i)^2, \qquad
        f^*(y) = \sum_i y_i + \frac{y_i^2}{2\lambda_i} \text{ if } y \le 0

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or infinite.

    See Also
    --------
    sparseopt.prox.squared_hinge : The proximal operator as a function.

    References
    ----------
    K.-W. Chang, C.-J. Hsieh, C.-J. Lin (2008). Coordinate descent method for large-scale L2-loss
    linear support vector machines. J. Mach. Learn. Res. 9.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SquaredHinge().value([0.5, 3.0, -1.0])
    2.125
    """

    value_formula = squared_hinge_value
    prox_formula = squared_hinge_shrink
    left_formula = squared_hinge_slope
    right_formula = squared_hinge_slope

    def __init__(self, lam: Any = 1.0) -> None:
        self.lam = frozen("lam", lam, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """The level."""
        return (beside(self.lam, x),)

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam``."""
        return (step * beside(self.lam, v),)

    def conjugate(self, y: Any) -> Any:
        """``y + y^2 / (2 lam)`` for ``y <= 0``, per column of a batch."""
        y = real_input("y", y)
        lam = beside(self.lam, y)
        square = y * y / (2.0 * np.where(lam > 0, lam, 1.0))
        inside = (y < 0.0) & (lam > 0) | (y == 0.0)
        return total(np.where(inside, y + square, np.inf))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.sum(cp.multiply(0.5 * full(self.lam, x), cp.square(cp.pos(1 - x))))


class Logistic(Sided):
    r"""Logistic loss.

    .. math:: f(x) = \sum_i \lambda_i \log(1 + e^{-x_i}), \qquad
        f^*(y) = \sum_i \lambda_i \bigl(p_i \log p_i + (1 - p_i) \log(1 - p_i)\bigr),
        \ p_i = -y_i / \lambda_i \in [0, 1]

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or infinite.

    See Also
    --------
    sparseopt.prox.logistic : The proximal operator as a function.

    References
    ----------
    T. Hastie, R. Tibshirani, J. Friedman (2009). The Elements of Statistical Learning, section
    4.4. Springer.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> round(penalties.Logistic().value([0.0, 3.0]), 4)
    0.7417
    """

    value_formula = logistic_value
    prox_formula = logistic_root
    left_formula = logistic_slope
    right_formula = logistic_slope

    def __init__(self, lam: Any = 1.0) -> None:
        self.lam = frozen("lam", lam, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """The level."""
        return (beside(self.lam, x),)

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam``."""
        return (step * beside(self.lam, v),)

    def conjugate(self, y: Any) -> Any:
        """``lam`` times the negative entropy of ``-y / lam``, per column of a batch."""
        y = np.asarray(real_input("y", y))
        lam = beside(self.lam, y)
        p = -y / np.where(lam > 0, lam, 1.0)
        inside = (p >= -_ROUNDING) & (p <= 1.0 + _ROUNDING) & ((lam > 0) | (y == 0))
        p = np.clip(p, 0.0, 1.0)
        q = 1.0 - p
        entropy = p * np.log(np.where(p > 0, p, 1.0)) + q * np.log(np.where(q > 0, q, 1.0))
        return total(np.where(inside, lam * entropy, np.inf))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.sum(cp.multiply(full(self.lam, x), cp.logistic(-x)))


class Poisson(Sided):
    r"""Poisson loss, the Kullback-Leibler divergence from counts up to a constant.

    .. math:: f(x) = \sum_i \lambda_i (x_i - b_i \log x_i) \text{ for } x \ge 0, \qquad
        f^*(y) = \sum_i \lambda_i b_i \Bigl(\log \frac{\lambda_i b_i}{\lambda_i - y_i} - 1\Bigr)
        \text{ if } y_i < \lambda_i

    Parameters
    ----------
    counts : float or array_like, shape (n,)
        The data b, >= 0 and finite.
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``counts`` or ``lam`` is negative, NaN or infinite.

    See Also
    --------
    sparseopt.prox.poisson : The proximal operator as a function.

    References
    ----------
    P. L. Combettes, J.-C. Pesquet (2007). A Douglas-Rachford splitting approach to nonsmooth
    convex variational signal recovery. IEEE J. Sel. Top. Signal Process. 1(4).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Poisson([2.0, 0.0]).value([1.0, 3.0])
    4.0
    """

    value_formula = poisson_value
    prox_formula = poisson_root
    left_formula = poisson_left
    right_formula = poisson_right

    def __init__(self, counts: Any, lam: Any = 1.0) -> None:
        self.counts = frozen("counts", counts, finite=True)
        self.lam = frozen("lam", lam, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Counts and level."""
        return (beside(self.counts, x), beside(self.lam, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam`` and counts."""
        return (step * beside(self.lam, v), beside(self.counts, v))

    def conjugate(self, y: Any) -> Any:
        """``lam b (log(lam b / (lam - y)) - 1)`` for ``y < lam``, per column of a batch."""
        y = np.asarray(real_input("y", y), float)
        counts, lam = self.value_parameters(y)
        mass, room = lam * counts, lam - y
        inside = (room > 0.0) | ((mass == 0.0) & (room >= -_ROUNDING * lam))
        log = np.log(np.where(mass > 0, mass, 1.0) / np.where(room > 0, room, 1.0))
        return total(np.where(inside, np.where(mass > 0, mass * (log - 1.0), 0.0), np.inf))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        counts, lam = full(self.counts, x), full(self.lam, x)
        inside = cp.transforms.indicator([x >= 0])
        return cp.sum(cp.multiply(lam, x) - cp.multiply(lam * counts, cp.log(x))) + inside
