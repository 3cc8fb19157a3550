"""The Huber function."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, maximum, minimum, where
from .._core._validate import parameter, steps
from ._l1 import soft_threshold


@formula
def huber_shrink(v, level, delta):  # type: ignore[no-untyped-def]
    """Prox of ``level`` times the Huber function: division near zero, a shift far from it."""
    near = abs(v) <= delta * (1.0 + level)
    return where(near, v / (1.0 + level), soft_threshold(v, level * delta))


@formula
def huber_value(x, delta, lam):  # type: ignore[no-untyped-def]
    """``lam x^2 / 2`` up to ``|x| = delta``, linear beyond."""
    a = abs(x)
    near = minimum(a, delta)
    return lam * near * (a - 0.5 * near)


@formula
def huber_slope(x, delta, lam):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return lam * minimum(x, delta)


@formula
def huber_derivative(x, delta, lam):  # type: ignore[no-untyped-def]
    """Derivative at any real x."""
    return lam * minimum(maximum(x, -delta), delta)


@formula
def huber_curvature(x, delta, lam):  # type: ignore[no-untyped-def]
    """Second derivative; at the corners of the derivative the larger of the two."""
    return where(abs(x) <= delta, lam + 0.0 * x, 0.0 * x)


def huber(v: Any, delta: Any, lam: Any = 1.0, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the Huber function.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \sum_i \lambda_i h(x_i),
        \quad h(x) = \begin{cases} x^2 / 2 & |x| \le \delta \\
        \delta |x| - \delta^2 / 2 & \text{otherwise} \end{cases}

    With :math:`L = \text{step}\,\lambda`, the result is :math:`v/(1 + L)` if
    :math:`|v| \le \delta(1 + L)`, else :math:`v - L\delta\operatorname{sign}(v)`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    delta : float or array_like that broadcasts to ``v``
        Modulus at which the square becomes a line, > 0 and finite.
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
        If an argument has NaN, ``delta`` <= 0, ``lam`` < 0, ``step`` <= 0, or shapes do not
        broadcast.
    TypeError
        If ``v`` is not numeric.

    References
    ----------
    P. J. Huber (1964). Robust estimation of a location parameter. Ann. Math. Statist. 35(1).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.huber([1.0, -4.0], 1.0)
    array([ 0.5, -3. ])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    parameters = (level, parameter("delta", delta, strict=True, finite=True))
    return elementwise(huber_shrink, v, parameters, out=out, check=True)
