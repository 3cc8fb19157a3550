"""Transport on the line, against quantile functions and a linear program."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from sparseopt import transport


@given(
    st.integers(1, 8), st.integers(1, 8), st.sampled_from([1.0, 1.5, 2, 4]), st.integers(0, 10**6)
)
def test_equals_the_linear_program(n, m, p, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-3, 4, n) * 1.0, rng.integers(-3, 4, m) * 1.5  # ties
    a, b = rng.integers(0, 4, n) * 1.0, rng.integers(0, 4, m) * 1.0
    a[0] += b.sum() + 1
    b[-1] += a.sum() - b.sum()
    result = transport.wasserstein_1d(x, y, a, b, power=p)
    C = abs(x[:, None] - y) ** p
    scale = max(C.max(), 1.0) * a.sum()
    exact = transport.exact(C, a, b, method="highs")
    assert result.cost == pytest.approx(exact.cost, abs=1e-9 * scale)
    assert result.distance == pytest.approx(result.cost ** (1 / p))
    f, g = result.potentials
    assert (f[:, None] + g - C).max() <= 1e-12 * scale
    assert a @ f + b @ g == pytest.approx(result.cost, abs=1e-12 * scale)
    assert a @ f == pytest.approx(0.0, abs=1e-12 * scale)
    assert abs(result.certificate) <= 1e-13
    np.testing.assert_allclose(result.plan.sum(axis=1), a, atol=1e-12 * a.sum())
    np.testing.assert_allclose(result.plan.sum(axis=0), b, atol=1e-12 * a.sum())
    assert (result.plan * C).sum() == pytest.approx(result.cost, abs=1e-12 * scale)
    low, high = result.distance_bracket
    assert high == result.distance
    assert low**p == pytest.approx(high**p, abs=1e-12 * scale)


def test_equals_the_area_between_distribution_functions(rng):
    x, y, a, b = rng.standard_normal(500), rng.random(700), rng.random(500), rng.random(700)
    result = transport.wasserstein_1d(x, y, a / a.sum(), b / b.sum(), power=1)
    assert result.distance == pytest.approx(wasserstein_distance(x, y, a, b), rel=1e-12)


def test_normal_quantiles_give_the_distance_of_the_normals():
    from scipy.stats import norm

    levels = (np.arange(100_000) + 0.5) / 100_000
    x, y = norm.ppf(levels), 1.0 + 2.0 * norm.ppf(levels[::-1])
    assert transport.wasserstein_1d(x, y).distance == pytest.approx(np.sqrt(2.0), rel=1e-3)


def test_masses_over_many_orders_and_zero_atoms():
    a = np.array([1e-12, 0.0, 1.0, 1e-6])
    result = transport.wasserstein_1d([0.0, 9.0, 1.0, 2.0], [1.0], a, [a.sum()], power=1)
    assert result.cost == pytest.approx(1e-12 + 1e-6, rel=1e-12)
    np.testing.assert_allclose(result.plan[:, 0], a, atol=3e-16)
    assert np.isfinite(result.x).all()


def test_float32_sparse_and_records(rng, tmp_path):
    x, y = rng.standard_normal(6).astype(np.float32), rng.standard_normal(6).astype(np.float32)
    before = x.copy()
    result = transport.wasserstein_1d(x, y, power=3)
    assert result.plan.dtype == np.float32
    np.testing.assert_array_equal(x, before)
    assert transport.wasserstein_1d(x, y, sparse=True).plan.nnz == 6
    result.save(tmp_path / "line.npz")
    again = transport.LineResult.load(tmp_path / "line.npz")
    assert again.distance == result.distance
    np.testing.assert_array_equal(again.plan, result.plan)


@pytest.mark.parametrize(
    ("given", "more", "error", "message"),
    [
        (([], [1.0]), {}, ValueError, "^x must hold points"),
        (([1.0], [np.nan]), {}, ValueError, "^y must be finite"),
        (([1j], [1.0]), {}, TypeError, "^x must be real"),
        (([[1.0]], [1.0]), {}, ValueError, "^x must have 1 dim"),
        (([1.0], [1.0]), {"power": 0.5}, ValueError, "^power must be >= 1"),
        (([1.0], [1.0], [1.0], [2.0]), {}, ValueError, "^b must have the total"),
        (([1.0], [1.0], [-1.0]), {}, ValueError, "^a must be nonnegative"),
        (([1.0], [1.0], [1.0, 2.0]), {}, ValueError, "^a must have shape"),
    ],
)
def test_bad_input(given, more, error, message):
    with pytest.raises(error, match=message):
        transport.wasserstein_1d(*given, **more)
