"""Scalar functions that need not be even: one-sided norms, losses, a box."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import test_operators as harness
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import prox
from sparseopt._core import over_namespace
from sparseopt.prox._asymmetric_l1 import asymmetric_threshold
from sparseopt.prox._hinge import hinge_shift, squared_hinge_shrink
from sparseopt.prox._logistic import logistic_root
from sparseopt.prox._nonnegative_l1 import nonnegative_threshold
from sparseopt.prox._poisson import poisson_root
from sparseopt.prox._project_box import clip

finite = st.floats(-1e6, 1e6)
vectors = st.lists(finite, min_size=1, max_size=8)


@dataclasses.dataclass
class Real:
    """A convex function that need not be even, and the proximal operator of its conjugate."""

    name: str
    function: Callable[..., Any]
    value: Callable[..., Any]
    parameters: list[tuple]
    anchor: Callable[..., Any]  # the minimiser lies between v and this
    conjugate_prox: Callable[..., Any]  # (u, t, *parameters)
    kernel: Any
    kernel_parameters: Callable[..., tuple]
    has_step: bool = True

    def __repr__(self):
        return self.name

    def __call__(self, v, *parameters, step=1.0, **options):
        options = options | ({"step": step} if self.has_step else {})
        return self.function(v, *parameters, **options)


def poisson_value(x, b, lam=1.0):
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = lam * (x - np.where(b > 0, b * np.log(x), 0.0))
    return np.where(x < 0, np.inf, inside)


def poisson_conjugate_prox(u, t, b, lam=1.0):
    # y - u + t lam b / (lam - y) = 0 with y < lam: a quadratic in r = lam - y
    w = lam - u
    return lam - (w + np.sqrt(w * w + 4 * t * lam * b)) / 2


def logistic_conjugate_prox(u, t, lam=1.0):
    low, high = np.full_like(u, -lam), np.zeros_like(u)
    for _ in range(200):  # y - u + t log(...) increases in y
        y = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = y - u + t * (np.log1p(y / lam) - np.log(-y / lam))
        low, high = np.where(slope < 0, y, low), np.where(slope < 0, high, y)
    return (low + high) / 2


def box_conjugate_prox(u, t, lower, upper):
    # the conjugate max(lower y, upper y) is an asymmetric norm plus a tilt where the signs agree
    return np.where(u > t * upper, u - t * upper, np.where(u < t * lower, u - t * lower, 0.0))


REAL = [
    Real(
        "nonnegative_l1",
        prox.nonnegative_l1,
        lambda x, lam: np.where(x < 0, np.inf, lam * x),
        [(0.7,), (0.0,), (3.0,)],
        lambda v, step, lam: 0.0,
        lambda u, t, lam: np.minimum(u, lam),
        nonnegative_threshold,
        lambda step, lam: (step * lam,),
    ),
    Real(
        "asymmetric_l1",
        prox.asymmetric_l1,
        lambda x, plus, minus: plus * np.maximum(x, 0) + minus * np.maximum(-x, 0),
        [(0.7, 0.2), (0.0, 1.0), (3.0, 3.0)],
        lambda v, step, plus, minus: 0.0,
        lambda u, t, plus, minus: np.clip(u, -minus, plus),
        asymmetric_threshold,
        lambda step, plus, minus: (step * plus, step * minus),
    ),
    Real(
        "pinball",
        prox.pinball,
        lambda x, tau, lam=1.0: lam * np.maximum(tau * x, (tau - 1) * x),
        [(0.3,), (0.0,), (1.0,), (0.9, 2.0)],
        lambda v, step, *p: 0.0,
        lambda u, t, tau, lam=1.0: np.clip(u, -lam * (1 - tau), lam * tau),
        asymmetric_threshold,
        lambda step, tau, lam=1.0: (step * lam * tau, step * lam * (1 - tau)),
    ),
    Real(
        "hinge",
        prox.hinge,
        lambda x, lam=1.0: lam * np.maximum(1 - x, 0),
        [(), (0.3,), (0.0,)],
        lambda v, step, *p: 1.0,
        lambda u, t, lam=1.0: np.clip(u - t, -lam, 0),
        hinge_shift,
        lambda step, lam=1.0: (step * lam,),
    ),
    Real(
        "squared_hinge",
        prox.squared_hinge,
        lambda x, lam=1.0: lam / 2 * np.maximum(1 - x, 0) ** 2,
        [(), (0.3,), (4.0,)],
        lambda v, step, *p: 1.0,
        lambda u, t, lam=1.0: np.minimum((u - t) / (1 + t / lam), 0),
        squared_hinge_shrink,
        lambda step, lam=1.0: (step * lam,),
    ),
    Real(
        "logistic",
        prox.logistic,
        lambda x, lam=1.0: lam * np.logaddexp(0, -x),
        [(), (0.3,), (4.0,)],
        lambda v, step, lam=1.0: v + step * lam,
        logistic_conjugate_prox,
        logistic_root,
        lambda step, lam=1.0: (step * lam,),
    ),
    Real(
        "poisson",
        prox.poisson,
        poisson_value,
        [(2.0,), (0.0,), (0.7, 3.0), (5.0, 0.2)],
        lambda v, step, b, lam=1.0: b,
        poisson_conjugate_prox,
        poisson_root,
        lambda step, b, lam=1.0: (step * lam, b),
    ),
    Real(
        "project_box",
        prox.project_box,
        lambda x, lower, upper: np.where((x < lower) | (x > upper), np.inf, 0.0),
        [(-1.0, 2.0), (0.5, 0.5), (-3.0, -1.0)],
        lambda v, step, lower, upper: np.clip(v, lower, upper),
        box_conjugate_prox,
        clip,
        lambda step, lower, upper: (lower, upper),
        has_step=False,
    ),
]
REAL_CASES = [
    pytest.param(operator, parameters, id=f"{operator}-{parameters}")
    for operator in REAL
    for parameters in operator.parameters
]
real_cases = pytest.mark.parametrize(("operator", "parameters"), REAL_CASES)
real = pytest.mark.parametrize("operator", REAL, ids=repr)


def real_objective(operator, parameters, x, v, step):
    with np.errstate(invalid="ignore"):
        return (x - v) ** 2 / 2 + step * operator.value(x, *parameters)


@real_cases
@pytest.mark.parametrize("step", [1e-3, 0.3, 1.0, 20.0])
def test_real_against_a_grid(operator, parameters, step, rng):
    v = harness.inputs(rng, 1 + step if step < 5 else step)
    x = operator(v, *parameters, step=step)
    assert x.shape == v.shape
    assert x.dtype == np.float64
    anchor = operator.anchor(v, step, *parameters) + 0 * v
    low, high = np.minimum(v, anchor)[:, None], np.maximum(v, anchor)[:, None]
    points = np.hstack([low + (high - low) * np.linspace(0, 1, 4001), low, high])
    width = (high - low) / 4000
    for _ in range(3):
        cost = real_objective(operator, parameters, points, v[:, None], step)
        i = cost.argmin(axis=1)
        best = cost[np.arange(v.size), i]
        centre = points[np.arange(v.size), i][:, None]
        points = np.clip(centre + width * np.linspace(-1, 1, 401), low, high)
        width = width / 200
    found = real_objective(operator, parameters, x, v, step)
    assert np.max((found - best) / (1 + np.abs(best))) < 1e-9


@real_cases
def test_moreau(operator, parameters, rng):
    for step in (0.1, 1.0, 7.0):
        v = harness.inputs(rng, 3.0)
        other = operator.conjugate_prox(v / step, 1 / step, *parameters)
        x = operator(v, *parameters, step=step)
        np.testing.assert_allclose(x + step * other, v, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("operator", REAL, ids=repr)
@given(data=st.data())
def test_firm_nonexpansiveness(operator, data):
    v = np.array(data.draw(vectors))
    w = np.array(data.draw(st.lists(finite, min_size=v.size, max_size=v.size)))
    step = data.draw(st.floats(1e-3, 1e3))
    parameters = data.draw(st.sampled_from(operator.parameters))
    d = operator(v, *parameters, step=step) - operator(w, *parameters, step=step)
    scale = max(np.abs(v).max(), np.abs(w).max(), step)
    assert d @ d <= d @ (v - w) + 1e-12 * scale**2


@real_cases
def test_real_dtypes_and_shapes(operator, parameters, rng):
    v = harness.inputs(rng, 2.0, 60)
    expected = operator(v, *parameters)
    single = operator(v.astype(np.float32), *parameters)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(operator(v.tolist(), *parameters), expected)
    block = v.reshape(3, 4, 5)
    for w in (block, np.asfortranarray(block)):
        before = w.copy()
        np.testing.assert_array_equal(operator(w, *parameters), expected.reshape(3, 4, 5))
        np.testing.assert_array_equal(w, before)
    out = np.empty(60)
    assert operator(v, *parameters, out=out) is out
    np.testing.assert_array_equal(out, expected)
    inside = v.copy()
    operator(inside, *parameters, out=inside)
    np.testing.assert_array_equal(inside, expected)
    assert operator(3, *parameters) == operator([3.0], *parameters)[0]
    assert operator(np.zeros((0, 3), np.float32), *parameters).shape == (0, 3)
    columns = [np.full(60, p) for p in parameters]
    np.testing.assert_allclose(operator(v, *columns), expected, rtol=1e-14)
    if operator.has_step:
        steps = rng.uniform(0.1, 3, 60)
        loop = [operator(a, *parameters, step=s) for a, s in zip(v, steps, strict=True)]
        np.testing.assert_allclose(operator(v, *parameters, step=steps), loop, rtol=1e-14)
    arguments = operator.kernel_parameters(1.0, *parameters)
    np.testing.assert_allclose([operator.kernel(a, *arguments) for a in v], expected, rtol=1e-13)
    np.testing.assert_allclose(
        over_namespace(operator.kernel, np)(v, *arguments), expected, rtol=1e-12, atol=1e-300
    )


@real_cases
def test_real_huge_and_infinite_inputs(operator, parameters):
    v = np.array([1e150, -1e150, 1.7e308, -1.7e308, 1e-300, -1e-300, 5e-324, 0.0])
    x = operator(v, *parameters, step=0.2)
    assert np.isfinite(x).all()
    assert np.all(np.diff(x[np.argsort(v)]) >= 0)
    infinite = operator([np.inf, -np.inf], *parameters, step=0.2)
    assert infinite[0] > 0 or operator.name == "project_box"
    assert not np.isnan(infinite).any()


@real
def test_real_bad_arguments(operator):
    parameters = operator.parameters[0]
    with pytest.raises(TypeError, match=r"^v must be real"):
        operator([1j, 2.0], *parameters)
    with pytest.raises(ValueError, match=r"^v must not contain NaN"):
        operator([np.nan, 2.0], *parameters)
    with pytest.raises(TypeError, match=r"^v must be"):
        operator(["a"], *parameters)
    if operator.has_step:
        for step in (0.0, -1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match=r"^step"):
                operator(1.0, *parameters, step=step)
    with pytest.raises(ValueError, match="out"):
        operator(np.ones(3), *parameters, out=np.empty(2))
    with pytest.raises(ValueError, match="broadcast"):
        operator(np.ones(3), *(np.ones(2) * p for p in parameters or (1.0,)))


@pytest.mark.parametrize("lam", [1e-6, 0.3, 1.0, 100.0, 1e5, 1e10])
def test_logistic_at_any_level(lam, rng):
    m = np.exp(rng.uniform(-3, 9, 400)) * rng.choice([-1, 1], 400) * max(lam, 1.0) ** 0.5
    v = np.concatenate([m, m - lam / 2, m - lam, [0.0, -lam, -lam / 2]])
    x = prox.logistic(v, lam)
    e = np.exp(-np.abs(x))
    residual = x - v - lam * np.where(x > 0, e, 1) / (1 + e)
    assert np.max(np.abs(residual) / (1 + np.abs(v) + lam)) < 1e-15
    assert prox.logistic(-lam / 2, lam) == pytest.approx(0.0, abs=1e-12)
    reflected = prox.logistic(-v - lam, lam)
    np.testing.assert_allclose(reflected, -x, rtol=1e-9, atol=1e-9)


@pytest.mark.extras
@real_cases
def test_real_torch(operator, parameters, rng):
    torch = require("torch")
    v = harness.inputs(rng, 2.0, 100)
    for step in (0.3, 2.0):
        expected = operator(v, *parameters, step=step)
        for dtype, tol in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
            for grad in (False, True):
                w = torch.tensor(v, dtype=dtype, requires_grad=grad)
                x = operator(w, *parameters, step=step)
                assert x.dtype == dtype
                assert x.requires_grad == grad
                np.testing.assert_allclose(
                    x.detach().double().numpy(), expected, rtol=10 * tol, atol=10 * tol
                )
    w = torch.tensor([-4.2, 3.1, 0.013, -0.2, 8.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: operator(u, *parameters, step=0.4), (w,))
    arrays = [torch.full((5,), float(p), dtype=torch.float64) for p in parameters]
    np.testing.assert_allclose(
        operator(w, *arrays).detach(), operator(w.detach().numpy(), *parameters), rtol=1e-12
    )
    with pytest.raises(TypeError, match=r"^v must be real"):
        operator(torch.tensor([1j]), *parameters)
