"""Objective and duality gap of the lasso family from their definitions, from what came back."""

import numpy as np
from scipy import sparse as sp


def certify(A, y, result, levels, *, loss="squares", weights=None, ridge=0.0, positive=False):
    """The relative gap of ``result`` by its ``dual``, which must be feasible; KKT is checked."""
    A = A.toarray() if sp.issparse(A) else np.asarray(A, float)
    y = np.asarray(y, float)
    m, n = A.shape
    v = np.ones(m) if weights is None else np.asarray(weights, float)
    levels = np.broadcast_to(np.asarray(levels, float), (n,))
    x, theta, b = result.x.astype(float), result.dual.astype(float), result.intercept
    z = A @ x + b
    active, used, penalised = x != 0, v > 0, np.isfinite(levels)
    assert not x[~penalised].any()
    assert not theta[~used].any()
    if loss == "squares":
        value = 0.5 * np.sum(v * (z - y) ** 2)
        dual = theta @ y - 0.5 * np.sum(theta[used] ** 2 / v[used])
    else:
        value = np.sum(v * np.logaddexp(0.0, -y * z))
        p = (theta * y)[used] / v[used]
        assert p.min(initial=0) >= -1e-12 and p.max(initial=1) <= 1 + 1e-12
        p = np.clip(p, 1e-300, 1.0)
        rest = np.clip(1.0 - p, 1e-300, 1.0)
        dual = -np.sum(v[used] * (p * np.log(p) + rest * np.log(rest)))
    value += np.sum(levels[active] * abs(x[active])) + 0.5 * ridge * (x @ x)
    slopes = A.T @ theta
    push = slopes if positive else abs(slopes)
    if positive:
        assert x.min(initial=0) >= 0
    if ridge:
        dual -= np.sum(np.maximum(abs(slopes) - levels, 0.0) ** 2) / (2 * ridge)
    else:
        room = 1e-12 * (abs(A.T) @ abs(theta))
        assert np.all(push <= levels * (1 + 1e-9) + room)
    if b != 0.0:
        assert abs(theta.sum()) <= 1e-9 * abs(theta).sum()
    np.testing.assert_allclose(result.fun, value, rtol=1e-9, atol=1e-13)
    return value - dual


def null_value(y, *, loss="squares", weights=None, intercept=False):
    """The objective of the best constant; 0 if rounding is all that is left of it."""
    y = np.asarray(y, float)
    v = np.ones(y.size) if weights is None else np.asarray(weights, float)
    if loss == "squares":
        b = (v @ y) / v.sum() if intercept else 0.0
        value = 0.5 * np.sum(v * (y - b) ** 2)
        return value if value > 1e-28 * np.sum(v * y**2) else 0.0
    share = np.array([v[y > 0].sum(), v[y < 0].sum()]) / v.sum()
    return v.sum() * (-(share @ np.log(share)) if intercept else np.log(2.0))
