"""Constraints as penalties: value, projection, support function, cvxpy, torch."""

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
W = np.array([0.5, 1.0, 2.0, 0.3, 1.5, 1.0])
GW = np.array([0.5, 2.0, 1.0])
UPPER = np.array([1.0, 0.4, 2.0, 0.0, 0.7, 1.0])
COSTS = np.array([1.0, 2.0, 0.5, 1.0, 1.5, 3.0])
NORMAL = np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.0])
A = np.array([[1.0, 2.0, 0.0, 1.0, 0.0, -1.0], [0.0, 1.0, 1.0, 0.0, 3.0, 0.0]])
B = np.array([1.0, -2.0])


@dataclasses.dataclass
class Row:
    """A constraint, its definition and its projection as a function."""

    penalty: Any
    inside: Callable[[Any], bool]
    project: Callable[[Any], Any]
    convex: bool = True
    real: bool = True

    def __repr__(self):
        return repr(self.penalty)


def stacked(call, v):
    x, t = call(v[:-1], v[-1])
    return np.append(x, t)


ROWS = [
    Row(
        penalties.L1Ball(1.5),
        lambda x: np.abs(x).sum() <= 1.5 + 1e-9,
        lambda v: prox.project_l1_ball(v, 1.5),
    ),
    Row(
        penalties.L1Ball(1.5, W),
        lambda x: W @ np.abs(x) <= 1.5 + 1e-9,
        lambda v: prox.project_l1_ball(v, 1.5, W),
    ),
    Row(
        penalties.L2Ball(1.5),
        lambda x: np.linalg.norm(x) <= 1.5 + 1e-9,
        lambda v: prox.project_l2_ball(v, 1.5),
    ),
    Row(
        penalties.LInfBall(0.5),
        lambda x: np.abs(x).max() <= 0.5 + 1e-9,
        lambda v: prox.project_linf_ball(v, 0.5),
    ),
    Row(
        penalties.L21Ball(1.5, LABELS, GW),
        lambda x: sum(GW[g] * np.linalg.norm(x[i]) for g, i in enumerate(MEMBERS)) <= 1.5 + 1e-9,
        lambda v: prox.project_l21_ball(v, 1.5, LABELS, GW),
    ),
    Row(
        penalties.L1InfBall(1.5, MEMBERS, GW),
        lambda x: sum(GW[g] * np.abs(x[i]).max() for g, i in enumerate(MEMBERS)) <= 1.5 + 1e-9,
        lambda v: prox.project_l1inf_ball(v, 1.5, LABELS, GW),
    ),
    Row(
        penalties.CappedSimplex(2.5),
        lambda x: min(x.min(), 1 - x.max()) >= -1e-9 and abs(x.sum() - 2.5) < 1e-9,
        lambda v: prox.project_capped_simplex(v, 2.5),
    ),
    Row(
        penalties.CappedSimplex(2.5, UPPER, COSTS),
        lambda x: min(x.min(), np.min(UPPER - x)) >= -1e-9 and abs(COSTS @ x - 2.5) < 1e-9,
        lambda v: prox.project_capped_simplex(v, 2.5, UPPER, COSTS),
    ),
    Row(
        penalties.Halfspace(NORMAL, -0.5),
        lambda x: NORMAL @ x <= -0.5 + 1e-9,
        lambda v: prox.project_halfspace(v, NORMAL, -0.5),
    ),
    Row(
        penalties.Hyperplane(NORMAL, -0.5),
        lambda x: abs(NORMAL @ x + 0.5) < 1e-9,
        lambda v: prox.project_hyperplane(v, NORMAL, -0.5),
    ),
    Row(
        penalties.Affine(A, B),
        lambda x: np.abs(A @ x - B).max() < 1e-9,
        lambda v: prox.project_affine(v, A, B),
    ),
    Row(
        penalties.L1Epigraph(),
        lambda x: np.abs(x[:-1]).sum() <= x[-1] + 1e-9,
        lambda v: stacked(prox.project_l1_epigraph, v),
    ),
    Row(
        penalties.SecondOrderCone(),
        lambda x: np.linalg.norm(x[:-1]) <= x[-1] + 1e-9,
        lambda v: stacked(prox.project_second_order_cone, v),
    ),
    Row(
        penalties.Intersection(
            [penalties.L2Ball(1.0), penalties.Halfspace(NORMAL, -0.1)], tol=1e-13
        ),
        lambda x: np.linalg.norm(x) <= 1 + 1e-9 and NORMAL @ x <= -0.1 + 1e-9,
        lambda v: prox.project_intersection(
            v, [penalties.L2Ball(1.0), penalties.Halfspace(NORMAL, -0.1)], tol=1e-13
        ),
    ),
    Row(
        penalties.Sphere(1.5),
        lambda x: abs(np.linalg.norm(x) - 1.5) < 1e-9,
        lambda v: prox.project_sphere(v, 1.5),
        convex=False,
    ),
    Row(
        penalties.SparseSimplex(2, 1.5),
        lambda x: x.min() >= -1e-12 and abs(x.sum() - 1.5) < 1e-9 and np.count_nonzero(x) <= 2,
        lambda v: prox.project_sparse_simplex(v, 2, 1.5),
        convex=False,
    ),
    Row(
        penalties.SparseL1Ball(2, 1.5),
        lambda x: np.abs(x).sum() <= 1.5 + 1e-9 and np.count_nonzero(x) <= 2,
        lambda v: prox.project_sparse_l1_ball(v, 2, 1.5),
        convex=False,
    ),
]
rows = pytest.mark.parametrize("row", ROWS, ids=repr)
convex = pytest.mark.parametrize("row", [r for r in ROWS if r.convex], ids=repr)
supported = pytest.mark.parametrize(
    "row", [r for r in ROWS if hasattr(r.penalty, "conjugate")], ids=repr
)


