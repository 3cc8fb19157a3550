"""Elimination on forests: against sparse LU, dense solves and iterated belief propagation."""

import time

import numpy as np
import pytest
from graphs import edges_to_matrix, positive_definite, random_tree_edges
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse as sp
from scipy.sparse.linalg import splu

from sparseopt.datasets import lattice_graph
from sparseopt.solvers import comb_partition, solve_forest
from sparseopt.solvers._forest import factor_forest


def random_system(n, rng, loss=0.2):
    """A positive definite matrix whose graph is a random forest."""
    one, other = random_tree_edges(n, rng, loss)
    off = edges_to_matrix(n, one, other, rng.standard_normal(one.size))
    return positive_definite(off, rng.uniform(0.1, 1.0, n))


def belief_propagation(Q, b, rounds):
    """Gaussian belief propagation with messages along all edges at once, from its definition."""
    dense, n = Q.toarray(), len(b)
    edges = [(i, j) for i in range(n) for j in range(n) if i != j and dense[i, j] != 0]
    precision, mean = dict.fromkeys(edges, 0.0), dict.fromkeys(edges, 0.0)
    for _ in range(rounds):
        new_precision, new_mean = {}, {}
        for i, j in edges:
            others = [k for k, to in edges if to == i and k != j]
            p = dense[i, i] + sum(precision[k, i] for k in others)
            h = b[i] + sum(mean[k, i] for k in others)
            new_precision[i, j] = -(dense[i, j] ** 2) / p
            new_mean[i, j] = -dense[i, j] * h / p
        precision, mean = new_precision, new_mean
    total = [dense[i, i] + sum(precision[k, to] for k, to in edges if to == i) for i in range(n)]
    field = [b[i] + sum(mean[k, to] for k, to in edges if to == i) for i in range(n)]
    return np.array(field) / np.array(total)


@given(st.integers(1, 60), st.integers(0, 2**32), st.sampled_from([None, 1, 3]))
def test_random_forests_against_a_dense_solve(n, seed, k):
    rng = np.random.default_rng(seed)
    Q = random_system(n, rng)
    b = rng.standard_normal(n if k is None else (n, k))
    x = solve_forest(Q, b)
    assert x.shape == b.shape
    np.testing.assert_allclose(x, np.linalg.solve(Q.toarray(), b), rtol=0, atol=1e-11)


@given(st.integers(2, 40), st.integers(0, 2**32))
def test_block_of_a_matrix_with_cycles(n, seed):
    rng = np.random.default_rng(seed)
    forest = random_system(n, rng, loss=0.0)
    members = rng.permutation(2 * n)[:n]
    rest = np.setdiff1d(np.arange(2 * n), members)
    Q = np.zeros((2 * n, 2 * n))
    Q[np.ix_(rest, rest)] = 1.0  # a clique outside, joined to every member
    Q[np.ix_(rest, members)] = Q[np.ix_(members, rest)] = 2.0
    Q[np.ix_(members, members)] = forest.toarray()
    b = rng.standard_normal(n)
    x = solve_forest(sp.csr_array(Q), b, block=members)
    np.testing.assert_allclose(x, splu(forest.tocsc()).solve(b), rtol=0, atol=1e-11)


@given(st.integers(1, 12), st.integers(0, 2**32))
def test_belief_propagation_agrees(n, seed):
    rng = np.random.default_rng(seed)
    Q, b = random_system(n, rng), rng.standard_normal(n)
    # Exact once messages have crossed the longest path.
    np.testing.assert_allclose(solve_forest(Q, b), belief_propagation(Q, b, n), atol=1e-11)


def lattice_system(rows, cols):
    W = lattice_graph(rows, cols)
    return positive_definite(-W, 0.05)


def test_comb_of_the_50_by_50_lattice_against_sparse_lu(rng):
    Q = lattice_system(50, 50)
    for comb in comb_partition(50, 50):
        assert comb.size == 1250
        b = rng.standard_normal(comb.size)
        exact = splu(Q[comb][:, comb].tocsc()).solve(b)
        error = np.abs(solve_forest(Q, b, block=comb) - exact).max()
        assert error <= 1e-12 * np.abs(exact).max()


def path(n):
    off = -np.ones(n - 1)
    return sp.diags_array([np.full(n, 2.05), off, off], offsets=[0, 1, -1]).tocsr()


