"""A separable penalty as coordinate descent sees it: one scalar operator for each coordinate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..penalties import L1, ElasticNet, NonnegativeL1, Separable
from ..penalties._base import beside
from ..prox._l1 import soft_threshold
from ..prox._nonnegative_l1 import nonnegative_threshold

Array = np.ndarray[Any, Any]


class Coordinates:
    """The formulas and parameters of a separable penalty on n coordinates.

    Attributes
    ----------
    levels : ndarray or None
        Levels of the l1 norm, if the penalty is one (with a ridge, or on the positive side only).
        Then exact steps on the support, screening and duality gaps are at hand.
    ridge : ndarray or None
        Half-squares beside the l1 norm.
    positive : bool
        Whether negative values are forbidden.
    """

    def __init__(self, penalty: Any, n: int) -> None:
        if not isinstance(penalty, Separable):
            raise TypeError(
                f"penalty must be separable for coordinate descent, got {type(penalty).__name__}"
            )
        if not hasattr(penalty, "subdiff_distance"):
            raise TypeError(f"penalty must have a subdifferential, got {type(penalty).__name__}")
        self.penalty = penalty
        self.levels: Array | None = None
        self.ridge: Array | None = None
        self.positive = isinstance(penalty, NonnegativeL1)
        if isinstance(penalty, L1 | ElasticNet | NonnegativeL1):
            self.levels = self._full(penalty.lam, n)
            if isinstance(penalty, ElasticNet):
                self.ridge = self._full(penalty.mu, n)
        elif not leaves_zero(penalty, n):
            raise ValueError(
                "penalty must have a finite slope at zero, or no coordinate would ever leave it, "
                f"got {penalty!r}; use minimize"
            )
        self.size = n
        self._shape = np.ones(n)

    def _full(self, value: Any, n: int) -> Array:
        return np.broadcast_to(np.asarray(beside(value, np.empty(n)), float), (n,)).copy()

    def members(self, units: Array) -> Array:
        """The coordinates that the entries of a working set stand for: themselves."""
        return units

    def units(self, members: Array) -> Array:
        """The entries of a working set that coordinates belong to: themselves."""
        return members

    def active(self, x: Array) -> Array:
        """Which coordinates are not zero."""
        nonzero: Array = x != 0.0
        return nonzero

    def excess(self, x: Array, gradient: Array) -> Array:
        """How far each coordinate is from optimal, in units of the gradient; <= 0 where it is."""
        if self.levels is None:
            return self.distance(x, gradient)
        push = -gradient if self.positive else np.abs(gradient)
        return push - self.levels

    def distance(self, x: Array, gradient: Array) -> Array:
        """Distance of minus the gradient from the subdifferential, for each coordinate."""
        return np.asarray(self.penalty.subdiff_distance(x, gradient), float)

    def value(self, working: Array, x: Array) -> float:
        """The penalty of an ``x`` that is zero elsewhere."""
        if self.levels is not None and self.ridge is None and not self.positive:
            moved = np.flatnonzero(x)  # a level may be infinite
            return float(self.levels[working[moved]] @ np.abs(x[moved]))
        whole = np.zeros(self.size)
        whole[working] = x
        return float(self.penalty.value(whole))

    def nearly_active(self, working: Array) -> Array | float:
        """The excess above which a coordinate at zero is worth keeping in a working set."""
        return 0.0 if self.levels is None else -0.1 * self.levels[working]

    def operator(self, working: Array, inverse: Array, ridge_inside: bool) -> tuple[Any, Any]:
        """The formula of the proximal operator and its parameters, for steps ``inverse``.

        With ``ridge_inside`` the quadratic holds the ridge already.
        """
        if self.levels is not None and (ridge_inside or self.ridge is None):
            formula = nonnegative_threshold if self.positive else soft_threshold
            return formula, (inverse * self.levels[working],)
        steps = self._shape.copy()
        steps[working] = inverse
        parameters = self.penalty.prox_parameters(self._shape, steps)
        whole = [np.broadcast_to(np.asarray(p, float), steps.shape) for p in parameters]
        return self.penalty.prox_formula, tuple(p[working] for p in whole)


def leaves_zero(penalty: Any, n: int) -> bool:
    """Whether a pull that is strong enough moves some coordinate away from zero."""
    pull = np.full(n, -1e300)
    return n == 0 or bool(np.any(penalty.subdiff_distance(np.zeros(n), pull) > 0.0))
