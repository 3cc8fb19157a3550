"""The group lasso, the sparse group lasso and the multitask lasso."""

from __future__ import annotations

from typing import Any

from ..losses import LeastSquares, Logistic
from ..penalties import L21, GroupL2, SparseGroup
from ._working_set import working_set


def group_lasso(A, y, lam, groups, *, weights="sqrt", intercept=False, sample_weights=None, **c):
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    return working_set(loss, GroupL2(lam, groups, weights), **c)


def multitask_lasso(A, Y, lam, *, weights=None, intercept=False, sample_weights=None, **c):
    loss = LeastSquares(A, Y, sample_weights=sample_weights, intercept=intercept)
    return working_set(loss, L21(lam, weights), **c)


def sparse_group_lasso(A, y, lam, lam_group, groups, *, weights="sqrt", intercept=False, sample_weights=None, **c):
    loss = LeastSquares(A, y, sample_weights=sample_weights, intercept=intercept)
    return working_set(loss, SparseGroup(lam, lam_group, groups, weights), **c)


def logistic_group_lasso(A, y, lam, groups, *, weights="sqrt", intercept=False, sample_weights=None, **c):
    loss = Logistic(A, y, sample_weights=sample_weights, intercept=intercept)
    return working_set(loss, GroupL2(lam, groups, weights), **c)
