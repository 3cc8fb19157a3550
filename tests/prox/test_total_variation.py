"""Total variation in one and more dimensions, fused lasso, trend filtering."""

import itertools
import math
import pickle
import time

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sparseopt as so
from sparseopt import prox

finite = st.floats(-1e6, 1e6)


def dynamic_programme(v, above, below, w):
    """Johnson's dynamic programme: another algorithm, with one knot list and no array tricks."""
    n = len(v)
    knots = []  # (position, change of slope, change of intercept), sorted
    left = right = (w[0], -w[0] * v[0])
    low, high = np.empty(n), np.empty(n)
    for i in range(n - 1):
        a, b = left
        while knots and a * knots[0][0] + b < -below[i]:
            _, da, db = knots.pop(0)
            a, b = a + da, b + db
        low[i] = (-below[i] - b) / a
        c, d = right
        while knots and c * knots[-1][0] + d > above[i]:
            _, da, db = knots.pop()
            c, d = c - da, d - db
        high[i] = (above[i] - d) / c
        knots = [(low[i], a, b + below[i]), *knots, (high[i], -c, above[i] - d)]
        left = (w[i + 1], -below[i] - w[i + 1] * v[i + 1])
        right = (w[i + 1], above[i] - w[i + 1] * v[i + 1])
    a, b = left
    while knots and a * knots[0][0] + b < 0:
        _, da, db = knots.pop(0)
        a, b = a + da, b + db
    x = np.empty(n)
    x[-1] = -b / a
    for i in range(n - 2, -1, -1):
        x[i] = min(max(x[i + 1], low[i]), high[i])
    return x


def objective_1d(x, v, above, below, w):
    d = np.diff(x)
    return 0.5 * np.sum(w * (x - v) ** 2) + np.sum(
        above * np.maximum(d, 0) - below * np.minimum(d, 0)
    )


def gap_1d(x, v, above, below, w):
    """Duality gap of the weighted problem at the dual that x suggests; needs w > 0."""
    u = np.clip(np.cumsum(w * (x - v))[:-1], -below, above)
    adjoint = -np.diff(u, prepend=0, append=0)
    return objective_1d(x, v, above, below, w) - (u @ np.diff(v) - 0.5 * np.sum(adjoint**2 / w))


def random_problem(rng):
    n = int(rng.integers(1, 40))
    ties = rng.random() < 0.5
    v = rng.integers(-3, 4, n).astype(float) if ties else 5 * rng.standard_normal(n)
    above, below = rng.exponential(size=(2, n - 1)) * (rng.random((2, n - 1)) < 0.8)
    w = rng.exponential(size=n) + 0.05
    kind = rng.integers(4)
    if kind == 0:
        above = below = np.full(n - 1, rng.choice([0.25, 0.5, 1.0, 2.0]))
        w = np.ones(n)
    elif kind == 1:
        below = above
    elif kind == 2:
        above = np.zeros(n - 1)
    return v, above, below, w


def test_tv1d_against_the_dynamic_programme(rng):
    worst = 0.0
    for _ in range(400):
        v, above, below, w = random_problem(rng)
        before = [p.copy() for p in (v, above, below, w)]
        x = prox.tv1d(v, above, lam_minus=below, weights=w)
        worst = max(worst, np.abs(x - dynamic_programme(v, above, below, w)).max())
        assert gap_1d(x, v, above, below, w) <= 1e-11 * (1 + v @ v)
        for p, q in zip((v, above, below, w), before, strict=True):
            np.testing.assert_array_equal(p, q)
    assert worst < 1e-11


