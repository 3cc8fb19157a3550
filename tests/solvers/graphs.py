"""Random graphs for the tests of forests, and what makes a forest."""

import numpy as np
from scipy import sparse as sp
from scipy.sparse.csgraph import connected_components


def edges_to_matrix(n, one, other, values=1.0):
    """The symmetric matrix with these entries off the diagonal, and zeros on it."""
    values = np.broadcast_to(np.asarray(values, float), np.shape(one))
    upper = sp.coo_array((values, (one, other)), shape=(n, n))
    return (upper + upper.T).tocsr()


def random_tree_edges(n, rng, loss=0.0):
    """A random labelled forest: each node but the first hangs on an earlier one, some do not."""
    kept = np.flatnonzero(rng.random(max(n - 1, 0)) >= loss) + 1
    up = (rng.random(kept.size) * kept).astype(int)
    names = rng.permutation(n)
    return names[kept], names[up]


def positive_definite(off_diagonal, slack):
    """Add a dominant diagonal."""
    total = np.asarray(abs(off_diagonal).sum(axis=0)).ravel()
    return (off_diagonal + sp.diags_array(total + slack)).tocsr()


def random_graph(n, edges, rng):
    """A simple graph with about so many edges, of unit weights."""
    one, other = rng.integers(n, size=(2, edges))
    simple = np.unique(np.sort([one[one != other], other[one != other]], axis=0), axis=1)
    return edges_to_matrix(n, *simple)


def is_forest(W, nodes):
    """Whether the induced graph has as many edges as nodes less components."""
    block = W[nodes][:, nodes]
    return block.nnz // 2 == len(nodes) - connected_components(block, directed=False)[0]


def assert_partition(blocks, n):
    """Disjoint, sorted, not empty, covering."""
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(n))
    for block in blocks:
        assert block.size
        assert (np.diff(block) > 0).all()
