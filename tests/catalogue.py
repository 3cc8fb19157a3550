"""The catalogue of operators, each measured against an oracle that knows only its definition.

The tests assert what is measured here, and the documentation prints it as a table. The deviation
of a row is the largest excess of the objective ``1/2 ||x - v||^2 + step * f(x)`` at our point over
the best value its oracle found, over random inputs, parameters and steps.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from sparseopt import penalties, prox

STEPS = (0.1, 0.7, 1.0, 2.5, 10.0)


@dataclasses.dataclass(frozen=True)
class Row:
    """One operator.

    Attributes
    ----------
    name : str
        Public name in `sparseopt.prox`.
    formula : str
        The function, or the set, in one line of TeX.
    penalty : callable
        ``penalty(rng)`` draws a penalty with random parameters.
    oracle : callable
        ``oracle(penalty, v, step)`` returns the smallest objective it can find.
    n : int or tuple of int
        Length or shape of an input; 1 for scalar penalties, whose inputs form one row.
    kind : str
        What the oracle is, for the table.
    size : int
        Inputs for each penalty that is drawn.
    """

    name: str
    formula: str
    penalty: Callable[[np.random.Generator], Any]
    oracle: Callable[[Any, np.ndarray, float], Any]
    kind: str
    n: int | tuple[int, ...] = 1
    size: int = 20


def measure(row: Row, count: int, seed: int = 0) -> float:
    """The largest excess objective over ``count`` random inputs, and over all steps."""
    rng = np.random.default_rng(seed)
    worst: Any = -np.inf
    for _ in range(-(-count // row.size)):
        penalty = row.penalty(rng)
        step = float(rng.choice(STEPS))
        for v in inputs(row, rng):
            x = penalty.prox(v, step)
            ours = objective(penalty, x, v, step)
            worst = np.maximum(worst, np.max(ours - row.oracle(penalty, v, step)))
    return float(np.maximum(worst, 0.0))  # NaN stays, and fails


def inputs(row: Row, rng: np.random.Generator) -> list[np.ndarray]:
    """Random points, small and large, some with ties and zeros."""
    shape = (row.n,) if isinstance(row.n, int) else row.n
    points = []
    for i in range(row.size):
        v = np.exp(rng.uniform(-1.5, 1.5)) * rng.standard_normal(shape)
        points.append(np.round(v) if i % 5 == 0 else v)
    return [np.stack(points, axis=1)] if row.n == 1 else points


def objective(penalty: Any, x: Any, v: Any, step: float) -> Any:
    """``1/2 ||x - v||^2 + step * f(x)``; per column for scalar penalties, which come as rows."""
    axis = 0 if np.shape(v)[0] == 1 and np.ndim(v) == 2 else None
    return 0.5 * np.sum(np.abs(x - v) ** 2, axis=axis) + step * penalty.value(x)


def grid(penalty: Any, v: np.ndarray, step: float) -> np.ndarray:
    """A fine grid over everything within reach, and zero; refined around its best point."""
    columns = []
    for value in v[0]:
        centre, width, best = 0.0, 3.0 * (abs(value) + step + 1.0), np.inf
        for _ in range(4):
            points = np.concatenate([np.linspace(centre - width, centre + width, 2001), [0.0]])
            values = 0.5 * (points - value) ** 2 + step * penalty.value(points[None])
            k = int(np.argmin(values))
            best, centre, width = min(best, float(values[k])), points[k], width / 250
        columns.append(best)
    return np.array(columns)


_problem: dict[str, Any] = {}  # the last one, to be solved again for the next input


def by_cvxpy(penalty: Any, v: np.ndarray, step: float) -> float:
    """An interior-point solver on the definition."""
    import cvxpy as cp

    if _problem.get("of") is not penalty or _problem["step"] != step:
        x, point = cp.Variable(v.shape), cp.Parameter(v.shape)
        model = 0.5 * cp.sum_squares(x - point) + step * penalty.as_cvxpy(x)
        problem = cp.Problem(cp.Minimize(model))
        _problem.update({"of": penalty, "step": step, "point": point, "problem": problem})
    _problem["point"].value = v
    problem = _problem["problem"]
    try:
        tight = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
        problem.solve(solver="CLARABEL", **tight)
    except cp.SolverError:
        problem.solve(solver="SCS", eps_abs=1e-10, eps_rel=1e-10, max_iters=100_000)
    return float(problem.value)


def supports(penalty: Any, v: np.ndarray, step: float) -> float:
    """Every set of coordinates that may stay, with the others zero."""
    masks = itertools.product((0.0, 1.0), repeat=v.size)
    return min(float(objective(penalty, v * np.array(mask), v, step)) for mask in masks)


def supports_then(project: Callable[[Any, np.ndarray], np.ndarray]) -> Callable[..., float]:
    """Every set of ``penalty.k`` coordinates, the others zero and these projected."""

    def oracle(penalty: Any, v: np.ndarray, step: float) -> float:
        best = np.inf
        for chosen in itertools.combinations(range(v.size), penalty.k):
            x = np.zeros_like(v)
            x[list(chosen)] = project(penalty, v[list(chosen)])
            best = min(best, float(0.5 * np.sum((x - v) ** 2)))
        return best

    return oracle


def radii(scalar: Callable[[Any, float], Any]) -> Callable[..., float]:
    """A grid for the length of each group: at the optimum its direction is that of the input."""

    def oracle(penalty: Any, v: np.ndarray, step: float) -> float:
        total = 0.0
        for g, weight in enumerate(penalty.weights):
            length = np.linalg.norm(v[penalty.groups.labels == g])
            total += float(grid(scalar(penalty, weight), np.array([[length]]), step)[0])
        return total

    return oracle


def singular_values(oracle: Callable[..., Any], lift: Callable[[Any], Any]) -> Callable[..., float]:
    """An oracle for the singular values: at the optimum the singular vectors are the input's."""

    def lifted(penalty: Any, v: np.ndarray, step: float) -> float:
        sigma = np.linalg.svd(v, compute_uv=False)
        rows = sigma[None] if oracle is grid else sigma
        return float(np.sum(oracle(lift(penalty), rows, step)))

    return lifted


