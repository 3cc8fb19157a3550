"""TV1D, FusedLasso, TV2D, TrendFilter: values, traits, certificates, batches."""

import pickle

import numpy as np
import pytest
from helpers import require

import sparseopt as so
from sparseopt import penalties, prox

N = 12
EDGES = np.array([0.5, 0.0, 1.0, 2.0, 0.3, 0.7, 0.2, 1.5, 0.4, 0.6, 0.9])
FALLS = EDGES[::-1].copy()
SHAPE = (3, 4)


def tv1d(x, above, below):
    d = np.diff(x)
    return np.sum(above * np.maximum(d, 0) + below * np.maximum(-d, 0))


def tv2d(x, isotropic):
    x = x.reshape(SHAPE)
    d = np.zeros((2, *SHAPE))
    d[0, :-1] = np.diff(x, axis=0)
    d[1, :, :-1] = np.diff(x, axis=1) / 0.5
    return np.sum(np.sqrt(np.sum(d**2, axis=0)) if isotropic else np.sum(np.abs(d), axis=0))


GRID = {"spacing": [1.0, 0.5], "tol": 1e-12}
ROWS = [
    (penalties.TV1D(0.7), lambda x: tv1d(x, 0.7, 0.7), lambda v, s: prox.tv1d(v, 0.7, step=s)),
    (
        penalties.TV1D(EDGES),
        lambda x: tv1d(x, EDGES, EDGES),
        lambda v, s: prox.tv1d(v, EDGES, step=s),
    ),
    (
        penalties.TV1D(EDGES, FALLS),
        lambda x: tv1d(x, EDGES, FALLS),
        lambda v, s: prox.tv1d(v, EDGES, lam_minus=FALLS, step=s),
    ),
    (
        penalties.FusedLasso(0.3, EDGES),
        lambda x: 0.3 * np.abs(x).sum() + tv1d(x, EDGES, EDGES),
        lambda v, s: prox.fused_lasso(v, 0.3, EDGES, step=s),
    ),
    (
        penalties.TrendFilter(0.4, 1, tol=1e-12),
        lambda x: 0.4 * np.abs(np.diff(x, n=2)).sum(),
        lambda v, s: prox.trend_filter(v, 0.4, 1, step=s, tol=1e-12),
    ),
    (
        penalties.TrendFilter(EDGES[:-2] + 0.1, 2, tol=1e-12),
        lambda x: np.sum((EDGES[:-2] + 0.1) * np.abs(np.diff(x, n=3))),
        lambda v, s: prox.trend_filter(v, EDGES[:-2] + 0.1, 2, step=s, tol=1e-12),
    ),
    *[
        (
            penalties.TV2D(SHAPE, 0.4, isotropic, **GRID),
            lambda x, isotropic=isotropic: 0.4 * tv2d(x, isotropic),
            lambda v, s, isotropic=isotropic: prox.tv2d(
                v.reshape(SHAPE), 0.4, isotropic, step=s, **GRID
            ).reshape(-1),
        )
        for isotropic in (True, False)
    ],
]
rows = pytest.mark.parametrize(("f", "value", "function"), ROWS, ids=[repr(r[0]) for r in ROWS])
gauges = pytest.mark.parametrize("f", [r[0] for r in ROWS if hasattr(r[0], "dual_norm")], ids=repr)
EXACT = [r[0] for r in ROWS if hasattr(r[0], "gap")]
exact = pytest.mark.parametrize("f", EXACT, ids=repr)


def prox_objective(f, x, v, step):
    return 0.5 * np.sum((x - v) ** 2) + step * f.value(x)


@rows
def test_value_prox_and_traits(f, value, function, rng):
    for x in (*rng.standard_normal((10, N)), np.zeros(N), np.full(N, 3.0), np.eye(N)[4]):
        assert f.value(x) == pytest.approx(value(x), rel=1e-12, abs=1e-14)
        assert f.value(x.tolist()) == pytest.approx(value(x), rel=1e-12, abs=1e-14)
        assert np.ndim(f.value(x)) == 0
        assert f.value(-2.5 * x) == pytest.approx(2.5 * f.value(x)) or "lam_minus" in repr(f)
    for step in (0.1, 1.0, 5.0):
        v = 2 * rng.standard_normal(N)
        before = v.copy()
        x = f.prox(v, step)
        np.testing.assert_allclose(x, function(v, step), atol=1e-14)
        np.testing.assert_array_equal(v, before)
        found = prox_objective(f, x, v, step)
        for other in x + rng.standard_normal((200, N)) * 10 ** rng.uniform(-5, 0, (200, 1)):
            assert found <= prox_objective(f, other, v, step) + 1e-10
    if getattr(f, "tol", None) is None:
        assert f.prox(v.astype(np.float32), step).dtype == np.float32
    assert isinstance(f, penalties.PenaltyLike)
    assert f.is_convex
    assert f.is_homogeneous
    assert not f.is_separable
    assert f.weak_convexity == 0.0
    assert hasattr(f, "dual_norm") == (not isinstance(f, penalties.TV2D))
    if hasattr(f, "is_norm"):
        assert f.is_norm == (f.value(np.ones(N)) > 0)


