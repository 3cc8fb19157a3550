"""Working sets for other losses and penalties, starts, and how runs end."""

import warnings

import numpy as np
import pytest
from certificates import certify, null_value
from helpers import run_python
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse as sp

import sparseopt as so
from sparseopt import losses, penalties, solvers

forms = pytest.mark.parametrize("form", [np.asarray, sp.csc_array])


def problem(rng, m=40, n=60):
    A = rng.standard_normal((m, n))
    return A, A[:, :4].sum(1) + 0.3 * rng.standard_normal(m)


def solve_quietly(loss, penalty, **controls):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solvers.working_set(loss, penalty, **controls)
    assert result.success
    return result


LOSSES = {
    "least squares": lambda A, z, **k: losses.LeastSquares(A, z, **k),
    "logistic": lambda A, z, **k: losses.Logistic(A, z > 0, **k),
    "huber": lambda A, z, **k: losses.Huber(A, z, 0.5, **k),
    "huber, nearly absolute": lambda A, z, **k: losses.Huber(A, z, 0.01, **k),
    "squared hinge": lambda A, z, **k: losses.SquaredHinge(A, z > 0, **k),
    "poisson": lambda A, z, **k: losses.Poisson(A, np.floor(np.exp(0.5 * z)), **k),
}


@forms
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_agrees_with_fista(rng, name, intercept, form):
    A, z = problem(rng)
    loss = LOSSES[name](form(A), z, intercept=intercept)
    top = float(abs(loss.gradient(np.zeros(60))).max())
    null = loss.value(np.zeros(60))
    for part in (0.5, 0.1):
        penalty = penalties.L1(part * top)
        result = solve_quietly(loss, penalty)
        slow = so.minimize(loss, penalty, method="fista", tol=1e-8, max_iter=50_000)
        assert abs(result.fun - slow.fun) <= 1.1e-6 * abs(null) + 1e-12
        value = loss.value(result.x) + part * top * abs(result.x).sum()
        assert result.fun == pytest.approx(value, rel=1e-9)
        slopes = A.T @ result.dual
        assert abs(slopes).max() <= part * top * (1 + 1e-9)
        dual = -loss.conjugate(-result.dual)
        assert value - dual <= 1.01e-6 * abs(null)
        if intercept:
            assert abs(result.dual.sum()) <= 1e-9 * abs(result.dual).sum()


@forms
@pytest.mark.parametrize(
    "penalty",
    [
        penalties.NonnegativeL1(1.0),
        penalties.ElasticNet(1.0, 0.3),
        penalties.L1(np.linspace(0.3, 2.0, 60)),
    ],
    ids=["nonnegative", "elastic net", "weighted"],
)
@pytest.mark.parametrize("name", ["logistic", "huber", "squared hinge", "poisson"])
def test_other_penalties_agree_with_fista(rng, name, penalty, form):
    A, z = problem(rng)
    loss = LOSSES[name](form(A), z, intercept=True)
    result = solve_quietly(loss, penalty)
    slow = so.minimize(loss, penalty, method="fista", tol=1e-8, max_iter=50_000)
    assert abs(result.fun - slow.fun) <= 1.1e-6 * abs(loss.value(np.zeros(60)))


@forms
@pytest.mark.parametrize("name", ["least squares", "logistic"])
@pytest.mark.parametrize("kind", [penalties.MCP, penalties.SCAD])
def test_nonconvex_penalties_end_where_nothing_moves(rng, kind, name, form):
    A, z = problem(rng)
    loss = LOSSES[name](form(A), z)
    top = float(abs(loss.gradient(np.zeros(60))).max())
    for part, shape in ((0.3, 3.0), (0.1, 20.0)):
        penalty = kind(part * top, shape)
        result = solve_quietly(loss, penalty)
        gradient = loss.gradient(result.x)
        away = np.linalg.norm(penalty.subdiff_distance(result.x, gradient))
        start = np.linalg.norm(loss.gradient(np.zeros(60)))
        assert away <= 1e-6 * start
        assert result.certificate == pytest.approx(away / start, abs=1e-8)
        step = 1e-3 / loss.lipschitz()
        moved = penalty.prox(result.x - step * gradient, step)
        np.testing.assert_allclose(moved, result.x, atol=2 * step * away + 1e-12)
        value = loss.value(result.x) + penalty.value(result.x)
        assert result.fun == pytest.approx(value, rel=1e-9)
        slow = so.minimize(loss, penalty, method="fista", x0=result.x, tol=1e-5, max_iter=5000)
        assert result.fun <= slow.fun + 1e-5 * abs(result.fun)


