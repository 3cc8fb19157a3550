"""Minimisers with every loss against cvxpy and the conditions of optimality."""

import numpy as np
import pytest
from helpers import require
from loss_cases import DELTA, LINEAR, K, data, entries, make

import sparseopt as so
from sparseopt.losses import Quadratic


def _atoms(cp, name, z, y):
    if name == "LeastSquares":
        return 0.5 * cp.sum_squares(z - y)
    if name == "Huber":
        return 0.5 * cp.sum(cp.huber(z - y, DELTA))
    if name == "Logistic":
        return cp.sum(cp.logistic(-cp.multiply(y, z)))
    if name == "SquaredHinge":
        return 0.5 * cp.sum_squares(cp.pos(1 - cp.multiply(y, z)))
    if name == "Poisson":
        return cp.sum(cp.exp(z) - cp.multiply(y, z))
    return cp.sum(cp.log_sum_exp(z, axis=1)) - cp.sum(cp.multiply(np.eye(K)[y], z))


@pytest.mark.extras
@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("intercept", [False, True])
def test_minimize_with_l1_agrees_with_cvxpy(rng, name, intercept):
    cp = require("cvxpy")
    A, y = rng.standard_normal((20, 8)), data(name, rng, (20,))
    f = make(name, A, y, intercept=intercept)
    lam = 0.1 * float(abs(f.gradient(np.zeros(f.shape))).max())
    result = so.minimize(f, so.penalties.L1(lam), tol=1e-9, max_iter=100_000)
    assert result.certificate <= 1e-9
    x = cp.Variable(f.shape)
    z = A @ x
    if intercept:
        b = cp.Variable((1, K)) if name == "Multinomial" else cp.Variable()
        z = z + (np.ones((20, 1)) @ b if name == "Multinomial" else b)
    problem = cp.Problem(cp.Minimize(_atoms(cp, name, z, y) + lam * cp.sum(cp.abs(x))))
    problem.solve(solver="CLARABEL")
    assert result.fun == pytest.approx(problem.value, rel=1e-6)
    np.testing.assert_allclose(result.x, x.value, atol=1e-3)
    null = f.value(np.zeros(f.shape))
    if intercept:
        b = f.intercept_at(np.zeros((20, *f.shape[1:])))
        constant = np.zeros((20, *f.shape[1:])) + b
        assert np.sum(null) == pytest.approx(np.sum(entries(name, constant, y)))


def test_box_quadratic_is_a_support_vector_machine(rng):
    """The dual of a linear machine without bias: conditions of Karush, Kuhn and Tucker hold."""
    X, y = rng.standard_normal((30, 4)), np.where(rng.random(30) < 0.5, -1.0, 1.0)
    f = Quadratic((y[:, None] * y) * (X @ X.T), np.ones(30))
    result = so.minimize(f, so.penalties.Box(0.0, 1.0), tol=1e-9, max_iter=100_000)
    margin = y * (X @ (X.T @ (y * result.x)))
    assert np.all(margin[result.x < 1e-9] >= 1 - 1e-5)
    assert np.all(margin[result.x > 1 - 1e-9] <= 1 + 1e-5)
    inside = (result.x > 1e-6) & (result.x < 1 - 1e-6)
    np.testing.assert_allclose(margin[inside], 1.0, atol=1e-5)
