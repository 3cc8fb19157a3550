"""Optimal transport with a group lasso on the columns of the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import State, iterate
from .._core._groups import Groups, as_groups
from .._core._validate import parameter, positive
from ._cardinality_result import StoredResult, stored, transposed
from ._problem import check_problem
from ._result import problem_fields
from ._support_flow import check_open

Array = np.ndarray[Any, Any]

FALL = 0.2  # of the strength from stage to stage
STAGE_TOL = 1e-2


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GroupLassoResult(StoredResult):
    """What `group_lasso` found; see `TransportResult` for what it shares with other problems.

    Attributes
    ----------
    gamma, lam : float
        The strengths.
    labels : ndarray of int
        The group of each row.
    """

    gamma: float = 1.0
    lam: float = 0.0
    labels: Any = None

    def _penalty(self, P: Any) -> float:
        squares = P.multiply(P).tocsr()
        count = int(self.labels.max()) + 1
        sums = np.zeros((count, P.shape[1]))
        np.add.at(sums, self.labels, squares.toarray())
        return self.gamma * float(0.5 * sums.sum() + self.lam * np.sqrt(sums).sum())


def group_lasso(
    C: Any,
    a: Any = None,
    b: Any = None,
    groups: Any = None,
    gamma: float = 1.0,
    lam: float = 0.1,
    *,
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 500,
    sparse: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> GroupLassoResult:
    r"""Optimal transport that lets each column draw its mass from few groups of rows.

    .. math:: \min_T\ \langle C, T\rangle + \gamma \sum_j \Big( \tfrac12 \|t_j\|^2 + \lambda \sum_G
        \|t_{j,G}\|_2 \Big) \quad\text{subject to}\quad T \ge 0,\ T 1 = a,\ T^\top 1 = b

    for columns :math:`t_j` and groups G that partition the rows, such as the classes of labelled
    points. The dual is smooth: with :math:`u = [f + g_j - c_j]_+ / \gamma` a column is
    :math:`t_G = u_G \max(0, 1 - \lambda / \|u_G\|)`. It is maximised by a semismooth Newton method
    along a falling strength, with dense systems of n + m unknowns.

    Parameters
    ----------
    C : array_like, shape (n, m), or PointCost
        Costs; infinity forbids a pair.
    a, b : array_like, shapes (n,) and (m,), optional
        Nonnegative masses of equal sum; uniform with total 1 by default.
    groups : array_like of int, shape (n,), or list of index arrays, optional
        The group of each row, or the rows of each group; by default every row is a group.
    gamma : float
        Strength, in units of cost over mass.
    lam : float
        Level of the group norms, in units of mass, >= 0.
    x0 : GroupLassoResult, pair (f, g) or g, optional
        Warm start.
    tol : float
        Bound on the certificate, the marginal error relative to the mass.
    max_iter : int
        Newton steps.
    sparse : bool
        Whether ``plan`` is a CSR array.
    callback : callable, optional
        Called with the state after each step; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    GroupLassoResult
        With the history of ``gamma``, the strength of the stage.

    Raises
    ------
    ValueError
        If the problem is not well formed, the pairs that are not forbidden cannot carry the
        masses, the groups are no partition of the rows, ``gamma`` is not positive or ``lam`` is
        negative.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``.

    References
    ----------
    M. Blondel, V. Seguy, A. Rolet (2018). Smooth and sparse optimal transport. AISTATS,
    arXiv 1710.06276.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> x, y = np.array([0.0, 0.1, 1.0, 1.1]), np.array([0.2, 0.9])
    >>> C = np.abs(x[:, None] - y)
    >>> result = transport.group_lasso(C, groups=[0, 0, 1, 1], gamma=0.1, lam=0.5)
    >>> np.abs(result.plan.round(3))
    array([[0.25, 0.  ],
           [0.25, 0.  ],
           [0.  , 0.25],
           [0.  , 0.25]])
    """
    problem = check_problem(C, a, b)
    n = problem.given.shape[0]
    every = as_groups(np.arange(n) if groups is None else groups, n)
    gamma, tol = positive("gamma", gamma), positive("tol", tol)
    lam = float(parameter("lam", lam, finite=True))
    labels = np.unique(every.labels[problem.rows], return_inverse=True)[1]
    cost = transposed(problem)
    if problem.forbidden:
        check_open(cost, problem.a, problem.b, tol)
    solver = _Newton(cost, problem.a, problem.b, labels, lam, max(problem.span, gamma), tol)
    begin, given = None, problem.start(x0)
    if given is not None:
        f, g = given
        begin = ((cost - g[:, None]).min(axis=0) if f is None else f), g
    first = solver.start(begin, gamma)
    run = iterate(
        first,
        solver.step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="group lasso",
    )
    fields = run.fields("newton")
    shift = problem.shift * problem.mass
    fields["fun"] += shift
    fields["history"]["fun"] += shift
    z = run.state.x
    fields |= problem_fields(problem, z[: problem.a.size], z[problem.a.size :], sparse)
    return GroupLassoResult(
        **fields,
        entries=stored(problem, run.state.plan),
        gamma=gamma,
        lam=lam,
        labels=every.labels,
    )


@dataclasses.dataclass(eq=False, kw_only=True)
class _GroupState(State):
    """``x`` holds the potentials, with their plan; what follows belongs to the stage."""

    plan: Array
    u: Array
    share: Array
    gradient: Array
    level: float
    stage: float
    damping: float


class _Newton:
    """Newton steps on the dual, transposed plans, the strength falling from stage to stage."""

    def __init__(
        self, cost: Array, a: Array, b: Array, labels: Array, lam: float, unit: float, tol: float
    ) -> None:
        self.cost, self.a, self.b, self.lam, self.tol = cost, a, b, lam, tol
        self.unit = unit
        self.groups = Groups(labels, int(labels.max()) + 1)
        self.member = np.eye(self.groups.count)[labels]
        self.goal = 0.0

    def start(self, begin: tuple[Array, Array] | None, gamma: float) -> _GroupState:
        """From potentials at once at the last strength, else from zero at a large one."""
        self.goal = gamma
        stage = gamma
        if begin is None:
            while stage * float(self.b.mean()) < self.unit:
                stage /= FALL
            begin = np.zeros(self.a.size), np.zeros(self.b.size)
        return self._state(np.concatenate(begin), stage, 1e-2)

    def step(self, old: _GroupState) -> _GroupState:
        """One damped Newton step; the next stage where this one is solved well enough."""
        now = old
        error = self._error(now)
        if now.stage > self.goal and error <= STAGE_TOL:
            now = self._state(now.x, max(FALL * now.stage, self.goal), 1e-2)
            error = self._error(now)
        H = self._hessian(now)
        scale = max(float(H.diagonal().mean()), 1.0 / now.stage)
        H[np.diag_indices(len(H))] += (now.damping * min(error, 1.0) + 1e-12) * scale
        from scipy.linalg import cho_factor, cho_solve

        step = cho_solve(cho_factor(H, lower=True), now.gradient)
        slope, length = float(now.gradient @ step), 1.0
        noise = 1e-14 * max(self.unit * float(self.a.sum()), abs(now.level))
        new, shortened = now, 0
        while shortened < 40:
            trial = self._state(now.x + length * step, now.stage, now.damping)
            rise, turned = trial.level - now.level, float(trial.gradient @ step)
            if rise >= 1e-4 * length * slope or (rise >= -noise and turned >= -0.5 * slope):
                new = trial
                break
            length *= 0.5
            shortened += 1
        damping = min(max(now.damping * (4.0 if shortened else 0.25), 1e-10), 1e2)
        return dataclasses.replace(new, damping=damping)

    def _error(self, state: _GroupState) -> float:
        return float(np.abs(state.gradient).sum() / self.a.sum())

    def _state(self, z: Array, stage: float, damping: float) -> _GroupState:
        u, share, plan, level = self._columns(z, stage)
        gradient = self._missing(plan)
        error, fun = np.abs(gradient).sum(), level
        if stage > self.goal:  # what the potentials mean for the problem itself
            _, _, plan, fun = self._columns(z, self.goal)
            error = np.abs(self._missing(plan)).sum()
        return _GroupState(
            x=z,
            fun=fun,
            certificate=float(error / self.a.sum()),
            extra={"gamma": stage},
            plan=plan,
            u=u,
            share=share,
            gradient=gradient,
            level=level,
            stage=stage,
            damping=damping,
        )

    def _missing(self, plan: Array) -> Array:
        return np.concatenate([self.a - plan.sum(axis=0), self.b - plan.sum(axis=1)])

    def _columns(self, z: Array, gamma: float) -> tuple[Array, Array, Array, float]:
        """Positive scores over the strength, lam over their group norms, plan and dual value."""
        f, g = z[: self.a.size], z[self.a.size :]
        u = np.maximum(f + g[:, None] - self.cost, 0.0) / gamma
        norms = np.sqrt((u * u) @ self.member)
        share = np.full_like(norms, 2.0)
        np.divide(self.lam, norms, out=share, where=norms > self.lam)
        plan = u * np.maximum(1.0 - share, 0.0)[:, self.groups.labels]
        conjugate = 0.5 * gamma * (np.maximum(norms - self.lam, 0.0) ** 2).sum()
        return u, share, plan, float(self.a @ f + self.b @ g - conjugate)

    def _hessian(self, state: _GroupState) -> Array:
        """Minus the derivative of the gradient, from one block of each group and column."""
        n, gamma = self.a.size, state.stage
        active = state.share <= 1.0
        keep = np.where(active, 1.0 - state.share, 0.0)
        norms = np.sqrt((state.u * state.u) @ self.member)
        bend = np.where(active, state.share, 0.0) / np.where(active, norms, 1.0) ** 2
        labels = self.groups.labels
        straight = np.where(state.u > 0.0, keep[:, labels], 0.0)
        turned = bend[:, labels] * state.u  # lam / |u_G|^3 u
        mixed = straight + turned * (state.u @ self.member)[:, labels]
        H = np.zeros((n + self.b.size,) * 2)
        H[:n, :n] = np.where(labels[:, None] == labels, turned.T @ state.u, 0.0)
        H[np.arange(n), np.arange(n)] += straight.sum(axis=0)
        H[:n, n:], H[n:, :n] = mixed.T, mixed
        H[np.arange(n, len(H)), np.arange(n, len(H))] = mixed.sum(axis=1)
        return H / gamma
