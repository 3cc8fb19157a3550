"""Every composite solver against cvxpy on thirty problems, and their common contract."""

import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from composite_tasks import KINDS, optimum, task
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.sparse.linalg import aslinearoperator

import sparseopt as so
from sparseopt import linop, penalties, solvers
from sparseopt.losses import LeastSquares

ONE = ["proximal_gradient", "sparsa", "anderson", "proximal_newton"]
SEVERAL = ["admm", "primal_dual"]


def methods(t):
    """The names of the solvers that take these terms."""
    if t.pairs or len(t.own) > 1:
        return SEVERAL + ([] if t.pairs else ["davis_yin"])
    smooth = [*SEVERAL, "davis_yin", "douglas_rachford", *ONE]
    return [*smooth, "two_metric_projection"] if isinstance(t.own[0], penalties.L1) else smooth


CASES = [
    pytest.param(seed, name, id=f"{seed}-{name}")
    for seed in range(30)
    for name in methods(task(seed))
]


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # the peer's, by less than 1e-8
@pytest.mark.parametrize(("seed", "name"), CASES)
def test_agrees_with_cvxpy(seed, name):
    best, _ = optimum(seed)
    t = task(seed)
    terms = t.terms if len(t.terms) > 1 or t.pairs else t.own[0]
    result = getattr(solvers, name)(t.loss, terms, tol=1e-9, max_iter=200_000)
    assert result.success
    assert result.method in (name, "fista")
    scale = max(best, 1e-3 * t.objective(np.zeros(t.A.shape[1])))
    if KINDS[seed % 6] == "group, box image":
        # The objective is infinite at a point outside by 1e-9: measure both parts.
        K = t.pairs[0][1]
        image = K @ result.x
        assert np.max(np.abs(image)) <= 0.5 + 1e-6
        near = t.objective(result.x) if np.isfinite(t.objective(result.x)) else result.fun
        assert near == pytest.approx(best, abs=1e-6 * scale)
    else:
        assert t.objective(result.x) == pytest.approx(best, abs=1e-6 * scale)
        assert result.fun == pytest.approx(t.objective(result.x), rel=1e-10)
    if "gap" in result.message:
        zero = t.objective(np.zeros(t.A.shape[1]))
        gaps = result.history["certificate"]
        seen = np.isfinite(gaps)
        assert np.all(gaps[seen] * zero >= result.history["fun"][seen] - best - 1e-8 * zero)


@pytest.mark.parametrize("seed", range(6))
def test_auto_solves_and_says_why(seed):
    t = task(seed)
    result = so.minimize(t.loss, t.terms, tol=1e-7)
    assert result.success
    one = ("fista", "working_set")
    expected = one if len(t.terms) == 1 and not t.pairs else ("admm",)
    assert any(f"auto: {name}" in result.message for name in expected)


def test_auto_with_operators(rng):
    A = linop.compose(linop.Mask(16, np.arange(16) % 3 > 0), linop.DCT(16))
    loss = LeastSquares(A, rng.standard_normal(A.shape[0]))
    positive = penalties.Box(0, np.inf)
    two = so.minimize(loss, [positive, penalties.L1(0.1)])
    assert "auto: davis_yin, two penalties on x" in two.message
    three = so.minimize(loss, [positive, (penalties.L1(0.1), linop.FiniteDifference)])
    assert "auto: primal_dual" in three.message


@pytest.mark.parametrize("name", ["admm", "primal_dual"])
@pytest.mark.parametrize("kind", [np.float32, np.complex128, np.complex64])
def test_precision_and_complex_numbers(rng, name, kind):
    A = rng.standard_normal((12, 10)).astype(kind)
    if np.dtype(kind).kind == "c":
        A = A + 1j * rng.standard_normal((12, 10)).astype(kind)
    A = A.astype(kind)
    y = (A @ np.repeat([0, 2.0], 5)).astype(kind)
    terms = [penalties.L1(0.5), (penalties.L1(1.0), linop.FiniteDifference(10, axis=0))]
    result = getattr(solvers, name)(LeastSquares(A, y), terms)
    assert result.success
    assert result.x.dtype == kind
    double = np.complex128 if np.dtype(kind).kind == "c" else np.float64
    loss = LeastSquares(A.astype(double), y.astype(double))
    exact = getattr(solvers, name)(loss, terms, tol=1e-10)
    assert result.fun == pytest.approx(exact.fun, rel=1e-2 if kind != np.complex128 else 1e-4)


