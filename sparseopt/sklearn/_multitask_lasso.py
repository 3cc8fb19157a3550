"""The multitask lasso as an estimator."""

from __future__ import annotations

from typing import Any

from .. import solvers
from .._core._validate import parameter
from ._base import Array, LinearRegressor


class MultiTaskLasso(LinearRegressor):
    r"""Least squares for several targets that share their features, to a certified duality gap.

    .. math:: \min_{W, b}\ \frac{1}{2n} \|X W^T + b - Y\|_F^2 + \alpha \sum_j \|W_{:j}\|_2

    The model of `sklearn.linear_model.MultiTaskLasso`, fitted by `solvers.multitask_lasso` with the
    level ``n * alpha``; designs may be sparse and samples weighted. With sample weights n is their
    sum.

    Parameters
    ----------
    alpha : float
        Level, >= 0.
    fit_intercept : bool
        Whether to fit the unpenalised constants b, one per target.
    tol : float, optional
        Bound on the relative duality gap: the gap divided by the objective of the best constants
        (of zero without an intercept). By default 1e-6, and 1e-4 for float32.
    max_iter : int
        Budget of working sets.
    warm_start : bool
        Start at the coefficients of the last fit, if their shape is the same.

    Attributes
    ----------
    coef_ : ndarray, shape (n_targets, n_features)
        Coefficients W; the columns of features that are left out are zero.
    sparse_coef_ : csr_array, shape (n_targets, n_features)
        The same, sparse.
    intercept_ : ndarray, shape (n_targets,), or 0.0
        The constants b; the number 0 without an intercept.
    n_iter_ : int
        Iterations done.
    dual_gap_ : float
        The relative duality gap that was reached; scikit-learn's is absolute.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if ``X`` is a data frame that has them.

    See Also
    --------
    sparseopt.solvers.multitask_lasso : The same as a function, with more controls.

    References
    ----------
    G. Obozinski, B. Taskar, M. I. Jordan (2010). Joint covariate selection and joint subspace
    selection for multiple classification problems. Stat. Comput. 20.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.sklearn import MultiTaskLasso
    >>> X = np.random.default_rng(0).standard_normal((60, 100))
    >>> Y = np.column_stack([X[:, 3] - X[:, 7], X[:, 3] + X[:, 7]])
    >>> model = MultiTaskLasso(alpha=0.1).fit(X, Y)
    >>> np.flatnonzero(model.coef_.any(axis=0))
    array([3, 7])
    """

    _multi_output = True

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        tol: float | None = None,
        max_iter: int = 200,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def __sklearn_tags__(self) -> Any:
        """Say that targets have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def _solve(self, X: Any, y: Array, mass: float, **controls: Any) -> solvers.Fit:
        if y.ndim == 1:
            raise ValueError(
                f"y must have shape (n_samples, n_targets), got {y.shape}: for one target use Lasso"
            )
        lam = mass * parameter("alpha", self.alpha, finite=True)
        return solvers.multitask_lasso(X, y, lam, **controls)
