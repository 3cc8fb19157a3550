"""The record of a transport problem: rounding to exact marginals, certificates, and keeping it."""

import pickle

import numpy as np
import pytest
from entropic_tasks import random_task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog

from sparseopt import ConvergenceWarning, transport
from sparseopt.datasets import transport_assignment
from sparseopt.transport._rounding import north_west, round_on_support, round_sparse, shrink

INF = np.inf
rough = pytest.mark.filterwarnings("ignore::sparseopt.ConvergenceWarning")


def least_cost(C, a, b):
    """The exact transport cost, by linear programming over the allowed pairs."""
    n, m = C.shape
    rows = sparse.kron(sparse.eye_array(n), np.ones((1, m)))
    cols = sparse.kron(np.ones((1, n)), sparse.eye_array(m))
    allowed = np.isfinite(C).ravel()
    A = sparse.csc_array(sparse.vstack([rows, cols]))[:, allowed]
    return linprog(C.ravel()[allowed], A_eq=A, b_eq=np.r_[a, b], method="highs").fun


def error_of(P, a, b):
    return np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()


def masses(rng, size):
    w = rng.random(size) * (rng.random(size) < 0.7)
    w[rng.integers(size)] = 1.0
    return w / w.sum()


# ------------------------------------------------------------- rounding


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10_000))
def test_north_west_corner(n, m, seed):
    rng = np.random.default_rng(seed)
    a, b = masses(rng, n), masses(rng, m)
    i, j, mass = north_west(a, b)
    assert mass.size <= n + m - 1
    assert (mass > 0.0).all()
    assert (np.diff(i) >= 0).all()
    assert (np.diff(j) >= 0).all()
    assert (np.diff(i) + np.diff(j) >= 1).all()
    np.testing.assert_allclose(np.bincount(i, mass, n), a, atol=1e-15)
    np.testing.assert_allclose(np.bincount(j, mass, m), b, atol=1e-15)


def test_north_west_corner_by_hand():
    i, j, mass = north_west(np.array([0.0, 3.0, 2.0]), np.array([1.0, 0.0, 4.0]))
    np.testing.assert_array_equal(i, [1, 1, 2])
    np.testing.assert_array_equal(j, [0, 2, 2])
    np.testing.assert_array_equal(mass, [1.0, 2.0, 2.0])
    assert north_west(np.zeros(2), np.zeros(3))[2].size == 0


def test_shrinking_factors():
    np.testing.assert_array_equal(
        shrink(np.array([2.0, 1.0, 0.5, 0.0, 4.0]), np.array([1.0, 1.0, 1.0, 1.0, 0.0])),
        [0.5, 1.0, 1.0, 1.0, 0.0],
    )


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0.0, 1.0),
    st.sampled_from([1e-12, 1.0, 1e6]),
    st.integers(0, 10_000),
)
def test_rounded_plans(n, m, density, mass, seed):
    rng = np.random.default_rng(seed)
    a, b = mass * masses(rng, n), mass * masses(rng, m)
    P = np.outer(a, b) / mass * rng.lognormal(size=(n, m)) * (rng.random((n, m)) < density)
    given_P = sparse.csr_array(P)
    before = given_P.copy()
    rounded = round_sparse(given_P, a, b)
    assert rounded.data.min(initial=0.0) >= 0.0
    assert rounded.nnz <= given_P.nnz + n + m - 1
    assert error_of(rounded, a, b) <= 1e-14 * mass
    assert np.abs(rounded - P).sum() <= 2.0 * error_of(P, a, b) + 1e-14 * mass
    np.testing.assert_array_equal(given_P.toarray(), before.toarray())


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 8), st.floats(1e-6, 0.05), st.integers(0, 10_000))
def test_rounding_on_a_support(n, noise, seed):
    rng = np.random.default_rng(seed)
    support = rng.random((n, n + 1)) < 0.5
    support[:, 0] = support[0] = True
    P = support * rng.random((n, n + 1))
    a, b = P.sum(axis=1), P.sum(axis=0)
    start = P * np.exp(noise * rng.normal(size=P.shape))
    rounded = round_on_support(sparse.csr_array(start), a, b).toarray()
    assert not rounded[~support].any()
    assert rounded.min() >= 0.0
    assert error_of(rounded, a, b) <= 1e-12 * a.sum()
    assert np.abs(rounded - start).sum() <= 40.0 * n * error_of(start, a, b) + 1e-12


# --------------------------------------------------------- certificates


