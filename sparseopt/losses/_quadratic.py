"""Quadratic forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Products
from .._core._validate import finite_array
from ._design import DenseDesign, SparseDesign, as_design, csc_square

Array = np.ndarray[Any, Any]


class Quadratic:
    r"""A convex quadratic form.

    .. math:: f(x) = \tfrac12 x^T Q x - q^T x

    The dual of a support vector machine and the labels of a graph's nodes have this form.

    Parameters
    ----------
    Q : ndarray, SciPy sparse array or LinearOperator, shape (n, n)
        Real, symmetric, positive semidefinite. Symmetry is checked of arrays; of definiteness
        only that no diagonal entry is negative.
    q : array_like, shape (n,)
        Linear part.

    Attributes
    ----------
    shape : tuple of int
        Shape of an unknown, (n,).
    dtype : dtype
        float32 only if ``Q`` and ``q`` both are.

    Raises
    ------
    ValueError
        If shapes do not fit, something is not finite, ``Q`` is not symmetric or has a negative
        diagonal entry.
    TypeError
        If ``Q`` or ``q`` is complex or not numeric.

    Notes
    -----
    There is no matrix A here. Solvers keep a prediction z that is linear in x and from which
    value and gradient follow; here it is the pair of x and Q x, an array of shape (2, n).
    ``gradient_at(z)`` is ``Q x - q``, already the gradient in x, which ``pull_back`` returns as it
    is. There is no conjugate in z, so solvers certify a residual.

    Examples
    --------
    >>> from sparseopt import losses
    >>> f = losses.Quadratic([[2.0, 1.0], [1.0, 2.0]], [1.0, 0.0])
    >>> f.value([1.0, 1.0]), f.gradient([1.0, 1.0])
    (2.0, array([2., 3.]))
    """

    is_quadratic = True

    def __init__(self, Q: Any, q: Any) -> None:
        try:
            self._products = Products(Q)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("A must", "Q must", 1)) from None
        n = self._products.shape[0]
        if self._products.shape[1] != n:
            raise ValueError(f"Q must be square, got shape {self._products.shape}")
        q = finite_array("q", q, ndim=(1,))
        for name, dtype in (("Q", self._products.dtype), ("q", q.dtype)):
            if dtype.kind == "c":
                raise TypeError(f"{name} must be real, got dtype {dtype}")
        if q.shape != (n,):
            raise ValueError(f"q must have shape ({n},), got {q.shape}")
        self.dtype: np.dtype[Any] = np.result_type(self._products.dtype, q.dtype)
        self.q: Array = q.astype(self.dtype)
        self.shape: tuple[int, ...] = (n,)
        self._lipschitz: float | None = None
        self._columns: DenseDesign | SparseDesign | None = None
        if hasattr(self.Q, "diagonal"):
            _check_symmetric(self.Q)

    @property
    def Q(self) -> Any:
        """The matrix or operator."""
        return self._products.A

    def __repr__(self) -> str:
        n = self.shape[0]
        return f"Quadratic(Q: {n} x {n}, dtype={self.dtype})"

    def value(self, x: Any) -> float:
        """f(x)."""
        return self.value_at(self.predict(self._unknown("x", x)))

    def gradient(self, x: Any) -> Array:
        """``Q x - q``."""
        return self.gradient_at(self.predict(self._unknown("x", x)))

    def hessian_product(self, d: Any, x: Any = None) -> Array:
        """``Q d``."""
        return self._products.forward(self._unknown("d", d))

    def predict(self, x: Any) -> Array:
        """The pair of x and Q x, shape (2, n)."""
        x = np.asarray(x)
        return np.stack([x, self._products.forward(x)])

    def pull_back(self, u: Array) -> Array:
        """``u``: the gradient at z is already the gradient in x."""
        return u

    def value_at(self, z: Array) -> float:
        """``1/2 z_0' z_1 - q' z_0``."""
        z = z.astype(np.float64, copy=False)
        return float(0.5 * (z[0] @ z[1]) - z[0] @ self.q)

    def gradient_at(self, z: Array) -> Array:
        """``z_1 - q``."""
        return z[1] - self.q

    def hessian_at(self, z: Array, v: Array) -> Array:
        """``v_1``: with ``v = predict(d)`` this is ``Q d``."""
        return v[1]

    def bregman(self, z_new: Array, z: Array) -> float:
        """``f(z_new) - f(z) - <f'(z), x_new - x>``: half the product of the differences."""
        d = (z_new - z).astype(np.float64, copy=False)
        return float(0.5 * (d[0] @ d[1]))

    def lipschitz(self) -> float:
        """The largest eigenvalue of Q, estimated once by a Krylov iteration.

        It can fall short by a fraction of a per cent, so solvers also check every step.
        """
        if self._lipschitz is None:
            from ..linop import operator_norm

            self._lipschitz = operator_norm(self.Q, max_iter=12).lower if self.shape[0] else 0.0
        return self._lipschitz

    def coordinate_bounds(self) -> Array:
        """The diagonal of Q."""
        self._design()
        return self.Q.diagonal().astype(self.dtype)

    def row_sums(self) -> Array:
        """``sum_j |Q_ij|`` for each coordinate i."""
        design = self._design()
        return design.power_sums(None, 1, None).astype(self.dtype, copy=False)

    def block_gradient(self, block: Array, u: Array) -> Array:
        """The block's part of ``u``."""
        part: Array = u[block]
        return part

    def block_bound(self, block: Array) -> Array:
        """The block's square of Q."""
        design = self._design()
        block = np.asarray(block, np.int64)
        if isinstance(design, DenseDesign):
            return design.rows[np.ix_(block, block)].astype(self.dtype)
        place = np.full(self.shape[0], -1)
        place[block] = np.arange(block.size)
        square = np.zeros((block.size, block.size), self.dtype)
        csc_square(*design.parts, block, place, square)
        return square

    def block_hessian(self, block: Array, z: Array) -> Array:
        """The block's square of Q."""
        return self.block_bound(block)

    def third_order(self, block: Array) -> tuple[Array, float]:
        """Zeros: the second derivatives are constant."""
        return np.zeros(np.asarray(block).size, self.dtype), 0.0

    def move(self, z: Array, block: Array, d: Array) -> None:
        """Change ``z`` in place for a change ``d`` of the block's coordinates."""
        design = self._design()
        block = np.asarray(block, np.int64)
        z[0][block] += d
        design.add(z[1], block, None, np.asarray(d))

    def _design(self) -> DenseDesign | SparseDesign:
        if self._columns is None:
            self._columns = as_design(self.Q)
        return self._columns

    def _unknown(self, name: str, x: Any) -> Array:
        x = np.asarray(x)
        if x.shape != self.shape:
            raise ValueError(f"{name} must have shape {self.shape}, got {x.shape}")
        return x


def _check_symmetric(Q: Any) -> None:
    """Symmetric up to the rounding of a product that may have made it; no negative diagonal."""
    if 0 in Q.shape:
        return
    largest = float(abs(Q).max())
    off = float(abs(Q - Q.T).max())
    if off > 1e3 * float(np.finfo(Q.dtype).eps) * largest:
        raise ValueError(f"Q must be symmetric, got |Q - Q'| up to {off:.3g}")
    lowest = float(Q.diagonal().min())
    if lowest < 0:
        raise ValueError(f"Q must be positive semidefinite, got a diagonal entry {lowest}")
