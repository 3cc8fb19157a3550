"""Batches of entropic transport: equal to the loop, and nothing that fails stays hidden."""

import numpy as np
import pytest
from entropic_tasks import random_task
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseopt import ConvergenceWarning, transport
from sparseopt.datasets import transport_clouds
from sparseopt.transport._batch_sinkhorn import SharedSweeps
from sparseopt.transport._problem import check_problem


def marginals(seed, n, nb, low=0.05):
    M = np.random.default_rng(seed).random((n, nb)) + low
    return M / M.sum(axis=0)


def assert_equals_loop(batch, costs, A, B, eps, tol, atol=1e-11):
    for k, member in enumerate(batch):
        alone = transport.entropic(costs[k], A[:, k], B[:, k], eps, tol=tol)
        np.testing.assert_allclose(member.plan, alone.plan, atol=atol)
        assert member.fun == pytest.approx(alone.fun, abs=1e-12)
        assert member.marginal_error == pytest.approx(batch.errors[k], abs=1e-13)
        assert A[:, k] @ member.potentials[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("eps", [1.0, 0.1, 0.01, 1e-3])
def test_one_cost_equals_the_loop(eps):
    C = transport_clouds(40).C
    A, B = marginals(0, 40, 5), marginals(1, 40, 5)
    batch = transport.entropic_batch(C, A, B, eps, tol=1e-12)
    assert batch.success
    assert batch.converged.all()
    if eps != 0.01:  # there either may be the faster one
        assert set(batch.methods) == {"sinkhorn" if eps > 0.01 else "newton"}
    assert_equals_loop(batch, [C] * 5, A, B, eps, 1e-12)
    np.testing.assert_array_equal(batch.plan[2], batch[2].plan)
    assert batch.fun == pytest.approx(batch.funs.sum())
    assert batch.certificate == batch.errors.max()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 7), st.integers(1, 7), st.integers(1, 4))
def test_any_shape(seed, n, m, nb):
    C = np.random.default_rng(seed).random((n, m))
    A, B = marginals(seed, n, nb), marginals(seed + 1, m, nb)
    batch = transport.entropic_batch(C, A, B, 0.1, tol=1e-12)
    assert len(batch) == nb
    assert_equals_loop(batch, [C] * nb, A, B, 0.1, 1e-12)


@pytest.mark.parametrize("eps", [0.1, 1e-3])
def test_a_large_offset_costs_no_digits(eps):
    C = np.round(transport_clouds(20).C * 64) / 64
    A = marginals(20, 20, 3)
    plain = transport.entropic_batch(C, A, None, eps, tol=1e-11)
    moved = transport.entropic_batch(C + 2.0**26, A, None, eps, tol=1e-11)
    np.testing.assert_allclose(moved.plan, plain.plan, atol=1e-11)
    assert max(member.marginal_error for member in moved) <= 2e-11
    np.testing.assert_allclose(moved.potentials[1] - 2.0**26, plain.potentials[1], atol=1e-7)


def test_one_side_shared_and_uniform():
    C = transport_clouds(20).C
    B = marginals(2, 20, 3)
    shared = transport.entropic_batch(C, np.full(20, 0.05), B, 0.1, tol=1e-12)
    uniform = transport.entropic_batch(C, None, B, 0.1, tol=1e-12)
    np.testing.assert_allclose(shared.plan, uniform.plan, atol=1e-14)
    flipped = transport.entropic_batch(C.T, B, None, 0.1, tol=1e-12)
    np.testing.assert_allclose(flipped.plan, uniform.plan.transpose(0, 2, 1), atol=1e-11)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_cost_for_each(n_jobs):
    rng = np.random.default_rng(3)
    C = rng.random((4, 12, 9)) + np.arange(4)[:, None, None]
    A, b = marginals(3, 12, 4), marginals(4, 9, 1)[:, 0]
    batch = transport.entropic_batch(C, A, b, 0.05, tol=1e-12, n_jobs=n_jobs)
    assert batch.success
    assert_equals_loop(batch, C, A, np.tile(b[:, None], 4), 0.05, 1e-12)
    assert batch.methods == ["newton"] * 4


def test_masses_of_different_size_and_zero_atoms():
    C, _, _ = random_task(5, 8, 7)
    A, B = marginals(5, 8, 4), marginals(6, 7, 4)
    A[[0, 3], 1] = 0.0
    B[2:, 2] = 0.0
    A[:-1, 3] = 0.0
    A *= np.array([1.0, 5.0, 0.1, 1e3]) / A.sum(axis=0)
    B *= A.sum(axis=0) / B.sum(axis=0)
    batch = transport.entropic_batch(C, A, B, 0.1, tol=1e-12)
    assert batch.success
    for k in range(4):
        alone = transport.entropic(C, A[:, k], B[:, k], 0.1, tol=1e-12)
        scale = A[:, k].sum()
        np.testing.assert_allclose(batch[k].plan / scale, alone.plan / scale, atol=1e-11)
        np.testing.assert_allclose(batch[k].x, alone.x, atol=1e-9)


