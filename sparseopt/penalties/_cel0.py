"""The continuous exact l0 penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..prox._cel0 import cel0_slope, cel0_threshold, cel0_value, warn_of_zero_norms
from ._base import Separable, beside, frozen


class CEL0(Separable):
    r"""Continuous exact l0 penalty.

    .. math:: f(x) = \sum_i \Bigl(\lambda
        - \tfrac{c_i^2}{2} \max\bigl(\sqrt{2\lambda}/c_i - |x_i|, 0\bigr)^2\Bigr)

    In place of ``lam ||x||_0`` beside ``1/2 ||A x - y||^2`` it leaves the global minimisers as they
    are; setting entries below ``sqrt(2 lam) / c`` of a local minimiser to zero gives one of the
    problem with the l0 penalty.

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    norms : float or array_like, shape (n,)
        Norms of the columns of the matrix, >= 0 and finite. A coordinate with norm 0 does not
        matter: its value is 0, its prox is 0, and a warning at construction says so.

    Raises
    ------
    ValueError
        If ``lam`` or ``norms`` is negative, NaN or infinite.

    See Also
    --------
    sparseopt.prox.cel0 : The proximal operator as a function.

    References
    ----------
    E. Soubies, L. Blanc-Feraud, G. Aubert (2015). A continuous exact l0 penalty (CEL0) for least
    squares regularized problem. SIAM J. Imaging Sci. 8(3).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.CEL0(0.5, 1.0).value([0.5, -10.0])
    0.875
    """

    value_formula = cel0_value
    prox_formula = cel0_threshold
    slope_formula = cel0_slope

    def __init__(self, lam: Any, norms: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.norms = frozen("norms", norms, finite=True)
        warn_of_zero_norms(self.norms)

    @property
    def weak_convexity(self) -> float:
        """The square of the largest norm of a coordinate that is penalised."""
        squares = np.where(np.asarray(self.lam) > 0.0, np.square(self.norms), 0.0)
        return float(np.max(squares, initial=0.0))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and norms."""
        return (beside(self.lam, x), beside(self.norms, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Level, norms and step."""
        return (beside(self.lam, v), beside(self.norms, v), step)
