"""Non-convex penalties of group norms: radial lifts of the scalar formulas."""

from __future__ import annotations

from typing import Any

from .._core import as_groups
from .._core._validate import axis_index, steps
from ._group_l2 import group_levels, group_weights, single
from ._groups import scale_groups
from ._log_sum import log_sum_parameters, log_sum_root
from ._lq import exponent, lq_formula
from ._mcp import firm_threshold
from ._scad import scad_threshold
from ._vectors import as_array


def finite_level(name: str, value: Any, *, strict: bool = False) -> float:
    """A checked parameter that must be one finite number."""
    value = float(single(name, value))
    if value == float("inf"):
        raise ValueError(f"{name} must be finite, got {value}")
    if strict and value == 0.0:
        raise ValueError(f"{name} must be > 0, got {value}")
    return value


def finite_weights(weights: Any, partition: Any) -> Any:
    """Group weights that must be finite."""
    weights = group_weights(weights, partition)
    if weights.size and weights.max() == float("inf"):
        raise ValueError("weights must be finite for a penalty that is not convex, got inf")
    return weights


def _levels(v: Any, lam: Any, groups: Any, weights: Any, axis: int) -> tuple[Any, Any, Any, int]:
    """Checked point, level of each group, groups and axis."""
    v = as_array(v)
    axis = axis_index(axis, v.ndim)
    partition = as_groups(groups, v.shape[axis] if v.ndim else 1)
    levels = group_levels(finite_level("lam", lam), finite_weights(weights, partition))
    return v, levels, partition, axis


def group_lq(
    v: Any,
    lam: Any,
    q: float,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
    out: Any = None,
) -> Any:
    r"""Proximal operator of the sum of group norms to the power q.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda \sum_g w_g \|x_g\|_2^q, \qquad 0 \le q \le 1

    which is `lq` on the norm of each group; the directions stay. ``q=0`` counts the groups,
    ``q=1`` is `group_l2`.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0 and finite.
    q : float
        Exponent in [0, 1].
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0 and finite; ``None`` means 1, ``"sqrt"`` the square root of
        its size.
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
        If ``groups`` is not a partition, ``v`` is not finite, a parameter is out of range, or
        ``step`` <= 0.

    References
    ----------
    Y. Hu, C. Li, K. Meng, J. Qin, X. Yang (2017). Group sparse optimization via l_{p,q}
    regularization. J. Mach. Learn. Res. 18.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_lq([3.0, -4.0, 0.5], 1.0, 0.0, [0, 0, 1])
    array([ 3., -4.,  0.])
    """
    v, levels, partition, axis = _levels(v, lam, groups, weights, axis)
    kernel, parameters = lq_formula(steps(step) * levels, exponent(q))
    return scale_groups(kernel, v, parameters, partition, axis=axis, out=out, check=True)


def group_mcp(
    v: Any,
    lam: Any,
    gamma: Any,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
    out: Any = None,
) -> Any:
    r"""Proximal operator of the minimax concave penalty of group norms.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_g f(\|x_g\|_2; \lambda w_g, \gamma)

    with :math:`f` of `mcp`, which acts on the norm of each group; the directions stay.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0 and finite.
    gamma : float
        Concavity, > 0 and finite; large values approach `group_l2`.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group's level, >= 0 and finite; ``None`` means 1, ``"sqrt"`` the square
        root of its size.
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
        If ``groups`` is not a partition, ``v`` is not finite, a parameter is out of range, or
        ``step`` <= 0.

    References
    ----------
    J. Huang, P. Breheny, S. Ma (2012). A selective review of group selection in
    high-dimensional models. Stat. Sci. 27(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_mcp([3.0, -4.0, 0.9, 0.6], 1.0, 3.0, [0, 0, 1, 2])
    array([ 3., -4.,  0.,  0.])
    """
    v, levels, partition, axis = _levels(v, lam, groups, weights, axis)
    parameters = (levels, finite_level("gamma", gamma, strict=True), steps(step))
    return scale_groups(firm_threshold, v, parameters, partition, axis=axis, out=out, check=True)


def group_scad(
    v: Any,
    lam: Any,
    gamma: Any,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
    out: Any = None,
) -> Any:
    r"""Proximal operator of the smoothly clipped absolute deviation (SCAD) of group norms.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_g f(\|x_g\|_2; \lambda w_g, \gamma)

    which is `scad` on the norm of each group, with level :math:`\lambda w_g`; the directions
    stay.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0 and finite.
    gamma : float
        Concavity, > 2 and finite (3.7 is usual); large values approach `group_l2`.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group's level, >= 0 and finite; ``None`` means 1, ``"sqrt"`` the square
        root of its size.
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
        If ``groups`` is not a partition, ``v`` is not finite, a parameter is out of range, or
        ``step`` <= 0.

    References
    ----------
    L. Wang, G. Chen, H. Li (2007). Group SCAD regression analysis for microarray time course gene
    expression data. Bioinformatics 23(12).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_scad([3.0, -4.0, 0.9, 0.6], 1.0, 3.0, [0, 0, 1, 2])
    array([ 3., -4.,  0.,  0.])
    """
    v, levels, partition, axis = _levels(v, lam, groups, weights, axis)
    parameters = (levels, scad_gamma(gamma), steps(step))
    return scale_groups(scad_threshold, v, parameters, partition, axis=axis, out=out, check=True)


def group_log_sum(
    v: Any,
    lam: Any,
    eps: Any,
    groups: Any,
    weights: Any = None,
    *,
    step: Any = 1.0,
    axis: int = 0,
    out: Any = None,
) -> Any:
    r"""Proximal operator of the log-sum penalty of group norms.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_g \lambda w_g \log(1 + \|x_g\|_2 / \epsilon)

    which is `log_sum` on the norm of each group, with level :math:`\lambda w_g`; the directions
    stay.

    Parameters
    ----------
    v : array_like
        Point, real or complex. Groups lie along ``axis``; all other axes are a batch.
    lam : float
        Level, >= 0 and finite.
    eps : float
        Scale below which the penalty looks like `group_l2`, > 0 and finite.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group's level, >= 0 and finite; ``None`` means 1, ``"sqrt"`` the square
        root of its size.
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
        If ``groups`` is not a partition, ``v`` is not finite, a parameter is out of range, or
        ``step`` <= 0.

    References
    ----------
    E. J. Candes, M. B. Wakin, S. P. Boyd (2008). Enhancing sparsity by reweighted l1
    minimization. J. Fourier Anal. Appl. 14.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.group_log_sum([3.0, -4.0, 0.5], 1.0, 1.0, [0, 0, 1]).round(4)
    array([ 2.8971, -3.8627,  0.    ])
    """
    v, levels, partition, axis = _levels(v, lam, groups, weights, axis)
    level = steps(step) * levels
    parameters = log_sum_parameters(level, finite_level("eps", eps, strict=True))
    return scale_groups(log_sum_root, v, parameters, partition, axis=axis, out=out, check=True)


def scad_gamma(gamma: Any) -> float:
    """Check the concavity of SCAD."""
    gamma = finite_level("gamma", gamma)
    if gamma <= 2.0:
        raise ValueError(f"gamma must be > 2, got {gamma}")
    return gamma