@pytest.mark.parametrize(
    "name", ["admm", "primal_dual", "davis_yin", "douglas_rachford", "sparsa", "anderson"]
)
@pytest.mark.parametrize("lazy", [False, True])
def test_columns_share_the_matrix(rng, name, lazy):
    A, Y = rng.standard_normal((12, 8)), rng.standard_normal((12, 3))
    operator = aslinearoperator(A) if lazy else A
    solver = getattr(solvers, name)
    together = solver(LeastSquares(operator, Y), penalties.L1(0.5), tol=1e-10)
    for j in range(3):
        alone = solver(LeastSquares(operator, Y[:, j]), penalties.L1(0.5), tol=1e-10)
        np.testing.assert_allclose(together.x[:, j], alone.x, atol=1e-4)


EVERY = ["admm", "primal_dual", "davis_yin", "douglas_rachford", *ONE, "two_metric_projection"]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_one_row_one_column(rng, name, shape):
    A, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    loss = LeastSquares(A, y)
    result = getattr(solvers, name)(loss, penalties.L1(0.1), tol=1e-9)
    best = solvers.proximal_gradient(loss, penalties.L1(0.1), tol=1e-12)
    assert result.success
    assert result.fun == pytest.approx(best.fun, abs=1e-8)


@pytest.mark.parametrize("name", EVERY)
def test_a_zero_matrix(name):
    loss = LeastSquares(np.zeros((3, 2)), np.ones(3))
    for x0 in (None, np.ones(2)):
        result = getattr(solvers, name)(loss, penalties.L1(0.1), x0=x0)
        assert result.success
        np.testing.assert_allclose(result.x, 0.0, atol=1e-12)


@pytest.mark.parametrize("name", SEVERAL)
def test_operators_of_nothing(rng, name):
    solver = getattr(solvers, name)
    loss = LeastSquares(np.eye(2), [1.0, 1.0])
    result = solver(loss, [penalties.L1(0.1), (penalties.L1(1.0), np.zeros((2, 2)))], tol=1e-9)
    np.testing.assert_allclose(result.x, [0.9, 0.9], atol=1e-3)
    # Neither A nor K sees the difference of the two: the equations are singular.
    loss = LeastSquares(np.ones((1, 2)), [1.0])
    result = solver(loss, (penalties.L1(0.1), np.ones((3, 2))), tol=1e-9)
    assert result.success
    assert result.x.sum() == pytest.approx(0.7, abs=1e-6)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("size", [1e-8, 1e8])
def test_far_starts(rng, name, size):
    loss = LeastSquares(rng.standard_normal((9, 4)), np.ones(9))
    best = solvers.proximal_gradient(loss, penalties.L1(0.3), tol=1e-12)
    result = getattr(solvers, name)(loss, penalties.L1(0.3), x0=size * np.ones(4), tol=1e-8)
    assert result.success
    assert result.fun == pytest.approx(best.fun, rel=1e-6)


@given(
    A=arrays(float, (4, 3), elements=st.floats(-3, 3, width=16)),
    y=arrays(float, 4, elements=st.floats(-3, 3, width=16)),
    lam=st.floats(0.01, 3),
    mu=st.floats(0.01, 3),
)
def test_admm_and_primal_dual_bracket_each_other(A, y, lam, mu):
    """The gap of one run bounds how far the other can be below it, whatever the numbers."""
    D = np.diff(np.eye(3), axis=0)
    terms = [penalties.L1(lam), (penalties.L1(mu), D)]
    loss = LeastSquares(A, y)
    a = solvers.admm(loss, terms, tol=1e-5, max_iter=50_000)
    b = solvers.primal_dual(loss, terms, tol=1e-5, max_iter=50_000)
    scale = 0.5 * y @ y
    assert a.fun - b.fun <= a.certificate * scale + 1e-12
    assert b.fun - a.fun <= b.certificate * scale + 1e-12


@pytest.mark.parametrize("name", EVERY)
def test_zero_data_end_at_once(rng, name):
    loss = LeastSquares(rng.standard_normal((4, 6)), np.zeros(4))
    result = getattr(solvers, name)(loss, penalties.L1(0.1), x0=np.ones(6))
    assert result.success
    assert result.nit == 0
    assert not result.x.any()


