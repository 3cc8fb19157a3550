"""The door of optimal transport: what comes in, what is refused, and how it goes back out."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from sparseopt import transport
from sparseopt.transport import PointCost
from sparseopt.transport._costs import MatrixCost, ShiftedCost, from_data, tiles
from sparseopt.transport._problem import check_problem

NAN, INF = np.nan, np.inf
C22 = [[0.0, 1.0], [2.0, 3.0]]
HALVES = [0.5, 0.5]

BAD_PROBLEMS = {
    "C-empty": (np.zeros((0, 3)), None, None, ValueError, "C must be a non-empty matrix"),
    "C-no-columns": (np.zeros((3, 0)), None, None, ValueError, "C must be a non-empty matrix"),
    "C-vector": ([1.0, 2.0], None, None, ValueError, "C must be a non-empty matrix"),
    "C-cube": (np.zeros((2, 2, 2)), None, None, ValueError, "C must be a non-empty matrix"),
    "C-complex": ([[1j]], None, None, TypeError, "C must be real"),
    "C-text": ([["a"]], None, None, TypeError, "C"),
    "C-none": (None, None, None, TypeError, "C"),
    "C-nan": ([[0.0, NAN], [2.0, 3.0]], None, None, ValueError, "C must not contain NaN"),
    "C-nan-beside-inf": ([[INF, NAN], [2.0, 3.0]], None, None, ValueError, "C must not contain N"),
    "C-nan-without-mass": ([[NAN, 0.0], [1, 1]], [0, 1], None, ValueError, "C must not contain N"),
    "C-minus-inf": (
        [[0.0, -INF], [2.0, 3.0]],
        None,
        None,
        ValueError,
        "C must be finite, got -inf",
    ),
    "C-row-forbidden": ([[0.0, 1.0], [INF, INF]], None, None, ValueError, "got none in row 1"),
    "C-column-forbidden": ([[0.0, INF], [1.0, INF]], None, None, ValueError, "none in column 1"),
    "C-all-forbidden": ([[INF]], None, None, ValueError, "got none in row 0"),
    "a-length": (C22, [1.0], None, ValueError, r"a must have shape \(2,\) to fit C, got \(1,\)"),
    "b-length": (C22, None, [1.0, 0, 0], ValueError, r"b must have shape \(2,\) to fit C"),
    "a-matrix": (C22, [HALVES], None, ValueError, "a must have shape"),
    "a-number": (C22, 1.0, None, ValueError, "a must have shape"),
    "a-negative": (C22, [1.5, -0.5], None, ValueError, "a must be nonnegative, got -0.5"),
    "b-negative": (C22, None, [1.5, -0.5], ValueError, "b must be nonnegative, got -0.5"),
    "a-nan": (C22, [NAN, 1.0], None, ValueError, "a must be finite"),
    "b-inf": (C22, None, [INF, 1.0], ValueError, "b must be finite"),
    "a-zeros": (C22, [0.0, 0.0], None, ValueError, "a must hold mass"),
    "b-zeros": (C22, None, [0.0, 0.0], ValueError, "b must hold mass"),
    "a-complex": (C22, [1j, 0], None, TypeError, "a must be real"),
    "a-text": (C22, ["x", "y"], None, TypeError, "a"),
    "totals": (
        C22,
        HALVES,
        [0.5, 0.6],
        ValueError,
        r"b must have the total mass of a, 1, got 1\.1",
    ),
    "totals-close": (
        C22,
        HALVES,
        [0.5, 0.5 + 3e-6],
        ValueError,
        "unbalanced and transport.partial",
    ),
}


@pytest.mark.parametrize("C, a, b, error, message", BAD_PROBLEMS.values(), ids=BAD_PROBLEMS)
def test_refuses_bad_problems(C, a, b, error, message):
    with pytest.raises(error, match=message):
        check_problem(C, a, b)
    with pytest.raises(error, match=message):
        transport.entropic(C, a, b, 0.1)


def test_forbidden_pairs_can_be_ruled_out():
    with pytest.raises(ValueError, match="C must be finite, got inf"):
        check_problem([[0.0, INF], [1.0, 1.0]], None, None, forbid=False)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"eps": 0.0}, ValueError, "eps must be a positive finite number"),
        ({"eps": -1.0}, ValueError, "eps must be a positive finite number"),
        ({"eps": NAN}, ValueError, "eps must be a positive finite number"),
        ({"eps": INF}, ValueError, "eps must be a positive finite number"),
        ({"eps": "1"}, TypeError, "eps must be a real number"),
        ({"eps": None}, TypeError, "eps must be a real number"),
        ({"tol": 0.0}, ValueError, "tol"),
        ({"tol": NAN}, ValueError, "tol"),
        ({"max_iter": -1}, ValueError, "max_iter"),
        ({"max_iter": 1.5}, TypeError, "max_iter"),
        ({"method": "magic"}, ValueError, "method must be one of"),
        ({"unknown": 1}, TypeError, r"method='[a-z-]+' takes .*, got \['unknown'\]"),
        ({"start": None}, TypeError, r"got \['start'\]"),
    ],
)
@pytest.mark.parametrize("method", ["auto", "sinkhorn", "log-sinkhorn", "newton-sparse"])
def test_refuses_bad_controls(changes, error, message, method):
    arguments = {"eps": 0.1, "method": method} | changes
    with pytest.raises(error, match=message):
        transport.entropic(C22, None, None, **arguments)


@pytest.mark.parametrize(
    "x0, message",
    [
        (np.zeros(3), r"x0 must hold g of shape \(2,\), got \(3,\)"),
        ((np.zeros(3), np.zeros(2)), "x0 must hold potentials of shapes"),
        ((np.zeros(2), np.zeros(3)), "x0 must hold g of shape"),
        ((np.zeros(2), np.array([0.0, NAN])), "x0 must be finite"),
        ((np.array([INF, 0.0]), np.zeros(2)), "x0 must be finite"),
        (np.zeros((2, 2)), "x0"),
        (1.0, "x0 must hold g of shape"),
    ],
)
def test_refuses_bad_starts(x0, message):
    with pytest.raises(ValueError, match=message):
        transport.entropic(C22, None, None, 0.1, x0=x0)


def test_missing_masses_are_uniform():
    problem = check_problem(np.zeros((2, 4)), None, None)
    np.testing.assert_array_equal(problem.a, [0.5, 0.5])
    np.testing.assert_array_equal(problem.b, np.full(4, 0.25))
    assert problem.mass == 1.0


def test_totals_that_differ_by_rounding_are_made_equal():
    a, b = np.array([1.0, 2.0]), np.array([1.5, 1.5 + 1e-6])
    problem = check_problem(C22, a, b)
    assert problem.b.sum() == pytest.approx(3.0, rel=1e-15)
    np.testing.assert_allclose(problem.b / problem.b.sum(), b / b.sum(), rtol=1e-15)
    np.testing.assert_array_equal(problem.masses[0], a)
    assert b[1] == 1.5 + 1e-6


def test_only_atoms_with_mass_are_kept():
    C = np.arange(12.0).reshape(3, 4) + 5.0
    problem = check_problem(C, [0, 1, 1], [0.5, 0, 1.5, 0])
    np.testing.assert_array_equal(problem.rows, [1, 2])
    np.testing.assert_array_equal(problem.cols, [0, 2])
    np.testing.assert_array_equal(problem.cost.tile(0, 2), [[0.0, 2.0], [4.0, 6.0]])
    assert (problem.shift, problem.span) == (9.0, 6.0)
    np.testing.assert_array_equal(problem.given.tile(0, 3), C)


def test_costs_of_atoms_without_mass_are_free():
    C = [[INF, INF, INF], [1.0, 2.0, INF], [3.0, 4.0, INF]]
    problem = check_problem(C, [0, 1, 1], [1, 1, 0])
    assert not problem.forbidden
    assert (problem.shift, problem.span) == (0.0, 4.0)
    with pytest.raises(ValueError, match="none in row 2"):  # counted among all the rows given
        check_problem([[0.0, 1.0], [0.0, 1.0], [1.0, INF]], [1, 0, 1], [0, 2])
    with pytest.raises(ValueError, match="none in column 2"):
        check_problem([[0.0, 1.0, INF], [0.0, 0.0, 0.0]], [2, 0], [1, 0, 1])


def test_infinite_costs_do_not_count_in_the_span():
    problem = check_problem([[3.0, INF], [7.0, 5.0]], None, None)
    assert problem.forbidden
    assert (problem.shift, problem.span) == (0.0, 7.0)
    far = check_problem([[103.0, INF], [107.0, 105.0]], None, None)
    assert (far.shift, far.span) == (103.0, 4.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000))
def test_restored_potentials_are_feasible_and_tight(n, m, seed):
    rng = np.random.default_rng(seed)
    C = rng.normal(size=(n, m))
    a, b = rng.random(n) * (rng.random(n) < 0.6), rng.random(m) * (rng.random(m) < 0.6)
    a[rng.integers(n)] = b[rng.integers(m)] = 1.0
    problem = check_problem(C, a / a.sum(), b / b.sum())
    g = rng.normal(size=problem.b.size)
    f = (problem.cost.tile(0, problem.a.size) - g).min(axis=1)
    full_f, full_g = problem.restore(f, g)
    assert full_f.shape == (n,)
    assert full_g.shape == (m,)
    assert a @ full_f == pytest.approx(0.0, abs=1e-12)
    slack = C - problem.shift - full_f[:, None] - full_g
    assert slack.min() >= -1e-12
    assert slack.min(axis=1) == pytest.approx(np.zeros(n), abs=1e-12)
    assert slack.min(axis=0)[b == 0.0] == pytest.approx(np.zeros((b == 0.0).sum()), abs=1e-12)


def test_restored_potentials_of_unreachable_atoms_are_finite():
    problem = check_problem([[0.0, INF, 1.0], [INF, INF, INF]], [1, 0], [0.5, 0, 0.5])
    f, g = problem.restore(np.array([0.0]), np.array([0.0, 1.0]))
    np.testing.assert_array_equal(f, [0.0, 0.0])
    np.testing.assert_array_equal(g, [0.0, 0.0, 1.0])


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_starts_agree_whatever_they_come_as(offset):
    rng = np.random.default_rng(1)
    C = rng.random((4, 5)) + offset
    a, b = np.array([0.3, 0.0, 0.3, 0.4]), np.array([0.2, 0.4, 0.0, 0.3, 0.1])
    result = transport.entropic(C, a, b, 0.1)
    problem = check_problem(C, a, b)
    by_result = problem.start(result)
    by_pair = problem.start(result.potentials)
    by_list = problem.start(list(result.potentials))
    f, g = problem.start(result.potentials[1])
    assert f is None
    slack = 1e-14 + 1e-15 * offset
    for other in (by_pair, by_list):
        np.testing.assert_allclose(other[0], by_result[0], atol=slack)
        np.testing.assert_allclose(other[1], by_result[1], atol=slack)
    np.testing.assert_allclose(np.ptp(g - by_result[1]), 0.0, atol=4 * slack)
    P = np.exp((by_result[0][:, None] + by_result[1] - problem.cost.tile(0, 3)) / 0.1)
    np.testing.assert_allclose(P, result.plan[np.ix_(a > 0, b > 0)], rtol=1e-12)
    assert problem.start(None) is None


def test_starts_are_not_written_to():
    f, g = np.ones(2), np.array([1.0, 5.0])
    transport.entropic(C22, None, None, 0.5, x0=(f, g))
    np.testing.assert_array_equal(f, [1.0, 1.0])
    np.testing.assert_array_equal(g, [1.0, 5.0])


def test_a_start_of_another_problem_with_the_same_shape_is_taken():
    rng = np.random.default_rng(3)
    first = transport.entropic(rng.random((6, 4)) + 7.0, None, None, 0.1)
    C = rng.random((6, 4)) - 100.0
    moved = transport.entropic(C, None, None, 0.1, x0=first)
    fresh = transport.entropic(C, None, None, 0.1)
    np.testing.assert_allclose(moved.plan, fresh.plan, atol=1e-9)


# ---------------------------------------------------------------- costs


METRICS = ["sqeuclidean", "euclidean", "cityblock", "minkowski", "cosine"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_point_costs_are_those_of_scipy(metric, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)).astype(dtype), rng.normal(size=(5, 3)).astype(dtype)
    more = {"p": 3.0} if metric == "minkowski" else {}
    wanted = 2.5 * cdist(x.astype(float), y.astype(float), metric, **more)
    cost = PointCost(x, y, metric=metric, scale=2.5, p=3.0)
    assert cost.shape == (7, 5)
    assert cost.dtype == dtype
    assert cost.to_array().dtype == dtype
    np.testing.assert_allclose(cost.to_array(), wanted, rtol=1e-6 if dtype == np.float32 else 1e-14)
    np.testing.assert_array_equal(cost.tile(2, 4), cost.tile(0, 7)[2:4])
    assert cost.tile(2, 4).dtype == np.float64
    part = cost.take(np.array([6, 1]), np.array([0, 4, 2]))
    np.testing.assert_array_equal(part.tile(0, 2), cost.tile(0, 7)[np.ix_([6, 1], [0, 4, 2])])


def test_point_costs_on_a_line_and_by_a_function():
    x, y = np.array([0.0, 1.0, 4.0]), np.array([2.0, 3.0])
    np.testing.assert_array_equal(PointCost(x, y).to_array(), (x[:, None] - y) ** 2)
    cost = PointCost(x, y, metric=lambda u, v: np.maximum(u - v.T, 0.0), scale=3.0)
    np.testing.assert_array_equal(cost.to_array(), 3.0 * np.maximum(x[:, None] - y, 0.0))
    bad = PointCost(x, y, metric=lambda u, v: np.zeros(len(u)))
    with pytest.raises(ValueError, match=r"metric must return shape \(3, 2\)"):
        transport.entropic(bad, None, None, 0.1)


@pytest.mark.parametrize("offset", [0.0, -1e3, 1e3, -1e8, 1e8])
@pytest.mark.parametrize("eps", [1.0, 1e-2])
def test_costs_by_a_function_may_have_any_sign(offset, eps):
    rng = np.random.default_rng(0)
    x, y = rng.random(9), rng.random(7)
    b = np.array([0.2, 0.0, 0.1, 0.3, 0.1, 0.1, 0.2])
    cost = PointCost(x, y, metric=lambda u, v: (u - v.T) ** 2 + offset)
    found = transport.entropic(cost, None, b, eps)
    wanted = transport.entropic((x[:, None] - y) ** 2, None, b, eps)
    slack = 1e-9 + 1e-15 * abs(offset) / eps
    np.testing.assert_allclose(found.plan, wanted.plan, atol=slack)
    assert found.cost == pytest.approx(wanted.cost + offset, abs=1e-7)
    again = transport.entropic(cost, None, b, eps, x0=found)
    assert again.nit <= 1


def test_point_costs_own_their_points():
    x = np.array([0.0, 1.0])
    cost = PointCost(x, x)
    x[0] = 9.0
    assert cost.to_array()[0, 1] == 1.0


@pytest.mark.parametrize(
    "x, y, more, error, message",
    [
        ([NAN], [1.0], {}, ValueError, "x must be finite"),
        ([0.0], [INF], {}, ValueError, "y must be finite"),
        (np.zeros((2, 2, 2)), [0.0], {}, ValueError, "x must have 1 or 2 dim"),
        (np.zeros((0, 2)), np.zeros((2, 2)), {}, ValueError, "x and y must hold points"),
        (np.zeros((2, 2)), np.zeros((2, 0)), {}, ValueError, "x and y must hold points"),
        (np.zeros((2, 2)), np.zeros((2, 3)), {}, ValueError, "y must have points of dimension 2"),
        ([1j], [0.0], {}, TypeError, "x and y must be real"),
        ([0.0], [1.0], {"metric": "hamming"}, ValueError, "metric must be one of"),
        ([0.0], [1.0], {"metric": "minkowski", "p": 0.5}, ValueError, "p must be at least 1"),
        ([0.0], [1.0], {"p": NAN}, ValueError, "p must be a positive"),
        ([0.0], [1.0], {"scale": 0.0}, ValueError, "scale must be a positive"),
        ([0.0], [1.0], {"metric": "cosine"}, ValueError, "no zero vector"),
    ],
)
def test_refuses_bad_points(x, y, more, error, message):
    with pytest.raises(error, match=message):
        PointCost(x, y, **more)


@pytest.mark.parametrize("metric", METRICS)
def test_costs_survive_data_and_pickle(metric):
    rng = np.random.default_rng(2)
    cost = PointCost(rng.random((3, 2)), rng.random((4, 2)), metric=metric, p=1.5, scale=0.5)
    for again in (from_data(cost.data()), pickle.loads(pickle.dumps(cost))):
        np.testing.assert_array_equal(again.to_array(), cost.to_array())
    shifted = ShiftedCost(cost, 0.25)
    again = from_data(shifted.data())
    np.testing.assert_array_equal(again.tile(0, 3), cost.tile(0, 3) - 0.25)
    np.testing.assert_array_equal(
        again.take(np.array([2]), np.array([1, 3])).tile(0, 1), again.tile(2, 3)[:, [1, 3]]
    )
    assert (again.shape, again.dtype) == (cost.shape, cost.dtype)
    matrix = MatrixCost(rng.random((3, 4)).astype(np.float32), 0.25)
    again = from_data(matrix.data())
    np.testing.assert_array_equal(again.tile(0, 3), matrix.tile(0, 3))
    assert again.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shifting_a_matrix_keeps_its_digits(dtype):
    C = np.array([[3.0, 1.0], [2.0, 4.0]], dtype)
    cost = MatrixCost(C).shifted(1.0)
    assert cost.dtype == dtype
    np.testing.assert_array_equal(cost.tile(0, 2), C.astype(float) - 1.0)
    np.testing.assert_array_equal(cost.tile(1, 2), [[1.0, 3.0]])
    np.testing.assert_array_equal(cost.take(np.array([1]), np.array([0])).tile(0, 1), [[1.0]])
    assert C[0, 0] == 3.0


def test_tiles_cover_the_cost_once(monkeypatch):
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 11)
    C = np.arange(35.0).reshape(7, 5)
    parts = list(tiles(MatrixCost(C)))
    assert [(start, stop) for start, stop, _ in parts] == [(0, 2), (2, 4), (4, 6), (6, 7)]
    np.testing.assert_array_equal(np.concatenate([part for *_, part in parts]), C)
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 2)  # less than a row
    assert len(list(tiles(MatrixCost(C)))) == 7


def test_column_checks_look_at_all_tiles(monkeypatch):
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 2)
    C = np.array([[INF, 1.0], [5.0, INF], [2.0, -3.0]])
    problem = check_problem(C, None, None)
    assert (problem.shift, problem.span, problem.forbidden) == (-3.0, 8.0, True)
    C[1:, 0] = INF
    with pytest.raises(ValueError, match="none in column 0"):
        check_problem(C, [1, 0, 1], [1, 1])
    C[2, 0] = NAN
    with pytest.raises(ValueError, match="NaN"):
        check_problem(C, [1, 0, 1], [1, 1])


@pytest.mark.parametrize("kind", [list, np.asfortranarray, lambda C: C.astype(int), "strided"])
def test_matrices_of_any_form(kind):
    C = np.arange(6.0).reshape(2, 3) + 1.0
    given = np.repeat(C, 2, axis=1)[:, ::2] if kind == "strided" else kind(C)
    problem = check_problem(given, None, None)
    np.testing.assert_array_equal(problem.given.tile(0, 2), C)
    assert problem.cost.tile(0, 2).flags.c_contiguous
    assert problem.given.dtype == np.float64


def test_matrices_are_copied():
    C = np.ones((2, 2))
    result = transport.entropic(C, None, None, 1.0)
    C[:] = NAN
    assert result.cost == pytest.approx(1.0)
    assert np.isfinite(result.plan).all()


@pytest.mark.parametrize("x0", ["abc", np.zeros(2) + 1j, [None, None]])
@pytest.mark.parametrize(
    "solve",
    [
        lambda x0: transport.entropic(C22, None, None, 0.1, x0=x0),
        lambda x0: transport.entropic_batch(C22, None, np.full((2, 2), 0.5), 0.1, x0=x0),
        lambda x0: transport.wasserstein([1.0, 0.0], [0.0, 1.0], x0=x0),
        lambda x0: transport.barycenter(C22, np.eye(2), 0.1, x0=x0),
    ],
)
def test_starts_must_be_real_numbers(solve, x0):
    with pytest.raises(TypeError, match=r"^x0 must be"):
        solve(x0)
