"""Projection onto the simplex with upper bounds and costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import elementwise, is_numpy, jit, namespace, on_host, to_host, to_native
from .._core._validate import axis_index, parameter, real_input
from ._clipped_root import clipped_root, native_root, product_error, quotient_rest
from ._group_envelope import in_precision
from ._group_lifts import finite_level
from ._project_box import clip
from ._vectors import as_array, as_columns

Array = np.ndarray[Any, Any]


@jit
def _capped_rows(rows, upper, costs, radius, peaks, roots):  # type: ignore[no-untyped-def]
    """For every row ``v`` the alpha with ``sum(c clip(v - peak c + alpha c, 0, u)) = radius``.

    ``rows`` become ``v - peak c``.
    """
    n = rows.shape[1]
    low, slope, cap, high = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for r in range(rows.shape[0]):
        peak, total, first = -np.inf, 0.0, -1
        for i in range(n):
            if upper[i] > 0.0:
                ratio = rows[r, i] / costs[i]
                if ratio > peak:
                    peak, first = ratio, i
                total += costs[i] * upper[i]
        peaks[r] = peak if first >= 0 else 0.0
        beyond = quotient_rest(rows[r, first], costs[first], peak) if first >= 0 else 0.0
        for i in range(n):
            lost = product_error(peaks[r], costs[i]) + beyond * costs[i]
            rows[r, i] = (rows[r, i] - peaks[r] * costs[i]) - lost
        if radius <= 0.0:
            roots[r] = -np.inf
        elif total <= radius * (1.0 + 1e-15):
            roots[r] = np.inf
        else:
            count = 0
            for i in range(n):
                if upper[i] > 0.0:
                    low[count] = -rows[r, i] / costs[i]
                    slope[count] = costs[i] * costs[i]
                    cap[count] = costs[i] * upper[i]
                    count += 1
            roots[r] = clipped_root(low, slope, cap, high, count, 0.0, radius)


def bounds_and_costs(radius: Any, upper: Any, costs: Any, n: int) -> tuple[float, Array, Array]:
    """Checked parameters of a capped simplex of ``n`` coordinates that is not empty."""
    radius = finite_level("radius", radius)
    bound = np.asarray(to_host(parameter("upper", upper)), np.float64)
    price = np.asarray(
        to_host(parameter("costs", 1.0 if costs is None else costs, strict=True, finite=True)),
        np.float64,
    )
    for name, value in (("upper", bound), ("costs", price)):
        if value.shape not in ((), (n,)):
            raise ValueError(f"{name} must be a number or have shape ({n},), got {value.shape}")
    bound = np.ascontiguousarray(np.broadcast_to(bound, n))
    price = np.ascontiguousarray(np.broadcast_to(price, n))
    most = float(np.sum(price * bound))
    if radius > most * (1 + 1e-12):
        raise ValueError(f"radius must be at most sum(costs * upper) = {most}, got {radius}")
    return radius, bound, price


def project_capped_simplex(
    v: Any, radius: float, upper: Any = 1.0, costs: Any = None, *, axis: int = -1
) -> Any:
    r"""Projection onto the capped simplex.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        0 \le x_i \le u_i,\ \sum_i c_i x_i = \text{radius}

    along ``axis``, independently for every fibre: :math:`x_i = \min(\max(v_i - \theta c_i, 0),
    u_i)`, with :math:`\theta` found by quickselect on the breakpoints in expected linear time.

    Parameters
    ----------
    v : array_like, real
        Point.
    radius : float
        Value of the sum, in [0, sum(costs * upper)].
    upper : float or array_like, shape (length along ``axis``,)
        Upper bounds, >= 0; ``inf`` allowed.
    costs : None or array_like, shape (length along ``axis``,)
        Coefficients of the sum, > 0 and finite; ``None`` means 1.
    axis : int
        Axis along which the simplex lies.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If the set is empty, ``v`` is not finite, or a parameter is negative or NaN.
    TypeError
        If ``v`` is complex.

    References
    ----------
    W. Wang, C. Lu (2015). Projection onto the capped simplex. arXiv 1503.01002.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_capped_simplex([2.0, 0.5, 0.0], 1.5)
    array([1. , 0.5, 0. ])
    """
    v = as_array(real_input("v", v))
    if not is_numpy(v) and on_host(v):
        found = project_capped_simplex(to_host(v), radius, upper, costs, axis=axis)
        return to_native(np.asarray(found), v)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    n = columns.shape[0]
    radius, bound, price = bounds_and_costs(radius, upper, costs, n)
    rows = np.array(to_host(columns).T, dtype=np.float64, order="C")
    if not np.isfinite(rows).all():
        raise ValueError("v must be finite, got NaN or infinity")
    peaks, roots = np.empty(rows.shape[0]), np.empty(rows.shape[0])
    _capped_rows(rows, bound, price, radius, peaks, roots)
    limit, c = bound[:, None] + np.zeros(rows.T.shape), price[:, None]
    found = elementwise(clip, rows.T + roots * c, (0.0, limit))
    if is_numpy(v):
        return back(found.astype(columns.dtype))
    xp = namespace(v)
    active = (found > 0) & (found < limit)
    rest = radius - np.sum(np.where(found >= limit, c * found, 0.0), axis=0, keepdims=True)
    c = in_precision(c, columns) + xp.zeros_like(columns)
    moved = columns - in_precision(peaks[None], columns) * c
    inner = to_native(active, columns)
    root = native_root(xp, c * c, c * moved, inner, in_precision(rest, columns), 0)
    return back(xp.where(inner, moved + root * c, in_precision(found, columns)))
