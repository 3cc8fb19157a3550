"""Compiled kernels of the bipartite Laplacian: transpose, sums, components, conjugate gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core import jit
from ..solvers._graph import find_root, join

Array = np.ndarray[Any, Any]

JACOBI, FACTOR = 0, 1


class Weights(NamedTuple):
    """The matrix W as two products: from the kept side to the eliminated one and back.

    A dense W stays as it is (``flipped`` says that its columns are the kept side) and the other
    arrays are empty; a sparse one is held twice, compressed along either side.
    """

    dense: Array
    is_dense: bool
    flipped: bool
    near_ptr: Array
    near_index: Array
    near_value: Array
    far_ptr: Array
    far_index: Array
    far_value: Array


class Factor(NamedTuple):
    """``L D L'`` of the preconditioner in the order of elimination, see ``eliminate``."""

    ptr: Array
    later: Array
    ratio: Array
    inverse_pivot: Array
    position: Array


@jit
def transpose(ptr, index, value, columns):  # type: ignore[no-untyped-def]
    """Compress along the columns what is compressed along the rows, by counting."""
    count = np.zeros(columns + 1, np.int64)
    for e in range(index.size):
        count[index[e] + 1] += 1
    for j in range(columns):
        count[j + 1] += count[j]
    fill = count.copy()
    rows = np.empty(index.size, np.int32)
    out = np.empty(index.size)
    for i in range(ptr.size - 1):
        for e in range(ptr[i], ptr[i + 1]):
            slot = fill[index[e]]
            rows[slot] = i
            out[slot] = value[e]
            fill[index[e]] = slot + 1
    return count, rows, out


@jit
def compress(dense):  # type: ignore[no-untyped-def]
    """The positive entries of a dense matrix, row by row."""
    n, m = dense.shape
    total = 0
    for i in range(n):
        for j in range(m):
            total += dense[i, j] > 0.0
    ptr = np.zeros(n + 1, np.int64)
    index = np.empty(total, np.int32)
    value = np.empty(total)
    slot = 0
    for i in range(n):
        for j in range(m):
            if dense[i, j] > 0.0:
                index[slot] = j
                value[slot] = dense[i, j]
                slot += 1
        ptr[i + 1] = slot
    return ptr, index, value


@jit
def sums(ptr, value):  # type: ignore[no-untyped-def]
    """Sum of every compressed row."""
    out = np.zeros(ptr.size - 1)
    for i in range(out.size):
        for e in range(ptr[i], ptr[i + 1]):
            out[i] += value[e]
    return out


@jit
def reduced_diagonal(weights, near, far, far_excess):  # type: ignore[no-untyped-def]
    """Diagonal of ``diag(near) - W diag(1/far) W'`` without cancellation for a sparse W.

    It is the excess of the row plus ``sum_j W_ij (far_j - W_ij) / far_j``; where ``W_ij`` is the
    largest entry of its column, the difference is summed from the other entries instead.
    """
    out = np.zeros(near.size)
    ptr, index, value = weights.far_ptr, weights.far_index, weights.far_value
    for j in range(far.size):
        if far[j] == 0.0:
            continue
        top = -1
        for e in range(ptr[j], ptr[j + 1]):
            if top < 0 or value[e] > value[top]:
                top = e
        rest = far_excess[j]
        for e in range(ptr[j], ptr[j + 1]):
            if e != top:
                rest += value[e]
                out[index[e]] += value[e] * ((far[j] - value[e]) / far[j])
        if top >= 0:
            out[index[top]] += value[top] * (rest / far[j])
    return out


@jit
def label_components(ptr, index, value, near, far, weak):  # type: ignore[no-untyped-def]
    """Component of every node, near side first, along the edges that matter to one of their ends.

    Labels are representatives: nodes, not consecutive numbers.
    """
    n = near.size
    above = np.arange(n + far.size)
    size = np.ones(n + far.size, np.int64)
    for i in range(n):
        root = find_root(above, i)
        for e in range(ptr[i], ptr[i + 1]):
            j = index[e]
            if value[e] > weak * min(near[i], far[j]):
                other = find_root(above, n + j)
                if other != root:
                    root = join(above, size, root, other)
    for k in range(above.size):
        above[k] = find_root(above, k)
    return above


