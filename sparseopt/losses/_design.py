"""Columns of a real matrix, dense or sparse, as block coordinate methods need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]

_WIDTH = 256  # columns handled together where a p x p matrix would be too large


def as_design(A: Any) -> DenseDesign | SparseDesign:
    """The columns of ``A``; a TypeError if it is an operator or complex."""
    from scipy.sparse import issparse

    if not isinstance(A, np.ndarray) and not issparse(A):
        raise TypeError(f"block methods need A as a dense or sparse matrix, got {type(A).__name__}")
    if A.dtype.kind == "c":
        raise TypeError(f"block methods need a real A, got dtype {A.dtype}")
    return SparseDesign(A) if issparse(A) else DenseDesign(A)


class DenseDesign:
    """A dense matrix, kept transposed so that a column is contiguous.

    That takes a copy unless the matrix is in Fortran order already; blocks are then gathered by
    copying whole rows, and products with them are BLAS calls.
    """

    def __init__(self, A: Array) -> None:
        self.rows = np.ascontiguousarray(A.T)

    def products(self, columns: Array, classes: Array | None, u: Array) -> Array:
        """``a_i' u`` for each column i, or ``a_i' u_c`` for each pair of a column and a class."""
        if classes is None:
            block = self.rows[columns[0]][None] if columns.size == 1 else self.rows[columns]
            flat: Array = block @ u
            return flat
        result = np.empty(columns.size, np.result_type(self.rows, u))
        for c in np.unique(classes):
            of_class = classes == c
            result[of_class] = self.rows[columns[of_class]] @ u[:, c]
        return result

    def add(self, z: Array, columns: Array, classes: Array | None, d: Array) -> None:
        """Add ``d_i a_i`` to ``z``, or to its column of the class."""
        if classes is None:
            if columns.size == 1:
                z += d[0] * self.rows[columns[0]]
            else:
                z += d @ self.rows[columns]
            return
        for c in np.unique(classes):
            of_class = classes == c
            z[:, c] += d[of_class] @ self.rows[columns[of_class]]

    def gram(self, columns: Array, weights: Array | None, *, centred: bool = False) -> Array:
        """``A_b' diag(weights) A_b``, of columns less their weighted means if ``centred``."""
        block = self.rows[columns]
        if centred:
            block = block - _row_means(block, weights)
        weighted = block if weights is None else block * weights
        product: Array = weighted @ block.T
        return product if weights is None else 0.5 * (product + product.T)

    def power_sums(self, columns: Array | None, power: int, weights: Array | None) -> Array:
        """``sum_j w_j |a_ji|^power`` for each column i."""
        rows = self.rows if columns is None else self.rows[columns]
        sums = np.empty(rows.shape[0])
        for start in range(0, sums.size, _WIDTH):
            part = slice(start, start + _WIDTH)
            powers = abs(rows[part]) ** power
            sums[part] = powers.sum(1) if weights is None else powers @ weights
        return sums

    def centred_squares(self, weights: Array | None) -> Array:
        """``sum_j w_j (a_ji - mean_i)^2`` for each column i."""
        sums = np.empty(self.rows.shape[0])
        for start in range(0, sums.size, _WIDTH):
            part = self.rows[start : start + _WIDTH]
            squares = (part - _row_means(part, weights)) ** 2
            sums[start : start + _WIDTH] = squares.sum(1) if weights is None else squares @ weights
        return sums

    def row_squares(self, columns: Array) -> Array:
        """``sum_i a_ji^2`` over the columns, for each row j."""
        squares: Array = (self.rows[columns] ** 2).sum(0)
        return squares

    def transposed_product(self, u: Array) -> Array:
        """``A' u``."""
        product: Array = self.rows @ u
        return product

    def absolute_gram_sums(self, weights: Array | None, means: Array | None) -> Array:
        """``sum_k |(A' W A - g g')_ik|`` for each column i, with g = ``means`` if given."""
        weighted = self.rows if weights is None else self.rows * weights
        sums = np.empty(self.rows.shape[0])
        for start in range(0, sums.size, _WIDTH):
            part = slice(start, start + _WIDTH)
            square = weighted[part] @ self.rows.T
            if means is not None:
                square -= np.outer(means[part], means)
            sums[part] = abs(square).sum(1)
        return sums


