"""The quadratic greedy rule (GSQ): exact for fixed blocks, approximated for variable ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._bcd_curvature import Curvature
from ._bcd_model import solve_spd
from ._bcd_scores import GSD, all_scores, largest
from ._bcd_state import Workspace

Array = np.ndarray[Any, Any]

ROUNDS = 10


class FixedQuadratic:
    """``g_b' H_b^{-1} g_b`` of every block of a partition, with the inverses computed once."""

    def __init__(self, blocks: list[Array], curvature: Curvature) -> None:
        sizes = np.array([block.size for block in blocks])
        self.members = np.concatenate(blocks)
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.places = np.concatenate([[0], np.cumsum(sizes**2)])
        self.inverses = np.empty(int(self.places[-1]))
        for i, block in enumerate(blocks):
            inverse = curvature.solve(block, i, np.eye(block.size))
            self.inverses[self.places[i] : self.places[i + 1]] = inverse.ravel()

    def scores(self, g: Array, out: Array) -> Array:
        """Fill ``out``."""
        _quadratic_forms(self.inverses, self.places, self.members, self.starts, g, out)
        return out


@jit
def _quadratic_forms(inverses, places, members, starts, g, out):  # type: ignore[no-untyped-def]
    for b in range(out.size):
        first, size = starts[b], starts[b + 1] - starts[b]
        total = 0.0
        for i in range(size):
            row = 0.0
            at = places[b] + i * size
            for j in range(size):
                row += inverses[at + j] * g[members[first + j]]
            total += row * g[members[first + i]]
        out[b] = total


def thresholded_block(work: Workspace, curvature: Curvature, size: int) -> Array:
    r"""A block of a given size whose ``g_b' H_b^{-1} g_b`` is large: NP-hard, so approximated.

    Hard thresholding pursuit on the model, in variables scaled to a unit diagonal and among the
    coordinates with the best scores alone. In these variables a coordinate that enters gains about
    half its squared gradient, one that leaves loses about half its squared value: the largest of
    either stay. The best support seen is returned, so the block is never worse than the one by
    scores, where the search starts.
    """
    scores, term = np.empty(work.p), work.term
    all_scores(GSD, work.g, work.x, work.bounds, term.lam, term.lower, term.upper, scores)
    candidates = largest(scores, min(int(np.sum(work.bounds > 0)), 3 * size + 10))
    if candidates.size <= size:
        return candidates
    H = curvature.bound(candidates, -1)
    root = np.sqrt(work.bounds[candidates])
    H = H / np.outer(root, root)
    g = work.g[candidates] / root
    support = largest(g * g, size)
    best, best_gain, seen = support, -np.inf, set()
    for _ in range(ROUNDS):
        seen.add(support.tobytes())
        d = -solve_spd(H[np.ix_(support, support)], g[support])
        gain = -0.5 * float(g[support] @ d)
        if gain > best_gain:
            best, best_gain = support, gain
        moved = -(g + H[:, support] @ d)
        moved[support] = d
        support = largest(moved * moved, size)
        if support.tobytes() in seen:
            break
    return candidates[best]
