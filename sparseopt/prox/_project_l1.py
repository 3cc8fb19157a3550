"""Projections onto the l1 ball and onto the epigraph of the l1 norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import (
    copysign,
    elementwise,
    formula,
    is_numpy,
    jit,
    maximum,
    namespace,
    on_host,
    to_host,
    to_native,
)
from .._core._validate import axis_index, parameter
from ._clipped_root import clipped_root, native_root, product_error, quotient_rest
from ._group_envelope import in_precision
from ._group_lifts import finite_level
from ._l1 import soft_threshold
from ._project_simplex import simplex_threshold
from ._vectors import as_array, as_columns

Array = np.ndarray[Any, Any]


@formula
def lowered(v, peak, rest):  # type: ignore[no-untyped-def]
    """Soft thresholding at ``peak + rest``, exact to the last digit of ``rest`` near the peak."""
    return copysign(maximum((abs(v) - peak) - rest, 0.0), v)


@jit
def _ball_thresholds(rows, radius, peaks, rests):  # type: ignore[no-untyped-def]
    """For every row of moduli the theta with ``sum(max(v - theta, 0)) = radius``; 0 inside.

    It is given as the largest modulus and the rest, which is negative and no less than
    ``-radius``.
    """
    work = np.empty(rows.shape[1] + 1)
    for r in range(rows.shape[0]):
        peak = total = 0.0
        for i in range(rows.shape[1]):
            a = np.float64(rows[r, i])
            total += a
            peak = max(peak, a)
        if total <= radius:
            peaks[r] = rests[r] = 0.0
        elif radius == 0.0:
            peaks[r] = rests[r] = peak
        else:
            peaks[r] = peak
            rests[r] = simplex_threshold(rows[r], peak, radius, work)


@jit
def _weighted_thresholds(rows, weights, radius, peaks, rests, lost):  # type: ignore[no-untyped-def]
    """The same for ``sum(w max(v - theta w, 0)) = radius``; weights 0 and ``inf`` stand aside.

    ``lost`` (zeros, like ``rows``) gets what the rounded ``peak * w`` lack.
    """
    n = rows.shape[1]
    low, slope, cap, high = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for r in range(rows.shape[0]):
        peak, total, first = 0.0, 0.0, 0
        for i in range(n):
            if 0.0 < weights[i] < np.inf:
                ratio = np.float64(rows[r, i]) / weights[i]
                if ratio > peak:
                    peak, first = ratio, i
                total += weights[i] * rows[r, i]
        peaks[r] = rests[r] = 0.0
        if total <= radius:
            continue
        peaks[r] = rests[r] = peak
        if radius == 0.0:
            continue
        beyond = quotient_rest(np.float64(rows[r, first]), weights[first], peak)
        count = 0
        for i in range(n):
            if 0.0 < weights[i] < np.inf:
                lost[r, i] = product_error(peak, weights[i]) + beyond * weights[i]
                below = (peak * weights[i] - np.float64(rows[r, i])) + lost[r, i]
                low[count] = below / weights[i]
                slope[count] = weights[i] * weights[i]
                cap[count] = np.inf
                count += 1
        rests[r] = -clipped_root(low, slope, cap, high, count, 0.0, radius)


@jit
def _epigraph_thresholds(rows, heights, thetas):  # type: ignore[no-untyped-def]
    """For every row the theta with ``sum(max(v - theta, 0)) = t + theta``; 0 inside."""
    n = rows.shape[1]
    low, slope, cap, high = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for r in range(rows.shape[0]):
        peak = total = 0.0
        for i in range(n):
            a = np.float64(rows[r, i])
            total += a
            peak = max(peak, a)
        t = heights[r]
        if total <= t:
            thetas[r] = 0.0
        elif peak <= -t:
            thetas[r] = -t
        else:
            for i in range(n):
                low[i], slope[i], cap[i] = peak - rows[r, i], 1.0, np.inf
            thetas[r] = max(peak - clipped_root(low, slope, cap, high, n, 1.0, t + peak), 0.0)


def _moduli(columns: Any) -> Array:
    """Moduli of host copies of the columns, one per row; checked to be finite."""
    sizes = np.ascontiguousarray(np.abs(to_host(columns)).T)
    if not np.isfinite(sizes).all():
        raise ValueError("v must be finite, got NaN or infinity")
    return sizes


def _thresholds(
    columns: Any,
    sizes: Array,
    weights: Array,
    peaks: Array,
    rests: Array,
    lost: Array,
    radius: float,
) -> tuple[Any, Any]:
    """Both parts of the threshold of every entry, with a gradient where one is asked for.

    The first is rounded to the precision of the entries, the second holds what that loses.
    """
    w = np.where(np.isinf(weights), 0.0, weights)[:, None]
    forbidden = np.isinf(weights)[:, None]
    whole = np.where(forbidden, sizes.T, peaks * w)
    above = whole.astype(sizes.dtype)
    lost = lost.T + (whole - above)
    rest = np.where(forbidden, sizes.T, rests * w + lost)
    if is_numpy(columns):
        return above, rest
    xp = namespace(columns)
    a = xp.abs(columns)
    outside = (peaks > 0) & (radius > 0)
    active = ((sizes.T - above) - lost > rests * w) & (w > 0) & outside
    above, level, lost = in_precision(above, a), in_precision(w, a), in_precision(lost, a)
    slope = level * level + xp.zeros_like(a)
    root = native_root(xp, slope, level * ((a - above) - lost), to_native(active, a), radius, 0)
    moving = to_native((w > 0) & outside & active.any(axis=0), a)
    return above, xp.where(moving, lost - root * level, in_precision(rest, a))


def project_l1_ball(v: Any, radius: float, weights: Any = None, *, axis: int = -1) -> Any:
    r"""Projection onto the (weighted) l1 ball.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \sum_i w_i |x_i| \le \text{radius}

    along ``axis``, independently for every fibre: v itself inside, otherwise
    :math:`x_i = \operatorname{sign}(v_i) \max(|v_i| - \theta w_i, 0)` with the :math:`\theta` that
    makes the sum equal to the radius, found in expected linear time.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    radius : float
        Radius, >= 0.
    weights : None or array_like, shape (length along ``axis``,)
        Weights, >= 0. An entry 0 leaves its coordinate free, ``inf`` forces it to zero.
    axis : int
        Axis along which the ball lies.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``radius`` or a weight is negative or NaN, or ``v`` is not finite.

    References
    ----------
    L. Condat (2016). Fast projection onto the simplex and the l1 ball. Math. Program. 158.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_l1_ball([3.0, -1.5, 0.5], 2.0)
    array([ 1.75, -0.25,  0.  ])
    >>> prox.project_l1_ball([2.0, 2.0], 2.0, [1.0, 2.0])
    array([1.2, 0.4])
    """
    radius = finite_level("radius", radius)
    v = as_array(v)
    if not is_numpy(v) and on_host(v):
        return to_native(np.asarray(project_l1_ball(to_host(v), radius, weights, axis=axis)), v)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    n = columns.shape[0]
    sizes = _moduli(columns)
    peaks, rests = np.empty(sizes.shape[0]), np.empty(sizes.shape[0])
    lost = np.zeros((1, n))
    if weights is None:
        weights = np.ones(n)
        _ball_thresholds(sizes, radius, peaks, rests)
    else:
        weights = np.asarray(to_host(parameter("weights", weights)), np.float64)
        if weights.shape != (n,):
            raise ValueError(f"weights must have shape ({n},), got {weights.shape}")
        lost = np.zeros(sizes.shape)
        _weighted_thresholds(sizes, weights, radius, peaks, rests, lost)
    parts = _thresholds(columns, sizes, weights, peaks, rests, lost, radius)
    return back(elementwise(lowered, columns, parts))


def project_l1_epigraph(v: Any, t: Any, *, axis: int = -1) -> tuple[Any, Any]:
    r"""Projection onto the epigraph of the l1 norm.

    .. math:: \operatorname{argmin}_{x, s} \tfrac12 \|x - v\|^2 + \tfrac12 (s - t)^2 \quad
        \text{subject to} \quad \|x\|_1 \le s

    along ``axis``, independently for every fibre: soft thresholding at the :math:`\theta` with
    :math:`\sum_i \max(|v_i| - \theta, 0) = t + \theta`, and :math:`s = t + \theta`.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    t : float or array_like that broadcasts to the shape of the other axes
        Height.
    axis : int
        Axis along which the norm is taken.

    Returns
    -------
    x : array
        Same shape and dtype as ``v``.
    s : array
        The new height of every fibre.

    Raises
    ------
    ValueError
        If ``v`` or ``t`` is not finite.

    References
    ----------
    A. Beck (2017). First-order methods in optimization, section 6.6. SIAM.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_l1_epigraph([3.0, 0.5], 1.0)
    (array([2., 0.]), np.float64(2.0))
    """
    v = as_array(v)
    columns, batch, back = as_columns(v, axis_index(axis, v.ndim))
    sizes = _moduli(columns)
    heights = height_of(t, batch)
    thetas = np.empty(sizes.shape[0])
    _epigraph_thresholds(sizes, heights, thetas)
    moved = -heights == thetas  # to the apex
    if is_numpy(v):
        x = back(elementwise(soft_threshold, columns, (np.broadcast_to(thetas, columns.shape),)))
        raised = np.where(moved, 0.0, heights + thetas).astype(sizes.dtype).reshape(batch)
        return x, raised[()]
    xp = namespace(v)
    a = xp.abs(columns)
    native = t if not is_numpy(t) else in_precision(np.asarray(t, float), a)
    native = xp.broadcast_to(xp.astype(native, a.dtype), batch).reshape(1, -1)
    active = (thetas < sizes.T) & (thetas > 0) & ~moved
    root = native_root(xp, xp.ones_like(a), a, to_native(active, a), native, 0, 1.0)
    zero = xp.zeros_like(root)
    theta = xp.where(to_native((thetas > 0) & ~moved, a)[None], -root, zero)
    cut = xp.where(
        to_native(moved, a)[None], in_precision(2.0 * sizes.max(1, initial=1.0), a)[None], theta
    )
    x = back(elementwise(soft_threshold, columns, (cut + xp.zeros_like(a),)))
    return x, xp.where(to_native(moved, a)[None], zero, native + theta).reshape(batch)


def height_of(t: Any, batch: tuple[int, ...]) -> Array:
    """Checked heights as float64, one for every fibre."""
    heights = np.asarray(to_host(t), np.float64)
    if not np.isfinite(heights).all():
        raise ValueError("t must be finite, got NaN or infinity")
    try:
        return np.broadcast_to(heights, batch).reshape(-1).copy()
    except ValueError:
        raise ValueError(f"t must broadcast to the shape {batch}, got {heights.shape}") from None
