"""Certificates or objectives against iterations or time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._axes import axes

_LABELS = {"nit": "iterations", "time": "seconds"}


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
        Steps of the solver, or seconds.
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
    if against not in _LABELS:
        raise ValueError(f"against must be one of {list(_LABELS)}, got {against!r}")
    runs = results if isinstance(results, Mapping) else {results.method: results}
    for name, run in runs.items():
        if quantity not in run.history:
            raise ValueError(
                f"quantity must be in the history of {name!r}, one of {sorted(run.history)}, got "
                f"{quantity!r}"
            )
    ax = axes(ax)
    for name, run in runs.items():
        values = np.asarray(run.history[quantity], float) - best
        steps = np.arange(values.size) if against == "nit" else run.history["time"]
        seen = np.isfinite(values) & (values > 0.0)
        ax.plot(np.asarray(steps)[seen], values[seen], linewidth=1.5, label=name)
    ax.set_yscale("log")
    ax.set_xlabel(_LABELS[against])
    ax.set_ylabel(f"{quantity} - {best:.6g}" if best else quantity)
    if len(runs) > 1:
        ax.legend(frameon=False)
    return ax
