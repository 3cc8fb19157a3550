"""Rules that change coordinates: a tight frame in front, and different penalties side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from .._core import Products, as_groups, is_numpy, namespace, to_host, to_native
from .._core._validate import positive
from ._base import require_dimension
from ._calculus import (
    Derived,
    array_of,
    in_precision,
    offered,
    penalty_like,
    step_beside,
    weak_convexity,
)


def _square(name: str) -> offered:
    return offered(lambda self: self.Q.shape[0] == self.Q.shape[1] and hasattr(self.f, name))


class Precompose(Derived):
    r"""A penalty of ``Q x``, where the rows of ``Q`` are orthogonal and equally long.

    .. math:: g(x) = f(Q x), \quad Q Q^H = \nu I, \qquad \operatorname{prox}_{s g}(v) =
        v + \tfrac1\nu Q^H \bigl(\operatorname{prox}_{s\nu f}(Q v) - Q v\bigr)

    With a square ``Q`` also :math:`g^*(y) = f^*(Q y / \nu)`; conjugate, dual norm, ``alpha_max``
    and ``subdiff_distance`` (one number per coordinate of ``Q x``) are offered for that case only.
    In all but the prox, entries of ``Q x`` that are zero up to rounding, ``64 sqrt(n)`` units in
    the last place of the largest one, count as zero.

    Parameters
    ----------
    f : penalty
        Any object with ``value`` and ``prox``.
    Q : array_like, sparse array or LinearOperator, shape (m, n)
        With m <= n. A complex one takes complex ``x``.
    nu : float, optional
        The number :math:`\nu`, > 0; by default found from one random vector.
    check : bool
        Test :math:`Q Q^H z = \nu z` on a random vector.

    Raises
    ------
    ValueError
        If the test fails, or ``nu`` is not positive.
    TypeError
        If ``f`` lacks ``value`` or ``prox``.

    References
    ----------
    P. L. Combettes, J.-C. Pesquet (2007). A Douglas-Rachford splitting approach to nonsmooth
    convex variational signal recovery. IEEE J. Sel. Top. Signal Process. 1(4).

    Examples
    --------
    >>> from sparseopt import penalties
    >>> penalties.Precompose(penalties.L1(1.0), [[0.8, 0.6], [-0.6, 0.8]]).prox([4.0, 3.0])
    array([3.2, 2.4])
    """

    _shown: ClassVar[tuple[str, ...]] = ("f", "Q")

    def __init__(self, f: Any, Q: Any, nu: float | None = None, *, check: bool = True) -> None:
        super().__init__(f, is_separable=False)
        self._products = Products(_copy(Q))
        self.Q: Any = self._products.A
        m, n = self._products.shape
        if m > n:
            raise ValueError(f"Q must have no more rows than columns, got shape {(m, n)}")
        given = None if nu is None else positive("nu", nu)
        self.nu = _tightness(self._products, given, check)

    @property
    def weak_convexity(self) -> float:
        """``nu`` times that of ``f``."""
        return self.nu * weak_convexity(self.f)

    @property
    def is_norm(self) -> bool:
        """Whether that of ``f`` is one and ``Q`` is square."""
        return self.Q.shape[0] == self.Q.shape[1] and bool(getattr(self.f, "is_norm", True))

    def value(self, x: Any) -> Any:
        """``f(Q x)``."""
        return self.f.value(self._coordinates(x))

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``v + Q^H (prox(f, Q v, nu step) - Q v) / nu``."""
        v = array_of(v)
        z = self._apply(v)
        p = self.f.prox(z, self.nu * step_beside(step, v))
        if self.Q.shape[0] == self.Q.shape[1]:  # Q^H z / nu is v: its rounding need not enter
            return self._apply(p, adjoint=True) / self.nu
        change = p - z
        return v + self._apply(change, adjoint=True) / self.nu

    @_square("conjugate")
    def conjugate(self, y: Any) -> Any:
        """``f*(Q y / nu)``."""
        return self.f.conjugate(self._coordinates(y) / self.nu)

    @_square("dual_norm")
    def dual_norm(self, y: Any) -> Any:
        """Dual norm of ``f`` at ``Q y / nu``."""
        return self.f.dual_norm(self._coordinates(y) / self.nu)

    @_square("alpha_max")
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple for which zero (or what ``f`` means instead) is stationary."""
        return self.f.alpha_max(self._coordinates(gradient) / self.nu)

    @_square("subdiff_distance")
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential, per coordinate of ``Q x``."""
        away = self.f.subdiff_distance(self._coordinates(x), self._apply(gradient) / self.nu)
        return np.sqrt(self.nu) * away

    @offered(lambda self: hasattr(self.f, "as_cvxpy"))
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        return self.f.as_cvxpy(self._products.forward(np.eye(self.Q.shape[1])) @ x)

    def _coordinates(self, x: Any) -> Any:
        """``Q x`` with zero for what is zero up to rounding, per column of a batch."""
        z = self._apply(x)
        if not z.shape[0]:
            return z
        xp = namespace(z)
        size = abs(z)
        peak = xp.max(size, axis=0, keepdims=True)
        slack = 64 * self.Q.shape[1] ** 0.5 * float(xp.finfo(z.dtype).eps)
        return xp.where(size > slack * peak, z, xp.zeros_like(z))

    def _apply(self, x: Any, adjoint: bool = False) -> Any:
        """``Q x`` or ``Q^H x`` in the library and precision of ``x``."""
        require_dimension("x", x)
        x = array_of(x)
        if is_numpy(x):
            product = self._products.adjoint(x) if adjoint else self._products.forward(x)
            return in_precision(np.asarray(product), x)
        if isinstance(self.Q, np.ndarray):  # natively, so that gradients flow
            matrix = to_native(in_precision(self.Q.conj().T if adjoint else self.Q, x).copy(), x)
            xp = namespace(x)
            if xp.isdtype(x.dtype, "complex floating"):
                matrix = xp.astype(matrix, x.dtype)
            return matrix @ x
        return to_native(self._apply(to_host(x), adjoint), x)


