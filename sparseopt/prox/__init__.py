"""Proximal operators and projections: functions on arrays.

``prox.NAME(v, <parameters>, *, step=1.0)`` is the minimiser of ``1/2 ||x - v||^2 + step * f(x)``;
``prox.project_NAME(v, ...)`` is the nearest point of a set.
"""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_elastic_net": ["elastic_net"],
        "_group_l2": ["group_l2"],
        "_l0": ["l0"],
        "_l1": ["l1"],
        "_lq": ["lq"],
        "_mcp": ["mcp"],
        "_project_simplex": ["project_simplex"],
        "_project_top_k": ["project_top_k"],
    },
)

if TYPE_CHECKING:
    from ._elastic_net import elastic_net as elastic_net
    from ._group_l2 import group_l2 as group_l2
    from ._l0 import l0 as l0
    from ._l1 import l1 as l1
    from ._lq import lq as lq
    from ._mcp import mcp as mcp
    from ._project_simplex import project_simplex as project_simplex
    from ._project_top_k import project_top_k as project_top_k
