"""The driver, FISTA, and the first solve of a process."""

from __future__ import annotations

import time
import warnings

import numpy as np

import sparseopt as so
from sparseopt._core import State, iterate

from ._timing import fresh_processes, interleaved_medians, ratio

FIRST_SOLVE = """
import numpy as np, scipy.sparse.linalg, numba, time
A = np.random.default_rng(0).standard_normal((50, 100))
y = A[:, 3] - 2 * A[:, 7]
start = time.perf_counter()
import sparseopt as so
so.minimize(so.losses.LeastSquares(A, y), so.penalties.L1(0.5))
print(time.perf_counter() - start)
"""


def lasso(m: int, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """A dense lasso problem: matrix, data, level."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((m, n))
    x = np.zeros(n)
    x[rng.choice(n, n // 50, replace=False)] = 1.0
    y = A @ x + 0.1 * rng.standard_normal(m)
    return A, y, 0.1 * float(np.max(np.abs(A.T @ y)))


def fista(loss: so.losses.LeastSquares, penalty: so.penalties.L1, **options: object) -> so.Result:
    """FISTA for exactly ``max_iter`` iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", so.ConvergenceWarning)
        return so.minimize(loss, penalty, method="fista", tol=1e-300, **options)


class Driver:
    """What the iteration driver adds to a loop."""

    def track_microseconds_per_step(self) -> float:
        """Gradient steps on a 50 x 100 problem, under the driver and in a bare loop."""
        A, y, _ = lasso(50, 100)
        step, n_steps = 1.0 / np.linalg.norm(A, 2) ** 2, 2000

        def advance(x: np.ndarray) -> tuple[np.ndarray, float]:
            r = A @ x - y
            return x - step * (A.T @ r), 0.5 * float(r @ r)

        def driven() -> None:
            def one(state: State) -> State:
                x, fun = advance(state.x)
                return State(x=x, fun=fun, certificate=fun)

            start = State(x=np.zeros(100), fun=0.5 * float(y @ y))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", so.ConvergenceWarning)
                iterate(start, one, tol=1e-300, max_iter=n_steps, certificate="objective")

        def bare() -> None:
            x, fun = np.zeros(100), 0.0
            for _ in range(n_steps):
                x, fun = advance(x)
                if fun <= 1e-300:
                    break

        with_driver, without = interleaved_medians(driven, bare)
        return (with_driver - without) / n_steps * 1e6

    def track_share_of_fista(self) -> float:
        """Per cent of a FISTA run on a dense 2000 x 5000 problem spent outside its steps."""
        from sparseopt.solvers import _proximal_gradient as module

        A, y, lam = lasso(2000, 5000)
        loss, penalty = so.losses.LeastSquares(A, y), so.penalties.L1(lam)
        inside, total = 0.0, 0.0

        def measured(state, step, **controls):  # type: ignore[no-untyped-def]
            nonlocal inside, total

            def timed(s):  # type: ignore[no-untyped-def]
                nonlocal inside
                start = time.perf_counter()
                new = step(s)
                inside += time.perf_counter() - start
                return new

            start = time.perf_counter()
            run = iterate(state, timed, **controls)
            total += time.perf_counter() - start
            return run

        fista(loss, penalty, max_iter=5)
        module.iterate = measured
        try:
            fista(loss, penalty, max_iter=50)
        finally:
            module.iterate = iterate
        return 100.0 * (total - inside) / total

    track_microseconds_per_step.unit = "microseconds"
    track_share_of_fista.unit = "per cent"


class Fista:
    """FISTA on a dense 500 x 2000 lasso, 100 iterations with a given step."""

    max_iter = 100

    def setup(self) -> None:
        self.A, self.y, self.lam = lasso(500, 2000)
        self.step = 1.0 / np.linalg.norm(self.A, 2) ** 2
        self.loss, self.penalty = so.losses.LeastSquares(self.A, self.y), so.penalties.L1(self.lam)
        self.ours()

    def ours(self) -> so.Result:
        return fista(self.loss, self.penalty, step=self.step, restart=None, max_iter=self.max_iter)

    def bare(self) -> np.ndarray:
        """Textbook FISTA, with neither objective nor certificate."""
        x = z = np.zeros(2000)
        t = 1.0
        for _ in range(self.max_iter):
            v = z - self.step * (self.A.T @ (self.A @ z - self.y))
            new = np.sign(v) * np.maximum(np.abs(v) - self.step * self.lam, 0.0)
            t_new = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
            x, z, t = new, new + (t - 1.0) / t_new * (new - x), t_new
        return x

    def time_fista(self) -> None:
        self.ours()

    def track_ratio_bare_loop(self) -> float:
        return ratio(self.ours, self.bare)

    track_ratio_bare_loop.unit = "ratio"


class FistaPyProximal(Fista):
    """The same against pyproximal, at the same number of iterations."""

    time_fista = track_ratio_bare_loop = None

    def setup(self) -> None:
        try:
            import pylops
            import pyproximal
        except ImportError:
            raise NotImplementedError("pyproximal is not installed") from None
        super().setup()
        self.f = pyproximal.L2(Op=pylops.MatrixMult(self.A), b=self.y)
        self.g = pyproximal.L1(sigma=self.lam)
        self.solve = pyproximal.optimization.primal.ProximalGradient
        a, b = self.loss.value(self.ours().x), self.loss.value(self.theirs())
        np.testing.assert_allclose(a, b, rtol=1e-3)

    def theirs(self) -> np.ndarray:
        start = np.zeros(2000)
        options = {"tau": self.step, "niter": self.max_iter, "acceleration": "fista"}
        return self.solve(self.f, self.g, start, **options)

    def track_ratio_pyproximal(self) -> float:
        return ratio(self.ours, self.theirs)

    track_ratio_pyproximal.unit = "ratio"


def track_first_solve() -> float:
    """Seconds of the first lasso in a process with a filled kernel cache."""
    return fresh_processes(FIRST_SOLVE)


track_first_solve.unit = "seconds"
