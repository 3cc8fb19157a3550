"""Projections: each against its set, its variational inequality and a convex solver."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import Result, prox
from sparseopt._core import ConvergenceWarning

N = 6
LABELS = np.array([0, 1, 0, 2, 2, 2])
MEMBERS = [[0, 2], [1], [3, 4, 5]]
W = np.array([0.5, 1.0, 2.0, 0.3, 1.5, 1.0])
GW = np.array([0.5, 2.0, 1.0])
UPPER = np.array([1.0, 0.4, 2.0, 0.0, 0.7, 1.0])
COSTS = np.array([1.0, 2.0, 0.5, 1.0, 1.5, 3.0])
NORMAL = np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.0])
A = np.array([[1.0, 2.0, 0.0, 1.0, 0.0, -1.0], [0.0, 1.0, 1.0, 0.0, 3.0, 0.0]])
B = np.array([1.0, -2.0])


def split(call):
    """An epigraph's projection on vectors whose last entry is the height."""

    def joined(z, axis=-1):
        z = np.moveaxis(np.asarray(z), axis, -1)
        x, t = call(z[..., :-1], z[..., -1])
        return np.moveaxis(np.concatenate([x, np.asarray(t)[..., None]], -1), -1, axis)

    return joined


@dataclasses.dataclass
class Projection:
    """A projection, how far a point is outside of the set, and the set in cvxpy's words."""

    name: str
    call: Callable[..., Any]
    excess: Callable[[Any], float]
    limits: Callable[..., list] | None = None
    real: bool = False
    torch: bool = True

    def __repr__(self):
        return self.name


def group_sum(x, norm, w=GW):
    return sum(w[g] * norm(x[i]) for g, i in enumerate(MEMBERS))


