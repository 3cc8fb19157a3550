"""The only way into Matplotlib: imported on first use, with an error that says what to install."""

from __future__ import annotations

from typing import Any


def axes(ax: Any = None) -> Any:
    """The given axes, or new ones."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "sparseopt.plots needs Matplotlib; install it with: pip install 'sparseopt[plot]'"
        ) from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def level_axis(ax: Any, lams: Any, support: Any = None) -> None:
    """Levels on a logarithmic axis, the largest on the left; sizes of the support on top."""
    ax.set_xscale("log")
    if len(lams) > 1:
        ax.set_xlim(lams[0], lams[-1])
    ax.set_xlabel("level lam")
    if support is None:
        return
    top = ax.secondary_xaxis("top")
    places = range(0, len(lams), max(1, (len(lams) + 7) // 8))
    top.set_xticks([lams[i] for i in places], [str(support[i]) for i in places])
    top.minorticks_off()
    top.set_xlabel("entries that are not zero")
