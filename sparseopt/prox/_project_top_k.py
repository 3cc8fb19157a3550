"""Projection onto the k-sparse vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import from_rows, is_numpy, namespace, to_host, to_native, to_rows
from .._core._elementwise import as_floating
from .._core._namespace import floating
from .._core._validate import axis_index, integer


def top_k_mask(scores: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which entries of each row are its ``k`` largest; ties go to the lowest index."""
    n = scores.shape[-1]
    if k == 0 or k == n:
        return np.full(scores.shape, k > 0)
    threshold = np.partition(scores, n - k, axis=-1)[..., n - k, None]
    keep = scores > threshold
    tied = scores == threshold
    wanted = k - keep.sum(axis=-1, keepdims=True)
    if (tied.sum(axis=-1, keepdims=True) > wanted).any():
        tied &= np.cumsum(tied, axis=-1) <= wanted
    keep |= tied
    return keep


def project_top_k(v: Any, k: int, *, axis: int = -1) -> Any:
    r"""Projection onto the vectors with at most ``k`` non-zeros.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \|x\|_0 \le k

    along ``axis``, independently for every fibre: the ``k`` entries of largest modulus stay, the
    others become zero. Of equal entries those with the lowest index stay.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    k : int
        Number of entries to keep, between 0 and the length along ``axis``.
    axis : int
        Axis along which the entries are counted.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``k`` is out of range or ``v`` has NaN.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    T. Blumensath, M. E. Davies (2009). Iterative hard thresholding for compressed sensing.
    Appl. Comput. Harmon. Anal. 27(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_top_k([1.0, -3.0, 2.0, 3.0], 2)
    array([ 0., -3.,  0.,  3.])
    """
    host = as_floating("v", to_host(v))
    shape = host.shape or (1,)
    axis = axis_index(axis, len(shape))
    k = integer("k", k, 0, shape[axis])
    scores = to_rows(np.abs(host.reshape(shape)), axis)
    if np.isnan(scores).any():
        raise ValueError("v must not contain NaN")
    mask = from_rows(top_k_mask(scores, k), shape, axis).reshape(host.shape)
    if is_numpy(v):
        return np.where(mask, host, host.dtype.type(0))[()]
    xp = namespace(v)
    v = floating(v)
    return xp.where(to_native(mask, v), v, xp.zeros_like(v))
