"""What solvers of several terms share: ``min f(A x) + g(x) + sum h_i(K_i x)`` and its measure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .._core import Products, Result, State, iterate
from ..penalties import PenaltyLike, Zero
from ._composite import Array, Composite, default_tolerance, is_gauge, required, scales_into_domain


class Nothing:
    """The loss of a problem without one: zero, of the shape of the start point."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)

    def predict(self, x: Array) -> Array:
        """An empty prediction."""
        return x[:0]

    def pull_back(self, u: Array) -> Array:
        """Zero."""
        return np.zeros(self.shape, self.dtype)

    def value_at(self, z: Array) -> float:
        """Zero."""
        return 0.0

    def gradient_at(self, z: Array) -> Array:
        """Empty."""
        return z

    def bregman(self, z_new: Array, z: Array) -> float:
        """Zero."""
        return 0.0

    def conjugate(self, u: Array) -> float:
        """Zero: the empty vector is the whole domain."""
        return 0.0

    def lipschitz(self) -> float:
        """Zero."""
        return 0.0


class Coupling:
    """A term h(K x); without ``K`` it is h(x)."""

    def __init__(self, h: Any, K: Any, loss: Any) -> None:
        self.h: PenaltyLike = required("penalty", h, PenaltyLike)
        if isinstance(K, type):
            K = K(loss.shape[0])
        try:
            self.products = None if K is None else Products(K)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("A must", "K must", 1)) from None
        self.dtype = loss.dtype
        self._norm: float | None = None
        if self.products is not None:
            if self.products.shape[1] != loss.shape[0]:
                raise ValueError(
                    f"K must have {loss.shape[0]} columns, as many as x has entries, got shape "
                    f"{self.products.shape}"
                )
            if self.products.dtype.kind == "c" and loss.dtype.kind != "c":
                raise TypeError("K must be real for a real problem, got a complex operator")

    @property
    def K(self) -> Any:
        """The matrix or operator; None for the identity."""
        return None if self.products is None else self.products.A

    def forward(self, x: Array) -> Array:
        """``K x``."""
        if self.products is None:
            return x
        return self.products.forward(x).astype(self.dtype, copy=False)

    def adjoint(self, v: Array) -> Array:
        """``K^H v``."""
        if self.products is None:
            return v
        return self.products.adjoint(v).astype(self.dtype, copy=False)

    def norm(self) -> float:
        """A bound on the norm of ``K``, or an estimate with 1 % on top."""
        if self._norm is None:
            self._norm = 1.0
            if self.products is not None:
                from ..linop import operator_norm

                estimate = operator_norm(self.products.A)
                self._norm = min(estimate.upper, 1.01 * estimate.lower)
        return self._norm

    def dual_prox(self, v: Array, step: Any) -> Array:
        """Proximal operator of ``step h*``."""
        p: Array = v - step * self.h.prox(v / step, 1.0 / step)
        return p


