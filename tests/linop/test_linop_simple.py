"""Diagonal, Mask, FiniteDifference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseopt.linop import Diagonal, FiniteDifference, Mask

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@pytest.mark.parametrize("d", [[2.0], [[1.0, -3.0], [0.5, 0.0]], [1j, 2 - 1j]])
def test_diagonal(d, check_operator):
    A = Diagonal(d)
    np.testing.assert_allclose(check_operator(A), np.diag(np.ravel(d)))
    assert A.norm_bound == np.abs(d).max()
    assert A.dtype == (np.complex128 if np.iscomplexobj(d) else np.float64)


def test_diagonal_copies():
    d = np.ones(3)
    A = Diagonal(d)
    d[:] = 5
    np.testing.assert_array_equal(A(np.ones(3)), np.ones(3))


@pytest.mark.parametrize(
    ("d", "kwargs", "error", "match"),
    [
        (3.0, {}, ValueError, "d must have at least one axis"),
        ([], {}, ValueError, "d must have at least one axis"),
        ([1.0, np.nan], {}, ValueError, "d must be finite"),
        (["a"], {}, TypeError, "d must be"),
        ([1j], {"dtype": float}, TypeError, "dtype must be one of complex64"),
    ],
)
def test_diagonal_errors(d, kwargs, error, match):
    with pytest.raises(error, match=match):
        Diagonal(d, **kwargs)


def test_mask(check_operator):
    A = Mask((2, 3), [4, 0, 5])
    np.testing.assert_array_equal(check_operator(A), np.eye(6)[[4, 0, 5]])
    B = Mask((2, 3), [[True, False, False], [False, True, True]])
    np.testing.assert_array_equal(check_operator(B), np.eye(6)[[0, 4, 5]])
    check_operator(Mask(1, [0]))


@pytest.mark.parametrize(
    ("keep", "error", "match"),
    [
        ([], ValueError, "keep must select at least one"),
        ([[0]], ValueError, "keep must select"),
        ([False] * 4, ValueError, "keep must select"),
        ([True] * 3, ValueError, r"keep as a mask must have shape \(4,\), got \(3,\)"),
        ([0, 4], ValueError, r"keep must lie in \[0, 4\)"),
        ([-1], ValueError, r"keep must lie in \[0, 4\)"),
        ([1, 1], ValueError, "keep must not contain duplicates"),
        ([0.0], TypeError, "keep must be boolean or integer"),
    ],
)
def test_mask_errors(keep, error, match):
    with pytest.raises(error, match=match):
        Mask(4, keep)


def difference_matrix(n):
    return np.diff(np.eye(n), axis=0)


@settings(deadline=None, max_examples=25)
@given(shape=shapes)
def test_difference_all_axes(shape):
    A = FiniteDifference(shape)
    blocks = []
    for axis, n in enumerate(shape):
        step = np.vstack([difference_matrix(n), np.zeros(n)])
        before, after = np.eye(int(np.prod(shape[:axis]))), np.eye(int(np.prod(shape[axis + 1 :])))
        blocks.append(np.kron(np.kron(before, step), after))
    want = np.vstack(blocks)
    np.testing.assert_array_equal(A @ np.eye(A.shape[1]), want)
    np.testing.assert_array_equal(A.H @ np.eye(A.shape[0]), want.T)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [(5, 0), (5, None), ((3, 4), 0), ((3, 4), -1), ((2, 3, 2), 1), ((3, 4), None)],
)
def test_difference(shape, axis, check_operator):
    A = FiniteDifference(shape, axis)
    matrix = check_operator(A)
    if axis is not None:
        want = np.diff(np.eye(A.shape[1]).reshape(*A.in_shape, -1), axis=axis % len(A.in_shape))
        np.testing.assert_array_equal(matrix, want.reshape(A.shape))
    assert A.norm_bound == 2 * np.sqrt(len(A.in_shape) if axis is None else 1)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        (((3, 4), 2), ValueError, "axis must be between -2 and 1"),
        (((3, 4), 0.5), TypeError, "axis must be an integer"),
        (((3, 1), 1), ValueError, r"shape\[1\] must be at least 2"),
        (((3, 0),), ValueError, r"shape\[1\] must be at least 1"),
    ],
)
def test_difference_errors(args, error, match):
    with pytest.raises(error, match=match):
        FiniteDifference(*args)
