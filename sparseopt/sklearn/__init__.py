"""Estimators for scikit-learn over the solvers, with its parameter names and 1/n scaling.

Needs the extra ``sklearn``: ``pip install 'sparseopt[sklearn]'``.
"""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_elastic_net": ["ElasticNet"],
        "_group_lasso": ["GroupLasso"],
        "_lasso": ["Lasso"],
        "_lasso_cv": ["LassoCV"],
        "_multitask_lasso": ["MultiTaskLasso"],
        "_sparse_logistic": ["SparseLogisticRegression"],
    },
)

if TYPE_CHECKING:
    from ._elastic_net import ElasticNet as ElasticNet
    from ._group_lasso import GroupLasso as GroupLasso
    from ._lasso import Lasso as Lasso
    from ._lasso_cv import LassoCV as LassoCV
    from ._multitask_lasso import MultiTaskLasso as MultiTaskLasso
    from ._sparse_logistic import SparseLogisticRegression as SparseLogisticRegression
