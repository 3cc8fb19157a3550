"""Routing of tokens to experts: a few passes of count-limited transport, never a full solve."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np

from .._core import as_floating, jit
from .._core._validate import choice, integer, positive
from ..prox._project_simplex import simplex_threshold
from ..prox._project_top_k import top_k_mask

Array = np.ndarray[Any, Any]

_METHODS = ("semi-dual", "token-choice", "expert-choice")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Routing:
    """Which tokens every expert serves.

    Attributes
    ----------
    indices : ndarray of int, shape (m, k)
        The tokens of every expert in increasing order, then -1 for slots that stay free.
    weights : ndarray, shape (m, k)
        The affinity of each of these pairs, 0 for free slots; of the dtype of the affinities.
    mass : ndarray of float64, shape (m, k)
        The entries of ``plan`` in these places.
    tokens : int
        The number n of tokens.
    prices : ndarray of float64, shape (n,)
        Potentials of the tokens at the last pass; zeros for methods that have none.
    method : str
        The rule that was used.
    nit : int
        Passes made.
    plan : scipy.sparse.csr_array, shape (n, m)
        The transport plan; every expert's column has mass 1 / m, except under token choice.
    counts : ndarray of int, shape (m,)
        Tokens served by every expert.
    covered : ndarray of bool, shape (n,)
        Whether a token has an expert.
    drop_fraction : float
        The fraction of tokens without an expert.
    affinity : float
        The affinity carried by the plan, the sum over its entries of mass times affinity.
    """

    indices: Array
    weights: Array
    mass: Array
    tokens: int
    prices: Array
    method: str
    nit: int

    def __repr__(self) -> str:
        m, k = self.indices.shape
        return (
            f"<Routing of {self.tokens} tokens to {m} experts with {k} slots by {self.method}: "
            f"{100 * self.drop_fraction:.2f} % without an expert>"
        )

    @cached_property
    def plan(self) -> Any:
        """The plan as a sparse array."""
        from scipy.sparse import coo_array

        expert, slot = np.nonzero(self.indices >= 0)
        entries = self.mass[expert, slot], (self.indices[expert, slot], expert)
        return coo_array(entries, shape=(self.tokens, len(self.indices))).tocsr()

    @property
    def counts(self) -> Array:
        """Tokens served by every expert."""
        return (self.indices >= 0).sum(axis=1)

    @property
    def covered(self) -> Array:
        """Whether a token has an expert."""
        covered = np.zeros(self.tokens, bool)
        covered[self.indices[self.indices >= 0]] = True
        return covered

    @property
    def drop_fraction(self) -> float:
        """The fraction of tokens without an expert."""
        return float(1.0 - self.covered.mean())

    @property
    def affinity(self) -> float:
        """The affinity carried by the plan."""
        return float((self.mass * self.weights).sum())


def route(
    affinity: Any,
    capacity: float = 1.25,
    *,
    k: int | None = None,
    method: str = "semi-dual",
    gamma: float | None = None,
    max_iter: int = 50,
    complete: bool = False,
    x0: Any = None,
) -> Routing:
    r"""Give every expert of a sparse mixture at most k tokens, balanced by optimal transport.

    .. math::
        \max_f \ \tfrac1n \sum_i f_i - \sum_{j=1}^m \max\Big\{\langle t, f + A_{\cdot j}\rangle
        - \tfrac\gamma2 \|t\|^2 : t \ge 0,\ \sum_i t_i = \tfrac1m,\ \|t\|_0 \le k\Big\},
        \qquad k = \lceil c\, n / m \rceil

    is the semi-dual of transport with at most k tokens for each expert, from n tokens of mass
    1/n to m experts of mass 1/m at the cost -A. It is not solved: a fixed number of ascent passes
    moves the price of every token up where it is served too little and down where too much, by
    ``2 (1 - t / max_iter) / max_iter`` of the range of A times the relative error clipped to
    [-1, 1]. Whatever the number of passes, the count limit holds and there is no warning; some
    tokens may be served by several experts, and a few by none. Of equal entries those of the
    lowest tokens are taken, so runs repeat.

    Parameters
    ----------
    affinity : array_like, real, shape (n, m)
        Affinities A of tokens (rows) to experts, usually the softmax of the router's logits.
    capacity : float
        Capacity factor c.
    k : int, optional
        Slots per expert, in place of ``capacity``.
    method : {"semi-dual", "token-choice", "expert-choice"}
        The passes described above; or for comparison every token's best expert, of whose tokens
        the k of largest affinity are kept; or every expert's k best tokens.
    gamma : float, optional
        Quadratic strength in units of the affinities: larger values spread an expert over more of
        its slots. By default n / 50 times the range of the affinities.
    max_iter : int
        Passes over the affinities.
    complete : bool
        Afterwards give tokens without an expert, in turn, the expert they prefer among those with
        a free slot or one taken by a token that has another expert. No token is left out then
        if ``k * m >= n``.
    x0 : Routing or array_like, shape (n,), optional
        Prices to start from, in place of zeros.

    Returns
    -------
    Routing
        Slots, weights and plan.

    Raises
    ------
    ValueError
        If the affinities are empty or not finite, or a parameter is out of range.
    TypeError
        If the affinities are not real.

    References
    ----------
    T. Liu, J. Puigcerver, M. Blondel (2023). Sparsity-constrained optimal transport. ICLR,
    arXiv 2209.15466.
    Y. Zhou et al. (2022). Mixture-of-experts with expert choice routing. NeurIPS,
    arXiv 2202.09368.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import transport
    >>> affinity = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]
    >>> transport.route(affinity, 1.0).indices
    array([[0, 1],
           [2, 3]])
    >>> transport.route(affinity, 1.0, method="token-choice").drop_fraction
    0.5
    """
    A = _check_affinity(affinity)
    n, m = A.shape
    if k is None:
        k = min(n, max(1, math.ceil(positive("capacity", capacity) * n / m - 1e-9)))
    k = integer("k", k, 1, n)
    choice("method", method, _METHODS)
    max_iter = integer("max_iter", max_iter, 0)
    by_expert = np.ascontiguousarray(A.T, dtype=np.float64)
    span = float(by_expert.max() - by_expert.min()) or 1.0
    gamma = n * span / 50.0 if gamma is None else positive("gamma", gamma)
    prices = _start(x0, n)
    indices = np.full((m, k), -1, np.int64)
    mass = np.zeros((m, k))
    if method == "semi-dual":
        _ascend(by_expert, prices, gamma / m, gamma, span, max_iter, indices, mass)
    else:
        prices, max_iter = np.zeros(n), 0
        _choose(by_expert, method, indices, mass)
    if complete:
        _complete(by_expert, np.bincount(indices[indices >= 0], minlength=n), indices, mass)
        _sort_slots(indices, mass)
        if method != "token-choice":
            mass *= (1.0 / m) / mass.sum(axis=1, keepdims=True)
    weights = np.take_along_axis(A.T, np.maximum(indices, 0), axis=1)
    weights[indices < 0] = 0.0
    return Routing(indices, weights, mass, n, prices, method, max_iter)


def _check_affinity(affinity: Any) -> Array:
    A = as_floating("affinity", affinity)
    if A.dtype.kind == "c":
        raise TypeError(f"affinity must be real, got dtype {A.dtype}")
    if A.ndim != 2 or not A.size:
        raise ValueError(f"affinity must be a non-empty matrix, got shape {A.shape}")
    if not np.isfinite(A).all():
        raise ValueError("affinity must be finite, got NaN or infinite entries")
    return A


def _start(x0: Any, n: int) -> Array:
    if x0 is None:
        return np.zeros(n)
    prices = np.array(getattr(x0, "prices", x0), dtype=np.float64)
    if prices.shape != (n,) or not np.isfinite(prices).all():
        raise ValueError(f"x0 must hold {n} finite prices, got shape {prices.shape}")
    return prices


def _choose(by_expert: Array, method: str, indices: Array, mass: Array) -> None:
    """Top-1 token choice or top-k expert choice."""
    (m, n), k = by_expert.shape, indices.shape[1]
    scores = by_expert
    if method == "token-choice":
        best = by_expert.argmax(axis=0)
        scores = np.where(np.arange(m)[:, None] == best, by_expert, -np.inf)
    taken = top_k_mask(scores, k) & (scores > -np.inf)
    expert, token = np.nonzero(taken)
    slot = np.arange(expert.size) - np.searchsorted(expert, expert)
    indices[expert, slot] = token
    mass[expert, slot] = 1.0 / n if method == "token-choice" else 1.0 / (m * k)


def _sort_slots(indices: Array, mass: Array) -> None:
    """Tokens of every expert in increasing order, free slots last."""
    order = np.argsort(np.where(indices < 0, np.iinfo(np.int64).max, indices), axis=1)
    indices[...] = np.take_along_axis(indices, order, axis=1)
    mass[...] = np.take_along_axis(mass, order, axis=1)


@jit
def _ascend(by_expert, prices, radius, gamma, span, max_iter, indices, mass):  # type: ignore[no-untyped-def]
    """Passes of clipped gradient ascent on the semi-dual; the slots are those of the last pass.

    In one pass no price moves by more than the step, so neither do an expert's threshold and its
    k-th largest entry: only entries above their old level less the step can matter.
    """
    m, n = by_expert.shape
    k = indices.shape[1]
    level = np.full(m, -np.inf)
    served = np.empty(n)
    value, work = np.empty(n), np.empty(n)
    token = np.empty(n, np.int64)
    step = 0.0
    for t in range(max_iter + 1):
        served[:] = 0.0
        for j in range(m):
            low = level[j] - step - 1e-9 * span
            row = by_expert[j]
            count = 0
            for i in range(n):
                x = row[i] + prices[i]
                value[count] = x  # a candidate is kept by moving on, without a branch
                token[count] = i
                count += x >= low
            level[j] = _fill_slots(value, token, count, k, radius, gamma, work, indices[j], mass[j])
            for s in range(k):
                if indices[j, s] >= 0:
                    served[indices[j, s]] += mass[j, s]
        if t == max_iter:
            return
        step = 2.0 * span * (1.0 - t / max_iter) / max_iter
        for i in range(n):
            prices[i] += step * max(1.0 - n * served[i], -1.0)


@jit
def _fill_slots(value, token, count, k, radius, gamma, work, slots, mass):  # type: ignore[no-untyped-def]
    """The k largest candidates, projected onto the simplex; returns the level they exceed."""
    cut = -np.inf
    if count > k:
        cut = np.partition(value[:count], count - k)[count - k]
        above = 0
        for c in range(count):
            above += value[c] > cut
        ties = k - above
        kept = 0
        for c in range(count):
            x = value[c]
            if x > cut or (x == cut and ties > 0):
                ties -= x == cut
                value[kept] = x
                token[kept] = token[c]
                kept += 1
        count = kept
    peak = value[0]
    for c in range(1, count):
        peak = max(peak, value[c])
    theta = peak + simplex_threshold(value[:count], peak, radius, work)
    s = 0
    for c in range(count):
        if value[c] > theta:
            slots[s] = token[c]
            mass[s] = (value[c] - theta) / gamma
            s += 1
    slots[s:] = -1
    mass[s:] = 0.0
    return max(cut, theta)


@jit
def _complete(by_expert, uses, indices, mass):  # type: ignore[no-untyped-def]
    """Give tokens without an expert free slots, or slots of tokens that have another expert."""
    m, n = by_expert.shape
    k = indices.shape[1]
    for i in range(n):
        if uses[i] > 0:
            continue
        best, place = -1, -1
        for j in range(m):
            if best >= 0 and by_expert[j, i] <= by_expert[best, i]:
                continue
            found = -1
            for s in range(k):  # a free slot, else the least wanted token with another expert
                held = indices[j, s]
                if held < 0:
                    found = s
                    break
                if uses[held] > 1 and (
                    found < 0 or by_expert[j, held] < by_expert[j, indices[j, found]]
                ):
                    found = s
            if found >= 0:
                best, place = j, found
        if best < 0:
            return
        held = indices[best, place]
        if held >= 0:
            uses[held] -= 1
        else:
            mass[best, place] = 1.0 / n
        indices[best, place] = i
        uses[i] = 1
