"""Symmetric sparse matrices at the door: one checked form."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def symmetric_csr(name: str, value: Any) -> Any:
    """A square, real, finite matrix as a CSR array without duplicates; the input is not changed.

    The symmetry itself is for the caller to check: it costs a transpose, and some algorithms meet
    every entry twice anyway. A CSC matrix is read as its transpose, without a copy.

    Raises
    ------
    ValueError
        If the matrix is not square or not finite.
    TypeError
        If it is not real, or is an operator without entries.
    """
    from scipy import sparse

    if sparse.issparse(value):
        value = value.T.tocsr() if value.format == "csc" else value.tocsr()
    else:
        value = np.asarray(value)
        if value.dtype.kind not in "biufc":
            raise TypeError(f"{name} must be a sparse array or a matrix, got {type(value)}")
    if value.ndim != 2 or value.shape[0] != value.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {value.shape}")
    if value.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real, got dtype {value.dtype}")
    matrix = sparse.csr_array(value)
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return matrix


def index_set(name: str, value: Any, n: int) -> Array:
    """Distinct indices of ``0 .. n-1``, as integers of the machine's word."""
    indices = np.asarray(value)
    if indices.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {indices.shape}")
    if indices.dtype.kind not in "iu" and indices.size:
        raise TypeError(f"{name} must hold integer indices, got dtype {indices.dtype}")
    indices = indices.astype(np.intp)
    outside = indices[(indices < 0) | (indices >= n)]
    if outside.size:
        raise ValueError(f"{name} must index 0 .. {n - 1}, got {outside[0]}")
    counts = np.bincount(indices, minlength=n)
    if indices.size and counts.max() > 1:
        raise ValueError(f"{name} must hold every index once, got {counts.argmax()} twice")
    return indices
