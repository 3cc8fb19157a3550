"""The record of cardinality-constrained transport."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np

from ._cardinality_relaxed import inner
from ._costs import tiles
from ._problem import Problem
from ._result import TransportResult
from ._rounding import round_sparse, shrink
from ._support_flow import Support

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StoredResult(TransportResult):
    """A record whose plan is stored, where it is no function of single entries of the costs.

    Attributes
    ----------
    entries : dict of str to ndarray
        The plan over all atoms in float64, as the parts of a CSR array.
    """

    entries: dict[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def _stored(self) -> Any:
        from scipy.sparse import csr_array

        e = self.entries
        shape = (self.a.size, self.b.size)
        return csr_array((e["data"], e["indices"], e["indptr"]), shape=shape)

    def _entries(self, start: int, stop: int, C: Array) -> Array:
        return self._stored[start:stop].toarray()

    def sparse_plan(self, threshold: float | None = None) -> Any:
        """The plan as a CSR array; see `TransportResult.sparse_plan`."""
        if threshold is None:
            return self._rounded_plan.copy()
        return super().sparse_plan(threshold)

    @cached_property
    def _rounded_plan(self) -> Any:
        """The plan moved to exact marginals, off the forbidden pairs."""
        from scipy.sparse import csr_array

        if not self.problem["forbidden"]:
            return round_sparse(self._stored, self.a, self.b)
        open_entries = np.concatenate([np.isfinite(C) for _, _, C in tiles(self._cost)])
        P = self._stored.toarray()
        P *= shrink(P.sum(axis=1), self.a)[:, None]
        P *= shrink(P.sum(axis=0), self.b)
        allowed = np.ascontiguousarray(open_entries.T)
        return csr_array(Support(allowed, self.a, self.b, P.T).flow.T)

    def _penalty(self, P: Any) -> float:
        """What the primal objective adds to the cost of a sparse plan."""
        raise NotImplementedError

    @cached_property
    def _rounded(self) -> tuple[float, float]:
        P = self._rounded_plan
        cost = self._shift * float(P.sum())
        for start, stop, C in tiles(self._cost):
            cost += inner(C - self._shift, P[start:stop].toarray())
        return cost, self._penalty(P)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CardinalityResult(StoredResult):
    r"""What `cardinality` found; see `TransportResult` for what it shares with other problems.

    ``fun`` is the dual objective of ``potentials``, a lower bound of the relaxed and of the hard
    problem. The plan is no function of the potentials and is stored.

    Attributes
    ----------
    k, gamma, mode : int, float, str
        The problem.
    value : float
        With ``mode="relaxed"`` the relaxed objective, with ``mode="hard"``
        :math:`\langle C, T\rangle + \frac\gamma2 \|T\|_F^2` of the plan.
    bound : float
        The best lower bound that was proved: ``fun``, or a larger one from branch and bound;
        infinite if it was proved that no plan keeps the limit.
    gap : float
        ``value - bound``; NaN with ``mode="hard"`` if the plan does not have the marginals, as its
        value then bounds nothing.
    feasible : bool
        Whether the plan has the right marginals, within ``tol``.
    max_nonzeros : int
        Entries of the fullest column. Never above k with ``mode="hard"``; then ``sparse_plan``
        returns the plan as it is, with marginals exact up to the certificate.
    """

    k: int = 1
    gamma: float = 1.0
    mode: str = "relaxed"
    bound: float = -math.inf
    feasible: bool = True

    def sparse_plan(self, threshold: float | None = None) -> Any:
        """The plan as a CSR array; with ``mode="hard"`` as it is, whatever the threshold."""
        return self._stored.copy() if self.mode == "hard" else super().sparse_plan(threshold)

    @cached_property
    def _rounded_plan(self) -> Any:
        """With ``mode="hard"`` the plan itself, as rounding would add entries."""
        return self._stored if self.mode == "hard" else super()._rounded_plan

    def _penalty(self, P: Any) -> float:
        if self.mode == "hard":
            return 0.5 * self.gamma * float((P.data**2).sum())
        from ..penalties import KSupport

        norms = KSupport(1.0, min(self.k, P.shape[0])).value(P.toarray())
        return 0.5 * self.gamma * float((norms**2).sum())

    @property
    def _is_bound(self) -> bool:
        """Whether the plan behind the value has the marginals: a relaxed one is rounded."""
        return self.feasible or self.mode == "relaxed"

    @cached_property
    def gap(self) -> float:
        """Distance from the best bound that was proved."""
        return self.value - self.bound if self._is_bound else math.nan

    @cached_property
    def bracket(self) -> tuple[float, float]:
        """Lower and upper bound of the unregularised transport cost."""
        lower, upper = super().bracket
        return lower, upper if self._is_bound else math.inf

    @property
    def max_nonzeros(self) -> int:
        """Entries of the fullest column."""
        return int(np.bincount(self.entries["indices"], minlength=1).max(initial=0))


def transposed(problem: Problem) -> Array:
    """All costs of a reduced problem in float64, shape (m, n)."""
    n, m = problem.cost.shape
    cost = np.empty((m, n))
    for start, stop, C in tiles(problem.cost):
        cost[:, start:stop] = C.T
    return cost


def stored(problem: Problem, plan: Array) -> dict[str, Any]:
    """A transposed plan of the reduced problem as CSR pieces over all atoms."""
    from scipy.sparse import coo_array

    col, row = np.nonzero(plan)
    full = coo_array(
        (plan[col, row], (problem.rows[row], problem.cols[col])), shape=problem.given.shape
    ).tocsr()
    return {"data": full.data, "indices": full.indices, "indptr": full.indptr}


def reduced_plan(problem: Problem, x0: Any) -> Array | None:
    """The transposed plan of an earlier result over the atoms kept, if it has one that fits."""
    if not isinstance(x0, CardinalityResult) or x0._stored.shape != problem.given.shape:
        return None
    plan = x0._stored.toarray()[np.ix_(problem.rows, problem.cols)]
    return np.ascontiguousarray(plan.T)
