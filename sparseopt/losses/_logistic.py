"""Logistic regression."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

import numpy as np

from .._core import copysign, exp, formula, log, log1p, maximum, minimum, where
from ..prox._logistic import logistic_curvature, logistic_slope, logistic_value, softplus
from ._labels import need_both, signs
from ._pointwise import Formulas, PointwiseLoss, exp_excess

Array = np.ndarray[Any, Any]


@formula
def logistic_loss(z, y, w):  # type: ignore[no-untyped-def]
    """``w log(1 + e^(-y z))``."""
    return logistic_value(y * z, w)


@formula
def logistic_loss_slope(z, y, w):  # type: ignore[no-untyped-def]
    """Derivative in z."""
    return y * logistic_slope(y * z, w)


@formula
def logistic_loss_curvature(z, y, w):  # type: ignore[no-untyped-def]
    """Second derivative in z, the same for both labels."""
    return logistic_curvature(z, w)


@formula
def logistic_loss_bregman(new, old, y, w):  # type: ignore[no-untyped-def]
    """``log(q e^(p t) + p e^(-q t))`` with probabilities p + q = 1 at ``old`` and the step t.

    The labels only add a linear function, which does not count, and the loss is symmetric, so let
    ``old`` >= 0. The first order vanishes: what is left of the exponentials has no cancellation.
    """
    side = copysign(1.0, old)
    at, to, t = abs(old), side * new, side * (new - old)
    e = exp(-at)
    p, q = e / (1.0 + e), 1.0 / (1.0 + e)
    near = log1p(q * exp_excess(p * t) + p * exp_excess(-q * t))
    far = softplus(-to) - softplus(-at) + p * t
    return w * where(abs(t) < 1.0, near, far)


@formula
def logistic_loss_conjugate(u, y, w, slack):  # type: ignore[no-untyped-def]
    """``w (v log v + (1 - v) log(1 - v))`` for ``v = -y u / w`` in [0, 1]."""
    v = -y * u / where(w > 0.0, w, 1.0)
    a = minimum(maximum(v, 0.0), 1.0)
    first = where(a > 0.0, a * log(where(a > 0.0, a, 1.0)), 0.0 * a)
    second = where(a < 1.0, (1.0 - a) * log1p(-where(a < 1.0, a, 0.0 * a)), 0.0 * a)
    inside = (v >= -slack) & (v <= 1.0 + slack) & ((w > 0.0) | (u == 0.0))
    return where(inside, w * (first + second), inf)


@formula
def logistic_loss_reach(u, y, w):  # type: ignore[no-untyped-def]
    """The largest t with ``-t y u <= w``; 0 on the wrong side."""
    v = -y * u
    return where(v > 0.0, w / where(v > 0.0, v, 1.0), where(v == 0.0, inf, 0.0 * v))


class Logistic(PointwiseLoss):
    r"""Logistic loss: minus the log-likelihood of two classes.

    .. math:: f(x) = \sum_i w_i \log\bigl(1 + e^{-y_i (A x)_i}\bigr), \quad y_i \in \{-1, 1\}

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
        Add an unpenalised constant, one per column, and minimise it out.

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
        With an intercept, if a column lacks one class.
    TypeError
        If ``A`` is complex or not numeric.

    Notes
    -----
    The gradient is Lipschitz continuous with constant :math:`\|A\|^2 / 4`. If a hyperplane
    separates the classes, nothing attains the infimum 0 unless a penalty is added.

    Examples
    --------
    >>> from sparseopt import losses
    >>> f = losses.Logistic([[1.0], [2.0]], ["no", "yes"])
    >>> f.classes.tolist(), f.y.tolist()
    (['no', 'yes'], [-1.0, 1.0])
    >>> f.gradient([0.0])
    array([-0.5])
    """

    curvature_bound = 0.25
    third_bound = 1.0 / (6.0 * sqrt(3.0))
    _formulas = Formulas(
        logistic_loss,
        logistic_loss_slope,
        logistic_loss_curvature,
        logistic_loss_bregman,
        logistic_loss_conjugate,
        logistic_loss_reach,
    )

    def _check_intercept(self) -> None:
        super()._check_intercept()
        need_both(self.y, self.sample_weights)

    def _data(self, y: Any) -> Array:
        self.classes, y = signs(y, self._products.dtype)
        return y

    def _centres(self) -> Any:
        """The log-odds of the classes."""
        positive = self._weigh(np.asarray(self.y > 0, np.float64)).sum(0)
        negative = self._weigh(np.asarray(self.y < 0, np.float64)).sum(0)
        return np.log(positive) - np.log(negative)