def test_nonconvex_least_squares_is_no_worse_than_fista(rng):
    """From zero, on easy problems, where both should find the good point."""
    for seed in range(5):
        A, y = problem(np.random.default_rng(seed), 60, 30)
        loss = losses.LeastSquares(A / np.sqrt(60), y)
        for penalty in (penalties.MCP(0.5, 3.0), penalties.SCAD(0.5, 3.7)):
            result = solve_quietly(loss, penalty)
            slow = so.minimize(loss, penalty, method="fista", tol=1e-7, max_iter=20_000)
            assert result.fun <= slow.fun + 1e-6 * abs(slow.fun)


@forms
@pytest.mark.parametrize("name", ["least squares", "logistic", "huber"])
def test_free_coordinates(rng, name, form):
    A, z = problem(rng)
    levels = np.full(60, 2.0)
    levels[:2] = 0.0
    loss = LOSSES[name](form(A), z)
    result = solve_quietly(loss, penalties.L1(levels))
    gradient = loss.gradient(result.x)
    scale = 2e-6 * np.linalg.norm(loss.gradient(np.zeros(60)))
    assert abs(gradient[:2]).max() <= scale
    assert (abs(gradient) <= levels + scale).all()
    on = result.x != 0
    np.testing.assert_allclose(gradient[on], -levels[on] * np.sign(result.x[on]), atol=scale)


@forms
def test_nonconvex_with_correlated_columns(rng, form):
    """The accuracy of a set counts, not the number of sets."""
    A = rng.standard_normal((100, 400)) + 4.0 * rng.standard_normal((100, 1))
    y = A[:, :5].sum(1) + 0.1 * rng.standard_normal(100)
    loss = losses.LeastSquares(form(A), y)
    top = float(abs(A.T @ y).max())
    for penalty in (penalties.MCP(0.05 * top, 3.0), penalties.SCAD(0.05 * top, 3.7)):
        assert solve_quietly(loss, penalty).nit <= 60


@settings(max_examples=40)
@given(
    m=st.integers(1, 30),
    n=st.integers(1, 80),
    part=st.floats(0.01, 1.1),
    name=st.sampled_from(["least squares", "huber", "huber, nearly absolute"]),
    intercept=st.booleans(),
    in_columns=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_and_level(m, n, part, name, intercept, in_columns, seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n))
    z = A[:, :3].sum(1) + rng.standard_normal(m)
    loss = LOSSES[name](sp.csc_array(A) if in_columns else A, z, intercept=intercept)
    top = float(abs(loss.gradient(np.zeros(n))).max())
    null = loss.value(np.zeros(n))
    penalty = penalties.L1(part * top or 1.0)
    result = solve_quietly(loss, penalty)
    assert result.certificate <= 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow = so.minimize(loss, penalty, method="fista", tol=1e-6, max_iter=3000)
    slack = max(slow.certificate, 1e-6) * (null or 1.0)
    assert result.fun <= slow.fun + 1.1e-6 * (null or 1.0)
    assert slow.fun <= result.fun + 1.1 * slack


@forms
def test_warm_starts(rng, form):
    A, y = problem(rng)
    for loss in (losses.LeastSquares(form(A), y), losses.Logistic(form(A), y > 0, intercept=True)):
        penalty = penalties.L1(1.0)
        first = solve_quietly(loss, penalty, tol=1e-9)
        for start in (first, first.x, first.x.tolist()):
            again = solve_quietly(loss, penalty, x0=start, tol=1e-8)
            assert again.nit <= 1
        near = solve_quietly(loss, penalties.L1(1.01), x0=first)
        assert near.nit <= 3
        far = solve_quietly(loss, penalty, x0=10 * rng.standard_normal(60), tol=1e-9)
        assert far.fun == pytest.approx(first.fun, rel=1e-8)


