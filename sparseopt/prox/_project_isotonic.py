"""Projection onto the monotone cone: isotonic regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, jit, on_host, to_host, to_native
from .._core._validate import parameter
from ._pava import block_means, blocks_of, pool_adjacent
from ._vectors import as_array, as_columns


@jit
def _isotonic_rows(rows, w, out):  # type: ignore[no-untyped-def]
    n = rows.shape[1]
    y = np.empty(n)
    starts = np.empty(n, np.intp)
    means = np.empty(n)
    weights = np.empty(n)
    for r in range(rows.shape[0]):
        for i in range(n):
            y[i] = rows[r, i]
        count = pool_adjacent(y, w, starts, means, weights)
        for b in range(count):
            for i in range(starts[b], starts[b + 1] if b + 1 < count else n):
                out[r, i] = means[b]


def project_isotonic(v: Any, weights: Any = None, *, axis: Any = -1) -> Any:
    r"""Projection onto the nondecreasing vectors: isotonic regression.

    .. math:: \operatorname{argmin}_x \tfrac12 \sum_i w_i (x_i - v_i)^2
        \quad \text{subject to} \quad x_1 \le x_2 \le \dots \le x_n

    along ``axis``, independently for every fibre: adjacent entries that violate the order are
    pooled to their weighted mean. Linear time. For a nonincreasing result negate both sides.

    Parameters
    ----------
    v : array_like, real
        Point.
    weights : array_like, shape (n,), optional
        Weights of the squares, > 0 and finite. Default 1. With weights, the point is nearest in
        the weighted norm.
    axis : int, tuple of int or None
        The axes along which the entries are ordered; ``None`` takes the whole array in C order.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, a weight is not positive and finite, or there is not one weight
        per entry.
    TypeError
        If ``v`` is complex.

    References
    ----------
    M. J. Best, N. Chakravarti (1990). Active set algorithms for isotonic regression; a unifying
    framework. Math. Program. 47.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_isotonic([1.0, 3.0, 2.0, 4.0])
    array([1. , 2.5, 2.5, 4. ])
    >>> prox.project_isotonic([3.0, 0.0], [2.0, 1.0])
    array([2., 2.])
    """
    v = as_array(v)
    if not is_numpy(v) and on_host(v):
        return to_native(np.asarray(project_isotonic(to_host(v), weights, axis=axis)), v)
    columns, _, back = as_columns(v, axis)
    host = np.ascontiguousarray(to_host(columns).T)
    if host.dtype.kind == "c":
        raise TypeError(f"v must be real, got dtype {host.dtype}")
    if not np.isfinite(host).all():
        raise ValueError("v must be finite, got NaN or infinity")
    w = np.ones(host.shape[1])
    if weights is not None:
        w = np.array(parameter("weights", weights, strict=True, finite=True), float)
        if w.shape != host.shape[1:]:
            raise ValueError(f"weights must have shape {host.shape[1:]}, got {w.shape}")
    result = np.empty_like(host)
    _isotonic_rows(host, w, result)
    if is_numpy(v):
        return back(result.T)
    return back(block_means(columns.T, blocks_of(result), w).T)
