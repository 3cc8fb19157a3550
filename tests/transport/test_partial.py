"""Part of the mass, against a linear program and a conic solver."""

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from sparseopt import transport
from sparseopt.transport._partial_result import DummyCost


def problem(n=5, m=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, m)), rng.random(n), 2 * rng.random(m)


def by_linprog(C, a, b, mass):
    n, m = C.shape
    rows, cols = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    free = np.isfinite(C).ravel()
    found = linprog(
        C.ravel()[free],
        A_ub=np.vstack([rows, cols])[:, free],
        b_ub=np.concatenate([a, b]),
        A_eq=np.ones((1, free.sum())),
        b_eq=[mass],
        method="highs",
    )
    assert found.status == 0
    return found.fun


def check_plan(P, a, b, mass, atol=1e-12):
    assert P.min() >= 0.0
    assert (P.sum(axis=1) - a).max() <= atol
    assert (P.sum(axis=0) - b).max() <= atol
    assert P.sum() == pytest.approx(mass, abs=atol)


@given(st.integers(1, 5), st.integers(1, 5), st.floats(0.05, 1.0), st.integers(0, 10**6))
def test_exact_equals_the_linear_program(n, m, part, seed):
    C, a, b = problem(n, m, seed)
    C -= 0.4  # negative costs are no reason to transport more
    mass = part * min(a.sum(), b.sum())
    result = transport.partial(C, a, b, mass)
    check_plan(result.plan, a, b, mass)
    assert result.cost == pytest.approx(by_linprog(C, a, b, mass), abs=1e-9)
    assert result.cost == pytest.approx((result.plan * C).sum(), abs=1e-12)
    assert abs(result.gap) <= 1e-9


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1.0])
def test_entropic_bracket_and_small_strength(part):
    C, a, b = problem()
    mass = part * a.sum()
    expected = by_linprog(C, a, b, mass)
    for eps in (0.1, 1e-3):
        result = transport.partial(C, a, b, mass, eps)
        assert result.success
        check_plan(result.plan, a, b, mass, atol=1e-8)
        low, high = result.bracket
        assert low - 1e-12 <= expected <= high + 1e-12
        assert -1e-12 <= result.gap <= 1e-7
    assert result.cost == pytest.approx(expected, rel=1e-2)
    assert (result.plan * C).sum() == pytest.approx(result.cost, abs=1e-8)


@pytest.mark.extras
def test_entropic_equals_the_conic_program():
    cp = require("cvxpy")
    C, a, b = problem(3, 4)
    mass, eps = 0.6 * a.sum(), 0.2
    P = cp.Variable(C.shape, nonneg=True)
    stay_a, stay_b = cp.Variable(3, nonneg=True), cp.Variable(4, nonneg=True)
    entropy = sum(cp.sum(cp.entr(x) + x) for x in (P, stay_a, stay_b))
    rules = [cp.sum(P, 1) + stay_a == a, cp.sum(P, 0) + stay_b == b, cp.sum(P) == mass]
    model = cp.Problem(cp.Minimize(cp.sum(cp.multiply(C, P)) - eps * entropy), rules)
    model.solve(solver="CLARABEL")
    result = transport.partial(C, a, b, mass, eps)
    assert result.value == pytest.approx(model.value, abs=1e-6)
    np.testing.assert_allclose(result.plan, P.value, atol=1e-4)


def test_all_of_equal_masses_is_the_balanced_problem():
    C, a, b = problem()
    b *= a.sum() / b.sum()
    full = transport.exact(C, a, b)
    assert transport.partial(C, a, b, a.sum()).cost == pytest.approx(full.cost, rel=1e-9)
    expected = transport.entropic(C, a, b, 0.1)
    result = transport.partial(C, a, b, a.sum(), 0.1)
    np.testing.assert_allclose(result.plan, expected.plan, atol=1e-9)


def test_points_are_not_made_a_matrix_and_far_ones_stay(rng):
    x = rng.standard_normal((20, 2))
    y = np.concatenate([x[:15] + 0.01, np.full((5, 2), 50.0)])
    cost = transport.PointCost(x, y)
    for eps in (None, 1e-3):
        result = transport.partial(cost, None, None, 0.75, eps, sparse=True)
        assert result.success
        assert result.plan.format == "csr"
        assert result.plan.shape == (20, 20)
        dense = result.plan.toarray()
        check_plan(dense, np.full(20, 0.05), np.full(20, 0.05), 0.75, atol=1e-9)
        assert dense[:, 15:].sum() <= 1e-9
    assert isinstance(result._cost, DummyCost)


def test_dummy_cost(rng):
    C = rng.random((3, 4))
    full = np.zeros((4, 5))
    full[:3, :4], full[3, 4] = C, np.inf
    cost = DummyCost(transport.PointCost(C[:, :1], C[0]))
    full[:3, :4] = cost.inner.to_array()
    np.testing.assert_array_equal(np.vstack([cost.tile(0, 2), cost.tile(2, 4)]), full)
    for rows in ([0, 2], [1, 3], [3]):
        for cols in ([0, 1], [2, 4], [4]):
            rows, cols = np.array(rows), np.array(cols)
            part = cost.take(rows, cols)
            np.testing.assert_array_equal(part.tile(0, len(rows)), full[np.ix_(rows, cols)])


@pytest.mark.parametrize("eps", [None, 0.05])
def test_zero_atoms_forbidden_pairs_float32_and_records(eps, tmp_path):
    C, a, b = problem()
    C[0, :] = np.inf  # all of this row stays
    a[1] = b[3] = 0.0
    copies = C.copy(), a.copy(), b.copy()
    mass = 0.5 * a[2:].sum()
    result = transport.partial(C, a, b, mass, eps)
    assert result.success
    check_plan(result.plan, a, b, mass, atol=1e-8)
    assert not result.plan[:2].any()
    assert not result.plan[:, 3].any()
    for now, before in zip((C, a, b), copies, strict=True):
        np.testing.assert_array_equal(now, before)
    single = transport.partial(C.astype(np.float32), a, b, mass, eps)
    assert single.plan.dtype == np.float32
    np.testing.assert_allclose(single.plan, result.plan, atol=1e-5)
    result.save(tmp_path / "plan.npz")
    again = type(result).load(tmp_path / "plan.npz")
    np.testing.assert_array_equal(again.plan, result.plan)
    if eps is not None:
        warm = transport.partial(C, a, b, mass, eps, x0=result)
        assert warm.nit <= 2


@pytest.mark.parametrize(
    ("mass", "more", "message"),
    [
        (0.0, {}, "^mass must be a positive"),
        (10.0, {}, "^mass must be at most"),
        (0.1, {"eps": -1.0}, "^eps must be"),
        (0.1, {"method": "fastest"}, "^method must be"),
        (0.1, {"eps": 0.1, "x0": np.zeros(6)}, "^x0 must hold"),
        (0.1, {"a": [-1.0] * 5}, "^a must be nonneg"),
    ],
)
def test_bad_input(mass, more, message):
    C, a, b = problem()
    with pytest.raises(ValueError, match=message):
        transport.partial(**{"C": C, "a": a, "b": b, "mass": mass} | more)
