"""Greedy colouring of a graph: blocks without an edge inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ._graph import Array, as_graph, blocks_of, scan_order


def colour_partition(Q: Any, *, order: Any = "lipschitz") -> list[Array]:
    """Split the nodes into blocks without an edge inside (red-black, on a lattice).

    Nodes are scanned in the given order; each takes the least used of the colours that none of its
    neighbours has, or a new one if there is none. The block of ``Q`` of a colour is diagonal.

    Parameters
    ----------
    Q : sparse array or array_like, shape (n, n)
        Symmetric; its non-zeros off the diagonal are the edges.
    order : {"lipschitz", "natural"} or array_like of int, shape (n,)
        By decreasing diagonal entry, by index, or a permutation of the nodes.

    Returns
    -------
    list of ndarray of int
        The sorted nodes of each colour: disjoint, and together all nodes.

    Raises
    ------
    ValueError, TypeError
        If ``Q`` is not symmetric or ``order`` not a permutation.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt.datasets import lattice_graph
    >>> from sparseopt.solvers import colour_partition
    >>> colour_partition(lattice_graph(2, 3))
    [array([0, 2, 4]), array([1, 3, 5])]
    """
    graph = as_graph(Q)
    labels = np.full(graph.n, -1, np.intp)
    count = _colour(graph.indptr, graph.indices, scan_order(order, graph), labels)
    return blocks_of(labels, count)


@jit
def _colour(indptr, indices, order, labels):  # type: ignore[no-untyped-def]
    """Label every node with its colour; return the number of colours.

    ``line`` holds the colours by increasing use: a node looks along it past the colours of its
    neighbours only. A colour used once more changes places with the last of those used as often.
    """
    n = order.size
    line = np.empty(n, np.intp)
    used = np.zeros(n, np.intp)
    barred = np.full(n, -1, np.intp)  # the last node that could not take this colour
    count = 0
    for node in order:
        for e in range(indptr[node], indptr[node + 1]):
            colour = labels[indices[e]]
            if colour >= 0:
                barred[colour] = node
        at = 0
        while at < count and barred[line[at]] == node:
            at += 1
        if at == count:  # a new colour, unused so far, stands first
            for i in range(count, 0, -1):
                line[i] = line[i - 1]
            line[0], at = count, 0
            count += 1
        colour = line[at]
        labels[node] = colour
        low, high = at, count  # the last place of a colour used as often
        while high - low > 1:
            middle = (low + high) // 2
            if used[line[middle]] > used[colour]:
                high = middle
            else:
                low = middle
        line[at], line[low] = line[low], colour
        used[colour] += 1
    return count
