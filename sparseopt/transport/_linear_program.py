"""The transport problem as a linear program, on all pairs or on those that matter."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._core import ConvergenceWarning
from ._problem import Problem
from ._rounding import round_by_flow, round_sparse

Array = np.ndarray[Any, Any]

STRENGTH, ROUGH = 1e-4, 1e-3  # of the entropic problem that picks pairs, and its marginal error
PAIRS = 4  # pairs picked, and added at most in a round, per atom
ROUNDS = 30
NEGATIVE = 1e-11  # reduced costs below it, relative to the range of costs, ask for their pair


def solve_whole(costs: Array, problem: Problem) -> tuple[Array, Array, Array, Array]:
    """All finite pairs at once: rows, columns and masses of the plan, and g."""
    rows, cols = np.nonzero(np.isfinite(costs))
    found = _linprog(costs, problem, rows, cols)
    if found is None:
        raise no_plan()
    plan, _, g = found
    return (*exact_marginals(plan, costs, problem), g)


def solve_reduced(costs: Array, problem: Problem) -> tuple[Array, Array, Array, Array]:
    """The pairs of least reduced cost under entropic potentials, more where the prices ask.

    The prices of the last program are feasible for all pairs, so its plan is optimal among all.
    """
    from ._entropic import entropic

    eps = STRENGTH * problem.span
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rough = entropic(problem.cost, problem.a, problem.b, eps, tol=ROUGH)
    f, g = rough.potentials
    n, m = costs.shape
    # A plan with the right marginals, so that the first program has a solution.
    start = rough.sparse_plan(ROUGH * problem.mass / (n * m)).tocoo()
    inside = np.zeros((n, m), dtype=bool)
    inside[start.row, start.col] = True
    inside.flat[_lowest((costs - f[:, None] - g).ravel(), PAIRS * (n + m))] = True
    inside &= np.isfinite(costs)
    for _ in range(ROUNDS):
        found = _linprog(costs, problem, *np.nonzero(inside))
        if found is None:  # only forbidden pairs can do this
            return solve_whole(costs, problem)
        plan, f, g = found
        reduced = costs - f[:, None] - g
        asking = np.flatnonzero(reduced < -NEGATIVE * problem.span)
        if not asking.size:
            break
        inside.flat[asking[_lowest(reduced.flat[asking], PAIRS * (n + m))]] = True
    return (*exact_marginals(plan, costs, problem), g)


def _lowest(values: Array, count: int) -> Array:
    """Places of the lowest values, all if there are not more."""
    return np.argpartition(values, count)[:count] if count < values.size else np.arange(values.size)


def _linprog(
    costs: Array, problem: Problem, rows: Array, cols: Array
) -> tuple[Any, Array, Array] | None:
    """Plan and prices of the program on some pairs, or None if it has no solution."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, csc_array

    n, m = costs.shape
    each = np.arange(rows.size)
    sums = csc_array(
        (np.ones(2 * each.size), (np.concatenate([rows, n + cols]), np.concatenate([each, each]))),
        shape=(n + m, each.size),
    )
    # Scaled to unit mass and costs: the tolerances of HiGHS are absolute.
    scale = problem.span if problem.span > 0.0 else 1.0
    marginals = np.concatenate([problem.a, problem.b]) / problem.mass
    # One equation follows from the others; with rounding it would contradict them.
    kept = np.delete(np.arange(n + m), n + int(problem.b.argmax()))
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(
        costs[rows, cols] / scale,
        A_eq=sums.tocsr()[kept],
        b_eq=marginals[kept],
        method="highs-ds",
        options=options,
    )
    if found.status == 2:
        return None
    if found.x is None:
        raise RuntimeError(f"HiGHS found no plan: {found.message}")
    plan = coo_array((found.x * problem.mass, (rows, cols)), shape=(n, m))
    prices = np.zeros(n + m)
    prices[kept] = scale * found.eqlin.marginals
    return plan, prices[:n], prices[n:]


def exact_marginals(plan: Any, costs: Array, problem: Problem) -> tuple[Array, Array, Array]:
    """Rows, columns and masses of the plan without the rounding errors of its marginals."""
    if problem.forbidden:
        plan = round_by_flow(plan, problem.a, problem.b, np.isfinite(costs)).tocoo()
    else:
        plan = round_sparse(plan, problem.a, problem.b).tocoo()
    kept = plan.data > 0.0
    return plan.row[kept], plan.col[kept], plan.data[kept]


def no_plan() -> ValueError:
    """The error of a problem whose forbidden pairs leave no plan."""
    return ValueError(
        "C must leave a plan with the masses a and b, got forbidden pairs (infinite costs) that "
        "leave none"
    )
