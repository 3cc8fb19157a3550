"""Quadratic transport against closed forms, cvxpy, linear programming and its own invariances."""

import dataclasses
import itertools
import pickle
import warnings

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from sparseopt import ConvergenceWarning, transport
from sparseopt.transport._quadratic_kernels import positive_part, row_root


def task(seed=0, n=12, m=9, mass=1.0):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.05, rng.random(m) + 0.05
    return rng.random((n, m)), mass * a / a.sum(), mass * b / b.sum()


def clouds(n=500):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 5)), rng.standard_normal((n, 5))
    y[: n // 2] += 2
    y[n // 2 :] *= 0.5
    C = ((x[:, None] - y[None]) ** 2).sum(-1)
    return C / C.max(), None, None


def linear_program(C, a, b):
    n, m = C.shape
    A = np.zeros((n + m, n * m))
    for i, j in itertools.product(range(n), range(m)):
        A[i, i * m + j] = A[n + j, i * m + j] = 1.0
    return linprog(C.ravel(), A_eq=A[:-1], b_eq=np.concatenate([a, b])[:-1]).fun


def check_optimal(result, C, a, b, gamma, tol=1e-8):
    """The conditions of optimality, from the plan and the potentials alone."""
    f, g = result.potentials
    P = np.asarray(result.plan, float)
    slack = f[:, None] + g - np.asarray(C, float)
    assert np.abs(P.sum(1) - a).sum() + np.abs(P.sum(0) - b).sum() <= 2e-9 * a.sum()
    assert np.abs(P - np.maximum(slack, 0.0) / gamma).max() <= tol * P.max()


# --------------------------------------------------------------------------- the scalar problem


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12),
    st.floats(1e-3, 1e3),
    st.floats(-2e3, 2e3),
)
def test_row_root_is_the_root_from_any_start(values, target, start):
    v = np.array(values)
    u = row_root(v, v.size, target, start)
    total, count = positive_part(v, v.size, u)
    assert total == pytest.approx(np.maximum(u + v, 0.0).sum(), rel=1e-12)
    assert count == (u + v > 0.0).sum()
    assert total == pytest.approx(target, rel=1e-9, abs=1e-10)


# --------------------------------------------------------------------------- values


@pytest.mark.extras
@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("shape", [(6, 7), (2, 9), (5, 5)])
def test_agrees_with_a_conic_solver(gamma, shape):
    cp = require("cvxpy")
    C, a, b = task(3, *shape)
    T = cp.Variable(shape, nonneg=True)
    objective = cp.sum(cp.multiply(C, T)) + gamma / 2 * cp.sum_squares(T)
    problem = cp.Problem(cp.Minimize(objective), [cp.sum(T, 1) == a, cp.sum(T, 0) == b])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    result = transport.quadratic(C, a, b, gamma)
    assert result.value == pytest.approx(problem.value, rel=1e-8)
    assert result.fun == pytest.approx(problem.value, rel=1e-8)
    np.testing.assert_allclose(result.plan, T.value, atol=1e-5)
    check_optimal(result, C, a, b, gamma)


def test_one_atom_on_a_side_leaves_no_choice():
    rng = np.random.default_rng(1)
    for n, m in [(1, 1), (1, 6), (6, 1)]:
        C, a, b = task(2, n, m, mass=3.0)
        result = transport.quadratic(C, a, b, 0.3)
        np.testing.assert_allclose(result.plan, np.outer(a, b) / 3.0, rtol=1e-9)
        assert result.cost == pytest.approx((C * np.outer(a, b)).sum() / 3.0)
        assert result.gap == pytest.approx(0.0, abs=1e-12)
    assert transport.quadratic(rng.random((1, 1)), None, None, 1.0).plan == 1.0


@pytest.mark.parametrize("gamma", [1e-3, 1.0, 1e3])
def test_constant_costs_spread_the_mass(gamma):
    """Of all plans the shortest is a_i / m + b_j / n - M / (n m), if that is nonnegative."""
    rng = np.random.default_rng(0)
    a, b = 1.0 + 0.1 * rng.random(5), 1.0 + 0.1 * rng.random(8)
    b *= a.sum() / b.sum()
    result = transport.quadratic(np.full((5, 8), 7.0), a, b, gamma)
    expected = a[:, None] / 8 + b / 5 - a.sum() / 40
    np.testing.assert_allclose(result.plan, expected, rtol=1e-7)


