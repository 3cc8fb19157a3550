"""Elementwise product with a fixed array."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._validate import finite_array
from ._base import Operator
from ._checks import Array, dtype_of


class Diagonal(Operator):
    r"""Elementwise product :math:`(Ax)_i = d_i x_i`; the adjoint multiplies by :math:`\bar d_i`.

    Parameters
    ----------
    d : array_like
        The diagonal, real or complex, of any shape with at least one axis; ``in_shape`` and
        ``out_shape`` are its shape.
    dtype : dtype, optional
        Declared dtype; by default float64, or complex128 for complex ``d``.

    Attributes
    ----------
    d : ndarray
        A copy of the diagonal.
    norm_bound : float
        ``max |d|``, the exact norm.

    Raises
    ------
    ValueError
        If ``d`` holds NaN or infinity, or is empty or a single number without an axis.
    TypeError
        If ``d`` is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import Diagonal
    >>> Diagonal([1.0, -2.0])([3.0, 3.0])
    array([ 3., -6.])
    """

    def __init__(self, d: Any, *, dtype: Any = None) -> None:
        values = finite_array("d", d).copy()
        if not values.ndim or not values.size:
            raise ValueError(f"d must have at least one axis and one entry, got {values.shape}")
        is_complex = values.dtype.kind == "c"
        if dtype is None:
            dtype = np.complex128 if is_complex else np.float64
        super().__init__(
            values.shape,
            values.shape,
            dtype=dtype_of(dtype, is_complex=is_complex),
            norm_bound=float(np.abs(values).max()),
        )
        self.d = values

    def _forward(self, x: Array) -> Array:
        return x * _in_precision_of(x, self.d)

    def _backward(self, y: Array) -> Array:
        return y * _in_precision_of(y, self.d).conj()


def _in_precision_of(x: Array, d: Array) -> Array:
    single = x.dtype.char in "fF"
    kinds = (np.complex64, np.complex128) if d.dtype.kind == "c" else (np.float32, np.float64)
    return d.astype(kinds[0] if single else kinds[1], copy=False)
