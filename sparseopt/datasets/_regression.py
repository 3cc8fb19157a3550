"""Random regression and classification problems with a sparse truth or a sparse design."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core import as_rng
from .._core._validate import fraction, integer, parameter

Array = np.ndarray[Any, Any]


class Design(NamedTuple):
    """A matrix ``A``, data or labels ``y``, and the coefficients ``x`` they were made from."""

    A: Any
    y: Array
    x: Array


def sparse_regression(
    m: int = 1000,
    n: int = 10_000,
    *,
    density: float | None = None,
    support: float = 0.1,
    noise: float = 1.0,
    rng: Any = None,
) -> Design:
    r"""Least squares with a sparse, badly scaled design: problem A of the paper below.

    .. math:: A_{ij} = s_j\, b_{ij}\, (1 + g_{ij}), \qquad y = A x + \sigma e

    with g, e standard normal, :math:`s_j` normal with standard deviation 10, :math:`b_{ij}` one
    with probability ``density`` and else zero, and x standard normal on a random part of its
    entries.

    Parameters
    ----------
    m, n : int
        Numbers of observations and of coefficients.
    density : float, optional
        Probability that an entry of ``A`` is kept; by default ``min(1, 10 log(m) / m)``, and 1 for
        m = 1.
    support : float
        Probability that a coefficient is not zero.
    noise : float
        Standard deviation of the noise.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    Design
        ``A`` (csc_array, m x n), ``y`` (m,) and ``x`` (n,).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt.datasets import sparse_regression
    >>> A, y, x = sparse_regression(30, 80, rng=0)
    >>> A.shape, y.shape, x.shape
    ((30, 80), (30,), (80,))
    """
    rng = as_rng(rng)
    sigma = float(parameter("noise", noise, finite=True))
    A = _scaled_design(m, n, density, rng)
    x = rng.standard_normal(A.shape[1]) * _kept("support", support, A.shape[1], rng)
    return Design(A, A @ x + sigma * rng.standard_normal(A.shape[0]), x)


def sparse_classification(
    m: int = 1000,
    n: int = 10_000,
    *,
    density: float | None = None,
    support: float = 0.1,
    flip: float = 0.1,
    rng: Any = None,
) -> Design:
    """Two classes on the design of `sparse_regression`: problem B of the paper below.

    The label is the sign of ``A x`` (+1 where it is zero), turned round with probability ``flip``.

    Parameters
    ----------
    m, n : int
        Numbers of observations and of coefficients.
    density, support : float, optional
        As in `sparse_regression`.
    flip : float
        Probability that a label is turned round.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    Design
        ``A`` (csc_array, m x n), ``y`` (m,) of -1 and 1, and ``x`` (n,).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt.datasets import sparse_classification
    >>> sparse_classification(6, 8, rng=0).y
    array([ 1.,  1.,  1., -1.,  1., -1.])
    """
    rng = as_rng(rng)
    A = _scaled_design(m, n, density, rng)
    x = rng.standard_normal(A.shape[1]) * _kept("support", support, A.shape[1], rng)
    y = np.where(A @ x < 0, -1.0, 1.0)
    return Design(A, np.where(_kept("flip", flip, y.size, rng), -y, y), x)


def sparse_multiclass(
    m: int = 1000,
    n: int = 1000,
    classes: int = 50,
    *,
    density: float | None = None,
    noise: float = 1.0,
    rng: Any = None,
) -> Design:
    """Several classes on the design of `sparse_regression`: problem C of the paper below.

    The label is the column of ``A x`` plus noise that is largest, with a dense, standard normal
    ``x`` of one column per class.

    Parameters
    ----------
    m, n, classes : int
        Numbers of observations, of features and of classes.
    density : float, optional
        As in `sparse_regression`.
    noise : float
        Standard deviation of the noise on ``A x``.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    Design
        ``A`` (csc_array, m x n), ``y`` (m,) of the integers 0 .. classes - 1 and ``x``
        (n, classes).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt.datasets import sparse_multiclass
    >>> sparse_multiclass(6, 8, 3, rng=0).y
    array([1, 1, 1, 0, 1, 1])
    """
    rng = as_rng(rng)
    sigma = float(parameter("noise", noise, finite=True))
    classes = integer("classes", classes, 1)
    A = _scaled_design(m, n, density, rng)
    x = rng.standard_normal((A.shape[1], classes))
    scores = A @ x + sigma * rng.standard_normal((A.shape[0], classes))
    return Design(A, scores.argmax(axis=1), x)


def ar_regression(
    m: int,
    n: int,
    rho: float = 0.6,
    k: int | None = None,
    *,
    snr: float = 5.0,
    rng: Any = None,
) -> Design:
    r"""Least squares with a dense design whose neighbouring columns are correlated.

    Rows of A are normal with covariance :math:`\rho^{|i - j|}` (a stationary autoregression of
    order one); x has k standard normal entries at random places; normal noise is scaled to
    :math:`\|A x\| = \text{snr}\, \|\text{noise}\|`.

    Parameters
    ----------
    m, n : int
        Numbers of observations and of coefficients.
    rho : float
        Correlation of neighbouring columns, between -1 and 1.
    k : int, optional
        Number of coefficients that are not zero; by default a fiftieth of n, at least one.
    snr : float
        Signal to noise ratio of the norms; infinity for no noise.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    Design
        ``A`` (m, n), Fortran-ordered as coordinate methods read it, ``y`` (m,) and ``x`` (n,).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Examples
    --------
    >>> from sparseopt.datasets import ar_regression
    >>> A, y, x = ar_regression(20, 50, k=3, rng=0)
    >>> A.shape, (x != 0).sum()
    ((20, 50), np.int64(3))
    """
    from scipy.signal import lfilter

    m, n = integer("m", m, 1), integer("n", n, 1)
    rho = float(parameter("rho", rho, low=-1.0, strict=True, finite=True))
    if rho >= 1:
        raise ValueError(f"rho must be between -1 and 1, got {rho}")
    k = max(1, n // 50) if k is None else integer("k", k, 0, n)
    snr = float(parameter("snr", snr, strict=True))
    rng = as_rng(rng)
    A = np.asfortranarray(rng.standard_normal((n, m)).T)
    if n > 1:
        start = rho * A[:, :1]
        A[:, 1:], _ = lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], A[:, 1:], axis=1, zi=start)
    x = np.zeros(n)
    x[rng.choice(n, k, replace=False)] = rng.standard_normal(k)
    signal, noise = A @ x, rng.standard_normal(m)
    return Design(A, signal + noise * (np.linalg.norm(signal) / (snr * np.linalg.norm(noise))), x)


def _scaled_design(m: int, n: int, density: float | None, rng: np.random.Generator) -> Any:
    """Entries N(1, 1), columns scaled by 10 N(0, 1), each entry kept with probability density."""
    from scipy.sparse import csc_array

    m, n = integer("m", m, 1), integer("n", n, 1)
    if density is None:
        density = min(1.0, 10 * np.log(m) / m) if m > 1 else 1.0
    density = float(fraction("density", density))
    at = _coin_flips(m * n, density, rng)
    cols, rows = np.divmod(at, m)
    values = (1.0 + rng.standard_normal(at.size)) * (10.0 * rng.standard_normal(n))[cols]
    return csc_array((values, (rows, cols)), shape=(m, n))


def _coin_flips(count: int, p: float, rng: np.random.Generator) -> Array:
    """Where ``count`` independent trials of success probability ``p`` succeed, sorted.

    Drawn by the gaps between successes, in time and memory of the number of successes.
    """
    if p == 0:
        return np.empty(0, np.int64)
    parts: list[Array] = []
    last = -1
    while last < count:
        gaps = rng.geometric(p, int(1.1 * p * count) + 20)
        # A gap past the end ends the trials; cut it so that sums cannot overflow.
        parts.append(last + np.cumsum(np.minimum(gaps, count + 1)))
        last = int(parts[-1][-1])
    at = np.concatenate(parts)
    return at[at < count]


def _kept(name: str, p: Any, count: int, rng: np.random.Generator) -> Array:
    """Which of ``count`` independent trials of success probability ``p`` succeed."""
    return rng.random(count) < float(fraction(name, p))
