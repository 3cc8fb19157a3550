"""Concave penalties of the modulus: SCAD, capped l1, log-sum, Geman-McClure, ETP, Cauchy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..prox._capped_l1 import capped_l1_slope, capped_l1_value, capped_threshold
from ..prox._cauchy import cauchy_parameters, cauchy_root, cauchy_slope, cauchy_value
from ..prox._etp import etp_root, etp_slope, etp_value
from ..prox._geman import geman_root, geman_slope, geman_value
from ..prox._log_sum import log_sum_parameters, log_sum_root, log_sum_slope, log_sum_value
from ..prox._scad import scad_slope, scad_threshold, scad_value
from ._base import Separable, beside, frozen, steepest_bend


class SCAD(Separable):
    r"""Smoothly clipped absolute deviation.

    .. math:: f(x) = \sum_i \begin{cases} \lambda |x_i| & |x_i| \le \lambda \\
        \frac{2\gamma\lambda|x_i| - x_i^2 - \lambda^2}{2(\gamma - 1)} &
        \lambda < |x_i| \le \gamma\lambda \\
        \lambda^2 (\gamma + 1) / 2 & \text{otherwise} \end{cases}

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    gamma : float or array_like, shape (n,)
        Concavity, > 2 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``gamma`` is not above 2, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.scad : The proximal operator as a function.

    References
    ----------
    J. Fan, R. Li (2001). Variable selection via nonconcave penalized likelihood and its oracle
    properties. J. Amer. Statist. Assoc. 96(456).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.SCAD(1.0, 3.0).value([1.0, -10.0])
    3.0
    """

    value_formula = scad_value
    prox_formula = scad_threshold
    slope_formula = scad_slope

    def __init__(self, lam: Any, gamma: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.gamma = frozen("gamma", gamma, low=2.0, strict=True, finite=True)

    @property
    def weak_convexity(self) -> float:
        """``1 / (gamma - 1)``, the largest of the coordinates that are penalised."""
        return steepest_bend(self.lam, 1.0 / (np.asarray(self.gamma) - 1.0))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and concavity."""
        return (beside(self.lam, x), beside(self.gamma, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """Level, concavity and step."""
        return (beside(self.lam, v), beside(self.gamma, v), step)


class CappedL1(Separable):
    r"""Capped l1 norm.

    .. math:: f(x) = \sum_i \lambda_i \min(|x_i|, \theta_i)

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0; ``inf`` forces a coordinate to zero.
    threshold : float or array_like, shape (n,)
        Modulus from which entries cost the same, > 0.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``threshold`` is not positive, or either is NaN.

    See Also
    --------
    sparseopt.prox.capped_l1 : The proximal operator as a function.

    References
    ----------
    T. Zhang (2010). Analysis of multi-stage convex relaxation for sparse regularization.
    J. Mach. Learn. Res. 11.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.CappedL1(1.0, 2.0).value([1.0, -10.0])
    3.0
    """

    value_formula = capped_l1_value
    prox_formula = capped_threshold
    slope_formula = capped_l1_slope

    def __init__(self, lam: Any, threshold: Any) -> None:
        self.lam = frozen("lam", lam)
        self.threshold = frozen("threshold", threshold, strict=True)

    @property
    def weak_convexity(self) -> float:
        """``inf``, unless no coordinate has both a level, > 0 and finite, and a cap: then 0."""
        return steepest_bend(self.lam, np.where(np.isinf(self.threshold), 0.0, np.inf))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and threshold."""
        return (beside(self.lam, x), beside(self.threshold, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam`` and threshold."""
        return (step * beside(self.lam, v), beside(self.threshold, v))


class LogSum(Separable):
    r"""Log-sum penalty.

    .. math:: f(x) = \sum_i \lambda_i \log(1 + |x_i| / \varepsilon_i)

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    eps : float or array_like, shape (n,)
        Scale below which it looks like an l1 norm, > 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``eps`` is not positive, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.log_sum : The proximal operator as a function.

    References
    ----------
    E. J. Candes, M. B. Wakin, S. P. Boyd (2008). Enhancing sparsity by reweighted l1
    minimization. J. Fourier Anal. Appl. 14.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> round(penalties.LogSum(1.0, 1.0).value([1.0, -3.0]), 4)
    2.0794
    """

    value_formula = log_sum_value
    prox_formula = log_sum_root
    slope_formula = log_sum_slope

    def __init__(self, lam: Any, eps: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.eps = frozen("eps", eps, strict=True, finite=True)

    @property
    def weak_convexity(self) -> float:
        """``lam / eps^2``."""
        return float(np.max(self.lam / np.square(self.eps), initial=0.0))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and scale."""
        return (beside(self.lam, x), beside(self.eps, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam``, scale and threshold."""
        return log_sum_parameters(step * beside(self.lam, v), beside(self.eps, v))


class Geman(Separable):
    r"""Penalty of Geman and McClure, for moduli.

    .. math:: f(x) = \sum_i \lambda_i \frac{|x_i|}{|x_i| + \theta_i}

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    threshold : float or array_like, shape (n,)
        Modulus that costs half of ``lam``, > 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``threshold`` is not positive, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.geman : The proximal operator as a function.

    References
    ----------
    D. Geman, G. Reynolds (1992). Constrained restoration and the recovery of discontinuities.
    IEEE Trans. Pattern Anal. Mach. Intell. 14(3).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Geman(1.0, 1.0).value([1.0, -3.0])
    1.25
    """

    value_formula = geman_value
    prox_formula = geman_root
    slope_formula = geman_slope

    def __init__(self, lam: Any, threshold: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.threshold = frozen("threshold", threshold, strict=True, finite=True)

    @property
    def weak_convexity(self) -> float:
        """``2 lam / threshold^2``."""
        return float(np.max(2.0 * self.lam / np.square(self.threshold), initial=0.0))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and threshold."""
        return (beside(self.lam, x), beside(self.threshold, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam`` and threshold."""
        return (step * beside(self.lam, v), beside(self.threshold, v))


class ETP(Separable):
    r"""Exponential-type penalty.

    .. math:: f(x) = \sum_i \lambda_i \frac{1 - e^{-\gamma_i |x_i|}}{1 - e^{-\gamma_i}}

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    gamma : float or array_like, shape (n,)
        Rate, > 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``gamma`` is not positive, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.etp : The proximal operator as a function.

    References
    ----------
    C. Gao, N. Wang, Q. Yu, Z. Zhang (2011). A feasible nonconvex relaxation approach to feature
    selection. AAAI.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.ETP(1.0, 1.0).value([1.0, 0.0])
    1.0
    """

    value_formula = etp_value
    prox_formula = etp_root
    slope_formula = etp_slope

    def __init__(self, lam: Any, gamma: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.gamma = frozen("gamma", gamma, strict=True, finite=True)

    @property
    def weak_convexity(self) -> float:
        """``lam gamma^2 / (1 - exp(-gamma))``."""
        return float(
            np.max(
                -self.lam * np.square(self.gamma) / np.expm1(-np.asarray(self.gamma)), initial=0.0
            )
        )

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and rate."""
        return (beside(self.lam, x), beside(self.gamma, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam`` and rate."""
        return (step * beside(self.lam, v), beside(self.gamma, v))


class Cauchy(Separable):
    r"""Cauchy (Lorentzian) penalty.

    .. math:: f(x) = \sum_i \lambda_i \log(1 + x_i^2 / \delta_i)

    Parameters
    ----------
    lam : float or array_like, shape (n,)
        Level, >= 0 and finite.
    delta : float or array_like, shape (n,)
        Square of the scale below which it looks like a ridge, > 0 and finite.

    Raises
    ------
    ValueError
        If ``lam`` is negative, ``delta`` is not positive, or either is NaN or infinite.

    See Also
    --------
    sparseopt.prox.cauchy : The proximal operator as a function.

    References
    ----------
    O. Karakus, P. Mayo, A. Achim (2020). Convergence guarantees for non-convex optimisation with
    Cauchy-based penalties. IEEE Trans. Signal Process. 68.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> round(penalties.Cauchy(1.0, 1.0).value([1.0, 0.0]), 4)
    0.6931
    """

    value_formula = cauchy_value
    prox_formula = cauchy_root
    slope_formula = cauchy_slope

    def __init__(self, lam: Any, delta: Any) -> None:
        self.lam = frozen("lam", lam, finite=True)
        self.delta = frozen("delta", delta, strict=True, finite=True)

    @property
    def weak_convexity(self) -> float:
        """``lam / (4 delta)``."""
        return float(np.max(0.25 * self.lam / self.delta, initial=0.0))

    def value_parameters(self, x: Any) -> tuple[Any, ...]:
        """Level and square of the scale."""
        return (beside(self.lam, x), beside(self.delta, x))

    def prox_parameters(self, v: Any, step: Any) -> tuple[Any, ...]:
        """``step * lam``, square of the scale and threshold."""
        return cauchy_parameters(step * beside(self.lam, v), beside(self.delta, v))
