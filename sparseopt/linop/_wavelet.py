"""Orthonormal wavelet transform of arrays of any size."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._validate import integer
from ._base import Operator
from ._checks import Array, Shape, orthogonal_wavelet, shape_of


class Wavelet(Operator):
    r"""Orthonormal discrete wavelet analysis of 1-D and 2-D arrays of any size.

    :math:`W^T W = W W^T = I`, so the adjoint ``W.H`` is the synthesis, and energy is preserved.
    Each level splits each axis of the current approximation into a coarser approximation and
    details by PyWavelets with ``mode="periodization"`` (its default mode is not orthonormal). At
    an odd length the last sample goes into the approximation untouched, so a length :math:`n`
    gives :math:`\lceil n/2 \rceil` approximation and :math:`\lfloor n/2 \rfloor` detail
    coefficients. The array wraps around at its ends.

    The output has the shape of the input, in nested layout: along each axis the approximation
    comes first, then the details from coarse to fine, ``[a_L, d_L, ..., d_1]``.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays, one or two axes.
    wavelet : str or pywt.Wavelet, default "db4"
        An orthogonal wavelet: haar, dbN, symN or coifN.
    level : int, optional
        Number of levels; 0 is the identity. By default the largest at which the filter is not
        longer than what it filters (``pywt.dwt_max_level`` of the shortest axis).
    dtype : dtype, default float64
        Declared dtype.

    Attributes
    ----------
    wavelet : str
        The wavelet's name.
    level : int
    approximation : tuple of slice
        Where the approximation lies in the output, e.g. to leave it out of a penalty.
    norm_bound : float
        1, the exact norm.

    Raises
    ------
    ValueError
        If the wavelet is not orthogonal, or ``level`` would split a single sample.
    TypeError
        If an argument has the wrong type.

    References
    ----------
    S. Mallat, *A Wavelet Tour of Signal Processing*, 3rd ed., Academic Press, 2009, section 7.3.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import Wavelet
    >>> W = Wavelet(5, "haar", level=1)
    >>> c = W([1.0, 1.0, 2.0, 2.0, 7.0])
    >>> c.round(4)
    array([1.4142, 2.8284, 7.    , 0.    , 0.    ])
    >>> W.H(c).round(12)
    array([1., 1., 2., 2., 7.])
    """

    def __init__(
        self,
        shape: Any,
        wavelet: Any = "db4",
        level: int | None = None,
        *,
        dtype: Any = np.float64,
    ) -> None:
        import pywt

        grid = shape_of("shape", shape, ndim=(1, 2))
        self._filters = orthogonal_wavelet(wavelet)
        self.wavelet: str = self._filters.name
        shortest = min(grid)
        # Ceil-halving reaches one sample after this many levels.
        largest = (shortest - 1).bit_length()
        if level is None:
            level = min(pywt.dwt_max_level(shortest, self._filters.dec_len), largest)
        self.level = integer("level", level, 0)
        if self.level > largest:
            raise ValueError(
                f"level must be at most {largest} for shape {grid}, got {self.level}: the "
                "approximation would be split below one sample"
            )
        self._sizes: list[Shape] = [
            tuple(-(-n // 2**j) for n in grid) for j in range(self.level + 1)
        ]
        self.approximation = tuple(map(slice, self._sizes[-1]))
        super().__init__(grid, grid, dtype=dtype, norm_bound=1.0)

    def _forward(self, x: Array) -> Array:
        y = x.copy()
        for size in self._sizes[:-1]:
            block = _corner(y, size)
            for axis in range(-len(size), 0):
                self._split(np.moveaxis(block, axis, -1))
        return y

    def _backward(self, y: Array) -> Array:
        x = y.copy()
        for size in reversed(self._sizes[:-1]):
            block = _corner(x, size)
            for axis in range(-len(size), 0):
                self._merge(np.moveaxis(block, axis, -1))
        return x

    def _split(self, block: Array) -> None:
        """One level along the last axis, in place."""
        import pywt

        half, odd = divmod(block.shape[-1], 2)
        low, high = pywt.dwt(block[..., : 2 * half], self._filters, "periodization", axis=-1)
        if odd:
            block[..., half] = block[..., -1].copy()
        block[..., :half] = low
        block[..., half + odd :] = high

    def _merge(self, block: Array) -> None:
        """Undo `_split`."""
        import pywt

        half, odd = divmod(block.shape[-1], 2)
        even = pywt.idwt(
            block[..., :half],
            block[..., half + odd :],
            self._filters,
            "periodization",
            axis=-1,
        )
        if odd:
            block[..., -1] = block[..., half].copy()
        block[..., : 2 * half] = even


def _corner(x: Array, size: Shape) -> Array:
    index: Any = (..., *map(slice, size))
    view: Array = x[index]
    return view
