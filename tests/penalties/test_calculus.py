"""The calculus: every rule against its definition, minimisers, cvxpy and other routes."""

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import sparseopt as so
from sparseopt import penalties as pen

N = 6
LABELS = [0, 1, 0, 2, 2, 2]
LAM = np.array([0.5, 0.0, 1.0, 2.0, 0.3, 0.7])
SHIFT = np.array([0.5, -1.0, 0.0, 2.0, -0.3, 0.8])
Q = np.linalg.qr(np.random.default_rng(3).standard_normal((N, N)))[0]
WIDE = 1.5 * Q[:4]


class Box:
    """A user's own penalty, with nothing but the two methods and a trait."""

    is_convex = True

    def value(self, x):
        inside = np.all(np.abs(x) <= 1 + 1e-12, axis=0)
        return np.where(inside, 0.0, np.inf)[()]

    def prox(self, v, step=1.0):
        return np.clip(v, -1, 1)


class Bare:
    """A user's own non-convex penalty without a single trait: the number of non-zeros."""

    def value(self, x):
        return 0.7 * np.count_nonzero(x, axis=0)

    def prox(self, v, step=1.0):
        return np.where(np.abs(v) > np.sqrt(1.4 * step), v, 0.0)


BASES = [
    pen.L1(0.7),
    pen.L1(LAM),
    pen.ElasticNet(0.7, 0.4),
    pen.GroupL2(0.7, LABELS, "sqrt"),
    pen.MCP(0.9, 1.7),
    pen.L0(0.4),
    pen.Lq(0.7, 0.5),
    pen.KSparse(2),
    pen.Simplex(2.0),
    pen.Zero(),
    Box(),
    Bare(),
]
EVEN = [f for f in BASES if not isinstance(f, pen.Simplex)]


@dataclasses.dataclass
class Case:
    """A derived penalty and its value by definition, given that of the base."""

    derived: Any
    value: Any
    base: Any

    def __repr__(self):
        name = type(self.base).__name__
        return f"{type(self.derived).__name__}-{name}"


def of(f):
    return lambda x: f.value(x)


def unblurred(z):
    """With zero for what is zero but for the rounding of a rotation."""
    return np.where(np.abs(z) < 1e-12, 0.0, z)


def cases():
    for f in BASES:
        yield Case(pen.Scale(f, 2.5), lambda x, f=f: 2.5 * f.value(x), f)
        yield Case(pen.Translate(f, SHIFT), lambda x, f=f: f.value(x - SHIFT), f)
        yield Case(pen.Tilt(f, SHIFT), lambda x, f=f: f.value(x) + SHIFT @ x, f)
        yield Case(pen.AddRidge(f, 0.8), lambda x, f=f: f.value(x) + 0.4 * x @ x, f)
        yield Case(pen.ScaleArgument(f, -1.6), lambda x, f=f: f.value(-1.6 * x), f)
        yield Case(pen.Precompose(f, Q), lambda x, f=f: f.value(unblurred(Q @ x)), f)
        yield Case(
            pen.SeparableSum([f, pen.L1(0.3)], [[6, 7, 2, 3, 4, 5], [0, 1]]),
            lambda x, f=f: f.value(x[[6, 7, 2, 3, 4, 5]]) + 0.3 * np.sum(np.abs(x[:2])),
            f,
        )
    for f in EVEN:
        yield Case(pen.Nonnegative(f), lambda x, f=f: f.value(x) if np.min(x) >= 0 else np.inf, f)
    for f in (pen.L1([0.5, 0.0, 1.2]), pen.MCP(0.9, 1.7), pen.L0(0.4), pen.KSparse(2), Box()):
        yield Case(
            pen.RadialLift(f, LABELS),
            lambda x, f=f: f.value(
                np.array([np.hypot(x[0], x[2]), abs(x[1]), np.linalg.norm(x[3:])])
            ),
            f,
        )


CASES = [*cases()]
every = pytest.mark.parametrize("case", CASES, ids=repr)


def size_of(case):
    return N + 2 if isinstance(case.derived, pen.SeparableSum) else N


def exact_value(f):
    """The value where a rotation has not blurred the zeros of ``Q x``."""
    if not isinstance(f, pen.Precompose):
        return f.value

    def value(x):
        return exact_value(f.f)(unblurred(f.Q @ x))

    return value


def objective(value, x, v, step):
    return 0.5 * np.sum((x - v) ** 2) + step * value(x)


@every
def test_value_is_the_definition(case, rng):
    n = size_of(case)
    points = [*rng.standard_normal((10, n)), np.zeros(n), np.abs(rng.standard_normal(n))]
    points += [case.derived.prox(v) for v in rng.standard_normal((10, n)) * 3]
    for x in points:
        assert case.derived.value(x) == pytest.approx(case.value(x), rel=1e-10, abs=1e-12)
        assert np.ndim(case.derived.value(x)) == 0
        assert case.derived.value(x.tolist()) == case.derived.value(x)


@every
@pytest.mark.parametrize("step", [0.1, 0.5, 1.0, 4.0])
def test_prox_minimises(case, step, rng):
    n, f = size_of(case), case.derived
    value = exact_value(f)
    for _ in range(6):
        v = rng.standard_normal(n) * 2
        before = v.copy()
        x = f.prox(v, step)
        np.testing.assert_array_equal(v, before)
        found = objective(value, x, v, step)
        assert np.isfinite(found)
        around = x + rng.standard_normal((150, n)) * 10 ** rng.uniform(-6, 0.5, (150, 1))
        feasible = [f.prox(w, s) for w in around[:60] for s in (0.01, step)]
        kept = x * (rng.random((50, n)) < 0.7)
        for other in [*around, *feasible, *kept, np.zeros(n), v]:
            assert found <= objective(value, other, v, step) + 1e-11


def scalar_bases():
    return [
        pen.L1(0.7),
        pen.ElasticNet(0.7, 0.4),
        pen.MCP(0.9, 1.7),
        pen.L0(0.4),
        pen.Lq(0.7, 0.5),
        Bare(),
    ]