def test_a_start_outside_the_constraint(rng):
    A, y = problem(rng)
    loss = losses.LeastSquares(A, y)
    result = solve_quietly(loss, penalties.NonnegativeL1(1.0), x0=-np.ones(60))
    expected = solve_quietly(loss, penalties.NonnegativeL1(1.0))
    assert result.x.min() >= 0
    assert result.fun == pytest.approx(expected.fun, rel=1e-5)


def test_the_end_of_a_run(rng):
    A, y = problem(rng, 60, 600)
    loss, penalty = losses.LeastSquares(A, y), penalties.L1(0.01)
    seen = []

    def callback(state):
        seen.append(state.fun)
        if state.nit == 2:
            raise StopIteration

    result = solvers.working_set(loss, penalty, callback=callback, tol=1e-12)
    assert result.status is so.Status.STOPPED
    assert result.nit == len(seen) == 2
    with pytest.warns(so.ConvergenceWarning, match="max_iter"):
        result = solvers.working_set(loss, penalty, max_iter=1, tol=1e-12)
    assert not result.success
    assert result.fun == pytest.approx(loss.value(result.x) + penalty.value(result.x))
    gap = certify(A, y, result, 0.01) / null_value(y)
    assert gap == pytest.approx(result.certificate, rel=1e-6)
    with pytest.warns(so.ConvergenceWarning, match="max_iter"):
        result = solvers.working_set(loss, penalty, max_iter=0)
    assert not result.x.any()


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array, sp.csr_array])
def test_a_tall_design(rng, form):
    A = rng.standard_normal((3000, 30)) * (rng.random((3000, 30)) < 0.3)
    y = A[:, :4].sum(1) + rng.standard_normal(3000)
    for lam in (1e-3, 30.0):
        result = solve_quietly(losses.LeastSquares(form(A), y), penalties.L1(lam))
        assert certify(A, y, result, lam) / null_value(y) <= 1e-6 + 1e-9


def test_what_it_refuses(rng):
    A, y = problem(rng)
    loss = losses.LeastSquares(A, y)
    with pytest.raises(TypeError, match="penalty must be separable"):
        solvers.working_set(loss, penalties.Slope(np.linspace(2.0, 1.0, 60)))
    with pytest.raises(TypeError, match="loss must"):
        solvers.working_set(losses.Quadratic(np.eye(3), np.ones(3)), penalties.L1(1.0))
    with pytest.raises(ValueError, match="one column"):
        solvers.working_set(losses.LeastSquares(A, np.c_[y, y]), penalties.L1(1.0))
    with pytest.raises(TypeError, match="A must be real"):
        solvers.working_set(losses.LeastSquares(A + 1j, y), penalties.L1(1.0))
    with pytest.raises(TypeError, match="A must be an array"):
        operator = sp.linalg.aslinearoperator(A)
        solvers.working_set(losses.LeastSquares(operator, y), penalties.L1(1.0))


USE = """
import warnings
import numpy as np
from scipy import sparse as sp
from sparseopt import _core, losses, penalties, solvers
A = np.random.default_rng(0).standard_normal((20, 30))
for data in (A, sp.csc_array(A)):
    solvers.lasso(data, A[:, 0], 1.0, intercept=True)
    solvers.lasso(data, A[:, 0], 1.0, positive=True)
    solvers.elastic_net(data, A[:, 0], 1.0, 1.0)
    solvers.logistic_l1(data, A[:, 0] > 0, 1.0)
    solvers.working_set(losses.LeastSquares(data, A[:, 0]), penalties.MCP(1.0, 3.0))
print(*_core.cache_counts())
"""


def test_a_second_process_compiles_nothing(tmp_path):
    env = {"NUMBA_CACHE_DIR": str(tmp_path)}
    _, misses = map(int, run_python(USE, env=env).split())
    assert misses > 5
    hits, misses = map(int, run_python(USE, env=env).split())
    assert misses == 0
    assert hits > 5
