"""Constraints to cones: epigraphs of norms and positive semidefinite matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, namespace
from ..prox._project_cones import project_psd, project_second_order_cone
from ..prox._project_l1 import project_l1_epigraph
from ._base import as_vectors
from ._indicator import Indicator, is_zero, zero_or_infinite


class _Epigraph(Indicator):
    """Vectors ``(x, t)`` with ``norm(x) <= t``; the last entry is the height t."""

    is_convex = True
    _projection: Any

    def project(self, v: Any) -> Any:
        """The nearest point of the cone, for every column."""
        v = as_vectors("v", v)
        if v.shape[0] == 0:
            raise ValueError(f"x must have at least one entry, got shape {tuple(v.shape)}")
        x, t = type(self)._projection(v[:-1], v[-1], axis=0)
        if is_numpy(v):
            return np.concatenate([x, np.asarray(t, v.dtype)[None]])
        xp = namespace(v)
        return xp.concat([x, xp.astype(t, v.dtype)[None]])

    def conjugate(self, y: Any) -> Any:
        """0 on the polar cone, up to rounding, and ``inf`` elsewhere; per column of a batch."""
        y = np.asarray(y, np.float64)
        return zero_or_infinite(is_zero(self.project(y), y))


class L1Epigraph(_Epigraph):
    r"""Constraint to the epigraph of the l1 norm.

    .. math:: f(x, t) = 0 \text{ if } \|x\|_1 \le t, \ \infty \text{ otherwise}, \qquad
        f^*(y, s) = 0 \text{ if } \|y\|_\infty \le -s, \ \infty \text{ otherwise}

    on vectors whose last entry is t.

    See Also
    --------
    sparseopt.prox.project_l1_epigraph : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L1Epigraph().prox([3.0, 0.5, 1.0])
    array([2., 0., 2.])
    """

    _projection = staticmethod(project_l1_epigraph)

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([cp.sum(cp.abs(x[:-1]), axis=0) <= x[-1]])


class SecondOrderCone(_Epigraph):
    r"""Constraint to the second-order cone.

    .. math:: f(x, t) = 0 \text{ if } \|x\|_2 \le t, \ \infty \text{ otherwise}, \qquad
        f^*(y, s) = 0 \text{ if } \|y\|_2 \le -s, \ \infty \text{ otherwise}

    on vectors whose last entry is t.

    See Also
    --------
    sparseopt.prox.project_second_order_cone : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SecondOrderCone().prox([3.0, 4.0, 1.0])
    array([1.8, 2.4, 3. ])
    """

    _projection = staticmethod(project_second_order_cone)

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return cp.transforms.indicator([cp.norm2(x[:-1], axis=0) <= x[-1]])


class PSDCone(Indicator):
    r"""Constraint to the positive semidefinite matrices.

    .. math:: f(X) = 0 \text{ if } X = X^{*} \succeq 0, \ \infty \text{ otherwise}, \qquad
        f^*(Y) = 0 \text{ if } Y + Y^{*} \preceq 0, \ \infty \text{ otherwise}

    A two-dimensional x is one matrix, not a batch; stacks have shape (..., n, n).

    See Also
    --------
    sparseopt.prox.project_psd : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.PSDCone().value([[2.0, 0.0], [0.0, -1.0]])
    np.float64(inf)
    """

    is_convex = True

    def project(self, v: Any) -> Any:
        """The nearest positive semidefinite matrix."""
        return project_psd(v)

    def conjugate(self, y: Any) -> Any:
        """0 where the Hermitian part has no positive eigenvalue, ``inf`` elsewhere."""
        y = np.asarray(y)
        return zero_or_infinite(is_zero(project_psd(y), y, (-2, -1)))

    def as_cvxpy(self, x: Any) -> Any:
        """The indicator of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        # cvxpy's indicator miscounts the rows of the constraint ``x >> 0``.
        return cp.transforms.indicator([cp.lambda_min(0.5 * (x + x.T)) >= 0, x == x.T])

    def _is_near(self, x: Any, nearest: Any, axes: tuple[int, ...] = (-2, -1)) -> Any:
        return super()._is_near(x, nearest, (-2, -1))
