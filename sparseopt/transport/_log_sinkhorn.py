"""Sinkhorn's iteration on potentials: stable at any strength, one pass over the costs a sweep."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._core import Run, iterate
from .._core._validate import positive
from ._costs import CostLike, tiles
from ._entropic_result import SINKHORN, EntropicState
from ._gibbs import exponents
from ._problem import Problem

Array = np.ndarray[Any, Any]

BLOCK = 1 << 15  # entries of a block: the passes around one exponential share it in cache
UNDERFLOW = 1e-250  # a column sum below it may have lost entries, and is taken in logarithms
LOWEST, HIGHEST = -690.0, 690.0  # of logarithms: subnormal numbers are slow, infinite ones bad
PERIOD = 10  # least number of sweeps over which the rate is measured
LARGEST = 1.995  # factor of over-relaxation
MEMORY = 20.0  # sweeps done so far, times the distance of the factor from 2: at least this
LESS = 0.95  # by this a factor that may be too large comes closer to 1


@dataclasses.dataclass(eq=False, kw_only=True)
class SweepState(EntropicState):
    """Potentials with their certificate, and those of the next sweep, found in the same pass."""

    following: tuple[Array, Array]
    omega: float
    mark: float
    age: int


def solve_log_sinkhorn(
    problem: Problem,
    eps: float,
    start: tuple[Array | None, Array] | None,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[EntropicState], object] | None = None,
    progress: bool = False,
    omega: float | None = None,
) -> Run[Any]:
    r"""Sinkhorn's iteration in the log domain, over-relaxed.

    .. math::
        f_i \leftarrow f_i + \omega\,\varepsilon \log\frac{a_i}{(P1)_i}, \qquad
        g_j \leftarrow g_j + \omega\,\varepsilon \log\frac{b_j}{(P^\top 1)_j}

    With ``omega`` 1 each half is the exact maximisation of the dual objective F over one block.
    ``None`` estimates the best factor from the rate seen, :math:`2 / (1 + \sqrt{1 - \mu})` for the
    rate :math:`\mu` of the plain iteration. What an atom adds to F has a closed form, so atoms
    whose step would lower F take the factor 1: F never decreases.

    References
    ----------
    A. Thibault, L. Chizat, C. Dossal, N. Papadakis (2021). Overrelaxed Sinkhorn-Knopp algorithm
    for regularized optimal transport. Algorithms 14(5), arXiv 1711.01851.

    T. Lehmann, M.-K. von Renesse, A. Sambale, A. Uschmajew (2022). A note on overrelaxation in the
    Sinkhorn algorithm. Optimization Letters 16, arXiv 2012.12562.
    """
    if omega is not None:
        omega = positive("omega", omega)
        if omega >= 2.0:
            raise ValueError(f"omega must be below 2, got {omega}")
    f, g = first_potentials(problem, eps, start)

    def at(f: Array, g: Array, omega: float, mark: float, age: int) -> SweepState:
        fun, certificate, following = sweep(problem, eps, f, g, omega)
        return SweepState(
            x=(f, g),
            f=f,
            g=g,
            fun=fun,
            certificate=certificate,
            extra={"phase": SINKHORN, "eps": eps, "omega": omega},
            following=following,
            omega=omega,
            mark=mark,
            age=age,
        )

    def step(now: SweepState) -> SweepState:
        factor, mark, age = now.omega, now.mark, now.age + 1
        if omega is None:
            half = max(PERIOD, math.ceil(1.0 / (2.0 - factor)))
            if age == half:  # what the last change of the factor stirred up has died down
                mark = now.certificate
            elif age == 2 * half:
                factor = best_factor(factor, now.certificate, mark, half)
                factor = min(factor, max(1.0, 2.0 - MEMORY / now.nit))
                age = 0
        return at(*now.following, factor, mark, age)

    return iterate(
        at(f, g, 1.0 if omega is None else omega, math.nan, 0),
        step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="log-domain Sinkhorn",
    )


def first_potentials(
    problem: Problem, eps: float, start: tuple[Array | None, Array] | None
) -> tuple[Array, Array]:
    """The start, with f the exact answer to g where it was not given."""
    f, g = (None, np.zeros(problem.b.size)) if start is None else start
    if f is None:
        f = sweep(problem, eps, np.zeros(problem.a.size), g)[2][0]
    return f, g


def best_factor(omega: float, error: float, before: float, sweeps: int) -> float:
    """The over-relaxation that the decrease of the error over some sweeps calls for.

    Below the best factor, the rate tells that of the plain iteration and so the best factor; above
    it, the rate is the factor less 1 and tells nothing else.
    """
    rate = (error / before) ** (1.0 / sweeps) if 0.0 < error < before else 1.0
    if rate >= 1.0:
        return 0.5 * (1.0 + omega)
    if rate <= omega - 1.0:
        return 1.0 + LESS * (omega - 1.0)
    plain = min((rate + omega - 1.0) ** 2 / (rate * omega * omega), 1.0)
    return min(2.0 / (1.0 + math.sqrt(1.0 - plain)), LARGEST)


def sweep(
    problem: Problem, eps: float, f: Array, g: Array, omega: float = 1.0
) -> tuple[float, float, tuple[Array, Array]]:
    """Dual objective and marginal error of potentials, and the potentials after a sweep.

    One exponential for each pair of atoms: entries are taken relative to the largest of their row,
    and the rows scaled to their new sums give the columns, but for columns that lie so far below
    the largest entries of all their rows that they would vanish.
    """
    a, b = problem.a, problem.b
    log_rows, move = np.empty(a.size), np.empty(a.size)
    sums = np.zeros((2, b.size))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        for begin, end, Z in blocks(problem.cost, eps, f, g):
            top = Z.max(axis=1)
            Z -= top[:, None]
            np.maximum(Z, LOWEST, out=Z)
            np.exp(Z, out=Z)
            here = slice(begin, end)
            log_rows[here] = top + np.log(Z.sum(axis=1))
            move[here] = relaxed(log_rows[here] - np.log(a[here]), omega)
            sums += np.exp(np.stack([np.minimum(top, HIGHEST), top + move[here]])) @ Z
        following = f + eps * move
        log_cols = np.log(sums[1])
        lost = np.flatnonzero(sums[1] < UNDERFLOW)
        if lost.size:
            log_cols[lost] = _log_columns(problem.cost, eps, following, lost) + g[lost] / eps
        after = g + eps * relaxed(log_cols - np.log(b), omega)
        rows = np.exp(log_rows)
        fun = float(a @ f + b @ g - eps * rows.sum())
        error = float(np.abs(rows - a).sum() + np.abs(sums[0] - b).sum())
    return fun, error / problem.mass, (following, after)


def relaxed(excess: Array, omega: float) -> Array:
    r"""Steps that take logarithms of sums to ``excess`` above what is wanted back to zero, or over.

    An atom of mass w with excess x adds :math:`w \varepsilon (e^x - e^{(1 - \omega) x} - \omega x)`
    to the dual objective; where that is negative it takes the plain step.
    """
    if omega == 1.0:
        return -excess
    gain = np.exp(excess) - np.exp((1.0 - omega) * excess) - omega * excess
    return np.where(gain >= 0.0, -omega * excess, -excess)


def blocks(cost: CostLike, eps: float, f: Array, g: Array) -> Iterator[tuple[int, int, Array]]:
    """Run through (f + g - C) / eps: first row, row after the last, and an array to be used up."""
    height = max(1, BLOCK // g.size)
    for start, stop, C in tiles(cost):
        for begin in range(start, stop, height):
            end = min(begin + height, stop)
            part = C[begin - start : end - start]
            yield begin, end, exponents(part, f[begin:end], g, eps, np.empty_like(part))


def _log_columns(cost: CostLike, eps: float, f: Array, cols: Array) -> Array:
    """Logarithms of the sums of exp((f_i - C_ij) / eps) over rows, for some columns."""
    top, total = np.full(cols.size, -np.inf), np.zeros(cols.size)
    for start, stop, C in tiles(cost):
        Z = (f[start:stop, None] - C[:, cols]) / eps
        higher = np.maximum(top, Z.max(axis=0))
        known = np.isfinite(higher)  # columns with a finite cost so far
        top, before = higher, top
        total[known] *= np.exp(before[known] - top[known])
        total[known] += np.exp(Z[:, known] - top[known]).sum(axis=0)
    return top + np.log(total)
