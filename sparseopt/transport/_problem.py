"""The door of the field: costs and marginals checked, cleaned and put back together."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .._core import as_floating
from ._costs import CostLike, MatrixCost, PointCost, ShiftedCost, tiles

Array = np.ndarray[Any, Any]

MISMATCH = 1e-6  # relative difference of total masses that is taken for rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A transport problem over the atoms that carry mass, with nonnegative costs.

    Attributes
    ----------
    cost : CostLike, shape (n, m)
        Costs between the atoms kept, without ``shift``.
    a, b : ndarray of float64
        Positive masses of equal sum.
    shift, span : float
        What was taken off the costs (zero unless they are negative or far from zero), and the
        largest finite one that is left.
    forbidden : bool
        Whether there are infinite costs.
    rows, cols : ndarray of int
        Where the atoms kept stand among those given.
    given : CostLike
        All costs as they came, a copy.
    masses : tuple of ndarray
        All masses in float64, the second rescaled to the sum of the first.
    """

    cost: CostLike
    a: Array
    b: Array
    shift: float
    span: float
    forbidden: bool
    rows: Array
    cols: Array
    given: CostLike
    masses: tuple[Array, Array]

    @property
    def mass(self) -> float:
        """The total mass."""
        return float(self.a.sum())

    def start(self, x0: Any, *, free: bool = True) -> tuple[Array | None, Array] | None:
        r"""A warm start as potentials of the atoms kept, the first None where it was not given.

        What f may give to g at no change (``free``) is given so that :math:`\sum_i a_i f_i = 0`.
        """
        if x0 is None:
            return None
        offset = self.shift
        found = getattr(x0, "potentials", x0)
        if hasattr(x0, "problem"):  # without the rounding of a large offset
            found, offset = x0.problem["potentials"], self.shift - x0.problem["shift"]
        if isinstance(found, tuple | list) and len(found) == 2:
            f, g = (check_potential(p) for p in found)
            if f.shape != self.masses[0].shape:
                raise ValueError(
                    f"x0 must hold potentials of shapes {self.masses[0].shape} and "
                    f"{self.masses[1].shape}, got {f.shape} and {g.shape}"
                )
            f = f[self.rows]
        else:
            f, g = None, check_potential(found)
        if g.shape != self.masses[1].shape:
            raise ValueError(f"x0 must hold g of shape {self.masses[1].shape}, got {g.shape}")
        g = g[self.cols] - offset
        if not np.isfinite(g).all() or (f is not None and not np.isfinite(f).all()):
            raise ValueError("x0 must be finite, got NaN or infinite potentials")
        if not free:
            return f, g
        move = float(self.b @ g) / self.mass if f is None else -float(self.a @ f) / self.mass
        return (None if f is None else f + move), (g - move)  # a common part costs digits

    def restore(self, f: Array, g: Array) -> tuple[Array, Array]:
        r"""Potentials of all atoms, shifted cost, normalised to :math:`\sum_i a_i f_i = 0`."""
        move = float(self.a @ f) / self.mass
        if abs(move) > 1e-15 * float(np.abs(f).max()):
            f, g = f - move, g + move
        return self.spread(f, g)

    def spread(self, f: Array, g: Array) -> tuple[Array, Array]:
        """Potentials of all atoms from those with mass, for the shifted cost.

        An atom without mass gets the largest potential that keeps the dual feasible.
        """
        n, m = self.given.shape
        if f.size < n:
            f = self._spread(f, g, self.rows, n)
        if g.size < m:
            g = self._spread_columns(f, g)
        return f, g

    def _spread(self, f: Array, g: Array, rows: Array, n: int) -> Array:
        full = np.empty(n)
        full[rows] = f
        missing = np.setdiff1d(np.arange(n), rows)
        for i in missing:  # few, or the problem is small
            full[i] = _least(self.given.tile(i, i + 1)[0, self.cols] - self.shift - g)
        return full

    def _spread_columns(self, f: Array, g: Array) -> Array:
        least = np.full(self.given.shape[1], np.inf)
        for start, stop, C in tiles(self.given):
            np.minimum(least, (C - self.shift - f[start:stop, None]).min(axis=0), out=least)
        full = np.where(np.isfinite(least), least, 0.0)
        full[self.cols] = g
        return full


def _least(values: Array) -> float:
    least = float(values.min())
    return least if math.isfinite(least) else 0.0


