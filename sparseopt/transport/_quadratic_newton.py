"""Semismooth Newton for quadratic transport, on lists of the entries that can be active."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._core import Run, State, iterate
from ._costs import TILE, MatrixCost, tiles
from ._feasibility import infeasible
from ._problem import Problem
from ._quadratic_kernels import by_columns, fit_columns, fit_rows, newton_direction, scan

Array = np.ndarray[Any, Any]

RATIO, FIRST = 10.0, 0.1  # strengths of the path; the first one over span * max(n, m) / mass
STAGE = 1e-3  # marginal error at which the path goes on
MARGIN = 6.0  # of the lists, over the mean slack of an active entry
SPREAD = 8.0  # active entries per row, as a first guess
BULK, SETTLED = 10.0, 0.1  # entries of lists per active one, and error, that make them anew
WIDE, WIDEN, LONGEST = 4.0, 2.0, 0.125  # first factor of the margin, its growth and its end:
# lists with this share of all entries
ARMIJO, TRIALS = 1e-4, 30
MOST_DECADES = 300.0  # of the path, short of overflow
SHIFT, LEAST_SHIFT, MOST_SHIFT = 1e-2, 1e-6, 1e3  # over the marginal error
STALLED = 5  # steps in a row without an ascent
KEEP = 16 * TILE  # entries of costs that are made once, 128 MB


@dataclasses.dataclass(frozen=True, eq=False)
class Lists:
    """Candidates by row and by column, and the anchor at which their slacks were taken."""

    f: Array
    g: Array
    margin: float
    indptr: Array
    cols: Array
    slack: Array
    starts: Array
    rows: Array
    slack_by_column: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """Potentials as differences from an anchor, and what they give.

    ``x``, ``active`` and ``ptr`` hold gamma times the plan by rows; the row sums are exact.
    """

    lists: Lists
    gamma: float
    df: Array
    dg: Array
    x: Array
    active: Array
    ptr: Array
    count: Array
    residual: Array
    square: float
    error: float

    @property
    def f(self) -> Array:
        """Potentials of the rows."""
        return self.lists.f + self.df

    @property
    def g(self) -> Array:
        """Potentials of the columns."""
        return self.lists.g + self.dg

    @property
    def is_safe(self) -> bool:
        """Whether no entry outside the lists can be active."""
        return bool(self.df.max() + self.dg.max() <= self.lists.margin)


@dataclasses.dataclass(eq=False, kw_only=True)
class QuadraticState(State):
    """A point on the path of strengths; ``x`` holds both potentials, ``fun`` the dual value."""

    point: Point
    shift: float = SHIFT
    failures: int = 0


def solve(
    problem: Problem,
    gamma: float,
    start: tuple[Array | None, Array] | None = None,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[Any], object] | None = None,
    progress: bool = False,
) -> tuple[Run[QuadraticState], Point]:
    """Solve the reduced problem; the point at ``gamma`` where the run ended, too.

    Infinite costs restrict the plan to a support.
    """
    newton = Newton(problem, gamma, tol, max_iter)
    run = iterate(
        newton.start(start),
        newton.step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="quadratic transport",
    )
    point = run.state.point
    if point.gamma != gamma:  # ended before the last strength: measured there
        state = newton.state(newton.at_strength(point, gamma))
        message = run.message.replace("nan", f"{state.certificate:.2e}")
        run = dataclasses.replace(run, state=state, message=message)
    return run, run.state.point


class Newton:
    """Maximise the dual over g, with f eliminated, at a strength that falls to the one wanted."""

    def __init__(self, problem: Problem, gamma: float, tol: float, max_iter: int) -> None:
        self.problem = problem
        self.gamma, self.tol = gamma, tol
        self.max_iter = max_iter
        self.wide = WIDE
        n, m = problem.cost.shape
        self.capacity = 8 * max(n, m)
        self.values = np.empty(max(n, m) + 1)
        self.where = np.empty(m + 1, np.int32)
        self._tiles: list[tuple[int, int, Array]] | None = None
        if isinstance(problem.cost, MatrixCost) or n * m <= KEEP:
            self._tiles = list(tiles(problem.cost))

    def tiles(self) -> Iterable[tuple[int, int, Array]]:
        """All costs, kept if they are few or in memory anyway."""
        return tiles(self.problem.cost) if self._tiles is None else self._tiles

    def start(self, x0: tuple[Array | None, Array] | None) -> QuadraticState:
        """The first state: at the strength wanted from a warm start, else where the path begins."""
        n, m = self.problem.cost.shape
        gamma, f = self.gamma, np.full(n, -math.inf)
        if x0 is None:
            g = np.full(m, math.inf)
            for _, _, C in self.tiles():
                np.minimum(g, C.min(axis=0), out=g)
            top = FIRST * self.problem.span * max(n, m) / self.problem.mass
            if gamma < top:
                decades = (math.log(top) - math.log(gamma)) / math.log(RATIO)
                gamma *= RATIO ** math.floor(min(decades, MOST_DECADES))
        else:
            g = x0[1]
        margin = MARGIN * gamma * self.problem.mass / (SPREAD * max(n, m))
        return self.state(self.look(f, g, gamma, margin))

    def state(self, point: Point, shift: float = SHIFT, failures: int = 0) -> QuadraticState:
        """The record of a point, for the driver."""
        fun, stalled = self.dual_value(point), ""
        if self.problem.forbidden and (fun > self.most(point.gamma) or failures):
            stalled = infeasible(self.problem, point.f)
            if not stalled and fun > self.most(point.gamma):
                stalled = "infeasible support: the dual value exceeds that of every plan"
        if failures >= STALLED:
            stalled = stalled or "rounding keeps the steps from ascending"
        if stalled and point.gamma != self.gamma:
            point = self.at_strength(point, self.gamma)
            fun = self.dual_value(point)
        return QuadraticState(
            x=np.concatenate([point.f, point.g]),
            fun=fun + self.problem.shift * self.problem.mass,
            certificate=point.error if point.gamma == self.gamma else math.nan,
            extra={"gamma": point.gamma, "nnz": float(point.x.size), "error": point.error},
            stalled=stalled,
            point=point,
            shift=shift,
            failures=failures,
        )

    def dual_value(self, point: Point) -> float:
        """The dual objective under the shifted costs."""
        linear = float(self.problem.a @ point.f + self.problem.b @ point.g)
        return linear - point.square / (2.0 * point.gamma)

    def most(self, gamma: float) -> float:
        """No plan costs more, so a larger dual value proves that there is none."""
        problem = self.problem
        largest = min(problem.a.max(), problem.b.max())
        return problem.mass * (problem.span + 0.5 * gamma * float(largest)) * (1.0 + 1e-6)

    def step(self, state: QuadraticState) -> QuadraticState:
        """One Newton step, after a move along the path where it is due."""
        point, shift = state.point, state.shift
        if point.error <= SETTLED and point.lists.cols.size > BULK * point.x.size:
            point = self.at_strength(point, point.gamma)
        while point.gamma > self.gamma and point.error <= STAGE:
            point, shift = self.at_strength(point, point.gamma / RATIO), SHIFT
        if point.error <= self.goal(point):
            return self.state(point)
        residual = point.residual
        d = np.empty_like(residual)
        newton_direction(
            point.ptr,
            point.active,
            point.count,
            shift * min(point.error, 1.0) + 1e-10,
            residual,
            max(min(1e-2, point.error), 1e-2 * self.goal(point) / point.error),
            10 * d.size + 100,
            d,
        )
        if not np.isfinite(d).all():  # squares have overflowed: the sweep is left
            d[:] = 0.0
        slope = float(residual @ d) / point.gamma
        t, failures = 1.0, 0
        for trial in range(TRIALS):
            new = self.move(point, t * d)
            rise = self.rise(point, new)
            if rise >= ARMIJO * t * slope - self.noise(point, new):
                shift = max(shift / 2.0, LEAST_SHIFT) if trial == 0 else min(4 * shift, MOST_SHIFT)
                break
            t *= min(max(0.5 * t * slope / (t * slope - rise), 0.1), 0.5)
        else:
            new = self.move(point, np.zeros_like(d))
            shift, failures = min(16.0 * shift, MOST_SHIFT), state.failures + 1
        if new.lists is point.lists:
            self.wide = max(self.wide / 2.0, 1.0)
        if state.nit + 1 >= self.max_iter and new.gamma > self.gamma:
            new = self.at_strength(new, self.gamma)
        return self.state(new, shift, failures)

    def goal(self, point: Point) -> float:
        """The marginal error that ends the stage."""
        return self.tol if point.gamma == self.gamma else STAGE

    def at_strength(self, point: Point, gamma: float) -> Point:
        """The same column potentials under another strength."""
        if gamma < self.gamma * math.sqrt(RATIO):
            gamma = self.gamma
        return self.look(point.f, point.g, gamma, self.margin(point, gamma))

    def move(self, point: Point, d: Array) -> Point:
        """Change g by d, then fit f, g and f again.

        The sweep costs little and keeps a step that suits the heavy atoms from being refused for
        the light ones, whose slacks are far smaller than the step. It is an ascent only where
        the lists are long enough for it; if longer ones will not do either, it is left out.
        """
        new = self.evaluate(point.lists, point.df, point.dg + d, point.gamma)
        if not new.is_safe:
            new = self.look(new.f, new.g, new.gamma, self.margin(point))
        swept = self.sweep(new)
        if swept.is_safe:
            return swept
        n, m = self.problem.cost.shape
        if new.lists.cols.size > LONGEST * n * m:
            return new
        self.wide *= WIDEN
        new = self.look(new.f, new.g, new.gamma, self.margin(point))
        swept = self.sweep(new)
        return swept if swept.is_safe else new

    def sweep(self, point: Point) -> Point:
        """Fit g to f, and f to g, on the candidates."""
        lists, dg = point.lists, point.dg.copy()
        fit_columns(
            lists.starts,
            lists.rows,
            lists.slack_by_column,
            point.df,
            dg,
            point.gamma * self.problem.b,
            self.values,
        )
        return self.evaluate(lists, point.df, dg, point.gamma)

    def margin(self, point: Point, gamma: float | None = None) -> float:
        """Of new lists: some mean slacks of the active entries, more while steps are long."""
        gamma = point.gamma if gamma is None else gamma
        return self.wide * MARGIN * gamma * self.problem.mass / max(point.x.size, 1)

    def rise(self, old: Point, new: Point) -> float:
        """The difference of the dual values, without cancellation where the anchor is the same."""
        if old.lists is new.lists:
            df, dg = new.df - old.df, new.dg - old.dg
        else:
            df, dg = new.f - old.f, new.g - old.g
        linear = float(self.problem.a @ df + self.problem.b @ dg)
        return linear - (new.square - old.square) / (2.0 * old.gamma)

    def noise(self, old: Point, new: Point) -> float:
        """What rounding can take from `rise`."""
        scale = old.square / old.gamma
        if old.lists is not new.lists:
            scale += self.problem.mass * max(self.problem.span, float(np.abs(new.g).max()))
        return 4.0 * float(np.finfo(np.float64).eps) * scale

    def look(self, f: Array, g: Array, gamma: float, margin: float) -> Point:
        """A point with new lists, from a pass over all costs."""
        lists = self.scan(f, g, gamma, margin)
        far = np.flatnonzero(np.diff(lists.starts) == 0)
        if far.size:  # columns out of reach of every row come to their nearest one
            reach = np.full(far.size, -math.inf)
            for start, stop, C in self.tiles():
                top = (lists.f[start:stop, None] - C[:, far]).max(axis=0)
                np.maximum(reach, top, out=reach)
            g = lists.g.copy()
            g[far] = gamma * self.problem.b[far] - reach
            lists = self.scan(lists.f, g, gamma, margin)
        n, m = self.problem.cost.shape
        return self.evaluate(lists, np.zeros(n), np.zeros(m), gamma)

    def scan(self, f: Array, g: Array, gamma: float, margin: float) -> Lists:
        """Fit f to g over all costs and list the candidates."""
        n, m = self.problem.cost.shape
        f, g, target = f.copy(), g.copy(), gamma * self.problem.a
        indptr = np.zeros(n + 1, np.int64)
        cols, slack = np.empty(self.capacity, np.int32), np.empty(self.capacity)
        for start, _, C in self.tiles():
            row = 0
            while True:
                row = scan(
                    C,
                    start,
                    f,
                    g,
                    target,
                    margin,
                    indptr,
                    cols,
                    slack,
                    row,
                    self.values,
                    self.where,
                )
                if row == C.shape[0]:
                    break
                more = max(self.capacity, m)
                self.capacity += more
                cols = np.concatenate([cols, np.empty(more, np.int32)])
                slack = np.concatenate([slack, np.empty(more)])
        size = int(indptr[n])
        cols, slack = cols[:size], slack[:size]
        starts = np.empty(m + 1, np.int64)
        rows, turned = np.empty(size, np.int32), np.empty(size)
        by_columns(indptr, cols, slack, starts, rows, turned)
        return Lists(f, g, margin, indptr, cols, slack, starts, rows, turned)

    def evaluate(self, lists: Lists, df: Array, dg: Array, gamma: float) -> Point:
        """The point with column differences dg, from the candidates alone."""
        problem = self.problem
        df = df.copy()
        x, active = np.empty(lists.cols.size), np.empty(lists.cols.size, np.int32)
        ptr = np.empty(df.size + 1, np.int64)
        count, sums = np.empty(dg.size, np.int64), np.empty(dg.size)
        square, error = fit_rows(
            lists.indptr,
            lists.cols,
            lists.slack,
            df,
            dg,
            gamma * problem.a,
            x,
            active,
            ptr,
            count,
            sums,
            self.values,
        )
        residual = gamma * problem.b - sums
        error = (float(np.abs(residual).sum()) + error) / (gamma * problem.mass)
        size = int(ptr[-1])
        return Point(
            lists, gamma, df, dg, x[:size], active[:size], ptr, count, residual, square, error
        )