class SeparableSum(Derived):
    r"""Different penalties of different coordinates, side by side.

    .. math:: g(x) = \sum_b f_b(x_b), \qquad
        \operatorname{prox}_{s g}(v)_b = \operatorname{prox}_{s f_b}(v_b)

    Parameters
    ----------
    penalties : sequence of penalties
        One for each block; any objects with ``value`` and ``prox``.
    blocks : list of index arrays, or array_like of int, shape (n,)
        The coordinates of each block, in the order its penalty sees them, or the block of each
        coordinate; a partition.

    Raises
    ------
    ValueError
        If ``blocks`` is not a partition, or there is not one penalty for each block.
    TypeError
        If a penalty lacks ``value`` or ``prox``.

    Examples
    --------
    An intercept that is not penalised:

    >>> from sparseopt import penalties
    >>> f = penalties.SeparableSum([penalties.L1(1.0), penalties.Zero()], [[0, 1], [2]])
    >>> f.prox([3.0, 0.5, 9.0])
    array([2., 0., 9.])
    """

    def __init__(self, penalties: Iterable[Any], blocks: Any) -> None:
        self.penalties: list[Any] = [
            penalty_like(f"penalties[{b}]", f) for b, f in enumerate(penalties)
        ]
        self.groups = as_groups(blocks)
        if isinstance(blocks, list | tuple) and any(np.ndim(b) == 1 for b in blocks):
            self._members = [np.array(b, np.intp) for b in blocks]
        else:
            labels = self.groups.labels
            self._members = [np.flatnonzero(labels == b) for b in range(self.groups.count)]
        if len(self._members) != len(self.penalties):
            raise ValueError(
                f"penalties must be one for each of {len(self._members)} blocks, "
                f"got {len(self.penalties)}"
            )
        order = np.concatenate([np.zeros(0, np.intp), *self._members])
        self._inverse = np.empty_like(order)
        self._inverse[order] = np.arange(order.size)
        self.is_convex = self._all("is_convex")
        self.is_separable = self._all("is_separable")
        self.is_homogeneous = self._all("is_homogeneous")

    @property
    def f(self) -> Any:
        """The penalties of the blocks."""
        return self.penalties

    @property
    def weak_convexity(self) -> float:
        """The largest among the blocks."""
        return max((weak_convexity(f) for f in self.penalties), default=0.0)

    @property
    def zero_at_alpha_max(self) -> bool:  # type: ignore[override]
        """Whether ``alpha_max`` of every block is about zero being stationary."""
        return all(getattr(f, "zero_at_alpha_max", True) for f in self.penalties)

    @property
    def is_norm(self) -> bool:
        """Whether each block's is one."""
        return all(getattr(f, "is_norm", True) for f in self.penalties)

    def __repr__(self) -> str:
        return f"SeparableSum({self.penalties!r}, {self.groups!r})"

    def value(self, x: Any) -> Any:
        """Sum over blocks: one number per column, or one in all if a block has only that."""
        return self._add([f.value(b) for f, b in self._pairs(array_of(x))], x)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """Every block by its own penalty."""
        return self._join([f.prox(b, step) for f, b in self._pairs(array_of(v))], array_of(v))

    @offered(lambda self: self._every("conjugate"))
    def conjugate(self, y: Any) -> Any:
        """Sum of the conjugates."""
        return self._add([f.conjugate(b) for f, b in self._pairs(array_of(y))], y)

    @offered(lambda self: self._every("dual_norm"))
    def dual_norm(self, y: Any) -> Any:
        """The largest dual norm."""
        return _largest([f.dual_norm(b) for f, b in self._pairs(array_of(y))])

    @offered(lambda self: self._every("alpha_max"))
    def alpha_max(self, gradient: Any) -> Any:
        """The smallest multiple for which zero (or what a block means instead) is stationary."""
        return _largest([f.alpha_max(b) for f, b in self._pairs(array_of(gradient))])

    @offered(lambda self: self.is_separable and self._every("subdiff_distance"))
    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each coordinate."""
        x, gradient = array_of(x), array_of(gradient)
        pairs = zip(self._pairs(x), self._members, strict=True)
        return self._join([f.subdiff_distance(b, gradient[m]) for (f, b), m in pairs], x)

    @offered(lambda self: self._every("as_cvxpy"))
    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``)."""
        blocks = zip(self.penalties, self._members, strict=True)
        return sum(f.as_cvxpy(x[m]) for f, m in blocks if m.size)

    def _all(self, trait: str) -> bool:
        return all(getattr(f, trait, False) for f in self.penalties)

    def _every(self, method: str) -> bool:
        return all(hasattr(f, method) for f in self.penalties)

    def _pairs(self, x: Any) -> list[tuple[Any, Any]]:
        require_dimension("x", x)
        as_groups(self.groups, x.shape[0])
        members = [m if is_numpy(x) else to_native(m, x) for m in self._members]
        return [(f, x[m]) for f, m in zip(self.penalties, members, strict=True)]

    def _join(self, parts: list[Any], x: Any) -> Any:
        if not parts:
            return x + 0
        inverse = self._inverse if is_numpy(x) else to_native(self._inverse, x)
        return namespace(x).concat(parts)[inverse]

    def _add(self, values: list[Any], x: Any) -> Any:
        if any(np.ndim(v) == 0 for v in values):
            values = [v.sum() if np.ndim(v) else v for v in values]
        if not values:
            return np.zeros(np.shape(x)[1:])[()]
        return sum(values[1:], values[0])


