"""Trend filtering: the l1 norm of differences of higher order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import accumulate, to_host
from .._core._validate import integer, positive, real_input
from ..prox._inexact import like, on_numpy
from ..prox._l1 import l1_value
from ..prox._trend_filter import inverse_adjoint, polynomial_part, solve_trend_filter
from ._base import Gauge, as_vectors, beside, frozen, quotient

Array = np.ndarray[Any, Any]


class TrendFilter(Gauge):
    r"""The l1 norm of the differences of order ``order + 1``.

    .. math:: f(x) = \sum_i \lambda_i \bigl|(D^{\text{order}+1} x)_i\bigr|, \qquad
        f^*(D^{\text{order}+1\,T} u) = 0 \text{ if } |u_i| \le \lambda_i, \ \infty
        \text{ otherwise}

    Parameters
    ----------
    lam : float or array_like, shape (n - order - 1,)
        Level, >= 0 and finite, of every difference.
    order : int
        Degree of the pieces that cost nothing, >= 0.
    tol : float, optional
        Bound on the relative duality gap of `prox`; by default 1e-6, and 1e-4 for float32.
    max_iter : int
        Iteration budget of `prox`.

    Raises
    ------
    ValueError
        If ``lam`` is negative or not finite, ``order`` is negative, or ``tol`` is not positive.

    See Also
    --------
    sparseopt.prox.trend_filter : The proximal operator as a function.
    sparseopt.prox.solve_trend_filter : The same with the dual point and the gap, for warm starts.

    Notes
    -----
    The proximal operator is computed by iteration (exactly for order 0). It is stateless, so that
    each call starts afresh and ends at the same ``tol``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.TrendFilter(2.0).value([0.0, 1.0, 2.0, 1.0])
    4.0
    """

    zero_at_alpha_max = False

    def __init__(
        self, lam: Any, order: int = 1, *, tol: float | None = None, max_iter: int = 10_000
    ) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.order = integer("order", order, 0)
        self.tol = None if tol is None else positive("tol", tol)
        self.max_iter = integer("max_iter", max_iter, 0)

    @property
    def is_norm(self) -> bool:
        """No: polynomials of degree ``order`` cost nothing."""
        return False

    def value(self, x: Any) -> Any:
        """``sum lam |D^(order+1) x|``, per column of a batch."""
        d = as_vectors("x", real_input("x", x))
        for _ in range(self.order + 1):
            d = d[1:] - d[:-1]
        return accumulate(l1_value, d, (beside(self.lam, d),))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``, up to ``tol``."""
        host = np.asarray(on_numpy(as_vectors("v", real_input("v", v))))
        columns = host.reshape(host.shape[0], -1)
        steps = np.broadcast_to(np.asarray(to_host(step)), (columns.shape[1],))
        result = np.empty_like(columns)
        for j, column in enumerate(columns.T):
            result[:, j] = solve_trend_filter(
                column,
                float(steps[j]) * self.lam,
                self.order,
                tol=self.tol,
                max_iter=self.max_iter,
            ).x
        return like(result.reshape(host.shape), v)

    def dual_norm(self, y: Any) -> Any:
        """The largest ``|u_i| / lam_i`` where ``D^T u = y``, infinite if there is no such u."""
        y, rest = self._split(y)
        part = np.sqrt(np.sum((y - rest) ** 2, axis=0))
        outside = part > 1e-12 * y.shape[0] * np.sqrt(np.sum(y * y, axis=0))
        return np.where(outside, np.inf, self._bound(rest))[()]

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which a polynomial is stationary.

        ``gradient`` is that of the loss at the best polynomial of degree ``order``; a polynomial
        left in it (as in the gradient at zero of ``1/2 ||x - v||^2``) is removed.
        """
        return self._bound(self._split(gradient)[1])

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        if x.shape[0] <= self.order + 1:
            return cp.Constant(0.0)
        d = x
        for _ in range(self.order + 1):
            d = d[1:] - d[:-1]
        return cp.sum(cp.multiply(beside(np.asarray(self.lam), d), cp.abs(d)))

    def _split(self, y: Any) -> tuple[Array, Array]:
        """``y`` and what no polynomial of degree ``order`` explains of it."""
        y = np.asarray(to_host(as_vectors("y", real_input("y", y))), np.float64)
        flat = y.reshape(y.shape[0], -1)
        return y, y - polynomial_part(flat, self.order).reshape(y.shape)

    def _bound(self, rest: Array) -> Any:
        u = inverse_adjoint(rest, self.order + 1)
        n = rest.shape[0]
        slack = 16 * np.finfo(float).eps * n**self.order * np.sum(np.abs(rest), axis=0)
        size = np.where(np.abs(u) <= slack, 0.0, np.abs(u))  # rounding of the sums
        return np.max(quotient(size, beside(self.lam, u)), axis=0, initial=0.0)
