"""Every elementwise operator against its definition, by one harness."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import penalties, prox
from sparseopt._core import over_namespace
from sparseopt.prox._elastic_net import shrink_and_threshold
from sparseopt.prox._l0 import hard_threshold
from sparseopt.prox._l1 import soft_threshold
from sparseopt.prox._lq import half_root, lq_root
from sparseopt.prox._mcp import firm_threshold


def log(x):
    """The logarithm, -inf at zero, silently."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def mcp_value(x, lam, gamma):
    """The definition, written apart from the package."""
    a = np.abs(x)
    return np.where(a <= gamma * lam, lam * a - a * a / (2 * gamma), gamma * lam * lam / 2)


@dataclasses.dataclass
class Operator:
    """One row of the table: what the harness must know of an operator."""

    name: str
    function: Callable[..., Any]
    value: Callable[..., Any]
    parameters: list[tuple]
    kernel: Any
    kernel_parameters: Callable[..., tuple]
    convex: bool = False
    limit: Callable[..., float] = lambda *p: np.inf
    penalty: Any = None

    def __repr__(self):
        return self.name


OPERATORS = [
    Operator(
        "l1",
        prox.l1,
        lambda x, lam: lam * np.abs(x),
        [(0.7,), (0.0,), (3.0,)],
        soft_threshold,
        lambda lam, step: (step * lam,),
        convex=True,
        penalty=penalties.L1,
    ),
    Operator(
        "elastic_net",
        prox.elastic_net,
        lambda x, lam, mu: lam * np.abs(x) + mu / 2 * x * x,
        [(0.7, 0.5), (0.0, 2.0), (1.0, 0.0)],
        shrink_and_threshold,
        lambda lam, mu, step: (step * lam, step * mu),
        convex=True,
    ),
    Operator(
        "l0",
        prox.l0,
        lambda x, lam: lam * (x != 0),
        [(0.7,), (0.0,), (4.0,)],
        hard_threshold,
        lambda lam, step: (np.sqrt(2 * step * lam),),
        penalty=penalties.L0,
    ),
    Operator(
        "lq",
        prox.lq,
        lambda x, lam, q: lam * np.where(x != 0, np.exp(q * log(np.abs(x))), 0.0),
        [(0.7, 0.3), (1.5, 0.9), (0.4, 0.01), (0.0, 0.3), (2.0, 0.99), (1.0, 2 / 3)],
        lq_root,
        lambda lam, q, step: (step * lam, q),
        penalty=penalties.Lq,
    ),
    Operator(
        "half",
        lambda v, lam, **options: prox.lq(v, lam, 0.5, **options),
        lambda x, lam: lam * np.sqrt(np.abs(x)),
        [(0.7,), (0.0,), (2.0,)],
        half_root,
        lambda lam, step: (step * lam,),
        penalty=lambda lam: penalties.Lq(lam, 0.5),
    ),
    Operator(
        "mcp",
        prox.mcp,
        mcp_value,
        [(0.7, 1.5), (1.0, 3.0), (0.0, 2.0), (2.0, 0.3)],
        firm_threshold,
        lambda lam, gamma, step: (lam, gamma, step),
        limit=lambda lam, gamma: gamma,
        penalty=penalties.MCP,
    ),
]

CASES = [
    pytest.param(operator, parameters, id=f"{operator}-{parameters}")
    for operator in OPERATORS
    for parameters in operator.parameters
]
by_operator = pytest.mark.parametrize("operator", OPERATORS, ids=repr)


def steps_of(operator, parameters):
    """Steps below, close to, at and above the weak-convexity limit."""
    limit = operator.limit(*parameters)
    if not np.isfinite(limit):
        return [1e-3, 0.3, 1.0, 20.0]
    below = float(np.nextafter(limit, 0))
    return [0.3 * limit, (1 - 1e-9) * limit, below, limit, 1.5 * limit, 40 * limit]


def objective(operator, parameters, x, v, step):
    return (x - v) ** 2 / 2 + step * operator.value(x, *parameters)


