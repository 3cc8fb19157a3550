"""The experiments of Nutini et al. in small: which rule is faster, by a factor of at least 2."""

import itertools

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from sparseopt import datasets, penalties
from sparseopt.losses import LabelPropagation, LeastSquares, Logistic
from sparseopt.solvers import bcd, colour_partition, comb_partition, compare_bcd, forest_partition

SEEDS = [1, 2, 3]
FB, VB = {"blocks": "sort"}, {"blocks": "variable"}
FAST = pytest.param(True, id="small")
FULL = pytest.param(False, id="full", marks=pytest.mark.slow)


def excess(loss, grid, best=0.0, penalty=None, **common):
    """How far each run ends above the optimum."""
    runs = compare_bcd(loss, grid, penalty, tol=1e-300, rng=0, **common)
    return {name: max(run.fun - best, 0.0) for name, run in runs.items()}


def separated(ends, *classes, factor=2.0):
    """Every run of a class ends lower, by the factor, than every run of the next."""
    for better, worse in itertools.pairwise(classes):
        high, low = max(ends[name] for name in better), min(ends[name] for name in worse)
        assert factor * high <= low, (better, worse, ends)


def regression(seed, small):
    d = datasets.sparse_regression(*((100, 1000) if small else (300, 3000)), rng=seed)
    return LeastSquares(d.A, d.y)


def pairs(*rules):
    kinds = (("FB", FB), ("VB", VB))
    return {f"{rule}-{name}": {"select": rule, **kind} for rule in rules for name, kind in kinds}


@pytest.mark.parametrize("small", [FAST, FULL])
@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_updates_on_least_squares(seed, small):
    """Figure 4: what knows the Lipschitz constants, then what knows the gradient, then nothing."""
    loss = regression(seed, small)
    rules = ("gsl", "gs", "cyclic", "random", "lipschitz")
    ends = excess(
        loss, pairs(*rules), update="gradient", block_size=5, max_iter=100 if small else 200
    )
    separated(ends, ["gsl-VB", "gsl-FB"], ["gs-VB"], ["gs-FB"])
    separated(ends, ["gs-FB"], ["cyclic-VB", "random-VB", "lipschitz-VB"])
    if not small:
        separated(ends, ["gs-FB"], ["cyclic-FB", "random-FB", "lipschitz-FB"])


@pytest.mark.parametrize("small", [FAST, FULL])
@pytest.mark.parametrize("seed", SEEDS)
def test_matrix_updates_on_least_squares(seed, small):
    """Figure 5."""
    loss = regression(seed, small)
    ends = excess(
        loss,
        pairs("gsq", "gsd", "gsl", "gs"),
        update="matrix",
        block_size=5,
        max_iter=60 if small else 200,
    )
    fixed = ["gsq-FB", "gsd-FB", "gsl-FB"]
    separated(ends, ["gsq-VB", "gsd-VB"], [*fixed, "gsl-VB"], ["gs-FB"])
    if not small:
        separated(ends, ["gsq-VB", "gsd-VB"], ["gsl-VB"], fixed, ["gs-FB"])
        separated(ends, ["gsl-VB"], ["gs-VB"], ["gs-FB"])


