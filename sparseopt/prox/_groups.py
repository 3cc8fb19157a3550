"""Group operators in three stages: reduce to group norms, decide a scale, apply it.

Only one number per group reaches the decision, which is a scalar formula on the norm (the radial
lift); the other two stages run on the array's own device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Groups, elementwise, is_numpy, jit, namespace, on_host, to_host, to_native
from .._core._elementwise import as_floating, check_out
from .._core._namespace import floating


@jit
def _square_sums(v, labels, sums):  # type: ignore[no-untyped-def]
    """Add up squares per group; whether one of them left the range of float64."""
    lost: Any = np.bool_(False)
    for i in range(v.shape[0]):
        g = labels[i]
        for j in range(v.shape[1]):
            a = np.float64(abs(v[i, j]))
            square = a * a
            sums[g, j] += square
            lost |= (square > 1e300) | ((square < 1e-290) & (a > 0.0))
    return lost


@jit
def _scaled_norms(v, labels, norms):  # type: ignore[no-untyped-def]
    """Norms by way of the largest entry of each group, for numbers whose squares are lost."""
    peaks = np.zeros_like(norms)
    sums = np.zeros_like(norms)
    for i in range(v.shape[0]):
        g = labels[i]
        for j in range(v.shape[1]):
            a = np.float64(abs(v[i, j]))
            if a > peaks[g, j] or a != a:
                peaks[g, j] = a
    for i in range(v.shape[0]):
        g = labels[i]
        for j in range(v.shape[1]):
            if peaks[g, j] > 0.0:
                a = np.float64(abs(v[i, j])) / peaks[g, j]
                sums[g, j] += a * a
    for g in range(norms.shape[0]):
        for j in range(norms.shape[1]):
            finite = peaks[g, j] < np.inf
            norms[g, j] = peaks[g, j] * np.sqrt(sums[g, j]) if finite else peaks[g, j]


@jit
def _scale(v, labels, scale, out):  # type: ignore[no-untyped-def]
    for i in range(v.shape[0]):
        g = labels[i]
        for j in range(v.shape[1]):
            s = scale[g, j]
            out[i, j] = 0.0 if s == 0.0 else v[i, j] * s


@jit
def factors(kept, norms, scale):  # type: ignore[no-untyped-def]
    """What turns every norm into the one decided, 0 / 0 = 0; whether a factor is zero."""
    has_zeros: Any = np.bool_(False)
    for g in range(norms.size):
        scale[g] = kept[g] / norms[g] if norms[g] != 0.0 else kept[g]
        has_zeros |= scale[g] == 0.0
    return has_zeros


def group_norms(v: Any, groups: Groups, axis: int = 0) -> Any:
    """Euclidean norm of every group along ``axis``: shape (groups, batch)."""
    if is_numpy(v):
        columns = _columns(v, axis)
        sums = np.zeros((groups.count, columns.shape[1]))
        if _square_sums(columns, groups.labels, sums):
            _scaled_norms(columns, groups.labels, sums)
            return sums
        return np.sqrt(sums)
    xp = namespace(v)
    moved = xp.moveaxis(v, axis, 0)
    sizes = xp.abs(moved).reshape(moved.shape[0], math.prod(moved.shape[1:]))
    peak = float(xp.max(sizes.detach())) if math.prod(sizes.shape) else 0.0
    peak = peak if peak > 0 else 1.0
    sums = xp.zeros((groups.count, sizes.shape[1]), dtype=sizes.dtype, device=v.device)
    sums = sums.index_add(0, to_native(groups.labels, v), (sizes / peak) ** 2)
    positive = sums > 0  # the square root has no gradient at zero
    one = xp.ones_like(sums)
    return xp.where(positive, xp.sqrt(xp.where(positive, sums, one)), sums) * peak


def scale_groups(
    kernel: Any,
    v: Any,
    parameters: tuple[Any, ...],
    groups: Groups,
    *,
    axis: int = 0,
    out: Any = None,
    check: bool = False,
) -> Any:
    """Apply the radial lift of a scalar formula to every group.

    Each group's norm r becomes ``kernel(r, *parameters)``, with one parameter value per group;
    its direction stays.
    """
    parameters = tuple(_per_group(p, groups.count) for p in parameters)

    def decide(norms: Any) -> Any:
        return elementwise(kernel, norms, parameters)

    return lift_to_groups(decide, v, groups, axis=axis, out=out, check=check)


def lift_to_groups(
    decide: Callable[[Any], Any],
    v: Any,
    groups: Groups,
    *,
    axis: int = 0,
    out: Any = None,
    check: bool = False,
) -> Any:
    """Give every group the norm that ``decide`` returns for all norms, shape (groups, batch).

    Directions stay. ``decide`` gets NumPy norms for arrays that live on the host.
    """
    if not is_numpy(v) and on_host(v) and (out is None or on_host(out)):
        target = None if out is None else to_host(out)
        result = lift_to_groups(decide, to_host(v), groups, axis=axis, out=target, check=check)
        return to_native(result, v) if out is None else out
    if is_numpy(v):
        v = as_floating("v", v)
        if v.ndim == 0:
            v = v.reshape(1)
            target = None if out is None else np.asarray(out).reshape(1)
            result = lift_to_groups(decide, v, groups, out=target, check=check)
            return result[0] if out is None else out
        check_out(out, v)
    else:
        v = floating(v)
    norms = group_norms(v, groups, axis)
    xp = namespace(v)
    if check and not bool(xp.all(xp.isfinite(norms))):
        raise ValueError("v must be finite, got NaN or infinity")
    kept = decide(norms)
    scale = kept / xp.where(norms > 0, norms, xp.ones_like(norms))
    return apply_scale(v, scale, groups, axis, out)


def apply_scale(v: Any, scale: Any, groups: Groups, axis: int = 0, out: Any = None) -> Any:
    """Multiply every group by its own number, ``scale`` of shape (groups, batch)."""
    if not is_numpy(v):
        xp = namespace(v)
        moved = xp.moveaxis(v, axis, 0)
        scale = scale[to_native(groups.labels, v)].reshape(moved.shape)
        result = xp.moveaxis(moved * scale, 0, axis)
    else:
        columns = _columns(v, axis)
        result = np.empty_like(columns)
        _scale(columns, groups.labels, scale, result)
        if axis == 0:  # the usual case; moveaxis costs microseconds
            result = result.reshape(v.shape)
        else:
            moved_shape = np.moveaxis(v, axis, 0).shape
            result = np.moveaxis(result.reshape(moved_shape), 0, axis)
    if out is None:
        return result
    out[...] = result
    return out


def _columns(v: np.ndarray[Any, Any], axis: int) -> np.ndarray[Any, Any]:
    moved = v if axis == 0 else np.moveaxis(v, axis, 0)
    return np.ascontiguousarray(moved).reshape(moved.shape[0], math.prod(moved.shape[1:]))


def _per_group(p: Any, count: int) -> Any:
    """A column (groups, 1) beside the batch; other shapes broadcast as they are."""
    p = np.asarray(p)
    return p[:, None] if p.shape == (count,) and p.ndim == 1 else p
