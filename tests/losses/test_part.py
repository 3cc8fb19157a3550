"""The loss of a part of the samples is the loss that these samples make."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

from sparseopt import losses

ROWS = np.array([0, 2, 3, 7, 8, 11])


def makers(rng):
    y = rng.standard_normal(12)
    counts = rng.integers(0, 5, 12).astype(float) + 1
    return {
        "LeastSquares": (losses.LeastSquares, y),
        "Huber": (lambda A, y, **o: losses.Huber(A, y, 0.5, **o), y),
        "Logistic": (losses.Logistic, np.arange(12) % 2),
        "SquaredHinge": (losses.SquaredHinge, np.arange(12) % 2),
        "Poisson": (losses.Poisson, counts),
        "Multinomial": (losses.Multinomial, np.arange(12) % 3),
    }


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", list(makers(np.random.default_rng(0))))
def test_part(rng, name, weighted, form):
    make, y = makers(rng)[name]
    A = 0.5 * rng.standard_normal((12, 4))
    weights = rng.random(12) + 0.5 if weighted else None
    whole = make(form(A), y, sample_weights=weights, intercept=True)
    before = whole.lipschitz() if name not in ("Poisson",) else None
    part_weights = weights[ROWS] if weighted else None
    for intercept in (True, False):
        direct = make(form(A[ROWS]), y[ROWS], sample_weights=part_weights, intercept=intercept)
        for rows in (ROWS, np.isin(np.arange(12), ROWS)):
            part = whole.part(rows, intercept=intercept)
            x = rng.standard_normal(whole.shape)
            np.testing.assert_allclose(part.value(x), direct.value(x), rtol=1e-9)
            np.testing.assert_allclose(part.gradient(x), direct.gradient(x), atol=1e-9)
            if before is not None:
                np.testing.assert_allclose(part.lipschitz(), direct.lipschitz(), rtol=0.05)
    assert whole.y.shape[0] == 12 and whole.intercept
    if before is not None:
        assert whole.lipschitz() == before


def test_operators_have_no_rows():
    loss = losses.LeastSquares(aslinearoperator(np.eye(3)), np.ones(3))
    with pytest.raises(TypeError, match="A must be an array"):
        loss.part([0, 1])


@pytest.mark.parametrize("make", [losses.Logistic, losses.Multinomial, losses.Poisson])
def test_part_without_a_best_constant(make):
    loss = make(np.eye(4), [0, 0, 1, 1], intercept=True)
    with pytest.raises(ValueError, match=r"class|count"):
        loss.part([0, 1])
    assert np.isfinite(loss.part([0, 1], intercept=False).value(np.zeros(loss.shape)))
