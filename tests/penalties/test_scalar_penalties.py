"""The scalar penalties beyond l1, l0, l_q and MCP: values, traits, conjugates, certificates."""

import itertools
import warnings

import numpy as np
import pytest
import test_penalties as harness
from helpers import require
from test_penalties import Row

import sparseopt as so
from sparseopt import penalties, prox

N = harness.N
LAM = np.array([0.5, 0.0, 1.0, 2.0, 0.3, 0.7])
P = np.array([1.5, 3.0, 0.4, 2.0, 1.0, 0.7])
LOW = np.array([-1.0, -np.inf, 0.0, 0.5, -2.0, -0.1])
HIGH = np.array([1.0, 0.5, np.inf, 0.5, -1.0, 0.1])


def scad(x, lam, g):
    a = np.abs(x)
    middle = (2 * g * lam * a - a * a - lam * lam) / (2 * (g - 1))
    flat = lam * lam * (g + 1) / 2
    return np.sum(np.where(a <= lam, lam * a, np.where(a <= g * lam, middle, flat)))


def cel0(x, lam, c):
    return np.sum(lam - c * c / 2 * np.maximum(np.sqrt(2 * lam) / c - np.abs(x), 0) ** 2)


def huber(x, delta, lam):
    a = np.abs(x)
    return np.sum(lam * np.where(a <= delta, a * a / 2, delta * a - delta * delta / 2))


def row(penalty, value, function, *parameters, rho=0.0, convex=False):
    """A row whose prox function takes the same parameters as the penalty."""
    return Row(
        penalty(*parameters),
        lambda x: value(x, *parameters),
        lambda v, step: function(v, *parameters, step=step),
        convex=convex,
        rho=rho,
    )


CONCAVE = [
    row(penalties.SCAD, scad, prox.scad, LAM, 2 + P, rho=1 / 1.4),
    row(
        penalties.CappedL1,
        lambda x, lam, t: np.sum(lam * np.minimum(np.abs(x), t)),
        prox.capped_l1,
        LAM,
        P,
        rho=np.inf,
    ),
    row(
        penalties.LogSum,
        lambda x, lam, eps: np.sum(lam * np.log1p(np.abs(x) / eps)),
        prox.log_sum,
        LAM,
        P,
        rho=1 / 0.4**2,
    ),
    row(penalties.CEL0, cel0, prox.cel0, LAM, P, rho=4.0),
    row(
        penalties.Geman,
        lambda x, lam, t: np.sum(lam * np.abs(x) / (np.abs(x) + t)),
        prox.geman,
        LAM,
        P,
        rho=2 / 0.4**2,
    ),
    row(
        penalties.ETP,
        lambda x, lam, g: np.sum(lam * (1 - np.exp(-g * np.abs(x))) / (1 - np.exp(-g))),
        prox.etp,
        LAM,
        P,
        rho=2 * 4 / (1 - np.exp(-2.0)),
    ),
    row(
        penalties.Cauchy,
        lambda x, lam, d: np.sum(lam * np.log1p(np.abs(x) ** 2 / d)),
        prox.cauchy,
        LAM,
        P,
        rho=1 / (4 * 0.4),
    ),
]
HUBER = row(penalties.Huber, huber, prox.huber, P, 0.3 + LAM, convex=True)


def one_sided(x, lam):
    return np.sum(lam * x) if np.min(x) >= 0 else np.inf


def asymmetric(x, plus, minus):
    return np.sum(plus * np.maximum(x, 0) + minus * np.maximum(-x, 0))


def pinball(x, tau, lam):
    return np.sum(lam * np.maximum(tau * x, (tau - 1) * x))


def poisson(x, b, lam):
    if np.any(x < 0) or np.any((x == 0) & (b > 0)):
        return np.inf
    return np.sum(lam * (x - b * np.log(np.where(x > 0, x, 1.0))))


def box(x, low, high):
    return 0.0 if np.all((x >= low) & (x <= high)) else np.inf