def minimum_by_grid(operator, parameters, v, step):
    """Least objective on a grid over [0, v], refined around its best point."""
    a = np.abs(v)[:, None]
    x = a * np.linspace(0, 1, 4001)
    width = a / 4000
    for _ in range(3):
        cost = objective(operator, parameters, x, a, step)
        i = cost.argmin(axis=1)
        best = cost[np.arange(v.size), i]
        centre = x[np.arange(v.size), i][:, None]
        x = np.clip(centre + width * np.linspace(-1, 1, 401), 0, a)
        width = width / 200
    return best


def inputs(rng, scale=1.0, n=400):
    v = scale * rng.standard_normal(n) * np.exp(rng.uniform(-2, 2, n))
    v[:5] = 0.0, -0.0, scale, -scale, 1e-12 * scale
    return v


@pytest.mark.parametrize(("operator", "parameters"), CASES)
def test_against_a_grid(operator, parameters, rng):
    for step in steps_of(operator, parameters):
        v = inputs(rng, 1 + step if step < 5 else step)
        x = operator.function(v, *parameters, step=step)
        assert x.shape == v.shape
        assert x.dtype == np.float64
        assert np.all(x * v >= 0)
        assert np.all(np.abs(x) <= np.abs(v) * (1 + 1e-12))
        found = objective(operator, parameters, x, v, step)
        best = minimum_by_grid(operator, parameters, v, step)
        # The grid is a competitor, not the truth: being below it is fine.
        assert np.max((found - best) / (1 + best)) < 1e-6, step


@pytest.mark.parametrize(("operator", "parameters"), CASES)
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-8, 1e8, 1e100, 1e150])
def test_huge_and_tiny_inputs(operator, parameters, scale, rng):
    v = scale * rng.standard_normal(50)
    x = operator.function(v, *parameters, step=0.2)
    assert np.isfinite(x).all()
    assert np.all(np.abs(x) <= np.abs(v))
    found = objective(operator, parameters, x, v, 0.2)
    for other in (np.zeros_like(v), v, v / 2, np.nextafter(v, 0)):
        competitor = objective(operator, parameters, other, v, 0.2)
        assert np.all(found <= competitor * (1 + 1e-12) + 1e-300)


@pytest.mark.parametrize(("operator", "parameters"), CASES)
def test_subnormal_and_largest_inputs(operator, parameters):
    v = np.array([5e-324, -1e-310, 2.2e-308, 1.7e308, -1.7e308, np.inf, -np.inf])
    x = operator.function(v, *parameters, step=0.2)
    assert np.isfinite(x[:5]).all()
    assert np.all(np.abs(x) <= np.abs(v))
    assert np.isinf(x[5:]).all()
    assert np.all(np.sign(x[3:]) == np.sign(v[3:]))
    if parameters[0] == 0.0:
        ridge = parameters[1] if operator.name == "elastic_net" else 0.0
        np.testing.assert_allclose(x, v / (1 + 0.2 * ridge), rtol=1e-15, atol=5e-324)


@pytest.mark.parametrize("step", [0.5, 1.0, 3.0, 0.1, 7.3])
def test_ties_give_the_smallest_magnitude(step, rng):
    lam = rng.uniform(0.01, 10, 300)
    tie = np.sqrt(2 * step * lam)
    for sign in (1, -1):
        assert not prox.l0(sign * tie, lam, step=step).any()
        assert prox.l0(sign * np.nextafter(tie, np.inf), lam, step=step).all()
        assert not any(
            prox.l0(sign * t, level, step=step) for t, level in zip(tie, lam, strict=True)
        )
    gamma = np.minimum(0.7, step)
    tie = lam * np.sqrt(step * gamma)
    assert not prox.mcp(tie, lam, gamma, step=step).any()
    assert prox.mcp(tie * (1 + 1e-15), lam, gamma, step=step).all()
    assert not prox.l1(step * lam, lam, step=step).any()
    for q in (0.2, 0.5, 0.8):
        jump = (2 * step * lam * (1 - q)) ** (1 / (2 - q))
        tie = jump * (2 - q) / (2 * (1 - q))
        below = prox.lq(tie * (1 - 1e-14), lam, q, step=step)
        above = prox.lq(tie * (1 + 1e-14), lam, q, step=step)
        assert not below.any()
        np.testing.assert_allclose(above, jump, rtol=1e-6)


