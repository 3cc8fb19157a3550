"""Transport with a group lasso on the columns."""

import numpy as np
import pytest
from helpers import require
from transport_cases import clouds, random_problem

from sparseopt import ConvergenceWarning, prox, transport
from sparseopt.transport._group_lasso import _Newton

LABELS = [0, 0, 1, 1, 1, 2]


@pytest.mark.extras
@pytest.mark.parametrize("gamma", [0.1, 1.0])
@pytest.mark.parametrize("lam", [0.02, 0.3])
def test_equals_the_cone_program(rng, gamma, lam):
    cvxpy = require("cvxpy")
    C, a, b = random_problem(rng, 6, 5)
    T = cvxpy.Variable((6, 5), nonneg=True)
    groups = [np.flatnonzero(np.array(LABELS) == g) for g in range(3)]
    norms = sum(cvxpy.norm(T[g, j]) for j in range(5) for g in groups)
    objective = cvxpy.sum(cvxpy.multiply(C, T)) + gamma * (0.5 * cvxpy.sum_squares(T) + lam * norms)
    problem = cvxpy.Problem(
        cvxpy.Minimize(objective), [cvxpy.sum(T, axis=1) == a, cvxpy.sum(T, axis=0) == b]
    )
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    result = transport.group_lasso(C, a, b, LABELS, gamma, lam)
    assert result.certificate <= 1e-9
    assert abs(result.value - problem.value) < 1e-7
    assert abs(result.gap) < 1e-8
    assert np.abs(result.plan - T.value).max() < 1e-4


def test_columns_are_shrunk_groups(rng):
    C, a, b = random_problem(rng, 6, 5)
    result = transport.group_lasso(C, a, b, LABELS, 0.5, 0.05)
    f, g = result.potentials
    u = np.maximum(f[:, None] + g - C, 0.0) / 0.5
    expected = prox.group_l2(u, 0.05, LABELS, axis=0)
    assert np.allclose(result.plan, expected, atol=1e-10)


def test_without_level_it_is_quadratic_transport():
    C = clouds(30, 20)
    result = transport.group_lasso(C, gamma=0.5, lam=0.0)
    expected = transport.cardinality(C, k=30, gamma=0.5)
    assert np.isclose(result.value, expected.value, atol=1e-8)


def test_a_large_level_empties_groups():
    C, labels = clouds(24, 10), np.arange(24) // 6
    few = [
        sum((result.plan[labels == g].sum(axis=0) > 0).sum() for g in range(4))
        for result in (transport.group_lasso(C, None, None, labels, 1.0, lam) for lam in (0.0, 0.5))
    ]
    assert few[1] < few[0]


def test_hessian_is_the_derivative(rng):
    C, a, b = random_problem(rng, 6, 5)
    solver = _Newton(np.ascontiguousarray(C.T), a, b, np.array(LABELS), 0.1, 1.0, 1e-9)
    state = solver.start((0.5 + 0.3 * rng.standard_normal(6), 0.3 * np.ones(5)), 0.7)
    direction = rng.standard_normal(11)
    ends = [solver._state(state.x + s * 1e-6 * direction, 0.7, 0.0) for s in (-1, 1)]
    change = (ends[0].gradient - ends[1].gradient) / 2e-6
    assert np.allclose(solver._hessian(state) @ direction, change, atol=1e-6)
    assert np.isclose((ends[1].fun - ends[0].fun) / 2e-6, state.gradient @ direction, atol=1e-7)


def test_atoms_types_and_warm_start():
    C = clouds(12, 10).astype(np.float32)
    a = np.ones(12)
    a[[0, 11]] = 0.0
    result = transport.group_lasso(C, a / a.sum(), None, np.arange(12) // 4, 0.3, 0.05)
    assert result.plan.dtype == np.float32 and not result.plan[[0, 11]].any()
    again = transport.group_lasso(
        C, a / a.sum(), None, np.arange(12) // 4, 0.3, 0.05, x0=result, sparse=True
    )
    assert again.nit <= 1
    assert np.allclose(again.plan.toarray(), result.plan, atol=1e-6)
    one = transport.group_lasso([[1.0]], gamma=2.0, lam=0.5)
    assert np.isclose(one.value, 1.0 + 2.0 * (0.5 + 0.5))


def test_bad_input_and_budget():
    C = clouds(6, 5)
    with pytest.raises(ValueError, match="groups"):
        transport.group_lasso(C, groups=[0, 1])
    with pytest.raises(ValueError, match="lam"):
        transport.group_lasso(C, lam=-1.0)
    with pytest.raises(ValueError, match="gamma"):
        transport.group_lasso(C, gamma=0.0)
    with pytest.warns(ConvergenceWarning):
        short = transport.group_lasso(C, gamma=0.01, max_iter=2)
    assert not short.success and np.isfinite(short.value)


def test_forbidden_pairs_that_cannot_carry_the_masses():
    C = [[0.0, np.inf], [1.0, np.inf], [1.0, 0.0]]
    with pytest.raises(ValueError, match="infeasible support"):
        transport.group_lasso(C, [0.4, 0.4, 0.2], [0.5, 0.5])
