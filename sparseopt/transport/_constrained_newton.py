"""Entropic transport under linear constraints: a Sinkhorn-type iteration, then sparse Newton."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Run, iterate
from ._costs import MatrixCost, tiles
from ._entropic_result import NEWTON, SINKHORN, EntropicState
from ._gibbs import exponents
from ._laplacian import solve_bipartite
from ._log_sinkhorn import sweep
from ._problem import Problem

Array = np.ndarray[Any, Any]

SWEEPS = 10  # at the start of a stage
START, RATIO = 0.05, 4.0  # strength of the first stage over the span of costs, and of neighbours
STAGE_TOL = 1e-2  # error at which a stage before the last ends
SHIFT = 1e-2  # of the diagonal at the start, times the error
SHARE = 0.01  # of the error: mass left out of the model
DECREASE, HALVINGS = 1e-4, 30
ROUNDING = 1e-15  # of the mass: a fall of the objective that may be noise
FAILURES = 3  # line searches in a row that may fail
SINGULAR = 1e-13  # eigenvalues of the block of multipliers below it, relative, are raised to it


@dataclasses.dataclass(eq=False, kw_only=True)
class ConstrainedState(EntropicState):
    """Potentials and multipliers with their plan, slacks and gradients."""

    w: Array
    plan: Array
    rows: Array
    cols: Array
    slacks: Array
    missing: Array


def solve_constrained(
    problem: Problem,
    tilts: Array,
    at_least: Array,
    eps: float,
    start: tuple[Array | None, Array, Array] | None,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> Run[ConstrainedState]:
    r"""Solve along a path of strengths that ends at ``eps``.

    ``tilts`` (K, n, m) are the matrices of the constraints :math:`\langle E_q, P\rangle \ge 0`
    where ``at_least`` says so, else = 0. A run that ends early is measured at the last strength.
    """
    solver = _Solver(problem, tilts, at_least, eps, tol)
    run = iterate(
        solver.begin(start),
        solver.step,
        tol=tol,
        max_iter=max_iter,
        certificate="error of marginals and constraints",
        callback=callback,
        progress=progress,
        label="constrained transport",
    )
    if not math.isnan(run.state.certificate):
        return run
    state = solver.measure(run.state)
    message = run.message.replace("nan", f"{state.certificate:.2e}")
    return dataclasses.replace(run, state=state, message=message)


class _Solver:
    """The problem, the strength of the stage and the guards of the Newton steps."""

    def __init__(
        self, problem: Problem, tilts: Array, at_least: Array, eps: float, tol: float
    ) -> None:
        self.problem, self.tilts, self.at_least = problem, tilts, at_least
        self.flat = tilts.reshape(len(tilts), -1)
        self.cost = np.concatenate([C for *_, C in tiles(problem.cost)])
        self.sizes = problem.mass * np.abs(self.flat).max(axis=1)
        self.final, self.eps, self.tol = eps, eps, tol
        self._enter(eps)

    def _enter(self, eps: float) -> None:
        self.eps = eps
        self.swept, self.failures, self.shift = 0, 0, SHIFT

    def begin(self, start: tuple[Array | None, Array, Array] | None) -> ConstrainedState:
        """The state before the first sweep."""
        n, m = self.cost.shape
        if start is None:
            self._enter(max(self.final, START * self.problem.span))
            return self.at(np.zeros(n), np.zeros(m), np.zeros(len(self.tilts)), SINKHORN)
        f, g, w = start
        if f is None:
            f = sweep(self._tilted(w), self.eps, np.zeros(n), g)[2][0]
        return self.at(f, g, w, SINKHORN)

    def measure(self, now: ConstrainedState) -> ConstrainedState:
        """The same point at the last strength."""
        self._enter(self.final)
        return self.at(now.f, now.g, now.w, now.extra["phase"])

    def _tilted(self, w: Array) -> Problem:
        cost = self.cost - np.tensordot(w, self.tilts, 1)
        return dataclasses.replace(self.problem, cost=MatrixCost(cost))

    def at(self, f: Array, g: Array, w: Array, phase: float) -> ConstrainedState:
        """Plan, slacks, dual objective and errors."""
        problem, eps = self.problem, self.eps
        P = self.cost - np.tensordot(w, self.tilts, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            np.exp(exponents(P, f, g, eps, P), out=P)
            slacks = np.where(self.at_least, np.exp(-w / eps), 0.0)
            rows, cols = P.sum(axis=1), P.sum(axis=0)
            missing = slacks - self.flat @ P.ravel()
            fun = problem.a @ f + problem.b @ g - eps * (rows.sum() + slacks.sum())
            error = np.abs(rows - problem.a).sum() + np.abs(cols - problem.b).sum()
            error = float(error / problem.mass + (np.abs(missing) / self.sizes).sum())
        return ConstrainedState(
            x=(f, g, w),
            f=f,
            g=g,
            w=w,
            fun=float(fun),
            certificate=error if eps == self.final else math.nan,
            extra={"phase": phase, "eps": eps, "error": error},
            plan=P,
            rows=rows,
            cols=cols,
            slacks=slacks,
            missing=missing,
        )

    def step(self, now: ConstrainedState) -> ConstrainedState:
        """A sweep, a Newton step, or the first sweep of the next stage."""
        self._require_feasible(now)
        if self.eps > self.final and now.extra["error"] <= max(STAGE_TOL, self.tol):
            self._enter(self.eps / RATIO if self.eps > 1.5 * RATIO * self.final else self.final)
            now = self.at(now.f, now.g, now.w, SINKHORN)
        if self.swept < SWEEPS:
            return self._sweep(now)
        return self._newton(now)

    def _require_feasible(self, now: ConstrainedState) -> None:
        """No plan costs more than all mass over the largest cost, and F is a lower bound."""
        mass, sizes = self.problem.mass, self.sizes[self.at_least]
        entropy = mass * (math.log(mass) - 1.0)
        entropy += float(np.maximum(sizes * (np.log(sizes) - 1.0), 0.0).sum())
        bound = mass * self.problem.span + self.eps * entropy
        if now.fun > bound + 1e-9 * (abs(bound) + self.eps * mass):
            also = " and the forbidden pairs" if self.problem.forbidden else ""
            raise ValueError(
                f"constraints must be met by some plan, but together with the marginals{also} "
                f"they are infeasible: the dual objective {now.fun:.6g} exceeds that of every plan"
            )

    def _sweep(self, now: ConstrainedState) -> ConstrainedState:
        """Rows and columns exactly, then a guarded Newton step on the multipliers."""
        self.swept += 1
        f, g = sweep(self._tilted(now.w), self.eps, now.f, now.g)[2]
        now = self.at(f, g, now.w, SINKHORN)
        direction = self._solve(self._curvature(now), self.eps * now.missing)
        zero = np.zeros(f.size), np.zeros(g.size)
        return self._search(now, (*zero, direction), SINKHORN) or now

    def _curvature(self, now: ConstrainedState) -> Array:
        G = (self.flat * now.plan.ravel()) @ self.flat.T
        G[np.diag_indices_from(G)] += now.slacks
        return G

    def _newton(self, now: ConstrainedState) -> ConstrainedState:
        """Potentials and multipliers together, the multipliers as a Schur complement."""
        a, b, eps = self.problem.a, self.problem.b, self.eps
        error = min(now.extra["error"], 1.0)
        P, rows, cols = now.plan, now.rows, now.cols
        shift = self.shift * error
        model = self._model(P, SHARE * min(error, 0.1))
        diagonal = rows + shift * a, cols + shift * b
        rtol = max(min(1e-2, error), 1e-10)

        def solve(u: Array, v: Array, rtol: float) -> tuple[Array, Array]:
            found = solve_bipartite(model, *diagonal, 0.0, u, v, rtol=rtol)
            return found.p, found.q

        by_row = np.einsum("qij,ij->qi", self.tilts, P)
        by_col = np.einsum("qij,ij->qj", self.tilts, P)
        p, q = solve(eps * (a - rows), eps * (b - cols), rtol)
        parts = [solve(u, v, 1e-3 * rtol) for u, v in zip(by_row, by_col, strict=True)]
        tall_p, tall_q = np.array([x for x, _ in parts]), np.array([y for _, y in parts])
        G = self._curvature(now)
        G[np.diag_indices_from(G)] *= 1.0 + shift
        S = G - by_row @ tall_p.T - by_col @ tall_q.T
        r = eps * now.missing - by_row @ p - by_col @ q
        w = self._solve(0.5 * (S + S.T), r, np.diag(G))
        direction = p - w @ tall_p, q - w @ tall_q, w
        new = self._search(now, direction, NEWTON)
        if new is not None:
            self.failures = 0
            return new
        self.failures += 1
        self.shift *= 16.0
        self.swept = 0
        if self.failures > FAILURES:
            return dataclasses.replace(now, stalled="the line search refused every Newton step")
        return self._sweep(now)

    def _model(self, P: Array, share: float) -> Any:
        """P without entries that add up to more than a share of the mass of any atom."""
        from scipy.sparse import csr_array

        n, m = P.shape
        least = np.minimum(self.problem.a[:, None] / m, self.problem.b / n) * share
        kept = least <= P
        if 3 * np.count_nonzero(kept) > P.size:
            return P
        return csr_array(np.where(kept, P, 0.0))

    def _solve(self, S: Array, r: Array, scale: Array | None = None) -> Array:
        """The step of the multipliers, with eigenvalues raised where constraints are dependent."""
        root = np.sqrt(np.maximum(np.diag(S) if scale is None else scale, 1e-300))
        values, vectors = np.linalg.eigh(S / np.outer(root, root))
        values = np.maximum(values, SINGULAR)
        found: Array = (vectors @ ((vectors.T @ (r / root)) / values)) / root
        return found

    def _search(
        self, now: ConstrainedState, direction: tuple[Array, Array, Array], phase: float
    ) -> ConstrainedState | None:
        """Armijo's rule on the change of the dual objective; None if no step is accepted."""
        a, b, eps = self.problem.a, self.problem.b, self.eps
        p, q, w = direction
        linear = float(a @ p + b @ q)
        slope = float((a - now.rows) @ p + (b - now.cols) @ q + now.missing @ w)
        largest = max(float(np.abs(d).max(initial=0.0)) for d in direction) / eps
        noise = ROUNDING * eps * (1.0 + largest) * (self.problem.mass + float(now.slacks.sum()))
        if not slope > -noise:
            return None
        before, t = now.plan.sum() + now.slacks.sum(), 1.0
        for halvings in range(HALVINGS + 1):
            new = self.at(now.f + t * p, now.g + t * q, now.w + t * w, phase)
            growth = float(new.plan.sum() + new.slacks.sum() - before)
            if t * linear - eps * growth >= DECREASE * t * slope - noise:
                if phase == NEWTON:
                    self.shift *= 4.0 if halvings else 0.5
                return new
            t *= 0.5
        return None