@rows
def test_batch_equals_loop(f, value, function, rng):
    X = rng.standard_normal((N, 3))
    X[:, 1] = 1.0
    for Z in (X, np.asfortranarray(X)):
        np.testing.assert_allclose(f.value(Z), [value(c) for c in Z.T], rtol=1e-13, atol=1e-15)
        step = np.array([0.1, 0.5, 3.0])
        loop = np.array([f.prox(c, s) for c, s in zip(Z.T, step, strict=True)]).T
        np.testing.assert_array_equal(f.prox(Z, step), loop)
        np.testing.assert_array_equal(f.prox(Z, 0.7), np.array([f.prox(c, 0.7) for c in Z.T]).T)
    assert np.shape(f.value(X[:, :1])) == (1,)
    assert f.prox(X[:, :0]).shape == (N, 0)
    for name in ("dual_norm", "conjugate", "alpha_max"):
        if hasattr(f, name):
            method = getattr(f, name)
            np.testing.assert_allclose(method(X), [method(c) for c in X.T], rtol=1e-12, atol=1e-12)
    if hasattr(f, "subdiff_distance"):
        G = rng.standard_normal((N, 3))
        found = f.subdiff_distance(X, G)
        loop = [f.subdiff_distance(x, g) for x, g in zip(X.T, G.T, strict=True)]
        np.testing.assert_allclose(found, np.transpose(loop), atol=1e-14)
        np.testing.assert_allclose(
            f.gap(X, G, 0.7), [f.gap(x, g, 0.7) for x, g in zip(X.T, G.T, strict=True)], rtol=1e-12
        )


@gauges
def test_dual_norm_and_conjugate(f, rng):
    assert f.dual_norm(np.zeros(N)) == 0.0
    for step in (0.3, 1.0, 4.0):
        v = 2 * rng.standard_normal(N)
        x = f.prox(v, step)
        y = (v - x) / step
        if isinstance(f, penalties.TrendFilter):
            y = y - np.polynomial.Polynomial.fit(np.arange(N), y, f.order)(np.arange(N))
        y = y * (1 - 1e-9)
        assert f.dual_norm(y) <= 1.0
        assert f.conjugate(y) == 0.0
        assert f.value(x) == pytest.approx(x @ y, rel=1e-4, abs=1e-4)
        t = f.dual_norm(y)
        assert f.conjugate(1.001 * y / t) == np.inf
        for z in rng.standard_normal((200, N)):
            assert z @ y <= t * f.value(z) + 1e-10
    if f.is_norm:
        y = rng.standard_normal(N)
        t = f.dual_norm(y)
        assert not np.any(f.prox(y, t * (1 + 1e-10)))
        assert np.any(f.prox(y, t * (1 - 1e-10)))
    else:
        assert f.dual_norm(np.ones(N)) == np.inf
        assert f.dual_norm(np.eye(N)[3]) == np.inf


def test_dual_norm_of_a_fused_lasso_at_the_borders(rng):
    y = rng.standard_normal(N)
    assert penalties.FusedLasso(0.5, 0.0).dual_norm(y) == pytest.approx(np.abs(y).max() / 0.5)
    assert penalties.FusedLasso(0.5, np.inf).dual_norm(y) == pytest.approx(abs(y.mean()) / 0.5)
    centred = y - y.mean()
    alone = penalties.FusedLasso(0.0, 0.4)
    assert not alone.is_norm
    assert alone.dual_norm(centred) == penalties.TV1D(0.4).dual_norm(centred)


