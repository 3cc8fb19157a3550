"""Latent overlapping groups: a vector as a sum of vectors that live on one group each."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse

from .._core import ConvergenceWarning, is_numpy, jit, to_native
from .._core._validate import axis_index, integer, parameter, positive, steps
from ._group_l2 import group_levels
from ._group_lifts import finite_level
from ._inexact import on_numpy
from ._tree_groups import index_arrays, overlap_weights
from ._vectors import as_array, as_columns, binary_unit, levels_in_units

_SWEEPS = 30


@jit
def latent_sweeps(rest, parts, members, starts, levels, tol, max_iter):  # type: ignore[no-untyped-def]
    """Cyclic exact minimisation over the parts of one column.

    ``rest`` is the vector minus the sum of the ``parts`` (one entry per member of a group). Both
    are changed in place. Returns the largest move of a part in the last sweep.
    """
    size = 0.0
    for i in range(rest.size):
        size += abs(rest[i]) ** 2
    for p in range(parts.size):
        size += abs(parts[p]) ** 2
    goal = tol * np.sqrt(size)
    moved = np.inf
    for _ in range(max_iter):
        moved = 0.0
        for g in range(starts.size - 1):
            square = 0.0
            for p in range(starts[g], starts[g + 1]):
                square += abs(rest[members[p]] + parts[p]) ** 2
            norm = np.sqrt(square)
            scale = 1.0 - levels[g] / norm if norm > levels[g] else 0.0
            change = 0.0
            for p in range(starts[g], starts[g + 1]):
                i = members[p]
                whole = rest[i] + parts[p]
                part = whole * scale if scale > 0.0 else 0.0 * whole
                change += abs(part - parts[p]) ** 2
                rest[i] = whole - part
                parts[p] = part
            moved = max(moved, np.sqrt(change))
        if moved <= goal:
            break
    return moved <= goal


def overlapping(groups: Any, n: int | None = None) -> tuple[Any, Any, int]:
    """Members of all groups in a row, where each group starts, and the number of coordinates.

    Raises
    ------
    ValueError
        If a coordinate is in no group, or an index is out of range.
    """
    arrays = index_arrays(groups)
    members = np.concatenate([*arrays, np.zeros(0, np.intp)])
    if n is None:
        n = int(members.max(initial=-1)) + 1
    if members.size and members.max() >= n:
        raise ValueError(f"groups must index 0 .. {n - 1}, got {members.max()}")
    missing = np.flatnonzero(np.bincount(members, minlength=n) == 0)
    if missing.size:
        raise ValueError(f"groups must cover every coordinate: index {missing[0]} is in none")
    starts = np.zeros(len(arrays) + 1, np.intp)
    np.cumsum([a.size for a in arrays], out=starts[1:])
    return members, starts, n


def latent_columns(
    columns: Any, members: Any, starts: Any, levels: Any, tol: float, max_iter: int
) -> Any:
    """The prox of every column, for levels of shape (groups, 1 or columns)."""
    levels = np.broadcast_to(levels, (starts.size - 1, columns.shape[1]))
    wide = np.complex128 if columns.dtype.kind == "c" else np.float64
    result = np.empty_like(columns)
    for j in range(columns.shape[1]):
        v = columns[:, j].astype(wide)
        unit = binary_unit(v)
        v /= unit
        parts = np.zeros(members.size, wide)
        level = np.ascontiguousarray(levels_in_units(levels[:, j], unit))
        if not latent_parts(v, parts, members, starts, level, tol, max_iter):
            warnings.warn(
                f"latent groups: not within tol = {tol:g} after {max_iter} steps",
                ConvergenceWarning,
                stacklevel=3,
            )
        total = np.zeros(v.size, wide)
        np.add.at(total, members, parts)
        result[:, j] = total * unit
    return result


def latent_parts(
    v: Any, parts: Any, members: Any, starts: Any, levels: Any, tol: float, max_iter: int
) -> bool:
    """Minimise over the parts of one column in place; whether ``tol`` was reached.

    A few sweeps solve easy cases and start Newton's method, which sweeps that crawl need.
    """
    rest = v.copy()
    np.subtract.at(rest, members, parts)
    if latent_sweeps(rest, parts, members, starts, levels, 1e-15, _SWEEPS):
        return True
    labels = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    # Entries of a group that is free need no part of others.
    free = np.zeros(v.size, bool)
    free[members[levels[labels] == 0.0]] = True
    squares = np.where(free, 0.0, np.abs(v) ** 2)
    sums = np.bincount(labels, squares[members], starts.size - 1)
    used = np.flatnonzero((levels > 0.0) & (sums > levels**2))  # the others stay at zero
    size = (starts.size - 1, v.size)
    member = sparse.csr_array((np.ones(members.size), (labels, members)), shape=size)[used]
    sizes = np.sqrt(np.bincount(labels, np.abs(parts) ** 2, starts.size - 1))
    start = sizes[used] / levels[used]
    mu, reached = _multipliers(squares, member, levels[used] ** 2, start, tol, max_iter)
    every = np.zeros(starts.size - 1)
    every[used] = mu
    inner = np.where(free, 0.0, v / (1.0 + member.T @ mu))
    parts[:] = every[labels] * inner[members]
    first = np.full(v.size, -1)  # a free entry goes whole to a group that is free
    on = np.flatnonzero(levels[labels] == 0.0)
    first[members[on]] = on
    parts[first[free]] += v[free]
    return reached


def _multipliers(
    squares: Any, member: Any, bounds: Any, mu: Any, tol: float, max_iter: int
) -> tuple[Any, bool]:
    """Multipliers of ``||y_g||^2 <= bounds_g`` at the nearest ``y`` to v, by projected Newton.

    For multipliers mu, ``y_i = v_i / (1 + sum of the mu_g around i)``. Multipliers that the
    diagonal step sends to zero go there; the others take the Newton step.
    """
    for _ in range(max_iter):
        around = member.T @ mu
        shrink = 1.0 / (1.0 + around)
        gradient = member @ (squares * shrink**2) - bounds
        if np.all(np.where(mu > 0, np.abs(gradient), gradient) <= tol * bounds):
            return mu, True
        weights = 2.0 * squares * shrink**3
        move = gradient / (member @ weights)
        rest = np.flatnonzero((gradient >= 0.0) | (mu + move > 0.0))
        rows = member[rest]
        curvature = ((rows * weights) @ rows.T).toarray()
        curvature[np.diag_indices_from(curvature)] *= 1.0 + 1e-13  # groups may be equal
        move[rest] = np.linalg.solve(curvature, gradient[rest])
        step = 1.0
        while step > 1e-12:
            trial = np.maximum(mu + step * move, 0.0)
            change = member.T @ (trial - mu)
            terms = squares * change * shrink / (1.0 + around + change)
            gain = terms.sum() - bounds @ (trial - mu)
            noise = 1e-13 * (np.abs(terms).sum() + bounds @ np.abs(trial - mu))
            if gain >= 1e-4 * (gradient @ (trial - mu)) - noise:
                break
            step *= 0.5
        mu = trial
    return mu, False


def latent_group(
    v: Any,
    lam: Any,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
    tol: float = 1e-12,
    max_iter: int = 200,
) -> Any:
    r"""Proximal operator of the latent norm of overlapping groups.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \cdot \lambda
        \min \Bigl\{ \sum_g w_g \|z^g\|_2 : \sum_g z^g = x,\ \operatorname{supp} z^g \subset g
        \Bigr\}

    The support of the result is a union of groups; in `tree_groups` it is the complement of such a
    union. There is no closed form. With :math:`y = v - x`, the point nearest to :math:`v` with
    :math:`\|y_g\| \le \text{step}\,\lambda w_g` for all groups, and multipliers
    :math:`\mu_g \ge 0` of these bounds, :math:`y_i = v_i / (1 + \sum_{g \ni i} \mu_g)`: a few
    sweeps of exact minimisation over the parts, then Newton's method on the multipliers.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0 and finite.
    groups : list of index arrays
        The coordinates of each group; together they cover all coordinates.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0 and finite; ``None`` means 1, ``"sqrt"`` the square root of its
        size.
    step : float
        Step, > 0.
    axis : int
        Axis along which the coordinates lie.
    tol : float
        Relative tolerance of the optimality conditions: every squared norm of a group of ``y`` is
        at most its bound, and equal to it where the multiplier is positive.
    max_iter : int
        Newton steps at most.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If a coordinate is in no group, an index is out of range, ``v`` is not finite, a level or
        weight is negative or not finite, or ``step`` <= 0.
    TypeError
        If ``v`` is a torch tensor that requires a gradient.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` steps were not enough.

    References
    ----------
    L. Jacob, G. Obozinski, J.-P. Vert (2009). Group lasso with overlap and graph lasso. ICML.
    S. Villa, L. Rosasco, S. Mosci, A. Verri (2014). Proximal methods for the latent group lasso
    penalty. Comput. Optim. Appl. 58.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.latent_group([3.0, 4.0, 0.5], 1.0, [[0, 1], [1, 2]]).round(4)
    array([2.4, 3.2, 0. ])
    """
    v = as_array(v)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    host = on_numpy(columns)
    if not np.isfinite(host).all():
        raise ValueError("v must be finite, got NaN or infinity")
    members, starts, _ = overlapping(groups, host.shape[0])
    weights = parameter("weights", overlap_weights(weights, np.diff(starts)), finite=True)
    levels = steps(step) * group_levels(finite_level("lam", lam), weights)[:, None]
    tol, max_iter = positive("tol", tol), integer("max_iter", max_iter, 1)
    result = latent_columns(host, members, starts, levels, tol, max_iter)
    return back(result if is_numpy(v) else to_native(result, v))
