"""Significant entries of a matrix: chosen, multiplied, stacked."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(eq=False)
class CSR:
    """The three arrays of a sparse matrix, without the checks and casts of SciPy's class."""

    indptr: Array
    indices: Array
    data: Array
    shape: tuple[int, int]

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return self.data.size


def collect(P: Array, by_row: Array, by_column: Array, limit: float) -> CSR | None:
    """The entries of at least one threshold as CSR, or None if they are more than the limit."""
    counts = np.empty(P.shape[0] + 1, np.int64)
    if _count(P, by_row, by_column, counts, limit) > limit:
        return None
    indptr = np.cumsum(counts)
    size = int(indptr[-1])
    indices, data = np.empty(size + 1, np.int32), np.empty(size + 1)
    _fill(P, by_row, by_column, indptr, indices, data)
    return CSR(indptr, indices[:size], data[:size], P.shape)


def select(P: CSR, by_row: Array, by_column: Array) -> CSR:
    """The same from CSR."""
    indptr = np.empty_like(P.indptr)
    indices, data = np.empty_like(P.indices), np.empty_like(P.data)
    size = _pick(P.indptr, P.indices, P.data, by_row, by_column, indptr, indices, data)
    return CSR(indptr, indices[:size], data[:size], P.shape)


def stack(parts: list[CSR], m: int) -> CSR:
    """Blocks of rows, one below the other."""
    sizes = np.cumsum([0] + [part.nnz for part in parts])
    ends = [part.indptr[1:] + size for part, size in zip(parts, sizes, strict=False)]
    indptr = np.concatenate([np.zeros(1, np.int64), *ends])
    indices = np.concatenate([part.indices for part in parts])
    data = np.concatenate([part.data for part in parts])
    return CSR(indptr, indices, data, (indptr.size - 1, m))


@jit
def _count(P, by_row, by_column, counts, limit):  # type: ignore[no-untyped-def]
    total = 0
    counts[0] = 0
    for i in range(P.shape[0]):
        found = 0
        least = by_row[i]
        for j in range(P.shape[1]):
            found += P[i, j] >= min(least, by_column[j])
        counts[i + 1] = found
        total += found
        if total > limit:
            break
    return total


@jit
def _fill(P, by_row, by_column, indptr, indices, data):  # type: ignore[no-untyped-def]
    for i in range(P.shape[0]):
        k = indptr[i]
        least = by_row[i]
        for j in range(P.shape[1]):  # without branches; the last write of a row may be undone
            indices[k] = j
            data[k] = P[i, j]
            k += P[i, j] >= min(least, by_column[j])


@jit
def _pick(ptr, index, value, by_row, by_column, indptr, indices, data):  # type: ignore[no-untyped-def]
    k = 0
    indptr[0] = 0
    for i in range(ptr.size - 1):
        least = by_row[i]
        for e in range(ptr[i], ptr[i + 1]):
            if value[e] >= min(least, by_column[index[e]]):
                indices[k] = index[e]
                data[k] = value[e]
                k += 1
        indptr[i + 1] = k
    return k


@jit
def row_products(ptr, index, value, v, out):  # type: ignore[no-untyped-def]
    for i in range(ptr.size - 1):
        total = 0.0
        for e in range(ptr[i], ptr[i + 1]):
            total += value[e] * v[index[e]]
        out[i] = total


@jit
def column_products(ptr, index, value, u, out):  # type: ignore[no-untyped-def]
    for i in range(ptr.size - 1):
        for e in range(ptr[i], ptr[i + 1]):
            out[index[e]] += value[e] * u[i]
