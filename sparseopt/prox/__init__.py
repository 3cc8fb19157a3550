"""Proximal operators and projections: functions on arrays.

``prox.NAME(v, <parameters>, *, step=1.0)`` is the minimiser of ``1/2 ||x - v||^2 + step * f(x)``;
``prox.project_NAME(v, ...)`` is the nearest point of a set.
"""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_asymmetric_l1": ["asymmetric_l1"],
        "_capped_l1": ["capped_l1"],
        "_cauchy": ["cauchy"],
        "_cel0": ["cel0"],
        "_elastic_net": ["elastic_net"],
        "_etp": ["etp"],
        "_fused_lasso": ["fused_lasso"],
        "_geman": ["geman"],
        "_group_envelope": ["group_envelope"],
        "_group_l2": ["group_l2"],
        "_group_lifts": ["group_log_sum", "group_lq", "group_mcp", "group_scad"],
        "_hinge": ["hinge", "squared_hinge"],
        "_huber": ["huber"],
        "_k_support": ["k_support", "top_k_squared"],
        "_l0": ["l0"],
        "_l1": ["l1"],
        "_l1_minus_l2": ["l1_minus_l2"],
        "_l2": ["l2", "l21"],
        "_latent_group": ["latent_group"],
        "_linf": ["group_linf", "linf"],
        "_log_sum": ["log_sum"],
        "_logistic": ["logistic"],
        "_lq": ["lq"],
        "_mcp": ["mcp"],
        "_nonnegative_l1": ["nonnegative_l1"],
        "_pinball": ["pinball"],
        "_poisson": ["poisson"],
        "_project_affine": ["project_affine", "project_halfspace", "project_hyperplane"],
        "_project_balls": ["project_l2_ball", "project_linf_ball", "project_sphere"],
        "_project_box": ["project_box"],
        "_project_capped_simplex": ["project_capped_simplex"],
        "_project_cones": ["project_second_order_cone", "project_psd"],
        "_project_group_balls": ["project_l21_ball", "project_l1inf_ball"],
        "_project_intersection": ["project_intersection"],
        "_project_isotonic": ["project_isotonic"],
        "_project_l1": ["project_l1_ball", "project_l1_epigraph"],
        "_project_simplex": ["project_simplex"],
        "_project_sparse": ["project_sparse_simplex", "project_sparse_l1_ball"],
        "_project_top_k": ["project_top_k"],
        "_scad": ["scad"],
        "_slope": ["slope", "sum_largest"],
        "_sparse_group": ["sparse_group"],
        "_sparse_structures": ["project_group_top_k", "project_n_m"],
        "_spectral": ["nuclear", "project_rank", "rank", "schatten"],
        "_squared_l2": ["squared_l2"],
        "_tree_groups": ["tree_groups"],
        "_trend_filter": ["solve_trend_filter", "trend_filter"],
        "_tv1d": ["tv1d"],
        "_tv2d": ["solve_tv2d", "tv2d"],
    },
)

if TYPE_CHECKING:
    from ._asymmetric_l1 import asymmetric_l1 as asymmetric_l1
    from ._capped_l1 import capped_l1 as capped_l1
    from ._cauchy import cauchy as cauchy
    from ._cel0 import cel0 as cel0
    from ._elastic_net import elastic_net as elastic_net
    from ._etp import etp as etp
    from ._fused_lasso import fused_lasso as fused_lasso
    from ._geman import geman as geman
    from ._group_envelope import group_envelope as group_envelope
    from ._group_l2 import group_l2 as group_l2
    from ._group_lifts import group_log_sum as group_log_sum
    from ._group_lifts import group_lq as group_lq
    from ._group_lifts import group_mcp as group_mcp
    from ._group_lifts import group_scad as group_scad
    from ._hinge import hinge as hinge
    from ._hinge import squared_hinge as squared_hinge
    from ._huber import huber as huber
    from ._k_support import k_support as k_support
    from ._k_support import top_k_squared as top_k_squared
    from ._l0 import l0 as l0
    from ._l1 import l1 as l1
    from ._l1_minus_l2 import l1_minus_l2 as l1_minus_l2
    from ._l2 import l2 as l2
    from ._l2 import l21 as l21
    from ._latent_group import latent_group as latent_group
    from ._linf import group_linf as group_linf
    from ._linf import linf as linf
    from ._log_sum import log_sum as log_sum
    from ._logistic import logistic as logistic
    from ._lq import lq as lq
    from ._mcp import mcp as mcp
    from ._nonnegative_l1 import nonnegative_l1 as nonnegative_l1
    from ._pinball import pinball as pinball
    from ._poisson import poisson as poisson
    from ._project_affine import project_affine as project_affine
    from ._project_affine import project_halfspace as project_halfspace
    from ._project_affine import project_hyperplane as project_hyperplane
    from ._project_balls import project_l2_ball as project_l2_ball
    from ._project_balls import project_linf_ball as project_linf_ball
    from ._project_balls import project_sphere as project_sphere
    from ._project_box import project_box as project_box
    from ._project_capped_simplex import project_capped_simplex as project_capped_simplex
    from ._project_cones import project_psd as project_psd
    from ._project_cones import project_second_order_cone as project_second_order_cone
    from ._project_group_balls import project_l1inf_ball as project_l1inf_ball
    from ._project_group_balls import project_l21_ball as project_l21_ball
    from ._project_intersection import project_intersection as project_intersection
    from ._project_isotonic import project_isotonic as project_isotonic
    from ._project_l1 import project_l1_ball as project_l1_ball
    from ._project_l1 import project_l1_epigraph as project_l1_epigraph
    from ._project_simplex import project_simplex as project_simplex
    from ._project_sparse import project_sparse_l1_ball as project_sparse_l1_ball
    from ._project_sparse import project_sparse_simplex as project_sparse_simplex
    from ._project_top_k import project_top_k as project_top_k
    from ._scad import scad as scad
    from ._slope import slope as slope
    from ._slope import sum_largest as sum_largest
    from ._sparse_group import sparse_group as sparse_group
    from ._sparse_structures import project_group_top_k as project_group_top_k
    from ._sparse_structures import project_n_m as project_n_m
    from ._spectral import nuclear as nuclear
    from ._spectral import project_rank as project_rank
    from ._spectral import rank as rank
    from ._spectral import schatten as schatten
    from ._squared_l2 import squared_l2 as squared_l2
    from ._tree_groups import tree_groups as tree_groups
    from ._trend_filter import solve_trend_filter as solve_trend_filter
    from ._trend_filter import trend_filter as trend_filter
    from ._tv1d import tv1d as tv1d
    from ._tv2d import solve_tv2d as solve_tv2d
    from ._tv2d import tv2d as tv2d
