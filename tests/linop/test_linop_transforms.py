"""DCT and FFT, whole and subsampled."""

import numpy as np
import pytest

from sparseopt.linop import DCT, FFT


def dct_matrix(n):
    k, i = np.mgrid[:n, :n]
    matrix = np.sqrt(2 / n) * np.cos(np.pi * k * (2 * i + 1) / (2 * n))
    matrix[0] = np.sqrt(1 / n)
    return matrix


def dft_matrix(n):
    k, i = np.mgrid[:n, :n]
    return np.exp(-2j * np.pi * k * i / n) / np.sqrt(n)


@pytest.mark.parametrize(("kind", "one_axis"), [(DCT, dct_matrix), (FFT, dft_matrix)])
@pytest.mark.parametrize("shape", [1, 7, (4, 3), (2, 3, 2)])
def test_whole_and_subsampled(kind, one_axis, shape, check_operator):
    A = kind(shape)
    want = np.ones((1, 1))
    for n in A.in_shape:
        want = np.kron(want, one_axis(n))
    np.testing.assert_allclose(check_operator(A), want, atol=1e-13)
    size = A.shape[0]
    np.testing.assert_allclose(A.H @ (A @ np.eye(size)), np.eye(size), atol=1e-13)
    rows = np.random.default_rng(0).permutation(size)[: (size + 1) // 2]
    B = kind(shape, rows)
    np.testing.assert_allclose(check_operator(B), want[rows], atol=1e-13)
    np.testing.assert_allclose(B @ (B.H @ np.eye(len(rows))), np.eye(len(rows)), atol=1e-13)
    mask = np.zeros(size, bool)
    mask[rows] = True
    C = kind(shape, mask.reshape(A.in_shape))
    np.testing.assert_allclose(C @ np.eye(size), want[mask], atol=1e-13)


def test_declared_dtype():
    assert DCT(4, dtype=np.float32).dtype == np.float32
    assert DCT(4, dtype=np.complex128).dtype == np.complex128
    assert FFT(4, dtype=np.complex64).dtype == np.complex64
    with pytest.raises(TypeError, match="dtype must be one of complex64, complex128"):
        FFT(4, dtype=float)


@pytest.mark.parametrize("kind", [DCT, FFT])
@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        ([], ValueError, "rows must select at least one"),
        ([4], ValueError, "rows must lie in"),
        ([2, 2], ValueError, "rows must not contain duplicates"),
        ([1.5], TypeError, "rows must be boolean or integer"),
    ],
)
def test_rows_errors(kind, rows, error, match):
    with pytest.raises(error, match=match):
        kind(4, rows)
