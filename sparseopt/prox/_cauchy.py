"""The Cauchy penalty."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, log1p, maximum, minimum, sqrt, where
from .._core._validate import parameter, steps
from ._thresholds import from_parameters


@formula
def cauchy_step(t, tall, flat, bend):  # type: ignore[no-untyped-def]
    """A step to the nearest root of ``tall t^2 (t - 1) + flat (bend t - 1)`` on [0, 1].

    It is Laguerre's: from either end it goes monotonically to the nearest root if all three are
    real and, unlike Newton's, does not slow down where they meet. Six reach 1e-15.
    """
    value = tall * t * t * (t - 1.0) + flat * (bend * t - 1.0)
    slope = tall * t * (3.0 * t - 2.0) + flat * bend
    curve = tall * (6.0 * t - 2.0)
    radicand = maximum(4.0 * slope * slope - 6.0 * value * curve, 1e-30)
    return minimum(maximum(t - 3.0 * value / abs(slope + sqrt(radicand)), 0.0), 1.0)


@formula
def cauchy_threshold(level, delta):  # type: ignore[no-untyped-def]
    """The modulus up to which the smallest root is the minimiser, above which it is the largest.

    For ``k = level/delta <= 4`` there is one root, and the answer is where it passes the point of
    inflection. Beyond, Newton's method on the difference of the two objectives, whose derivative
    is minus the gap between the roots, starts there; the difference is concave.
    """
    k = level / delta
    bend = 1.0 + 2.0 * k
    a = 3.0 * sqrt(maximum(k - 1.0, 0.0))
    for _ in range(8):
        square = a * a
        tall, flat = square / (square + 1.0), 1.0 / (square + 1.0)
        low, high = 0.0 * a, 1.0 + 0.0 * a
        for _ in range(6):
            low = cauchy_step(low, tall, flat, bend)
            high = cauchy_step(high, tall, flat, bend)
        low, high = a * low, a * high
        gap, both = high - low, high + low
        excess = gap * (0.5 * both - a) + k * log1p(gap * both / (1.0 + low * low))
        a = a + where((k > 4.0) & (gap > 0.0), excess / where(gap > 0.0, gap, 1.0), 0.0)
    return a * sqrt(delta)


@formula
def cauchy_root(v, level, delta, threshold):  # type: ignore[no-untyped-def]
    """Prox of ``level log(1 + x^2 / delta)``, in the unknown ``t = x / |v|``."""
    a = minimum(abs(v), 1e100)
    square = a * a
    tall, flat = square / (square + delta), delta / (square + delta)
    bend = 1.0 + 2.0 * (level / delta)
    t = where(a > threshold, 1.0 + 0.0 * a, 0.0 * a)
    for _ in range(6):
        t = cauchy_step(t, tall, flat, bend)
    return v * t


def cauchy_parameters(level: Any, delta: Any) -> tuple[Any, ...]:
    """The parameters of `cauchy_root`."""
    return level, delta, from_parameters(cauchy_threshold, level, delta)


@formula
def cauchy_value(x, lam, delta):  # type: ignore[no-untyped-def]
    """``lam log(1 + x^2 / delta)``."""
    a = abs(x)
    return lam * log1p(a * (a / delta))


@formula
def cauchy_slope(x, lam, delta):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return 2.0 * lam * x / (delta + x * x)


def cauchy(v: Any, lam: Any, delta: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the Cauchy (Lorentzian) penalty.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \log(1 + x_i^2 / \delta_i)

    With :math:`L = \text{step}\,\lambda` and :math:`a = |v|`, the minimiser is a root of
    :math:`x^3 - a x^2 + (\delta + 2L) x - a\delta`: of the smallest and the largest, found by six
    steps of Laguerre's method, the one of lower objective (a tie gives the smaller one). It
    shrinks small entries but makes none zero, and is weakly convex with constant
    :math:`\lambda / (4\delta)`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    delta : float or array_like that broadcasts to ``v``
        Square of the scale below which the penalty looks like a ridge, > 0 and finite.
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
        If an argument has NaN, ``lam`` < 0, ``delta`` <= 0, ``step`` <= 0, or shapes do not
        broadcast.
    TypeError
        If ``v`` is not numeric.

    References
    ----------
    O. Karakus, P. Mayo, A. Achim (2020). Convergence guarantees for non-convex optimisation with
    Cauchy-based penalties. IEEE Trans. Signal Process. 68.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.cauchy([0.5, 2.0, -5.0], 1.0, 1.0).round(4)
    array([ 0.1698,  1.    , -4.5835])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    parameters = cauchy_parameters(level, parameter("delta", delta, strict=True, finite=True))
    return elementwise(cauchy_root, v, parameters, out=out, check=True)
