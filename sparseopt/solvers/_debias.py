"""Refit a loss on the support that a penalty has found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._core import Result
from ..losses import LeastSquares
from ._composite import Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DebiasedResult(Result):
    """A result whose ``x`` was refitted on its support.

    ``fun`` is the loss alone at the new ``x``; ``certificate``, ``dual`` and ``history`` are those
    of the penalised problem that found the support.

    Attributes
    ----------
    penalized_x : ndarray
        The solution of the penalised problem.
    support : ndarray of bool
        Where it is not zero.
    refit_residual : float
        Norm of the loss's gradient on the support beside that of the gradient at zero.

    Examples
    --------
    >>> import numpy as np
    >>> import sparseopt as so
    >>> loss = so.losses.LeastSquares(np.eye(3), [3.0, 0.5, -2.0])
    >>> result = so.minimize(loss, so.penalties.L1(1.0), debias=True)
    >>> result.penalized_x, result.x
    (array([ 2.,  0., -1.]), array([ 3.,  0., -2.]))
    """

    penalized_x: Any = None
    support: Any = None
    refit_residual: float = 0.0


def debias(loss: Any, result: Result) -> DebiasedResult:
    r"""Minimise the loss alone over the vectors with the support of a result.

    .. math:: \min_x f(A x) \quad\text{subject to}\quad x_i = 0 \text{ where the result is zero}

    Least squares of a matrix are solved directly (the shortest solution where there are many),
    with an operator by LSMR; any other loss by L-BFGS. Columns of x have supports of their own.
    Other terms of the problem, such as signs, are not kept.

    Parameters
    ----------
    loss : object
        The loss of the problem.
    result : Result
        What a solver has found.

    Returns
    -------
    DebiasedResult
        The result with ``x`` and ``fun`` replaced, and what they were before.

    Raises
    ------
    ValueError
        If ``result.x`` does not have the shape of the loss's unknown.

    References
    ----------
    A. Belloni, V. Chernozhukov (2013). Least squares after model selection in high-dimensional
    sparse models. Bernoulli 19(2). arXiv:1001.0188.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses, penalties, solvers
    >>> loss = losses.LeastSquares(np.eye(3), [3.0, 0.5, -2.0])
    >>> solvers.debias(loss, solvers.admm(loss, penalties.L1(1.0))).x
    array([ 3.,  0., -2.])
    """
    x = np.asarray(result.x)
    if x.shape != loss.shape:
        raise ValueError(f"result.x must have shape {loss.shape}, got {x.shape}")
    support = x != 0
    explicit = isinstance(loss, LeastSquares) and (
        isinstance(loss.A, np.ndarray) or issparse(loss.A)
    )
    if isinstance(loss, LeastSquares) and (explicit or not loss.intercept):
        refitted = _least_squares(loss, x, support)
    else:
        refitted = _descend(loss, x, support)
    z = loss.predict(refitted)
    gradient = np.where(support, loss.pull_back(loss.gradient_at(z)), 0)
    zero = loss.predict(np.zeros_like(x))
    size = float(np.linalg.norm(loss.pull_back(loss.gradient_at(zero))))
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(Result)}
    fields.update(
        x=refitted,
        fun=float(np.sum(loss.value_at(z))),
        message=f"{result.message}; refitted without the penalty on a support of {support.sum()}",
    )
    residual = float(np.linalg.norm(gradient)) / (size or 1.0)
    return DebiasedResult(**fields, penalized_x=x, support=support, refit_residual=residual)


def _least_squares(loss: LeastSquares, x: Array, support: Array) -> Array:
    """Column by column, as their supports differ."""
    A, y = loss.A, loss.y
    m = len(y)
    root = np.ones(m) if loss.sample_weights is None else np.sqrt(loss.sample_weights).reshape(-1)
    root = root.astype(y.real.dtype)
    share = root**2 / np.sum(root**2) if loss.intercept else np.zeros_like(root)
    columns, targets = support.reshape(len(x), -1), y.reshape(m, -1)
    refitted = np.zeros_like(x).reshape(len(x), -1)
    for j in range(columns.shape[1]):
        on = np.flatnonzero(columns[:, j])
        if not on.size or not m:
            continue
        b = root * (targets[:, j] - share @ targets[:, j])
        if isinstance(A, np.ndarray) or issparse(A):
            part = A[:, on] if isinstance(A, np.ndarray) else A.tocsc()[:, on].toarray()
            part = root[:, None] * (part - share @ part)
            refitted[on, j] = np.linalg.lstsq(part, b, rcond=None)[0]
        else:
            refitted[on, j] = _by_products(loss, root, on, b)
    return refitted.reshape(x.shape)


def _by_products(loss: LeastSquares, root: Array, on: Array, b: Array) -> Array:
    from scipy.sparse.linalg import LinearOperator, aslinearoperator, lsmr

    A = aslinearoperator(loss.A)

    def forward(c: Array) -> Array:
        whole = np.zeros(A.shape[1], np.result_type(c.dtype, b.dtype))
        whole[on] = c.reshape(-1)
        result: Array = root * (A @ whole)
        return result

    def backward(u: Array) -> Array:
        result: Array = A.rmatvec(root * u.reshape(-1))[on]
        return result

    part = LinearOperator((len(b), on.size), matvec=forward, rmatvec=backward, dtype=loss.dtype)
    eps = 10 * float(np.finfo(loss.dtype).eps)
    found: Array = lsmr(part, b, atol=eps, btol=eps, maxiter=20 * on.size + 100)[0]
    return found


def _descend(loss: Any, x: Array, support: Array) -> Array:
    """L-BFGS over the coordinates of the support, from the penalised solution."""
    from scipy.optimize import minimize

    if loss.dtype.kind == "c":
        raise TypeError(f"loss must be least squares for complex data, got {type(loss).__name__}")

    def evaluate(c: Array) -> tuple[float, Array]:
        whole = np.zeros_like(x)
        whole[support] = c
        z = loss.predict(whole)
        gradient = loss.pull_back(loss.gradient_at(z))[support]
        return float(np.sum(loss.value_at(z))), gradient.astype(np.float64)

    refitted = np.zeros_like(x)
    if support.any():
        start = x[support].astype(np.float64)
        size = float(np.max(np.abs(evaluate(0.0 * start)[1])))
        options = {"gtol": 1e-10 * size, "ftol": 0.0, "maxiter": 2000, "maxcor": 20}
        found = minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
        refitted[support] = found.x
    return refitted