@rows
def test_value_is_the_definition(row, rng):
    f = row.penalty
    seen = set()
    inner = row.project(np.full(N, 0.1))
    for v in [*rng.standard_normal((60, N)) * 2, *(inner + 1e-3 * rng.standard_normal((20, N)))]:
        for x in (v, row.project(v), 0.7 * row.project(v), 1.01 * row.project(v)):
            expected = 0.0 if row.inside(x) else np.inf
            assert f.value(x) == expected
            seen.add(expected)
        assert np.ndim(f.value(v)) == 0
        near = row.project(v).astype(np.float32)
        if "Intersection" not in repr(f):
            assert f.value(near) == 0.0 or f.value(near.astype(float)) == np.inf
    assert np.inf in seen
    assert f.value(row.project(np.ones(N)).tolist()) == 0.0


@rows
def test_prox_is_the_projection(row, rng):
    f = row.penalty
    for v in rng.standard_normal((10, N)) * 2:
        before = v.copy()
        for step in (0.1, 1.0, 5.0):
            np.testing.assert_allclose(f.prox(v, step), row.project(v), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(f.prox(v.tolist()), f.prox(v), rtol=1e-14)
        np.testing.assert_array_equal(v, before)
    assert f.prox(v.astype(np.float32)).dtype == np.float32


@rows
def test_traits_repr_and_pickle(row, rng):
    f = row.penalty
    assert isinstance(f, penalties.Penalty)
    assert f.is_convex is row.convex
    assert f.weak_convexity == (0.0 if row.convex else np.inf)
    assert f.is_separable == isinstance(f, penalties.LInfBall)
    if not row.convex:
        assert not hasattr(f, "as_cvxpy")
        assert not hasattr(f, "conjugate")
    again = pickle.loads(pickle.dumps(f))
    assert repr(again) == repr(f)
    v = rng.standard_normal(N)
    np.testing.assert_array_equal(again.prox(v), f.prox(v))


@rows
def test_batch_equals_loop(row, rng):
    f = row.penalty
    V = rng.standard_normal((N, 4)) * 2
    V[:, 1] = f.prox(V[:, 1])
    tolerance = 1e-9 if isinstance(f, penalties.Intersection) else 1e-13
    np.testing.assert_allclose(
        f.prox(V), np.array([f.prox(c) for c in V.T]).T, rtol=tolerance, atol=tolerance
    )
    np.testing.assert_array_equal(f.value(V), [f.value(c) for c in V.T])
    assert f.value(V[:, :0]).shape == (0,)
    if hasattr(f, "conjugate"):
        np.testing.assert_allclose(f.conjugate(V), [f.conjugate(c) for c in V.T], rtol=1e-13)


@supported
def test_support_function(row, rng):
    f = row.penalty
    points = np.array([f.prox(z) for z in rng.standard_normal((300, N)) * 5])
    for v in rng.standard_normal((40, N)) * 3:
        x = f.prox(v)
        y = v - x  # a normal vector at x, where the support function is attained
        assert f.conjugate(y) == pytest.approx(x @ y, rel=1e-9, abs=1e-11 * (1 + v @ v))
        assert np.max(points @ v) <= f.conjugate(v) + 1e-9


def test_support_functions_off_the_normal_directions():
    assert penalties.Halfspace([1.0, 0.0], 2.0).conjugate([-1.0, 0.0]) == np.inf
    assert penalties.Hyperplane([1.0, 0.0], 2.0).conjugate([-1.0, 0.0]) == -2.0
    assert penalties.Hyperplane([1.0, 0.0], 2.0).conjugate([-1.0, 0.1]) == np.inf
    assert penalties.Affine(A, B).conjugate(A.T @ [1.0, 2.0]) == pytest.approx(B @ [1.0, 2.0])
    assert penalties.Affine(A, B).conjugate(np.ones(N)) == np.inf
    assert penalties.SecondOrderCone().conjugate([3.0, 4.0, -5.1]) == 0.0
    assert penalties.SecondOrderCone().conjugate([3.0, 4.0, -4.9]) == np.inf
    assert penalties.L1Epigraph().conjugate([3.0, 4.0, -4.1]) == 0.0
    assert penalties.L1Epigraph().conjugate([3.0, 4.0, -3.9]) == np.inf
    assert penalties.L1Ball(1.0, [1.0, 0.0]).conjugate([1.0, 1.0]) == np.inf
    assert penalties.L1Ball(1.0, [2.0, np.inf]).conjugate([1.0, 1.0]) == 0.5
    assert penalties.L1Ball(0.0).conjugate([1.0, 1.0]) == 0.0


def test_semidefinite_matrices(rng):
    f = penalties.PSDCone()
    V = rng.standard_normal((2, 4, 4))
    X = f.prox(V)
    np.testing.assert_array_equal(X, prox.project_psd(V))
    np.testing.assert_array_equal(f.value(X), [0, 0])
    np.testing.assert_array_equal(f.value(V), [np.inf, np.inf])
    assert f.value(X[0]) == 0.0
    assert f.value(X[0] + np.triu(np.ones((4, 4)), 1)) == np.inf
    np.testing.assert_array_equal(f.conjugate(V - X), [0, 0])
    assert f.conjugate(np.eye(2)) == np.inf
    assert f.conjugate(-np.eye(2)) == 0.0
    assert f.conjugate([[0.0, 1.0], [-1.0, 0.0]]) == 0.0  # orthogonal to all symmetric matrices


def test_a_constrained_fit(rng):
    M, y = rng.standard_normal((12, N)), rng.standard_normal(12)
    loss = so.losses.LeastSquares(M, y)
    result = so.minimize(loss, penalties.L1Ball(0.5), tol=1e-10, max_iter=5000)
    assert result.success
    assert np.abs(result.x).sum() <= 0.5 + 1e-12
    plain = so.minimize(loss, penalties.GroupEnvelope(3.0, LABELS, 1), tol=1e-10, max_iter=5000)
    assert plain.success
    assert plain.certificate <= 1e-10


@pytest.mark.extras
@convex
def test_cvxpy(row, rng):
    cp = require("cvxpy")
    f = row.penalty
    for v in rng.standard_normal((3, N)) * 2:
        x = cp.Variable(N)
        expression = f.as_cvxpy(x)
        assert expression.is_convex()
        problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + expression))
        problem.solve(solver="CLARABEL")
        np.testing.assert_allclose(f.prox(v), x.value, atol=1e-4)
        assert 0.5 * np.sum((f.prox(v) - v) ** 2) <= problem.value + 1e-6
    X = cp.Variable((N, 2))
    V = rng.standard_normal((N, 2))
    cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - V) + f.as_cvxpy(X))).solve(solver="CLARABEL")
    np.testing.assert_allclose(f.prox(V), X.value, atol=1e-4)


