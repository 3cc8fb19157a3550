"""SpaRSA: proximal gradient with Barzilai-Borwein steps and a non-monotone line search."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from .._core._validate import integer
from ._composite import Array
from ._terms import Measure, Terms, solve

DECREASE, SHORTEST, LONGEST = 1e-2, 1e-10, 1e10


def sparsa(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    memory: int = 5,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a loss plus one penalty by proximal gradient with Barzilai-Borwein steps.

    .. math:: x^+ = \operatorname{prox}_{g/a}\bigl(x - \tfrac1a A^H \nabla f(A x)\bigr), \qquad
        a = \frac{\langle \Delta x, \Delta \nabla \rangle}{\|\Delta x\|^2}

    where a is doubled until the objective is below the largest of the last few by
    :math:`0.005\, a \|x^+ - x\|^2`. The penalty need not be convex.

    Parameters
    ----------
    loss : object
        Smooth term, for example `sparseopt.losses.LeastSquares`.
    penalty : object, optional
        Anything with ``value(x)`` and ``prox(v, step)``. Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the certificate, by default 1e-6 (1e-4 for float32): the relative duality gap
        where the penalty has one, else the fixed-point residual at step 1/L beside the gradient.
    max_iter : int
        Iteration budget.
    memory : int
        How many objectives the line search looks back on, at least 1 (monotone).
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        With the history of ``step``.

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
    S. Wright, R. Nowak, M. Figueiredo (2009). Sparse reconstruction by separable approximation.
    IEEE Trans. Signal Process. 57(7).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.sparsa(losses.LeastSquares(A, y), penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    terms = Terms(loss, penalty, x0)
    terms.require_single("sparsa")
    method = _SpaRSA(terms, integer("memory", memory, 1))
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array
    z: Array
    u: Array
    gradient: Array
    past: tuple[float, ...]
    curvature: float
    used: float


class _SpaRSA:
    name = "sparsa"
    every = 1

    def __init__(self, terms: Terms, memory: int) -> None:
        self.terms = terms
        self.memory = memory
        self.eps = float(np.finfo(terms.loss.dtype).eps)

    def first(self, x: Array) -> _Variables:
        loss = self.terms.loss
        z = loss.predict(x)
        u = loss.gradient_at(z)
        fun = float(self.terms.objective(x, z))
        a = self.terms.curvature
        return _Variables(x, z, u, loss.pull_back(u), (fun,), a, a)

    def advance(self, old: _Variables) -> _Variables:
        """One accepted step."""
        terms, loss = self.terms, self.terms.loss
        reference = max(old.past)
        noise = 10.0 * self.eps * abs(reference) if np.isfinite(reference) else 0.0
        a = old.curvature
        while True:
            v = old.x - np.asarray(1.0 / a, old.x.real.dtype) * old.gradient
            x = terms.penalty.prox(v, 1.0 / a)
            z = loss.predict(x)
            fun = float(terms.objective(x, z))
            d = x - old.x
            square = terms.inner(d, d)
            # Past a multiple of the curvature only rounding can refuse the step.
            enough = fun <= reference - 0.5 * DECREASE * a * square + noise
            if enough or np.isnan(fun) or a > 1e3 * LONGEST * terms.curvature:
                break
            a *= 2.0
        u = loss.gradient_at(z)
        gradient = loss.pull_back(u)
        bend = terms.inner(d, gradient - old.gradient)
        following = bend / square if square > 0 else a
        low, high = SHORTEST * terms.curvature, LONGEST * terms.curvature
        following = min(max(following, low), high)
        past = (*old.past, fun)[-self.memory :]
        return _Variables(x, z, u, gradient, past, following, a)

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        measure = self.terms.measure(now.x, z=now.z, u=now.u, gradient=now.gradient)
        return now.x, measure

    def extra(self, now: _Variables) -> dict[str, float]:
        return {"step": 1.0 / now.used}
