"""A sparse part of the bipartite graph that is cheap to factorise and close to the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ..solvers._graph import find_root, join
from ._elimination import eliminate
from ._laplacian_kernels import Factor

Array = np.ndarray[Any, Any]

FILL = 120  # neighbours of a node at its elimination; with more, a factor costs too much


def forest_factor(
    ptr: Array,
    index: Array,
    value: Array,
    near: Array,
    far: Array,
    excess: Array,
    *,
    density: float,
    weak: float,
) -> Factor:
    """Factorise a maximum-weight spanning forest united with the largest entries.

    ``density * max(n, m)`` largest entries are kept beside the forest; both diagonals are the
    sums of the kept entries plus ``excess``. Where their elimination would fill in, fewer are
    kept: the forest alone never fills in.
    """
    while True:
        count = min(int(density * max(near.size, far.size)), value.size)
        threshold, share = _threshold(value, count)
        edges = select_edges(ptr, index, value, near, far, threshold, share, weak)
        done, *factor = eliminate(*edges, excess, FILL)
        if done:
            return Factor(*factor)
        density = density / 2 if density > 0.1 else 0.0


def largest_share(value: Array, count: int) -> float:
    """The part of the sum that the ``count`` largest values hold."""
    if count >= value.size:
        return 1.0
    return float(np.partition(value, value.size - count)[value.size - count :].sum() / value.sum())


def _threshold(value: Array, count: int) -> tuple[float, float]:
    """The ``count``-th largest value, and the share of the entries equal to it that it takes."""
    if count == 0:
        return np.inf, 0.0
    threshold = float(np.partition(value, value.size - count)[value.size - count])
    above = int(np.count_nonzero(value > threshold))
    return threshold, (count - above) / int(np.count_nonzero(value == threshold))


@jit
def select_edges(ptr, index, value, near, far, threshold, share, weak):  # type: ignore[no-untyped-def]
    """Edges above the threshold, a share of those at it, and a forest between what they connect.

    That forest has maximum weight; together with the one among the large edges themselves it is
    a maximum-weight spanning forest of the whole graph. Columns are numbered after the rows.
    Edges that matter to neither of their ends are left out.
    """
    n, m = near.size, far.size
    above = np.arange(n + m)
    size = np.ones(n + m, np.int64)
    capacity = n + m
    for e in range(value.size):
        capacity += value[e] >= threshold
    rows = np.empty(capacity, np.int32)
    cols = np.empty(capacity, np.int32)
    kept = np.empty(capacity)
    filled = 0
    quota = 0.0
    for i in range(n):
        for e in range(ptr[i], ptr[i + 1]):
            j = index[e]
            large = value[e] > threshold
            if value[e] == threshold:  # ties are taken evenly over the matrix
                quota += share
                large = quota >= 1.0
                quota -= large
            if large and value[e] > weak * min(near[i], far[j]):
                rows[filled] = i
                cols[filled] = n + j
                kept[filled] = value[e]
                filled += 1
                a, b = find_root(above, i), find_root(above, n + j)
                if a != b:
                    join(above, size, a, b)
    filled = _connect(ptr, index, value, near, far, weak, above, size, rows, cols, kept, filled)
    return rows[:filled], cols[:filled], kept[:filled]


@jit
def _connect(  # type: ignore[no-untyped-def]
    ptr, index, value, near, far, weak, above, size, rows, cols, kept, filled
):
    """Add the heaviest edges that join what the union-find forest ``above`` holds apart."""
    n, m = near.size, far.size
    label = np.empty(n + m, np.int64)
    best = np.empty(n + m)
    best_row = np.empty(n + m, np.int64)
    best_col = np.empty(n + m, np.int64)
    grown = True
    while grown:  # every pass joins each component with its heaviest neighbour
        grown = False
        for k in range(n + m):
            label[k] = find_root(above, k)
            best[k] = 0.0
        for i in range(n):
            a = label[i]
            for e in range(ptr[i], ptr[i + 1]):
                j = index[e]
                w = value[e]
                b = label[n + j]
                if a != b and w > min(best[a], best[b]) and w > weak * min(near[i], far[j]):
                    if w > best[a]:
                        best[a] = w
                        best_row[a] = i
                        best_col[a] = n + j
                    if w > best[b]:
                        best[b] = w
                        best_row[b] = i
                        best_col[b] = n + j
        for k in range(n + m):
            if best[k] > 0.0:
                a, b = find_root(above, best_row[k]), find_root(above, best_col[k])
                if a != b:
                    join(above, size, a, b)
                    rows[filled] = best_row[k]
                    cols[filled] = best_col[k]
                    kept[filled] = best[k]
                    filled += 1
                    grown = True
    return filled
