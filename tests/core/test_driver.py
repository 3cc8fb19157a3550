"""The iteration driver: every way a run can end, and what is kept of it."""

import dataclasses
import math
import warnings

import numpy as np
import pytest

import sparseopt as so
from sparseopt._core import State, iterate
from sparseopt._core._validate import axis_index, choice, finite_array, integer, parameter, positive


def halve(state):
    """A step towards zero whose certificate is the distance."""
    x = state.x / 2
    return State(x=x, fun=float(x @ x), certificate=float(abs(x).max()))


def start(value=1.0, **fields):
    x = np.full(2, value)
    return State(**{"x": x, "fun": float(x @ x), "certificate": float(value), **fields})


def run(step=halve, state=None, **options):
    options = {"tol": 1e-3, "max_iter": 100, "certificate": "distance", **options}
    return iterate(state or start(), step, **options)


def raising_at(nit, error, step=halve):
    def wrapped(state):
        if state.nit + 1 == nit:
            raise error
        return step(state)

    return wrapped


def with_fun(nit, value):
    def step(state):
        new = halve(state)
        return dataclasses.replace(new, fun=value) if state.nit + 1 == nit else new

    return step


def test_tol_reached():
    done = run()
    assert done.status is so.Status.CONVERGED
    assert done.nit == 10
    assert done.state.certificate <= 1e-3
    assert done.message == "converged: distance 9.77e-04 <= tol 1.0e-03 after 10 iterations"
    assert [len(v) for v in done.history.values()] == [11, 11, 11]
    assert list(done.history) == ["fun", "certificate", "time"]
    assert done.history["certificate"][0] == 1.0
    assert done.history["time"][0] == 0.0
    assert (np.diff(done.history["time"]) >= 0).all()


def test_history_counts_the_iterations_of_long_steps():
    done = run(step=lambda state: dataclasses.replace(halve(state), advance=3))
    assert done.nit == 30
    np.testing.assert_array_equal(done.history["nit"], 3.0 * np.arange(11))


@pytest.mark.parametrize("certificate", [0.0, 1e-3])
def test_tol_reached_at_the_start(certificate):
    calls = []
    done = run(step=calls.append, state=start(certificate=certificate), callback=calls.append)
    assert done.status is so.Status.CONVERGED
    assert done.nit == 0
    assert not calls
    assert "after 0 iterations" in done.message


@pytest.mark.parametrize("max_iter", [0, 1, 3])
def test_budget(max_iter):
    with pytest.warns(so.ConvergenceWarning, match="max_iter"):
        done = run(max_iter=max_iter)
    assert done.status is so.Status.MAX_ITER
    assert not done.status.is_success
    assert done.nit == max_iter
    assert done.state.x[0] == 0.5**max_iter
    assert len(done.history["fun"]) == max_iter + 1
    assert ("1 iteration " in done.message) == (max_iter == 1)


def test_budget_just_enough_is_convergence():
    assert run(max_iter=10).status is so.Status.CONVERGED


def test_stop_iteration_from_the_callback():
    seen = []

    def callback(state):
        seen.append((state.nit, state.time))
        if state.nit == 4:
            raise StopIteration

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = run(callback=callback)
    assert done.status is so.Status.STOPPED
    assert [nit for nit, _ in seen] == [1, 2, 3, 4]
    assert all(seconds > 0 for _, seconds in seen)
    assert done.nit == 4
    assert done.state.x[0] == 0.5**4
    assert len(done.history["fun"]) == 5
    assert "callback" in done.message


def test_ctrl_c_in_a_step_keeps_the_state_before():
    with pytest.warns(so.ConvergenceWarning, match="interrupted after 3 iterations"):
        done = run(step=raising_at(4, KeyboardInterrupt))
    assert done.status is so.Status.INTERRUPTED
    assert done.nit == 3
    assert done.state.x[0] == 0.5**3
    assert len(done.history["fun"]) == len(done.history["time"]) == 4


