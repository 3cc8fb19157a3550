"""Cross-validation and the rules without folds."""

import numpy as np
import pytest
from helpers import require

from sparseopt import Result, datasets, losses, penalties, solvers


@pytest.fixture(scope="module")
def problem():
    return datasets.ar_regression(90, 120, 0.5, 6, snr=3.0, rng=1)


def test_scores_are_held_out_losses(problem):
    A, y, _ = problem
    y = y + 4.0
    fold = np.arange(90) % 3
    lams = np.array([40.0, 20.0, 8.0])
    result = solvers.lasso_cv(A, y, lams=lams, folds=fold, intercept=True, tol=1e-9)
    for k in range(3):
        train, test = fold != k, fold == k
        for i, lam in enumerate(lams):
            fit = solvers.lasso(A[train], y[train], lam * 60 / 90, intercept=True, tol=1e-9)
            residual = A[test] @ fit.x + fit.intercept - y[test]
            np.testing.assert_allclose(result.scores[i, k], 0.5 * np.mean(residual**2), rtol=1e-5)
    np.testing.assert_allclose(result.mean, result.scores.mean(1))
    np.testing.assert_allclose(
        result.standard_error, np.sqrt(result.scores.var(1, ddof=1) / 3), rtol=1e-12
    )


def test_rules_and_refit(problem):
    A, y, _ = problem
    careful = solvers.lasso_cv(A, y, n_lams=30, rng=0)
    best = solvers.lasso_cv(A, y, n_lams=30, rng=0, rule="best")
    np.testing.assert_array_equal(careful.scores, best.scores)
    assert best.best == np.argmin(best.mean) and best.lam == best.lams[best.best]
    bound = best.mean[best.best] + best.standard_error[best.best]
    i = careful.one_standard_error
    assert careful.lam == careful.lams[i] and i <= careful.best
    assert careful.mean[i] <= bound and np.all(careful.mean[:i] > bound)
    for result in (careful, best):
        single = solvers.lasso(A, y, result.lam)
        np.testing.assert_allclose(result.x, single.x, atol=1e-3)
        assert result.success and result.certificate <= 1e-6
    assert np.count_nonzero(careful.x) <= np.count_nonzero(best.x)
    assert careful.message.startswith("one standard error rule")


def test_folds_seed_and_threads(problem, tmp_path):
    A, y, _ = problem
    one = solvers.lasso_cv(A, y, n_lams=8, folds=4, rng=3)
    two = solvers.lasso_cv(A, y, n_lams=8, folds=4, rng=3, n_jobs=2)
    other = solvers.lasso_cv(A, y, n_lams=8, folds=4, rng=4)
    np.testing.assert_array_equal(one.scores, two.scores)
    assert np.any(one.fold != other.fold)
    assert set(np.bincount(one.fold)) <= {22, 23}
    one.save(tmp_path / "cv.npz")
    again = Result.load(tmp_path / "cv.npz")
    assert isinstance(again, solvers.CrossValidation) and again.lam == one.lam
    np.testing.assert_array_equal(again.scores, one.scores)


def test_logistic_folds_hold_both_classes(problem):
    A, y, _ = problem
    labels = np.where(np.argsort(np.argsort(y)) < 12, "rare", "usual")
    loss = losses.Logistic(A, labels, intercept=True)
    result = solvers.cross_validate(loss, penalties.L1(1.0), n_lams=6, folds=4, rng=0)
    rare = np.bincount(result.fold[labels == "rare"])
    assert rare.tolist() == [3, 3, 3, 3]
    i = 3
    train, test = result.fold != 1, result.fold == 1
    part = train.mean()
    fit = solvers.logistic_l1(A[train], labels[train], result.lams[i] * part, intercept=True)
    sign = np.where(labels[test] == "usual", 1.0, -1.0)
    expected = np.mean(np.log1p(np.exp(-sign * (A[test] @ fit.x + fit.intercept))))
    np.testing.assert_allclose(result.scores[i, 1], expected, rtol=1e-3)


