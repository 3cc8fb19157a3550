"""The penalty of Geman and McClure."""

from __future__ import annotations

from typing import Any

from .._core import copysign, elementwise, formula, sqrt, where
from .._core._validate import parameter, steps


@formula
def geman_root(v, level, threshold):  # type: ignore[no-untyped-def]
    """Prox of ``level |x| / (|x| + threshold)``.

    A nonzero result is the larger root of ``x + level threshold / (x + threshold)^2 = |v|``.
    Measured in the ``scale`` at which the left side is least, this is ``w + 1 / (2 w^2) = b`` with
    w >= 1 and b >= 3/2, one equation for all parameters; Newton's method from the parabola that
    touches the left side at w = 1 reaches 1e-15 in three steps. Its unknown is ``s = b - w``, so
    that an infinite ``v`` is no exception.
    """
    a = abs(v)
    convex = 2.0 * level <= threshold * threshold
    start = where(convex, level / threshold, sqrt(2.0 * level) - 0.5 * threshold)
    above = a > start
    scale = (2.0 * level * threshold) ** (1.0 / 3.0)
    b = (where(above, a, start + 1.0) + threshold) / where(level > 0.0, scale, 1.0)
    w = 1.0 + sqrt(where(b > 1.5, b - 1.5, 1e-16) / 1.5)
    s = 0.5 / (w * w)
    for _ in range(3):
        w = b - s
        slope = 0.5 / (w * w)
        s = s + (slope - s) / (1.0 - 2.0 * slope / w)
    return where(above, copysign(a - s * scale, v), v - v)


@formula
def geman_value(x, lam, threshold):  # type: ignore[no-untyped-def]
    """``lam |x| / (|x| + threshold)``."""
    a = abs(x)
    return lam * (a / (a + threshold))


@formula
def geman_slope(x, lam, threshold):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    ratio = threshold / (x + threshold)
    return lam / threshold * ratio * ratio


def geman(v: Any, lam: Any, threshold: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the penalty of Geman and McClure (for moduli).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \frac{|x_i|}{|x_i| + \theta_i}

    With :math:`L = \text{step}\,\lambda`, entries up to :math:`L/\theta` become zero if
    :math:`2L \le \theta^2`, else entries up to :math:`\sqrt{2L} - \theta/2` (a tie too). Above, the
    larger root of :math:`x + L\theta/(x + \theta)^2 = |v|` is found by three Newton steps. The
    penalty is weakly convex with constant :math:`2\lambda/\theta^2`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    threshold : float or array_like that broadcasts to ``v``
        Modulus that costs half of ``lam``, > 0 and finite.
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
        If an argument has NaN, ``lam`` < 0, ``threshold`` <= 0, ``step`` <= 0, or shapes do not
        broadcast.
    TypeError
        If ``v`` is not numeric.

    References
    ----------
    D. Geman, G. Reynolds (1992). Constrained restoration and the recovery of discontinuities.
    IEEE Trans. Pattern Anal. Mach. Intell. 14(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.geman([0.5, 2.0, -5.0], 1.0, 1.0).round(4)
    array([ 0.    ,  1.8794, -4.972 ])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    parameters = (level, parameter("threshold", threshold, strict=True, finite=True))
    return elementwise(geman_root, v, parameters, out=out, check=True)
