"""Every loss: values by definition, derivatives by differences, duality, precision, bad input."""

import decimal
import pickle
from decimal import Decimal

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import (
    DELTA,
    LINEAR,
    POINTWISE,
    K,
    M,
    N,
    data,
    make,
    matrix,
    pairing,
    plain_value,
)
from scipy.sparse.linalg import aslinearoperator

from sparseopt.losses import (
    BlockLossLike,
    Huber,
    Logistic,
    LossLike,
    Multinomial,
    Poisson,
    Quadratic,
    SquaredHinge,
)

WEIGHTS = np.array([1.0, 0.5, 2.5, 0.0, 1.0, 3.0, 1e-3, 1.0, 0.2, 0.7, 1.0, 1.0])
CASES = [(name, ()) for name in LINEAR] + [(name, (2,)) for name in POINTWISE]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}{case[1]}")
def case(request):
    return request.param


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_value_by_definition(rng, case, weights):
    name, batch = case
    A, y = matrix(rng), data(name, rng, (M, *batch))
    f = make(name, A, y, sample_weights=weights)
    assert isinstance(f, LossLike)
    assert isinstance(f, BlockLossLike)
    x = rng.standard_normal(f.shape)
    np.testing.assert_allclose(f.value(x), plain_value(name, A @ x, y, weights), rtol=1e-12)
    assert np.shape(f.value(x)) == batch
    assert f.intercept_at(A @ x) == 0.0
    assert name in repr(f)
    copy = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(copy.gradient(x), f.gradient(x))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_derivatives_by_differences(rng, case, weights, intercept):
    name, batch = case
    f = make(
        name,
        matrix(rng),
        data(name, rng, (M, *batch)),
        sample_weights=weights,
        intercept=intercept,
    )
    x, d = 0.5 * rng.standard_normal(f.shape), rng.standard_normal(f.shape)
    h = 1e-6
    slope = (f.value(x + h * d) - f.value(x - h * d)) / (2 * h)
    np.testing.assert_allclose(slope, pairing(name, f.gradient(x), d), atol=1e-7)
    change = (f.gradient(x + h * d) - f.gradient(x - h * d)) / (2 * h)
    np.testing.assert_allclose(f.hessian_product(d, x), change, atol=1e-6)
    z, v = f.predict(x), f.predict(d)
    np.testing.assert_allclose(f.pull_back(f.hessian_at(z, v)), change, atol=1e-6)
    rise = f.value(x + d) - f.value(x) - pairing(name, f.gradient(x), d)
    np.testing.assert_allclose(f.bregman(z + v, z), rise, rtol=1e-10, atol=1e-12)
    if intercept:
        np.testing.assert_allclose(f.gradient_at(z).sum(0), 0.0, atol=1e-13)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_intercept_is_the_best_constant(rng, case, weights):
    from scipy.optimize import minimize

    name, batch = case
    A, y = matrix(rng), data(name, rng, (M, *batch))
    f = make(name, A, y, sample_weights=weights, intercept=True)
    z = A @ rng.standard_normal(f.shape) + 3.0
    b = f.intercept_at(z)
    count = (K,) if name == "Multinomial" else batch
    assert np.shape(b) == count
    best = minimize(
        lambda b: np.sum(plain_value(name, z + b.reshape(count), y, weights)),
        np.zeros(count).ravel() - 1.0,
        method="BFGS",
        options={"gtol": 1e-9},
    )
    assert np.sum(f.value_at(z)) == pytest.approx(best.fun, rel=1e-9)
    assert np.sum(f.value_at(z)) <= best.fun + 1e-12
    np.testing.assert_allclose(f.value_at(z), plain_value(name, z + b, y, weights), rtol=1e-12)


def test_intercept_of_least_squares_is_a_mean(rng):
    A, y = matrix(rng), rng.standard_normal(M) + 1e6
    f = make("LeastSquares", A, y, sample_weights=WEIGHTS, intercept=True)
    x = rng.standard_normal(N)
    b = np.average(y - A @ x, weights=WEIGHTS)
    assert f.intercept_at(A @ x) == pytest.approx(b)
    centred = A - np.average(A, axis=0, weights=WEIGHTS)
    largest = np.linalg.norm(np.sqrt(WEIGHTS)[:, None] * centred, 2) ** 2
    assert f.lipschitz() == pytest.approx(largest, rel=1e-6)
    np.testing.assert_allclose(f.hessian_product(x), centred.T @ (WEIGHTS * (centred @ x)))
    u = f.gradient_at(A @ x)
    assert f.value(x) + f.conjugate(u) == pytest.approx(u @ (A @ x), abs=1e-9)


