"""Blocks of a graph: forests, colours, combs, connected pieces; against slow definitions."""

import time

import numpy as np
import pytest
from graphs import assert_partition, edges_to_matrix, is_forest, random_graph
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse as sp
from scipy.sparse.csgraph import connected_components

from sparseopt.datasets import lattice_graph
from sparseopt.solvers import (
    colour_partition,
    comb_partition,
    connected_partition,
    forest_partition,
    greedy_forest,
    random_forest,
)

graphs = st.builds(
    lambda n, density, seed: random_graph(n, int(density * n), np.random.default_rng(seed)),
    st.integers(1, 30),
    st.floats(0, 6),
    st.integers(0, 2**32),
)
seeds = st.integers(0, 2**32).map(np.random.default_rng)
ORDERS = ["lipschitz", "natural", "random"]


def scan(order, W, rng):
    """What to pass as ``order``, and the permutation that it stands for."""
    n = W.shape[0]
    permutation = rng.permutation(n)
    if order == "natural":
        return order, np.arange(n)
    if order == "lipschitz":
        return order, np.argsort(-W.diagonal(), kind="stable")
    return permutation, permutation


def with_diagonal(W, rng):
    """Distinct and equal diagonal entries."""
    return (W + sp.diags_array(rng.integers(1, 5, W.shape[0]).astype(float))).tocsr()


def greedy_by_definition(W, order):
    chosen = []
    for node in order:
        if is_forest(W, [*chosen, node]):
            chosen.append(node)
    return np.sort(chosen)


@given(graphs, seeds)
def test_greedy_forest(W, rng):
    scores = rng.integers(0, 5, W.shape[0]).astype(float)
    expected = greedy_by_definition(W, np.argsort(-scores, kind="stable"))
    np.testing.assert_array_equal(greedy_forest(with_diagonal(W, rng), scores), expected)


@given(graphs, st.integers(0, 2**32))
def test_random_forest_is_a_maximal_forest(W, seed):
    nodes = random_forest(W, rng=seed)
    np.testing.assert_array_equal(nodes, random_forest(W, rng=seed))
    assert is_forest(W, nodes)
    for other in np.setdiff1d(np.arange(W.shape[0]), nodes):
        assert not is_forest(W, [*nodes, other])


def test_random_forests_differ():
    W = lattice_graph(10, 10)
    assert random_forest(W, rng=0).tolist() != random_forest(W, rng=1).tolist()


@pytest.mark.parametrize("order", ORDERS)
@given(graphs, seeds)
def test_forest_partition(order, W, rng):
    Q = with_diagonal(W, rng)
    argument, permutation = scan(order, Q, rng)
    blocks = forest_partition(Q, order=argument)
    assert_partition(blocks, W.shape[0])
    expected = []  # first fit, from its definition
    for node in permutation:
        for block in expected:
            if is_forest(W, [*block, node]):
                block.append(node)
                break
        else:
            expected.append([node])
    assert [sorted(block) for block in expected] == [block.tolist() for block in blocks]
    assert all(is_forest(W, block) for block in blocks)


@pytest.mark.parametrize("order", ORDERS)
@given(graphs, seeds)
def test_colour_partition(order, W, rng):
    Q = with_diagonal(W, rng)
    argument, permutation = scan(order, Q, rng)
    blocks = colour_partition(Q, order=argument)
    assert_partition(blocks, W.shape[0])
    colour = np.empty(W.shape[0], int)
    for c, block in enumerate(blocks):
        colour[block] = c
        assert W[block][:, block].nnz == 0
    used = np.zeros(len(blocks), int)
    seen = np.zeros(W.shape[0], bool)
    for node in permutation:  # each choice was a least used one, new only where it had to be
        neighbours = W.indices[W.indptr[node] : W.indptr[node + 1]]
        free = np.setdiff1d(np.flatnonzero(used), colour[neighbours[seen[neighbours]]])
        if free.size:
            assert colour[node] in free
            assert used[colour[node]] == used[free].min()
        else:
            assert used[colour[node]] == 0
        used[colour[node]] += 1
        seen[node] = True


def test_a_lattice_is_red_and_black():
    red, black = colour_partition(lattice_graph(7, 9), order="natural")
    i, j = np.divmod(np.arange(63), 9)
    np.testing.assert_array_equal(red, np.flatnonzero((i + j) % 2 == 0))
    np.testing.assert_array_equal(black, np.flatnonzero((i + j) % 2 == 1))


@given(st.integers(1, 12), st.integers(1, 12))
def test_two_combs_cover_a_lattice(rows, cols):
    W = lattice_graph(rows, cols)
    blocks = comb_partition(rows, cols)
    assert_partition(blocks, rows * cols)
    assert len(blocks) == (1 if 1 in (rows, cols) else 2)
    for block in blocks:
        assert is_forest(W, block)
        assert connected_components(W[block][:, block], directed=False)[0] == 1


def test_combs_of_the_paper():
    assert [block.size for block in comb_partition(50, 50)] == [1250, 1250]


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), seeds)
def test_combs_of_some_nodes(rows, cols, share, rng):
    nodes = rng.permutation(np.flatnonzero(rng.random(rows * cols) < share))
    W = lattice_graph(rows, cols)[nodes][:, nodes]
    blocks = comb_partition(rows, cols, nodes=nodes)
    if nodes.size:
        assert_partition(blocks, nodes.size)
    else:
        assert blocks == []
    assert len(blocks) <= 2
    assert all(is_forest(W, block) for block in blocks)


