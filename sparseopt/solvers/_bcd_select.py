"""Selection rules of block coordinate descent: which block comes next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ._bcd_gsq import FixedQuadratic, thresholded_block
from ._bcd_heap import HeapOfScores
from ._bcd_oracle import cubic_scores, most_improving
from ._bcd_scores import GS, GS_Q, GS_R, GS_S, GSD, all_scores, block_scores, first_largest, largest
from ._bcd_state import Workspace
from ._bcd_update import Updater
from ._forest_blocks import forest_by_scan
from ._graph import as_graph

Array = np.ndarray[Any, Any]
Choice = tuple[Array, int]

UNGUIDED = ("random", "cyclic", "lipschitz")
SMOOTH = ("gs", "gsl", "gsd", "gsq", "bgsc")
COMPOSITE = ("gs-q", "gs-r", "gs-s")
RULES = (*UNGUIDED, *SMOOTH, "mi", *COMPOSITE)
_SCORES = {"gs": GS, "gsl": GSD, "gsd": GSD, "gs-q": GS_Q, "gs-r": GS_R, "gs-s": GS_S}


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The blocks to choose from: a partition, or every subset of ``size`` coordinates.

    ``forest`` asks for subsets without a cycle in the graph of the quadratic, of any size.
    """

    blocks: list[Array] | None
    size: int
    forest: bool = False

    @property
    def members(self) -> Array:
        """The coordinates of all blocks, one block after the other."""
        return np.concatenate(self.blocks) if self.blocks else np.empty(0, np.intp)

    @property
    def starts(self) -> Array:
        """Where each block begins in ``members``, and the end of the last."""
        sizes = [block.size for block in self.blocks or []]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)


