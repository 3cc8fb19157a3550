"""The k-support norm, and the sum of the k largest squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit, namespace, to_host, to_native
from .._core._validate import axis_index, integer, steps
from ._group_envelope import (
    Envelope,
    _shares,
    in_precision,
    scale_by_envelope,
    shrinkage,
    solve_alpha,
)
from ._group_lifts import finite_level
from ._vectors import as_array

Array = np.ndarray[Any, Any]


@jit
def _dual_square(z, cut, left, spread, active):  # type: ignore[no-untyped-def]
    """Sum of the k largest squares of ``v - x`` at mu = z / (1 - z), for decided sets."""
    mean = left * (1.0 - z) + active * z
    flat = left * (spread / mean) ** 2 if active > 0.0 else 0.0
    return z * z * (cut + flat)


@jit
def _ridge_on_sets(a, shares, k, target):  # type: ignore[no-untyped-def]
    """The mu that reaches the target if the sets stay, and what the sum is made of."""
    cut = spread = active = 0.0
    left = np.float64(k)
    for i in range(a.size):
        u = shares[i, 0]
        if u >= 1.0:
            cut += a[i] * a[i]
            left -= 1.0
        elif u > 0.0:
            spread += a[i]
            active += 1.0
    lo, hi = 0.0, 1.0
    for _ in range(60):
        z = 0.5 * (lo + hi)
        if _dual_square(z, cut, left, spread, active) < target:
            lo = z
        else:
            hi = z
    return hi / max(1.0 - hi, 1e-300), cut, left, spread, active


@jit
def _k_support_rows(rows, k, radius, ridges):  # type: ignore[no-untyped-def]
    """For every row the mu at which ``mu * norm(x(mu))`` is the radius; ``inf`` where x = 0."""
    m = rows.shape[1]
    ones, alpha, shares = np.ones(m), np.empty(1), np.empty((m, 1))
    strength = np.empty(1)
    for r in range(rows.shape[0]):
        peak = np.max(rows[r]) if m else 0.0
        if peak != peak:
            ridges[r] = peak
            continue
        if radius[r] == 0.0 or peak == 0.0:
            ridges[r] = 0.0 if radius[r] == 0.0 else np.inf
            continue
        a = rows[r] / peak
        target = (radius[r] / peak) ** 2
        largest = np.sort(a)[m - k :]
        if np.sum(largest * largest) <= target:
            ridges[r] = np.inf
            continue
        column = a.reshape(m, 1)
        lo, hi, mu = 0.0, np.inf, radius[r] / peak
        for _ in range(200):
            strength[0] = mu
            _shares(column, ones, ones, np.float64(k), strength, alpha, shares)
            better, cut, left, spread, active = _ridge_on_sets(a, shares, k, target)
            if _dual_square(mu / (1.0 + mu), cut, left, spread, active) < target:
                lo = mu
            else:
                hi = mu
            if (abs(better - mu) <= 4e-16 * mu) | ((hi < np.inf) & (hi - lo <= 4e-16 * hi)):
                break
            if hi == np.inf:  # the sets change on the way, and far ones say little of here
                better = min(max(better, 2.0 * mu), 64.0 * mu)
            elif not ((better > lo) & (better < hi)):
                better = np.sqrt(max(lo, 1e-3 * mu) * hi)
            mu = better
        ridges[r] = mu


def k_support_scale(norms: Any, envelope: Envelope, strength: Any) -> Any:
    """The number by which the prox of the k-support norm multiplies every coordinate."""
    host = np.asarray(to_host(norms), np.float64)
    k = int(envelope.budget)
    radius = np.ascontiguousarray(np.broadcast_to(np.asarray(strength, float), host.shape[1]))
    mu = np.empty(host.shape[1])
    _k_support_rows(np.ascontiguousarray(host.T), k, radius, mu)
    zero = np.isinf(mu)
    mu[zero] = 1.0
    _, shares = solve_alpha(host, envelope.weights, envelope.costs, k, mu)
    shares[:, zero] = 0.0
    ridge: Any = np.broadcast_to(mu, host.shape)
    if getattr(norms, "requires_grad", False):
        ridge = _native_ridge(norms, shares, k, mu, radius, zero)
    return shrinkage(norms, shares, envelope, ridge)


def _native_ridge(norms: Any, shares: Array, k: int, mu: Array, radius: Array, zero: Array) -> Any:
    """mu with its gradient: one Newton step from the root, whose value it does not change."""
    xp = namespace(norms)
    cut, active = shares >= 1, (shares > 0) & (shares < 1)
    left, count = k - cut.sum(axis=0), active.sum(axis=0)
    blank = xp.zeros_like(norms)
    squares = xp.sum(xp.where(to_native(cut, norms), norms * norms, blank), axis=0)
    spread = xp.sum(xp.where(to_native(active, norms), norms, blank), axis=0)
    whole = np.where(count > 0, left + count * mu, 1.0)
    z = mu / (1 + mu)
    flat = np.where(count > 0, left * (mu / whole) ** 2, 0.0)
    reached = in_precision(z * z, norms) * squares + in_precision(flat, norms) * spread**2
    s, q = to_host(spread).astype(float), to_host(squares).astype(float)
    slope = 2 * z / (1 + mu) ** 2 * q
    slope = slope + np.where(count > 0, 2 * left**2 * mu / whole**3, 0.0) * s * s
    still = zero | (slope <= 0)
    error = xp.where(
        to_native(still, norms),
        blank[0],
        (reached - in_precision(radius**2, norms)) / in_precision(np.where(still, 1, slope), norms),
    )
    return (in_precision(mu, norms) - error)[None] + blank


def top_k_squared_scale(norms: Any, envelope: Envelope, strength: Any) -> Any:
    """Moreau's rule on the envelope's scale: ``1 / (1 + s u)`` with the shares at strength 1/s."""
    with np.errstate(divide="ignore"):
        ridge = np.minimum(1.0 / np.asarray(strength, np.float64), 1e300)
    _, shares = envelope.solve(norms, ridge)
    return shrinkage(norms, shares, envelope, np.broadcast_to(ridge, shares.shape), dual=True)


def k_support(v: Any, lam: Any, k: int, *, step: Any = 1.0, axis: int = -1, out: Any = None) -> Any:
    r"""Proximal operator of the k-support norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \cdot \lambda\,
        \|x\|_k^{sp}, \qquad (\|x\|_k^{sp})^2 = \min_u \Big\{ \sum_i \frac{|x_i|^2}{u_i} :
        0 \le u_i \le 1,\ \sum_i u_i \le k \Big\}

    along ``axis``, independently for every fibre. The unit ball of the norm is the convex hull of
    the k-sparse vectors of Euclidean length at most 1; k = 1 is the l1 norm, k = n the l2 norm.
    The result is that of `group_envelope` (singletons) at the strength mu for which mu times the
    norm of the result is step * lam, found by Newton's method on the sets that u decides.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    lam : float
        Level, >= 0 and finite.
    k : int
        Between 1 and the length along ``axis``.
    step : float
        Step, > 0.
    axis : int
        Axis along which the norm is taken.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``k`` is out of range, ``v`` is not finite, ``lam`` < 0 or ``step`` <= 0.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    A. Argyriou, R. Foygel, N. Srebro (2012). Sparse prediction with the k-support norm. NIPS.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.k_support([3.0, 4.0], 1.0, 2)
    array([2.4, 3.2])
    """
    return _apply(k_support_scale, v, lam, k, 1, step, axis, out)


def top_k_squared(
    v: Any, lam: Any, k: int, *, step: Any = 1.0, axis: int = -1, out: Any = None
) -> Any:
    r"""Proximal operator of half the sum of the k largest squares.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \cdot
        \tfrac{\lambda}{2} \sum_{i=1}^k |x|_{(i)}^2

    along ``axis``, independently for every fibre. The penalty is the conjugate of the sparse
    envelope, so that by Moreau's rule :math:`x = v / (1 + s u)` with s = step * lam and the
    shares u of `group_envelope` (singletons) at strength 1 / s.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    lam : float
        Level, >= 0 and finite.
    k : int
        Between 0 and the length along ``axis``.
    step : float
        Step, > 0.
    axis : int
        Axis along which the entries are ranked.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``k`` is out of range, ``v`` is not finite, ``lam`` < 0 or ``step`` <= 0.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    A. Beck, Y. Refael (2022). Sparse regularization via bidualization. J. Glob. Optim. 82.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.top_k_squared([4.0, 1.0, -0.5], 1.0, 1)
    array([ 2. ,  1. , -0.5])
    """
    return _apply(top_k_squared_scale, v, lam, k, 0, step, axis, out)


def _apply(scale: Any, v: Any, lam: Any, k: int, least: int, step: Any, axis: int, out: Any) -> Any:
    v = as_array(v)
    axis = axis_index(axis, v.ndim)
    n = v.shape[axis] if v.ndim else 1
    envelope = Envelope(None, integer("k", k, least if n else 0, n), None, None, n)
    strength = finite_level("lam", lam) * steps(step)
    return scale_by_envelope(v, envelope, strength, scale, axis=axis, out=out, check=True)