def test_marginals_far_apart_leave_the_shared_kernel():
    x = np.linspace(0.0, 1.0, 60)
    C = (x[:, None] - x) ** 2
    peaks = [np.exp(-((x - c) ** 2) / 2e-4) + 1e-300 for c in (0.1, 0.5, 0.9)]
    A = np.stack([p / p.sum() for p in peaks], axis=1)
    batch = transport.entropic_batch(C, A, A[:, ::-1], 2e-3, tol=1e-10)
    assert batch.success
    for k, member in enumerate(batch):
        assert member.marginal_error <= 2e-10
        alone = transport.entropic(C, A[:, k], A[:, 2 - k], 2e-3, tol=1e-10)
        np.testing.assert_allclose(member.plan, alone.plan, atol=1e-9)


def test_forbidden_pairs_and_points():
    C, _, _ = random_task(7, 6, 6)
    C[np.arange(6), np.arange(6)] = np.inf
    A, B = marginals(7, 6, 3), marginals(8, 6, 3)
    batch = transport.entropic_batch(C, A, B, 0.1, tol=1e-11)
    assert_equals_loop(batch, [C] * 3, A, B, 0.1, 1e-11, 1e-10)
    cost = transport.PointCost(np.linspace(0, 1, 6), np.linspace(0, 2, 6))
    points = transport.entropic_batch(cost, A, B, 0.1, tol=1e-12)
    assert_equals_loop(points, [cost] * 3, A, B, 0.1, 1e-12)


def test_a_member_that_fails_is_named():
    C = np.zeros((3, 3, 2))
    C[1] = [[0.0, np.inf], [0.0, np.inf], [0.0, 0.0]]  # two thirds of the mass for one half
    with pytest.warns(ConvergenceWarning, match="1 of 3 members") as caught:
        batch = transport.entropic_batch(C, None, None, 0.1, max_iter=300)
    assert len(caught) == 1
    assert not batch.success
    np.testing.assert_array_equal(batch.converged, [True, False, True])
    assert batch.certificate == batch.errors[1] > 0.1
    assert not batch[1].success
    assert batch[0].success


def test_the_budget_is_for_each_member():
    C = transport_clouds(30).C
    A = marginals(9, 30, 3)
    with pytest.warns(ConvergenceWarning, match="3 of 3 members"):
        batch = transport.entropic_batch(C, A, None, 0.01, tol=1e-12, max_iter=12)
    assert batch.iterations.max() <= 13
    for k, member in enumerate(batch):
        assert member.marginal_error == pytest.approx(batch.errors[k], rel=1e-6)
    with pytest.warns(ConvergenceWarning):
        none = transport.entropic_batch(C, A, None, 0.01, max_iter=0)
    assert np.isfinite(none.errors).all()


@pytest.mark.parametrize("eps", [0.1, 1e-3])
def test_warm_start(eps):
    C = transport_clouds(30).C + 10.0
    A, B = marginals(10, 30, 3), marginals(11, 30, 3)
    cold = transport.entropic_batch(C, A, B, eps, tol=1e-10)
    warm = transport.entropic_batch(C, A, B, eps, x0=cold, tol=2e-10)
    assert warm.iterations.max() <= 3
    np.testing.assert_allclose(warm.plan, cold.plan, atol=1e-9)
    only_g = transport.entropic_batch(C, A, B, eps, x0=cold.potentials[1], tol=2e-10)
    assert only_g.iterations.max() <= 3


def test_shared_sweeps_are_scaling():
    C, _, _ = random_task(12, 5, 4)
    A, B = marginals(12, 5, 2), marginals(13, 4, 2)
    problem = check_problem(C, A.mean(axis=1), B.mean(axis=1))
    shared = SharedSweeps(problem, 0.2, A, B, np.zeros((4, 2)), 1e-15)
    C = problem.cost.tile(0, 5)
    for k in range(2):
        v = np.ones(4)
        K = np.exp(-C / 0.2)
        u = A[:, k] / (K @ v)
        v = B[:, k] / (K.T @ u)
        P = u[:, None] * K * v
        f, g = shared.f[:, k], shared.g[:, k]
        np.testing.assert_allclose(np.exp((f[:, None] + g - C) / 0.2), P, rtol=1e-12)
        assert shared.errors[k] == pytest.approx(np.abs(P.sum(axis=1) - A[:, k]).sum())
        F = A[:, k] @ f + B[:, k] @ g - 0.2 * P.sum()
        assert shared.funs[k] == pytest.approx(F)


