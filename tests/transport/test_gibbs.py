"""The three forms of the Gibbs kernel: the same numbers, however few of them are kept."""

import numpy as np
import pytest
from entropic_tasks import random_task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.special import logsumexp

from sparseopt import transport
from sparseopt.datasets import transport_clouds
from sparseopt.transport import _gibbs
from sparseopt.transport._csr import CSR, collect, select, stack
from sparseopt.transport._gibbs import (
    DenseGibbs,
    SparseGibbs,
    StreamedGibbs,
    confirmed,
    first_kernel,
    marginal_error,
    marginal_sums,
)
from sparseopt.transport._problem import check_problem

EPS = 0.05


def textbook(C, a, b, eps, g, sweeps):
    """Sinkhorn in the log domain: potentials after a half step and some sweeps."""
    for _ in range(sweeps + 1):
        f = eps * (np.log(a) - logsumexp((g - C) / eps, axis=1))
        g = eps * (np.log(b) - logsumexp((f[:, None] - C) / eps, axis=0))
    return f, g


def assert_same(found, wanted, atol):
    """Potentials that differ by a constant are the same."""
    (f, g), (f0, g0) = found, wanted
    move = (f - f0).mean()
    np.testing.assert_allclose(f - move, f0, atol=atol)
    np.testing.assert_allclose(g + move, g0, atol=atol)


def dense(matrix):
    if isinstance(matrix, CSR):
        return csr_array((matrix.data, matrix.indices, matrix.indptr), matrix.shape).toarray()
    return matrix


def whole(kernel):
    """All entries of the kernel, factors included, as they follow from its potentials."""
    f, g = kernel.potentials()
    C = kernel.problem.cost.tile(0, f.size)
    return np.exp((f[:, None] + g - C) / kernel.eps)


@pytest.fixture(params=["dense", "streamed", "sparse", "sparse of streamed"])
def make(request, monkeypatch):
    """The maker of a kernel of each form; the sparse ones keep all entries."""
    kind = request.param
    if kind != "dense":
        monkeypatch.setattr("sparseopt.transport._costs.TILE", 17)

    def build(problem, eps, f, g):
        first = (StreamedGibbs if "streamed" in kind else DenseGibbs)(problem, eps, f, g)
        if not kind.startswith("sparse"):
            return first
        monkeypatch.setattr(_gibbs, "FEW", 2.0)
        monkeypatch.setattr(_gibbs, "NEGLIGIBLE", 0.0)
        first.absorb()
        kernel = first.trimmed()
        kernel.set_rows(kernel.u)
        assert isinstance(kernel, SparseGibbs)
        return kernel

    return build


def task(seed=0, n=8, m=6, mass=2.0):
    C, a, b = random_task(seed, n, m, mass)
    g = np.random.default_rng(seed).normal(size=m)
    return check_problem(C, a, b), g


def test_sweeps_are_those_of_the_textbook(make):
    problem, g = task()
    C = problem.cost.tile(0, 8)
    kernel = make(problem, EPS, np.zeros(8), g)
    for sweeps in range(4):
        f, g_now = textbook(C, problem.a, problem.b, EPS, g, sweeps)
        assert_same(kernel.potentials(), (f, g_now), 1e-13)
        P = np.exp((f[:, None] + g_now - C) / EPS)
        np.testing.assert_allclose(kernel.rows, P.sum(axis=1), rtol=1e-11)
        assert kernel.total == pytest.approx(2.0, rel=1e-12)
        error = np.abs(P.sum(axis=1) - problem.a).sum() / 2.0
        assert kernel.error == pytest.approx(error, rel=1e-9)
        assert kernel.sweep() is kernel


def test_absorbing_changes_nothing(make):
    problem, g = task(1)
    one, two = (make(problem, EPS, np.zeros(8), g) for _ in range(2))
    for _ in range(3):
        one.sweep()
        two.sweep()
        two.absorb()
        np.testing.assert_array_equal(two.u, np.ones(8))
        np.testing.assert_array_equal(two.v, np.ones(6))
    assert_same(one.potentials(), two.potentials(), 1e-13)
    np.testing.assert_allclose(one.rows, two.rows, rtol=1e-12)
    ones = np.ones(8), np.ones(6)
    np.testing.assert_allclose(two.forward(ones[1]), two.rows, rtol=1e-12)
    np.testing.assert_allclose(two.backward(ones[0]), problem.b, rtol=1e-12)