class Selector:
    """One of the rules; ``choose()`` returns a block and its number in the partition, or -1."""

    def __init__(
        self,
        rule: str,
        layout: Layout,
        work: Workspace,
        updater: Updater,
        rng: np.random.Generator,
        score_norm: int,
        scale: Array | None,
    ) -> None:
        self.rule = rule
        self.layout = layout
        self.work = work
        self.updater = updater
        self.rng = rng
        self.norm = score_norm
        self.active = np.flatnonzero(work.bounds > 0)
        self.queue: list[int] = []
        self.order: Array = np.empty(0, np.intp)
        self.scores = np.empty(work.p)
        self.scale = work.bounds if scale is None else scale
        if layout.forest:
            self.graph = as_graph(work.Q)
        if layout.blocks is not None:
            self.members, self.starts = layout.members, layout.starts
            self.totals = np.empty(len(layout.blocks))
            self.divisors = self._divisors()
        self.choose: Callable[[], Choice] = self._rule()

    @property
    def uses_heap(self) -> bool:
        """Whether the largest scores come from a heap: updates of a sparse quadratic are local."""
        local = self.work.Q is not None and self.layout.blocks is None and not self.layout.forest
        scored = self.rule in _SCORES and not (self.rule == "gsl" and self.updater.backtracks)
        return local and scored

    def at_random(self) -> Choice:
        """A random block, where the rule has got stuck on one that does not change."""
        fixed = self.layout.blocks is not None
        return self._random_fixed() if fixed else self._random_variable()

    def _rule(self) -> Callable[[], Choice]:
        fixed = self.layout.blocks is not None
        if self.rule in UNGUIDED:
            if self.rule == "lipschitz":
                weights = self.divisors if fixed else self.work.bounds[self.active]
                self.cumulated = np.cumsum(weights / weights.sum())
            return getattr(self, f"_{self.rule}_{'fixed' if fixed else 'variable'}")
        if self.rule == "mi":
            return lambda: most_improving(self.work, self.layout, self.active)
        if self.rule == "gsq" and fixed:
            inverse = FixedQuadratic(self.layout.blocks or [], self.updater.curvature)
            return lambda: self._numbered(first_largest(inverse.scores(self.work.g, self.totals)))
        if self.rule == "gsq":
            return self._quadratic_variable
        if self.uses_heap:
            heap = HeapOfScores(_SCORES[self.rule], self.scale, self.work)
            size = min(self.layout.size, self.active.size)
            return lambda: (heap.top(size), -1)
        return self._greedy_fixed if fixed else self._greedy_variable

    def _numbered(self, index: int) -> Choice:
        assert self.layout.blocks is not None
        return self.layout.blocks[index], int(index)

    def _divisors(self) -> Array:
        """``L_b`` of each fixed block, for the rules that divide by it or draw by it."""
        if self.rule not in ("gsl", "lipschitz"):
            return np.ones(1)
        constant = self.updater.curvature.constant
        return np.array([constant(b, i) for i, b in enumerate(self.layout.blocks or [])])

    def _random_fixed(self) -> Choice:
        return self._numbered(int(self.rng.integers(len(self.totals))))

    def _random_variable(self) -> Choice:
        if self.layout.forest:
            return forest_by_scan(self.graph, self.rng.permutation(self.work.p)), -1
        count = min(self.layout.size, self.active.size)
        return np.sort(self.rng.choice(self.active, count, replace=False)), -1

    def _cyclic_fixed(self) -> Choice:
        if not self.queue:
            self.queue = self.rng.permutation(len(self.totals)).tolist()[::-1]
        return self._numbered(self.queue.pop())

    def _cyclic_variable(self) -> Choice:
        if not self.order.size:
            self.order = self.rng.permutation(self.active)
        block, self.order = self.order[: self.layout.size], self.order[self.layout.size :]
        return np.sort(block), -1

    def _lipschitz_fixed(self) -> Choice:
        index = int(np.searchsorted(self.cumulated, self.rng.random(), side="right"))
        return self._numbered(min(index, len(self.totals) - 1))

    def _lipschitz_variable(self) -> Choice:
        """Draw without replacement: the largest of exponential clocks that run at these rates."""
        weights = self.work.bounds[self.active]
        clocks = self.rng.exponential(size=weights.size) / weights
        count = min(self.layout.size, weights.size)
        return np.sort(self.active[np.argsort(clocks, kind="stable")[:count]]), -1

    def _coordinate_scores(self) -> Array:
        work, term = self.work, self.work.term
        if self.rule == "bgsc":
            return cubic_scores(work)
        scale = self.scale
        if self.rule == "gsl" and self.updater.backtracks:
            scale = np.where(work.bounds > 0, self.updater.estimates, 0.0)
        all_scores(
            _SCORES[self.rule], work.g, work.x, scale, term.lam, term.lower, term.upper,
            self.scores,
        )  # fmt: skip
        return self.scores

    def _greedy_variable(self) -> Choice:
        scores = self._coordinate_scores()
        if self.layout.forest:
            return forest_by_scan(self.graph, np.argsort(-scores, kind="stable")), -1
        return largest(scores, min(self.layout.size, self.active.size)), -1

    def _greedy_fixed(self) -> Choice:
        work = self.work
        if self.rule == "gsl":
            np.square(work.g, out=self.scores)
            divisors = self.divisors
            if self.updater.backtracks:
                estimates = self.updater.estimates[self.members]
                divisors = np.maximum.reduceat(estimates, self.starts[:-1])
            block_scores(self.scores, self.members, self.starts, self.norm, self.totals)
            self.totals /= np.sqrt(divisors) if self.norm == 1 else divisors
        elif work.term.labels is not None:
            self._group_scores()
        else:
            scores = self._coordinate_scores()
            block_scores(scores, self.members, self.starts, self.norm, self.totals)
        return self._numbered(first_largest(self.totals))

    def _group_scores(self) -> None:
        """GS-q for groups: the decrease of each group's model with its ``L_b``."""
        work, term = self.work, self.work.term
        for i, block in enumerate(self.layout.blocks or []):
            x, g = work.x[block], work.g[block]
            L = self.updater.curvature.constant(block, i)
            d = term.prox(block, x, g, 1.0 / L)
            gain = -(float(g @ d) + 0.5 * L * float(d @ d) + term.difference(block, x, d))
            self.totals[i] = max(gain, 0.0)

    def _quadratic_variable(self) -> Choice:
        size = min(self.layout.size, self.active.size)
        return thresholded_block(self.work, self.updater.curvature, size), -1


def gsd_scale(
    diagonal: Any, rule: str, update: str, loss: Any, layout: Layout, updater: Updater
) -> Array | None:
    """The diagonal bound D of GSD (and of GSL with variable blocks), or ``L_i`` if nothing."""
    variable = layout.blocks is None
    if rule not in ("gsd", "gsl") or (rule == "gsl" and not variable):
        return None
    bounds = updater.work.bounds
    if diagonal is None:
        by_rows = (rule == "gsl" or update in ("gradient", "backtracking")) and not layout.forest
        diagonal = "row-sums" if by_rows else "lipschitz"
    if diagonal == "lipschitz":
        return bounds
    if diagonal == "row-sums":
        return np.where(bounds > 0, np.asarray(loss.row_sums(), np.float64), 0.0)
    if variable:
        raise ValueError("diagonal must not be 'block' with variable blocks: it depends on them")
    D = np.zeros(bounds.size)
    for i, block in enumerate(layout.blocks or []):
        D[block] = np.abs(updater.curvature.bound(block, i)).sum(axis=1)
    return D
