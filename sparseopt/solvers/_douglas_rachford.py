"""Douglas-Rachford splitting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from .._core._validate import positive
from ._composite import Array
from ._smooth_step import smooth_step
from ._terms import Coupling, Measure, Nothing, Terms, solve


def douglas_rachford(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    step: float | None = None,
    relaxation: float = 1.0,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise the sum of two convex functions of x by Douglas-Rachford splitting.

    .. math:: \min_x\ g(x) + q(x), \qquad x = \operatorname{prox}_{s g}(z), \qquad
        z^+ = z + \alpha \bigl(\operatorname{prox}_{s q}(2 x - z) - x\bigr)

    where q is the loss f(A x) or, without one, a second penalty.

    Parameters
    ----------
    loss : object or None
        Convex loss, whose proximal operator is that of `sparseopt.solvers.admm`: a factorisation
        for least squares of a matrix, conjugate gradients or L-BFGS otherwise. With ``None``
        there must be two penalties, and ``x0`` for the shape.
    penalty : object, or list of two
        Convex penalties on x. Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start of z; zero if not given.
    tol : float, optional
        Bound on the certificate, as for `sparseopt.solvers.admm`.
    max_iter : int
        Iteration budget.
    step : float, optional
        The step s; by default ten over the curvature of the loss, and 1 without one.
    relaxation : float
        The factor alpha, in (0, 2).
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        ``x`` is ``prox_{s g}(z)``. ``dual`` as for `sparseopt.solvers.admm`. Beyond the tenth
        iteration the certificate is evaluated every tenth.

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
    P.-L. Lions, B. Mercier (1979). Splitting algorithms for the sum of two nonlinear operators.
    SIAM J. Numer. Anal. 16(6).
    J. Eckstein, D. Bertsekas (1992). On the Douglas-Rachford splitting method and the proximal
    point algorithm for maximal monotone operators. Math. Program. 55.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = A[:, 3] - 2 * A[:, 7]
    >>> result = solvers.douglas_rachford(losses.LeastSquares(A, y), penalties.L1(0.5))
    >>> np.flatnonzero(result.x)
    array([3, 7])
    """
    terms = Terms(loss, penalty, x0)
    terms.require_convex("douglas_rachford")
    wanted = 1 if loss is None else 0
    if len(terms.couplings) != wanted or any(c.K is not None for c in terms.couplings):
        raise ValueError(
            "penalty must be two penalties on x without a loss, and one beside a loss, for "
            f"douglas_rachford; got {len(terms.couplings)} more than the first"
        )
    relaxation = positive("relaxation", relaxation)
    if relaxation >= 2.0:
        raise ValueError(f"relaxation must be in (0, 2), got {relaxation}")
    if step is None:
        step = 1.0 if loss is None else 10.0 / terms.curvature
    method = _DouglasRachford(terms, positive("step", step), relaxation)
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Variables:
    z: Array
    x: Array
    other: Array
    dual: Array


class _DouglasRachford:
    name = "douglas_rachford"
    every = 10

    def __init__(self, terms: Terms, step: float, relaxation: float) -> None:
        self.terms = terms
        self.step = step
        self.relaxation = relaxation
        self.smooth: Any = None
        if not isinstance(terms.loss, Nothing):
            self.smooth = smooth_step(terms.loss, [Coupling(terms.penalty, None, terms.loss)])

    def first(self, x: Array) -> _Variables:
        return _Variables(x, self.terms.penalty.prox(x, self.step), x, np.zeros_like(x))

    def advance(self, old: _Variables) -> _Variables:
        """Reflect, take the step of the other function, and average."""
        v = 2.0 * old.x - old.z
        if self.smooth is None:
            other = self.terms.couplings[0].h.prox(v, self.step)
        else:
            other = self.smooth(1.0 / self.step, [v], old.other)
        z = old.z + self.relaxation * (other - old.x)
        x = self.terms.penalty.prox(z, self.step)
        return _Variables(z, x, other, (v - other) / self.step)

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        duals = [] if self.smooth is not None else [now.dual]
        return now.x, self.terms.measure(now.x, duals)

    def extra(self, now: _Variables) -> dict[str, float]:
        return {}
