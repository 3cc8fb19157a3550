"""Gap-safe screening: coordinates that are zero at the solution, for certain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core import jit
from ._active_set import dot
from ._design import Design

Array = np.ndarray[Any, Any]


@jit
def _row_products(rows, chosen, u, out):  # type: ignore[no-untyped-def]
    """``out[t] = rows[chosen[t]]' u``, without a copy of the rows."""
    for t in range(chosen.size):
        out[t] = dot(rows[chosen[t]], u)


class Screening:
    r"""Which coordinates a duality gap leaves in play.

    If every term of the loss has curvature at most c times its weight, the best dual point is no
    further than :math:`R = \sqrt{2 c\, \text{gap}}` from a feasible one, in the norm that weighs
    squares by 1 / w. Where :math:`|A_j^T \theta| + \|A_j\|_w R < \lambda_j` the best one, too,
    is strictly feasible for coordinate j, so its solution is zero. With an intercept the columns
    count without their mean.

    References
    ----------
    E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon (2017). Gap safe screening rules for sparsity
    enforcing penalties. JMLR 18(128). arXiv:1611.05780.
    """

    def __init__(self, loss: Any, design: Design) -> None:
        self.curvature = loss.curvature_bound
        weights = loss.sample_weights
        weights = np.ones(design.m) if weights is None else np.asarray(weights, np.float64)
        self.norms = np.sqrt(np.maximum(design.squares(weights, loss.intercept), 0.0))

    def survivors(
        self, gradient: Array, scale: float, gap: float, levels: Array, positive: bool
    ) -> Array:
        """Coordinates that may be non-zero, from ``A' u`` and the gap of ``scale * u``."""
        # Rounding in the products must not decide: a little is added to the gap and the level.
        radius = math.sqrt(2.0 * self.curvature * max(gap, 0.0))
        push = -gradient if positive else np.abs(gradient)
        reach = scale * push + self.norms * radius
        kept: Array = np.flatnonzero(reach >= levels * (1.0 - 1e-9))
        return kept


class Survivors:
    """Products with the columns that are left, where they lie."""

    def __init__(self, design: Design, columns: Array) -> None:
        self.design, self.columns = design, columns

    def correlate(self, u: Array) -> Array:
        """``A' u`` with zeros for the columns that are out."""
        whole = np.zeros(self.design.n)
        whole[self.columns] = self.design.part_products(self.columns, u)
        return whole
