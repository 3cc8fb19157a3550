"""The record of quadratic transport: a plan with few entries, stored as such."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from ._explicit import pick
from ._problem import Problem
from ._result import TransportResult
from ._rounding import round_on_support, round_sparse

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class QuadraticResult(TransportResult):
    r"""What `quadratic` found; see `TransportResult` for what it shares with other problems.

    .. math:: T_{ij} = \max(f_i + g_j - C_{ij}, 0) / \gamma

    The plan is stored by its entries: where :math:`\gamma` is far smaller than the costs, the
    potentials do not have the digits for it.

    Attributes
    ----------
    gamma : float
        The quadratic strength.
    entries : dict of ndarray
        The plan as pieces of a CSR array: ``data``, ``indices`` and ``indptr``.
    history : dict
        Beside ``fun``, ``certificate`` and ``time``: ``gamma`` (the strength on the path), ``nnz``
        (entries of the plan) and ``error`` (marginal error at that strength) after each step.
    """

    gamma: float = 1.0
    entries: dict[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def _stored(self) -> Any:
        from scipy.sparse import csr_array

        e = self.entries
        shape = (self.a.size, self.b.size)
        return csr_array((e["data"], e["indices"], e["indptr"]), shape=shape)

    def _entries(self, start: int, stop: int, C: Array) -> Array:
        return self._stored[start:stop].toarray()

    def _regulariser(self, P: Array) -> float:
        return 0.5 * self.gamma * float((P * P).sum())

    @cached_property
    def plan(self) -> Any:
        """The plan, dense or sparse as the solver was asked."""
        if self.sparse:
            return self.sparse_plan()
        return self._stored.toarray().astype(self._cost.dtype, copy=False)

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        P = self._stored
        return P.sum(axis=1), P.sum(axis=0)

    def _round_kept(self, threshold: float) -> Any:
        P = self._stored
        if P.data.size and P.data.min() < threshold:
            P = P.copy()
            P.data[threshold > P.data] = 0.0
            P.eliminate_zeros()
        if not self.problem["forbidden"]:
            return round_sparse(P, self.a, self.b)
        rounded = round_on_support(P, self.a, self.b)
        if self._is_allowed(rounded):
            return rounded
        return self._round_by_flow(P)

    @cached_property
    def _rounded(self) -> tuple[float, float]:
        P = self._round_kept(0.0).tocoo()
        costs = pick(self._cost, P.row, P.col) - self._shift
        cost = float(P.data @ costs) + self._shift * float(self.a.sum())
        return cost, self._regulariser(P.data)


def stored_plan(problem: Problem, ptr: Array, cols: Array, data: Array) -> dict[str, Array]:
    """Pieces of a CSR array over all atoms from those over the atoms with mass."""
    counts = np.zeros(problem.given.shape[0], np.int64)
    counts[problem.rows] = np.diff(ptr)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return {"data": data, "indices": problem.cols[cols], "indptr": indptr}
