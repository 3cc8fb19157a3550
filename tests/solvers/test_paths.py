"""Paths over levels: each level like a single solve, certified, and like scikit-learn's."""

import pickle

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sparseopt import ConvergenceWarning, Result, Status, datasets, losses, penalties, solvers


@pytest.fixture(scope="module")
def problem():
    return datasets.ar_regression(60, 150, 0.5, 8, snr=5.0, rng=0)


def gap_of_dual(A, y, lam, value, theta, centred):
    """The duality gap that a dual point proves; it must be feasible."""
    assert np.abs(A.T @ theta).max() <= lam * (1 + 1e-9)
    if centred:
        assert abs(theta.sum()) <= 1e-9 * np.abs(theta).sum() + 1e-300
        y = y - y.mean()
    dual = 0.5 * y @ y - 0.5 * np.sum((y - theta) ** 2)
    return (value - dual) / (0.5 * y @ y)


@pytest.mark.parametrize("kind", ["dense", "C order", "sparse"])
@pytest.mark.parametrize("intercept", [False, True])
def test_every_level_is_certified(problem, kind, intercept):
    A, y, _ = problem
    y = y + 10.0 * intercept
    given = {"dense": A, "C order": np.ascontiguousarray(A), "sparse": sparse.csc_array(A)}[kind]
    duals = []
    path = solvers.lasso_path(
        given, y, n_lams=15, intercept=intercept, callback=lambda fit: duals.append(fit.dual)
    )
    assert path.success and path.status is Status.CONVERGED and len(path) == 15
    centre = y - y.mean() if intercept else y
    np.testing.assert_allclose(path.lams[0], np.abs(A.T @ centre).max())
    np.testing.assert_allclose(path.lams[-1] / path.lams[0], 0.01)
    assert not path.x[:, 0].any()
    for i, lam in enumerate(path.lams):
        b = path.intercepts[i]
        gap = gap_of_dual(A, y, lam, path.fun[i], duals[i], intercept)
        assert gap <= 1e-6
        np.testing.assert_allclose(gap, path.certificate[i], atol=1e-12)
        residual = A @ path.x[:, i] + b - y
        np.testing.assert_allclose(path.loss[i], 0.5 * residual @ residual, rtol=1e-9)
        np.testing.assert_allclose(path.fun[i], path.loss[i] + lam * np.abs(path.x[:, i]).sum())
    np.testing.assert_array_equal(path.support, (path.x != 0).sum(0))


@pytest.mark.parametrize(
    "options",
    [{}, {"positive": True}, {"intercept": True}, {"weighted": True}, {"ridge": 5.0}],
    ids=str,
)
def test_levels_equal_single_solves(problem, options):
    A, y, _ = problem
    options = dict(options)
    if options.pop("weighted", False):
        options["weights"] = np.linspace(0.5, 2.0, A.shape[1])
        options["sample_weights"] = np.linspace(0.2, 3.0, A.shape[0])
    path = solvers.lasso_path(A, y, n_lams=6, tol=1e-10, **options)
    for fit, lam in zip(path, path.lams, strict=True):
        if "ridge" in options:
            single = solvers.elastic_net(A, y, lam, options["ridge"], tol=1e-10)
        else:
            single = solvers.lasso(A, y, lam, tol=1e-10, **options)
        np.testing.assert_allclose(fit.x, single.x, atol=1e-5)
        np.testing.assert_allclose(fit.fun, single.fun, rtol=1e-8)
        np.testing.assert_allclose(fit.intercept, single.intercept, atol=1e-5)


@pytest.mark.extras
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_against_scikit_learn(problem, form):
    linear_model = require("sklearn.linear_model")
    A, y, _ = problem
    path = solvers.lasso_path(sparse.csr_array(A) if form == "sparse" else A, y, n_lams=12)
    alphas, theirs, _ = linear_model.lasso_path(
        A, y, alphas=path.lams / len(y), tol=1e-9, max_iter=100_000
    )
    np.testing.assert_allclose(alphas * len(y), path.lams)
    np.testing.assert_allclose(A @ path.x, A @ theirs, atol=2e-3 * np.linalg.norm(y))


def test_path_of_logistic(problem):
    A, y, _ = problem
    loss = losses.Logistic(A, y > 0, intercept=True)
    path = solvers.path(loss, penalties.L1(1.0), n_lams=5)
    assert path.method == "working-set" and path.freedom is None
    assert path.certificate.max() <= 1e-6
    for fit, lam in zip(path, path.lams, strict=True):
        single = solvers.logistic_l1(A, y > 0, lam, intercept=True, tol=1e-8)
        np.testing.assert_allclose(fit.fun, single.fun, rtol=1e-5)