@rough
@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from([1e-5, 1e-3, 1e-2, 0.1, 1.0, 100.0]),
    st.sampled_from([0, 1, 7, 10_000]),
    st.sampled_from([1.0, 3e-5, 2e4]),
    st.sampled_from([0.0, 1e4]),
    st.integers(0, 10_000),
)
def test_bracket_holds_the_exact_cost_however_the_run_ended(
    n, m, eps, max_iter, mass, offset, seed
):
    rng = np.random.default_rng(seed)
    C, a, b = rng.random((n, m)), masses(rng, n), masses(rng, m)
    exact = mass * (least_cost(C, a, b) + offset)
    result = transport.entropic(C + offset, mass * a, mass * b, eps, max_iter=max_iter)
    slack = mass * (1e-9 + 1e-14 * offset)
    lower, upper = result.bracket
    assert lower <= exact + slack
    assert upper >= exact - slack
    assert upper == result.cost
    assert result.gap >= -1e-12 * mass * (1.0 + offset + eps * (10.0 + abs(np.log(mass))))
    if result.success:
        bias = eps * np.log(min(n, m)) * mass
        assert upper <= exact + bias + 1e-8 * mass + slack


def test_bracket_of_an_assignment():
    C = transport_assignment(60).C
    exact = C[linear_sum_assignment(C)].sum() / 60
    widths = []
    for eps in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        lower, upper = transport.entropic(C, None, None, eps).bracket
        assert lower - 1e-13 <= exact <= upper + 1e-13
        widths.append(upper - lower)
    assert widths[-1] < 1e-4
    assert sorted(widths, reverse=True) == widths


def test_bracket_with_forbidden_pairs():
    rng = np.random.default_rng(4)
    C = rng.random((6, 7))
    C[rng.random((6, 7)) < 0.4] = INF
    C[:, 0] = C[0] = 0.5
    a, b = np.full(6, 1 / 6), np.full(7, 1 / 7)
    result = transport.entropic(C, a, b, 1e-2)
    lower, upper = result.bracket
    assert lower <= least_cost(C, a, b) <= upper < INF
    assert result.cost == upper
    assert 0.0 <= result.gap + 1e-12 <= 1e-8
    assert not result.sparse_plan().toarray()[C == INF].any()
    assert error_of(result.sparse_plan(), a, b) <= 1e-12


@pytest.mark.parametrize("way", [1e-11, 1e-10, 1e-6])
def test_a_pair_without_any_mass_may_have_to_carry_some(way):
    """Mass moves from the last row to the first column along a chain of pairs that cost much."""
    C = np.array([[0.0, INF, INF], [1.0, 0.0, INF], [INF, 1.0, 0.0]])
    a, b = np.array([1 / 3 - way, 1 / 3, 1 / 3 + way]), np.full(3, 1 / 3)
    for eps in (1e-3, 1e-2):
        result = transport.entropic(C, a, b, eps)
        plan = result.sparse_plan().toarray()
        assert not plan[np.isinf(C)].any()
        assert error_of(plan, a, b) <= 1e-13
        assert result.cost == pytest.approx(2.0 * way, abs=1e-12)
        lower, upper = result.bracket
        assert lower <= 2.0 * way + 1e-14 <= upper + 1e-12


@rough
def test_cost_and_value_are_those_of_the_rounded_plan():
    C, a, b = random_task(0, 6, 4, mass=3.0)
    result = transport.entropic(C, a, b, 0.05, max_iter=2)  # far from the marginals
    P = result.plan
    assert error_of(P, a, b) / 3.0 == pytest.approx(result.marginal_error)
    assert result.marginal_error > 1e-3
    x = np.minimum(a / P.sum(axis=1), 1.0)[:, None] * P
    x = x * np.minimum(b / x.sum(axis=0), 1.0)
    short_a, short_b = a - x.sum(axis=1), b - x.sum(axis=0)
    rounded = x + np.outer(short_a, short_b) / short_a.sum()
    assert error_of(rounded, a, b) < 1e-14
    assert np.abs(rounded - P).sum() <= 2.0 * error_of(P, a, b)
    assert result.cost == pytest.approx((C * rounded).sum(), rel=1e-13)
    entropy = (rounded * (np.log(rounded) - 1.0)).sum()
    assert result.value == pytest.approx(result.cost + 0.05 * entropy, rel=1e-13)
    f, g = result.potentials
    dual = a @ f + b @ g - 0.05 * P.sum()
    assert result.fun == pytest.approx(dual, rel=1e-12)
    assert result.gap == pytest.approx(result.value - dual, rel=1e-10)


