"""The k-support norm, and the sum of the k largest squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, namespace, to_host, to_native, total
from .._core._validate import integer
from ..prox._group_envelope import scale_by_envelope
from ..prox._group_lifts import finite_level
from ..prox._k_support import k_support_scale, top_k_squared_scale
from ..prox._project_top_k import top_k_mask
from ._base import Gauge, as_vectors, quotient
from ._envelope import Enveloped, GroupEnvelope


class KSupport(Gauge, Enveloped):
    r"""k-support norm: its unit ball is the convex hull of the short k-sparse vectors.

    .. math:: f(x) = \lambda \|x\|_k^{sp} = \lambda \sqrt{2 S_k(x)}, \qquad f^*(y) = 0 \text{ if }
        \Big(\sum_{i=1}^k |y|_{(i)}^2\Big)^{1/2} \le \lambda, \ \infty \text{ otherwise}

    with :math:`S_k` the sparse envelope of singletons, see `GroupEnvelope`.

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    k : int
        At least 1; 1 is the l1 norm, the length of x the l2 norm.

    Raises
    ------
    ValueError
        If ``lam`` is negative or not finite, or ``k`` < 1.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.k_support : The proximal operator as a function.

    References
    ----------
    A. Argyriou, R. Foygel, N. Srebro (2012). Sparse prediction with the k-support norm. NIPS.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.KSupport(2.0, 2).value([3.0, 4.0, 0.0])
    10.0
    """

    def __init__(self, lam: Any, k: int) -> None:
        self.lam = finite_level("lam", lam)
        self.k = integer("k", k, 1)

    def value(self, x: Any) -> Any:
        """``lam * sqrt(2 S_k(x))``, per column of a batch."""
        x = as_vectors("x", x)
        xp = namespace(x)
        sizes = to_host(x)
        peak = float(np.max(np.abs(sizes), initial=0.0))
        peak = peak if 0 < peak < np.inf else 1.0
        square = 2.0 * self._half_square(x / peak)
        if is_numpy(square):
            root = self.lam * peak * np.sqrt(square)
            return root if root.ndim else float(root)
        there = square > 0  # the root has no gradient at zero
        root = xp.sqrt(xp.where(there, square, xp.ones_like(square)))
        return self.lam * peak * xp.where(there, root, square)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        envelope = self._envelope(v.shape[0])
        return scale_by_envelope(v, envelope, self.lam * step, scale=k_support_scale)

    @property
    def is_norm(self) -> bool:
        """Whether the level is positive."""
        return self.lam > 0

    def dual_norm(self, y: Any) -> Any:
        """Root of the sum of the k largest squares, over ``lam``; per column of a batch."""
        return quotient(np.sqrt(2.0 * self._dual_half_square(y)), self.lam)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate.

        At zero, how far it is from its projection on the dual ball.
        """
        x, gradient = np.asarray(to_host(x)), np.asarray(to_host(gradient))
        norm = self.value(x)
        unit = np.where(norm > 0, norm, 1.0)  # d(lam sqrt(2 S)) = (lam^2 / f) dS
        inner = GroupEnvelope(1.0, None, min(self.k, x.shape[0]))
        away = inner.subdiff_distance(x, gradient * unit / max(self.lam, 1e-300) ** 2)
        away = away * self.lam**2 / unit
        return np.where(norm > 0, away, np.abs(self.prox(-gradient)))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``).

        It holds variables of its own, the shares, so it has a value only once it was minimised.
        """
        import cvxpy as cp

        pieces = []
        for column in [x] if x.ndim == 1 else [x[:, j] for j in range(x.shape[1])]:
            u, t = cp.Variable(x.shape[0]), cp.Variable()
            terms = [cp.quad_over_lin(column[i], u[i]) for i in range(x.shape[0])]
            limits = [u >= 0, u <= t, cp.sum(u) <= self.k * t]
            pieces.append(0.5 * self.lam * (sum(terms) + t) + cp.transforms.indicator(limits))
        return sum(pieces)

    def _budget(self, n: int) -> Any:
        return min(self.k, n)


class TopKSquared(Enveloped):
    r"""Half the sum of the k largest squares: the conjugate of the sparse envelope.

    .. math:: f(x) = \tfrac{\lambda}{2} \sum_{i=1}^k |x|_{(i)}^2, \qquad
        f^*(y) = S_k(y) / \lambda

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    k : int
        At least 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative or not finite, or ``k`` < 0.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.top_k_squared : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.TopKSquared(2.0, 1).value([3.0, -4.0])
    16.0
    """

    def __init__(self, lam: Any, k: int) -> None:
        self.lam = finite_level("lam", lam)
        self.k = integer("k", k, 0)

    def value(self, x: Any) -> Any:
        """Half of ``lam`` times the sum of the k largest squares, per column of a batch."""
        x = as_vectors("x", x)
        if is_numpy(x):
            value = self.lam * self._dual_half_square(x)
            return value if np.ndim(value) else float(value)
        xp = namespace(x)
        envelope = self._envelope(x.shape[0])
        scores = np.abs(to_host(x)).reshape(x.shape[0], -1).T
        mask = to_native(top_k_mask(scores, int(envelope.budget)).T.reshape(x.shape).copy(), x)
        return 0.5 * self.lam * total(xp.where(mask, xp.abs(x) ** 2, xp.abs(x) * 0))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        envelope = self._envelope(v.shape[0])
        return scale_by_envelope(v, envelope, self.lam * step, scale=top_k_squared_scale)

    def conjugate(self, y: Any) -> Any:
        """The sparse envelope over ``lam``, per column of a batch."""
        return quotient(self._half_square(np.asarray(y)), self.lam)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        k = int(self._envelope(x.shape[0]).budget)
        columns = [x] if x.ndim == 1 else [x[:, j] for j in range(x.shape[1])]
        return 0.5 * self.lam * sum(cp.sum_largest(cp.square(c), k) for c in columns)

    def _budget(self, n: int) -> Any:
        return min(self.k, n)
