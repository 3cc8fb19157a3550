"""ISTA and FISTA: against cvxpy and scikit-learn, the certificate, and every awkward input."""

import threading
import warnings
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import require
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import sparseopt as so
from sparseopt import linop, penalties
from sparseopt.losses import LeastSquares
from sparseopt.solvers import proximal_gradient

GROUPS = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3]


@dataclass
class Task:
    """A random problem, as dense arrays and as our objects."""

    A: np.ndarray
    y: np.ndarray
    penalty: object
    weights: np.ndarray | None
    loss: LeastSquares = field(init=False)
    form: str = "dense"

    def __post_init__(self):
        forms = {
            "dense": np.asarray,
            "fortran": np.asfortranarray,
            "sparse": sp.csr_array,
            "csc": sp.csc_array,
            "operator": aslinearoperator,
        }
        self.loss = LeastSquares(forms[self.form](self.A), self.y, sample_weights=self.weights)

    def objective(self, x):
        """Straight from the definition."""
        w = 1.0 if self.weights is None else self.weights
        return 0.5 * np.sum(w * np.abs(self.A @ x - self.y) ** 2) + self.penalty.value(x)

    @property
    def scale(self):
        """P(0), or f(0) if zero is not allowed."""
        zero = np.zeros(self.A.shape[1])
        value = self.objective(zero)
        return value if np.isfinite(value) else value_of_loss(self, zero)


def value_of_loss(task, x):
    w = 1.0 if task.weights is None else task.weights
    return 0.5 * np.sum(w * (task.A @ x - task.y) ** 2)


def task(seed, kind, form, weighted):
    rng = np.random.default_rng(seed)
    m, n = [(15, 10), (8, 20), (30, 30)][seed % 3]
    A = rng.standard_normal((m, n)) * (rng.random((m, n)) < (0.5 if "s" in form else 1.0))
    truth = np.where(rng.random(n) < 0.3, rng.standard_normal(n), 0)
    y = A @ truth + 0.1 * rng.standard_normal(m)
    weights = rng.random(m) * (rng.random(m) < 0.8) if weighted else None
    w = 1.0 if weights is None else weights
    lam = rng.uniform(0.02, 0.5) * np.abs(A.T @ (w * y)).max()
    labels = np.resize(GROUPS, n)
    penalty = {
        "lasso": lambda: penalties.L1(lam),
        "weighted lasso": lambda: penalties.L1(lam * rng.uniform(0.2, 2, n)),
        "elastic net": lambda: penalties.ElasticNet(lam, 0.3 * lam),
        "group lasso": lambda: penalties.GroupL2(lam, np.sort(labels), "sqrt"),
        "simplex": lambda: penalties.Simplex(rng.uniform(0.5, 3)),
    }[kind]()
    return Task(A, y, penalty, weights, form=form)


KINDS = ["lasso", "weighted lasso", "elastic net", "group lasso", "simplex"]
FORMS = ["dense", "sparse", "operator"]
THIRTY = [
    pytest.param(10 * i + j, kind, form, (i + j) % 2 == 1, id=f"{kind}-{form}-{j}")
    for i, kind in enumerate(KINDS)
    for j, form in enumerate(FORMS * 2)
]


