"""Vector, group and spectral penalties: value, prox, conjugate, dual norm, certificates."""

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import require

from sparseopt import penalties, prox

N = 6
LABELS = [0, 1, 0, 2, 2, 2]
MEMBERS = [[0, 2], [1], [3, 4, 5]]
W = np.array([0.5, 0.0, 2.0])
L1 = np.array([0.5, 0.0, 1.0, 2.0, 0.3, 0.7])
FALLING = np.array([2.0, 1.5, 1.5, 0.4, 0.0, 0.0])
TREE = [[0, 2, 3, 4, 5], [0, 2], [3, 4], [4]]
TREE_W = np.array([0.5, 1.0, 0.0, 2.0])
OVERLAP = [[0, 1, 2], [2, 3], [3, 4, 5], [1, 5]]
OVERLAP_W = np.array([1.0, 0.5, 1.5, 0.8])


def over_groups(f, x, w=W):
    return sum(f(np.linalg.norm(x[m]), w[g]) for g, m in enumerate(MEMBERS))


def mcp(r, lam, gamma):
    return lam * r - r * r / (2 * gamma) if r <= gamma * lam else gamma * lam * lam / 2


def scad(r, lam, gamma):
    if r <= lam:
        return lam * r
    if r <= gamma * lam:
        return (2 * gamma * lam * r - r * r - lam * lam) / (2 * (gamma - 1))
    return lam * lam * (gamma + 1) / 2


def down(x):
    return np.sort(np.abs(x))[::-1]


@dataclasses.dataclass
class Row:
    """A penalty, its definition and the prox function it must agree with."""

    penalty: Any
    value: Callable[[Any], float]
    prox: Callable[..., Any]
    convex: bool = True
    rho: float = 0.0
    distance: int | None = None  # entries of the subdifferential distance
    differentiable: bool = True

    def __repr__(self):
        return repr(self.penalty)


