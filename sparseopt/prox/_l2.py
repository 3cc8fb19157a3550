"""The Euclidean norm of a vector, and its sum over the rows of a matrix."""

from __future__ import annotations

from typing import Any

from .._core._validate import parameter, steps
from ._group_l2 import group_levels, single
from ._l1 import soft_threshold
from ._vectors import as_array, scale_fibres


def l2(v: Any, lam: Any, *, step: Any = 1.0, axis: Any = None) -> Any:
    r"""Proximal operator of the Euclidean norm (not squared).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \cdot \lambda \|x\|_2

    which is :math:`\max(1 - \text{step}\,\lambda / \|v\|_2, 0)\, v`.

    Parameters
    ----------
    v : array_like
        Point, real or complex.
    lam : float
        Level, >= 0.
    step : float
        Step, > 0.
    axis : None, int or tuple of int
        The axes along which the norm is taken, independently for every fibre; ``None`` takes one
        norm of the whole array.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, ``lam`` is negative or NaN, or ``step`` <= 0.

    See Also
    --------
    group_l2 : Norms of groups.
    squared_l2 : The square.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.l2([3.0, -4.0], 1.0)
    array([ 2.4, -3.2])
    """
    return scale_fibres(soft_threshold, as_array(v), (steps(step) * single("lam", lam),), axis)


def l21(v: Any, lam: Any, weights: Any = None, *, step: Any = 1.0, axis: Any = -1) -> Any:
    r"""Proximal operator of the l2,1 norm: the sum of the norms of the rows of a matrix.

    .. math:: \operatorname{argmin}_X \tfrac12 \|X - V\|^2
        + \text{step} \cdot \lambda \sum_i w_i \|X_{i,:}\|_2

    Every fibre along ``axis`` is one group and shrinks to
    :math:`\max(1 - \text{step}\,\lambda w_i / \|V_{i,:}\|_2, 0)\, V_{i,:}`: in a multitask
    problem, a coordinate is used by all tasks or by none.

    Parameters
    ----------
    v : array_like
        Point, real or complex.
    lam : float
        Level, >= 0.
    weights : array_like, optional
        Weight of each fibre, >= 0; broadcasts to the shape of the other axes. Default 1.
    step : float
        Step, > 0.
    axis : int or tuple of int
        The axes that make up a group; the default makes every row of a matrix one group.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, a level or weight is negative or NaN, ``step`` <= 0, or the
        weights do not broadcast.

    See Also
    --------
    l2, group_l2

    References
    ----------
    G. Obozinski, B. Taskar, M. I. Jordan (2010). Joint covariate selection and joint subspace
    selection for multiple classification problems. Stat. Comput. 20.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.l21([[3.0, -4.0], [0.5, 0.5]], 1.0)
    array([[ 2.4, -3.2],
           [ 0. ,  0. ]])
    """
    level = single("lam", lam)
    if weights is not None:
        level = group_levels(level, parameter("weights", weights))
    return scale_fibres(soft_threshold, as_array(v), (steps(step) * level,), axis)
