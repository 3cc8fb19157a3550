"""The logistic loss."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, exp, formula, log, log1p, maximum, minimum, where
from .._core._validate import parameter, real_input, steps


@formula
def softplus(x):  # type: ignore[no-untyped-def]
    """``log(1 + e^x)`` without overflow."""
    return maximum(x, 0.0) + log1p(exp(-abs(x)))


@formula
def logistic_root(v, level):  # type: ignore[no-untyped-def]
    """Prox of ``level log(1 + e^-x)``: the root of ``x = v + level / (1 + e^x)``.

    The problem is symmetric about ``v = -level/2``, where x = 0, so let x >= 0; it solves
    ``x = w + level / (1 + e^x)``. The unknown is ``z = x - max(w, 0)``. An approximation of
    Lambert's function, and for w < 0 the root without the term x, give a start from which three
    steps of Halley's method reach 1e-15 at any level; from a fixed start Newton's advance by 1.
    """
    right = v + 0.5 * level >= 0.0
    w = where(right, v, -v - level)
    near, far = minimum(w, 0.0), maximum(w, 0.0)
    ahead = log(maximum(level, 1e-300)) - w
    size = maximum(ahead, 0.0) + log(1.0 + exp(-abs(ahead)))
    least = (near + 0.5 * level) / (1.0 + 0.25 * level)
    steep = where(w < 0.0, -near, 1e-300)
    most = log(maximum((level + near) / steep, 1.0))
    z = near + size * (1.0 - log(1.0 + size) / (2.0 + size))
    z = minimum(maximum(z, where(w < 0.0, least, 0.0 * least)), most)
    for _ in range(3):
        e = exp(-(far + z))
        pull = level * e / (1.0 + e)
        fall = pull / (1.0 + e)
        slope = 1.0 + fall
        miss = z - near - pull
        z = z - miss * slope / (slope * slope + 0.5 * miss * fall * (1.0 - e) / (1.0 + e))
    return where(right, far + z, -far - z)


@formula
def logistic_value(x, lam):  # type: ignore[no-untyped-def]
    """``lam log(1 + e^-x)``."""
    return lam * softplus(-x)


@formula
def logistic_slope(x, lam):  # type: ignore[no-untyped-def]
    """Derivative."""
    e = exp(-abs(x))
    return -lam * where(x > 0.0, e, 1.0) / (1.0 + e)


@formula
def logistic_curvature(x, lam):  # type: ignore[no-untyped-def]
    """Second derivative."""
    e = exp(-abs(x))
    return lam * e / ((1.0 + e) * (1.0 + e))


def logistic(v: Any, lam: Any = 1.0, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the logistic loss.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \log(1 + e^{-x_i})

    which is the root of :math:`x = v + L / (1 + e^x)`, with :math:`L = \text{step}\,\lambda`, found
    by three steps of Halley's method from a start that holds for every L.

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
    L. M. Briceno-Arias, G. Chierchia, E. Chouzenoux, J.-C. Pesquet (2019). A random
    block-coordinate Douglas-Rachford splitting method with low computational complexity for binary
    logistic regression. Comput. Optim. Appl. 72.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.logistic([-2.0, 0.0, 2.0]).round(4)
    array([-1.2268,  0.4011,  2.1083])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    return elementwise(logistic_root, real_input("v", v), (level,), out=out, check=True)