@pytest.mark.extras
@pytest.mark.parametrize("n", [1, 2, 3, 30, 60])
def test_tv1d_against_cvxpy(n, rng):
    cp = require("cvxpy")
    for missing in (False, True):
        v = rng.standard_normal(n)
        above, below = rng.uniform(0, 0.6, (2, n - 1)) * (rng.random((2, n - 1)) < 0.8)
        w = rng.uniform(0.2, 2, n) * ((rng.random(n) < 0.6) if missing else 1)
        w[n // 2] = 1.0
        x = cp.Variable(n)
        cost = 0.5 * cp.sum(cp.multiply(w, cp.square(x - v)))
        if n > 1:
            d = x[1:] - x[:-1]
            cost += 0.7 * cp.sum(cp.multiply(above, cp.pos(d)) + cp.multiply(below, cp.neg(d)))
        least = cp.Problem(cp.Minimize(cost)).solve(solver="CLARABEL")
        found = prox.tv1d(v, above, lam_minus=below, weights=w, step=0.7)
        assert objective_1d(found, v, 0.7 * above, 0.7 * below, w) <= least + 1e-8
        np.testing.assert_allclose(found[w > 0], x.value[w > 0], atol=2e-5)


def test_tv1d_missing_samples_take_the_cheapest_way(rng):
    """With weight 0 the sample goes and the smaller level of the two edges stays."""
    for _ in range(150):
        v, above, below, w = random_problem(rng)
        n = v.size
        keep = rng.random(n) < 0.5
        keep[rng.integers(n)] = True
        x = prox.tv1d(v, above, lam_minus=below, weights=w * keep)
        at = np.flatnonzero(keep)
        a, b = (np.array([p[i:j].min() for i, j in itertools.pairwise(at)]) for p in (above, below))
        short = prox.tv1d(v[at], a, lam_minus=b, weights=w[at])
        np.testing.assert_allclose(x[at], short, atol=1e-11)
        whole = objective_1d(x, v, above, below, w * keep)
        assert whole == pytest.approx(objective_1d(short, v[at], a, b, w[at]), abs=1e-10)


def test_tv1d_by_hand():
    assert prox.tv1d([3.0, 0.0], 1.0).tolist() == [2.0, 1.0]
    assert prox.tv1d([3.0, 0.0], 1.5).tolist() == [1.5, 1.5]
    assert prox.tv1d([3.0, 0.0], 0.0).tolist() == [3.0, 0.0]
    assert prox.tv1d([3.0, 0.0], 1.0, step=0.5).tolist() == [2.5, 0.5]
    assert prox.tv1d([3.0, 0.0], 1.0, weights=[1.0, 2.0]).tolist() == [2.0, 0.5]
    assert prox.tv1d([3.0, 0.0], 1.0, lam_minus=0.0).tolist() == [3.0, 0.0]
    assert prox.tv1d([3.0, 0.0], 0.0, lam_minus=1.0).tolist() == [2.0, 1.0]
    assert prox.tv1d([0.0, 5.0, 1.0], [np.inf, 0.0]).tolist() == [2.5, 2.5, 1.0]
    assert prox.tv1d([1.0, 9.0, 5.0], 1.0, weights=[1.0, 0.0, 1.0]).tolist() == [2.0, 2.0, 4.0]
    assert prox.tv1d([7.0], 3.0).tolist() == [7.0]
    assert prox.tv1d(7.0, 3.0) == 7.0
    assert prox.tv1d([4.0, 4.0, 4.0], 1.0).tolist() == [4.0] * 3


def test_tv1d_limits(rng):
    v = rng.standard_normal(200)
    strength = np.abs(np.cumsum(v - v.mean())).max()
    for lam in (strength, 2 * strength, 1e6, 1e300, np.inf):
        np.testing.assert_allclose(prox.tv1d(v, lam), np.full(200, v.mean()), atol=1e-14)
    assert np.ptp(prox.tv1d(v, strength * (1 - 1e-6))) > 0
    np.testing.assert_array_equal(
        prox.tv1d(v, 0.0, lam_minus=np.inf).round(12), prox.project_isotonic(v).round(12)
    )
    np.testing.assert_allclose(prox.tv1d(v, 0.0), v, rtol=1e-15, atol=1e-15)
    w = rng.uniform(0.1, 3, 200)
    np.testing.assert_allclose(
        prox.tv1d(v, 0.0, lam_minus=np.inf, weights=w), prox.project_isotonic(v, w), atol=1e-12
    )


@pytest.mark.parametrize("offset", [1e6, -1e12, 1e15])
def test_tv1d_far_from_zero(offset, rng):
    v = np.round(rng.standard_normal(500) * 64) / 64 * max(1, abs(offset) / 1e12)
    v = v + offset - offset
    x = prox.tv1d(v + offset, 1.5)
    np.testing.assert_allclose(x - offset, prox.tv1d(v, 1.5), atol=4 * np.spacing(abs(offset)))


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300, 1e307])
def test_tv1d_huge_and_tiny(scale, rng):
    v = rng.standard_normal(100)
    with np.errstate(over="raise", invalid="raise"):
        x = prox.tv1d(scale * v, scale * 0.7)
    np.testing.assert_allclose(x, scale * prox.tv1d(v, 0.7), rtol=1e-9, atol=1e-12 * scale)
    w = rng.uniform(0.5, 1, 100)
    expected = prox.tv1d(v, 0.7, weights=w)
    found = prox.tv1d(v, scale * 0.7, weights=scale * w)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tv1d_ramps_and_steps():
    """On a ramp only the ends change: both plateaus are as long as the level can pay for."""
    for n in (100, 40_000):
        for lam in (10.0, 4000.0 if n > 100 else 40.0):
            x = prox.tv1d(np.arange(n, dtype=float), lam)
            k = next(k for k in range(1, n) if k * (k + 1) / 2 > lam)  # samples on a plateau
            level = (k - 1) / 2 + lam / k
            np.testing.assert_allclose(x[:k], level, rtol=1e-12)
            np.testing.assert_allclose(x[k:-k], np.arange(k, n - k), rtol=1e-12)
            np.testing.assert_allclose(x[-k:], n - 1 - level, rtol=1e-12)