@pytest.mark.parametrize("name", ["Huber", "Logistic", "SquaredHinge", "Poisson", "Multinomial"])
@pytest.mark.parametrize("scale", [1.0, 50.0, 700.0])
def test_intercept_is_found_far_out(rng, name, scale):
    y = data(name, rng)
    f = make(name, np.eye(M), y, intercept=True)
    z = scale * rng.standard_normal((M, *f.shape[1:]))
    u = f.gradient_at(z)
    assert np.isfinite(f.value_at(z)).all()
    assert np.all(abs(u.sum(0)) <= 1e-11 * np.maximum(abs(u).sum(0), 1e-250))


NUMBERS = st.floats(-20, 20, allow_nan=False, width=32)
FOUR = st.lists(NUMBERS, min_size=4, max_size=4).map(np.array)


@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.parametrize("intercept", [False, True])
@given(
    u=FOUR,
    z=FOUR,
    w=st.lists(st.sampled_from([0.5, 1.0, 4.0]), min_size=4, max_size=4),
    weighted=st.booleans(),
)
def test_fenchel_young(name, intercept, u, z, w, weighted):
    y = np.array([-1.0, 1.0, 1.0, -1.0])
    y = abs(y) * [0, 1, 2, 5] if name == "Poisson" else y
    weights = w if weighted else None
    f = make(name, np.eye(4), y, sample_weights=weights, intercept=intercept)
    assert f.value_at(z) + f.conjugate(u) >= u @ z - 1e-9 * (1 + abs(u) @ abs(z))
    inside = f.gradient_at(u)  # some point of the domain, from another place than z
    scale = 1 + abs(f.value_at(z)) + abs(inside) @ (1 + abs(z) + abs(u))
    assert f.value_at(z) + f.conjugate(inside) >= inside @ z - 1e-9 * scale
    gradient = f.gradient_at(z)
    scale = 1 + abs(f.value_at(z)) + abs(gradient) @ (1 + abs(z))
    total = f.value_at(z) + f.conjugate(gradient)
    assert total == pytest.approx(gradient @ z, abs=1e-9 * scale)


@pytest.mark.parametrize("intercept", [False, True])
@given(z=st.lists(FOUR, min_size=3, max_size=3), other=st.lists(FOUR, min_size=3, max_size=3))
def test_fenchel_young_of_multinomial(intercept, z, other):
    z, other = np.transpose(z), np.transpose(other)
    f = Multinomial(np.eye(4), [0, 1, 2, 0], intercept=intercept)
    for point in (z, other):
        u = f.gradient_at(point)
        gap = f.value_at(z) + f.conjugate(u) - np.sum(u * z)
        assert gap >= -1e-9 * (1 + abs(z).sum())
        if point is z:
            assert gap <= 1e-9 * (1 + abs(z).sum())
    assert f.conjugate(u + [[1e-3, 0, 0]] * 4) == np.inf


@pytest.mark.parametrize(
    ("f", "outside"),
    [
        (Logistic(np.eye(2), [0, 1]), [[-0.1, -0.5], [1.1, -0.5], [0.5, 0.1]]),
        (Huber(np.eye(2), [0.0, 1.0], DELTA), [[0.8, 0.0], [0.0, -0.8]]),
        (SquaredHinge(np.eye(2), [0, 1]), [[-0.1, 0.0], [0.0, 0.1]]),
        (Poisson(np.eye(2), [0, 3]), [[-0.1, 0.0], [0.0, -3.1]]),
        (Logistic(np.eye(2), [0, 1], sample_weights=[0, 1]), [[0.1, -0.5]]),
        (SquaredHinge(np.eye(2), [0, 1], sample_weights=[0, 1]), [[0.1, -0.5]]),
        (Poisson(np.eye(2), [0, 3], sample_weights=[0, 1]), [[0.1, 0.0]]),
        (Logistic(np.eye(2), [0, 1], intercept=True), [[0.5, -0.4]]),
    ],
)
def test_conjugate_is_infinite_outside_its_domain(f, outside):
    for u in outside:
        assert f.conjugate(np.array(u)) == np.inf
        assert f.conjugate(np.zeros(2)) < np.inf


@pytest.mark.parametrize("limit", [np.inf, 1.0, 0.3, 0.0])
def test_dual_scale_stays_in_the_domain(rng, case, limit):
    name, batch = case
    f = make(name, matrix(rng), data(name, rng, (M, *batch)))
    u = 3.0 * f.gradient_at(rng.standard_normal((M, *f.shape[1:])))
    t = f.dual_scale(u, limit)
    assert np.all((np.asarray(t) >= 0) & (np.asarray(t) <= limit))
    best = -f.conjugate(u * t)
    assert np.all(np.isfinite(best))
    if name in ("LeastSquares", "Huber", "SquaredHinge"):  # then the best one
        for other in np.linspace(0, min(limit, 3.0), 40):
            assert np.all(-f.conjugate(u * other) <= best + 1e-9)


