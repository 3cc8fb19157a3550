"""Projection onto the simplex."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import from_rows, is_numpy, jit, namespace, to_host, to_native, to_rows
from .._core._elementwise import as_floating
from .._core._namespace import floating
from .._core._validate import axis_index, positive


@jit
def simplex_threshold(v, peak, radius, work):  # type: ignore[no-untyped-def]
    """The theta with ``sum(max(v - peak - theta, 0)) = radius``, by Condat's filtered scan.

    Everything is measured from the largest entry ``peak``, which is always in the support: theta
    lies in [-radius, 0), whatever the size of ``v``, and no candidate has to be set aside.
    ``work`` (float64, as long as ``v``) holds the candidates for the support.
    """
    work[0] = 0.0  # the peak itself
    count, rho, peak_seen = 1, -radius, False
    for i in range(v.size):
        y = np.float64(v[i]) - peak
        if y > rho:
            if y == 0.0 and not peak_seen:
                peak_seen = True
            else:
                work[count] = y
                count += 1
                rho += (y - rho) / count
    before = count + 1
    while count < before:
        before = count
        kept = 0
        for i in range(before):
            y = work[i]
            if y > rho:
                work[kept] = y
                kept += 1
            else:
                count -= 1
                rho += (rho - y) / count
    total = 0.0  # the running mean has gathered rounding; the support is now known
    for i in range(count):
        total += work[i]
    return (total - radius) / count


@jit
def _simplex_rows(rows, peaks, radius, out):  # type: ignore[no-untyped-def]
    work = np.empty(rows.shape[1])
    for r in range(rows.shape[0]):
        peak = np.float64(peaks[r])
        theta = simplex_threshold(rows[r], peak, radius, work)
        for i in range(rows.shape[1]):
            out[r, i] = max(np.float64(rows[r, i]) - peak - theta, 0.0)


def project_simplex(v: Any, radius: float = 1.0, *, axis: int = -1) -> Any:
    r"""Projection onto the simplex.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        x \ge 0,\ \sum_i x_i = \text{radius}

    along ``axis``, independently for every fibre. The threshold is found by a filtered scan in
    expected linear time, in float64 whatever the input.

    Parameters
    ----------
    v : array_like, real
        Point.
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
        If ``radius`` <= 0, ``v`` is empty along ``axis`` or not finite.
    TypeError
        If ``v`` is complex.

    References
    ----------
    L. Condat (2016). Fast projection onto the simplex and the l1 ball. Math. Program. 158.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_simplex([0.9, 0.6, -1.0])
    array([0.65, 0.35, 0.  ])
    """
    radius = positive("radius", radius)
    host = as_floating("v", to_host(v))
    if host.dtype.kind == "c":
        raise TypeError(f"v must be real, got dtype {host.dtype}")
    if host.ndim == 0:
        host = host.reshape(1)
    axis = axis_index(axis, host.ndim)
    if host.shape[axis] == 0:
        raise ValueError(f"v must not be empty along axis {axis}, got shape {host.shape}")
    rows = to_rows(host, axis)
    if not np.isfinite(rows).all():
        raise ValueError("v must be finite, got NaN or infinity")
    projected = np.empty_like(rows)
    peaks = rows.max(axis=1)
    _simplex_rows(rows, peaks, radius, projected)
    result = from_rows(projected, host.shape, axis)
    if is_numpy(v):
        return result if np.ndim(v) else result[0]
    return _on_device(v, result > 0, from_rows(peaks, host.shape, axis), radius, axis)


def _on_device(v: Any, support: Any, peaks: Any, radius: float, axis: int) -> Any:
    """Apply a decided support on the array's own device, so that gradients flow through theta."""
    xp = namespace(v)
    v = floating(v)
    shape = v.shape
    support = to_native(support, v)
    shifted = xp.reshape(v, support.shape) - xp.astype(to_native(peaks, v), v.dtype)
    zero = xp.zeros_like(shifted)
    kept = xp.where(support, shifted, zero)
    count = xp.sum(xp.astype(support, v.dtype), axis=axis, keepdims=True)
    theta = (xp.sum(kept, axis=axis, keepdims=True) - radius) / count
    return xp.reshape(xp.where(support, shifted - theta, zero), shape)