def test_tv1d_takes_linear_time_on_ramps():
    """Condat's algorithm takes half a second here; the bar of 5 ms is left to the benchmarks."""
    times = []
    prox.tv1d(np.arange(10.0), 1.0)
    for n in (40_000, 320_000):
        ramp = np.arange(n, dtype=float)
        runs = []
        for _ in range(5):
            start = time.perf_counter()
            prox.tv1d(ramp, n / 10)
            runs.append(time.perf_counter() - start)
        times.append(min(runs))
    assert times[0] < 0.05
    assert times[1] < 30 * times[0]


vectors = hnp.arrays(np.float64, st.integers(1, 12), elements=finite)


@given(vectors, st.floats(0, 1e6), st.data())
def test_tv1d_firm_nonexpansiveness_and_moreau(v, lam, data):
    w = data.draw(hnp.arrays(np.float64, v.size, elements=finite))
    x = prox.tv1d(v, lam)
    d = x - prox.tv1d(w, lam)
    assert d @ d <= d @ (v - w) + 1e-11 * max(v @ v, w @ w)
    rest = v - x  # the projection onto {D^T u, |u| <= lam}
    slack = 1e-10 * (1 + np.abs(v).max())
    u = -np.cumsum(rest)
    assert np.abs(u).max() <= lam + slack
    assert abs(u[-1]) <= slack
    assert rest @ x == pytest.approx(
        lam * np.abs(np.diff(x)).sum(), rel=1e-9, abs=1e-10 * (1 + v @ v)
    )


def test_tv1d_axis_batch_and_dtypes(rng):
    v = rng.standard_normal((4, 7, 3))
    lam = rng.uniform(0, 1, 6)
    step = rng.uniform(0.5, 2, (4, 3))
    x = prox.tv1d(v, lam, step=step, axis=1)
    for i in range(4):
        for j in range(3):
            np.testing.assert_array_equal(x[i, :, j], prox.tv1d(v[i, :, j], lam, step=step[i, j]))
    np.testing.assert_array_equal(prox.tv1d(np.asfortranarray(v), lam, step=step, axis=-2), x)
    np.testing.assert_array_equal(
        prox.tv1d(v, 0.5, axis=None), prox.tv1d(v.reshape(-1), 0.5).reshape(v.shape)
    )
    single = prox.tv1d(v.astype(np.float32), lam, axis=1)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, prox.tv1d(v, lam, axis=1), atol=1e-6)
    assert prox.tv1d([3, 0], 1).dtype == np.float64
    locked = v[0, :, 0]
    locked.flags.writeable = False
    prox.tv1d(locked, 1.0)
    for shape in ((0,), (0, 3), (3, 0), (1, 4)):
        assert prox.tv1d(np.zeros(shape), 1.0, axis=0).shape == shape


def test_fused_lasso(rng):
    v = rng.standard_normal((5, 12)) * 2
    lam = rng.uniform(0, 1, 11)
    x = prox.fused_lasso(v, 0.4, lam, step=0.6)
    np.testing.assert_allclose(x, prox.l1(prox.tv1d(v, 0.6 * lam), 0.24), atol=1e-14)
    step = rng.uniform(0.5, 2, 5)
    loop = [prox.fused_lasso(r, 0.4, lam, step=s) for r, s in zip(v, step, strict=True)]
    np.testing.assert_array_equal(prox.fused_lasso(v, 0.4, lam, step=step), loop)
    np.testing.assert_array_equal(
        prox.fused_lasso(v.T, 0.4, lam, step=step, axis=0), np.transpose(loop)
    )
    assert prox.fused_lasso(v.astype("f"), 0.4, 0.2).dtype == np.float32


