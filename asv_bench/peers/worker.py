"""Runs the peers of sparse regression, in an environment of their own, on request.

The client writes one JSON object a line to standard input and reads one from standard output:
``prepare`` finds the loosest tolerance with which a peer reaches the asked gap, ``run`` times one
solve with it. Everything is one thread, without intercept.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import scipy.sparse as sp

warnings.filterwarnings("ignore")

TOLERANCES = {
    "scikit-learn": [10.0**-k for k in range(3, 11)],
    "celer": [10.0**-k for k in range(4, 13)],
    "skglm": [10.0**-k for k in range(2, 11)],
    "adelie": [10.0**-k for k in range(6, 16)],
}


class Problem:
    """Data of one problem: kind, design, data, levels and group size."""

    def __init__(self, path: str) -> None:
        with np.load(path) as stored:
            self.kind = str(stored["kind"])
            self.lams = stored["lams"]
            self.group = int(stored["group"])
            self.y = stored["y"]
            if "X" in stored:
                self.X = np.asfortranarray(stored["X"])
            else:
                parts = stored["data"], stored["indices"], stored["indptr"]
                self.X = sp.csc_matrix(parts, shape=tuple(stored["shape"]))
        self.m, self.n = self.X.shape

    def gap(self, x: np.ndarray, lam: float) -> float:
        """Relative duality gap, from the scaled residual."""
        z = self.X @ x
        if self.kind == "logistic":
            v = 1.0 / (1.0 + np.exp(self.y * z))
            value, null = np.logaddexp(0.0, -self.y * z).sum(), self.m * np.log(2.0)
            u = self.y * v
        else:
            u = self.y - z
            value, null = 0.5 * u @ u, 0.5 * self.y @ self.y
        slopes, sizes = np.abs(self.X.T @ u), np.abs(x)
        if self.kind == "group":
            weight = np.sqrt(self.group)
            slopes = np.linalg.norm((self.X.T @ u).reshape(-1, self.group), axis=1) / weight
            sizes = np.linalg.norm(x.reshape(-1, self.group), axis=1) * weight
        limit = lam / slopes.max()
        if self.kind == "logistic":
            q = min(1.0, limit) * v
            with np.errstate(divide="ignore", invalid="ignore"):
                parts = np.where(q > 0, q * np.log(q), 0.0)
                parts += np.where(q < 1, (1 - q) * np.log(1 - q), 0.0)
            dual = -parts.sum()
        else:
            t = min(max(u @ self.y / (u @ u), 0.0), limit)
            dual = 0.5 * self.y @ self.y - 0.5 * np.sum((self.y - t * u) ** 2)
        return float((value + lam * sizes.sum() - dual) / null)

    def worst_gap(self, xs: list[np.ndarray]) -> float:
        """The largest gap over the levels."""
        return max(self.gap(x, lam) for x, lam in zip(xs, self.lams, strict=True))


def scikit_learn(p: Problem, tol: float) -> list[np.ndarray]:
    """Coordinate descent, or liblinear."""
    from sklearn.linear_model import Lasso, LogisticRegression, lasso_path

    if p.kind == "logistic":
        model = LogisticRegression(
            penalty="l1",
            C=1 / p.lams[0],
            solver="liblinear",
            fit_intercept=False,
            tol=tol,
            max_iter=10_000,
        )
        return [model.fit(p.X, p.y).coef_[0]]
    if len(p.lams) > 1:
        path = lasso_path(p.X, p.y, alphas=p.lams / p.m, tol=tol, max_iter=100_000)[1]
        return list(path.T)
    model = Lasso(alpha=p.lams[0] / p.m, fit_intercept=False, tol=tol, max_iter=100_000)
    return [model.fit(p.X, p.y).coef_]


def celer(p: Problem, tol: float) -> list[np.ndarray]:
    """Working sets with dual extrapolation."""
    from celer import GroupLasso, Lasso, LogisticRegression, celer_path

    alpha = p.lams / p.m
    if p.kind == "group":
        model = GroupLasso(groups=p.group, alpha=alpha[0] * np.sqrt(p.group), tol=tol)
    elif p.kind == "logistic":
        model = LogisticRegression(C=1 / p.lams[0], tol=tol, max_iter=200)
    elif len(alpha) > 1:
        path = celer_path(p.X, p.y, pb="lasso", alphas=alpha, tol=tol, max_iter=200)[1]
        return list(path.T)
    else:
        model = Lasso(alpha=alpha[0], tol=tol, max_iter=200)
    model.fit_intercept = False
    return [np.ravel(model.fit(p.X, p.y).coef_)]


_compiled: dict[str, object] = {}


def skglm(p: Problem, tol: float) -> list[np.ndarray]:
    """Anderson-accelerated coordinate descent on working sets."""
    from skglm.datafits import Logistic, Quadratic, QuadraticGroup
    from skglm.penalties import L1, WeightedGroupL2
    from skglm.solvers import AndersonCD, GroupBCD, ProxNewton
    from skglm.utils.data import grp_converter
    from skglm.utils.jit_compilation import compiled_clone

    alpha = p.lams / p.m
    if p.kind not in _compiled:
        if p.kind == "group":
            indices, ptr = grp_converter(p.group, p.n)
            weights = np.full(p.n // p.group, np.sqrt(p.group))
            _compiled[p.kind] = (
                compiled_clone(QuadraticGroup(ptr, indices)),
                compiled_clone(WeightedGroupL2(alpha[0], weights, ptr, indices)),
            )
        else:
            datafit = Logistic() if p.kind == "logistic" else Quadratic()
            _compiled[p.kind] = compiled_clone(datafit), compiled_clone(L1(alpha[0]))
    datafit, penalty = _compiled[p.kind]
    options = {"tol": tol, "max_iter": 200, "fit_intercept": False}
    if p.kind == "group":
        solver = GroupBCD(max_epochs=100_000, **options)
    elif p.kind == "logistic":
        solver = ProxNewton(**options)
    else:
        solver = AndersonCD(max_epochs=100_000, **options)
        if len(alpha) > 1:
            return list(solver.path(p.X, p.y, datafit, penalty, alphas=alpha)[1].T)
    penalty.alpha = alpha[0]
    return [solver.solve(p.X, p.y, datafit, penalty)[0]]


def adelie(p: Problem, tol: float) -> list[np.ndarray]:
    """Group elastic net by screening and coordinate descent."""
    import adelie as ad

    sparse = sp.issparse(p.X)
    X = (ad.matrix.sparse if sparse else ad.matrix.dense)(p.X, method="naive", n_threads=1)
    glm = ad.glm.binomial((p.y + 1) / 2) if p.kind == "logistic" else ad.glm.gaussian(p.y)
    groups = np.arange(0, p.n, p.group) if p.kind == "group" else None
    state = (
        ad.grpnet(
            X=X,
            glm=glm,
            groups=groups,
            lmda_path=p.lams / p.m,
            intercept=False,
            tol=tol,
            early_exit=False,
            adev_tol=1.0,
            ddev_tol=0.0,
            progress_bar=False,
            n_threads=1,
            max_iters=10**7,
            newton_max_iters=1000,
            irls_max_iters=100_000,
        )
        if p.kind == "logistic"
        else ad.grpnet(
            X=X,
            glm=glm,
            groups=groups,
            lmda_path=p.lams / p.m,
            intercept=False,
            tol=tol,
            early_exit=False,
            adev_tol=1.0,
            ddev_tol=0.0,
            progress_bar=False,
            n_threads=1,
            max_iters=10**7,
        )
    )
    return [np.ravel(row.toarray()) for row in state.betas]


PEERS = {"scikit-learn": scikit_learn, "celer": celer, "skglm": skglm, "adelie": adelie}


def main() -> None:
    """Answer requests until the input ends."""
    problem: Problem | None = None
    chosen: dict[str, float] = {}
    replies = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, object] = {}
        if request["do"] == "load":
            problem = Problem(request["path"])
            chosen = {}
        elif request["do"] == "prepare":
            name, limit = request["peer"], float(request["seconds"])
            gap, target, spent = np.inf, float(request["target"]), 0.0
            for tol in TOLERANCES[name]:
                start = time.perf_counter()
                try:
                    xs = PEERS[name](problem, tol)
                except Exception as error:
                    reply["error"] = repr(error)[:200]
                    break
                spent = time.perf_counter() - start
                gap = problem.worst_gap(xs)
                if gap <= target or spent > limit:
                    break
            chosen[name] = tol
            reply |= {"tol": tol, "certificate": gap, "reached": bool(gap <= target)}
        else:
            start = time.perf_counter()
            PEERS[request["peer"]](problem, chosen[request["peer"]])
            reply["seconds"] = time.perf_counter() - start
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
