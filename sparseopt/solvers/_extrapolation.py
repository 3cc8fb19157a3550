"""Anderson extrapolation of sweeps: the affine combination whose move would be shortest."""

from __future__ import annotations

import numpy as np

from .._core import jit
from ._active_set import dot


@jit
def anderson(points, companions):  # type: ignore[no-untyped-def]
    """Combine successive points (rows), and what depends affinely on them, by one set of weights.

    The weights c minimise ``||sum_i c_i (points[i + 1] - points[i])||`` with sum 1, up to a ridge
    far below the moves. Returns the combinations of ``points[1:]`` and ``companions[1:]``; of the
    last alone if the weights are not finite.
    """
    k = points.shape[0] - 1
    moves = points[1:] - points[:-1]
    normal = np.empty((k, k))
    trace = 0.0
    for i in range(k):
        for j in range(i + 1):
            normal[i, j] = normal[j, i] = dot(moves[i], moves[j])
        trace += normal[i, i]
    c = np.ones(k)
    for i in range(k):  # elimination without pivoting: the matrix is positive definite
        normal[i, i] += 1e-12 * trace
    for i in range(k):
        for j in range(i + 1, k):
            factor = normal[j, i] / normal[i, i]
            for t in range(i + 1, k):
                normal[j, t] -= factor * normal[i, t]
            c[j] -= factor * c[i]
    for i in range(k - 1, -1, -1):
        for j in range(i + 1, k):
            c[i] -= normal[i, j] * c[j]
        c[i] /= normal[i, i]
    total = c.sum()
    if not np.isfinite(total) or total == 0.0:
        c[:] = 0.0
        c[k - 1] = total = 1.0
    point = np.zeros(points.shape[1])
    companion = np.zeros(companions.shape[1])
    for i in range(k):
        weight = c[i] / total
        for t in range(point.size):
            point[t] += weight * points[i + 1, t]
        for t in range(companion.size):
            companion[t] += weight * companions[i + 1, t]
    return point, companion
