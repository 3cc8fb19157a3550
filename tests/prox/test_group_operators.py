"""Operators on groups: l_inf,1, sparse group, trees, latent overlap, non-convex lifts, sets."""

import itertools

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import prox

N = 7
LABELS = [0, 1, 0, 2, 2, 2, 1]
MEMBERS = [[0, 2], [1, 6], [3, 4, 5]]
W = np.array([0.5, 0.0, 2.0])
L1 = np.array([0.3, 0.0, 1.0, 0.2, 0.2, 0.7, 0.5])
TREE = [[0, 1, 2, 3, 4, 5], [3, 4, 5], [0, 1], [1], [5], [3, 4]]
OVERLAP = [[0, 1, 2], [2, 3], [3, 4, 5, 6], [1, 5], [6]]
STEPS = [0.05, 0.4, 1.0, 4.0]


def inputs(rng, count):
    """Random vectors with ties and zeros among them."""
    v = rng.standard_normal((count, N)) * np.exp(rng.uniform(-1, 2, (count, 1)))
    v[: count // 4] = np.round(v[: count // 4])
    v[0] = 0.0
    v[1] = 1.0
    return v


def dual_gap(v, primal, rest):
    """Objective minus a dual bound: ``rest`` is a feasible point of the dual ball, times step."""
    dual = 0.5 * np.sum(np.abs(v) ** 2) - 0.5 * np.sum(np.abs(v - rest) ** 2)
    return (primal - dual) / (1 + primal)


# ---------------------------------------------------------------------------------------------
# l_inf,1


def linf_value(x, lam, w):
    return lam * sum(w[g] * np.max(np.abs(x[m])) for g, m in enumerate(MEMBERS))


def test_group_linf_has_no_duality_gap(rng):
    for step in STEPS:
        for v in inputs(rng, 110):
            x = prox.group_linf(v, 0.7, LABELS, W, step=step)
            rest = v - x
            for g, m in enumerate(MEMBERS):
                radius = step * 0.7 * W[g]
                rest[m] *= min(1.0, radius / max(np.abs(rest[m]).sum(), 1e-300))
            primal = 0.5 * np.sum((x - v) ** 2) + step * linf_value(x, 0.7, W)
            assert dual_gap(v, primal, rest) < 1e-13


def test_group_linf_is_linf_of_each_group(rng):
    v = rng.standard_normal((4, N, 3)) * 2
    x = prox.group_linf(v, 0.7, MEMBERS, "sqrt", step=0.5, axis=1)
    for g, m in enumerate(MEMBERS):
        for i, j in itertools.product(range(4), range(3)):
            alone = prox.linf(v[i, m, j], 0.7 * np.sqrt(len(MEMBERS[g])), step=0.5)
            np.testing.assert_allclose(x[i, m, j], alone, rtol=1e-14)
    singletons = prox.group_linf(v[0, :, 0], 0.7, np.arange(N))
    np.testing.assert_allclose(singletons, prox.l1(v[0, :, 0], 0.7), atol=1e-15)
    z = v * np.exp(1j * rng.uniform(0, 7, v.shape))
    turned = prox.group_linf(z, 0.7, MEMBERS, "sqrt", step=0.5, axis=1)
    np.testing.assert_allclose(turned, x * z / v, rtol=1e-13, atol=1e-14)


# ---------------------------------------------------------------------------------------------
# Sparse group


def test_sparse_group_has_no_duality_gap(rng):
    for step in STEPS:
        for v in inputs(rng, 110):
            x = prox.sparse_group(v, L1, 0.7, LABELS, W, step=step)
            # The rest splits into a part for the entries and one for the groups.
            entries = np.clip(v, -step * L1, step * L1)
            groups = v - x - entries
            for g, m in enumerate(MEMBERS):
                radius = step * 0.7 * W[g]
                groups[m] *= min(1.0, radius / max(np.linalg.norm(groups[m]), 1e-300))
            norms = sum(W[g] * np.linalg.norm(x[m]) for g, m in enumerate(MEMBERS))
            primal = 0.5 * np.sum((x - v) ** 2) + step * (L1 @ np.abs(x) + 0.7 * norms)
            assert dual_gap(v, primal, entries + groups) < 1e-13


def test_sparse_group_uses_the_weight_of_the_feature_not_of_the_group_number():
    # skglm 0.5 takes the weight of feature number g for the whole group g (its issue 332).
    v = np.array([3.0, 3.0, 3.0, 3.0])
    x = prox.sparse_group(v, [0.0, 1.0, 2.0, 2.5], 1.0, [0, 0, 1, 1])
    soft = np.array([3.0, 2.0, 1.0, 0.5])
    norms = np.repeat([np.linalg.norm(soft[:2]), np.linalg.norm(soft[2:])], 2)
    np.testing.assert_allclose(x, soft * (1 - 1 / norms), rtol=1e-14)


def test_sparse_group_limits(rng):
    v = rng.standard_normal((5, N)) * 2
    np.testing.assert_allclose(
        prox.sparse_group(v, 0.0, 0.7, LABELS, W, axis=1), prox.group_l2(v, 0.7, LABELS, W, axis=1)
    )
    np.testing.assert_array_equal(prox.sparse_group(v, L1, 0.0, LABELS, axis=1), prox.l1(v, L1))
    x = prox.sparse_group(v, L1, 0.7, LABELS, axis=1)
    np.testing.assert_array_equal(x, [prox.sparse_group(r, L1, 0.7, LABELS) for r in v])
    np.testing.assert_array_equal(prox.sparse_group(v.T, L1, 0.7, LABELS), x.T)
    assert not prox.sparse_group(v[0], np.inf, 0.7, LABELS).any()
    assert not prox.sparse_group(v[0], 0.1, np.inf, LABELS).any()
    z = v * np.exp(1j * rng.uniform(0, 7, v.shape))
    turned = prox.sparse_group(z, L1, 0.7, LABELS, axis=1)
    np.testing.assert_allclose(turned, x * z / v, rtol=1e-13, atol=1e-14)


# ---------------------------------------------------------------------------------------------
# Overlapping groups


def dual_of_nested(v, radii, groups):
    """A feasible dual point for a sum of norms of nested groups: clip what the smaller leave."""
    rest = v.copy()
    for g in sorted(range(len(groups)), key=lambda g: len(groups[g])):
        norm = np.linalg.norm(rest[groups[g]])
        rest[groups[g]] *= 1 - min(1.0, radii[g] / max(norm, 1e-300))
    return v - rest


@pytest.mark.parametrize("groups", [TREE, TREE[::-1], [[0], [0, 1], [0, 1, 2], list(range(N))]])
def test_tree_groups_has_no_duality_gap(groups, rng):
    w = rng.uniform(0.2, 1.5, len(groups))
    for trial, v in enumerate(inputs(rng, 140)):
        step = STEPS[trial % 4]
        x = prox.tree_groups(v, 0.7, groups, w, step=step)
        value = 0.7 * sum(w[g] * np.linalg.norm(x[m]) for g, m in enumerate(groups))
        rest = dual_of_nested(v, step * 0.7 * w, groups)
        primal = 0.5 * np.sum((x - v) ** 2) + step * value
        assert dual_gap(v, primal, rest) < 1e-13


def test_tree_groups_special_cases(rng):
    v = rng.standard_normal((N, 3)) * 2
    parts = prox.group_l2(v, 0.7, LABELS, W)
    np.testing.assert_allclose(prox.tree_groups(v, 0.7, MEMBERS, W), parts, rtol=1e-14)
    np.testing.assert_array_equal(prox.tree_groups(v, 0.7, []), v)
    np.testing.assert_array_equal(prox.tree_groups(v, 0.0, TREE), v)
    np.testing.assert_array_equal(prox.tree_groups(v, 100.0, TREE)[-1], v[-1])  # in no group
    assert not prox.tree_groups(v, 100.0, TREE)[:-1].any()
    loop = np.array([prox.tree_groups(c, 0.7, TREE, "sqrt") for c in v.T]).T
    np.testing.assert_allclose(prox.tree_groups(v, 0.7, TREE, "sqrt"), loop, rtol=1e-14)
    np.testing.assert_allclose(prox.tree_groups(v.T, 0.7, TREE, "sqrt", axis=1), loop.T, rtol=1e-14)
    twice = prox.tree_groups(v, 0.7, [[0, 1], [0, 1]])
    np.testing.assert_allclose(twice[:2], prox.group_l2(v[:2], 1.4, [0, 0]), rtol=1e-14)
    # An entry below a zero group is zero.
    x = prox.tree_groups(v, 0.7, TREE)
    assert not np.any(x[[1]][:, ~x[[0, 1]].any(0)])
    # The wrong order, root first, is no minimiser.
    wrong = prox.group_l2(prox.l2(v[:, 0], 0.7), 0.7, np.arange(N))
    right = prox.tree_groups(v[:, 0], 0.7, [list(range(N)), *([i] for i in range(N))])
    assert not np.allclose(wrong, right)


def test_latent_group_is_optimal(rng):
    """``x`` is a sum of parts along ``(v - x)``, on groups whose norm is at its bound."""
    w = np.array([1.0, 0.5, 1.5, 0.8, 0.6])
    for trial, v in enumerate(inputs(rng, 400)):
        step = STEPS[trial % 4]
        x = prox.latent_group(v, 0.7, OVERLAP, w, step=step)
        y = (v - x) / step
        norms = np.array([np.linalg.norm(y[m]) for m in OVERLAP])
        bound = 0.7 * w
        size = 1 + np.abs(v).max() / step
        assert np.all(norms <= bound + 1e-9 * size)
        active = [g for g in range(5) if norms[g] >= bound[g] - 1e-6 * size]
        directions = np.zeros((N, len(active)))
        for j, g in enumerate(active):
            directions[OVERLAP[g], j] = y[OVERLAP[g]] / bound[g]
        scipy_optimize = require("scipy.optimize")
        lengths, residual = scipy_optimize.nnls(directions, x) if active else (0, np.abs(x).max())
        assert residual < 1e-5 * (1 + np.abs(v).max())
        # The parts are a decomposition, so their sum bounds the value from above.
        value = np.sum(lengths * bound[active]) if active else 0.0
        primal = 0.5 * np.sum((x - v) ** 2) + step * value
        rest = step * y / max(1.0, np.max(norms / bound))
        assert dual_gap(v, primal, rest) < 1e-6


def test_latent_group_special_cases(rng):
    v = rng.standard_normal((N, 3)) * 2
    parts = prox.group_l2(v, 0.7, LABELS, W)
    np.testing.assert_allclose(prox.latent_group(v, 0.7, MEMBERS, W), parts, atol=1e-12)
    np.testing.assert_allclose(prox.latent_group(v, 0.0, OVERLAP), v, atol=1e-15)
    assert not prox.latent_group(v, 100.0, OVERLAP).any()
    with pytest.raises(ValueError, match="lam must be finite"):
        prox.latent_group(v, np.inf, OVERLAP)
    with pytest.raises(ValueError, match="weights must be finite"):
        prox.latent_group(v, 1.0, OVERLAP, np.full(len(OVERLAP), np.inf))
    for scale in (1e-200, 1e200):
        scaled = prox.latent_group(v * scale, 0.7 * scale, OVERLAP, "sqrt") / scale
        np.testing.assert_allclose(
            scaled, prox.latent_group(v, 0.7, OVERLAP, "sqrt"), rtol=1e-10, atol=1e-12
        )
    loop = np.array([prox.latent_group(c, 0.7, OVERLAP, "sqrt") for c in v.T]).T
    np.testing.assert_array_equal(prox.latent_group(v, 0.7, OVERLAP, "sqrt"), loop)
    np.testing.assert_array_equal(prox.latent_group(v.T, 0.7, OVERLAP, "sqrt", axis=1), loop.T)
    z = v * np.exp(1.3j)
    np.testing.assert_allclose(
        prox.latent_group(z, 0.7, OVERLAP, "sqrt"), loop * np.exp(1.3j), atol=1e-12
    )
    assert prox.latent_group(v.astype(np.float32), 0.7, OVERLAP).dtype == np.float32
    with pytest.warns(UserWarning, match="latent groups: not within tol"):
        prox.latent_group(v, 0.7, OVERLAP, max_iter=1)


@pytest.mark.extras
def test_cvxpy(rng):
    cp = require("cvxpy")
    x, v = cp.Variable(N), cp.Parameter(N)
    z = [cp.Variable(N) for _ in OVERLAP]
    outside = [z[g][[i for i in range(N) if i not in m]] == 0 for g, m in enumerate(OVERLAP)]
    tops = sum(w * cp.norm_inf(x[m]) for w, m in zip(W, MEMBERS, strict=True))
    norms = sum(w * cp.norm2(x[m]) for w, m in zip(W, MEMBERS, strict=True))
    entries = cp.norm1(cp.multiply(L1, x))
    cases = [
        (tops, [], lambda v: prox.group_linf(v, 1.0, MEMBERS, W)),
        (0.5 * norms + entries, [], lambda v: prox.sparse_group(v, L1, 0.5, MEMBERS, W)),
        (sum(cp.norm2(x[m]) for m in TREE), [], lambda v: prox.tree_groups(v, 1.0, TREE)),
        (
            sum(cp.norm2(part) for part in z),
            [*outside, sum(z) == x],
            lambda v: prox.latent_group(v, 1.0, OVERLAP),
        ),
    ]
    for penalty, constraints, function in cases:
        cost = 0.5 * cp.sum_squares(x - v) + penalty
        problem = cp.Problem(cp.Minimize(cost), constraints)
        for value in inputs(rng, 12):
            v.value = value
            problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)
            np.testing.assert_allclose(function(value), x.value, atol=2e-6)


