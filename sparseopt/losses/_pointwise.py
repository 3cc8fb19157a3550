"""Losses that are a sum over the entries of the prediction."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core import accumulate, elementwise, expm1, formula, total, where
from ._linear import LinearLoss

Array = np.ndarray[Any, Any]


@formula
def exp_excess(t):  # type: ignore[no-untyped-def]
    """``e^t - 1 - t``, by its series near zero, where the difference would cancel."""
    s = 1.0 + t / 15.0
    s = 1.0 + t / 14.0 * s
    s = 1.0 + t / 13.0 * s
    s = 1.0 + t / 12.0 * s
    s = 1.0 + t / 11.0 * s
    s = 1.0 + t / 10.0 * s
    s = 1.0 + t / 9.0 * s
    s = 1.0 + t / 8.0 * s
    s = 1.0 + t / 7.0 * s
    s = 1.0 + t / 6.0 * s
    s = 1.0 + t / 5.0 * s
    s = 1.0 + t / 4.0 * s
    s = 1.0 + t / 3.0 * s
    return where(abs(t) < 0.5, 0.5 * t * t * s, expm1(t) - t)


class Formulas(NamedTuple):
    """The scalar formulas of one loss; each takes the data, the weight and the loss's own numbers.

    ``conjugate`` takes a relative slack for rounding last. ``reach`` is the largest factor that
    leaves ``u`` in the domain of the conjugate.
    """

    value: Any
    slope: Any
    curvature: Any
    bregman: Any
    conjugate: Any
    reach: Any


class PointwiseLoss(LinearLoss):
    r"""A sum over samples.

    .. math:: F(z) = \sum_i w_i\, \varphi(z_i, y_i)
    """

    _formulas: Formulas
    _numbers: tuple[float, ...] = ()

    def dual_scale(self, u: Array, limit: Any) -> Any:
        """A factor t in [0, limit], at most 1, that brings ``t u`` into the conjugate's domain."""
        t = np.minimum(np.minimum(1.0, limit), self._reach(u))
        return float(t) if np.ndim(t) == 0 else t

    def _reach(self, u: Array) -> Any:
        """The largest factor that leaves u in the domain, per column."""
        factors = elementwise(self._formulas.reach, u, self._parameters())
        return np.min(np.asarray(factors, np.float64), axis=0, initial=np.inf)

    def _parameters(self) -> tuple[Any, ...]:
        weights = 1.0 if self.sample_weights is None else self.sample_weights
        return (self.y, weights, *self._numbers)

    def _value(self, z: Array) -> Any:
        return _sum(self._formulas.value, z, self._parameters())

    def _slope(self, z: Array) -> Array:
        slope: Array = elementwise(self._formulas.slope, z, self._parameters())
        return slope

    def _curve(self, z: Array) -> Array:
        curvature: Array = elementwise(self._formulas.curvature, z, self._parameters())
        return curvature

    def _between(self, z_new: Array, z: Array) -> Any:
        return _sum(self._formulas.bregman, z_new, (z, *self._parameters()))

    def _conjugate(self, u: Array) -> Any:
        slack = 8.0 * float(np.finfo(self.dtype).eps)
        return _sum(self._formulas.conjugate, u, (*self._parameters(), slack))

    def _centres(self) -> Any:
        """What ``z + b`` would be if every sample could choose b for itself, up to a spread.

        The intercept lies between the extremes of ``centre - z``.
        """
        return self.y

    def _intercept(self, z: Array) -> Any:
        """Root of the sum of slopes, by Newton's method inside a bracket, per column."""
        z = np.asarray(z, np.float64)
        gaps = self._centres() - z
        low, high = gaps.min(0), gaps.max(0)
        b = np.clip(0.0, low, high)
        last = np.full_like(low, np.inf)
        for _ in range(200):
            slopes = self._slope(z + b)
            miss = slopes.sum(0)
            low, high = np.where(miss < 0, b, low), np.where(miss > 0, b, high)
            done = abs(miss) <= 1e-14 * abs(slopes).sum(0)
            done |= high - low <= 2.3e-16 * np.maximum(abs(low), abs(high))
            if np.all(done):
                break
            curvature = self._curve(z + b).sum(0)
            with np.errstate(over="ignore"):  # far out, where bisection takes over
                trial = b - miss / np.where(curvature > 0, curvature, 1.0)
            newton = (curvature > 0) & (trial > low) & (trial < high) & (abs(miss) <= 0.5 * last)
            moved = np.where(newton, trial, 0.5 * low + 0.5 * high)
            last = abs(miss)
            b = np.where(done, b, moved)
        return b[()]


def _sum(kernel: Any, v: Array, parameters: tuple[Any, ...]) -> Any:
    """Sum of a formula, per column; `accumulate` would take the modulus of a batch."""
    if v.ndim == 1:
        return accumulate(kernel, v, parameters)
    return total(elementwise(kernel, v, parameters))