def test_tie_at_the_limit_step_of_mcp():
    # At step = gamma every point of [0, gamma lam] is a minimiser for v = gamma lam.
    assert prox.mcp(3.0, 1.0, 3.0, step=3.0) == 0.0
    assert prox.mcp(np.nextafter(3.0, 4), 1.0, 3.0, step=3.0) == np.nextafter(3.0, 4)


@pytest.mark.parametrize(("operator", "parameters"), CASES)
def test_single_precision(operator, parameters, rng):
    v = inputs(rng).astype(np.float32)
    for step in (0.3, 1.0):
        x = operator.function(v, *parameters, step=step)
        assert x.dtype == np.float32
        exact = operator.function(v.astype(float), *parameters, step=step)
        same_side = (x != 0) == (exact != 0)
        assert same_side.mean() > 0.98
        np.testing.assert_allclose(x[same_side], exact[same_side], rtol=1e-5, atol=1e-6)


@by_operator
def test_other_dtypes(operator):
    parameters = operator.parameters[0]
    expected = operator.function(np.array([3.0, -2.0, 0.0]), *parameters)
    for dtype in (np.int8, np.int32, np.int64):
        x = operator.function(np.array([3, -2, 0], dtype), *parameters)
        assert x.dtype == np.float64
        np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(operator.function([3, -2, 0], *parameters), expected)
    half = operator.function(np.float16([3, -2, 0]), *parameters)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, expected, rtol=1e-5)
    swapped = operator.function(np.array([3, -2, 0], ">f8"), *parameters)
    assert swapped.dtype == np.float64
    np.testing.assert_array_equal(swapped, expected)
    unsigned = operator.function(np.array([3, 2, 0], np.uint8), *parameters)
    np.testing.assert_array_equal(unsigned, np.abs(expected))
    np.testing.assert_array_equal(operator.function(np.array([True]), *parameters).dtype, float)


