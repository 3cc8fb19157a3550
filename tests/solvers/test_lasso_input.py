"""The lasso family: forms of input, the record, and what is refused."""

import pickle
import warnings

import numpy as np
import pytest
from certificates import certify, null_value
from scipy import sparse as sp

from sparseopt import losses, penalties, solvers


def problem(rng, m=40, n=70, signal=5):
    A = rng.standard_normal((m, n))
    y = A[:, :signal].sum(1) + 0.3 * rng.standard_normal(m) + 1.0
    return A, y


def level(A, y, part, intercept=False):
    return part * float(abs(A.T @ (y - y.mean() if intercept else y)).max())


def solve_quietly(solver, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solver(*args, **kwargs)
    assert result.success
    return result


FORMS = {
    "fortran": np.asfortranarray,
    "strided": lambda A: np.repeat(np.repeat(A, 2, 0), 3, 1)[::2, ::3],
    "backwards": lambda A: A[::-1, ::-1].copy()[::-1, ::-1],
    "list": lambda A: A.tolist(),
    "csc": sp.csc_array,
    "csr": sp.csr_array,
    "coo": sp.coo_array,
    "csc_matrix": sp.csc_matrix,
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("intercept", [False, True])
def test_form_of_the_design_does_not_matter(rng, name, intercept):
    A, y = problem(rng)
    A *= rng.random(A.shape) < 0.5
    lam = level(A, y, 0.05)
    dense = solve_quietly(solvers.lasso, A, y, lam, intercept=intercept, tol=1e-12)
    other = solve_quietly(solvers.lasso, FORMS[name](A), y, lam, intercept=intercept, tol=1e-12)
    np.testing.assert_allclose(other.x, dense.x, atol=1e-7)
    assert other.intercept == pytest.approx(dense.intercept, abs=1e-7)
    labels = y > 1
    dense = solve_quietly(solvers.logistic_l1, A, labels, lam / 5, intercept=intercept, tol=1e-10)
    other = solve_quietly(
        solvers.logistic_l1, FORMS[name](A), labels, lam / 5, intercept=intercept, tol=1e-10
    )
    np.testing.assert_allclose(other.x, dense.x, atol=1e-5)


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_single_precision(rng, form):
    A, y = problem(rng)
    A, y = A.astype(np.float32), y.astype(np.float32)
    lam = level(A, y, 0.05)
    for solver, data, scale in ((solvers.lasso, y, 1.0), (solvers.logistic_l1, y > 1, 0.2)):
        result = solve_quietly(solver, form(A), data, scale * lam, intercept=True)
        assert result.x.dtype == np.float32
        assert result.certificate <= 1e-4
        precise = solve_quietly(solver, form(A.astype(float)), data, scale * lam, intercept=True)
        assert result.fun == pytest.approx(precise.fun, rel=1e-3)
    mixed = solve_quietly(solvers.lasso, form(A), y.astype(float), lam)
    assert mixed.x.dtype == np.float64


def test_integers(rng):
    A, y = rng.integers(-3, 4, (30, 20)), rng.integers(-5, 6, 30)
    for form in (np.asarray, sp.csc_array):
        result = solve_quietly(solvers.lasso, form(A), y, 3, tol=1e-12)
        expected = solve_quietly(solvers.lasso, A.astype(float), y.astype(float), 3.0, tol=1e-12)
        assert result.x.dtype == np.float64
        np.testing.assert_allclose(result.x, expected.x, atol=1e-8)


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sp.csc_array, sp.csr_array])
def test_nothing_is_changed_and_twice_is_the_same(rng, form):
    A, y = problem(rng)
    data, x0 = form(A), rng.standard_normal(70)
    v, w = rng.random(40), rng.random(70) + 0.5
    parts = [data] if isinstance(data, np.ndarray) else [data.data, data.indices, data.indptr]
    inputs = [*parts, y, x0, v, w]
    before = [a.copy() for a in inputs]
    for solver, target in ((solvers.lasso, y), (solvers.logistic_l1, np.sign(y))):
        runs = [
            solver(data, target, 3.0, x0=x0, weights=w, sample_weights=v, intercept=True)
            for _ in range(2)
        ]
        np.testing.assert_array_equal(runs[0].x, runs[1].x)
        assert runs[0].intercept == runs[1].intercept
        for now, then in zip(inputs, before, strict=True):
            np.testing.assert_array_equal(now, then)


def test_the_record(rng, tmp_path):
    A, y = problem(rng)
    result = solvers.lasso(A, y, 3.0, intercept=True)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.x, result.x)
    assert type(again) is type(result)
    assert again.intercept == result.intercept
    assert result.method == "working-set"
    assert {"fun", "certificate", "time", "support", "working_set", "sweeps", "solves"} == set(
        result.history
    )
    assert result.history["support"][-1] == np.count_nonzero(result.x)


def test_separable_classes_end_by_tolerance(rng):
    A = rng.standard_normal((30, 10))
    y = np.sign(A[:, 0])
    for form in (np.asarray, sp.csc_array):
        result = solve_quietly(solvers.logistic_l1, form(A), y, 1e-5)
        assert result.certificate <= 1e-6
        assert abs(result.x[0]) > 5
        gap = certify(A, y, result, 1e-5, loss="logistic")
        assert gap / null_value(y, loss="logistic") <= 1e-6 + 1e-9


