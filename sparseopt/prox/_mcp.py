"""The minimax concave penalty."""

from __future__ import annotations

from typing import Any

from .._core import copysign, elementwise, formula, minimum, sqrt, where
from .._core._validate import parameter, steps
from ._l1 import soft_threshold


@formula
def firm_threshold(v, lam, gamma, step):  # type: ignore[no-untyped-def]
    """Prox of MCP: firm thresholding for short steps, hard thresholding from ``gamma`` on.

    Within rounding of ``step = gamma`` the line is 0/0 at its end: it is kept between 0 and ``v``,
    where all points are then as good.
    """
    a = abs(v)
    short = step < gamma
    steep = 1.0 / where(short, 1.0 - step / gamma, 1.0)
    line = minimum(soft_threshold(a, step * lam) * steep, a)
    firm = where(a > gamma * lam, v, copysign(line, v) + 0.0)  # no -0
    hard = where(a > lam * sqrt(step * gamma), v, v - v)
    return where(short, firm, hard)


@formula
def mcp_value(x, lam, gamma):  # type: ignore[no-untyped-def]
    """``lam |x| - x^2 / (2 gamma)`` up to ``|x| = gamma lam``, constant beyond."""
    a = abs(x)
    beyond = 0.5 * gamma * lam * lam
    return where(a <= gamma * lam, lam * a - 0.5 * a * a / gamma, beyond)


@formula
def mcp_slope(x, lam, gamma):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return where(x <= gamma * lam, lam - x / gamma, 0.0)


def mcp(v: Any, lam: Any, gamma: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the minimax concave penalty (MCP).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \sum_i f(x_i), \quad
        f(x) = \begin{cases} \lambda |x| - x^2 / (2\gamma) & |x| \le \gamma\lambda \\
        \gamma\lambda^2 / 2 & \text{otherwise} \end{cases}

    The penalty is weakly convex with constant :math:`1/\gamma`. For ``step < gamma`` this is
    firm thresholding; for longer steps the problem is not convex and its global minimiser is
    hard thresholding at :math:`\lambda\sqrt{\text{step}\,\gamma}` (a tie gives zero).

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    gamma : float or array_like that broadcasts to ``v``
        Concavity, > 0 and finite; large values approach the l1 norm.
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
        If an argument has NaN, ``lam`` < 0, ``gamma`` <= 0, ``step`` <= 0, or shapes do not
        broadcast.

    References
    ----------
    C.-H. Zhang (2010). Nearly unbiased variable selection under minimax concave penalty.
    Ann. Statist. 38(2).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.mcp([0.5, 1.5, 4.0], 1.0, 3.0)
    array([0.  , 0.75, 4.  ])
    """
    parameters = (
        parameter("lam", lam, finite=True),
        parameter("gamma", gamma, strict=True, finite=True),
        steps(step),
    )
    return elementwise(firm_threshold, v, parameters, out=out, check=True)
