"""Projections onto halfspaces, hyperplanes and affine sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, namespace, on_host, to_host, to_native
from .._core._validate import axis_index, finite_array, real_input
from ._group_envelope import in_precision
from ._vectors import as_array, as_columns

Array = np.ndarray[Any, Any]


def normal_vector(a: Any, b: Any) -> tuple[Array, float]:
    """A checked normal vector, as float64 and not zero, and the right-hand side."""
    a = np.asarray(finite_array("a", to_host(a), ndim=(1,)), np.float64)
    if not a.any():
        raise ValueError("a must not be the zero vector")
    if np.ndim(b) or not np.isfinite(b):
        raise ValueError(f"b must be a finite number, got {b!r}")
    return a, float(b)


def _shift(v: Any, a: Any, b: Any, axis: int, one_sided: bool) -> Any:
    """Move every fibre along ``a`` to ``a . x = b``, or only those beyond it."""
    v = as_array(real_input("v", v))
    if not is_numpy(v) and on_host(v):
        return to_native(np.asarray(_shift(to_host(v), a, b, axis, one_sided)), v)
    normal, level = normal_vector(a, b)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    if normal.size != columns.shape[0]:
        raise ValueError(f"a must have shape ({columns.shape[0]},), got {normal.shape}")
    xp = namespace(v)
    if not bool(xp.all(xp.isfinite(columns))):
        raise ValueError("v must be finite, got NaN or infinity")
    length = np.linalg.norm(normal)
    unit, level = in_precision(normal / length, columns), level / float(length)
    excess = unit @ columns - level
    if one_sided:
        excess = xp.where(excess > 0, excess, xp.zeros_like(excess))
    moved = columns - unit[:, None] * excess[None]
    return back(moved.astype(columns.dtype) if is_numpy(moved) else moved)


def project_hyperplane(v: Any, a: Any, b: float, *, axis: int = -1) -> Any:
    r"""Projection onto a hyperplane.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \langle a, x \rangle = b

    which is :math:`v - a\,(\langle a, v \rangle - b) / \|a\|^2`.

    Parameters
    ----------
    v : array_like, real
        Point.
    a : array_like, shape (length along ``axis``,)
        Normal vector, not zero.
    b : float
        Level.
    axis : int
        Axis along which the coordinates lie, independently for every fibre.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``a`` is zero or has the wrong shape, or an argument is not finite.
    TypeError
        If ``v`` is complex.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms, section 6.2. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_hyperplane([1.0, 2.0], [0.0, 1.0], 5.0)
    array([1., 5.])
    """
    return _shift(v, a, b, axis, False)


def project_halfspace(v: Any, a: Any, b: float, *, axis: int = -1) -> Any:
    r"""Projection onto a halfspace.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        \langle a, x \rangle \le b

    which is :math:`v - a \max(\langle a, v \rangle - b, 0) / \|a\|^2`.

    Parameters
    ----------
    v : array_like, real
        Point.
    a : array_like, shape (length along ``axis``,)
        Outer normal vector, not zero.
    b : float
        Level.
    axis : int
        Axis along which the coordinates lie, independently for every fibre.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``a`` is zero or has the wrong shape, or an argument is not finite.
    TypeError
        If ``v`` is complex.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms, section 6.2. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_halfspace([1.0, 2.0], [0.0, 1.0], 1.5)
    array([1. , 1.5])
    """
    return _shift(v, a, b, axis, True)


class AffineSystem:
    """The solutions of ``A x = b``, factored once by an orthogonal basis of the rows of A.

    Redundant rows are found by pivoting; rows that contradict each other are an error.
    """

    def __init__(self, A: Any, b: Any) -> None:
        from scipy.linalg import qr, solve_triangular

        matrix = np.asarray(finite_array("A", to_host(A), ndim=(2,)), np.float64)
        right = np.asarray(finite_array("b", to_host(b), ndim=(1,)), np.float64)
        if right.shape != matrix.shape[:1]:
            raise ValueError(f"b must have shape ({matrix.shape[0]},), got {right.shape}")
        self.A, self.b = matrix, right
        q, r, order = qr(matrix.T, mode="economic", pivoting=True)
        sizes = np.abs(np.diag(r))
        tiny = max(matrix.shape) * np.finfo(float).eps * (sizes[0] if sizes.size else 0.0)
        rank = int(np.count_nonzero(sizes > tiny))
        self.basis = np.ascontiguousarray(q[:, :rank])
        self.coefficients = solve_triangular(r[:rank, :rank], right[order[:rank]], trans="T")
        self.point = self.basis @ self.coefficients  # the solution of least norm
        off = np.abs(matrix @ self.point - right)
        scale = np.abs(matrix) @ np.abs(self.point) + np.abs(right)
        if np.any(off > 1e-10 * np.max(scale, initial=0.0)):
            raise ValueError("b must be in the range of A: the equations contradict each other")

    def project(self, columns: Any) -> Any:
        """The nearest solution to every column of an array of shape (n, batch) or (n,)."""
        if not is_numpy(columns) and on_host(columns):
            return to_native(self.project(to_host(columns)), columns)
        basis = in_precision(self.basis, columns)
        goal = in_precision(self.coefficients, columns)
        away = basis.T @ columns - (goal[:, None] if columns.ndim > 1 else goal)
        moved = columns - basis @ away
        return moved.astype(columns.dtype) if is_numpy(moved) else moved


def project_affine(v: Any, A: Any, b: Any, *, axis: int = -1) -> Any:
    r"""Projection onto the solutions of linear equations.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad A x = b

    by an orthogonal basis of the rows of A, so that redundant rows do no harm. To project many
    times, use `sparseopt.penalties.Affine`, which factors A once.

    Parameters
    ----------
    v : array_like, real
        Point.
    A : array_like, shape (m, length along ``axis``)
        Matrix.
    b : array_like, shape (m,)
        Right-hand side, in the range of A.
    axis : int
        Axis along which the coordinates lie, independently for every fibre.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If the equations have no solution, shapes do not match, or an argument is not finite.
    TypeError
        If ``v`` is complex.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms, section 6.2. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_affine([1.0, 2.0, 3.0], [[1.0, 1.0, 0.0]], [1.0]).round(12)
    array([0., 1., 3.])
    """
    v = as_array(real_input("v", v))
    system = AffineSystem(A, b)
    columns, _, back = as_columns(v, axis_index(axis, v.ndim))
    if system.A.shape[1] != columns.shape[0]:
        raise ValueError(f"A must have {columns.shape[0]} columns, got shape {system.A.shape}")
    if not bool(namespace(v).all(namespace(v).isfinite(columns))):
        raise ValueError("v must be finite, got NaN or infinity")
    return back(system.project(columns))
