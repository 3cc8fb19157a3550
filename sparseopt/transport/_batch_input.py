"""The door of batches of transport problems."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import as_floating
from ._costs import CostLike, MatrixCost
from ._problem import MISMATCH, check_cost, check_masses, check_potential

Array = np.ndarray[Any, Any]


def check_batch(C: Any, a: Any, b: Any) -> tuple[CostLike | list[MatrixCost], Array, Array]:
    """Costs, and masses with a column for each member."""
    costs: CostLike | list[MatrixCost]
    sizes: dict[str, int] = {}
    if hasattr(C, "tile") or np.ndim(C) == 2:
        costs = check_cost(C)
        n, m = costs.shape
    else:
        C = as_floating("C", C)
        if C.dtype.kind == "c":
            raise TypeError(f"C must be real, got dtype {C.dtype}")
        if C.ndim != 3 or not C.size:
            raise ValueError(f"C must have shape (n, m) or (nb, n, m), got {C.shape}")
        costs = [MatrixCost(np.array(c, order="C")) for c in C]
        (n, m), sizes["C"] = costs[0].shape, len(costs)
    A, B = _check_columns("a", a, n, sizes), _check_columns("b", b, m, sizes)
    if not sizes:
        raise ValueError("a or b must have a column for each member, or C a matrix for each")
    nb = max(sizes.values())
    if any(size != nb for size in sizes.values()):
        raise ValueError(f"C, a and b must hold the same number of members, got {sizes}")
    A, B = (np.ascontiguousarray(np.broadcast_to(M, (len(M), nb))) for M in (A, B))
    return costs, A, _balanced(A, B)


def _check_columns(name: str, masses: Any, size: int, sizes: dict[str, int]) -> Array:
    if masses is None or np.ndim(masses) < 2:
        return check_masses(name, masses, size)[:, None]
    masses = np.asarray(masses)
    if masses.ndim != 2 or masses.shape[0] != size or not masses.size:
        raise ValueError(f"{name} must have shape ({size},) or ({size}, nb), got {masses.shape}")
    sizes[name] = masses.shape[1]
    columns = [check_masses(f"{name}[:, {k}]", c, size) for k, c in enumerate(masses.T)]
    return np.stack(columns, axis=1)


def _balanced(A: Array, B: Array) -> Array:
    """B with the totals of A, as `check_problem` makes it for one member."""
    ours, theirs = A.sum(axis=0), B.sum(axis=0)
    off = np.abs(ours - theirs) > MISMATCH * np.maximum(ours, theirs)
    if off.any():
        k = int(np.argmax(off))
        raise ValueError(
            f"b must have the total mass of a in every member, {ours[k]:.9g} in member {k}, "
            f"got {theirs[k]:.9g}"
        )
    balanced: Array = B * (ours / theirs)
    return balanced


def check_start(x0: Any, A: Array, B: Array) -> tuple[Array | None, Array] | None:
    """Potentials of all members to start from, the first None where it was not given."""
    if x0 is None:
        return None
    found = getattr(x0, "potentials", x0)
    f: Array | None = None
    if isinstance(found, tuple | list) and len(found) == 2:
        f = check_potential(found[0])
        found = found[1]
    g = check_potential(found)
    for name, p, wanted in (("f", f, A.shape), ("g", g, B.shape)):
        if p is not None and (p.shape != wanted or not np.isfinite(p).all()):
            raise ValueError(f"x0 must hold a finite {name} of shape {wanted}, got {p.shape}")
    return f, g
