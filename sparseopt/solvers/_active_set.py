"""Exact steps for a quadratic plus a weighted l1 norm: a Cholesky factor that follows the support.

The problem is ``min_x 1/2 x' H x - q' x + sum_j lam_j |x_j|``; its gradient part ``g = H x - q``
is carried along. On a fixed sign pattern the solution is one triangular solve. The factor ``R``
(``R' R = H[order][:, order]``, rows contiguous) gains and loses single columns in quadratic time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]

_DEPENDENT = 1e-10  # a pivot below this part of the diagonal: a column that others already span


@jit
def dot(a, b):  # type: ignore[no-untyped-def]
    """Inner product with eight running sums, which the processor can keep apart."""
    n = a.size - a.size % 8
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for i in range(0, n, 8):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
        s4 += a[i + 4] * b[i + 4]
        s5 += a[i + 5] * b[i + 5]
        s6 += a[i + 6] * b[i + 6]
        s7 += a[i + 7] * b[i + 7]
    for i in range(n, a.size):
        s0 += a[i] * b[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@jit
def _append(R, H, order, k, j):  # type: ignore[no-untyped-def]
    """Add coordinate ``j`` to the factor, unless its column depends on those in it."""
    column = np.empty(k)
    for a in range(k):
        column[a] = H[j, order[a]]
    rest = H[j, j]
    for a in range(k):
        v = column[a] / R[a, a]
        column[a] = v
        rest -= v * v
        for b in range(a + 1, k):
            column[b] -= v * R[a, b]
    if not rest > _DEPENDENT * H[j, j] or k == R.shape[0]:
        return k
    for a in range(k):
        R[a, k] = column[a]
    R[k, k] = np.sqrt(rest)
    order[k] = j
    return k + 1


@jit
def _delete(R, order, k, position):  # type: ignore[no-untyped-def]
    """Take the coordinate at ``position`` out of the factor, by Givens rotations."""
    for a in range(k):
        for b in range(max(position, a - 1), k - 1):
            R[a, b] = R[a, b + 1]
    for a in range(position, k - 1):
        order[a] = order[a + 1]
        length = np.hypot(R[a, a], R[a + 1, a])
        c = R[a, a] / length
        s = R[a + 1, a] / length
        for b in range(a, k - 1):
            upper = R[a, b]
            lower = R[a + 1, b]
            R[a, b] = c * upper + s * lower
            R[a + 1, b] = c * lower - s * upper
    return k - 1


@jit
def follow_support(R, H, order, k, x):  # type: ignore[no-untyped-def]
    """Make the factor that of the support of ``x``, column by column; the new size is returned.

    Coordinates whose columns depend on the others' stay out: a Newton step leaves them alone.
    """
    for position in range(k - 1, -1, -1):
        if x[order[position]] == 0.0:
            k = _delete(R, order, k, position)
    inside = np.zeros(x.size, np.bool_)
    for a in range(k):
        inside[order[a]] = True
    for j in range(x.size):
        if x[j] != 0.0 and not inside[j]:
            k = _append(R, H, order, k, j)
    return k


@jit
def _direction(R, k, rhs, d):  # type: ignore[no-untyped-def]
    """``d = (R' R)^-1 rhs``, by two triangular solves along contiguous rows."""
    for a in range(k):
        d[a] = rhs[a]
    for a in range(k):
        v = d[a] / R[a, a]
        d[a] = v
        for b in range(a + 1, k):
            d[b] -= v * R[a, b]
    for a in range(k - 1, -1, -1):
        d[a] = (d[a] - dot(R[a, a + 1 : k], d[a + 1 : k])) / R[a, a]


@jit
def newton_on_support(H, g, x, lam, R, order, k, max_drops):  # type: ignore[no-untyped-def]
    """Go to the minimiser over the support with fixed signs, or as far as the signs hold.

    Where a coordinate reaches zero it leaves the support and the rest goes on to its own
    minimiser, at most ``max_drops`` times. The objective never rises. Returns the size of the
    factor and the number of triangular solves.
    """
    start = x.copy()
    rhs = np.empty(k)
    d = np.empty(k)
    sign = np.empty(k)
    for a in range(k):
        j = order[a]
        sign[a] = 1.0 if x[j] > 0.0 else -1.0
        rhs[a] = -(g[j] + lam[j] * sign[a])
    solves = 0
    while k > 0 and solves <= max_drops:
        _direction(R, k, rhs, d)
        solves += 1
        alpha = 1.0
        first = -1
        for a in range(k):
            if (x[order[a]] + d[a]) * sign[a] <= 0.0:
                t = -x[order[a]] / d[a]
                if first < 0 or t < alpha:
                    alpha = t
                    first = a
        for a in range(k):
            x[order[a]] += alpha * d[a]
            rhs[a] *= 1.0 - alpha
        if first < 0:
            break
        x[order[first]] = 0.0
        k = _delete(R, order, k, first)
        for a in range(first, k):
            rhs[a] = rhs[a + 1]
            sign[a] = sign[a + 1]
    for j in range(x.size):
        change = x[j] - start[j]
        if change != 0.0:
            for i in range(x.size):
                g[i] += change * H[j, i]
    return k, solves


def factor_support(R: Array, H: Array, order: Array, x: Array) -> int:
    """The factor of the support of ``x`` from scratch; -1 if the support is too large.

    Where columns are dependent, a ridge far below the diagonal is added: steps are then exact only
    across the other directions, which are those that change the objective.
    """
    from scipy.linalg.lapack import dpotrf

    support = np.flatnonzero(x)
    k = support.size
    if k > R.shape[0]:
        return -1
    block = H[np.ix_(support, support)]
    diagonal = block.diagonal().copy()
    diagonal[diagonal <= 0.0] = 1.0  # a free coordinate without a column
    for ridge in (0.0, 1e-8):
        block.flat[:: k + 1] = diagonal * (1.0 + ridge)
        lower, info = dpotrf(block, lower=1, clean=0)
        if info == 0 and (ridge or (lower.diagonal() ** 2 > _DEPENDENT * diagonal).all()):
            R[:k, :k] = lower.T
            order[:k] = support
            return int(k)
    return -1
