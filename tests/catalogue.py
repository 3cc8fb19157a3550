"""The catalogue of operators, each measured against an oracle that knows only its definition.

The tests assert what is measured here, and the documentation prints it as a table. Every row holds
its function once more, in plain NumPy after the printed formula, with only the parameters read from
the penalty. That definition measures our point and the oracle's, so an operator that agrees with a
wrong ``value`` or ``as_cvxpy`` of its own does not pass. See `measure` for what is reported.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from sparseopt import penalties

STEPS = (0.1, 0.7, 1.0, 2.5, 10.0)
COUNT = 400  # inputs of a row, unless the row says otherwise
RESOLUTION = 1e-6  # how far above the minimum the best point of a grid may be
FEASIBLE = 1e-9  # how far outside a set a projection may be, times 1 + ||v||
AGREE = 1e-6  # how far the optimal value of ``as_cvxpy`` may be from the definition, relative
INF = np.inf


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
    value : callable
        ``value(penalty, x)`` is the function by its formula, and for a set how far ``x`` violates
        its constraints; entry by entry for scalar penalties.
    oracle : callable
        ``oracle(row, penalty, v, step)`` returns the smallest objective it can find, by `value`.
    kind : str
        What the oracle is, for the table.
    n : int or tuple of int
        Length or shape of an input; 1 for scalar penalties, whose inputs form one row.
    exact : bool
        Whether the oracle finds the minimum itself; the best point of a grid is a little above.
    is_set : bool
        Whether the operator is a projection.
    size : int
        Inputs for each penalty that is drawn.
    count : int
        Inputs in all.
    """

    name: str
    formula: str
    penalty: Callable[[np.random.Generator], Any]
    value: Callable[[Any, np.ndarray], Any]
    oracle: Callable[[Row, Any, np.ndarray, float], Any]
    kind: str
    n: int | tuple[int, ...] = 1
    exact: bool = False
    is_set: bool = False
    size: int = 20
    count: int = COUNT


