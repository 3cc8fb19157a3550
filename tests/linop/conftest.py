"""Oracles for linear operators: dense matrices built column by column from single calls."""

from __future__ import annotations

import pickle

import numpy as np
import pytest


def dense(operator):
    """The matrix, from one unshared, unbatched application per basis vector."""
    size = operator.shape[1]
    columns = []
    for i in range(size):
        basis = np.zeros(size)
        basis[i] = 1.0
        columns.append(operator(basis.reshape(operator.in_shape)).reshape(-1))
    return np.stack(columns, axis=1)


def random_array(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def check_operator(operator):
    """Everything that must hold for any operator; returns its dense matrix."""
    matrix = dense(operator)
    scale = max(1.0, np.abs(matrix).max())
    np.testing.assert_allclose(dense(operator.H), matrix.conj().T, atol=1e-12 * scale)
    np.testing.assert_allclose(dense(operator.T), matrix.T, atol=1e-12 * scale)
    assert operator.H.H is operator
    assert operator.H.in_shape == operator.out_shape
    assert operator.H.norm_bound == operator.norm_bound
    if operator.norm_bound is not None:
        assert np.linalg.norm(matrix, 2) <= operator.norm_bound * (1 + 1e-12)

    complex_operator = matrix.dtype.kind == "c"
    for dtype, tol in [("f4", 2e-5), ("f8", 1e-12), ("c8", 2e-5), ("c16", 1e-12)]:
        for op, m in [(operator, matrix), (operator.H, matrix.conj().T)]:
            x = random_array((2, 3, *op.in_shape), dtype)
            before = x.copy()
            got = op(x)
            flat = x.reshape(6, -1)
            want = (m @ flat.T).T.reshape(2, 3, *op.out_shape)
            np.testing.assert_allclose(got, want, atol=tol * scale * 10)
            np.testing.assert_array_equal(x, before)
            kind = np.dtype(dtype)
            if complex_operator:
                kind = np.result_type(kind, np.complex64)
            assert got.dtype == kind, (op, dtype)
            np.testing.assert_allclose(op(x[1, 2]), got[1, 2], atol=tol * scale)
            np.testing.assert_allclose(op @ flat.T, got.reshape(6, -1).T, atol=tol * scale)
            np.testing.assert_allclose(op.matvec(flat[0]), got[0, 0].ravel(), atol=tol * scale)
            # A batch whose memory runs the other way.
            turned = np.asfortranarray(x)
            np.testing.assert_allclose(op(turned), got, atol=tol * scale)
    y = random_array((operator.shape[0], 2), "f8")
    np.testing.assert_allclose(operator.rmatmat(y), matrix.conj().T @ y, atol=1e-11 * scale)
    want = matrix.conj().T @ y[:, 0]
    np.testing.assert_allclose(operator.rmatvec(y[:, 0]), want, atol=1e-11 * scale)
    np.testing.assert_allclose(y.T @ operator, y.T @ matrix, atol=1e-11 * scale)
    assert operator(np.zeros((0, *operator.in_shape))).shape == (0, *operator.out_shape)
    assert operator.H(np.zeros((0, *operator.out_shape))).shape == (0, *operator.in_shape)
    assert operator(np.zeros(operator.in_shape, int)).dtype.itemsize >= 8

    copy = pickle.loads(pickle.dumps(operator))
    np.testing.assert_array_equal(dense(copy), matrix)
    assert copy.in_shape == operator.in_shape and copy.dtype == operator.dtype
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., "):
        operator(np.zeros((*operator.in_shape[:-1], operator.in_shape[-1] + 1)))
    with pytest.raises(TypeError, match="x must be"):
        operator(np.full(operator.in_shape, "a"))
    return matrix


@pytest.fixture(name="check_operator")
def check_operator_fixture():
    return check_operator


@pytest.fixture(name="dense")
def dense_fixture():
    return dense
