r"""Sinkhorn-Newton-Sparse made robust: the default solver of entropic transport.

The dual is climbed by Newton steps whose system, a bipartite graph Laplacian, is thinned out with a
bound on the mass left out, along a path of falling strengths. What each rule is for:

- an entry is left out of the model only if its whole row and column lose at most a share of their
  mass that falls with the error: the model error stays a fraction of the gradient;
- a shift of the diagonal, proportional to the error, keeps components of the thinned graph that
  are joined only by dropped mass from blowing up;
- a column scaling before every step makes half of the residual zero and is itself an ascent;
- the line search compares changes of the objective, not objectives, and allows for rounding;
- each stage of the path starts from the potentials extrapolated through the two before it;
- entries that no longer matter are not touched again until a last pass over all of them.

X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying (2024),
arXiv 2401.12253, have the sparse Newton step; Z. Tang and Y. Qiu (NeurIPS 2024) bound the mass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Run, iterate
from ._entropic_result import DOUBTS, NEWTON, NO_DIGITS, SINKHORN, EntropicState
from ._feasibility import infeasible
from ._gibbs import Gibbs, confirmed, first_kernel, kernel_state, marginal_error
from ._laplacian import solve_bipartite
from ._problem import Problem

Array = np.ndarray[Any, Any]

SWEEPS = 10  # of Sinkhorn at the start of a stage
START = 0.05  # of the span of the costs: the strength of the first stage
RATIO = 4.0  # of the strengths of neighbouring stages
STAGE_TOL = 3e-3  # error at which a stage before the last ends
PATIENCE_FAR = 8  # steps in one stage that are cut to the largest length
RETREAT = 64.0  # factor of the strength when these were more
RETREAT_TOL = 0.05  # and that of the tolerance of the stages
PATIENCE = 40  # sweeps that a Newton step may be put off for
SHIFT = 1e-2  # of the diagonal at the start, times the error
SHARE = 0.01  # of the error: mass left out of the model
CLIP = 10.0  # largest change of a potential in a step, in units of the strength, at first
FAR = 80.0  # the same after many such steps
ROUNDING = 1e-15  # of the mass: a fall of the objective that may be noise
HALVINGS = 30
PROOF = 20  # steps between two attempts to prove that no plan exists


def solve_newton(
    problem: Problem,
    eps: float,
    start: tuple[Array | None, Array] | None,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> Run[EntropicState]:
    """Solve along a path of strengths that ends at ``eps``."""
    path = _Path(problem, eps, tol, max_iter)
    return iterate(
        path.begin(start),
        path.step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="entropic transport",
    )


class _Path:
    """What the steps carry along beside the potentials."""

    kernel: Gibbs

    def __init__(self, problem: Problem, eps: float, tol: float, max_iter: int) -> None:
        self.problem, self.eps, self.tol, self.max_iter = problem, eps, tol, max_iter
        self.ends: list[tuple[float, Array, Array]] = []
        self.done = self.doubts = self.steps = 0
        self.stage_tol = STAGE_TOL
        # Below this strength an entry of the kernel has no digit that is right.
        self.least = 4.0 * float(np.finfo(float).eps) * problem.span

    def begin(self, start: tuple[Array | None, Array] | None) -> EntropicState:
        """The state before the first sweep."""
        n, m = self.problem.cost.shape
        f, g = (None, np.zeros(m)) if start is None else start
        eps = self.eps if start is not None else max(self.eps, START * self.problem.span)
        self._enter(first_kernel(self.problem, eps, np.zeros(n) if f is None else f, g))
        return self._state(SINKHORN, 0)

    def _enter(self, kernel: Gibbs) -> None:
        self.kernel = kernel
        self.shift, self.clip, self.pace = SHIFT, CLIP, 0.0
        self.swept = self.far = 0

    @property
    def last(self) -> bool:
        return self.kernel.eps == self.eps

    @property
    def goal(self) -> float:
        return self.tol if self.last else max(self.stage_tol, self.tol)

    def _state(self, phase: float, advance: int) -> EntropicState:
        stalled = ""
        if self.last and self.kernel.error <= self.tol and not self._confirmed():
            stalled = NO_DIGITS
        elif self.last and self.eps < self.least and self.steps > 0:
            stalled = NO_DIGITS
            with np.errstate(over="ignore", invalid="ignore"):  # what the rounded potentials give
                error = marginal_error(self.problem, self.eps, *self.kernel.potentials())
            self.kernel.error = math.inf if math.isnan(error) else error
        elif self.problem.forbidden and self.steps % PROOF == 0:
            stalled = infeasible(self.problem, self.kernel.potentials()[0])
        self.done += advance
        if self.done >= self.max_iter and not self.last:  # end where the caller wanted to be
            self._enter(first_kernel(self.problem, self.eps, *self.kernel.potentials()))
        return kernel_state(self.kernel, phase, advance, last=self.last, stalled=stalled)

    def _confirmed(self) -> bool:
        """Measure the error on all entries; if it is too large, go on with all of them.

        False if that has been tried and changed nothing: rounding is what is left.
        """
        kernel = confirmed(self.kernel, self.tol)
        if kernel is not self.kernel:
            self.doubts += 1
            self._enter(kernel)
        return self.doubts <= DOUBTS

    def step(self, state: EntropicState) -> EntropicState:
        """Some sweeps, a Newton step, or the next stage of the path."""
        self.steps += 1
        if self.kernel.error <= self.goal:
            self._next_stage()
        elif self.far > PATIENCE_FAR and self.stage_tol > self.tol:
            self._retreat()
        elif self.kernel.stale():
            self._renew()
        if self.swept < SWEEPS:
            return self._sweeps(SWEEPS - self.swept)
        wanted = self._sweeps_left()
        if wanted <= PATIENCE:
            return self._sweeps(min(wanted, 2 * SWEEPS))
        return self._newton()

    def _next_stage(self) -> None:
        self.kernel.absorb()
        eps, f, g = self.kernel.eps, self.kernel.f, self.kernel.g
        self.ends.append((eps, f, g))
        following = eps / RATIO if eps > 1.5 * RATIO * self.eps else self.eps
        if following < self.least:
            following = self.eps
        if len(self.ends) > 1:
            before, f0, g0 = self.ends[-2]
            weight = (following - eps) / (eps - before)
            f, g = f + weight * (f - f0), g + weight * (g - g0)
        self._enter(self.kernel.trimmed().at(following, f, g))

    def _retreat(self) -> None:
        """Go back to a larger strength, where the way is shorter, and end its stage later.

        Some mass below the tolerance of the stages is still in the wrong place, many strengths
        away from its own.
        """
        self.stage_tol = max(self.tol, RETREAT_TOL * self.stage_tol)
        eps = min(RETREAT * self.kernel.eps, max(self.eps, START * self.problem.span))
        self.ends.clear()
        self._enter(first_kernel(self.problem, eps, *self.kernel.potentials()))

    def _renew(self) -> None:
        """Choose the entries to keep anew."""
        kernel = first_kernel(self.problem, self.kernel.eps, *self.kernel.potentials())
        kernel.absorb()
        self.kernel = kernel.trimmed()
        self.kernel.set_rows(self.kernel.u)

    def _sweeps_left(self) -> int:
        """How many sweeps the goal is away at the pace of the last ones."""
        if not 0.0 < self.pace < 1.0:
            return 1 << 30
        return max(1, math.ceil(math.log(self.goal / self.kernel.error) / math.log(self.pace)))

    def _sweeps(self, count: int) -> EntropicState:
        kernel, done, before = self.kernel, 0, self.kernel.error
        count = min(count, self.max_iter - self.done)
        while done < count and kernel.error > self.goal:
            before = kernel.error
            kernel = self.kernel = kernel.sweep()
            done += 1
        self.swept += max(done, 1)
        self.pace = kernel.error / before if done and before > 0.0 else 0.0
        return self._state(SINKHORN, done)

    def _newton(self) -> EntropicState:
        """A step along the Newton direction, or sweeps where there is none or it does not help."""
        self.kernel.absorb()
        direction = self._direction()
        if direction is not None:
            found = self._search(*direction)
            if found is not None:
                self.kernel = self.kernel.moved(*found)
                self.pace = 0.0
                return self._state(NEWTON, 1)
            self.shift *= 16.0
        self.swept = 0
        return self._sweeps(SWEEPS)

    def _direction(self) -> tuple[Array, Array] | None:
        """Changes of the potentials in units of the strength; None if no model fits in memory."""
        kernel, a, b = self.kernel, self.problem.a, self.problem.b
        model = kernel.model(SHARE * min(kernel.error, 0.1))
        if model is None:
            return None
        shift = self.shift * min(kernel.error, 1.0)
        solution = solve_bipartite(
            model,
            kernel.rows + shift * a,
            b + shift * b,
            0.0,
            a - kernel.rows,
            np.zeros(b.size),
            rtol=max(min(1e-2, kernel.error), 1e-10),
        )
        return solution.p, solution.q

    def _search(self, p: Array, q: Array) -> tuple[Array, Array] | None:
        """Factors of a step that climbs enough; None if rounding leaves none."""
        kernel, a, b = self.kernel, self.problem.a, self.problem.b
        slope, gain = float((a - kernel.rows) @ p), float(a @ p + b @ q)
        largest = float(max(np.abs(p).max(), np.abs(q).max()))
        noise = ROUNDING * (1.0 + largest) * self.problem.mass
        length = first = min(1.0, self.clip / largest)
        for _ in range(HALVINGS):
            u, v = np.exp(length * p), np.exp(length * q)
            growth = float(u @ kernel.forward(v)) - kernel.total
            if length * gain - growth >= 1e-4 * length * slope - noise:
                break
            length /= 2.0
        else:
            return None
        if length < first:
            self.shift *= 4.0
            self.clip = max(self.clip / 2.0, CLIP)
        elif first < 1.0:
            self.far += 1
            self.clip = min(self.clip * 2.0, FAR)
        else:
            self.shift /= 2.0
        return u, v
