"""Marginals at a price, against the optimality conditions, a conic solver and limits."""

import warnings

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import xlogy

import sparseopt as so
from sparseopt import transport

INF = np.inf


def problem(n=6, m=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, m)), rng.random(n), 3 * rng.random(m)


def kl(x, y):
    return (xlogy(x, x / y) - x + y).sum()


def primal(P, C, a, b, eps, rho):
    value = (C * P).sum() + eps * (xlogy(P, P) - P).sum()
    for sums, masses, price in ((P.sum(1), a, rho[0]), (P.sum(0), b, rho[1])):
        value += price * kl(sums, masses) if price < INF else 0.0
    return value


def check(result, C, a, b, eps, rho, atol=1e-8):
    """The optimality conditions, from the potentials alone."""
    assert result.success
    f, g = result.potentials
    P = np.exp((f[:, None] + g - C) / eps)
    np.testing.assert_allclose(result.plan, P, rtol=1e-13 / min(eps, 0.1))
    np.testing.assert_allclose(P.sum(1), a * np.exp(-f / rho[0]), atol=atol * a.sum())
    np.testing.assert_allclose(P.sum(0), b * np.exp(-g / rho[1]), atol=atol * b.sum())
    value = primal(P, C, a, b, eps, rho)
    scale = max(1.0, abs(value))
    assert result.fun == pytest.approx(value, abs=1e-7 * scale)
    assert result.value == pytest.approx(value, abs=1e-7 * scale)
    assert -1e-12 * scale <= result.gap <= 1e-7 * scale
    assert result.transported == pytest.approx(P.sum())


@pytest.mark.parametrize("method", ["auto", "newton", "sinkhorn"])
@pytest.mark.parametrize("shape", [(6, 8), (8, 6)])
@pytest.mark.parametrize("rho", [(1.0, 1.0), (0.3, 2.0), (INF, 0.5), (0.5, INF)])
def test_optimality(method, shape, rho):
    C, a, b = problem(*shape)
    result = transport.unbalanced(C - 0.2, a, b, 0.05, rho, method=method)
    check(result, C - 0.2, a, b, 0.05, rho)
    assert result.marginal_error == pytest.approx(result.certificate, abs=1e-12)


@pytest.mark.extras
@pytest.mark.parametrize("rho", [(1.0, 1.0), (0.2, 3.0), (INF, 0.5)])
def test_equals_the_conic_program(rho):
    cp = require("cvxpy")
    C, a, b = problem(4, 5)
    eps = 0.1
    P = cp.Variable(C.shape, nonneg=True)
    terms = [cp.sum(cp.multiply(C, P)) - eps * cp.sum(cp.entr(P) + P)]
    rules = []
    for sums, masses, price in ((cp.sum(P, 1), a, rho[0]), (cp.sum(P, 0), b, rho[1])):
        if price < INF:
            terms.append(price * cp.sum(cp.kl_div(sums, masses)))
        else:
            rules.append(sums == masses)
    model = cp.Problem(cp.Minimize(sum(terms)), rules)
    model.solve(solver="CLARABEL")
    result = transport.unbalanced(C, a, b, eps, rho)
    assert result.value == pytest.approx(model.value, rel=1e-6)
    np.testing.assert_allclose(result.plan, P.value, atol=2e-4)


def test_one_pair_in_closed_form():
    # P = exp((f + g - c) / eps), P = a exp(-f / r) = b exp(-g / s)
    a, b, c, eps, r, s = 2.0, 0.5, 0.7, 0.3, 1.5, 0.8
    log_mass = (r * np.log(a) + s * np.log(b) - c) / (eps + r + s)
    result = transport.unbalanced([[c]], [a], [b], eps, (r, s), tol=1e-13)
    assert result.plan[0, 0] == pytest.approx(np.exp(log_mass), rel=1e-12)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.floats(-3, 2),
    st.floats(-2, 3),
    st.integers(0, 10**6),
)
def test_any_strength_and_price(n, m, log_eps, log_rho, seed):
    C, a, b = problem(n, m, seed)
    eps, rho = 10.0**log_eps, 10.0**log_rho
    result = transport.unbalanced(C, a, b, eps, rho)
    check(result, C, a, b, eps, (rho, rho))
    low, high = result.bracket
    assert low <= high + 1e-9 * abs(high)


