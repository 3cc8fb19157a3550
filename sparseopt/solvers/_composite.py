"""What the composite solvers share: the problem ``min f(A x) + g(x)``, checked and measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .._core import Result, is_numpy
from .._core._validate import finite_array
from ..losses import LossLike
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
    as if it were solved alone. Otherwise, or where ``joint`` says so, they are one joint problem.
    """

    def __init__(self, loss: Any, penalty: Any, *, joint: bool = False) -> None:
        self.loss: LossLike = required("loss", loss, LossLike)
        self.penalty: PenaltyLike = required(
            "penalty", Zero() if penalty is None else penalty, PenaltyLike
        )
        self.is_convex = bool(getattr(self.penalty, "is_convex", False))
        zero = np.zeros(loss.shape, loss.dtype)
        penalty_value = np.asarray(self.penalty.value(zero))
        z = loss.null_prediction() if hasattr(loss, "null_prediction") else loss.predict(zero)
        null_loss = loss.value_at(z)
        alone = len(loss.shape) == 2 and penalty_value.ndim > 0 and np.ndim(null_loss) > 0
        self.joint = joint or not alone
        self.per: Any = One if self.joint else Columns
        penalty_value = np.asarray(self.sum_columns(penalty_value))
        self._null_slope = loss.gradient_at(z)
        value = self.sum_columns(null_loss)
        self.null_value = value + np.where(np.isfinite(penalty_value), penalty_value, 0.0)
        # A value of zero is not enough: nothing says that a loss or penalty is never negative.
        self.zero_is_optimal = bool(
            np.all(self.null_value == 0)
            and np.isfinite(penalty_value).all()
            and not np.any(self._null_slope)
            and not np.any(self.penalty.prox(zero, 1.0))
        )
        self.scale: Any = np.where(self.null_value > 0, self.null_value, 1.0)[()]
        self.has_dual = hasattr(loss, "conjugate") and scales_into_domain(
            self.penalty, lambda: self.null_gradient
        )

    @cached_property
    def null_gradient(self) -> Array:
        """Gradient of the loss at zero."""
        return self.loss.pull_back(self._null_slope)

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
        return self.sum_columns(self.loss.value_at(z)) + self.sum_columns(self.penalty.value(x))

    def dual(
        self, u: Array, gradient: Array, others: Any = (), *, search: bool = True
    ) -> tuple[Any, Any]:
        """The best feasible multiple t of ``u = f'(z)`` and the dual objective at ``t u``.

        ``gradient`` is ``A^H u``, to which ``others``, pairs of a penalty h and a dual vector v
        that is scaled along, have added their ``K^H v``. By weak duality no x has an objective
        below the value returned, ``-f*(t u) - g*(-t gradient) - sum_i h_i*(t v_i)``.

        Where no formula gives the largest feasible multiple it is found by bisection, which is
        costly: without ``search`` the value is then infinitely low.
        """
        limit: Any = np.inf
        parts = []
        for penalty, y in ((self.penalty, -gradient), *others):
            if is_gauge(penalty):
                norm = penalty.dual_norm(y)
                if self.joint and np.ndim(norm):
                    norm = np.max(norm, initial=0.0)
                positive = norm > 0
                safe = self.per.where(positive, norm, 1.0)
                largest = self.per.where(positive, 1.0 / safe, np.inf)
                limit = largest if limit is np.inf else np.minimum(limit, largest)
            else:
                parts.append((penalty, y))
        loss: Any = self.loss
        if parts or (self.joint and u.ndim == 2) or not hasattr(loss, "dual_scale"):
            t: Any = np.minimum(1.0, limit)
        else:
            t = loss.dual_scale(u, limit)
        value = self._dual_value(t, u, parts)
        if parts and search and not self.per.all(np.isfinite(value)):
            t = self._largest_feasible(t, u, parts)
            value = self._dual_value(t, u, parts)
        return t, value

    def _dual_value(self, t: Any, u: Array, parts: list[tuple[Any, Array]]) -> Any:
        loss: Any = self.loss
        factor = np.asarray(t, u.real.dtype)
        value = -self.sum_columns(loss.conjugate(u * factor))
        for penalty, y in parts:
            value = value - self.sum_columns(penalty.conjugate(y * factor))
        return value

    def _largest_feasible(self, high: Any, u: Array, parts: list[tuple[Any, Array]]) -> Any:
        """The largest multiple up to ``high`` with a finite dual objective."""
        low: Any = 0.0 * high
        for _ in range(30):
            middle = 0.5 * (low + high)
            inside = np.isfinite(self._dual_value(middle, u, parts))
            low = self.per.where(inside, middle, low)
            high = self.per.where(inside, high, middle)
        return low

    def sum_columns(self, values: Any) -> Any:
        """Add up a batch that is one joint problem."""
        if isinstance(values, float) or not self.joint:
            return values
        return np.sum(values)

    def inner(self, a: Array, b: Array) -> Any:
        """Real inner product, per column or in all."""
        if self.joint:
            return float(np.vdot(a, b).real)
        return np.einsum("ij,ij->j", a.conj(), b).real.astype(np.float64)


def is_gauge(penalty: Any) -> bool:
    """Whether the conjugate is the indicator of a unit ball that ``dual_norm`` measures."""
    return bool(getattr(penalty, "is_homogeneous", False)) and hasattr(penalty, "dual_norm")


def scales_into_domain(penalty: Any, dual_vector: Callable[[], Array]) -> bool:
    """Whether every dual vector, scaled down, has a finite conjugate.

    That of a cone, for one, is infinite off another cone however short the vector is: no dual
    bound then follows from an iterate that is merely near the solution. A gauge knows; of any
    other penalty one random vector, much shorter than ``dual_vector()``, and its mirror image are
    asked.
    """
    if not getattr(penalty, "is_convex", False):
        return False
    if getattr(penalty, "is_homogeneous", False):
        return is_gauge(penalty) and bool(getattr(penalty, "is_norm", True))
    if not hasattr(penalty, "conjugate"):
        return False
    like = dual_vector()
    size = float(np.max(np.abs(like), initial=0.0))
    drawn = np.random.default_rng(0).uniform(-1.0, 1.0, like.shape)
    probe = np.asarray(1e-9 * (size or 1.0) * drawn, like.real.dtype)
    return bool(all(np.isfinite(penalty.conjugate(y)).all() for y in (probe, -probe)))


def default_tolerance(tol: float | None, dtype: Any) -> float:
    """1e-6, or 1e-4 in single precision, unless the caller says otherwise."""
    if tol is not None:
        return tol
    return 1e-4 if np.finfo(dtype).eps > 1e-10 else 1e-6


def required(name: str, value: Any, protocol: Any) -> Any:
    """``value`` itself if it has all that the protocol asks for; the error names what it lacks."""
    if not isinstance(value, protocol):
        needed = sorted(m for m in dir(protocol) if not m.startswith("_"))
        needed += [a for a in protocol.__annotations__ if a not in needed]
        missing = [attribute for attribute in needed if not hasattr(value, attribute)]
        raise TypeError(f"{name} must have {', '.join(missing)}, got {type(value).__name__}")
    return value
