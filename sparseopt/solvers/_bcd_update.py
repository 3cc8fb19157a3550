"""Update rules of block coordinate descent: what a block becomes, given its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._bcd_curvature import Curvature
from ._bcd_newton import cubic, exact, model_step, newton
from ._bcd_state import Workspace
from ._bcd_terms import Term
from ._bcd_two_metric import two_metric
from ._forest import factor_checked

Array = np.ndarray[Any, Any]

ALIASES = {
    "proximal-gradient": "gradient",
    "proximal-newton": "newton",
    "projected-newton": "newton",
}
UPDATES = (
    "gradient",
    "backtracking",
    "matrix",
    "newton",
    "cubic",
    "exact",
    "two-metric",
    "message-passing",
    *ALIASES,
)


class Updater:
    """One of the rules, with what it remembers of the blocks.

    ``new_values(block, index, g)`` returns the block's new values; ``index`` is the number of a
    fixed block, or -1.
    """

    def __init__(self, name: str, work: Workspace, shrink: float) -> None:
        self.work = work
        self.term: Term = work.term
        self.curvature = Curvature(work)
        self.shrink = shrink
        # Of the curvature, by backtracking. They only grow, so none starts above what is known.
        self.estimates = np.minimum(1.0, np.where(work.bounds > 0, work.bounds, 1.0))
        name = ALIASES.get(name, name)
        if name in ("newton", "exact") and work.is_quadratic:
            name = "matrix"  # the model is the function itself
        self.backtracks = name == "backtracking"
        rules: dict[str, Callable[[Array, int, Array], Array]] = {
            "gradient": self._gradient,
            "backtracking": self._backtracking,
            "matrix": self._matrix,
            "newton": self._newton,
            "cubic": self._cubic,
            "exact": self._exact,
            "two-metric": self._two_metric,
            "message-passing": self._message_passing,
        }
        self.new_values = rules[name]

    def _gradient(self, block: Array, index: int, g: Array) -> Array:
        """``prox_{h / L_b}(x - g / L_b)``."""
        x = self.work.x[block]
        L = self.curvature.constant(block, index)
        return x + self.term.prox(block, x, g, 1.0 / L) if L > 0 else x

    def _backtracking(self, block: Array, index: int, g: Array) -> Array:
        """The same with the smallest doubled estimate whose quadratic model holds."""
        work, x = self.work, self.work.x[block]
        L = float(self.estimates[block].max()) * self.shrink
        while True:
            d = self.term.prox(block, x, g, 1.0 / L)
            square = float(d @ d)
            if square == 0.0 or work.rise(block, d) <= 0.5 * L * square * (1.0 + 1e-12):
                self.estimates[block] = L
                return x + d
            L *= 2.0

    def _matrix(self, block: Array, index: int, g: Array) -> Array:
        """The minimiser of the model with ``H_b``."""
        x = self.work.x[block]
        if self.term.is_zero:
            return x - self.curvature.solve(block, index, g)
        return model_step(self.term, block, self.curvature.bound(block, index), g, x)

    def _newton(self, block: Array, index: int, g: Array) -> Array:
        return newton(self.work, block, self.curvature.hessian(block, index), g)

    def _cubic(self, block: Array, index: int, g: Array) -> Array:
        return cubic(self.work, block, self.curvature.hessian(block, index), g)

    def _exact(self, block: Array, index: int, g: Array) -> Array:
        return exact(self.work, block)

    def _two_metric(self, block: Array, index: int, g: Array) -> Array:
        return two_metric(self.work, block, self.curvature.hessian(block, index), g)

    def _message_passing(self, block: Array, index: int, g: Array) -> Array:
        """The exact minimiser over a forest, by elimination in linear time."""
        factors = self._forests
        factor = factors.get(index)
        if factor is None:
            factor = factor_checked(self._rows, block)
            if index >= 0:
                factors[index] = factor
        return self.work.x[block] - factor.solve_unchecked(g)

    @property
    def _forests(self) -> dict[int, Any]:
        if not hasattr(self, "_forest_factors"):
            self._forest_factors: dict[int, Any] = {}
            self._rows: Any = self.work.Q.tocsr()
        return self._forest_factors
