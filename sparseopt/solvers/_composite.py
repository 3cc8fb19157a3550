"""What the composite solvers share: the problem ``min f(A x) + g(x)``, checked and measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Result, is_numpy
from .._core._validate import finite_array
from ..losses import LossLike
from ..losses._linear import LinearLoss
from ..penalties import PenaltyLike, Zero

Array = np.ndarray[Any, Any]


class One:
    """Decisions on one number; NumPy's would cost microseconds each."""

    any = all = staticmethod(bool)
    sum = largest = staticmethod(float)

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:
        """``a`` if the condition holds, else ``b``."""
        return a if condition else b


class Columns:
    """The same decisions for one number per column."""

    any: Any = staticmethod(np.any)
    all: Any = staticmethod(np.all)
    sum: Any = staticmethod(np.sum)
    where: Any = staticmethod(np.where)

    @staticmethod
    def largest(values: Any) -> float:
        """The largest number, 0 of none."""
        return float(np.max(values, initial=0.0))


class Composite:
    """A loss and a penalty, with everything counted per column of a batch or once in all.

    Columns are separate problems if loss and penalty give one value per column; each then evolves
    as if it were solved alone. Otherwise they are one joint problem.
    """

    def __init__(self, loss: Any, penalty: Any) -> None:
        self.loss: LossLike = _required("loss", loss, LossLike)
        self.penalty: PenaltyLike = _required(
            "penalty", Zero() if penalty is None else penalty, PenaltyLike
        )
        self.is_convex = bool(getattr(self.penalty, "is_convex", False))
        self.is_homogeneous = bool(getattr(self.penalty, "is_homogeneous", False))
        self.has_dual = (
            self.is_convex
            and hasattr(loss, "conjugate")
            and hasattr(self.penalty, "dual_norm" if self.is_homogeneous else "conjugate")
            and (not self.is_homogeneous or getattr(self.penalty, "is_norm", True))
        )
        zero = np.zeros(loss.shape, loss.dtype)
        penalty_value = np.asarray(self.penalty.value(zero))
        if isinstance(loss, LinearLoss):  # the product would be all of a cheap problem's cost
            z = np.zeros((loss.A.shape[0], *loss.shape[1:]), loss.dtype)
        else:
            z = loss.predict(zero)
        value = loss.value_at(z)
        self.joint = len(loss.shape) == 1 or penalty_value.ndim == 0 or np.ndim(value) == 0
        self.per: Any = One if self.joint else Columns
        value, penalty_value = self.sum_columns(value), self.sum_columns(penalty_value)
        self.null_value = value + np.where(np.isfinite(penalty_value), penalty_value, 0.0)
        # A value of zero is not enough: nothing says that a loss or penalty is never negative.
        self.zero_is_optimal = bool(
            np.all(self.null_value == 0)
            and np.isfinite(penalty_value).all()
            and not np.any(loss.gradient_at(z))
            and not np.any(self.penalty.prox(zero, 1.0))
        )
        self.scale = np.where(self.null_value > 0, self.null_value, 1.0)[()]

    def start(self, x0: Any) -> Array:
        """The start point: a copy of ``x0``, of the ``x`` of a result, or zero."""
        if isinstance(x0, Result):
            x0 = x0.x
        if x0 is None:
            return np.zeros(self.loss.shape, self.loss.dtype)
        if not is_numpy(x0):
            raise TypeError(f"x0 must be a NumPy array or a Result, got {type(x0).__name__}")
        x0 = finite_array("x0", x0)
        if x0.shape != self.loss.shape:
            raise ValueError(f"x0 must have shape {self.loss.shape}, got {x0.shape}")
        if x0.dtype.kind == "c" and self.loss.dtype.kind != "c":
            raise TypeError("x0 must be real for a real problem, got a complex array")
        return x0.astype(self.loss.dtype)

    def objective(self, x: Array, z: Array) -> Any:
        """``f(z) + g(x)``, where ``z = A x``."""
        penalty_value = self.sum_columns(self.penalty.value(x))
        return self.sum_columns(self.loss.value_at(z)) + penalty_value

    def dual(self, u: Array, gradient: Array) -> tuple[Any, Any]:
        """The best feasible multiple t of ``u = f'(z)`` and the dual objective at ``t u``.

        ``gradient`` is ``A^H u``. By weak duality no x has an objective below the value returned.
        """
        loss: Any = self.loss
        penalty: Any = self.penalty
        if not self.is_homogeneous:
            conjugate = self.sum_columns(penalty.conjugate(-gradient))
            return 1.0, -self.sum_columns(loss.conjugate(u)) - conjugate
        norm = penalty.dual_norm(-gradient)
        if self.joint and np.ndim(norm):  # the dual of a sum over columns
            norm = np.max(norm, initial=0.0)
        positive = norm > 0
        limit = self.per.where(positive, 1.0 / self.per.where(positive, norm, 1.0), np.inf)
        if (self.joint and u.ndim == 2) or not hasattr(loss, "dual_scale"):
            t: Any = np.minimum(1.0, limit)
        else:
            t = loss.dual_scale(u, limit)
        return t, -self.sum_columns(loss.conjugate(u * np.asarray(t, u.real.dtype)))

    def sum_columns(self, values: Any) -> Any:
        """Add up a batch that is one joint problem."""
        return np.sum(values) if self.joint and np.ndim(values) else values

    def inner(self, a: Array, b: Array) -> Any:
        """Real inner product, per column or in all."""
        if self.joint:
            return float(np.vdot(a, b).real)
        return np.einsum("ij,ij->j", a.conj(), b).real.astype(np.float64)


def default_tolerance(tol: float | None, dtype: Any) -> float:
    """1e-6, or 1e-4 in single precision, unless the caller says otherwise."""
    if tol is not None:
        return tol
    return 1e-4 if np.finfo(dtype).eps > 1e-10 else 1e-6


def _required(name: str, value: Any, protocol: Any) -> Any:
    if not isinstance(value, protocol):
        needed = sorted(m for m in dir(protocol) if not m.startswith("_"))
        needed += [a for a in protocol.__annotations__ if a not in needed]
        missing = [attribute for attribute in needed if not hasattr(value, attribute)]
        raise TypeError(f"{name} must have {', '.join(missing)}, got {type(value).__name__}")
    return value
