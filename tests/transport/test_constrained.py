"""Entropic transport under linear constraints."""

import numpy as np
import pytest
from entropic_tasks import random_task
from helpers import require
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sparseopt import ConvergenceWarning, transport
from sparseopt.transport._constrained_newton import _Solver
from sparseopt.transport._problem import check_problem


def constrained_task(seed, n=7, m=6, eps=0.1):
    """A problem with one binding constraint of each kind that the product plan nearly meets."""
    C, a, b = random_task(seed, n, m)
    D = np.random.default_rng(seed + 1000).standard_normal((3, n, m))
    free = transport.entropic(C, a, b, eps).plan
    inner = (D * free).sum(axis=(1, 2))
    tight = [(D[0], ">=", inner[0] + 0.03), (D[1], "<=", inner[1] - 0.03), (D[2], "==", inner[2])]
    return C, a, b, tight


def normal_form(constraints, mass):
    """Matrices E and whether the constraint is an inequality."""
    signs = {">=": 1.0, "<=": -1.0, "==": 1.0}
    E = np.array([signs[r] * (D - d / mass) for D, r, d in constraints])
    return E, np.array([r != "==" for _, r, _ in constraints])


def dual(C, a, b, eps, E, at_least, f, g, w):
    P = np.exp((f[:, None] + g - C + np.tensordot(w, E, 1)) / eps)
    return a @ f + b @ g - eps * P.sum() - eps * np.exp(-w[at_least] / eps).sum()


def linear_program(C, a, b, constraints):
    """The least cost without entropy."""
    n, m = C.shape
    rows = np.kron(np.eye(n), np.ones(m))
    cols = np.kron(np.ones(n), np.eye(m))
    E, at_least = normal_form(constraints, a.sum())
    E = E.reshape(len(E), -1)
    done = linprog(
        C.ravel(),
        A_eq=np.vstack([rows, cols, E[~at_least]]),
        b_eq=np.concatenate([a, b, np.zeros((~at_least).sum())]),
        A_ub=-E[at_least],
        b_ub=np.zeros(at_least.sum()),
    )
    assert done.status == 0
    return done.fun


@pytest.mark.extras
@pytest.mark.parametrize("eps", [0.2, 0.03])
def test_equals_a_conic_solver(eps):
    cp = require("cvxpy")
    C, a, b, constraints = constrained_task(0, eps=eps)
    E, at_least = normal_form(constraints, 1.0)
    ours = transport.constrained(C, a, b, eps, constraints, tol=1e-11)
    P, s = cp.Variable(C.shape), cp.Variable(3)
    inner = cp.hstack([cp.sum(cp.multiply(e, P)) for e in E])
    inequality = at_least.astype(float)
    objective = cp.sum(cp.multiply(C, P)) - eps * cp.sum(cp.entr(P)) - eps * cp.sum(P)
    objective -= eps * (cp.sum(cp.entr(s[:2])) + cp.sum(s[:2]))
    model = cp.Problem(
        cp.Minimize(objective),
        [cp.sum(P, axis=1) == a, cp.sum(P, axis=0) == b, inner == cp.multiply(inequality, s)],
    )
    model.solve(solver="CLARABEL")
    assert ours.fun == pytest.approx(model.value, abs=1e-7)
    assert ours.value == pytest.approx(ours.fun, abs=1e-9)
    np.testing.assert_allclose(ours.plan, P.value, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.1, 0.02]))
