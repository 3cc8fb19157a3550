"""Transport without regularisation, by a solver for the linear program."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Status
from .._core._validate import choice
from ._explicit import ExplicitResult
from ._linear_program import exact_marginals, no_plan, solve_reduced, solve_whole
from ._problem import Problem, check_problem
from ._result import problem_fields

Array = np.ndarray[Any, Any]

SMALL = 20_000  # pairs up to which the whole linear program is solved at once
OPTIMAL = 1e-9  # relative gap below which a solver has kept its word


def exact(
    C: Any, a: Any = None, b: Any = None, *, method: str = "auto", sparse: bool = False
) -> ExplicitResult:
    r"""Solve the transport problem itself, without a regulariser.

    .. math::
        \min_{P \ge 0}\ \langle C, P\rangle \quad\text{subject to}\quad P1 = a,\ P^\top 1 = b

    The plan is a vertex: it has at most n + m - 1 nonzeros, beside corrections of rounding size
    that make the marginals exact. With the potentials :math:`f_i + g_j \le C_{ij}` it carries its
    own proof: ``result.gap`` is zero up to rounding.

    Parameters
    ----------
    C : array_like, shape (n, m), or PointCost
        Costs; infinite ones forbid a pair. The matrix is made if it is not given.
    a, b : array_like, shape (n,) and (m,), optional
        Masses, nonnegative and of equal totals; uniform if not given.
    method : {"auto", "assignment", "simplex", "reduced", "highs"}
        ``"assignment"``: SciPy's ``linear_sum_assignment``, for as many rows as columns and equal
        masses. ``"simplex"``: network simplex of POT, if it is installed. ``"highs"``: SciPy's
        ``linprog``, with one variable per finite cost (seconds for n = m = 300). ``"reduced"``:
        the same on the few pairs that potentials of `entropic` pick; the prices then show whether
        others are needed (about a second for n = m = 1000). ``"auto"`` takes the first of these
        that can be used, and ``"highs"`` where there are few pairs.
    sparse : bool
        Whether ``result.plan`` is a CSR array.

    Returns
    -------
    ExplicitResult
        With ``success`` if the relative duality gap, ``certificate``, is at most 1e-9.

    Raises
    ------
    ValueError
        For costs or masses that are not valid, forbidden pairs that leave no plan, or a method
        that does not fit.
    ImportError
        If ``method="simplex"`` and POT is not installed.

    References
    ----------
    D. Crouse (2016). On implementing 2D rectangular assignment algorithms. IEEE Trans. Aerosp.
    Electron. Syst. 52(4), doi 10.1109/TAES.2016.140952.
    N. Bonneel, M. van de Panne, S. Paris, W. Heidrich (2011). Displacement interpolation using
    Lagrangian mass transport. ACM Trans. Graph. 30(6), doi 10.1145/2070781.2024192.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> result = transport.exact([[0.0, 1.0], [2.0, 5.0]], [0.25, 0.75], [0.5, 0.5])
    >>> result.plan
    array([[0.  , 0.25],
           [0.5 , 0.25]])
    >>> result.cost
    2.5
    """
    problem = check_problem(C, a, b)
    choice("method", method, ("auto", *_SOLVERS))
    costs = problem.cost.tile(0, problem.a.size)
    chosen, why = _choose(method, problem)
    if chosen == "simplex" and problem.forbidden:
        found = _simplex(costs, problem)
        if np.isinf(costs[found[0], found[1]]).any():  # the penalty was too low, or no plan
            chosen, why = "highs", "forbidden pairs"
            found = solve_whole(costs, problem)
    else:
        found = _SOLVERS[chosen](costs, problem)
    rows, cols, mass, g = found
    f = _transform(costs, g)
    g = _transform(costs.T, f)
    primal = float(mass @ costs[rows, cols])
    dual = float(problem.a @ f + problem.b @ g)
    scale = problem.mass * problem.span
    gap = (primal - dual) / scale if scale > 0.0 else 0.0
    success = gap <= OPTIMAL
    fields = problem_fields(problem, f, g, sparse)
    return ExplicitResult(
        fun=dual + problem.mass * problem.shift,
        success=success,
        status=Status.CONVERGED if success else Status.MAX_ITER,
        message=f"{chosen} ({why}): relative duality gap {gap:.1e}",
        nit=0,
        certificate=gap,
        method=chosen,
        entries=_entries(problem, rows, cols, mass, costs),
        **fields,
    )


def _choose(method: str, problem: Problem) -> tuple[str, str]:
    """The solver to use, and why."""
    a, b = problem.a, problem.b
    even = a.size == b.size and max(np.ptp(a), np.ptp(b)) <= 1e-15 * problem.mass / a.size
    if method == "assignment" and not even:
        raise ValueError(
            "method 'assignment' needs equal masses on as many rows as columns, got "
            f"{a.size} and {b.size} with masses from {min(a.min(), b.min()):.6g} to "
            f"{max(a.max(), b.max()):.6g}"
        )
    if method != "auto":
        return method, "as asked"
    if even:
        return "assignment", "equal masses"
    try:
        import ot  # noqa: F401
    except ImportError:
        few = a.size * b.size <= SMALL
        return ("highs", "few pairs") if few else ("reduced", "POT is not installed")
    return "simplex", "POT is installed"


def _assignment(costs: Array, problem: Problem) -> tuple[Array, Array, Array, Array]:
    from scipy.optimize import linear_sum_assignment

    try:
        rows, cols = linear_sum_assignment(costs)
    except ValueError as error:
        raise no_plan() from error
    return rows, cols, problem.a.copy(), _assignment_potentials(costs, cols)


def _assignment_potentials(costs: Array, cols: Array) -> Array:
    r"""The g of an optimal assignment: shortest paths between columns.

    With f from the assigned pairs, :math:`f_i + g_j \le C_{ij}` reads
    :math:`g_j \le g_{c(i)} + C_{ij} - C_{i c(i)}`. Relaxing all of them at once is the method of
    Bellman and Ford; it needs at most n rounds, in practice a few.
    """
    n = cols.size
    lengths = costs - costs[np.arange(n), cols][:, None]
    g = np.zeros(n)
    noise = 1e-15 * float(np.abs(lengths[np.isfinite(lengths)]).max(initial=0.0))
    for _ in range(n):
        shorter = np.minimum(g, (lengths + g[cols][:, None]).min(axis=0))
        if (g - shorter).max() <= noise:
            break
        g = shorter
    return g


def _simplex(costs: Array, problem: Problem) -> tuple[Array, Array, Array, Array]:
    try:
        import ot
    except ImportError as error:
        raise ImportError("method 'simplex' needs POT: pip install pot") from error
    # A finite price for what is forbidden; the caller checks that nothing is sent there.
    price = 1.0 + 2.0 * min(costs.shape) * problem.span
    priced = np.where(np.isinf(costs), price, costs) if problem.forbidden else costs
    plan, log = ot.lp.emd(problem.a, problem.b, priced, numItermax=10**7, log=True)
    return (*exact_marginals(plan, costs, problem), np.asarray(log["v"], dtype=np.float64))


_SOLVERS = {
    "assignment": _assignment,
    "simplex": _simplex,
    "reduced": solve_reduced,
    "highs": solve_whole,
}


def _transform(costs: Array, g: Array) -> Array:
    """The largest potentials that are feasible beside g."""
    return (costs - g).min(axis=1)


def _entries(
    problem: Problem, rows: Array, cols: Array, mass: Array, costs: Array
) -> tuple[Array, Array, Array, Array]:
    """The plan in the numbering of all atoms, with the costs as given."""
    paid = costs[rows, cols] + problem.shift
    return problem.rows[rows], problem.cols[cols], mass, paid
