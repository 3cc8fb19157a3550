"""Sinkhorn-Newton-Sparse as published: what it does, and where its rule fails."""

import functools
import warnings

import numpy as np
import pytest
from entropic_tasks import random_task
from helpers import require

from sparseopt import ConvergenceWarning, transport
from sparseopt.datasets import transport_assignment, transport_clouds, transport_digits
from sparseopt.transport._newton_sparse import _Newton
from sparseopt.transport._problem import check_problem

log_sinkhorn = functools.partial(transport.entropic, method="log-sinkhorn", tol=1e-10)
newton_sparse = functools.partial(transport.entropic, method="newton-sparse", tol=1e-10)


def test_derivatives_by_differences():
    C, a, b = random_task(0, 4, 3)
    newton = _Newton(check_problem(C, a, b), 0.2, 12, 1e-12)
    z = np.random.default_rng(1).standard_normal(7) * 0.1

    def at(z):
        return newton.at(z[:4], z[4:], 1.0, 0)

    def gradient(z):
        P = at(z).plan
        return np.concatenate([a - P.sum(axis=1), b - P.sum(axis=0)])

    h = 1e-6 * np.eye(7)
    slopes = [(at(z + e).fun - at(z - e).fun) / 2e-6 for e in h]
    np.testing.assert_allclose(slopes, gradient(z), atol=1e-8)
    P = at(z).plan
    H = np.block([[np.diag(P.sum(axis=1)), P], [P.T, np.diag(P.sum(axis=0))]])
    hessian = np.array([(gradient(z + e) - gradient(z - e)) / 2e-6 for e in h])
    np.testing.assert_allclose(hessian, -H / 0.2, atol=1e-8)
    np.testing.assert_allclose(H @ np.array([1.0] * 4 + [-1.0] * 3), 0.0, atol=1e-14)
    direction, _ = newton._direction(P, np.diag(H), gradient(z))
    np.testing.assert_allclose(H @ direction, 0.2 * gradient(z), atol=1e-9)


def test_the_model_keeps_the_largest_entries_and_full_sums():
    P = np.array([[0.3, 0.02, 0.01], [0.04, 0.5, 0.03]])
    sums = np.concatenate([P.sum(axis=1), P.sum(axis=0)])
    kept = np.where(P >= 0.04, P, 0.0)
    H = np.block([[np.diag(sums[:2]), kept], [kept.T, np.diag(sums[2:])]])
    newton = _Newton(check_problem(P, None, None), 1.0, 3, 1e-12)
    gradient = np.array([0.1, -0.2, 0.3, 0.05, -0.25])
    direction, products = newton._direction(P, sums, gradient)
    np.testing.assert_allclose(direction, np.linalg.solve(H, gradient), rtol=1e-9)
    assert 1 <= products <= 6


def test_assignment_of_the_paper():
    C = transport_assignment(500).C
    result = newton_sparse(C, None, None, 1 / 1200, tol=1e-12, density=15 / 500)
    newton = result.history["phase"] == 1.0
    assert np.flatnonzero(newton)[0] == 21  # the start, then 20 sweeps
    assert newton.sum() <= 12
    assert result.history["linear"].sum() > 1000
    sweeps = log_sinkhorn(C, None, None, 1 / 1200, tol=1e-5, omega=1.0)
    assert sweeps.nit > 20 * newton.sum()
    # super-exponential at the end: each error is far below the one before
    error = result.history["certificate"][newton][-3:]
    assert np.all(error[1:] < 0.1 * error[:-1])
    assert error[2] / error[1] < error[1] / error[0]


@pytest.mark.slow
def test_the_published_density_takes_longer():
    C = transport_assignment(500).C
    result = newton_sparse(C, None, None, 1 / 1200, tol=1e-12)
    assert result.success
    assert 20 <= (result.history["phase"] == 1.0).sum() <= 120


@pytest.mark.extras
def test_the_published_density_fails_on_images():
    require("sklearn.datasets")
    require("sklearn")
    C, a, b, *_ = transport_digits()
    with pytest.warns(ConvergenceWarning):
        result = newton_sparse(C, a, b, 1 / 1200, tol=1e-9, max_iter=100)
    assert not result.success
    assert result.certificate > 1e-3


def test_a_refused_step_ends_the_run_and_says_so():
    C = transport_clouds(30).C
    with pytest.warns(ConvergenceWarning, match="line search|max_iter"):
        result = newton_sparse(C, None, None, 1e-4, max_iter=60, N1=5, density=1 / 900)
    assert not result.success
    assert np.isfinite(result.plan).all()
    assert result.certificate == pytest.approx(result.marginal_error, rel=1e-6)


@pytest.mark.parametrize("N1", [0, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 1), (12, 5), (5, 12)])
def test_equals_sinkhorn(shape, N1):
    C, a, b = random_task(2, *shape, mass=3.0)
    ours = newton_sparse(C, a, b, 0.1, tol=1e-12, N1=N1, density=1.0)
    plain = log_sinkhorn(C, a, b, 0.1, tol=1e-12)
    np.testing.assert_allclose(ours.plan, plain.plan, atol=1e-11)
    assert ours.success
    assert np.all(np.diff(ours.history["fun"]) >= -1e-14)


def test_forbidden_pairs_and_zero_atoms():
    C, a, b = random_task(3, 8, 8)
    C[np.arange(8), np.arange(8)] = np.inf
    a[2] = b[5] = 0.0
    b *= a.sum() / b.sum()
    ours = newton_sparse(C, a, b, 0.1, tol=1e-11, density=1.0)
    plain = log_sinkhorn(C, a, b, 0.1, tol=1e-11)
    np.testing.assert_allclose(ours.plan, plain.plan, atol=1e-10)


def test_warm_start():
    C, a, b = random_task(4, 10, 9)
    first = newton_sparse(C, a, b, 0.05, density=0.5)
    again = newton_sparse(C, a, b, 0.05, x0=first, tol=2e-10, density=0.5)
    assert again.nit == 0


@pytest.mark.parametrize(
    ("own", "error", "match"),
    [
        ({"N1": -1}, ValueError, "N1"),
        ({"N1": 2.5}, TypeError, "N1"),
        ({"density": 0.0}, ValueError, "density"),
        ({"density": np.nan}, ValueError, "density"),
        ({"rtol": -1.0}, ValueError, "rtol"),
    ],
)
def test_bad_input(own, error, match):
    with pytest.raises(error, match=match):
        newton_sparse(np.eye(3), None, None, 0.1, **own)


def test_a_breakdown_of_conjugate_gradients_is_no_warning():
    C = [[0.6307144158739043, 0.9808107022244528], [0.42340517235975605, 0.11240308334734228]]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        for eps in (6.669494075292057e-05, 1e-4, 2e-4, 1e-3):
            newton_sparse(C, [3 / 7, 4 / 7], [0.5, 0.5], eps, max_iter=300)
            newton_sparse(C, [0.3, 0.7], [0.6, 0.4], eps, max_iter=300)
