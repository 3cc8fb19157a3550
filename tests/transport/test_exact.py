"""Transport without regularisation, against enumeration and a linear program."""

import itertools

import numpy as np
import pytest
from helpers import run_python
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from sparseopt import transport


def by_linprog(C, a, b):
    """The value of the dense linear program."""
    n, m = C.shape
    A = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    free = np.isfinite(C).ravel()
    found = linprog(C.ravel()[free], A_eq=A[:, free], b_eq=np.concatenate([a, b]), method="highs")
    assert found.status == 0
    return found.fun


def check(result, C, a, b):
    """Marginals, dual feasibility and the gap, from the fields alone."""
    P, (f, g) = np.asarray(result.sparse_plan().todense()), result.potentials
    assert P.min() >= 0.0
    np.testing.assert_allclose(P.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(P.sum(axis=0), b, atol=1e-14)
    assert not P[np.isinf(C)].any()
    scale = abs(C[np.isfinite(C)]).max() * a.sum()
    assert (f[:, None] + g - C).max() <= 1e-12 * scale / a.sum()
    cost = (P[P > 0] * C[P > 0]).sum()
    assert result.cost == pytest.approx(cost, abs=1e-12 * scale)
    assert result.fun == pytest.approx(a @ f + b @ g, abs=1e-12 * scale)
    assert result.gap == pytest.approx(cost - a @ f - b @ g, abs=1e-12 * scale)
    assert -1e-12 <= result.certificate <= 1e-9
    assert result.success
    assert abs(a @ f) <= 1e-12 * scale
    lower, upper = result.bracket
    assert upper == result.cost
    assert lower == pytest.approx(upper, abs=1e-9 * scale)


@pytest.mark.parametrize("method", ["auto", "assignment", "highs"])
def test_assignment_is_the_best_permutation(method, rng):
    C = rng.random((5, 5)) - 0.3
    result = transport.exact(C, method=method)
    best = min(C[range(5), p].sum() for p in itertools.permutations(range(5))) / 5
    assert result.cost == pytest.approx(best, rel=1e-12)
    assert result.method == ("assignment" if method == "auto" else method)
    check(result, C, np.full(5, 0.2), np.full(5, 0.2))


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10**6))
def test_equals_the_dense_linear_program(n, m, seed):
    rng = np.random.default_rng(seed)
    C = rng.integers(-3, 6, (n, m)) * 1.0  # many ties
    a, b = rng.integers(0, 5, n) * 1.0, rng.integers(0, 5, m) * 1.0
    a[0] += b.sum() + 1
    b[-1] += a.sum() - b.sum()
    result = transport.exact(C, a, b, method="highs")
    assert result.cost == pytest.approx(by_linprog(C, a, b), abs=1e-10 * a.sum())
    check(result, C, a, b)


@pytest.mark.parametrize("even", [True, False])
def test_forbidden_pairs(rng, even):
    C = rng.random((6, 6))
    C[rng.random((6, 6)) < 0.4] = np.inf
    np.fill_diagonal(C, 5.0)
    a = np.full(6, 1 / 6) if even else np.arange(1.0, 7.0)
    result = transport.exact(C, a, a)
    assert result.method == ("assignment" if even else result.method)
    assert result.cost == pytest.approx(by_linprog(C, a, a), rel=1e-10)
    check(result, C, a, a)


def test_zero_atoms_leave_empty_rows_and_feasible_potentials(rng):
    C = rng.random((6, 5))
    a, b = np.array([0, 0.5, 0, 0.25, 0.25, 0]), np.array([0.75, 0, 0, 0.25, 0])
    result = transport.exact(C, a, b, method="highs")
    assert not result.plan[a == 0].any()
    assert not result.plan[:, b == 0].any()
    check(result, C, a, b)


def test_equal_masses_beside_zero_atoms_are_an_assignment(rng):
    C = rng.random((4, 5))
    a, b = np.array([1.0, 0, 1, 1]), np.array([0, 1.0, 1, 0, 1])
    result = transport.exact(C, a, b)
    assert result.method == "assignment"
    check(result, C, a, b)


@pytest.mark.parametrize("kind", ["points", "random", "grid", "forbidden", "orders"])
def test_reduced_program_is_that_of_all_pairs(kind, rng):
    n, m = 40, 49
    C = rng.random((n, m))
    a, b = rng.random(n), rng.random(m)
    if kind == "points":
        C = transport.PointCost(rng.random((n, 2)), rng.random((m, 2))).to_array()
    elif kind == "grid":  # costs with many ties
        C = transport.GridCost((7, 7), 1).to_array()[:n]
    elif kind == "forbidden":
        C[:, 1:][rng.random((n, m - 1)) < 0.8] = np.inf
        C[0] = 1.0
    elif kind == "orders":
        a = 10.0 ** -rng.integers(0, 12, n)
    a, b = a / a.sum(), b / b.sum()
    result = transport.exact(C, a, b, method="reduced")
    assert result.method == "reduced"
    check(result, C, a, b)
    whole = transport.exact(C, a, b, method="highs")
    assert result.cost == pytest.approx(whole.cost, rel=1e-9)


def test_large_problems_take_the_reduced_program(rng):
    C, a = rng.random((200, 150)), rng.random(200)
    result = transport.exact(C, a / a.sum())
    assert result.method in ("reduced", "simplex")
    check(result, C, a / a.sum(), np.full(150, 1 / 150))


