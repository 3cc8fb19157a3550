"""Isotropic total variation: accelerated projected gradient on the dual, compiled.

The dual u has shape (axes, channels, points); u[a] belongs to the edges along axis a and is zero
where there is no next point, so that the adjoint difference is a difference of the flat array. All
kernels go line by line along the last axis, whose inner loops the compiler vectorises.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .._core import State, jit
from ._tv_grid import Array, Grid

_CHUNK = 10  # iterations between two looks at the gap


@jit
def _primal(y, inverse, h, strides, u, x):  # type: ignore[no-untyped-def]
    """``x = y - D^T u / w``; ``inverse`` holds 1 / w, ``h`` one over the spacing."""
    length = inverse.shape[1]
    last = u.shape[0] - 1
    for c in range(y.shape[0]):
        for m in range(y.shape[1] // length):
            o = m * length
            end = o + length
            xs = x[c, o:end]
            xs[:] = 0
            for a in range(last):
                here = u[a, c, o:end]
                for j in range(length):
                    xs[j] += h[a] * here[j]
                if o >= strides[a]:
                    there = u[a, c, o - strides[a] : end - strides[a]]
                    for j in range(length):
                        xs[j] -= h[a] * there[j]
            here = u[last, c, o:end]
            scale = inverse[m if inverse.shape[0] > 1 else 0]
            ys = y[c, o:end]
            xs[0] = ys[0] + scale[0] * (xs[0] + h[last] * here[0])
            for j in range(1, length):
                xs[j] = ys[j] + scale[j] * (xs[j] + h[last] * (here[j] - here[j - 1]))


@jit
def _slopes(x, o, length, stride, size, h, out):  # type: ignore[no-untyped-def]
    """Forward differences of the line of ``x`` that starts at ``o``; 0 where there is no next."""
    here = x[o : o + length]
    if stride == 0:  # along the line itself
        for j in range(length - 1):
            out[j] = h * (here[j + 1] - here[j])
        out[length - 1] = 0
    elif (o // stride) % size < size - 1:
        there = x[o + stride : o + stride + length]
        for j in range(length):
            out[j] = h * (there[j] - here[j])
    else:
        out[:] = 0


@jit
def _ascend(x, level, h, strides, sizes, sigma, beta, u, q, line):  # type: ignore[no-untyped-def]
    """One projected step from ``q`` to the new ``u``, then extrapolate to the new ``q``."""
    length = level.shape[1]
    norm, slope = line[0], line[1]
    for m in range(x.shape[1] // length):
        o = m * length
        norm[:] = 0
        for c in range(x.shape[0]):
            for a in range(u.shape[0]):
                _slopes(x[c], o, length, strides[a], sizes[a], h[a], slope)
                qs = q[a, c, o : o + length]
                for j in range(length):
                    qs[j] += sigma * slope[j]
                    norm[j] += qs[j] * qs[j]
        cap = level[m if level.shape[0] > 1 else 0]
        for j in range(length):
            size = np.sqrt(norm[j])
            norm[j] = cap[j] / size if size > cap[j] else 1
        for c in range(x.shape[0]):
            for a in range(u.shape[0]):
                qs = q[a, c, o : o + length]
                us = u[a, c, o : o + length]
                for j in range(length):
                    new = norm[j] * qs[j]
                    qs[j] = new + beta * (new - us[j])
                    us[j] = new


@jit
def _iterate(y, inverse, level, h, strides, sizes, sigma, betas, u, q, x, line):  # type: ignore[no-untyped-def]
    for k in range(betas.size):
        _primal(y, inverse, h, strides, q, x)
        _ascend(x, level, h, strides, sizes, sigma, betas[k], u, q, line)


@jit
def _measure(y, inverse, level, h, strides, sizes, u, x, line, sums):  # type: ignore[no-untyped-def]
    """Set ``x`` from ``u``; returns the duality gap, the total variation and the misfit.

    At this x the gap is ``sum(level |Dx| - <u, Dx>)``, a sum of terms >= 0 without cancellation.
    Sums run in float64, one for each place of a line.
    """
    _primal(y, inverse, h, strides, u, x)
    length = level.shape[1]
    norm, slope = line[0], line[1]
    variation, inner, misfit = sums[0], sums[1], sums[2]
    sums[:] = 0
    for m in range(x.shape[1] // length):
        o = m * length
        norm[:] = 0
        scale = inverse[m if inverse.shape[0] > 1 else 0]
        for c in range(x.shape[0]):
            for a in range(u.shape[0]):
                _slopes(x[c], o, length, strides[a], sizes[a], h[a], slope)
                us = u[a, c, o : o + length]
                for j in range(length):
                    norm[j] += slope[j] * slope[j]
                    inner[j] += us[j] * slope[j]
            xs = x[c, o : o + length]
            ys = y[c, o : o + length]
            for j in range(length):
                d = xs[j] - ys[j]
                misfit[j] += d * d / scale[j]
        cap = level[m if level.shape[0] > 1 else 0]
        for j in range(length):
            variation[j] += cap[j] * np.sqrt(norm[j])
    total = np.sum(variation)
    return max(total - np.sum(inner), 0.0), total, 0.5 * np.sum(misfit)


@dataclasses.dataclass(eq=False, kw_only=True)
class DualPoint(State):
    """The best pair (x, dual) so far, and where the iteration stands."""

    dual: Array
    u: Array
    q: Array


class Isotropic:
    """The iteration on one grid."""

    label = "accelerated dual projected gradient"

    def __init__(self, problem: Grid, max_iter: int) -> None:
        self.problem = problem
        self.max_iter = max_iter
        real: Any = problem.dtype.type
        axes = len(problem.grid)
        points = math.prod(problem.grid)
        inverse = 1.0 / problem.lines(problem.weights)
        h = 1.0 / problem.spacing
        bound = 4.0 * float(inverse.max(initial=0.0)) * float(np.sum(h * h))
        self.sigma = real(1.0 / bound)
        strides = [math.prod(problem.grid[a + 1 :]) for a in range(axes)]
        strides[-1] = 0  # the kernels' mark for the axis of the lines
        self.y = problem.y.reshape(problem.y.shape[0], points)
        self.image = np.empty_like(self.y)
        self.layout = (h.astype(real), np.array(strides), np.array(problem.grid))
        self.inverse = inverse.astype(real)
        self.level = problem.lines(problem.level)
        self.line = np.empty((2, problem.grid[-1]), real)
        self.sums = np.empty((3, problem.grid[-1]))
        # A step writes where neither the state before nor the best dual point lives.
        shape = (axes, *self.y.shape)
        self.duals = [np.empty(shape, real) for _ in range(3)]
        self.points = [np.empty(shape, real) for _ in range(2)]

    def first(self, u: Array | None) -> DualPoint:
        """The state at a dual point, made feasible; zero if there is none."""
        shape = (len(self.problem.grid), *self.y.shape)
        if u is None:
            u = np.zeros(shape, self.y.dtype)
        else:
            level = np.broadcast_to(self.problem.level, self.problem.grid).reshape(-1)
            u = u.reshape(shape)
            norm = np.sqrt(np.sum(np.square(u, dtype=np.float64), axis=(0, 1)))
            u = u * np.minimum(1.0, level / np.where(norm > 0, norm, 1.0)).astype(u.dtype)
        return self._look(u, u)

    def step(self, state: DualPoint) -> DualPoint:
        """A chunk of iterations and the gap at its end."""
        count = min(_CHUNK, self.max_iter - state.nit)
        k = np.arange(state.nit + 1, state.nit + count + 1)
        betas = ((k - 1) / (k + 3)).astype(self.y.dtype)
        u = next(b for b in self.duals if b is not state.u and b is not state.dual)
        q = next(b for b in self.points if b is not state.q)
        u[:], q[:] = state.u, state.q
        fixed = (self.y, self.inverse, self.level, *self.layout, self.sigma)
        _iterate(*fixed, betas, u, q, self.image, self.line)
        new = self._look(u, q)
        new.advance = count
        if new.certificate > state.certificate:
            new.x, new.fun, new.certificate = state.x, state.fun, state.certificate
            new.dual = state.dual
        return new

    def _look(self, u: Array, q: Array) -> DualPoint:
        gap, variation, misfit = _measure(
            self.y, self.inverse, self.level, *self.layout, u, self.image, self.line, self.sums
        )
        return DualPoint(
            x=self.problem.answer(self.image),
            fun=variation + misfit,
            certificate=gap / self.problem.scale,
            dual=u,
            u=u,
            q=q,
        )

    def dual(self, state: DualPoint) -> Array:
        """The dual point in the shape of the grid."""
        return state.dual.reshape(len(self.problem.grid), *self.problem.y.shape)