P = penalties
ROWS = [
    Row(
        P.L2(0.7),
        lambda x: 0.7 * np.linalg.norm(x),
        lambda v, step: prox.l2(v, 0.7, step=step),
        distance=1,
    ),
    Row(
        P.SquaredL2(L1),
        lambda x: 0.5 * np.sum(L1 * np.abs(x) ** 2),
        lambda v, step: prox.squared_l2(v, L1, step=step),
        distance=N,
    ),
    Row(
        P.LInf(0.7),
        lambda x: 0.7 * np.max(np.abs(x)),
        lambda v, step: prox.linf(v, 0.7, step=step),
        distance=1,
    ),
    Row(
        P.GroupLInf(0.7, LABELS, W),
        lambda x: 0.7 * sum(W[g] * np.max(np.abs(x[m])) for g, m in enumerate(MEMBERS)),
        lambda v, step: prox.group_linf(v, 0.7, LABELS, W, step=step),
        distance=3,
    ),
    Row(
        P.GroupL2(0.7, LABELS, W),
        lambda x: over_groups(lambda r, w: 0.7 * w * r, x),
        lambda v, step: prox.group_l2(v, 0.7, LABELS, W, step=step),
        distance=3,
    ),
    Row(
        P.SparseGroup(L1, 0.7, MEMBERS, W),
        lambda x: np.sum(L1 * np.abs(x)) + over_groups(lambda r, w: 0.7 * w * r, x),
        lambda v, step: prox.sparse_group(v, L1, 0.7, LABELS, W, step=step),
        distance=3,
    ),
    Row(
        P.SparseGroup(0.3, 0.7, MEMBERS, "sqrt"),
        lambda x: (
            np.sum(0.3 * np.abs(x)) + over_groups(lambda r, w: 0.7 * w * r, x, np.sqrt([2, 1, 3]))
        ),
        lambda v, step: prox.sparse_group(v, 0.3, 0.7, LABELS, "sqrt", step=step),
        distance=3,
    ),
    Row(
        P.TreeGroups(0.7, TREE, TREE_W),
        lambda x: 0.7 * sum(w * np.linalg.norm(x[m]) for w, m in zip(TREE_W, TREE, strict=True)),
        lambda v, step: prox.tree_groups(v, 0.7, TREE, TREE_W, step=step),
    ),
    Row(
        P.Slope(FALLING),
        lambda x: np.sum(FALLING * down(x)),
        lambda v, step: prox.slope(v, FALLING, step=step),
        distance=N,
    ),
    Row(
        P.SumLargest(0.7, 2),
        lambda x: 0.7 * np.sum(down(x)[:2]),
        lambda v, step: prox.sum_largest(v, 0.7, 2, step=step),
        distance=N,
    ),
    Row(
        P.GroupLq(0.7, 0.5, LABELS, W),
        lambda x: over_groups(lambda r, w: 0.7 * w * np.sqrt(r), x),
        lambda v, step: prox.group_lq(v, 0.7, 0.5, LABELS, W, step=step),
        convex=False,
        rho=np.inf,
        distance=3,
    ),
    Row(
        P.GroupMCP(0.7, 1.5, LABELS, W),
        lambda x: over_groups(lambda r, w: mcp(r, 0.7 * w, 1.5), x),
        lambda v, step: prox.group_mcp(v, 0.7, 1.5, LABELS, W, step=step),
        convex=False,
        rho=1 / 1.5,
        distance=3,
    ),
    Row(
        P.GroupSCAD(0.7, 3.0, LABELS, W),
        lambda x: over_groups(lambda r, w: scad(r, 0.7 * w, 3.0), x),
        lambda v, step: prox.group_scad(v, 0.7, 3.0, LABELS, W, step=step),
        convex=False,
        rho=0.5,
        distance=3,
    ),
    Row(
        P.GroupLogSum(0.7, 0.9, LABELS, W),
        lambda x: over_groups(lambda r, w: 0.7 * w * np.log1p(r / 0.9), x),
        lambda v, step: prox.group_log_sum(v, 0.7, 0.9, LABELS, W, step=step),
        convex=False,
        rho=0.7 * 2 / 0.81,
        distance=3,
    ),
    Row(
        P.L1MinusL2(0.7, 0.6),
        lambda x: 0.7 * (np.sum(np.abs(x)) - 0.6 * np.linalg.norm(x)),
        lambda v, step: prox.l1_minus_l2(v, 0.7, 0.6, step=step),
        convex=False,
        rho=np.inf,
        distance=N,
    ),
    Row(
        P.Isotonic(),
        lambda x: 0.0 if np.all(np.diff(x) >= 0) else np.inf,
        lambda v, step: prox.project_isotonic(v),
        differentiable=False,
    ),
    Row(
        P.GroupKSparse(2, LABELS),
        lambda x: 0.0 if sum(np.any(x[m]) for m in MEMBERS) <= 2 else np.inf,
        lambda v, step: prox.project_group_top_k(v, 2, LABELS),
        convex=False,
        rho=np.inf,
        differentiable=False,
    ),
    Row(
        P.NMSparse(1, 3),
        lambda x: 0.0 if all(np.count_nonzero(r) <= 1 for r in x.reshape(2, 3)) else np.inf,
        lambda v, step: prox.project_n_m(v, 1, 3),
        convex=False,
        rho=np.inf,
        differentiable=False,
    ),
]
LATENT = Row(
    P.LatentGroup(0.7, OVERLAP, OVERLAP_W),
    None,
    lambda v, step: prox.latent_group(v, 0.7, OVERLAP, OVERLAP_W, step=step),
)
rows = pytest.mark.parametrize("row", ROWS, ids=repr)
with_latent = pytest.mark.parametrize("row", [*ROWS, LATENT], ids=repr)


def real_only(row):
    return isinstance(row.penalty, P.Isotonic)


@rows
def test_value_is_the_definition(row, rng):
    for x in [*rng.standard_normal((20, N)), np.zeros(N), np.eye(N)[2], 2 * np.eye(N)[0]]:
        expected = row.value(x)
        assert row.penalty.value(x) == pytest.approx(expected, rel=1e-12, abs=1e-15)
        assert row.penalty.value(x.tolist()) == pytest.approx(expected, rel=1e-12, abs=1e-15)
        assert np.ndim(row.penalty.value(x)) == 0
        if not real_only(row):
            turned = x * np.exp(2j)
            assert row.penalty.value(turned) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    single = row.penalty.value(np.float32([0.5, 0, 0.25, 0, 0, 1.25]))
    assert single == pytest.approx(row.value(np.array([0.5, 0, 0.25, 0, 0, 1.25])), rel=1e-6)


