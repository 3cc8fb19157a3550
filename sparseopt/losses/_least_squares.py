"""Least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Products, total
from .._core._validate import finite_array, parameter

Array = np.ndarray[Any, Any]


class LeastSquares:
    r"""Half the sum of squared residuals.

    .. math:: f(x) = \tfrac12 \sum_i w_i \, |(A x - y)_i|^2

    There is no 1/m: a level ``lam`` here is m times scikit-learn's ``alpha``.

    Parameters
    ----------
    A : ndarray, SciPy sparse array or LinearOperator, shape (m, n)
        Real or complex; PyLops operators are taken as they are. Sparse input is never made dense.
    y : array_like, shape (m,) or (m, k)
        Data; k columns are k problems that share ``A``.
    sample_weights : array_like, shape (m,), optional
        Weights w >= 0 of the residuals.

    Attributes
    ----------
    shape : tuple of int
        Shape of an unknown, (n,) or (n, k).
    dtype : dtype
        What the solution will have: float32 only if ``A`` and ``y`` both are.

    Raises
    ------
    ValueError
        If shapes do not fit, or ``A``, ``y`` or ``sample_weights`` is not finite.
    TypeError
        If ``A`` or ``y`` is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses
    >>> f = losses.LeastSquares([[1.0, 2.0], [0.0, 1.0]], [3.0, 1.0])
    >>> f.value([1.0, 0.0])
    2.5
    >>> f.gradient([1.0, 0.0])
    array([-2., -5.])
    """

    def __init__(self, A: Any, y: Any, *, sample_weights: Any = None) -> None:
        self._products = Products(A)
        m, n = self._products.shape
        y = finite_array("y", y, ndim=(1, 2))
        if y.shape[0] != m:
            raise ValueError(f"y must have {m} rows, as many as A has, got shape {y.shape}")
        self.dtype = np.result_type(self._products.dtype, y.dtype)
        self.y: Array = y.astype(self.dtype)
        self.shape: tuple[int, ...] = (n, *y.shape[1:])
        self._lipschitz: float | None = None
        self.sample_weights: Array | None = None
        if sample_weights is not None:
            weights = np.asarray(parameter("sample_weights", sample_weights, finite=True))
            if weights.shape != (m,):
                raise ValueError(f"sample_weights must have shape ({m},), got {weights.shape}")
            weights = weights.astype(self.y.real.dtype)
            self.sample_weights = weights if y.ndim == 1 else weights[:, None]

    @property
    def A(self) -> Any:
        """The matrix or operator."""
        return self._products.A

    def __repr__(self) -> str:
        m, n = self._products.shape
        return f"LeastSquares(A: {m} x {n}, y: {self.y.shape}, dtype={self.dtype})"

    def value(self, x: Any) -> Any:
        """f(x): one number, or one per column."""
        return self.value_at(self.predict(self._unknown("x", x)))

    def gradient(self, x: Any) -> Array:
        """Gradient ``A^H (w * (A x - y))``."""
        return self.pull_back(self.gradient_at(self.predict(self._unknown("x", x))))

    def hessian_product(self, d: Any) -> Array:
        """Product of the Hessian ``A^H diag(w) A`` with ``d``."""
        return self.pull_back(self._weigh(self.predict(self._unknown("d", d))))

    def predict(self, x: Any) -> Array:
        """``z = A x``."""
        return self._products.forward(np.asarray(x))

    def pull_back(self, u: Array) -> Array:
        """``A^H u``, the gradient in x of a function of z with gradient ``u``."""
        return self._products.adjoint(u)

    def value_at(self, z: Array) -> Any:
        """The loss as a function of ``z = A x``."""
        return self._half_square(z - self.y)

    def gradient_at(self, z: Array) -> Array:
        """Gradient in ``z = A x``."""
        return self._weigh(z - self.y)

    def bregman(self, z_new: Array, z: Array) -> Any:
        """``f(z_new) - f(z) - <f'(z), z_new - z>``, without cancellation."""
        return self._half_square(z_new - z)

    def conjugate(self, u: Array) -> Any:
        """Convex conjugate in z: ``1/2 sum |u|^2 / w + Re <u, y>``, per column."""
        return 0.5 * self._dual_square(u) + _inner(u, self.y)

    def dual_scale(self, u: Array, limit: Any) -> Any:
        """The factor t in [0, limit] for which ``-conjugate(t u)`` is largest, per column."""
        slope = -_inner(u, self.y)
        curvature = self._dual_square(u)
        if u.ndim == 1:
            return min(max(slope / curvature, 0.0), limit) if curvature > 0 else 0.0
        best = np.where(curvature > 0, slope / np.where(curvature > 0, curvature, 1.0), 0.0)
        return np.clip(best, 0.0, limit)

    def lipschitz(self) -> float:
        """Lipschitz constant of the gradient: the largest eigenvalue of the Hessian.

        It is estimated once, by a Krylov iteration, and can fall short by a fraction of a per
        cent, so solvers also check every step.
        """
        if self._lipschitz is None:
            self._lipschitz = self._largest_eigenvalue()
        return self._lipschitz

    def _largest_eigenvalue(self) -> float:
        from scipy.sparse.linalg import LinearOperator

        from ..linop import operator_norm

        if 0 in self._products.shape:
            return 0.0
        operator = self.A
        if self.sample_weights is not None:
            root = np.sqrt(self.sample_weights.reshape(-1))
            operator = LinearOperator(
                shape=self._products.shape,
                dtype=self._products.dtype,
                matvec=lambda x: root * self._products.forward(x.reshape(-1)),
                rmatvec=lambda u: self._products.adjoint(root * u.reshape(-1)),
            )
        return operator_norm(operator, max_iter=12).lower ** 2

    def _unknown(self, name: str, x: Any) -> Array:
        x = np.asarray(x)
        if x.shape != self.shape:
            raise ValueError(f"{name} must have shape {self.shape}, got {x.shape}")
        return x

    def _weigh(self, r: Array) -> Array:
        return r if self.sample_weights is None else self.sample_weights * r

    def _dual_square(self, u: Array) -> Any:
        if self.sample_weights is None:
            return _inner(u, u)
        squares = np.abs(u) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return total(np.where(squares > 0, squares / self.sample_weights, 0.0))

    def _half_square(self, r: Array) -> Any:
        return 0.5 * _inner(r, self._weigh(r))


def _inner(u: Array, v: Array) -> Any:
    """Real inner product in double precision, per column."""
    if u.ndim == 1 and u.dtype.char in "dD":
        return float(np.vdot(u, v).real)
    return total((u.conj() * v).real)
