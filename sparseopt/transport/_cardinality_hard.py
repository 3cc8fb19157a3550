"""Transport with at most k entries per column: supports found from the relaxation.

Columns of the relaxed plan that hold too many entries are cut to their k largest one after the
other, the relaxation solved anew after each cut; the support is repaired where it cannot carry the
masses, the plan on it is the quadratic one, and swaps of single entries improve it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ._cardinality_relaxed import Columns, Relaxation, RelaxedState, inner
from ._support_flow import Support, covering, repair

Array = np.ndarray[Any, Any]

STEPS = 300  # Newton steps for a problem on a part of the entries
ROUNDS = 40  # most cuts and new solutions on the way down
MOVES = 60  # swaps tried in a row without success


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A plan within the limit: transposed, with its value, what it misses and its potentials."""

    plan: Array
    value: float
    error: float
    alpha: Array
    beta: Array
    support: Support


class Search:
    """What the searches share: the problem, and solutions on parts of the entries."""

    def __init__(self, columns: Columns, span: float, tol: float) -> None:
        self.columns, self.span, self.tol = columns, span, tol
        self.open = np.isfinite(columns.cost)
        self.best: Candidate | None = None

    @property
    def scale(self) -> float:
        """What gaps are measured against."""
        return Relaxation(self.columns, self.span, self.tol).scale

    @property
    def ceiling(self) -> float:
        """The best value of a plan with the right marginals."""
        best = self.best
        return best.value if best is not None and self._order(best)[0] == 0.0 else np.inf

    def relaxed(self, allowed: Array, k: int, old: Any = None, ceiling: float = np.inf) -> Any:
        """The relaxation where only some entries are allowed, from the state of a similar one.

        It ends early when its bound passes the ceiling.
        """
        cost = np.where(allowed, self.columns.cost, np.inf)
        columns = dataclasses.replace(self.columns, cost=cost, k=k)
        method = Relaxation(columns, self.span, self.tol)
        state: RelaxedState = method.start()
        if old is not None:
            plan = np.where(allowed, old[1], 0.0)
            state = method.start(old[0], plan)
        for _ in range(STEPS):
            if state.certificate <= self.tol or state.fun >= ceiling:
                break
            state = method.step(state)
        return state

    def restricted(self, support: Support, old: Any = None) -> Candidate:
        """Quadratic transport on a support that can carry it."""
        n = self.columns.a.size
        state = self.relaxed(support.allowed, n, old)
        bound = dataclasses.replace(
            self.columns, cost=np.where(support.allowed, self.columns.cost, np.inf), k=n
        ).bound(state.x)
        return self.weighed(state.fit.plan, state.x, bound.beta, support)

    def weighed(self, plan: Array, alpha: Array, beta: Array, support: Support) -> Candidate:
        """A plan with its value and marginal error; the best is remembered."""
        columns = self.columns
        value = inner(columns.cost, plan) + 0.5 * columns.gamma * float((plan**2).sum())
        error = np.abs(columns.a - plan.sum(axis=0)).sum()
        error += np.abs(columns.b - plan.sum(axis=1)).sum()
        found = Candidate(plan, value, float(error) / columns.mass, alpha, beta, support)
        if self.best is None or self._order(found) < self._order(self.best):
            self.best = found
        return found

    def _order(self, found: Candidate) -> tuple[float, float]:
        missing = 0.0 if found.error <= max(self.tol, 1e-12) else found.error
        return missing, found.value

    def support(self, allowed: Array, flow: Array | None = None) -> Support:
        """A support with its flow; as start only what respects both marginals."""
        if flow is not None:
            rows, cols = flow.sum(axis=0), flow.sum(axis=1)
            top = max(float((rows / self.columns.a).max()), float((cols / self.columns.b).max()))
            flow = flow / max(top, 1.0)
        return Support(allowed, self.columns.a, self.columns.b, flow)


def largest(plan: Array, k: int) -> Array:
    """Where the k largest positive entries of every column are; the first of equal ones."""
    order = np.argsort(-plan, axis=1, kind="stable")[:, :k]
    kept = np.zeros(plan.shape, bool)
    np.put_along_axis(kept, order, True, axis=1)
    return kept & (plan > 0.0)


def heuristic(search: Search, root: RelaxedState) -> None:
    """Find a plan within the limit and improve it; ``search.best`` is never None afterwards."""
    columns, k = search.columns, search.columns.k
    state, support = _dive(search, root)
    reduced = np.where(search.open, columns.cost - state.alpha, np.inf)
    reduced = reduced - state.fit.beta[:, None]
    found = repair(support, k, reduced)
    if not found.feasible:
        found = _fewer(found, repair(search.support(largest(root.fit.plan, k)), k, reduced))
    for prices in (reduced, None):
        if not found.feasible:
            made = covering(columns.a, columns.b, k, search.open, prices)
            found = found if made is None else _fewer(found, search.support(made))
    if found.feasible:
        improve(search, search.restricted(found, (state.alpha, found.flow)))
    if search.best is None:
        search.weighed(found.flow, state.alpha, state.fit.beta, found)


def _fewer(one: Support, other: Support) -> Support:
    return other if other.missing < one.missing else one


def _dive(search: Search, root: RelaxedState) -> tuple[RelaxedState, Support]:
    """Cut columns to their k largest entries, the nearest ones first, solving anew each time."""
    k, state, allowed = search.columns.k, root, search.open.copy()
    done = np.zeros(len(allowed), bool)
    for _ in range(ROUNDS):
        plan = state.fit.plan
        kept = largest(plan, k)
        over = np.flatnonzero(((plan > 0.0).sum(axis=1) > k) & ~done)
        if not over.size:
            break
        lost = np.where(kept, 0.0, plan)[over].sum(axis=1) / search.columns.b[over]
        over = over[np.argsort(lost, kind="stable")]
        batch = max(1, over.size // 8)
        while True:
            trial = allowed.copy()
            trial[over[:batch]] = kept[over[:batch]]
            if search.support(trial, plan * trial).feasible:
                allowed = trial
                state = search.relaxed(allowed, k, (state.alpha, plan))
                break
            if batch == 1:
                break
            batch //= 2
        done[over[:batch]] = True
    kept = largest(state.fit.plan, k)
    return state, search.support(kept, np.where(kept, state.fit.plan, 0.0))


def improve(search: Search, found: Candidate, moves: int = MOVES) -> None:
    """Swap an entry of negative reduced cost for an idle or the smallest one of its column."""
    columns, failed = search.columns, 0
    tried: set[tuple[int, int, int]] = set()
    while failed < moves:
        support = found.support
        reduced = columns.cost - found.alpha - found.beta[:, None]
        reduced[support.allowed] = np.inf
        flat = np.argsort(reduced, axis=None, kind="stable")
        flat = flat[reduced.flat[flat] < -1e-9 * max(search.span, 1e-300)][: 4 * moves]
        for at in flat:
            j, into = divmod(int(at), columns.a.size)
            inside = np.flatnonzero(support.allowed[j])
            out = int(inside[np.argmin(found.plan[j, inside])])
            move = None if inside.size < columns.k else out
            key = (j, -1 if move is None else move, into)
            if key in tried:
                continue
            tried.add(key)
            trial = search.support(
                support.swapped(j, move, into).allowed, np.where(support.allowed, found.plan, 0.0)
            )
            new = search.restricted(trial, (found.alpha, trial.flow)) if trial.feasible else None
            if new is not None and search._order(new) < search._order(found):
                found, failed = new, 0
                tried.clear()
                break
            failed += 1
            if failed >= moves:
                return
        else:
            return
