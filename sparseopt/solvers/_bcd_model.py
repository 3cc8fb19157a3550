"""Minimisers of the models of one block: quadratic, cubic, and quadratic plus a penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._bcd_terms import bounded_threshold

Array = np.ndarray[Any, Any]


def solve_spd(H: Array, rhs: Array) -> Array:
    """``H^{-1} rhs`` for a positive definite matrix, and the best there is for a singular one."""
    factor = factor_spd(H)
    return solve_factor(factor, rhs)


def factor_spd(H: Array) -> tuple[str, Array]:
    """A Cholesky factor, that of a slightly larger matrix, or a pseudo-inverse."""
    from scipy.linalg.lapack import dpotrf

    lower, failed = dpotrf(H, lower=1)
    size = H.shape[0]
    diagonal = np.diag(H)
    # A pivot made of rounding errors alone would send the step anywhere. Beside its own diagonal
    # entry, since columns may differ in scale by any factor.
    if not failed and np.all(np.diag(lower) ** 2 > 1e-14 * size * diagonal):
        return "cholesky", lower
    lower, failed = dpotrf(H + 1e-10 * np.diag(diagonal), lower=1)
    if not failed:
        return "cholesky", lower
    return "inverse", np.linalg.pinv(H, hermitian=True)


def solve_factor(factor: tuple[str, Array], rhs: Array) -> Array:
    """Solve with what `factor_spd` returned."""
    from scipy.linalg.lapack import dpotrs

    kind, matrix = factor
    if kind == "inverse":
        return matrix @ rhs
    solution: Array = dpotrs(matrix, rhs, lower=1)[0]
    return solution


def largest_eigenvalue(H: Array) -> float:
    """The largest eigenvalue of a block, or for large blocks a bound on it.

    Up to 200 rows it is exact; above it comes from power iteration with a margin of 1 %, capped
    by the largest row sum.
    """
    size = H.shape[0]
    if size == 1:
        return float(H[0, 0])
    if size <= 200:
        return float(np.linalg.eigvalsh(H)[-1])
    v = np.ones(size) / np.sqrt(size)
    value = 0.0
    for _ in range(1000):
        w = H @ v
        new = float(np.linalg.norm(w))
        if new <= 0.0 or abs(new - value) <= 1e-3 * new:
            value = new
            break
        v, value = w / new, new
    return min(1.01 * value, float(np.abs(H).sum(axis=1).max()))


def cubic_step(B: Array, g: Array, M: float) -> Array:
    r"""``argmin_d <g, d> + 1/2 <d, B d> + M/6 ||d||^3`` for B positive semidefinite."""
    from scipy.optimize import brentq

    norm = float(np.linalg.norm(g))
    if norm == 0.0:
        return np.zeros_like(g)
    values, vectors = np.linalg.eigh(B)
    values = np.maximum(values, 0.0)
    c = vectors.T @ g
    if M <= 0.0:
        return -vectors @ (c / np.maximum(values, 1e-12 * max(values[-1], 1e-300)))
    # The root for the largest and for no curvature: between them lies that for all of it.
    low = 2.0 * norm / (values[-1] + np.sqrt(values[-1] ** 2 + 2.0 * M * norm))
    low, top = low * (1.0 - 1e-12), np.sqrt(2.0 * norm / M) * (1.0 + 1e-12)

    def excess(r: float) -> float:
        return float(np.linalg.norm(c / (values + 0.5 * M * r))) - r

    r = brentq(excess, low, top, xtol=1e-300, rtol=1e-14, maxiter=500)
    return -vectors @ (c / (values + 0.5 * M * r))


def group_step(H: Array, g: Array, x: Array, level: float) -> Array:
    """``argmin_v <g, v - x> + 1/2 <v - x, H (v - x)> + level ||v||``, the new values."""
    from scipy.optimize import brentq

    values, vectors = np.linalg.eigh(H)
    values = np.maximum(values, 1e-14 * max(values[-1], 1e-300))
    c = vectors.T @ (H @ x - g)
    norm = float(np.linalg.norm(c))
    if norm <= level:
        return np.zeros_like(x)
    if level == 0.0:
        return vectors @ (c / values)
    # (H + level/r) v = c and ||v|| = r; the left side of the equation for r falls.
    low, high = (norm - level) / values[-1], (norm - level) / values[0]

    def excess(r: float) -> float:
        return float(np.linalg.norm(c / (values * r + level))) - 1.0

    r = high
    if low < high and excess(low * (1 - 1e-9)) > 0 > excess(high * (1 + 1e-9)):
        r = brentq(excess, low * (1 - 1e-9), high * (1 + 1e-9), xtol=1e-300, rtol=1e-14)
    return vectors @ (c * r / (values * r + level))


def separable_step(H: Array, g: Array, x: Array, lam: Array, lower: Array, upper: Array) -> Array:
    """``argmin_v <g, v - x> + 1/2 <v - x, H (v - x)> + sum lam |v|`` on a box: the new values.

    Coordinate descent finds which coordinates are free, and a linear solve the values of those;
    the answer is exact as soon as the first is right.
    """
    v = x.copy()
    r = g.copy()  # gradient of the quadratic at v
    diagonal = np.diag(H).copy()
    start = 0.0
    for round_ in range(60):
        change = _sweeps(H, diagonal, v, r, lam, lower, upper, 4 + 2 * round_)
        start = max(start, change)
        exact = _polish(H, g, x, v, r, lam, lower, upper)
        if exact is not None:
            return exact
        if change <= 1e-10 * start:
            break
    return v


def _polish(
    H: Array, g: Array, x: Array, v: Array, r: Array, lam: Array, lower: Array, upper: Array
) -> Array | None:
    """The minimiser with the sign pattern of ``v``, if it is the minimiser of all."""
    kink = ((v == 0.0) & (lam > 0)) | (v == lower) | (v == upper)
    free = np.flatnonzero(~kink)
    new = v.copy()
    gradient = r
    if free.size:
        s = lam[free] * np.sign(v[free])
        move = -solve_spd(H[np.ix_(free, free)], r[free] + s)
        new[free] += move
        if np.any((np.sign(new[free]) != np.sign(v[free])) & (lam[free] > 0)):
            return None
        if np.any((new < lower) | (new > upper)):
            return None
        gradient = g + H @ (new - x)
    slack = 1e-10 * (np.abs(g).max() + lam)
    right = np.where(new >= 0, lam, -lam)  # slopes of the penalty to either side
    left = np.where(new <= 0, -lam, lam)
    rising = (gradient + right >= -slack) | (new >= upper)
    falling = (gradient + left <= slack) | (new <= lower)
    return new if bool(np.all(rising & falling)) else None


@jit
def _sweeps(H, diagonal, v, r, lam, lower, upper, count):  # type: ignore[no-untyped-def]
    """Cyclic coordinate descent in place; returns the largest step of the last sweep, scaled."""
    size = v.size
    largest = 0.0
    for _ in range(count):
        largest = 0.0
        for i in range(size):
            h = diagonal[i]
            if not h > 0.0:
                continue
            new = bounded_threshold(v[i] - r[i] / h, lam[i] / h, lower[i], upper[i])
            d = new - v[i]
            if d != 0.0:
                v[i] = new
                largest = max(largest, abs(d) * h)
                for j in range(size):
                    r[j] += H[i, j] * d
        if largest == 0.0:
            break
    return largest
