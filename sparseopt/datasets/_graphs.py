"""Graphs for label propagation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import as_rng
from .._core._validate import finite_array, integer, parameter, positive

Array = np.ndarray[Any, Any]


def lattice_graph(rows: int, cols: int, weight: float = 1.0) -> Any:
    """Adjacency matrix of a lattice with four neighbours.

    Parameters
    ----------
    rows, cols : int
        Size of the lattice; node (i, j) has the index ``i * cols + j``.
    weight : float
        Weight of every edge.

    Returns
    -------
    scipy.sparse.csr_array, shape (rows * cols, rows * cols)
        Symmetric, float64.

    Raises
    ------
    ValueError, TypeError
        If a size is not a positive integer or the weight not a positive number.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859. Its problem D is the 50 x 50 lattice of weight 1e5 with 100
    labelled nodes whose labels are normal with standard deviation 10.

    Examples
    --------
    >>> from sparseopt.datasets import lattice_graph
    >>> lattice_graph(2, 2).toarray()
    array([[0., 1., 1., 0.],
           [1., 0., 0., 1.],
           [1., 0., 0., 1.],
           [0., 1., 1., 0.]])
    """
    from scipy.sparse import csr_array

    rows, cols = integer("rows", rows, 1), integer("cols", cols, 1)
    weight = positive("weight", weight)
    index = np.arange(rows * cols).reshape(rows, cols)
    one = np.concatenate([index[:, :-1].ravel(), index[:-1].ravel()])
    other = np.concatenate([index[:, 1:].ravel(), index[1:].ravel()])
    ends = (np.concatenate([one, other]), np.concatenate([other, one]))
    return csr_array((np.full(2 * one.size, weight), ends), shape=(index.size, index.size))


def two_moons(n: int, *, noise_variance: float = 0.04, rng: Any = None) -> tuple[Array, Array]:
    """Points in the plane around two interleaved half circles.

    The first is the upper half of the unit circle, the second the lower half of the unit circle
    about (1, 1/2). Angles are uniform, and normal noise is added to each coordinate.

    Parameters
    ----------
    n : int
        Number of points; the first moon gets the odd one.
    noise_variance : float
        Variance of the noise of a coordinate.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    X : ndarray, shape (n, 2)
        The points, in random order.
    labels : ndarray of int, shape (n,)
        0 for the first moon and 1 for the second.

    Raises
    ------
    ValueError, TypeError
        If ``n`` is not a positive integer or the variance is negative.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131), arXiv 1712.08859. Its problem E takes 2000 points, their graph of 5 nearest
    neighbours, and 100 labelled nodes with labels 1 and 2.

    Examples
    --------
    >>> from sparseopt.datasets import two_moons
    >>> X, labels = two_moons(100, rng=0)
    >>> X.shape, labels.sum()
    ((100, 2), np.int64(50))
    """
    n = integer("n", n, 1)
    variance = float(parameter("noise_variance", noise_variance, finite=True))
    rng = as_rng(rng)
    labels = rng.permutation(np.arange(n) % 2)
    angle = rng.uniform(0.0, np.pi, n)
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    X[labels == 1] = [1.0, 0.5] - X[labels == 1]
    return X + np.sqrt(variance) * rng.standard_normal((n, 2)), labels


def neighbour_graph(X: Any, k: int = 5) -> Any:
    """Adjacency matrix of the symmetric graph of k nearest neighbours, with unit weights.

    Two points are joined if either is among the k points nearest to the other.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Points; distances are Euclidean.
    k : int
        Number of neighbours, less than n. Of points at equal distance any may be taken.

    Returns
    -------
    scipy.sparse.csr_array, shape (n, n)
        Symmetric, zero on the diagonal, float64.

    Raises
    ------
    ValueError, TypeError
        If ``X`` is not real and finite or ``k`` is not in 1 .. n - 1.

    Examples
    --------
    >>> from sparseopt.datasets import neighbour_graph
    >>> neighbour_graph([[0.0], [1.0], [3.0]], k=1).toarray()
    array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 1., 0.]])
    """
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

    X = finite_array("X", X, ndim=(2,))
    if X.dtype.kind == "c":
        raise TypeError(f"X must be real, got dtype {X.dtype}")
    n = X.shape[0]
    if n < 2:
        raise ValueError(f"X must have at least 2 rows, got shape {X.shape}")
    k = integer("k", k, 1, n - 1)
    _, nearest = cKDTree(X).query(X, k=k + 1)
    foreign = nearest != np.arange(n)[:, None]
    foreign[foreign.all(axis=1), -1] = False  # a point with k + 1 or more twins may miss itself
    rows = np.repeat(np.arange(n), k)
    one_sided = csr_array((np.ones(n * k), (rows, nearest[foreign])), shape=(n, n))
    return one_sided.maximum(one_sided.T).tocsr()
