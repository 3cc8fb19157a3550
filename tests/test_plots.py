"""Pictures show what the records say."""

import sys

import numpy as np
import pytest
from helpers import require

import sparseopt as so
from sparseopt import datasets, plots, solvers

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
