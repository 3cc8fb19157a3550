"""Large column means beside an intercept, and paths that keep their proofs."""

import numpy as np
import pytest
from certificates import certify, null_value

from sparseopt import losses, penalties, solvers


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
def test_an_intercept_takes_up_any_mean(rng, offset):
    A = rng.standard_normal((50, 20))
    y = A[:, 3] - 2 * A[:, 4] + 0.1 * rng.standard_normal(50)
    plain = solvers.lasso(A, y, 0.5, intercept=True)
    moved = solvers.lasso(A + offset, y, 0.5, intercept=True)
    assert moved.success
    np.testing.assert_allclose(moved.x, plain.x, atol=1e-6 + 1e-13 * offset)
    expected = plain.intercept - offset * plain.x.sum()
    assert moved.intercept == pytest.approx(expected, rel=1e-6, abs=1e-6)
    groups = np.arange(20) // 2
    assert solvers.group_lasso(A + offset, y, 0.5, groups, intercept=True).success
    classes = solvers.logistic_l1(A + offset, y > 0, 0.5, intercept=True)
    np.testing.assert_allclose(
        classes.x, solvers.logistic_l1(A, y > 0, 0.5, intercept=True).x, atol=1e-3
    )


@pytest.mark.parametrize("penalty", [penalties.L0(1.0), penalties.Lq(1.0, 0.5)])
def test_penalties_that_hold_zero_for_ever_are_refused(rng, penalty):
    loss = losses.LeastSquares(rng.standard_normal((8, 5)), rng.standard_normal(8))
    with pytest.raises(ValueError, match="finite slope at zero"):
        solvers.working_set(loss, penalty)


def test_every_level_of_a_path_keeps_its_dual_point(rng):
    A, y = rng.standard_normal((30, 60)), rng.standard_normal(30)
    path = solvers.lasso_path(A, y, n_lams=6)
    for lam, fit in zip(path.lams, path, strict=True):
        gap = certify(A, y, fit, lam) / null_value(y)
        assert gap == pytest.approx(fit.certificate, abs=1e-9)
        assert gap <= 1e-6
    assert solvers.lasso_cv(A, y, n_lams=6).dual is not None


def test_screened_paths_are_those_of_all_columns(monkeypatch):
    from sparseopt.solvers import _continuation

    rng = np.random.default_rng(3)
    A = rng.standard_normal((40, 800))
    y = A[:, :3].sum(1) + 0.1 * rng.standard_normal(40)
    plain = solvers.lasso_path(A, y, n_lams=20, tol=1e-9)
    monkeypatch.setattr(_continuation, "_MANY", 0)
    screened = solvers.lasso_path(A, y, n_lams=20, tol=1e-9)
    np.testing.assert_allclose(screened.x, plain.x, atol=1e-5)
    assert np.all(screened.certificate <= 1e-9)
