"""Coefficients against the level."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._axes import axes, level_axis


def path(path: Any, *, chosen: Any = None, ax: Any = None) -> Any:
    """Draw the coefficients of a path against the level, the size of the support on top.

    Parameters
    ----------
    path : sparseopt.solvers.Path
        Of a problem with one column.
    chosen : float or Choice or CrossValidation, optional
        A level to mark, or a record with one as its ``lam``.
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
    ValueError
        If ``path`` has several columns.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import plots, solvers
    >>> A = np.random.default_rng(0).standard_normal((30, 100))
    >>> result = solvers.lasso_path(A, A[:, 3] - 2 * A[:, 7], n_lams=20)
    >>> ax = plots.path(result)  # doctest: +SKIP
    """
    if path.x.ndim != 2:
        raise ValueError(f"path must be of one column, got x of shape {path.x.shape}")
    ax = axes(ax)
    ever = np.any(path.x != 0, axis=1)
    ax.axhline(0.0, color="0.7", linewidth=0.8)
    ax.plot(path.lams, path.x[ever].T, linewidth=1.0)
    level_axis(ax, path.lams, path.support)
    if chosen is not None:
        ax.axvline(float(getattr(chosen, "lam", chosen)), color="black", linestyle=":")
    ax.set_ylabel("coefficients x")
    return ax
