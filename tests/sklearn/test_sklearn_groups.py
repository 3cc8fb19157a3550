"""GroupLasso and MultiTaskLasso against optimality conditions and scikit-learn."""

import numpy as np
import pytest
from helpers import require
from scipy.sparse import csr_array

import sparseopt as so

pytestmark = pytest.mark.extras

SIZES = [1, 4, 5, 10, 20]
VARIED = [0.5, 1.0, 2.0, 3.0, 4.0]
LABELS = np.repeat(np.arange(5), SIZES)


@pytest.fixture(autouse=True)
def linear():
    return require("sklearn.linear_model")


@pytest.fixture
def data(rng):
    """A design with means, its sparse part, two targets and weights of which some are zero."""
    X = rng.standard_normal((60, 40)) + rng.standard_normal(40)
    X[np.abs(X) < 0.8] = 0.0
    Y = X[:, :3] @ rng.standard_normal((3, 2)) + rng.standard_normal((60, 2)) + [7.0, -1.0]
    weights = rng.integers(0, 4, 60)
    return X, Y, weights


@pytest.mark.parametrize("name", ["GroupLasso", "MultiTaskLasso"])
def test_checks_of_scikit_learn(name):
    checks = require("sklearn.utils.estimator_checks")
    model = getattr(so.sklearn, name)()
    results = checks.check_estimator(model, on_fail=None, on_skip=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 50


@pytest.mark.parametrize(
    ("weights", "levels"), [(None, np.sqrt(SIZES)), (VARIED, VARIED)], ids=["sqrt", "given"]
)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_group_lasso_is_optimal(data, weights, levels, sparse, intercept, weighted):
    X, Y, samples = data
    y = Y[:, 0]
    shares = samples / samples.sum() if weighted else np.full(60, 1 / 60)
    alpha = 0.3
    model = so.sklearn.GroupLasso(
        LABELS, alpha, weights=weights, fit_intercept=intercept, tol=1e-12
    )
    model.fit(csr_array(X) if sparse else X, y, samples if weighted else None)
    slopes = X.T @ (shares * (y - X @ model.coef_ - model.intercept_))
    if intercept:
        assert shares @ (y - model.predict(X)) == pytest.approx(0.0, abs=1e-9)
    else:
        assert np.all(model.intercept_ == 0.0)
    used = 0
    for g in range(5):
        coef, slope = model.coef_[g == LABELS], slopes[g == LABELS]
        if coef.any():
            used += 1
            expected = alpha * levels[g] * coef / np.linalg.norm(coef)
            np.testing.assert_allclose(slope, expected, atol=1e-4)
        else:
            assert np.linalg.norm(slope) <= alpha * levels[g] * (1 + 1e-6)
    assert used > 0


def test_ways_to_give_groups(data):
    X, Y, _ = data
    y = Y[:, 0]
    size = so.sklearn.GroupLasso(7, 0.2).fit(X, y).coef_  # the last group has 5 features
    labels = so.sklearn.GroupLasso(np.arange(40) // 7, 0.2).fit(X, y).coef_
    lists = [np.arange(start, min(start + 7, 40)) for start in range(0, 40, 7)]
    np.testing.assert_array_equal(size, labels)
    np.testing.assert_array_equal(size, so.sklearn.GroupLasso(lists, 0.2).fit(X, y).coef_)


def test_groups_of_one_are_the_lasso(linear, data):
    X, Y, _ = data
    ours = so.sklearn.GroupLasso(alpha=0.1, tol=1e-13).fit(X, Y[:, 0])
    theirs = linear.Lasso(0.1, tol=1e-14, max_iter=100_000).fit(X, Y[:, 0])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("intercept", [False, True])
def test_multitask_lasso_agrees(linear, data, intercept):
    X, Y, _ = data
    shared = {"alpha": 0.3, "fit_intercept": intercept}
    ours = so.sklearn.MultiTaskLasso(**shared, tol=1e-13).fit(X, Y)
    theirs = linear.MultiTaskLasso(**shared, tol=1e-14, max_iter=100_000).fit(X, Y)
    assert ours.coef_.shape == (2, 40)
    assert 0 < np.count_nonzero(ours.coef_.any(axis=0)) < 40
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_ * np.ones(2), atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
    sparse = so.sklearn.MultiTaskLasso(**shared, tol=1e-13).fit(csr_array(X), Y)
    np.testing.assert_allclose(sparse.coef_, ours.coef_, atol=1e-6)


def test_multitask_weights_are_repetitions(data):
    X, Y, weights = data
    model = so.sklearn.MultiTaskLasso(0.3, tol=1e-13)
    weighted = model.fit(X, Y, weights).coef_
    repeated = model.fit(X.repeat(weights, axis=0), Y.repeat(weights, axis=0)).coef_
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)


@pytest.mark.parametrize("name", ["GroupLasso", "MultiTaskLasso"])
def test_warm_start_precision_and_attributes(name, data):
    X, Y, _ = data
    y = Y if name == "MultiTaskLasso" else Y[:, 0]
    model = getattr(so.sklearn, name)(alpha=0.1, warm_start=True).fit(X, y)
    coef = model.coef_
    assert 0.0 <= model.dual_gap_ <= 1e-6
    assert model.sparse_coef_.shape == np.atleast_2d(coef).shape
    model.fit(X, y)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.coef_, coef, atol=1e-4)
    single = getattr(so.sklearn, name)(alpha=0.1).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert np.linalg.norm(single.coef_ - coef) < 0.05 * np.linalg.norm(coef)


def test_bad_input(data):
    X, Y, _ = data
    y = Y[:, 0]
    model = so.sklearn.GroupLasso
    with pytest.raises(ValueError, match=r"^groups must be at least 1"):
        model(0).fit(X, y)
    with pytest.raises(TypeError, match=r"^groups must be an integer"):
        model(2.5).fit(X, y)
    with pytest.raises(ValueError, match=r"^groups"):
        model(np.zeros(39, int)).fit(X, y)
    with pytest.raises(ValueError, match=r"^alpha must be >= 0"):
        model(alpha=-1.0).fit(X, y)
    with pytest.raises(ValueError, match=r"^weights"):
        model(LABELS, weights=[1.0]).fit(X, y)
    with pytest.raises(ValueError, match=r"^y must have shape \(n_samples, n_targets\)"):
        so.sklearn.MultiTaskLasso().fit(X, y)
    with pytest.raises(ValueError, match=r"^alpha must be >= 0"):
        so.sklearn.MultiTaskLasso(-1.0).fit(X, Y)
