"""How a plan, and the value of a transport problem, change with costs and masses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core import ConvergenceWarning, warn_outside
from .._core._validate import finite_array
from ._costs import tiles
from ._entropic_result import EntropicResult
from ._laplacian import solve_bipartite
from ._result import TransportResult

Array = np.ndarray[Any, Any]

RTOL, ENOUGH = 1e-13, 1e-6  # of the linear system: what is asked for, what passes without warning
MAX_ITER = 5000


class TransportGradient(NamedTuple):
    """Derivatives of a number with respect to costs (n, m) and masses (n,), (m,)."""

    C: Array
    a: Array
    b: Array


def plan_vjp(result: Any, G: Any) -> TransportGradient:
    r"""Derivatives of a function of the plan: its vector-Jacobian product.

    .. math::
        \begin{pmatrix} \operatorname{diag}(W1) & W \\ W^\top & \operatorname{diag}(W^\top 1)
        \end{pmatrix} \begin{pmatrix} p \\ q \end{pmatrix} =
        \begin{pmatrix} (W \circ G) 1 \\ (W \circ G)^\top 1 \end{pmatrix}, \qquad
        \frac{\partial L}{\partial C} = -\frac1s\, W \circ (G - p 1^\top - 1 q^\top), \quad
        \frac{\partial L}{\partial a} = p, \quad \frac{\partial L}{\partial b} = q

    with :math:`G = \partial L / \partial P`; for entropic transport W is the plan and
    :math:`s = \varepsilon`, for quadratic transport W is 1 on the support, else 0, and
    :math:`s = \gamma`. Nothing of the iterations that led to the plan is needed.

    Masses have equal totals, so only changes of both by the same total have a meaning, and p and q
    are unique up to a constant that moves from one to the other. Here :math:`\sum_i p_i = 0`, and
    the offset is in q; that is exact for every change that keeps the totals equal. An atom without
    mass gets the derivative for mass coming in, computed with the entries that come in first.

    A quadratic plan is differentiable where no entry is at the edge of the support. An entry that
    lies in no cycle of its support does not depend on the costs. If the support falls into
    components, p and q are for changes that keep every component balanced.

    Parameters
    ----------
    result : EntropicResult
        What a solver returned, solved to a small marginal error.
    G : array_like or sparse array, shape (n, m)
        Derivative of the number L by the entries of the plan.

    Returns
    -------
    TransportGradient
        ``C`` in the dtype of the costs, zero where the plan is zero; ``a`` and ``b`` in float64.

    Raises
    ------
    TypeError
        If the result has no such derivative.
    ValueError
        If G does not fit the plan or is not finite.

    Warns
    -----
    ConvergenceWarning
        If the linear system could not be solved to a relative residual of 1e-6.

    References
    ----------
    G. Luise, A. Rudi, M. Pontil, C. Ciliberto (2018). Differential properties of Sinkhorn
    approximation for learning with Wasserstein distance. NeurIPS, arXiv 1805.11897.
    F. Eisenberger et al. (2022). A unified framework for implicit Sinkhorn differentiation. CVPR,
    arXiv 2205.06688.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> result = transport.entropic([[0.0, 1.0], [1.0, 0.0]], None, None, 0.5)
    >>> gradient = transport.plan_vjp(result, [[1.0, 0.0], [0.0, 0.0]])
    >>> x = 1 / (1 + np.exp(-2.0))  # the plan is x / 2 on the diagonal
    >>> bool(np.isclose(gradient.C[0, 0], -x * (1 - x) / 4 / 0.5))
    True
    """
    W, scale = _weights(result)
    if hasattr(G, "toarray"):
        G = G.toarray()
    G = finite_array("G", G, ndim=(2,))
    if G.shape != W.shape:
        raise ValueError(f"G must have the shape {W.shape} of the plan, got {G.shape}")
    if G.dtype.kind == "c":
        raise TypeError(f"G must be real, got dtype {G.dtype}")
    G = G.astype(np.float64, copy=False)
    WG = W * G
    rows, cols = result.a > 0.0, result.b > 0.0
    p, q = np.zeros(rows.size), np.zeros(cols.size)
    p[rows], q[cols] = _solve(W, WG, rows, cols)
    WG -= W * p[:, None]
    WG -= W * q
    WG /= -scale
    _fill_empty(result, G, p, q)
    middle = float(p.mean())
    return TransportGradient(WG.astype(result._cost.dtype, copy=False), p - middle, q + middle)


def value_gradient(result: Any) -> TransportGradient:
    r"""Derivatives of the regularised optimal value, by the envelope theorem.

    .. math::
        \frac{\partial V}{\partial C} = P, \qquad \frac{\partial V}{\partial a} = f, \qquad
        \frac{\partial V}{\partial b} = g

    The potentials are shifted here to :math:`\sum_i f_i = 0` with the offset in g, exact for every
    change that keeps the totals of the masses equal. At an atom without mass the entropic value
    has the slope :math:`-\infty`; the finite number given there is the largest feasible potential.

    Parameters
    ----------
    result : EntropicResult
        What a solver returned.

    Returns
    -------
    TransportGradient
        ``C`` is the dense plan, in the dtype of the costs.

    Raises
    ------
    TypeError
        If the result is not of a regularised problem with fixed marginals.

    Examples
    --------
    >>> from sparseopt import transport
    >>> result = transport.entropic([[0.0, 1.0], [1.0, 0.0]], None, None, 0.5)
    >>> transport.value_gradient(result).a
    array([0., 0.])
    """
    _check(result)
    P = _dense(result).astype(result._cost.dtype, copy=False)
    f, g = result.potentials
    middle = float(f.mean())
    return TransportGradient(P, f - middle, g + middle)


def _check(result: Any) -> None:
    if not isinstance(result, EntropicResult):
        raise TypeError(f"result must be one of transport.entropic, got {type(result).__name__}")


def _dense(result: TransportResult) -> Array:
    """The plan of the potentials in float64."""
    return np.concatenate([P for *_, P in result._tiles()])


def _weights(result: Any) -> tuple[Array, float]:
    """How fast the entries of the plan grow with the potentials, and the unit of that."""
    _check(result)
    return _dense(result), result.eps


def _solve(W: Array, WG: Array, rows: Array, cols: Array) -> tuple[Array, Array]:
    """The Laplacian system over the atoms with mass."""
    if not (rows.all() and cols.all()):
        W, WG = W[np.ix_(rows, cols)], WG[np.ix_(rows, cols)]
    sums = W.sum(axis=1), W.sum(axis=0)
    solution = solve_bipartite(
        W, *sums, 0.0, WG.sum(axis=1), WG.sum(axis=0), rtol=RTOL, max_iter=5000
    )
    if not solution.residual <= ENOUGH:
        warn_outside(
            f"the derivative is inexact: relative residual {solution.residual:.1e} of its "
            "linear system",
            ConvergenceWarning,
        )
    return solution.p, solution.q


def _fill_empty(result: Any, G: Array, p: Array, q: Array) -> None:
    """Derivatives for atoms without mass."""
    rows, cols = result.a > 0.0, result.b > 0.0
    if rows.all() and cols.all():
        return
    f, g = result.potentials
    new_rows, new_cols = [], []
    for start, stop, C in tiles(result._cost):
        full = rows[start:stop]
        new_rows.append(C[~full][:, cols])
        new_cols.append(C[full][:, ~cols])
    C = np.concatenate(new_rows)
    p[~rows] = _incoming(result, C - g[cols], G[np.ix_(~rows, cols)] - q[cols])
    C = np.concatenate(new_cols).T
    q[~cols] = _incoming(result, C - f[rows], G[np.ix_(rows, ~cols)].T - p[rows])


def _incoming(result: Any, reduced: Array, gain: Array) -> Array:
    r"""The mean gain of new mass, which spreads as the reduced costs say.

    New mass in row i goes to the columns in shares :math:`\pi_j`, and others then lack it there:
    :math:`p_i = \sum_j \pi_j (G_{ij} - q_j)`; likewise in columns.
    """
    least = reduced.min(axis=1, keepdims=True)
    above = np.where(np.isfinite(reduced), reduced - np.where(np.isfinite(least), least, 0), np.inf)
    shares = np.exp(-above / result.eps)
    total = shares.sum(axis=1)
    spread = (shares * gain).sum(axis=1)
    return np.divide(spread, total, out=np.zeros_like(total), where=total > 0.0)
