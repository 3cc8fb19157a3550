"""The l1 norm with a level for each sign."""

from __future__ import annotations

from typing import Any

from .._core import elementwise, formula, maximum, minimum, where
from .._core._validate import parameter, real_input, steps
from ._l1 import l1_slope, l1_value


@formula
def asymmetric_threshold(v, t_plus, t_minus):  # type: ignore[no-untyped-def]
    """Soft threshold by ``t_plus`` above zero and by ``t_minus`` below."""
    return maximum(v - t_plus, minimum(v + t_minus, 0.0))


@formula
def asymmetric_l1_value(x, lam_plus, lam_minus):  # type: ignore[no-untyped-def]
    """``lam_plus x`` for x >= 0, ``-lam_minus x`` below, with ``inf * 0 = 0``."""
    return where(x > 0.0, l1_value(x, lam_plus), l1_value(x, lam_minus))


@formula
def asymmetric_l1_left(x, lam_plus, lam_minus):  # type: ignore[no-untyped-def]
    """Slope to the left."""
    return where(x > 0.0, l1_slope(x, lam_plus), -l1_slope(x, lam_minus))


@formula
def asymmetric_l1_right(x, lam_plus, lam_minus):  # type: ignore[no-untyped-def]
    """Slope to the right."""
    return where(x >= 0.0, l1_slope(x, lam_plus), -l1_slope(x, lam_minus))


def asymmetric_l1(
    v: Any, lam_plus: Any, lam_minus: Any, *, step: Any = 1.0, out: Any = None
) -> Any:
    r"""Proximal operator of the l1 norm with one level above zero and one below.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \bigl(\lambda^+_i \max(x_i, 0) + \lambda^-_i \max(-x_i, 0)\bigr)

    which moves :math:`v_i` towards zero, at most to zero, by
    :math:`\text{step}\,\lambda^+_i` if it is positive and :math:`\text{step}\,\lambda^-_i` if it is
    negative.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    lam_plus, lam_minus : float or array_like that broadcasts to ``v``
        Levels above and below zero, both >= 0; ``inf`` forbids a sign.
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
        If ``v`` or a level has NaN, a level < 0, ``step`` <= 0, or shapes do not broadcast.
    TypeError
        If ``v`` is complex or not numeric.

    References
    ----------
    P. L. Combettes, V. R. Wajs (2005). Signal recovery by proximal forward-backward splitting.
    Multiscale Model. Simul. 4(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.asymmetric_l1([3.0, -3.0, 0.5], 1.0, 2.0)
    array([ 2., -1.,  0.])
    """
    step = steps(step)
    parameters = (step * parameter("lam_plus", lam_plus), step * parameter("lam_minus", lam_minus))
    return elementwise(asymmetric_threshold, real_input("v", v), parameters, out=out, check=True)
