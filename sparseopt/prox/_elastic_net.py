"""The elastic net: soft thresholding and a ridge."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, where
from .._core._validate import parameter, steps
from ._l1 import soft_threshold


@formula
def shrink_and_threshold(v, t, ridge):  # type: ignore[no-untyped-def]
    """Soft threshold by ``t``, then divide by ``1 + ridge``."""
    return soft_threshold(v, t) / (1.0 + ridge)


@formula
def elastic_net_value(x, lam, mu):  # type: ignore[no-untyped-def]
    """``lam |x| + mu/2 |x|^2``, with ``inf * 0 = 0``."""
    a = abs(x)
    return where(x != 0.0, a * (lam + 0.5 * mu * a), 0.0)


@formula
def elastic_net_slope(x, lam, mu):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    return lam + mu * x


def elastic_net(v: Any, lam: Any, mu: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the elastic net.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \bigl(\lambda_i |x_i| + \tfrac{\mu_i}{2} |x_i|^2\bigr)

    which is soft thresholding by ``step * lam`` followed by division by ``1 + step * mu``.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam, mu : float or array_like that broadcasts to ``v``
        Levels of the l1 norm and of the ridge, both >= 0, ``mu`` finite. An entry ``inf`` of
        ``lam`` forces its coordinate to zero.
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
        If an argument has NaN, ``lam`` or ``mu`` < 0, ``step`` <= 0, or shapes do not broadcast.

    References
    ----------
    H. Zou, T. Hastie (2005). Regularization and variable selection via the elastic net.
    J. R. Stat. Soc. B 67(2).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.elastic_net([3.0, -0.5, -2.0], 1.0, 1.0)
    array([ 1. ,  0. , -0.5])
    """
    step = steps(step)
    parameters = (step * parameter("lam", lam), step * parameter("mu", mu, finite=True))
    return elementwise(shrink_and_threshold, v, parameters, out=out, check=True)