ROWS = [
    Projection(
        "simplex",
        lambda v, axis=-1: prox.project_simplex(v, 1.5, axis=axis),
        lambda x: max(-x.min(), abs(x.sum() - 1.5)),
        lambda cp, x: [x >= 0, cp.sum(x) == 1.5],
        real=True,
    ),
    Projection(
        "l1_ball",
        lambda v, axis=-1: prox.project_l1_ball(v, 1.5, axis=axis),
        lambda x: np.abs(x).sum() - 1.5,
        lambda cp, x: [cp.norm1(x) <= 1.5],
    ),
    Projection(
        "l1_ball weighted",
        lambda v, axis=-1: prox.project_l1_ball(v, 1.5, W, axis=axis),
        lambda x: W @ np.abs(x) - 1.5,
        lambda cp, x: [W @ cp.abs(x) <= 1.5],
    ),
    Projection(
        "l1_ball free and forbidden",
        lambda v, axis=-1: prox.project_l1_ball(v, 0.5, [0, 1, 2, np.inf, 0, 1], axis=axis),
        lambda x: max(np.array([0, 1, 2, 0, 0, 1]) @ np.abs(x) - 0.5, abs(x[3])),
        lambda cp, x: [np.array([0, 1, 2, 0, 0, 1]) @ cp.abs(x) <= 0.5, x[3] == 0],
    ),
    Projection(
        "l1_epigraph",
        split(prox.project_l1_epigraph),
        lambda x: np.abs(x[:-1]).sum() - x[-1].real,
        lambda cp, x: [cp.norm1(x[:-1]) <= x[-1]],
        real=True,
        torch=False,
    ),
    Projection(
        "capped_simplex",
        lambda v, axis=-1: prox.project_capped_simplex(v, 2.5, axis=axis),
        lambda x: max(-x.min(), x.max() - 1, abs(x.sum() - 2.5)),
        lambda cp, x: [x >= 0, x <= 1, cp.sum(x) == 2.5],
        real=True,
    ),
    Projection(
        "capped_simplex with bounds and costs",
        lambda v, axis=-1: prox.project_capped_simplex(v, 2.5, UPPER, COSTS, axis=axis),
        lambda x: max(-x.min(), np.max(x - UPPER), abs(COSTS @ x - 2.5)),
        lambda cp, x: [x >= 0, x <= UPPER, COSTS @ x == 2.5],
        real=True,
    ),
    Projection(
        "l2_ball",
        lambda v, axis=-1: prox.project_l2_ball(v, 1.5, axis=axis),
        lambda x: np.linalg.norm(x) - 1.5,
        lambda cp, x: [cp.norm2(x) <= 1.5],
    ),
    Projection(
        "linf_ball",
        lambda v, axis=-1: prox.project_linf_ball(v, 0.8),
        lambda x: np.abs(x).max() - 0.8,
        lambda cp, x: [cp.norm_inf(x) <= 0.8],
    ),
    Projection(
        "halfspace",
        lambda v, axis=-1: prox.project_halfspace(v, NORMAL, -0.5, axis=axis),
        lambda x: NORMAL @ x + 0.5,
        lambda cp, x: [NORMAL @ x <= -0.5],
        real=True,
    ),
    Projection(
        "hyperplane",
        lambda v, axis=-1: prox.project_hyperplane(v, NORMAL, -0.5, axis=axis),
        lambda x: abs(NORMAL @ x + 0.5),
        lambda cp, x: [NORMAL @ x == -0.5],
        real=True,
    ),
    Projection(
        "affine",
        lambda v, axis=-1: prox.project_affine(v, A, B, axis=axis),
        lambda x: np.abs(A @ x - B).max(),
        lambda cp, x: [A @ x == B],
        real=True,
    ),
    Projection(
        "affine with redundant rows",
        lambda v, axis=-1: prox.project_affine(v, [*A, A[0] + A[1]], [*B, B.sum()], axis=axis),
        lambda x: np.abs(A @ x - B).max(),
        lambda cp, x: [A @ x == B],
        real=True,
    ),
    Projection(
        "second_order_cone",
        split(prox.project_second_order_cone),
        lambda x: np.linalg.norm(x[:-1]) - x[-1].real,
        lambda cp, x: [cp.norm2(x[:-1]) <= x[-1]],
        real=True,
        torch=False,
    ),
    Projection(
        "l21_ball",
        lambda v, axis=-1: prox.project_l21_ball(v, 1.5, LABELS, GW, axis=axis),
        lambda x: group_sum(x, np.linalg.norm) - 1.5,
        lambda cp, x: [sum(GW[g] * cp.norm2(x[i]) for g, i in enumerate(MEMBERS)) <= 1.5],
    ),
    Projection(
        "l1inf_ball",
        lambda v, axis=-1: prox.project_l1inf_ball(v, 1.5, LABELS, GW, axis=axis),
        lambda x: group_sum(x, lambda z: np.abs(z).max()) - 1.5,
        lambda cp, x: [sum(GW[g] * cp.norm_inf(x[i]) for g, i in enumerate(MEMBERS)) <= 1.5],
    ),
    Projection(
        "l1inf_ball free and forbidden",
        lambda v, axis=-1: prox.project_l1inf_ball(v, 0.7, MEMBERS, [0, np.inf, 1], axis=axis),
        lambda x: max(np.abs(x[3:]).max() - 0.7, abs(x[1])),
        lambda cp, x: [cp.norm_inf(x[3:]) <= 0.7, x[1] == 0],
    ),
    Projection(
        "sphere",
        lambda v, axis=-1: prox.project_sphere(v, 1.5, axis=axis),
        lambda x: abs(np.linalg.norm(x) - 1.5),
    ),
    Projection(
        "sparse_simplex",
        lambda v, axis=-1: prox.project_sparse_simplex(v, 2, 1.5, axis=axis),
        lambda x: max(-x.min(), abs(x.sum() - 1.5), np.count_nonzero(x) - 2),
        real=True,
    ),
    Projection(
        "sparse_l1_ball",
        lambda v, axis=-1: prox.project_sparse_l1_ball(v, 2, 1.5, axis=axis),
        lambda x: max(np.abs(x).sum() - 1.5, np.count_nonzero(x) - 2),
    ),
]
CONVEX = [row for row in ROWS if row.limits]
rows = pytest.mark.parametrize("row", ROWS, ids=repr)
convex = pytest.mark.parametrize("row", CONVEX, ids=repr)


