"""The hinge loss and its square."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, maximum, minimum, where
from .._core._validate import parameter, real_input, steps


@formula
def hinge_shift(v, level):  # type: ignore[no-untyped-def]
    """Move up by ``level``, at most to 1."""
    return maximum(v, minimum(v + level, 1.0))


@formula
def hinge_value(x, lam):  # type: ignore[no-untyped-def]
    """``lam max(0, 1 - x)``."""
    return lam * maximum(1.0 - x, 0.0)


@formula
def hinge_left(x, lam):  # type: ignore[no-untyped-def]
    """Slope to the left."""
    return where(x <= 1.0, -lam + 0.0 * x, 0.0 * x)


@formula
def hinge_right(x, lam):  # type: ignore[no-untyped-def]
    """Slope to the right."""
    return where(x < 1.0, -lam + 0.0 * x, 0.0 * x)


@formula
def squared_hinge_shrink(v, level):  # type: ignore[no-untyped-def]
    """Average with 1 below 1."""
    return where(v < 1.0, (v + level) / (1.0 + level), v)


@formula
def squared_hinge_value(x, lam):  # type: ignore[no-untyped-def]
    """``lam/2 max(0, 1 - x)^2``."""
    short = maximum(1.0 - x, 0.0)
    return 0.5 * lam * short * short


@formula
def squared_hinge_slope(x, lam):  # type: ignore[no-untyped-def]
    """Derivative."""
    return lam * minimum(x - 1.0, 0.0)


@formula
def squared_hinge_curvature(x, lam):  # type: ignore[no-untyped-def]
    """Second derivative; at the corner of the derivative the larger of the two."""
    return where(x <= 1.0, lam + 0.0 * x, 0.0 * x)


def hinge(v: Any, lam: Any = 1.0, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the hinge loss.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \max(0, 1 - x_i)

    which is :math:`\max(v, \min(v + \text{step}\,\lambda, 1))`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    step : float or array_like that broadcasts to ``v``
        Step, > 0.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` or ``lam`` has NaN, ``lam`` < 0, ``step`` <= 0, or shapes do not broadcast.
    TypeError
        If ``v`` is complex or not numeric.

    References
    ----------
    C. Cortes, V. Vapnik (1995). Support-vector networks. Mach. Learn. 20.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.hinge([-1.0, 0.5, 2.0])
    array([0., 1., 2.])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    return elementwise(hinge_shift, real_input("v", v), (level,), out=out, check=True)


def squared_hinge(v: Any, lam: Any = 1.0, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the squared hinge loss.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \tfrac{\lambda_i}{2} \max(0, 1 - x_i)^2

    With :math:`L = \text{step}\,\lambda`, this is :math:`(v + L)/(1 + L)` for v < 1, else v.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    step : float or array_like that broadcasts to ``v``
        Step, > 0.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` or ``lam`` has NaN, ``lam`` < 0, ``step`` <= 0, or shapes do not broadcast.
    TypeError
        If ``v`` is complex or not numeric.

    References
    ----------
    K.-W. Chang, C.-J. Hsieh, C.-J. Lin (2008). Coordinate descent method for large-scale L2-loss
    linear support vector machines. J. Mach. Learn. Res. 9.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.squared_hinge([-1.0, 0.5, 2.0])
    array([0.  , 0.75, 2.  ])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    return elementwise(squared_hinge_shrink, real_input("v", v), (level,), out=out, check=True)
