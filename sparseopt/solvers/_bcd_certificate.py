"""What block coordinate descent stops on: a duality gap, or how far from stationary it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._bcd_state import Workspace
from ._composite import Composite

Array = np.ndarray[Any, Any]


class Certificate:
    """Measures an iterate, and keeps the best dual point."""

    def __init__(self, work: Workspace, penalty: Any) -> None:
        self.work = work
        loss = work.loss
        self.problem = Composite(loss, penalty)
        self.has_gap = self.problem.has_dual and len(loss.shape) == 1 and self.problem.joint
        self.name = "relative duality gap" if self.has_gap else "scaled residual"
        self.dual: Array | None = None
        self.dual_value = -math.inf
        zero = np.zeros(loss.shape, loss.dtype)
        at_zero = np.abs(np.asarray(loss.pull_back(loss.gradient_at(loss.predict(zero)))))
        largest = float(at_zero.max(initial=0.0))
        self.scale = largest if largest > 0 else 1.0

    def objective(self) -> float:
        """``f + h`` at the iterate."""
        x = self.work.x.reshape(self.work.loss.shape)
        value = float(np.sum(self.work.loss.value_at(self.work.z)))
        return value + float(np.sum(self.problem.penalty.value(x)))

    def measure(self, fun: float) -> float:
        """The certificate at the iterate, whose objective is ``fun``."""
        work = self.work
        g = work.g if work.greedy else work.full_gradient()
        if not self.has_gap:
            return float(np.max(stationarity(work, g), initial=0.0)) / self.scale
        scale, value = self.problem.dual(work.u, g.astype(work.loss.dtype, copy=False))
        if value > self.dual_value:
            self.dual_value = float(value)
            self.dual = work.u * np.asarray(-scale, work.u.dtype)
        return max(float((fun - self.dual_value) / self.problem.scale), 0.0)


def stationarity(work: Workspace, g: Array) -> Array:
    """``L_i`` times the length of the proximal gradient step of each coordinate, or group."""
    term, bounds = work.term, work.bounds
    active = np.flatnonzero(bounds > 0)
    if term.is_zero:
        return np.abs(g[active])
    if term.labels is None:
        L = bounds[active]
        v = work.x[active] - g[active] / L
        shrunk = np.sign(v) * np.maximum(np.abs(v) - term.lam[active] / L, 0.0)
        new = np.clip(shrunk, term.lower[active], term.upper[active])
        return L * np.abs(new - work.x[active])
    residual = np.zeros(work.p)
    order = np.argsort(term.labels, kind="stable")
    cuts = np.flatnonzero(np.diff(term.labels[order])) + 1
    for block in np.split(order, cuts):
        total = float(bounds[block].sum())
        if total > 0:
            residual[block] = total * term.prox(block, work.x[block], g[block], 1.0 / total)
    return np.abs(residual)
