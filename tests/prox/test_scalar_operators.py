"""The scalar penalties beyond l1, l0, l_q and MCP, each against its definition."""

import warnings

import numpy as np
import pytest
import test_operators as harness
from hypothesis import given
from hypothesis import strategies as st
from test_operators import Operator

from sparseopt import prox
from sparseopt._core import over_namespace
from sparseopt.prox._capped_l1 import capped_threshold
from sparseopt.prox._cauchy import cauchy_parameters, cauchy_root
from sparseopt.prox._cel0 import cel0_threshold
from sparseopt.prox._etp import etp_root
from sparseopt.prox._geman import geman_root
from sparseopt.prox._huber import huber_shrink
from sparseopt.prox._log_sum import log_sum_parameters, log_sum_root
from sparseopt.prox._scad import scad_threshold

finite = st.floats(-1e6, 1e6)
vectors = st.lists(finite, min_size=1, max_size=8)


def log1p(x):
    """``log(1 + x)`` where x may be infinite, silently."""
    with np.errstate(over="ignore"):
        return np.log1p(x)


def scad_value(x, lam, gamma):
    a = np.abs(x)
    middle = (2 * gamma * lam * a - a * a - lam * lam) / (2 * (gamma - 1))
    return np.where(
        a <= lam, lam * a, np.where(a <= gamma * lam, middle, lam * lam * (gamma + 1) / 2)
    )


def cel0_value(x, lam, c):
    # lam - (c^2/2) (sqrt(2 lam)/c - a)_+^2, expanded so that it is exactly 0 at 0
    a = np.minimum(c * np.abs(x), np.sqrt(2 * lam))
    return a * (np.sqrt(2 * lam) - a / 2)


def huber_value(x, lam, delta):
    a = np.abs(x)
    return lam * np.where(a <= delta, a * a / 2, delta * a - delta * delta / 2)


# ---------------------------------------------------------------------------------------------
# Even functions: the harness of the first operators

EVEN = [
    Operator(
        "scad",
        prox.scad,
        scad_value,
        [(0.7, 2.5), (1.0, 3.7), (0.0, 3.0), (2.0, 2.01), (0.3, 10.0)],
        scad_threshold,
        lambda lam, gamma, step: (lam, gamma, step),
        limit=lambda lam, gamma: gamma - 1,
    ),
    Operator(
        "capped_l1",
        prox.capped_l1,
        lambda x, lam, threshold: lam * np.minimum(np.abs(x), threshold),
        [(0.7, 1.5), (3.0, 0.2), (0.0, 1.0), (1.0, 1.0)],
        capped_threshold,
        lambda lam, threshold, step: (step * lam, threshold),
    ),
    Operator(
        "log_sum",
        prox.log_sum,
        lambda x, lam, eps: lam * log1p(np.abs(x) / eps),
        [(0.7, 0.5), (1.0, 1.0), (0.0, 1.0), (3.0, 0.01), (0.1, 5.0)],
        log_sum_root,
        lambda lam, eps, step: log_sum_parameters(step * lam, eps),
        limit=lambda lam, eps: eps**2 / lam if lam else np.inf,
    ),
    Operator(
        "cel0",
        prox.cel0,
        cel0_value,
        [(0.7, 0.5), (1.0, 1.0), (0.0, 1.0), (0.3, 3.0)],
        cel0_threshold,
        lambda lam, norm, step: (lam, norm, step),
        limit=lambda lam, norm: 1 / norm**2,
    ),
    Operator(
        "geman",
        prox.geman,
        lambda x, lam, threshold: lam * (np.abs(x) / (np.abs(x) + threshold)),
        [(0.7, 0.5), (1.0, 1.0), (0.0, 1.0), (3.0, 0.01), (0.1, 5.0)],
        geman_root,
        lambda lam, threshold, step: (step * lam, threshold),
        limit=lambda lam, threshold: threshold**2 / (2 * lam) if lam else np.inf,
    ),
    Operator(
        "etp",
        prox.etp,
        lambda x, lam, gamma: lam * np.expm1(-gamma * np.abs(x)) / np.expm1(-gamma),
        [(0.7, 0.5), (1.0, 1.0), (0.0, 1.0), (3.0, 20.0), (0.1, 0.01), (0.5, 5.0)],
        etp_root,
        lambda lam, gamma, step: (step * lam, gamma),
        limit=lambda lam, gamma: float(-np.expm1(-gamma)) / (lam * gamma**2) if lam else np.inf,
    ),
    Operator(
        "cauchy",
        prox.cauchy,
        lambda x, lam, delta: lam * log1p(np.abs(x) * (np.abs(x) / delta)),
        [(0.7, 0.5), (1.0, 1.0), (0.0, 1.0), (3.0, 0.01), (0.1, 5.0), (20.0, 1.0)],
        cauchy_root,
        lambda lam, delta, step: cauchy_parameters(step * lam, delta),
        limit=lambda lam, delta: 4 * delta / lam if lam else np.inf,
    ),
    Operator(
        "huber",
        lambda v, lam, delta, **options: prox.huber(v, delta, lam, **options),
        huber_value,
        [(0.7, 0.5), (1.0, 1.0), (0.0, 1.0), (3.0, 0.01)],
        huber_shrink,
        lambda lam, delta, step: (step * lam, delta),
        convex=True,
    ),
]
EVEN_CASES = [
    pytest.param(operator, parameters, id=f"{operator}-{parameters}")
    for operator in EVEN
    for parameters in operator.parameters
]
even_cases = pytest.mark.parametrize(("operator", "parameters"), EVEN_CASES)
even = pytest.mark.parametrize("operator", EVEN, ids=repr)


