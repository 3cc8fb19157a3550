"""The continuous exact l0 penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import elementwise, formula, sqrt, to_host, warn_outside, where
from .._core._validate import parameter, steps
from ._l0 import hard_threshold
from ._mcp import firm_threshold, mcp_slope, mcp_value


@formula
def cel0_threshold(v, lam, norm, step):  # type: ignore[no-untyped-def]
    """Prox of CEL0, which is MCP with another pair of parameters; zero where ``norm`` is."""
    c = where(norm > 0.0, norm, 1.0)
    firm = firm_threshold(v, c * sqrt(2.0 * lam), 1.0 / (c * c), step)
    hard = hard_threshold(v, sqrt(2.0 * step * lam))
    return where(norm > 0.0, where(step * c * c < 1.0, firm, hard), v - v)


@formula
def cel0_value(x, lam, norm):  # type: ignore[no-untyped-def]
    """``lam - norm^2/2 (|x| - sqrt(2 lam)/norm)^2`` up to ``sqrt(2 lam)/norm``, ``lam`` beyond."""
    c = where(norm > 0.0, norm, 1.0)
    return where(norm > 0.0, mcp_value(x, c * sqrt(2.0 * lam), 1.0 / (c * c)), 0.0 * abs(x))


@formula
def cel0_slope(x, lam, norm):  # type: ignore[no-untyped-def]
    """Slope for x >= 0."""
    c = where(norm > 0.0, norm, 1.0)
    return where(norm > 0.0, mcp_slope(x, c * sqrt(2.0 * lam), 1.0 / (c * c)), 0.0 * x)


def warn_of_zero_norms(norms: Any) -> None:
    """Warn, once a call, that coordinates without an effect are set to zero."""
    zeros = int(np.sum(to_host(norms) == 0.0))
    if zeros:
        warn_outside(
            f"norms has {zeros} zero(s): these coordinates do not matter and become zero",
            UserWarning,
        )


def cel0(v: Any, lam: Any, norms: Any, *, step: Any = 1.0, out: Any = None) -> Any:
    r"""Proximal operator of the continuous exact l0 penalty (CEL0).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 + \text{step} \sum_i f(x_i; c_i), \quad
        f(x; c) = \lambda - \tfrac{c^2}{2} \max\bigl(\sqrt{2\lambda}/c - |x|, 0\bigr)^2

    where :math:`c_i = \|a_i\|` is the norm of column i of A: in place of
    :math:`\lambda \|x\|_0`, the penalty leaves the minimum of
    :math:`\tfrac12\|Ax - y\|^2 + \lambda\|x\|_0` and its minimisers unchanged and removes local
    ones. It is `mcp` with level :math:`c\sqrt{2\lambda}` and concavity :math:`1/c^2`: for
    :math:`\text{step}\,c^2 < 1` the result is
    :math:`\min(|v|, \max(|v| - \text{step}\,c\sqrt{2\lambda}, 0)/(1 - \text{step}\,c^2))` with the
    sign of v, for longer steps hard thresholding at :math:`\sqrt{2\,\text{step}\,\lambda}` (a tie
    gives zero).

    Parameters
    ----------
    v : array_like, any shape
        Point, real or complex.
    lam : float or array_like that broadcasts to ``v``
        Level, >= 0 and finite.
    norms : float or array_like that broadcasts to ``v``
        Norms of the columns of the matrix, >= 0 and finite. Where a norm is 0 the coordinate does
        not matter: it becomes zero, and a warning says so.
    step : float or array_like that broadcasts to ``v``
        Step, > 0.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If an argument has NaN, ``lam`` or ``norms`` < 0, ``step`` <= 0, or shapes do not broadcast.
    TypeError
        If ``v`` is not numeric.

    Warns
    -----
    UserWarning
        If a norm is zero.

    References
    ----------
    E. Soubies, L. Blanc-Feraud, G. Aubert (2015). A continuous exact l0 penalty (CEL0) for least
    squares regularized problem. SIAM J. Imaging Sci. 8(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.cel0([0.5, 1.5, 4.0], 0.5, 0.5)
    array([0.        , 1.33333333, 4.        ])
    """
    norms = parameter("norms", norms, finite=True)
    warn_of_zero_norms(norms)
    parameters = (parameter("lam", lam, finite=True), norms, steps(step))
    return elementwise(cel0_threshold, v, parameters, out=out, check=True)