def test_high_prices_give_the_balanced_plan():
    C, a, b = problem()
    b *= a.sum() / b.sum()
    expected = transport.entropic(C, a, b, 0.05)
    for rho in (1e6, (INF, 1e6), INF):
        result = transport.unbalanced(C, a, b, 0.05, rho)
        assert result.success
        np.testing.assert_allclose(result.plan, expected.plan, atol=1e-5)
        assert result.cost == pytest.approx(expected.cost, rel=1e-5)
        assert result.gap <= 1e-7
    with pytest.raises(ValueError, match=r"^b must have the total"):
        transport.unbalanced(C, a, 2 * b, 0.05, INF)


def test_hard_problem_with_small_strength_and_high_price(rng):
    x, y = rng.standard_normal((60, 2)), rng.standard_normal((80, 2)) + 1.0
    cost = transport.PointCost(x, y)
    a, b = rng.random(60), rng.random(80)
    C = cost.to_array()
    for eps in (1e-2, 1e-3):
        result = transport.unbalanced(cost, a, b, eps, 50.0)
        check(result, C, a, b, eps, (50.0, 50.0))
        assert result.nit < 500


def test_bracket_holds_the_problem_without_entropy():
    C, a, b = problem(4, 3)
    result = transport.unbalanced(C, a, b, 1e-4, 0.5)
    low, high = result.bracket
    assert high - low <= 1e-2
    for eps in (1.0, 0.1, 0.01):
        wide = transport.unbalanced(C, a, b, eps, 0.5).bracket
        assert wide[0] <= high
        assert low <= wide[1]


def test_zero_atoms_forbidden_pairs_and_sparse_plans():
    C, a, b = problem(5, 6)
    C[0, 1] = C[3, 3] = INF
    a[2] = b[0] = b[5] = 0.0
    result = transport.unbalanced(C, a, b, 0.02, (0.5, 1.0))
    assert result.success
    assert np.isfinite(result.x).all()
    P = result.plan
    assert P[0, 1] == P[3, 3] == 0.0
    assert not P[2].any()
    assert not P[:, [0, 5]].any()
    f, g = result.potentials
    np.testing.assert_allclose(P.sum(1), a * np.exp(-f / 0.5), atol=1e-9)
    np.testing.assert_allclose(P.sum(0), b * np.exp(-g), atol=1e-9)
    inner = transport.unbalanced(
        np.delete(np.delete(C, 2, 0), [0, 5], 1), a[a > 0], b[b > 0], 0.02, (0.5, 1.0)
    )
    assert inner.fun == pytest.approx(result.fun, rel=1e-9)
    assert -1e-12 <= result.gap <= 1e-8
    sparse = result.sparse_plan(0.05)
    np.testing.assert_allclose(sparse.sum(axis=1), P.sum(axis=1), atol=1e-14)
    np.testing.assert_allclose(sparse.sum(axis=0), P.sum(axis=0), atol=1e-14)
    assert not sparse.toarray()[[0, 3], [1, 3]].any()
    assert result.relative_marginal_error <= 1e-8


def test_costs_are_not_shifted():
    C, a, b = problem()
    near = transport.unbalanced(C, a, b, 0.1, 1.0).transported
    assert transport.unbalanced(C + 5.0, a, b, 0.1, 1.0).transported < 0.2 * near
    nothing = transport.unbalanced(C + 50_000.0, a, b, 0.1, 1.0)
    assert (nothing.success, nothing.transported) == (True, 0.0)
    assert nothing.value == pytest.approx(a.sum() + b.sum())


def test_masses_over_many_orders():
    C, _, b = problem(6, 5)
    a = 10.0 ** -np.arange(0, 12, 2)
    check(transport.unbalanced(C, a, b, 0.01, 1.0), C, a, b, 0.01, (1.0, 1.0))


def test_warm_start_callback_float32_and_records(tmp_path):
    C, a, b = problem()
    copies = C.copy(), a.copy(), b.copy()
    seen = []
    result = transport.unbalanced(C, a, b, 0.01, 1.0, callback=lambda state: seen.append(state.eps))
    assert len(seen) == result.nit
    assert set(result.history["phase"]) <= {0.0, 1.0}
    for x0 in (result, result.potentials, result.potentials[1]):
        assert transport.unbalanced(C, a, b, 0.01, 1.0, x0=x0).nit <= 1
        assert transport.unbalanced(C.T, b, a, 0.01, 1.0, x0=result.potentials[::-1]).nit <= 1
    for now, before in zip((C, a, b), copies, strict=True):
        np.testing.assert_array_equal(now, before)
    single = transport.unbalanced(C.astype(np.float32), a, b, 0.01, 1.0)
    assert single.plan.dtype == np.float32
    np.testing.assert_allclose(single.plan, result.plan, atol=1e-4)
    result.save(tmp_path / "plan.npz")
    again = transport.UnbalancedResult.load(tmp_path / "plan.npz")
    assert again.rho == (1.0, 1.0)
    assert again.value == result.value
    assert result.value_kl == pytest.approx(
        result.value
        + 0.01
        * (
            kl(result.plan, np.outer(a, b))
            - xlogy(result.plan, result.plan).sum()
            + result.plan.sum()
        )
    )


