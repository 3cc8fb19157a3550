"""Rules that look at more than the gradient: most improvement, and cubic bounds."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ._bcd_newton import exact
from ._bcd_state import Workspace

Array = np.ndarray[Any, Any]

MOST_SUBSETS = 100_000


def most_improving(work: Workspace, layout: Any, active: Array) -> tuple[Array, int]:
    """The block whose exact minimisation decreases the objective most, by trying all."""
    if layout.blocks is not None:
        gains = [improvement(work, block) for block in layout.blocks]
        index = int(np.argmax(gains))
        return layout.blocks[index], index
    best, best_gain = active[:0], -math.inf
    for subset in itertools.combinations(active, min(layout.size, active.size)):
        block = np.array(subset, np.intp)
        gain = improvement(work, block)
        if gain > best_gain:
            best, best_gain = block, gain
    return best, -1


def improvement(work: Workspace, block: Array) -> float:
    """By how much the exact minimisation over a block decreases the objective."""
    x, g = work.x[block], work.block_gradient(block)
    d = exact(work, block) - x
    return -(float(g @ d) + work.rise(block, d) + work.term.difference(block, x, d))


def count_subsets(p: int, size: int) -> int:
    """How many variable blocks there are to try.

    Raises
    ------
    ValueError
        If there are too many.
    """
    count = math.comb(p, size)
    if count > MOST_SUBSETS:
        raise ValueError(
            f"select='mi' must try every block: {count} subsets of {size} of {p} coordinates are "
            "too many"
        )
    return count


def cubic_scores(work: Workspace) -> Array:
    r"""Decreases of the cubic model of each coordinate, -1 without curvature.

    .. math:: d = \frac{-2 g}{h + \sqrt{h^2 + 2 M |g|}}
    """
    g = work.g
    h, M = hessian_diagonal(work), np.asarray(work.loss.third_order(np.arange(work.p))[0])
    below = h + np.sqrt(h * h + 2.0 * M * np.abs(g))
    d = np.divide(-2.0 * g, below, out=np.zeros_like(g), where=below > 0)
    gain = -(g * d + 0.5 * h * d * d + M / 6.0 * np.abs(d) ** 3)
    return np.where(work.bounds > 0, np.maximum(gain, 0.0), -1.0)


def hessian_diagonal(work: Workspace, piece: int = 16) -> Array:
    """The diagonal of the Hessian at the iterate, by pieces: a loss only offers blocks of it."""
    diagonal = np.empty(work.p)
    for start in range(0, work.p, piece):
        block = np.arange(start, min(start + piece, work.p))
        diagonal[block] = np.diag(np.asarray(work.loss.block_hessian(block, work.z)))
    return diagonal
