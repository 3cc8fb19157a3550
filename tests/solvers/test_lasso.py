"""Lasso, elastic net and l1-logistic regression: certificates by hand, peers, bad input."""

import warnings

import numpy as np
import pytest
from certificates import certify, null_value
from helpers import require
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse as sp

import sparseopt as so
from sparseopt import losses, penalties, solvers
from sparseopt.datasets import load_regression


def problem(rng, m=40, n=70, signal=5):
    A = rng.standard_normal((m, n))
    y = A[:, :signal].sum(1) + 0.3 * rng.standard_normal(m) + 1.0
    return A, y


def level(A, y, part, intercept=False):
    return part * float(abs(A.T @ (y - y.mean() if intercept else y)).max())


def solve_quietly(solver, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solver(*args, **kwargs)
    assert result.success
    return result


kinds = st.sampled_from(["normal", "scaled", "repeated", "constant", "sparse"])


def design(rng, m, n, kind):
    A = rng.standard_normal((m, n))
    if kind == "scaled":
        A *= 10.0 ** rng.uniform(-6, 6, n)
    if kind == "repeated":
        A = A[:, rng.integers(0, n // 3 + 1, n)] * rng.choice([-1.0, 1.0], n)
    if kind == "constant":
        A[:, rng.random(n) < 0.3] = 1.0
        A[:, rng.random(n) < 0.2] = 0.0
    if kind == "sparse":
        A *= rng.random((m, n)) < 0.2
    return A


@settings(max_examples=150)
@given(
    m=st.sampled_from([1, 2, 5, 20, 60]),
    n=st.sampled_from([1, 2, 10, 60, 130]),
    kind=kinds,
    part=st.floats(-4, 0.1),
    ridge=st.sampled_from([0.0, 0.0, 1e-2, 10.0]),
    intercept=st.booleans(),
    weighted=st.booleans(),
    in_columns=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_gap_is_what_it_claims(
    m, n, kind, part, ridge, intercept, weighted, in_columns, seed
):
    rng = np.random.default_rng(seed)
    A = design(rng, m, n, kind)
    y = rng.standard_normal(m)
    weights = rng.random(m) * (rng.random(m) < 0.8) + 1e-3 if weighted else None
    scale = np.ones(n)
    if weighted:
        scale = rng.uniform(0.5, 2.0, n)
        scale[rng.random(n) < 0.1] = np.inf
    lam = 10.0**part * float(abs(A.T @ y).max()) or 1.0
    controls = {"weights": scale, "intercept": intercept, "sample_weights": weights}
    data = sp.csc_array(A) if in_columns else A
    if ridge:
        result = solve_quietly(solvers.elastic_net, data, y, lam, ridge, **controls)
        positive = False
    else:
        positive = bool(rng.integers(2))
        result = solve_quietly(solvers.lasso, data, y, lam, positive=positive, **controls)
    gap = certify(A, y, result, lam * scale, weights=weights, ridge=ridge, positive=positive)
    null = null_value(y, weights=weights, intercept=intercept) or 1.0
    assert gap / null <= 1e-6 + 1e-9
    assert abs(gap / null - result.certificate) <= 1e-9


@settings(max_examples=60)
@given(
    m=st.sampled_from([2, 5, 20, 60]),
    n=st.sampled_from([1, 2, 10, 60]),
    kind=st.sampled_from(["normal", "repeated", "constant", "sparse"]),
    part=st.floats(-3, 0.1),
    intercept=st.booleans(),
    weighted=st.booleans(),
    in_columns=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_gap_of_the_logistic_loss(m, n, kind, part, intercept, weighted, in_columns, seed):
    rng = np.random.default_rng(seed)
    A = design(rng, m, n, kind)
    y = rng.choice([-1.0, 1.0], m)
    y[:2] = -1.0, 1.0
    weights = rng.uniform(0.1, 2.0, m) if weighted else None
    lam = 10.0**part * float(abs(A.T @ y).max()) / 2 or 1.0
    data = sp.csc_array(A) if in_columns else A
    result = solve_quietly(
        solvers.logistic_l1, data, y, lam, intercept=intercept, sample_weights=weights
    )
    gap = certify(A, y, result, lam, loss="logistic", weights=weights)
    null = null_value(y, loss="logistic", weights=weights, intercept=intercept)
    assert gap / null <= 1e-6 + 1e-9
    assert abs(gap / null - result.certificate) <= 1e-8


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("part", [0.5, 0.05, 1e-4])
def test_optimality_conditions(rng, part, intercept):
    A, y = problem(rng)
    lam = level(A, y, part, intercept)
    result = solve_quietly(solvers.lasso, A, y, lam, intercept=intercept, tol=1e-12)
    r = y - A @ result.x - result.intercept
    slopes = A.T @ r
    assert abs(slopes).max() <= lam * (1 + 1e-6)
    on = result.x != 0
    np.testing.assert_allclose(slopes[on], lam * np.sign(result.x[on]), rtol=1e-6)
    if intercept:
        assert result.intercept == pytest.approx((y - A @ result.x).mean())


def test_agrees_with_fista(rng):
    A, y = problem(rng)
    lam = level(A, y, 0.05, True)
    loss = losses.LeastSquares(A, y, intercept=True)
    slow = so.minimize(loss, penalties.L1(lam), method="fista", tol=1e-9, max_iter=20_000)
    result = solve_quietly(solvers.lasso, A, y, lam, intercept=True, tol=1e-9)
    assert abs(result.fun - slow.fun) <= 1e-8 * loss.value(np.zeros(70))
    np.testing.assert_allclose(result.x, slow.x, atol=1e-3)


# --- peers ---------------------------------------------------------------------------------------


@pytest.mark.extras
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("part", [0.3, 0.02])
def test_lasso_of_scikit_learn(rng, part, positive, intercept):
    linear = require("sklearn.linear_model")
    A, y = problem(rng)
    weights = rng.integers(1, 4, 40).astype(float)
    lam = level(A, y, part)
    result = solve_quietly(
        solvers.lasso, A, y, lam, positive=positive, intercept=intercept,
        sample_weights=weights, tol=1e-13,
    )  # fmt: skip
    peer = linear.Lasso(
        alpha=lam / weights.sum(), fit_intercept=intercept, positive=positive,
        tol=1e-14, max_iter=500_000,
    ).fit(A, y, sample_weight=weights)  # fmt: skip
    np.testing.assert_allclose(A @ result.x + result.intercept, peer.predict(A), atol=1e-6)


@pytest.mark.extras
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("ratio", [0.9, 0.2])
def test_elastic_net_of_scikit_learn(rng, ratio, intercept):
    linear = require("sklearn.linear_model")
    A, y = problem(rng)
    alpha = level(A, y, 0.05) / 40
    result = solve_quietly(
        solvers.elastic_net, A, y, 40 * alpha * ratio, 40 * alpha * (1 - ratio),
        intercept=intercept, tol=1e-13,
    )  # fmt: skip
    peer = linear.ElasticNet(
        alpha=alpha, l1_ratio=ratio, fit_intercept=intercept, tol=1e-14, max_iter=500_000
    ).fit(A, y)
    np.testing.assert_allclose(A @ result.x + result.intercept, peer.predict(A), atol=1e-6)


@pytest.mark.extras
@pytest.mark.parametrize("part", [0.5, 0.05])
def test_logistic_regression_of_scikit_learn(rng, part):
    linear = require("sklearn.linear_model")
    A, y = problem(rng, 80, 30)
    y = np.where(y + rng.standard_normal(80) > 1, 1.0, -1.0)
    lam = level(A, y, part / 2)
    for solver, intercept in (("saga", True), ("liblinear", False)):
        result = solve_quietly(solvers.logistic_l1, A, y, lam, intercept=intercept, tol=1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = linear.LogisticRegression(
                penalty="l1", C=1 / lam, solver=solver, fit_intercept=intercept, tol=1e-12,
                max_iter=20_000, random_state=0,
            ).fit(A, y)  # fmt: skip
        np.testing.assert_allclose(
            A @ result.x + result.intercept, peer.decision_function(A), atol=1e-5
        )


@pytest.mark.extras
@pytest.mark.parametrize("seed", range(30))
def test_cvxpy(seed):
    cp = require("cvxpy")
    rng = np.random.default_rng(seed)
    m, n = rng.integers(3, 25, 2)
    A, y = rng.standard_normal((m, n)), rng.standard_normal(m)
    weights, v = rng.uniform(0.5, 2, n), rng.uniform(0.2, 2, m)
    lam = level(A, y, 10.0 ** rng.uniform(-2, -0.2))
    x, b = cp.Variable(n), cp.Variable()
    intercept = bool(seed % 2)
    z = A @ x + (b if intercept else 0.0)
    if seed % 3 == 2:
        labels = np.where(np.arange(m) % 2, 1.0, -1.0)
        fit = v @ cp.logistic(-cp.multiply(labels, z))
        result = solve_quietly(
            solvers.logistic_l1, A, labels, lam / 2, weights=weights, sample_weights=v,
            intercept=intercept, tol=1e-9,
        )  # fmt: skip
        lam /= 2
    else:
        fit = 0.5 * cp.sum(cp.multiply(v, cp.square(z - y)))
        controls = {"weights": weights, "sample_weights": v, "intercept": intercept, "tol": 1e-9}
        if seed % 3:
            fit += 0.35 * cp.sum_squares(x)
            result = solve_quietly(solvers.elastic_net, A, y, lam, 0.7, **controls)
        else:
            result = solve_quietly(solvers.lasso, A, y, lam, **controls)
    expected = cp.Problem(cp.Minimize(fit + lam * (weights @ cp.abs(x)))).solve("CLARABEL")
    assert result.fun == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.data
@pytest.mark.parametrize("name", ["riboflavin", "leukemia", "basehock"])
@pytest.mark.parametrize("part", [0.1, 0.01])
def test_real_data(name, part):
    A, y = load_regression(name)
    lam = part * float(abs(A.T @ y).max())
    result = solve_quietly(solvers.lasso, A, y, lam)
    gap = certify(A, y, result, lam) / null_value(y)
    assert gap <= 1e-6 + 1e-9
    assert result.nit < 30


@pytest.mark.data
@pytest.mark.parametrize("name", ["leukemia", "basehock"])
def test_real_classes(name):
    A, y = load_regression(name, labels=True)
    lam = 0.05 * float(abs(A.T @ y).max())
    result = solve_quietly(solvers.logistic_l1, A, y, lam, intercept=True)
    gap = certify(A, y, result, lam, loss="logistic")
    assert gap / null_value(y, loss="logistic", intercept=True) <= 1e-6 + 1e-9


# --- degenerate input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("A", "y", "lam", "x"),
    [
        ([[2.0]], [3.0], 1.0, [1.25]),
        ([[2.0]], [-3.0], 1.0, [-1.25]),
        ([[2.0]], [3.0], 6.0, [0.0]),
        ([[1.0, 3.0]], [1.0], 0.3, [0.0, 0.3]),
        ([[1.0], [2.0]], [1.0, 2.0], 1.0, [0.8]),
        ([[0.0, 2.0]], [3.0], 1.0, [0.0, 1.25]),
        ([[0.0]], [3.0], 1.0, [0.0]),
        ([[2.0]], [0.0], 1.0, [0.0]),
    ],
)
@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_by_hand(A, y, lam, x, form):
    result = solve_quietly(solvers.lasso, form(A), y, lam, tol=1e-12)
    np.testing.assert_allclose(result.x, x, atol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_columns_twice(rng, sign):
    A, y = problem(rng, 30, 8)
    lam = level(A, y, 0.05)
    once = solve_quietly(solvers.lasso, A, y, lam, tol=1e-12)
    twice = solve_quietly(solvers.lasso, np.hstack([A, sign * A]), y, lam, tol=1e-12)
    np.testing.assert_allclose(twice.x[:8] + sign * twice.x[8:], once.x, atol=1e-6)


def test_a_support_larger_than_the_rank_is_left_quickly():
    """Random walks as columns: sweeps fill the whole set at first, with five rows."""
    rng = np.random.default_rng(40)
    A = np.cumsum(rng.standard_normal((5, 150)), axis=1)
    y = A[:, :3].sum(1) + 0.1 * rng.standard_normal(5)
    for part in (1e-4, 1e-6):
        result = solve_quietly(solvers.lasso, A, y, level(A, y, part))
        assert np.count_nonzero(result.x) <= 5
        assert result.history["sweeps"][-1] < 2000


def test_an_elastic_net_with_a_small_ridge_and_large_scales():
    """The dual point has to be scaled: the residual itself proves next to nothing."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 80)) * 10.0 ** rng.uniform(-6, 6, 80)
    y = rng.standard_normal(5)
    for part in (1e-2, 1e-4, 1e-6):
        lam = level(A, y, part)
        result = solve_quietly(solvers.elastic_net, A, y, lam, 1e-3)
        assert certify(A, y, result, lam, ridge=1e-3) / null_value(y) <= 1e-6 + 1e-9


def test_constant_columns_and_data(rng):
    A, y = problem(rng, 20, 6)
    A[:, 2] = 3.0
    lam = level(A, y, 0.05, True)
    for form in (np.asarray, sp.csc_array):
        result = solve_quietly(solvers.lasso, form(A), y, lam, intercept=True, tol=1e-10)
        assert result.x[2] == 0
        result = solve_quietly(solvers.lasso, form(A), np.full(20, 4.0), lam, intercept=True)
        assert not result.x.any()
        assert result.intercept == pytest.approx(4.0)
        assert result.nit == 0


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_from_the_largest_level_on_everything_is_zero(rng, form, intercept):
    A, y = problem(rng)
    top = level(A, y, 1.0, intercept)
    for part in (1.0 + 1e-12, 1.5, 1e6):
        result = solve_quietly(solvers.lasso, form(A), y, part * top, intercept=intercept)
        assert not result.x.any()
        assert result.nit == 0
        assert result.certificate <= 1e-9
    assert solvers.lasso(form(A), y, 0.99 * top, intercept=intercept).x.any()


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_level_zero_warns_and_is_least_squares(rng, form):
    A, y = problem(rng, 30, 6)
    with pytest.warns(UserWarning, match="lam = 0"):
        result = solvers.lasso(form(A), y, 0.0, tol=1e-10)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, y)[0], atol=1e-7)
    with pytest.warns(UserWarning, match="lam = 0"):
        result = solvers.lasso(form(A), y, 0.0, intercept=True, tol=1e-10)
    full = np.linalg.lstsq(np.column_stack([A, np.ones(30)]), y)[0]
    np.testing.assert_allclose([*result.x, result.intercept], full, atol=1e-7)


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_weights_of_zero_and_infinity(rng, form):
    A, y = problem(rng, 30, 10)
    weights = np.ones(10)
    weights[8], weights[0] = 0.0, np.inf
    lam = level(A, y, 0.3)
    result = solve_quietly(solvers.lasso, form(A), y, lam, weights=weights, tol=1e-9)
    assert result.x[0] == 0
    slopes = A.T @ (y - A @ result.x)
    assert abs(slopes[8]) <= 1e-6 * lam
    assert (abs(slopes[1:]) <= lam * (1 + 1e-6)).all()


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_a_free_coordinate_without_a_column(rng, form):
    A, y = problem(rng, 30, 10)
    A[:, 4] = 0.0
    weights, x0 = np.ones(10), np.zeros(10)
    weights[4], x0[4] = 0.0, 2.0
    lam = level(A, y, 0.1)
    result = solve_quietly(solvers.lasso, form(A), y, lam, weights=weights, x0=x0)
    expected = solve_quietly(solvers.lasso, form(A), y, lam)
    assert result.fun == pytest.approx(expected.fun, rel=1e-5)


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_sample_weights_of_zero_and_two(rng, form):
    A, y = problem(rng, 30, 50)
    v = rng.integers(0, 3, 30)
    rows = np.repeat(np.arange(30), v)
    lam = level(A, y, 0.05)
    one = solve_quietly(solvers.lasso, form(A), y, lam, sample_weights=v, intercept=True, tol=1e-12)
    other = solve_quietly(solvers.lasso, A[rows], y[rows], lam, intercept=True, tol=1e-12)
    np.testing.assert_allclose(one.x, other.x, atol=1e-6)
    assert one.intercept == pytest.approx(other.intercept, abs=1e-6)