def test_large_strength_has_the_full_support_solution():
    """Without active bounds the plan is linear in the doubly centred costs."""
    C, a, b = task(4, 6, 5)
    a[:], b[:] = 1 / 6, 1 / 5
    centred = C - C.mean(0) - C.mean(1)[:, None] + C.mean()
    np.testing.assert_allclose(
        transport.quadratic(C, a, b, 1e3).plan, 1 / 30 - centred / 1e3, rtol=1e-6
    )


@pytest.mark.parametrize("gamma", [1e-6, 1e-3])
def test_small_strength_gives_a_linear_optimum(gamma):
    C, a, b = task(5, 15, 11)
    result = transport.quadratic(C, a, b, gamma, sparse=True)
    assert result.success
    assert result.cost == pytest.approx(linear_program(C, a, b), rel=1e-7)
    assert result.plan.nnz <= 15 + 11 + 26
    assert result.certificate <= 1e-9


def test_of_tied_linear_optima_the_shortest():
    """Costs whose optimal face is the set of all plans on the even pairs."""
    C = np.add.outer(np.arange(6), np.arange(6)) % 2 * 1.0
    even = np.full(6, 1 / 6)
    result = transport.quadratic(C, even, even, 1e-4)
    np.testing.assert_allclose(result.plan, (1.0 - C) / 18, atol=1e-10)


@pytest.mark.parametrize(("gamma", "entries"), [(10.0, 8.99), (1.0, 2.9), (0.1, 1.5)])
def test_clouds_have_the_known_values(gamma, entries):
    value = {10.0: 0.064254756386, 1.0: 0.061571631383, 0.1: 0.060975545959}[gamma]
    result = transport.quadratic(*clouds(), gamma)
    assert result.success
    assert result.value == pytest.approx(value, abs=2e-11)
    assert result.entries["data"].size / 500 == pytest.approx(entries, abs=0.05)
    assert result.nit <= 60


# --------------------------------------------------------------------------- certificates


@pytest.mark.parametrize("gamma", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_bracket_and_gap(gamma, seed):
    C, a, b = task(seed, 14, 10)
    exact = linear_program(C, a, b)
    result = transport.quadratic(C, a, b, gamma)
    lower, upper = result.bracket
    assert lower <= exact + 1e-12
    assert exact <= upper + 1e-12
    assert -1e-12 <= result.gap / abs(result.value) <= 1e-8
    assert result.marginal_error == pytest.approx(result.certificate, abs=1e-12)
    assert result.relative_marginal_error <= 1e-6


@pytest.mark.parametrize("max_iter", [0, 1, 3, 8])
def test_an_early_end_keeps_valid_certificates(max_iter):
    C, a, b = task(6, 20, 25)
    exact = linear_program(C, a, b)
    with pytest.warns(ConvergenceWarning, match=f"after {max_iter} iteration"):
        result = transport.quadratic(C, a, b, 1e-3, max_iter=max_iter)
    assert not result.success
    assert result.certificate > 1e-9
    assert "nan" not in result.message
    assert result.marginal_error == pytest.approx(result.certificate, rel=1e-6)
    assert result.gap >= -1e-12
    assert result.bracket[0] <= exact + 1e-12 <= result.bracket[1] + 2e-12
    best = transport.quadratic(C, a, b, 1e-3)
    assert result.fun <= best.value + 1e-12
    assert best.fun <= result.value + 1e-12


def test_sparse_plan_has_exact_marginals():
    C, a, b = task(7, 30, 40)
    result = transport.quadratic(C, a, b, 0.1, tol=1e-4, sparse=True)
    P = result.plan
    np.testing.assert_allclose(P.sum(1), a, rtol=0, atol=1e-12)
    np.testing.assert_allclose(P.sum(0), b, rtol=0, atol=1e-12)
    assert P.data.min() >= 0.0
    dense = transport.quadratic(C, a, b, 0.1, tol=1e-4).plan
    assert np.abs(P.toarray() - dense).sum() <= 2.1 * result.certificate
    assert result.sparse_plan(0.01).nnz <= P.nnz + 70


def test_cost_and_strength_trade():
    """The cost falls and the norm of the plan grows as the strength falls."""
    C, a, b = task(8)
    runs = [transport.quadratic(C, a, b, gamma) for gamma in (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)]
    for low, high in itertools.pairwise(runs):
        assert low.cost <= high.cost + 1e-10
        assert (low.plan**2).sum() >= (high.plan**2).sum() - 1e-10
        assert low.value <= high.value + 1e-10


# --------------------------------------------------------------------------- invariances


def test_costs_of_atoms_only_shift_the_potentials():
    C, a, b = task(9)
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=12), rng.normal(size=9)
    base = transport.quadratic(C, a, b, 0.2)
    moved = transport.quadratic(C + u[:, None] + v, a, b, 0.2)
    np.testing.assert_allclose(moved.plan, base.plan, atol=1e-9)
    if base.entries["data"].size >= 12 + 9 - 1:
        f, g = base.potentials
        shift = float(a @ u)
        np.testing.assert_allclose(moved.potentials[0], f + u - shift, atol=1e-7)
        np.testing.assert_allclose(moved.potentials[1], g + v + shift, atol=1e-7)
    assert moved.fun == pytest.approx(base.fun + a @ u + b @ v, abs=1e-9)


