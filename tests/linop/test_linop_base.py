import pickle

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator, lsqr, svds

from sparseopt import linop


class Weighted(linop.Operator):
    def __init__(self, weights, **kwargs):
        self.weights = np.asarray(weights)
        super().__init__(self.weights.shape, self.weights.shape, **kwargs)

    def _forward(self, x):
        return x * self.weights.astype(x.real.dtype)

    _backward = _forward


def test_front_door_names_exist():
    for name in linop.__all__:
        assert getattr(linop, name).__doc__
    with pytest.raises(AttributeError, match="nothing"):
        linop.nothing  # noqa: B018


def test_subclass(check_operator):
    check_operator(Weighted([[1.0, 2.0, 3.0]]))


def test_undefined_methods():
    bare = linop.Operator(2, 2)
    with pytest.raises(NotImplementedError, match="Operator does not define _forward"):
        bare(np.ones(2))
    with pytest.raises(NotImplementedError, match="Operator does not define _backward"):
        bare.H(np.ones(2))


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"in_shape": 0}, ValueError, r"in_shape\[0\] must be at least 1, got 0"),
        ({"in_shape": ()}, ValueError, "in_shape must have at least one axis"),
        ({"out_shape": 2.5}, TypeError, "out_shape must be an int or a tuple"),
        ({"out_shape": "ab"}, TypeError, "out_shape must be an int or a tuple"),
        ({"out_shape": (2, 1.0)}, TypeError, r"out_shape\[1\] must be an integer"),
        ({"dtype": int}, TypeError, "dtype must be one of float32.*got int64"),
        ({"dtype": "nonsense"}, TypeError, "dtype must be a floating-point"),
        ({"norm_bound": -1.0}, ValueError, "norm_bound must be finite"),
        ({"norm_bound": np.nan}, ValueError, "norm_bound must be finite"),
    ],
)
def test_bad_constructor(kwargs, error, match):
    with pytest.raises(error, match=match):
        linop.Operator(**{"in_shape": 2, "out_shape": 2, **kwargs})


def test_repr_is_short():
    assert repr(linop.DCT((2, 3))) == "<DCT (2, 3) -> (2, 3), dtype=float64>"


def test_scipy_solvers_accept_operators():
    A = linop.Convolution(30, [0.2, 1.0, 0.3], boundary="zero")
    x = np.random.default_rng(0).standard_normal(30)
    np.testing.assert_allclose(lsqr(A, A @ x, atol=1e-14, btol=1e-14)[0], x, atol=1e-8)
    top = svds(A, k=1, return_singular_vectors=False)[0]
    assert top == pytest.approx(linop.operator_norm(A).lower, rel=0.02)


def test_product_keeps_shapes_and_multiplies_bounds():
    left = linop.FiniteDifference((4, 3))
    right = linop.Diagonal(np.linspace(-2, 1, 12).reshape(4, 3))
    product = left @ right
    assert (product.in_shape, product.out_shape) == ((4, 3), (2, 4, 3))
    assert product.norm_bound == pytest.approx(left.norm_bound * right.norm_bound)
    matrix = check_product(product)
    np.testing.assert_allclose(matrix, (left @ np.eye(12)) @ (right @ np.eye(12)), atol=1e-13)
    triple = product @ linop.FFT((4, 3))
    assert triple.dtype == np.complex128
    check_product(triple)


def check_product(product):
    assert linop.compose(product) is product
    matrix = product @ np.eye(product.shape[1])
    x = np.random.default_rng(1).standard_normal((3, *product.in_shape))
    y = np.random.default_rng(2).standard_normal((3, *product.out_shape))
    want = (y.reshape(3, -1) @ matrix.conj()).reshape(x.shape)
    np.testing.assert_allclose(product.H(y), want, atol=1e-13)
    want = (y.reshape(3, -1) @ matrix).reshape(x.shape)
    np.testing.assert_allclose(product.T(y), want, atol=1e-13)
    np.testing.assert_allclose(product.H.H(x), product(x), atol=1e-13)
    linop.check_adjoint(product)
    copy = pickle.loads(pickle.dumps(product))
    np.testing.assert_array_equal(copy(x), product(x))
    return matrix


