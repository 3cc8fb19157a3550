"""The record of a transport problem: potentials, a plan made when asked for, and certificates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from .._core import Result
from .._core._validate import parameter
from ._costs import CostLike, from_data, tiles
from ._problem import Problem
from ._rounding import round_by_flow, round_on_support, round_sparse, shrink

Array = np.ndarray[Any, Any]

FILL = 1e-12  # of the mass: what all pairs that are not forbidden may share to make a plan exact
DROP = 1e-8  # entries of a sparse plan are kept above this fraction of the mean entry


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransportResult(Result):
    r"""What a transport solver found.

    ``x`` holds the potentials one after the other, ``fun`` the dual objective, ``certificate``
    the marginal error :math:`(\|P1 - a\|_1 + \|P^\top 1 - b\|_1) / \sum_i a_i` that ``tol``
    bounds. Everything below is computed when first asked for.

    Attributes
    ----------
    potentials : tuple of ndarray, shapes (n,) and (m,)
        The dual variables f and g in float64, normalised to :math:`\sum_i a_i f_i = 0`.
    plan : ndarray or csr_array, shape (n, m)
        The plan P of the potentials, of the dtype of ``C``; a CSR array with exact marginals
        (see `sparse_plan`) if the solver was called with ``sparse=True``.
    cost : float
        :math:`\langle C, \hat P\rangle`, with :math:`\hat P` the plan moved to exact marginals.
    value : float
        The regularised primal objective at :math:`\hat P`.
    gap : float
        ``value - fun``: how far from optimal, at most, the regularised problem is solved.
    bracket : tuple of float
        Lower and upper bound of the unregularised transport cost.
    marginal_error, relative_marginal_error : float
        The certificate, recomputed from the plan, and the largest
        :math:`|(P1)_i - a_i| / a_i` over all atoms of both sides: small atoms hide in the former.
    """

    potentials: Any = None
    problem: dict[str, Any] = dataclasses.field(default_factory=dict)
    sparse: bool = False

    def _entries(self, start: int, stop: int, C: Array) -> Array:
        """Rows of the plan, in float64, where both atoms have mass (a new array).

        ``C`` are costs without the shift; `_duals` are the potentials that go with them.
        """
        raise NotImplementedError

    def _regulariser(self, P: Array) -> float:
        """What the primal objective adds to the cost, summed over some rows of a plan."""
        raise NotImplementedError

    @cached_property
    def _cost(self) -> CostLike:
        return from_data(self.problem["cost"])

    @property
    def _shift(self) -> float:
        """What was taken off the costs; a large offset would cost the potentials digits."""
        return float(self.problem["shift"])

    @property
    def _duals(self) -> tuple[Array, Array]:
        """Potentials for the costs without the shift."""
        f, g = self.problem["potentials"]
        return f, g

    @property
    def a(self) -> Array:
        """Masses of the rows."""
        return self.problem["a"]

    @property
    def b(self) -> Array:
        """Masses of the columns."""
        return self.problem["b"]

    def _tiles(self) -> Iterator[tuple[int, int, Array, Array]]:
        """Run through costs and plan."""
        empty_rows, empty_cols = self.a == 0.0, self.b == 0.0
        some = empty_rows.any() or empty_cols.any()
        for start, stop, C in tiles(self._cost):
            if self._shift:
                C = C - self._shift
            P = self._entries(start, stop, C)
            if some:
                P[empty_rows[start:stop]] = 0.0
                P[:, empty_cols] = 0.0
            yield start, stop, C, P

    def _capped(self) -> Iterator[tuple[int, int, Array, Array]]:
        """As `_tiles` with no entry above the mass: an infinite one could not be scaled down."""
        most = float(self.a.sum())
        for start, stop, C, P in self._tiles():
            yield start, stop, C, np.minimum(P, most, out=P)

    @cached_property
    def plan(self) -> Any:
        """The plan, dense or sparse as the solver was asked."""
        if self.sparse:
            return self.sparse_plan()
        parts = [P for *_, P in self._tiles()]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole.astype(self._cost.dtype, copy=False)

    def sparse_plan(self, threshold: float | None = None) -> Any:
        r"""The plan as a CSR array whose marginals are a and b to rounding.

        Parameters
        ----------
        threshold : float, optional
            Entries below it are dropped; by default 1e-8 of the mean entry. What is dropped, and
            the marginal error, is put back on at most n + m - 1 entries.

        Returns
        -------
        scipy.sparse.csr_array, shape (n, m), float64
            The plan; its distance from the dense one is at most twice the marginal error of what
            was kept.
        """
        n, m = self._cost.shape
        if threshold is None:
            threshold = DROP * float(self.a.sum()) / (n * m)
        threshold = parameter("threshold", threshold, finite=True)
        return self._round_kept(threshold)

    def _round_kept(self, threshold: float) -> Any:
        """The entries of at least ``threshold``, moved to exact marginals."""
        if not self.problem["forbidden"]:
            return round_sparse(self._kept(threshold), *self._targets)
        rounded = round_on_support(self._kept(threshold), *self._targets)
        if self._is_allowed(rounded):
            return rounded
        # a pair that must carry some mass was left without any
        share = max(10.0 * self.marginal_error, FILL)
        kept = self._kept(threshold, share)
        rounded = round_on_support(kept, *self._targets)
        if self._is_allowed(rounded):
            return rounded
        return self._round_by_flow(kept)

    def _round_by_flow(self, kept: Any) -> Any:
        """The last resort where pairs are forbidden."""
        allowed = np.concatenate([np.isfinite(C) for *_, C in tiles(self._cost)])
        return round_by_flow(kept, *self._targets, allowed)

    def _kept(self, threshold: float, share: float = 0.0) -> Any:
        """The entries of at least ``threshold``, and a share of the mass on all allowed pairs."""
        from scipy.sparse import csr_array, vstack

        parts = []
        for start, stop, C, P in self._capped():
            P[threshold > P] = 0.0
            if share > 0.0:
                spread = np.outer(self.a[start:stop], self.b * (share / self.b.sum()))
                P += np.where(np.isfinite(C), spread, 0.0)
            parts.append(csr_array(P))
        return vstack(parts, format="csr")

    def _is_allowed(self, plan: Any) -> bool:
        """Whether a sparse plan sends nothing over a forbidden pair."""
        return all(
            np.isfinite(C[plan[start:stop].nonzero()]).all() for start, stop, C in tiles(self._cost)
        )

    @property
    def _targets(self) -> tuple[Array, Array]:
        """The marginals of a sparse plan."""
        return self.a, self.b

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """Row and column sums of the plan."""
        rows, cols = np.empty(self.a.size), np.zeros(self.b.size)
        for start, stop, _, P in self._tiles():
            rows[start:stop] = P.sum(axis=1)
            cols += P.sum(axis=0)
        return rows, cols

    @property
    def marginal_error(self) -> float:
        """The L1 error of both marginals of the plan, relative to the mass."""
        rows, cols = self._sums
        error = np.abs(rows - self.a).sum() + np.abs(cols - self.b).sum()
        return float(error / self.a.sum())

    @property
    def relative_marginal_error(self) -> float:
        """The largest relative error of a single atom."""
        rows, cols = self._sums
        pairs = ((rows, self.a), (cols, self.b))
        return max(float((np.abs(s - w)[w > 0.0] / w[w > 0.0]).max()) for s, w in pairs)

    @cached_property
    def _rounded(self) -> tuple[float, float]:
        r"""Cost and regulariser at :math:`\hat P`, in passes over the plan."""
        if self.problem["forbidden"]:
            return self._rounded_on_support()
        x = shrink(self._sums[0], self.a)
        cols = np.zeros(self.b.size)
        for start, stop, _, P in self._capped():
            cols += x[start:stop] @ P
        y = shrink(cols, self.b)
        rows, cols, cost, extra = np.empty(self.a.size), np.zeros(self.b.size), 0.0, 0.0
        for start, stop, _, P in self._capped():
            P *= x[start:stop, None]
            P *= y
            rows[start:stop], cols = P.sum(axis=1), cols + P.sum(axis=0)
        short_a, short_b = np.maximum(self.a - rows, 0.0), np.maximum(self.b - cols, 0.0)
        total = short_b.sum()
        for start, stop, C, P in self._capped():
            P *= x[start:stop, None]
            P *= y
            if total > 0.0:
                P += np.outer(short_a[start:stop], short_b / total)
            cost += _inner(C, P)
            extra += self._regulariser(P)
        return cost + self._shift * float(self.a.sum()), extra

    def _rounded_on_support(self) -> tuple[float, float]:
        """The same where a change outside the support would cost infinitely much."""
        kept = self._round_kept(0.0)
        cost = extra = 0.0
        for start, stop, C in tiles(self._cost):
            P = kept[start:stop].toarray()
            cost += _inner(C, P)
            extra += self._regulariser(P)
        return cost, extra

    @cached_property
    def cost(self) -> float:
        """The transport cost of the plan, after rounding to exact marginals."""
        return self._rounded[0]

    @cached_property
    def value(self) -> float:
        """The regularised primal objective of the plan, after rounding to exact marginals."""
        return self._rounded[0] + self._rounded[1]

    @cached_property
    def gap(self) -> float:
        """Duality gap of the regularised problem."""
        return self.value - self.fun

    @cached_property
    def bracket(self) -> tuple[float, float]:
        """Lower and upper bound of the unregularised transport cost."""
        g = self._duals[1]
        lower = float(self.b @ g) + self._shift * float(self.a.sum())
        for start, stop, C in tiles(self._cost):
            least = np.where(self.b > 0.0, C - self._shift - g, np.inf).min(axis=1)
            lower += float(self.a[start:stop] @ np.where(self.a[start:stop] > 0.0, least, 0.0))
        return lower, self.cost


def problem_fields(problem: Problem, f: Array, g: Array, sparse: bool) -> dict[str, Any]:
    """The fields of a `TransportResult` that follow from the problem and its potentials."""
    return fields_of(problem, *problem.restore(f, g), problem.shift, sparse)


def fields_of(problem: Problem, f: Array, g: Array, shift: float, sparse: bool) -> dict[str, Any]:
    """The same for potentials of all atoms, under the costs less a shift."""
    shifted = g + shift
    a, b = problem.masses
    return {
        "x": np.concatenate([f, shifted]),
        "potentials": (f, shifted),
        "problem": problem_record(
            problem.given, a, b, (f, g), shift=shift, forbidden=problem.forbidden
        ),
        "sparse": bool(sparse),
    }


def problem_record(
    cost: CostLike,
    a: Array,
    b: Array,
    potentials: tuple[Array, Array],
    *,
    shift: float = 0.0,
    forbidden: bool = False,
) -> dict[str, Any]:
    """The field ``problem``: what the lazy parts of a record are made from."""
    return {
        "cost": cost.data(),
        "a": a,
        "b": b,
        "shift": shift,
        "forbidden": forbidden,
        "potentials": potentials,
    }


def _inner(C: Array, P: Array) -> float:
    """The sum of C P, where nothing is sent over an infinite cost."""
    return float(np.multiply(C, P, where=P > 0.0, out=np.zeros_like(P)).sum())
