"""Pictures of results, drawn with Matplotlib (extra ``plot``)."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_convergence": ["convergence"],
        "_cross_validation": ["cross_validation"],
        "_path": ["path"],
        "_transport": ["transport_history", "transport_plan"],
    },
)

if TYPE_CHECKING:
    from ._convergence import convergence as convergence
    from ._cross_validation import cross_validation as cross_validation
    from ._path import path as path
    from ._transport import transport_history as transport_history
    from ._transport import transport_plan as transport_plan