@pytest.mark.extras
def test_fused_lasso_against_cvxpy(rng):
    cp = require("cvxpy")
    for _ in range(3):
        v, lam = rng.standard_normal(30) * 2, rng.uniform(0, 1, 29)
        x = cp.Variable(30)
        cost = 0.5 * cp.sum_squares(x - v) + 0.5 * cp.norm1(x)
        cost += cp.sum(cp.multiply(lam, cp.abs(x[1:] - x[:-1])))
        cp.Problem(cp.Minimize(cost)).solve(solver="CLARABEL")
        np.testing.assert_allclose(prox.fused_lasso(v, 0.5, lam), x.value, atol=1e-5)


# ---------------------------------------------------------------------------------------------
# Trend filtering


def differences(x, order, axis=0):
    return np.diff(x, n=order + 1, axis=axis)


@pytest.mark.extras
@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 40])
def test_trend_filter_against_cvxpy(order, n, rng):
    cp = require("cvxpy")
    for lam in (0.0, 0.3, 5.0, 1e3):
        v = rng.standard_normal(n)
        x = cp.Variable(n)
        cost = 0.5 * cp.sum_squares(x - v)
        if n > order + 1:
            cost += lam * cp.norm1(cp.diff(x, order + 1))
        least = cp.Problem(cp.Minimize(cost)).solve(solver="CLARABEL")
        result = prox.solve_trend_filter(v, lam, order, tol=1e-11)
        assert result.success
        assert result.fun == pytest.approx(least, abs=1e-6)
        np.testing.assert_allclose(result.x, x.value, atol=2e-5)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_trend_filter_certificate(order, rng):
    """The gap recomputed from x and the dual alone."""
    n = 300
    v = 3 * np.sin(np.linspace(0, 9, n)) + rng.standard_normal(n) + 100.0
    lam = rng.uniform(1, 5, n - order - 1)
    result = prox.solve_trend_filter(v, lam, order, tol=1e-8)
    x, u = result.x, result.dual
    assert np.all(np.abs(u) <= lam)
    adjoint = u
    for _ in range(order + 1):
        adjoint = -np.diff(adjoint, prepend=0, append=0)
    primal = 0.5 * np.sum((x - v) ** 2) + np.sum(lam * np.abs(differences(x, order)))
    dual = 0.5 * adjoint @ (2 * v - adjoint)
    t = np.linspace(-1, 1, n)
    fit = np.polynomial.Polynomial.fit(t, v, order)(t)
    null = 0.5 * np.sum((v - fit) ** 2)
    assert result.fun == pytest.approx(primal, rel=1e-10)
    assert (primal - dual) / null == pytest.approx(result.certificate, rel=1e-3, abs=1e-10)
    assert result.certificate <= 1e-8
    assert result.method == ("exact" if order == 0 else "admm")
    assert prox.solve_trend_filter(v, lam, order, x0=result, tol=1e-8).nit == 0
    near = prox.solve_trend_filter(v, 1.01 * lam, order, x0=result, tol=1e-6)
    assert near.nit <= prox.solve_trend_filter(v, 1.01 * lam, order, tol=1e-6).nit


def test_trend_filter_of_order_0_is_tv1d(rng):
    v = rng.standard_normal((4, 30))
    np.testing.assert_allclose(prox.trend_filter(v, 0.7, 0), prox.tv1d(v, 0.7), atol=1e-12)
    assert prox.solve_trend_filter(v, 0.7, 0).nit == 0


