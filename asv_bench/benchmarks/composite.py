"""Composite solvers against pyproximal: the same problem to the same accuracy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

import sparseopt as so
from sparseopt import losses, penalties, solvers

from ._timing import ratio

ACCURACY = 1e-6


def lasso(m: int, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Matrix, data and level of a dense lasso."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((m, n))
    y = A @ np.where(np.arange(n) < n // 25, 1.0, 0.0) + 0.1 * rng.standard_normal(m)
    return A, y, 0.05 * float(np.max(np.abs(A.T @ y)))


def fewest(
    run: Callable[[int], np.ndarray], cost: Callable[[np.ndarray], float], best: float
) -> int:
    """Iterations, to within a tenth, that bring the objective within ``ACCURACY`` of the best."""
    n = 10
    while cost(run(n)) > best * (1 + ACCURACY):
        n = int(1.1 * n) + 1
        if n > 50_000:
            raise RuntimeError("the peer does not reach the accuracy")
    return n


class Peer:
    """Setup shared by the comparisons: optimum, and the iterations that the peer needs."""

    def setup(self) -> None:
        try:
            import pylops
            import pyproximal
        except ImportError:
            raise NotImplementedError("pyproximal is not installed") from None
        self.pylops, self.pyproximal = pylops, pyproximal
        self.prepare()
        best = self.exact()
        assert self.cost(self.ours().x) <= best * (1 + ACCURACY)
        self.niter = fewest(self.theirs, self.cost, best)

    def prepare(self) -> None:
        raise NotImplementedError

    def exact(self) -> float:
        raise NotImplementedError

    def cost(self, x: np.ndarray) -> float:
        raise NotImplementedError

    def ours(self) -> so.Result:
        raise NotImplementedError

    def theirs(self, niter: int) -> np.ndarray:
        raise NotImplementedError

    def ratio(self) -> float:
        return ratio(self.ours, lambda: self.theirs(self.niter))


class Lasso(Peer):
    """A dense 200 x 500 lasso."""

    def prepare(self) -> None:
        self.A, self.y, self.lam = lasso(200, 500)
        self.loss, self.penalty = losses.LeastSquares(self.A, self.y), penalties.L1(self.lam)
        self.f = self.pyproximal.L2(Op=self.pylops.MatrixMult(self.A), b=self.y, niter=50)
        self.g = self.pyproximal.L1(sigma=self.lam)
        self.bound = np.linalg.norm(self.A, 2) ** 2

    def exact(self) -> float:
        return solvers.proximal_gradient(self.loss, self.penalty, tol=1e-11).fun

    def cost(self, x: np.ndarray) -> float:
        return float(self.loss.value(x) + self.penalty.value(x))


class ProximalGradientPyProximal(Lasso):
    """FISTA of each; ours stops by its gap."""

    def ours(self) -> so.Result:
        return solvers.proximal_gradient(self.loss, self.penalty, tol=ACCURACY / 20)

    def theirs(self, niter: int) -> np.ndarray:
        solve = self.pyproximal.optimization.primal.ProximalGradient
        options = {"tau": 1.0 / self.bound, "niter": niter, "acceleration": "fista"}
        return solve(self.f, self.g, np.zeros(500), **options)

    def track_ratio_pyproximal(self) -> float:
        return self.ratio()

    track_ratio_pyproximal.unit = "ratio"


class ADMMPyProximal(Lasso):
    """ADMM of each, from the same rho; the peer solves the step on the loss by iteration."""

    def ours(self) -> so.Result:
        return solvers.admm(self.loss, self.penalty, tol=ACCURACY / 20)

    def theirs(self, niter: int) -> np.ndarray:
        solve = self.pyproximal.optimization.primal.ADMM
        return solve(self.f, self.g, np.zeros(500), tau=10.0 / self.bound, niter=niter)[1]

    def track_ratio_pyproximal(self) -> float:
        return self.ratio()

    track_ratio_pyproximal.unit = "ratio"


class PrimalDualPyProximal(Peer):
    """Total variation of a signal of 500 values, the loss by its proximal operator in both."""

    def prepare(self) -> None:
        rng = np.random.default_rng(0)
        n, self.lam = 500, 1.0
        self.y = np.repeat(rng.standard_normal(10), n // 10) + 0.3 * rng.standard_normal(n)
        ridge = penalties.Translate(penalties.SquaredL2(1.0), self.y)
        D = sp.diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n))
        self.terms = [ridge, (penalties.L1(self.lam), D.tocsr())]
        self.f = self.pyproximal.L2(b=self.y)
        self.g = self.pyproximal.L1(sigma=self.lam)
        self.K = self.pylops.MatrixMult(D.tocsr())

    def exact(self) -> float:
        return self.cost(so.prox.tv1d(self.y, self.lam))

    def cost(self, x: np.ndarray) -> float:
        return float(0.5 * np.sum((x - self.y) ** 2) + self.lam * np.abs(np.diff(x)).sum())

    def ours(self) -> so.Result:
        return solvers.primal_dual(None, self.terms, x0=np.zeros(500), tol=ACCURACY / 10)

    def theirs(self, niter: int) -> np.ndarray:
        solve = self.pyproximal.optimization.primaldual.PrimalDual
        steps = {"tau": 0.99 / 2.0, "mu": 0.99 / 2.0}
        return solve(self.f, self.g, self.K, np.zeros(500), niter=niter, **steps)

    def track_ratio_pyproximal(self) -> float:
        return self.ratio()

    track_ratio_pyproximal.unit = "ratio"
