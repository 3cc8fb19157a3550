"""The step of splitting methods on the loss: ``argmin f(A x) + rho/2 sum ||K_i x - c_i||^2``.

Least squares of a matrix: a factorisation, kept until ``rho`` changes. Other quadratic losses and
operators: conjugate gradients from the last solution. Any other loss: L-BFGS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..losses import LeastSquares
from ._composite import Array
from ._terms import Coupling, Nothing

LARGEST_FACTOR = 4000

SmoothStep = Callable[[float, Sequence[Array], Array], Array]


def smooth_step(loss: Any, couplings: Sequence[Coupling]) -> SmoothStep:
    """``step(rho, targets, x)``, with ``x`` to start from, for a loss and the operators K_i."""
    if isinstance(loss, Nothing) and all(c.K is None for c in couplings):
        return lambda rho, targets, x: _mean(targets)
    if _is_explicit(loss, couplings):
        return _Factored(loss, couplings)
    product = hessian_product(loss, np.zeros(loss.shape, loss.dtype))
    if product is not None and _is_quadratic(loss):
        return _Conjugate(loss, couplings, product)
    if loss.dtype.kind == "c":
        raise TypeError(f"loss must be quadratic for complex data, got {type(loss).__name__}")
    return _Descent(loss, couplings)


def hessian_product(loss: Any, z: Array) -> Callable[[Array], Array] | None:
    """Products with the Hessian in x at the prediction ``z``; None if the loss has none."""
    if hasattr(loss, "hessian_at"):
        return lambda d: loss.pull_back(loss.hessian_at(z, loss.predict(d)))
    if getattr(loss, "is_quadratic", False) and hasattr(loss, "hessian_product"):
        product: Callable[[Array], Array] = loss.hessian_product
        return product
    return None


def uses_factor(loss: Any, couplings: Sequence[Coupling]) -> bool:
    """Whether the step solves by a factorisation."""
    return _is_explicit(loss, couplings)


def _is_quadratic(loss: Any) -> bool:
    return isinstance(loss, Nothing) or bool(getattr(loss, "is_quadratic", False))


def _is_explicit(loss: Any, couplings: Sequence[Coupling]) -> bool:
    if not isinstance(loss, LeastSquares) or loss.intercept:
        return False
    m, n = loss.A.shape
    matrices = [c.K for c in couplings if c.K is not None]
    side = n if matrices else min(m, n)
    known = all(isinstance(M, np.ndarray) or issparse(M) for M in (loss.A, *matrices))
    return known and side <= LARGEST_FACTOR


def _mean(targets: Sequence[Array]) -> Array:
    mean: Array = sum(targets[1:], start=targets[0]) / len(targets)
    return mean


def _pull(couplings: Sequence[Coupling], targets: Sequence[Array]) -> Array:
    total: Array = couplings[0].adjoint(targets[0])
    for c, target in zip(couplings[1:], targets[1:], strict=True):
        total = total + c.adjoint(target)
    return total


class _Factored:
    """Cholesky of ``A^H W A + rho sum K^H K``, or by Woodbury that of ``A A^H`` if smaller."""

    def __init__(self, loss: LeastSquares, couplings: Sequence[Coupling]) -> None:
        self.couplings = couplings
        self.loss = loss
        A = loss.A
        m, n = A.shape
        if loss.sample_weights is not None:
            root = np.sqrt(loss.sample_weights.reshape(-1, 1))
            A = A.multiply(root).tocsr() if issparse(A) else root * A
        self.A = A.astype(loss.dtype, copy=False)
        self.AH = self.A.conj().T
        self.identities = sum(c.K is None for c in couplings)
        matrices = [c.K for c in couplings if c.K is not None]
        self.wide = not matrices and m < n
        self.gram = _dense(self.A @ self.AH if self.wide else self.AH @ self.A)
        self.penalty_gram: Any = self.identities * np.eye(len(self.gram), dtype=loss.dtype)
        for K in matrices:
            self.penalty_gram = self.penalty_gram + _dense(K.conj().T @ K).astype(loss.dtype)
        self.linear = -loss.pull_back(loss.gradient_at(np.zeros_like(loss.y)))
        self.rho = 0.0
        self.factor: Any = None

    def __call__(self, rho: float, targets: Sequence[Array], x: Array) -> Array:
        if rho != self.rho:
            self._factorise(self.gram + rho * self.penalty_gram)
            self.rho = rho
        b = self.linear + rho * _pull(self.couplings, targets)
        if not self.wide:
            return self._solve(b)
        # With A A^H the identity on the smaller side carries the same multiple of rho.
        wide: Array = (b - self.AH @ self._solve(self.A @ b)) / (rho * self.identities)
        return wide.astype(b.dtype, copy=False)

    def _factorise(self, M: Array) -> None:
        """Cholesky; a pseudo-inverse where A and all K share a null space.

        The solution is then the shortest one.
        """
        from scipy.linalg import LinAlgError, cho_factor, pinvh

        self.inverse: Array | None = None
        try:
            self.factor = cho_factor(M, check_finite=False)
        except LinAlgError:
            self.inverse = pinvh(M)

    def _solve(self, b: Array) -> Array:
        from scipy.linalg import cho_solve

        solution: Array
        if self.inverse is not None:
            solution = self.inverse @ b
        else:
            solution = cho_solve(self.factor, b, check_finite=False)
        return solution


class _Conjugate:
    """Conjugate gradients, a thousandfold more exact than the last solution."""

    def __init__(self, loss: Any, couplings: Sequence[Coupling], product: Any) -> None:
        self.couplings = couplings
        self.product = product
        zero = loss.predict(np.zeros(loss.shape, loss.dtype))
        self.linear = -loss.pull_back(loss.gradient_at(zero))

    def __call__(self, rho: float, targets: Sequence[Array], x: Array) -> Array:
        from scipy.sparse.linalg import LinearOperator, cg

        shape, size = x.shape, x.size

        def apply(d: Array) -> Array:
            d = d.reshape(shape)
            images = [c.forward(d) for c in self.couplings]
            result: Array = (self.product(d) + rho * _pull(self.couplings, images)).reshape(-1)
            return result

        b = (self.linear + rho * _pull(self.couplings, targets)).reshape(-1)
        away = float(np.linalg.norm(b - apply(x)))
        if away == 0.0:
            return x
        matrix = LinearOperator((size, size), matvec=apply, dtype=x.dtype)
        floor = float(np.finfo(x.dtype).eps) * float(np.linalg.norm(b))
        solution, _ = cg(
            matrix, b, x0=x.reshape(-1), rtol=0.0, atol=max(1e-3 * away, floor), maxiter=200
        )
        return np.asarray(solution, x.dtype).reshape(shape)


class _Descent:
    """L-BFGS in double precision, a thousandfold more exact than the last solution."""

    def __init__(self, loss: Any, couplings: Sequence[Coupling]) -> None:
        self.loss = loss
        self.couplings = couplings

    def __call__(self, rho: float, targets: Sequence[Array], x: Array) -> Array:
        from scipy.optimize import minimize

        shape, loss = x.shape, self.loss

        def evaluate(flat: Array) -> tuple[float, Array]:
            point = flat.reshape(shape).astype(x.dtype, copy=False)
            z = loss.predict(point)
            away = [c.forward(point) - t for c, t in zip(self.couplings, targets, strict=True)]
            value = float(np.sum(loss.value_at(z)))
            value += 0.5 * rho * sum(float(np.vdot(d, d).real) for d in away)
            gradient = loss.pull_back(loss.gradient_at(z)) + rho * _pull(self.couplings, away)
            return value, gradient.reshape(-1).astype(np.float64)

        start = x.reshape(-1).astype(np.float64)
        steepest = float(np.max(np.abs(evaluate(start)[1]), initial=0.0))
        if steepest == 0.0:
            return x
        options = {"gtol": 1e-3 * steepest, "ftol": 0.0, "maxiter": 200, "maxcor": 20}
        found = minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x, x.dtype).reshape(shape)


def _dense(M: Any) -> Array:
    return np.asarray(M.toarray() if issparse(M) else M)