@pytest.mark.parametrize(("operator", "parameters"), CASES)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_is_the_rule_on_the_modulus(operator, parameters, dtype, rng):
    v = (inputs(rng, n=60) * np.exp(1j * rng.uniform(0, 7, 60))).astype(dtype)
    x = operator.function(v, *parameters, step=0.8)
    assert x.dtype == dtype
    size = np.abs(v)
    with np.errstate(invalid="ignore"):
        expected = np.where(
            size > 0, operator.function(size, *parameters, step=0.8) * (v / size), 0
        )
    rtol = 1e-5 if dtype is np.complex64 else 1e-13
    np.testing.assert_allclose(x, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(
        operator.function(v.real + 0j, *parameters),
        operator.function(v.real, *parameters),
        rtol=rtol,
        atol=rtol,
    )


@by_operator
def test_shapes_and_memory(operator, rng):
    parameters = operator.parameters[0]
    v = rng.standard_normal((4, 5, 6)) * 2
    expected = np.array([operator.function(float(a), *parameters) for a in v.ravel()])
    expected = expected.reshape(v.shape)

    def check(w, wanted):
        before = np.array(w)
        np.testing.assert_array_equal(operator.function(w, *parameters), wanted)
        np.testing.assert_array_equal(w, before)

    check(v, expected)
    check(np.asfortranarray(v), expected)
    check(v[::2, ::-1, 1::2], expected[::2, ::-1, 1::2])
    check(v.transpose(2, 0, 1), expected.transpose(2, 0, 1))
    check(np.broadcast_to(v[0], (3, 5, 6)), np.broadcast_to(expected[0], (3, 5, 6)))
    v.flags.writeable = False
    check(v, expected)
    unaligned = np.frombuffer(b"\0" + v.tobytes(), float, offset=1)
    check(unaligned, expected.ravel())
    assert type(operator.function(v, *parameters)) is np.ndarray
    for shape in [(0,), (0, 3), (2, 0)]:
        x = operator.function(np.zeros(shape, np.float32), *parameters)
        assert x.shape == shape
        assert x.dtype == np.float32
    for scalar in (1.5, np.float64(1.5), np.array(1.5)):
        x = operator.function(scalar, *parameters)
        assert np.shape(x) == ()
        assert x == operator.function([1.5], *parameters)[0]
    zero = operator.function(np.zeros(7), *parameters)
    np.testing.assert_array_equal(zero, np.zeros(7))
    assert operator.function([], *parameters).shape == (0,)


@by_operator
def test_out(operator, rng):
    parameters = operator.parameters[0]
    v = rng.standard_normal((6, 4)) * 2
    expected = operator.function(v, *parameters)

    def check(w, out):
        result = operator.function(w, *parameters, out=out)
        assert result is out
        np.testing.assert_array_equal(out, expected)

    check(v, np.full_like(v, np.nan))
    check(v, np.full_like(v, np.nan, order="F"))
    check(v, np.full((6, 8), np.nan)[:, ::2])
    check(np.asfortranarray(v), np.full_like(v, np.nan))
    w = v.copy()
    check(w, w)
    w = v.T.copy().T
    check(w, w)
    w = v[::-1].copy()[::-1]
    check(w, w)
    scalar = np.array(np.nan)
    assert operator.function(1.5, *parameters, out=scalar) is scalar
    assert scalar == operator.function(1.5, *parameters)
    for wrong in (
        np.empty((4, 6)),
        np.empty((1, 6, 4)),
        np.empty((6, 4), np.float32),
        np.empty((6, 4), int),
        v.tolist(),
        3.0,
    ):
        with pytest.raises(ValueError, match="out"):
            operator.function(v, *parameters, out=wrong)
    locked = np.empty((6, 4))
    locked.flags.writeable = False
    with pytest.raises(ValueError, match=r"out.*read-only"):
        operator.function(v, *parameters, out=locked)


@by_operator
@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 3])
def test_out_that_overlaps_the_input(operator, shift, rng):
    parameters = operator.parameters[0]
    memory = rng.standard_normal(40) * 2
    v, out = memory[5:30], memory[5 + shift : 30 + shift]
    expected = operator.function(v.copy(), *parameters)
    operator.function(v, *parameters, out=out)
    np.testing.assert_array_equal(out, expected)


@by_operator
def test_out_that_overlaps_a_parameter(operator, rng):
    memory = rng.uniform(0.5, 2, 30)
    rest = operator.parameters[0][1:]
    v, lam = rng.standard_normal(20) * 3, memory[:20]
    expected = operator.function(v, lam.copy(), *rest)
    operator.function(v, lam, *rest, out=memory[1:21])
    np.testing.assert_array_equal(memory[1:21], expected)


@by_operator
def test_array_parameters(operator, rng):
    v = rng.standard_normal((3, 4)) * 3
    lam, step = rng.uniform(0, 2, (3, 4)), rng.uniform(0.1, 4, (3, 1))
    rest = operator.parameters[0][1:]
    expected = np.array(
        [
            [operator.function(v[i, j], lam[i, j], *rest, step=step[i, 0]) for j in range(4)]
            for i in range(3)
        ]
    )
    for order in ("C", "F"):
        found = operator.function(np.array(v, order=order), lam, *rest, step=step)
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    for shape in [(4,), (1, 4), (3, 1), (1,), (1, 1)]:
        lam = rng.uniform(0, 2, shape)
        full = np.broadcast_to(lam, (3, 4)).copy()
        np.testing.assert_array_equal(
            operator.function(v, lam, *rest), operator.function(v, full, *rest)
        )
    np.testing.assert_array_equal(
        operator.function(v, np.ones(4, int), *rest), operator.function(v, 1.0, *rest)
    )