def test_trend_filter_limits_axis_and_dtypes(rng):
    t = np.linspace(-1, 1, 60)
    line = 3 + 2 * t
    np.testing.assert_allclose(prox.trend_filter(line, 5.0), line, atol=1e-12)
    v = line + rng.standard_normal(60)
    fit = np.polynomial.Polynomial.fit(t, v, 1)(t)
    np.testing.assert_allclose(prox.trend_filter(v, 1e5), fit, atol=1e-12)
    np.testing.assert_allclose(prox.trend_filter(v, 0.0), v, atol=1e-12)
    V = rng.standard_normal((3, 20, 2))
    X = prox.trend_filter(V, 0.7, 2, axis=1, tol=1e-11)
    for i in range(3):
        for j in range(2):
            alone = prox.trend_filter(V[i, :, j], 0.7, 2, tol=1e-11)
            np.testing.assert_allclose(X[i, :, j], alone, atol=1e-4)
    single = prox.trend_filter(v.astype(np.float32), 1.0)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, prox.trend_filter(v, 1.0), atol=0.05)
    for shape in ((0,), (0, 3), (3, 0)):
        assert prox.trend_filter(np.zeros(shape), 1.0, axis=0).shape == shape
    with pytest.warns(so.ConvergenceWarning, match="relative duality gap"):
        prox.trend_filter(v, 3.0, 2, max_iter=2, tol=1e-10)


# ---------------------------------------------------------------------------------------------
# Grids


def grid_differences(x, spacing, first_axis=0):
    """Forward differences along every axis from ``first_axis`` on, zero at the far borders."""
    out = []
    for a, h in zip(range(first_axis, x.ndim), spacing, strict=True):
        d = np.zeros_like(x)
        view = np.moveaxis(d, a, 0)
        view[:-1] = np.diff(np.moveaxis(x, a, 0), axis=0) / h
        out.append(d)
    return np.array(out)


def adjoint_differences(u, spacing):
    x = np.zeros(u.shape[1:])
    for a, h in enumerate(spacing):
        e = np.moveaxis(u[a], a, 0) / h
        y = np.moveaxis(x, a, 0)
        y[1:] += e[:-1]
        y[:-1] -= e[:-1]
    return x


def total_variation(x, lam, isotropic, spacing=None):
    d = grid_differences(x, np.ones(x.ndim) if spacing is None else spacing)
    sizes = np.sqrt(np.sum(d**2, axis=0)) if isotropic else np.sum(np.abs(d), axis=0)
    return np.sum(lam * sizes)


both = pytest.mark.parametrize("isotropic", [True, False])


@pytest.mark.extras
@both
@pytest.mark.parametrize("shape", [(4, 5), (7,), (3, 3, 2), (5, 1), (1, 5), (1, 1)])
def test_tv2d_against_cvxpy(shape, isotropic, rng):
    cp = require("cvxpy")
    v = rng.standard_normal(shape)
    cases = [
        (0.3, 1.0, np.ones(len(shape))),
        (rng.uniform(0, 0.5, shape), rng.uniform(0.5, 2, shape), rng.uniform(0.5, 2, len(shape))),
    ]
    for lam, w, h in cases:
        x = cp.Variable(v.size)
        index = np.arange(v.size).reshape(shape)
        lams, ws = (np.broadcast_to(p, shape).reshape(-1) for p in (lam, w))
        at = [[] for _ in range(v.size)]
        for a in range(len(shape)):
            moved = np.moveaxis(index, a, 0)
            for p, q in zip(moved[:-1].reshape(-1), moved[1:].reshape(-1), strict=True):
                at[p].append((x[q] - x[p]) / h[a])
        cost = 0.5 * cp.sum(cp.multiply(ws, cp.square(x - v.reshape(-1))))
        for p, d in enumerate(at):
            if d:
                cost += lams[p] * cp.norm(cp.hstack(d), 2 if isotropic else 1)
        cp.Problem(cp.Minimize(cost)).solve(solver="CLARABEL")
        result = prox.solve_tv2d(v, lam, isotropic, weights=w, spacing=h, tol=1e-13, max_iter=10**5)
        np.testing.assert_allclose(result.x.reshape(-1), x.value, atol=3e-5)


