"""Trend filtering: piecewise polynomial fits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State, iterate, to_host
from .._core._elementwise import as_floating
from .._core._validate import axis_index, integer, parameter, steps
from ._group_l2 import single
from ._inexact import default_tolerance, dual_start, like, nothing_to_do, on_numpy
from ._taut_string import taut_string
from ._vectors import binary_unit, levels_in_units

Array = np.ndarray[Any, Any]

_BALANCE = 10  # iterations between two looks at the balance of the residuals
_STIFFEST = 1e13  # beyond it I + rho D^T D has lost its I to rounding and is singular
_SETTLED = 2000  # iterations after which the penalty parameter of ADMM stays


def trend_filter(
    v: Any,
    lam: Any,
    order: int = 1,
    *,
    step: float = 1.0,
    axis: int = -1,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
) -> Any:
    r"""Proximal operator of the l1 norm of differences of order ``order + 1``.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i \bigl|(D^{\text{order}+1} x)_i\bigr|

    along ``axis``, for every fibre. The fit is piecewise constant for order 0 (`tv1d`), piecewise
    linear for 1, quadratic for 2.

    The answer is the ``x`` of `solve_trend_filter`, which takes the same arguments and also
    returns the dual point and the duality gap: for orders above 0 the operator is computed by
    iteration, up to ``tol``.

    Parameters
    ----------
    v : array_like, real
        Signals.
    lam : float or array_like, shape (n - order - 1,)
        Level, >= 0 and finite, of every difference.
    order : int
        Degree of the pieces, >= 0.
    step : float
        Step, > 0.
    axis : int
        The axis along which the signals run.
    x0 : Result or array_like, optional
        Warm start: the result of `solve_trend_filter` for a similar problem, or its dual point,
        which is like ``v`` but shorter by ``order + 1`` along ``axis``.
    tol : float, optional
        Bound on the relative duality gap; by default 1e-6, and 1e-4 for float32.
    max_iter : int
        Iteration budget.

    Returns
    -------
    array
        Same shape and dtype as ``v``; computed in float64.

    Raises
    ------
    ValueError
        If ``v`` is not finite, ``lam`` is negative, not finite or of the wrong shape, ``order`` is
        negative, or ``step`` <= 0.
    TypeError
        If ``v`` is complex or a torch tensor that requires a gradient, or ``order`` no integer.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best fit is returned.

    References
    ----------
    S.-J. Kim, K. Koh, S. Boyd, D. Gorinevsky (2009). l1 trend filtering. SIAM Rev. 51(2).
    A. Ramdas, R. J. Tibshirani (2016). Fast and flexible ADMM algorithms for trend filtering.
    J. Comput. Graph. Stat. 25(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.trend_filter([0.0, 1.2, 1.8, 3.1, 2.0, 0.9, 0.0], 0.2).round(2)
    array([0.11, 1.04, 1.98, 2.91, 1.95, 0.99, 0.03])
    """
    lam = to_host(lam) if np.ndim(lam) else lam
    lam = steps(single("step", step)) * parameter("lam", lam, finite=True)
    result = solve_trend_filter(v, lam, order, axis=axis, x0=x0, tol=tol, max_iter=max_iter)
    return like(result.x, v)


def solve_trend_filter(
    v: Any,
    lam: Any,
    order: int = 1,
    *,
    axis: int = -1,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Trend filtering with its certificate: `trend_filter` as a `Result`.

    ADMM on ``z = D^order x``: a banded solve, and the exact one-dimensional total variation of z,
    whose dual is feasible for the whole problem. The penalty parameter starts at ``lam`` over
    the size of ``v`` and balances the residuals.

    Parameters
    ----------
    v, lam, order, axis, x0, tol, max_iter
        As in `trend_filter`; NumPy only.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration, with the fibres as columns of ``x``, less their polynomial fits; raising
        ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        ``certificate`` is the duality gap divided by the objective of the best polynomial of
        degree ``order``, the largest over the fibres, with the best primal and dual point seen.
        ``x = v - D^T dual`` holds in the limit.

    Raises
    ------
    ValueError, TypeError
        As `trend_filter`.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best fit is returned.

    References
    ----------
    A. Ramdas, R. J. Tibshirani (2016). Fast and flexible ADMM algorithms for trend filtering.
    J. Comput. Graph. Stat. 25(3).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import prox
    >>> v = np.abs(np.linspace(-1, 1, 50)) + 0.1 * np.random.default_rng(0).standard_normal(50)
    >>> result = prox.solve_trend_filter(v, 1.0)
    >>> result.certificate <= 1e-6
    True
    """
    v = as_floating("v", on_numpy(v))
    if v.dtype.kind == "c":
        raise TypeError(f"v must be real, got dtype {v.dtype}")
    if not np.isfinite(v).all():
        raise ValueError("v must be finite, got NaN or infinity")
    shape = v.shape or (1,)
    axis = axis_index(axis, len(shape))
    order = integer("order", order, 0)
    count = max(shape[axis] - order - 1, 0)
    lam = np.asarray(parameter("lam", lam, finite=True), np.float64)
    if lam.ndim > 1 or (lam.ndim == 1 and lam.shape[0] != count):
        raise ValueError(f"lam must be a number or of shape ({count},), got shape {lam.shape}")
    moved = np.moveaxis(np.asarray(v, np.float64).reshape(shape), axis, 0)
    u = dual_start(x0, (*shape[:axis], count, *shape[axis + 1 :]))
    if u is not None:
        u = np.moveaxis(u, axis, 0).reshape(count, -1)
    x = x0.x if isinstance(x0, Result) and np.shape(x0.x) == v.shape else None
    if x is not None:
        x = np.moveaxis(np.reshape(x, shape), axis, 0).reshape(shape[axis], -1)
    kind = "exact" if order == 0 else "admm"
    if v.size == 0:
        return nothing_to_do(v.shape, (*shape[:axis], count, *shape[axis + 1 :]), v.dtype, kind)
    order = min(order, shape[axis] - 1)  # a shorter signal is its own fit
    unit = binary_unit(moved)
    method = _TrendFilter(moved.reshape(shape[axis], -1) / unit, levels_in_units(lam, unit), order)

    def report(state: State) -> None:
        if callback is not None:
            callback(dataclasses.replace(state, x=state.x * unit, fun=state.fun * unit * unit))

    run = iterate(
        method.first(None if u is None else u / unit, None if x is None else x / unit),
        method.step,
        tol=default_tolerance(tol, v.dtype),
        max_iter=max_iter,
        certificate="relative duality gap",
        callback=report,
        progress=progress,
        label="trend filter",
    )
    fields = run.fields(kind)
    fields["fun"] *= unit * unit
    with np.errstate(over="ignore", under="ignore"):  # as the objective does at such a scale
        fields["history"]["fun"] = fields["history"]["fun"] * unit * unit
    x = (run.state.x + method.trend).reshape(moved.shape) * unit
    fields["x"] = np.ascontiguousarray(np.moveaxis(x, 0, axis)).reshape(v.shape).astype(v.dtype)
    dual = np.moveaxis((run.state.dual * unit).reshape(count, *moved.shape[1:]), 0, axis)
    return Result(**fields, dual=np.ascontiguousarray(dual))


@dataclasses.dataclass(eq=False, kw_only=True)
class _Split(State):
    """The best x and dual per column, and the variables of ADMM (``scaled`` is its dual)."""

    dual: Array
    primal: Array
    bound: Array
    z: Array
    scaled: Array
    rho: float


class _TrendFilter:
    """The iteration for the columns of a matrix, all with one penalty parameter."""

    def __init__(self, y: Array, lam: Array, order: int) -> None:
        self.trend = polynomial_part(y, order)
        self.y = y - self.trend
        noise = 16 * np.finfo(float).eps * np.max(np.abs(y), axis=0, initial=0.0)
        rounding = np.max(np.abs(self.y), axis=0, initial=0.0) <= noise
        self.y = np.where(rounding, 0.0, self.y)  # a polynomial is its own fit
        self.order = order
        self.stiffest = _STIFFEST / 4.0**order  # the norm of D^T D is below 4^order
        self.lam = lam
        self.levels = lam.reshape(1, -1) if lam.size else np.zeros((1, 1))
        self.column = lam.reshape(-1, 1) if lam.size else np.zeros((1, 1))
        null = 0.5 * np.sum(self.y**2, axis=0)
        self.scale = np.where(null > 0, null, 1.0)
        self._factor: tuple[float, Any] = (0.0, None)

    def first(self, u: Array | None, x: Array | None) -> _Split:
        """The state at a dual point; if there is none, at an easy solution or at zero."""
        order, y = self.order, self.y
        straight = np.zeros(y.shape[1], bool)
        dual = np.zeros((y.shape[0] - order - 1, y.shape[1]))
        if order == 0:
            exact = taut_string(y.T, self.levels, self.levels, np.ones((1, 1))).T
            dual = np.clip(-inverse_adjoint(exact - y, 1), -self.column, self.column)
        elif u is not None:
            dual = np.clip(u, -self.column, self.column)
        else:  # exact where the polynomial itself is the answer
            u = inverse_adjoint(y, order + 1)
            straight = np.all(np.abs(u) <= self.column, axis=0)
            dual = np.where(straight, u, dual)
        found = y - adjoint_difference(dual, order + 1)
        # The rounding of y - D^T u would cost as much as a huge level makes of it.
        found = np.where(straight, 0.0, found)
        bound = self._bound(found)
        if x is not None and u is not None:
            better = self._objective(x - self.trend) < self._objective(found)
            found = np.where(better, x - self.trend, found)
        positive = self.lam[self.lam > 0]
        rho = min(float(np.mean(positive)), self.stiffest) if positive.size else 1.0
        state = _Split(
            x=found,
            fun=0.0,
            dual=dual,
            primal=self._objective(found),
            bound=bound,
            z=np.diff(found, n=order, axis=0),
            scaled=adjoint_difference(dual, 1) / rho,
            rho=rho,
        )
        return self._certify(state)

    def step(self, state: _Split) -> _Split:
        """One iteration of ADMM; both x and ``v - D^T u`` compete for the best fit."""
        order, rho, scaled = self.order, state.rho, state.scaled
        x = self._solve(rho, self.y + rho * adjoint_difference(state.z - scaled, order))
        image = np.diff(x, n=order, axis=0)
        levels = self.levels / rho
        z = taut_string((image + scaled).T, levels, levels, np.ones((1, 1))).T
        scaled = scaled + image - z
        dual = np.clip(rho * inverse_adjoint(scaled, 1), -self.column, self.column)
        other = self.y - adjoint_difference(dual, order + 1)
        bound = self._bound(other)
        best = dataclasses.replace(state, z=z, scaled=scaled, advance=1)
        for candidate in (x, other):
            value = self._objective(candidate)
            better = value < best.primal
            best.x = np.where(better, candidate, best.x)
            best.primal = np.where(better, value, best.primal)
        higher = bound > state.bound
        best.dual = np.where(higher, dual, state.dual)
        best.bound = np.where(higher, bound, state.bound)
        if (state.nit + 1) % _BALANCE == 0 and state.nit < _SETTLED:
            self._balance(best, image - z, z - state.z, image)
        return self._certify(best)

    def _balance(self, state: _Split, primal: Array, dual: Array, image: Array) -> None:
        """Move rho towards equal relative residuals."""
        tiny = np.finfo(float).tiny
        misfit = np.linalg.norm(primal) / max(np.linalg.norm(image), tiny)
        drift = np.linalg.norm(adjoint_difference(dual, self.order))
        drift /= max(np.linalg.norm(adjoint_difference(state.scaled, self.order)), tiny)
        if misfit > 0 and drift > 0:
            factor = min(max(math.sqrt(misfit / drift), 0.1), 10.0)
            if not 0.5 <= factor <= 2.0:
                factor = min(factor, self.stiffest / state.rho)
                state.rho *= factor
                state.scaled = state.scaled / factor

    def _certify(self, state: _Split) -> _Split:
        gap = np.maximum(state.primal - state.bound, 0.0) / self.scale
        state.certificate = float(np.max(gap, initial=0.0))
        state.fun = float(np.sum(state.primal))
        return state

    def _objective(self, x: Array) -> Array:
        variation = self.column * np.abs(np.diff(x, n=self.order + 1, axis=0))
        values: Array = 0.5 * np.sum((x - self.y) ** 2, axis=0) + np.sum(variation, axis=0)
        return values

    def _bound(self, x: Array) -> Array:
        """Dual objective at the u with ``x = y - D^T u``."""
        values: Array = 0.5 * np.sum((self.y - x) * (self.y + x), axis=0)
        return values

    def _solve(self, rho: float, right: Array) -> Array:
        """``(I + rho D^T D)^-1`` for differences of this order."""
        from scipy.linalg import cho_solve_banded, cholesky_banded

        if self._factor[0] != rho:
            n, r = self.y.shape[0], self.order
            signs = [(-1.0) ** (r - j) * math.comb(r, j) for j in range(r + 1)]
            bands = np.zeros((r + 1, n))
            bands[0] = 1.0
            for k in range(r + 1):
                for j in range(r + 1 - k):
                    bands[k, j : j + n - r] += rho * signs[j] * signs[j + k]
            self._factor = (rho, (cholesky_banded(bands, lower=True), True))
        solution: Array = cho_solve_banded(self._factor[1], right)
        return solution


def adjoint_difference(u: Array, order: int) -> Array:
    """``D^T u`` for differences of the given order along the first axis."""
    for _ in range(order):
        edge = np.zeros((1, u.shape[1]))
        u = -np.diff(u, axis=0, prepend=edge, append=edge)
    return u


def inverse_adjoint(y: Array, order: int) -> Array:
    """The u with ``D^T u = y``, for columns orthogonal to the polynomials of degree < order."""
    for _ in range(order):
        y = -np.cumsum(y, axis=0)[:-1]
    return y


def polynomial_part(y: Array, order: int) -> Array:
    """Least-squares polynomials of degree at most ``order`` through the columns."""
    n = y.shape[0]
    if n <= order + 1:
        return y.copy()
    basis = np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, n), order)
    basis, _ = np.linalg.qr(basis)
    part: Array = basis @ (basis.T @ y)
    return part