SIDED = [
    row(penalties.NonnegativeL1, one_sided, prox.nonnegative_l1, LAM, convex=True),
    row(penalties.AsymmetricL1, asymmetric, prox.asymmetric_l1, LAM, P, convex=True),
    row(penalties.Pinball, pinball, prox.pinball, P / 3, 0.2 + LAM, convex=True),
    row(
        penalties.Hinge,
        lambda x, lam: np.sum(lam * np.maximum(1 - x, 0)),
        prox.hinge,
        LAM,
        convex=True,
    ),
    row(
        penalties.SquaredHinge,
        lambda x, lam: np.sum(lam / 2 * np.maximum(1 - x, 0) ** 2),
        prox.squared_hinge,
        0.1 + LAM,
        convex=True,
    ),
    row(
        penalties.Logistic,
        lambda x, lam: np.sum(lam * np.logaddexp(0, -x)),
        prox.logistic,
        LAM,
        convex=True,
    ),
    row(penalties.Poisson, poisson, prox.poisson, LAM, P, convex=True),
    row(
        penalties.Box,
        box,
        lambda v, low, high, step: prox.project_box(v, low, high),
        LOW,
        HIGH,
        convex=True,
    ),
]
EVEN = [*CONCAVE, HUBER]
ROWS = [*EVEN, *SIDED]
by_row = pytest.mark.parametrize("row", ROWS, ids=lambda r: type(r.penalty).__name__)
even = pytest.mark.parametrize("row", EVEN, ids=lambda r: type(r.penalty).__name__)
sided = pytest.mark.parametrize("row", SIDED, ids=lambda r: type(r.penalty).__name__)
convex = pytest.mark.parametrize("row", [HUBER, *SIDED], ids=lambda r: type(r.penalty).__name__)


@even
def test_value_is_the_definition(row, rng):
    harness.test_value_is_the_definition(row, rng)


@sided
def test_value_of_real_numbers(row, rng):
    f = row.penalty
    points = [*rng.standard_normal((20, N)), np.zeros(N), np.ones(N), f.prox(np.ones(N))]
    for x in [*points, *np.abs(points)]:
        assert f.value(x) == pytest.approx(row.value(x), rel=1e-12, abs=1e-15)
        assert f.value(x.tolist()) == pytest.approx(row.value(x), rel=1e-12, abs=1e-15)
    assert np.ndim(f.value(np.ones(N))) == 0
    for method in (f.value, f.prox, f.conjugate):
        with pytest.raises(TypeError, match="must be real"):
            method(np.ones(N) * 1j)
    assert f.value(np.ones(N, np.float32)) == pytest.approx(row.value(np.ones(N)), rel=1e-6)


@by_row
def test_prox(row, rng):
    for step in (0.1, 1.0, 5.0):
        harness.test_prox_is_the_function(row, step, rng)
        harness.test_prox_minimises(row, step, rng)


@by_row
def test_batches_repr_and_pickle(row, rng):
    harness.test_batch_equals_loop(row, rng)
    harness.test_repr_and_pickle(row, rng)


@by_row
def test_nan_is_passed_on(row):
    x = row.penalty.prox(np.where(np.arange(N) % 2, np.nan, 1.0))
    np.testing.assert_array_equal(np.isnan(x), np.arange(N) % 2 == 1)


@by_row
def test_traits(row):
    f = row.penalty
    assert isinstance(f, penalties.Separable)
    assert f.is_separable
    assert f.is_convex is row.convex
    assert f.weak_convexity == pytest.approx(row.rho)
    assert f.is_homogeneous == hasattr(f, "dual_norm")
    assert f.is_convex == hasattr(f, "conjugate") == hasattr(f, "as_cvxpy")


@pytest.mark.parametrize("row", CONCAVE, ids=lambda r: type(r.penalty).__name__)
def test_weak_convexity_is_exact(row):
    """The most negative curvature on a fine grid is just above -rho."""
    if row.rho == np.inf:
        return
    x = np.linspace(0.001, 4.0, 3500)
    h = 5e-4
    least = np.inf
    for i in range(N):
        points = np.zeros((N, 3 * x.size))
        points[i] = np.concatenate([x - h, x, x + h])
        f = row.penalty.value(points).reshape(3, -1)
        least = min(least, np.min((f[0] - 2 * f[1] + f[2]) / h**2))
    assert -row.rho * (1 + 1e-4) - 1e-3 <= least <= -0.98 * row.rho


