"""Partitions of the coordinates into blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import as_rng, warn_outside
from .._core._groups import as_groups
from .._core._validate import choice, integer
from ..losses import BlockLossLike
from ._colour_partition import colour_partition
from ._composite import required
from ._connected_partition import connected_partition
from ._forest_blocks import forest_partition

Array = np.ndarray[Any, Any]

KINDS = ("order", "random", "sort", "average", "connected", "red-black", "forest")
GRAPH_KINDS = ("connected", "red-black", "forest")


def block_partition(
    loss: Any, kind: Any = "sort", size: int = 50, *, rng: Any = None
) -> list[Array]:
    r"""Partition the coordinates of a loss into blocks.

    Coordinates with curvature :math:`L_i = 0` (columns of zeros) belong to no block. Where the
    size does not divide their number, the last block is smaller.

    Parameters
    ----------
    loss : object
        A loss with block methods, such as `sparseopt.losses.LeastSquares`.
    kind : str or list of index arrays or ndarray of labels
        ``"order"``: consecutive indices. ``"random"``: a random permutation, cut. ``"sort"``:
        coordinates with similar curvature :math:`L_i` together. ``"average"``: the largest
        :math:`L_i` with the smallest. For quadratics with a sparse matrix, seen as a graph:
        ``"connected"``: pieces grown over edges; ``"red-black"``: a colouring, no edge inside a
        block; ``"forest"``: no cycle inside a block. Or blocks given by the user: a partition of
        all coordinates, or disjoint index arrays.
    size : int
        Coordinates in a block; ``"red-black"`` and ``"forest"`` choose their own sizes.
    rng : None, int or numpy.random.Generator
        For ``"random"``.

    Returns
    -------
    list of ndarray
        Index arrays of the coordinates ``x.ravel()``.

    Raises
    ------
    ValueError
        For an unknown kind, blocks that overlap, or a graph partition of a loss without a graph.
    TypeError
        If the loss lacks block methods.

    Warns
    -----
    UserWarning
        If the size is larger than the number of coordinates.

    References
    ----------
    J. Nutini, I. Laradji, M. Schmidt (2022). Let's make block coordinate descent converge faster.
    JMLR 23(131).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, solvers
    >>> f = losses.LeastSquares(np.diag([3.0, 1.0, 2.0, 4.0]), np.ones(4))
    >>> [b.tolist() for b in solvers.block_partition(f, "sort", 2)]
    [[1, 2], [0, 3]]
    """
    loss = required("loss", loss, BlockLossLike)
    bounds = np.asarray(loss.coordinate_bounds(), np.float64)
    if not isinstance(kind, str):
        return _given(kind, bounds)
    choice("kind", kind, KINDS)
    if kind in ("red-black", "forest"):
        split = colour_partition if kind == "red-black" else forest_partition
        return _within(split(graph_of(loss, kind)), bounds)
    members = np.flatnonzero(bounds > 0)
    size = clipped_size(size, bounds.size)
    if kind == "connected":
        return _within(connected_partition(graph_of(loss, kind), size), bounds)
    if kind == "random":
        members = as_rng(rng).permutation(members)
    elif kind == "sort":
        members = members[np.argsort(bounds[members], kind="stable")]
    elif kind == "average":
        members = _zip_ends(members[np.argsort(bounds[members], kind="stable")])
    return cut(members, size)


def cut(members: Array, size: int) -> list[Array]:
    """Consecutive pieces of at most ``size``."""
    return [members[i : i + size] for i in range(0, members.size, size)]


def clipped_size(size: Any, p: int) -> int:
    """A block size of at most ``p``; more is clipped, with a warning."""
    size = integer("block_size", size, 1)
    if size > max(p, 1):
        message = f"block_size {size} is larger than the {p} coordinates: using {p}"
        warn_outside(message, UserWarning)
    return min(size, max(p, 1))


def graph_of(loss: Any, kind: str) -> Any:
    """The sparse matrix of a quadratic.

    Raises
    ------
    ValueError
        If the loss has none.
    """
    from scipy.sparse import issparse

    Q = getattr(loss, "Q", None)
    if Q is None or not issparse(Q):
        raise ValueError(
            f"{kind!r} must be used with a quadratic loss whose matrix is sparse, got {loss!r}"
        )
    return Q


def _zip_ends(order: Array) -> Array:
    """First, last, second, last but one, ..."""
    zipped = np.empty_like(order)
    half = (order.size + 1) // 2
    zipped[0::2] = order[:half]
    zipped[1::2] = order[half:][::-1]
    return zipped


def _given(blocks: Any, bounds: Array) -> list[Array]:
    p = bounds.size
    if isinstance(blocks, np.ndarray) and blocks.ndim == 1 and blocks.dtype.kind in "iu":
        labels = as_groups(blocks, p).labels
        order = np.argsort(labels, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    else:
        if not isinstance(blocks, list | tuple):
            raise TypeError(
                f"blocks must be a name, labels or a list of index arrays, got "
                f"{type(blocks).__name__}"
            )
        parts = [_indices(i, b, p) for i, b in enumerate(blocks)]
        count = np.bincount(np.concatenate(parts), minlength=p) if parts else np.zeros(p, int)
        if count.max(initial=0) > 1:
            raise ValueError(f"blocks must not overlap: index {int(np.argmax(count))} is in two")
    parts = _within(parts, bounds)
    if not parts and np.any(bounds > 0):
        raise ValueError("blocks must hold a coordinate with curvature, got none")
    return parts


def _within(parts: list[Array], bounds: Array) -> list[Array]:
    """The blocks without coordinates that have no curvature."""
    parts = [part[bounds[part] > 0] for part in parts]
    return [part for part in parts if part.size]


def _indices(i: int, block: Any, p: int) -> Array:
    block = np.asarray(block)
    if block.ndim != 1 or block.dtype.kind not in "iu" or not block.size:
        raise TypeError(f"blocks[{i}] must be a list of integer indices, got {block!r}")
    if block.min() < 0 or block.max() >= p:
        outside = block[(block < 0) | (block >= p)][0]
        raise ValueError(f"blocks[{i}] must index 0 .. {p - 1}, got {outside}")
    return block.astype(np.intp)
