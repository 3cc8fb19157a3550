"""Entropic transport with marginals that are free at a price: sweeps, then Newton steps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import State, iterate
from .._core._validate import choice, parameter, positive
from ._entropic_result import NEWTON, SINKHORN, EntropicState
from ._log_kernel import DenseKernel
from ._problem import Problem, check_problem
from ._result import fields_of
from ._unbalanced_result import UnbalancedResult, dual_term, wanted

Array = np.ndarray[Any, Any]

FIRST, RATIO, STAGE = 0.05, 4.0, 1e-2  # the path of strengths, relative to the range of costs
LOOK = 10  # sweeps between two looks at the rate
HALVINGS, ASCENT = 30, 1e-4
UNIT = 1.1e-16  # relative rounding of a potential
TINY = 1e-300  # sums below it have no inverse


def unbalanced(
    C: Any,
    a: Any,
    b: Any,
    eps: float,
    rho: Any,
    *,
    method: str = "auto",
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 10_000,
    sparse: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> UnbalancedResult:
    r"""Entropic transport between masses that need not match, with Kullback-Leibler prices.

    .. math::
        \min_{P \ge 0}\ \langle C, P\rangle + \varepsilon \sum_{ij} P_{ij} (\log P_{ij} - 1)
        + \rho_a \mathrm{KL}(P1 \,|\, a) + \rho_b \mathrm{KL}(P^\top 1 \,|\, b),
        \qquad \mathrm{KL}(x | y) = \sum_i x_i \log\frac{x_i}{y_i} - x_i + y_i

    Its dual is :math:`\max_{f, g}\ -\rho_a \sum_i a_i (e^{-f_i/\rho_a} - 1)
    - \rho_b \sum_j b_j (e^{-g_j/\rho_b} - 1) - \varepsilon \sum_{ij} P_{ij}` with
    :math:`P_{ij} = \exp((f_i + g_j - C_{ij})/\varepsilon)`. Sweeps of Sinkhorn, shrunk by
    :math:`\rho/(\rho + \varepsilon)`, contract slowly where the prices are high; Newton steps then
    take over, on f alone with g at its best. Their matrix is never singular.

    Parameters
    ----------
    C : array_like, shape (n, m), PointCost or GridCost
        Costs; infinite ones forbid a pair. The matrix is made if it is not given. Adding a
        constant changes the problem: it makes all transport dearer.
    a, b : array_like, shapes (n,) and (m,), or None
        Nonnegative masses; None is uniform with total 1.
    eps : float
        The entropic strength, in the units of the cost.
    rho : float or pair of float
        Price of both marginals or of each, in the units of the cost; infinite to hold one exactly
        (both: the totals must agree, and `entropic` solves the problem).
    method : {"auto", "newton", "sinkhorn"}
        ``"newton"`` takes Newton steps after ten sweeps at each strength, ``"sinkhorn"`` none;
        ``"auto"`` takes them where sweeps would need longer.
    x0 : result, pair of ndarray, or ndarray of shape (m,), optional
        Warm start: a result, potentials (f, g), or g alone.
    tol : float
        Bound for the certificate, the L1 distance of both marginals from :math:`a e^{-f/\rho_a}`
        and :math:`b e^{-g/\rho_b}` relative to the mass of the former; it vanishes only at the
        solution, and is the marginal error where the price is infinite.
    max_iter : int
        Budget of sweeps and Newton steps together.
    sparse : bool
        Make ``plan`` a CSR array.
    callback : callable, optional
        Called with the state after each sweep or step; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.

    Returns
    -------
    UnbalancedResult
        Potentials, plan and certificates.

    Raises
    ------
    ValueError, TypeError
        For costs, masses or parameters that are not valid.

    Warns
    -----
    ConvergenceWarning
        If the certificate stayed above ``tol``.

    References
    ----------
    L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard (2018). Scaling algorithms for unbalanced
    optimal transport problems. Math. Comp. 87, arXiv 1607.05816.

    Examples
    --------
    >>> from sparseopt import transport
    >>> C = [[0.0, 1.0], [1.0, 0.0]]
    >>> result = transport.unbalanced(C, [1.0, 0.5], [0.5, 0.2], eps=0.1, rho=1.0)
    >>> result.plan.sum(axis=1).round(3)  # between the masses of both sides
    array([0.719, 0.334])
    """
    eps = positive("eps", eps)
    prices = _prices(rho)
    choice("method", method, ("auto", "newton", "sinkhorn"))
    more = {"tol": tol, "max_iter": max_iter, "callback": callback, "progress": progress}
    if math.isinf(prices[0]) and math.isinf(prices[1]):
        return _balanced(C, a, b, eps, method, x0, sparse, more)
    problem = check_problem(C, a, b, balanced=False)
    solver = _Ascent(problem, eps, prices, method, positive("tol", tol))
    run = iterate(
        solver.first(solver.start(problem.start(x0, free=False))),
        solver.step,
        certificate="distance of the marginals",
        label="unbalanced",
        **more,  # type: ignore[arg-type]
    )
    state, fields = run.state, run.fields(solver.method)
    if state.eps != eps:  # ended before the last strength: measured there
        state = solver.finish(state)
        fields |= {"fun": state.fun, "certificate": state.certificate}
        fields["message"] = run.message.replace("nan", f"{state.certificate:.2e}")
    f, g = solver.turned(state.f, state.g)
    f, g = problem.spread(f, g - problem.shift)
    fields |= fields_of(problem, f, g + problem.shift, 0.0, sparse)
    return UnbalancedResult(**fields, eps=eps, rho=prices)


def _prices(rho: Any) -> tuple[float, float]:
    if not isinstance(rho, tuple | list):
        rho = (rho, rho)
    if len(rho) != 2:
        raise ValueError(f"rho must be a number or a pair, got {len(rho)} numbers")
    rho_a, rho_b = (parameter("rho", price, strict=True) for price in rho)
    if not (isinstance(rho_a, float) and isinstance(rho_b, float)):
        raise ValueError("rho must be a number or a pair of numbers, got arrays")
    return rho_a, rho_b


def _balanced(
    C: Any, a: Any, b: Any, eps: float, method: str, x0: Any, sparse: bool, more: dict[str, Any]
) -> UnbalancedResult:
    from ._entropic import entropic

    found = entropic(C, a, b, eps, method=method, x0=x0, sparse=sparse, **more)
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return UnbalancedResult(**fields)


@dataclasses.dataclass(eq=False, kw_only=True)
class _State(EntropicState):
    """After g was brought to its best for f; ``rows`` is the kernel applied to g."""

    eps: float
    rows: Array
    sweeps: int = 0  # at this strength, since the last Newton step
    mark: float = math.nan  # certificate at the last look
    newton: bool = False  # whether a Newton step is next
    wait: int = LOOK  # sweeps before the next look


class _Ascent:
    """Ascent on the dual as a function of f, the potential of the side with fewer atoms."""

    def __init__(
        self, problem: Problem, eps: float, rho: tuple[float, float], method: str, tol: float
    ) -> None:
        n, m = problem.cost.shape
        self.turn = n > m
        # The dual is not invariant to shifts: the costs as they came.
        C = problem.cost.tile(0, n) + problem.shift
        self.C = np.ascontiguousarray(C.T) if self.turn else C
        self.a, self.b = self.turned(problem.a, problem.b)
        self.rho_a, self.rho_b = self.turned(*rho)
        self.shift, self.eps, self.method, self.tol = problem.shift, eps, method, tol
        first = eps if method == "sinkhorn" else max(eps, FIRST * problem.span)
        self.kernel = DenseKernel(self.C, first)
        self.cost_of_newton = 2.0 * (10.0 + min(n, m) / 40.0)  # in sweeps, for all steps

    def turned(self, first: Any, second: Any) -> tuple[Any, Any]:
        """Both sides in the order of the solver, or back."""
        return (second, first) if self.turn else (first, second)

    def start(self, given: tuple[Array | None, Array] | None) -> Array | None:
        """The f, in the order of the solver, of a warm start under the costs as given."""
        if given is None:
            return None
        self.kernel = DenseKernel(self.C, self.eps)
        rows, cols = given[0], given[1] + self.shift
        if self.turn:
            return cols
        return self._best(self.a, self.kernel.rows(cols), self.rho_a) if rows is None else rows

    def first(self, f: Array | None) -> _State:
        """The state before the first step."""
        if f is None:
            f = self._best(self.a, self.kernel.rows(np.zeros(self.b.size)), self.rho_a)
        return self._at(f, SINKHORN)

    def finish(self, state: _State) -> _State:
        """The state at the strength that was asked for."""
        self.kernel = DenseKernel(self.C, self.eps)
        return self._at(state.f, SINKHORN)

    def step(self, old: _State) -> _State:
        """One step; it is the last if rounding allows no progress."""
        new = self._move(old)
        if new.certificate >= 0.5 * old.certificate and self._is_noise(new):
            new.stalled = "the potentials are as precise as their size allows at this strength"
        return new

    def _is_noise(self, state: _State) -> bool:
        """Whether the certificate is what the rounding of potentials makes of it."""
        goal = wanted(self.a, state.f, self.rho_a)
        size = float(goal @ np.abs(state.f)) / (float(goal.sum()) or 1.0)
        size += float(np.abs(state.g).max())
        return state.certificate <= UNIT * size / self.eps

    def _move(self, old: _State) -> _State:
        """A sweep, a Newton step, or a sweep at the next strength."""
        if old.eps > self.eps and self._error(old) <= STAGE:
            self.kernel = DenseKernel(self.C, max(self.eps, old.eps / RATIO))
            f = self._best(self.a, self.kernel.rows(old.g), self.rho_a)
            return self._at(f, SINKHORN)
        f = self._best(self.a, old.rows, self.rho_a)
        swept = self._at(f, SINKHORN)
        if old.newton:
            found = self._newton(swept)
            if found is not None:
                found.newton, found.mark = True, old.mark
                return found
            swept.wait = LOOK
            return swept
        swept.sweeps, swept.mark, swept.wait = old.sweeps + 1, old.mark, old.wait
        if self.method != "sinkhorn" and swept.sweeps % LOOK == 0:
            now = self._error(swept)
            swept.newton = self.method == "newton" or self._slow(now, old.mark, swept)
            swept.mark = now
        return swept

    def _slow(self, now: float, before: float, state: _State) -> bool:
        """Whether sweeps alone would take longer than Newton steps."""
        if not (0.0 < now < math.inf and 0.0 < before < math.inf):
            return False
        rate = (now / before) ** (1.0 / LOOK)
        goal = self.tol if state.eps == self.eps else STAGE
        return rate >= 1.0 or math.log(goal / now) / math.log(rate) > self.cost_of_newton

    def _best(self, masses: Array, sums: Array, rho: float) -> Array:
        """The potential that maximises the dual, given the kernel applied to the other one."""
        eps = self.kernel.eps
        shrunk = eps if math.isinf(rho) else eps * (rho / (rho + eps))
        return shrunk * (np.log(masses) - sums)

    def _at(self, f: Array, phase: float) -> _State:
        """The state at f, with the best g."""
        kernel, eps = self.kernel, self.kernel.eps
        g = self._best(self.b, kernel.cols(f), self.rho_b)
        rows = kernel.rows(g)
        # The columns have the marginal that g asks for.
        mass = float(wanted(self.b, g, self.rho_b).sum())
        fun = dual_term(self.a, f, self.rho_a) + dual_term(self.b, g, self.rho_b) - eps * mass
        state = _State(
            x=self.turned(f, g),
            fun=fun,
            f=f,
            g=g,
            eps=eps,
            rows=rows,
            extra={"phase": phase, "eps": eps},
        )
        state.certificate = self._error(state) if eps == self.eps else np.nan
        return state

    def _error(self, state: _State) -> float:
        goal = wanted(self.a, state.f, self.rho_a)
        mass = float(goal.sum())
        with np.errstate(over="ignore"):  # far from the solution
            error = float(np.abs(np.exp(state.f / state.eps + state.rows) - goal).sum())
        return error / (mass or 1.0)

    def _newton(self, state: _State) -> _State | None:
        """A Newton step with a line search, or None if no length will do."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        eps, f = state.eps, state.f
        P = (f[:, None] + state.g - self.C) / eps
        np.exp(P, out=P)
        goal_a, goal_b = wanted(self.a, f, self.rho_a), wanted(self.b, state.g, self.rho_b)
        gradient = goal_a - P.sum(axis=1)
        # eps / rho is zero where the price is infinite.
        u = P.sum(axis=1) + (eps / self.rho_a) * goal_a
        v = P.sum(axis=0) + (eps / self.rho_b) * goal_b
        if not (u.min() > TINY and np.isfinite(u).all()):
            return None
        scale = 1.0 / np.sqrt(u)
        P *= scale[:, None]
        P *= np.sqrt(np.divide(1.0, v, out=np.zeros_like(v), where=v > TINY))
        A = P @ P.T
        np.negative(A, out=A)
        A.flat[:: f.size + 1] += 1.0 + 1e-13
        try:
            factor = cho_factor(A, lower=True, overwrite_a=True)
        except LinAlgError:
            return None
        d = scale * cho_solve(factor, scale * gradient) * eps
        slope = float(gradient @ d)
        noise = 1e-15 * (abs(state.fun) + eps * float(goal_b.sum()))
        t = 1.0
        for _ in range(HALVINGS):
            with np.errstate(over="ignore"):
                found = self._at(f + t * d, NEWTON)
            if found.fun >= state.fun + ASCENT * t * slope - noise:
                return found
            t *= 0.5
        return None
