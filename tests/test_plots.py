"""Pictures show what the records say."""

import sys

import numpy as np
import pytest
from helpers import require

import sparseopt as so
from sparseopt import datasets, plots, solvers, transport

pytestmark = pytest.mark.extras


@pytest.fixture(autouse=True)
def figures():
    matplotlib = require("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture(scope="module")
def problem():
    A, y, _ = datasets.ar_regression(40, 60, 0.5, 4, rng=0)
    return A, y


def drawn(ax):
    """Draw, so that what fails only then fails here."""
    ax.figure.canvas.draw()
    return ax


def test_path(problem, figures):
    path = solvers.lasso_path(*problem, n_lams=12)
    ax = drawn(path.plot())
    assert ax.get_xscale() == "log" and ax.get_xlim() == (path.lams[0], path.lams[-1])
    curves = [line for line in ax.lines if len(line.get_xdata()) == 12]
    ever = np.any(path.x != 0, axis=1)
    np.testing.assert_array_equal([c.get_ydata() for c in curves], path.x[ever])
    (top,) = [child for child in ax.child_axes]
    shown = [int(label.get_text()) for label in top.get_xticklabels()]
    assert shown == path.support[::2].tolist()
    _, own = figures.subplots()
    choice = solvers.gcv(path)
    assert plots.path(path, chosen=choice, ax=own) is own
    assert own.lines[-1].get_xdata()[0] == choice.lam


def test_path_of_one_level_and_of_columns(problem):
    A, y = problem
    drawn(solvers.lasso_path(A, y, lams=[5.0]).plot())
    several = solvers.path(
        so.losses.LeastSquares(A, np.stack([y, y], 1)), so.penalties.L1(1.0), [50.0]
    )
    with pytest.raises(ValueError, match="one column"):
        several.plot()


def test_cross_validation(problem):
    result = solvers.lasso_cv(*problem, n_lams=10, folds=3, rng=0)
    ax = drawn(result.plot())
    marks = {line.get_label(): line.get_xdata()[0] for line in ax.lines}
    assert marks["best"] == result.lams[result.best]
    assert marks["one standard error"] == result.lams[result.one_standard_error]
    (bars,) = ax.containers
    np.testing.assert_allclose(bars.lines[0].get_ydata(), result.mean)
    (segments,) = [c.get_segments() for c in bars.lines[2]]
    heights = [(s[1, 1] - s[0, 1]) / 2 for s in segments]
    np.testing.assert_allclose(heights, result.standard_error, rtol=1e-6)


def test_convergence(problem):
    loss = so.losses.LeastSquares(*problem)
    runs = {
        name: so.minimize(loss, so.penalties.L1(20.0), method=name) for name in ("fista", "ista")
    }
    ax = drawn(plots.convergence(runs))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["fista", "ista"]
    for line, run in zip(ax.lines, runs.values(), strict=True):
        seen = np.isfinite(run.history["certificate"])
        np.testing.assert_array_equal(line.get_ydata(), run.history["certificate"][seen])
        np.testing.assert_array_equal(line.get_xdata(), np.flatnonzero(seen))
    best = min(run.fun for run in runs.values())
    ax = drawn(plots.convergence(runs["ista"], quantity="fun", against="time", best=best))
    assert ax.get_xlabel() == "seconds" and ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata()[0], runs["ista"].history["fun"][0] - best)
    with pytest.raises(ValueError, match="against"):
        plots.convergence(runs, against="sweeps")
    with pytest.raises(ValueError, match="quantity"):
        plots.convergence(runs, quantity="flavour")


def test_without_matplotlib(problem, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"sparseopt\[plot\]"):
        solvers.lasso_path(*problem, n_lams=2).plot()


@pytest.fixture(scope="module")
def transported():
    C, a, b, *_ = datasets.transport_clouds(30, m=20)
    return transport.entropic(C, a, b, 1e-3, sparse=True)


def side_panels(ax):
    """Heights of the bars (column sums) and of the wanted ones, of the columns and of the rows."""
    top, side = ax.child_axes
    return [[p.get_data().values for p in panel.patches] for panel in (top, side)]


def test_transport_plan_as_matrix(transported, figures):
    _, own = figures.subplots()
    ax = drawn(plots.transport_plan(transported, ax=own))
    assert ax is own
    (mesh,) = ax.collections
    np.testing.assert_allclose(mesh.get_array(), transported.plan.toarray(), atol=1e-12)
    (cols, b), (rows, a) = side_panels(ax)
    np.testing.assert_allclose(cols, transported.b, atol=1e-9)
    np.testing.assert_allclose(rows, transported.a, atol=1e-9)
    np.testing.assert_array_equal(b, transported.b)
    np.testing.assert_array_equal(a, transported.a)
    assert ax.yaxis_inverted() and not ax.xaxis_inverted()


