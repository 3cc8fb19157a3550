"""Transport of a part of the mass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import State
from .._core._validate import positive
from ._costs import CostLike, MatrixCost
from ._entropic import entropic
from ._exact import exact
from ._partial_result import DummyCost, ExactPartialResult, PartialResult
from ._problem import MISMATCH, check_cost, check_masses

Array = np.ndarray[Any, Any]

ROUNDING = 1e-14  # of the total mass: a dummy below it is none


def partial(
    C: Any,
    a: Any,
    b: Any,
    mass: float,
    eps: float | None = None,
    *,
    method: str = "auto",
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 100_000,
    sparse: bool = False,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> PartialResult | ExactPartialResult:
    r"""Transport a given part of the mass, the part that is cheapest to transport.

    .. math::
        \min_{P \ge 0}\ \langle C, P\rangle \quad\text{subject to}\quad
        P1 \le a,\ P^\top 1 \le b,\ \textstyle\sum_{ij} P_{ij} = s

    It is solved as a balanced problem: a dummy row of mass :math:`\sum_j b_j - s` and a dummy
    column of mass :math:`\sum_i a_i - s`, at no cost to the atoms and forbidden to each other,
    take what stays behind. With ``eps`` that problem gets the entropic term of `entropic`, which
    then counts the entries of the dummies too.

    Parameters
    ----------
    C : array_like, shape (n, m), PointCost or GridCost
        Costs; infinite ones forbid a pair.
    a, b : array_like, shapes (n,) and (m,), or None
        Nonnegative masses, of any totals; None is uniform with total 1.
    mass : float
        The s, positive and at most both totals.
    eps : float, optional
        The entropic strength, in the units of the cost; without it the problem is solved exactly.
    method : str
        Of `entropic`, or of `exact`.
    x0 : PartialResult, pair of ndarray, or ndarray, optional
        Warm start of the entropic problem: a result, or potentials with those of the dummies.
    tol, max_iter, callback, progress
        As for `entropic`; without use in the exact solvers.
    sparse : bool
        Make ``plan`` a CSR array.

    Returns
    -------
    PartialResult or ExactPartialResult
        The plan without the dummies, and certificates.

    Raises
    ------
    ValueError, TypeError
        For costs, masses or parameters that are not valid.

    Warns
    -----
    ConvergenceWarning
        If the marginal error stayed above ``tol``.

    References
    ----------
    L. Chapel, M. Z. Alaya, G. Gasso (2020). Partial optimal transport with applications on
    positive-unlabeled learning. NeurIPS, arXiv 2002.08276.

    Examples
    --------
    >>> from sparseopt import transport
    >>> C = [[0.0, 4.0], [4.0, 1.0]]
    >>> transport.partial(C, [0.5, 0.5], [0.5, 0.5], mass=0.75).plan
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    cost = check_cost(C)
    n, m = cost.shape
    a, b = check_masses("a", a, n), check_masses("b", b, m)
    mass = positive("mass", mass)
    most = min(float(a.sum()), float(b.sum()))
    if mass > most * (1.0 + MISMATCH):
        raise ValueError(f"mass must be at most the smaller total, {most:.9g}, got {mass:.9g}")
    extended = _with_dummies(cost)
    a, b = _masses(a, b, min(mass, most))
    if eps is None:
        return _kind(ExactPartialResult, exact(extended, a, b, method=method, sparse=sparse))
    found = entropic(
        extended,
        a,
        b,
        eps,
        method=method,
        x0=x0,
        tol=tol,
        max_iter=max_iter,
        sparse=sparse,
        callback=callback,
        progress=progress,
    )
    return _kind(PartialResult, found)


def _with_dummies(cost: CostLike) -> CostLike:
    if not isinstance(cost, MatrixCost):
        return DummyCost(cost)
    n, m = cost.shape
    C = np.zeros((n + 1, m + 1), cost.dtype)
    C[:n, :m] = cost.C
    C[n, m] = np.inf
    return MatrixCost(C)


def _masses(a: Array, b: Array, mass: float) -> tuple[Array, Array]:
    left = [float(w.sum()) - mass for w in (a, b)]
    noise = ROUNDING * (float(a.sum()) + float(b.sum()))
    stay_a, stay_b = (amount if amount > noise else 0.0 for amount in left)
    return np.append(a, stay_b), np.append(b, stay_a)


def _kind(kind: Any, found: Any) -> Any:
    """The same record as one without dummies."""
    return kind(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)})
