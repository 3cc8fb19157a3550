"""Distances of densities on grids, against linear programs, the line and dense sums."""

import numpy as np
import pytest
from scipy.special import logsumexp

import sparseopt as so
from sparseopt import transport
from sparseopt.transport._grid_cost import GridCost
from sparseopt.transport._log_kernel import DenseKernel, GridKernel


def densities(shape, seed=0, zeros=0.3):
    rng = np.random.default_rng(seed)
    a, b = rng.random(shape), rng.random(shape)
    a[rng.random(shape) < zeros] = 0.0
    b[rng.random(shape) < zeros] = 0.0
    return a / a.sum(), b / b.sum()


def dense(shape, power, spacing):
    """Costs from the coordinates of the cells."""
    places = np.stack(np.indices(shape), -1).reshape(-1, len(shape)) * np.asarray(spacing)
    return (abs(places[:, None] - places) ** power).sum(-1)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((5,), (0.5,)), ((3, 4), (1.0, 2.0)), ((2, 3, 2), (1.0, 0.1, 3.0))]
)
@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_grid_cost(shape, spacing, power, rng):
    C, cost = dense(shape, power, spacing), GridCost(shape, power, spacing=spacing)
    np.testing.assert_allclose(cost.to_array(), C, rtol=1e-14)
    np.testing.assert_allclose(cost.tile(1, 3), C[1:3], rtol=1e-14)
    rows, cols = np.array([3, 0]), np.array([1, 4, 2])
    part = cost.take(rows, cols)
    assert part.shape == (2, 3)
    np.testing.assert_allclose(part.tile(0, 2), C[np.ix_(rows, cols)], rtol=1e-14)
    again = part.take(np.array([1]), np.array([0, 2]))
    np.testing.assert_allclose(again.tile(0, 1), C[np.ix_([0], [1, 2])], rtol=1e-14)
    a, b = densities(shape)
    exact = transport.exact(cost, a.ravel(), b.ravel(), method="highs")
    assert exact.cost == pytest.approx(transport.exact(C, a.ravel(), b.ravel()).cost, rel=1e-9)


@pytest.mark.parametrize("eps", [10.0, 0.1, 1e-4])
def test_kernels_equal_dense_sums(eps, rng):
    shape = (3, 4, 2)
    cost = GridCost(shape, 2.0, spacing=(1.0, 0.5, 2.0))
    C, g = cost.to_array(), rng.standard_normal((2, 24))
    g[0, 5] = -np.inf
    g[1] = -np.inf
    g[1, 7] = 3.0
    expected = logsumexp((g[:, None, :] - C) / eps, axis=2)
    kernel = GridKernel(cost, eps)
    for found in (kernel.rows(g), DenseKernel(C, eps).rows(g), DenseKernel(C, eps).cols(g)):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(kernel.least(g[0]), (C - g[0]).min(axis=1), rtol=1e-13)
    f = -eps * (expected[0] + rng.random(24))
    P = np.exp((f[:, None] + g[0] - C) / eps)
    assert kernel.cost(f, g[0]) == pytest.approx((P * C).sum(), rel=1e-12)
    a, b = densities(shape)
    assert kernel.product_cost(a.ravel(), b.ravel()) == pytest.approx(a.ravel() @ C @ b.ravel())


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("shape", [(6, 5), (12,), (3, 2, 4)])
def test_bracket_holds_the_linear_program(shape, power):
    a, b = densities(shape)
    C = dense(shape, power, 1.0)
    exact = transport.exact(C, a.ravel(), b.ravel(), method="highs").cost
    result = transport.wasserstein(a, b, power=power, tol=1e-2)
    assert result.success
    low, high = result.bracket
    assert low - 1e-12 <= exact <= high + 1e-12
    null = a.ravel() @ C @ b.ravel()
    assert (high - low) / null <= 1e-2
    assert result.certificate == pytest.approx((high - low) / null, abs=1e-3)
    assert result.distance == pytest.approx(high ** (1 / power))
    assert result.distance_bracket == (low ** (1 / power), result.distance)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_fixed_strength_equals_the_dense_solver(power):
    a, b = densities((6, 5))
    C = dense((6, 5), power, 1.0)
    result = transport.wasserstein(a, b, power=power, eps=0.3, tol=1e-10)
    expected = transport.entropic(C, a.ravel(), b.ravel(), 0.3, tol=1e-11)
    assert result.success
    assert result.marginal_error <= 1.1e-10
    np.testing.assert_allclose(result.plan, expected.plan, atol=1e-9)
    assert result.fun == pytest.approx(expected.fun, rel=1e-9)
    assert result.cost == pytest.approx(expected.cost, rel=1e-7)
    assert result.cost == pytest.approx((result.plan * C).sum(), rel=1e-7)
    assert -1e-12 <= result.gap <= 1e-7
    f, _ = result.potentials
    assert np.isfinite(result.x).all()
    assert a.ravel() @ f == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(result.plan[a.ravel() == 0], 0.0)


