"""Total variation of one-dimensional signals, and the fused lasso."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import accumulate, elementwise, to_host, total
from .._core._validate import real_input
from ..prox._asymmetric_l1 import asymmetric_l1_value
from ..prox._fused_lasso import fused_lasso
from ..prox._group_l2 import single
from ..prox._l1 import l1, l1_value
from ..prox._tv1d import tv1d
from ._base import Gauge, as_vectors, beside, frozen, quotient, require_dimension

Array = np.ndarray[Any, Any]


class TV1D(Gauge):
    r"""Total variation of a signal, weighted by edge.

    .. math:: f(x) = \sum_{i=1}^{n-1} \lambda_i \max(x_{i+1} - x_i, 0)
        + \lambda^-_i \max(x_i - x_{i+1}, 0), \qquad
        f^*(D^T u) = 0 \text{ if } -\lambda^-_i \le u_i \le \lambda_i, \ \infty \text{ otherwise}

    with :math:`\lambda^- = \lambda` unless given; D takes forward differences.

    Parameters
    ----------
    lam : float or array_like, shape (n - 1,)
        Level of every edge, >= 0; ``inf`` ties two samples.
    lam_minus : float or array_like, shape (n - 1,), optional
        Level of descents; ``lam`` is then the level of rises alone.

    Raises
    ------
    ValueError
        If a level is negative or NaN.

    See Also
    --------
    sparseopt.prox.tv1d : The proximal operator as a function.

    References
    ----------
    L. Rudin, S. Osher, E. Fatemi (1992). Nonlinear total variation based noise removal
    algorithms. Physica D 60.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.TV1D(2.0).value([1.0, 4.0, 3.0])
    8.0
    """

    zero_at_alpha_max = False

    def __init__(self, lam: Any, lam_minus: Any = None) -> None:
        self.lam = frozen("lam", lam)
        self.lam_minus = None if lam_minus is None else frozen("lam_minus", lam_minus)

    def value(self, x: Any) -> Any:
        """Weighted total variation, per column of a batch."""
        d = _differences(x)
        if self.lam_minus is None:
            return accumulate(l1_value, d, (beside(self.lam, d),))
        levels = (beside(self.lam, d), beside(self.lam_minus, d))
        return total(elementwise(asymmetric_l1_value, d, levels))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``, exact."""
        require_dimension("v", v)
        return tv1d(v, self.lam, lam_minus=self.lam_minus, step=step, axis=0)

    @property
    def is_norm(self) -> bool:
        """No: constants cost nothing."""
        return False

    def dual_norm(self, y: Any) -> Any:
        """``max |cumsum(y)| / lam``, infinite unless y sums to zero; per column of a batch."""
        y = np.asarray(to_host(as_vectors("y", real_input("y", y))), np.float64)
        if y.shape[0] == 0:
            return np.zeros(y.shape[1:])[()]
        u = -np.cumsum(y, axis=0)
        return np.where(abs(u[-1]) <= _slack(y), self._bound(u[:-1], _slack(y)), np.inf)[()]

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which a constant is stationary.

        ``gradient`` is that of the loss at the best constant, where it sums to zero; a mean left
        in it (as in the gradient at zero of ``1/2 ||x - v||^2``) is removed.
        """
        g = np.asarray(gradient, np.float64)
        centred = g - np.mean(g, axis=0) if g.size else g
        return self._bound(np.cumsum(centred, axis=0)[:-1], _slack(g))

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate."""
        fixed, above, below = self._active(np.asarray(x, np.float64))
        rest = np.asarray(gradient, np.float64) + _adjoint(fixed)
        return np.abs(_flatten(rest, above, below))

    def gap(self, x: Any, v: Any, step: Any = 1.0) -> Any:
        """Duality gap of ``x`` as the answer to ``prox(v, step)``, per column of a batch.

        An upper bound of what the objective of the prox problem at ``x`` exceeds its minimum by,
        from the dual point that ``x`` itself suggests.
        """
        x, v = np.asarray(x, np.float64), np.asarray(v, np.float64)
        above, below = self._levels(x, step)
        u = np.clip(np.cumsum(x - v, axis=0)[:-1], -below, above)
        gap = step * self.value(x) - np.sum(u * np.diff(x, axis=0), axis=0)
        return np.maximum(gap, 0.0) + 0.5 * np.sum((x - v + _adjoint(u)) ** 2, axis=0)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        if x.shape[0] < 2:
            return cp.Constant(0.0)
        d = x[1:] - x[:-1]
        above, below = self._levels(np.empty(x.shape), 1.0)
        return cp.sum(cp.multiply(above, cp.pos(d)) + cp.multiply(below, cp.neg(d)))

    def _levels(self, x: Array, step: Any) -> tuple[Array, Array]:
        """Levels of rises and descents for every edge of ``x``."""
        edges = (max(x.shape[0] - 1, 0), *x.shape[1:])
        d = np.empty(edges)
        minus = self.lam if self.lam_minus is None else self.lam_minus
        above, below = (
            np.broadcast_to(step * np.asarray(beside(p, d)), edges) for p in (self.lam, minus)
        )
        return above, below

    def _bound(self, u: Array, slack: Any) -> Any:
        """The largest ``|u| / level``; what rounding may have left counts as zero."""
        above, below = self._levels(np.empty((u.shape[0] + 1, *u.shape[1:])), 1.0)
        size = np.where(np.abs(u) <= slack, 0.0, np.abs(u))
        size = quotient(size, np.where(u > 0, above, below))
        return np.max(size, axis=0, initial=0.0)

    def _active(self, x: Array) -> tuple[Array, Array, Array]:
        """The dual where ``x`` jumps, and the levels that stay free where it is flat."""
        d = np.diff(x, axis=0)
        above, below = self._levels(x, 1.0)
        fixed = np.where(d > 0, above, np.where(d < 0, -below, 0.0))
        flat = d == 0
        return fixed, np.where(flat, above, 0.0), np.where(flat, below, 0.0)


