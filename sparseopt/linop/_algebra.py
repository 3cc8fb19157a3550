"""Operators made of operators: adjoint, conjugate, multiple, product."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .._core import as_scipy
from ._base import Operator
from ._checks import Array


class Adjoint(Operator):
    """The adjoint of an operator; its own adjoint is the operator itself."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(
            operator.out_shape,
            operator.in_shape,
            dtype=operator.dtype,
            norm_bound=operator.norm_bound,
        )
        self.operator = operator

    def _forward(self, x: Array) -> Array:
        return self.operator._backward(x)

    def _backward(self, y: Array) -> Array:
        return self.operator._forward(y)

    def _adjoint(self) -> Operator:
        return self.operator


class Conjugate(Operator):
    """The operator whose matrix has the conjugate entries."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(
            operator.in_shape,
            operator.out_shape,
            dtype=operator.dtype,
            norm_bound=operator.norm_bound,
        )
        self.operator = operator

    def _forward(self, x: Array) -> Array:
        return self.operator._forward(x.conj()).conj()

    def _backward(self, y: Array) -> Array:
        return self.operator._backward(y.conj()).conj()


class Scaled(Operator):
    """A multiple of an operator."""

    def __init__(self, operator: Operator, factor: Any) -> None:
        # A Python number multiplies a float32 array without widening it; a NumPy scalar does not.
        self.factor = complex(factor) if np.iscomplexobj(factor) else float(factor)
        bound = operator.norm_bound
        super().__init__(
            operator.in_shape,
            operator.out_shape,
            dtype=np.result_type(operator.dtype, np.complex64)
            if isinstance(self.factor, complex)
            else operator.dtype,
            norm_bound=None if bound is None else abs(self.factor) * bound,
        )
        self.operator = operator

    def _forward(self, x: Array) -> Array:
        return self.factor * self.operator._forward(x)

    def _backward(self, y: Array) -> Array:
        return self.factor.conjugate() * self.operator._backward(y)


class Foreign(Operator):
    """A matrix or SciPy operator without shapes of its own: flat in, flat out."""

    def __init__(self, matrix: LinearOperator) -> None:
        super().__init__(
            matrix.shape[1], matrix.shape[0], dtype=np.result_type(matrix.dtype, np.float32)
        )
        self.matrix = matrix

    def _forward(self, x: Array) -> Array:
        columns = self.matrix.matmat(x.reshape(-1, self.shape[1]).T)
        return np.asarray(columns).T.reshape(x.shape[:-1] + self.out_shape)

    def _backward(self, y: Array) -> Array:
        columns = self.matrix.rmatmat(y.reshape(-1, self.shape[0]).T)
        return np.asarray(columns).T.reshape(y.shape[:-1] + self.in_shape)


class Product(Operator):
    """``left @ right``; its norm bound is the product of the two bounds where both are known."""

    def __init__(self, left: Operator, right: Operator) -> None:
        bounds = left.norm_bound, right.norm_bound
        super().__init__(
            right.in_shape,
            left.out_shape,
            dtype=np.result_type(left.dtype, right.dtype),
            norm_bound=None if bounds[0] is None or bounds[1] is None else bounds[0] * bounds[1],
        )
        self.left, self.right = left, right

    def _forward(self, x: Array) -> Array:
        batch = x.shape[: x.ndim - len(self.in_shape)]
        return self.left._forward(self.right._forward(x).reshape(batch + self.left.in_shape))

    def _backward(self, y: Array) -> Array:
        batch = y.shape[: y.ndim - len(self.out_shape)]
        return self.right._backward(self.left._backward(y).reshape(batch + self.right.out_shape))

    def _adjoint(self) -> Operator:
        return Product(self.right.H, self.left.H)


def compose(*factors: Any) -> Operator:
    r"""The product :math:`A_1 A_2 \cdots A_p` of operators and matrices, never formed.

    ``A @ B`` of two operators is ``compose(A, B)``. Written out, ``compose`` also takes dense
    matrices (where ``A @ X`` would multiply at once, as in SciPy) and operators of SciPy or PyLops
    in first place (where ``@`` is theirs and forgets shapes and bounds).

    Parameters
    ----------
    *factors : Operator, LinearOperator, ndarray or SciPy sparse
        From left to right; the last is applied first. Those that are no `Operator` map flat
        vectors to flat vectors. Where one factor gives ``(8, 8)`` and the next takes ``(64,)``,
        or the other way round, the array is reshaped in C order.

    Returns
    -------
    Operator
        With the ``in_shape`` of the last factor and the ``out_shape`` of the first.
        ``norm_bound`` is the product of the bounds if all are known, else None.

    Raises
    ------
    ValueError
        If neighbours do not fit.
    TypeError
        If a factor is none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import DCT, compose
    >>> A = compose(np.ones((2, 12)), DCT((3, 4)))
    >>> A
    <Product (3, 4) -> (2,), dtype=float64>
    >>> A(np.ones((3, 4))).round(6)
    array([3.464102, 3.464102])
    """
    if not factors:
        raise ValueError("factors must hold at least one operator, got none")
    operators = [_as_operator(factor, position) for position, factor in enumerate(factors)]
    result = operators[-1]
    for position in range(len(operators) - 2, -1, -1):
        left = operators[position]
        gives, takes = result.out_shape, left.in_shape
        # Two different grids of one size are more likely a mistake than a wish to reshape.
        if left.shape[1] != result.shape[0] or (gives != takes and min(len(gives), len(takes)) > 1):
            raise ValueError(
                f"factors[{position}] must take what factors[{position + 1}] gives, of shape "
                f"{gives}, but takes {takes}"
            )
        result = Product(left, result)
    return result


def _as_operator(factor: Any, position: int) -> Operator:
    if isinstance(factor, Operator):
        return factor
    factor = as_scipy(factor)
    matrix = isinstance(factor, np.ndarray) and factor.ndim == 2
    if not (matrix or issparse(factor) or isinstance(factor, LinearOperator)):
        raise TypeError(
            f"factors[{position}] must be an operator, a matrix or SciPy sparse, got "
            f"{type(factor).__name__}"
        )
    return Foreign(aslinearoperator(factor))