@even_cases
def test_against_a_grid(operator, parameters, rng):
    harness.test_against_a_grid(operator, parameters, rng)


@even_cases
def test_precisions_and_complex_numbers(operator, parameters, rng):
    harness.test_single_precision(operator, parameters, rng)
    harness.test_complex_is_the_rule_on_the_modulus(operator, parameters, np.complex128, rng)


@even_cases
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-8, 1e8, 1e100, 1e150])
def test_huge_and_tiny_inputs(operator, parameters, scale, rng):
    harness.test_huge_and_tiny_inputs(operator, parameters, scale, rng)


@even_cases
def test_largest_and_infinite_inputs(operator, parameters):
    v = np.array([5e-324, -1e-310, 2.2e-308, 1.7e308, -1.7e308, np.inf, -np.inf])
    x = operator.function(v, *parameters, step=0.2)
    assert np.isfinite(x[:5]).all()
    assert np.all(np.abs(x) <= np.abs(v))
    assert np.all(np.sign(x[3:]) == np.sign(v[3:]))
    assert np.isinf(x[5:]).all()


@even
def test_dtypes_shapes_and_out(operator, rng):
    harness.test_other_dtypes(operator)
    harness.test_shapes_and_memory(operator, rng)
    harness.test_out(operator, rng)
    harness.test_out_that_overlaps_the_input(operator, 1, rng)
    harness.test_out_that_overlaps_a_parameter(operator, rng)


@even
def test_parameters(operator, rng):
    harness.test_array_parameters(operator, rng)
    harness.test_bad_arguments(operator)


