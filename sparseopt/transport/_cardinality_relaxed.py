"""The relaxation of cardinality-constrained transport, by proximal steps and Newton's method.

A proximal step in the plan makes the dual smooth; Newton's method on its row potentials is exact as
soon as the sets stay, and the steps get longer as the weight of the proximal term falls. As the
problem is piecewise quadratic, the outer steps end in finitely many.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .._core import State
from ..penalties import KSupport
from ._cardinality_newton import newton_step
from ._k_support import solve_columns
from ._rounding import shrink
from ._support_flow import Support

Array = np.ndarray[Any, Any]

FALL, FLOOR = 0.4, 1e-4  # the proximal weight: factor per step, least relative to the first
LONG = 50  # Newton steps after which an inner problem is left as it is
HALVINGS = 40
PATIENCE = 10  # Newton steps before the marginals are completed by a flow
LEAP = 10.0  # largest change of a potential in a step, in units of costs


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """A reduced problem: costs transposed, shape (m, n), masses, count limit and strength."""

    cost: Array
    a: Array
    b: Array
    k: int
    gamma: float

    @property
    def mass(self) -> float:
        """The total mass."""
        return float(self.a.sum())

    def fitted(self, alpha: Array, centre: Array | None, rho: float) -> Fit:
        """The best columns at row potentials; see `solve_columns`."""
        m, n = self.cost.shape
        plan, kinds = np.empty((m, n)), np.empty((m, n), np.int8)
        facts = np.empty((4, m))
        if centre is None:
            centre = self.cost[:0]
        given = (self.cost, centre, self.b, self.k, self.gamma, rho)
        solve_columns(alpha, *given, plan, kinds, facts)
        residual = self.a - plan.sum(axis=0)
        values, extra, beta, theta = facts
        fun = float(self.a @ alpha - values.sum())
        return Fit(plan, kinds, beta, theta, residual, fun, float(extra.sum()))

    def bound(self, alpha: Array) -> Fit:
        """The semi-dual objective, a lower bound of both problems, and the columns it chose."""
        return self.fitted(alpha, None, 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """Columns at some row potentials.

    ``kinds`` as in `solve_column`, the column shifts and thresholds, what the rows lack, the
    concave function that the potentials maximise, and the sum of the columns' regularisers.
    """

    plan: Array
    kinds: Array
    beta: Array
    theta: Array
    residual: Array
    fun: float
    extra: float

    def error(self, mass: float) -> float:
        """The marginal error."""
        return float(np.abs(self.residual).sum()) / mass


def inner(cost: Array, plan: Array) -> float:
    """The sum of ``cost * plan``, where nothing is sent over an infinite cost."""
    return float(np.multiply(cost, plan, where=plan > 0.0, out=np.zeros_like(plan)).sum())


@dataclasses.dataclass(eq=False, kw_only=True)
class RelaxedState(State):
    """An iterate: ``x`` and ``fun`` are the row potentials of the best bound and that bound."""

    alpha: Array
    fit: Fit
    centre: Array
    rho: float
    damping: float
    target: float
    inner: int = 0

    @property
    def plan(self) -> Array:
        """The transposed plan."""
        return self.fit.plan


class Relaxation:
    """The steps of the method, for the driver."""

    def __init__(self, columns: Columns, span: float, tol: float) -> None:
        self.columns = columns
        self.tol = tol
        product = np.outer(columns.b, columns.a) / columns.mass
        self.product = product
        spread = columns.gamma * float((product.sum(axis=1) ** 2).sum()) / columns.k
        self.scale = columns.mass * span + spread
        self.unit = max(span, columns.gamma * float(columns.b.mean()))  # of potentials
        self.rho = self.unit / float(columns.b.mean())

    def start(self, alpha: Array | None = None, plan: Array | None = None) -> RelaxedState:
        """The first iterate; with potentials or a plan of a similar problem, a nearer one."""
        rho = self.rho
        if alpha is None:
            alpha = np.zeros(self.columns.a.size)
        else:
            rho = 1e-3 * rho
            if plan is None:
                plan = self.columns.bound(alpha).plan
        centre = self.product if plan is None else plan
        state = RelaxedState(
            x=alpha,
            fun=-math.inf,
            alpha=alpha,
            fit=self.columns.fitted(alpha, centre, rho),
            centre=centre,
            rho=rho,
            damping=1e-2,
            target=1e-3,
        )
        self._measure(state)
        return state

    def step(self, old: RelaxedState) -> RelaxedState:
        """One Newton step, or one proximal step where the inner problem is solved."""
        columns = self.columns
        state = dataclasses.replace(old, extra={})
        error = old.fit.error(columns.mass)
        if error <= old.target or old.inner >= LONG:
            self._move(state, old.extra.get("gap", math.inf) <= self.tol)
            error = state.fit.error(columns.mass)
        if error > state.target:
            self._lift(state)
            self._newton(state, state.fit.error(columns.mass))
        self._measure(state)
        if state.inner % PATIENCE == PATIENCE - 1 and state.certificate > self.tol:
            self._complete(state)
        return state

    def _complete(self, state: RelaxedState) -> None:
        """Where only marginals are wrong, send the rest over entries that cost next to nothing.

        Tiny atoms can keep Newton's method from the last digits of the marginals when the
        potentials are good: their kinks are close together.
        """
        columns, fit = self.columns, state.fit
        gap, error = state.extra["gap"], state.extra["marginal_error"]
        if gap > 0.5 * self.tol or not self.tol < error < 1e-3:
            return
        bound = columns.bound(state.alpha)
        start = fit.plan * shrink(fit.plan.sum(axis=0), columns.a)
        start *= shrink(start.sum(axis=1), columns.b)[:, None]
        for share in (0.2, 1.0, 5.0):
            margin = share * self.tol * self.scale / (error * columns.mass)
            near = state.alpha - columns.cost >= bound.theta[:, None] - margin
            plan = Support(near | (start > 0.0), columns.a, columns.b, start).flow
            squares = KSupport(1.0, columns.k).value(plan.T) ** 2
            full = dataclasses.replace(
                fit,
                plan=plan,
                residual=columns.a - plan.sum(axis=0),
                extra=0.5 * columns.gamma * float(squares.sum()),
            )
            if self._certified(state, full, bound.fun):
                return

    def _certified(self, state: RelaxedState, fit: Fit, bound: float) -> bool:
        """Take a completed plan if it meets the tolerance."""
        columns = self.columns
        value = inner(columns.cost, fit.plan) + fit.extra + float(state.alpha @ fit.residual)
        short = np.abs(columns.b - fit.plan.sum(axis=1)).sum()
        error = fit.error(columns.mass) + float(short) / columns.mass
        gap = float(max(value - bound, 0.0) / self.scale)
        if max(error, gap) > self.tol:
            return False
        state.fit, state.certificate = fit, max(error, gap)
        state.extra |= {"marginal_error": error, "gap": gap}
        return True

    def _move(self, state: RelaxedState, small: bool) -> None:
        """The proximal step."""
        change = float(np.abs(state.fit.plan - state.centre).sum()) / self.columns.mass
        if state.inner < LONG and not small:
            state.rho = max(FALL * state.rho, FLOOR * self.rho)
        state.target = min(1e-3, max(1e-2 * change, 0.1 * self.tol))
        state.centre, state.inner = state.fit.plan, 0
        state.alpha = state.alpha - float(self.columns.a @ state.alpha) / self.columns.mass
        state.fit = self.columns.fitted(state.alpha, state.centre, state.rho)

    def _lift(self, state: RelaxedState) -> None:
        """Raise the potentials of rows that get nothing to where they would; it costs nothing.

        Newton's system knows nothing of such rows, and would reach them by the shift alone.
        """
        columns, fit, rho = self.columns, state.fit, state.rho
        empty = np.flatnonzero(~fit.plan.any(axis=0))
        if not empty.size:
            return
        entry = columns.cost[:, empty] - rho * state.centre[:, empty] + fit.theta[:, None]
        level = entry.min(axis=0)
        for push in (1.0, 1e-1, 1e-2, 1e-3):  # many rows may want the same column
            alpha = state.alpha.copy()
            alpha[empty] = np.maximum(level + push * rho * columns.a[empty], alpha[empty])
            raised = columns.fitted(alpha, state.centre, rho)
            if raised.fun >= fit.fun:
                state.alpha, state.fit = alpha, raised
                return

    def _newton(self, state: RelaxedState, error: float) -> None:
        columns, now = self.columns, state.fit
        shift = state.damping * min(error, 1.0) + 1e-13
        rtol = max(min(1e-2, error), 1e-10)
        step = newton_step(
            now.kinds, columns.k, columns.gamma, state.rho, now.residual, shift, rtol
        )
        slope = float(now.residual @ step)
        length = min(1.0, LEAP * self.unit / max(float(np.abs(step).max()), 1e-300))
        noise = 1e-14 * max(self.scale, abs(now.fun))
        shortened = 0
        while shortened < HALVINGS:
            alpha = state.alpha + length * step
            fit = columns.fitted(alpha, state.centre, state.rho)
            turned = float(fit.residual @ step)
            rise = fit.fun - now.fun
            # Near the end rounding hides the rise; the slope still tells a step too far.
            if rise >= 1e-4 * length * slope or (rise >= -noise and turned >= -0.5 * slope):
                state.alpha, state.fit = alpha, fit
                break
            length *= min(max(slope / (slope - turned), 0.1), 0.7) if turned < 0.0 else 0.5
            shortened += 1
        state.damping = min(max(state.damping * (4.0 if shortened else 0.25), 1e-10), 1.0)
        state.inner += 1

    def _measure(self, state: RelaxedState) -> None:
        """Bound, gap and certificate of an iterate."""
        columns, fit = self.columns, state.fit
        bound = columns.bound(state.alpha)
        if bound.fun > state.fun:
            state.x, state.fun = state.alpha, bound.fun
        # What the rows lack is priced, so that the gap of a plan with an error stays meaningful.
        value = inner(columns.cost, fit.plan) + fit.extra + float(state.alpha @ fit.residual)
        error, gap = fit.error(columns.mass), max(value - bound.fun, 0.0) / self.scale
        state.certificate = max(error, gap)
        state.extra = {"marginal_error": error, "gap": gap, "rho": state.rho}