@by_operator
def test_bad_arguments(operator):
    parameters = operator.parameters[0]
    rest = parameters[1:]
    v = np.ones((2, 3))

    def check(error, match, *args, **options):
        with pytest.raises(error, match=match):
            operator.function(*args, **options)

    for bad in ([1.0, np.nan], np.nan, np.array([np.nan], np.float32), [complex(0, np.nan), 1]):
        check(ValueError, "v must not contain NaN", bad, *parameters)
    check(TypeError, "v must be", ["a"], *parameters)
    check(TypeError, "v must be", None, *parameters)
    check(ValueError, "lam", v, -1.0, *rest)
    check(ValueError, "lam", v, [1.0, -1e-300, 2.0], *rest)
    check(ValueError, "lam", v, np.nan, *rest)
    check(ValueError, "lam", v, [1.0, np.nan, 2.0], *rest)
    check(TypeError, "lam", v, "1", *rest)
    check(TypeError, "lam", v, None, *rest)
    check(TypeError, "lam", v, 1j, *rest)
    for step in (0.0, -1.0, np.nan, np.inf, [[1.0], [0.0]]):
        check(ValueError, "step", v, *parameters, step=step)
    check(TypeError, "step", v, *parameters, step="long")
    for shape in [(2,), (3, 2), (1, 2, 3), (4,), (0,)]:
        check(ValueError, "broadcast", v, np.ones(shape), *rest)
    check(ValueError, "broadcast", v, *parameters, step=np.ones(4))
    check(ValueError, "broadcast", 1.0, np.ones(2), *rest)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: prox.lq(1.0, 1.0, -0.1), "q"),
        (lambda: prox.lq(1.0, 1.0, 1.1), "q"),
        (lambda: prox.lq(1.0, 1.0, np.nan), "q"),
        (lambda: prox.lq([1.0, 2.0], 1.0, [0.5, 0.6]), "q"),
        (lambda: prox.lq(1.0, np.inf, 0.5), "lam"),
        (lambda: prox.mcp(1.0, np.inf, 2.0), "lam"),
        (lambda: prox.mcp(1.0, 1.0, 0.0), "gamma"),
        (lambda: prox.mcp(1.0, 1.0, -1.0), "gamma"),
        (lambda: prox.mcp(1.0, 1.0, np.inf), "gamma"),
        (lambda: prox.mcp(1.0, 1.0, np.nan), "gamma"),
        (lambda: prox.elastic_net(1.0, 1.0, -1.0), "mu"),
        (lambda: prox.elastic_net(1.0, 1.0, np.inf), "mu"),
        (lambda: prox.elastic_net(1.0, 1.0, np.nan), "mu"),
    ],
)
def test_bad_parameters(call, match):
    with pytest.raises(ValueError, match=f"^{match} must"):
        call()


def test_an_infinite_level_forces_zero():
    v = np.array([5.0, -1e300, 0.0, 2.0])
    lam = np.array([np.inf, np.inf, np.inf, 0.0])
    for function in (prox.l1, prox.l0, lambda v, lam, **o: prox.elastic_net(v, lam, 1.0, **o)):
        assert not function(v, np.inf).any()
        assert not function(v + 1j, np.inf).any()
        assert not function(np.float32([5, -1e38, 0]), np.inf, step=1e-3).any()
        x = function(v, lam)
        assert not x[:3].any()
        assert x[3] > 0


# ---------------------------------------------------------------------------------------------
# One formula, many forms


@numba.njit
def _loop(v, level, out):
    for i in range(v.size):
        out[i] = soft_threshold(v[i], level)


@numba.njit
def _loop_mcp(v, lam, gamma, step, out):
    for i in range(v.size):
        out[i] = firm_threshold(v[i], lam, gamma, step)