def test_ctrl_c_in_the_callback_keeps_the_new_state():
    def callback(state):
        if state.nit == 4:
            raise KeyboardInterrupt

    with pytest.warns(so.ConvergenceWarning, match="interrupted"):
        done = run(callback=callback)
    assert done.status is so.Status.INTERRUPTED
    assert done.nit == 4
    assert done.state.x[0] == 0.5**4
    assert len(done.history["fun"]) == 5


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError):
        run(step=raising_at(2, ZeroDivisionError))

    def callback(state):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run(callback=callback)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_objective_not_finite(value):
    with pytest.warns(so.ConvergenceWarning, match="last finite iterate is returned"):
        done = run(step=with_fun(3, value))
    assert done.status is so.Status.NON_FINITE
    assert done.nit == 2
    assert done.state.x[0] == 0.25
    assert math.isfinite(done.state.fun)
    assert np.isfinite(done.history["fun"]).all()
    assert f"the objective became {value}" in done.message


def test_a_step_that_says_it_is_stalled_ends_the_run():
    def step(state):
        new = halve(state)
        new.stalled = "no step is better" if state.nit == 4 else ""
        return new

    with pytest.warns(so.ConvergenceWarning, match="no step is better"):
        done = run(step=step)
    assert done.status is so.Status.STALLED
    assert done.nit == 5
    assert done.state.x[0] == 0.5**5


def test_objective_nan_at_the_start():
    with pytest.warns(so.ConvergenceWarning, match="start"):
        done = run(state=start(fun=math.nan))
    assert done.status is so.Status.NON_FINITE
    assert done.nit == 0


def test_an_infeasible_start_is_allowed():
    def step(state):
        new = halve(state)
        return dataclasses.replace(new, fun=math.inf) if state.nit < 2 else new

    done = run(step=step, state=start(fun=math.inf))
    assert done.status is so.Status.CONVERGED
    assert np.isinf(done.history["fun"][:3]).all()
    assert np.isfinite(done.history["fun"][3:]).all()


def test_certificate_that_is_not_evaluated_every_time():
    def step(state):
        new = halve(state)
        return new if state.nit % 5 == 4 else dataclasses.replace(new, certificate=math.nan)

    done = run(step=step, state=start(certificate=math.nan))
    assert done.status is so.Status.CONVERGED
    assert done.nit == 10
    assert np.isnan(done.history["certificate"]).sum() == 9


def test_history_columns_that_come_late_or_go_missing():
    def step(state):
        new = halve(state)
        if state.nit + 1 in (3, 4, 7):
            new.extra = {"rho": float(state.nit)}
        return new

    history = run(step=step).history
    assert {len(column) for column in history.values()} == {11}
    assert np.flatnonzero(np.isfinite(history["rho"])).tolist() == [3, 4, 7]
    assert history["rho"].dtype == np.float64


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"tol": 0}, ValueError, "tol"),
        ({"tol": -1e-3}, ValueError, "tol"),
        ({"tol": math.nan}, ValueError, "tol"),
        ({"tol": math.inf}, ValueError, "tol"),
        ({"tol": "1e-3"}, TypeError, "tol"),
        ({"tol": None}, TypeError, "tol"),
        ({"tol": True}, TypeError, "tol"),
        ({"tol": np.array([1e-3])}, TypeError, "tol"),
        ({"max_iter": -1}, ValueError, "max_iter"),
        ({"max_iter": 10.0}, TypeError, "max_iter"),
        ({"max_iter": True}, TypeError, "max_iter"),
        ({"max_iter": None}, TypeError, "max_iter"),
    ],
)
def test_bad_controls(options, error, match):
    with pytest.raises(error, match=match):
        run(**options)


@pytest.mark.parametrize("tol", [np.float32(1e-3), np.array(1e-3), 1])
def test_numbers_of_other_types(tol):
    assert run(tol=tol, max_iter=np.int32(50)).status is so.Status.CONVERGED