@pytest.mark.parametrize("shape", ["path", "comb"])
def test_a_million_nodes(shape, rng):
    if shape == "path":
        Q, block = path(10**6), np.arange(10**6)
    else:
        Q, block = lattice_system(1000, 2000), comb_partition(1000, 2000)[0]
    b = rng.standard_normal(block.size)
    x = solve_forest(Q, b, block=block)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        solve_forest(Q, b, block=block)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5
    exact = splu(Q[block][:, block].tocsc()).solve(b)
    assert np.abs(x - exact).max() <= 1e-12 * np.abs(exact).max()


def test_a_star_and_a_deep_path(rng):
    n = 2000
    one, other = np.zeros(n - 1, int), np.arange(1, n)
    star = positive_definite(edges_to_matrix(n, one, other, -1.0), 0.3)
    b = rng.standard_normal(n)
    np.testing.assert_allclose(solve_forest(star, b), splu(star.tocsc()).solve(b), atol=1e-11)
    backwards = path(n)[::-1][:, ::-1]
    np.testing.assert_allclose(solve_forest(backwards, b), solve_forest(path(n), b[::-1])[::-1])


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dia", "dense", "list", "matrix"])
def test_forms_of_the_matrix(kind, rng):
    Q, b = random_system(9, rng), rng.standard_normal(9)
    forms = {
        "dense": Q.toarray(),
        "list": Q.toarray().tolist(),
        "matrix": sp.csr_matrix(Q),
    }
    given_form = forms[kind] if kind in forms else Q.asformat(kind)
    np.testing.assert_array_equal(solve_forest(given_form, b), solve_forest(Q, b))


def test_order_of_the_block_is_that_of_the_answer(rng):
    Q, b = random_system(15, rng), rng.standard_normal(15)
    shuffled = rng.permutation(15)
    x = solve_forest(Q, b[shuffled], block=shuffled)
    np.testing.assert_allclose(x, solve_forest(Q, b)[shuffled], rtol=1e-12)


def test_precision_follows_the_input(rng):
    Q, b = random_system(30, rng), rng.standard_normal(30)
    exact = solve_forest(Q, b)
    assert exact.dtype == np.float64
    single = solve_forest(Q.astype(np.float32), b.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, rtol=1e-4, atol=1e-5)
    assert solve_forest(Q.astype(np.float32), b).dtype == np.float64
    assert solve_forest(sp.csr_array([[2]]), [1]).dtype == np.float64


def test_degenerate_sizes(rng):
    np.testing.assert_array_equal(solve_forest([[4.0]], [2.0]), [0.5])
    assert solve_forest(np.zeros((0, 0)), []).shape == (0,)
    assert solve_forest(np.eye(3), np.zeros((3, 0))).shape == (3, 0)
    assert solve_forest(np.eye(3), [], block=[]).shape == (0,)
    np.testing.assert_array_equal(solve_forest(path(5), np.zeros(5)), np.zeros(5))
    np.testing.assert_allclose(
        solve_forest(np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0]), [1, 0.5, 0.25]
    )


def test_stored_zeros_are_no_edges():
    one = np.array([0, 1, 2])
    Q = positive_definite(edges_to_matrix(3, one, np.array([1, 2, 0]), [1.0, 1.0, 2.0]), 1.0)
    Q[2, 0] = Q[0, 2] = 0.0
    assert Q.nnz == 9
    np.testing.assert_allclose(Q @ solve_forest(Q, [1.0, 2.0, 3.0]), [1, 2, 3], rtol=1e-14)


def test_duplicates_are_summed_and_nothing_is_changed(rng):
    indptr, indices = np.array([0, 3, 5]), np.array([1, 0, 1, 0, 1])
    data = np.array([0.25, 2.0, 0.25, 0.5, 3.0])
    Q = sp.csr_array((data.copy(), indices.copy(), indptr.copy()), shape=(2, 2))
    b = rng.standard_normal(2)
    kept = b.copy()
    exact = np.linalg.solve([[2.0, 0.5], [0.5, 3.0]], b)
    np.testing.assert_allclose(solve_forest(Q, b), exact, rtol=1e-14)
    np.testing.assert_array_equal(Q.data, data)
    np.testing.assert_array_equal(Q.indices, indices)
    np.testing.assert_array_equal(b, kept)


def test_rounding_does_not_count_as_asymmetry(rng):
    Q = random_system(20, rng).astype(np.float64)
    noisy = Q.copy()
    noisy.data *= 1 + 2e-16 * rng.integers(-2, 3, Q.data.size)
    b = rng.standard_normal(20)
    np.testing.assert_allclose(solve_forest(noisy, b), solve_forest(Q, b), rtol=1e-11)


def test_one_factor_serves_several_right_hand_sides(rng):
    Q = random_system(25, rng)
    factor = factor_forest(Q)
    for _ in range(3):
        b = rng.standard_normal(25)
        np.testing.assert_array_equal(factor.solve(b), solve_forest(Q, b))