def test_the_scalar_kernel_in_a_compiled_loop(rng):
    v = rng.standard_normal(200) * 3
    out = np.empty_like(v)
    _loop(v, 0.7, out)
    np.testing.assert_array_equal(out, prox.l1(v, 0.7))
    for step in (0.5, 1.5, 4.0):
        _loop_mcp(v, 0.7, 1.5, step, out)
        np.testing.assert_array_equal(out, prox.mcp(v, 0.7, 1.5, step=step))


@pytest.mark.parametrize(("operator", "parameters"), CASES)
def test_kernel_python_and_numpy_forms_agree(operator, parameters, rng):
    v = inputs(rng, n=100)
    for step in steps_of(operator, parameters):
        x = operator.function(v, *parameters, step=step)
        arguments = operator.kernel_parameters(*parameters, step)
        one_by_one = np.array([operator.kernel(a, *arguments) for a in v])
        over_numpy = over_namespace(operator.kernel, np)(v, *arguments)
        np.testing.assert_allclose(one_by_one, x, rtol=1e-13, atol=1e-300)
        np.testing.assert_allclose(over_numpy, x, rtol=1e-12, atol=1e-300)
        assert over_numpy.dtype == np.float64
        over_single = over_namespace(operator.kernel, np)(v.astype(np.float32), *arguments)
        assert over_single.dtype == np.float32


@pytest.mark.extras
@pytest.mark.parametrize(("operator", "parameters"), CASES)
def test_torch(operator, parameters, rng):
    torch = require("torch")
    v = inputs(rng, n=100)
    for step in (0.3, 2.0):
        expected = operator.function(v, *parameters, step=step)
        for dtype, tol in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
            for grad in (False, True):  # through NumPy's memory, and through torch's namespace
                w = torch.tensor(v, dtype=dtype, requires_grad=grad)
                x = operator.function(w, *parameters, step=step)
                assert isinstance(x, torch.Tensor)
                assert x.dtype == dtype
                assert x.requires_grad == grad
                found = x.detach().double().numpy()
                same_side = (found != 0) == (expected != 0)
                assert same_side.mean() >= (1.0 if dtype == torch.float64 else 0.97)
                np.testing.assert_allclose(
                    found[same_side], expected[same_side], rtol=10 * tol, atol=10 * tol
                )


@pytest.mark.extras
@by_operator
def test_torch_arrays(operator, rng):
    torch = require("torch")
    rest = operator.parameters[0][1:]
    v, lam, step = (
        rng.standard_normal((3, 4)) * 3,
        rng.uniform(0, 2, 4),
        rng.uniform(0.1, 2, (3, 1)),
    )
    expected = operator.function(v, lam, *rest, step=step)
    for grad in (False, True):
        w = torch.tensor(v, requires_grad=grad)
        for convert in (torch.tensor, np.array):
            x = operator.function(w, convert(lam), *rest, step=convert(step))
            np.testing.assert_allclose(x.detach().numpy(), expected, rtol=1e-13)
        z = operator.function(w * (1 + 2j), lam, *rest, step=step)
        np.testing.assert_allclose(
            z.detach().numpy(), operator.function(v * (1 + 2j), lam, *rest, step=step), rtol=1e-12
        )
        assert operator.function(w[:0], lam, *rest).shape == (0, 4)
        assert operator.function(w[0, 0], 1.0, *rest).shape == ()
    whole = operator.function(torch.tensor([3, -2]), 0.25, *rest)
    short = operator.function(torch.tensor([3, -2], dtype=torch.int16), 0.25, *rest)
    np.testing.assert_allclose(whole, operator.function([3.0, -2.0], 0.25, *rest))
    np.testing.assert_allclose(short, whole)
    w = torch.tensor(v)
    out = torch.empty_like(w)
    assert operator.function(w, lam, *rest, step=step, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected)
    np.testing.assert_array_equal(w.numpy(), v)
    assert operator.function(w, lam, *rest, step=step, out=w) is w
    np.testing.assert_array_equal(w.numpy(), expected)
    for grad in (False, True):
        with pytest.raises(ValueError, match="NaN"):
            operator.function(torch.tensor([1.0, np.nan], requires_grad=grad), 1.0, *rest)
        with pytest.raises(ValueError, match="lam"):
            operator.function(torch.ones(2, requires_grad=grad), torch.tensor([1.0, -1.0]), *rest)


