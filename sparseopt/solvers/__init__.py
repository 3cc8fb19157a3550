"""Solvers: functions that take a loss, a penalty or an operator and return a `Result`."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_colour_partition": ["colour_partition"],
        "_connected_partition": ["connected_partition"],
        "_forest": ["solve_forest"],
        "_forest_blocks": ["comb_partition", "forest_partition", "greedy_forest", "random_forest"],
        "_fit": ["Fit"],
        "_group_lasso": [
            "group_lasso",
            "logistic_group_lasso",
            "multitask_lasso",
            "sparse_group_lasso",
        ],
        "_lasso": ["elastic_net", "lasso", "logistic_l1"],
        "_minimize": ["minimize"],
        "_proximal_gradient": ["proximal_gradient"],
        "_working_set": ["working_set"],
    },
)

if TYPE_CHECKING:
    from ._colour_partition import colour_partition as colour_partition
    from ._connected_partition import connected_partition as connected_partition
    from ._fit import Fit as Fit
    from ._forest import solve_forest as solve_forest
    from ._forest_blocks import comb_partition as comb_partition
    from ._forest_blocks import forest_partition as forest_partition
    from ._forest_blocks import greedy_forest as greedy_forest
    from ._forest_blocks import random_forest as random_forest
    from ._group_lasso import group_lasso as group_lasso
    from ._group_lasso import logistic_group_lasso as logistic_group_lasso
    from ._group_lasso import multitask_lasso as multitask_lasso
    from ._group_lasso import sparse_group_lasso as sparse_group_lasso
    from ._lasso import elastic_net as elastic_net
    from ._lasso import lasso as lasso
    from ._lasso import logistic_l1 as logistic_l1
    from ._minimize import minimize as minimize
    from ._proximal_gradient import proximal_gradient as proximal_gradient
    from ._working_set import working_set as working_set
