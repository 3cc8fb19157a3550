"""Block coordinate descent with any blocks, any selection rule and any update."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State, as_rng, iterate
from .._core._validate import choice, integer, parameter
from ..losses import BlockLossLike
from ..losses._linear import LinearLoss
from ._bcd_certificate import Certificate
from ._bcd_rules import Plan, make_plan
from ._bcd_select import UNGUIDED, Selector, gsd_scale
from ._bcd_state import Workspace
from ._bcd_sweep import Sweeps
from ._bcd_terms import Term, as_term
from ._bcd_update import Updater
from ._composite import Composite, default_tolerance, required

Array = np.ndarray[Any, Any]

DRIFT = 1000  # updates after which everything is computed again from the iterate
MANY = 50_000  # coordinates from which on local updates are not recorded one by one


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BCDResult(Result):
    """What `bcd` found.

    Attributes
    ----------
    n_updates : int
        Block updates made; sweeps over single coordinates count each of them.
    phases : dict of str to float
        Seconds spent on ``select``, ``update`` (with the state that depends on it) and ``check``.

    Examples
    --------
    >>> from sparseopt import losses, solvers
    >>> result = solvers.bcd(losses.LeastSquares([[2.0, 0.0], [0.0, 1.0]], [4.0, 3.0]),
    ...                      block_size=1)
    >>> result.x, result.n_updates
    (array([2., 3.]), 2)
    """

    n_updates: int = 0
    phases: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(eq=False, kw_only=True)
class BCDState(State):
    """The state after an update; ``block`` is the block that was updated, if it was one."""

    block: Array | None = None


def bcd(
    loss: Any,
    penalty: Any = None,
    *,
    blocks: Any = "auto",
    block_size: int | None = None,
    select: str = "auto",
    update: str = "auto",
    x0: Any = None,
    tol: float | None = None,
    max_iter: int | None = None,
    rng: Any = None,
    score_norm: int = 2,
    diagonal: str | None = None,
    shrink: float = 1.0,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> BCDResult:
    r"""Minimise a loss, or a loss and a separable penalty, a block of coordinates at a time.

    .. math:: \min_x\ f(x) + \sum_i h_i(x_i)

    Every iteration chooses a block b of coordinates by a rule and changes it by an update, with
    :math:`g` the gradient and :math:`H_b` a matrix that bounds the block's Hessian.

    Parameters
    ----------
    loss : object
        A loss with block methods: `sparseopt.losses.LeastSquares`, ``Logistic``, ``Multinomial``,
        ``Huber``, ``SquaredHinge`` or ``Quadratic``, with data in dense or sparse arrays.
    penalty : object, optional
        `sparseopt.penalties.L1`, ``NonnegativeL1``, ``Nonnegative(L1)``, ``Box`` or ``GroupL2``.
    blocks : str, list of index arrays or labels
        ``"variable"``: any subset of ``block_size`` coordinates, chosen anew every time. Or fixed
        blocks: ``"order"``, ``"random"``, ``"sort"``, ``"average"``, ``"connected"``,
        ``"red-black"``, ``"forest"`` (see `block_partition`), or blocks of your own. ``"auto"``:
        the groups of ``GroupL2``, else variable.
    block_size : int, optional
        Coordinates in a block: at most 50 by default. Too many are clipped, with a warning.
    select : str
        ``"random"``; ``"cyclic"``: in a new random order every epoch; ``"lipschitz"``: random,
        with probability proportional to :math:`L_b`; ``"gs"``: largest :math:`\|g_b\|`; ``"gsl"``:
        :math:`\|g_b\|^2 / L_b`; ``"gsd"``: :math:`\sum_{i \in b} g_i^2 / D_i`; ``"gsq"``:
        :math:`g_b^T H_b^{-1} g_b`, approximated for variable blocks; ``"mi"``: the largest
        decrease, by trying all; ``"bgsc"``: decreases of cubic models of single coordinates. With
        a penalty: ``"gs-q"``, the decrease of the coordinates' models; ``"gs-r"``, the length of
        their steps; ``"gs-s"``, the distance from the subdifferential. Ties go to the lowest
        index; of coordinates with nothing to gain, those away from zero and bounds come first.
        ``"auto"``: ``"gsq"``, with a penalty ``"gs-q"``, for forests ``"gsd"``.
    update : str
        ``"gradient"`` (with a penalty, ``"proximal-gradient"``): a step of :math:`1 / L_b`;
        ``"backtracking"``: with estimates of :math:`L_b` that double where the model fails;
        ``"matrix"``: the minimiser of the model with :math:`H_b`; ``"newton"`` (with a penalty,
        ``"proximal-newton"``; with bounds, ``"projected-newton"``): of that with the block's
        Hessian, and Armijo's line search; ``"cubic"``: cubic-regularised Newton;
        ``"two-metric"``: two-metric projection, for l1 norms and bounds; ``"exact"``: the
        minimiser over the block; ``"message-passing"``: the same by elimination, for quadratics
        whose sparse matrix has no cycle within a block; variable blocks are then greedy forests.
        ``"auto"``: ``"newton"``, for ``"forest"`` and ``"red-black"`` blocks message passing.
    x0 : array_like or Result, optional
        Start; zero if not given. It is moved inside the bounds.
    tol : float, optional
        Bound on the certificate; 1e-6 by default, 1e-4 for float32. Where penalty and loss have a
        dual it is the relative duality gap (P - D) / P(0); otherwise
        :math:`\max_i |g_i| / \max_i |\nabla f(0)_i|`, and with a penalty the same of
        :math:`L_i` times the proximal gradient steps of the coordinates. Greedy rules measure it
        at every iteration, others once in ``p / block_size``.
    max_iter : int, optional
        Most block updates; by default 1000 times the number of blocks, at least 10 000.
    rng : None, int or numpy.random.Generator
        For the random rules and partitions.
    score_norm : {2, 1}
        Whether fixed blocks add up squares or absolute values of the coordinates' scores.
    diagonal : {"row-sums", "lipschitz", "block"}, optional
        D of GSD (and of GSL with variable blocks): :math:`\sum_j |H_{ij}|`, :math:`L_i`, or the
        sum over the own fixed block. By default row sums with ``"gradient"`` and
        ``"backtracking"``, else :math:`L_i`.
    shrink : float
        Factor on the estimate at every visit of ``"backtracking"``, in (0, 1].
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``, ``block``) after
        each iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    BCDResult
        With ``n_updates``, ``phases``, and in the history ``block`` (size of the block),
        ``support`` (coordinates away from zero, or from their bounds) and ``changed`` (coordinates
        that left or reached these). Cyclic rules over single coordinates of least squares and
        quadratics run whole sweeps; they, and greedy rules over very many coordinates of sparse
        quadratics, have an entry in the history once in ``p / block_size`` updates.

    Raises
    ------
    ValueError
        For arguments out of range, combinations that do not work, or an objective without a
        lower bound along a coordinate.
    TypeError
        If the loss lacks block methods or the penalty is of another kind.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``.
    UserWarning
        If ``block_size`` is larger than the number of coordinates.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster:
    faster greedy rules, message-passing, active-set complexity, and superlinear convergence.
    JMLR 23(131), arXiv 1712.08859.
    J. Nutini, M. Schmidt, I. Laradji, M. Friedlander, H. Koepke (2015). Coordinate descent
    converges faster with the Gauss-Southwell rule than random selection. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.bcd(losses.LeastSquares(A, y), penalties.L1(0.5), block_size=5)
    >>> np.flatnonzero(result.x)
    array([3, 7])
    >>> result.method
    'bcd(variable, gs-q, newton)'
    """
    loss = required("loss", loss, BlockLossLike)
    if np.dtype(loss.dtype).kind == "c":
        raise TypeError(f"loss must be real, got dtype {loss.dtype}")
    rng = as_rng(rng)
    if block_size is None:
        block_size = min(50, max(math.prod(loss.shape), 1))
    integer("block_size", block_size, 1)
    choice("score_norm", score_norm, (1, 2))
    choice("diagonal", diagonal, (None, "row-sums", "lipschitz", "block"))
    shrink = float(parameter("shrink", shrink, strict=True, finite=True))
    if shrink > 1.0:
        raise ValueError(f"shrink must be at most 1, got {shrink}")
    term = as_term(penalty, loss.shape)
    bounds = np.asarray(loss.coordinate_bounds(), np.float64)
    plan = make_plan(loss, term, blocks, block_size, select, update, rng)
    x = Composite(loss, penalty).start(x0).astype(np.float64).ravel()
    _settle(loss, term, bounds, x)
    engine = _Engine(
        Workspace(loss, term, x, bounds, plan.select not in UNGUIDED), plan, penalty, rng,
        default_tolerance(tol, loss.dtype), score_norm, diagonal, shrink,
    )  # fmt: skip
    if max_iter is None:
        max_iter = max(10_000, 1000 * engine.epoch)
    engine.budget = integer("max_iter", max_iter, 0)
    run = iterate(
        engine.first(),
        engine.step,
        tol=engine.tol,
        max_iter=engine.budget,
        certificate=engine.certificate.name,
        callback=callback,
        progress=progress,
        label=plan.method,
    )
    fields = run.fields(plan.method)
    if "auto" in (select, update) or (isinstance(blocks, str) and blocks == "auto"):
        fields["message"] += f"; {plan.method} chosen by 'auto'"
    fields["message"] += engine.remark()
    return BCDResult(
        **fields, dual=engine.certificate.dual, n_updates=run.nit, phases=engine.phases
    )


def _settle(loss: Any, term: Term, bounds: Array, x: Array) -> None:
    """Move the start inside the bounds, and coordinates without curvature to their best."""
    np.clip(x, term.lower, term.upper, out=x)
    flat = np.flatnonzero(~(bounds > 0))
    if not flat.size:
        return
    g = np.zeros(flat.size)
    if not isinstance(loss, LinearLoss):  # there columns of zeros, or constant ones, change nothing
        z = loss.predict(x.astype(loss.dtype).reshape(loss.shape))
        g = np.asarray(loss.pull_back(loss.gradient_at(z)), np.float64).ravel()[flat]
    lam, lower, upper = term.lam[flat], term.lower[flat], term.upper[flat]
    sinks = np.abs(g) > lam
    best = np.where(sinks, np.where(g > 0, lower, upper), np.clip(0.0, lower, upper))
    best = np.where(~sinks & (lam == 0) & (g == 0), x[flat], best)
    if not np.isfinite(best).all():
        i = int(flat[np.argmin(np.isfinite(best))])
        raise ValueError(f"loss must be bounded below, but it is linear along coordinate {i}")
    x[flat] = best


class _Engine:
    """The steps of one run."""

    budget = 0
    stalled = 0  # updates in a row that changed nothing

    def __init__(
        self,
        work: Workspace,
        plan: Plan,
        penalty: Any,
        rng: np.random.Generator,
        tol: float,
        score_norm: int,
        diagonal: str | None,
        shrink: float,
    ) -> None:
        self.work = work
        self.plan = plan
        self.tol = tol
        self.rng = rng
        self.certificate = Certificate(work, penalty)
        self.updater = Updater(plan.update, work, shrink)
        layout = plan.layout
        scale = gsd_scale(diagonal, plan.select, plan.update, work.loss, layout, self.updater)
        self.selector = Selector(plan.select, layout, work, self.updater, rng, score_norm, scale)
        active = self.selector.active.size
        count = len(layout.blocks) if layout.blocks is not None else -(-active // layout.size)
        self.epoch = max(count, 1)
        single = layout.size == 1 if layout.blocks is None else count == active
        self.sweeps = (
            Sweeps(work)
            if single and plan.select == "cyclic" and Sweeps.fits(work) and active
            and plan.update in ("gradient", "matrix", "newton", "exact", "two-metric")
            and not work.term.has_groups
            else None
        )  # fmt: skip
        local = work.Q is not None and self.selector.uses_heap and work.p >= MANY
        self.chunk = self.epoch if local else 1
        self.phases = {"select": 0.0, "update": 0.0, "check": 0.0}
        everywhere = np.arange(work.p)
        pinned = work.term.pinned(everywhere, work.x) | (work.term.is_zero & (work.x == 0.0))
        self.support = int(work.p - pinned.sum())
        self.refreshed = 0

    def first(self) -> BCDState:
        """The state at the start point."""
        fun = self.certificate.objective()
        return BCDState(x=self.work.output, fun=fun, certificate=self.certificate.measure(fun))

    def step(self, state: BCDState) -> BCDState:
        """One update, or a sweep of them."""
        work = self.work
        left = self.budget - state.nit
        if self.sweeps is not None:
            return self._sweep(left)
        changed = 0
        count = min(self.chunk, left)
        for _ in range(count):
            start = time.perf_counter()
            stuck = self.stalled > 1
            block, index = self.selector.at_random() if stuck else self.selector.choose()
            chosen = time.perf_counter()
            self.phases["select"] += chosen - start
            new = self.updater.new_values(block, index, work.block_gradient(block))
            still = work.greedy and np.array_equal(new, work.x[block])
            self.stalled = self.stalled + 1 if still else 0
            changed += self._account(block, new)
            work.apply(block, new)
            self.phases["update"] += time.perf_counter() - chosen
        if work.updates - self.refreshed >= DRIFT:
            self._refresh()
        return self._after(block, changed, block.size, count)

    def _sweep(self, left: int) -> BCDState:
        assert self.sweeps is not None
        start = time.perf_counter()
        order = self.rng.permutation(self.selector.active)[:left]
        chosen = time.perf_counter()
        everywhere = np.arange(self.work.p)
        before = self._pinned(everywhere, self.work.x)
        self.sweeps.run(order)
        after = self._pinned(everywhere, self.work.x)
        self.support = int(self.work.p - after.sum())
        if self.work.updates - self.refreshed >= max(DRIFT, 10 * self.epoch):
            self._refresh()
        self.phases["select"] += chosen - start
        self.phases["update"] += time.perf_counter() - chosen
        return self._after(None, int(np.sum(before != after)), 1, order.size)

    def _pinned(self, block: Array, x: Array) -> Array:
        pinned = self.work.term.pinned(block, x)
        return pinned | (x == 0.0) if self.work.term.is_zero else pinned

    def _account(self, block: Array, new: Array) -> int:
        """Coordinates whose membership of the support changes."""
        before, after = self._pinned(block, self.work.x[block]), self._pinned(block, new)
        self.support += int(before.sum()) - int(after.sum())
        return int(np.sum(before != after))

    def _refresh(self) -> None:
        self.work.refresh()
        self.refreshed = self.work.updates
        if self.sweeps is not None:
            self.sweeps.load()

    def _after(self, block: Array | None, changed: int, size: int, advance: int) -> BCDState:
        """Objective, certificate and bookkeeping."""
        start = time.perf_counter()
        work = self.work
        fun, value = self.certificate.objective(), math.nan
        due = work.greedy or self.sweeps is not None or work.updates % self.epoch == 0
        if due or work.updates >= self.budget:
            value = self.certificate.measure(fun)
            if value <= self.tol and work.updates > self.refreshed:
                self._refresh()  # do not let drift say that it is done
                fun = self.certificate.objective()
                value = self.certificate.measure(fun)
        state = BCDState(
            x=work.output,
            fun=fun,
            certificate=value,
            advance=advance,
            block=block,
            extra={
                "block": float(size),
                "support": float(self.support),
                "changed": float(changed),
            },
        )
        self.phases["check"] += time.perf_counter() - start
        return state

    def remark(self) -> str:
        """What a user should know about the problem."""
        from ..losses import Logistic, Multinomial

        loss, z = self.work.loss, self.work.z
        separable = isinstance(loss, Logistic) and bool(np.all(loss.y * z > 0))
        if isinstance(loss, Multinomial):
            own = np.take_along_axis(z, loss.codes[:, None], axis=1)
            separable = bool(np.all((own > z).sum(axis=1) == z.shape[1] - 1))
        if separable and self.work.term.is_zero:
            return "; the classes are separable, so nothing attains the minimum: x grows for ever"
        return ""
