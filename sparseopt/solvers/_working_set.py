"""Coordinate descent on working sets, with exact steps on the support."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State, iterate
from ._composite import Array, Composite, default_tolerance
from ._coordinates import Coordinates
from ._design import Design
from ._models import ColumnModel, GramModel, Model


_FEW = 200


@dataclasses.dataclass(eq=False, kw_only=True)
class _Point(State):
    """Where the last working set has led; ``x`` of the base class is ``current``."""

    z: Array
    gradient: Array
    gap: float
    dual_value: float = -math.inf
    dual: Array | None = None
    working: Array


class WorkingSet:
    """The method: it keeps what depends on the data alone, so that a path pays for it once."""

    first_size = 50
    accuracy = 0.1  # of the whole gap, to which a working set is solved

    def __init__(self, problem: Composite, tol: float, design: Design | None = None) -> None:
        self.problem = problem
        self.loss: Any = problem.loss
        self.design = Design(self.loss) if design is None else design
        self.coordinates = Coordinates(problem.penalty, self.loss.shape[0])
        self.tol = tol
        self.intercept = getattr(self.loss, 'intercept', False)
        levels = self.coordinates.levels
        self.has_gap = problem.has_dual and levels is not None
        self.certificate = "relative duality gap" if self.has_gap else "subgradient residual"
        self.sweeps = self.solves = 0

    def first(self, x: Array) -> _Point:
        """The state at the start point."""
        z = self.loss.predict(x) if x.any() else np.zeros(self.design.m)
        z = np.asarray(z, np.float64)
        return self._measure(None, x, z, np.empty(0, np.intp))

    def step(self, state: _Point) -> _Point:
        """Choose a working set, solve it, look at all coordinates again."""
        working = self._choose(state)
        x = state.x.copy()
        x_w = x[working].astype(np.float64)
        target = max(self.accuracy * state.gap, 0.3 * self.tol * self._unit())
        self.design.select(working)
        if getattr(self.loss, 'is_quadratic', True):
            x_w, z = self._quadratic(state, working, x_w, target)
        else:
            x_w, z = self._newton(state, working, x_w, target)
        x[working] = x_w
        return self._measure(state, x, z, working)

    def _unit(self) -> float:
        """What the certificate is relative to."""
        return float(self.problem.scale) if self.has_gap else self.residual_scale

    def _choose(self, state: _Point) -> Array:
        """The support, what the last set still needs, and the coordinates that ask loudest."""
        excess = self.coordinates.excess(state.x, state.gradient)
        support = np.flatnonzero(state.x)
        keep = state.working
        if keep.size > max(3 * support.size, self.first_size):
            levels = self.coordinates.levels
            near = 0.0 if levels is None else -0.1 * levels[keep]
            keep = keep[(excess[keep] > near) | (state.x[keep] != 0.0)]
        outside = np.ones(excess.size, bool)
        outside[keep] = False
        fresh = support[outside[support]]
        outside[fresh] = False
        new = np.flatnonzero(outside & (excess > 0.0))
        room = self._room(support.size)
        if new.size > room:
            new = new[np.argpartition(-excess[new], room - 1)[:room]]
        return np.concatenate([keep, fresh, new])

    def _room(self, size: int) -> int:
        if self.design.sparse:
            return max(self.n_sparse, 2*size)
        return max(self.first_size, size // 2 if size <= _FEW else size)

    n_sparse = 50
    def _model(
        self, working: Array, x: Array, u: Array, curvature: Array | None, gradient: Array
    ) -> Model:
        """The quadratic model at a point, with its gradient in the predictions ``u``."""
        design = self.design
        if design.sparse:
            if curvature is None:
                curvature = np.ones(design.m)
            squares, mean = design.moments(working, curvature, self.intercept)
            return ColumnModel(
                design.columns(working), squares, u, curvature, mean, x, self.coordinates, working
            )
        H = design.gram(curvature, self.intercept)
        square = float(u @ u if curvature is None else np.sum(u * u / curvature))
        return GramModel(H, gradient, x, square, self.coordinates, working, design.m)

    def _run(self, model: Model, target: float) -> None:
        model.minimise(target)
        self.sweeps += model.sweeps
        self.solves += model.solves

    def _quadratic(
        self, state: _Point, working: Array, x: Array, target: float
    ) -> tuple[Array, Array]:
        weights = self.loss.sample_weights
        curvature = None if weights is None else _floored(np.asarray(weights, np.float64))
        u = np.asarray(self.loss.gradient_at(state.z), np.float64)
        model = self._model(working, x, u, curvature, state.gradient[working].copy())
        self._run(model, target)
        return model.x, self.design.predict(working, model.x)

    def _measure(self, last: _Point | None, x: Array, z: Array, working: Array) -> _Point:
        """Objective, gradient and certificate."""
        problem = self.problem
        u = self.loss.gradient_at(z)
        gradient = np.asarray(self.design.correlate(u), np.float64)
        fun = float(problem.objective(x, z))
        point = _Point(
            x=x, fun=fun, z=z, gradient=gradient, gap=math.inf, working=working,
            extra={
                "support": float(np.count_nonzero(x)),
                "working_set": float(working.size),
                "sweeps": float(self.sweeps),
                "solves": float(self.solves),
            },
        )
        if self.has_gap:
            scale, value = problem.dual(u, gradient)
            point.dual, point.dual_value = u * -scale, float(value)
            if last is not None and last.dual_value > value:
                point.dual, point.dual_value = last.dual, last.dual_value
            point.gap = max(fun - point.dual_value, 0.0)
            point.certificate = point.gap / float(problem.scale)
        else:
            if last is None:
                self.residual_scale = float(np.linalg.norm(gradient)) or 1.0
            away = self.coordinates.penalty.subdiff_distance(x, gradient)
            point.gap = float(np.linalg.norm(away))
            point.certificate = point.gap / self.residual_scale
        return point


def _floored(curvature: Array) -> Array:
    """Curvatures away from zero, so that a model has a minimiser."""
    return np.maximum(curvature, 1e-12 * curvature.max(initial=1e-300))
