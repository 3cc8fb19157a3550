"""Constraints to balls of norms, and to the sphere."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, as_groups, total
from .._core._validate import positive
from ..prox._group_l2 import group_weights
from ..prox._group_lifts import finite_level
from ..prox._project_balls import project_l2_ball, project_linf_ball, project_sphere
from ..prox._project_group_balls import project_l1inf_ball, project_l21_ball
from ..prox._project_l1 import project_l1_ball
from ._base import frozen, quotient
from ._group_l2 import GroupL2
from ._indicator import Indicator
from ._l1 import L1


class L1Ball(Indicator):
    r"""Constraint to the (weighted) l1 ball.

    .. math:: f(x) = 0 \text{ if } \sum_i w_i |x_i| \le r, \ \infty \text{ otherwise}, \qquad
        f^*(y) = r \max_i |y_i| / w_i

    Parameters
    ----------
    radius : float
        Radius r, >= 0.
    weights : None or array_like, shape (n,)
        Weights, >= 0. 0 leaves a coordinate free, ``inf`` forces it to zero.

    Raises
    ------
    ValueError
        If ``radius`` or a weight is negative or NaN.

    See Also
    --------
    sparseopt.prox.project_l1_ball : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L1Ball(2.0).prox([3.0, -1.5, 0.5])
    array([ 1.75, -0.25,  0.  ])
    """

    is_convex = True

    def __init__(self, radius: float, weights: Any = None) -> None:
        self.radius = finite_level("radius", radius)
        self.weights = None if weights is None else frozen("weights", weights)

    def project(self, v: Any) -> Any:
        """The nearest point of the ball, for every column."""
        return project_l1_ball(v, self.radius, self.weights, axis=0)

    def conjugate(self, y: Any) -> Any:
        """``radius * max(|y_i| / w_i)``, per column of a batch."""
        size = L1(1.0 if self.weights is None else self.weights).dual_norm(y)
        return _times(self.radius, size)

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        w = np.ones(x.shape[0]) if self.weights is None else np.asarray(self.weights)
        finite = np.flatnonzero(np.isfinite(w))
        limits = [w[finite] @ cp.abs(x[finite]) <= self.radius]
        if finite.size < w.size:
            limits.append(x[np.flatnonzero(np.isinf(w))] == 0)
        return cp.transforms.indicator(limits)


class L2Ball(Indicator):
    r"""Constraint to the Euclidean ball.

    .. math:: f(x) = 0 \text{ if } \|x\|_2 \le r, \ \infty \text{ otherwise}, \qquad
        f^*(y) = r \|y\|_2

    Parameters
    ----------
    radius : float
        Radius r, >= 0.

    Raises
    ------
    ValueError
        If ``radius`` is negative or not finite.

    See Also
    --------
    sparseopt.prox.project_l2_ball : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L2Ball(1.0).prox([3.0, 4.0])
    array([0.6, 0.8])
    """

    is_convex = True

    def __init__(self, radius: float) -> None:
        self.radius = finite_level("radius", radius)

    def project(self, v: Any) -> Any:
        """The nearest point of the ball, for every column."""
        return project_l2_ball(v, self.radius, axis=0)

    def conjugate(self, y: Any) -> Any:
        """``radius * ||y||``, per column of a batch."""
        return self.radius * np.linalg.norm(y, axis=0)

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([cp.norm2(x, axis=0) <= self.radius])


class LInfBall(Indicator):
    r"""Constraint to the ball of the maximum norm.

    .. math:: f(x) = 0 \text{ if } \max_i |x_i| \le r, \ \infty \text{ otherwise}, \qquad
        f^*(y) = r \|y\|_1

    Parameters
    ----------
    radius : float
        Radius r, >= 0.

    Raises
    ------
    ValueError
        If ``radius`` is negative or not finite.

    See Also
    --------
    sparseopt.prox.project_linf_ball : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.LInfBall(1.0).prox([3.0, -0.5])
    array([ 1. , -0.5])
    """

    is_convex = True
    is_separable = True

    def __init__(self, radius: float) -> None:
        self.radius = finite_level("radius", radius)

    def project(self, v: Any) -> Any:
        """The nearest point of the ball."""
        return project_linf_ball(v, self.radius)

    def conjugate(self, y: Any) -> Any:
        """``radius * sum(|y|)``, per column of a batch."""
        return self.radius * total(np.abs(y))

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([cp.abs(x) <= self.radius])


class _GroupBall(Indicator):
    """A ball of a weighted sum of norms of groups."""

    is_convex = True

    def __init__(self, radius: float, groups: Any, weights: Any = None) -> None:
        self.radius = finite_level("radius", radius)
        self.groups: Groups = as_groups(groups)
        self.weights = frozen("weights", group_weights(weights, self.groups))

    def _cvxpy(self, x: Any, norm: Any) -> Any:
        import cvxpy as cp

        terms, limits = [], []
        for g, weight in enumerate(self.weights):
            index = np.flatnonzero(self.groups.labels == g)
            if index.size and np.isinf(weight):
                limits.append(x[index] == 0)
            elif index.size:
                terms.append(weight * norm(x[index], axis=0))
        return cp.transforms.indicator([*limits, sum(terms) <= self.radius])


class L21Ball(_GroupBall):
    r"""Constraint to the ball of the l2,1 norm (group lasso norm).

    .. math:: f(x) = 0 \text{ if } \sum_g w_g \|x_g\|_2 \le r, \ \infty \text{ otherwise}, \qquad
        f^*(y) = r \max_g \|y_g\|_2 / w_g

    Parameters
    ----------
    radius : float
        Radius r, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, or ``radius`` or a weight is negative or NaN.

    See Also
    --------
    sparseopt.prox.project_l21_ball : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L21Ball(2.5, [0, 0, 1]).prox([3.0, 4.0, 0.5])
    array([1.5, 2. , 0. ])
    """

    def project(self, v: Any) -> Any:
        """The nearest point of the ball, for every column."""
        return project_l21_ball(v, self.radius, self.groups, self.weights)

    def conjugate(self, y: Any) -> Any:
        """``radius * max(||y_g|| / w_g)``, per column of a batch."""
        return _times(self.radius, GroupL2(1.0, self.groups, self.weights).dual_norm(y))

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self._cvxpy(x, cp.norm2)


class L1InfBall(_GroupBall):
    r"""Constraint to the ball of the l1,inf norm.

    .. math:: f(x) = 0 \text{ if } \sum_g w_g \max_{i \in g} |x_i| \le r, \ \infty
        \text{ otherwise}, \qquad f^*(y) = r \max_g \|y_g\|_1 / w_g

    Parameters
    ----------
    radius : float
        Radius r, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, or ``radius`` or a weight is negative or NaN.

    See Also
    --------
    sparseopt.prox.project_l1inf_ball : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L1InfBall(2.0, [0, 0, 1]).prox([3.0, -2.0, 1.0])
    array([ 2., -2.,  0.])
    """

    def project(self, v: Any) -> Any:
        """The nearest point of the ball, for every column."""
        return project_l1inf_ball(v, self.radius, self.groups, self.weights)

    def conjugate(self, y: Any) -> Any:
        """``radius * max(sum(|y_g|) / w_g)``, per column of a batch."""
        sizes = np.abs(y)
        sums = np.zeros((self.groups.count, *sizes.shape[1:]))
        np.add.at(sums, self.groups.labels, sizes)
        levels = self.weights.reshape(-1, *[1] * (sizes.ndim - 1))
        return _times(self.radius, np.max(quotient(sums, levels), axis=0, initial=0.0))

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self._cvxpy(x, lambda part, axis: cp.max(cp.abs(part), axis=axis))


class Sphere(Indicator):
    r"""Constraint to the Euclidean sphere.

    .. math:: f(x) = 0 \text{ if } \|x\|_2 = r, \ \infty \text{ otherwise}

    Parameters
    ----------
    radius : float
        Radius r, > 0.

    Raises
    ------
    ValueError
        If ``radius`` is not positive.

    See Also
    --------
    sparseopt.prox.project_sphere : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Sphere().prox([3.0, 4.0])
    array([0.6, 0.8])
    """

    def __init__(self, radius: float = 1.0) -> None:
        self.radius = positive("radius", radius)

    def project(self, v: Any) -> Any:
        """The nearest point of the sphere, for every column."""
        return project_sphere(v, self.radius, axis=0)


def _times(radius: float, size: Any) -> Any:
    """``radius * size`` with 0 * inf = 0."""
    return radius * size if radius > 0 else 0.0 * np.where(np.isinf(size), 1.0, size)[()]
