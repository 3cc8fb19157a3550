"""Random designs follow their recipes; real files are prepared as their description says."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse as sp

from sparseopt.datasets import (
    ar_regression,
    load_regression,
    sparse_classification,
    sparse_multiclass,
    sparse_regression,
)
from sparseopt.datasets._files import FILES
from sparseopt.datasets._regression import _coin_flips

MAKERS = {
    "sparse_regression": lambda rng: sparse_regression(40, 90, rng=rng),
    "sparse_classification": lambda rng: sparse_classification(40, 90, rng=rng),
    "sparse_multiclass": lambda rng: sparse_multiclass(40, 90, 4, rng=rng),
    "ar_regression": lambda rng: ar_regression(40, 90, rng=rng),
}


@pytest.mark.parametrize("name", MAKERS)
def test_same_seed_same_problem(name):
    one, same, other = (MAKERS[name](seed) for seed in (1, np.random.default_rng(1), 2))
    for a, b in zip(one, same, strict=True):
        assert (a != b).sum() == 0
    assert (one.A != other.A).sum() > 0
    assert one.A.shape == (40, 90)
    assert one.y.shape == (40,)


def test_the_sparse_design():
    A, y, x = sparse_regression(2000, 500, rng=0)
    assert sp.issparse(A) and A.format == "csc"
    density = 10 * np.log(2000) / 2000
    assert abs(A.nnz / 1e6 - density) < 5 * np.sqrt(density / 1e6)
    means = np.array([A.data[A.indptr[j] : A.indptr[j + 1]].mean() for j in range(500)])
    spreads = np.array([A.data[A.indptr[j] : A.indptr[j + 1]].std() for j in range(500)])
    # Within a column, entries are s (1 + g): mean and standard deviation are both about |s|.
    assert abs(np.median(np.abs(means) / spreads) - 1.0) < 0.1
    assert abs(spreads.std() / np.hypot(spreads.mean(), spreads.std()) - 0.6) < 0.1  # half-normal
    assert abs(np.sqrt(np.mean(spreads**2)) - 10) < 1.5
    assert abs(np.mean(x != 0) - 0.1) < 0.05
    assert abs(np.std(y - A @ x) - 1.0) < 0.1


def test_shares_at_their_ends():
    full = sparse_regression(30, 20, density=1.0, support=1.0, noise=0.0, rng=0)
    assert full.A.nnz == 600 and (full.x != 0).all()
    np.testing.assert_array_equal(full.y, full.A @ full.x)
    empty = sparse_regression(30, 20, density=0.0, support=0.0, rng=0)
    assert empty.A.nnz == 0 and not empty.x.any()
    assert sparse_regression(1, 1, rng=0).A.nnz == 1


def test_classes():
    A, y, x = sparse_classification(3000, 50, rng=0)
    assert set(y.tolist()) == {-1.0, 1.0}
    assert abs(np.mean(y != np.where(A @ x < 0, -1, 1)) - 0.1) < 0.03
    A, y, x = sparse_classification(300, 50, flip=0.0, rng=0)
    np.testing.assert_array_equal(y, np.where(A @ x < 0, -1, 1))
    assert (sparse_classification(5, 5, density=0.0, flip=1.0, rng=0).y == -1).all()


def test_several_classes():
    A, y, x = sparse_multiclass(200, 30, 7, noise=0.0, rng=0)
    assert x.shape == (30, 7)
    np.testing.assert_array_equal(y, (A @ x).argmax(axis=1))
    assert set(y.tolist()) == set(range(7))
    assert not np.array_equal(sparse_multiclass(200, 30, 7, noise=500.0, rng=0).y, y)


@pytest.mark.parametrize("rho", [0.0, 0.6, -0.5, 0.95])
def test_neighbouring_columns_are_correlated(rho):
    A = ar_regression(20_000, 6, rho, rng=1).A
    i = np.arange(6)
    covariance = rho ** np.abs(i - i[:, None], dtype=float)
    np.testing.assert_allclose(A.T @ A / 20_000, covariance, atol=0.05)
    assert A.flags.f_contiguous


def test_signal_and_noise():
    A, y, x = ar_regression(50, 200, k=7, snr=3.0, rng=0)
    assert (x != 0).sum() == 7
    assert np.linalg.norm(A @ x) == pytest.approx(3.0 * np.linalg.norm(y - A @ x))
    A, y, x = ar_regression(50, 200, snr=np.inf, rng=0)
    assert (x != 0).sum() == 4
    np.testing.assert_array_equal(y, A @ x)
    assert ar_regression(3, 1, k=0, rng=0).y.tolist() == [0, 0, 0]


def test_coin_flips_are_independent_and_of_the_right_frequency():
    rng = np.random.default_rng(0)
    counts = np.zeros(20)
    pairs = 0
    for _ in range(4000):
        at = _coin_flips(20, 0.3, rng)
        assert (np.diff(at) > 0).all()
        counts[at] += 1
        pairs += {3, 4} <= set(at.tolist())
    np.testing.assert_allclose(counts / 4000, 0.3, atol=0.04)
    assert abs(pairs / 4000 - 0.09) < 0.02
    assert _coin_flips(10**9, 1e-9, rng).size < 20
    np.testing.assert_array_equal(_coin_flips(5, 1.0, rng), np.arange(5))


BAD = [
    ("m", lambda: sparse_regression(0, 3), ValueError, "^m must be at least 1"),
    ("n", lambda: sparse_regression(3, 0), ValueError, "^n must be at least 1"),
    ("density", lambda: sparse_regression(3, 3, density=1.5), ValueError, "^density must be <= 1"),
    ("support", lambda: sparse_regression(3, 3, support=-1), ValueError, "^support must be >= 0"),
    ("noise", lambda: sparse_regression(3, 3, noise=-1), ValueError, "^noise must be >= 0"),
    ("flip", lambda: sparse_classification(3, 3, flip=2), ValueError, "^flip must be <= 1"),
    ("classes", lambda: sparse_multiclass(3, 3, 0), ValueError, "^classes must be at least 1"),
    ("rho", lambda: ar_regression(3, 3, 1.0), ValueError, "^rho must be between"),
    ("rho low", lambda: ar_regression(3, 3, -1.0), ValueError, "^rho must be >"),
    ("k", lambda: ar_regression(3, 3, k=4), ValueError, "^k must be between 0 and 3"),
    ("snr", lambda: ar_regression(3, 3, snr=0), ValueError, "^snr must be > 0"),
    ("rng", lambda: ar_regression(3, 3, rng=1.5), TypeError, "^rng must"),
    ("name", lambda: load_regression("boston"), ValueError, "^name must be one of"),
    ("labels", lambda: load_regression("riboflavin", labels=True), ValueError, "^labels must"),
]


@pytest.mark.parametrize(("call", "error", "match"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_without_the_files(monkeypatch, tmp_path):
    monkeypatch.delenv("SPARSEOPT_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="set the environment variable SPARSEOPT_DATA"):
        load_regression("leukemia")
    monkeypatch.setenv("SPARSEOPT_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no file .*leukemia_allaml\.npz"):
        load_regression("leukemia")


def test_files_of_a_made_up_folder(monkeypatch, tmp_path, rng):
    """What preparation does, on small files of the same form, with constant columns."""
    folder = tmp_path / "regression"
    folder.mkdir()
    X = rng.standard_normal((6, 4)).astype(np.float32)
    X[:, 2] = 0.1
    y = np.array([1, -1, 1, 1, -1, 1], np.int8)
    np.savez(folder / "leukemia_allaml.npz", X=X, y=y)
    counts = sp.csr_array(np.array([[0, 3, 0], [2, 0, 0], [5, 1, 0]], np.uint8))
    indices, shape = counts.indices.astype(np.int16), np.array(counts.shape)
    parts = {"data": counts.data, "indices": indices, "indptr": counts.indptr, "shape": shape}
    np.savez(folder / "pcmac.npz", y=y[:3], **parts)
    monkeypatch.setenv("SPARSEOPT_DATA", str(tmp_path))

    A, z = load_regression("leukemia")
    np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((A**2).mean(axis=0), [1, 1, 0, 1])
    assert not A[:, 2].any()
    assert (z.mean(), z.std()) == pytest.approx((0, 1))
    np.testing.assert_array_equal(load_regression("leukemia", labels=True)[1], y)
    raw, as_filed = load_regression("leukemia", prepared=False)
    np.testing.assert_array_equal(raw, X)
    np.testing.assert_array_equal(as_filed, y)

    A, z = load_regression("pcmac")
    logs = np.log1p(counts.toarray().astype(float))
    scale = np.sqrt((logs**2).mean(axis=0))
    np.testing.assert_allclose(A.toarray(), logs / np.where(scale > 0, scale, 1), rtol=1e-14)
    np.testing.assert_array_equal(z, y[:3])
    np.testing.assert_array_equal(
        load_regression("pcmac", prepared=False)[0].toarray(), counts.toarray()
    )


SHAPES = {
    "basehock": (1993, 4862),
    "colon": (62, 2000),
    "leukemia": (72, 7129),
    "leukemia_discrete": (72, 7070),
    "pcmac": (1943, 3289),
    "relathe": (1427, 4322),
    "riboflavin": (71, 4088),
}


@pytest.mark.data
@pytest.mark.parametrize("name", SHAPES)
def test_real_files(name):
    root = os.environ.get("SPARSEOPT_DATA")
    if not root or not Path(root, "regression", f"{FILES[name]}.npz").is_file():
        pytest.skip("needs SPARSEOPT_DATA")
    A, y = load_regression(name)
    assert A.shape == SHAPES[name]
    assert y.shape == A.shape[:1]
    square = (A.power(2) if sp.issparse(A) else A**2).mean(axis=0)
    np.testing.assert_allclose(square[square > 0], 1.0, rtol=1e-10)
    if not sp.issparse(A):
        np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-12)
        assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-12)
    if name != "riboflavin":
        assert set(load_regression(name, labels=True)[1].tolist()) == {-1.0, 1.0}
