import numpy as np
import pytest
import pywt

from sparseopt.linop import StationaryWavelet


def peer(x, wavelet, level):
    if x.ndim == 1:
        return np.array(pywt.swt(x, wavelet, level, norm=True, trim_approx=True))
    coarse, *details = pywt.swt2(x, wavelet, level, norm=True, trim_approx=True)
    return np.array([coarse, *(band for triple in details for band in triple)])


@pytest.mark.parametrize("wavelet", ["haar", "db2", "db4", "sym6", "coif2"])
@pytest.mark.parametrize(
    ("shape", "level"),
    [((2,), 1), ((8,), 3), ((24,), 2), ((96,), 5), ((4, 4), 2), ((16, 8), 3), ((12, 20), 2)],
)
@pytest.mark.filterwarnings("ignore:Wavelets that are not orthogonal")
def test_equal_to_pywavelets(shape, level, wavelet):
    rng = np.random.default_rng(0)
    W = StationaryWavelet(shape, wavelet, level)
    x = rng.standard_normal((3, *shape))
    got = W(x)
    for one, c in zip(x, got, strict=True):
        np.testing.assert_allclose(c, peer(one, wavelet, level), atol=1e-12)
    np.testing.assert_allclose(W.H(got), x, atol=1e-10)


@pytest.mark.parametrize("wavelet", ["haar", "db3"])
@pytest.mark.parametrize(("shape", "level"), [(2, 1), (8, 2), ((4, 8), 2), ((2, 2), 1)])
def test_operator(shape, level, wavelet, check_operator):
    W = StationaryWavelet(shape, wavelet, level)
    matrix = check_operator(W)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(W.shape[1]), atol=1e-10)


def test_adjoint_of_arbitrary_coefficients_agrees_with_iswt2():
    rng = np.random.default_rng(0)
    W = StationaryWavelet((16, 32), "db2", 2)
    y = rng.standard_normal(W.out_shape)
    coefficients = [y[0], *(tuple(y[i : i + 3]) for i in (1, 4))]
    np.testing.assert_allclose(W.H(y), pywt.iswt2(coefficients, "db2", norm=True), atol=1e-12)


def test_bands_in_order():
    W = StationaryWavelet((8, 8), "haar", 2)
    assert W.bands == ("a2", "h2", "v2", "d2", "h1", "v1", "d1")
    assert StationaryWavelet(8, "haar", 2).bands == ("a2", "d2", "d1")
    stripes = np.zeros((8, 8))
    stripes[::2] = 1.0  # changes along the first axis only: horizontal edges
    energy = dict(zip(W.bands, (W(stripes) ** 2).sum((1, 2)), strict=True))
    assert energy["h1"] > 1
    assert energy["v1"] == energy["d1"] == 0


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        ((30, "haar", 3), ValueError, r"shape\[0\] must be divis.*= 8, got 30.*32"),
        (((16, 9), "haar", 2), ValueError, r"shape\[1\] must be divisible.*is 12"),
        ((8, "bior2.2"), ValueError, "wavelet must be orthogonal"),
        ((8, None), TypeError, "wavelet must be a name"),
        ((8, "haar", 0), ValueError, "level must be between 1"),
        ((8, "haar", "2"), TypeError, "level must be an integer"),
        (((2, 2, 2), "haar", 1), ValueError, "shape must have 1 or 2 axes"),
    ],
)
def test_errors(args, error, match):
    with pytest.raises(error, match=match):
        StationaryWavelet(*args)
