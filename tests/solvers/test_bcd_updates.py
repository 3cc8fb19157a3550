"""Update rules: the models' minimisers, and the decrease that each rule promises."""

import numpy as np
import pytest
from helpers import require
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from sparseopt import datasets, penalties
from sparseopt.losses import (
    Huber,
    LabelPropagation,
    LeastSquares,
    Logistic,
    Multinomial,
    Quadratic,
    SquaredHinge,
)
from sparseopt.solvers import bcd
from sparseopt.solvers._bcd_model import (
    cubic_step,
    group_step,
    largest_eigenvalue,
    separable_step,
    solve_spd,
)


def problem(name, seed=0, n=30, p=8):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p)) * rng.uniform(0.3, 2.0, p)
    y = rng.standard_normal(n)
    labels = np.where(rng.random(n) < 0.5, -1, 1)
    return {
        "squares": lambda: LeastSquares(A, y),
        "logistic": lambda: Logistic(A, labels),
        "huber": lambda: Huber(A, y, 0.5),
        "hinge": lambda: SquaredHinge(A, labels),
        "multinomial": lambda: Multinomial(A[:, :4], rng.integers(0, 3, n)),
        "quadratic": lambda: Quadratic(A.T @ A, A.T @ y),
    }[name]()


LOSSES = ["squares", "logistic", "huber", "hinge", "multinomial", "quadratic"]


def first_steps(loss, penalty=None, count=6, **options):
    """Objectives, iterates and blocks of the first steps, from the start on."""
    funs, points, blocks = [], [], []

    def note(state):
        funs.append(state.fun)
        points.append(state.x.ravel())
        blocks.append(state.block)
        if len(funs) == count:
            raise StopIteration

    x0 = np.random.default_rng(5).standard_normal(loss.shape) * 0.3
    if penalty is not None:
        x0 = penalty.prox(x0, 1e-3)
    start = loss.value(x0) + (0.0 if penalty is None else np.sum(penalty.value(x0)))
    bcd(loss, penalty, x0=x0, callback=note, tol=1e-300, rng=0, **options)
    return [float(start), *funs], [x0.ravel(), *points], blocks


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("update", ["gradient", "backtracking", "matrix", "newton", "cubic"])
def test_every_update_decreases_as_its_bound_promises(name, update):
    loss = problem(name)
    if update == "cubic" and name in ("huber", "hinge"):
        with pytest.raises(TypeError, match="third derivative"):
            bcd(loss, update=update)
        return
    funs, points, blocks = first_steps(loss, block_size=3, select="random", update=update)
    for before, after, x, block in zip(funs, funs[1:], points, blocks, strict=False):
        g = loss.gradient(x.reshape(loss.shape)).ravel()[block]
        H = loss.block_bound(block)
        promise = 0.0
        if update == "gradient":
            promise = g @ g / (2.0 * np.linalg.eigvalsh(H)[-1])
        elif update == "backtracking":  # estimates are shared, and at most twice too large
            everything = loss.block_bound(np.arange(x.size))
            promise = g @ g / (2.0 * max(2.0 * np.linalg.eigvalsh(everything)[-1], 1.0))
        elif update == "matrix":
            promise = 0.5 * g @ np.linalg.solve(H, g)
        assert before - after >= promise - 1e-12 * abs(before)
        assert after < before


@pytest.mark.parametrize("name", LOSSES)
def test_exact_blocks_agree_with_a_general_solver(name):
    loss = problem(name)
    funs, points, blocks = first_steps(
        loss, block_size=3, select="gsd", update="exact", count=2, blocks="variable"
    )
    x, block = points[0], blocks[0]

    def value(part):
        moved = x.copy()
        moved[block] = part
        return loss.value(moved.reshape(loss.shape))

    best = minimize(value, x[block], method="BFGS", options={"gtol": 1e-9}).fun
    assert funs[1] == pytest.approx(best, rel=1e-9)
    for update in ("newton", "cubic", "matrix", "gradient"):
        if update != "cubic" or name not in ("huber", "hinge"):
            others, _, same = first_steps(
                loss, block_size=3, select="gsd", diagonal="lipschitz", update=update, count=1
            )
            assert np.array_equal(same[0], block)
            assert others[1] >= funs[1] - 1e-12 * abs(funs[1])


