"""Total variation in one dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, namespace, on_host, to_host, to_native
from .._core._validate import parameter, real_input, steps
from ._pava import block_means
from ._taut_string import taut_string
from ._vectors import as_array, as_columns

Array = np.ndarray[Any, Any]


def tv1d(
    v: Any,
    lam: Any,
    *,
    lam_minus: Any = None,
    weights: Any = None,
    step: Any = 1.0,
    axis: Any = -1,
) -> Any:
    r"""Proximal operator of the total variation of one-dimensional signals.

    .. math:: \operatorname{argmin}_x \tfrac12 \sum_i w_i (x_i - v_i)^2
        + \text{step} \sum_i \lambda_i \max(x_{i+1} - x_i, 0)
        + \lambda^-_i \max(x_i - x_{i+1}, 0)

    along ``axis``, independently for every fibre; with :math:`\lambda^- = \lambda` (the default)
    the penalty is :math:`\sum_i \lambda_i |x_{i+1} - x_i|`. The result is exact up to rounding
    and takes linear time whatever the signal, by the taut string.

    Parameters
    ----------
    v : array_like, real
        Signals.
    lam : float or array_like, shape (n - 1,)
        Level, >= 0, of every edge between neighbours. 0 cuts the signal there, ``inf`` ties the
        two samples.
    lam_minus : float or array_like, shape (n - 1,), optional
        Level of descents; ``lam`` is then the level of rises alone. ``lam=0`` gives nearly
        isotonic regression, and with ``lam_minus=inf`` isotonic regression.
    weights : float or array_like, shape (n,), optional
        Weights w of the squares, >= 0 and finite, not all zero. Default 1. A sample of weight 0
        is missing and takes the value of a neighbour, at a tie the one of smaller magnitude.
    step : float or array_like with the shape of the other axes
        Step, > 0.
    axis : int, tuple of int or None
        The axis along which the signals run; ``None`` takes the whole array in C order.

    Returns
    -------
    array
        Same shape and dtype as ``v``; computed in float64. Torch tensors that need a gradient get
        that of the block means, for the blocks found.

    Raises
    ------
    ValueError
        If ``v`` is not finite, a level or weight is negative or NaN or has the wrong length, all
        weights are zero, or ``step`` <= 0.
    TypeError
        If ``v`` is complex.

    Notes
    -----
    The weights stay outside of ``step``: they are part of the distance, not of the penalty. The
    solution is constant once ``step * lam`` reaches ``max |cumsum(w (v - mean))|``, with the
    weighted mean.

    References
    ----------
    P. L. Davies, A. Kovac (2001). Local extremes, runs, strings and multiresolution. Ann. Stat.
    29(1).
    A. Barbero, S. Sra (2018). Modular proximal optimization for multidimensional total-variation
    regularization. JMLR 19.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.tv1d([0.0, 1.0, 5.0, 6.0], 1.0)
    array([1., 1., 5., 5.])
    >>> prox.tv1d([3.0, 1.0, 2.0], 0.0, lam_minus=float("inf"))
    array([2., 2., 2.])
    """
    v = as_array(real_input("v", v))
    if not is_numpy(v) and on_host(v):
        result = tv1d(to_host(v), lam, lam_minus=lam_minus, weights=weights, step=step, axis=axis)
        return to_native(np.asarray(result), v)
    columns, batch, back = as_columns(v, axis)
    n = int(columns.shape[0])
    step = steps(step)
    above = edge_levels("lam", lam, step, n, batch)
    below = above if lam_minus is None else edge_levels("lam_minus", lam_minus, step, n, batch)
    w = sample_weights(weights, n)
    rows = to_host(columns).T
    if rows.size == 0:
        return back(columns)
    found = taut_string(rows, above, below, w)
    if is_numpy(v):
        return back(found.astype(v.dtype, copy=False).T)
    return back(_block_values(columns.T, found, w).T)


def _block_values(rows: Any, found: Array, w: Array) -> Any:
    """The solution as block means plus what the levels add: differentiable in the data."""
    labels = np.empty(found.shape, np.intp)
    labels[:, 0] = 1
    labels[:, 1:] = found[:, 1:] != found[:, :-1]
    labels = (np.cumsum(labels.reshape(-1)) - 1).reshape(found.shape)
    flat = labels.reshape(-1)
    spread = np.broadcast_to(w, found.shape).reshape(-1)
    data = np.asarray(to_host(rows), np.float64).reshape(-1)
    means = np.bincount(flat, spread * data) / np.bincount(flat, spread)
    shift = namespace(rows).astype(to_native(found - means[labels], rows), rows.dtype)
    return block_means(rows, labels, w) + shift


def edge_levels(name: str, lam: Any, step: Any, n: int, batch: tuple[int, ...]) -> Array:
    """``step * lam`` for every fibre and edge: shape (fibres or 1, n - 1 or 1)."""
    lam = np.asarray(to_host(parameter(name, lam)), np.float64)
    if lam.ndim > 1 or (lam.ndim == 1 and lam.shape[0] != max(n - 1, 0)):
        raise ValueError(f"{name} must be a number or of shape ({n - 1},), got shape {lam.shape}")
    lam = lam.reshape(1, -1)
    step = np.asarray(to_host(step), np.float64)
    if step.ndim:
        try:
            step = np.broadcast_to(step, batch).reshape(-1, 1)
        except ValueError:
            raise ValueError(
                f"step must broadcast to the shape {batch} of the fibres, got {step.shape}"
            ) from None
    levels: Array = step * lam if lam.size else np.zeros((1, 1))
    return levels


def sample_weights(weights: Any, n: int) -> Array:
    """Checked weights of the squares as a row: shape (1, n or 1)."""
    if weights is None:
        return np.ones((1, 1))
    w = np.asarray(to_host(parameter("weights", weights, finite=True)), np.float64)
    if w.ndim > 1 or (w.ndim == 1 and w.shape[0] != n):
        raise ValueError(f"weights must be a number or of shape ({n},), got shape {w.shape}")
    if n and not w.any():
        raise ValueError("weights must not all be zero")
    return w.reshape(1, -1) if n else np.ones((1, 1))
