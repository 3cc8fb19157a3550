"""Plans and values of optimal transport as functions that PyTorch can differentiate."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import transport
from .._core import to_host, to_native
from ._torch import torch_module


def transport_plan(
    C: Any,
    a: Any = None,
    b: Any = None,
    *,
    eps: float | None = None,
    gamma: float | None = None,
    k: int | None = None,
    **options: Any,
) -> Any:
    r"""Plan of entropic or quadratic optimal transport, with gradients for costs and masses.

    .. math::
        P = \operatorname{argmin}_{P \ge 0} \langle C, P\rangle + \varepsilon
        \sum_{ij} P_{ij} (\log P_{ij} - 1) \quad \text{or} \quad
        \langle C, P\rangle + \tfrac\gamma2 \|P\|_F^2
        \qquad \text{subject to} \quad P 1 = a,\ P^\top 1 = b

    The forward pass is `sparseopt.transport.entropic`, `sparseopt.transport.quadratic` or, with
    ``k``, `sparseopt.transport.cardinality` on the host; the backward pass is one linear system
    (`sparseopt.transport.plan_vjp`), whatever the number of iterations. The transport cost with
    its gradient is ``(C * plan).sum()``.

    Parameters
    ----------
    C : Tensor, shape (..., n, m)
        Costs. Problems along leading dimensions are solved one after the other.
    a, b : Tensor, shape (..., n) and (..., m), optional
        Masses of equal totals; uniform of total 1 by default. Leading dimensions broadcast against
        those of ``C``. Totals have to stay equal, so the gradients are unique up to a constant:
        that of ``a`` sums to zero, that of ``b`` has the offset. Write masses as a softmax, say.
    eps, gamma : float
        Entropic or quadratic strength, in units of the costs; one of the two.
    k : int, optional
        With ``gamma``, the most entries in a column, in the exact convex relaxation.
    **options
        Controls of the solver: ``tol``, ``max_iter``, ``method``, ...

    Returns
    -------
    Tensor, shape (..., n, m)
        The plan, on the device and in the dtype of ``C``.

    Raises
    ------
    ValueError
        If not exactly one strength is given, shapes do not fit, or the solver refuses its input.
    TypeError
        If an argument is no floating-point tensor.
    RuntimeError
        On differentiating twice.

    Warns
    -----
    ConvergenceWarning
        If a solver did not converge.

    See Also
    --------
    transport_value : The optimal value.
    sparseopt.transport.plan_vjp : The backward pass and its fine print.

    Examples
    --------
    >>> import torch
    >>> from sparseopt import nn
    >>> C = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    >>> P = nn.transport_plan(C, eps=0.5)
    >>> P[0, 0].backward()
    >>> bool(C.grad[0, 0] < 0 < C.grad[0, 1])
    True
    """
    return _apply("plan", (C, a, b), eps, gamma, k, options)


def transport_value(
    C: Any,
    a: Any = None,
    b: Any = None,
    *,
    eps: float | None = None,
    gamma: float | None = None,
    k: int | None = None,
    **options: Any,
) -> Any:
    r"""Optimal value of entropic or quadratic transport, differentiated by the envelope theorem.

    .. math::
        V = \min_P \langle C, P\rangle + R(P), \qquad \frac{\partial V}{\partial C} = P,
        \qquad \frac{\partial V}{\partial a} = f, \qquad \frac{\partial V}{\partial b} = g

    with the regulariser R of `transport_plan`; the number is the dual objective, which the value
    exceeds by at most the duality gap. Parameters, errors and the gauge of the gradients are those
    of `transport_plan`, but for ``mode="hard"``, which is refused: potentials price no support.

    Returns
    -------
    Tensor, shape (...)
        The value, on the device and in the dtype of ``C``.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        As `transport_plan`.

    Warns
    -----
    ConvergenceWarning
        If a solver did not converge.

    See Also
    --------
    transport_plan : The plan.

    Examples
    --------
    >>> import torch
    >>> from sparseopt import nn
    >>> C = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    >>> nn.transport_value(C, eps=0.5).backward()
    >>> bool(torch.allclose(C.grad, nn.transport_plan(C, eps=0.5)))
    True
    """
    return _apply("value", (C, a, b), eps, gamma, k, options)


def _apply(kind: str, tensors: Any, eps: Any, gamma: Any, k: Any, options: dict[str, Any]) -> Any:
    """Check what the solvers cannot see, and run the autograd function."""
    torch = torch_module()
    if (eps is None) == (gamma is None):
        raise ValueError(f"eps or gamma must be given, and not both, got eps={eps}, gamma={gamma}")
    if k is not None and gamma is None:
        raise ValueError(f"k must come with gamma, got k={k} and eps={eps}")
    if options.get("sparse"):
        raise ValueError("sparse must be False: the plan is a dense tensor, got True")
    if kind == "value" and options.get("mode") == "hard":
        raise ValueError("mode must be 'relaxed': potentials price no fixed support, got 'hard'")
    for name, tensor, ndim in zip("Cab", tensors, (2, 1, 1), strict=True):
        if tensor is None and name != "C":
            continue
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            got = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"{name} must be a floating-point tensor, got {got}")
        if tensor.ndim < ndim:
            raise ValueError(
                f"{name} must have at least {ndim} dimension(s), got shape {tuple(tensor.shape)}"
            )
    if not tensors[0].numel():
        raise ValueError(f"C must hold at least one problem, got shape {tuple(tensors[0].shape)}")

    def solve(C: Any, a: Any, b: Any) -> Any:
        if eps is not None:
            return transport.entropic(C, a, b, eps, **options)
        if k is None:
            return transport.quadratic(C, a, b, gamma, **options)
        return transport.cardinality(C, a, b, k=k, gamma=gamma, **options)

    return _function(kind).apply(*tensors, solve)


@functools.cache
def _function(kind: str) -> Any:
    """The autograd function; made on first use, since PyTorch is imported only then."""
    torch = torch_module()
    forward, backward = (
        (_plan_forward, _plan_backward) if kind == "plan" else (_value_forward, _value_backward)
    )
    once = torch.autograd.function.once_differentiable
    return type(
        f"Transport{kind.capitalize()}",
        (torch.autograd.Function,),
        {"forward": staticmethod(forward), "backward": staticmethod(once(backward))},
    )


def _forward(ctx: Any, C: Any, a: Any, b: Any, solve: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Solve every problem of the batch."""
    hosts = [None if t is None else to_host(t) for t in (C, a, b)]
    cores = (2, 1, 1)
    fronts = [h.shape[:-c] for h, c in zip(hosts, cores, strict=True) if h is not None]
    try:
        batch = np.broadcast_shapes(*fronts)
    except ValueError:
        raise ValueError(f"a and b must fit the leading dimensions of C, got {fronts}") from None
    full = [
        None if h is None else np.broadcast_to(h, batch + h.shape[-c:])
        for h, c in zip(hosts, cores, strict=True)
    ]
    results = [
        solve(*(None if h is None else h[index] for h in full)) for index in np.ndindex(batch)
    ]
    ctx.results, ctx.batch = results, batch
    ctx.inputs = [None if t is None else (t.shape, t.dtype) for t in (C, a, b)]
    return batch, results