def test_transport_plan_of_many_atoms():
    plan = np.zeros((300, 700))
    plan[299, 0], plan[0, 699] = 0.25, 0.75
    ax = drawn(plots.transport_plan(plan))
    picture = ax.collections[0].get_array()
    assert picture.shape == (256, 256)
    assert picture[-1, 0] == 0.25 and picture[0, -1] == 0.75 and picture.sum() == 1.0
    (cols,), (rows,) = side_panels(ax)  # nothing is known of wanted sums
    assert np.isclose(cols[-1], 0.25) and np.isclose(rows[0], 0.75)


def test_transport_plan_between_marginals_that_differ():
    x = np.linspace(0.0, 1.0, 12)
    a = np.linspace(1.0, 2.0, 12)
    cost = transport.PointCost(x, x)
    result = transport.unbalanced(cost, a, 2 * a, eps=0.01, rho=0.1)
    (cols, b), (rows, wanted) = side_panels(drawn(plots.transport_plan(result)))
    np.testing.assert_array_equal(b, 2 * a)
    np.testing.assert_array_equal(wanted, a)
    np.testing.assert_allclose(rows.sum(), result.transported)
    np.testing.assert_allclose(cols.sum(), result.transported)
    result = transport.partial(cost, None, None, mass=0.5)  # with an atom for the rest
    (cols, b), _ = side_panels(drawn(plots.transport_plan(result)))
    np.testing.assert_allclose([cols.sum(), b.sum()], [0.5, 1.0])


def test_transport_plan_on_the_line():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(9), rng.standard_normal(9) + 1.0
    result = transport.wasserstein_1d(x, y)
    picture = plots.transport_plan(result, points=(x, y)).collections[0].get_array()
    np.testing.assert_allclose(picture, np.eye(9) / 9)


def test_transport_plan_as_lines(transported):
    *_, x, y = datasets.transport_clouds(30, m=20)
    ax = drawn(plots.transport_plan(transported, points=(x[:, :2], y[:, :2]), threshold=0.1))
    lines, first, second = ax.collections
    plan = transported.plan.tocoo()
    share = plan.data / plan.data.max()
    kept = share >= 0.1
    assert 0 < kept.sum() < kept.size
    ends = np.array(lines.get_segments())
    np.testing.assert_array_equal(ends[:, 0], x[plan.row[kept], :2])
    np.testing.assert_array_equal(ends[:, 1], y[plan.col[kept], :2])
    order = np.argsort(share[kept])
    assert (np.diff(np.array(lines.get_linewidths())[order]) >= 0.0).all()
    assert len(first.get_offsets()) == 30 and len(second.get_offsets()) == 20


@pytest.mark.parametrize(
    "shapes", [((30, 3), (20, 3)), ((20, 2), (30, 2)), ((30, 2), (20, 1)), ((30,), (19,))]
)
def test_transport_plan_refuses_points(transported, shapes):
    with pytest.raises(ValueError, match="points"):
        plots.transport_plan(transported, points=[np.zeros(shape) for shape in shapes])


def test_transport_history(figures):
    C, a, b, *_ = datasets.transport_clouds(60)
    result = transport.entropic(C, a, b, 2e-3)
    history = result.history
    ax = drawn(plots.transport_history(result))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["sweeps", "Newton steps"]
    sweeps, newton = ax.lines
    at = history["phase"] == 1.0
    np.testing.assert_array_equal(newton.get_ydata(), history["error"][at])
    np.testing.assert_array_equal(newton.get_xdata(), history["nit"][at])
    np.testing.assert_array_equal(sweeps.get_ydata(), history["error"][~at])
    assert history["nit"][-1] == result.nit
    (pieces,) = ax.collections
    assert len(pieces.get_segments()) == history["error"].size - 1
    (top,) = ax.child_axes
    shown = [float(label.get_text()) for label in top.get_xticklabels()]
    assert shown[0] == 0.002 and shown == sorted(shown)
    ax = drawn(plots.transport_history(result, against="time"))
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), history["time"][at])
    with pytest.raises(ValueError, match="against"):
        plots.transport_history(result, against="sweeps")


def test_transport_history_of_one_stage_and_of_none():
    C, a, b, *_ = datasets.transport_clouds(20)
    result = transport.entropic(C, a, b, 0.1, method="sinkhorn")
    ax = drawn(plots.transport_history(result))
    assert not ax.child_axes and ax.get_legend() is None
    ax = drawn(plots.transport_history(transport.quadratic(C, a, b, 1.0)))
    (line,) = ax.lines
    assert line.get_ydata()[-1] <= 1e-9
    with pytest.raises(ValueError, match="history"):
        plots.transport_history(transport.exact(C, a, b))


def test_convergence_counts_the_iterations_of_long_steps():
    C, a, b, *_ = datasets.transport_clouds(20)
    result = transport.entropic(C, a, b, 0.01, method="sinkhorn")
    ax = drawn(plots.convergence(result, quantity="error"))
    assert ax.lines[0].get_xdata()[-1] == result.nit > len(result.history["error"])
