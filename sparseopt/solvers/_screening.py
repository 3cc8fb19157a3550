"""Gap-safe screening: coordinates that are zero at the solution, for certain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._coordinates import Coordinates
from ._design import Design

Array = np.ndarray[Any, Any]


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
        squares = design.squares(loss.sample_weights, loss.intercept)
        self.norms = np.sqrt(np.maximum(squares, 0.0))

    def survivors(
        self, gradient: Array, scale: float, gap: float, coordinates: Coordinates
    ) -> Array:
        """Coordinates that may be non-zero, from ``A' u`` and the gap of the point ``scale u``."""
        assert coordinates.levels is not None
        radius = math.sqrt(2.0 * self.curvature * max(gap, 0.0))
        push = -gradient if coordinates.positive else np.abs(gradient)
        reach = scale * push + self.norms * radius
        # A little room, so that rounding in the products does not decide.
        kept: Array = np.flatnonzero(reach >= coordinates.levels * (1.0 - 1e-9))
        return kept