def test_values_of_the_two_conventions():
    C, a, b = random_task(5, 7, 5)
    eps = 0.2
    result = transport.entropic(C, a, b, eps, tol=1e-13)
    P = result.plan
    kl = (C * P).sum() + eps * (P * np.log(P / np.outer(a, b))).sum()
    assert result.value_kl == pytest.approx(kl, rel=1e-11)
    assert result.value == pytest.approx((C * P).sum() + eps * (P * np.log(P) - P).sum(), rel=1e-11)
    # potentials of the form with a reference measure, and those of the paper of the sparse method
    f, g = result.potentials
    f_kl, g_kl = f - eps * np.log(a), g - eps * np.log(b)
    assert a @ f_kl + b @ g_kl == pytest.approx(kl, rel=1e-11)
    eta = 1.0 / eps
    paper = np.exp(eta * (-C + (f + eps)[:, None] + g) - 1.0)
    np.testing.assert_allclose(paper, P, rtol=1e-12)
    potential = a @ (f + eps) + b @ g - eps * paper.sum()
    assert potential == pytest.approx(result.fun + eps * a.sum(), rel=1e-12)


def test_values_with_atoms_without_mass():
    C, _, _ = random_task(1, 4, 3)
    a, b = np.array([0.0, 0.5, 0.5, 0.0]), np.array([0.7, 0.0, 0.3])
    result = transport.entropic(C, a, b, 0.3)
    inner = transport.entropic(C[1:3][:, [0, 2]], a[1:3], b[[0, 2]], 0.3)
    for name in ("cost", "value", "value_kl", "fun", "gap"):
        assert getattr(result, name) == pytest.approx(getattr(inner, name), abs=1e-12), name
    np.testing.assert_allclose(result.bracket, inner.bracket, atol=1e-12)
    np.testing.assert_allclose(result.plan[1:3][:, [0, 2]], inner.plan, atol=1e-12)
    assert result.plan[[0, 3]].sum() == result.plan[:, 1].sum() == 0.0


def test_relative_error_shows_what_small_atoms_hide():
    C, a, b = random_task(2, 5, 5)
    a[0], b[:] = 1e-13, 0.2
    a *= 1.0 / a.sum()
    result = transport.entropic(C, a, b, 0.05, tol=1e-6, method="sinkhorn")
    P = result.plan
    rows, cols = np.abs(P.sum(axis=1) - a) / a, np.abs(P.sum(axis=0) - b) / b
    assert result.relative_marginal_error == pytest.approx(max(rows.max(), cols.max()), rel=1e-6)
    assert result.relative_marginal_error > result.marginal_error / 2.0


# ------------------------------------------------------------- the plans


@pytest.mark.parametrize("mass", [1.0, 1e-7, 1e5])
def test_sparse_plans(mass):
    C = transport_assignment(40).C
    a, b = np.full(40, mass / 40), np.linspace(0.5, 1.5, 40) * mass / 40
    result = transport.entropic(C, a, b, 1e-3, sparse=True)
    plan = result.plan
    assert isinstance(plan, sparse.csr_array)
    assert plan.dtype == np.float64
    assert plan.shape == (40, 40)
    assert plan.has_sorted_indices
    assert plan.nnz < 400
    assert plan.data.min() >= 0.0
    assert error_of(plan, a, b) <= 1e-14 * mass
    dense = transport.entropic(C, a, b, 1e-3).plan
    dropped = dense[dense < 1e-8 * mass / 1600].sum()
    kept_error = error_of(dense, a, b) + 2.0 * dropped
    assert np.abs(plan.toarray() - dense).sum() <= 2.0 * kept_error + dropped + 1e-14 * mass


@pytest.mark.parametrize("threshold", [0.0, 1e-30, 1e-3, 0.02, 10.0])
def test_thresholds_of_sparse_plans(threshold):
    C, a, b = random_task(3, 9, 7)
    result = transport.entropic(C, a, b, 0.05)
    dense = result.plan
    plan = result.sparse_plan(threshold)
    kept = dense * (dense >= threshold)
    assert plan.nnz <= np.count_nonzero(kept) + 9 + 7 - 1
    assert error_of(plan, a, b) <= 1e-14
    assert np.abs(plan - kept).sum() <= 2.0 * error_of(kept, a, b) + 1e-14
    assert not result.sparse
    np.testing.assert_array_equal(result.plan, dense)


@pytest.mark.parametrize("threshold", [-1.0, np.nan, INF])
def test_refuses_bad_thresholds(threshold):
    result = transport.entropic([[0.0, 1.0]], None, None, 0.1)
    with pytest.raises(ValueError, match="threshold must"):
        result.sparse_plan(threshold)


def test_everything_is_the_same_by_tiles(monkeypatch):
    C, a, b = random_task(6, 11, 5)
    a[3], b[1] = 0.0, 0.0
    a, b = a / a.sum(), b / b.sum()
    names = ("plan", "cost", "value", "gap", "bracket", "marginal_error", "value_kl")
    whole = transport.entropic(C, a, b, 0.02)
    wanted = {name: getattr(whole, name) for name in names}
    rounded = whole.sparse_plan().toarray()
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 13)
    parts = transport.entropic(C, a, b, 0.02)
    for name in names:
        np.testing.assert_allclose(getattr(parts, name), wanted[name], atol=1e-13, err_msg=name)
    np.testing.assert_allclose(parts.sparse_plan().toarray(), rounded, atol=1e-13)


