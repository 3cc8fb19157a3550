"""The factor that follows a support, and the exact step with it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseopt.solvers._active_set import (
    dot,
    factor_support,
    follow_support,
    newton_on_support,
)


def gram(rng, rows, size):
    X = rng.standard_normal((rows, size))
    return X.T @ X


def assert_is_factor(R, H, order, k):
    upper = np.triu(R[:k, :k])
    block = H[np.ix_(order[:k], order[:k])]
    np.testing.assert_allclose(upper.T @ upper, block, atol=1e-10 * abs(H).max())
    assert (np.diag(upper) > 0).all()


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_inner_product(size, seed):
    a, b = np.random.default_rng(seed).standard_normal((2, size))
    assert dot(a, b) == pytest.approx(float(a @ b), abs=1e-12)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_updates_equal_a_fresh_factor(size, changes, seed):
    rng = np.random.default_rng(seed)
    H = gram(rng, size + 10, size)
    R, order, k = np.full((size, size), np.nan), np.zeros(size, np.int64), 0
    for _ in range(changes):
        x = rng.standard_normal(size) * (rng.random(size) < 0.5)
        k = follow_support(R, H, order, k, x)
        assert sorted(order[:k]) == np.flatnonzero(x).tolist()
        assert_is_factor(R, H, order, k)
    fresh = np.empty((size, size))
    assert factor_support(fresh, H, order, x) == k
    assert_is_factor(fresh, H, order, k)


def test_dependent_columns(rng):
    """Updates leave a column out that the others span; a fresh factor takes it, with a ridge."""
    X = rng.standard_normal((20, 3))
    X = np.column_stack([X, X[:, 0], np.zeros(20)])
    H = X.T @ X
    R, order = np.empty((5, 5)), np.empty(5, np.int64)
    assert follow_support(R, H, order, 0, np.ones(5)) == 3
    assert order[:3].tolist() == [0, 1, 2]
    assert factor_support(R, H, order, np.ones(5)) == 5
    upper = np.triu(R)
    np.testing.assert_allclose(upper.T @ upper - H, np.zeros((5, 5)), atol=1.1)
    np.testing.assert_allclose((upper.T @ upper - H)[:4, :4], 0, atol=1e-6)
    assert factor_support(np.empty((2, 2)), H, order, np.ones(5)) == -1


def step(H, q, x, lam, drops=100):
    x = x.copy()
    g = H @ x - q
    R, order = np.empty(H.shape), np.empty(x.size, np.int64)
    k = factor_support(R, H, order, x)
    k, solves = newton_on_support(H, g, x, lam, R, order, k, drops)
    np.testing.assert_allclose(g, H @ x - q, atol=1e-9 * (1 + abs(q).max()))
    assert sorted(order[:k]) == np.flatnonzero(x).tolist()
    assert_is_factor(R, H, order, k)
    return x, solves


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_step_ends_at_the_minimiser_of_its_signs_and_never_rises(size, seed):
    rng = np.random.default_rng(seed)
    H, q = gram(rng, size + 3, size), 3 * rng.standard_normal(size)
    lam, start = rng.uniform(0.1, 2, size), rng.standard_normal(size)
    x, solves = step(H, q, start, lam)

    def objective(x):
        return 0.5 * x @ H @ x - q @ x + lam @ abs(x)

    assert objective(x) <= objective(start) + 1e-10
    assert 1 <= solves <= size
    support = np.flatnonzero(x)
    assert (np.sign(x[support]) == np.sign(start[support])).all()
    slope = H[support] @ x - q[support] + lam[support] * np.sign(x[support])
    np.testing.assert_allclose(slope, 0, atol=1e-9 * (1 + abs(q).max()))


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_from_the_right_signs_one_solve_is_the_lasso(size, seed):
    """The minimiser by brute force over all sign patterns; its signs give it back."""
    rng = np.random.default_rng(seed)
    H, q = gram(rng, size + 3, size), 3 * rng.standard_normal(size)
    lam = rng.uniform(0.1, 2, size)
    best, lowest = np.zeros(size), 0.0
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=size):
        s = np.array(signs)
        inside = s != 0
        x = np.zeros(size)
        x[inside] = np.linalg.solve(H[np.ix_(inside, inside)], (q - lam * s)[inside])
        value = 0.5 * x @ H @ x - q @ x + lam @ abs(x)
        if value < lowest:
            best, lowest = x, value
    x, solves = step(H, q, np.sign(best) * rng.uniform(0.5, 2, size), lam)
    np.testing.assert_allclose(x, best, atol=1e-8)
    assert solves == int(best.any())


def test_the_budget_of_drops(rng):
    H, start = np.eye(6), np.arange(1.0, 7.0)
    x, solves = step(H, np.full(6, -10.0), start, np.ones(6), drops=2)
    assert solves == 3
    assert np.flatnonzero(x).size == 3
    x, solves = step(H, np.full(6, -10.0), start, np.ones(6))
    assert not x.any()
