"""Transport problems follow their recipes."""

import sys

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from sparseopt.datasets import _transport, transport_assignment, transport_clouds, transport_digits


@given(
    n=st.integers(1, 9), m=st.integers(1, 9), d=st.integers(1, 4), seed=st.integers(0, 2**32 - 1)
)
def test_clouds(n, m, d, seed):
    C, a, b, x, y = transport_clouds(n, d, m, rng=seed)
    draw = np.random.default_rng(seed)
    np.testing.assert_array_equal(x, draw.standard_normal((n, d)))
    raw = draw.standard_normal((m, d))
    expected = [raw[j] + 2.0 if j < m // 2 else raw[j] / 2.0 for j in range(m)]
    np.testing.assert_array_equal(y, expected)
    squares = ((x[:, None] - y) ** 2).sum(axis=2)
    np.testing.assert_allclose(C, squares / squares.max(), rtol=1e-13, atol=1e-15)
    assert C.max() == 1.0
    assert a.tolist() == [1.0 / n] * n and b.tolist() == [1.0 / m] * m


def test_the_clouds_of_500_points_are_those_of_the_published_figure():
    """Their exact transport cost was computed with the network simplex of POT."""
    C, *_ = transport_clouds(500)
    rows, cols = linear_sum_assignment(C)
    assert C[rows, cols].mean() == pytest.approx(0.06088725687, rel=1e-9)


@pytest.mark.parametrize("block", [1, 20, 1 << 20])
def test_clouds_without_the_matrix(monkeypatch, block):
    monkeypatch.setattr(_transport, "BLOCK", block)
    C, *others = transport_clouds(13, m=7)
    lazy, *same = transport_clouds(13, m=7, lazy=True)
    assert lazy.shape == (13, 7)
    np.testing.assert_allclose(lazy.tile(0, 13), C, rtol=1e-14)
    for one, other in zip(others, same, strict=True):
        np.testing.assert_array_equal(one, other)


def test_assignment():
    C, a, b, x, y = transport_assignment(200, rng=3)
    np.testing.assert_array_equal(C, np.random.default_rng(3).random((200, 200)))
    np.testing.assert_array_equal(a, np.full(200, 1 / 200))
    np.testing.assert_array_equal(b, a)
    assert x is None and y is None


@pytest.mark.parametrize("make", [transport_clouds, transport_assignment])
def test_same_seed_same_problem(make):
    one, same, other = (make(6, rng=seed) for seed in (1, np.random.default_rng(1), 2))
    np.testing.assert_array_equal(one.C, same.C)
    assert (one.C != other.C).any()
    np.testing.assert_array_equal(make(6).C, make(6, rng=0).C)
    assert (make(6, rng=None).C != make(6, rng=None).C).any()


@pytest.mark.extras
@pytest.mark.parametrize("power", [1, 2])
def test_digits(power):
    digits = require("sklearn.datasets").load_digits().images / 16.0
    C, a, b, x, y = transport_digits(15, (2, 5), power)
    assert C.shape == (225, 225) and C.dtype == np.float64
    for mass, image in ((a, digits[2]), (b, digits[5])):
        # Corner to corner, 15 pixels take one between every two of the 8.
        fine = np.zeros((15, 15))
        fine[::2, ::2] = image
        fine[1::2, ::2] = (image[1:] + image[:-1]) / 2
        fine[:, 1::2] = (fine[:, 2::2] + fine[:, :-1:2]) / 2
        fine += 0.01
        np.testing.assert_allclose(mass, fine.ravel() / fine.sum(), rtol=1e-12)
    np.testing.assert_array_equal(x, [(i, j) for i in range(15) for j in range(15)])
    assert y is x
    np.testing.assert_allclose(C[0].reshape(15, 15)[-1, -1], 1.0)
    np.testing.assert_allclose(C[16, 16 + 15 * 3 + 4], (3**power + 4**power) / (2 * 14**power))
    np.testing.assert_array_equal(C, C.T)
    assert not C.diagonal().any()


@pytest.mark.extras
def test_digits_of_one_size_keep_their_pixels():
    images = require("sklearn.datasets").load_digits().images
    _, a, b, *_ = transport_digits(8, (7, 1796), pedestal=0)
    np.testing.assert_allclose(a, images[7].ravel() / images[7].sum(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(b, images[-1].ravel() / images[-1].sum(), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(a == 0, images[7].ravel() == 0)
    assert transport_digits(2).C.tolist() == [
        [0, 0.5, 0.5, 1],
        [0.5, 0, 1, 0.5],
        [0.5, 1, 0, 0.5],
        [1, 0.5, 0.5, 0],
    ]


@pytest.mark.extras
def test_the_digits_of_784_pixels_take_sinkhorn_as_long_as_published():
    """1,530 sweeps to 1e-9 with the L1 cost, eps = 1e-2 (errors seen every tenth)."""
    require("sklearn.datasets")
    C, a, b, *_ = transport_digits(power=1)
    K, v = np.exp(-C / 1e-2), np.ones(784)
    errors = []
    for _ in range(153):
        for _ in range(10):
            u = a / (K @ v)
            v = b / (K.T @ u)
        errors.append(np.abs(u * (K @ v) - a).sum())
    assert errors[-1] < 1e-9 < errors[-2]


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="sparseopt\\[sklearn\\]"):
        transport_digits()


BAD = [
    ("n", lambda: transport_clouds(0), ValueError, "^n must be at least 1"),
    ("d", lambda: transport_clouds(3, 0), ValueError, "^d must be at least 1"),
    ("m", lambda: transport_clouds(3, m=1.5), TypeError, "^m must be an integer"),
    ("rng", lambda: transport_clouds(3, rng="a"), TypeError, "^rng must"),
    ("n of assignment", lambda: transport_assignment(0), ValueError, "^n must be at least 1"),
    ("rng of assignment", lambda: transport_assignment(3, rng=-1), ValueError, "^rng must"),
    ("size", lambda: transport_digits(1), ValueError, "^size must be at least 2"),
    ("power", lambda: transport_digits(8, power=3), ValueError, "^power must be one of"),
    ("pedestal", lambda: transport_digits(8, pedestal=-1), ValueError, "^pedestal must be >= 0"),
]
BAD_PAIRS = [
    ((0,), ValueError, "^pair must be two indices"),
    (3, ValueError, "^pair must be two indices"),
    ((0, 1797), ValueError, "^pair must be between 0 and 1796"),
    ((0, 1.0), TypeError, "^pair must be an integer"),
]


@pytest.mark.parametrize(("call", "error", "match"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.extras
@pytest.mark.parametrize(("pair", "error", "match"), BAD_PAIRS)
def test_bad_pairs(pair, error, match):
    require("sklearn.datasets")
    with pytest.raises(error, match=match):
        transport_digits(8, pair)


def test_digits_without_mass_are_refused():
    require("sklearn.datasets")
    with pytest.raises(ValueError, match="pedestal must be positive"):
        transport_digits(2, pedestal=0.0)
