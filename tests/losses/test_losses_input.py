"""What the losses refuse, and in which words."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparseopt.losses import Huber, Logistic, Multinomial, Poisson, Quadratic, SquaredHinge

A4 = np.ones((4, 2))
BAD = [
    (lambda: Logistic(A4, [0, 1, 2, 0]), ValueError, "y must hold labels of exactly 2 classes"),
    (lambda: Logistic(A4, [1, 1, 1, 1]), ValueError, "exactly 2 classes, got 1"),
    (lambda: Logistic(A4, [0, 1, np.nan, 0]), ValueError, "y must be finite"),
    (lambda: Logistic(A4, [0, 1]), ValueError, "y must have 4 rows"),
    (lambda: Logistic(A4, np.ones((4, 1, 1))), ValueError, r"y must have 1 or 2 dimension"),
    (lambda: Logistic(1j * A4, [0, 1, 0, 1]), TypeError, "A must be real"),
    (lambda: Logistic(A4, [0, 1, 0, 1], intercept=1), TypeError, "intercept must be a bool"),
    (
        lambda: Logistic(A4, [0, 1, 0, 1], sample_weights=[1, 0, 1, 0], intercept=True),
        ValueError,
        "y must hold both classes",
    ),
    (lambda: SquaredHinge(A4, [0, 1, 2, 0]), ValueError, "exactly 2 classes, got 3: 0, 1, 2"),
    (lambda: Huber(A4, np.ones(4), 0.0), ValueError, "delta must be a positive"),
    (lambda: Huber(A4, np.ones(4), np.nan), ValueError, "delta must be a positive"),
    (lambda: Huber(A4, 1j * np.ones(4), 1.0), TypeError, "y must be real"),
    (lambda: Huber(A4, [1, 2, np.inf, 0], 1.0), ValueError, "y must be finite"),
    (lambda: Poisson(A4, [1, 2, -1, 0]), ValueError, "y must be counts >= 0, got -1"),
    (lambda: Poisson(A4, [1, 2, np.nan, 0]), ValueError, "y must be finite"),
    (lambda: Poisson(A4, np.zeros(4), intercept=True), ValueError, "y must have a positive count"),
    (lambda: Multinomial(A4, np.zeros(4)), ValueError, "at least 2 classes, got 1"),
    (lambda: Multinomial(A4, np.eye(4)), ValueError, r"y must have 1 dimension"),
    (
        lambda: Multinomial(A4, [0, 1, 2, 1], sample_weights=[1, 1, 0, 1], intercept=True),
        ValueError,
        "leave every class some weight",
    ),
    (lambda: Poisson(A4, np.ones(4), sample_weights=-np.ones(4)), ValueError, "sample_weights"),
    (lambda: Poisson(A4, np.ones(4), sample_weights=[1.0]), ValueError, "sample_weights must have"),
    (
        lambda: Huber(A4, np.ones(4), 1.0, sample_weights=np.zeros(4), intercept=True),
        ValueError,
        "must not all be zero",
    ),
    (lambda: Huber(np.ones((0, 2)), np.ones(0), 1.0, intercept=True), ValueError, "have rows"),
    (lambda: Quadratic(A4, np.ones(4)), ValueError, "Q must be square"),
    (lambda: Quadratic([[1.0, 2.0], [0.0, 1.0]], [1.0, 1.0]), ValueError, "Q must be symmetric"),
    (lambda: Quadratic(sp.csr_array([[1.0, 2.0], [0.0, 1.0]]), [1, 1]), ValueError, "symmetric"),
    (lambda: Quadratic(-np.eye(2), [1.0, 1.0]), ValueError, "Q must be positive semidefinite"),
    (lambda: Quadratic(np.eye(2), [1.0]), ValueError, r"q must have shape \(2,\)"),
    (lambda: Quadratic(np.eye(2), [1.0, np.nan]), ValueError, "q must be finite"),
    (lambda: Quadratic(1j * np.eye(2), [1.0, 1.0]), TypeError, "Q must be real"),
    (lambda: Quadratic([[np.nan]], [1.0]), ValueError, "Q must be finite"),
    (lambda: Quadratic(np.eye(2), [1.0, 1.0]).value([1.0]), ValueError, "x must have shape"),
    (lambda: Logistic(A4, [0, 1, 0, 1]).hessian_product([1.0, 1.0]), TypeError, "needs x"),
    (lambda: Logistic(A4, [0, 1, 0, 1]).value(np.ones(3)), ValueError, "x must have shape"),
    (lambda: Multinomial(A4, [0, 1, 0, 1]).curvature_at(A4), TypeError, "not diagonal"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
