"""Functions of the singular values of a matrix."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._core import accumulate, elementwise, namespace
from .._core._validate import integer
from ..prox._group_l2 import single
from ..prox._group_lifts import finite_level
from ..prox._l0 import hard_threshold, l0_slope, l0_threshold, l0_value
from ..prox._l1 import l1_slope, l1_value, soft_threshold
from ..prox._lq import exponent, lq_formula, lq_slope, lq_value
from ..prox._spectral import as_matrices, lift_spectrum
from ._base import Gauge, Penalty, quotient, steepest_bend


class Spectral(Penalty):
    """A sum over the singular values of an even scalar function, defined by scalar formulas.

    ``x`` is one matrix (m, n), or a stack (..., m, n) with one value for each; its columns are
    coupled. Singular values that are zero up to rounding count as zero.
    """

    value_formula: ClassVar[Any]
    slope_formula: ClassVar[Any]

    def value_parameters(self) -> tuple[Any, ...]:
        """Parameters of the value and the slope formula."""
        raise NotImplementedError

    def thresholding(self, step: Any) -> tuple[Any, tuple[Any, ...]]:
        """The prox formula for a step, and its parameters."""
        raise NotImplementedError

    def value(self, x: Any) -> Any:
        """Penalty of the matrix ``x``, or of each of a stack."""
        sigma = spectrum(x)
        return accumulate(self.value_formula, sigma, self.value_parameters())

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_X 1/2 ||X - V||^2 + step * f(X)``."""
        kernel, parameters = self.thresholding(step)
        return lift_spectrum(kernel, as_matrices(v), parameters, check=False)

    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple of the penalty for which zero is stationary."""
        sigma = spectrum(gradient)
        slope = elementwise(self.slope_formula, np.zeros_like(sigma), self.value_parameters())
        return np.max(quotient(sigma, slope), axis=0, initial=0.0)


class Nuclear(Spectral, Gauge):
    r"""Nuclear norm: the sum of the singular values.

    .. math:: f(X) = \lambda \sum_i \sigma_i(X), \qquad
        f^*(Y) = 0 \text{ if } \sigma_1(Y) \le \lambda

    Parameters
    ----------
    lam : float
        Level, >= 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or not a single number.

    See Also
    --------
    sparseopt.prox.nuclear : The proximal operator as a function.

    References
    ----------
    J.-F. Cai, E. J. Candes, Z. Shen (2010). A singular value thresholding algorithm for matrix
    completion. SIAM J. Optim. 20(4).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Nuclear(2.0).value([[3.0, 0.0], [0.0, -1.0]])
    8.0
    """

    value_formula = l1_value
    slope_formula = l1_slope

    def __init__(self, lam: Any) -> None:
        self.lam = single("lam", lam)

    def value_parameters(self) -> tuple[Any, ...]:
        """The level."""
        return (self.lam,)

    def thresholding(self, step: Any) -> tuple[Any, tuple[Any, ...]]:
        """Soft thresholding."""
        return soft_threshold, (step * self.lam,)

    @property
    def is_norm(self) -> bool:
        """Whether the level is positive."""
        return self.lam > 0.0

    def dual_norm(self, y: Any) -> Any:
        """The largest singular value, divided by ``lam``."""
        return self.alpha_max(y)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``: one number per matrix.

        On the row and column space of ``x`` the subdifferential is fixed, on their complements a
        ball of the spectral norm.
        """
        x, gradient = as_matrices(x), as_matrices(gradient)
        if 0 in x.shape:
            return np.zeros(x.shape[:-2])[()]
        u, sigma, vt = np.linalg.svd(x, full_matrices=False)
        used = _clean(sigma, x.shape) > 0
        u, vt = u * used[..., None, :], vt * used[..., :, None]
        left, right = np.conj(np.swapaxes(u, -1, -2)), np.conj(np.swapaxes(vt, -1, -2))
        fixed = gradient + self.lam * (u @ vt)
        free = gradient - u @ (left @ gradient)
        free = free - (free @ right) @ vt
        excess = lift_spectrum(soft_threshold, free, (self.lam,), check=False)
        return np.linalg.norm(fixed - free + excess, axis=(-2, -1))

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        return self.lam * cp.normNuc(x)


