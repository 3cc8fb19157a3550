"""Operators on singular values: nuclear norm, Schatten quasi-norms, rank."""

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import prox

STEPS = [0.1, 0.7, 1.0, 5.0]


def nuclear_value(x):
    return np.linalg.svd(x, compute_uv=False).sum()


def matrices(rng, count, shape=(4, 3)):
    """Random matrices, some of them of low rank, with equal singular values, or zero."""
    v = rng.standard_normal((count, *shape)) * np.exp(rng.uniform(-1, 2, (count, 1, 1)))
    v[: count // 5, :, -1] = v[: count // 5, :, 0]
    v[0] = 0.0
    v[1] = np.eye(*shape)
    return v


def test_nuclear_has_no_duality_gap(rng):
    for step in STEPS:
        for v in matrices(rng, 110):
            x = prox.nuclear(v, 0.8, step=step)
            rest = v - x
            rest *= min(1.0, 0.8 * step / max(np.linalg.norm(rest, 2), 1e-300))
            primal = 0.5 * np.sum((x - v) ** 2) + 0.8 * step * nuclear_value(x)
            dual = 0.5 * np.sum(v**2) - 0.5 * np.sum((v - rest) ** 2)
            assert (primal - dual) / (1 + primal) < 1e-12


@pytest.mark.extras
def test_cvxpy(rng):
    cp = require("cvxpy")
    x, v = cp.Variable((4, 3)), cp.Parameter((4, 3))
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.8 * cp.normNuc(x)))
    for value in matrices(rng, 6):
        v.value = value
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)
        np.testing.assert_allclose(prox.nuclear(value, 0.8), x.value, atol=1e-6)


entries = st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=12)


@given(v=entries, w=entries, lam=st.floats(0, 1e3))
def test_firm_nonexpansiveness_and_moreau(v, w, lam):
    v, w = np.reshape(v, (4, 3)), np.reshape(w, (4, 3))
    x = prox.nuclear(v, lam)
    d = x - prox.nuclear(w, lam)
    size = max(np.sum(v * v), np.sum(w * w))
    assert np.sum(d * d) <= np.sum(d * (v - w)) + 1e-11 * size
    assert np.linalg.norm(v - x, 2) <= lam + 1e-10 * (1 + size**0.5)


LIFTS = {
    "schatten 0.5": (lambda v, step: prox.schatten(v, 0.8, 0.5, step=step), lambda s: 0.8 * s**0.5),
    "schatten 0.3": (lambda v, step: prox.schatten(v, 0.8, 0.3, step=step), lambda s: 0.8 * s**0.3),
    "rank": (lambda v, step: prox.rank(v, 0.8, step=step), lambda s: 0.8 * (s > 0)),
    "schatten 0": (lambda v, step: prox.schatten(v, 0.8, 0.0, step=step), lambda s: 0.8 * (s > 0)),
    "nuclear": (lambda v, step: prox.nuclear(v, 0.8, step=step), lambda s: 0.8 * s),
}


@pytest.mark.parametrize("name", LIFTS)
def test_lifts_against_a_grid(name, rng):
    """With known singular vectors the problem falls apart into one for each singular value."""
    function, value = LIFTS[name]
    for step in STEPS:
        for _ in range(35):
            u = np.linalg.qr(rng.standard_normal((4, 3)))[0]
            w = np.linalg.qr(rng.standard_normal((3, 3)))[0]
            sigma = np.abs(rng.standard_normal(3)) * (1 + step)
            x = function((u * sigma) @ w.T, step)
            kept = np.diag(u.T @ x @ w)
            np.testing.assert_allclose((u * kept) @ w.T, x, atol=1e-12 * (1 + sigma.max()))
            kept = np.where(kept < 1e-12, 0.0, kept)
            found = 0.5 * (kept - sigma) ** 2 + step * value(kept)
            grid = sigma[:, None] * np.linspace(0, 1, 5001)
            width = sigma[:, None] / 5000
            for _ in range(2):
                cost = 0.5 * (grid - sigma[:, None]) ** 2 + step * value(grid)
                best = cost.min(axis=1)
                centre = np.take_along_axis(grid, cost.argmin(axis=1)[:, None], 1)
                grid = np.clip(centre + width * np.linspace(-1, 1, 401), 0, sigma[:, None])
                width = width / 200
            assert np.max(found - best) < 1e-6


def test_project_rank_is_the_nearest(rng):
    """Eckart and Young, and no descent from there by alternating least squares."""
    for v in matrices(rng, 100):
        sigma = np.linalg.svd(v, compute_uv=False)
        for k in range(4):
            x = prox.project_rank(v, k)
            assert np.linalg.matrix_rank(x, tol=1e-10 * (1 + sigma[0])) <= k
            distance = np.sum((x - v) ** 2)
            assert distance == pytest.approx(
                np.sum(sigma[k:] ** 2), abs=1e-12 * (1 + sigma[0] ** 2)
            )
            if k:
                left = rng.standard_normal((4, k))
                for _ in range(20):
                    right = np.linalg.lstsq(left, v, rcond=None)[0]
                    left = np.linalg.lstsq(right.T, v.T, rcond=None)[0].T
                assert distance <= np.sum((left @ right - v) ** 2) + 1e-10


