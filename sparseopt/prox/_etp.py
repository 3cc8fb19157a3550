"""The exponential-type penalty."""

from __future__ import annotations

from math import e as E
from typing import Any

from .._core import copysign, elementwise, exp, expm1, formula, log, maximum, sqrt, where
from .._core._validate import parameter, steps


@formula
def etp_root(v, level, gamma):  # type: ignore[no-untyped-def]
    """Prox of ``level (1 - exp(-gamma |x|)) / (1 - exp(-gamma))``.

    With ``slope`` the slope at zero, a nonzero result is the larger root of
    ``x + slope exp(-gamma x) = |v|``. In ``u = gamma (|v| - x)`` this is ``u exp(1 - u) = exp(-m)``
    with u <= 1 and m >= 0, one equation for all parameters; from a rational function that is exact
    to third order at u = 1 and right at u = 0, three Newton steps reach 1e-15.
    """
    a = abs(v)
    slope = -level * gamma / expm1(-gamma)
    bend = gamma * slope
    flat = (1.0 + log(maximum(bend, 1e-300))) / gamma  # the |v| for which the two roots meet
    start = where(bend <= 1.0, slope, flat)
    reached = a > start
    m = gamma * (where(reached, a, start + 1.0 / gamma) - flat)
    c = exp(-1.0 - m)
    p = sqrt(maximum(2.0 - 2.0 * E * c, 1e-16))
    u = 1.0 - p / (1.0 + p / 3.0 - 0.0286 * p * p)
    for _ in range(3):
        e = c * exp(u)
        u = u - (u - e) / (1.0 - e + 1e-30)
    shift = u / gamma
    x = maximum(a - shift, 0.0)
    gains = gamma * (0.5 * x * (a + shift)) > slope - shift  # at the root: no exponential
    above = reached & where(bend <= 1.0, reached, gains)
    return where(above, copysign(x, v), v - v)


@formula
def etp_value(x, lam, gamma):  # type: ignore[no-untyped-def]
    """``lam (1 - exp(-gamma |x|)) / (1 - exp(-gamma))``."""
    return lam * (expm1(-gamma * abs(x)) / expm1(-gamma))


@formula
def etp_slope(x, lam, gamma):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return -lam * gamma * exp(-gamma * x) / expm1(-gamma)


def etp(v: Any, lam: Any, gamma: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the exponential-type penalty (ETP).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \frac{1 - e^{-\gamma_i |x_i|}}{1 - e^{-\gamma_i}}

    With :math:`K = \text{step}\,\lambda\gamma / (1 - e^{-\gamma})` the result is 0 or the larger
    root of :math:`x + K e^{-\gamma x} = |v|`, whichever has the smaller objective (a tie gives 0);
    for :math:`K\gamma \le 1` it is not 0 exactly if :math:`|v| > K`. The root is found by three
    Newton steps. Between the l1 norm (:math:`\gamma \to 0`) and the l0 penalty
    (:math:`\gamma \to \infty`); weakly convex with constant
    :math:`\lambda\gamma^2/(1 - e^{-\gamma})`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    gamma : float or array_like that broadcasts to ``v``
        Rate, > 0 and finite.
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
    TypeError
        If ``v`` is not numeric.

    References
    ----------
    C. Gao, N. Wang, Q. Yu, Z. Zhang (2011). A feasible nonconvex relaxation approach to feature
    selection. AAAI.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.etp([0.5, 2.0, -5.0], 1.0, 1.0).round(4)
    array([ 0.    ,  1.7154, -4.9892])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    parameters = (level, parameter("gamma", gamma, strict=True, finite=True))
    return elementwise(etp_root, v, parameters, out=out, check=True)
