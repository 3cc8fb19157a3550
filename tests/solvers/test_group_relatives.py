"""Sparse groups, tasks that share their support, and groups with concave penalties."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import require
from scipy.optimize import brentq

from sparseopt import losses, penalties, solvers


def problem(m=40, n=60, tasks=None, seed=0):
    """A design with correlated columns, and data from a few groups of three."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n)) + 0.5 * rng.standard_normal((m, 1))
    shape = (n,) if tasks is None else (n, tasks)
    x = np.zeros(shape)
    at = 3 * rng.choice(n // 3, 4, replace=False)
    x[at] = rng.standard_normal(x[at].shape)
    x[at + 1] = rng.standard_normal(x[at].shape)
    y = A @ x
    return A, y + 0.3 * rng.standard_normal(y.shape), np.arange(n) // 3


def soft(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0.0)


def epsilon_norm(v, l1, level):
    """The t with ||soft(v, t l1)|| = t level."""
    if not np.any(v):
        return 0.0
    top = np.linalg.norm(v) / level
    return brentq(lambda t: np.linalg.norm(soft(v, t * l1)) - t * level, 0.0, top * (1 + 1e-9))


@pytest.mark.parametrize("design", [np.asarray, sp.csc_array])
@pytest.mark.parametrize(("lam", "lam_group"), [(3.0, 4.0), (0.3, 0.2), (0.5, 0.0), (0.0, 2.0)])
def test_sparse_group_gap(design, lam, lam_group):
    A, y, groups = problem()
    options = {"tol": 1e-8}
    if lam == 0.0:
        with pytest.warns(UserWarning, match="lam = 0"):
            result = solvers.sparse_group_lasso(design(A), y, lam, lam_group, groups, **options)
    else:
        result = solvers.sparse_group_lasso(design(A), y, lam, lam_group, groups, **options)
    assert result.success
    x, level = result.x, lam_group * np.sqrt(3.0)
    r = y - A @ x
    blocks = x.reshape(-1, 3)
    value = 0.5 * r @ r + lam * abs(x).sum() + level * np.linalg.norm(blocks, axis=1).sum()
    assert result.fun == pytest.approx(value, rel=1e-12)
    u = result.dual
    slopes = (A.T @ u).reshape(-1, 3)
    if level:
        largest = max(epsilon_norm(v, lam, level) for v in slopes)
    else:
        largest = abs(slopes).max() / lam
    assert largest <= 1.0 + 1e-9  # else the dual point would prove nothing
    assert (value - u @ y + 0.5 * u @ u) / (0.5 * y @ y) <= 1e-8 + 1e-12


def test_sparse_group_limits_are_the_lasso_and_the_group_lasso():
    A, y, groups = problem()
    options = {"intercept": True, "tol": 1e-11}
    lasso = solvers.lasso(A, y, 2.0, **options)
    ours = solvers.sparse_group_lasso(A, y, 2.0, 0.0, groups, **options)
    np.testing.assert_allclose(ours.x, lasso.x, atol=1e-5)
    group = solvers.group_lasso(A, y, 2.0, groups, **options)
    with pytest.warns(UserWarning):
        ours = solvers.sparse_group_lasso(A, y, 0.0, 2.0, groups, **options)
    np.testing.assert_allclose(ours.x, group.x, atol=1e-5)


def test_sparse_group_has_zeros_within_groups_and_exact_zero_at_the_top():
    A, y, groups = problem()
    result = solvers.sparse_group_lasso(A, y, 5.0, 2.0, groups)
    inside = result.x.reshape(-1, 3)[result.x.reshape(-1, 3).any(axis=1)]
    assert np.any(inside == 0.0)
    largest = max(epsilon_norm(v, 1.0, np.sqrt(3.0)) for v in (A.T @ y).reshape(-1, 3))
    assert not solvers.sparse_group_lasso(A, y, 1.001 * largest, 1.001 * largest, groups).x.any()
    assert solvers.sparse_group_lasso(A, y, 0.98 * largest, 0.98 * largest, groups).x.any()


@pytest.mark.extras
@pytest.mark.parametrize("seed", range(2))
def test_sparse_group_agrees_with_cvxpy(seed):
    cp = require("cvxpy")
    A, y, groups = problem(25, 30, seed=seed)
    x, b = cp.Variable(30), cp.Variable()
    penalty = penalties.SparseGroup(1.0, 2.0, groups, "sqrt").as_cvxpy(x)
    value = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(A @ x + b - y) + penalty))
    value.solve(solver=cp.CLARABEL)
    ours = solvers.sparse_group_lasso(A, y, 1.0, 2.0, groups, intercept=True, tol=1e-10)
    assert ours.fun == pytest.approx(value.value, rel=1e-7)
    np.testing.assert_allclose(ours.x, x.value, atol=1e-4)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", ["dense", "sparse", "tall"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("part", [0.4, 0.03])