@by_row
def test_certificates_agree_with_the_prox(row, rng):
    """A fixed point of the proximal step is stationary, and other points are not."""
    f = row.penalty
    step = 0.05  # below the limit of every row
    for _ in range(20):
        v = 2 * rng.standard_normal(N)
        x = f.prox(v, step)
        gradient = (x - v) / step
        assert np.max(f.subdiff_distance(x, gradient)) < 1e-10
        distance = f.subdiff_distance(x, gradient + rng.choice([-0.5, 0.5], N))
        assert distance.shape == (N,)
        assert np.all(distance >= 0)
        assert np.all(distance[f.subdiff_distance(x, gradient) > 0] <= 0.5 + 1e-9)


@pytest.mark.parametrize(
    "row",
    [r for r in ROWS if not isinstance(r.penalty, penalties.Poisson | penalties.Box)],
    ids=lambda r: type(r.penalty).__name__,
)
def test_alpha_max(row, rng):
    """Zero is stationary for a multiple from alpha_max on, and not below it."""
    f = row.penalty
    for _ in range(20):
        gradient = rng.standard_normal(N)
        gradient[1] = 0.0  # the coordinate whose level may be zero
        alpha = f.alpha_max(gradient)
        zero = np.zeros(N)
        if np.isfinite(alpha) and alpha > 0:
            assert np.max(f.subdiff_distance(zero, gradient / (alpha * (1 + 1e-9)))) < 1e-8
            assert np.max(f.subdiff_distance(zero, gradient / (alpha * 0.9))) > 0
        else:
            for t in (0.1, 1.0, 10.0):
                stationary = np.max(f.subdiff_distance(zero, gradient / t)) == 0
                assert stationary == (alpha == 0)
    batch = rng.standard_normal((N, 3))
    np.testing.assert_array_equal(f.alpha_max(batch), [f.alpha_max(g) for g in batch.T])


def test_alpha_max_by_hand():
    assert penalties.NonnegativeL1(2.0).alpha_max([-3.0, 5.0]) == 1.5
    assert penalties.NonnegativeL1(2.0).alpha_max([3.0, 5.0]) == 0.0
    assert penalties.AsymmetricL1(2.0, 1.0).alpha_max([-3.0, 5.0]) == 5.0
    assert penalties.Hinge(2.0).alpha_max([3.0, 3.0]) == 1.5
    assert penalties.Hinge(2.0).alpha_max([3.0, 4.0]) == np.inf
    assert penalties.Logistic().alpha_max([0.5]) == 1.0
    assert penalties.Logistic().alpha_max([-0.5]) == np.inf
    assert penalties.Huber(1.0).alpha_max([0.5]) == np.inf
    assert penalties.Huber(1.0).alpha_max([0.0]) == 0.0
    assert penalties.SCAD(2.0, 3.0).alpha_max([-3.0, 1.0]) == 1.5
    assert penalties.Geman(2.0, 0.5).alpha_max([-3.0, 1.0]) == 0.75
    assert penalties.CEL0(2.0, 0.5).alpha_max([-3.0, 1.0]) == 3.0
    assert penalties.Poisson(1.0).alpha_max([1.0]) == np.inf
    assert penalties.Poisson(0.0, 2.0).alpha_max([-1.0]) == 0.5
    assert penalties.Box(0.0, 1.0).alpha_max([1.0]) == 0.0
    assert penalties.Box(0.0, 1.0).alpha_max([-1.0]) == np.inf
    assert penalties.Box(1.0, 2.0).alpha_max([1.0]) == np.inf