@both
@pytest.mark.parametrize("shape", [(20, 30), (50,), (6, 5, 7)])
def test_tv2d_certificate(shape, isotropic, rng):
    """Feasibility of the dual, and the gap recomputed from x and the dual alone."""
    v = rng.standard_normal(shape).cumsum(axis=0) + 50.0
    lam, w = rng.uniform(0, 1.5, shape), rng.uniform(0.5, 2, shape)
    h = rng.uniform(0.5, 2, len(shape))
    result = prox.solve_tv2d(v, lam, isotropic, weights=w, spacing=h, tol=1e-7)
    assert result.success
    x, u = result.x, result.dual
    assert u.shape == (len(shape), *shape)
    size = np.sqrt(np.sum(u**2, axis=0)) if isotropic else np.abs(u)
    assert np.all(size <= lam * (1 + 1e-12) + 1e-15)
    pull = adjoint_differences(u, h)
    np.testing.assert_allclose(x, v - pull / w, atol=1e-11)
    primal = 0.5 * np.sum(w * (x - v) ** 2) + total_variation(x, lam, isotropic, h)
    dual = np.sum(pull * v) - 0.5 * np.sum(pull**2 / w)
    null = 0.5 * np.sum(w * (v - np.average(v, weights=w)) ** 2)
    assert result.fun == pytest.approx(primal, rel=1e-11)
    assert (primal - dual) / null == pytest.approx(result.certificate, abs=1e-10)
    exact = prox.solve_tv2d(v, lam, isotropic, weights=w, spacing=h, tol=1e-10)
    assert 0.5 * np.sum(w * (x - exact.x) ** 2) <= result.certificate * null
    assert result.certificate == result.history["certificate"][-1]
    again = prox.solve_tv2d(v, lam, isotropic, weights=w, spacing=h, x0=result, tol=1e-6)
    assert again.nit == 0
    near = prox.solve_tv2d(v, 1.01 * lam, isotropic, weights=w, spacing=h, x0=u, tol=1e-6)
    cold = prox.solve_tv2d(v, 1.01 * lam, isotropic, weights=w, spacing=h, tol=1e-6)
    assert near.nit <= cold.nit
    pickle.loads(pickle.dumps(result))


def test_tv2d_of_a_line_is_tv1d(rng):
    v = rng.standard_normal(40)
    exact = prox.tv1d(v, 0.8)
    result = prox.solve_tv2d(v, 0.8, False)
    np.testing.assert_allclose(result.x, exact, atol=1e-12)
    assert result.nit == 0
    for image in (v[None], v[:, None]):
        for isotropic in (True, False):
            x = prox.tv2d(image, 0.8, isotropic, tol=1e-12)
            np.testing.assert_allclose(x.reshape(-1), exact, atol=1e-5)


def test_tv2d_step_and_joint_channels(rng):
    v = rng.standard_normal((6, 7))
    np.testing.assert_array_equal(prox.tv2d(v, 0.6, step=0.5), prox.tv2d(v, 0.3))
    # Equal channels share their edges: k copies are one image at the level lam / sqrt(k).
    colour = np.stack([v, v, v])
    joint = prox.tv2d(colour, 0.6, channel_axis=0, tol=1e-12)
    alone = prox.tv2d(v, 0.6 / math.sqrt(3), tol=1e-12)
    for channel in joint:
        np.testing.assert_allclose(channel, alone, atol=1e-5)
    last = prox.solve_tv2d(np.moveaxis(colour, 0, -1), 0.6, channel_axis=-1, tol=1e-12)
    np.testing.assert_allclose(np.moveaxis(last.x, -1, 0), joint, atol=1e-12)
    assert last.dual.shape == (2, 6, 7, 3)
    assert (
        prox.solve_tv2d(np.moveaxis(colour, 0, -1), 0.6, channel_axis=-1, x0=last, tol=1e-11).nit
        == 0
    )
    mixed = rng.standard_normal((6, 2, 7))
    apart = prox.tv2d(mixed, 0.4, False, channel_axis=1, tol=1e-12)
    for c in range(2):
        alone = prox.tv2d(mixed[:, c], 0.4, False, tol=1e-12)
        np.testing.assert_allclose(apart[:, c], alone, atol=1e-5)


@both
def test_tv2d_limits_and_dtypes(isotropic, rng):
    v = rng.standard_normal((9, 8))
    np.testing.assert_allclose(prox.tv2d(v, 0.0, isotropic), v, atol=1e-14)
    flat = prox.tv2d(v, 1e3, isotropic, tol=1e-12)
    np.testing.assert_allclose(flat, np.full_like(v, v.mean()), atol=1e-5)
    np.testing.assert_array_equal(prox.tv2d(np.full((3, 4), 2.5), 1.0, isotropic), 2.5)
    single = prox.tv2d(v.astype(np.float32), 0.3, isotropic)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, prox.tv2d(v, 0.3, isotropic), atol=0.05)
    offset = prox.tv2d(v + 1e9, 0.3, isotropic, tol=1e-10)
    np.testing.assert_allclose(offset - 1e9, prox.tv2d(v, 0.3, isotropic, tol=1e-10), atol=1e-3)
    before = v.copy()
    v.flags.writeable = False
    prox.tv2d(v[::-1, ::2], 0.3, isotropic)
    np.testing.assert_array_equal(v, before)
    assert prox.tv2d(np.arange(6).reshape(2, 3), 0.1, isotropic).dtype == np.float64
    for shape in ((0, 3), (3, 0)):
        assert prox.tv2d(np.zeros(shape), 1.0, isotropic).shape == shape