CONVEX = {
    "group_linf": lambda v: prox.group_linf(v, 0.7, LABELS, W),
    "sparse_group": lambda v: prox.sparse_group(v, L1, 0.7, LABELS, W),
    "tree_groups": lambda v: prox.tree_groups(v, 0.7, TREE),
    "latent_group": lambda v: prox.latent_group(v, 0.7, OVERLAP),
}
vectors = st.lists(st.floats(-1e6, 1e6), min_size=N, max_size=N)


@pytest.mark.parametrize("name", CONVEX)
@given(v=vectors, w=vectors)
def test_firm_nonexpansiveness(name, v, w):
    v, w = np.array(v), np.array(w)
    d = CONVEX[name](v) - CONVEX[name](w)
    slack = 1e-12 if name != "latent_group" else 1e-9
    assert d @ d <= d @ (v - w) + slack * (1 + max(v @ v, w @ w))


@given(v=vectors)
def test_moreau(v):
    """The rest of the prox of a norm is the projection on its dual ball."""
    v = np.array(v)
    size = 1e-10 * (1 + np.linalg.norm(v))
    rest = v - prox.group_linf(v, 0.7, LABELS, W)
    for g, m in enumerate(MEMBERS):
        assert np.abs(rest[m]).sum() <= 0.7 * W[g] + size
    x = prox.sparse_group(v, L1, 0.7, LABELS, W)
    rest = v - x
    for g, m in enumerate(MEMBERS):
        assert np.linalg.norm(prox.l1(rest[m], L1[m])) <= 0.7 * W[g] + size
    assert not np.any(
        np.abs(prox.tree_groups(v - prox.tree_groups(v, 0.7, TREE), 0.7, TREE)[:6]) > size
    )