def test_optimality_conditions(seed, eps):
    C, a, b, constraints = constrained_task(seed, eps=eps)
    E, at_least = normal_form(constraints, 1.0)
    result = transport.constrained(C, a, b, eps, constraints, tol=1e-11)
    f, g = result.potentials
    w = result.multipliers
    P = np.exp((f[:, None] + g - C + np.tensordot(w, E, 1)) / eps)
    np.testing.assert_allclose(result.plan, P, rtol=1e-9)
    np.testing.assert_allclose(P.sum(axis=1), a, atol=1e-10)
    np.testing.assert_allclose(P.sum(axis=0), b, atol=1e-10)
    slacks = (E * P).sum(axis=(1, 2))
    wanted = np.where(at_least, np.exp(-w / eps), 0.0)
    np.testing.assert_allclose(slacks, wanted, atol=1e-9)
    np.testing.assert_allclose(result.slacks, slacks, atol=1e-12)
    assert result.certificate <= 1e-11
    certificate = result.marginal_error + result.constraint_residuals.sum()
    assert certificate == pytest.approx(result.certificate, abs=1e-13)
    assert result.fun == pytest.approx(dual(C, a, b, eps, E, at_least, f, g, w), abs=1e-12)
    assert -1e-12 <= result.gap <= 1e-8
    assert a @ f == pytest.approx(0.0, abs=1e-12)


def test_brackets_the_linear_program():
    C, a, b, constraints = constrained_task(1, eps=0.01)
    for eps in (0.1, 0.01, 0.001):
        result = transport.constrained(C, a, b, eps, constraints, tol=1e-11)
        lower, upper = result.bracket
        assert lower - 1e-9 <= linear_program(C, a, b, constraints) <= upper + 1e-9
    assert upper - lower < 0.02


def test_a_large_offset_costs_no_digits():
    C, a, b, constraints = constrained_task(13)
    C = np.round(C * 64) / 64
    plain = transport.constrained(C, a, b, 0.05, constraints, tol=1e-11)
    moved = transport.constrained(C + 2.0**26, a, b, 0.05, constraints, tol=1e-11)
    np.testing.assert_allclose(moved.plan, plain.plan, atol=1e-11)
    assert moved.bracket[0] == pytest.approx(plain.bracket[0] + 2.0**26, abs=1e-6)
    assert moved.bracket[1] == pytest.approx(plain.bracket[1] + 2.0**26, abs=1e-6)


def test_derivatives_by_differences():
    C, a, b, constraints = constrained_task(2, 4, 3)
    E, at_least = normal_form(constraints, 1.0)
    problem = check_problem(C, a, b)
    solver = _Solver(problem, E, at_least, 0.2, 1e-9)
    z = np.random.default_rng(3).standard_normal(10) * 0.05

    def at(z):
        return solver.at(z[:4], z[4:7], z[7:], 0.0)

    def gradient(z):
        s = at(z)
        return np.concatenate([a - s.rows, b - s.cols, s.missing])

    h = 1e-6 * np.eye(10)
    slopes = [(at(z + e).fun - at(z - e).fun) / 2e-6 for e in h]
    np.testing.assert_allclose(slopes, gradient(z), atol=1e-7)
    hessian = -0.2 * np.array([(gradient(z + e) - gradient(z - e)) / 2e-6 for e in h])
    np.testing.assert_allclose(hessian[7:, 7:], solver._curvature(at(z)), atol=1e-6)
    taken = []
    solver._search = lambda now, direction, phase: taken.append(np.concatenate(direction)) or now
    solver.shift = 0.0
    now = at(z)
    now.extra["error"] = 1e-9  # an exact model and a tight system
    solver._newton(now)
    expected = np.linalg.lstsq(hessian, 0.2 * gradient(z), rcond=1e-9)[0]
    shift = np.concatenate([np.ones(4), -np.ones(3), np.zeros(3)])
    difference = taken[0] - expected
    difference -= shift * (shift @ difference) / 7.0
    np.testing.assert_allclose(difference, 0.0, atol=1e-5)


def test_a_constraint_that_does_not_bind_leaves_the_plan():
    C, a, b = random_task(4, 6, 5)
    free = transport.entropic(C, a, b, 0.05, tol=1e-12)
    D = np.random.default_rng(0).random((6, 5))
    value = (D * free.plan).sum()
    equal = transport.constrained(C, a, b, 0.05, [(D, "==", value)], tol=1e-12)
    np.testing.assert_allclose(equal.plan, free.plan, atol=1e-9)
    assert equal.multipliers[0] == pytest.approx(0.0, abs=1e-8)
    loose = transport.constrained(C, a, b, 0.05, [(D, "<=", value + 1.0)], tol=1e-12)
    np.testing.assert_allclose(loose.plan, free.plan, atol=1e-9)  # the slack 1 has no price
    assert loose.slacks[0] == pytest.approx(1.0, abs=1e-9)


