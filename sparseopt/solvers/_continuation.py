"""One problem after another with the same loss: each starts where the last one ended."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .._core import Result, Status
from ..losses._linear import LinearLoss
from ..penalties import Separable
from ._composite import default_tolerance
from ._coordinates import leaves_zero
from ._fit import Fit
from ._group_coordinates import GROUPED
from ._minimize import minimize
from ._working_set import solver_of
from ._working_set_method import Point

_MANY = 5_000_000
_EXACT = 1e-3  # part of the tolerance below which a start is taken for the answer


class WorkingSets:
    """Working sets for one penalty after another.

    A new level starts without a product with ``A``: the correlations with the last residual are
    known, and tell how far off the new level is and which columns it asks for.
    """

    def __init__(self, loss: Any, penalty: Any, tol: float | None, x0: Any) -> None:
        self.method = solver_of(loss, penalty, default_tolerance(tol, loss.dtype))
        # a path over many dense columns comes back to them often enough to pay for their norms
        many = not self.method.design.sparse and loss.A.size >= _MANY
        self.method.screens = many and isinstance(penalty, Separable)
        self.point: Point = self.method.first(self.method.problem.start(x0))

    def solve(self, penalty: Any, *, max_iter: int | None) -> Fit:
        """The next problem."""
        method, point = self.method, self.point
        method.aim(penalty)
        method.sweeps = method.solves = 0
        u = method.loss.gradient_at(point.z)
        fresh = dataclasses.replace(point, dual_value=-math.inf)  # a dual point of another level
        state = method.certify(fresh, point.x, point.z, point.working, u, point.gradient)
        if state.certificate > _EXACT * method.tol:
            state.certificate = math.nan  # not evaluated: every level gets a solution of its own
        run = method.iterate(state, max_iter=200 if max_iter is None else max_iter)
        self.point = run.state
        return method.record(run)

    def loss_value(self, fit: Fit) -> float:
        """The loss without the penalty, at the answer of the last problem."""
        return float(self.method.loss.value_at(self.point.z))


class Minimizer:
    """`minimize` for one penalty after another."""

    def __init__(self, loss: Any, tol: float | None, x0: Any) -> None:
        self.loss, self.tol, self.x0 = loss, tol, x0

    def solve(self, penalty: Any, *, max_iter: int | None) -> Fit:
        """The next problem."""
        result = minimize(
            self.loss,
            penalty,
            self.x0,
            tol=self.tol,
            max_iter=10_000 if max_iter is None else max_iter,
        )
        self.x0 = result.x
        self.z = self.loss.predict(result.x)
        at = getattr(self.loss, "intercept_at", None)
        fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(Result)}
        return Fit(**fields, intercept=0.0 if at is None else at(self.z))

    def loss_value(self, fit: Fit) -> float:
        """The loss without the penalty, at the answer of the last problem."""
        return float(np.sum(self.loss.value_at(self.z)))


def continuation(loss: Any, penalty: Any, tol: float | None, x0: Any) -> WorkingSets | Minimizer:
    """The method for a family of problems, of which one penalty is shown."""
    if _suits_working_sets(loss, penalty):
        return WorkingSets(loss, penalty, tol, x0)
    return Minimizer(loss, tol, x0)


def _suits_working_sets(loss: Any, penalty: Any) -> bool:
    """Whether coordinates can stay at zero by themselves, and leave it if they are pulled.

    Groups always can, if they are penalised.
    """
    from scipy.sparse import issparse

    if not isinstance(loss, LinearLoss) or len(loss.shape) != 1 or loss.dtype.kind == "c":
        return False
    if not (isinstance(loss.A, np.ndarray) or issparse(loss.A)):
        return False
    if isinstance(penalty, GROUPED):
        return bool(getattr(penalty, "is_norm", True))
    if not isinstance(penalty, Separable) or not hasattr(penalty, "subdiff_distance"):
        return False
    zero = np.zeros(loss.shape)
    return leaves_zero(penalty, zero.size) and not np.any(penalty.subdiff_distance(zero, zero))


def stops(status: Status) -> bool:
    """Whether a run ended in a way that ends the whole path."""
    return status in (Status.INTERRUPTED, Status.NON_FINITE)
