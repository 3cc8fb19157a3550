"""Norms of groups that form a tree."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import accumulate
from ..prox._group_l2 import group_levels, single
from ..prox._groups import group_norms
from ..prox._l1 import l1_value
from ..prox._tree_groups import (
    Tree,
    as_tree,
    climb,
    level_thresholds,
    overlap_weights,
    tree_sizes,
)
from ._base import Gauge, as_vectors, beside, frozen
from ._radial import outer


class TreeGroups(Gauge):
    r"""Weighted sum of Euclidean norms of groups, any two of which are nested or disjoint.

    .. math:: f(x) = \lambda \sum_g w_g \|x_g\|_2

    A coordinate can be non-zero only if every group around it is: with a group for each node of a
    tree and all below it, supports are rooted subtrees.

    Parameters
    ----------
    lam : float
        Level, >= 0.
    groups : list of index arrays
        The coordinates of each group. Coordinates in no group are not penalised.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group; ``None`` means 1, ``"sqrt"`` the square root of its size.

    Raises
    ------
    ValueError
        If two groups overlap without being nested, or ``lam`` or a weight is negative.

    See Also
    --------
    sparseopt.prox.tree_groups : The proximal operator as a function.

    References
    ----------
    R. Jenatton, J. Mairal, G. Obozinski, F. Bach (2011). Proximal methods for hierarchical
    sparse coding. J. Mach. Learn. Res. 12.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.TreeGroups(2.0, [[0, 1, 2], [2]]).value([3.0, 0.0, 4.0])
    18.0
    """

    def __init__(self, lam: Any, groups: Any, weights: Any = None) -> None:
        self.lam = single("lam", lam)
        self.groups: Tree = as_tree(groups)
        self.weights = frozen("weights", overlap_weights(weights, tree_sizes(self.groups)))

    def value(self, x: Any) -> Any:
        """``lam * sum(w_g ||x_g||)``, per column of a batch."""
        x = as_vectors("x", x)
        levels, result = self._levels(), accumulate(l1_value, x, (0.0,))
        for partition, at in self._for(x).levels:
            norms = group_norms(x, partition)
            norms = norms if x.ndim > 1 else norms[:, 0]
            thresholds = level_thresholds(levels, at)
            result = result + accumulate(l1_value, norms, (beside(thresholds, norms),))
        return result

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        return climb(v, self._for(v), outer(self._levels(), step))

    @property
    def is_norm(self) -> bool:
        """Whether every coordinate is in a penalised group."""
        return bool(np.all(self._shares(np.ones(self.groups.n)) < np.inf))

    def dual_norm(self, y: Any) -> Any:
        """The least t for which ``prox(y, t)`` is zero, per column of a batch, by bisection.

        There is no closed form; 60 halvings leave a relative error of about 1e-15.
        """
        y = np.asarray(y)
        columns = y.reshape(y.shape[0], 1) if y.ndim == 1 else y
        high = self._shares(columns)
        finite = np.isfinite(high) & (high > 0)
        low, top = np.zeros(np.sum(finite)), high[finite]
        columns = columns[:, finite]
        for _ in range(60 if top.size else 0):
            middle = 0.5 * (low + top)
            zero = ~np.any(self.prox(columns, middle), axis=0)
            low, top = np.where(zero, low, middle), np.where(zero, middle, top)
        high[finite] = top
        return high if y.ndim > 1 else high[0]

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        levels, terms = self._levels(), [0.0 * cp.norm1(x)]
        for partition, at in self.groups.levels:
            for label, g in enumerate(at):
                members = np.flatnonzero(partition.labels == label)
                if members.size:
                    terms.append(levels[g] * cp.sum(cp.norm2(x[members], axis=0)))
        return cp.sum(cp.hstack(terms))

    def _shares(self, y: Any) -> np.ndarray[Any, Any]:
        """An upper bound of the dual norm: each entry left to its smallest penalised group."""
        rest = np.array(np.abs(y), float)
        rest = rest.reshape(self._for(y).n, 1) if rest.ndim == 1 else rest
        bound = np.zeros(rest.shape[1])
        levels = self._levels()
        for partition, at in self.groups.levels:
            thresholds = level_thresholds(levels, at)
            norms = group_norms(rest, partition)[thresholds > 0]
            with np.errstate(over="ignore"):
                ratios = norms / thresholds[thresholds > 0][:, None]
            bound = np.maximum(bound, np.max(ratios, axis=0, initial=0.0))
            rest[(thresholds > 0)[partition.labels]] = 0.0
        return np.where(rest.any(axis=0), np.inf, bound)

    def _levels(self) -> Any:
        return group_levels(self.lam, self.weights)

    def _for(self, x: Any) -> Tree:
        return as_tree(self.groups, np.shape(x)[0])
