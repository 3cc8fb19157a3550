"""Norms of the sorted moduli: SLOPE and the sum of the k largest."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit, namespace, to_native, total
from .._core._validate import integer, parameter
from ..prox._group_l2 import single
from ..prox._pava import pool_adjacent
from ..prox._slope import largest_levels, nonincreasing, sorted_prox
from ._base import Gauge, as_vectors, frozen, quotient
from ._linf import against, tied


@jit
def _cluster_excesses(sizes, y, out):  # type: ignore[no-untyped-def]
    """Isotonic regression of ``y`` within each run of equal ``sizes``, cut at 0 where these are 0.

    By Moreau's identity it is what a projection on the subdifferential takes away.
    """
    n = y.size
    w = np.ones(n)
    starts = np.empty(n, np.intp)
    means = np.empty(n)
    weights = np.empty(n)
    first = 0
    while first < n:
        last = first
        while last < n and sizes[last] == sizes[first]:
            last += 1
        count = pool_adjacent(y[first:last], w[first:last], starts, means, weights)
        for b in range(count):
            end = starts[b + 1] if b + 1 < count else last - first
            rest = max(means[b], 0.0) if sizes[first] == 0.0 else means[b]
            for i in range(starts[b], end):
                out[first + i] = rest
        first = last


class _Sorted(Gauge):
    """A norm ``sum levels_i |x|_(i)`` with nonincreasing levels."""

    def _levels(self, n: int) -> np.ndarray[Any, Any]:
        raise NotImplementedError

    def value(self, x: Any) -> Any:
        """Sum of levels times sorted moduli, per column of a batch."""
        x = as_vectors("x", x)
        xp = namespace(x)
        rising = xp.sort(xp.abs(x), axis=0)
        levels = self._levels(x.shape[0])[::-1].copy()
        levels = to_native(levels[:, None] if x.ndim > 1 else levels, x)
        finite = xp.where(rising > 0, levels, xp.zeros_like(levels))
        return total(finite * rising)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        levels = self._levels(v.shape[0])
        if np.ndim(step) == 0:
            return sorted_prox(v, step * levels, 0, check=False)
        scale = to_native(np.asarray(step, float), v)  # f is homogeneous
        return sorted_prox(v / scale, levels, 0, check=False) * scale

    @property
    def is_norm(self) -> bool:
        """Whether the largest entry counts."""
        return bool(self._levels(1)[0] > 0)

    def dual_norm(self, y: Any) -> Any:
        """``max_j sum_{i<=j} |y|_(i) / sum_{i<=j} levels_i``, per column of a batch."""
        size = np.abs(y)
        sums = np.cumsum(np.sort(size, axis=0)[::-1], axis=0, dtype=float)
        bounds = np.cumsum(self._levels(size.shape[0]))
        bounds = bounds[:, None] if size.ndim > 1 else bounds
        return np.max(quotient(sums, bounds), axis=0, initial=0.0)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate.

        The subdifferential is a product over the clusters of equal modulus, not over coordinates:
        these are the entries of the difference from its nearest point.
        """
        x, gradient = np.asarray(x), np.asarray(gradient)
        inward, across = against(x, gradient)
        shape = (x.shape[0], x.size // max(x.shape[0], 1))
        sizes, inward, across = (a.reshape(shape) for a in (tied(x), inward, across))
        levels = self._levels(shape[0])[::-1].copy()
        rest = np.empty(sizes.shape)
        for j in range(sizes.shape[1]):
            order = np.lexsort((inward[:, j], sizes[:, j]))
            found = np.empty(shape[0])
            _cluster_excesses(sizes[order, j], inward[order, j] - levels, found)
            rest[order, j] = found
        return np.hypot(rest, across).reshape(x.shape)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        levels = self._levels(x.shape[0])
        drops = levels - np.append(levels[1:], 0.0)
        terms = [0.0 * cp.norm1(x)]
        for column in [x] if x.ndim == 1 else [x[:, j] for j in range(x.shape[1])]:
            for k, drop in enumerate(drops, 1):
                if drop > 0:  # cvxpy's sum_largest fails for all entries
                    largest = (
                        cp.sum_largest(cp.abs(column), k) if k < x.shape[0] else cp.norm1(column)
                    )
                    terms.append(drop * largest)
        return sum(terms)


class Slope(_Sorted):
    r"""Sorted l1 norm (SLOPE, OWL).

    .. math:: f(x) = \sum_i \lambda_i |x|_{(i)}, \qquad f^*(y) = 0 \text{ if }
        \sum_{i \le j} |y|_{(i)} \le \sum_{i \le j} \lambda_i \text{ for all } j

    with :math:`|x|_{(i)}` the i-th largest modulus.

    Parameters
    ----------
    lam : array_like, shape (n,)
        Level of each rank, >= 0 and nonincreasing.

    Raises
    ------
    ValueError
        If ``lam`` is negative or NaN, not a vector, or increases.

    See Also
    --------
    sparseopt.prox.slope : The proximal operator as a function.

    References
    ----------
    M. Bogdan, E. van den Berg, C. Sabatti, W. Su, E. J. Candes (2015). SLOPE: adaptive variable
    selection via convex optimization. Ann. Appl. Stat. 9(3).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Slope([2.0, 1.0, 0.5]).value([1.0, -4.0, 2.0])
    10.5
    """

    def __init__(self, lam: Any) -> None:
        lam = np.asarray(parameter("lam", lam), float)
        if lam.ndim != 1:
            raise ValueError(f"lam must have shape (n,), got {lam.shape}")
        self.lam = frozen("lam", nonincreasing(lam))

    @property
    def is_norm(self) -> bool:
        """Whether the largest entry counts."""
        return bool(self.lam.size == 0 or self.lam[0] > 0)

    def _levels(self, n: int) -> np.ndarray[Any, Any]:
        if n != self.lam.size:
            raise ValueError(f"lam must have shape ({n},) beside x, got {self.lam.shape}")
        return self.lam


class SumLargest(_Sorted):
    r"""Sum of the ``k`` largest moduli (Ky Fan vector norm).

    .. math:: f(x) = \lambda \sum_{i \le k} |x|_{(i)}, \qquad f^*(y) = 0 \text{ if }
        \|y\|_\infty \le \lambda \text{ and } \|y\|_1 \le k \lambda

    Parameters
    ----------
    lam : float
        Level, >= 0.
    k : int
        Number of entries that count, >= 0; all if there are fewer.

    Raises
    ------
    ValueError
        If ``lam`` or ``k`` is negative.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.sum_largest : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SumLargest(2.0, 2).value([1.0, -4.0, 2.0])
    12.0
    """

    def __init__(self, lam: Any, k: int) -> None:
        self.lam = single("lam", lam)
        self.k = integer("k", k, 0)

    def _levels(self, n: int) -> np.ndarray[Any, Any]:
        return largest_levels(self.lam, self.k, n)