def test_path_of_function_of_the_level(problem):
    A, y, _ = problem
    loss = losses.LeastSquares(A, y)
    path = solvers.path(loss, lambda lam: penalties.MCP(lam, 5.0), n_lams=8, ratio=0.1)
    np.testing.assert_allclose(path.lams[0], np.abs(A.T @ y).max())
    assert path.method == "working-set" and path.success and path.support[-1] > 0
    for fit, lam in zip(path, path.lams, strict=True):
        away = penalties.MCP(lam, 5.0).subdiff_distance(fit.x, loss.gradient(fit.x))
        assert np.linalg.norm(away) <= 1.1e-6 * np.linalg.norm(A.T @ y)


def test_path_without_working_sets(problem):
    A, y, _ = problem
    loss = losses.LeastSquares(A, y)
    penalty = penalties.Slope(np.linspace(2.0, 1.0, 150))
    path = solvers.path(loss, penalty, n_lams=4, ratio=0.2)
    assert path.method != "working-set" and path.success
    assert not path.x[:, 0].any() and path.support[-1] > 0


def test_path_of_several_columns(problem):
    A, y, _ = problem
    path = solvers.path(losses.LeastSquares(A, np.stack([y, -y], 1)), penalties.L1(1.0), n_lams=3)
    assert path.x.shape == (150, 2, 3) and path.intercepts.shape[-1] == 3
    np.testing.assert_allclose(path.x[:, 0], -path.x[:, 1], atol=1e-3)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000), st.booleans())
def test_small_problems(m, n, seed, intercept):
    rng = np.random.default_rng(seed)
    A = rng.integers(-2, 3, (m, n)).astype(float)
    y = rng.integers(-3, 4, m).astype(float)
    centre = y - y.mean() if intercept else y
    if np.abs(A.T @ centre).max() < 1e-9:
        return
    duals = []
    path = solvers.lasso_path(
        A, y, n_lams=4, intercept=intercept, callback=lambda fit: duals.append(fit.dual)
    )
    for i, lam in enumerate(path.lams):
        miss = A @ path.x[:, i] + path.intercepts[i] - y
        value = 0.5 * miss @ miss + lam * np.abs(path.x[:, i]).sum()
        assert gap_of_dual(A, y, lam, value, duals[i], intercept) <= 1.1e-6


def test_record(problem, tmp_path):
    A, y, _ = problem
    path = solvers.lasso_path(A, y, n_lams=5)
    assert "5 of 5 levels converged" in repr(path) and "shape (150, 5)" in repr(path)
    path.save(tmp_path / "path.npz")
    for again in (Result.load(tmp_path / "path.npz"), pickle.loads(pickle.dumps(path))):
        assert type(again) is solvers.Path
        np.testing.assert_array_equal(again.x, path.x)
        np.testing.assert_array_equal(again.certificate, path.certificate)
        assert again.samples == 60
    assert isinstance(path[-1], solvers.Fit)
    np.testing.assert_array_equal(path[-1].x, path.x[:, 4])
    with pytest.raises(IndexError):
        path[5]
    start = solvers.lasso(A, y, path.lams[2], x0=path[2])
    assert start.nit == 0 and start.success


def test_controls(problem):
    A, y, _ = problem
    before = A.copy(), y.copy()
    seen = []

    def stop(fit):
        seen.append(fit.fun)
        if len(seen) == 3:
            raise StopIteration

    path = solvers.lasso_path(A, y, n_lams=9, callback=stop)
    assert len(path) == 3 and path.status is Status.STOPPED and not path.success
    assert path.message == "3 of 9 levels converged; the callback ended the path"
    assert path[2].success
    np.testing.assert_array_equal(path.fun, seen)
    lams = np.array([3.0, 10.0, 5.0])
    path = solvers.lasso_path(A, y, lams=lams)
    np.testing.assert_array_equal(path.lams, [10.0, 5.0, 3.0])
    np.testing.assert_array_equal(lams, [3.0, 10.0, 5.0])
    np.testing.assert_array_equal(A, before[0])
    np.testing.assert_array_equal(y, before[1])
    tall = solvers.lasso_path(A[:, :20], y, n_lams=3)
    np.testing.assert_allclose(tall.lams[-1] / tall.lams[0], 1e-3)
    with pytest.warns(ConvergenceWarning):
        short = solvers.lasso_path(A, y, lams=[1.0], max_iter=1, tol=1e-14)
    assert not short.success and "1 of them not converged" in short.message


def test_a_level_that_fails_does_not_spoil_the_others(problem):
    A, y, _ = problem
    with pytest.warns(ConvergenceWarning):
        path = solvers.lasso_path(A, y, lams=[1e6, 1.0], max_iter=1, tol=1e-14)
    assert not path.success
    assert path[0].success and path[0].status is Status.CONVERGED
    assert path[0].message.endswith(": converged")
    assert not path[1].success and path[1].status is Status.MAX_ITER
    with pytest.raises(TypeError, match="slice"):
        path[:1]


