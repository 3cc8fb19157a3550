"""Functions of the norms of groups: what follows from their scalar formulas."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._core import Groups, accumulate, as_groups, elementwise
from ..prox._groups import group_norms, scale_groups
from ._base import Penalty, beside, quotient, require_dimension


class RadialGroups(Penalty):
    """A sum over groups of an even scalar function of the group's Euclidean norm.

    Subclasses set the scalar formulas (see `Separable`) and their parameters, each one number or
    one number per group.
    """

    value_formula: ClassVar[Any]
    prox_formula: ClassVar[Any]
    slope_formula: ClassVar[Any]
    groups: Any

    def value_parameters(self) -> tuple[Any, ...]:
        """Parameters of the value and the slope formula."""
        raise NotImplementedError

    def prox_parameters(self, step: Any) -> tuple[Any, ...]:
        """Parameters of the prox formula for a step, which may be a row of one per column."""
        raise NotImplementedError

    def value(self, x: Any) -> Any:
        """Penalty at ``x``: one number, or one per column."""
        require_dimension("x", x)
        x = x if hasattr(x, "ndim") else np.asarray(x, float)
        norms = group_norms(x, self._for(x))
        norms = norms if x.ndim > 1 else norms[:, 0]
        parameters = tuple(beside(p, norms) for p in self.value_parameters())
        return accumulate(self.value_formula, norms, parameters)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        require_dimension("v", v)
        v = v if hasattr(v, "ndim") else np.asarray(v, float)
        return scale_groups(self.prox_formula, v, self.prox_parameters(row(step)), self._for(v))

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        gradient = np.asarray(gradient)
        norms = group_norms(gradient, self._for(gradient))
        largest = np.max(quotient(norms, self._slopes(np.zeros_like(norms))), axis=0, initial=0.0)
        return largest if gradient.ndim > 1 else largest[0]

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each group.

        Zero everywhere means that ``x`` is stationary for a loss with this gradient. One column
        per column of a batch.
        """
        x, gradient = np.asarray(x), np.asarray(gradient)
        groups = self._for(x)
        norms = group_norms(x, groups)
        slopes = self._slopes(norms)
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(norms > 0, slopes / norms, 0.0)[groups.labels].reshape(x.shape)
            at_zero = np.maximum(group_norms(gradient, groups) - slopes, 0.0)
            away = group_norms(gradient + pull * x, groups)
        distance = np.where(norms > 0, away, at_zero)
        return distance if x.ndim > 1 else distance[:, 0]

    def _slopes(self, norms: Any) -> Any:
        parameters = tuple(beside(p, norms) for p in self.value_parameters())
        return elementwise(self.slope_formula, norms, parameters)

    def _for(self, x: Any) -> Groups:
        return as_groups(self.groups, x.shape[0])


def row(step: Any) -> Any:
    """A step per column as a row beside a number per group; one step for all as a number."""
    return np.reshape(step, (1, -1)) if np.ndim(step) else step


def outer(levels: Any, step: Any) -> Any:
    """Thresholds ``levels * step``: a column, or a matrix with a column per step."""
    return np.multiply.outer(levels, np.ravel(step))
