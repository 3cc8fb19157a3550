"""Wasserstein distances between densities on a grid, with a certified bracket."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .._core import State, as_floating, iterate
from .._core._validate import positive
from ._distance import WassersteinParts
from ._entropic_result import SINKHORN, EntropicResult, EntropicState
from ._grid_cost import GridCost
from ._log_kernel import GridKernel
from ._problem import balance, check_masses, check_potential
from ._relaxation import EVERY, Relaxation
from ._result import problem_record
from ._rounding import shrink

Array = np.ndarray[Any, Any]

FIRST, RATIO = 0.05, 4.0  # strength of the first stage relative to the range of costs, and steps
STAGE = 1e-2  # marginal error that ends a stage before the last


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GridResult(WassersteinParts, EntropicResult):
    r"""What `wasserstein` found; see `EntropicResult` for what is not listed.

    ``cost`` and ``bracket`` cost a few sweeps; ``plan``, ``value`` and ``gap`` run through all
    pairs of cells, ravelled in C order.

    Attributes
    ----------
    power : float
        The p.
    distance : float
        :math:`W_p`, the p-th root of ``cost``: an upper bound of the distance.
    distance_bracket : tuple of float
        The roots of ``bracket``: the distance without regularisation lies between them.
    """

    @cached_property
    def _bounds(self) -> _Bounds:
        f, g = self.potentials
        return _Bounds(self._kernel, self.a, self.b, _alive(f, self.a), _alive(g, self.b))

    @cached_property
    def _kernel(self) -> GridKernel:
        return GridKernel(GridCost.from_data(self.problem["cost"]), self.eps)

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        return self._bounds.sums

    @cached_property
    def cost(self) -> float:
        """The transport cost of the plan, after rounding to exact marginals."""
        return self._bounds.upper()

    @cached_property
    def bracket(self) -> tuple[float, float]:
        """Lower and upper bound of the unregularised transport cost."""
        return self._bounds.lower(), self.cost


def wasserstein(
    a: Any,
    b: Any,
    *,
    power: float = 2.0,
    spacing: float | Sequence[float] = 1.0,
    eps: float | None = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    sparse: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> GridResult:
    r"""Wasserstein distance between two densities on a regular grid.

    .. math::
        W_p^p = \min_{P \ge 0,\ P1 = a,\ P^\top 1 = b}\
        \sum_{ij} P_{ij} \sum_d |h_d (i_d - j_d)|^p

    so the ground distance is Euclidean for ``power=2`` and city-block for ``power=1``. The cost is
    a sum over the axes, so that a sweep of Sinkhorn on N cells of a square grid takes
    :math:`O(N^{3/2})` operations. Sweeps run in the log domain, over-relaxed, while the entropic
    strength falls in stages; what is returned is bounded on both sides in any case.

    Parameters
    ----------
    a, b : array_like
        Densities of the same shape, nonnegative, of equal totals.
    power : float
        The p, at least 1.
    spacing : float or tuple of float
        The side of a cell, the same for all axes or one for each.
    eps : float, optional
        The entropic strength, in units of the cost. If it is not given, it falls until the
        bracket of the cost is narrow enough.
    x0 : GridResult, pair of array_like or array_like, optional
        Start: a result, potentials (f, g), or only g, ravelled. With `eps` it starts the last
        stage.
    tol : float, optional
        With `eps`, the bound on the marginal error, 1e-9 by default. Without it, the bound on the
        width of the bracket relative to the cost of the product plan :math:`a b^\top`, 1e-3 by
        default.
    max_iter : int
        Budget of sweeps.
    sparse : bool
        Whether ``result.plan`` is a CSR array.
    callback : callable, optional
        Called with the state (``f``, ``g``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        sweep; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    GridResult
        With ``distance`` and ``distance_bracket``.

    Raises
    ------
    ValueError, TypeError
        For densities or parameters that are not valid.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach `tol`.

    References
    ----------
    J. Solomon, F. de Goes, G. Peyré, et al. (2015). Convolutional Wasserstein distances. ACM
    Trans. Graph. 34(4), doi 10.1145/2766963.
    B. Schmitzer (2019). Stabilized sparse scaling algorithms for entropy regularized transport
    problems. SIAM J. Sci. Comput. 41(3), arXiv 1610.06519.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> a, b = np.zeros((8, 8)), np.zeros((8, 8))
    >>> a[1:3, 1:3] = b[4:6, 5:7] = 0.25  # moved by (3, 4)
    >>> result = transport.wasserstein(a, b)
    >>> low, high = result.distance_bracket
    >>> low <= 5.0 <= high < 5.02
    True
    """
    a, b = as_floating("a", a), as_floating("b", b)
    if not a.size or a.ndim == 0:
        raise ValueError(f"a must be a non-empty grid, got shape {a.shape}")
    if a.shape != b.shape:
        raise ValueError(f"b must have the shape of a, {a.shape}, got {b.shape}")
    dtype = np.float32 if a.dtype == b.dtype == np.float32 else np.float64
    cost = GridCost(a.shape, power, spacing=spacing, dtype=dtype)
    a, b = check_masses("a", a.ravel(), a.size), check_masses("b", b.ravel(), b.size)
    b = balance(a, b)
    target = None if eps is None else positive("eps", eps)
    if tol is None:
        tol = 1e-3 if eps is None else 1e-9
    solver = _Sweeps(cost, a, b, target, positive("tol", tol))
    run = iterate(
        solver.first(x0),
        solver.step,
        tol=tol,
        max_iter=max_iter,
        certificate="width of the bracket" if eps is None else "marginal error",
        callback=callback,
        progress=progress,
        label="wasserstein",
    )
    state, fields = run.state, run.fields("sinkhorn")
    if target not in (None, state.eps):  # ended before the last strength: measured there
        state = solver.finish(state)
        fields |= {"fun": state.fun, "certificate": state.certificate}
        fields["message"] = run.message.replace("nan", f"{state.certificate:.2e}")
    f, g = solver.restore(state)
    return GridResult(
        **fields | {"x": np.concatenate([f, g])},
        potentials=(f, g),
        problem=problem_record(cost, a, b, (f, g)),
        sparse=bool(sparse),
        eps=state.eps,
        power=cost.power,
    )


@dataclasses.dataclass(eq=False, kw_only=True)
class _State(EntropicState):
    """``rows`` is the kernel applied to g, in the log domain."""

    eps: float
    rows: Array
    relaxation: Relaxation
    sweeps: int = 0  # at this strength


class _Sweeps:
    """Over-relaxed sweeps with a falling strength."""

    def __init__(self, cost: GridCost, a: Array, b: Array, eps: float | None, tol: float) -> None:
        self.cost, self.a, self.b, self.eps, self.tol = cost, a, b, eps, tol
        self.mass = float(a.sum())
        self.span = sum(float(cost.axis(d).max()) for d in range(len(cost.cells)))
        self.kernel = GridKernel(cost, self._stage(FIRST * self.span))
        self.null = self.kernel.product_cost(a, b) / self.mass
        with np.errstate(divide="ignore"):
            self.log_a, self.log_b = np.log(a), np.log(b)

    def _stage(self, eps: float) -> float:
        """The strength of a stage: never below what was asked for."""
        low = self.eps if self.eps is not None else 1e-14 * self.span
        return max(eps, low) or 1.0

    def first(self, x0: Any) -> _State:
        g = np.zeros(self.b.size)
        if x0 is not None:
            g = _start(x0, self.b.size)
            eps = self.eps if self.eps is not None else getattr(x0, "eps", self.kernel.eps)
            self.kernel = GridKernel(self.cost, self._stage(float(eps)))
        return self._sweep(None, _alive(g, self.b))

    def step(self, old: _State) -> _State:
        """One sweep, at a lower strength if the last one was good enough."""
        if old.eps != self.eps and self._stage_is_done(old):
            self.kernel = GridKernel(self.cost, self._stage(old.eps / RATIO))
            return self._sweep(None, old.g)
        return self._sweep(old, old.g)

    def finish(self, state: _State) -> _State:
        """The state at the strength that was asked for."""
        self.kernel = GridKernel(self.cost, self._stage(0.0))
        return self._sweep(None, state.g)

    def _stage_is_done(self, state: _State) -> bool:
        if self.eps is not None:
            return state.extra["marginal_error"] <= STAGE
        # What rounding adds to the cost must be small beside what the strength does.
        known = state.sweeps % EVERY == 0
        return known and state.extra["marginal_error"] <= 0.25 * state.certificate

    def _sweep(self, old: _State | None, g: Array) -> _State:
        kernel, eps = self.kernel, self.kernel.eps
        rows = kernel.rows(g) if old is None else old.rows
        relaxation = Relaxation() if old is None else old.relaxation
        f = eps * (self.log_a - rows)
        if old is not None:
            f = _relax(old.f, f, relaxation.factor)
        cols = kernel.cols(f)
        # After a jump in f the columns are brought to order exactly.
        g = _relax(g, eps * (self.log_b - cols), relaxation.factor if old is not None else 1.0)
        rows = kernel.rows(g)
        column_sums = np.exp(g / eps + cols)
        error = np.abs(np.exp(f / eps + rows) - self.a).sum()
        error = float(error + np.abs(column_sums - self.b).sum()) / self.mass
        fun = _inner(self.a, f) + _inner(self.b, g) - eps * float(column_sums.sum())
        state = _State(
            x=(f, g),
            fun=fun,
            f=f,
            g=g,
            eps=eps,
            rows=rows,
            relaxation=relaxation.after(error, fun),
            sweeps=1 if old is None else old.sweeps + 1,
            extra={"phase": SINKHORN, "eps": eps, "marginal_error": error},
        )
        state.certificate = self._certificate(state, error, old)
        return state

    def _certificate(self, state: _State, error: float, old: _State | None) -> float:
        if self.eps is not None:
            return error if state.eps == self.eps else np.nan
        if self.null == 0.0:
            return 0.0
        if state.sweeps % EVERY:
            return np.nan if old is None else old.certificate
        bounds = _Bounds(self.kernel, self.a, self.b, state.f, state.g)
        return (bounds.upper() - bounds.lower()) / self.null

    def restore(self, state: _State) -> tuple[Array, Array]:
        """Finite potentials for all cells, normalised."""
        f, g = state.f, state.g
        move = _inner(self.a, f) / self.mass
        f, g = f - move, g + move
        f = np.where(self.a > 0.0, f, self.kernel.least(g))
        return f, np.where(self.b > 0.0, g, self.kernel.least(f))


class _Bounds:
    """The bracket of the cost from potentials, -inf where there is no mass, axis by axis."""

    def __init__(self, kernel: GridKernel, a: Array, b: Array, f: Array, g: Array) -> None:
        self.kernel, self.a, self.b, self.f, self.g = kernel, a, b, f, g

    @cached_property
    def sums(self) -> tuple[Array, Array]:
        """Row and column sums of the plan."""
        return self._rows(self.f, self.g), self._cols(self.f, self.g)

    def _rows(self, f: Array, g: Array) -> Array:
        return np.exp(f / self.kernel.eps + self.kernel.rows(g))

    def _cols(self, f: Array, g: Array) -> Array:
        return np.exp(g / self.kernel.eps + self.kernel.cols(f))

    def upper(self) -> float:
        """The cost of the plan rounded to the marginals; see `round_sparse`."""
        kernel, eps = self.kernel, self.kernel.eps
        f = self.f + eps * np.log(shrink(self._rows(self.f, self.g), self.a).clip(1e-300))
        g = self.g + eps * np.log(shrink(self._cols(f, self.g), self.b).clip(1e-300))
        short_a = np.maximum(self.a - self._rows(f, g), 0.0)
        short_b = np.maximum(self.b - self._cols(f, g), 0.0)
        cost, total = kernel.cost(f, g), float(short_b.sum())
        return cost + kernel.product_cost(short_a, short_b) / total if total > 0.0 else cost

    def lower(self) -> float:
        """The dual objective of potentials made feasible."""
        f = self.kernel.least(self.g)
        g = self.kernel.least(np.where(self.a > 0.0, f, -np.inf))
        return float(self.a @ f + self.b @ g)


def _alive(potential: Array, masses: Array) -> Array:
    return np.where(masses > 0.0, potential, -np.inf)


def _relax(old: Array, new: Array, factor: float) -> Array:
    moved = new.copy()
    alive = np.isfinite(new)
    moved[alive] = old[alive] + factor * (new[alive] - old[alive])
    return moved


def _inner(masses: Array, potential: Array) -> float:
    alive = masses > 0.0
    return float(masses[alive] @ potential[alive])


def _start(x0: Any, size: int) -> Array:
    found = getattr(x0, "potentials", x0)
    if isinstance(found, tuple | list) and len(found) == 2:
        found = found[1]
    g = check_potential(found).ravel()
    if g.shape != (size,):
        raise ValueError(f"x0 must hold g of {size} cells, got shape {g.shape}")
    if not np.isfinite(g).all():
        raise ValueError("x0 must be finite, got NaN or infinite potentials")
    return g
