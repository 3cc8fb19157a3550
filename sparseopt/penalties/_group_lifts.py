"""Non-convex functions of group norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Groups, as_groups
from ..prox._group_l2 import group_levels
from ..prox._group_lifts import finite_level, finite_weights, scad_gamma
from ..prox._groups import scale_groups
from ..prox._log_sum import log_sum_parameters, log_sum_root, log_sum_slope, log_sum_value
from ..prox._lq import exponent, lq_formula, lq_slope, lq_value
from ..prox._mcp import firm_threshold, mcp_slope, mcp_value
from ..prox._scad import scad_slope, scad_threshold, scad_value
from ._base import frozen, require_dimension, steepest_bend
from ._radial import RadialGroups, outer, row


class _Lifted(RadialGroups):
    """A level, groups and their weights."""

    def __init__(self, lam: Any, groups: Any, weights: Any) -> None:
        self.lam = finite_level("lam", lam)
        self.groups: Groups = as_groups(groups)
        self.weights = frozen("weights", finite_weights(weights, self.groups))

    def _levels(self) -> Any:
        return group_levels(self.lam, self.weights)


class GroupLq(_Lifted):
    r"""Sum of group norms to the power q.

    .. math:: f(x) = \lambda \sum_g w_g \|x_g\|_2^q

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    q : float
        Exponent in [0, 1]. The penalty is convex only at ``q=1``, where `GroupL2` offers more.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition or a parameter is out of range.

    See Also
    --------
    sparseopt.prox.group_lq : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.GroupLq(2.0, 0.5, [0, 0, 1]).value([3.2, -2.4, 9.0])
    10.0
    """

    value_formula = lq_value
    slope_formula = lq_slope

    def __init__(self, lam: Any, q: float, groups: Any, weights: Any = None) -> None:
        super().__init__(lam, groups, weights)
        self.q = exponent(q)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless no group is penalised or ``q`` is 1: then 0."""
        return steepest_bend(self._levels(), np.inf if self.q < 1.0 else 0.0)

    def value_parameters(self) -> tuple[Any, ...]:
        """The level of each group, and the exponent."""
        return (self._levels(), self.q)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        require_dimension("v", v)
        v = v if hasattr(v, "ndim") else np.asarray(v, float)
        kernel, parameters = lq_formula(outer(self._levels(), step), self.q)
        return scale_groups(kernel, v, parameters, self._for(v))


class GroupMCP(_Lifted):
    r"""Minimax concave penalty of group norms.

    .. math:: f(x) = \sum_g \begin{cases}
        \lambda w_g \|x_g\| - \|x_g\|^2 / (2\gamma) & \|x_g\| \le \gamma\lambda w_g \\
        \gamma\lambda^2 w_g^2 / 2 & \text{otherwise} \end{cases}

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    gamma : float
        Concavity, > 0 and finite.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group's level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition or a parameter is out of range.

    See Also
    --------
    sparseopt.prox.group_mcp : The proximal operator as a function.

    References
    ----------
    J. Huang, P. Breheny, S. Ma (2012). A selective review of group selection in
    high-dimensional models. Stat. Sci. 27(4).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> round(penalties.GroupMCP(1.0, 3.0, [0, 0, 1]).value([0.6, 0.8, 10.0]), 4)
    2.3333
    """

    value_formula = mcp_value
    slope_formula = mcp_slope
    prox_formula = firm_threshold

    def __init__(self, lam: Any, gamma: Any, groups: Any, weights: Any = None) -> None:
        super().__init__(lam, groups, weights)
        self.gamma = finite_level("gamma", gamma, strict=True)

    @property
    def weak_convexity(self) -> float:
        """``1 / gamma``; 0 if no group is penalised."""
        return steepest_bend(self._levels(), 1.0 / self.gamma)

    def value_parameters(self) -> tuple[Any, ...]:
        """The level of each group, and the concavity."""
        return (self._levels(), self.gamma)

    def prox_parameters(self, step: Any) -> tuple[Any, ...]:
        """The level of each group, the concavity and the step."""
        return (self._levels(), self.gamma, row(step))


class GroupSCAD(_Lifted):
    r"""Smoothly clipped absolute deviation of group norms.

    .. math:: f(x) = \sum_g \phi(\|x_g\|_2; \lambda w_g, \gamma)

    with the function :math:`\phi` of `sparseopt.prox.scad`.

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    gamma : float
        Concavity, > 2 and finite.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group's level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition or a parameter is out of range.

    See Also
    --------
    sparseopt.prox.group_scad : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.GroupSCAD(1.0, 3.0, [0, 0, 1]).value([0.6, 0.8, 10.0])
    3.0
    """

    value_formula = scad_value
    slope_formula = scad_slope
    prox_formula = scad_threshold

    def __init__(self, lam: Any, gamma: Any, groups: Any, weights: Any = None) -> None:
        super().__init__(lam, groups, weights)
        self.gamma = scad_gamma(gamma)

    def value_parameters(self) -> tuple[Any, ...]:
        """The level of each group, and ``gamma``."""
        return (self._levels(), self.gamma)

    @property
    def weak_convexity(self) -> float:
        """``1 / (gamma - 1)``; 0 if no group is penalised."""
        return steepest_bend(self._levels(), 1.0 / (self.gamma - 1.0))

    def prox_parameters(self, step: Any) -> tuple[Any, ...]:
        """The level of each group, the concavity and the step."""
        return (self._levels(), self.gamma, row(step))


class GroupLogSum(_Lifted):
    r"""Log-sum penalty of group norms.

    .. math:: f(x) = \lambda \sum_g w_g \log(1 + \|x_g\|_2 / \epsilon)

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    eps : float
        Scale below which the penalty looks like a norm, > 0 and finite.
    groups : array_like of int, shape (n,), or list of index arrays
        The group of each coordinate, or the coordinates of each group; a partition.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight of each group's level, >= 0 and finite.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition or a parameter is out of range.

    See Also
    --------
    sparseopt.prox.group_log_sum : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> round(penalties.GroupLogSum(1.0, 1.0, [0, 0, 1]).value([0.6, 0.8, 0.0]), 4)
    0.6931
    """

    value_formula = log_sum_value
    slope_formula = log_sum_slope
    prox_formula = log_sum_root

    def __init__(self, lam: Any, eps: Any, groups: Any, weights: Any = None) -> None:
        super().__init__(lam, groups, weights)
        self.eps = finite_level("eps", eps, strict=True)

    def value_parameters(self) -> tuple[Any, ...]:
        """The level of each group, and ``eps``."""
        return (self._levels(), self.eps)

    @property
    def weak_convexity(self) -> float:
        """``lam max(w_g) / eps^2``."""
        return float(np.max(self._levels(), initial=0.0)) / self.eps**2

    def prox_parameters(self, step: Any) -> tuple[Any, ...]:
        """The level of each group times the step, the scale and the threshold of the norm."""
        return log_sum_parameters(outer(self._levels(), step), self.eps)
