"""Graphs: lattices, moons and nearest neighbours, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseopt.datasets import lattice_graph, neighbour_graph, two_moons


@given(st.integers(1, 7), st.integers(1, 7), st.floats(1e-3, 1e5))
def test_lattice(rows, cols, weight):
    W = lattice_graph(rows, cols, weight)
    i, j = np.divmod(np.arange(rows * cols), cols)
    distance = np.abs(i - i[:, None]) + np.abs(j - j[:, None])
    np.testing.assert_array_equal(W.toarray(), weight * (distance == 1))
    assert W.nnz == 2 * (rows * (cols - 1) + cols * (rows - 1))


@given(st.integers(2, 30), st.integers(1, 8), st.integers(1, 3), st.integers(0, 2**32))
def test_nearest_neighbours(n, k, d, seed):
    k = min(k, n - 1)
    X = np.random.default_rng(seed).standard_normal((n, d))
    distance = np.linalg.norm(X[:, None] - X, axis=-1)
    np.fill_diagonal(distance, np.inf)
    expected = np.zeros((n, n))
    for i in range(n):
        expected[i, np.argsort(distance[i])[:k]] = 1.0
    W = neighbour_graph(X, k)
    np.testing.assert_array_equal(W.toarray(), np.maximum(expected, expected.T))
    assert W.dtype == np.float64


def test_points_that_coincide():
    for twins in (2, 3, 5, 9):
        X = np.zeros((twins + 2, 2))
        X[-2:] = [[1.0, 0.0], [9.0, 0.0]]
        W = neighbour_graph(X, 2)
        assert (W.diagonal() == 0).all()
        assert (W != W.T).nnz == 0
        assert (np.diff(W.indptr) >= 2).all()


def test_moons():
    X, labels = two_moons(4001, noise_variance=0.01, rng=3)
    assert np.bincount(labels).tolist() == [2001, 2000]
    centres = np.array([[0.0, 0.0], [1.0, 0.5]])[labels]
    radius = np.linalg.norm(X - centres, axis=1)
    assert abs(radius.mean() - 1.0) < 0.02  # 1 + variance / 2
    assert abs(radius.std() - 0.1) < 0.01
    side = np.where(labels == 0, 1.0, -1.0) * (X - centres)[:, 1]
    assert (side > -0.5).all()
    assert labels[:20].min() == 0 and labels[:20].max() == 1  # shuffled


def test_moons_without_noise_lie_on_their_circles():
    X, labels = two_moons(50, noise_variance=0, rng=0)
    centres = np.array([[0.0, 0.0], [1.0, 0.5]])[labels]
    np.testing.assert_allclose(np.linalg.norm(X - centres, axis=1), 1.0, rtol=1e-14)
    assert (X[labels == 0, 1] >= 0).all() and (X[labels == 1, 1] <= 0.5).all()


def test_same_seed_same_moons():
    for n in (1, 2, 7):
        one, other = two_moons(n, rng=5), two_moons(n, rng=np.random.default_rng(5))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(two_moons(7, rng=5)[0], two_moons(7, rng=6)[0])


def test_the_two_moons_of_the_paper_are_told_apart_by_their_graph():
    """Most edges of the graph stay within a moon."""
    X, labels = two_moons(2000, rng=0)
    edges = neighbour_graph(X).tocoo()
    assert np.mean(labels[edges.coords[0]] == labels[edges.coords[1]]) > 0.93


BAD = [
    ("rows", lambda: lattice_graph(0, 1), ValueError, "^rows must be at least 1"),
    ("cols", lambda: lattice_graph(1, 1.0), TypeError, "^cols must be an integer"),
    ("weight", lambda: lattice_graph(1, 1, 0.0), ValueError, "^weight must be a positive"),
    ("n", lambda: two_moons(0), ValueError, "^n must be at least 1"),
    ("variance", lambda: two_moons(3, noise_variance=-1), ValueError, "^noise_variance must be >="),
    ("rng", lambda: two_moons(3, rng="a"), TypeError, "^rng must"),
    ("one point", lambda: neighbour_graph([[1.0]]), ValueError, "^X must have at least 2 rows"),
    ("k", lambda: neighbour_graph([[1.0], [2.0]], 2), ValueError, "^k must be between 1 and 1"),
    ("NaN", lambda: neighbour_graph([[1.0], [np.nan]], 1), ValueError, "^X must be finite"),
    ("complex", lambda: neighbour_graph([[1.0], [1j]], 1), TypeError, "^X must be real"),
    ("1-D", lambda: neighbour_graph([1.0, 2.0], 1), ValueError, "^X must have 2 dim"),
]


@pytest.mark.parametrize(("call", "error", "match"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()