@cache
def optimum(seed, kind, form, weighted):
    """The optimal objective by cvxpy."""
    cp = require("cvxpy")
    t = task(seed, kind, form, weighted)
    x = cp.Variable(t.A.shape[1])
    root = np.ones(t.A.shape[0]) if t.weights is None else np.sqrt(t.weights)
    smooth = 0.5 * cp.sum_squares(cp.multiply(root, t.A @ x - t.y))
    p = t.penalty
    constraints = []
    if kind == "simplex":
        penalty, constraints = 0, [x >= 0, cp.sum(x) == p.radius]
    elif kind == "group lasso":
        labels = p.groups.labels
        penalty = sum(
            p.lam * np.sqrt(np.sum(labels == g)) * cp.norm(x[np.flatnonzero(labels == g)])
            for g in np.unique(labels)
        )
    else:
        penalty = cp.sum(cp.multiply(np.broadcast_to(p.lam, x.shape), cp.abs(x)))
        if kind == "elastic net":
            penalty = penalty + 0.5 * p.mu * cp.sum_squares(x)
    problem = cp.Problem(cp.Minimize(smooth + penalty), constraints)
    solver = {"solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
    return problem.solve(**solver)


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # the peer's, by less than 1e-8
@pytest.mark.parametrize(("seed", "kind", "form", "weighted"), THIRTY)
@pytest.mark.parametrize("accelerated", [True, False], ids=["fista", "ista"])
def test_agrees_with_cvxpy_and_the_gap_is_a_bound(seed, kind, form, weighted, accelerated):
    best = optimum(seed, kind, form, weighted)
    t = task(seed, kind, form, weighted)
    options = {"accelerated": accelerated, "max_iter": 50_000}
    result = proximal_gradient(t.loss, t.penalty, tol=1e-9, **options)
    assert result.success
    assert result.certificate <= 1e-9
    assert result.fun == pytest.approx(t.objective(result.x), rel=1e-12)
    assert result.fun == pytest.approx(best, rel=1e-6)
    gaps = result.history["certificate"][1:]
    true = (result.history["fun"][1:] - best) / t.scale
    assert np.all(gaps >= true - 1e-9)
    assert np.all(np.diff(gaps) <= 0)
    for tol in (1e-2, 1e-3, 1e-4):
        loose = proximal_gradient(t.loss, t.penalty, tol=tol, **options)
        assert loose.certificate <= tol
        assert loose.certificate * t.scale >= t.objective(loose.x) - best - 1e-9 * t.scale
        assert loose.nit <= result.nit


@pytest.mark.parametrize(("seed", "kind", "form", "weighted"), THIRTY[::4])
def test_the_dual_point_gives_the_gap(seed, kind, form, weighted):
    """The certificate, computed again from ``x`` and ``dual`` alone."""
    t = task(seed, kind, form, weighted)
    result = proximal_gradient(t.loss, t.penalty, tol=1e-3)
    u = -result.dual
    dual = -t.loss.conjugate(u) - (
        t.penalty.conjugate((1 - 1e-15) * (t.A.T @ -u)) if kind in ("simplex", "elastic net") else 0
    )
    if kind not in ("simplex", "elastic net"):
        assert t.penalty.dual_norm(t.A.T @ u) <= 1 + 1e-12
    gap = (t.objective(result.x) - dual) / t.scale
    assert result.certificate == pytest.approx(gap, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", FORMS)
def test_lasso_optimality_conditions(seed, form):
    t = task(seed, "weighted lasso", form, seed % 2 == 1)
    x = proximal_gradient(t.loss, t.penalty, tol=1e-13).x
    w = 1.0 if t.weights is None else t.weights
    pull = t.A.T @ (w * (t.y - t.A @ x))
    lam = t.penalty.lam
    on = x != 0
    assert 0 < on.sum() < on.size
    np.testing.assert_allclose(pull[on], (lam * np.sign(x))[on], atol=1e-4 * lam.max())
    assert np.all(np.abs(pull) <= lam + 1e-4 * lam.max())


@pytest.mark.extras
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    linear_model = require("sklearn.linear_model")
    t = task(seed, "lasso", "dense", False)
    m = len(t.y)
    peer = linear_model.Lasso(t.penalty.lam / m, fit_intercept=False, tol=1e-14, max_iter=10**6)
    x = proximal_gradient(t.loss, t.penalty, tol=1e-14).x
    np.testing.assert_allclose(x, peer.fit(t.A, t.y).coef_, atol=1e-6)


@pytest.mark.extras
def test_pylops_operator(rng):
    pylops = require("pylops")
    A, y = rng.standard_normal((10, 20)), rng.standard_normal((10, 2))
    dense = proximal_gradient(LeastSquares(A, y), penalties.L1(1.0), tol=1e-10)
    lazy = proximal_gradient(LeastSquares(pylops.MatrixMult(A), y), penalties.L1(1.0), tol=1e-10)
    np.testing.assert_allclose(lazy.x, dense.x, atol=1e-6)


NONCONVEX = {
    "l0": penalties.L0(0.3),
    "l0 per entry": penalties.L0(np.linspace(0, 1, 12)),
    "lq": penalties.Lq(0.4, 0.5),
    "lq third": penalties.Lq(0.4, 1 / 3),
    "lq zero": penalties.Lq(0.3, 0.0),
    "mcp steep": penalties.MCP(0.5, 1e-3),
    "mcp gentle": penalties.MCP(0.5, 50.0),
    "k-sparse": penalties.KSparse(3),
    "k zero": penalties.KSparse(0),
    "k all": penalties.KSparse(100),
}


@pytest.mark.parametrize("name", NONCONVEX)
@pytest.mark.parametrize("accelerated", [True, False], ids=["fista", "ista"])
@pytest.mark.parametrize("start", [False, True], ids=["zero", "random"])
@pytest.mark.parametrize("line_search", [False, True])
def test_nonconvex_descends_to_a_fixed_point(rng, name, accelerated, start, line_search):
    penalty = NONCONVEX[name]
    A, y = rng.standard_normal((9, 12)), rng.standard_normal(9)
    loss = LeastSquares(A, y)
    seen = []
    result = proximal_gradient(
        loss,
        penalty,
        x0=rng.standard_normal(12) if start else None,
        accelerated=accelerated,
        line_search=line_search,
        tol=1e-8,
        max_iter=100_000,
        callback=lambda state: seen.append(state.fun),
    )
    assert result.success
    fun = result.history["fun"]
    np.testing.assert_array_equal(fun[1:], seen)
    assert np.all(fun[1:] <= fun[:-1] * (1 + 1e-13) + 1e-13)
    x, step = result.x, result.history["step"][-1]
    assert result.fun == pytest.approx(0.5 * np.sum((A @ x - y) ** 2) + penalty.value(x))
    residual = np.linalg.norm(x - penalty.prox(x - step * (A.T @ (A @ x - y)), step)) / step
    assert residual / np.linalg.norm(A.T @ y) <= 1e-8 * (1 + 1e-6) + 1e-14
    assert result.certificate == pytest.approx(residual / np.linalg.norm(A.T @ y), abs=1e-12)


PENALTIES = {
    "l1": penalties.L1(0.5),
    "elastic net": penalties.ElasticNet(0.5, 0.1),
    "group": penalties.GroupL2(0.5, GROUPS, "sqrt"),
    "simplex": penalties.Simplex(2.0),
    "zero": penalties.Zero(),
    "l0": penalties.L0(0.3),
    "lq": penalties.Lq(0.3, 0.5),
    "mcp": penalties.MCP(0.5, 3.0),
    "k-sparse": penalties.KSparse(3),
}


def _padded(column):
    """After a run has ended its last value stays."""
    return np.pad(column, (0, 26 - len(column)), mode="edge")[1:]


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("accelerated", [True, False], ids=["fista", "ista"])
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_of_a_batch_go_the_way_they_go_alone(rng, name, accelerated, weighted):
    A = rng.standard_normal((14, 10))
    Y = rng.standard_normal((14, 6)) * [1, 10, 0.1, 1, 1, 5]
    X0 = rng.standard_normal((10, 6))
    options = {
        "accelerated": accelerated,
        "line_search": getattr(PENALTIES[name], "is_convex", False),
        "tol": 1e-15,
        "max_iter": 25,
        "callback": lambda state: None,
    }
    w = rng.random(14) if weighted else None
    for start in (None, X0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", so.ConvergenceWarning)
            together = proximal_gradient(
                LeastSquares(A, Y, sample_weights=w), PENALTIES[name], x0=start, **options
            )
            alone = [
                proximal_gradient(
                    LeastSquares(A, Y[:, j], sample_weights=w),
                    PENALTIES[name],
                    x0=None if start is None else start[:, j],
                    **options,
                )
                for j in range(6)
            ]
        expected = np.stack([r.x for r in alone], axis=1)
        np.testing.assert_allclose(together.x, expected, atol=1e-7)
        assert together.fun == pytest.approx(sum(r.fun for r in alone), rel=1e-7)
        np.testing.assert_allclose(
            _padded(together.history["certificate"]),
            np.max([_padded(r.history["certificate"]) for r in alone], axis=0),
            atol=1e-6,
        )


@pytest.mark.parametrize("name", ["l1", "elastic net", "group", "simplex", "zero"])
def test_batch_solved_to_the_end(rng, name):
    A, Y = rng.standard_normal((14, 10)), rng.standard_normal((14, 5))
    result = proximal_gradient(LeastSquares(A, Y), PENALTIES[name], tol=1e-12)
    alone = [proximal_gradient(LeastSquares(A, y), PENALTIES[name], tol=1e-12) for y in Y.T]
    np.testing.assert_allclose(result.x, np.stack([r.x for r in alone], 1), atol=1e-5)
    assert result.success
    assert result.certificate <= 1e-12
    assert result.nit <= max(r.nit for r in alone) + 5


class RowL2:
    """``lam`` times the sum of the norms of the rows: one number, for all columns jointly."""

    is_convex = True
    is_homogeneous = True

    def __init__(self, lam):
        self.lam = lam

    def value(self, x):
        return self.lam * np.sum(np.linalg.norm(np.reshape(x, (len(x), -1)), axis=1))

    def prox(self, v, step=1.0):
        norms = np.linalg.norm(v, axis=1, keepdims=True)
        return v * np.maximum(1 - step * self.lam / np.maximum(norms, 1e-300), 0)


class RowL2WithDual(RowL2):
    """The same with what a gap needs."""

    def dual_norm(self, y):
        return np.max(np.linalg.norm(y, axis=1)) / self.lam

    def conjugate(self, y):
        return 0.0 if self.dual_norm(y) <= 1 else np.inf


@pytest.mark.extras
@pytest.mark.parametrize("kind", [RowL2, RowL2WithDual])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_joint_penalty_couples_the_columns(rng, kind, weighted):
    cp = require("cvxpy")
    A, Y = rng.standard_normal((12, 9)), rng.standard_normal((12, 4))
    w = rng.random(12) if weighted else np.ones(12)
    X = cp.Variable((9, 4))
    root = np.sqrt(w)[:, None] * np.ones((1, 4))
    smooth = 0.5 * cp.sum_squares(cp.multiply(root, A @ X - Y))
    best = cp.Problem(cp.Minimize(smooth + 1.5 * cp.sum(cp.norm(X, axis=1)))).solve("CLARABEL")
    loss = LeastSquares(A, Y, sample_weights=w if weighted else None)
    result = proximal_gradient(loss, kind(1.5), tol=1e-9)
    assert result.success
    assert ("gap" in result.message) == (kind is RowL2WithDual)
    assert result.fun == pytest.approx(best, rel=1e-6)
    np.testing.assert_allclose(result.x, X.value, atol=1e-3)
    rows = np.any(result.x != 0, axis=1)
    assert np.all((result.x != 0) == rows[:, None])
    if kind is RowL2WithDual:
        scale = 0.5 * np.sum(w[:, None] * Y**2)
        true = (result.history["fun"][1:] - best) / scale
        assert np.all(result.history["certificate"][1:] >= true - 1e-8)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, aslinearoperator])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_single_precision(rng, name, make, batch):
    A = rng.standard_normal((14, 10)).astype(np.float32)
    y = rng.standard_normal((14, *batch)).astype(np.float32)
    single = proximal_gradient(LeastSquares(make(A), y), PENALTIES[name], x0=np.ones((10, *batch)))
    assert single.success
    assert single.x.dtype == np.float32
    assert single.certificate <= 1e-4
    assert "tol 1.0e-04" in single.message
    if single.dual is not None:
        assert single.dual.dtype == np.float32
    if getattr(PENALTIES[name], "is_convex", False):
        loss = LeastSquares(A.astype(float), y.astype(float))
        double = proximal_gradient(loss, PENALTIES[name], tol=1e-10)
        assert single.fun - double.fun <= 3e-4 * 0.5 * np.sum(y**2)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, aslinearoperator])
