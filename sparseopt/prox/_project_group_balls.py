"""Projections onto balls of the l2,1 and the l1,inf norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import (
    Groups,
    as_groups,
    elementwise,
    is_numpy,
    jit,
    namespace,
    on_host,
    to_host,
    to_native,
)
from .._core._validate import axis_index
from ._group_envelope import in_precision
from ._group_l2 import group_weights
from ._group_lifts import finite_level
from ._groups import lift_to_groups
from ._linf import clip_at, segments
from ._project_l1 import project_l1_ball
from ._vectors import as_array, as_columns

Array = np.ndarray[Any, Any]


@jit
def _l1inf_column(a, starts, weights, radius, ceilings):  # type: ignore[no-untyped-def]
    """Newton's method from the left on the convex, piecewise linear sum of ceilings.

    ``a`` holds moduli, sorted downwards in each group. It ends after finitely many steps, when no
    further entry is cut.
    """
    m = starts.size - 1
    sums = np.zeros(a.size + m + 1)  # partial sums of every group, each with a leading zero
    firsts = np.zeros(m + 1, np.int64)
    counts = np.zeros(m, np.int64)
    total = 0.0
    for g in range(m):
        size = starts[g + 1] - starts[g]
        firsts[g + 1] = firsts[g] + size + 1
        for i in range(size):
            sums[firsts[g] + i + 1] = sums[firsts[g] + i] + a[starts[g] + i]
        ceilings[g] = np.inf
        if size > 0 and 0.0 < weights[g] < np.inf:
            total += weights[g] * a[starts[g]]
            counts[g] = 1
        elif weights[g] == np.inf:
            ceilings[g] = 0.0
    if total <= radius:
        return
    theta, done = 0.0, False
    while not done:
        reached = steep = 0.0
        for g in range(m):
            if counts[g] == 0:
                continue
            taken, size, n = theta * weights[g], starts[g + 1] - starts[g], counts[g]
            while n < size and (sums[firsts[g] + n] - taken) < n * a[starts[g] + n]:
                n += 1
            counts[g] = n
            above = sums[firsts[g] + n] - taken
            ceilings[g] = above / n if above > 0.0 else 0.0
            if above > 0.0:
                reached += weights[g] * ceilings[g]
                steep += weights[g] * weights[g] / n
        further = theta + (reached - radius) / steep if steep > 0.0 else theta
        done = not further > theta * (1.0 + 2e-16)
        theta = max(theta, further)


def _decide(sizes: Array, groups: Groups, weights: Array, radius: float) -> Array:
    """The ceiling of every group, ``inf`` where nothing is cut; shape (groups, batch)."""
    order, starts = segments(groups)
    ceilings = np.empty((groups.count, sizes.shape[1]))
    column = np.empty(groups.count)
    for j in range(sizes.shape[1]):
        a = sizes[order, j].astype(np.float64)
        a = a[np.lexsort((-a, groups.labels[order]))]
        _l1inf_column(a, starts, weights, radius, column)
        ceilings[:, j] = column
    return ceilings


def project_l21_ball(
    v: Any, radius: float, groups: Any, weights: Any = None, *, axis: int = 0
) -> Any:
    r"""Projection onto the ball of the l2,1 norm (group lasso norm).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \sum_g w_g \|x_g\|_2 \le \text{radius}

    which projects the group norms onto the weighted l1 ball and keeps the directions.

    Parameters
    ----------
    v : array_like, real or complex
        Point. Groups lie along ``axis``; all other axes are a batch.
    radius : float
        Radius, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0; ``None`` means 1, ``"sqrt"`` the square root of its size.
    axis : int
        Axis along which the coordinates lie.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, ``v`` is not finite, or ``radius`` or a weight is
        negative or NaN.

    References
    ----------
    E. van den Berg, M. P. Friedlander (2011). Sparse optimization with least-squares constraints.
    SIAM J. Optim. 21(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_l21_ball([3.0, 4.0, 0.5], 2.5, [0, 0, 1])
    array([1.5, 2. , 0. ])
    """
    radius = finite_level("radius", radius)
    v = as_array(v)
    axis = axis_index(axis, v.ndim)
    partition = as_groups(groups, v.shape[axis] if v.ndim else 1)
    levels = None if weights is None else group_weights(weights, partition)

    def decide(norms: Any) -> Any:
        return project_l1_ball(norms, radius, levels, axis=0)

    return lift_to_groups(decide, v, partition, axis=axis, check=True)


def project_l1inf_ball(
    v: Any, radius: float, groups: Any, weights: Any = None, *, axis: int = 0
) -> Any:
    r"""Projection onto the ball of the l1,inf norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \sum_g w_g \max_{i \in g} |x_i| \le \text{radius}

    Each group is cut at a ceiling :math:`c_g`, and every group that does not vanish loses in
    proportion to its weight: :math:`\sum_{i \in g} \max(|v_i| - c_g, 0) = \theta w_g`. The
    multiplier :math:`\theta` is found by Newton's method, which ends after finitely many steps.

    Parameters
    ----------
    v : array_like, real or complex
        Point. Groups lie along ``axis``; all other axes are a batch.
    radius : float
        Radius, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0; ``None`` means 1, ``"sqrt"`` the square root of its size.
    axis : int
        Axis along which the coordinates lie.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, ``v`` is not finite, or ``radius`` or a weight is
        negative or NaN.

    References
    ----------
    D. Chu, C. Zhang, S. Sun, Q. Tao (2020). Semismooth Newton algorithm for efficient projections
    onto l1,inf-norm ball. ICML.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_l1inf_ball([3.0, -2.0, 1.0], 2.0, [0, 0, 1])
    array([ 2., -2.,  0.])
    """
    radius = finite_level("radius", radius)
    v = as_array(v)
    if not is_numpy(v) and on_host(v):
        found = project_l1inf_ball(to_host(v), radius, groups, weights, axis=axis)
        return to_native(np.asarray(found), v)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    partition = as_groups(groups, columns.shape[0])
    levels = np.asarray(group_weights(weights, partition), np.float64)
    sizes = np.abs(to_host(columns))
    if not np.isfinite(sizes).all():
        raise ValueError("v must be finite, got NaN or infinity")
    ceilings = _decide(sizes, partition, levels, radius)
    if is_numpy(v):
        return back(elementwise(clip_at, columns, (ceilings[partition.labels],)))
    limit = _native_ceilings(columns, sizes, ceilings, partition, levels, radius)
    return back(elementwise(clip_at, columns, (limit,)))


def _native_ceilings(
    columns: Any, sizes: Array, ceilings: Array, groups: Groups, weights: Array, radius: float
) -> Any:
    """The ceiling of every entry, with its gradient, from the decided sets."""
    xp = namespace(columns)
    a = xp.abs(columns)
    cut = (sizes >= ceilings[groups.labels]) & (ceilings[groups.labels] > 0)
    counts = np.zeros(ceilings.shape)
    np.add.at(counts, groups.labels, cut)
    moving = (counts > 0) & np.isfinite(ceilings)
    w = np.where(np.isfinite(weights), weights, 0.0)[:, None]
    share = in_precision(np.where(moving, 1.0 / np.maximum(counts, 1.0), 0.0), a)
    price = in_precision(w, a)
    labels = to_native(groups.labels, a)
    above = xp.zeros(ceilings.shape, dtype=a.dtype, device=a.device)
    above = above.index_add(0, labels, a * in_precision(cut, a)) * share
    steep = xp.sum(price * price * share, axis=0)
    theta = (xp.sum(price * above, axis=0) - radius) / xp.where(steep > 0, steep, 1.0)
    native = above - theta * price * share
    huge = np.where(np.isfinite(ceilings), ceilings, np.finfo(sizes.dtype).max)
    return xp.where(to_native(moving, a), native, in_precision(huge, a))[labels]
