"""What block coordinate descent can put on top of a smooth loss, coordinate by coordinate."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from .._core import formula, jit
from ..penalties import L1, Box, GroupL2, Nonnegative, NonnegativeL1, Zero
from ..prox._l1 import soft_threshold
from ..prox._project_box import clip

Array = np.ndarray[Any, Any]

KNOWN = "L1, NonnegativeL1, Nonnegative(L1 or Zero), Box, GroupL2, Zero or None"


@formula
def bounded_threshold(v, t, lower, upper):  # type: ignore[no-untyped-def]
    """Prox of ``t |x|`` on an interval: in one dimension the interval can wait until last."""
    return clip(soft_threshold(v, t), lower, upper)


@jit
def prox_steps(x, g, step, lam, lower, upper):  # type: ignore[no-untyped-def]
    """Changes of coordinates by a proximal gradient step each."""
    d = np.empty(x.size)
    for i in range(x.size):
        v = x[i] - step * g[i]
        d[i] = bounded_threshold(v, step * lam[i], lower[i], upper[i]) - x[i]
    return d


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """``sum_i lam_i |x_i|`` on a box, or a group norm, for coordinates in a row.

    Attributes
    ----------
    lam, lower, upper : ndarray, shape (p,)
        Level and bounds of each coordinate, float64.
    labels, levels : ndarray or None
        Group of each coordinate and level of each group, for group norms.
    """

    lam: Array
    lower: Array
    upper: Array
    labels: Array | None = None
    levels: Array | None = None

    @cached_property
    def has_l1(self) -> bool:
        """Whether some coordinate has an l1 norm."""
        return bool(np.any(self.lam > 0))

    @cached_property
    def has_bounds(self) -> bool:
        """Whether some coordinate is bounded."""
        return bool(np.any(np.isfinite(self.lower) | np.isfinite(self.upper)))

    @property
    def has_groups(self) -> bool:
        """Whether it is a group norm."""
        return self.labels is not None

    @cached_property
    def is_zero(self) -> bool:
        """Whether there is nothing on top of the loss."""
        return not (self.has_l1 or self.has_bounds or self.has_groups)

    def group_level(self, block: Array) -> float:
        """Level of the norm of a block that is a group."""
        assert self.labels is not None and self.levels is not None
        return float(self.levels[self.labels[block[0]]])

    def difference(self, block: Array, x: Array, d: Array) -> float:
        """``h(x + d) - h(x)`` on the block, for points inside the bounds."""
        if self.labels is not None:
            return self.group_level(block) * float(np.linalg.norm(x + d) - np.linalg.norm(x))
        return float(self.lam[block] @ (np.abs(x + d) - np.abs(x)))

    def prox(self, block: Array, x: Array, g: Array, step: float) -> Array:
        """The change of the block by a proximal gradient step."""
        if self.labels is not None:
            v = x - step * g
            norm, threshold = float(np.linalg.norm(v)), step * self.group_level(block)
            return v * (soft_threshold(norm, threshold) / norm) - x if norm > 0 else -x
        return prox_steps(x, g, step, self.lam[block], self.lower[block], self.upper[block])

    def pinned(self, block: Array, x: Array) -> Array:
        """Which coordinates sit where the term has a kink: at zero, or at a bound."""
        at_kink = (x == self.lower[block]) | (x == self.upper[block])
        kinks = self.lam[block] > 0
        if self.labels is not None:
            kinks = np.full(block.size, self.group_level(block) > 0) if block.size else kinks
        return at_kink | (kinks & (x == 0.0))


def as_term(penalty: Any, shape: tuple[int, ...]) -> Term:
    """The penalty as levels and bounds of the coordinates ``x.ravel()``.

    Raises
    ------
    TypeError
        If it is none of the penalties that block coordinate descent knows.
    """
    lam: Any = 0.0
    lower: Any = -np.inf
    upper: Any = np.inf
    inner = penalty
    if isinstance(penalty, Nonnegative):
        inner, lower = penalty.f, 0.0
    if isinstance(inner, L1):
        lam = inner.lam
    elif isinstance(inner, NonnegativeL1):
        lam, lower = inner.lam, 0.0
    elif isinstance(inner, Box) and inner is penalty:
        lower, upper = inner.lower, inner.upper
    elif isinstance(inner, GroupL2) and inner is penalty:
        return _group_term(inner, shape)
    elif inner is not None and not isinstance(inner, Zero):
        raise TypeError(f"penalty must be {KNOWN}, got {type(penalty).__name__}")
    lam, lower, upper = (_spread(name, v, shape) for name, v in
                         (("lam", lam), ("lower", lower), ("upper", upper)))  # fmt: skip
    forced = np.isinf(lam)
    return Term(
        np.where(forced, 0.0, lam), np.where(forced, 0.0, lower), np.where(forced, 0.0, upper)
    )


def _group_term(penalty: GroupL2, shape: tuple[int, ...]) -> Term:
    if len(shape) != 1 or penalty.groups.n != shape[0]:
        raise ValueError(
            f"penalty must have groups of the {shape} coordinates of the loss, got groups of "
            f"{penalty.groups.n}"
        )
    free = np.full(shape, np.inf)
    levels = penalty.lam * np.asarray(penalty.weights, np.float64)
    return Term(np.zeros(shape), -free, free, penalty.groups.labels, levels)


def _spread(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """A parameter for each coordinate of ``x.ravel()``; of shape (n,), one for each row."""
    value = np.asarray(value, np.float64)
    if value.ndim == 1 and len(shape) == 2:
        value = value[:, None]
    try:
        return np.broadcast_to(value, shape).ravel().copy()
    except ValueError:
        raise ValueError(
            f"penalty must have a {name} that fits x of shape {shape}, got shape {value.shape}"
        ) from None
