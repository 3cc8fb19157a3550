"""Cyclic descent over single coordinates: a whole sweep in one compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ..losses import LeastSquares
from ._bcd_state import Workspace, plain_squares
from ._bcd_terms import bounded_threshold

Array = np.ndarray[Any, Any]


class Sweeps:
    """Sweeps over the coordinates of a least-squares problem or a quadratic, in given orders.

    The residual, or the gradient of the quadratic, lives on from sweep to sweep, so that where the
    run is cut into steps does not show in the result.
    """

    def __init__(self, work: Workspace) -> None:
        from scipy.sparse import csc_array, issparse

        self.work = work
        self.squares = isinstance(work.loss, LeastSquares)
        matrix: Any = work.loss.A if self.squares else work.loss.Q
        self.sparse = issparse(matrix)
        self.matrix: Any = csc_array(matrix) if self.sparse else np.ascontiguousarray(matrix.T)
        weights = work.loss.sample_weights if self.squares else None
        self.weights = np.asarray([] if weights is None else weights, np.float64)
        self.load()

    @staticmethod
    def fits(work: Workspace) -> bool:
        """Whether the loss is one of those with a compiled sweep."""
        return plain_squares(work.loss) or hasattr(work.loss, "Q")

    def load(self) -> None:
        """Take over what the workspace has computed."""
        work = self.work
        if self.squares:
            self.r = np.array(work.z - work.loss.y, np.float64)
        else:
            self.r = work.full_gradient()

    def run(self, order: Array) -> None:
        """Visit the coordinates in this order."""
        work, term = self.work, self.work.term
        tail = (self.r, work.x, work.bounds, term.lam, term.lower, term.upper)
        if self.sparse:
            m = self.matrix
            parts = (order, m.indptr, m.indices, m.data)
            if self.squares:
                sweep_squares_sparse(*parts, self.weights, *tail)
            else:
                sweep_quadratic_sparse(*parts, *tail)
        elif self.squares:
            sweep_squares_dense(order, self.matrix, self.weights, *tail)
        else:
            sweep_quadratic_dense(order, self.matrix, *tail)
        work.updates += order.size
        self._store()

    def _store(self) -> None:
        """Tell the workspace."""
        work = self.work
        if self.squares and work.loss.dtype == np.float64:
            work.z = self.r + work.loss.y
            work._u = None
        else:
            work.refresh()


@jit
def sweep_squares_dense(  # type: ignore[no-untyped-def]
    order, rows, weights, r, x, bounds, lam, lower, upper
):
    """Least squares; ``rows`` are the columns of the matrix, ``r`` the residual."""
    n = r.size
    for i in order:
        a = rows[i]
        g = 0.0
        if weights.size:
            for k in range(n):
                g += a[k] * (weights[k] * r[k])
        else:
            g = _dot(a, r)
        L = bounds[i]
        new = bounded_threshold(x[i] - g / L, lam[i] / L, lower[i], upper[i])
        d = new - x[i]
        if d != 0.0:
            x[i] = new
            for k in range(n):
                r[k] += a[k] * d


@jit
def _dot(a, r):  # type: ignore[no-untyped-def]
    """Inner product with four running sums, since one would wait for every addition."""
    s0 = s1 = s2 = s3 = 0.0
    n = r.size - r.size % 4
    for k in range(0, n, 4):
        s0 += a[k] * r[k]
        s1 += a[k + 1] * r[k + 1]
        s2 += a[k + 2] * r[k + 2]
        s3 += a[k + 3] * r[k + 3]
    for k in range(n, r.size):
        s0 += a[k] * r[k]
    return (s0 + s1) + (s2 + s3)


@jit
def sweep_squares_sparse(  # type: ignore[no-untyped-def]
    order, indptr, indices, data, weights, r, x, bounds, lam, lower, upper
):
    """Least squares with compressed columns."""
    for i in order:
        g = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            k = indices[e]
            w = weights[k] if weights.size else 1.0
            g += data[e] * (w * r[k])
        L = bounds[i]
        new = bounded_threshold(x[i] - g / L, lam[i] / L, lower[i], upper[i])
        d = new - x[i]
        if d != 0.0:
            x[i] = new
            for e in range(indptr[i], indptr[i + 1]):
                r[indices[e]] += data[e] * d


@jit
def sweep_quadratic_dense(order, rows, r, x, bounds, lam, lower, upper):  # type: ignore[no-untyped-def]
    """A quadratic; ``r`` is its gradient."""
    for i in order:
        L = bounds[i]
        new = bounded_threshold(x[i] - r[i] / L, lam[i] / L, lower[i], upper[i])
        d = new - x[i]
        if d != 0.0:
            x[i] = new
            for k in range(r.size):
                r[k] += rows[i, k] * d


@jit
def sweep_quadratic_sparse(  # type: ignore[no-untyped-def]
    order, indptr, indices, data, r, x, bounds, lam, lower, upper
):
    """A quadratic with compressed columns."""
    for i in order:
        L = bounds[i]
        new = bounded_threshold(x[i] - r[i] / L, lam[i] / L, lower[i], upper[i])
        d = new - x[i]
        if d != 0.0:
            x[i] = new
            for e in range(indptr[i], indptr[i + 1]):
                r[indices[e]] += data[e] * d