def plane(penalty: Any, v: np.ndarray, step: float) -> float:
    """A fine grid over the plane, refined around its best point."""
    centre, width, best = np.zeros(2), 2.0 * float(np.max(np.abs(v))) + 1.0, np.inf
    for _ in range(6):
        line = np.linspace(-width, width, 161)
        points = np.stack([a.ravel() for a in np.meshgrid(centre[0] + line, centre[1] + line)])
        points = np.c_[
            points, np.stack([centre[0] + line, 0 * line]), np.stack([0 * line, centre[1] + line])
        ]
        values = 0.5 * np.sum((points - v[:, None]) ** 2, axis=0) + step * penalty.value(points)
        k = int(np.argmin(values))
        best, centre, width = min(best, float(values[k])), points[:, k], width / 20
    return best


def circle(penalty: Any, v: np.ndarray, step: float) -> float:
    """Every direction of the plane."""
    angle = np.linspace(0.0, 2.0 * np.pi, 40_001)
    points = penalty.radius * np.stack([np.cos(angle), np.sin(angle)])
    return float(np.min(0.5 * np.sum((points - v[:, None]) ** 2, axis=0)))


def _labels(rng: np.random.Generator, n: int = 6) -> np.ndarray:
    return np.r_[np.arange(3), rng.integers(0, 3, n - 3)]


def _level(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(-1.5, 1.0)))


def _weights(rng: np.random.Generator, n: int = 3) -> np.ndarray:
    return rng.uniform(0.5, 2.0, n)