@pytest.mark.extras
def test_cvxpy_of_corner_cases(rng):
    cp = require("cvxpy")
    for f, n in (
        (penalties.L1Ball(0.5, [0, 1, 2, np.inf, 0, 1]), N),
        (penalties.L1InfBall(0.7, MEMBERS, [0, np.inf, 1]), N),
        (penalties.L21Ball(0.7, MEMBERS, [0, np.inf, 1]), N),
        (penalties.CappedSimplex(1.0, [np.inf, 0.2, 0.3, 1, 1, 1]), N),
    ):
        for shape in ((n,), (n, 2)):
            v, x = rng.standard_normal(shape) * 2, cp.Variable(shape)
            cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + f.as_cvxpy(x))).solve(
                solver="CLARABEL"
            )
            np.testing.assert_allclose(f.prox(v), x.value, atol=1e-4)
    V, X = rng.standard_normal((3, 3)), cp.Variable((3, 3))
    cone = penalties.PSDCone()
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - V) + cone.as_cvxpy(X)))
    problem.solve(solver="CLARABEL")
    np.testing.assert_allclose(cone.prox(V), X.value, atol=1e-4)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@rows
def test_torch(row, rng):
    torch = require("torch")
    f = row.penalty
    for v in (rng.standard_normal(N) * 2, rng.standard_normal((N, 3)) * 2):
        for grad in (False, True):
            if grad and isinstance(f, penalties.Intersection):
                continue
            w = torch.tensor(v, requires_grad=grad)
            x = f.prox(w, 0.7)
            assert isinstance(x, torch.Tensor)
            np.testing.assert_allclose(x.detach().numpy(), f.prox(v), rtol=1e-12, atol=1e-13)
            if not isinstance(f, penalties.Intersection):
                np.testing.assert_array_equal(f.value(w), f.value(v))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: penalties.L1Ball(-1.0), ValueError, "radius"),
        (lambda: penalties.L1Ball(1.0, [-1.0]), ValueError, "weights"),
        (lambda: penalties.L1Ball(1.0, [1.0, 2.0]).prox(np.ones(3)), ValueError, "weights"),
        (lambda: penalties.L2Ball(np.inf), ValueError, "radius"),
        (lambda: penalties.LInfBall(np.nan), ValueError, "radius"),
        (lambda: penalties.L21Ball(1.0, [0, -1]), ValueError, "groups"),
        (lambda: penalties.L1InfBall(1.0, [0, 1], [1.0]), ValueError, "weights"),
        (lambda: penalties.L21Ball(1.0, [0, 1]).prox(np.ones(3)), ValueError, "groups"),
        (lambda: penalties.CappedSimplex(-1.0), ValueError, "radius"),
        (lambda: penalties.CappedSimplex(1.0, costs=0.0), ValueError, "costs"),
        (lambda: penalties.CappedSimplex(3.0).prox(np.ones(2)), ValueError, "radius must be at"),
        (lambda: penalties.Sphere(0.0), ValueError, "radius"),
        (lambda: penalties.SparseSimplex(0), ValueError, "k must be"),
        (lambda: penalties.SparseL1Ball(1.5, 1.0), TypeError, "k must be an integer"),
        (lambda: penalties.Halfspace([0.0, 0.0], 1.0), ValueError, "a must not be"),
        (lambda: penalties.Hyperplane([[1.0]], 1.0), ValueError, "a must have"),
        (lambda: penalties.Affine([[1.0], [1.0]], [1.0, 2.0]), ValueError, "b must be in"),
        (lambda: penalties.Affine(A, B).prox(np.ones(3)), ValueError, "A must have"),
        (lambda: penalties.SecondOrderCone().prox([]), ValueError, "x must have at least"),
        (lambda: penalties.PSDCone().prox(np.ones((2, 3))), ValueError, "square"),
        (lambda: penalties.Intersection([]), ValueError, "sets"),
        (lambda: penalties.Intersection([3.0]), TypeError, r"sets\[0\] must have value"),
        (lambda: penalties.Intersection([penalties.KSparse(1)]), TypeError, "must be convex"),
        (lambda: penalties.Intersection([penalties.L2Ball(1.0)], tol=0), ValueError, "tol"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()