def measure(row: Row, seed: int = 0) -> float:
    """The largest deviation over ``row.count`` random inputs, over random parameters and all steps.

    That is the distance of our objective ``1/2 ||x - v||^2 + step * f(x)`` from the minimum, either
    way, where the oracle is exact. Where it is a grid, it is the excess over the best point of the
    grid, but the distance again if ours is lower by more than the grid can explain. For sets it is
    the larger of that and the violation; infinite if a projection is outside its set.
    """
    rng = np.random.default_rng(seed)
    worst: Any = 0.0
    for i in range(-(-row.count // row.size)):
        penalty = row.penalty(rng)
        steps = steps_of(penalty)
        step = steps[i % len(steps)]
        for v in inputs(row, rng):
            x = penalty.prox(v, step)
            excess = objective(row, penalty, x, v, step) - row.oracle(row, penalty, v, step)
            below = np.where(excess < (0.0 if row.exact else -RESOLUTION), -excess, 0.0)
            worst = np.maximum(worst, np.max(np.maximum(excess, below)))  # keeps NaN, which fails
            if row.is_set:
                violation = np.max(row.value(penalty, x))
                inside = violation <= FEASIBLE * (1.0 + np.linalg.norm(v))
                worst = np.maximum(worst, violation if inside else INF)
    return float(worst)


def steps_of(penalty: Any) -> tuple[float, ...]:
    """The steps, with the one where weak convexity no longer suffices for a single minimiser."""
    rho = float(getattr(penalty, "weak_convexity", 0.0))
    return (*STEPS, 1.0 / rho) if 0.0 < rho < INF else STEPS


def inputs(row: Row, rng: np.random.Generator) -> list[np.ndarray]:
    """Random points, small and large, some with ties and zeros."""
    shape = (row.n,) if isinstance(row.n, int) else row.n
    points = []
    for i in range(row.size):
        v = np.exp(rng.uniform(-1.5, 1.5)) * rng.standard_normal(shape)
        points.append(np.round(v) if i % 5 == 0 else v)
    return [np.stack(points, axis=1)] if row.n == 1 else points


def objective(row: Row, penalty: Any, x: Any, v: Any, step: float) -> Any:
    """``1/2 ||x - v||^2 + step * f(x)`` by the definition of the row; without f for a set."""
    squares = 0.5 * np.abs(x - v) ** 2
    squares = squares[0] if row.n == 1 else np.sum(squares)
    if row.is_set:
        return squares
    value = row.value(penalty, x)
    return squares + step * (value[0] if row.n == 1 else value)


# Oracles


def minimum(f: Callable[[np.ndarray], np.ndarray], v: float, step: float) -> float:
    """``min 1/2 (x - v)^2 + step f(x)``: zero, and a grid refined in its three best basins."""

    def total(x: np.ndarray) -> np.ndarray:
        return 0.5 * (x - v) ** 2 + step * f(x)

    reach = 3.0 * (abs(v) + step + 1.0)
    points, width = np.linspace(-reach, reach, 20_001), 2.0 * reach / 20_000
    values = total(points)
    around = np.minimum(np.r_[INF, values[:-1]], np.r_[values[1:], INF])
    basins = np.flatnonzero((values <= around) & (values < INF))
    centres = points[basins[np.argsort(values[basins])[:3]]]
    best = min(float(np.min(values)), float(total(np.zeros(1))[0]))
    for _ in range(4):
        points = centres[:, None] + 1.5 * width * np.linspace(-1.0, 1.0, 401)
        values = total(points)
        centres = points[np.arange(len(points)), np.argmin(values, axis=1)]
        best, width = min(best, float(np.min(values))), 3.0 * width / 400
    return best


def grid(row: Row, penalty: Any, v: np.ndarray, step: float) -> np.ndarray:
    """The minimum for every number."""

    def f(x: np.ndarray) -> np.ndarray:
        value = row.value(penalty, x)
        return np.where(value > 0, INF, 0.0) if row.is_set else value

    return np.array([minimum(f, float(number), step) for number in v[0]])


_problem: dict[str, Any] = {}  # the last one, to be solved again for the next input


def by_cvxpy(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
    """An interior-point solver on ``as_cvxpy``, which must agree with the definition."""
    import cvxpy as cp

    if _problem.get("of") is not penalty or _problem["step"] != step:
        x, point = cp.Variable(v.shape), cp.Parameter(v.shape)
        model = 0.5 * cp.sum_squares(x - point) + step * penalty.as_cvxpy(x)
        problem = cp.Problem(cp.Minimize(model))
        _problem.update({"of": penalty, "step": step, "x": x, "point": point, "problem": problem})
    _problem["point"].value = v
    problem = _problem["problem"]
    for tol in (1e-12, 1e-10, 1e-8):  # the tightest that the solver can vouch for
        try:
            problem.solve(solver="CLARABEL", tol_gap_abs=tol, tol_gap_rel=tol, tol_feas=tol)
        except cp.SolverError:
            continue
        if problem.status == "optimal":
            break
    else:
        problem.solve(solver="SCS", eps_abs=1e-10, eps_rel=1e-10, max_iters=100_000)
    x = _problem["x"].value
    best = float(objective(row, penalty, x, v, step))
    assert abs(best - problem.value) <= AGREE * (1.0 + abs(best)), "as_cvxpy is another function"
    if row.is_set:
        violation = row.value(penalty, x)
        assert violation <= AGREE * (1.0 + np.linalg.norm(v)), "as_cvxpy is another set"
    return best


def supports(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
    """Every set of coordinates that may stay, the others zero; the nearest one that is allowed."""
    masks = np.array(list(itertools.product((0.0, 1.0), repeat=v.size)))
    squares = 0.5 * np.sum(((1.0 - masks) * v) ** 2, axis=1)
    for i in np.argsort(squares):
        if row.value(penalty, v * masks[i]) == 0.0:
            return float(squares[i])
    return INF


def faces(signed: bool) -> Callable[..., float]:
    """Every set of at most k coordinates, shifted onto the simplex: the best one that stays in it.

    ``signed`` is for the l1 ball: the sizes of the coordinates, and unshifted ones also serve.
    """

    def oracle(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
        sizes, best = np.abs(v) if signed else v, INF
        for k in range(penalty.k + 1):
            for chosen in map(list, itertools.combinations(range(v.size), k)):
                part = sizes[chosen]
                candidates = [part] if signed and np.sum(part) <= penalty.radius else []
                if k:
                    candidates.append(part + (penalty.radius - np.sum(part)) / k)
                for x in candidates:
                    if np.all(x >= 0):
                        rest = np.sum(sizes**2) - np.sum(part**2)
                        best = min(best, 0.5 * float(np.sum((x - part) ** 2) + rest))
        return best

    return oracle


def radii(f: Callable[[Any, float, np.ndarray], np.ndarray]) -> Callable[..., float]:
    """A grid for the length of each group: at the optimum its direction is that of the input."""

    def oracle(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
        pairs = zip(penalty.weights, _lengths(penalty, v), strict=True)
        return sum(minimum(lambda x, w=w: f(penalty, w, np.abs(x)), r, step) for w, r in pairs)

    return oracle


def singular_values(f: Callable[[Any, np.ndarray], np.ndarray]) -> Callable[..., float]:
    """A grid for each singular value: at the optimum the singular vectors are the input's."""

    def oracle(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
        return sum(minimum(lambda x: f(penalty, np.abs(x)), s, step) for s in _sigma(v))

    return oracle


def ranks(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
    """Every set of at most k singular values that may stay, the others zero."""
    chosen = itertools.combinations(_sigma(v) ** 2, penalty.k)
    return 0.5 * (float(np.sum(v**2)) - max(float(np.sum(c)) for c in chosen))


def plane(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
    """A grid over the plane with its axes, refined around three of its best points."""

    def look(centre: np.ndarray, width: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        a, b = centre[:, None] + width * np.linspace(-1.0, 1.0, count)
        square = np.stack([m.ravel() for m in np.meshgrid(a, b)])
        points = np.c_[square, np.stack([a, 0.0 * a]), np.stack([0.0 * b, b])]
        squares = 0.5 * np.sum((points - v[:, None]) ** 2, axis=0)
        return points, squares + step * row.value(penalty, points)

    reach = 2.0 * float(np.max(np.abs(v))) + 1.0
    points, values = look(np.zeros(2), reach, 161)
    best, spacing = INF, 2.0 * reach / 160
    for _ in range(3):
        centre, width = points[:, np.argmin(values)], 3.0 * spacing
        near = np.max(np.abs(points - centre[:, None]), axis=0) <= 5.0 * spacing
        values = np.where(near, INF, values)
        for _ in range(10):
            finer, lower = look(centre, width, 31)
            centre, width = finer[:, np.argmin(lower)], width / 6.0
            best = min(best, float(np.min(lower)))
    return best


def circle(row: Row, penalty: Any, v: np.ndarray, step: float) -> float:
    """Every direction of the plane, refined around the best one."""
    centre, width, best = np.pi, np.pi, INF
    for _ in range(3):
        angle = np.linspace(centre - width, centre + width, 20_001)
        points = penalty.radius * np.stack([np.cos(angle), np.sin(angle)])
        values = 0.5 * np.sum((points - v[:, None]) ** 2, axis=0)
        k = int(np.argmin(values))
        best, centre, width = min(best, float(values[k])), angle[k], width / 5_000
    return best


# Definitions that take more than a line


def _mcp(a: Any, lam: Any, gamma: float) -> Any:
    return np.where(a <= gamma * lam, lam * a - a**2 / (2 * gamma), gamma * lam**2 / 2)


def _scad(a: Any, lam: Any, gamma: float) -> Any:
    middle = (2 * gamma * lam * a - a**2 - lam**2) / (2 * (gamma - 1))
    return np.where(a <= lam, lam * a, np.where(a <= gamma * lam, middle, lam**2 * (gamma + 1) / 2))


def _poisson(x: np.ndarray, b: float) -> np.ndarray:
    return np.where(x < 0, INF, x - b * np.log(np.maximum(x, 1e-300)))


def _lengths(p: Any, x: np.ndarray, order: float = 2) -> np.ndarray:
    """The norm of each group."""
    labels = p.groups.labels
    return np.array([np.linalg.norm(x[labels == g], order) for g in range(labels.max() + 1)])


def _sigma(x: np.ndarray) -> np.ndarray:
    if not np.all(np.isfinite(x)):
        return np.full(min(x.shape), np.nan)  # the solver would raise
    return np.linalg.svd(x, compute_uv=False)


def _nonzero(sigma: np.ndarray) -> np.ndarray:
    """Singular values without those that are rounding: a product of factors is never quite singular."""
    return sigma[sigma > 1e-12 * (1.0 + np.max(sigma))]


def _largest(x: np.ndarray) -> np.ndarray:
    return np.sort(np.abs(x))[::-1]


def _envelope(r: np.ndarray, d: Any, c: Any, k: float) -> float:
    """The group envelope: the best of all sets of full shares, the other shares in proportion.

    Shares u of least ``1/2 sum d r^2 / u`` on ``0 <= u <= 1, sum c u <= k`` are 1 on some set and
    ``u = alpha r sqrt(d / c)`` elsewhere, with alpha spending what is left of k.
    """
    d, c = np.broadcast_to(d, r.shape), np.broadcast_to(c, r.shape)
    best, t = INF, r * np.sqrt(d / c)
    for mask in itertools.product((False, True), repeat=r.size):
        full = np.array(mask)
        left, want = k - np.sum(c[full]), np.sum((c * t)[~full])
        in_range = want == 0 or (left > 0 and np.max(t[~full]) * left <= want * (1 + 1e-12))
        if left < 0 or not in_range:
            continue
        rest = want**2 / left if want > 0 else 0.0
        best = min(best, 0.5 * float(np.sum((d * r**2)[full]) + rest))
    return best


LATENT = [[0, 1, 2], [2, 3], [3, 4, 5]]
TREE = [[0, 1], [2, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]


def _latent(p: Any, x: np.ndarray) -> float:
    """For the groups ``LATENT``: the best split of the two shared coordinates, by a zoomed grid."""
    w, centre, best = p.weights, 0.5 * x[2:4], INF
    width = 0.6 * float(np.max(np.abs(x[2:4]))) + 1e-300
    line = np.linspace(-1.0, 1.0, 25)
    for _ in range(30):
        a, b = centre[0] + width * line[:, None], centre[1] + width * line
        total = (
            w[0] * np.sqrt(x[0] ** 2 + x[1] ** 2 + a**2)
            + w[1] * np.sqrt((x[2] - a) ** 2 + b**2)
            + w[2] * np.sqrt((x[3] - b) ** 2 + x[4] ** 2 + x[5] ** 2)
        )
        i, j = np.unravel_index(np.argmin(total), total.shape)
        best, centre, width = min(best, float(total[i, j])), np.array([a[i, 0], b[j]]), width / 2.2
    return p.lam * best


def _variation(x: np.ndarray, up: Any, down: Any) -> float:
    d = np.diff(x)
    return float(np.sum(np.where(d > 0, up, down) * np.abs(d)))


def _variation2d(p: Any, x: np.ndarray) -> float:
    image = x.reshape(p.shape)
    h = np.broadcast_to(p.spacing, 2)
    dy = np.diff(image, axis=0, append=image[-1:]) / h[0]
    dx = np.diff(image, axis=1, append=image[:, -1:]) / h[1]
    sizes = np.sqrt(dy**2 + dx**2) if p.isotropic else np.abs(dy) + np.abs(dx)
    return float(p.lam * np.sum(sizes))


def _over(*amounts: Any) -> float:
    """The largest of what should be at most zero."""
    return float(np.max([0.0, *(np.max(a) for a in amounts)]))


def _off(*amounts: Any) -> float:
    """The largest of what should be zero."""
    return max(float(np.max(np.abs(a))) for a in amounts)


def _tail(x: np.ndarray, k: int) -> float:
    """What stands after the k largest."""
    return float(np.sum(_largest(x)[k:]))


def _labels(rng: np.random.Generator, n: int = 6) -> np.ndarray:
    return np.r_[np.arange(3), rng.integers(0, 3, n - 3)]


def _level(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(-1.5, 1.0)))


def _weights(rng: np.random.Generator, n: int = 3) -> np.ndarray:
    return rng.uniform(0.5, 2.0, n)


P = penalties
CONVEX = {"oracle": by_cvxpy, "kind": "cvxpy", "exact": True}
CONVEX_SET = {**CONVEX, "is_set": True}
GRID = {"oracle": grid, "kind": "grid"}
ALL = {"kind": "enumeration", "exact": True, "is_set": True}
ROWS = [
    # one number
    Row("l1", r"\lambda |x|", lambda r: P.L1(_level(r)), lambda p, x: p.lam * abs(x), **GRID),
    Row("nonnegative_l1", r"\lambda x,\ x \ge 0", lambda r: P.NonnegativeL1(_level(r)),
        lambda p, x: np.where(x < 0, INF, p.lam * x), **GRID),
    Row("asymmetric_l1", r"\lambda_+ \max(x, 0) + \lambda_- \max(-x, 0)",
        lambda r: P.AsymmetricL1(_level(r), _level(r)),
        lambda p, x: p.lam_plus * np.maximum(x, 0) + p.lam_minus * np.maximum(-x, 0), **GRID),
    Row("elastic_net", r"\lambda |x| + \tfrac\mu2 x^2", lambda r: P.ElasticNet(_level(r), _level(r)),
        lambda p, x: p.lam * abs(x) + p.mu / 2 * x**2, **GRID),
    Row("squared_l2", r"\tfrac\mu2 x^2", lambda r: P.SquaredL2(_level(r)),
        lambda p, x: p.mu / 2 * x**2, **GRID),
    Row("l0", r"\lambda [x \ne 0]", lambda r: P.L0(_level(r)), lambda p, x: p.lam * (x != 0), **GRID),
    Row("lq", r"\lambda |x|^q", lambda r: P.Lq(_level(r), r.choice([0.1, 0.5, 2 / 3, 0.9])),
        lambda p, x: p.lam * abs(x) ** p.q, **GRID),
    Row("cel0", r"\lambda - \tfrac{c^2}2 \max(\tfrac{\sqrt{2\lambda}}c - |x|, 0)^2",
        lambda r: P.CEL0(_level(r), r.uniform(0.3, 2.0)),
        lambda p, x: p.lam - p.norms**2 / 2 * np.maximum(np.sqrt(2 * p.lam) / p.norms - abs(x), 0) ** 2,
        **GRID),
    Row("mcp", r"\int_0^{|x|} \max(\lambda - \tfrac t\gamma, 0)\,dt",
        lambda r: P.MCP(_level(r), 0.5 + _level(r)), lambda p, x: _mcp(abs(x), p.lam, p.gamma), **GRID),
    Row("scad", r"\lambda \int_0^{|x|} \min\bigl(1, \tfrac{\max(\gamma\lambda - t, 0)}{(\gamma-1)\lambda}\bigr)dt",
        lambda r: P.SCAD(_level(r), 2.1 + _level(r)), lambda p, x: _scad(abs(x), p.lam, p.gamma), **GRID),
    Row("log_sum", r"\lambda \log(1 + |x|/\varepsilon)", lambda r: P.LogSum(_level(r), _level(r)),
        lambda p, x: p.lam * np.log(1 + abs(x) / p.eps), **GRID),
    Row("capped_l1", r"\lambda \min(|x|, \theta)", lambda r: P.CappedL1(_level(r), _level(r)),
        lambda p, x: p.lam * np.minimum(abs(x), p.threshold), **GRID),
    Row("geman", r"\lambda \tfrac{|x|}{|x| + \theta}", lambda r: P.Geman(_level(r), _level(r)),
        lambda p, x: p.lam * abs(x) / (abs(x) + p.threshold), **GRID),
    Row("etp", r"\lambda \tfrac{1 - e^{-\gamma|x|}}{1 - e^{-\gamma}}", lambda r: P.ETP(_level(r), _level(r)),
        lambda p, x: p.lam * (1 - np.exp(-p.gamma * abs(x))) / (1 - np.exp(-p.gamma)), **GRID),
    Row("cauchy", r"\lambda \log(1 + x^2/\delta)", lambda r: P.Cauchy(_level(r), _level(r)),
        lambda p, x: p.lam * np.log(1 + x**2 / p.delta), **GRID),
    Row("huber", r"\lambda \int_0^{|x|} \min(t, \delta)\,dt", lambda r: P.Huber(_level(r), _level(r)),
        lambda p, x: p.lam * np.where(abs(x) <= p.delta, x**2 / 2, p.delta * abs(x) - p.delta**2 / 2), **GRID),
    Row("hinge", r"\lambda \max(1 - x, 0)", lambda r: P.Hinge(_level(r)),
        lambda p, x: p.lam * np.maximum(1 - x, 0), **GRID),
    Row("squared_hinge", r"\tfrac\lambda2 \max(1 - x, 0)^2", lambda r: P.SquaredHinge(_level(r)),
        lambda p, x: p.lam / 2 * np.maximum(1 - x, 0) ** 2, **GRID),
    Row("pinball", r"\lambda (\tau \max(x, 0) + (1-\tau) \max(-x, 0))",
        lambda r: P.Pinball(r.uniform(0, 1), _level(r)),
        lambda p, x: p.lam * (p.tau * np.maximum(x, 0) + (1 - p.tau) * np.maximum(-x, 0)), **GRID),
    Row("logistic", r"\lambda \log(1 + e^{-x})", lambda r: P.Logistic(_level(r)),
        lambda p, x: p.lam * np.logaddexp(0, -x), **GRID),
    Row("poisson", r"\lambda (x - b \log x)", lambda r: P.Poisson(float(r.integers(0, 5)), _level(r)),
        lambda p, x: p.lam * _poisson(x, p.counts), **GRID),
    Row("project_box", r"l \le x \le u", lambda r: P.Box(-_level(r), _level(r)),
        lambda p, x: np.maximum(np.maximum(p.lower - x, x - p.upper), 0), **GRID, is_set=True),
    # vectors and groups
    Row("l1", r"\textstyle\sum_i \lambda_i |x_i|", lambda r: P.L1(_weights(r, 6)),
        lambda p, x: np.sum(p.lam * abs(x)), **CONVEX, n=6),
    Row("l2", r"\lambda \|x\|", lambda r: P.L2(_level(r)),
        lambda p, x: p.lam * np.linalg.norm(x), **CONVEX, n=6),
    Row("linf", r"\lambda \|x\|_\infty", lambda r: P.LInf(_level(r)),
        lambda p, x: p.lam * np.max(abs(x)), **CONVEX, n=6),
    Row("l21", r"\lambda \sum_i w_i \|X_{i\cdot}\|", lambda r: P.L21(_level(r), _weights(r)),
        lambda p, x: p.lam * np.sum(p.weights * np.linalg.norm(x, axis=1)), **CONVEX, n=(3, 4)),
    Row("group_l2", r"\lambda \sum_g w_g \|x_g\|", lambda r: P.GroupL2(_level(r), _labels(r), _weights(r)),
        lambda p, x: p.lam * np.sum(p.weights * _lengths(p, x)), **CONVEX, n=6),
    Row("group_linf", r"\lambda \sum_g w_g \|x_g\|_\infty",
        lambda r: P.GroupLInf(_level(r), _labels(r), _weights(r)),
        lambda p, x: p.lam * np.sum(p.weights * _lengths(p, x, INF)), **CONVEX, n=6),
    Row("group_lq", r"\lambda \sum_g w_g \|x_g\|^q",
        lambda r: P.GroupLq(_level(r), r.choice([0.3, 0.5]), _labels(r), _weights(r)),
        lambda p, x: p.lam * np.sum(p.weights * _lengths(p, x) ** p.q),
        radii(lambda p, w, a: w * p.lam * a**p.q), "grid of lengths", 6),
    Row("group_mcp", r"\sum_g \operatorname{mcp}(\|x_g\|; w_g\lambda, \gamma)",
        lambda r: P.GroupMCP(_level(r), 0.5 + _level(r), _labels(r), _weights(r)),
        lambda p, x: np.sum(_mcp(_lengths(p, x), p.weights * p.lam, p.gamma)),
        radii(lambda p, w, a: _mcp(a, w * p.lam, p.gamma)), "grid of lengths", 6),
    Row("group_scad", r"\sum_g \operatorname{scad}(\|x_g\|; w_g\lambda, \gamma)",
        lambda r: P.GroupSCAD(_level(r), 2.1 + _level(r), _labels(r), _weights(r)),
        lambda p, x: np.sum(_scad(_lengths(p, x), p.weights * p.lam, p.gamma)),
        radii(lambda p, w, a: _scad(a, w * p.lam, p.gamma)), "grid of lengths", 6),
    Row("group_log_sum", r"\lambda \sum_g w_g \log(1 + \|x_g\|/\varepsilon)",
        lambda r: P.GroupLogSum(_level(r), _level(r), _labels(r), _weights(r)),
        lambda p, x: p.lam * np.sum(p.weights * np.log(1 + _lengths(p, x) / p.eps)),
        radii(lambda p, w, a: w * p.lam * np.log(1 + a / p.eps)), "grid of lengths", 6),
    Row("sparse_group", r"\lambda_1 \|x\|_1 + \lambda_2 \sum_g w_g \|x_g\|",
        lambda r: P.SparseGroup(_level(r), _level(r), _labels(r), _weights(r)),
        lambda p, x: p.lam_l1 * np.sum(abs(x)) + p.lam_group * np.sum(p.weights * _lengths(p, x)),
        **CONVEX, n=6, count=100),
    Row("latent_group", r"\min \lambda \sum_g w_g \|z_g\|,\ \textstyle\sum_g z_g = x",
        lambda r: P.LatentGroup(_level(r), LATENT, _weights(r)), _latent,
        by_cvxpy, "cvxpy; f by a grid of splits", 6, exact=True, count=100),
    Row("tree_groups", r"\lambda \sum_g w_g \|x_g\|,\ g\text{ nested}",
        lambda r: P.TreeGroups(_level(r), TREE, _weights(r, 4)),
        lambda p, x: p.lam * sum(w * np.linalg.norm(x[g]) for w, g in zip(p.weights, TREE, strict=True)),
        **CONVEX, n=6, count=100),
    Row("group_envelope", r"\lambda \bigl(\tfrac12 \textstyle\sum_g d_g \|x_g\|^2,\ \text{at most }k\text{ groups}\bigr)^{**}",
        lambda r: P.GroupEnvelope(_level(r), _labels(r), 2, _weights(r)),
        lambda p, x: p.lam * _envelope(_lengths(p, x), p.weights, 1.0, p.k),
        by_cvxpy, "cvxpy; f by enumeration", 6, exact=True, count=100),
    Row("group_envelope", r"\lambda \min_u \tfrac12 \textstyle\sum_g d_g \|x_g\|^2 / u_g,\ 0 \le u \le 1,\ c^T u \le k",
        lambda r: P.GroupEnvelope(_level(r), _labels(r), r.uniform(0.5, 4), _weights(r), _weights(r)),
        lambda p, x: p.lam * _envelope(_lengths(p, x), p.weights, p.costs, p.k),
        by_cvxpy, "cvxpy; f by enumeration", 6, exact=True, count=100),
    Row("k_support", r"\lambda \|x\|_k^{\text{support}}", lambda r: P.KSupport(_level(r), int(r.integers(1, 7))),
        lambda p, x: p.lam * np.sqrt(2 * _envelope(abs(x), 1.0, 1.0, p.k)),
        by_cvxpy, "cvxpy; f by enumeration", 6, exact=True, count=100),
    Row("top_k_squared", r"\tfrac\lambda2 \textstyle\sum_{i \le k} |x|_{(i)}^2",
        lambda r: P.TopKSquared(_level(r), int(r.integers(1, 7))),
        lambda p, x: p.lam / 2 * np.sum(_largest(x)[: p.k] ** 2), **CONVEX, n=6),
    Row("slope", r"\textstyle\sum_i \lambda_i |x|_{(i)}", lambda r: P.Slope(np.sort(r.uniform(0, 1.5, 6))[::-1]),
        lambda p, x: np.sum(p.lam * _largest(x)), **CONVEX, n=6),
    Row("sum_largest", r"\lambda \textstyle\sum_{i \le k} |x|_{(i)}",
        lambda r: P.SumLargest(_level(r), int(r.integers(1, 7))),
        lambda p, x: p.lam * np.sum(_largest(x)[: p.k]), **CONVEX, n=6),
    Row("l1_minus_l2", r"\lambda (\|x\|_1 - \alpha \|x\|)", lambda r: P.L1MinusL2(_level(r), r.uniform(0, 1)),
        lambda p, x: p.lam * (np.sum(abs(x), axis=0) - p.alpha * np.sqrt(np.sum(x**2, axis=0))),
        plane, "grid in the plane", 2),
    Row("tv1d", r"\textstyle\sum_i \lambda^+_i \max(d_i, 0) + \lambda^-_i \max(-d_i, 0),\ d_i = x_{i+1} - x_i",
        lambda r: P.TV1D(_weights(r, 7), _weights(r, 7) if r.integers(2) else None),
        lambda p, x: _variation(x, p.lam, p.lam if p.lam_minus is None else p.lam_minus), **CONVEX, n=8),
    Row("fused_lasso", r"\lambda_1 \|x\|_1 + \textstyle\sum_i \lambda_i |x_{i+1} - x_i|",
        lambda r: P.FusedLasso(_level(r), _weights(r, 7)),
        lambda p, x: p.lam_l1 * np.sum(abs(x)) + _variation(x, p.lam_tv, p.lam_tv), **CONVEX, n=8),
    Row("trend_filter", r"\lambda \|D^{r + 1} x\|_1,\ r \le 2",
        lambda r: P.TrendFilter(_level(r), int(r.integers(3)), tol=1e-9),
        lambda p, x: np.sum(p.lam * abs(np.diff(x, p.order + 1))), **CONVEX, n=8, count=100),
    Row("tv2d", r"\lambda \textstyle\sum_{ij} \|(\nabla X)_{ij}\|",
        lambda r: P.TV2D((3, 4), _level(r), bool(r.integers(2)), spacing=_weights(r, 2), tol=1e-9),
        _variation2d, **CONVEX, n=12, count=100),
    # matrices
    Row("nuclear", r"\lambda \textstyle\sum_i \sigma_i(X)", lambda r: P.Nuclear(_level(r)),
        lambda p, x: p.lam * np.sum(_sigma(x)), **CONVEX, n=(3, 4)),
    Row("schatten", r"\lambda \textstyle\sum_i \sigma_i(X)^q",
        lambda r: P.Schatten(_level(r), r.choice([0.3, 0.5])),
        lambda p, x: p.lam * np.sum(_nonzero(_sigma(x)) ** p.q),
        singular_values(lambda p, s: p.lam * s**p.q), "grid of singular values", (3, 4)),
    Row("rank", r"\lambda \operatorname{rank}(X)", lambda r: P.Rank(_level(r)),
        lambda p, x: p.lam * _nonzero(_sigma(x)).size,
        singular_values(lambda p, s: p.lam * (s != 0)), "grid of singular values", (3, 4)),
    Row("project_rank", r"\operatorname{rank}(X) \le k", lambda r: P.LowRank(int(r.integers(0, 4))),
        lambda p, x: np.sum(_sigma(x)[p.k :]), ranks, n=(3, 4), **ALL),
    # sets
    Row("project_simplex", r"x \ge 0,\ \textstyle\sum x_i = r", lambda r: P.Simplex(_level(r)),
        lambda p, x: max(_over(-x), _off(np.sum(x) - p.radius)), **CONVEX_SET, n=6),
    Row("project_capped_simplex", r"0 \le x \le u,\ \textstyle\sum c_i x_i = r",
        lambda r: P.CappedSimplex(_level(r), r.uniform(1, 2, 6), r.uniform(1, 2, 6)),
        lambda p, x: max(_over(-x, x - p.upper), _off(np.sum(p.costs * x) - p.radius)), **CONVEX_SET, n=6),
    Row("project_l1_ball", r"\textstyle\sum w_i |x_i| \le r", lambda r: P.L1Ball(_level(r), _weights(r, 6)),
        lambda p, x: _over(np.sum(p.weights * abs(x)) - p.radius), **CONVEX_SET, n=6),
    Row("project_l1_epigraph", r"\|x\|_1 \le t", lambda r: P.L1Epigraph(),
        lambda p, x: _over(np.sum(abs(x[:-1])) - x[-1]), **CONVEX_SET, n=6),
    Row("project_l2_ball", r"\|x\| \le r", lambda r: P.L2Ball(_level(r)),
        lambda p, x: _over(np.linalg.norm(x) - p.radius), **CONVEX_SET, n=6),
    Row("project_linf_ball", r"\|x\|_\infty \le r", lambda r: P.LInfBall(_level(r)),
        lambda p, x: _over(abs(x) - p.radius), **CONVEX_SET, n=6),
    Row("project_l21_ball", r"\textstyle\sum_g w_g \|x_g\| \le r",
        lambda r: P.L21Ball(_level(r), _labels(r), _weights(r)),
        lambda p, x: _over(np.sum(p.weights * _lengths(p, x)) - p.radius), **CONVEX_SET, n=6),
    Row("project_l1inf_ball", r"\textstyle\sum_g w_g \|x_g\|_\infty \le r",
        lambda r: P.L1InfBall(_level(r), _labels(r), _weights(r)),
        lambda p, x: _over(np.sum(p.weights * _lengths(p, x, INF)) - p.radius), **CONVEX_SET, n=6),
    Row("project_sphere", r"\|x\| = r", lambda r: P.Sphere(_level(r)),
        lambda p, x: _off(np.linalg.norm(x) - p.radius), circle, "grid of angles", 2, is_set=True),
    Row("project_halfspace", r"a^T x \le b", lambda r: P.Halfspace(r.standard_normal(6), r.standard_normal()),
        lambda p, x: _over(p.a @ x - p.b), **CONVEX_SET, n=6),
    Row("project_hyperplane", r"a^T x = b", lambda r: P.Hyperplane(r.standard_normal(6), r.standard_normal()),
        lambda p, x: _off(p.a @ x - p.b), **CONVEX_SET, n=6),
    Row("project_affine", r"A x = b", lambda r: P.Affine(r.standard_normal((2, 6)), r.standard_normal(2)),
        lambda p, x: _off(p._system.A @ x - p._system.b), **CONVEX_SET, n=6),
    Row("project_second_order_cone", r"\|x\| \le t", lambda r: P.SecondOrderCone(),
        lambda p, x: _over(np.linalg.norm(x[:-1]) - x[-1]), **CONVEX_SET, n=6),
    Row("project_psd", r"X \succeq 0", lambda r: P.PSDCone(),
        lambda p, x: max(_over(-np.linalg.eigvalsh((x + x.T) / 2)), _off(x - x.T)), **CONVEX_SET, n=(3, 3)),
    Row("project_isotonic", r"x_1 \le \dots \le x_n", lambda r: P.Isotonic(),
        lambda p, x: _over(-np.diff(x)), **CONVEX_SET, n=6),
    Row("project_intersection", r"-1 \le x \le 1,\ a^T x \le \tfrac12",
        lambda r: P.Intersection([P.Box(-1.0, 1.0), P.Halfspace(r.standard_normal(6), 0.5)]),
        lambda p, x: _over(abs(x) - 1.0, p.sets[1].a @ x - 0.5), **CONVEX_SET, n=6),
    Row("project_top_k", r"\|x\|_0 \le k", lambda r: P.KSparse(int(r.integers(0, 7))),
        lambda p, x: _tail(x, p.k), supports, n=6, **ALL),
    Row("project_group_top_k", r"\text{at most }k\text{ groups}",
        lambda r: P.GroupKSparse(int(r.integers(0, 4)), _labels(r)),
        lambda p, x: _tail(_lengths(p, x), p.k), supports, n=6, **ALL),
    Row("project_n_m", r"\text{at most }n\text{ of every }m", lambda r: P.NMSparse(2, 4),
        lambda p, x: sum(_tail(run, p.n) for run in x.reshape(-1, p.m)), supports, n=8, **ALL),
    Row("project_sparse_simplex", r"\|x\|_0 \le k,\ x \ge 0,\ \textstyle\sum x_i = r",
        lambda r: P.SparseSimplex(int(r.integers(1, 5)), _level(r)),
        lambda p, x: max(_over(-x), _off(np.sum(x) - p.radius), _tail(x, p.k)), faces(False), n=6, **ALL),
    Row("project_sparse_l1_ball", r"\|x\|_0 \le k,\ \|x\|_1 \le r",
        lambda r: P.SparseL1Ball(int(r.integers(1, 5)), _level(r)),
        lambda p, x: max(_over(np.sum(abs(x)) - p.radius), _tail(x, p.k)), faces(True), n=6, **ALL),
]  # fmt: skip
