"""Estimators against scikit-learn: its own checks, and its own models at tight tolerance."""

import pickle
import warnings

import numpy as np
import pytest
from helpers import require, run_python
from scipy.sparse import csc_array, csr_array

import sparseopt as so

pytestmark = pytest.mark.extras

REGRESSORS = ["ElasticNet", "Lasso"]
ESTIMATORS = [*REGRESSORS, "SparseLogisticRegression"]


@pytest.fixture(autouse=True)
def sklearn():
    """scikit-learn; ``sklearn`` alone could be the folder of these tests."""
    require("sklearn.base")
    return require("sklearn")


@pytest.fixture
def linear():
    return require("sklearn.linear_model")


@pytest.fixture
def data(rng):
    """A design with means, its sparse part, data and weights of which some are zero."""
    X = rng.standard_normal((60, 40)) + rng.standard_normal(40)
    X[np.abs(X) < 0.8] = 0.0
    y = X[:, :3] @ [1.0, -2.0, 3.0] + rng.standard_normal(60) + 7.0
    weights = rng.uniform(0.0, 5.0, 60)
    weights[:7] = 0.0
    return X, y, weights


def make(name, **parameters):
    return getattr(so.sklearn, name)(**parameters)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_checks_of_scikit_learn(name):
    checks = require("sklearn.utils.estimator_checks")
    results = checks.check_estimator(make(name), on_fail=None, on_skip=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 50


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_lasso_agrees(linear, data, weighted, sparse, intercept, positive):
    X, y, weights = data
    X = csr_array(X) if sparse else X
    weights = weights if weighted else None
    shared = {"alpha": 0.1, "fit_intercept": intercept, "positive": positive}
    theirs = linear.Lasso(**shared, tol=1e-14, max_iter=100_000).fit(X, y, weights)
    ours = so.sklearn.Lasso(**shared, tol=1e-12).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
    assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights), abs=1e-6)
    assert 0 < np.count_nonzero(ours.coef_) < 40


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.01, 0.5, 1.0])
def test_elastic_net_agrees(linear, data, weighted, sparse, l1_ratio):
    X, y, weights = data
    X = csr_array(X) if sparse else X
    weights = weights if weighted else None
    theirs = linear.ElasticNet(alpha=0.1, l1_ratio=l1_ratio, tol=1e-14, max_iter=100_000)
    theirs.fit(X, y, weights)
    ours = so.sklearn.ElasticNet(0.1, l1_ratio=l1_ratio, tol=1e-14).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)


def test_elastic_net_without_l1_is_ridge(linear, data):
    X, y, weights = data
    with pytest.warns(UserWarning, match="lam = 0"):
        ours = so.sklearn.ElasticNet(0.1, l1_ratio=0.0, tol=1e-12).fit(X, y, weights)
    theirs = linear.Ridge(0.1 * weights.sum(), tol=1e-12).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [2, 4])
