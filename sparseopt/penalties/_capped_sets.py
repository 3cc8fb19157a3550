"""Constraints to the capped simplex, and to the k-sparse points of simplex and l1 ball."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._validate import integer, positive
from ..prox._group_lifts import finite_level
from ..prox._project_capped_simplex import bounds_and_costs, project_capped_simplex
from ..prox._project_sparse import project_sparse_l1_ball, project_sparse_simplex
from ._base import frozen
from ._indicator import Indicator


class CappedSimplex(Indicator):
    r"""Constraint to the capped simplex.

    .. math:: f(x) = 0 \text{ if } 0 \le x_i \le u_i,\ \sum_i c_i x_i = r, \ \infty
        \text{ otherwise}

    The conjugate :math:`f^*(y) = \max_x \langle x, y \rangle` fills the budget in the order of
    :math:`y_i / c_i`.

    Parameters
    ----------
    radius : float
        Value r of the sum, in [0, sum(costs * upper)].
    upper : float or array_like, shape (n,)
        Upper bounds, >= 0; ``inf`` allowed.
    costs : None or array_like, shape (n,)
        Coefficients of the sum, > 0 and finite; ``None`` means 1.

    Raises
    ------
    ValueError
        If a parameter is negative or NaN.

    See Also
    --------
    sparseopt.prox.project_capped_simplex : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.CappedSimplex(1.5).prox([2.0, 0.5, 0.0])
    array([1. , 0.5, 0. ])
    """

    is_convex = True

    def __init__(self, radius: float, upper: Any = 1.0, costs: Any = None) -> None:
        self.radius = finite_level("radius", radius)
        self.upper = frozen("upper", upper)
        self.costs = None if costs is None else frozen("costs", costs, strict=True, finite=True)

    def project(self, v: Any) -> Any:
        """The nearest point of the set, for every column."""
        return project_capped_simplex(v, self.radius, self.upper, self.costs, axis=0)

    def conjugate(self, y: Any) -> Any:
        """The largest inner product with a point of the set, per column of a batch."""
        y = np.asarray(y)
        radius, upper, costs = bounds_and_costs(self.radius, self.upper, self.costs, y.shape[0])
        columns = y.reshape(y.shape[0], -1)
        order = np.argsort(-columns / costs[:, None], axis=0, kind="stable")
        price, bound = costs[order], upper[order]
        fill = np.cumsum(price * bound, axis=0)
        before = np.concatenate([np.zeros((1, fill.shape[1])), fill[:-1]])
        amount = np.minimum(np.maximum(radius - before, 0.0) / price, bound)
        sums = np.sum(np.take_along_axis(columns, order, axis=0) * amount, axis=0)
        return sums if y.ndim > 1 else sums[0]

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        radius, upper, costs = bounds_and_costs(self.radius, self.upper, self.costs, x.shape[0])
        below = np.flatnonzero(np.isfinite(upper))
        limits = [x >= 0, costs @ x == radius]
        if below.size:
            high = upper[below] if x.ndim == 1 else upper[below, None]
            limits.append(x[below] <= high + np.zeros(x[below].shape))
        return cp.transforms.indicator(limits)


class SparseSimplex(Indicator):
    r"""Constraint to the k-sparse points of the simplex.

    .. math:: f(x) = 0 \text{ if } x \ge 0,\ \sum_i x_i = r,\ \|x\|_0 \le k, \ \infty
        \text{ otherwise}

    Parameters
    ----------
    k : int
        Number of non-zeros allowed, >= 1.
    radius : float
        The sum r, > 0.

    Raises
    ------
    ValueError
        If ``k`` < 1 or ``radius`` is not positive.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.project_sparse_simplex : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SparseSimplex(2).prox([0.9, 0.6, 0.5])
    array([0.65, 0.35, 0.  ])
    """

    def __init__(self, k: int, radius: float = 1.0) -> None:
        self.k = integer("k", k, 1)
        self.radius = positive("radius", radius)

    def project(self, v: Any) -> Any:
        """A nearest point of the set, for every column."""
        return project_sparse_simplex(v, min(self.k, max(v.shape[0], 1)), self.radius, axis=0)


class SparseL1Ball(Indicator):
    r"""Constraint to the k-sparse points of the l1 ball.

    .. math:: f(x) = 0 \text{ if } \|x\|_1 \le r,\ \|x\|_0 \le k, \ \infty \text{ otherwise}

    Parameters
    ----------
    k : int
        Number of non-zeros allowed, >= 0.
    radius : float
        Radius r, >= 0.

    Raises
    ------
    ValueError
        If ``k`` or ``radius`` is negative.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.project_sparse_l1_ball : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SparseL1Ball(2, 2.5).prox([3.0, -2.5, 1.0])
    array([ 1.5, -1. ,  0. ])
    """

    def __init__(self, k: int, radius: float) -> None:
        self.k = integer("k", k, 0)
        self.radius = finite_level("radius", radius)

    def project(self, v: Any) -> Any:
        """A nearest point of the set, for every column."""
        return project_sparse_l1_ball(v, min(self.k, v.shape[0]), self.radius, axis=0)
