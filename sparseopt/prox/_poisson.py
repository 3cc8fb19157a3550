"""The Poisson (Kullback-Leibler) loss."""

from __future__ import annotations

from math import inf
from typing import Any

from .._core import elementwise, formula, log, sqrt, where
from .._core._validate import parameter, real_input, steps


@formula
def poisson_root(v, level, counts):  # type: ignore[no-untyped-def]
    """Prox of ``level (x - counts log x)``: the root >= 0 of a quadratic, without cancellation."""
    u = 1.0 * v - level
    size = abs(u)
    product = level * counts
    root = where(size < 1e150, sqrt(u * u + 4.0 * product), size)
    half = 0.5 * root + 0.5 * size
    return where(u > 0.0, half, product / where(half == 0.0, 1.0, half))


@formula
def poisson_value(x, counts, lam):  # type: ignore[no-untyped-def]
    """``lam (x - counts log x)``, with ``0 log 0 = 0``; infinite outside the domain."""
    inside = lam * (x - counts * log(where(x > 0.0, x, 1.0)))
    edge = where((x == 0.0) & (counts == 0.0), 0.0 * x, inf)
    return where(x <= 0.0, edge, inside)


@formula
def poisson_left(x, counts, lam):  # type: ignore[no-untyped-def]
    """Slope to the left; no subgradient outside the domain."""
    edge = where((x == 0.0) & (counts == 0.0), -inf, inf)
    return where(x <= 0.0, edge, lam * (1.0 - counts / where(x > 0.0, x, 1.0)))


@formula
def poisson_right(x, counts, lam):  # type: ignore[no-untyped-def]
    """Slope to the right."""
    edge = where((x == 0.0) & (counts == 0.0), lam, -inf)
    return where(x <= 0.0, edge, lam * (1.0 - counts / where(x > 0.0, x, 1.0)))


def poisson(v: Any, counts: Any, lam: Any = 1.0, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the Poisson loss, the Kullback-Leibler divergence from counts.

    .. math:: \operatorname{argmin}_{x \ge 0} \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i (x_i - b_i \log x_i)

    With :math:`L = \text{step}\,\lambda` and :math:`u = v - L`, this is
    :math:`\tfrac12 (u + \sqrt{u^2 + 4 L b})`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    counts : float or array_like that broadcasts to ``v``
        The data b, >= 0 and finite; 0 leaves a linear function on x >= 0.
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
        If an argument has NaN, ``counts`` or ``lam`` < 0, ``step`` <= 0, or shapes do not
        broadcast.
    TypeError
        If ``v`` is complex or not numeric.

    References
    ----------
    P. L. Combettes, J.-C. Pesquet (2007). A Douglas-Rachford splitting approach to nonsmooth
    convex variational signal recovery. IEEE J. Sel. Top. Signal Process. 1(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.poisson([-1.0, 1.0, 4.0], [0.0, 4.0, 4.0])
    array([0., 2., 4.])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    parameters = (level, parameter("counts", counts, finite=True))
    return elementwise(poisson_root, real_input("v", v), parameters, out=out, check=True)