def test_line_and_shifts():
    a, b = densities((40,))
    result = transport.wasserstein(a, b, power=1, spacing=0.5, tol=1e-4)
    places = 0.5 * np.arange(40)
    exact = transport.wasserstein_1d(places, places, a, b, power=1).distance
    low, high = result.distance_bracket
    assert low <= exact <= high
    assert high - low <= 1e-2 * exact


def test_equal_densities_and_single_cells():
    a, _ = densities((5, 5))
    same = transport.wasserstein(a, a)
    assert same.success
    assert same.bracket[0] <= 0.0 <= same.bracket[1] <= 1e-3 * 25
    one = np.zeros((4, 4))
    one[1, 2] = 2.0
    point = transport.wasserstein(one, one)
    assert (point.success, point.cost, point.nit) == (True, 0.0, 0)
    other = np.zeros((4, 4))
    other[3, 2] = 2.0
    assert transport.wasserstein(one, other).cost == pytest.approx(8.0)
    assert transport.wasserstein([3.0], [3.0]).distance == 0.0


def test_scale_and_mass_do_not_matter():
    a, b = densities((5, 4))
    plain = transport.wasserstein(a, b, tol=1e-2)
    moved = transport.wasserstein(1e5 * a, 1e5 * b, spacing=1e-3, tol=1e-2)
    assert moved.nit == plain.nit
    assert moved.cost == pytest.approx(0.1 * plain.cost, rel=1e-9)


def test_warm_start_callback_and_records(tmp_path):
    a, b = densities((6, 6))
    before = a.copy()
    seen = []
    result = transport.wasserstein(a, b, eps=0.5, callback=lambda state: seen.append(state.eps))
    np.testing.assert_array_equal(a, before)
    assert len(seen) == result.nit == result.history["fun"].size - 1
    assert seen[-1] == 0.5
    assert transport.wasserstein(a, b, eps=0.5, x0=result).nit <= 1
    assert transport.wasserstein(a, b, eps=0.5, x0=result.potentials[1]).nit <= 1
    coarse = transport.wasserstein(a, b, tol=1e-2)
    assert transport.wasserstein(a, b, tol=1e-2, x0=coarse).nit < coarse.nit
    result.save(tmp_path / "grid.npz")
    again = transport.GridResult.load(tmp_path / "grid.npz")
    assert again.distance_bracket == result.distance_bracket
    np.testing.assert_array_equal(again.plan, result.plan)
    with pytest.warns(so.ConvergenceWarning):
        short = transport.wasserstein(a, b, max_iter=3)
    assert not short.success
    low, high = short.bracket
    assert low <= result.bracket[0] + 1.0
    assert low <= high


def test_float32():
    a, b = (x.astype(np.float32) for x in densities((4, 5)))
    result = transport.wasserstein(a, b, eps=1.0, sparse=True)
    assert result.success
    assert transport.wasserstein(a, b, eps=1.0).plan.dtype == np.float32
    np.testing.assert_allclose(result.plan.sum(axis=1), a.ravel(), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: transport.wasserstein([], []), ValueError, "^a must be a non-empty grid"),
        (lambda: transport.wasserstein([1.0], [0.5, 0.5]), ValueError, "^b must have the shape"),
        (lambda: transport.wasserstein([1.0], [2.0]), ValueError, "^b must have the total"),
        (lambda: transport.wasserstein([1.0], [-1.0]), ValueError, "^b must be nonnegative"),
        (lambda: transport.wasserstein([1.0], [1.0], power=0.5), ValueError, "^power must be"),
        (lambda: transport.wasserstein([1.0], [1.0], eps=0.0), ValueError, "^eps must be"),
        (lambda: transport.wasserstein([1.0], [1.0], tol=-1), ValueError, "^tol must be"),
        (lambda: transport.wasserstein([1.0], [1.0], x0=np.zeros(3)), ValueError, "^x0 must hold"),
        (lambda: transport.wasserstein([1.0], [1.0], x0=[np.nan]), ValueError, "^x0 must be fin"),
        (lambda: transport.wasserstein([1.0], [1.0], spacing=0), ValueError, "^spacing must be"),
        (lambda: GridCost(()), ValueError, "^shape must have"),
        (lambda: GridCost((2, 0)), ValueError, "^shape must be at least 1"),
        (lambda: GridCost(2.5), TypeError, "^shape must be an integer"),
        (lambda: GridCost((2, 2), spacing=(1.0,)), ValueError, "^spacing must have 2"),
        (lambda: GridCost(2, dtype=int), TypeError, "^dtype must be"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
