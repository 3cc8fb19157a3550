"""The group lasso as an estimator."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from .. import solvers
from .._core._validate import integer, parameter
from ._base import Array, LinearRegressor


class GroupLasso(LinearRegressor):
    r"""Least squares with Euclidean norms of groups, to a certified duality gap.

    .. math:: \min_{w, b}\ \frac{1}{2n} \|X w + b - y\|_2^2 + \alpha \sum_g v_g \|w_g\|_2

    A group is used or left out as a whole. Fitted by `solvers.group_lasso` with the level
    ``n * alpha``. With sample weights n is their sum, and residuals are weighted.

    Parameters
    ----------
    groups : int, array_like of int, shape (n_features,), or list of index arrays
        The group of each feature; or the features of each group, a partition; or the size of
        groups of consecutive features, of which the last may be smaller.
    alpha : float
        Level, >= 0.
    weights : array_like, shape (number of groups,), optional
        Weights v of the groups, by default the square roots of their sizes.
    fit_intercept : bool
        Whether to fit the unpenalised constant b.
    tol : float, optional
        Bound on the relative duality gap: the gap divided by the objective of the best constant
        (of zero without an intercept). By default 1e-6, and 1e-4 for float32.
    max_iter : int
        Budget of working sets.
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
        The relative duality gap that was reached.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if ``X`` is a data frame that has them.

    See Also
    --------
    sparseopt.solvers.group_lasso : The same as a function, with more controls.

    References
    ----------
    M. Yuan, Y. Lin (2006). Model selection and estimation in regression with grouped variables.
    J. R. Stat. Soc. B 68(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.sklearn import GroupLasso
    >>> X = np.random.default_rng(0).standard_normal((60, 100))
    >>> y = X[:, 10:15].sum(axis=1)
    >>> model = GroupLasso(groups=5, alpha=0.1).fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([10, 11, 12, 13, 14])
    """

    def __init__(
        self,
        groups: Any = 1,
        alpha: float = 1.0,
        *,
        weights: Any = None,
        fit_intercept: bool = True,
        tol: float | None = None,
        max_iter: int = 200,
        warm_start: bool = False,
    ) -> None:
        self.groups = groups
        self.alpha = alpha
        self.weights = weights
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _solve(self, X: Any, y: Array, mass: float, **controls: Any) -> solvers.Fit:
        lam = mass * parameter("alpha", self.alpha, finite=True)
        groups = self.groups
        if isinstance(groups, numbers.Number):
            groups = np.arange(X.shape[1]) // integer("groups", groups, 1)
        return solvers.group_lasso(X, y, lam, groups, weights=self.weights, **controls)
