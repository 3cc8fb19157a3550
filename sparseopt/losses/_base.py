"""What solvers ask of a smooth term."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = np.ndarray[Any, Any]


@runtime_checkable
class LossLike(Protocol):
    """A smooth function f(z) of ``z = A x``.

    Values are one number, or one per column of a batch. ``conjugate(u)`` and
    ``dual_scale(u, limit)`` are optional: with them solvers can certify a duality gap.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def predict(self, x: Array) -> Array:
        """``z = A x``."""
        ...

    def pull_back(self, u: Array) -> Array:
        """``A^H u``."""
        ...

    def value_at(self, z: Array) -> Any:
        """f(z)."""
        ...

    def gradient_at(self, z: Array) -> Array:
        """Gradient of f at z."""
        ...

    def bregman(self, z_new: Array, z: Array) -> Any:
        """``f(z_new) - f(z) - <f'(z), z_new - z>``, by a formula that does not cancel.

        Solvers shorten their step where it is too large, so near the solution the rounding errors
        of a plain difference of values would shorten it for nothing.
        """
        ...

    def lipschitz(self) -> float:
        """Lipschitz constant of the gradient in x, or an estimate of it."""
        ...
