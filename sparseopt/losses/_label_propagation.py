"""Label propagation: the quadratic that spreads known labels over a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core._sparse import index_set, symmetric_csr
from .._core._validate import finite_array
from ._quadratic import Quadratic

Array = np.ndarray[Any, Any]


class LabelPropagation(Quadratic):
    r"""The energy of a graph as a quadratic form of the labels that are not known.

    .. math::
        \tfrac12 \sum_{\text{edges } ij} w_{ij} (x_i - x_j)^2
        = \tfrac12 x_U^T Q x_U - q^T x_U + \text{constant}

    Over the unlabelled nodes U, Q is the graph's Laplacian, degrees less weights, where degrees
    count labelled neighbours too, and :math:`q_i` is the sum of :math:`w_{ij} y_j` over the
    labelled nodes j. The value leaves out the constant. At the minimiser every label is the
    weighted mean of its neighbours' labels.

    Parameters
    ----------
    W : sparse array or array_like, shape (n, n)
        Weights >= 0 of the edges, symmetric. Self-loops and stored zeros do not count.
    labelled : array_like of int, shape (l,)
        The nodes whose labels are known; at least one in every component of the graph.
    labels : array_like, shape (l,)
        Their labels, real numbers.

    Attributes
    ----------
    unlabelled : ndarray of int, shape (n - l,)
        The nodes that the unknown x stands for, sorted.
    shape : tuple of int
        (n - l,).
    dtype : dtype
        float32 only if ``W`` and ``labels`` both are.

    Raises
    ------
    ValueError
        If a component of the graph has no label (the message names a node of it), ``W`` has a
        negative weight or is not symmetric, ``labelled`` repeats a node or leaves none, shapes do
        not fit, or something is not finite.
    TypeError
        If ``W`` or ``labels`` is not real or ``labelled`` does not hold integers.

    See Also
    --------
    sparseopt.solvers.solve_forest : Minimises exactly over nodes whose graph has no cycle.

    References
    ----------
    X. Zhu, Z. Ghahramani, J. Lafferty (2003). Semi-supervised learning using Gaussian fields and
    harmonic functions. ICML.
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859.

    Examples
    --------
    >>> from sparseopt import losses, solvers
    >>> from sparseopt.datasets import lattice_graph
    >>> path = lattice_graph(1, 5)
    >>> loss = losses.LabelPropagation(path, [0, 4], [0.0, 1.0])
    >>> x = solvers.solve_forest(loss.Q, loss.q)
    >>> loss.complete(x)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """

    def __init__(self, W: Any, labelled: Any, labels: Any) -> None:
        Q, q, self.unlabelled, self._known = propagation_system(W, labelled, labels)
        super().__init__(Q, q)

    def __repr__(self) -> str:
        n, u = self._known.size, self.unlabelled.size
        return f"LabelPropagation({n} nodes, {n - u} labelled, dtype={self.dtype})"

    def complete(self, x: Any) -> Array:
        """The labels of all n nodes: those that are known, and ``x`` in the places of the rest."""
        x = self._unknown("x", x)
        whole = self._known.astype(np.result_type(self._known.dtype, x.dtype))
        whole[self.unlabelled] = x
        return whole


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