@both
def test_tv2d_stops_where_it_should(isotropic, rng):
    v = rng.standard_normal((20, 20))
    with pytest.warns(so.ConvergenceWarning, match="relative duality gap"):
        result = prox.solve_tv2d(v, 0.5, isotropic, max_iter=7, tol=1e-12)
    assert result.nit == 7
    assert not result.success
    seen = []

    def stop(state):
        seen.append(state.certificate)
        assert state.x.shape == v.shape
        if len(seen) == 2:
            raise StopIteration

    stopped = prox.solve_tv2d(v, 0.5, isotropic, tol=1e-14, callback=stop)
    assert stopped.status.name == "STOPPED"
    assert stopped.nit == (20 if isotropic else 2)
    assert np.all(np.diff(stopped.history["certificate"]) <= 0)


# ---------------------------------------------------------------------------------------------
# Torch and bad input


@pytest.mark.extras
def test_torch(rng):
    torch = require("torch")
    v = rng.standard_normal((4, 12)) * 2
    w = rng.uniform(0.5, 2, 12)
    lam = rng.uniform(0.1, 1, 11)
    calls = [
        lambda a, p: prox.tv1d(a, p(lam), weights=p(w), step=0.7),
        lambda a, p: prox.tv1d(a, 0.5, lam_minus=0.1, axis=0),
        lambda a, p: prox.fused_lasso(a, 0.3, p(lam)),
        lambda a, p: prox.tv2d(a, 0.4),
        lambda a, p: prox.tv2d(a, 0.4, False),
        lambda a, p: prox.trend_filter(a, 0.4),
    ]
    for k, call in enumerate(calls):
        expected = call(v, np.asarray)
        found = call(torch.tensor(v), torch.tensor)
        assert isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
        single = call(torch.tensor(v, dtype=torch.float32), torch.tensor)
        assert single.dtype == torch.float32
        np.testing.assert_allclose(single, call(v.astype("f"), np.asarray), rtol=1e-6, atol=1e-6)
        tracked = torch.tensor(v, requires_grad=True)
        if k < 3:
            x = call(tracked, torch.tensor)
            np.testing.assert_allclose(x.detach(), expected, rtol=1e-12, atol=1e-12)
            assert torch.autograd.gradcheck(lambda a, c=call: c(a, np.asarray), (tracked,))
        else:
            with pytest.raises(TypeError, match="gradient"):
                call(tracked, torch.tensor)


