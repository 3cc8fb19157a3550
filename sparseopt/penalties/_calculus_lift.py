"""Lifts: penalties of nonnegative numbers, group norms and singular values, from one of numbers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from .._core import as_groups, is_numpy, namespace, on_host, to_host, to_native
from .._core._validate import real_input
from ..prox._groups import group_norms, lift_to_groups
from ..prox._spectral import lift_to_spectrum
from ._base import require_dimension
from ._calculus import Absolute, array_of, from_base, offered
from ._spectral import spectrum


class Nonnegative(Absolute):
    r"""A penalty restricted to nonnegative vectors.

    .. math:: g(x) = f(x) \text{ if } x \ge 0,\ \infty \text{ otherwise}, \qquad
        \operatorname{prox}_{s g}(v) = \operatorname{prox}_{s f}(\max(v, 0)), \qquad
        g^*(y) = f^*(\max(y, 0))

    which holds if ``f`` depends on the moduli of the entries only and falls with none of them.

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``; even and nondecreasing on [0, inf) in each entry.
    check : bool
        Test that on random vectors at the first use with a new number of coordinates.

    Raises
    ------
    ValueError
        At the first use, if ``f`` depends on signs or falls where an entry grows.
    TypeError
        If ``f`` lacks ``value`` or ``prox``, or ``x`` is complex.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Nonnegative(penalties.L0(0.5)).prox([3.0, 0.5, -2.0])
    array([3., 0., 0.])
    """

    def __init__(self, f: Any, *, check: bool = True) -> None:
        super().__init__(f, check)

    def value(self, x: Any) -> Any:
        """``f(x)`` where ``x >= 0``, else ``inf``; per column of a batch."""
        x = self._real(x)
        value = self.f.value(x)
        xp = namespace(x)
        negative = xp.any(x < 0) if np.ndim(value) == 0 else xp.any(x < 0, axis=0)
        if is_numpy(x):
            return np.where(negative, np.inf, value)[()]
        return xp.where(negative, xp.full_like(value, math.inf), value)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``prox(f, max(v, 0), step)``."""
        return self.f.prox(_positive_part(self._real(v)), step)

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*(max(y, 0))``."""
        return self.f.conjugate(_positive_part(self._real(y)))

    @from_base("dual_norm")
    def dual_norm(self, y: Any) -> Any:
        """Dual norm of ``f`` at ``max(y, 0)``."""
        return self.f.dual_norm(_positive_part(self._real(y)))

    @from_base("alpha_max")
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.f.alpha_max(_positive_part(-self._real(gradient)))

    @from_base("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``; ``inf`` outside x >= 0."""
        x, gradient = self._real(x), self._real(gradient)
        # At a zero the subdifferential also holds everything below it.
        away = self.f.subdiff_distance(x, np.where(x == 0, np.minimum(gradient, 0.0), gradient))
        outside = x < 0 if away.shape == x.shape else np.any(x < 0, axis=0)
        return np.where(outside, np.inf, away)

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self.f.as_cvxpy(x) + cp.transforms.indicator([x >= 0])

    def _real(self, x: Any) -> Any:
        x = array_of(real_input("x", x))
        self._test(tuple(x.shape))
        return x


