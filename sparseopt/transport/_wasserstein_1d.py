"""Transport on the line: the sorted order is the solution."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core import Status
from .._core._validate import finite_array, parameter, positive
from ._distance import WassersteinParts
from ._explicit import ExplicitResult
from ._problem import balance, check_masses
from ._result import problem_record
from ._rounding import north_west

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class LineCost:
    """The costs ``|x_i - y_j| ** power`` of points on the line."""

    x: Array
    y: Array
    power: float

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of points."""
        return self.x.size, self.y.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of plans made from these points."""
        return np.result_type(self.x, self.y)

    def tile(self, start: int, stop: int) -> Array:
        """Costs of some of the x to all y."""
        return self.between(self.x[start:stop, None], self.y)

    def between(self, x: Array, y: Array) -> Array:
        """Costs of pairs."""
        far = np.abs(x.astype(np.float64) - y)
        return far if self.power == 1.0 else far**self.power

    def take(self, rows: Array, cols: Array) -> LineCost:
        """The cost between some of the points."""
        return LineCost(self.x[rows], self.y[cols], self.power)

    def data(self) -> dict[str, Any]:
        """The fields."""
        return {"x": self.x, "y": self.y, "power": self.power}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LineResult(WassersteinParts, ExplicitResult):
    r"""What `wasserstein_1d` found; see `ExplicitResult` for what is not listed.

    Attributes
    ----------
    power : float
        The p.
    distance : float
        :math:`W_p`, the p-th root of ``cost``.
    distance_bracket : tuple of float
        Its bounds; made with all n m costs, as is ``bracket``.
    """


def wasserstein_1d(
    x: Any, y: Any, a: Any = None, b: Any = None, *, power: float = 2.0, sparse: bool = False
) -> LineResult:
    r"""Wasserstein distance between masses on the line, exactly.

    .. math::
        W_p^p = \min_{P \ge 0,\ P1 = a,\ P^\top 1 = b}\ \sum_{ij} P_{ij}\, |x_i - y_j|^p,
        \qquad p \ge 1

    A plan that sends mass in sorted order is optimal, as the cost is convex in :math:`x - y`. Its
    staircase also yields the potentials. Time is that of sorting; nothing of size n m is made
    until ``plan`` or ``bracket`` is asked for.

    Parameters
    ----------
    x, y : array_like, shape (n,) and (m,)
        Finite points in any order.
    a, b : array_like, shape (n,) and (m,), optional
        Masses, nonnegative and of equal totals; uniform if not given.
    power : float
        The p, at least 1.
    sparse : bool
        Whether ``result.plan`` is a CSR array.

    Returns
    -------
    LineResult
        With ``distance`` and ``cost``, its p-th power.

    Raises
    ------
    ValueError, TypeError
        For points, masses or a power that are not valid.

    References
    ----------
    F. Santambrogio (2015). Optimal transport for applied mathematicians, section 2.2. Birkhäuser.

    Examples
    --------
    >>> from sparseopt import transport
    >>> result = transport.wasserstein_1d([3.0, 0.0], [1.0, 1.0], power=2)
    >>> result.cost
    2.5
    >>> result.plan
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    x, y = _points("x", x), _points("y", y)
    a, b = check_masses("a", a, x.size), check_masses("b", b, y.size)
    b = balance(a, b)
    cost = LineCost(x.copy(), y.copy(), parameter("power", positive("power", power), low=1.0))
    up, across = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    i, j, mass = north_west(a[up], b[across])
    i, j = up[i], across[j]
    paid = cost.between(x[i], y[j])
    f, g = _potentials(cost, a, b, up, across)
    move = float(a @ f) / float(a.sum())
    f, g = f - move, g + move
    primal, dual = float(mass @ paid), float(a @ f + b @ g)
    span = float(cost.between(x[up[[0, -1]]], y[across[[-1, 0]]]).max())
    gap = (primal - dual) / (float(a.sum()) * span) if span > 0.0 else 0.0
    return LineResult(
        x=np.concatenate([f, g]),
        fun=dual,
        success=True,
        status=Status.CONVERGED,
        message=f"sorted: relative duality gap {gap:.1e}",
        nit=0,
        certificate=gap,
        method="sorting",
        potentials=(f, g),
        problem=problem_record(cost, a, b, (f, g)),
        sparse=bool(sparse),
        entries=(i, j, mass, paid),
        power=cost.power,
    )


def _points(name: str, value: Any) -> Array:
    points = finite_array(name, value, ndim=(1,))
    if points.dtype.kind == "c":
        raise TypeError(f"{name} must be real, got complex points")
    if not points.size:
        raise ValueError(f"{name} must hold points, got shape {points.shape}")
    return points


def _potentials(
    cost: LineCost, a: Array, b: Array, up: Array, across: Array
) -> tuple[Array, Array]:
    r"""Potentials that are tight all along the staircase of the sorted plan.

    From one cell to the next either the row or the column changes, so :math:`f` or :math:`g`
    changes by the difference of their costs. Between other cells :math:`f_i + g_j \le C_{ij}`
    because the cost satisfies the inequality of Monge.
    """
    n, m = a.size, b.size
    ends = np.concatenate([np.cumsum(a[up])[:-1], np.cumsum(b[across])[:-1]])
    vertical = np.argsort(ends, kind="stable") < n - 1
    i = np.concatenate([[0], np.cumsum(vertical)])
    j = np.concatenate([[0], np.cumsum(~vertical)])
    steps = np.diff(cost.between(cost.x[up[i]], cost.y[across[j]]))
    f, g = np.empty(n), np.empty(m)
    first = float(cost.between(cost.x[up[:1]], cost.y[across[:1]])[0])
    f[up] = np.concatenate([[0.0], np.cumsum(steps[vertical])])
    g[across] = first + np.concatenate([[0.0], np.cumsum(steps[~vertical])])
    return f, g
