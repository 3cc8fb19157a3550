"""A bipartite Laplacian assembled for solving: smaller side kept, components, reduced products."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ._laplacian_kernels import (
    Weights,
    apply_reduced,
    compress,
    gather,
    label_components,
    outer_products,
    reduced_diagonal,
    sums,
    transpose,
)

Array = np.ndarray[Any, Any]

NOISE = 1e-14  # relative: a diagonal that exceeds its row sum by less is taken as equal to it
WEAK = 1e-15  # an edge below this part of both its diagonals cannot be told from no edge
VANISHING = 1e-200  # a diagonal below this part of the largest is taken as zero


class BipartiteSystem:
    r"""The matrix ``L`` of ``L z = r`` with :math:`z = (p, -q)`, and its Schur complement.

    The diagonals are taken apart into the sums of W and the *excess*: the shift and the mass that
    W lacks. An excess within the rounding of the sums is set to zero, so that a component of the
    graph without excess is recognised as singular. The side with more nodes (``far``) is
    eliminated:

    .. math:: S = D_{near} - W D_{far}^{-1} W'.
    """

    def __init__(self, W: Any, rows: Array, cols: Array, shift: float) -> None:
        n, m = W.shape
        self.flipped = n > m
        near, far = (cols, rows) if self.flipped else (rows, cols)
        self.weights = _two_products(W, self.flipped)
        if self.weights.is_dense:
            dense = self.weights.dense
            by_row, by_col = dense @ np.ones(m), dense.T @ np.ones(n)
            near_sum, far_sum = (by_col, by_row) if self.flipped else (by_row, by_col)
        else:
            near_sum = sums(self.weights.near_ptr, self.weights.near_value)
            far_sum = sums(self.weights.far_ptr, self.weights.far_value)
        self.near_excess = _excess(near, near_sum, shift)
        self.far_excess = _excess(far, far_sum, shift)
        self.near, self.far = near_sum + self.near_excess, far_sum + self.far_excess
        largest = float(max(self.near.max(), self.far.max()))
        self.near_inverse = _inverse(self.near, VANISHING * largest)
        self.far_inverse = _inverse(self.far, VANISHING * largest)
        self._labels: Array | None = None
        if shift <= NOISE * largest:
            self._find_components()

    @functools.cached_property
    def compressed(self) -> tuple[Array, Array, Array]:
        """W, or its transpose if the columns are kept, as the three arrays of CSR."""
        weights = self.weights
        if not weights.is_dense:
            return weights.near_ptr, weights.near_index, weights.near_value
        ptr, index, value = compress(weights.dense)
        if self.flipped:
            ptr, index, value = transpose(ptr, index, value, weights.dense.shape[1])
        return ptr, index, value

    @functools.cached_property
    def entries(self) -> int:
        """Number of stored entries of W."""
        weights = self.weights
        return weights.dense.size if weights.is_dense else weights.near_value.size

    @functools.cached_property
    def diagonal(self) -> Array:
        """Diagonal of the Schur complement."""
        if not self.weights.is_dense:
            return reduced_diagonal(self.weights, self.near, self.far, self.far_excess)
        subscripts = "ij,ij,i->j" if self.flipped else "ij,ij,j->i"
        dense = self.weights.dense
        lost = np.einsum(subscripts, dense, dense, self.far_inverse)
        return np.maximum(self.near - lost, 0.0)

    @property
    def excess(self) -> Array:
        """Of both sides, the kept one first."""
        return np.concatenate([self.near_excess, self.far_excess])

    def product(self, x: Array) -> tuple[Array, Array]:
        """``S x`` and ``D_far^-1 W' x``."""
        t, y = np.empty(self.far.size), np.empty(self.near.size)
        apply_reduced(self.weights, self.near, self.far_inverse, x, t, y)
        return y, t

    def matrix(self) -> Array:
        """``S`` as a dense matrix."""
        weights = self.weights
        if weights.is_dense:
            W = weights.dense.T if self.flipped else weights.dense
            scaled = W * np.sqrt(self.far_inverse)
            S = -(scaled @ scaled.T)
        else:
            S = np.zeros((self.near.size, self.near.size))
            outer_products(weights, self.far_inverse, S)
        S[np.diag_indices_from(S)] = self.near + S.diagonal()
        return S

    def from_far(self, r: Array) -> Array:
        """``W r`` for a vector of the eliminated side."""
        weights = self.weights
        if weights.is_dense:
            return (weights.dense.T if self.flipped else weights.dense) @ r
        out = np.empty(self.near.size)
        gather(weights.near_ptr, weights.near_index, weights.near_value, r, out)
        return out

    def consistent(self, r: Array) -> Array:
        """The right-hand side with the least change, relative to the diagonal, to its range."""
        return self._project(r, np.concatenate([self.near, self.far]), None)

    def centred(self, z: Array) -> Array:
        """The solution whose mean over every singular component, weighted by D, is zero."""
        return self._project(z, None, np.concatenate([self.near, self.far]))

    def _project(self, x: Array, along: Array | None, weighted: Array | None) -> Array:
        if self._labels is None:
            return x
        summed = x if weighted is None else x * weighted
        mean = np.bincount(self._labels, summed, x.size) * self._inverse_total
        change = mean[self._labels]
        return x - (change if along is None else change * along)

    def _find_components(self) -> None:
        labels = label_components(*self.compressed, self.near, self.far, WEAK)
        excess = np.bincount(labels, self.excess, labels.size)
        total = np.bincount(labels, np.concatenate([self.near, self.far]), labels.size)
        singular = (excess <= NOISE * total) & (total > 0)
        if singular.any():
            self._labels = labels
            self._inverse_total = np.zeros(total.size)
            np.divide(1.0, total, out=self._inverse_total, where=singular)


def _two_products(W: Any, flipped: bool) -> Weights:
    empty, none, start = np.empty(0), np.empty(0, np.int32), np.zeros(1, np.int64)
    if isinstance(W, np.ndarray):
        W = np.ascontiguousarray(W, np.float64)
        return Weights(W, True, flipped, start, none, empty, start, none, empty)
    ptr = W.indptr.astype(np.int64, copy=False)
    index = W.indices.astype(np.int32, copy=False)
    value = W.data.astype(np.float64, copy=False)
    other = transpose(ptr, index, value, W.shape[1])
    near, far = (other, (ptr, index, value)) if flipped else ((ptr, index, value), other)
    return Weights(np.empty((0, 0)), False, flipped, *near, *far)


def _excess(diagonal: Array, summed: Array, shift: float) -> Array:
    lacking = diagonal - summed
    return np.where(lacking > NOISE * diagonal, lacking, 0.0) + shift


def _inverse(d: Array, smallest: float) -> Array:
    out = np.zeros(d.size)
    np.divide(1.0, d, out=out, where=d > smallest)
    return out