@pytest.mark.parametrize("tree", [False, True])
@given(graphs, st.integers(1, 8), seeds)
def test_connected_partition(tree, W, size, rng):
    order = rng.permutation(W.shape[0])
    blocks = connected_partition(W, size, tree=tree, order=order)
    assert_partition(blocks, W.shape[0])
    left = np.ones(W.shape[0], bool)
    for block in blocks:
        assert block.size <= size
        induced = W[block][:, block]
        assert connected_components(induced, directed=False)[0] == 1
        if tree:
            assert is_forest(W, block)
        left[block] = False
        shut_in = W[block][:, np.flatnonzero(left)].nnz == 0
        if not tree:
            assert block.size == size or shut_in
    np.testing.assert_array_equal(  # each starts at the first node that is left
        [np.flatnonzero(np.isin(order, block))[0] for block in blocks],
        np.sort([np.flatnonzero(np.isin(order, block))[0] for block in blocks]),
    )


def test_blocks_of_a_path_are_its_pieces():
    W = edges_to_matrix(10, np.arange(9), np.arange(1, 10))
    for tree in (False, True):
        pieces = connected_partition(W, 4, tree=tree)
        assert [p.tolist() for p in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


BUILDERS = {
    "greedy_forest": lambda W: [greedy_forest(W, np.arange(W.shape[0], dtype=float))],
    "random_forest": lambda W: [random_forest(W, rng=0)],
    "forest_partition": forest_partition,
    "colour_partition": colour_partition,
    "connected_partition": lambda W: connected_partition(W, 100),
    "tree_partition": lambda W: connected_partition(W, 100, tree=True),
}
MANY = 200_000


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("shape", ["star", "lattice", "hub and lattice"])
def test_time_is_about_linear(name, shape):
    hub = edges_to_matrix(MANY, np.zeros(MANY - 1, int), np.arange(1, MANY))
    lattice = lattice_graph(400, 500)
    W = {"star": hub, "lattice": lattice, "hub and lattice": hub.maximum(lattice).tocsr()}[shape]
    BUILDERS[name](lattice_graph(3, 3))
    start = time.perf_counter()
    BUILDERS[name](W)
    assert time.perf_counter() - start < 3.0  # 0.1 s on an idle core; n^2 would take minutes


@pytest.mark.parametrize("name", BUILDERS)
def test_small_and_empty(name):
    assert [b.tolist() for b in BUILDERS[name](sp.csr_array([[3.0]]))] == [[0]]
    assert sum(b.size for b in BUILDERS[name](sp.csr_array((0, 0)))) == 0
    lonely = BUILDERS[name](sp.csr_array((4, 4)))
    assert sum(b.size for b in lonely) == 4


@pytest.mark.parametrize("name", BUILDERS)
def test_form_of_the_matrix_does_not_matter(name, rng):
    W = random_graph(20, 40, rng)
    before = W.copy()
    expected = [b.tolist() for b in BUILDERS[name](W)]
    stored_zeros = W + 0 * random_graph(20, 60, rng)
    for form in (W.tocsc(), W.tocoo(), W.toarray(), W.astype(np.float32), -W, stored_zeros):
        assert [b.tolist() for b in BUILDERS[name](form)] == expected
    np.testing.assert_array_equal(W.toarray(), before.toarray())


L = lattice_graph(2, 2)
ONE_SIDED = np.array([[0.0, 1.0], [0.0, 0.0]])
BAD = [
    ("one-sided", lambda: forest_partition(ONE_SIDED), ValueError, r"symmetric.*Q\[0, 1\]"),
    ("not square", lambda: colour_partition(np.ones((2, 3))), ValueError, "^Q must be a square"),
    ("NaN", lambda: random_forest([[np.nan]]), ValueError, "^Q must be finite"),
    ("complex", lambda: random_forest([[1j]]), TypeError, "^Q must be real"),
    ("scores short", lambda: greedy_forest(L, [1.0]), ValueError, r"^scores must have shape \(4,"),
    ("scores NaN", lambda: greedy_forest(L, [1, 2, 3, np.nan]), ValueError, "^scores must be fin"),
    ("scores complex", lambda: greedy_forest(L, [1, 2, 3, 1j]), TypeError, "^scores must be real"),
    ("rng", lambda: random_forest(L, rng="x"), TypeError, "^rng must"),
    ("order name", lambda: forest_partition(L, order="size"), ValueError, "^order must be 'lips"),
    ("order short", lambda: forest_partition(L, order=[0]), ValueError, "^order must hold all 4"),
    ("order twice", lambda: colour_partition(L, order=[0, 0, 1, 2]), ValueError, "^order must ho"),
    ("order real", lambda: colour_partition(L, order=[0.5] * 4), TypeError, "^order must hold"),
    ("size 0", lambda: connected_partition(L, 0), ValueError, "^block_size must be at least 1"),
    ("size real", lambda: connected_partition(L, 2.0), TypeError, "^block_size must be an int"),
    ("rows", lambda: comb_partition(0, 3), ValueError, "^rows must be at least 1"),
    ("cols", lambda: comb_partition(3, 1.5), TypeError, "^cols must be an integer"),
    ("nodes", lambda: comb_partition(2, 2, nodes=[4]), ValueError, "^nodes must index 0 .. 3"),
]


@pytest.mark.parametrize(("call", "error", "match"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()
