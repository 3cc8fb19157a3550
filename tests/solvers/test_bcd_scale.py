"""Block coordinate descent on columns of any scale, constant columns and very few of them."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import sparseopt as so
from sparseopt import penalties
from sparseopt.losses import Huber, LeastSquares, Logistic, Multinomial, Quadratic
from sparseopt.solvers import bcd


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("select", ["gs", "gsl", "gsd", "gs-q", "gs-r", "gs-s"])
def test_a_heap_of_very_few_scores_is_filled_first(p, select):
    # With one or two coordinates it was read before anything was in it.
    Q = np.diag(np.arange(2.0, p + 2.0)) + np.ones((p, p))
    result = bcd(Quadratic(sp.csr_array(Q), np.ones(p)), select=select, block_size=1, tol=1e-10)
    assert result.success
    np.testing.assert_allclose(result.x, np.linalg.solve(Q, np.ones(p)), atol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", [None, penalties.L1(0.1)])
def test_constant_columns_beside_an_intercept_change_nothing(form, weighted, penalty, rng):
    A, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    options = {"sample_weights": rng.random(30)} if weighted else {}
    constants = np.tile([1e3, 0.1, 1.0 / 3.0, np.pi, 0.0], (30, 1))
    loss = LeastSquares(form(np.hstack([A, constants])), y, intercept=True, **options)
    alone = LeastSquares(A, y, intercept=True, **options)
    np.testing.assert_allclose(loss.coordinate_bounds()[:4], alone.coordinate_bounds(), rtol=1e-12)
    assert not loss.coordinate_bounds()[4:].any()
    best = so.minimize(alone, penalty, tol=1e-10).fun
    for select in ("auto", "cyclic", "random"):
        for size in (1, 3):
            result = bcd(loss, penalty, select=select, block_size=size, rng=0, max_iter=5000)
            assert result.success
            assert result.fun == pytest.approx(best, rel=1e-6)
            assert not result.x[4:].any()


@pytest.mark.parametrize("weighted", [False, True])
def test_large_means_beside_an_intercept_do_not_cancel(weighted, rng):
    A = rng.standard_normal((30, 6))
    options = {"sample_weights": rng.random(30)} if weighted else {}
    near, far = (LeastSquares(M, np.ones(30), intercept=True, **options) for M in (A, A + 1e8))
    np.testing.assert_allclose(far.coordinate_bounds(), near.coordinate_bounds(), rtol=1e-6)
    block = np.arange(4)
    np.testing.assert_allclose(far.block_bound(block), near.block_bound(block), atol=1e-5)
    sparse = LeastSquares(sp.csr_array(A + 1e8), np.ones(30), intercept=True, **options)
    np.testing.assert_allclose(sparse.coordinate_bounds(), near.coordinate_bounds(), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-60, 1e-9, 1e9, 1e60])
@pytest.mark.parametrize("update", ["gradient", "backtracking", "newton", "two-metric", "exact"])
def test_the_scale_of_the_data_does_not_matter(scale, update, rng):
    A, y = rng.standard_normal((30, 8)), rng.standard_normal(30)
    best = so.minimize(LeastSquares(A, y), penalties.L1(0.5), tol=1e-10).fun
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = bcd(
            LeastSquares(scale * A, y), penalties.L1(0.5 * scale), block_size=2, update=update
        )
    assert result.fun == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e3])
@pytest.mark.parametrize("update", ["newton", "cubic", "exact", "matrix"])
def test_the_scale_of_logistic_data_does_not_matter(scale, update, rng):
    A, y = rng.standard_normal((60, 4)), np.arange(60) % 2
    best = so.minimize(Logistic(A, y), tol=1e-9).fun
    result = bcd(Logistic(scale * A, y), block_size=2, update=update)
    assert result.success
    assert result.fun == pytest.approx(best, rel=1e-8)


def test_columns_of_very_different_scale_are_solved_together(rng):
    A, y = rng.standard_normal((30, 8)), rng.standard_normal(30)
    best = 0.5 * np.sum((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2)
    result = bcd(LeastSquares(A * np.logspace(-8, 8, 8), y), block_size=8, tol=1e-4)
    assert result.nit == 1
    assert result.fun == pytest.approx(best, rel=1e-9)


def test_separable_classes_of_a_multinomial_say_so(rng):
    A = rng.standard_normal((30, 8))
    separable = Multinomial(A, A[:, :3].argmax(axis=1))
    result = bcd(separable, block_size=24, tol=1e-3)
    assert result.success
    assert "separable" in result.message
    assert "separable" not in bcd(Multinomial(A, np.arange(30) % 3), block_size=24).message


@pytest.mark.parametrize("delta", [0.1, 1.0])
@pytest.mark.parametrize("update", ["newton", "two-metric", "exact"])
def test_updates_do_not_stick_where_the_loss_is_a_line(delta, update, rng):
    A, y = rng.standard_normal((30, 8)), 10 * rng.standard_normal(30)
    loss, penalty = Huber(A, y, delta), penalties.L1(0.5 * delta)
    best = so.minimize(loss, penalty, tol=1e-9).fun
    result = bcd(loss, penalty, block_size=4, update=update, max_iter=2000)
    assert result.success
    assert result.fun == pytest.approx(best, rel=1e-4)


def test_the_default_block_size_fits_small_problems():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bcd(LeastSquares(np.eye(3), [1.0, 2.0, 3.0])).nit == 1
    with pytest.warns(UserWarning, match="block_size 50 is larger"):
        bcd(LeastSquares(np.eye(3), [1.0, 2.0, 3.0]), block_size=50)
