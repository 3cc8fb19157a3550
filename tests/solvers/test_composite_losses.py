"""Composite solvers with losses other than plain least squares."""

import numpy as np
import pytest
from helpers import require

import sparseopt as so
from sparseopt import losses, penalties, solvers

N = 12


def make(kind, rng):
    A = rng.standard_normal((40, N))
    z = A @ np.repeat([1.0, 0.0, -1.0], 4)
    if kind == "logistic":
        return A, losses.Logistic(A, np.sign(z + rng.standard_normal(40)))
    if kind == "logistic, intercept":
        return A, losses.Logistic(A, np.sign(z + 1 + rng.standard_normal(40)), intercept=True)
    if kind == "huber":
        return A, losses.Huber(A, z + rng.standard_t(1, 40), 1.0)
    if kind == "least squares, intercept":
        return A, losses.LeastSquares(A, z + 5 + rng.standard_normal(40), intercept=True)
    return A, losses.Quadratic(A.T @ A, A.T @ z)


KINDS = ["logistic", "logistic, intercept", "huber", "least squares, intercept", "quadratic"]


def smooth(kind, A, loss, cp, x):
    if kind == "quadratic":
        return 0.5 * cp.sum_squares(A @ x) - loss.q @ x
    z = A @ x + (cp.Variable() if "intercept" in kind else 0.0)
    if kind.startswith("logistic"):
        return cp.sum(cp.logistic(-cp.multiply(loss.y, z)))
    if kind == "huber":
        return 0.5 * cp.sum(cp.huber(z - loss.y, loss.delta))
    return 0.5 * cp.sum_squares(z - loss.y)


TERMS = {
    "l1": [penalties.L1(1.0)],
    "l1, tv": [penalties.L1(0.3), (penalties.L1(1.0), np.diff(np.eye(N), axis=0))],
    "box, group": [penalties.Box(-0.5, 1.0), penalties.GroupL2(0.5, np.arange(N) // 3)],
}
METHODS = {
    "l1": [
        "admm",
        "primal_dual",
        "davis_yin",
        "douglas_rachford",
        "sparsa",
        "anderson",
        "proximal_newton",
        "two_metric_projection",
    ],
    "l1, tv": ["admm", "primal_dual"],
    "box, group": ["admm", "primal_dual", "davis_yin"],
}


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("terms", TERMS)
def test_agree_with_cvxpy(kind, terms):
    cp = require("cvxpy")
    A, loss = make(kind, np.random.default_rng(KINDS.index(kind)))
    x = cp.Variable(N)
    cost = smooth(kind, A, loss, cp, x)
    for term in TERMS[terms]:
        h, K = term if isinstance(term, tuple) else (term, np.eye(N))
        cost = cost + h.as_cvxpy(K @ x)
    tight = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
    best = cp.Problem(cp.Minimize(cost)).solve("CLARABEL", **tight)
    problem = TERMS[terms] if len(TERMS[terms]) > 1 else TERMS[terms][0]
    for name in METHODS[terms]:
        result = getattr(solvers, name)(loss, problem, tol=1e-9, max_iter=50_000)
        assert result.success, name
        assert result.fun == pytest.approx(best, rel=1e-6, abs=1e-6), name


def test_multinomial_by_proximal_newton(rng):
    A = rng.standard_normal((60, 6))
    y = np.argmax(A[:, :3] + 0.3 * rng.standard_normal((60, 3)), axis=1)
    loss = losses.Multinomial(A, y)
    best = solvers.proximal_gradient(loss, penalties.L1(1.0), tol=1e-9)
    for hessian in ("exact", "lbfgs"):
        result = solvers.proximal_newton(loss, penalties.L1(1.0), tol=1e-8, hessian=hessian)
        assert result.success
        assert result.fun == pytest.approx(best.fun, rel=1e-7)


def test_debias_with_an_intercept_is_ordinary_regression(rng):
    A = rng.standard_normal((30, 8))
    y = 3.0 + A[:, 0] - A[:, 1] + 0.1 * rng.standard_normal(30)
    w = rng.uniform(0.5, 2, 30)
    loss = losses.LeastSquares(A, y, sample_weights=w, intercept=True)
    result = so.minimize(loss, penalties.L1(5.0), debias=True)
    on = result.support
    assert 0 < on.sum() < 8
    root = np.sqrt(w)
    full = np.c_[np.ones(30), A[:, on]] * root[:, None]
    np.testing.assert_allclose(result.x[on], np.linalg.lstsq(full, root * y)[0][1:], atol=1e-9)
    assert result.refit_residual < 1e-9


CHECKED = {
    "admm": {},
    "douglas_rachford": {},
    "davis_yin": {"line_search": True},
    "sparsa": {},
    "anderson": {},
    "proximal_newton": {},
    "two_metric_projection": {},
}


@pytest.mark.parametrize(("name", "options"), CHECKED.items())
def test_a_loss_whose_curvature_has_no_bound(rng, name, options):
    """Poisson counts: the methods that check their steps, or need none."""
    A = 0.3 * rng.standard_normal((30, 6))
    loss = losses.Poisson(A, rng.poisson(np.exp(A @ np.ones(6))))
    best = solvers.proximal_gradient(loss, penalties.L1(0.5), tol=1e-9)
    result = getattr(solvers, name)(loss, penalties.L1(0.5), tol=1e-7, **options)
    assert result.success
    assert result.fun == pytest.approx(best.fun, rel=1e-6)