def test_two_by_two():
    # With the diagonal fixed, the plan is determined.
    result = transport.constrained(
        [[0.0, 1.0], [1.0, 0.0]], None, None, 0.1, [(np.eye(2), "==", 0.3)], tol=1e-12
    )
    np.testing.assert_allclose(result.plan, [[0.15, 0.35], [0.35, 0.15]], atol=1e-12)


def test_relations_are_mirror_images():
    C, a, b, constraints = constrained_task(5)
    D, _, d = constraints[0]
    above = transport.constrained(C, a, b, 0.1, [(D, ">=", d)], tol=1e-12)
    below = transport.constrained(C, a, b, 0.1, [(-D, "<=", -d)], tol=1e-12)
    np.testing.assert_allclose(above.plan, below.plan, atol=1e-12)
    zero = transport.constrained(C, a, b, 0.1, [(D - d, ">=")], tol=1e-12)
    np.testing.assert_allclose(above.plan, zero.plan, atol=1e-12)


def test_dependent_constraints():
    C, a, b, constraints = constrained_task(6)
    D, _, d = constraints[2]
    one = transport.constrained(C, a, b, 0.1, [(D, "==", d)], tol=1e-11)
    extra = np.linspace(0, 1, 7)[:, None] + np.linspace(0, 1, 6)  # fixed by the marginals
    two = transport.constrained(
        C,
        a,
        b,
        0.1,
        [(D, "==", d), (2.0 * D + extra, "==", 2.0 * d + (extra * one.plan).sum())],
        tol=1e-9,
    )
    np.testing.assert_allclose(two.plan, one.plan, atol=1e-8)


@pytest.mark.parametrize("eps", [1e-1, 1e-3, 1e-4])
def test_many_atoms_at_small_strength(eps):
    rng = np.random.default_rng(7)
    n = 120
    x, y = rng.random((n, 2)), rng.random((n, 2))
    C = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    group = np.outer(x[:, 0] < 0.5, y[:, 0] < 0.5).astype(float)  # mass that stays on the left
    free = transport.entropic(C, None, None, eps)
    share = (group * free.plan).sum()
    result = transport.constrained(C, None, None, eps, [(group, "<=", 0.8 * share)])
    assert result.certificate <= 1e-9
    assert (group * result.plan).sum() <= 0.8 * share + 1e-9
    assert result.gap <= 1e-7
    assert np.any(result.history["phase"] == 1.0)


def test_zero_atoms_and_forbidden_pairs():
    C, a, b, constraints = constrained_task(8)
    a[3] = b[0] = 0.0
    b *= a.sum() / b.sum()
    C[0, 1] = C[2, 2] = np.inf
    rows, cols = np.flatnonzero(a), np.flatnonzero(b)
    D = constraints[0][0]
    product = (D[np.ix_(rows, cols)] * np.outer(a[rows], b[cols]) / a.sum()).sum()
    result = transport.constrained(C, a, b, 0.1, [(D, ">=", product)], tol=1e-10)
    inner = transport.constrained(
        C[np.ix_(rows, cols)],
        a[rows],
        b[cols],
        0.1,
        [(D[np.ix_(rows, cols)], ">=", product)],
        tol=1e-10,
    )
    np.testing.assert_allclose(result.plan[np.ix_(rows, cols)], inner.plan, atol=1e-9)
    assert not result.plan[3].any()
    assert result.plan[0, 1] == 0.0
    f, g = result.potentials
    tilted = C - result.multipliers[0] * (D - product / a.sum())
    assert np.all((tilted - f[:, None] - g)[3, cols] >= -1e-12)


