"""Least squares against dense formulas, for every kind of matrix and operator."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from sparseopt import linop
from sparseopt.losses import LeastSquares, LossLike

M, N, K = 7, 5, 3


def matrix(rng, dtype=np.float64):
    """Integers, so that every dtype holds them exactly, a third of them zero."""
    A = rng.integers(-3, 4, (M, N)) * (rng.random((M, N)) < 0.7)
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.integers(-3, 4, (M, N))
    return A.astype(dtype)


def draw(rng, shape, dtype):
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


KINDS = {
    "ndarray": np.asarray,
    "list": lambda A: A.tolist(),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "csr_matrix": sp.csr_matrix,
    "lil": sp.lil_array,
    "dia": sp.dia_array,
    "aslinearoperator": aslinearoperator,
    "operator of sparse": lambda A: aslinearoperator(sp.csr_array(A)),
    "composed": lambda A: linop.compose(
        aslinearoperator(A), linop.Diagonal(np.ones(N), dtype=A.real.dtype)
    ),
}
WEIGHTS = {"plain": None, "weighted": np.array([1.0, 0.0, 2.5, 0.5, 0.0, 3.0, 1e-3])}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("batch", [(), (K,), (1,)])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_dense_formulas(rng, kind, dtype, batch, weights):
    A, y = matrix(rng, dtype), draw(rng, (M, *batch), dtype)
    x, d = draw(rng, (N, *batch), dtype), draw(rng, (N, *batch), dtype)
    given_weights = WEIGHTS[weights]
    w = np.ones(M) if given_weights is None else given_weights
    w = w.reshape(M, *(1 for _ in batch))
    f = LeastSquares(kind(A), y, sample_weights=given_weights)
    assert isinstance(f, LossLike)
    assert f.shape == (N, *batch)
    assert f.dtype == dtype
    r = A @ x - y
    value = 0.5 * np.sum(w * abs(r) ** 2, axis=0)
    np.testing.assert_allclose(f.value(x), value, rtol=1e-13)
    assert np.shape(f.value(x)) == batch
    np.testing.assert_allclose(f.gradient(x), A.conj().T @ (w * r), atol=1e-12)
    np.testing.assert_allclose(f.hessian_product(d), A.conj().T @ (w * (A @ d)), atol=1e-12)
    np.testing.assert_allclose(f.predict(x), A @ x, atol=1e-13)
    np.testing.assert_allclose(f.pull_back(r), A.conj().T @ r, atol=1e-12)
    np.testing.assert_allclose(f.gradient_at(A @ x), w * r, atol=1e-13)
    np.testing.assert_allclose(f.value_at(A @ x), value, rtol=1e-13)
    step = f.value(x + d) - f.value(x) - np.sum((f.gradient(x).conj() * d).real, axis=0)
    np.testing.assert_allclose(f.bregman(A @ (x + d), A @ x), step, rtol=1e-11)
    root = np.sqrt(w.reshape(-1, 1))
    assert f.lipschitz() == pytest.approx(np.linalg.norm(root * A, 2) ** 2, rel=1e-6)
    assert f"{M} x {N}" in repr(f)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_gradient_by_finite_differences(rng, dtype, weights):
    f = LeastSquares(matrix(rng, dtype), draw(rng, M, dtype), sample_weights=WEIGHTS[weights])
    x, h = draw(rng, N, dtype), 1e-5
    gradient = f.gradient(x)
    for direction in [1.0, 1j] if np.dtype(dtype).kind == "c" else [1.0]:
        for i in range(N):
            e = np.zeros(N, dtype)
            e[i] = h * direction
            slope = (f.value(x + e) - f.value(x - e)) / (2 * h)
            assert slope == pytest.approx((np.conj(direction) * gradient[i]).real, abs=1e-6)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.bool_])
def test_integer_matrices_count_as_float64(rng, make, dtype):
    A = (rng.random((M, N)) < 0.5).astype(dtype) * dtype(1 if dtype is np.bool_ else 100)
    y = np.arange(M)
    f = LeastSquares(make(A), y)
    assert f.dtype == np.float64
    x = rng.standard_normal(N)
    exact = A.astype(float)
    np.testing.assert_allclose(f.gradient(x), exact.T @ (exact @ x - y), rtol=1e-12)
    assert f.lipschitz() == pytest.approx(np.linalg.norm(exact, 2) ** 2, rel=1e-6)


@pytest.mark.parametrize("batch", [(), (K,)])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_is_kept(rng, kind, dtype, batch):
    expected = np.result_type(dtype, np.float64) if kind is KINDS["list"] else dtype
    A, y, x = matrix(rng, dtype), draw(rng, (M, *batch), dtype), draw(rng, (N, *batch), dtype)
    for weights in (None, np.arange(M)):
        f = LeastSquares(kind(A), y, sample_weights=weights)
        assert f.dtype == expected
        for array in (f.gradient(x), f.hessian_product(x), f.predict(x), f.gradient_at(A @ x)):
            assert array.dtype == expected
        assert np.asarray(f.value(x)).dtype == np.float64
        w = 1.0 if weights is None else weights.reshape(M, *(1 for _ in batch))
        exact = 0.5 * np.sum(w * abs(A @ x - y).astype(np.float64) ** 2, axis=0)
        np.testing.assert_allclose(f.value(x), exact, rtol=1e-5)


@pytest.mark.parametrize(
    ("of_a", "of_y", "common"),
    [
        (np.float32, np.float64, np.float64),
        (np.float64, np.float32, np.float64),
        (np.float32, np.complex64, np.complex64),
        (np.float64, np.complex64, np.complex128),
        (np.complex64, np.float32, np.complex64),
        (np.float32, np.int64, np.float64),
    ],
)
def test_common_dtype(rng, of_a, of_y, common):
    y = (10 * rng.standard_normal(M)).astype(of_y)
    f = LeastSquares(matrix(rng, of_a), y)
    assert f.dtype == f.y.dtype == common
    assert f.gradient(np.zeros(N, f.dtype)).dtype == common


@pytest.mark.extras
def test_pylops_operator(rng):
    pylops = require("pylops")
    A, y = matrix(rng), rng.standard_normal((M, K))
    x = rng.standard_normal((N, K))
    f = LeastSquares(pylops.MatrixMult(A), y)
    np.testing.assert_allclose(f.gradient(x), A.T @ (A @ x - y), atol=1e-12)
    assert f.lipschitz() == pytest.approx(np.linalg.norm(A, 2) ** 2, rel=1e-6)
    chain = pylops.Restriction(N, [0, 2, 3]) * pylops.FirstDerivative(N)
    dense = chain @ np.eye(N)
    g = LeastSquares(chain, y[:3, 0])
    np.testing.assert_allclose(
        g.gradient(x[:, 0]), dense.T @ (dense @ x[:, 0] - y[:3, 0]), atol=1e-12
    )


@pytest.mark.parametrize("kind_name", ["csr", "csc", "coo", "lil", "csr_matrix"])
def test_sparse_input_is_never_made_dense(rng, monkeypatch, kind_name):
    A = KINDS[kind_name](matrix(rng))

    def refuse(self, *args, **kwargs):
        raise AssertionError("made dense")

    for name in ("csr", "csc", "coo", "lil", "dia", "bsr"):
        for suffix in ("array", "matrix"):
            for method in ("toarray", "todense", "__array__"):
                monkeypatch.setattr(getattr(sp, f"{name}_{suffix}"), method, refuse, raising=False)
    for weights in (None, np.arange(M)):
        f = LeastSquares(A, rng.standard_normal(M), sample_weights=weights)
        x = rng.standard_normal(N)
        f.value(x)
        f.gradient(x)
        f.hessian_product(x)
        f.lipschitz()
        repr(f)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csc_array, sp.coo_array])
def test_inputs_survive_and_may_be_read_only_or_strided(rng, make):
    wide = rng.standard_normal((2 * M, 3 * N))
    dense = np.asfortranarray(wide)[::2, ::-3]
    data = rng.standard_normal((M, 2 * K))[:, ::2]
    weights = rng.random(2 * M)[::-2]
    x = rng.standard_normal((2 * N, K))[::2]
    A = make(dense)
    arrays = [dense, data, weights, x]
    if sp.issparse(A):
        arrays += [A.data, *([A.indices, A.indptr] if A.format != "coo" else A.coords)]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    f = LeastSquares(A, data, sample_weights=weights)
    expected = dense.T @ (weights[:, None] * (dense @ x - data))
    np.testing.assert_allclose(f.gradient(x), expected, atol=1e-12)
    f.value(x)
    f.hessian_product(x)
    f.conjugate(f.gradient_at(f.predict(x)))
    f.dual_scale(f.gradient_at(f.predict(x)), 1.0)
    f.lipschitz()
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("method", ["value", "gradient", "hessian_product"])
@pytest.mark.parametrize("shape", [(N, 1), (N + 1,), (M,), (), (1, N)])
def test_an_unknown_of_the_wrong_shape_is_refused(rng, method, shape):
    f = LeastSquares(matrix(rng), rng.standard_normal(M))
    with pytest.raises(ValueError, match=r"^[xd] must have shape \(5,\), got"):
        getattr(f, method)(np.ones(shape))
    batch = LeastSquares(matrix(rng), rng.standard_normal((M, K)), sample_weights=np.ones(M))
    with pytest.raises(ValueError, match=r"^[xd] must have shape \(5, 3\), got"):
        getattr(batch, method)(np.ones(N))


NUMBERS = st.floats(-10, 10, allow_nan=False, width=32)


def vectors(size):
    return st.lists(NUMBERS, min_size=size, max_size=size).map(np.array)


@given(
    u=vectors(4),
    z=vectors(4),
    y=vectors(4),
    w=st.lists(st.sampled_from([0.0, 0.5, 1.0, 4.0]), min_size=4, max_size=4),
    phase=st.sampled_from([1.0, 1j, np.exp(0.7j)]),
)
def test_fenchel_young(u, z, y, w, phase):
    if phase != 1.0:
        u, y = u * phase, y + 1j * z
    f = LeastSquares(np.eye(4, dtype=u.dtype), y, sample_weights=w)
    bound = f.value_at(z) + f.conjugate(u)
    assert bound >= np.sum((u.conj() * z).real) - 1e-9
    gradient = f.gradient_at(z)
    inner = np.sum((gradient.conj() * z).real)
    assert f.value_at(z) + f.conjugate(gradient) == pytest.approx(inner, rel=1e-9, abs=1e-9)


def test_conjugate_is_infinite_off_the_weighted_rows():
    f = LeastSquares(np.eye(2), np.ones((2, 2)), sample_weights=[1.0, 0.0])
    u = np.array([[1.0, 1.0], [0.0, 1e-3]])
    np.testing.assert_array_equal(f.conjugate(u), [1.5, np.inf])


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("limit", [np.inf, 1.0, 0.3, 0.0])
def test_dual_scale_is_the_best_feasible_multiple(rng, dtype, weights, limit):
    y = draw(rng, (M, 20), dtype)
    f = LeastSquares(matrix(rng, dtype), y, sample_weights=WEIGHTS[weights])
    u = f.gradient_at(draw(rng, (M, 20), dtype))
    t = f.dual_scale(u, limit)
    assert t.shape == (20,)
    assert np.all((t >= 0) & (t <= limit))
    best = -f.conjugate(u * t)
    for other in np.linspace(0, min(limit, 3.0), 50):
        assert np.all(-f.conjugate(u * other) <= best + 1e-9)


def test_dual_scale_of_zero_is_finite():
    f = LeastSquares(np.eye(2), [1.0, 2.0])
    assert f.dual_scale(np.zeros(2), np.inf) == 0.0


def test_dual_scale_near_an_exact_fit():
    """The residual is a millionth of a millionth of the data, and the factor still right."""
    y = np.full(3, 1e6)
    f = LeastSquares(np.eye(3), y)
    u = np.array([-1e-6, -2e-6, 1e-6])
    assert f.dual_scale(u, np.inf) == pytest.approx(-(u @ y) / (u @ u), rel=1e-12)


def test_bregman_does_not_cancel():
    f = LeastSquares(np.eye(2), [1e8, -1e8])
    z = np.array([2.0, 3.0])
    assert f.bregman(z + np.array([1e-6, 0]), z) == pytest.approx(5e-13, rel=1e-8)


@pytest.mark.parametrize("weights", [None, [0.0] * 3])
def test_lipschitz_of_nothing_is_zero(weights):
    A = np.zeros((3, 2)) if weights is None else np.ones((3, 2))
    assert LeastSquares(A, np.ones(3), sample_weights=weights).lipschitz() == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_lipschitz_of_a_row_a_column_and_a_number(rng, shape):
    A = rng.standard_normal(shape)
    for make in (np.asarray, sp.csr_array, aslinearoperator):
        f = LeastSquares(make(A), np.ones(shape[0]))
        assert f.lipschitz() == pytest.approx(np.sum(A**2), rel=1e-12)


def test_operator_without_a_declared_dtype(rng):
    A = matrix(rng)
    op = LinearOperator((M, N), matvec=lambda x: A @ x, rmatvec=lambda u: A.T @ u)
    f = LeastSquares(op, np.ones(M))
    assert f.dtype == np.float64
    np.testing.assert_allclose(f.gradient(np.ones(N)), A.T @ (A.sum(1) - 1), atol=1e-12)


def test_sample_weights_equal_repeated_rows(rng):
    A, y = matrix(rng), rng.standard_normal(M)
    counts = rng.integers(0, 4, M)
    weighted = LeastSquares(A, y, sample_weights=counts)
    repeated = LeastSquares(np.repeat(A, counts, 0), np.repeat(y, counts))
    x = rng.standard_normal(N)
    assert weighted.value(x) == pytest.approx(repeated.value(x))
    np.testing.assert_allclose(weighted.gradient(x), repeated.gradient(x), atol=1e-12)
