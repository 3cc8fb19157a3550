"""What a penalty is, and what follows for free from its formulas and traits."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from .._core import accumulate, elementwise, is_numpy, to_host, to_native
from .._core._validate import parameter, positive
from ..prox._vectors import as_array


@runtime_checkable
class PenaltyLike(Protocol):
    """Anything with ``value(x)`` and ``prox(v, step)``: what solvers ask for at least."""

    def value(self, x: Any) -> Any:
        """Penalty at ``x``; one number per column of a 2-D ``x``, or one in all if coupled."""
        ...

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        ...


class Penalty:
    """A function with a value, a proximal operator and stated traits.

    A 2-D ``x`` of shape (n, k) is a batch: k columns, each penalised by itself, and ``value`` and
    ``conjugate`` return one number per column.

    Only ``value`` and ``prox`` are always there. ``conjugate``, ``dual_norm``, ``alpha_max``,
    ``subdiff_distance`` and ``as_cvxpy`` exist where there is something exact to compute, and
    ``hasattr`` tells: a penalty lacks one for which no closed form is known, whose answer would be
    a set rather than numbers (the subdifferential of a penalty that couples its coordinates), or
    that makes no sense for it (the dual norm of one that is no gauge, cvxpy for one that is not
    convex). Rules that make penalties from penalties offer what follows from their parts.

    Attributes
    ----------
    is_convex : bool
        Whether the function is convex.
    is_separable : bool
        Whether it is a sum over single coordinates.
    is_homogeneous : bool
        Stated by convex gauges, f(t x) = t f(x) for t >= 0, that know the dual one: their
        conjugate is the indicator of ``dual_norm(y) <= 1``. False promises nothing: cones,
        for instance, or gauges without a ``dual_norm``, may not state it.
    zero_at_alpha_max : bool
        Whether ``alpha_max``, where there is one, is about zero being stationary; False where it
        is about another point that costs nothing, such as a constant.
    weak_convexity : float
        The smallest rho for which f + rho/2 ||.||^2 is convex; ``inf`` if there is none.
    """

    is_convex: bool = False
    is_separable: bool = False
    is_homogeneous: bool = False
    zero_at_alpha_max: bool = True
    __array_ufunc__: ClassVar[None] = None  # lets NumPy leave ``np.float64(2) * f`` to `__rmul__`

    @property
    def weak_convexity(self) -> float:
        """The smallest rho for which f + rho/2 ||.||^2 is convex."""
        return 0.0 if self.is_convex else math.inf

    def value(self, x: Any) -> Any:
        """Penalty at ``x``."""
        raise NotImplementedError

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``; the input is trusted."""
        raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep formulas from turning into methods, which would be another kernel per penalty."""
        super().__init_subclass__(**options)
        for name in ("value_formula", "prox_formula", "slope_formula"):
            kernel = vars(cls).get(name)
            if kernel is not None and not isinstance(kernel, staticmethod):
                setattr(cls, name, staticmethod(kernel))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise AttributeError(
                f"{name} of {type(self).__name__} cannot be changed: make another penalty"
            )
        super().__setattr__(name, value)

    def __mul__(self, factor: Any) -> Penalty:
        """``factor * f``, a `Scale`."""
        from ._calculus_affine import Scale

        return Scale(self, factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Penalty:
        """``f / divisor``, a `Scale`."""
        return self * (1.0 / positive("divisor", divisor))

    def __repr__(self) -> str:
        shown = []
        for name, value in vars(self).items():
            if not name.startswith("_"):
                text = (
                    f"<shape {value.shape}>"
                    if np.ndim(value) and hasattr(value, "shape")
                    else f"{value!r}"
                )
                shown.append(f"{name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"


class Gauge(Penalty):
    """A convex, positively homogeneous penalty: a multiple of a norm or of a gauge."""

    is_convex = True
    is_homogeneous = True

    @property
    def is_norm(self) -> bool:
        """Whether zero is its only zero, so that every dual vector can be scaled to feasibility."""
        return True

    def dual_norm(self, y: Any) -> Any:
        """The smallest t >= 0 for which ``y / t`` is in the subdifferential at zero."""
        raise NotImplementedError

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        return self.dual_norm(gradient)

    def conjugate(self, y: Any) -> Any:
        """Convex conjugate: 0 where ``dual_norm(y) <= 1`` up to rounding, ``inf`` elsewhere."""
        return inside_unit_ball(self.dual_norm(y), y)


class Separable(Penalty):
    """A sum over coordinates of an even function, defined by scalar formulas.

    Subclasses set the formulas and say which parameters these take for an array like ``x``. The
    slope formula, for penalties that grow with ``|x|``, is the derivative at ``x > 0``, and at 0
    its limit from the right (``inf`` allowed).
    """

    is_separable = True
    value_formula: ClassVar[Any]
    prox_formula: ClassVar[Any]
    slope_formula: ClassVar[Any]

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Parameters of the value formula for an array like ``x``."""
        raise NotImplementedError

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Parameters of the prox formula for an array like ``v`` and this step."""
        raise NotImplementedError

    def value(self, x: Any) -> Any:
        """Penalty at ``x``: one number, or one per column."""
        return accumulate(self.value_formula, x, self.value_parameters(x))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        return elementwise(self.prox_formula, v, self.prox_parameters(v, step))

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        size = np.abs(gradient)
        steepest = elementwise(self.slope_formula, np.zeros_like(size), self.value_parameters(size))
        return np.max(quotient(size, steepest), axis=0, initial=0.0)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate.

        Zero everywhere means that ``x`` is stationary for a loss with this gradient.
        """
        size = np.abs(x)
        slope = elementwise(self.slope_formula, size, self.value_parameters(size))
        with np.errstate(invalid="ignore"):
            phase = np.where(size > 0, x / np.where(size > 0, size, 1), 0)
            away = np.abs(gradient + phase * np.where(size > 0, slope, 0))
        return np.where(size > 0, away, np.maximum(np.abs(gradient) - slope, 0.0))


