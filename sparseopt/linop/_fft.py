"""Unitary discrete Fourier transform, whole or at chosen frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from ._base import Operator
from ._checks import Array, dtype_of, flat_indices, shape_of
from ._mask import put, take


class FFT(Operator):
    r"""Unitary discrete Fourier transform over all axes, optionally subsampled.

    Along one axis of length :math:`n`

    .. math:: (Ax)_k = \frac{1}{\sqrt n} \sum_{i=0}^{n-1} x_i e^{-2\pi\mathrm{i}\, ki/n}.

    Without ``rows`` the operator is unitary; with ``rows`` its rows are orthonormal,
    :math:`A A^H = I`. The answer, and that of the adjoint, is complex.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays to transform.
    rows : array_like, optional
        The frequencies to keep: flat indices in C order without duplicates, or a boolean array
        of shape ``shape``. By default all, in an array of shape ``shape``.
    dtype : dtype, default complex128
        Declared dtype, complex.

    Attributes
    ----------
    rows : ndarray of int or None
        The flat indices kept; ``out_shape`` is ``(len(rows),)``.
    norm_bound : float
        1, the exact norm.

    Raises
    ------
    ValueError, TypeError
        If ``shape`` is not made of positive integers, ``rows`` does not fit it or ``dtype`` is
        real.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import FFT
    >>> abs(FFT(4)(np.ones(4)))
    array([2., 0., 0., 0.])
    >>> FFT((8, 8), rows=[0, 5, 9])
    <FFT (8, 8) -> (3,), dtype=complex128>
    """

    def __init__(self, shape: Any, rows: Any = None, *, dtype: Any = np.complex128) -> None:
        grid = shape_of("shape", shape)
        self.rows = None if rows is None else flat_indices("rows", rows, grid)
        out = grid if self.rows is None else (self.rows.size,)
        super().__init__(grid, out, dtype=dtype_of(dtype, is_complex=True), norm_bound=1.0)
        self._axes = tuple(range(-len(grid), 0))

    def _forward(self, x: Array) -> Array:
        y: Array = scipy.fft.fftn(x, axes=self._axes, norm="ortho")
        return y if self.rows is None else take(y, self.rows, self.in_shape)

    def _backward(self, y: Array) -> Array:
        if self.rows is not None:
            y = put(y, self.rows, self.in_shape)
        x: Array = scipy.fft.ifftn(y, axes=self._axes, norm="ortho")
        return x
