"""The three-operator splitting of Davis and Yin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State
from .._core._validate import positive
from ._composite import Array
from ._terms import Coupling, Measure, Terms, solve


def davis_yin(
    loss: Any,
    penalty: Any = None,
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 20_000,
    step: float | None = None,
    line_search: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Minimise a loss plus two convex penalties on x, each with a simple proximal step.

    .. math:: \min_x\ f(A x) + g(x) + h(x)

    .. math:: x = \operatorname{prox}_{s g}(z), \qquad
        z^+ = z + \operatorname{prox}_{s h}\bigl(2 x - z - s A^H \nabla f(A x)\bigr) - x

    Parameters
    ----------
    loss : object or None
        Smooth convex term; without one (``x0`` then gives the shape) this is Douglas-Rachford
        splitting.
    penalty : object, or list of at most two
        Convex penalties g and h on x. Columns of x are one joint problem.
    x0 : array_like or Result, optional
        Start of z; zero if not given.
    tol : float, optional
        Bound on the certificate, as for `sparseopt.solvers.admm`.
    max_iter : int
        Iteration budget.
    step : float, optional
        The step s, below 2/L unless with a line search; by default 1/L. Where ``lipschitz()`` of
        the loss is no bound, as with Poisson counts, take the line search.
    line_search : bool
        Lengthen the step by 2 % at every iteration and shorten it where the loss rises above its
        quadratic model with curvature 1/s.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each
        iteration; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        ``x`` is ``prox_{s g}(z)``, with the history of ``step``. ``dual`` as for
        `sparseopt.solvers.admm`. Beyond the tenth iteration the certificate is evaluated every
        tenth.

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
    D. Davis, W. Yin (2017). A three-operator splitting scheme and its optimization applications.
    Set-Valued Var. Anal. 25. arXiv:1504.01032.
    F. Pedregosa, G. Gidel (2018). Adaptive three operator splitting. ICML. arXiv:1804.02339.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> f = losses.LeastSquares(np.eye(4), [3.0, 0.5, -2.0, 1.5])
    >>> solvers.davis_yin(f, [penalties.Box(0, 1.8), penalties.L1(1.0)]).x.round(4)
    array([1.8, 0. , 0. , 0.5])
    """
    terms = Terms(loss, penalty, x0)
    terms.require_convex("davis_yin")
    if len(terms.couplings) > 1 or any(c.K is not None for c in terms.couplings):
        raise ValueError(
            "penalty must be one or two penalties on x itself for davis_yin, got pairs (h, K) or "
            "more than two"
        )
    step = 0.99 / terms.curvature if step is None else positive("step", step)
    longest = 2.0 / terms.curvature if terms.loss.lipschitz() > 0 else np.inf
    if step >= longest and not line_search:
        raise ValueError(f"step must be below {longest:.3g} without line_search, got {step}")
    method = _DavisYin(terms, step, bool(line_search))
    return solve(
        terms, method, x0, tol=tol, max_iter=max_iter, callback=callback, progress=progress
    )


@dataclasses.dataclass(frozen=True)
class _Variables:
    x: Array  # prox_{s g}(z)
    slope: Array  # (z - x) / s, a subgradient of g at x
    z: Array  # prediction A x
    gradient: Array
    dual: Array  # a subgradient of h
    step: float


class _DavisYin:
    name = "davis_yin"
    every = 10

    def __init__(self, terms: Terms, step: float, line_search: bool) -> None:
        self.terms = terms
        self.step = step
        self.line_search = line_search
        self.coupling: Coupling | None = terms.couplings[0] if terms.couplings else None

    def first(self, start: Array) -> _Variables:
        x = self.terms.penalty.prox(start, self.step)
        return self._at(x, (start - x) / self.step, np.zeros_like(x), self.step)

    def _at(self, x: Array, slope: Array, dual: Array, step: float) -> _Variables:
        loss = self.terms.loss
        z = loss.predict(x)
        return _Variables(x, slope, z, loss.pull_back(loss.gradient_at(z)), dual, step)

    def advance(self, old: _Variables) -> _Variables:
        """A forward-backward step on h from x, then a proximal step on g."""
        step = old.step * (1.02 if self.line_search else 1.0)
        while True:
            v = old.x - step * (old.slope + old.gradient)
            other = v if self.coupling is None else self.coupling.h.prox(v, step)
            if not self.line_search or not self._rises(old, other, step):
                break
            step *= 0.7
        after = other + step * old.slope
        x = self.terms.penalty.prox(after, step)
        return self._at(x, (after - x) / step, (v - other) / step, step)

    def _rises(self, old: _Variables, other: Array, step: float) -> bool:
        """Whether the loss is above the model at ``other``, beyond rounding."""
        terms, loss = self.terms, self.terms.loss
        d = other - old.x
        z = loss.predict(other)
        eps = float(np.finfo(loss.dtype).eps)
        rise = float(terms.sum_columns(loss.bregman(z, old.z)))
        return rise > 0.5 / step * terms.inner(d, d) + (8.0 * eps) ** 2 * terms.inner(z, z)

    def measure(self, now: _Variables) -> tuple[Array, Measure]:
        duals = [] if self.coupling is None else [now.dual]
        return now.x, self.terms.measure(now.x, duals, z=now.z, gradient=now.gradient)

    def extra(self, now: _Variables) -> dict[str, float]:
        return {"step": now.step}
