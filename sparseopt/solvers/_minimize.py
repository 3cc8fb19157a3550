"""The front door to the solvers of ``loss + penalty``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from .._core import Result, State
from .._core._validate import choice
from ._proximal_gradient import proximal_gradient

_METHODS: dict[str, dict[str, Any]] = {
    "fista": {"accelerated": True},
    "ista": {"accelerated": False},
}


def minimize(
    loss: Any,
    penalty: Any = None,
    x0: Any = None,
    method: str = "auto",
    *,
    tol: float | None = None,
    max_iter: int = 10_000,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    r"""Minimise a smooth loss plus a penalty.

    .. math:: \min_x\ f(A x) + g(x)

    Parameters
    ----------
    loss : object
        Smooth term, for example ``losses.LeastSquares(A, y)``.
    penalty : object, optional
        A member of `sparseopt.penalties`, or any object with ``value(x)`` and ``prox(v, step)``.
    x0 : array_like or Result, optional
        Start; zero if not given.
    method : {"auto", "fista", "ista"}
        Algorithm; ``"auto"`` takes FISTA.
    tol : float, optional
        Bound on the certificate, by default 1e-6 (1e-4 for float32): the relative duality gap
        where the penalty is convex and has a conjugate, else the scaled fixed-point residual.
        See `sparseopt.solvers.proximal_gradient`.
    max_iter : int
        Iteration budget.
    callback : callable, optional
        Called with the state after each iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.
    **options
        Further keyword arguments of the method.

    Returns
    -------
    Result
        With ``x``, ``fun``, ``success``, ``certificate``, ``message``, ``history`` and more.

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
    """
    choice("method", method, ("auto", *_METHODS))
    chosen = "fista" if method == "auto" else method
    result = proximal_gradient(
        loss,
        penalty,
        x0=x0,
        tol=tol,
        max_iter=max_iter,
        callback=callback,
        progress=progress,
        **_METHODS[chosen],
        **options,
    )
    if method == "auto":
        result = dataclasses.replace(
            result, message=f"{result.message} (auto: {chosen}, a smooth loss and one penalty)"
        )
    return result
