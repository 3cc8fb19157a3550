"""The taut string: weighted total variation of one-dimensional signals in linear time.

With the cumulated weights as abscissa and the cumulated data as ordinate, the solution is the slope
of the shortest string through a tube whose half-width at each edge is the level of that edge. The
string is followed from the left. From the last knot on, the upper wall of the tube is replaced by
its convex minorant and the lower wall by its concave majorant; where the two would cross, the
string has a knot.

Both hulls are chains of segments (start, weight, rise), pooled as in isotonic regression, and the
lower one is stored with its sign changed, so that both are convex. The last segment of a chain is
kept in scalars, the ones before it on a stack that is read from both ends. An empty last segment
has weight and rise zero. Slopes are compared by cross-multiplication.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]


@jit
def _append(start, size, rise, first, count, at, w, s, i, wi, si):  # type: ignore[no-untyped-def]
    """Add sample ``i`` to a convex chain; returns the stack's count and the new last segment."""
    if s * wi < si * w:
        start[count] = at
        size[count] = w
        rise[count] = s
        return count + 1, i, wi, si
    w += wi
    s += si
    while count > first and rise[count - 1] * w >= s * size[count - 1]:
        count -= 1
        at = start[count]
        w += size[count]
        s += rise[count]
    return count, at, w, s


@jit
def _follow(y, shift, sign, at, w, s, start, size, rise, first, count, end):  # type: ignore[no-untyped-def]
    """Fix segments of the other chain, from its front, while a chain of one segment crosses them.

    Returns the front of the other chain and what is left of the segment.
    """
    while first < count and -rise[first] * w > s * size[first]:
        stop = start[first + 1] if first + 1 < count else end
        level = shift - sign * (rise[first] / size[first])
        for j in range(at, stop):
            y[j] = level
        w -= size[first]
        s += rise[first]
        at = stop
        first += 1
    return first, at, w, s


@jit
def _centre(y, weights, every):  # type: ignore[no-untyped-def]
    """Turn ``y`` into ``w (y - mean)``; returns the mean and the range of the cumulated sum."""
    total = weight = 0.0
    for i in range(y.size):
        total += weights[i * every] * y[i]
        weight += weights[i * every]
    mean = total / weight
    run = low = high = 0.0
    for i in range(y.size):
        y[i] = weights[i * every] * (y[i] - mean)
        run += y[i]
        low = min(low, run)
        high = max(high, run)
    return mean, (high - low) + abs(run)


@jit
def _finish(y, shift, start, size, rise, first, last):  # type: ignore[no-untyped-def]
    """Write what is left of a chain, up to the end of the signal."""
    for k in range(first, last + 1):
        level = shift + rise[k] / size[k]
        for j in range(start[k], start[k + 1] if k < last else y.size):
            y[j] = level


@jit
def _pull(y, shift, bound, weights, above, below, start, size, rise):  # type: ignore[no-untyped-def]
    """Replace the centred data ``y`` by the slopes of the taut string, plus ``shift``.

    The tube never needs to be wider than ``bound``, the range of the cumulated data; that keeps
    huge levels from drowning the data.
    """
    n = y.size
    every, up, down = int(weights.size > 1), int(above.size > 1), int(below.size > 1)
    u_first = u_count = l_first = l_count = u_at = l_at = 0
    u_w = u_s = l_w = l_s = wall_u = wall_l = 0.0
    for i in range(n):
        inner = i < n - 1
        next_u = min(above[i * up], bound) if inner else 0.0
        next_l = min(below[i * down], bound) if inner else 0.0
        w = weights[i * every]
        s = y[i]
        u_count, u_at, u_w, u_s = _append(
            start[0],
            size[0],
            rise[0],
            u_first,
            u_count,
            u_at,
            u_w,
            u_s,
            i,
            w,
            s + (next_u - wall_u),
        )
        if u_count == u_first:
            u_first = u_count = 0
            l_first, u_at, u_w, u_s = _follow(
                y, shift, 1.0, u_at, u_w, u_s, start[1], size[1], rise[1], l_first, l_count, l_at
            )
            if l_first == l_count:
                l_first = l_count = 0
                if -l_s * u_w > u_s * l_w:
                    level = shift - l_s / l_w
                    for j in range(l_at, i):
                        y[j] = level
                    u_w -= l_w
                    u_s += l_s
                    u_at = l_at = i
                    l_w = l_s = 0.0
        l_count, l_at, l_w, l_s = _append(
            start[1],
            size[1],
            rise[1],
            l_first,
            l_count,
            l_at,
            l_w,
            l_s,
            i,
            w,
            (next_l - wall_l) - s,
        )
        if l_count == l_first:
            l_first = l_count = 0
            u_first, l_at, l_w, l_s = _follow(
                y, shift, -1.0, l_at, l_w, l_s, start[0], size[0], rise[0], u_first, u_count, u_at
            )
            if u_first == u_count:
                u_first = u_count = 0
        wall_u, wall_l = next_u, next_l
    start[0, u_count], size[0, u_count], rise[0, u_count] = u_at, u_w, u_s
    _finish(y, shift, start[0], size[0], rise[0], u_first, u_count)


