"""Conjugate and Moreau envelope, both from the prox alone."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .._core._validate import positive
from ._calculus import (
    Derived,
    array_of,
    from_base,
    offered,
    plus,
    square_sum,
    step_beside,
    weak_convexity,
)


class Conjugate(Derived):
    r"""The convex conjugate as a penalty of its own, by Moreau's identity.

    .. math:: f^*(y) = \sup_x \langle x, y \rangle - f(x), \qquad
        \operatorname{prox}_{s f^*}(v) = v - s \operatorname{prox}_{f / s}(v / s)

    The prox needs only that of ``f``; ``value`` is ``f.conjugate``.

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox`` that states ``is_convex``.

    Raises
    ------
    ValueError
        If ``f`` is not convex.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.
    NotImplementedError
        From ``value``, if ``f`` has no ``conjugate``.

    References
    ----------
    J.-J. Moreau (1965). Proximite et dualite dans un espace hilbertien. Bull. Soc. Math. France
    93.

    Examples
    --------
    The projection onto the cube is the prox of the conjugate of the l1 norm:

    >>> from sparseopt import penalties
    >>> penalties.Conjugate(penalties.L1(1.0)).prox([3.0, -0.5])
    array([ 1. , -0.5])
    """

    def __init__(self, f: Any) -> None:
        super().__init__(f, is_homogeneous=False)
        if not self.is_convex:
            raise ValueError(f"f must be convex for Moreau's identity, got {f!r}")

    @property
    def weak_convexity(self) -> float:
        """0."""
        return 0.0

    def value(self, x: Any) -> Any:
        """``f*(x)``."""
        if not hasattr(self.f, "conjugate"):
            raise NotImplementedError(f"the value of the conjugate needs conjugate of {self.f!r}")
        return self.f.conjugate(x)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``v - step * prox(f, v / step, 1 / step)``."""
        v = array_of(v)
        step = step_beside(step, v)
        return v - step * self.f.prox(v / step, 1.0 / step)

    def conjugate(self, y: Any) -> Any:
        """``f(y)``: the conjugate of the conjugate."""
        return self.f.value(y)


class MoreauEnvelope(Derived):
    r"""The Moreau envelope: a smooth approximation from below.

    .. math:: e(x) = \min_z f(z) + \tfrac{1}{2\mu} \|x - z\|_2^2, \qquad
        \nabla e(x) = \tfrac1\mu \bigl(x - \operatorname{prox}_{\mu f}(x)\bigr), \qquad
        e^* = f^* + \tfrac{\mu}{2} \|\cdot\|_2^2

    .. math:: \operatorname{prox}_{s e}(v) = v + \tfrac{s}{\mu + s}
        \bigl(\operatorname{prox}_{(\mu + s) f}(v) - v\bigr)

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    mu : float
        The smoothing, > 0 and finite.

    Raises
    ------
    ValueError
        If ``mu`` is not positive and finite.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    References
    ----------
    J.-J. Moreau (1965). Proximite et dualite dans un espace hilbertien. Bull. Soc. Math. France
    93.

    Examples
    --------
    The envelope of the absolute value is the Huber function:

    >>> from sparseopt import penalties
    >>> f = penalties.MoreauEnvelope(penalties.L1(1.0), 1.0)
    >>> f.value([0.5]), f.value([3.0]), f.gradient([0.5, 3.0])
    (0.125, 2.5, array([0.5, 1. ]))
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "mu")

    def __init__(self, f: Any, mu: float) -> None:
        super().__init__(f, is_homogeneous=False)
        self.mu = positive("mu", mu)

    @property
    def weak_convexity(self) -> float:
        """``rho / (1 - mu rho)`` with that of ``f``; ``inf`` from ``mu rho = 1`` on."""
        rho = weak_convexity(self.f)
        return rho / (1.0 - self.mu * rho) if self.mu * rho < 1.0 else math.inf

    @property
    def lipschitz(self) -> float:
        """Lipschitz constant of the gradient; ``inf`` where there may be no gradient."""
        return max(1.0 / self.mu, self.weak_convexity)

    def value(self, x: Any) -> Any:
        """``f(p) + ||x - p||^2 / (2 mu)`` at ``p = prox(f, x, mu)``."""
        x = array_of(x)
        p = self.f.prox(x, self.mu)
        return plus(self.f.value(p), square_sum(x - p) / (2.0 * self.mu))

    def gradient(self, x: Any) -> Any:
        """``(x - prox(f, x, mu)) / mu``."""
        x = array_of(x)
        return (x - self.f.prox(x, self.mu)) / self.mu

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``v + step / (mu + step) * (prox(f, v, mu + step) - v)``."""
        v = array_of(v)
        step = step_beside(step, v)
        return v + step / (self.mu + step) * (self.f.prox(v, self.mu + step) - v)

    @from_base("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*(y) + mu/2 ||y||^2``."""
        y = array_of(y)
        return plus(self.f.conjugate(y), 0.5 * self.mu * square_sum(y))

    @offered(lambda self: math.isfinite(self.lipschitz))
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Modulus of ``gradient`` plus that of the envelope, for each coordinate."""
        return abs(self.gradient(x) + array_of(gradient))
