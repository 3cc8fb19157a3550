"""What the estimators share: validated data, weights, the fitted attributes, predictions."""

from __future__ import annotations

import numbers
from typing import Any, Self

import numpy as np

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_array
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "sparseopt.sklearn needs scikit-learn >= 1.6; install it with: "
        'pip install "sparseopt[sklearn]"'
    ) from error

from ..solvers import Fit

Array = np.ndarray[Any, Any]


class LinearModel(BaseEstimator):
    """A linear model whose level is ``alpha`` times the sum of the sample weights."""

    _tight: float | None = None  # the default of tol in double precision, if not the solver's

    def __sklearn_tags__(self) -> Any:
        """Say that sparse designs are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def sparse_coef_(self) -> Any:
        """``coef_`` as a sparse array with one row per output."""
        from scipy.sparse import csr_array

        return csr_array(np.atleast_2d(self.coef_))

    def _design(self, X: Any, y: Any, **checks: Any) -> tuple[Any, Array]:
        """Training data in the layout and precision that the solvers use."""
        X, y = validate_data(
            self, X, y, accept_sparse="csc", dtype=[np.float64, np.float32], **checks
        )
        return X, y

    def _controls(self, X: Any, weights: Array | None) -> dict[str, Any]:
        """The arguments that every solver takes."""
        tol = self._tight if self.tol is None and X.dtype == np.float64 else self.tol
        return {
            "intercept": bool(self.fit_intercept),
            "sample_weights": weights,
            "tol": tol,
            "max_iter": self.max_iter,
        }

    def _level(self, X: Any, weights: Array | None) -> float:
        """What a level per sample is multiplied by."""
        return float(X.shape[0] if weights is None else weights.sum(dtype=np.float64))

    def _start(self, shape: tuple[int, ...]) -> Array | None:
        """The last solution, if it is wanted and still fits."""
        coef = getattr(self, "coef_", None) if self.warm_start else None
        return coef if coef is not None and coef.shape == shape else None

    def _linear(self, X: Any) -> Array:
        """``X coef_ + intercept_``."""
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse=["csr", "csc", "coo"],
            dtype=[np.float64, np.float32],
            reset=False,
        )
        prediction: Array = X @ self.coef_.T + self.intercept_
        return prediction


class LinearRegressor(RegressorMixin, LinearModel):
    """A `LinearModel` of numbers; subclasses say which solver finds it."""

    _multi_output = False

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design; sparse input is never made dense.
        y : array_like, shape (n_samples,) or (n_samples, n_targets)
            Targets; several columns only where the model says so.
        sample_weight : float or array_like, shape (n_samples,), optional
            Weights >= 0; only their ratios matter, as in scikit-learn.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = self._design(X, y, y_numeric=True, multi_output=self._multi_output)
        y = y.astype(X.dtype, copy=False)
        weights = checked_weights(sample_weight, X)
        shape = (*y.shape[1:], X.shape[1])
        start = self._start(shape)
        fit = self._solve(
            X,
            y,
            self._level(X, weights),
            x0=None if start is None else start.T,
            **self._controls(X, weights),
        )
        return self._keep(fit)

    def predict(self, X: Any) -> Array:
        """Predict with the fitted model.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design.

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_targets)
            ``X @ coef_.T + intercept_``.
        """
        return self._linear(X)

    def _keep(self, fit: Fit) -> Self:
        """Set the attributes of a fitted model."""
        self.coef_ = np.ascontiguousarray(fit.x.T)
        self.intercept_ = fit.intercept
        self.n_iter_ = iterations(fit)
        self.dual_gap_ = fit.certificate
        return self

    def _solve(self, X: Any, y: Array, mass: float, **controls: Any) -> Fit:
        """Call the solver, with levels ``mass`` times those of scikit-learn."""
        raise NotImplementedError


def checked_weights(sample_weight: Any, X: Any) -> Array | None:
    """Sample weights as an array like a column of ``X``, or None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(X.shape[0], sample_weight)
    weights = check_array(sample_weight, ensure_2d=False, dtype=X.dtype, input_name="sample_weight")
    if weights.shape != (X.shape[0],):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(X.shape[0],)}: one per sample"
        )
    if weights.min() < 0.0:
        raise ValueError(f"sample_weight must be >= 0, got {weights.min()}")
    if not weights.any():
        raise ValueError("sample_weight must have an entry above 0, got zeros only")
    return weights


def iterations(fit: Fit) -> int:
    """Iterations as scikit-learn counts them: to find the start optimal is one."""
    return max(1, fit.nit)
