"""The columns of a design matrix, dense or sparse, as coordinate methods need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses._design import SparseDesign
from ._columns import add_columns, column_slopes, gather_columns, row_products

Array = np.ndarray[Any, Any]

_FEW = 200


class Design:
    """Access to the columns of ``A``, and the rows and Gram matrix of the present working set.

    Dense columns of the working set are held as rows of a float64 matrix; sparse ones are used
    where they are. With constant curvature the Gram matrix grows with the set.
    """

    def __init__(self, A: Any, centred: bool = False) -> None:
        from scipy.sparse import issparse

        self.m, self.n = A.shape
        self.sparse = issparse(A)
        # part of the whole gap to which a working set is solved: sets of sparse columns are large
        self.accuracy = 0.3 if self.sparse else 0.1
        if self.sparse:
            A = SparseDesign(A).csc
            data = A.data.astype(np.float64, copy=False)
            indices = A.indices.astype(np.int32, copy=False)
            self._indptr = A.indptr.astype(np.int64, copy=False)
            self._whole = data, indices, self._indptr[:-1], self._indptr[1:]
        elif not isinstance(A, np.ndarray):
            raise TypeError(
                "A must be an array or a SciPy sparse array for coordinate descent, "
                f"got {type(A).__name__}"
            )
        if A.dtype.kind == "c":
            raise TypeError(f"A must be real for coordinate descent, got dtype {A.dtype}")
        self._A: Any = A
        self._centred = centred
        self.working: Array = np.empty(0, np.intp)
        self._rows: Array = np.empty((0, self.m))
        self._gram: Array = np.empty((0, 0))

    def room(self, size: int, least: int) -> int:
        """How many coordinates to add beside a support of this size.

        Sparse columns cost little; a Gram matrix grows with the square.
        """
        if self.sparse:
            return max(5 * least, 2 * size)
        least = max(least, min(self.m // 4, 5 * least))
        return max(least, size // 2 if size <= _FEW else size)

    def correlate(self, u: Array) -> Array:
        """``A' u``."""
        result: Array = self._A.T @ np.asarray(u, self._A.dtype)
        return result

    def correlate_part(self, columns: Array, u: Array) -> Array:
        """``A' u`` at some columns, which are read where they lie, and zero elsewhere."""
        u = np.asarray(u, np.float64)
        whole = np.zeros(self.n)
        if self.sparse:
            whole[columns] = column_slopes(self._whole, columns, u)
        elif self._A.T.flags.c_contiguous:
            whole[columns] = row_products(self._A.T, columns, u)
        else:
            whole[columns] = self._A[:, columns].T @ u
        return whole

    def squares(self, weights: Array | None, centred: bool) -> Array:
        """Weighted sums of squares of all columns, about their means if ``centred``."""
        full = np.ones(self.m) if weights is None else np.asarray(weights, np.float64)
        if self.sparse:
            return self.scaled_columns(np.arange(self.n), np.sqrt(full), centred)[1]
        squares = np.empty(self.n)
        for start in range(0, self.n, 256):
            part = slice(start, start + 256)
            rows = self._A.T[part].astype(np.float64, copy=False)
            if centred:
                rows = rows - ((rows @ full) / full.sum())[:, None]
            squares[part] = np.einsum("ji,ji,i->j", rows, rows, full)
        return squares

    def select(self, working: Array) -> None:
        """Hold the columns of a working set, reusing those at hand."""
        if self.sparse:
            self.working = working
            return
        old = self.working
        shared = min(old.size, working.size)
        if not np.array_equal(old[:shared], working[:shared]):
            place = np.full(self.n, -1)
            place[old] = np.arange(old.size)
            kept = place[working]
            kept = kept[: np.argmin(np.append(kept, -1) >= 0)]
            self._rows = self._rows[kept]
            if self._gram.size:  # a Newton model has none to keep
                self._gram = self._gram[np.ix_(kept, kept)]
            shared = kept.size
        self._rows = np.concatenate([self._rows[:shared], self._take(working[shared:])])
        self._gram = self._gram[:shared, :shared]
        self.working = working

    def _take(self, columns: Array) -> Array:
        """Columns as rows, less their means beside an intercept, which takes them up.

        Inner products of columns with large means would cancel.
        """
        rows = np.ascontiguousarray(self._A.T[columns], np.float64)
        return rows - rows.mean(1)[:, None] if self._centred else rows

    def product(self, x: Array) -> Array:
        """``A x`` of an x with few entries that are not zero."""
        support = np.flatnonzero(x if x.ndim == 1 else x.any(1))
        if self.sparse:
            return self.predict(support, x[support])
        result: Array = self._A[:, support] @ x[support]
        return result

    def gram(self, curvature: Array | None, centred: bool) -> Array:
        """``X' D X`` of the working set, of centred columns where an intercept is minimised out."""
        rows = self._rows
        if curvature is None:
            mass = float(self.m)
            known, size = self._gram.shape[0], rows.shape[0]
            if known < size:
                gram = np.empty((size, size))
                gram[:known, :known] = self._gram
                cross = rows[:known] @ rows[known:].T
                gram[:known, known:] = cross
                gram[known:, :known] = cross.T
                gram[known:, known:] = rows[known:] @ rows[known:].T
                self._gram = gram
            H, sums = self._gram, rows
        else:
            mass = float(curvature.sum())
            sums = rows * curvature
            H = sums @ rows.T
        if centred:
            mean = sums.sum(1)
            H = H - np.outer(mean, mean) / mass
        return H

    def rows(self, curvature: Array | None, centred: bool) -> Array:
        """Dense columns of the working set as rows, less their means with an intercept.

        With weights they are scaled by the roots: inner products are entries of the Gram matrix.
        """
        rows = self._rows
        if centred:
            weights = np.ones(self.m) if curvature is None else curvature
            rows = rows - (rows @ weights)[:, None] / weights.sum()
        return rows if curvature is None else rows * np.sqrt(curvature)

    def slopes(self, working: Array, u: Array) -> Array:
        """``X' u``."""
        if self.sparse:
            g: Array = column_slopes(self._whole, working, np.asarray(u, np.float64))
            return g
        return self._rows @ u

    def scaled_columns(
        self, working: Array, root: Array, centred: bool
    ) -> tuple[tuple[Array, Array, Array, Array], Array, Array]:
        """Sparse columns with their rows scaled by ``root``.

        Also their squared norms and means, weighted by the square of ``root``; means are zero
        unless an intercept is minimised out, and then norms are those of centred columns.
        """
        parts = self._whole[0], self._whole[1], self._indptr
        columns, squares, sums = gather_columns(*parts, working, root)
        if not centred:
            return columns, squares, np.zeros(working.size)
        mass = float(root @ root)
        mean = sums / mass
        return columns, np.maximum(squares - mass * mean * mean, 0.0), mean

    def predict(self, working: Array, x: Array) -> Array:
        """``X x``, up to a constant that an intercept takes up."""
        if x.ndim > 1:
            return np.stack([self.predict(working, column) for column in x.T], axis=1)
        if self.sparse:
            z = np.zeros(self.m)
            add_columns(self._whole, working, x, z)
            return z
        support = np.flatnonzero(x)
        result: Array = x[support] @ self._rows[support]
        return result
