import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseopt.linop import Convolution, check_adjoint


def oracle(x, h, boundary):
    if boundary == "mask":
        return scipy.signal.convolve(x, h, mode="valid", method="direct")
    if boundary == "zero":
        full = scipy.signal.convolve(x, h, mode="full", method="direct")
        start = [(k - 1) // 2 for k in h.shape]
        return full[tuple(slice(s, s + n) for s, n in zip(start, x.shape, strict=True))]
    out = np.zeros(x.shape, np.result_type(x, h))
    for j in np.ndindex(h.shape):
        shift = [a - (k - 1) // 2 for a, k in zip(j, h.shape, strict=True)]
        out += h[j] * np.roll(x, shift, axis=tuple(range(x.ndim)))
    return out


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 8)), min_size=1, max_size=3),
    boundary=st.sampled_from(["mask", "zero", "periodic"]),
    complex_kernel=st.booleans(),
    seed=st.integers(0, 99),
)
def test_against_direct_convolution(sizes, boundary, complex_kernel, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(n for n, _ in sizes)
    lengths = tuple(k if boundary == "zero" else min(n, k) for n, k in sizes)
    h = rng.standard_normal(lengths)
    if complex_kernel:
        h = h + 1j * rng.standard_normal(lengths)
    A = Convolution(shape, h, boundary)
    x = rng.standard_normal(shape)
    want = oracle(x, h, boundary)
    assert A.out_shape == want.shape
    np.testing.assert_allclose(A(x), want, atol=1e-11)
    assert check_adjoint(A) < 1e-12


def test_zero_is_scipy_same():
    rng = np.random.default_rng(0)
    for k in (1, 2, 3, 4, 5):
        x, h = rng.standard_normal((9, 8)), rng.standard_normal((k, k))
        want = scipy.signal.convolve(x, h, mode="same")
        np.testing.assert_allclose(Convolution(x.shape, h, "zero")(x), want, atol=1e-13)


@pytest.mark.parametrize("boundary", ["mask", "zero", "periodic"])
@pytest.mark.parametrize("kernel", [[[1.0, 2.0], [0.5, -1.0]], [[1j, 0.5, 2.0]]])
def test_operator(boundary, kernel, check_operator):
    A = Convolution((5, 4), kernel, boundary)
    matrix = check_operator(A)
    norm = np.linalg.norm(matrix, 2)
    assert norm <= A.norm_bound * (1 + 1e-12)
    if boundary == "periodic":
        assert A.norm_bound == pytest.approx(norm)


def test_default_border_is_mask():
    assert Convolution((9, 9), np.ones((3, 3))).out_shape == (7, 7)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        ((4, [[1.0]]), ValueError, r"kernel must have 1 dimension"),
        ((4, np.ones(5)), ValueError, r"kernel must not be empty.*got shape \(5,\)"),
        ((4, np.ones(5), "periodic"), ValueError, "kernel must not be empty"),
        ((4, []), ValueError, "kernel must not be empty"),
        ((4, [np.nan]), ValueError, "kernel must be finite"),
        ((4, ["a"]), TypeError, "kernel must be"),
        ((4, [1.0], "wrap"), ValueError, "boundary must be one of.*'wrap'"),
        (((4, -1), [[1.0]]), ValueError, r"shape\[1\] must be at least 1"),
    ],
)
def test_errors(args, error, match):
    with pytest.raises(error, match=match):
        Convolution(*args)
    with pytest.raises(TypeError, match="dtype must be one of complex64"):
        Convolution(4, [1j], dtype=float)
