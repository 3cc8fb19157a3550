"""Newton systems of the proximal steps of cardinality-constrained transport.

A column of the plan answers a change of the row potentials by its Jacobian in the scores,
``diag(d) - kappa 1_free 1_free'`` (the rank-one term where the count limit acts), with the column
sum held: ``B - r r' / sum r`` with ``r = B 1``. The Hessian of the problem is the sum over columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._k_support import FREE, ONE

Array = np.ndarray[Any, Any]

DENSE = 2000  # rows up to which the Hessian is factorised; beyond, conjugate gradients


@jit
def _weights(kinds, k, gamma, rho):  # type: ignore[no-untyped-def]
    """Entries of d and r for the two kinds, kappa, and the sum of r."""
    p = q = 0
    for kind in kinds:
        if kind != 0:
            q += 1
            if kind == ONE:
                p += 1
    flat = 1.0 / (rho + gamma)
    if q == p:
        return flat, 0.0, 0.0, 0.0, p * flat
    weight = (k - p) * rho + gamma * (q - p)
    steep, sunk = 1.0 / rho, (k - p) / weight
    return flat, steep, sunk, gamma / (rho * weight), p * flat + (q - p) * sunk


@jit
def hessian(kinds, k, gamma, rho, H):  # type: ignore[no-untyped-def]
    """Fill the dense Hessian."""
    m, n = kinds.shape
    H[:] = 0.0
    where, r = np.empty(n, np.int64), np.empty(n)
    for j in range(m):
        flat, steep, sunk, kappa, total = _weights(kinds[j], k, gamma, rho)
        count = 0
        for i in range(n):
            if kinds[j, i] != 0:
                where[count] = i
                r[count] = flat if kinds[j, i] == ONE else sunk
                H[i, i] += flat if kinds[j, i] == ONE else steep
                count += 1
        for s in range(count):
            row, free = where[s], kinds[j, where[s]] == FREE
            share = r[s] / total
            for e in range(count):
                drop = share * r[e]
                if free and kinds[j, where[e]] == FREE:
                    drop += kappa
                H[row, where[e]] -= drop


@jit
def product(kinds, k, gamma, rho, x, y, diagonal):  # type: ignore[no-untyped-def]
    """``y = H x`` and the diagonal of H, column by column."""
    m, n = kinds.shape
    y[:], diagonal[:] = 0.0, 0.0
    for j in range(m):
        flat, steep, sunk, kappa, total = _weights(kinds[j], k, gamma, rho)
        inner = spread = 0.0
        for i in range(n):
            if kinds[j, i] == ONE:
                inner += flat * x[i]
            elif kinds[j, i] == FREE:
                inner += sunk * x[i]
                spread += x[i]
        inner /= total
        for i in range(n):
            if kinds[j, i] == ONE:
                y[i] += flat * (x[i] - inner)
                diagonal[i] += flat - flat * flat / total
            elif kinds[j, i] == FREE:
                y[i] += steep * x[i] - kappa * spread - sunk * inner
                diagonal[i] += steep - kappa - sunk * sunk / total


def newton_step(
    kinds: Array, k: int, gamma: float, rho: float, residual: Array, shift: float, rtol: float
) -> Array:
    """Solve ``(H + s I) d = residual``, with s the shift times the scale of the diagonal of H.

    H is singular along the constants, and along every part of the rows that shares no column with
    the rest: the shift bounds the step there. Where no column has two rows H vanishes.
    """
    n, least = residual.size, 1.0 / (rho + gamma)
    if n <= DENSE:
        from scipy.linalg import cho_factor, cho_solve

        H = np.empty((n, n))
        hessian(kinds, k, gamma, rho, H)
        diagonal = H.diagonal()
        H[np.diag_indices(n)] += shift * max(float(diagonal.mean()), least)
        while True:
            try:
                return cho_solve(cho_factor(H, lower=True), residual)
            except np.linalg.LinAlgError:
                H[np.diag_indices(n)] += 1e-13 * float(np.abs(H).max())
    from scipy.sparse.linalg import LinearOperator, cg

    y, diagonal = np.empty(n), np.empty(n)
    product(kinds, k, gamma, rho, residual, y, diagonal)
    mean = max(float(diagonal.mean()), least)
    s = shift * mean
    scale = np.maximum(diagonal, 1e-3 * mean) + s
    spare = np.empty(n)

    def apply(x: Array) -> Array:
        y = np.empty(n)
        product(kinds, k, gamma, rho, x.ravel(), y, spare)
        return y + s * x.ravel()

    H = LinearOperator((n, n), matvec=apply, dtype=np.float64)
    jacobi = LinearOperator((n, n), matvec=lambda x: x.ravel() / scale, dtype=np.float64)
    step, _ = cg(H, residual, rtol=rtol, maxiter=10 * n, M=jacobi)
    return step