def test_multitask_gap(intercept, kind, weighted, part):
    A, Y, _ = problem(300, 12, 4) if kind == "tall" else problem(tasks=4)
    Y = Y + np.arange(4.0)
    v = np.random.default_rng(0).uniform(0.5, 2.0, len(Y)) if weighted else np.ones(len(Y))
    B, Z = A, Y
    if intercept:
        B, Z = A - v @ A / v.sum(), Y - v @ Y / v.sum()
    B, Z = np.sqrt(v)[:, None] * B, np.sqrt(v)[:, None] * Z
    lam = part * np.linalg.norm(B.T @ Z, axis=1).max()
    result = solvers.multitask_lasso(
        sp.csc_array(A) if kind == "sparse" else A,
        Y,
        lam,
        intercept=intercept,
        sample_weights=v if weighted else None,
        tol=1e-8,
    )
    assert result.success
    R = Z - B @ result.x
    value = 0.5 * np.sum(R * R) + lam * np.linalg.norm(result.x, axis=1).sum()
    assert result.fun == pytest.approx(value, rel=1e-10)
    U = result.dual / np.sqrt(v)[:, None]
    assert np.linalg.norm(B.T @ U, axis=1).max() <= lam * (1 + 1e-9)
    assert (value - np.sum(U * Z) + 0.5 * np.sum(U * U)) / (0.5 * np.sum(Z * Z)) <= 1e-8 + 1e-12
    if intercept:
        b = v @ (Y - A @ result.x) / v.sum()
        np.testing.assert_allclose(result.intercept, b, atol=1e-9)


def test_multitask_with_one_task_is_the_lasso():
    A, y, _ = problem()
    lasso = solvers.lasso(A, y, 2.0, intercept=True, tol=1e-12)
    for Y in (y, y[:, None]):
        ours = solvers.multitask_lasso(A, Y, 2.0, intercept=True, tol=1e-12)
        assert ours.x.shape == (60, *Y.shape[1:])
        np.testing.assert_allclose(ours.x.reshape(-1), lasso.x, atol=1e-6)


def test_multitask_float32_weights_and_warm_start():
    A, Y, _ = problem(tasks=3)
    single = solvers.multitask_lasso(A.astype(np.float32), Y.astype(np.float32), 5.0)
    assert single.success
    assert single.x.dtype == np.float32
    result = solvers.multitask_lasso(A, Y, 5.0, tol=1e-9)
    np.testing.assert_allclose(single.x, result.x, atol=3e-2)
    assert solvers.multitask_lasso(A, Y, 5.0, x0=result, tol=1e-8).nit == 0
    weights = np.ones(60)
    weights[np.flatnonzero(result.x.any(axis=1))[0]] = np.inf
    other = solvers.multitask_lasso(A, Y, 5.0, weights=weights)
    assert not other.x[np.isinf(weights)].any()
    assert other.fun > result.fun


@pytest.mark.extras
@pytest.mark.parametrize("divisor", [3, 30])
def test_multitask_agrees_with_scikit_learn(divisor):
    models = require("sklearn.linear_model")
    A, Y, _ = problem(tasks=3)
    B, Z = A - A.mean(0), Y - Y.mean(0)
    lam = np.linalg.norm(B.T @ Z, axis=1).max() / divisor
    model = models.MultiTaskLasso(alpha=lam / 40, tol=1e-12, max_iter=100_000).fit(A, Y)
    ours = solvers.multitask_lasso(A, Y, lam, intercept=True, tol=1e-12)
    np.testing.assert_allclose(ours.x, model.coef_.T, atol=1e-5)
    np.testing.assert_allclose(ours.intercept, model.intercept_, atol=1e-5)


