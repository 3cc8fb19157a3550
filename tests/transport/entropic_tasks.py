"""Problems and oracles of entropic transport that several test files share."""

import numpy as np


def random_task(seed, n, m, mass=1.0):
    """Costs in [0, 1] and random positive masses."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.05, rng.random(m) + 0.05
    return rng.random((n, m)), mass * a / a.sum(), mass * b / b.sum()


def reference_plan(C, a, b, eps, sweeps=3000):
    """Textbook scaling, for problems where nothing underflows."""
    K = np.exp(-np.asarray(C, float) / eps)
    v = np.ones(K.shape[1])
    for _ in range(sweeps):
        u = a / (K @ v)
        v = b / (K.T @ u)
    return u[:, None] * K * v
