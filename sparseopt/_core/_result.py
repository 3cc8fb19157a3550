"""The record every solver returns."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import zipfile
from enum import IntEnum
from functools import cached_property
from typing import Any, Self

import numpy as np

History = dict[str, np.ndarray[Any, Any]]

_HEADER = "header"


class Status(IntEnum):
    """Why a solver ended."""

    CONVERGED = 0
    MAX_ITER = 1
    STOPPED = 2
    INTERRUPTED = 3
    NON_FINITE = 4
    HELD_OUT = 5
    STALLED = 6

    @property
    def is_success(self) -> bool:
        """Whether the answer is one the caller asked for."""
        return self in (Status.CONVERGED, Status.HELD_OUT)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a solver found, how good it is and how it got there.

    Attributes
    ----------
    x : ndarray
        The answer: the best iterate.
    fun : float
        Objective at ``x`` (summed over a batch).
    success : bool
        Whether the certificate reached ``tol`` (or a held-out criterion ended the run).
    status : Status
        Why the run ended.
    message : str
        The same in words, with the certificate and what ``method="auto"`` chose.
    nit : int
        Iterations done.
    certificate : float
        The quantity that ``tol`` bounds; the largest over a batch.
    method : str
        The algorithm that ran.
    dual : ndarray or None
        The dual point behind a duality gap.
    history : dict of str to ndarray
        ``fun``, ``certificate`` and ``time`` (seconds) after each iteration, from the start point;
        ``nit`` as well if entries are several iterations apart.

    Examples
    --------
    >>> import numpy as np
    >>> import sparseopt as so
    >>> result = so.minimize(so.losses.LeastSquares(np.eye(3), [3.0, 0.5, -2.0]),
    ...                      so.penalties.L1(1.0))
    >>> result.x
    array([ 2.,  0., -1.])
    >>> result.success
    True
    """

    x: Any
    fun: float
    success: bool
    status: Status
    message: str
    nit: int
    certificate: float
    method: str
    dual: Any = None
    history: History = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        kind = type(self).__name__
        shape = getattr(self.x, "shape", ())
        return (
            f"{kind}({self.message!r}, method={self.method!r}, fun={self.fun:.6g}, "
            f"certificate={self.certificate:.3g}, nit={self.nit}, x: shape {shape})"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be computed again."""
        lazy = {
            name
            for cls in type(self).__mro__
            for name, member in vars(cls).items()
            if isinstance(member, cached_property)
        }
        return {name: value for name, value in self.__dict__.items() if name not in lazy}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record to an ``.npz`` file, without pickle.

        Raises
        ------
        TypeError
            If a field is neither an array, a plain value, nor a dict or list of these.
        """
        arrays: Any = {}
        fields = {
            field.name: _pack(field.name, getattr(self, field.name), arrays)
            for field in dataclasses.fields(self)
        }
        header = {"class": f"{type(self).__module__}:{type(self).__qualname__}", "fields": fields}
        with open(path, "wb") as file:
            np.savez_compressed(file, **(arrays | {_HEADER: np.asarray(json.dumps(header))}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a record written by `save`.

        Raises
        ------
        ValueError
            If the file holds no record of this class.
        """
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError(f"path must name a saved {cls.__name__}, got {os.fspath(path)!r}")
        with np.load(path, allow_pickle=False) as stored:
            if _HEADER not in stored:
                raise ValueError(f"path must name a saved {cls.__name__}, got {os.fspath(path)!r}")
            header = json.loads(str(stored[_HEADER]))
            fields = {name: _unpack(spec, stored) for name, spec in header["fields"].items()}
        module, _, name = header["class"].partition(":")
        kind = cls
        if header["class"] != f"{cls.__module__}:{cls.__qualname__}":
            if module.split(".")[0] != __name__.split(".")[0]:
                raise ValueError(f"path must hold a record of sparseopt, got {header['class']!r}")
            kind = getattr(importlib.import_module(module), name)
        if not issubclass(kind, cls):
            raise ValueError(f"path must hold a {cls.__name__}, got a {name}")
        fields["status"] = Status(fields["status"])
        record: Self = kind(**fields)
        return record


def _pack(name: str, value: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        key = f"{len(arrays)}:{name}"
        arrays[key] = value
        return {"array": key}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _pack(f"{name}.{k}", v, arrays) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        items = [_pack(f"{name}.{i}", v, arrays) for i, v in enumerate(value)]
        return {type(value).__name__ if type(value) in (list, tuple) else "list": items}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"field {name!r} of type {type(value).__name__} cannot be saved to npz")


def _unpack(spec: dict[str, Any], stored: Any) -> Any:
    ((kind, content),) = spec.items()
    if kind == "array":
        array = stored[content]
        return array if array.ndim else array[()]
    if kind == "dict":
        return {k: _unpack(v, stored) for k, v in content.items()}
    if kind in ("list", "tuple"):
        items = [_unpack(v, stored) for v in content]
        return items if kind == "list" else tuple(items)
    if kind == "complex":
        return complex(*content)
    return content