# ---------------------------------------------------------------------------------------------
# Non-convex lifts


def mcp(r, lam, gamma):
    return np.where(r <= gamma * lam, lam * r - r * r / (2 * gamma), gamma * lam * lam / 2)


def scad(r, lam, gamma):
    bent = (2 * gamma * lam * r - r * r - lam * lam) / (2 * (gamma - 1))
    inner = np.where(r <= lam, lam * r, bent)
    return np.where(r <= gamma * lam, inner, lam * lam * (gamma + 1) / 2)


def power(r, lam, q):
    return lam * np.where(r > 0, r**q if q > 0 else 1.0, 0.0)


LIFTS = {
    "lq 0.5": (prox.group_lq, power, 0.5, [0.1, 1.0, 4.0]),
    "lq 0.3": (prox.group_lq, power, 0.3, [0.1, 1.0, 4.0]),
    "lq 0": (prox.group_lq, power, 0.0, [0.1, 1.0, 4.0]),
    "lq 1": (prox.group_lq, power, 1.0, [0.1, 1.0, 4.0]),
    "mcp": (prox.group_mcp, mcp, 1.5, [0.5, 1.4999, 1.5, 1.6, 20.0]),
    "scad": (prox.group_scad, scad, 3.0, [0.5, 1.9999, 2.0, 2.1, 20.0]),
    "log_sum": (
        prox.group_log_sum,
        lambda r, lam, eps: lam * np.log1p(r / eps),
        0.8,
        [0.1, 0.7, 0.95, 4.0],
    ),
}


