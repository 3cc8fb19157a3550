"""Greedy selection through a heap, for quadratics where an update changes few gradient entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._bcd_scores import all_scores, coordinate_score
from ._bcd_state import Workspace
from ._heap import heap_build, heap_change, heap_largest

Array = np.ndarray[Any, Any]


class HeapOfScores:
    """The scores of all coordinates, of which only those that changed are computed again."""

    def __init__(self, rule: int, scale: Array, work: Workspace) -> None:
        self.rule = rule
        self.scale = scale
        self.work = work
        self.keys = np.empty(work.p)
        self.heap = np.empty(work.p, np.intp)
        self.place = np.empty(work.p, np.intp)
        # Short of p, which says that nothing has been looked at yet.
        self.most = min(work.p / max(np.log2(max(work.p, 2)), 1.0), work.p - 1)

    def top(self, size: int) -> Array:
        """Sorted indices of the largest scores; call it once after each update."""
        work, term = self.work, self.work.term
        if work.count > self.most:
            all_scores(
                self.rule, work.g, work.x, self.scale, term.lam, term.lower, term.upper, self.keys
            )
            heap_build(self.keys, self.heap, self.place)
        else:
            _renew(
                self.rule, work.changed, work.count, work.g, work.x, self.scale, term.lam,
                term.lower, term.upper, self.keys, self.heap, self.place,
            )  # fmt: skip
        work.count = 0
        block = np.empty(size, np.intp)
        heap_largest(self.keys, self.heap, self.place, block)
        block.sort()
        return block


@jit
def _renew(  # type: ignore[no-untyped-def]
    rule, changed, count, g, x, scale, lam, lower, upper, keys, heap, place
):
    """Put new scores of the changed coordinates into the heap."""
    for k in range(count):
        i = changed[k]
        key = coordinate_score(rule, g[i], x[i], scale[i], lam[i], lower[i], upper[i])
        heap_change(keys, heap, place, i, key)
