"""Penalties: value, prox, conjugate, dual norm, traits; each against its definition."""

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import require

import sparseopt as so
from sparseopt import penalties, prox

N = 6
LABELS = [0, 1, 0, 2, 2, 2]
MEMBERS = [[0, 2], [1], [3, 4, 5]]
LAM = np.array([0.5, 0.0, 1.0, 2.0, 0.3, 0.7])
GAMMA = np.array([1.5, 3.0, 0.4, 2.0, 1.0, 0.7])
W = np.array([0.5, 0.0, 2.0])


def mcp(x, lam, gamma):
    a = np.abs(x)
    return np.sum(np.where(a <= gamma * lam, lam * a - a**2 / (2 * gamma), gamma * lam**2 / 2))


def group(x, lam, w):
    return lam * sum(w[g] * np.linalg.norm(x[index]) for g, index in enumerate(MEMBERS))


def simplex(x, r):
    return 0.0 if x.min() >= 0 and abs(x.sum() - r) < 1e-9 * r else np.inf


@dataclasses.dataclass
class Row:
    """A penalty, its definition and the prox function it must agree with."""

    penalty: Any
    value: Callable[[Any], float]
    prox: Callable[..., Any]
    convex: bool = True
    rho: float = 0.0

    def __repr__(self):
        return repr(self.penalty)


ROWS = [
    Row(penalties.Zero(), lambda x: 0.0, lambda v, step: v),
    Row(
        penalties.L1(0.7),
        lambda x: 0.7 * np.sum(np.abs(x)),
        lambda v, step: prox.l1(v, 0.7, step=step),
    ),
    Row(
        penalties.L1(LAM),
        lambda x: np.sum(LAM * np.abs(x)),
        lambda v, step: prox.l1(v, LAM, step=step),
    ),
    Row(
        penalties.ElasticNet(0.7, 0.4),
        lambda x: 0.7 * np.sum(np.abs(x)) + 0.2 * np.sum(np.abs(x) ** 2),
        lambda v, step: prox.elastic_net(v, 0.7, 0.4, step=step),
    ),
    Row(
        penalties.ElasticNet(LAM, GAMMA),
        lambda x: np.sum(LAM * np.abs(x) + GAMMA / 2 * np.abs(x) ** 2),
        lambda v, step: prox.elastic_net(v, LAM, GAMMA, step=step),
    ),
    Row(
        penalties.GroupL2(0.7, LABELS, "sqrt"),
        lambda x: group(x, 0.7, np.sqrt([2, 1, 3])),
        lambda v, step: prox.group_l2(v, 0.7, LABELS, "sqrt", step=step),
    ),
    Row(
        penalties.GroupL2(0.7, MEMBERS, W),
        lambda x: group(x, 0.7, W),
        lambda v, step: prox.group_l2(v, 0.7, MEMBERS, W, step=step),
    ),
    Row(
        penalties.L0(LAM),
        lambda x: np.sum(LAM[x != 0]),
        lambda v, step: prox.l0(v, LAM, step=step),
        convex=False,
        rho=np.inf,
    ),
    Row(
        penalties.Lq(0.7, 0.3),
        lambda x: 0.7 * np.sum(np.abs(x[x != 0]) ** 0.3),
        lambda v, step: prox.lq(v, 0.7, 0.3, step=step),
        convex=False,
        rho=np.inf,
    ),
    Row(
        penalties.Lq(LAM, 0.5),
        lambda x: np.sum(LAM * np.sqrt(np.abs(x))),
        lambda v, step: prox.lq(v, LAM, 0.5, step=step),
        convex=False,
        rho=np.inf,
    ),
    Row(
        penalties.MCP(LAM, GAMMA),
        lambda x: mcp(x, LAM, GAMMA),
        lambda v, step: prox.mcp(v, LAM, GAMMA, step=step),
        convex=False,
        rho=1 / 0.4,
    ),
    Row(
        penalties.Simplex(2.0),
        lambda x: simplex(x, 2.0),
        lambda v, step: prox.project_simplex(v, 2.0),
    ),
    Row(
        penalties.KSparse(2),
        lambda x: 0.0 if np.count_nonzero(x) <= 2 else np.inf,
        lambda v, step: prox.project_top_k(v, 2),
        convex=False,
        rho=np.inf,
    ),
]
rows = pytest.mark.parametrize("row", ROWS, ids=repr)
convex_rows = pytest.mark.parametrize(
    "row", [r for r in ROWS if hasattr(r.penalty, "conjugate")], ids=repr
)
gauges = pytest.mark.parametrize(
    "row", [r for r in ROWS if hasattr(r.penalty, "dual_norm")], ids=repr
)