@pytest.mark.parametrize("f", scalar_bases(), ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("step", [0.1, 1.0, 1.7, 6.0])
def test_rules_against_a_grid(f, step, rng):
    """400 random numbers for each rule: no point of a fine grid is better."""
    rules = [
        (pen.Scale(f, 2.5), lambda x: 2.5 * pointwise(f, x)),
        (pen.Translate(f, 0.6), lambda x: pointwise(f, x - 0.6)),
        (pen.Tilt(f, -0.8), lambda x: pointwise(f, x) - 0.8 * x),
        (pen.AddRidge(f, 0.45), lambda x: pointwise(f, x) + 0.225 * x * x),
        (pen.ScaleArgument(f, -2.2), lambda x: pointwise(f, -2.2 * x)),
        (pen.Nonnegative(f), lambda x: np.where(x >= 0, pointwise(f, x), np.inf)),
    ]
    v = rng.standard_normal(400) * np.exp(rng.uniform(-2, 2, 400)) * (1 + step)
    for g, value in rules:
        x = g.prox(v, step)
        found = 0.5 * (x - v) ** 2 + step * value(x)
        reach = np.abs(v) + 2 * step + 2
        grid = reach[:, None] * np.linspace(-1, 1, 4001)
        grid = np.concatenate([grid, np.zeros((400, 1)), np.full((400, 1), 0.6)], axis=1)
        best = grid_minimum(grid, v, step, value)
        assert np.max((found - best) / (1 + np.abs(best))) < 1e-6, g


def pointwise(f, x):
    return np.asarray(f.value(np.reshape(x, (1, -1)))).reshape(np.shape(x))


def grid_minimum(grid, v, step, value):
    cost = 0.5 * (grid - v[:, None]) ** 2 + step * value(grid)
    i = cost.argmin(axis=1)
    best = cost[np.arange(v.size), i]
    centre, width = grid[np.arange(v.size), i][:, None], (grid[:, 1] - grid[:, 0])[:, None]
    fine = centre + width * np.linspace(-1, 1, 401)
    return np.minimum(best, (0.5 * (fine - v[:, None]) ** 2 + step * value(fine)).min(axis=1))


@every
def test_batch_equals_loop(case, rng):
    n, f = size_of(case), case.derived
    X = rng.standard_normal((n, 4)) * 2
    step = np.array([0.1, 0.5, 1.0, 3.0])
    for s in (0.7, step):
        columns = [f.prox(c, t) for c, t in zip(X.T, np.broadcast_to(s, 4), strict=True)]
        np.testing.assert_allclose(f.prox(X, s), np.array(columns).T, rtol=1e-12, atol=1e-13)
    if isinstance(f, pen.Precompose):  # two products with Q may round to either side of a zero
        return
    for Z in (X, f.prox(X)):
        values = f.value(Z)
        assert np.shape(values) == (4,)
        np.testing.assert_allclose(values, [f.value(c) for c in Z.T], rtol=1e-10, atol=1e-12)
    for name in ("conjugate", "dual_norm", "alpha_max"):
        if hasattr(f, name):
            found = getattr(f, name)(X)
            np.testing.assert_allclose(found, [getattr(f, name)(c) for c in X.T], rtol=1e-9)
    if hasattr(f, "subdiff_distance"):
        G, P = rng.standard_normal((n, 4)), f.prox(X)
        found = f.subdiff_distance(P, G)
        loop = [f.subdiff_distance(p, g) for p, g in zip(P.T, G.T, strict=True)]
        np.testing.assert_allclose(found, np.array(loop).T, rtol=1e-9, atol=1e-12)


@every
def test_traits(case, rng):
    f, base = case.derived, case.base
    assert isinstance(f, pen.Penalty)
    assert isinstance(f, pen.PenaltyLike)
    for trait in (f.is_convex, f.is_separable, f.is_homogeneous):
        assert isinstance(trait, bool)
    convexified = isinstance(f, pen.AddRidge) and isinstance(base, pen.MCP)
    assert f.is_convex == (getattr(base, "is_convex", False) or convexified)
    assert not f.is_convex or f.weak_convexity == 0.0
    if not f.is_convex:
        assert not hasattr(f, "conjugate")
        assert not hasattr(f, "as_cvxpy")
    if hasattr(f, "dual_norm"):
        assert f.is_homogeneous
    text = repr(f)
    assert text.startswith(type(f).__name__ + "(")
    assert len(text) < 400
    if not isinstance(base, Box | Bare):
        again = pickle.loads(pickle.dumps(f))
        v = rng.standard_normal(size_of(case))
        np.testing.assert_array_equal(again.prox(v, 0.5), f.prox(v, 0.5))


def test_weak_convexity():
    f = pen.MCP(1.0, 2.0)  # 1/2
    assert pen.Scale(f, 3.0).weak_convexity == 1.5
    assert pen.Translate(f, 1.0).weak_convexity == 0.5
    assert pen.Tilt(f, 1.0).weak_convexity == 0.5
    assert pen.AddRidge(f, 0.2).weak_convexity == pytest.approx(0.3)
    assert pen.AddRidge(f, 0.5).is_convex
    assert not pen.AddRidge(f, 0.4999).is_convex
    assert not pen.AddRidge(pen.L0(1.0), 9.0).is_convex
    assert pen.ScaleArgument(f, -3.0).weak_convexity == 4.5
    assert pen.Precompose(f, WIDE).weak_convexity == pytest.approx(0.5 * 2.25)
    assert pen.SeparableSum([f, pen.MCP(1.0, 0.5)], [[0], [1]]).weak_convexity == 2.0
    assert pen.MoreauEnvelope(f, 1.0).weak_convexity == 1.0
    assert pen.MoreauEnvelope(f, 2.0).weak_convexity == np.inf
    assert pen.MoreauEnvelope(f, 0.1).lipschitz == 10.0
    assert pen.MoreauEnvelope(f, 1.9).lipschitz == pytest.approx(0.5 / 0.05)
    assert pen.Scale(Bare(), 2.0).weak_convexity == np.inf
    assert pen.Scale(Box(), 2.0).weak_convexity == 0.0


@every
def test_weak_convexity_is_a_bound(case, rng):
    """f + rho/2 ||.||^2 is convex along random segments."""
    f, n = case.derived, size_of(case)
    rho = f.weak_convexity
    if not np.isfinite(rho):
        return
    for a, b in rng.standard_normal((300, 2, n)) * rng.choice([0.1, 1.0, 3.0], (300, 1, 1)):
        a, b = f.prox(a), f.prox(b)
        ends = [f.value(p) + rho / 2 * p @ p for p in (a, b)]
        middle = (a + b) / 2
        assert f.value(middle) + rho / 2 * middle @ middle <= sum(ends) / 2 + 1e-9


@every
def test_moreau_identity_and_conjugate(case, rng):
    f, n = case.derived, size_of(case)
    if not f.is_convex:
        with pytest.raises(ValueError, match="f must be convex"):
            pen.Conjugate(f)
        return
    star = pen.Conjugate(f)
    for step in (0.2, 1.0, 5.0):
        v = rng.standard_normal(n) * 2
        x = f.prox(v, step)
        np.testing.assert_allclose(x + step * star.prox(v / step, 1 / step), v, atol=1e-10)
        np.testing.assert_allclose(pen.Conjugate(star).prox(v, step), x, atol=1e-10)
        if hasattr(f, "conjugate"):
            y = star.prox(v, step)
            free = isinstance(f, pen.Precompose) and np.ndim(getattr(case.base, "lam", 0.0))
            if free or isinstance(case.base, pen.Simplex):
                continue  # rounding alone leaves these sets
            y[np.abs(y) < 1e-14] = 0.0
            p = (v - y) / step  # then y is a subgradient of f at p
            assert star.value(y) == f.conjugate(y)
            assert f.value(p) + f.conjugate(y) == pytest.approx(p @ y, rel=1e-8, abs=1e-8)
            for z in rng.standard_normal((50, n)) * 3:
                z = f.prox(z)
                assert z @ y - f.value(z) <= f.conjugate(y) + 1e-9
    assert star.conjugate(x) == f.value(x)


@pytest.mark.parametrize("case", [c for c in CASES if c.derived.is_convex], ids=repr)
def test_firm_nonexpansiveness(case):
    n = size_of(case)
    vectors = st.lists(st.floats(-20, 20), min_size=n, max_size=n)

    @given(vectors, vectors, st.floats(0.05, 20))
    def firm(a, b, step):
        a, b = np.array(a), np.array(b)
        d = case.derived.prox(a, step) - case.derived.prox(b, step)
        assert d @ d <= d @ (a - b) + 1e-9

    firm()


@every
def test_dual_norm_and_alpha_max(case, rng):
    f, n = case.derived, size_of(case)
    if hasattr(f, "dual_norm"):
        for _ in range(10):
            y = rng.standard_normal(n)
            t = f.dual_norm(y)
            if 0 < t < np.inf:
                assert not np.any(np.abs(f.prox(y / t * (1 - 1e-9))) > 1e-12)
                assert np.any(np.abs(f.prox(y / t * (1 + 1e-6))) > 1e-9)
                assert f.conjugate(y / t * (1 + 1e-6)) == np.inf
                assert f.conjugate(y / t * (1 - 1e-9)) == 0.0
            assert f.alpha_max(-y) == pytest.approx(t)
    elif hasattr(f, "alpha_max"):
        for _ in range(10):
            g = rng.standard_normal(n)
            alpha = f.alpha_max(g)
            if 0 < alpha < np.inf:  # stationary at 0: then -g is in alpha * subdifferential
                step = 1e-3  # short enough to be below every weak-convexity limit here
                assert not np.any(np.abs(f.prox(-step * g, step * alpha * (1 + 1e-9))) > 1e-12)
                assert np.any(f.prox(-step * g, step * alpha * (1 - 1e-6)))


@every
def test_subdiff_distance(case, rng):
    """Zero at a prox point for the gradient of its quadratic, positive elsewhere."""
    f, n = case.derived, size_of(case)
    if not hasattr(f, "subdiff_distance"):
        return
    for step in (0.05, 0.4, 1.0):
        v = rng.standard_normal(n) * 2
        x = f.prox(v, step)
        x[np.abs(x) < 1e-13] = 0.0  # rounding of a shift or a rotation
        if isinstance(f, pen.Translate):
            x = np.where(np.abs(x - SHIFT) < 1e-13, SHIFT, x)
        if isinstance(f, pen.Precompose):
            z = Q @ x
            x = Q.T @ np.where(np.abs(z) < 1e-13, 0.0, z)
            if np.any((np.abs(Q @ x) < 1e-13) & (Q @ x != 0)):
                continue
        gradient = (x - v) / step
        np.testing.assert_allclose(f.subdiff_distance(x, gradient), 0.0, atol=1e-9)
        worse = f.subdiff_distance(x, gradient + 100 * rng.choice([-1, 1], n))
        assert np.any(worse > 1.0)


def test_subdiff_distance_by_minimisation(rng):
    """Where the subdifferential is a box or a ball the distance is known by hand."""
    g = np.array([0.5, -3.0, 2.0])
    f = pen.Nonnegative(pen.L1(1.0))
    assert f.subdiff_distance([0.0, 0.0, 0.0], g).tolist() == [0.0, 2.0, 0.0]
    assert f.subdiff_distance([1.0, -1.0, 0.0], g).tolist() == [1.5, np.inf, 0.0]
    assert f.alpha_max(g) == 3.0
    assert f.dual_norm(g) == 2.0
    f = pen.RadialLift(pen.L1(1.0), [0, 0, 1])
    x = np.array([3.0, 4.0, 0.0])
    expected = [np.linalg.norm(g[:2] + np.array([0.6, 0.8])), 1.0]
    np.testing.assert_allclose(f.subdiff_distance(x, g), expected)
    np.testing.assert_allclose(f.subdiff_distance(x, -g)[1], 1.0)
    f = pen.MoreauEnvelope(pen.L1(1.0), 1.0)
    np.testing.assert_allclose(f.subdiff_distance([0.5, 3.0, -3.0], g), [1.0, 2.0, 1.0])


def test_known_results(rng):
    v, step = rng.standard_normal(N) * 3, 0.7
    same = [
        (pen.AddRidge(pen.L1(LAM), 0.4), pen.ElasticNet(LAM, 0.4)),
        (
            pen.RadialLift(pen.L1(0.7 * np.sqrt([2, 1, 3])), LABELS),
            pen.GroupL2(0.7, LABELS, "sqrt"),
        ),
        (pen.Scale(pen.MCP(1.0, 2.0), 4.0), pen.MCP(4.0, 0.5)),
        (pen.ScaleArgument(pen.L0(0.4), -3.0), pen.L0(0.4)),
        (pen.Conjugate(pen.L1(1.0)), Box()),
        (2.0 * pen.L1(0.5), pen.L1(1.0)),
        (pen.L1(0.5) * 2.0, pen.L1(1.0)),
        (np.float64(2.0) * pen.L1(0.5), pen.L1(1.0)),
        (pen.L1(1.0) / 2.0, pen.L1(0.5)),
        (pen.Precompose(pen.Simplex(), np.eye(N)[::-1]), pen.Simplex()),
        (pen.SeparableSum([pen.L1(1.0)], [range(N)]), pen.L1(1.0)),
    ]
    for a, b in same:
        np.testing.assert_allclose(a.prox(v, step), b.prox(v, step), rtol=1e-13, atol=1e-14)
        x = a.prox(v, step)
        assert a.value(x) == pytest.approx(b.value(x), rel=1e-12)
    np.testing.assert_allclose(pen.Nonnegative(pen.L1(1.0)).prox(v), np.maximum(v - 1, 0))
    # The envelope of the indicator of a set is half the squared distance.
    f = pen.MoreauEnvelope(Box(), 1.0)
    assert f.value(v) == pytest.approx(0.5 * np.sum(np.maximum(np.abs(v) - 1, 0) ** 2))


COMPOSED = [
    pen.Translate(pen.Scale(pen.AddRidge(pen.L1(LAM), 0.3), 2.0), SHIFT),
    pen.AddRidge(pen.Translate(pen.Tilt(pen.GroupL2(0.7, LABELS), SHIFT), -SHIFT), 0.6),
    pen.ScaleArgument(pen.Translate(pen.MCP(0.9, 1.7), 0.4), 1.3),
    pen.Nonnegative(pen.RadialLift(pen.MCP(0.9, 1.7), LABELS)),
    pen.Tilt(pen.Nonnegative(pen.RadialLift(pen.KSparse(2), LABELS)), SHIFT),
    pen.Precompose(pen.Tilt(pen.Nonnegative(pen.L1(0.5)), 0.1), Q),
    pen.Precompose(pen.AddRidge(pen.L0(0.5), 0.3), WIDE),
    pen.MoreauEnvelope(pen.Translate(pen.L0(0.3), SHIFT), 0.5),
    pen.MoreauEnvelope(pen.MoreauEnvelope(pen.L1(1.0), 0.5), 0.7),
    pen.AddRidge(pen.Conjugate(pen.Tilt(pen.L1(0.6), 0.2)), 0.5),
    pen.Conjugate(pen.MoreauEnvelope(pen.GroupL2(0.7, LABELS), 0.4)),
    pen.Translate(pen.Tilt(Box(), SHIFT), 0.3),
    pen.AddRidge(pen.ScaleArgument(Bare(), 0.7), 0.2),
    pen.SeparableSum(
        [pen.Translate(pen.L0(0.4), [0.5, 1.0]), pen.Nonnegative(Box()), pen.Zero()],
        [2, 0, 0, 1, 1, 2],
    ),
    pen.RadialLift(pen.AddRidge(pen.L0([0.3, 0.6, 0.9]), 0.5), LABELS),
]


@pytest.mark.parametrize("f", COMPOSED, ids=repr)
@pytest.mark.parametrize("step", [0.2, 1.0, 3.0])
def test_compositions(f, step, rng):
    for _ in range(5):
        v = rng.standard_normal(N) * 2
        x = f.prox(v, step)
        found = objective(exact_value(f), x, v, step)
        assert np.isfinite(found)
        around = x + rng.standard_normal((200, N)) * 10 ** rng.uniform(-6, 0.5, (200, 1))
        feasible = [f.prox(w, s) for w in around[:60] for s in (0.01, step)]
        for other in [*around, *feasible, *(x * (rng.random((50, N)) < 0.7)), np.zeros(N), v]:
            assert found <= objective(exact_value(f), other, v, step) + 1e-10
        if f.is_convex:
            star = pen.Conjugate(f)
            np.testing.assert_allclose(x + step * star.prox(v / step, 1 / step), v, atol=1e-10)
    X = rng.standard_normal((N, 3))
    np.testing.assert_allclose(
        f.prox(X, step), np.array([f.prox(c, step) for c in X.T]).T, rtol=1e-11, atol=1e-12
    )
    np.testing.assert_allclose(f.value(f.prox(X)), [f.value(c) for c in f.prox(X).T], rtol=1e-9)


@pytest.mark.parametrize("f", BASES, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("mu", [0.3, 1.0, 2.5])
def test_envelope(f, mu, rng):
    e = pen.MoreauEnvelope(f, mu)
    for x in rng.standard_normal((10, N)) * 2:
        direct = min(
            [
                f.value(z) + (x - z) @ (x - z) / (2 * mu)
                for z in [f.prox(x, mu), x, *(f.prox(w) for w in rng.standard_normal((50, N)))]
            ]
        )
        assert e.value(x) == pytest.approx(direct, rel=1e-12)
        assert e.value(x) <= f.value(x) + 1e-12
        # The envelope is smooth where the prox is a point; a kink lies at ties only.
        h = 1e-6
        numeric = [(e.value(x + h * d) - e.value(x - h * d)) / (2 * h) for d in np.eye(N)]
        np.testing.assert_allclose(e.gradient(x), numeric, rtol=2e-6, atol=2e-6)
    for step in (0.2, 2.0):
        v = rng.standard_normal(N) * 2
        found = objective(e.value, e.prox(v, step), v, step)
        for other in e.prox(v, step) + rng.standard_normal((200, N)) * 0.3:
            assert found <= objective(e.value, other, v, step) + 1e-11
    assert e.is_convex == bool(getattr(f, "is_convex", False))
    if e.is_convex:
        a, b = rng.standard_normal((2, 200, N)) * 2
        for p, q in zip(a, b, strict=True):
            change = np.linalg.norm(e.gradient(p) - e.gradient(q))
            assert change <= e.lipschitz * np.linalg.norm(p - q) * (1 + 1e-12)


@pytest.mark.parametrize("kind", [np.asarray, csr_array, aslinearoperator, lambda a: a.tolist()])
def test_tight_frames(kind, rng):
    f = pen.L1(0.6)
    g = pen.Precompose(f, kind(WIDE))
    assert g.nu == pytest.approx(2.25)
    assert not g.is_norm
    for name in ("conjugate", "dual_norm", "alpha_max", "subdiff_distance"):
        assert not hasattr(g, name)
    v = rng.standard_normal(N) * 2
    x = g.prox(v, 0.8)
    found = objective(lambda x: f.value(WIDE @ x), x, v, 0.8)
    for other in x + rng.standard_normal((500, N)) * 10 ** rng.uniform(-6, 0, (500, 1)):
        assert found <= objective(lambda x: f.value(WIDE @ x), other, v, 0.8) + 1e-12
    # What Q does not see stays.
    hidden = np.eye(N) - WIDE.T @ WIDE / 2.25
    np.testing.assert_allclose(hidden @ x, hidden @ v, atol=1e-13)
    assert g.prox(v.astype(np.float32)).dtype == np.float32


def test_complex_frames_and_library_operators(rng):
    v = rng.standard_normal(16) + 1j * rng.standard_normal(16)
    F = np.fft.fft(np.eye(16))
    g = pen.Precompose(pen.L1(0.6), F)
    assert g.nu == pytest.approx(16)
    z = F @ v
    expected = np.fft.ifft(z * np.maximum(1 - 16 * 0.6 / np.abs(z), 0))
    np.testing.assert_allclose(g.prox(v), expected, atol=1e-12)
    wavelet = so.linop.Wavelet(16, "haar", 2)
    g = pen.Precompose(pen.L0(0.5), wavelet)
    z = wavelet @ v.real
    np.testing.assert_allclose(g.prox(v.real), wavelet.T @ pen.L0(0.5).prox(z), atol=1e-12)
    assert g.value(v.real) == pen.L0(0.5).value(z)


def test_frames_that_are_not_tight(rng):
    with pytest.raises(ValueError, match="Q Q\\^H = nu I"):
        pen.Precompose(pen.L1(1.0), rng.standard_normal((3, 5)))
    with pytest.raises(ValueError, match="Q Q\\^H = nu I"):
        pen.Precompose(pen.L1(1.0), Q, nu=2.0)
    with pytest.raises(ValueError, match="no more rows than columns"):
        pen.Precompose(pen.L1(1.0), Q[:, :3])
    with pytest.raises(ValueError, match="nu must be"):
        pen.Precompose(pen.L1(1.0), Q, nu=0.0)
    with pytest.raises(ValueError, match="Q Q"):
        pen.Precompose(pen.L1(1.0), np.zeros((2, 3)))
    matrix = Q.copy()
    f = pen.Precompose(pen.L1(1.0), matrix, nu=1.0, check=False)
    before = f.prox(np.ones(N))
    matrix[:] = 0
    np.testing.assert_array_equal(f.prox(np.ones(N)), before)


def test_lift_to_complex_numbers(rng):
    v = rng.standard_normal(N) + 1j * rng.standard_normal(N)
    for f in (pen.L1(LAM), pen.MCP(0.9, 1.7), pen.L0(0.4)):
        g = pen.RadialLift(f)
        np.testing.assert_allclose(g.prox(v, 0.8), f.prox(v, 0.8), rtol=1e-13, atol=1e-15)
        assert g.value(v) == pytest.approx(f.value(v))
        assert g.is_separable
    x = pen.RadialLift(Box()).prox(v)
    np.testing.assert_allclose(np.abs(x), np.minimum(np.abs(v), 1))
    np.testing.assert_allclose(np.angle(x), np.angle(v))
    assert pen.RadialLift(pen.L1(1.0)).prox(np.zeros(3, complex)).tolist() == [0, 0, 0]
    for rule in (pen.Scale(pen.L1(1.0), 2.0), pen.AddRidge(pen.L1(1.0), 2.0)):
        assert rule.prox(v).dtype == complex
    f = pen.Tilt(pen.L1(0.5), v)
    assert f.value(2 * v) == pytest.approx(np.sum(np.abs(v)) + 2 * np.sum(np.abs(v) ** 2))


def test_spectral_lift(rng):
    X = rng.standard_normal((5, 3))
    u, s, vh = np.linalg.svd(X, full_matrices=False)
    for f in (pen.L1(0.6), pen.MCP(0.9, 1.7), pen.KSparse(1), pen.Lq(0.4, 0.5), Box()):
        g = pen.SpectralLift(f)
        np.testing.assert_allclose(g.prox(X, 0.7), (u * f.prox(s, 0.7)) @ vh, atol=1e-13)
        assert g.value(g.prox(X)) == pytest.approx(f.value(f.prox(s)), rel=1e-9)
        assert np.ndim(g.value(X)) == 0
        found = objective(g.value, g.prox(X, 0.7), X, 0.7)
        around = g.prox(X, 0.7) + rng.standard_normal((200, 5, 3)) * 0.1
        for other in [*around, *(g.prox(w) for w in around), X, np.zeros((5, 3))]:
            assert found <= objective(g.value, other, X, 0.7) + 1e-9
    g = pen.SpectralLift(pen.L1(0.5))
    assert g.dual_norm(X) == pytest.approx(2 * s[0])
    assert g.alpha_max(X) == pytest.approx(2 * s[0])
    assert g.conjugate(X / s[0] * 0.4) == 0.0
    Z = X + 1j * rng.standard_normal((5, 3))
    assert g.value(Z) == pytest.approx(0.5 * np.linalg.svd(Z, compute_uv=False).sum())
    assert g.prox(X.astype(np.float32)).dtype == np.float32
    A = rng.standard_normal((20, 5))
    result = so.minimize(so.losses.LeastSquares(A, A @ X), pen.SpectralLift(pen.L1(1.0)))
    assert result.success
    with pytest.raises(ValueError, match="matrix"):
        g.prox(np.ones(3))
    with pytest.raises(ValueError, match="order of entries"):
        pen.SpectralLift(pen.L1([1.0, 2.0, 3.0])).prox(X)


@pytest.mark.parametrize("make", [pen.Nonnegative, pen.RadialLift, pen.SpectralLift])
def test_bases_that_cannot_be_lifted(make):
    v = np.ones((3, 3)) if make is pen.SpectralLift else np.ones(3)
    for f in (pen.Translate(pen.L1(1.0), 1.0), pen.Tilt(pen.L1(1.0), 0.2), pen.Simplex()):
        with pytest.raises(ValueError, match="must not depend on signs"):
            make(f).prox(v)
        make(f, check=False).prox(v)

    class Hollow:
        """Even, but smaller for larger entries."""

        def value(self, x):
            return -np.sum(np.abs(x))

        def prox(self, v, step=1.0):
            return v + step * np.where(v >= 0, 1, -1)

    with pytest.raises(ValueError, match="must not fall"):
        make(Hollow()).value(v)


def test_float32_stays(rng):
    for case in CASES:
        v = rng.standard_normal(size_of(case)).astype(np.float32)
        for step in (0.7, np.float64(0.7)):
            x = case.derived.prox(v, step)
            assert x.dtype == np.float32, case
            np.testing.assert_allclose(
                x, case.derived.prox(v.astype(float), step), rtol=1e-4, atol=1e-5
            )
        X = rng.standard_normal((size_of(case), 2)).astype(np.float32)
        assert case.derived.prox(X, np.array([0.5, 1.0])).dtype == np.float32, case


def test_parameters_are_copies(rng):
    shift, blocks = SHIFT.copy(), [np.array([0, 1, 2]), np.array([3, 4, 5])]
    made = [
        pen.Translate(pen.L1(1.0), shift),
        pen.Tilt(pen.L1(1.0), shift),
        pen.SeparableSum([pen.L1(1.0), pen.Zero()], blocks),
    ]
    v = rng.standard_normal(N)
    before = [f.prox(v) for f in made]
    shift[:], blocks[0][:] = 9, 5
    for f, x in zip(made, before, strict=True):
        np.testing.assert_array_equal(f.prox(v), x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: pen.Scale(object(), 2.0), TypeError, "f must be a penalty .* got object"),
        (lambda: pen.Scale(pen.L1, 2.0), TypeError, "got the class L1"),
        (lambda: pen.Scale(pen.L1(1.0), 0.0), ValueError, "factor"),
        (lambda: pen.Scale(pen.L1(1.0), -1.0), ValueError, "factor"),
        (lambda: pen.Scale(pen.L1(1.0), np.inf), ValueError, "factor"),
        (lambda: pen.L1(1.0) * "a", TypeError, "factor"),
        (lambda: pen.L1(1.0) / 0.0, ValueError, "divisor"),
        (lambda: pen.Translate(pen.L1(1.0), [np.nan]), ValueError, "shift"),
        (lambda: pen.Translate(pen.L1(1.0), "a"), TypeError, "shift"),
        (lambda: pen.Translate(pen.L1(1.0), np.ones((1, 1, 1))), ValueError, "shift"),
        (lambda: pen.Translate(pen.L1(1.0), [1.0, 2.0]).prox(np.ones(3)), ValueError, "shift"),
        (lambda: pen.Tilt(pen.L1(1.0), [np.inf]), ValueError, "slope"),
        (lambda: pen.Tilt(pen.L1(1.0), [1.0, 2.0]).value(np.ones(3)), ValueError, "slope"),
        (lambda: pen.AddRidge(pen.L1(1.0), 0.0), ValueError, "mu"),
        (lambda: pen.ScaleArgument(pen.L1(1.0), 0.0), ValueError, "scale"),
        (lambda: pen.ScaleArgument(pen.L1(1.0), -np.inf), ValueError, "scale"),
        (lambda: pen.ScaleArgument(pen.L1(1.0), 1j), TypeError, "scale"),
        (lambda: pen.ScaleArgument(pen.L1(1.0), [1.0, 2.0]), ValueError, "scale"),
        (lambda: pen.MoreauEnvelope(pen.L1(1.0), -1.0), ValueError, "mu"),
        (lambda: pen.Conjugate(Bare()), ValueError, "convex"),
        (lambda: pen.Conjugate(Box()).value(np.ones(2)), NotImplementedError, "conjugate"),
        (lambda: pen.Nonnegative(pen.L1(1.0)).prox(np.ones(2) * 1j), TypeError, "real"),
        (lambda: pen.RadialLift(pen.L1(1.0), [[0], [0]]), ValueError, "index 0 is covered twice"),
        (lambda: pen.RadialLift(pen.L1(1.0), [0, 1]).prox(np.ones(3)), ValueError, "groups"),
        (lambda: pen.SeparableSum([pen.L1(1.0)], [[0], [1]]), ValueError, "one for each of 2"),
        (lambda: pen.SeparableSum([pen.L1(1.0)], [[0], [2]]), ValueError, "groups"),
        (lambda: pen.SeparableSum([pen.L1(1.0), 3], [[0], [1]]), TypeError, r"penalties\[1\]"),
        (lambda: pen.SeparableSum([pen.L1(1.0)], [0, 0]).prox(np.ones(3)), ValueError, "groups"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_missing_methods_are_explained():
    f = pen.Scale(Box(), 2.0)
    with pytest.raises(AttributeError, match=r"Scale has no 'dual_norm'"):
        _ = f.dual_norm
    assert callable(pen.Scale.dual_norm)


def test_empty_and_one_element():
    for f in (
        pen.Scale(pen.L1(1.0), 2.0),
        pen.Translate(pen.L1(1.0), 1.0),
        pen.Nonnegative(pen.L1(1.0)),
        pen.RadialLift(pen.L1(1.0)),
        pen.RadialLift(pen.L1(1.0), []),
        pen.SeparableSum([], []),
        pen.MoreauEnvelope(pen.L1(1.0), 1.0),
    ):
        assert f.prox(np.zeros(0)).shape == (0,)
        assert f.value(np.zeros(0)) == 0.0
    assert pen.RadialLift(pen.L1(1.0), [0]).prox([3.0]).tolist() == [2.0]


def test_in_a_solver(rng):
    A = rng.standard_normal((30, N))
    y = rng.standard_normal(30) * 3
    loss = so.losses.LeastSquares(A, y)
    for f, oracle in (
        (2.0 * pen.L1(0.5), pen.L1(1.0)),
        (
            pen.RadialLift(pen.L1(0.7 * np.sqrt([2, 1, 3])), LABELS),
            pen.GroupL2(0.7, LABELS, "sqrt"),
        ),
        (pen.AddRidge(pen.L1(1.0), 0.4), pen.ElasticNet(1.0, 0.4)),
    ):
        ours, theirs = so.minimize(loss, f, tol=1e-10), so.minimize(loss, oracle, tol=1e-10)
        assert ours.success
        np.testing.assert_allclose(ours.x, theirs.x, atol=1e-6)
    result = so.minimize(loss, pen.Nonnegative(pen.L1(1.0)), tol=1e-9)
    assert result.success
    assert result.x.min() >= 0
    gradient = loss.gradient(result.x)
    away = pen.Nonnegative(pen.L1(1.0)).subdiff_distance(result.x, gradient)
    np.testing.assert_allclose(away, 0, atol=1e-3)


@pytest.mark.extras
@pytest.mark.parametrize("case", [c for c in CASES if hasattr(c.derived, "as_cvxpy")], ids=repr)
def test_cvxpy(case, rng):
    cp = require("cvxpy")
    f, n = case.derived, size_of(case)
    x = cp.Variable(n)
    expression = f.as_cvxpy(x)
    assert expression.is_convex()
    for z in rng.standard_normal((3, n)):
        x.value = f.prox(z)
        expected = f.value(x.value)
        if np.isfinite(expected) and not isinstance(case.base, pen.Simplex):
            assert expression.value == pytest.approx(expected, abs=1e-9)
    v = rng.standard_normal(n) * 2
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.6 * expression))
    problem.solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(v, 0.6), x.value, atol=1e-5)
    X, V = cp.Variable((n, 2)), rng.standard_normal((n, 2))
    cost = 0.5 * cp.sum_squares(X - V) + f.as_cvxpy(X)
    cp.Problem(cp.Minimize(cost)).solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(V), X.value, atol=1e-5)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@every