@jit
def apply_reduced(weights, near, far_inverse, x, t, y):  # type: ignore[no-untyped-def]
    """``y = near x - W (far_inverse * (W' x))``; ``t`` keeps the middle vector."""
    if weights.is_dense:
        if weights.flipped:
            np.dot(weights.dense, x, t)
        else:
            np.dot(weights.dense.T, x, t)
        for j in range(t.size):
            t[j] *= far_inverse[j]
        if weights.flipped:
            np.dot(weights.dense.T, t, y)
        else:
            np.dot(weights.dense, t, y)
        for i in range(y.size):
            y[i] = near[i] * x[i] - y[i]
        return
    gather(weights.far_ptr, weights.far_index, weights.far_value, x, t)
    for j in range(t.size):
        t[j] *= far_inverse[j]
    gather(weights.near_ptr, weights.near_index, weights.near_value, t, y)
    for i in range(y.size):
        y[i] = near[i] * x[i] - y[i]


@jit
def gather(ptr, index, value, x, out):  # type: ignore[no-untyped-def]
    """Product of a compressed matrix and a vector, in four sums that need not wait in turn."""
    for i in range(out.size):
        e = ptr[i]
        end = ptr[i + 1]
        a = b = c = d = 0.0
        while e + 3 < end:
            a += value[e] * x[index[e]]
            b += value[e + 1] * x[index[e + 1]]
            c += value[e + 2] * x[index[e + 2]]
            d += value[e + 3] * x[index[e + 3]]
            e += 4
        while e < end:
            a += value[e] * x[index[e]]
            e += 1
        out[i] = (a + b) + (c + d)


@jit
def outer_products(weights, far_inverse, out):  # type: ignore[no-untyped-def]
    """Subtract ``W diag(far_inverse) W'`` from ``out``, lower triangle only."""
    ptr, index, value = weights.far_ptr, weights.far_index, weights.far_value
    for j in range(far_inverse.size):
        for a in range(ptr[j], ptr[j + 1]):
            scaled = value[a] * far_inverse[j]
            for b in range(ptr[j], a + 1):
                out[index[a], index[b]] -= scaled * value[b]


@jit
def solve_factor(factor, r, work, z):  # type: ignore[no-untyped-def]
    """Solve with the factor for a right-hand side that is zero on the eliminated side."""
    ptr, index, ratio = factor.ptr, factor.later, factor.ratio
    work[:] = 0.0
    for i in range(r.size):
        work[factor.position[i]] = r[i]
    for k in range(work.size):
        b = work[k]
        if b != 0.0:
            for e in range(ptr[k], ptr[k + 1]):
                work[index[e]] += ratio[e] * b
    for k in range(work.size - 1, -1, -1):
        total = work[k] * factor.inverse_pivot[k]
        for e in range(ptr[k], ptr[k + 1]):
            total += ratio[e] * work[index[e]]
        work[k] = total
    for i in range(r.size):
        z[i] = work[factor.position[i]]


@jit
def _precondition(kind, inverse_diagonal, factor, r, work, z):  # type: ignore[no-untyped-def]
    if kind == JACOBI:
        for i in range(r.size):
            z[i] = inverse_diagonal[i] * r[i]
    else:
        solve_factor(factor, r, work, z)


@jit
def conjugate_gradients(  # type: ignore[no-untyped-def]
    weights, near, far_inverse, kind, inverse_diagonal, factor, r, x, target, max_iter, trial
):
    """Preconditioned CG on the reduced system; ``r`` and ``x`` are advanced in place.

    Stops at a residual norm of ``target``, after ``max_iter`` iterations, when a direction has no
    curvature left above rounding, or if after each ``trial`` iterations the mean rate so far
    foretells more than ``1.5 trial`` to come. Returns the iterations made.
    """
    n = r.size
    z, p, y = np.empty(n), np.zeros(n), np.empty(n)
    t, work = np.empty(far_inverse.size), np.empty(n + far_inverse.size)
    rz_old = first = 1.0
    for it in range(max_iter):
        norm = np.sqrt(np.dot(r, r))
        if not norm > target:
            return it
        if it == 0:
            first = norm
        elif it % trial == 0 and target * (first / norm) ** (1.5 * trial / it) < norm:
            return it
        _precondition(kind, inverse_diagonal, factor, r, work, z)
        rz = np.dot(r, z)
        if not rz > 0.0:
            return it
        beta = rz / rz_old if it > 0 else 0.0
        for i in range(n):
            p[i] = z[i] + beta * p[i]
        apply_reduced(weights, near, far_inverse, p, t, y)
        for i in range(n):
            z[i] = near[i] * p[i]
        curvature = np.dot(p, y)
        if not curvature > 1e-16 * np.dot(p, z):
            return it
        step = rz / curvature
        for i in range(n):
            x[i] += step * p[i]
            r[i] -= step * y[i]
        rz_old = rz
    return max_iter