@even_cases
def test_kernel_python_and_numpy_forms_agree(operator, parameters, rng):
    v = harness.inputs(rng, n=100)
    for step in harness.steps_of(operator, parameters):
        x = operator.function(v, *parameters, step=step)
        arguments = operator.kernel_parameters(*parameters, step)
        one_by_one = np.array([operator.kernel(a, *arguments) for a in v])
        over_numpy = over_namespace(operator.kernel, np)(v, *arguments)
        np.testing.assert_allclose(one_by_one, x, rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(over_numpy, x, rtol=1e-11, atol=1e-300)
        assert over_namespace(operator.kernel, np)(np.float32(v), *arguments).dtype == np.float32


@pytest.mark.extras
@even_cases
def test_torch(operator, parameters, rng):
    harness.test_torch(operator, parameters, rng)
    harness.test_torch_gradient(operator, parameters)


@pytest.mark.extras
@even
def test_torch_arrays(operator, rng):
    harness.test_torch_arrays(operator, rng)


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0, 3.0, 7.3, 60.0])
def test_ties_give_the_smallest_magnitude(step, rng):
    """Just below the analytic threshold the smaller point, just above it the larger one."""

    def jump(function, tie, *parameters):
        below = function(tie * (1 - 1e-12), *parameters, step=step)
        above = function(tie * (1 + 1e-12), *parameters, step=step)
        return below, above

    lam = rng.uniform(0.01, 10, 200)
    gamma = rng.uniform(2.01, 6, 200)
    long = step >= gamma - 1
    tie = lam * np.where(step < gamma + 1, (gamma + 1 + step) / 2, np.sqrt(step * (gamma + 1)))
    below, above = jump(prox.scad, tie, lam, gamma)
    np.testing.assert_allclose(below[long], np.maximum(tie - step * lam, 0)[long], atol=1e-9)
    np.testing.assert_allclose(above[long], tie[long])
    level, threshold = step * lam, rng.uniform(0.01, 5, 200)
    tie = np.where(level < 2 * threshold, threshold + level / 2, np.sqrt(2 * level * threshold))
    below, above = jump(prox.capped_l1, tie, lam, threshold)
    np.testing.assert_allclose(below, np.maximum(tie - level, 0), atol=1e-9)
    np.testing.assert_allclose(above, tie)
    below, above = jump(prox.geman, np.sqrt(2 * level) - threshold / 2, lam, threshold)
    hard = 2 * level > threshold**2
    assert not below[hard].any()
    np.testing.assert_allclose(above[hard], (np.sqrt(2 * level) - threshold)[hard], atol=1e-4)
    norms = rng.uniform(0.01, 5, 200)
    below, above = jump(prox.cel0, np.sqrt(2 * step * lam), lam, norms)
    hard = step * norms**2 >= 1
    assert not below[hard].any()
    assert above[hard].all()
    assert not prox.cel0(np.sqrt(2 * step * lam), lam, norms, step=step)[hard].any()


def test_ties_at_the_limit_steps():
    # At these steps a whole interval minimises; its smallest point is returned.
    assert prox.scad(3.7, 1.0, 3.7, step=2.7) == pytest.approx(1.0)
    assert prox.scad(np.nextafter(3.7, 4), 1.0, 3.7, step=2.7) == np.nextafter(3.7, 4)
    assert prox.cel0(2.0, 2.0, 1.0, step=1.0) == 0.0
    assert prox.capped_l1(2.0, 1.0, 2.0, step=4.0) == 0.0
    assert prox.capped_l1(4.0, 1.0, 2.0, step=4.0) == 0.0


@pytest.mark.parametrize("ratio", [0.01, 0.999999, 1.0, 1.000001, 1.5, 30.0, 1e4, 1e8, 1e12])
def test_log_sum_threshold(ratio):
    """It is where zero and the other stationary point have the same objective."""
    eps = 0.3
    level = ratio * eps**2
    threshold = log_sum_parameters(level, eps)[2]
    x = prox.log_sum(threshold * (1 + 1e-9), level, eps)
    assert prox.log_sum(threshold * (1 - 1e-9), level, eps) == 0.0
    gained = x * (threshold - x / 2)
    assert gained == pytest.approx(level * np.log1p(x / eps), rel=1e-7, abs=1e-9 * level)
    assert (x > 0.1 * eps) == (ratio > 1.1)


@pytest.mark.parametrize("ratio", [0.5, 3.9, 4.0, 4.000001, 5.0, 30.0, 1e4, 1e7])
def test_cauchy_threshold(ratio):
    """Beyond ratio 4 two stationary points have the same objective there."""
    delta = 0.3
    level = ratio * delta
    threshold = cauchy_parameters(level, delta)[2]

    def objective(x):
        return (x - threshold) ** 2 / 2 + level * np.log1p(x * x / delta)

    low = prox.cauchy(threshold * (1 - 1e-12), level, delta)
    high = prox.cauchy(threshold * (1 + 1e-12), level, delta)
    assert objective(low) == pytest.approx(objective(high), rel=1e-10)
    assert (high - low > 0.01) == (ratio > 4.1)


