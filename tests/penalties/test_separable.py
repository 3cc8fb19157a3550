"""What `Separable` derives from formulas, and that penalties share kernels and stay as made."""

import gc
import pickle
import weakref

import numpy as np
import pytest
from helpers import run_python

import sparseopt as so
from sparseopt import penalties
from sparseopt._core import _elementwise

EVEN = [
    penalties.L1(0.7),
    penalties.L1(np.array([0.3, 1.0, 2.0])),
    penalties.ElasticNet(0.7, 0.4),
    penalties.L0(0.7),
    penalties.Lq(0.7, 0.5),
    penalties.Lq(0.7, 1.0),
    penalties.MCP(0.7, 2.5),
    penalties.SCAD(0.7, 3.7),
    penalties.LogSum(0.7, 0.5),
    penalties.CappedL1(0.7, 1.2),
    penalties.CEL0(0.7, 0.9),
    penalties.Geman(0.7, 0.5),
    penalties.ETP(0.7, 1.5),
]


@pytest.mark.parametrize("penalty", EVEN, ids=repr)
def test_slope_is_the_derivative(penalty):
    x = np.array([0.31, 0.83, 3.3])
    h = 1e-6
    for i in range(3):
        d = h * (np.arange(3) == i)
        numerical = (penalty.value(x + d) - penalty.value(x - d)) / (2 * h)
        g = np.zeros(3)
        g[i] = -numerical
        assert penalty.subdiff_distance(x, g)[i] == pytest.approx(0.0, abs=1e-6)
        assert penalty.subdiff_distance(-x, -g)[i] == pytest.approx(0.0, abs=1e-6)
        assert penalty.subdiff_distance(x, g + 0.5 * (np.arange(3) == i))[i] == pytest.approx(
            0.5, abs=1e-6
        )


@pytest.mark.parametrize("penalty", EVEN, ids=repr)
def test_alpha_max_makes_zero_stationary(penalty):
    g = np.array([1.3, -0.4, 0.9])
    alpha = penalty.alpha_max(g)
    tiny = 1e-7
    for i in range(3):
        e = tiny * (np.arange(3) == i)
        slope = (penalty.value(e) - penalty.value(0 * e)) / tiny
        assert abs(g[i]) <= alpha * slope * (1 + 1e-5) + 1e-12 or (alpha == 0 and slope > 1e3)
    if alpha > 0:
        scaled = np.maximum(np.abs(g) - 0.99 * alpha * 1.0, 0)
        assert np.any(penalty.subdiff_distance(np.zeros(3), g / (0.99 * alpha)) > 0), scaled


def test_penalties_of_one_kind_share_their_loops():
    x = np.ones(3)
    penalties.L1(1.0).value(x)
    before = _elementwise._sum_loop.cache_info().currsize, _elementwise._array_loop.cache_info()
    for level in range(5):
        penalty = penalties.L1(float(level))
        penalty.value(x)
        penalty.prox(x)
    after = _elementwise._sum_loop.cache_info().currsize, _elementwise._array_loop.cache_info()
    assert after[0] == before[0]
    assert after[1].currsize <= before[1].currsize + 1
    alive = weakref.ref(penalty)
    del penalty
    gc.collect()
    assert alive() is None


def test_without_compilation():
    """Everything runs as plain Python where Numba is switched off."""
    run_python(
        """
import numpy as np
import sparseopt as so
A = np.eye(4)
for penalty in (so.penalties.L1(0.5), so.penalties.MCP(0.5, 3.0), so.penalties.Simplex(),
                so.penalties.GroupL2(0.5, [0, 0, 1, 1])):
    assert so.minimize(so.losses.LeastSquares(A, np.ones(4)), penalty).success
""",
        env={"NUMBA_DISABLE_JIT": "1"},
    )


def test_penalties_do_not_change():
    penalty = penalties.L1(np.ones(3))
    with pytest.raises(AttributeError, match="lam of L1 cannot be changed"):
        penalty.lam = 2.0
    again = pickle.loads(pickle.dumps(penalty))
    assert again.is_norm and np.array_equal(again.lam, penalty.lam)


def test_zero_is_not_in_the_simplex_however_long():
    for dtype, n in ((np.float32, 200_000), (np.float64, 1_000_000)):
        assert penalties.Simplex().value(np.zeros(n, dtype)) == np.inf
        v = np.random.default_rng(0).standard_normal(n).astype(dtype)
        assert penalties.Simplex().value(penalties.Simplex().prox(v)) == 0.0


def test_empty_problems():
    for shape in ((0, 5), (5, 0)):
        loss = so.losses.LeastSquares(np.zeros(shape), np.zeros(shape[0]))
        result = so.minimize(loss, so.penalties.L1(1.0))
        assert result.success and result.x.shape == (shape[1],) and not result.x.any()


def test_the_lipschitz_constant_is_found_once():
    calls = []
    base = np.random.default_rng(0).standard_normal((20, 30))

    from scipy.sparse.linalg import LinearOperator

    def forward(x):
        calls.append(1)
        return base @ x

    A = LinearOperator(base.shape, matvec=forward, rmatvec=lambda u: base.T @ u, dtype=float)
    loss = so.losses.LeastSquares(A, base[:, 0])
    first = so.minimize(loss, so.penalties.L1(0.1))
    calls.clear()
    again = so.minimize(loss, so.penalties.L1(0.1), x0=first)
    assert len(calls) <= 4 + again.nit


def test_root_searches_run_in_double():
    v = np.random.default_rng(0).standard_normal(500).astype(np.float32) * 3
    single = so.prox.lq(v, 0.7, 0.999)
    double = so.prox.lq(v.astype(float), 0.7, 0.999)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-6, atol=1e-7)