def test_budget():
    C, a, b = problem()
    with pytest.warns(so.ConvergenceWarning):
        result = transport.unbalanced(C, a, b, 1e-3, 10.0, max_iter=3)
    assert not result.success
    assert result.certificate == pytest.approx(result.marginal_error)
    assert result.gap > 0.0


def test_the_limit_of_precision_ends_the_run(rng):
    C, a, b = rng.random((60, 50)), 10.0 ** -rng.integers(0, 12, 60), rng.random(50)
    with pytest.warns(so.ConvergenceWarning, match="as precise as"):
        result = transport.unbalanced(C + 1e8, a, b, 1e-2, 1e8)
    assert not result.success
    assert result.certificate <= 1e-5
    assert result.nit < 2000


BAD = [
    ({"rho": 0.0}, ValueError, "^rho must be > 0"),
    ({"rho": (1.0, -1.0)}, ValueError, "^rho must be > 0"),
    ({"rho": (1.0, 1.0, 1.0)}, ValueError, "^rho must be a number or a pair"),
    ({"rho": np.ones(3)}, ValueError, "^rho must be a number or a pair"),
    ({"rho": np.nan}, ValueError, "^rho must not contain NaN"),
    ({"rho": "big"}, TypeError, "^rho must be real"),
    ({"eps": 0.0}, ValueError, "^eps must be"),
    ({"method": "fastest"}, ValueError, "^method must be one of"),
    ({"tol": 0.0}, ValueError, "^tol must be"),
    ({"a": [-1.0] * 6}, ValueError, "^a must be nonnegative"),
    ({"x0": np.zeros(3)}, ValueError, "^x0 must hold"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_input(change, error, message):
    C, a, b = problem()
    with pytest.raises(error, match=message):
        transport.unbalanced(**{"C": C, "a": a, "b": b, "eps": 0.1, "rho": 1.0} | change)


@pytest.mark.parametrize("eps", [1e-4, 1e-6])
def test_negative_costs_at_a_small_strength(eps):
    rng = np.random.default_rng(0)
    C = rng.random((5, 7)) - 0.5
    a, b = rng.random(5), rng.random(7)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = transport.unbalanced(C, a, b, eps, 1.0, tol=1e-7)
        assert result.success and 0.0 <= result.gap + 1e-12 < 1e-6
    # Rows of mass a e^{-f}, columns of mass b e^{-g}.
    f, g = result.potentials
    np.testing.assert_allclose(result.plan.sum(axis=1), a * np.exp(-f), rtol=1e-6)
    np.testing.assert_allclose(result.plan.sum(axis=0), b * np.exp(-g), rtol=1e-6)


def test_low_prices_leave_no_warnings_or_nan():
    rng = np.random.default_rng(1)
    C = rng.random((7, 24)) - 0.5
    a, b = rng.random(7), rng.random(24)
    a[3] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = transport.unbalanced(C, a, b, 1.0, 1e-4)
        assert result.success and result.marginal_error < 1e-8
        low, high = result.bracket
    assert low <= high and abs(result.gap) < 1e-8


def test_columns_whose_mass_underflows():
    rng = np.random.default_rng(0)
    C = rng.random((2, 300))
    a, b = rng.random(2), rng.random(300)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = transport.unbalanced(C, a, b, 1e-6, 1e-3)
    assert result.success and np.isfinite(result.plan).all()


def test_a_far_start_does_no_harm():
    C, a, b = problem()
    cold = transport.unbalanced(C, a, b, 0.1, 1.0)
    far = transport.unbalanced(C, a, b, 0.1, 1.0, x0=np.full(b.size, 1e8))
    assert far.success
    np.testing.assert_allclose(far.plan, cold.plan, atol=1e-8)