@pytest.mark.parametrize("falls", [None, FALLS + 0.1])
def test_alpha_max(falls, rng):
    """Just at the strength above which the solution is constant, or a polynomial."""
    v = rng.standard_normal(N)
    f = penalties.TV1D(EDGES + 0.1, falls)
    strength = f.alpha_max(-v)
    assert np.ptp(f.prox(v, strength * (1 + 1e-9))) < 1e-14
    assert np.ptp(f.prox(v, strength * (1 - 1e-6))) > 1e-9
    for order in (0, 1, 2):
        f = penalties.TrendFilter(0.7, order, tol=1e-12)
        strength = f.alpha_max(-v)
        assert f.value(f.prox(v, strength * (1 + 1e-9))) < 1e-11
        assert f.value(f.prox(v, strength * 0.98)) > 1e-4
    assert penalties.TV1D(2.0).alpha_max(-v) == pytest.approx(
        np.abs(np.cumsum(v - v.mean())).max() / 2.0
    )


@exact
def test_gap_is_a_certificate(f, rng):
    for step in (0.2, 1.0):
        v = 2 * rng.standard_normal(N)
        x = f.prox(v, step)
        least = prox_objective(f, x, v, step)
        assert f.gap(x, v, step) <= 1e-12
        for size in (1e-6, 1e-2, 1.0):
            other = x + size * rng.standard_normal(N)
            assert f.gap(other, v, step) >= prox_objective(f, other, v, step) - least - 1e-12
        assert f.gap(np.zeros(N), v, step) > 0


@exact
def test_subdiff_distance(f, rng):
    """Zero at solutions, once their flat pieces are flat to the last bit."""
    for step in (0.2, 1.0, 3.0):
        v = 2 * rng.standard_normal(N)
        x = f.prox(v, step)
        flat = np.append(False, np.abs(np.diff(x)) < 1e-12)
        for i in np.flatnonzero(flat):
            x[i] = x[i - 1]
        np.testing.assert_allclose(f.subdiff_distance(x, (x - v) / step), 0.0, atol=1e-12)
        assert np.linalg.norm(f.subdiff_distance(x, rng.standard_normal(N))) > 1e-3


@pytest.mark.extras
@exact
def test_subdiff_distance_against_cvxpy(f, rng):
    cp = require("cvxpy")
    fused = isinstance(f, penalties.FusedLasso)
    above = np.broadcast_to(f.lam_tv if fused else f.lam, N - 1)
    below = above if fused or f.lam_minus is None else f.lam_minus
    for x in (np.repeat([1.0, 0.0, 0.0, -2.0], 3), np.zeros(N), rng.integers(-1, 2, N) * 1.0):
        g = rng.standard_normal(N)
        u, s = cp.Variable(N - 1), cp.Variable(N)
        d = np.diff(x)
        D = np.diff(np.eye(N), axis=0)
        constraints = [u[d > 0] == above[d > 0], u[d < 0] == -below[d < 0]] if np.any(d) else []
        constraints += [u <= above, u >= -below]
        if fused:
            constraints += [cp.abs(s) <= f.lam_l1]
            if np.any(x):
                constraints.append(s[x != 0] == f.lam_l1 * np.sign(x[x != 0]))
        else:
            constraints.append(s == 0)
        best = cp.Problem(cp.Minimize(cp.norm2(g + D.T @ u + s)), constraints).solve(
            solver="CLARABEL"
        )
        assert np.linalg.norm(f.subdiff_distance(x, g)) == pytest.approx(best, abs=1e-6)


@pytest.mark.extras
@rows
def test_cvxpy(f, value, function, rng):
    cp = require("cvxpy")
    x = cp.Variable(N)
    expression = f.as_cvxpy(x)
    assert expression.is_convex()
    for z in rng.standard_normal((3, N)):
        x.value = z
        assert expression.value == pytest.approx(f.value(z), abs=1e-9)
    v = 2 * rng.standard_normal(N)
    cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.6 * expression)).solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(v, 0.6), x.value, atol=2e-5)
    X = cp.Variable((N, 2))
    V = rng.standard_normal((N, 2))
    cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - V) + f.as_cvxpy(X))).solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(V), X.value, atol=2e-5)


@rows
def test_repr_pickle_and_copies(f, value, function, rng):
    assert repr(f).startswith(type(f).__name__ + "(lam") or repr(f).startswith("TV2D(shape")
    assert len(repr(f)) < 150
    again = pickle.loads(pickle.dumps(f))
    v = rng.standard_normal(N)
    np.testing.assert_array_equal(again.prox(v, 0.5), f.prox(v, 0.5))
    lam = EDGES.copy()
    mine = penalties.TV1D(lam)
    lam[:] = 9
    np.testing.assert_array_equal(mine.lam, EDGES)
    with pytest.raises(ValueError, match="read-only"):
        mine.lam[0] = 1.0


