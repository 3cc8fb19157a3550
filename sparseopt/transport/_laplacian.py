"""Linear systems of a bipartite graph Laplacian: the algebra under every Newton step."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ._bipartite_system import WEAK, BipartiteSystem
from ._forest_preconditioner import forest_factor
from ._laplacian_kernels import FACTOR, JACOBI, Factor, conjugate_gradients

Array = np.ndarray[Any, Any]

FLOOR = 1e-12  # of the reduced diagonal, relative to the full one
DENSITY = 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class BipartiteSolution:
    """Solution of a bipartite system; ``residual`` is relative to the right-hand side."""

    p: Array
    q: Array
    iterations: int
    residual: float
    preconditioner: str


def solve_bipartite(
    W: Any,
    rows: Array,
    cols: Array,
    shift: float,
    u: Array,
    v: Array,
    *,
    rtol: float,
    max_iter: int = 20_000,
    preconditioner: str = "auto",
) -> BipartiteSolution:
    """Solve."""
    system = BipartiteSystem(W, rows, cols, float(shift))
    given = np.concatenate([v, -u] if system.flipped else [u, -v])
    norm = float(np.linalg.norm(given))
    rhs = system.consistent(given)
    k = system.near.size
    scaled = rhs[k:] * system.far_inverse
    reduced = rhs[:k] + system.from_far(scaled)
    reduced[system.near_inverse == 0.0] = 0.0
    x = np.zeros(k)
    r = reduced.copy()
    used = "jacobi" if preconditioner == "auto" else preconditioner
    if used == "cholesky":
        iterations = _direct(system, r, x, rtol * norm)
    else:
        iterations = _iterate(system, r, x, rtol * norm, max_iter, used)
    y, t = system.product(x)
    z = system.centred(np.concatenate([x, t + scaled]))
    p, q = (-z[k:], z[:k]) if system.flipped else (z[:k], -z[k:])
    missed = float(np.hypot(np.linalg.norm(reduced - y), np.linalg.norm(rhs - given)))
    return BipartiteSolution(p, q, iterations, missed / norm if norm > 0.0 else 0.0, used)


def _iterate(
    system: BipartiteSystem, r: Array, x: Array, target: float, max_iter: int, kind: str
) -> int:
    inverse, factor = np.empty(0), NO_FACTOR
    if kind == "forest":
        factor = forest_factor(
            *system.compressed,
            system.near,
            system.far,
            system.excess,
            density=DENSITY,
            weak=WEAK,
        )
    else:
        inverse = 1.0 / np.maximum(system.diagonal, FLOOR * system.near)
        inverse[system.near_inverse == 0.0] = 0.0
    return conjugate_gradients(
        system.weights,
        system.near,
        system.far_inverse,
        FACTOR if kind == "forest" else JACOBI,
        inverse,
        factor,
        r,
        x,
        target,
        max_iter,
    )


def _direct(system: BipartiteSystem, r: Array, x: Array, target: float) -> int:
    """Cholesky."""
    from scipy.linalg import lapack

    S = system.matrix()
    tiny = 1e-15 * system.near.max()
    S[np.diag_indices_from(S)] += np.maximum(1e-14 * system.near, 1e-30 * tiny)
    c, info = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)
    if info:
        raise ValueError(info)
    r0 = r.copy()
    for it in range(10):
        if np.linalg.norm(r) <= target:
            return it
        x += lapack.dpotrs(c, r, lower=0)[0]
        r[:] = r0 - system.product(x)[0]
    return it


NO_FACTOR = Factor(
    np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0, np.int64)
)
