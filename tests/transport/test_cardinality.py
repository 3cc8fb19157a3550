"""The relaxation of cardinality-constrained transport, and its door."""

import contextlib

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog, minimize
from transport_cases import clouds, random_problem, relaxation_by_cvxpy

from sparseopt import ConvergenceWarning, penalties, transport
from sparseopt.transport import _cardinality_newton
from sparseopt.transport._cardinality_newton import newton_step
from sparseopt.transport._cardinality_relaxed import Columns
from sparseopt.transport._k_support import FREE


def exact_cost(C, a, b):
    n, m = C.shape
    E = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    return linprog(C.ravel(), A_eq=E, b_eq=np.concatenate([a, b]), method="highs").fun


def dual_objective(result, C, a, b):
    """<a, f> + <b, g> less the squares of the k largest positive scores, by the definition."""
    f, g = result.potentials
    scores = np.sort(np.maximum(f[:, None] + g - C, 0.0), axis=0)[::-1][: result.k]
    return a @ f + b @ g - (scores**2).sum() / (2 * result.gamma)


@pytest.mark.extras
@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_equals_the_cone_program(rng, k, gamma):
    C, a, b = random_problem(rng, 7, 6)
    if k == 1:
        C, a, b = C[:6], a[:6] / a[:6].sum(), b
    value, plan = relaxation_by_cvxpy(require("cvxpy"), C, a, b, min(k, len(a)), gamma)
    with pytest.warns(UserWarning) if k == 1 else contextlib.nullcontext():
        result = transport.cardinality(C, a, b, k=min(k, len(a)), gamma=gamma)
    assert abs(result.value - value) <= 1e-7 * max(1.0, value)
    assert abs(result.fun - value) <= 1e-7 * max(1.0, value)
    if k > 1:  # the plan of k = 1 need not be unique
        assert np.abs(result.plan - plan).max() < 1e-4


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_marginals_on_clouds(k):
    C = clouds(100, 100)
    result = transport.cardinality(C, k=k, gamma=1.0)
    assert result.success
    assert result.marginal_error < 1e-8
    assert result.certificate <= 1e-9
    assert -1e-12 <= result.gap < 1e-8
    assert np.isclose(result.fun, dual_objective(result, C, result.a, result.b), atol=1e-12)
    assert result.bracket[0] <= exact_cost_of_clouds() <= result.bracket[1] + 1e-12
    primal = (C * result.plan).sum()
    primal += 0.5 * (penalties.KSupport(1.0, k).value(result.plan) ** 2).sum()
    assert np.isclose(result.value, primal, atol=1e-9)


def exact_cost_of_clouds():
    C = clouds(100, 100)
    return C[linear_sum_assignment(C)].mean()


def test_one_entry_is_the_exact_problem(rng):
    C, a, b = random_problem(rng, 8, 9)
    with pytest.warns(UserWarning, match="fewer than"):
        result = transport.cardinality(C, a, b, k=1, gamma=0.7)
    expected = exact_cost(C, a, b)
    assert np.isclose(result.fun, expected + 0.35 * (b**2).sum(), atol=1e-9)
    assert np.isclose(result.cost, expected, atol=1e-8)


@pytest.mark.parametrize("gamma", [0.05, 5.0])
def test_all_entries_is_quadratic_transport(rng, gamma):
    C, a, b = random_problem(rng, 6, 5)
    result = transport.cardinality(C, a, b, k=6, gamma=gamma, tol=1e-13)

    def dual(z):
        T = np.maximum(z[:6, None] + z[6:] - C, 0.0) / gamma
        fun = 0.5 * gamma * (T**2).sum() - a @ z[:6] - b @ z[6:]
        return fun, np.concatenate([T.sum(1) - a, T.sum(0) - b])

    found = minimize(dual, np.zeros(11), jac=True, options={"gtol": 1e-9, "maxiter": 5000})
    assert np.isclose(result.fun, -found.fun, atol=1e-9)
    f, g = result.potentials
    assert np.allclose(np.maximum(f[:, None] + g - C, 0.0) / gamma, result.plan, atol=1e-6)


def test_values_fall_with_k_and_rise_with_gamma(rng):
    C, a, b = random_problem(rng, 8, 8)
    values = [transport.cardinality(C, a, b, k=k, gamma=1.0).fun for k in (3, 4, 6, 8)]
    assert np.all(np.diff(values) <= 1e-9)
    values = [transport.cardinality(C, a, b, k=3, gamma=g).fun for g in (0.01, 0.1, 1.0, 10.0)]
    assert np.all(np.diff(values) >= -1e-9)


