"""Does an operator's adjoint belong to it?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .._core import as_rng, as_scipy
from .._core._validate import integer, positive
from ._checks import Array


def check_adjoint(
    A: Any,
    *,
    trials: int = 3,
    rng: int | np.random.Generator | None = 0,
    tol: float | None = None,
) -> float:
    r"""Test :math:`\langle Ax, y\rangle = \langle x, A^H y\rangle` on random vectors.

    Every solver relies on it, and none can notice when it fails: it converges to something else.

    Parameters
    ----------
    A : LinearOperator, ndarray or SciPy sparse, shape (m, n)
    trials : int, default 3
        Number of pairs of standard normal vectors, complex if ``A.dtype`` is.
    rng : None, int or numpy.random.Generator, default 0
        Draws the vectors.
    tol : float, optional
        Largest relative mismatch allowed; by default 1e-8, and 1e-5 where the products are in
        single precision.

    Returns
    -------
    float
        The largest relative mismatch
        :math:`|\langle Ax, y\rangle - \langle x, A^H y\rangle| /
        \max(\|Ax\| \|y\|, \|x\| \|A^H y\|)`.

    Raises
    ------
    ValueError
        If the mismatch is above ``tol`` or not finite.
    TypeError
        If ``A`` is no operator or has no adjoint.

    Examples
    --------
    >>> from scipy.sparse.linalg import LinearOperator
    >>> from sparseopt.linop import DCT, check_adjoint
    >>> check_adjoint(DCT((8, 8))) < 1e-14
    True
    >>> wrong = LinearOperator((3, 3), matvec=lambda x: x, rmatvec=lambda y: 2 * y, dtype=float)
    >>> check_adjoint(wrong)
    Traceback (most recent call last):
        ...
    ValueError: A must satisfy <A x, y> = <x, A^H y>, got ...
    """
    trials = integer("trials", trials, 1)
    generator = as_rng(rng)
    if tol is not None:
        tol = positive("tol", tol)
    A = as_scipy(A)
    if not (isinstance(A, np.ndarray | LinearOperator) or issparse(A)):
        raise TypeError(f"A must be an operator or a matrix, got {type(A).__name__}")
    operator = aslinearoperator(A)
    is_complex = np.dtype(operator.dtype).kind == "c"
    worst = 0.0
    for _ in range(trials):
        x = _normal(generator, operator.shape[1], is_complex)
        y = _normal(generator, operator.shape[0], is_complex)
        ax = np.asarray(operator.matvec(x))
        try:
            ahy = np.asarray(operator.rmatvec(y))
        except NotImplementedError:
            raise TypeError("A must define its adjoint (rmatvec), got none") from None
        left, right = np.vdot(ax, y), np.vdot(x, ahy)
        scale = max(_norm(ax) * _norm(y), _norm(x) * _norm(ahy))
        mismatch = float(abs(left - right)) / scale if scale else 0.0
        eps = max(float(np.finfo(np.result_type(v, np.float32)).eps) for v in (ax, ahy))
        allowed = (1e-8 if eps < 1e-10 else 1e-5) if tol is None else tol
        if not mismatch <= allowed:
            raise ValueError(
                f"A must satisfy <A x, y> = <x, A^H y>, got {left:.6g} and {right:.6g}: relative "
                f"mismatch {mismatch:.2e} above {allowed:.2e}"
            )
        worst = max(worst, mismatch)
    return worst


def _normal(rng: np.random.Generator, size: int, is_complex: bool) -> Array:
    x: Array = rng.standard_normal(size)
    return x + 1j * rng.standard_normal(size) if is_complex else x


def _norm(x: Array) -> float:
    return float(np.linalg.norm(x))
