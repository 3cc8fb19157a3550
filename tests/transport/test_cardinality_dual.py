"""The published first-order methods: right where smooth, and honest where not."""

import numpy as np
import pytest
from transport_cases import clouds

from sparseopt import ConvergenceWarning, transport
from sparseopt.transport._cardinality_dual import FirstOrder
from sparseopt.transport._cardinality_relaxed import Columns


def columns(k):
    C = clouds(9, 7)
    return Columns(np.ascontiguousarray(C.T), np.full(9, 1 / 9), np.full(7, 1 / 7), k, 0.5)


@pytest.mark.parametrize("method", ["dual", "semi-dual"])
@pytest.mark.parametrize("k", [2, 9])
def test_gradient(rng, method, k):
    solver = FirstOrder(columns(k), method, 1.0)
    x = 0.3 * rng.standard_normal(solver.start(None).x.size)
    fun, gradient, _ = solver.objective(x)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = 1e-6
        slope = (solver.objective(x + e)[0] - solver.objective(x - e)[0]) / 2e-6
        assert np.isclose(slope, gradient[i], atol=1e-7)
    assert np.isfinite(fun)


def test_maxima_agree(rng):
    """max D = max S: the dual at the best column shifts is the semi-dual."""
    problem = columns(3)
    alpha = 0.3 * rng.standard_normal(9)
    fit = problem.bound(alpha)
    dual = FirstOrder(problem, "dual", 1.0)
    assert np.isclose(dual.objective(np.concatenate([alpha, fit.beta]))[0], fit.fun, atol=1e-13)


@pytest.mark.parametrize("method", ["dual", "semi-dual"])
def test_smooth_problems_are_solved(method):
    C = clouds(20, 20)
    expected = transport.cardinality(C, k=20, gamma=1.0)
    result = transport.cardinality(C, k=20, gamma=1.0, method=method, tol=1e-5)
    assert result.method == method
    assert np.isclose(result.fun, expected.fun, atol=1e-8)
    assert result.marginal_error <= 1e-5


@pytest.mark.parametrize("method", ["dual", "semi-dual"])
def test_ties_leave_wrong_marginals_and_a_warning(method):
    C = clouds(50, 50)
    expected = transport.cardinality(C, k=2, gamma=1.0)
    with pytest.warns(ConvergenceWarning):
        result = transport.cardinality(C, k=2, gamma=1.0, method=method)
    assert not result.success
    assert result.marginal_error > 1e-3
    assert expected.fun - 1e-3 < result.fun <= expected.fun + 1e-9
    assert result.fun <= expected.value <= result.value + 1e-9
