"""Why no plan may exist where pairs are forbidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._costs import tiles
from ._problem import Problem

Array = np.ndarray[Any, Any]

SLACK = 1e-9  # of the mass: a violation below it may be rounding


def infeasible(problem: Problem, f: Array) -> str:
    """A proof that the finite costs admit no plan, in words, or the empty string.

    The potentials of an infeasible problem run away on a set of rows whose mass exceeds that of
    all columns they may reach. The sets of rows with the largest potentials are tried.
    """
    order = np.argsort(-f, kind="stable")
    rank = np.empty(f.size, np.intp)
    rank[order] = np.arange(f.size)
    first = np.full(problem.b.size, f.size)  # the first set in the order that reaches a column
    for start, stop, C in tiles(problem.cost):
        reach = np.where(np.isfinite(C), rank[start:stop, None], f.size)
        np.minimum(first, reach.min(axis=0), out=first)
    needed = np.cumsum(problem.a[order])
    offered = np.cumsum(np.bincount(first, problem.b, f.size + 1)[: f.size])
    excess = needed - offered
    worst = int(np.argmax(excess))
    if excess[worst] <= SLACK * problem.mass:
        return ""
    return (
        f"infeasible support: {worst + 1} rows with mass {needed[worst]:.6g} can reach only "
        f"columns with mass {offered[worst]:.6g}"
    )