def check_problem(C: Any, a: Any, b: Any, *, balanced: bool = True, forbid: bool = True) -> Problem:
    """Check costs and masses; ``None`` for masses means uniform with total 1.

    Raises
    ------
    ValueError
        If shapes do not fit, something is empty, negative, NaN or infinite (``forbid`` allows
        infinite costs), an atom with mass has no finite cost, or the totals differ by more than
        rounding (``balanced``).
    TypeError
        If something is not real.
    """
    cost = check_cost(C)
    n, m = cost.shape
    a, b = check_masses("a", a, n), check_masses("b", b, m)
    if balanced:
        b = balance(a, b)
    rows, cols = np.flatnonzero(a), np.flatnonzero(b)
    inner = cost
    if rows.size < n or cols.size < m:
        inner = cost.take(rows, cols)
        if any(np.isnan(C.min()) for *_, C in tiles(cost)):
            raise ValueError("C must not contain NaN")
    low, high, forbidden = _range(inner, forbid, (rows, cols))
    if 0.0 <= low <= high - low:  # as most distances: a shift would save no digits
        low = 0.0
    elif isinstance(inner, MatrixCost):
        inner = inner.shifted(low)
    else:
        inner = ShiftedCost(inner, low)
    return Problem(inner, a[rows], b[cols], low, high - low, forbidden, rows, cols, cost, (a, b))


def check_cost(C: Any) -> CostLike:
    """A cost object, or a real matrix as one of our own (a copy)."""
    if isinstance(C, PointCost):
        return C
    if hasattr(C, "tile") and hasattr(C, "take"):
        return C
    C = as_floating("C", C)
    if C.dtype.kind == "c":
        raise TypeError(f"C must be real, got dtype {C.dtype}")
    if C.ndim != 2 or not C.size:
        raise ValueError(f"C must be a non-empty matrix, got shape {C.shape}")
    return MatrixCost(np.array(C, order="C"))


def check_potential(potential: Any) -> Array:
    """A potential to start from, real, in float64."""
    potential = as_floating("x0", potential)
    if potential.dtype.kind == "c":
        raise TypeError(f"x0 must be real, got dtype {potential.dtype}")
    return potential.astype(np.float64, copy=False)


def check_masses(name: str, masses: Any, size: int) -> Array:
    """Nonnegative finite masses in float64, at least one of them positive."""
    if masses is None:
        return np.full(size, 1.0 / size)
    masses = as_floating(name, masses)
    if masses.dtype.kind == "c":
        raise TypeError(f"{name} must be real, got dtype {masses.dtype}")
    if masses.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},) to fit C, got {masses.shape}")
    masses = masses.astype(np.float64)
    if not np.isfinite(masses).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite masses")
    if masses.min() < 0.0:
        raise ValueError(f"{name} must be nonnegative, got {masses.min():.6g}")
    if not masses.any():
        raise ValueError(f"{name} must hold mass, got all zeros")
    return masses


def balance(a: Array, b: Array) -> Array:
    """The second masses, rescaled to the total of the first; more than rounding is an error."""
    total, other = float(a.sum()), float(b.sum())
    if abs(total - other) > MISMATCH * max(total, other):
        raise ValueError(
            f"b must have the total mass of a, {total:.9g}, got {other:.9g}; "
            "for masses that differ see transport.unbalanced and transport.partial"
        )
    return b * (total / other)


def _range(cost: CostLike, forbid: bool, names: tuple[Array, Array]) -> tuple[float, float, bool]:
    """Least and largest finite cost, and whether there are infinite ones."""
    low, high, forbidden = math.inf, -math.inf, False
    reached = np.zeros(cost.shape[1], bool)
    for start, _, C in tiles(cost):
        least, most = float(C.min()), float(C.max())
        if math.isnan(least):
            raise ValueError("C must not contain NaN")
        if least == -math.inf or (most == math.inf and not forbid):
            raise ValueError(f"C must be finite, got {least if least == -math.inf else most}")
        if most == math.inf:
            forbidden = True
            finite = np.isfinite(C)
            if not finite.any(axis=1).all():
                row = names[0][start + int(np.argmin(finite.any(axis=1)))]
                raise ValueError(f"C must leave every atom a finite cost, got none in row {row}")
            reached |= finite.any(axis=0)
            most = float(C[finite].max())
        else:
            reached[:] = True
        low, high = min(low, least), max(high, most)
    if not reached.all():
        column = names[1][int(np.argmin(reached))]
        raise ValueError(f"C must leave every atom a finite cost, got none in column {column}")
    return low, high, forbidden