@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.3, 5.0]), st.floats(1e-3, 1e3))
def test_scaling(seed, gamma, scale):
    C, a, b = task(seed, 5, 6)
    base = transport.quadratic(C, a, b, gamma)
    dearer = transport.quadratic(scale * C, a, b, scale * gamma)
    np.testing.assert_allclose(dearer.plan, base.plan, atol=1e-8)
    heavier = transport.quadratic(C, scale * a, scale * b, gamma / scale)
    np.testing.assert_allclose(heavier.plan, scale * base.plan, atol=1e-8 * scale)


def test_permutation_and_transposition():
    C, a, b = task(10)
    rng = np.random.default_rng(0)
    rows, cols = rng.permutation(12), rng.permutation(9)
    base = transport.quadratic(C, a, b, 0.1).plan
    swapped = transport.quadratic(C[np.ix_(rows, cols)], a[rows], b[cols], 0.1).plan
    np.testing.assert_allclose(swapped, base[np.ix_(rows, cols)], atol=1e-9)
    turned = transport.quadratic(C.T, b, a, 0.1)
    np.testing.assert_allclose(turned.plan, base.T, atol=1e-9)


# --------------------------------------------------------------------------- stress


@pytest.mark.parametrize("gamma", [1e-6, 1e-2, 1e6])
def test_masses_over_twelve_orders(gamma):
    rng = np.random.default_rng(0)
    a, b = 10.0 ** rng.uniform(-12, 0, 20), 10.0 ** rng.uniform(-12, 0, 15)
    b *= a.sum() / b.sum()
    result = transport.quadratic(rng.random((20, 15)), a, b, gamma)
    assert result.success
    assert np.isfinite(result.plan).all()
    fine = transport.quadratic(rng.random((20, 15)), a, b, gamma, sparse=True)
    np.testing.assert_allclose(fine.plan.sum(1), a, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gamma", [1e-6, 1e6])
def test_extreme_strengths(gamma):
    C, a, b = task(11, 40, 30)
    result = transport.quadratic(C, a, b, gamma)
    assert result.success
    assert result.marginal_error <= 1e-9
    assert -1e-12 <= result.gap / result.value <= 1e-8


@pytest.mark.parametrize("shape", [(3, 300), (300, 3)])
@pytest.mark.parametrize("gamma", [1e-4, 1.0, 1e3])
def test_very_different_sizes(shape, gamma):
    C, a, b = task(12, *shape)
    result = transport.quadratic(C, a, b, gamma)
    assert result.success
    check_optimal(result, C, a, b, gamma, tol=1e-6)


def test_a_large_offset_changes_nothing():
    C, a, b = task(13)
    C = np.round(C * 2**20) / 2**20  # exact under the offset
    base, moved = transport.quadratic(C, a, b, 0.1), transport.quadratic(C + 1e8, a, b, 0.1)
    np.testing.assert_allclose(moved.plan, base.plan, atol=1e-6)
    assert moved.success
    assert moved.cost == pytest.approx(base.cost + 1e8, rel=1e-14)


def test_atoms_without_mass():
    C, a, b = task(14)
    a[[0, 5, 11]] = 0.0
    b[[0, 8]] = 0.0
    b *= a.sum() / b.sum()
    result = transport.quadratic(C, a, b, 0.1)
    rows, cols = a > 0.0, b > 0.0
    assert not result.plan[~rows].any()
    assert not result.plan[:, ~cols].any()
    inner = transport.quadratic(C[np.ix_(rows, cols)], a[rows], b[cols], 0.1)
    np.testing.assert_allclose(result.plan[np.ix_(rows, cols)], inner.plan, atol=1e-12)
    f, g = result.potentials
    assert np.isfinite(f).all()
    assert np.isfinite(g).all()
    slack = f[:, None] + g - C
    assert slack[~rows][:, cols].max() <= 1e-12
    assert slack[:, ~cols].max() <= 1e-12
    only = transport.quadratic(C, np.eye(12)[3], np.eye(9)[4], 1.0)
    assert only.plan[3, 4] == pytest.approx(1.0)
    assert only.plan.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("gamma", [1e-4, 0.1, 10.0])
def test_ties_and_duplicates(gamma):
    rng = np.random.default_rng(0)
    C = rng.integers(0, 3, (20, 20)).astype(float)
    C[10:] = C[:10]
    result = transport.quadratic(C, None, None, gamma)
    assert result.success
    np.testing.assert_allclose(result.plan[10:], result.plan[:10], atol=1e-8)


def test_zero_costs_are_spread_evenly():
    np.testing.assert_allclose(transport.quadratic(np.zeros((3, 4)), None, None, 2.0).plan, 1 / 12)


# --------------------------------------------------------------------------- forbidden pairs


@pytest.mark.parametrize("gamma", [1e-3, 0.1, 100.0])
def test_forbidden_pairs_restrict_the_support(gamma):
    C, a, b = task(15, 10, 10)
    mask = np.random.default_rng(1).random((10, 10)) < 0.5
    np.fill_diagonal(mask, True)
    b = np.roll(a, 0)
    result = transport.quadratic(np.where(mask, C, np.inf), a, b, gamma)
    assert result.success
    assert not result.plan[~mask].any()
    # Costs no plan would pay give the same plan.
    priced = transport.quadratic(np.where(mask, C, 1e3 + 1e3 * gamma), a, b, gamma)
    np.testing.assert_allclose(result.plan, priced.plan, atol=1e-7)
    assert result.value == pytest.approx(priced.value, rel=1e-7)
    exact = result.sparse_plan()
    np.testing.assert_allclose(exact.sum(1), a, rtol=0, atol=1e-12)
    assert not exact.toarray()[~mask].any()


@pytest.mark.parametrize("gamma", [1e-4, 1.0])
def test_an_infeasible_support_is_named(gamma):
    C, a, b = task(16, 10, 10)
    C[:6, 2:] = np.inf
    a[:6] += 1.0
    a /= a.sum()
    with pytest.warns(ConvergenceWarning, match="infeasible support: .* rows with mass"):
        result = transport.quadratic(C, a, b, gamma)
    assert not result.success
    assert "infeasible support" in result.message
    assert "nan" not in result.message
    assert result.certificate == pytest.approx(result.marginal_error)
    assert np.isfinite(result.plan).all()
    assert result.nit < 100


def test_components_must_balance():
    C = np.array([[0.0, np.inf], [np.inf, 0.0]])
    with pytest.warns(ConvergenceWarning, match="infeasible support"):
        transport.quadratic(C, [0.4, 0.6], [0.3, 0.7], 1.0)
    result = transport.quadratic(C, [0.4, 0.6], [0.4, 0.6], 1.0)
    np.testing.assert_allclose(result.plan, np.diag([0.4, 0.6]))


# --------------------------------------------------------------------------- input and control


def test_costs_of_points():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 2)), rng.random((30, 2))
    cost = transport.PointCost(x, y, metric="euclidean")
    lazy = transport.quadratic(cost, None, None, 0.1)
    dense = transport.quadratic(cost.to_array(), None, None, 0.1)
    np.testing.assert_allclose(lazy.plan, dense.plan, atol=1e-9)
    assert lazy.value == pytest.approx(dense.value)


