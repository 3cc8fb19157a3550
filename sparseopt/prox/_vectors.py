"""Operators of whole vectors: the fibres of an array along any axes, as columns or as one group."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Groups, is_numpy, namespace
from .._core._elementwise import as_floating
from .._core._namespace import floating
from .._core._validate import axis_index
from ._groups import scale_groups

_HUGE = 1e150  # its square is finite


def as_array(v: Any) -> Any:
    """``v`` as a floating-point array of its own library."""
    return as_floating("v", v) if is_numpy(v) else floating(v)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that ``None`` (all), an int or a tuple of ints stands for."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(axis_index(a, ndim) for a in (axis if isinstance(axis, tuple) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError(f"axis must not name an axis twice, got {axis}")
    return axes if ndim else ()


def as_columns(v: Any, axis: Any) -> tuple[Any, tuple[int, ...], Callable[[Any], Any]]:
    """``v`` with every fibre along ``axis`` as a column.

    Returns the array of shape (length, fibres), the shape of the other axes, and the function
    that brings such an array back to the shape of ``v``.
    """
    xp = namespace(v)
    axes = axes_of(axis, v.ndim)
    front = tuple(range(len(axes)))
    moved = xp.moveaxis(v, axes, front) if axes else v
    shape, batch = tuple(moved.shape), tuple(moved.shape[len(axes) :])
    columns = xp.reshape(moved, (math.prod(shape[: len(axes)]), math.prod(batch)))

    def back(columns: Any) -> Any:
        moved = xp.reshape(columns, shape)
        moved = xp.moveaxis(moved, front, axes) if axes else moved
        return moved[()] if is_numpy(moved) else moved

    return columns, batch, back


def binary_unit(v: Any) -> float:
    """The power of two just below the largest modulus of a host array; 1 for zeros.

    Dividing by it is exact, and squares of the quotients neither over- nor underflow.
    """
    peak = float(np.max(np.abs(v), initial=0.0))
    return math.ldexp(1.0, math.frexp(peak)[1] - 1) if 0.0 < peak < math.inf else 1.0


def levels_in_units(levels: Any, unit: float) -> Any:
    """``levels / unit`` for a vector of that unit; huge ones, which all act alike, stay finite."""
    with np.errstate(over="ignore"):
        return np.minimum(np.asarray(levels) / unit, _HUGE)


def one_group(n: int) -> Groups:
    """All of ``n`` coordinates in a single group."""
    return Groups(np.zeros(n, np.intp), 1)


def scale_fibres(kernel: Any, v: Any, parameters: tuple[Any, ...], axis: Any) -> Any:
    """The radial lift of a scalar formula to every fibre along ``axis``.

    A parameter is one number or an array that broadcasts to the shape of the other axes.
    """
    columns, batch, back = as_columns(v, axis)
    spread = tuple(across("weights", p, batch) if np.ndim(p) else p for p in parameters)
    partition = one_group(columns.shape[0])
    return back(scale_groups(kernel, columns, spread, partition, check=True))


def across(name: str, p: Any, batch: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """A parameter per fibre as a row (1, fibres) beside the columns."""
    try:
        return np.broadcast_to(np.asarray(p), batch).reshape(1, -1)
    except ValueError:
        raise ValueError(
            f"{name} must broadcast to the shape {batch} of the fibres, got {np.shape(p)}"
        ) from None


def with_phase(size: Any, v: Any) -> Any:
    """Numbers of modulus ``size`` with the sign or the phase of ``v``."""
    xp = namespace(v)
    if xp.isdtype(v.dtype, "complex floating"):
        a = xp.abs(v)
        return v * (size / xp.where(a > 0, a, xp.ones_like(a)))
    return xp.copysign(size, v)
