"""What the operators that iterate share: default tolerance, other libraries' arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Result, Status, is_numpy, namespace, to_host, to_native


def default_tolerance(tol: float | None, dtype: Any) -> float:
    """1e-6, or 1e-4 in single precision, unless the caller says otherwise."""
    if tol is not None:
        return tol
    return 1e-4 if np.finfo(dtype).eps > 1e-10 else 1e-6


def on_numpy(v: Any) -> Any:
    """``v`` for an operator that works on NumPy arrays and gives no gradients."""
    if is_numpy(v):
        return v
    if getattr(v, "requires_grad", False):
        raise TypeError("v must not require a gradient here: the operator iterates; detach v")
    return to_host(v)


def like(x: np.ndarray[Any, Any], v: Any) -> Any:
    """The answer ``x`` in the library, on the device and in the dtype of ``v``."""
    if is_numpy(v):
        return x[()]
    xp = namespace(v)
    native = to_native(x, v)
    return xp.astype(native, v.dtype) if xp.isdtype(v.dtype, "real floating") else native


def dual_start(x0: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any] | None:
    """The dual point of a warm start: an array, or what a `Result` holds."""
    if x0 is None:
        return None
    u = np.asarray(x0.dual if isinstance(x0, Result) else x0)
    if u.shape != shape:
        raise ValueError(f"x0 must be a Result or a dual array of shape {shape}, got {u.shape}")
    if u.dtype.kind not in "fiu" or not np.isfinite(u).all():
        raise ValueError("x0 must be real and finite")
    return u


def nothing_to_do(
    shape: tuple[int, ...], dual_shape: tuple[int, ...], dtype: Any, method: str
) -> Result:
    """The result for an empty array."""
    return Result(
        x=np.zeros(shape, dtype),
        fun=0.0,
        success=True,
        status=Status.CONVERGED,
        message="converged: v is empty",
        nit=0,
        certificate=0.0,
        method=method,
        dual=np.zeros(dual_shape, dtype),
    )
