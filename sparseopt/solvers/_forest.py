"""Linear systems whose graph is a forest: elimination from the leaves to the roots."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core import jit
from .._core._sparse import index_set, symmetric_csr
from .._core._validate import finite_array

Array = np.ndarray[Any, Any]

OUTSIDE, UNSEEN = -2, -1  # what stands in for the rank of a node without one


def solve_forest(Q: Any, b: Any, *, block: Any = None) -> Array:
    r"""Solve a symmetric positive definite system whose graph has no cycle, in linear time.

    .. math:: Q_{BB}\, x = b

    The graph joins i and j wherever :math:`Q_{ij} \neq 0`. Every tree is rooted; with c a child
    of p and :math:`w = Q_{pc}`, elimination runs from the leaves to the roots and back:

    .. math::
        Q_{pp} \leftarrow Q_{pp} - w^2 / Q_{cc}, \quad b_p \leftarrow b_p - w\, b_c / Q_{cc},
        \qquad x_c = (b_c - w\, x_p) / Q_{cc}.

    This is Gaussian belief propagation in two sweeps of messages: exact on a forest, with no
    fill-in and no iteration.

    Parameters
    ----------
    Q : sparse array or array_like, shape (n, n)
        Symmetric; positive definite on the block. Stored zeros are no edges.
    b : array_like, shape (s,) or (s, k)
        Right-hand sides, s = n or the size of the block.
    block : array_like of int, shape (s,), optional
        Indices B of the rows and columns to keep, in the order of ``b`` and of the answer; by
        default all. Only the graph among these nodes must be a forest.

    Returns
    -------
    ndarray, of the shape of ``b``
        The solution; float32 if ``Q`` and ``b`` both are, else float64. The arithmetic is done in
        float64.

    Raises
    ------
    ValueError
        If the graph has a cycle (the message names an edge that closes one), if ``Q`` is not
        symmetric or, to working precision, not positive definite (it names a node), if shapes do
        not fit, if ``block`` repeats an index, or if an entry is not finite.
    TypeError
        If ``Q`` or ``b`` is not real or ``block`` does not hold integers.

    References
    ----------
    O. Shental, P. Siegel, J. Wolf, D. Bickson, D. Dolev (2008). Gaussian belief propagation
    solver for systems of linear equations. ISIT.
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from sparseopt.solvers import solve_forest
    >>> Q = csr_array([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]])
    >>> solve_forest(Q, [1.0, 0.0, 1.0])
    array([1., 1., 1.])
    >>> solve_forest(Q, [1.0, 1.0], block=[0, 2])
    array([0.5, 0.5])
    """
    return factor_forest(Q, block).solve(b)


@dataclasses.dataclass(frozen=True, eq=False)
class ForestFactor:
    """The eliminated matrix: nodes are ranked so that every parent comes before its children.

    ``parent`` holds ranks, -1 at a root; ``ratio[c]`` is :math:`Q_{pc} / Q'_{cc}`.
    """

    rank: Array
    parent: Array
    ratio: Array
    pivot: Array
    dtype: np.dtype[Any]

    def solve(self, b: Any) -> Array:
        """Solve for checked right-hand sides of shape (s,) or (s, k)."""
        b = finite_array("b", b, ndim=(1, 2))
        if b.dtype.kind == "c":
            raise TypeError(f"b must be real, got dtype {b.dtype}")
        if b.shape[0] != self.rank.size:
            raise ValueError(f"b must have {self.rank.size} rows, got shape {b.shape}")
        return self.solve_unchecked(b).astype(np.result_type(self.dtype, b.dtype), copy=False)

    def solve_unchecked(self, b: Array) -> Array:
        """Solve in float64 for an array known to be finite and to fit."""
        x = np.empty((self.rank.size, b.size // max(self.rank.size, 1)))
        x[self.rank] = b.reshape(x.shape)
        _substitute(self.parent, self.ratio, self.pivot, x)
        return x[self.rank].reshape(b.shape)


def factor_forest(Q: Any, block: Any = None) -> ForestFactor:
    """Check and eliminate the block of ``Q``, to solve for several right-hand sides in turn."""
    Q = symmetric_csr("Q", Q)
    n = Q.shape[0]
    members = np.arange(n) if block is None else index_set("block", block, n)
    return factor_checked(Q, members)


def factor_checked(Q: Any, members: Array) -> ForestFactor:
    """The same for a canonical CSR array and distinct indices within its range."""
    s = members.size
    rank = np.full(Q.shape[0], OUTSIDE, np.intp)
    rank[members] = UNSEEN
    order, parent = np.empty(s, np.intp), np.empty(s, np.intp)
    weight, pivot = np.zeros(s), np.zeros(s)
    data = Q.data.astype(np.float64, copy=False)
    slack = 1e3 * float(np.finfo(Q.dtype).eps)
    u, v = _root(Q.indptr, Q.indices, data, members, rank, order, parent, weight, pivot, slack)
    if u >= 0:
        raise ValueError(_bad_edge(Q, min(u, v), max(u, v), slack))
    failed = _eliminate(parent, weight, pivot)
    if failed >= 0:
        raise ValueError(
            f"Q must be positive definite, but elimination leaves the pivot {pivot[failed]:.3g} "
            f"at node {order[failed]}, whose diagonal entry is {Q[order[failed], order[failed]]:g}"
        )
    return ForestFactor(rank[members], parent, weight, pivot, Q.dtype)


def _bad_edge(Q: Any, u: int, v: int, slack: float) -> str:
    """What is wrong with an edge at which the search stopped."""
    one, other = float(Q[u, v]), float(Q[v, u])
    if abs(one - other) > slack * np.sqrt(abs(Q[u, u] * Q[v, v])) or (one == 0) != (other == 0):
        return f"Q must be symmetric, got Q[{u}, {v}] = {one:g} and Q[{v}, {u}] = {other:g}"
    return f"the graph of Q must be a forest, but the edge between nodes {u} and {v} closes a cycle"


@jit
def _root(  # type: ignore[no-untyped-def]
    indptr, indices, data, members, rank, order, parent, weight, pivot, slack
):
    """Breadth-first search of every tree: ranks, parents, edge weights and the diagonal.

    Returns the ends of an edge that closes a cycle or is not symmetric, or (-1, -1).
    """
    filled = 0
    head = 0
    for start in members:
        if rank[start] != UNSEEN:
            continue
        rank[start] = filled
        order[filled] = start
        parent[filled] = -1
        filled += 1
        while head < filled:
            node = order[head]
            up = parent[head]
            back = 0.0
            for e in range(indptr[node], indptr[node + 1]):
                other = indices[e]
                if other == node:
                    pivot[head] = data[e]
                elif data[e] == 0.0 or rank[other] == OUTSIDE:
                    continue
                elif rank[other] == UNSEEN:
                    rank[other] = filled
                    order[filled] = other
                    parent[filled] = head
                    weight[filled] = data[e]
                    filled += 1
                elif rank[other] == up:
                    back = data[e]
                else:
                    return node, other
            if up >= 0:
                gap = abs(back - weight[head])
                if back == 0.0 or gap > slack * np.sqrt(abs(pivot[head] * pivot[up])):
                    return node, order[up]
            head += 1
    return -1, -1


@jit
def _eliminate(parent, weight, pivot):  # type: ignore[no-untyped-def]
    """Turn the diagonal into pivots and the weights into ratios, in place, leaves first.

    A pivot must exceed what rounding can have made of it, bounded along the way: the pivots of a
    singular matrix, such as the Laplacian of a tree, end at a rounding error of either sign.
    Returns the rank of a node whose pivot does not, or -1.
    """
    unit = 1.2e-16
    error = 2.0 * unit * np.abs(pivot)
    for c in range(parent.size - 1, -1, -1):
        if not pivot[c] > error[c]:
            return c
        w = weight[c]
        ratio = w / pivot[c]
        weight[c] = ratio
        p = parent[c]
        if p >= 0:
            pivot[p] -= w * ratio
            error[p] += ratio * ratio * error[c] + unit * (2.0 * w * ratio + abs(pivot[p]))
    return -1


@jit
def _substitute(parent, ratio, pivot, x):  # type: ignore[no-untyped-def]
    """Right-hand sides, in the order of the ranks, to solutions in place."""
    n, k = x.shape
    for c in range(n - 1, -1, -1):
        p = parent[c]
        if p >= 0:
            for j in range(k):
                x[p, j] -= ratio[c] * x[c, j]
    for c in range(n):
        p = parent[c]
        for j in range(k):
            value = x[c, j] / pivot[c]
            x[c, j] = value - ratio[c] * x[p, j] if p >= 0 else value
