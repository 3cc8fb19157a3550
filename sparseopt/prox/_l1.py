"""The l1 norm: soft thresholding."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, maximum, minimum, where
from .._core._validate import parameter, steps


@formula
def soft_threshold(v, t):  # type: ignore[no-untyped-def]
    """Move ``v`` towards zero by ``t``; at most to zero."""
    return v - minimum(maximum(v, -t), t)


@formula
def l1_value(x, lam):  # type: ignore[no-untyped-def]
    """``lam |x|``, with ``inf * 0 = 0``."""
    return where(x != 0.0, lam * abs(x), 0.0)


@formula
def l1_slope(x, lam):  # type: ignore[no-untyped-def]
    """Slope of ``lam |x|`` for x >= 0."""
    return lam + 0.0 * x


def l1(v: Any, lam: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the l1 norm: soft thresholding.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \sum_i \lambda_i |x_i|

    which is :math:`x_i = \operatorname{sign}(v_i) \max(|v_i| - \text{step}\,\lambda_i, 0)`;
    complex numbers keep their phase.

    Parameters
    ----------
    v : array_like, any shape
        Point; float32, float64, complex64 or complex128 (integers become float64), or a torch
        tensor, which is answered by one.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0. An entry 0 is not penalised, an entry ``inf`` is forced to zero. A level of
        shape (k,) beside ``v`` of shape (n, k) is one per column, as broadcasting has it (the
        penalty `sparseopt.penalties.L1` takes one per row).
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
        If ``v`` is not numeric.

    References
    ----------
    I. Daubechies, M. Defrise, C. De Mol (2004). An iterative thresholding algorithm for linear
    inverse problems with a sparsity constraint. Comm. Pure Appl. Math. 57(11).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.l1([3.0, -0.5, -2.0], 1.0)
    array([ 2.,  0., -1.])
    """
    threshold = steps(step) * parameter("lam", lam)
    return elementwise(soft_threshold, v, (threshold,), out=out, check=True)
