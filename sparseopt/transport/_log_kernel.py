r"""Products with :math:`e^{-C/\varepsilon}` in the log domain, axis by axis where C is a sum."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from .._core import jit
from ._costs import CostLike
from ._grid_cost import GridCost

Array = np.ndarray[Any, Any]

SAFE = 1e-280  # sums above it have lost nothing to underflow
SMALL = -45.0  # logarithm of terms that do not count


class Factor:
    r"""Log-sum-exp with a matrix: :math:`\log \sum_s \exp(L_{ks} + G_{rs})`.

    It is one product with :math:`e^G` after the largest entry of G and of each row of L are taken
    out. Sums that may have lost terms to underflow are done again, term by term.
    """

    def __init__(self, G: Array) -> None:
        self.G = G

    @cached_property
    def _peak(self) -> float:
        peak = float(self.G.max())
        return peak if peak > -np.inf else 0.0

    @cached_property
    def _K(self) -> Array:
        return np.ascontiguousarray(np.exp(self.G - self._peak).T)

    def __call__(self, L: Array) -> Array:
        """For each row of L (k, s) all sums (k, r)."""
        top = L.max(axis=1)
        alive = top > -np.inf
        top = np.where(alive, top, 0.0)
        sums = np.exp(L - top[:, None]) @ self._K
        lost = (sums < SAFE) & alive[:, None]
        with np.errstate(divide="ignore"):
            found = np.log(sums, out=sums)
        found += (top + self._peak)[:, None]
        if lost.any():
            rows, cols = np.nonzero(lost)
            _sum_again(np.ascontiguousarray(L), self.G, rows, cols, found)
        return found

    def weighted(self, C: Array) -> Factor:
        """The sums with further weights, whose logarithms enter G."""
        with np.errstate(divide="ignore"):
            return Factor(self.G + np.log(C))


@jit
def _sum_again(L, G, rows, cols, found):  # type: ignore[no-untyped-def]
    """The sums at some places, from the terms that are not small beside the largest."""
    size = L.shape[1]
    for at in range(rows.size):
        k, r = rows[at], cols[at]
        top = -np.inf
        for s in range(size):
            top = max(top, L[k, s] + G[r, s])
        total = 0.0
        if top > -np.inf:
            for s in range(size):
                term = L[k, s] + G[r, s] - top
                if term > SMALL:
                    total += math.exp(term)
            top += math.log(total)
        found[k, r] = top


class DenseKernel:
    """The kernel of a cost whose matrix is made."""

    def __init__(self, C: Array, eps: float) -> None:
        self.eps = eps
        self._over_cols = Factor(C / -eps)

    @cached_property
    def _over_rows(self) -> Factor:
        return Factor(np.ascontiguousarray(self._over_cols.G.T))

    def rows(self, g: Array) -> Array:
        r""":math:`\log \sum_j \exp((g_j - C_{ij})/\varepsilon)` for one g or several."""
        return self._over_cols(np.atleast_2d(g) / self.eps).reshape(*g.shape[:-1], -1)

    def cols(self, f: Array) -> Array:
        r""":math:`\log \sum_i \exp((f_i - C_{ij})/\varepsilon)` for one f or several."""
        return self._over_rows(np.atleast_2d(f) / self.eps).reshape(*f.shape[:-1], -1)


class GridKernel:
    """The kernel of a `GridCost` of all cells; it is symmetric."""

    def __init__(self, cost: GridCost, eps: float) -> None:
        self.cells, self.eps = cost.cells, eps
        self.costs = [cost.axis(d) for d in range(len(cost.cells))]
        self._factors = [Factor(C / -eps) for C in self.costs]

    def rows(self, g: Array) -> Array:
        r""":math:`\log \sum_j \exp((g_j - C_{ij})/\varepsilon)` for one g or several."""
        return self._apply(g / self.eps, self._factors)

    cols = rows

    def cost(self, f: Array, g: Array) -> float:
        r""":math:`\langle C, P\rangle` of the plan with these potentials."""
        total = 0.0
        for d, C in enumerate(self.costs):
            factors = list(self._factors)
            factors[d] = factors[d].weighted(C)
            total += float(np.exp(f / self.eps + self._apply(g / self.eps, factors)).sum())
        return total

    def least(self, g: Array) -> Array:
        r""":math:`\min_j C_{ij} - g_j`."""
        found = -g.reshape(self.cells)
        for d, C in enumerate(self.costs):
            lines = np.moveaxis(found, d, -1)
            least = np.stack([(lines + row).min(axis=-1) for row in C], axis=-1)
            found = np.moveaxis(least, -1, d)
        return found.ravel()

    def product_cost(self, a: Array, b: Array) -> float:
        r""":math:`\sum_{ij} a_i C_{ij} b_j`."""
        a, b = a.reshape(self.cells), b.reshape(self.cells)
        total = 0.0
        for d, C in enumerate(self.costs):
            others = tuple(k for k in range(len(self.cells)) if k != d)
            total += float(a.sum(axis=others) @ C @ b.sum(axis=others))
        return total

    def _apply(self, L: Array, factors: list[Factor]) -> Array:
        lead = L.shape[:-1]
        values = L.reshape(-1, *self.cells)
        for d, factor in enumerate(factors):
            lines = np.moveaxis(values, d + 1, -1)
            done = factor(lines.reshape(-1, lines.shape[-1])).reshape(lines.shape)
            values = np.moveaxis(done, -1, d + 1)
        return values.reshape(*lead, -1)


def log_kernel(cost: CostLike, eps: float) -> DenseKernel | GridKernel:
    """The kernel of a cost, separable where it can be."""
    if isinstance(cost, GridCost) and cost.whole:
        return GridKernel(cost, eps)
    return DenseKernel(cost.tile(0, cost.shape[0]), eps)
