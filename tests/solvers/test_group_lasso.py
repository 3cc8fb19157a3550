"""Working sets of groups against optimality conditions, closed forms and other solvers."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import require
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseopt import ConvergenceWarning, Result, losses, penalties, solvers


def problem(m=40, n=60, size=3, seed=0, active=4):
    """A design with correlated columns, and data from a few groups."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n)) + 0.5 * rng.standard_normal((m, 1))
    groups = np.arange(n) // size
    x = np.where(np.isin(groups, rng.choice(groups[-1] + 1, active, False)), 1.0, 0.0)
    x *= rng.standard_normal(n)
    return A, A @ x + 0.3 * rng.standard_normal(m), groups


def norms(v, groups):
    """Euclidean norms of groups of rows."""
    return np.array([np.linalg.norm(v[groups == g]) for g in range(groups.max() + 1)])


def centred(A, y, weights=None, intercept=False):
    """Rows scaled by the roots of weights, after means are taken off."""
    A = A.toarray() if sp.issparse(A) else np.asarray(A, float)
    weights = np.ones(len(y)) if weights is None else weights
    if intercept:
        A = A - weights @ A / weights.sum()
        y = y - weights @ y / weights.sum()
    root = np.sqrt(weights)
    return root[:, None] * A, (y.T * root).T


def gap(A, y, x, u, level, groups):
    """The duality gap of a group lasso over the objective at zero, levels one per group."""
    assert np.max(norms(A.T @ u, groups) / level) <= 1.0 + 1e-9  # else it would prove nothing
    r = y - A @ x
    value = 0.5 * r @ r + level @ norms(x, groups)
    return (value - u @ y + 0.5 * u @ u) / (0.5 * y @ y)


def check(A, y, x, u, level, groups, tol=1e-6):
    """Gap and optimality conditions, from their definitions."""
    assert gap(A, y, x, u, level, groups) <= tol + 1e-12
    g = A.T @ (A @ x - y)
    for label in range(groups.max() + 1):
        inside = groups == label
        size = np.linalg.norm(x[inside])
        slack = 30 * np.sqrt(tol) * level.max()
        if size:
            wanted = -level[label] * x[inside] / size
            assert np.linalg.norm(g[inside] - wanted) <= slack
        else:
            assert np.linalg.norm(g[inside]) <= level[label] + slack


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", ["dense", "sparse", "tall"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("part", [0.5, 0.05])
def test_gap_and_conditions(intercept, kind, weighted, part):
    A, y, groups = problem(200, 30) if kind == "tall" else problem()
    if kind == "sparse":
        A = A * (np.random.default_rng(1).random(A.shape) < 0.3)
    y = y + 3.0
    v = np.random.default_rng(2).uniform(0.0, 2.0, len(y)) if weighted else None
    B, z = centred(A, y, v, intercept)
    lam = part * norms(B.T @ z, groups).max() / np.sqrt(3.0)
    design = sp.csc_array(A) if kind == "sparse" else A
    result = solvers.group_lasso(
        design, y, lam, groups, intercept=intercept, sample_weights=v, tol=1e-9
    )
    assert result.success
    assert 0.0 <= result.certificate <= 1e-9
    level = np.full(groups.max() + 1, lam * np.sqrt(3.0))
    v = np.ones(len(y)) if v is None else v
    check(B, z, result.x, result.dual / np.sqrt(v), level, groups, 1e-9)
    r = y - A @ result.x
    if intercept:
        assert result.intercept == pytest.approx(v @ r / v.sum(), abs=1e-10)
        r = r - result.intercept
    value = 0.5 * v @ r**2 + level @ norms(result.x, groups)
    assert result.fun == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("intercept", [False, True])