class Terms(Composite):
    """A loss, a penalty g and couplings h_i(K_i x), as one joint problem even of many columns."""

    def __init__(self, loss: Any, penalty: Any, x0: Any = None) -> None:
        g, pairs = split_terms(penalty)
        if loss is None:
            loss = _without_loss(x0)
        super().__init__(loss, g, joint=True)
        self.couplings = [Coupling(h, K, loss) for h, K in pairs]
        zero = np.zeros(loss.shape, loss.dtype)
        for c in self.couplings:
            Kx = c.forward(zero)
            value = float(np.sum(c.h.value(Kx)))
            self.null_value = self.null_value + (value if math.isfinite(value) else 0.0)
            self.zero_is_optimal = (
                self.zero_is_optimal and value == 0.0 and not np.any(c.h.prox(Kx, 1.0))
            )
            self.is_convex = self.is_convex and bool(getattr(c.h, "is_convex", False))
            self.has_dual = self.has_dual and _is_finite(c, Kx) and _has_dual(c.h, Kx)
        self.scale = float(self.null_value) if self.null_value > 0 else 1.0
        self.certificate = (
            "relative duality gap"
            if self.has_dual
            else "primal-dual residual"
            if self.couplings
            else "fixed-point residual"
        )
        # Dimensions of a step in x, where the loss gives none.
        self.curvature = float(loss.lipschitz()) or 1.0

    def require_convex(self, method: str) -> None:
        """Refuse penalties that say they are not convex."""
        for penalty in (self.penalty, *(c.h for c in self.couplings)):
            if not getattr(penalty, "is_convex", True):
                raise ValueError(
                    f"penalty must be convex for {method}, got {type(penalty).__name__}"
                )

    def require_single(self, method: str) -> None:
        """Refuse more than one penalty."""
        if self.couplings:
            raise ValueError(
                f"penalty must be one penalty on x for {method}, got {len(self.couplings)} more"
            )

    def measure(self, x: Array, duals: Sequence[Array] = (), **known: Array) -> Measure:
        """Objective and certificate of a point and of the dual vectors of the couplings.

        ``z``, ``u`` and ``gradient`` at ``x`` may be given where they are known.
        """
        z = known["z"] if "z" in known else self.loss.predict(x)
        u = known["u"] if "u" in known else self.loss.gradient_at(z)
        gradient = known["gradient"] if "gradient" in known else self.loss.pull_back(u)
        images = [c.forward(x) for c in self.couplings]
        pulled = gradient
        for c, v in zip(self.couplings, duals, strict=True):
            pulled = pulled + c.adjoint(v)
        fun = float(self.objective(x, z))
        if self.has_dual:
            fun += sum(
                float(np.sum(c.h.value(w))) for c, w in zip(self.couplings, images, strict=True)
            )
            others = [(c.h, v) for c, v in zip(self.couplings, duals, strict=True)]
            t, value = self.dual(u, pulled, others)
            return Measure(fun, math.nan, float(value), (-t * u, *(t * v for v in duals)))
        certificate = self._dual_residual(x, gradient, pulled)
        for c, w, v in zip(self.couplings, images, duals, strict=True):
            value, residual = self._primal_residual(c, x, w, v)
            fun += value
            certificate = max(certificate, residual)
        return Measure(fun, certificate, -math.inf, None)

    def _dual_residual(self, x: Array, gradient: Array, pulled: Array) -> float:
        """How far ``-pulled`` is from the subdifferential of g, by a proximal step."""
        s = np.asarray(1.0 / self.curvature, x.real.dtype)
        moved = _length(x - self.penalty.prox(x - s * pulled, 1.0 / self.curvature))
        sizes = (_length(self.null_gradient), _length(gradient), _length(pulled - gradient))
        return _ratio(moved * self.curvature, max(sizes))

    def _primal_residual(self, c: Coupling, x: Array, w: Array, v: Array) -> tuple[float, float]:
        """Value of h, and how far ``v`` is from its subdifferential at ``w = K x``."""
        size, reach = _length(w), c.norm() * _length(x)
        step = _ratio(reach, _length(v))
        if not (0.0 < step < math.inf):
            step = 1.0
        near = c.h.prox(w + np.asarray(step, w.real.dtype) * v, step)
        value = float(np.sum(c.h.value(w)))
        if not math.isfinite(value):
            value = float(np.sum(c.h.value(near)))
        return value, _ratio(_length(w - near), max(size, reach, _length(near)))


@dataclasses.dataclass(frozen=True)
class Measure:
    """Objective; residual, or dual objective with the dual point that attains it."""

    fun: float
    certificate: float
    dual_value: float
    dual: tuple[Array, ...] | None


class Method(Protocol):
    """A solver: variables, a step from one set of them to the next, and how to read them."""

    name: str
    every: int

    def first(self, x: Array) -> Any:
        """Variables at a start point."""
        ...

    def advance(self, variables: Any) -> Any:
        """The next variables; the old ones stay as they are."""
        ...

    def measure(self, variables: Any) -> tuple[Array, Measure]:
        """The point, and what `Terms.measure` says of it."""
        ...

    def extra(self, variables: Any) -> dict[str, float]:
        """What to record in the history."""
        ...


