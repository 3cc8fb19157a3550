"""The group envelope, the k-support norm and their conjugates against independent oracles."""

import itertools

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import penalties, prox
from sparseopt.prox._clipped_root import clipped_root
from sparseopt.prox._group_envelope import solve_alpha

finite = st.floats(-1e3, 1e3)


def random_case(rng):
    """Groups, weights, costs (or none), a budget and a strength."""
    m = rng.integers(1, 7)
    labels = rng.permutation(np.repeat(np.arange(m), rng.integers(1, 4, m)))
    v = np.round(rng.standard_normal(labels.size) * 3, rng.integers(0, 5))  # some ties and zeros
    weights = rng.uniform(0.2, 3, m) if rng.random() < 0.6 else None
    costs = rng.uniform(0.5, 2, m) if rng.random() < 0.4 else None
    k = int(rng.integers(1, m + 1)) if costs is None else rng.uniform(0.1, 1.1) * costs.sum()
    return labels, v, weights, costs, k, float(10 ** rng.uniform(-2, 2))


def group_norm(v, labels):
    return np.sqrt(np.bincount(labels, np.abs(v) ** 2))


def shares_by_sorting(r, d, c, budget, s):
    """The shares by walking through all sorted breakpoints."""
    if c[r > 0].sum() <= budget:
        return (r > 0).astype(float)
    t = r * np.sqrt(d / c)
    there = t > 0

    def phi(alpha):
        return np.sum(c * np.clip(alpha * t - s * d, 0, 1))

    points = np.sort(
        np.concatenate(
            [(s * d / np.where(there, t, 1))[there], ((1 + s * d) / np.where(there, t, 1))[there]]
        )
    )
    values = np.array([phi(p) for p in points])
    i = int(np.searchsorted(values, budget))
    i = min(max(i, 1), points.size - 1)
    rise = values[i] - values[i - 1]
    share = (budget - values[i - 1]) / rise if rise > 0 else 1.0
    alpha = points[i - 1] + share * (points[i] - points[i - 1])
    return np.clip(alpha * t - s * d, 0, 1)


def prox_by_sorting(v, s, labels, k, weights, costs):
    m = labels.max() + 1
    d = np.ones(m) if weights is None else weights
    c = np.ones(m) if costs is None else costs
    u = shares_by_sorting(group_norm(v, labels), d, c, k, s)
    return v * (u / (u + s * d))[labels]


def k_support_squared(x, k):
    """Half the square of the norm, by the closed formula of Argyriou, Foygel and Srebro."""
    a = np.append(np.inf, np.sort(np.abs(x))[::-1])  # a[0] = inf
    for r in range(k):
        mean = a[k - r :].sum() / (r + 1)
        if a[k - r - 1] > mean >= a[k - r]:
            return 0.5 * (np.sum(a[1 : k - r] ** 2) + (r + 1) * mean**2)
    raise AssertionError("no r")


# ---------------------------------------------------------------------------------------------
# The root search