def _plan_forward(ctx: Any, C: Any, a: Any, b: Any, solve: Any) -> Any:
    batch, results = _forward(ctx, C, a, b, solve)
    plans = np.stack([result.plan for result in results])
    return to_native(plans.reshape(batch + C.shape[-2:]), C).to(C.dtype)


def _plan_backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
    G = to_host(upstream).reshape(-1, *upstream.shape[-2:])
    pairs = zip(ctx.results, G, strict=True)
    return _gradients(ctx, upstream, [transport.plan_vjp(result, g) for result, g in pairs])


def _value_forward(ctx: Any, C: Any, a: Any, b: Any, solve: Any) -> Any:
    batch, results = _forward(ctx, C, a, b, solve)
    values = np.array([result.fun for result in results]).reshape(batch)
    return to_native(values, C).to(C.dtype)


def _value_backward(ctx: Any, upstream: Any) -> tuple[Any, ...]:
    factors = to_host(upstream).reshape(-1)
    gradients = [transport.value_gradient(result) for result in ctx.results]
    scaled = [
        transport.TransportGradient(*(s * part for part in gradient))
        for s, gradient in zip(factors, gradients, strict=True)
    ]
    return _gradients(ctx, upstream, scaled)


def _gradients(ctx: Any, like: Any, gradients: list[Any]) -> tuple[Any, ...]:
    """Stack over the batch, add up over what was broadcast."""
    out: list[Any] = []
    for needed, given, parts in zip(
        ctx.needs_input_grad[:3], ctx.inputs, zip(*gradients, strict=True), strict=True
    ):
        if not needed:
            out.append(None)
            continue
        shape, dtype = given
        stacked = np.stack(parts).reshape(ctx.batch + parts[0].shape)
        out.append(to_native(stacked, like).sum_to_size(shape).to(dtype))
    return (*out, None)
