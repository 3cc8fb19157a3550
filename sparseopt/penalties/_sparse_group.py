"""The sparse group lasso penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, accumulate, as_groups, elementwise, jit
from ..prox._group_l2 import group_levels, group_weights, single
from ..prox._groups import group_norms, scale_groups
from ..prox._l1 import l1_value, soft_threshold
from ..prox._linf import segments
from ._base import Gauge, as_vectors, beside, frozen
from ._linf import against
from ._radial import outer


@jit
def _epsilon_norms(sizes, l1, levels, order, starts, out):  # type: ignore[no-untyped-def]
    """For each group the least t >= 0 with ``||max(|y| - t l1, 0)|| <= t level``.

    The difference of both sides is convex and falls, so Newton's method from 0 climbs to the
    root; it ends when rounding stops it, after a handful of steps.
    """
    for j in range(sizes.shape[1]):
        for g in range(starts.size - 1):
            members = order[starts[g] : starts[g + 1]]
            t, before = 0.0, -1.0
            while before < t < np.inf:
                before = t
                square, product = 0.0, 0.0
                for i in members:
                    rest = sizes[i, j] - t * l1[i] if l1[i] < np.inf else 0.0
                    if rest > 0.0:
                        square += rest * rest
                        product += rest * l1[i]
                norm = np.sqrt(square)
                if levels[g] < np.inf and norm > t * levels[g]:
                    t += (norm - t * levels[g]) / (product / norm + levels[g])
            out[g, j] = t


class SparseGroup(Gauge):
    r"""The l1 norm plus a weighted sum of Euclidean norms of groups (sparse group lasso).

    .. math:: f(x) = \sum_i \lambda^1_i |x_i| + \lambda^2 \sum_g w_g \|x_g\|_2

    Its dual norm is the largest over the groups of the :math:`\epsilon`-norm, the root t of
    :math:`\|\max(|y_g| - t \lambda^1, 0)\| = t \lambda^2 w_g`.

    Parameters
    ----------
    lam_l1 : float or array_like, shape (n,)
        Level of the l1 norm, >= 0; one per coordinate for a weighted norm.
    lam_group : float
        Level of the group norms, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group; ``None`` means 1, ``"sqrt"`` the square root of its size.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, or a level or weight is negative.

    See Also
    --------
    sparseopt.prox.sparse_group : The proximal operator as a function.

    References
    ----------
    E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon (2016). GAP safe screening rules for
    sparse-group lasso. NeurIPS 29.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = penalties.SparseGroup(1.0, 2.0, [0, 0, 1])
    >>> f.value([3.0, -4.0, 0.0])
    17.0
    """

    def __init__(self, lam_l1: Any, lam_group: Any, groups: Any, weights: Any = None) -> None:
        self.groups: Groups = as_groups(groups)
        self.lam_l1 = frozen("lam_l1", lam_l1)
        if np.shape(self.lam_l1) not in ((), (self.groups.n,)):
            raise ValueError(
                f"lam_l1 must be a number or have shape ({self.groups.n},), "
                f"got {np.shape(self.lam_l1)}"
            )
        self.lam_group = single("lam_group", lam_group)
        self.weights = frozen("weights", group_weights(weights, self.groups))

    def value(self, x: Any) -> Any:
        """Sum of both norms, per column of a batch."""
        x = as_vectors("x", x)
        norms = group_norms(x, self._for(x))
        norms = norms if x.ndim > 1 else norms[:, 0]
        entries = accumulate(l1_value, x, (beside(self.lam_l1, x),))
        return entries + accumulate(l1_value, norms, (beside(self._levels(), norms),))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        soft = elementwise(soft_threshold, v, (step * beside(self.lam_l1, v),))
        return scale_groups(soft_threshold, soft, (outer(self._levels(), step),), self._for(v))

    @property
    def is_norm(self) -> bool:
        """Whether every coordinate is penalised by itself or with its group."""
        return bool(np.all((self._levels()[self.groups.labels] > 0) | (self.lam_l1 > 0)))

    def dual_norm(self, y: Any) -> Any:
        """The largest epsilon-norm of a group, per column of a batch."""
        y = np.asarray(y)
        sizes = np.abs(y).astype(float)
        sizes = sizes[:, None] if y.ndim == 1 else sizes
        groups = self._for(y)
        norms = np.zeros((groups.count, sizes.shape[1]))
        _epsilon_norms(sizes, self._l1_levels(), self._levels(), *segments(groups), norms)
        largest = np.max(norms, axis=0, initial=0.0)
        return largest if y.ndim > 1 else largest[0]

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each group."""
        x, gradient = np.asarray(x), np.asarray(gradient)
        groups = self._for(x)
        norms = group_norms(x, groups)
        levels = self._levels()[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(norms > 0, levels / norms, 0.0)[groups.labels].reshape(x.shape)
            inward, across = against(x, gradient + pull * x)
            l1 = beside(self._l1_levels(), x)
            rest = np.where(x == 0, np.maximum(inward - l1, 0.0), np.hypot(inward - l1, across))
            distance = group_norms(rest, groups)
            distance = np.where(norms > 0, distance, np.maximum(distance - levels, 0.0))
        return distance if x.ndim > 1 else distance[:, 0]

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        entries = cp.norm1(cp.multiply(np.broadcast_to(beside(self._l1_levels(), x), x.shape), x))
        norms = [
            level * cp.sum(cp.norm2(x[np.flatnonzero(self.groups.labels == g)], axis=0))
            for g, level in enumerate(self._levels())
            if self.groups.sizes[g]
        ]
        return entries + cp.sum(cp.hstack(norms))

    def _levels(self) -> Any:
        return group_levels(self.lam_group, self.weights)

    def _l1_levels(self) -> Any:
        return np.broadcast_to(self.lam_l1, (self.groups.n,)).astype(float)

    def _for(self, x: Any) -> Groups:
        return as_groups(self.groups, x.shape[0])
