"""The group lasso, the sparse group lasso and the multitask lasso."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Groups, State, as_groups
from .._core._validate import parameter
from ..losses import LeastSquares, Logistic
from ..penalties import L21, GroupL2, SparseGroup
from ._fit import Fit
from ._lasso import _levels, _weights
from ._working_set import working_set


def group_lasso(
    A: Any,
    y: Any,
    lam: float,
    groups: Any,
    *,
    weights: Any = None,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Least squares with Euclidean norms of groups, to a certified duality gap.

    .. math:: \min_{x, b}\ \tfrac12 \sum_i v_i\, (a_i^T x + b - y_i)^2
        + \lambda \sum_g w_g \|x_g\|_2

    A group is zero as a whole or not at all. There is no 1/m: ``lam`` is m times the level of
    packages that divide the squares by the number of data.

    Parameters
    ----------
    A : ndarray or SciPy sparse array, shape (m, n)
        Real design. Sparse input is never made dense, with an intercept neither.
    y : array_like, shape (m,)
        Data.
    lam : float
        Level, >= 0. Zero is least squares, with a warning.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition. Groups may
        have different sizes; eigenvectors of the Gram matrix of every group that is looked at
        are computed, which asks for groups up to some hundreds.
    weights : array_like, shape (number of groups,), optional
        Weights w >= 0 of the groups, by default the square roots of their sizes; 0 leaves a group
        free, ``inf`` fixes it to zero.
    intercept : bool
        Add the unpenalised constant b; it is returned as ``intercept``.
    sample_weights : array_like, shape (m,), optional
        Weights v >= 0 of the residuals.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the relative duality gap (P - D) / P(0), by default 1e-6, and 1e-4 for float32;
        P(0) is the objective of the best constant (0 without an intercept). With free groups see
        `working_set`.
    max_iter : int
        Budget of working sets; rarely more than 15 are needed.
    callback : callable, optional
        Called with the state after each iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Fit
        With ``x``, ``intercept``, ``fun``, ``certificate`` and ``dual``, the scaled residual that
        proves it; ``support`` and ``working_set`` in its history count groups.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition (the message names an index covered twice or never),
        ``lam`` or a weight is negative or NaN, shapes do not fit, or data is not finite.
    TypeError
        If ``A`` is an operator (use `minimize`) or complex, or ``groups`` are not integers.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.
    UserWarning
        If ``lam`` is 0.

    See Also
    --------
    sparse_group_lasso : Zeros inside the groups too.
    working_set : The same with `penalties.GroupMCP` or `penalties.GroupSCAD`.

    Notes
    -----
    Working sets of groups are solved by cyclic block coordinate descent with Anderson
    acceleration. Each block is minimised exactly: in the eigenvectors of its Gram matrix the norm
    of the block is the root of one equation.

    References
    ----------
    M. Yuan, Y. Lin (2006). Model selection and estimation in regression with grouped variables.
    J. R. Stat. Soc. B 68(1).
    Z. Qin, K. Scheinberg, D. Goldfarb (2013). Efficient block-coordinate descent algorithms for
    the group lasso. Math. Program. Comput. 5(2).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 60))
    >>> y = A[:, 3] - 2 * A[:, 4] + 5.0
    >>> result = solvers.group_lasso(A, y, 1.0, np.arange(60) // 3, intercept=True)
    >>> np.flatnonzero(result.x), round(result.intercept, 1)
    (array([3, 4, 5]), 5.0)
    >>> result.certificate <= 1e-6
    True
    """
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    penalty = GroupL2(_levels(lam, None), *_weighted(groups, weights, loss))
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def sparse_group_lasso(
    A: Any,
    y: Any,
    lam: float,
    lam_group: float,
    groups: Any,
    *,
    weights: Any = None,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Least squares with an l1 norm and Euclidean norms of groups.

    .. math:: \min_{x, b}\ \tfrac12 \sum_i v_i\, (a_i^T x + b - y_i)^2
        + \lambda \|x\|_1 + \lambda_g \sum_g w_g \|x_g\|_2

    Few groups are used, and few coordinates of those.

    Parameters
    ----------
    A, y, groups, weights, intercept, sample_weights, x0, tol, max_iter, callback, progress
        See `group_lasso`.
    lam : float
        Level of the l1 norm, >= 0. With 0 this is the `group_lasso`, by a slower way.
    lam_group : float
        Level of the norms of groups, >= 0.

    Returns
    -------
    Fit
        As `group_lasso` returns.

    Raises
    ------
    ValueError, TypeError
        As `group_lasso` does, and if ``lam_group`` is negative.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.
    UserWarning
        If ``lam`` is 0; the `group_lasso` is made for that.

    Notes
    -----
    A block is minimised by a few proximal steps on its Gram matrix; otherwise as `group_lasso`.

    References
    ----------
    N. Simon, J. Friedman, T. Hastie, R. Tibshirani (2013). A sparse-group lasso. J. Comput.
    Graph. Stat. 22(2).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 60))
    >>> y = A[:, 3] - 2 * A[:, 4]
    >>> result = solvers.sparse_group_lasso(A, y, 2.0, 1.0, np.arange(60) // 3)
    >>> np.flatnonzero(result.x)
    array([3, 4])
    """
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    lam_group = parameter("lam_group", lam_group)
    levels = _levels(lam, None, np.max(lam_group, initial=0.0))
    penalty = SparseGroup(levels, lam_group, *_weighted(groups, weights, loss))
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def multitask_lasso(
    A: Any,
    Y: Any,
    lam: float,
    *,
    weights: Any = None,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Least squares for several columns of data that share their support.

    .. math:: \min_{X, b}\ \tfrac12 \sum_{i,t} v_i\, (a_i^T X_{:,t} + b_t - Y_{it})^2
        + \lambda \sum_j w_j \|X_{j,:}\|_2

    There is no 1/m: ``lam`` is m times the ``alpha`` of scikit-learn's MultiTaskLasso, whose
    coefficients are the transpose of ``x``.

    Parameters
    ----------
    A, intercept, sample_weights, max_iter, callback, progress
        See `group_lasso`.
    Y : array_like, shape (m, k)
        Data, one column per task.
    lam : float
        Level, >= 0. Zero is least squares, with a warning.
    weights : array_like, shape (n,), optional
        Weights w >= 0 of the rows of X, by default 1.
    x0 : array_like, shape (n, k), or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the relative duality gap of all tasks together, by default 1e-6, and 1e-4 for
        float32.

    Returns
    -------
    Fit
        As `group_lasso` returns, with ``x`` of shape (n, k) and ``intercept`` of shape (k,).

    Raises
    ------
    ValueError, TypeError
        As `lasso` does.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.
    UserWarning
        If ``lam`` is 0.

    References
    ----------
    G. Obozinski, B. Taskar, M. I. Jordan (2010). Joint covariate selection and joint subspace
    selection for multiple classification problems. Stat. Comput. 20.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 60))
    >>> Y = np.stack([A[:, 3] - 2 * A[:, 7], A[:, 3]], axis=1)
    >>> result = solvers.multitask_lasso(A, Y, 2.0)
    >>> np.flatnonzero(result.x.any(axis=1))
    array([3, 7])
    """
    loss = LeastSquares(A, Y, sample_weights=sample_weights, intercept=intercept)
    penalty = L21(_levels(lam, None), _weights(weights, loss))
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def logistic_group_lasso(
    A: Any,
    y: Any,
    lam: float,
    groups: Any,
    *,
    weights: Any = None,
    intercept: bool = False,
    sample_weights: Any = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 200,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Fit:
    r"""Logistic regression with Euclidean norms of groups, to a certified duality gap.

    .. math:: \min_{x, b}\ \sum_i v_i \log\bigl(1 + e^{-y_i (a_i^T x + b)}\bigr)
        + \lambda \sum_g w_g \|x_g\|_2, \qquad y_i \in \{-1, 1\}

    Parameters
    ----------
    A, lam, groups, weights, intercept, sample_weights, x0, tol, max_iter, callback, progress
        See `group_lasso`.
    y : array_like, shape (m,)
        Labels of two classes, any two values; the larger counts as +1.

    Returns
    -------
    Fit
        As `group_lasso` returns.

    Raises
    ------
    ValueError, TypeError
        As `group_lasso` does, and if ``y`` has not exactly two classes.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.
    UserWarning
        If ``lam`` is 0.

    References
    ----------
    L. Meier, S. van de Geer, P. Buehlmann (2008). The group lasso for logistic regression.
    J. R. Stat. Soc. B 70(1).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import solvers
    >>> A = np.random.default_rng(0).standard_normal((90, 60))
    >>> result = solvers.logistic_group_lasso(A, A[:, 3] > A[:, 4], 6.0, np.arange(60) // 3)
    >>> np.flatnonzero(result.x)
    array([3, 4, 5])
    """
    loss = Logistic(A, y, sample_weights=sample_weights, intercept=intercept)
    penalty = GroupL2(_levels(lam, None), *_weighted(groups, weights, loss))
    return working_set(
        loss, penalty, x0=x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


def _weighted(groups: Any, weights: Any, loss: Any) -> tuple[Groups, Any]:
    """The groups, and weights: the roots of the sizes unless the caller says otherwise.

    Groups without members, as labels that start from 1 leave, count as one: a weight of zero
    would look like a group that is free.
    """
    groups = as_groups(groups, loss.shape[0])
    return groups, np.sqrt(np.maximum(groups.sizes, 1)) if weights is None else weights
