"""Random problems of several terms for the composite solvers, and their optimum by cvxpy."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp
from helpers import require
from scipy.sparse.linalg import aslinearoperator

from sparseopt import linop, penalties
from sparseopt.losses import LeastSquares


@dataclass
class Task:
    """A loss, penalties on x, and pairs (h, K); ``dense`` holds every K as a matrix."""

    A: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    own: list
    pairs: list
    form: str

    @property
    def loss(self):
        forms = {"dense": np.asarray, "sparse": sp.csr_array, "operator": aslinearoperator}
        return LeastSquares(forms[self.form](self.A), self.y, sample_weights=self.weights)

    @property
    def terms(self):
        return [*self.own, *self.pairs]

    def objective(self, x):
        """Straight from the definition."""
        w = 1.0 if self.weights is None else self.weights
        value = 0.5 * np.sum(w * (self.A @ x - self.y) ** 2)
        value += sum(g.value(x) for g in self.own)
        return value + sum(h.value(K @ x) for h, K in self.pairs)


KINDS = ["l1", "nonnegative and l1", "tv", "tv and nonnegative", "l1, tv", "group, box image"]


def task(seed):
    """Problem number ``seed`` of thirty: each kind five times."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    m, n = [(15, 10), (8, 14), (20, 20)][seed % 3]
    form = ["dense", "sparse", "operator"][(seed // 6) % 3]
    A = rng.standard_normal((m, n))
    truth = np.repeat(rng.standard_normal(-(-n // 4)), 4)[:n]
    y = A @ truth + 0.1 * rng.standard_normal(m)
    weights = rng.uniform(0.2, 1.5, m) if seed % 2 else None
    lam = rng.uniform(0.05, 0.3) * np.abs(A.T @ y).max()
    D = linop.FiniteDifference(n, axis=0)
    D = D if form == "operator" else np.diff(np.eye(n), axis=0)
    D = sp.csr_array(D) if form == "sparse" else D
    own, pairs = {
        "l1": ([penalties.L1(lam)], []),
        "nonnegative and l1": ([penalties.Box(0.0, np.inf), penalties.L1(lam)], []),
        "tv": ([], [(penalties.L1(lam), D)]),
        "tv and nonnegative": ([penalties.Box(0.0, np.inf)], [(penalties.L1(lam), D)]),
        "l1, tv": ([penalties.L1(0.3 * lam)], [(penalties.L1(lam), D)]),
        "group, box image": (
            [penalties.GroupL2(0.3 * lam, np.arange(n) // 3)],
            [(penalties.Box(-0.5, 0.5), rng.standard_normal((4, n)))],
        ),
    }[kind]
    return Task(A, y, weights, own, pairs, form)


@cache
def optimum(seed):
    """The optimal objective and solution."""
    cp = require("cvxpy")
    t = task(seed)
    n = t.A.shape[1]
    x = cp.Variable(n)
    root = np.ones(len(t.y)) if t.weights is None else np.sqrt(t.weights)
    cost = 0.5 * cp.sum_squares(cp.multiply(root, t.A @ x - t.y))
    parts = [(g, x) for g in t.own]
    parts += [(h, np.asarray(K @ np.eye(n)) @ x) for h, K in t.pairs]
    for h, image in parts:
        if isinstance(h, penalties.GroupL2):
            labels = h.groups.labels
            cost = cost + sum(
                h.lam * cp.norm(image[np.flatnonzero(labels == g)]) for g in np.unique(labels)
            )
        else:
            cost = cost + h.as_cvxpy(image)
    tight = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
    return cp.Problem(cp.Minimize(cost)).solve("CLARABEL", **tight), x.value
