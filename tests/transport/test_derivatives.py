"""Derivatives of plans and values against differences of naively solved problems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import logsumexp

from sparseopt import transport

STEP = 1e-5


def naive_plan(C, a, b, eps):
    """Sinkhorn in the log domain over the atoms with mass, until nothing changes."""
    rows, cols = np.flatnonzero(a), np.flatnonzero(b)
    c, g = C[np.ix_(rows, cols)] / eps, np.zeros(cols.size)
    for _ in range(20_000):
        f = np.log(a[rows]) - logsumexp(g - c, axis=1)
        new = np.log(b[cols]) - logsumexp(f[:, None] - c, axis=0)
        done = np.abs(new - g).max() < 1e-14
        g = new
        if done:
            break
    P = np.zeros(C.shape)
    P[np.ix_(rows, cols)] = np.exp(f[:, None] + g - c)
    return P


def naive_value(C, a, b, eps):
    P = naive_plan(C, a, b, eps)
    return (C * P).sum() + eps * (P[P > 0] * (np.log(P[P > 0]) - 1)).sum()


def naive_quadratic(C, a, b, gamma):
    """Plan and value of quadratic transport: L-BFGS on the dual, then Newton steps."""
    n = len(a)

    def negative_dual(z):
        T = np.maximum(z[:n, None] + z[n:] - C, 0.0) / gamma
        fun = gamma / 2 * (T**2).sum() - a @ z[:n] - b @ z[n:]
        return fun, np.concatenate([T.sum(axis=1) - a, T.sum(axis=0) - b])

    options = {"maxiter": 20_000, "ftol": 1e-16, "gtol": 1e-12}
    z = minimize(
        negative_dual,
        np.zeros(C.shape[0] + C.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options=options,
    ).x
    for _ in range(20):
        S = (z[:n, None] + z[n:] > C) / gamma
        H = np.block([[np.diag(S.sum(axis=1)), S], [S.T, np.diag(S.sum(axis=0))]])
        z = z - np.linalg.lstsq(H, negative_dual(z)[1], rcond=1e-10)[0]
    fun, error = negative_dual(z)
    assert np.abs(error).max() < 1e-13
    return np.maximum(z[:n, None] + z[n:] - C, 0.0) / gamma, -fun


def slope(function, *directions, at, centred=True):
    """Difference quotient of second order of a function of (C, a, b)."""

    def moved(step):
        return function(*(x + step * d for x, d in zip(at, directions, strict=True)))

    if centred:
        return (moved(STEP) - moved(-STEP)) / (2 * STEP)
    return (4 * moved(STEP) - moved(2 * STEP) - 3 * function(*at)) / (2 * STEP)


def masses(rng, size):
    a = rng.random(size) + 0.1
    return a / a.sum()


def balanced(rng, n, m):
    """Changes of both masses by the same total."""
    da, db = rng.normal(size=n), rng.normal(size=m)
    return da, db + (da.sum() - db.sum()) / m


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.05, 0.2, 2.0]), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_entropic_plan_and_value(n, m, eps, seed):
    rng = np.random.default_rng(seed)
    C, G = rng.random((n, m)), rng.normal(size=(n, m))
    a, b = masses(rng, n), masses(rng, m)
    result = transport.entropic(C, a, b, eps, tol=1e-13)
    dC, (da, db) = rng.normal(size=(n, m)), balanced(rng, n, m)
    for gradient, function in (
        (transport.plan_vjp(result, G), lambda *x: (naive_plan(*x, eps) * G).sum()),
        (transport.value_gradient(result), lambda *x: naive_value(*x, eps)),
    ):
        found = (gradient.C * dC).sum() + gradient.a @ da + gradient.b @ db
        wanted = slope(function, dC, da, db, at=(C, a, b))
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)
        assert gradient.a.sum() == pytest.approx(0.0, abs=1e-10)


def test_entropic_plan_with_atoms_without_mass():
    rng = np.random.default_rng(1)
    C, G, dC = rng.random((5, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    a, b = masses(rng, 5), masses(rng, 4)
    a[[0, 3]] = b[2] = 0.0
    b *= a.sum() / b.sum()
    gradient = transport.plan_vjp(transport.entropic(C, a, b, 0.1, tol=1e-13), G)
    assert not gradient.C[[0, 3]].any() and not gradient.C[:, 2].any()

    def function(C, a, b):
        return (naive_plan(C, a, b, 0.1) * G).sum()

    still = np.zeros(5), np.zeros(4)
    wanted = slope(function, dC, *still, at=(C, a, b))
    assert (gradient.C * dC).sum() == pytest.approx(wanted, abs=1e-8)
    da, db = rng.random(5), rng.random(4)  # mass comes in everywhere
    db *= da.sum() / db.sum()
    wanted = slope(function, 0 * C, da, db, at=(C, a, b), centred=False)
    assert gradient.a @ da + gradient.b @ db == pytest.approx(wanted, rel=1e-4)


def test_forbidden_pairs_stay_without_derivative():
    rng = np.random.default_rng(2)
    C, G = rng.random((4, 4)), rng.normal(size=(4, 4))
    C[0, 1] = C[2, 3] = np.inf
    result = transport.entropic(C, None, None, 0.1, tol=1e-13)
    gradient = transport.plan_vjp(result, G)
    assert gradient.C[0, 1] == gradient.C[2, 3] == 0.0 and np.isfinite(gradient.C).all()
    uniform = np.full(4, 0.25)
    dC = np.where(np.isfinite(C), rng.normal(size=(4, 4)), 0.0)

    def function(C):
        return (naive_plan(np.minimum(C, 1e3), uniform, uniform, 0.1) * G).sum()

    assert (gradient.C * dC).sum() == pytest.approx(slope(function, dC, at=(C,)), abs=1e-7)


def test_plan_of_two_atoms_in_closed_form():
    c, eps = 0.7, 0.3
    result = transport.entropic([[0.0, c], [c, 0.0]], None, None, eps, tol=1e-14)
    x = 1.0 / (1.0 + np.exp(-c / eps))
    gradient = transport.plan_vjp(result, np.eye(2))
    # the trace of the plan is x, and every cost moves it by a quarter of what moving c does
    expected = x * (1.0 - x) / eps / 2.0 * np.array([[-1.0, 1.0], [1.0, -1.0]])
    np.testing.assert_allclose(gradient.C, expected, atol=1e-12)


def test_marginals_of_the_plan_do_not_depend_on_costs():
    rng = np.random.default_rng(3)
    result = transport.entropic(rng.random((30, 20)), None, None, 0.02, tol=1e-12)
    G = rng.normal(size=(30, 1)) + rng.normal(size=20)
    gradient = transport.plan_vjp(result, G)
    assert np.abs(gradient.C).max() < 1e-12
    whole = G[:, :1] - G[:, :1].mean()
    np.testing.assert_allclose(gradient.a, whole[:, 0], atol=1e-8)
    gradient = transport.plan_vjp(result, rng.normal(size=(30, 20)))
    assert np.abs(gradient.C.sum(axis=0)).max() < 1e-12
    assert np.abs(gradient.C.sum(axis=1)).max() < 1e-12


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gamma", [0.5, 3.0])
def test_quadratic_plan_and_value(gamma, seed):
    rng = np.random.default_rng(seed)
    C, G, dC = rng.random((5, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    a, b = masses(rng, 5), masses(rng, 4)
    da, db = balanced(rng, 5, 4)
    result = transport.quadratic(C, a, b, gamma, tol=1e-13)
    for gradient, function in (
        (transport.plan_vjp(result, G), lambda *x: (naive_quadratic(*x, gamma)[0] * G).sum()),
        (transport.value_gradient(result), lambda *x: naive_quadratic(*x, gamma)[1]),
    ):
        found = (gradient.C * dC).sum() + gradient.a @ da + gradient.b @ db
        assert found == pytest.approx(slope(function, dC, da, db, at=(C, a, b)), abs=1e-6)


def test_quadratic_entries_outside_cycles_do_not_depend_on_costs():
    rng = np.random.default_rng(0)
    C, a, b = rng.random((5, 4)), masses(rng, 5), masses(rng, 4)
    result = transport.quadratic(C, a, b, 0.01, tol=1e-13)
    assert np.count_nonzero(result.plan) == 5 + 4 - 1  # a tree
    gradient = transport.plan_vjp(result, rng.normal(size=(5, 4)))
    assert np.abs(gradient.C).max() < 1e-10
    assert np.abs(gradient.a).max() > 0.1


def test_quadratic_plan_with_atoms_without_mass():
    rng = np.random.default_rng(6)
    C, G = rng.random((5, 4)), rng.normal(size=(5, 4))
    a, b = masses(rng, 5), masses(rng, 4)
    a[2] = b[0] = 0.0
    b *= a.sum() / b.sum()
    gradient = transport.plan_vjp(transport.quadratic(C, a, b, 1.0, tol=1e-13), G)
    da, db = rng.random(5), rng.random(4)
    db *= da.sum() / db.sum()
    h = 1e-6
    moved, still = (naive_quadratic(C, a + s * da, b + s * db, 1.0)[0] for s in (h, 0.0))
    wanted = ((moved - still) * G).sum() / h
    assert gradient.a @ da + gradient.b @ db == pytest.approx(wanted, rel=1e-5)


def limited(C, a, b, k, mode="relaxed"):
    return transport.cardinality(C, a, b, k=k, gamma=3.0, mode=mode, tol=1e-12)


@pytest.mark.filterwarnings("ignore:k = :UserWarning")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
def test_cardinality_plan_and_value(k, seed):
    """With and without ties at the limit."""
    rng = np.random.default_rng(seed)
    n, m = 6, 7 if k == 1 else 5
    C, G, dC = rng.random((n, m)), rng.normal(size=(n, m)), rng.normal(size=(n, m))
    a, b = masses(rng, n), masses(rng, m)
    da, db = balanced(rng, n, m)
    result = limited(C, a, b, k)
    for gradient, function in (
        (transport.plan_vjp(result, G), lambda *x: (limited(*x, k).plan * G).sum()),
        (transport.value_gradient(result), lambda *x: limited(*x, k).fun),
    ):
        found = (gradient.C * dC).sum() + gradient.a @ da + gradient.b @ db
        assert found == pytest.approx(slope(function, dC, da, db, at=(C, a, b)), abs=1e-4)
    if k == 2:
        assert result.max_nonzeros > k
    if k == n:
        same = transport.plan_vjp(transport.quadratic(C, a, b, 3.0, tol=1e-12), G)
        np.testing.assert_allclose(transport.plan_vjp(result, G).C, same.C, atol=1e-8)


def test_cardinality_with_a_hard_limit_keeps_its_support():
    rng = np.random.default_rng(1)
    C, G, dC = rng.random((4, 4)), rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    a, b = masses(rng, 4), masses(rng, 4)
    da, db = balanced(rng, 4, 4)
    result = limited(C, a, b, 2, "hard")
    gradient = transport.plan_vjp(result, G)
    found = (gradient.C * dC).sum() + gradient.a @ da + gradient.b @ db
    wanted = slope(lambda *x: (limited(*x, 2, "hard").plan * G).sum(), dC, da, db, at=(C, a, b))
    assert found == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(ValueError, match=r"^result must have mode='relaxed'"):
        transport.value_gradient(result)


@pytest.mark.filterwarnings("ignore:k = :UserWarning")
def test_cardinality_plan_that_is_not_unique_is_refused():
    result = limited(np.ones((3, 3)), None, None, 1)  # any plan is optimal
    assert result.max_nonzeros > 1
    with pytest.raises(ValueError, match=r"^result must have a unique plan"):
        transport.plan_vjp(result, np.eye(3))


def test_dtype_sparse_upstream_and_no_mutation():
    rng = np.random.default_rng(4)
    C, G = rng.random((6, 5)).astype(np.float32), rng.normal(size=(6, 5))
    G[rng.random((6, 5)) < 0.5] = 0.0
    kept = G.copy()
    result = transport.entropic(C, None, None, 0.2, tol=1e-7, sparse=True)
    gradient = transport.plan_vjp(result, G)
    np.testing.assert_array_equal(G, kept)
    assert gradient.C.dtype == np.float32 and gradient.a.dtype == np.float64
    np.testing.assert_array_equal(transport.plan_vjp(result, csr_array(G)).C, gradient.C)
    exact = transport.plan_vjp(transport.entropic(C.astype(float), None, None, 0.2), G)
    np.testing.assert_allclose(gradient.C, exact.C, atol=1e-5)
    assert transport.value_gradient(result).C.dtype == np.float32


@pytest.mark.parametrize(
    "G, error, message",
    [
        (np.ones((3, 2)), ValueError, r"^G must have the shape \(2, 3\)"),
        (np.ones(3), ValueError, "^G must have 2 dim"),
        ([[1.0, np.nan, 1.0]] * 2, ValueError, "^G must be finite"),
        (1j * np.ones((2, 3)), TypeError, "^G must be real"),
        ([["a"] * 3] * 2, TypeError, "^G must be"),
    ],
)
def test_bad_upstream(G, error, message):
    result = transport.entropic(np.ones((2, 3)), None, None, 1.0)
    with pytest.raises(error, match=message):
        transport.plan_vjp(result, G)


def test_results_without_a_derivative_are_refused():
    C = np.eye(2)
    others = (
        C,
        transport.exact(C, None, None),
        transport.unbalanced(C, None, None, 0.1, 1.0),
        transport.partial(C, None, None, 0.5, eps=0.1),
    )
    for result in others:
        for function in (lambda r: transport.plan_vjp(r, np.eye(2)), transport.value_gradient):
            with pytest.raises(TypeError, match=r"^result must be"):
                function(result)
