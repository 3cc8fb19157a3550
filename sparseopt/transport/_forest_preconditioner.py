"""A sparse part of the bipartite graph that is cheap to factorise and close to the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ..solvers._graph import find_root, join
from ._elimination import eliminate
from ._laplacian_kernels import Factor

Array = np.ndarray[Any, Any]


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
    sums of the kept entries plus ``excess``.
    """
    count = int(density * max(near.size, far.size))
    if count >= value.size:
        threshold = 0.0
    elif count <= 0:
        threshold = np.inf
    else:
        threshold = float(np.partition(value, value.size - count)[value.size - count])
    rows, cols, kept = select_edges(ptr, index, value, near, far, threshold, weak)
    return Factor(*eliminate(rows, cols, kept, excess))


@jit
def select_edges(ptr, index, value, near, far, threshold, weak):  # type: ignore[no-untyped-def]
    """Edges of at least the threshold, and a maximum-weight forest between what they connect.

    Together with the forest among the large edges themselves these contain a maximum-weight
    spanning forest of the whole graph. Columns are numbered after the rows. Edges that matter to
    neither of their ends are left out.
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
    for i in range(n):
        for e in range(ptr[i], ptr[i + 1]):
            j = index[e]
            if value[e] >= threshold and value[e] > weak * min(near[i], far[j]):
                rows[filled] = i
                cols[filled] = n + j
                kept[filled] = value[e]
                filled += 1
                a, b = find_root(above, i), find_root(above, n + j)
                if a != b:
                    join(above, size, a, b)
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
    return rows[:filled], cols[:filled], kept[:filled]
