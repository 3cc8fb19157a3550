"""Optimal transport with few nonzeros in every column of the plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import ConvergenceWarning, State, Status, iterate, warn_outside
from .._core._driver import Run
from .._core._validate import choice, integer, positive
from ._cardinality_dual import FirstOrder
from ._cardinality_exact import branch_and_bound
from ._cardinality_exchange import exchange
from ._cardinality_hard import Candidate, Search, heuristic
from ._cardinality_relaxed import Columns, Relaxation, RelaxedState
from ._cardinality_result import CardinalityResult, reduced_plan, stored, transposed
from ._problem import Problem, check_problem
from ._result import problem_fields
from ._support_flow import check_open

Array = np.ndarray[Any, Any]

PROOF = 20_000  # branch and bound solves this many relaxations, divided by the size of the plan
ENOUGH = 300  # with so many it needs no better start
CLOSE = 1e-5  # gaps below this are not worth an exchange


def cardinality(
    C: Any,
    a: Any = None,
    b: Any = None,
    k: int = 2,
    gamma: float = 1.0,
    *,
    mode: str = "relaxed",
    method: str = "auto",
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 2000,
    max_nodes: int | None = None,
    sparse: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> CardinalityResult:
    r"""Optimal transport in which every column of the plan has at most k nonzeros.

    .. math:: \min_T\ \langle C, T\rangle + \tfrac\gamma2 \|T\|_F^2 \quad\text{subject to}\quad
        T \ge 0,\ T 1 = a,\ T^\top 1 = b,\ \|t_j\|_0 \le k

    This is hard to solve. Its dual is the dual of a convex problem as well, in which the norm of a
    column and the limit are replaced by the k-support norm,

    .. math:: \min_T\ \langle C, T\rangle + \tfrac\gamma2 \sum_j (\|t_j\|_k^{sp})^2, \qquad
        (\|t\|_k^{sp})^2 = \min\Big\{\sum_i t_i^2 / u_i : 0 \le u \le 1,\ \sum_i u_i \le k\Big\}

    on the same polytope. ``mode="relaxed"`` solves this one, with exact marginals; some columns
    may then have a few entries more than k. ``mode="hard"`` looks for a plan within the limit,
    starting from it, and reports how far from optimal it can be. For small problems
    (``max_nodes``) branch and bound proves it optimal.

    With k = 1 the relaxation is unregularised transport (plus :math:`\frac\gamma2 \|b\|^2`), with
    k = n it is quadratic transport.

    Parameters
    ----------
    C : array_like, shape (n, m), or PointCost
        Costs; infinity forbids a pair.
    a, b : array_like, shapes (n,) and (m,), optional
        Nonnegative masses of equal sum; uniform with total 1 by default.
    k : int
        Most nonzeros in a column, between 1 and n.
    gamma : float
        Strength of the regularisation, in units of cost over mass.
    mode : {"relaxed", "hard"}
        Which problem to solve.
    method : {"auto", "newton", "dual", "semi-dual"}
        How to solve the relaxation. ``"newton"``, the default: proximal steps in the plan, each by
        a semismooth Newton method in the row potentials. ``"dual"`` and ``"semi-dual"`` are the
        published ones, L-BFGS on a function that is not smooth where it counts: they often end
        with wrong marginals, and serve for comparison.
    x0 : CardinalityResult, pair (f, g) or g, optional
        Warm start.
    tol : float
        Bound on the certificate: the larger of the marginal error and the duality gap of the
        relaxation, both relative (to the mass; to a bound of the objective of the product plan,
        with costs far from zero shifted to it). With ``mode="hard"`` it is the certificate of the
        result, the marginal error of its plan.
    max_iter : int
        Newton steps (iterations of L-BFGS) for the relaxation.
    max_nodes : int, optional
        Relaxations that branch and bound may solve with ``mode="hard"``; by default
        ``20_000 // (n m)``, which is enough for a proof where n m is around 50 or less. 0 turns it
        off.
    sparse : bool
        Whether ``plan`` is a CSR array.
    callback : callable, optional
        Called with the state of the relaxation after each step; raising ``StopIteration`` ends it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    CardinalityResult
        ``history`` has ``marginal_error``, ``gap`` (relative) and ``rho``, the weight of the
        proximal term, where they were evaluated.

    Raises
    ------
    ValueError
        If the problem is not well formed (see `entropic`), the pairs that are not forbidden cannot
        carry the masses, k is out of range, or k m < n atoms with mass: there are then fewer
        places than rows that need one.
    TypeError
        If k is not an integer.

    Warns
    -----
    ConvergenceWarning
        If the relaxation does not reach ``tol``, or no plan within the limit was found with
        ``mode="hard"``: the result then has ``feasible=False``.
    UserWarning
        If k m < n + m - 1 and the plan found exceeds the limit. For masses in general position
        (no partial sum of a equals one of b) no plan keeps such a limit.

    Notes
    -----
    The dual bound of ``mode="relaxed"`` is valid for any potentials, converged or not. Finding
    any plan within the limit is hard in itself when k m is near n + m - 1.

    References
    ----------
    T. Liu, J. Puigcerver, M. Blondel (2023). Sparsity-constrained optimal transport. ICLR,
    arXiv 2209.15466.

    A. Argyriou, R. Foygel, N. Srebro (2012). Sparse prediction with the k-support norm. NIPS.

    X. Li, D. Sun, K.-C. Toh (2018). A highly efficient semismooth Newton augmented Lagrangian
    method for solving lasso problems. SIAM J. Optim. 28(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> x, y = np.linspace(0, 1, 6), np.linspace(0, 1, 4)
    >>> C = (x[:, None] - y) ** 2
    >>> result = transport.cardinality(C, k=2, gamma=0.1, mode="hard")
    >>> result.max_nonzeros, bool(result.feasible)
    (2, True)
    >>> bool(-1e-9 <= result.gap < 1e-6)
    True
    """
    problem = check_problem(C, a, b)
    n, m = problem.rows.size, problem.cols.size
    k = integer("k", k, 1, problem.given.shape[0])
    gamma, tol = positive("gamma", gamma), positive("tol", tol)
    choice("mode", mode, ("relaxed", "hard"))
    method = choice("method", method, ("auto", "newton", "dual", "semi-dual"))
    if max_nodes is None:
        max_nodes = PROOF // (n * m)
    max_nodes = integer("max_nodes", max_nodes, 0)
    if k * m < n:
        raise ValueError(
            f"k must be at least {-(-n // m)} for {n} rows with mass and {m} columns, got {k}"
        )
    columns = Columns(transposed(problem), problem.a, problem.b, min(k, n), gamma)
    if problem.forbidden:
        check_open(columns.cost, problem.a, problem.b, tol)
    method = "newton" if method == "auto" else method
    run = _relaxed(problem, columns, method, x0, tol, max_iter, callback, progress)
    fields = run.fields(method)
    alpha = run.state.x[:n]
    beta = run.state.x[n:] if method == "dual" else columns.bound(alpha).beta
    shift = problem.shift * problem.mass
    fields["fun"] += shift
    fields["history"]["fun"] += shift
    bound, plan = run.state.fun, run.state.plan
    feasible = np.abs(columns.a - plan.sum(axis=0)).sum() <= tol * columns.mass
    if mode == "hard":
        found, bound = _hard(problem, columns, run.state, tol, max_nodes)
        plan, feasible = found.plan, found.error <= tol
        fields |= _verdict(found, feasible, bound, run)
    counts = int((plan > 0.0).sum(axis=1).max())
    if k * m < n + m - 1 and (counts > k or not feasible):
        warn_outside(
            f"k = {k} leaves {k * m} places, fewer than n + m - 1 = {n + m - 1}: for masses in "
            f"general position no plan has at most k entries per column",
            UserWarning,
        )
    fields |= problem_fields(problem, alpha, beta, sparse)
    return CardinalityResult(
        **fields,
        k=k,
        gamma=gamma,
        mode=mode,
        bound=float(bound + shift),
        feasible=bool(feasible),
        entries=stored(problem, plan),
    )


def _relaxed(
    problem: Problem,
    columns: Columns,
    method: str,
    x0: Any,
    tol: float,
    max_iter: int,
    callback: Any,
    progress: bool,
) -> Run[Any]:
    start = problem.start(x0)
    alpha = None
    if start is not None:
        alpha = (columns.cost - start[1][:, None]).min(axis=0) if start[0] is None else start[0]
    options: dict[str, Any] = {
        "tol": tol,
        "max_iter": max_iter,
        "callback": callback,
        "progress": progress,
        "label": f"cardinality {method}",
    }
    if method == "newton":
        solver = Relaxation(columns, problem.span, tol)
        first = solver.start(alpha, reduced_plan(problem, x0))
        return iterate(first, solver.step, certificate="marginal error and gap", **options)
    other = FirstOrder(columns, method, problem.span)
    return iterate(other.start(alpha), other.step, certificate="marginal error", **options)


def _hard(
    problem: Problem, columns: Columns, state: Any, tol: float, nodes: int
) -> tuple[Candidate, float]:
    """The best plan within the limit, and the best lower bound."""
    search = Search(columns, problem.span, min(tol, 1e-9))
    root = state
    if not isinstance(state, RelaxedState):
        root = Relaxation(columns, problem.span, tol).start(state.alpha, state.plan)
    heuristic(search, root)
    if nodes < ENOUGH and search.ceiling - root.fun > CLOSE * search.scale:
        exchange(search)
    bound = root.fun
    if nodes and search.ceiling > root.fun:
        bound = branch_and_bound(search, root, nodes)
    assert search.best is not None
    return search.best, min(bound, max(search.ceiling, root.fun))


def _verdict(found: Candidate, feasible: bool, bound: float, run: Run[Any]) -> dict[str, Any]:
    """What the hard mode changes in the fields of the record, and the warning."""
    status = run.status
    if feasible:
        gap = max(found.value - bound, 0.0)
        message = f"within the limit; gap {gap:.3g}. Relaxation: {run.message}"
        status = Status.CONVERGED if status is not Status.STOPPED else status
    else:
        proved = "no plan keeps the limit" if math.isinf(bound) else "found no plan that keeps it"
        message = f"not converged: {proved}; marginal error {found.error:.2e} of the plan returned"
        status = Status.STALLED
        warn_outside(message, ConvergenceWarning)
    return {
        "certificate": found.error,
        "message": message,
        "status": status,
        "success": status.is_success,
    }
