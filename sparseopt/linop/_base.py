"""The base of every operator: a SciPy ``LinearOperator`` that knows the shapes it maps between."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from .._core import as_floating
from ._checks import Array, Shape, dtype_of, shape_of


class Operator(LinearOperator):  # type: ignore[misc]
    """A linear map from arrays of shape ``in_shape`` to arrays of shape ``out_shape``.

    There are two ways to apply one, and they differ only in the layout of what they take:

    - ``A(x)`` and ``A.H(y)`` take arrays of shape ``(..., *in_shape)`` and ``(..., *out_shape)``
      and return the other; leading axes are a batch;
    - ``A @ x``, ``A.matvec``, ``A.rmatvec``, ``A.matmat``, ``A.rmatmat`` are SciPy's, on flat
      vectors ``(n,)`` and columns ``(n, k)``, flattened in C order.

    The precision of the answer is that of the input (float32 in, float32 out), and complex input
    is always allowed: the declared ``dtype`` only tells SciPy what kind of matrix this is.

    A subclass calls ``super().__init__`` and defines ``_forward(x)`` and ``_backward(y)`` (the
    adjoint; SciPy has taken the name ``_adjoint``) on arrays with any number of leading batch
    axes. It may rely on floating-point input of the right shape.

    Parameters
    ----------
    in_shape, out_shape : int or tuple of int
        Shapes of what the operator takes and gives.
    dtype : dtype, default float64
        Declared dtype: float32, float64, complex64 or complex128.
    norm_bound : float, optional
        Upper bound on the spectral norm, if one is known.

    Attributes
    ----------
    in_shape, out_shape : tuple of int
    norm_bound : float or None
    shape : tuple of int
        ``(prod(out_shape), prod(in_shape))``, the shape of the matrix.
    H, T : Operator
        Adjoint and transpose; the same for a real operator.

    Raises
    ------
    ValueError, TypeError
        If a shape is not made of positive integers, or an array does not end in it.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import Operator
    >>> class Reverse(Operator):
    ...     def _forward(self, x):
    ...         return x[..., ::-1]
    ...     _backward = _forward
    >>> A = Reverse(3, 3, norm_bound=1.0)
    >>> A([1.0, 2.0, 3.0])
    array([3., 2., 1.])
    >>> (A @ A).norm_bound
    1.0
    """

    in_shape: Shape
    out_shape: Shape
    norm_bound: float | None
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def __init__(
        self,
        in_shape: Any,
        out_shape: Any,
        *,
        dtype: Any = np.float64,
        norm_bound: float | None = None,
    ) -> None:
        self.in_shape = shape_of("in_shape", in_shape)
        self.out_shape = shape_of("out_shape", out_shape)
        if norm_bound is not None and not (0 <= norm_bound < math.inf):
            raise ValueError(f"norm_bound must be finite and non-negative, got {norm_bound}")
        self.norm_bound = None if norm_bound is None else float(norm_bound)
        super().__init__(dtype_of(dtype), (math.prod(self.out_shape), math.prod(self.in_shape)))

    def _forward(self, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not define _forward")

    def _backward(self, y: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not define _backward")

    def __call__(self, x: Any) -> Array:
        """Apply to an array of shape ``(..., *in_shape)``; the answer is ``(..., *out_shape)``."""
        x = as_floating("x", x)
        axes = len(self.in_shape)
        if x.ndim < axes or x.shape[x.ndim - axes :] != self.in_shape:
            wanted = ", ".join(map(str, self.in_shape))
            raise ValueError(f"x must have shape (..., {wanted}), got {x.shape}")
        if not x.size:
            kind = np.result_type(x.dtype, np.complex64 if self.dtype.kind == "c" else x.dtype)
            return np.empty(x.shape[: x.ndim - axes] + self.out_shape, kind)
        return self._forward(x)

    @property
    def H(self) -> Operator:
        """The adjoint, as an operator from ``out_shape`` to ``in_shape``."""
        return self._adjoint()

    @property
    def T(self) -> Operator:
        """The transpose, without conjugation."""
        return self._transpose()

    def _adjoint(self) -> Operator:
        from ._algebra import Adjoint

        return Adjoint(self)

    def _transpose(self) -> Operator:
        from ._algebra import Conjugate

        return self.H if self.dtype.kind == "f" else Conjugate(self.H)

    def _matvec(self, x: Any) -> Array:
        return self(np.asarray(x).reshape(self.in_shape)).reshape(-1)

    def _rmatvec(self, x: Any) -> Array:
        return self.H(np.asarray(x).reshape(self.out_shape)).reshape(-1)

    def _matmat(self, X: Any) -> Array:
        return _on_columns(self, X)

    def _rmatmat(self, X: Any) -> Array:
        return _on_columns(self.H, X)

    def dot(self, x: Any) -> Any:
        """Compose with an operator or sparse matrix, scale, or apply to flat vectors."""
        from ._algebra import Scaled, compose

        if isinstance(x, LinearOperator) or issparse(x):
            return compose(self, x)
        return Scaled(self, x) if np.isscalar(x) else super().dot(x)

    def _rdot(self, x: Any) -> Any:
        from ._algebra import compose

        if isinstance(x, LinearOperator) or issparse(x):
            return compose(x, self)
        return super()._rdot(x)

    def __rmul__(self, x: Any) -> Any:
        return self.dot(x) if np.isscalar(x) else self._rdot(x)

    def __truediv__(self, other: Any) -> Any:
        if not np.isscalar(other):
            raise ValueError(f"other must be a number to divide by, got {type(other).__name__}")
        number: Any = other
        return self.dot(1.0 / number)

    def __neg__(self) -> Any:
        return self.dot(-1.0)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} {self.in_shape} -> {self.out_shape}, dtype={self.dtype}>"


def on_parts(function: Callable[[Array], Array], x: Array) -> Array:
    """Apply a real operator that has no complex arithmetic of its own, one batch for both parts."""
    if x.dtype.kind != "c":
        return function(x)
    real, imaginary = function(np.stack([x.real, x.imag]))
    result = np.empty(real.shape, x.dtype)
    result.real, result.imag = real, imaginary
    return result


def _on_columns(operator: Operator, columns: Any) -> Array:
    rows = np.asarray(columns).T
    batch = operator(rows.reshape(rows.shape[:1] + operator.in_shape))
    return batch.reshape(rows.shape[0], operator.shape[0]).T
