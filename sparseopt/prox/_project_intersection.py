"""Projection onto an intersection of convex sets, by Dykstra's algorithm."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import Result, State, is_numpy, iterate, on_host, to_host, to_native
from ._vectors import as_array


@dataclasses.dataclass(eq=False, kw_only=True)
class _Cycle(State):
    """The corrections that Dykstra's algorithm carries, one for each set."""

    corrections: list[Any]


def project_intersection(
    v: Any,
    projections: Sequence[Any],
    *,
    tol: float = 1e-9,
    max_iter: int = 1000,
    callback: Callable[[Any], object] | None = None,
    progress: bool = False,
    full_output: bool = False,
) -> Any:
    r"""Projection onto an intersection of convex sets, by Dykstra's algorithm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        x \in C_1 \cap \dots \cap C_p

    One iteration projects once onto every set in turn, each time from the point with the set's
    last correction added back. The iterates converge to the projection if the intersection is not
    empty; how fast depends on the angles between the sets.

    The certificate that ``tol`` bounds is the length of all moves of one cycle,
    :math:`(\sum_i \|x_{i} - x_{i-1}\|^2)^{1/2}`, over :math:`\max(\|v\|, \|x\|)`: it bounds the
    distance of the result from each of the sets, and is zero only at the solution (a small change
    of x alone is not, since Dykstra's algorithm can stall). The result is in the last set exactly,
    in the others up to this distance.

    Parameters
    ----------
    v : array_like
        Point.
    projections : sequence of callables or penalties
        Projection of each set, ``p(v) -> x``, or indicator penalties with a ``prox``.
    tol : float
        Tolerance of the certificate, > 0.
    max_iter : int
        Largest number of cycles.
    callback : callable, optional
        Called with the state after each cycle; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.
    full_output : bool
        Return the whole `sparseopt.Result` instead of its ``x``; its ``dual`` holds the
        corrections, which add up to ``v - x``.

    Returns
    -------
    array or Result
        Same shape and dtype as ``v``.

    Warns
    -----
    ConvergenceWarning
        If the budget ended first, for instance because the sets do not meet.

    Raises
    ------
    ValueError
        If there are no projections, or ``v`` is not finite.
    TypeError
        If a member is neither callable nor has a ``prox``.

    References
    ----------
    J. P. Boyle, R. L. Dykstra (1986). A method for finding projections onto the intersection of
    convex sets in Hilbert spaces. E. G. Birgin, M. Raydan (2005). Robust stopping criteria for
    Dykstra's algorithm. SIAM J. Sci. Comput. 26(4).

    Examples
    --------
    >>> from sparseopt import prox
    >>> import numpy as np
    >>> inside = [lambda z: np.maximum(z, 0), lambda z: prox.project_l2_ball(z, 1.0)]
    >>> prox.project_intersection([3.0, -4.0], inside)
    array([1., 0.])
    """
    maps = [_as_map(i, p) for i, p in enumerate(projections)]
    if not maps:
        raise ValueError("projections must name at least one set, got none")
    v = as_array(v)
    if not is_numpy(v) and not on_host(v):
        raise TypeError("v must be a NumPy array or a CPU tensor without gradient")
    point = np.asarray(to_host(v), np.float64 if v.dtype != np.complex64 else np.complex128)
    if not np.isfinite(point).all():
        raise ValueError("v must be finite, got NaN or infinity")
    size = float(np.linalg.norm(point))

    def cycle(state: _Cycle) -> _Cycle:
        x, corrections, moved = state.x, [], 0.0
        for project, correction in zip(maps, state.corrections, strict=True):
            shifted = x + correction
            new = np.asarray(project(shifted))
            corrections.append(shifted - new)
            moved += float(np.linalg.norm(new - x)) ** 2
            x = new
        scale = max(size, float(np.linalg.norm(x)))
        distance = 0.5 * float(np.linalg.norm(x - point)) ** 2
        certificate = math.sqrt(moved) / scale if scale > 0 else 0.0
        return _Cycle(x=x, fun=distance, certificate=certificate, corrections=corrections)

    start = _Cycle(x=point, fun=0.0, corrections=[np.zeros_like(point) for _ in maps])
    run = iterate(
        start,
        cycle,
        tol=tol,
        max_iter=max_iter,
        certificate="relative length of a cycle",
        callback=callback,
        progress=progress,
        label="dykstra",
    )
    fields = run.fields("dykstra")
    fields["x"] = _like(run.state.x, v)
    result = Result(**fields, dual=np.array(run.state.corrections))
    return result if full_output else result.x


def _like(x: Any, v: Any) -> Any:
    """``x`` in the library and precision of ``v``."""
    if is_numpy(v):
        return x.astype(v.dtype)[()]
    return to_native(x.astype(to_host(v).dtype), v)


def _as_map(i: int, p: Any) -> Callable[[Any], Any]:
    if hasattr(p, "prox"):
        return lambda v: p.prox(v, 1.0)
    if callable(p):
        function: Callable[[Any], Any] = p
        return function
    raise TypeError(f"projections[{i}] must be callable or have a prox, got {type(p).__name__}")
