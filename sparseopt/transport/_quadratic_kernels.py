"""Compiled loops of quadratic transport over rows of costs and lists of candidates.

A candidate is an entry whose slack f_i + g_j - C_ij is above some negative margin. Slacks are
kept as they were at an anchor, and potentials as the small differences from it: so a plan that
is a hundred million times smaller than the costs still meets its marginals to rounding.
"""

from __future__ import annotations

import numpy as np

from .._core import jit


@jit
def positive_part(v, size, u):  # type: ignore[no-untyped-def]
    """The sum of max(u + v_k, 0) and the number of positive terms, in four lanes."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    c0, c1, c2, c3 = 0, 0, 0, 0
    whole = size - size % 4
    for k in range(0, whole, 4):
        t0, t1, t2, t3 = u + v[k], u + v[k + 1], u + v[k + 2], u + v[k + 3]
        s0 += t0 if t0 > 0.0 else 0.0
        s1 += t1 if t1 > 0.0 else 0.0
        s2 += t2 if t2 > 0.0 else 0.0
        s3 += t3 if t3 > 0.0 else 0.0
        c0 += t0 > 0.0
        c1 += t1 > 0.0
        c2 += t2 > 0.0
        c3 += t3 > 0.0
    for k in range(whole, size):
        t0 = u + v[k]
        s0 += t0 if t0 > 0.0 else 0.0
        c0 += t0 > 0.0
    return (s0 + s1) + (s2 + s3), c0 + c1 + c2 + c3


@jit
def row_root(v, size, target, start):  # type: ignore[no-untyped-def]
    """The u with sum_k max(u + v_k, 0) = target > 0, by Newton's method from any start.

    The sum is convex and increasing in u: one step leads above the root, from there Newton is
    monotone, and it ends when the set of positive terms no longer changes.
    """
    u, last, right, falls = start, -1, False, 0
    while True:
        total, count = positive_part(v, size, u)
        # The sets are nested: where one comes again, u is its root. To the right of the root
        # they shrink, so one that grows has been reached by rounding.
        if count == last or (right and count > last):
            return u
        if count == 0:
            top = v[0]
            for k in range(1, size):
                top = max(top, v[k])
            u = target - top
            falls += 1  # a second time only by rounding; it could go on for ever
            if falls > 2 or not u + top > 0.0:  # the target is lost to rounding
                return u
            last, right = size + 1, True
            continue
        right = last >= 0
        u -= (total - target) / count
        last = count


@jit
def scan(C, start, f, g, target, margin, indptr, cols, slack, first, values, where):  # type: ignore[no-untyped-def]
    """Set f to the row potentials that g asks for, and list the candidates, for rows of C.

    Row i of C is row ``start + i`` of the problem. Ends early, with the row reached, where the
    lists are full.
    """
    n, m = C.shape
    for i in range(first, n):
        row = start + i
        level = f[row]
        while True:
            # Every entry that can be active or a candidate for a root up to level + margin.
            bound = -(level + 2.0 * margin)
            size = 0
            for j in range(m):
                v = g[j] - C[i, j]
                values[size] = v
                where[size] = j
                size += v >= bound  # the largest passes whatever is lost to rounding
            if size == 0:
                top = g[0] - C[i, 0]
                for j in range(1, m):
                    top = max(top, g[j] - C[i, j])
                level = target[row] - top
                if abs(level) < np.inf:
                    continue
                u = level  # no number: nothing is listed
                break
            u = row_root(values, size, target[row], level)
            if u <= level + margin:
                break
            level = u
        fill = indptr[row]
        if fill + size > cols.size:
            return i
        f[row] = u
        for k in range(size):
            s = u + values[k]
            if s > -margin:
                cols[fill] = where[k]
                slack[fill] = s
                fill += 1
        indptr[row + 1] = fill
    return n


@jit
def by_columns(indptr, cols, slack, starts, rows, slack_by_column):  # type: ignore[no-untyped-def]
    """The lists sorted by column: where columns start, rows and slacks."""
    m = starts.size - 1
    starts[:] = 0
    for k in range(cols.size):
        starts[cols[k] + 1] += 1
    for j in range(m):
        starts[j + 1] += starts[j]
    place = starts[:m].copy()
    for i in range(indptr.size - 1):
        for k in range(indptr[i], indptr[i + 1]):
            q = place[cols[k]]
            rows[q] = i
            slack_by_column[q] = slack[k]
            place[cols[k]] = q + 1


@jit
def fit_columns(starts, rows, slack, df, dg, target, values):  # type: ignore[no-untyped-def]
    """Set dg to the column potentials that df asks for, on the candidates by column."""
    for j in range(dg.size):
        begin = starts[j]
        size = starts[j + 1] - begin
        for k in range(size):
            values[k] = slack[begin + k] + df[rows[begin + k]]
        if size > 0:
            dg[j] = row_root(values, size, target[j], dg[j])


@jit
def fit_rows(indptr, cols, slack, df, dg, target, x, active, ptr, count, sums, values):  # type: ignore[no-untyped-def]
    """Set df to the row potentials that dg asks for, and list the plan, on the candidates.

    Fills the slacks x of the active entries, their columns and the pointers of their rows, and
    numbers and sums by column. Returns the sum of squares of the slacks, and the L1 error that
    rounding leaves in the row sums.
    """
    count[:] = 0
    sums[:] = 0.0
    square, error, fill = 0.0, 0.0, 0
    ptr[0] = 0
    for i in range(target.size):
        begin = indptr[i]
        size = indptr[i + 1] - begin
        for k in range(size):
            values[k] = slack[begin + k] + dg[cols[begin + k]]
        u = row_root(values, size, target[i], df[i])
        df[i] = u
        total = 0.0
        for k in range(size):
            t = u + values[k]
            if t > 0.0:
                j = cols[begin + k]
                x[fill] = t
                active[fill] = j
                fill += 1
                count[j] += 1
                sums[j] += t
                square += t * t
                total += t
        error += abs(total - target[i])
        ptr[i + 1] = fill
    return square, error


@jit
def newton_direction(ptr, active, count, shift, rhs, rtol, max_iter, d):  # type: ignore[no-untyped-def]
    """Conjugate gradients on the Laplacian of the active entries with its rows eliminated.

    The matrix is diag(count) - S' diag(1 / r) S + shift I for the 0/1 matrix S of the active
    entries and its row sums r, preconditioned by its diagonal. Returns the iterations.
    """
    n, m = ptr.size - 1, count.size
    scale = np.empty(m)
    for j in range(m):
        scale[j] = count[j] + shift
    for i in range(n):
        for k in range(ptr[i], ptr[i + 1]):
            scale[active[k]] -= 1.0 / (ptr[i + 1] - ptr[i])
    norm, rz = 0.0, 0.0
    res, p, q = rhs.copy(), np.empty(m), np.empty(m)
    for j in range(m):
        d[j] = 0.0
        scale[j] = 1.0 / max(scale[j], 1e-3 * count[j] + shift)
        p[j] = scale[j] * res[j]
        rz += res[j] * p[j]
        norm += res[j] * res[j]
    goal = rtol * rtol * norm
    for it in range(max_iter):
        for j in range(m):
            q[j] = (count[j] + shift) * p[j]
        for i in range(n):
            begin, end = ptr[i], ptr[i + 1]
            mean = 0.0
            for k in range(begin, end):
                mean += p[active[k]]
            mean /= max(end - begin, 1)
            for k in range(begin, end):
                q[active[k]] -= mean
        curvature = 0.0
        for j in range(m):
            curvature += p[j] * q[j]
        if not curvature > 0.0 or not rz > 0.0:  # squares of tiny numbers vanish
            return it
        alpha, old = rz / curvature, rz
        norm, rz = 0.0, 0.0
        for j in range(m):
            d[j] += alpha * p[j]
            res[j] -= alpha * q[j]
            norm += res[j] * res[j]
            rz += scale[j] * res[j] * res[j]
        if norm <= goal:
            return it + 1
        for j in range(m):
            p[j] = scale[j] * res[j] + rz / old * p[j]
    return max_iter