ones = np.ones((3, 4))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: prox.tv1d([1.0, np.nan], 1), ValueError, "v must be finite"),
        (lambda: prox.tv1d([1.0, np.inf], 1), ValueError, "v must be finite"),
        (lambda: prox.tv1d([1j, 1.0], 1), TypeError, "v must be real"),
        (lambda: prox.tv1d(["a"], 1), TypeError, "v must be"),
        (lambda: prox.tv1d([1.0, 2.0], -1), ValueError, "lam"),
        (lambda: prox.tv1d([1.0, 2.0], np.nan), ValueError, "lam"),
        (lambda: prox.tv1d([1.0, 2.0], [1.0, 1.0]), ValueError, r"lam .*\(1,\), got shape \(2,\)"),
        (lambda: prox.tv1d([1.0, 2.0], 1, lam_minus=-1), ValueError, "lam_minus"),
        (lambda: prox.tv1d([1.0, 2.0], 1, weights=[1.0]), ValueError, "weights"),
        (lambda: prox.tv1d([1.0, 2.0], 1, weights=[1.0, -1.0]), ValueError, "weights"),
        (lambda: prox.tv1d([1.0, 2.0], 1, weights=[1.0, np.inf]), ValueError, "weights"),
        (lambda: prox.tv1d([1.0, 2.0], 1, weights=[0, 0]), ValueError, "weights must not all"),
        (lambda: prox.tv1d([1.0, 2.0], 1, step=0.0), ValueError, "step"),
        (lambda: prox.tv1d(ones, 1, step=[1.0, 2.0]), ValueError, "step"),
        (lambda: prox.tv1d([1.0, 2.0], 1, axis=1), ValueError, "axis"),
        (lambda: prox.fused_lasso([1.0, 2.0], [1.0, 2.0], 1), ValueError, "lam_l1"),
        (lambda: prox.fused_lasso([1.0, 2.0], -1, 1), ValueError, "lam_l1"),
        (lambda: prox.fused_lasso([1.0j, 2.0], 1, 1), TypeError, "v must be real"),
        (lambda: prox.trend_filter([1.0, np.nan], 1), ValueError, "v must be finite"),
        (lambda: prox.trend_filter([1.0, 1j], 1), TypeError, "v must be real"),
        (lambda: prox.trend_filter([1.0, 2.0], -1), ValueError, "lam"),
        (lambda: prox.trend_filter([1.0, 2.0], np.inf), ValueError, "lam must be finite"),
        (lambda: prox.trend_filter(np.ones(5), [1.0, 1.0]), ValueError, "lam"),
        (lambda: prox.trend_filter([1.0, 2.0], 1, -1), ValueError, "order"),
        (lambda: prox.trend_filter([1.0, 2.0], 1, 1.0), TypeError, "order"),
        (lambda: prox.trend_filter([1.0, 2.0], 1, step=0), ValueError, "step"),
        (lambda: prox.trend_filter(np.ones(5), 1, x0=np.ones(5)), ValueError, "x0"),
        (lambda: prox.tv2d(ones * np.nan, 1), ValueError, "v must be finite"),
        (lambda: prox.tv2d(ones * 1j, 1), TypeError, "v must be real"),
        (lambda: prox.tv2d(1.0, 1), ValueError, "v must have an axis"),
        (lambda: prox.tv2d(ones, -1), ValueError, "lam"),
        (lambda: prox.tv2d(ones, np.inf), ValueError, "lam"),
        (lambda: prox.tv2d(ones, np.ones(3)), ValueError, "lam must broadcast"),
        (lambda: prox.tv2d(ones, 1, weights=0.0), ValueError, "weights"),
        (lambda: prox.tv2d(ones, 1, spacing=0.0), ValueError, "spacing"),
        (lambda: prox.tv2d(ones, 1, spacing=[1.0]), ValueError, "spacing"),
        (lambda: prox.tv2d(ones, 1, channel_axis=2), ValueError, "axis"),
        (lambda: prox.tv2d(ones, 1, step=-1.0), ValueError, "step"),
        (lambda: prox.tv2d(ones, 1, x0=ones), ValueError, "x0"),
        (lambda: prox.tv2d(ones, 1, x0=np.full((2, 3, 4), np.nan)), ValueError, "x0"),
        (lambda: prox.tv2d(ones, 1, tol=0.0), ValueError, "tol"),
        (lambda: prox.tv2d(ones, 1, max_iter=-1), ValueError, "max_iter"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e-200, 1e200])
def test_trend_filter_at_any_scale(scale, rng):
    v = rng.standard_normal(30)
    fit = np.polyval(np.polyfit(np.arange(30), v, 1), np.arange(30))
    for lam, step in ((1e16 * scale, 1.0), (1e300, 1.0), (1.0, 1e300)):
        found = prox.trend_filter(v * scale, lam, 1, step=step)
        np.testing.assert_allclose(found / scale, fit, atol=1e-12)
    seen = []
    result = prox.solve_trend_filter(v * scale, 0.7 * scale, tol=1e-11, callback=seen.append)
    expected = prox.trend_filter(v, 0.7, tol=1e-11)
    np.testing.assert_allclose(result.x / scale, expected, atol=1e-4)
    np.testing.assert_allclose(result.dual / scale, prox.solve_trend_filter(v, 0.7).dual, atol=0.1)
    again = prox.solve_trend_filter(v * scale, 0.7 * scale, x0=result, tol=1e-10)
    assert again.nit == 0
    assert seen[-1].fun == result.fun == result.history["fun"][-1]


def test_fused_lasso_refuses_an_infinite_level():
    with pytest.raises(ValueError, match="lam_l1 must be finite"):
        prox.fused_lasso([1.0, 2.0], np.inf, 1.0)
