"""What block coordinate descent keeps up to date: iterate, prediction and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit
from ..losses import LeastSquares
from ._bcd_terms import Term

Array = np.ndarray[Any, Any]

GRAM_BYTES = 2**28  # what cached Gram columns may take


@jit
def add_columns(indptr, indices, data, block, d, g, stamp, mark, changed):  # type: ignore[no-untyped-def]
    """``g += Q[:, block] d`` for compressed columns; lists the entries of ``g`` that change."""
    count = 0
    for k in range(block.size):
        i = block[k]
        if d[k] == 0.0:
            continue
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            g[j] += data[e] * d[k]
            if stamp[j] != mark:
                stamp[j] = mark
                changed[count] = j
                count += 1
    return count


class Gram:
    """Columns of the Hessian of a least-squares problem, computed when they are asked for again."""

    def __init__(self, loss: LeastSquares) -> None:
        self.A: Any = loss.A if isinstance(loss.A, np.ndarray) else loss.A.tocsc()
        p = self.A.shape[1]
        self.weights = loss.sample_weights
        self.visits = np.zeros(p, np.int64)
        self.slot = np.full(p, -1, np.intp)
        self.used = 0
        self.columns = np.empty((p, min(p, 64)), order="F")
        self.limit = min(p, GRAM_BYTES // (8 * max(p, 1)))

    def change(self, block: Array, d: Array) -> Array | None:
        """``H[:, block] d``, or nothing where a product with ``A`` is cheaper than new columns."""
        self.visits[block] += 1
        missing = block[self.slot[block] < 0]
        if missing.size:
            if self.visits[missing].min() < 2 or self.used + missing.size > self.limit:
                return None
            self._compute(missing)
        slots = self.slot[block]
        if slots.size == 1:
            return self.columns[:, slots[0]] * d[0]
        return self.columns[:, slots] @ d

    def _compute(self, missing: Array) -> None:
        needed = self.used + missing.size
        if needed > self.columns.shape[1]:
            room = min(self.limit, max(needed, 2 * self.columns.shape[1]))
            grown = np.empty((self.columns.shape[0], room), order="F")
            grown[:, : self.used] = self.columns[:, : self.used]
            self.columns = grown
        part = self.A[:, missing]
        if self.weights is not None:
            weights = self.weights.reshape(-1, 1)
            part = part.multiply(weights).tocsc() if hasattr(part, "tocsc") else part * weights
        product = self.A.T @ part
        if hasattr(product, "toarray"):
            product = product.toarray()
        self.columns[:, self.used : needed] = product
        self.slot[missing] = np.arange(self.used, needed)
        self.used = needed


class Workspace:
    """The iterate in double precision and what follows from it, changed a block at a time.

    ``g`` is the whole gradient, kept up to date only if ``greedy``.
    """

    def __init__(self, loss: Any, term: Term, x: Array, bounds: Array, greedy: bool) -> None:
        self.loss = loss
        self.term = term
        self.bounds = bounds
        self.greedy = greedy
        self.p = bounds.size
        self.x: Array = x.astype(np.float64).ravel()
        self.is_quadratic = constant_hessian(loss)
        self.Q: Any = sparse_columns(loss)
        self.gram: Gram | None = None
        if greedy and plain_squares(loss):
            self.gram = Gram(loss)
        if self.Q is not None:
            self.stamp = np.zeros(self.p, np.int64)
            self.changed = np.empty(self.p, np.intp)
        # How many entries of ``changed`` wait to be looked at; p means all of the gradient.
        self.count = self.p
        self.updates = 0
        self.refresh()

    @property
    def output(self) -> Array:
        """A copy of the iterate, as the caller wants it."""
        return self.x.astype(self.loss.dtype).reshape(self.loss.shape)

    def refresh(self) -> None:
        """Compute everything again from the iterate."""
        self.z: Array = self.loss.predict(self.output)
        if not self.z.flags.writeable or np.may_share_memory(self.z, self.x):
            self.z = self.z.copy()
        self._u: Array | None = None
        if self.greedy:
            self.g = self.full_gradient()
            self.count = self.p

    @property
    def u(self) -> Array:
        """Gradient of the loss in the prediction."""
        if self._u is None:
            self._u = self.loss.gradient_at(self.z)
        return self._u

    def full_gradient(self) -> Array:
        """The gradient in x, from the prediction."""
        return np.array(self.loss.pull_back(self.u), np.float64).ravel()

    def block_gradient(self, block: Array) -> Array:
        """The block's part of it."""
        if self.greedy:
            return self.g[block]
        return np.asarray(self.loss.block_gradient(block, self.u), np.float64)

    def rise(self, block: Array, d: Array) -> float:
        """``f(x + d) - f(x) - <g, d>``, without cancellation."""
        moved = self.z.copy()
        self.loss.move(moved, block, d.astype(self.loss.dtype, copy=False))
        return float(np.sum(self.loss.bregman(moved, self.z)))

    def apply(self, block: Array, new: Array) -> None:
        """Give the block new values, and change all that depends on it."""
        if self.loss.dtype != np.float64:  # what is handed out and what z knows must agree
            new = new.astype(self.loss.dtype).astype(np.float64)
        d = new - self.x[block]
        self.x[block] = new
        self.loss.move(self.z, block, d.astype(self.loss.dtype, copy=False))
        self._u = None
        self.updates += 1
        if self.greedy:
            self._update_gradient(block, d)

    def _update_gradient(self, block: Array, d: Array) -> None:
        pending, self.count = self.count, self.p
        if self.Q is not None:
            Q = self.Q
            count = add_columns(
                Q.indptr, Q.indices, Q.data, block, d, self.g, self.stamp, self.updates,
                self.changed,
            )  # fmt: skip
            if not pending:  # else changes that nobody has looked at would be forgotten
                self.count = count
            return
        change = None if self.gram is None else self.gram.change(block, d)
        if change is None:
            self.g = self.full_gradient()
        else:
            self.g += change


def constant_hessian(loss: Any) -> bool:
    """Whether the loss is a quadratic, whose bounds are its Hessian."""
    return bool(getattr(loss, "is_quadratic", False))


def plain_squares(loss: Any) -> bool:
    """Whether the loss is least squares for one vector, without an intercept."""
    return isinstance(loss, LeastSquares) and len(loss.shape) == 1 and not loss.intercept


def sparse_columns(loss: Any) -> Any:
    """The sparse matrix of a quadratic as compressed columns in double precision, or nothing."""
    from scipy.sparse import csc_array, issparse

    Q = getattr(loss, "Q", None)
    if Q is None or not issparse(Q):
        return None
    return csc_array(Q, dtype=np.float64)
