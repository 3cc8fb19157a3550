"""Two-metric projection: Newton steps on the free coordinates of a bound or l1 problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from ..penalties import L1, Box, NonnegativeL1
from ._composite import Array
from ._smooth_step import hessian_product
from ._terms import Measure, Terms, solve

DECREASE, NEAR, LARGEST_BLOCK = 1e-10, 1e-4, 2000


def two_metric_projection(
    loss: Any,
    penalty: Any,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 500,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a loss under bounds, or plus an l1 norm, by two-metric projection.

    .. math:: x(\alpha) = P\bigl(x - \alpha D\, \nabla F(x)\bigr)

    Coordinates near a bound that the gradient pushes against it are scaled by the curvature,
    the others by the inverse of their part of the Hessian; P projects on the bounds, and
    :math:`\alpha` comes from backtracking along the projected path. An l1 norm is linear on the
    orthant of the current signs (for a zero: of the sign that it would take), whose faces are the
    bounds. On quadratics the method ends after one step on the right free set.

    Parameters
    ----------
    loss : object
        Smooth convex term, real, of one vector, that offers products with its Hessian
        (``hessian_at``; `sparseopt.losses.LeastSquares` does).
    penalty : L1, NonnegativeL1 or Box
        From `sparseopt.penalties`. ``Box(0, inf)`` is non-negativity.
    x0 : array_like or Result, optional
        Start; zero if not given. It is projected on the bounds.
    tol : float, optional
        Bound on the certificate, as for `sparseopt.solvers.sparsa`.
    max_iter : int
        Iteration budget.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        With the history of ``free`` (coordinates that take the Newton step) and ``length``.

    Raises
    ------
    ValueError, TypeError
        For an argument that is out of range or lacks what the method needs.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.

    References
    ----------
    E. Gafni, D. Bertsekas (1984). Two-metric projection methods for constrained optimization.
    SIAM J. Control Optim. 22(6).
    M. Schmidt, D. Kim, S. Sra (2011). Projected Newton-type methods in machine learning. In:
    Optimization for Machine Learning, MIT Press.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.two_metric_projection(losses.LeastSquares(A, y), penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    if not isinstance(penalty, L1 | NonnegativeL1 | Box):
        raise TypeError(
            "penalty must be L1, NonnegativeL1 or Box for two_metric_projection, got "
            f"{type(penalty).__name__}"
        )
    terms = Terms(loss, penalty, x0)
    if len(loss.shape) != 1 or loss.dtype.kind == "c":
        raise ValueError(
            "loss must be real and of one vector for two_metric_projection, got "
            f"shape {loss.shape} and dtype {loss.dtype}"
        )
    if hessian_product(loss, loss.predict(np.zeros(loss.shape, loss.dtype))) is None:
        raise TypeError(f"loss must have hessian_at(z, v), got {type(loss).__name__}")
    method = _TwoMetric(terms)
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array
    z: Array
    u: Array
    gradient: Array
    free: int = 0
    length: float = 1.0


class _TwoMetric:
    name = "two_metric_projection"
    every = 1

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.eps = float(np.finfo(terms.loss.dtype).eps)
        self.has_blocks = hasattr(terms.loss, "block_hessian")

    def first(self, x: Array) -> _Variables:
        if isinstance(self.terms.penalty, Box | NonnegativeL1):
            x = self.terms.penalty.prox(x, 1e-300)
        return self._at(x)

    def _at(self, x: Array, free: int = 0, length: float = 1.0) -> _Variables:
        loss = self.terms.loss
        z = loss.predict(x)
        u = loss.gradient_at(z)
        return _Variables(x, z, u, loss.pull_back(u), free, length)

    def _face(self, now: _Variables) -> tuple[Array, Array, Array]:
        """Bounds and the slope of the penalty on the part where it is linear around x."""
        penalty, x = self.terms.penalty, now.x
        zero = np.zeros_like(x)
        if isinstance(penalty, Box):
            return zero + penalty.lower, zero + penalty.upper, zero
        lam = zero + penalty.lam  # type: ignore[attr-defined]
        finite = np.isfinite(lam)
        slope = np.where(finite, lam, 0.0)
        if isinstance(penalty, NonnegativeL1):
            return zero, np.where(finite, np.inf, 0.0), slope
        sign = np.sign(x)
        pulled = -np.sign(now.gradient) * (np.abs(now.gradient) > lam)
        sign = np.where(sign == 0, pulled, sign) * finite
        return np.where(sign < 0, -np.inf, 0.0), np.where(sign > 0, np.inf, 0.0), sign * slope

    def advance(self, old: _Variables) -> _Variables:
        """One projected step."""
        terms, loss = self.terms, self.terms.loss
        low, high, slope = (b.astype(old.x.dtype, copy=False) for b in self._face(old))
        gradient = old.gradient + slope
        near = NEAR * min(1.0, float(np.max(np.abs(old.x), initial=0.0)))
        active = ((old.x <= low + near) & (gradient > 0)) | (
            (old.x >= high - near) & (gradient < 0)
        )
        active |= low == high
        d = -gradient / np.asarray(terms.curvature, gradient.dtype)
        free = np.flatnonzero(~active)
        if free.size:
            d[free] = self._newton(old, free, gradient[free])
        fun = float(terms.objective(old.x, old.z))
        noise = 10.0 * self.eps * abs(fun)
        descent = float(gradient[free] @ d[free])
        alpha = 1.0
        while True:
            x = np.clip(old.x + np.asarray(alpha, d.dtype) * d, low, high)
            bound = alpha * descent + float(gradient[active] @ (x - old.x)[active])
            reached = float(terms.objective(x, loss.predict(x)))
            if reached <= fun + DECREASE * bound + noise:
                break
            alpha *= 0.5
            if alpha < 1e-12:  # no curvature to speak of: a gradient step within the face
                step = np.asarray(1.0 / terms.curvature, d.dtype)
                x = np.clip(old.x - step * gradient, low, high)
                break
        return self._at(x, free.size, alpha)

    def _newton(self, old: _Variables, free: Array, gradient: Array) -> Array:
        """Minus the inverse of the Hessian's free part times the gradient."""
        H = self._block(old, free)
        if H is not None:
            from scipy.linalg import LinAlgError, cho_factor, cho_solve

            # Each entry's own ridge: columns may differ in scale by any factor.
            own = np.diag(H)
            ridge = 1e-12 * np.where(own > 0, own, 1e-6 * self.terms.curvature)
            try:
                factor = cho_factor(H + np.diag(ridge), check_finite=False)
                return np.asarray(-cho_solve(factor, gradient, check_finite=False), gradient.dtype)
            except LinAlgError:
                pass
        return self._conjugate(old, free, gradient)

    def _block(self, old: _Variables, free: Array) -> Array | None:
        """The free part of the Hessian, if the loss has the columns for it and it is not large."""
        if free.size > LARGEST_BLOCK or not self.has_blocks:
            return None
        loss: Any = self.terms.loss
        try:
            return np.asarray(loss.block_hessian(free, old.z), np.float64)
        except TypeError:  # losses of an operator have no columns
            self.has_blocks = False
            return None

    def _conjugate(self, old: _Variables, free: Array, gradient: Array) -> Array:
        """The same by conjugate gradients, from products with the whole Hessian."""
        from scipy.sparse.linalg import LinearOperator, cg

        product: Any = hessian_product(self.terms.loss, old.z)
        whole = np.zeros_like(old.x)
        ridge = 1e-12 * self.terms.curvature

        def apply(d: Array) -> Array:
            whole[free] = d.reshape(-1)
            result: Array = product(whole)[free] + ridge * d.reshape(-1)
            return result

        matrix = LinearOperator((free.size, free.size), matvec=apply, dtype=old.x.dtype)
        d, _ = cg(matrix, -gradient, rtol=max(1e-10, 10 * self.eps), maxiter=10 * free.size)
        return np.asarray(d, gradient.dtype)

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        measure = self.terms.measure(now.x, z=now.z, u=now.u, gradient=now.gradient)
        return now.x, measure

    def extra(self, now: _Variables) -> dict[str, float]:
        return {"free": float(now.free), "length": now.length}
