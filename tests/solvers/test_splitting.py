"""ADMM, primal-dual, Douglas-Rachford and Davis-Yin: their equivalences and options."""

import numpy as np
import pytest
import scipy.sparse as sp
from composite_tasks import task
from scipy.sparse.linalg import aslinearoperator

import sparseopt as so
from sparseopt import linop, penalties, solvers
from sparseopt.losses import LeastSquares
from sparseopt.solvers._smooth_step import smooth_step
from sparseopt.solvers._terms import Coupling, Terms


@pytest.fixture
def problem(rng):
    A = rng.standard_normal((12, 18))
    return LeastSquares(A, A @ np.where(np.arange(18) < 4, 2.0, 0)), penalties.L1(1.0)


def iterates(method, x, count):
    """What a method would return after each of its iterations."""
    variables = method.first(x)
    found = []
    for _ in range(count):
        variables = method.advance(variables)
        found.append(method.measure(variables)[0])
    return np.array(found)


def path(solver, *args, count, **options):
    """The iterates of a run in which every one is measured."""
    seen = []
    with pytest.warns(so.ConvergenceWarning):
        solver(
            *args,
            tol=1e-300,
            max_iter=count,
            callback=lambda s: seen.append(s.variables if hasattr(s, "variables") else s.current),
            **options,
        )
    return seen


@pytest.mark.parametrize("relaxation", [1.0, 1.6])
def test_douglas_rachford_is_admm(problem, relaxation):
    """Over-relaxed ADMM is Douglas-Rachford with the same factor, started at its first sum."""
    loss, penalty = problem
    rho = 3.0
    admm = path(solvers.admm, loss, penalty, count=30, rho=rho, adapt=False, relaxation=relaxation)
    # Their z are the sums w + d of ADMM; the first of these is alpha times its first x.
    z = relaxation * admm[0].x
    dr = path(
        solvers.douglas_rachford,
        loss,
        penalty,
        count=29,
        step=1 / rho,
        x0=z,
        relaxation=relaxation,
    )
    for a, b in zip(admm[1:], dr, strict=True):
        np.testing.assert_allclose(a.copies[0], b.x, atol=1e-11)


@pytest.mark.parametrize("name", ["primal_dual", "davis_yin"])
def test_without_a_second_penalty_it_is_proximal_gradient(problem, name):
    """Iterate by iterate: Condat-Vu with h = 0, and Davis-Yin with one penalty."""
    loss, penalty = problem
    step = 0.9 / loss.lipschitz()
    plain = path(solvers.proximal_gradient, loss, penalty, count=25, step=step, accelerated=False)
    if name == "primal_dual":
        other = [v.x for v in path(solvers.primal_dual, loss, penalty, count=25, step=step)]
    else:
        # The penalty in the place of h: with g = 0 its x is the forward-backward iterate.
        terms = [penalties.Zero(), penalty]
        other = [v.x for v in path(solvers.davis_yin, loss, terms, count=25, step=step)]
    np.testing.assert_allclose(np.array(other), np.array(plain), atol=1e-12)


def test_davis_yin_without_a_loss_is_douglas_rachford(rng):
    terms, z = [penalties.Simplex(2.0), penalties.L2(0.7)], rng.standard_normal(9)
    options = {"x0": z, "step": 0.3, "count": 20}
    dy = path(solvers.davis_yin, None, terms, **options)
    dr = path(solvers.douglas_rachford, None, terms, **options)
    for a, b in zip(dy, dr, strict=True):
        np.testing.assert_allclose(a.x, b.x, atol=1e-13)


def test_fista_on_a_box_is_accelerated_projected_gradient(rng):
    A, y = rng.standard_normal((15, 8)), 3 * rng.standard_normal(15)
    loss, step = LeastSquares(A, y), 0.9 / np.linalg.norm(A, 2) ** 2
    found = path(
        solvers.proximal_gradient, loss, penalties.Box(-0.5, 0.5), count=30, step=step, restart=None
    )
    x = before = np.zeros(8)
    t = 1.0
    for k in range(30):
        t_new = 0.5 * (1 + np.sqrt(1 + 4 * t * t))
        z = x + (t - 1) / t_new * (x - before)
        before, x, t = x, np.clip(z - step * (A.T @ (A @ z - y)), -0.5, 0.5), t_new
        np.testing.assert_allclose(found[k], x, atol=1e-12)