def real_only(row):
    return isinstance(row.penalty, penalties.Simplex)


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
    assert row.penalty.value(np.ones(N, int)) == pytest.approx(row.value(np.ones(N)))
    single = row.penalty.value(np.float32([0.5, 0, 0.25, 0, 0, 1.25]))
    assert single == pytest.approx(row.value(np.array([0.5, 0, 0.25, 0, 0, 1.25])), rel=1e-6)


@rows
@pytest.mark.parametrize("step", [0.1, 1.0, 5.0])
def test_prox_is_the_function(row, step, rng):
    v = rng.standard_normal(N) * 2
    before = v.copy()
    np.testing.assert_allclose(row.penalty.prox(v, step), row.prox(v, step), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(v, before)
    np.testing.assert_array_equal(row.penalty.prox(v), row.penalty.prox(v, 1.0))
    np.testing.assert_array_equal(row.penalty.prox(v.tolist(), step), row.penalty.prox(v, step))
    single = row.penalty.prox(v.astype(np.float32), step)
    assert np.asarray(single).dtype == np.float32


@rows
@pytest.mark.parametrize("step", [0.1, 0.4, 1.0, 5.0])
def test_prox_minimises(row, step, rng):
    for _ in range(5):
        v = rng.standard_normal(N) * 2
        x = row.penalty.prox(v, step)
        found = 0.5 * np.sum((x - v) ** 2) + step * row.penalty.value(x)
        assert np.isfinite(found)
        around = x + rng.standard_normal((150, N)) * 10 ** rng.uniform(-6, 0, (150, 1))
        kept = x * (rng.random((50, N)) < 0.7)
        feasible = [row.penalty.prox(w, step) for w in around[:50]]
        for other in [*around, *kept, *feasible, np.zeros(N), v]:
            least = 0.5 * np.sum((other - v) ** 2) + step * row.penalty.value(other)
            assert found <= least + 1e-12


@convex_rows
def test_conjugate(row, rng):
    f = row.penalty
    for step in (0.3, 1.0, 4.0):
        v = rng.standard_normal(N) * 2
        x = f.prox(v, step)
        y = (v - x) / step  # a subgradient at x, so Fenchel and Young are equal there
        y = y * (1 - 1e-13) if f.is_homogeneous else y
        assert f.value(x) + f.conjugate(y) == pytest.approx(x @ y, rel=1e-9, abs=1e-9)
    for _ in range(20):
        y = rng.standard_normal(N)
        bound = f.conjugate(y)
        for x in rng.standard_normal((40, N)) * 10 ** rng.uniform(-2, 3, (40, 1)):
            p = f.prox(x)  # a point of the domain
            assert p @ y - f.value(p) <= bound + 1e-9


def test_conjugate_of_complex_numbers(rng):
    y = rng.standard_normal(N) + 1j * rng.standard_normal(N)
    for f in (penalties.L1(0.8), penalties.ElasticNet(0.8, 2.0), penalties.GroupL2(0.8, LABELS)):
        assert f.conjugate(y) == f.conjugate(np.abs(y)) or not f.is_separable


@gauges
def test_dual_norm(row, rng):
    f = row.penalty
    assert f.is_homogeneous
    assert f.dual_norm(np.zeros(N)) == 0.0
    for _ in range(20):
        y = rng.standard_normal(N)
        y[1] = 0.0  # the coordinate whose level is zero
        t = f.dual_norm(y)
        assert np.isfinite(t)
        # y / t is in the subdifferential at zero, so zero solves the prox, just.
        assert not np.any(f.prox(y / t * (1 - 1e-12)))
        assert np.any(f.prox(y / t * (1 + 1e-9)))
        assert f.conjugate(y / t * (1 - 1e-12)) == 0.0
        assert f.conjugate(y / t * (1 + 1e-9)) == np.inf
        assert f.dual_norm(-3 * y) == pytest.approx(3 * t)
        assert f.dual_norm(y * 1j) == pytest.approx(t)
    if f.value(np.eye(N)[1]) == 0:
        assert f.dual_norm(np.eye(N)[1]) == np.inf
        assert f.conjugate(np.eye(N)[1]) == np.inf


def test_dual_norm_corner_cases():
    assert penalties.L1(0.0).dual_norm(np.zeros(3)) == 0.0
    assert penalties.L1(0.0).dual_norm(np.ones(3)) == np.inf
    assert penalties.L1(np.inf).dual_norm(np.ones(3)) == 0.0
    assert penalties.L1([np.inf, 1.0]).dual_norm([5.0, 2.0]) == 2.0
    assert penalties.L1(1.0).dual_norm([]) == 0.0
    assert penalties.GroupL2(0.0, [0, 0]).dual_norm([0.0, 0.0]) == 0.0
    assert penalties.GroupL2(0.0, [0, 0]).dual_norm([1.0, 0.0]) == np.inf
    assert penalties.GroupL2(1.0, [0, 2]).dual_norm([1.0, 3.0]) == 3.0


@rows
def test_batch_equals_loop(row, rng):
    X = rng.standard_normal((N, 4))
    X[:, 1] = 0
    f = row.penalty
    for Z in (X, np.asfortranarray(X), np.array([f.prox(c) for c in X.T]).T):
        values = f.value(Z)
        assert np.shape(values) == (4,)
        np.testing.assert_allclose(values, [f.value(c) for c in Z.T], rtol=1e-14)
        np.testing.assert_allclose(
            f.prox(Z, 0.7), np.array([f.prox(c, 0.7) for c in Z.T]).T, rtol=1e-14, atol=1e-15
        )
    assert np.shape(f.value(X[:, :0])) == (0,)
    assert f.prox(X[:, :0]).shape == (N, 0)
    assert np.shape(f.value(X[:, :1])) == (1,)
    for name in ("conjugate", "dual_norm"):
        if hasattr(f, name):
            method = getattr(f, name)
            found = method(X)
            assert np.shape(found) == (4,)
            np.testing.assert_allclose(found, [method(c) for c in X.T], rtol=1e-14)
    step = np.array([0.1, 0.5, 1.0, 3.0])  # solvers may hold one step per column
    np.testing.assert_allclose(
        f.prox(X, step),
        np.array([f.prox(c, s) for c, s in zip(X.T, step, strict=True)]).T,
        rtol=1e-14,
        atol=1e-15,
    )
    square = rng.standard_normal((N, N))  # one parameter per coordinate, never per column
    np.testing.assert_allclose(f.value(square), [f.value(c) for c in square.T], rtol=1e-14)


@rows
def test_traits(row):
    f = row.penalty
    assert isinstance(f, penalties.PenaltyLike)
    assert isinstance(f, penalties.Penalty)
    assert f.is_convex is row.convex
    assert f.weak_convexity == pytest.approx(row.rho)
    assert f.is_separable == (
        not isinstance(f, penalties.GroupL2 | penalties.Simplex | penalties.KSparse)
    )
    assert f.is_homogeneous == hasattr(f, "dual_norm")
    if not f.is_convex:
        assert not hasattr(f, "conjugate")
        assert not hasattr(f, "as_cvxpy")
    if hasattr(f, "is_norm"):
        assert f.is_norm == (f.value(np.eye(N)[1]) > 0)


@rows
def test_weak_convexity_is_exact(row, rng):
    """f + rho/2 ||.||^2 satisfies midpoint convexity, and with less than rho it does not."""
    rho = row.rho
    if not 0 < rho < np.inf:
        return
    pairs = rng.standard_normal((2000, 2, N))

    def gap(pair, r):
        a, b = pair
        g = [row.value(p) + r / 2 * p @ p for p in (a, b, (a + b) / 2)]
        return (g[0] + g[1]) / 2 - g[2]

    assert min(gap(p, rho) for p in pairs) >= -1e-12
    pairs[:, :, [0, 1, 3, 4, 5]] = 0
    assert min(gap(p * 0.1 + 0.2 * np.eye(N)[2], 0.9 * rho) for p in pairs) < -1e-6


@rows
def test_repr_and_pickle(row, rng):
    text = repr(row.penalty)
    assert text.startswith(type(row.penalty).__name__ + "(")
    assert len(text) < 150
    again = pickle.loads(pickle.dumps(row.penalty))
    assert repr(again) == text
    v = rng.standard_normal(N)
    np.testing.assert_array_equal(again.prox(v, 0.5), row.penalty.prox(v, 0.5))
    assert again.value(v) == row.penalty.value(v)


def test_repr_of_many_coordinates():
    assert repr(penalties.L1(0.5)) == "L1(lam=0.5)"
    assert repr(penalties.L1(np.ones(3))) == "L1(lam=<shape (3,)>)"
    assert len(repr(penalties.GroupL2(0.5, np.arange(700), np.ones(700)))) < 120


def test_parameters_are_copies():
    lam, gamma, w, labels = LAM.copy(), GAMMA.copy(), W.copy(), np.array(LABELS)
    made = [
        penalties.L1(lam),
        penalties.ElasticNet(lam, gamma),
        penalties.L0(lam),
        penalties.Lq(lam, 0.5),
        penalties.MCP(lam, gamma),
        penalties.GroupL2(0.5, labels, w),
    ]
    x = np.arange(1.0, N + 1)
    values = [f.value(x) for f in made]
    lam[:], gamma[:], w[:], labels[:] = 9, 9, 9, 0
    assert [f.value(x) for f in made] == values
    for f in made:
        for array in vars(f).values():
            if isinstance(array, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 1.0


def test_infinite_levels_and_empty_arrays():
    for f in (penalties.L1(np.inf), penalties.L0(np.inf), penalties.GroupL2(np.inf, [0, 0, 1])):
        assert f.value(np.zeros(3)) == 0.0
        assert f.value([0.0, 1.0, 0.0]) == np.inf
        assert f.value(np.zeros((3, 2))).tolist() == [0.0, 0.0]
        assert not f.prox(np.ones(3)).any()
    f = penalties.L1([np.inf, 1.0, 0.0])
    assert f.value([0.0, 2.0, 5.0]) == 2.0
    assert f.prox([3.0, 3.0, 3.0]).tolist() == [0.0, 2.0, 3.0]
    f = penalties.GroupL2(1.0, [0, 1], [np.inf, 0.0])
    assert f.value([0.0, 2.0]) == 0.0
    assert f.prox([3.0, 2.0]).tolist() == [0.0, 2.0]
    for f in (penalties.L1(1.0), penalties.MCP(1.0, 2.0), penalties.GroupL2(1.0, [])):
        assert f.value([]) == 0.0
        assert f.prox(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6, 1e9])
def test_the_projection_is_feasible(scale, rng):
    for radius in (1e-9, 1.0, 1e9):
        f = penalties.Simplex(radius)
        x = f.prox(scale * rng.standard_normal((300, 3)))
        assert not f.value(x).any()
        assert not f.value(f.prox((scale * rng.standard_normal(300)).astype(np.float32))).any()
    assert penalties.KSparse(100).prox(np.ones(3)).tolist() == [1, 1, 1]
    assert not penalties.KSparse(0).prox(np.ones(3)).any()


def test_parameters_of_the_wrong_length_are_named():
    for f in (penalties.L1([1.0, 2.0]), penalties.L0([1.0, 2.0]), penalties.MCP([1.0, 2.0], 2.0)):
        for method in (f.value, f.prox):
            with pytest.raises(ValueError, match=r"lam .*\(3,\).*got \(2,\)"):
                method(np.ones(3))
    f = penalties.GroupL2(1.0, [0, 1])
    for method in (f.value, f.prox, f.dual_norm):
        with pytest.raises(ValueError, match="groups"):
            method(np.ones(3))


def test_a_penalty_of_the_user(rng):
    class Box:
        is_convex = True

        def value(self, x):
            return 0.0 if np.all(np.abs(x) <= 1) else np.inf

        def prox(self, v, step=1.0):
            return np.clip(v, -1, 1)

    assert isinstance(Box(), penalties.PenaltyLike)
    assert not isinstance(object(), penalties.PenaltyLike)
    A = rng.standard_normal((8, 3))
    result = so.minimize(so.losses.LeastSquares(A, A @ [3.0, 0.1, -5.0]), Box())
    assert result.success
    assert np.abs(result.x).max() == 1.0


@pytest.mark.extras
@pytest.mark.parametrize("row", [r for r in ROWS if hasattr(r.penalty, "as_cvxpy")], ids=repr)
def test_cvxpy(row, rng):
    cp = require("cvxpy")
    f = row.penalty
    x = cp.Variable(N)
    expression = f.as_cvxpy(x)
    assert expression.is_convex()
    for z in rng.standard_normal((5, N)):
        x.value = f.prox(z)
        assert expression.value == pytest.approx(f.value(x.value), abs=1e-9)
    v = rng.standard_normal(N) * 2
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.6 * expression))
    problem.solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(v, 0.6), x.value, atol=1e-5)
    X = cp.Variable((N, 2))  # a batch: the sum over its columns
    V = rng.standard_normal((N, 2))
    batch = f.as_cvxpy(X)
    cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - V) + batch)).solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(V), X.value, atol=1e-5)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@rows
def test_torch(row, rng):
    torch = require("torch")
    f = row.penalty
    for v in (rng.standard_normal(N) * 2, rng.standard_normal((N, 3)) * 2):
        for grad in (False, True):
            w = torch.tensor(v, requires_grad=grad)
            x = f.prox(w, 0.7)
            assert isinstance(x, torch.Tensor)
            np.testing.assert_allclose(x.detach().numpy(), f.prox(v, 0.7), rtol=1e-12, atol=1e-14)
            if not isinstance(f, penalties.Simplex | penalties.KSparse | penalties.Zero):
                value = f.value(w)
                np.testing.assert_allclose(torch.as_tensor(value).detach(), f.value(v), rtol=1e-12)
                if grad:
                    assert torch.autograd.gradcheck(f.value, (w,))