def test_record(tmp_path):
    C = transport_clouds(10).C
    A = marginals(14, 10, 3)
    before = A.copy()
    seen = []
    batch = transport.entropic_batch(C, A, None, 0.1, sparse=True, callback=seen.append)
    np.testing.assert_array_equal(A, before)
    assert seen[-1].extra["converged"] == 3
    assert seen[-1].x[0].shape == (10, 3)
    np.testing.assert_allclose(batch[-1].plan.sum(axis=1), A[:, 2], atol=1e-13)
    with pytest.raises(IndexError):
        batch[3]
    batch.save(tmp_path / "batch.npz")
    again = transport.EntropicBatchResult.load(tmp_path / "batch.npz")
    np.testing.assert_array_equal(again[1].plan.toarray(), batch[1].plan.toarray())

    def stop(state):
        raise StopIteration

    stopped = transport.entropic_batch(C, A, None, 1e-3, callback=stop)
    assert not stopped.success
    assert np.isfinite(stopped.x).all()


def test_float32():
    C = transport_clouds(10).C.astype(np.float32)
    batch = transport.entropic_batch(C, marginals(15, 10, 2), None, 0.1)
    assert batch.plan.dtype == np.float32


C3 = np.ones((2, 3, 3))
ONES = np.ones((3, 2))


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((np.eye(3), None, None, 0.1), ValueError, "column for each member"),
        ((np.eye(3), ONES, np.ones((3, 3)), 0.1), ValueError, "same number of members"),
        ((C3, np.ones((3, 3)), None, 0.1), ValueError, "same number of members"),
        ((np.ones(3), ONES, None, 0.1), ValueError, "C must have shape"),
        ((C3 * 1j, None, None, 0.1), TypeError, "C must be real"),
        ((np.eye(3), np.ones((2, 2)), None, 0.1), ValueError, "a must have shape"),
        ((np.eye(3), np.ones((3, 0)), None, 0.1), ValueError, "a must have shape"),
        ((np.eye(3), ONES * [1, np.nan], None, 0.1), ValueError, r"a\[:, 1\] must be finite"),
        ((np.eye(3), ONES * [1, -1], None, 0.1), ValueError, r"a\[:, 1\] must be nonnegative"),
        ((np.eye(3), ONES * [1, 0], None, 0.1), ValueError, r"a\[:, 1\] must hold mass"),
        ((np.eye(3), ONES / 3, ONES * [1, 2] / 3, 0.1), ValueError, "in member 1"),
        ((np.eye(3), ONES / 3, None, 0.0), ValueError, "eps"),
        ((np.full((3, 3), np.nan), ONES / 3, None, 0.1), ValueError, "NaN"),
        ((C3 * [[[1.0]], [[np.nan]]], None, None, 0.1), ValueError, "member 1.*NaN"),
    ],
)
def test_bad_input(arguments, error, match):
    with pytest.raises(error, match=match):
        transport.entropic_batch(*arguments)


def test_bad_controls():
    A = ONES / 3
    with pytest.raises(ValueError, match="n_jobs"):
        transport.entropic_batch(np.eye(3), A, None, 0.1, n_jobs=0)
    with pytest.raises(ValueError, match="x0 must hold a finite g"):
        transport.entropic_batch(np.eye(3), A, None, 0.1, x0=np.zeros(3))
    with pytest.raises(ValueError, match="x0 must hold a finite f"):
        transport.entropic_batch(np.eye(3), A, None, 0.1, x0=(A * np.nan, A))


def test_warm_start_of_members_without_mass_somewhere():
    rng = np.random.default_rng(3)
    C = rng.random((6, 9))
    A, B = rng.random((6, 4)), rng.random((9, 4)) * (rng.random((9, 4)) < 0.6)
    A, B = A / A.sum(axis=0), B / B.sum(axis=0)
    first = transport.entropic_batch(C, A, B, 0.1)
    assert first.success
    assert transport.entropic_batch(C, A, B, 0.1, x0=first).iterations.max() <= 1


def test_cost_of_a_grid():
    cost = transport.GridCost((3, 4))
    b = np.random.default_rng(0).dirichlet(np.ones(12), 2).T
    ours = transport.entropic_batch(cost, None, b, 0.5)
    np.testing.assert_allclose(
        ours.plan, transport.entropic_batch(cost.to_array(), None, b, 0.5).plan, atol=1e-12
    )
