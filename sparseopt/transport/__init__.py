"""Optimal transport: entropic, quadratic and with few nonzeros, with certificates."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_cardinality": ["cardinality"],
        "_cardinality_result": ["CardinalityResult"],
        "_costs": ["PointCost"],
        "_result": ["TransportResult"],
    },
)

if TYPE_CHECKING:
    from ._cardinality import cardinality as cardinality
    from ._cardinality_result import CardinalityResult as CardinalityResult
    from ._costs import PointCost as PointCost
    from ._result import TransportResult as TransportResult
