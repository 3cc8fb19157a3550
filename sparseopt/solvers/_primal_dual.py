"""The primal-dual method of Condat and Vu, which without a loss is that of Chambolle and Pock."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._core import Result, State
from .._core._validate import parameter, positive
from ._composite import Array
from ._terms import Measure, Terms, solve


def primal_dual(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 50_000,
    step: float | None = None,
    ratio: float | None = None,
    adapt: bool | None = None,
    strong_convexity: float = 0.0,
    precondition: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a loss plus penalties of linear images with products and proximal steps only.

    .. math:: \min_x\ f(A x) + g(x) + \sum_i h_i(K_i x)

    .. math:: x^+ &= \operatorname{prox}_{\tau g}\bigl(x - \tau (A^H \nabla f(A x)
        + \textstyle\sum_i K_i^H v_i)\bigr) \\
        v_i^+ &= \operatorname{prox}_{\sigma h_i^*}\bigl(v_i + \sigma K_i (2 x^+ - x)\bigr)

    with :math:`1/\tau - \sigma \|K\|^2 \ge L/2`, where L is the Lipschitz constant of the
    gradient of the loss and K is all :math:`K_i` together.

    Parameters
    ----------
    loss : object or None
        Smooth convex term, whose ``lipschitz()`` must be a bound (that of a Poisson loss is not);
        without one (``x0`` then gives the shape) this is the primal-dual hybrid gradient method.
    penalty : object, or list of objects and pairs (h, K)
        Convex penalties: g on x itself, and pairs of a penalty h and a matrix or operator K (or a
        class of operators, to be called with n). Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start; zero if not given. Dual vectors start at zero.
    tol : float, optional
        Bound on the certificate, by default 1e-6 (1e-4 for float32): the relative duality gap or
        the primal-dual residual, as for `sparseopt.solvers.admm`.
    max_iter : int
        Iteration budget.
    step : float, optional
        The primal step tau to begin with. The dual one is then the longest allowed.
    ratio : float, optional
        sigma / tau to begin with, where ``step`` is not given; by default ``0.3 (L / ||K||)^2``.
    adapt : bool, optional
        At iterations 20, 40, 80, ... move the ratio half the way, in logarithms, to the square of
        the way that the dual vectors went beside that of x; by default only where there is no
        loss to take a ratio from. Without effect where ``strong_convexity`` is given.
    strong_convexity : float
        A mu for which g - mu/2 ||.||^2 is convex: the steps then change so that the error falls
        as 1/k^2.
    precondition : bool
        Steps per coordinate, from the row and column sums of \|K_ij\|. All K must be matrices and
        all penalties separable.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        With the history of ``step`` (tau, the shortest) and ``ratio``; ``dual`` as for
        `sparseopt.solvers.admm`. Beyond the tenth iteration the certificate is evaluated every
        tenth.

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
    L. Condat (2013). A primal-dual splitting method for convex optimization involving Lipschitzian,
    proximable and linear composite terms. J. Optim. Theory Appl. 158.
    A. Chambolle, T. Pock (2011). A first-order primal-dual algorithm for convex problems with
    applications to imaging. J. Math. Imaging Vis. 40.
    T. Pock, A. Chambolle (2011). Diagonal preconditioning for first order primal-dual algorithms in
    convex optimization. ICCV.
    D. Applegate et al. (2021). Practical large-scale linear programming using primal-dual hybrid
    gradient. NeurIPS 34. arXiv:2106.04756.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import linop, losses, penalties, solvers
    >>> y = np.array([0.1, -0.1, 0.0, 4.1, 3.9, 4.0])
    >>> tv = (penalties.L1(0.3), linop.FiniteDifference)
    >>> result = solvers.primal_dual(losses.LeastSquares(np.eye(6), y), tv)
    >>> result.x.round(3)
    array([0.1, 0.1, 0.1, 3.9, 3.9, 3.9])
    """
    terms = Terms(loss, penalty, x0)
    terms.require_convex("primal_dual")
    mu = float(parameter("strong_convexity", strong_convexity, finite=True))
    adapt = loss is None if adapt is None else bool(adapt)
    method = _PrimalDual(terms, adapt, mu, bool(precondition))
    method.set_ratio(step, ratio)
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array
    z: Array
    gradient: Array
    duals: list[Array]
    images: list[Array]
    pulled: Array
    ratio: float
    tau: float | None  # set where the steps follow a schedule of their own
    anchor: tuple[Array, list[Array]]
    nit: int = 0


