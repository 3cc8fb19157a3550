"""The difference of the l1 and the l2 norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import accumulate, elementwise
from ..prox._group_l2 import single
from ..prox._groups import group_norms
from ..prox._l1 import l1_value, soft_threshold
from ..prox._l1_minus_l2 import difference_prox, share
from ..prox._vectors import one_group
from ._base import Penalty, as_vectors, quotient, steepest_bend


class L1MinusL2(Penalty):
    r"""The l1 norm minus a multiple of the l2 norm.

    .. math:: f(x) = \lambda (\|x\|_1 - \alpha \|x\|_2), \qquad 0 \le \alpha \le 1

    For :math:`\alpha = 1` it is zero on vectors with one non-zero entry. Not convex, and not even
    weakly, unless :math:`\alpha = 0`, where `L1` offers more.

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    alpha : float
        Share of the l2 norm that is taken away, in [0, 1].

    Raises
    ------
    ValueError
        If ``lam`` is negative or not finite, or ``alpha`` is outside [0, 1].

    See Also
    --------
    sparseopt.prox.l1_minus_l2 : The proximal operator as a function.

    References
    ----------
    Y. Lou, M. Yan (2018). Fast L1-L2 minimization via a proximal operator. J. Sci. Comput. 74.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.L1MinusL2(2.0).value([3.0, -4.0])
    4.0
    """

    def __init__(self, lam: Any, alpha: Any = 1.0) -> None:
        self.lam = single("lam", lam)
        if np.isinf(self.lam):
            raise ValueError(f"lam must be finite, got {self.lam}")
        self.alpha = share("alpha", alpha)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless ``lam`` or ``alpha`` is 0: then 0."""
        return steepest_bend(self.lam, np.inf if self.alpha > 0.0 else 0.0)

    def value(self, x: Any) -> Any:
        """``lam * (||x||_1 - alpha ||x||_2)``, per column of a batch."""
        x = as_vectors("x", x)
        norm = group_norms(x, one_group(x.shape[0]))[0]
        norm = norm if x.ndim > 1 else norm[0]
        value = accumulate(l1_value, x, (self.lam,)) - self.lam * self.alpha * norm
        return float(value) if isinstance(value, np.floating) else value

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        return difference_prox(as_vectors("v", v), step * self.lam, self.alpha, 0)

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        peak = np.max(np.abs(gradient), axis=0, initial=0.0)
        return quotient(peak, (1.0 - self.alpha) * self.lam)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate."""
        x, gradient = np.asarray(x), np.asarray(gradient)
        norm = group_norms(x, one_group(x.shape[0]))[0]
        norm = norm if x.ndim > 1 else norm[0]
        size = np.abs(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(size > 0, self.lam * (1 / size - self.alpha / norm), 0.0)
        at_zero = self.lam * np.where(norm > 0, 1.0, 1.0 - self.alpha)
        rest = elementwise(soft_threshold, np.abs(gradient), (at_zero,))
        return np.where(size > 0, np.abs(gradient + slope * x), rest)
