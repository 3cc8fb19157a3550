"""Optimal transport: entropic, quadratic and with few nonzeros, with certificates."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_costs": ["PointCost"],
        "_exact": ["exact"],
        "_explicit": ["ExplicitResult"],
        "_result": ["TransportResult"],
        "_wasserstein_1d": ["LineResult", "wasserstein_1d"],
    },
)

if TYPE_CHECKING:
    from ._costs import PointCost as PointCost
    from ._exact import exact as exact
    from ._explicit import ExplicitResult as ExplicitResult
    from ._result import TransportResult as TransportResult
    from ._wasserstein_1d import LineResult as LineResult
    from ._wasserstein_1d import wasserstein_1d as wasserstein_1d