@pytest.mark.parametrize("kind", ["l1", "group", "elastic net"])
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_complex_optimality(rng, make, kind, dtype):
    """On every non-zero group the correlation is lam w x_g / ||x_g||, elsewhere it is shorter."""
    A = rng.standard_normal((14, 10)) + 1j * rng.standard_normal((14, 10))
    y = rng.standard_normal(14) + 1j * rng.standard_normal(14)
    A, y = A.astype(dtype), y.astype(dtype)
    lam = 0.4 * np.abs(A.conj().T @ y).max()
    labels = np.array(GROUPS) if kind == "group" else np.arange(10)
    mu = 2.0 if kind == "elastic net" else 0.0
    penalty = {
        "l1": lambda: penalties.L1(lam),
        "group": lambda: penalties.GroupL2(lam, labels),
        "elastic net": lambda: penalties.ElasticNet(lam, mu),
    }[kind]()
    single = dtype is np.complex64
    result = proximal_gradient(LeastSquares(make(A), y), penalty, tol=1e-5 if single else 1e-13)
    x = result.x
    assert x.dtype == dtype
    assert np.any(x.imag != 0)
    pull = A.conj().T @ (y - A @ x) - mu * x
    for g in np.unique(labels):
        size = np.linalg.norm(x[labels == g])
        if size:
            expected = lam * x[labels == g] / size
            assert np.linalg.norm(pull[labels == g] - expected) <= lam * (0.2 if single else 1e-4)
        else:
            assert np.linalg.norm(pull[labels == g]) <= lam * (1.01 if single else 1 + 1e-5)