@pytest.mark.parametrize("name", LIFTS)
def test_lifts_against_a_grid(name, rng):
    """The prox of each group lies on the ray of ``v``; the least on the ray is found by a grid."""
    function, value, shape, steps = LIFTS[name]
    weights = np.array([0.5, 0.0, 1.4])
    for step in steps:
        v = inputs(rng, 140) * (1 + 0.3 * step)
        x = function(v.T, 0.8, shape, LABELS, weights, step=step).T
        for g, m in enumerate(MEMBERS):
            r = np.linalg.norm(v[:, m], axis=1)[:, None]
            grid = r * np.linspace(0, 1, 3001)
            width = r / 3000
            for _ in range(2):
                cost = 0.5 * (grid - r) ** 2 + step * value(grid, 0.8 * weights[g], shape)
                best = cost.min(axis=1)
                centre = np.take_along_axis(grid, cost.argmin(axis=1)[:, None], 1)
                grid = np.clip(centre + width * np.linspace(-1, 1, 401), 0, r)
                width = width / 200
            sizes = np.linalg.norm(x[:, m], axis=1)
            found = 0.5 * np.sum((x[:, m] - v[:, m]) ** 2, axis=1)
            found = found + step * value(sizes, 0.8 * weights[g], shape)
            assert np.max((found - best) / (1 + best)) < 1e-6
            cross = x[:, m] * r - v[:, m] * sizes[:, None]
            assert np.max(np.abs(cross)) <= 1e-12 * (1 + r.max() ** 2)


