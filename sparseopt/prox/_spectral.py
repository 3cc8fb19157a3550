"""Spectral lifts: a scalar formula on the singular values of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import elementwise, is_numpy, namespace, on_host, to_host, to_native
from .._core._validate import integer, steps
from ._group_l2 import single
from ._group_lifts import finite_level
from ._l0 import hard_threshold, l0_threshold
from ._l1 import soft_threshold
from ._lq import exponent, lq_formula
from ._vectors import as_array

_TRUNCATE = 10  # a truncated decomposition pays off for ranks below a tenth of the short side


def as_matrices(v: Any) -> Any:
    """A floating-point array of at least two dimensions."""
    v = as_array(v)
    if v.ndim < 2:
        raise ValueError(f"v must have shape (..., m, n), got {tuple(v.shape)}")
    return v


def lift_spectrum(
    kernel: Any, v: Any, parameters: tuple[Any, ...], rank: int | None = None, check: bool = True
) -> Any:
    """Apply a formula to the singular values of every matrix, at most ``rank`` of which stay."""
    if kernel is None:
        return lift_to_spectrum(None, v, rank, check)
    return lift_to_spectrum(lambda sigma: elementwise(kernel, sigma, parameters), v, rank, check)


def lift_to_spectrum(
    decide: Callable[[Any], Any] | None, v: Any, rank: int | None = None, check: bool = True
) -> Any:
    """Replace the singular values of every matrix by what ``decide`` makes of them."""
    if not is_numpy(v) and on_host(v):
        return to_native(lift_to_spectrum(decide, to_host(v), rank, check), v)
    xp = namespace(v)
    if check and not bool(xp.all(xp.isfinite(v))):
        raise ValueError("v must be finite, got NaN or infinity")
    if 0 in v.shape or rank == 0:
        return v * 0.0
    if _is_small(v, rank):
        u, sigma, vt = _leading(v, rank)
    else:
        u, sigma, vt = xp.linalg.svd(v, full_matrices=False)
        if rank is not None:
            u, sigma, vt = u[..., :rank], sigma[..., :rank], vt[..., :rank, :]
    kept = sigma if decide is None else decide(sigma)
    return (u * kept[..., None, :]) @ vt


def _is_small(v: Any, rank: int | None) -> bool:
    """Whether a truncated decomposition of one NumPy matrix is faster."""
    return is_numpy(v) and v.ndim == 2 and rank is not None and rank * _TRUNCATE < min(v.shape)


def _leading(v: Any, rank: int | None) -> tuple[Any, Any, Any]:
    """The leading singular triplets, from a fixed start so that equal input gives equal output."""
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(0).standard_normal(min(v.shape)).astype(v.dtype)
    u, sigma, vt = svds(v, k=rank, v0=start)
    return u[:, ::-1], np.ascontiguousarray(sigma[::-1]), vt[::-1]


def nuclear(v: Any, lam: Any, *, step: Any = 1.0, rank: int | None = None) -> Any:
    r"""Proximal operator of the nuclear norm: singular value thresholding.

    .. math:: \operatorname{argmin}_X \tfrac12 \|X - V\|_F^2
        + \text{step} \cdot \lambda \sum_i \sigma_i(X)

    which is soft thresholding of the singular values.

    Parameters
    ----------
    v : array_like, shape (..., m, n)
        One matrix or a stack of them, real or complex.
    lam : float
        Level, >= 0.
    step : float
        Step, > 0.
    rank : int, optional
        Solve under the further constraint ``rank(X) <= rank``, which keeps only the leading
        singular values. Small ranks use a truncated decomposition.

    Returns
    -------
    array
        Same shape and dtype as ``v``. The gradient of a tensor is NaN where singular values are
        equal or zero.

    Raises
    ------
    ValueError
        If ``v`` is not finite or has less than two dimensions, ``lam`` is negative or NaN,
        ``rank`` is out of range, or ``step`` <= 0.

    References
    ----------
    J.-F. Cai, E. J. Candes, Z. Shen (2010). A singular value thresholding algorithm for matrix
    completion. SIAM J. Optim. 20(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.nuclear([[3.0, 0.0], [0.0, 0.5]], 1.0)
    array([[2., 0.],
           [0., 0.]])
    """
    v = as_matrices(v)
    if rank is not None:
        rank = integer("rank", rank, 0, min(v.shape[-2:]))
    return lift_spectrum(soft_threshold, v, (steps(step) * single("lam", lam),), rank)


def schatten(v: Any, lam: Any, q: float, *, step: Any = 1.0) -> Any:
    r"""Proximal operator of the Schatten quasi-norm to the power q.

    .. math:: \operatorname{argmin}_X \tfrac12 \|X - V\|_F^2
        + \text{step} \cdot \lambda \sum_i \sigma_i(X)^q, \qquad 0 \le q \le 1

    which is `lq` on the singular values. ``q=1`` is `nuclear`, ``q=0`` is `rank`.

    Parameters
    ----------
    v : array_like, shape (..., m, n)
        One matrix or a stack of them, real or complex.
    lam : float
        Level, >= 0 and finite.
    q : float
        Exponent in [0, 1].
    step : float
        Step, > 0.

    Returns
    -------
    array
        Same shape and dtype as ``v``. The gradient of a tensor is NaN where singular values are
        equal or zero.

    Raises
    ------
    ValueError
        If ``v`` is not finite or has less than two dimensions, a parameter is out of range, or
        ``step`` <= 0.

    References
    ----------
    G. Marjanovic, V. Solo (2012). On l_q optimization and matrix completion. IEEE Trans. Signal
    Process. 60(11).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.schatten([[4.0, 0.0], [0.0, 0.5]], 1.0, 0.5).round(4)
    array([[3.7415, 0.    ],
           [0.    , 0.    ]])
    """
    kernel, parameters = lq_formula(steps(step) * finite_level("lam", lam), exponent(q))
    return lift_spectrum(kernel, as_matrices(v), parameters)


def rank(v: Any, lam: Any, *, step: Any = 1.0) -> Any:
    r"""Proximal operator of the rank: hard thresholding of the singular values.

    .. math:: \operatorname{argmin}_X \tfrac12 \|X - V\|_F^2
        + \text{step} \cdot \lambda \operatorname{rank}(X)

    which keeps the singular values above :math:`\sqrt{2\,\text{step}\,\lambda}` (a tie goes).

    Parameters
    ----------
    v : array_like, shape (..., m, n)
        One matrix or a stack of them, real or complex.
    lam : float
        Price of a rank, >= 0.
    step : float
        Step, > 0.

    Returns
    -------
    array
        Same shape and dtype as ``v``. The gradient of a tensor is NaN where singular values are
        equal or zero.

    Raises
    ------
    ValueError
        If ``v`` is not finite or has less than two dimensions, ``lam`` is negative or NaN, or
        ``step`` <= 0.

    References
    ----------
    C. Eckart, G. Young (1936). The approximation of one matrix by another of lower rank.
    Psychometrika 1.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.rank([[3.0, 0.0], [0.0, 1.0]], 2.0)
    array([[3., 0.],
           [0., 0.]])
    """
    threshold = l0_threshold(single("lam", lam), steps(step))
    return lift_spectrum(hard_threshold, as_matrices(v), (threshold,))


def project_rank(v: Any, k: int) -> Any:
    r"""Projection onto the matrices of rank at most ``k``.

    .. math:: \operatorname{argmin}_X \tfrac12 \|X - V\|_F^2 \quad \text{subject to} \quad
        \operatorname{rank}(X) \le k

    the truncated singular value decomposition. Small ranks of large matrices use an iterative
    one.

    Parameters
    ----------
    v : array_like, shape (..., m, n)
        One matrix or a stack of them, real or complex.
    k : int
        Largest rank, between 0 and min(m, n).

    Returns
    -------
    array
        Same shape and dtype as ``v``. The gradient of a tensor is NaN where singular values are
        equal or zero.

    Raises
    ------
    ValueError
        If ``v`` is not finite or has less than two dimensions, or ``k`` is out of range.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    C. Eckart, G. Young (1936). The approximation of one matrix by another of lower rank.
    Psychometrika 1.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_rank([[3.0, 0.0], [0.0, 1.0]], 1)
    array([[3., 0.],
           [0., 0.]])
    """
    v = as_matrices(v)
    return lift_spectrum(None, v, (), integer("k", k, 0, min(v.shape[-2:])))
