"""The pinball loss of quantile regression."""

from __future__ import annotations

from typing import Any

from .._core import elementwise
from .._core._validate import fraction, parameter, real_input, steps
from ._asymmetric_l1 import asymmetric_threshold


def pinball(v: Any, tau: Any, lam: Any = 1.0, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the pinball loss.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \bigl(\tau \max(x_i, 0) + (1 - \tau) \max(-x_i, 0)\bigr)

    which is `asymmetric_l1` with the levels :math:`\lambda\tau` and :math:`\lambda(1 - \tau)`. The
    minimiser of the loss of residuals ``y - c`` over a constant c is a tau-quantile of y.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    tau : float or array_like that broadcasts to ``v``
        Quantile, in [0, 1].
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
        If an argument has NaN, ``tau`` is outside [0, 1], ``lam`` < 0, ``step`` <= 0, or shapes do
        not broadcast.
    TypeError
        If ``v`` is complex or not numeric.

    References
    ----------
    R. Koenker, G. Bassett (1978). Regression quantiles. Econometrica 46(1).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.pinball([3.0, -3.0, 0.5], 0.75)
    array([ 2.25, -2.75,  0.  ])
    """
    level = steps(step) * parameter("lam", lam, finite=True)
    tau = fraction("tau", tau)
    parameters = (level * tau, level * (1.0 - tau))
    return elementwise(asymmetric_threshold, real_input("v", v), parameters, out=out, check=True)
