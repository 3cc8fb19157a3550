"""Solutions at many levels, each from the one before."""

from __future__ import annotations

import dataclasses
import operator
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._core import Result, Status
from .._core._progress import Bar
from .._core._validate import finite_array, integer, parameter, positive
from ..losses import LeastSquares
from ..penalties import L1, ElasticNet, GroupL2, NonnegativeL1, SparseGroup
from ._continuation import continuation, stops
from ._fit import Fit
from ._group_coordinates import multiple
from ._lam_max import lam_max

Array = np.ndarray[Any, Any]

_ENDS = {
    Status.STOPPED: "the callback ended the path",
    Status.INTERRUPTED: "the path was interrupted",
    Status.NON_FINITE: "the next level was not finite",
}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Path(Result):
    """Solutions at many levels.

    ``path[i]`` is the one at ``lams[i]`` as a `Fit`, and ``len(path)`` their number.

    Attributes
    ----------
    lams : ndarray, shape (L,)
        Levels, the largest first.
    x : ndarray, shape (n, L)
        Solutions as columns, dense; (n, k, L) if data has k columns.
    intercepts : ndarray, shape (L,) or (k, L)
        Constants beside ``A x``; zeros where none was asked for.
    fun, certificate, nit : ndarray, shape (L,)
        Objective, certificate and iterations at each level.
    loss : ndarray, shape (L,)
        The objective without the penalty.
    support : ndarray of int, shape (L,)
        Entries that are not zero.
    samples : int
        Rows of ``A``, without those of weight 0.
    freedom : ndarray, shape (L,), or None
        Degrees of freedom of the predictions, where they are known: for least squares with an l1
        norm the size of the support, and 1 for an intercept.
    dual : ndarray, shape (m, L), or None
        The dual points behind the gaps.
    statuses : ndarray of int, shape (L,)
        Why each level ended, as a `Status`.
    success : bool
        Whether every level reached ``tol``.
    history : dict of str to ndarray
        ``time``: seconds from the start to the end of each level.
    """

    fun: Any
    nit: Any
    certificate: Any
    lams: Any = ()
    intercepts: Any = ()
    loss: Any = ()
    support: Any = ()
    samples: int = 0
    freedom: Any = None
    statuses: Any = ()

    def __repr__(self) -> str:
        worst = float(np.max(self.certificate, initial=0.0))
        return (
            f"{type(self).__name__}({self.message!r}, method={self.method!r}, "
            f"lams: {len(self)} from {self.lams[0]:.4g} to {self.lams[-1]:.4g}, "
            f"support: {self.support[0]} to {self.support[-1]}, certificate<={worst:.3g}, "
            f"x: shape {self.x.shape})"
        )

    def __len__(self) -> int:
        return len(self.lams)

    def __iter__(self) -> Iterator[Fit]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Fit:
        """The solution at one level."""
        index = range(len(self))[operator.index(index)]
        status = Status(int(self.statuses[index]))
        place = f"level {index} of {len(self)} ({self.lams[index]:.4g})"
        return Fit(
            x=self.x[..., index].copy(),
            fun=float(self.fun[index]),
            success=status.is_success,
            status=status,
            message=f"{place}: {'converged' if status.is_success else 'not converged'}",
            nit=int(self.nit[index]),
            certificate=float(self.certificate[index]),
            method=self.method,
            dual=None if self.dual is None else self.dual[..., index].copy(),
            intercept=self.intercepts[..., index][()],
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the coefficients against the level (extra ``plot``): `sparseopt.plots.path`."""
        from .. import plots

        return plots.path(self, ax=ax)


def path(
    loss: Any,
    penalty: Any,
    lams: Any = None,
    *,
    n_lams: int = 100,
    ratio: float = 1e-2,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int | None = None,
    callback: Callable[[Fit], object] | None = None,
    progress: bool = False,
) -> Path:
    r"""Minimise a loss plus a penalty at many levels, each from the solution before.

    .. math:: x(\lambda) = \arg\min_x\ f(A x) + \lambda\, g(x), \qquad
        \lambda = \lambda_1 > \dots > \lambda_L

    By `working_set` where that applies (``A`` is a matrix, and the penalty separable, or of
    groups, with a finite slope at zero), else by `minimize`.

    Parameters
    ----------
    loss : object
        A member of `sparseopt.losses`.
    penalty : object or callable
        The penalty g, of which multiples are taken; or a function from the level to a penalty,
        for those whose level is not a factor: ``lambda lam: penalties.MCP(lam, 3.0)``.
    lams : array_like, shape (L,), optional
        Levels > 0, in any order; they are used and returned with the largest first. By default
        ``n_lams`` of them, from `lam_max` down to ``ratio`` times that, evenly in the logarithm.
    n_lams : int
        Number of levels, unless ``lams`` are given.
    ratio : float
        Smallest level by largest, between 0 and 1.
    x0 : array_like or Result, optional
        Start at the largest level; zero if not given.
    tol : float, optional
        Bound on the certificate at each level, as in `working_set` or `minimize`.
    max_iter : int, optional
        Iteration budget of each level; by default that of the method.
    callback : callable, optional
        Called with the `Fit` at each level; raising ``StopIteration`` ends the path there.
    progress : bool
        Show a bar over the levels.

    Returns
    -------
    Path
        A `Result` with ``lams``, ``x`` of shape (n, L), and a certificate for each level. After
        Ctrl-C it has the levels that were solved.

    Raises
    ------
    ValueError
        If a level or ``ratio`` is out of range, or there is no largest level (see `lam_max`).
    TypeError
        If the loss or the penalty lacks what the method needs.

    Warns
    -----
    ConvergenceWarning
        At each level whose certificate does not reach ``tol``.

    See Also
    --------
    lasso_path : Least squares with an l1 norm.
    cross_validate : Choose a level by held-out data.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> A = np.random.default_rng(0).standard_normal((60, 100))
    >>> loss = losses.Logistic(A, A[:, 3] > A[:, 7])
    >>> result = solvers.path(loss, penalties.L1(1.0), n_lams=5)
    >>> result.support[:2], np.flatnonzero(result.x[:, 1])
    (array([0, 2]), array([3, 7]))
    """
    at = level_function(penalty)
    lams = levels(lams, lambda: lam_max(loss, at(1.0)), n_lams, ratio)
    method = continuation(loss, at(float(lams[0])), tol, x0)
    fits: list[Fit] = []
    rows: list[tuple[float, float]] = []  # loss, seconds
    start = time.perf_counter()
    status = Status.CONVERGED
    with Bar(progress, lams.size, "path") as bar:
        for lam in lams:
            try:
                fit = method.solve(at(float(lam)), max_iter=max_iter)
            except KeyboardInterrupt:
                if not fits:
                    raise
                status = Status.INTERRUPTED
                break
            if stops(fit.status) and fits:
                status = fit.status
                break
            fits.append(fit)
            rows.append((method.loss_value(fit), time.perf_counter() - start))
            bar.update(fit.fun, fit.certificate)
            try:
                if callback is not None:
                    callback(fit)
            except StopIteration:
                status = Status.STOPPED
                break
            if stops(fit.status):
                break
    return _collect(loss, at(float(lams[0])), lams, fits, np.array(rows), status)


def _collect(
    loss: Any, penalty: Any, lams: Array, fits: list[Fit], rows: Array, status: Status
) -> Path:
    """The record of a path, as far as it went."""
    support = np.array([np.count_nonzero(fit.x) for fit in fits])
    failed = [fit for fit in fits if not fit.success]
    if status is Status.CONVERGED and failed:
        status = failed[0].status
    done = f"{len(fits)} of {lams.size} levels"
    message = f"{done}, {len(failed)} of them not converged" if failed else f"{done} converged"
    if len(fits) < lams.size:
        message += f"; {_ENDS[status]}"
    m = int(loss.A.shape[0]) if hasattr(loss, "A") else 0
    weights = getattr(loss, "sample_weights", None)
    m = m if weights is None else int(np.count_nonzero(weights))
    freedom = None
    is_lasso = isinstance(loss, LeastSquares) and type(penalty) in (L1, NonnegativeL1)
    if is_lasso and len(loss.shape) == 1:
        freedom = np.minimum(support + float(loss.intercept), m)
    duals = [fit.dual for fit in fits]
    return Path(
        x=np.stack([fit.x for fit in fits], axis=-1),
        fun=np.array([fit.fun for fit in fits]),
        success=status.is_success,
        status=status,
        message=message,
        nit=np.array([fit.nit for fit in fits]),
        certificate=np.array([fit.certificate for fit in fits]),
        method=fits[0].method,
        dual=None if duals[0] is None else np.stack(duals, axis=-1),
        history={"time": rows[:, 1]},
        lams=lams[: len(fits)].copy(),
        intercepts=np.stack([np.asarray(fit.intercept) for fit in fits], axis=-1),
        loss=rows[:, 0],
        support=support,
        samples=m,
        freedom=freedom,
        statuses=np.array([int(fit.status) for fit in fits]),
    )


def require_all(path: Path, count: int) -> None:
    """Refuse a path of a fold that ended early: its scores could not be averaged."""
    if path.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    if len(path) < count:
        raise FloatingPointError(
            "the path without one of the folds ended at a level that is not finite, after "
            f"{len(path)} of {count}; columns of a common scale, without large means, may help"
        )


def level_function(penalty: Any) -> Callable[[float], Any]:
    """From the level to the penalty, keeping the class of those that working sets know."""
    if not isinstance(penalty, type) and hasattr(penalty, "value") and hasattr(penalty, "prox"):
        if type(penalty) in (L1, NonnegativeL1):
            kind = type(penalty)
            return lambda lam: kind(lam * penalty.lam)
        if type(penalty) is ElasticNet:
            return lambda lam: ElasticNet(lam * penalty.lam, lam * penalty.mu)
        if type(penalty) in (GroupL2, SparseGroup):
            return lambda lam: multiple(penalty, lam)
        if not hasattr(penalty, "__rmul__"):
            raise TypeError(
                "penalty must be one of sparseopt.penalties or a function of the level, got "
                f"{type(penalty).__name__}"
            )
        return lambda lam: lam * penalty
    if not callable(penalty):
        raise TypeError(
            "penalty must be one of sparseopt.penalties or a function from the level to one, got "
            f"{type(penalty).__name__}"
        )
    return penalty


def levels(lams: Any, largest: Callable[[], float], n_lams: int, ratio: float) -> Array:
    """The levels of a path, checked, the largest first."""
    if lams is not None:
        lams = finite_array("lams", parameter("lams", lams, strict=True), ndim=(1,))
        if not lams.size:
            raise ValueError("lams must not be empty")
        return np.sort(lams.astype(np.float64))[::-1].copy()
    n_lams = integer("n_lams", n_lams, 1)
    ratio = positive("ratio", ratio)
    if ratio >= 1.0:
        raise ValueError(f"ratio must be below 1, got {ratio}")
    top = largest()
    if top == 0.0:
        raise ValueError(
            "lams must be given here: zero is a solution at every level, so there is no largest"
        )
    return top * ratio ** np.linspace(0.0, 1.0, n_lams)