def test_costs_made_again_for_every_pass(monkeypatch):
    """As for clouds whose costs do not fit in memory."""
    import sparseopt.transport._costs as costs
    import sparseopt.transport._quadratic_newton as newton

    rng = np.random.default_rng(0)
    cost = transport.PointCost(rng.random((50, 2)), rng.random((60, 2)))
    base = transport.quadratic(cost, None, None, 0.1)
    monkeypatch.setattr(newton, "KEEP", 0)
    monkeypatch.setattr(costs, "TILE", 7 * 60)
    streamed = transport.quadratic(cost, None, None, 0.1)
    np.testing.assert_array_equal(streamed.plan, base.plan)
    assert streamed.nit == base.nit


def test_single_precision():
    C, a, b = (v.astype(np.float32) for v in task(17))
    result = transport.quadratic(C, a, b, 0.1)
    assert result.plan.dtype == np.float32
    assert result.potentials[0].dtype == np.float64
    double = transport.quadratic(C.astype(float), a.astype(float), b.astype(float), 0.1)
    np.testing.assert_allclose(result.plan, double.plan, atol=1e-7)
    assert result.success


@pytest.mark.parametrize("gamma", [1e-5, 0.01, 1.0])
def test_warm_start(gamma):
    C, a, b = task(18, 30, 20)
    cold = transport.quadratic(C, a, b, gamma)
    for x0 in (cold, cold.potentials, cold.potentials[1]):
        warm = transport.quadratic(C, a, b, gamma, x0=x0)
        assert warm.success
        assert warm.nit <= 2
        np.testing.assert_allclose(warm.plan, cold.plan, atol=1e-8)
    near = transport.quadratic(C, a, b, gamma * 0.98, x0=cold)
    assert near.success
    check_optimal(near, C, a, b, gamma * 0.98, tol=1e-5)


