"""The graph of a symmetric sparse matrix, checked once, and orders in which to scan its nodes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core import jit
from .._core._sparse import index_set, symmetric_csr

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Neighbours of node i: ``indices[indptr[i]:indptr[i + 1]]``, sorted, without i itself."""

    indptr: Array
    indices: Array
    diagonal: Array

    @property
    def n(self) -> int:
        """Number of nodes."""
        return self.indptr.size - 1


def as_graph(Q: Any) -> Graph:
    """The graph of ``Q``: an edge wherever an entry off the diagonal is not zero.

    Raises
    ------
    ValueError
        If ``Q`` is not square, or its pattern not symmetric (the message names an entry).
    TypeError
        If ``Q`` is not real.
    """
    if isinstance(Q, Graph):
        return Q
    Q = symmetric_csr("Q", Q)
    n = Q.shape[0]
    rows = np.repeat(np.arange(n, dtype=Q.indices.dtype), np.diff(Q.indptr))
    edge = (rows != Q.indices) & (Q.data != 0)
    rows, cols = rows[edge], Q.indices[edge]
    from scipy.sparse import csr_array

    pattern = csr_array((np.ones(rows.size, np.int8), (rows, cols)), shape=(n, n))
    flipped = pattern.T.tocsr()
    if not (
        np.array_equal(pattern.indptr, flipped.indptr)
        and np.array_equal(pattern.indices, flipped.indices)
    ):
        one_sided = (pattern - flipped).tocoo()
        i, j = next(
            (int(i), int(j)) for i, j, v in zip(*one_sided.coords, one_sided.data, strict=True) if v
        )
        raise ValueError(f"Q must be symmetric, but only one of Q[{i}, {j}] and Q[{j}, {i}] is 0")
    return Graph(pattern.indptr, pattern.indices, Q.diagonal().astype(np.float64, copy=False))


def scan_order(order: Any, graph: Graph) -> Array:
    """A permutation of the nodes from ``"lipschitz"``, ``"natural"`` or the permutation itself."""
    if isinstance(order, str):
        if order == "lipschitz":
            return np.argsort(-graph.diagonal, kind="stable")
        if order == "natural":
            return np.arange(graph.n)
        raise ValueError(
            f"order must be 'lipschitz', 'natural' or a permutation of the nodes, got {order!r}"
        )
    order = index_set("order", order, graph.n)
    if order.size != graph.n:
        raise ValueError(f"order must hold all {graph.n} nodes, got {order.size}")
    return order


def blocks_of(labels: Array, count: int) -> list[Array]:
    """The sorted members of every label ``0 .. count-1``."""
    members = np.argsort(labels, kind="stable")
    return np.split(members, np.cumsum(np.bincount(labels, minlength=count))[:-1]) if count else []


@jit
def find_root(above, node):  # type: ignore[no-untyped-def]
    """The representative of a node's set in a union-find forest, halving the path on the way."""
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node


@jit
def join(above, size, a, b):  # type: ignore[no-untyped-def]
    """Unite the sets of two representatives, the smaller under the larger; return the new one."""
    if size[a] < size[b]:
        a, b = b, a
    above[b] = a
    size[a] += size[b]
    return a