class SparseDesign:
    """A sparse matrix in compressed columns; rows in any order, no duplicates."""

    def __init__(self, A: Any) -> None:
        csc = A.tocsc()
        if not csc.has_canonical_format:
            csc = csc.copy()
            csc.sum_duplicates()
        self.csc = csc
        self.parts = (csc.data, csc.indices, csc.indptr)

    def products(self, columns: Array, classes: Array | None, u: Array) -> Array:
        """``a_i' u`` for each column i, or ``a_i' u_c`` for each pair of a column and a class."""
        result = np.empty(columns.size, np.result_type(self.csc.dtype, u))
        pick = np.zeros_like(columns) if classes is None else classes
        csc_products(*self.parts, columns, pick, _flat(u), result)
        return result

    def add(self, z: Array, columns: Array, classes: Array | None, d: Array) -> None:
        """Add ``d_i a_i`` to ``z``, or to its column of the class."""
        pick = np.zeros_like(columns) if classes is None else classes
        flat = z.reshape(z.shape[0], -1)  # a view, also of a strided vector
        csc_add(*self.parts, columns, pick, np.asarray(d, np.float64), flat)

    def gram(self, columns: Array, weights: Array | None, *, centred: bool = False) -> Array:
        """``A_b' diag(weights) A_b``, of columns less their weighted means if ``centred``."""
        m = self.csc.shape[0]
        weights = np.ones(m) if weights is None else np.asarray(weights, np.float64)
        result = np.empty((columns.size, columns.size))
        csc_gram(*self.parts, columns, np.ascontiguousarray(weights), np.zeros(m), result)
        if centred:
            sums = self.csc[:, columns].T @ weights
            result -= np.outer(sums, sums) / weights.sum()
        return result

    def power_sums(self, columns: Array | None, power: int, weights: Array | None) -> Array:
        """``sum_j w_j |a_ji|^power`` for each column i."""
        powers = abs(self.csc if columns is None else self.csc[:, columns]).power(power)
        sums: Array = np.asarray(powers.sum(0)).reshape(-1)
        return sums if weights is None else powers.T @ weights

    def centred_squares(self, weights: Array | None) -> Array:
        """``sum_j w_j (a_ji - mean_i)^2`` for each column i, zeros included."""
        m, n = self.csc.shape
        weights = np.ones(m) if weights is None else np.asarray(weights, np.float64)
        counts = np.diff(self.csc.indptr)
        column = np.repeat(np.arange(n), counts)
        stored, total = weights[self.csc.indices], weights.sum()
        means = np.bincount(column, stored * self.csc.data, n) / total
        squares = np.bincount(column, stored * (self.csc.data - means[column]) ** 2, n)
        left = np.where(counts < m, total - np.bincount(column, stored, n), 0.0)
        result: Array = squares + np.maximum(left, 0.0) * means**2
        return result

    def row_squares(self, columns: Array) -> Array:
        """``sum_i a_ji^2`` over the columns, for each row j."""
        squares: Array = np.asarray(self.csc[:, columns].power(2).sum(1)).reshape(-1)
        return squares

    def transposed_product(self, u: Array) -> Array:
        """``A' u``."""
        product: Array = self.csc.T @ u
        return product

    def absolute_gram_sums(self, weights: Array | None, means: Array | None) -> Array:
        """``sum_k |(A' W A - g g')_ik|`` for each column i, with g = ``means`` if given.

        Without ``means`` the products stay sparse; with them a slab of columns is dense.
        """
        from scipy.sparse import diags_array

        n = self.csc.shape[1]
        weighted = self.csc if weights is None else diags_array(weights) @ self.csc
        transposed = self.csc.T.tocsr()
        sums = np.empty(n)
        for start in range(0, n, _WIDTH):
            part = slice(start, min(start + _WIDTH, n))
            square = transposed @ weighted.tocsc()[:, part]
            if means is None:
                sums[part] = np.asarray(abs(square).sum(0)).reshape(-1)
            else:
                sums[part] = abs(square.toarray() - np.outer(means, means[part])).sum(0)
        return sums


def _row_means(rows: Array, weights: Array | None) -> Array:
    """Weighted mean of every row, in double precision, as a column."""
    if weights is None:
        return np.asarray(rows.mean(axis=1, dtype=np.float64))[:, None]
    means: Array = rows @ (np.asarray(weights, np.float64) / np.sum(weights))
    return means[:, None]


def _flat(u: Array) -> Array:
    """``u`` as contiguous columns."""
    return np.ascontiguousarray(u).reshape(u.shape[0], -1)


@jit
def csc_products(data, indices, indptr, columns, classes, u, out):  # type: ignore[no-untyped-def]
    """``out[t] = a_i' u_c`` for the t-th column i and class c."""
    for t in range(columns.size):
        i, c = columns[t], classes[t]
        s = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            s += data[k] * u[indices[k], c]
        out[t] = s


@jit
def csc_add(data, indices, indptr, columns, classes, d, z):  # type: ignore[no-untyped-def]
    """``z_c += d[t] a_i`` for the t-th column i and class c."""
    for t in range(columns.size):
        i, c, s = columns[t], classes[t], d[t]
        for k in range(indptr[i], indptr[i + 1]):
            z[indices[k], c] += s * data[k]


@jit
def csc_gram(data, indices, indptr, columns, weights, work, out):  # type: ignore[no-untyped-def]
    """``out = A_b' diag(weights) A_b``; ``work`` holds one column, is zero before and after."""
    for s in range(columns.size):
        i = columns[s]
        for k in range(indptr[i], indptr[i + 1]):
            work[indices[k]] = weights[indices[k]] * data[k]
        for t in range(s, columns.size):
            j = columns[t]
            total = 0.0
            for k in range(indptr[j], indptr[j + 1]):
                total += work[indices[k]] * data[k]
            out[s, t] = total
            out[t, s] = total
        for k in range(indptr[i], indptr[i + 1]):
            work[indices[k]] = 0.0


@jit
def csc_square(data, indices, indptr, columns, place, out):  # type: ignore[no-untyped-def]
    """Rows and columns of a sparse matrix; ``place`` is the position of a row, or -1."""
    for t in range(columns.size):
        i = columns[t]
        for k in range(indptr[i], indptr[i + 1]):
            s = place[indices[k]]
            if s >= 0:
                out[s, t] = data[k]