@rows
def test_in_the_set_and_idempotent(row, rng):
    for scale in (1e-6, 0.3, 1.0, 3.0, 1e3):
        for v in scale * rng.standard_normal((80, N)):
            x = row.call(v)
            assert row.excess(x) <= 1e-12 * (1 + scale)
            np.testing.assert_allclose(row.call(x), x, rtol=1e-12, atol=1e-13 * (1 + scale))
    for v in (np.zeros(N), np.ones(N), np.eye(N)[1], -np.ones(N)):
        assert row.excess(row.call(v)) <= 1e-12


@convex
def test_variational_inequality(row, rng):
    """``<v - x, z - x> <= 0`` for all z of the set: what makes x the nearest point."""
    points = np.array([row.call(z) for z in rng.standard_normal((300, N)) * 3])
    for v in rng.standard_normal((400, N)) * np.exp(rng.uniform(-2, 2, (400, 1))):
        x = row.call(v)
        assert np.max((points - x) @ (v - x)) <= 1e-11 * (1 + v @ v)


@rows
def test_nearest_of_many_points_nearby(row, rng):
    for v in rng.standard_normal((20, N)) * 2:
        x = row.call(v)
        near = [row.call(x + d) for d in rng.standard_normal((60, N)) * 10 ** rng.uniform(-4, 0)]
        assert np.linalg.norm(x - v) <= min(np.linalg.norm(z - v) for z in near) + 1e-12


@convex
@given(st.lists(st.floats(-1e3, 1e3), min_size=2 * N, max_size=2 * N))
def test_firm_nonexpansiveness(row, values):
    v, w = np.array(values[:N]), np.array(values[N:])
    d = row.call(v) - row.call(w)
    assert d @ d <= d @ (v - w) + 1e-10 * (1 + max(v @ v, w @ w))


