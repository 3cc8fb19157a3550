"""What block coordinate methods ask of a loss of ``A x``: bounds, blocks, moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._design import DenseDesign, SparseDesign, as_design

Array = np.ndarray[Any, Any]


class BlockMethods:
    r"""Coordinates are the entries of ``x.ravel()``: ``i * k + c`` is column i of A, column c of x.

    The Hessian is bounded by :math:`H = \kappa A^T W A` in each column of x, where :math:`\kappa`
    is ``curvature_bound``. Dense matrices are kept transposed, sparse ones in compressed columns,
    both made on first use.
    """

    curvature_bound: float | None
    third_bound: float | None
    is_quadratic: bool
    intercept: bool
    sample_weights: Array | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    y: Array
    A: Any
    _columns: DenseDesign | SparseDesign | None = None

    def coordinate_bounds(self) -> Array:
        """Lipschitz constants of the partial derivatives, shape (p,)."""
        bound = self._block_curvature()
        design, weights = self._design(), self._row_weights()
        squares = design.power_sums(None, 2, weights)
        if self.intercept:
            noise = squares * (len(self.y) * np.finfo(np.float64).eps) ** 2
            squares = design.centred_squares(weights)
            squares = np.where(squares > noise, squares, 0.0)  # zero for constant columns
        return self._spread(bound * squares)

    def row_sums(self) -> Array:
        """``sum_j |H_ij|`` for each coordinate i, shape (p,); H is never formed whole."""
        bound = self._block_curvature()
        sums = self._design().absolute_gram_sums(self._row_weights(), self._means())
        return self._spread(bound * sums)

    def block_gradient(self, block: Array, u: Array) -> Array:
        """The block's part of ``pull_back(u)``."""
        design = self._design()
        columns, classes = self._split(block)
        return design.products(columns, classes, u).astype(self.dtype, copy=False)

    def block_bound(self, block: Array) -> Array:
        """The block's square of H."""
        bound = self._block_curvature()
        columns, classes = self._split(block)
        gram = bound * self._design().gram(columns, self._row_weights(), centred=self.intercept)
        return self._same_class(gram, classes)

    def block_hessian(self, block: Array, z: Array) -> Array:
        """The block's square of the Hessian at ``z``."""
        if self.is_quadratic:
            return self.block_bound(block)
        design = self._design()
        columns, classes = self._split(block)
        curvature = self.curvature_at(z)
        if classes is None:
            return design.gram(columns, curvature).astype(self.dtype, copy=False)
        result = np.zeros((columns.size, columns.size), self.dtype)
        for c in np.unique(classes):
            members = np.flatnonzero(classes == c)
            square = design.gram(columns[members], curvature[:, c])
            result[np.ix_(members, members)] = square
        return result

    def third_order(self, block: Array) -> tuple[Array, float]:
        """Lipschitz constants of the second derivatives: per coordinate, and of the block."""
        design = self._design()
        if self.third_bound is None:
            raise TypeError(f"{type(self).__name__} has no bound on its third derivative")
        columns, classes = self._split(block)
        if self.third_bound == 0.0:
            return np.zeros(columns.size, self.dtype), 0.0
        weights = self._row_weights()
        cubes = self.third_bound * design.power_sums(columns, 3, weights)
        lengths = self._row_lengths(design, columns, classes)
        sums = lengths.sum(0) if weights is None else weights @ lengths
        of_block = self.third_bound * float(np.max(sums, initial=0.0))
        return cubes.astype(self.dtype, copy=False), of_block

    def move(self, z: Array, block: Array, d: Array) -> None:
        """Change ``z`` in place for a change ``d`` of the block's coordinates."""
        columns, classes = self._split(block)
        self._design().add(z, columns, classes, np.asarray(d))

    def curvature_at(self, z: Array) -> Array:
        """Second derivatives in z, weighted."""
        raise NotImplementedError

    def _row_lengths(
        self, design: DenseDesign | SparseDesign, columns: Array, classes: Array | None
    ) -> Array:
        """Cubed length of the block's part of every row of A, one column per class."""
        if classes is None:
            return design.row_squares(columns)[:, None] ** 1.5
        squares = [design.row_squares(columns[classes == c]) for c in np.unique(classes)]
        lengths: Array = np.stack(squares, axis=1) ** 1.5
        return lengths

    def _design(self) -> DenseDesign | SparseDesign:
        """The columns of A, checked and made ready on first use."""
        if self._columns is None:
            if self.intercept and not self.is_quadratic:
                raise TypeError(
                    f"block methods of {type(self).__name__} take no intercept, got intercept=True"
                )
            if self.dtype.kind == "c":
                raise TypeError(f"block methods need real data, got dtype {self.dtype}")
            self._columns = as_design(self.A)
        return self._columns

    def _block_curvature(self) -> float:
        if self.curvature_bound is None:
            raise TypeError(f"{type(self).__name__} has no global bound on its Hessian")
        return self.curvature_bound

    def _row_weights(self) -> Array | None:
        return None if self.sample_weights is None else self.sample_weights.reshape(-1)

    def _means(self) -> Array | None:
        """The g for which ``A' W A - g g'`` is the Hessian with an intercept."""
        if not self.intercept:
            return None
        weights = self._row_weights()
        if weights is None:
            weights = np.ones(self.y.shape[0], self.dtype)
        sums: Array = self._design().transposed_product(weights) / np.sqrt(weights.sum())
        return sums

    def _split(self, block: Array) -> tuple[Array, Array | None]:
        """Columns of A and columns of x of the coordinates; None if x is a vector."""
        block = np.asarray(block, np.int64)
        if len(self.shape) == 1:
            return block, None
        columns, classes = np.divmod(block, self.shape[1])
        return columns, classes

    def _spread(self, values: Array) -> Array:
        """One value per column of A as one per coordinate."""
        values = values.astype(self.dtype, copy=False)
        return values if len(self.shape) == 1 else np.repeat(values, self.shape[1])

    def _same_class(self, gram: Array, classes: Array | None) -> Array:
        """Separate columns of x do not interact."""
        if classes is not None:
            gram = gram * (classes[:, None] == classes)
        return gram.astype(self.dtype, copy=False)
