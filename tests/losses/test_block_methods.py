"""What block coordinate methods ask: bounds hold, blocks are parts of the whole."""

import numpy as np
import pytest
import scipy.sparse as sp
from loss_cases import LINEAR, POINTWISE, M, N, data, hessian, make, matrix
from scipy.sparse.linalg import aslinearoperator

from sparseopt.losses import LeastSquares, Logistic, Quadratic

WEIGHTS = np.array([1.0, 0.5, 2.5, 0.0, 1.0, 3.0, 1e-3, 1.0, 0.2, 0.7, 1.0, 1.0])
SHAPES = [(name, ()) for name in LINEAR] + [(name, (2,)) for name in POINTWISE]
SHAPES += [("Quadratic", ()), ("centred", ()), ("centred", (2,))]
MATRICES = {
    "dense": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}


def draw(name, batch, rng, convert=np.asarray, dtype=np.float64):
    A = matrix(rng).astype(dtype)
    if name == "Quadratic":
        return Quadratic(convert(A.T @ A), rng.standard_normal(N).astype(dtype))
    if name == "centred":
        y = rng.standard_normal((M, *batch)).astype(dtype)
        return LeastSquares(convert(A + 1), y, sample_weights=WEIGHTS, intercept=True)
    y = data(name, rng, (M, *batch))
    y = y.astype(dtype) if y.dtype.kind == "f" else y
    return make(name, convert(A), y, sample_weights=WEIGHTS)


@pytest.fixture(params=SHAPES, ids=lambda case: f"{case[0]}{case[1]}")
def shape(request):
    return request.param


@pytest.fixture(params=MATRICES)
def convert(request):
    return MATRICES[request.param]


def blocks(rng, p):
    return [np.array([p - 1]), rng.permutation(p)[:3], rng.permutation(p), np.arange(0)]


def test_blocks_are_those_of_the_whole(rng, shape, convert):
    f = draw(*shape, rng, convert)
    x = 0.5 * rng.standard_normal(f.shape)
    z, H = f.predict(x), hessian(f, x)
    u = f.gradient_at(z)
    for block in blocks(rng, x.size):
        square = f.block_hessian(block, z)
        np.testing.assert_allclose(square, H[np.ix_(block, block)], atol=1e-12)
        part = f.pull_back(u).ravel()[block]
        np.testing.assert_allclose(f.block_gradient(block, u), part, atol=1e-12)
        d = rng.standard_normal(block.size)
        moved, z_new = x.copy(), z.copy()
        moved.ravel()[block] += d
        f.move(z_new, block, d)
        np.testing.assert_allclose(z_new, f.predict(moved), atol=1e-12)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s[0] != "Poisson"], ids=str)
def test_bounds_hold_everywhere(rng, shape, convert):
    f = draw(*shape, rng, convert)
    p = int(np.prod(f.shape))
    whole = f.block_bound(np.arange(p))
    np.testing.assert_allclose(f.row_sums(), abs(whole).sum(1), rtol=1e-12)
    diagonal = f.coordinate_bounds()
    if shape[0] == "Multinomial":  # tighter than the diagonal
        assert np.all(diagonal <= np.diag(whole) + 1e-12)
    else:
        np.testing.assert_allclose(diagonal, np.diag(whole), rtol=1e-12)
    for _ in range(5):
        H = hessian(f, 2.0 * rng.standard_normal(f.shape))
        assert np.all(np.diag(H) <= diagonal + 1e-12)
        for block in blocks(rng, p)[:3]:
            excess = f.block_bound(block) - H[np.ix_(block, block)]
            assert np.linalg.eigvalsh(excess).min() >= -1e-12


@pytest.mark.parametrize("classes", [[0], [0, 2], [0, 1, 2]])
def test_multinomial_bound_counts_the_classes_touched(rng, classes):
    """Bohning's form on one feature: 1/2 (I - 11'/K'), and no smaller K' would hold."""
    f = make("Multinomial", np.ones((3, 1)), np.arange(3))
    block = np.array(classes)
    count = min(len(classes) + 1, 3)
    expected = 1.5 * (np.eye(len(classes)) - 1.0 / count)
    np.testing.assert_allclose(f.block_bound(block), expected)
    x = np.array([[50.0, 50.0, -50.0]]) if len(classes) < 3 else np.array([[0.0, 0.0, -90.0]])
    pair = np.array([0, 1])
    top = np.linalg.eigvalsh(f.block_hessian(pair, f.predict(x)))[-1]
    assert top == pytest.approx(np.linalg.eigvalsh(f.block_bound(pair))[-1])


