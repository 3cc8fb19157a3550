"""Sinkhorn's iteration in the log domain, plain and over-relaxed."""

import functools

import numpy as np
import pytest
from entropic_tasks import random_task, reference_plan
from helpers import require
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseopt import ConvergenceWarning, transport
from sparseopt.datasets import transport_clouds, transport_digits
from sparseopt.transport._log_sinkhorn import (
    best_factor,
    first_potentials,
    relaxed,
    sweep,
)
from sparseopt.transport._problem import check_problem

log_sinkhorn = functools.partial(transport.entropic, method="log-sinkhorn", tol=1e-10)

FACTORS = [1.0, 1.5, None]


def dual(C, a, b, eps, f, g):
    return a @ f + b @ g - eps * np.exp((f[:, None] + g - C) / eps).sum()


@pytest.mark.parametrize("omega", FACTORS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (4, 9), (20, 3)])
def test_equals_textbook_scaling(shape, omega):
    C, a, b = random_task(3, *shape, mass=2.0)
    result = log_sinkhorn(C, a, b, 0.1, tol=1e-13, omega=omega)
    assert result.success
    np.testing.assert_allclose(result.plan, reference_plan(C, a, b, 0.1), atol=1e-12)
    assert result.marginal_error <= 1e-12
    assert -1e-12 <= result.gap <= 1e-10


@pytest.mark.parametrize("omega", FACTORS)
def test_two_by_two(omega):
    for c in (0.0, 0.3, 5.0):
        result = log_sinkhorn([[0.0, c], [c, 0.0]], None, None, 0.2, omega=omega)
        assert result.plan[0, 0] == pytest.approx(0.5 / (1.0 + np.exp(-c / 0.2)), abs=1e-10)


def test_constant_cost_takes_one_sweep():
    _, a, b = random_task(0, 5, 7)
    result = log_sinkhorn(np.full((5, 7), 3.0), a, b, 0.01, tol=1e-12)
    np.testing.assert_allclose(result.plan, np.outer(a, b), atol=1e-13)
    assert result.nit <= 1


def test_a_sweep_is_two_exact_block_steps():
    C, a, b = random_task(1, 6, 5)
    problem = check_problem(C, a, b)
    C = problem.cost.tile(0, 6)
    f, g = np.linspace(-0.2, 0.3, 6), np.linspace(0.4, -0.1, 5)
    fun, error, (f1, g1) = sweep(problem, 0.05, f, g)
    P = np.exp((f[:, None] + g - C) / 0.05)
    assert fun == pytest.approx(dual(C, a, b, 0.05, f, g))
    assert error == pytest.approx(np.abs(P.sum(1) - a).sum() + np.abs(P.sum(0) - b).sum())
    np.testing.assert_allclose(np.exp((f1[:, None] + g - C) / 0.05).sum(axis=1), a)
    np.testing.assert_allclose(np.exp((f1[:, None] + g1 - C) / 0.05).sum(axis=0), b)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 1.995), st.sampled_from([1e-3, 1e-2, 1e-1, 1.0]))
def test_no_relaxed_sweep_lowers_the_dual(seed, omega, eps):
    rng = np.random.default_rng(seed)
    C, a, b = random_task(seed, 5, 4)
    problem = check_problem(C, a, b)
    f, g = first_potentials(problem, eps, (None, rng.standard_normal(4)))
    before, _, following = sweep(problem, eps, f, g, omega)
    after = sweep(problem, eps, *following, omega)[0]
    assert after >= before - 1e-13 * max(1.0, abs(before))


def test_steps_that_would_lower_the_dual_are_plain():
    excess = np.array([-30.0, -1e-3, 1e-3, 30.0])
    np.testing.assert_allclose(relaxed(excess, 1.8), [30.0, 1.8e-3, -1.8e-3, -54.0])


