"""Groups that form a tree: thresholding of group norms from the leaves to the root."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core import Groups
from .._core._validate import axis_index, parameter, steps
from ._group_l2 import group_levels, single
from ._groups import scale_groups
from ._l1 import soft_threshold
from ._vectors import as_array


@dataclasses.dataclass(frozen=True, eq=False)
class Tree:
    """Nested groups of ``n`` coordinates, cut into levels of disjoint groups.

    Level 0 holds the groups that contain no other. Each level is a partition, whose last part
    gathers the coordinates outside its groups, and the indices of its groups in the user's list.
    """

    n: int
    count: int
    levels: tuple[tuple[Groups, np.ndarray[Any, Any]], ...]

    def __repr__(self) -> str:
        return f"<{self.count} nested groups of {self.n} coordinates>"


def as_tree(groups: Any, n: int | None = None) -> Tree:
    """Check that any two of the ``groups`` (lists of indices) are nested or disjoint."""
    if isinstance(groups, Tree):
        if n is not None and groups.n != n:
            raise ValueError(f"groups must index {n} coordinates, got {groups.n}")
        return groups
    members = index_arrays(groups)
    if n is None:
        n = max((int(m.max()) + 1 for m in members if m.size), default=0)
    top = np.full(n, -1, np.intp)  # the largest group so far around each coordinate
    heights = np.zeros(len(members), np.intp)
    for g in np.argsort([m.size for m in members], kind="stable").tolist():
        inside = members[g]
        if inside.size and inside[-1] >= n:
            raise ValueError(f"groups[{g}] must index 0 .. {n - 1}, got {inside[-1]}")
        below, counts = np.unique(top[inside], return_counts=True)
        for child, count in zip(below, counts, strict=True):
            if child >= 0 and count < members[child].size:
                raise ValueError(
                    f"groups must be nested or disjoint: groups[{child}] and groups[{g}] overlap"
                )
            if child >= 0:
                heights[g] = max(int(heights[g]), int(heights[child]) + 1)
        top[inside] = g
    levels = []
    for height in range(int(heights.max(initial=-1)) + 1):
        at = np.flatnonzero(heights == height)
        labels = np.full(n, at.size, np.intp)
        for label, g in enumerate(at):
            labels[members[g]] = label
        levels.append((Groups(labels, at.size + 1), at))
    return Tree(n, len(members), tuple(levels))


def index_arrays(groups: Any) -> list[np.ndarray[Any, Any]]:
    """Check overlapping groups: a list of sorted arrays of distinct indices >= 0."""
    if not isinstance(groups, list | tuple):
        raise TypeError(f"groups must be a list of index arrays, got {type(groups).__name__}")
    checked = []
    for g, given in enumerate(groups):
        members = np.asarray(given)
        if members.ndim != 1 or (members.dtype.kind not in "iu" and members.size):
            raise TypeError(f"groups[{g}] must be a list of integer indices, got {given!r}")
        inside = np.unique(members.astype(np.intp))
        if inside.size < members.size:
            raise ValueError(f"groups[{g}] must not hold an index twice")
        if inside.size and inside[0] < 0:
            raise ValueError(f"groups[{g}] must hold indices >= 0, got {inside[0]}")
        checked.append(inside)
    return checked


def overlap_weights(weights: Any, sizes: Any) -> np.ndarray[Any, Any]:
    """One weight per overlapping group from ``None``, ``"sqrt"`` or an array."""
    sizes = np.asarray(sizes, np.intp)
    if weights is None:
        return np.ones(sizes.size)
    if isinstance(weights, str):
        if weights != "sqrt":
            raise ValueError(f"weights must be None, 'sqrt' or an array, got {weights!r}")
        return np.sqrt(sizes)
    weights = np.asarray(parameter("weights", weights))
    if weights.shape != sizes.shape:
        raise ValueError(f"weights must have shape {sizes.shape}, got {weights.shape}")
    return weights


def tree_sizes(tree: Tree) -> np.ndarray[Any, Any]:
    """Number of coordinates of each group."""
    sizes = np.zeros(tree.count, np.intp)
    for partition, at in tree.levels:
        sizes[at] = partition.sizes[:-1]
    return sizes


def level_thresholds(levels: Any, at: Any) -> Any:
    """Thresholds of one level of the tree; nothing for the coordinates outside its groups."""
    return np.concatenate([levels[at], np.zeros((1, *levels.shape[1:]))])


def climb(v: Any, tree: Tree, levels: Any, *, axis: int = 0, check: bool = False) -> Any:
    """Compose the group thresholds from the leaves to the root."""
    for partition, at in tree.levels:
        threshold = level_thresholds(levels, at)
        v = scale_groups(soft_threshold, v, (threshold,), partition, axis=axis, check=check)
    return v


def tree_groups(
    v: Any, lam: Any, groups: Any, weights: Any = None, *, step: Any = 1.0, axis: int = 0
) -> Any:
    r"""Proximal operator of a sum of norms of groups that form a tree.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda \sum_g w_g \|x_g\|_2

    where any two groups are nested or disjoint: the thresholds of `group_l2` one after the other,
    from the leaves of the tree to its root.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0.
    groups : list of index arrays
        The coordinates of each group. Coordinates in no group are not penalised.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0; ``None`` means 1, ``"sqrt"`` the square root of its size.
    step : float
        Step, > 0.
    axis : int
        Axis along which the coordinates lie.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If two groups overlap without being nested (the message names them), an index is out of
        range, ``v`` is not finite, a level or weight is negative or NaN, or ``step`` <= 0.

    References
    ----------
    R. Jenatton, J. Mairal, G. Obozinski, F. Bach (2011). Proximal methods for hierarchical
    sparse coding. J. Mach. Learn. Res. 12.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.tree_groups([3.0, 4.0, 1.0], 1.0, [[0, 1, 2], [2]])
    array([2.4, 3.2, 0. ])
    """
    v = as_array(v)
    axis = axis_index(axis, v.ndim)
    tree = as_tree(groups, v.shape[axis] if v.ndim else 1)
    weights = overlap_weights(weights, tree_sizes(tree))
    levels = steps(step) * group_levels(single("lam", lam), weights)
    if not tree.levels:
        return v if not hasattr(v, "copy") else v.copy()
    return climb(v, tree, levels, axis=axis, check=True)