def test_complex_lasso_is_a_real_group_lasso(rng):
    A = rng.standard_normal((8, 10)) + 1j * rng.standard_normal((8, 10))
    Y = rng.standard_normal((8, 2)) + 1j * rng.standard_normal((8, 2))
    result = proximal_gradient(LeastSquares(A, Y), penalties.L1(2.0), tol=1e-12)
    real = LeastSquares(np.block([[A.real, -A.imag], [A.imag, A.real]]), np.r_[Y.real, Y.imag])
    pairs = penalties.GroupL2(2.0, np.r_[np.arange(10), np.arange(10)])
    twin = proximal_gradient(real, pairs, tol=1e-12)
    np.testing.assert_allclose(result.x, twin.x[:10] + 1j * twin.x[10:], atol=1e-5)
    assert result.fun == pytest.approx(twin.fun, rel=1e-9)


@pytest.mark.parametrize("name", ["l1", "zero", "simplex", "l0"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_one_row_one_column(rng, name, shape):
    A, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    result = proximal_gradient(LeastSquares(A, y), PENALTIES[name], tol=1e-9)
    assert result.success
    assert result.x.shape == (shape[1],)
    if name == "l1" and shape == (1, 1):
        a, b = A[0, 0], y[0]
        exact = np.sign(a * b) * max(abs(a * b) - 0.5, 0) / a**2
        assert result.x[0] == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_zero_matrix(name, batch):
    loss = LeastSquares(np.zeros((4, 10)), np.ones((4, *batch)))
    result = proximal_gradient(loss, PENALTIES[name])
    assert result.success
    assert np.isfinite(result.x).all()
    if name not in ("simplex",):
        assert not result.x.any()


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("batch", [(), (2,), (0,)])
@pytest.mark.parametrize("warm", [False, True])
def test_zero_data_end_at_once(rng, name, batch, warm):
    loss = LeastSquares(rng.standard_normal((4, 10)), np.zeros((4, *batch)))
    result = proximal_gradient(loss, PENALTIES[name], x0=np.ones((10, *batch)) if warm else None)
    assert result.success
    assert result.x.shape == (10, *batch)
    if name != "simplex":
        assert result.nit == 0
        assert result.certificate == 0.0
        assert result.fun == 0.0
        assert not result.x.any()


def test_one_zero_column_among_others(rng):
    Y = rng.standard_normal((8, 3)) * [1, 0, 1]
    result = proximal_gradient(LeastSquares(rng.standard_normal((8, 10)), Y), penalties.L1(0.3))
    assert result.success
    assert not result.x[:, 1].any()


def test_simplex_with_zero_data(rng):
    """The point of the simplex whose image is shortest; P(0) = 0, so the gap is absolute."""
    A = rng.standard_normal((12, 5))
    result = proximal_gradient(LeastSquares(A, np.zeros(12)), penalties.Simplex(), tol=1e-10)
    gradient = A.T @ (A @ result.x)
    assert np.dot(gradient, result.x) - gradient.min() <= 1e-5
    assert result.x.sum() == pytest.approx(1)


@pytest.mark.parametrize("factor", [1.0 + 1e-9, 2.0, 1e6])
@pytest.mark.parametrize("form", FORMS)
def test_a_level_above_the_critical_one_gives_zero(factor, form):
    t = task(1, "lasso", form, False)
    lam = factor * np.abs(t.A.T @ t.y).max()
    result = proximal_gradient(t.loss, penalties.L1(lam))
    assert not result.x.any()
    assert result.nit <= 1
    warm = proximal_gradient(t.loss, penalties.L1(lam), x0=np.ones(t.A.shape[1]), tol=1e-12)
    assert not warm.x.any()


@pytest.mark.parametrize("penalty", [None, penalties.L1(0.0), penalties.Zero()])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_no_penalty_is_plain_least_squares(rng, penalty, batch):
    A, y = rng.standard_normal((20, 8)), rng.standard_normal((20, *batch))
    result = proximal_gradient(LeastSquares(A, y), penalty, tol=1e-10)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, y)[0], atol=1e-7)
    assert result.dual is None
    assert "fixed-point residual" in result.message
    gradient = np.linalg.norm(A.T @ (A @ result.x - y), axis=0)
    residual = np.max(gradient / np.linalg.norm(A.T @ y, axis=0))
    assert result.certificate == pytest.approx(residual, rel=1e-2, abs=1e-13)


