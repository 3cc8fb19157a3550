"""Proximal Newton, two-metric projection, SpaRSA, Anderson, momentum rules, and refitting."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import require
from scipy.sparse.linalg import aslinearoperator

import sparseopt as so
from sparseopt import penalties, solvers
from sparseopt.losses import Huber, LeastSquares
from sparseopt.solvers._anderson import _weights
from sparseopt.solvers._proximal_newton import _LBFGS


class Softplus:
    """A logistic loss with a Hessian, and a conjugate."""

    def __init__(self, A, y):
        self.A, self.y = A, y
        self.shape, self.dtype = (A.shape[1],), A.dtype

    def predict(self, x):
        return self.A @ x

    def pull_back(self, u):
        return self.A.T @ u

    def value_at(self, z):
        return np.sum(np.logaddexp(0, -self.y * z))

    def gradient_at(self, z):
        return -self.y / (1 + np.exp(self.y * z))

    def hessian_at(self, z, v):
        p = 1 / (1 + np.exp(-z))
        return p * (1 - p) * v

    def bregman(self, z_new, z):
        d = -self.y * (z_new - z)
        p = 1 / (1 + np.exp(self.y * z))
        return np.sum(np.log1p(p * np.expm1(d)) - p * d)

    def lipschitz(self):
        return np.linalg.norm(self.A, 2) ** 2 / 4

    def conjugate(self, u):
        p = np.clip(-u * self.y, 1e-300, 1)
        return np.sum(p * np.log(p) + (1 - p) * np.log(np.maximum(1 - p, 1e-300)))


def logistic(rng, m=60, n=30):
    A = rng.standard_normal((m, n)) * np.geomspace(1, 0.05, n)
    return Softplus(A, np.sign(A[:, 0] - A[:, 3] + 0.3 * rng.standard_normal(m)))


@pytest.mark.parametrize("hessian", ["exact", "lbfgs"])
@pytest.mark.parametrize(
    "penalty",
    [
        penalties.L1(0.5),
        penalties.ElasticNet(0.5, 0.1),
        penalties.GroupL2(0.5, np.arange(30) // 3),
        penalties.Box(-0.3, 0.4),
        penalties.Simplex(2.0),
    ],
    ids=lambda p: type(p).__name__,
)
def test_proximal_newton_on_a_logistic_loss(rng, hessian, penalty):
    loss = logistic(rng)
    best = solvers.proximal_gradient(loss, penalty, tol=1e-10)
    result = solvers.proximal_newton(loss, penalty, hessian=hessian, tol=1e-9)
    assert result.success
    assert result.fun == pytest.approx(best.fun, abs=2e-9 * 60 * np.log(2))
    assert result.nit < best.nit / (3 if hessian == "exact" else 1)
    fun = result.history["fun"]
    assert np.all(np.diff(fun) <= 1e-12 * fun[:-1])


def test_proximal_newton_ends_fast_and_counts_inner_iterations(rng):
    """Superlinear: a dozen outer iterations, the last of them exact ones."""
    result = solvers.proximal_newton(logistic(rng), penalties.L1(0.5), tol=1e-12)
    assert result.nit <= 15
    assert np.all(result.history["inner"][1:] >= 1)
    assert result.history["length"][-1] == 1.0


def test_the_lbfgs_matrix_is_that_of_the_recursion(rng):
    """The compact form against the textbook update, pair by pair."""
    Q = rng.standard_normal((6, 6))
    Q = Q @ Q.T + np.eye(6)
    pairs = tuple((s, Q @ s) for s in rng.standard_normal((4, 6)))
    s, y = pairs[-1]
    B = (y @ y) / (s @ y) * np.eye(6)
    for s, y in pairs:
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    compact = _LBFGS(pairs, 1.0)
    np.testing.assert_allclose(
        np.stack([compact(e) for e in np.eye(6)], axis=1), B, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(
    "penalty",
    [
        penalties.L1(0.7),
        penalties.L1(np.linspace(0.1, 2, 30)),
        penalties.L1(np.r_[np.inf, np.full(29, 0.5)]),
        penalties.NonnegativeL1(0.3),
        penalties.Box(0.0, np.inf),
        penalties.Box(-0.1, np.linspace(0, 1, 30)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["least squares", "operator", "logistic"])
def test_two_metric_projection(rng, penalty, kind):
    loss = logistic(rng)
    if kind != "logistic":
        A = loss.A if kind == "least squares" else aslinearoperator(loss.A)
        loss = LeastSquares(A, loss.y)
    best = solvers.proximal_gradient(loss, penalty, tol=1e-11, max_iter=100_000)
    for x0 in (None, rng.standard_normal(30)):
        result = solvers.two_metric_projection(loss, penalty, x0=x0, tol=1e-8)
        assert result.success
        assert result.nit <= 100
        assert result.fun == pytest.approx(best.fun, abs=1e-8 * abs(best.fun) + 1e-8)
        fun = result.history["fun"][np.isfinite(result.history["fun"])]
        assert np.all(np.diff(fun) <= 1e-12 * fun[:-1])


def test_two_metric_projection_ends_exactly_on_quadratics(rng):
    """Once the free set is right one step solves the equations: the optimality is that of solve."""
    A = rng.standard_normal((40, 20))
    y = A @ np.where(np.arange(20) < 6, 1.0, 0) + 0.1 * rng.standard_normal(40)
    lam = 2.0
    result = solvers.two_metric_projection(LeastSquares(A, y), penalties.L1(lam), tol=1e-13)
    x = result.x
    on = x != 0
    exact = np.linalg.solve(A[:, on].T @ A[:, on], A[:, on].T @ y - lam * np.sign(x[on]))
    np.testing.assert_allclose(x[on], exact, atol=1e-11)
    assert result.nit <= 25


@pytest.mark.parametrize("name", ["sparsa", "anderson"])
@pytest.mark.parametrize(
    "penalty",
    [penalties.L0(0.3), penalties.MCP(0.5, 3.0), penalties.KSparse(3), penalties.Lq(0.4, 0.5)],
    ids=lambda p: type(p).__name__,
)
def test_penalties_that_are_not_convex(rng, name, penalty):
    A, y = rng.standard_normal((9, 12)), rng.standard_normal(9)
    result = getattr(solvers, name)(LeastSquares(A, y), penalty, tol=1e-7)
    assert result.success
    assert "fixed-point residual" in result.message
    x, step = result.x, 1.0 / LeastSquares(A, y).lipschitz()
    near = penalty.prox(x - step * (A.T @ (A @ x - y)), step)
    assert np.linalg.norm(x - near) / step <= 2e-7 * np.linalg.norm(A.T @ y)
    assert result.fun <= 0.5 * y @ y
    if name == "anderson":
        fun = result.history["fun"]
        assert np.all(np.diff(fun) <= 1e-12)


def test_sparsa_steps_are_those_of_barzilai_and_borwein(rng):
    """Where no step is refused, against the recursion written out."""
    A, y = rng.standard_normal((12, 6)), rng.standard_normal(12)
    seen = []
    solvers.sparsa(
        LeastSquares(A, y),
        penalties.L1(0.2),
        tol=1e-12,
        memory=1000,
        callback=lambda s: seen.append(s.variables),
    )
    for old, new in itertools.pairwise(seen):
        s = new.x - old.x
        if np.linalg.norm(s) > 1e-6:
            bend = np.sum((A @ s) ** 2) / (s @ s)
            assert new.curvature == pytest.approx(bend, rel=1e-6)
        ratio = new.used / old.curvature
        assert ratio == pytest.approx(2.0 ** round(np.log2(ratio)))
        v = old.x - old.gradient / new.used
        np.testing.assert_allclose(
            new.x, np.sign(v) * np.maximum(np.abs(v) - 0.2 / new.used, 0), atol=1e-12
        )


def test_sparsa_with_memory_one_is_monotone(rng):
    A, y = rng.standard_normal((20, 40)), rng.standard_normal(20)
    result = solvers.sparsa(LeastSquares(A, y), penalties.L1(0.2), memory=1)
    assert result.success
    assert np.all(np.diff(result.history["fun"]) <= 1e-12)


def test_anderson_weights_minimise_the_norm(rng):
    moves = [rng.standard_normal(8) for _ in range(4)]
    c = _weights(moves, 1e-16)
    assert c.sum() == pytest.approx(1.0)
    M = np.stack(moves, axis=1)
    gram = M.T @ M
    exact = np.linalg.solve(gram, np.ones(4))
    np.testing.assert_allclose(c, exact / exact.sum(), atol=1e-10)


def test_anderson_is_faster_than_the_plain_method(rng):
    A = rng.standard_normal((60, 30)) * np.geomspace(1, 0.05, 30)
    loss = LeastSquares(A, A @ rng.standard_normal(30))
    plain = solvers.proximal_gradient(loss, penalties.L1(1e-3), accelerated=False, max_iter=10**5)
    fast = solvers.anderson(loss, penalties.L1(1e-3))
    assert fast.nit * 5 < plain.nit
    assert fast.history["extrapolated"].max() == 1


RULES = {
    "a = 4": {"momentum": 4.0},
    "a = 3, never restarted": {"momentum": 3.0, "restart": None},
    "strongly convex": {"strong_convexity": 1.0},
    "strongly convex, never restarted": {"strong_convexity": 1.0, "restart": None},
    "monotone": {"monotone": True},
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_momentum_rules(rng, name, batch):
    A, y = rng.standard_normal((30, 10)), rng.standard_normal((30, *batch))
    loss = LeastSquares(A, y)
    best = solvers.proximal_gradient(loss, penalties.L1(0.5), tol=1e-12)
    result = solvers.proximal_gradient(loss, penalties.L1(0.5), tol=1e-9, **RULES[name])
    assert result.success
    assert result.fun == pytest.approx(best.fun, rel=1e-8)


def test_the_momentum_rules_are_their_formulas(rng):
    A, y = rng.standard_normal((12, 10)), rng.standard_normal(12)
    step, lam, mu = 0.9 / np.linalg.norm(A, 2) ** 2, 0.01, 0.05
    root = np.sqrt(mu * step)
    betas = {
        "momentum": lambda k: (k / 4.0) / (1.0 + (k + 1) / 4.0),
        "strong_convexity": lambda k: (1 - root) / (1 + root) if k else 0.0,
    }
    for name, value in (("momentum", 4.0), ("strong_convexity", mu)):
        seen = []
        with pytest.warns(so.ConvergenceWarning):
            solvers.proximal_gradient(
                LeastSquares(A, y),
                penalties.L1(lam),
                step=step,
                restart=None,
                max_iter=15,
                tol=1e-300,
                callback=lambda s, seen=seen: seen.append(s.current),
                **{name: value},
            )
        x = before = np.zeros(10)
        for k in range(15):
            z = x + betas[name](k) * (x - before)
            v = z - step * (A.T @ (A @ z - y))
            before, x = x, np.sign(v) * np.maximum(np.abs(v) - step * lam, 0)
            np.testing.assert_allclose(seen[k], x, atol=1e-12)


def test_a_known_modulus_pays(rng):
    """Constant momentum against the textbook rule without restarts, on a strongly convex loss."""
    A = np.linalg.qr(rng.standard_normal((40, 40)))[0] * np.geomspace(1, 0.05, 40)
    loss, options = LeastSquares(A, rng.standard_normal(40)), {"restart": None, "tol": 1e-9}
    plain = solvers.proximal_gradient(loss, penalties.L1(1e-3), **options)
    known = solvers.proximal_gradient(loss, penalties.L1(1e-3), strong_convexity=0.0025, **options)
    assert known.nit < plain.nit


SHIFTED = {
    "translate": lambda n: penalties.Translate(penalties.L1(3.0), 0.1 * np.ones(n)),
    "tilt": lambda n: penalties.Tilt(penalties.L1(3.0), 0.5),
    "huber": lambda n: penalties.Huber(3.0, 0.1),
}


@pytest.mark.extras
@pytest.mark.parametrize("name", SHIFTED)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_dual_point_outside_the_domain_is_scaled_into_it(rng, name, batch):
    """Penalties whose conjugate is infinite off a set, and which are no gauges."""
    cp = require("cvxpy")
    A = rng.standard_normal((30, 60))
    y = A @ np.where(np.arange(60) < 5, 2.0, 0) + 0.1 * rng.standard_normal(30)
    Y = y if not batch else np.stack([y, 2 * y[::-1]], axis=1)
    g = SHIFTED[name](60)
    plain = solvers.proximal_gradient(LeastSquares(A, Y), penalties.L1(3.0))
    result = solvers.proximal_gradient(LeastSquares(A, Y), g)
    assert result.success
    assert "gap" in result.message
    assert result.nit <= 2.0 * plain.nit + 20
    best = 0.0
    for column in Y.T if batch else [Y]:
        x = cp.Variable(60)
        cost = 0.5 * cp.sum_squares(A @ x - column) + g.as_cvxpy(x)
        best += cp.Problem(cp.Minimize(cost)).solve("CLARABEL", tol_gap_rel=1e-10)
    assert result.fun == pytest.approx(best, abs=2e-6 * 0.5 * np.sum(Y**2))
    gaps = result.history["certificate"]
    if not batch:
        scale = 0.5 * y @ y + g.value(np.zeros(60))
        assert np.all(gaps[1:] * scale >= result.history["fun"][1:] - best - 1e-7 * scale)


@pytest.mark.parametrize(
    "penalty", [penalties.Box(0, np.inf), penalties.SecondOrderCone()], ids=["box", "cone"]
)
def test_a_cone_is_certified_by_the_residual(rng, penalty):
    """Its conjugate is infinite beside every dual vector that is only nearly feasible."""
    loss = LeastSquares(rng.standard_normal((20, 8)), rng.standard_normal(20))
    result = solvers.proximal_gradient(loss, penalty)
    assert result.success
    assert "fixed-point residual" in result.message


def test_the_gradient_at_zero_is_formed_once(rng):
    calls = []

    class Counted(LeastSquares):
        def pull_back(self, u):
            calls.append(1)
            return super().pull_back(u)

    loss = Counted(rng.standard_normal((6, 4)), rng.standard_normal(6))
    with pytest.warns(so.ConvergenceWarning):
        solvers.proximal_gradient(loss, penalties.L0(0.1), max_iter=0)
    assert len(calls) == 1


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, aslinearoperator])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_debias_is_least_squares_on_the_support(rng, form, weighted, batch):
    A = rng.standard_normal((30, 12))
    y = rng.standard_normal((30, *batch))
    w = rng.uniform(0.1, 2, 30) if weighted else None
    loss = LeastSquares(form(A), y, sample_weights=w)
    result = so.minimize(loss, penalties.L1(4.0), debias=True)
    plain = so.minimize(loss, penalties.L1(4.0))
    assert isinstance(result, solvers.DebiasedResult)
    np.testing.assert_array_equal(result.penalized_x, plain.x)
    np.testing.assert_array_equal(result.support, plain.x != 0)
    root = np.ones(30) if w is None else np.sqrt(w)
    for j in range(2 if batch else 1):
        x, target = (result.x[:, j], y[:, j]) if batch else (result.x, y)
        on = result.support[:, j] if batch else result.support
        assert not x[~on].any()
        exact = np.linalg.lstsq(root[:, None] * A[:, on], root * target, rcond=None)[0]
        np.testing.assert_allclose(x[on], exact, atol=1e-8)
    assert result.refit_residual <= 1e-9
    assert result.fun == pytest.approx(np.sum(loss.value(result.x)))
    assert "refitted without the penalty on a support of" in result.message


def test_debias_of_another_loss(rng):
    loss = logistic(rng)
    loss.y[:5] *= -1  # not separable on the support
    result = so.minimize(loss, penalties.L1(1.0), debias=True)
    assert result.refit_residual <= 1e-6
    assert result.fun < loss.value_at(loss.A @ result.penalized_x)
    np.testing.assert_array_equal(result.x != 0, result.support)


def test_debias_of_nothing_and_of_a_complex_problem(rng):
    A = rng.standard_normal((10, 4)) + 1j * rng.standard_normal((10, 4))
    y = A @ np.array([1, 1j, 0, 0])
    empty = so.minimize(LeastSquares(A, y), penalties.L1(1e3), debias=True)
    assert not empty.x.any()
    full = so.minimize(LeastSquares(A, y), penalties.L1(1.0), debias=True)
    assert full.x.dtype == np.complex128
    np.testing.assert_allclose(A @ full.x, y, atol=1e-10)
    with pytest.raises(ValueError, match=r"result\.x"):
        solvers.debias(LeastSquares(A[:, :3], y), full)


def test_a_debiased_result_is_saved_and_passed_on(rng, tmp_path):
    loss = LeastSquares(rng.standard_normal((10, 5)), rng.standard_normal(10))
    result = so.minimize(loss, penalties.L1(0.5), debias=True)
    result.save(tmp_path / "r.npz")
    copy = so.Result.load(tmp_path / "r.npz")
    assert isinstance(copy, solvers.DebiasedResult)
    np.testing.assert_array_equal(copy.support, result.support)
    assert so.minimize(loss, penalties.L1(0.5), x0=copy).success


def test_single_precision(rng):
    A, y = rng.standard_normal((20, 10)).astype("f"), rng.standard_normal(20).astype("f")
    names = ["sparsa", "anderson", "proximal_newton", "two_metric_projection"]
    best = solvers.proximal_gradient(LeastSquares(A.astype(float), y), penalties.L1(0.5), tol=1e-9)
    for name in names:
        result = getattr(solvers, name)(LeastSquares(A, y), penalties.L1(0.5))
        assert result.x.dtype == np.float32
        assert result.success
        assert result.fun == pytest.approx(best.fun, rel=1e-3)


@pytest.mark.parametrize("delta", [0.1, 1.0])
def test_two_metric_projection_of_a_loss_without_curvature(delta):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((30, 8)), 10 * rng.standard_normal(30)
    loss, penalty = Huber(A, y, delta), penalties.L1(0.5 * delta)
    result = solvers.two_metric_projection(loss, penalty)
    assert result.success
    assert result.fun == pytest.approx(so.minimize(loss, penalty, tol=1e-9).fun, rel=1e-6)


def test_two_metric_projection_on_columns_of_very_different_scale():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((30, 8)), rng.standard_normal(30)
    best = 0.5 * np.sum((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2)
    loss = LeastSquares(A * np.logspace(-6, 6, 8), y)
    result = solvers.two_metric_projection(loss, penalties.Box(-1e9, 1e9), tol=1e-2)
    assert result.fun == pytest.approx(best, rel=1e-9)
