import dataclasses

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from sparseopt.linop import DCT, NormEstimate, check_adjoint, compose, operator_norm


def bracket(A, matrix, **kwargs):
    true = np.linalg.norm(matrix, 2)
    estimate = operator_norm(A, **kwargs)
    assert estimate.lower <= true * (1 + 1e-12)
    assert estimate.upper >= true * (1 - 1e-12)
    return estimate, true


def with_spectrum(values, m, n, seed=0, is_complex=False):
    rng = np.random.default_rng(seed)

    def basis(size):
        x = rng.standard_normal((size, len(values)))
        if is_complex:
            x = x + 1j * rng.standard_normal(x.shape)
        return np.linalg.qr(x)[0]

    return basis(m) * values @ basis(n).conj().T


@settings(deadline=None, max_examples=60)
@given(m=st.integers(1, 40), n=st.integers(1, 40), seed=st.integers(0, 999), c=st.booleans())
def test_random_matrices(m, n, seed, c):
    rng = np.random.default_rng(seed)
    M = rng.standard_normal((m, n))
    if c:
        M = M + 1j * rng.standard_normal((m, n))
    estimate, true = bracket(M, M, rng=seed)
    assert estimate.lower > 0.98 * true
    operator, _ = bracket(aslinearoperator(M), M, rng=seed)
    assert operator.upper < 1.5 * true


@pytest.mark.parametrize(
    "values",
    [
        [5.0, 3.0],
        [1.0] * 30,
        np.linspace(0.9, 1, 50),
        1 - 1e-6 * np.arange(60),
        0.5 ** np.arange(40),
        [1e-8] * 3,
        [1e8, 1.0],
    ],
)
@pytest.mark.parametrize("is_complex", [False, True])
def test_spectra(values, is_complex):
    M = with_spectrum(np.asarray(values), 80, 70, is_complex=is_complex)
    for A in (M, aslinearoperator(M), scipy.sparse.csr_array(M), scipy.sparse.csc_matrix(M)):
        for seed in range(5):
            estimate, true = bracket(A, M, rng=seed)
            assert estimate.lower > 0.98 * true
            assert estimate.upper < 1.1 * true


def test_exhausted_space_is_exact():
    M = with_spectrum(np.array([5.0, 3.0, 1.0]), 100, 90)
    estimate = operator_norm(aslinearoperator(M))
    assert estimate.upper == pytest.approx(5.0, rel=1e-8)
    assert estimate.lower == pytest.approx(5.0, rel=1e-12)
    small = np.random.default_rng(0).standard_normal((5, 400))
    estimate = operator_norm(aslinearoperator(small))
    assert estimate.upper == pytest.approx(np.linalg.norm(small, 2), rel=1e-8)


def test_large_sparse_is_tight():
    M = scipy.sparse.random(3000, 2000, density=0.002, random_state=np.random.default_rng(0))
    true = scipy.sparse.linalg.svds(M, k=1, return_singular_vectors=False)[0]
    estimate = operator_norm(M)
    assert 0.98 * true < estimate.lower <= true * (1 + 1e-10)
    assert true * (1 - 1e-10) <= estimate.upper < 1.1 * true


def test_bound_fails_as_rarely_as_promised():
    # A generous failure probability, at the worst kind of spectrum: no gap.
    M = np.diag(np.linspace(0, 1, 200))
    failures = sum(
        operator_norm(aslinearoperator(M), max_iter=8, failure_probability=0.2, rng=s).upper < 1
        for s in range(100)
    )
    assert failures <= 20


def test_degenerate():
    assert operator_norm(np.zeros((3, 4))) == NormEstimate(0.0, 0.0)
    assert operator_norm(aslinearoperator(np.zeros((3, 4)))) == NormEstimate(0.0, 0.0)
    assert operator_norm(scipy.sparse.csr_array((3, 4))) == NormEstimate(0.0, 0.0)
    estimate = operator_norm(np.array([[-2.0]]))
    assert estimate.lower == estimate.upper == 2.0
    assert operator_norm(np.array([[3 + 4j]])).lower == pytest.approx(5.0)
    assert operator_norm(np.full((2, 2), 100, np.int8)).upper == pytest.approx(200.0)
    assert operator_norm(np.array([[True, False]])).upper == pytest.approx(1.0)


@pytest.mark.parametrize("factor", [1e-200, 1e150])
def test_extreme_scales(factor):
    M = np.random.default_rng(0).standard_normal((8, 6))
    estimate = operator_norm(aslinearoperator(factor * M))
    assert estimate.lower == pytest.approx(factor * np.linalg.norm(M, 2), rel=1e-9, abs=0)
    assert estimate.upper == pytest.approx(estimate.lower, rel=1e-6, abs=0)