def test_values_far_out_do_not_overflow(case):
    name, batch = case
    z = np.linspace(-700.0, 700.0, M).reshape(-1, *(1 for _ in batch)) + np.zeros((M, *batch))
    y = data(name, np.random.default_rng(0), (M, *batch))
    if name == "Multinomial":
        z = np.stack([z, -z, 0 * z], axis=1)
    f = make(name, np.eye(M), y)
    with np.errstate(all="raise", under="ignore"):
        for array in (f.value_at(z), f.gradient_at(z), f.hessian_at(z, z), f.bregman(z, -z)):
            assert np.all(np.isfinite(array))
        assert np.all(f.bregman(z, -z) >= 0)
    np.testing.assert_allclose(f.value_at(z), plain_value(name, z, y), rtol=1e-13)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("start", [-30.0, -3.0, 0.0, 0.4, 3.0, 30.0])
@pytest.mark.parametrize("step", [1e-9, -1e-4, 0.1, -0.6, 2.0, -25.0])
def test_bregman_does_not_cancel(name, start, step):
    """Against 60 digits."""
    y = {"Multinomial": np.array([0, 1]), "Poisson": np.array([3.0, 0.0])}.get(
        name, np.array([-1.0, 1.0])
    )
    f = make(name, np.eye(2), y)
    z = np.full(2, start)
    z_new = z + step
    with decimal.localcontext(prec=60):
        exact = sum(
            _bregman(name, Decimal(float(a)), Decimal(float(b)), int(label))
            for a, b, label in zip(z_new, z, y, strict=True)
        )
    if name == "Multinomial":  # the second score stays at zero
        z, z_new = np.column_stack([z, 0 * z]), np.column_stack([z_new, 0 * z])
    assert f.bregman(z_new, z) == pytest.approx(float(exact), rel=1e-11, abs=1e-50)


def _bregman(name, new, old, y):
    """The definition, in whatever precision the context has."""
    if name == "Multinomial":
        name, y = "Logistic", 1 - 2 * y
    delta = Decimal(DELTA)

    def value(t):
        if name == "LeastSquares":
            return (t - y) ** 2 / 2
        if name == "Huber":
            r = abs(t - y)
            return r**2 / 2 if r <= delta else delta * r - delta**2 / 2
        if name == "Logistic":
            return (1 + (-y * t).exp()).ln()
        if name == "SquaredHinge":
            return max(Decimal(0), 1 - y * t) ** 2 / 2
        return t.exp() - y * t

    slope = {
        "LeastSquares": lambda t: t - y,
        "Huber": lambda t: max(-delta, min(delta, t - y)),
        "Logistic": lambda t: -y / (1 + (y * t).exp()),
        "SquaredHinge": lambda t: -y * max(Decimal(0), 1 - y * t),
        "Poisson": lambda t: t.exp() - y,
    }[name](old)
    return value(new) - value(old) - slope * (new - old)


KINDS = {"csr": sp.csr_array, "csc": sp.csc_array, "operator": aslinearoperator}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [False, True])
def test_every_kind_of_matrix_agrees(rng, monkeypatch, case, kind, intercept):
    name, batch = case
    A, y = matrix(rng), data(name, rng, (M, *batch))
    options = {"sample_weights": WEIGHTS, "intercept": intercept}
    dense, other = make(name, A, y, **options), make(name, KINDS[kind](A), y, **options)
    x, d = rng.standard_normal(dense.shape), rng.standard_normal(dense.shape)

    def refuse(self, *args, **kwargs):
        raise AssertionError("made dense")

    with monkeypatch.context() as patch:
        for form in ("csr_array", "csc_array"):
            for method in ("toarray", "todense"):
                patch.setattr(getattr(sp, form), method, refuse)
        np.testing.assert_allclose(other.value(x), dense.value(x), rtol=1e-12)
        np.testing.assert_allclose(other.gradient(x), dense.gradient(x), atol=1e-11)
        found = other.hessian_product(d, x)
        np.testing.assert_allclose(found, dense.hessian_product(d, x), atol=1e-11)
        assert other.lipschitz() == pytest.approx(dense.lipschitz(), rel=1e-6)


@pytest.mark.parametrize("intercept", [False, True])
def test_single_precision_is_kept(rng, case, intercept):
    name, batch = case
    A, y = matrix(rng), data(name, rng, (M, *batch))
    exact = make(name, A, y, intercept=intercept)
    typed = y.astype(np.float32) if name in ("LeastSquares", "Huber", "Poisson") else y
    f = make(name, A.astype(np.float32), typed, intercept=intercept)
    assert f.dtype == np.float32
    x = rng.standard_normal(f.shape).astype(np.float32)
    z = f.predict(x)
    for array in (z, f.gradient(x), f.gradient_at(z), f.hessian_product(x, x)):
        assert array.dtype == np.float32
    np.testing.assert_allclose(f.value(x), exact.value(x), rtol=1e-5)
    np.testing.assert_allclose(f.gradient(x), exact.gradient(x), atol=1e-4)
    u = f.gradient_at(z)
    total = f.value_at(z) + f.conjugate(u)
    np.testing.assert_allclose(total, pairing(name, u, z), atol=1e-4)


