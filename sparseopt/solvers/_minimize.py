"""The front door to the solvers of ``loss + penalty``."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from .._core import Result, State
from .._core._validate import choice
from ..penalties import Zero
from ._terms import Coupling, split_terms

# Method: the function, found in the file of its name, and the options that are part of the name.
_METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "fista": ("proximal_gradient", {"accelerated": True}),
    "ista": ("proximal_gradient", {"accelerated": False}),
    "admm": ("admm", {}),
    "anderson": ("anderson", {}),
    "davis_yin": ("davis_yin", {}),
    "douglas_rachford": ("douglas_rachford", {}),
    "primal_dual": ("primal_dual", {}),
    "proximal_newton": ("proximal_newton", {}),
    "sparsa": ("sparsa", {}),
    "two_metric_projection": ("two_metric_projection", {}),
    "working_set": ("working_set", {}),
}


def minimize(
    loss: Any,
    penalty: Any = None,
    x0: Any = None,
    method: str = "auto",
    *,
    tol: float | None = None,
    max_iter: int | None = None,
    debias: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    r"""Minimise a smooth loss plus penalties.

    .. math:: \min_x\ f(A x) + g(x) + \sum_i h_i(K_i x)

    Parameters
    ----------
    loss : object
        Smooth term, for example ``losses.LeastSquares(A, y)``.
    penalty : object, or list of objects and pairs (h, K), optional
        A member of `sparseopt.penalties`, or any object with ``value(x)`` and ``prox(v, step)``.
        Several terms make a list, in which a pair ``(h, K)`` stands for h(K x): K is a matrix, a
        sparse array, an operator, or a class of operators to be called with the length of x.
    x0 : array_like or Result, optional
        Start; zero if not given.
    method : str
        One of ``"auto"``, ``"working_set"``, ``"fista"``, ``"ista"``, ``"sparsa"``,
        ``"anderson"``, ``"proximal_newton"`` and ``"two_metric_projection"`` for one penalty;
        ``"admm"``, ``"primal_dual"``, ``"davis_yin"`` and ``"douglas_rachford"`` for more. The
        page of each, in `sparseopt.solvers`, says what it asks for. ``"auto"`` takes working sets
        for an l1 norm (with a ridge, or on the positive side) of one real column with a matrix at
        hand, and FISTA for one penalty otherwise or where options are given; for more it takes
        ADMM where the step on the loss is a factorisation, else Davis-Yin for two
        penalties on x itself and the primal-dual method for the rest. The message says why.
    tol : float, optional
        Bound on the certificate, by default 1e-6 (1e-4 for float32): the relative duality gap
        where the penalties are convex and scaling a dual vector can make it feasible, else a
        residual without dimension. See `sparseopt.solvers.proximal_gradient` for one penalty,
        `sparseopt.solvers.admm` for several.
    max_iter : int, optional
        Iteration budget; by default that of the method.
    debias : bool
        Refit the loss alone on the support found; see `sparseopt.solvers.debias`.
    callback : callable, optional
        Called with the state after each iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.
    **options
        Further keyword arguments of the method.

    Returns
    -------
    Result
        With ``x``, ``fun``, ``success``, ``certificate``, ``message``, ``history`` and more; a
        `sparseopt.solvers.DebiasedResult` with ``debias``.

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
    A. Beck, M. Teboulle (2009). A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems. SIAM J. Imaging Sci. 2(1).

    Examples
    --------
    >>> import numpy as np
    >>> import sparseopt as so
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = so.minimize(so.losses.LeastSquares(A, y), so.penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    >>> result.certificate <= 1e-6
    True

    Total variation and non-negativity:

    >>> y = np.array([0.1, -0.1, 0.0, 4.1, 3.9, 4.0])
    >>> tv = (so.penalties.L1(0.3), so.linop.FiniteDifference)
    >>> loss = so.losses.LeastSquares(np.eye(6), y)
    >>> so.minimize(loss, [so.penalties.Box(0, np.inf), tv]).x.round(3)
    array([0.1, 0.1, 0.1, 3.9, 3.9, 3.9])
    """
    choice("method", method, ("auto", *_METHODS))
    chosen, why = (method, "") if method != "auto" else _choose(loss, penalty, bool(options))
    name, fixed = _METHODS[chosen]
    solver = getattr(importlib.import_module(f"._{name}", __package__), name)
    if isinstance(penalty, list) and len(penalty) < 2 and not _has_pairs(penalty):
        penalty = penalty[0] if penalty else None
    if max_iter is not None:
        options["max_iter"] = max_iter
    result: Result = solver(
        loss,
        penalty,
        x0=x0,
        tol=tol,
        callback=callback,
        progress=progress,
        **fixed,
        **options,
    )
    if why:
        result = dataclasses.replace(result, message=f"{result.message} (auto: {chosen}, {why})")
    if debias:
        from ._debias import debias as refit

        result = refit(loss, result)
    return result


def _has_pairs(penalty: Any) -> bool:
    return any(isinstance(term, tuple) for term in penalty)


def _choose(loss: Any, penalty: Any, has_options: bool) -> tuple[str, str]:
    """A method for the terms, and the reason in words."""
    g, pairs = split_terms(penalty)
    if not pairs:
        from ._working_set import has_exact_steps

        if not has_options and has_exact_steps(loss, g):
            return "working_set", "the columns of a matrix and an l1 norm"
        return "fista", "a smooth loss and one penalty"
    if loss is None:
        return "primal_dual", "no loss"
    from ._smooth_step import uses_factor

    own = [] if isinstance(g, Zero) else [(g, None)]
    couplings = [Coupling(h, K, loss) for h, K in (*own, *pairs)]
    if uses_factor(loss, couplings):
        return "admm", f"{len(couplings)} penalties, least squares of a matrix: a factorisation"
    if len(couplings) <= 2 and all(c.K is None for c in couplings):
        return "davis_yin", "two penalties on x"
    return "primal_dual", f"{len(couplings)} penalties, one at least of an operator"