def test_best_factor():
    assert best_factor(1.0, 0.99**20, 1.0, 20) == pytest.approx(2.0 / (1.0 + 0.1))
    assert best_factor(1.5, 0.4**10, 1.0, 10) == pytest.approx(1.475)  # beyond the best factor
    assert best_factor(1.5, 2.0, 1.0, 20) == 1.25
    assert best_factor(1.5, np.inf, 1.0, 20) == 1.25
    # Young: iterated with factor w, a plain rate r shows as the larger root of
    # (x + w - 1)^2 = x w^2 r, and the answer is the best factor of r whatever w was.
    w, r = 1.2, 0.9
    rate = max(np.roots([1.0, 2.0 * (w - 1.0) - w * w * r, (w - 1.0) ** 2]))
    assert best_factor(w, rate**10, 1.0, 10) == pytest.approx(2.0 / (1.0 + np.sqrt(0.1)))


def test_over_relaxation_saves_sweeps():
    C = transport_clouds(60).C
    plain = log_sinkhorn(C, None, None, 1e-2, tol=1e-11, omega=1.0)
    fast = log_sinkhorn(C, None, None, 1e-2, tol=1e-11)
    np.testing.assert_allclose(fast.plan, plain.plan, atol=1e-11)
    assert fast.nit < 0.7 * plain.nit
    assert np.diff(fast.history["fun"]).min() >= -1e-15
    assert fast.history["omega"].max() > 1.2
    assert np.all(fast.history["phase"] == 0.0)
    assert np.all(fast.history["eps"] == 1e-2)


@pytest.mark.extras
def test_over_relaxation_at_small_strength():
    require("sklearn.datasets")
    require("sklearn")
    C, a, b, *_ = transport_digits(12)
    plain = log_sinkhorn(C, a, b, 2e-3, tol=1e-9, omega=1.0)
    fast = log_sinkhorn(C, a, b, 2e-3, tol=1e-9)
    np.testing.assert_allclose(fast.plan, plain.plan, atol=1e-8)
    assert fast.nit < 0.3 * plain.nit
    assert np.all(fast.history["omega"] < 2.0)


@pytest.mark.filterwarnings("ignore::sparseopt.ConvergenceWarning")
@pytest.mark.parametrize("omega", [1.0, None])
@pytest.mark.parametrize("eps", [1e-3, 1e-6, 1e-9])
def test_tiny_strength_stays_finite(eps, omega):
    C = transport_clouds(40).C
    result = log_sinkhorn(C, None, None, eps, max_iter=50, omega=omega)
    assert np.isfinite(result.plan).all()
    assert np.isfinite(result.x).all()
    assert omega is None or result.plan.sum() == pytest.approx(1.0, abs=1e-6)
    assert result.certificate == pytest.approx(result.marginal_error, rel=1e-4, abs=1e-6)
    low, high = result.bracket
    assert low <= high


def test_columns_far_below_all_rows_are_kept():
    C = np.array([[0.0, 5.0], [0.0, 5.0]])  # column 1 is 5000 strengths from its rows' best
    result = log_sinkhorn(C, None, [0.25, 0.75], 1e-3, tol=1e-9)
    np.testing.assert_allclose(result.plan, [[0.125, 0.375], [0.125, 0.375]], rtol=1e-9)


def test_masses_over_twelve_orders():
    C, _, _ = random_task(5, 8, 8)
    a = 10.0 ** -np.linspace(0, 12, 8)
    result = log_sinkhorn(C, a, a[::-1], 0.05, tol=1e-15)
    assert result.relative_marginal_error < 1e-3
    np.testing.assert_allclose(result.plan.sum(axis=1)[:4], a[:4], rtol=1e-9)


def test_points_are_costed_in_tiles(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.random((23, 2)), rng.random((17, 2))
    cost = transport.PointCost(x, y)
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 60)
    monkeypatch.setattr("sparseopt.transport._log_sinkhorn.BLOCK", 34)
    tiled = log_sinkhorn(cost, None, None, 0.02, tol=1e-12)
    monkeypatch.undo()
    whole = log_sinkhorn(cost.to_array(), None, None, 0.02, tol=1e-12)
    np.testing.assert_allclose(tiled.plan, whole.plan, atol=1e-13)