@pytest.mark.parametrize("name", ["geman", "etp", "cauchy", "log_sum"])
def test_roots_to_the_last_digits(name, rng):
    v, lam, p = np.exp(rng.uniform(-8, 8, (3, 3000)))
    p = np.minimum(p, 300) if name == "etp" else p
    x = getattr(prox, name)(v, lam, p)
    derivative = {
        "geman": lambda: lam * p / (x + p) ** 2,
        "etp": lambda: lam * p * np.exp(-p * x) / -np.expm1(-p),
        "cauchy": lambda: 2 * lam * x / (p + x * x),
        "log_sum": lambda: lam / (x + p),
    }[name]()
    on = x > 0
    assert on.mean() > 0.2
    residual = np.abs(x + derivative - v) / v
    assert np.max(residual[on]) < 1e-13


@given(v=finite, lam=st.floats(0, 1e3), step=st.floats(1e-3, 1e3), other=finite)
@pytest.mark.parametrize("operator", EVEN, ids=repr)
def test_no_point_is_better(operator, v, lam, step, other):
    parameters = (lam, *operator.parameters[0][1:])
    x = operator.function(v, *parameters, step=step)
    found = harness.objective(operator, parameters, x, v, step)
    for competitor in (other, 0.0, v, x * (1 + 1e-3), x * (1 - 1e-3)):
        least = harness.objective(operator, parameters, np.float64(competitor), v, step)
        assert found <= least + 1e-9 * (1 + least)
    assert operator.function(-v, *parameters, step=step) == -x


# ---------------------------------------------------------------------------------------------
# Identities and limits


def test_cel0_is_mcp(rng):
    v = harness.inputs(rng)
    for c in (0.1, 0.5, 1.0, 4.0):
        for step in (0.01, 0.5 / c**2, 0.99 / c**2, 1.01 / c**2, 30 / c**2):
            lam = 0.8
            np.testing.assert_allclose(
                prox.cel0(v, lam, c, step=step),
                prox.mcp(v, c * np.sqrt(2 * lam), 1 / c**2, step=step),
                rtol=1e-13,
                atol=1e-15,
            )
            formula = np.where(
                step * c * c < 1,
                np.minimum(
                    np.abs(v),
                    np.maximum(np.abs(v) - step * c * np.sqrt(2 * lam), 0)
                    / np.where(step * c * c < 1, 1 - step * c * c, 1),
                ),
                np.abs(v) * (np.abs(v) > np.sqrt(2 * step * lam)),
            )
            np.testing.assert_allclose(
                prox.cel0(v, lam, c, step=step), np.sign(v) * formula, rtol=1e-13, atol=1e-15
            )


