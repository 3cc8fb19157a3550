"""Many entropic transport problems in one call."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .._core import ConvergenceWarning, Result, State, Status, iterate
from .._core._validate import integer, positive
from ._batch_input import check_batch, check_start
from ._batch_sinkhorn import CHUNK, SharedSweeps
from ._costs import CostLike, MatrixCost, from_data, tiles
from ._entropic import entropic
from ._entropic_result import EntropicResult
from ._gibbs import WHOLE
from ._problem import Problem, check_problem
from ._result import problem_record

Array = np.ndarray[Any, Any]

WARM = 1e-2  # error below which potentials of the shared sweeps are worth starting from


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EntropicBatchResult(Result):
    """What `entropic_batch` found: vectors with an entry per member, and the members themselves.

    ``result[k]`` is the `EntropicResult` of member k and ``len(result)`` the number of members.
    ``success`` says that all converged, ``certificate`` is the largest error, ``fun`` the sum of
    the dual objectives and ``nit`` the largest number of iterations.

    Attributes
    ----------
    potentials : tuple of ndarray, shapes (n, nb) and (m, nb)
        The potentials f and g of every member in a column.
    errors : ndarray of float, shape (nb,)
        Marginal errors, relative to the mass.
    converged : ndarray of bool, shape (nb,)
        Which errors are at most ``tol``.
    iterations : ndarray of int, shape (nb,)
        Sweeps and Newton steps.
    funs : ndarray of float, shape (nb,)
        Dual objectives.
    methods : list of str
        What solved each member: ``"sinkhorn"`` (sweeps shared by the batch) or ``"newton"``.
    plan : ndarray, shape (nb, n, m)
        The plans, computed when asked for.
    """

    potentials: Any = None
    errors: Any = None
    converged: Any = None
    iterations: Any = None
    funs: Any = None
    methods: Any = None
    problem: dict[str, Any] = dataclasses.field(default_factory=dict)
    sparse: bool = False
    eps: float = 0.0

    def __len__(self) -> int:
        return len(self.errors)

    def __iter__(self) -> Iterator[EntropicResult]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> EntropicResult:
        k = range(len(self))[k]
        f, g = (np.ascontiguousarray(p[:, k]) for p in self.potentials)
        done, error = bool(self.converged[k]), float(self.errors[k])
        cost = self.problem["cost"]
        return EntropicResult(
            x=np.concatenate([f, g]),
            fun=float(self.funs[k]),
            success=done,
            status=Status.CONVERGED if done else self.status,
            message=f"member {k} of a batch: marginal error {error:.2e}",
            nit=int(self.iterations[k]),
            certificate=error,
            method=self.methods[k],
            potentials=(f, g),
            problem=problem_record(
                from_data({"C": cost["C"][k]} if self.problem["many"] else cost),
                self.problem["a"][:, k],
                self.problem["b"][:, k],
                (f, np.ascontiguousarray(self.problem["g"][:, k])),
                shift=float(self.problem["shifts"][k]),
                forbidden=self.problem["forbidden"],
            ),
            sparse=self.sparse,
            eps=self.eps,
        )

    @property
    def plan(self) -> Array:
        """The dense plans of all members."""
        return np.stack([dataclasses.replace(member, sparse=False).plan for member in self])


def entropic_batch(
    C: Any,
    a: Any,
    b: Any,
    eps: float,
    *,
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 100_000,
    sparse: bool = False,
    n_jobs: int = 1,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> EntropicBatchResult:
    r"""Entropic transport between many pairs of marginals, or under many costs.

    With one cost the members are scaled together, as products of matrices; those that sweeps are
    slow for go to `entropic` one by one. With a cost for each member all do.

    Parameters
    ----------
    C : array_like, shape (n, m) or (nb, n, m), PointCost or GridCost
        Costs of all members, or of each. Infinite entries forbid a pair.
    a, b : array_like, shapes (n,) or (n, nb), and (m,) or (m, nb), or None
        Masses: one vector for all members, or a column for each. None is uniform with total 1.
    eps : float
        The strength, in the units of the cost.
    x0 : EntropicBatchResult, pair of ndarray, or ndarray of shape (m, nb), optional
        Warm start: a result, potentials (f, g) with a column for each member, or g alone.
    tol : float
        Bound for the marginal error of every member, relative to its mass.
    max_iter : int
        Budget of sweeps and Newton steps of each member.
    sparse : bool
        Make the plans of members CSR arrays with exact marginals.
    n_jobs : int
        Threads for members that are solved alone.
    callback : callable, optional
        Called with the state (``x`` are the potentials) after some sweeps of all members and after
        each of those solved alone; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.

    Returns
    -------
    EntropicBatchResult
        Vectors of errors and iterations; a member's plan and certificates by its index.

    Raises
    ------
    ValueError, TypeError
        As in `entropic`, with the member named; if sizes of batches differ, or nothing has more
        than one member's dimensions.

    Warns
    -----
    ConvergenceWarning
        If some members did not converge, with their number.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> C = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
    >>> b = np.array([[0.8, 0.1], [0.1, 0.1], [0.1, 0.8]])
    >>> result = transport.entropic_batch(C, [0.6, 0.2, 0.2], b, 0.1)
    >>> result.converged
    array([ True,  True])
    >>> [round(member.cost, 2) for member in result]
    [0.3, 1.1]
    """
    eps, tol = positive("eps", eps), positive("tol", tol)
    max_iter, n_jobs = integer("max_iter", max_iter, 0), integer("n_jobs", n_jobs, 1)
    costs, A, B = check_batch(C, a, b)
    start = check_start(x0, A, B)
    batch = _Batch(costs, A, B, eps, start, tol=tol, max_iter=max_iter, n_jobs=n_jobs)
    run = iterate(
        batch.begin(),
        batch.step,
        tol=tol,
        max_iter=max_iter + A.shape[1] + 1,
        certificate="largest marginal error",
        callback=callback,
        progress=progress,
        label="batch of transport problems",
    )
    batch.restore()
    potentials = batch.potentials()
    fields = run.fields("sinkhorn" if batch.shared is not None else "newton")
    if isinstance(costs, list):
        cost = {"C": np.stack([c.C for c in costs])}
    else:
        cost = costs.data()
    return EntropicBatchResult(
        **fields | {"x": np.concatenate(potentials), "nit": int(batch.iterations.max())},
        potentials=potentials,
        errors=batch.errors,
        converged=batch.errors <= tol,
        iterations=batch.iterations,
        funs=batch.funs,
        methods=batch.methods,
        problem={
            "cost": cost,
            "a": A,
            "b": B,
            "many": isinstance(costs, list),
            "forbidden": batch.forbidden,
            "g": batch.g,
            "shifts": batch.shifts,
        },
        sparse=bool(sparse),
        eps=eps,
    )


class _Batch:
    """The members, which of them wait to be solved alone, and what is known of each.

    Potentials belong to the costs less ``shifts``: a large offset would cost them digits.
    """

    def __init__(
        self,
        costs: CostLike | list[MatrixCost],
        A: Array,
        B: Array,
        eps: float,
        start: tuple[Array | None, Array] | None,
        *,
        tol: float,
        max_iter: int,
        n_jobs: int,
    ) -> None:
        self.costs, self.A, self.B, self.eps = costs, A, B, eps
        self.tol, self.max_iter, self.n_jobs = tol, max_iter, n_jobs
        self.start = start
        nb = A.shape[1]
        self.f, self.g, self.shifts = np.zeros(A.shape), np.zeros(B.shape), np.zeros(nb)
        self.errors, self.funs = np.full(nb, math.inf), np.zeros(nb)
        self.iterations = np.zeros(nb, int)
        self.methods = ["newton"] * nb
        self.waiting = list(range(nb))
        self.problem: Problem | None = None
        self.shared: SharedSweeps | None = None
        every = costs if isinstance(costs, list) else [costs]
        self.forbidden = any(np.isinf(C).any() for cost in every for *_, C in tiles(cost))

    def begin(self) -> State:
        """Share what can be shared, and sweep once."""
        costs = self.costs
        if not isinstance(costs, list) and costs.shape[0] * costs.shape[1] <= WHOLE:
            weights = 1.0 / self.A.sum(axis=0)
            problem = check_problem(costs, self.A @ weights, self.B @ weights)
            if not problem.forbidden and self.max_iter > 0:
                self.problem, (rows, cols) = problem, (problem.rows, problem.cols)
                G = None if self.start is None else self.start[1][cols] - problem.shift
                self.shared = SharedSweeps(
                    problem, self.eps, self.A[rows], self.B[cols], G, self.tol
                )
                self.shifts[:] = problem.shift
                self._read(np.arange(len(self.errors)), 1)
        return self._state(0)

    def _read(self, members: Array, sweeps: int) -> None:
        """Take over what the shared sweeps found for some members."""
        shared, problem = self.shared, self.problem
        assert shared is not None
        assert problem is not None
        self.iterations[members] += sweeps
        self.f[np.ix_(problem.rows, members)] = shared.f[:, members]
        self.g[np.ix_(problem.cols, members)] = shared.g[:, members]
        self.errors[members] = shared.errors[members]
        shift = problem.shift * shared.mass[members]
        self.funs[members] = shared.funs[members] + shift
        settled = set(shared.settled)
        self.waiting = [k for k in range(len(self.errors)) if k not in settled]
        for k in shared.settled:
            self.methods[k] = "sinkhorn"

    def potentials(self) -> tuple[Array, Array]:
        """Copies, for the costs as they were given."""
        return self.f.copy(), self.g + self.shifts

    def _state(self, advance: int, stalled: str = "") -> State:
        known = np.isfinite(self.errors)
        return State(
            x=self.potentials(),
            fun=float(self.funs[known].sum()),
            certificate=float(self.errors.max()),
            advance=advance,
            stalled=stalled,
            extra={"converged": float((self.errors <= self.tol).sum())},
        )

    def step(self, _: State) -> State:
        """Some sweeps of all that share them, else a few members alone."""
        if self.shared is not None and self.shared.active.size:
            members = self.shared.active
            sweeps = max(1, min(CHUNK, self.max_iter - int(self.iterations.max())))
            self.shared.advance(sweeps)
            self._read(members, sweeps)
            if self.iterations.max() >= self.max_iter:
                self.shared.active = members[:0]
            return self._state(sweeps)
        now = self.waiting[: self.n_jobs]
        del self.waiting[: self.n_jobs]
        with warnings.catch_warnings():  # said once, with the number of members
            warnings.simplefilter("ignore", ConvergenceWarning)
            if len(now) > 1:
                with ThreadPoolExecutor(len(now)) as pool:
                    results = list(pool.map(self._alone, now))
            else:
                results = [self._alone(k) for k in now]
        for k, result in zip(now, results, strict=True):
            self.f[:, k], self.g[:, k] = result.problem["potentials"]
            self.shifts[k] = result.problem["shift"]
            self.errors[k], self.funs[k] = result.certificate, result.fun
            self.iterations[k] += result.nit
        if any(result.status is Status.INTERRUPTED for result in results):
            raise KeyboardInterrupt
        stalled, missed = "", int((self.errors > self.tol).sum())
        if not self.waiting and missed:
            stalled = f"{missed} of {len(self.errors)} members did not converge"
        return self._state(len(now), stalled)

    def _alone(self, k: int) -> EntropicResult:
        """A member by itself; it starts from what it has where that is worth it."""
        cost = self.costs[k] if isinstance(self.costs, list) else self.costs
        left = max(0, self.max_iter - int(self.iterations[k]))
        x0: Any = None
        if self.start is not None and not math.isfinite(self.errors[k]):
            f, g = self.start
            x0 = g[:, k] if f is None else (f[:, k], g[:, k])
        elif self.errors[k] < WARM or (left == 0 and math.isfinite(self.errors[k])):
            x0 = self.f[:, k], self.g[:, k] + self.shifts[k]
        return _named(k, cost, self.A[:, k], self.B[:, k], self.eps, x0, self.tol, left)

    def restore(self) -> None:
        """Normalise what the shared sweeps found, and give atoms without mass their potentials."""
        if self.problem is None:
            return
        for k, method in enumerate(self.methods):
            if method == "sinkhorn" or k in self.waiting:
                a, b = self.A[:, k], self.B[:, k]
                rows, cols = np.flatnonzero(a), np.flatnonzero(b)
                member = dataclasses.replace(
                    self.problem, a=a[rows], b=b[cols], rows=rows, cols=cols, masses=(a, b)
                )
                self.f[:, k], self.g[:, k] = member.restore(self.f[rows, k], self.g[cols, k])


def _named(
    k: int, cost: CostLike, a: Array, b: Array, eps: float, x0: Any, tol: float, max_iter: int
) -> EntropicResult:
    try:
        return entropic(cost, a, b, eps, x0=x0, tol=tol, max_iter=max_iter)
    except ValueError as error:
        raise ValueError(f"member {k} of the batch: {error}") from error
