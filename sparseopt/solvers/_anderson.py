"""Proximal gradient with Anderson extrapolation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from .._core._validate import integer
from ._composite import Array
from ._terms import Measure, Terms, solve


def anderson(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    window: int = 5,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a loss plus one penalty by Anderson-accelerated proximal gradient.

    .. math:: T(x) = \operatorname{prox}_{g/L}\bigl(x - \tfrac1L A^H \nabla f(A x)\bigr), \qquad
        x^+ = \sum_i c_i T(x_i), \quad
        c = \arg\min_{\sum c_i = 1} \bigl\|\textstyle\sum_i c_i (T(x_i) - x_i)\bigr\|

    over the last few points, if that has an objective no larger than :math:`T(x)`; otherwise
    :math:`x^+ = T(x)`, and the window starts anew. The objective never rises, beyond rounding, so
    penalties that are not convex are welcome.

    Parameters
    ----------
    loss : object
        Smooth term, for example `sparseopt.losses.LeastSquares`.
    penalty : object, optional
        Anything with ``value(x)`` and ``prox(v, step)``. Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the certificate, as for `sparseopt.solvers.sparsa`.
    max_iter : int
        Iteration budget.
    window : int
        How many differences of points are combined, at least 1.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        With the history of ``extrapolated``: 1 where the extrapolated point was taken.

    Raises
    ------
    ValueError, TypeError
        For an argument that is out of range or lacks what the method needs.

    Warns
    -----
    ConvergenceWarning
        If the certificate does not reach ``tol``; the best iterate is returned.

    References
    ----------
    D. Anderson (1965). Iterative procedures for nonlinear integral equations. J. ACM 12(4).
    V. Mai, M. Johansson (2020). Anderson acceleration of proximal gradient methods. ICML.
    arXiv:1910.08590.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.anderson(losses.LeastSquares(A, y), penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    terms = Terms(loss, penalty, x0)
    terms.require_single("anderson")
    method = _Anderson(terms, integer("window", window, 1))
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Pair:
    """A point after the step, its prediction, and the step."""

    after: Array
    z: Array
    move: Array


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array
    z: Array
    u: Array
    gradient: Array
    curvature: float
    window: tuple[_Pair, ...] = ()
    extrapolated: bool = False


class _Anderson:
    name = "anderson"
    every = 1

    def __init__(self, terms: Terms, window: int) -> None:
        self.terms = terms
        self.window = window
        self.eps = float(np.finfo(terms.loss.dtype).eps)

    def first(self, x: Array) -> _Variables:
        return self._at(x, self.terms.loss.predict(x), 1.01 * self.terms.curvature, (), False)

    def _at(self, x: Array, z: Array, a: float, window: Any, extrapolated: bool) -> _Variables:
        u = self.terms.loss.gradient_at(z)
        return _Variables(x, z, u, self.terms.loss.pull_back(u), a, window, extrapolated)

    def advance(self, old: _Variables) -> _Variables:
        """A proximal gradient step, and the better of it and the extrapolation."""
        terms, loss = self.terms, self.terms.loss
        a = old.curvature
        while True:
            v = old.x - np.asarray(1.0 / a, old.x.real.dtype) * old.gradient
            after = terms.penalty.prox(v, 1.0 / a)
            z = loss.predict(after)
            move = after - old.x
            square = terms.inner(move, move)
            rise = float(terms.sum_columns(loss.bregman(z, old.z)))
            noise = (8.0 * self.eps) ** 2 * terms.inner(z, z)
            if not rise > 0.5 * a * square * (1.0 + 1e-6) + noise:
                break
            a = max(1.02 * a, 2.04 * rise / square)
        # Pairs of another step length are points of another map.
        kept = old.window if a == old.curvature else ()
        window = (*kept, _Pair(after, z, move))[-self.window - 1 :]
        if len(window) > 1:
            c = _weights([pair.move for pair in window], self.eps)
            x = sum(ci * pair.after for ci, pair in zip(c, window, strict=True))
            zx = sum(ci * pair.z for ci, pair in zip(c, window, strict=True))
            if float(terms.objective(x, zx)) <= float(terms.objective(after, z)):
                # From x itself, so that errors do not pile up in sums of sums.
                return self._at(x, loss.predict(x), a, window, True)
            window = window[-1:]
        return self._at(after, z, a, window, False)

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        measure = self.terms.measure(now.x, z=now.z, u=now.u, gradient=now.gradient)
        return now.x, measure

    def extra(self, now: _Variables) -> dict[str, float]:
        return {"step": 1.0 / now.curvature, "extrapolated": float(now.extrapolated)}


def _weights(moves: list[Array], eps: float) -> Array:
    """The affine combination of the moves that is shortest: last one plus differences."""
    M = np.stack([move.reshape(-1) for move in moves], axis=1)
    if M.dtype.kind == "c":
        M = np.concatenate([M.real, M.imag])
    differences = np.diff(M.astype(np.float64), axis=1)
    parts = np.linalg.lstsq(differences, M[:, -1].astype(np.float64), rcond=10 * eps)[0]
    # sum_i c_i m_i = m_last - sum_j parts_j (m_{j+1} - m_j)
    weights: Array = np.append(parts, 1.0) - np.append(0.0, parts)
    return weights.astype(M.dtype)
