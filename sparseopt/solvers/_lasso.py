"""The lasso, the elastic net and l1-regularised logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import State
from .._core._validate import parameter
from .._core._validate import positive as positive_number
from ..losses import LeastSquares, Logistic
from ..penalties import L1, ElasticNet, NonnegativeL1
from ._fit import Fit
from ._working_set import working_set


def lasso(
    A: Any,
    y: Any,
    lam: float,
    *,
    weights: Any = None,
    positive: bool = False,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Least squares with an l1 norm, to a certified duality gap.

    .. math:: \min_{x, b}\ \tfrac12 \sum_i v_i\, (a_i^T x + b - y_i)^2
        + \lambda \sum_j w_j |x_j|

    There is no 1/m: ``lam`` is m times scikit-learn's ``alpha``. Zero is the solution from
    `lam_max` on.

    Parameters
    ----------
    A : ndarray or SciPy sparse array, shape (m, n)
        Real design. Sparse input is never made dense, with an intercept neither.
    y : array_like, shape (m,)
        Data.
    lam : float
        Level, >= 0. Zero is least squares, with a warning.
    weights : array_like, shape (n,), optional
        Weights w >= 0 of the coordinates; 0 leaves one free, ``inf`` fixes it to zero.
    positive : bool
        Allow only x >= 0.
    intercept : bool
        Add the unpenalised constant b; it is returned as ``intercept``.
    sample_weights : array_like, shape (m,), optional
        Weights v >= 0 of the residuals.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the relative duality gap (P - D) / P(0), by default 1e-6, and 1e-4 for float32;
        P(0) is the objective of the best constant (0 without an intercept). With free
        coordinates see `working_set`.
    max_iter : int
        Budget of working sets; rarely more than 15 are needed.
    callback : callable, optional
        Called with the state after each iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Fit
        With ``x``, ``intercept``, ``fun``, ``certificate`` and ``dual``, the scaled residual that
        proves it.

    Raises
    ------
    ValueError
        If ``lam`` or a weight is negative or NaN, shapes do not fit, or data is not finite.
    TypeError
        If ``A`` is an operator (use `minimize`) or complex.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best iterate is returned.
    UserWarning
        If ``lam`` is 0.

    See Also
    --------
    lasso_path : Many levels, with cross-validation.
    working_set : The algorithm, for other losses and penalties.

    References
    ----------
    R. Tibshirani (1996). Regression shrinkage and selection via the lasso. J. R. Stat. Soc. B
    58(1). For the algorithm see `working_set`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 100))
    >>> y = A[:, 3] - 2 * A[:, 7] + 5.0
    >>> result = solvers.lasso(A, y, 2.0, intercept=True)
    >>> np.flatnonzero(result.x), round(result.intercept, 1)
    (array([3, 7]), 5.0)
    >>> result.certificate <= 1e-6
    True
    """
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    levels = _levels(lam, _weights(weights, loss))
    penalty = NonnegativeL1(levels) if positive else L1(levels)
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def elastic_net(
    A: Any,
    y: Any,
    lam: float,
    ridge: float,
    *,
    weights: Any = None,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Least squares with an l1 norm and a ridge.

    .. math:: \min_{x, b}\ \tfrac12 \sum_i v_i\, (a_i^T x + b - y_i)^2
        + \lambda \sum_j w_j |x_j| + \tfrac{\mu}{2} \|x\|_2^2

    In scikit-learn's terms ``lam`` is ``m alpha l1_ratio`` and ``ridge`` is
    ``m alpha (1 - l1_ratio)``.

    Parameters
    ----------
    A, y, lam, weights, intercept, sample_weights, x0, tol, max_iter, callback, progress
        See `lasso`.
    ridge : float
        Level mu of the ridge, > 0.

    Returns
    -------
    Fit
        As `lasso` returns.

    Raises
    ------
    ValueError, TypeError
        As `lasso` does, and if ``ridge`` is not positive.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best iterate is returned.
    UserWarning
        If ``lam`` is 0: that is ridge regression.

    References
    ----------
    H. Zou, T. Hastie (2005). Regularization and variable selection via the elastic net.
    J. R. Stat. Soc. B 67(2).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.repeat(np.random.default_rng(0).standard_normal((30, 5)), 2, axis=1)
    >>> result = solvers.elastic_net(A, A[:, 0], 1.0, 0.5)
    >>> np.flatnonzero(result.x)  # columns that are equal share their weight
    array([0, 1])
    """
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    ridge = positive_number("ridge", ridge)
    penalty = ElasticNet(_levels(lam, _weights(weights, loss), ridge), ridge)
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def logistic_l1(
    A: Any,
    y: Any,
    lam: float,
    *,
    weights: Any = None,
    positive: bool = False,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Logistic regression with an l1 norm, to a certified duality gap.

    .. math:: \min_{x, b}\ \sum_i v_i \log\bigl(1 + e^{-y_i (a_i^T x + b)}\bigr)
        + \lambda \sum_j w_j |x_j|, \qquad y_i \in \{-1, 1\}

    ``lam`` is 1 / C in scikit-learn's terms.

    Parameters
    ----------
    A, lam, weights, positive, intercept, sample_weights, x0, tol, max_iter, callback, progress
        See `lasso`.
    y : array_like, shape (m,)
        Labels of two classes, any two values; the larger counts as +1.

    Returns
    -------
    Fit
        As `lasso` returns.

    Raises
    ------
    ValueError, TypeError
        As `lasso` does, and if ``y`` has not exactly two classes.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best iterate is returned.

    References
    ----------
    K. Koh, S.-J. Kim, S. Boyd (2007). An interior-point method for large-scale l1-regularized
    logistic regression. JMLR 8. For the algorithm see `working_set`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((60, 100))
    >>> result = solvers.logistic_l1(A, A[:, 3] - A[:, 7] > 0, 8.0)
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    loss = Logistic(A, y, sample_weights=sample_weights, intercept=intercept)
    levels = _levels(lam, _weights(weights, loss))
    penalty = NonnegativeL1(levels) if positive else L1(levels)
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def _weights(weights: Any, loss: Any) -> Any:
    """Weights of the coordinates, of the right shape."""
    if weights is not None and np.shape(weights) not in ((), loss.shape[:1]):
        raise ValueError(f"weights must have shape {loss.shape[:1]}, got {np.shape(weights)}")
    return weights


def _levels(lam: Any, weights: Any, other: float = 0.0) -> Any:
    """``lam`` times the weights, checked; ``other`` is the level of another penalty beside it."""
    lam = parameter("lam", lam, finite=True)
    if np.ndim(lam):
        raise ValueError(f"lam must be a number (see weights), got shape {np.shape(lam)}")
    if lam == 0.0:
        free = "lam = 0 leaves every coordinate free: nothing makes the answer sparse"
        many = ", and with more coordinates than data it is one of many"
        warnings.warn(
            f"lam = 0 leaves the other penalty alone, of level {other:g}" if other else free + many,
            UserWarning,
            stacklevel=3,
        )
    if weights is None:
        return lam
    weights = parameter("weights", weights)
    return np.where(
        np.asarray(weights) == np.inf, np.inf, lam * np.where(np.isinf(weights), 0.0, weights)
    )
