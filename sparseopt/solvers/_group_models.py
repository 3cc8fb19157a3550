"""Quadratic models on a working set of groups, minimised to a given accuracy.

Each is ``min_x 1/2 tr(x' H x) - tr(q' x) + penalty(x)`` as in `_models`; ``x`` has a column for
each task.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._columns import column_slopes
from ._extrapolation import anderson
from ._group_coordinates import GroupCoordinates
from ._group_sweeps import group_sweeps
from ._models import scaled_gap

Array = np.ndarray[Any, Any]

_WINDOW = 5  # sweeps between extrapolations
_PATIENCE = 50  # extrapolations without a smaller error: rounding allows no more


class Blocks:
    """Eigenvectors and eigenvalues of the groups' own Gram matrices, once computed kept."""

    def __init__(self, coordinates: GroupCoordinates) -> None:
        self._labels = coordinates.groups.labels
        self.sizes = sizes = coordinates.sizes
        self.known = np.zeros(sizes.size, bool)
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._places = np.concatenate([[0], np.cumsum(sizes * sizes)])
        self._V = np.empty(self._places[-1])  # memory that is not touched costs nothing
        self._D = np.empty(self._starts[-1])

    def fit(self, coordinates: GroupCoordinates) -> bool:
        """Whether they are of these groups."""
        return np.array_equal(self._labels, coordinates.groups.labels)

    def store(self, units: Array, grams: Array) -> None:
        """Take the Gram matrices of groups of the same size, shape (number, d, d)."""
        D, V = np.linalg.eigh(grams)
        d = D.shape[1]
        D[1e-13 * D[:, -1:] >= D] = 0.0  # rounding: the loss does not change along these
        self._D[self._starts[units][:, None] + np.arange(d)] = D
        self._V[self._places[units][:, None] + np.arange(d * d)] = V.reshape(-1, d * d)
        self.known[units] = True

    def of(self, units: Array, l1: Array) -> tuple[Array, ...]:
        """The argument ``blocks`` of the compiled loops."""
        sizes = self.sizes[units]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        at = np.arange(starts[-1]) + np.repeat(self._starts[units] - starts[:-1], sizes)
        return starts, self._V, self._places[units], self._D[at], l1


