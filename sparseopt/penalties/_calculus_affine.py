"""Scaling, shifting, tilting and adding a ridge: rules that change the point or the level."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from .._core._validate import parameter, positive
from ._base import full
from ._calculus import (
    Derived,
    array_of,
    from_base,
    inner,
    matched,
    offered,
    plus,
    square_sum,
    step_beside,
    vector,
    weak_convexity,
)


class Scale(Derived):
    r"""A multiple of a penalty; ``factor * f`` for short.

    .. math:: g(x) = c f(x), \qquad
        \operatorname{prox}_{s g}(v) = \operatorname{prox}_{(s c) f}(v), \qquad
        g^*(y) = c f^*(y / c)

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    factor : float
        The multiple c, > 0 and finite.

    Raises
    ------
    ValueError
        If ``factor`` is not positive and finite.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = 2.0 * penalties.L1(0.5)
    >>> f, f.value([1.0, -3.0])
    (Scale(L1(lam=0.5), factor=2.0), 4.0)
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "factor")

    def __init__(self, f: Any, factor: float) -> None:
        super().__init__(f)
        self.factor = positive("factor", factor)

    @property
    def weak_convexity(self) -> float:
        """``factor`` times that of ``f``."""
        return self.factor * weak_convexity(self.f)

    def value(self, x: Any) -> Any:
        """``factor * f(x)``."""
        return self.factor * self.f.value(x)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * factor * f(x)``."""
        return self.f.prox(v, self.factor * step)

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``factor * f*(y / factor)``."""
        return self.factor * self.f.conjugate(array_of(y) / self.factor)

    @from_base("dual_norm")
    def dual_norm(self, y: Any) -> Any:
        """Dual norm of ``f`` divided by ``factor``."""
        return self.f.dual_norm(y) / self.factor

    @from_base("alpha_max")
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple for which zero (or what ``f`` means instead) is stationary."""
        return self.f.alpha_max(gradient) / self.factor

    @from_base("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``."""
        gradient = array_of(gradient)
        return self.factor * self.f.subdiff_distance(x, gradient / self.factor)

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        return self.factor * self.f.as_cvxpy(x)


class Translate(Derived):
    r"""A penalty around another point than zero.

    .. math:: g(x) = f(x - c), \qquad
        \operatorname{prox}_{s g}(v) = c + \operatorname{prox}_{s f}(v - c), \qquad
        g^*(y) = f^*(y) + \langle c, y \rangle

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    shift : float or array_like, shape (n,) or (n, k)
        The point c; one of shape (n,) serves every column of a batch.

    Raises
    ------
    ValueError
        If ``shift`` is not finite, or, later, does not fit ``x``.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Translate(penalties.L1(1.0), [1.0, 2.0]).prox([1.5, 5.0])
    array([1., 4.])
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "shift")

    def __init__(self, f: Any, shift: Any) -> None:
        super().__init__(f, is_homogeneous=False)
        self.shift = vector("shift", shift)

    def value(self, x: Any) -> Any:
        """``f(x - shift)``."""
        return self.f.value(self._away(x))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``shift + prox(f, v - shift, step)``."""
        v = array_of(v)
        shift = matched("shift", self.shift, v)
        return shift + self.f.prox(v - shift, step)

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*(y) + <shift, y>``."""
        y = array_of(y)
        return plus(self.f.conjugate(y), inner(matched("shift", self.shift, y), y))

    @from_base("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``."""
        return self.f.subdiff_distance(self._away(x), gradient)

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        return self.f.as_cvxpy(x - full(self.shift, x))

    def _away(self, x: Any) -> Any:
        x = array_of(x)
        return x - matched("shift", self.shift, x)


class Tilt(Derived):
    r"""A penalty plus a linear function.

    .. math:: g(x) = f(x) + \langle c, x \rangle, \qquad
        \operatorname{prox}_{s g}(v) = \operatorname{prox}_{s f}(v - s c), \qquad
        g^*(y) = f^*(y - c)

    with the real inner product.

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    slope : float or array_like, shape (n,) or (n, k)
        The vector c; one of shape (n,) serves every column of a batch.

    Raises
    ------
    ValueError
        If ``slope`` is not finite, or, later, does not fit ``x``.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    The asymmetric l1 norm, with 1.5 for x > 0 and 0.5 for x < 0:

    >>> from sparseopt import penalties
    >>> penalties.Tilt(penalties.L1(1.0), 0.5).prox([2.0, -2.0])
    array([ 0.5, -1.5])
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "slope")

    def __init__(self, f: Any, slope: Any) -> None:
        # It may be homogeneous, but its dual norm does not follow from that of f.
        super().__init__(f, is_homogeneous=False)
        self.slope = vector("slope", slope)

    def value(self, x: Any) -> Any:
        """``f(x) + <slope, x>``."""
        x = array_of(x)
        return plus(self.f.value(x), inner(matched("slope", self.slope, x), x))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``prox(f, v - step * slope, step)``."""
        v = array_of(v)
        return self.f.prox(v - step_beside(step, v) * matched("slope", self.slope, v), step)

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*(y - slope)``."""
        y = array_of(y)
        return self.f.conjugate(y - matched("slope", self.slope, y))

    @from_base("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``."""
        gradient = array_of(gradient)
        return self.f.subdiff_distance(x, gradient + matched("slope", self.slope, gradient))

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self.f.as_cvxpy(x) + cp.sum(cp.multiply(full(self.slope, x), x))