def test_labels(rng):
    A, y = problem(rng)
    names = np.where(y > 1, "yes", "no")
    one = solvers.logistic_l1(A, names, 2.0)
    np.testing.assert_array_equal(one.x, solvers.logistic_l1(A, y > 1, 2.0).x)


GOOD = np.arange(12.0).reshape(4, 3) ** 0.5


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"lam": -1.0}, ValueError, "lam"),
        ({"lam": np.nan}, ValueError, "lam"),
        ({"lam": np.inf}, ValueError, "lam"),
        ({"lam": [1.0, 1.0, 1.0]}, ValueError, "weights"),
        ({"lam": "1"}, TypeError, "lam"),
        ({"weights": [1.0, -1.0, 1.0]}, ValueError, "weights"),
        ({"weights": [1.0, np.nan, 1.0]}, ValueError, "weights"),
        ({"weights": [1.0, 1.0]}, ValueError, "^weights must have shape"),
        ({"sample_weights": [-1.0, 1, 1, 1]}, ValueError, "sample_weights"),
        ({"sample_weights": [1.0, 1.0]}, ValueError, "sample_weights"),
        ({"sample_weights": [np.nan, 1, 1, 1]}, ValueError, "sample_weights"),
        ({"A": GOOD * np.nan}, ValueError, "A"),
        ({"A": GOOD + 1j}, TypeError, "A"),
        ({"A": GOOD[:3]}, ValueError, "y"),
        ({"A": sp.linalg.aslinearoperator(GOOD)}, TypeError, "A"),
        ({"x0": [1.0]}, ValueError, "x0"),
        ({"x0": [1.0, np.nan, 1.0]}, ValueError, "x0"),
        ({"intercept": 1}, TypeError, "intercept"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"tol": np.nan}, ValueError, "tol"),
        ({"max_iter": -1}, ValueError, "max_iter"),
        ({"max_iter": 2.5}, TypeError, "max_iter"),
    ],
)
@pytest.mark.parametrize("solver", [solvers.lasso, solvers.logistic_l1, solvers.elastic_net])
def test_bad_input(solver, change, error, match):
    arguments = {"A": GOOD, "y": [1.0, -1.0, 1.0, -1.0], "lam": 0.1} | change
    if solver is solvers.elastic_net:
        arguments["ridge"] = 1.0
    with pytest.raises(error, match=match):
        solver(**arguments)


@pytest.mark.parametrize("ridge", [0.0, -1.0, np.nan, np.inf])
def test_bad_ridge(ridge):
    with pytest.raises(ValueError, match=r"^ridge must"):
        solvers.elastic_net(GOOD, np.ones(4), 0.1, ridge)


@pytest.mark.parametrize("y", [np.ones(4), np.arange(4) % 3])
def test_labels_of_one_or_three_classes(y):
    with pytest.raises(ValueError, match="class"):
        solvers.logistic_l1(GOOD, y, 0.1)


@pytest.mark.parametrize("solver", [solvers.lasso, solvers.logistic_l1])
def test_bad_data(solver):
    for y in ([1.0, np.nan, 1.0, -1.0], [[1.0]] * 4, [1.0, -1.0]):
        with pytest.raises(ValueError, match="y must"):
            solver(GOOD, y, 0.1)


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("solver", [solvers.lasso, solvers.group_lasso])
def test_start_that_is_worth_less_than_nothing(rng, solver, form):
    A = rng.integers(-1, 2, (3, 120)).astype(float)
    y = rng.standard_normal(3)
    lam = level(A, y, 1e-4)
    groups = [] if solver is solvers.lasso else [np.arange(120) // 2]
    far = 1e3 * rng.standard_normal(120)
    result = solve_quietly(solver, form(A), y, lam, *groups, x0=far)
    assert result.nit <= 10
    np.testing.assert_array_equal(result.x, solver(form(A), y, lam, *groups).x)


def test_data_must_be_real():
    for solver in (solvers.lasso, solvers.elastic_net):
        with pytest.raises(TypeError, match=r"^y must be real"):
            solver(GOOD, np.ones(4) + 1j, 0.1, *[1.0] * (solver is solvers.elastic_net))


def test_loss_of_classes_needs_a_penalty_of_rows():
    loss = losses.Multinomial(GOOD, [0, 1, 2, 1])
    with pytest.raises(ValueError, match="one column"):
        solvers.working_set(loss, penalties.L1(1.0))


def test_level_zero_beside_another_penalty(rng):
    A, y = problem(rng)
    with pytest.warns(UserWarning, match="^lam = 0 leaves the other penalty alone"):
        ridge = solvers.elastic_net(A, y, 0.0, 2.0, tol=1e-12)
    exact = A.T @ np.linalg.solve(A @ A.T + 2.0 * np.eye(40), y)
    np.testing.assert_allclose(ridge.x, exact, atol=1e-6)
    groups = np.arange(70) // 2
    with pytest.warns(UserWarning, match="^lam = 0 leaves the other penalty alone"):
        solvers.sparse_group_lasso(A, y, 0.0, 2.0, groups)
    with pytest.warns(UserWarning, match="leaves every coordinate free"):
        solvers.sparse_group_lasso(A, y, 0.0, 0.0, groups)
