"""The spectral norm, bracketed: a value that is attained and a bound that is certified."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal, norm
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .._core import as_rng, as_scipy
from .._core._validate import integer, positive
from ._checks import Array


@dataclasses.dataclass(frozen=True)
class NormEstimate:
    """An interval that holds the spectral norm.

    Attributes
    ----------
    lower : float
        Attained: ``||A v||`` at a unit vector ``v`` that was found.
    upper : float
        Certified bound, possibly infinite; see `operator_norm`.

    Examples
    --------
    >>> from sparseopt.linop import NormEstimate
    >>> NormEstimate(lower=1.0, upper=1.1)
    NormEstimate(lower=1.0, upper=1.1)
    """

    lower: float
    upper: float


def operator_norm(
    A: Any,
    *,
    max_iter: int = 30,
    failure_probability: float = 1e-6,
    rng: int | np.random.Generator | None = 0,
) -> NormEstimate:
    r"""Bracket the largest singular value :math:`\|A\|_2`.

    Lanczos iteration with full reorthogonalisation on :math:`A^H A` (or :math:`A A^H`, whichever
    is smaller, of dimension :math:`n`) from a random vector maximises over the Krylov space of
    power iteration. ``lower`` is :math:`\|Av\|` at the best unit vector found. ``upper`` is the
    least of

    - ``A.norm_bound``, if the operator has one;
    - for explicit matrices, :math:`\sqrt{\|A\|_1 \|A\|_\infty}` and the Frobenius norm;
    - after :math:`k` iterations, with largest Ritz value :math:`\theta` [1]_: except with
      probability :math:`1.648 \sqrt n\, e^{-\sqrt\varepsilon (2k - 1)}` over the start vector,
      :math:`\lambda_{\max} \le \theta / (1 - \varepsilon)`;
    - once the Krylov space is nearly invariant, with residual :math:`\beta`: except with
      probability :math:`p` the start vector has a component of at least :math:`p\sqrt{\pi / 2n}`
      along the leading eigenvector, so that
      :math:`\lambda_{\max} \le \theta + \beta \sqrt{2n/\pi} / p`.

    The last two share ``failure_probability`` equally. For a complex operator :math:`n` counts
    real and imaginary parts. All of it holds up to rounding.

    Parameters
    ----------
    A : ndarray, SciPy sparse or LinearOperator, shape (m, n)
    max_iter : int, default 30
        Largest dimension of the Krylov space; each iteration applies ``A`` and its adjoint once.
    failure_probability : float, default 1e-6
        Probability, over ``rng``, that ``upper`` is wrong where it rests on the random start.
    rng : None, int or numpy.random.Generator, default 0
        Draws the start vector.

    Returns
    -------
    NormEstimate
        With ``lower`` and ``upper``.

    Raises
    ------
    ValueError
        If ``A`` has no entries or gives NaN or infinity, or a control is out of range.
    TypeError
        If ``A`` is none of the above.

    References
    ----------
    .. [1] J. Kuczynski and H. Wozniakowski, "Estimating the largest eigenvalue by the power and
       Lanczos algorithms with a random start", SIAM J. Matrix Anal. Appl. 13 (1992), 1094-1122,
       https://doi.org/10.1137/0613066

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt.linop import operator_norm
    >>> estimate = operator_norm(np.diag([3.0, 2.0, 1.0]))
    >>> round(estimate.lower, 6), round(estimate.upper, 6)
    (3.0, 3.0)
    """
    max_iter = integer("max_iter", max_iter, 1)
    if positive("failure_probability", failure_probability) >= 1:
        raise ValueError(f"failure_probability must be below 1, got {failure_probability}")
    generator = as_rng(rng)
    operator, bound = _with_bound(A)
    if math.isnan(bound):
        raise ValueError("A must be finite, got NaN")
    krylov = _Krylov(operator, generator)
    upper = bound
    for _ in range(max_iter):
        theta, beta, eps = krylov.extend()
        random_bound = _random_bound(krylov, theta, beta, eps, failure_probability)
        upper = min(bound, krylov.scale * random_bound)
        if krylov.exhausted or upper <= krylov.scale * math.sqrt(theta) * (1.0 + 1e-6):
            break
    lower = krylov.attained()
    return NormEstimate(lower, max(lower, upper))


class _Krylov:
    """Krylov space of ``A^H A`` or ``A A^H``, over ``scale**2``, with an orthonormal basis."""

    def __init__(self, operator: LinearOperator, rng: np.random.Generator) -> None:
        rows, columns = operator.shape
        first, second = operator.matvec, operator.rmatvec
        if rows < columns:
            first, second = second, first
        self._first, self._second = first, second
        size = min(rows, columns)
        start: Array = rng.standard_normal(size)
        is_complex = np.dtype(operator.dtype).kind == "c"
        if is_complex:
            start = start + 1j * rng.standard_normal(size)
        self.real_size = 2 * size if is_complex else size
        self._size = size
        self._basis = [start / np.linalg.norm(start)]
        self._diagonal: list[float] = []
        self._off: list[float] = []
        self.exhausted = False
        # Squared singular values of very small or large operators leave the floating range.
        self.scale = _length(first(self._basis[0]))
        if not math.isfinite(self.scale):
            raise ValueError("A must be finite, got NaN or infinity from a product with it")

    @property
    def dimension(self) -> int:
        return len(self._diagonal)

    def extend(self) -> tuple[float, float, float]:
        """One Lanczos step: largest Ritz value, norm of the residual, unit of rounding."""
        v = self._basis[-1]
        scale = self.scale or 1.0
        w = self._second(self._first(v) / scale) / scale
        eps = float(np.finfo(w.dtype).eps) if w.dtype.kind in "fc" else np.finfo(float).eps
        if not np.isfinite(w).all():
            raise ValueError("A must be finite, got NaN or infinity from a product with it")
        self._diagonal.append(float(np.vdot(v, w).real))
        basis = np.array(self._basis)
        for _ in range(2):
            w = w - (basis.conj() @ w) @ basis
        beta = float(np.linalg.norm(w))
        theta = max(float(self._ritz()[0]), 0.0)
        whole = self.dimension == self._size
        self.exhausted = whole or beta <= 10 * eps * theta
        if not self.exhausted:
            self._basis.append(w / beta)
            self._off.append(beta)
        return theta, 0.0 if whole else beta, eps

    def attained(self) -> float:
        """The norm of ``A v`` at the best unit vector ``v``."""
        vector = self._ritz()[1]
        best = vector @ np.array(self._basis[: len(vector)])
        return _length(self._first(best)) / _length(best)

    def _ritz(self) -> tuple[float, Array]:
        last = self.dimension - 1
        values, vectors = eigh_tridiagonal(
            self._diagonal, self._off[:last], select="i", select_range=(last, last)
        )
        return values[0], vectors[:, 0]


def _length(x: Array) -> float:
    """Euclidean norm that neither underflows nor overflows on the way."""
    return float(norm(x, check_finite=False))


def _random_bound(
    krylov: _Krylov, theta: float, beta: float, eps: float, probability: float
) -> float:
    """Bound on the norm from both probabilistic arguments."""
    probability /= 2
    n, k = krylov.real_size, krylov.dimension
    root = math.log(1.648 * math.sqrt(n) / probability) / (2 * k - 1)
    lanczos = theta / (1.0 - root**2) if root < 1 else math.inf
    # Rounding leaves a residual of a few units in every direction, which counts like beta.
    residual = math.hypot(beta, 2 * eps * theta)
    invariant = theta + residual * math.sqrt(2 * n / math.pi) / probability
    return math.sqrt(min(lanczos, invariant))


def _with_bound(A: Any) -> tuple[LinearOperator, float]:
    """``A`` as an operator, and the best bound that needs no randomness."""
    A = as_scipy(A)
    explicit = isinstance(A, np.ndarray) or issparse(A)
    if not explicit and not isinstance(A, LinearOperator):
        raise TypeError(
            "A must be an ndarray, a SciPy sparse array or a LinearOperator, got "
            f"{type(A).__name__}"
        )
    if len(A.shape) != 2 or 0 in A.shape:
        raise ValueError(f"A must be a matrix with at least one entry, got shape {A.shape}")
    if not explicit:
        known = getattr(A, "norm_bound", None)
        return A, math.inf if known is None else float(known)
    if A.dtype.kind not in "biufc":
        raise TypeError(f"A must be numeric, got dtype {A.dtype}")
    # Products in integer or half-precision arithmetic would overflow.
    A = A.astype(np.result_type(A.dtype, np.float32), copy=False)
    size = abs(A).astype(np.float64, copy=False)
    ones = [float(np.max(size.sum(axis=axis))) for axis in (0, 1)]
    squares = size.multiply(size) if issparse(size) else np.square(size)
    frobenius = math.sqrt(float(squares.sum()))
    return aslinearoperator(A), min(math.sqrt(ones[0]) * math.sqrt(ones[1]), frobenius)
