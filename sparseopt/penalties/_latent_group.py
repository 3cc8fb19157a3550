"""The latent norm of overlapping groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .._core import Groups, to_host, to_native
from .._core._validate import positive
from ..prox._group_l2 import group_levels, single
from ..prox._latent_group import latent_columns, latent_parts, overlapping
from ..prox._tree_groups import overlap_weights
from ._base import Gauge, as_vectors, frozen, require_dimension
from ._group_l2 import GroupL2
from ._radial import outer

_STEPS = 200


class LatentGroup(Gauge):
    r"""Latent norm of overlapping groups: supports are unions of groups.

    .. math:: f(x) = \lambda \min \Bigl\{ \sum_g w_g \|z^g\|_2 : \sum_g z^g = x,\
        \operatorname{supp} z^g \subset g \Bigr\}, \qquad
        f^*(y) = 0 \text{ if } \|y_g\|_2 \le \lambda w_g \text{ for all } g

    The dual norm is exact and cheap; the value and the prox are found by iteration to ``tol``.
    The fast way to solve a problem with this penalty is to duplicate the variables that groups
    share: with ``S = penalty.operator``, minimise over z the loss of ``A @ S`` plus
    ``penalty.duplicated``, a plain `GroupL2`; then ``x = S @ z``.

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    groups : list of index arrays
        The coordinates of each group; together they cover all coordinates.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0 and finite; ``None`` means 1, ``"sqrt"`` the square root of
        its size.
    tol : float
        Relative accuracy of the value, by its duality gap, > 0.

    Raises
    ------
    ValueError
        If a coordinate is in no group, or a level or weight is negative or not finite.

    See Also
    --------
    sparseopt.prox.latent_group : The proximal operator as a function.

    References
    ----------
    L. Jacob, G. Obozinski, J.-P. Vert (2009). Group lasso with overlap and graph lasso. ICML.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = penalties.LatentGroup(1.0, [[0, 1], [1, 2]])
    >>> f.operator.toarray()
    array([[1., 0., 0., 0.],
           [0., 1., 1., 0.],
           [0., 0., 0., 1.]])
    >>> f.duplicated
    GroupL2(lam=1.0, groups=<2 groups of 4 coordinates>, weights=<shape (2,)>)
    >>> round(f.value([3.0, 4.0, 0.0]), 6)
    5.0
    """

    def __init__(self, lam: Any, groups: Any, weights: Any = None, tol: float = 1e-9) -> None:
        self.lam = single("lam", lam)
        self._members, self._starts, self._n = overlapping(groups)
        weights = overlap_weights(weights, np.diff(self._starts))
        self.weights = frozen("weights", weights, finite=True)
        self.tol = positive("tol", tol)
        if np.isinf(self.lam):
            raise ValueError(f"lam must be finite, got {self.lam}")

    @property
    def operator(self) -> Any:
        """The sparse (n, N) matrix that adds up the duplicated variables, group after group."""
        size = self._members.size
        return sparse.csr_array(
            (np.ones(size), (self._members, np.arange(size))), shape=(self._n, size)
        )

    @property
    def duplicated(self) -> GroupL2:
        """The penalty of the duplicated variables."""
        labels = np.repeat(np.arange(self._starts.size - 1), np.diff(self._starts))
        return GroupL2(self.lam, Groups(labels, self._starts.size - 1), self.weights)

    def value(self, x: Any) -> Any:
        """The least sum over all decompositions, per column of a batch."""
        require_dimension("x", x)
        x = np.asarray(to_host(x))
        self._check(x)
        if x.ndim == 1:
            return self._least_sum(x)
        return np.array([self._least_sum(column) for column in x.T])

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``; without a gradient for other libraries."""
        v = as_vectors("v", v)
        host = to_host(v)
        self._check(host)
        columns = host.reshape(host.shape[0], 1) if host.ndim == 1 else host
        levels = outer(self._levels(), step)
        result = latent_columns(columns, self._members, self._starts, levels, 1e-12, _STEPS)
        return to_native(result.reshape(host.shape), v)

    @property
    def is_norm(self) -> bool:
        """Whether every group is penalised."""
        return bool(np.min(self._levels(), initial=np.inf) > 0)

    def dual_norm(self, y: Any) -> Any:
        """``max ||y_g|| / (lam w_g)``, per column of a batch."""
        y = np.asarray(y)
        self._check(y)
        return self.duplicated.dual_norm(y[self._members])

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        z = cp.Variable((self._members.size, *x.shape[1:]))
        parts = self.duplicated.as_cvxpy(z)
        return parts + cp.transforms.indicator([self.operator @ z == x])

    def _least_sum(self, x: np.ndarray[Any, Any]) -> float:
        """The value by its dual, the largest ``<x, y>`` with ``||y_g|| <= lam w_g``.

        Proximal point method: ``y`` moves along ``x`` and back to the ball, where the parts of the
        prox tell a decomposition. Both sides bound the value.
        """
        levels = self._levels()
        wide = np.complex128 if x.dtype.kind == "c" else np.float64
        x = x.astype(wide)
        peak = float(np.max(np.abs(x), initial=0.0))
        if peak == 0.0 or not levels.any():
            return 0.0
        pace = 10.0 * float(levels.max()) / peak
        y, parts = np.zeros_like(x), np.zeros(self._members.size, wide)
        best = np.inf
        for _ in range(1000):
            y = y + pace * x
            latent_parts(y, parts, self._members, self._starts, levels, 1e-12, _STEPS)
            np.subtract.at(y, self._members, parts)
            best = min(best, self._sum_of(x, parts / pace))
            bound = self.dual_norm(y)
            found = float(np.real(np.vdot(y, x))) / max(1.0, bound)
            if best - found <= self.tol * best:
                break
        return best

    def _sum_of(self, x: Any, parts: Any) -> float:
        """The sum for a decomposition, completed by giving what is missing to one group each."""
        first = np.full(self._n, -1)
        first[self._members[::-1]] = np.arange(self._members.size)[::-1]
        missing = x.copy()
        np.subtract.at(missing, self._members, parts)
        parts = parts.copy()
        parts[first] += missing
        return float(self.duplicated.value(parts))

    def _levels(self) -> np.ndarray[Any, Any]:
        return np.asarray(group_levels(self.lam, self.weights))

    def _check(self, x: Any) -> None:
        if x.shape[0] != self._n:
            raise ValueError(f"groups must index {x.shape[0]} coordinates, got {self._n}")
