"""Matrices and constants of blocks, kept where the blocks are fixed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses._design import csc_square
from ._bcd_model import factor_spd, largest_eigenvalue, solve_factor
from ._bcd_state import Workspace

Array = np.ndarray[Any, Any]

CACHE_BYTES = 2**28  # what factors and matrices of fixed blocks may take


class Curvature:
    """``H_b``, its factor and its largest eigenvalue; ``index`` is a fixed block's, or -1."""

    def __init__(self, work: Workspace) -> None:
        self.work = work
        self._bounds: dict[int, Array] = {}
        self._factors: dict[int, tuple[str, Array]] = {}
        self._constants: dict[int, float] = {}
        self._room = CACHE_BYTES
        self._place = np.full(work.p if work.Q is not None else 0, -1, np.intp)

    def bound(self, block: Array, index: int) -> Array:
        """The bound ``H_b`` on the block's Hessian, in double precision."""
        if index in self._bounds:
            return self._bounds[index]
        gram = self.work.gram
        if block.size == 1:
            return self.work.bounds[block].reshape(1, 1)
        if gram is not None and np.all(gram.slot[block] >= 0):
            H = gram.columns[np.ix_(block, gram.slot[block])]
        elif self.work.Q is not None:
            H = self._square(block)
        else:
            H = np.asarray(self.work.loss.block_bound(block), np.float64)
        if index >= 0 and self._take(H.nbytes):
            self._bounds[index] = H
        return H

    def _square(self, block: Array) -> Array:
        """The block of a sparse quadratic, without touching the other coordinates."""
        Q, H = self.work.Q, np.zeros((block.size, block.size))
        self._place[block] = np.arange(block.size)
        csc_square(Q.data, Q.indices, Q.indptr, block, self._place, H)
        self._place[block] = -1
        return H

    def solve(self, block: Array, index: int, rhs: Array) -> Array:
        """``H_b^{-1} rhs``."""
        if index in self._factors:
            return solve_factor(self._factors[index], rhs)
        factor = factor_spd(self.bound(block, index))
        if index >= 0 and self._take(factor[1].nbytes):
            self._factors[index] = factor
        return solve_factor(factor, rhs)

    def constant(self, block: Array, index: int) -> float:
        """``L_b``, the largest eigenvalue of ``H_b``."""
        if block.size == 1:
            return float(self.work.bounds[block[0]])
        if index in self._constants:
            return self._constants[index]
        value = largest_eigenvalue(self.bound(block, index))
        if index >= 0:
            self._constants[index] = value
        return value

    def hessian(self, block: Array, index: int) -> Array:
        """The block of the Hessian at the iterate; constant for quadratics."""
        if self.work.is_quadratic:
            return self.bound(block, index)
        return np.asarray(self.work.loss.block_hessian(block, self.work.z), np.float64)

    def _take(self, size: int) -> bool:
        self._room -= size
        return self._room >= 0
