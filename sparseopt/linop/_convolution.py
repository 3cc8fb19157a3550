"""Convolution by FFT that says what it does at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from .._core._validate import choice, finite_array
from ._base import Operator, on_parts
from ._checks import Array, Shape, dtype_of, shape_of


class Convolution(Operator):
    r"""Convolution with a kernel, with an explicit choice of border.

    With the centre :math:`c = \lfloor (k - 1)/2 \rfloor` of a kernel of length :math:`k`, along
    each axis

    .. math:: (Ax)_i = \sum_{j=0}^{k-1} h_j\, x_{i + c - j},

    so that a symmetric kernel of odd length does not move the picture; for an even length the
    centre is the left of the two middle entries, as in ``scipy.signal.convolve(mode="same")``.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays to convolve.
    kernel : array_like
        The kernel :math:`h`, real or complex, with as many axes as ``shape``.
    boundary : {"mask", "zero", "periodic"}, default "mask"
        - ``"mask"``: only the outputs that depend on no pixel outside; ``out_shape`` is
          ``shape - kernel.shape + 1``, and output 0 is output ``k - 1 - c`` of the formula. This
          assumes nothing about the outside and fits a photograph, whose border pixels got light
          from beyond the frame.
        - ``"zero"``: outside is zero; ``out_shape`` is ``shape``.
        - ``"periodic"``: the array repeats; ``out_shape`` is ``shape``.
    dtype : dtype, optional
        Declared dtype; by default float64, or complex128 for a complex kernel.

    Attributes
    ----------
    kernel : ndarray
    boundary : str
    norm_bound : float
        The largest modulus of the kernel's Fourier transform on the grid used: the exact norm if
        periodic; else cutting and padding can only lower it.

    Raises
    ------
    ValueError
        If the kernel is not finite, has another number of axes or (unless ``"zero"``) is longer
        than the array, or ``boundary`` is none of the three.
    TypeError
        If the kernel is not numeric, or complex where ``dtype`` is real.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import Convolution
    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> Convolution(4, [0.5, 0.0, 0.5])(x).round(12)
    array([2., 3.])
    >>> Convolution(4, [0.5, 0.0, 0.5], boundary="zero")(x).round(12)
    array([1. , 2. , 3. , 1.5])
    """

    def __init__(
        self, shape: Any, kernel: Any, boundary: str = "mask", *, dtype: Any = None
    ) -> None:
        grid = shape_of("shape", shape)
        self.kernel = finite_array("kernel", kernel, ndim=[len(grid)]).copy()
        self.boundary = choice("boundary", boundary, ["mask", "zero", "periodic"])
        lengths = self.kernel.shape
        too_long = any(k > n for k, n in zip(lengths, grid, strict=True))
        if not self.kernel.size or (too_long and boundary != "zero"):
            raise ValueError(
                f"kernel must not be empty or (unless boundary='zero') larger than shape {grid}, "
                f"got shape {lengths}"
            )
        self._real = self.kernel.dtype.kind != "c"
        self._axes = tuple(range(-len(grid), 0))
        self._size, out, shift = _embedding(grid, lengths, boundary, self._real)
        # With output 0 rolled to place 0, forward and adjoint both pad and cut at the end only.
        padded = np.zeros(self._size, np.float64 if self._real else np.complex128)
        padded[tuple(map(slice, lengths))] = self.kernel
        padded = np.roll(padded, [-s for s in shift], axis=self._axes)
        spectrum: Array = (scipy.fft.rfftn if self._real else scipy.fft.fftn)(padded)
        self._spectra = {"d": spectrum, "f": spectrum.astype(np.complex64)}
        if dtype is None:
            dtype = np.float64 if self._real else np.complex128
        super().__init__(
            grid,
            out,
            dtype=dtype_of(dtype, is_complex=not self._real),
            norm_bound=float(np.abs(spectrum).max()),
        )

    def _forward(self, x: Array) -> Array:
        spectrum = self._spectra[x.real.dtype.char]
        return self._apply(x, spectrum, self.out_shape)

    def _backward(self, y: Array) -> Array:
        spectrum = self._spectra[y.real.dtype.char].conj()
        return self._apply(y, spectrum, self.in_shape)

    def _apply(self, x: Array, spectrum: Array, shape: Shape) -> Array:
        cut = (..., *map(slice, shape))

        def real(values: Array) -> Array:
            waves = scipy.fft.rfftn(values, s=self._size, axes=self._axes)
            waves *= spectrum
            result: Array = scipy.fft.irfftn(waves, s=self._size, axes=self._axes)[cut]
            return result

        if self._real:
            return on_parts(real, x)
        waves = scipy.fft.fftn(x, s=self._size, axes=self._axes)
        waves *= spectrum
        result: Array = scipy.fft.ifftn(waves, s=self._size, axes=self._axes)[cut]
        return result


def _embedding(
    grid: Shape, lengths: Shape, boundary: str, real: bool
) -> tuple[Shape, Shape, Shape]:
    """Size of the periodic grid, shape of the output, and the kernel's shift, along each axis."""
    pairs = list(zip(grid, lengths, strict=True))
    centre = tuple((k - 1) // 2 for k in lengths)
    if boundary == "periodic":
        return grid, grid, centre
    if boundary == "mask":
        size, out, shift = grid, tuple(n - k + 1 for n, k in pairs), tuple(k - 1 for k in lengths)
    else:
        # The longer side of the kernel, k // 2, is as far as anything wraps.
        size, out, shift = tuple(max(n + k // 2, k) for n, k in pairs), grid, centre
    return tuple(scipy.fft.next_fast_len(n, real=real) for n in size), out, shift
