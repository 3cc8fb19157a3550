"""Scores of coordinates and blocks for greedy rules, and the selection of the largest."""

from __future__ import annotations

import numpy as np

from .._core import jit
from ._bcd_terms import bounded_threshold

GS, GSD, GS_Q, GS_R, GS_S = range(5)
FREE = 1e-300  # score of a coordinate away from the kinks that has nothing to gain by itself


@jit
def coordinate_score(rule, g, x, scale, lam, lower, upper):  # type: ignore[no-untyped-def]
    """The squared score of one coordinate; -1 without curvature.

    ``scale`` is the diagonal bound D of GSD, or the curvature L of the composite rules.
    """
    if not scale > 0.0:
        return -1.0
    if rule == GS:
        return g * g
    if rule == GSD:
        return g * g / scale
    if rule == GS_S:
        left = -lam if x <= 0.0 else lam
        right = lam if x >= 0.0 else -lam
        below = left + g if x > lower else -np.inf
        above = -g - right if x < upper else -np.inf
        away = max(below, above, 0.0)
        score = away * away
    else:
        d = bounded_threshold(x - g / scale, lam / scale, lower, upper) - x
        score = d * d
        if rule == GS_Q:
            # The model's strong convexity gives the second, which does not cancel.
            gain = -(g * d + 0.5 * scale * d * d + lam * (abs(x + d) - abs(x)))
            score = max(gain, 0.5 * scale * score)
    # A block with room to spare takes the support: then second-order updates end exactly.
    is_free = lower < x < upper and (x != 0.0 or lam == 0.0)
    return max(score, FREE) if is_free else score


@jit
def all_scores(rule, g, x, scale, lam, lower, upper, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the squared scores of all coordinates."""
    for i in range(g.size):
        out[i] = coordinate_score(rule, g[i], x[i], scale[i], lam[i], lower[i], upper[i])


@jit
def block_scores(scores, members, starts, norm, out):  # type: ignore[no-untyped-def]
    """Add up squared scores (norm 2), or their roots (norm 1), over each block."""
    for b in range(starts.size - 1):
        total = 0.0
        for k in range(starts[b], starts[b + 1]):
            s = max(scores[members[k]], 0.0)
            total += np.sqrt(s) if norm == 1 else s
        out[b] = total


@jit
def largest(scores, count):  # type: ignore[no-untyped-def]
    """Sorted indices of the ``count`` largest scores >= 0, the lowest indices at ties.

    One pass with a heap of the best so far, the worst of them on top: most scores only meet it.
    """
    heap = np.empty(count, np.intp)
    filled = 0
    for i in range(scores.size):
        s = scores[i]
        if s < 0.0:
            continue
        if filled < count:
            at = filled
            filled += 1
            heap[at] = i
            while at > 0:
                up = (at - 1) // 2
                # Of equal scores the higher index is the worse one.
                if not _worse(scores, heap[at], heap[up]):
                    break
                heap[at], heap[up] = heap[up], heap[at]
                at = up
        elif s > scores[heap[0]]:
            heap[0] = i
            at = 0
            while 2 * at + 1 < count:
                down = 2 * at + 1
                if down + 1 < count and _worse(scores, heap[down + 1], heap[down]):
                    down += 1
                if not _worse(scores, heap[down], heap[at]):
                    break
                heap[at], heap[down] = heap[down], heap[at]
                at = down
    return np.sort(heap[:filled])


@jit
def _worse(scores, a, b):  # type: ignore[no-untyped-def]
    """Whether item ``a`` is a worse choice than ``b``."""
    return scores[a] < scores[b] or (scores[a] == scores[b] and a > b)


@jit
def first_largest(values):  # type: ignore[no-untyped-def]
    """Index of the largest value, the lowest at ties."""
    best = 0
    for i in range(1, values.size):
        if values[i] > values[best]:
            best = i
    return best
