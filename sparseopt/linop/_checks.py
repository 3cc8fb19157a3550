"""What the constructors check: shapes, dtypes, sets of flat indices, orthogonal wavelets."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core._validate import integer

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


def shape_of(name: str, shape: Any, ndim: Sequence[int] | None = None) -> Shape:
    """A shape as a tuple of positive ints; a single integer is a one-axis shape."""
    if isinstance(shape, numbers.Integral):
        shape = (shape,)
    if isinstance(shape, str) or not isinstance(shape, Sequence | np.ndarray):
        raise TypeError(f"{name} must be an int or a tuple of ints, got {type(shape).__name__}")
    result = tuple(integer(f"{name}[{i}]", n, 1) for i, n in enumerate(shape))
    if not result or (ndim is not None and len(result) not in ndim):
        wanted = "at least one axis" if ndim is None else " or ".join(map(str, ndim)) + " axes"
        raise ValueError(f"{name} must have {wanted}, got {result}")
    return result


def dtype_of(dtype: Any, *, is_complex: bool = False) -> np.dtype[Any]:
    """A single or double precision dtype, complex if the operator's entries are."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a floating-point dtype, got {dtype!r}") from None
    allowed = "FD" if is_complex else "fdFD"
    if kind.char not in allowed:
        wanted = ", ".join(np.dtype(c).name for c in allowed)
        raise TypeError(f"dtype must be one of {wanted}, got {kind.name}")
    return kind


def flat_indices(name: str, keep: Any, shape: Shape) -> Array:
    """Flat indices into ``shape`` without duplicates, from indices or a boolean mask."""
    chosen = np.asarray(keep)
    size = math.prod(shape)
    if chosen.dtype == bool:
        if chosen.shape != shape:
            raise ValueError(f"{name} as a mask must have shape {shape}, got {chosen.shape}")
        chosen = np.flatnonzero(chosen)
    elif chosen.size and chosen.dtype.kind not in "iu":
        raise TypeError(f"{name} must be boolean or integer, got dtype {chosen.dtype}")
    if chosen.ndim != 1 or not chosen.size:
        raise ValueError(f"{name} must select at least one entry, flat, got shape {chosen.shape}")
    low, high = int(chosen.min()), int(chosen.max())
    if low < 0 or high >= size:
        raise ValueError(f"{name} must lie in [0, {size}), got values from {low} to {high}")
    # A duplicate would raise the norm above one and make the adjoint's scatter ambiguous.
    if np.unique(chosen).size != chosen.size:
        raise ValueError(f"{name} must not contain duplicates")
    return chosen.astype(np.intp)


def orthogonal_wavelet(wavelet: Any) -> Any:
    """A ``pywt.Wavelet`` that is orthogonal, from its name or itself."""
    import pywt

    if not isinstance(wavelet, str | pywt.Wavelet):
        raise TypeError(f"wavelet must be a name or a pywt.Wavelet, got {type(wavelet).__name__}")
    try:
        found = pywt.Wavelet(wavelet) if isinstance(wavelet, str) else wavelet
    except ValueError:
        raise ValueError(
            f"wavelet must name a discrete wavelet of PyWavelets, got {wavelet!r}"
        ) from None
    # PyWavelets calls the truncated Meyer filters ("dmey") orthogonal, which they are to 2e-3.
    if not found.orthogonal or _deviation(found) > 1e-8:
        raise ValueError(f"wavelet must be orthogonal, got {found.name!r}")
    return found


def _deviation(wavelet: Any) -> float:
    """How far the filters and their even shifts are from orthonormal."""
    bank = np.array([wavelet.dec_lo, wavelet.dec_hi])
    taps = bank.shape[1]
    shifted = [bank[:, : taps - m] @ bank[:, m:].T for m in range(0, taps, 2)]
    shifted[0] = shifted[0] - np.eye(2)
    inverse = np.array([wavelet.rec_lo, wavelet.rec_hi])[:, ::-1]
    return float(max(np.abs(shifted).max(), np.abs(inverse - bank).max()))