@convex
def test_conjugate(row, rng):
    f = row.penalty
    for step in (0.3, 1.0, 4.0):
        v = rng.standard_normal(N) * 2
        x = f.prox(v, step)
        y = (v - x) / step  # a subgradient at x, so Fenchel and Young are equal there
        assert f.value(x) + f.conjugate(y) == pytest.approx(x @ y, rel=1e-7, abs=1e-7)
    for _ in range(20):
        y = rng.standard_normal(N) * rng.choice([0.1, 1.0])
        for target in (y, -np.abs(y), (v - x) / step):
            bound = f.conjugate(target)
            for z in rng.standard_normal((20, N)) * 10 ** rng.uniform(-2, 3, (20, 1)):
                p = f.prox(z)  # a point of the domain
                assert p @ target - f.value(p) <= bound + 1e-6 * (1 + abs(p @ target))


def test_conjugates_by_hand():
    assert penalties.Huber(2.0, 0.5).conjugate([1.0, -0.5]) == 1.25
    assert penalties.Huber(2.0, 0.5).conjugate([1.01, 0.0]) == np.inf
    assert penalties.Hinge(2.0).conjugate([-2.0, 0.0]) == -2.0
    assert penalties.Hinge(2.0).conjugate([0.1, 0.0]) == np.inf
    assert penalties.Hinge(2.0).conjugate([-2.1, 0.0]) == np.inf
    assert penalties.SquaredHinge(2.0).conjugate([-2.0]) == -1.0
    assert penalties.SquaredHinge(2.0).conjugate([0.1]) == np.inf
    assert penalties.Logistic(2.0).conjugate([-1.0]) == pytest.approx(-2 * np.log(2))
    assert penalties.Logistic(2.0).conjugate([-2.0, 0.0]) == 0.0
    assert penalties.Logistic(2.0).conjugate([-2.1]) == np.inf
    assert penalties.Logistic(0.0).conjugate([0.0]) == 0.0
    assert penalties.Poisson(2.0).conjugate([-1.0]) == pytest.approx(-2.0)
    assert penalties.Poisson(0.0).conjugate([1.0]) == 0.0
    assert penalties.Poisson([2.0]).conjugate([1.0]) == np.inf
    assert penalties.Box(-1.0, np.inf).conjugate([-2.0, 0.0]) == 2.0
    assert penalties.Box(-1.0, np.inf).conjugate([1.0]) == np.inf
    assert penalties.NonnegativeL1(1.0).conjugate([1.0, -9.0]) == 0.0
    assert penalties.NonnegativeL1(1.0).conjugate([1.1, -9.0]) == np.inf
    assert penalties.AsymmetricL1(1.0, 2.0).conjugate([1.0, -2.0]) == 0.0
    assert penalties.AsymmetricL1(1.0, 2.0).conjugate([-2.1]) == np.inf


def test_gauges():
    f = penalties.NonnegativeL1([2.0, 1.0])
    assert f.is_norm
    assert f.dual_norm([-5.0, -1.0]) == 0.0
    assert f.dual_norm([5.0, 2.0]) == 2.5
    assert not penalties.NonnegativeL1([2.0, 0.0]).is_norm
    assert penalties.NonnegativeL1([2.0, 0.0]).dual_norm([1.0, -3.0]) == 0.5
    assert penalties.NonnegativeL1([2.0, 0.0]).dual_norm([1.0, 3.0]) == np.inf
    f = penalties.AsymmetricL1(2.0, [1.0, 4.0])
    assert f.is_norm
    assert f.dual_norm([-1.0, -2.0]) == 1.0
    assert not penalties.AsymmetricL1(2.0, 0.0).is_norm
    assert penalties.Pinball(0.25, 2.0).dual_norm([1.0, -3.0]) == 2.0
    assert not penalties.Pinball(1.0).is_norm


