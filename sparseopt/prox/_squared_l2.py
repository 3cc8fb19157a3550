"""The squared Euclidean norm: plain shrinkage."""

from __future__ import annotations

from typing import Any

from .._core import elementwise
from .._core._validate import parameter, steps
from ._elastic_net import shrink_and_threshold


def squared_l2(v: Any, mu: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the squared Euclidean norm (ridge).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \tfrac{\mu_i}{2} |x_i|^2

    which is :math:`x_i = v_i / (1 + \text{step}\,\mu_i)`: the elastic net without its l1 norm.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    mu : float or array_like that broadcasts to ``v``
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
        If an argument has NaN, ``mu`` < 0, ``step`` <= 0, or shapes do not broadcast.

    References
    ----------
    A. E. Hoerl, R. W. Kennard (1970). Ridge regression: biased estimation for nonorthogonal
    problems. Technometrics 12(1).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.squared_l2([3.0, -1.0], 1.0)
    array([ 1.5, -0.5])
    """
    parameters = (0.0, steps(step) * parameter("mu", mu, finite=True))
    return elementwise(shrink_and_threshold, v, parameters, out=out, check=True)