class AddRidge(Derived):
    r"""A penalty plus a ridge.

    .. math:: g(x) = f(x) + \tfrac{\mu}{2} \|x\|_2^2, \qquad
        \operatorname{prox}_{s g}(v) =
        \operatorname{prox}_{s f / (1 + s\mu)}\bigl(v / (1 + s\mu)\bigr)

    The sum is convex as soon as :math:`\mu` reaches the weak-convexity constant of ``f``. Its
    conjugate is then finite everywhere and is found from the prox. There is no ``alpha_max`` where
    that of ``f`` is about another point than zero (``f.zero_at_alpha_max`` is False).

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    mu : float
        Level of the ridge, > 0 and finite.

    Raises
    ------
    ValueError
        If ``mu`` is not positive and finite.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = penalties.AddRidge(penalties.MCP(1.0, 2.0), 0.5)
    >>> f.is_convex, f.prox([0.5, 3.0])
    (True, array([0., 2.]))
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "mu")

    def __init__(self, f: Any, mu: float) -> None:
        self.mu = positive("mu", mu)
        super().__init__(f, is_homogeneous=False, is_convex=weak_convexity(f) <= self.mu)

    @property
    def weak_convexity(self) -> float:
        """That of ``f`` less ``mu``, at least 0."""
        return max(weak_convexity(self.f) - self.mu, 0.0)

    def value(self, x: Any) -> Any:
        """``f(x) + mu/2 ||x||^2``."""
        x = array_of(x)
        return plus(self.f.value(x), 0.5 * self.mu * square_sum(x))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``prox(f, v / (1 + step mu), step / (1 + step mu))``."""
        v = array_of(v)
        step = step_beside(step, v)
        shrink = 1.0 + step * self.mu
        return self.f.prox(v / shrink, step / shrink)

    @offered(lambda self: self.is_convex)
    def conjugate(self, y: Any) -> Any:
        """``<x, y> - f(x) - mu/2 ||x||^2`` at ``x = prox(f, y / mu, 1 / mu)``."""
        y = array_of(y)
        x = self.f.prox(y / self.mu, 1.0 / self.mu)
        return plus(-self.f.value(x), inner(y, x) - 0.5 * self.mu * square_sum(x))

    # A ridge is flat at zero, but not at the constants that TV1D, for one, means.
    @offered(lambda self: hasattr(self.f, "alpha_max") and self.zero_at_alpha_max)
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.f.alpha_max(gradient)

    @from_base("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``."""
        return self.f.subdiff_distance(x, array_of(gradient) + self.mu * array_of(x))

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self.f.as_cvxpy(x) + 0.5 * self.mu * cp.sum_squares(x)


class ScaleArgument(Derived):
    r"""A penalty of a multiple of ``x``.

    .. math:: g(x) = f(a x), \qquad
        \operatorname{prox}_{s g}(v) = \tfrac1a \operatorname{prox}_{a^2 s f}(a v), \qquad
        g^*(y) = f^*(y / a)

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    scale : float
        The number a, finite and not 0; negative mirrors.

    Raises
    ------
    ValueError
        If ``scale`` is 0 or not finite.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.ScaleArgument(penalties.L0(1.0), 4.0).prox([1.0, 2.0])
    array([0., 2.])
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "scale")

    def __init__(self, f: Any, scale: float) -> None:
        super().__init__(f)
        self.scale = parameter("scale", scale, low=-math.inf, finite=True)
        if np.ndim(self.scale) or self.scale == 0.0:
            raise ValueError(f"scale must be one number other than 0, got {scale!r}")

    @property
    def weak_convexity(self) -> float:
        """``scale^2`` times that of ``f``."""
        return self.scale**2 * weak_convexity(self.f)

    def value(self, x: Any) -> Any:
        """``f(scale * x)``."""
        return self.f.value(self.scale * array_of(x))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``prox(f, scale * v, scale^2 * step) / scale``."""
        return self.f.prox(self.scale * array_of(v), self.scale**2 * step) / self.scale

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*(y / scale)``."""
        return self.f.conjugate(array_of(y) / self.scale)

    @from_base("dual_norm")
    def dual_norm(self, y: Any) -> Any:
        """Dual norm of ``f`` at ``y / scale``."""
        return self.f.dual_norm(array_of(y) / self.scale)

    @from_base("alpha_max")
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple for which zero (or what ``f`` means instead) is stationary."""
        return self.f.alpha_max(array_of(gradient) / self.scale)

    @from_base("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``."""
        gradient = array_of(gradient) / self.scale
        return abs(self.scale) * self.f.subdiff_distance(self.scale * array_of(x), gradient)

    @from_base("as_cvxpy")
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        return self.f.as_cvxpy(self.scale * x)
