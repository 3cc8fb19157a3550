"""Quadratic models on a working set, minimised to a given accuracy.

Each is ``min_x 1/2 x' H x - q' x + penalty(x)`` with ``H = X' D X`` (centred where an intercept is
minimised out) for the columns X of the working set: a dense H for few or dense columns, products
with sparse columns otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._active_set import factor_support, follow_support, newton_on_support
from ._coordinates import Coordinates
from ._sweeps import column_sweeps, gram_sweeps

Array = np.ndarray[Any, Any]

_SMALL = 200  # a support up to which an exact step costs no more than a few sweeps
_FAST = 24.0  # how much more arithmetic LAPACK does in the same time, times 3


@jit
def scaled_gap(square, inner, penalty, largest):  # type: ignore[no-untyped-def]
    """Duality gap of a quadratic and a norm, with the best feasible multiple of the residual.

    ``square`` is that of the residual, ``inner`` the product of the solution with the gradient,
    ``penalty`` the norm of the solution and ``largest`` the dual norm of the gradient.
    """
    along = square - inner
    t = 0.0
    if square > 0.0:
        t = max(along / square, 0.0)
        if largest > 0.0:
            t = min(t, 1.0 / largest)
    return 0.5 * square + penalty - t * along + 0.5 * t * t * square


@jit
def penalised_gap(g, x, levels, positive, square):  # type: ignore[no-untyped-def]
    """Duality gap of a lasso, from its gradient ``g`` and the square of its residual."""
    inner = 0.0
    norm = 0.0
    largest = 0.0
    for j in range(x.size):
        if levels[j] == np.inf:
            continue
        inner += x[j] * g[j]
        norm += levels[j] * abs(x[j])
        push = -g[j] if positive else abs(g[j])
        largest = max(largest, push / levels[j])
    return scaled_gap(square, inner, norm, largest)


@jit
def column_slopes(columns, u, total, mean):  # type: ignore[no-untyped-def]
    """Gradients ``X_j' u - mean_j total``."""
    data, indices, starts, stops = columns
    g = np.empty(mean.size)
    for j in range(mean.size):
        slope = -mean[j] * total
        for k in range(starts[j], stops[j]):
            slope += data[k] * u[indices[k]]
        g[j] = slope
    return g


@jit
def column_moments(columns, curvature):  # type: ignore[no-untyped-def]
    """Weighted sums of squares and sums of each column."""
    data, indices, starts, stops = columns
    squares = np.zeros(starts.size)
    sums = np.zeros(starts.size)
    for j in range(starts.size):
        for k in range(starts[j], stops[j]):
            v = data[k] * curvature[indices[k]]
            sums[j] += v
            squares[j] += v * data[k]
    return squares, sums


@jit
def add_columns(columns, x, z):  # type: ignore[no-untyped-def]
    """``z += X x``."""
    data, indices, starts, stops = columns
    for j in range(x.size):
        if x[j] != 0.0:
            for k in range(starts[j], stops[j]):
                z[indices[k]] += data[k] * x[j]


class Model:
    """What both kinds share: sweeps until the gap is small, exact steps once signs are stable."""

    x: Array
    inverse: Array
    levels: Array | None
    measures_gap: bool
    sweeps = 0
    solves = 0
    per_check = 5

    def minimise(self, target: float, max_sweeps: int = 20_000) -> None:
        """Sweep until the duality gap (or, without one, the largest move) is below ``target``."""
        signs = None
        spent = 0.0
        limit = self.sweeps + max_sweeps
        while self.x.size and self.sweeps < limit:
            move = self.sweep(self.per_check)
            if self.finished(move, target):
                return
            if self.levels is None:
                continue
            size = np.count_nonzero(self.x)
            spent += self.per_check * self.work(size)
            before, signs = signs, np.sign(self.x)
            stable = before is not None and np.array_equal(before, signs)
            if size <= _SMALL or (stable and spent >= size**3 / _FAST):
                self.exact_step(size)
                signs, spent = np.sign(self.x), 0.0
                if self.finished(move, target):
                    return

    def finished(self, move: float, target: float) -> bool:
        """Whether the gap is small, or without one the gradient, as far as moves tell."""
        if self.measures_gap:
            return self.gap() <= target
        return float(np.sqrt(move / self.inverse.min())) <= target

    def sweep(self, count: int) -> float:
        """Sweep ``count`` times; the largest ``H_jj d_j^2`` of the last is returned."""
        raise NotImplementedError

    def gap(self) -> float:
        """The duality gap."""
        raise NotImplementedError

    def work(self, size: int) -> float:
        """Multiplications in a sweep, with so many coordinates that move."""
        raise NotImplementedError

    def exact_step(self, size: int) -> None:
        """Minimise over the support with its signs."""
        raise NotImplementedError