@pytest.mark.parametrize("case", [("Logistic", ()), ("Logistic", (2,)), ("Multinomial", ())])
@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_third_order_constants(rng, case, kind):
    """Hessians of nearby points differ by no more than the constants say."""
    f = draw(*case, rng, MATRICES[kind])
    p = int(np.prod(f.shape))
    block = rng.permutation(p)[:4]
    single, whole = f.third_order(block)
    assert single.shape == (4,)
    for _ in range(20):
        z = f.predict(rng.standard_normal(f.shape))
        d = 0.1 * rng.standard_normal(4)
        z_new = z.copy()
        f.move(z_new, block, d)
        change = f.block_hessian(block, z_new) - f.block_hessian(block, z)
        assert np.linalg.norm(change, 2) <= whole * np.linalg.norm(d) * (1 + 1e-12)
        for k in range(4):
            z_new = z.copy()
            f.move(z_new, block[k : k + 1], d[k : k + 1])
            one = block[k : k + 1]
            change = f.block_hessian(one, z_new) - f.block_hessian(one, z)
            assert abs(change[0, 0]) <= single[k] * abs(d[k]) * (1 + 1e-12)


def test_third_order_constant_is_attained():
    """At the inflection of the curvature of one sample."""
    f = Logistic([[2.0], [0.0]], [0, 1])
    x = np.array([np.log(2.0 + np.sqrt(3.0)) / 2.0])
    h = 1e-5
    slope = (f.block_hessian([0], f.predict(x + h)) - f.block_hessian([0], f.predict(x - h))) / 2
    (single,), whole = f.third_order(np.array([0]))
    assert abs(slope[0, 0] / h) == pytest.approx(single, rel=1e-6)
    assert whole == pytest.approx(single)


@pytest.mark.parametrize("name", ["LeastSquares", "Quadratic"])
def test_third_order_of_a_quadratic_is_zero(rng, name):
    single, whole = draw(name, (), rng).third_order(np.array([0, 2]))
    np.testing.assert_array_equal(single, [0.0, 0.0])
    assert whole == 0.0


def test_single_precision_is_kept(rng, shape):
    for convert in (np.asarray, sp.csr_array):
        f = draw(*shape, rng, convert, np.float32)
        x = rng.standard_normal(f.shape).astype(np.float32)
        z = f.predict(x)
        block = np.array([0, 3])
        arrays = [f.block_gradient(block, f.gradient_at(z)), f.block_hessian(block, z)]
        if shape[0] != "Poisson":
            arrays += [f.coordinate_bounds(), f.row_sums(), f.block_bound(block)]
        f.move(z, block, np.ones(2, np.float32))
        assert all(a.dtype == np.float32 for a in (*arrays, z))


def test_many_columns_are_summed_in_slabs(rng):
    A = rng.standard_normal((6, 600)) * (rng.random((6, 600)) < 0.3)
    for convert in (np.asarray, sp.csr_array):
        for intercept in (False, True):
            f = LeastSquares(
                convert(A), np.ones(6), sample_weights=WEIGHTS[:6], intercept=intercept
            )
            whole = f.block_bound(np.arange(600))
            np.testing.assert_allclose(f.row_sums(), abs(whole).sum(1), rtol=1e-10)
            np.testing.assert_allclose(f.coordinate_bounds(), np.diag(whole), atol=1e-10)


def test_duplicate_entries_of_a_sparse_matrix_are_added():
    raw = sp.csc_array((np.array([1.0, 2.0, 5.0]), np.array([1, 1, 0]), np.array([0, 2, 3])))
    f = LeastSquares(raw, np.zeros(2))
    np.testing.assert_allclose(f.block_bound(np.array([0, 1])), [[9.0, 0.0], [0.0, 25.0]])
    assert raw.nnz == 3


def test_what_is_missing_is_said(rng):
    block = np.array([0])
    A = matrix(rng)
    poisson = make("Poisson", A, data("Poisson", rng))
    for call in (poisson.coordinate_bounds, poisson.row_sums, lambda: poisson.block_bound(block)):
        with pytest.raises(TypeError, match="Poisson has no global bound"):
            call()
    for name in ("Huber", "SquaredHinge", "Poisson"):
        with pytest.raises(TypeError, match="no bound on its third derivative"):
            make(name, A, data(name, rng)).third_order(block)
    for name in LINEAR[1:]:
        f = make(name, A, data(name, rng), intercept=True)
        with pytest.raises(TypeError, match="take no intercept"):
            f.block_gradient(block, np.ones((M, *f.shape[1:])))
    operator = LeastSquares(aslinearoperator(A), np.ones(M))
    with pytest.raises(TypeError, match="dense or sparse matrix"):
        operator.coordinate_bounds()
    with pytest.raises(TypeError, match="real data"):
        LeastSquares(A, 1j * np.ones(M)).block_bound(block)
    with pytest.raises(TypeError, match="dense or sparse matrix"):
        Quadratic(aslinearoperator(np.eye(2)), np.ones(2)).row_sums()
