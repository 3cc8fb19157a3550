"""Derivative of a relaxed cardinality-constrained plan whose columns share the count limit."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST = 1e9  # growth of the solution over the right-hand side that still counts as regular


def is_tied(P: Array, k: int) -> bool:
    """Whether a column has more entries than the limit."""
    return bool((np.count_nonzero(P, axis=0) > k).any())


def solve_tied(P: Array, k: int, G: Array) -> tuple[Array, Array, Array]:
    r"""What takes the place of the Laplacian system: ``x`` on the support, ``p`` and ``q``.

    Close to a plan whose structure does not change, the squared k-support norm of a column is

    .. math:: \sum_{i \in I} t_i^2 + \Big(\sum_{i \in F} t_i\Big)^2 / (k - |I|),

    with entries I of their own and entries F that share what is left of the limit, all below the
    common threshold. With half of it as quadratic form, of matrix Q over the entries of the
    support, and the marginals A, the derivatives follow from

    .. math:: \begin{pmatrix} Q & A^\top \\ A & 0 \end{pmatrix} \begin{pmatrix} x \\ y
        \end{pmatrix} = \begin{pmatrix} G \\ 0 \end{pmatrix},

    x being :math:`-\gamma\, \partial L / \partial C` and y the derivatives by the masses.

    Raises
    ------
    ValueError
        If the system is singular: the plan is not unique.
    """
    from scipy.sparse import block_array, coo_array, csc_array
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import splu

    n, m = P.shape
    cols, rows = np.nonzero(P.T)
    size = rows.size
    Q = _quadratic_form(P.T[cols, rows], cols, m, k)
    entries = np.arange(size)
    A = coo_array(
        (np.ones(2 * size), (np.concatenate([rows, n + cols]), np.concatenate([entries, entries]))),
        shape=(n + m, size),
    ).tocsr()
    # One marginal of every component follows from the others; so it does for atoms without mass.
    graph = coo_array((np.ones(size), (rows, n + cols)), shape=(n + m, n + m))
    labels = connected_components(graph, directed=False)[1]
    kept = np.ones(n + m, bool)
    kept[np.unique(labels, return_index=True)[1]] = False
    A = A[kept]
    K = csc_array(block_array([[Q, A.T], [A, None]]))
    given = np.concatenate([G[rows, cols], np.zeros(A.shape[0])])
    try:
        z = splu(K).solve(given)
    except RuntimeError:  # exactly singular
        z = np.full(given.size, np.inf)
    if not np.abs(z).max() <= LARGEST * max(np.abs(given).max(), np.finfo(float).tiny):
        raise ValueError(
            "result must have a unique plan for a derivative, got one whose entries at the count "
            "limit can be exchanged; if it is unique, solve it with a smaller tol"
        )
    x, y = np.zeros((n, m)), np.zeros(n + m)
    x[rows, cols], y[kept] = z[:size], z[size:]
    return x, y[:n], y[n:]


def _quadratic_form(mass: Array, cols: Array, m: int, k: int) -> Any:
    """The matrix Q over entries listed column by column."""
    from scipy.sparse import block_diag

    blocks = []
    for t in np.split(mass, np.searchsorted(cols, np.arange(1, m))):
        if t.size <= k:
            blocks.append(np.eye(t.size))
            continue
        order = np.argsort(-t)
        below = np.cumsum(t[order][::-1])[::-1]  # the sum from an entry down
        own = next(p for p in range(k) if t[order[p]] * (k - p) < below[p])  # at k - 1 at last
        free = np.zeros(t.size)
        free[order[own:]] = 1.0
        blocks.append(np.outer(free, free) / (k - own) + np.diag(1.0 - free))
    return block_diag([b for b in blocks if b.size])
