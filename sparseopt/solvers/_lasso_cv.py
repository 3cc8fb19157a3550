"""The lasso at a level chosen by cross-validation."""

from __future__ import annotations

from typing import Any

from ..losses import LeastSquares
from ._cross_validate import CrossValidation, validate
from ._lam_max import lam_max
from ._lasso_path import default_ratio, lasso_penalty
from ._path import level_function, levels


def lasso_cv(
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
    folds: Any = 5,
    rule: str = "one_standard_error",
    rng: Any = None,
    n_jobs: int = 1,
    tol: float | None = None,
    max_iter: int = 200,
) -> CrossValidation:
    """The lasso, at a level chosen by K-fold cross-validation.

    Columns are not scaled. The score is half the mean squared error of the held-out samples.

    Parameters
    ----------
    A, y, lams, n_lams, ratio, weights, positive, ridge, intercept, sample_weights, tol, max_iter
        See `lasso_path`. ``ridge`` is for all of the data, as ``lams`` are.
    folds, rule, rng, n_jobs
        See `cross_validate`.

    Returns
    -------
    CrossValidation
        The `Fit` for all of the data at the chosen level, with ``lams``, ``scores`` (L, K),
        ``mean``, ``standard_error``, ``best`` and ``one_standard_error``.

    Raises
    ------
    ValueError, TypeError
        As `lasso_path` and `cross_validate` do.

    Warns
    -----
    ConvergenceWarning
        At each level whose gap does not reach ``tol``.

    References
    ----------
    R. Tibshirani (1996). Regression shrinkage and selection via the lasso. J. R. Stat. Soc. B
    58(1). For the rule see `cross_validate`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import datasets, solvers
    >>> A, y, x = datasets.ar_regression(80, 200, 0.3, 4, rng=0)
    >>> result = solvers.lasso_cv(A, y, rng=0)
    >>> np.isin(np.flatnonzero(np.abs(x) > 0.5), np.flatnonzero(result.x)).all()
    np.True_
    """
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    top = lasso_penalty(weights, positive, ridge)

    def of_part(part: float) -> Any:
        at = level_function(lasso_penalty(weights, positive, ridge * part))
        return lambda lam: at(lam * part)

    ratio = default_ratio(loss) if ratio is None else ratio
    return validate(
        loss,
        of_part,
        levels(lams, lambda: lam_max(loss, level_function(top)(1.0)), n_lams, ratio),
        folds=folds,
        rule=rule,
        rng=rng,
        n_jobs=n_jobs,
        tol=tol,
        max_iter=max_iter,
    )
