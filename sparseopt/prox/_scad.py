"""The smoothly clipped absolute deviation."""

from __future__ import annotations

from typing import Any

from .._core import copysign, elementwise, formula, maximum, minimum, sqrt, where
from .._core._validate import parameter, steps


@formula
def scad_threshold(v, lam, gamma, step):  # type: ignore[no-untyped-def]
    """Prox of SCAD.

    Up to ``edge`` it is soft thresholding and beyond ``free`` the identity. For short steps a line
    joins the two; from ``step = gamma - 1`` on they meet at ``free``, where both are as good.
    Within rounding of that step the line is 0/0: it is kept between ``lam`` and ``v``, where all
    points are then as good.
    """
    a = abs(v)
    short = step < gamma - 1.0
    steep = 1.0 / where(short, 1.0 - step / (gamma - 1.0), 1.0)
    jump = where(step < gamma + 1.0, 0.5 * (gamma + 1.0 + step), sqrt(step * (gamma + 1.0)))
    free = lam * where(short, gamma, jump)
    edge = where(short, lam * (1.0 + step), free)
    on_line = a > edge
    zero = 0.0 * a
    move = step * lam * where(on_line, gamma / (gamma - 1.0) + zero, 1.0)
    moved = maximum(a - move, 0.0) * where(on_line, steep + zero, 1.0)  # a >= 0: no sign to keep
    size = minimum(maximum(moved, where(on_line, lam + zero, 0.0)), a)
    return where(a > free, v, copysign(size, v) + 0.0)  # no -0


@formula
def scad_value(x, lam, gamma):  # type: ignore[no-untyped-def]
    """``lam |x|`` up to ``lam``, a parabola up to ``gamma lam``, constant beyond."""
    a = abs(x)
    bend = maximum(a - lam, 0.0)
    risen = lam * a - 0.5 * bend * bend / (gamma - 1.0)
    return where(a <= gamma * lam, risen, 0.5 * lam * lam * (gamma + 1.0))


@formula
def scad_slope(x, lam, gamma):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return where(x <= lam, lam + 0.0 * x, maximum(gamma * lam - x, 0.0) / (gamma - 1.0))


def scad(v: Any, lam: Any, gamma: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the smoothly clipped absolute deviation (SCAD).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \sum_i f(x_i), \quad
        f(x) = \begin{cases} \lambda |x| & |x| \le \lambda \\
        \frac{2\gamma\lambda|x| - x^2 - \lambda^2}{2(\gamma - 1)} & \lambda < |x| \le \gamma\lambda
        \\ \lambda^2 (\gamma + 1) / 2 & \text{otherwise} \end{cases}

    The penalty is weakly convex with constant :math:`1/(\gamma - 1)`. For ``step < gamma - 1`` the
    operator is soft thresholding up to :math:`\lambda(1 + \text{step})`, the identity beyond
    :math:`\gamma\lambda` and a line between. For longer steps the problem is not convex and the
    global minimiser jumps from soft thresholding to the identity at
    :math:`\lambda(\gamma + 1 + \text{step})/2`, or at :math:`\lambda\sqrt{\text{step}(\gamma + 1)}`
    from ``step = gamma + 1`` on. A tie gives the smaller one.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    gamma : float or array_like that broadcasts to ``v``
        Concavity, > 2 and finite (3.7 is usual); large values approach the l1 norm.
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
        If an argument has NaN, ``lam`` < 0, ``gamma`` <= 2, ``step`` <= 0, or shapes do not
        broadcast.
    TypeError
        If ``v`` is not numeric.

    References
    ----------
    J. Fan, R. Li (2001). Variable selection via nonconcave penalized likelihood and its oracle
    properties. J. Amer. Statist. Assoc. 96(456).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.scad([0.5, 1.5, 2.85, 4.0], 1.0, 3.7)
    array([0.  , 0.5 , 2.35, 4.  ])
    """
    parameters = (
        parameter("lam", lam, finite=True),
        parameter("gamma", gamma, low=2.0, strict=True, finite=True),
        steps(step),
    )
    return elementwise(scad_threshold, v, parameters, out=out, check=True)
