"""Routing of tokens to experts whose combine weights carry the gradient of the affinities."""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import transport
from .._core import to_host, to_native
from ._torch import torch_module


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TokenRouting:
    """Which tokens every expert serves, as tensors on the device of the affinities.

    Attributes
    ----------
    indices : Tensor of int64, shape (m, k)
        The tokens of every expert in increasing order, then -1 for slots that stay free.
    weights : Tensor, shape (m, k)
        The affinities of these pairs, with their gradient; 0 for free slots.
    record : sparseopt.transport.Routing
        The decision on the host: plan, covered tokens, counts.
    """

    indices: Any
    weights: Any
    record: transport.Routing

    def __repr__(self) -> str:
        return f"<TokenRouting of {self.record!r}>"

    def dispatch(self, x: Any) -> Any:
        """The inputs of the experts, shape (m, k, ...), of tokens (n, ...); zero for free slots."""
        self._check("x", x, (self.record.tokens,))
        taken = x[self.indices.clamp(min=0)]
        free = (self.indices < 0).reshape(self.indices.shape + (1,) * (x.ndim - 1))
        return taken.masked_fill(free, 0.0)

    def combine(self, y: Any) -> Any:
        """The weighted sum over a token's experts, shape (n, ...), of their outputs (m, k, ...).

        A token without an expert gets zero: add the result to a residual stream.
        """
        self._check("y", y, tuple(self.indices.shape))
        used = self.indices >= 0
        weights = self.weights[used].to(y.dtype)
        parts = y[used] * weights.reshape(weights.shape + (1,) * (y.ndim - 2))
        out = y.new_zeros((self.record.tokens, *y.shape[2:]))
        return out.index_add(0, self.indices[used], parts)

    def _check(self, name: str, tensor: Any, front: tuple[int, ...]) -> None:
        if tuple(tensor.shape[: len(front)]) != front:
            raise ValueError(
                f"{name} must have a shape that starts with {front}, got {tuple(tensor.shape)}"
            )


def route(affinity: Any, capacity: float = 1.25, **options: Any) -> TokenRouting:
    """Give every expert at most k tokens; the weights carry the gradient of the affinities.

    The decision is `sparseopt.transport.route` on the host: a few passes of optimal transport with
    a limit on the number of tokens. It is not differentiated. What is differentiated are the
    affinities of the chosen pairs, with which the experts' outputs are weighted.

    Parameters
    ----------
    affinity : Tensor, shape (n, m)
        Affinities of tokens to experts, usually the softmax of the router's logits.
    capacity : float
        Capacity factor: an expert has ``ceil(capacity * n / m)`` slots.
    **options
        ``k``, ``method``, ``gamma``, ``max_iter``, ``complete``, ``x0`` of
        `sparseopt.transport.route`.

    Returns
    -------
    TokenRouting
        Indices and weights, with `TokenRouting.dispatch` and `TokenRouting.combine`.

    Raises
    ------
    ValueError
        If the affinities are empty or not finite, or a parameter is out of range.
    TypeError
        If ``affinity`` is no floating-point tensor.

    References
    ----------
    T. Liu, J. Puigcerver, M. Blondel (2023). Sparsity-constrained optimal transport. ICLR,
    arXiv 2209.15466.

    Examples
    --------
    >>> import torch
    >>> from sparseopt import nn
    >>> logits = torch.tensor([[2.0, 0.0], [1.5, 0.0], [1.0, 0.0], [0.5, 0.0]], requires_grad=True)
    >>> routing = nn.route(logits.softmax(1), 1.0)
    >>> routing.indices
    tensor([[0, 1],
            [2, 3]])
    >>> x = torch.ones(4, 3)
    >>> y = routing.combine(routing.dispatch(x))  # two experts that change nothing
    >>> y.sum().backward()
    >>> bool((logits.grad != 0).all())
    True
    """
    torch = torch_module()
    if not isinstance(affinity, torch.Tensor) or not affinity.is_floating_point():
        got = getattr(affinity, "dtype", type(affinity).__name__)
        raise TypeError(f"affinity must be a floating-point tensor, got {got}")
    record = transport.route(to_host(affinity), capacity, **options)
    indices = to_native(record.indices, affinity)
    weights = affinity.T.gather(1, indices.clamp(min=0)).masked_fill(indices < 0, 0.0)
    return TokenRouting(indices, weights, record)
