"""Barycenters, against the optimality conditions, a conic solver and the line."""

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import xlogy

import sparseopt as so
from sparseopt import transport


def problem(count=3, m=6, n=5, seed=0):
    rng = np.random.default_rng(seed)
    measures = rng.random((count, m))
    measures[rng.random(measures.shape) < 0.3] = 0.0
    measures[:, 0] += 0.1
    return rng.random((m, n)), 2 * measures / measures.sum(axis=1, keepdims=True), rng.random(count)


def check(result, C, measures, weights, eps, atol=1e-8):
    """Plans from the potentials alone: marginals, the constraint and the duality gap."""
    assert result.success
    w = weights / weights.sum()
    f, g = result.potentials
    q = result.x.ravel()
    np.testing.assert_allclose(w @ g, 0.0, atol=1e-12 * max(1.0, abs(g).max()))
    primal = dual = 0.0
    for k, b in enumerate(measures.reshape(len(w), -1)):
        P = np.where(b[:, None] > 0, np.exp((f[k][:, None] + g[k] - C) / eps), 0.0)
        np.testing.assert_allclose(P, result.plans[k], rtol=1e-12)
        np.testing.assert_allclose(P.sum(axis=1), b, atol=atol)
        np.testing.assert_allclose(P.sum(axis=0), q, atol=atol)
        primal += w[k] * ((P * C).sum() + eps * (xlogy(P, P) - P).sum())
        dual += w[k] * (b @ f[k] - eps * P.sum())
        assert result.costs[k] == pytest.approx((P * C).sum())
    assert result.fun == pytest.approx(dual, abs=1e-9)
    assert primal == pytest.approx(dual, abs=1e-6)


@given(
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 6),
    st.floats(-2, 2),
    st.integers(0, 10**6),
)
def test_optimality(count, m, n, log_eps, seed):
    C, measures, weights = problem(count, m, n, seed)
    result = transport.barycenter(C, measures, 10.0**log_eps, weights)
    check(result, C, measures, weights, 10.0**log_eps)


@pytest.mark.extras
def test_equals_the_conic_program():
    cp = require("cvxpy")
    C, measures, weights = problem(2, 4, 3)
    w, eps = weights / weights.sum(), 0.2
    q = cp.Variable(3)
    plans = [cp.Variable(C.shape, nonneg=True) for _ in w]
    terms = [
        wk * (cp.sum(cp.multiply(C, P)) - eps * cp.sum(cp.entr(P) + P))
        for wk, P in zip(w, plans, strict=True)
    ]
    rules = [
        r
        for P, b in zip(plans, measures, strict=True)
        for r in (cp.sum(P, 1) == b, cp.sum(P, 0) == q)
    ]
    model = cp.Problem(cp.Minimize(sum(terms)), rules)
    model.solve(solver="CLARABEL")
    result = transport.barycenter(C, measures, eps, weights)
    assert result.fun == pytest.approx(model.value, abs=1e-6)
    np.testing.assert_allclose(result.x, q.value, atol=1e-4)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_grid_equals_the_matrix(power, rng):
    measures = rng.random((3, 4, 5))
    measures[measures < 0.3] = 0.0
    measures /= measures.sum(axis=(1, 2), keepdims=True)
    cost = transport.GridCost((4, 5), power)
    result = transport.barycenter(cost, measures, 0.1, [0.5, 0.2, 0.3])
    assert result.x.shape == (4, 5)
    dense = transport.barycenter(cost.to_array(), measures, 0.1, [0.5, 0.2, 0.3])
    np.testing.assert_allclose(result.x, dense.x, atol=1e-10)
    check(result, cost.to_array(), measures, np.array([0.5, 0.2, 0.3]), 0.1)


def test_two_points_meet_where_the_weights_say():
    places = np.arange(11.0)
    measures = np.zeros((2, 11))
    measures[0, 0] = measures[1, 10] = 1.0
    C = (places[:, None] - places) ** 2
    for w in (0.2, 0.5, 0.8):
        q = transport.barycenter(C, measures, 0.05, [1 - w, w]).x
        assert q @ places == pytest.approx(10 * w, abs=1e-6)
        assert q[round(10 * w)] > 0.99


def test_bells_meet_in_a_bell():
    # Two normal laws: the mean of the barycenter is the mean of means, its deviation (plus the
    # blur eps / 2 in the variance) the mean of deviations.
    places = np.linspace(-8, 8, 161)
    bells = np.exp(-0.5 * np.stack([(places + 2) / 0.8, (places - 3) / 1.4]) ** 2)
    bells /= np.array([[np.exp(-0.5 * ((places + 2) / 0.8) ** 2).sum()], [bells[1].sum()]])
    q = transport.barycenter((places[:, None] - places) ** 2, bells, 0.05).x
    mean = q @ places
    assert mean == pytest.approx(0.5, abs=1e-3)
    assert np.sqrt(q @ (places - mean) ** 2) == pytest.approx(1.1, abs=0.02)


