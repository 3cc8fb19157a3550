"""Poisson regression with the logarithmic link."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._core import exp, formula, log, maximum, where
from .._core._validate import finite_array
from ._pointwise import Formulas, PointwiseLoss, exp_excess

Array = np.ndarray[Any, Any]


@formula
def poisson_loss(z, y, w):  # type: ignore[no-untyped-def]
    """``w (e^z - y z)``."""
    return where(w > 0.0, w * (exp(z) - y * z), 0.0 * w)


@formula
def poisson_loss_slope(z, y, w):  # type: ignore[no-untyped-def]
    """Derivative in z."""
    return where(w > 0.0, w * (exp(z) - y), 0.0 * w)


@formula
def poisson_loss_curvature(z, y, w):  # type: ignore[no-untyped-def]
    """Second derivative in z."""
    return where(w > 0.0, w * exp(z), 0.0 * w)


@formula
def poisson_loss_bregman(new, old, y, w):  # type: ignore[no-untyped-def]
    """``e^z (e^t - 1 - t)`` for the step t."""
    t = new - old
    far = exp(new) - exp(old) * (1.0 + t)
    return where(w > 0.0, w * where(t > 1.0, far, exp(old) * exp_excess(t)), 0.0 * w)


@formula
def poisson_loss_conjugate(u, y, w, slack):  # type: ignore[no-untyped-def]
    """``w (s log s - s)`` for ``s = y + u / w >= 0``."""
    v = u / where(w > 0.0, w, 1.0)
    s = maximum(v + y, 0.0)
    inside = (v + y >= -slack * (abs(v) + y)) & ((w > 0.0) | (u == 0.0))
    return where(inside, w * s * (log(where(s > 0.0, s, 1.0)) - 1.0), inf)


@formula
def poisson_loss_reach(u, y, w):  # type: ignore[no-untyped-def]
    """The largest t with ``t u >= -w y``."""
    return where(u < 0.0, w * y / where(u < 0.0, -u, 1.0), inf)


class Poisson(PointwiseLoss):
    r"""Minus the log-likelihood of counts whose logarithmic mean is ``A x``, up to a constant.

    .. math:: f(x) = \sum_i w_i \bigl(e^{(A x)_i} - y_i (A x)_i\bigr)

    Parameters
    ----------
    A : ndarray, SciPy sparse array or LinearOperator, shape (m, n)
        Real.
    y : array_like, shape (m,) or (m, k)
        Counts, >= 0; they need not be whole. k columns are k problems that share ``A``.
    sample_weights : array_like, shape (m,), optional
        Weights w >= 0.
    intercept : bool
        Add an unpenalised constant, one per column, and minimise it out.

    Attributes
    ----------
    shape, dtype
        Of an unknown; float32 only if ``A`` and ``y`` both are.

    Raises
    ------
    ValueError
        If shapes do not fit, something is not finite, or ``y`` has negative entries. With an
        intercept, if all counts of a column are zero.
    TypeError
        If ``A`` or ``y`` is complex or not numeric.

    Notes
    -----
    The curvature :math:`e^z` has no bound, so there is no Lipschitz constant; ``lipschitz()``
    is an estimate from which solvers search, see there.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses
    >>> f = losses.Poisson(np.eye(2), [0, 3])
    >>> f.value([0.0, 0.0]), f.gradient([0.0, 0.0])
    (2.0, array([ 1., -2.]))
    """

    _formulas = Formulas(
        poisson_loss,
        poisson_loss_slope,
        poisson_loss_curvature,
        poisson_loss_bregman,
        poisson_loss_conjugate,
        poisson_loss_reach,
    )

    def _check_intercept(self) -> None:
        super()._check_intercept()
        if not np.all(self._weigh(self.y).sum(0) > 0):
            raise ValueError(
                "y must have a positive count, with positive weight, in every column if there is "
                "an intercept, got only zeros"
            )

    def lipschitz(self) -> float:
        """An estimate of the curvature, not a bound: solvers must check their steps.

        It is the largest eigenvalue of ``A^T diag(w max(e^b, y)) A``, with b the intercept at
        zero, which covers predictions between those at x = 0 and the logarithms of the counts.
        """
        if self._lipschitz is None:
            zero = np.zeros(self.y.shape)
            curvature = np.maximum(self._curve(self._shifted(zero)), self._weigh(self.y))
            columns = curvature.reshape(curvature.shape[0], -1).T
            self._lipschitz = max((self._squared_norm(c) for c in columns), default=0.0)
        return self._lipschitz

    def _data(self, y: Any) -> Array:
        y = finite_array("y", y, ndim=(1, 2))
        if y.dtype.kind == "c":
            raise TypeError(f"y must be real, got dtype {y.dtype}")
        if np.any(y < 0):
            raise ValueError(f"y must be counts >= 0, got {y.min()}")
        return y

    def _intercept(self, z: Array) -> Any:
        """``log sum w y - log sum w e^z``."""
        z = np.asarray(z, np.float64)
        top = z.max(0)
        scale = self._weigh(np.exp(z - top)).sum(0, dtype=np.float64)
        return (np.log(self._weigh(self.y).sum(0, dtype=np.float64)) - np.log(scale) - top)[()]