def test_torch(case, rng):
    torch = require("torch")
    f, n = case.derived, size_of(case)
    if isinstance(case.base, Box | Bare | pen.Simplex | pen.KSparse | pen.Zero):
        return  # these or their values are NumPy's only
    for v in (rng.standard_normal(n) * 2, rng.standard_normal((n, 3)) * 2):
        for grad in (False, True):
            w = torch.tensor(v, requires_grad=grad)
            x = f.prox(w, 0.7)
            assert isinstance(x, torch.Tensor)
            np.testing.assert_allclose(x.detach().numpy(), f.prox(v, 0.7), rtol=1e-12, atol=1e-13)
            value = f.value(w)
            np.testing.assert_allclose(torch.as_tensor(value).detach(), f.value(v), rtol=1e-12)
            if grad:
                assert x.requires_grad
    single = torch.tensor(v, dtype=torch.float32)
    x = f.prox(single, 0.7)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x, f.prox(v.astype(np.float32), 0.7), rtol=1e-5, atol=1e-6)


@pytest.mark.extras
def test_torch_spectral_and_envelope(rng):
    torch = require("torch")
    X = rng.standard_normal((5, 3))
    g = pen.SpectralLift(pen.L1(0.6))
    for grad in (False, True):
        w = torch.tensor(X, requires_grad=grad)
        np.testing.assert_allclose(g.prox(w, 0.7).detach(), g.prox(X, 0.7), atol=1e-12)
        np.testing.assert_allclose(float(g.value(w.detach())), g.value(X), rtol=1e-12)
    w = torch.tensor(X[:, 0], requires_grad=True)
    e = pen.MoreauEnvelope(pen.L1(0.6), 0.8)
    e.value(w).backward()
    np.testing.assert_allclose(w.grad, e.gradient(X[:, 0]), atol=1e-12)