@pytest.mark.extras
def test_some_entries_free_some_forbidden(rng):
    """Zero weights leave no norm, so the residual certifies; infinite ones force zeros."""
    cp = require("cvxpy")
    A, y = rng.standard_normal((15, 8)), rng.standard_normal(15)
    lam = np.array([0, 0, 1, 2, 1, 0.5, np.inf, np.inf])
    result = proximal_gradient(LeastSquares(A, y), penalties.L1(lam), tol=1e-10)
    assert "fixed-point residual" in result.message
    np.testing.assert_array_equal(result.x[6:], 0)
    x = cp.Variable(6)
    smooth = 0.5 * cp.sum_squares(A[:, :6] @ x - y)
    best = cp.Problem(cp.Minimize(smooth + cp.norm1(cp.multiply(lam[:6], x)))).solve("CLARABEL")
    assert result.fun == pytest.approx(best, rel=1e-7)
    bounded = penalties.L1(np.maximum(lam, 0.1))
    gap = proximal_gradient(LeastSquares(A, y), bounded, tol=1e-10, x0=np.ones(8))
    assert "gap" in gap.message
    np.testing.assert_array_equal(gap.x[6:], 0)


@pytest.mark.parametrize("penalty", [penalties.L1(np.inf), penalties.L0(np.inf)])
def test_everything_forbidden(rng, penalty):
    loss = LeastSquares(rng.standard_normal((4, 3)), np.ones(4))
    for x0 in (None, np.ones(3)):
        result = proximal_gradient(loss, penalty, x0=x0)
        assert not result.x.any()
        assert result.fun == 2.0


@pytest.mark.parametrize("penalty", [penalties.L1(0.5), penalties.GroupL2(0.5, [0, 0, 1])])
@pytest.mark.parametrize("lam_scale", [1.0, 1e-8])
def test_an_exact_fit_at_the_start(penalty, lam_scale):
    """The residual there is exactly zero, and no direction for a dual point comes from it."""
    A = np.eye(3)
    y = np.array([3.0, 4.0, 5.0])
    penalty = type(penalty)(
        0.5 * lam_scale, *([penalty.groups] if hasattr(penalty, "groups") else [])
    )
    result = proximal_gradient(LeastSquares(A, y), penalty, x0=y, tol=1e-10)
    assert result.success
    np.testing.assert_allclose(result.x, penalty.prox(y), atol=1e-9)


