"""Anisotropic total variation: exact one-dimensional solutions along each axis, accelerated.

The dual is split by axes. With ``p_a = D_a^T u_a / w`` the problem is to minimise
``1/2 ||y - sum p_a||_w^2`` over sets onto which the projection is ``z - tv1d(z)`` along axis a.
For two axes one block is minimised out exactly and the other is moved by an accelerated proximal
gradient step, which has Lipschitz constant 1 (alternating minimisation with momentum); for more
axes all blocks move at once, with constant d.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core import State, from_rows, to_rows
from ._taut_string import taut_string
from ._tv_grid import Array, Grid


@dataclasses.dataclass(eq=False, kw_only=True)
class Blocks(State):
    """The best pair so far, and the blocks of the dual now and one step ago."""

    best: tuple[Array, ...]
    parts: tuple[Array, ...]
    before: tuple[Array, ...]
    since_restart: int = 0


class Anisotropic:
    """The iteration on one grid."""

    label = "accelerated dual block splitting"

    def __init__(self, problem: Grid, max_iter: int) -> None:
        self.problem = problem
        self.y = problem.y.astype(np.float64)
        self.weights = problem.weights.astype(np.float64)[None]
        axes = range(len(problem.grid))
        self.levels = [self._edges(problem.level / problem.spacing[a], a) for a in axes]
        self.rows = [self._row_levels(a) for a in axes]

    def first(self, u: Array | None) -> Blocks:
        """The state at a dual point, made feasible; zero, or solved on a line, without one."""
        parts = tuple(np.zeros_like(self.y) for _ in self.levels)
        if len(parts) == 1:  # solved
            parts = (self.y - self._along(self.y, 0),)
        elif u is not None:
            parts = tuple(self._part(np.asarray(e, np.float64), a) for a, e in enumerate(u))
        return self._look(parts, parts, 0)

    def step(self, state: Blocks) -> Blocks:
        """One sweep over the axes."""
        k = state.since_restart + 1
        beta = (k - 1) / (k + 3)
        ahead = [p + beta * (p - q) for p, q in zip(state.parts, state.before, strict=True)]
        if len(ahead) == 2:
            rest = self.y - ahead[1]
            first = rest - self._along(rest, 0)
            rest = self.y - first
            parts: tuple[Array, ...] = (first, rest - self._along(rest, 1))
            moved = range(1, 2)
        else:
            share = (self.y - sum(ahead)) / len(ahead)
            parts = tuple((p + share) - self._along(p + share, a) for a, p in enumerate(ahead))
            moved = range(len(ahead))
        turn = sum(
            float(np.sum(self.weights * (ahead[a] - parts[a]) * (parts[a] - state.parts[a])))
            for a in moved
        )
        new = self._look(parts, state.parts, 0 if turn > 0 else k)
        if new.certificate > state.certificate:
            new.x, new.fun, new.certificate = state.x, state.fun, state.certificate
            new.best = state.best
        return new

    def dual(self, state: Blocks) -> Array:
        """The dual point in the shape of the grid."""
        u = np.zeros((len(self.levels), *self.y.shape))
        for a, (part, level) in enumerate(zip(state.best, self.levels, strict=True)):
            run = -np.cumsum(self.weights * part, axis=a + 1) * self.problem.spacing[a]
            cap = level * self.problem.spacing[a]
            edges = _edges_of(u[a], a)
            edges[...] = np.clip(_edges_of(run, a), -cap, cap)
        return u

    def _look(self, parts: tuple[Array, ...], before: tuple[Array, ...], k: int) -> Blocks:
        taken = sum(parts)
        x = self.y - taken
        variation = sum(
            float(np.sum(level * np.abs(np.diff(x, axis=a + 1))))
            for a, level in enumerate(self.levels)
        )
        weighted = self.weights * taken
        gap = max(variation - float(np.vdot(x, weighted)), 0.0)
        return Blocks(
            x=self.problem.answer(x),
            fun=variation + 0.5 * float(np.vdot(taken, weighted)),
            certificate=gap / self.problem.scale,
            best=parts,
            parts=parts,
            before=before,
            since_restart=k,
        )

    def _along(self, z: Array, a: int) -> Array:
        """``tv1d`` along axis ``a`` of the grid."""
        rows = to_rows(z, a + 1)
        return from_rows(taut_string(rows, *self.rows[a]), z.shape, a + 1)

    def _part(self, u: Array, a: int) -> Array:
        """``D_a^T u / w`` of edge values moved into their bounds."""
        cap = self.levels[a]
        part = np.zeros_like(self.y)
        edges = np.clip(_edges_of(u, a) / self.problem.spacing[a], -cap, cap)
        _edges_of(part, a)[...] -= edges
        np.moveaxis(part, a + 1, -1)[..., 1:] += np.moveaxis(edges, a + 1, -1)
        return part / self.weights

    def _edges(self, level: Array, a: int) -> Array:
        """Level of the edges along axis ``a``, with a leading axis for the channels."""
        level = level.astype(np.float64)[None]
        return level if level.size == 1 else _edges_of(level, a)

    def _row_levels(self, a: int) -> tuple[Array, Array, Array]:
        """Levels (twice, above and below) and weights for the rows of `taut_string`."""
        edges, weights = self.levels[a], self.weights
        shape: Any = list(self.y.shape)
        if weights.size > 1:
            weights = to_rows(np.broadcast_to(weights, shape), a + 1)
        shape[a + 1] -= 1
        if edges.size == 0:
            edges = np.zeros((1, 1))
        elif edges.size > 1:
            edges = to_rows(np.broadcast_to(edges, shape), a + 1)
        edges = edges.reshape(edges.shape[0], -1) if edges.ndim == 2 else edges.reshape(1, 1)
        return edges, edges, weights if weights.ndim == 2 else weights.reshape(1, 1)


def _edges_of(x: Array, a: int) -> Array:
    """View of the entries of ``x`` (channels, grid) that have a successor along axis ``a``."""
    view: Array = np.moveaxis(np.moveaxis(x, a + 1, 0)[:-1], 0, a + 1)
    return view