@with_latent
@pytest.mark.parametrize("step", [0.1, 1.0, 5.0])
def test_prox_is_the_function(row, step, rng):
    v = rng.standard_normal(N) * 2
    before = v.copy()
    found = row.penalty.prox(v, step)
    np.testing.assert_allclose(found, row.prox(v, step), rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(v, before)
    np.testing.assert_array_equal(row.penalty.prox(v), row.penalty.prox(v, 1.0))
    np.testing.assert_array_equal(row.penalty.prox(v.tolist(), step), found)
    assert np.asarray(row.penalty.prox(v.astype(np.float32), step)).dtype == np.float32


@with_latent
def test_prox_minimises(row, rng):
    for step in (0.1, 0.4, 1.0, 5.0):
        v = rng.standard_normal(N) * 2
        x = row.penalty.prox(v, step)
        value = row.penalty.value
        found = 0.5 * np.sum((x - v) ** 2) + step * value(x)
        assert np.isfinite(found)
        count = 60 if row is not LATENT else 10
        around = x + rng.standard_normal((count, N)) * 10 ** rng.uniform(-6, 0, (count, 1))
        kept = x * (rng.random((count // 2, N)) < 0.7)
        feasible = [row.penalty.prox(w, step) for w in around[: count // 2]]
        for other in [*around, *kept, *feasible, np.zeros(N), v]:
            least = 0.5 * np.sum((other - v) ** 2) + step * value(other)
            assert found <= least + (1e-12 if row is not LATENT else 1e-8)


@pytest.mark.parametrize(
    "row", [r for r in [*ROWS, LATENT] if hasattr(r.penalty, "conjugate")], ids=repr
)
def test_conjugate(row, rng):
    f = row.penalty
    for step in (0.3, 1.0, 4.0):
        v = rng.standard_normal(N) * 2
        x = f.prox(v, step)
        y = (v - x) / step  # a subgradient at x, so Fenchel and Young are equal there
        y = y * (1 - 1e-12) if f.is_homogeneous else y
        assert f.value(x) + f.conjugate(y) == pytest.approx(x @ y, rel=1e-8, abs=1e-8)
    for _ in range(5):
        y = rng.standard_normal(N)
        bound = f.conjugate(y)
        for x in rng.standard_normal((10, N)) * 10 ** rng.uniform(-2, 2, (10, 1)):
            p = f.prox(x)
            assert p @ y - f.value(p) <= bound + 1e-8


@pytest.mark.parametrize(
    "row", [r for r in [*ROWS, LATENT] if hasattr(r.penalty, "dual_norm")], ids=repr
)
def test_dual_norm(row, rng):
    f = row.penalty
    assert f.is_homogeneous
    assert f.dual_norm(np.zeros(N)) == 0.0
    for _ in range(20):
        y = rng.standard_normal(N)
        y[1] = 0.0 if not f.is_norm else y[1]
        t = f.dual_norm(y)
        assert np.isfinite(t)
        assert f.alpha_max(y) == t
        # y / t is in the subdifferential at zero, so zero solves the prox, just.
        assert not np.any(np.abs(f.prox(y / t * (1 - 1e-11))) > 1e-13)
        assert np.any(f.prox(y / t * (1 + 1e-8)))
        assert f.dual_norm(-3 * y) == pytest.approx(3 * t)
        assert f.dual_norm(y * 1j) == pytest.approx(t)
    if f.value(np.eye(N)[1]) == 0:
        assert f.dual_norm(np.eye(N)[1]) == np.inf
    assert f.is_norm == (f.value(np.eye(N)[1]) > 0)


@with_latent
def test_batch_equals_loop(row, rng):
    X = rng.standard_normal((N, 4))
    X[:, 1] = 0
    f = row.penalty
    for Z in (X, np.asfortranarray(X), np.array([f.prox(c) for c in X.T]).T):
        values = f.value(Z)
        assert np.shape(values) == (4,)
        np.testing.assert_allclose(values, [f.value(c) for c in Z.T], rtol=1e-13, atol=1e-15)
        loop = np.array([f.prox(c, 0.7) for c in Z.T]).T
        np.testing.assert_allclose(f.prox(Z, 0.7), loop, rtol=1e-13, atol=1e-14)
    assert np.shape(f.value(X[:, :0])) == (0,)
    assert f.prox(X[:, :0]).shape == (N, 0)
    assert np.shape(f.value(X[:, :1])) == (1,)
    for name in ("conjugate", "dual_norm", "alpha_max"):
        if hasattr(f, name):
            found = getattr(f, name)(X)
            assert np.shape(found) == (4,)
            np.testing.assert_allclose(found, [getattr(f, name)(c) for c in X.T], rtol=1e-13)
    step = np.array([0.1, 0.5, 1.0, 3.0])  # solvers may hold one step per column
    loop = np.array([f.prox(c, s) for c, s in zip(X.T, step, strict=True)]).T
    np.testing.assert_allclose(f.prox(X, step), loop, rtol=1e-13, atol=1e-14)
    square = rng.standard_normal((N, N))  # one parameter per coordinate, never per column
    np.testing.assert_allclose(f.value(square), [f.value(c) for c in square.T], rtol=1e-13)
    if row.distance is not None:
        found = f.subdiff_distance(X, X[::-1])
        assert found.shape == (row.distance, 4)
        loop = np.array([f.subdiff_distance(x, g) for x, g in zip(X.T, X[::-1].T, strict=True)]).T
        np.testing.assert_allclose(found, loop, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("row", [r for r in ROWS if r.distance is not None], ids=repr)
@pytest.mark.parametrize("turn", [1.0, np.exp(0.8j)])
def test_subdiff_distance(row, turn, rng):
    """Zero at the prox, and elsewhere how far the nearest subgradient is."""
    f = row.penalty
    scale = 0.01 if not row.convex else 1.0
    for step in (0.1, 1.0, 3.0):
        for _ in range(20):
            v = rng.standard_normal(N) * 2
            v = np.round(v) if rng.random() < 0.3 else v
            v = v * turn
            x = f.prox(v, step)
            distance = f.subdiff_distance(x, (x - v) / step)
            assert distance.shape == (row.distance,)
            assert np.all(distance >= 0)
            assert np.max(distance) < 1e-9 * (1 + 1 / step)
            # The distance is that of the whole vector: moving the gradient by d moves it by <= |d|.
            d = rng.standard_normal(N) * turn
            moved = f.subdiff_distance(x, (x - v) / step + scale * d)
            assert np.linalg.norm(moved) <= scale * np.linalg.norm(d) + 1e-9 * (1 + 1 / step)
    assert f.alpha_max(np.zeros(N)) == 0.0


@pytest.mark.extras
@pytest.mark.parametrize("name", ["Slope", "LInf", "GroupLInf", "SparseGroup", "SumLargest"])
def test_subdiff_distance_is_the_distance(name, rng):
    """Against the nearest y with <x, y> = f(x) and dual norm at most 1, by cvxpy."""
    cp = require("cvxpy")
    f = next(r.penalty for r in ROWS if type(r.penalty).__name__ == name)
    dual = {
        "Slope": lambda y: (
            [cp.sum_largest(cp.abs(y), k) <= FALLING[:k].sum() for k in range(1, N)]
            + [cp.norm1(y) <= FALLING.sum()]
        ),
        "SumLargest": lambda y: [cp.norm_inf(y) <= 0.7, cp.norm1(y) <= 1.4],
        "LInf": lambda y: [cp.norm1(y) <= 0.7],
        "GroupLInf": lambda y: [cp.norm1(y[m]) <= 0.7 * w for w, m in zip(W, MEMBERS, strict=True)],
        "SparseGroup": None,
    }[name]
    for _ in range(8):
        x = f.prox(np.round(rng.standard_normal(N) * 3), 0.8)
        g = rng.standard_normal(N)
        y = cp.Variable(N)
        if dual is None:
            a = cp.Variable(N)
            sums = [cp.norm2((y - a)[m]) <= 0.7 * w for w, m in zip(W, MEMBERS, strict=True)]
            constraints = [cp.abs(a) <= L1, *sums]
        else:
            constraints = dual(y)
        slack = 1e-9
        problem = cp.Problem(
            cp.Minimize(cp.norm2(y + g)), [*constraints, x @ y >= f.value(x) - slack]
        )
        problem.solve(solver="CLARABEL")
        assert np.linalg.norm(f.subdiff_distance(x, g)) == pytest.approx(problem.value, abs=1e-3)


@with_latent
def test_traits(row):
    f = row.penalty
    assert isinstance(f, P.PenaltyLike)
    assert f.is_convex is row.convex
    assert f.weak_convexity == pytest.approx(row.rho)
    assert f.is_separable == isinstance(f, P.SquaredL2)
    assert f.is_homogeneous == hasattr(f, "dual_norm")
    if not f.is_convex:
        assert not hasattr(f, "conjugate")
        assert not hasattr(f, "as_cvxpy")


@with_latent
def test_repr_and_pickle(row, rng):
    text = repr(row.penalty)
    assert text.startswith(type(row.penalty).__name__ + "(")
    assert len(text) < 150
    again = pickle.loads(pickle.dumps(row.penalty))
    assert repr(again) == text
    v = rng.standard_normal(N)
    np.testing.assert_array_equal(again.prox(v, 0.5), row.penalty.prox(v, 0.5))
    assert again.value(v) == row.penalty.value(v)


def test_parameters_are_copies():
    lam, w, labels = FALLING.copy(), W.copy(), np.array(LABELS)
    made = [
        P.Slope(lam),
        P.SquaredL2(lam),
        P.GroupLInf(0.7, labels, w),
        P.GroupMCP(0.7, 2.0, labels, w),
        P.SparseGroup(lam, 0.7, labels, w),
    ]
    x = np.arange(1.0, N + 1)
    values = [f.value(x) for f in made]
    lam[:], w[:], labels[:] = 9, 9, 0
    assert [f.value(x) for f in made] == values


# ---------------------------------------------------------------------------------------------
# The rows of a matrix


def test_l21(rng):
    X = rng.standard_normal((4, 3)) * 2
    w = np.array([0.0, 1.0, 0.5, 2.0])
    for f, v in ((P.L21(0.7), np.ones(4)), (P.L21(0.7, w), w)):
        norms = np.linalg.norm(X, axis=1)
        assert f.value(X) == pytest.approx(0.7 * v @ norms)
        assert np.ndim(f.value(X)) == 0
        expected = prox.l21(X, 0.7, v, step=0.5)
        np.testing.assert_allclose(f.prox(X, 0.5), expected, rtol=1e-14)
        np.testing.assert_allclose(f.prox(X[:, 0], 0.5), prox.l1(X[:, 0], 0.35 * v))
        assert f.value(X[:, 0]) == pytest.approx(0.7 * v @ np.abs(X[:, 0]))
        assert f.is_norm == (v.min() > 0)
        x = f.prox(X, 0.5)
        assert np.max(f.subdiff_distance(x, (x - X) / 0.5)) < 1e-12
        assert f.subdiff_distance(x, X).shape == (4,)
        assert f.subdiff_distance(x[:, 0], X[:, 0]).shape == (4,)
        Y = X * (v > 0)[:, None]
        t = f.dual_norm(Y)
        assert t == pytest.approx(np.max(norms[v > 0] / (0.7 * v[v > 0])))
        assert not f.prox(Y / t * (1 - 1e-12)).any()
        assert f.prox(Y / t * (1 + 1e-9)).any()
        assert f.conjugate(Y / t * (1 - 1e-9)) == 0.0
        assert f.value(np.zeros((4, 0))) == 0.0
    assert P.L21(0.7, w).dual_norm(X) == np.inf
    assert P.L21(0.7).dual_norm(X * 1j) == pytest.approx(P.L21(0.7).dual_norm(X))


@pytest.mark.extras
def test_l21_and_nuclear_with_cvxpy_and_torch(rng):
    cp, torch = require("cvxpy"), require("torch")
    V = rng.standard_normal((4, 3)) * 2
    for f in (P.L21(0.7, [0.5, 1.0, 2.0, 0.0]), P.Nuclear(0.7)):
        X = cp.Variable((4, 3))
        cost = 0.5 * cp.sum_squares(X - V) + 0.6 * f.as_cvxpy(X)
        cp.Problem(cp.Minimize(cost)).solve(solver="CLARABEL")
        np.testing.assert_allclose(f.prox(V, 0.6), X.value, atol=1e-5)
        for grad in (False, True):
            w = torch.tensor(V, requires_grad=grad)
            np.testing.assert_allclose(f.prox(w, 0.6).detach(), f.prox(V, 0.6), rtol=1e-11)
            np.testing.assert_allclose(float(f.value(w)), f.value(V), rtol=1e-12)
        assert torch.autograd.gradcheck(f.value, (torch.tensor(V, requires_grad=True),))
    x = cp.Variable(4)
    assert P.L21(0.7).as_cvxpy(x).is_convex()


# ---------------------------------------------------------------------------------------------
# Matrices

SPECTRAL = {
    "nuclear": (P.Nuclear(0.7), lambda s: 0.7 * s, lambda V, s: prox.nuclear(V, 0.7, step=s)),
    "schatten": (
        P.Schatten(0.7, 0.3),
        lambda s: 0.7 * s**0.3,
        lambda V, s: prox.schatten(V, 0.7, 0.3, step=s),
    ),
    "rank": (P.Rank(0.7), lambda s: 0.7 * (s > 1e-9), lambda V, s: prox.rank(V, 0.7, step=s)),
    "low rank": (
        P.LowRank(1),
        lambda s: np.where(np.sum(s > 1e-9) > 1, np.inf, 0.0) / s.size,
        lambda V, s: prox.project_rank(V, 1),
    ),
}


@pytest.mark.parametrize("name", SPECTRAL)
def test_spectral_penalties(name, rng):
    f, value, function = SPECTRAL[name]
    V = rng.standard_normal((2, 4, 3)) * 2
    V[1, :, 2] = V[1, :, 0]
    for X in [*V, prox.project_rank(V[0], 1)]:
        sigma = np.linalg.svd(X, compute_uv=False)
        sigma = np.where(sigma > 1e-9, sigma, 0)
        assert f.value(X) == pytest.approx(np.sum(value(sigma)), rel=1e-10)
        assert np.ndim(f.value(X)) == 0
        np.testing.assert_allclose(f.prox(X, 0.6), function(X, 0.6), atol=1e-13)
        assert f.value(X * 1j) == pytest.approx(f.value(X), rel=1e-10)
    np.testing.assert_allclose(f.value(V), [f.value(X) for X in V], rtol=1e-12)
    np.testing.assert_allclose(f.prox(V, 0.6), [f.prox(X, 0.6) for X in V], atol=1e-13)
    assert f.value(np.zeros((3, 2))) == 0.0
    assert f.value(np.zeros((0, 2))) == 0.0
    assert f.prox(np.float32(V)).dtype == np.float32
    assert f.is_convex == (name == "nuclear")
    assert not f.is_separable
    again = pickle.loads(pickle.dumps(f))
    assert repr(again) == repr(f)
    with pytest.raises(ValueError, match=r"must have shape \(..., m, n\)"):
        f.value(np.ones(3))


def test_nuclear_certificates(rng):
    f = P.Nuclear(0.7)
    assert f.is_norm
    for _ in range(20):
        V = rng.standard_normal((5, 4)) * 2
        if rng.random() < 0.3:
            V = V + 1j * rng.standard_normal((5, 4))
        t = f.dual_norm(V)
        assert t == pytest.approx(np.linalg.norm(V, 2) / 0.7)
        assert f.alpha_max(V) == t
        assert not f.prox(V / t * (1 - 1e-12)).any()
        assert f.prox(V / t * (1 + 1e-9)).any()
        X = f.prox(V, 2.0)
        assert f.subdiff_distance(X, (X - V) / 2.0) < 1e-12
        D = rng.standard_normal((5, 4))
        assert 0 < f.subdiff_distance(X, (X - V) / 2.0 + D) <= np.linalg.norm(D) + 1e-9
        outside = f.subdiff_distance(np.zeros((5, 4)), V)
        excess = np.maximum(np.linalg.svd(V, compute_uv=False) - 0.7, 0)
        assert outside == pytest.approx(np.linalg.norm(excess))
    stack = rng.standard_normal((3, 5, 4))
    found = f.subdiff_distance(f.prox(stack), stack)
    loop = [f.subdiff_distance(f.prox(X), X) for X in stack]
    np.testing.assert_allclose(found, loop, rtol=1e-12)
    np.testing.assert_allclose(f.dual_norm(stack), [f.dual_norm(X) for X in stack], rtol=1e-12)


# ---------------------------------------------------------------------------------------------
# Latent groups


@pytest.mark.extras
def test_the_value_of_latent_groups(rng):
    cp = require("cvxpy")
    f = LATENT.penalty
    for x in [*rng.standard_normal((6, N)), f.prox(2 * rng.standard_normal(N)), np.eye(N)[3]]:
        y = cp.Variable(N)
        bounds = [cp.norm2(y[m]) <= 0.7 * w for w, m in zip(OVERLAP_W, OVERLAP, strict=True)]
        problem = cp.Problem(cp.Maximize(x @ y), bounds)
        problem.solve(solver="CLARABEL")
        assert f.value(x) == pytest.approx(problem.value, rel=1e-6)
        assert f.value(x * np.exp(1j)) == pytest.approx(problem.value, rel=1e-6)
    assert f.value(np.zeros(N)) == 0.0


def test_duplicated_variables(rng):
    f = LATENT.penalty
    S, g = f.operator, f.duplicated
    assert S.shape == (N, sum(map(len, OVERLAP)))
    z = rng.standard_normal(S.shape[1])
    assert f.value(S @ z) <= g.value(z) * (1 + 1e-8)
    y = rng.standard_normal(N)
    assert f.dual_norm(y) == g.dual_norm(S.T @ y)
    v = rng.standard_normal(N) * 2
    for _ in range(20_000):  # proximal gradient on the duplicated variables
        z = g.prox(z - 0.25 * (S.T @ (S @ z - v)), 0.25)
    np.testing.assert_allclose(S @ z, f.prox(v), atol=1e-6)
    free = P.LatentGroup(1.0, OVERLAP, [0.0, 1.0, 1.0, 1.0])
    assert free.value(np.eye(N)[0]) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(free.prox(v)[:3], v[:3], atol=1e-12)
    with pytest.raises(ValueError, match="index 1 is in none"):
        P.LatentGroup(1.0, [[0], [2]])
    with pytest.raises(ValueError, match="weights must be finite"):
        P.LatentGroup(1.0, [[0], [1]], [1.0, np.inf])
    with pytest.raises(ValueError, match="lam must be finite"):
        P.LatentGroup(np.inf, [[0], [1]])
    with pytest.raises(ValueError, match="groups must index 3"):
        P.LatentGroup(1.0, [[0], [1]]).prox(np.ones(3))


# ---------------------------------------------------------------------------------------------
# Bad input, infinite levels, other libraries


def test_infinite_levels_and_empty_arrays():
    for f in (
        P.L2(np.inf),
        P.LInf(np.inf),
        P.GroupLInf(np.inf, [0, 0, 1]),
        P.Slope([np.inf, np.inf, 1.0]),
        P.SumLargest(np.inf, 2),
        P.SparseGroup(np.inf, 1.0, [0, 0, 1]),
        P.SparseGroup(1.0, np.inf, [0, 0, 1]),
        P.TreeGroups(np.inf, [[0, 1, 2]]),
        P.L21(np.inf),
    ):
        assert f.value(np.zeros(3)) == 0.0
        assert f.value([0.0, 1.0, 0.0]) == np.inf
        assert not f.prox(np.ones(3)).any()
        assert f.dual_norm(np.ones(3)) == 0.0
    for f in (
        P.L2(1.0),
        P.LInf(1.0),
        P.SquaredL2(1.0),
        P.Slope([]),
        P.SumLargest(1.0, 2),
        P.GroupMCP(1.0, 2.0, []),
        P.SparseGroup(1.0, 1.0, []),
        P.TreeGroups(1.0, []),
        P.LatentGroup(1.0, []),
        P.L1MinusL2(1.0),
        P.Isotonic(),
        P.L21(1.0),
    ):
        assert f.value([]) == 0.0
        assert f.prox(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: P.L2(-1.0), ValueError, "lam"),
        (lambda: P.L2([1.0, 2.0]), ValueError, "lam"),
        (lambda: P.SquaredL2(np.inf), ValueError, "mu"),
        (lambda: P.LInf(np.nan), ValueError, "lam"),
        (lambda: P.GroupLInf(1.0, [0, 1], [-1.0, 1.0]), ValueError, "weights"),
        (lambda: P.L21(1.0, [[1.0]]), ValueError, "weights must have shape"),
        (lambda: P.L21(1.0, [1.0, -1.0]), ValueError, "weights"),
        (lambda: P.L21(1.0, [1.0, 1.0]).value(np.ones((3, 2))), ValueError, r"shape \(3,\)"),
        (lambda: P.SparseGroup([1.0], 1.0, [0, 0]), ValueError, "lam_l1"),
        (lambda: P.SparseGroup(1.0, -1.0, [0, 0]), ValueError, "lam_group"),
        (lambda: P.TreeGroups(1.0, [[0, 1], [1, 2]]), ValueError, "nested or disjoint"),
        (lambda: P.TreeGroups(1.0, [[0, 1]]).prox(np.ones(3)), ValueError, "groups must index 3"),
        (lambda: P.Slope([1.0, 2.0]), ValueError, "lam must be nonincreasing"),
        (lambda: P.Slope(1.0), ValueError, "lam must have shape"),
        (lambda: P.Slope([2.0, 1.0]).value(np.ones(3)), ValueError, r"lam must have shape \(3,\)"),
        (lambda: P.SumLargest(1.0, -1), ValueError, "k"),
        (lambda: P.SumLargest(1.0, 1.5), TypeError, "k"),
        (lambda: P.L1MinusL2(1.0, 2.0), ValueError, "alpha"),
        (lambda: P.L1MinusL2(np.inf), ValueError, "lam must be finite"),
        (lambda: P.GroupLq(1.0, 2.0, [0]), ValueError, "q"),
        (lambda: P.GroupMCP(1.0, 0.0, [0]), ValueError, "gamma"),
        (lambda: P.GroupSCAD(1.0, 2.0, [0]), ValueError, "gamma"),
        (lambda: P.GroupLogSum(1.0, 0.0, [0]), ValueError, "eps"),
        (lambda: P.GroupMCP(np.inf, 2.0, [0]), ValueError, "lam must be finite"),
        (lambda: P.GroupKSparse(-1, [0]), ValueError, "k"),
        (lambda: P.NMSparse(3, 2), ValueError, "n must be between"),
        (lambda: P.NMSparse(1, 2).value(np.ones(3)), ValueError, "multiple of m = 2"),
        (lambda: P.Schatten(1.0, 1.5), ValueError, "q"),
        (lambda: P.Rank(-1.0), ValueError, "lam"),
        (lambda: P.LowRank(-1), ValueError, "k"),
        (lambda: P.Nuclear(1.0).prox(np.ones(3)), ValueError, r"\(..., m, n\)"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")
@pytest.mark.parametrize(
    "row", [r for r in [*ROWS, LATENT] if hasattr(r.penalty, "as_cvxpy")], ids=repr
)
def test_cvxpy(row, rng):
    cp = require("cvxpy")
    f = row.penalty
    x = cp.Variable(N)
    v = rng.standard_normal(N) * 2
    expression = f.as_cvxpy(x)
    assert expression.is_convex()
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.6 * expression))
    problem.solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(v, 0.6), x.value, atol=1e-5)
    X = cp.Variable((N, 2))  # a batch: the sum over its columns
    V = rng.standard_normal((N, 2))
    cost = 0.5 * cp.sum_squares(X - V) + f.as_cvxpy(X)
    problem = cp.Problem(cp.Minimize(cost))
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11)
    np.testing.assert_allclose(f.prox(V), X.value, atol=2e-5)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@with_latent
def test_torch(row, rng):
    torch = require("torch")
    f = row.penalty
    for v in (rng.standard_normal(N) * 2, rng.standard_normal((N, 3)) * 2):
        for grad in (False, True):
            w = torch.tensor(v, requires_grad=grad)
            x = f.prox(w, 0.7)
            assert isinstance(x, torch.Tensor)
            np.testing.assert_allclose(x.detach().numpy(), f.prox(v, 0.7), rtol=1e-12, atol=1e-13)
            if row.differentiable:
                value = np.asarray(torch.as_tensor(f.value(w), dtype=torch.float64).detach())
                np.testing.assert_allclose(value, f.value(v), rtol=1e-12)
            if row.differentiable and grad and row is not LATENT:
                assert torch.autograd.gradcheck(f.value, (w,))
