"""Class labels of any kind as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def encode(y: Any, *, ndim: tuple[int, ...]) -> tuple[Array, Array]:
    """The sorted distinct labels, and the index of each entry of ``y`` among them."""
    y = np.asarray(y)
    if y.ndim not in ndim:
        wanted = " or ".join(map(str, ndim))
        raise ValueError(f"y must have {wanted} dimension(s), got shape {y.shape}")
    if y.dtype.kind in "fc" and not np.isfinite(y).all():
        raise ValueError("y must be finite, got NaN or infinite labels")
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes.reshape(y.shape)


def signs(y: Any, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """The two labels, and ``y`` as -1 and +1."""
    classes, codes = encode(y, ndim=(1, 2))
    if len(classes) != 2:
        shown = ", ".join(map(str, classes[:5].tolist()))
        raise ValueError(f"y must hold labels of exactly 2 classes, got {len(classes)}: {shown}")
    return classes, (2 * codes - 1).astype(dtype)


def need_both(y: Array, weights: Array | None) -> None:
    """Refuse columns of one class only: no intercept would be best."""
    seen = np.ones(y.shape[0], bool) if weights is None else weights.reshape(-1) > 0
    kept = y[seen]
    if not (np.all((kept > 0).any(0)) and np.all((kept < 0).any(0))):
        raise ValueError(
            "y must hold both classes, with positive weight, in every column if there is an "
            "intercept, got a column of one class"
        )
