"""Operators of whole vectors: l2, l2,1, l_inf, SLOPE, sum of k largest, l1 - l2, isotonic."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import prox

N = 7
LEVELS = np.array([2.0, 1.5, 1.5, 0.7, 0.4, 0.0, 0.0])
FALLING = np.linspace(1.5, 0.1, N)


def sort_down(y):
    return np.sort(np.abs(y))[::-1]


@dataclasses.dataclass
class Norm:
    """A row of the table of convex operators: a norm, its dual and its cvxpy expression."""

    name: str
    function: Callable[..., Any]
    value: Callable[..., float]
    dual: Callable[..., float]
    cvx: Callable[..., Any]

    def __repr__(self):
        return self.name


def sorted_cvx(levels):
    def expression(cp, x):
        drops = levels - np.append(levels[1:], 0)
        largest = [cp.sum_largest(cp.abs(x), k) for k in range(1, N)] + [cp.norm1(x)]
        return sum(d * term for d, term in zip(drops, largest, strict=True) if d > 0)

    return expression


def sorted_dual(levels):
    return lambda y: np.max(np.cumsum(sort_down(y)) / np.cumsum(levels))


def sorted_value(levels):
    return lambda x: np.sum(levels * sort_down(x))


NORMS = [
    Norm(
        "l2",
        lambda v, **o: prox.l2(v, 1.3, **o),
        lambda x: 1.3 * np.linalg.norm(x),
        lambda y: np.linalg.norm(y) / 1.3,
        lambda cp, x: 1.3 * cp.norm2(x),
    ),
    Norm(
        "linf",
        lambda v, **o: prox.linf(v, 1.3, **o),
        lambda x: 1.3 * np.max(np.abs(x)),
        lambda y: np.sum(np.abs(y)) / 1.3,
        lambda cp, x: 1.3 * cp.norm_inf(x),
    ),
    Norm(
        "slope",
        lambda v, **o: prox.slope(v, LEVELS, **o),
        sorted_value(LEVELS),
        sorted_dual(LEVELS),
        sorted_cvx(LEVELS),
    ),
    Norm(
        "slope-falling",
        lambda v, **o: prox.slope(v, FALLING, **o),
        sorted_value(FALLING),
        sorted_dual(FALLING),
        sorted_cvx(FALLING),
    ),
    Norm(
        "sum_largest",
        lambda v, **o: prox.sum_largest(v, 0.8, 3, **o),
        lambda x: 0.8 * np.sum(sort_down(x)[:3]),
        lambda y: max(np.max(np.abs(y)), np.sum(np.abs(y)) / 3) / 0.8,
        lambda cp, x: 0.8 * cp.sum_largest(cp.abs(x), 3),
    ),
]
norms = pytest.mark.parametrize("norm", NORMS, ids=repr)
STEPS = [0.01, 0.3, 1.0, 5.0]


def inputs(rng, count):
    """Random vectors with ties and zeros among them."""
    v = rng.standard_normal((count, N)) * np.exp(rng.uniform(-2, 2, (count, 1)))
    v[: count // 4] = np.round(v[: count // 4])
    v[0] = 0.0
    v[1] = 1.0
    return v


def duality_gap(norm, v, x, step):
    """An upper bound of how far ``x`` is from the least objective, by a feasible dual point."""
    y = (v - x) / step
    y = y / max(1.0, norm.dual(y))
    primal = 0.5 * np.sum(np.abs(x - v) ** 2) + step * norm.value(x)
    dual = 0.5 * np.sum(np.abs(v) ** 2) - 0.5 * np.sum(np.abs(v - step * y) ** 2)
    return (primal - dual) / (1 + primal)


@norms
def test_the_duality_gap_is_zero(norm, rng):
    for step in STEPS:
        for v in inputs(rng, 120):
            x = norm.function(v, step=step)
            assert x.dtype == np.float64
            assert duality_gap(norm, v, x, step) < 1e-12


@norms
def test_complex_numbers_act_by_their_modulus(norm, rng):
    for v in inputs(rng, 40):
        z = v * np.exp(1j * rng.uniform(0, 7, N))
        x = norm.function(z)
        assert x.dtype == np.complex128
        assert duality_gap(norm, z, x, 1.0) < 1e-12
        np.testing.assert_allclose(np.abs(x), np.abs(norm.function(v)), rtol=1e-12, atol=1e-14)
        assert norm.function(z.astype(np.complex64)).dtype == np.complex64


@pytest.mark.extras
@norms
def test_cvxpy(norm, rng):
    cp = require("cvxpy")
    x, v = cp.Variable(N), cp.Parameter(N)
    for step in (0.3, 1.0):
        cost = 0.5 * cp.sum_squares(x - v) + step * norm.cvx(cp, x)
        problem = cp.Problem(cp.Minimize(cost))
        for v.value in inputs(rng, 12):
            problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)
            np.testing.assert_allclose(norm.function(v.value, step=step), x.value, atol=1e-6)


finite = st.floats(-1e6, 1e6)
vectors = st.lists(finite, min_size=N, max_size=N)


@norms
@given(v=vectors, w=vectors, step=st.floats(1e-3, 1e3))
def test_firm_nonexpansiveness_and_moreau(norm, v, w, step):
    v, w = np.array(v), np.array(w)
    x = norm.function(v, step=step)
    d = x - norm.function(w, step=step)
    assert d @ d <= d @ (v - w) + 1e-12 * max(v @ v, w @ w)
    # Moreau: the rest is the nearest point of the dual ball, so its prox is zero again.
    y = (v - x) / step
    size = 1 + np.linalg.norm(v)
    assert norm.dual(y) * step <= step * (1 + 1e-10) + 1e-10 * size
    assert abs(y @ x - norm.value(x)) * step <= 1e-10 * size**2


@norms
def test_axes_and_batches(norm, rng):
    v = rng.standard_normal((3, N, 4)) * 2
    x = norm.function(v, axis=1)
    assert x.shape == v.shape
    for i, j in itertools.product(range(3), range(4)):
        np.testing.assert_allclose(x[i, :, j], norm.function(v[i, :, j]), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(norm.function(v, axis=-2), x)
    np.testing.assert_array_equal(norm.function(np.asfortranarray(v), axis=1), x)
    view = np.moveaxis(v, 1, 2)[::-1]
    np.testing.assert_array_equal(norm.function(view, axis=2), np.moveaxis(x, 1, 2)[::-1])
    whole = v[:1, :, :1]
    for axis in (None, (0, 1), (1, 2), (0, 1, 2), (2, 1, 0)):
        np.testing.assert_allclose(norm.function(whole, axis=axis), x[:1, :, :1], rtol=1e-14)
    assert norm.function(v[:0], axis=1).shape == (0, N, 4)
    single = norm.function(v.astype(np.float32), axis=1)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, x, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="axis"):
        norm.function(v, axis=3)
    with pytest.raises(ValueError, match="axis must not name an axis twice"):
        norm.function(v, axis=(1, -2))


@norms
def test_inputs_are_left_alone(norm, rng):
    v = rng.standard_normal(N)
    v.flags.writeable = False
    before = v.copy()
    norm.function(v)
    np.testing.assert_array_equal(v, before)
    expected = norm.function(np.arange(N, dtype=float))
    np.testing.assert_array_equal(norm.function(np.arange(N)), expected)
    np.testing.assert_array_equal(norm.function(list(range(N))), expected)
    assert norm.function(np.arange(N, dtype=np.float16)).dtype == np.float32
    np.testing.assert_array_equal(norm.function(np.zeros(N)), np.zeros(N))


# ---------------------------------------------------------------------------------------------
# l2 and its relatives


def test_l2_special_cases(rng):
    v = rng.standard_normal((4, 5))
    np.testing.assert_array_equal(prox.l2(v, 0.0), v)
    assert not prox.l2(v, np.inf).any()
    assert not prox.l2(v, 100.0).any()
    np.testing.assert_allclose(prox.l2(v, 1.0), v * (1 - 1 / np.linalg.norm(v)), rtol=1e-14)
    np.testing.assert_allclose(prox.l2(v[:, 0], 0.5, axis=()), prox.l1(v[:, 0], 0.5))
    assert prox.l2([3.0, 4.0], 5.0).tolist() == [0.0, 0.0]  # a tie
    assert prox.l2(-3.0, 1.0) == -2.0
    assert prox.l2([], 1.0).shape == (0,)
    huge = np.array([3e200, -4e200])
    np.testing.assert_allclose(prox.l2(huge, 1e200), 0.8 * huge, rtol=1e-14)


def test_l21_is_l2_of_each_row(rng):
    v = rng.standard_normal((5, 3)) * 2
    w = np.array([0.0, 1.0, 0.5, np.inf, 2.0])
    rows = np.array([prox.l2(r, 0.7 * a, step=0.5) for r, a in zip(v, w, strict=True)])
    np.testing.assert_allclose(prox.l21(v, 0.7, w, step=0.5), rows, rtol=1e-14)
    np.testing.assert_allclose(prox.l21(v.T, 0.7, w, step=0.5, axis=0), rows.T, rtol=1e-14)
    np.testing.assert_allclose(prox.l21(v, 0.7), prox.l21(v, 0.7, np.ones(5)), rtol=1e-15)
    np.testing.assert_allclose(prox.l21(v, 0.7), prox.group_l2(v.T, 0.7, [0, 0, 0]).T, rtol=1e-14)
    np.testing.assert_allclose(prox.l21(v[:, 0], 0.7), prox.l2(v[:, 0], 0.7))
    stack = rng.standard_normal((2, 5, 3))
    for s, x in zip(stack, prox.l21(stack, 0.7, w), strict=True):
        np.testing.assert_allclose(x, prox.l21(s, 0.7, w), rtol=1e-14)
    assert prox.l21(np.zeros((0, 3)), 1.0).shape == (0, 3)
    assert prox.l21(np.zeros((3, 0)), 1.0).shape == (3, 0)


def test_squared_l2(rng):
    v = rng.standard_normal((4, 5))
    mu = rng.uniform(0, 3, 5)
    np.testing.assert_allclose(prox.squared_l2(v, mu, step=0.5), v / (1 + 0.5 * mu), rtol=1e-15)
    np.testing.assert_array_equal(prox.squared_l2(v, 0.0), v)
    assert prox.squared_l2(v.astype(np.float32), 1.0).dtype == np.float32
    z = v * (1 + 2j)
    np.testing.assert_allclose(prox.squared_l2(z, 1.0), z / 2, rtol=1e-15)
    out = np.empty_like(v)
    assert prox.squared_l2(v, mu, out=out) is out
    # Moreau: the conjugate is |y|^2 / (2 mu).
    y = (v / 0.5) / (1 + 1 / (0.5 * 2.0))
    np.testing.assert_allclose(prox.squared_l2(v, 2.0, step=0.5) + 0.5 * y, v, rtol=1e-12)


def test_linf_special_cases(rng):
    v = rng.standard_normal(30)
    np.testing.assert_array_equal(prox.linf(v, 0.0), v)
    assert not prox.linf(v, np.inf).any()
    assert not prox.linf(v, np.abs(v).sum() * (1 + 1e-12)).any()
    assert prox.linf([1.0, -1.0, 1.0], 3.0).tolist() == [0.0, 0.0, 0.0]
    assert prox.linf(-3.0, 1.0) == -2.0
    assert prox.linf([], 1.0).shape == (0,)
    np.testing.assert_allclose(prox.linf(v, 2.0), prox.sum_largest(v, 2.0, 1), rtol=1e-13)
    ceiling = np.abs(prox.linf(v, 2.0)).max()
    assert np.maximum(np.abs(v) - ceiling, 0).sum() == pytest.approx(2.0, rel=1e-12)


# ---------------------------------------------------------------------------------------------
# Sorted norms and isotonic regression


def isotonic_by_hand(v, w):
    """The min-max formula."""
    n = len(v)

    def mean(i, j):
        return np.sum(w[i : j + 1] * v[i : j + 1]) / np.sum(w[i : j + 1])

    return np.array(
        [max(min(mean(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]
    )


def slope_by_hand(v, levels):
    """Sort, subtract, the min-max formula, cut at zero, unsort."""
    order = np.argsort(-np.abs(v), kind="stable")
    y = np.abs(v)[order] - levels
    x = np.empty(len(v))
    x[order] = np.maximum(-isotonic_by_hand(-y, np.ones(len(v))), 0)
    return x * np.sign(v)


def test_isotonic_against_the_min_max_formula(rng):
    worst = 0.0
    for trial in range(400):
        n = rng.integers(1, 9)
        v = rng.standard_normal(n) * np.exp(rng.uniform(-3, 3))
        v = np.round(v) if trial % 3 == 0 else v
        w = rng.uniform(0.1, 4, n) if trial % 2 else np.ones(n)
        x = prox.project_isotonic(v, None if trial % 2 == 0 else w)
        assert np.all(np.diff(x) >= 0)
        worst = max(worst, np.max(np.abs(x - isotonic_by_hand(v, w))) / (1 + np.abs(v).max()))
    assert worst < 1e-14


@given(st.lists(finite, min_size=1, max_size=20), st.data())
def test_isotonic_properties(v, data):
    v = np.array(v)
    w = np.array(data.draw(st.lists(finite, min_size=v.size, max_size=v.size)))
    x, z = prox.project_isotonic(v), prox.project_isotonic(w)
    d, scale = x - z, 1 + max(v @ v, w @ w)
    assert d @ d <= d @ (v - w) + 1e-12 * scale
    assert abs(x @ (v - x)) <= 1e-10 * scale  # Moreau: the rest is in the polar cone
    assert np.all(np.cumsum((v - x)[::-1]) <= 1e-10 * scale)
    assert x.sum() == pytest.approx(v.sum(), abs=1e-10 * scale)
    np.testing.assert_allclose(prox.project_isotonic(x), x, rtol=1e-12, atol=1e-9)


def test_isotonic_shapes(rng):
    v = rng.standard_normal((3, 6, 4))
    w = rng.uniform(0.5, 2, 6)
    x = prox.project_isotonic(v, w, axis=1)
    for i, j in itertools.product(range(3), range(4)):
        np.testing.assert_array_equal(x[i, :, j], prox.project_isotonic(v[i, :, j], w))
    whole = prox.project_isotonic(v, axis=None)
    np.testing.assert_array_equal(whole.reshape(-1), prox.project_isotonic(v.reshape(-1)))
    assert prox.project_isotonic(v.astype(np.float32)).dtype == np.float32
    assert prox.project_isotonic([3, 1]).tolist() == [2.0, 2.0]
    assert prox.project_isotonic([]).shape == (0,)
    assert prox.project_isotonic(np.zeros((2, 0))).shape == (2, 0)
    assert prox.project_isotonic(3.0) == 3.0
    np.testing.assert_array_equal(prox.project_isotonic(np.arange(50.0)), np.arange(50.0))
    down = np.arange(50.0)[::-1]
    np.testing.assert_allclose(prox.project_isotonic(down), np.full(50, 24.5), rtol=1e-14)
    long = rng.standard_normal(100_000).cumsum()
    assert np.all(np.diff(prox.project_isotonic(long)) >= 0)


def test_slope_against_the_min_max_formula(rng):
    for trial in range(400):
        n = rng.integers(1, 9)
        v = rng.standard_normal(n) * 3
        v = np.round(v) if trial % 3 == 0 else v
        levels = np.sort(rng.uniform(0, 2, n))[::-1]
        levels[rng.integers(0, n + 1) :] = 0
        x = prox.slope(v, levels, step=0.7)
        np.testing.assert_allclose(x, slope_by_hand(v, 0.7 * levels), atol=1e-14)


@pytest.mark.parametrize("n", [255, 256, 257, 1000, 3000])
@pytest.mark.parametrize("size", [0.0, 0.1, 1.0, 3.0])
def test_slope_of_long_vectors(n, size, rng):
    """Long rows take another way than short ones: candidates first, then the sort."""
    v = rng.standard_normal(n)
    levels = size * np.sort(rng.uniform(0, 1, n))[::-1]
    norm = Norm("slope", None, sorted_value(levels), sorted_dual(levels + 1e-300), None)
    for w in (v, np.round(v, 1), v.astype(np.float32)):
        x = prox.slope(w, levels)
        assert duality_gap(norm, w.astype(float), x.astype(float), 1.0) < (
            1e-12 if w.dtype == float else 1e-6
        )
    batch = np.stack([v, 2 * v, 0 * v])
    np.testing.assert_array_equal(
        prox.slope(batch, levels), [prox.slope(row, levels) for row in batch]
    )


def test_slope_special_cases(rng):
    v = rng.standard_normal(400)
    np.testing.assert_allclose(prox.slope(v, np.full(400, 0.4)), prox.l1(v, 0.4), atol=1e-15)
    np.testing.assert_array_equal(prox.slope(v, np.zeros(400)), v)
    assert not prox.slope(v, np.r_[np.inf, np.zeros(399)]).any()
    assert not prox.slope(v[:3], [np.inf, np.inf, 1.0]).any()
    np.testing.assert_allclose(prox.sum_largest(v, 0.4, 400), prox.l1(v, 0.4), atol=1e-15)
    np.testing.assert_array_equal(prox.sum_largest(v, 0.4, 0), v)
    np.testing.assert_array_equal(prox.sum_largest(v, np.inf, 0), v)
    assert not prox.sum_largest(v, np.inf, 2).any()
    assert prox.slope([], []).shape == (0,)
    assert prox.slope(np.zeros((0, 3)), [2, 1, 0]).shape == (0, 3)
    assert prox.slope(-3.0, [1.0]) == -2.0
    assert prox.sum_largest(-3.0, 1.0, 1) == -2.0
    # Entries that a level separates move together: ties of the result are exact.
    x = prox.slope([3.0, -3.1, 3.2, 0.1], [2.0, 1.5, 1.0, 0.5])
    assert len(set(np.abs(x[:3]))) == 1


# ---------------------------------------------------------------------------------------------
# l1 - l2


def difference(x, lam, alpha):
    return lam * (np.sum(np.abs(x), axis=-1) - alpha * np.sqrt(np.sum(x * x, axis=-1)))


def least_by_grid(v, step, lam, alpha, points):
    """Least objective on a grid over the box [0, v], refined around its best point."""
    low, width = np.zeros(v.size), np.array(v)
    best = np.inf
    for _ in range(6):
        axes = [np.linspace(a, a + w, points) for a, w in zip(low, width, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, v.size)
        cost = 0.5 * np.sum((grid - v) ** 2, axis=1) + step * difference(grid, lam, alpha)
        best = min(best, cost.min())
        centre = grid[cost.argmin()]
        width = width * 4 / points
        low = np.clip(centre - width / 2, 0, np.maximum(v - width, 0))
    return best


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("n", "points", "count"), [(2, 41, 140), (3, 21, 30)])
def test_l1_minus_l2_against_a_grid(alpha, n, points, count, rng):
    for trial in range(count):
        step = [0.05, 0.7, 1.0, 4.0][trial % 4]
        v = rng.standard_normal(n) * (1 + step)
        if trial % 5 == 0:
            v = step * 0.8 * np.round(2 * v) / 2  # ties of the largest, and peaks at the level
        x = prox.l1_minus_l2(v, 0.8, alpha, step=step)
        assert np.all(x * v >= 0)
        found = 0.5 * np.sum((x - v) ** 2) + step * difference(x, 0.8, alpha)
        assert found - least_by_grid(np.abs(v), step, 0.8, alpha, points) < 1e-6


def test_l1_minus_l2_no_point_is_better(rng):
    for _ in range(100):
        v = rng.standard_normal(8) * 2
        x = prox.l1_minus_l2(v, 0.9, 1.0)
        found = 0.5 * np.sum((x - v) ** 2) + difference(x, 0.9, 1.0)
        kept = v * (rng.random((200, 8)) < 0.5)
        near = x + rng.standard_normal((200, 8)) * 10 ** rng.uniform(-6, 0, (200, 1))
        for others in (kept, near, prox.l1(kept, 0.9), v[None], np.zeros((1, 8)), np.diag(v)):
            cost = 0.5 * np.sum((others - v) ** 2, axis=1) + difference(others, 0.9, 1.0)
            assert found <= cost.min() + 1e-12


def test_l1_minus_l2_special_cases(rng):
    v = rng.standard_normal((5, 6)) * 2
    np.testing.assert_allclose(prox.l1_minus_l2(v, 0.7, 0.0), prox.l1(v, 0.7), atol=1e-15)
    np.testing.assert_array_equal(prox.l1_minus_l2(v, 0.0), v)
    with pytest.raises(ValueError, match="lam must be finite"):
        prox.l1_minus_l2(v, np.inf, 0.5)
    rows = prox.l1_minus_l2(v, 0.7, 0.6, axis=1)
    np.testing.assert_allclose(rows, [prox.l1_minus_l2(r, 0.7, 0.6) for r in v], rtol=1e-14)
    z = v * np.exp(1j * rng.uniform(0, 7, v.shape))
    np.testing.assert_allclose(np.abs(prox.l1_minus_l2(z, 0.7)), np.abs(prox.l1_minus_l2(v, 0.7)))
    assert prox.l1_minus_l2([-1.0, 1.0], 1.0).tolist() == [-1.0, 0.0]  # the first of the largest
    assert prox.l1_minus_l2([0.5, 0.4], 1.0, 0.5).tolist() == [0.0, 0.0]  # a tie with zero
    assert prox.l1_minus_l2([], 1.0).shape == (0,)
    assert prox.l1_minus_l2(-0.5, 1.0) == -0.5
    single = prox.l1_minus_l2(v.astype(np.float32), 0.7)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, prox.l1_minus_l2(v, 0.7), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------------------------------
# Bad input

BAD = [
    (lambda: prox.l2([1.0, np.nan], 1.0), ValueError, "v must be finite"),
    (lambda: prox.l2([1.0], -1.0), ValueError, "lam"),
    (lambda: prox.l2([1.0], np.nan), ValueError, "lam"),
    (lambda: prox.l2([1.0, 2.0], [1.0, 2.0]), ValueError, "lam"),
    (lambda: prox.l2([1.0], 1.0, step=0.0), ValueError, "step"),
    (lambda: prox.l2(["a"], 1.0), TypeError, "v must be"),
    (lambda: prox.l2([1.0], 1.0, axis=1), ValueError, "axis"),
    (lambda: prox.l2([1.0], 1.0, axis=0.5), TypeError, "axis"),
    (lambda: prox.l21(np.ones((2, 3)), 1.0, [1.0, -1.0]), ValueError, "weights"),
    (lambda: prox.l21(np.ones((2, 3)), 1.0, np.ones(3)), ValueError, "weights must broadcast"),
    (lambda: prox.l21(np.ones((2, 3)), -1.0), ValueError, "lam"),
    (lambda: prox.squared_l2([1.0, np.nan], 1.0), ValueError, "v must not contain NaN"),
    (lambda: prox.squared_l2([1.0], -1.0), ValueError, "mu"),
    (lambda: prox.squared_l2([1.0], np.inf), ValueError, "mu"),
    (lambda: prox.linf([1.0, np.nan], 1.0), ValueError, "v must be finite"),
    (lambda: prox.linf([1.0, np.inf], 1.0), ValueError, "v must be finite"),
    (lambda: prox.linf([1.0], -1.0), ValueError, "lam"),
    (lambda: prox.linf([1.0], 1.0, step=-1.0), ValueError, "step"),
    (lambda: prox.slope([1.0, np.nan], [1.0, 1.0]), ValueError, "v must be finite"),
    (lambda: prox.slope([1.0, 2.0], [1.0, 2.0]), ValueError, "lam must be nonincreasing, got 1.0"),
    (lambda: prox.slope([1.0, 2.0], [1.0, -1.0]), ValueError, "lam"),
    (lambda: prox.slope([1.0, 2.0], [1.0, np.nan]), ValueError, "lam"),
    (lambda: prox.slope([1.0, 2.0], [1.0]), ValueError, r"lam must have shape \(2,\)"),
    (lambda: prox.slope([1.0, 2.0], 1.0), ValueError, "lam must have shape"),
    (lambda: prox.slope([1.0], [1.0], step=np.inf), ValueError, "step"),
    (lambda: prox.sum_largest([1.0, np.inf], 1.0, 1), ValueError, "v must be finite"),
    (lambda: prox.sum_largest([1.0], 1.0, 2), ValueError, "k must be between 0 and 1"),
    (lambda: prox.sum_largest([1.0], 1.0, -1), ValueError, "k"),
    (lambda: prox.sum_largest([1.0], 1.0, 1.0), TypeError, "k must be an integer"),
    (lambda: prox.sum_largest([1.0], -1.0, 1), ValueError, "lam"),
    (lambda: prox.l1_minus_l2([np.nan], 1.0), ValueError, "v must be finite"),
    (lambda: prox.l1_minus_l2([1.0], 1.0, 1.5), ValueError, "alpha"),
    (lambda: prox.l1_minus_l2([1.0], 1.0, -0.5), ValueError, "alpha"),
    (lambda: prox.l1_minus_l2([1.0], -1.0), ValueError, "lam"),
    (lambda: prox.project_isotonic([1.0, np.nan]), ValueError, "v must be finite"),
    (lambda: prox.project_isotonic([1j, 1.0]), TypeError, "v must be real"),
    (lambda: prox.project_isotonic([1.0, 2.0], [1.0, 0.0]), ValueError, "weights"),
    (lambda: prox.project_isotonic([1.0, 2.0], [1.0, -1.0]), ValueError, "weights"),
    (lambda: prox.project_isotonic([1.0, 2.0], [1.0, np.inf]), ValueError, "weights"),
    (lambda: prox.project_isotonic([1.0, 2.0], [1.0]), ValueError, "weights must have shape"),
]


@pytest.mark.parametrize(("call", "error", "match"), BAD)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


# ---------------------------------------------------------------------------------------------
# Torch

CALLS = {
    "l2": lambda w: prox.l2(w, 0.7),
    "l2 axis": lambda w: prox.l2(w, 0.7, axis=0),
    "l21": lambda w: prox.l21(w, 0.7, np.arange(5) / 3),
    "squared_l2": lambda w: prox.squared_l2(w, 0.7),
    "linf": lambda w: prox.linf(w, 0.7, axis=1),
    "linf all": lambda w: prox.linf(w, 3.7),
    "slope": lambda w: prox.slope(w, [2.0, 1.0, 0.5, 0.5, 0.2, 0.1], step=0.8),
    "slope axis": lambda w: prox.slope(w, [1.0, 0.5, 0.5, 0.2, 0.1], axis=0),
    "sum_largest": lambda w: prox.sum_largest(w, 0.7, 2, axis=None),
    "l1_minus_l2": lambda w: prox.l1_minus_l2(w, 0.7, 0.8, axis=1),
    "l1_minus_l2 one": lambda w: prox.l1_minus_l2(w, 3.5, 0.8, axis=1),
    "isotonic": lambda w: prox.project_isotonic(w, np.arange(1.0, 7.0)),
    "isotonic axis": lambda w: prox.project_isotonic(w, axis=0),
}


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CALLS)
def test_torch(name, rng):
    torch = require("torch")
    call = CALLS[name]
    v = rng.standard_normal((5, 6)) * 2
    expected = call(v)
    assert np.any(expected != 0)
    for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 1e-6)]:
        for grad in (False, True):
            w = torch.tensor(v, dtype=dtype, requires_grad=grad)
            before = w.detach().clone()
            x = call(w)
            assert x.dtype == dtype
            assert x.requires_grad == grad
            np.testing.assert_allclose(x.detach().numpy(), expected, rtol=tol, atol=3 * tol)
            assert torch.equal(w.detach(), before)
    assert torch.autograd.gradcheck(call, (torch.tensor(v, requires_grad=True),))
    if "isotonic" not in name:
        z = torch.tensor(v * (1 + 2j), requires_grad=True)
        np.testing.assert_allclose(call(z).detach(), call(v * (1 + 2j)), rtol=1e-12, atol=1e-13)
    for grad in (False, True):
        bad = torch.full((5, 6), np.nan, requires_grad=grad)
        with pytest.raises(ValueError, match="v must"):
            call(bad)
    zero = torch.zeros(5, 6, requires_grad=True)
    call(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()