def test_float32_and_one_iteration():
    M = np.random.default_rng(0).standard_normal((30, 20)).astype(np.float32)
    narrow = LinearOperator(
        M.shape,
        matvec=lambda x: M @ x.astype(np.float32),
        rmatvec=lambda y: M.T @ y.astype(np.float32),
        dtype=np.float32,
    )
    for A in (M, narrow):
        true = np.linalg.norm(M.astype(float), 2)
        estimate = operator_norm(A)
        assert 0.98 * true < estimate.lower < true * (1 + 1e-5)
        assert true * (1 - 1e-6) < estimate.upper < 1.5 * true
    estimate = operator_norm(aslinearoperator(M), max_iter=1)
    assert estimate.lower < true < estimate.upper


def test_known_bound_is_used_and_ends_early():
    A = DCT(50)
    estimate = operator_norm(A)
    assert estimate.lower == pytest.approx(1.0)
    assert 1 - 1e-12 < estimate.upper < 1 + 1e-9
    assert operator_norm(compose(np.eye(50), A)).upper == pytest.approx(1.0, rel=1e-6)


def test_same_seed_same_result():
    M = np.random.default_rng(0).standard_normal((60, 60))
    assert operator_norm(M, rng=3, max_iter=4) == operator_norm(M, rng=3, max_iter=4)
    assert operator_norm(M, rng=3, max_iter=4) != operator_norm(M, rng=4, max_iter=4)
    assert dataclasses.is_dataclass(NormEstimate)
    with pytest.raises(dataclasses.FrozenInstanceError):
        operator_norm(M).lower = 0.0


@pytest.mark.parametrize(
    ("A", "kwargs", "error", "match"),
    [
        ([[1.0]], {}, TypeError, "A must be an ndarray.*got list"),
        (np.ones(3), {}, ValueError, r"A must be a matrix.*got shape \(3,\)"),
        (np.ones((3, 0)), {}, ValueError, "A must be a matrix"),
        (np.array([["a"]]), {}, TypeError, "A must be numeric"),
        (np.array([[np.nan]]), {}, ValueError, "A must be finite"),
        (np.array([[np.inf]]), {}, ValueError, "A must be finite"),
        (aslinearoperator(np.array([[np.nan]])), {}, ValueError, "A must be finite"),
        (np.eye(2), {"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        (np.eye(2), {"failure_probability": 0.0}, ValueError, "failure_probability must be a pos"),
        (np.eye(2), {"failure_probability": 1.0}, ValueError, "failure_probability must be below"),
        (np.eye(2), {"rng": "a"}, TypeError, "rng must be"),
    ],
)
def test_norm_errors(A, kwargs, error, match):
    with pytest.raises(error, match=match):
        operator_norm(A, **kwargs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_check_adjoint_accepts(dtype):
    M = np.random.default_rng(0).standard_normal((7, 5)).astype(dtype)
    for A in (M, scipy.sparse.csr_array(M), aslinearoperator(M)):
        assert 0 <= check_adjoint(A) < 1e-5
    assert check_adjoint(np.zeros((2, 3))) == 0.0


def test_check_adjoint_refuses():
    M = np.random.default_rng(0).standard_normal((5, 5)) + 1j
    transpose = LinearOperator(
        M.shape, matvec=lambda x: M @ x, rmatvec=lambda y: M.T @ y, dtype=complex
    )
    with pytest.raises(ValueError, match=r"A must satisfy.*relative mismatch"):
        check_adjoint(transpose)
    nan = LinearOperator((2, 2), matvec=lambda x: x * np.nan, rmatvec=lambda y: y, dtype=float)
    with pytest.raises(ValueError, match="A must satisfy"):
        check_adjoint(nan)
    none = LinearOperator((2, 2), matvec=lambda x: x, dtype=float)
    with pytest.raises(TypeError, match="A must define its adjoint"):
        check_adjoint(none)
    nearly = LinearOperator(
        (2, 2), matvec=lambda x: x, rmatvec=lambda y: (1 + 1e-6) * y, dtype=float
    )
    with pytest.raises(ValueError, match=r"above 1\.00e-08"):
        check_adjoint(nearly)
    assert check_adjoint(nearly, tol=1e-5) < 1e-5
    with pytest.raises(TypeError, match="A must be an operator"):
        check_adjoint("A")
    with pytest.raises(ValueError, match="trials must be at least 1"):
        check_adjoint(np.eye(2), trials=0)
    with pytest.raises(ValueError, match="tol must be a positive"):
        check_adjoint(np.eye(2), tol=-1.0)
