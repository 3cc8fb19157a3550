"""Optimal transport with a quadratic regulariser: few entries, solved by semismooth Newton."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core import State
from .._core._validate import positive
from ._problem import check_problem
from ._quadratic_newton import solve
from ._quadratic_result import QuadraticResult, stored_plan
from ._result import problem_fields


def quadratic(
    C: Any,
    a: Any,
    b: Any,
    gamma: float,
    *,
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 2000,
    sparse: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> QuadraticResult:
    r"""Transport with a squared Frobenius norm, whose plan has few nonzeros.

    .. math::
        \min_{T \ge 0}\ \langle C, T\rangle + \frac\gamma2 \|T\|_F^2
        \quad \text{with } T 1 = a,\ T^\top 1 = b

    Its dual is :math:`\max_{f, g}\ \langle a, f\rangle + \langle b, g\rangle - \frac1{2\gamma}
    \sum_{ij} \max(f_i + g_j - C_{ij}, 0)^2`, and :math:`T_{ij} = \max(f_i + g_j - C_{ij}, 0) /
    \gamma`. The strength compares with :math:`\max(n, m) (\max C - \min C) / \sum_i a_i`: there
    rows of a plan of 500 atoms have some tens of entries, a hundred times below it a few, and in
    the limit zero the plan is that of smallest norm among the optimal ones without regulariser.

    Newton steps on g, with f at its best, solve a Laplacian system of the graph of the entries
    that are active. Each is followed by a sweep that fits f and g in turn. Without a warm start
    the strength falls by factors of ten. Entries far from active are not looked at between two
    passes over the costs, which are made when the potentials have moved so far that it matters.

    Parameters
    ----------
    C : array_like, shape (n, m), or PointCost
        Costs. Infinite ones forbid a pair: the plan is restricted to the others.
    a, b : array_like, shapes (n,) and (m,), or None
        Nonnegative masses of equal total; None is uniform with total 1.
    gamma : float
        The quadratic strength, in the units of cost over mass.
    x0 : result, pair of ndarray, or ndarray of shape (m,), optional
        Warm start: a result, potentials (f, g), or g alone (f follows from g).
    tol : float
        Bound for the certificate, the L1 error of both marginals over the total mass.
    max_iter : int
        Budget of Newton steps, on the whole path.
    sparse : bool
        Make ``plan`` a CSR array with exact marginals.
    callback : callable, optional
        Called with the state after each step; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.

    Returns
    -------
    QuadraticResult
        Potentials, plan and certificates.

    Raises
    ------
    ValueError, TypeError
        For costs, masses or parameters that are not valid.

    Warns
    -----
    ConvergenceWarning
        If the marginal error stayed above ``tol``: with forbidden pairs because no plan may
        exist, which the message then says. Masses over many orders together with a strength
        below 1e-4 of the range of the costs over the mass can use up the budget, too; bracket
        and gap are valid then.

    References
    ----------
    D. Lorenz, P. Manns, C. Meyer (2021). Quadratically regularized optimal transport. Applied
    Mathematics & Optimization 83, arXiv 1903.01112.
    M. Blondel, V. Seguy, A. Rolet (2018). Smooth and sparse optimal transport. AISTATS, arXiv
    1710.06276.

    Examples
    --------
    >>> from sparseopt import transport
    >>> C = [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    >>> result = transport.quadratic(C, None, None, gamma=1.0)
    >>> result.plan.round(3)
    array([[0.333, 0.   , 0.   ],
           [0.   , 0.333, 0.   ],
           [0.   , 0.   , 0.333]])
    >>> transport.quadratic(C, None, None, gamma=9.0).plan.round(3)
    array([[0.235, 0.086, 0.012],
           [0.086, 0.16 , 0.086],
           [0.012, 0.086, 0.235]])
    """
    gamma = positive("gamma", gamma)
    problem = check_problem(C, a, b)
    run, point = solve(
        problem,
        gamma,
        problem.start(x0),
        tol=tol,
        max_iter=max_iter,
        callback=callback,
        progress=progress,
    )
    fields = run.fields("newton")
    fields |= problem_fields(problem, point.f, point.g, sparse)
    fields["entries"] = stored_plan(problem, point.ptr, point.active, point.x / gamma)
    return QuadraticResult(**fields, gamma=gamma)