def test_cel0_of_a_zero_column():
    with pytest.warns(UserWarning, match="norms has 2 zero") as caught:
        x = prox.cel0([3.0, -4.0, 5.0], 0.5, [1.0, 0.0, 0.0])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert x.tolist() == [3.0, 0.0, 0.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prox.cel0([3.0, -4.0], 0.5, [1.0, 2.0])
        prox.cel0([], 0.5, [])


def test_limits(rng):
    v = harness.inputs(rng)
    soft, hard = prox.l1(v, 0.7), prox.l0(v, 0.7)
    away = np.abs(np.abs(v) - np.sqrt(1.4)) > 1e-3
    close = {"rtol": 1e-6, "atol": 1e-8}
    np.testing.assert_allclose(prox.scad(v, 0.7, 1e12), soft, **close)
    np.testing.assert_array_equal(prox.capped_l1(v, 0.7, np.inf), soft)
    np.testing.assert_allclose(prox.capped_l1(v, 0.7e9, 1e-9)[away], hard[away], **close)
    np.testing.assert_allclose(prox.log_sum(v, 0.7e9, 1e9), soft, **close)
    np.testing.assert_allclose(prox.geman(v, 0.7e9, 1e9), soft, **close)
    np.testing.assert_allclose(prox.geman(v, 0.7, 1e-12)[away], hard[away], **close)
    np.testing.assert_allclose(prox.etp(v, 0.7, 1e-9), soft, **close)
    np.testing.assert_allclose(prox.etp(v, 0.7, 1e9)[away], hard[away], **close)
    np.testing.assert_allclose(prox.cauchy(v, 0.35e12, 1e12), v / 1.7, **close)
    np.testing.assert_allclose(prox.huber(v, 1e12, 0.7), v / 1.7, **close)
    np.testing.assert_allclose(prox.huber(v, 1e-9, 0.7e9), soft, **close)
    np.testing.assert_array_equal(prox.asymmetric_l1(v, 0.7, 0.7), soft)
    np.testing.assert_array_equal(prox.asymmetric_l1(v, 0.7, np.inf), prox.nonnegative_l1(v, 0.7))
    np.testing.assert_array_equal(prox.nonnegative_l1(v, 0.0), prox.project_box(v, 0, np.inf))
    np.testing.assert_array_equal(prox.poisson(v, 0.0, 0.7), prox.nonnegative_l1(v, 0.7))
    np.testing.assert_array_equal(
        prox.pinball(v, 0.3, 2.0), prox.asymmetric_l1(v, 2.0 * 0.3, 2.0 * 0.7)
    )
    np.testing.assert_array_equal(prox.capped_l1([5.0, -2.0], np.inf, 1.0), [0, 0])


def test_the_wrong_answers_of_peers(rng):
    """pyproximal's Log1 and SCAD, skglm's SCAD at step = gamma - 1, proxop's CapL1."""
    # Log1 used 2 tau sigma in place of 4 tau sigma under the root.
    v, lam, eps = 3.0, 1.0, 0.5
    assert prox.log_sum(v, lam, eps) == pytest.approx((v - eps + np.sqrt((v + eps) ** 2 - 4)) / 2)
    # SCAD with the short-step formula beyond its range, and a division by zero at its end.
    assert prox.scad(2.0, 1.0, 3.0, step=4.0) == 0.0
    assert prox.scad(4.01, 1.0, 3.0, step=4.0) == 4.01
    assert prox.scad(2.5, 1.0, 3.0, step=2.0) == pytest.approx(0.5)
    assert prox.scad(3.5, 1.0, 3.0, step=2.0) == 3.5
    # CapL1 returned 9 for v = 5.
    assert prox.capped_l1(5.0, 1.0, 1.0) == 5.0
    # LogSum failed for arrays beside a scalar delta.
    assert prox.log_sum(np.full(3, v), lam, eps).shape == (3,)


@pytest.mark.parametrize("step", [0.1, 1.0, 7.0])
def test_moreau_huber(step, rng):
    v = harness.inputs(rng, 3.0)
    for delta, lam in ((0.5, 1.0), (2.0, 0.3)):
        other = np.clip(v / step / (1 + 1 / (step * lam)), -lam * delta, lam * delta)
        x = prox.huber(v, delta, lam, step=step)
        np.testing.assert_allclose(x + step * other, v, rtol=1e-10, atol=1e-10)


@given(vectors, st.floats(-1e3, 1e3), st.floats(0, 1e3), st.floats(1e-3, 1e3))
def test_huber_is_firmly_nonexpansive(v, shift, lam, delta):
    v = np.array(v)
    w = v[::-1] + shift
    d = prox.huber(v, delta, lam) - prox.huber(w, delta, lam)
    assert d @ d <= d @ (v - w) + 1e-12 * max(np.abs(v).max(), np.abs(w).max()) ** 2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: prox.scad(1.0, -1.0, 3.0), "lam"),
        (lambda: prox.scad(1.0, np.inf, 3.0), "lam"),
        (lambda: prox.scad(1.0, 1.0, 2.0), "gamma must be > 2"),
        (lambda: prox.scad(1.0, 1.0, np.inf), "gamma"),
        (lambda: prox.log_sum(1.0, 1.0, 0.0), "eps must be > 0"),
        (lambda: prox.log_sum(1.0, np.inf, 1.0), "lam"),
        (lambda: prox.capped_l1(1.0, 1.0, 0.0), "threshold must be > 0"),
        (lambda: prox.capped_l1(1.0, -1.0, 1.0), "lam"),
        (lambda: prox.cel0(1.0, 1.0, -1.0), "norms must be >= 0"),
        (lambda: prox.cel0(1.0, 1.0, np.inf), "norms must be finite"),
        (lambda: prox.geman(1.0, 1.0, 0.0), "threshold must be > 0"),
        (lambda: prox.etp(1.0, 1.0, 0.0), "gamma must be > 0"),
        (lambda: prox.etp(1.0, 1.0, np.nan), "gamma must not contain NaN"),
        (lambda: prox.cauchy(1.0, 1.0, 0.0), "delta must be > 0"),
        (lambda: prox.huber(1.0, 0.0), "delta must be > 0"),
        (lambda: prox.huber(1.0, 1.0, -1.0), "lam"),
        (lambda: prox.hinge(1.0, -1.0), "lam"),
        (lambda: prox.squared_hinge(1.0, np.inf), "lam must be finite"),
        (lambda: prox.logistic(1.0, np.nan), "lam"),
        (lambda: prox.pinball(1.0, 1.1), "tau must be <= 1"),
        (lambda: prox.pinball(1.0, [0.5, 1.1]), "tau must be <= 1"),
        (lambda: prox.pinball(1.0, -0.1), "tau must be >= 0"),
        (lambda: prox.pinball(1.0, np.nan), "tau"),
        (lambda: prox.poisson(1.0, -1.0), "counts must be >= 0"),
        (lambda: prox.poisson(1.0, np.inf), "counts must be finite"),
        (lambda: prox.asymmetric_l1(1.0, -1.0, 1.0), "lam_plus"),
        (lambda: prox.asymmetric_l1(1.0, 1.0, -1.0), "lam_minus"),
        (lambda: prox.nonnegative_l1(1.0, -1.0), "lam"),
        (lambda: prox.project_box(1.0, 2.0, 1.0), "lower must be <= upper"),
        (lambda: prox.project_box([1.0, 2.0], [0.0, 2.0], 1.0), "lower must be <= upper"),
        (lambda: prox.project_box(1.0, np.nan, 1.0), "lower must not contain NaN"),
        (lambda: prox.project_box(1.0, 0.0, np.nan), "upper must not contain NaN"),
        (lambda: prox.project_box(1.0, np.inf, np.inf), "lower must be <= upper"),
        (lambda: prox.project_box([1.0], np.zeros(2), np.ones(3)), "lower and upper must broad"),
    ],
)
def test_bad_parameters(call, match):
    with pytest.raises(ValueError, match=f"^{match}"):
        call()


