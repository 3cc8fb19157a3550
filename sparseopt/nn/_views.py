"""How parameters become the vector that a penalty sees: reduce, and later apply.

A view reduces its parameters, on their own device, to one number per coordinate: the entries
themselves, or the Euclidean norms of groups of entries. What is decided for these numbers it
applies in place: new entries, or a factor for each group. Both want ``torch.no_grad()`` around.
"""

from __future__ import annotations

import math
from typing import Any

from .._core import Groups, as_groups, is_numpy, on_host, to_host, to_native
from .._core._validate import choice
from ..prox._groups import apply_scale, group_norms
from ._torch import torch_module

DIMENSIONS = {"filter": (0,), "channel": (1,), "kernel": (0, 1)}


class Elements:
    """Every entry of one parameter is a coordinate, in C order."""

    grouped = False

    def __init__(self, parameter: Any) -> None:
        self.parameters = (parameter,)
        self.size = parameter.numel()

    def reduce(self) -> Any:
        """The entries; a view where memory allows, in single precision if they are half."""
        return wide(self.parameters[0]).detach().reshape(-1)

    def apply(self, new: Any) -> None:
        """Replace the entries."""
        parameter = self.parameters[0]
        parameter.copy_(new.reshape(parameter.shape))

    def alive(self, new: Any) -> list[Any]:
        """For each parameter, where it is not zero now."""
        return [self.parameters[0] != 0]


class Slices:
    """Every index along some dimensions is a coordinate: the norm of the slices it selects."""

    grouped = True

    def __init__(self, parameters: tuple[Any, ...], dimensions: tuple[int, ...]) -> None:
        self.parameters = parameters
        shapes = [tuple(p.shape[d] for d in dimensions) for p in parameters]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                f"params that go to zero together must have equal sizes along dimension(s) "
                f"{dimensions}, got shapes {[tuple(p.shape) for p in parameters]}"
            )
        self.size = math.prod(shapes[0])
        self._others = [tuple(d for d in range(p.ndim) if d not in dimensions) for p in parameters]
        self._beside = [
            tuple(p.shape[d] if d in dimensions else 1 for d in range(p.ndim)) for p in parameters
        ]
        self._dtype = wide(parameters[0].detach()[:0]).dtype

    def reduce(self) -> Any:
        """The norms."""
        torch = torch_module()
        total: Any = None
        for p, others in zip(self.parameters, self._others, strict=True):
            if others:
                norm = torch.linalg.vector_norm(p, dim=others, dtype=self._dtype)
            else:
                norm = p.abs().to(self._dtype)
            total = norm if total is None else torch.hypot(total, norm.to(total.device))
        return total.reshape(-1)

    def apply(self, scale: Any) -> None:
        """Multiply every slice by its number."""
        for p, factor in zip(self.parameters, self._spread(scale), strict=True):
            p.mul_(factor)

    def alive(self, scale: Any) -> list[Any]:
        """For each parameter, what broadcasts to where it is not zero now."""
        return self._spread(scale != 0)

    def _spread(self, values: Any) -> list[Any]:
        """For each parameter, a number per coordinate in a shape that broadcasts to its own."""
        spread = []
        for p, shape in zip(self.parameters, self._beside, strict=True):
            near = values.to(p.device)
            spread.append(near if len(shape) == 1 else near.reshape(shape))
        return spread


class Labelled:
    """Every label of a partition of the entries is a coordinate: the norm of its entries."""

    grouped = True

    def __init__(self, parameter: Any, groups: Groups) -> None:
        self.parameters = (parameter,)
        self.groups = groups
        self.size = groups.count

    def reduce(self) -> Any:
        """The norms."""
        flat = wide(self.parameters[0]).detach().reshape(-1)
        norms = group_norms(to_host(flat) if on_host(flat) else flat, self.groups)[:, 0]
        return to_native(norms, flat).to(flat.dtype) if is_numpy(norms) else norms

    def apply(self, scale: Any) -> None:
        """Multiply every group by its number."""
        parameter = self.parameters[0]
        flat = wide(parameter).detach().reshape(-1)
        changed = apply_scale(flat, scale.to(flat)[:, None], self.groups)
        parameter.copy_(changed.reshape(parameter.shape))

    def alive(self, scale: Any) -> list[Any]:
        """Where the parameter is not zero now."""
        return [self.parameters[0] != 0]


def make_view(view: Any, parameters: tuple[Any, ...], name: str) -> Any:
    """The view called ``view``, or the one whose labels ``view(parameter)`` returns."""
    for p in parameters:
        if not p.dtype.is_floating_point:
            raise TypeError(f"{name} must be real floating-point, got dtype {p.dtype}")
    if not callable(view):
        choice("view", view, ["element", *DIMENSIONS])
    if callable(view) or view == "element":
        if len(parameters) > 1:
            raise ValueError(f"{name} can be coupled under the views {list(DIMENSIONS)} only")
        if not callable(view):
            return Elements(parameters[0])
        labels = to_host(view(parameters[0]))
        if labels.shape != tuple(parameters[0].shape):
            raise ValueError(
                f"view must label every entry of {name}, shape {tuple(parameters[0].shape)}, "
                f"got labels of shape {labels.shape}"
            )
        return Labelled(parameters[0], as_groups(labels.reshape(-1)))
    dimensions = DIMENSIONS[view]
    for p in parameters:
        if p.ndim <= max(dimensions):
            raise ValueError(
                f"{name} must have at least {max(dimensions) + 1} dimension(s) for the view "
                f"{view!r}, got shape {tuple(p.shape)}"
            )
    return Slices(parameters, dimensions)


def wide(p: Any) -> Any:
    """A parameter in at least single precision; itself if it is."""
    return p.float() if p.dtype.itemsize < 4 else p