def test_clipped_root_against_the_sum(rng):
    for turn in range(600):
        n = rng.integers(1, 12)
        low, slope = np.round(rng.standard_normal(n), 1), rng.uniform(0.1, 3, n)
        cap = rng.uniform(0.1, 2, n)
        base = float(turn % 2)
        level = float(rng.uniform(0.01, 1) * cap.sum() if base == 0 else 4 * rng.standard_normal())
        if turn % 3 == 0:
            cap[rng.random(n) < 0.4] = np.inf
        a = clipped_root(low.copy(), slope.copy(), cap.copy(), np.empty(n), n, base, level)
        reached = base * a + np.clip(slope * (a - low), 0, cap).sum()
        assert reached == pytest.approx(level, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("share", [1e-4, 0.1, 0.5, 0.999])
def test_many_ramps_are_found_by_sampling(share, rng):
    n = 60_000
    slope = np.abs(rng.standard_normal(n)) + 1e-9
    low, cap = 0.1 / slope, np.ones(n)
    level = share * n
    a = clipped_root(low.copy(), slope.copy(), cap.copy(), np.empty(n), n, 0.0, level)
    assert np.clip(slope * (a - low), 0, cap).sum() == pytest.approx(level, rel=1e-12)
    sorted_ones = np.sort(slope)
    b = clipped_root(0.1 / sorted_ones, sorted_ones.copy(), cap.copy(), np.empty(n), n, 0.0, level)
    assert a == pytest.approx(b, rel=1e-13)


def test_flat_stretches_give_the_left_end():
    low, one = np.array([0.0, 5.0]), np.ones(2)
    assert clipped_root(low.copy(), one.copy(), one.copy(), np.empty(2), 2, 0.0, 1.0) == 1.0
    assert clipped_root(low.copy(), one.copy(), one.copy(), np.empty(2), 2, 0.0, 2.0) == 6.0
    assert clipped_root(low.copy(), one.copy(), one.copy(), np.empty(2), 2, 0.0, 3.0) == 6.0
    bad = np.array([np.nan, 1.0])
    assert np.isnan(clipped_root(bad, one.copy(), one.copy(), np.empty(2), 2, 0.0, 1.0))


# ---------------------------------------------------------------------------------------------
# Value and prox


def test_prox_against_sorted_breakpoints(rng):
    for _ in range(500):
        labels, v, weights, costs, k, s = random_case(rng)
        x = prox.group_envelope(v, s / 0.7, labels, k, weights=weights, costs=costs, step=0.7)
        np.testing.assert_allclose(
            x, prox_by_sorting(v, s, labels, k, weights, costs), rtol=1e-9, atol=1e-11
        )


def test_prox_satisfies_the_optimality_conditions(rng):
    for _ in range(400):
        labels, v, weights, costs, k, s = random_case(rng)
        f = penalties.GroupEnvelope(s, labels, k, weights, costs)
        x = f.prox(v)
        assert np.max(f.subdiff_distance(x, x - v)) < 1e-9 * (1 + np.abs(v).max()) * (1 + s)
        y = v - x  # a subgradient at x
        assert f.value(x) + f.conjugate(y) == pytest.approx(x @ y, rel=1e-9, abs=1e-11)
        other = v * rng.random(v.size)
        assert 0.5 * np.sum((x - v) ** 2) + f.value(x) <= 0.5 * np.sum((other - v) ** 2) + f.value(
            other
        ) + 1e-11 * (1 + s) * (v @ v)


def test_value_is_the_closed_formula_and_dual_to_the_conjugate(rng):
    for _ in range(200):
        n = int(rng.integers(1, 9))
        k = int(rng.integers(1, n + 1))
        x = np.round(rng.standard_normal(n) * 3, 1)
        f = penalties.GroupEnvelope(1.0, None, k)
        assert f.value(x) == pytest.approx(k_support_squared(x, k), rel=1e-12, abs=1e-14)
        assert penalties.KSupport(2.0, k).value(x) == pytest.approx(
            2 * np.sqrt(2 * k_support_squared(x, k)), rel=1e-12, abs=1e-14
        )
        y = f.gradient(x)
        assert f.value(x) == pytest.approx(x @ y - f.conjugate(y), rel=1e-12, abs=1e-14)
        for z in rng.standard_normal((20, n)) * 3:
            assert x @ z - f.conjugate(z) <= f.value(x) + 1e-12
    x = np.array([1.0, -2.0, 3.0, 0.0])
    assert penalties.GroupEnvelope(1.0, None, 1).value(x) == pytest.approx(0.5 * 6**2)
    assert penalties.GroupEnvelope(1.0, None, 4).value(x) == pytest.approx(0.5 * 14)
    assert penalties.GroupEnvelope(3.0, None, 3).value(x) == pytest.approx(1.5 * 14)
    zero = penalties.GroupEnvelope(1.0, None, 0)
    assert zero.value(x) == np.inf
    assert zero.value(0 * x) == 0.0
    assert zero.conjugate(x) == 0.0
    assert not prox.group_envelope(x, 1.0, None, 0).any()


def test_conjugate_by_enumeration(rng):
    for _ in range(60):
        labels, y, weights, costs, k, s = random_case(rng)
        f = penalties.GroupEnvelope(s, labels, k, weights, costs)
        m = labels.max() + 1
        d = np.ones(m) if weights is None else weights
        c = np.ones(m) if costs is None else costs
        gains = group_norm(y, labels) ** 2 / d
        best = 0.0  # the linear programme has a vertex with at most one share in (0, 1)
        for u in itertools.product([0, 1], repeat=int(m)):
            u = np.array(u)
            room = k - c @ u
            if room >= 0:
                more = np.where(u == 0, gains * np.clip(room / c, 0, 1), 0)
                best = max(best, gains @ u + more.max(initial=0))
        assert f.conjugate(y) == pytest.approx(best / (2 * s), rel=1e-12, abs=1e-14)
        assert f.dual_gauge(y) == pytest.approx(np.sqrt(best), rel=1e-12)
        assert f.gauge(y) == pytest.approx(np.sqrt(2 * f.value(y) / s), rel=1e-12)


def test_special_budgets(rng):
    v = rng.standard_normal(6)
    labels = [0, 1, 0, 2, 2, 2]
    d = np.array([0.5, 2.0, 1.0])
    x = prox.group_envelope(v, 0.6, labels, 3, weights=d, step=0.5)
    np.testing.assert_allclose(x, v / (1 + 0.3 * d[labels]), rtol=1e-14)
    np.testing.assert_array_equal(prox.group_envelope(v, 0.0, labels, 1), v)
    x = prox.group_envelope(v, 1.0, labels, 3, weights=[0.0, np.inf, 1.0])
    np.testing.assert_allclose(x, v * np.array([1, 0, 1, 0.5, 0.5, 0.5]), rtol=1e-14)
    f = penalties.GroupEnvelope(1.0, labels, 2, [0.0, np.inf, 1.0])
    assert f.value(v) == np.inf
    assert f.value(v * (np.array(labels) != 1)) == pytest.approx(0.5 * np.sum(v[3:] ** 2))
    assert prox.group_envelope([], 1.0, [], 0).shape == (0,)
    assert prox.group_envelope(2.0, 1.0, None, 1) == 1.0
    assert not prox.group_envelope(np.zeros(4), 1.0, None, 2).any()
    np.testing.assert_allclose(
        prox.group_envelope(v, 1.0, labels, 3, weights="sqrt"),
        v / (1 + np.sqrt([2, 1, 3]))[labels],
    )


def test_ties_share_the_budget():
    np.testing.assert_allclose(prox.group_envelope([1.0, 1.0], 1.0, None, 1), [1 / 3, 1 / 3])


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-30, 1e30, 1e150, 1e300])
def test_huge_and_tiny(scale, rng):
    v = rng.standard_normal(12)
    labels = np.repeat(np.arange(4), 3)
    expected = prox.group_envelope(v, 0.5, labels, 2)
    np.testing.assert_allclose(
        prox.group_envelope(scale * v, 0.5, labels, 2), scale * expected, rtol=1e-10
    )
    np.testing.assert_allclose(
        prox.k_support(scale * v, 0.5 * scale, 5), scale * prox.k_support(v, 0.5, 5), rtol=1e-9
    )
    np.testing.assert_allclose(
        prox.top_k_squared(scale * v, 0.5, 5), scale * prox.top_k_squared(v, 0.5, 5), rtol=1e-12
    )


