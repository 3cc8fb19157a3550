r"""The kernel :math:`P_{ij} = \exp((f_i + g_j - C_{ij}) / \varepsilon)`: dense, or what matters of it.

Both forms keep P at some potentials and factors u, v on top of them, so that a sweep of Sinkhorn or
a trial step costs two products and no exponential. `absorb` moves the factors into P.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._costs import tiles
from ._problem import Problem

Array = np.ndarray[Any, Any]

DENSE = 1 << 27  # entries of a kernel that is kept whole: 1 GB
FULL = 1.0 / 3.0  # a model with more of its entries is not worth a sparse format


class Gibbs:
    """What both forms share: potentials, factors and the updates of them."""

    P: Any

    def __init__(self, problem: Problem, eps: float, f: Array, g: Array) -> None:
        self.problem, self.eps = problem, eps
        self.f, self.g = f, g
        self.u, self.v = np.ones(f.size), np.ones(g.size)

    def forward(self, v: Array) -> Array:
        """P v, without the factors."""
        return self.P @ v

    def backward(self, u: Array) -> Array:
        """P' u, without the factors."""
        return u @ self.P

    def potentials(self) -> tuple[Array, Array]:
        """Potentials with the factors in them."""
        return self.f + self.eps * np.log(self.u), self.g + self.eps * np.log(self.v)

    def absorb(self) -> None:
        """Move the factors into the kernel and the potentials."""
        self.f, self.g = self.potentials()
        self._multiply(self.u, self.v)
        self.u, self.v = np.ones_like(self.u), np.ones_like(self.v)

    def _multiply(self, u: Array, v: Array) -> None:
        raise NotImplementedError

    def model(self, threshold: float) -> Any:
        """The entries of at least ``threshold``, CSR or dense; the factors must be absorbed."""
        raise NotImplementedError


class DenseGibbs(Gibbs):
    """All entries in one array."""

    def __init__(self, problem: Problem, eps: float, f: Array, g: Array) -> None:
        super().__init__(problem, eps, f, g)
        self.P = np.empty(problem.cost.shape)
        for start, stop, C in tiles(problem.cost):
            exponents(C, f[start:stop], g, eps, self.P[start:stop])
        np.exp(self.P, out=self.P)

    def _multiply(self, u: Array, v: Array) -> None:
        self.P *= u[:, None]
        self.P *= v

    def model(self, threshold: float) -> Any:
        """See `Gibbs.model`."""
        return collect(self.P, threshold)


class SparseGibbs(Gibbs):
    """The entries above a cut at the potentials it was made with; the rest counts as zero."""

    def __init__(self, problem: Problem, eps: float, f: Array, g: Array, cut: float) -> None:
        super().__init__(problem, eps, f, g)


def exponents(C: Array, f: Array, g: Array, eps: float, out: Array) -> Array:
    """(f + g - C) / eps."""
    np.subtract(g, C, out=out)
    out += f[:, None]
    out *= 1.0 / eps
    return out


def collect(P: Array, threshold: float) -> Any:
    """The entries of at least ``threshold`` as CSR, or P itself where they are many."""
    from scipy.sparse import csr_array

    n, m = P.shape
    counts = np.empty(n, np.int64)
    total = _count(P, threshold, counts)
    if total > FULL * n * m:
        return P
    indptr = np.zeros(n + 1, np.int32)
    np.cumsum(counts, out=indptr[1:])
    indices, data = np.empty(total, np.int32), np.empty(total)
    _fill(P, threshold, indptr, indices, data)
    return csr_array((data, indices, indptr), shape=P.shape)


@jit
def _count(P, threshold, counts):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(P.shape[0]):
        found = 0
        for j in range(P.shape[1]):
            found += P[i, j] >= threshold
        counts[i] = found
        total += found
    return total


@jit
def _fill(P, threshold, indptr, indices, data):  # type: ignore[no-untyped-def]
    for i in range(P.shape[0]):
        k = indptr[i]
        for j in range(P.shape[1]):
            if P[i, j] >= threshold:
                indices[k] = j
                data[k] = P[i, j]
                k += 1
