"""Optimal transport: entropic, quadratic and with few nonzeros, with certificates."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_costs": ["PointCost"],
        "_derivatives": ["TransportGradient", "plan_vjp", "value_gradient"],
        "_entropic": ["entropic"],
        "_entropic_result": ["EntropicResult"],
        "_result": ["TransportResult"],
        "_routing": ["Routing", "route"],
    },
)

if TYPE_CHECKING:
    from ._costs import PointCost as PointCost
    from ._derivatives import TransportGradient as TransportGradient
    from ._derivatives import plan_vjp as plan_vjp
    from ._derivatives import value_gradient as value_gradient
    from ._entropic import entropic as entropic
    from ._entropic_result import EntropicResult as EntropicResult
    from ._result import TransportResult as TransportResult
    from ._routing import Routing as Routing
    from ._routing import route as route