# ---------------------------------------------------------------------------------------------
# How many groups stay


def test_exactly_k_groups_from_a_known_step_on(rng):
    for _ in range(200):
        m = int(rng.integers(2, 8))
        k = int(rng.integers(1, m))
        v = rng.standard_normal(m)
        r = np.sort(np.abs(v))[::-1]
        lam = rng.uniform(0.2, 3)
        f = penalties.GroupEnvelope(lam, None, k)
        needed = r[k] / (r[k - 1] - r[k]) / lam
        assert f.step_for_exact_k(v) == pytest.approx(needed, rel=1e-10)
        above = f.prox(v, needed * 1.001)
        assert np.count_nonzero(above) == k
        np.testing.assert_allclose(
            above, prox.project_top_k(v, k) / (1 + lam * needed * 1.001), rtol=1e-12
        )
        assert np.count_nonzero(f.prox(v, needed * 0.999)) > k
        low, high = f.certificate(v, needed * 0.999), f.certificate(v, needed * 1.001)
        assert (low.exact, high.exact) == (False, True)
        assert high.kept == k < low.kept
        np.testing.assert_array_equal(
            prox.group_envelope(v, lam, None, k, step=needed * 1.001, debias=True),
            prox.project_top_k(v, k),
        )


def test_certificate_with_weights_and_costs(rng):
    found = 0
    for _ in range(300):
        labels, v, weights, _, _, _ = random_case(rng)
        m = labels.max() + 1
        costs = rng.integers(1, 4, m).astype(float)
        budget = float(rng.integers(1, costs.sum() + 1))
        f = penalties.GroupEnvelope(0.7, labels, budget, weights, costs)
        needed = f.step_for_exact_k(v)
        d = np.ones(m) if weights is None else weights
        norms = group_norm(v, labels)
        for step in (needed * (1 - 1e-6), needed * (1 + 1e-6), 1e6):
            if not 0 < step < np.inf:
                continue
            u = shares_by_sorting(norms, d, costs, budget, 0.7 * step)
            binary = bool(np.all(np.minimum(u, 1 - u) < 1e-9 * (1 + step)))
            assert f.certificate(v, step).exact == binary
            found += 1
    assert found > 100
    assert penalties.GroupEnvelope(1.0, None, 1).step_for_exact_k([1.0, 1.0]) == np.inf
    assert penalties.GroupEnvelope(1.0, None, 2).step_for_exact_k([1.0, 0.0, 1.0]) == 0.0
    batch = penalties.GroupEnvelope(1.0, None, 1).certificate(np.array([[3.0, 1.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(batch.kept, [1, 2])
    np.testing.assert_array_equal(batch.exact, [True, False])
    np.testing.assert_array_equal(batch.step_needed, [0.5, np.inf])


# ---------------------------------------------------------------------------------------------
# k-support norm and its relatives


def test_k_support_satisfies_the_optimality_conditions(rng):
    for _ in range(500):
        n = int(rng.integers(1, 25))
        k = int(rng.integers(1, n + 1))
        v = np.round(rng.standard_normal(n) * 10 ** rng.uniform(-2, 2), 2)
        s = 10 ** rng.uniform(-3, 2)
        f = penalties.KSupport(s, k)
        x = prox.k_support(v, s, k)
        y = v - x
        size = max(np.abs(v).max(), 1e-300)
        if x.any():
            assert f.dual_norm(y) == pytest.approx(1, rel=1e-10, abs=1e-14 * size / s)
        else:
            assert f.dual_norm(v) <= 1 + 1e-12
        assert f.value(x) == pytest.approx(x @ y, rel=1e-9, abs=1e-11 * size * s)
        assert np.max(f.subdiff_distance(x, x - v)) <= 1e-7 * (size + s)


def test_k_support_special_cases(rng):
    v = rng.standard_normal(8) * 3
    np.testing.assert_allclose(prox.k_support(v, 0.7, 1, step=0.5), prox.l1(v, 0.35), atol=1e-13)
    norm = np.linalg.norm(v)
    np.testing.assert_allclose(prox.k_support(v, 0.7, 8), v * (1 - 0.7 / norm), rtol=1e-12)
    np.testing.assert_array_equal(prox.k_support(v, 0.0, 3), v)
    assert not prox.k_support(v, 1e9, 3).any()
    assert not prox.k_support(np.zeros(4), 1.0, 2).any()
    assert prox.k_support([], 1.0, 0).shape == (0,)
    assert prox.k_support(3.0, 1.0, 1) == pytest.approx(2.0)
    assert penalties.KSupport(1.0, 1).value(v) == pytest.approx(np.abs(v).sum())
    assert penalties.KSupport(1.0, 50).value(v) == pytest.approx(norm)


def test_moreau_identity(rng):
    for _ in range(100):
        n = int(rng.integers(1, 20))
        k = int(rng.integers(1, n + 1))
        v, s = rng.standard_normal(n) * 3, 10 ** rng.uniform(-2, 2)
        whole = prox.group_envelope(v, 1.0, None, k, step=s) + s * prox.top_k_squared(
            v / s, 1.0, k, step=1 / s
        )
        np.testing.assert_allclose(whole, v, rtol=1e-10, atol=1e-10)


def test_top_k_squared(rng):
    v = rng.standard_normal(7)
    np.testing.assert_allclose(prox.top_k_squared(v, 0.6, 7, step=0.5), v / 1.3, rtol=1e-14)
    np.testing.assert_array_equal(prox.top_k_squared(v, 0.6, 0), v)
    np.testing.assert_array_equal(prox.top_k_squared(v, 0.0, 3), v)
    f = penalties.TopKSquared(0.8, 3)
    assert f.value(v) == pytest.approx(0.4 * np.sum(np.sort(v**2)[-3:]))
    for _ in range(100):
        v = rng.standard_normal(7) * 2
        x = f.prox(v, 1.5)
        y = (v - x) / 1.5
        assert f.value(x) + f.conjugate(y) == pytest.approx(x @ y, rel=1e-12)


@given(
    st.lists(finite, min_size=6, max_size=6),
    st.lists(finite, min_size=6, max_size=6),
    st.integers(1, 3),
    st.floats(1e-3, 1e3),
)
def test_firm_nonexpansiveness(v, w, k, s):
    v, w = np.array(v), np.array(w)
    labels = [0, 1, 0, 2, 2, 2]
    size = 1 + max(v @ v, w @ w)
    for call in (
        lambda z: prox.group_envelope(z, s, labels, k),
        lambda z: prox.k_support(z, s, k),
        lambda z: prox.top_k_squared(z, s, k),
    ):
        d = call(v) - call(w)
        assert d @ d <= d @ (v - w) + 1e-11 * size


# ---------------------------------------------------------------------------------------------
# Shapes, dtypes, libraries, errors

LABELS = [1, 0, 1, 2, 2, 0]
CALLS = [
    lambda w, axis: prox.group_envelope(w, 0.7, LABELS, 2, axis=axis),
    lambda w, axis: prox.group_envelope(
        w, 0.7, LABELS, 2.5, weights=[1.0, 2.0, 0.5], costs=[1.0, 2.0, 1.5], axis=axis
    ),
    lambda w, axis: prox.group_envelope(w, 2.0, None, 3, axis=axis),
    lambda w, axis: prox.k_support(w, 0.7, 2, axis=axis),
    lambda w, axis: prox.top_k_squared(w, 0.7, 2, axis=axis),
]
calls = pytest.mark.parametrize("call", CALLS)


@calls
def test_batch_equals_loop(call, rng):
    v = rng.standard_normal((4, 6, 5)) * 2
    before = v.copy()
    x = call(v, 1)
    for i in range(4):
        for j in range(5):
            np.testing.assert_allclose(x[i, :, j], call(v[i, :, j], 0), rtol=1e-13)
    np.testing.assert_array_equal(call(np.asfortranarray(v), -2), x)
    np.testing.assert_array_equal(v, before)


@calls
def test_dtypes(call, rng):
    v = rng.standard_normal(6) * 2
    x = call(v, 0)
    single = call(v.astype(np.float32), 0)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, x, rtol=1e-5, atol=1e-6)
    z = v * np.exp(1j * rng.uniform(0, 7, 6))
    np.testing.assert_allclose(call(z, 0), x * z / v, rtol=1e-12, atol=1e-14)
    assert call(np.arange(6), 0).dtype == np.float64


def test_out_and_steps_per_column(rng):
    V = rng.standard_normal((6, 4))
    x = prox.group_envelope(V, 0.7, LABELS, 2)
    out = np.empty_like(V)
    assert prox.group_envelope(V, 0.7, LABELS, 2, out=out) is out
    np.testing.assert_array_equal(out, x)
    steps = np.array([0.1, 0.5, 1.0, 3.0])
    for f in (
        penalties.GroupEnvelope(0.7, LABELS, 2),
        penalties.KSupport(0.7, 2),
        penalties.TopKSquared(0.7, 2),
    ):
        np.testing.assert_allclose(
            f.prox(V, steps),
            np.array([f.prox(c, s) for c, s in zip(V.T, steps, strict=True)]).T,
            rtol=1e-13,
        )
        for method in (f.value, f.conjugate):
            np.testing.assert_allclose(method(V), [method(c) for c in V.T], rtol=1e-13)


def test_nan_is_refused_at_the_door_and_not_hidden_inside():
    f = penalties.GroupEnvelope(1.0, None, 1)
    assert np.isnan(f.prox([np.nan, 1.0, 2.0])[0])
    assert np.isnan(penalties.KSupport(1.0, 1).prox([np.nan, 1.0])).any()
    assert np.isnan(f.value([np.nan, 1.0, 2.0]))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: prox.group_envelope([1.0, np.nan], 1, None, 1), ValueError, "v must be finite"),
        (lambda: prox.group_envelope([1.0, 2.0], -1, None, 1), ValueError, "lam"),
        (lambda: prox.group_envelope([1.0, 2.0], np.inf, None, 1), ValueError, "lam must be fin"),
        (lambda: prox.group_envelope([1.0, 2.0], 1, None, 3), ValueError, "k must be between"),
        (lambda: prox.group_envelope([1.0, 2.0], 1, None, -1), ValueError, "k must be between"),
        (lambda: prox.group_envelope([1.0, 2.0], 1, None, 1.0), TypeError, "k must be an int"),
        (lambda: prox.group_envelope([1.0], 1, None, 0.0, costs=[1.0]), ValueError, "k must be"),
        (lambda: prox.group_envelope([1.0], 1, None, 1, costs=[0.0]), ValueError, "costs"),
        (lambda: prox.group_envelope([1.0], 1, None, 1, costs=[1, 1]), ValueError, "costs"),
        (lambda: prox.group_envelope([1.0], 1, None, 1, weights=[-1]), ValueError, "weights"),
        (lambda: prox.group_envelope([1.0], 1, None, 1, weights=[1, 1]), ValueError, "weights"),
        (lambda: prox.group_envelope([1.0], 1, [0, 0], 1), ValueError, "groups"),
        (lambda: prox.group_envelope([1.0], 1, None, 1, step=0), ValueError, "step"),
        (lambda: prox.group_envelope([1.0], 1, None, 1, axis=1), ValueError, "axis"),
        (lambda: prox.k_support([1.0], 1, 0), ValueError, "k must be between"),
        (lambda: prox.k_support([1.0], 1, 2), ValueError, "k must be between"),
        (lambda: prox.k_support([np.inf], 1, 1), ValueError, "v must be finite"),
        (lambda: prox.top_k_squared([1.0], -1, 1), ValueError, "lam"),
        (lambda: prox.top_k_squared([1.0], 1, True), TypeError, "k must be an integer"),
        (lambda: penalties.GroupEnvelope(1, [0, 0, 1], 3), ValueError, "k must be between"),
        (lambda: penalties.GroupEnvelope(-1, None, 3), ValueError, "lam"),
        (lambda: penalties.GroupEnvelope(1, None, 3).prox(np.ones(2)), ValueError, "k must be"),
        (lambda: penalties.KSupport(1, 0), ValueError, "k must be"),
        (lambda: penalties.TopKSquared(1, -1), ValueError, "k must be"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.extras
def test_cvxpy(rng):
    cp = require("cvxpy")
    for _ in range(25):
        labels, v, weights, costs, k, s = random_case(rng)
        s = np.clip(s, 0.05, 10)
        n, m = v.size, labels.max() + 1
        d = np.ones(m) if weights is None else weights
        c = np.ones(m) if costs is None else costs
        x, u = cp.Variable(n), cp.Variable(m)
        f = sum(d[g] / 2 * cp.quad_over_lin(x[np.flatnonzero(labels == g)], u[g]) for g in range(m))
        limits = [u >= 0, u <= 1, c @ u <= k]
        best = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + s * f), limits)
        best.solve(solver="CLARABEL")
        found = prox.group_envelope(v, s, labels, k, weights=weights, costs=costs)
        value = penalties.GroupEnvelope(s, labels, k, weights, costs).value(found)
        ours = 0.5 * np.sum((found - v) ** 2) + value
        assert ours <= best.value + 1e-6
        np.testing.assert_allclose(found, x.value, atol=2e-4)  # the accuracy of the peer
    for _ in range(15):
        n = int(rng.integers(2, 10))
        k = int(rng.integers(1, n + 1))
        v, s = rng.standard_normal(n) * 2, rng.uniform(0.1, 2)
        x = cp.Variable(n)
        squares = cp.sum_largest(cp.square(x), k)
        cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.5 * s * squares)).solve(
            solver="CLARABEL"
        )
        np.testing.assert_allclose(prox.top_k_squared(v, s, k), x.value, atol=2e-4)
        ball = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v)), [squares <= s * s])
        ball.solve(solver="CLARABEL")
        np.testing.assert_allclose(v - prox.k_support(v, s, k), x.value, atol=2e-4)


