"""Entropic optimal transport: the front."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Run
from .._core._validate import choice, positive
from ._entropic_result import SINKHORN, EntropicResult, EntropicState
from ._gibbs import first_kernel, kernel_state
from ._problem import Problem, check_problem
from ._result import problem_fields

Array = np.ndarray[Any, Any]

_METHODS = {
    "newton": ("_entropic_newton", "solve_newton"),
    "sinkhorn": ("_sinkhorn", "solve_sinkhorn"),
    "log-sinkhorn": ("_log_sinkhorn", "solve_log_sinkhorn"),
    "newton-sparse": ("_newton_sparse", "solve_newton_sparse"),
}

_SHARED = {"problem", "eps", "start", "tol", "max_iter", "callback", "progress"}


def entropic(
    C: Any,
    a: Any,
    b: Any,
    eps: float,
    *,
    method: str = "auto",
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 100_000,
    sparse: bool = False,
    callback: Callable[[EntropicState], object] | None = None,
    progress: bool = False,
    **options: Any,
) -> EntropicResult:
    r"""Optimal transport with an entropic term, to high accuracy at any strength.

    .. math::
        \min_{P \ge 0} \langle C, P\rangle + \varepsilon \sum_{ij} P_{ij} (\log P_{ij} - 1)
        \quad \text{with } P 1 = a,\ P^\top 1 = b

    Its dual is :math:`\max_{f, g} \langle a, f\rangle + \langle b, g\rangle - \varepsilon
    \sum_{ij} P_{ij}`, :math:`P_{ij} = \exp((f_i + g_j - C_{ij}) / \varepsilon)`.

    Parameters
    ----------
    C : array_like, shape (n, m), or PointCost
        Costs, float32 or float64. Infinite entries forbid a pair.
    a, b : array_like, shapes (n,) and (m,), or None
        Nonnegative masses of equal total; None is uniform with total 1.
    eps : float
        The strength, in the units of the cost. The transport cost of the plan exceeds the least
        one by at most ``eps * log(min(n, m))`` for masses of total 1.
    method : {"auto", "newton", "sinkhorn", "log-sinkhorn", "newton-sparse"}
        ``"newton"`` (what ``"auto"`` takes) follows a path of falling strengths by sweeps of
        Sinkhorn and guarded sparse Newton steps, and stays with sweeps where they are cheaper.
        ``"sinkhorn"`` scales rows and columns at one strength, ``"log-sinkhorn"`` does so in the
        log domain, ``"newton-sparse"`` is Sinkhorn-Newton-Sparse as it was published.
    x0 : EntropicResult, pair of ndarray, or ndarray of shape (m,), optional
        Warm start: a result, potentials (f, g), or g alone.
    tol : float
        Bound for the certificate, the marginal error
        :math:`(\|P1 - a\|_1 + \|P^\top 1 - b\|_1) / \sum_i a_i`.
    max_iter : int
        Budget of sweeps and Newton steps together.
    sparse : bool
        Make ``plan`` a CSR array with exact marginals.
    callback : callable, optional
        Called with the state after some sweeps or a Newton step; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.
    **options
        Of the method: see the user guide.

    Returns
    -------
    EntropicResult
        Potentials, plan and certificates.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit; if masses are negative, not finite, all zero or of different totals;
        if a cost is NaN, or an atom has no finite cost; if ``eps``, ``tol`` or ``max_iter`` is
        out of range.

    Warns
    -----
    ConvergenceWarning
        If the marginal error stayed above ``tol``: with forbidden pairs because no plan may
        exist.

    References
    ----------
    M. Cuturi (2013). Sinkhorn distances: lightspeed computation of optimal transport. NeurIPS,
    arXiv 1306.0895.
    X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying
    (2024). Accelerating Sinkhorn algorithm with sparse Newton iterations. ICLR, arXiv 2401.12253.
    Z. Tang, Y. Qiu (2024). Safe and sparse Newton method for entropic-regularized optimal
    transport. NeurIPS.

    Examples
    --------
    >>> from sparseopt import transport
    >>> result = transport.entropic([[0.0, 1.0], [1.0, 0.0]], [0.5, 0.5], [0.5, 0.5], eps=0.1)
    >>> result.plan.round(3)
    array([[0.5, 0. ],
           [0. , 0.5]])
    >>> lower, upper = result.bracket
    >>> lower <= 0.0 <= upper
    True
    """
    eps = positive("eps", eps)
    choice("method", method, ["auto", *_METHODS])
    problem = check_problem(C, a, b)
    name = "newton" if method == "auto" else method
    module, function = _METHODS[name]
    solve = getattr(importlib.import_module(f".{module}", __package__), function)
    own = inspect.signature(solve).parameters.keys() - _SHARED
    if unknown := options.keys() - own:
        raise TypeError(
            f"method={name!r} takes {sorted(own) or 'no options'}, got {sorted(unknown)}"
        )
    start = problem.start(x0)
    run: Run[EntropicState] = solve(
        problem,
        eps,
        start,
        tol=tol,
        max_iter=max_iter,
        callback=callback,
        progress=progress,
        **options,
    )
    return _result(problem, eps, run, name, sparse)


def _result(
    problem: Problem, eps: float, run: Run[EntropicState], method: str, sparse: bool
) -> EntropicResult:
    """The record; a run that ended before the last strength of its path is measured at the end."""
    state = run.state
    fields = run.fields(method)
    if math.isnan(state.certificate):
        kernel = first_kernel(problem, eps, state.f, state.g)
        state = kernel_state(kernel, SINKHORN, 0)
        fields["certificate"], fields["fun"] = state.certificate, state.fun
        fields["message"] = run.message.replace("error nan", f"error {state.certificate:.2e}")
    fields["fun"] += problem.shift * problem.mass
    fields |= problem_fields(problem, state.f, state.g, sparse)
    return EntropicResult(**fields, eps=eps)
