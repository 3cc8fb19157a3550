"""What the losses of a linear prediction share: products, weights and a profiled intercept."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from .._core import Products, total
from .._core._validate import parameter
from ._blocks import BlockMethods

Array = np.ndarray[Any, Any]


class LinearLoss(BlockMethods):
    r"""A smooth convex function of ``z = A x``, with weights and an optional free constant.

    .. math:: f(x) = F(A x) \quad\text{or, with an intercept,}\quad f(x) = \min_b F(A x + b 1)

    The second is again a smooth function of z: its gradient is that of F at ``z + b``, where b is
    the minimiser; the entries of the gradient then sum to zero.

    Subclasses give ``_data`` (checks the data), ``_value``, ``_slope``, ``_curve``, ``_between``
    and ``_conjugate`` of F, and ``_intercept``.
    """

    curvature_bound: float | None = None
    third_bound: float | None = None
    is_quadratic = False
    is_real = True

    def __init__(self, A: Any, y: Any, *, sample_weights: Any = None, intercept: bool = False):
        self._products = Products(A)
        if self.is_real and self._products.dtype.kind == "c":
            raise TypeError(f"A must be real, got dtype {self._products.dtype}")
        if not isinstance(intercept, bool | np.bool_):
            raise TypeError(f"intercept must be a bool, got {type(intercept).__name__}")
        m, n = self._products.shape
        y = self._data(y)
        if y.shape[0] != m:
            raise ValueError(f"y must have {m} rows, as many as A has, got shape {y.shape}")
        if intercept and m == 0:
            raise ValueError("A must have rows to fit an intercept, got none")
        self.intercept = bool(intercept)
        self.dtype: np.dtype[Any] = np.result_type(self._products.dtype, y.dtype)
        self.y: Array = y.astype(self.dtype)
        self.shape: tuple[int, ...] = (n, *y.shape[1:])
        self.sample_weights: Array | None = None
        self._lipschitz: float | None = None
        if sample_weights is not None:
            weights = np.asarray(parameter("sample_weights", sample_weights, finite=True))
            if weights.shape != (m,):
                raise ValueError(f"sample_weights must have shape ({m},), got {weights.shape}")
            if self.intercept and not np.any(weights > 0):
                raise ValueError("sample_weights must not all be zero with an intercept")
            weights = weights.astype(self.y.real.dtype)
            self.sample_weights = weights if y.ndim == 1 else weights[:, None]

    @property
    def A(self) -> Any:
        """The matrix or operator."""
        return self._products.A

    def __repr__(self) -> str:
        m, n = self._products.shape
        extra = ", intercept=True" if self.intercept else ""
        name = type(self).__name__
        return f"{name}(A: {m} x {n}, y: {self.y.shape}, dtype={self.dtype}{extra})"

    def part(self, rows: Any, *, intercept: bool | None = None) -> Self:
        """The same loss of some of the samples, with the intercept or without.

        Parameters
        ----------
        rows : array_like of int or bool
            The samples.
        intercept : bool, optional
            Whether the part has an intercept of its own; by default if the whole has one.

        Raises
        ------
        TypeError
            If ``A`` is an operator, which has no rows to choose from.
        """
        if hasattr(self.A, "matvec"):
            raise TypeError(f"A must be an array to choose rows from, got {type(self.A).__name__}")
        loss = copy.copy(self)
        loss._products = Products(self.A[rows])
        loss.y = self.y[rows]
        if self.sample_weights is not None:
            loss.sample_weights = self.sample_weights[rows]
        loss._lipschitz = loss._columns = None
        if intercept is not None:
            loss.intercept = intercept
        return loss

    def value(self, x: Any) -> Any:
        """f(x): one number, or one per column."""
        return self.value_at(self.predict(self._unknown("x", x)))

    def gradient(self, x: Any) -> Array:
        """Gradient in x."""
        return self.pull_back(self.gradient_at(self.predict(self._unknown("x", x))))

    def hessian_product(self, d: Any, x: Any = None) -> Array:
        """Product of the Hessian at ``x`` with ``d``; a quadratic loss needs no ``x``."""
        v = self.predict(self._unknown("d", d))
        if x is None:
            if not self.is_quadratic:
                raise TypeError(f"hessian_product of {type(self).__name__} needs x, got None")
            return self.pull_back(self.hessian_at(v, v))
        return self.pull_back(self.hessian_at(self.predict(self._unknown("x", x)), v))

    def predict(self, x: Any) -> Array:
        """``z = A x``, without the intercept."""
        return self._products.forward(np.asarray(x))

    def null_prediction(self) -> Array:
        """``A 0``, without a product."""
        return np.zeros((self._products.shape[0], *self.shape[1:]), self.dtype)

    def pull_back(self, u: Array) -> Array:
        """``A^H u``, the gradient in x of a function of z with gradient ``u``."""
        return self._products.adjoint(u)

    def value_at(self, z: Array) -> Any:
        """The loss as a function of ``z = A x``."""
        return self._value(self._shifted(z))

    def gradient_at(self, z: Array) -> Array:
        """Gradient in ``z = A x``."""
        return self._slope(self._shifted(z)).astype(self.dtype, copy=False)

    def curvature_at(self, z: Array) -> Array:
        """Second derivatives of F, weighted, at the prediction ``z`` plus the intercept."""
        return self._curve(self._shifted(z)).astype(self.dtype, copy=False)

    def hessian_at(self, z: Array, v: Array) -> Array:
        """Product of the Hessian in z, at ``z``, with ``v``."""
        curvature = self._curve(self._shifted(z))
        if self.intercept:
            sums = curvature.sum(0)
            v = v - (curvature * v).sum(0) / np.where(sums > 0, sums, 1.0)
        return (curvature * v).astype(self.dtype, copy=False)

    def bregman(self, z_new: Array, z: Array) -> Any:
        """``f(z_new) - f(z) - <f'(z), z_new - z>``, without cancellation."""
        return self._between(self._shifted(z_new), self._shifted(z))

    def conjugate(self, u: Array) -> Any:
        """Convex conjugate in z, per column; infinite outside its domain."""
        return self._balanced(u, self._conjugate(u))

    def intercept_at(self, z: Array) -> Any:
        """The constant b that minimises ``F(z + b)``, per column; 0.0 without an intercept."""
        if not self.intercept:
            return 0.0
        b = self._intercept(z)
        return float(b) if np.ndim(b) == 0 and np.isrealobj(b) else b

    def lipschitz(self) -> float:
        """Lipschitz constant of the gradient: a bound on the curvature times ``||A||^2``.

        The norm, weighted by ``sample_weights``, is estimated once, by a Krylov iteration, and can
        fall short by a fraction of a per cent, so solvers also check every step.
        """
        if self._lipschitz is None:
            self._lipschitz = self._curvature_scale() * self._squared_norm(self.sample_weights)
        return self._lipschitz

    def _curvature_scale(self) -> float:
        if self.curvature_bound is None:
            raise TypeError(f"{type(self).__name__} has no global bound on its curvature")
        return self.curvature_bound

    def _squared_norm(self, weights: Array | None, centre: bool = False) -> float:
        """The largest eigenvalue of ``A^H W A``, or of that of the centred rows."""
        from scipy.sparse.linalg import LinearOperator

        from ..linop import operator_norm

        if 0 in self._products.shape:
            return 0.0
        operator = self.A
        if weights is not None or centre:
            m = self._products.shape[0]
            root = np.ones(m, self.y.real.dtype) if weights is None else np.sqrt(weights)
            root = root.reshape(-1)
            unit = root / np.linalg.norm(root) if centre else np.zeros_like(root)
            operator = LinearOperator(
                shape=self._products.shape,
                dtype=self._products.dtype,
                matvec=lambda x: _off(unit, root * self._products.forward(x.reshape(-1))),
                rmatvec=lambda u: self._products.adjoint(root * _off(unit, u.reshape(-1))),
            )
        return operator_norm(operator, max_iter=12).lower ** 2

    def _shifted(self, z: Array) -> Array:
        """``z`` plus its intercept, then in double precision so that the gradient balances."""
        if not self.intercept:
            return z
        return np.asarray(z, np.float64) + self._intercept(z)

    def _balanced(self, u: Array, value: Any) -> Any:
        """A conjugate value, infinite where an intercept asks that u sum to zero and it does not.

        The test leaves room for rounding.
        """
        if not self.intercept:
            return value
        slack = float(np.finfo(self.dtype).eps) ** (2.0 / 3.0)
        sums = abs(np.sum(u, axis=0, dtype=np.result_type(u.dtype, np.float64)))
        even = sums <= slack * total(abs(u))
        if np.ndim(value) == 0:
            return value if np.all(even) else np.inf
        return np.where(even, value, np.inf)

    def _unknown(self, name: str, x: Any) -> Array:
        x = np.asarray(x)
        if x.shape != self.shape:
            raise ValueError(f"{name} must have shape {self.shape}, got {x.shape}")
        return x

    def _weigh(self, r: Array) -> Array:
        return r if self.sample_weights is None else self.sample_weights * r

    def _dual_square(self, u: Array) -> Any:
        """``sum |u|^2 / w``, per column."""
        if self.sample_weights is None:
            return inner(u, u)
        squares = np.abs(u) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return total(np.where(squares > 0, squares / self.sample_weights, 0.0))

    def _best_scale(self, u: Array, y: Array, limit: Any) -> Any:
        """The t in [0, limit] for which ``t^2/2 sum |u|^2 / w + t <u, y>`` is least."""
        slope = -inner(u, y)
        curvature = self._dual_square(u)
        if u.ndim == 1:
            return min(max(slope / curvature, 0.0), limit) if curvature > 0 else 0.0
        best = np.where(curvature > 0, slope / np.where(curvature > 0, curvature, 1.0), 0.0)
        return np.clip(best, 0.0, limit)

    def _data(self, y: Any) -> Array:
        """The checked data, in the precision that they ask for."""
        raise NotImplementedError

    def _value(self, z: Array) -> Any:
        raise NotImplementedError

    def _slope(self, z: Array) -> Array:
        raise NotImplementedError

    def _curve(self, z: Array) -> Array:
        raise NotImplementedError

    def _between(self, z_new: Array, z: Array) -> Any:
        raise NotImplementedError

    def _conjugate(self, u: Array) -> Any:
        raise NotImplementedError

    def _intercept(self, z: Array) -> Any:
        raise NotImplementedError


def inner(u: Array, v: Array) -> Any:
    """Real inner product in double precision, per column."""
    if u.ndim == 1 and u.dtype.char in "dD":
        return float(np.vdot(u, v).real)
    return total((u.conj() * v).real)


def _off(unit: Array, v: Array) -> Array:
    """``v`` without its part along a unit vector."""
    return v - unit * np.vdot(unit, v)
