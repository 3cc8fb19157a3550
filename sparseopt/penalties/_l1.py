"""The l1 norm and the elastic net."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from .._core import total
from ..prox._elastic_net import elastic_net_slope, elastic_net_value, shrink_and_threshold
from ..prox._l1 import l1_slope, l1_value, soft_threshold
from ._base import Gauge, Penalty, Separable, beside, frozen, full, quotient


class L1(Gauge, Separable):
    r"""Weighted l1 norm.

    .. math:: f(x) = \sum_i \lambda_i |x_i|, \qquad
        f^*(y) = 0 \text{ if } |y_i| \le \lambda_i \text{ for all } i, \ \infty \text{ otherwise}

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0; one per coordinate for a weighted norm. ``inf`` forces a coordinate to zero.

    Raises
    ------
    ValueError
        If ``lam`` is negative or NaN.

    See Also
    --------
    sparseopt.prox.l1 : The proximal operator as a function.

    References
    ----------
    R. Tibshirani (1996). Regression shrinkage and selection via the lasso. J. R. Stat. Soc. B
    58(1).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L1(2.0).value([1.0, -3.0])
    8.0
    """

    value_formula = l1_value
    slope_formula = l1_slope
    prox_formula = soft_threshold

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
        """Whether every coordinate is penalised."""
        return self._lowest > 0.0

    @cached_property
    def _lowest(self) -> float:
        return float(np.min(self.lam, initial=np.inf))

    def dual_norm(self, y: Any) -> Any:
        """``max |y_i| / lam_i``, per column of a batch."""
        size = np.abs(y)
        lam = beside(self.lam, size)
        if np.ndim(lam) == 0:
            return quotient(np.max(size, axis=0, initial=0.0), lam)
        if self.is_norm:
            return np.max(size / lam, axis=0, initial=0.0)
        return np.max(quotient(size, lam), axis=0, initial=0.0)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.norm1(cp.multiply(full(self.lam, x), x))


class ElasticNet(Separable, Penalty):
    r"""Elastic net: l1 norm plus a ridge.

    .. math:: f(x) = \lambda \|x\|_1 + \tfrac{\mu}{2} \|x\|_2^2, \qquad
        f^*(y) = \tfrac{1}{2\mu} \sum_i \max(|y_i| - \lambda, 0)^2

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level of the l1 norm, >= 0; an entry ``inf`` forces its coordinate to zero.
    mu : float
        Level of the ridge, > 0 (use `L1` for 0).

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``mu`` is not positive, or either is NaN.

    See Also
    --------
    sparseopt.prox.elastic_net : The proximal operator as a function.

    References
    ----------
    H. Zou, T. Hastie (2005). Regularization and variable selection via the elastic net.
    J. R. Stat. Soc. B 67(2).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.ElasticNet(1.0, 2.0).value([1.0, -3.0])
    14.0
    """

    is_convex = True
    value_formula = elastic_net_value
    slope_formula = elastic_net_slope
    prox_formula = shrink_and_threshold

    def __init__(self, lam: Any, mu: Any) -> None:
        self.lam = frozen("lam", lam)
        self.mu = frozen("mu", mu, strict=True, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Both levels."""
        return (beside(self.lam, x), beside(self.mu, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Threshold ``step * lam`` and ridge ``step * mu``."""
        return (step * beside(self.lam, v), step * beside(self.mu, v))

    def conjugate(self, y: Any) -> Any:
        """``1/(2 mu) sum(max(|y| - lam, 0)^2)``, per column of a batch."""
        excess = np.maximum(np.abs(y) - beside(self.lam, y), 0.0)
        return total(excess * excess / (2.0 * beside(self.mu, y)))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        ridge = cp.sum_squares(cp.multiply(np.sqrt(full(self.mu, x)), x))
        return cp.norm1(cp.multiply(full(self.lam, x), x)) + 0.5 * ridge