@pytest.mark.parametrize("name", ["mcp", "scad"])
def test_the_line_stays_on_its_segment_at_the_limit_step(name, rng):
    """Where its slope is 0/0 every point of the segment is optimal, and none outside is."""
    operator, value = (prox.mcp, harness.mcp_value) if name == "mcp" else (prox.scad, scad_value)
    for lam, gamma in zip(rng.uniform(0.1, 3, 300), rng.uniform(2.1, 6, 300), strict=True):
        limit = gamma if name == "mcp" else gamma - 1.0
        rho = 1.0 / limit
        free = gamma * lam
        v = np.array([free, np.nextafter(free, 0), np.nextafter(free, np.inf), 0.999 * free])
        v = np.concatenate([v, -v])
        grid = np.linspace(0, 1.1, 1101) * v[:, None]
        for step in (1 / rho, limit, np.nextafter(limit, 0), np.nextafter(limit, np.inf)):
            x = operator(v, lam, gamma, step=step)
            assert np.all((x * v >= 0) & (np.abs(x) <= np.abs(v)))
            best = np.min(0.5 * (grid - v[:, None]) ** 2 + step * value(grid, lam, gamma), axis=1)
            reached = 0.5 * (x - v) ** 2 + step * value(x, lam, gamma)
            assert np.all(reached <= best + 1e-13 * (1 + best))