@dataclasses.dataclass(eq=False, kw_only=True)
class _Track(State):
    """The best point so far, in ``x``, the best dual one, and the variables of the method."""

    variables: Any
    dual_value: float = -math.inf
    dual: tuple[Array, ...] | None = None


def solve(
    terms: Terms,
    method: Method,
    x0: Any,
    *,
    tol: float | None,
    max_iter: int,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> Result:
    """Run a method under the driver.

    The point is measured after each of the first ten iterations and then after every
    ``method.every``, because that costs products; ``x`` and the history keep the last values.
    """
    x = terms.start(x0)
    if terms.zero_is_optimal:
        x = np.zeros_like(x)
    fun = float(terms.objective(x, terms.loss.predict(x)))
    fun += sum(float(np.sum(c.h.value(c.forward(x)))) for c in terms.couplings)
    certificate = 0.0 if terms.zero_is_optimal else math.nan
    start = _Track(x=x, fun=fun, certificate=certificate, variables=method.first(x))
    start.extra = method.extra(start.variables)

    def step(state: _Track) -> _Track:
        variables = method.advance(state.variables)
        nit = state.nit + 1
        new = dataclasses.replace(state, variables=variables, extra=method.extra(variables))
        if nit <= 10 or nit % method.every == 0 or nit == max_iter:
            _compare(terms, new, *method.measure(variables))
        return new

    run = iterate(
        start,
        step,
        tol=default_tolerance(tol, terms.loss.dtype),
        max_iter=max_iter,
        certificate=terms.certificate,
        callback=callback,
        progress=progress,
        label=method.name,
    )
    dual: Any = run.state.dual
    if dual is not None and not terms.couplings:
        dual = dual[0]
    return Result(**run.fields(method.name), dual=dual)


def _compare(terms: Terms, state: _Track, x: Array, found: Measure) -> None:
    """Keep the best: the lowest objective and the highest dual one, or the least residual."""
    if math.isnan(found.fun):
        state.fun = math.nan
    elif terms.has_dual:
        if found.fun <= state.fun:
            state.x, state.fun = x, found.fun
        if found.dual_value > state.dual_value:
            state.dual_value, state.dual = found.dual_value, found.dual
        state.certificate = float(max((state.fun - state.dual_value) / terms.scale, 0.0))
    elif not found.certificate >= state.certificate:
        state.x, state.fun, state.certificate = x, found.fun, found.certificate


def split_terms(penalty: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    """The penalty on x itself and the pairs (h, K); a bare penalty beyond the first has no K."""
    if penalty is None:
        return Zero(), []
    if not isinstance(penalty, list):
        penalty = [penalty]
    g: Any = None
    pairs = []
    for term in penalty:
        if isinstance(term, tuple):
            if len(term) != 2:
                raise ValueError(f"penalty must have pairs (h, K), got {len(term)} in a tuple")
            pairs.append(term)
        elif g is None:
            g = term
        else:
            pairs.append((term, None))
    return Zero() if g is None else g, pairs


def _without_loss(x0: Any) -> Nothing:
    x = x0.x if isinstance(x0, Result) else x0
    if x is None:
        raise ValueError("x0 must give the shape of x where loss is None, got None")
    x = np.asarray(x)
    dtype = x.dtype if x.dtype.char in "fdFD" else np.dtype(np.float64)
    return Nothing(x.shape, dtype)


def _is_finite(c: Coupling, like: Array) -> bool:
    """Whether h is finite at a random point: if it is a constraint, no iterate has an objective."""
    probe = np.asarray(np.random.default_rng(1).uniform(-1e6, 1e6, like.shape), like.dtype)
    return bool(np.isfinite(c.h.value(probe)).all())


def _has_dual(h: Any, like: Array) -> bool:
    if is_gauge(h):
        # Zeros of a gauge that is no norm are met by every dual vector that a prox returns.
        return True
    return scales_into_domain(h, lambda: like)


def _length(x: Array) -> float:
    return float(np.linalg.norm(x))


def _ratio(a: float, b: float) -> float:
    """``a / b`` with 0 / 0 = 0."""
    return a / b if b > 0 else (0.0 if a == 0 else math.inf)
