"""Optimal transport: entropic, quadratic and with few nonzeros, with certificates."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_batch": ["EntropicBatchResult", "entropic_batch"],
        "_constrained": ["ConstrainedResult", "constrained"],
        "_costs": ["PointCost"],
        "_entropic": ["entropic"],
        "_entropic_result": ["EntropicResult"],
        "_result": ["TransportResult"],
        "_routing": ["Routing", "route"],
    },
)

if TYPE_CHECKING:
    from ._batch import EntropicBatchResult as EntropicBatchResult
    from ._batch import entropic_batch as entropic_batch
    from ._constrained import ConstrainedResult as ConstrainedResult
    from ._constrained import constrained as constrained
    from ._costs import PointCost as PointCost
    from ._entropic import entropic as entropic
    from ._entropic_result import EntropicResult as EntropicResult
    from ._result import TransportResult as TransportResult
    from ._routing import Routing as Routing
    from ._routing import route as route