def test_products_and_factors(make):
    problem, g = task(2)
    kernel = make(problem, EPS, np.zeros(8), g)
    kernel.absorb()
    P = whole(kernel)
    rng = np.random.default_rng(3)
    u, v = rng.lognormal(size=8), rng.lognormal(size=6)
    np.testing.assert_allclose(kernel.forward(v), P @ v, rtol=1e-12)
    np.testing.assert_allclose(kernel.backward(u), u @ P, rtol=1e-12)
    kernel.set_rows(u)
    np.testing.assert_allclose(kernel.u, u)
    np.testing.assert_allclose(kernel.v, problem.b / (u @ P), rtol=1e-12)
    np.testing.assert_allclose(whole(kernel).sum(axis=0), problem.b, rtol=1e-12)
    np.testing.assert_allclose(whole(kernel).sum(axis=1), kernel.rows, rtol=1e-12)
    assert kernel.spread() == pytest.approx(max(u.max() / u.min(), kernel.v.max() / kernel.v.min()))


@pytest.mark.parametrize("share", [0.0, 1e-3, 0.05, 0.3])
def test_model_leaves_out_at_most_its_share(make, share, monkeypatch):
    monkeypatch.setattr(_gibbs, "FULL", 2.0)
    problem, g = task(4, 30, 20)
    kernel = make(problem, 0.02, np.zeros(30), g[:20])
    for _ in range(3):
        kernel.sweep()
    kernel.absorb()
    model = dense(kernel.model(share))
    P = whole(kernel)
    kept = model > 0.0
    np.testing.assert_allclose(model[kept], P[kept], rtol=1e-11)
    lost = np.where(kept, 0.0, P)
    assert (lost.sum(axis=1) <= share * problem.a).all()
    assert (lost.sum(axis=0) <= share * problem.b).all()
    assert (not kept.all()) or share < 0.05
    by_row, by_column = share * problem.a[:, None] / 20, share * problem.b / 30
    np.testing.assert_array_equal(~kept, np.minimum(by_row, by_column) > P)


def test_dense_models_are_not_made_sparse():
    problem, g = task(5)
    kernel = DenseGibbs(problem, 10.0, np.zeros(8), g)
    kernel.absorb()
    assert kernel.model(1e-6) is kernel.P
    assert kernel.trimmed() is kernel


def test_models_that_do_not_fit_are_not_made(monkeypatch):
    problem, g = task(5)
    kernel = StreamedGibbs(problem, EPS, np.zeros(8), g)
    kernel.absorb()
    monkeypatch.setattr(_gibbs, "WHOLE", 40)
    assert kernel.model(0.0) is None
    assert kernel.trimmed() is kernel


def test_first_kernel_keeps_what_fits(monkeypatch):
    problem, g = task()
    assert isinstance(first_kernel(problem, EPS, np.zeros(8), g), DenseGibbs)
    monkeypatch.setattr(_gibbs, "WHOLE", 47)
    assert isinstance(first_kernel(problem, EPS, np.zeros(8), g), StreamedGibbs)


@pytest.mark.parametrize("eps", [EPS, 0.5, 0.01])
def test_kernel_at_another_strength(make, eps):
    problem, g = task(6)
    kernel = make(problem, EPS, np.zeros(8), g)
    f = np.random.default_rng(0).normal(size=8)
    other = kernel.at(eps, f, g)
    wanted = textbook(problem.cost.tile(0, 8), problem.a, problem.b, eps, g, 0)
    assert other.eps == eps
    assert_same(other.potentials(), wanted, 1e-12)
    P = whole(other)
    np.testing.assert_allclose(P.sum(axis=0), problem.b, rtol=1e-11)
    np.testing.assert_allclose(P.sum(axis=1), other.rows, rtol=1e-11)


def test_trimmed_kernel_sweeps_like_the_whole_one(monkeypatch):
    monkeypatch.setattr(_gibbs, "FEW", 0.9)
    C = transport_clouds(60).C
    problem = check_problem(C, None, None)
    kernel = first_kernel(problem, 1e-3, np.zeros(60), np.zeros(60))
    for _ in range(20):
        kernel = kernel.sweep()
    kernel.absorb()
    few = kernel.trimmed()
    few.set_rows(few.u)
    assert isinstance(few, SparseGibbs)
    assert few.kept.nnz < C.size
    assert not few.stale()
    for _ in range(10):
        kernel, few = kernel.sweep(), few.sweep()
    np.testing.assert_allclose(few.rows, kernel.rows, rtol=1e-12)
    assert_same(few.potentials(), kernel.potentials(), 1e-13)


# ------------------------------------------------------------ underflow