@pytest.mark.extras
@rows
def test_torch(f, value, function, rng):
    torch = require("torch")
    for v in (rng.standard_normal(N), rng.standard_normal((N, 2))):
        x = f.prox(torch.tensor(v), 0.7)
        assert isinstance(x, torch.Tensor)
        np.testing.assert_allclose(x, f.prox(v, 0.7), rtol=1e-12, atol=1e-14)
        tracked = torch.tensor(v, requires_grad=True)
        np.testing.assert_allclose(torch.as_tensor(f.value(tracked)).detach(), f.value(v))
        assert torch.autograd.gradcheck(f.value, (tracked,))


def test_single_precision_of_the_inexact_ones(rng):
    for f in (penalties.TV2D(SHAPE, 0.4), penalties.TrendFilter(0.4)):
        v = rng.standard_normal(N)
        x = f.prox(v.astype(np.float32))
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, f.prox(v), atol=0.05)


def test_tv2d_shapes():
    f = penalties.TV2D(SHAPE, 1.0)
    image = np.arange(12.0).reshape(SHAPE)
    assert f.value(image) == f.value(image.reshape(-1))
    np.testing.assert_array_equal(f.prox(image), f.prox(image.reshape(-1)).reshape(SHAPE))
    volume = penalties.TV2D((2, 2, 2), 1.0)
    assert volume.value(np.eye(8)[7]) == 3.0
    assert volume.value(np.eye(8)[0]) == pytest.approx(np.sqrt(3))
    assert penalties.TV2D(5, 1.0).value(np.eye(5)[2]) == 2.0
    for wrong in (np.zeros(11), np.zeros((4, 3)), np.zeros((2, 12))):
        for method in (f.value, f.prox):
            with pytest.raises(ValueError, match="x must have shape"):
                method(wrong)


def test_in_a_solver(rng):
    """Deblurring with TV: the fixed point satisfies the optimality condition."""
    truth = np.repeat([0.0, 2.0, -1.0, 0.5], 10)
    A = rng.standard_normal((60, 40))
    y = A @ truth + 0.1 * rng.standard_normal(60)
    for f in (penalties.TV1D(2.0), penalties.FusedLasso(0.5, 2.0)):
        result = so.minimize(so.losses.LeastSquares(A, y), f, tol=1e-9)
        assert result.success
        x = np.round(result.x, 6)
        scale = np.linalg.norm(A.T @ y)
        assert np.linalg.norm(f.subdiff_distance(x, A.T @ (A @ x - y))) < 1e-4 * scale
        assert np.count_nonzero(np.diff(x)) < 12


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: penalties.TV1D(-1.0), ValueError, "lam"),
        (lambda: penalties.TV1D(1.0, np.nan), ValueError, "lam_minus"),
        (lambda: penalties.TV1D(1.0).value([1j, 2.0]), TypeError, "x must be real"),
        (lambda: penalties.TV1D(1.0).prox([1j, 2.0]), TypeError, "v must be real"),
        (lambda: penalties.TV1D([1.0, 2.0]).value([1.0, 2.0]), ValueError, "lam"),
        (lambda: penalties.TV1D([1.0, 2.0]).prox([1.0, 2.0]), ValueError, "lam"),
        (lambda: penalties.FusedLasso(np.inf, 1.0), ValueError, "lam_l1"),
        (lambda: penalties.FusedLasso([1.0, 2.0], 1.0), ValueError, "lam_l1"),
        (lambda: penalties.TrendFilter(np.inf), ValueError, "lam"),
        (lambda: penalties.TrendFilter(1.0, -1), ValueError, "order"),
        (lambda: penalties.TrendFilter(1.0, tol=0.0), ValueError, "tol"),
        (lambda: penalties.TV2D((3, 0), 1.0), ValueError, "shape"),
        (lambda: penalties.TV2D((3, 2.0), 1.0), TypeError, "shape"),
        (lambda: penalties.TV2D((3, 2), -1.0), ValueError, "lam"),
        (lambda: penalties.TV2D((3, 2), [1.0, 2.0]), ValueError, "lam"),
        (lambda: penalties.TV2D((3, 2), 1.0, spacing=[1.0]), ValueError, "spacing"),
        (lambda: penalties.TV2D((3, 2), 1.0, max_iter=-1), ValueError, "max_iter"),
        (lambda: penalties.TV2D((1, 2), 1.0).prox([1j, 0]), TypeError, "v must be real"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()
