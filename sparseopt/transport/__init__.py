"""Optimal transport: entropic, quadratic and with few nonzeros, with certificates."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_barycenter": ["BarycenterResult", "barycenter"],
        "_batch": ["EntropicBatchResult", "entropic_batch"],
        "_cardinality": ["cardinality"],
        "_cardinality_result": ["CardinalityResult"],
        "_constrained": ["ConstrainedResult", "constrained"],
        "_costs": ["PointCost"],
        "_derivatives": ["TransportGradient", "plan_vjp", "value_gradient"],
        "_divergence": ["DivergenceResult", "divergence"],
        "_entropic": ["entropic"],
        "_entropic_result": ["EntropicResult"],
        "_exact": ["exact"],
        "_explicit": ["ExplicitResult"],
        "_grid_cost": ["GridCost"],
        "_group_lasso": ["GroupLassoResult", "group_lasso"],
        "_partial": ["partial"],
        "_partial_result": ["ExactPartialResult", "PartialResult"],
        "_quadratic": ["quadratic"],
        "_quadratic_result": ["QuadraticResult"],
        "_result": ["TransportResult"],
        "_routing": ["Routing", "route"],
        "_unbalanced": ["unbalanced"],
        "_unbalanced_result": ["UnbalancedResult"],
        "_wasserstein": ["GridResult", "wasserstein"],
        "_wasserstein_1d": ["LineResult", "wasserstein_1d"],
    },
)

if TYPE_CHECKING:
    from ._barycenter import BarycenterResult as BarycenterResult
    from ._barycenter import barycenter as barycenter
    from ._batch import EntropicBatchResult as EntropicBatchResult
    from ._batch import entropic_batch as entropic_batch
    from ._cardinality import cardinality as cardinality
    from ._cardinality_result import CardinalityResult as CardinalityResult
    from ._constrained import ConstrainedResult as ConstrainedResult
    from ._constrained import constrained as constrained
    from ._costs import PointCost as PointCost
    from ._derivatives import TransportGradient as TransportGradient
    from ._derivatives import plan_vjp as plan_vjp
    from ._derivatives import value_gradient as value_gradient
    from ._divergence import DivergenceResult as DivergenceResult
    from ._divergence import divergence as divergence
    from ._entropic import entropic as entropic
    from ._entropic_result import EntropicResult as EntropicResult
    from ._exact import exact as exact
    from ._explicit import ExplicitResult as ExplicitResult
    from ._grid_cost import GridCost as GridCost
    from ._group_lasso import GroupLassoResult as GroupLassoResult
    from ._group_lasso import group_lasso as group_lasso
    from ._partial import partial as partial
    from ._partial_result import ExactPartialResult as ExactPartialResult
    from ._partial_result import PartialResult as PartialResult
    from ._quadratic import quadratic as quadratic
    from ._quadratic_result import QuadraticResult as QuadraticResult
    from ._result import TransportResult as TransportResult
    from ._routing import Routing as Routing
    from ._routing import route as route
    from ._unbalanced import unbalanced as unbalanced
    from ._unbalanced_result import UnbalancedResult as UnbalancedResult
    from ._wasserstein import GridResult as GridResult
    from ._wasserstein import wasserstein as wasserstein
    from ._wasserstein_1d import LineResult as LineResult
    from ._wasserstein_1d import wasserstein_1d as wasserstein_1d