STEPS = ["tall", "wide", "weights", "sparse", "operator", "columns", "matrix K", "complex"]


@pytest.mark.parametrize("name", STEPS)
def test_the_step_on_least_squares_solves_its_equations(rng, name):
    """Each way of solving, against a dense solve; conjugate gradients by repetition."""
    m, n = (14, 9) if name in ("tall", "matrix K") else (9, 14)
    A, y = rng.standard_normal((m, n)), rng.standard_normal(m)
    if name == "complex":
        A, y = A + 1j * rng.standard_normal((m, n)), y + 1j * rng.standard_normal(m)
    if name == "columns":
        y = rng.standard_normal((m, 3))
    w = rng.uniform(0, 2, m) * (np.arange(m) > 0) if name in ("weights", "sparse") else None
    forms = {"sparse": sp.csr_array, "operator": aslinearoperator}
    loss = LeastSquares(forms.get(name, np.asarray)(A), y, sample_weights=w)
    Ks = [None, rng.standard_normal((5, n))] if name == "matrix K" else [None, None]
    couplings = [Coupling(penalties.L1(1.0), K, loss) for K in Ks]
    dense = [np.eye(n) if K is None else K for K in Ks]
    step = smooth_step(loss, couplings)
    W = np.eye(m) if w is None else np.diag(w)
    for rho in (0.7, 0.7, 5.0):
        targets = [rng.standard_normal((len(K), *y.shape[1:])).astype(A.dtype) for K in dense]
        x = np.zeros(loss.shape, loss.dtype)
        for _ in range(6 if name == "operator" else 1):
            x = step(rho, targets, x)
        matrix = A.conj().T @ W @ A + rho * sum(K.T @ K for K in dense)
        right = A.conj().T @ W @ y + rho * sum(K.T @ t for K, t in zip(dense, targets, strict=True))
        np.testing.assert_allclose(x, np.linalg.solve(matrix, right), atol=1e-9)


class Smooth(LeastSquares):
    """Softened absolute values of the residuals: a loss without a proximal operator of its own."""

    hessian_at = None
    is_quadratic = False

    def value_at(self, z):
        return np.sum(np.sqrt(1 + (z - self.y) ** 2) - 1)

    def gradient_at(self, z):
        return (z - self.y) / np.sqrt(1 + (z - self.y) ** 2)

    def bregman(self, z_new, z):
        return self.value_at(z_new) - self.value_at(z) - self.gradient_at(z) @ (z_new - z)

    conjugate = property()


class Bare:
    """The same, as an object that is no least squares."""

    def __init__(self, A, y):
        inner = Smooth(A, y)
        self.shape, self.dtype = inner.shape, inner.dtype
        for name in ("predict", "pull_back", "value_at", "gradient_at", "bregman", "lipschitz"):
            setattr(self, name, getattr(inner, name))


@pytest.mark.parametrize("name", ["admm", "primal_dual", "davis_yin", "douglas_rachford"])
def test_a_loss_that_is_not_quadratic(rng, name):
    loss = Bare(rng.standard_normal((20, 8)), 3 * rng.standard_normal(20))
    exact = solvers.proximal_gradient(loss, penalties.L1(0.5), tol=1e-10)
    found = getattr(solvers, name)(loss, penalties.L1(0.5), tol=1e-8)
    assert found.success
    assert "residual" in found.message
    assert found.fun == pytest.approx(exact.fun, rel=1e-8)


def test_rho_is_recorded_and_settles(rng):
    t = task(3)
    start = solvers.admm(t.loss, t.terms, rho=1e-6, tol=1e-8)
    rho = start.history["rho"]
    assert rho[0] == 1e-6
    assert rho[-1] > 1e-4
    moves = np.diff(np.log2(rho))
    assert set(np.round(np.unique(moves), 9)) <= {-1.0, 0.0, 1.0}
    assert np.all(np.flatnonzero(moves) % 10 == 9)
    fixed = solvers.admm(t.loss, t.terms, rho=2.0, adapt=False, tol=1e-8)
    assert np.all(fixed.history["rho"] == 2.0)
    assert fixed.fun == pytest.approx(start.fun, rel=1e-5)


