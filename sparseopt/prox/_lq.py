"""The l_q quasi-norms, 0 <= q <= 1."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._core import copysign, elementwise, formula, maximum, where
from .._core._validate import parameter, steps
from ._l0 import hard_threshold, l0_threshold
from ._l1 import soft_threshold


@formula
def lq_threshold(level, q):  # type: ignore[no-untyped-def]
    """The modulus up to which zero is at least as good as the larger stationary point."""
    gap = maximum(1.0 - q, 1e-16)  # in float32 an exponent close to 1 rounds to it
    jump = (2.0 * level * gap) ** (1.0 / (2.0 - q))
    return 0.5 * jump * (2.0 - q) / gap


@formula
def lq_root(v, level, q):  # type: ignore[no-untyped-def]
    """Prox of ``level |x|^q``, 0 < q < 1.

    Above the threshold, Newton's method on ``h(x) = x + level q x^(q-1) - |v|`` from ``|v|``: h is
    convex and increasing there, so the iterates fall to the root; seven of them reach 1e-15 for
    every q. Written in the distance ``|v| - x``, it also holds for an infinite ``v``.
    """
    threshold = lq_threshold(level, q)
    size = abs(v)
    above = size > threshold
    a = where(above, size + 1e-300, threshold + 1.0)  # a power of subnormals may overflow
    shift = 0.0
    for _ in range(7):
        x = a - shift
        slope = level * q * x ** (q - 1.0)
        shift = shift + (slope - shift) / (1.0 - (1.0 - q) * slope / x)
    return where(above, copysign(size - shift, v), v - v)


@formula
def half_root(v, level):  # type: ignore[no-untyped-def]
    """``lq_root`` at q = 1/2, where the power is a square root and five iterations suffice."""
    threshold = lq_threshold(level, 0.5)
    a = abs(v)
    above = a > threshold
    a = where(above, a, threshold + 1.0)
    shift = 0.0
    for _ in range(5):
        x = a - shift
        slope = 0.5 * level / x**0.5
        shift = shift + (slope - shift) / (1.0 - 0.5 * slope / x)
    return where(above, copysign(a - shift, v), v - v)


@formula
def lq_value(x, lam, q):  # type: ignore[no-untyped-def]
    """``lam |x|^q``, with 0^0 = 0."""
    return where(x != 0.0, lam * abs(x) ** q, 0.0)


@formula
def lq_slope(x, lam, q):  # type: ignore[no-untyped-def]
    """Slope for x >= 0; infinite at zero unless q = 1."""
    steep = where((x == 0.0) & (q < 1.0), inf, q * where(x == 0.0, 1.0, x) ** (q - 1.0))
    return where(lam > 0.0, lam * steep, 0.0)


def lq_formula(level: Any, q: float) -> tuple[Any, tuple[Any, ...]]:
    """The formula that solves this q best, and its parameters."""
    if q == 1.0:
        return soft_threshold, (level,)
    if q == 0.0:
        return hard_threshold, (l0_threshold(level, 1.0),)
    if q == 0.5:
        return half_root, (level,)
    return lq_root, (level, q)


def lq(v: Any, lam: Any, q: float, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the l_q quasi-norm to the power q.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \sum_i \lambda_i |x_i|^q

    With :math:`L = \text{step}\,\lambda`, entries up to
    :math:`\tfrac{2-q}{2(1-q)} (2L(1-q))^{1/(2-q)}` become zero (a tie too); above it the larger
    root of :math:`x + L q x^{q-1} = |v|` is found by Newton's method. ``q=1`` is `l1`, ``q=0`` is
    `l0`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    q : float
        Exponent in [0, 1].
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
        If an argument has NaN, ``lam`` < 0, ``q`` outside [0, 1], ``step`` <= 0, or shapes do not
        broadcast.

    References
    ----------
    Z. Xu, X. Chang, F. Xu, H. Zhang (2012). L1/2 regularization: a thresholding representation
    theory and a fast solver. IEEE Trans. Neural Netw. Learn. Syst. 23(7).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.lq([1.0, 2.0, -4.0], 1.0, 0.5).round(4)
    array([ 0.    ,  1.6054, -3.7415])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    kernel, parameters = lq_formula(level, exponent(q))
    return elementwise(kernel, v, parameters, out=out, check=True)


def exponent(q: Any) -> float:
    """Check the exponent of an l_q penalty."""
    q = parameter("q", q)
    if np.ndim(q) != 0 or q > 1.0:
        raise ValueError(f"q must be a single number in [0, 1], got {q}")
    return float(q)