class _PrimalDual:
    name = "primal_dual"
    every = 10

    def __init__(self, terms: Terms, adapt: bool, mu: float, precondition: bool) -> None:
        self.terms = terms
        self.mu = mu
        lipschitz = terms.loss.lipschitz()
        self.square = sum(c.norm() ** 2 for c in terms.couplings)
        # With accelerated steps the whole constant is needed; 1 % allows for its estimate.
        self.half = 1.01 * lipschitz * (1.0 if mu else 0.5)
        self.columns: Any = self.square
        self.rows: list[Any] = [self.square] * len(terms.couplings)
        self.adapt = adapt and self.square > 0 and not mu
        if precondition:
            if mu:
                raise ValueError("precondition must be False where strong_convexity is given")
            self._precondition()
        self.fixed: float | None = None
        if self.square == 0 and self.half == 0:
            self.half = terms.curvature

    def set_ratio(self, step: float | None, ratio: float | None) -> None:
        """The ratio sigma / tau from what the caller says."""
        if step is not None:
            if ratio is not None:
                raise ValueError("ratio must not be given together with step")
            step = positive("step", step)
            if self.square == 0:
                self.fixed = step
            room = 1.0 / step - self.half
            if room <= 0 and (self.square > 0 or self.terms.loss.lipschitz() > 0):
                raise ValueError(f"step must be below {1.0 / self.half:.3g}, got {step}")
            self.ratio = room / (step * self.square) if self.square else 1.0
        elif ratio is not None:
            self.ratio = positive("ratio", ratio)
        else:
            self.ratio = 0.3 * self.terms.curvature**2 / self.square if self.square else 1.0

    def _precondition(self) -> None:
        """Sums of absolute values, of columns for x and of rows for the dual vectors."""
        columns: Any = 0.0
        self.rows = []
        for penalty in (self.terms.penalty, *(c.h for c in self.terms.couplings)):
            if not getattr(penalty, "is_separable", False):
                raise ValueError(
                    f"penalty must be separable for precondition=True, got {type(penalty).__name__}"
                )
        for c in self.terms.couplings:
            size: Any = 1.0
            row: Any = 1.0
            if c.K is not None:
                if not (isinstance(c.K, np.ndarray) or issparse(c.K)):
                    raise ValueError(
                        f"K must be a matrix for precondition=True, got {type(c.K).__name__}"
                    )
                size = self._beside(abs(c.K).sum(axis=0))
                row = self._beside(abs(c.K).sum(axis=1))
                row = np.where(row > 0, row, 1.0)
            columns = columns + size
            self.rows.append(row)
        self.columns = columns

    def _beside(self, sums: Any) -> Array:
        sums = np.asarray(sums, np.dtype(self.terms.loss.dtype).type(0).real.dtype).reshape(-1)
        return sums[:, None] if len(self.terms.loss.shape) == 2 else sums

    def _steps(self, now: _Variables) -> tuple[Any, list[Any]]:
        """tau, and sigma for every coupling."""
        if self.fixed is not None:
            return self.fixed, []
        if now.tau is not None:
            # The product of both steps stays what it was, as the proof asks.
            first = self._longest(now.ratio)
            return now.tau, [now.ratio * first**2 / now.tau] * len(self.rows)
        if self.rows and np.ndim(self.rows[0]) == 0 and self.rows[0] is self.square:
            tau = self._longest(now.ratio)
            return tau, [now.ratio * tau] * len(self.rows)
        # Per coordinate: sigma K sum to at most root(ratio) times the column sums.
        weight = math.sqrt(now.ratio)
        below = self.half + weight * self.columns
        return 1.0 / np.where(below > 0, below, 1.0), [weight / row for row in self.rows]

    def _longest(self, ratio: float) -> float:
        """The root tau of ``1 / tau = half + ratio tau ||K||^2``."""
        b = ratio * self.square
        return 2.0 / (self.half + math.sqrt(self.half**2 + 4.0 * b))

    def first(self, x: Array) -> _Variables:
        images = [c.forward(x) for c in self.terms.couplings]
        duals = [np.zeros_like(w) for w in images]
        z = self.terms.loss.predict(x)
        gradient = self.terms.loss.pull_back(self.terms.loss.gradient_at(z))
        tau = None
        if self.mu and self.fixed is None:
            tau = self._longest(self.ratio)
        pulled = np.zeros_like(x)
        return _Variables(x, z, gradient, duals, images, pulled, self.ratio, tau, (x, duals))

    def advance(self, old: _Variables) -> _Variables:
        """One iteration, and sometimes another ratio."""
        terms, loss = self.terms, self.terms.loss
        tau, sigmas = self._steps(old)
        x = terms.penalty.prox(_less(old.x, tau, old.gradient + old.pulled), tau)
        z = loss.predict(x)
        gradient = loss.pull_back(loss.gradient_at(z))
        images = [c.forward(x) for c in terms.couplings]
        theta, following = 1.0, None
        if old.tau is not None:
            theta, following = self._accelerated(old.tau)
        duals, pulled = [], np.zeros_like(x)
        for c, v, new, before, sigma in zip(
            terms.couplings, old.duals, images, old.images, sigmas, strict=True
        ):
            ahead = new + np.asarray(theta, x.real.dtype) * (new - before)
            duals.append(c.dual_prox(_less(v, -sigma, ahead), sigma))
            pulled = pulled + c.adjoint(duals[-1])
        nit = old.nit + 1
        now = _Variables(
            x, z, gradient, duals, images, pulled, old.ratio, following, old.anchor, nit
        )
        # At 20, 40, 80, ...: ever rarer, as convergence asks.
        due = nit >= 20 and nit % 20 == 0 and (nit // 20) & (nit // 20 - 1) == 0
        return self._balance(now) if self.adapt and due else now

    def _accelerated(self, tau: float) -> tuple[float, float]:
        """Extrapolation and the next tau for a strongly convex g."""
        theta = 1.0 / math.sqrt(1.0 + self.mu * tau)
        return theta, theta * tau

    def _balance(self, now: _Variables) -> _Variables:
        """Move the ratio half the way, in logarithms, to that of the ways gone since last time."""
        before, duals = now.anchor
        primal = _norm(now.x - before)
        dual = math.sqrt(sum(_norm(v - w) ** 2 for v, w in zip(now.duals, duals, strict=True)))
        ratio = now.ratio
        if primal > 0 and dual > 0:
            ratio = math.sqrt(ratio) * dual / primal
        return dataclasses.replace(now, ratio=ratio, anchor=(now.x, now.duals))

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        return now.x, self.terms.measure(now.x, now.duals, z=now.z, gradient=now.gradient)

    def extra(self, now: _Variables) -> dict[str, float]:
        tau = self._steps(now)[0]
        return {"step": float(np.min(tau)), "ratio": now.ratio}


def _less(x: Array, step: Any, d: Array) -> Array:
    """``x - step * d`` in the precision of ``x``."""
    result: Array = x - np.asarray(step, x.real.dtype) * d
    return result


def _norm(x: Array) -> float:
    return float(np.linalg.norm(x))