@pytest.mark.parametrize("nu", [1.0, 2.25])
@pytest.mark.parametrize(
    "f",
    [
        pen.KSparse(2),
        pen.NMSparse(1, 2),
        pen.GroupKSparse(1, LABELS),
        pen.Isotonic(),
        pen.Simplex(2.0),
        pen.Box(-0.5, [0.3, 0.5, 0.7, 0.1, 0.0, 1.0]),
        pen.L1Ball(0.8),
        pen.NonnegativeL1(0.7),
    ],
    ids=repr,
)
def test_rotated_constraints_hold_at_their_own_prox(f, nu, rng):
    g = pen.Precompose(f, np.sqrt(nu) * Q)
    v = 3.0 * rng.standard_normal((N, 20))
    for dtype in (np.float64, np.float32):
        x = g.prox(v.astype(dtype), 0.8)
        assert x.dtype == dtype
        assert np.all(np.isfinite(g.value(x)))
        assert np.isfinite(g.value(x[:, 0]))


@pytest.mark.parametrize("f", [pen.L1(0.7), pen.L0(0.4), pen.MCP(0.9, 1.7), pen.Box(-0.5, 0.5)])
def test_rotated_prox_is_stationary(f, rng):
    g = pen.Precompose(f, 1.5 * Q)
    v = rng.standard_normal((N, 20))
    x = g.prox(v, 0.3)
    np.testing.assert_allclose(g.subdiff_distance(x, (x - v) / 0.3), 0.0, atol=1e-13)


