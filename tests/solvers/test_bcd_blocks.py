"""Partitions of coordinates into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import datasets, penalties
from sparseopt.losses import LabelPropagation, LeastSquares, Multinomial, Quadratic
from sparseopt.solvers import bcd, block_partition


def squares(bounds):
    """A least-squares loss with these curvatures."""
    return LeastSquares(np.diag(np.sqrt(bounds)), np.ones(len(bounds)))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3), st.integers(0, 99))
def test_every_kind_covers_what_has_curvature_once(p, size, zeros, seed):
    rng = np.random.default_rng(seed)
    bounds = rng.random(p) + 0.1
    bounds[rng.permutation(p)[: min(zeros, p - 1)]] = 0.0
    size = min(size, p)
    for kind in ("order", "random", "sort", "average"):
        blocks = block_partition(squares(bounds), kind, size, rng=seed)
        assert sorted(np.concatenate(blocks)) == np.flatnonzero(bounds).tolist()
        assert all(block.size == size for block in blocks[:-1])
        assert 1 <= blocks[-1].size <= size


def test_what_the_kinds_mean():
    loss = squares([5.0, 1.0, 3.0, 2.0, 4.0])
    as_lists = {
        kind: [b.tolist() for b in block_partition(loss, kind, 2)]
        for kind in ("order", "sort", "average")
    }
    assert as_lists["order"] == [[0, 1], [2, 3], [4]]
    assert as_lists["sort"] == [[1, 3], [2, 4], [0]]
    assert as_lists["average"] == [[1, 0], [3, 4], [2]]
    assert [b.tolist() for b in block_partition(loss, [[4, 0], [1]], 9)] == [[4, 0], [1]]
    assert [b.tolist() for b in block_partition(loss, np.array([1, 0, 1, 0, 2]))] == [
        [1, 3],
        [0, 2],
        [4],
    ]


def test_random_blocks_follow_the_seed():
    loss = squares(np.ones(30))
    first, again, other = (
        np.concatenate(block_partition(loss, "random", 4, rng=seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_graph_kinds():
    W = datasets.lattice_graph(6, 7)
    loss = LabelPropagation(W, [0, 20], [1.0, -1.0])
    Q = loss.Q.toarray()
    for kind in ("connected", "red-black", "forest"):
        blocks = block_partition(loss, kind, 8)
        assert sorted(np.concatenate(blocks)) == list(range(40))
        for block in blocks:
            square = Q[np.ix_(block, block)] != 0
            edges = (square.sum() - block.size) // 2
            if kind == "red-black":
                assert edges == 0
            reached = np.linalg.matrix_power(square.astype(float), block.size)[0] > 0
            if kind == "connected":
                assert block.size <= 8
                assert reached.all()
            if kind == "forest":
                components = len({tuple(row) for row in _components(square)})
                assert edges == block.size - components


def _components(square):
    reach = np.eye(len(square), dtype=bool)
    for _ in range(len(square)):
        reach = reach @ square.astype(int) > 0
    return reach


def test_multinomial_blocks_are_pairs_of_feature_and_class(rng):
    loss = Multinomial(rng.standard_normal((9, 4)), np.arange(9) % 3)
    assert sum(b.size for b in block_partition(loss, "sort", 5)) == 12


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("spiral", 2), ValueError, "kind must be one of"),
        (("order", 0), ValueError, "block_size must be at least 1"),
        (("order", 1.5), TypeError, "block_size must be an integer"),
        (("forest", 2), ValueError, "sparse"),
        (("connected", 2), ValueError, "sparse"),
        (([[0, 1], [1, 2]],), ValueError, "index 1 is in two"),
        (([[0, 7]],), ValueError, r"must index 0 \.\. 3, got 7"),
        (([[0.5]],), TypeError, r"blocks\[0\]"),
        ((3.0,), TypeError, "blocks must be a name"),
        ((np.array([0, 1]),), ValueError, "one label per coordinate"),
        (("random", 2, "seed"), TypeError, "rng"),
    ],
)
def test_bad_input(arguments, error, match):
    kind, *size = arguments
    options = {"rng": size.pop()} if len(size) == 2 else {}
    with pytest.raises(error, match=match):
        block_partition(squares(np.ones(4)), kind, *size, **options)


def test_a_loss_without_blocks_is_refused():
    with pytest.raises(TypeError, match="loss must have"):
        block_partition(penalties.L1(1.0), "order", 2)


def test_more_than_there_are_is_clipped():
    with pytest.warns(UserWarning, match="block_size 9 is larger than the 4 coordinates"):
        assert len(block_partition(squares(np.ones(4)), "order", 9)) == 1
    with pytest.warns(UserWarning, match="block_size 9 is larger"):
        assert bcd(squares(np.ones(4)), block_size=9).success


def test_a_dense_quadratic_has_no_graph():
    with pytest.raises(ValueError, match="sparse"):
        bcd(Quadratic(np.eye(3), np.ones(3)), blocks="red-black")
