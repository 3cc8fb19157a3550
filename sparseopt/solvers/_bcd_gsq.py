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

ROUNDS = 20


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
    """A block of a given size whose ``g_b' H_b^{-1} g_b`` is large: NP-hard, so approximated.

    Iterative hard thresholding on the model, with a refit on the support every time, in variables
    scaled to a unit diagonal and among the coordinates with the best scores alone. In these
    variables the inverse on the support tells what each member costs that leaves and what each
    other coordinate gains that enters alone: the better of either stay. Where an exchange of many
    does not pay, fewer are tried, so the block is never worse than the one by scores, where the
    search starts.
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
    return candidates[_pursue(H, g, largest(g * g, size))]


def _pursue(H: Array, g: Array, support: Array) -> Array:
    """Exchange members of the support while that increases ``g_b' H_b^{-1} g_b``."""
    gain, cost, promise = _refit(H, g, support)
    exchanges = support.size
    for _ in range(ROUNDS):
        entering = np.argsort(-promise, kind="stable")[: support.size]
        leaving = np.argsort(cost, kind="stable")
        count = min(entering.size, support.size)
        pays = int(np.sum(promise[entering] > cost[leaving[:count]]))
        exchanges = min(exchanges, max(pays, 1))
        while exchanges:
            trial = support.copy()
            trial[leaving[:exchanges]] = entering[:exchanges]
            new = _refit(H, g, trial)
            if new[0] > gain * (1.0 + 1e-12):
                break
            exchanges //= 2
        if not exchanges:
            break
        support, (gain, cost, promise) = trial, new
        exchanges *= 2
    return np.sort(support)


def _refit(H: Array, g: Array, support: Array) -> tuple[float, Array, Array]:
    """Twice the decrease over a support, what the loss of each member costs, and what others gain.

    Members gain -1: they cannot enter.
    """
    columns = H[:, support]
    inverse = solve_spd(columns[support], np.eye(support.size))
    d = -inverse @ g[support]
    cost = d * d / np.maximum(np.diag(inverse), 1e-300)
    left = np.diag(H) - np.sum((columns @ inverse) * columns, axis=1)
    promise = (g + columns @ d) ** 2 / np.maximum(left, 1e-8)
    promise[support] = -1.0
    return -float(g[support] @ d), cost, promise
