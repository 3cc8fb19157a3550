"""A penalty of groups as block coordinate descent sees it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, elementwise
from ..penalties import L21, GroupL2, GroupMCP, GroupSCAD, SparseGroup
from ..prox._group_l2 import group_levels
from ..prox._groups import group_norms
from ..prox._l1 import soft_threshold
from ..prox._mcp import firm_threshold
from ..prox._scad import scad_threshold
from ._group_sweeps import norm_block, proximal_block

Array = np.ndarray[Any, Any]

GROUPED = (L21, GroupL2, GroupMCP, GroupSCAD, SparseGroup)


class GroupCoordinates:
    """The groups and block steps of a penalty on n coordinates.

    The methods are those of `Coordinates`, with a unit of the working set a group.

    Attributes
    ----------
    levels : ndarray or None
        Levels of the Euclidean norms, if the penalty is convex.
    positive, ridge
        As in `Coordinates`; no penalty here has them.
    """

    positive = False
    ridge = None

    def __init__(self, penalty: Any, n: int) -> None:
        self.penalty = penalty
        self.rows = isinstance(penalty, L21)
        if self.rows:
            weights = np.ones(n) if penalty.weights is None else penalty.weights
            self.groups = Groups(np.arange(n), n)
        else:
            self.groups, weights = penalty.groups, penalty.weights
        self.weights = np.asarray(weights, float)
        self.levels: Array | None = None
        if isinstance(penalty, SparseGroup):
            self.levels = group_levels(penalty.lam_group, self.weights)
        elif isinstance(penalty, L21 | GroupL2):
            self.levels = group_levels(penalty.lam, self.weights)
        self.sizes = self.groups.sizes
        self._order = np.argsort(self.groups.labels, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self.l1 = np.zeros(n)
        if isinstance(penalty, SparseGroup):
            self.l1 = np.broadcast_to(np.asarray(penalty.lam_l1, float), (n,)).copy()

    def members(self, units: Array) -> Array:
        """The coordinates of groups, one group after the other."""
        sizes = self.sizes[units]
        shift = self._starts[units] - np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return self._order[np.arange(sizes.sum()) + np.repeat(shift, sizes)]

    def units(self, members: Array) -> Array:
        """The groups that `members` came from."""
        labels = self.groups.labels[members]
        return labels[np.flatnonzero(np.diff(labels, prepend=-1))]

    def active(self, x: Array) -> Array:
        """Which groups are not zero."""
        on = x != 0.0 if x.ndim == 1 else (x != 0.0).any(1)
        return np.bincount(self.groups.labels, on, self.groups.count) > 0.0

    def excess(self, x: Array, gradient: Array) -> Array:
        """How far each group is from optimal, in units of the gradient; <= 0 where it is."""
        if self.levels is None:
            return np.asarray(self.penalty.subdiff_distance(x, gradient), float)
        if self.rows:
            gradient = gradient if gradient.ndim > 1 else gradient[:, None]
            squares = np.einsum("ij,ij->i", gradient, gradient)
            return np.sqrt(squares) - self.levels
        if self.l1.any():
            gradient = elementwise(soft_threshold, gradient, (self.l1,))
        return group_norms(gradient, self.groups)[:, 0] - self.levels

    def distance(self, x: Array, gradient: Array) -> Array:
        """Distance of minus the gradient from the subdifferential, for each group."""
        return np.asarray(self.penalty.subdiff_distance(x, gradient), float)

    def value(self, working: Array, x: Array) -> float:
        """The penalty of an ``x`` that is zero elsewhere."""
        return float(self.restricted(self.units(working)).value(x))

    def nearly_active(self, units: Array) -> Array | float:
        """The excess above which a group at zero is worth keeping in a working set."""
        return 0.0 if self.levels is None else -0.1 * self.levels[units]

    def restricted(self, units: Array) -> Any:
        """The penalty of the coordinates of some groups, in the order of `members`."""
        penalty: Any = self.penalty
        if self.rows:
            return L21(penalty.lam, self.weights[units])
        labels = Groups(np.repeat(np.arange(units.size), self.sizes[units]), units.size)
        weights = self.weights[units]
        if isinstance(penalty, SparseGroup):
            l1 = self.l1[self.members(units)]
            return SparseGroup(l1, penalty.lam_group, labels, weights)
        if isinstance(penalty, GroupL2):
            return GroupL2(penalty.lam, labels, weights)
        return type(penalty)(penalty.lam, penalty.gamma, labels, weights)

    def block_step(self, units: Array, inverse: Array) -> tuple[Any, Array]:
        """The block step of the penalty and its parameters, one column per group.

        ``inverse`` is one over the largest eigenvalue of each group.
        """
        if self.levels is None:
            levels = group_levels(self.penalty.lam, self.weights[units])
            gamma = np.full(units.size, self.penalty.gamma)
            formula = firm_threshold if isinstance(self.penalty, GroupMCP) else scad_threshold
            return proximal_block(formula, 3), np.stack([levels, gamma, inverse])
        levels = self.levels[units]
        if isinstance(self.penalty, SparseGroup):
            return proximal_block(soft_threshold, 1), (levels * inverse)[None]
        return norm_block, levels[None].copy()


def multiple(penalty: Any, factor: float) -> Any:
    """A multiple of a norm of groups, of the same class."""
    groups, weights = penalty.groups, penalty.weights
    if isinstance(penalty, SparseGroup):
        return SparseGroup(factor * penalty.lam_l1, factor * penalty.lam_group, groups, weights)
    return GroupL2(factor * penalty.lam, groups, weights)
