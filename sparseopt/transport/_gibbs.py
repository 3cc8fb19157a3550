r"""The kernel :math:`P_{ij} = \exp((f_i + g_j - C_{ij}) / \varepsilon)`: all of it, what matters of
it, or made anew for every product.

All three keep P at some potentials and factors u, v on top of them, so that a sweep of Sinkhorn or
a trial step costs two products and no exponential. `absorb` moves the factors into P.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._costs import tiles
from ._csr import CSR, collect, column_products, row_products, select, stack
from ._entropic_result import EntropicState
from ._problem import Problem

Array = np.ndarray[Any, Any]

WHOLE = 1 << 27  # entries of a kernel that is kept whole: 1 GB
FEW = 0.1  # share of significant entries below which only these are kept
NEGLIGIBLE = 1e-24  # of the mass of an atom: what the entries left out may add up to
UNDERFLOW = 600.0  # growth of an exponent that can bring back an entry that was rounded to zero
SAFE = 300.0  # exponents down to minus this are far from underflow
HARMLESS = 1e-13  # the same, at any later time
TINY = 1e-250  # sums below it may have lost digits to underflow
FARTHEST = 1e150  # factors outside of 1 / FARTHEST and this: it is time to start from the costs
FULL = 0.2  # share of entries of a model above which it is not worth a sparse format


class Gibbs:
    """What the forms share: P with factors, its row sums, and how far these are from the masses.

    Column sums are exact after `sweep` and `set_rows`; ``error`` is the marginal error of the
    rows, relative to the mass, ``noise`` the relative rounding error of an entry.
    """

    rows: Array
    total: float
    error: float

    def __init__(self, problem: Problem, eps: float, f: Array, g: Array) -> None:
        self.problem, self.eps = problem, eps
        self.f, self.g = f, g
        self.u, self.v = np.ones(f.size), np.ones(g.size)
        size = max(problem.span, float(np.abs(f).max()), float(np.abs(g).max()))
        self.noise = 4.0 * float(np.finfo(float).eps) * size / eps

    def forward(self, v: Array) -> Array:
        """P v, without the factors."""
        raise NotImplementedError

    def backward(self, u: Array) -> Array:
        """P' u, without the factors."""
        raise NotImplementedError

    def _scale(self, u: Array, v: Array) -> None:
        """Multiply rows and columns of P."""
        raise NotImplementedError

    def model(self, share: float) -> CSR | Array | None:
        """P with at most this share of every atom's mass left out, sparse or dense.

        The factors must have been absorbed. None if it would not fit in memory.
        """
        raise NotImplementedError

    def at(self, eps: float, f: Array, g: Array) -> Gibbs:
        """The kernel of another strength and other potentials, with exact column sums."""
        raise NotImplementedError

    def trimmed(self) -> Gibbs:
        """The significant entries alone, if they are few; the factors must have been absorbed."""
        return self

    def stale(self) -> bool:
        """Whether entries that were left out may matter at the present potentials."""
        return False

    def potentials(self) -> tuple[Array, Array]:
        """Potentials with the factors in them."""
        return self.f + self.eps * np.log(self.u), self.g + self.eps * np.log(self.v)

    def growth(self, f: Array, g: Array) -> float:
        """The most that f_i + g_j has grown from earlier potentials."""
        now_f, now_g = self.potentials()
        return float((now_f - f).max() + (now_g - g).max())

    def spread(self) -> float:
        """The largest ratio of two factors of one side."""
        with np.errstate(over="ignore"):
            return float(max(self.u.max() / self.u.min(), self.v.max() / self.v.min()))

    def set_rows(self, u: Array) -> None:
        """Take these row factors, and the column factors that make the column sums exact."""
        self._take(u, self.problem.b / self.backward(u))

    def sweep(self) -> Gibbs:
        """Scale the rows, then the columns, to their masses."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return self.moved(self.problem.a / self._product, self.v)

    def moved(self, u: Array, v: Array) -> Gibbs:
        """As `set_rows`; where factors would overflow, a new kernel made from ``v`` alone."""
        if _within(u):
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                exact = self.problem.b / self.backward(u)
            if _within(exact):
                self._take(u, exact)
                return self
        f, g = self.potentials()
        return first_kernel(self.problem, self.eps, f, g + self.eps * np.log(v / self.v))

    def _take(self, u: Array, v: Array) -> None:
        self.u, self.v = u, v
        self._product = self.forward(v)
        self.rows = u * self._product
        self.total = float(self.rows.sum())
        self.error = float(np.abs(self.rows - self.problem.a).sum()) / self.problem.mass

    def absorb(self) -> None:
        """Move the factors into the kernel and the potentials."""
        self.f, self.g = self.potentials()
        self._scale(self.u, self.v)
        self.u, self.v = np.ones_like(self.u), np.ones_like(self.v)
        self._product = self.rows

    def thresholds(self, share: float) -> tuple[Array, Array]:
        """Entries below that of their row or of their column add up to less than the share."""
        n, m = self.problem.cost.shape
        return self.problem.a * (share / m), self.problem.b * (share / n)


class DenseGibbs(Gibbs):
    """All entries in one array; rows and columns have been scaled once."""

    def __init__(self, problem: Problem, eps: float, f: Array, g: Array) -> None:
        super().__init__(problem, eps, f, g)
        self.chosen_at = f, g
        self.P = np.empty(problem.cost.shape)
        if problem.span + np.ptp(f) + np.ptp(g) < SAFE * eps and not problem.forbidden:
            self.f, self.g = f - f.max(), g - g.max()
            for start, stop, C in tiles(problem.cost):
                Z = exponents(C, self.f[start:stop], self.g, eps, self.P[start:stop])
                np.exp(Z, out=Z)
        else:
            top = np.empty(f.size)
            for start, stop, C in tiles(problem.cost):
                Z = exponents(C, f[start:stop], g, eps, self.P[start:stop])
                top[start:stop] = Z.max(axis=1)
                Z -= top[start:stop, None]
                np.exp(Z, out=Z)
            self.f = f - eps * top
        self.u = problem.a / self.P.sum(axis=1)
        sums = self.backward(self.u)
        if sums.min() < TINY:
            self._rescue(np.flatnonzero(sums < TINY))
        self.set_rows(self.u)

    def _rescue(self, lost: Array) -> None:
        """Make columns whose entries have underflowed anew, in the log domain."""
        f = self.f + self.eps * np.log(self.u)
        best = np.full(lost.size, np.inf)
        for start, stop, C in tiles(self.problem.cost):
            np.minimum(best, (C[:, lost] - f[start:stop, None]).min(axis=0), out=best)
        self.g = self.g.copy()
        self.g[lost] = best
        for start, stop, C in tiles(self.problem.cost):
            Z = (f[start:stop, None] + best - C[:, lost]) / self.eps
            self.P[start:stop, lost] = np.exp(Z) / self.u[start:stop, None]

    def forward(self, v: Array) -> Array:
        """See `Gibbs.forward`."""
        return self.P @ v

    def backward(self, u: Array) -> Array:
        """See `Gibbs.backward`."""
        return u @ self.P

    def _scale(self, u: Array, v: Array) -> None:
        self.P *= u[:, None]
        self.P *= v

    def model(self, share: float) -> CSR | Array | None:
        """See `Gibbs.model`."""
        kept = collect(self.P, *self.thresholds(share), FULL * self.P.size)
        return self.P if kept is None else kept

    def at(self, eps: float, f: Array, g: Array) -> Gibbs:
        """See `Gibbs.at`."""
        return DenseGibbs(self.problem, eps, f, g)

    def stale(self) -> bool:
        """See `Gibbs.stale`; here they were lost to underflow."""
        return self.growth(*self.chosen_at) > UNDERFLOW * self.eps

    def trimmed(self) -> Gibbs:
        """See `Gibbs.trimmed`."""
        kept = collect(self.P, *self.thresholds(NEGLIGIBLE), FEW * self.P.size)
        return self if kept is None else SparseGibbs(self, kept)


class SparseGibbs(Gibbs):
    """The entries of another kernel that were significant; the others count as zero."""

    def __init__(self, whole: Gibbs, kept: CSR) -> None:
        super().__init__(whole.problem, whole.eps, whole.f, whole.g)
        self.kept = kept
        self.chosen_at = whole.eps, whole.f, whole.g
        self.row = np.repeat(np.arange(kept.shape[0], dtype=np.int32), np.diff(kept.indptr))
        self.C = np.empty(kept.nnz)
        for start, stop, C in tiles(self.problem.cost):
            part = slice(kept.indptr[start], kept.indptr[stop])
            self.C[part] = C[self.row[part] - start, kept.indices[part]]

    def forward(self, v: Array) -> Array:
        """See `Gibbs.forward`."""
        out = np.empty(self.f.size)
        row_products(self.kept.indptr, self.kept.indices, self.kept.data, v, out)
        return out

    def backward(self, u: Array) -> Array:
        """See `Gibbs.backward`."""
        out = np.zeros(self.g.size)
        column_products(self.kept.indptr, self.kept.indices, self.kept.data, u, out)
        return out

    def _scale(self, u: Array, v: Array) -> None:
        self.kept.data *= u[self.row]
        self.kept.data *= v[self.kept.indices]

    def model(self, share: float) -> CSR | Array | None:
        """See `Gibbs.model`."""
        return select(self.kept, *self.thresholds(share))

    def stale(self) -> bool:
        """See `Gibbs.stale`."""
        eps, f, g = self.chosen_at
        return self.growth(f, g) > eps * -math.log(NEGLIGIBLE) - self.eps * -math.log(HARMLESS)

    def at(self, eps: float, f: Array, g: Array) -> Gibbs:
        """See `Gibbs.at`."""
        new = SparseGibbs.__new__(SparseGibbs)
        Gibbs.__init__(new, self.problem, eps, f, g)
        new.row, new.C, new.chosen_at = self.row, self.C, self.chosen_at
        Z = f[self.row]
        Z += g[self.kept.indices]
        Z -= self.C
        Z *= 1.0 / eps
        top = np.maximum.reduceat(Z, self.kept.indptr[:-1])
        Z -= top[self.row]
        np.exp(Z, out=Z)
        new.kept = CSR(self.kept.indptr, self.kept.indices, Z, self.kept.shape)
        new.f = f - eps * top
        u = self.problem.a / new.forward(new.v)
        if new.backward(u).min() < TINY:
            return first_kernel(self.problem, eps, f, g)
        new.set_rows(u)
        return new


class StreamedGibbs(Gibbs):
    """Nothing is kept: every product computes its entries again, a block of rows at a time."""

    def __init__(self, problem: Problem, eps: float, f: Array, g: Array) -> None:
        super().__init__(problem, eps, f, g)
        sums, top = np.empty(f.size), np.empty(f.size)
        for start, stop, C in tiles(problem.cost):
            Z = exponents(C, f[start:stop], g, eps, np.empty_like(C))
            top[start:stop] = Z.max(axis=1)
            Z -= top[start:stop, None]
            sums[start:stop] = np.exp(Z, out=Z).sum(axis=1)
        self.f = f - eps * top
        u = problem.a / sums
        if self.backward(u).min() < TINY:
            self._rescue(u)
        self.set_rows(u)

    def _rescue(self, u: Array) -> None:
        f = self.f + self.eps * np.log(u)
        best = np.full(self.g.size, np.inf)
        for start, stop, C in tiles(self.problem.cost):
            np.minimum(best, (C - f[start:stop, None]).min(axis=0), out=best)
        self.g = best

    def _blocks(self) -> Iterator[tuple[int, int, Array]]:
        for start, stop, C in tiles(self.problem.cost):
            Z = exponents(C, self.f[start:stop], self.g, self.eps, np.empty_like(C))
            yield start, stop, np.exp(Z, out=Z)

    def forward(self, v: Array) -> Array:
        """See `Gibbs.forward`."""
        return np.concatenate([P @ v for *_, P in self._blocks()])

    def backward(self, u: Array) -> Array:
        """See `Gibbs.backward`."""
        out = np.zeros(self.g.size)
        for start, stop, P in self._blocks():
            out += u[start:stop] @ P
        return out

    def _scale(self, u: Array, v: Array) -> None:
        pass

    def model(self, share: float) -> CSR | None:
        """See `Gibbs.model`."""
        return self._gather(share, WHOLE / 4)

    def _gather(self, share: float, limit: float) -> CSR | None:
        by_row, by_column = self.thresholds(share)
        parts: list[CSR] = []
        for start, stop, P in self._blocks():
            part = collect(P, by_row[start:stop], by_column, limit)
            if part is None or (limit := limit - part.nnz) < 0:
                return None
            parts.append(part)
        return stack(parts, self.g.size)

    def at(self, eps: float, f: Array, g: Array) -> Gibbs:
        """See `Gibbs.at`."""
        return StreamedGibbs(self.problem, eps, f, g)

    def trimmed(self) -> Gibbs:
        """See `Gibbs.trimmed`."""
        n, m = self.problem.cost.shape
        kept = self._gather(NEGLIGIBLE, min(FEW * n * m, WHOLE / 2))
        return self if kept is None else SparseGibbs(self, kept)


def first_kernel(problem: Problem, eps: float, f: Array, g: Array) -> DenseGibbs | StreamedGibbs:
    """A kernel of all entries at some potentials, kept if it fits in memory."""
    n, m = problem.cost.shape
    return (DenseGibbs if n * m <= WHOLE else StreamedGibbs)(problem, eps, f, g)


def kernel_state(
    kernel: Gibbs, phase: float, advance: int, *, last: bool = True, stalled: str = ""
) -> EntropicState:
    """What the driver is told: the certificate counts at the last strength of a path only."""
    f, g = kernel.potentials()
    problem, eps, error = kernel.problem, kernel.eps, kernel.error
    return EntropicState(
        x=(f, g),
        f=f,
        g=g,
        fun=float(problem.a @ f + problem.b @ g) - eps * kernel.total,
        certificate=error if last else math.nan,
        advance=advance,
        extra={"phase": phase, "eps": eps, "error": error},
        stalled=stalled,
    )


def marginal_sums(problem: Problem, eps: float, f: Array, g: Array) -> tuple[Array, Array]:
    """Row and column sums of the whole kernel at some potentials, in one pass."""
    rows, cols = np.empty(f.size), np.zeros(g.size)
    with np.errstate(over="ignore"):
        for start, stop, C in tiles(problem.cost):
            P = exponents(C, f[start:stop], g, eps, np.empty_like(C))
            np.exp(P, out=P)
            rows[start:stop] = P.sum(axis=1)
            cols += P.sum(axis=0)
    return rows, cols


def marginal_error(problem: Problem, eps: float, f: Array, g: Array) -> float:
    """The L1 error of both marginals of the whole kernel, relative to the mass."""
    rows, cols = marginal_sums(problem, eps, f, g)
    error = np.abs(rows - problem.a).sum() + np.abs(cols - problem.b).sum()
    return float(error) / problem.mass


def _within(factors: Array) -> bool:
    return bool(factors.min() > 1.0 / FARTHEST and factors.max() < FARTHEST)


def confirmed(kernel: Gibbs, tol: float) -> Gibbs:
    """The kernel with its error measured anew on all entries, at potentials as a result has them.

    If that is above the tolerance, it is another kernel, of all entries at these potentials.
    """
    if isinstance(kernel, DenseGibbs) and kernel.noise < 1e-2 * tol:
        return kernel
    problem = kernel.problem
    f, g = kernel.potentials()
    move = float(problem.a @ f) / problem.mass
    f, g = f - move, g + move
    error = marginal_error(problem, kernel.eps, f, g)
    if error > tol:
        kernel = first_kernel(problem, kernel.eps, f, g)
    else:
        kernel.absorb()
        kernel.f, kernel.g = f, g
    kernel.error = error
    return kernel


def exponents(C: Array, f: Array, g: Array, eps: float, out: Array) -> Array:
    """(f + g - C) / eps."""
    np.subtract(g, C, out=out)
    if f.any():
        out += f[:, None]
    out *= 1.0 / eps
    return out