def test_nuclear_with_a_rank_budget(rng):
    v = rng.standard_normal((60, 50))
    u, sigma, vt = np.linalg.svd(v, full_matrices=False)
    for rank in (0, 1, 4, 5, 20, 50):  # below a tenth of the short side: truncated
        expected = (u[:, :rank] * np.maximum(sigma[:rank] - 2, 0)) @ vt[:rank]
        np.testing.assert_allclose(prox.nuclear(v, 2.0, rank=rank), expected, atol=1e-10)
        kept = (u[:, :rank] * sigma[:rank]) @ vt[:rank]
        np.testing.assert_allclose(prox.project_rank(v, rank), kept, atol=1e-10)
    np.testing.assert_array_equal(prox.project_rank(v, 2), prox.project_rank(v, 2))
    assert prox.project_rank(v.astype(np.float32), 2).dtype == np.float32


FUNCTIONS = {
    "nuclear": lambda v: prox.nuclear(v, 0.8),
    "schatten": lambda v: prox.schatten(v, 0.8, 0.5),
    "rank": lambda v: prox.rank(v, 0.8),
    "project_rank": lambda v: prox.project_rank(v, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_stacks_dtypes_and_shapes(name, rng):
    call = FUNCTIONS[name]
    v = rng.standard_normal((2, 3, 5, 4))
    before = v.copy()
    x = call(v)
    for i in range(2):
        np.testing.assert_allclose(x[i], [call(m) for m in v[i]], rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(v, before)
    transposed = call(np.swapaxes(v, -1, -2))
    np.testing.assert_allclose(transposed, np.swapaxes(x, -1, -2), atol=1e-12)
    single = call(v.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, x, rtol=1e-4, atol=1e-5)
    z = v * np.exp(0.7j)
    np.testing.assert_allclose(call(z), x * np.exp(0.7j), atol=1e-12)
    assert call(z.astype(np.complex64)).dtype == np.complex64
    np.testing.assert_array_equal(call(np.zeros((3, 2))), np.zeros((3, 2)))
    for shape in ((2, 0, 3), (0, 3, 2)):
        if name != "project_rank" or 0 not in shape[1:]:
            assert call(np.zeros(shape)).shape == shape
    assert call([[2, 0], [0, 1]]).dtype == np.float64


def test_special_cases(rng):
    v = rng.standard_normal((4, 3))
    np.testing.assert_allclose(prox.nuclear(v, 0.0), v, atol=1e-14)
    np.testing.assert_allclose(prox.schatten(v, 0.7, 1.0), prox.nuclear(v, 0.7), atol=1e-14)
    np.testing.assert_allclose(prox.schatten(v, 0.7, 0.0), prox.rank(v, 0.7), atol=1e-14)
    assert not prox.nuclear(v, np.inf).any()
    assert not prox.rank(v, np.inf).any()
    assert not prox.rank(np.diag([2.0, 2.0]), 2.0).any()  # a tie
    column = rng.standard_normal((6, 1))
    np.testing.assert_allclose(prox.nuclear(column, 0.7), prox.l2(column, 0.7), rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: prox.nuclear([1.0, 2.0], 1.0), ValueError, r"v must have shape \(..., m, n\)"),
        (lambda: prox.nuclear([[1.0, np.nan]], 1.0), ValueError, "v must be finite"),
        (lambda: prox.nuclear([[1.0, np.inf]], 1.0), ValueError, "v must be finite"),
        (lambda: prox.nuclear([[1.0]], -1.0), ValueError, "lam"),
        (lambda: prox.nuclear([[1.0]], [1.0, 2.0]), ValueError, "lam"),
        (lambda: prox.nuclear([[1.0]], 1.0, step=0.0), ValueError, "step"),
        (lambda: prox.nuclear([[1.0]], 1.0, rank=2), ValueError, "rank must be between 0 and 1"),
        (lambda: prox.nuclear([[1.0]], 1.0, rank=1.0), TypeError, "rank must be an integer"),
        (lambda: prox.schatten([[1.0]], 1.0, 2.0), ValueError, "q"),
        (lambda: prox.schatten([[1.0]], np.inf, 0.5), ValueError, "lam"),
        (lambda: prox.rank([[1.0]], -1.0), ValueError, "lam"),
        (lambda: prox.rank([[np.nan]], 1.0), ValueError, "v must be finite"),
        (lambda: prox.project_rank([[1.0]], 2), ValueError, "k must be between 0 and 1"),
        (lambda: prox.project_rank([[1.0]], -1), ValueError, "k"),
        (lambda: prox.project_rank([[1.0]], 0.5), TypeError, "k must be an integer"),
        (lambda: prox.project_rank([["a"]], 1), TypeError, "v must be"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch(name, rng):
    torch = require("torch")
    call = FUNCTIONS[name]
    v = rng.standard_normal((2, 5, 4)) * 2
    for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 1e-6)]:
        expected = call(v.astype(np.float64 if dtype == torch.float64 else np.float32))
        for grad in (False, True):
            w = torch.tensor(v, dtype=dtype, requires_grad=grad)
            x = call(w)
            assert x.dtype == dtype
            assert x.requires_grad == grad
            np.testing.assert_allclose(x.detach().numpy(), expected, rtol=10 * tol, atol=10 * tol)
    assert torch.autograd.gradcheck(call, (torch.tensor(v, requires_grad=True),))
    z = torch.tensor(v * np.exp(0.7j))
    np.testing.assert_allclose(call(z), call(v * np.exp(0.7j)), rtol=1e-11, atol=1e-12)
    for grad in (False, True):
        with pytest.raises(ValueError, match="v must be finite"):
            call(torch.full((2, 3), np.nan, requires_grad=grad))
