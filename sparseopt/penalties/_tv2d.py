"""Total variation of images and volumes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core import accumulate, namespace, to_host
from .._core._validate import integer, parameter, positive, real_input
from ..prox._group_l2 import single
from ..prox._inexact import like, on_numpy
from ..prox._l1 import l1_value
from ..prox._tv2d import solve_tv2d
from ._base import Penalty, as_vectors, frozen

Array = np.ndarray[Any, Any]


class TV2D(Penalty):
    r"""Total variation of an image, a volume, or any grid.

    .. math:: f(x) = \lambda \sum_i \|(Dx)_i\|

    with forward differences D along every axis, zero at the far borders, and the Euclidean norm
    at each point (isotropic) or the sum of absolute values (anisotropic).

    An ``x`` of this shape is one image; one of shape (number of points,) is a raveled image, and
    of shape (number of points, k) a batch of them.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the grid.
    lam : float
        Level, >= 0 and finite.
    isotropic : bool
        Which norm of the differences at a point.
    spacing : float or array_like, shape (number of axes,)
        Distance of neighbours along each axis, > 0.
    tol : float, optional
        Bound on the relative duality gap of `prox`; by default 1e-6, and 1e-4 for float32.
    max_iter : int
        Iteration budget of `prox`.

    Raises
    ------
    ValueError
        If ``lam`` is negative, or ``spacing``, ``tol`` or an entry of ``shape`` is not positive.

    See Also
    --------
    sparseopt.prox.tv2d : The proximal operator as a function.
    sparseopt.prox.solve_tv2d : The same with the dual point and the gap, for warm starts.

    Notes
    -----
    The proximal operator is computed by iteration. It is stateless, so that each call starts
    afresh and ends at the same ``tol``. A loop of its own that calls `sparseopt.prox.solve_tv2d`
    with the last result as ``x0`` and a decreasing ``tol`` costs less. There is no closed form of
    the dual norm.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.TV2D((2, 2), 1.0).value([[0.0, 3.0], [4.0, 3.0]])
    6.0
    """

    is_convex = True
    is_homogeneous = True

    def __init__(
        self,
        shape: Any,
        lam: Any,
        isotropic: bool = True,
        *,
        spacing: Any = 1.0,
        tol: float | None = None,
        max_iter: int = 10_000,
    ) -> None:
        sizes = shape if isinstance(shape, tuple | list) else (shape,)
        self.shape = tuple(integer("shape", n, 1) for n in sizes)
        self.lam = frozen("lam", single("lam", lam), finite=True)
        self.isotropic = bool(isotropic)
        h = np.asarray(parameter("spacing", spacing, strict=True, finite=True))
        if h.ndim and h.shape != (len(self.shape),):
            raise ValueError(f"spacing must be a number or one per axis, got shape {h.shape}")
        self.spacing = frozen("spacing", spacing, strict=True)
        self.tol = None if tol is None else positive("tol", tol)
        self.max_iter = integer("max_iter", max_iter, 0)

    def value(self, x: Any) -> Any:
        """Total variation, per column of a batch of raveled images."""
        x = as_vectors("x", real_input("x", x))
        xp = namespace(x)
        columns, is_batch = self._columns(x)
        images = xp.reshape(columns, (*self.shape, columns.shape[1]))
        sizes: Any = 0.0
        h = np.broadcast_to(self.spacing, (len(self.shape),))
        for a, n in enumerate(self.shape):
            before: list[Any] = [slice(None)] * images.ndim
            after = list(before)
            before[a], after[a] = slice(0, n - 1), slice(1, n)
            d = (images[tuple(after)] - images[tuple(before)]) / float(h[a])
            last = xp.zeros_like(images[(*before[:a], slice(0, 1))])
            d = xp.concat([d, last], axis=a)
            sizes = sizes + (d * d if self.isotropic else abs(d))
        if self.isotropic:
            positive = sizes > 0  # the square root has no gradient at zero
            sizes = xp.where(positive, xp.sqrt(xp.where(positive, sizes, 1.0)), 0.0 * sizes)
        sizes = xp.reshape(sizes, tuple(columns.shape))
        return accumulate(l1_value, sizes if is_batch else sizes[:, 0], (self.lam,))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``, up to ``tol``."""
        host = np.asarray(on_numpy(as_vectors("v", real_input("v", v))))
        columns, _ = self._columns(host)
        level = np.broadcast_to(np.asarray(to_host(step)), (columns.shape[1],)) * self.lam
        result = np.empty_like(columns)
        for j, image in enumerate(columns.T):
            result[:, j] = solve_tv2d(
                image.reshape(self.shape),
                float(level[j]),
                self.isotropic,
                spacing=self.spacing,
                tol=self.tol,
                max_iter=self.max_iter,
            ).x.reshape(-1)
        return like(result.reshape(host.shape), v)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        import cvxpy as cp

        points = math.prod(self.shape)
        flat = x if x.shape[:1] == (points,) else cp.reshape(x, (points,), order="C")
        columns = [flat] if flat.ndim == 1 else [flat[:, j] for j in range(flat.shape[1])]
        operators = self._differences()
        terms = []
        for column in columns:
            d = cp.vstack([operator @ column for operator in operators])
            terms.append(cp.sum(cp.norm(d, 2 if self.isotropic else 1, axis=0)))
        return self.lam * sum(terms)

    def _columns(self, x: Any) -> tuple[Any, bool]:
        """``x`` as raveled images side by side, and whether it was a batch."""
        points = math.prod(self.shape)
        if x.ndim == 2 and x.shape[0] == points:
            return x, True
        if tuple(x.shape) not in ((points,), self.shape):
            raise ValueError(
                f"x must have shape {self.shape}, ({points},) or ({points}, k), got {x.shape}"
            )
        return namespace(x).reshape(x, (points, 1)), False

    def _differences(self) -> list[Any]:
        """Sparse difference matrices along each axis, with zero rows at the far border."""
        from scipy import sparse

        matrices = []
        for a, n in enumerate(self.shape):
            h = float(np.broadcast_to(self.spacing, (len(self.shape),))[a])
            d = sparse.diags_array(
                [-np.append(np.ones(n - 1), 0.0), np.ones(n - 1)], offsets=[0, 1]
            )
            left = sparse.eye_array(math.prod(self.shape[:a]))
            right = sparse.eye_array(math.prod(self.shape[a + 1 :]))
            matrices.append(sparse.kron(sparse.kron(left, d / h), right).tocsr())
        return matrices
