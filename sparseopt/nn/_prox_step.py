"""A proximal operator after every optimiser step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._core import on_host, to_host, to_native
from .._core._validate import positive
from ..penalties import Penalty, RadialLift
from ..penalties._calculus import penalty_like
from ..prox._groups import factors
from ._torch import torch_module
from ._views import make_view


class ProxStep:
    r"""Apply a penalty's proximal operator after each step of an optimiser.

    .. math:: w \leftarrow \operatorname{prox}_{\text{lr} \cdot f}(w)

    in place and outside autograd, with ``lr`` read from the parameter group at that step. After
    plain gradient descent this is the proximal gradient method; weights become exactly zero. With
    adaptive optimisers the metric stays Euclidean. Leave the optimiser's own weight decay off
    where the penalty already shrinks.

    The operators are those of `sparseopt.penalties`: parameters on the CPU are seen by NumPy
    without a copy; on other devices groups are reduced to their norms, these are decided on the
    host, and the groups are scaled where they live. Half-precision parameters are decided in
    single precision.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any; its ``step`` will run the operator from now on, until `detach`.
    penalty : penalty, or list with one penalty or None for each parameter group
        Any object with ``value`` and ``prox``. Under a grouped view it gets the vector of the
        norms of all groups, so that `L1` is the group lasso there, `MCP` the group MCP and
        `KSparse` allows k groups; parameters per coordinate are then per group.
    params : iterable, optional
        What to penalise: parameters, or tuples of parameters that go to zero together under the
        views below, such as the weight and the bias of a layer. By default every parameter with
        at least two dimensions that requires a gradient.
    view : {"element", "filter", "channel", "kernel"} or callable
        What a coordinate of the penalty is: an entry of the flattened parameter; an index along
        dimension 0 (a row of a ``Linear``, a filter of a convolution), dimension 1 (a column, an
        input channel) or both (a k x k kernel); or a group of entries, if ``view(parameter)``
        returns an integer label for each entry.
    joint : bool
        Whether all ``params`` together form one vector, as for "k groups in the whole network",
        instead of a vector each. They must then share a learning rate.
    clear_buffers : bool or tuple of str
        Set the optimiser's buffers (momentum, ``exp_avg``, ``exp_avg_sq``, ...) of zeroed weights
        to zero, so that no old momentum revives them; or only the buffers with these names.
        (A cleared ``exp_avg_sq`` makes the first step of a reviving weight a long one.)

    Attributes
    ----------
    strength : float
        A factor on the penalty, 1 at first; assign to it for a schedule.
    steps : int
        How often the operator has been applied.
    sizes : list of int
        Number of coordinates of each entry of ``params``.

    Raises
    ------
    ValueError
        If a parameter is not the optimiser's or comes twice, does not fit the view or the
        penalty, or a grouped view meets a penalty that depends on signs.
    TypeError
        If the optimiser, a parameter or a penalty is none.
    ImportError
        Without PyTorch.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms. Found. Trends Optim. 1(3).
    Y. Refael, I. Arbel, W. Huleihel (2022). Learning k-level structured sparse neural networks
    using group envelope regularization. arXiv 2212.12921.

    Examples
    --------
    >>> import torch
    >>> from sparseopt import nn, penalties
    >>> layer = torch.nn.Linear(20, 8)
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    >>> prox = nn.ProxStep(
    ...     optimizer, penalties.L1(2.0), params=[(layer.weight, layer.bias)], view="filter"
    ... )
    >>> for _ in range(50):
    ...     optimizer.zero_grad()
    ...     layer(torch.ones(1, 20))[0, :2].sub(3).square().sum().backward()
    ...     optimizer.step()
    >>> prox.nonzeros()
    [2]
    """

    def __init__(
        self,
        optimizer: Any,
        penalty: Any,
        *,
        params: Iterable[Any] | None = None,
        view: Any = "element",
        joint: bool = False,
        clear_buffers: Any = True,
    ) -> None:
        torch = torch_module()
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(
                f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        if isinstance(clear_buffers, str) or not isinstance(clear_buffers, bool | tuple | list):
            raise TypeError(
                f"clear_buffers must be a bool or a tuple of names, got {clear_buffers!r}"
            )
        self.clear_buffers: Any = clear_buffers
        self.steps = 0
        self._strength = 1.0
        self._penalties = _per_group(penalty, len(optimizer.param_groups))
        self._handle: Any = None
        self._blocks = self._make_blocks(params, view, joint)
        self.sizes = [view.size for block in self._blocks for view in block.views]
        for block in self._blocks:
            _try(self._penalties[block.groups[0]], block.views)
        self.attach()

    def __repr__(self) -> str:
        shown = {repr(f) for f in self._penalties if f is not None}
        return f"<ProxStep of {', '.join(sorted(shown))} on {self.sizes} coordinates>"

    @property
    def strength(self) -> float:
        """A factor on the penalty."""
        return self._strength

    @strength.setter
    def strength(self, value: float) -> None:
        self._strength = positive("strength", value)

    def attach(self) -> None:
        """Run after every ``optimizer.step()``; the constructor has done so."""
        if self._handle is None:
            self._handle = self.optimizer.register_step_post_hook(lambda *_: self.step())

    def detach(self) -> None:
        """Run no more, except by `step`."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def step(self) -> None:
        """Apply the operator once; where the learning rate is 0, do nothing."""
        for block in self._blocks:
            rates = {float(self.optimizer.param_groups[i]["lr"]) for i in block.groups}
            if len(rates) > 1:
                raise ValueError(f"joint params must share a learning rate, got {sorted(rates)}")
            rate = rates.pop()
            if rate > 0:
                self._run(self._penalties[block.groups[0]], block.views, rate * self._strength)
        self.steps += 1

    def project(self, penalty: Any) -> int:
        """Apply the prox of another penalty once, with step 1, such as a hard constraint.

        Parameters
        ----------
        penalty : penalty
            For example ``penalties.KSparse(k)``, which leaves k coordinates (groups, under a
            grouped view) of each entry of ``params``, or of all together if ``joint``.

        Returns
        -------
        int
            How many coordinates it set to zero.
        """
        penalty = penalty_like("penalty", penalty)
        before = sum(self.nonzeros())
        for block in self._blocks:
            self._run(penalty, block.views, 1.0)
        return before - sum(self.nonzeros())

    def nonzeros(self) -> list[int]:
        """Number of nonzero coordinates of each entry of ``params``."""
        views = [view for block in self._blocks for view in block.views]
        with torch_module().no_grad():
            return [int((view.reduce() != 0).sum()) for view in views]

    def state_dict(self) -> dict[str, Any]:
        """What changes while training: ``strength`` and ``steps``."""
        return {"strength": self._strength, "steps": self.steps, "sizes": list(self.sizes)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a `state_dict`.

        Raises
        ------
        ValueError
            If it belongs to other parameters or another view.
        """
        missing = {"strength", "steps", "sizes"} - set(state_dict)
        if missing:
            raise ValueError(f"state_dict must hold {sorted(missing)}, got {sorted(state_dict)}")
        if list(state_dict["sizes"]) != self.sizes:
            raise ValueError(
                f"state_dict must be of {self.sizes} coordinates, got {state_dict['sizes']}"
            )
        self.strength = state_dict["strength"]
        self.steps = int(state_dict["steps"])

    def _make_blocks(self, params: Any, view: Any, joint: bool) -> list[_Block]:
        """What is decided together."""
        owner = {
            id(p): index
            for index, group in enumerate(self.optimizer.param_groups)
            for p in group["params"]
        }
        if params is None:
            params = [
                p
                for group, f in zip(self.optimizer.param_groups, self._penalties, strict=True)
                for p in group["params"]
                if f is not None and p.requires_grad and p.ndim >= 2
            ]
        found: list[tuple[int, Any]] = []
        seen: set[int] = set()
        for i, entry in enumerate(params):
            together = tuple(entry) if isinstance(entry, list | tuple) else (entry,)
            index = _owner_of(together, owner, seen, f"params[{i}]")
            if self._penalties[index] is None:
                raise ValueError(f"params[{i}] is in parameter group {index}, which has no penalty")
            found.append((index, make_view(view, together, f"params[{i}]")))
        if not found:
            raise ValueError("params must hold at least one parameter, got none")
        if not joint:
            return [_Block([index], [v]) for index, v in found]
        if len({id(self._penalties[index]) for index, _ in found}) > 1:
            raise ValueError("penalty must be one and the same for joint params")
        return [_Block([index for index, _ in found], [v for _, v in found])]

    def _run(self, penalty: Any, views: list[Any], step: float) -> None:
        """Reduce, decide, apply."""
        torch = torch_module()
        with torch.no_grad():
            parts = [view.reduce() for view in views]
            decided, has_zeros = _decide(penalty, parts, step, views[0].grouped)
            for view, part in zip(views, decided, strict=True):
                view.apply(part)
                if self.clear_buffers and has_zeros:
                    self._clear(view, part)

    def _clear(self, view: Any, decided: Any) -> None:
        """Zero the optimiser's buffers where the weights are zero."""
        masks = None
        for i, p in enumerate(view.parameters):
            for name, buffer in self.optimizer.state.get(p, {}).items():
                if getattr(buffer, "shape", None) != p.shape:
                    continue
                wanted = self.clear_buffers
                if name not in _NO_MOMENTUM if wanted is True else name in wanted:
                    masks = view.alive(decided) if masks is None else masks
                    buffer.mul_(masks[i])  # several times as fast as filling


# Buffers of a parameter's shape that remember no gradient: counters, Rprop's steps, ASGD's average.
_NO_MOMENTUM = frozenset({"step", "step_size", "ax"})


@dataclasses.dataclass
class _Block:
    """Views that form one vector, and the parameter group of each."""

    groups: list[int]
    views: list[Any]


def _try(penalty: Any, views: list[Any]) -> None:
    """Let the penalty see these parameters once, to find out whether it can."""
    with torch_module().no_grad():
        old = [view.reduce().clone() for view in views]
        try:
            if views[0].grouped:
                RadialLift(penalty).value(np.zeros(sum(view.size for view in views)))
            _decide(penalty, old, 1.0, views[0].grouped)
        except (ValueError, TypeError, IndexError) as error:
            shapes = [tuple(p.shape) for view in views for p in view.parameters]
            raise type(error)(
                f"penalty {penalty!r} does not fit params of shapes {shapes}: {error}"
            ) from error


def _decide(penalty: Any, parts: list[Any], step: float, grouped: bool) -> tuple[list[Any], bool]:
    """The prox of the numbers of some views, as one vector; for norms, the factors to reach it.

    Norms are decided on the host, wherever they come from. Also says whether anything is zero.
    """
    torch = torch_module()
    if grouped:
        hosts = [part.cpu().numpy() for part in parts]
        norms = hosts[0] if len(hosts) == 1 else np.concatenate(hosts)
        kept = np.asarray(penalty.prox(norms, step), norms.dtype)
        scale = np.empty_like(norms)
        has_zeros = factors(kept, norms, scale)
        pieces, start = [], 0
        for part, host in zip(parts, hosts, strict=True):
            piece = torch.from_numpy(scale[start : start + host.size])
            pieces.append(piece.to(part.device))
            start += host.size
        return pieces, has_zeros
    vector = parts[0]
    if len(parts) > 1:
        vector = torch.cat([part.to(vector.device, vector.dtype) for part in parts])
    if on_host(vector) or not isinstance(penalty, Penalty):
        new = to_native(to_host(penalty.prox(to_host(vector), step)), vector).to(vector.dtype)
    else:
        new = penalty.prox(vector, step)
    split = new.split([part.numel() for part in parts])
    return [s.to(part.device) for s, part in zip(split, parts, strict=True)], not bool(new.all())


def _per_group(penalty: Any, count: int) -> list[Any]:
    """One penalty or None for each parameter group."""
    if not isinstance(penalty, list | tuple):
        return [penalty_like("penalty", penalty)] * count
    if len(penalty) != count:
        raise ValueError(
            f"penalty must be one, or a list of one for each of {count} parameter groups, "
            f"got {len(penalty)}"
        )
    return [
        None if f is None else penalty_like(f"penalty[{index}]", f)
        for index, f in enumerate(penalty)
    ]


def _owner_of(parameters: tuple[Any, ...], owner: dict[int, int], seen: set[int], name: str) -> int:
    """The one parameter group that these parameters belong to."""
    torch = torch_module()
    for p in parameters:
        if not isinstance(p, torch.Tensor):
            raise TypeError(
                f"{name} must be a parameter or a tuple of some, got {type(p).__name__}"
            )
        if id(p) not in owner:
            raise ValueError(f"{name} of shape {tuple(p.shape)} is not a parameter of optimizer")
        if id(p) in seen:
            raise ValueError(f"{name} of shape {tuple(p.shape)} comes twice in params")
        seen.add(id(p))
    indices = {owner[id(p)] for p in parameters}
    if len(indices) != 1:
        raise ValueError(f"{name} must be parameters of one parameter group, got {sorted(indices)}")
    return indices.pop()
