"""Selection rules: against their definitions, by enumeration, and the chain of their progress."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sparseopt import datasets, penalties
from sparseopt.losses import LabelPropagation, LeastSquares, Logistic, Quadratic
from sparseopt.solvers import bcd, block_partition
from sparseopt.solvers._bcd_scores import largest
from sparseopt.solvers._heap import heap_build, heap_largest


def random_squares(seed, n=12, p=9):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p)) * rng.uniform(0.2, 3.0, p)
    return LeastSquares(A, rng.standard_normal(n)), rng.standard_normal(p)


def first_block(loss, penalty=None, **options):
    """The block that a rule chooses first."""
    seen = []

    def note(state):
        seen.append(state.block)
        raise StopIteration

    bcd(loss, penalty, callback=note, tol=1e-300, **options)
    return seen[0]


def smooth_scores(loss, x0, blocks):
    """The definitions, block by block."""
    g, H = loss.gradient(x0), loss.A.T @ loss.A
    diagonal, rows = np.diag(H), np.abs(H).sum(1)
    scores = {name: [] for name in ("gs", "gsl", "gsd", "gsd-L", "gsd-b", "gsq", "mi")}
    for b in blocks:
        Hb = H[np.ix_(b, b)]
        scores["gs"].append(np.sum(g[b] ** 2))
        scores["gsl"].append(np.sum(g[b] ** 2) / np.linalg.eigvalsh(Hb)[-1])
        scores["gsd"].append(np.sum(g[b] ** 2 / rows[b]))
        scores["gsd-L"].append(np.sum(g[b] ** 2 / diagonal[b]))
        scores["gsd-b"].append(np.sum(g[b] ** 2 / np.abs(Hb).sum(1)))
        scores["gsq"].append(g[b] @ np.linalg.solve(Hb, g[b]))
        best = x0.copy()
        r = loss.y - loss.A @ x0 + loss.A[:, b] @ x0[b]
        best[b] = np.linalg.lstsq(loss.A[:, b], r, rcond=None)[0]
        scores["mi"].append(loss.value(x0) - loss.value(best))
    return {name: np.array(values) for name, values in scores.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("blocks", ["order", "sort", "average"])
def test_fixed_blocks_follow_the_definitions(seed, blocks):
    loss, x0 = random_squares(seed)
    parts = block_partition(loss, blocks, 2)
    scores = smooth_scores(loss, x0, parts)
    for name, values in scores.items():
        rule, _, which = name.partition("-")
        diagonal = {"L": "lipschitz", "b": "block", "": None}[which]
        chosen = first_block(
            loss, blocks=blocks, block_size=2, select=rule, diagonal=diagonal, update="gradient",
            x0=x0,
        )  # fmt: skip
        assert np.array_equal(chosen, parts[int(np.argmax(values))]), name


@pytest.mark.parametrize("seed", range(5))
def test_variable_blocks_against_enumeration(seed):
    loss, x0 = random_squares(seed)
    subsets = [np.array(s) for s in itertools.combinations(range(9), 3)]
    scores = smooth_scores(loss, x0, subsets)
    for name in ("gs", "gsd", "gsd-L", "mi"):
        rule, _, which = name.partition("-")
        chosen = first_block(
            loss, blocks="variable", block_size=3, select=rule, x0=x0, update="gradient",
            diagonal="lipschitz" if which else None,
        )  # fmt: skip
        assert np.array_equal(chosen, subsets[int(np.argmax(scores[name]))]), name
    by_rows = first_block(loss, block_size=3, select="gsl", x0=x0)
    assert np.array_equal(by_rows, subsets[int(np.argmax(scores["gsd"]))])


def quadratic_gain(loss, x0, block):
    g, H = loss.gradient(x0), loss.A.T @ loss.A
    return 0.5 * g[block] @ np.linalg.solve(H[np.ix_(block, block)], g[block])


@given(st.integers(0, 10_000))
def test_the_quadratic_rule_is_never_worse_than_the_diagonal_one(seed):
    loss, x0 = random_squares(seed, 14, 12)
    blocks = {
        rule: first_block(loss, block_size=4, select=rule, update="matrix", x0=x0)
        for rule in ("gsq", "gsd")
    }
    gains = {rule: quadratic_gain(loss, x0, block) for rule, block in blocks.items()}
    assert gains["gsq"] >= gains["gsd"] * (1 - 1e-12)


def test_the_quadratic_rule_comes_near_the_best_of_all():
    """Correlated columns, where scores of single coordinates mislead."""
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shared = rng.standard_normal((10, 2))
        A = shared @ rng.standard_normal((2, 9)) + 0.5 * rng.standard_normal((10, 9))
        loss, x0 = LeastSquares(A, rng.standard_normal(10)), np.zeros(9)
        best = max(
            quadratic_gain(loss, x0, np.array(s)) for s in itertools.combinations(range(9), 3)
        )
        shares.append([
            quadratic_gain(loss, x0, first_block(loss, block_size=3, select=rule)) / best
            for rule in ("gsq", "gsd")
        ])  # fmt: skip
    quadratic, diagonal = np.mean(shares, axis=0)
    assert quadratic > 0.85
    assert diagonal < 0.65


@pytest.mark.parametrize("start", range(0, 100, 25))
def test_the_chain_of_progress(start):
    """Section 3: what each rule promises with its update, and what the step achieves."""
    for seed in range(start, start + 25):
        loss, x0 = random_squares(seed)
        parts = block_partition(loss, "order", 3)
        H, g = loss.A.T @ loss.A, loss.gradient(x0)
        L = [np.linalg.eigvalsh(H[np.ix_(b, b)])[-1] for b in parts]
        s = smooth_scores(loss, x0, parts)
        promised = {
            "mi": s["mi"].max(),
            "gsq": 0.5 * s["gsq"].max(),
            "gsd": 0.5 * s["gsd-b"].max(),
            "gsl": 0.5 * s["gsl"].max(),
            "gs": 0.5 * s["gs"].max() / max(L),
        }
        assert promised["mi"] >= promised["gsq"] * (1 - 1e-12)
        assert promised["gsq"] >= promised["gsd"] * (1 - 1e-12)
        assert promised["gsq"] >= promised["gsl"] * (1 - 1e-12)
        assert promised["gsl"] >= promised["gs"] * (1 - 1e-12)
        assert np.any(g)
        for rule, update in (
            ("mi", "exact"), ("gsq", "matrix"), ("gsd", "matrix"), ("gsl", "gradient"),
            ("gs", "gradient"),
        ):  # fmt: skip
            steps = []
            bcd(
                loss, blocks="order", block_size=3, select=rule, update=update, x0=x0, max_iter=2,
                diagonal="block" if rule == "gsd" else None, tol=1e-300,
                callback=lambda state, steps=steps: (steps.append(state.fun), stop())[0],
            )  # fmt: skip
            assert loss.value(x0) - steps[0] >= promised[rule] * (1 - 1e-9), rule


def stop():
    raise StopIteration


def composite_scores(loss, x, lam, lower, upper):
    """GS-q, GS-r and GS-s of every coordinate by a fine search over its steps."""
    g, L = loss.gradient(x), loss.coordinate_bounds()
    q, r, s = (np.empty(x.size) for _ in range(3))
    for i in range(x.size):
        d = np.concatenate([np.linspace(-4, 4, 80_001), [-x[i]]])
        d = d[(x[i] + d >= lower) & (x[i] + d <= upper)]
        model = g[i] * d + 0.5 * L[i] * d**2 + lam * (np.abs(x[i] + d) - abs(x[i]))
        q[i], r[i] = -model.min(), abs(d[model.argmin()])
        right, left = lam if x[i] >= 0 else -lam, -lam if x[i] <= 0 else lam
        up = -(g[i] + right) if x[i] < upper else 0.0
        down = g[i] + left if x[i] > lower else 0.0
        s[i] = max(up, down, 0.0)
    return {"gs-q": q, "gs-r": r, "gs-s": s}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("penalty", "lam", "lower", "upper"),
    [
        (penalties.L1(1.5), 1.5, -np.inf, np.inf),
        (penalties.NonnegativeL1(0.7), 0.7, 0.0, np.inf),
        (penalties.Box(-0.5, 0.8), 0.0, -0.5, 0.8),
    ],
    ids=["l1", "nonnegative", "box"],
)
def test_composite_rules_against_search(seed, penalty, lam, lower, upper):
    loss, x0 = random_squares(seed)
    x0 = np.clip(np.where(np.arange(9) % 3 == 0, 0.0, x0), lower, upper)
    for rule, scores in composite_scores(loss, x0, lam, lower, upper).items():
        chosen = first_block(loss, penalty, block_size=3, select=rule, x0=x0)
        assert scores[chosen].sum() >= np.sort(scores)[-3:].sum() - 1e-3, rule
        kind = {"blocks": "order", "block_size": 3}
        summed = np.square(scores) if rule != "gs-q" else scores
        totals = summed.reshape(3, 3).sum(1)
        if np.diff(np.sort(totals))[-1] > 1e-3:
            chosen = first_block(loss, penalty, select=rule, x0=x0, **kind)
            assert chosen[0] == 3 * np.argmax(totals), rule


def test_cubic_rule_is_the_best_single_coordinate(rng):
    A = rng.standard_normal((30, 6)) * rng.uniform(0.2, 4, 6)
    loss = Logistic(A, np.where(rng.random(30) < 0.5, -1, 1))
    x0 = 0.3 * rng.standard_normal(6)
    g, z = loss.gradient(x0), A @ x0
    p = 1 / (1 + np.exp(-z))
    h, M = (p * (1 - p)) @ A**2, np.sum(np.abs(A) ** 3, 0) / (6 * np.sqrt(3))
    d = np.linspace(-6, 6, 200_001)
    gains = [-(g[i] * d + h[i] / 2 * d**2 + M[i] / 6 * abs(d) ** 3).min() for i in range(6)]
    chosen = first_block(loss, block_size=2, select="bgsc", update="cubic", x0=x0)
    assert set(chosen) == set(np.argsort(gains)[-2:])


def test_score_norms_differ():
    A = np.diag([1.0, 1.0, 1.0, 1.0])
    loss = LeastSquares(A, [2.0, 2.0, 3.0, 0.0])
    options = {"blocks": "order", "block_size": 2, "select": "gs"}
    assert first_block(loss, score_norm=1, **options).tolist() == [0, 1]
    assert first_block(loss, score_norm=2, **options).tolist() == [2, 3]


def test_ties_go_to_the_lowest_index():
    loss = LeastSquares(np.eye(6), np.ones(6))
    for rule in ("gs", "gsl", "gsd", "gsq", "gs-q", "gs-r", "gs-s", "mi", "bgsc"):
        assert first_block(loss, block_size=2, select=rule).tolist() == [0, 1], rule
        chosen = first_block(loss, blocks=[[4, 5], [0, 1], [2, 3]], select=rule)
        assert chosen.tolist() == [4, 5], rule
    sparse = Quadratic(sp.eye_array(6, format="csr"), np.ones(6))
    assert first_block(sparse, block_size=2, select="gs").tolist() == [0, 1]


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=40), st.integers(1, 45))
def test_largest_against_sorting(scores, count):
    scores = np.array(scores, float)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= 0]
    assert largest(scores, count).tolist() == sorted(order[:count].tolist())
    keys, heap, place = scores.copy(), np.empty(scores.size, int), np.empty(scores.size, int)
    heap_build(keys, heap, place)
    top = np.empty(min(count, scores.size), int)
    heap_largest(keys, heap, place, top)
    assert sorted(top) == sorted(np.argsort(-scores, kind="stable")[: top.size])


@pytest.mark.parametrize("rule", ["gs", "gsl", "gsd", "gs-q", "gs-r", "gs-s"])
@pytest.mark.parametrize("bounded", [False, True])
def test_the_heap_chooses_what_a_scan_chooses(rule, bounded, rng):
    """The same quadratic, sparse (through a heap) and dense (through a scan)."""
    if bounded and not rule.startswith("gs-"):
        pytest.skip("a rule for smooth problems")
    Q = LabelPropagation(datasets.lattice_graph(12, 12), [5, 77], [3.0, -2.0]).Q
    q = rng.standard_normal(142)
    penalty = penalties.Box(-1.0, 0.5) if bounded else None
    runs = []
    for matrix in (Q, Q.toarray()):
        blocks = []
        record(Quadratic(matrix, q), penalty, rule, blocks)
        runs.append(np.array(blocks))
    assert np.array_equal(*runs)


def record(loss, penalty, rule, blocks):
    def note(state):
        blocks.append(state.block)
        if len(blocks) == 150:
            raise StopIteration

    bcd(loss, penalty, block_size=4, select=rule, tol=1e-300, callback=note)


@pytest.mark.parametrize("rule", ["random", "cyclic", "lipschitz"])
@pytest.mark.parametrize("blocks", ["variable", "random", "sort"])
def test_random_rules_follow_the_seed(rule, blocks):
    loss, _ = random_squares(0, 40, 30)

    def chosen(seed):
        seen = []

        def note(state):
            seen.append(state.block)
            if len(seen) == 20:
                raise StopIteration

        options = {"blocks": blocks, "block_size": 4, "select": rule, "rng": seed}
        bcd(loss, callback=note, tol=1e-300, **options)
        return [b.tolist() for b in seen]

    assert chosen(3) == chosen(3)
    assert chosen(3) != chosen(4)


def test_a_cycle_visits_every_coordinate_once():
    loss, _ = random_squares(1, 30, 23)
    for blocks in ("variable", "order"):
        seen = []

        def note(state, seen=seen):
            seen.append(state.block)
            if len(seen) == 10:
                raise StopIteration

        options = {"blocks": blocks, "block_size": 5, "select": "cyclic", "rng": 0}
        bcd(loss, callback=note, tol=1e-300, **options)
        for epoch in (seen[:5], seen[5:]):
            assert sorted(np.concatenate(epoch)) == list(range(23))


def test_lipschitz_sampling_draws_in_proportion():
    loss = Logistic(np.diag(np.sqrt([1.0, 2.0, 5.0])), [1, -1, 1])  # separable: it never ends
    for blocks in ("variable", "order"):
        counts = np.zeros(3)

        def note(state, counts=counts):
            counts[state.block] += 1
            if counts.sum() == 4000:
                raise StopIteration

        options = {"blocks": blocks, "block_size": 1, "select": "lipschitz", "rng": 0}
        bcd(loss, callback=note, tol=1e-300, update="gradient", **options)
        assert counts / 4000 == pytest.approx([0.125, 0.25, 0.625], abs=0.03)


def test_columns_of_zeros_are_left_alone():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 6))
    A[:, [1, 4]] = 0.0
    loss = LeastSquares(A, rng.standard_normal(20))
    x0 = np.arange(6.0)
    for blocks, rule in itertools.product(
        ("variable", "order", "sort"), ("random", "cyclic", "gs", "gsd", "gsq", "mi", "gs-q")
    ):
        result = bcd(loss, blocks=blocks, block_size=2, select=rule, x0=x0, rng=0)
        assert result.success
        assert result.x[[1, 4]].tolist() == [1.0, 4.0]
    shrunk = bcd(loss, penalties.L1(0.1), x0=x0, block_size=2)
    assert shrunk.success
    assert not np.any(shrunk.x[[1, 4]])
