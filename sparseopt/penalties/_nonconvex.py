"""Separable penalties that are not convex: l0, l_q and MCP."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import elementwise
from ..prox._l0 import hard_threshold, l0_slope, l0_threshold, l0_value
from ..prox._lq import exponent, lq_formula, lq_slope, lq_value
from ..prox._mcp import firm_threshold, mcp_slope, mcp_value
from ._base import Separable, beside, frozen, steepest_bend


class L0(Separable):
    r"""Number of non-zeros.

    .. math:: f(x) = \sum_i \lambda_i [x_i \ne 0]

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Price of a non-zero entry, >= 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative or NaN.

    See Also
    --------
    sparseopt.prox.l0 : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L0(2.0).value([1.0, 0.0, -3.0])
    4.0
    """

    value_formula = l0_value
    slope_formula = l0_slope
    prox_formula = hard_threshold

    def __init__(self, lam: Any) -> None:
        self.lam = frozen("lam", lam)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless no coordinate has a finite price: then 0."""
        return steepest_bend(self.lam, np.inf)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """The price."""
        return (beside(self.lam, x),)

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """The hard threshold."""
        return (l0_threshold(beside(self.lam, v), step),)


class Lq(Separable):
    r"""l_q quasi-norm to the power q.

    .. math:: f(x) = \sum_i \lambda_i |x_i|^q

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    q : float
        Exponent in [0, 1]. The penalty is convex only at ``q=1``, where `L1` offers more.

    Raises
    ------
    ValueError
        If ``lam`` is negative or not finite, or ``q`` is outside [0, 1].

    See Also
    --------
    sparseopt.prox.lq : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Lq(2.0, 0.5).value([4.0, 0.0, -9.0])
    10.0
    """

    value_formula = lq_value
    slope_formula = lq_slope

    def __init__(self, lam: Any, q: float) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.q = exponent(q)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless no coordinate is penalised or ``q`` is 1: then 0."""
        return steepest_bend(self.lam, np.inf if self.q < 1.0 else 0.0)

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and exponent."""
        return (beside(self.lam, x), self.q)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        kernel, parameters = lq_formula(step * beside(self.lam, v), self.q)
        return elementwise(kernel, v, parameters)


class MCP(Separable):
    r"""Minimax concave penalty.

    .. math:: f(x) = \sum_i \begin{cases}
        \lambda |x_i| - x_i^2 / (2\gamma) & |x_i| \le \gamma\lambda \\
        \gamma\lambda^2 / 2 & \text{otherwise} \end{cases}

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    gamma : float or array_like, shape (n,)
        Concavity, > 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``gamma`` is not positive, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.mcp : The proximal operator as a function.

    References
    ----------
    C.-H. Zhang (2010). Nearly unbiased variable selection under minimax concave penalty.
    Ann. Statist. 38(2).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> round(penalties.MCP(1.0, 3.0).value([1.0, 10.0]), 4)
    2.3333
    """

    value_formula = mcp_value
    slope_formula = mcp_slope
    prox_formula = firm_threshold

    def __init__(self, lam: Any, gamma: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.gamma = frozen("gamma", gamma, strict=True, finite=True)

    @property
    def weak_convexity(self) -> float:
        """``1 / gamma``, the largest of the coordinates that are penalised."""
        return steepest_bend(self.lam, 1.0 / np.asarray(self.gamma))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and concavity."""
        return (beside(self.lam, x), beside(self.gamma, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Level, concavity and step."""
        return (beside(self.lam, v), beside(self.gamma, v), step)
