"""Penalties: the operators of `sparseopt.prox` as objects with a value, a prox and traits."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_base": ["Gauge", "Penalty", "PenaltyLike", "Separable"],
        "_group_l2": ["GroupL2"],
        "_l1": ["ElasticNet", "L1"],
        "_nonconvex": ["L0", "MCP", "Lq"],
        "_sets": ["KSparse", "Simplex"],
        "_zero": ["Zero"],
    },
)

if TYPE_CHECKING:
    from ._base import Gauge as Gauge
    from ._base import Penalty as Penalty
    from ._base import PenaltyLike as PenaltyLike
    from ._base import Separable as Separable
    from ._group_l2 import GroupL2 as GroupL2
    from ._l1 import L1 as L1
    from ._l1 import ElasticNet as ElasticNet
    from ._nonconvex import L0 as L0
    from ._nonconvex import MCP as MCP
    from ._nonconvex import Lq as Lq
    from ._sets import KSparse as KSparse
    from ._sets import Simplex as Simplex
    from ._zero import Zero as Zero
