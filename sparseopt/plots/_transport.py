"""Plans of optimal transport, and how their errors fell."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ._axes import axes
from ._convergence import LABELS, steps_of

CELLS = 256  # of the picture of a matrix, along an edge
ROOM = 0.14  # of the width: labels of stages that come closer are left out
ROWS, COLUMNS, DARK = "tab:red", "tab:blue", "0.25"
ERRORS = ("error", "marginal_error", "certificate")  # names of the marginal error in histories
PHASES = {0.0: ("sweeps", "tab:blue", "o"), 1.0: ("Newton steps", "tab:red", "D")}


def transport_plan(
    plan: Any,
    *,
    points: Any = None,
    threshold: float = 0.01,
    norm: Any = None,
    ax: Any = None,
) -> Any:
    """Draw a transport plan: as a matrix between its marginals, or as lines between points.

    Without points, and with points on the line, the plan is drawn as a matrix, with its row and
    column sums at the sides and the wanted ones as lines. With more than 256 atoms on a side,
    neighbours are drawn together. With points in the plane, every entry is a line, as wide as its
    mass, and every atom a dot of the area of its mass.

    Parameters
    ----------
    plan : TransportResult, ndarray or sparse array, shape (n, m)
        What a solver of `sparseopt.transport` returned, or a plan.
    points : pair of array_like, shapes (n, d) and (m, d), optional
        Where the atoms are, with d at most 2; (n,) and (m,) for the line, where they are put in
        order.
    threshold : float
        Part of the largest entry below which no line is drawn.
    norm : matplotlib.colors.Normalize, optional
        From masses to colours of the matrix; by default their square roots, which show small ones.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of the matrix or the points.

    Raises
    ------
    ImportError
        If Matplotlib is missing.
    ValueError
        If ``points`` do not fit the plan.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import plots, transport
    >>> x = np.random.default_rng(0).standard_normal((20, 2))
    >>> result = transport.entropic(transport.PointCost(x, 2 * x), None, None, 0.1)
    >>> ax = plots.transport_plan(result, points=(x, 2 * x))  # doctest: +SKIP
    """
    from scipy.sparse import coo_array

    entries = plan.sparse_plan() if hasattr(plan, "sparse_plan") else plan
    entries = coo_array(entries)
    n, m = entries.shape
    wanted = [getattr(plan, name, np.empty(0))[:size] for name, size in (("a", n), ("b", m))]
    rows, cols = entries.row, entries.col
    if points is not None:
        x, y = _points(points, n, m)
        if x.shape[1] == 2:
            return _lines(axes(ax), x, y, rows, cols, entries.data, threshold)
        for which, places in enumerate((x, y)):
            order = np.argsort(places[:, 0], kind="stable")
            rank = np.empty_like(order)
            rank[order] = np.arange(order.size)
            rows, cols = (rank[rows], cols) if which == 0 else (rows, rank[cols])
            wanted[which] = wanted[which][order] if wanted[which].size else wanted[which]
    return _matrix(axes(ax), rows, cols, entries.data, (n, m), wanted, norm)


def _points(points: Any, n: int, m: int) -> tuple[Any, Any]:
    x, y = (np.asarray(part, dtype=float) for part in points)
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    if x.shape[0] != n or y.shape[0] != m or x.shape[1] != y.shape[1] or x.shape[1] not in (1, 2):
        raise ValueError(
            f"points must have shapes ({n}, d) and ({m}, d) with d = 1 or 2 to fit the plan, got "
            f"{x.shape} and {y.shape}"
        )
    return x, y


def _matrix(
    ax: Any, rows: Any, cols: Any, mass: Any, shape: tuple[int, int], wanted: Any, norm: Any
) -> Any:
    """The matrix in cells of one or more entries, and the sums beside it."""
    from matplotlib.colors import PowerNorm

    edges, cells, counts = [], [], []
    for places, size in zip((rows, cols), shape, strict=True):
        count = min(size, CELLS)
        edges.append(np.linspace(0, size, count + 1).round().astype(int))
        cells.append(np.searchsorted(edges[-1], places, side="right") - 1)
        counts.append(count)
    flat = np.bincount(cells[0] * counts[1] + cells[1], mass, counts[0] * counts[1])
    picture = flat.reshape(counts)
    ax.pcolormesh(
        edges[1] - 0.5,
        edges[0] - 0.5,
        picture,
        cmap="Greys",
        norm=norm or PowerNorm(0.5, vmin=0.0),
        rasterized=True,
    )
    ax.invert_yaxis()
    ax.set_box_aspect(min(max(shape[0] / shape[1], 0.5), 2.0))
    ax.set(xlabel="columns", ylabel="rows")
    top = ax.inset_axes((0.0, 1.02, 1.0, 0.18), sharex=ax)
    side = ax.inset_axes((1.02, 0.0, 0.18, 1.0), sharey=ax)
    panels = ((side, ROWS, "horizontal"), (top, COLUMNS, "vertical"))
    for axis, (panel, colour, turn) in enumerate(panels):
        steps = edges[axis] - 0.5
        wide = np.diff(edges[axis])
        sums = picture.sum(axis=1 - axis) / wide
        panel.stairs(sums, steps, orientation=turn, fill=True, color=colour, alpha=0.45)
        if wanted[axis].size:
            ends = np.add.reduceat(wanted[axis], edges[axis][:-1]) / wide
            panel.stairs(ends, steps, orientation=turn, color=colour, baseline=None)
        panel.axis("off")
    top.set_ylim(bottom=0.0)
    side.set_xlim(left=0.0)
    return ax


def _lines(ax: Any, x: Any, y: Any, rows: Any, cols: Any, mass: Any, threshold: float) -> Any:
    """A line for every entry, and dots for the atoms."""
    from matplotlib.collections import LineCollection

    share = mass / mass.max(initial=np.finfo(float).tiny)
    drawn = np.flatnonzero(share >= threshold)
    ends = np.stack([x[rows[drawn]], y[cols[drawn]]], axis=1)
    shades = np.full((drawn.size, 4), float(DARK))
    shades[:, 3] = 0.15 + 0.6 * share[drawn]
    ax.add_collection(
        LineCollection(list(ends), linewidths=0.2 + 2.0 * share[drawn], colors=shades, zorder=1)
    )
    for places, at, colour in ((x, rows, ROWS), (y, cols, COLUMNS)):
        sums = np.bincount(at, mass, len(places))
        largest = float(sums.max(initial=0.0)) or 1.0
        ax.scatter(
            *places.T,
            s=36.0 * sums / largest,
            color=colour,
            edgecolors="white",
            lw=0.3,
            alpha=0.75,
            zorder=2,
        )
    ax.set_aspect("equal")
    ax.autoscale_view()
    return ax


def transport_history(result: Any, *, against: str = "nit", ax: Any = None) -> Any:
    """Draw how the marginal error of a transport plan fell, by phase and by strength.

    Sweeps of Sinkhorn and Newton steps have their own colours where the solver tells them apart.
    Where the strength fell along a path, its stages are bands, with the strength on top.

    Parameters
    ----------
    result : Result
        What an iterative solver of `sparseopt.transport` returned.
    against : {"nit", "time"}
        Sweeps and steps, or seconds.
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
        If the result has no history, or ``against`` is something else.

    Examples
    --------
    >>> from sparseopt import datasets, plots, transport
    >>> C, a, b, *_ = datasets.transport_assignment(50)
    >>> result = transport.entropic(C, a, b, 1e-3)
    >>> ax = plots.transport_history(result)  # doctest: +SKIP
    """
    steps = steps_of(result, against)
    history = result.history
    quantity = next((name for name in ERRORS if name in history), None)
    if quantity is None:
        raise ValueError("result must have a history of errors, got none")
    error = np.asarray(history[quantity], dtype=float)
    seen = np.flatnonzero(np.isfinite(error) & (error > 0.0))
    ax = axes(ax)
    phases = history.get("phase", np.full(error.size, np.nan))
    _by_phase(ax, steps[seen], error[seen], np.asarray(phases)[seen])
    ax.set_yscale("log")
    ax.set_xlabel(LABELS[against])
    ax.set_ylabel("marginal error")
    path = next((name for name in ("eps", "gamma") if name in history), None)
    if path is not None and seen.size:
        _stages(ax, steps, np.asarray(history[path]), path)
    return ax


def _by_phase(ax: Any, steps: Any, error: Any, phases: Any) -> None:
    """Every piece of the curve in the colour of the phase in which it ends."""
    from matplotlib.collections import LineCollection

    known = [phase for phase in PHASES if (phases == phase).any()]
    corners = np.stack([steps, error], axis=1)
    pieces = np.stack([corners[:-1], corners[1:]], axis=1)
    colours = [PHASES.get(phase, PHASES[0.0])[1] for phase in phases]
    ax.add_collection(LineCollection(list(pieces), colors=colours[1:], linewidths=1.2))
    size = 4.0 if steps.size <= 80 else 1.5
    for phase in known or [np.nan]:
        name, colour, marker = PHASES.get(phase, PHASES[0.0])
        at = (phases == phase) | (not known)
        ax.plot(
            steps[at], error[at], marker, color=colour, markersize=size, label=name if known else ""
        )
    if len(known) > 1:
        ax.legend(frameon=False)


def _stages(ax: Any, steps: Any, strengths: Any, name: str) -> None:
    """Bands between the places where the strength changed, and the strengths above them."""
    ends = np.flatnonzero(np.diff(strengths) != 0.0)
    if not ends.size:
        return
    borders = steps[np.concatenate([[0], ends, [len(steps) - 1]])]
    levels = strengths[np.concatenate([ends, [len(steps) - 1]])]
    span = borders[-1] - borders[0]
    for band, (left, right) in enumerate(pairwise(borders)):
        if band % 2:
            ax.axvspan(left, right, color="0.5", alpha=0.12, linewidth=0, zorder=0)
    middles = (borders[:-1] + borders[1:]) / 2.0
    ticks: list[int] = []
    for band in range(middles.size - 1, -1, -1):
        if not ticks or middles[ticks[-1]] - middles[band] >= ROOM * span:
            ticks.append(band)
    top = ax.secondary_xaxis("top")
    top.set_xticks(middles[ticks], [f"{level:.2g}" for level in levels[ticks]])
    top.tick_params(length=0)
    top.set_xlabel(name, labelpad=8)
