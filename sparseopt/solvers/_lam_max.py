"""The level from which on zero is the answer."""

from __future__ import annotations

from typing import Any

import numpy as np


def lam_max(loss: Any, penalty: Any) -> float:
    r"""The smallest multiple of a penalty for which x = 0 is optimal.

    .. math:: \min \{ t \ge 0 :\ -\nabla f(0) \in t\, \partial g(0) \}

    For `penalties.L1` of level 1 and least squares it is the largest entry of
    :math:`|A^T (y - b)|`, where the intercept b, if the loss has one, is the best constant. For
    penalties that are not convex, zero is stationary from there on.

    Parameters
    ----------
    loss : object
        A member of `sparseopt.losses`, with its own intercept and weights.
    penalty : object
        A penalty with ``alpha_max``, usually at level 1.

    Returns
    -------
    float
        The multiple; over several columns the largest.

    Raises
    ------
    TypeError
        If the penalty has no ``alpha_max``.
    ValueError
        If no multiple makes zero optimal: a coordinate is not penalised, and moves. Or if what
        ``alpha_max`` is about is not zero, but another point that costs nothing.

    Examples
    --------
    >>> from sparseopt import losses, penalties, solvers
    >>> f = losses.LeastSquares([[1.0, 2.0], [0.0, 1.0]], [3.0, 1.0])
    >>> solvers.lam_max(f, penalties.L1(1.0))
    7.0
    """
    name = type(penalty).__name__
    if not hasattr(penalty, "alpha_max"):
        raise TypeError(f"penalty must have alpha_max to know its largest level, got {name}")
    if not getattr(penalty, "zero_at_alpha_max", True):
        raise ValueError(f"penalty must make zero optimal at a large level, which {name} does not")
    gradient = loss.pull_back(loss.gradient_at(loss.predict(np.zeros(loss.shape, loss.dtype))))
    level = float(np.max(penalty.alpha_max(gradient), initial=0.0))
    if not np.isfinite(level):
        raise ValueError(
            f"penalty must make zero optimal at some level, but no multiple of this {name} does: "
            "it leaves a coordinate free"
        )
    return level
