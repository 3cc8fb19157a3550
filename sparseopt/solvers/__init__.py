"""Solvers: functions that take a loss, a penalty or an operator and return a `Result`."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_admm": ["admm"],
        "_anderson": ["anderson"],
        "_bcd": ["BCDResult", "bcd"],
        "_bcd_compare": ["compare_bcd"],
        "_bcd_partitions": ["block_partition"],
        "_choose_level": ["Choice", "discrepancy_principle", "gcv", "sure"],
        "_colour_partition": ["colour_partition"],
        "_connected_partition": ["connected_partition"],
        "_cross_validate": ["CrossValidation", "cross_validate"],
        "_davis_yin": ["davis_yin"],
        "_debias": ["DebiasedResult", "debias"],
        "_douglas_rachford": ["douglas_rachford"],
        "_fit": ["Fit"],
        "_forest": ["solve_forest"],
        "_forest_blocks": ["comb_partition", "forest_partition", "greedy_forest", "random_forest"],
        "_group_lasso": [
            "group_lasso",
            "logistic_group_lasso",
            "multitask_lasso",
            "sparse_group_lasso",
        ],
        "_identify_active_set": ["ActiveSet", "identify_active_set"],
        "_lam_max": ["lam_max"],
        "_lasso": ["elastic_net", "lasso", "logistic_l1"],
        "_lasso_cv": ["lasso_cv"],
        "_lasso_path": ["lasso_path"],
        "_minimize": ["minimize"],
        "_path": ["Path", "path"],
        "_primal_dual": ["primal_dual"],
        "_proximal_gradient": ["proximal_gradient"],
        "_proximal_newton": ["proximal_newton"],
        "_sparsa": ["sparsa"],
        "_two_metric_projection": ["two_metric_projection"],
        "_working_set": ["working_set"],
    },
)

if TYPE_CHECKING:
    from ._admm import admm as admm
    from ._anderson import anderson as anderson
    from ._bcd import BCDResult as BCDResult
    from ._bcd import bcd as bcd
    from ._bcd_compare import compare_bcd as compare_bcd
    from ._bcd_partitions import block_partition as block_partition
    from ._choose_level import Choice as Choice
    from ._choose_level import discrepancy_principle as discrepancy_principle
    from ._choose_level import gcv as gcv
    from ._choose_level import sure as sure
    from ._colour_partition import colour_partition as colour_partition
    from ._connected_partition import connected_partition as connected_partition
    from ._cross_validate import CrossValidation as CrossValidation
    from ._cross_validate import cross_validate as cross_validate
    from ._davis_yin import davis_yin as davis_yin
    from ._debias import DebiasedResult as DebiasedResult
    from ._debias import debias as debias
    from ._douglas_rachford import douglas_rachford as douglas_rachford
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
    from ._identify_active_set import ActiveSet as ActiveSet
    from ._identify_active_set import identify_active_set as identify_active_set
    from ._lam_max import lam_max as lam_max
    from ._lasso import elastic_net as elastic_net
    from ._lasso import lasso as lasso
    from ._lasso import logistic_l1 as logistic_l1
    from ._lasso_cv import lasso_cv as lasso_cv
    from ._lasso_path import lasso_path as lasso_path
    from ._minimize import minimize as minimize
    from ._path import Path as Path
    from ._path import path as path
    from ._primal_dual import primal_dual as primal_dual
    from ._proximal_gradient import proximal_gradient as proximal_gradient
    from ._proximal_newton import proximal_newton as proximal_newton
    from ._sparsa import sparsa as sparsa
    from ._two_metric_projection import two_metric_projection as two_metric_projection
    from ._working_set import working_set as working_set
