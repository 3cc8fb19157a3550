"""Compiled products with some columns of a sparse (or transposed dense) matrix.

``columns`` is ``(data, indices, starts, stops)``: column j holds ``data[k]`` in row ``indices[k]``
for k from ``starts[j]`` to ``stops[j]``.
"""

from __future__ import annotations

import numpy as np

from .._core import jit
from ._active_set import dot


@jit
def column_slopes(columns, chosen, u):  # type: ignore[no-untyped-def]
    """``X' u`` of the chosen columns."""
    data, indices, starts, stops = columns
    g = np.empty(chosen.size)
    for t in range(chosen.size):
        j = chosen[t]
        slope = 0.0
        for k in range(starts[j], stops[j]):
            slope += data[k] * u[indices[k]]
        g[t] = slope
    return g


@jit
def row_products(rows, chosen, u):  # type: ignore[no-untyped-def]
    """``rows[j]' u`` for some of the rows, without a copy of them."""
    g = np.empty(chosen.size)
    for t in range(chosen.size):
        g[t] = dot(rows[chosen[t]], u)
    return g


@jit
def gather_columns(data, indices, indptr, chosen, root):  # type: ignore[no-untyped-def]
    """Some columns side by side, their rows scaled by ``root``, and their moments.

    Returns the columns, the sums of their squares, and their products with ``root``.
    """
    starts = np.empty(chosen.size, np.int64)
    stops = np.empty(chosen.size, np.int64)
    size = 0
    for t in range(chosen.size):
        starts[t] = size
        size += indptr[chosen[t] + 1] - indptr[chosen[t]]
        stops[t] = size
    values = np.empty(size)
    places = np.empty(size, np.int32)
    squares = np.zeros(chosen.size)
    sums = np.zeros(chosen.size)
    for t in range(chosen.size):
        source = indptr[chosen[t]] - starts[t]
        for k in range(starts[t], stops[t]):
            i = indices[source + k]
            v = data[source + k] * root[i]
            values[k] = v
            places[k] = i
            squares[t] += v * v
            sums[t] += v * root[i]
    return (values, places, starts, stops), squares, sums


@jit
def column_gram(columns, chosen, rows):  # type: ignore[no-untyped-def]
    """``X' X`` of the chosen columns of a matrix with so many rows."""
    data, indices, starts, stops = columns
    H = np.empty((chosen.size, chosen.size))
    spread = np.zeros(rows)
    for s in range(chosen.size):
        a = chosen[s]
        for k in range(starts[a], stops[a]):
            spread[indices[k]] = data[k]
        for t in range(s, chosen.size):
            b = chosen[t]
            v = 0.0
            for k in range(starts[b], stops[b]):
                v += spread[indices[k]] * data[k]
            H[s, t] = H[t, s] = v
        for k in range(starts[a], stops[a]):
            spread[indices[k]] = 0.0
    return H


@jit
def add_columns(columns, chosen, x, z):  # type: ignore[no-untyped-def]
    """``z += X x`` for the chosen columns."""
    data, indices, starts, stops = columns
    for t in range(chosen.size):
        if x[t] != 0.0:
            j = chosen[t]
            for k in range(starts[j], stops[j]):
                z[indices[k]] += data[k] * x[t]
