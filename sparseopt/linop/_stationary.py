"""Undecimated (stationary) wavelet transform as a Parseval frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core._validate import integer
from ._base import Operator, on_parts
from ._checks import Array, orthogonal_wavelet, shape_of


class StationaryWavelet(Operator):
    r"""Parseval undecimated wavelet analysis of 1-D and 2-D arrays.

    :math:`W^T W = I` but not :math:`W W^T = I`: the transform is redundant and commutes with
    (circular) shifts, and ``W.H`` is its exact adjoint and left inverse. Equal to
    ``pywt.swt`` and ``pywt.swt2`` with ``norm=True, trim_approx=True``: level :math:`j` filters
    with :math:`h/\sqrt2` and :math:`g/\sqrt2`, spread by :math:`2^{j-1}`, along each axis. The
    array wraps around at its ends.

    The bands lie along a new first axis, coarse to fine. In 1-D they are
    ``a_L, d_L, ..., d_1``; in 2-D ``a_L, h_L, v_L, d_L, ..., h_1, v_1, d_1`` where ``h`` is
    high-pass along the first axis only (horizontal edges), ``v`` along the second only, ``d``
    along both.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the arrays, one or two axes, each divisible by ``2**level``.
    wavelet : str or pywt.Wavelet, default "db2"
        An orthogonal wavelet.
    level : int, default 3
        Number of levels, at least 1.
    dtype : dtype, default float64
        Declared dtype.

    Attributes
    ----------
    wavelet : str
        The wavelet's name.
    level : int
    bands : tuple of str
        Names of the bands in order, such as ``("a2", "h2", "v2", "d2", "h1", "v1", "d1")``;
        ``out_shape`` is ``(len(bands), *shape)``.
    norm_bound : float
        1, the exact norm.

    Raises
    ------
    ValueError
        If an axis is not divisible by ``2**level`` or the wavelet is not orthogonal.
    TypeError
        If an argument has the wrong type.

    References
    ----------
    G. P. Nason and B. W. Silverman, "The stationary wavelet transform and some statistical
    applications", in *Wavelets and Statistics*, Springer, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import StationaryWavelet
    >>> W = StationaryWavelet((8, 8), "haar", level=1)
    >>> W.bands
    ('a1', 'h1', 'v1', 'd1')
    >>> c = W(np.ones((8, 8)))
    >>> c.shape, bool(np.allclose(W.H(c), 1))
    ((4, 8, 8), True)
    """

    def __init__(
        self, shape: Any, wavelet: Any = "db2", level: int = 3, *, dtype: Any = np.float64
    ) -> None:
        grid = shape_of("shape", shape, ndim=(1, 2))
        filters = orthogonal_wavelet(wavelet)
        self.wavelet: str = filters.name
        self.level = integer("level", level, 1, 62)
        block = 2**self.level
        for axis, n in enumerate(grid):
            if n % block:
                raise ValueError(
                    f"shape[{axis}] must be divisible by 2**level = {block}, got {n}; the next "
                    f"size that works is {-(-n // block) * block}"
                )
        self._filters = np.array([filters.dec_lo, filters.dec_hi]) / math.sqrt(2.0)
        letters = "d" if len(grid) == 1 else "hvd"
        details = [f"{kind}{j}" for j in range(self.level, 0, -1) for kind in letters]
        self.bands = (f"a{self.level}", *details)
        super().__init__(grid, (len(self.bands), *grid), dtype=dtype, norm_bound=1.0)

    def _forward(self, x: Array) -> Array:
        return on_parts(self._analyse, x)

    def _backward(self, y: Array) -> Array:
        return on_parts(self._synthesise, y)

    def _analyse(self, x: Array) -> Array:
        from ._atrous import analyse_images, analyse_rows

        batch = x.shape[: x.ndim - len(self.in_shape)]
        flat = np.ascontiguousarray(x).reshape(-1, *self.in_shape)
        out = np.empty((len(flat), *self.out_shape), x.dtype)
        low, high = self._filters.astype(x.dtype)
        analyse = analyse_rows if len(self.in_shape) == 1 else analyse_images
        analyse(flat, low, high, self.level, out)
        return out.reshape(batch + self.out_shape)

    def _synthesise(self, y: Array) -> Array:
        from ._atrous import synthesise_images, synthesise_rows

        batch = y.shape[: y.ndim - len(self.out_shape)]
        flat = np.ascontiguousarray(y).reshape(-1, *self.out_shape)
        out = np.empty((len(flat), *self.in_shape), y.dtype)
        low, high = self._filters.astype(y.dtype)
        synthesise = synthesise_rows if len(self.in_shape) == 1 else synthesise_images
        synthesise(flat, low, high, self.level, out)
        return out.reshape(batch + self.in_shape)
