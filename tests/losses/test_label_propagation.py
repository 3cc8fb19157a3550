"""Label propagation: the energy of a graph, its harmonic solution, and block methods on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

import sparseopt as so
from sparseopt.datasets import lattice_graph, neighbour_graph, two_moons
from sparseopt.losses import BlockLossLike, LabelPropagation, Quadratic
from sparseopt.losses._label_propagation import propagation_system
from sparseopt.solvers import (
    colour_partition,
    comb_partition,
    greedy_forest,
    random_forest,
    solve_forest,
)


def random_weights(n, rng, density=0.3):
    upper = np.triu(rng.uniform(0.1, 2.0, (n, n)) * (rng.random((n, n)) < density), 1)
    upper[np.arange(n - 1), np.arange(1, n)] = 1.0  # connected
    return upper + upper.T


def energy(W, x):
    """Half the sum over edges, each once, of w (x_i - x_j)^2, from its definition."""
    return 0.25 * np.sum(W * (x[:, None] - x) ** 2)


@given(st.integers(2, 15), st.integers(0, 2**32))
def test_energy_up_to_a_constant(n, seed):
    rng = np.random.default_rng(seed)
    W = random_weights(n, rng)
    labelled = rng.permutation(n)[: rng.integers(1, n)]
    labels = rng.standard_normal(labelled.size)
    Q, q, unlabelled, known = propagation_system(sp.csr_array(W), labelled, labels)
    np.testing.assert_array_equal(unlabelled, np.setdiff1d(np.arange(n), labelled))
    np.testing.assert_array_equal(known[labelled], labels)
    constant = energy(W, known)
    for _ in range(3):
        whole = known.copy()
        whole[unlabelled] = x = rng.standard_normal(unlabelled.size)
        value = 0.5 * x @ (Q @ x) - q @ x
        # At x = 0 the energy also counts the edges between zeros and labels.
        assert value == pytest.approx(energy(W, whole) - constant, abs=1e-10)
    assert np.linalg.eigvalsh(Q.toarray()).min() > 0


@given(st.integers(2, 15), st.integers(0, 2**32))
def test_solution_is_the_mean_of_its_neighbours(n, seed):
    rng = np.random.default_rng(seed)
    W = random_weights(n, rng)
    labelled = rng.permutation(n)[: rng.integers(1, n)]
    labels = rng.standard_normal(labelled.size)
    Q, q, unlabelled, known = propagation_system(W, labelled, labels)
    known[unlabelled] = np.linalg.solve(Q.toarray(), q)
    mean = (W @ known) / W.sum(axis=1)
    np.testing.assert_allclose(known[unlabelled], mean[unlabelled], atol=1e-10)
    assert known.min() >= labels.min() - 1e-10
    assert known.max() <= labels.max() + 1e-10


@given(st.integers(2, 12), st.integers(0, 2**32))
def test_the_loss_is_the_energy(n, seed):
    rng = np.random.default_rng(seed)
    W = random_weights(n, rng)
    labelled = rng.permutation(n)[: rng.integers(1, n)]
    labels = rng.standard_normal(labelled.size)
    loss = LabelPropagation(sp.csc_array(W), labelled, labels)
    assert isinstance(loss, Quadratic)
    assert isinstance(loss, BlockLossLike)
    assert loss.shape == loss.unlabelled.shape
    constant = energy(W, loss.complete(np.zeros(loss.shape)))
    x = rng.standard_normal(loss.shape)
    whole = loss.complete(x)
    np.testing.assert_array_equal(whole[labelled], labels)
    np.testing.assert_array_equal(whole[loss.unlabelled], x)
    assert loss.value(x) == pytest.approx(energy(W, whole) - constant, abs=1e-10)
    slope = W.sum(axis=1) * whole - W @ whole
    np.testing.assert_allclose(loss.gradient(x), slope[loss.unlabelled], atol=1e-11)


def test_the_front_door_minimises_it(rng):
    loss = LabelPropagation(lattice_graph(6, 7), [0, 20, 41], [1.0, -2.0, 4.0])
    exact = splu(loss.Q.tocsc()).solve(loss.q)
    result = so.minimize(loss, tol=1e-10)
    np.testing.assert_allclose(result.x, exact, atol=1e-7)


def test_record():
    loss = LabelPropagation(lattice_graph(2, 3).astype(np.float32), [1, 4], np.float32([0, 1]))
    assert repr(loss) == "LabelPropagation(6 nodes, 2 labelled, dtype=float32)"
    assert loss.complete(np.zeros(4, np.float32)).dtype == np.float32
    assert loss.complete(np.zeros(4)).dtype == np.float64
    with pytest.raises(ValueError, match=r"^x must have shape \(4,\)"):
        loss.complete(np.zeros(6))


def test_self_loops_and_stored_zeros_do_not_matter(rng):
    W = random_weights(8, rng)
    loops = sp.csr_array(W + np.diag(rng.uniform(1, 2, 8)))
    loops[0, 7] = loops[7, 0] = 0.0
    W[0, 7] = W[7, 0] = 0.0
    kept = loops.toarray()
    for a, b in zip(
        propagation_system(loops, [1, 2], [0, 1])[:2],
        propagation_system(W, [1, 2], [0.0, 1.0])[:2],
        strict=True,
    ):
        np.testing.assert_allclose((a - b).sum(), 0.0, atol=1e-12)
        assert abs(a - b).max() < 1e-12
    np.testing.assert_array_equal(loops.toarray(), kept)


def test_precision():
    W = lattice_graph(3, 3)
    Q, q, _, _ = propagation_system(W, [0], [1.0])
    assert (Q.dtype, q.dtype) == (np.float64, np.float64)
    Q, q, _, _ = propagation_system(W.astype(np.float32), [0], np.float32([1.0]))
    assert (Q.dtype, q.dtype) == (np.float32, np.float32)


def test_a_zero_weight_is_no_bridge():
    W = sp.csr_array(([1.0, 1.0, 0.0, 0.0], ([0, 1, 1, 2], [1, 0, 2, 1])), shape=(3, 3))
    with pytest.raises(ValueError, match=r"component of node 2 \(1 of 3 nodes\)"):
        propagation_system(W, [0], [1.0])


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_a_component_without_a_label_is_named(n, seed):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((n, n)) < 1.0 / n, 1).astype(float)
    W = upper + upper.T
    count, component = connected_components(sp.csr_array(W), directed=False)
    lonely = rng.integers(count)
    labelled = np.flatnonzero(component != lonely)[::2]
    reached = set(component[labelled].tolist())
    with pytest.raises(ValueError, match="has no label") as error:
        propagation_system(W, labelled, np.ones(labelled.size))
    node = int(str(error.value).split("node ")[1].split()[0])
    assert component[node] not in reached


L = lattice_graph(2, 2)
ONE_SIDED = np.array([[0.0, 1.0], [0.0, 0.0]])
BAD = [
    ("negative", lambda: LabelPropagation(-L, [0], [1]), ValueError, r"^W must be >= 0.*W\[0, 1"),
    ("one-sided", lambda: LabelPropagation(ONE_SIDED, [0], [1]), ValueError, "^W must be symm"),
    (
        "square",
        lambda: LabelPropagation(np.ones((2, 3)), [0], [1]),
        ValueError,
        "^W must be a sq",
    ),
    ("NaN", lambda: LabelPropagation([[np.nan]], [0], [1]), ValueError, "^W must be finite"),
    ("no label", lambda: LabelPropagation(L, [], []), ValueError, "component of node 0 .4 of 4"),
    ("all", lambda: LabelPropagation(L, range(4), range(4)), ValueError, "^labelled must leave"),
    ("twice", lambda: LabelPropagation(L, [1, 1], [1, 1]), ValueError, "^labelled must hold"),
    ("outside", lambda: LabelPropagation(L, [4], [1]), ValueError, "^labelled must index 0 .. 3"),
    ("mask", lambda: LabelPropagation(L, [True] * 4, [1] * 4), TypeError, "^labelled must hold"),
    (
        "short",
        lambda: LabelPropagation(L, [0, 1], [1]),
        ValueError,
        r"^labels must have shape \(2,\)",
    ),
    ("label NaN", lambda: LabelPropagation(L, [0], [np.nan]), ValueError, "^labels must be fin"),
    ("complex", lambda: LabelPropagation(L, [0], [1j]), TypeError, "^labels must be real"),
]


@pytest.mark.parametrize(("call", "error", "match"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


def descend(Q, q, pick, iterations, target=0.0):
    """Exact minimisation over one forest block after another, with the fall from x = 0."""
    exact = splu(Q.tocsc()).solve(q)
    x = np.zeros(q.size)
    first = 0.5 * exact @ (Q @ exact)
    for k in range(iterations):
        g = Q @ x - q
        block = pick(k, g)
        x[block] -= solve_forest(Q, g[block], block=block)
        left = 0.5 * (x - exact) @ (Q @ (x - exact))
        if left <= target * first:
            return k + 1, left
    return iterations, left


def cyclic(blocks):
    return lambda k, g: blocks[k % len(blocks)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_message_passing_on_the_lattice_of_the_paper(seed):
    """The orders of its figure 6, D; the third against a red-black greedy colouring."""
    rng = np.random.default_rng(seed)
    labelled = rng.choice(2500, 100, replace=False)
    W = lattice_graph(50, 50, 1e5)
    Q, q, unlabelled, _ = propagation_system(W, labelled, 10 * rng.standard_normal(100))
    root = np.sqrt(Q.diagonal())
    i, j = np.divmod(unlabelled, 50)
    checkerboard = [np.flatnonzero((i + j) % 2 == colour) for colour in (0, 1)]
    rules = {
        "greedy": lambda k, g: greedy_forest(Q, np.abs(g) / root),
        "combs": cyclic(comb_partition(50, 50, nodes=unlabelled)),
        "random": lambda k, g: random_forest(Q, rng=rng),
        "checkerboard": cyclic(checkerboard),
        "colours": cyclic(colour_partition(Q)),
    }
    steps = {name: descend(Q, q, rule, 1000, target=1e-8)[0] for name, rule in rules.items()}
    assert 3 * steps["greedy"] < steps["colours"]
    assert 1.8 * steps["greedy"] < steps["checkerboard"]
    assert steps["greedy"] <= steps["combs"] < steps["random"] < steps["checkerboard"]


def test_message_passing_on_two_moons():
    """The orders of figure 6, E, after 60 iterations of a small version."""
    rng = np.random.default_rng(0)
    X, labels = two_moons(600, rng=rng)
    labelled = rng.choice(600, 30, replace=False)
    Q, q, unlabelled, known = propagation_system(
        neighbour_graph(X), labelled, labels[labelled] + 1.0
    )
    root = np.sqrt(Q.diagonal())
    rules = {
        "greedy": lambda k, g: greedy_forest(Q, np.abs(g) / root),
        "random": lambda k, g: random_forest(Q, rng=rng),
        "colours": cyclic(colour_partition(Q)),
    }
    left = {name: descend(Q, q, rule, 60)[1] for name, rule in rules.items()}
    assert 2 * left["greedy"] < left["random"]
    assert 2 * left["random"] < left["colours"]
    known[unlabelled] = splu(Q.tocsc()).solve(q)
    assert np.mean((known > 1.5) == labels) > 0.85
