"""The sparse group lasso penalty: entries, then groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import as_groups, elementwise, is_numpy, to_host
from .._core._validate import axis_index, parameter, steps
from ._group_l2 import group_levels, group_weights, single
from ._groups import scale_groups
from ._l1 import soft_threshold
from ._vectors import as_array


def sparse_group(
    v: Any,
    lam_l1: Any,
    lam_group: Any,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
) -> Any:
    r"""Proximal operator of the l1 norm plus a sum of group norms (sparse group lasso).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step}
        \Bigl( \sum_i \lambda^1_i |x_i| + \lambda^2 \sum_g w_g \|x_g\|_2 \Bigr)

    which is soft thresholding of the entries followed by that of the norms of the groups of the
    result, in this order.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam_l1 : float or array_like, shape (n,)
        Level of the l1 norm, >= 0; one per coordinate for a weighted norm.
    lam_group : float
        Level of the group norms, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0; ``None`` means 1, ``"sqrt"`` the square root of its size.
    step : float
        Step, > 0.
    axis : int
        Axis along which the coordinates lie.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition (the message names the first index covered twice or
        never), ``v`` is not finite, a level or weight is negative or NaN, or ``step`` <= 0.

    References
    ----------
    N. Simon, J. Friedman, T. Hastie, R. Tibshirani (2013). A sparse-group lasso. J. Comput.
    Graph. Statist. 22(2).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.sparse_group([4.0, -5.0, 0.5, 1.5], 1.0, 2.5, [0, 0, 0, 1])
    array([ 1.5, -2. ,  0. ,  0. ])
    """
    v = as_array(v)
    axis = axis_index(axis, v.ndim)
    n = v.shape[axis] if v.ndim else 1
    partition = as_groups(groups, n)
    lam_l1 = parameter("lam_l1", lam_l1)
    if np.ndim(lam_l1):
        if lam_l1.shape != (n,):
            raise ValueError(f"lam_l1 must be a number or have shape ({n},), got {lam_l1.shape}")
        shape = tuple(n if i == axis else 1 for i in range(v.ndim))
        lam_l1 = (to_host(lam_l1) if is_numpy(v) else lam_l1).reshape(shape)
    levels = group_levels(single("lam_group", lam_group), group_weights(weights, partition))
    soft = elementwise(soft_threshold, v, (steps(step) * lam_l1,), check=True)
    return scale_groups(soft_threshold, soft, (step * levels,), partition, axis=axis, check=True)
