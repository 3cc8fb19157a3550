"""Sinkhorn's algorithm in scaling form, with the factors absorbed where they grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Run, iterate
from ._entropic_result import SINKHORN, EntropicState
from ._gibbs import first_kernel, kernel_state
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
    kernel = first_kernel(problem, eps, np.zeros(problem.a.size) if f is None else f, g)

    def step(state: EntropicState) -> EntropicState:
        nonlocal kernel
        done = 0
        while done < min(CHUNK, max_iter - state.nit) and (done == 0 or kernel.error > tol):
            kernel.sweep()
            done += 1
        if kernel.spread() > LARGE or kernel.stale():
            kernel = first_kernel(problem, eps, *kernel.potentials())
        return kernel_state(kernel, SINKHORN, done)

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
