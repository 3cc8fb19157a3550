"""How a plan, and the value of a transport problem, change with costs and masses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core import ConvergenceWarning, warn_outside
from .._core._validate import finite_array
from ._cardinality_result import CardinalityResult
from ._costs import tiles
from ._entropic_result import EntropicResult
from ._laplacian import solve_bipartite
from ._quadratic_result import QuadraticResult
from ._result import TransportResult
from ._tied_columns import is_tied, solve_tied

Array = np.ndarray[Any, Any]

RTOL, ENOUGH = 1e-13, 1e-6  # of the linear system: what is asked for, what passes without warning
MAX_ITER = 5000
SUPPORT = 1e-10  # part of the mass of an atom below which an entry is rounding
LEVEL = 1e-9  # relative difference of reduced costs that counts as none


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
    :math:`s = \varepsilon`, for quadratic transport, with or without a limit on the number of
    nonzeros, W is 1 on the support, else 0, and :math:`s = \gamma`. Nothing of the iterations that
    led to the plan is needed.

    Masses have equal totals, so only changes of both by the same total have a meaning, and p and q
    are unique up to a constant that moves from one to the other. Here :math:`\sum_i p_i = 0`, and
    the offset is in q; that is exact for every change that keeps the totals equal. An atom without
    mass gets the derivative for mass coming in, at the entries that come in first (whatever the
    limit of `cardinality`).

    A quadratic plan is differentiable where no entry is at the edge of the support. An entry that
    lies in no cycle of its support does not depend on the costs. If the support falls into
    components, p and q are for changes that keep every component balanced. A relaxed plan of
    `cardinality` whose columns have more than k entries has a system of its own, with what these
    entries share; it needs the final support, so solve with a ``tol`` around 1e-11. With
    ``mode="hard"`` the support is taken as fixed.

    Parameters
    ----------
    result : EntropicResult, QuadraticResult or CardinalityResult
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
        If G does not fit the plan or is not finite, or the plan of a relaxation is not unique.

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
    _check(result)
    G = _upstream(G, (result.a.size, result.b.size))
    P = _dense(result)
    rows, cols = result.a > 0.0, result.b > 0.0
    if isinstance(result, EntropicResult):
        X, p, q = _solve_laplacian(P, G, rows, cols)
        X /= -result.eps
    else:
        P[SUPPORT * np.minimum(result.a[:, None], result.b) >= P] = 0.0
        if _shares_limit(result, P):
            X, p, q = solve_tied(P, result.k, G)
        else:
            X, p, q = _solve_laplacian((P > 0.0).astype(np.float64), G, rows, cols)
        X /= -result.gamma
    _fill_empty(result, G, p, q)
    middle = float(p.mean())
    return TransportGradient(X.astype(result._cost.dtype, copy=False), p - middle, q + middle)


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
    result : EntropicResult, QuadraticResult or CardinalityResult
        What a solver returned; with a count limit, of ``mode="relaxed"``.

    Returns
    -------
    TransportGradient
        ``C`` is the dense plan, in the dtype of the costs.

    Raises
    ------
    TypeError
        If the result is not of a regularised problem with fixed marginals.
    ValueError
        If it is one of `cardinality` with ``mode="hard"``.

    Examples
    --------
    >>> from sparseopt import transport
    >>> result = transport.entropic([[0.0, 1.0], [1.0, 0.0]], None, None, 0.5)
    >>> transport.value_gradient(result).a
    array([0., 0.])
    """
    _check(result)
    if isinstance(result, CardinalityResult) and result.mode == "hard":
        raise ValueError("result must have mode='relaxed': potentials price no fixed support")
    P = _dense(result).astype(result._cost.dtype, copy=False)
    f, g = result.potentials
    middle = float(f.mean())
    return TransportGradient(P, f - middle, g + middle)


def _check(result: Any) -> None:
    # Subclasses are of other problems: with loose or more constraints.
    if type(result) not in (EntropicResult, QuadraticResult, CardinalityResult):
        raise TypeError(
            "result must be one of transport.entropic, quadratic or cardinality, got "
            f"{type(result).__name__}"
        )


def _dense(result: TransportResult) -> Array:
    """The plan of the potentials in float64."""
    return np.concatenate([P for *_, P in result._tiles()])


def _upstream(G: Any, shape: tuple[int, int]) -> Array:
    """The checked derivative by the plan in float64."""
    if hasattr(G, "toarray"):
        G = G.toarray()
    G = finite_array("G", G, ndim=(2,))
    if G.dtype.kind == "c":
        raise TypeError(f"G must be real, got dtype {G.dtype}")
    if G.shape != shape:
        raise ValueError(f"G must have the shape {shape} of the plan, got {G.shape}")
    return G.astype(np.float64, copy=False)


def _shares_limit(result: Any, P: Array) -> bool:
    """Whether entries of a relaxed plan share the count limit of their column."""
    if not isinstance(result, CardinalityResult) or result.mode == "hard":
        return False
    return is_tied(P, result.k)


def _solve_laplacian(W: Array, G: Array, rows: Array, cols: Array) -> tuple[Array, Array, Array]:
    r""":math:`W \circ (G - p 1^\top - 1 q^\top)`, p and q, by the system over atoms with mass."""
    X = W * G
    p, q = np.zeros(rows.size), np.zeros(cols.size)
    inner, given = W, X
    if not (rows.all() and cols.all()):
        inner, given = W[np.ix_(rows, cols)], X[np.ix_(rows, cols)]
    solution = solve_bipartite(
        inner,
        inner.sum(axis=1),
        inner.sum(axis=0),
        0.0,
        given.sum(axis=1),
        given.sum(axis=0),
        rtol=RTOL,
        max_iter=MAX_ITER,
    )
    if not solution.residual <= ENOUGH:
        warn_outside(
            f"the derivative is inexact: relative residual {solution.residual:.1e} of its "
            "linear system",
            ConvergenceWarning,
        )
    p[rows], q[cols] = solution.p, solution.q
    X -= W * p[:, None]
    X -= W * q
    return X, p, q


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
    if isinstance(result, EntropicResult):
        shares = np.exp(-above / result.eps)
    else:  # the support grows by the cheapest pair
        shares = 1.0 * (above <= LEVEL * above[np.isfinite(above)].max(initial=0.0))
    total = shares.sum(axis=1)
    spread = (shares * gain).sum(axis=1)
    return np.divide(spread, total, out=np.zeros_like(total), where=total > 0.0)
