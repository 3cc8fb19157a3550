"""Certificates or objectives against iterations or time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._axes import axes

LABELS = {"nit": "iterations", "time": "seconds"}


def convergence(
    results: Any,
    *,
    quantity: str = "certificate",
    against: str = "nit",
    best: float = 0.0,
    ax: Any = None,
) -> Any:
    """Draw how results came about, from their histories, on a logarithmic axis.

    Parameters
    ----------
    results : Result, or dict of str to Result
        One run, or several with their names.
    quantity : str
        An entry of the histories, such as ``"certificate"`` or ``"fun"``.
    against : {"nit", "time"}
        Iterations of the solver, or seconds.
    best : float
        Taken off the quantity, for example the least objective.
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
        If a history has no such quantity, or ``against`` is something else.

    Examples
    --------
    >>> import sparseopt as so
    >>> loss = so.losses.LeastSquares([[1.0, 2.0], [0.0, 1.0]], [3.0, 1.0])
    >>> result = so.minimize(loss, so.penalties.L1(0.1), method="fista")
    >>> ax = so.plots.convergence(result, against="time")  # doctest: +SKIP
    """
    runs = results if isinstance(results, Mapping) else {results.method: results}
    for name, run in runs.items():
        if quantity not in run.history:
            raise ValueError(
                f"quantity must be in the history of {name!r}, one of {sorted(run.history)}, got "
                f"{quantity!r}"
            )
    steps = {name: steps_of(run, against) for name, run in runs.items()}
    ax = axes(ax)
    for name, run in runs.items():
        values = np.asarray(run.history[quantity], float) - best
        seen = np.isfinite(values) & (values > 0.0)
        ax.plot(steps[name][seen], values[seen], linewidth=1.5, label=name)
    ax.set_yscale("log")
    ax.set_xlabel(LABELS[against])
    ax.set_ylabel(f"{quantity} - {best:.6g}" if best else quantity)
    if len(runs) > 1:
        ax.legend(frameon=False)
    return ax


def steps_of(run: Any, against: str) -> Any:
    """Where the entries of a history are on the axis."""
    if against not in LABELS:
        raise ValueError(f"against must be one of {list(LABELS)}, got {against!r}")
    history = run.history
    if against in history:  # "nit" where some steps were several iterations
        return np.asarray(history[against], dtype=float)
    return np.arange(len(history.get("fun", ())), dtype=float)
