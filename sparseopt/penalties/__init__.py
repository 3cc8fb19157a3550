"""Penalties: the operators of `sparseopt.prox` as objects with a value, a prox and traits."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_affine_sets": ["Affine", "Halfspace", "Hyperplane", "Intersection"],
        "_balls": ["L1Ball", "L1InfBall", "L21Ball", "L2Ball", "LInfBall", "Sphere"],
        "_base": ["Gauge", "Penalty", "PenaltyLike", "Separable"],
        "_box": ["Box"],
        "_calculus_affine": ["AddRidge", "Scale", "ScaleArgument", "Tilt", "Translate"],
        "_calculus_blocks": ["Precompose", "SeparableSum"],
        "_calculus_lift": ["Nonnegative", "RadialLift", "SpectralLift"],
        "_calculus_moreau": ["Conjugate", "MoreauEnvelope"],
        "_capped_sets": ["CappedSimplex", "SparseL1Ball", "SparseSimplex"],
        "_cel0": ["CEL0"],
        "_concave": ["CappedL1", "Cauchy", "ETP", "Geman", "LogSum", "SCAD"],
        "_cones": ["L1Epigraph", "PSDCone", "SecondOrderCone"],
        "_envelope": ["GroupEnvelope"],
        "_group_l2": ["GroupL2"],
        "_group_lifts": ["GroupLogSum", "GroupLq", "GroupMCP", "GroupSCAD"],
        "_indicator": ["Indicator"],
        "_k_support": ["KSupport", "TopKSquared"],
        "_l1": ["ElasticNet", "L1"],
        "_l1_minus_l2": ["L1MinusL2"],
        "_latent_group": ["LatentGroup"],
        "_linf": ["GroupLInf", "LInf"],
        "_nonconvex": ["L0", "MCP", "Lq"],
        "_norms": ["L2", "L21", "SquaredL2"],
        "_pointwise": ["Hinge", "Huber", "Logistic", "Poisson", "SquaredHinge"],
        "_sets": ["KSparse", "Simplex"],
        "_sided": ["AsymmetricL1", "NonnegativeL1", "Pinball", "Sided"],
        "_slope": ["Slope", "SumLargest"],
        "_sparse_group": ["SparseGroup"],
        "_spectral": ["LowRank", "Nuclear", "Rank", "Schatten"],
        "_structures": ["GroupKSparse", "Isotonic", "NMSparse"],
        "_tree_groups": ["TreeGroups"],
        "_trend_filter": ["TrendFilter"],
        "_tv1d": ["FusedLasso", "TV1D"],
        "_tv2d": ["TV2D"],
        "_zero": ["Zero"],
    },
)

if TYPE_CHECKING:
    from ._affine_sets import Affine as Affine
    from ._affine_sets import Halfspace as Halfspace
    from ._affine_sets import Hyperplane as Hyperplane
    from ._affine_sets import Intersection as Intersection
    from ._balls import L1Ball as L1Ball
    from ._balls import L1InfBall as L1InfBall
    from ._balls import L2Ball as L2Ball
    from ._balls import L21Ball as L21Ball
    from ._balls import LInfBall as LInfBall
    from ._balls import Sphere as Sphere
    from ._base import Gauge as Gauge
    from ._base import Penalty as Penalty
    from ._base import PenaltyLike as PenaltyLike
    from ._base import Separable as Separable
    from ._box import Box as Box
    from ._calculus_affine import AddRidge as AddRidge
    from ._calculus_affine import Scale as Scale
    from ._calculus_affine import ScaleArgument as ScaleArgument
    from ._calculus_affine import Tilt as Tilt
    from ._calculus_affine import Translate as Translate
    from ._calculus_blocks import Precompose as Precompose
    from ._calculus_blocks import SeparableSum as SeparableSum
    from ._calculus_lift import Nonnegative as Nonnegative
    from ._calculus_lift import RadialLift as RadialLift
    from ._calculus_lift import SpectralLift as SpectralLift
    from ._calculus_moreau import Conjugate as Conjugate
    from ._calculus_moreau import MoreauEnvelope as MoreauEnvelope
    from ._capped_sets import CappedSimplex as CappedSimplex
    from ._capped_sets import SparseL1Ball as SparseL1Ball
    from ._capped_sets import SparseSimplex as SparseSimplex
    from ._cel0 import CEL0 as CEL0
    from ._concave import ETP as ETP
    from ._concave import SCAD as SCAD
    from ._concave import CappedL1 as CappedL1
    from ._concave import Cauchy as Cauchy
    from ._concave import Geman as Geman
    from ._concave import LogSum as LogSum
    from ._cones import L1Epigraph as L1Epigraph
    from ._cones import PSDCone as PSDCone
    from ._cones import SecondOrderCone as SecondOrderCone
    from ._envelope import GroupEnvelope as GroupEnvelope
    from ._group_l2 import GroupL2 as GroupL2
    from ._group_lifts import GroupLogSum as GroupLogSum
    from ._group_lifts import GroupLq as GroupLq
    from ._group_lifts import GroupMCP as GroupMCP
    from ._group_lifts import GroupSCAD as GroupSCAD
    from ._indicator import Indicator as Indicator
    from ._k_support import KSupport as KSupport
    from ._k_support import TopKSquared as TopKSquared
    from ._l1 import L1 as L1
    from ._l1 import ElasticNet as ElasticNet
    from ._l1_minus_l2 import L1MinusL2 as L1MinusL2
    from ._latent_group import LatentGroup as LatentGroup
    from ._linf import GroupLInf as GroupLInf
    from ._linf import LInf as LInf
    from ._nonconvex import L0 as L0
    from ._nonconvex import MCP as MCP
    from ._nonconvex import Lq as Lq
    from ._norms import L2 as L2
    from ._norms import L21 as L21
    from ._norms import SquaredL2 as SquaredL2
    from ._pointwise import Hinge as Hinge
    from ._pointwise import Huber as Huber
    from ._pointwise import Logistic as Logistic
    from ._pointwise import Poisson as Poisson
    from ._pointwise import SquaredHinge as SquaredHinge
    from ._sets import KSparse as KSparse
    from ._sets import Simplex as Simplex
    from ._sided import AsymmetricL1 as AsymmetricL1
    from ._sided import NonnegativeL1 as NonnegativeL1
    from ._sided import Pinball as Pinball
    from ._sided import Sided as Sided
    from ._slope import Slope as Slope
    from ._slope import SumLargest as SumLargest
    from ._sparse_group import SparseGroup as SparseGroup
    from ._spectral import LowRank as LowRank
    from ._spectral import Nuclear as Nuclear
    from ._spectral import Rank as Rank
    from ._spectral import Schatten as Schatten
    from ._structures import GroupKSparse as GroupKSparse
    from ._structures import Isotonic as Isotonic
    from ._structures import NMSparse as NMSparse
    from ._tree_groups import TreeGroups as TreeGroups
    from ._trend_filter import TrendFilter as TrendFilter
    from ._tv1d import TV1D as TV1D
    from ._tv1d import FusedLasso as FusedLasso
    from ._tv2d import TV2D as TV2D
    from ._zero import Zero as Zero
