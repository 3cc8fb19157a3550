"""Costs as something that hands out rows: a matrix, or points whose costs are computed in tiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from .._core._validate import choice, finite_array, positive

Array = np.ndarray[Any, Any]

TILE = 1 << 20  # entries of a tile: 8 MB


class CostLike(Protocol):
    """What the solvers of this field ask of a cost."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of atoms."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of plans under this cost."""
        ...

    def tile(self, start: int, stop: int) -> Array:
        """Rows ``start`` to ``stop`` as a C-contiguous float64 array, not to be written to."""
        ...

    def take(self, rows: Array, cols: Array) -> CostLike:
        """The cost between some of the atoms."""
        ...

    def data(self) -> dict[str, Any]:
        """Arrays and plain values from which `from_data` makes the cost again."""
        ...


def tiles(cost: CostLike) -> Iterator[tuple[int, int, Array]]:
    """Run through a cost: first row, row after the last, and the entries."""
    n, m = cost.shape
    height = max(1, TILE // max(m, 1))
    for start in range(0, n, height):
        stop = min(n, start + height)
        yield start, stop, cost.tile(start, stop)


@dataclasses.dataclass(frozen=True, eq=False)
class MatrixCost:
    """A dense array, float32 or float64, less a number taken off in float64."""

    C: Array
    shift: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of atoms."""
        return self.C.shape[0], self.C.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self.C.dtype

    def tile(self, start: int, stop: int) -> Array:
        """Rows in float64."""
        C = np.ascontiguousarray(self.C[start:stop], dtype=np.float64)
        return C - self.shift if self.shift else C

    def take(self, rows: Array, cols: Array) -> MatrixCost:
        """A submatrix."""
        return MatrixCost(self.C[np.ix_(rows, cols)], self.shift)

    def shifted(self, shift: float) -> MatrixCost:
        """The cost less a number: at once in float64, later for the sake of memory in float32."""
        if self.C.dtype == np.float64:
            return MatrixCost(self.C - shift)
        return MatrixCost(self.C, shift)

    def data(self) -> dict[str, Any]:
        """The array."""
        return {"C": self.C, "shift": self.shift}


