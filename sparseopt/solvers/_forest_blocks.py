"""Blocks of variables whose graph is a forest, chosen by greedy scans with union-find."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import as_rng, jit
from .._core._sparse import index_set
from .._core._validate import finite_array, integer
from ._graph import Graph, as_graph, blocks_of, find_root, join, scan_order

Array = np.ndarray[Any, Any]


def greedy_forest(Q: Any, scores: Any) -> Array:
    r"""The nodes of an induced forest, taken by decreasing score.

    Nodes are scanned from the highest score (the lower index at ties); a node joins unless two of
    its neighbours that already joined belong to the same tree. The forest is maximal: no further
    node fits.

    Parameters
    ----------
    Q : sparse array or array_like, shape (n, n)
        Symmetric; its non-zeros off the diagonal are the edges.
    scores : array_like, shape (n,)
        For example :math:`|g_i| / \sqrt{Q_{ii}}` with g the gradient of a quadratic.

    Returns
    -------
    ndarray of int
        The chosen nodes, sorted.

    Raises
    ------
    ValueError, TypeError
        If ``Q`` is not symmetric or the scores are not finite or do not fit.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt.datasets import lattice_graph
    >>> from sparseopt.solvers import greedy_forest
    >>> greedy_forest(lattice_graph(2, 2), [1.0, 4.0, 2.0, 3.0])
    array([1, 2, 3])
    """
    graph = as_graph(Q)
    scores = finite_array("scores", scores, ndim=(1,))
    if scores.dtype.kind == "c":
        raise TypeError(f"scores must be real, got dtype {scores.dtype}")
    if scores.size != graph.n:
        raise ValueError(f"scores must have shape ({graph.n},), got {scores.shape}")
    return forest_by_scan(graph, np.argsort(-scores, kind="stable"))


def random_forest(Q: Any, *, rng: Any = None) -> Array:
    """The nodes of a maximal induced forest, taken in random order.

    Parameters
    ----------
    Q : sparse array or array_like, shape (n, n)
        Symmetric; its non-zeros off the diagonal are the edges.
    rng : None, int or numpy.random.Generator
        Source of the order.

    Returns
    -------
    ndarray of int
        The chosen nodes, sorted.

    Raises
    ------
    ValueError, TypeError
        If ``Q`` is not symmetric or ``rng`` is not a source of random numbers.

    See Also
    --------
    greedy_forest : The same by decreasing score.

    Examples
    --------
    >>> from sparseopt.datasets import lattice_graph
    >>> from sparseopt.solvers import random_forest
    >>> random_forest(lattice_graph(2, 2), rng=0)
    array([0, 1, 2])
    """
    graph = as_graph(Q)
    return forest_by_scan(graph, as_rng(rng).permutation(graph.n))


def forest_by_scan(graph: Graph, order: Array) -> Array:
    """The sorted nodes of the forest that a scan in the given order leaves."""
    chosen = np.zeros(graph.n, np.bool_)
    _grow_forest(graph.indptr, graph.indices, order, chosen)
    return np.flatnonzero(chosen)


def forest_partition(Q: Any, *, order: Any = "lipschitz") -> list[Array]:
    """Split the nodes into induced forests, first fit.

    Nodes are scanned in the given order; each goes to the first forest in which it closes no
    cycle, or opens a new one.

    Parameters
    ----------
    Q : sparse array or array_like, shape (n, n)
        Symmetric; its non-zeros off the diagonal are the edges.
    order : {"lipschitz", "natural"} or array_like of int, shape (n,)
        By decreasing diagonal entry, by index, or a permutation of the nodes.

    Returns
    -------
    list of ndarray of int
        The sorted nodes of each forest: disjoint, and together all nodes.

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
    >>> from sparseopt.solvers import forest_partition
    >>> forest_partition(lattice_graph(2, 3))
    [array([0, 1, 2, 3, 5]), array([4])]
    """
    graph = as_graph(Q)
    labels = np.full(graph.n, -1, np.intp)
    count = _first_fit(graph.indptr, graph.indices, scan_order(order, graph), labels)
    return blocks_of(labels, count)


def comb_partition(rows: int, cols: int, *, nodes: Any = None) -> list[Array]:
    """Split a lattice into two trees, interleaved combs, by a closed form.

    One comb has its back along the first column and its teeth along the even rows, the other its
    back along the last column and its teeth along the odd rows. A lattice with a single row or
    column is one tree.

    Parameters
    ----------
    rows, cols : int
        Size of the lattice; node (i, j) has the index ``i * cols + j``.
    nodes : array_like of int, optional
        The nodes that are variables, for example `LabelPropagation.unlabelled`: the blocks are
        then positions in ``nodes``, and the trees may fall apart into forests.

    Returns
    -------
    list of ndarray of int
        The sorted nodes of each comb; a comb without nodes is left out.

    Raises
    ------
    ValueError, TypeError
        If a size is not a positive integer or ``nodes`` are not distinct nodes of the lattice.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt.solvers import comb_partition
    >>> comb_partition(3, 3)
    [array([0, 1, 3, 6, 7]), array([2, 4, 5, 8])]
    """
    rows, cols = integer("rows", rows, 1), integer("cols", cols, 1)
    i, j = np.divmod(np.arange(rows * cols), cols)
    if rows == 1 or cols == 1:
        first = np.ones(rows * cols, np.bool_)
    else:
        first = (j == 0) | ((i % 2 == 0) & (j < cols - 1))
    if nodes is not None:
        first = first[index_set("nodes", nodes, rows * cols)]
    blocks = [np.flatnonzero(first), np.flatnonzero(~first)]
    return [block for block in blocks if block.size]


@jit
def _grow_forest(indptr, indices, order, chosen):  # type: ignore[no-untyped-def]
    """Mark the nodes of the forest that a scan in the given order leaves."""
    n = order.size
    above = np.arange(n)
    size = np.ones(n, np.intp)
    met = np.full(n, -1, np.intp)  # the last node that met the tree with this representative
    for node in order:
        fits = True
        for e in range(indptr[node], indptr[node + 1]):
            if chosen[indices[e]]:
                root = find_root(above, indices[e])
                if met[root] == node:
                    fits = False
                    break
                met[root] = node
        if fits:
            chosen[node] = True
            root = node
            for e in range(indptr[node], indptr[node + 1]):
                if chosen[indices[e]]:
                    root = join(above, size, root, find_root(above, indices[e]))


@jit
def _first_fit(indptr, indices, order, labels):  # type: ignore[no-untyped-def]
    """Label every node with the first forest in which it closes no cycle; return their number.

    Trees of different forests share no node, so one union-find serves all forests. A node rules
    out at most half as many forests as it has neighbours: the search for the first that is left
    costs no more than looking at the neighbours does.
    """
    n = order.size
    above = np.arange(n)
    size = np.ones(n, np.intp)
    met = np.full(n, -1, np.intp)
    closed = np.full(n + 1, -1, np.intp)  # the last node that a forest could not take
    count = 0
    for node in order:
        for e in range(indptr[node], indptr[node + 1]):
            forest = labels[indices[e]]
            if forest >= 0:
                root = find_root(above, indices[e])
                if met[root] == node:
                    closed[forest] = node
                met[root] = node
        forest = 0
        while forest < count and closed[forest] == node:
            forest += 1
        count = max(count, forest + 1)
        labels[node] = forest
        root = node
        for e in range(indptr[node], indptr[node + 1]):
            if labels[indices[e]] == forest:
                root = join(above, size, root, find_root(above, indices[e]))
    return count