def test_sample_weights_equal_repeated_rows(rng, case):
    name, batch = case
    A, y = matrix(rng), data(name, rng, (M, *batch))
    counts = rng.integers(1, 4, M)
    for intercept in (False, True):
        f = make(name, A, y, sample_weights=counts, intercept=intercept)
        g = make(name, np.repeat(A, counts, 0), np.repeat(y, counts, 0), intercept=intercept)
        x = rng.standard_normal(f.shape)
        np.testing.assert_allclose(f.value(x), g.value(x), rtol=1e-12)
        np.testing.assert_allclose(f.gradient(x), g.gradient(x), atol=1e-11)


@pytest.mark.parametrize("maker", [Logistic, SquaredHinge])
@pytest.mark.parametrize(
    "labels", [[0, 1], [-1, 1], [False, True], ["a", "b"], [2.5, 7.0], [3, 9]], ids=str
)
def test_any_two_labels(rng, maker, labels):
    A = matrix(rng)
    positive = rng.random(M) < 0.5
    f = maker(A, np.where(positive, labels[1], labels[0]))
    np.testing.assert_array_equal(f.y, np.where(positive, 1.0, -1.0))
    assert f.classes.tolist() == labels


def test_multinomial_of_two_classes_is_logistic(rng):
    A, y = matrix(rng), data("Logistic", rng)
    x = rng.standard_normal(N)
    two = np.column_stack([np.zeros(N), x])
    for intercept in (False, True):
        f, g = Multinomial(A, y, intercept=intercept), Logistic(A, y, intercept=intercept)
        assert f.value(two) == pytest.approx(g.value(x), rel=1e-12)
        np.testing.assert_allclose(f.gradient(two)[:, 1], g.gradient(x), atol=1e-12)


def test_quadratic_by_definition(rng):
    half = rng.standard_normal((N, N))
    Q, q, x, d = half @ half.T, *rng.standard_normal((3, N))
    for kind in (np.asarray, sp.csr_array, sp.csc_array, aslinearoperator):
        f = Quadratic(kind(Q), q)
        assert isinstance(f, BlockLossLike)
        z, v = f.predict(x), f.predict(d)
        assert f.value(x) == pytest.approx(0.5 * x @ Q @ x - q @ x)
        np.testing.assert_allclose(f.gradient(x), Q @ x - q)
        np.testing.assert_allclose(f.pull_back(f.gradient_at(z)), Q @ x - q)
        np.testing.assert_allclose(f.hessian_product(d), Q @ d)
        np.testing.assert_allclose(f.pull_back(f.hessian_at(z, v)), Q @ d)
        assert f.bregman(z + v, z) == pytest.approx(0.5 * d @ Q @ d)
        assert f.lipschitz() == pytest.approx(np.linalg.eigvalsh(Q)[-1], rel=1e-6)
    single = Quadratic(Q.astype(np.float32), q.astype(np.float32))
    assert single.gradient(x.astype(np.float32)).dtype == np.float32


def test_smallest_problems():
    """One sample, one unknown."""
    assert Huber([[2.0]], [1.0], 1.0, intercept=True).gradient([5.0]) == 0.0
    assert Poisson([[1.0]], [2.0], intercept=True).intercept_at(np.array([1.0])) == pytest.approx(
        np.log(2.0) - 1.0
    )
    assert Quadratic([[0.0]], [0.0]).lipschitz() == 0.0
    f = Logistic(np.zeros((2, 1)), [0, 1])
    assert f.value([3.0]) == pytest.approx(2 * np.log(2))
    assert f.lipschitz() == 0.0


def test_inputs_survive(rng, case):
    name, batch = case
    A, y, w = matrix(rng), data(name, rng, (M, *batch)), WEIGHTS.copy()
    before = [a.copy() for a in (A, y, w)]
    for array in (A, y, w):
        array.flags.writeable = False
    for intercept in (False, True):
        f = make(name, A, y, sample_weights=w, intercept=intercept)
        z = f.predict(np.ones(f.shape))
        z.flags.writeable = False
        u = f.gradient_at(z)
        u.flags.writeable = False
        f.value_at(z), f.conjugate(u), f.dual_scale(u, 1.0), f.hessian_at(z, z), f.bregman(z, z)
        f.lipschitz()
    for array, old in zip((A, y, w), before, strict=True):
        np.testing.assert_array_equal(array, old)
