"""Several ways of block coordinate descent on one problem, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from .._core import ConvergenceWarning
from ._bcd import BCDResult, bcd


def compare_bcd(
    loss: Any, grid: Mapping[str, Mapping[str, Any]], penalty: Any = None, **common: Any
) -> dict[str, BCDResult]:
    """Run `bcd` with several settings, for plots against iterations and against time.

    Runs that end by their budget do not warn: that is what a comparison asks for. The histories
    have ``fun`` and ``time`` (seconds) after every iteration.

    Parameters
    ----------
    loss, penalty : object
        The problem.
    grid : mapping of str to mapping
        Options of `bcd` for each name.
    **common
        Options of every run, such as ``max_iter``, ``tol`` and ``rng``; those of the grid win. Give
        ``rng`` as an integer, so that every run starts from the same random numbers.

    Returns
    -------
    dict of str to BCDResult
        By name, in the order of the grid.

    Raises
    ------
    TypeError
        If the grid is no mapping of mappings, or an option is unknown.
    ValueError
        As `bcd`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, solvers
    >>> rng = np.random.default_rng(0)
    >>> f = losses.LeastSquares(rng.standard_normal((30, 60)), rng.standard_normal(30))
    >>> runs = solvers.compare_bcd(f, {"greedy": {"select": "gsl"}, "random": {"select": "random"}},
    ...                            update="gradient", block_size=5, max_iter=50, rng=0)
    >>> runs["greedy"].fun < runs["random"].fun
    True
    """
    if not isinstance(grid, Mapping) or not all(isinstance(v, Mapping) for v in grid.values()):
        raise TypeError("grid must be a mapping of names to mappings of options")
    results = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, options in grid.items():
            results[name] = bcd(loss, penalty, **{**common, **options})
    return results