@pytest.mark.parametrize("small", [FAST, FULL])
@pytest.mark.parametrize("seed", SEEDS)
def test_partitions(seed, small):
    """Figure 10: sorting by the Lipschitz constants."""
    loss = regression(seed, small)
    grid = {
        f"{rule}-{blocks}": {"select": rule, "blocks": blocks, "diagonal": diagonal}
        for rule, diagonal in (("gsl", None), ("gsd", "lipschitz"))
        for blocks in ("sort", "average", "order")
    }
    ends = excess(loss, grid, update="gradient", block_size=5, max_iter=100 if small else 200)
    separated(ends, ["gsl-sort", "gsd-sort"], ["gsl-order"])
    if not small:
        separated(ends, ["gsl-sort", "gsd-sort"], ["gsl-average"], ["gsl-order"])
    separated(ends, ["gsl-order"], ["gsd-average", "gsd-order"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_newton_updates_on_logistic_regression(seed):
    """Figure 12; large variable blocks by scores of single coordinates pick redundant columns."""
    d = datasets.sparse_classification(200, 1000, rng=seed)
    loss = Logistic(d.A, d.y)
    grid = pairs("gsq", "gsd", "gs")
    ends = excess(loss, grid, update="newton", block_size=5, max_iter=150)
    separated(ends, ["gsd-VB", "gsq-VB"], ["gsq-FB", "gsd-FB"], ["gs-VB"], ["gs-FB"])
    ends = excess(loss, grid, update="newton", block_size=50, max_iter=60)
    separated(ends, ["gsq-VB", "gsq-FB", "gsd-FB"], ["gs-FB"], ["gs-VB"])
    separated(ends, ["gsq-VB", "gsq-FB", "gsd-FB"], ["gsd-VB"], ["gs-VB"])


def propagation(W, count, labels, seed):
    """Label propagation from random nodes, drawn again until every component has one."""
    rng = np.random.default_rng(seed)
    while True:
        labelled = rng.choice(W.shape[0], count, replace=False)
        try:
            return LabelPropagation(W, labelled, labels(rng, labelled))
        except ValueError:
            continue


def graph_grid(loss, forests):
    exact = {"update": "message-passing"}
    size = round(loss.shape[0] ** (1 / 3))
    return {
        "greedy": {"select": "gs", **exact},
        "random": {"select": "random", **exact},
        "general": {"select": "gs", "update": "matrix", "block_size": size},
        "red-black": {"select": "gs", "blocks": "red-black"},
        "red-black-order": {
            "select": "gs", "blocks": colour_partition(loss.Q, order="natural"), **exact,
        },
        **{name: {"select": "gs", "blocks": blocks, **exact} for name, blocks in forests.items()},
    }  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_forests_on_a_lattice(seed):
    """Figure 6, D."""
    W = datasets.lattice_graph(30, 30, 1e5)
    loss = propagation(W, 36, lambda rng, nodes: 10 * rng.standard_normal(36), seed)
    best = loss.value(spsolve(loss.Q.tocsc(), loss.q))
    forests = {
        "comb": comb_partition(30, 30, nodes=loss.unlabelled),
        "order": forest_partition(loss.Q, order="natural"),
    }
    ends = excess(loss, graph_grid(loss, forests), best, max_iter=60)
    separated(ends, ["greedy", "comb"], ["order", "random"], ["red-black"], ["general"])
    assert ends["greedy"] <= 1.05 * ends["comb"]


@pytest.mark.parametrize("seed", SEEDS)
def test_forests_on_two_moons(seed):
    """Figure 6, E."""
    X, moon = datasets.two_moons(600, rng=seed)
    W = datasets.neighbour_graph(X, 5)
    loss = propagation(W, 30, lambda rng, nodes: moon[nodes] + 1.0, seed)
    best = loss.value(spsolve(loss.Q.tocsc(), loss.q))
    forests = {"lipschitz": forest_partition(loss.Q)}
    ends = excess(loss, graph_grid(loss, forests), best, max_iter=60)
    separated(ends, ["greedy"], ["random"], ["red-black", "red-black-order"])
    separated(ends, ["lipschitz"], ["red-black", "red-black-order"], ["general"], factor=1.5)
    assert ends["greedy"] < ends["lipschitz"] < ends["random"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_greedy_forests_need_less_than_a_third_of_red_black(seed):
    """The 50 x 50 lattice, to 1e-8."""
    W = datasets.lattice_graph(50, 50, 1e5)
    loss = propagation(W, 100, lambda rng, nodes: 10 * rng.standard_normal(100), seed)
    best = loss.value(spsolve(loss.Q.tocsc(), loss.q))
    grid = {
        "greedy": {"update": "message-passing", "select": "gs"},
        "red-black": {"blocks": "red-black", "select": "gs"},
    }
    runs = compare_bcd(loss, grid, max_iter=1500, tol=1e-300)
    reached = {}
    for name, run in runs.items():
        close = run.history["fun"] - best <= 1e-8 * abs(best)
        assert close.any()
        reached[name] = int(np.argmax(close))
    assert 3 * reached["greedy"] < reached["red-black"]


@pytest.mark.parametrize("small", [FAST, FULL])
@pytest.mark.parametrize("seed", SEEDS)
def test_composite_updates_on_nonnegative_lasso(seed, small):
    """Figure 7: second-order updates of variable blocks, and blocks as large as the support."""
    loss = regression(seed, small)
    largest = float(np.max(loss.pull_back(loss.y)))
    penalty = penalties.NonnegativeL1((0.2 if small else 0.1) * largest)
    best = bcd(loss, penalty, block_size=100, update="two-metric", tol=1e-13, max_iter=5000).fun
    names = {"TMP": "two-metric", "PN": "proximal-newton", "PG": "proximal-gradient"}
    grid = {
        f"{short}-{kind}": {"update": update, **blocks}
        for short, update in names.items()
        for kind, blocks in (("VB", VB), ("FB", FB))
    }
    for size, steps in ((5, 20),) if small else ((5, 60), (50, 60)):
        ends = excess(loss, grid, best, penalty, select="gs-q", block_size=size, max_iter=steps)
        separated(ends, ["TMP-VB", "PN-VB"], ["PG-VB"], ["PG-FB"])
        separated(ends, ["TMP-VB", "PN-VB"], ["PN-FB", "TMP-FB"])
