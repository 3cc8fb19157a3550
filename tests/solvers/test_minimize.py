"""The front door: what it chooses, how runs end, and what the record keeps."""

import pickle
import warnings

import numpy as np
import pytest

import sparseopt as so
from sparseopt import penalties, solvers
from sparseopt.losses import LeastSquares


@pytest.fixture
def loss(rng):
    """A small problem that takes some dozens of iterations."""
    return LeastSquares(rng.standard_normal((12, 25)), rng.standard_normal(12))


PENALTY = penalties.L1(0.3)


def test_auto_says_what_it_chose(loss):
    result = so.minimize(loss, PENALTY)
    assert result.method == "working-set"
    assert "auto: working_set" in result.message
    assert "auto: fista" in so.minimize(loss, penalties.L2(0.3)).message
    assert "auto: fista" in so.minimize(loss, PENALTY, restart="function").message
    assert result.message.startswith("converged: relative duality gap")
    assert result.success
    assert result.status is so.Status.CONVERGED
    assert result.certificate <= 1e-6


@pytest.mark.parametrize(("method", "accelerated"), [("fista", True), ("ista", False)])
def test_a_named_method_is_the_function_itself(loss, method, accelerated):
    result = so.minimize(loss, PENALTY, method=method)
    direct = solvers.proximal_gradient(loss, PENALTY, accelerated=accelerated)
    assert result.method == direct.method == method
    assert "auto" not in result.message
    np.testing.assert_array_equal(result.x, direct.x)
    assert result.message == direct.message


def test_options_pass_through(loss):
    result = so.minimize(loss, PENALTY, step=1e-3, restart=None)
    np.testing.assert_array_equal(result.history["step"][1:], 1e-3)
    direct = solvers.proximal_gradient(loss, PENALTY, step=1e-3, restart=None)
    np.testing.assert_array_equal(result.x, direct.x)


@pytest.mark.parametrize("method", ["fista", "ista"])
def test_history(loss, method):
    result = so.minimize(loss, PENALTY, method=method)
    history = result.history
    assert list(history) == ["fun", "certificate", "time", "step"]
    assert {len(column) for column in history.values()} == {result.nit + 1}
    assert history["fun"][0] == loss.value(np.zeros(25))
    assert history["fun"][-1] == result.fun
    assert history["certificate"][-1] == result.certificate
    assert np.isfinite(history["certificate"][1:]).all()
    assert np.all(history["certificate"][1:-1] > 1e-6)
    assert np.all(np.diff(history["fun"]) <= 0)
    assert np.all(np.diff(history["time"]) >= 0)
    assert np.all(history["step"][1:] > 0)


def test_callback_sees_the_best_iterate_and_stops_the_run(loss):
    seen = []

    def callback(state):
        seen.append((state.nit, state.fun, state.certificate, state.x.copy()))
        if state.nit == 7:
            raise StopIteration

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = so.minimize(loss, PENALTY, method="fista", callback=callback, tol=1e-12)
    assert result.status is so.Status.STOPPED
    assert not result.success
    assert result.nit == 7
    assert [nit for nit, *_ in seen] == list(range(1, 8))
    assert "stopped by the callback after 7 iterations" in result.message
    for _, fun, _, x in seen:
        assert fun == pytest.approx(loss.value(x) + PENALTY.value(x))
    np.testing.assert_array_equal(result.x, seen[-1][3])
    assert len(result.history["fun"]) == 8


def test_ctrl_c_in_a_callback(loss):
    def callback(state):
        if state.nit == 5:
            raise KeyboardInterrupt

    with pytest.warns(so.ConvergenceWarning, match="interrupted after 5 iterations"):
        result = so.minimize(loss, PENALTY, method="fista", callback=callback, tol=1e-12)
    assert result.status is so.Status.INTERRUPTED
    assert result.nit == 5


def fista(*arguments, **options):
    """FISTA by way of the front door."""
    return so.minimize(*arguments, method="fista", **options)


