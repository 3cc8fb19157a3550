"""Connected blocks of a given size, grown by breadth-first search."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from .._core._validate import integer
from ._graph import Array, as_graph, blocks_of, scan_order


def connected_partition(
    Q: Any, block_size: int, *, tree: bool = False, order: Any = "natural"
) -> list[Array]:
    """Split the nodes into connected blocks of at most a given size.

    Each block starts at the first node that is left and grows by breadth-first search through the
    nodes that are left, until it is full or shut in; what is shut in makes a smaller block.

    Parameters
    ----------
    Q : sparse array or array_like, shape (n, n)
        Symmetric; its non-zeros off the diagonal are the edges.
    block_size : int
        Largest size of a block.
    tree : bool
        Whether every block must be a tree: a node with two neighbours in the block is passed over.
    order : {"natural", "lipschitz"} or array_like of int, shape (n,)
        Where blocks start: by index, by decreasing diagonal entry, or by a permutation.

    Returns
    -------
    list of ndarray of int
        The sorted nodes of each block: disjoint, and together all nodes.

    Raises
    ------
    ValueError, TypeError
        If ``Q`` is not symmetric, ``block_size`` not a positive integer or ``order`` not a
        permutation.

    Examples
    --------
    >>> from sparseopt.datasets import lattice_graph
    >>> from sparseopt.solvers import connected_partition
    >>> connected_partition(lattice_graph(2, 3), 4)
    [array([0, 1, 2, 3]), array([4, 5])]
    """
    graph = as_graph(Q)
    block_size = integer("block_size", block_size, 1)
    labels = np.full(graph.n, -1, np.intp)
    starts = scan_order(order, graph)
    count = _grow_blocks(graph.indptr, graph.indices, starts, block_size, bool(tree), labels)
    return blocks_of(labels, count)


@jit
def _grow_blocks(indptr, indices, starts, block_size, tree, labels):  # type: ignore[no-untyped-def]
    """Label every node with its block; return the number of blocks."""
    n = starts.size
    queue = np.empty(n, np.intp)
    queued = np.full(n, -1, np.intp)  # the last block that had this node in its queue
    met = np.zeros(n, np.intp)  # how many neighbours of a queued node are in that block
    count = 0
    for start in starts:
        if labels[start] >= 0:
            continue
        queue[0] = start
        queued[start], met[start] = count, 0
        head, filled, size = 0, 1, 0
        while head < filled and size < block_size:
            node = queue[head]
            head += 1
            if tree and met[node] > 1:
                continue
            labels[node] = count
            size += 1
            for e in range(indptr[node], indptr[node + 1]):
                other = indices[e]
                if labels[other] >= 0:
                    continue
                if queued[other] == count:
                    met[other] += 1
                else:
                    queued[other] = count
                    met[other] = 1
                    queue[filled] = other
                    filled += 1
        count += 1
    return count
