"""What the rules that make penalties from penalties share: traits, checks, sums."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .._core import as_floating, is_numpy, namespace, to_native, total
from .._core._namespace import floating
from .._core._validate import finite_array
from ._base import Penalty, PenaltyLike


class offered:
    """Make a method exist only where ``condition(self)`` holds, so that ``hasattr`` can tell."""

    def __init__(self, condition: Callable[[Any], Any]) -> None:
        self.condition = condition

    def __call__(self, method: Callable[..., Any]) -> Any:
        self.method = method
        functools.update_wrapper(self, method)
        return self

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self.method
        if not self.condition(instance):
            raise AttributeError(
                f"{type(instance).__name__} has no {self.method.__name__!r}: it does not follow "
                f"from what {instance.f!r} offers"
            )
        return types.MethodType(self.method, instance)


def from_base(*names: str) -> offered:
    """Offered where the penalty underneath has all these methods."""
    return offered(lambda self: all(hasattr(self.f, name) for name in names))


class Derived(Penalty):
    """A penalty made from another, ``f``, which may be any object with ``value`` and ``prox``.

    A method beyond these two exists only where it follows from what ``f`` offers. Traits that a
    foreign object does not state count as false, and its weak convexity as unbounded.
    """

    _shown: ClassVar[tuple[str, ...]] = ("f",)

    def __init__(self, f: Any, **traits: bool) -> None:
        """Take over the traits of ``f``, except those given."""
        self.f: Any = penalty_like("f", f)
        for name in ("is_convex", "is_separable", "is_homogeneous"):
            setattr(self, name, bool(traits.get(name, getattr(f, name, False))))

    @property
    def weak_convexity(self) -> float:
        """The smallest rho for which f + rho/2 ||.||^2 is convex."""
        return weak_convexity(self.f)

    @property
    def is_norm(self) -> bool:
        """Where homogeneous: whether every dual vector can be scaled to feasibility."""
        return bool(getattr(self.f, "is_norm", True))

    @property
    def zero_at_alpha_max(self) -> bool:  # type: ignore[override]
        """Whether ``alpha_max`` is about zero being stationary, as that of ``f``."""
        return bool(getattr(self.f, "zero_at_alpha_max", True))

    def __repr__(self) -> str:
        shown = []
        for name in self._shown:
            value = getattr(self, name)
            array = not isinstance(value, Penalty) and np.ndim(value) > 0
            text = f"<shape {np.shape(value)}>" if array else f"{value!r}"
            shown.append(text if name == "f" else f"{name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"


class Absolute(Derived):
    """A rule that holds for a base that grows with every ``|x_i|`` and ignores signs.

    The first use with a new number of coordinates tests that on random vectors, unless ``check``
    is off.
    """

    _symmetric: ClassVar[bool] = False

    def __init__(self, f: Any, check: bool, **traits: bool) -> None:
        super().__init__(f, **traits)
        self.check = bool(check)
        self._tested: set[tuple[int, ...]] = set()

    def _test(self, shape: tuple[int, ...]) -> None:
        """Refuse a base that is not even and nondecreasing on arrays of this shape."""
        shape = (*shape[:1], *(min(k, 2) for k in shape[1:]))
        if not self.check or shape in self._tested or not math.prod(shape):
            return
        rng = np.random.default_rng(0)
        for scale in (0.3, 1.0, 5.0):
            z = np.abs(self.f.prox(scale * rng.standard_normal(shape), 1e-3))
            value = np.asarray(self.f.value(z))
            mirrored = np.asarray(self.f.value(z * rng.choice([-1.0, 1.0], shape)))
            smaller = np.asarray(self.f.value(z * rng.uniform(0.2, 1.0, shape)))
            slack = 1e-9 * (1.0 + np.abs(value))
            if not np.all(np.isfinite(value) & (np.abs(mirrored - value) <= slack)):
                raise ValueError(f"f must not depend on signs, got {self.f!r}")
            if not np.all(smaller <= value + slack):
                raise ValueError(f"f must not fall where an entry grows, got {self.f!r}")
            if self._symmetric:
                other = np.asarray(self.f.value(z[rng.permutation(shape[0])]))
                if not np.all(np.abs(other - value) <= slack):
                    raise ValueError(f"f must not depend on the order of entries, got {self.f!r}")
        self._tested.add(shape)


def penalty_like(name: str, f: Any) -> PenaltyLike:
    """``f`` itself if it has ``value`` and ``prox``."""
    if not isinstance(f, PenaltyLike) or isinstance(f, type):
        got = f"the class {f.__name__}" if isinstance(f, type) else type(f).__name__
        raise TypeError(f"{name} must be a penalty with value(x) and prox(v, step), got {got}")
    return f


def weak_convexity(f: Any) -> float:
    """The weak-convexity constant of any penalty; ``inf`` if it states none and is not convex."""
    fallback = 0.0 if getattr(f, "is_convex", False) else math.inf
    return float(getattr(f, "weak_convexity", fallback))


def array_of(x: Any) -> Any:
    """``x`` as an array of floating-point numbers of its own library."""
    return as_floating("x", x) if is_numpy(x) else floating(x)


def vector(name: str, value: Any) -> Any:
    """A finite number, or a read-only copy of a finite array."""
    array = finite_array(name, value, ndim=(0, 1, 2))
    if array.ndim == 0:
        return array.item()
    array = array.copy()
    array.flags.writeable = False
    return array


def matched(name: str, p: Any, x: Any) -> Any:
    """A number or vector of `vector`, in the library, precision and layout of ``x``."""
    if np.ndim(p) == 0:
        return p
    if p.shape != tuple(x.shape)[: p.ndim]:
        raise ValueError(
            f"{name} must have shape {tuple(x.shape)[: p.ndim]} beside x of shape "
            f"{tuple(x.shape)}, got {p.shape}"
        )
    p = in_precision(p, x)
    if not is_numpy(x):
        p = to_native(p.copy(), x)
    return p[:, None] if p.ndim == 1 and x.ndim == 2 else p


def in_precision(p: np.ndarray[Any, Any], x: Any) -> Any:
    """``p`` in single precision if ``x`` is, else in double; real or complex as it was."""
    single = str(x.dtype).rpartition(".")[2] in ("float32", "complex64", "float16", "bfloat16")
    kinds = (np.complex64, np.complex128) if p.dtype.kind == "c" else (np.float32, np.float64)
    return p.astype(kinds[0] if single else kinds[1], copy=False)


def step_beside(step: Any, v: Any) -> Any:
    """A step as a Python number, or as an array in the precision of ``v``."""
    if is_numpy(step):
        if np.ndim(step) == 0:
            return float(step)
        step = in_precision(np.asarray(step), v)
        return step if is_numpy(v) else to_native(step.copy(), v)
    return step


def inner(a: Any, x: Any) -> Any:
    """Real inner product over the first axis, per column of a batch."""
    if isinstance(a, int | float | complex):
        product = a.conjugate() * x
    else:
        product = namespace(x).conj(a) * x
    return total(product.real)


def square_sum(x: Any) -> Any:
    """``||x||^2`` over the first axis, per column of a batch."""
    size = abs(x)
    return total(size * size)


def plus(value: Any, extra: Any) -> Any:
    """A value and a term per column; the term is summed if the value is one for all columns."""
    if np.ndim(value) == 0 and np.ndim(extra) > 0:
        extra = extra.sum()
    return value + extra