class GramModel(Model):
    """A model with a dense H."""

    def __init__(
        self,
        H: Array,
        g: Array,
        x: Array,
        square: float,
        coordinates: Coordinates,
        working: Array,
        rank: int,
    ) -> None:
        self.H, self.g, self.x = H, g, x
        self.levels = None if coordinates.levels is None else coordinates.levels[working]
        self.measures_gap = self.levels is not None and bool(np.all(self.levels > 0.0))
        self.positive = coordinates.positive
        if coordinates.ridge is not None:
            ridge = coordinates.ridge[working]
            self.H = H.copy()
            self.H.flat[:: H.shape[0] + 1] += ridge
            self.g = g + ridge * x
            square += float(ridge @ (x * x))
            rank = x.size
        # the square of the residual is a quadratic function with the gradient 2 g
        self.fixed = square - float(x @ self.g)
        self.linear = self.H @ x - self.g
        self.fixed += float(x @ self.linear)
        diagonal = self.H.diagonal()
        self.inverse = 1.0 / np.where(diagonal > 0.0, diagonal, 1.0)
        formula, self.parameters = coordinates.operator(working, self.inverse, True)
        self._sweep = gram_sweeps(formula, len(self.parameters))
        size = min(rank, x.size)
        self.R = np.empty((size, size))
        self.order = np.empty(size, np.int64)
        self.k = -1

    def sweep(self, count: int) -> float:
        self.sweeps += count
        move: float = self._sweep(self.H, self.g, self.x, self.inverse, *self.parameters, count)
        return move

    def square(self) -> float:
        """The square of the residual."""
        return max(self.fixed - float(self.x @ self.linear) + float(self.x @ self.g), 0.0)

    def gap(self) -> float:
        value: float = penalised_gap(self.g, self.x, self.levels, self.positive, self.square())
        return value

    def work(self, size: int) -> float:
        return float(size * self.x.size)

    def exact_step(self, size: int) -> None:
        if self.k < 0 or abs(size - self.k) > 16:
            self.k = factor_support(self.R, self.H, self.order, self.x)
        self.k = follow_support(self.R, self.H, self.order, max(self.k, 0), self.x)
        drops = size if size <= _SMALL else 8
        self.k, solves = newton_on_support(
            self.H, self.g, self.x, self.levels, self.R, self.order, self.k, drops
        )
        self.solves += solves


