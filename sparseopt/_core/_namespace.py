"""Arrays of other libraries: find their namespace, run formulas over it, view them as NumPy."""

from __future__ import annotations

import builtins
import functools
import types
from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np

from . import _math


def is_numpy(x: Any) -> bool:
    """Whether ``x`` is treated as NumPy: anything but another library's array."""
    return isinstance(x, _OURS) or not array_api_compat.is_array_api_obj(x)


_OURS = (np.ndarray, np.generic, int, float, complex, list, tuple)


def namespace(x: Any) -> Any:
    """The array-API namespace of ``x``, NumPy's for lists and scalars."""
    return np if is_numpy(x) else array_api_compat.array_namespace(x)


def on_host(x: Any) -> bool:
    """Whether a foreign array can be viewed by NumPy without copying or losing gradients."""
    return (
        array_api_compat.is_torch_array(x)
        and x.device.type == "cpu"
        and not x.requires_grad
        and str(x.dtype) in _HOST_DTYPES
    )


_HOST_DTYPES = frozenset(
    f"torch.{name}"
    for name in ("float32", "float64", "complex64", "complex128", "int32", "int64", "bool")
)


def floating(x: Any) -> Any:
    """A foreign array as it is if it holds floating-point numbers, else as float64."""
    xp = namespace(x)
    if xp.isdtype(x.dtype, ("real floating", "complex floating")):
        return x
    return xp.astype(x, xp.float64)


def to_host(x: Any) -> np.ndarray[Any, Any]:
    """``x`` as a NumPy array: a view where possible, a copy from another device otherwise."""
    if is_numpy(x):
        return np.asarray(x)
    if array_api_compat.is_torch_array(x):
        x = x.detach()
        if str(x.dtype) not in _HOST_DTYPES:
            x = x.float()
        return np.asarray(x.cpu().resolve_conj().resolve_neg())
    return np.asarray(array_api_compat.to_device(x, "cpu"))


def to_native(x: np.ndarray[Any, Any], like: Any) -> Any:
    """A NumPy array as an array of ``like``'s library and device, sharing memory if it can."""
    if is_numpy(like):
        return x
    xp = namespace(like)
    return xp.asarray(x, device=array_api_compat.device(like))


def over_namespace(kernel: Any, xp: Any) -> Callable[..., Any]:
    """The formula behind ``kernel`` as a function over arrays of namespace ``xp``.

    It is the same code object with other globals, so there is no second copy of the formula.
    """
    function = _rebind(kernel, xp)
    if xp is not np:
        return function

    @functools.wraps(function)
    def quiet(*args: Any) -> Any:
        with np.errstate(all="ignore"):  # both sides of every ``where`` are evaluated
            return function(*args)

    return quiet


@functools.cache
def _rebind(kernel: Any, xp: Any) -> Callable[..., Any]:
    function = getattr(kernel, "py_func", kernel)
    found: dict[str, Any] = {"__builtins__": builtins}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name, getattr(builtins, name, None))
        if callable(value) and value is getattr(_math, name, _MISSING):
            found[name] = _over(name, xp)
        elif hasattr(value, "py_func") or isinstance(value, types.FunctionType):
            found[name] = _rebind(value, xp)
        elif isinstance(value, int | float) or value is abs or value is range:
            found[name] = value
        else:
            raise TypeError(
                f"formula {function.__name__!r} uses {name!r}, which is neither a function of "
                "_core._math, a number nor another formula"
            )
    return types.FunctionType(function.__code__, found, function.__name__)


_MISSING = object()


def _over(name: str, xp: Any) -> Callable[..., Any]:
    """The function of `_math` called ``name``, over arrays of ``xp`` mixed with Python numbers."""
    native = getattr(xp, name)

    def over(*values: Any) -> Any:
        arrays = [v for v in values if not isinstance(v, int | float)]
        if not arrays:  # parameters only
            return float(getattr(np, name)(*values))
        if xp is np:
            return native(*values)
        if name == "where" and isinstance(values[0], bool):
            return values[1] if values[0] else values[2]
        like = arrays[-1]
        if like is values[0] and name == "where":
            raise TypeError("where needs an array among its values, to know their precision")
        return native(
            *(
                xp.asarray(v, dtype=like.dtype, device=like.device)
                if isinstance(v, int | float) and not isinstance(v, bool)
                else v
                for v in values
            )
        )

    return over
