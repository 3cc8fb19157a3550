"""The method behind `working_set`: which coordinates, which model, how far from optimal."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .._core import Run, State, iterate
from ..losses._linear import LinearLoss
from ._composite import Array, Composite
from ._coordinates import Coordinates
from ._design import Design
from ._fit import Fit
from ._models import ColumnModel, GramModel, Model
from ._screening import Screening

_FLAT = 1e-5  # curvatures below this part of the largest are raised to it, in Newton models


@dataclasses.dataclass(eq=False, kw_only=True)
class Point(State):
    """Where a working set has led: ``x``, its products and certificate."""

    z: Array
    gradient: Array
    gap: float
    dual_value: float = -math.inf
    dual: Array | None = None
    working: Array
    survivors: Array | None = None
    whole: Point | None = None


class WorkingSet:
    """The method: it keeps what depends on the data alone, so that a path pays for it once."""

    first_size = 50
    takes_columns = False
    screens = False  # gap-safe screening, where products with all columns are most of the work

    def __init__(self, loss: Any, penalty: Any, tol: float, design: Design | None = None) -> None:
        if not isinstance(loss, LinearLoss):
            raise TypeError(
                f"loss must be one of sparseopt.losses with a matrix A, got {type(loss).__name__}"
            )
        self.loss: Any = loss
        self.design = Design(loss.A, loss.intercept) if design is None else design
        if loss.dtype.kind == "c":
            raise TypeError(f"y must be real for coordinate descent, got dtype {loss.dtype}")
        self.accuracy = self.design.accuracy if loss.is_quadratic else 0.1
        self.screening: Screening | None = None
        self.tol = tol
        self.unit = 1.0
        self.sweeps = self.solves = 0
        self.aim(penalty)

    def aim(self, penalty: Any) -> None:
        """Take on a penalty."""
        self.problem = Composite(self.loss, penalty)
        if len(self.loss.shape) > 1 and not (self.takes_columns and self.problem.joint):
            raise ValueError(
                f"y must be one column for this penalty, got shape {self.loss.y.shape}"
            )
        self.coordinates = self._coordinates(self.problem.penalty, self.loss.shape[0])
        self.has_gap = self.problem.has_dual and self.coordinates.levels is not None
        self.certificate = "relative duality gap" if self.has_gap else "subgradient residual"
        if self.has_gap:
            self.unit = float(self.problem.scale)

    def run(self, x0: Any, **controls: Any) -> Fit:
        """Iterate from a start under the common driver."""
        return self.record(self.iterate(self.first(self.problem.start(x0)), **controls))

    def iterate(self, state: Point, **controls: Any) -> Run[Point]:
        """Iterate from a state."""
        return iterate(
            state,
            self.step,
            tol=self.tol,
            certificate=self.certificate,
            label="working set",
            **controls,
        )

    def record(self, run: Run[Point]) -> Fit:
        """What a run found."""
        state = run.state
        fields = run.fields("working-set")
        x = state.x.astype(self.loss.dtype, copy=False)
        # predictions of working sets may be off by a constant, which the intercept would take up
        z = self.design.product(x) if self.loss.intercept else state.z
        intercept = self.loss.intercept_at(z)
        return Fit(**(fields | {"x": x, "dual": state.dual, "intercept": intercept}))

    def first(self, x: Array) -> Point:
        """The state at the start point."""
        x = np.zeros_like(x) if self.problem.zero_is_optimal else x
        x = x.astype(np.float64)
        z = np.zeros((self.design.m, *x.shape[1:]))
        if x.any():
            z += self.loss.predict(x.astype(self.loss.dtype))
            if self.has_gap and not self.problem.objective(x, z) <= self.problem.null_value:
                # sweeps would take for ever to bring down what is worth less than nothing
                x, z = np.zeros_like(x), np.zeros_like(z)
        return self._measure(None, x, z, np.empty(0, np.intp))

    def step(self, state: Point) -> Point:
        """Choose a working set, solve it, look at all coordinates again."""
        units = self._choose(state)
        working = self.coordinates.members(units)
        self.design.select(working)
        accuracy = self.accuracy * state.gap
        if units.size == state.working.size:  # nobody new: only accuracy is missing
            accuracy = 0.0
        target = max(accuracy, 0.3 * self.tol * self.unit)
        solve = self._quadratic if self.loss.is_quadratic else self._newton
        x_w, z = solve(state, working, target)
        x = state.x.copy()
        x[working] = x_w
        return self._measure(state, x, z, units)

    def _coordinates(self, penalty: Any, n: int) -> Any:
        return Coordinates(penalty, n)

    def _room(self, size: int) -> int:
        return self.design.room(size, self.first_size)

    def _choose(self, state: Point) -> Array:
        """What the last set still needs, the rest of the support, and who asks loudest."""
        excess = self.coordinates.excess(state.x, state.gradient)
        active = self.coordinates.active(state.x)
        support = np.flatnonzero(active)
        keep = state.working
        if keep.size > max(2 * support.size, self.first_size):
            near = self.coordinates.nearly_active(keep)
            keep = keep[(excess[keep] > near) | active[keep]]
        outside = np.ones(excess.size, bool)
        outside[keep] = False
        fresh = support[outside[support]]
        outside[fresh] = False
        new = np.flatnonzero(outside & (excess > 0.0))
        room = self._room(support.size)
        if new.size > room:
            new = new[np.argpartition(-excess[new], room - 1)[:room]]
        return np.concatenate([keep, fresh, new])

    def _quadratic(self, state: Point, working: Array, target: float) -> tuple[Array, Array]:
        """The problem on the working set is its own model."""
        weights = self.loss.sample_weights
        curvature = None if weights is None else _raised(np.asarray(weights, np.float64), 1e-14)
        u = np.asarray(self.loss.gradient_at(state.z), np.float64)
        model = self._model(working, state.x[working], u, curvature, state.gradient[working])
        self._minimise(model, target)
        return model.x, self.design.predict(working, model.x)

    def _newton(self, state: Point, working: Array, target: float) -> tuple[Array, Array]:
        """Newton models with a line search, until the problem on the working set is solved."""
        x, z, gap = state.x[working], state.z, state.gap
        value = state.fun
        u = np.asarray(self.loss.gradient_at(z), np.float64)
        gradient = state.gradient[working]
        part = _FLAT
        for _ in range(50):
            curvature = self._curvature(z, part)
            model = self._model(working, x, u, curvature, gradient)
            self._minimise(model, max(gap * min(0.1, math.sqrt(gap / self.unit)), 0.1 * target))
            d = model.x - x
            dz = self.design.predict(working, d)
            start = self._penalty(working, x)
            slope = gradient @ d + self._penalty(working, model.x) - start
            t = 1.0
            while t > 1e-8:
                x_new, z_new = x + t * d, z + t * dz
                value_new = float(self.loss.value_at(z_new)) + self._penalty(working, x_new)
                if value_new <= value + 1e-4 * t * slope + 1e-14 * abs(value):
                    break
                t *= 0.5
            else:
                if part >= 1.0:
                    break
                part = min(100.0 * part, 1.0)
                continue
            # where a loss is flat beside a curve, a model is as good as what its curvature is
            # raised to; raised to the largest it is a bound, and whole steps are right
            part = max(part / 10.0, _FLAT) if t == 1.0 else part
            part = min(10.0 * part, 1.0) if t < 0.25 else part
            x, z, value = x_new, z_new, value_new
            u = np.asarray(self.loss.gradient_at(z), np.float64)
            gradient = self.design.slopes(working, u)
            gap = self._restricted_gap(working, x, value, u, gradient)
            if gap <= target:
                break
        return x, z

    def _curvature(self, z: Array, part: float) -> Array:
        """Curvatures raised to a part of the largest, or to their bound if all vanish."""
        curvature = np.asarray(self.loss.curvature_at(z), np.float64)
        if not curvature.any():
            weights = self.loss.sample_weights
            largest = 1.0 if weights is None else float(weights.max())
            curvature = np.full_like(curvature, (self.loss.curvature_bound or 1.0) * largest)
        return _raised(curvature, part)

    def _model(
        self, working: Array, x: Array, u: Array, curvature: Array | None, gradient: Array
    ) -> Model:
        """The quadratic model at a point with the gradient ``u`` in the predictions."""
        design, centred = self.design, self.loss.intercept
        if design.sparse:
            root = np.ones(design.m) if curvature is None else np.sqrt(curvature)
            columns = design.scaled_columns(working, root, centred)
            return ColumnModel(*columns, root, u, x.copy(), self.coordinates, working)
        H = design.gram(curvature, centred)
        square = float(u @ u if curvature is None else np.sum(u * u / curvature))
        return GramModel(H, gradient.copy(), x.copy(), square, self.coordinates, working)

    def _minimise(self, model: Model, target: float) -> None:
        model.minimise(target)
        self.sweeps += model.sweeps
        self.solves += model.solves

    def _whole(self, working: Array, values: Array) -> Array:
        whole = np.zeros(self.design.n)
        whole[working] = values
        return whole

    def _penalty(self, working: Array, x: Array) -> float:
        return self.coordinates.value(working, x)

    def _restricted_gap(
        self, working: Array, x: Array, value: float, u: Array, gradient: Array
    ) -> float:
        """The duality gap, or the residual, of the problem without the other coordinates."""
        gradient = self._whole(working, gradient)
        if self.has_gap:
            return max(value - self._dual(self._whole(working, x), u, gradient)[1], 0.0)
        away = self.coordinates.distance(self._whole(working, x), gradient)
        return float(np.linalg.norm(away[self.coordinates.units(working)]))

    def _dual(self, x: Array, u: Array, gradient: Array) -> tuple[float, float]:
        """A feasible multiple of ``u`` and its dual objective.

        With a ridge every multiple is feasible; one that suits the lasso with the ridge as further
        rows is much better than ``u`` itself where levels are large beside the ridge.
        """
        scale, value = (float(v) for v in self.problem.dual(u, gradient))
        levels, ridge = self.coordinates.levels, self.coordinates.ridge
        if levels is not None and ridge is not None:
            push = np.abs(gradient + ridge * x)[levels > 0.0] / levels[levels > 0.0]
            t = 1.0 / max(float(push.max(initial=0.0)), 1.0)
            penalty: Any = self.problem.penalty
            conjugate = float(penalty.conjugate(-t * gradient))
            scaled = -float(self.loss.conjugate(t * u)) - conjugate
            if scaled > value:
                return t, scaled
        return scale, value

    def _measure(self, last: Point | None, x: Array, z: Array, working: Array) -> Point:
        """Objective, gradient and certificate."""
        u = self.loss.gradient_at(z)
        if last is not None and last.survivors is not None:
            gradient = self.design.correlate_part(last.survivors, u)
            point = self.certify(last, x, z, working, u, gradient)
            if point.certificate > self.tol:
                point.survivors, point.whole = last.survivors, last.whole
                return point
            last = last.whole  # what is returned is certified against all coordinates
        gradient = np.asarray(self.design.correlate(u), np.float64)
        point = self.certify(last, x, z, working, u, gradient)
        if last is not None and self.screens:
            self._screen(point, u)
        return point

    def _screen(self, point: Point, u: Array) -> None:
        """Leave coordinates that are zero at the solution out of the next products."""
        if point.certificate <= self.tol or not self.has_gap or not self.loss.curvature_bound:
            return
        if self.screening is None:
            self.screening = Screening(self.loss, self.design)
        scale, value = self.problem.dual(u, point.gradient)
        gap = float(point.fun - value)
        survivors = self.screening.survivors(point.gradient, scale, gap, self.coordinates)
        if 4 * survivors.size <= self.design.n:
            point.survivors, point.whole = survivors, point

    def certify(
        self, last: Point | None, x: Array, z: Array, working: Array, u: Array, gradient: Array
    ) -> Point:
        """Objective and certificate, where the gradient is known."""
        problem = self.problem
        point = Point(
            x=x,
            fun=float(problem.objective(x, z)),
            z=z,
            gradient=gradient,
            gap=math.inf,
            working=working,
            extra={
                "support": float(np.count_nonzero(self.coordinates.active(x))),
                "working_set": float(working.size),
                "sweeps": float(self.sweeps),
                "solves": float(self.solves),
            },
        )
        if self.has_gap:
            scale, value = self._dual(x, u, gradient)
            point.dual, point.dual_value = u * -scale, value
            if last is not None and last.dual_value > value:
                point.dual, point.dual_value = last.dual, last.dual_value
            point.gap = max(point.fun - point.dual_value, 0.0)
        else:
            if last is None:
                self.unit = float(np.linalg.norm(gradient)) or 1.0
            point.gap = float(np.linalg.norm(self.coordinates.distance(x, gradient)))
        point.certificate = point.gap / self.unit
        return point


def _raised(curvature: Array, part: float) -> Array:
    """Curvatures away from zero, so that a model has a minimiser."""
    return np.maximum(curvature, part * curvature.max(initial=1e-300))
