"""Constraints to halfspaces, hyperplanes, affine sets and intersections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core._validate import integer, positive
from ..prox._project_affine import (
    AffineSystem,
    normal_vector,
    project_halfspace,
    project_hyperplane,
)
from ..prox._project_intersection import project_intersection
from ._base import Penalty, as_vectors, frozen, require_dimension
from ._indicator import Indicator, is_zero


class _Bounded(Indicator):
    """A halfspace or a hyperplane with normal ``a``."""

    is_convex = True

    def __init__(self, a: Any, b: float) -> None:
        normal, self.b = normal_vector(a, b)
        self.a = frozen("a", normal, low=-np.inf)

    def _multiplier(self, y: Any) -> tuple[Any, Any]:
        """The tau of ``y = tau a``, and whether there is one."""
        y = np.asarray(y, np.float64)
        tau = self.a @ y / (self.a @ self.a)
        rest = y - (self.a[:, None] * tau if y.ndim > 1 else self.a * tau)
        return tau, is_zero(rest, y)


class Halfspace(_Bounded):
    r"""Constraint to a halfspace.

    .. math:: f(x) = 0 \text{ if } \langle a, x \rangle \le b, \ \infty \text{ otherwise}, \qquad
        f^*(\tau a) = \tau b \text{ for } \tau \ge 0, \ \infty \text{ elsewhere}

    Parameters
    ----------
    a : array_like, shape (n,)
        Outer normal vector, not zero.
    b : float
        Level.

    Raises
    ------
    ValueError
        If ``a`` is zero or not finite, or ``b`` is not a finite number.

    See Also
    --------
    sparseopt.prox.project_halfspace : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Halfspace([0.0, 1.0], 1.5).prox([1.0, 2.0])
    array([1. , 1.5])
    """

    def project(self, v: Any) -> Any:
        """The nearest point of the halfspace, for every column."""
        return project_halfspace(v, self.a, self.b, axis=0)

    def conjugate(self, y: Any) -> Any:
        """``tau * b`` for ``y = tau a`` with tau >= 0 (up to rounding), ``inf`` elsewhere."""
        tau, parallel = self._multiplier(y)
        return np.where(parallel & (tau >= 0), tau * self.b, np.inf)[()]

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([self.a @ x <= self.b])


class Hyperplane(_Bounded):
    r"""Constraint to a hyperplane.

    .. math:: f(x) = 0 \text{ if } \langle a, x \rangle = b, \ \infty \text{ otherwise}, \qquad
        f^*(\tau a) = \tau b, \ \infty \text{ elsewhere}

    Parameters
    ----------
    a : array_like, shape (n,)
        Normal vector, not zero.
    b : float
        Level.

    Raises
    ------
    ValueError
        If ``a`` is zero or not finite, or ``b`` is not a finite number.

    See Also
    --------
    sparseopt.prox.project_hyperplane : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Hyperplane([0.0, 1.0], 5.0).prox([1.0, 2.0])
    array([1., 5.])
    """

    def project(self, v: Any) -> Any:
        """The nearest point of the hyperplane, for every column."""
        return project_hyperplane(v, self.a, self.b, axis=0)

    def conjugate(self, y: Any) -> Any:
        """``tau * b`` for ``y = tau a`` (up to rounding), ``inf`` elsewhere."""
        tau, parallel = self._multiplier(y)
        return np.where(parallel, tau * self.b, np.inf)[()]

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([self.a @ x == self.b])


class Affine(Indicator):
    r"""Constraint to the solutions of linear equations, factored once.

    .. math:: f(x) = 0 \text{ if } A x = b, \ \infty \text{ otherwise}, \qquad
        f^*(A^T \nu) = \langle b, \nu \rangle, \ \infty \text{ elsewhere}

    Parameters
    ----------
    A : array_like, shape (m, n)
        Matrix; redundant rows do no harm.
    b : array_like, shape (m,)
        Right-hand side, in the range of A.

    Raises
    ------
    ValueError
        If the equations have no solution, shapes do not match, or an argument is not finite.

    See Also
    --------
    sparseopt.prox.project_affine : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Affine([[1.0, 1.0, 0.0]], [1.0]).prox([1.0, 2.0, 3.0]).round(12)
    array([0., 1., 3.])
    """

    is_convex = True

    def __init__(self, A: Any, b: Any) -> None:
        self._system = AffineSystem(A, b)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(A=<shape {self._system.A.shape}>)"

    def project(self, v: Any) -> Any:
        """The nearest solution, for every column."""
        v = as_vectors("v", v)
        n = self._system.A.shape[1]
        if v.ndim == 0 or v.shape[0] != n:
            raise ValueError(f"A must have {v.shape[:1]} columns beside x, got {n}")
        return self._system.project(v)

    def conjugate(self, y: Any) -> Any:
        """``<y, x>`` with any solution x for y in the row space (up to rounding), else ``inf``."""
        y = np.asarray(y, np.float64)
        basis = self._system.basis
        inside = is_zero(y - basis @ (basis.T @ y), y)
        return np.where(inside, self._system.point @ y, np.inf)[()]

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        b = self._system.b
        right = b if x.ndim == 1 else np.tile(b[:, None], (1, x.shape[1]))
        return cp.transforms.indicator([self._system.A @ x == right])


class Intersection(Penalty):
    r"""Constraint to an intersection of sets, projected on by Dykstra's algorithm.

    .. math:: f(x) = 0 \text{ if } x \in C_1 \cap \dots \cap C_p, \ \infty \text{ otherwise}

    Parameters
    ----------
    sets : sequence of penalties
        Indicators of convex sets.
    tol : float
        Tolerance of the projection, see `sparseopt.prox.project_intersection`; a point within it
        of every set counts as inside.
    max_iter : int
        Largest number of cycles of one projection.

    Raises
    ------
    ValueError
        If there are no sets.
    TypeError
        If a member has no ``value`` and ``prox``, or is stated not to be convex.

    See Also
    --------
    sparseopt.prox.project_intersection : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = penalties.Intersection([penalties.L2Ball(1.0), penalties.Halfspace([0.0, 1.0], 0.0)])
    >>> f.prox([3.0, 4.0])
    array([1., 0.])
    """

    is_convex = True

    def __init__(self, sets: Sequence[Any], tol: float = 1e-9, max_iter: int = 1000) -> None:
        self.sets = tuple(sets)
        if not self.sets:
            raise ValueError("sets must name at least one set, got none")
        for i, part in enumerate(self.sets):
            if not (hasattr(part, "value") and hasattr(part, "prox")):
                raise TypeError(f"sets[{i}] must have value and prox, got {type(part).__name__}")
            if not getattr(part, "is_convex", False):
                raise TypeError(f"sets[{i}] must be convex, got {part!r}")
        self.tol = positive("tol", tol)
        self.max_iter = integer("max_iter", max_iter, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(repr(part) for part in self.sets)}])"

    def value(self, x: Any) -> Any:
        """0 within the tolerance of every set and ``inf`` outside; per column of a batch."""
        x = np.asarray(x)
        require_dimension("x", x)
        size = np.linalg.norm(x, axis=0)
        inside = np.ones(x.shape[1:], bool)
        for part in self.sets:
            away = np.linalg.norm(x - part.prox(x, 1.0), axis=0)
            inside &= (np.asarray(part.value(x)) == 0) | (away <= 4 * self.tol * size)
        return np.where(inside, 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        v = as_vectors("v", v)
        if v.ndim < 2:
            return project_intersection(v, self.sets, tol=self.tol, max_iter=self.max_iter)
        return project_intersection(
            v, self.sets, tol=self.tol / max(v.shape[1], 1) ** 0.5, max_iter=self.max_iter
        )

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        return sum(part.as_cvxpy(x) for part in self.sets)