@pytest.mark.parametrize("kind", ["dense", "sparse", "linear"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_product_with_foreign(kind, side):
    D = linop.DCT((3, 4))
    rng = np.random.default_rng(0)
    M = rng.standard_normal((5, 12) if side == "left" else (12, 5))
    foreign = {
        "dense": M,
        "sparse": scipy.sparse.csr_array(M),
        "linear": aslinearoperator(M),
    }[kind]
    dct = D @ np.eye(12)
    want = M @ dct if side == "left" else dct @ M
    product = linop.compose(foreign, D) if side == "left" else linop.compose(D, foreign)
    assert product.norm_bound is None
    assert product.in_shape == ((3, 4) if side == "left" else (5,))
    np.testing.assert_allclose(product @ np.eye(want.shape[1]), want, atol=1e-13)
    x = rng.standard_normal((2, 3, *product.in_shape))
    np.testing.assert_allclose(product(x).reshape(6, -1), x.reshape(6, -1) @ want.T, atol=1e-13)
    linop.check_adjoint(product)
    assert linop.check_adjoint(product.H) < 1e-12
    # The operator form: lazy for operators and sparse matrices, at once for dense ones.
    at = foreign @ D if side == "left" else D @ foreign
    assert isinstance(at, np.ndarray if kind == "dense" else LinearOperator)
    np.testing.assert_allclose(at @ np.eye(want.shape[1]), want, atol=1e-13)


def test_compose_errors():
    with pytest.raises(ValueError, match="at least one operator"):
        linop.compose()
    with pytest.raises(TypeError, match=r"factors\[1\] must be an operator.*got str"):
        linop.compose(linop.DCT(3), "matrix")
    with pytest.raises(TypeError, match=r"factors\[0\].*ndarray"):
        linop.compose(np.ones(3), linop.DCT(3))
    with pytest.raises(ValueError, match=r"factors\[0\] must take.*\(4, 2\).*\(2, 4\)"):
        linop.DCT((2, 4)) @ linop.DCT((4, 2))
    with pytest.raises(ValueError, match=r"factors\[0\] must take"):
        linop.DCT(4) @ linop.DCT(5)


def test_flat_and_shaped_fit():
    product = linop.Mask(12, [3, 1]) @ linop.DCT((3, 4))
    assert product.norm_bound == 1.0
    np.testing.assert_allclose(
        product(np.ones((2, 3, 4))), linop.DCT((3, 4))(np.ones((2, 3, 4))).reshape(2, 12)[:, [3, 1]]
    )


def test_scaled():
    A = linop.DCT(4)
    x = np.arange(4.0)
    for scaled, factor in [(2 * A, 2), (A * -3.0, -3), (A / 4, 0.25), (-A, -1), (A * 2j, 2j)]:
        assert isinstance(scaled, linop.Operator)
        assert scaled.norm_bound == abs(factor)
        np.testing.assert_allclose(scaled(x), factor * A(x))
        np.testing.assert_allclose(scaled.H(x), np.conj(factor) * A.H(x))
        np.testing.assert_allclose(scaled.T(x), factor * A.T(x), atol=1e-15)
        linop.check_adjoint(scaled)
    assert (np.float64(2.0) * A)(x.astype("f4")).dtype == np.float32
    with pytest.raises(ValueError, match="other must be a number"):
        A / np.ones(4)


def test_sums_are_scipy_operators():
    A, B = linop.DCT(4), linop.Diagonal(np.arange(4.0))
    x = np.arange(4.0)
    np.testing.assert_allclose((A - B) @ x, A @ x - B @ x)
    np.testing.assert_allclose((A + B).H @ x, A.H @ x + B.H @ x)


def test_matrix_and_sparse_arguments():
    A = linop.DCT(3)
    np.testing.assert_allclose(A @ np.eye(3)[:, :0], np.empty((3, 0)))
    with pytest.raises(ValueError, match="dimension mismatch"):
        A @ np.ones(4)
    with pytest.raises(TypeError):
        A.matmat(scipy.sparse.eye_array(3))
