"""A total variation problem on a grid, checked and laid out for the kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core._elementwise import as_floating
from .._core._validate import axis_index, parameter

Array = np.ndarray[Any, Any]


class Grid:
    """Data ``y`` of shape (channels, \\*grid), centred per channel, with all that belongs to it.

    Attributes
    ----------
    y : ndarray, shape (channels, *grid)
        The data less their weighted mean, which no total variation sees.
    level, weights : ndarray
        Of the shape of the grid, or with a single entry.
    spacing : ndarray, shape (number of axes,)
        Distance of neighbours along each axis.
    scale : float
        Objective of the best constant image, which makes gaps relative.
    """

    def __init__(
        self, v: Any, lam: Any, weights: Any, spacing: Any, channel_axis: int | None
    ) -> None:
        v = as_floating("v", v)
        if v.dtype.kind == "c":
            raise TypeError(f"v must be real, got dtype {v.dtype}")
        if not np.isfinite(v).all():
            raise ValueError("v must be finite, got NaN or infinity")
        self.shape = v.shape
        self.dtype = v.dtype
        if channel_axis is not None:
            channel_axis = axis_index(channel_axis, v.ndim)
        self.channel_axis = channel_axis
        self.y = np.ascontiguousarray(
            v[None] if channel_axis is None else np.moveaxis(v, channel_axis, 0)
        )
        self.grid = self.y.shape[1:]
        if not self.grid:
            raise ValueError(f"v must have an axis to difference along, got shape {v.shape}")
        self.level = _on_grid("lam", lam, self.grid, v.dtype, strict=False)
        self.weights = _on_grid(
            "weights", 1.0 if weights is None else weights, self.grid, v.dtype, strict=True
        )
        h = np.asarray(parameter("spacing", spacing, strict=True, finite=True), np.float64)
        if h.ndim and h.shape != (len(self.grid),):
            raise ValueError(
                f"spacing must be a number or one per axis ({len(self.grid)},), got {h.shape}"
            )
        self.spacing = np.broadcast_to(h, (len(self.grid),)).copy()
        self.mean = self._means()
        peak = float(np.max(np.abs(v), initial=0.0))
        self.y = (self.y - self.mean).astype(v.dtype)
        if np.max(np.abs(self.y), initial=0.0) <= 4 * np.finfo(v.dtype).eps * peak:
            self.y[...] = 0  # constant up to rounding
        null = 0.5 * float(np.sum(self.weights * np.square(self.y, dtype=np.float64)))
        self.scale = null if null > 0 else 1.0

    def _means(self) -> Array:
        w = np.broadcast_to(self.weights, self.grid).astype(np.float64)
        flat = self.y.reshape(self.y.shape[0], -1)
        total = float(w.sum())
        if flat.size == 0:
            return np.zeros((self.y.shape[0],) + (1,) * len(self.grid))
        means = np.asarray(flat, np.float64) @ (w.reshape(-1) / total)
        return means.reshape((-1,) + (1,) * len(self.grid))

    @property
    def dual_shape(self) -> tuple[int, ...]:
        """Shape of the dual as the user sees it: one array like v for each axis of the grid."""
        return (len(self.grid), *self.shape)

    def answer(self, x: Array) -> Array:
        """A centred image, of any shape with its points in order, as the user's."""
        image = x.reshape(self.y.shape) + self.mean
        return self._back(image.astype(self.dtype, copy=False), 0)

    def dual_answer(self, u: Array) -> Array:
        """A dual of shape (axes, channels, \\*grid) as the user's."""
        return self._back(np.asarray(u, self.dtype), 1)

    def dual_inside(self, u: Array) -> Array:
        """Undo `dual_answer`; entries without a neighbour become zero."""
        if self.channel_axis is None:
            u = u[:, None]
        else:
            u = np.moveaxis(u, self.channel_axis + 1, 1)
        u = np.array(u, self.dtype, order="C")
        for axis in range(len(self.grid)):
            np.moveaxis(u[axis], axis + 1, -1)[..., -1:] = 0
        return u

    def _back(self, x: Array, front: int) -> Array:
        if self.channel_axis is None:
            return x[0] if front == 0 else x[:, 0].copy()
        return np.ascontiguousarray(np.moveaxis(x, front, front + self.channel_axis))

    def lines(self, p: Array) -> Array:
        """A parameter as lines along the last axis: shape (1, length) if it is one number."""
        length = self.grid[-1]
        if p.size == 1:
            return np.full((1, length), p.reshape(())[()], self.dtype)
        return np.ascontiguousarray(p).reshape(math.prod(self.grid[:-1]), length)


def _on_grid(name: str, value: Any, grid: tuple[int, ...], dtype: Any, *, strict: bool) -> Array:
    value = np.asarray(parameter(name, value, strict=strict, finite=True), dtype)
    if value.ndim == 0:
        return value.reshape((1,) * len(grid))
    try:
        return np.ascontiguousarray(np.broadcast_to(value, grid))
    except ValueError:
        raise ValueError(
            f"{name} must broadcast to the shape {grid} of the grid, got {value.shape}"
        ) from None
