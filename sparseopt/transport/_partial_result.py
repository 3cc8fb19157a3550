"""Records of problems with a dummy atom on either side, which takes what is not transported."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from ._costs import CostLike, MatrixCost, from_data
from ._entropic_result import EntropicResult
from ._explicit import ExplicitResult

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class DummyCost:
    """A cost with one more row and column that cost nothing; their own pair is forbidden."""

    inner: CostLike

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of atoms."""
        n, m = self.inner.shape
        return n + 1, m + 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of plans under this cost."""
        return self.inner.dtype

    def tile(self, start: int, stop: int) -> Array:
        """Rows, the last of which is the dummy."""
        n, m = self.inner.shape
        C = np.zeros((stop - start, m + 1))
        if start < n:
            C[: min(stop, n) - start, :m] = self.inner.tile(start, min(stop, n))
        if stop > n:
            C[-1, m] = np.inf
        return C

    def take(self, rows: Array, cols: Array) -> CostLike:
        """The cost between some of the atoms."""
        n, m = self.inner.shape
        if rows[-1] == n and cols[-1] == m and rows.size > 1 and cols.size > 1:
            return DummyCost(self.inner.take(rows[:-1], cols[:-1]))
        if rows[-1] < n and cols[-1] < m:
            return self.inner.take(rows, cols)
        C = self.tile(0, n + 1)[np.ix_(rows, cols)]
        return MatrixCost(C.astype(self.dtype, copy=False))

    def data(self) -> dict[str, Any]:
        """The cost inside."""
        return {"dummy": self.inner.data()}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> DummyCost:
        """The cost of `data`."""
        return cls(from_data(data["dummy"]))


class _WithoutDummies:
    """A plan between the atoms that were given."""

    @cached_property
    def plan(self) -> Any:
        """The plan, without the dummies; dense or sparse as the solver was asked."""
        if self.sparse:  # type: ignore[attr-defined]
            return self.sparse_plan()
        return super().plan[:-1, :-1]  # type: ignore[misc]

    def sparse_plan(self, threshold: float | None = None) -> Any:
        """The plan as a CSR array, without the dummies; see `TransportResult`."""
        return super().sparse_plan(threshold)[:-1, :-1]  # type: ignore[misc]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PartialResult(_WithoutDummies, EntropicResult):
    """What `partial` found with an entropic term; see `EntropicResult` for what is not listed.

    Attributes
    ----------
    plan : ndarray or csr_array, shape (n, m)
        The plan, without the dummies.
    potentials, a, b : ndarray, n + 1 and m + 1 entries
        As for all atoms, the dummies last.
    cost, bracket : float, tuple of float
        The transport cost, and bounds of the least one: the dummies cost nothing.
    value, gap : float
        The objective, in whose entropy the dummies take part, and its duality gap.
    """


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ExactPartialResult(_WithoutDummies, ExplicitResult):
    """What `partial` found without an entropic term; see `ExplicitResult` for what is not listed.

    Attributes
    ----------
    plan : ndarray or csr_array, shape (n, m)
        The plan, without the dummies.
    potentials, entries, a, b : ndarray
        As for all atoms, the dummies last.
    """