@pytest.mark.parametrize("kind", [DenseGibbs, StreamedGibbs])
@pytest.mark.parametrize("eps", [1e-2, 1e-4, 1e-6, 1e-9])
def test_columns_lost_to_underflow_come_back(kind, eps, monkeypatch):
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 9)
    C = np.array([[0.0, 5.0, 9.0], [0.0, 5.0, 7.0], [0.0, 5.5, 8.0], [0.1, 5.0, 7.0]])
    problem = check_problem(C, None, [0.2, 0.5, 0.3])
    kernel = kind(problem, eps, np.zeros(4), np.zeros(3))
    P = whole(kernel)
    assert np.isfinite(P).all()
    np.testing.assert_allclose(P.sum(axis=0), problem.b, rtol=1e-5)
    np.testing.assert_allclose(kernel.rows, P.sum(axis=1), rtol=1e-5, atol=1e-12)
    assert_same(kernel.potentials(), textbook(C, problem.a, problem.b, eps, np.zeros(3), 0), 1e-14)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-1, 1e-3, 1e-5]), st.floats(0.0, 1e3))
def test_sweeps_never_break(seed, eps, far):
    rng = np.random.default_rng(seed)
    C, a, b = random_task(seed, 7, 5)
    a[0], b[1] = 1e-12, 1e-9
    problem = check_problem(C, a, b / b.sum() * a.sum())
    kernel = first_kernel(problem, eps, np.zeros(7), far * rng.normal(size=5))
    before = -np.inf
    with np.errstate(all="raise", under="ignore"):
        for _ in range(30):
            kernel = kernel.sweep()
            f, g = kernel.potentials()
            value = problem.a @ f + problem.b @ g - eps * kernel.total
            assert np.isfinite(value)
            assert value >= before - 1e-12 * (1.0 + far)
            before = value
    P = whole(kernel)
    noise = 1e-11 + 1e-14 * (1.0 + far) / eps
    np.testing.assert_allclose(P.sum(axis=0), problem.b, rtol=noise, atol=noise)
    error = np.abs(P.sum(axis=1) - problem.a).sum() / problem.mass
    assert kernel.error == pytest.approx(error, abs=10 * noise)


def test_steps_that_overflow_start_from_the_costs(make):
    problem, g = task(7)
    kernel = make(problem, EPS, np.zeros(8), g)
    kernel.absorb()
    huge = np.ones(8)
    huge[0] = 1e200
    v = np.exp(np.linspace(-1.0, 1.0, 6))
    wanted = kernel.g + EPS * np.log(v)
    moved = kernel.moved(huge, v)
    assert moved is not kernel
    C = problem.cost.tile(0, 8)
    assert_same(moved.potentials(), textbook(C, problem.a, problem.b, EPS, wanted, 0), 1e-13)


# ---------------------------------------------------- stale and confirmed


def test_sparse_kernel_goes_stale_when_dropped_entries_could_matter():
    C = np.array([[0.0, 1.0], [1.0, 0.0]])
    problem = check_problem(C, None, None)
    eps = 1.0 / 60.0  # the entries beside the diagonal are e^-60 of the others
    kernel = DenseGibbs(problem, eps, np.zeros(2), np.zeros(2))
    kernel.absorb()
    kept = collect(kernel.P, *kernel.thresholds(1e-24), 100)
    few = SparseGibbs(kernel, kept)
    assert kept.nnz == 2
    assert not few.stale()
    limit = -np.log(1e-24) + np.log(1e-13)
    for growth, stale in ((0.9 * limit, False), (1.1 * limit, True)):
        few.u = np.exp([growth, 0.0])
        few.v = np.exp([-growth, 0.0])
        assert few.growth(kernel.f, kernel.g) == pytest.approx(eps * growth)
        assert few.stale() is stale


def test_dense_kernel_goes_stale_when_lost_entries_could_return():
    problem, _ = task(8)
    kernel = DenseGibbs(problem, 1e-3, np.zeros(8), np.zeros(6))
    assert not kernel.stale()
    for _ in range(50):
        assert np.isfinite(kernel.error)
        if kernel.stale():
            break
        kernel.u = kernel.u * np.exp(np.linspace(0.0, 50.0, 8))
        kernel.absorb()
    assert kernel.growth(np.zeros(8), np.zeros(6)) > 0.6
    assert kernel.stale()


def test_error_of_all_entries_exposes_a_kernel_that_lacks_some():
    block = np.kron(np.eye(2), np.ones((3, 3)))
    problem = check_problem(random_task(9, 6, 6)[0] + 0.3 * (1.0 - block), None, None)
    kernel = first_kernel(problem, 0.1, np.zeros(6), np.zeros(6))
    kernel.absorb()
    few = SparseGibbs(kernel, collect(kernel.P * block, *kernel.thresholds(1e-9), 36))
    assert few.kept.nnz == 18
    few.set_rows(few.u)
    for _ in range(500):
        few = few.sweep()
    assert few.error < 1e-12  # it takes itself to have converged
    f, g = few.potentials()
    checked = confirmed(few, 1e-9)
    assert isinstance(checked, DenseGibbs)
    assert checked.error == pytest.approx(marginal_error(problem, 0.1, f, g), rel=1e-9)
    assert checked.error > 1e-3


