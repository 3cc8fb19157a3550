"""Choosing a level of a path without held-out data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core._validate import positive
from ._path import Path

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """A level of a path, and the curve that chose it.

    Attributes
    ----------
    index : int
        Place of the level in the path: ``path[index]`` is the solution.
    lam : float
        The level.
    curve : ndarray, shape (L,)
        The criterion at every level of the path.
    """

    index: int
    lam: float
    curve: Array


def discrepancy_principle(path: Path, noise: float) -> Choice:
    r"""The largest level whose residual is no larger than the noise.

    .. math:: \|A x(\lambda) + b - y\|_2 \le \sigma \sqrt m

    Parameters
    ----------
    path : Path
        Of least squares, by `lasso_path` or `path`; with ``sample_weights`` v the residuals are
        multiplied by their square roots.
    noise : float
        Standard deviation sigma of the noise in one entry of the data.

    Returns
    -------
    Choice
        ``index``, ``lam`` and, as ``curve``, the norm of the residual at every level.

    Raises
    ------
    TypeError
        If ``path`` is not a path of least squares with an l1 norm.
    ValueError
        If ``noise`` is not positive, or no level of the path fits the data that well.

    References
    ----------
    V. A. Morozov (1966). On the solution of functional equations by the method of regularization.
    Soviet Math. Dokl. 7.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import datasets, solvers
    >>> A, y, x = datasets.ar_regression(100, 200, 0.3, 5, rng=0)
    >>> path = solvers.lasso_path(A, y)
    >>> choice = solvers.discrepancy_principle(path, np.std(y - A @ x))
    >>> np.isin(np.flatnonzero(x), np.flatnonzero(path[choice.index].x)).all()
    np.True_
    """
    _freedom(path)
    curve = np.sqrt(2.0 * path.loss)
    bound = positive("noise", noise) * np.sqrt(path.samples)
    fits = np.flatnonzero(curve <= bound)
    if not fits.size:
        raise ValueError(
            f"noise must be at least {curve.min() / np.sqrt(path.samples):.4g}, which the residual "
            f"reaches at the smallest level of this path, got {noise}"
        )
    return _choice(path, fits[0], curve)


def sure(path: Path, noise: float) -> Choice:
    r"""The level with the least estimated error of prediction (Stein's unbiased estimate).

    .. math:: \|A x(\lambda) + b - y\|_2^2 - m \sigma^2 + 2 \sigma^2\, \mathrm{df}(\lambda)

    estimates the expectation of :math:`\|A x(\lambda) + b - \mathrm{E} y\|_2^2` without bias if the
    noise is normal. The degrees of freedom of the lasso are the rank of the columns of its support;
    their number is taken here, which is the same unless some depend on others.

    Parameters
    ----------
    path : Path
        By `lasso_path` without a ridge, or an equal one by `path`.
    noise : float
        Standard deviation sigma of the noise in one entry of the data.

    Returns
    -------
    Choice
        ``index``, ``lam`` and, as ``curve``, the estimate at every level.

    Raises
    ------
    TypeError
        If the degrees of freedom are not known: ``path`` is not one of least squares with an l1
        norm.
    ValueError
        If ``noise`` is not positive.

    References
    ----------
    C. M. Stein (1981). Estimation of the mean of a multivariate normal distribution. Ann. Stat.
    9(6).
    H. Zou, T. Hastie, R. Tibshirani (2007). On the "degrees of freedom" of the lasso. Ann. Stat.
    35(5). arXiv:0712.0881.
    R. J. Tibshirani, J. Taylor (2012). Degrees of freedom in lasso problems. Ann. Stat. 40(2).
    arXiv:1111.0653.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import datasets, solvers
    >>> A, y, x = datasets.ar_regression(100, 200, 0.3, 5, rng=0)
    >>> path = solvers.lasso_path(A, y)
    >>> choice = solvers.sure(path, np.std(y - A @ x))
    >>> bool(choice.lam < path.lams[0] / 4)
    True
    """
    freedom = _freedom(path)
    variance = positive("noise", noise) ** 2
    curve = 2.0 * path.loss - path.samples * variance + 2.0 * variance * freedom
    return _choice(path, int(np.argmin(curve)), curve)


def gcv(path: Path) -> Choice:
    r"""The level with the least generalised cross-validation score.

    .. math:: \frac{\tfrac1m \|A x(\lambda) + b - y\|_2^2}{(1 - \mathrm{df}(\lambda) / m)^2}

    It needs no noise level, but data: with more unknowns than samples the score may fall again
    towards small levels, where the support fills all of the data. Levels with
    :math:`\mathrm{df} \ge m` score infinity. For the degrees of freedom see `sure`.

    Parameters
    ----------
    path : Path
        By `lasso_path` without a ridge, or an equal one by `path`.

    Returns
    -------
    Choice
        ``index``, ``lam`` and, as ``curve``, the score at every level.

    Raises
    ------
    TypeError
        If the degrees of freedom are not known: ``path`` is not one of least squares with an l1
        norm.
    ValueError
        If every level has as many degrees of freedom as there are data.

    References
    ----------
    G. H. Golub, M. Heath, G. Wahba (1979). Generalized cross-validation as a method for choosing a
    good ridge parameter. Technometrics 21(2).

    Examples
    --------
    >>> from sparseopt import datasets, solvers
    >>> A, y, x = datasets.ar_regression(100, 20, 0.3, 5, rng=0)
    >>> path = solvers.lasso_path(A, y)
    >>> bool(solvers.gcv(path).lam < path.lams[0] / 4)
    True
    """
    freedom = _freedom(path)
    m = path.samples
    with np.errstate(divide="ignore"):
        left = np.where(freedom < m, 1.0 - freedom / m, 0.0)
        curve = np.where(
            left > 0.0, 2.0 * path.loss / m / np.where(left > 0.0, left, 1.0) ** 2, np.inf
        )
    if not np.isfinite(curve).any():
        raise ValueError("path must have a level with fewer degrees of freedom than data")
    return _choice(path, int(np.argmin(curve)), curve)


def _freedom(path: Path) -> Array:
    if not isinstance(path, Path):
        raise TypeError(f"path must be a Path, as lasso_path returns, got {type(path).__name__}")
    if path.freedom is None:
        raise TypeError(
            "path must be one of least squares with an l1 norm and no ridge, for which the degrees "
            "of freedom are known"
        )
    freedom: Array = path.freedom
    return freedom


def _choice(path: Path, index: Any, curve: Array) -> Choice:
    return Choice(int(index), float(path.lams[index]), curve)