def test_rho_no_longer_moves_after_a_thousand_iterations(rng):
    method_terms = Terms(*_tiny(rng))
    from sparseopt.solvers._admm import _ADMM

    method = _ADMM(method_terms, 1e-9, 1.0, True)
    variables = method.first(np.zeros(3))
    rhos = []
    for _ in range(1100):
        variables = method.advance(variables)
        rhos.append(variables.rho)
    assert len(set(rhos[:1000])) > 5
    assert len(set(rhos[999:])) == 1


def _tiny(rng):
    return LeastSquares(rng.standard_normal((4, 3)), rng.standard_normal(4)), penalties.L1(0.1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "options", [{"relaxation": 1.6}, {"relaxation": 0.7}, {"rho": 10.0}, {"rho": 0.01}], ids=str
)
def test_admm_options_lead_to_the_same_objective(seed, options):
    t = task(seed)
    best = solvers.admm(t.loss, t.terms, tol=1e-10)
    result = solvers.admm(t.loss, t.terms, tol=1e-8, **options)
    assert result.fun == pytest.approx(best.fun, rel=1e-5)


@pytest.mark.parametrize("options", [{"adapt": True}, {"precondition": True}, {"ratio": 3.0}])
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_primal_dual_options_lead_to_the_same_objective(seed, options):
    t = task(seed)
    best = solvers.admm(t.loss, t.terms, tol=1e-10)
    result = solvers.primal_dual(t.loss, t.terms, tol=1e-8, max_iter=100_000, **options)
    assert result.success
    assert result.fun == pytest.approx(best.fun, rel=1e-5)


def test_strong_convexity_makes_it_faster(rng):
    """Total variation of a signal: 1/k^2, and the exact proximal operator as the oracle."""
    v = np.cumsum(rng.standard_normal(60))
    ridge = penalties.Translate(penalties.SquaredL2(1.0), v)
    terms = [ridge, (penalties.L1(2.0), linop.FiniteDifference(60, axis=0))]
    exact = so.prox.tv1d(v, 2.0)
    options = {"x0": np.zeros(60), "tol": 1e-7, "ratio": 0.01, "adapt": False}
    plain = solvers.primal_dual(None, terms, **options)
    fast = solvers.primal_dual(None, terms, strong_convexity=0.5, **options)
    for result in (plain, fast):
        np.testing.assert_allclose(result.x, exact, atol=1e-2)
        assert "gap" in result.message
    assert np.all(np.diff(fast.history["step"]) < 0)
    assert fast.nit < plain.nit


def test_preconditioning_helps_rows_of_uneven_size(rng):
    n = 20
    loss = LeastSquares(rng.standard_normal((25, n)), 5 * rng.standard_normal(25))
    K = np.geomspace(1, 100, 15)[:, None] * rng.standard_normal((15, n))
    plain = solvers.primal_dual(loss, (penalties.L1(0.1), K), tol=1e-5, max_iter=500_000)
    even = solvers.primal_dual(loss, (penalties.L1(0.1), K), tol=1e-5, precondition=True)
    assert even.nit < plain.nit
    assert even.fun == pytest.approx(plain.fun, rel=1e-3)


@pytest.mark.parametrize("step", [1e-3, 1.0, 1e3])
def test_davis_yin_with_a_line_search(rng, step):
    A, y = rng.standard_normal((15, 8)), rng.standard_normal(15)
    loss, terms = LeastSquares(A, y), [penalties.Box(0, np.inf), penalties.L1(0.3)]
    exact = solvers.proximal_gradient(loss, penalties.NonnegativeL1(0.3), tol=1e-10)
    result = solvers.davis_yin(loss, terms, step=step, line_search=True, tol=1e-8)
    assert result.success
    assert result.fun == pytest.approx(exact.fun, rel=1e-7)
    steps = result.history["step"]
    assert steps[0] == step
    if step > 1:
        assert steps[-1] < 10 / loss.lipschitz()


