"""Constraints to structured sparsity and to monotone vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, as_groups, to_host
from .._core._validate import integer
from ..prox._groups import group_norms
from ..prox._project_isotonic import project_isotonic
from ..prox._sparse_structures import project_group_top_k, project_n_m
from ._base import Penalty, require_dimension
from ._indicator import rounding


class Isotonic(Penalty):
    r"""Constraint to nondecreasing vectors.

    .. math:: f(x) = 0 \text{ if } x_1 \le \dots \le x_n, \ \infty \text{ otherwise}, \qquad
        f^*(y) = 0 \text{ if } \sum_i y_i = 0,\ \sum_{i \ge j} y_i \le 0 \text{ for all } j

    See Also
    --------
    sparseopt.prox.project_isotonic : The projection as a function, with weights.

    References
    ----------
    M. J. Best, N. Chakravarti (1990). Active set algorithms for isotonic regression; a unifying
    framework. Math. Program. 47.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Isotonic().prox([1.0, 3.0, 2.0])
    array([1. , 2.5, 2.5])
    """

    is_convex = True

    def value(self, x: Any) -> Any:
        """0 if nondecreasing, up to rounding, else ``inf``; per column of a batch."""
        require_dimension("x", x)
        x = np.asarray(to_host(x))
        x = x if x.dtype.kind == "f" else x.astype(np.float64)
        return np.where(np.all(np.diff(x, axis=0) >= -rounding(x), axis=0), 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        require_dimension("v", v)
        return project_isotonic(v, axis=0)

    def conjugate(self, y: Any) -> Any:
        """0, up to rounding, on the polar cone and ``inf`` elsewhere; per column of a batch."""
        y = np.asarray(y)
        eps = np.finfo(np.result_type(y, np.float32)).eps
        sums = np.cumsum(y[::-1], axis=0, dtype=float)
        slack = 64 * eps * np.sum(np.abs(y), axis=0)
        total = sums[-1] if y.shape[0] else np.zeros(y.shape[1:])
        inside = np.all(sums <= slack, axis=0) & (np.abs(total) <= slack)
        return np.where(inside, 0.0, np.inf)[()]

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([cp.diff(x, axis=0) >= 0] if x.shape[0] > 1 else [])


class GroupKSparse(Penalty):
    r"""Constraint to at most ``k`` non-zero groups.

    .. math:: f(x) = 0 \text{ if } \#\{g : x_g \ne 0\} \le k, \ \infty \text{ otherwise}

    Parameters
    ----------
    k : int
        Number of non-zero groups allowed, >= 0.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.

    Raises
    ------
    ValueError
        If ``k`` is negative or ``groups`` is not a partition.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.project_group_top_k : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.GroupKSparse(1, [0, 0, 1]).prox([1.0, -3.0, 2.0])
    array([ 1., -3.,  0.])
    """

    def __init__(self, k: int, groups: Any) -> None:
        self.k = integer("k", k, 0)
        self.groups: Groups = as_groups(groups)

    def value(self, x: Any) -> Any:
        """0 with at most ``k`` non-zero groups, ``inf`` with more; per column of a batch."""
        require_dimension("x", x)
        x = np.asarray(x)
        used = np.count_nonzero(group_norms(x, as_groups(self.groups, x.shape[0])), axis=0)
        values = np.where(used <= self.k, 0.0, np.inf)
        return values if x.ndim > 1 else values[0]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        require_dimension("v", v)
        return project_group_top_k(v, min(self.k, self.groups.count), self.groups)


class NMSparse(Penalty):
    r"""Constraint to at most ``n`` non-zeros in every run of ``m`` entries (2:4 for instance).

    .. math:: f(x) = 0 \text{ if } \|x_{mj}, \dots, x_{mj+m-1}\|_0 \le n \text{ for all } j,
        \ \infty \text{ otherwise}

    Parameters
    ----------
    n, m : int
        How many of how many consecutive entries may be non-zero, 0 <= n <= m.

    Raises
    ------
    ValueError
        If ``n`` or ``m`` is out of range.
    TypeError
        If ``n`` or ``m`` is not an integer.

    See Also
    --------
    sparseopt.prox.project_n_m : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.NMSparse(1, 2).prox([1.0, -3.0, 2.0, 0.5])
    array([ 0., -3.,  2.,  0.])
    """

    def __init__(self, n: int, m: int) -> None:
        self.m = integer("m", m, 1)
        self.n = integer("n", n, 0, self.m)

    def value(self, x: Any) -> Any:
        """0 if every run is sparse enough, else ``inf``; per column of a batch."""
        require_dimension("x", x)
        x = np.asarray(x)
        if x.shape[0] % self.m:
            raise ValueError(f"x must have a multiple of m = {self.m} entries, got {x.shape[0]}")
        runs = np.count_nonzero(x.reshape(x.shape[0] // self.m, self.m, *x.shape[1:]), axis=1)
        return np.where(np.all(runs <= self.n, axis=0), 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        require_dimension("v", v)
        return project_n_m(v, self.n, self.m, axis=0)
