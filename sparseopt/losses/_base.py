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


@runtime_checkable
class BlockLossLike(LossLike, Protocol):
    """A loss whose coordinates can be changed a block at a time.

    Coordinates are the entries of ``x.ravel()``, a block is an integer array of some of them, and
    ``z`` is the prediction, which ``move`` keeps up to date. H is a constant matrix that bounds
    the Hessian everywhere.
    """

    def coordinate_bounds(self) -> Array:
        """The diagonal of H: Lipschitz constants L_i of the partial derivatives, shape (p,)."""
        ...

    def row_sums(self) -> Array:
        """``sum_j |H_ij|`` for each coordinate i, shape (p,)."""
        ...

    def block_gradient(self, block: Array, u: Array) -> Array:
        """The block's part of ``pull_back(u)``."""
        ...

    def block_bound(self, block: Array) -> Array:
        """The block's square of H, or of a tighter bound that holds for the block alone."""
        ...

    def block_hessian(self, block: Array, z: Array) -> Array:
        """The block's square of the Hessian at ``z``."""
        ...

    def third_order(self, block: Array) -> tuple[Array, float]:
        """Lipschitz constants of the second derivatives: per coordinate, and of the block."""
        ...

    def move(self, z: Array, block: Array, d: Array) -> None:
        """Change ``z`` in place for a change ``d`` of the block's coordinates."""
        ...
