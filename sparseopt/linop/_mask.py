"""Keep some entries of an array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._base import Operator
from ._checks import Array, Shape, flat_indices, shape_of


def take(x: Array, rows: Array, shape: Shape) -> Array:
    """The entries ``rows`` of each array of the batch, counted in C order."""
    batch = x.shape[: x.ndim - len(shape)]
    return np.take(x.reshape(*batch, math.prod(shape)), rows, axis=-1)


def put(y: Array, rows: Array, shape: Shape) -> Array:
    """The adjoint of `take`: zeros, with ``y`` at the entries ``rows``."""
    batch = y.shape[:-1]
    result = np.zeros((*batch, math.prod(shape)), y.dtype)
    result[..., rows] = y
    return result.reshape(batch + shape)


class Mask(Operator):
    r"""Subsampling :math:`(Ax)_j = x_{r_j}`; the adjoint fills the other entries with zeros.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays to sample.
    keep : array_like
        Which entries to keep: a boolean array of shape ``shape``, or flat indices in C order
        without duplicates, in the order of the answer.
    dtype : dtype, default float64
        Declared dtype.

    Attributes
    ----------
    rows : ndarray of int
        The flat indices kept; ``out_shape`` is ``(len(rows),)``.
    norm_bound : float
        1, the exact norm.

    Raises
    ------
    ValueError, TypeError
        If ``keep`` is empty, out of range, repeats an index or is a mask of another shape.

    Examples
    --------
    >>> from sparseopt.linop import Mask
    >>> A = Mask(4, [3, 0])
    >>> A([1.0, 2.0, 3.0, 4.0])
    array([4., 1.])
    >>> A.H([4.0, 1.0])
    array([1., 0., 0., 4.])
    """

    def __init__(self, shape: Any, keep: Any, *, dtype: Any = np.float64) -> None:
        grid = shape_of("shape", shape)
        self.rows = flat_indices("keep", keep, grid)
        super().__init__(grid, self.rows.size, dtype=dtype, norm_bound=1.0)

    def _forward(self, x: Array) -> Array:
        return take(x, self.rows, self.in_shape)

    def _backward(self, y: Array) -> Array:
        return put(y, self.rows, self.in_shape)
