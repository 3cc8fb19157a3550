"""Held-out loss against the level."""

from __future__ import annotations

from typing import Any

from ._axes import axes, level_axis


def cross_validation(result: Any, *, ax: Any = None) -> Any:
    """Draw held-out scores against the level, with standard errors and both choices.

    Parameters
    ----------
    result : sparseopt.solvers.CrossValidation
        What `sparseopt.solvers.cross_validate` or `sparseopt.solvers.lasso_cv` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If Matplotlib is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import plots, solvers
    >>> A = np.random.default_rng(0).standard_normal((60, 100))
    >>> result = solvers.lasso_cv(A, A[:, 3] - 2 * A[:, 7], n_lams=20, rng=0)
    >>> ax = plots.cross_validation(result)  # doctest: +SKIP
    """
    ax = axes(ax)
    lams = result.lams
    for i, scores in enumerate(result.scores.T):
        ax.plot(lams, scores, color="0.85", linewidth=0.8, label="folds" if i == 0 else None)
    ax.errorbar(
        lams,
        result.mean,
        result.standard_error,
        color="tab:blue",
        ecolor="tab:blue",
        elinewidth=0.8,
        marker=".",
        markersize=4,
        linewidth=1.2,
        label="mean and standard error",
    )
    ax.axvline(lams[result.best], color="black", linestyle="--", linewidth=1, label="best")
    ax.axvline(
        lams[result.one_standard_error],
        color="tab:red",
        linestyle=":",
        linewidth=1.6,
        label="one standard error",
    )
    level_axis(ax, lams)
    ax.set_ylabel("loss of a held-out sample")
    ax.legend(frameon=False)
    return ax
