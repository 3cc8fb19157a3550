"""The log-sum penalty."""

from __future__ import annotations

from typing import Any

from .._core import copysign, elementwise, exp, formula, log, log1p, maximum, sqrt, where
from .._core._validate import parameter, steps
from ._thresholds import from_parameters


@formula
def log_sum_threshold(level, eps):  # type: ignore[no-untyped-def]
    """The modulus up to which zero is at least as good as any other point.

    It is the least value of ``x/2 + level log(1 + x/eps) / x`` over x > 0. With
    ``k = level/eps^2 > 1`` and ``q = log(1 + x/eps)`` the derivative vanishes at
    ``log k = 2 log(e^q - 1) - log(2 (q - 1 + e^-q))``, almost a line in q, which Newton's method
    solves; the least value feels an error in q only to second order. For k <= 1 it is at x = 0.
    """
    k = level / (eps * eps)
    target = log(maximum(k, 1.0))
    q = maximum(0.6 * target, 1e-5)
    for _ in range(4):
        w = exp(q)
        rest = q - 1.0 + 1.0 / w
        miss = 2.0 * log(w - 1.0) - log(2.0 * rest) - target
        q = maximum(q - miss / (2.0 * w / (w - 1.0) - (1.0 - 1.0 / w) / rest), 1e-5)
    z = exp(q) - 1.0
    jump = eps * (0.5 * z + k * log(1.0 + z) / z)
    return where(level > eps * eps, jump, level / eps)


@formula
def log_sum_root(v, level, eps, threshold):  # type: ignore[no-untyped-def]
    """Prox of ``level log(1 + |x| / eps)``.

    Above the threshold it is the larger root of ``(x + eps) (|v| - x) = level``, written as the
    distance ``|v| - x``.
    """
    a = abs(v)
    above = a > threshold
    u = where(above, a, threshold + 1.0) + eps
    ratio = 2.0 * sqrt(level) / u
    shift = 2.0 * level / (u * (1.0 + sqrt(maximum((1.0 - ratio) * (1.0 + ratio), 1e-30))))
    return where(above, copysign(a - shift, v), v - v)


@formula
def log_sum_value(x, lam, eps):  # type: ignore[no-untyped-def]
    """``lam log(1 + |x| / eps)``."""
    return lam * log1p(abs(x) / eps)


@formula
def log_sum_slope(x, lam, eps):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return lam / (x + eps)


def log_sum_parameters(level: Any, eps: Any) -> tuple[Any, ...]:
    """The parameters of `log_sum_root`."""
    return level, eps, from_parameters(log_sum_threshold, level, eps)


def log_sum(v: Any, lam: Any, eps: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the log-sum penalty.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \log(1 + |x_i| / \varepsilon_i)

    With :math:`L = \text{step}\,\lambda` and :math:`D = (|v| + \varepsilon)^2 - 4L`, the result is
    0 or :math:`\tfrac12 (|v| - \varepsilon + \sqrt D)`, whichever has the smaller objective (0 if
    D < 0, and at a tie). For :math:`L \le \varepsilon^2` it is not 0 exactly if
    :math:`|v| > L / \varepsilon`. The penalty is weakly convex with constant
    :math:`\lambda/\varepsilon^2`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    eps : float or array_like that broadcasts to ``v``
        Scale below which the penalty looks like an l1 norm, > 0 and finite.
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
        If an argument has NaN, ``lam`` < 0, ``eps`` <= 0, ``step`` <= 0, or shapes do not
        broadcast.
    TypeError
        If ``v`` is not numeric.

    References
    ----------
    E. J. Candes, M. B. Wakin, S. P. Boyd (2008). Enhancing sparsity by reweighted l1
    minimization. J. Fourier Anal. Appl. 14.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.log_sum([0.5, 2.0, -5.0], 1.0, 1.0).round(4)
    array([ 0.    ,  1.618 , -4.8284])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    parameters = log_sum_parameters(level, parameter("eps", eps, strict=True, finite=True))
    return elementwise(log_sum_root, v, parameters, out=out, check=True)
