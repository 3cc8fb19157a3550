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

from sparseopt import penalties

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
    n : int
        Length of an input; 1 for scalar penalties, whose inputs are drawn by the hundred.
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
    n: int = 1
    size: int = 20


def measure(row: Row, count: int, seed: int = 0) -> float:
    """The largest excess objective over ``count`` random inputs, and over all steps."""
    rng = np.random.default_rng(seed)
    worst = -np.inf
    for _ in range(-(-count // row.size)):
        penalty = row.penalty(rng)
        step = float(rng.choice(STEPS))
        for v in inputs(row, rng):
            x = penalty.prox(v, step)
            ours = objective(penalty, x, v, step)
            worst = max(worst, float(np.max(ours - row.oracle(penalty, v, step))))
    return max(worst, 0.0)


def inputs(row: Row, rng: np.random.Generator) -> list[np.ndarray]:
    """Random points, small and large, some with ties and zeros."""
    scale = np.exp(rng.uniform(-1.5, 1.5, row.size))
    v = scale * rng.standard_normal((row.n, row.size))
    v[:, ::5] = np.round(v[:, ::5])
    return [v] if row.n == 1 else list(v.T.copy())


def objective(penalty: Any, x: Any, v: Any, step: float) -> Any:
    """``1/2 ||x - v||^2 + step * f(x)``, per column."""
    return 0.5 * np.sum(np.abs(x - v) ** 2, axis=0) + step * penalty.value(x)


def grid(penalty: Any, v: np.ndarray, step: float) -> np.ndarray:
    """A fine grid around zero, every kink and every input, refined twice."""
    columns = []
    for value in v[0]:
        reach = 3.0 * abs(value) + 3.0 * step + 3.0
        centre, width = 0.0, reach
        best = np.inf
        for _ in range(4):
            points = np.concatenate([np.linspace(centre - width, centre + width, 2001), [0.0]])
            values = objective(penalty, points[None], value, step)
            k = int(np.argmin(values))
            best, centre, width = min(best, float(values[k])), points[k], width / 250
        columns.append(best)
    return np.array(columns)


_problems: dict[Any, Any] = {}


def by_cvxpy(penalty: Any, v: np.ndarray, step: float) -> float:
    """An interior-point solver on the definition."""
    import cvxpy as cp

    if _problems.get("penalty") is not penalty:
        x, point, length = cp.Variable(v.size), cp.Parameter(v.size), cp.Parameter(nonneg=True)
        model = 0.5 * cp.sum_squares(x - point) + length * penalty.as_cvxpy(x)
        _problems.update(
            penalty=penalty, x=x, point=point, length=length, problem=cp.Problem(cp.Minimize(model))
        )
    _problems["point"].value, _problems["length"].value = v, step
    problem = _problems["problem"]
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    return float(problem.value)


def supports(penalty: Any, v: np.ndarray, step: float) -> float:
    """Every set of coordinates that may stay, with the others zero."""
    n = v.size
    best = np.inf
    for chosen in itertools.product((0.0, 1.0), repeat=n):
        best = min(best, float(objective(penalty, v * np.array(chosen), v, step)))
    return best


def _labels(rng: np.random.Generator, n: int = 6) -> np.ndarray:
    return np.r_[np.arange(3), rng.integers(0, 3, n - 3)]


def _level(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(-1.5, 1.0)))


ROWS = [
    Row("l1", r"\lambda \|x\|_1", lambda r: penalties.L1(_level(r)), grid, "grid"),
    Row("elastic_net", r"\lambda \|x\|_1 + \tfrac\mu2 \|x\|^2",
        lambda r: penalties.ElasticNet(_level(r), _level(r)), grid, "grid"),
    Row("l0", r"\lambda \|x\|_0", lambda r: penalties.L0(_level(r)), grid, "grid"),
    Row("lq", r"\lambda \sum |x_i|^q",
        lambda r: penalties.Lq(_level(r), r.choice([0.1, 0.5, 2 / 3, 0.9])), grid, "grid"),
    Row("mcp", r"\text{MCP}(\lambda, \gamma)",
        lambda r: penalties.MCP(_level(r), 1.5 + _level(r)), grid, "grid"),
    Row("group_l2", r"\lambda \sum_g w_g \|x_g\|",
        lambda r: penalties.GroupL2(_level(r), _labels(r), r.uniform(0.5, 2, 3)),
        by_cvxpy, "cvxpy", 6),
    Row("project_simplex", r"x \ge 0,\ \textstyle\sum x_i = r",
        lambda r: penalties.Simplex(_level(r)), by_cvxpy, "cvxpy", 6),
    Row("project_top_k", r"\|x\|_0 \le k", lambda r: penalties.KSparse(int(r.integers(0, 7))),
        supports, "enumeration", 6),
]  # fmt: skip
