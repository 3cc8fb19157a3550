"""The alternating direction method of multipliers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from .._core._validate import positive
from ..penalties import Zero
from ._composite import Array
from ._smooth_step import smooth_step
from ._terms import Coupling, Measure, Terms, solve

RATIO, FACTOR, LAST_CHANGE = 10.0, 2.0, 1000


def admm(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    rho: float | None = None,
    relaxation: float = 1.0,
    adapt: bool = True,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a loss plus penalties of linear images by alternating directions.

    .. math:: \min_x\ f(A x) + g(x) + \sum_i h_i(K_i x)

    Every penalty gets its own copy :math:`w_i` of what it sees (with :math:`K = I` for g):

    .. math:: x^+ &= \arg\min_x f(A x) + \tfrac{\rho}{2} \sum_i \|K_i x - w_i + d_i\|^2 \\
        w_i^+ &= \operatorname{prox}_{h_i/\rho}(K_i x^+ + d_i), \qquad
        d_i^+ = d_i + K_i x^+ - w_i^+

    with :math:`K_i x^+` replaced by :math:`\alpha K_i x^+ + (1 - \alpha) w_i`, the relaxation.

    Parameters
    ----------
    loss : object or None
        Smooth convex term. For `sparseopt.losses.LeastSquares` of a matrix the x-step is solved
        with a Cholesky factor of :math:`A^H W A + \rho \sum K_i^H K_i`, or by Woodbury's identity
        of the smaller :math:`A A^H + \rho I` where every :math:`K_i` is the identity; with
        operators it takes conjugate gradients, with other losses L-BFGS.
    penalty : object, or list of objects and pairs (h, K)
        Convex penalties: g on x itself, and pairs of a penalty h and a matrix or operator K (or a
        class of operators, to be called with n). Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start; zero if not given.
    tol : float, optional
        Bound on the certificate, by default 1e-6 (1e-4 for float32). It is the relative duality
        gap (P - D) / P(0) if every conjugate is finite near zero and every h everywhere: the dual
        vectors ``rho d_i`` and the loss's slope are scaled into the domain of ``g*``. Otherwise it
        is the larger of two residuals without dimension: the distance of a proximal step on x,
        over the largest of the gradients that it is made of, and the distances of proximal steps
        on the ``K_i x`` over ``||K_i|| ||x||``.
    max_iter : int
        Iteration budget.
    rho : float, optional
        The parameter; by default a tenth of the curvature of the loss.
    relaxation : float
        In (0, 2).
    adapt : bool
        Double ``rho`` while the relative primal residual is ten times the dual one, halve it in the
        opposite case, every tenth iteration and up to iteration 1000.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        ``x`` is the copy that g has made (sparse, feasible). With the history of ``rho``. ``dual``
        is the dual point of the loss, followed in a tuple by those of the ``h_i``, behind a gap.
        Beyond the tenth iteration the certificate is evaluated every tenth.

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
    S. Boyd, N. Parikh, E. Chu, B. Peleato, J. Eckstein (2011). Distributed optimization and
    statistical learning via the alternating direction method of multipliers. Found. Trends Mach.
    Learn. 3(1).
    B. Wohlberg (2017). ADMM penalty parameter selection by residual balancing. arXiv:1704.06209.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import linop, losses, penalties, solvers
    >>> y = np.array([0.1, -0.1, 0.0, 4.1, 3.9, 4.0])
    >>> tv = (penalties.L1(0.3), linop.FiniteDifference)
    >>> result = solvers.admm(losses.LeastSquares(np.eye(6), y), [penalties.Box(0, np.inf), tv])
    >>> result.x.round(3)
    array([0.1, 0.1, 0.1, 3.9, 3.9, 3.9])
    """
    terms = Terms(loss, penalty, x0)
    terms.require_convex("admm")
    if rho is None:
        rho = 0.1 * terms.curvature
    relaxation = positive("relaxation", relaxation)
    if relaxation >= 2.0:
        raise ValueError(f"relaxation must be in (0, 2), got {relaxation}")
    method = _ADMM(terms, positive("rho", rho), relaxation, bool(adapt))
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array
    copies: list[Array]
    duals: list[Array]  # divided by rho
    rho: float
    nit: int


class _ADMM:
    name = "admm"
    every = 10

    def __init__(self, terms: Terms, rho: float, relaxation: float, adapt: bool) -> None:
        self.terms = terms
        self.relaxation = relaxation
        self.adapt = adapt
        self.rho = rho
        self.has_copy = not isinstance(terms.penalty, Zero) or not terms.couplings
        own = [Coupling(terms.penalty, None, terms.loss)] if self.has_copy else []
        self.parts = own + terms.couplings
        self.smooth = smooth_step(terms.loss, self.parts)

    def first(self, x: Array) -> _Variables:
        copies = [c.forward(x) for c in self.parts]
        return _Variables(x, copies, [np.zeros_like(w) for w in copies], self.rho, 0)

    def advance(self, old: _Variables) -> _Variables:
        """One iteration, and sometimes another ``rho``."""
        rho, a = old.rho, self.relaxation
        x = self.smooth(rho, [w - d for w, d in zip(old.copies, old.duals, strict=True)], old.x)
        images = [c.forward(x) for c in self.parts]
        mixed = images
        if a != 1.0:
            mixed = [a * Kx + (1.0 - a) * w for Kx, w in zip(images, old.copies, strict=True)]
        sums = [m + d for m, d in zip(mixed, old.duals, strict=True)]
        copies = [c.h.prox(s, 1.0 / rho) for c, s in zip(self.parts, sums, strict=True)]
        duals = [s - w for s, w in zip(sums, copies, strict=True)]
        new = _Variables(x, copies, duals, rho, old.nit + 1)
        if self.adapt and new.nit % 10 == 0 and new.nit <= LAST_CHANGE:
            new = self._balance(old, new, images)
        return new

    def _balance(self, old: _Variables, new: _Variables, images: list[Array]) -> _Variables:
        """Bring the two residuals, each relative to its terms, within a factor of ten."""
        primal = _length([Kx - w for Kx, w in zip(images, new.copies, strict=True)])
        size = max(_length(images), _length(new.copies))
        changes = [w - v for w, v in zip(new.copies, old.copies, strict=True)]
        dual = _length([c.adjoint(e) for c, e in zip(self.parts, changes, strict=True)])
        force = _length([c.adjoint(d) for c, d in zip(self.parts, new.duals, strict=True)])
        factor = 1.0
        if primal * force > RATIO * dual * size:
            factor = FACTOR
        elif dual * size > RATIO * primal * force:
            factor = 1.0 / FACTOR
        if factor == 1.0:
            return new
        scaled = [d / factor for d in new.duals]
        return dataclasses.replace(new, duals=scaled, rho=factor * new.rho)

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        x = now.copies[0] if self.has_copy else now.x
        duals = now.duals[1:] if self.has_copy else now.duals
        scaled = [np.asarray(now.rho, x.real.dtype) * d for d in duals]
        return x, self.terms.measure(x, scaled)

    def extra(self, now: _Variables) -> dict[str, float]:
        return {"rho": now.rho}


def _length(arrays: list[Array]) -> float:
    return float(np.sqrt(sum(float(np.vdot(a, a).real) for a in arrays)))
