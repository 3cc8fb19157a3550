"""Sinkhorn divergences: closed forms, signs, derivatives by differences, and the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparseopt as so
from sparseopt import transport
from sparseopt.transport import PointCost, divergence


def clouds(n=7, m=6, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n), rng.random(m)
    x, y = rng.standard_normal((n, 2)), rng.standard_normal((m, 2)) + 0.5
    return x, y, a / a.sum(), b / b.sum()


def by_definition(x, y, a, b, eps):
    """Three plans found on their own, with the reference measure in the objective."""

    def value(u, v, p, q):
        return transport.entropic(PointCost(u, v), p, q, eps, tol=1e-11).value_kl

    xy, xx, yy = value(x, y, a, b), value(x, x, a, a), value(y, y, b, b)
    return xy - 0.5 * xx - 0.5 * yy, (xy, xx, yy)


@pytest.mark.parametrize("eps", [10.0, 0.5, 0.05])
def test_definition(eps):
    x, y, a, b = clouds()
    result = divergence(PointCost(x, y), a, b, eps, tol=1e-11)
    expected, values = by_definition(x, y, a, b, eps)
    assert result.success
    assert result.fun == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(result.values, values, atol=1e-8)


@given(st.floats(-2, 1), st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_nonnegative_and_zero_at_equal_measures(log_eps, n, m, seed):
    x, y, a, b = clouds(n, m, seed)
    eps = 10.0**log_eps
    assert divergence(PointCost(x, y), a, b, eps).fun >= -1e-9
    turn = np.random.default_rng(seed).permutation(n)
    same = divergence(PointCost(x, x[turn]), a, a[turn], eps)
    assert abs(same.fun) <= 1e-7


@pytest.mark.parametrize("eps", [5.0, 0.2])
@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_a_shift_costs_its_square(eps, mass):
    x, _, a, _ = clouds(9)
    result = divergence(PointCost(x, x + np.array([0.6, 0.8])), mass * a, mass * a, eps)
    assert result.fun == pytest.approx(mass, rel=1e-7)
    # and pushes every point along the shift with its mass
    at_x, at_y = result.gradient
    np.testing.assert_allclose(at_x, -2 * mass * a[:, None] * [0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(at_y, 2 * mass * a[:, None] * [0.6, 0.8], atol=1e-6)


def test_limits():
    x, y, a, b = clouds()
    cost = PointCost(x, y)
    exact = transport.exact(cost, a, b).cost
    assert divergence(cost, a, b, 1e-3).fun == pytest.approx(exact, abs=2e-2)
    far = a @ x - b @ y  # half the energy distance of squared distances: that of the means
    assert divergence(cost, a, b, 1e5).fun == pytest.approx(far @ far, rel=1e-3)


def test_derivatives_in_masses_and_points():
    x, y, a, b = clouds()
    a[2] = 0.0
    a /= a.sum()
    eps, h = 0.3, 1e-5
    result = divergence(PointCost(x, y), a, b, eps, tol=1e-12)
    first, second = result.potentials

    def value(x, y, a, b):
        return divergence(PointCost(x, y), a, b, eps, tol=1e-12).fun

    rng = np.random.default_rng(1)
    d = rng.standard_normal(b.size)
    d -= d.mean()
    slope = (value(x, y, a, b + h * d) - value(x, y, a, b - h * d)) / (2 * h)
    assert second @ d == pytest.approx(slope, rel=1e-4)
    d = np.where(a > 0, rng.standard_normal(a.size), 0.0)
    d[a > 0] -= d[a > 0].mean()
    slope = (value(x, y, a + h * d, b) - value(x, y, a - h * d, b)) / (2 * h)
    assert first @ d == pytest.approx(slope, rel=1e-4)
    # mass that appears where there was none
    d = np.zeros(a.size)
    d[2], d[0] = 1.0, -1.0
    slope = (-3 * result.fun + 4 * value(x, y, a + h * d, b) - value(x, y, a + 2 * h * d, b)) / (
        2 * h
    )
    assert first @ d == pytest.approx(slope, rel=1e-3)
    at_x, at_y = result.gradient
    u, v = rng.standard_normal(x.shape), rng.standard_normal(y.shape)
    slope = (value(x + h * u, y + h * v, a, b) - value(x - h * u, y - h * v, a, b)) / (2 * h)
    assert (at_x * u).sum() + (at_y * v).sum() == pytest.approx(slope, rel=1e-5)
    assert not at_x[2].any()


def test_matrices_and_offsets_equal_points():
    x, y, a, b = clouds()
    points = divergence(PointCost(x, y), a, b, 0.2)
    matrices = [PointCost(u, v).to_array() for u, v in ((x, y), (x, x), (y, y))]
    assert divergence(matrices, a, b, 0.2).fun == pytest.approx(points.fun, rel=1e-8)
    moved = divergence([C + 1e5 for C in matrices], a, b, 0.2)
    assert moved.fun == pytest.approx(points.fun, abs=1e-6)
    euclid = divergence(PointCost(x, y, metric="euclidean", scale=2.0), a, b, 0.2)
    twos = [2 * np.sqrt(C) for C in matrices]
    assert euclid.fun == pytest.approx(divergence(twos, a, b, 0.2).fun, rel=1e-8)
    with pytest.raises(TypeError, match=r"^gradient needs a PointCost"):
        euclid.gradient  # noqa: B018


def test_grid_equals_points(rng):
    a, b = rng.random((2, 4, 5))
    a[0, :2] = 0.0
    a, b = a / a.sum(), b / b.sum()
    grid = divergence(transport.GridCost((4, 5)), a, b, 0.5)
    places = np.stack(np.indices((4, 5)), -1).reshape(-1, 2) * 1.0
    points = divergence(PointCost(places, places), a.ravel(), b.ravel(), 0.5)
    assert grid.success
    assert grid.fun == pytest.approx(points.fun, rel=1e-7)
    np.testing.assert_allclose(
        np.diff(grid.potentials[0]), np.diff(points.potentials[0]), atol=1e-6
    )


def test_warm_start_callback_float32_and_records(tmp_path):
    x, y, a, b = clouds()
    copies = x.copy(), a.copy()
    seen = []
    result = divergence(PointCost(x, y), a, b, 0.1, callback=lambda state: seen.append(state.fun))
    assert len(seen) > 0
    assert divergence(PointCost(x, y), a, b, 0.1, x0=result).nit <= 3
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(a, copies[1])
    single = divergence(PointCost(x.astype(np.float32), y.astype(np.float32)), a, b, 0.1)
    assert single.gradient[0].dtype == np.float32
    assert single.fun == pytest.approx(result.fun, rel=1e-5)
    result.save(tmp_path / "divergence.npz")
    again = transport.DivergenceResult.load(tmp_path / "divergence.npz")
    np.testing.assert_array_equal(again.gradient[0], result.gradient[0])
    np.testing.assert_array_equal(again.potentials[1], result.potentials[1])
    one = divergence(PointCost([1.0], [3.0]), None, None, 0.1)
    assert one.fun == pytest.approx(4.0)


def test_budget():
    x, y, a, b = clouds()
    with pytest.warns(so.ConvergenceWarning):
        result = divergence(PointCost(x, y), a, b, 0.05, max_iter=2)
    assert not result.success
    assert result.certificate > 1e-9
    assert "a and b: not converged" in result.message


X, Y, A, B = clouds()
SQUARES = [PointCost(u, v).to_array() for u, v in ((X, Y), (X, X), (Y, Y))]
BAD = [
    ((SQUARES[0], A, B, 0.1), {}, TypeError, "^C must be a PointCost"),
    ((SQUARES[::-1], A, B, 0.1), {}, ValueError, r"^C\[1\] must have shape"),
    (([*SQUARES[:2], SQUARES[2] + np.tri(6)], A, B, 0.1), {}, ValueError, r"^C\[2\] must be sym"),
    ((SQUARES, A, 2 * B, 0.1), {}, ValueError, "^b must have the total"),
    ((SQUARES, -A, B, 0.1), {}, ValueError, "^a must be nonneg"),
    ((SQUARES, A, B, 0.0), {}, ValueError, "^eps must be"),
    ((SQUARES, A, B, 0.1), {"x0": A}, TypeError, "^x0 must be a Div"),
    ((SQUARES, A, B, 0.1), {"tol": 0.0}, ValueError, "^tol must be"),
]


@pytest.mark.parametrize(("given", "more", "error", "message"), BAD)
def test_bad_input(given, more, error, message):
    with pytest.raises(error, match=message):
        divergence(*given, **more)
