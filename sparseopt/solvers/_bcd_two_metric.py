"""Two-metric projection: Newton steps on the free coordinates, projected."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._bcd_model import solve_spd
from ._bcd_newton import RIDGE, TRIALS, safe_step
from ._bcd_state import Workspace

Array = np.ndarray[Any, Any]

SUFFICIENT = 1e-10
NEAR = 1e-4  # how near a bound, relative to the block, counts as at it


def two_metric(work: Workspace, block: Array, B: Array, g: Array) -> Array:
    """One step of two-metric projection on the block.

    With an l1 norm it runs in the orthant that the signs, or at zero the gradient, choose: there
    the norm is linear and zero a bound. Coordinates that press against a bound take a gradient
    step; the rest a Newton step, in which those count as fixed, so that the projected direction
    descends.
    """
    x, term = work.x[block], work.term
    lam, lower, upper = term.lam[block], term.lower[block], term.upper[block]
    sign = np.where(x != 0.0, np.sign(x), -np.sign(g) * (np.abs(g) > lam))
    sign = np.where((x == 0.0) & np.isfinite(lower) & (lower >= 0.0), 1.0, sign)
    v = np.where(lam > 0, g + lam * sign, g)  # gradient within the orthant
    lower = np.where((lam > 0) & (sign >= 0), np.maximum(lower, 0.0), lower)
    upper = np.where((lam > 0) & (sign <= 0), np.minimum(upper, 0.0), upper)
    near = NEAR * max(1.0, float(np.abs(x).max(initial=0.0)))
    aim = x - v / work.bounds[block]  # small values that a gradient step keeps may well be free
    pressed = ((x - lower <= near) & (v > 0) & (aim <= lower)) | (
        (upper - x <= near) & (v < 0) & (aim >= upper)
    )
    pressed |= lower == upper
    free = np.flatnonzero(~pressed)
    d = np.zeros_like(v)
    if free.size:
        square = B[np.ix_(free, free)] + RIDGE * np.diag(work.bounds[block[free]])
        d[free] = -solve_spd(square, v[free])
    if free.size < x.size:
        d[pressed] = -v[pressed] / float(np.sum(work.bounds[block[pressed]]))
    return _search(work, block, B, g, x, d, v, free, lower, upper)


def _search(
    work: Workspace,
    block: Array,
    B: Array,
    g: Array,
    x: Array,
    d: Array,
    v: Array,
    free: Array,
    lower: Array,
    upper: Array,
) -> Array:
    """Halve the step until the projected point decreases the objective enough."""
    slope = float(v[free] @ d[free])
    pressed = np.ones(x.size, bool)
    pressed[free] = False
    noise = 8.0 * np.finfo(np.float64).eps * float(work.term.lam[block] @ np.abs(x))
    step = 1.0
    for _ in range(TRIALS):
        new = np.minimum(np.maximum(x + step * d, lower), upper)
        move = new - x
        predicted = step * slope + float(v[pressed] @ move[pressed])
        rise = 0.5 * float(move @ (B @ move)) if work.is_quadratic else work.rise(block, move)
        if float(v @ move) + rise <= SUFFICIENT * predicted + noise:
            return new
        step *= 0.5
    return safe_step(work, block, g, x)
