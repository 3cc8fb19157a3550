"""Write the API reference from the front doors: every name in a public ``__all__`` gets a page."""

from __future__ import annotations

import importlib
import inspect
import re
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

# Members that these bases define are documented where they come from.
FOREIGN_BASES = (
    "object, LinearOperator, BaseException, Exception, Warning, Protocol, BaseEstimator, "
    "ClassifierMixin, RegressorMixin"
)

# scikit-learn puts these into every estimator.
REQUEST = re.compile(r"set_\w+_request|get_metadata_routing")


def build(package: str, folder: Path) -> None:
    """Write one page per public module and object of ``package`` into ``folder``."""
    pages: dict[str, str] = {}
    _module(importlib.import_module(package), pages)
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        page = folder / f"{name}.rst"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _module(module: ModuleType, pages: dict[str, str]) -> None:
    """The page of a module: its docstring, its submodules and a table of its objects."""
    name = module.__name__
    members = {public: getattr(module, public) for public in sorted(module.__all__)}
    modules = [member for member, value in members.items() if inspect.ismodule(value)]
    objects = [member for member in members if member not in modules]
    parts = [_title(name), f".. automodule:: {name}\n   :no-members:\n"]
    parts += [_directive("autosummary", table) for table in (objects, modules) if table]
    parts.append(_directive("toctree", [f"{name}.{m}" for m in modules + objects], ":hidden:"))
    pages[name] = "\n".join(parts)
    for member, value in members.items():
        if inspect.ismodule(value):
            _module(value, pages)
        else:
            pages[f"{name}.{member}"] = _object(f"{name}.{member}", value)


def _object(name: str, value: Any) -> str:
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        options = ["   :members:"]
        if issubclass(value, Enum):
            options.append("   :undoc-members:")  # its values
        else:
            options.append(f"   :inherited-members: {FOREIGN_BASES}")
    else:
        kind, options = ("autofunction" if callable(value) else "autodata"), []
    lines = [f".. currentmodule:: {name.rpartition('.')[0]}\n", f".. {kind}:: {name}", *options]
    return _title(name.rpartition(".")[2]) + "\n" + "\n".join(lines) + "\n"


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


def _directive(kind: str, entries: list[str], *options: str) -> str:
    body = "".join(f"   {line}".rstrip() + "\n" for line in [*options, "", *entries])
    return f".. {kind}::\n{body}"


def _generate(app: Any) -> None:
    build("sparseopt", Path(app.srcdir) / "api")


def _skip(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out formulas that a class holds, which are kernels, and what scikit-learn adds."""
    return True if hasattr(value, "py_func") or REQUEST.fullmatch(name) else None


def _signature(
    app: Any, what: str, name: str, value: Any, options: Any, signature: str | None, result: Any
) -> tuple[str, Any] | None:
    """Show the parameters of ``__init__`` where a base class hides them behind ``__new__``."""
    if what == "class" and (signature or "").startswith("(*args"):
        if getattr(value, "_is_protocol", False):
            return "", result
        parameters = list(inspect.signature(value.__init__).parameters.values())[1:]
        bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
        return re.sub(r"<class '(.*?)'>", r"\1", str(inspect.Signature(bare))), result
    return None


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", _generate)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _signature, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