@given(st.integers(3, 40), st.integers(0, 2**32))
def test_a_cycle_is_named_by_an_edge_that_closes_it(n, seed):
    rng = np.random.default_rng(seed)
    one, other = random_tree_edges(n, rng)
    off = edges_to_matrix(n, one, other, 1.0)
    i, j = next((i, j) for i in range(n) for j in range(i) if off[i, j] == 0)
    off = off + edges_to_matrix(n, [i], [j], 1.0)
    with pytest.raises(ValueError, match="must be a forest") as error:
        solve_forest(positive_definite(off, 1.0), np.ones(n))
    u, v = (int(word) for word in str(error.value).split() if word.isdigit())
    assert off[u, v] != 0
    off[u, v] = off[v, u] = 0.0
    solve_forest(positive_definite(off, 1.0), np.ones(n))  # without that edge it is a forest


ONE_SIDED = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
NAN = np.array([[1.0, np.nan], [np.nan, 1.0]])
BAD = [
    ("upper", ONE_SIDED, np.ones(3), None, ValueError, r"symmetric.*\[0, 1\] = 1.*\[1, 0\] = 0"),
    ("lower", ONE_SIDED.T, np.ones(3), None, ValueError, r"symmetric.*\[0, 1\] = 0.*\[1, 0\] = 1"),
    ("values", [[2.0, 1.0], [0.9, 2.0]], [1, 1], None, ValueError, "symmetric.*= 1 and.*= 0.9"),
    ("indefinite", [[1.0, 2.0], [2.0, 1.0]], [1, 1], None, ValueError, "definite.*-3 at node 0"),
    ("singular", [[1.0, -1.0], [-1.0, 1.0]], [1, 1], None, ValueError, "positive definite"),
    ("zero", np.zeros((2, 2)), [1, 1], None, ValueError, "positive definite.*node 1"),
    ("triangle", np.eye(3) + 1, np.ones(3), None, ValueError, "forest, but the edge .* 1 and 2"),
    ("shape", np.ones((2, 3)), [1, 1], None, ValueError, r"^Q must be a square.*\(2, 3\)"),
    ("vector", np.ones(3), [1, 1, 1], None, ValueError, "^Q must be a square"),
    ("NaN", NAN, [1, 1], None, ValueError, "^Q must be finite"),
    ("complex", 1j * np.eye(2), [1, 1], None, TypeError, "^Q must be real"),
    ("text", "Q", [1, 1], None, TypeError, "^Q must be"),
    ("b rows", np.eye(2), [1, 1, 1], None, ValueError, "^b must have 2 rows"),
    ("b 3-D", np.eye(2), np.ones((2, 1, 1)), None, ValueError, "^b must have 1 or 2"),
    ("b NaN", np.eye(2), [1, np.nan], None, ValueError, "^b must be finite"),
    ("b complex", np.eye(2), [1, 1j], None, TypeError, "^b must be real"),
    ("b of n", np.eye(3), [1, 1, 1], [0, 1], ValueError, "^b must have 2 rows"),
    ("block out", np.eye(2), [1], [2], ValueError, r"^block must index 0 .. 1, got 2"),
    ("block below", np.eye(2), [1], [-1], ValueError, r"^block must index 0 .. 1, got -1"),
    ("block twice", np.eye(2), [1, 1], [1, 1], ValueError, "^block must hold.*1 twice"),
    ("block real", np.eye(2), [1], [0.0], TypeError, "^block must hold integer"),
    ("block 2-D", np.eye(2), [1], [[0]], ValueError, "^block must have 1 dim"),
]


@pytest.mark.parametrize(
    ("Q", "b", "block", "error", "match"), [c[1:] for c in BAD], ids=[c[0] for c in BAD]
)
def test_bad_input(Q, b, block, error, match):
    with pytest.raises(error, match=match):
        solve_forest(Q, b, block=block)


def test_nearly_singular_is_refused_and_well_posed_is_not(rng):
    """The Laplacian of a tree is singular however its entries round."""
    for n in [3, 30, 300, 3000] * 5:
        one, other = random_tree_edges(n, rng)
        L = positive_definite(-edges_to_matrix(n, one, other, rng.uniform(0.1, 1, n - 1)), 0.0)
        with pytest.raises(ValueError, match="positive definite"):
            solve_forest(L, np.ones(n))
        L[2, 2] += 1e-6
        x = solve_forest(L, np.eye(n)[2])
        np.testing.assert_allclose(x, 1e6, rtol=1e-6)
