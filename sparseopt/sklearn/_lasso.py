"""The lasso as an estimator."""

from __future__ import annotations

from typing import Any

from .. import solvers
from .._core._validate import parameter
from ._base import Array, LinearRegressor


class Lasso(LinearRegressor):
    r"""Least squares with an l1 norm, to a certified duality gap.

    .. math:: \min_{w, b}\ \frac{1}{2n} \|X w + b - y\|_2^2 + \alpha \|w\|_1

    The model of `sklearn.linear_model.Lasso`, fitted by `solvers.lasso` with the level
    ``n * alpha``. With sample weights n is their sum, and residuals are weighted.

    Parameters
    ----------
    alpha : float
        Level, >= 0. Zero is least squares, with a warning.
    fit_intercept : bool
        Whether to fit the unpenalised constant b.
    positive : bool
        Allow only coefficients >= 0.
    tol : float, optional
        Bound on the relative duality gap: the gap divided by the objective of the best constant
        (of zero without an intercept). By default 1e-6, and 1e-4 for float32.
    max_iter : int
        Budget of working sets; rarely more than 15 are needed.
    warm_start : bool
        Start at the coefficients of the last fit, if their number is the same.

    Attributes
    ----------
    coef_ : ndarray, shape (n_features,)
        Coefficients w.
    sparse_coef_ : csr_array, shape (1, n_features)
        The same, sparse.
    intercept_ : float
        The constant b; 0 without an intercept.
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
    sparseopt.solvers.lasso : The same as a function, with more controls.

    References
    ----------
    R. Tibshirani (1996). Regression shrinkage and selection via the lasso. J. R. Stat. Soc. B
    58(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.sklearn import Lasso
    >>> X = np.random.default_rng(0).standard_normal((30, 100))
    >>> model = Lasso(alpha=0.1).fit(X, X[:, 3] - 2 * X[:, 7] + 5.0)
    >>> np.flatnonzero(model.coef_), round(model.intercept_, 1)
    (array([3, 7]), 4.9)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        positive: bool = False,
        tol: float | None = None,
        max_iter: int = 200,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _solve(self, X: Any, y: Array, mass: float, **controls: Any) -> solvers.Fit:
        lam = mass * parameter("alpha", self.alpha, finite=True)
        return solvers.lasso(X, y, lam, positive=bool(self.positive), **controls)
