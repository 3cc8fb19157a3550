"""The maximum norm, of a vector and of groups: clipping at a ceiling."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import (
    Groups,
    as_groups,
    elementwise,
    formula,
    is_numpy,
    jit,
    maximum,
    minimum,
    namespace,
    on_host,
    to_host,
    to_native,
)
from .._core._elementwise import as_floating
from .._core._validate import axis_index, steps
from ._group_l2 import group_levels, group_weights, single
from ._project_simplex import simplex_threshold
from ._vectors import as_array, as_columns, one_group


@formula
def clip_at(v, ceiling):  # type: ignore[no-untyped-def]
    """``v`` with its modulus cut at ``ceiling``."""
    return minimum(maximum(v, -ceiling), ceiling)


@jit
def _ceilings(v, order, starts, radii, out):  # type: ignore[no-untyped-def]
    """For each group and column of moduli the c >= 0 with ``sum(max(v - c, 0)) = radius``.

    It is 0 where the whole group sums up to at most ``radius``, and ``inf`` for radius 0.
    """
    members = np.empty(v.shape[0])
    work = np.empty(v.shape[0] + 1)
    for j in range(v.shape[1]):
        for g in range(starts.size - 1):
            count = starts[g + 1] - starts[g]
            peak, total = 0.0, 0.0
            for i in range(count):
                a = np.float64(v[order[starts[g] + i], j])
                members[i] = a
                total += a
                peak = max(peak, a)
            radius = radii[g, j]
            if total <= radius:
                out[g, j] = 0.0
            elif radius <= 0.0:
                out[g, j] = np.inf
            else:
                theta = simplex_threshold(members[:count], peak, radius, work)
                out[g, j] = max(peak + theta, 0.0)


def segments(groups: Groups) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The coordinates ordered by group, and where each group starts in that order."""
    starts = np.zeros(groups.count + 1, np.intp)
    np.cumsum(groups.sizes, out=starts[1:])
    return np.argsort(groups.labels, kind="stable"), starts


def clip_groups(v: Any, radii: Any, groups: Groups, *, check: bool = False) -> Any:
    """What a projection of every group onto an l1 ball takes away, for ``v`` of shape (n, batch).

    ``radii`` broadcasts to the shape (groups, batch). By Moreau's identity the rest is the prox of
    the maximum norm: all moduli are cut at one ceiling per group.
    """
    if not is_numpy(v) and on_host(v):
        return to_native(clip_groups(to_host(v), radii, groups, check=check), v)
    host = as_floating("v", to_host(v))
    sizes = np.ascontiguousarray(np.abs(host))
    if check and not np.isfinite(sizes).all():
        raise ValueError("v must be finite, got NaN or infinity")
    radii = np.broadcast_to(np.asarray(radii, float), (groups.count, sizes.shape[1]))
    ceilings = np.empty(radii.shape)
    _ceilings(sizes, *segments(groups), radii, ceilings)
    if not is_numpy(v):
        return elementwise(clip_at, v, (_native(v, sizes, ceilings, radii, groups),))
    return elementwise(clip_at, v, (ceilings[groups.labels],))


def _native(v: Any, sizes: Any, ceilings: Any, radii: Any, groups: Groups) -> Any:
    """The ceiling of every coordinate on the array's own device, with its gradient.

    The decision is which coordinates are cut; the ceiling is then linear in their moduli.
    """
    xp = namespace(v)
    cut = sizes > ceilings[groups.labels]
    count = np.zeros(ceilings.shape)
    np.add.at(count, groups.labels, cut)
    bound = (ceilings > 0) & (count > 0)
    share = np.where(bound, 1.0 / np.maximum(count, 1.0), 0.0)
    fixed = np.where(bound, -radii * share, ceilings)
    a, labels = xp.abs(v), to_native(groups.labels, v)

    def like(x: Any) -> Any:
        return to_native(np.asarray(x, sizes.dtype), a)

    sums = xp.zeros(ceilings.shape, dtype=a.dtype, device=a.device)
    sums = sums.index_add(0, labels, a * like(cut))
    return (sums * like(share) + like(fixed))[labels]


def linf(v: Any, lam: Any, *, step: Any = 1.0, axis: Any = None) -> Any:
    r"""Proximal operator of the maximum norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda \max_i |x_i|

    which is :math:`v` minus its projection onto the l1 ball of radius
    :math:`\text{step}\,\lambda`: all moduli are cut at a common ceiling :math:`c` with
    :math:`\sum_i \max(|v_i| - c, 0) = \text{step}\,\lambda`. Expected linear time.

    Parameters
    ----------
    v : array_like
        Point, real or complex.
    lam : float
        Level, >= 0.
    step : float
        Step, > 0.
    axis : None, int or tuple of int
        The axes along which the norm is taken, independently for every fibre; ``None`` takes one
        norm of the whole array.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, ``lam`` is negative or NaN, or ``step`` <= 0.

    See Also
    --------
    group_linf : Maxima of groups.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.linf([3.0, -2.0, 0.5], 2.0)
    array([ 1.5, -1.5,  0.5])
    """
    columns, _, back = as_columns(as_array(v), axis)
    radius = steps(step) * single("lam", lam)
    return back(clip_groups(columns, radius, one_group(columns.shape[0]), check=True))


def group_linf(
    v: Any, lam: Any, groups: Any, weights: Any = None, *, step: Any = 1.0, axis: int = 0
) -> Any:
    r"""Proximal operator of the weighted sum of maximum norms of groups (l_inf,1 norm).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda \sum_g w_g \max_{i \in g} |x_i|

    Each group is cut at its own ceiling, as in `linf` with :math:`\lambda w_g`.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
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
        If ``groups`` is not a partition (the message names the first index covered twice or
        never), ``v`` is not finite, a level or weight is negative or NaN, or ``step`` <= 0.

    References
    ----------
    A. Quattoni, X. Carreras, M. Collins, T. Darrell (2009). An efficient projection for l1,inf
    regularization. ICML.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_linf([3.0, -2.0, 0.5, 1.0], 2.0, [0, 0, 1, 1])
    array([ 1.5, -1.5,  0. ,  0. ])
    """
    v = as_array(v)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    partition = as_groups(groups, columns.shape[0])
    levels = group_levels(single("lam", lam), group_weights(weights, partition))
    return back(clip_groups(columns, steps(step) * levels[:, None], partition, check=True))
