"""Entropic transport: closed forms, conic models, invariances, counts of steps, and stress."""

import functools
import os
import signal
import threading

import numpy as np
import pytest
from entropic_tasks import random_task, reference_plan
from helpers import require
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, minimize

from sparseopt import ConvergenceWarning, transport
from sparseopt.datasets import transport_assignment, transport_clouds, transport_digits

INF = np.inf
METHODS = ["newton", "sinkhorn", "log-sinkhorn", "newton-sparse"]
rough = pytest.mark.filterwarnings("ignore::sparseopt.ConvergenceWarning")
seeds = st.integers(0, 10_000)


@functools.cache
def clouds(n, m=None):
    C = transport_clouds(n, m=m).C
    C.setflags(write=False)
    return C


def newton_steps(result):
    return int((result.history["phase"] == 1.0).sum())


def dual(C, a, b, eps, z):
    """The dual objective and its gradient, as the definition has them."""
    f, g = z[: a.size], z[a.size :]
    P = np.exp((f[:, None] + g - C) / eps)
    return a @ f + b @ g - eps * P.sum(), np.r_[a - P.sum(axis=1), b - P.sum(axis=0)], P


# --------------------------------------------------------- closed forms


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("eps", [1e-6, 0.1, 1e6])
def test_one_pair(method, eps):
    result = transport.entropic([[3.0]], [2.0], [2.0], eps, method=method)
    assert result.plan == pytest.approx(np.array([[2.0]]), rel=1e-9)
    assert result.cost == pytest.approx(6.0)
    assert result.value == pytest.approx(6.0 + eps * 2.0 * (np.log(2.0) - 1.0))
    assert result.bracket == pytest.approx((6.0, 6.0))
    f, g = result.potentials
    np.testing.assert_array_equal(f, [0.0])
    assert g == pytest.approx(3.0 + eps * np.log(2.0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", [0.0, 1e-3, 0.3, 5.0, 1e3])
def test_two_by_two(method, c):
    result = transport.entropic([[0.0, c], [c, 0.0]], None, None, 0.2, method=method, tol=1e-13)
    p = 0.5 / (1.0 + np.exp(-c / 0.2))
    np.testing.assert_allclose(result.plan, [[p, 0.5 - p], [0.5 - p, p]], atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize("eps", [1e-5, 1.0])
def test_a_single_atom_takes_all(method, shape, eps):
    C, a, b = random_task(0, *shape)
    result = transport.entropic(C, a, b, eps, method=method)
    np.testing.assert_allclose(result.plan, np.outer(a, b), rtol=1e-8)
    assert result.nit <= 1
    lower, upper = result.bracket
    assert upper == pytest.approx((C * np.outer(a, b)).sum())
    assert lower <= upper + 1e-15


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.0, -3.0, 1e8])
def test_constant_cost(method, level):
    _, a, b = random_task(0, 5, 7, mass=3.0)
    result = transport.entropic(np.full((5, 7), level), a, b, 0.01, method=method)
    np.testing.assert_allclose(result.plan, np.outer(a, b) / 3.0, rtol=1e-9)
    assert result.nit <= 1
    assert result.cost == pytest.approx(3.0 * level)


def test_costs_of_rank_one_leave_the_product_plan():
    _, a, b = random_task(1, 5, 7)
    C = np.linspace(-4.0, 5.0, 5)[:, None] + np.linspace(0.0, 30.0, 7)
    result = transport.entropic(C, a, b, 1e-3)
    np.testing.assert_allclose(result.plan, np.outer(a, b), atol=1e-9)


def test_infinite_strength_forgets_the_costs():
    C, a, b = random_task(2, 6, 4)
    plans = [transport.entropic(C, a, b, eps).plan for eps in (1e2, 1e5, 1e10)]
    errors = [np.abs(P - np.outer(a, b)).max() for P in plans]
    assert errors[0] < 1e-2
    assert errors[1] < 1e-5
    assert errors[2] < 1e-10


def test_plans_of_sorted_points_are_monotone():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.random(40)), np.sort(rng.random(40))
    result = transport.entropic(transport.PointCost(x, y), None, None, 1e-6)
    assert np.trace(result.plan) > 0.99
    assert result.cost == pytest.approx(((x - y) ** 2).mean(), abs=1e-6 * np.log(40))


def test_gaussians():
    """Between Gaussians the entropic plan is Gaussian; its cost for dimension one is known."""
    x = np.linspace(-12.0, 12.0, 400)
    s, t, eps = 0.8, 1.3, 0.5
    a, b = np.exp(-((x / s) ** 2) / 2.0), np.exp(-(((x - 1.0) / t) ** 2) / 2.0)
    result = transport.entropic(transport.PointCost(x, x), a / a.sum(), b / b.sum(), eps)
    covariance = 0.5 * (np.sqrt(4.0 * (s * t) ** 2 + (eps / 2.0) ** 2) - eps / 2.0)
    assert result.cost == pytest.approx(1.0 + s * s + t * t - 2.0 * covariance, rel=1e-6)
    lower, upper = result.bracket
    assert lower <= 1.0 + (s - t) ** 2 <= upper