def _largest(values: list[Any]) -> Any:
    joint = any(np.ndim(v) == 0 for v in values)
    values = [np.max(v, initial=0.0) if joint else v for v in values]
    return np.max(values, axis=0) if values else 0.0


def _copy(Q: Any) -> Any:
    """A matrix of the penalty's own; operators and sparse arrays are taken as they are."""
    if hasattr(Q, "matvec") or hasattr(Q, "tocsr"):
        return Q
    Q = np.array(Q, dtype=float if np.asarray(Q).dtype.kind in "biu" else None)
    Q.flags.writeable = False
    return Q


def _tightness(products: Products, nu: float | None, check: bool) -> float:
    """The number nu with ``Q Q^H = nu I``, from one random vector."""
    if nu is not None and not check:
        return nu
    m = products.shape[0]
    rng = np.random.default_rng(0)
    z: Any = rng.standard_normal(m)
    if products.dtype.kind == "c":
        z = z + 1j * rng.standard_normal(m)
    z = z.astype(products.dtype)
    product = products.forward(products.adjoint(z))
    square = float(np.vdot(z, z).real)
    found = float(np.vdot(z, product).real) / square if square else 1.0
    nu = found if nu is None else nu
    eps = float(np.finfo(np.result_type(product, np.float32)).eps)
    error = float(np.linalg.norm(product - nu * z))
    relative = error / (nu * np.sqrt(square)) if nu > 0 and m else error
    if nu <= 0 or (check and not relative <= np.sqrt(eps)):
        raise ValueError(
            f"Q must satisfy Q Q^H = nu I with nu > 0, got a relative error of {relative:.2e} "
            "on a random vector"
        )
    return nu