@dataclasses.dataclass(frozen=True, eq=False)
class ShiftedCost:
    """Costs that are computed when needed, less a number."""

    inner: CostLike
    shift: float

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of atoms."""
        return self.inner.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of plans under this cost."""
        return self.inner.dtype

    def tile(self, start: int, stop: int) -> Array:
        """Rows in float64."""
        return self.inner.tile(start, stop) - self.shift

    def take(self, rows: Array, cols: Array) -> ShiftedCost:
        """The cost between some of the atoms."""
        return ShiftedCost(self.inner.take(rows, cols), self.shift)

    def data(self) -> dict[str, Any]:
        """Those of the cost, and the number."""
        return {"inner": self.inner.data(), "shift": self.shift}


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class PointCost:
    r"""Cost between two clouds of points, computed in blocks where it is needed.

    .. math::
        C_{ij} = s\, d(x_i, y_j), \qquad
        d(x, y) = \|x - y\|_2^2,\ \|x - y\|_2,\ \|x - y\|_1,\ \|x - y\|_p
        \text{ or } 1 - \frac{\langle x, y\rangle}{\|x\|_2 \|y\|_2}

    A solver that takes it in place of the matrix needs memory for the points, the potentials and
    the significant entries of the plan, not for the costs.

    Parameters
    ----------
    x, y : array_like, shape (n, d) and (m, d), or (n,) and (m,)
        Finite points.
    metric : {"sqeuclidean", "euclidean", "cityblock", "minkowski", "cosine"} or callable
        The distance, or ``metric(x, y) -> (n, m)`` for blocks of points.
    p : float
        The power of ``"minkowski"``, at least 1.
    scale : float
        The factor s, positive.

    Raises
    ------
    ValueError
        If points are not finite, their dimensions differ, a vector is zero under ``"cosine"``, or
        a parameter is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> cost = transport.PointCost([[0.0], [1.0]], [[0.0], [3.0]], metric="cityblock")
    >>> cost.to_array()
    array([[0., 3.],
           [1., 2.]])
    """

    x: Array
    y: Array
    metric: str | Callable[[Array, Array], Any]
    p: float
    scale: float

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        metric: str | Callable[[Array, Array], Any] = "sqeuclidean",
        p: float = 2.0,
        scale: float = 1.0,
    ) -> None:
        x = finite_array("x", x, ndim=(1, 2))
        y = finite_array("y", y, ndim=(1, 2))
        if "c" in (x.dtype.kind, y.dtype.kind):
            raise TypeError("x and y must be real, got complex points")
        if not x.size or not y.size:
            raise ValueError(f"x and y must hold points, got shapes {x.shape} and {y.shape}")
        x = np.array(x.reshape(len(x), -1), order="C")
        y = np.array(y.reshape(len(y), -1), order="C")
        if x.shape[1] != y.shape[1]:
            raise ValueError(f"y must have points of dimension {x.shape[1]} as x, got {y.shape[1]}")
        if not callable(metric):
            choice("metric", metric, _METRICS)
        p = positive("p", p)
        if metric == "minkowski" and p < 1.0:
            raise ValueError(f"p must be at least 1, got {p}")
        if metric == "cosine" and not (np.any(x, axis=1).all() and np.any(y, axis=1).all()):
            raise ValueError("x and y must hold no zero vector with metric='cosine'")
        for name, value in (("x", x), ("y", y), ("metric", metric), ("p", p)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "scale", positive("scale", scale))

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points."""
        return len(self.x), len(self.y)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of plans made from these points."""
        return np.result_type(self.x, self.y)

    def tile(self, start: int, stop: int) -> Array:
        """Costs of the points ``start`` to ``stop`` of x to all of y."""
        x = self.x[start:stop].astype(np.float64, copy=False)
        y = self.y.astype(np.float64, copy=False)
        if callable(self.metric):
            C = np.asarray(self.metric(x, y), dtype=np.float64)
            if C.shape != (len(x), len(y)):
                raise ValueError(
                    f"metric must return shape {(len(x), len(y))} for these points, got {C.shape}"
                )
        else:
            from scipy.spatial.distance import cdist

            more = {"p": self.p} if self.metric == "minkowski" else {}
            C = cdist(x, y, self.metric, **more)
        return np.ascontiguousarray(C if self.scale == 1.0 else C * self.scale)

    def to_array(self) -> Array:
        """The matrix of all costs, shape (n, m)."""
        return self.tile(0, len(self.x)).astype(self.dtype, copy=False)

    def take(self, rows: Array, cols: Array) -> PointCost:
        """The cost between some of the points."""
        return PointCost(self.x[rows], self.y[cols], metric=self.metric, p=self.p, scale=self.scale)

    def data(self) -> dict[str, Any]:
        """The points and the metric; a callable metric cannot be saved."""
        return {
            "x": self.x,
            "y": self.y,
            "metric": self.metric,
            "p": self.p,
            "scale": self.scale,
        }


_METRICS = ("sqeuclidean", "euclidean", "cityblock", "minkowski", "cosine")


def from_data(data: dict[str, Any]) -> CostLike:
    """The cost that `data` was made from."""
    if "C" in data:
        return MatrixCost(**data)
    if "inner" in data:
        return ShiftedCost(from_data(data["inner"]), data["shift"])
    if "dummy" in data:
        from ._partial_result import DummyCost

        return DummyCost.from_data(data)
    if "cells" in data:
        from ._grid_cost import GridCost

        return GridCost.from_data(data)
    if "power" in data:
        from ._wasserstein_1d import LineCost

        return LineCost(**data)
    return PointCost(**data)