@pytest.mark.parametrize("name", EVERY)
def test_inputs_stay_and_runs_repeat(rng, name):
    A, y, x0 = rng.standard_normal((6, 9)), rng.standard_normal(6), rng.standard_normal(9)
    kept = [a.copy() for a in (A, y, x0)]
    for a in (A, y, x0):
        a.flags.writeable = False
    solver = getattr(solvers, name)
    first = solver(LeastSquares(A, y), penalties.L1(0.2), x0=x0)
    second = solver(LeastSquares(A, y), penalties.L1(0.2), x0=x0)
    np.testing.assert_array_equal(first.x, second.x)
    for a, b in zip((A, y, x0), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    warm = solver(LeastSquares(A, y), penalties.L1(0.2), x0=first)
    assert warm.success
    assert not np.shares_memory(warm.x, first.x)


@pytest.mark.parametrize("name", EVERY)
def test_the_driver_runs_them_all(rng, name, capsys):
    loss = LeastSquares(rng.standard_normal((10, 20)), rng.standard_normal(10))
    solver = getattr(solvers, name)

    def stop(state):
        if state.nit == 2:
            raise StopIteration

    stopped = solver(loss, penalties.L1(0.1), callback=stop, tol=1e-14)
    assert stopped.status is so.Status.STOPPED
    assert stopped.nit == 2
    with pytest.warns(so.ConvergenceWarning, match="max_iter"):
        short = solver(loss, penalties.L1(0.1), max_iter=3, tol=1e-14)
    assert short.nit == 3
    assert len(short.history["fun"]) == 4
    assert short.certificate == short.history["certificate"][-1]
    exact = 0.5 * np.sum((loss.A @ short.x - loss.y) ** 2) + 0.1 * np.abs(short.x).sum()
    assert short.fun == pytest.approx(exact)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", EVERY)
def test_an_operator_that_breaks_down(rng, name):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    count = [0]

    class Broken(LeastSquares):
        def gradient_at(self, z):
            count[0] += 1
            u = super().gradient_at(z)
            return u * np.nan if count[0] > 3 else u

        def value_at(self, z):
            return np.nan if count[0] > 3 else super().value_at(z)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = getattr(solvers, name)(Broken(A, y), penalties.L1(0.1), tol=1e-14)
    assert result.status is so.Status.NON_FINITE
    assert np.isfinite(result.x).all()


class Everywhere:
    """A penalty that says it is not convex."""

    is_convex = False
    value = staticmethod(lambda x: 0.0)
    prox = staticmethod(lambda v, step=1.0: v)


BAD = [
    (ValueError, "penalty must be convex", lambda f: solvers.admm(f, penalties.L0(1.0))),
    (ValueError, "penalty must be convex", lambda f: solvers.primal_dual(f, Everywhere())),
    (TypeError, "penalty must have", lambda f: so.minimize(f, [3.0, penalties.L1(1.0)])),
    (ValueError, "pairs", lambda f: so.minimize(f, [(penalties.L1(1.0),)])),
    (
        ValueError,
        "K must have 4 columns",
        lambda f: solvers.admm(f, (penalties.L1(1.0), np.eye(3))),
    ),
    (TypeError, "K must be real", lambda f: solvers.admm(f, (penalties.L1(1.0), 1j * np.eye(4)))),
    (ValueError, "relaxation", lambda f: solvers.admm(f, penalties.L1(1.0), relaxation=2.0)),
    (ValueError, "rho", lambda f: solvers.admm(f, penalties.L1(1.0), rho=0.0)),
    (ValueError, "x0", lambda f: solvers.primal_dual(None, penalties.L1(1.0))),
    (
        ValueError,
        "step",
        lambda f: solvers.primal_dual(f, (penalties.L1(1.0), np.eye(4)), step=1e9),
    ),
    (ValueError, "ratio", lambda f: solvers.primal_dual(f, penalties.L1(1.0), step=1.0, ratio=1.0)),
    (
        ValueError,
        "separable",
        lambda f: solvers.primal_dual(f, (penalties.L2(1.0), np.eye(4)), precondition=True),
    ),
    (
        ValueError,
        "K must be a matrix",
        lambda f: solvers.primal_dual(
            f, (penalties.L1(1.0), linop.FiniteDifference), precondition=True
        ),
    ),
    (ValueError, "davis_yin", lambda f: solvers.davis_yin(f, [(penalties.L1(1.0), np.eye(4))])),
    (
        ValueError,
        "douglas_rachford",
        lambda f: solvers.douglas_rachford(f, [penalties.L1(1.0), penalties.L1(1.0)]),
    ),
    (
        ValueError,
        "one penalty",
        lambda f: solvers.sparsa(f, [penalties.L1(1.0), penalties.L1(1.0)]),
    ),
    (ValueError, "memory", lambda f: solvers.sparsa(f, penalties.L1(1.0), memory=0)),
    (ValueError, "window", lambda f: solvers.anderson(f, penalties.L1(1.0), window=0)),
    (ValueError, "hessian", lambda f: solvers.proximal_newton(f, penalties.L1(1.0), hessian="x")),
    (TypeError, "two_metric", lambda f: solvers.two_metric_projection(f, penalties.L2(1.0))),
    (ValueError, "momentum", lambda f: so.minimize(f, penalties.L1(1.0), momentum=2.0)),
    (ValueError, "method", lambda f: so.minimize(f, method="newton")),
]


@pytest.mark.parametrize(("error", "match", "call"), BAD)
def test_bad_input(rng, error, match, call):
    with pytest.raises(error, match=match):
        call(LeastSquares(rng.standard_normal((5, 4)), rng.standard_normal(5)))