def test_forbidden_pairs():
    C, a, b = random_task(2, 6, 6)
    C[np.arange(6), np.arange(6)] = np.inf
    result = log_sinkhorn(C, a, b, 0.05, tol=1e-11)
    assert np.all(np.diag(result.plan) == 0.0)
    assert result.marginal_error <= 1e-10
    with pytest.warns(ConvergenceWarning):  # rows 0 and 1 can only go where column 0 is too small
        stuck = log_sinkhorn(
            [[0.0, np.inf], [0.0, np.inf], [0.0, 0.0]],
            None,
            [0.5, 0.5],
            0.1,
            max_iter=300,
        )
    assert not stuck.success
    assert stuck.certificate > 0.1


def test_zero_atoms():
    C, a, b = random_task(4, 7, 6)
    a[[0, 3, 6]] = 0.0
    b[:3] = 0.0
    b *= a.sum() / b.sum()
    result = log_sinkhorn(C, a, b, 0.05, tol=1e-12)
    inner = log_sinkhorn(C[np.ix_(a > 0, b > 0)], a[a > 0], b[b > 0], 0.05, tol=1e-12)
    np.testing.assert_allclose(result.plan[np.ix_(a > 0, b > 0)], inner.plan, atol=1e-13)
    assert not result.plan[a == 0].any()
    assert not result.plan[:, b == 0].any()
    assert np.isfinite(result.x).all()


def test_warm_start_and_only_g():
    C, a, b = random_task(6, 9, 8)
    C += 1e3
    cold = log_sinkhorn(C, a, b, 0.02, tol=1e-9)
    assert log_sinkhorn(C, a, b, 0.02, x0=cold, tol=2e-9).nit == 0
    assert log_sinkhorn(C, a, b, 0.02, x0=cold.potentials[1], tol=2e-9).nit <= 1
    wild = log_sinkhorn(C, a, b, 0.02, x0=(np.full(9, 900.0), np.full(8, 900.0)))
    np.testing.assert_allclose(wild.plan, cold.plan, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_invariances(seed):
    rng = np.random.default_rng(seed)
    C, a, b = random_task(seed, 6, 5)
    base = log_sinkhorn(C, a, b, 0.1, tol=1e-12)
    u, v = rng.random(6), rng.random(5)
    moved = log_sinkhorn(C + u[:, None] + v, a, b, 0.1, tol=1e-12)
    np.testing.assert_allclose(moved.plan, base.plan, atol=1e-11)
    scaled = log_sinkhorn(7.0 * C, a, b, 0.7, tol=1e-12)
    np.testing.assert_allclose(scaled.plan, base.plan, atol=1e-11)
    flipped = log_sinkhorn(C.T, b, a, 0.1, tol=1e-12)
    np.testing.assert_allclose(flipped.plan, base.plan.T, atol=1e-11)


def test_callback_and_no_mutation():
    C, a, b = random_task(7, 5, 5)
    copies = C.copy(), a.copy(), b.copy()
    seen = []

    def callback(state):
        seen.append(state.nit)
        if state.nit == 3:
            raise StopIteration

    log_sinkhorn(C, a, b, 0.01, callback=callback)
    assert seen == [1, 2, 3]
    for now, then in zip((C, a, b), copies, strict=True):
        np.testing.assert_array_equal(now, then)


def test_float32_costs():
    C, a, b = random_task(8, 6, 6)
    single = log_sinkhorn(C.astype(np.float32), a, b, 0.1)
    assert single.plan.dtype == np.float32
    double = log_sinkhorn(C, a, b, 0.1)
    np.testing.assert_allclose(single.plan, double.plan, atol=1e-6)


@pytest.mark.parametrize("omega", [0.0, -1.0, 2.0, np.nan, np.inf])
def test_bad_factor(omega):
    with pytest.raises(ValueError, match="omega"):
        log_sinkhorn(np.eye(3), None, None, 0.1, omega=omega)