class Schatten(Spectral):
    r"""Schatten quasi-norm to the power q.

    .. math:: f(X) = \lambda \sum_i \sigma_i(X)^q

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    q : float
        Exponent in [0, 1]. The penalty is convex only at ``q=1``, where `Nuclear` offers more.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    See Also
    --------
    sparseopt.prox.schatten : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Schatten(2.0, 0.5).value([[4.0, 0.0], [0.0, -9.0]])
    10.0
    """

    value_formula = lq_value
    slope_formula = lq_slope

    def __init__(self, lam: Any, q: float) -> None:
        self.lam = finite_level("lam", lam)
        self.q = exponent(q)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless ``lam`` is 0 or ``q`` is 1: then 0."""
        return steepest_bend(self.lam, np.inf if self.q < 1.0 else 0.0)

    def value_parameters(self) -> tuple[Any, ...]:
        """Level and exponent."""
        return (self.lam, self.q)

    def thresholding(self, step: Any) -> tuple[Any, tuple[Any, ...]]:
        """The formula for this exponent."""
        return lq_formula(step * self.lam, self.q)


class Rank(Spectral):
    r"""Rank of a matrix, up to rounding.

    .. math:: f(X) = \lambda \operatorname{rank}(X)

    Parameters
    ----------
    lam : float
        Price of a rank, >= 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative, NaN or not a single number.

    See Also
    --------
    sparseopt.prox.rank : The proximal operator as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Rank(2.0).value([[1.0, 2.0], [2.0, 4.0]])
    2.0
    """

    value_formula = l0_value
    slope_formula = l0_slope

    def __init__(self, lam: Any) -> None:
        self.lam = single("lam", lam)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless ``lam`` is 0 or ``inf``: then 0."""
        return steepest_bend(self.lam, np.inf)

    def value_parameters(self) -> tuple[Any, ...]:
        """The price."""
        return (self.lam,)

    def thresholding(self, step: Any) -> tuple[Any, tuple[Any, ...]]:
        """Hard thresholding."""
        return hard_threshold, (l0_threshold(self.lam, step),)


class LowRank(Penalty):
    r"""Constraint to matrices of rank at most ``k``, up to rounding.

    .. math:: f(X) = 0 \text{ if } \operatorname{rank}(X) \le k, \ \infty \text{ otherwise}

    Parameters
    ----------
    k : int
        Largest rank, >= 0.

    Raises
    ------
    ValueError
        If ``k`` is negative.
    TypeError
        If ``k`` is not an integer.

    See Also
    --------
    sparseopt.prox.project_rank : The projection as a function.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.LowRank(1).prox([[3.0, 0.0], [0.0, 1.0]])
    array([[3., 0.],
           [0., 0.]])
    """

    def __init__(self, k: int) -> None:
        self.k = integer("k", k, 0)

    def value(self, x: Any) -> Any:
        """0 with rank at most ``k``, ``inf`` beyond; one number per matrix."""
        return np.where(np.count_nonzero(spectrum(x), axis=0) <= self.k, 0.0, np.inf)[()]

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Projection; the step has no effect."""
        v = as_matrices(v)
        return lift_spectrum(None, v, (), min(self.k, *v.shape[-2:]), check=False)


def spectrum(x: Any) -> Any:
    """Singular values, first axis; those below rounding are zero."""
    x = as_matrices(x)
    xp = namespace(x)
    if 0 in x.shape:
        return xp.zeros((0, *x.shape[:-2]), dtype=xp.abs(x).dtype)
    return xp.moveaxis(_clean(xp.linalg.svdvals(x), x.shape), -1, 0)


def _clean(sigma: Any, shape: tuple[int, ...]) -> Any:
    """Zero for singular values (last axis) that are zero up to rounding."""
    xp = namespace(sigma)
    slack = max(shape[-2:]) * float(xp.finfo(sigma.dtype).eps)
    return xp.where(sigma > slack * sigma[..., :1], sigma, xp.zeros_like(sigma))