@pytest.mark.parametrize("design", [np.asarray, sp.csc_array])
@pytest.mark.parametrize(
    "penalty",
    [
        penalties.GroupMCP(4.0, 3.0, np.arange(60) // 3),
        penalties.GroupSCAD(4.0, 3.7, np.arange(60) // 3),
    ],
)
def test_concave_penalties_end_stationary(design, penalty):
    A, y, _ = problem()
    A = A / np.linalg.norm(A, axis=0) * 1.5
    y = 10 * y / np.linalg.norm(y) * 3
    result = solvers.working_set(losses.LeastSquares(design(A), y), penalty, tol=1e-8)
    assert result.success
    g = (A.T @ (A @ result.x - y)).reshape(-1, 3)
    blocks = result.x.reshape(-1, 3)
    assert blocks.any()
    for x, slope in zip(blocks, g, strict=True):
        size = np.linalg.norm(x)
        if size == 0.0:
            assert np.linalg.norm(slope) <= 4.0 + 1e-5
            continue
        # the derivative of the penalty in the norm, from its values
        h = 1e-6 * size
        at = np.zeros((2, 60))
        at[:, 0] = size - h, size + h
        rise = (penalty.value(at[1]) - penalty.value(at[0])) / (2 * h)
        np.testing.assert_allclose(slope, -rise * x / size, atol=1e-4)


def test_concave_penalty_of_groups_of_one_is_the_separable_one():
    A, y, _ = problem()
    A, y = A / np.linalg.norm(A, axis=0), 30 * y / np.linalg.norm(y)
    loss = losses.LeastSquares(A, y, intercept=True)
    groups = solvers.working_set(loss, penalties.GroupMCP(9.0, 3.0, np.arange(60)), tol=1e-10)
    single = solvers.working_set(loss, penalties.MCP(9.0, 3.0), tol=1e-10)
    assert groups.fun == pytest.approx(single.fun, rel=1e-6)


@pytest.mark.parametrize("kind", ["group", "sparse group"])
def test_paths_of_groups_are_certified_at_every_level(kind):
    A, y, groups = problem()
    loss = losses.LeastSquares(A, y, intercept=True)
    if kind == "group":
        penalty = penalties.GroupL2(1.0, groups, "sqrt")
    else:
        penalty = penalties.SparseGroup(0.5, 0.5, groups, "sqrt")
    found = solvers.path(loss, penalty, n_lams=8, tol=1e-8)
    assert found.success
    assert found.method == "working-set"
    for i, lam in enumerate(found.lams):
        fit = found[i]
        level = lam if kind == "group" else 0.5 * lam
        if kind == "group":
            alone = solvers.group_lasso(A, y, level, groups, intercept=True, tol=1e-8)
        else:
            alone = solvers.sparse_group_lasso(A, y, level, level, groups, intercept=True, tol=1e-8)
        assert fit.fun == pytest.approx(alone.fun, rel=1e-7)
    assert not found[0].x.any()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"lam": -1.0}, ValueError, "lam"),
        ({"weights": [1.0, 2.0]}, ValueError, "weights"),
        ({"Y": np.ones((2, 2))}, ValueError, "rows"),
        ({"x0": np.ones(4)}, ValueError, "x0"),
        ({"Y": [[np.inf, 1.0]] * 3}, ValueError, "y"),
    ],
)
def test_bad_input(change, error, words):
    arguments = {"A": np.eye(3, 4), "Y": np.ones((3, 2)), "lam": 1.0}
    with pytest.raises(error, match=words):
        solvers.multitask_lasso(**(arguments | change))


def test_tasks_need_least_squares():
    loss = losses.Logistic(np.eye(3), np.eye(3) > 0)
    with pytest.raises(TypeError, match="least squares"):
        solvers.working_set(loss, penalties.L21(1.0))
    loss = losses.LeastSquares(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match="column"):
        solvers.working_set(loss, penalties.SparseGroup(1.0, 1.0, [0, 0, 1]))
