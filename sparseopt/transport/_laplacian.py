"""Linear systems of a bipartite graph Laplacian: the algebra under every Newton step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._bipartite_system import WEAK, BipartiteSystem
from ._forest_preconditioner import forest_factor, largest_share
from ._laplacian_kernels import FACTOR, JACOBI, Factor, conjugate_gradients

Array = np.ndarray[Any, Any]

FLOOR = 1e-12  # of the reduced diagonal, relative to the full one
DENSITY = 1.5  # entries kept beside the forest, per node of the larger side
TREELIKE = 2.0  # with no more entries than this per node the forest is as good as exact
SPARSE = 12.0  # with more entries than this per node, or less than this share of the sum of W
SHARE = 0.8  # in the 2 largest entries per node, the forest says too little
TRIAL = 60  # Jacobi iterations that cost about as much as a forest
PATIENCE = 300  # iterations with the forest before the dense factor takes over
DENSE_LIMIT = 4000  # largest order of a dense factor (128 MB)

_NO_FACTOR = Factor(
    np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0, np.int64)
)


@dataclasses.dataclass(frozen=True, eq=False)
class BipartiteSolution:
    """Both blocks of the unknown, and how they were found.

    ``residual`` is the 2-norm of what the system leaves, relative to that of the right-hand side
    (inconsistent parts included); ``preconditioner`` is the last one used.
    """

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
    r"""Solve a positive semidefinite system whose graph is bipartite.

    .. math::
        \begin{pmatrix} \mathrm{diag}(r) + s I & W \\ W' & \mathrm{diag}(c) + s I \end{pmatrix}
        \begin{pmatrix} p \\ q \end{pmatrix} = \begin{pmatrix} u \\ v \end{pmatrix},
        \qquad r \ge W 1, \; c \ge W' 1, \; s \ge 0.

    With the sign of q flipped the matrix is the Laplacian of the graph with weights W plus a
    nonnegative diagonal. The larger side is eliminated, and conjugate gradients solve

    .. math:: (D_1 - W D_2^{-1} W')\, p = u - W D_2^{-1} v

    from zero, so that p is a direction of ascent of :math:`u'p` wherever they stop.

    - ``"jacobi"``: preconditioned by the true diagonal of the reduced matrix, summed without
      cancellation. Where the columns of W are nearly concentrated in one entry that diagonal
      spans many orders; flooring it near the full one costs ten times the iterations.
    - ``"forest"``: by a maximum-weight spanning forest and the ``1.5 max(n, m)`` largest entries,
      eliminated exactly. More entries make fewer but far dearer iterations.
    - ``"cholesky"``: by a dense factor of the reduced matrix, as iterative refinement.
    - ``"auto"``: counts the entries of W per node of the larger side. Up to 2, the forest at
      once. Up to 12, 60 Jacobi iterations, which cost about a forest; if the mean rate so far
      then foretells more than 90 to come, the forest from where they end; and so after every
      60. Above 12 (with trials of 120), or if the 2 largest entries per node hold less than 0.8
      of the sum of W, the forest says too little, and Jacobi goes on. The dense factor takes over
      from either after 300 more iterations, if the smaller side has at most 4000 nodes.

    A connected component without excess (``s = 0`` and full sums) is singular. Its part of the
    right-hand side is changed by a multiple of its diagonal (the least change in the norm of
    :math:`D^{-1}`) to be consistent, which the residual tells, and of all solutions the one whose
    D-weighted mean of :math:`(p, -q)` is zero is returned. Edges below 1e-15 of the diagonals of
    both their ends join no components: what they carry is lost in rounding.

    Parameters
    ----------
    W : ndarray, shape (n, m), or CSR array
        Nonnegative.
    rows, cols : ndarray, shapes (n,) and (m,)
        At least the sums of W, but for rounding. A node whose diagonal vanishes is left at 0.
    shift : float
        s.
    u, v : ndarray, shapes (n,) and (m,)
        Right-hand side.
    rtol : float
        The residual to reach, relative to the right-hand side.
    max_iter : int
        Of all iterations together.
    preconditioner : {"auto", "jacobi", "forest", "cholesky"}

    Returns
    -------
    BipartiteSolution
    """
    system = BipartiteSystem(W, rows, cols, float(shift))
    given = np.concatenate([v, -u] if system.flipped else [u, -v])
    scale = float(np.abs(given).max())
    if scale == 0.0:
        return BipartiteSolution(np.zeros(u.size), np.zeros(v.size), 0, 0.0, "none")
    given /= scale
    norm = float(np.linalg.norm(given))
    rhs = system.consistent(given)
    k = system.near.size
    scaled = rhs[k:] * system.far_inverse
    reduced = rhs[:k] + system.from_far(scaled)
    x, r = np.zeros(k), np.where(system.near_inverse > 0.0, reduced, 0.0)
    iterations, used = _solve_reduced(system, r, x, rtol * norm, max_iter, preconditioner)
    y, t = system.product(x)
    missed = given - rhs
    missed[:k] += reduced - y
    missed[k:] += np.where(system.far_inverse > 0.0, 0.0, rhs[k:])
    z = system.centred(np.concatenate([x, t + scaled])) * scale
    p, q = (-z[k:], z[:k]) if system.flipped else (z[:k], -z[k:])
    return BipartiteSolution(p, q, iterations, float(np.linalg.norm(missed)) / norm, used)


def _solve_reduced(
    system: BipartiteSystem, r: Array, x: Array, target: float, max_iter: int, preconditioner: str
) -> tuple[int, str]:
    """Advance ``x`` and its residual ``r`` in place by one preconditioner after another."""
    iterations, used = 0, preconditioner
    for kind, budget, trial in _stages(system, preconditioner, max_iter):
        budget = min(budget, max_iter - iterations)
        if budget <= 0 or (iterations > 0 and np.linalg.norm(r) <= target):
            break
        used = kind
        if kind == "cholesky":
            iterations += _refine(system, r, x, target, budget)
        else:
            iterations += _iterate(system, r, x, target, budget, trial, kind)
    return iterations, used


def _stages(
    system: BipartiteSystem, preconditioner: str, max_iter: int
) -> Iterator[tuple[str, int, int]]:
    """The preconditioners to try in turn, the iterations each may take, and the trial of each."""
    if preconditioner != "auto":
        yield preconditioner, max_iter, max_iter
        return
    larger = system.far.size
    dense = system.near.size <= DENSE_LIMIT
    if system.entries > TREELIKE * larger:
        yield "jacobi", max_iter, TRIAL if system.entries <= SPARSE * larger else 2 * TRIAL
    if (
        system.entries <= SPARSE * larger
        and largest_share(system.compressed[2], 2 * larger) > SHARE
    ):
        yield "forest", PATIENCE if dense else max_iter, max_iter
    else:
        yield "jacobi", PATIENCE if dense else max_iter, max_iter
    if dense:
        yield "cholesky", max_iter, max_iter


def _iterate(
    system: BipartiteSystem,
    r: Array,
    x: Array,
    target: float,
    max_iter: int,
    trial: int,
    kind: str,
) -> int:
    if kind == "forest":
        inverse, code = np.empty(0), FACTOR
        sides = system.near, system.far, system.excess
        factor = forest_factor(*system.compressed, *sides, density=DENSITY, weak=WEAK)
    else:
        inverse, code, factor = np.zeros(r.size), JACOBI, _NO_FACTOR
        d = np.maximum(system.diagonal, FLOOR * system.near)
        np.divide(1.0, d, out=inverse, where=system.near_inverse > 0.0)
    operator = system.weights, system.near, system.far_inverse
    return conjugate_gradients(*operator, code, inverse, factor, r, x, target, max_iter, trial)


def _refine(system: BipartiteSystem, r: Array, x: Array, target: float, max_iter: int) -> int:
    """Iterative refinement with a dense Cholesky factor of the slightly raised reduced matrix."""
    from scipy.linalg import lapack

    S = system.matrix()
    place = np.diag_indices_from(S)
    diagonal = np.where(system.near_inverse > 0.0, S[place], 1.0)
    for raised in (1e-14, 1e-12, 1e-10):
        S[place] = diagonal + raised * system.near
        factor, info = lapack.dpotrf(S.T, lower=0, clean=0)
        if info == 0:
            break
    else:
        return 0
    start = r.copy()
    size = float(np.linalg.norm(r))
    base = x.copy()
    for it in range(max_iter):
        if size <= target:
            return it
        step = lapack.dpotrs(factor, r, lower=0)[0]
        left = start - system.product(x - base + step)[0]
        smaller = float(np.linalg.norm(left))
        if not smaller < size:
            return it
        x += step
        r[:] = left
        stalled, size = smaller > 0.5 * size, smaller
        if stalled:
            return it + 1
    return max_iter
