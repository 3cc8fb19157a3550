"""Choosing a level by held-out data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .._core import as_rng
from .._core._validate import choice, integer
from ..losses._linear import LinearLoss
from ._fit import Fit
from ._lam_max import lam_max
from ._path import level_function, levels, path, require_all

Array = np.ndarray[Any, Any]

_RULES = ("one_standard_error", "best")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Fit):
    """The solution for all of the data, at a level chosen by held-out data.

    Attributes
    ----------
    lams : ndarray, shape (L,)
        Levels for all of the data, the largest first.
    scores : ndarray, shape (L, K)
        Mean loss per sample of each held-out fold, with the solution of the others.
    fold : ndarray of int, shape (m,)
        In which fold each sample was held out.
    rule : str
        Which level ``x`` is the solution at: ``"one_standard_error"`` or ``"best"``.
    """

    lams: Any = ()
    scores: Any = ()
    fold: Any = ()
    rule: str = _RULES[0]

    @property
    def mean(self) -> Array:
        """Mean of the scores over the folds, shape (L,)."""
        return np.asarray(self.scores.mean(axis=1))

    @property
    def standard_error(self) -> Array:
        """Standard error of the mean over the folds, shape (L,)."""
        return np.asarray(self.scores.std(axis=1, ddof=1) / np.sqrt(self.scores.shape[1]))

    @property
    def best(self) -> int:
        """Place of the level with the least mean score."""
        return int(np.argmin(self.mean))

    @property
    def one_standard_error(self) -> int:
        """Place of the largest level whose mean score is within a standard error of the best."""
        bound = self.mean[self.best] + self.standard_error[self.best]
        return int(np.argmax(self.mean <= bound))

    @property
    def lam(self) -> float:
        """The chosen level."""
        return float(self.lams[getattr(self, self.rule)])

    def plot(self, ax: Any = None) -> Any:
        """Draw scores against the level (extra ``plot``): `sparseopt.plots.cross_validation`."""
        from .. import plots

        return plots.cross_validation(self, ax=ax)


def cross_validate(
    loss: Any,
    penalty: Any,
    lams: Any = None,
    *,
    n_lams: int = 100,
    ratio: float = 1e-2,
    folds: Any = 5,
    rule: str = "one_standard_error",
    rng: Any = None,
    n_jobs: int = 1,
    tol: float | None = None,
    max_iter: int | None = None,
) -> CrossValidation:
    r"""Choose the level of a penalty by K-fold cross-validation, and solve there for all data.

    For each fold a `path` is solved on the other samples and scored by the mean loss of the fold's
    own. Losses are sums over samples, so the level of a fold is ``lam`` times its share of the
    samples: then all folds, and the whole, weigh loss and penalty alike.

    Parameters
    ----------
    loss : object
        A member of `sparseopt.losses` with a matrix ``A``, on all of the data; with its own
        intercept, ``sample_weights`` and number of columns.
    penalty : object or callable
        As in `path`.
    lams : array_like, shape (L,), optional
        Levels for all of the data; by default as in `path`.
    n_lams, ratio : int, float
        As in `path`.
    folds : int or array_like of int, shape (m,)
        Number of folds, at least 2, which are drawn at random and differ in size by at most one;
        for losses of classes every class is spread evenly. Or the fold of each sample.
    rule : {"one_standard_error", "best"}
        The largest level whose mean score is within one standard error of the best, or the best.
    rng : None, int or numpy.random.Generator
        Source of the folds.
    n_jobs : int
        Threads; each solves a fold at a time.
    tol : float, optional
        Bound on the certificates, as in `path`.
    max_iter : int, optional
        Iteration budget of each level.

    Returns
    -------
    CrossValidation
        The `Fit` for all of the data at the chosen level, with ``lams``, ``scores`` (L, K),
        ``mean``, ``standard_error``, ``best`` and ``one_standard_error``.

    Raises
    ------
    ValueError, TypeError
        As `path` does; if ``folds``, ``rule`` or ``n_jobs`` is out of range, or ``loss`` has no
        matrix.

    Warns
    -----
    ConvergenceWarning
        At each level whose certificate does not reach ``tol``.

    See Also
    --------
    lasso_cv : Least squares with an l1 norm.

    References
    ----------
    T. Hastie, R. Tibshirani, J. Friedman (2009). The Elements of Statistical Learning, section
    7.10. Springer.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((100, 30))
    >>> loss = losses.Logistic(A, A[:, 3] > A[:, 7])
    >>> result = solvers.cross_validate(loss, penalties.L1(1.0), n_lams=10, rng=0)
    >>> result.scores.shape, set(np.flatnonzero(result.x)) >= {3, 7}
    ((10, 5), True)
    """
    if not isinstance(loss, LinearLoss):
        raise TypeError(
            f"loss must be one of sparseopt.losses with a matrix A, got {type(loss).__name__}"
        )
    at = level_function(penalty)
    return validate(
        loss,
        lambda part: lambda lam: at(lam * part),
        levels(lams, lambda: lam_max(loss, at(1.0)), n_lams, ratio),
        folds=folds,
        rule=rule,
        rng=rng,
        n_jobs=n_jobs,
        tol=tol,
        max_iter=max_iter,
    )


def validate(
    loss: Any,
    of_part: Callable[[float], Callable[[float], Any]],
    lams: Array,
    *,
    folds: Any,
    rule: str,
    rng: Any,
    n_jobs: int,
    **controls: Any,
) -> CrossValidation:
    """Cross-validation where ``of_part(s)(lam)`` is the penalty beside a share s of the samples."""
    choice("rule", rule, _RULES)
    n_jobs = integer("n_jobs", n_jobs, 1)
    fold = _folds(loss, folds, rng)
    labels = np.unique(fold)

    def score(label: int) -> Array:
        return _score(loss, of_part, lams, fold == label, controls)

    if n_jobs == 1:
        columns = [score(label) for label in labels]
    else:
        with ThreadPoolExecutor(n_jobs) as pool:
            columns = list(pool.map(score, labels))
    scores = np.stack(columns, axis=1)
    record = CrossValidation(**_blank(), lams=lams, scores=scores, fold=fold, rule=rule)
    place = getattr(record, rule)
    fit = path(loss, of_part(1.0), lams[: place + 1], **controls)[place]
    found = {f.name: getattr(fit, f.name) for f in dataclasses.fields(Fit)}
    found["message"] = f"{rule.replace('_', ' ')} rule: {fit.message}"
    return dataclasses.replace(record, **found)


def _score(loss: Any, of_part: Any, lams: Array, held_out: Array, controls: Any) -> Array:
    """Mean loss per held-out sample at each level, with the solutions of the other samples."""
    try:
        train = loss.part(~held_out)
    except ValueError as error:
        raise ValueError(f"folds must leave data to fit: without one of them, {error}") from error
    test = loss.part(held_out, intercept=False)
    fits = path(train, of_part(_mass(train) / _mass(loss)), lams, **controls)
    require_all(fits, lams.size)
    values = [test.value_at(test.predict(fit.x) + fit.intercept) for fit in fits]
    return np.array([float(np.sum(value)) for value in values]) / _mass(test)


def _mass(loss: Any) -> float:
    """Number of samples, by weight."""
    if loss.sample_weights is None:
        return float(loss.y.shape[0])
    mass = float(loss.sample_weights.sum())
    if mass == 0.0:
        raise ValueError("sample_weights must leave every fold some weight, got a fold without")
    return mass


def _folds(loss: Any, folds: Any, rng: Any) -> Array:
    """The fold of each sample."""
    m = loss.y.shape[0]
    if np.ndim(folds):
        given = np.asarray(folds)
        if given.dtype.kind not in "iub" or given.shape != (m,):
            raise ValueError(
                f"folds must be a number or integers of shape ({m},), got {given.dtype} of shape "
                f"{given.shape}"
            )
        if np.unique(given).size < 2:
            raise ValueError("folds must name at least 2 folds, got 1")
        return given.astype(np.intp)
    count = integer("folds", folds, 2, m)
    order = as_rng(rng).permutation(m)
    if hasattr(loss, "classes"):
        codes = loss.y if loss.y.ndim == 1 else loss.y.argmax(axis=1)
        order = order[np.argsort(codes[order], kind="stable")]
    fold = np.empty(m, np.intp)
    fold[order] = np.arange(m) % count
    return fold


def _blank() -> dict[str, Any]:
    """Fields of a record that are filled in later."""
    required = [f.name for f in dataclasses.fields(Fit) if f.default is dataclasses.MISSING]
    return {name: None for name in required if name != "history"}
