"""The elastic net as an estimator."""

from __future__ import annotations

from typing import Any

from .. import solvers
from .._core._validate import fraction, parameter
from ._base import Array, LinearRegressor


class ElasticNet(LinearRegressor):
    r"""Least squares with an l1 norm and a ridge, to a certified duality gap.

    .. math:: \min_{w, b}\ \frac{1}{2n} \|X w + b - y\|_2^2 + \alpha \rho \|w\|_1
        + \frac{\alpha (1 - \rho)}{2} \|w\|_2^2

    The model of `sklearn.linear_model.ElasticNet`, fitted by `solvers.elastic_net` with the levels
    ``n * alpha * l1_ratio`` and ``n * alpha * (1 - l1_ratio)``. With sample weights n is their sum,
    and residuals are weighted.

    Parameters
    ----------
    alpha : float
        Level, >= 0. Zero is least squares, with a warning.
    l1_ratio : float
        Share rho of the l1 norm, in [0, 1]: 1 is the lasso, 0 is ridge regression, with a warning.
    fit_intercept, tol, max_iter, warm_start
        See `Lasso`.

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
    sparseopt.solvers.elastic_net : The same as a function, with more controls.

    References
    ----------
    H. Zou, T. Hastie (2005). Regularization and variable selection via the elastic net.
    J. R. Stat. Soc. B 67(2).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.sklearn import ElasticNet
    >>> X = np.repeat(np.random.default_rng(0).standard_normal((30, 5)), 2, axis=1)
    >>> model = ElasticNet(alpha=0.1).fit(X, X[:, 0])
    >>> np.flatnonzero(model.coef_)  # columns that are equal share their weight
    array([0, 1])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        tol: float | None = None,
        max_iter: int = 200,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _solve(self, X: Any, y: Array, mass: float, **controls: Any) -> solvers.Fit:
        level = mass * parameter("alpha", self.alpha, finite=True)
        share = fraction("l1_ratio", self.l1_ratio)
        ridge = level * (1.0 - share)
        if ridge == 0.0:
            return solvers.lasso(X, y, level, **controls)
        return solvers.elastic_net(X, y, level * share, ridge, **controls)
