"""The capped l1 norm."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, minimum, sqrt, where
from .._core._validate import parameter, steps
from ._l1 import l1_value, soft_threshold


@formula
def capped_threshold(v, level, threshold):  # type: ignore[no-untyped-def]
    """Prox of ``level min(|x|, threshold)``.

    Soft thresholding up to the point where keeping the entry costs as much, the identity beyond.
    """
    short = level < 2.0 * threshold
    jump = where(short, threshold + 0.5 * level, sqrt(2.0 * level * threshold))
    return where(abs(v) > jump, v, soft_threshold(v, level))


@formula
def capped_l1_value(x, lam, threshold):  # type: ignore[no-untyped-def]
    """``lam min(|x|, threshold)``, with ``inf * 0 = 0``."""
    return l1_value(minimum(abs(x), threshold), lam)


@formula
def capped_l1_slope(x, lam, threshold):  # type: ignore[no-untyped-def]
    """Slope for x >= 0; at the kink, where none is a minimiser, the smaller one."""
    return where(x < threshold, lam + 0.0 * x, 0.0 * x)


def capped_l1(v: Any, lam: Any, threshold: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the capped l1 norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \min(|x_i|, \theta_i)

    With :math:`L = \text{step}\,\lambda` this is soft thresholding by L up to
    :math:`\theta + L/2` (up to :math:`\sqrt{2 L \theta}` if :math:`L \ge 2\theta`) and the identity
    beyond; a tie gives the smaller minimiser. The kink at :math:`\theta` points down: no quadratic
    makes the penalty convex.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0; ``inf`` forces an entry to zero.
    threshold : float or array_like that broadcasts to ``v``
        Modulus from which entries cost the same, > 0; ``inf`` gives the l1 norm.
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
    T. Zhang (2010). Analysis of multi-stage convex relaxation for sparse regularization.
    J. Mach. Learn. Res. 11.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.capped_l1([0.5, 1.5, 5.0], 1.0, 2.0)
    array([0. , 0.5, 5. ])
    """
    level = steps(step) * parameter("lam", lam)
    parameters = (level, parameter("threshold", threshold, strict=True))
    return elementwise(capped_threshold, v, parameters, out=out, check=True)
