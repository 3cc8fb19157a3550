"""The group lasso penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, as_groups
from ..prox._group_l2 import group_levels, group_weights, single
from ..prox._l1 import l1_slope, l1_value, soft_threshold
from ._base import Gauge, frozen
from ._radial import RadialGroups, outer


class GroupL2(RadialGroups, Gauge):
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

    value_formula = l1_value
    slope_formula = l1_slope
    prox_formula = soft_threshold

    def __init__(self, lam: Any, groups: Any, weights: Any = None) -> None:
        self.lam = single("lam", lam)
        self.groups: Groups = as_groups(groups)
        self.weights = frozen("weights", group_weights(weights, self.groups))

    def value_parameters(self) -> tuple[Any, ...]:
        """The level of each group."""
        return (group_levels(self.lam, self.weights),)

    def prox_parameters(self, step: Any) -> tuple[Any, ...]:
        """The threshold of each group."""
        return (outer(group_levels(self.lam, self.weights), step),)

    @property
    def is_norm(self) -> bool:
        """Whether every group is penalised."""
        return bool(self.lam > 0 and np.min(self.weights, initial=np.inf) > 0)

    def dual_norm(self, y: Any) -> Any:
        """``max ||y_g|| / (lam w_g)``, per column of a batch."""
        return self.alpha_max(y)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        norms = [
            weight * cp.sum(cp.norm2(x[np.flatnonzero(self.groups.labels == g)], axis=0))
            for g, weight in enumerate(self.weights)
            if self.groups.sizes[g]
        ]
        return self.lam * cp.sum(cp.hstack(norms))
