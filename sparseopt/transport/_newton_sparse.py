"""Sinkhorn-Newton-Sparse as it was published, to be compared with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Run, iterate
from .._core._validate import integer, positive
from ._costs import tiles
from ._entropic_result import NEWTON, SINKHORN, EntropicState
from ._gibbs import exponents
from ._log_sinkhorn import first_potentials, sweep
from ._problem import Problem

Array = np.ndarray[Any, Any]

DECREASE, HALVINGS = 1e-4, 40  # Armijo
ROUNDING = 4e-16  # relative error of the dual objective that a step may be refused for


@dataclasses.dataclass(eq=False, kw_only=True)
class NewtonState(EntropicState):
    """Potentials and, from the second stage on, their plan."""

    following: tuple[Array, Array] | None = None
    plan: Array | None = None


def solve_newton_sparse(
    problem: Problem,
    eps: float,
    start: tuple[Array | None, Array] | None,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[EntropicState], object] | None = None,
    progress: bool = False,
    N1: int = 20,
    density: float | None = None,
    rtol: float = 1e-8,
) -> Run[Any]:
    r"""Sweeps of Sinkhorn, then Newton steps with a Hessian of prescribed density.

    The Hessian of the dual objective is :math:`-H / \varepsilon` with

    .. math:: H = \begin{pmatrix} \operatorname{diag}(P1) & P \\
        P^\top & \operatorname{diag}(P^\top 1) \end{pmatrix}

    and a step solves :math:`\tilde H \delta = \varepsilon \nabla F`, where only the
    :math:`\lceil \lambda n m \rceil` largest entries of P are kept off the diagonal, by conjugate
    gradients with Jacobi preconditioner, followed by a backtracking line search.

    Parameters
    ----------
    N1 : int
        Sweeps of Sinkhorn before the first Newton step.
    density : float, optional
        The fraction :math:`\lambda`, by default :math:`2 / \min(n, m)`: the published 2/n where
        both sides have n atoms.
    rtol : float
        Relative tolerance of conjugate gradients. Neither it nor the preconditioner and the
        constants of the line search are published.

    Notes
    -----
    A fixed density is not safe. Where much mass is dropped, full steps are taken and lead nowhere.
    Where the kept entries fall into components that are nearly separate, the system is nearly
    singular along their indicator vectors and inconsistent: the step grows without bound, and the
    line search leaves almost nothing of it.

    References
    ----------
    X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying (2024).
    Accelerating Sinkhorn algorithm with sparse Newton iterations. ICLR, arXiv 2401.12253.
    """
    sweeps = integer("N1", N1, 0)
    share = 2.0 / min(problem.cost.shape) if density is None else positive("density", density)
    kept = min(math.ceil(share * problem.a.size * problem.b.size), problem.a.size * problem.b.size)
    newton = _Newton(problem, eps, kept, positive("rtol", rtol))
    f, g = first_potentials(problem, eps, start)
    first = _swept(problem, eps, f, g) if sweeps else newton.at(f, g, 0.0, 0)

    def step(now: NewtonState) -> NewtonState:
        if now.following is None:
            return newton.step(now)
        if now.nit < sweeps:
            return _swept(problem, eps, *now.following)
        return newton.step(newton.at(now.f, now.g, 0.0, 0))

    return iterate(
        first,
        step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="Sinkhorn-Newton-Sparse",
    )


def _swept(problem: Problem, eps: float, f: Array, g: Array) -> NewtonState:
    fun, certificate, following = sweep(problem, eps, f, g)
    return NewtonState(
        x=(f, g),
        f=f,
        g=g,
        fun=fun,
        certificate=certificate,
        extra={"phase": SINKHORN, "eps": eps, "linear": 0.0, "step": 1.0},
        following=following,
    )


class _Newton:
    """The second stage on one problem."""

    def __init__(self, problem: Problem, eps: float, kept: int, rtol: float) -> None:
        self.problem, self.eps, self.kept, self.rtol = problem, eps, kept, rtol
        self.cost = np.concatenate([C for *_, C in tiles(problem.cost)])

    def at(self, f: Array, g: Array, step: float, linear: int) -> NewtonState:
        """Plan, dual objective and marginal error of potentials."""
        a, b = self.problem.a, self.problem.b
        P = exponents(self.cost, f, g, self.eps, np.empty_like(self.cost))
        with np.errstate(over="ignore", invalid="ignore"):
            np.exp(P, out=P)
            fun = float(a @ f + b @ g - self.eps * P.sum())
            error = np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()
        return NewtonState(
            x=(f, g),
            f=f,
            g=g,
            fun=fun,
            certificate=float(error) / self.problem.mass,
            extra={"phase": NEWTON, "eps": self.eps, "linear": float(linear), "step": step},
            plan=P,
        )

    def step(self, now: NewtonState) -> NewtonState:
        """One Newton step, or the same state marked as stalled if no part of it helps."""
        assert now.plan is not None
        P, n = now.plan, now.f.size
        rows, cols = P.sum(axis=1), P.sum(axis=0)
        gradient = np.concatenate([self.problem.a - rows, self.problem.b - cols])
        direction, linear = self._direction(P, np.concatenate([rows, cols]), gradient)
        slope = float(gradient @ direction)
        noise = ROUNDING * max(1.0, abs(now.fun))
        t = 1.0
        for _ in range(HALVINGS + 1):
            new = self.at(now.f + t * direction[:n], now.g + t * direction[n:], t, linear)
            if new.fun >= now.fun + DECREASE * t * slope - noise:
                return new
            t *= 0.5
        return dataclasses.replace(
            now,
            extra=now.extra | {"linear": float(linear), "step": 0.0},
            stalled=f"the line search refused a Newton step {HALVINGS} times halved",
        )

    def _direction(self, P: Array, diagonal: Array, gradient: Array) -> tuple[Array, int]:
        """The solution of the sparsified system, and how many products it took."""
        from scipy.sparse import csr_array
        from scipy.sparse.linalg import LinearOperator, cg

        n, size = P.shape[0], diagonal.size
        threshold = np.partition(P, P.size - self.kept, axis=None)[P.size - self.kept]
        least = max(float(threshold), np.finfo(float).tiny)
        W = csr_array(np.where(least <= P, P, 0.0))
        Wt = W.T.tocsr()
        count = 0

        def product(z: Array) -> Array:
            nonlocal count
            count += 1
            z = z.ravel()
            return diagonal * z + np.concatenate([W @ z[n:], Wt @ z[:n]])

        scale = np.where(diagonal > 0.0, diagonal, 1.0)
        inverse = LinearOperator((size, size), matvec=lambda z: z.ravel() / scale, dtype=float)
        matrix = LinearOperator((size, size), matvec=product, dtype=float)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # it may break down
            found, _ = cg(matrix, self.eps * gradient, rtol=self.rtol, M=inverse)
        return found, count
