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
from ._columns import add_columns, column_gram, column_slopes
from ._coordinates import Coordinates
from ._extrapolation import anderson
from ._sweeps import column_sweep, gram_sweeps

Array = np.ndarray[Any, Any]

_SMALL = 200  # a support up to which an exact step costs no more than a few sweeps
_CALL = 2e5  # multiplications in the time that the calls of an exact step take
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


class Model:
    """What both kinds share: sweeps until the gap is small, exact steps once signs are stable."""

    x: Array
    inverse: Array
    levels: Array | None
    measures_gap: bool
    sweeps = 0
    solves = 0
    per_check = 10

    def minimise(self, target: float, max_sweeps: int = 20_000) -> None:
        """Sweep until the duality gap (or, without one, the largest move) is below ``target``."""
        signs: Array | None = None
        spent = 0.0
        limit = self.sweeps + max_sweeps
        while self.x.size and self.sweeps < limit:
            move = self.sweep(self.per_check)
            if self.finished(move, target) or move == 0.0:  # or as exact as numbers allow
                return
            if self.levels is None:
                continue
            size = int(np.count_nonzero(self.x))
            spent += self.per_check * self.work(size)
            before, signs = signs, np.sign(self.x)
            stable = before is not None and np.array_equal(before, signs)
            if self.is_cheap(size) or (stable and spent >= self.step_work(size)):
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

    def is_cheap(self, size: int) -> bool:
        """Whether an exact step costs no more than a few sweeps, so that it can always be taken."""
        return False

    def step_work(self, size: int) -> float:
        """Multiplications that take as long as an exact step."""
        return size**3 / _FAST

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
        # the square of the residual is a quadratic function with the gradient 2 g
        self.fixed = square - float(x @ self.g)
        self.linear = self.H @ x - self.g
        self.fixed += float(x @ self.linear)
        diagonal = self.H.diagonal()
        self.inverse = 1.0 / np.where(diagonal > 0.0, diagonal, 1.0)
        formula, self.parameters = coordinates.operator(working, self.inverse, True)
        self._sweep = gram_sweeps(formula, len(self.parameters))
        self.R = np.empty(self.H.shape)
        self.order = np.empty(x.size, np.int64)
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

    def is_cheap(self, size: int) -> bool:
        return size <= _SMALL

    def exact_step(self, size: int) -> None:
        if self.k < 0 or abs(size - self.k) > 16:
            self.k = factor_support(self.R, self.H, self.order, self.x)
        self.k = follow_support(self.R, self.H, self.order, max(self.k, 0), self.x)
        if self.k < size:  # dependent columns: the factor with a ridge tells which can leave
            self.k = max(factor_support(self.R, self.H, self.order, self.x), 0)
        drops = size if size <= _SMALL else 8
        self.k, solves = newton_on_support(
            self.H, self.g, self.x, self.levels, self.R, self.order, self.k, drops
        )
        self.solves += solves


class ColumnModel(Model):
    """A model with sparse columns; sweeps over the support are extrapolated (Anderson).

    Rows are scaled by the roots of the curvatures, so that H is ``X' X``.
    """

    per_check = 8

    def __init__(
        self,
        columns: tuple[Array, Array, Array, Array],
        squares: Array,
        mean: Array,
        root: Array,
        u: Array,
        x: Array,
        coordinates: Coordinates,
        working: Array,
    ) -> None:
        self.columns, self.mean, self.root, self.x = columns, mean, root, x
        self.u = u / root
        self.centred = bool(mean.any())
        self.mass = float(root @ root)
        self.total = float(u.sum()) if self.centred else 0.0
        self.levels = None if coordinates.levels is None else coordinates.levels[working]
        self.measures_gap = self.levels is not None and bool(np.all(self.levels > 0.0))
        self.positive = coordinates.positive
        ridge = coordinates.ridge
        self.has_ridge = ridge is not None
        self.ridge = np.zeros(x.size) if ridge is None else ridge[working]
        self.inverse = 1.0 / np.where(squares > 0.0, squares, 1.0)
        formula, self.parameters = coordinates.operator(working, self.inverse, False)
        self._sweep = column_sweep(formula, len(self.parameters))
        self.coordinates, self.working = coordinates, working
        self.all = np.arange(x.size)
        self.nonzeros = columns[0].size

    def sweep(self, count: int) -> float:
        """Sweep once over all, then over the support, and extrapolate that if it pays."""
        move = self._sweep_over(self.all)
        support = np.flatnonzero(self.x)
        xs = np.empty((count, support.size))
        us = np.empty((count, self.u.size))
        for i in range(count):
            if i:
                self._sweep_over(support)
            xs[i], us[i] = self.x[support], self.balanced()
        self.sweeps += count
        if support.size:
            self._extrapolate(support, xs, us)
        return move

    def _sweep_over(self, chosen: Array) -> float:
        self.total, move = self._sweep(
            self.columns,
            chosen,
            self.u,
            self.total,
            self.mean,
            self.mass,
            self.x,
            self.inverse,
            *self.parameters,
        )
        return float(move)

    def balanced(self) -> Array:
        """The residual with the intercept at its best."""
        return self.u - self.root * (self.total / self.mass) if self.centred else self.u

    def _extrapolate(self, support: Array, xs: Array, us: Array) -> None:
        x, u = anderson(xs, us)
        if self._objective(support, x, u) < self._objective(support, xs[-1], us[-1]):
            self.x[support] = x
            self.u[:] = u
            self.total = 0.0

    def _objective(self, support: Array, x: Array, u: Array) -> float:
        if self.levels is None:
            penalty = self.coordinates.value(self.working[support], x)
        elif self.positive and x.min() < 0.0:
            return np.inf
        else:
            penalty = float(self.levels[support] @ np.abs(x))
            if self.has_ridge:
                penalty += 0.5 * float(self.ridge[support] @ (x * x))
        return 0.5 * float(u @ u) + penalty

    def gap(self) -> float:
        u = self.balanced()
        g = column_slopes(self.columns, self.all, u)
        square = float(u @ u)
        if self.has_ridge:
            g += self.ridge * self.x
            square += float(self.ridge @ (self.x * self.x))
        value: float = penalised_gap(g, self.x, self.levels, self.positive, square)
        return value

    def work(self, size: int) -> float:
        return 2.0 * self.nonzeros

    def step_work(self, size: int) -> float:
        return _CALL + 0.25 * size**2 * self.nonzeros / self.x.size + super().step_work(size)

    def exact_step(self, size: int) -> None:
        assert self.levels is not None
        support = np.flatnonzero(self.x)
        H = column_gram(self.columns, support, self.u.size)
        if self.centred:
            mean = self.mean[support]
            H -= self.mass * np.outer(mean, mean)
        ridge = self.ridge[support]
        H.flat[:: H.shape[0] + 1] += ridge
        self.u[:] = self.balanced()
        x = self.x[support]
        g = column_slopes(self.columns, support, self.u) + ridge * x
        R = np.empty(H.shape)
        order = np.empty(support.size, np.int64)
        k = factor_support(R, H, order, x)
        k = follow_support(R, H, order, max(k, 0), x)
        drops = size if size <= _SMALL else 8
        k, solves = newton_on_support(H, g, x, self.levels[support], R, order, k, drops)
        self.solves += solves
        add_columns(self.columns, support, x - self.x[support], self.u)
        self.x[support] = x
        self.total = float(self.root @ self.u) if self.centred else 0.0