@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(2, 7), st.sampled_from([0.05, 1.0]))
def test_certificate_holds_on_random_problems(seed, n, m, gamma):
    rng = np.random.default_rng(seed)
    C, a, b = random_problem(rng, n, m)
    k = min(n, -(-(n + m - 1) // m))
    result = transport.cardinality(C, a, b, k=k, gamma=gamma)
    assert result.certificate <= 1e-9
    assert result.gap >= -1e-12
    P = result.sparse_plan()
    assert np.allclose(P.sum(axis=1), a, atol=1e-14)
    assert np.allclose(P.sum(axis=0), b, atol=1e-14)
    assert result.bracket[0] - 1e-12 <= exact_cost(C, a, b) <= result.bracket[1] + 1e-12
    assert abs(result.potentials[0] @ a) < 1e-12


@pytest.mark.parametrize("limited", [False, True])
def test_newton_system_is_the_derivative(rng, limited, monkeypatch):
    C, a, b = random_problem(rng, 7, 5)
    columns = Columns(np.ascontiguousarray(C.T), a, b, 2 if limited else 7, 1.0)
    centre, rho = np.outer(b, a), 5.0
    alpha = 0.02 * rng.standard_normal(7)
    direction = rng.standard_normal(7)
    fit = columns.fitted(alpha, centre, rho)
    ahead = columns.fitted(alpha + 1e-6 * direction, centre, rho)
    back = columns.fitted(alpha - 1e-6 * direction, centre, rho)
    assert np.array_equal(ahead.kinds, back.kinds) and (fit.kinds == FREE).any() == limited
    # The gradient of the concave function is what the rows lack.
    assert np.isclose((ahead.fun - back.fun) / 2e-6, fit.residual @ direction, atol=1e-7)
    # Solving for the change of the row sums gives back the direction, up to a constant.
    change = (ahead.plan - back.plan).sum(axis=0) / 2e-6
    for dense in (2000, 0):
        monkeypatch.setattr(_cardinality_newton, "DENSE", dense)
        step = newton_step(fit.kinds, columns.k, 1.0, rho, change, 1e-13, 1e-12)
        assert np.allclose(step - step.mean(), direction - direction.mean(), atol=1e-5)


def test_conjugate_gradients_reach_the_same_answer(monkeypatch):
    C = clouds(30, 25)
    expected = transport.cardinality(C, k=3, gamma=1.0)
    monkeypatch.setattr(_cardinality_newton, "DENSE", 0)
    result = transport.cardinality(C, k=3, gamma=1.0)
    assert result.success
    assert np.isclose(result.fun, expected.fun, atol=1e-9)


def test_warm_start_ends_at_once():
    C = clouds(40, 40)
    first = transport.cardinality(C, k=2, gamma=1.0)
    assert transport.cardinality(C, k=2, gamma=1.0, x0=first).nit <= 1
    again = transport.cardinality(C, k=2, gamma=1.0, x0=first.potentials)
    by_g = transport.cardinality(C, k=2, gamma=1.0, x0=first.potentials[1])
    assert np.isclose(again.fun, first.fun, atol=1e-9)
    assert np.isclose(by_g.fun, first.fun, atol=1e-9)


@pytest.mark.parametrize("mode", ["relaxed", "hard"])
def test_atoms_without_mass(mode):
    C = clouds(12, 10)
    a, b = np.ones(12), np.ones(10)
    a[[0, 5, 11]] = b[[0, 9]] = 0.0
    a, b = a / a.sum(), b / b.sum()
    result = transport.cardinality(C, a, b, k=3, gamma=1.0, mode=mode)
    inner = transport.cardinality(
        C[np.ix_(a > 0, b > 0)], a[a > 0], b[b > 0], k=3, gamma=1.0, mode=mode
    )
    assert np.allclose(result.plan[np.ix_(a > 0, b > 0)], inner.plan, atol=1e-12)
    assert not result.plan[a == 0].any() and not result.plan[:, b == 0].any()
    assert np.isfinite(result.x).all()
    assert np.isclose(result.fun, dual_objective(result, C, a, b), atol=1e-12)


@pytest.mark.parametrize("mode", ["relaxed", "hard"])
def test_single_atoms_and_constant_costs(mode):
    one = transport.cardinality([[2.0]], k=1, gamma=3.0, mode=mode)
    assert one.plan.tolist() == [[1.0]] and np.isclose(one.value, 3.5)
    row = transport.cardinality(np.arange(4.0)[None], k=1, mode=mode)
    assert np.allclose(row.plan, 0.25)
    column = transport.cardinality(np.arange(4.0)[:, None], k=4, mode=mode)
    assert np.allclose(column.plan, 0.25)
    flat = transport.cardinality(np.full((4, 4), 7.0), k=4, mode=mode)
    assert np.allclose(flat.plan, 1 / 16)
    assert np.isclose(flat.cost, 7.0)


def test_forbidden_pairs_stay_empty(rng):
    C = clouds(15, 12)
    C[rng.uniform(size=C.shape) < 0.4] = np.inf
    for mode in ("relaxed", "hard"):
        result = transport.cardinality(C, k=4, gamma=1.0, mode=mode)
        assert not result.plan[np.isinf(C)].any()
        assert not result.sparse_plan().toarray()[np.isinf(C)].any()
        assert np.isfinite(result.value) and result.gap >= -1e-12


def test_scales_offsets_and_types():
    C = clouds(20, 15)
    plain = transport.cardinality(C, k=3, gamma=0.5)
    shifted = transport.cardinality(C + 1e6, k=3, gamma=0.5)
    assert np.isclose(shifted.fun - 1e6, plain.fun, atol=1e-8)
    assert np.allclose(shifted.plan, plain.plan, atol=1e-6)
    scaled = transport.cardinality(C * 1e-6, k=3, gamma=0.5e-6)
    assert np.allclose(scaled.plan, plain.plan, atol=1e-8)
    mass = np.full(20, 50.0), np.full(15, 1000.0 / 15)
    heavy = transport.cardinality(C, *mass, k=3, gamma=0.5e-3)
    assert np.allclose(heavy.plan / 1000.0, plain.plan, atol=1e-8)
    single = transport.cardinality(C.astype(np.float32), k=3, gamma=0.5)
    assert single.plan.dtype == np.float32
    assert np.allclose(single.plan, plain.plan, atol=1e-5)
    points = np.linspace(0, 1, 6), np.linspace(0, 1, 5)
    lazy = transport.cardinality(transport.PointCost(*points), k=3, gamma=0.1, sparse=True)
    dense = transport.cardinality((points[0][:, None] - points[1]) ** 2, k=3, gamma=0.1)
    assert np.allclose(lazy.plan.toarray(), dense.plan, atol=1e-8)


def test_masses_over_many_orders():
    rng = np.random.default_rng(1)
    a, b = 10 ** rng.uniform(-12, 0, 40), 10 ** rng.uniform(-12, 0, 40)
    result = transport.cardinality(clouds(40, 40), a / a.sum(), b / b.sum(), k=3, gamma=1.0)
    assert result.success and np.isfinite(result.x).all()


def test_runs_repeat_and_input_is_left_alone(rng):
    C, a, b = random_problem(rng, 9, 8)
    kept = C.copy(), a.copy(), b.copy()
    one = transport.cardinality(C, a, b, k=3, gamma=1.0, mode="hard")
    two = transport.cardinality(np.asfortranarray(C), a, b, k=3, gamma=1.0, mode="hard")
    assert np.array_equal(one.plan, two.plan) and np.array_equal(one.x, two.x)
    assert all(np.array_equal(x, y) for x, y in zip(kept, (C, a, b), strict=True))


def test_record_survives_a_file(tmp_path):
    result = transport.cardinality(clouds(8, 8), k=2, gamma=1.0)
    result.save(tmp_path / "r.npz")
    again = transport.CardinalityResult.load(tmp_path / "r.npz")
    assert np.array_equal(again.plan, result.plan)
    assert again.value == result.value and again.max_nonzeros == result.max_nonzeros


def test_budget_and_callback():
    C = clouds(30, 30)
    with pytest.warns(ConvergenceWarning):
        short = transport.cardinality(C, k=2, gamma=1.0, max_iter=6)
    assert not short.success
    full = transport.cardinality(C, k=2, gamma=1.0)
    assert short.fun <= full.fun + 1e-12 <= short.value + 2e-12
    assert np.isclose(short.gap, short.value - short.fun)
    seen = []

    def stop(state):
        seen.append(state.nit)
        if state.nit == 3:
            raise StopIteration

    stopped = transport.cardinality(C, k=2, gamma=1.0, callback=stop)
    assert seen == [1, 2, 3] and stopped.nit == 3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"k": 0}, ValueError, "k must be"),
        ({"k": 5}, ValueError, "k must be"),
        ({"k": 1.5}, TypeError, "k must be"),
        ({"gamma": 0.0}, ValueError, "gamma"),
        ({"gamma": np.nan}, ValueError, "gamma"),
        ({"mode": "soft"}, ValueError, "mode"),
        ({"method": "lbfgs"}, ValueError, "method"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"max_nodes": -1}, ValueError, "max_nodes"),
        ({"a": [0.5, 0.5, 0.5, -0.5]}, ValueError, "a must"),
        ({"a": [1.0, 1.0, 1.0, 1.0]}, ValueError, "b must"),
        ({"C": np.full((4, 3), np.nan)}, ValueError, "C must"),
        ({"C": np.zeros((0, 3))}, ValueError, "C must"),
        ({"C": np.zeros((4, 3)), "k": 1}, ValueError, "k must be at least 2"),
        ({"x0": np.zeros(7)}, ValueError, "x0"),
    ],
)
def test_bad_input(change, error, words):
    arguments = {"C": np.ones((4, 3)), "k": 2} | change
    with pytest.raises(error, match=words):
        transport.cardinality(**arguments)


def test_an_infeasible_support_is_refused():
    C = np.full((4, 4), np.inf)
    C[:2, 0] = C[2:, :] = 1.0
    with pytest.raises(ValueError, match="infeasible support"):
        transport.cardinality(C, k=3)
