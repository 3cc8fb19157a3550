"""Sinkhorn divergences: entropic transport without its bias."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .._core import Result, Run, State, Status, iterate
from .._core._validate import positive
from ._costs import CostLike, MatrixCost, PointCost, from_data, tiles
from ._entropic import entropic
from ._grid_cost import GridCost
from ._log_kernel import log_kernel
from ._problem import check_problem

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DivergenceResult(Result):
    r"""What `divergence` found.

    ``fun`` is the divergence, ``x`` holds the potentials of the problem between a and b, ``nit``
    counts the steps of all three problems, ``certificate`` is their largest marginal error and
    ``history`` that of the problem between a and b.

    Attributes
    ----------
    values : tuple of float
        :math:`\mathrm{OT}(a, b), \mathrm{OT}(a, a), \mathrm{OT}(b, b)`, each with the product of
        its masses as reference measure.
    potentials : tuple of ndarray, shapes (n,) and (m,)
        Derivatives of the divergence in the masses a and b (up to a constant), made when first
        asked for.
    gradient : tuple of ndarray
        Derivatives in the points x and y, made when first asked for; needs a `PointCost` with the
        metric ``"sqeuclidean"``.
    """

    eps: float = 0.0
    values: tuple[float, float, float] = (0.0, 0.0, 0.0)
    problem: dict[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def _costs(self) -> tuple[CostLike, CostLike, CostLike]:
        xy, xx, yy = (from_data(data) for data in self.problem["costs"])
        return xy, xx, yy

    @cached_property
    def potentials(self) -> tuple[Array, Array]:
        """Derivatives in the masses."""
        (xy, xx, yy), p = self._costs, self.problem
        a, b, f, g = p["a"], p["b"], p["f"], p["g"]
        between = _soft(xy, f, g, a, b, self.eps)
        first = between[0] - _soft(xx, p["h"], p["h"], a, a, self.eps)[0]
        second = between[1] - _soft(yy, p["k"], p["k"], b, b, self.eps)[1]
        return first, second

    @cached_property
    def gradient(self) -> tuple[Array, Array]:
        """Derivatives in the points."""
        (xy, xx, yy), p = self._costs, self.problem
        if not (isinstance(xy, PointCost) and xy.metric == "sqeuclidean"):
            raise TypeError("gradient needs a PointCost with metric 'sqeuclidean'")
        a, b, f, g = p["a"], p["b"], p["f"], p["g"]
        between = _pulls(xy, f, g, a, b, self.eps)
        first = between[0] - _pulls(xx, p["h"], p["h"], a, a, self.eps)[0]
        second = between[1] - _pulls(yy, p["k"], p["k"], b, b, self.eps)[1]
        return first.astype(xy.x.dtype, copy=False), second.astype(xy.y.dtype, copy=False)


def divergence(
    C: Any,
    a: Any,
    b: Any,
    eps: float,
    *,
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 100_000,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> DivergenceResult:
    r"""Sinkhorn divergence between two measures.

    .. math::
        S_\varepsilon(a, b) = \mathrm{OT}_\varepsilon(a, b) - \tfrac12 \mathrm{OT}_\varepsilon(a, a)
        - \tfrac12 \mathrm{OT}_\varepsilon(b, b), \qquad
        \mathrm{OT}_\varepsilon(a, b) = \min_P\ \langle C, P\rangle
        + \varepsilon \mathrm{KL}(P \,|\, a b^\top)

    For squared Euclidean and Euclidean costs (any whose kernel :math:`e^{-C/\varepsilon}` is
    positive definite) it is nonnegative and zero only for equal measures; it goes from the
    transport cost to the energy distance as the strength grows. The problem between a and b is
    solved by `entropic`, or `wasserstein` on a grid; the two symmetric ones by
    :math:`h \leftarrow \frac12 (h + T h)`, with T the update of Sinkhorn, which halves the error
    with such kernels.

    Parameters
    ----------
    C : PointCost, GridCost or tuple of three array_like
        Points, or a grid that carries both measures; or the costs between x and y, shape (n, m),
        within x, (n, n), and within y, (m, m), the latter two symmetric, all finite.
    a, b : array_like, shapes (n,) and (m,), or None
        Nonnegative masses of equal total; None is uniform with total 1. On a grid also of its
        shape.
    eps : float
        The entropic strength, in the units of the cost.
    x0 : DivergenceResult, optional
        Warm start.
    tol : float
        Bound for the certificate, the marginal error of each of the three plans.
    max_iter : int
        Budget for each of the three problems.
    callback : callable, optional
        Called with the state after each step, of one problem after the other; ``StopIteration``
        ends the problem.
    progress : bool
        Show bars.

    Returns
    -------
    DivergenceResult
        With the divergence in ``fun`` and its derivatives.

    Raises
    ------
    ValueError, TypeError
        For costs, masses or parameters that are not valid.

    Warns
    -----
    ConvergenceWarning
        If a certificate stayed above ``tol``.

    References
    ----------
    J. Feydy, T. Séjourné, F.-X. Vialard, S. Amari, A. Trouvé, G. Peyré (2019). Interpolating
    between optimal transport and MMD using Sinkhorn divergences. AISTATS, arXiv 1810.08278.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> x = np.random.default_rng(0).standard_normal((30, 2))
    >>> moved = transport.PointCost(x, x + [3.0, 4.0])
    >>> round(transport.divergence(moved, None, None, eps=1.0).fun, 6)
    25.0
    """
    eps = positive("eps", eps)
    xy, xx, yy = _three(C)
    a, b = (w if w is None or not isinstance(xy, GridCost) else np.ravel(w) for w in (a, b))
    if x0 is not None and not isinstance(x0, DivergenceResult):
        raise TypeError(f"x0 must be a DivergenceResult, got {type(x0).__name__}")
    more = {"tol": tol, "max_iter": max_iter, "callback": callback, "progress": progress}
    problem = check_problem(xy, a, b, forbid=False)
    masses = problem.masses
    start = None if x0 is None else (x0.problem["f"], x0.problem["g"])
    between = _between(xy, *masses, eps, start, more)
    first = _Within(xx, masses[0], eps).solve(None if x0 is None else x0.problem["h"], more)
    second = _Within(yy, masses[1], eps).solve(None if x0 is None else x0.problem["k"], more)
    costs = [problem.given.data(), first.cost.data(), second.cost.data()]
    (f, g), parts = between.potentials, (between, first.run, second.run)
    fun = between.fun - 0.5 * (first.fun + second.fun)
    worst = max(parts, key=lambda part: (not part.status.is_success, part.status))
    return DivergenceResult(
        x=np.concatenate([f, g]),
        fun=fun,
        success=all(part.status.is_success for part in parts),
        status=Status(worst.status),
        message="; ".join(
            f"{name}: {part.message}"
            for name, part in zip(("a and b", "a", "b"), parts, strict=True)
        ),
        nit=sum(part.nit for part in parts),
        certificate=max(between.certificate, first.error, second.error),
        method=between.method,
        history=between.history,
        eps=eps,
        values=_values((between.fun, first.fun, second.fun), *masses, eps),
        problem={
            "costs": costs,
            "a": masses[0],
            "b": masses[1],
            "f": f,
            "g": g,
            "h": first.h,
            "k": second.h,
        },
    )


def _three(C: Any) -> tuple[Any, Any, Any]:
    """Costs between, within x and within y."""
    if isinstance(C, PointCost):
        more: dict[str, Any] = {"metric": C.metric, "p": C.p, "scale": C.scale}
        return C, PointCost(C.x, C.x, **more), PointCost(C.y, C.y, **more)
    if isinstance(C, GridCost) and C.whole:
        return C, C, C
    if isinstance(C, tuple | list) and len(C) == 3:
        xy, xx, yy = C
        n, m = np.shape(xy) if np.ndim(xy) == 2 else (-1, -1)
        for name, part, size in (("C[1]", xx, n), ("C[2]", yy, m)):
            if np.shape(part) != (size, size):
                raise ValueError(
                    f"{name} must have shape ({size}, {size}) to fit C[0], got {np.shape(part)}"
                )
            part = np.asarray(part)
            if not np.allclose(part, part.T, rtol=1e-6, atol=0.0):
                raise ValueError(f"{name} must be symmetric")
        return xy, xx, yy
    raise TypeError(f"C must be a PointCost, a GridCost or three matrices, got {type(C).__name__}")


def _between(xy: Any, a: Array, b: Array, eps: float, x0: Any, more: dict[str, Any]) -> Any:
    if isinstance(xy, GridCost):
        from ._wasserstein import wasserstein

        a, b = a.reshape(xy.cells), b.reshape(xy.cells)
        return wasserstein(a, b, power=xy.power, spacing=xy.spacing, eps=eps, x0=x0, **more)
    return entropic(xy, a, b, eps, x0=x0, **more)


@dataclasses.dataclass(eq=False, kw_only=True)
class _State(State):
    """``rows`` is the kernel applied to x."""

    rows: Array


class _Within:
    """The symmetric problem of a measure with itself: one potential."""

    def __init__(self, C: Any, a: Array, eps: float) -> None:
        problem = check_problem(C, a, a, forbid=False)
        self.cost, self.a, self.eps = problem.given, a, eps
        self.shift, self.mass = problem.shift, problem.mass
        inner = problem.given
        if isinstance(inner, MatrixCost):  # offsets would cost digits
            inner = inner.shifted(self.shift)
        self.kernel = log_kernel(inner, eps)
        self.alive = a > 0.0
        with np.errstate(divide="ignore"):
            self.log_a = np.log(a)

    def solve(self, h: Array | None, more: dict[str, Any]) -> _Within:
        """Iterate; the answer is kept here."""
        if h is None:
            h = np.zeros(self.a.size)
        elif h.shape != self.a.shape:
            raise ValueError(f"x0 must be of a problem of this size, got {h.shape}")
        start = np.where(self.alive, h - 0.5 * self.shift, -np.inf)
        self.run: Run[_State] = iterate(
            self._at(start), self._step, certificate="marginal error", label="divergence", **more
        )
        state = self.run.state
        self.fun = state.fun + self.shift * self.mass
        self.error = state.certificate
        self.h = np.where(self.alive, state.x, 0.0) + 0.5 * self.shift
        return self

    def _at(self, h: Array) -> _State:
        rows = self.kernel.rows(h)
        sums = np.exp(h / self.eps + rows)
        error = 2.0 * float(np.abs(sums - self.a).sum()) / self.mass
        fun = 2.0 * float(self.a[self.alive] @ h[self.alive]) - self.eps * float(sums.sum())
        return _State(x=h, fun=fun, certificate=error, rows=rows)

    def _step(self, old: _State) -> _State:
        return self._at(0.5 * (old.x + self.eps * (self.log_a - old.rows)))


def _values(
    duals: tuple[float, float, float], a: Array, b: Array, eps: float
) -> tuple[float, float, float]:
    """With the product of masses as reference; what this adds cancels in the divergence."""
    from scipy.special import xlogy

    mass = float(a.sum())
    in_a, in_b = float(xlogy(a, a).sum()), float(xlogy(b, b).sum())
    moves = (mass - in_a - in_b, mass - 2.0 * in_a, mass - 2.0 * in_b)
    xy, xx, yy = (dual + eps * move for dual, move in zip(duals, moves, strict=True))
    return xy, xx, yy


def _soft(
    cost: CostLike, f: Array, g: Array, a: Array, b: Array, eps: float
) -> tuple[Array, Array]:
    r"""Potentials of all atoms in the form with a reference measure.

    :math:`-\varepsilon \log \sum_j \exp((g_j - C_{ij})/\varepsilon)`, also where there is no mass.
    """
    from scipy.special import logsumexp

    f, g = np.where(a > 0.0, f, -np.inf), np.where(b > 0.0, g, -np.inf)
    rows, cols = np.empty(a.size), np.full(b.size, -np.inf)
    for start, stop, C in tiles(cost):
        rows[start:stop] = logsumexp((g - C) / eps, axis=1)
        part = logsumexp((f[start:stop, None] - C) / eps, axis=0)
        np.logaddexp(cols, part, out=cols)
    return -eps * rows, -eps * cols


def _pulls(cost: Any, f: Array, g: Array, a: Array, b: Array, eps: float) -> tuple[Array, Array]:
    r"""The derivatives of the cost of a plan in the points, for squared distances."""
    x, y = cost.x.astype(np.float64), cost.y.astype(np.float64)
    at_x, at_y = np.zeros_like(x), np.zeros_like(y)
    for start, stop, C in tiles(cost):
        P = np.exp((f[start:stop, None] + g - C) / eps)
        P[a[start:stop] == 0.0] = 0.0
        P[:, b == 0.0] = 0.0
        at_x[start:stop] = P.sum(axis=1)[:, None] * x[start:stop] - P @ y
        at_y += P.sum(axis=0)[:, None] * y - P.T @ x[start:stop]
    return 2.0 * cost.scale * at_x, 2.0 * cost.scale * at_y
