"""l1-regularised logistic regression as an estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from .. import solvers
from .._core._validate import parameter
from ._base import Array, LinearModel, checked_weights, iterations


class SparseLogisticRegression(ClassifierMixin, LinearModel):
    r"""Logistic regression with an l1 norm, to a certified duality gap.

    .. math:: \min_{w, b}\ \frac1n \sum_i \log\bigl(1 + e^{-y_i (x_i^T w + b)}\bigr)
        + \alpha \|w\|_1, \qquad y_i \in \{-1, 1\}

    The level counts per sample, as in `Lasso`: ``C`` of `sklearn.linear_model.LogisticRegression`
    is ``1 / (n * alpha)``. More than two classes are fitted one against the rest, each with its own
    problem. With sample weights n is their sum, and the terms are weighted. The constant is not
    penalised.

    Parameters
    ----------
    alpha : float
        Level, >= 0. From 0.5 on, no standardised feature is kept. Zero leaves the coefficients
        free, with a warning.
    fit_intercept : bool
        Whether to fit the unpenalised constant b.
    positive : bool
        Allow only coefficients >= 0.
    tol : float, optional
        Bound on the relative duality gap of each problem, by default 1e-10, and 1e-4 for float32.
        Newton steps converge quadratically, so the last digits cost about one of them.
    max_iter : int
        Budget of working sets for each problem.
    warm_start : bool
        Start at the coefficients of the last fit, if their number is the same.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray, shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row, of the second class against the first, if there are two.
    sparse_coef_ : csr_array
        The same, sparse.
    intercept_ : ndarray, shape (1,) or (n_classes,)
        Constants.
    n_iter_ : ndarray of int, shape (1,) or (n_classes,)
        Iterations done.
    dual_gap_ : ndarray, shape (1,) or (n_classes,)
        The relative duality gaps that were reached.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if ``X`` is a data frame that has them.

    See Also
    --------
    sparseopt.solvers.logistic_l1 : The same for two classes as a function, with more controls.

    References
    ----------
    K. Koh, S.-J. Kim, S. Boyd (2007). An interior-point method for large-scale l1-regularized
    logistic regression. JMLR 8.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.sklearn import SparseLogisticRegression
    >>> X = np.random.default_rng(0).standard_normal((60, 100))
    >>> y = np.where(X[:, 3] > X[:, 7], "yes", "no")
    >>> model = SparseLogisticRegression(alpha=0.1).fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([3, 7])
    >>> model.predict(X[:3])
    array(['no', 'no', 'yes'], dtype='<U3')
    """

    _tight = 1e-10

    def __init__(
        self,
        alpha: float = 0.01,
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design; sparse input is never made dense.
        y : array_like, shape (n_samples,)
            Labels.
        sample_weight : float or array_like, shape (n_samples,), optional
            Weights >= 0; only their ratios matter. A class without weight counts as absent.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = self._design(X, y)
        check_classification_targets(y)
        weights = checked_weights(sample_weight, X)
        lam = self._level(X, weights) * parameter("alpha", self.alpha, finite=True)
        self.classes_ = present_classes(y, weights)
        targets = self.classes_[1:] if self.classes_.size == 2 else self.classes_
        start = self._start((targets.size, X.shape[1]))
        fits = [
            solvers.logistic_l1(
                X,
                y == target,
                lam,
                positive=bool(self.positive),
                x0=None if start is None else start[k],
                **self._controls(X, weights),
            )
            for k, target in enumerate(targets)
        ]
        self.coef_ = np.array([fit.x for fit in fits])
        self.intercept_ = np.array([fit.intercept for fit in fits], X.dtype)
        self.n_iter_ = np.array([iterations(fit) for fit in fits])
        self.dual_gap_ = np.array([fit.certificate for fit in fits])
        return self

    def decision_function(self, X: Any) -> Array:
        """Log-odds of the second class, or of each class against the rest.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design.

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_classes)
            ``X @ coef_.T + intercept_``; one-dimensional for two classes.
        """
        scores = self._linear(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """Predict the most likely class.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design.

        Returns
        -------
        ndarray, shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(1)
        labels: Array = self.classes_[chosen]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes; those of one against the rest are scaled to sum to 1.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : array_like or sparse, shape (n_samples, n_features)
            Design.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            Logarithms, accurate where probabilities are too small for a float.
        """
        from scipy.special import log_expit, logsumexp

        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.stack([log_expit(-scores), log_expit(scores)], axis=1)
        logs: Array = log_expit(scores)
        return logs - logsumexp(logs, axis=1, keepdims=True)


def present_classes(y: Array, weights: Array | None) -> Array:
    """The labels of samples with weight; two at least."""
    classes: Array = np.unique(y if weights is None else y[weights > 0.0])
    if classes.size < 2:
        raise ValueError(
            "y must have at least 2 classes with samples of positive weight, "
            f"got one class: {classes[0]}"
        )
    return classes
