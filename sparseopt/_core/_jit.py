"""The only way into Numba: one decorator, one set of options, one rule for stale caches."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_compiled: list[Any] = []


@functools.cache
def kernel_sources_hash() -> str:
    """Hash of every source file of the package that holds compiled code.

    Numba checks only the file of the function itself, so a cached loop would go on using an old
    formula that lives in another file. All our cache entries carry this hash as their stamp.
    """
    root = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        if b"jit" in source or b"formula" in source:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()


def jit(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on first use; cache on disk, release the GIL, divide as NumPy does.

    Only module-level functions that reach other kernels by their global names may be decorated:
    a kernel that closes over a compiled function, or is passed one, misses the disk cache in
    every process.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no writable place for a cache: compile in every process
        return numba.njit(**options)(function)
    if hasattr(dispatcher, "_cache"):  # absent under NUMBA_DISABLE_JIT
        dispatcher._cache._cache_file._source_stamp = kernel_sources_hash()
        _compiled.append(dispatcher)
    return dispatcher


def cache_counts() -> tuple[int, int]:
    """Disk-cache hits and misses of all kernels in this process."""
    hits = misses = 0
    for dispatcher in _compiled:
        stats = dispatcher.stats
        hits += sum(stats.cache_hits.values())
        misses += sum(stats.cache_misses.values())
    return hits, misses


def formula(function: Callable[..., Any]) -> Any:
    """Declare a branch-free scalar formula, the single home of an elementwise operator.

    The result is the scalar kernel, to be called from compiled loops by its global name.
    ``elementwise`` makes the array loop from it, and ``over_namespace`` runs the same code object
    over another array library. To allow that, a formula uses only arithmetic, comparisons,
    ``&``, ``range`` with constant bounds, ``abs``, the names of ``_core._math``, constants of its
    module and other formulas.
    """
    return jit(function)