def test_rotated_values_count_no_rounding(rng):
    g = pen.Precompose(pen.L0(1.0), Q)
    z = np.array([1.0, 0.0, 0.0, -2.0, 0.0, 1e-9])
    assert g.value(Q.T @ z) == 3.0
    assert g.value(np.zeros(N)) == 0.0


def test_a_ridge_has_no_alpha_max_about_constants():
    for f in (pen.TV1D(1.0), pen.TrendFilter(1.0)):
        assert not f.zero_at_alpha_max
        for g in (f, 2.0 * f, pen.ScaleArgument(f, 2.0), pen.SeparableSum([f], [range(N)])):
            assert not g.zero_at_alpha_max
            assert not hasattr(pen.AddRidge(g, 0.5), "alpha_max")
    ramp = np.arange(N, dtype=float)
    assert (2.0 * pen.TV1D(1.0)).alpha_max(ramp) == pen.TV1D(1.0).alpha_max(ramp) / 2.0
    assert pen.AddRidge(pen.L1(0.5), 0.5).alpha_max([1.0, -2.0]) == 4.0


@pytest.mark.parametrize("level", [0.0, [0.0, 0.0]])
def test_free_penalties_are_weakly_convex_with_zero(level):
    made = [
        pen.L0(level),
        pen.Lq(level, 0.5),
        pen.CappedL1(level, 2.0),
        pen.MCP(level, 2.0),
        pen.SCAD(level, 3.0),
        pen.LogSum(level, 1.0),
        pen.Geman(level, 1.0),
        pen.ETP(level, 1.0),
        pen.Cauchy(level, 1.0),
        pen.CEL0(level, 1.0),
    ]
    if not np.ndim(level):
        made += [
            pen.GroupMCP(level, 2.0, LABELS),
            pen.GroupSCAD(level, 3.0, LABELS),
            pen.GroupLq(level, 0.5, LABELS),
            pen.GroupLogSum(level, 1.0, LABELS),
            pen.L1MinusL2(level),
            pen.Schatten(level, 0.5),
            pen.Rank(level),
        ]
    for f in made:
        assert f.weak_convexity == 0.0, f
    assert pen.L0([0.0, 1.0]).weak_convexity == np.inf
    assert pen.MCP([0.0, 1.0], [0.5, 2.0]).weak_convexity == 0.5
    assert pen.L1MinusL2(1.0, 0.0).weak_convexity == 0.0
    assert pen.CappedL1(1.0, [1.0, np.inf]).weak_convexity == np.inf


