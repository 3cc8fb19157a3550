"""The one helper behind every front door: public names load on first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def attach(
    package: str, names: Mapping[str, Iterable[str]], submodules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` for a package's ``__init__``.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    names : mapping of str to iterable of str
        For each implementation module (without its package), the public names it defines.
    submodules : iterable of str
        Public subpackages, loaded when first touched.
    """
    home = {name: module for module, public in names.items() for name in public}
    children = frozenset(submodules)
    everything = sorted([*home, *children])

    def __getattr__(name: str) -> Any:
        if name in children:
            return importlib.import_module(f"{package}.{name}")
        if name in home:
            value = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
            setattr(sys.modules[package], name, value)
            return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return everything

    return __getattr__, __dir__, everything