P = penalties
ROWS = [
    # one number
    Row("l1", r"\lambda |x|", lambda r: P.L1(_level(r)), grid, "grid"),
    Row("nonnegative_l1", r"\lambda x,\ x \ge 0", lambda r: P.NonnegativeL1(_level(r)), grid, "grid"),
    Row("asymmetric_l1", r"\lambda_+ \max(x, 0) + \lambda_- \max(-x, 0)",
        lambda r: P.AsymmetricL1(_level(r), _level(r)), grid, "grid"),
    Row("elastic_net", r"\lambda |x| + \tfrac\mu2 x^2",
        lambda r: P.ElasticNet(_level(r), _level(r)), grid, "grid"),
    Row("squared_l2", r"\tfrac\mu2 x^2", lambda r: P.SquaredL2(_level(r)), grid, "grid"),
    Row("l0", r"\lambda [x \ne 0]", lambda r: P.L0(_level(r)), grid, "grid"),
    Row("lq", r"\lambda |x|^q",
        lambda r: P.Lq(_level(r), r.choice([0.1, 0.5, 2 / 3, 0.9])), grid, "grid"),
    Row("cel0", r"\lambda - \tfrac{c^2}2 \max(\tfrac{\sqrt{2\lambda}}c - |x|, 0)^2",
        lambda r: P.CEL0(_level(r), r.uniform(0.3, 2.0)), grid, "grid"),
    Row("mcp", r"\int_0^{|x|} \max(\lambda - \tfrac t\gamma, 0)\,dt",
        lambda r: P.MCP(_level(r), 0.5 + _level(r)), grid, "grid"),
    Row("scad", r"\lambda \int_0^{|x|} \min\bigl(1, \tfrac{\max(\gamma\lambda - t, 0)}{(\gamma-1)\lambda}\bigr)dt",
        lambda r: P.SCAD(_level(r), 2.1 + _level(r)), grid, "grid"),
    Row("log_sum", r"\lambda \log(1 + |x|/\varepsilon)",
        lambda r: P.LogSum(_level(r), _level(r)), grid, "grid"),
    Row("capped_l1", r"\lambda \min(|x|, \theta)",
        lambda r: P.CappedL1(_level(r), _level(r)), grid, "grid"),
    Row("geman", r"\lambda \tfrac{|x|}{|x| + \theta}",
        lambda r: P.Geman(_level(r), _level(r)), grid, "grid"),
    Row("etp", r"\lambda \tfrac{1 - e^{-\gamma|x|}}{1 - e^{-\gamma}}",
        lambda r: P.ETP(_level(r), _level(r)), grid, "grid"),
    Row("cauchy", r"\lambda \log(1 + x^2/\delta)",
        lambda r: P.Cauchy(_level(r), _level(r)), grid, "grid"),
    Row("huber", r"\lambda \int_0^{|x|} \min(t, \delta)\,dt",
        lambda r: P.Huber(_level(r), _level(r)), grid, "grid"),
    Row("hinge", r"\lambda \max(1 - x, 0)", lambda r: P.Hinge(_level(r)), grid, "grid"),
    Row("squared_hinge", r"\tfrac\lambda2 \max(1 - x, 0)^2",
        lambda r: P.SquaredHinge(_level(r)), grid, "grid"),
    Row("pinball", r"\lambda (\tau \max(x, 0) + (1-\tau) \max(-x, 0))",
        lambda r: P.Pinball(r.uniform(0, 1), _level(r)), grid, "grid"),
    Row("logistic", r"\lambda \log(1 + e^{-x})", lambda r: P.Logistic(_level(r)), grid, "grid"),
    Row("poisson", r"\lambda (x - b \log x)",
        lambda r: P.Poisson(float(r.integers(0, 5)), _level(r)), grid, "grid"),
    Row("project_box", r"l \le x \le u", lambda r: P.Box(-_level(r), _level(r)), grid, "grid"),
    # vectors and groups
    Row("l2", r"\lambda \|x\|", lambda r: P.L2(_level(r)), by_cvxpy, "cvxpy", 6),
    Row("linf", r"\lambda \|x\|_\infty", lambda r: P.LInf(_level(r)), by_cvxpy, "cvxpy", 6),
    Row("l21", r"\lambda \sum_i w_i \|X_{i\cdot}\|", lambda r: P.L21(_level(r), _weights(r)),
        by_cvxpy, "cvxpy", (3, 4)),
    Row("group_l2", r"\lambda \sum_g w_g \|x_g\|",
        lambda r: P.GroupL2(_level(r), _labels(r), _weights(r)), by_cvxpy, "cvxpy", 6),
    Row("group_linf", r"\lambda \sum_g w_g \|x_g\|_\infty",
        lambda r: P.GroupLInf(_level(r), _labels(r), _weights(r)), by_cvxpy, "cvxpy", 6),
    Row("group_lq", r"\lambda \sum_g w_g \|x_g\|^q",
        lambda r: P.GroupLq(_level(r), r.choice([0.3, 0.5]), _labels(r), _weights(r)),
        radii(lambda p, w: P.Lq(w * p.lam, p.q)), "grid of lengths", 6),
    Row("group_mcp", r"\sum_g \operatorname{mcp}(\|x_g\|; w_g\lambda, \gamma)",
        lambda r: P.GroupMCP(_level(r), 0.5 + _level(r), _labels(r), _weights(r)),
        radii(lambda p, w: P.MCP(w * p.lam, p.gamma)), "grid of lengths", 6),
    Row("group_scad", r"\sum_g \operatorname{scad}(\|x_g\|; w_g\lambda, \gamma)",
        lambda r: P.GroupSCAD(_level(r), 2.1 + _level(r), _labels(r), _weights(r)),
        radii(lambda p, w: P.SCAD(w * p.lam, p.gamma)), "grid of lengths", 6),
    Row("group_log_sum", r"\lambda \sum_g w_g \log(1 + \|x_g\|/\varepsilon)",
        lambda r: P.GroupLogSum(_level(r), _level(r), _labels(r), _weights(r)),
        radii(lambda p, w: P.LogSum(w * p.lam, p.eps)), "grid of lengths", 6),
    Row("sparse_group", r"\lambda_1 \|x\|_1 + \lambda_2 \sum_g w_g \|x_g\|",
        lambda r: P.SparseGroup(_level(r), _level(r), _labels(r), _weights(r)), by_cvxpy, "cvxpy", 6),
    Row("latent_group", r"\min \lambda \sum_g w_g \|z_g\|,\ \textstyle\sum_g z_g = x",
        lambda r: P.LatentGroup(_level(r), [[0, 1, 2], [2, 3], [3, 4, 5]], _weights(r)),
        by_cvxpy, "cvxpy", 6),
    Row("tree_groups", r"\lambda \sum_g w_g \|x_g\|,\ g\text{ nested}",
        lambda r: P.TreeGroups(_level(r), [[0, 1], [2, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]],
                               _weights(r, 4)), by_cvxpy, "cvxpy", 6),
    Row("group_envelope", r"\bigl(\tfrac12 \textstyle\sum_g d_g \|x_g\|^2,\ c\text{-budget }k\bigr)^{**}",
        lambda r: P.GroupEnvelope(_level(r), _labels(r), 2, _weights(r)), by_cvxpy, "cvxpy", 6),
    Row("k_support", r"\lambda \|x\|_k^{\text{support}}",
        lambda r: P.KSupport(_level(r), int(r.integers(1, 7))), by_cvxpy, "cvxpy", 6),
    Row("top_k_squared", r"\tfrac\lambda2 \textstyle\sum_{i \le k} |x|_{(i)}^2",
        lambda r: P.TopKSquared(_level(r), int(r.integers(1, 7))), by_cvxpy, "cvxpy", 6),
    Row("slope", r"\textstyle\sum_i \lambda_i |x|_{(i)}",
        lambda r: P.Slope(np.sort(r.uniform(0, 1.5, 6))[::-1]), by_cvxpy, "cvxpy", 6),
    Row("sum_largest", r"\lambda \textstyle\sum_{i \le k} |x|_{(i)}",
        lambda r: P.SumLargest(_level(r), int(r.integers(1, 7))), by_cvxpy, "cvxpy", 6),
    Row("l1_minus_l2", r"\lambda (\|x\|_1 - \alpha \|x\|)",
        lambda r: P.L1MinusL2(_level(r), r.uniform(0, 1)), plane, "grid in the plane", 2),
    Row("tv1d", r"\textstyle\sum_i \lambda_i |x_{i+1} - x_i|",
        lambda r: P.TV1D(_weights(r, 7)), by_cvxpy, "cvxpy", 8),
    Row("fused_lasso", r"\lambda_1 \|x\|_1 + \lambda_2 \textstyle\sum_i |x_{i+1} - x_i|",
        lambda r: P.FusedLasso(_level(r), _level(r)), by_cvxpy, "cvxpy", 8),
    Row("trend_filter", r"\lambda \|D^2 x\|_1",
        lambda r: P.TrendFilter(_level(r), 1, tol=1e-9), by_cvxpy, "cvxpy", 8),
    Row("tv2d", r"\lambda \textstyle\sum_{ij} \|(\nabla X)_{ij}\|",
        lambda r: P.TV2D((3, 4), _level(r), bool(r.integers(2)), tol=1e-9), by_cvxpy, "cvxpy", 12),
    # matrices
    Row("nuclear", r"\lambda \textstyle\sum_i \sigma_i(X)", lambda r: P.Nuclear(_level(r)),
        by_cvxpy, "cvxpy", (3, 4)),
    Row("schatten", r"\lambda \textstyle\sum_i \sigma_i(X)^q",
        lambda r: P.Schatten(_level(r), r.choice([0.3, 0.5])),
        singular_values(grid, lambda p: P.Lq(p.lam, p.q)), "grid of singular values", (3, 4)),
    Row("rank", r"\lambda \operatorname{rank}(X)", lambda r: P.Rank(_level(r)),
        singular_values(grid, lambda p: P.L0(p.lam)), "grid of singular values", (3, 4)),
    Row("project_rank", r"\operatorname{rank}(X) \le k", lambda r: P.LowRank(int(r.integers(0, 4))),
        singular_values(supports, lambda p: P.KSparse(p.k)), "enumeration", (3, 4)),
    # sets
    Row("project_simplex", r"x \ge 0,\ \textstyle\sum x_i = r", lambda r: P.Simplex(_level(r)),
        by_cvxpy, "cvxpy", 6),
    Row("project_capped_simplex", r"0 \le x \le u,\ \textstyle\sum c_i x_i = r",
        lambda r: P.CappedSimplex(_level(r), r.uniform(1, 2, 6), r.uniform(1, 2, 6)),
        by_cvxpy, "cvxpy", 6),
    Row("project_l1_ball", r"\textstyle\sum w_i |x_i| \le r",
        lambda r: P.L1Ball(_level(r), _weights(r, 6)), by_cvxpy, "cvxpy", 6),
    Row("project_l1_epigraph", r"\|x\|_1 \le t", lambda r: P.L1Epigraph(), by_cvxpy, "cvxpy", 6),
    Row("project_l2_ball", r"\|x\| \le r", lambda r: P.L2Ball(_level(r)), by_cvxpy, "cvxpy", 6),
    Row("project_linf_ball", r"\|x\|_\infty \le r", lambda r: P.LInfBall(_level(r)),
        by_cvxpy, "cvxpy", 6),
    Row("project_l21_ball", r"\textstyle\sum_g \|x_g\| \le r",
        lambda r: P.L21Ball(_level(r), _labels(r)), by_cvxpy, "cvxpy", 6),
    Row("project_l1inf_ball", r"\textstyle\sum_g \|x_g\|_\infty \le r",
        lambda r: P.L1InfBall(_level(r), _labels(r)), by_cvxpy, "cvxpy", 6),
    Row("project_sphere", r"\|x\| = r", lambda r: P.Sphere(_level(r)), circle, "grid of angles", 2),
    Row("project_halfspace", r"a^T x \le b",
        lambda r: P.Halfspace(r.standard_normal(6), r.standard_normal()), by_cvxpy, "cvxpy", 6),
    Row("project_hyperplane", r"a^T x = b",
        lambda r: P.Hyperplane(r.standard_normal(6), r.standard_normal()), by_cvxpy, "cvxpy", 6),
    Row("project_affine", r"A x = b",
        lambda r: P.Affine(r.standard_normal((2, 6)), r.standard_normal(2)), by_cvxpy, "cvxpy", 6),
    Row("project_second_order_cone", r"\|x\| \le t", lambda r: P.SecondOrderCone(),
        by_cvxpy, "cvxpy", 6),
    Row("project_psd", r"X \succeq 0", lambda r: P.PSDCone(), by_cvxpy, "cvxpy", (3, 3)),
    Row("project_isotonic", r"x_1 \le \dots \le x_n", lambda r: P.Isotonic(), by_cvxpy, "cvxpy", 6),
    Row("project_intersection", r"x \in C_1 \cap C_2",
        lambda r: P.Intersection([P.Box(-1.0, 1.0), P.Halfspace(r.standard_normal(6), 0.5)]),
        by_cvxpy, "cvxpy", 6),
    Row("project_top_k", r"\|x\|_0 \le k", lambda r: P.KSparse(int(r.integers(0, 7))),
        supports, "enumeration", 6),
    Row("project_group_top_k", r"\text{at most }k\text{ groups}",
        lambda r: P.GroupKSparse(int(r.integers(0, 4)), _labels(r)), supports, "enumeration", 6),
    Row("project_n_m", r"\text{at most }n\text{ of every }m", lambda r: P.NMSparse(2, 4),
        supports, "enumeration", 8),
    Row("project_sparse_simplex", r"\|x\|_0 \le k,\ x \in \text{simplex}",
        lambda r: P.SparseSimplex(int(r.integers(1, 5)), _level(r)),
        supports_then(lambda p, v: prox.project_simplex(v, p.radius)), "enumeration", 6),
    Row("project_sparse_l1_ball", r"\|x\|_0 \le k,\ \|x\|_1 \le r",
        lambda r: P.SparseL1Ball(int(r.integers(1, 5)), _level(r)),
        supports_then(lambda p, v: prox.project_l1_ball(v, p.radius)), "enumeration", 6),
]  # fmt: skip