def test_the_dual_points_give_the_gap(rng):
    """The certificate once more, from ``x`` and ``dual`` alone."""
    t = task(4)
    for name in ("admm", "primal_dual"):
        result = getattr(solvers, name)(t.loss, t.terms, tol=1e-4)
        assert "gap" in result.message
        minus_u, v = result.dual
        (h, K), g = t.pairs[0], t.own[0]
        assert h.dual_norm(v) <= 1 + 1e-9
        K = np.asarray(K @ np.eye(len(result.x)))
        assert g.dual_norm(t.A.T @ minus_u - K.T @ v) <= 1 + 1e-9
        dual = -t.loss.conjugate(-minus_u)
        gap = (t.objective(result.x) - dual) / t.objective(np.zeros(len(result.x)))
        assert result.certificate == pytest.approx(gap, rel=1e-6)


def test_a_saved_result_keeps_the_dual_points(rng, tmp_path):
    t = task(4)
    result = solvers.admm(t.loss, t.terms)
    result.save(tmp_path / "r.npz")
    copy = so.Result.load(tmp_path / "r.npz")
    for a, b in zip(copy.dual, result.dual, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("name", ["admm", "primal_dual"])
def test_units_do_not_matter(rng, size, name):
    A, y = rng.standard_normal((14, 10)), rng.standard_normal(14)
    D = np.diff(np.eye(10), axis=0)
    solver = getattr(solvers, name)

    def terms(s):
        return [penalties.Box(0, np.inf), (penalties.L1(0.5 * s), D)]

    plain = solver(LeastSquares(A, y), terms(1.0), tol=1e-8)
    scaled = solver(LeastSquares(A, y * size), terms(size), tol=1e-8)
    np.testing.assert_allclose(scaled.x / size, plain.x, atol=1e-5)
    assert abs(scaled.nit - plain.nit) <= 20


def test_basis_pursuit_without_a_loss(rng):
    """Least l1 norm among the solutions of equations: an indicator of an image."""
    A = rng.standard_normal((8, 16))
    truth = np.where(np.arange(16) < 2, [1.0] * 16, 0)
    y = A @ truth
    exactly = penalties.Box(y, y)
    result = solvers.primal_dual(None, [penalties.L1(1.0), (exactly, A)], x0=np.zeros(16), tol=1e-8)
    assert result.success
    assert "residual" in result.message
    np.testing.assert_allclose(result.x, truth, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_preconditioned_columns(rng, dtype, form):
    """Steps per coordinate serve every column, in the precision of the data."""
    A, Y = rng.standard_normal((12, 8)).astype(dtype), rng.standard_normal((12, 3)).astype(dtype)
    K = np.diff(np.eye(8, dtype=dtype), axis=0)
    terms = [penalties.L1(0.2), (penalties.L1(0.5), form(K))]
    result = solvers.primal_dual(LeastSquares(A, Y), terms, precondition=True)
    assert result.success
    assert result.x.dtype == dtype
    best = sum(
        solvers.admm(LeastSquares(A.astype(float), y.astype(float)), terms, tol=1e-9).fun
        for y in Y.T
    )
    assert result.fun == pytest.approx(best, rel=1e-3)


def test_strong_convexity_beside_a_loss(rng):
    """The modulus of an elastic net, with a coupling and a smooth loss at once."""
    loss = LeastSquares(rng.standard_normal((8, 12)), rng.standard_normal(8))
    terms = [penalties.ElasticNet(0.2, 1.0), (penalties.L1(0.5), np.diff(np.eye(12), axis=0))]
    best = solvers.admm(loss, terms, tol=1e-10)
    result = solvers.primal_dual(loss, terms, strong_convexity=1.0, tol=1e-8)
    assert result.success
    assert result.fun == pytest.approx(best.fun, rel=1e-7)
    step = result.history["step"]
    assert np.all(np.diff(step) < 0)


def test_steps_that_cannot_converge_are_refused():
    loss = LeastSquares(np.diag([3.0, 1.0]), [1.0, 1.0])
    for solve in (solvers.davis_yin, solvers.primal_dual):
        with pytest.raises(ValueError, match=r"step must be below 0\.22"):
            solve(loss, penalties.L1(0.1), step=1.0)
        assert solve(loss, penalties.L1(0.1), step=0.2).success
    assert solvers.davis_yin(loss, penalties.L1(0.1), step=1.0, line_search=True).success


def test_a_tuple_of_two_penalties_is_named():
    loss = LeastSquares(np.eye(2), [1.0, 1.0])
    with pytest.raises(TypeError, match="K must be"):
        solvers.admm(loss, (penalties.L1(1.0), penalties.Box(0.0, 1.0)))
