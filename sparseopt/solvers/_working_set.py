"""Coordinate descent on working sets, with exact steps on the support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import State
from ..losses._linear import LinearLoss
from ..penalties import L1, ElasticNet, NonnegativeL1, Separable
from ._composite import default_tolerance
from ._fit import Fit
from ._working_set_method import WorkingSet


def working_set(
    loss: Any,
    penalty: Any,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Minimise a loss of ``A x`` plus a separable penalty by coordinate descent on working sets.

    .. math:: \min_x\ f(A x) + \sum_j g_j(x_j)

    Here j counts coordinates, or groups of coordinates, or rows of a matrix x. Each iteration
    looks at all of them once, adds those that are furthest from optimal to the working set, and
    solves the problem there: cyclic sweeps of coordinate descent on a quadratic model (the problem
    itself for least squares), and for l1 norms an exact step, one triangular solve with a factor
    that follows the support. So the lasso ends at the exact solution after finitely many steps,
    not by slow convergence. Groups are minimised one by one, with sweeps extrapolated.

    Parameters
    ----------
    loss : object
        A member of `sparseopt.losses` with a matrix ``A``, dense or sparse (it is never made
        dense), and one column of data (more with `penalties.L21`); with its own ``intercept``
        and ``sample_weights``.
    penalty : object
        Separable: `penalties.L1` (also with a level per coordinate), `penalties.ElasticNet`,
        `penalties.NonnegativeL1`, and, without exact steps, `penalties.MCP`, `penalties.SCAD`
        and others with a finite slope at zero. Of groups: `penalties.GroupL2`,
        `penalties.SparseGroup`, `penalties.GroupMCP`, `penalties.GroupSCAD`; of rows:
        `penalties.L21`, for least squares.
    x0 : array_like or Result, optional
        Start; zero if not given, or if a convex objective is lower there.
    tol : float, optional
        Bound on the certificate, by default 1e-6 (1e-4 for float32): for l1 norms the relative
        duality gap (P - D) / P(0) with P(0) the objective at zero, where an intercept is the best
        constant. Otherwise (and where a coordinate is not penalised) the distance of minus the
        gradient from the subdifferential, divided by the norm of the gradient at the start.
    max_iter : int
        Budget of working sets.
    callback : callable, optional
        Called with the state after each iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Fit
        A `Result` with ``intercept``; its history has the sizes of ``support`` and
        ``working_set``, and counts of ``sweeps`` and triangular ``solves``.

    Raises
    ------
    TypeError
        If the loss has no matrix, or the penalty is not separable.
    ValueError
        If data has several columns and the penalty does not couple them.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.

    See Also
    --------
    lasso, elastic_net, logistic_l1, group_lasso, multitask_lasso : The most used cases.

    References
    ----------
    M. Massias, A. Gramfort, J. Salmon (2018). Celer: a fast solver for the lasso with dual
    extrapolation. ICML. arXiv:1802.07481.
    Q. Bertrand, M. Massias (2021). Anderson acceleration of coordinate descent. AISTATS.
    arXiv:2011.10065.
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131). arXiv:1712.08859.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 100))
    >>> loss = losses.LeastSquares(A, A[:, 3] - 2 * A[:, 7], intercept=True)
    >>> result = solvers.working_set(loss, penalties.MCP(3.0, 3.0))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    method = solver_of(loss, penalty, default_tolerance(tol, loss.dtype))
    return method.run(x0, max_iter=max_iter, callback=callback, progress=progress)


def solver_of(loss: Any, penalty: Any, tol: float) -> WorkingSet:
    """The method for coordinates or for groups, as the penalty asks."""
    if not isinstance(penalty, Separable):  # the kernels of groups take time to load
        from ._group_coordinates import GROUPED
        from ._group_working_set import GroupWorkingSet

        if isinstance(penalty, GROUPED):
            return GroupWorkingSet(loss, penalty, tol)
    return WorkingSet(loss, penalty, tol)


def has_exact_steps(loss: Any, penalty: Any) -> bool:
    """Whether this method ends at the exact solution, so that it is the one to choose."""
    from scipy.sparse import issparse

    return (
        isinstance(loss, LinearLoss)
        and len(loss.shape) == 1
        and loss.dtype.kind == "f"
        and (isinstance(loss.A, np.ndarray) or issparse(loss.A))
        and isinstance(penalty, L1 | ElasticNet | NonnegativeL1)
    )
