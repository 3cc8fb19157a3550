"""The sparse envelope: the largest convex function below a ridge on at most k groups."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core import (
    Groups,
    as_groups,
    elementwise,
    formula,
    is_numpy,
    jit,
    namespace,
    to_host,
    to_native,
    where,
)
from .._core._validate import axis_index, integer, parameter, positive, steps
from ._clipped_root import clipped_root, native_root
from ._group_l2 import group_weights
from ._group_lifts import finite_level
from ._groups import lift_to_groups
from ._vectors import as_array

Array = np.ndarray[Any, Any]
NEVER = math.inf


@formula
def kept_share(u, ridge):  # type: ignore[no-untyped-def]
    """``u / (u + ridge)``: what the ridge leaves of a group with share u; 1 without a ridge."""
    return where(ridge > 0.0, u / where(ridge > 0.0, u + ridge, 1.0), 1.0)


@formula
def dual_share(u, ridge):  # type: ignore[no-untyped-def]
    """``ridge / (u + ridge)``: the same for the conjugate."""
    return ridge / (u + ridge)


@formula
def envelope_value(r, u, d):  # type: ignore[no-untyped-def]
    """``d r^2 / (2 u)``, with 0 / 0 = 0 and ``inf`` for a norm without a share."""
    kept = 0.5 * d * r * (r / where(u > 0.0, u, 1.0))
    return where((r > 0.0) & (d > 0.0), where(u > 0.0, kept, NEVER), 0.0 * r)


@jit
def _shares(norms, weights, costs, budget, strength, alphas, shares):  # type: ignore[no-untyped-def]
    """Decide every column: the multiplier ``alphas[j]`` and the share of each group in [0, 1]."""
    m, columns = norms.shape
    ratio = np.sqrt(weights / costs)
    for g in range(m):  # free and forbidden groups take no budget
        if not ((weights[g] > 0.0) & (weights[g] < np.inf)):
            ratio[g] = 0.0
    low, slope, cap, high = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for j in range(columns):
        s = strength[j]
        peak = 0.0
        for g in range(m):
            peak = max(peak, norms[g, j])
        scale = 1.0 / peak if peak > 1e-300 else 1e300
        count, total = 0, 0.0
        for g in range(m):
            t = ratio[g] * (norms[g, j] * scale) if norms[g, j] != 0.0 else 0.0
            shares[g, j] = t
            total += costs[g] if t != 0.0 else 0.0
            if t > 1e-60:  # smaller ones cannot enter the budget beside the peak
                low[count] = min(s * weights[g], 1e200) / t
                slope[count] = costs[g] * t
                cap[count] = costs[g]
                count += 1
        alpha = 0.0
        if total <= budget * (1.0 + 1e-12):
            alpha = np.inf
        elif budget > 0.0:
            alpha = clipped_root(low, slope, cap, high, count, 0.0, budget)
        for g in range(m):
            t = shares[g, j]
            if alpha == np.inf:
                shares[g, j] = 1.0 if t > 0.0 else t
            elif t > 0.0:
                shares[g, j] = min(max(alpha * t - s * weights[g], 0.0), 1.0)
        alphas[j] = alpha * scale if peak > 0.0 else np.inf


@jit
def _kept_shares(shares, weights, strength, out):  # type: ignore[no-untyped-def]
    """The factor of every group from its decided share."""
    for j in range(shares.shape[1]):
        s = strength[j]
        for g in range(shares.shape[0]):
            out[g, j] = kept_share(shares[g, j], s * weights[g] if s > 0.0 else 0.0)


def solve_alpha(
    norms: Array, weights: Array, costs: Array, budget: float, strength: Any = 0.0
) -> tuple[Array, Array]:
    r"""The decision behind value and prox of the sparse envelope.

    .. math:: \sum_g c_g \min(\max(\alpha t_g - s d_g, 0), 1) = K, \qquad
        t_g = r_g \sqrt{d_g / c_g}

    for every column of the group norms ``r`` (groups, batch); strength s = 0 belongs to the value.

    Returns
    -------
    alphas : ndarray, shape (batch,)
        The smallest root; ``inf`` where the groups that are not zero fit into the budget.
    shares : ndarray, shape (groups, batch)
        The clipped terms, in [0, 1].
    """
    norms = np.asarray(norms, np.float64)
    alphas = np.empty(norms.shape[1])
    shares = np.empty(norms.shape)
    strengths = per_column(strength, alphas.size)
    _shares(norms, weights, costs, float(budget), strengths, alphas, shares)
    return alphas, shares


def per_column(strength: Any, columns: int) -> Array:
    """One strength for each column of a batch."""
    strengths = np.empty(columns)
    strengths[:] = strength
    return strengths


def envelope_scale(norms: Any, envelope: Envelope, strength: Any) -> Any:
    """The number in [0, 1] by which the prox multiplies every group."""
    _, shares = envelope.solve(norms, strength)
    if is_numpy(norms):
        scale = np.empty_like(shares)
        _kept_shares(shares, envelope.weights, per_column(strength, shares.shape[1]), scale)
        return scale
    return shrinkage(norms, shares, envelope, envelope.ridge(strength, shares))


def kept_groups(norms: Any, envelope: Envelope, strength: Any) -> Any:
    """1 for the groups that the prox keeps, 0 for the others."""
    _, shares = envelope.solve(norms, strength)
    return in_precision((shares > 0) | (envelope.ridge(strength, shares) == 0), norms)


def shrinkage(norms: Any, shares: Array, envelope: Envelope, ridge: Any, dual: bool = False) -> Any:
    """``u / (u + ridge)`` for decided shares u, or ``ridge / (u + ridge)`` for the conjugate.

    Where gradients are asked for, the multiplier is found again by operations that carry them.
    """
    xp = namespace(norms)
    if getattr(norms, "requires_grad", False):
        active = (shares > 0) & (shares < 1)
        rest = envelope.budget - np.sum(envelope.costs[:, None] * (shares >= 1), axis=0)
        ratio = in_precision(np.sqrt(envelope.weights / envelope.costs)[:, None], norms)
        price = in_precision(envelope.costs[:, None], norms)
        ridge = in_precision(ridge, norms) + xp.zeros_like(norms)
        active = to_native(active, norms)
        t = norms * xp.where(active, ratio, xp.zeros_like(norms))
        alpha = native_root(
            xp, price * t, -price * ridge, active, in_precision(rest[None], norms), 0
        )
        u = xp.where(active, alpha * t - ridge, in_precision(shares, norms))
    else:
        u, ridge = in_precision(shares, norms), in_precision(ridge, norms)
    return elementwise(dual_share if dual else kept_share, u, (ridge,))


def in_precision(a: Any, like: Any) -> Any:
    """A NumPy array as a real array of ``like``'s library and precision."""
    if not is_numpy(a):
        return a
    if is_numpy(like):
        return np.asarray(a, np.float64)
    return namespace(like).astype(to_native(np.array(a), like), like.dtype)


