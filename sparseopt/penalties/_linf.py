"""Maximum norms of vectors and of groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, accumulate, as_groups, jit, namespace, to_host, to_native
from ..prox._group_l2 import group_levels, group_weights, single
from ..prox._l1 import l1_value
from ..prox._linf import clip_groups, segments
from ..prox._project_simplex import simplex_threshold
from ..prox._vectors import one_group
from ._base import Gauge, as_vectors, beside, frozen, quotient
from ._radial import outer


@jit
def _peak_index(sizes, labels, out):  # type: ignore[no-untyped-def]
    """Where each group (rows) of each column has its first largest entry; -1 if it is empty."""
    for j in range(sizes.shape[1]):
        for i in range(sizes.shape[0]):
            best = out[labels[i], j]
            if best < 0 or sizes[i, j] > sizes[best, j]:
                out[labels[i], j] = i


@jit
def _excesses(sizes, inward, order, starts, radii, out):  # type: ignore[no-untyped-def]
    """What is left of ``inward`` after projection on the subdifferential of each group.

    At a non-zero group that is a simplex on the largest entries, elsewhere zero.
    """
    members = np.empty(sizes.shape[0])
    work = np.empty(sizes.shape[0] + 1)
    for j in range(sizes.shape[1]):
        for g in range(starts.size - 1):
            peak = 0.0
            for i in order[starts[g] : starts[g + 1]]:
                peak = max(peak, sizes[i, j])
            count, top = 0, -np.inf
            for i in order[starts[g] : starts[g + 1]]:
                if sizes[i, j] == peak:
                    members[count] = inward[i, j]
                    top = max(top, inward[i, j])
                    count += 1
            cut = np.inf
            if count > 0 and radii[g] > 0.0:
                cut = top + simplex_threshold(members[:count], top, radii[g], work)
            for i in order[starts[g] : starts[g + 1]]:
                at_peak = sizes[i, j] == peak
                out[i, j] = min(inward[i, j], cut) if at_peak else inward[i, j]


class GroupLInf(Gauge):
    r"""Weighted sum of maximum norms of groups.

    .. math:: f(x) = \lambda \sum_g w_g \max_{i \in g} |x_i|, \qquad
        f^*(y) = 0 \text{ if } \|y_g\|_1 \le \lambda w_g \text{ for all } g

    Parameters
    ----------
    lam : float
        Level, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group; ``None`` means 1, ``"sqrt"`` the square root of its size.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, or ``lam`` or a weight is negative.

    See Also
    --------
    sparseopt.prox.group_linf : The proximal operator as a function.

    References
    ----------
    A. Quattoni, X. Carreras, M. Collins, T. Darrell (2009). An efficient projection for l1,inf
    regularization. ICML.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.GroupLInf(2.0, [0, 0, 1]).value([3.0, -4.0, 1.0])
    10.0
    """

    weights: Any

    def __init__(self, lam: Any, groups: Any, weights: Any = None) -> None:
        self.lam = single("lam", lam)
        self.groups: Groups = as_groups(groups)
        self.weights = frozen("weights", group_weights(weights, self.groups))

    def value(self, x: Any) -> Any:
        """``lam * sum(w_g max |x_g|)``, per column of a batch."""
        x = as_vectors("x", x)
        groups = self._for(x)
        columns = x.reshape(x.shape[0], 1) if x.ndim == 1 else x
        sizes = np.abs(to_host(columns))
        where = np.full((groups.count, sizes.shape[1]), -1)
        _peak_index(sizes, groups.labels, where)
        peaks = _take(columns, where)
        peaks = peaks if x.ndim > 1 else peaks[:, 0]
        return accumulate(l1_value, peaks, (beside(self._levels(), peaks),))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        radii = outer(self._levels(), step)
        columns = v.reshape(v.shape[0], 1) if v.ndim == 1 else v
        return clip_groups(columns, radii, self._for(v)).reshape(v.shape)

    @property
    def is_norm(self) -> bool:
        """Whether every group is penalised."""
        return bool(np.min(self._levels(), initial=np.inf) > 0)

    def dual_norm(self, y: Any) -> Any:
        """``max ||y_g||_1 / (lam w_g)``, per column of a batch."""
        size = np.abs(y)
        groups = self._for(size)
        sums = np.zeros((groups.count, *size.shape[1:]))
        np.add.at(sums, groups.labels, size)
        return np.max(quotient(sums, beside(self._levels(), sums)), axis=0, initial=0.0)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each group."""
        x, gradient = np.asarray(x), np.asarray(gradient)
        groups = self._for(x)
        inward, across = against(x, gradient)
        shape = (x.shape[0], x.size // max(x.shape[0], 1))
        inward, sizes = inward.reshape(shape), tied(x).reshape(shape)
        levels = self._levels()
        rest = np.empty_like(sizes)
        _excesses(sizes, inward, *segments(groups), levels, rest)
        # At a zero group the subdifferential is an l1 ball, not a simplex.
        ball = clip_groups(np.abs(inward), levels[:, None], groups)
        peaks = np.zeros((groups.count, sizes.shape[1]))
        np.maximum.at(peaks, groups.labels, sizes)
        rest = np.where(peaks[groups.labels] > 0, rest, ball)
        squares = np.zeros(peaks.shape)
        np.add.at(squares, groups.labels, rest**2 + across.reshape(shape) ** 2)
        return np.sqrt(squares) if x.ndim > 1 else np.sqrt(squares[:, 0])

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        groups = self._for(x)
        peaks = [
            level * cp.sum(cp.max(cp.abs(x[np.flatnonzero(groups.labels == g)]), axis=0))
            for g, level in enumerate(self._levels())
            if groups.sizes[g]
        ]
        return cp.sum(cp.hstack(peaks))

    def _levels(self) -> Any:
        return group_levels(self.lam, self.weights)

    def _for(self, x: Any) -> Groups:
        return as_groups(self.groups, x.shape[0])


class LInf(GroupLInf):
    r"""Maximum norm.

    .. math:: f(x) = \lambda \max_i |x_i|, \qquad f^*(y) = 0 \text{ if } \|y\|_1 \le \lambda

    Parameters
    ----------
    lam : float
        Level, >= 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or not a single number.

    See Also
    --------
    sparseopt.prox.linf : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.LInf(2.0).value([3.0, -4.0])
    8.0
    """

    def __init__(self, lam: Any) -> None:
        self.lam = single("lam", lam)

    def _levels(self) -> Any:
        return np.array([self.lam])

    def _for(self, x: Any) -> Groups:
        return one_group(x.shape[0])


def against(x: Any, gradient: Any) -> tuple[Any, Any]:
    """``-gradient`` along the direction of each entry of ``x``, and the length across it.

    At a zero entry every direction is along.
    """
    size = np.abs(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        turned = -gradient * np.where(size > 0, np.conj(x) / np.where(size > 0, size, 1), 0)
    along = np.where(size > 0, np.real(turned), np.abs(gradient))
    return along.astype(float), np.where(size > 0, np.abs(np.imag(turned)), 0.0)


def tied(x: Any) -> np.ndarray[Any, Any]:
    """Moduli in float64; those of complex numbers that differ by rounding are made equal."""
    sizes = np.abs(x).astype(float)
    if x.dtype.kind != "c" or x.shape[0] < 2:
        return sizes
    order = np.argsort(sizes, axis=0)
    rising = np.take_along_axis(sizes, order, 0)
    apart = np.diff(rising, axis=0) > 16 * np.finfo(x.dtype).eps * rising[1:]
    first = np.where(np.concatenate([np.ones_like(apart[:1]), apart]), rising, 0.0)
    np.put_along_axis(sizes, order, np.maximum.accumulate(first, axis=0), 0)
    return sizes


def _take(columns: Any, where: np.ndarray[Any, Any]) -> Any:
    """Modulus of one entry per group and column; zero for an empty group."""
    xp = namespace(columns)
    rows = to_native(np.maximum(where, 0), columns)
    if columns.shape[0] == 0:
        return xp.zeros(where.shape, dtype=xp.abs(columns).dtype)
    picked = xp.abs(columns)[rows, to_native(np.arange(where.shape[1]), columns)]
    return picked * to_native((where >= 0) * 1, columns)