def test_multiclass_and_several_columns(rng):
    A = rng.standard_normal((60, 10))
    loss = losses.Multinomial(A, (A[:, 0] > 0).astype(int) + (A[:, 1] > 0.5))
    result = solvers.cross_validate(
        loss, penalties.L1(1.0), n_lams=3, ratio=0.1, folds=3, rng=0, tol=1e-4
    )
    assert result.scores.shape == (3, 3) and result.best == 2
    assert result.mean[2] < 0.8 * result.mean[0]


def test_sample_weights_scale_the_folds(problem):
    A, y, _ = problem
    doubled = np.concatenate([A, A[:30]]), np.concatenate([y, y[:30]])
    weights = np.repeat([2.0, 1.0], [30, 60])
    fold = np.arange(90) % 3
    lams = [30.0, 10.0]
    a = solvers.lasso_cv(A, y, lams=lams, folds=fold, sample_weights=weights, tol=1e-9)
    b = solvers.lasso_cv(*doubled, lams=lams, folds=np.append(fold, fold[:30]), tol=1e-9)
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-5)


@pytest.mark.extras
def test_against_scikit_learn(problem):
    linear_model = require("sklearn.linear_model")
    A, y, _ = problem
    fold = np.arange(90) % 5
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    ours = solvers.lasso_cv(A, y, n_lams=20, folds=fold, intercept=True, rule="best", tol=1e-8)
    theirs = linear_model.LassoCV(alphas=ours.lams / 90, cv=folds, tol=1e-8, max_iter=100_000)
    theirs.fit(A, y)
    np.testing.assert_allclose(2 * ours.scores, theirs.mse_path_, rtol=1e-4)
    np.testing.assert_allclose(ours.lam / 90, theirs.alpha_)
    np.testing.assert_allclose(ours.x, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept, theirs.intercept_, atol=1e-4)
    ours = solvers.lasso_cv(A, y, n_lams=9, folds=fold, ridge=9.0, rule="best", tol=1e-9)
    for i, lam in enumerate(ours.lams):  # the level of the ridge is that of all the data as well
        ratio = lam / (lam + 9.0)
        model = linear_model.ElasticNet(
            (lam + 9.0) / 90, l1_ratio=ratio, fit_intercept=False, tol=1e-9, max_iter=100_000
        )
        train, test = folds[2]
        miss = model.fit(A[train], y[train]).predict(A[test]) - y[test]
        np.testing.assert_allclose(ours.scores[i, 2], 0.5 * np.mean(miss**2), rtol=1e-4)


BAD = [
    ({"folds": 1}, ValueError, "folds"),
    ({"folds": 10}, ValueError, "folds"),
    ({"folds": 2.0}, TypeError, "folds"),
    ({"folds": [0, 1]}, ValueError, "folds"),
    ({"folds": [0] * 6}, ValueError, "folds"),
    ({"folds": [0.5] * 6}, ValueError, "folds"),
    ({"rule": "first"}, ValueError, "rule"),
    ({"n_jobs": 0}, ValueError, "n_jobs"),
    ({"rng": -1}, ValueError, "rng"),
    ({"lams": [-1.0]}, ValueError, "lams"),
]


@pytest.mark.parametrize(("options", "error", "match"), BAD, ids=str)
def test_bad_input(options, error, match):
    A = np.arange(12.0).reshape(6, 2) ** 0.5
    with pytest.raises(error, match=match):
        solvers.lasso_cv(A, A[:, 1] - 1, **options)


def test_samples_without_weight_do_not_count(problem):
    A, y, _ = problem
    weights = np.ones(90)
    weights[40:] = 0.0
    whole = solvers.lasso_path(A, y, n_lams=9, sample_weights=weights)
    part = solvers.lasso_path(A[:40], y[:40], lams=whole.lams)
    assert whole.samples == 40
    np.testing.assert_allclose(solvers.gcv(whole).curve, solvers.gcv(part).curve, rtol=1e-4)
    np.testing.assert_allclose(solvers.sure(whole, 0.5).curve, solvers.sure(part, 0.5).curve, 1e-3)


def test_folds_that_leave_nothing_to_fit():
    A = np.random.default_rng(0).standard_normal((20, 5))
    loss = losses.Logistic(A, np.arange(20) == 0, intercept=True)
    with pytest.raises(ValueError, match=r"^folds must leave data to fit"):
        solvers.cross_validate(loss, penalties.L1(1.0), n_lams=3, rng=0)


