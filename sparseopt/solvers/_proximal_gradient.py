"""Proximal gradient methods: ISTA and FISTA."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State, iterate
from .._core._validate import choice, parameter, positive
from ._composite import Array, Composite, default_tolerance


@dataclasses.dataclass(eq=False, kw_only=True)
class _Point(State):
    """Iterate, products and momentum; ``x`` of the base class is the best iterate."""

    current: Array
    z: Array
    move: Array
    z_move: Array
    objective: Any
    t: Any = 1.0
    curvature: Any
    best: Any
    dual_value: Any = -math.inf
    dual: Array | None = None


def proximal_gradient(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    accelerated: bool = True,
    restart: str | None = "gradient",
    momentum: float | None = None,
    strong_convexity: float = 0.0,
    monotone: bool | None = None,
    step: float | None = None,
    line_search: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a smooth function of ``A x`` plus a penalty by (accelerated) proximal gradient.

    .. math:: \min_x\ f(A x) + g(x), \qquad
        x^{k+1} = \operatorname{prox}_{s g}\bigl(y^k - s A^H \nabla f(A y^k)\bigr)

    with :math:`y^k = x^k` (ISTA) or extrapolated from the last two iterates (FISTA).

    Parameters
    ----------
    loss : object
        Smooth term, for example `sparseopt.losses.LeastSquares`.
    penalty : object, optional
        Anything with ``value(x)`` and ``prox(v, step)``; none means zero. If it gives one value
        per column of a 2-D ``x``, the columns are solved as separate problems.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the certificate; by default 1e-6, and 1e-4 for float32. With a convex penalty
        that has a conjugate the certificate is the relative duality gap (P - D) / P(0), with the
        best dual point seen so far; P(0) is the objective at zero (of the loss alone where zero
        is not feasible). Otherwise it is the fixed-point residual
        ``||x - prox(x - s grad)|| / s`` divided by the norm of the gradient at zero. In a batch
        the largest counts.
    max_iter : int
        Iteration budget.
    accelerated : bool
        FISTA if true, ISTA if not.
    restart : {"gradient", "function", None}
        When FISTA drops its momentum: when the step turns against it, when the objective rises,
        or never.
    momentum : float, optional
        A number a > 2 for the rule ``t_k = (k + a - 1) / a``, whose iterates are known to
        converge; a = 4 is usual. By default ``t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2``.
    strong_convexity : float
        A mu for which f(A x) - mu/2 ||x||^2 or g - mu/2 ||x||^2 is convex. If positive, the
        momentum is constant, ``(1 - sqrt(q)) / (1 + sqrt(q))`` with q = mu times the step.
    monotone : bool, optional
        Refuse an accelerated point that raises the objective and take the plain step instead; by
        default where the residual is the certificate, so wherever the penalty is not convex.
    step : float, optional
        Step s; by default one over the Lipschitz constant of the gradient. It is shortened
        wherever the loss rises above its quadratic model.
    line_search : bool
        Try a 10 % longer step at every iteration.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        With ``dual`` = the scaled residual behind the gap where there is one, and the history of
        ``step``. Where the penalty is not known to be convex the objective never rises,
        beyond rounding.

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
    A. Beck, M. Teboulle (2009). A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems. SIAM J. Imaging Sci. 2(1).
    B. O'Donoghue, E. Candes (2015). Adaptive restart for accelerated gradient schemes.
    Found. Comput. Math. 15.
    K. Scheinberg, D. Goldfarb, X. Bai (2014). Fast first-order methods for composite convex
    optimization with backtracking. Found. Comput. Math. 14.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.proximal_gradient(losses.LeastSquares(A, y), penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    choice("restart", restart, ("gradient", "function", None))
    problem = Composite(loss, penalty)
    x = problem.start(x0)
    method = _ProximalGradient(problem, default_tolerance(tol, loss.dtype), accelerated, restart)
    if momentum is not None:
        method.a = positive("momentum", momentum)
        if method.a <= 2.0:
            raise ValueError(f"momentum must be above 2, got {momentum}")
    method.mu = float(parameter("strong_convexity", strong_convexity, finite=True))
    if monotone is not None:
        method.monotone = bool(monotone)
    if line_search:
        method.shrink = 1.0 / 1.1
    run = iterate(
        method.first(x, None if step is None else positive("step", step)),
        method.step,
        tol=method.tol,
        max_iter=max_iter,
        certificate=method.certificate,
        callback=callback,
        progress=progress,
        label="fista" if accelerated else "ista",
    )
    fields = run.fields("fista" if accelerated else "ista")
    return Result(**fields, dual=run.state.dual)


class _ProximalGradient:
    """One step of the method on one problem."""

    shrink = 1.0
    a: float | None = None
    mu = 0.0

    def __init__(
        self, problem: Composite, tol: float, accelerated: bool, restart: str | None
    ) -> None:
        self.problem = problem
        self.tol = tol
        self.accelerated = accelerated
        self.restart = restart
        self.monotone = not problem.has_dual
        self.certificate = "relative duality gap" if problem.has_dual else "fixed-point residual"
        self.residual_scale: Any = 1.0
        self.eps = float(np.finfo(problem.loss.dtype).eps)

    def first(self, x: Array, step: float | None) -> _Point:
        """The state at the start point."""
        problem = self.problem
        if problem.zero_is_optimal:
            x = np.zeros_like(x)
        z = problem.loss.predict(x)
        objective = problem.objective(x, z)
        curvature: Any = problem.loss.lipschitz() if step is None else 1.0 / step
        if not problem.joint:
            curvature = np.full(x.shape[1], curvature)
        if not problem.has_dual:
            norm = np.sqrt(problem.inner(problem.null_gradient, problem.null_gradient))
            self.residual_scale = np.where(norm > 0, norm, 1.0)[()]
        still = np.zeros_like(x)
        return _Point(
            x=x,
            fun=float(np.sum(objective)),
            certificate=0.0 if problem.zero_is_optimal else math.nan,
            current=x,
            z=z,
            move=still,
            z_move=np.zeros_like(z),
            objective=objective,
            t=1.0 if problem.joint else np.ones(x.shape[1]),
            curvature=np.where(curvature > 0, curvature, 1.0)[()],
            best=objective,
        )

    def step(self, state: _Point) -> _Point:
        """One iteration, with as many shorter steps as the quadratic model asks for."""
        loss, problem, per = self.problem.loss, self.problem, self.problem.per
        curvature = state.curvature * self.shrink
        keep: Any = float(self.accelerated)  # momentum, 1 or 0, per column once they differ
        while True:
            t = 1.0 + 0.0 * state.t
            y, zy = state.current, state.z
            if per.any(keep):
                t, beta = self._momentum(state, keep, curvature)
                beta = np.asarray(beta, y.real.dtype)
                y = beta * state.move
                y += state.current
                zy = zy + beta * state.z_move
            u = loss.gradient_at(zy)
            gradient = loss.pull_back(u)
            if not per.all(np.isfinite(problem.inner(gradient, gradient))):
                return dataclasses.replace(state, fun=math.nan)
            v = gradient * np.asarray(-1.0 / curvature, y.real.dtype)
            v += y
            x = problem.penalty.prox(v, 1.0 / curvature)
            z = loss.predict(x)
            d = x - y
            square = problem.inner(d, d)
            rise = problem.sum_columns(loss.bregman(z, zy))
            noise = (8.0 * self.eps) ** 2 * problem.inner(z, z)
            too_long = (rise > 0.5 * curvature * square * (1.0 + 1e-6) + noise) & (square > 0)
            if per.any(too_long):
                needed = 2.0 * rise / per.where(too_long, square, 1.0)
                curvature = per.where(too_long, 1.02 * np.maximum(needed, curvature), curvature)
                continue
            objective = problem.objective(x, z)
            rises = (objective > state.objective) & (keep > 0)
            if not (self.monotone and per.any(rises)):
                break
            keep = per.where(rises, 0.0, keep)
        return self._after(state, x, z, d, square, objective, t, curvature, u, gradient)

    def _momentum(self, state: _Point, keep: Any, curvature: Any) -> tuple[Any, Any]:
        """The next t, and the share of the last move to add."""
        if self.mu:
            root = np.sqrt(np.minimum(self.mu / curvature, 1.0))
            moving = keep * (state.t > 1.0)  # t is 1 at the start and after a restart
            return 1.0 + keep, moving * (1.0 - root) / (1.0 + root)
        if self.a is not None:
            t = 1.0 + keep * (state.t - 1.0 + 1.0 / self.a)
        else:
            ratio = keep * (curvature / state.curvature)
            t = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * state.t**2 * ratio))
        return t, keep * (state.t - 1.0) / t

    def _after(
        self,
        state: _Point,
        x: Array,
        z: Array,
        d: Array,
        square: Any,
        objective: Any,
        t: Any,
        curvature: Any,
        u: Array,
        gradient: Array,
    ) -> _Point:
        """Restart, certificate and bookkeeping."""
        problem, per = self.problem, self.problem.per
        move = x - state.current
        if self.restart == "gradient":
            against = problem.inner(d, move) < 0
        elif self.restart == "function":
            against = objective > state.objective
        else:
            against = objective != objective
        new = _Point(
            x=x,
            fun=0.0,
            current=x,
            z=z,
            move=move,
            z_move=z - state.z,
            objective=objective,
            t=per.where(against, 1.0, t),
            curvature=curvature,
            best=objective,
            extra={"step": 1.0 / per.largest(curvature)},
        )
        if problem.has_dual:
            self._certify_gap(state, new, u, gradient)
        else:
            self._certify_residual(new, np.sqrt(square) * curvature)
        new.fun = float(per.sum(new.best))
        return new

    def _certify_gap(self, state: _Point, new: _Point, u: Array, gradient: Array) -> None:
        """Keep the best primal and the best dual point, per column, and measure their gap."""
        per = self.problem.per
        better = new.objective <= state.best  # false for NaN
        new.x = _pick(per, better, new.current, state.x)
        new.best = per.where(better, new.objective, state.best)
        scale, value = self.problem.dual(u, gradient, search=state.nit % 10 == 9)
        higher = value > state.dual_value
        new.dual = state.dual
        if state.dual is None or per.any(higher):
            candidate = u * np.asarray(-scale, u.real.dtype)
            new.dual = (
                candidate if state.dual is None else _pick(per, higher, candidate, state.dual)
            )
        new.dual_value = per.where(higher, value, state.dual_value)
        gap = (new.best - new.dual_value) / self.problem.scale
        new.certificate = max(per.largest(gap), 0.0)

    def _certify_residual(self, new: _Point, residual: Any) -> None:
        """Residual of the step just made; once it is small, that of the new point itself."""
        per = self.problem.per
        new.certificate = per.largest(residual / self.residual_scale)
        if new.certificate <= self.tol:
            problem = self.problem
            gradient = problem.loss.pull_back(problem.loss.gradient_at(new.z))
            short = np.asarray(1.0 / new.curvature, new.x.real.dtype)
            d = problem.penalty.prox(new.x - short * gradient, 1.0 / new.curvature) - new.x
            residual = np.sqrt(problem.inner(d, d)) * new.curvature
            new.certificate = per.largest(residual / self.residual_scale)


def _pick(per: Any, take_a: Any, a: Array, b: Array) -> Array:
    """``a`` in the columns where ``take_a``, else ``b``, copying only where they are mixed."""
    if per.all(take_a):
        return a
    return np.where(take_a, a, b) if per.any(take_a) else b
