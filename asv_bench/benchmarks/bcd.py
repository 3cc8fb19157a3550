"""Block coordinate descent: rules and updates against each other and against textbook loops."""

from __future__ import annotations

import numpy as np

from sparseopt import datasets, losses, penalties, solvers

from ._timing import ratio


def run(loss: object, penalty: object = None, **options: object) -> solvers.BCDResult:
    """One run for exactly ``max_iter`` updates."""
    return solvers.compare_bcd(loss, {"": options}, penalty, tol=1e-300, rng=0)[""]


class Rules:
    """200 updates of 5 coordinates on problem A of Nutini et al., 300 x 3000."""

    params = ("random", "cyclic", "gs", "gsl", "gsd", "gsq")
    param_names = ("select",)

    def setup(self, select: str) -> None:
        data = datasets.sparse_regression(300, 3000, rng=1)
        self.loss = losses.LeastSquares(data.A, data.y)
        self.start = self.loss.value(np.zeros(3000))
        self.options = {"select": select, "update": "matrix", "block_size": 5, "max_iter": 200}
        run(self.loss, **self.options)

    def time_run(self, select: str) -> None:
        run(self.loss, **self.options)

    def track_what_is_left(self, select: str) -> float:
        """The objective over that at the start."""
        return run(self.loss, **self.options).fun / self.start

    track_what_is_left.unit = "ratio"


class Sweeps:
    """A hundred sweeps of a dense lasso, 200 x 1000, against the same loop in NumPy."""

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        self.A = np.asfortranarray(rng.standard_normal((200, 1000)))
        self.y = self.A[:, :10].sum(1) + rng.standard_normal(200)
        self.lam = 0.1 * float(np.abs(self.A.T @ self.y).max())
        self.loss, self.penalty = losses.LeastSquares(self.A, self.y), penalties.L1(self.lam)
        self.ours()

    def ours(self) -> solvers.BCDResult:
        options = {"select": "cyclic", "block_size": 1, "max_iter": 100_000}
        return run(self.loss, self.penalty, **options)

    def theirs(self) -> np.ndarray:
        x, r, L = np.zeros(1000), -self.y, (self.A**2).sum(0)
        for _ in range(10):  # a tenth of the sweeps
            for i in range(1000):
                v = x[i] - self.A[:, i] @ r / L[i]
                new = np.sign(v) * max(abs(v) - self.lam / L[i], 0.0)
                if new != x[i]:
                    r = r + (new - x[i]) * self.A[:, i]
                    x[i] = new
        return x

    def time_sweeps(self) -> None:
        self.ours()

    def track_ratio_numpy_tenth(self) -> float:
        """Our hundred sweeps over ten sweeps of the NumPy loop."""
        return ratio(self.ours, self.theirs, repeat=5)

    track_ratio_numpy_tenth.unit = "ratio"


class Forests:
    """Label propagation on the 50 x 50 lattice to 1e-8 in the objective."""

    def setup(self) -> None:
        from scipy.sparse.linalg import spsolve

        rng = np.random.default_rng(0)
        labelled = rng.choice(2500, 100, replace=False)
        W = datasets.lattice_graph(50, 50, 1e5)
        self.loss = losses.LabelPropagation(W, labelled, 10 * rng.standard_normal(100))
        self.best = self.loss.value(spsolve(self.loss.Q.tocsc(), self.loss.q))

    def iterations(self, **options: object) -> int:
        fun = run(self.loss, max_iter=2000, **options).history["fun"]
        return int(np.argmax(fun - self.best <= 1e-8 * abs(self.best)))

    def time_greedy_forests(self) -> None:
        run(self.loss, select="gs", update="message-passing", max_iter=200)

    def track_ratio_iterations_red_black(self) -> float:
        """Iterations of greedy forests over those of a colouring."""
        greedy = self.iterations(select="gs", update="message-passing")
        return greedy / self.iterations(select="gs", blocks="red-black")

    track_ratio_iterations_red_black.unit = "ratio"


class Heap:
    """Greedy single coordinates of a lattice with 360 000 nodes: a heap against full scans."""

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        labelled = rng.choice(360_000, 4000, replace=False)
        W = datasets.lattice_graph(600, 600)
        self.loss = losses.LabelPropagation(W, labelled, rng.standard_normal(4000))
        self.heap()

    def heap(self) -> solvers.BCDResult:
        return run(self.loss, select="gs", update="matrix", block_size=1, max_iter=2000)

    def scan(self) -> np.ndarray:
        """The same updates, with a scan for the largest entry every time."""
        Q, g, x = self.loss.Q, -self.loss.q, np.zeros(self.loss.shape)
        for _ in range(2000):
            i = int(np.argmax(np.abs(g)))
            part = slice(Q.indptr[i], Q.indptr[i + 1])
            d = -g[i] / Q[i, i]
            x[i] += d
            g[Q.indices[part]] += d * Q.data[part]
        return x

    def track_ratio_scan(self) -> float:
        return ratio(self.heap, self.scan, repeat=5)

    track_ratio_scan.unit = "ratio"