def test_warning_points_at_this_file():
    with pytest.warns(so.ConvergenceWarning) as caught:
        run(max_iter=1)
    assert caught[0].filename == __file__
    A = np.random.default_rng(0).standard_normal((5, 8))
    with pytest.warns(so.ConvergenceWarning) as caught:
        so.minimize(so.losses.LeastSquares(A, A[:, 0]), so.penalties.L2(0.1), max_iter=1)
    assert caught[0].filename == __file__
    with open(__file__) as file:
        assert "max_iter=1" in file.readlines()[caught[0].lineno - 1]


def test_progress_bar_writes_to_stderr(capsys):
    run(progress=True, label="halving")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "halving" in captured.err
    assert "certificate=" in captured.err
    run()
    assert capsys.readouterr().err == ""


def test_progress_bar_closes_on_errors(capsys):
    with pytest.warns(so.ConvergenceWarning):
        run(step=raising_at(3, KeyboardInterrupt), progress=True)
    assert capsys.readouterr().err.endswith("\n")


def test_fields_of_a_result():
    done = run()
    result = so.Result(**done.fields("halving"))
    assert result.success
    assert result.method == "halving"
    assert result.nit == 10
    assert type(result.fun) is float
    assert result.history is done.history


def test_status():
    assert [s.is_success for s in so.Status] == [True, False, False, False, False, True, False]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: positive("a", 0), ValueError, "a must be a positive"),
        (lambda: positive("a", 1j), TypeError, "a must be a real number, got complex"),
        (lambda: integer("a", 5, 0, 4), ValueError, "a must be between 0 and 4, got 5"),
        (lambda: integer("a", -1, 0), ValueError, "a must be at least 0, got -1"),
        (lambda: integer("a", np.float64(1.0), 0), TypeError, "a must be an integer"),
        (lambda: choice("a", "x", ("y", "z")), ValueError, r"a must be one of \['y', 'z'\]"),
        (lambda: parameter("a", -1), ValueError, r"a must be >= 0 everywhere, got -1"),
        (lambda: parameter("a", 0, strict=True), ValueError, "a must be > 0"),
        (lambda: parameter("a", [1.0, math.nan]), ValueError, "a must not contain NaN"),
        (lambda: parameter("a", math.nan), ValueError, "a must not contain NaN"),
        (lambda: parameter("a", math.inf, finite=True), ValueError, "a must be finite"),
        (lambda: parameter("a", [1, math.inf], finite=True), ValueError, "a must be finite"),
        (lambda: parameter("a", -math.inf), ValueError, "a must be >= 0"),
        (lambda: parameter("a", "x"), TypeError, "a must be real"),
        (lambda: parameter("a", None), TypeError, "a must be real"),
        (lambda: parameter("a", [1j]), TypeError, "a must be real"),
        (lambda: finite_array("a", [math.nan, 1]), ValueError, "a must be finite, got 1 NaN"),
        (lambda: finite_array("a", [[1.0]], ndim=(1,)), ValueError, r"a must have 1 dimension"),
        (lambda: finite_array("a", ["x"]), TypeError, "a must be a real or complex"),
        (lambda: finite_array("a", [None]), TypeError, "a must be a real or complex"),
        (lambda: axis_index(2, 2), ValueError, "axis"),
        (lambda: axis_index(-3, 2), ValueError, "axis"),
        (lambda: axis_index(0.0, 2), TypeError, "axis"),
    ],
)
def test_validation(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_validation_accepts():
    assert positive("a", np.float32(2)) == 2.0
    assert integer("a", np.uint8(3), 0, 3) == 3
    assert choice("a", None, ("x", None)) is None
    assert parameter("a", 3) == 3.0
    assert type(parameter("a", np.float32(3))) is float
    assert parameter("a", []).shape == (0,)
    assert parameter("a", math.inf) == math.inf
    assert axis_index(-1, 3) == 2
    assert axis_index(0, 0) == 0
    assert finite_array("a", [1, 2]).dtype == np.float64
    assert finite_array("a", np.float16([1, 2])).dtype == np.float32
    assert finite_array("a", np.arange(3, dtype=">f4")).dtype == np.dtype("=f4")
