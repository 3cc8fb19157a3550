"""When a run has found the active set, and when theory says that it must have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .._core import Result
from .._core._validate import finite_array
from ..losses import BlockLossLike
from ._bcd_terms import Term, as_term
from ._composite import required

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class ActiveSet:
    """What `identify_active_set` found.

    Attributes
    ----------
    iteration : int or None
        The first iteration from which on the support is that of the solution; None if the run
        ends with another one.
    support : ndarray of int
        Coordinates of the solution away from zero, or from their bounds.
    delta : float
        Nondegeneracy: the least distance of minus the gradient from the boundary of the
        subdifferential, over the coordinates at a kink. 0 means degenerate, ``inf`` no kink.
    radius : float
        ``delta / (2 L)``: within this distance of the solution a proximal gradient update of a
        coordinate at a kink puts it right.
    bound : float
        Iterations after which the iterates of a run that converges at the rate ``rate`` lie
        within the radius; ``inf`` without strong convexity or nondegeneracy.
    rate : float
        The factor per iteration by which the objective's excess falls.
    """

    iteration: int | None
    support: Array
    delta: float
    radius: float
    bound: float
    rate: float


def identify_active_set(
    loss: Any,
    penalty: Any,
    path: Any,
    x_star: Any,
    *,
    strong_convexity: float = 0.0,
    rate: float | None = None,
) -> ActiveSet:
    r"""Find when a run identified the support of the solution, and bound when it has to.

    With L the Lipschitz constant of the gradient, :math:`\mu` that of strong convexity,
    :math:`\delta` the nondegeneracy and :math:`\Delta_0 = F(x^0) - F^*`, a run whose excess falls
    like :math:`F(x^k) - F^* \le \rho^k \Delta_0` has all its iterates within the radius
    :math:`\delta / (2 L)` of the solution after

    .. math:: K = \Bigl\lceil \log\frac{8 L^2 \Delta_0}{\mu \delta^2} \Big/ \log(1/\rho)
        \Bigr\rceil

    iterations, and the support is right once every block with a wrong member has been visited
    again.

    Parameters
    ----------
    loss, penalty : object
        The problem, as for `bcd`; no groups.
    path : Result of `bcd`, or sequence of arrays
        The run, or its iterates from the start point on. A result keeps only how many coordinates
        changed their membership at each iteration, so its last iterate decides whether the support
        is that of ``x_star``.
    x_star : array_like
        The solution.
    strong_convexity : float
        :math:`\mu` of the loss, 0 if unknown.
    rate : float, optional
        :math:`\rho`; by default the largest that the run itself shows, :math:`\max_k
        ((F(x^k) - F^*) / \Delta_0)^{1/k}`. For random coordinates, theory has
        :math:`1 - \mu / (m \max_i L_i)` with m coordinates.

    Returns
    -------
    ActiveSet

    Raises
    ------
    ValueError
        If shapes do not fit, the path is empty, or a result has no history of changes.
    TypeError
        If the penalty is not known to `bcd`, or has groups.

    References
    ----------
    J. Nutini, M. Schmidt, W. Hare (2019). "Active-set complexity" of proximal gradient: how long
    does it take to find the sparsity pattern? Optim. Lett. 13, arXiv 1712.03577.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> f, h = losses.LeastSquares(np.eye(3), [3.0, 0.5, -2.0]), penalties.L1(1.0)
    >>> result = solvers.bcd(f, h, block_size=1)
    >>> found = solvers.identify_active_set(f, h, result, [2.0, 0.0, -1.0], strong_convexity=1.0)
    >>> found.iteration, found.support.tolist(), found.delta
    (2, [0, 2], 0.5)
    """
    loss = required("loss", loss, BlockLossLike)
    term = as_term(penalty, loss.shape)
    if term.has_groups:
        raise TypeError("penalty must not have groups")
    x_star = finite_array("x_star", x_star)
    if x_star.shape != loss.shape:
        raise ValueError(f"x_star must have shape {loss.shape}, got {x_star.shape}")
    target = _pinned(term, x_star)
    delta = _nondegeneracy(loss, term, x_star)
    best = _objective(loss, penalty, x_star)
    if isinstance(path, Result):
        iteration, values = _from_result(path, term, target)
    else:
        iteration, values = _from_iterates(path, loss, penalty, term, target)
    excess = np.maximum(values - best, 0.0)
    if rate is None:
        rate = _observed_rate(excess)
    L = float(loss.lipschitz())
    radius = delta / (2.0 * L) if L > 0 else math.inf
    bound = math.inf
    if strong_convexity > 0 and delta > 0 and 0 < rate < 1:
        needed = 8.0 * L * L * excess[0] / (strong_convexity * delta * delta)
        bound = max(math.ceil(math.log(needed) / -math.log(rate)), 0) if needed > 0 else 0
    return ActiveSet(iteration, np.flatnonzero(~target), delta, radius, bound, rate)


def _pinned(term: Term, x: Any) -> Array:
    x = np.asarray(x, np.float64).ravel()
    return term.pinned(np.arange(x.size), x)


def _objective(loss: Any, penalty: Any, x: Array) -> float:
    smooth = float(np.sum(loss.value_at(loss.predict(x.astype(loss.dtype)))))
    return smooth if penalty is None else smooth + float(np.sum(penalty.value(x)))


def _nondegeneracy(loss: Any, term: Term, x: Array) -> float:
    """Least distance of ``-g`` from the ends of the subdifferential, at the kinks."""
    z = loss.predict(x.astype(loss.dtype))
    g = np.asarray(loss.pull_back(loss.gradient_at(z)), np.float64).ravel()
    x = np.asarray(x, np.float64).ravel()
    kink = _pinned(term, x)
    lam = term.lam
    right = np.where(x >= term.upper, np.inf, np.where(x >= 0, lam, -lam))
    left = np.where(x <= term.lower, -np.inf, np.where(x <= 0, -lam, lam))
    inside = np.minimum(right + g, -g - left)[kink]
    return max(float(inside.min(initial=np.inf)), 0.0)


def _from_result(result: Result, term: Term, target: Array) -> tuple[int | None, Array]:
    if "changed" not in result.history:
        raise ValueError("path must be a result of bcd or a sequence of iterates")
    changes = np.flatnonzero(np.nan_to_num(result.history["changed"]) > 0)
    same = np.array_equal(_pinned(term, result.x), target)
    iteration = (int(changes[-1]) if changes.size else 0) if same else None
    return iteration, result.history["fun"]


def _from_iterates(
    path: Iterable[Any], loss: Any, penalty: Any, term: Term, target: Array
) -> tuple[int | None, Array]:
    iterates = [finite_array("path", x) for x in path]
    if not iterates or any(x.shape != loss.shape for x in iterates):
        raise ValueError(f"path must hold iterates of shape {loss.shape}")
    wrong = [not np.array_equal(_pinned(term, x), target) for x in iterates]
    iteration = None if wrong[-1] else len(wrong) - next(
        (k for k, w in enumerate(reversed(wrong)) if w), len(wrong)
    )  # fmt: skip
    return iteration, np.array([_objective(loss, penalty, x) for x in iterates])


def _observed_rate(excess: Array) -> float:
    """The largest mean factor per iteration, down to rounding."""
    if excess.size < 2 or not excess[0] > 0:
        return 0.0
    k = np.arange(1, excess.size)
    share = excess[1:] / excess[0]
    seen = share > 1e-14
    return float(np.max(share[seen] ** (1.0 / k[seen]), initial=0.0))
