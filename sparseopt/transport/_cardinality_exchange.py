"""Improving a plan within a count limit by solving parts of it exactly.

A few columns and what their rows send them make a small problem of the same kind.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ._cardinality_exact import branch_and_bound
from ._cardinality_hard import Candidate, Search

Array = np.ndarray[Any, Any]

PART = 4  # columns solved together
NODES = 60  # relaxations for each part
FAILURES, PARTS = 20, 100  # parts in a row that do not help, and parts in all, before it ends


def exchange(search: Search) -> None:
    """Solve parts around the most negative reduced costs, as long as that helps."""
    failed = 0
    seen: set[tuple[int, ...]] = set()
    while search.best is not None and search.best.support.feasible:
        found = search.best
        for part in _parts(search, found):
            if part in seen:
                continue
            if len(seen) >= PARTS:
                return
            seen.add(part)
            allowed = _solve_part(search, found, np.array(part))
            if allowed is not None:
                support = search.support(allowed)
                if support.feasible:
                    search.restricted(support, (found.alpha, support.flow))
            if search.best is not found:
                failed = 0
                break
            failed += 1
            if failed >= FAILURES:
                return
        else:
            return


def _parts(search: Search, found: Candidate) -> Any:
    """Columns that would trade with each other: one, and those its best new row serves."""
    columns = search.columns
    reduced = columns.cost - found.alpha - found.beta[:, None]
    reduced[found.plan > 0.0] = np.inf
    weighted = reduced * np.minimum(columns.a, columns.b[:, None])
    order = np.argsort(weighted, axis=None, kind="stable")[: 8 * columns.b.size]
    linked = (found.plan > 0.0).astype(float)
    for at in order:
        j, i = divmod(int(at), columns.a.size)
        if not weighted[j, i] < 0.0:
            return
        part = [j]
        for other in np.argsort(-found.plan[:, i], kind="stable")[: PART - 1]:
            if found.plan[other, i] > 0.0 and other != j:
                part.append(int(other))
        # Fill up with the columns that share most rows with these.
        shared = linked @ linked[part].sum(axis=0)
        shared[part] = -1.0
        near = np.argsort(-shared, kind="stable")[: PART - len(part)]
        part.extend(int(other) for other in near if shared[other] > 0.0)
        if len(part) > 1:
            yield tuple(sorted(part))


def _solve_part(search: Search, found: Candidate, part: Array) -> Array | None:
    """The allowed entries with a better solution for some columns in place, or None."""
    columns = search.columns
    sent = found.plan[part].sum(axis=0)
    rows = np.flatnonzero(sent > 1e-13 * columns.mass)
    plan = found.plan[np.ix_(part, rows)]
    small = dataclasses.replace(
        columns,
        cost=np.ascontiguousarray(columns.cost[np.ix_(part, rows)]),
        a=plan.sum(axis=0),
        b=plan.sum(axis=1),
        k=min(columns.k, rows.size),
    )
    inside = Search(small, search.span, search.tol)
    zeros = np.zeros(rows.size), np.zeros(part.size)
    before = inside.weighed(plan, *zeros, inside.support(plan > 0.0))
    root = inside.relaxed(inside.open, small.k)
    branch_and_bound(inside, root, NODES)
    if inside.best is None or inside.best.value >= before.value - 1e-10 * search.scale:
        return None
    allowed = found.support.allowed.copy()
    allowed[part] = False
    allowed[np.ix_(part, rows)] = inside.best.support.allowed
    return allowed
