"""Norms of whole vectors, and the squared Euclidean norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, accumulate, elementwise, total
from ..prox._elastic_net import elastic_net_slope, elastic_net_value, shrink_and_threshold
from ..prox._group_l2 import group_levels, single
from ..prox._groups import group_norms, scale_groups
from ..prox._l1 import l1_slope, l1_value, soft_threshold
from ..prox._vectors import one_group
from ._base import Gauge, Separable, beside, frozen, quotient, require_dimension
from ._radial import RadialGroups


class L2(RadialGroups, Gauge):
    r"""Euclidean norm (not squared).

    .. math:: f(x) = \lambda \|x\|_2, \qquad f^*(y) = 0 \text{ if } \|y\|_2 \le \lambda

    Parameters
    ----------
    lam : float
        Level, >= 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or not a single number.

    See Also
    --------
    sparseopt.prox.l2 : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L2(2.0).value([3.0, -4.0])
    10.0
    """

    value_formula = l1_value
    slope_formula = l1_slope
    prox_formula = soft_threshold

    def __init__(self, lam: Any) -> None:
        self.lam = single("lam", lam)

    def value_parameters(self) -> tuple[Any, ...]:
        """The level."""
        return (self.lam,)

    def prox_parameters(self, step: Any) -> tuple[Any, ...]:
        """The threshold of the norm."""
        return (step * self.lam,)

    @property
    def is_norm(self) -> bool:
        """Whether the level is positive."""
        return self.lam > 0.0

    def dual_norm(self, y: Any) -> Any:
        """``||y|| / lam``, per column of a batch."""
        return self.alpha_max(y)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self.lam * cp.sum(cp.norm2(x, axis=0))

    def _for(self, x: Any) -> Groups:
        return one_group(x.shape[0])


class SquaredL2(Separable):
    r"""Squared Euclidean norm (ridge).

    .. math:: f(x) = \sum_i \tfrac{\mu_i}{2} |x_i|^2, \qquad
        f^*(y) = \sum_i \tfrac{1}{2\mu_i} |y_i|^2

    Parameters
    ----------
    mu : float or array_like, shape (n,)
        Level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``mu`` is negative, NaN or infinite.

    See Also
    --------
    sparseopt.prox.squared_l2 : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SquaredL2(2.0).value([3.0, -4.0])
    25.0
    """

    is_convex = True
    value_formula = elastic_net_value
    slope_formula = elastic_net_slope
    prox_formula = shrink_and_threshold

    def __init__(self, mu: Any) -> None:
        self.mu = frozen("mu", mu, finite=True)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """No l1 norm, and the level."""
        return (0.0, beside(self.mu, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """No threshold, and the ridge."""
        return (0.0, step * beside(self.mu, v))

    def conjugate(self, y: Any) -> Any:
        """``sum(|y|^2 / (2 mu))``, per column of a batch."""
        size = np.abs(y)
        return total(quotient(0.5 * size * size, beside(self.mu, size)))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        root = np.broadcast_to(beside(np.sqrt(self.mu), x), x.shape)
        return 0.5 * cp.sum_squares(cp.multiply(root, x))


class L21(Gauge):
    r"""Sum of the norms of the rows of a matrix: a coordinate is used by all tasks or by none.

    .. math:: f(X) = \lambda \sum_i w_i \|X_{i,:}\|_2, \qquad
        f^*(Y) = 0 \text{ if } \|Y_{i,:}\|_2 \le \lambda w_i \text{ for all } i

    The columns of a 2-D ``x`` are coupled, so ``value`` is one number. A vector counts as a
    single column.

    Parameters
    ----------
    lam : float
        Level, >= 0.
    weights : array_like, shape (n,), optional
        Weight of each row, >= 0. Default 1.

    Raises
    ------
    ValueError
        If ``lam`` or a weight is negative or NaN.

    See Also
    --------
    sparseopt.prox.l21 : The proximal operator as a function.

    References
    ----------
    G. Obozinski, B. Taskar, M. I. Jordan (2010). Joint covariate selection and joint subspace
    selection for multiple classification problems. Stat. Comput. 20.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L21(2.0).value([[3.0, -4.0], [0.0, 1.0]])
    12.0
    """

    def __init__(self, lam: Any, weights: Any = None) -> None:
        self.lam = single("lam", lam)
        if weights is not None:
            weights = frozen("weights", weights)
            if np.ndim(weights) != 1:
                raise ValueError(f"weights must have shape (n,), got {np.shape(weights)}")
        self.weights = weights

    def value(self, x: Any) -> Any:
        """``lam * sum(w_i ||x_i||)``: one number."""
        require_dimension("x", x)
        norms = _row_norms(x if hasattr(x, "ndim") else np.asarray(x, float))
        return accumulate(l1_value, norms, (beside(self._levels(), norms),))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``; one step for all columns."""
        require_dimension("v", v)
        v = v if hasattr(v, "ndim") else np.asarray(v, float)
        threshold = step * beside(self._levels(), v)
        if v.ndim == 1:
            return elementwise(soft_threshold, v, (threshold,))
        threshold = np.reshape(threshold, (1, -1))
        return scale_groups(soft_threshold, v, (threshold,), one_group(v.shape[1]), axis=1)

    @property
    def is_norm(self) -> bool:
        """Whether every row is penalised."""
        return bool(np.min(self._levels(), initial=np.inf) > 0)

    def dual_norm(self, y: Any) -> Any:
        """``max ||y_i|| / (lam w_i)``: one number."""
        norms = _row_norms(np.asarray(y))
        return np.max(quotient(norms, beside(self._levels(), norms)), initial=0.0)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each row."""
        x, gradient = np.asarray(x), np.asarray(gradient)
        norms = _row_norms(x)
        levels = np.broadcast_to(beside(self._levels(), norms), norms.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(norms > 0, levels / norms, 0.0)
            away = _row_norms(gradient + (pull if x.ndim == 1 else pull[:, None]) * x)
            at_zero = np.maximum(_row_norms(gradient) - levels, 0.0)
        return np.where(norms > 0, away, at_zero)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        norms = cp.abs(x) if x.ndim == 1 else cp.norm2(x, axis=1)
        return cp.sum(cp.multiply(np.broadcast_to(self._levels(), x.shape[:1]), norms))

    def _levels(self) -> Any:
        return self.lam if self.weights is None else group_levels(self.lam, self.weights)


def _row_norms(x: Any) -> Any:
    """Norm of each row; a vector is one column."""
    return abs(x) if x.ndim == 1 else group_norms(x, one_group(x.shape[1]), axis=1)[0]
