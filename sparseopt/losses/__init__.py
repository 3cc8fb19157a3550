"""Smooth terms: value, gradient and curvature of functions of ``A x``."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"_base": ["BlockLossLike", "LossLike"], "_least_squares": ["LeastSquares"]}
)

if TYPE_CHECKING:
    from ._base import BlockLossLike as BlockLossLike
    from ._base import LossLike as LossLike
    from ._least_squares import LeastSquares as LeastSquares
