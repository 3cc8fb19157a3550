"""Projections onto structured sparsity: few groups, and n of every m entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core import as_groups, is_numpy, namespace, to_host, to_native
from .._core._validate import axis_index, integer
from ._groups import group_norms
from ._project_top_k import top_k_mask
from ._vectors import as_array


def project_group_top_k(v: Any, k: int, groups: Any, *, axis: int = 0) -> Any:
    r"""Projection onto the vectors with at most ``k`` non-zero groups.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \#\{g : x_g \ne 0\} \le k

    The ``k`` groups of largest Euclidean norm stay, the others become zero. Of equal norms those
    of the lowest group number stay.

    Parameters
    ----------
    v : array_like, real or complex
        Point. Groups lie along ``axis``; all other axes are a batch.
    k : int
        Number of groups to keep, between 0 and the number of groups.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    axis : int
        Axis along which the coordinates lie.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, ``k`` is out of range or ``v`` is not finite.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    R. G. Baraniuk, V. Cevher, M. F. Duarte, C. Hegde (2010). Model-based compressive sensing.
    IEEE Trans. Inf. Theory 56(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_group_top_k([1.0, -3.0, 2.0, 3.0], 1, [0, 0, 1, 1])
    array([0., 0., 2., 3.])
    """
    v = as_array(v)
    if v.ndim == 0:
        return project_group_top_k(v.reshape(1), k, groups, axis=axis)[0]
    axis = axis_index(axis, v.ndim)
    partition = as_groups(groups, v.shape[axis])
    k = integer("k", k, 0, partition.count)
    norms = group_norms(to_host(v), partition, axis)
    if not np.isfinite(norms).all():
        raise ValueError("v must be finite, got NaN or infinity")
    keep = top_k_mask(norms.T, k).T[partition.labels]
    rest = v.shape[:axis] + v.shape[axis + 1 :]
    return _where(np.moveaxis(keep.reshape(v.shape[axis], *rest), 0, axis), v)


def project_n_m(v: Any, n: int, m: int, *, axis: int = -1) -> Any:
    r"""Projection onto the arrays with at most ``n`` non-zeros in every run of ``m`` entries.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \|x_{mj}, \dots, x_{mj+m-1}\|_0 \le n \ \text{for all } j

    along ``axis``: the pattern (2:4 for instance) that sparse matrix hardware multiplies. Of
    equal entries those with the lowest index stay.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    n, m : int
        How many of how many consecutive entries stay, 0 <= n <= m.
    axis : int
        Axis along which the runs lie; its length must be a multiple of ``m``.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``n`` or ``m`` is out of range, ``v`` has NaN, or the length along ``axis`` is not a
        multiple of ``m``.
    TypeError
        If ``n`` or ``m`` is not an integer.

    References
    ----------
    A. Zhou et al. (2021). Learning N:M fine-grained structured sparse neural networks from
    scratch. ICLR.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_n_m([4.0, -1.0, 2.0, 3.0, 0.1, 0.2, 0.3, 0.4], 2, 4)
    array([4. , 0. , 0. , 3. , 0. , 0. , 0.3, 0.4])
    """
    v = as_array(v)
    m = integer("m", m, 1)
    n = integer("n", n, 0, m)
    shape = tuple(v.shape) or (1,)
    axis = axis_index(axis, len(shape))
    if shape[axis] % m:
        raise ValueError(
            f"v must have a multiple of m = {m} entries along axis {axis}, got {shape[axis]}"
        )
    moved = np.moveaxis(np.abs(to_host(v)).reshape(shape), axis, -1)
    if np.isnan(moved).any():
        raise ValueError("v must not contain NaN")
    runs = np.ascontiguousarray(moved).reshape(math.prod(moved.shape) // m, m)
    keep = np.moveaxis(top_k_mask(runs, n).reshape(moved.shape), -1, axis)
    return _where(keep.reshape(v.shape), v)


def _where(keep: Any, v: Any) -> Any:
    """``v`` where it is kept and zero elsewhere."""
    xp = namespace(v)
    result = xp.where(to_native(np.ascontiguousarray(keep), v), v, xp.zeros_like(v))
    return result[()] if is_numpy(result) else result