class RadialLift(Absolute):
    r"""A penalty of the Euclidean norms of groups, or of the moduli of complex numbers.

    .. math:: g(x) = f(\|x_1\|, \dots, \|x_m\|), \qquad
        \operatorname{prox}_{s g}(v)_j = \operatorname{prox}_{s f}(\|v_1\|, \dots, \|v_m\|)_j
        \frac{v_j}{\|v_j\|}

    The lift of `MCP` is the group MCP, that of `KSparse` allows k groups. Parameters that ``f``
    has per coordinate become parameters per group.

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``; even and nondecreasing on [0, inf) in each entry.
    groups : array_like of int, shape (n,), or list of index arrays, optional
        The group of each coordinate, or the coordinates of each group; a partition. By default
        every coordinate is its own group, which lifts a penalty of real numbers to complex ones.
    check : bool
        Test the condition on ``f`` on random vectors at the first use.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, or, at the first use, ``f`` depends on signs or falls
        where an entry grows.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = penalties.RadialLift(penalties.L0(2.0), [0, 0, 1, 1])
    >>> f.prox([3.0, 4.0, 1.0, 1.0]), f.value([3.0, 4.0, 0.0, 0.0])
    (array([3., 4., 0., 0.]), 2.0)
    """

    def __init__(self, f: Any, groups: Any = None, *, check: bool = True) -> None:
        separable = groups is None and bool(getattr(f, "is_separable", False))
        super().__init__(f, check, is_separable=separable)
        self.groups = None if groups is None else as_groups(groups)

    def __repr__(self) -> str:
        of = "" if self.groups is None else f", {self.groups!r}"
        return f"RadialLift({self.f!r}{of})"

    def value(self, x: Any) -> Any:
        """``f`` of the norms, per column of a batch."""
        return self.f.value(self._norms(array_of(x)))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """The directions of ``v`` with the norms ``prox(f, norms, step)``."""
        v = array_of(v)
        if not is_numpy(v) and on_host(v):
            return to_native(np.asarray(self.prox(to_host(v), step)), v)
        self._test_for(v)
        if self.groups is None:
            xp = namespace(v)
            size = abs(v)
            kept = self.f.prox(size, step)
            return v * (kept / xp.where(size > 0, size, xp.ones_like(size)))

        def decide(norms: Any) -> Any:
            return (
                self.f.prox(norms, step) if v.ndim > 1 else self.f.prox(norms[:, 0], step)[:, None]
            )

        return lift_to_groups(decide, v, self._for(v))

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*`` of the norms."""
        return self.f.conjugate(self._norms(array_of(y)))

    @from_base("dual_norm")
    def dual_norm(self, y: Any) -> Any:
        """Dual norm of ``f`` at the norms."""
        return self.f.dual_norm(self._norms(array_of(y)))

    @from_base("alpha_max")
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.f.alpha_max(self._norms(array_of(gradient)))

    @offered(
        lambda self: getattr(self.f, "is_separable", 0) and hasattr(self.f, "subdiff_distance")
    )
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each group."""
        x, gradient = array_of(x), array_of(gradient)
        size, full = self._norms(x), self._norms(gradient)
        phase = x / self._spread(np.where(size > 0, size, 1.0), x)
        along = self._sum((phase.conj() * gradient).real)
        across = self._norms(gradient - phase * self._spread(along, x))
        radial = self.f.subdiff_distance(size, np.where(size > 0, along, full))
        return np.where(size > 0, np.hypot(radial, across), radial)

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        if self.groups is None:
            return self.f.as_cvxpy(cp.abs(x))
        members = [np.flatnonzero(self.groups.labels == g) for g in range(self.groups.count)]
        norms = [cp.norm2(x[m], axis=0) if m.size else 0.0 * x[0] for m in members]
        return self.f.as_cvxpy(cp.hstack(norms) if x.ndim == 1 else cp.vstack(norms))

    def _for(self, x: Any) -> Any:
        return as_groups(self.groups, x.shape[0])

    def _norms(self, x: Any) -> Any:
        self._test_for(x)
        if self.groups is None:
            return abs(x)
        norms = group_norms(x, self._for(x))
        return norms if x.ndim > 1 else norms[:, 0]

    def _test_for(self, x: Any) -> None:
        if self.groups is not None:
            require_dimension("x", x)
        count = x.shape[0] if self.groups is None else self.groups.count
        self._test((count, *x.shape[1:]))

    def _spread(self, per_group: Any, x: Any) -> Any:
        return per_group if self.groups is None else per_group[self._for(x).labels]

    def _sum(self, x: Any) -> Any:
        if self.groups is None:
            return x
        sums = np.zeros((self.groups.count, *x.shape[1:]))
        np.add.at(sums, self._for(x).labels, x)
        return sums


class SpectralLift(Absolute):
    r"""A penalty of the singular values of a matrix.

    .. math:: g(X) = f(\sigma(X)), \qquad \operatorname{prox}_{s g}(U \Sigma V^H) =
        U \operatorname{diag}\bigl(\operatorname{prox}_{s f}(\sigma)\bigr) V^H, \qquad
        g^*(Y) = f^*(\sigma(Y))

    A 2-D ``X`` is one matrix here, not a batch of columns, and ``value`` is one number. For it,
    singular values that are zero up to rounding count as zero.

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``; even and nondecreasing on [0, inf) in each entry,
        and blind to the order of entries.
    check : bool
        Test that on random vectors at the first use with a new number of singular values.

    Raises
    ------
    ValueError
        If ``X`` is not a matrix, or, at the first use, ``f`` does not meet the condition.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SpectralLift(penalties.KSparse(1)).prox([[3.0, 0.0], [0.0, 1.0]])
    array([[3., 0.],
           [0., 0.]])
    """

    _symmetric: ClassVar[bool] = True

    def __init__(self, f: Any, *, check: bool = True) -> None:
        super().__init__(f, check, is_separable=False)

    def value(self, x: Any) -> Any:
        """``f`` of the singular values."""
        return self.f.value(spectrum(self._matrix(x)))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``v`` with the singular values ``prox(f, sigma, step)``."""
        v = self._matrix(v)
        return lift_to_spectrum(lambda sigma: self.f.prox(sigma, step), v, check=False)

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*`` of the singular values."""
        return self.f.conjugate(spectrum(self._matrix(y)))

    @from_base("dual_norm")
    def dual_norm(self, y: Any) -> Any:
        """Dual norm of ``f`` at the singular values."""
        return self.f.dual_norm(spectrum(self._matrix(y)))

    @from_base("alpha_max")
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.f.alpha_max(spectrum(self._matrix(gradient)))

    def _matrix(self, x: Any) -> Any:
        x = array_of(x)
        if x.ndim != 2:
            raise ValueError(f"x must be a matrix, got shape {tuple(x.shape)}")
        self._test((min(x.shape),))
        return x


def _positive_part(x: Any) -> Any:
    xp = namespace(x)
    return xp.maximum(x, xp.zeros_like(x))