STEPS = {
    "default": {},
    "short": {"step": 0.2},
    "unit": {"step": 1.0},
    "too long": {"step": 1e6},
    "far too long": {"step": 1e100},
    "very short then search": {"step": 1e-8, "line_search": True},
    "search": {"line_search": True},
    "function": {"restart": "function"},
    "never": {"restart": None},
    "search, function": {"line_search": True, "restart": "function"},
    "ista": {"accelerated": False},
    "ista, search": {"accelerated": False, "line_search": True},
    "ista, too long": {"accelerated": False, "step": 1e6},
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_variant_reaches_the_same_objective(name, kind):
    t = task(2, kind, "dense", False)
    options = dict(STEPS[name])
    if "step" in options and options["step"] <= 1:
        options["step"] /= np.linalg.norm(t.A, 2) ** 2
    best = proximal_gradient(t.loss, t.penalty, tol=1e-12, max_iter=50_000)
    result = proximal_gradient(t.loss, t.penalty, tol=1e-9, max_iter=50_000, **options)
    assert result.success
    assert result.fun == pytest.approx(best.fun, abs=2e-9 * t.scale)
    assert np.isfinite(result.history["fun"][1:]).all()
    if name == "short":
        np.testing.assert_allclose(result.history["step"][1:], options["step"])
    if "long" in name:
        step = result.history["step"][1:]
        assert np.all(np.diff(step) <= 0)
        assert step[-1] >= 0.9 / np.linalg.norm(t.A, 2) ** 2 / 1.1


def test_acceleration_pays_on_an_ill_conditioned_problem(rng):
    U, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    A = U * np.geomspace(1, 1e-2, 40) @ np.linalg.qr(rng.standard_normal((40, 40)))[0]
    loss = LeastSquares(A, A @ np.where(np.arange(40) < 5, 1.0, 0.0))
    options = {"tol": 1e-5, "max_iter": 100_000}
    fast = proximal_gradient(loss, penalties.L1(1e-3), **options)
    slow = proximal_gradient(loss, penalties.L1(1e-3), accelerated=False, **options)
    assert fast.nit * 5 < slow.nit
    assert fast.fun == pytest.approx(slow.fun, abs=2e-5 * loss.value(np.zeros(40)))


class Understated(LeastSquares):
    """Least squares with a Lipschitz constant that is a fraction of the truth."""

    factor = 1.0

    def lipschitz(self):
        return self.factor * super().lipschitz()


@pytest.mark.parametrize("factor", [0.99, 0.5, 1e-3, 1e-12])
@pytest.mark.parametrize("name", ["l1", "simplex", "zero", "mcp", "l0"])
@pytest.mark.parametrize("accelerated", [True, False], ids=["fista", "ista"])
def test_the_guard_repairs_a_low_estimate(rng, factor, name, accelerated):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    loss = Understated(A, y)
    loss.factor = factor
    options = {"accelerated": accelerated, "tol": 1e-7, "max_iter": 50_000}
    result = proximal_gradient(loss, PENALTIES[name], **options)
    assert result.success
    fun = result.history["fun"]
    assert np.all(fun[1:] <= fun[0] * (1 + 1e-12))
    if getattr(PENALTIES[name], "is_convex", False):
        right = proximal_gradient(LeastSquares(A, y), PENALTIES[name], tol=1e-10)
        assert result.fun == pytest.approx(right.fun, rel=1e-5)


@pytest.mark.parametrize("accelerated", [True, False], ids=["fista", "ista"])
@pytest.mark.parametrize("spectrum", ["cluster", "hidden"])
def test_clustered_singular_values(rng, spectrum, accelerated):
    """Where few Krylov steps cannot find the norm: many close values, or one start cannot see."""
    n = 150
    s = 1 - np.arange(n) ** 2 * 1e-7 if spectrum == "cluster" else np.r_[1.3, np.ones(n - 1)]
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    A = U * s @ V
    loss = LeastSquares(A, A @ np.where(np.arange(n) < 9, 1.0, 0) + 3 * U[:, 0])
    assert loss.lipschitz() <= s.max() ** 2 * (1 + 1e-12)
    result = proximal_gradient(loss, penalties.L1(0.05), accelerated=accelerated, tol=1e-9)
    assert result.success
    assert np.all(np.diff(result.history["fun"]) <= 0)
    assert result.history["step"][-1] >= 0.95 / s.max() ** 2


def test_rounding_does_not_shorten_the_step(rng):
    """Products that cancel leave noise beside steps of no length; the guard must not mind."""
    big = 1e6 * rng.standard_normal((30, 1))
    A = np.hstack([big + rng.standard_normal((30, 1)), -big, rng.standard_normal((30, 6))])
    loss = LeastSquares(A, rng.standard_normal(30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", so.ConvergenceWarning)
        result = proximal_gradient(loss, penalties.L1(0.5), tol=1e-15, max_iter=2000)
    assert result.history["step"][-1] >= 0.5 / np.linalg.norm(A, 2) ** 2


@pytest.mark.parametrize("name", ["l1", "elastic net", "group", "simplex", "zero"])
def test_the_start_does_not_matter_to_a_convex_problem(rng, name):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    loss = LeastSquares(A, y)
    reference = proximal_gradient(loss, PENALTIES[name], tol=1e-13)
    for x0 in (rng.standard_normal(10), 1e6 * rng.standard_normal(10), np.arange(10)):
        result = proximal_gradient(loss, PENALTIES[name], x0=x0, tol=1e-13)
        np.testing.assert_allclose(result.x, reference.x, atol=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_warm_starts(rng, name, batch):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal((14, *batch))
    loss = LeastSquares(A, y)
    cold = proximal_gradient(loss, PENALTIES[name], tol=1e-9)
    kept = cold.x.copy()
    kept.flags.writeable = False
    by_array = proximal_gradient(loss, PENALTIES[name], x0=kept, tol=1e-8)
    by_result = proximal_gradient(loss, PENALTIES[name], x0=cold, tol=1e-8)
    assert by_array.nit == by_result.nit < cold.nit
    np.testing.assert_array_equal(by_array.x, by_result.x)
    np.testing.assert_array_equal(cold.x, kept)
    assert not np.shares_memory(by_result.x, cold.x)


def test_warm_start_in_other_types(rng):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    x0 = rng.integers(-3, 4, 10)
    results = [
        proximal_gradient(LeastSquares(A, y), penalties.L1(0.5), x0=start).x
        for start in (x0, x0.tolist(), x0.astype(np.float32), x0[::-1].copy()[::-1])
    ]
    for x in results:
        assert x.dtype == np.float64
        np.testing.assert_array_equal(x, results[0])
    z = LeastSquares(A.astype(complex), y)
    assert proximal_gradient(z, penalties.L1(0.5), x0=x0).x.dtype == np.complex128


@pytest.mark.parametrize("form", ["dense", "fortran", "sparse", "csc", "operator"])
@pytest.mark.parametrize("kind", ["lasso", "group lasso", "simplex"])
def test_bit_for_bit(form, kind):
    t = task(2, kind, form, True)

    def solve():
        return proximal_gradient(t.loss, t.penalty, tol=1e-8)

    first, again = solve(), solve()
    found = [None, None]

    def work(i):
        found[i] = solve()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in (again, *found):
        np.testing.assert_array_equal(first.x, other.x)
        np.testing.assert_array_equal(first.dual, other.dual)
        for column in ("fun", "certificate", "step"):
            np.testing.assert_array_equal(first.history[column], other.history[column])


class Quadratic:
    """1/2 x'Qx - b'x with the least a loss must have; its value at zero is zero."""

    def __init__(self, Q, b):
        self.Q, self.b = Q, b
        self.shape, self.dtype = b.shape, b.dtype

    def predict(self, x):
        return x

    def pull_back(self, u):
        return u

    def value_at(self, z):
        return 0.5 * z @ self.Q @ z - self.b @ z

    def gradient_at(self, z):
        return self.Q @ z - self.b

    def bregman(self, z_new, z):
        return 0.5 * (z_new - z) @ self.Q @ (z_new - z)

    def lipschitz(self):
        return np.linalg.norm(self.Q, 2)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_loss_of_ones_own(rng, name):
    """An objective of zero at zero is no reason to stay there: this one falls below it."""
    A, y = rng.standard_normal((14, 10)), 3 * rng.standard_normal(14)
    own = proximal_gradient(Quadratic(A.T @ A, A.T @ y), PENALTIES[name], tol=1e-9)
    assert own.success
    assert own.nit > 0
    assert own.dual is None
    assert "fixed-point residual" in own.message
    ours = proximal_gradient(LeastSquares(A, y), PENALTIES[name], tol=1e-10)
    if getattr(PENALTIES[name], "is_convex", False):
        assert own.fun + 0.5 * y @ y == pytest.approx(ours.fun, rel=1e-6)


class Logistic:
    """Logistic loss with a conjugate but no ``dual_scale``."""

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

    def bregman(self, z_new, z):
        d = -self.y * (z_new - z)
        p = 1 / (1 + np.exp(self.y * z))
        return np.sum(np.log1p(p * np.expm1(d)) - p * d)

    def lipschitz(self):
        return np.linalg.norm(self.A, 2) ** 2 / 4

    def conjugate(self, u):
        p = np.clip(-u * self.y, 1e-300, 1)
        return np.sum(p * np.log(p) + (1 - p) * np.log(np.maximum(1 - p, 1e-300)))


@pytest.mark.parametrize("name", ["l1", "group", "elastic net"])
def test_a_logistic_loss_with_its_gap(rng, name):
    A = rng.standard_normal((40, 10))
    y = np.sign(A[:, 0] + 0.3 * rng.standard_normal(40))
    loss = Logistic(A, y)
    result = proximal_gradient(loss, PENALTIES[name], tol=1e-7)
    assert result.success
    assert "gap" in result.message
    x = result.x
    fixed = PENALTIES[name].prox(x - A.T @ loss.gradient_at(A @ x))
    np.testing.assert_allclose(x, fixed, atol=3e-2)
    best = proximal_gradient(loss, PENALTIES[name], tol=1e-10)
    true = (result.history["fun"][1:] - best.fun) / (40 * np.log(2))
    assert np.all(result.history["certificate"][1:] >= true - 1e-9)


class NonNegative:
    """Non-negativity with the least a penalty must have."""

    def value(self, x):
        return 0.0 if np.min(x) >= 0 else np.inf

    def prox(self, v, step=1.0):
        return np.maximum(v, 0)


class Slope:
    """A linear function: zero at zero, and negative beyond."""

    is_convex = True

    def __init__(self, c):
        self.c = c

    def value(self, x):
        return self.c @ x

    def prox(self, v, step=1.0):
        return v - step * self.c


def test_penalties_of_ones_own(rng):
    from scipy.optimize import nnls

    A, y = rng.standard_normal((20, 8)), rng.standard_normal(20)
    result = proximal_gradient(LeastSquares(A, y), NonNegative(), tol=1e-10)
    np.testing.assert_allclose(result.x, nnls(A, y)[0], atol=1e-7)
    infeasible = proximal_gradient(LeastSquares(A, y), NonNegative(), x0=-np.ones(8), tol=1e-10)
    np.testing.assert_allclose(infeasible.x, result.x, atol=1e-7)
    c = rng.standard_normal(8)
    line = proximal_gradient(LeastSquares(A, np.zeros(20)), Slope(c), tol=1e-10)
    np.testing.assert_allclose(line.x, np.linalg.solve(A.T @ A, -c), atol=1e-6)


class OnlyDualNorm(RowL2WithDual):
    """A gauge whose conjugate nobody wrote down."""

    conjugate = property()


class NoDualNorm(RowL2):
    """A gauge with a conjugate and no dual norm."""

    def conjugate(self, y):
        return 0.0 if np.max(np.linalg.norm(y, axis=1)) <= self.lam else np.inf


@pytest.mark.parametrize("kind", [OnlyDualNorm, NoDualNorm])
def test_half_a_dual_is_no_obstacle(rng, kind):
    A, Y = rng.standard_normal((12, 9)), rng.standard_normal((12, 4))
    full = proximal_gradient(LeastSquares(A, Y), RowL2WithDual(1.5), tol=1e-10)
    half = proximal_gradient(LeastSquares(A, Y), kind(1.5), tol=1e-10)
    assert ("gap" in half.message) == (kind is OnlyDualNorm)
    assert half.fun == pytest.approx(full.fun, rel=1e-8)


@pytest.mark.parametrize(
    ("missing", "side"),
    [
        (("gradient_at",), "loss"),
        (("bregman", "lipschitz"), "loss"),
        (("shape",), "loss"),
        (("dtype",), "loss"),
        (("prox",), "penalty"),
        (("value",), "penalty"),
        (("prox", "value"), "penalty"),
    ],
)
def test_what_is_missing_is_named(rng, missing, side):
    loss, penalty = Quadratic(np.eye(3), np.ones(3)), NonNegative()
    broken = loss if side == "loss" else penalty
    namespace = {k: v for k, v in vars(type(broken)).items() if not k.startswith("__")}
    namespace |= vars(broken)
    poor = type("Poor", (), {k: v for k, v in namespace.items() if k not in missing})()
    arguments = (poor, penalty) if side == "loss" else (loss, poor)
    with pytest.raises(TypeError, match=f"^{side} must have .*got Poor") as caught:
        proximal_gradient(*arguments)
    named = str(caught.value).removeprefix(f"{side} must have ").split(", got")[0].split(", ")
    assert sorted(named) == sorted(missing)


def test_operators_of_our_own(rng):
    n = 64
    A = linop.compose(linop.Mask(n, rng.random(n) < 0.6), linop.DCT(n).H)
    dense = A @ np.eye(n)
    y = dense @ np.where(np.arange(n) < 4, 3.0, 0) + 0.01 * rng.standard_normal(dense.shape[0])
    lazy = proximal_gradient(LeastSquares(A, y), penalties.L1(0.1), tol=1e-10)
    full = proximal_gradient(LeastSquares(dense, y), penalties.L1(0.1), tol=1e-10)
    np.testing.assert_allclose(lazy.x, full.x, atol=1e-6)


@pytest.mark.parametrize("size", [1e-60, 1e60])
@pytest.mark.parametrize("name", ["data", "matrix"])
def test_units_do_not_matter(rng, size, name):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    plain = proximal_gradient(LeastSquares(A, y), penalties.L1(0.5), tol=1e-9)
    if name == "data":
        scaled = proximal_gradient(LeastSquares(A, y * size), penalties.L1(0.5 * size), tol=1e-9)
        np.testing.assert_allclose(scaled.x / size, plain.x, atol=1e-6)
    else:
        scaled = proximal_gradient(LeastSquares(A * size, y), penalties.L1(0.5 * size), tol=1e-9)
        np.testing.assert_allclose(scaled.x * size, plain.x, atol=1e-6)
    assert abs(scaled.nit - plain.nit) <= 2


def failing_after(A, calls, failure):
    """An operator whose products go wrong after some calls."""
    count = [0]

    def forward(x):
        count[0] += 1
        with np.errstate(invalid="ignore"):
            return failure(A @ x) if count[0] > calls else A @ x

    def backward(u):
        with np.errstate(invalid="ignore"):
            return A.T @ u

    return LinearOperator(A.shape, matvec=forward, rmatvec=backward, dtype=A.dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["l1", "zero", "simplex", "l0"])
@pytest.mark.parametrize("accelerated", [True, False], ids=["fista", "ista"])
def test_an_operator_that_breaks_down(rng, value, name, accelerated):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    op = failing_after(A, 20, lambda z: z * value)
    with pytest.warns(so.ConvergenceWarning, match="last finite iterate") as caught:
        result = proximal_gradient(
            LeastSquares(op, y), PENALTIES[name], tol=1e-14, accelerated=accelerated, step=0.01
        )
    assert [w.category for w in caught] == [so.ConvergenceWarning]
    assert result.status is so.Status.NON_FINITE
    assert not result.success
    assert 10 < result.nit <= 20
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.fun)
    exact = 0.5 * np.sum((A @ result.x - y) ** 2) + PENALTIES[name].value(result.x)
    assert result.fun == pytest.approx(exact)


@pytest.mark.parametrize("where", ["matvec", "rmatvec"])
def test_ctrl_c_inside_a_product(rng, where):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    count = [0]

    def interrupted(M):
        def product(x):
            count[0] += 1
            if count[0] > 30:
                raise KeyboardInterrupt
            return M @ x

        return product

    op = LinearOperator(
        A.shape,
        matvec=interrupted(A) if where == "matvec" else lambda x: A @ x,
        rmatvec=interrupted(A.T) if where == "rmatvec" else lambda u: A.T @ u,
        dtype=float,
    )
    with pytest.warns(so.ConvergenceWarning, match="interrupted"):
        result = proximal_gradient(LeastSquares(op, y), penalties.L1(0.1), tol=1e-14)
    assert result.status is so.Status.INTERRUPTED
    assert 0 < result.nit < 30
    assert result.fun == pytest.approx(
        0.5 * np.sum((A @ result.x - y) ** 2) + 0.1 * np.abs(result.x).sum()
    )
    assert len(result.history["fun"]) == result.nit + 1