def test_ctrl_c_keeps_what_was_solved(problem):
    A, y, _ = problem

    class Interrupting(penalties.L1):
        def __init__(self, lam):
            super().__init__(lam)
            if lam < 5.0:
                raise KeyboardInterrupt

    loss = losses.LeastSquares(A, y)
    path = solvers.path(loss, Interrupting, [20.0, 10.0, 2.0])
    assert len(path) == 2 and path.status is Status.INTERRUPTED


def test_float32(problem):
    A, y, _ = problem
    path = solvers.lasso_path(A.astype(np.float32), y.astype(np.float32), n_lams=6)
    assert path.x.dtype == np.float32 and path.certificate.max() <= 1e-4
    np.testing.assert_allclose(path.x, solvers.lasso_path(A, y, lams=path.lams).x, atol=0.02)


def test_degenerate():
    path = solvers.lasso_path(np.ones((1, 1)), [2.0], n_lams=3)
    np.testing.assert_allclose(path.x[0], 2.0 - path.lams, atol=1e-12)
    path = solvers.lasso_path(np.ones((4, 2)), np.zeros(4), lams=[1.0, 0.5])
    assert not path.x.any() and path.success
    with pytest.raises(ValueError, match="zero is a solution at every level"):
        solvers.lasso_path(np.ones((4, 2)), np.zeros(4))


BAD = [
    ({"lams": [0.0, 1.0]}, ValueError, "lams"),
    ({"lams": []}, ValueError, "lams"),
    ({"lams": [[1.0]]}, ValueError, "lams"),
    ({"lams": [np.inf]}, ValueError, "lams"),
    ({"n_lams": 0}, ValueError, "n_lams"),
    ({"n_lams": 2.5}, TypeError, "n_lams"),
    ({"ratio": 1.0}, ValueError, "ratio"),
    ({"ratio": -0.1}, ValueError, "ratio"),
    ({"weights": [-1.0, 1.0]}, ValueError, "weights"),
    ({"weights": [0.0, 1.0]}, ValueError, "coordinate free"),
    ({"ridge": -1.0}, ValueError, "ridge"),
    ({"ridge": 1.0, "positive": True}, ValueError, "ridge"),
    ({"tol": 0.0}, ValueError, "tol"),
]


@pytest.mark.parametrize(("options", "error", "match"), BAD, ids=str)
def test_bad_input(options, error, match):
    with pytest.raises(error, match=match):
        solvers.lasso_path(np.eye(3, 2), [1.0, 2.0, 3.0], **options)


def test_bad_penalties():
    loss = losses.LeastSquares(np.eye(3, 2), [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="penalty must be one of"):
        solvers.path(loss, 3.0)
    with pytest.raises(TypeError, match="alpha_max"):
        solvers.path(loss, penalties.KSparse(1))


class TestLamMax:
    @pytest.mark.parametrize("intercept", [False, True])
    @pytest.mark.parametrize(
        "penalty",
        [
            penalties.L1(1.0),
            penalties.L1(np.linspace(1, 3, 12)),
            penalties.NonnegativeL1(1.0),
            penalties.ElasticNet(1.0, 0.5),
            penalties.GroupL2(1.0, np.arange(12) // 3),
        ],
        ids=lambda p: type(p).__name__,
    )
    def test_is_the_threshold(self, rng, penalty, intercept):
        A = rng.standard_normal((30, 12))
        for loss in (
            losses.LeastSquares(A, rng.standard_normal(30) + 2, intercept=intercept),
            losses.Logistic(A, rng.random(30) < 0.3, intercept=intercept),
        ):
            level = solvers.lam_max(loss, penalty)
            above, below = (
                solvers.path(loss, penalty, [factor * level], tol=1e-9) for factor in (1.0001, 0.97)
            )
            assert np.abs(above.x).max() < 1e-6
            assert np.abs(below.x).max() > 1e-4

    def test_refusals(self):
        loss = losses.LeastSquares(np.eye(2), [1.0, 2.0])
        with pytest.raises(TypeError, match="alpha_max"):
            solvers.lam_max(loss, penalties.KSparse(1))
        with pytest.raises(ValueError, match="coordinate free"):
            solvers.lam_max(loss, penalties.L1([0.0, 1.0]))
        with pytest.raises(ValueError, match="zero"):
            solvers.lam_max(loss, penalties.TV1D(1.0))
        assert solvers.lam_max(loss, penalties.L1([np.inf, 1.0])) == 2.0
