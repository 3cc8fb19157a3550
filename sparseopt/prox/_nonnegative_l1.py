"""The l1 norm of non-negative vectors."""

from __future__ import annotations

from math import inf
from typing import Any

from .._core import elementwise, formula, maximum, where
from .._core._validate import parameter, real_input, steps
from ._l1 import soft_threshold


@formula
def nonnegative_threshold(v, t):  # type: ignore[no-untyped-def]
    """Soft threshold of the positive part."""
    return soft_threshold(maximum(v, 0.0), t)


@formula
def nonnegative_l1_value(x, lam):  # type: ignore[no-untyped-def]
    """``lam x`` for x >= 0, with ``inf * 0 = 0``, and infinite below zero."""
    return where(x < 0.0, inf, where(x == 0.0, 0.0, lam * x))


@formula
def nonnegative_l1_left(x, lam):  # type: ignore[no-untyped-def]
    """Slope to the left: zero may be approached from above only."""
    return where(x < 0.0, inf, where(x == 0.0, -inf, lam + 0.0 * x))


@formula
def nonnegative_l1_right(x, lam):  # type: ignore[no-untyped-def]
    """Slope to the right."""
    return where(x < 0.0, -inf, lam + 0.0 * x)


def nonnegative_l1(v: Any, lam: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the l1 norm under the constraint x >= 0.

    .. math:: \operatorname{argmin}_{x \ge 0} \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i x_i

    which is :math:`x_i = \max(v_i - \text{step}\,\lambda_i, 0)`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0. At 0 only the constraint is left, ``inf`` forces an entry to zero.
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
        If ``v`` is complex or not numeric.

    References
    ----------
    P. L. Combettes, V. R. Wajs (2005). Signal recovery by proximal forward-backward splitting.
    Multiscale Model. Simul. 4(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.nonnegative_l1([3.0, -2.0, 0.5], 1.0)
    array([2., 0., 0.])
    """
    threshold = steps(step) * parameter("lam", lam)
    return elementwise(nonnegative_threshold, real_input("v", v), (threshold,), out=out, check=True)
