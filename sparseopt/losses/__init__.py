"""Smooth terms: value, gradient and curvature of functions of ``A x``."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_base": ["BlockLossLike", "LossLike"],
        "_huber": ["Huber"],
        "_label_propagation": ["LabelPropagation"],
        "_least_squares": ["LeastSquares"],
        "_logistic": ["Logistic"],
        "_multinomial": ["Multinomial"],
        "_poisson": ["Poisson"],
        "_quadratic": ["Quadratic"],
        "_squared_hinge": ["SquaredHinge"],
    },
)

if TYPE_CHECKING:
    from ._base import BlockLossLike as BlockLossLike
    from ._base import LossLike as LossLike
    from ._huber import Huber as Huber
    from ._label_propagation import LabelPropagation as LabelPropagation
    from ._least_squares import LeastSquares as LeastSquares
    from ._logistic import Logistic as Logistic
    from ._multinomial import Multinomial as Multinomial
    from ._poisson import Poisson as Poisson
    from ._quadratic import Quadratic as Quadratic
    from ._squared_hinge import SquaredHinge as SquaredHinge
