"""Losses of every kind on small data, and their values by plain NumPy formulas."""

import numpy as np

from sparseopt import losses

M, N, K = 12, 5, 3
LINEAR = ("LeastSquares", "Huber", "Logistic", "SquaredHinge", "Poisson", "Multinomial")
POINTWISE = LINEAR[:-1]
DELTA = 0.7


def matrix(rng, m=M, n=N):
    return rng.standard_normal((m, n)) * (rng.random((m, n)) < 0.7)


def data(name, rng, shape=(M,)):
    """Data that suit a loss; both classes in every column."""
    if name in ("LeastSquares", "Huber"):
        return 2.0 * rng.standard_normal(shape)
    if name == "Poisson":
        return rng.poisson(2.0, shape).astype(float) + (np.arange(shape[0]) == 0).reshape(
            -1, *(1 for _ in shape[1:])
        )
    if name == "Multinomial":
        return np.concatenate([np.arange(K), rng.integers(0, K, shape[0] - K)])
    y = np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    y[0], y[1] = -1.0, 1.0
    return y


def make(name, A, y, **options):
    if name == "Huber":
        return losses.Huber(A, y, DELTA, **options)
    return getattr(losses, name)(A, y, **options)


def entries(name, z, y):
    """One value per sample (and column), straight from the definition."""
    if name == "LeastSquares":
        return 0.5 * (z - y) ** 2
    if name == "Huber":
        r = abs(z - y)
        return np.where(r <= DELTA, 0.5 * r**2, DELTA * r - 0.5 * DELTA**2)
    if name == "Logistic":
        return np.logaddexp(0.0, -y * z)
    if name == "SquaredHinge":
        return 0.5 * np.maximum(0.0, 1.0 - y * z) ** 2
    if name == "Poisson":
        return np.exp(z) - y * z
    rows = np.arange(z.shape[0])
    return np.logaddexp.reduce(z, axis=1) - z[rows, y]


def plain_value(name, z, y, weights=None):
    """The loss without an intercept."""
    values = entries(name, z, y)
    w = np.ones(z.shape[0]) if weights is None else np.asarray(weights)
    return np.tensordot(w, values, axes=1)


def hessian(f, x):
    """Dense Hessian from products with the coordinate vectors."""
    units = np.eye(x.size).reshape(x.size, *x.shape)
    return np.column_stack([f.hessian_product(e, x).ravel() for e in units])


def pairing(name, u, z):
    return np.sum(u * z) if name == "Multinomial" else np.sum(u * z, axis=0)