# ------------------------------------------------- independent solutions


@pytest.mark.extras
@pytest.mark.parametrize("shape", [(2, 3), (5, 6), (1, 4), (10, 3)])
@pytest.mark.parametrize("eps", [0.03, 0.3, 3.0])
def test_equals_a_conic_solver(shape, eps):
    cvxpy = require("cvxpy")
    C, a, b = random_task(sum(shape), *shape, mass=1.5)
    P = cvxpy.Variable(shape)
    objective = cvxpy.sum(cvxpy.multiply(C, P)) - eps * cvxpy.sum(cvxpy.entr(P)) - eps * 1.5
    problem = cvxpy.Problem(
        cvxpy.Minimize(objective), [cvxpy.sum(P, axis=1) == a, cvxpy.sum(P, axis=0) == b]
    )
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    result = transport.entropic(C, a, b, eps, tol=1e-12)
    np.testing.assert_allclose(result.plan, P.value, atol=2e-6)
    assert result.value == pytest.approx(problem.value, abs=1e-8)
    assert result.fun == pytest.approx(problem.value, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("eps", [0.03, 0.1, 1.0])
def test_equals_textbook_scaling(method, eps):
    C, a, b = random_task(3, 8, 11, mass=0.7)
    result = transport.entropic(C, a, b, eps, method=method, tol=1e-12)
    np.testing.assert_allclose(result.plan, reference_plan(C, a, b, eps), atol=1e-11)


def test_equals_a_quasi_newton_method_on_the_dual():
    C, a, b = random_task(4, 9, 7)
    eps = 0.05
    result = transport.entropic(C, a, b, eps, tol=1e-12)

    def negative(z):
        value, gradient, _ = dual(C, a, b, eps, z)
        return -value, -gradient

    found = minimize(negative, np.zeros(16), jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(result.plan, dual(C, a, b, eps, found.x)[2], atol=1e-7)
    assert result.fun == pytest.approx(-found.fun, abs=1e-10)


@pytest.mark.parametrize("eps", [1e-1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("task", ["clouds", "assignment", "rectangle"])
def test_methods_agree(task, eps):
    C = {
        "clouds": lambda: clouds(30),
        "assignment": lambda: transport_assignment(30).C,
        "rectangle": lambda: clouds(24, 37),
    }[task]()
    wanted = transport.entropic(C, None, None, eps, tol=1e-11)
    assert wanted.method == "newton"
    for method in METHODS[1:]:
        if eps < 1e-2:  # too many sweeps: the answer must be one to the others too
            found = transport.entropic(C, None, None, eps, method=method, x0=wanted, tol=1e-9)
            assert found.nit <= 10
        else:
            options = {"density": 1.0} if method == "newton-sparse" else {}
            found = transport.entropic(C, None, None, eps, method=method, tol=1e-10, **options)
        assert found.success, found.message
        assert found.method == method
        np.testing.assert_allclose(found.plan, wanted.plan, atol=1e-8)
        assert found.value == pytest.approx(wanted.value, abs=1e-9)


def test_known_objectives():
    """Two clouds of 500 points: values that every converged solver of the field agrees on."""
    for eps, cost, value, most in (
        (1e-3, 0.06146834, 0.05379887, 8),
        (1e-4, 0.06089847, 0.060243, 16),
    ):
        result = transport.entropic(clouds(500), None, None, eps)
        assert result.cost == pytest.approx(cost, abs=5e-9)
        assert result.value + eps == pytest.approx(value, abs=5e-9)
        assert newton_steps(result) <= most
        lower, upper = result.bracket
        assert lower <= 0.06088726 + 5e-9
        assert upper >= 0.06088726 - 5e-9
        assert result.marginal_error <= 1e-9


def test_assignment_follows_the_permutation():
    C = transport_assignment(50).C
    rows, cols = linear_sum_assignment(C)
    off = []
    for eps in (1e-2, 1e-3, 1e-4, 1e-5):
        plan = transport.entropic(C, None, None, eps).plan
        off.append(1.0 - plan[rows, cols].sum())
    assert off[-1] < 1e-3
    assert sorted(off, reverse=True) == off


# ------------------------------------------------- derivatives and facts


def test_gradient_and_hessian_of_the_dual():
    C, a, b = random_task(6, 5, 4)
    eps = 0.3
    z = np.random.default_rng(0).normal(size=9) * 0.1
    _, gradient, P = dual(C, a, b, eps, z)
    hessian = -np.block([[np.diag(P.sum(1)), P], [P.T, np.diag(P.sum(0))]]) / eps
    step = 1e-5
    for k, e in enumerate(np.eye(9)):
        up, down = (dual(C, a, b, eps, z + s * step * e) for s in (1, -1))
        assert (up[0] - down[0]) / (2 * step) == pytest.approx(gradient[k], abs=1e-8)
        np.testing.assert_allclose((up[1] - down[1]) / (2 * step), hessian[k], atol=1e-7)
    null = np.r_[np.ones(5), -np.ones(4)]
    np.testing.assert_allclose(hessian @ null, 0.0, atol=1e-12)
    flip = np.diag(null)
    laplacian = -eps * flip @ hessian @ flip
    np.testing.assert_allclose(laplacian.sum(axis=1), 0.0, atol=1e-12)
    assert (laplacian - np.diag(np.diag(laplacian)) <= 0.0).all()
    assert np.linalg.eigvalsh(laplacian)[0] >= -1e-12


def test_value_differentiates_to_plan_and_potentials():
    C, a, b = random_task(7, 4, 5)
    solve = functools.partial(transport.entropic, eps=0.2, tol=1e-13)
    result = solve(C, a, b)
    rng = np.random.default_rng(1)
    dC = rng.normal(size=C.shape)
    da, db = rng.normal(size=4) * 0.01, rng.normal(size=5) * 0.01
    da, db = da - da.mean(), db - db.mean()
    h = 1e-4
    by_cost = (solve(C + h * dC, a, b).value - solve(C - h * dC, a, b).value) / (2 * h)
    assert by_cost == pytest.approx((result.plan * dC).sum(), abs=1e-7)
    f, g = result.potentials
    by_a = (solve(C, a + h * da, b).value - solve(C, a - h * da, b).value) / (2 * h)
    by_b = (solve(C, a, b + h * db).value - solve(C, a, b - h * db).value) / (2 * h)
    assert by_a == pytest.approx(f @ da, abs=1e-8)
    assert by_b == pytest.approx(g @ db, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.sampled_from([1e-4, 1e-2, 0.1, 1.0]), seeds)
def test_bias_is_bounded(n, m, eps, seed):
    C, a, b = random_task(seed, n, m)
    result = transport.entropic(C, a, b, eps)
    lower, upper = result.bracket
    entropies = [-(w * np.log(w)).sum() for w in (a, b)]
    assert lower - 1e-9 <= upper <= lower + eps * (n + m) + 1.0
    sharper = transport.entropic(C, a, b, 1e-3 * eps)
    assert -1e-8 <= upper - sharper.cost <= eps * min(entropies) + 1e-8


# ------------------------------------------------------------ invariances


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.sampled_from([1e-3, 0.03, 1.0]), seeds)
def test_invariances(n, m, eps, seed):
    rng = np.random.default_rng(seed)
    C, a, b = random_task(seed, n, m)
    solve = functools.partial(transport.entropic, tol=1e-11)
    result = solve(C, a, b, eps)
    f, g = result.potentials
    spread = 1e-8 * max(1.0, 1.0 / eps) ** 0.5

    r, c = rng.normal(size=n), rng.normal(size=m)
    shifted = solve(C + r[:, None] + c, a, b, eps)
    np.testing.assert_allclose(shifted.plan, result.plan, atol=spread)
    if n > 1 and m > 1:
        move = a @ r
        np.testing.assert_allclose(shifted.potentials[0], f + r - move, atol=1e-5)
        np.testing.assert_allclose(shifted.potentials[1], g + c + move, atol=1e-5)

    scaled = solve(7.0 * C, a, b, 7.0 * eps)
    np.testing.assert_allclose(scaled.plan, result.plan, atol=spread)
    assert scaled.value == pytest.approx(7.0 * result.value, abs=1e-7)

    heavier = solve(C, 5.0 * a, 5.0 * b, eps)
    np.testing.assert_allclose(heavier.plan, 5.0 * result.plan, atol=5 * spread)
    assert heavier.cost == pytest.approx(5.0 * result.cost, abs=1e-7)

    p, q = rng.permutation(n), rng.permutation(m)
    permuted = solve(C[np.ix_(p, q)], a[p], b[q], eps)
    np.testing.assert_allclose(permuted.plan, result.plan[np.ix_(p, q)], atol=spread)

    turned = solve(C.T, b, a, eps)
    np.testing.assert_allclose(turned.plan, result.plan.T, atol=spread)
    assert turned.value == pytest.approx(result.value, abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from([1e-3, 0.05, 1.0]))
def test_atoms_without_mass_change_nothing(seed, eps):
    rng = np.random.default_rng(seed)
    C, a, b = random_task(seed, 7, 6)
    a *= rng.random(7) < 0.5
    b *= rng.random(6) < 0.5
    a[rng.integers(7)] = b[rng.integers(6)] = 1.0
    a, b = a / a.sum(), b / b.sum()
    result = transport.entropic(C, a, b, eps)
    inner = transport.entropic(C[a > 0][:, b > 0], a[a > 0], b[b > 0], eps)
    np.testing.assert_array_equal(result.plan[a > 0][:, b > 0], inner.plan)
    assert result.plan.sum() == pytest.approx(1.0)
    f, g = result.potentials
    assert f[a == 0.0] == pytest.approx((C - g)[a == 0.0][:, b > 0].min(axis=1))
    np.testing.assert_array_equal(f[a > 0], inner.potentials[0])
    assert g[b == 0.0] == pytest.approx((C - f[:, None])[:, b == 0.0].min(axis=0))


def test_runs_repeat():
    first, second = (transport.entropic(clouds(60), None, None, 1e-3) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    assert first.nit == second.nit
    np.testing.assert_array_equal(first.history["error"], second.history["error"])


# ------------------------------------------------------- counts of steps


def test_assignment_takes_few_newton_steps_and_a_superlinear_tail():
    task = transport_assignment(500)
    result = transport.entropic(task.C, task.a, task.b, 1.0 / 1200.0, tol=1e-12)
    assert result.marginal_error < 1e-12
    assert newton_steps(result) <= 15
    errors = result.history["error"][result.history["eps"] == 1.0 / 1200.0]
    tail = errors[errors < 1e-2]
    assert tail.size >= 3
    assert (tail[1:] <= np.maximum(30.0 * tail[:-1] ** 1.5, 1e-14)).all()


@rough
def test_sinkhorn_alone_is_far_from_the_assignment():
    task = transport_assignment(500)
    sweeps = transport.entropic(
        task.C, task.a, task.b, 1.0 / 1200.0, method="sinkhorn", max_iter=2000
    )
    assert not sweeps.success
    assert sweeps.certificate > 1e-6  # the Newton method needs less than a hundred sweeps' time


@pytest.mark.extras
def test_digits_take_few_newton_steps():
    require("sklearn.datasets")

    for power, eps, most in ((2, 1e-2, 10), (2, 1.0 / 1200.0, 10), (1, 1e-2, 12)):
        task = transport_digits(28, (0, 1), power)
        result = transport.entropic(task.C, task.a, task.b, eps)
        assert result.success
        assert result.marginal_error <= 1e-9
        assert newton_steps(result) <= most
    hard = transport.entropic(task.C, task.a, task.b, 1.0 / 1200.0)  # L1 distances on a grid
    assert hard.success
    assert newton_steps(hard) <= 40


def test_large_strength_stays_with_sweeps():
    result = transport.entropic(clouds(200), None, None, 0.1)
    assert newton_steps(result) == 0
    assert result.nit <= 20


def test_error_falls_faster_than_linearly():
    result = transport.entropic(clouds(300), None, None, 1e-2, tol=1e-13)
    last = result.history["eps"] == 1e-2
    errors = result.history["error"][last & (result.history["phase"] == 1.0)]
    assert errors.size <= 6
    rates = errors[1:] / errors[:-1]
    assert (rates[1:] < 0.5 * rates[:-1]).all() or errors[-1] < 1e-13


# ------------------------------------------------------------- warm start


@pytest.mark.parametrize("eps", [1e-1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("as_what", ["result", "pair", "g"])
def test_a_solved_problem_is_solved_again_at_once(eps, as_what):
    C, a, b = random_task(8, 40, 30)
    result = transport.entropic(C, a, b, eps)
    f, g = result.potentials
    x0 = {"result": result, "pair": (f, g), "g": g}[as_what]
    again = transport.entropic(C, a, b, eps, x0=x0)
    assert again.success
    assert newton_steps(again) <= 1
    assert again.nit <= 11
    np.testing.assert_allclose(again.plan, result.plan, atol=1e-8)


@pytest.mark.parametrize("offset", [0.0, 1e8, -1e8])
def test_offsets_do_not_spoil_warm_starts(offset):
    C, a, b = random_task(8, 20, 20)
    result = transport.entropic(C + offset, a, b, 1e-3)
    again = transport.entropic(C + offset, a, b, 1e-3, x0=result)
    assert again.nit <= 1


def test_a_path_of_strengths_equals_fresh_solves():
    C = clouds(50)
    result = None
    for eps in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4):
        result = transport.entropic(C, None, None, eps, x0=result)
        fresh = transport.entropic(C, None, None, eps)
        np.testing.assert_allclose(result.plan, fresh.plan, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([1e-1, 1e-3, 1e-5]), st.sampled_from([1.0, 100.0, 1e6]))
def test_any_start_leads_to_the_answer(seed, eps, far):
    C, a, b = random_task(seed, 9, 7)
    rng = np.random.default_rng(seed)
    wanted = transport.entropic(C, a, b, eps)
    start = far * rng.normal(size=9), far * rng.normal(size=7)
    for x0 in (start, start[1]):
        found = transport.entropic(C, a, b, eps, x0=x0)
        assert found.success, found.message
        assert found.marginal_error <= 1.01e-9
        np.testing.assert_allclose(found.plan, wanted.plan, atol=1e-8)


# ---------------------------------------------------------------- stress


@pytest.mark.parametrize("task", ["clouds", "assignment", "grid", "ties", "rectangle"])
@pytest.mark.parametrize("eps", [1e-4, 1e-5, 1e-6])
def test_tiny_strength(task, eps):
    rng = np.random.default_rng(5)
    grid = np.arange(64) // 8, np.arange(64) % 8
    C, a, b = {
        "clouds": lambda: (clouds(60), None, None),
        "assignment": lambda: (transport_assignment(60).C, None, None),
        "grid": lambda: (
            sum(np.abs(k[:, None] - k) for k in grid) / 14.0,
            *rng.dirichlet(np.ones(64), 2),
        ),
        "ties": lambda: (rng.integers(0, 3, (30, 40)) / 2.0, None, None),
        "rectangle": lambda: (
            rng.random((10, 90)),
            *map(rng.dirichlet, (np.ones(10), np.ones(90))),
        ),
    }[task]()
    result = transport.entropic(C, a, b, eps)
    assert result.success, result.message
    assert np.isfinite(result.plan).all()
    assert np.isfinite(result.x).all()
    assert result.marginal_error <= 1.01e-9
    lower, upper = result.bracket
    assert lower <= upper <= lower + eps * np.log(min(C.shape)) + 1e-8
    assert -1e-12 <= result.gap <= 1e-7


@rough
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("eps", [1e-9, 1e-14, 1e-300])
def test_absurd_strength_is_finite_and_honest(method, eps):
    C = transport_assignment(20).C
    result = transport.entropic(C, None, None, eps, method=method, max_iter=300)
    assert np.isfinite(result.x).all()
    lower, upper = result.bracket
    exact = C[linear_sum_assignment(C)].sum() / 20
    assert lower - 1e-12 <= exact <= upper + 1e-12
    rounded = result.sparse_plan()
    np.testing.assert_allclose(rounded.sum(axis=1), 1.0 / 20, atol=1e-15)
    np.testing.assert_allclose(rounded.sum(axis=0), 1.0 / 20, atol=1e-15)
    if result.success:
        assert result.marginal_error <= 1.01e-9


@pytest.mark.parametrize("eps", [1e-1, 1e-2, 1e-4])
@pytest.mark.parametrize("sides", [1, 2])
def test_masses_over_twelve_orders(eps, sides):
    rng = np.random.default_rng(6)
    C = rng.random((40, 40))
    a = 10.0 ** -np.linspace(0.0, 12.0, 40)
    a /= a.sum()
    b = rng.permutation(a) if sides == 2 else np.full(40, 1.0 / 40)
    result = transport.entropic(C, a, b, eps)
    assert result.success
    assert np.isfinite(result.plan).all()
    assert result.relative_marginal_error < 1e-3
    tight = transport.entropic(C, a, b, eps, tol=1e-12)
    assert tight.relative_marginal_error < 1e-3


@pytest.mark.parametrize("mass", [1e-200, 1e-12, 1e12, 1e200])
def test_any_total_mass(mass):
    C, a, b = random_task(9, 12, 10)
    wanted = transport.entropic(C, a, b, 0.01)
    found = transport.entropic(C, mass * a, mass * b, 0.01)
    assert found.success
    np.testing.assert_allclose(found.plan / mass, wanted.plan, atol=1e-8)
    assert found.cost / mass == pytest.approx(wanted.cost)


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9, 1e200])
def test_any_unit_of_the_costs(scale):
    C, a, b = random_task(10, 12, 10)
    wanted = transport.entropic(C, a, b, 0.01)
    found = transport.entropic(scale * C, a, b, scale * 0.01)
    np.testing.assert_allclose(found.plan, wanted.plan, atol=1e-8)
    assert found.cost / scale == pytest.approx(wanted.cost)


@pytest.mark.parametrize("offset", [1e8, -1e8])
@pytest.mark.parametrize("eps", [1e-1, 1e-3])
def test_offsets_of_the_costs(offset, eps):
    C = np.round(random_task(11, 30, 30)[0] * 2**20) / 2**20  # exact beside the offset
    wanted = transport.entropic(C, None, None, eps)
    found = transport.entropic(C + offset, None, None, eps)
    np.testing.assert_allclose(found.plan, wanted.plan, atol=1e-9)
    assert found.cost == pytest.approx(wanted.cost + offset, abs=1e-6)
    assert found.bracket[0] == pytest.approx(wanted.bracket[0] + offset, abs=1e-6)
    slopes = 1e-5 * offset * np.arange(30)[:, None]
    by_rows = transport.entropic(C + slopes, None, None, eps, tol=1e-8)
    np.testing.assert_allclose(by_rows.plan, wanted.plan, atol=1e-8)


@pytest.mark.parametrize("shape", [(5, 500), (500, 5), (2, 300), (300, 2)])
@pytest.mark.parametrize("eps", [1e-1, 1e-3, 1e-5])
def test_long_shapes(shape, eps):
    C, a, b = random_task(12, *shape)
    result = transport.entropic(C, a, b, eps)
    assert result.success
    assert result.marginal_error <= 1.01e-9
    lower, upper = result.bracket
    assert upper - lower <= eps * np.log(min(shape)) + 1e-8


@pytest.mark.parametrize("eps", [1e-2, 1e-4, 1e-6])
def test_duplicate_points(eps):
    rng = np.random.default_rng(13)
    x = np.repeat(rng.random((15, 2)), 3, axis=0)
    y = np.repeat(rng.random((9, 2)), 5, axis=0)
    result = transport.entropic(transport.PointCost(x, y), None, None, eps)
    assert result.success
    plan = result.plan.reshape(15, 3, 9, 5)
    np.testing.assert_allclose(plan - plan.mean(axis=(1, 3), keepdims=True), 0.0, atol=1e-8)
    same = transport.entropic(transport.PointCost(x, x), None, None, eps)
    np.testing.assert_allclose(same.plan, same.plan.T, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["matrix", "points"])
def test_float32(method, kind):
    rng = np.random.default_rng(14)
    x, y = rng.random((20, 2)).astype(np.float32), rng.random((15, 2)).astype(np.float32)
    cost = transport.PointCost(x, y)
    C = cost.to_array() if kind == "matrix" else cost
    result = transport.entropic(C, None, None, 0.05, method=method)
    wanted = transport.entropic(cost.to_array().astype(float), None, None, 0.05)
    assert result.plan.dtype == np.float32
    assert result.potentials[0].dtype == np.float64
    assert result.marginal_error <= 1.01e-9
    np.testing.assert_allclose(result.plan, wanted.plan, atol=1e-7)
    weights = np.full(20, 1 / 20, np.float32), np.full(15, 1 / 15, np.float32)
    again = transport.entropic(C, *weights, 0.05, method=method)
    np.testing.assert_allclose(again.plan, wanted.plan, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_inputs_of_any_layout_are_left_alone(method):
    C, a, b = random_task(15, 12, 9)
    wanted = transport.entropic(C, a, b, 0.1, method=method)
    layouts = (
        np.asfortranarray(C),
        np.repeat(C, 2, axis=0)[::2],
        C[::-1].copy()[::-1],
        C.tolist(),
    )
    for layout in layouts:
        aa, bb = np.repeat(a, 2)[::2], b[::-1].copy()[::-1]
        kept = np.array(layout), aa.copy(), bb.copy()
        for array in (layout, aa, bb):
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
        found = transport.entropic(layout, aa, bb, 0.1, method=method)
        np.testing.assert_array_equal(found.plan, wanted.plan)
        for array, copy in zip((layout, aa, bb), kept, strict=True):
            np.testing.assert_array_equal(array, copy)


# -------------------------------------------------------- forbidden pairs


@pytest.mark.parametrize("eps", [1e-3, 0.1])
@pytest.mark.parametrize("method", ["newton", "sinkhorn", "log-sinkhorn"])
def test_forbidden_pairs(method, eps):
    rng = np.random.default_rng(16)
    C = rng.random((8, 8))
    C[rng.random((8, 8)) < 0.3] = INF
    P = np.where(np.isfinite(C), rng.random((8, 8)), 0.0)  # a plan exists
    a, b = P.sum(axis=1), P.sum(axis=0)
    result = transport.entropic(C, a, b, eps, method=method, max_iter=1_000_000)
    assert result.success
    assert result.marginal_error <= 1.01e-9
    assert not result.plan[np.isinf(C)].any()
    assert np.isfinite([result.cost, result.value, result.gap]).all()
    finite = transport.entropic(np.where(np.isinf(C), 1e3, C), a, b, eps)
    np.testing.assert_allclose(result.plan, finite.plan, atol=1e-8)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10), st.integers(1, 10), st.sampled_from([1e-4, 1e-2, 1.0]), seeds)
def test_forbidden_pairs_anywhere(n, m, eps, seed):
    rng = np.random.default_rng(seed)
    allowed = rng.random((n, m)) < 0.4
    allowed[rng.integers(n, size=m), np.arange(m)] = True
    allowed[np.arange(n), rng.integers(m, size=n)] = True
    P = allowed * (0.05 + rng.random((n, m)))
    a, b = P.sum(axis=1) / P.sum(), P.sum(axis=0) / P.sum()
    result = transport.entropic(np.where(allowed, rng.random((n, m)), INF), a, b, eps)
    assert result.success, result.message
    assert not result.plan[~allowed].any()
    assert np.isfinite(result.cost)
    assert result.gap >= -1e-12
    for threshold in (None, 0.0):
        plan = result.sparse_plan(threshold).toarray()
        assert not plan[~allowed].any()
        assert np.abs(plan.sum(axis=1) - a).sum() + np.abs(plan.sum(axis=0) - b).sum() <= 1e-12


def test_forced_plans():
    C = np.where(np.eye(5, dtype=bool), 1.0, INF)
    result = transport.entropic(C, None, None, 0.1)
    np.testing.assert_allclose(result.plan, np.eye(5) / 5.0, atol=1e-10)
    triangle = np.where(np.tri(5, dtype=bool), np.arange(5.0), INF)
    # the first row can only go to the first column, which then is full, and so on
    result = transport.entropic(triangle, None, None, 0.1, tol=1e-4)
    np.testing.assert_allclose(result.plan, np.eye(5) / 5.0, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_supports_without_a_plan_are_proved_so(scale):
    rng = np.random.default_rng(17)
    C = rng.random((6, 6))
    C[:3, 2:] = INF  # three rows, half of the mass, may only reach two columns
    C[:] = C[rng.permutation(6)]
    with pytest.warns(ConvergenceWarning, match="infeasible support: 3 rows with mass"):
        result = transport.entropic(scale * C, None, None, scale * 0.05)
    assert not result.success
    assert result.status.name == "STALLED"
    assert result.nit < 3000
    assert np.isfinite(result.plan).all()
    assert result.marginal_error >= 1.0 / 6.0


# --------------------------------------------------------- running a run


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("eps", [0.05, 1e-3, 1e-6])
@pytest.mark.parametrize("budget", [0, 1, 5, 13, 37])
def test_a_small_budget_ends_with_a_warning_and_finite_numbers(method, eps, budget):
    C, a, b = random_task(18, 25, 20)
    with pytest.warns(ConvergenceWarning) as caught:
        result = transport.entropic(C, a, b, eps, method=method, max_iter=budget, tol=1e-30)
    assert len(caught) == 1
    assert "nan" not in str(caught[0].message)
    assert not result.success
    assert result.nit <= budget
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.plan).all()
    assert np.isfinite([result.fun, result.certificate, result.cost, result.value]).all()
    assert "nan" not in result.message
    assert result.certificate == pytest.approx(result.marginal_error, rel=1e-3, abs=1e-6)
    assert result.eps == eps


def test_budget_counts_sweeps_and_steps():
    result = transport.entropic(clouds(80), None, None, 1e-3)
    enough = transport.entropic(clouds(80), None, None, 1e-3, max_iter=result.nit)
    assert enough.success
    np.testing.assert_array_equal(enough.x, result.x)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        transport.entropic(clouds(80), None, None, 1e-3, max_iter=result.nit - 1)


@pytest.mark.parametrize("method", METHODS)
def test_callback_sees_every_state_and_can_stop(method):
    C, a, b = random_task(19, 20, 20)
    seen = []
    result = transport.entropic(C, a, b, 1e-2, method=method, callback=seen.append)
    assert len(seen) == result.history["fun"].size - 1
    assert [s.nit for s in seen] == sorted(s.nit for s in seen)
    assert seen[-1].certificate == result.certificate
    assert seen[-1].f.shape == (20,)

    def stop(state):
        if len(stopped) == 1:
            raise StopIteration
        stopped.append(state)

    stopped = []
    early = transport.entropic(C, a, b, 1e-2, method=method, callback=stop)
    assert early.status.name == "STOPPED"
    assert not early.success
    assert early.history["fun"].size == 3
    assert np.isfinite(early.certificate)
    assert early.certificate == pytest.approx(early.marginal_error, rel=1e-6, abs=1e-9)
    assert "nan" not in early.message


def test_callback_errors_come_through():
    def fail(state):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        transport.entropic(clouds(20), None, None, 1e-3, callback=fail)


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_keeps_what_was_found(method):
    C, a, b = random_task(20, 20, 20)
    count = []

    def interrupt(state):
        count.append(state)
        if len(count) == 2:
            raise KeyboardInterrupt

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        result = transport.entropic(C, a, b, 1e-3, method=method, callback=interrupt, tol=1e-15)
    assert result.status.name == "INTERRUPTED"
    assert np.isfinite(result.plan).all()
    assert result.certificate == pytest.approx(result.marginal_error, rel=1e-6, abs=1e-9)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_signal_interrupts_a_long_run():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            result = transport.entropic(
                clouds(300), None, None, 1e-5, method="sinkhorn", max_iter=10**5, tol=1e-300
            )
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert np.isfinite(result.x).all()


def test_progress_is_shown_when_asked_for(capsys):
    transport.entropic(clouds(20), None, None, 1e-2)
    assert capsys.readouterr() == ("", "")
    transport.entropic(clouds(20), None, None, 1e-2, progress=True)
    assert "entropic transport" in capsys.readouterr().err


def test_history():
    result = transport.entropic(clouds(100), None, None, 1e-4)
    history = result.history
    assert {"fun", "certificate", "time", "phase", "eps", "error"} <= set(history)
    assert len({column.size for column in history.values()}) == 1
    assert set(history["phase"]) == {0.0, 1.0}
    assert history["eps"][0] == pytest.approx(0.05, rel=0.1)
    assert history["eps"][-1] == 1e-4
    assert (np.diff(history["eps"]) <= 0.0).all()
    assert (np.diff(history["time"]) >= 0.0).all()
    last = history["eps"] == 1e-4
    np.testing.assert_array_equal(np.isnan(history["certificate"]), ~last)
    np.testing.assert_array_equal(history["certificate"][last], history["error"][last])
    assert np.isfinite(history["error"]).all()
    assert history["certificate"][-1] == result.certificate <= 1e-9
    for eps in np.unique(history["eps"]):  # every sweep and step climbs
        fun = history["fun"][history["eps"] == eps]
        assert (np.diff(fun) >= -1e-13).all()


@pytest.mark.parametrize("tol", [1e-2, 1e-5, 1e-9, 1e-12])
@pytest.mark.parametrize("method", METHODS)
def test_certificate_is_the_marginal_error(tol, method):
    C, a, b = random_task(21, 20, 30, mass=40.0)
    result = transport.entropic(C, a, b, 0.02, method=method, tol=tol)
    assert result.success
    P = result.plan
    error = (np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()) / 40.0
    assert error <= tol * 1.001 + 1e-14
    assert result.certificate == pytest.approx(error, rel=1e-2, abs=2e-14)
    assert result.marginal_error == pytest.approx(error, abs=1e-15)


def test_threads_do_not_disturb_each_other():
    tasks = [random_task(seed, 30, 20) for seed in range(4)]
    wanted = [transport.entropic(*task, 1e-2).x for task in tasks]
    found = [None] * 4

    def work(k):
        found[k] = transport.entropic(*tasks[k], 1e-2).x

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for x, y in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(x, y)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(-6.0, 1.0),
    st.sampled_from(["random", "grid", "ties", "lognormal", "offsets"]),
    seeds,
)
def test_every_problem_is_solved(n, m, log_eps, kind, seed):
    rng = np.random.default_rng(seed)
    C = {
        "random": lambda: rng.random((n, m)),
        "grid": lambda: np.abs(rng.integers(0, 5, (n, 1)) - rng.integers(0, 5, (1, m))) / 5.0,
        "ties": lambda: rng.integers(0, 2, (n, m)) * 1.0,
        "lognormal": lambda: rng.lognormal(0.0, 3.0, (n, m)),
        "offsets": lambda: rng.random((n, m)) + 10.0 * rng.random((n, 1)) - rng.random(m),
    }[kind]()
    a, b = (10.0 ** rng.uniform(-8.0, 0.0, k) for k in (n, m))
    eps = 10.0**log_eps * max(np.ptp(C), 1e-3)
    result = transport.entropic(C, a / a.sum(), b / b.sum(), eps)
    assert result.success, result.message
    assert result.marginal_error <= 1.01e-9
    assert np.isfinite(result.plan).all()
    assert result.gap >= -1e-12 * (1.0 + np.abs(C).max() + eps)
    lower, upper = result.bracket
    assert lower <= upper + 1e-12 * np.abs(C).max()


@pytest.mark.parametrize("strength", [1e-17, 1e-25, 1e-100, 1e-300])
def test_strengths_without_digits_end_soon(strength):
    C = np.random.default_rng(0).random((4, 5))
    with pytest.warns(ConvergenceWarning, match="digits"):
        result = transport.entropic(C, None, None, strength, max_iter=10_000)
    assert result.nit < 1000
    assert not result.success
    assert result.certificate > 1e-3
    assert result.bracket[1] - result.bracket[0] <= 0.2


@pytest.mark.parametrize("seed", range(6))
def test_sparse_plan_stays_off_forbidden_pairs_where_atoms_are_tiny(seed):
    rng = np.random.default_rng(seed)
    mass = (rng.random((30, 25)) < 0.4) * 10.0 ** rng.uniform(-13, 0, (30, 25))
    mass[np.arange(30), np.arange(30) % 25] += 1e-12
    C = np.where(mass > 0.0, rng.random(mass.shape), np.inf)
    a, b = mass.sum(axis=1), mass.sum(axis=0)
    result = transport.entropic(C, a, b, 0.1)
    plan = result.sparse_plan().toarray()
    assert result.success
    assert not plan[np.isinf(C)].any()
    assert plan.min() >= 0.0
    error = np.abs(plan.sum(axis=1) - a).sum() + np.abs(plan.sum(axis=0) - b).sum()
    assert error <= 1e-12 * a.sum()