def test_scale_offset_and_order_do_not_matter():
    C, measures, weights = problem()
    plain = transport.barycenter(C, measures, 0.1, weights)
    moved = transport.barycenter(C + 1e8, 10 * measures, 0.1, 7 * weights)
    np.testing.assert_allclose(moved.x, 10 * plain.x, rtol=1e-6)
    np.testing.assert_allclose(moved.plans[1], 10 * plain.plans[1], rtol=1e-6)
    turned = transport.barycenter(C, measures[::-1], 0.1, weights[::-1])
    np.testing.assert_allclose(turned.x, plain.x, atol=1e-8)
    without = transport.barycenter(C, measures[:2], 0.1, weights[:2])
    zero = transport.barycenter(C, measures, 0.1, [*weights[:2], 0.0])
    np.testing.assert_allclose(zero.x, without.x, atol=1e-8)


def test_small_strength_takes_few_sweeps(rng):
    places = rng.random((40, 2))
    measures = rng.random((3, 40))
    measures /= measures.sum(axis=1, keepdims=True)
    result = transport.barycenter(transport.PointCost(places, places), measures, 2e-3)
    assert result.success
    assert result.nit < 1000


def test_warm_start_callback_float32_and_records(tmp_path):
    C, measures, weights = problem()
    copies = C.copy(), measures.copy(), weights.copy()
    seen = []
    result = transport.barycenter(
        C, measures, 0.02, weights, callback=lambda state: seen.append(state.eps)
    )
    assert len(seen) == result.nit == result.history["eps"].size - 1
    for now, before in zip((C, measures, weights), copies, strict=True):
        np.testing.assert_array_equal(now, before)
    for x0 in (result, result.potentials[1], result.potentials[1] + 1.0):
        assert transport.barycenter(C, measures, 0.02, weights, x0=x0).nit <= 1
    single = transport.barycenter(C, measures.astype(np.float32), 0.02, weights)
    assert single.x.dtype == np.float32
    np.testing.assert_allclose(single.x, result.x, atol=1e-5)
    result.save(tmp_path / "center.npz")
    again = transport.BarycenterResult.load(tmp_path / "center.npz")
    np.testing.assert_array_equal(again.costs, result.costs)


def test_budget():
    C, measures, weights = problem()
    with pytest.warns(so.ConvergenceWarning):
        result = transport.barycenter(C, measures, 1e-3, weights, max_iter=2)
    assert not result.success
    assert result.certificate > 1e-9
    stop = iter(range(3))
    early = transport.barycenter(C, measures, 1e-2, weights, callback=lambda state: next(stop))
    assert (early.success, early.nit) == (False, 4)
    assert "callback" in early.message


C, M = np.ones((3, 3)), np.ones((2, 3))
BAD = [
    ((C, M[:, :2], 0.1), {}, ValueError, "^measures must have shape"),
    ((C, M[0], 0.1), {}, ValueError, "^measures must have shape"),
    ((C, M[:0], 0.1), {}, ValueError, "^measures must have shape"),
    ((C, M * [[1], [2]], 0.1), {}, ValueError, "^measures must have equal totals"),
    ((C, -M, 0.1), {}, ValueError, r"^measures\[0\] must be nonneg"),
    ((C, M * np.nan, 0.1), {}, ValueError, r"^measures\[0\] must be finite"),
    ((C * np.inf, M, 0.1), {}, ValueError, "^C must be finite"),
    ((C, M, 0.0), {}, ValueError, "^eps must be"),
    ((C, M, 0.1, [1.0]), {}, ValueError, "^weights must have shape"),
    ((C, M, 0.1, [1.0, -1.0]), {}, ValueError, "^weights must be >= 0"),
    ((C, M, 0.1, [0.0, 0.0]), {}, ValueError, "^weights must not all"),
    ((C, M, 0.1), {"x0": np.ones(3)}, ValueError, "^x0 must hold"),
    ((C, M, 0.1), {"x0": np.full((2, 3), np.nan)}, ValueError, "^x0 must be finite"),
    ((C, M, 0.1), {"max_iter": -1}, ValueError, "^max_iter must be"),
]


@pytest.mark.parametrize(("given", "more", "error", "message"), BAD)
def test_bad_input(given, more, error, message):
    with pytest.raises(error, match=message):
        transport.barycenter(*given, **more)