@rows
def test_batch_equals_loop(row, rng):
    v = rng.standard_normal((3, N, 4)) * 2
    before = v.copy()
    x = row.call(v, axis=1)
    assert x.shape == v.shape
    for i in range(3):
        for j in range(4):
            np.testing.assert_allclose(x[i, :, j], row.call(v[i, :, j]), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(row.call(np.asfortranarray(v), axis=-2), x, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(v, before)
    assert row.call(np.zeros((N, 0)), axis=0).shape == (N, 0)


@rows
def test_dtypes(row, rng):
    v = rng.standard_normal(N) * 2
    single = row.call(v.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, row.call(v), rtol=1e-5, atol=2e-6)
    assert row.call(np.arange(N)).dtype == np.float64
    if row.real:
        if row.torch:
            with pytest.raises(TypeError, match="v must be real"):
                row.call(v + 1j)
        return
    z = v * np.exp(1j * rng.uniform(0, 7, N))
    np.testing.assert_allclose(row.call(z), row.call(np.abs(v)) * z / np.abs(v), rtol=1e-11)
    assert row.call(z.astype(np.complex64)).dtype == np.complex64


@rows
def test_not_finite_is_refused(row):
    for bad in (np.nan, np.inf):
        v = np.ones(N)
        v[2] = bad
        if row.name == "linf_ball" and bad == np.inf:
            continue
        with pytest.raises(ValueError, match=r"v must (be finite|not contain NaN)"):
            row.call(v)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("row", [r for r in ROWS if r.torch], ids=repr)
def test_torch(row, rng):
    torch = require("torch")
    v = rng.standard_normal((N, 3)) * 2
    v[:, 2] *= 1e-3  # inside, for the balls
    expected = row.call(v, axis=0)
    for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 2e-6)]:
        for grad in (False, True):
            w = torch.tensor(v, dtype=dtype, requires_grad=grad)
            x = row.call(w, axis=0)
            assert x.dtype == dtype
            assert x.requires_grad == grad
            np.testing.assert_allclose(x.detach().numpy(), expected, rtol=tol, atol=tol)
    w = torch.tensor(v, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: row.call(t, axis=0), (w,))


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
def test_torch_cones(rng):
    torch = require("torch")
    v, t = rng.standard_normal((N, 4)) * 2, np.array([1.0, -20.0, 20.0, 0.5])
    for call in (prox.project_l1_epigraph, prox.project_second_order_cone):
        x, s = call(v, t, axis=0)
        for grad in (False, True):
            inputs = [torch.tensor(a, requires_grad=grad) for a in (v, t)]
            found = call(*inputs, axis=0)
            np.testing.assert_allclose(found[0].detach(), x, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(found[1].detach(), s, rtol=1e-12, atol=1e-14)
        assert torch.autograd.gradcheck(lambda *z, c=call: c(*z, axis=0), inputs)
        single = call(v.astype(np.float32), t, axis=0)
        assert single[0].dtype == single[1].dtype == np.float32
        scalar = call(v[:, 0], 1.0)
        np.testing.assert_allclose(scalar[0], x[:, 0], rtol=1e-14)
        assert scalar[1] == pytest.approx(s[0])
    V = rng.standard_normal((2, 4, 4))
    for grad in (False, True):
        w = torch.tensor(V, requires_grad=grad)
        np.testing.assert_allclose(
            prox.project_psd(w).detach(), prox.project_psd(V), rtol=1e-11, atol=1e-13
        )
    assert torch.autograd.gradcheck(prox.project_psd, (w,))


@pytest.mark.extras
@convex
def test_cvxpy(row, rng):
    cp = require("cvxpy")
    for v in rng.standard_normal((8, N)) * 2:
        x = cp.Variable(N)
        problem = cp.Problem(cp.Minimize(cp.sum_squares(x - v)), row.limits(cp, x))
        problem.solve(solver="CLARABEL")
        found = row.call(v)
        # The set is met to 1e-12 (above), so being as near as the solver's point is the proof.
        assert np.sum((found - v) ** 2) <= problem.value + 1e-6
        np.testing.assert_allclose(found, x.value, atol=1e-4)


# ---------------------------------------------------------------------------------------------
# One by one


def test_l1_ball_of_large_vectors_and_corners(rng):
    v = rng.standard_normal(20_000)
    x = prox.project_l1_ball(v, 10.0)
    assert np.abs(x).sum() == pytest.approx(10.0, rel=1e-12)
    theta = np.abs(v - x).max()
    np.testing.assert_allclose(x, np.sign(v) * np.maximum(np.abs(v) - theta, 0), atol=1e-14)
    np.testing.assert_allclose(prox.project_l1_ball(v, 10.0, np.ones(20_000)), x, atol=1e-12)
    np.testing.assert_allclose(
        prox.project_capped_simplex(np.abs(v), 10.0, np.inf), np.abs(x), atol=1e-12
    )
    assert not prox.project_l1_ball(v, 0.0).any()
    np.testing.assert_array_equal(prox.project_l1_ball([1.0, -2.0], 3.0), [1, -2])
    assert prox.project_l1_ball([], 1.0).shape == (0,)
    assert prox.project_l1_ball(-3.0, 1.0) == -1.0
    far = np.array([1e12, -1e12, 1.0])
    np.testing.assert_allclose(prox.project_l1_ball(far, 1e-3), [5e-4, -5e-4, 0], rtol=1e-12)


def test_l1_ball_is_what_the_maximum_norm_leaves(rng):
    for v in rng.standard_normal((50, 9)):
        np.testing.assert_allclose(
            prox.linf(v, 0.7) + prox.project_l1_ball(v, 0.7), v, rtol=1e-12, atol=1e-14
        )


def test_capped_simplex_corners():
    np.testing.assert_array_equal(prox.project_capped_simplex([3.0, -1.0], 0.0), [0, 0])
    np.testing.assert_array_equal(prox.project_capped_simplex([3.0, -1.0], 2.0), [1, 1])
    np.testing.assert_allclose(prox.project_capped_simplex([1e12, 1e12], 0.5), [0.25, 0.25])
    for u in (1.0, [1.0, 0.0]):
        with pytest.raises(ValueError, match=r"radius must be at most"):
            prox.project_capped_simplex([1.0, 1.0], 2.1, u)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_sparse_sets_by_enumeration(n, rng):
    for v in np.round(rng.standard_normal((25, n)), 1):
        for k in range(1, n + 1):
            for call, single in (
                (prox.project_sparse_simplex, prox.project_simplex),
                (prox.project_sparse_l1_ball, prox.project_l1_ball),
            ):
                best = np.inf
                for kept in itertools.combinations(range(n), k):
                    x = np.zeros(n)
                    x[list(kept)] = single(v[list(kept)], 0.8)
                    best = min(best, np.sum((x - v) ** 2))
                x = call(v, k, 0.8)
                assert np.count_nonzero(x) <= k
                assert np.sum((x - v) ** 2) == pytest.approx(best, abs=1e-13)
    far = np.array([1e12, 1e12, 0.0])
    np.testing.assert_allclose(prox.project_sparse_simplex(far, 2, 1e-6), [5e-7, 5e-7, 0])
    assert prox.project_sparse_simplex([1.0, 1.0, 1.0], 1).tolist() == [1.0, 0.0, 0.0]


def test_cones_corners():
    for call in (prox.project_l1_epigraph, prox.project_second_order_cone):
        x, s = call([3.0, -4.0], -10.0)
        assert not x.any()
        assert s == 0.0
        x, s = call([3.0, -4.0], 10.0)
        np.testing.assert_array_equal(x, [3, -4])
        assert s == 10.0
        x, s = call([0.0, 0.0], 0.0)
        assert not x.any()
        assert s == 0.0
        x, s = call(np.zeros(0), 1.0)
        assert x.shape == (0,)
        assert s == 1.0
        x, s = call(np.zeros((2, 0)), [1.0, -1.0])
        np.testing.assert_array_equal(s, [1, 0])
        with pytest.raises(ValueError, match="t must broadcast"):
            call([1.0, 2.0], [1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="t must be finite"):
            call([1.0, 2.0], np.nan)


def test_psd(rng):
    for shape in ((4, 4), (2, 3, 5, 5), (0, 0), (2, 0, 0)):
        V = rng.standard_normal(shape)
        X = prox.project_psd(V)
        assert X.shape == shape
        if V.size:
            sym = (V + np.swapaxes(V, -1, -2)) / 2
            other = prox.project_psd(-V)
            np.testing.assert_allclose(X - other, sym, atol=1e-13)  # Moreau for a cone
            np.testing.assert_allclose(np.sum(X * other, axis=(-2, -1)), 0, atol=1e-12)
            assert np.linalg.eigvalsh(X).min() >= -1e-13
    Z = rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))
    X = prox.project_psd(Z)
    np.testing.assert_allclose(X, X.conj().T, atol=1e-14)
    np.testing.assert_allclose(X - prox.project_psd(-Z), (Z + Z.conj().T) / 2, atol=1e-13)
    assert prox.project_psd(np.eye(2, dtype=np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="square"):
        prox.project_psd(np.ones((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        prox.project_psd([[np.nan]])


def test_sphere_at_zero():
    np.testing.assert_array_equal(
        prox.project_sphere(np.zeros((3, 2)), 2.0, axis=0)[:, 1], [2, 0, 0]
    )
    x = prox.project_sphere(np.array([[0.0, 3.0], [0.0, 4.0]]), axis=0)
    np.testing.assert_allclose(x, [[1, 0.6], [0, 0.8]])
    with pytest.raises(ValueError, match="empty"):
        prox.project_sphere([])


def test_l1inf_ball_with_many_groups(rng):
    groups = rng.integers(0, 40, 400)
    v = rng.standard_normal(400)
    x = prox.project_l1inf_ball(v, 20.0, groups)
    ceilings = np.array([np.abs(x[groups == g]).max() for g in range(40)])
    assert ceilings.sum() == pytest.approx(20.0, rel=1e-12)
    losses = np.array([np.abs(v - x)[groups == g].sum() for g in range(40)])
    theta = losses[ceilings > 0].max()
    np.testing.assert_allclose(losses[ceilings > 0], theta, rtol=1e-11)
    assert np.all(losses[ceilings == 0] <= theta * (1 + 1e-12))
    np.testing.assert_array_equal(prox.project_l1inf_ball(v, 1e6, groups), v)
    assert not prox.project_l1inf_ball(v, 0.0, groups).any()


# ---------------------------------------------------------------------------------------------
# Intersections


def test_intersection_of_two_sets_with_a_formula(rng):
    sets = [lambda z: np.maximum(z, 0), lambda z: prox.project_hyperplane(z, np.ones(N), 1.0)]
    for v in rng.standard_normal((10, N)):
        found = prox.project_intersection(v, sets, tol=1e-12)
        np.testing.assert_allclose(found, prox.project_simplex(v), atol=1e-9)
    caps = [lambda z: np.clip(z, 0, 1), lambda z: prox.project_hyperplane(z, np.ones(N), 2.5)]
    result = prox.project_intersection(v, caps, tol=1e-12, full_output=True)
    assert isinstance(result, Result)
    assert result.success
    np.testing.assert_allclose(result.x, prox.project_capped_simplex(v, 2.5), atol=1e-9)
    np.testing.assert_allclose(result.dual.sum(axis=0), v - result.x, atol=1e-12)
    assert result.fun == pytest.approx(0.5 * np.sum((result.x - v) ** 2))
    assert result.history["certificate"][-1] <= 1e-12
    inside = np.full(N, 1 / N)
    np.testing.assert_allclose(prox.project_intersection(inside, sets), inside, rtol=1e-15)
    single = prox.project_intersection(v.astype(np.float32), sets)
    assert single.dtype == np.float32


def test_alternating_projections_would_be_wrong():
    """Dykstra's corrections matter: plain alternation ends elsewhere in the intersection."""
    sets = [lambda z: prox.project_halfspace(z, [1.0, 0.5], 0.0), lambda z: np.minimum(z, 0.5)]
    v = np.array([1.0, 3.0])
    found = prox.project_intersection(v, sets, tol=1e-12)
    grid = np.stack(np.meshgrid(*[np.linspace(-3, 0.5, 1401)] * 2), -1).reshape(-1, 2)
    grid = grid[grid @ [1.0, 0.5] <= 1e-12]
    best = grid[np.argmin(np.sum((grid - v) ** 2, axis=1))]
    np.testing.assert_allclose(found, best, atol=4e-3)


def test_intersection_that_is_empty_says_so():
    apart = [lambda z: np.minimum(z, 0.0), lambda z: np.maximum(z, 1.0)]
    with pytest.warns(ConvergenceWarning, match="not converged"):
        result = prox.project_intersection([0.3], apart, max_iter=50, full_output=True)
    assert not result.success
    for sets, error in (([], ValueError), ([3.0], TypeError)):
        with pytest.raises(error, match="projections"):
            prox.project_intersection([1.0], sets)
    with pytest.raises(ValueError, match="v must be finite"):
        prox.project_intersection([np.nan], [lambda z: z])


def test_intersection_stops_when_the_callback_says_so():
    def stop(state):
        raise StopIteration

    apart = [lambda z: np.minimum(z, 0.0), lambda z: np.maximum(z, 1.0)]
    result = prox.project_intersection([0.3], apart, callback=stop, full_output=True)
    assert result.nit == 1


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: prox.project_l1_ball([1.0], -1.0), ValueError, "radius"),
        (lambda: prox.project_l1_ball([1.0], np.inf), ValueError, "radius must be finite"),
        (lambda: prox.project_l1_ball([1.0], 1.0, [-1.0]), ValueError, "weights"),
        (lambda: prox.project_l1_ball([1.0], 1.0, [1.0, 2.0]), ValueError, "weights"),
        (lambda: prox.project_l1_ball([1.0], 1.0, axis=1), ValueError, "axis"),
        (lambda: prox.project_l1_ball(["a"], 1.0), TypeError, "v must be"),
        (lambda: prox.project_l2_ball([1.0], -1.0), ValueError, "radius"),
        (lambda: prox.project_linf_ball([1.0], np.nan), ValueError, "radius"),
        (lambda: prox.project_sphere([1.0], 0.0), ValueError, "radius"),
        (lambda: prox.project_capped_simplex([1.0], -1.0), ValueError, "radius"),
        (lambda: prox.project_capped_simplex([1.0], 1.0, -1.0), ValueError, "upper"),
        (lambda: prox.project_capped_simplex([1.0], 1.0, [1.0, 1.0]), ValueError, "upper"),
        (lambda: prox.project_capped_simplex([1.0], 1.0, 1.0, [0.0]), ValueError, "costs"),
        (lambda: prox.project_halfspace([1.0], [0.0], 1.0), ValueError, "a must not be"),
        (lambda: prox.project_halfspace([1.0], [1.0, 2.0], 1.0), ValueError, "a must have"),
        (lambda: prox.project_halfspace([1.0], [1.0], np.nan), ValueError, "b must be"),
        (lambda: prox.project_hyperplane([1.0], [1.0], [1.0]), ValueError, "b must be"),
        (lambda: prox.project_affine([1.0], [[1.0, 1.0]], [1.0]), ValueError, "A must have"),
        (lambda: prox.project_affine([1.0], [[1.0]], [1.0, 2.0]), ValueError, "b must have"),
        (lambda: prox.project_affine([1.0], [[1.0], [1.0]], [1.0, 2.0]), ValueError, "b must be"),
        (lambda: prox.project_affine([1.0], [1.0], [1.0]), ValueError, "A must have 2"),
        (lambda: prox.project_l21_ball([1.0], 1.0, [0, 0]), ValueError, "groups"),
        (lambda: prox.project_l21_ball([1.0], 1.0, [0], [-1]), ValueError, "weights"),
        (lambda: prox.project_l1inf_ball([1.0], -1.0, [0]), ValueError, "radius"),
        (lambda: prox.project_sparse_simplex([1.0], 0), ValueError, "k must be"),
        (lambda: prox.project_sparse_simplex([], 1), ValueError, "v must not be empty"),
        (lambda: prox.project_sparse_l1_ball([1.0], 2, 1.0), ValueError, "k must be"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("scale", [1e8, 1e14, 1e16])
def test_weighted_sets_keep_their_sum_far_away(scale, rng):
    """The largest quotient is rounded, and the rounding is as large as the radius."""
    for _ in range(20):
        w = rng.uniform(0.5, 2, 6)
        v = scale * rng.standard_normal() * w * rng.choice([-1, 1], 6) + rng.standard_normal(6)
        x = prox.project_l1_ball(v, 1.0, w)
        assert w @ np.abs(x) == pytest.approx(1.0, abs=1e-12)
        single = prox.project_l1_ball(v.astype(np.float32), 1.0, w)
        assert w @ np.abs(single) == pytest.approx(1.0, abs=1e-5)
        x = prox.project_capped_simplex(np.abs(v), 1.0, 0.4, w)
        assert w @ x == pytest.approx(1.0, abs=1e-12)
        assert np.all((x >= 0) & (x <= 0.4))
