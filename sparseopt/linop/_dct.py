"""Orthonormal discrete cosine transform, whole or at chosen frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from ._base import Operator
from ._checks import Array, flat_indices, shape_of
from ._mask import put, take


class DCT(Operator):
    r"""Orthonormal DCT-II over all axes, optionally subsampled.

    Along one axis of length :math:`n`

    .. math:: (Ax)_k = c_k \sum_{i=0}^{n-1} x_i \cos\frac{\pi k (2i + 1)}{2n},
              \quad c_0 = \sqrt{1/n},\; c_k = \sqrt{2/n}.

    Without ``rows`` the operator is orthonormal; with ``rows`` its rows are, :math:`A A^T = I`.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays to transform.
    rows : array_like, optional
        The frequencies to keep: flat indices in C order without duplicates, or a boolean array
        of shape ``shape``. By default all, in an array of shape ``shape``.
    dtype : dtype, default float64
        Declared dtype.

    Attributes
    ----------
    rows : ndarray of int or None
        The flat indices kept; ``out_shape`` is ``(len(rows),)``.
    norm_bound : float
        1, the exact norm.

    Raises
    ------
    ValueError, TypeError
        If ``shape`` is not made of positive integers or ``rows`` does not fit it.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import DCT
    >>> DCT(4)(np.ones(4))
    array([2., 0., 0., 0.])
    >>> DCT((8, 8), rows=[0, 5, 9])
    <DCT (8, 8) -> (3,), dtype=float64>
    """

    def __init__(self, shape: Any, rows: Any = None, *, dtype: Any = np.float64) -> None:
        grid = shape_of("shape", shape)
        self.rows = None if rows is None else flat_indices("rows", rows, grid)
        out = grid if self.rows is None else (self.rows.size,)
        super().__init__(grid, out, dtype=dtype, norm_bound=1.0)
        self._axes = tuple(range(-len(grid), 0))

    def _forward(self, x: Array) -> Array:
        y: Array = scipy.fft.dctn(x, axes=self._axes, norm="ortho")
        return y if self.rows is None else take(y, self.rows, self.in_shape)

    def _backward(self, y: Array) -> Array:
        if self.rows is not None:
            y = put(y, self.rows, self.in_shape)
        x: Array = scipy.fft.idctn(y, axes=self._axes, norm="ortho")
        return x
