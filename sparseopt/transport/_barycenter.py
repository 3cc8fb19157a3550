"""Entropic barycenters on a fixed support."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .._core import Result, State, as_floating, iterate
from .._core._validate import parameter, positive
from ._costs import CostLike, from_data
from ._log_kernel import log_kernel
from ._problem import MISMATCH, Problem, check_masses, check_potential, check_problem
from ._relaxation import Relaxation

Array = np.ndarray[Any, Any]

FIRST, RATIO, STAGE = 0.05, 4.0, 1e-2  # the path of strengths, relative to the range of costs


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BarycenterResult(Result):
    r"""What `barycenter` found.

    ``x`` is the barycenter, ``fun`` the dual objective, ``certificate`` the weighted L1 error of
    the marginals of all plans, relative to the mass.

    Attributes
    ----------
    potentials : tuple of ndarray, shapes (K, m) and (K, n)
        The f and g of every plan, with :math:`\sum_k w_k g_k = 0`.
    plans : tuple of ndarray, K of shape (m, n)
        The plans from the measures to the barycenter, made when first asked for.
    costs : ndarray, shape (K,)
        Their transport costs.
    weights : ndarray, shape (K,)
        The weights, with sum 1.
    history : dict
        Beside ``fun``, ``certificate`` and ``time``: ``eps``, the strength at each sweep.
    """

    potentials: Any = None
    weights: Any = None
    eps: float = 0.0
    problem: dict[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def _matrix(self) -> Array:
        cost: CostLike = from_data(self.problem["cost"])
        return cost.tile(0, cost.shape[0]) - self.problem["shift"]

    @cached_property
    def plans(self) -> tuple[Array, ...]:
        """The plans, float64."""
        alive = self.problem["measures"] > 0.0
        # Without the shift: a large offset would cost the potentials digits.
        pairs = zip(self.problem["f"], self.potentials[1], alive, strict=True)
        return tuple(
            np.where(some[:, None], np.exp((f[:, None] + g - self._matrix) / self.eps), 0.0)
            for f, g, some in pairs
        )

    @cached_property
    def costs(self) -> Array:
        """The transport cost of every plan."""
        shift = self.problem["shift"]
        return np.array([(self._matrix * P).sum() + shift * P.sum() for P in self.plans])


def barycenter(
    C: Any,
    measures: Any,
    eps: float,
    weights: Any = None,
    *,
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 10_000,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> BarycenterResult:
    r"""The masses, on given places, that are cheapest to reach from several measures.

    .. math::
        \min_{q,\, P_k \ge 0}\ \sum_k w_k \Bigl(\langle C, P_k\rangle + \varepsilon \sum_{ij}
        (P_k)_{ij} (\log (P_k)_{ij} - 1)\Bigr)
        \quad\text{with}\quad P_k 1 = b_k,\ P_k^\top 1 = q

    Its dual, :math:`\max \sum_k w_k (\langle b_k, f_k\rangle - \varepsilon \sum_{ij} (P_k)_{ij})`
    over f and over g with :math:`\sum_k w_k g_k = 0`, is maximised in f and g in turn, in the log
    domain, over-relaxed and along a path of falling strengths. The entropy blurs: the barycenter
    of one measure with itself is that measure spread over about :math:`\sqrt\varepsilon` (for
    squared distances).

    Parameters
    ----------
    C : array_like, shape (m, n), PointCost or GridCost
        Finite costs from the places of the measures (rows) to those of the barycenter. A `GridCost`
        is used axis by axis; else the matrix is made.
    measures : array_like, shape (K, m), or (K, ...) with the shape of the grid
        Nonnegative masses of equal totals.
    eps : float
        The entropic strength, in the units of the cost.
    weights : array_like, shape (K,), optional
        Nonnegative weights, scaled to sum 1; equal if not given.
    x0 : BarycenterResult or array_like, shape (K, n), optional
        Warm start: a result, or the g.
    tol : float
        Bound for the certificate
        :math:`\sum_k w_k (\|P_k 1 - b_k\|_1 + \|P_k^\top 1 - q\|_1)` relative to the mass. It
        vanishes only at the solution.
    max_iter : int
        Budget of sweeps.
    callback : callable, optional
        Called with the state after each sweep; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.

    Returns
    -------
    BarycenterResult
        With ``x`` of the shape of one of the measures if C is square, and of float32 for float32
        measures.

    Raises
    ------
    ValueError, TypeError
        For costs, measures or parameters that are not valid.

    Warns
    -----
    ConvergenceWarning
        If the certificate stayed above ``tol``.

    References
    ----------
    J.-D. Benamou, G. Carlier, M. Cuturi, L. Nenna, G. Peyré (2015). Iterative Bregman projections
    for regularized transportation problems. SIAM J. Sci. Comput. 37(2), arXiv 1412.5154.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> measures = np.zeros((2, 9))
    >>> measures[0, 1] = measures[1, 5] = 1.0
    >>> result = transport.barycenter(transport.GridCost(9), measures, eps=0.1)
    >>> int(result.x.argmax())
    3
    """
    eps = positive("eps", eps)
    problem = check_problem(C, None, None, forbid=False)
    given = as_floating("measures", measures)
    masses = _measures(given, problem.cost.shape[0])
    w = _weights(weights, len(masses))
    solver = _Sweeps(problem, masses, w, eps)
    run = iterate(
        solver.first(x0),
        solver.step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="barycenter",
    )
    state, fields = run.state, run.fields("sinkhorn")
    if state.eps != eps:  # ended before the last strength: measured there
        state = solver.finish(state)
        fields |= {"fun": state.fun, "certificate": state.certificate}
        fields["message"] = run.message.replace("nan", f"{state.certificate:.2e}")
    fields["fun"] += problem.shift * solver.mass
    n, m = problem.cost.shape[1], problem.cost.shape[0]
    shape = given.shape[1:] if n == m else (n,)
    q = state.x.astype(given.dtype, copy=False).reshape(shape)
    f = np.where(masses > 0.0, state.f, 0.0)
    return BarycenterResult(
        **fields | {"x": q},
        potentials=(f + problem.shift, state.g),
        weights=w,
        eps=eps,
        problem={
            "cost": problem.given.data(),
            "measures": masses,
            "f": f,
            "shift": problem.shift,
        },
    )


def _measures(given: Array, size: int) -> Array:
    if given.ndim < 2 or not len(given) or given[0].size != size:
        raise ValueError(
            f"measures must have shape (K, {size}), or (K, ...) with {size} cells, to fit C, "
            f"got {given.shape}"
        )
    rows = [check_masses(f"measures[{k}]", row.ravel(), size) for k, row in enumerate(given)]
    total = float(rows[0].sum())
    for k, row in enumerate(rows):
        if abs(row.sum() - total) > MISMATCH * max(total, float(row.sum())):
            raise ValueError(
                f"measures must have equal totals, got {total:.9g} in measures[0] and "
                f"{row.sum():.9g} in measures[{k}]"
            )
    return np.stack([row * (total / row.sum()) for row in rows])


def _weights(weights: Any, count: int) -> Array:
    if weights is None:
        return np.full(count, 1.0 / count)
    w = np.asarray(parameter("weights", np.asarray(weights), finite=True), dtype=np.float64)
    if w.shape != (count,):
        raise ValueError(f"weights must have shape ({count},), one per measure, got {w.shape}")
    if not w.any():
        raise ValueError("weights must not all be zero")
    return w / w.sum()


@dataclasses.dataclass(eq=False, kw_only=True)
class _State(State):
    """``rows`` is the kernel applied to g."""

    f: Array
    g: Array
    eps: float
    rows: Array
    relaxation: Relaxation


class _Sweeps:
    """Over-relaxed ascent in f and in g, with a falling strength."""

    def __init__(self, problem: Problem, masses: Array, w: Array, eps: float) -> None:
        self.cost, self.masses, self.w, self.eps = problem.cost, masses, w, eps
        self.alive = masses > 0.0
        self.mass = float(masses[0].sum())
        with np.errstate(divide="ignore"):
            self.logs = np.log(masses)
        self._at(max(eps, FIRST * problem.span))

    def _at(self, eps: float) -> None:
        self.kernel = log_kernel(self.cost, eps)

    def first(self, x0: Any) -> _State:
        g = np.zeros((len(self.w), self.cost.shape[1]))
        if x0 is not None:
            start = x0.potentials[1] if isinstance(x0, BarycenterResult) else x0
            start = check_potential(start)
            if start.shape != g.shape:
                raise ValueError(f"x0 must hold g of shape {g.shape}, got {start.shape}")
            if not np.isfinite(start).all():
                raise ValueError("x0 must be finite, got NaN or infinite potentials")
            g = start - self.w @ start
            self._at(self.eps)
        return self._sweep(None, g)

    def step(self, old: _State) -> _State:
        """One sweep, at a lower strength if the last one was good enough."""
        if old.eps != self.eps and old.extra["marginal_error"] <= STAGE:
            self._at(max(self.eps, old.eps / RATIO))
            return self._sweep(None, old.g)
        return self._sweep(old, old.g)

    def finish(self, state: _State) -> _State:
        """The state at the strength that was asked for."""
        self._at(self.eps)
        return self._sweep(None, state.g)

    def _sweep(self, old: _State | None, g: Array) -> _State:
        kernel, eps, w = self.kernel, self.kernel.eps, self.w
        relaxation = Relaxation() if old is None else old.relaxation
        rows = kernel.rows(g) if old is None else old.rows
        f = eps * (self.logs - rows)
        if old is not None:
            before = old.f[self.alive]
            f[self.alive] = before + relaxation.factor * (f[self.alive] - before)
        cols = kernel.cols(f)
        log_q = w @ cols
        best = eps * (log_q - cols)
        g = best if old is None else g + relaxation.factor * (best - g)
        rows = kernel.rows(g)
        q = np.exp(log_q)
        column_sums = np.exp(g / eps + cols)
        errors = np.abs(np.exp(f / eps + rows) - self.masses).sum(axis=1)
        errors += np.abs(column_sums - q).sum(axis=1)
        error = float(w @ errors) / self.mass
        paid = (self.masses * np.where(self.alive, f, 0.0)).sum(axis=1)
        fun = float(w @ (paid - eps * column_sums.sum(axis=1)))
        return _State(
            x=q,
            fun=fun,
            certificate=error if eps == self.eps else np.nan,
            f=f,
            g=g,
            eps=eps,
            rows=rows,
            relaxation=relaxation.after(error, fun),
            extra={"eps": eps, "marginal_error": error},
        )