class FusedLasso(Gauge):
    r"""Total variation plus l1 norm.

    .. math:: f(x) = \lambda_1 \sum_i |x_i| + \sum_i \lambda_i |x_{i+1} - x_i|

    Parameters
    ----------
    lam_l1 : float
        Level of the l1 norm, >= 0 and finite.
    lam_tv : float or array_like, shape (n - 1,)
        Level of every edge, >= 0.

    Raises
    ------
    ValueError
        If a level is negative or NaN, or ``lam_l1`` is not one finite number.

    See Also
    --------
    sparseopt.prox.fused_lasso : The proximal operator as a function.

    References
    ----------
    R. Tibshirani, M. Saunders, S. Rosset, J. Zhu, K. Knight (2005). Sparsity and smoothness via
    the fused lasso. J. R. Stat. Soc. B 67(1).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.FusedLasso(1.0, 2.0).value([0.0, 3.0, 3.0])
    12.0
    """

    def __init__(self, lam_l1: Any, lam_tv: Any) -> None:
        self.lam_l1 = frozen("lam_l1", single("lam_l1", lam_l1), finite=True)
        self.lam_tv = frozen("lam_tv", lam_tv)
        self._variation = TV1D(self.lam_tv)

    @property
    def is_norm(self) -> bool:
        """Whether the l1 norm takes part."""
        return bool(self.lam_l1 > 0)

    def value(self, x: Any) -> Any:
        """Both terms, per column of a batch."""
        x = as_vectors("x", real_input("x", x))
        return accumulate(l1_value, x, (self.lam_l1,)) + self._variation.value(x)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``, exact."""
        require_dimension("v", v)
        return fused_lasso(v, self.lam_l1, self.lam_tv, step=step, axis=0)

    def dual_norm(self, y: Any) -> Any:
        """The smallest t for which the prox of ``t f`` is zero at ``y``, per column of a batch.

        Found by a root search, to rounding; each step takes linear time.
        """
        y = np.asarray(to_host(as_vectors("y", real_input("y", y))), np.float64)
        if not self.is_norm:
            return self._variation.dual_norm(y)
        if y.ndim == 1:
            return self._dual_norm(y)
        return np.array([self._dual_norm(column) for column in y.T])

    def _dual_norm(self, y: Array) -> float:
        from scipy.optimize import brentq

        high = float(np.max(np.abs(y), initial=0.0)) / self.lam_l1
        low = abs(float(np.mean(y))) / self.lam_l1 if y.size else 0.0

        def excess(t: float) -> float:
            smooth = tv1d(y, self.lam_tv, step=t) if t > 0 else y
            return float(np.max(np.abs(smooth), initial=0.0)) - t * self.lam_l1

        if high == 0.0 or excess(high) >= 0.0:
            return high
        if excess(low) <= 0.0:
            return low
        root: float = brentq(excess, low, high, xtol=1e-15 * high, rtol=4 * np.finfo(float).eps)
        return root

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate."""
        x = np.asarray(x, np.float64)
        fixed, above, below = self._variation._active(x)
        rest = np.asarray(gradient, np.float64) + _adjoint(fixed) + self.lam_l1 * np.sign(x)
        smooth = _flatten(rest, above, below)
        return np.abs(l1(smooth, np.where(x == 0, self.lam_l1, 0.0)))

    def gap(self, x: Any, v: Any, step: Any = 1.0) -> Any:
        """Duality gap of ``x`` as the answer to ``prox(v, step)``, per column of a batch.

        The dual point is that of the exact solution, so the gap is what the objective at ``x``
        exceeds the minimum by, up to rounding.
        """
        x, v = np.asarray(x, np.float64), np.asarray(v, np.float64)
        best = self.prox(v, step)
        gap = step * self.value(x) - np.sum((v - best) * x, axis=0)
        return np.maximum(gap, 0.0) + 0.5 * np.sum((x - best) ** 2, axis=0)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self.lam_l1 * cp.norm1(x) + self._variation.as_cvxpy(x)


def _slack(y: Array) -> Any:
    """Bound of the rounding in a cumulated sum of ``y``."""
    return 4 * max(y.shape[0], 4) * np.finfo(float).eps * np.sum(np.abs(y), axis=0)


def _differences(x: Any) -> Any:
    x = as_vectors("x", real_input("x", x))
    return x[1:] - x[:-1]


def _adjoint(u: Array) -> Array:
    """``D^T u`` along the first axis."""
    edge = np.zeros((1, *u.shape[1:]))
    result: Array = -np.diff(u, axis=0, prepend=edge, append=edge)
    return result


def _flatten(rest: Array, above: Array, below: Array) -> Array:
    """``tv1d`` of each column with levels of its own: what no free dual can take away."""
    if rest.ndim == 1:
        result: Array = tv1d(rest, below, lam_minus=above)  # as dual of -rest
        return result
    columns = zip(rest.T, above.T, below.T, strict=True)
    return np.array([_flatten(*c) for c in columns]).reshape(rest.T.shape).T