@pytest.mark.filterwarnings("ignore")
def test_overflow_in_a_fold_is_no_interrupt():
    from scipy.sparse import csc_array

    A = np.random.default_rng(0).standard_normal((50, 20))
    large = csc_array(A + 1e9)  # sparse columns are not centred
    with pytest.raises(FloatingPointError, match="not finite"):
        solvers.lasso_cv(large, A[:, 0], lams=[1.0, 0.1], folds=[0, 1] * 25, intercept=True)


def test_bad_losses():
    from scipy.sparse.linalg import aslinearoperator

    operator = losses.LeastSquares(aslinearoperator(np.eye(6)), np.arange(6.0))
    with pytest.raises(TypeError, match="A must be an array"):
        solvers.cross_validate(operator, penalties.L1(1.0))
    with pytest.raises(TypeError, match="loss must be"):
        solvers.cross_validate(losses.Quadratic(np.eye(3), np.ones(3)), penalties.L1(1.0))


@pytest.fixture(scope="module")
def path(problem):
    A, y, _ = problem
    return solvers.lasso_path(A, y)


class TestWithoutFolds:
    def test_discrepancy(self, problem, path):
        A, y, x = problem
        noise = np.linalg.norm(A @ x - y) / np.sqrt(90)
        choice = solvers.discrepancy_principle(path, noise)
        norms = np.linalg.norm(A @ path.x - y[:, None], axis=0)
        np.testing.assert_allclose(choice.curve, norms, rtol=1e-6)
        assert norms[choice.index] <= noise * np.sqrt(90) < norms[choice.index - 1]
        assert choice.lam == path.lams[choice.index]
        with pytest.raises(ValueError, match="noise must be at least"):
            solvers.discrepancy_principle(path, 1e-6)

    def test_sure_is_unbiased(self, rng):
        A, _, x = datasets.ar_regression(40, 60, 0.3, 4, rng=2)
        sigma = 0.7
        misses, estimates = [], []
        for _ in range(60):
            y = A @ x + sigma * rng.standard_normal(40)
            path = solvers.lasso_path(A, y, lams=[30.0, 12.0, 5.0])
            choice = solvers.sure(path, sigma)
            assert choice.index == np.argmin(choice.curve)
            estimates.append(choice.curve)
            misses.append(np.sum((A @ (path.x - x[:, None])) ** 2, axis=0))
        difference = np.array(estimates) - misses
        error = difference.std(0) / np.sqrt(60)
        assert np.all(np.abs(difference.mean(0)) <= 4 * error)
        # The terms of the formula are not small beside what the test can see.
        assert np.all(40 * sigma**2 > 6 * error)

    def test_gcv(self, problem, path):
        A, y, _ = problem
        choice = solvers.gcv(path)
        rss = np.sum((A @ path.x - y[:, None]) ** 2, axis=0)
        size = (path.x != 0).sum(0)
        usable = size < 90
        expected = rss[usable] / 90 / (1 - size[usable] / 90) ** 2
        np.testing.assert_allclose(choice.curve[usable], expected, rtol=1e-6)
        assert choice.index == np.argmin(choice.curve)

    def test_intercept_counts(self, problem):
        A, y, _ = problem
        path = solvers.lasso_path(A, y, n_lams=4, intercept=True)
        np.testing.assert_array_equal(path.freedom, path.support + 1)

    def test_refusals(self, problem, path):
        A, y, _ = problem
        other = solvers.lasso_path(A, y, n_lams=3, ridge=1.0)
        for rule in (solvers.gcv, lambda p: solvers.sure(p, 1.0)):
            with pytest.raises(TypeError, match="degrees of freedom"):
                rule(other)
            with pytest.raises(TypeError, match="path must be a Path"):
                rule(path[0])
        with pytest.raises(ValueError, match="noise"):
            solvers.sure(path, 0.0)
        full = solvers.lasso_path([[1.0]], [1.0], lams=[0.5])
        with pytest.raises(ValueError, match="degrees of freedom"):
            solvers.gcv(full)
