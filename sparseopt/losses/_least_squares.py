"""Least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._validate import finite_array
from ._linear import LinearLoss, inner

Array = np.ndarray[Any, Any]


class LeastSquares(LinearLoss):
    r"""Half the sum of squared residuals.

    .. math:: f(x) = \tfrac12 \sum_i w_i \, |(A x - y)_i|^2

    There is no 1/m: a level ``lam`` here is m times scikit-learn's ``alpha``.

    Parameters
    ----------
    A : ndarray, SciPy sparse array or LinearOperator, shape (m, n)
        Real or complex; PyLops operators are taken as they are. Sparse input is never made dense.
    y : array_like, shape (m,) or (m, k)
        Data; k columns are k problems that share ``A``.
    sample_weights : array_like, shape (m,), optional
        Weights w >= 0 of the residuals.
    intercept : bool
        Add an unpenalised constant b, one per column, and minimise it out:
        :math:`f(x) = \min_b \tfrac12 \sum_i w_i |(A x + b - y)_i|^2`. ``intercept_at(A x)`` is b.

    Attributes
    ----------
    shape : tuple of int
        Shape of an unknown, (n,) or (n, k).
    dtype : dtype
        What the solution will have: float32 only if ``A`` and ``y`` both are.

    Raises
    ------
    ValueError
        If shapes do not fit, or ``A``, ``y`` or ``sample_weights`` is not finite.
    TypeError
        If ``A`` or ``y`` is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses
    >>> f = losses.LeastSquares([[1.0, 2.0], [0.0, 1.0]], [3.0, 1.0])
    >>> f.value([1.0, 0.0])
    2.5
    >>> f.gradient([1.0, 0.0])
    array([-2., -5.])
    """

    curvature_bound = 1.0
    third_bound = 0.0
    is_quadratic = True
    is_real = False

    def value_at(self, z: Array) -> Any:
        """The loss as a function of ``z = A x``."""
        return self._half_square(self._centred(z - self.y))

    def gradient_at(self, z: Array) -> Array:
        """Gradient in ``z = A x``."""
        return self._weigh(self._centred(z - self.y))

    def curvature_at(self, z: Array) -> Array:
        """The weights."""
        return self._weigh(np.ones_like(self.y))

    def hessian_at(self, z: Array, v: Array) -> Array:
        """Product of the Hessian in z with ``v``; it is the same at every ``z``."""
        return self._weigh(self._centred(v))

    def bregman(self, z_new: Array, z: Array) -> Any:
        """``f(z_new) - f(z) - <f'(z), z_new - z>``, without cancellation."""
        return self._half_square(self._centred(z_new - z))

    def conjugate(self, u: Array) -> Any:
        """Convex conjugate in z: ``1/2 sum |u|^2 / w + Re <u, y>``, per column.

        With an intercept it is infinite unless u sums to zero.
        """
        value = 0.5 * self._dual_square(u) + inner(u, self._centred(self.y))
        return self._balanced(u, value)

    def dual_scale(self, u: Array, limit: Any) -> Any:
        """The factor t in [0, limit] for which ``-conjugate(t u)`` is largest, per column."""
        return self._best_scale(u, self._centred(self.y), limit)

    def lipschitz(self) -> float:
        """Lipschitz constant of the gradient: the largest eigenvalue of the Hessian.

        It is estimated once, by a Krylov iteration, and can fall short by a fraction of a per
        cent, so solvers also check every step.
        """
        if self._lipschitz is None:
            self._lipschitz = self._squared_norm(self.sample_weights, centre=self.intercept)
        return self._lipschitz

    def _data(self, y: Any) -> Array:
        return finite_array("y", y, ndim=(1, 2))

    def _intercept(self, z: Array) -> Any:
        return self._mean(self.y - z)

    def _mean(self, r: Array) -> Any:
        """Weighted mean per column, in double precision."""
        kind = np.result_type(r.dtype, np.float64)
        if self.sample_weights is None:
            return r.mean(0, dtype=kind)
        weights = self.sample_weights.astype(np.float64)
        return (weights * r).sum(0) / weights.sum()

    def _centred(self, r: Array) -> Array:
        """``r`` less its mean if there is an intercept.

        The mean is taken off twice: the first leaves its rounding error, which may be large beside
        what remains.
        """
        if not self.intercept:
            return r
        r = (r - self._mean(r)).astype(r.dtype)
        return (r - self._mean(r)).astype(r.dtype)

    def _half_square(self, r: Array) -> Any:
        return 0.5 * inner(r, self._weigh(r))