def test_parameters_are_copies_and_checked():
    lam = LAM.copy()
    f = penalties.LogSum(lam, P)
    before = f.value(np.ones(N))
    lam[:] = 9.0
    assert f.value(np.ones(N)) == before
    for call, match in [
        (lambda: penalties.SCAD(1.0, 2.0), "gamma must be > 2"),
        (lambda: penalties.SCAD(-1.0, 3.0), "lam"),
        (lambda: penalties.CappedL1(1.0, 0.0), "threshold"),
        (lambda: penalties.LogSum(1.0, 0.0), "eps"),
        (lambda: penalties.CEL0(1.0, -1.0), "norms"),
        (lambda: penalties.Geman(np.inf, 1.0), "lam"),
        (lambda: penalties.ETP(1.0, -1.0), "gamma"),
        (lambda: penalties.Cauchy(1.0, np.nan), "delta"),
        (lambda: penalties.Huber(0.0), "delta"),
        (lambda: penalties.Hinge(-1.0), "lam"),
        (lambda: penalties.SquaredHinge(np.inf), "lam"),
        (lambda: penalties.Logistic(-1.0), "lam"),
        (lambda: penalties.Pinball(1.5), "tau"),
        (lambda: penalties.Poisson(-1.0), "counts"),
        (lambda: penalties.Box(1.0, 0.0), "lower"),
        (lambda: penalties.NonnegativeL1(-1.0), "lam"),
        (lambda: penalties.AsymmetricL1(1.0, -1.0), "lam_minus"),
    ]:
        with pytest.raises(ValueError, match=f"^{match}"):
            call()
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        penalties.SCAD([1.0, 2.0], 3.0).value(np.ones(3))


def test_infinite_levels_and_empty_arrays():
    f = penalties.NonnegativeL1([np.inf, 1.0, 0.0])
    assert f.value([0.0, 2.0, 5.0]) == 2.0
    assert f.value([1e-9, 2.0, 5.0]) == np.inf
    assert f.prox([3.0, 3.0, -3.0]).tolist() == [0.0, 2.0, 0.0]
    assert penalties.AsymmetricL1(1.0, np.inf).value([2.0, 0.0]) == 2.0
    assert penalties.AsymmetricL1(1.0, np.inf).value([2.0, -1e-9]) == np.inf
    assert penalties.CappedL1(np.inf, 1.0).value([0.0, 0.0]) == 0.0
    assert penalties.CappedL1(np.inf, 1.0).value([0.0, 0.1]) == np.inf
    for g in (penalties.LogSum(1.0, 1.0), penalties.Hinge(), penalties.Box(0.0, 1.0)):
        assert g.value([]) == 0.0
        assert g.prox(np.zeros(0)).shape == (0,)


def test_a_zero_column_warns_once_at_construction():
    with pytest.warns(UserWarning, match="norms") as caught:
        f = penalties.CEL0(0.5, [1.0, 0.0])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f.prox([3.0, 3.0]).tolist() == [3.0, 0.0]
        assert f.value([0.0, 3.0]) == 0.0
        assert f.subdiff_distance([3.0, 3.0], [0.0, 0.0]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(6))
def test_cel0_leaves_the_minimum_of_the_l0_problem(seed):
    """On tiny problems, with the l0 minimum found by trying every support."""
    rng = np.random.default_rng(seed)
    m, n, lam = 6, 8, 0.3
    A = rng.standard_normal((m, n))
    y = A @ np.where(rng.random(n) < 0.3, rng.standard_normal(n), 0) + 0.3 * rng.standard_normal(m)
    f = penalties.CEL0(lam, np.linalg.norm(A, axis=0))
    best, minimiser = np.inf, np.zeros(n)
    for support in itertools.product([False, True], repeat=n):
        chosen = np.array(support)
        x = np.zeros(n)
        x[chosen] = np.linalg.lstsq(A[:, chosen], y, rcond=None)[0]
        value = 0.5 * np.sum((A @ x - y) ** 2) + lam * np.count_nonzero(x)
        if value < best:
            best, minimiser = value, x

    def relaxed(x):
        return 0.5 * np.sum((A @ x - y) ** 2) + f.value(x)

    assert relaxed(minimiser) == pytest.approx(best, rel=1e-12)
    step = 0.9 / np.linalg.norm(A, 2) ** 2
    gradient = A.T @ (A @ minimiser - y)
    assert np.max(f.subdiff_distance(minimiser, gradient)) < 1e-9
    for start in range(60):
        x = rng.standard_normal(n) * rng.choice([0.3, 1.0, 3.0])
        x = minimiser + 0.1 * x if start == 0 else x
        for _ in range(400):
            x = f.prox(x - step * A.T @ (A @ x - y), step)
        assert relaxed(x) >= best - 1e-9
        assert relaxed(x) <= 0.5 * np.sum((A @ x - y) ** 2) + lam * np.count_nonzero(x) + 1e-12
    for x in rng.standard_normal((300, n)) * rng.choice([0.1, 1.0, 3.0], (300, 1)):
        assert relaxed(x) >= best - 1e-9


