"""Columns of the cardinality-constrained problem, solved exactly: compiled kernels.

Everything here is transposed: row ``j`` of an array is column ``j`` of the plan, so that what
belongs to one column lies together.
"""

from __future__ import annotations

import numpy as np

from .._core import jit
from ..prox._project_simplex import simplex_threshold

ONE, FREE = 1, 2


@jit
def _count_above(z, size, theta):  # type: ignore[no-untyped-def]
    """How many of the descending ``z[:size]`` exceed theta."""
    lo, hi = 0, size
    while lo < hi:
        mid = (lo + hi) // 2
        if z[mid] > theta:
            lo = mid + 1
        else:
            hi = mid
    return lo


@jit
def _split(z, sums, size, k, theta):  # type: ignore[no-untyped-def]
    """The sets at a threshold: p entries with share 1, q positive, and the width h of the rest.

    The shares are ``min((z - theta)_+ / h, 1)`` and sum to k.
    """
    q = _count_above(z, size, theta)
    p = 0
    h = (sums[q] - q * theta) / k
    while p < k - 1 and z[p] - theta >= h:
        p += 1
        h = (sums[q] - sums[p] - (q - p) * theta) / (k - p)
    return p, q, h


@jit
def _solve_sets(sums, p, q, k, b, gamma, rho):  # type: ignore[no-untyped-def]
    """The shift beta and the level tau if p entries have share 1 and q - p are free."""
    whole = rho + gamma
    left, spread, free = np.float64(k - p), sums[q] - sums[p], np.float64(q - p)
    weight = left * rho + gamma * free
    beta = (b - sums[p] / whole - left * spread / weight) / (p / whole + left * free / weight)
    return beta, (spread + free * beta) / weight


@jit
def _decide(z, sums, size, k, b, gamma, rho, low):  # type: ignore[no-untyped-def]
    """Sets, shift and level of a column with more than k candidates, sorted descending.

    The threshold ``theta = gamma * tau - beta`` has a monotone equation, the mass of the column;
    Newton's method on it is exact as soon as the sets stay, and a bracket guards it.
    """
    whole = rho + gamma
    beta = (whole * b - sums[k]) / k
    if gamma * (z[k - 1] + beta) >= whole * (z[k] + beta):
        return k, k, beta, (z[k - 1] + beta) / whole
    high, theta = z[k], low
    p, q, h = _split(z, sums, size, k, theta)
    for _ in range(200):
        tau = h / rho
        mass = (sums[p] + p * (gamma * tau - theta)) / whole + (k - p) * tau
        if mass > b:
            low = theta
        else:
            high = theta
        beta, tau = _solve_sets(sums, p, q, k, b, gamma, rho)
        better = gamma * tau - beta
        if not (low < better < high):
            better = 0.5 * (low + high)
        if better in (low, high):
            break
        before_p, before_q, theta = p, q, better
        p, q, h = _split(z, sums, size, k, theta)
        if p == before_p and q == before_q and theta == gamma * tau - beta:
            break
    beta, tau = _solve_sets(sums, p, q, k, b, gamma, rho)
    return p, q, beta, tau


@jit
def solve_column(v, b, k, gamma, rho, work, t, kind):  # type: ignore[no-untyped-def]
    """The best column for the scores ``v``: value, regulariser, shift beta and threshold theta.

    ``max <v, t> - gamma/2 |t|_k^2 - rho/2 |t|^2`` over ``t >= 0`` with ``sum t = b``, for the
    k-support norm, whose square is ``min sum t_i^2 / u_i`` over shares ``0 <= u <= 1`` that sum to
    at most k. With ``rho = 0`` it is the maximum under the count limit itself: the k largest
    scores (the first of equal ones), projected on the simplex. ``kind`` tells the entries with
    share one from the free ones.
    """
    whole, peak = rho + gamma, np.max(v)
    low = simplex_threshold(v, peak, whole * b, work)
    t[:], kind[:] = 0.0, 0
    count = 0
    for i in range(v.size):  # the support without the limit holds the one with it
        if v[i] - peak > low:
            work[count] = v[i] - peak
            count += 1
    if count <= k:
        square = linear = 0.0
        for i in range(v.size):
            z = v[i] - peak
            if z > low:
                t[i], kind[i] = (z - low) / whole, ONE
                square += 0.5 * t[i] * t[i]
                linear += z * t[i]
        return peak * b + linear - whole * square, gamma * square, -low - peak, low + peak
    where = np.empty(count, np.int64)
    count = 0
    for i in range(v.size):
        if v[i] - peak > low:
            where[count] = i
            count += 1
    order = np.argsort(-work[:count], kind="mergesort")
    z, sums = np.empty(count + 1), np.zeros(count + 1)
    for e in range(count):
        z[e] = work[order[e]]
        sums[e + 1] = sums[e] + z[e]
    z[count] = low
    p, q, beta, tau = _decide(z, sums, count, k, b, gamma, rho, low)
    extra, value = 0.5 * gamma * (k - p) * tau * tau, 0.0
    for e in range(q):
        i = where[order[e]]
        if e < p:
            t[i], kind[i] = max((z[e] + beta) / whole, 0.0), ONE
            extra += 0.5 * gamma * t[i] * t[i]
        else:
            t[i], kind[i] = max((z[e] + beta - gamma * tau) / rho, 0.0), FREE
        value += (z[e] - 0.5 * rho * t[i]) * t[i]
    return peak * b + value - extra, extra, beta - peak, gamma * tau - beta + peak


@jit
def solve_columns(alpha, cost, centre, b, k, gamma, rho, plan, kind, facts):  # type: ignore[no-untyped-def]
    """`solve_column` for the scores ``alpha - cost + rho * centre``; four facts for each column."""
    m, n = cost.shape
    v, work = np.empty(n), np.empty(n)
    for j in range(m):
        for i in range(n):
            v[i] = alpha[i] - cost[j, i]
            if rho > 0.0:
                v[i] += rho * centre[j, i]
        value, extra, beta, theta = solve_column(v, b[j], k, gamma, rho, work, plan[j], kind[j])
        facts[0, j], facts[1, j], facts[2, j], facts[3, j] = value, extra, beta, theta