@pytest.mark.parametrize("name", LIFTS)
def test_lifts_beat_points_off_the_ray(name, rng):
    function, value, shape, steps = LIFTS[name]
    side = np.linspace(-1.2, 1.2, 241)
    plane = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    for step in steps:
        for _ in range(4):
            v = rng.standard_normal(2) * (1 + step)
            x = function(v, 0.8, shape, [0, 0], step=step)
            found = 0.5 * np.sum((x - v) ** 2) + step * value(np.linalg.norm(x), 0.8, shape)
            others = plane * np.linalg.norm(v)
            sizes = np.linalg.norm(others, axis=1)
            cost = 0.5 * np.sum((others - v) ** 2, axis=1) + step * value(sizes, 0.8, shape)
            assert found <= cost.min() + 1e-12


@pytest.mark.parametrize("name", LIFTS)
def test_lifts_of_singletons_are_the_scalar_operators(name, rng):
    function, _, shape, steps = LIFTS[name]
    scalar = getattr(prox, function.__name__.removeprefix("group_"))
    v = rng.standard_normal(300) * 3
    for step in steps:
        found = function(v, 0.8, shape, np.arange(300), step=step)
        np.testing.assert_allclose(found, scalar(v, 0.8, shape, step=step), rtol=1e-12, atol=1e-14)
    single = function(v.astype(np.float32), 0.8, shape, np.arange(300) // 3)
    assert single.dtype == np.float32
    z = v * np.exp(1j * rng.uniform(0, 7, 300))
    groups = np.arange(300) // 3
    np.testing.assert_allclose(
        np.abs(function(z, 0.8, shape, groups)), np.abs(function(v, 0.8, shape, groups)), rtol=1e-9
    )
    out = np.empty_like(v)
    assert function(v, 0.8, shape, groups, out=out) is out
    np.testing.assert_array_equal(out, function(v, 0.8, shape, groups))
    batch = v.reshape(3, 100)
    rows = function(batch, 0.8, shape, np.arange(100) // 5, axis=1)
    loop = [function(row, 0.8, shape, np.arange(100) // 5) for row in batch]
    np.testing.assert_allclose(rows, loop, rtol=1e-14)


# ---------------------------------------------------------------------------------------------
# Sets


def test_group_top_k_is_the_nearest_of_all_choices(rng):
    groups = [[0, 2], [1, 6], [3], [4, 5]]
    for v in inputs(rng, 100):
        for k in range(5):
            x = prox.project_group_top_k(v, k, groups)
            assert sum(np.any(x[m]) for m in groups) <= k
            least = np.inf
            for kept in itertools.combinations(range(4), k):
                lost = [i for g in range(4) if g not in kept for i in groups[g]]
                least = min(least, np.sum(v[lost] ** 2))
            assert np.sum((x - v) ** 2) == pytest.approx(least, abs=1e-12)
            assert np.all((x == v) | (x == 0))


def test_group_top_k_shapes(rng):
    v = rng.standard_normal((3, N, 2))
    x = prox.project_group_top_k(v, 1, LABELS, axis=1)
    for i, j in itertools.product(range(3), range(2)):
        np.testing.assert_array_equal(x[i, :, j], prox.project_group_top_k(v[i, :, j], 1, LABELS))
    ties = prox.project_group_top_k([1.0, 1.0, 1.0, 1.0], 1, [1, 1, 0, 0])
    assert ties.tolist() == [0.0, 0.0, 1.0, 1.0]  # the lowest group number
    singles = np.arange(N)
    np.testing.assert_array_equal(
        prox.project_group_top_k(v, 2, singles, axis=1), prox.project_top_k(v, 2, axis=1)
    )
    assert prox.project_group_top_k(v.astype(np.complex64), 1, LABELS, axis=1).dtype == np.complex64
    assert prox.project_group_top_k([], 0, []).shape == (0,)
    assert prox.project_group_top_k(3.0, 1, [0]) == 3.0
    assert prox.project_group_top_k(np.float32([1, 2]), 1, [0, 1]).dtype == np.float32


@pytest.mark.parametrize(("n", "m"), [(0, 2), (1, 2), (2, 4), (3, 3), (1, 1)])
def test_n_m_is_the_nearest_of_all_patterns(n, m, rng):
    for _ in range(80):
        v = np.round(rng.standard_normal(m * 3), int(rng.integers(0, 3)))
        x = prox.project_n_m(v, n, m)
        for run, found in zip(v.reshape(-1, m), x.reshape(-1, m), strict=True):
            assert np.count_nonzero(found) <= n
            least = min(
                np.sum(np.delete(run, kept) ** 2) for kept in itertools.combinations(range(m), n)
            )
            assert np.sum((found - run) ** 2) == pytest.approx(least, abs=1e-14)


def test_n_m_shapes(rng):
    v = rng.standard_normal((3, 8, 5))
    x = prox.project_n_m(v, 2, 4, axis=1)
    for i, j in itertools.product(range(3), range(5)):
        np.testing.assert_array_equal(x[i, :, j], prox.project_n_m(v[i, :, j], 2, 4))
    np.testing.assert_array_equal(
        prox.project_n_m(v[0], 1, 8, axis=0), prox.project_top_k(v[0], 1, axis=0)
    )
    assert prox.project_n_m([1.0, 1.0, -1.0, 1.0], 2, 4).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert prox.project_n_m(np.complex64([1, 2j]), 1, 2).dtype == np.complex64
    assert prox.project_n_m(np.zeros((0, 4)), 2, 4).shape == (0, 4)
    assert prox.project_n_m(np.zeros((4, 0)), 2, 4).shape == (4, 0)
    assert prox.project_n_m(3.0, 1, 1) == 3.0


# ---------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: prox.group_linf([1.0, np.nan], 1, [0, 0]), ValueError, "v must be finite"),
        (lambda: prox.group_linf([1.0, 2.0], -1, [0, 0]), ValueError, "lam"),
        (lambda: prox.group_linf([1.0, 2.0], 1, [0, 0], [-1]), ValueError, "weights"),
        (lambda: prox.group_linf([1.0, 2.0], 1, [[0, 1], [1]]), ValueError, "index 1 .*twice"),
        (lambda: prox.group_linf([1.0, 2.0], 1, [0, 0], step=0), ValueError, "step"),
        (lambda: prox.sparse_group([1.0, np.nan], 1, 1, [0, 0]), ValueError, "v must"),
        (lambda: prox.sparse_group([1.0, 2.0], -1, 1, [0, 0]), ValueError, "lam_l1"),
        (lambda: prox.sparse_group([1.0, 2.0], [1.0], 1, [0, 0]), ValueError, "lam_l1"),
        (lambda: prox.sparse_group([1.0, 2.0], 1, -1, [0, 0]), ValueError, "lam_group"),
        (lambda: prox.sparse_group([1.0, 2.0], 1, 1, [0]), ValueError, "groups"),
        (lambda: prox.tree_groups([1.0, np.inf], 1, [[0, 1]]), ValueError, "v must be finite"),
        (
            lambda: prox.tree_groups(np.ones(3), 1, [[0, 1], [1, 2]]),
            ValueError,
            r"nested or disjoint: groups\[0\] and groups\[1\] overlap",
        ),
        (
            lambda: prox.tree_groups(np.ones(4), 1, [[0, 1], [0, 1, 2], [1, 2, 3]]),
            ValueError,
            "nested or disjoint",
        ),
        (lambda: prox.tree_groups(np.ones(2), 1, [[0, 2]]), ValueError, "groups.0. must index"),
        (lambda: prox.tree_groups(np.ones(2), 1, [[0, 0]]), ValueError, "groups.0. must not hold"),
        (lambda: prox.tree_groups(np.ones(2), 1, [[-1]]), ValueError, "groups.0. must hold"),
        (lambda: prox.tree_groups(np.ones(2), 1, [[0.5]]), TypeError, "groups.0. must be a list"),
        (lambda: prox.tree_groups(np.ones(2), 1, 3), TypeError, "groups must be a list"),
        (lambda: prox.tree_groups(np.ones(2), 1, [[0]], [1, 1]), ValueError, "weights must have"),
        (lambda: prox.tree_groups(np.ones(2), 1, [[0]], [-1]), ValueError, "weights"),
        (lambda: prox.tree_groups(np.ones(2), 1, [[0]], "size"), ValueError, "weights"),
        (lambda: prox.latent_group([1.0, np.nan], 1, [[0, 1]]), ValueError, "v must be finite"),
        (lambda: prox.latent_group([1.0, 2.0], 1, [[0]]), ValueError, "index 1 is in none"),
        (lambda: prox.latent_group([1.0, 2.0], 1, [[0, 2]]), ValueError, "groups must index"),
        (lambda: prox.latent_group([1.0, 2.0], 1, [[0, 1]], tol=0), ValueError, "tol"),
        (lambda: prox.latent_group([1.0, 2.0], 1, [[0, 1]], max_iter=0), ValueError, "max_iter"),
        (lambda: prox.group_lq([1.0, 2.0], 1, 1.5, [0, 0]), ValueError, "q"),
        (lambda: prox.group_lq([1.0, 2.0], np.inf, 0.5, [0, 0]), ValueError, "lam"),
        (lambda: prox.group_lq([1.0, 2.0], 1, 0.5, [0, 0], [np.inf]), ValueError, "weights"),
        (lambda: prox.group_lq([1.0, np.nan], 1, 0.5, [0, 0]), ValueError, "v must be finite"),
        (lambda: prox.group_mcp([1.0, 2.0], 1, 0.0, [0, 0]), ValueError, "gamma"),
        (lambda: prox.group_mcp([1.0, 2.0], 1, np.inf, [0, 0]), ValueError, "gamma"),
        (lambda: prox.group_scad([1.0, 2.0], 1, 2.0, [0, 0]), ValueError, "gamma must be > 2"),
        (lambda: prox.group_log_sum([1.0, 2.0], 1, 0.0, [0, 0]), ValueError, "eps"),
        (lambda: prox.project_group_top_k([1.0, np.nan], 1, [0, 1]), ValueError, "v must be"),
        (lambda: prox.project_group_top_k([1.0, 2.0], 2, [0, 0]), ValueError, "k must be between"),
        (lambda: prox.project_group_top_k([1.0, 2.0], 1.0, [0, 0]), TypeError, "k must be"),
        (lambda: prox.project_n_m([1.0, 2.0, 3.0], 1, 2), ValueError, "v must have a multiple"),
        (lambda: prox.project_n_m([1.0, 2.0], 3, 2), ValueError, "n must be between 0 and 2"),
        (lambda: prox.project_n_m([1.0, 2.0], 1, 0), ValueError, "m must be at least 1"),
        (lambda: prox.project_n_m([1.0, np.nan], 1, 2), ValueError, "v must not contain NaN"),
        (lambda: prox.project_n_m([1.0, 2.0], 1.0, 2), TypeError, "n must be an integer"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_empty_and_zero_dimensional():
    for function in (prox.group_linf, prox.tree_groups, prox.latent_group):
        assert function([], 1.0, []).shape == (0,)
    assert prox.sparse_group([], 1.0, 1.0, []).shape == (0,)
    assert prox.group_lq([], 1.0, 0.5, []).shape == (0,)
    assert prox.group_linf(-3.0, 1.0, [0]) == -2.0
    assert prox.sparse_group(-3.0, 1.0, 1.0, [0]) == -1.0
    assert prox.tree_groups(-3.0, 1.0, [[0]]) == -2.0
    assert prox.latent_group(-3.0, 1.0, [[0]]) == -2.0
    assert prox.group_mcp(-9.0, 1.0, 2.0, [0]) == -9.0


# ---------------------------------------------------------------------------------------------
# Torch

CALLS = {
    "group_linf": lambda w: prox.group_linf(w, 0.7, LABELS, W),
    "group_linf axis": lambda w: prox.group_linf(w.T, 0.7, LABELS, axis=1).T,
    "sparse_group": lambda w: prox.sparse_group(w, L1, 0.7, LABELS, W),
    "tree_groups": lambda w: prox.tree_groups(w, 0.4, TREE),
    "group_lq": lambda w: prox.group_lq(w, 0.7, 0.5, LABELS, "sqrt"),
    "group_lq third": lambda w: prox.group_lq(w, 0.7, 0.3, LABELS),
    "group_mcp": lambda w: prox.group_mcp(w, 0.7, 2.5, LABELS),
    "group_scad": lambda w: prox.group_scad(w, 0.7, 2.5, LABELS),
    "group_log_sum": lambda w: prox.group_log_sum(w, 0.7, 0.9, LABELS),
    "group_top_k": lambda w: prox.project_group_top_k(w, 2, LABELS),
    "n_m": lambda w: prox.project_n_m(w, 1, 2, axis=1),
}


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CALLS)
def test_torch(name, rng):
    torch = require("torch")
    call = CALLS[name]
    v = rng.standard_normal((N, 4)) * 2
    expected = call(v)
    assert np.any(expected != 0)
    for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 1e-6)]:
        for grad in (False, True):
            w = torch.tensor(v, dtype=dtype, requires_grad=grad)
            before = w.detach().clone()
            x = call(w)
            assert x.dtype == dtype
            assert x.requires_grad == grad
            np.testing.assert_allclose(x.detach().numpy(), expected, rtol=tol, atol=5 * tol)
            assert torch.equal(w.detach(), before)
    assert torch.autograd.gradcheck(call, (torch.tensor(v, requires_grad=True),))
    z = torch.tensor(v * (1 + 2j), requires_grad=True)
    np.testing.assert_allclose(call(z).detach(), call(v * (1 + 2j)), rtol=1e-12, atol=1e-13)
    for grad in (False, True):
        with pytest.raises(ValueError, match="v must"):
            call(torch.full((N, 4), np.nan, requires_grad=grad))
    zero = torch.zeros(N, 4, requires_grad=True)
    call(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


@pytest.mark.extras
def test_torch_latent_group(rng):
    torch = require("torch")
    v = rng.standard_normal((N, 2)) * 2
    x = prox.latent_group(torch.tensor(v), 0.7, OVERLAP)
    assert isinstance(x, torch.Tensor)
    np.testing.assert_array_equal(x.numpy(), prox.latent_group(v, 0.7, OVERLAP))
    with pytest.raises(TypeError, match="must not require a gradient"):
        prox.latent_group(torch.tensor(v, requires_grad=True), 0.7, OVERLAP)