def test_in_a_solver(rng):
    A = rng.standard_normal((20, 6))
    y = A @ np.array([2.0, 0.0, 1.0, 0.0, 0.0, -1.0])
    loss = so.losses.LeastSquares(A, y)
    result = so.minimize(loss, penalties.NonnegativeL1(0.5), tol=1e-8)
    assert result.success
    assert result.x.min() >= 0
    gradient = A.T @ (A @ result.x - y)
    assert np.max(penalties.NonnegativeL1(0.5).subdiff_distance(result.x, gradient)) < 1e-2
    for f in (
        penalties.AsymmetricL1(0.5, 2.0),
        penalties.SCAD(0.5, 3.7),
        penalties.Huber(0.1),
        penalties.Box(0.0, 1.0),
    ):
        result = so.minimize(loss, f, tol=1e-7, max_iter=5000)
        gradient = A.T @ (A @ result.x - y)
        assert result.success
        assert np.max(f.subdiff_distance(result.x, gradient)) < 5e-2
    alpha = penalties.NonnegativeL1(1.0).alpha_max(A.T @ -y)
    assert not so.minimize(loss, penalties.NonnegativeL1(alpha * 1.001)).x.any()
    assert so.minimize(loss, penalties.NonnegativeL1(alpha * 0.99)).x.any()


@pytest.mark.extras
@convex
def test_cvxpy(row, rng):
    cp = require("cvxpy")
    f = row.penalty
    x = cp.Variable(N)
    expression = f.as_cvxpy(x)
    assert expression.is_convex()
    v = rng.standard_normal(N) * 2
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.6 * expression))
    conic = isinstance(f, penalties.Poisson | penalties.Logistic)  # solved less precisely
    options = {} if conic else {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
    problem.solve(solver="CLARABEL", **options)
    ours = f.prox(v, 0.6)
    np.testing.assert_allclose(ours, x.value, atol=1e-4 if conic else 1e-6)
    assert 0.5 * np.sum((ours - v) ** 2) + 0.6 * f.value(ours) <= problem.value + 1e-6
    V = rng.standard_normal((N, 2))
    X = cp.Variable((N, 2))
    model = 0.5 * cp.sum_squares(X - V) + f.as_cvxpy(X)
    cp.Problem(cp.Minimize(model)).solve(solver="CLARABEL", **options)
    np.testing.assert_allclose(f.prox(V), X.value, atol=1e-4 if conic else 1e-6)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@by_row
def test_torch(row, rng):
    torch = require("torch")
    f = row.penalty
    for v in (rng.standard_normal(N) * 2, rng.standard_normal((N, 3)) * 2):
        for grad in (False, True):
            w = torch.tensor(v, requires_grad=grad)
            x = f.prox(w, 0.7)
            assert isinstance(x, torch.Tensor)
            np.testing.assert_allclose(x.detach().numpy(), f.prox(v, 0.7), rtol=1e-11, atol=1e-13)
            inside = torch.tensor(np.abs(v) + 0.1, requires_grad=grad)
            expected = f.value(inside.detach().numpy())
            value = torch.as_tensor(f.value(inside)).detach()
            np.testing.assert_allclose(value, expected, rtol=1e-12)
            if grad and not isinstance(f, penalties.Box):
                assert torch.autograd.gradcheck(f.value, (inside,))
