"""The lasso with its level chosen by held-out data, as an estimator."""

from __future__ import annotations

import numbers
from typing import Any, Self

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from .. import solvers
from .._core import Status
from .._core._validate import choice, integer, parameter
from ..losses import LeastSquares
from ..penalties import L1, NonnegativeL1
from ..solvers._path import require_all
from ._base import Array, LinearRegressor, checked_weights

_RULES = ("best", "one_standard_error")


class LassoCV(LinearRegressor):
    r"""The lasso, at a level chosen by cross-validation.

    .. math:: \min_{w, b}\ \frac{1}{2n} \|X w + b - y\|_2^2 + \alpha \|w\|_1

    The model of `sklearn.linear_model.LassoCV`: for each fold `solvers.lasso_path` solves all
    levels on the other samples, and the squared errors in the fold choose the level for all data.

    Parameters
    ----------
    eps : float
        Smallest level by largest, where they are not given.
    alphas : int or array_like
        Number of levels, from the smallest at which all coefficients are zero downwards, evenly in
        the logarithm; or the levels themselves, > 0.
    fit_intercept : bool
        Whether to fit the unpenalised constant b.
    positive : bool
        Allow only coefficients >= 0.
    cv : int, splitter or iterable, optional
        Folds in scikit-learn's ways; by default five, in the order of the data.
    rule : {"best", "one_standard_error"}
        Choose the level with the least mean error, as scikit-learn does, or the largest level whose
        error is within one standard error of that.
    tol : float, optional
        Bound on the relative duality gap at every level, by default 1e-6, and 1e-4 for float32.
    max_iter : int
        Budget of working sets at each level.
    n_jobs : int, optional
        Threads, one fold each at a time, as joblib counts them.

    Attributes
    ----------
    alpha_ : float
        The chosen level.
    alphas_ : ndarray, shape (n_alphas,)
        The levels, the largest first.
    mse_path_ : ndarray, shape (n_alphas, n_folds)
        Mean squared errors of the held-out samples, by weight.
    coef_ : ndarray, shape (n_features,)
        Coefficients w for all of the data.
    sparse_coef_ : csr_array, shape (1, n_features)
        The same, sparse.
    intercept_ : float
        The constant b; 0 without an intercept.
    n_iter_ : int
        Iterations done at the chosen level.
    dual_gap_ : float
        The relative duality gap that was reached there.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if ``X`` is a data frame that has them.

    See Also
    --------
    sparseopt.solvers.lasso_cv : The same as a function, with folds drawn at random.

    References
    ----------
    T. Hastie, R. Tibshirani, J. Friedman (2009). The Elements of Statistical Learning, section
    7.10. Springer.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.sklearn import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 100))
    >>> y = X[:, 3] - 2 * X[:, 7] + 0.5 * rng.standard_normal(60)
    >>> model = LassoCV(rule="one_standard_error").fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([3, 7])
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        cv: Any = None,
        rule: str = "best",
        tol: float | None = None,
        max_iter: int = 200,
        n_jobs: int | None = None,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.cv = cv
        self.rule = rule
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the level and fit the model there to all of the data.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design; sparse input is never made dense.
        y : array_like, shape (n_samples,)
            Targets.
        sample_weight : float or array_like, shape (n_samples,), optional
            Weights >= 0 in the fits and in the errors of each fold; only ratios matter.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        choice("rule", self.rule, _RULES)
        X, y = self._design(X, y, y_numeric=True)
        y = y.astype(X.dtype, copy=False)
        weights = checked_weights(sample_weight, X)
        self.alphas_ = self._levels(X, y, weights)
        folds = check_cv(self.cv).split(X, y)
        columns = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._errors)(X, y, weights, train, test) for train, test in folds
        )
        self.mse_path_ = np.stack(columns, axis=1)
        self.alpha_ = float(self.alphas_[chosen(self.alphas_, self.mse_path_, self.rule)])
        fit = solvers.lasso(
            X,
            y,
            self.alpha_ * self._level(X, weights),
            positive=bool(self.positive),
            **self._controls(X, weights),
        )
        return self._keep(fit)

    def _levels(self, X: Any, y: Array, weights: Array | None) -> Array:
        """The levels, the largest first."""
        if not isinstance(self.alphas, numbers.Integral):
            alphas = np.asarray(parameter("alphas", self.alphas, strict=True, finite=True))
            if alphas.ndim != 1 or not alphas.size:
                raise ValueError(
                    f"alphas must be an integer or have shape (n_alphas,), got {alphas.shape}"
                )
            return np.sort(alphas.astype(np.float64))[::-1]
        count = integer("alphas", self.alphas, 1)
        eps = parameter("eps", self.eps, strict=True, finite=True)
        loss = LeastSquares(X, y, sample_weights=weights, intercept=bool(self.fit_intercept))
        penalty = NonnegativeL1(1.0) if self.positive else L1(1.0)
        top = solvers.lam_max(loss, penalty) / self._level(X, weights)
        # Where every level gives zero, any will do.
        return np.geomspace(1.0, eps, count) * (top or np.finfo(np.float64).resolution)

    def _errors(self, X: Any, y: Array, weights: Array | None, train: Array, test: Array) -> Array:
        """Mean squared errors in a fold at each level, after a fit to the other samples."""
        part = held_out = None
        if weights is not None:
            part, held_out = weights[train], weights[test]
            if not (part.any() and held_out.any()):
                raise ValueError("sample_weight must leave every fold some weight, got one without")
        design = X[train]
        path = solvers.lasso_path(
            design,
            y[train],
            lams=self.alphas_ * self._level(design, part),
            positive=bool(self.positive),
            **self._controls(design, part),
        )
        require_all(path, self.alphas_.size)
        residuals = X[test] @ path.x + path.intercepts - y[test][:, None]
        errors: Array = np.average(residuals**2, axis=0, weights=held_out)
        return errors


def chosen(alphas: Array, errors: Array, rule: str) -> int:
    """The place of the level that a rule of `solvers.CrossValidation` chooses."""
    record = solvers.CrossValidation(
        x=None,
        fun=np.nan,
        success=True,
        status=Status.HELD_OUT,
        message="",
        nit=0,
        certificate=np.nan,
        method="",
        lams=alphas,
        scores=errors,
    )
    place: int = getattr(record, rule)
    return place
