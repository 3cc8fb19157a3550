"""Forward differences along one axis or all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core._validate import axis_index
from ._base import Operator
from ._checks import Array, shape_of


class FiniteDifference(Operator):
    r"""Forward differences :math:`(Ax)_i = x_{i+1} - x_i`, along one axis or along each.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays to difference.
    axis : int, optional
        The axis; the answer is shorter by one along it. By default all axes: the answer has
        shape ``(len(shape), *shape)``, its entry ``[a]`` holds the differences along axis ``a``,
        and the last of them, which has no successor, is zero.
    dtype : dtype, default float64
        Declared dtype.

    Attributes
    ----------
    axis : int or None
    norm_bound : float
        ``2 * sqrt(number of axes)``; the exact norm is just below.

    Raises
    ------
    ValueError, TypeError
        If ``axis`` is out of range or has length 1.

    Examples
    --------
    >>> from sparseopt.linop import FiniteDifference
    >>> FiniteDifference(4, axis=0)([1.0, 4.0, 9.0, 16.0])
    array([3., 5., 7.])
    >>> FiniteDifference((2, 2))([[1.0, 2.0], [4.0, 8.0]])
    array([[[3., 6.],
            [0., 0.]],
    <BLANKLINE>
           [[1., 0.],
            [4., 0.]]])
    """

    def __init__(self, shape: Any, axis: int | None = None, *, dtype: Any = np.float64) -> None:
        grid = shape_of("shape", shape)
        out = (len(grid), *grid)
        if axis is not None:
            axis = axis_index(axis, len(grid))
            if grid[axis] == 1:
                raise ValueError(f"shape[{axis}] must be at least 2 to difference along it, got 1")
            out = (*grid[:axis], grid[axis] - 1, *grid[axis + 1 :])
        self.axis = axis
        axes = len(grid) if axis is None else 1
        super().__init__(grid, out, dtype=dtype, norm_bound=2.0 * math.sqrt(axes))

    def _forward(self, x: Array) -> Array:
        ndim = len(self.in_shape)
        if self.axis is not None:
            return np.diff(x, axis=self.axis - ndim)
        y = np.zeros(x.shape[: x.ndim - ndim] + self.out_shape, x.dtype)
        for axis in range(ndim):
            source = np.moveaxis(x, axis - ndim, -1)
            target = np.moveaxis(_part(y, axis, ndim), axis - ndim, -1)
            np.subtract(source[..., 1:], source[..., :-1], out=target[..., :-1])
        return y

    def _backward(self, y: Array) -> Array:
        ndim = len(self.in_shape)
        x = np.zeros(y.shape[: y.ndim - len(self.out_shape)] + self.in_shape, y.dtype)
        for axis in range(ndim) if self.axis is None else (self.axis,):
            part = _part(y, axis, ndim) if self.axis is None else y
            target = np.moveaxis(x, axis - ndim, -1)
            source = np.moveaxis(part, axis - ndim, -1)[..., : self.in_shape[axis] - 1]
            target[..., 1:] += source
            target[..., :-1] -= source
        return x


def _part(y: Array, axis: int, ndim: int) -> Array:
    index: Any = (..., axis, *[slice(None)] * ndim)
    view: Array = y[index]
    return view