def test_infeasible_constraints_are_named():
    C, a, b, constraints = constrained_task(9)
    D = np.abs(constraints[0][0]) + 0.1
    with pytest.raises(ValueError, match="infeasible"):
        transport.constrained(C, a, b, 0.1, [(D, "==")])
    with pytest.raises(ValueError, match="infeasible"):
        transport.constrained(C, a, b, 0.01, [(D, "<=", 0.0)])
    with pytest.raises(ValueError, match="infeasible"):
        transport.constrained(C, a, b, 0.01, [(D, ">=", 1.0), (D, "<=", 0.5)])


def test_warm_start_sparse_and_round_trip(tmp_path):
    C, a, b, constraints = constrained_task(10)
    first = transport.constrained(C, a, b, 0.05, constraints, sparse=True)
    assert transport.constrained(C, a, b, 0.05, constraints, x0=first, tol=2e-9).nit == 0
    near = transport.constrained(C, a, b, 0.05, constraints[:1], x0=first.potentials[1])
    assert near.success
    np.testing.assert_allclose(first.plan.sum(axis=1), a, atol=1e-13)
    first.save(tmp_path / "record.npz")
    again = transport.ConstrainedResult.load(tmp_path / "record.npz")
    np.testing.assert_array_equal(again.slacks, first.slacks)
    assert again.gap == first.gap


def test_a_short_run_is_measured_at_the_strength_asked_for():
    C, a, b, constraints = constrained_task(11)
    before = C.copy(), constraints[0][0].copy()
    with pytest.warns(ConvergenceWarning):
        short = transport.constrained(C, a, b, 1e-3, constraints, max_iter=2)
    assert not short.success
    measured = short.marginal_error + short.constraint_residuals.sum()
    assert short.certificate == pytest.approx(measured, rel=1e-9)
    assert "nan" not in short.message
    np.testing.assert_array_equal(C, before[0])
    np.testing.assert_array_equal(constraints[0][0], before[1])


def test_float32_and_one_atom():
    C, a, b, constraints = constrained_task(12)
    single = transport.constrained(C.astype(np.float32), a, b, 0.1, constraints)
    assert single.plan.dtype == np.float32
    lone = transport.constrained([[2.0]], [3.0], [3.0], 0.1, [(np.ones((1, 1)), ">=", 2.0)])
    np.testing.assert_allclose(lone.plan, [[3.0]], atol=1e-8)
    assert lone.slacks[0] == pytest.approx(1.0)


E = np.eye(3)


@pytest.mark.parametrize(
    ("constraints", "error", "match"),
    [
        ([], ValueError, "constraints must be a non-empty list"),
        (E, ValueError, "constraints must be a non-empty list"),
        ([E], ValueError, r"constraints\[0\]"),
        ([(E, ">=", 1.0, 2.0)], ValueError, r"constraints\[0\]"),
        ([(E, ">")], ValueError, r"relation of constraints\[0\]"),
        ([(E, "==", 0.2), (np.eye(2), "==")], ValueError, r"matrix of constraints\[1\]"),
        ([(E * np.nan, "==")], ValueError, r"matrix of constraints\[0\]"),
        ([(E * 1j, "==")], TypeError, r"matrix of constraints\[0\]"),
        ([(E, "==", np.inf)], ValueError, r"bound of constraints\[0\]"),
        ([(E, "==", [1.0])], ValueError, r"bound of constraints\[0\]"),
        ([(np.zeros((3, 3)), "==")], ValueError, r"constraints\[0\] must depend"),
        ([(np.ones((3, 3)), ">=", 1.0)], ValueError, r"constraints\[0\] must depend"),
    ],
)
def test_bad_constraints(constraints, error, match):
    with pytest.raises(error, match=match):
        transport.constrained(np.eye(3), None, None, 0.1, constraints)


def test_bad_start():
    with pytest.raises(ValueError, match="eps"):
        transport.constrained(np.eye(3), None, None, 0.0, [(E, "==", 0.2)])
    first = transport.constrained(np.eye(3), None, None, 0.1, [(E, "==", 0.2)])
    with pytest.raises(ValueError, match="multipliers"):
        transport.constrained(np.eye(3), None, None, 0.1, [(E, "==", 0.2)] * 2, x0=first)