@pytest.mark.parametrize("call", [fista, solvers.proximal_gradient])
@pytest.mark.parametrize("max_iter", [0, 1, 4])
def test_budget_spent_warns_at_the_callers_line(loss, call, max_iter):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(loss, PENALTY, tol=1e-12, max_iter=max_iter)
    assert [w.category for w in caught] == [so.ConvergenceWarning]
    assert caught[0].filename == __file__
    assert not result.success
    assert result.status is so.Status.MAX_ITER
    assert result.nit == max_iter
    assert result.x.shape == (25,)
    assert str(caught[0].message) in result.message
    assert "max_iter" in result.message


def test_the_best_iterate_is_returned(loss):
    for budget in range(1, 40):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", so.ConvergenceWarning)
            result = so.minimize(loss, PENALTY, max_iter=budget, tol=1e-14, restart=None)
        assert result.fun == result.history["fun"].min()
        assert result.fun == pytest.approx(loss.value(result.x) + PENALTY.value(result.x))


def test_progress_goes_to_stderr(loss, capsys):
    quiet = fista(loss, PENALTY)
    assert capsys.readouterr() == ("", "")
    loud = fista(loss, PENALTY, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "fista" in captured.err
    np.testing.assert_array_equal(quiet.x, loud.x)


@pytest.mark.parametrize("penalty", [PENALTY, penalties.L0(0.3), None])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_the_record_survives_pickle_and_a_file(rng, tmp_path, penalty, batch):
    loss = LeastSquares(rng.standard_normal((12, 8)), rng.standard_normal((12, *batch)))
    result = so.minimize(loss, penalty)
    result.save(tmp_path / "result.npz")
    copies = [pickle.loads(pickle.dumps(result)), so.Result.load(tmp_path / "result.npz")]
    for copy in copies:
        assert type(copy) is type(result)
        for name in ("fun", "success", "status", "message", "nit", "certificate", "method"):
            assert getattr(copy, name) == getattr(result, name)
        np.testing.assert_array_equal(copy.x, result.x)
        assert (copy.dual is None) == (result.dual is None)
        if result.dual is not None:
            np.testing.assert_array_equal(copy.dual, result.dual)
        assert list(copy.history) == list(result.history)
        for name, column in result.history.items():
            np.testing.assert_array_equal(copy.history[name], column)
        again = so.minimize(loss, penalty, x0=copy)
        assert again.nit <= result.nit


def test_plain_python_numbers_in_the_record(loss):
    result = fista(loss, PENALTY)
    assert type(result.fun) is float
    assert type(result.certificate) is float
    assert type(result.nit) is int
    assert type(result.success) is bool
    assert "fista" in repr(result)
    assert len(repr(result)) < 400


def test_the_result_is_the_users_to_change(loss):
    """Nothing of the loss or of the next run hangs on the arrays handed out."""
    first = so.minimize(loss, PENALTY)
    kept = first.x.copy()
    first.x[:] = np.nan
    first.dual[:] = np.nan
    np.testing.assert_array_equal(so.minimize(loss, PENALTY).x, kept)


def test_no_warning_on_the_way(rng):
    """NumPy is not heard complaining about divisions that are handled."""
    A = rng.standard_normal((6, 5))
    Y = rng.standard_normal((6, 3)) * [1, 0, 1]
    every = [
        penalties.L1(0.3),
        penalties.L1([0, 1, np.inf, 1, 1]),
        penalties.L1(np.inf),
        penalties.ElasticNet(0.3, 0.1),
        penalties.GroupL2(0.3, [0, 0, 1, 1, 1]),
        penalties.GroupL2(0.3, [0, 0, 1, 1, 1], [0.0, 1.0]),
        penalties.Simplex(),
        penalties.KSparse(0),
        penalties.L0(np.inf),
        penalties.Lq(0.3, 0.5),
        penalties.MCP(0.3, 2.0),
        None,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for penalty in every:
            for y in (Y, Y[:, 0], Y[:, 1]):
                for weights in (None, np.arange(6.0), np.zeros(6)):
                    loss = LeastSquares(A, y, sample_weights=weights)
                    so.minimize(loss, penalty, tol=1e-4)
                    so.minimize(loss, penalty, tol=1e-4, x0=np.ones(loss.shape))