def test_a_bad_warm_start_is_no_trap():
    C, a, b = task(19)
    base = transport.quadratic(C, a, b, 0.1)
    x0 = 1e3 * np.random.default_rng(0).normal(size=9)
    far = transport.quadratic(C, a, b, 0.1, x0=x0)
    assert far.success
    np.testing.assert_allclose(far.plan, base.plan, atol=1e-8)


def test_inputs_stay_as_they_were():
    C, a, b = task(20)
    g = np.zeros(9)
    copies = C.copy(), a.copy(), b.copy()
    for v in (C, a, b, g):
        v.flags.writeable = False
    transport.quadratic(C, a, b, 0.1, x0=g)
    for kept, v in zip(copies, (C, a, b), strict=True):
        np.testing.assert_array_equal(kept, v)
    strided = np.asfortranarray(np.repeat(C, 2, axis=1))[:, ::2]
    np.testing.assert_array_equal(
        transport.quadratic(strided, a, b, 0.1).plan, transport.quadratic(C, a, b, 0.1).plan
    )


def test_history_callback_and_repeatability():
    C, a, b = task(21, 30, 30)
    seen = []
    result = transport.quadratic(C, a, b, 1e-3, callback=lambda state: seen.append(state.nit))
    assert seen == list(range(1, result.nit + 1))
    history = result.history
    assert (np.diff(history["gamma"]) <= 0.0).all()
    assert history["gamma"][-1] == 1e-3
    assert history["nnz"][-1] == result.entries["data"].size
    last = history["gamma"] == 1e-3
    assert (np.diff(history["fun"][last]) >= -1e-12).all()
    again = transport.quadratic(C, a, b, 1e-3)
    np.testing.assert_array_equal(again.x, result.x)

    def stop(state):
        raise StopIteration

    stopped = transport.quadratic(C, a, b, 1e-3, callback=stop)
    assert stopped.nit == 1
    assert np.isfinite(stopped.certificate)
    assert stopped.marginal_error == pytest.approx(stopped.certificate)


def test_steps_near_the_solution_are_newton_steps():
    """The error falls faster than linearly at the end."""
    result = transport.quadratic(*clouds(200), 1.0, tol=1e-12)
    error = result.history["certificate"]
    error = error[np.isfinite(error)]
    assert error[-1] <= 1e-2 * error[-2]