@pytest.mark.extras
@pytest.mark.parametrize(("operator", "parameters"), CASES)
def test_torch_gradient(operator, parameters):
    torch = require("torch")
    v = torch.tensor([-4.2, 3.1, 0.013, 2.77, -6.5, 8.0], dtype=torch.float64, requires_grad=True)
    for step in (0.3, 1.1):
        assert torch.autograd.gradcheck(
            lambda w, s=step: operator.function(w, *parameters, step=s), (v,)
        )
    zero = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    operator.function(zero, *parameters).sum().backward()
    assert torch.isfinite(zero.grad).all()


@pytest.mark.extras
@pytest.mark.filterwarnings("error")
def test_torch_gradient_of_a_parameter():
    torch = require("torch")
    data = [-4.2, 3.1, 0.013]
    for v in (torch.tensor(data), torch.tensor(data, requires_grad=True)):
        lam = torch.tensor(0.5, requires_grad=True)
        prox.l1(v, lam, step=2.0).abs().sum().backward()
        assert lam.grad == -4.0


# ---------------------------------------------------------------------------------------------
# Properties and limits

finite = st.floats(-1e6, 1e6)
vectors = st.lists(finite, min_size=1, max_size=8)


@pytest.mark.parametrize("operator", [o for o in OPERATORS if o.convex], ids=repr)
@given(data=st.data())
def test_firm_nonexpansiveness(operator, data):
    v = np.array(data.draw(vectors))
    w = np.array(data.draw(st.lists(finite, min_size=v.size, max_size=v.size)))
    lam = data.draw(st.floats(0, 1e3))
    step = data.draw(st.floats(1e-3, 1e3))
    rest = operator.parameters[0][1:]
    d = operator.function(v, lam, *rest, step=step) - operator.function(w, lam, *rest, step=step)
    scale = max(np.abs(v).max(), np.abs(w).max())
    assert d @ d <= d @ (v - w) + 1e-12 * scale**2


@given(vectors, st.floats(0, 1e3), st.floats(1e-3, 1e3))
def test_moreau_l1(v, lam, step):
    v = np.array(v)
    conjugate_prox = np.clip(v / step, -lam, lam)
    x = prox.l1(v, lam, step=step)
    np.testing.assert_allclose(x + step * conjugate_prox, v, rtol=1e-12, atol=1e-9)


