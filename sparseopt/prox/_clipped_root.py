"""The root of a sum of clipped ramps: what simplices, l1 balls and budgets have to decide.

.. math:: \\text{base}\\,\\alpha + \\sum_i \\min(\\max(s_i (\\alpha - l_i), 0), c_i) = \\text{level}

Ramp i starts at ``l_i`` with slope ``s_i`` and is cut at the height ``c_i`` (``inf`` allowed).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit


@jit
def product_error(a, b):  # type: ignore[no-untyped-def]
    """``a * b`` minus its rounded value, by Veltkamp's splitting; 0 where that overflows."""
    c, d = 134217729.0 * a, 134217729.0 * b
    a1, b1 = c - (c - a), d - (d - b)
    a2, b2 = a - a1, b - b1
    error = a2 * b2 - (((a * b - a1 * b1) - a2 * b1) - a1 * b2)
    return error if np.isfinite(error) else 0.0


@jit
def quotient_rest(v, weight, quotient):  # type: ignore[no-untyped-def]
    """What the rounded ``quotient`` of ``v`` and ``weight`` lacks.

    Ramps are measured from the largest quotient. Its rounding, times a weight, is as large as the
    radius where ``v`` is 1e16 times that.
    """
    return ((v - quotient * weight) - product_error(quotient, weight)) / weight


@jit
def _median_pivot(low, high, count, lo, hi, state):  # type: ignore[no-untyped-def]
    """The median of three breakpoints strictly inside (lo, hi), drawn by a small generator."""
    a = b = c = 0.0
    for draw in range(3):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        i = (state * count) >> 31
        inside = (low[i] > lo) & (low[i] < hi)
        both = inside & (high[i] > lo) & (high[i] < hi)
        use_low = inside & ((not both) | ((state & 1024) == 0))
        p = low[i] if use_low else high[i]
        if draw == 0:
            a = p
        elif draw == 1:
            b = p
        else:
            c = p
    return max(min(a, b), min(max(a, b), c)), state


@jit
def _add(total, lost, term):  # type: ignore[no-untyped-def]
    """Compensated summation: a million ramps keep their last digits."""
    term -= lost
    new = total + term
    return new, (new - total) - term


@jit
def _narrow(low, slope, cap, high, count, level, pivot, lo, hi, sums):  # type: ignore[no-untyped-def]
    """Keep the side of the pivot that holds the root; retire ramps with no breakpoint inside.

    These add a constant or a line from there on: ``sums`` holds the constant, the slope and the
    offset of ``constant + slope * alpha - offset``, and what was lost when adding them up.
    """
    reached = sums[0] + sums[1] * pivot - sums[2]
    for i in range(count):
        reached += min(max(slope[i] * (pivot - low[i]), 0.0), cap[i])
    if reached < level:
        lo = pivot
    else:
        hi = pivot
    kept = 0
    for i in range(count):
        starts, ends = low[i], high[i]
        if starts >= hi:
            continue
        if ends <= lo:
            sums[0], sums[3] = _add(sums[0], sums[3], cap[i])
        elif (starts <= lo) & (ends >= hi):
            sums[1], sums[4] = _add(sums[1], sums[4], slope[i])
            sums[2], sums[5] = _add(sums[2], sums[5], slope[i] * starts)
        else:
            low[kept], high[kept], slope[kept], cap[kept] = starts, ends, slope[i], cap[i]
            kept += 1
    return kept, lo, hi


@jit
def _select(low, slope, cap, high, count, level, lo, hi, sums):  # type: ignore[no-untyped-def]
    """The root by quickselect on the breakpoints inside (lo, hi)."""
    state = 20240607
    while count > 0:
        pivot, state = _median_pivot(low, high, count, lo, hi, state)
        if not ((pivot > lo) & (pivot < hi)):  # NaN among the numbers
            return np.nan
        count, lo, hi = _narrow(low, slope, cap, high, count, level, pivot, lo, hi, sums)
    if sums[1] <= 0.0:  # flat: the level is reached at the end of a ramp, or never
        return lo if lo > -np.inf else hi
    return min(max((level - sums[0] + sums[2]) / sums[1], lo), hi)


@jit
def _sampled_root(low, slope, cap, high, count, base, level, side):  # type: ignore[no-untyped-def]
    """The root for every so-many-th ramp, with the level moved to one side by its noise."""
    stride = count // 2000
    some = np.arange(0, count, stride)
    caps = cap[some]
    spread = 0.0
    for c in caps:
        spread = max(spread, c)
    wanted = level / stride
    if spread < np.inf:
        wanted += side * 3.0 * np.sqrt(abs(wanted) * spread)
    sums = np.zeros(6)
    sums[1] = base / stride
    return _select(
        low[some], slope[some], caps, high[some], some.size, wanted, -np.inf, np.inf, sums
    )


@jit
def clipped_root(low, slope, cap, high, count, base, level):  # type: ignore[no-untyped-def]
    """The leftmost root, in expected linear time.

    The first ``count`` entries of the four float64 arrays are used and overwritten; slopes and
    caps are positive, and ``high`` is room for the ends of the ramps. A level above the sum of
    the caps (``base`` zero) gives the last breakpoint. Many ramps are first narrowed down to
    those near the root of a sample.
    """
    lo, hi = -np.inf, np.inf
    sums = np.zeros(6)
    sums[1] = base
    for i in range(count):
        high[i] = low[i] + cap[i] / slope[i]
    for side in (1.0, -1.0):
        if count > 10_000:
            rest = level - sums[0] + sums[2]
            pivot = _sampled_root(low, slope, cap, high, count, sums[1], rest, side)
            if (pivot > lo) & (pivot < hi):
                count, lo, hi = _narrow(low, slope, cap, high, count, level, pivot, lo, hi, sums)
    return _select(low, slope, cap, high, count, level, lo, hi, sums)


def native_root(
    xp: Any, slope: Any, intercept: Any, active: Any, rest: Any, axis: int, base: float = 0.0
) -> Any:
    """The root again, from decided sets, in operations that carry gradients.

    ``active`` marks the ramps that are neither 0 nor cut at the root, ``slope * alpha +
    intercept`` their height there, and ``rest`` the level less what the cut ramps give.
    """
    zero = xp.zeros_like(slope)
    steep = xp.sum(xp.where(active, slope, zero), axis=axis, keepdims=True) + base
    height = xp.sum(xp.where(active, intercept, zero), axis=axis, keepdims=True)
    return (rest - height) / xp.where(steep > 0, steep, xp.ones_like(steep))
