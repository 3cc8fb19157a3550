"""Groups of coordinates: one checked form of the two ways users write them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """A partition of ``n`` coordinates: one label in ``0 .. count-1`` for each coordinate."""

    labels: np.ndarray[Any, np.dtype[np.intp]]
    count: int

    def __repr__(self) -> str:
        return f"<{self.count} groups of {self.n} coordinates>"

    @property
    def n(self) -> int:
        """Number of coordinates."""
        return self.labels.size

    @property
    def sizes(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Number of coordinates of each group."""
        return np.bincount(self.labels, minlength=self.count)


def as_groups(groups: Any, n: int | None = None) -> Groups:
    """Check ``groups``: an integer label for each of ``n`` coordinates, or a list of index arrays.

    Without ``n``, they speak of as many coordinates as they cover.

    Raises
    ------
    ValueError
        If the groups are not a partition of the coordinates ``0 .. n-1``; the message names the
        first index that is covered twice or never.
    """
    if n is None:
        n = _coordinates(groups)
    if isinstance(groups, Groups):
        if groups.n != n:
            raise ValueError(f"groups must label {n} coordinates, got {groups.n}")
        return groups
    if isinstance(groups, list | tuple) and any(np.ndim(g) == 1 for g in groups):
        return _from_lists(groups, n)
    labels = np.asarray(groups)
    if labels.dtype.kind not in "iu" and labels.size:
        raise TypeError(
            f"groups must be integer labels or a list of index arrays, got dtype {labels.dtype}"
        )
    if labels.shape != (n,):
        raise ValueError(f"groups must be one label per coordinate, ({n},), got {labels.shape}")
    if n and labels.min() < 0:
        raise ValueError(f"groups must be labels >= 0, got {labels.min()}")
    if n and labels.max() > 10 * n + 100:
        raise ValueError(
            f"groups must be labels of about 0 .. {n - 1}, got {labels.max()}: number the groups "
            "anew, for example with numpy.unique(groups, return_inverse=True)"
        )
    return Groups(labels.astype(np.intp), int(labels.max()) + 1 if n else 0)


def _coordinates(groups: Any) -> int:
    """How many coordinates the groups speak of."""
    if isinstance(groups, Groups):
        return groups.n
    if isinstance(groups, list | tuple) and any(np.ndim(g) == 1 for g in groups):
        return max((int(np.max(g, initial=-1)) for g in map(np.asarray, groups)), default=-1) + 1
    return len(np.atleast_1d(groups))


def _from_lists(groups: Any, n: int) -> Groups:
    labels = np.full(n, -1, np.intp)
    for label, members in enumerate(groups):
        members = np.asarray(members)
        if members.ndim != 1 or (members.dtype.kind not in "iu" and members.size):
            raise TypeError(f"groups[{label}] must be a list of integer indices, got {members!r}")
        members = members.astype(np.intp)
        outside = members[(members < 0) | (members >= n)]
        if outside.size:
            raise ValueError(f"groups[{label}] must index 0 .. {n - 1}, got {outside[0]}")
        taken = members[labels[members] >= 0]
        repeated = np.sort(members)
        repeated = repeated[1:][repeated[1:] == repeated[:-1]]
        if taken.size or repeated.size:
            index = taken[0] if taken.size else repeated[0]
            raise ValueError(f"groups must be a partition: index {index} is covered twice")
        labels[members] = label
    if n and labels.min() < 0:
        missing = int(np.argmin(labels))
        raise ValueError(f"groups must be a partition: index {missing} is never covered")
    return Groups(labels, len(groups))