def test_logistic_agrees(linear, data, weighted, count):
    """Against saga, class by class."""
    X, y, weights = data
    weights = weights if weighted else None
    edges = np.quantile(y, np.arange(1, count) / count)
    y = np.array(["a", "b", "c", "d"])[np.digitize(y, edges)]
    ours = so.sklearn.SparseLogisticRegression(0.02).fit(X, y, weights)
    assert ours.classes_.tolist() == ["a", "b", "c", "d"][:count]
    mass = 60 if weights is None else weights.sum()
    targets = ours.classes_[1:] if count == 2 else ours.classes_
    assert ours.coef_.shape == (targets.size, 40)
    logs = []
    for k, target in enumerate(targets):
        theirs = linear.LogisticRegression(
            C=1 / (0.02 * mass), l1_ratio=1, solver="saga", tol=1e-12, max_iter=50_000
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            theirs.fit(X, y == target, weights)
        np.testing.assert_allclose(ours.coef_[k], theirs.coef_[0], atol=2e-6)
        np.testing.assert_allclose(ours.intercept_[k], theirs.intercept_[0], atol=1e-5)
        logs.append(theirs.predict_log_proba(X)[:, 1])
    probabilities = np.exp(logs).T
    if count == 2:
        probabilities = np.column_stack([1 - probabilities, probabilities])
    probabilities /= probabilities.sum(1, keepdims=True)
    np.testing.assert_allclose(ours.predict_proba(X), probabilities, atol=1e-5)
    assert (ours.predict(X) == ours.classes_[probabilities.argmax(1)]).all()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("positive", [False, True])
def test_logistic_is_the_same_sparse(data, count, positive):
    X, y, weights = data
    y = np.digitize(y, np.quantile(y, np.arange(1, count) / count))
    model = so.sklearn.SparseLogisticRegression(0.02, positive=positive)
    dense = model.fit(X, y, weights).coef_
    np.testing.assert_allclose(model.fit(csc_array(X), y, weights).coef_, dense, atol=1e-7)
    assert not positive or dense.min() >= 0.0
    scores = model.decision_function(csr_array(X))
    np.testing.assert_allclose(scores, model.decision_function(X), atol=1e-12)


def test_far_from_the_boundary_probabilities_keep_their_logarithms():
    X = np.array([[-1.0], [1.0]])
    model = so.sklearn.SparseLogisticRegression(1e-3).fit(X, [0, 1])
    logs = model.predict_log_proba([[1e4], [-1e4]])
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(logs[0, 0], logs[1, 1])
    np.testing.assert_allclose(logs[0, 0], -1e4 * model.coef_[0, 0], rtol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_sparse_designs_are_never_made_dense(name, rng, monkeypatch):
    X = csr_array((rng.random((30, 50)) < 0.1) * rng.standard_normal((30, 50)))
    y = (np.asarray(X.sum(1)) > 0).astype(int)
    asked = []
    for kind in (csr_array, csc_array):
        for method in ("toarray", "todense"):
            original = getattr(kind, method)

            def watched(self, *args, original=original, **options):
                asked.append(self.shape)  # the Gram matrix of the support may be
                return original(self, *args, **options)

            monkeypatch.setattr(kind, method, watched)
    model = make(name, alpha=0.01).fit(X, y)
    support = np.count_nonzero(model.coef_)
    assert 0 < support < 30
    assert model.predict(X).shape == (30,)
    assert all(shape[0] == shape[1] for shape in asked)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_attributes(name, data):
    X, y, _ = data
    y = y if name in REGRESSORS else y > np.median(y)
    model = make(name, alpha=0.05).fit(X, y)
    assert model.n_features_in_ == 40
    assert np.max(model.n_iter_) >= 1
    assert 0.0 <= np.max(model.dual_gap_) <= 1e-6
    assert model.sparse_coef_.shape == (1, 40)
    np.testing.assert_array_equal(model.sparse_coef_.toarray()[0], np.ravel(model.coef_))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_warm_start(name, data):
    X, y, _ = data
    y = y if name in REGRESSORS else np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = make(name, alpha=0.02, warm_start=True).fit(X, y)
    cold = np.max(model.n_iter_)
    coef = model.coef_
    model.fit(X, y)
    assert np.max(model.n_iter_) == 1 < cold
    np.testing.assert_allclose(model.coef_, coef, atol=1e-5)
    model.fit(X[:, :30], y)  # a start of another size is not used
    fresh = make(name, alpha=0.02).fit(X[:, :30], y)
    np.testing.assert_array_equal(model.coef_, fresh.coef_)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_single_precision(name, data):
    X, y, _ = data
    y = y if name in REGRESSORS else y > np.median(y)
    double = make(name, alpha=0.05).fit(X, y)
    single = make(name, alpha=0.05).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert np.linalg.norm(single.coef_ - double.coef_) < 0.05 * np.linalg.norm(double.coef_)
    if name in REGRESSORS:
        assert single.predict(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", ESTIMATORS)
def test_inputs_are_left_alone(name, data):
    X, y, weights = data
    y = y if name in REGRESSORS else y > np.median(y)
    given = X.copy(), y.copy(), weights.copy()
    make(name, alpha=0.05).fit(*given).predict(given[0])
    for now, before in zip(given, (X, y, weights), strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("shape", [(1, 3), (5, 1), (5, 3)])
def test_degenerate_data(name, shape):
    """One sample, one feature, constant features and data: the mean is the model."""
    model = make(name).fit(np.ones(shape), np.full(shape[0], 3.0))
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(3.0)
    assert model.dual_gap_ <= 1e-6


BAD = [
    ("alpha", {"alpha": -1.0}, ValueError, "^alpha must be >= 0"),
    ("alpha NaN", {"alpha": np.nan}, ValueError, "^alpha must not contain NaN"),
    ("alpha text", {"alpha": "auto"}, TypeError, "^alpha must be real"),
    ("tol", {"tol": 0.0}, ValueError, "^tol must be"),
    ("max_iter", {"max_iter": 2.0}, TypeError, "^max_iter must be an integer"),
]


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    ("parameters", "error", "match"), [pytest.param(*c[1:], id=c[0]) for c in BAD]
)
def test_bad_parameters(name, parameters, error, match):
    with pytest.raises(error, match=match):
        make(name, **parameters).fit([[0.0], [1.0], [2.0]], [0, 1, 1])


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ([1.0, -1.0, 1.0], "^sample_weight must be >= 0, got -1"),
        ([0.0, 0.0, 0.0], "^sample_weight must have an entry above 0"),
        ([1.0, 1.0], r"^sample_weight.shape == \(2,\), expected \(3,\)"),
        ([1.0, np.nan, 1.0], "sample_weight contains NaN"),
    ],
)
def test_bad_weights(name, weights, match):
    with pytest.raises(ValueError, match=match):
        make(name).fit([[0.0], [1.0], [2.0]], [0, 1, 1], weights)


def test_one_weight_for_all(data):
    X, y, _ = data
    one = make("Lasso").fit(X, y, 2.0)
    np.testing.assert_allclose(one.coef_, make("Lasso").fit(X, y).coef_, atol=1e-5)
    with pytest.raises(ValueError, match=r"^sample_weight must be >= 0"):
        make("Lasso").fit(X, y, -2.0)


def test_other_bad_input():
    X = [[0.0], [1.0], [2.0]]
    with pytest.raises(ValueError, match=r"^l1_ratio must be <= 1 everywhere"):
        so.sklearn.ElasticNet(l1_ratio=1.5).fit(X, [0, 1, 1])
    with pytest.raises(ValueError, match="1d array"):
        so.sklearn.Lasso().fit(X, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"^y must have at least 2 classes .* one class: 1"):
        so.sklearn.SparseLogisticRegression().fit(X, [1, 1, 1])
    with pytest.raises(ValueError, match=r"one class: 1"):
        so.sklearn.SparseLogisticRegression().fit(X, [0, 1, 1], [0.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="Unknown label type"):
        so.sklearn.SparseLogisticRegression().fit(X, [0.5, 0.1, 0.7])


def test_a_class_without_weight_counts_as_absent(data):
    X, y, weights = data
    y = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    weights[y == 1] = 0.0
    model = so.sklearn.SparseLogisticRegression(0.02)
    coef = model.fit(X, y, weights).coef_
    assert model.classes_.tolist() == [0, 2]
    kept = weights > 0
    model.fit(X[kept], y[kept], weights[kept])
    np.testing.assert_allclose(model.coef_, coef, atol=1e-6)


def test_zero_level_warns(data):
    X, y, _ = data
    with pytest.warns(UserWarning, match="lam = 0"):
        model = so.sklearn.Lasso(0.0).fit(X, y)
    centred = X - X.mean(0)
    np.testing.assert_allclose(centred.T @ (y - model.predict(X)), 0.0, atol=0.1)


def test_an_unfinished_fit_warns(data):
    X, y, _ = data
    with pytest.warns(so.ConvergenceWarning, match="not converged"):
        model = so.sklearn.Lasso(1e-3, max_iter=1, tol=1e-12).fit(X, y)
    assert model.n_iter_ == 1
    assert model.dual_gap_ > 1e-12


def test_grid_search_and_pipeline(sklearn, data):
    X, y, weights = data
    selection = require("sklearn.model_selection")
    pipeline = require("sklearn.pipeline")
    preprocessing = require("sklearn.preprocessing")
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), so.sklearn.Lasso())
    search = selection.GridSearchCV(model, {"lasso__alpha": [10.0, 1.0, 0.1]}, cv=3)
    search.fit(X, y, lasso__sample_weight=weights)
    assert search.best_params_ == {"lasso__alpha": 0.1}
    assert search.best_score_ > 0.8


def test_scikit_learn_is_imported_lazily_and_its_absence_explained():
    out = run_python(
        "import sys\n"
        "sys.modules['sklearn'] = None\n"
        "import sparseopt as so\n"
        "assert 'Lasso' in dir(so.sklearn)\n"
        "try:\n"
        "    so.sklearn.Lasso\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    assert 'pip install "sparseopt[sklearn]"' in out
    loaded = run_python("import sys, sparseopt.sklearn\nprint('sklearn' in sys.modules)\n")
    assert loaded.strip() == "False"
