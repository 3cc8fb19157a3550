"""Bridges to PyTorch: penalties inside training loops, differentiable transport, routing.

Needs the extra ``torch``: ``pip install 'sparseopt[torch]'``.
"""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_prox_step": ["ProxStep"],
        "_routing": ["TokenRouting", "route"],
        "_transport": ["transport_plan", "transport_value"],
    },
)

if TYPE_CHECKING:
    from ._prox_step import ProxStep as ProxStep
    from ._routing import TokenRouting as TokenRouting
    from ._routing import route as route
    from ._transport import transport_plan as transport_plan
    from ._transport import transport_value as transport_value