def test_records_survive(tmp_path):
    C, a, b = task(22)
    result = transport.quadratic(C, a, b, 0.1)
    result.save(tmp_path / "record.npz")
    for copy in (
        transport.QuadraticResult.load(tmp_path / "record.npz"),
        pickle.loads(pickle.dumps(result)),
        dataclasses.replace(result),
    ):
        np.testing.assert_array_equal(copy.plan, result.plan)
        assert copy.value == result.value
        assert copy.gamma == 0.1


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"gamma": 0.0}, ValueError, "gamma"),
        ({"gamma": -1.0}, ValueError, "gamma"),
        ({"gamma": np.nan}, ValueError, "gamma"),
        ({"gamma": np.inf}, ValueError, "gamma"),
        ({"gamma": "1"}, TypeError, "gamma"),
        ({"C": np.full((12, 9), np.nan)}, ValueError, "C"),
        ({"C": np.full((12, 9), -np.inf)}, ValueError, "C"),
        ({"C": np.full((12, 9), np.inf)}, ValueError, "C"),
        ({"C": np.ones((12, 9), complex)}, TypeError, "C"),
        ({"C": np.ones((0, 9))}, ValueError, "C"),
        ({"a": np.full(12, -1.0)}, ValueError, "a"),
        ({"a": np.full(12, np.nan)}, ValueError, "a"),
        ({"a": np.full(11, 1 / 11)}, ValueError, "a"),
        ({"a": np.full(12, 1.0)}, ValueError, "total mass"),
        ({"b": np.zeros(9)}, ValueError, "b"),
        ({"tol": 0.0}, ValueError, "tol"),
        ({"max_iter": -1}, ValueError, "max_iter"),
        ({"x0": np.zeros(8)}, ValueError, "x0"),
        ({"x0": np.full(9, np.nan)}, ValueError, "x0"),
        ({"x0": (np.zeros(9), np.zeros(12))}, ValueError, "x0"),
    ],
)
def test_bad_input(change, error, match):
    C, a, b = task(23)
    given_ = {"C": C, "a": a, "b": b, "gamma": 1.0} | change
    with pytest.raises(error, match=match), warnings.catch_warnings():
        warnings.simplefilter("error")
        transport.quadratic(**given_)


@pytest.mark.parametrize("strength", [1e-17, 1e-18, 1e-25, 1e-100])
def test_strengths_below_the_rounding_of_the_costs(strength):
    C = np.random.default_rng(0).random((4, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = transport.quadratic(C, None, None, strength)
    assert np.isfinite(result.plan).all()
    assert result.success == (result.marginal_error <= 1e-9)
    assert result.success or strength < 1e-17
    exact = linear_program(C, np.full(4, 0.25), np.full(5, 0.2))
    assert result.bracket[0] - 1e-7 <= exact <= result.bracket[1] + 1e-7


@pytest.mark.parametrize("scale", [1e200, 1e300, 1e-200, 1e-300])
def test_squares_out_of_range_end_the_run(scale):
    C = np.random.default_rng(0).random((4, 5)) * scale
    with pytest.warns(ConvergenceWarning):
        result = transport.quadratic(C, None, None, 0.1 * scale, max_iter=50)
    assert np.isfinite(result.plan).all()


def test_path_longer_than_the_range_of_numbers():
    C = np.random.default_rng(0).random((3, 3)) * 1e20
    assert transport.quadratic(C, None, None, 1e-300, max_iter=5000).marginal_error <= 2.0


def test_sparse_plan_stays_off_forbidden_pairs_where_atoms_are_tiny():
    rng = np.random.default_rng(1)
    mass = (rng.random((12, 10)) < 0.5) * 10.0 ** rng.uniform(-13, 0, (12, 10))
    mass[np.arange(12), np.arange(12) % 10] += 1e-12
    C = np.where(mass > 0.0, rng.random(mass.shape), np.inf)
    a, b = mass.sum(axis=1), mass.sum(axis=0)
    plan = transport.quadratic(C, a, b, 0.01).sparse_plan().toarray()
    assert not plan[np.isinf(C)].any()
    error = np.abs(plan.sum(axis=1) - a).sum() + np.abs(plan.sum(axis=0) - b).sum()
    assert error <= 1e-12 * a.sum()
