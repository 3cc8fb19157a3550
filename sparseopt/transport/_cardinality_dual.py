"""The dual and the semi-dual of cardinality-constrained transport by L-BFGS, as published.

Both are concave and not smooth where the k-th and the next score of a column are equal, which is
where their maximum usually lies when k is small: the method then ends with wrong marginals, and the
certificate says so. They are here to compare with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import State
from ._cardinality_relaxed import Columns, Fit

Array = np.ndarray[Any, Any]

CHUNK = 100  # iterations of L-BFGS between two calls of the driver; its memory does not carry over


@dataclasses.dataclass(eq=False, kw_only=True)
class DualState(State):
    """``x`` holds the variables; ``plan`` is the transposed plan that they choose."""

    alpha: Array
    plan: Array


class FirstOrder:
    """L-BFGS in chunks, for the driver."""

    def __init__(self, columns: Columns, method: str, span: float) -> None:
        self.columns = columns
        # Steps of the method start at the length of the gradient, which has the scale of masses.
        self.unit = max(span, columns.gamma * float(columns.b.mean()), 1e-300)
        self.objective: Callable[[Array], tuple[float, Array, Array]] = (
            self._dual if method == "dual" else self._semi_dual
        )
        self.pair = method == "dual"

    def start(self, alpha: Array | None) -> DualState:
        """From potentials, or zero."""
        n, m = self.columns.a.size, self.columns.b.size
        alpha = np.zeros(n) if alpha is None else alpha
        x = alpha
        if self.pair:
            x = np.concatenate(
                [alpha, self.columns.bound(alpha).beta if alpha.any() else np.zeros(m)]
            )
        return self._state(x)

    def step(self, old: DualState) -> DualState:
        """Up to a chunk of iterations."""
        from scipy.optimize import minimize

        mass = self.columns.mass

        def negative(z: Array) -> tuple[float, Array]:
            fun, gradient, _ = self.objective(z * self.unit)
            return -fun / (self.unit * mass), -gradient / mass

        found = minimize(
            negative,
            old.x / self.unit,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": CHUNK, "ftol": 0.0, "gtol": 1e-14, "maxcor": 10},
        )
        state = self._state(found.x * self.unit)
        state.advance = max(int(found.nit), 1)
        if found.nit == 0 or (found.nit < CHUNK and state.fun <= old.fun):
            state.stalled = "the line search of L-BFGS finds no better point"
        return state

    def _state(self, x: Array) -> DualState:
        fun, _, plan = self.objective(x)
        columns, n = self.columns, self.columns.a.size
        error = np.abs(columns.a - plan.sum(axis=0)).sum()
        error += np.abs(columns.b - plan.sum(axis=1)).sum()
        return DualState(
            x=x, fun=fun, alpha=x[:n], plan=plan, certificate=float(error) / columns.mass
        )

    def _semi_dual(self, alpha: Array) -> tuple[float, Array, Array]:
        fit: Fit = self.columns.bound(alpha)
        return fit.fun, fit.residual, fit.plan

    def _dual(self, x: Array) -> tuple[float, Array, Array]:
        columns, n = self.columns, self.columns.a.size
        alpha, beta = x[:n], x[n:]
        scores = alpha + beta[:, None] - columns.cost
        kept = np.argsort(-scores, axis=1, kind="stable")[:, : columns.k]
        top = np.maximum(np.take_along_axis(scores, kept, axis=1), 0.0) / columns.gamma
        plan = np.zeros_like(scores)
        np.put_along_axis(plan, kept, top, axis=1)
        fun = columns.a @ alpha + columns.b @ beta - 0.5 * columns.gamma * (top**2).sum()
        gradient = [columns.a - plan.sum(axis=0), columns.b - plan.sum(axis=1)]
        return float(fun), np.concatenate(gradient), plan
