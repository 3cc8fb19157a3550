"""Proximal Newton: a quadratic model of the loss, the penalty as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from .._core._validate import choice, integer
from ._composite import Array, Composite
from ._proximal_gradient import _ProximalGradient
from ._smooth_step import hessian_product
from ._terms import Measure, Terms, solve

DECREASE = 1e-4


def proximal_newton(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 500,
    hessian: str = "auto",
    inner_iter: int = 500,
    memory: int = 10,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a convex loss plus one convex penalty by an inexact proximal Newton method.

    .. math:: d = \arg\min_d\ \langle A^H \nabla f(A x), d \rangle
        + \tfrac12 \langle d, H d \rangle + g(x + d), \qquad x^+ = x + \alpha d

    with H the Hessian at x or an L-BFGS approximation of it, and :math:`\alpha` from backtracking.
    The inner problem is solved by FISTA, no more exactly than the outer residual deserves.

    Parameters
    ----------
    loss : object
        Smooth convex term.
    penalty : object, optional
        Convex, with ``value(x)`` and ``prox(v, step)``. Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the certificate, as for `sparseopt.solvers.sparsa`.
    max_iter : int
        Budget of outer iterations.
    hessian : {"auto", "exact", "lbfgs"}
        Products with the exact Hessian, two products with A each, or the approximation from the
        last ``memory`` steps, which costs none. ``"auto"`` is exact where the loss offers it
        (``hessian_at``).
    inner_iter : int
        Budget of inner iterations for each outer one.
    memory : int
        Pairs kept by L-BFGS.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        With the history of ``inner`` (inner iterations) and ``length`` (alpha).

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
    J. Lee, Y. Sun, M. Saunders (2014). Proximal Newton-type methods for minimizing composite
    functions. SIAM J. Optim. 24(3). arXiv:1206.1623.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.proximal_newton(losses.LeastSquares(A, y), penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    choice("hessian", hessian, ("auto", "exact", "lbfgs"))
    terms = Terms(loss, penalty, x0)
    terms.require_convex("proximal_newton")
    terms.require_single("proximal_newton")
    zero = np.zeros(terms.loss.shape, terms.loss.dtype)
    offered = hessian_product(loss, loss.predict(zero)) is not None
    if hessian == "exact" and not offered:
        raise TypeError(f"loss must have hessian_at(z, v), got {type(loss).__name__}")
    exact = offered and hessian != "lbfgs"
    budget = integer("inner_iter", inner_iter, 1)
    method = _ProximalNewton(terms, exact, budget, integer("memory", memory, 1))
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


class _Model:
    """The quadratic model as a loss: its prediction is the pair (x, H x), so one product a step.

    `sparseopt.losses.Quadratic` does the same for vectors and matrices; this takes x of any shape,
    complex too, and any function for the products.
    """

    def __init__(self, product: Callable[[Array], Array], x: Array, gradient: Array, bend: float):
        self.product = product
        self.shape, self.dtype = x.shape, x.dtype
        self.b = product(x) - gradient
        self.bend = bend

    def predict(self, x: Array) -> Array:
        return np.stack([x, self.product(x)])

    def pull_back(self, u: Array) -> Array:
        return u

    def value_at(self, z: Array) -> float:
        return 0.5 * float(np.vdot(z[0], z[1]).real) - float(np.vdot(self.b, z[0]).real)

    def gradient_at(self, z: Array) -> Array:
        gradient: Array = z[1] - self.b
        return gradient

    def bregman(self, z_new: Array, z: Array) -> float:
        d = z_new - z
        return 0.5 * float(np.vdot(d[0], d[1]).real)

    def lipschitz(self) -> float:
        return self.bend


class _LBFGS:
    """The compact form ``gamma I - W M^-1 W^H`` of the direct BFGS matrix (Byrd et al. 1994)."""

    def __init__(self, pairs: tuple[tuple[Array, Array], ...], curvature: float) -> None:
        self.gamma = curvature
        self.basis: Array | None = None
        if not pairs:
            return
        S = np.stack([s.reshape(-1) for s, _ in pairs], axis=1).astype(np.float64)
        Y = np.stack([y.reshape(-1) for _, y in pairs], axis=1).astype(np.float64)
        products = S.T @ Y
        self.gamma = float(np.sum(Y[:, -1] ** 2) / products[-1, -1])
        lower = np.tril(products, -1)
        middle = np.block([[self.gamma * (S.T @ S), lower], [lower.T, -np.diag(np.diag(products))]])
        self.basis = np.concatenate([self.gamma * S, Y], axis=1)
        self.solve = np.linalg.pinv(middle)

    def __call__(self, d: Array) -> Array:
        flat = d.reshape(-1).astype(np.float64)
        result = self.gamma * flat
        if self.basis is not None:
            result -= self.basis @ (self.solve @ (self.basis.T @ flat))
        return result.reshape(d.shape).astype(d.dtype)


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array
    z: Array
    u: Array
    gradient: Array
    fun: float
    residual: float
    pairs: tuple[tuple[Array, Array], ...] = ()
    inner: int = 0
    length: float = 1.0


class _ProximalNewton:
    name = "proximal_newton"
    every = 1

    def __init__(self, terms: Terms, exact: bool, budget: int, memory: int) -> None:
        self.terms = terms
        self.exact = exact
        self.budget = budget
        self.memory = memory
        self.first_residual: float | None = None
        self.eps = float(np.finfo(terms.loss.dtype).eps)
        if not exact and terms.loss.dtype.kind == "c":
            raise TypeError("loss must be real for hessian='lbfgs', got complex data")

    def first(self, x: Array) -> _Variables:
        return self._at(x, self.terms.loss.predict(x))

    def _at(self, x: Array, z: Array, **more: Any) -> _Variables:
        terms, loss = self.terms, self.terms.loss
        u = loss.gradient_at(z)
        gradient = loss.pull_back(u)
        s = 1.0 / terms.curvature
        near = terms.penalty.prox(x - np.asarray(s, x.real.dtype) * gradient, s)
        residual = float(np.linalg.norm(near - x)) / s
        return _Variables(x, z, u, gradient, float(terms.objective(x, z)), residual, **more)

    def advance(self, old: _Variables) -> _Variables:
        """One model, solved inexactly, and a backtracking step along its minimiser."""
        terms, loss = self.terms, self.terms.loss
        target, inner = self._minimise_model(old)
        d = target - old.x
        zd = loss.predict(d)
        gain, noise = 0.0, 0.0
        if np.isfinite(old.fun):
            change = np.sum(terms.penalty.value(target)) - np.sum(terms.penalty.value(old.x))
            gain = terms.inner(old.gradient, d) + float(change)
            noise = 10.0 * self.eps * abs(old.fun)
        alpha = 1.0
        while True:
            x = target if alpha == 1.0 else old.x + np.asarray(alpha, d.real.dtype) * d
            z = old.z + np.asarray(alpha, d.real.dtype) * zd
            fun = float(terms.objective(x, z))
            if fun <= old.fun + DECREASE * alpha * min(gain, 0.0) + noise or alpha < 1e-10:
                break
            alpha *= 0.5
        # Afresh, so that sums of predictions do not pile up errors.
        new = self._at(x, loss.predict(x), inner=inner, length=alpha)
        return new if self.exact else dataclasses.replace(new, pairs=self._remember(old, new))

    def _minimise_model(self, old: _Variables) -> tuple[Array, int]:
        """FISTA on the model until its residual is a small part of the outer one."""
        terms = self.terms
        product: Any = None
        bend = 1.01 * terms.curvature
        if self.exact:
            product = hessian_product(terms.loss, old.z)
        else:
            product = _LBFGS(old.pairs, bend)
            bend = 1.01 * product.gamma
        model = _Model(product, old.x, old.gradient, bend)
        problem = Composite(model, terms.penalty, joint=True)
        if self.first_residual is None:
            self.first_residual = old.residual or 1.0
        forcing = min(0.1, old.residual / self.first_residual)
        fista = _ProximalGradient(problem, forcing * old.residual, True, "gradient")
        problem.zero_is_optimal, problem.has_dual, fista.monotone = False, False, False
        point = fista.first(old.x, None)
        fista.residual_scale = 1.0  # the tolerance is absolute
        count = 0
        while count < self.budget and not point.certificate <= fista.tol:
            point, count = fista.step(point), count + 1
            if not np.isfinite(point.certificate):
                break
        return point.current, count

    def _remember(self, old: _Variables, new: _Variables) -> tuple[tuple[Array, Array], ...]:
        s, y = new.x - old.x, new.gradient - old.gradient
        product = self.terms.inner(s, y)
        if product <= 1e-10 * self.terms.inner(s, s) * self.terms.curvature:
            return old.pairs
        return (*old.pairs, (s, y))[-self.memory :]

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        measure = self.terms.measure(now.x, z=now.z, u=now.u, gradient=now.gradient)
        return now.x, measure

    def extra(self, now: _Variables) -> dict[str, float]:
        return {"inner": float(now.inner), "length": now.length}