class GroupModel:
    """Block descent on a model, extrapolated (Anderson acceleration) over the support."""

    kind = ""

    def __init__(
        self,
        storage: Any,
        u: Array,
        x: Array,
        units: Array,
        coordinates: GroupCoordinates,
        blocks: tuple[Array, ...],
        measures_gap: bool,
    ) -> None:
        self.storage, self.u, self.shape = storage, u, x.shape
        self._x = x.reshape(x.shape[0], -1).copy()
        self.penalty = coordinates.restricted(units)
        self.measures_gap = measures_gap
        starts, _, _, D, _ = blocks
        self.blocks = blocks
        self.starts = starts
        largest = np.maximum.reduceat(D, starts[:-1]) if D.size else D
        inverse = 1.0 / np.where(largest > 0.0, largest, 1.0)
        step, self.parameters = coordinates.block_step(units, inverse)
        self._loop = group_sweeps(step, self.kind)
        self.everything = np.arange(units.size)
        self.sweeps = self.solves = 0

    @property
    def x(self) -> Array:
        """The solution, in the shape in which it came."""
        return self._x.reshape(self.shape)

    def minimise(self, target: float, max_sweeps: int = 20_000) -> None:
        """Sweep until the duality gap (or, without one, the residual) is below ``target``."""
        least, stalled = np.inf, 0
        while self._x.size and self.sweeps < max_sweeps and stalled < _PATIENCE:
            self._sweep(self.everything)
            self._extrapolated(np.flatnonzero(self._active()))
            error = self.error()
            if error <= target:
                return
            stalled = 0 if error < least else stalled + 1
            least = min(least, error)

    def error(self) -> float:
        """The duality gap, or else the norm of the distance from stationarity."""
        g = self.gradient()
        if not self.measures_gap:
            return float(
                np.linalg.norm(self.penalty.subdiff_distance(self.x, g.reshape(self.shape)))
            )
        norm, largest = (
            float(self.penalty.value(self.x)),
            self.penalty.dual_norm(-g.reshape(self.shape)),
        )
        gap: float = scaled_gap(self.square(), float(np.vdot(self._x, g)), norm, float(largest))
        return gap

    def gradient(self) -> Array:
        """Gradient of the quadratic, of the shape of ``x``."""
        raise NotImplementedError

    def square(self) -> float:
        """The square of the residual."""
        raise NotImplementedError

    def _active(self) -> Array:
        return np.logical_or.reduceat((self._x != 0.0).any(1), self.starts[:-1])

    def _sweep(self, active: Array) -> None:
        self._loop(self.storage, self.u, self._x, self.blocks, self.parameters, active, 1)
        self.sweeps += 1

    def _extrapolated(self, active: Array) -> None:
        """Sweep over the support, then go where the moves point, if that is lower."""
        xs, us = [self._x.copy()], [self._point()]
        for _ in range(_WINDOW):
            self._sweep(active)
            xs.append(self._x.copy())
            us.append(self._point())
        points = np.array(xs).reshape(_WINDOW + 1, -1)
        point, companion = anderson(points, np.array(us).reshape(_WINDOW + 1, -1))
        x, u = point.reshape(self._x.shape), companion.reshape(us[0].shape)
        if self._objective(x, u) < self._objective(self._x, us[-1]):
            self._x[:] = x
            self._move_to(u)

    def _objective(self, x: Array, u: Array) -> float:
        return 0.5 * self._square(x, u) + float(self.penalty.value(x.reshape(self.shape)))

    def _point(self) -> Array:
        return self.u.copy()

    def _move_to(self, u: Array) -> None:
        self.u[:] = u

    def _square(self, x: Array, u: Array) -> float:
        return float(np.vdot(u, u))


class GroupRows(GroupModel):
    """A model with dense columns; ``storage`` holds them as rows, ``u`` the residual (k, m)."""

    kind = "rows"

    def gradient(self) -> Array:
        """Gradient of the quadratic, of the shape of ``x``."""
        product: Array = self.storage @ self.u.T
        return product

    def square(self) -> float:
        """The square of the residual."""
        return self._square(self._x, self.u)


class GroupGram(GroupModel):
    """A model with a dense H; ``u`` is the gradient (k, p)."""

    kind = "gram"

    def start(self, square: float) -> GroupGram:
        """Take the square of the residual at the start: later ones follow from gradients."""
        self._linear = (self.storage @ self._x).T - self.u
        self._fixed = square - float(np.vdot(self._x.T, self.u - self._linear))
        return self

    def gradient(self) -> Array:
        """Gradient of the quadratic, of the shape of ``x``."""
        return self.u.T

    def square(self) -> float:
        """The square of the residual."""
        return max(self._square(self._x, self.u), 0.0)

    def _square(self, x: Array, u: Array) -> float:
        return self._fixed + float(np.vdot(x.T, u - self._linear))


class GroupColumns(GroupModel):
    """A model with sparse columns; ``u`` is the residual (k, m), rows scaled by ``root``."""

    kind = "columns"

    def gradient(self) -> Array:
        """Gradient of the quadratic, of the shape of ``x``."""
        chosen = np.arange(self._x.shape[0])
        slopes = [column_slopes(self.storage[:4], chosen, u) for u in self._point()]
        return np.stack(slopes, axis=1)

    def square(self) -> float:
        """The square of the residual."""
        return self._square(self._x, self._point())

    def _point(self) -> Array:
        """The residual with the intercept at its best."""
        root, mean, total = self.storage[4:]
        if not mean.any():
            return self.u.copy()
        balanced: Array = self.u - np.outer(total / (root @ root), root)
        return balanced

    def _move_to(self, u: Array) -> None:
        self.u[:] = u
        self.storage[6][:] = 0.0