def inside_unit_ball(dual_norm: Any, y: Any) -> Any:
    """0 where ``dual_norm <= 1`` up to rounding in the precision of ``y``, ``inf`` elsewhere."""
    dtype = getattr(y, "dtype", None)
    eps = np.finfo(dtype).eps if isinstance(dtype, np.dtype) and dtype.kind in "fc" else 2.0**-52
    return np.where(np.asarray(dual_norm) <= 1.0 + 64 * eps, 0.0, np.inf)[()]


def require_dimension(name: str, x: Any) -> None:
    """Refuse a number where a vector is needed; separable penalties take numbers as well."""
    if np.ndim(x) == 0:
        raise ValueError(f"{name} must have at least 1 dimension, got a number")


def as_vectors(name: str, x: Any) -> Any:
    """``x`` as a floating-point array of its own library, with at least one dimension."""
    require_dimension(name, x)
    return as_array(x)


def steepest_bend(level: Any, bend: Any) -> float:
    """The largest ``bend`` among coordinates that are penalised, as a weak-convexity constant.

    Those with level 0 are free and those with level ``inf`` are fixed to zero: both are convex.
    """
    level = np.asarray(to_host(level))
    return float(np.max(np.where((level > 0.0) & (level < np.inf), bend, 0.0), initial=0.0))


def quotient(size: Any, level: Any) -> Any:
    """``size / level`` with 0 / 0 = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, size / level, 0.0)[()]


def frozen(name: str, value: Any, **conditions: Any) -> Any:
    """A checked parameter that belongs to the penalty: arrays are copied and made read-only."""
    value = parameter(name, value, **conditions)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


def beside(p: Any, x: Any) -> Any:
    """A parameter per coordinate, shape (n,), as a column beside a batch of shape (n, k)."""
    if np.ndim(p) == 0:
        return p
    if np.ndim(p) == 1 and p.shape[0] not in (1, np.shape(x)[0]):
        raise ValueError(
            f"lam (or another parameter per coordinate) must have shape ({np.shape(x)[0]},) "
            f"beside x of shape {np.shape(x)}, got {p.shape}"
        )
    if is_numpy(p) and not is_numpy(x):
        p = to_native(p.copy(), x)  # torch warns of read-only memory
    return p[:, None] if np.ndim(p) == 1 and np.ndim(x) == 2 else p


def full(p: Any, x: Any) -> Any:
    """A parameter as an array of the shape of a cvxpy expression ``x``."""
    return np.broadcast_to(beside(np.asarray(p), x), x.shape)
