"""Projections onto balls and spheres of the Euclidean and the maximum norm."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, is_numpy, minimum, namespace
from .._core._validate import axis_index, positive
from ._group_lifts import finite_level
from ._groups import group_norms
from ._linf import clip_at
from ._vectors import as_array, as_columns, one_group, scale_fibres


@formula
def at_most(r, radius):  # type: ignore[no-untyped-def]
    """A norm cut at the radius."""
    return minimum(r, radius)


@formula
def exactly(r, radius):  # type: ignore[no-untyped-def]
    """The radius, whatever the norm."""
    return radius + 0.0 * r


def project_l2_ball(v: Any, radius: float, *, axis: Any = -1) -> Any:
    r"""Projection onto the Euclidean ball.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \|x\|_2 \le \text{radius}

    which is :math:`\min(1, \text{radius} / \|v\|_2)\, v`.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    radius : float
        Radius, >= 0.
    axis : None, int or tuple of int
        The axes along which the norm is taken, independently for every fibre.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``radius`` is negative or not finite, or ``v`` is not finite.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_l2_ball([3.0, 4.0], 1.0)
    array([0.6, 0.8])
    """
    return scale_fibres(at_most, as_array(v), (finite_level("radius", radius),), axis)


def project_linf_ball(v: Any, radius: Any, *, out: Any = None) -> Any:
    r"""Projection onto the ball of the maximum norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \max_i |x_i| \le \text{radius}

    which cuts all moduli at the radius. There is no axis: the rule acts on every entry.

    Parameters
    ----------
    v : array_like, real or complex, any shape
        Point.
    radius : float
        Radius, >= 0.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``radius`` is negative or not finite, or ``v`` has NaN.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_linf_ball([3.0, -0.5], 1.0)
    array([ 1. , -0.5])
    """
    return elementwise(clip_at, v, (finite_level("radius", radius),), out=out, check=True)


def project_sphere(v: Any, radius: float = 1.0, *, axis: int = -1) -> Any:
    r"""Projection onto the Euclidean sphere.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \|x\|_2 = \text{radius}

    which is :math:`\text{radius} \cdot v / \|v\|_2`. At v = 0 every point of the sphere is as
    near; the first unit vector times the radius is returned.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    radius : float
        Radius, > 0.
    axis : int
        Axis along which the norm is taken, independently for every fibre.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``radius`` <= 0, or ``v`` is not finite or empty along ``axis``.

    References
    ----------
    A. Beck (2017). First-order methods in optimization, example 6.65. SIAM.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_sphere([3.0, 4.0], 10.0)
    array([6., 8.])
    """
    radius = positive("radius", radius)
    v = as_array(v)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    n = columns.shape[0]
    if n == 0:
        raise ValueError(f"v must not be empty along axis {axis}, got shape {tuple(v.shape)}")
    xp = namespace(columns)
    scaled = scale_fibres(exactly, columns, (radius,), 0)
    zero = group_norms(columns, one_group(n)) == 0
    if not bool(xp.any(zero)):
        return back(scaled)
    first = xp.zeros_like(columns)
    first[0] = radius
    result = xp.where(zero, first, scaled)
    return back(result.astype(columns.dtype) if is_numpy(result) else result)
