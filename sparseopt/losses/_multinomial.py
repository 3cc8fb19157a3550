"""Multinomial (softmax) regression."""

from __future__ import annotations

from math import sqrt
from typing import Any, Self

import numpy as np

from .._core import elementwise
from ._design import DenseDesign, SparseDesign
from ._labels import encode
from ._linear import LinearLoss
from ._pointwise import exp_excess

Array = np.ndarray[Any, Any]


class Multinomial(LinearLoss):
    r"""Minus the log-likelihood of K classes whose scores are the rows of ``A x``.

    .. math:: f(x) = \sum_j w_j \Bigl(\log \sum_c e^{(A x)_{jc}} - (A x)_{j c_j}\Bigr)

    All K columns of x are one problem: values are single numbers. Adding a vector to every column
    of x changes nothing.

    Parameters
    ----------
    A : ndarray, SciPy sparse array or LinearOperator, shape (m, n)
        Real.
    y : array_like, shape (m,)
        Labels of K >= 2 classes: numbers or strings.
    sample_weights : array_like, shape (m,), optional
        Weights w >= 0.
    intercept : bool
        Add an unpenalised constant per class and minimise it out; ``intercept_at`` gives the
        constants that sum to zero.

    Attributes
    ----------
    classes : ndarray, shape (K,)
        The labels, sorted: those of the columns of x.
    codes : ndarray, shape (m,)
        Index of the class of each sample.
    y : ndarray, shape (m, K)
        The labels as indicators: 1 at the class, 0 elsewhere.
    shape : tuple of int
        (n, K).
    dtype : dtype
        float32 if ``A`` is.

    Raises
    ------
    ValueError
        If ``y`` has fewer than two classes, shapes do not fit, or something is not finite. With
        an intercept, if a class has no weight.
    TypeError
        If ``A`` is complex or not numeric.

    References
    ----------
    D. Bohning (1992). Multinomial logistic regression algorithm. Ann. Inst. Statist. Math. 44.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import losses
    >>> f = losses.Multinomial([[1.0], [2.0], [3.0]], ["a", "b", "c"])
    >>> f.shape
    (1, 3)
    >>> round(f.value(np.zeros((1, 3))), 6)  # 3 log 3
    3.295837
    """

    curvature_bound = 0.5
    third_bound = 1.0 / (6.0 * sqrt(3.0))

    def __init__(self, A: Any, y: Any, *, sample_weights: Any = None, intercept: bool = False):
        super().__init__(A, y, sample_weights=sample_weights, intercept=intercept)
        self._rows = np.arange(self.y.shape[0])
        if self.intercept and not np.all(self._weigh(self.y).sum(0) > 0):
            raise ValueError(
                "sample_weights must leave every class some weight if there is an intercept, got "
                "a class without"
            )

    def part(self, rows: Any, *, intercept: bool | None = None) -> Self:
        """The same loss of some of the samples, with the intercept or without."""
        loss = super().part(rows, intercept=intercept)
        loss.codes = self.codes[rows]
        loss._rows = np.arange(loss.y.shape[0])
        return loss

    def probabilities_at(self, z: Array) -> Array:
        """Probability of every class at the prediction ``z``, with the intercept: (m, K)."""
        return self._chances(self._shifted(z)).astype(self.dtype, copy=False)

    def curvature_at(self, z: Array) -> Array:
        """Not defined: the Hessian in z is not diagonal; see ``hessian_at``."""
        raise TypeError("the Hessian of Multinomial in z is not diagonal; use hessian_at")

    def hessian_at(self, z: Array, v: Array) -> Array:
        """Product of the Hessian in z, at ``z``, with ``v``."""
        p = self.probabilities_at(z)
        product = self._weigh(p * (v - (p * v).sum(1, keepdims=True)))
        if self.intercept:
            shift = np.linalg.lstsq(self._total_curvature(p), product.sum(0), rcond=None)[0]
            v = v - shift
            product = self._weigh(p * (v - (p * v).sum(1, keepdims=True)))
        return product.astype(self.dtype, copy=False)

    def dual_scale(self, u: Array, limit: Any) -> Any:
        """A factor t in [0, limit], at most 1, that brings ``t u`` into the conjugate's domain."""
        own = -u[self._rows, self.codes]
        weights = 1.0 if self.sample_weights is None else self.sample_weights[:, 0]
        reach = np.where(own > 0, weights / np.where(own > 0, own, 1.0), np.inf)
        return float(min(1.0, limit, np.min(reach, initial=np.inf)))

    def coordinate_bounds(self) -> Array:
        """Lipschitz constants of the partial derivatives: ``1/4 sum_j w_j a_ji^2``, shape (p,)."""
        squares = self._design().power_sums(None, 2, self._row_weights())
        return self._spread(0.25 * squares)

    def row_sums(self) -> Array:
        """``sum_j |H_ij|`` for each coordinate i, shape (p,), of Bohning's bound."""
        sums = self._design().absolute_gram_sums(self._row_weights(), None)
        return self._spread((1.0 - 1.0 / self.shape[1]) * sums)

    def block_bound(self, block: Array) -> Array:
        """Bohning's bound: ``1/2 (1_{c = c'} - 1/K') A' W A``.

        K' is the number of classes that the block touches, plus one if it does not touch all.
        """
        design = self._design()
        columns, classes = np.divmod(np.asarray(block, np.int64), self.shape[1])
        count = min(np.unique(classes).size + 1, self.shape[1])
        mixing = 0.5 * ((classes[:, None] == classes) - 1.0 / count)
        return (mixing * self._pairs(design, columns, None)).astype(self.dtype, copy=False)

    def block_hessian(self, block: Array, z: Array) -> Array:
        """The block's square of the Hessian at ``z``."""
        design = self._design()
        columns, classes = np.divmod(np.asarray(block, np.int64), self.shape[1])
        p = self.probabilities_at(z)
        weighted = self._weigh(p)
        result = np.empty((columns.size, columns.size), self.dtype)
        touched = [(c, np.flatnonzero(classes == c)) for c in np.unique(classes)]
        for a, (c, rows) in enumerate(touched):
            for e, others in touched[a:]:
                both = np.concatenate([columns[rows], columns[others]])
                mixed = weighted[:, c] * ((c == e) - p[:, e])
                if c == e:
                    result[np.ix_(rows, rows)] = design.gram(columns[rows], mixed)
                    continue
                square = self._pairs(design, both, mixed)[: rows.size, rows.size :]
                result[np.ix_(rows, others)] = square
                result[np.ix_(others, rows)] = square.T
        return result

    def _pairs(
        self, design: DenseDesign | SparseDesign, columns: Array, weights: Array | None
    ) -> Array:
        """Gram matrix of columns that may repeat, each pair of distinct ones computed once."""
        distinct, place = np.unique(columns, return_inverse=True)
        gram = design.gram(distinct, self._row_weights() if weights is None else weights)
        return gram[np.ix_(place, place)]

    def _row_lengths(
        self, design: DenseDesign | SparseDesign, columns: Array, classes: Array | None
    ) -> Array:
        """Cubed length of a row's part in the two classes where it is longest.

        The third derivative along d is a third central moment of the scores' changes, at most
        their range cubed over 6 sqrt(3), and the range involves two classes.
        """
        assert classes is not None
        squares = [design.row_squares(columns[classes == c]) for c in np.unique(classes)]
        two: Array = np.sort(np.stack(squares, axis=1), axis=1)[:, -2:].sum(1, keepdims=True)
        return two**1.5

    def _data(self, y: Any) -> Array:
        self.classes, self.codes = encode(y, ndim=(1,))
        if len(self.classes) < 2:
            raise ValueError(f"y must hold labels of at least 2 classes, got {len(self.classes)}")
        return np.eye(len(self.classes), dtype=self._products.dtype)[self.codes]

    def _joint(self, values: Array) -> float:
        weights = self._row_weights()
        values = np.asarray(values, np.float64)
        return float(values.sum() if weights is None else values @ weights)

    def _value(self, z: Array) -> float:
        return self._joint(_relative(z, self.codes)[0])

    def _slope(self, z: Array) -> Array:
        return self._weigh(_relative(z, self.codes)[1])

    def _between(self, z_new: Array, z: Array) -> float:
        """``log sum p e^t = log(1 + sum p (e^t - 1 - t))`` for steps t less their mean under p.

        After long steps it is the plain difference, of scores less those of the class that was
        the likeliest: neither value is then large beside the result.
        """
        likeliest = z.argmax(1)
        value, u = _relative(z, likeliest)
        step = z_new - z
        step = step - step[self._rows, likeliest][:, None]
        mean = (u * step).sum(1)
        p = u.copy()
        p[self._rows, likeliest] += 1.0
        t = step - mean[:, None]
        near = abs(t).max(1, initial=0.0) < 1.0
        small = elementwise(exp_excess, np.where(near[:, None], t, 0.0))
        far = _relative(z_new, likeliest)[0] - value - mean
        return self._joint(np.where(near, np.log1p((p * small).sum(1)), far))

    def _conjugate(self, u: Array) -> float:
        """``sum_c p_c log p_c`` for ``p = u / w + e_{c_j}`` on the simplex, times w."""
        from scipy.special import xlog1py, xlogy

        slack = 8.0 * self.shape[1] * float(np.finfo(self.dtype).eps)
        u = np.asarray(u, np.float64)
        weights = np.ones((u.shape[0], 1)) if self.sample_weights is None else self.sample_weights
        v = u / np.where(weights > 0, weights, 1.0)
        own = np.clip(v[self._rows, self.codes], -1.0, 0.0)
        p = v + self.y
        inside = np.all(p >= -slack, 1) & (abs(v.sum(1)) <= slack * (1.0 + abs(v).sum(1)))
        inside &= (weights[:, 0] > 0) | ~u.any(1)
        if not inside.all():
            return np.inf
        entropy = xlogy(np.maximum(p, 0.0), np.maximum(p, 0.0))
        entropy[self._rows, self.codes] = xlog1py(1.0 + own, own)
        return self._joint(entropy.sum(1))

    def _total_curvature(self, p: Array) -> Array:
        """``sum_j w_j (diag(p_j) - p_j p_j')``: the Hessian in the intercepts."""
        weighted = self._weigh(p)
        total: Array = np.diag(weighted.sum(0)) - weighted.T @ p
        return total

    def _intercept(self, z: Array) -> Array:
        """Newton's method on the constants, which sum to zero.

        Where the Newton step fails, each class is scaled to its share, which always descends.
        """
        z = np.asarray(z, np.float64)
        share = self._weigh(self.y).sum(0, dtype=np.float64)
        b = np.zeros(self.shape[1])
        for iteration in range(500):
            u = self._slope(z + b)
            miss = u.sum(0)
            if np.all(abs(miss) <= 1e-14 * abs(u).sum(0)):
                break
            length = 0.0
            if iteration:
                curvature = self._total_curvature(self._chances(z + b))
                step = -np.linalg.lstsq(curvature, miss, rcond=1e-13)[0]
                length = self._descent(z + b, step, float(miss @ step))
            if length == 0.0:
                step, length = np.log(share) - np.log(np.maximum(share + miss, 1e-300)), 1.0
            moved = b + length * (step - step.mean())
            if np.array_equal(moved, b):
                break
            b = moved
        return b

    def _descent(self, z: Array, step: Array, slope: float) -> float:
        """The longest of a few lengths that descends enough; 0 if none does."""
        for length in (1.0, 0.5, 0.25, 0.125) if slope < 0 else ():
            if self._between(z + length * step, z) <= -0.9999 * length * slope:
                return length
        return 0.0

    def _chances(self, z: Array) -> Array:
        powers = np.exp(z - z.max(1, keepdims=True))
        chances: Array = powers / powers.sum(1, keepdims=True)
        return chances


def _relative(z: Array, reference: Array) -> tuple[Array, Array]:
    """``log sum e^(z - z_r)`` for a reference class r of every row, and its gradient.

    Neither cancels where the reference dominates.
    """
    rows = np.arange(z.shape[0])
    t = z - z[rows, reference][:, None]
    largest = t.argmax(1)
    top = t[rows, largest]
    u = np.exp(t - top[:, None])
    u[rows, largest] = 0.0
    others = u.sum(1)
    u[rows, largest] = 1.0
    u /= (1.0 + others)[:, None]
    u[rows, reference] = 0.0
    u[rows, reference] = -u.sum(1)
    return top + np.log1p(others), u
