"""Newton steps on a block: with a line search, with a cubic model, or to the very minimum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._bcd_model import cubic_step, group_step, separable_step, solve_spd
from ._bcd_state import Workspace
from ._bcd_terms import Term

Array = np.ndarray[Any, Any]

SUFFICIENT = 1e-4  # share of the predicted decrease that Armijo's rule asks for
TRIALS = 40
RIDGE = 1e-12  # of its bound keeps a vanishing Hessian invertible: see separable data


def model_step(term: Term, block: Array, H: Array, g: Array, x: Array) -> Array:
    """The minimiser of ``<g, v - x> + 1/2 <v - x, H (v - x)> + h(v)``."""
    if term.is_zero:
        return x - solve_spd(H, g)
    if term.has_groups:
        return group_step(H, g, x, term.group_level(block))
    return separable_step(H, g, x, term.lam[block], term.lower[block], term.upper[block])


def newton(work: Workspace, block: Array, B: Array, g: Array) -> Array:
    """The minimiser of the model with the Hessian, or a point on the way that Armijo accepts."""
    x = work.x[block]
    B = B + RIDGE * np.diag(work.bounds[block])
    d = model_step(work.term, block, B, g, x) - x
    slope = float(g @ d) + work.term.difference(block, x, d)
    if not slope < 0.0:
        return x
    step = line_search(work, block, g, x, d, slope)
    if step == 0.0:
        return safe_step(work, block, g, x)
    return x + step * d if step != 1.0 else x + d


def safe_step(work: Workspace, block: Array, g: Array, x: Array) -> Array:
    """A proximal gradient step, where the Hessian says too little: a loss may be a line there.

    Nothing changes if it does not descend either, beyond rounding.
    """
    d = work.term.prox(block, x, g, 1.0 / float(np.sum(work.bounds[block])))
    change = float(g @ d) + work.rise(block, d) + work.term.difference(block, x, d)
    return x + d if change < 0.0 else x


def line_search(work: Workspace, block: Array, g: Array, x: Array, d: Array, slope: float) -> float:
    """A step for Armijo's rule: 1, then by quadratic and cubic interpolation.

    ``slope`` bounds the change per unit of step. Returns 0 where rounding hides every decrease.
    """
    linear = float(g @ d)
    noise = 8.0 * np.finfo(np.float64).eps * float(work.term.lam[block] @ np.abs(x))
    step, last, last_value = 1.0, 0.0, 0.0
    for _ in range(TRIALS):
        move = step * d
        value = step * linear + work.rise(block, move) + work.term.difference(block, x, move)
        if value <= SUFFICIENT * step * slope + noise:
            return step
        new = _interpolate(step, value, last, last_value, slope)
        last, last_value = step, value
        step = min(max(new, 0.1 * step), 0.5 * step)
    return 0.0


def _interpolate(a: float, fa: float, b: float, fb: float, slope: float) -> float:
    """Minimiser of the polynomial through 0 with the slope, ``(a, fa)`` and, from then on, b."""
    if not math.isfinite(fa) or not math.isfinite(fb):
        return 0.1 * a
    quadratic = -slope * a * a / (2.0 * (fa - slope * a)) if fa > slope * a else 0.5 * a
    if b == 0.0:
        return quadratic
    u, v = (fa - slope * a) / (a * a), (fb - slope * b) / (b * b)
    p, q = (u - v) / (a - b), (v * a - u * b) / (a - b)
    if p == 0.0:
        return quadratic
    root = q * q - 3.0 * p * slope
    return (-q + math.sqrt(root)) / (3.0 * p) if root >= 0.0 else quadratic


def cubic(work: Workspace, block: Array, B: Array, g: Array) -> Array:
    """The minimiser of the model with a cubic term, which always decreases: no line search."""
    M = float(work.loss.third_order(block)[1])
    return work.x[block] + cubic_step(B, g, M)


def exact(work: Workspace, block: Array, *, tol: float = 1e-13, rounds: int = 200) -> Array:
    """The minimiser over the block, by Newton steps of their own prediction."""
    trial = _Trial(work)
    start = None
    for _ in range(rounds):
        g = np.asarray(work.loss.block_gradient(block, trial.u), np.float64)
        B = np.asarray(work.loss.block_hessian(block, trial.z), np.float64)
        x = trial.x[block]
        new = newton(trial, block, B, g)
        size = float(np.max(work.bounds[block] * np.abs(new - x)))
        start = size if start is None else start
        if np.array_equal(new, x) or size <= tol * start:
            break
        trial.apply(block, new)
    return trial.x[block]


class _Trial(Workspace):
    """A copy of a workspace that can be changed without consequences."""

    def __init__(self, work: Workspace) -> None:
        self.__dict__.update(work.__dict__)
        self.greedy = False
        self.x = work.x.copy()
        self.z = work.z.copy()
