"""The lasso and the elastic net at many levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core._validate import parameter
from ..losses import LeastSquares
from ..penalties import L1, ElasticNet, NonnegativeL1
from ._fit import Fit
from ._path import Path, path


def lasso_path(
    A: Any,
    y: Any,
    *,
    lams: Any = None,
    n_lams: int = 100,
    ratio: float | None = None,
    weights: Any = None,
    positive: bool = False,
    ridge: float = 0.0,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[Fit], object] | None = None,
    progress: bool = False,
) -> Path:
    r"""The lasso at many levels, each with its certificate.

    .. math:: \min_{x, b}\ \tfrac12 \sum_i v_i\, (a_i^T x + b - y_i)^2
        + \lambda \sum_j w_j |x_j| + \tfrac{\mu}{2} \|x\|_2^2

    Every level starts from the solution, the correlations and the working set of the one before;
    most need one working set and one product with ``A``.

    Parameters
    ----------
    A, y, weights, positive, intercept, sample_weights, tol, max_iter
        See `lasso`.
    lams : array_like, shape (L,), optional
        Levels > 0, in any order. By default ``n_lams`` of them from `lam_max` downwards, evenly
        in the logarithm.
    n_lams : int
        Number of levels, unless ``lams`` are given.
    ratio : float, optional
        Smallest level by largest: by default 0.01 if ``A`` has fewer rows than columns, else
        0.001.
    ridge : float
        Level mu >= 0 of a ridge, the same at every level (elastic net). Not with ``positive``.
    x0 : array_like or Result, optional
        Start at the largest level; zero if not given.
    callback : callable, optional
        Called with the `Fit` at each level; raising ``StopIteration`` ends the path there.
    progress : bool
        Show a bar over the levels.

    Returns
    -------
    Path
        With ``lams``, solutions ``x`` of shape (n, L), ``intercepts``, ``certificate`` and
        ``support``.

    Raises
    ------
    ValueError, TypeError
        As `lasso` does; if a level is not positive, or a coordinate is left free so that there is
        no largest level and ``lams`` are not given.

    Warns
    -----
    ConvergenceWarning
        At each level whose gap does not reach ``tol``.

    See Also
    --------
    lasso_cv : Choose the level by cross-validation.
    gcv, sure, discrepancy_principle : Choose the level without folds.

    References
    ----------
    J. Friedman, T. Hastie, R. Tibshirani (2010). Regularization paths for generalized linear
    models via coordinate descent. J. Stat. Softw. 33(1). doi:10.18637/jss.v033.i01

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 100))
    >>> path = solvers.lasso_path(A, A[:, 3] - 2 * A[:, 7], n_lams=20)
    >>> path.x.shape, np.flatnonzero(path[10].x)
    ((100, 20), array([3, 7]))
    >>> path.certificate.max() <= 1e-6
    np.True_
    """
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    return path(
        loss,
        lasso_penalty(weights, positive, ridge),
        lams,
        n_lams=n_lams,
        ratio=default_ratio(loss) if ratio is None else ratio,
        x0=x0,
        tol=tol,
        max_iter=max_iter,
        callback=callback,
        progress=progress,
    )


def default_ratio(loss: Any) -> float:
    """Where a path ends: where data is scarce, levels further down fit nothing but noise."""
    m, n = loss.A.shape
    return 1e-2 if m < n else 1e-3


def lasso_penalty(weights: Any, positive: bool, ridge: Any) -> Any:
    """An l1 norm at level 1, or from the level to an elastic net."""
    weights = 1.0 if weights is None else parameter("weights", weights)
    ridge = parameter("ridge", ridge, finite=True)
    if np.ndim(ridge):
        raise ValueError(f"ridge must be a number, got shape {np.shape(ridge)}")
    if ridge == 0.0:
        return NonnegativeL1(weights) if positive else L1(weights)
    if positive:
        raise ValueError("ridge must be 0 with positive=True, got both")
    return lambda lam: ElasticNet(lam * weights, ridge)
