"""A matrix, a sparse array or a LinearOperator as a pair of products."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def as_scipy(A: Any) -> Any:
    """An operator of another library, such as PyLops, as one of SciPy; anything else as it is."""
    from scipy.sparse.linalg import LinearOperator, aslinearoperator

    foreign = hasattr(A, "matvec") and hasattr(A, "rmatvec") and not isinstance(A, LinearOperator)
    return aslinearoperator(A) if foreign else A


class Products:
    """``A x`` and ``A^H u`` for vectors (n,) and columns (n, k), whatever ``A`` is."""

    def __init__(self, A: Any) -> None:
        from scipy.sparse import issparse
        from scipy.sparse.linalg import LinearOperator

        A = as_scipy(A)
        if issparse(A):
            A = A.tocsr() if A.format not in ("csr", "csc") else A
            if A.dtype.kind in "biu":
                A = A.astype(np.float64)
            if not np.isfinite(A.data).all():
                raise ValueError("A must be finite, got NaN or infinity in its data")
        elif not isinstance(A, LinearOperator):
            from ._validate import finite_array

            A = finite_array("A", A, ndim=(2,))
        if len(A.shape) != 2:
            raise ValueError(f"A must have 2 dimensions, got shape {A.shape}")
        if np.dtype(A.dtype).char not in "bBhHiIlLqQ?fdFD":
            raise TypeError(f"A must be real or complex floating-point, got dtype {A.dtype}")
        self.A = A
        self.shape: tuple[int, int] = tuple(A.shape)
        self.dtype = np.dtype(A.dtype if np.dtype(A.dtype).kind in "fc" else np.float64)
        if isinstance(A, LinearOperator):
            self._adjoint = A.adjoint()
        else:
            self._adjoint = A.conj().T if self.dtype.kind == "c" else A.T

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        """Pickle ``A`` once, without its adjoint."""
        return Products, (self.A,)

    def forward(self, x: Array) -> Array:
        """``A x``."""
        result: Array = self.A @ x
        return result

    def adjoint(self, u: Array) -> Array:
        """``A^H u``."""
        result: Array = self._adjoint @ u
        return result
