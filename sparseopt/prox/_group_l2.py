"""The group lasso penalty: thresholding of group norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, as_groups
from .._core._validate import axis_index, parameter, steps
from ._groups import scale_groups
from ._l1 import soft_threshold


def group_l2(
    v: Any,
    lam: Any,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
    out: Any = None,
) -> Any:
    r"""Proximal operator of the weighted sum of group norms (group lasso).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda \sum_g w_g \|x_g\|_2

    which is :math:`x_g = \max(1 - \text{step}\,\lambda w_g / \|v_g\|, 0)\, v_g`.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0; ``None`` means 1, ``"sqrt"`` the square root of its size.
    step : float
        Step, > 0.
    axis : int
        Axis along which the coordinates lie.
    out : array, optional
        Where to write the result; may be ``v`` itself.

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
    M. Yuan, Y. Lin (2006). Model selection and estimation in regression with grouped variables.
    J. R. Stat. Soc. B 68(1).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_l2([3.0, 4.0, 0.5, -0.5], 1.0, [0, 0, 1, 1])
    array([2.4, 3.2, 0. , 0. ])
    """
    if not hasattr(v, "ndim"):
        v = np.asarray(v)
    axis = axis_index(axis, v.ndim)
    partition = as_groups(groups, v.shape[axis] if v.ndim else 1)
    threshold = steps(step) * group_levels(single("lam", lam), group_weights(weights, partition))
    return scale_groups(soft_threshold, v, (threshold,), partition, axis=axis, out=out, check=True)


def single(name: str, value: Any) -> Any:
    """A checked parameter that must be one number."""
    value = parameter(name, value)
    if np.ndim(value):
        raise ValueError(f"{name} must be a single number, got shape {np.shape(value)}")
    return value


def group_levels(lam: Any, weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """``lam * w_g``; a weight of zero frees its group even if ``lam`` is infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(weights > 0, float(lam) * weights, 0.0)


def group_weights(weights: Any, groups: Groups) -> np.ndarray[Any, Any]:
    """One weight per group from ``None``, ``"sqrt"`` or an array."""
    if weights is None:
        return np.ones(groups.count)
    if isinstance(weights, str):
        if weights != "sqrt":
            raise ValueError(f"weights must be None, 'sqrt' or an array, got {weights!r}")
        return np.sqrt(groups.sizes)
    weights = np.asarray(parameter("weights", weights))
    if weights.shape != (groups.count,):
        raise ValueError(f"weights must have shape ({groups.count},), got {weights.shape}")
    return weights
