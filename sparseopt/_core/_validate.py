"""Checks at the door: errors that name the argument, what was expected and what came."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ._namespace import is_numpy, namespace


def positive(name: str, value: Any) -> float:
    """A finite real number above zero."""
    value = _real(name, value)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a positive finite number, got {value}")
    return value


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An integer in ``[low, high]``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    value = int(value)
    if value < low or (high is not None and value > high):
        bound = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} must be {bound}, got {value}")
    return value


def choice(name: str, value: Any, options: Iterable[Any]) -> Any:
    """One of a few allowed values."""
    options = list(options)
    if value not in options:
        raise ValueError(f"{name} must be one of {options}, got {value!r}")
    return value


def parameter(
    name: str, value: Any, *, low: float = 0.0, strict: bool = False, finite: bool = False
) -> Any:
    """A real parameter of an operator, a number or an array, with ``value >= low`` (or ``>``).

    Infinity is allowed unless ``finite``; NaN never is. Numbers come back as ``float``.
    """
    if not is_numpy(value):
        xp = namespace(value)
        seen = value.detach() if hasattr(value, "detach") else value
        smallest = float(xp.min(seen)) if math.prod(value.shape) else low + 1.0
        largest = float(xp.max(seen)) if finite and math.prod(value.shape) else 0.0
        has_nan = bool(xp.any(seen != seen))
    else:
        value = np.asarray(value)
        if value.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be real, got dtype {value.dtype}")
        if value.dtype.kind != "f" or value.dtype.itemsize < 4:
            value = value.astype(np.float64)
        if value.ndim == 0:
            value = float(value)
            smallest = largest = value
            has_nan = math.isnan(value)
        else:
            smallest = float(value.min(initial=math.inf))
            largest = float(value.max(initial=low))
            has_nan = math.isnan(smallest)
    if has_nan:
        raise ValueError(f"{name} must not contain NaN")
    if smallest < low or (strict and smallest == low):
        relation = ">" if strict else ">="
        raise ValueError(f"{name} must be {relation} {low:g} everywhere, got {smallest}")
    if finite and math.isinf(largest):
        raise ValueError(f"{name} must be finite, got {largest}")
    return value


def fraction(name: str, value: Any) -> Any:
    """A parameter in [0, 1], a number or an array."""
    value = parameter(name, value)
    if isinstance(value, float):
        largest = value
    else:
        largest = float(namespace(value).max(value)) if math.prod(value.shape) else 0.0
    if largest > 1.0:
        raise ValueError(f"{name} must be <= 1 everywhere, got {largest}")
    return value


def real_input(name: str, v: Any) -> Any:
    """Refuse complex numbers: the operator is not one of the modulus."""
    if not is_numpy(v):
        is_complex = namespace(v).isdtype(v.dtype, "complex floating")
    else:
        v = np.asarray(v)
        is_complex = v.dtype.kind == "c"
    if is_complex:
        raise TypeError(f"{name} must be real, got dtype {v.dtype}")
    return v


def steps(step: Any) -> Any:
    """The step of a proximal operator: positive and finite, a number or an array."""
    return parameter("step", step, strict=True, finite=True)


def finite_array(
    name: str, value: Any, *, ndim: Sequence[int] | None = None
) -> np.ndarray[Any, Any]:
    """A finite float32, float64 or complex array with an allowed number of dimensions."""
    from ._elementwise import as_floating

    value = as_floating(name, value)
    if ndim is not None and value.ndim not in ndim:
        wanted = " or ".join(map(str, ndim))
        raise ValueError(f"{name} must have {wanted} dimension(s), got shape {value.shape}")
    if not np.isfinite(value).all():
        bad = value.size - int(np.isfinite(value).sum())
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite of {value.size}")
    return value


def axis_index(axis: Any, ndim: int) -> int:
    """A valid axis as a non-negative index."""
    axis = integer("axis", axis, -ndim if ndim else -1, max(ndim - 1, 0))
    return axis % ndim if ndim else 0


def _real(name: str, value: Any) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}")
    return float(value)
