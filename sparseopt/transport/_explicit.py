"""The record of a transport problem whose plan is a list of entries, not a formula."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from ._costs import CostLike
from ._result import TransportResult

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ExplicitResult(TransportResult):
    r"""A plan with few entries and exact marginals, and potentials that bound it from below.

    ``fun`` is the dual objective :math:`\langle a, f\rangle + \langle b, g\rangle` of potentials
    with :math:`f_i + g_j \le C_{ij}`; ``certificate`` is the duality gap relative to the total
    mass times the range of the costs. There is no regulariser: ``value`` is ``cost``, and
    ``bracket`` is from ``fun`` to ``cost``. See `TransportResult` for the rest.

    Attributes
    ----------
    entries : tuple of ndarray
        Rows, columns and masses of the plan, and the costs there.
    """

    entries: Any = None

    @cached_property
    def _csr(self) -> Any:
        from scipy.sparse import coo_array

        rows, cols, mass, _ = self.entries
        return coo_array((mass, (rows, cols)), shape=self._cost.shape).tocsr()

    def _entries(self, start: int, stop: int, C: Array) -> Array:
        return self._csr[start:stop].toarray()

    def _regulariser(self, P: Array) -> float:
        return 0.0

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        rows, cols, mass, _ = self.entries
        return np.bincount(rows, mass, self.a.size), np.bincount(cols, mass, self.b.size)

    @cached_property
    def _rounded(self) -> tuple[float, float]:
        mass, costs = self.entries[2:]
        return float(mass @ costs), 0.0

    def sparse_plan(self, threshold: float | None = None) -> Any:
        """The plan as a CSR array; `threshold` drops entries as in `TransportResult`."""
        return self._csr.copy() if threshold is None else super().sparse_plan(threshold)


def pick(cost: CostLike, rows: Array, cols: Array) -> Array:
    """Costs at some places, taken row by row."""
    found = np.empty(rows.size)
    order = np.argsort(rows, kind="stable")
    height = max(1, (1 << 20) // cost.shape[1])
    for start in range(0, cost.shape[0], height):
        stop = min(start + height, cost.shape[0])
        low, high = np.searchsorted(rows, (start, stop), sorter=order)
        if low < high:
            at = order[low:high]
            found[at] = cost.tile(start, stop)[rows[at] - start, cols[at]]
    return found