class Envelope:
    """Checked parameters of a sparse envelope over ``n`` coordinates."""

    def __init__(self, groups: Any, k: Any, weights: Any, costs: Any, n: int) -> None:
        self.groups: Groups = as_groups(np.arange(n) if groups is None else groups, n)
        count = self.groups.count
        self.weights = np.array(group_weights(weights, self.groups), np.float64)
        self.finite_weights = np.where(np.isinf(self.weights), 1.0, self.weights)
        if costs is None:
            self.costs = np.ones(count)
            self.budget = float(integer("k", k, 0, count))
            return
        self.costs = np.array(parameter("costs", costs, strict=True, finite=True), np.float64)
        if self.costs.shape != (count,):
            raise ValueError(f"costs must have shape ({count},), got {self.costs.shape}")
        self.budget = positive("k", k)

    def solve(self, norms: Any, strength: Any = 0.0) -> tuple[Array, Array]:
        """`solve_alpha` for group norms of any library."""
        return solve_alpha(to_host(norms), self.weights, self.costs, self.budget, strength)

    def ridge(self, strength: Any, shares: Array) -> Array:
        """``s d_g`` beside the shares; 0 for strength 0 whatever the weights."""
        strength = np.asarray(strength, np.float64)
        with np.errstate(invalid="ignore"):
            ridge = np.where(strength > 0, strength * self.weights[:, None], 0.0)
        return ridge if ridge.shape == shares.shape else np.broadcast_to(ridge, shares.shape)


