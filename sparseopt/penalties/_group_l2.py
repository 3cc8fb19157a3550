"""The group lasso penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, as_groups, namespace, to_native, total
from ..prox._group_l2 import group_levels, group_weights, single
from ..prox._groups import group_norms, scale_groups
from ..prox._l1 import soft_threshold
from ._base import Gauge, frozen, quotient


class GroupL2(Gauge):
    r"""Weighted sum of Euclidean norms of groups (group lasso).

    .. math:: f(x) = \lambda \sum_g w_g \|x_g\|_2, \qquad
        f^*(y) = 0 \text{ if } \|y_g\|_2 \le \lambda w_g \text{ for all } g

    Parameters
    ----------
    lam : float
        Level, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group; ``None`` means 1, ``"sqrt"`` the square root of its size.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, or ``lam`` or a weight is negative.

    See Also
    --------
    sparseopt.prox.group_l2 : The proximal operator as a function.

    References
    ----------
    M. Yuan, Y. Lin (2006). Model selection and estimation in regression with grouped variables.
    J. R. Stat. Soc. B 68(1).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.GroupL2(2.0, [0, 0, 1]).value([3.0, 4.0, -1.0])
    12.0
    """

    def __init__(self, lam: Any, groups: Any, weights: Any = None) -> None:
        self.lam = single("lam", lam)
        self.groups: Groups = as_groups(groups, _coordinates(groups))
        self.weights = frozen("weights", group_weights(weights, self.groups))

    def value(self, x: Any) -> Any:
        """``lam * sum(w_g ||x_g||)``, per column of a batch."""
        x = x if hasattr(x, "ndim") else np.asarray(x, float)
        norms = group_norms(x, self._for(x))
        xp = namespace(norms)
        levels = to_native(group_levels(self.lam, self.weights)[:, None], norms)
        weighted = xp.where(norms > 0, levels, xp.zeros_like(levels)) * norms
        return total(weighted if x.ndim > 1 else weighted[:, 0])

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = v if hasattr(v, "ndim") else np.asarray(v, float)
        levels = group_levels(self.lam, self.weights)
        threshold = np.multiply.outer(levels, np.atleast_1d(step))
        return scale_groups(soft_threshold, v, (threshold,), self._for(v))

    @property
    def is_norm(self) -> bool:
        """Whether every group is penalised."""
        return bool(self.lam * np.min(self.weights, initial=np.inf) > 0)

    def dual_norm(self, y: Any) -> Any:
        """``max ||y_g|| / (lam w_g)``, per column of a batch."""
        y = np.asarray(y)
        norms = group_norms(y, self._for(y))
        levels = group_levels(self.lam, self.weights)[:, None]
        largest = np.max(quotient(norms, levels), axis=0, initial=0.0)
        return largest if y.ndim > 1 else largest[0]

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        norms = [
            weight * cp.sum(cp.norm2(x[np.flatnonzero(self.groups.labels == g)], axis=0))
            for g, weight in enumerate(self.weights)
            if self.groups.sizes[g]
        ]
        return self.lam * cp.sum(cp.hstack(norms))

    def _for(self, x: Any) -> Groups:
        return as_groups(self.groups, x.shape[0])


def _coordinates(groups: Any) -> int:
    """How many coordinates the groups speak of."""
    if isinstance(groups, Groups):
        return groups.n
    if isinstance(groups, list | tuple) and any(np.ndim(g) == 1 for g in groups):
        return sum(len(g) for g in groups)
    return len(np.atleast_1d(groups))
