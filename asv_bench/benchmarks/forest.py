"""Systems on forests, against SciPy's sparse LU; blocks of graphs; the heap."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from sparseopt import datasets, solvers
from sparseopt.solvers import _heap

from ._timing import interleaved_medians, ratio


def path(n: int) -> sparse.csr_array:
    """A path of n nodes, well conditioned."""
    off = -np.ones(n - 1)
    return sparse.diags_array([np.full(n, 2.05), off, off], offsets=[0, 1, -1]).tocsr()


def comb(rows: int, cols: int) -> sparse.csr_array:
    """The first comb of a lattice, well conditioned."""
    W = datasets.lattice_graph(rows, cols)
    Q = sparse.diags_array(np.asarray(W.sum(axis=0)) + 0.05) - W
    block = solvers.comb_partition(rows, cols)[0]
    return Q.tocsr()[block][:, block].tocsr()


class SolveForest:
    """One right-hand side, a million nodes."""

    params = ("path", "comb")
    param_names = ("tree",)

    def setup(self, tree: str) -> None:
        self.Q = path(10**6) if tree == "path" else comb(1000, 2000)
        self.csc = self.Q.tocsc()
        self.b = np.random.default_rng(0).standard_normal(self.Q.shape[0])
        np.testing.assert_allclose(self.ours(), self.theirs(), rtol=0, atol=1e-11)

    def ours(self) -> np.ndarray:
        return solvers.solve_forest(self.Q, self.b)

    def theirs(self) -> np.ndarray:
        return splu(self.csc).solve(self.b)

    def time_solve(self, tree: str) -> None:
        self.ours()

    def track_ratio_splu(self, tree: str) -> float:
        return ratio(self.ours, self.theirs, repeat=7)

    def track_ratio_copy(self, tree: str) -> float:
        """Against reading the matrix and the right-hand side once."""
        parts = (self.Q.data, self.Q.indices, self.Q.indptr, self.b)
        return ratio(self.ours, lambda: [part.copy() for part in parts], repeat=7)

    track_ratio_splu.unit = track_ratio_copy.unit = "ratio"


class Blocks:
    """Blocks of a lattice of a million nodes."""

    def setup(self) -> None:
        self.W = datasets.lattice_graph(1000, 1000)
        self.scores = np.random.default_rng(0).standard_normal(10**6)
        solvers.greedy_forest(datasets.lattice_graph(3, 3), np.arange(9.0))

    def time_greedy_forest(self) -> None:
        solvers.greedy_forest(self.W, self.scores)

    def time_forest_partition(self) -> None:
        solvers.forest_partition(self.W)

    def time_colour_partition(self) -> None:
        solvers.colour_partition(self.W)

    def time_connected_partition(self) -> None:
        solvers.connected_partition(self.W, 100)


class Heap:
    """Ten changed keys among a million, then the 50 largest."""

    def setup(self) -> None:
        n = 10**6
        rng = np.random.default_rng(0)
        self.keys = rng.standard_normal(n)
        self.heap, self.place = np.empty(n, np.intp), np.empty(n, np.intp)
        _heap.heap_build(self.keys, self.heap, self.place)
        self.items, self.values = rng.integers(n, size=10), rng.standard_normal(10)
        self.largest = np.empty(50, np.intp)

    def ours(self) -> None:
        _heap.heap_change_many(self.keys, self.heap, self.place, self.items, self.values)
        _heap.heap_largest(self.keys, self.heap, self.place, self.largest)

    def theirs(self) -> None:
        self.keys[self.items] = self.values
        np.argpartition(-self.keys, 50)

    def track_ratio_argpartition(self) -> float:
        ours, theirs = interleaved_medians(self.ours, self.theirs)
        return ours / theirs

    track_ratio_argpartition.unit = "ratio"