@pytest.mark.parametrize(
    "f",
    [
        pen.L2(1.0),
        pen.LInf(1.0),
        pen.L21(1.0),
        pen.GroupL2(1.0, [0]),
        pen.GroupLq(1.0, 0.5, [0]),
        pen.GroupMCP(1.0, 2.0, [0]),
        pen.SparseGroup(1.0, 1.0, [0]),
        pen.TreeGroups(1.0, [[0]]),
        pen.LatentGroup(1.0, [[0]]),
        pen.KSupport(1.0, 1),
        pen.Slope([1.0]),
        pen.SumLargest(1.0, 1),
        pen.L1MinusL2(1.0),
        pen.TV1D(1.0),
        pen.FusedLasso(1.0, 1.0),
        pen.TrendFilter(1.0),
        pen.KSparse(1),
        pen.GroupKSparse(1, [0]),
        pen.NMSparse(1, 1),
        pen.Isotonic(),
        pen.Simplex(),
        pen.L1Ball(1.0),
        pen.L2Ball(1.0),
        pen.LInfBall(1.0),
        pen.Sphere(1.0),
        pen.Halfspace([1.0], 1.0),
        pen.Hyperplane([1.0], 1.0),
        pen.Intersection([pen.L1Ball(1.0), pen.L2Ball(1.0)]),
        pen.Precompose(pen.L1(1.0), [[1.0]]),
        pen.SeparableSum([pen.L1(1.0)], [[0]]),
        pen.RadialLift(pen.L1(1.0), [0]),
    ],
    ids=lambda f: type(f).__name__,
)
@pytest.mark.parametrize(
    "number", [3.0, np.float64(3.0), np.array(3.0)], ids=lambda x: str(type(x))
)
def test_numbers_are_refused_where_vectors_are_needed(f, number):
    for method in (f.value, f.prox):
        with pytest.raises(ValueError, match="must have at least 1 dimension, got a number"):
            method(number)


def test_a_box_is_met_up_to_rounding():
    upper = np.array([0.1, 1.0, 1.0])
    for box, x in ((pen.Box(0.0, 1.0), [0.0, 0.5, 1.0]), (pen.Box(-1.0, upper), [0.1, 1.0, 0.3])):
        x = np.array(x)
        for move in (0.0, 1e-15, -1e-15):
            assert box.value(x + move) == 0.0
            np.testing.assert_array_equal(box.value(np.stack([x + move, x + 0.1], 1)), [0, np.inf])
        assert box.value(x + 1e-12) == np.inf
        assert box.value((x + 1e-6).astype(np.float32)) == 0.0
    assert pen.Box(0.0, 1.0).value(1.0) == 0.0
    assert pen.Box(0.0, 1.0).value(1.1) == np.inf
    assert pen.Box(0.0, 1.0).value([np.inf, 0.5]) == np.inf
    assert pen.Box(0.0, 1.0).value([np.nan, 0.5]) == np.inf
    assert pen.Box(0.0, np.inf).value([]) == 0.0
    np.testing.assert_array_equal(
        pen.Box(0.0, 1.0).subdiff_distance([1.0 + 1e-15, 0.5], [-3.0, 0.0]), [0.0, 0.0]
    )
