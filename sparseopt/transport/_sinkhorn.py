"""Sinkhorn's algorithm in scaling form, with the factors absorbed where they grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Run, iterate
from ._entropic_result import DOUBTS, NO_DIGITS, SINKHORN, EntropicState
from ._gibbs import Gibbs, confirmed, first_kernel, kernel_state
from ._problem import Problem

Array = np.ndarray[Any, Any]

CHUNK = 10  # sweeps between two tests
LARGE = 1e100  # ratio of factors beyond which they are absorbed


def solve_sinkhorn(
    problem: Problem,
    eps: float,
    start: tuple[Array | None, Array] | None,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> Run[EntropicState]:
    """Sweep at one strength; the kernel starts with a sweep in the log domain."""
    f, g = (None, np.zeros(problem.b.size)) if start is None else start
    kernel: Gibbs = first_kernel(problem, eps, np.zeros(problem.a.size) if f is None else f, g)
    if kernel.error <= tol:
        kernel = confirmed(kernel, tol)

    doubts = 0

    def step(state: EntropicState) -> EntropicState:
        nonlocal kernel, doubts
        done = 0
        while done < min(CHUNK, max_iter - state.nit) and (done == 0 or kernel.error > tol):
            kernel = kernel.sweep()
            done += 1
        if kernel.spread() > LARGE or kernel.stale():
            kernel = first_kernel(problem, eps, *kernel.potentials())
        if kernel.error <= tol:
            known, kernel = kernel, confirmed(kernel, tol)
            doubts += kernel is not known
        return kernel_state(kernel, SINKHORN, done, stalled=NO_DIGITS if doubts > DOUBTS else "")

    return iterate(
        kernel_state(kernel, SINKHORN, 0),
        step,
        tol=tol,
        max_iter=max_iter,
        certificate="marginal error",
        callback=callback,
        progress=progress,
        label="Sinkhorn",
    )
