"""Transport with at most k entries per column, exactly, for small problems: branch and bound."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._cardinality_hard import Search, largest
from ._cardinality_relaxed import RelaxedState

Array = np.ndarray[Any, Any]

SLACK = 1e-11  # of the scale: bounds this near to the best value end a branch


@dataclasses.dataclass(frozen=True, eq=False)
class _Node:
    bound: float
    allowed: Array
    wanted: Array
    start: tuple[Array, Array]


def branch_and_bound(search: Search, root: RelaxedState, nodes: int) -> float:
    """Improve ``search.best`` by at most so many relaxations; the lower bound that is proved.

    A column of a relaxed plan with more than k entries lacks one of its k + 1 largest in every
    plan within the limit. One branch for each: the first that is missing is forbidden, those
    before it stay, and where k stay the others go.
    """
    slack = SLACK * search.scale
    closed = math.inf  # the least bound among the branches that ended
    queue: list[tuple[float, int, _Node]] = []
    ticket = itertools.count()
    first = _Node(root.fun, search.open, np.zeros_like(search.open), (root.alpha, root.fit.plan))
    closed = _expand(search, first, root, queue, ticket, closed)
    count = 0
    while queue and count < nodes:
        bound, _, node = heapq.heappop(queue)
        top = search.ceiling
        if bound >= top - slack:
            closed = min(closed, bound)
            continue
        count += 1
        state = search.relaxed(node.allowed, search.columns.k, node.start, top)
        node = dataclasses.replace(node, bound=max(bound, state.fun))
        closed = _expand(search, node, state, queue, ticket, closed)
    remaining = min((item[0] for item in queue), default=math.inf)
    proved = min(closed, remaining)
    return max(root.fun, proved)


def _expand(
    search: Search,
    node: _Node,
    state: RelaxedState,
    queue: list[tuple[float, int, _Node]],
    ticket: Iterator[int],
    closed: float,
) -> float:
    """Close a node or queue its branches; the least bound of the closed ones."""
    k, plan = search.columns.k, state.fit.plan
    kept = largest(plan, k)
    support = search.support(kept, np.where(kept, plan, 0.0))
    if support.feasible:
        search.restricted(support, (state.alpha, plan))
    top = search.ceiling
    counts = (plan > 0.0).sum(axis=1)
    if counts.max() <= k or node.bound >= top - SLACK * search.scale:
        return min(closed, node.bound)
    lost = np.where(kept, 0.0, plan).sum(axis=1)
    j = int(np.argmax(lost))
    entries = np.argsort(-plan[j], kind="stable")[: k + 1]
    for position in range(k, -1, -1):
        allowed, wanted = node.allowed.copy(), node.wanted.copy()
        allowed[j, entries[position]] = False
        wanted[j, entries[:position]] = True
        if node.wanted[j, entries[position]] or wanted[j].sum() > k:
            continue
        if wanted[j].sum() == k:
            allowed[j] &= wanted[j]
        if search.support(allowed).feasible:
            # Among equal bounds the youngest first: deeper nodes find plans.
            child = _Node(node.bound, allowed, wanted, (state.alpha, plan))
            heapq.heappush(queue, (node.bound, -next(ticket), child))
    return closed
