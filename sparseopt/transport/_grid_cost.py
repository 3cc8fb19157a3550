"""Costs between the cells of a regular grid: a sum over the axes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core._validate import integer, parameter, positive

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class GridCost:
    r"""Cost between the cells of a regular grid, a sum over the axes.

    .. math:: C_{ij} = \sum_d |h_d (i_d - j_d)|^p

    with i and j running over the cells in C order (as ``density.ravel()`` does). With
    ``power=2`` this is the squared Euclidean distance, with ``power=1`` the city-block distance.
    A solver that takes it in place of the matrix needs memory for the cells, not for the costs;
    `wasserstein` and `barycenter` also use the sum: a product with :math:`e^{-C/\varepsilon}` is
    one small product per axis.

    Parameters
    ----------
    shape : int or tuple of int
        Cells along each axis.
    power : float
        The p, at least 1.
    spacing : float or tuple of float
        The side h of a cell, the same for all axes or one for each.
    dtype : dtype
        The type of plans, float32 or float64.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of range.

    Examples
    --------
    >>> from sparseopt import transport
    >>> transport.GridCost((2, 2)).to_array()
    array([[0., 1., 1., 2.],
           [1., 0., 2., 1.],
           [1., 2., 0., 1.],
           [2., 1., 1., 0.]])
    """

    cells: tuple[int, ...]
    power: float
    spacing: tuple[float, ...]
    type: str
    rows: Array | None
    cols: Array | None

    def __init__(
        self,
        shape: int | Sequence[int],
        power: float = 2.0,
        *,
        spacing: float | Sequence[float] = 1.0,
        dtype: Any = np.float64,
    ) -> None:
        sides = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if not sides:
            raise ValueError("shape must have an axis, got ()")
        cells = tuple(integer("shape", side, 1) for side in sides)
        steps = tuple(spacing) if isinstance(spacing, Sequence) else (spacing,) * len(cells)
        if len(steps) != len(cells):
            raise ValueError(f"spacing must have {len(cells)} numbers, got {len(steps)}")
        kind = np.dtype(dtype)
        if kind not in (np.float32, np.float64):
            raise TypeError(f"dtype must be float32 or float64, got {kind}")
        self._set(
            cells,
            parameter("power", positive("power", power), low=1.0),
            tuple(positive("spacing", step) for step in steps),
            kind.name,
        )

    def _set(self, *values: Any, rows: Array | None = None, cols: Array | None = None) -> None:
        named = zip(("cells", "power", "spacing", "type"), values, strict=True)
        for name, value in (*named, ("rows", rows), ("cols", cols)):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """Cells of the grid."""
        return math.prod(self.cells)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of atoms: of all cells, or of those taken."""
        return (
            self.size if self.rows is None else self.rows.size,
            self.size if self.cols is None else self.cols.size,
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of plans under this cost."""
        return np.dtype(self.type)

    @property
    def whole(self) -> bool:
        """Whether all cells are there, so that the cost is a sum over the axes."""
        return self.rows is None and self.cols is None

    def axis(self, d: int) -> Array:
        """The costs along one axis, a symmetric matrix."""
        places = self.spacing[d] * np.arange(self.cells[d])
        far = np.abs(places[:, None] - places)
        return far if self.power == 1.0 else far**self.power

    def tile(self, start: int, stop: int) -> Array:
        """Costs of some rows to all columns."""
        rows = np.arange(self.size) if self.rows is None else self.rows
        here = np.unravel_index(rows[start:stop], self.cells)
        C = np.zeros((stop - start, *self.cells))
        for d, at in enumerate(here):
            along = self.axis(d)[at]
            shape = [stop - start] + [1] * len(self.cells)
            shape[1 + d] = self.cells[d]
            C += along.reshape(shape)
        C = C.reshape(stop - start, self.size)
        return C if self.cols is None else np.ascontiguousarray(C[:, self.cols])

    def to_array(self) -> Array:
        """The matrix of all costs."""
        return self.tile(0, self.shape[0]).astype(self.dtype, copy=False)

    def take(self, rows: Array, cols: Array) -> GridCost:
        """The cost between some of the cells."""
        part = object.__new__(GridCost)
        part._set(
            self.cells,
            self.power,
            self.spacing,
            self.type,
            rows=rows if self.rows is None else self.rows[rows],
            cols=cols if self.cols is None else self.cols[cols],
        )
        return part

    def data(self) -> dict[str, Any]:
        """The fields."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> GridCost:
        """The cost of `data`."""
        cost = object.__new__(cls)
        names = ("cells", "power", "spacing", "type")
        cost._set(*(data[name] for name in names), rows=data["rows"], cols=data["cols"])
        return cost
