"""From a plan with small marginal errors to one without."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]

EXACT = 1e-13  # of the mass: marginal error that is rounding
SCALINGS = 20


def shrink(sums: Array, wanted: Array) -> Array:
    """Factors at most 1 that bring sums down to what is wanted, never up."""
    return np.minimum(np.divide(wanted, sums, out=np.ones(sums.size), where=sums > 0.0), 1.0)


def round_sparse(P: Any, a: Array, b: Array) -> Any:
    r"""A nonnegative CSR plan with the marginals a and b, at L1 distance :math:`\le 2 e(P)`.

    Rows, then columns with too much mass are scaled down; what is missing afterwards is added as
    the north-west-corner plan of the two deficits: at most n + m - 1 more entries.

    References
    ----------
    J. Altschuler, J. Weed, P. Rigollet (2017). Near-linear time approximation algorithms for
    optimal transport via Sinkhorn iteration. NeurIPS, arXiv 1705.09634.
    """
    from scipy.sparse import coo_array, csr_array

    P = csr_array(P, copy=True).astype(np.float64)
    n, m = P.shape
    row = np.repeat(np.arange(n), np.diff(P.indptr))
    P.data *= shrink(np.bincount(row, P.data, n), a)[row]
    P.data *= shrink(np.bincount(P.indices, P.data, m), b)[P.indices]
    missing_a = np.maximum(a - np.bincount(row, P.data, n), 0.0)
    missing_b = np.maximum(b - np.bincount(P.indices, P.data, m), 0.0)
    i, j, mass = north_west(missing_a, missing_b)
    extra = coo_array((mass, (i, j)), shape=P.shape)
    total = csr_array(P + extra)
    total.sum_duplicates()
    return total


def round_on_support(P: Any, a: Array, b: Array) -> Any:
    """The same without a new entry, for plans with forbidden pairs.

    Rows and columns are scaled by Newton steps, exact to rounding. Where that fails, because a
    part of the graph has too much mass on one side, the plan of `round_sparse` is returned.
    """
    from scipy.sparse import csr_array

    from ._laplacian import solve_bipartite

    P = csr_array(P, copy=True).astype(np.float64)
    n, m = P.shape
    row = np.repeat(np.arange(n), np.diff(P.indptr))
    target = EXACT * float(a.sum())
    for _ in range(SCALINGS):
        rows, cols = np.bincount(row, P.data, n), np.bincount(P.indices, P.data, m)
        u, v = a - rows, b - cols
        if np.abs(u).sum() + np.abs(v).sum() <= target:
            return P
        u[rows == 0.0] = v[cols == 0.0] = 0.0
        found = solve_bipartite(P, rows, cols, 0.0, u, v, rtol=1e-8)
        P.data *= np.exp(np.clip(found.p[row] + found.q[P.indices], -1.0, 1.0))
    return round_sparse(P, a, b)


def round_by_flow(P: Any, a: Array, b: Array, allowed: Array) -> Any:
    """The same over all allowed pairs, by the shortest detours: for errors of rounding size.

    What has no place there, because no plan exists, is put where `round_sparse` puts it.
    """
    from scipy.sparse import csr_array

    from ._support_flow import max_flow

    P = csr_array(P, copy=True).astype(np.float64)
    n, m = P.shape
    row = np.repeat(np.arange(n), np.diff(P.indptr))
    P.data *= shrink(np.bincount(row, P.data, n), a)[row]
    P.data *= shrink(np.bincount(P.indices, P.data, m), b)[P.indices]
    flow = np.ascontiguousarray(P.toarray().T)
    dust = EXACT * float(a.sum()) / (n + m)
    max_flow(np.ascontiguousarray(allowed.T), a, b, flow, np.empty(n, np.bool_), dust)
    short_a, short_b = a - flow.sum(axis=0), b - flow.sum(axis=1)
    found = csr_array(np.ascontiguousarray(flow.T))
    missing = np.maximum(short_a, 0.0).sum() + np.maximum(short_b, 0.0).sum()
    return found if missing <= 10.0 * EXACT * float(a.sum()) else round_sparse(found, a, b)


def north_west(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """The north-west-corner plan of two nonnegative vectors, as rows, columns and masses.

    Where the totals differ by rounding, the last atom with mass takes the difference.
    """
    size = a.size + b.size
    rows, cols = np.empty(size, np.int64), np.empty(size, np.int64)
    mass = np.empty(size)
    count = _north_west(a, b, rows, cols, mass)
    return rows[:count], cols[:count], mass[:count]


@jit
def _north_west(a, b, rows, cols, mass):  # type: ignore[no-untyped-def]
    n, m = a.size, b.size
    i = j = count = 0
    left, room = a[0], b[0]
    while True:
        move = min(left, room)
        if move > 0.0:
            rows[count], cols[count], mass[count] = i, j, move
            count += 1
        left -= move
        room -= move
        if left <= 0.0:
            i += 1
            if i == n:
                return count
            left = a[i]
        else:
            j += 1
            if j == m:
                return count
            room = b[j]