@given(vectors, st.floats(0, 1e3), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_moreau_elastic_net(v, lam, mu, step):
    # f* = max(|y| - lam, 0)^2 / (2 mu). Beyond lam its prox with step t solves
    # y + t (y - lam) / mu = |u|; up to lam it is the identity.
    v = np.array(v)
    u, t = v / step, 1 / step
    a = np.abs(u)
    p = np.where(a <= lam, a, (a + t * lam / mu) / (1 + t / mu)) * np.sign(u)
    x = prox.elastic_net(v, lam, mu, step=step)
    np.testing.assert_allclose(x + step * p, v, rtol=1e-9, atol=1e-9 * (1 + step * lam))


@pytest.mark.parametrize("operator", OPERATORS, ids=repr)
@given(v=finite, lam=st.floats(0, 1e3), step=st.floats(1e-3, 1e3), other=finite)
def test_no_point_is_better(operator, v, lam, step, other):
    parameters = (lam, *operator.parameters[0][1:])
    x = operator.function(v, *parameters, step=step)
    found = objective(operator, parameters, x, v, step)
    for competitor in (other, 0.0, v, x * (1 + 1e-3), x * (1 - 1e-3)):
        least = objective(operator, parameters, np.float64(competitor), v, step)
        assert found <= least + 1e-9 * (1 + least)
    assert operator.function(-v, *parameters, step=step) == -x


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lq_between_its_limits(dtype, rng):
    v = inputs(rng).astype(dtype)
    tol = 1e-6 if dtype is np.float64 else 1e-5
    np.testing.assert_array_equal(prox.lq(v, 0.7, 1.0), prox.l1(v, 0.7))
    np.testing.assert_array_equal(prox.lq(v, 0.7, 0.0), prox.l0(v, 0.7))
    for q in (1 - 1e-7, 1 - 1e-9, 1 - 1e-15, np.nextafter(1.0, 0.0)):
        np.testing.assert_allclose(prox.lq(v, 0.7, q), prox.l1(v, 0.7), rtol=tol, atol=tol)
    away = np.abs(np.abs(v) - np.sqrt(1.4)) > 1e-3
    for q in (1e-7, 1e-12, 1e-300, 5e-324):
        np.testing.assert_allclose(prox.lq(v, 0.7, q)[away], prox.l0(v, 0.7)[away], rtol=10 * tol)


@pytest.mark.parametrize("level", [1e-6, 0.1, 1.0, 30.0])
def test_lq_closed_forms(level, rng):
    a = np.abs(inputs(rng, max(1.0, level)))
    tau = 1.5 * level ** (2 / 3)
    above = a > tau
    angle = np.arccos(level / 4 * (a[above] / 3) ** -1.5)
    half = np.zeros_like(a)
    half[above] = 2 / 3 * a[above] * (1 + np.cos(2 * np.pi / 3 - 2 / 3 * angle))
    np.testing.assert_allclose(prox.lq(a, level, 0.5), half, rtol=1e-13, atol=1e-14)
    tau = 2 * (2 * level / 3) ** 0.75
    above = a > tau
    phi = np.arccosh(27 / 16 * a[above] ** 2 * (2 * level) ** -1.5)
    size = 2 / np.sqrt(3) * (2 * level) ** 0.25 * np.sqrt(np.cosh(phi / 3))
    third = np.zeros_like(a)
    third[above] = ((size + np.sqrt(2 * a[above] / size - size**2)) / 2) ** 3
    keep = a < 1e4 * level  # the closed form cancels far above its threshold
    np.testing.assert_allclose(prox.lq(a, level, 2 / 3)[keep], third[keep], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("q", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999999])
def test_lq_is_a_root_to_the_last_digits(q, rng):
    v = np.exp(rng.uniform(-30, 30, 400))
    level = np.exp(rng.uniform(-30, 30, 400))
    x = prox.lq(v, level, q)
    on = x > 0
    residual = x[on] + level[on] * q * x[on] ** (q - 1) - v[on]
    assert np.max(np.abs(residual) / v[on]) < 1e-14
    jump = (2 * level * (1 - q)) ** (1 / (2 - q))
    assert np.all(x[on] >= jump[on] * (1 - 1e-9))
    assert np.all(on == (v > jump * (2 - q) / (2 * (1 - q))))


def test_mcp_limits(rng):
    v = inputs(rng)
    np.testing.assert_allclose(prox.mcp(v, 0.7, 1e12), prox.l1(v, 0.7), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(prox.mcp(v, 0.7, 1e-300, step=1e-3), v)
    # MCP with gamma lam^2 / 2 fixed tends to the l0 penalty for steps from gamma on.
    np.testing.assert_array_equal(
        prox.mcp(v, np.sqrt(2 * 0.8 / 0.1), 0.1, step=1.0), prox.l0(v, 0.8)
    )
    np.testing.assert_array_equal(prox.elastic_net(v, 0.7, 0.0), prox.l1(v, 0.7))


def test_elastic_net_with_an_infinite_level():
    level = np.array([np.inf, 1.0])
    np.testing.assert_array_equal(prox.elastic_net([5.0, 3.0], level, 1.0), [0.0, 1.0])
    penalty = penalties.ElasticNet(level, 1.0)
    np.testing.assert_array_equal(penalty.prox([5.0, 3.0]), [0.0, 1.0])
    assert penalty.value([0.0, 2.0]) == 4.0
    assert penalty.value([1.0, 2.0]) == np.inf