def group_envelope(
    v: Any,
    lam: Any,
    groups: Any,
    k: Any,
    *,
    weights: Any = None,
    costs: Any = None,
    step: Any = 1.0,
    axis: int = 0,
    debias: bool = False,
    out: Any = None,
) -> Any:
    r"""Proximal operator of the group sparse envelope.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \cdot \lambda\, GS_k(x),
        \qquad GS_k(x) = \min_u \Big\{ \tfrac12 \sum_g d_g \frac{\|x_g\|^2}{u_g} :
        0 \le u_g \le 1,\ \sum_g c_g u_g \le k \Big\}

    With costs :math:`c_g = 1` the envelope :math:`GS_k` is the biconjugate, that is the largest
    convex function below :math:`\tfrac12 \sum_g d_g \|x_g\|^2` restricted to at most k non-zero
    groups; with other costs it is the perspective relaxation of the knapsack constraint
    :math:`\sum_{x_g \ne 0} c_g \le k` (a convex lower bound, exact where every u is 0 or 1).

    The result is :math:`x_g = v_g\, u_g / (u_g + s d_g)` with s = step * lam,
    :math:`u_g = \min(\max(\alpha t_g - s d_g, 0), 1)`, :math:`t_g = \|v_g\| \sqrt{d_g / c_g}` and
    the multiplier :math:`\alpha` that uses up the budget (u = 1 if the non-zero groups fit into
    it), found by quickselect in expected linear time. The prox does not keep exactly k groups
    unless s is large enough: see `sparseopt.penalties.GroupEnvelope.step_for_exact_k`.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0 and finite.
    groups : None, array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition. ``None``
        makes every coordinate a group.
    k : int
        Budget: the number of groups, in [0, number of groups]; with ``costs`` a number > 0.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight d of each group's quadratic, >= 0; ``None`` means 1, ``"sqrt"`` the square root of
        its size. 0 frees a group, ``inf`` forces it to zero; both take no budget.
    costs : None or array_like, shape (number of groups,)
        What keeping each group costs, > 0 and finite; ``None`` means 1.
    step : float
        Step, > 0.
    axis : int
        Axis along which the coordinates lie.
    debias : bool
        Return the kept groups as they are in ``v``, without the shrinkage (the result is then not
        the proximal operator any more).
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, ``k`` is out of range, ``v`` is not finite, a parameter
        is negative or NaN, or ``step`` <= 0.
    TypeError
        If ``k`` is not an integer (without ``costs``).

    References
    ----------
    A. Beck, Y. Refael (2022). Sparse regularization via bidualization. J. Glob. Optim. 82.
    Y. Refael, I. Arbel, W. Huleihel (2022). Learning k-level structured sparse neural networks
    using group envelope regularization. arXiv 2212.12921.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_envelope([3.0, 4.0, 0.5, -0.5], 1.0, [0, 0, 1, 1], 1)
    array([1.5, 2. , 0. , 0. ])
    """
    v = as_array(v)
    axis = axis_index(axis, v.ndim)
    strength = finite_level("lam", lam) * steps(step)
    envelope = Envelope(groups, k, weights, costs, v.shape[axis] if v.ndim else 1)
    scale = kept_groups if debias else envelope_scale
    return scale_by_envelope(v, envelope, strength, scale, axis=axis, out=out, check=True)


def scale_by_envelope(
    v: Any, envelope: Envelope, strength: Any, scale: Any = envelope_scale, **options: Any
) -> Any:
    """Reduce to group norms, decide a scale for each, apply it."""

    def decide(norms: Any) -> Any:
        return norms * scale(norms, envelope, strength)

    return lift_to_groups(decide, v, envelope.groups, **options)
