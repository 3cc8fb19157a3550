"""Whole runs: certificates, stopping, sweeps, diagnostics, awkward and bad input."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import run_python

import sparseopt as so
from sparseopt import datasets, penalties
from sparseopt.losses import (
    LabelPropagation,
    LeastSquares,
    Logistic,
    Multinomial,
    Poisson,
    Quadratic,
)
from sparseopt.solvers import bcd, compare_bcd, identify_active_set
from sparseopt.solvers._bcd_sweep import (
    sweep_quadratic_dense,
    sweep_quadratic_sparse,
    sweep_squares_dense,
    sweep_squares_sparse,
)


def lasso(seed=0, n=30, p=20, form=np.asarray, dtype=float, weights=False):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.6)
    y = A[:, 0] - 2 * A[:, 1] + 0.1 * rng.standard_normal(n)
    options = {"sample_weights": rng.random(n)} if weights else {}
    loss = LeastSquares(form(A.astype(dtype)), y.astype(dtype), **options)
    return loss, penalties.L1(0.1 * float(np.abs(loss.gradient(np.zeros(p, dtype))).max()))


FORMS = {"dense": np.asarray, "csc": sp.csc_array, "csr": sp.csr_array}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("select", ["cyclic", "random", "gs-q"])
@pytest.mark.parametrize("size", [1, 4])
def test_the_gap_is_a_bound_and_the_lasso_is_solved(form, weights, select, size):
    loss, penalty = lasso(form=FORMS[form], weights=weights)
    exact = so.minimize(loss, penalty, tol=1e-12)
    result = bcd(loss, penalty, select=select, block_size=size, tol=1e-9, rng=0)
    assert result.success
    assert result.certificate <= 1e-9
    assert result.fun == pytest.approx(exact.fun, rel=1e-9)
    assert result.fun == pytest.approx(loss.value(result.x) + penalty.value(result.x), rel=1e-12)
    gaps, funs = result.history["certificate"], result.history["fun"]
    seen = ~np.isnan(gaps)
    scale = loss.value(np.zeros(20))
    assert np.all(gaps[seen] * scale >= funs[seen] - exact.fun - 1e-9 * scale)
    assert np.all(np.diff(funs) <= 1e-12 * funs[0])
    u = -result.dual
    assert np.abs(loss.pull_back(u)).max() <= float(penalty.lam) * (1 + 1e-12)
    assert (result.fun + loss.conjugate(u)) / scale == pytest.approx(result.certificate, abs=1e-12)


def test_history_phases_and_pickling():
    loss, penalty = lasso()
    result = bcd(loss, penalty, block_size=3, tol=1e-8)
    assert result.n_updates == result.nit == result.history["fun"].size - 1
    assert set(result.phases) == {"select", "update", "check"}
    assert sum(result.phases.values()) <= result.history["time"][-1] * 1.05 + 1e-3
    assert np.all(result.history["block"][1:] == 3)
    assert result.history["support"][-1] == np.count_nonzero(result.x)
    assert result.method == "bcd(variable, gs-q, newton)"
    assert "chosen by 'auto'" in result.message
    assert np.array_equal(pickle.loads(pickle.dumps(result)).x, result.x)


def test_save_and_load(tmp_path):
    result = bcd(*lasso(), block_size=3)
    result.save(tmp_path / "run.npz")
    again = so.Result.load(tmp_path / "run.npz")
    assert np.array_equal(again.x, result.x)
    assert again.phases == result.phases


@pytest.mark.parametrize("form", ["dense", "csc"])
@pytest.mark.parametrize("weights", [False, True])
def test_sweeps_cut_into_steps_are_bit_equal_to_one_loop(form, weights):
    loss, penalty = lasso(form=FORMS[form], weights=weights)
    run = compare_bcd(
        loss, {"a": {"select": "cyclic", "block_size": 1}}, penalty, rng=3, max_iter=50, tol=1e-300
    )["a"]
    rng = np.random.default_rng(3)
    order = np.concatenate([rng.permutation(20) for _ in range(3)])[:50]
    x, r = np.zeros(20), -loss.y.astype(float)
    weight = np.asarray([] if loss.sample_weights is None else loss.sample_weights)
    lam, free = np.full(20, float(penalty.lam)), np.full(20, np.inf)
    tail = (weight, r, x, loss.coordinate_bounds(), lam, -free, free)
    if form == "dense":
        sweep_squares_dense(order, np.ascontiguousarray(loss.A.T), *tail)
    else:
        sweep_squares_sparse(order, loss.A.indptr, loss.A.indices, loss.A.data, *tail)
    assert np.array_equal(x, run.x)
    assert run.n_updates == 50
    assert run.history["fun"].size == 4


def test_sweeps_of_quadratics_are_bit_equal_to_one_loop(rng):
    B = rng.standard_normal((9, 6))
    Q, q = B.T @ B, rng.standard_normal(6)
    penalty = penalties.Box(-0.3, 0.5)
    low, high = np.full(6, -0.3), np.full(6, 0.5)
    order = np.concatenate([np.random.default_rng(1).permutation(6)])
    for matrix in (Q, sp.csc_array(Q)):
        run = compare_bcd(
            Quadratic(matrix, q), {"a": {"select": "cyclic", "block_size": 1}}, penalty, rng=1,
            max_iter=6, tol=1e-300,
        )["a"]  # fmt: skip
        x, r = np.zeros(6), -q.copy()
        tail = (r, x, np.diag(Q).copy(), np.zeros(6), low, high)
        if sp.issparse(matrix):
            sweep_quadratic_sparse(order, matrix.indptr, matrix.indices, matrix.data, *tail)
        else:
            sweep_quadratic_dense(order, np.ascontiguousarray(Q.T), *tail)
        assert np.array_equal(x, run.x)


def test_sweeps_and_single_updates_agree():
    loss, penalty = lasso()
    fused = bcd(loss, penalty, select="cyclic", block_size=1, tol=1e-10, rng=0)
    single = bcd(loss, penalty, select="cyclic", block_size=1, tol=1e-10, rng=0,
                 update="backtracking")  # fmt: skip
    np.testing.assert_allclose(fused.x, single.x, atol=1e-6)


def test_local_updates_of_many_coordinates_are_chunked(monkeypatch):
    from sparseopt.solvers import _bcd

    labelled = np.arange(0, 225, 4)
    loss = LabelPropagation(datasets.lattice_graph(15, 15), labelled, np.sin(labelled))
    options = {"select": "gs", "block_size": 4, "tol": 1e-6, "max_iter": 20_000}
    one_by_one = bcd(loss, **options)
    monkeypatch.setattr(_bcd, "MANY", 100)
    chunked = bcd(loss, **options)
    assert chunked.success
    epoch = -(-loss.shape[0] // 4)
    assert chunked.nit % epoch == 0
    assert chunked.history["fun"].size - 1 == chunked.nit // epoch
    shared = chunked.history["fun"][1]
    assert shared == pytest.approx(one_by_one.history["fun"][epoch], rel=1e-12)


def test_drift_is_removed(monkeypatch):
    from sparseopt.solvers import _bcd

    monkeypatch.setattr(_bcd, "DRIFT", 7)
    loss, penalty = lasso()
    for options in ({"block_size": 2}, {"block_size": 1, "select": "cyclic"}):
        result = bcd(loss, penalty, tol=1e-9, rng=0, **options)
        assert result.success


def test_finite_termination_on_nonnegative_lasso():
    """Section 6: blocks as large as the support end exactly, smaller or first-order ones do not."""
    for seed in range(3):
        d = datasets.sparse_regression(100, 600, rng=seed)
        loss = LeastSquares(d.A, d.y)
        penalty = penalties.NonnegativeL1(0.2 * float(np.max(loss.pull_back(d.y))))
        reference = bcd(loss, penalty, block_size=100, update="matrix", tol=1e-13)
        support = np.count_nonzero(reference.x)
        for update, most in (("two-metric", 20), ("proximal-newton", 10)):
            run = bcd(loss, penalty, block_size=2 * support, update=update, tol=1e-13)
            assert run.nit <= most
            assert np.array_equal(run.x > 0, reference.x > 0)
            free = np.flatnonzero(run.x)
            exact = np.linalg.solve(
                loss.block_bound(free), loss.pull_back(d.y)[free] - penalty.lam
            )  # the system that Newton's step ends with
            np.testing.assert_allclose(run.x[free], exact, rtol=1e-9)
        slow = compare_bcd(
            loss, {"PG": {"update": "gradient"}}, penalty, block_size=2 * support, max_iter=20,
            tol=1e-13,
        )["PG"]  # fmt: skip
        assert not slow.success
        assert slow.fun - reference.fun > 1e4 * abs(run.fun - reference.fun)


def test_active_set_of_a_run_and_of_its_path():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 12))
    loss = LeastSquares(A, A[:, 0] - A[:, 1] + 0.1 * rng.standard_normal(60))
    penalty = penalties.L1(10.0)
    exact = bcd(loss, penalty, block_size=12, update="matrix", tol=1e-14)
    path = [np.zeros(12)]
    run = bcd(
        loss, penalty, block_size=1, select="gs-q", update="gradient", tol=1e-13,
        callback=lambda state: path.append(state.x),
    )  # fmt: skip
    mu = np.linalg.eigvalsh(A.T @ A)[0]
    found = [
        identify_active_set(loss, penalty, p, exact.x, strong_convexity=mu) for p in (run, path)
    ]
    assert found[0].iteration == found[1].iteration
    assert found[0].support.tolist() == np.flatnonzero(exact.x).tolist()
    zeros = np.flatnonzero(exact.x == 0)
    delta = 10.0 - np.abs(loss.gradient(exact.x)[zeros]).max()
    assert found[0].delta == pytest.approx(delta)
    assert found[0].iteration <= found[0].bound + 12 < np.inf
    supports = [np.array_equal(x != 0, exact.x != 0) for x in path]
    assert all(supports[found[1].iteration :])
    assert not supports[found[1].iteration - 1]
    first = next(
        k
        for k in range(len(path))
        if all(np.linalg.norm(x - exact.x) <= found[1].radius for x in path[k:])
    )
    assert found[1].iteration <= first + 12  # every coordinate is put right at its next visit


def test_active_set_with_bounds_and_bad_input():
    loss, box = LeastSquares(np.eye(3), [3.0, 0.5, -2.0]), penalties.Box(0.0, 1.0)
    run = bcd(loss, box, block_size=1)
    found = identify_active_set(loss, box, run, [1.0, 0.5, 0.0])
    assert found.support.tolist() == [1]
    assert found.delta == 2.0
    assert found.bound == np.inf
    assert identify_active_set(loss, box, run, [1.0, 0.5, 0.5]).iteration is None
    for path, match in (
        ([], "path must hold iterates"),
        ([np.zeros(2)], "path must hold iterates"),
        (so.minimize(loss, box), "path must be a result of bcd"),
    ):
        with pytest.raises(ValueError, match=match):
            identify_active_set(loss, box, path, np.zeros(3))
    with pytest.raises(ValueError, match="x_star must have shape"):
        identify_active_set(loss, box, run, np.zeros(2))
    with pytest.raises(TypeError, match="groups"):
        identify_active_set(loss, penalties.GroupL2(1.0, [0, 0, 1]), run, np.zeros(3))


def test_svm_dual():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.standard_normal((20, 2)) + 1, rng.standard_normal((20, 2)) - 1])
    labels = np.repeat([1.0, -1.0], 20)
    Z = labels[:, None] * X
    loss, box = Quadratic(Z @ Z.T + 1e-3 * np.eye(40), np.ones(40)), penalties.Box(0.0, 1.0)
    best = so.minimize(loss, box, tol=1e-10)
    for update, blocks in itertools.product(
        ("gradient", "matrix", "projected-newton", "two-metric"), ("variable", "sort")
    ):
        result = bcd(loss, box, update=update, blocks=blocks, block_size=8, tol=1e-8)
        assert result.success
        assert result.fun == pytest.approx(best.fun, rel=1e-9)
        assert result.x.min() >= 0
        assert result.x.max() <= 1
    with pytest.raises(ValueError, match="lower must be <= upper"):
        penalties.Box(1.0, 0.0)


@pytest.mark.parametrize("update", ["gradient", "backtracking", "matrix", "newton", "exact"])
@pytest.mark.parametrize("kind", ["squares", "logistic"])
def test_group_lasso(update, kind, rng):
    A = rng.standard_normal((40, 12))
    y = A[:, :3].sum(1) + rng.standard_normal(40)
    loss = LeastSquares(A, y) if kind == "squares" else Logistic(A, y > 0)
    size = np.linalg.norm(loss.gradient(np.zeros(12)).reshape(4, 3), axis=1).max()
    penalty = penalties.GroupL2(0.3 * size, np.arange(12) // 3)
    best = so.minimize(loss, penalty, tol=1e-10)
    for select in ("auto", "cyclic", "random"):
        result = bcd(loss, penalty, update=update, select=select, tol=1e-8, rng=0)
        assert result.success
        assert result.fun == pytest.approx(best.fun, rel=1e-7)
        assert 0 < np.count_nonzero(result.x) < 12


def test_separable_classes_end_by_tolerance_and_say_so():
    loss = Logistic([[1.0, 0.2], [-1.0, 0.1], [2.0, -0.3]], [1, -1, 1])
    for update in ("newton", "matrix", "cubic", "gradient"):
        result = bcd(loss, update=update, block_size=2, tol=1e-2, max_iter=100_000)
        assert result.success
        assert "separable" in result.message
    assert "separable" not in bcd(loss, penalties.L1(0.1), block_size=2).message


def test_single_precision():
    loss, penalty = lasso(dtype=np.float32)
    exact = so.minimize(*lasso(), tol=1e-10)
    for options in (
        {"block_size": 4},
        {"block_size": 1, "select": "cyclic"},
        {"block_size": 3, "update": "two-metric"},
    ):
        result = bcd(loss, penalty, rng=0, **options)
        assert result.success
        assert result.x.dtype == np.float32
        assert result.fun == pytest.approx(exact.fun, rel=1e-3)


def test_inputs_stay_as_they_are_and_results_are_starts():
    loss, penalty = lasso()
    A, y, x0 = loss.A.copy(), loss.y.copy(), np.ones(20)
    result = bcd(loss, penalty, x0=x0, block_size=3, tol=1e-9)
    assert np.array_equal(x0, np.ones(20))
    assert np.array_equal(loss.A, A)
    assert np.array_equal(loss.y, y)
    again = bcd(loss, penalty, x0=result, block_size=3, tol=1e-8)
    assert again.nit == 0
    kept = []
    bcd(loss, penalty, block_size=3, callback=lambda state: kept.append((state.x, state.x.copy())))
    assert all(np.array_equal(x, copy) for x, copy in kept)


@pytest.mark.parametrize("A", [[[2.0]], [[2.0], [1.0]], [[1.0, 3.0]], [[0.0, 0.0]]])
@pytest.mark.parametrize("penalty", [None, penalties.L1(0.5), penalties.Box(-0.1, 0.1)])
def test_tiny_and_empty_problems(A, penalty):
    y = np.ones(len(A))
    for size, select in itertools.product((1, 2), ("auto", "cyclic", "random")):
        if size > len(A[0]):
            continue
        result = bcd(LeastSquares(A, y), penalty, block_size=size, select=select, rng=0)
        assert result.success
        best = so.minimize(LeastSquares(A, y), penalty, tol=1e-10).fun
        assert result.fun == pytest.approx(best, abs=1e-6)


def test_duplicated_columns():
    rng = np.random.default_rng(0)
    half = rng.standard_normal((20, 5))
    loss = LeastSquares(np.hstack([half, half]), rng.standard_normal(20))
    best = so.minimize(loss, penalties.L1(1.0), tol=1e-10).fun
    for update in ("gradient", "matrix", "two-metric"):
        result = bcd(loss, penalties.L1(1.0), block_size=4, update=update)
        assert result.success
        assert result.fun == pytest.approx(best, rel=1e-5)
    smooth = [bcd(loss, block_size=4, update=u) for u in ("gradient", "matrix", "newton")]
    assert all(r.success for r in smooth)
    assert np.ptp([r.fun for r in smooth]) < 1e-6


def test_a_linear_direction_is_refused_or_bounded():
    loss = Quadratic(np.diag([1.0, 0.0]), [1.0, 1.0])
    with pytest.raises(ValueError, match="linear along coordinate 1"):
        bcd(loss, block_size=1)
    assert bcd(loss, penalties.Box(0.0, 3.0), block_size=1).x.tolist() == [1.0, 3.0]


def test_callback_budget_and_stop():
    loss, penalty = lasso()
    with pytest.warns(so.ConvergenceWarning, match="not converged"):
        result = bcd(loss, penalty, block_size=1, max_iter=3, tol=1e-12)
    assert result.nit == 3
    assert not result.success


BAD = [
    ({"select": "best"}, ValueError, "select must be one of"),
    ({"update": "jump"}, ValueError, "update must be one of"),
    ({"blocks": "spiral"}, ValueError, "blocks must be one of"),
    ({"block_size": 0}, ValueError, "block_size must be at least 1"),
    ({"score_norm": 3}, ValueError, "score_norm must be one of"),
    ({"diagonal": "exact"}, ValueError, "diagonal must be one of"),
    ({"diagonal": "block", "select": "gsd"}, ValueError, "diagonal must not be 'block'"),
    ({"shrink": 1.5}, ValueError, "shrink must be at most 1"),
    ({"shrink": 0.0}, ValueError, "shrink must be"),
    ({"update": "two-metric"}, ValueError, "needs a penalty with an l1 norm or bounds"),
    ({"update": "projected-newton"}, ValueError, "needs bounds"),
    ({"update": "message-passing"}, ValueError, "sparse"),
    ({"blocks": "forest"}, ValueError, "sparse"),
    ({"tol": 0.0}, ValueError, "tol must be"),
    ({"max_iter": -1}, ValueError, "max_iter must be"),
    ({"rng": "seed"}, TypeError, "rng must be"),
    ({"x0": np.zeros(3)}, ValueError, "x0 must have shape"),
    ({"penalty": 3.0}, TypeError, "penalty must be"),
    ({"penalty": penalties.MCP(1.0, 3.0)}, TypeError, "penalty must be"),
    ({"penalty": penalties.L1(np.ones(3))}, ValueError, "penalty must have a lam"),
    ({"penalty": penalties.GroupL2(1.0, [0, 1])}, ValueError, "penalty must have groups"),
    ({"penalty": penalties.L1(1.0), "select": "gsq"}, ValueError, "takes no penalty"),
    ({"penalty": penalties.L1(1.0), "update": "cubic"}, ValueError, "takes no penalty"),
    ({"select": "mi", "block_size": 10}, ValueError, "too many"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "match"), BAD)
def test_bad_input(options, error, match):
    options = {"block_size": 3, **options}
    loss = lasso(p=25)[0]
    with pytest.raises(error, match=match):
        bcd(loss, options.pop("penalty", None), **options)


def test_bad_combinations_with_groups_and_graphs():
    loss = lasso()[0]
    groups = penalties.GroupL2(1.0, np.arange(20) // 2)
    for options, match in (
        ({"blocks": "sort"}, "blocks must be 'auto'"),
        ({"select": "gs-r"}, "does not know groups"),
        ({"update": "two-metric"}, "needs a penalty with an l1"),
    ):
        with pytest.raises(ValueError, match=match):
            bcd(loss, groups, **options)
    graph = LabelPropagation(datasets.lattice_graph(4, 4), [0], [1.0])
    with pytest.raises(ValueError, match="does not choose forests"):
        bcd(graph, update="message-passing", select="gsq")
    with pytest.raises(ValueError, match="blocks without cycles"):
        bcd(graph, update="message-passing", blocks="sort")
    with pytest.raises(ValueError, match="must be a forest"):
        bcd(graph, update="message-passing", blocks=[np.arange(15)])
    with pytest.raises(ValueError, match="takes no penalty"):
        bcd(graph, penalties.Box(0, 1), update="message-passing")


def test_bad_losses():
    with pytest.raises(TypeError, match="loss must have"):
        bcd(penalties.L1(1.0))
    with pytest.raises(TypeError, match="real"):
        bcd(LeastSquares(np.ones((3, 2)) * 1j, np.ones(3)))
    with pytest.raises(TypeError, match="bound"):
        bcd(Poisson(np.ones((3, 2)), np.ones(3)))
    with pytest.raises(TypeError, match="dense or sparse"):
        from scipy.sparse.linalg import aslinearoperator

        bcd(LeastSquares(aslinearoperator(np.eye(3)), np.ones(3)))


def test_compare_keeps_order_and_options():
    loss = lasso()[0]
    grid = {"b": {"select": "gs"}, "a": {"select": "random", "block_size": 2}}
    runs = compare_bcd(loss, grid, block_size=3, max_iter=5, tol=1e-300, rng=0)
    assert list(runs) == ["b", "a"]
    assert runs["a"].history["block"][1] == 2
    assert runs["b"].nit == 5
    with pytest.raises(TypeError, match="grid must be"):
        compare_bcd(loss, ["gs"])


def test_multinomial_with_a_row_of_levels(rng):
    A = rng.standard_normal((40, 5))
    loss = Multinomial(A, rng.integers(0, 3, 40))
    levels = np.array([0.5, 3.0, 1.0, 2.0, 100.0])
    result = bcd(loss, penalties.L1(levels), block_size=4, tol=1e-9)
    assert result.success
    assert result.x.shape == (5, 3)
    assert not result.x[4].any()
    g = loss.gradient(result.x)
    away = np.where(
        result.x != 0,
        np.abs(g + levels[:, None] * np.sign(result.x)),
        np.maximum(np.abs(g) - levels[:, None], 0.0),
    )
    assert away.max() < 1e-6


@pytest.mark.parametrize("options", [{}, {"select": "cyclic", "block_size": 1}])
def test_a_batch_is_one_problem(options, rng):
    A, Y = rng.standard_normal((30, 12)), rng.standard_normal((30, 3))
    loss, penalty = LeastSquares(A, Y), penalties.L1(3.0)
    result = bcd(loss, penalty, rng=0, tol=1e-8, **{"block_size": 6, **options})
    assert result.success
    assert result.x.shape == (12, 3)
    assert result.fun == pytest.approx(so.minimize(loss, penalty, tol=1e-10).fun, rel=1e-8)


def test_an_intercept_is_minimised_out(rng):
    A = rng.standard_normal((40, 6)) + 2.0
    loss = LeastSquares(A, A[:, 0] + 5.0, intercept=True)
    for options in ({"block_size": 3}, {"block_size": 1, "select": "cyclic", "rng": 0}):
        result = bcd(loss, tol=1e-9, **options)
        assert result.success
        np.testing.assert_allclose(result.x, np.eye(6)[0], atol=1e-6)


def test_a_second_process_compiles_nothing():
    code = """
import numpy as np
from sparseopt import losses, penalties, solvers
from sparseopt._core import cache_counts
A = np.random.default_rng(0).standard_normal((20, 8))
f = losses.LeastSquares(A, A[:, 0])
solvers.bcd(f, penalties.L1(0.1), block_size=3)
solvers.bcd(f, penalties.L1(0.1), block_size=1, select="cyclic", rng=0)
print(cache_counts()[1])
"""
    run_python(code)
    assert int(run_python(code)) == 0
