"""Constraints: indicators of sets, with the projection as proximal operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._validate import integer, positive
from ..prox._project_simplex import project_simplex
from ..prox._project_top_k import project_top_k
from ._base import Penalty, require_dimension


class Simplex(Penalty):
    r"""Constraint to the simplex.

    .. math:: f(x) = 0 \text{ if } x \ge 0,\ \sum_i x_i = r, \ \infty \text{ otherwise}, \qquad
        f^*(y) = r \max_i y_i

    Parameters
    ----------
    radius : float
        The sum r, > 0.

    Raises
    ------
    ValueError
        If ``radius`` is not positive.

    See Also
    --------
    sparseopt.prox.project_simplex : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Simplex().value([0.25, 0.75]), penalties.Simplex().value([1.0, 1.0])
    (np.float64(0.0), np.float64(inf))
    """

    is_convex = True

    def __init__(self, radius: float = 1.0) -> None:
        self.radius = positive("radius", radius)

    def value(self, x: Any) -> Any:
        """0 inside, up to rounding, and ``inf`` outside; per column of a batch."""
        require_dimension("x", x)
        x = np.asarray(x)
        eps = float(np.finfo(np.result_type(x, np.float32)).eps)
        slack = self.radius * min(64 * eps * np.sqrt(x.shape[0]), 1e-3)
        excess = np.sum(x, axis=0, dtype=np.float64) - self.radius
        inside = (np.min(x, axis=0, initial=0.0) >= -slack) & (abs(excess) <= slack)
        return np.where(inside, 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        require_dimension("v", v)
        return project_simplex(v, self.radius, axis=0)

    def conjugate(self, y: Any) -> Any:
        """``radius * max(y)``, per column of a batch."""
        return self.radius * np.max(y, axis=0)

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([x >= 0, cp.sum(x, axis=0) == self.radius])


class KSparse(Penalty):
    r"""Constraint to at most ``k`` non-zeros.

    .. math:: f(x) = 0 \text{ if } \|x\|_0 \le k, \ \infty \text{ otherwise}

    Parameters
    ----------
    k : int
        Number of non-zeros allowed, >= 0; at or above the number of coordinates all may stay.

    Raises
    ------
    ValueError
        If ``k`` is negative.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.project_top_k : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.KSparse(1).prox([1.0, -3.0])
    array([ 0., -3.])
    """

    def __init__(self, k: int) -> None:
        self.k = integer("k", k, 0)

    def value(self, x: Any) -> Any:
        """0 with at most ``k`` non-zeros, ``inf`` with more; per column of a batch."""
        require_dimension("x", x)
        return np.where(np.count_nonzero(x, axis=0) <= self.k, 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        require_dimension("v", v)
        return project_top_k(v, min(self.k, np.shape(v)[0]), axis=0)
