"""LassoCV against scikit-learn's."""

import numpy as np
import pytest
from helpers import require
from scipy.sparse import csr_array

import sparseopt as so

pytestmark = pytest.mark.extras


@pytest.fixture(autouse=True)
def linear():
    return require("sklearn.linear_model")


@pytest.fixture
def data(rng):
    """A design with means, its sparse part, data and weights of which some are zero."""
    X = rng.standard_normal((60, 40)) + rng.standard_normal(40)
    X[np.abs(X) < 0.8] = 0.0
    y = X[:, :3] @ [1.0, -2.0, 3.0] + 2.0 * rng.standard_normal(60) + 7.0
    weights = rng.uniform(0.0, 5.0, 60)
    weights[::9] = 0.0
    return X, y, weights


def test_checks_of_scikit_learn():
    checks = require("sklearn.utils.estimator_checks")
    results = checks.check_estimator(
        so.sklearn.LassoCV(alphas=10, cv=3), on_fail=None, on_skip=None
    )
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 50


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("intercept", "positive"), [(True, False), (False, True)])
def test_agrees(linear, data, weighted, sparse, intercept, positive):
    X, y, weights = data
    X = csr_array(X) if sparse else X
    weights = weights if weighted else None
    shared = {"fit_intercept": intercept, "positive": positive, "cv": 4}
    ours = so.sklearn.LassoCV(alphas=20, **shared, tol=1e-12).fit(X, y, weights)
    theirs = linear.LassoCV(alphas=ours.alphas_, **shared, tol=1e-13, max_iter=100_000)
    theirs.fit(X, y, weights)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert ours.alpha_ == theirs.alpha_
    assert ours.alphas_[-1] < ours.alpha_ < ours.alphas_[0]
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert ours.dual_gap_ <= 1e-12


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_levels_start_where_all_coefficients_vanish(data, weighted, positive):
    X, y, weights = data
    weights = weights if weighted else None
    model = so.sklearn.LassoCV(alphas=5, eps=0.1, positive=positive).fit(X, y, weights)
    np.testing.assert_allclose(model.alphas_, model.alphas_[0] * np.geomspace(1.0, 0.1, 5))
    at = so.sklearn.Lasso(model.alphas_[0] * (1 + 1e-9), positive=positive).fit(X, y, weights)
    below = so.sklearn.Lasso(0.99 * model.alphas_[0], positive=positive).fit(X, y, weights)
    assert not at.coef_.any()
    assert below.coef_.any()


def test_rules(data):
    X, y, _ = data
    best = so.sklearn.LassoCV(alphas=30).fit(X, y)
    model = so.sklearn.LassoCV(alphas=30, rule="one_standard_error").fit(X, y)
    errors = model.mse_path_
    mean, spread = errors.mean(1), errors.std(1, ddof=1) / np.sqrt(errors.shape[1])
    place = mean.argmin()
    assert best.alpha_ == model.alphas_[place]
    allowed = mean <= mean[place] + spread[place]
    assert model.alpha_ == model.alphas_[allowed].max() > best.alpha_


def test_folds_of_scikit_learn(data):
    """Splitters, also those whose test sets overlap, and lists of pairs; threads change nothing."""
    X, y, _ = data
    selection = require("sklearn.model_selection")
    cv = selection.ShuffleSplit(3, test_size=0.5, random_state=0)
    model = so.sklearn.LassoCV(alphas=[0.1, 1.0, 0.3], cv=cv).fit(X, y)
    assert model.alphas_.tolist() == [1.0, 0.3, 0.1]
    for k, (train, test) in enumerate(cv.split(X)):
        for i, alpha in enumerate(model.alphas_):
            part = so.sklearn.Lasso(alpha, tol=1e-12).fit(X[train], y[train])
            error = np.mean((part.predict(X[test]) - y[test]) ** 2)
            assert model.mse_path_[i, k] == pytest.approx(error, rel=1e-3)
    again = so.sklearn.LassoCV(alphas=[0.1, 1.0, 0.3], cv=list(cv.split(X)), n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(again.mse_path_, model.mse_path_)
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_constant_data():
    X = np.arange(20.0).reshape(10, 2)
    model = so.sklearn.LassoCV(alphas=3).fit(X, np.full(10, 2.0))
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(2.0)
    assert (model.alphas_ > 0).all()
    np.testing.assert_allclose(model.mse_path_, 0.0, atol=1e-20)


def test_single_precision(data):
    X, y, _ = data
    double = so.sklearn.LassoCV(alphas=10).fit(X, y)
    single = so.sklearn.LassoCV(alphas=10).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.alphas_, double.alphas_, rtol=1e-4)
    np.testing.assert_allclose(single.mse_path_, double.mse_path_, rtol=0.05)


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"alphas": 0}, ValueError, "^alphas must be at least 1"),
        ({"alphas": []}, ValueError, "^alphas must be an integer or have shape"),
        ({"alphas": [1.0, 0.0]}, ValueError, "^alphas must be > 0"),
        ({"alphas": 0.5}, ValueError, "^alphas must be an integer or have shape"),
        ({"alphas": "auto"}, TypeError, "^alphas must be real"),
        ({"eps": 0.0}, ValueError, "^eps must be > 0"),
        ({"rule": "1se"}, ValueError, "^rule must be one of"),
        ({"cv": 1}, ValueError, "n_splits"),
        ({"tol": -1.0}, ValueError, "^tol must be"),
    ],
)
def test_bad_parameters(data, parameters, error, match):
    X, y, _ = data
    with pytest.raises(error, match=match):
        so.sklearn.LassoCV(**{"alphas": 3, **parameters}).fit(X, y)


def test_a_fold_without_weight_is_refused(data):
    X, y, _ = data
    weights = np.ones(60)
    weights[:12] = 0.0
    with pytest.raises(ValueError, match=r"^sample_weight must leave every fold some weight"):
        so.sklearn.LassoCV(alphas=3).fit(X, y, weights)
