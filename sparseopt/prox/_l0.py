"""The number of non-zeros: hard thresholding."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._core import elementwise, formula, is_numpy, where
from .._core._validate import parameter, steps


@formula
def hard_threshold(v, t):  # type: ignore[no-untyped-def]
    """Keep ``v`` where it is larger than ``t`` in modulus; a tie gives zero."""
    return where(abs(v) > t, v, v - v)


@formula
def l0_value(x, lam):  # type: ignore[no-untyped-def]
    """``lam`` where ``x`` is not zero."""
    return where(x != 0.0, lam, abs(x))


@formula
def l0_slope(x, lam):  # type: ignore[no-untyped-def]
    """Slope for x >= 0: the jump at zero is infinitely steep."""
    return where((x == 0.0) & (lam > 0.0), inf, 0.0)


def l0_threshold(lam: Any, step: Any) -> Any:
    """The modulus up to which zero is at least as good as keeping the entry."""
    level = 2.0 * step * lam
    return np.sqrt(level) if is_numpy(level) else level**0.5


def l0(v: Any, lam: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the number of non-zeros: hard thresholding.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i [x_i \ne 0]

    which keeps :math:`v_i` where :math:`|v_i| > \sqrt{2\,\text{step}\,\lambda_i}`. At equality
    both minimise; zero is returned.

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0.
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

    References
    ----------
    T. Blumensath, M. E. Davies (2008). Iterative thresholding for sparse approximations.
    J. Fourier Anal. Appl. 14.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.l0([3.0, -0.5, 1.0], 0.5)
    array([3., 0., 0.])
    """
    threshold = l0_threshold(parameter("lam", lam), steps(step))
    return elementwise(hard_threshold, v, (threshold,), out=out, check=True)
