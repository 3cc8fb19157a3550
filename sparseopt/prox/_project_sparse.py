"""Projections onto the k-sparse points of the simplex and of the l1 ball."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, namespace, to_host, to_native
from .._core._validate import axis_index, integer, positive, real_input
from ._group_envelope import in_precision
from ._project_l1 import project_l1_ball
from ._project_simplex import project_simplex
from ._project_top_k import project_top_k, top_k_mask
from ._vectors import as_array, as_columns


def project_sparse_simplex(v: Any, k: int, radius: float = 1.0, *, axis: int = -1) -> Any:
    r"""Projection onto the k-sparse points of the simplex.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        x \ge 0,\ \sum_i x_i = \text{radius},\ \|x\|_0 \le k

    along ``axis``, independently for every fibre: the k largest values are projected onto their
    simplex, the others become zero. Of equal values those with the lowest index stay.

    Parameters
    ----------
    v : array_like, real
        Point.
    k : int
        Number of entries to keep, between 1 and the length along ``axis``.
    radius : float
        Sum of the result, > 0.
    axis : int
        Axis along which the simplex lies.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``k`` is out of range, ``radius`` <= 0, or ``v`` is not finite.
    TypeError
        If ``k`` is not an integer or ``v`` is complex.

    References
    ----------
    A. Kyrillidis, S. Becker, V. Cevher, C. Koch (2013). Sparse projections onto the simplex. ICML.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_sparse_simplex([0.9, 0.6, 0.5], 2)
    array([0.65, 0.35, 0.  ])
    """
    radius = positive("radius", radius)
    v = as_array(real_input("v", v))
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    n = columns.shape[0]
    if n == 0:
        raise ValueError(f"v must not be empty along axis {axis}, got shape {tuple(v.shape)}")
    k = integer("k", k, 1, n)
    rows = np.ascontiguousarray(to_host(columns).T)
    if not np.isfinite(rows).all():
        raise ValueError("v must be finite, got NaN or infinity")
    mask, peaks = top_k_mask(rows, k).T, rows.max(axis=1)[None]
    xp = namespace(v)
    # Measured from the peak the support lies in [-radius, 0]; what was dropped lies far below.
    shifted = columns - (peaks if is_numpy(v) else in_precision(peaks, columns))
    dropped = xp.zeros_like(columns) - 2.0 * radius
    kept = xp.where(mask if is_numpy(v) else to_native(mask.copy(), v), shifted, dropped)
    return back(project_simplex(kept, radius, axis=0))


def project_sparse_l1_ball(v: Any, k: int, radius: float, *, axis: int = -1) -> Any:
    r"""Projection onto the k-sparse points of the l1 ball.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \|x\|_1 \le \text{radius},\ \|x\|_0 \le k

    along ``axis``, independently for every fibre: the k entries of largest modulus are projected
    onto the ball, the others become zero. Of equal entries those with the lowest index stay.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    k : int
        Number of entries to keep, between 0 and the length along ``axis``.
    radius : float
        Radius, >= 0.
    axis : int
        Axis along which the ball lies.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``k`` is out of range, ``radius`` is negative, or ``v`` is not finite.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    A. Kyrillidis, S. Becker, V. Cevher, C. Koch (2013). Sparse projections onto the simplex. ICML.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_sparse_l1_ball([3.0, -2.5, 1.0], 2, 2.5)
    array([ 1.5, -1. ,  0. ])
    """
    return project_l1_ball(project_top_k(v, k, axis=axis), radius, axis=axis)
