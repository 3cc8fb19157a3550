"""The fused lasso: total variation plus l1 norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import to_host
from ._group_lifts import finite_level
from ._l1 import l1
from ._tv1d import tv1d
from ._vectors import as_array, as_columns, axes_of


def fused_lasso(v: Any, lam_l1: Any, lam_tv: Any, *, step: Any = 1.0, axis: Any = -1) -> Any:
    r"""Proximal operator of the fused lasso: total variation plus l1 norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \Bigl(\lambda_1 \sum_i |x_i| + \sum_i \lambda_i |x_{i+1} - x_i|\Bigr)

    along ``axis``, which is `l1` of `tv1d`, in this order: exact, in linear time.

    Parameters
    ----------
    v : array_like, real
        Signals.
    lam_l1 : float
        Level of the l1 norm, >= 0 and finite; one number, else the composition would not hold.
    lam_tv : float or array_like, shape (n - 1,)
        Level of the total variation, >= 0, of every edge.
    step : float or array_like with the shape of the other axes
        Step, > 0.
    axis : int, tuple of int or None
        The axis along which the signals run; ``None`` takes the whole array in C order.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, a level is negative, NaN or of the wrong shape, ``lam_l1`` is
        infinite, or ``step`` <= 0.
    TypeError
        If ``v`` is complex.

    References
    ----------
    J. Friedman, T. Hastie, H. Hoefling, R. Tibshirani (2007). Pathwise coordinate optimization.
    Ann. Appl. Stat. 1(2).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.fused_lasso([0.0, 1.0, 5.0, 6.0], 2.0, 1.0)
    array([0., 0., 3., 3.])
    """
    smooth = as_array(tv1d(v, lam_tv, step=step, axis=axis))
    if np.ndim(step):
        _, batch, _ = as_columns(smooth, axis)
        step = np.expand_dims(np.broadcast_to(to_host(step), batch), axes_of(axis, smooth.ndim))
    return l1(smooth, finite_level("lam_l1", lam_l1), step=step)
