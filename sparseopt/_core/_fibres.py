"""Operators along one axis: every one-dimensional fibre of an array as a contiguous row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def to_rows(v: Array, axis: int) -> Array:
    """Copy or view ``v`` as a C-contiguous array (fibres, length along ``axis``)."""
    moved = np.moveaxis(v, axis, -1)
    return np.ascontiguousarray(moved).reshape(math.prod(moved.shape[:-1]), v.shape[axis])


def from_rows(rows: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Undo `to_rows`; a result of one number per fibre keeps the axis with length 1."""
    moved = np.moveaxis(np.empty(shape, np.int8), axis, -1).shape
    length = rows.shape[1] if rows.ndim == 2 else 1
    return np.moveaxis(rows.reshape(*moved[:-1], length), -1, axis)