COMPOSITES = {
    "l1": penalties.L1(2.0),
    "nonnegative": penalties.NonnegativeL1(1.0),
    "box": penalties.Box(-0.2, 0.3),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", COMPOSITES)
@pytest.mark.parametrize("update", ["gradient", "backtracking", "matrix", "newton", "two-metric"])
def test_no_composite_update_increases(name, kind, update):
    loss = problem(name)
    for blocks in ("variable", "order"):
        options = {"block_size": 3, "select": "gs-q", "update": update, "blocks": blocks}
        funs, _, _ = first_steps(loss, COMPOSITES[kind], **options)
        assert np.all(np.diff(funs) <= 1e-12 * abs(funs[0]))
        assert funs[-1] < funs[0]


@pytest.mark.parametrize("kind", COMPOSITES)
def test_second_order_updates_do_at_least_what_a_gradient_step_does(kind):
    """Proximal Newton is the best of the model; on quadratics the model is the function."""
    for seed in range(10):
        loss = problem("squares", seed)
        drop = {}
        for update in ("gradient", "matrix", "newton", "two-metric"):
            funs, _, _ = first_steps(
                loss, COMPOSITES[kind], block_size=4, select="gs-q", update=update, count=1
            )
            drop[update] = funs[0] - funs[1]
        assert drop["matrix"] >= drop["gradient"] - 1e-10
        assert drop["newton"] == pytest.approx(drop["matrix"], rel=1e-12)
        assert drop["matrix"] >= drop["two-metric"] - 1e-10
        assert drop["two-metric"] > 0


@given(st.integers(0, 10_000), st.integers(1, 7))
def test_separable_step_is_optimal(seed, size):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((size + rng.integers(0, 3), size)) * rng.uniform(0.1, 5, size)
    H, g = B.T @ B, rng.standard_normal(size) * 3
    lam = rng.uniform(0, 2, size) * (rng.random(size) < 0.7)
    lower = np.where(rng.random(size) < 0.5, -np.inf, -rng.random(size))
    upper = np.where(rng.random(size) < 0.5, np.inf, rng.random(size))
    x = np.clip(rng.standard_normal(size) * (rng.random(size) < 0.5), lower, upper)
    v = separable_step(H, g, x, lam, lower, upper)
    assert np.all((v >= lower) & (v <= upper))
    gradient = g + H @ (v - x)
    right = np.where(v >= upper, np.inf, np.where(v >= 0, lam, -lam))
    left = np.where(v <= lower, -np.inf, np.where(v <= 0, -lam, lam))
    slack = 1e-7 * (1 + np.abs(g).max())
    assert np.all(gradient + right >= -slack)
    assert np.all(gradient + left <= slack)


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_group_step_is_optimal(seed, size):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((size + 2, size))
    H, g, x = B.T @ B, rng.standard_normal(size) * 3, rng.standard_normal(size)
    level = rng.uniform(0, 4)
    v = group_step(H, g, x, level)
    gradient = g + H @ (v - x)
    if np.any(v):
        np.testing.assert_allclose(gradient, -level * v / np.linalg.norm(v), atol=1e-7)
    else:
        assert np.linalg.norm(gradient) <= level + 1e-9


@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(1e-6, 1e3))
def test_cubic_step_is_optimal(seed, size, M):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((rng.integers(1, size + 1), size))
    H, g = B.T @ B, rng.standard_normal(size)
    d = cubic_step(H, g, M)
    residual = g + H @ d + 0.5 * M * np.linalg.norm(d) * d
    np.testing.assert_allclose(residual, 0.0, atol=1e-7 * np.linalg.norm(g) * (1 + 1 / M))
    if size == 1:
        h = float(H[0, 0])
        closed = -2 * g / (h + np.sqrt(h * h + 2 * M * abs(g)))
        np.testing.assert_allclose(d, closed, rtol=1e-9)


def test_small_linear_algebra(rng):
    B = rng.standard_normal((9, 6))
    H, g = B.T @ B, rng.standard_normal(6)
    np.testing.assert_allclose(solve_spd(H, g), np.linalg.solve(H, g), rtol=1e-9)
    twice = np.kron(np.ones((2, 2)), H)  # every column double
    d = solve_spd(twice, np.concatenate([g, g]))
    np.testing.assert_allclose(twice @ d, np.concatenate([g, g]), atol=1e-6)
    C = rng.standard_normal((300, 250))
    exact = np.linalg.eigvalsh(C.T @ C)[-1]
    assert exact * (1 - 1e-2) <= largest_eigenvalue(C.T @ C) <= exact * 1.02
    assert largest_eigenvalue(H) == pytest.approx(np.linalg.eigvalsh(H)[-1])


def test_message_passing_is_the_exact_minimiser():
    W = datasets.lattice_graph(9, 8)
    loss = LabelPropagation(W, [0, 40], [1.0, -2.0])
    for blocks, select in (("forest", "gsd"), ("red-black", "cyclic"), ("variable", "gs")):
        options = {"blocks": blocks, "select": select, "update": "message-passing"}
        _, points, chosen = first_steps(loss, **options)
        for x, block in zip(points[1:], chosen, strict=False):
            assert np.abs(loss.gradient(x)[block]).max() < 1e-12
    greedy = first_steps(loss, update="message-passing", select="gs")[2][0]
    assert greedy.size > 35


def test_backtracking_estimates_shrink_on_demand():
    loss = problem("logistic")
    options = {"block_size": 3, "select": "gsl", "update": "backtracking", "tol": 1e-8}
    assert bcd(loss, **options).success
    assert bcd(loss, shrink=0.9, **options).success


@pytest.mark.extras
@pytest.mark.parametrize("name", ["squares", "logistic", "quadratic"])
@pytest.mark.parametrize("kind", [None, *COMPOSITES])
def test_agrees_with_cvxpy(name, kind):
    cp = require("cvxpy")
    loss = problem(name, 3)
    x = cp.Variable(8)
    if name == "squares":
        smooth = 0.5 * cp.sum_squares(loss.A @ x - loss.y)
    elif name == "logistic":
        smooth = cp.sum(cp.logistic(cp.multiply(-loss.y, loss.A @ x)))
    else:
        smooth = 0.5 * cp.quad_form(x, cp.psd_wrap(loss.Q)) - loss.q @ x
    penalty = COMPOSITES.get(kind)
    total = smooth if penalty is None else smooth + penalty.as_cvxpy(x)
    best = cp.Problem(cp.Minimize(total)).solve(solver="CLARABEL")
    updates = ["gradient", "matrix", "newton", *(["two-metric"] if penalty else ["cubic"])]
    for update in updates:
        result = bcd(loss, penalty, block_size=3, update=update, tol=1e-8)
        assert result.success
        assert result.fun == pytest.approx(best, rel=1e-6, abs=1e-7), update
