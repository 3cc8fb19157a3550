"""Label propagation: the quadratic that spreads known labels over a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._sparse import index_set, symmetric_csr
from .._core._validate import finite_array

Array = np.ndarray[Any, Any]


def propagation_system(W: Any, labelled: Any, labels: Any) -> tuple[Any, Array, Array, Array]:
    r"""The matrix and the vector of a label propagation, checked.

    Half the sum over edges of :math:`w_{ij} (x_i - x_j)^2`, with the known labels put in, is
    :math:`\tfrac12 x^T Q x - q^T x` plus a constant, over the unlabelled nodes x.

    Returns
    -------
    Q : csr_array, shape (u, u)
        Degrees less weights, restricted to the unlabelled nodes; degrees count all neighbours.
    q : ndarray, shape (u,)
        ``q_i``, the sum of ``w_ij y_j`` over the labelled nodes j.
    unlabelled : ndarray of int, shape (u,)
        The unlabelled nodes, sorted.
    known : ndarray, shape (n,)
        The labels in their places, zero elsewhere.
    """
    from scipy.sparse import csr_array, diags_array

    W = _adjacency(W)
    n = W.shape[0]
    labelled = index_set("labelled", labelled, n)
    labels = finite_array("labels", labels, ndim=(1,))
    if labels.dtype.kind == "c":
        raise TypeError(f"labels must be real, got dtype {labels.dtype}")
    if labels.shape != labelled.shape:
        raise ValueError(f"labels must have shape {labelled.shape}, got {labels.shape}")
    is_known = np.zeros(n, np.bool_)
    is_known[labelled] = True
    _reach_all(W, is_known)
    unlabelled = np.flatnonzero(~is_known)
    if unlabelled.size == 0:
        raise ValueError(f"labelled must leave a node without a label, got all {n}")
    dtype = np.result_type(W.dtype, labels.dtype)
    known = np.zeros(n, dtype)
    known[labelled] = labels
    rows = W[unlabelled]
    degrees = rows.sum(axis=1, dtype=np.float64).astype(W.dtype)
    Q = csr_array(diags_array(degrees) - rows[:, unlabelled])
    return Q.astype(dtype), np.asarray(rows @ known, dtype), unlabelled, known


def _adjacency(W: Any) -> Any:
    """Weights >= 0 of a symmetric graph as a CSR array, without zeros and self-loops."""
    from scipy.sparse import csr_array

    W = symmetric_csr("W", W)
    if W.nnz and W.data.min() < 0:
        at = int(W.data.argmin())
        row = int(np.searchsorted(W.indptr, at, side="right")) - 1
        raise ValueError(f"W must be >= 0, got W[{row}, {W.indices[at]}] = {W.data[at]:g}")
    slack = 1e3 * float(np.finfo(W.dtype).eps)
    gap = (abs(W - W.T) - slack * W.maximum(W.T)).tocoo()
    if gap.nnz and gap.data.max() > 0:
        i, j = (int(c[gap.data.argmax()]) for c in gap.coords)
        raise ValueError(
            f"W must be symmetric, got W[{i}, {j}] = {W[i, j]:g} and W[{j}, {i}] = {W[j, i]:g}"
        )
    rows = np.repeat(np.arange(W.shape[0]), np.diff(W.indptr))
    edge = (rows != W.indices) & (W.data > 0)
    return csr_array((W.data[edge], (rows[edge], W.indices[edge])), shape=W.shape)


def _reach_all(W: Any, is_known: Array) -> None:
    """Refuse a component of the graph without a label: it has no unique answer."""
    from scipy.sparse.csgraph import connected_components

    count, component = connected_components(W, directed=False)
    has_label = np.zeros(count, np.bool_)
    has_label[component[is_known]] = True
    if not has_label.all():
        alone = np.flatnonzero(~has_label[component])
        size = int(np.sum(component == component[alone[0]]))
        raise ValueError(
            f"labelled must reach every node, but the component of node {alone[0]} "
            f"({size} of {component.size} nodes) has no label"
        )