def test_plans_are_made_when_asked_for(monkeypatch):
    calls = []
    entries = transport.EntropicResult._entries

    def counted(self, *args):
        calls.append(args[:2])
        return entries(self, *args)

    monkeypatch.setattr(transport.EntropicResult, "_entries", counted)
    result = transport.entropic(*random_task(0, 5, 4), 0.1)
    repr(result)
    assert calls == []
    first = result.plan
    assert result.plan is first
    assert len(calls) == 1
    assert result.bracket[1] == result.cost
    used = len(calls)
    assert np.isfinite([result.cost, result.value, result.gap, *result.bracket]).all()
    assert len(calls) == used


# ----------------------------------------------------------- keeping it


CASES = {
    "matrix": lambda: random_task(0, 5, 4),
    "float32": lambda: (random_task(0, 5, 4)[0].astype(np.float32), None, None),
    "points": lambda: (transport.PointCost(np.arange(5.0), np.arange(4.0), scale=0.1), None, None),
    "offset": lambda: (random_task(0, 5, 4)[0] + 1e8, None, None),
    "zeros": lambda: (random_task(0, 3, 3)[0], [0, 0.5, 0.5], [1, 0, 0]),
    "forbidden": lambda: ([[0.0, INF, 1.0], [1.0, 0.0, INF]], None, None),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("as_sparse", [False, True])
@pytest.mark.parametrize("way", ["pickle", "save"])
def test_records_survive(case, as_sparse, way, tmp_path):
    result = transport.entropic(*CASES[case](), 0.1, sparse=as_sparse)
    assert len(result.plan.shape) == 2  # something lazy is there before it is kept
    if way == "pickle":
        assert "plan" not in result.__getstate__()
        again = pickle.loads(pickle.dumps(result))
    else:
        result.save(tmp_path / "result.npz")
        again = transport.TransportResult.load(tmp_path / "result.npz")
    assert type(again) is transport.EntropicResult
    dense = (lambda P: P.toarray()) if as_sparse else np.asarray
    np.testing.assert_array_equal(dense(again.plan), dense(result.plan))
    assert again.plan.dtype == result.plan.dtype
    for name in ("cost", "value", "value_kl", "gap", "bracket", "fun", "certificate", "message"):
        assert getattr(again, name) == getattr(result, name), name
    for p, q in zip(again.potentials, result.potentials, strict=True):
        np.testing.assert_array_equal(p, q)
    for name, values in result.history.items():
        np.testing.assert_array_equal(again.history[name], values)
    warm = transport.entropic(*CASES[case](), 0.1, x0=again)
    assert (warm.history["phase"] == 1.0).sum() <= 1


def test_costs_by_a_function_cannot_be_saved(tmp_path):
    cost = transport.PointCost([0.0, 1.0], [0.0], metric=np.subtract.outer)
    cost = transport.PointCost([0.0, 1.0], [0.0], metric=lambda x, y: np.abs(x - y.T))
    result = transport.entropic(cost, None, None, 0.1)
    assert result.cost == pytest.approx(0.5)
    with pytest.raises(TypeError, match="cannot be saved"):
        result.save(tmp_path / "result.npz")


def test_repr_is_short():
    text = repr(transport.entropic(*random_task(0, 50, 40), 0.1))
    assert text.startswith("EntropicResult('converged: marginal error")
    assert "method='newton'" in text
    assert len(text) < 300


def test_record_is_frozen_and_owns_its_arrays():
    C, a, b = random_task(0, 4, 4)
    result = transport.entropic(C, a, b, 0.1)
    before = result.value
    a[:] = b[:] = 99.0
    C[:] = np.nan
    again = pickle.loads(pickle.dumps(result))
    assert again.value == before
    with pytest.raises(AttributeError):
        result.eps = 1.0


def test_x_holds_both_potentials():
    result = transport.entropic(*random_task(0, 5, 3), 0.1)
    f, g = result.potentials
    np.testing.assert_array_equal(result.x, np.concatenate([f, g]))
    assert f.dtype == g.dtype == np.float64
    assert result.a @ f == pytest.approx(0.0, abs=1e-14)


def test_bad_run_warns_and_still_certifies():
    C, a, b = random_task(7, 12, 12)
    with pytest.warns(ConvergenceWarning, match="marginal error"):
        result = transport.entropic(C, a, b, 1e-3, max_iter=1)
    lower, upper = result.bracket
    assert lower <= least_cost(C, a, b) <= upper
    assert error_of(result.sparse_plan(), a, b) <= 1e-14