@jit
def _pull_rows(rows, weights, above, below):  # type: ignore[no-untyped-def]
    n = rows.shape[1]
    start = np.empty((2, n), np.intp)
    size = np.empty((2, n))
    rise = np.empty((2, n))
    finite: Any = np.bool_(True)
    for r in range(rows.shape[0]):
        w = weights[r if weights.shape[0] > 1 else 0]
        shift, bound = _centre(rows[r], w, int(w.size > 1))
        finite &= np.isfinite(bound)
        _pull(
            rows[r],
            shift,
            2.0 * bound,
            w,
            above[r if above.shape[0] > 1 else 0],
            below[r if below.shape[0] > 1 else 0],
            start,
            size,
            rise,
        )
    return finite


@jit
def _spread(short, at, above, below, out):  # type: ignore[no-untyped-def]
    """Fill in missing samples: between two others the jump is where it costs least.

    Of equal costs the one that leaves the smaller magnitudes is taken.
    """
    last = at.size - 1
    up, down = int(above.shape[1] > 1), int(below.shape[1] > 1)
    for r in range(short.shape[0]):
        x = out[r]
        x[: at[0]] = short[r, 0]
        x[at[last] :] = short[r, last]
        a = above[r if above.shape[0] > 1 else 0]
        b = below[r if below.shape[0] > 1 else 0]
        for k in range(last):
            rises = short[r, k + 1] > short[r, k]
            late = abs(short[r, k]) <= abs(short[r, k + 1])
            best = at[k]
            for e in range(at[k] + 1, at[k + 1]):
                saved = a[best * up] - a[e * up] if rises else b[best * down] - b[e * down]
                if saved > 0.0 or (late and not saved < 0.0):  # inf - inf is a tie
                    best = e
            x[at[k] : best + 1] = short[r, k]
            x[best + 1 : at[k + 1]] = short[r, k + 1]


def _without_missing(rows: Array, above: Array, below: Array, weights: Array) -> Array:
    """`taut_string` where some weights are zero: those samples go, the least level stays."""
    at = np.flatnonzero(weights[0])
    short_above, short_below = (
        np.minimum.reduceat(p[:, : at[-1]], at[:-1], axis=1)
        if p.shape[1] > 1 and at.size > 1
        else p
        for p in (above, below)
    )
    if at.size == 1:
        short_above = short_below = np.zeros((1, 1))
    short = taut_string(rows[:, at], short_above, short_below, weights[:, at])
    result = np.empty(rows.shape)
    _spread(short, at, np.ascontiguousarray(above), np.ascontiguousarray(below), result)
    return result


def taut_string(rows: Array, above: Array, below: Array, weights: Array) -> Array:
    r"""Minimise the weighted total variation problem for every row.

    .. math:: \tfrac12 \sum_i w_i (x_i - y_i)^2
        + \sum_i a_i \max(x_{i+1} - x_i, 0) + b_i \max(x_i - x_{i+1}, 0)

    Parameters
    ----------
    rows : ndarray, shape (m, n)
        Data, any floating dtype; n >= 1. Worked on in float64.
    above, below : ndarray, shape (m or 1, n - 1 or 1)
        Levels a and b of each edge, >= 0; ``inf`` ties two samples.
    weights : ndarray, shape (m or 1, n or 1)
        Weights w, finite and > 0; in a single row also 0, for missing samples.

    Returns
    -------
    ndarray, shape (m, n), float64

    Raises
    ------
    ValueError
        If the data are not finite.
    """
    if not np.isfinite(rows).all():
        raise ValueError("v must be finite, got NaN or infinity")
    if weights.shape[0] == 1 and not weights.all():
        return _without_missing(rows, above, below, weights)
    peak = float(weights.max(initial=0.0))
    above, below, weights = (
        np.ascontiguousarray(p / peak, np.float64) for p in (above, below, weights)
    )
    result = np.array(rows, np.float64, order="C")
    if _pull_rows(result, weights, above, below):
        return result
    # Sums of the data overflow: bring them to the middle of the range.
    exponent = int(np.frexp(np.abs(rows).max())[1])
    result = np.ldexp(np.array(rows, np.float64, order="C"), -exponent)
    _pull_rows(result, weights, np.ldexp(above, -exponent), np.ldexp(below, -exponent))
    return np.ldexp(result, exponent)
