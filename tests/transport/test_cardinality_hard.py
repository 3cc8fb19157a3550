"""Transport within the count limit: enumeration, honest gaps, supports."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog
from transport_cases import best_of_all_supports, clouds, random_problem

from sparseopt import ConvergenceWarning, transport
from sparseopt.transport._support_flow import Support, covering, repair


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_equals_enumeration(seed, gamma):
    C, a, b = random_problem(np.random.default_rng(seed), 4, 3)
    best = best_of_all_supports(C, a, b, 2, gamma)
    if np.isinf(best):
        with pytest.warns(ConvergenceWarning, match="no plan keeps the limit"):
            result = transport.cardinality(C, a, b, k=2, gamma=gamma, mode="hard")
        assert not result.feasible and result.bound == np.inf
        return
    result = transport.cardinality(C, a, b, k=2, gamma=gamma, mode="hard")
    assert result.feasible and result.max_nonzeros <= 2
    assert np.isclose(result.value, best, atol=1e-9)
    assert result.gap <= 1e-9
    assert result.fun <= best + 1e-12


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 5])
def test_heuristic_has_a_valid_gap(seed):
    C, a, b = random_problem(np.random.default_rng(seed + 10), 4, 3)
    best = best_of_all_supports(C, a, b, 2, 1.0)
    if np.isinf(best):
        return
    result = transport.cardinality(C, a, b, k=2, gamma=1.0, mode="hard", max_nodes=0)
    assert result.max_nonzeros <= 2
    if result.feasible:
        assert result.value >= best - 1e-10
        assert result.value - result.gap <= best + 1e-10


@pytest.mark.parametrize(("k", "gap"), [(1, 1e-9), (2, 3e-4), (5, 1e-6)])
def test_clouds_with_uniform_masses(k, gap):
    result = transport.cardinality(clouds(60, 60), k=k, gamma=1.0, mode="hard")
    assert result.success and result.feasible
    assert result.certificate <= 1e-9
    assert np.count_nonzero(result.plan, axis=0).max() <= k == max(k, result.max_nonzeros)
    assert -1e-12 <= result.gap <= gap
    assert result.bound >= result.fun


def test_few_places_for_masses_in_general_position(rng):
    """2 m places for n + m - 1 = 2 m - 1 entries of a tree: every place counts."""
    a, b = rng.dirichlet(np.ones(12)), rng.dirichlet(5 * np.ones(12))
    C = clouds(12, 12)
    relaxed = transport.cardinality(C, a, b, k=2, gamma=1.0)
    assert relaxed.max_nonzeros > 2
    result = transport.cardinality(C, a, b, k=2, gamma=1.0, mode="hard")
    assert result.max_nonzeros <= 2
    assert result.feasible and result.gap < 0.3 * result.value
    assert np.allclose(result.plan.sum(axis=1), a, atol=1e-9)
    assert np.allclose(result.plan.sum(axis=0), b, atol=1e-9)


def test_what_cannot_be_done_is_said():
    rng = np.random.default_rng(0)
    a = rng.dirichlet(np.ones(30))
    with pytest.warns(ConvergenceWarning), pytest.warns(UserWarning, match="fewer than"):
        result = transport.cardinality(clouds(30, 30), a, k=1, gamma=1.0, mode="hard")
    assert not result.feasible and not result.success
    assert result.max_nonzeros <= 1
    assert result.certificate > 1e-3
    assert np.isnan(result.gap) and result.bracket[1] == np.inf


def test_hard_mode_keeps_the_relaxation_where_it_is_tight():
    C = clouds(30, 30)
    relaxed = transport.cardinality(C, k=12, gamma=1.0)
    assert relaxed.max_nonzeros <= 12
    hard = transport.cardinality(C, k=12, gamma=1.0, mode="hard")
    assert np.allclose(hard.plan, relaxed.plan, atol=1e-6)
    assert hard.gap < 1e-9


@settings(max_examples=30)
@given(hnp.arrays(bool, (4, 5)), st.integers(0, 1000))
def test_flow_is_maximal(allowed, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
    support = Support(allowed, a, b)
    E = np.vstack([np.kron(np.ones(4), np.eye(5)), np.kron(np.eye(4), np.ones(5))])
    most = -linprog(
        -allowed.ravel().astype(float), A_ub=E, b_ub=np.concatenate([a, b]), method="highs"
    ).fun
    assert np.isclose(1.0 - support.missing, most, atol=1e-9)
    assert not support.flow[~allowed].any() and support.flow.min() >= 0.0
    assert np.all(support.flow.sum(axis=0) <= a + 1e-14)
    assert np.all(support.flow.sum(axis=1) <= b + 1e-14)


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(2, 8), st.integers(0, 1000))
def test_covering_equal_columns_always_works(k, m, seed):
    n = m * (k - 1) + 1
    a = np.random.default_rng(seed).dirichlet(np.ones(n)) * m
    allowed = covering(a, np.ones(m), k, np.ones((m, n), bool))
    if np.sort(a)[-k:].sum() < 1.0:
        return
    assert allowed is not None and allowed.sum(axis=1).max() <= k
    assert Support(allowed, a, np.ones(m)).feasible


def test_repair_moves_idle_entries():
    a, b = np.array([0.6, 0.4]), np.array([0.5, 0.5])
    start = Support(np.array([[True, False], [True, False]]), a, b)
    assert np.isclose(start.missing, 0.4)
    fixed = repair(start, 2, np.zeros((2, 2)))
    assert fixed.feasible and fixed.allowed.sum(axis=1).max() <= 2