def test_dual_point_proves_the_gap(intercept):
    A, y, groups = problem()
    result = solvers.group_lasso(A, y, 4.0, groups, intercept=intercept)
    u = result.dual
    assert norms(A.T @ u, groups).max() <= 4.0 * np.sqrt(3.0) * (1 + 1e-9)
    if intercept:
        assert abs(u.sum()) <= 1e-9 * abs(u).sum()
        y = y - y.mean()
    value = u @ y - 0.5 * u @ u
    assert (result.fun - value) / (0.5 * y @ y) == pytest.approx(result.certificate, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    m=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=10),
    part=st.floats(0.02, 0.9),
)
def test_groups_of_any_sizes(seed, m, sizes, part):
    """Unequal groups, scattered over the coordinates, given as lists."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    A, y = rng.standard_normal((m, groups.size)), rng.standard_normal(m)
    weights = rng.uniform(0.5, 2.0, len(sizes))
    lam = part * np.max(norms(A.T @ y, groups) / weights)
    lists = [np.flatnonzero(groups == g) for g in range(len(sizes))]
    result = solvers.group_lasso(A, y, lam, lists, weights=weights)
    assert result.success
    assert gap(A, y, result.x, result.dual, lam * weights, groups) <= 1e-6 + 1e-10


def test_orthonormal_design_has_a_closed_form():
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((30, 12)))[0]
    y = rng.standard_normal(30)
    groups = np.arange(12) // 4
    v = A.T @ y
    size = np.linalg.norm(v.reshape(3, 4), axis=1)
    lam = np.median(size) / 2.0
    expected = (np.maximum(1 - 2.0 * lam / size, 0)[:, None] * v.reshape(3, 4)).ravel()
    result = solvers.group_lasso(A, y, lam, groups)
    np.testing.assert_allclose(result.x, expected, atol=1e-12)


def test_one_group_solves_the_ridge_equation():
    """Where x is not zero, (A'A + lam / ||x||) x = A'y."""
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((20, 5)), rng.standard_normal(20)
    x = solvers.group_lasso(A, y, 0.7, np.zeros(5, int), weights=[1.0], tol=1e-13).x
    ridge = 0.7 / np.linalg.norm(x) * np.eye(5)
    np.testing.assert_allclose(np.linalg.solve(A.T @ A + ridge, A.T @ y), x, rtol=1e-7)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_groups_of_one_are_the_lasso(sparse, intercept):
    A, y, _ = problem()
    design = sp.csr_array(A) if sparse else A
    ours = solvers.group_lasso(design, y, 5.0, np.arange(60), intercept=intercept, tol=1e-12)
    other = solvers.lasso(A, y, 5.0, intercept=intercept, tol=1e-12)
    np.testing.assert_allclose(ours.x, other.x, atol=1e-6)
    np.testing.assert_array_equal(ours.x != 0, other.x != 0)
    assert ours.fun == pytest.approx(other.fun, rel=1e-10)


def test_sparse_and_dense_agree():
    A, y, groups = problem(60, 90)
    A *= np.random.default_rng(0).random(A.shape) < 0.2
    for intercept in (False, True):
        options = {"intercept": intercept, "tol": 1e-12}
        dense = solvers.group_lasso(A, y, 1.0, groups, **options)
        sparse = solvers.group_lasso(sp.csr_matrix(A), y, 1.0, groups, **options)
        np.testing.assert_allclose(dense.x, sparse.x, atol=1e-6)


@pytest.mark.parametrize("intercept", [False, True])
def test_from_the_largest_level_on_zero_is_exact(intercept):
    A, y, groups = problem()
    B, z = centred(A, y, None, intercept)
    lam = norms(B.T @ z, groups).max() / np.sqrt(3.0)
    result = solvers.group_lasso(A, y, lam * (1 + 1e-9), groups, intercept=intercept)
    assert result.success
    assert not result.x.any()
    assert solvers.group_lasso(A, y, 0.98 * lam, groups, intercept=intercept).x.any()


def test_warm_start_and_history():
    A, y, groups = problem()
    first = solvers.group_lasso(A, y, 3.0, groups, tol=1e-10)
    again = solvers.group_lasso(A, y, 3.0, groups, x0=first, tol=1e-9)
    assert again.nit == 0
    near = solvers.group_lasso(A, y, 2.9, groups, x0=first.x, tol=1e-10)
    assert near.nit <= first.nit
    assert near.history["support"][-1] == np.count_nonzero(norms(near.x, groups))
    cold = solvers.group_lasso(A, y, 2.9, groups, tol=1e-10)
    assert near.fun == pytest.approx(cold.fun, rel=1e-9)


def test_free_and_forbidden_groups():
    A, y, groups = problem(80, 30)
    weights = np.ones(10)
    weights[0], weights[1] = 0.0, np.inf
    result = solvers.group_lasso(A, y, 20.0, groups, weights=weights, tol=1e-9)
    assert result.success
    assert np.linalg.norm(A[:, :3].T @ (A @ result.x - y)) <= 1e-6 * np.linalg.norm(A.T @ y)
    assert not result.x[3:6].any()


def test_lam_zero_is_least_squares_with_a_warning():
    A, y, groups = problem(80, 30)
    with pytest.warns(UserWarning, match="lam = 0"):
        result = solvers.group_lasso(A, y, 0.0, groups, tol=1e-10)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, y)[0], atol=1e-6)


def test_float32_and_inputs_left_alone():
    A, y, groups = problem()
    A, y = A.astype(np.float32), y.astype(np.float32)
    copies = A.copy(), y.copy(), groups.copy()
    result = solvers.group_lasso(A, y, 4.0, groups, intercept=True)
    assert result.success
    assert result.x.dtype == np.float32
    for array, copy in zip((A, y, groups), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    double = solvers.group_lasso(A.astype(float), y.astype(float), 4.0, groups, intercept=True)
    assert result.fun == pytest.approx(double.fun, rel=1e-4)


@pytest.mark.parametrize("sparse", [False, True])
def test_zero_and_duplicated_columns(sparse):
    A, y, groups = problem()
    A[:, 6:9] = 0.0
    A[:, 10] = A[:, 9]
    A[:, 12:15] = A[:, 9:12]
    design = sp.csc_array(A) if sparse else A
    result = solvers.group_lasso(design, y, 1.0, groups)
    assert result.success
    assert not result.x[6:9].any()
    assert gap(A, y, result.x, result.dual, np.full(20, np.sqrt(3.0)), groups) <= 1e-6 + 1e-10


@pytest.mark.parametrize("sparse", [False, True])
def test_labels_may_have_gaps_and_coordinates_may_be_scattered(sparse):
    A, y, groups = problem()
    plain = solvers.group_lasso(A, y, 3.0, groups, tol=1e-11)
    order = np.random.default_rng(0).permutation(60)
    design = sp.csr_array(A[:, order]) if sparse else A[:, order]
    result = solvers.group_lasso(design, y, 3.0, 2 * groups[order] + 1, tol=1e-11)
    assert "duality gap" in result.message
    np.testing.assert_allclose(result.x, plain.x[order], atol=1e-6)


def test_one_row_and_one_column():
    A = np.array([[1.0, 2.0, -2.0]])
    x = solvers.group_lasso(A, [6.0], 1.0, [0, 0, 0], weights=[1.0], tol=1e-12).x
    np.testing.assert_allclose(x, (6.0 * 3.0 - 1.0) / 9.0 * A[0] / 3.0, rtol=1e-6)
    x = solvers.group_lasso(A.T, [1.0, 2.0, -2.0], 3.0, [0]).x
    np.testing.assert_allclose(x, [6.0 / 9.0], rtol=1e-6)
    result = solvers.group_lasso(A.T, [2.0, 2.0, 2.0], 1.0, [0], intercept=True)
    assert result.intercept == pytest.approx(2.0)
    assert not result.x.any()


def test_columns_that_span_the_same_space_within_a_group():
    """Groups of more columns than data: their Gram matrices are singular."""
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((5, 40)), rng.standard_normal(5)
    groups = np.arange(40) // 10
    result = solvers.group_lasso(A, y, 0.3, groups, tol=1e-9)
    level = np.full(4, 0.3 * np.sqrt(10.0))
    check(A, y, result.x, result.dual, level, groups, 1e-9)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"lam": -1.0}, ValueError, "lam"),
        ({"lam": np.nan}, ValueError, "lam"),
        ({"lam": [1.0, 2.0]}, ValueError, "lam"),
        ({"groups": [[0, 1], [1, 2, 3]]}, ValueError, "covered twice"),
        ({"groups": [[0, 1], [3]]}, ValueError, "never covered"),
        ({"groups": [0, 0, 1]}, ValueError, "groups"),
        ({"groups": [0.0, 0.0, 1.0, 1.0]}, TypeError, "groups"),
        ({"weights": [1.0, -1.0]}, ValueError, "weights"),
        ({"weights": [1.0]}, ValueError, "weights"),
        ({"y": [1.0, np.nan, 0.0]}, ValueError, "y"),
        ({"y": [[1.0, 2.0]] * 3}, ValueError, "column"),
        ({"A": np.ones((3, 4)) * 1j}, TypeError, "A must be real"),
        ({"x0": np.ones(3)}, ValueError, "x0"),
    ],
)
def test_bad_input(change, error, words):
    arguments = {"A": np.eye(3, 4), "y": [1.0, 2.0, 3.0], "lam": 1.0, "groups": [0, 0, 1, 1]}
    with pytest.raises(error, match=words):
        solvers.group_lasso(**(arguments | change))


def test_not_converged_warns():
    A, y, groups = problem()
    with pytest.warns(ConvergenceWarning):
        result = solvers.group_lasso(A, y, 0.1, groups, max_iter=1, tol=1e-14)
    assert not result.success
    assert isinstance(result, Result)


@pytest.mark.parametrize("intercept", [False, True])
def test_logistic_gap(intercept):
    A, y, groups = problem(60, 30)
    labels = np.where(y + np.random.default_rng(0).standard_normal(60) > 0, 1.0, -1.0)
    result = solvers.logistic_group_lasso(A, labels, 1.0, groups, intercept=intercept, tol=1e-8)
    assert result.success
    z = A @ result.x + result.intercept
    v = 1.0 / (1.0 + np.exp(labels * z))
    u = -labels * v
    level = np.sqrt(3.0)
    size = norms(result.x, groups)
    value = np.logaddexp(0.0, -labels * z).sum() + level * size.sum()
    assert result.fun == pytest.approx(value, rel=1e-10)
    slopes = A.T @ u
    assert norms(slopes, groups).max() <= level * (1 + 1e-3)
    for g in np.flatnonzero(size):
        at = groups == g
        np.testing.assert_allclose(slopes[at], -level * result.x[at] / size[g], atol=2e-2)
    if intercept:
        assert abs(u.sum()) <= 1e-8


def test_logistic_sparse_agrees_with_dense():
    A, y, groups = problem(60, 30)
    A *= np.random.default_rng(0).random(A.shape) < 0.4
    labels = y > 0
    dense = solvers.logistic_group_lasso(A, labels, 0.5, groups, intercept=True, tol=1e-10)
    sparse = solvers.logistic_group_lasso(
        sp.csc_array(A), labels, 0.5, groups, intercept=True, tol=1e-10
    )
    np.testing.assert_allclose(dense.x, sparse.x, atol=1e-4)


@pytest.mark.extras
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_cvxpy(seed):
    cp = require("cvxpy")
    A, y, groups = problem(25, 30, 5, seed)
    x, b = cp.Variable(30), cp.Variable()
    loss = 0.5 * cp.sum_squares(A @ x + b - y)
    value = cp.Problem(cp.Minimize(loss + penalties.GroupL2(3.0, groups, "sqrt").as_cvxpy(x)))
    value.solve(solver=cp.CLARABEL)
    ours = solvers.group_lasso(A, y, 3.0, groups, intercept=True, tol=1e-10)
    assert ours.fun == pytest.approx(value.value, rel=1e-7)
    np.testing.assert_allclose(ours.x, x.value, atol=1e-4)

    labels = np.where(y > 0, 1.0, -1.0)
    terms = cp.sum(cp.logistic(-cp.multiply(labels, A @ x + b)))
    value = cp.Problem(cp.Minimize(terms + penalties.GroupL2(0.5, groups, "sqrt").as_cvxpy(x)))
    value.solve(solver=cp.CLARABEL)
    ours = solvers.logistic_group_lasso(A, labels, 0.5, groups, intercept=True, tol=1e-10)
    assert ours.fun == pytest.approx(value.value, rel=1e-6)


def test_least_squares_object_and_function_agree():
    A, y, groups = problem()
    ours = solvers.working_set(losses.LeastSquares(A, y), penalties.GroupL2(4.0, groups, "sqrt"))
    np.testing.assert_array_equal(ours.x, solvers.group_lasso(A, y, 4.0, groups).x)