@pytest.mark.extras
def test_as_cvxpy(rng):
    cp = require("cvxpy")
    for f in (
        penalties.GroupEnvelope(0.7, LABELS, 2, [1.0, 2.0, 0.5]),
        penalties.GroupEnvelope(0.7, None, 2.5, None, np.arange(1.0, 7)),
        penalties.KSupport(0.7, 2),
        penalties.TopKSquared(0.7, 2),
    ):
        v = rng.standard_normal(6) * 2
        x = cp.Variable(6)
        expression = f.as_cvxpy(x)
        assert expression.is_convex()
        problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + 0.6 * expression))
        problem.solve(solver="CLARABEL")
        np.testing.assert_allclose(f.prox(v, 0.6), x.value, atol=2e-4)
        V, X = rng.standard_normal((6, 2)), cp.Variable((6, 2))
        batch = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - V) + f.as_cvxpy(X)))
        batch.solve(solver="CLARABEL")
        np.testing.assert_allclose(f.prox(V), X.value, atol=2e-4)
        assert expression.value == pytest.approx(f.value(x.value), rel=1e-4)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
@calls
def test_torch(call, rng):
    torch = require("torch")
    v = rng.standard_normal((6, 3)) * 2
    expected = call(v, 0)
    for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 1e-6)]:
        for grad in (False, True):
            w = torch.tensor(v, dtype=dtype, requires_grad=grad)
            x = call(w, 0)
            assert x.dtype == dtype
            assert x.requires_grad == grad
            np.testing.assert_allclose(x.detach().numpy(), expected, rtol=tol, atol=tol)
    w = torch.tensor(v, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: call(t, 0), (w,))


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
def test_torch_values(rng):
    torch = require("torch")
    v = rng.standard_normal((6, 3)) * 2
    for f in (
        penalties.GroupEnvelope(0.7, LABELS, 2, [1.0, 2.0, 0.5]),
        penalties.GroupEnvelope(0.7, None, 2),
        penalties.KSupport(0.7, 2),
        penalties.TopKSquared(0.7, 2),
    ):
        for u in (v, v[:, 0]):
            w = torch.tensor(u, requires_grad=True)
            np.testing.assert_allclose(f.value(w).detach(), f.value(u), rtol=1e-12)
            assert torch.autograd.gradcheck(f.value, (w,))
            np.testing.assert_allclose(f.value(w.detach()), f.value(u), rtol=1e-12)
    f = penalties.GroupEnvelope(0.7, LABELS, 2)
    np.testing.assert_allclose(f.gradient(torch.tensor(v)), f.gradient(v), rtol=1e-12)
    zero = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    f.value(zero).backward()
    assert torch.equal(zero.grad, torch.zeros(6, dtype=torch.float64))


def test_solve_alpha_uses_up_the_budget(rng):
    norms = np.abs(rng.standard_normal((50, 3)))
    weights, costs = rng.uniform(0.5, 2, 50), rng.uniform(0.5, 2, 50)
    alphas, shares = solve_alpha(norms, weights, costs, 12.5, np.array([0.0, 0.3, 50.0]))
    np.testing.assert_allclose(costs @ shares, 12.5, rtol=1e-12)
    t = norms[:, 0] * np.sqrt(weights / costs)
    np.testing.assert_allclose(shares[:, 0], np.minimum(alphas[0] * t, 1), rtol=1e-12)
