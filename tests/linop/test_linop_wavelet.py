import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseopt.linop import Wavelet

WAVELETS = ["haar", "db2", "db4", "sym8", "coif3"]


@settings(deadline=None, max_examples=60)
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 70)), st.tuples(st.integers(1, 13), st.integers(1, 13))
    ),
    wavelet=st.sampled_from(WAVELETS),
    data=st.data(),
)
def test_orthonormal_at_any_size(shape, wavelet, data):
    largest = (min(shape) - 1).bit_length()
    level = data.draw(st.one_of(st.none(), st.integers(0, largest)))
    W = Wavelet(shape, wavelet, level)
    eye = np.eye(W.shape[0])
    matrix = W @ eye
    np.testing.assert_allclose(matrix.T @ matrix, eye, atol=1e-10)
    np.testing.assert_allclose(matrix @ matrix.T, eye, atol=1e-10)
    np.testing.assert_allclose(W.H @ eye, matrix.T, atol=1e-10)


@pytest.mark.parametrize("shape", [1, 2, 7, 16, (5, 6), (8, 8), (3, 1)])
@pytest.mark.parametrize("wavelet", ["haar", "db3"])
def test_operator(shape, wavelet, check_operator):
    check_operator(Wavelet(shape, wavelet, None if shape in (1, (3, 1)) else 1))
    check_operator(Wavelet(shape, wavelet))


def test_layout_is_that_of_pywavelets():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(64)
    want = np.concatenate(pywt.wavedec(x, "db3", "periodization", level=3))
    np.testing.assert_allclose(Wavelet(64, "db3", 3)(x), want, atol=1e-13)
    image = rng.standard_normal((32, 64))
    coefficients = pywt.wavedec2(image, "db2", "periodization", level=3)
    want, _ = pywt.coeffs_to_array(coefficients)
    # PyWavelets puts the horizontal details (high-pass along axis 0) on the upper right.
    got = Wavelet((32, 64), "db2", 3)(image)
    np.testing.assert_allclose(got[:4, :8], coefficients[0], atol=1e-13)
    np.testing.assert_allclose(got[16:, :32], coefficients[3][0], atol=1e-13)
    np.testing.assert_allclose(got[:16, 32:], coefficients[3][1], atol=1e-13)
    np.testing.assert_allclose(got[16:, 32:], coefficients[3][2], atol=1e-13)
    np.testing.assert_allclose(np.sort(got.ravel()), np.sort(want.ravel()), atol=1e-12)


def test_energy_of_real_signals():
    ecg, camera = pywt.data.ecg().astype(float), pywt.data.camera()[:301, :255].astype(float)
    for x in (ecg, ecg[:1013], camera):
        W = Wavelet(x.shape)
        assert np.linalg.norm(W(x)) == pytest.approx(np.linalg.norm(x), rel=1e-10)
        np.testing.assert_allclose(W.H(W(x)), x, atol=1e-8)


def test_default_level_and_approximation():
    W = Wavelet(1024, "db4")
    assert W.level == pywt.dwt_max_level(1024, 8)
    assert W.approximation == (slice(0, 8),) or W.approximation == (slice(8),)
    ones = Wavelet((13, 20), "haar", 2)
    assert ones.approximation == (slice(4), slice(5))


def test_constant_image_has_no_details_at_even_sizes():
    W = Wavelet((16, 8), "db2", 2)
    c = W(np.ones((16, 8)))
    c[W.approximation] = 0
    np.testing.assert_allclose(c, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        ((8, "bior2.2"), ValueError, "wavelet must be orthogonal, got 'bior2.2'"),
        ((8, "dmey"), ValueError, "wavelet must be orthogonal, got 'dmey'"),
        ((8, "morl"), ValueError, "wavelet must name a discrete wavelet"),
        ((8, "nonsense"), ValueError, "wavelet must name a discrete wavelet.*'nonsense'"),
        ((8, 3), TypeError, "wavelet must be a name"),
        ((8, "haar", 4), ValueError, "level must be at most 3"),
        ((8, "haar", -1), ValueError, "level must be at least 0"),
        ((8, "haar", 1.0), TypeError, "level must be an integer"),
        (((2, 2, 2),), ValueError, "shape must have 1 or 2 axes"),
    ],
)
def test_errors(args, error, match):
    with pytest.raises(error, match=match):
        Wavelet(*args)