def test_offsets_scales_and_constants(rng):
    C, a, b = rng.random((5, 7)), rng.random(5), rng.random(7)
    a, b = a / a.sum(), b / b.sum()
    plain = transport.exact(C, a, b, method="highs")
    moved = transport.exact(C + 1e8, a, b, method="highs")
    assert moved.cost - 1e8 == pytest.approx(plain.cost, abs=1e-6)
    tiny = transport.exact(1e-9 * C, 1e6 * a, 1e6 * b, method="highs")
    assert tiny.cost == pytest.approx(1e-3 * plain.cost, rel=1e-10)
    flat = transport.exact(np.full((5, 7), 3.0), a, b, method="highs")
    assert (flat.cost, flat.certificate) == (pytest.approx(3.0), 0.0)
    check(flat, np.full((5, 7), 3.0), a, b)


def test_points_float32_and_records(rng, tmp_path):
    x, y = rng.standard_normal((8, 2)).astype(np.float32), rng.standard_normal((8, 2))
    cost = transport.PointCost(x, y.astype(np.float32))
    result = transport.exact(cost)
    assert result.plan.dtype == np.float32
    assert result.cost == pytest.approx(transport.exact(cost.to_array()).cost, rel=1e-6)
    sparse = transport.exact(cost, sparse=True)
    assert sparse.plan.format == "csr"
    np.testing.assert_allclose(sparse.plan.todense(), result.plan, rtol=1e-6)
    result.save(tmp_path / "plan.npz")
    again = transport.ExplicitResult.load(tmp_path / "plan.npz")
    np.testing.assert_array_equal(again.plan, result.plan)
    assert again.gap == result.gap


def test_threshold_drops_entries_and_keeps_marginals(rng):
    C, a = rng.random((5, 5)), np.array([1e-9, 1, 2, 3, 4])
    result = transport.exact(C, a, a[::-1], method="highs")
    plan = result.sparse_plan(0.5)
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), a[::-1], atol=1e-12)


def test_one_atom_and_no_mutation():
    C, a, b = np.array([[2.0, 1.0, 3.0]]), np.array([1.0]), np.array([0.5, 0.25, 0.25])
    copies = C.copy(), a.copy(), b.copy()
    result = transport.exact(C, a, b)
    np.testing.assert_allclose(result.plan, b[None])
    for now, before in zip((C, a, b), copies, strict=True):
        np.testing.assert_array_equal(now, before)
    assert transport.exact([[7.0]]).cost == 7.0


LOOP = [[0.0, np.inf, np.inf], [1.0, np.inf, np.inf], [1.0, 1.0, 1.0]]
BAD = [
    ((np.ones((2, 2)), [0.5, 0.5], [0.5, 0.6]), {}, "^b must have the total"),
    ((np.ones((2, 2)), [0.5, -0.5]), {}, "^a must be nonnegative"),
    (([[np.nan, 1.0]],), {}, "^C must not contain NaN"),
    ((np.ones((2, 3)),), {"method": "assignment"}, "^method 'assignment' needs equal masses"),
    ((np.ones((2, 2)),), {"method": "fastest"}, "^method must be one of"),
    ((LOOP,), {}, "^C must leave a plan"),
    ((LOOP,), {"method": "highs"}, "^C must leave a plan"),
    ((LOOP,), {"method": "reduced"}, "^C must leave a plan"),
]


@pytest.mark.parametrize(("given", "more", "message"), BAD)
def test_bad_input(given, more, message):
    with pytest.raises(ValueError, match=message):
        transport.exact(*given, **more)


def test_simplex_needs_pot():
    source = """
import sys
sys.modules["ot"] = None
from sparseopt import transport
try:
    transport.exact([[0.0, 1.0]], [1.0], [0.4, 0.6], method="simplex")
except ImportError as error:
    assert "POT" in str(error)
else:
    raise AssertionError
assert transport.exact([[0.0, 1.0]], [1.0], [0.4, 0.6]).method == "highs"
"""
    run_python(source)


@pytest.mark.parametrize("forbid", [False, True])
def test_simplex_agrees(rng, forbid):
    pytest.importorskip("ot", reason="POT is a peer, in no extra of ours")
    C, a, b = rng.random((20, 30)), rng.random(20), rng.random(30)
    a, b = a / a.sum(), b / b.sum()
    if forbid:
        C[:, 1:][rng.random((20, 29)) < 0.5] = np.inf
        C[0] = 2.0
    result = transport.exact(C, a, b, method="simplex")
    assert result.cost == pytest.approx(by_linprog(C, a, b), rel=1e-9)
    check(result, C, a, b)


@pytest.mark.parametrize("seed", range(12))
def test_tiny_masses_stay_off_forbidden_pairs(seed):
    rng = np.random.default_rng(seed)
    C = rng.integers(0, 4, (12, 10)).astype(float)
    support = rng.random(C.shape) < 0.5
    mass = support * 10.0 ** rng.uniform(-13, 0, C.shape)
    mass[np.arange(12), np.arange(12) % 10] += 1e-12
    C[mass == 0.0] = np.inf
    a, b = mass.sum(axis=1), mass.sum(axis=0)
    result = transport.exact(C, a, b, method="highs")
    assert np.isfinite(result.cost)
    assert not result.plan[np.isinf(C)].any()
    assert result.marginal_error <= 1e-12
    assert result.success
