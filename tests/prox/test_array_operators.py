"""Operators on groups, fibres and ranks: group_l2, project_simplex, project_top_k."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import prox

finite = st.floats(-1e6, 1e6)
vectors = st.lists(finite, min_size=1, max_size=12)


def simplex_exactly(v, radius):
    """The sort-based formula in rational arithmetic."""
    u = sorted((Fraction(float(a)) for a in v), reverse=True)
    total, theta = Fraction(0), None
    for k, a in enumerate(u, 1):
        total += a
        if a > (total - Fraction(radius)) / k:
            theta = (total - Fraction(radius)) / k
    return np.array([float(max(Fraction(float(a)) - theta, 0)) for a in v])


def group_by_hand(v, threshold, members):
    x = np.array(v)
    for g, index in enumerate(members):
        if len(index):
            norm = np.linalg.norm(v[index])
            x[index] = 0 if norm <= threshold[g] else v[index] * (1 - threshold[g] / norm)
    return x


# ---------------------------------------------------------------------------------------------
# Simplex

ADVERSARIAL = {
    "sorted up": np.arange(200) / 10,
    "sorted down": np.arange(200)[::-1] / 10,
    "constant": np.full(200, 0.3),
    "all negative": -np.arange(1.0, 200),
    "zeros": np.zeros(50),
    "huge spread": np.array([1e300, -1e300, 1.0, 1e-300, -5.0, 1e300]),
    "largest": np.array([1.7e308, -1.7e308, 1.7e308]),
    "subnormal": np.array([5e-324, 1e-320, -1e-310, 2e-308, 0.0]),
    "far from zero": 1e12 + np.arange(50) / 64,
    "one outlier last": np.append(np.linspace(0, 1, 99), 50.0),
    "one outlier first": np.append(50.0, np.linspace(0, 1, 99)),
    "geometric": 2.0 ** np.arange(-30, 30),
    "geometric down": 2.0 ** -np.arange(-30, 30),
    "alternating": np.where(np.arange(101) % 2, 1.0, -1.0),
    "ties at the threshold": np.array([1.0, 0.5, 0.5, 0.5, 0.0]),
    "one": np.array([-3.0]),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("radius", [1e-300, 1e-12, 0.5, 1.0, 1e12, 1e300])
def test_simplex_against_exact_arithmetic(name, radius):
    v = ADVERSARIAL[name]
    before = v.copy()
    x = prox.project_simplex(v, radius)
    np.testing.assert_allclose(x, simplex_exactly(v, radius), rtol=1e-12, atol=1e-15 * radius)
    np.testing.assert_array_equal(v, before)
    assert x.min() >= 0
    assert x.sum() == pytest.approx(radius, rel=1e-12)


@given(vectors, st.floats(1e-12, 1e12))
def test_simplex_properties(v, radius):
    v = np.array(v)
    x = prox.project_simplex(v, radius)
    np.testing.assert_allclose(x, simplex_exactly(v, radius), rtol=1e-11, atol=1e-14 * radius)
    np.testing.assert_allclose(prox.project_simplex(x, radius), x, rtol=1e-12, atol=1e-14 * radius)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, -1.0, 1e9]), min_size=1, max_size=30))
def test_simplex_with_many_ties(v):
    np.testing.assert_allclose(prox.project_simplex(v), simplex_exactly(v, 1.0), atol=1e-15)


def test_simplex_axis_and_batch(rng):
    v = rng.standard_normal((3, 4, 5))
    for axis in (0, 1, 2, -1, -3):
        x = prox.project_simplex(v, 2.0, axis=axis)
        loop = np.apply_along_axis(lambda a: prox.project_simplex(a, 2.0), axis, v)
        np.testing.assert_array_equal(x, loop)
        np.testing.assert_array_equal(
            prox.project_simplex(np.asfortranarray(v), 2.0, axis=axis), loop
        )
    view = v[::2, ::-1, 1:]
    np.testing.assert_array_equal(
        prox.project_simplex(view, axis=1), prox.project_simplex(view.copy(), axis=1)
    )


def test_simplex_dtypes(rng):
    v = rng.standard_normal(300)
    x = prox.project_simplex(v.astype(np.float32))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, prox.project_simplex(v), rtol=1e-5, atol=1e-6)
    offset = prox.project_simplex((v / 8 + 1000).astype(np.float32))
    assert offset.sum(dtype=float) == pytest.approx(1.0, rel=1e-5)
    assert prox.project_simplex([3, 1, 2]).dtype == np.float64
    assert prox.project_simplex(np.float16([3, 1])).dtype == np.float32
    assert prox.project_simplex(3.0) == 1.0
    v.flags.writeable = False
    prox.project_simplex(v)


def test_simplex_empty():
    for shape, axis in [((0, 3), -1), ((3, 0), 0), ((2, 0, 3), 0)]:
        assert prox.project_simplex(np.zeros(shape), axis=axis).shape == shape
    for shape, axis in [((0,), -1), ((0, 3), 0), ((3, 0), 1)]:
        with pytest.raises(ValueError, match="v must not be empty"):
            prox.project_simplex(np.zeros(shape), axis=axis)


# ---------------------------------------------------------------------------------------------
# Top k


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_top_k_is_the_nearest_of_all_supports(n, rng):
    for _ in range(5):
        v = rng.standard_normal(n)
        for k in range(n + 1):
            x = prox.project_top_k(v, k)
            assert np.count_nonzero(x) <= k
            least = min(
                np.sum(np.delete(v, kept) ** 2) for kept in itertools.combinations(range(n), k)
            )
            assert np.sum((x - v) ** 2) == pytest.approx(least, abs=1e-14)
            assert set(x) <= {0.0, *v}


@given(
    st.lists(st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0]), min_size=1, max_size=15), st.data()
)
def test_top_k_ties_keep_the_lowest_index(v, data):
    k = data.draw(st.integers(0, len(v)))
    v = np.array(v)
    order = np.argsort(-np.abs(v), kind="stable")[:k]
    expected = np.zeros_like(v)
    expected[order] = v[order]
    np.testing.assert_array_equal(prox.project_top_k(v, k), expected)


def test_top_k_axis_and_batch(rng):
    v = rng.integers(-3, 4, (4, 5, 6)).astype(float)
    for axis in (0, 1, 2, -1):
        for k in (0, 1, 3, v.shape[axis]):
            x = prox.project_top_k(v, k, axis=axis)
            loop = np.apply_along_axis(prox.project_top_k, axis, v, k)
            np.testing.assert_array_equal(x, loop)
    before = v.copy()
    prox.project_top_k(v[::2, ::-1], 1)
    np.testing.assert_array_equal(v, before)


def test_top_k_dtypes_and_shapes():
    z = np.array([3 + 4j, 4.9, -6j], np.complex64)
    x = prox.project_top_k(z, 2)
    np.testing.assert_array_equal(x, [3 + 4j, 0, -6j])
    assert x.dtype == np.complex64
    assert prox.project_top_k(np.float32([1, 2]), 1).dtype == np.float32
    assert prox.project_top_k([1, 2], 1).dtype == np.float64
    assert prox.project_top_k([1, 2], np.int64(1)).tolist() == [0, 2]
    np.testing.assert_array_equal(prox.project_top_k([1, np.inf, -np.inf], 1), [0, np.inf, 0])
    assert prox.project_top_k([], 0).shape == (0,)
    assert prox.project_top_k(np.zeros((0, 3)), 2).shape == (0, 3)
    assert prox.project_top_k(np.zeros((3, 0)), 0).shape == (3, 0)
    assert prox.project_top_k(3.0, 1) == 3.0
    assert prox.project_top_k(3.0, 0) == 0.0


# ---------------------------------------------------------------------------------------------
# Groups

PARTITIONS = [
    ([0, 0, 1, 1, 1, 2], [[0, 1], [2, 3, 4], [5]]),
    ([2, 0, 2, 0, 1, 2], [[1, 3], [4], [0, 2, 5]]),
    ([3, 3, 3, 0, 0, 0], [[3, 4, 5], [], [], [0, 1, 2]]),
    ([0] * 6, [[5, 4, 3, 2, 1, 0]]),
    (list(range(6)), [[i] for i in range(6)]),
]


@pytest.mark.parametrize(("labels", "members"), PARTITIONS)
@pytest.mark.parametrize("lam", [0.0, 0.4, 1.5, 100.0])
def test_group_l2_against_the_formula(labels, members, lam, rng):
    v = rng.standard_normal(6) * 2
    count = len(members)
    sizes = np.array([len(m) for m in members])
    given_weights = rng.uniform(0, 2, count)
    given_weights[0] = 0.0
    for weights, w in [(None, np.ones(count)), ("sqrt", np.sqrt(sizes)), (given_weights,) * 2]:
        expected = group_by_hand(v, 0.5 * lam * w, members)
        for groups in (labels, np.array(labels, np.int8), members, [np.array(m) for m in members]):
            x = prox.group_l2(v, lam, groups, weights, step=0.5)
            np.testing.assert_allclose(x, expected, rtol=1e-13, atol=1e-15)


def test_group_l2_of_singletons_is_l1(rng):
    v = rng.standard_normal(50)
    groups = rng.permutation(50)
    w = rng.uniform(0, 2, 50)
    np.testing.assert_allclose(
        prox.group_l2(v, 0.7, groups, w), prox.l1(v, 0.7 * w[groups]), atol=1e-15
    )


def test_group_l2_axis_and_batch(rng):
    v = rng.standard_normal((4, 6, 5)) * 2
    labels = [1, 0, 1, 2, 2, 0]
    x = prox.group_l2(v, 0.8, labels, "sqrt", axis=1)
    for i in range(4):
        for j in range(5):
            np.testing.assert_array_equal(
                x[i, :, j], prox.group_l2(v[i, :, j], 0.8, labels, "sqrt")
            )
    np.testing.assert_array_equal(
        prox.group_l2(np.asfortranarray(v), 0.8, labels, "sqrt", axis=-2), x
    )
    moved = np.moveaxis(v, 1, 0)
    np.testing.assert_array_equal(prox.group_l2(moved, 0.8, labels, "sqrt"), np.moveaxis(x, 1, 0))


def test_group_l2_dtypes(rng):
    v = rng.standard_normal(6) * 2
    labels = PARTITIONS[0][0]
    x = prox.group_l2(v.astype(np.float32), 0.5, labels)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, prox.group_l2(v, 0.5, labels), rtol=1e-5)
    z = v * np.exp(1j * rng.uniform(0, 7, 6))
    for dtype in (np.complex64, np.complex128):
        x = prox.group_l2(z.astype(dtype), 0.5, labels)
        assert x.dtype == dtype
        np.testing.assert_allclose(x, prox.group_l2(v, 0.5, labels) * z / v, rtol=1e-5)
    assert prox.group_l2([3, 4], 1, [0, 0]).tolist() == pytest.approx([2.4, 3.2])
    assert prox.group_l2(np.array([3, 4], ">f8"), 1, [0, 0]).tolist() == pytest.approx([2.4, 3.2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-300, -200, -30, -22, 18, 30, 200, 300])
def test_group_l2_huge_and_tiny(dtype, exponent):
    if dtype is np.float32 and abs(exponent) > 30:
        return
    scale = 10.0**exponent
    v = np.array([3 * scale, -4 * scale, 0.0], dtype)
    x = prox.group_l2(v, scale, [0, 0, 1])
    np.testing.assert_allclose(x, v * 0.8, rtol=1e-6)
    np.testing.assert_allclose(prox.group_l2(v, 0.0, [0, 0, 1]), v, rtol=1e-6)
    mixed = np.array([3 * scale, -4 * scale, 3.0, 4.0], dtype)
    np.testing.assert_allclose(prox.group_l2(mixed, 1.0, [0, 0, 1, 1])[2:], [2.4, 3.2], rtol=1e-6)


def test_group_l2_shapes_and_out(rng):
    assert prox.group_l2([], 1.0, []).shape == (0,)
    assert prox.group_l2(np.zeros((0, 3)), 1.0, []).shape == (0, 3)
    assert prox.group_l2(np.zeros((3, 0)), 1.0, [0, 1, 1]).shape == (3, 0)
    assert prox.group_l2([-3.0], 1.0, [0]).tolist() == [-2.0]
    assert prox.group_l2(-3.0, 1.0, [0]) == -2.0
    np.testing.assert_array_equal(prox.group_l2(np.zeros(4), 1.0, [0, 0, 1, 1]), np.zeros(4))
    np.testing.assert_array_equal(prox.group_l2(np.zeros(4), 0.0, [0, 0, 1, 1]), np.zeros(4))
    v = rng.standard_normal((6, 3)) * 3
    labels = PARTITIONS[0][0]
    expected = prox.group_l2(v, 0.5, labels)
    for out in (np.empty((6, 3)), np.empty((6, 3), order="F"), np.empty((6, 6))[:, ::2]):
        assert prox.group_l2(v, 0.5, labels, out=out) is out
        np.testing.assert_array_equal(out, expected)
    before = v.copy()
    locked = v.view()
    locked.flags.writeable = False
    prox.group_l2(locked, 0.5, labels)
    np.testing.assert_array_equal(v, before)
    for wrong in (np.empty(6), np.empty((2, 6, 3)), np.empty((6, 3), int), np.empty((6, 3), "f")):
        with pytest.raises(ValueError, match="out"):
            prox.group_l2(v, 0.5, labels, out=wrong)
    with pytest.raises(ValueError, match="out"):
        prox.group_l2(v, 0.5, labels, out=locked)
    assert prox.group_l2(v, 0.5, labels, out=v) is v
    np.testing.assert_array_equal(v, expected)
    scalar = np.array(0.0)
    assert prox.group_l2(-3.0, 1.0, [0], out=scalar) is scalar
    assert scalar == -2.0


@given(
    st.lists(finite, min_size=6, max_size=6),
    st.lists(finite, min_size=6, max_size=6),
    st.floats(0, 1e6),
)
def test_group_l2_firm_nonexpansiveness_and_moreau(v, w, lam):
    v, w = np.array(v), np.array(w)
    labels, members = PARTITIONS[1]
    x = prox.group_l2(v, lam, labels)
    d = x - prox.group_l2(w, lam, labels)
    assert d @ d <= d @ (v - w) + 1e-12 * max(v @ v, w @ w)
    rest = v - x  # the projection onto the dual ball
    for index in members:
        norm = np.linalg.norm(rest[index])
        assert norm <= lam * (1 + 1e-12) + 1e-9
        assert rest[index] @ x[index] == pytest.approx(
            lam * np.linalg.norm(x[index]), rel=1e-6, abs=1e-6 * (1 + v @ v) ** 0.5 * (1 + lam)
        )


def test_infinite_levels():
    np.testing.assert_array_equal(prox.group_l2([1.0, 2.0], np.inf, [0, 1]), [0, 0])
    np.testing.assert_array_equal(prox.group_l2([1.0, 2.0], 1.0, [0, 1], [np.inf, 0]), [0, 2])
    np.testing.assert_array_equal(prox.group_l2([1.0, 2.0], np.inf, [0, 1], [0, 1]), [1, 0])


# ---------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: prox.project_simplex([1.0, np.nan]), ValueError, "v must be finite"),
        (lambda: prox.project_simplex([1.0, np.inf]), ValueError, "v must be finite"),
        (lambda: prox.project_simplex([1j, 1.0]), TypeError, "v must be real"),
        (lambda: prox.project_simplex(["a"]), TypeError, "v must be"),
        (lambda: prox.project_simplex([1.0], 0.0), ValueError, "radius"),
        (lambda: prox.project_simplex([1.0], -1.0), ValueError, "radius"),
        (lambda: prox.project_simplex([1.0], np.nan), ValueError, "radius"),
        (lambda: prox.project_simplex([1.0], np.inf), ValueError, "radius"),
        (lambda: prox.project_simplex([1.0], [1.0]), TypeError, "radius"),
        (lambda: prox.project_simplex([1.0], axis=1), ValueError, "axis"),
        (lambda: prox.project_simplex([1.0], axis=None), TypeError, "axis"),
        (lambda: prox.project_top_k([1.0, np.nan], 1), ValueError, "v must not contain NaN"),
        (lambda: prox.project_top_k([1.0], 2), ValueError, "k must be between 0 and 1, got 2"),
        (lambda: prox.project_top_k([1.0], -1), ValueError, "k must be between"),
        (lambda: prox.project_top_k([1.0], 1.0), TypeError, "k must be an integer"),
        (lambda: prox.project_top_k([1.0], True), TypeError, "k must be an integer"),
        (lambda: prox.project_top_k([1.0], None), TypeError, "k must be an integer"),
        (lambda: prox.project_top_k(np.ones((2, 3)), 3, axis=0), ValueError, "k must be between"),
        (lambda: prox.project_top_k([1.0], 1, axis=2), ValueError, "axis"),
        (lambda: prox.group_l2([1.0, np.nan], 1, [0, 0]), ValueError, "v must be finite"),
        (lambda: prox.group_l2([1.0, np.inf], 1, [0, 0]), ValueError, "v must be finite"),
        (lambda: prox.group_l2(["a"], 1, [0]), TypeError, "v must be"),
        (lambda: prox.group_l2([1.0, 2.0], -1, [0, 0]), ValueError, "lam"),
        (lambda: prox.group_l2([1.0, 2.0], np.nan, [0, 0]), ValueError, "lam"),
        (lambda: prox.group_l2([1.0, 2.0], [1.0, 2.0], [0, 0]), ValueError, "lam"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], step=0), ValueError, "step"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], [-1]), ValueError, "weights"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], [np.nan]), ValueError, "weights"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], [1, 1]), ValueError, "weights"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], 1.0), ValueError, "weights"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], "size"), ValueError, "weights"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0]), ValueError, "groups"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0, 1]), ValueError, "groups"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0.0, 1.0]), TypeError, "groups"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, -1]), ValueError, "groups"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [[0, 1], [1]]), ValueError, "index 1 .*twice"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [[0]]), ValueError, "index 1 .*never"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [[0], [2]]), ValueError, "groups"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [[0], [-1]]), ValueError, "groups"),
        (lambda: prox.group_l2([1.0, 2.0], 1, [0, 0], axis=1), ValueError, "axis"),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


# ---------------------------------------------------------------------------------------------
# Other libraries


@pytest.mark.extras
def test_cvxpy_agrees(rng):
    cp = require("cvxpy")
    v = rng.standard_normal(12)
    labels = np.repeat([0, 1, 2], 4)
    x = cp.Variable(12)
    norms = sum(cp.norm2(x[labels == g]) * np.sqrt(4) for g in range(3))
    for objective, constraints, found in [
        (0.5 * 0.3 * norms, [], prox.group_l2(v, 0.3, labels, "sqrt", step=0.5)),
        (0, [x >= 0, cp.sum(x) == 2.5], prox.project_simplex(v, 2.5)),
    ]:
        problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - v) + objective), constraints)
        problem.solve(solver="CLARABEL")
        np.testing.assert_allclose(found, x.value, atol=1e-5)


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
def test_torch_forms(rng):
    torch = require("torch")
    v = rng.standard_normal((5, 6)) * 2
    labels = [1, 0, 1, 2, 2, 0]
    calls = [
        lambda w: prox.group_l2(w, 0.7, labels, "sqrt", axis=1),
        lambda w: prox.group_l2(w, 0.7, [[0, 3], [1], [2, 4]]),
        lambda w: prox.project_simplex(w, 2.0),
        lambda w: prox.project_simplex(w, 2.0, axis=0),
        lambda w: prox.project_top_k(w, 3),
        lambda w: prox.project_top_k(w, 3, axis=0),
    ]
    for call in calls:
        expected = call(v)
        for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 1e-5)]:
            for grad in (False, True):
                w = torch.tensor(v, dtype=dtype, requires_grad=grad)
                x = call(w)
                assert x.dtype == dtype
                assert x.requires_grad == grad
                np.testing.assert_allclose(x.detach().numpy(), expected, rtol=tol, atol=tol)
        w = torch.tensor(v, requires_grad=True)
        assert torch.autograd.gradcheck(call, (w,))
        assert torch.autograd.gradcheck(lambda t, c=call: c(t.T.contiguous().T), (w,))
        whole = call(torch.tensor(np.round(v).astype(int)))
        np.testing.assert_allclose(whole, call(np.round(v)), rtol=1e-12)
    z = torch.tensor(v * (1 + 2j), requires_grad=True)
    for call in (calls[0], calls[4]):
        np.testing.assert_allclose(call(z).detach(), call(v * (1 + 2j)), rtol=1e-12)


@pytest.mark.extras
def test_torch_corner_cases():
    torch = require("torch")
    zero = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    prox.group_l2(zero, 1.0, [0, 0, 1, 1]).sum().backward()
    assert torch.equal(zero.grad, torch.zeros(4, dtype=torch.float64))
    large = torch.tensor([3e30, -4e30, 3.0, 4.0], requires_grad=True)
    x = prox.group_l2(large, 1.0, [0, 0, 1, 1])
    np.testing.assert_allclose(x.detach()[:2], [3e30, -4e30], rtol=1e-6)
    for radius in (1e-12, 1.0):
        far = torch.tensor([1e6, 1e6, 0.0], dtype=torch.float64, requires_grad=True)
        x = prox.project_simplex(far, radius)
        np.testing.assert_allclose(x.detach(), [radius / 2, radius / 2, 0], rtol=1e-12)
    scalar = torch.tensor(3.0, requires_grad=True)
    assert prox.project_simplex(scalar) == 1.0
    assert prox.project_top_k(scalar, 1) == 3.0
    for grad in (False, True):
        bad = torch.tensor([1.0, np.nan], requires_grad=grad)
        for call in (
            lambda b: prox.group_l2(b, 1.0, [0, 1]),
            lambda b: prox.project_simplex(b),
            lambda b: prox.project_top_k(b, 1),
        ):
            with pytest.raises(ValueError, match="v must"):
                call(bad)
