"""From one scalar formula to an operator on arrays of any shape, dtype and library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ._jit import jit
from ._namespace import floating, is_numpy, namespace, on_host, over_namespace, to_host, to_native

_REAL = (np.float32, np.float64)
_COMPLEX = (np.complex64, np.complex128)


def as_floating(name: str, v: Any) -> np.ndarray[Any, Any]:
    """``v`` as a float32, float64, complex64 or complex128 array; integers become float64."""
    v = np.asarray(v)
    if v.dtype.type in _REAL + _COMPLEX:
        return v if v.dtype.isnative else v.astype(v.dtype.newbyteorder("="))
    if v.dtype.kind in "biu":
        return v.astype(np.float64)
    if v.dtype == np.float16:
        return v.astype(np.float32)
    raise TypeError(f"{name} must be a real or complex floating-point array, got dtype {v.dtype}")


def elementwise(
    kernel: Any,
    v: Any,
    parameters: tuple[Any, ...] = (),
    *,
    out: Any = None,
    check: bool = False,
    name: str = "v",
) -> Any:
    """Apply a formula to every entry of ``v``.

    Parameters
    ----------
    kernel : compiled formula ``f(x, *parameters)``
        For complex input it must be odd in ``x``: it acts on the modulus and keeps the phase.
    v : array
        NumPy (float32, float64, complex) or another library's array.
    parameters : tuple of scalars or arrays
        Each must broadcast to the shape of ``v``.
    out : array, optional
        Where to write; may be ``v`` itself. Its contents are undefined if NaN is found.
    check : bool
        Refuse NaN. The test runs on the results, in the same pass over memory.
    name : str
        What to call ``v`` in an error.
    """
    if is_numpy(v):
        return _on_numpy(kernel, v, parameters, out, check, name)
    if all(is_numpy(a) or on_host(a) for a in (v, out, *parameters)):
        target = None if out is None else to_host(out)
        parameters = tuple(p if np.isscalar(p) else to_host(p) for p in parameters)
        result = _on_numpy(kernel, to_host(v), parameters, target, check, name)
        return to_native(np.asarray(result), v) if out is None else out
    return _on_namespace(kernel, v, parameters, out, check, name)


def _on_numpy(
    kernel: Any, v: Any, parameters: tuple[Any, ...], out: Any, check: bool, name: str
) -> Any:
    v = as_floating(name, v)
    check_out(out, v)
    target = np.empty(v.shape, v.dtype) if out is None else out
    values, is_array = _prepare(kernel, parameters, v)
    loop = _array_loop(kernel, is_array, v.dtype.kind == "c")
    v = np.ascontiguousarray(v).reshape(v.shape)
    in_place = target.flags.c_contiguous and not any(_overlap(target, a) for a in (v, *values))
    flat = target if in_place else np.empty(v.shape, v.dtype)
    nans = loop(v.reshape(-1), *values, flat.reshape(-1))
    if flat is not target:
        target[...] = flat
    if check and nans:
        raise ValueError(
            f"{name} must not contain NaN, nor infinity where it meets an infinite parameter, "
            f"got {nans} of {v.size}"
        )
    return target if out is not None else target[()]


def _on_namespace(
    kernel: Any, v: Any, parameters: tuple[Any, ...], out: Any, check: bool, name: str
) -> Any:
    xp = namespace(v)
    v = floating(v)
    if check and bool(xp.any(v != v)):
        raise ValueError(f"{name} must not contain NaN")
    operator = over_namespace(kernel, xp)
    is_complex = xp.isdtype(v.dtype, "complex floating")
    size = xp.abs(v) if is_complex else v
    result = operator(size, *(_beside(p, size, xp) for p in parameters))
    if is_complex:
        result = v * (result / xp.where(size > 0, size, xp.ones_like(size)))
    if result.shape != v.shape:
        raise ValueError(
            f"parameters must broadcast to the shape {tuple(v.shape)} of the input, got a result "
            f"of shape {tuple(result.shape)}"
        )
    if out is None:
        return result
    if out.shape != v.shape:
        raise ValueError(f"out must have shape {tuple(v.shape)}, got {tuple(out.shape)}")
    out[...] = result
    return out


def accumulate(kernel: Any, x: Any, parameters: tuple[Any, ...] = ()) -> Any:
    """Sum of a formula over the first axis in float64: one number, or one per column of a batch.

    Unlike in `elementwise`, the formula gets complex entries as they are.
    """
    if not is_numpy(x):
        size = namespace(x).abs(x)
        return total(elementwise(kernel, size, parameters))
    x = as_floating("x", x)
    if x.ndim != 1:
        return total(elementwise(kernel, np.abs(x), parameters))
    values, is_array = _prepare(kernel, parameters, x)
    return _sum_loop(kernel, is_array)(np.ascontiguousarray(x), *values)


def check_out(out: Any, v: np.ndarray[Any, Any]) -> None:
    """Refuse an ``out`` that cannot hold a result like ``v``."""
    if out is None:
        return
    if not isinstance(out, np.ndarray) or out.shape != v.shape or out.dtype != v.dtype:
        raise ValueError(
            f"out must be an array of shape {v.shape} and dtype {v.dtype}, got "
            f"{getattr(out, 'shape', type(out).__name__)} {getattr(out, 'dtype', '')}"
        )
    if not out.flags.writeable:
        raise ValueError("out must be writeable, got a read-only array")


def _beside(p: Any, size: Any, xp: Any) -> Any:
    """A parameter as a Python number, or as an array like ``size`` that keeps its gradient."""
    if not is_numpy(p):
        return xp.astype(p, size.dtype)
    return (
        float(p)
        if np.ndim(p) == 0
        else xp.asarray(np.array(p), dtype=size.dtype, device=size.device)
    )


def _overlap(target: np.ndarray[Any, Any], a: Any) -> bool:
    """Whether writing ``target`` entry by entry may change entries of ``a`` still to be read."""
    if not isinstance(a, np.ndarray) or not np.may_share_memory(target, a):
        return False
    same = target.ctypes.data == a.ctypes.data and target.dtype == a.dtype
    return not (same and target.size == a.size)


def _prepare(
    kernel: Any, parameters: tuple[Any, ...], v: np.ndarray[Any, Any]
) -> tuple[list[Any], tuple[bool, ...]]:
    """Parameters as numbers, or as flat arrays with an entry for each of ``v``.

    They are in the precision of ``v``, but double for root searches, which then run in double.
    """
    real = np.dtype(np.float64) if _iterates(kernel) else v.real.dtype
    values: list[Any] = []
    is_array = []
    for p in parameters:
        p = np.asarray(p, real)
        is_array.append(p.ndim > 0 and p.size != 1)
        if is_array[-1]:
            values.append(np.ascontiguousarray(_broadcast(p, v.shape)).reshape(-1))
        else:
            values.append(real.type(p.reshape(())))
    return values, tuple(is_array)


def _broadcast(p: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if p.shape == shape:
        return p
    try:
        return np.broadcast_to(p, shape)
    except ValueError:
        raise ValueError(
            f"parameters must broadcast to the shape {shape} of the input, got {p.shape}"
        ) from None


@functools.cache
def _iterates(kernel: Any) -> bool:
    """Whether a formula, or one that it calls, is a root search."""
    function = getattr(kernel, "py_func", kernel)
    names = function.__code__.co_names
    return "range" in names or any(
        hasattr(value, "py_func") and _iterates(value)
        for value in map(function.__globals__.get, names)
    )


@functools.cache
def _array_loop(kernel: Any, is_array: tuple[bool, ...], is_complex: bool) -> Any:
    """The loop that writes ``formula(v[i], ...)`` and counts NaN."""
    if is_complex:
        body = "a = abs(x)\n  y = x * (formula(a{0}) / a) if 0 < a < np.inf else x\n  "
    else:
        body = "y = formula(x{0})\n  "
    body += "nans += y != y\n  out[i] = y"
    source = "def {1}(v{2}, out):\n nans = 0\n for i in range(v.size):\n  x = v[i]\n  "
    source += body + "\n return nans\n"
    return _generate(kernel, is_array, source, "loop_complex" if is_complex else "loop")


@functools.cache
def _sum_loop(kernel: Any, is_array: tuple[bool, ...]) -> Any:
    """The loop that adds up ``formula(v[i], ...)`` in float64.

    Four running sums, since one alone would wait for every addition to finish.
    """
    source = "def {1}(v{2}):\n a = b = c = d = 0.0\n n = v.size - v.size % 4\n"
    source += " for j in range(0, n, 4):\n"
    for k, register in enumerate("abcd"):
        source += f"  i = j + {k}\n  {register} += formula(v[i]{{0}})\n"
    source += " for i in range(n, v.size):\n  a += formula(v[i]{0})\n return (a + b) + (c + d)\n"
    return _generate(kernel, is_array, source, "sum")


def _generate(kernel: Any, is_array: tuple[bool, ...], source: str, kind: str) -> Any:
    """Compile a loop over an array, as if it had been written beside the formula.

    The loop is generated source with the formula as a *global* and the formula's file as its own,
    so it is stored in Numba's disk cache under a name that no other loop has.
    """
    letters = [f"p{i}" for i in range(len(is_array))]
    arguments = "".join(
        f", {p}[i]" if a else f", {p}" for p, a in zip(letters, is_array, strict=True)
    )
    suffix = f"{kind}_" + "".join("a" if a else "s" for a in is_array)
    parameters = "".join(f", {p}" for p in letters)
    return compile_beside(kernel, suffix, source.format(arguments, "loop", parameters))


def compile_beside(kernel: Any, suffix: str, source: str, **scope: Any) -> Any:
    """Compile ``def loop(...)``, source that calls ``formula``, as if from the formula's file.

    The loop has the formula as a *global* and the formula's file as its own, so it is stored in
    Numba's disk cache, under a name that no other loop has.
    """
    function = getattr(kernel, "py_func", kernel)
    name = f"{function.__name__}_{suffix}"
    scope |= {"formula": kernel, "np": np, "__name__": function.__module__}
    text = source.replace("def loop(", f"def {name}(", 1)
    exec(compile(text, function.__code__.co_filename, "exec"), scope)
    return jit(scope[name])


def total(values: Any, joint: bool = False) -> Any:
    """Sum over the first axis in float64: one number per column, or one in all if ``joint``."""
    if is_numpy(values):
        sums = np.sum(values, axis=None if joint else 0, dtype=np.float64)
        return sums if sums.ndim else float(sums)
    return values.sum() if joint or values.ndim == 1 else values.sum(0)
