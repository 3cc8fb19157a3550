"""Columns of the cardinality-constrained problem against enumeration and other operators."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import prox
from sparseopt.transport._k_support import FREE, ONE, solve_column

scores = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-4, 4)), min_size=1, max_size=9
).map(np.array)
positive = st.floats(0.05, 20.0)


def column(v, b, k, gamma, rho):
    t, kind = np.empty(v.size), np.empty(v.size, np.int8)
    facts = solve_column(v.copy(), b, k, gamma, rho, np.empty(v.size), t, kind)
    return t, kind, facts


@given(scores, st.integers(1, 9), positive, positive, positive)
def test_with_proximal_term_it_is_the_sparse_envelope_at_one_shift(v, k, b, gamma, rho):
    k = min(k, v.size)
    t, kind, (value, extra, beta, theta) = column(v, b, k, gamma, rho)
    assert np.isclose(t.sum(), b, rtol=1e-11)
    assert t.min() >= 0.0
    # max <w, t> - gamma/2 |t|_k^2 - rho/2 |t|^2 over t >= 0, with w = v + beta
    w = np.maximum(v + beta, 0.0) / rho
    expected = prox.group_envelope(w, 1.0, None, k, step=gamma / rho)
    assert np.allclose(t, expected, atol=1e-9 * (1.0 + b))
    assert np.all(t[v <= theta - 1e-9] == 0.0)
    assert set(np.flatnonzero(kind)) >= set(np.flatnonzero(t))
    assert np.isclose(value, v @ t - extra - 0.5 * rho * t @ t, atol=1e-9 * (1 + b * b))


@given(scores, st.integers(1, 9), positive, positive)
def test_without_it_the_best_of_all_supports_is_found(v, k, b, gamma):
    k = min(k, v.size)
    t, kind, (value, extra, _, _) = column(v, b, k, gamma, 0.0)
    best = -np.inf
    for inside in itertools.combinations(range(v.size), k):
        s = prox.project_simplex(v[list(inside)] / gamma, b)
        best = max(best, v[list(inside)] @ s - 0.5 * gamma * s @ s)
    assert np.isclose(value, best, rtol=1e-9, atol=1e-9)
    assert np.count_nonzero(t) <= k
    assert np.isclose(t.sum(), b, rtol=1e-12)
    assert np.isclose(extra, 0.5 * gamma * t @ t, rtol=1e-12)
    assert not np.any(kind == FREE)


def test_of_equal_scores_the_first_are_kept():
    t, kind, _ = column(np.array([0.0, 1.0, 1.0, 1.0]), 1.0, 2, 1.0, 0.0)
    assert t.tolist() == [0.0, 0.5, 0.5, 0.0]
    assert kind.tolist() == [0, ONE, ONE, 0]


def test_of_equal_scores_the_relaxation_takes_all():
    t, kind, (_, extra, _, _) = column(np.array([0.0, 1.0, 1.0, 1.0]), 1.0, 2, 1.0, 0.1)
    assert np.allclose(t, [0.0, 1 / 3, 1 / 3, 1 / 3])
    assert kind.tolist() == [0, FREE, FREE, FREE]
    assert np.isclose(extra, 0.5 * 1.0**2 / 2)  # the squared 2-support norm of a flat vector


def test_forbidden_entries_get_nothing():
    v = np.array([-np.inf, 0.3, -np.inf, 0.1])
    for rho in (0.0, 0.5):
        t, _, (value, _, _, _) = column(v, 2.0, 2, 1.0, rho)
        assert t[0] == t[2] == 0.0
        assert np.isclose(t.sum(), 2.0)
        assert np.isfinite(value)
