"""Bipartite Laplacian systems against dense least squares, and the systems of real plans."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from sparseopt.transport._elimination import eliminate
from sparseopt.transport._laplacian import solve_bipartite

KINDS = ("auto", "jacobi", "forest", "cholesky")


def dense_system(W, rows, cols, shift):
    n, m = W.shape
    K = np.zeros((n + m, n + m))
    K[:n, n:], K[n:, :n] = W, W.T
    K[np.diag_indices(n + m)] = np.r_[rows, cols] + shift
    return K


def least_squares(W, rows, cols, shift, u, v):
    """Least residual in the norm of D^-1 and, of those, least size in the norm of D."""
    K = dense_system(W, rows, cols, shift)
    root = np.sqrt(np.diag(K))
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    scaled = inverse[:, None] * K * inverse
    z = inverse * (np.linalg.pinv(scaled, rcond=1e-11, hermitian=True) @ (inverse * np.r_[u, v]))
    return z[: u.size], z[u.size :]


def as_given(W, form):
    return W if form == "dense" else sparse.csr_array(W)


@st.composite
def graphs(draw):
    """Sparse weights over several orders, possibly in blocks, with or without excess."""
    n, m = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    W = 10.0 ** rng.uniform(-draw(st.sampled_from([0.0, 3.0])), 0, (n, m))
    W[rng.uniform(size=(n, m)) > draw(st.sampled_from([0.15, 0.4, 1.0]))] = 0.0
    rows, cols = W.sum(1), W.sum(0)
    if draw(st.booleans()):
        rows += rng.uniform(size=n) * (rng.uniform(size=n) < 0.3)
        cols += rng.uniform(size=m) * (rng.uniform(size=m) < 0.3)
    return W, rows, cols, draw(st.sampled_from([0.0, 1e-3])), rng


@given(graphs(), st.sampled_from(KINDS), st.sampled_from(["dense", "csr"]), st.booleans())
def test_agrees_with_dense_least_squares(graph, kind, form, consistent):
    W, rows, cols, shift, rng = graph
    n, m = W.shape
    u, v = rng.normal(size=n), rng.normal(size=m)
    if consistent:
        u, v = np.split(dense_system(W, rows, cols, shift) @ np.r_[u, v], [n])
    p, q = least_squares(W, rows, cols, shift, u, v)
    out = solve_bipartite(
        as_given(W, form), rows, cols, shift, u, v, rtol=1e-12, preconditioner=kind
    )
    size = max(1.0, np.abs(np.r_[p, q]).max())
    np.testing.assert_allclose(out.p, p, atol=1e-7 * size)
    np.testing.assert_allclose(out.q, q, atol=1e-7 * size)
    left = np.r_[u, v] - dense_system(W, rows, cols, shift) @ np.r_[out.p, out.q]
    reported = out.residual * np.linalg.norm(np.r_[u, v])
    assert abs(np.linalg.norm(left) - reported) <= 1e-9 * size
    if consistent:
        assert out.residual <= 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["dense", "csr"])
def test_nearly_separate_blocks_need_and_get_the_shift(kind, form):
    W = np.array([[0.3, 1e-9], [1e-9, 0.6]])
    a, b = np.array([0.4, 0.6]), np.array([0.3, 0.7])
    rows, cols = W.sum(1), W.sum(0)
    u, v = a - rows, b - cols
    bare = solve_bipartite(
        as_given(W, form), rows, cols, 0.0, u, v, rtol=1e-10, preconditioner=kind
    )
    assert np.abs(bare.p).max() > 1e7  # what the shift is there to prevent
    assert bare.residual < 1e-5
    shift = 1e-2 * 0.2 / 2
    out = solve_bipartite(
        as_given(W, form), rows, cols, shift, u, v, rtol=1e-10, preconditioner=kind
    )
    exact = np.linalg.solve(dense_system(W, rows, cols, shift), np.r_[u, v])
    np.testing.assert_allclose(np.r_[out.p, out.q], exact, rtol=1e-9)
    assert np.abs(exact).max() < 1e2


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_joined_below_rounding_are_solved_apart(kind):
    """Exactly consistent per block; the joint system has an eigenvalue of 1e-25."""
    rng = np.random.default_rng(0)
    W = np.full((7, 9), 1e-25)
    W[:3, :4], W[3:, 4:] = rng.uniform(size=(3, 4)), rng.uniform(size=(4, 5))
    rows, cols = W.sum(1), W.sum(0)
    G = rng.normal(size=W.shape)
    u, v = (W * G).sum(1), (W * G).sum(0)
    out = solve_bipartite(
        sparse.csr_array(W), rows, cols, 0.0, u, v, rtol=1e-12, preconditioner=kind
    )
    assert out.residual < 1e-12
    for i, j in ((slice(0, 3), slice(0, 4)), (slice(3, 7), slice(4, 9))):
        p, q = least_squares(W[i, j], W[i, j].sum(1), W[i, j].sum(0), 0.0, u[i], v[j])
        np.testing.assert_allclose(out.p[i], p, atol=1e-10)
        np.testing.assert_allclose(out.q[j], q, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_one_weights_of_quadratic_transport(kind):
    """Singular and consistent, as the derivative of the plan needs them."""
    rng = np.random.default_rng(1)
    W = (rng.uniform(size=(40, 30)) < 0.04).astype(float)
    parts, labels = connected_components(sparse.block_array([[None, W], [W.T, None]]))
    assert parts > 5
    G = rng.normal(size=W.shape)
    u, v = (W * G).sum(1), (W * G).sum(0)
    rows, cols = W.sum(1), W.sum(0)
    out = solve_bipartite(
        sparse.csr_array(W), rows, cols, 0.0, u, v, rtol=1e-12, preconditioner=kind
    )
    assert out.residual < 1e-11
    np.testing.assert_allclose(rows * out.p + W @ out.q, u, atol=1e-10)
    z = np.r_[out.p, -out.q] * np.r_[rows, cols]
    np.testing.assert_allclose(np.bincount(labels, z), 0.0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 300), (300, 3)])
@pytest.mark.parametrize("form", ["dense", "csr"])
def test_thin_systems(kind, shape, form):
    rng = np.random.default_rng(2)
    W = rng.uniform(size=shape) ** 8
    rows, cols = W.sum(1), W.sum(0)
    u, v = rng.normal(size=shape[0]), rng.normal(size=shape[1])
    out = solve_bipartite(
        as_given(W, form), rows, cols, 1e-2, u, v, rtol=1e-12, preconditioner=kind
    )
    exact = np.linalg.solve(dense_system(W, rows, cols, 1e-2), np.r_[u, v])
    np.testing.assert_allclose(np.r_[out.p, out.q], exact, atol=1e-8 * np.abs(exact).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("shift", [0.0, 1e-14, 1e-6])
def test_extreme_weights_stay_finite(kind, form, shift):
    """Weights from 1e-300 to 1, an isolated row with mass, a row and a column of nothing."""
    rng = np.random.default_rng(3)
    W = 10.0 ** rng.uniform(-300, 0, (30, 40))
    W[np.arange(40) % 30, np.arange(40)] = 1.0
    W[4], W[5], W[:, 6] = 0.0, 0.0, 0.0
    W[3, [4, 5, 34, 35]] = 1.0
    rows, cols = W.sum(1), W.sum(0)
    rows[4] = 0.25
    rows[7] += 1e-9
    for u, v in ((rng.normal(size=30), rng.normal(size=40)), (rng.normal(size=30), np.zeros(40))):
        out = solve_bipartite(
            as_given(W, form), rows, cols, shift, u, v, rtol=1e-10, preconditioner=kind
        )
        assert np.isfinite(np.r_[out.p, out.q, out.residual]).all()
    u, v = rows * rng.normal(size=30), cols * rng.normal(size=40)
    inputs = [x.copy() for x in (W, rows, cols, u, v)]
    out = solve_bipartite(
        as_given(W, form), rows, cols, shift, u, v, rtol=1e-10, preconditioner=kind
    )
    assert np.isfinite(out.p).all() and np.isfinite(out.q).all() and np.isfinite(out.residual)
    if shift == 1e-6:  # else a part that is all but singular takes the digits
        np.testing.assert_allclose(out.p[4], u[4] / (0.25 + shift), rtol=1e-8)
        assert out.residual < 1e-9
    if shift == 0.0:
        assert out.p[5] == 0.0 and out.q[6] == 0.0
    for before, after in zip(inputs, (W, rows, cols, u, v), strict=True):
        np.testing.assert_array_equal(before, after)


def test_inconsistent_right_hand_side_is_told():
    W = np.array([[1.0, 1.0]])
    out = solve_bipartite(W, W.sum(1), W.sum(0), 0.0, np.ones(1), np.zeros(2), rtol=1e-12)
    assert out.residual > 0.1
    nothing = solve_bipartite(W, W.sum(1), W.sum(0), 0.0, np.zeros(1), np.zeros(2), rtol=1e-12)
    assert nothing.residual == 0.0 and nothing.iterations == 0
    np.testing.assert_array_equal(np.r_[nothing.p, nothing.q], 0.0)


def test_max_iter_ends_the_run_with_a_direction_of_ascent():
    rng = np.random.default_rng(4)
    W = sparse.random_array((200, 200), density=0.05, rng=rng, format="csr")
    rows, cols = W.sum(axis=1), W.sum(axis=0)
    u = rng.normal(size=200)
    for kind, budget in itertools.product(("jacobi", "forest", "auto"), (1, 3)):
        out = solve_bipartite(
            W, rows, cols, 1e-6, u, np.zeros(200), rtol=1e-14, max_iter=budget, preconditioner=kind
        )
        assert out.iterations == budget
        assert out.p @ u > 0


@pytest.mark.parametrize("shift", [0.0, 1e-3])
def test_scaling_and_transposition(shift):
    rng = np.random.default_rng(5)
    W = rng.uniform(size=(9, 14)) ** 4
    rows, cols, u, v = W.sum(1), W.sum(0), rng.normal(size=9), rng.normal(size=14)
    base = solve_bipartite(W, rows, cols, shift, u, v, rtol=1e-13)
    turned = solve_bipartite(np.ascontiguousarray(W.T), cols, rows, shift, v, u, rtol=1e-13)
    tiny = solve_bipartite(
        1e-20 * W, 1e-20 * rows, 1e-20 * cols, 1e-20 * shift, 1e-200 * u, 1e-200 * v, rtol=1e-13
    )
    for p, q in ((turned.q, turned.p), (1e180 * tiny.p, 1e180 * tiny.q)):
        np.testing.assert_allclose(p, base.p, atol=1e-9)
        np.testing.assert_allclose(q, base.q, atol=1e-9)


def test_elimination_is_exact_to_the_last_digits_however_far_the_weights():
    """Ratios of an M-matrix whose smallest eigenvalue is 1e-60 of its largest."""
    from fractions import Fraction

    rows, cols = np.array([0, 1, 0], np.int32), np.array([2, 2, 3], np.int32)
    weight = np.array([1.0, 1e-40, 1e-25])
    excess = np.array([0.0, 1e-60, 0.0, 0.0])
    done, ptr, later, ratio, inverse, position = eliminate(rows, cols, weight, excess, 4)
    assert done
    A = [[Fraction(0)] * 4 for _ in range(4)]
    for i, j, w in zip(rows, cols, weight, strict=True):
        A[i][j] = A[j][i] = -Fraction(w)
    for k in range(4):
        A[k][k] = -sum(A[k]) + Fraction(excess[k])
    order = np.argsort(position)
    for k, node in enumerate(order):
        pivot = A[node][node]
        assert abs(inverse[k] * float(pivot) - 1) < 1e-15
        column = dict(zip(later[ptr[k] : ptr[k + 1]], ratio[ptr[k] : ptr[k + 1]], strict=True))
        for other in order[k + 1 :]:
            share = -A[other][node] / pivot
            assert column.get(position[other], 0.0) == pytest.approx(float(share), rel=1e-15)
            for third in order[k + 1 :]:
                A[other][third] += share * A[node][third]


def clouds(n):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(n, 5)), rng.normal(size=(n, 5))
    Y[: n // 2] += 2
    Y[n // 2 :] *= 0.5
    C = ((X[:, None] - Y) ** 2).sum(-1)
    return C / C.max()


def plan_near_optimum(C, eps):
    """A plan by log-domain sweeps along a sequence of eps, columns exact."""
    n = C.shape[0]
    g = np.zeros(n)

    def soft_min(x, axis):
        top = x.max(axis, keepdims=True)
        return (top + np.log(np.exp(x - top).sum(axis, keepdims=True))).squeeze(axis)

    for step in np.geomspace(0.05, eps, 8):
        for _ in range(150):
            f = -step * np.log(n) - step * soft_min((g - C) / step, 1)
            g = -step * np.log(n) - step * soft_min((f[:, None] - C) / step, 0)
    return np.exp((f[:, None] + g - C) / eps)


def test_preconditioners_on_the_newton_system_of_two_clouds():
    n = 150
    P = plan_near_optimum(clouds(n), 1e-4)
    error = np.abs(P.sum(1) - 1 / n).sum()
    assert 1e-6 < error < 0.3
    W = sparse.csr_array(np.where(P * n**2 >= 1e-4, P, 0.0))
    assert W.nnz < 10 * n
    u, v = 1 / n - P.sum(1), np.zeros(n)
    exact = np.linalg.solve(dense_system(W.toarray(), P.sum(1), P.sum(0), 1e-9), np.r_[u, v])
    count = {}
    for kind in KINDS:
        out = solve_bipartite(W, P.sum(1), P.sum(0), 1e-9, u, v, rtol=1e-9, preconditioner=kind)
        count[kind] = out.iterations
        assert out.residual <= 1e-8
        np.testing.assert_allclose(np.r_[out.p, out.q], exact, atol=1e-4 * np.abs(exact).max())
    assert count["forest"] <= 30
    assert count["jacobi"] >= 3 * count["forest"]
    assert count["cholesky"] <= 5


def test_auto_follows_its_rule():
    rng = np.random.default_rng(6)

    def used(W, u, rtol):
        rows, cols = W.sum(axis=1), W.sum(axis=0)
        m = W.shape[1]
        return solve_bipartite(W, rows, cols, 1e-9, u, np.zeros(m), rtol=rtol).preconditioner

    tree = sparse.csr_array(np.eye(50) + np.eye(50, k=1))
    assert used(tree, rng.normal(size=50), 1e-10) == "forest"
    assert used(rng.uniform(size=(50, 60)), rng.normal(size=50), 1e-6) == "jacobi"
    far_ends = np.sign(np.arange(2600) - 1299.5)

    def band(width, decay):
        offsets = np.arange(1 - width, width)
        weights = list(decay ** -np.abs(offsets))
        return sparse.diags_array(weights, offsets=offsets, shape=(2600, 2600)).tocsr()

    assert used(band(3, 1e3), far_ends, 1e-10) == "forest"
    assert used(band(3, 1.0), far_ends, 1e-10) == "cholesky"
