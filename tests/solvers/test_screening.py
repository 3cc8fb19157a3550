"""Gap-safe screening discards nothing that belongs to the solution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sparseopt import datasets, losses, penalties, solvers
from sparseopt.solvers._screening import Screening
from sparseopt.solvers._working_set_method import WorkingSet


def screened(loss, penalty, x):
    """What the gap at ``x`` leaves."""
    method = WorkingSet(loss, penalty, 1e-12)
    point = method.first(x)
    scale, value = method.problem.dual(loss.gradient_at(point.z), point.gradient)
    gap = point.fun - value
    screening = Screening(loss, method.design)
    return screening.survivors(point.gradient, scale, gap, method.coordinates)


@pytest.mark.parametrize("form", ["dense", "C order", "sparse"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", ["lasso", "weighted", "positive", "ridge", "logistic", "huber"])
def test_no_wrong_discards(kind, intercept, form):
    A, y, _ = datasets.ar_regression(40, 120, 0.5, 6, snr=4.0, rng=5)
    given = {"dense": A, "C order": np.ascontiguousarray(A), "sparse": sparse.csc_array(A)}[form]
    weights = np.linspace(0.2, 3.0, 40) if kind == "weighted" else None
    options = {"intercept": intercept, "sample_weights": weights}
    if kind == "logistic":
        loss = losses.Logistic(given, y > 0, **options)
    elif kind == "huber":
        loss = losses.Huber(given, y, 2.0, **options)
    else:
        loss = losses.LeastSquares(given, y, **options)
    level = 0.2 * solvers.lam_max(loss, penalties.L1(1.0))
    penalty = penalties.NonnegativeL1(level) if kind == "positive" else penalties.L1(level)
    if kind == "ridge":
        penalty = penalties.ElasticNet(level, 0.1 * level)
    exact = solvers.working_set(loss, penalty, tol=1e-13).x
    support = np.flatnonzero(np.abs(exact) > 1e-9)
    assert support.size > 2
    sizes = []
    for part in (0.9, 0.99, 0.999, 0.9999):
        left = screened(loss, penalty, part * exact)
        assert np.isin(support, left).all()
        sizes.append(left.size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 60  # half of them at least are known to be zero


@given(st.integers(0, 10_000), st.integers(2, 15), st.integers(2, 25), st.booleans())
def test_no_wrong_discards_at_random_points(seed, m, n, intercept):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n)) * rng.exponential(1.0, n)
    loss = losses.LeastSquares(A, rng.standard_normal(m) + 1, intercept=intercept)
    penalty = penalties.L1(rng.uniform(0.02, 0.9) * solvers.lam_max(loss, penalties.L1(1.0)))
    exact = solvers.working_set(loss, penalty, tol=1e-13).x
    start = exact + rng.standard_normal(n) * 10.0 ** rng.uniform(-8, 0) * (rng.random(n) < 0.3)
    assert np.isin(np.flatnonzero(np.abs(exact) > 1e-7), screened(loss, penalty, start)).all()


@pytest.mark.parametrize("form", ["dense", "C order", "sparse"])
def test_the_same_answer_certified_against_all_coordinates(form, monkeypatch):
    A, y, _ = datasets.ar_regression(200, 2000, 0.6, 40, snr=5.0, rng=1)
    given = {"dense": A, "C order": np.ascontiguousarray(A), "sparse": sparse.csc_array(A)}[form]
    lam = 0.3 * np.abs(A.T @ y).max()
    monkeypatch.setattr(WorkingSet, "first_size", 1 if form == "sparse" else 5)  # many steps
    plain = solvers.lasso(given, y, lam, tol=1e-10)
    monkeypatch.setattr(WorkingSet, "screens", True)
    parts = []
    product = WorkingSet._screen

    def spy(self, point, u):
        product(self, point, u)
        parts.append(point.survivors)

    monkeypatch.setattr(WorkingSet, "_screen", spy)
    result = solvers.lasso(given, y, lam, tol=1e-10)
    assert any(part is not None and part.size <= 500 for part in parts)
    np.testing.assert_allclose(result.x, plain.x, atol=1e-7)
    gradient = A.T @ result.dual
    assert np.abs(gradient).max() <= lam * (1 + 1e-9)
    r = result.dual
    gap = result.fun - (0.5 * y @ y - 0.5 * np.sum((y - r) ** 2))
    assert gap <= 1.1e-10 * 0.5 * y @ y


def test_coordinates_fixed_to_zero_are_out():
    A, y, _ = datasets.ar_regression(20, 30, 0.5, 4, rng=0)
    levels = np.where(np.arange(30) < 10, np.inf, 1.0)
    left = screened(losses.LeastSquares(A, y), penalties.L1(levels), np.zeros(30))
    assert not np.isin(np.arange(10), left).any()
