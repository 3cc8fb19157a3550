"""The squared hinge loss of support vector machines."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._core import formula, maximum, where
from ..prox._hinge import squared_hinge_curvature, squared_hinge_slope, squared_hinge_value
from ._labels import signs
from ._pointwise import Formulas, PointwiseLoss

Array = np.ndarray[Any, Any]


@formula
def squared_hinge_loss(z, y, w):  # type: ignore[no-untyped-def]
    """``w/2 max(0, 1 - y z)^2``."""
    return squared_hinge_value(y * z, w)


@formula
def squared_hinge_loss_slope(z, y, w):  # type: ignore[no-untyped-def]
    """Derivative in z."""
    return y * squared_hinge_slope(y * z, w)


@formula
def squared_hinge_loss_curvature(z, y, w):  # type: ignore[no-untyped-def]
    """Second derivative in z."""
    return squared_hinge_curvature(y * z, w)


@formula
def squared_hinge_loss_bregman(new, old, y, w):  # type: ignore[no-untyped-def]
    """``1/2 (s' - s)^2 + s max(0, -v')`` for shortfalls ``v = 1 - y z`` and ``s = max(0, v)``."""
    v, before = 1.0 - y * new, 1.0 - y * old
    s = maximum(before, 0.0)
    both = (v > 0.0) & (before > 0.0)
    step = where(both, y * (old - new), maximum(v, 0.0) - s)
    return w * (0.5 * step * step + s * maximum(-v, 0.0))


@formula
def squared_hinge_loss_conjugate(u, y, w, slack):  # type: ignore[no-untyped-def]
    """``u^2 / (2 w) + u y`` for ``u y <= 0``."""
    scale = where(w > 0.0, w, 1.0)
    inside = (u * y <= slack * scale) & ((w > 0.0) | (u == 0.0))
    return where(inside, u * (0.5 * u / scale + y), inf)


@formula
def squared_hinge_loss_reach(u, y, w):  # type: ignore[no-untyped-def]
    """Any multiple of a point of the domain is one."""
    return where((u * y < 0.0) & (w > 0.0) | (u == 0.0), inf, 0.0 * u)


class SquaredHinge(PointwiseLoss):
    r"""Squared hinge loss of the margins.

    .. math:: f(x) = \tfrac12 \sum_i w_i \max\bigl(0, 1 - y_i (A x)_i\bigr)^2,
        \quad y_i \in \{-1, 1\}

    Parameters
    ----------
    A : ndarray, SciPy sparse array or LinearOperator, shape (m, n)
        Real.
    y : array_like, shape (m,) or (m, k)
        Labels of two classes: any two values. The larger counts as +1. k columns are k problems
        that share ``A``.
    sample_weights : array_like, shape (m,), optional
        Weights w >= 0.
    intercept : bool
        Add an unpenalised constant, one per column, and minimise it out. Where several constants
        are as good, ``intercept_at`` gives one of them.

    Attributes
    ----------
    classes : ndarray, shape (2,)
        The labels that count as -1 and +1.
    y : ndarray
        The labels as -1 and +1.
    shape, dtype
        Of an unknown; float32 if ``A`` is.

    Raises
    ------
    ValueError
        If ``y`` has not exactly two classes, shapes do not fit, or something is not finite.
    TypeError
        If ``A`` is complex or not numeric.

    Examples
    --------
    >>> from sparseopt import losses
    >>> f = losses.SquaredHinge([[1.0], [2.0]], [0, 1])
    >>> f.value([0.25]), f.gradient([0.25])
    (0.90625, array([0.25]))
    """

    curvature_bound = 1.0
    _formulas = Formulas(
        squared_hinge_loss,
        squared_hinge_loss_slope,
        squared_hinge_loss_curvature,
        squared_hinge_loss_bregman,
        squared_hinge_loss_conjugate,
        squared_hinge_loss_reach,
    )

    def dual_scale(self, u: Array, limit: Any) -> Any:
        """The t in [0, limit] for which ``-conjugate(t u)`` is largest, per column."""
        return self._best_scale(u, self.y, np.minimum(limit, self._reach(u)))

    def _data(self, y: Any) -> Array:
        self.classes, y = signs(y, self._products.dtype)
        return y