def test_confirmed_kernel_has_the_potentials_of_the_result():
    C, a, b = random_task(10, 6, 5)
    problem = check_problem(C, a, b)
    kernel = StreamedGibbs(problem, 0.1, np.zeros(6), np.zeros(5))
    for _ in range(500):
        kernel = kernel.sweep()
    same = confirmed(kernel, 1e-10)
    assert same is kernel
    f, g = same.potentials()
    assert problem.a @ f == pytest.approx(0.0, abs=1e-15)
    assert same.error == marginal_error(problem, 0.1, f, g) < 1e-13


def test_marginal_sums_of_all_entries(monkeypatch):
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 13)
    problem, g = task(11)
    f = np.linspace(-0.1, 0.1, 8)
    P = np.exp((f[:, None] + g - problem.cost.tile(0, 8)) / EPS)
    rows, cols = marginal_sums(problem, EPS, f, g)
    np.testing.assert_allclose(rows, P.sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(cols, P.sum(axis=0), rtol=1e-13)
    error = np.abs(rows - problem.a).sum() + np.abs(cols - problem.b).sum()
    assert marginal_error(problem, EPS, f, g) == pytest.approx(error / problem.mass)


# -------------------------------------------------------- through the front


@pytest.mark.parametrize(
    "method, eps",
    [
        *(("newton", eps) for eps in (1e-1, 1e-2, 1e-3, 1e-4)),
        ("sinkhorn", 1e-1),
        ("sinkhorn", 1e-2),
    ],
)
def test_streamed_and_dense_runs_agree(method, eps, monkeypatch):
    cost = transport_clouds(50, m=40, lazy=True).C
    wanted = transport.entropic(cost.to_array(), None, None, eps, method=method)
    monkeypatch.setattr(_gibbs, "WHOLE", 1600)
    monkeypatch.setattr(_gibbs, "FEW", 0.9)
    monkeypatch.setattr("sparseopt.transport._costs.TILE", 333)
    found = transport.entropic(cost, None, None, eps, method=method)
    assert found.success
    assert found.marginal_error <= 1.001e-9
    np.testing.assert_allclose(found.plan, wanted.plan, atol=1e-9)
    np.testing.assert_allclose(found.bracket, wanted.bracket, atol=1e-8)


def test_trimming_does_not_change_the_answer(monkeypatch):
    C = transport_clouds(80).C
    found = transport.entropic(C, None, None, 1e-3, tol=1e-12)
    monkeypatch.setattr(_gibbs, "FEW", 0.0)
    wanted = transport.entropic(C, None, None, 1e-3, tol=1e-12)
    np.testing.assert_allclose(found.plan, wanted.plan, atol=1e-12)


def test_entries_dropped_too_early_are_found_again(monkeypatch):
    """Half of the kernel is thrown away at every stage; the last word has the whole of it."""
    monkeypatch.setattr(_gibbs, "FEW", 1.0)
    monkeypatch.setattr(_gibbs, "NEGLIGIBLE", 1e-2)
    monkeypatch.setattr(_gibbs, "HARMLESS", 1.0)
    C = transport_clouds(40).C
    result = transport.entropic(C, None, None, 1e-2)
    assert result.success
    assert result.marginal_error <= 1.001e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.0, 1.0), st.integers(0, 10_000))
def test_collected_entries_are_those_above_a_threshold(n, m, level, seed):
    rng = np.random.default_rng(seed)
    P = rng.random((n, m))
    by_row, by_column = level * rng.random(n), level * rng.random(m)
    wanted = P * (np.minimum(by_row[:, None], by_column) <= P)
    count = np.count_nonzero(wanted)
    found = collect(P, by_row, by_column, count)
    np.testing.assert_array_equal(dense(found), wanted)
    assert found.nnz == found.indices.size == count
    if count:
        assert collect(P, by_row, by_column, count - 1) is None
    everything = collect(P, np.zeros(n), np.zeros(m), n * m)
    np.testing.assert_array_equal(dense(select(everything, by_row, by_column)), wanted)
    halves = [
        collect(P[rows], by_row[rows], by_column, n * m)
        for rows in (slice(0, n // 2), slice(n // 2, n))
    ]
    np.testing.assert_array_equal(dense(stack(halves, m)), wanted)