class ColumnModel(Model):
    """A model with sparse columns; sweeps are extrapolated (Anderson acceleration)."""

    def __init__(
        self,
        columns: tuple[Array, Array, Array, Array],
        squares: Array,
        u: Array,
        curvature: Array,
        mean: Array,
        x: Array,
        coordinates: Coordinates,
        working: Array,
    ) -> None:
        self.columns, self.u, self.curvature, self.mean, self.x = columns, u, curvature, mean, x
        self.mass = float(curvature.sum())
        self.total = float(u.sum()) if mean.any() else 0.0
        self.centred = bool(mean.any())
        self.levels = None if coordinates.levels is None else coordinates.levels[working]
        self.measures_gap = self.levels is not None and bool(np.all(self.levels > 0.0))
        self.positive = coordinates.positive
        self.ridge = 0.0 if coordinates.ridge is None else coordinates.ridge[working]
        self.inverse = 1.0 / np.where(squares > 0.0, squares, 1.0)
        formula, self.parameters = coordinates.operator(working, self.inverse, False)
        self._sweep = column_sweeps(formula, len(self.parameters))
        self.penalty, self.working, self.n = coordinates.penalty, working, coordinates.size
        self.nonzeros = float((columns[3] - columns[2]).sum())

    def sweep(self, count: int) -> float:
        """Sweep once over all, then over the support, and extrapolate that if it pays."""
        move = self._sweep_part(slice(None), 1)
        support = np.flatnonzero(self.x)
        xs, us = [self.x[support]], [self._balanced()]
        for _ in range(count - 1):
            self._sweep_part(support, 1)
            xs.append(self.x[support])
            us.append(self._balanced())
        self.sweeps += count
        self._extrapolate(support, np.array(xs), np.array(us))
        return move

    def _sweep_part(self, part: Any, count: int) -> float:
        data, indices, starts, stops = self.columns
        x = self.x[part]
        self.total, move = self._sweep(
            (data, indices, starts[part], stops[part]),
            self.u,
            self.total,
            self.curvature,
            self.mean[part],
            self.mass,
            x,
            self.inverse[part],
            *(p[part] for p in self.parameters),
            count,
        )
        self.x[part] = x
        return float(move)

    def _balanced(self) -> Array:
        """The gradient in the predictions, with the intercept at its best."""
        if not self.centred:
            return self.u.copy()
        return self.u - self.curvature * (self.total / self.mass)

    def _extrapolate(self, support: Array, xs: Array, us: Array) -> None:
        differences = np.diff(xs, axis=0)
        normal = differences @ differences.T
        normal.flat[:: normal.shape[0] + 1] += 1e-12 * np.trace(normal)
        try:
            c = np.linalg.solve(normal, np.ones(normal.shape[0]))
        except np.linalg.LinAlgError:
            return
        if not np.isfinite(c).all() or c.sum() == 0.0:
            return
        c /= c.sum()
        u = c @ us[1:]
        x = np.zeros_like(self.x)
        x[support] = c @ xs[1:]
        if self._objective(x, u) < self._objective(self.x, us[-1]):
            self.x[:] = x
            self.u[:] = u
            self.total = 0.0

    def _objective(self, x: Array, u: Array) -> float:
        if self.levels is not None:
            if self.positive and x.min(initial=0.0) < 0.0:
                return np.inf
            free = np.where(x == 0.0, 0.0, self.levels)  # a level may be infinite
            penalty = float(free @ np.abs(x)) + 0.5 * float(np.sum(self.ridge * x * x))
        else:
            whole = np.zeros(self.n)
            whole[self.working] = x
            penalty = float(self.penalty.value(whole))
        return 0.5 * self._square(u) + penalty

    def _square(self, u: Array) -> float:
        return float(np.sum(u * u / self.curvature))

    def gap(self) -> float:
        u = self._balanced()
        g = column_slopes(self.columns, u, 0.0, self.mean) + self.ridge * self.x
        square = self._square(u) + float(np.sum(self.ridge * self.x * self.x))
        value: float = penalised_gap(g, self.x, self.levels, self.positive, square)
        return value

    def work(self, size: int) -> float:
        return 2.0 * self.nonzeros

    def exact_step(self, size: int) -> None:
        from scipy.sparse import csc_array

        support = np.flatnonzero(self.x)
        data, indices, starts, stops = self.columns
        lengths = (stops - starts)[support]
        places = np.repeat(starts[support] - np.cumsum(lengths) + lengths, lengths)
        places += np.arange(places.size)
        part = csc_array(
            (data[places], indices[places], np.concatenate([[0], np.cumsum(lengths)])),
            shape=(self.u.size, support.size),
        )
        weighted = part.multiply(np.sqrt(self.curvature)[:, None]).tocsc()
        H = (weighted.T @ weighted).toarray()
        mean = self.mean[support]
        H -= self.mass * np.outer(mean, mean)
        ridge = np.broadcast_to(self.ridge, self.x.shape)[support]
        H.flat[:: H.shape[0] + 1] += ridge
        u = self._balanced()
        x = self.x[support]
        g = part.T @ u + ridge * x
        R = np.empty(H.shape)
        order = np.empty(support.size, np.int64)
        assert self.levels is not None
        k = factor_support(R, H, order, x)
        k = follow_support(R, H, order, max(k, 0), x)
        drops = size if size <= _SMALL else 8
        k, solves = newton_on_support(H, g, x, self.levels[support], R, order, k, drops)
        self.solves += solves
        change = x - self.x[support]
        self.x[support] = x
        self.u[:] = u + self.curvature * (part @ change)
        self.total = float(self.u.sum()) if self.centred else 0.0
