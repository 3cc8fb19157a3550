"""Which supports can carry a plan: maximum flow, repair by swaps, and a support made for the limit.

Arrays are transposed: ``allowed[j, i]`` says whether row i of the plan may serve column j.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]

DUST = 1e-15  # of the total mass: what flows smaller than this is rounding
EXCHANGES = 60  # swaps tried before a repair step gives up


@jit
def max_flow(allowed, a, b, flow, rows_reached, dust):  # type: ignore[no-untyped-def]
    """Extend ``flow`` to a maximum one along shortest augmenting paths; what stays unplaced.

    ``rows_reached`` tells at the end which rows the mass that is left over can be moved to.
    """
    m, n = allowed.shape
    left, room = a.copy(), b.copy()
    for j in range(m):
        for i in range(n):
            left[i] -= flow[j, i]
            room[j] -= flow[j, i]
    row_from, col_from = np.empty(n, np.int64), np.empty(m, np.int64)
    queue = np.empty(n, np.int64)
    while True:
        row_from[:], col_from[:] = -2, -1
        head = tail = 0
        for i in range(n):
            if left[i] > dust:
                row_from[i] = -1
                queue[tail] = i
                tail += 1
        found = -1
        while head < tail and found < 0:
            i = queue[head]
            head += 1
            for j in range(m):
                if allowed[j, i] and col_from[j] < 0:
                    col_from[j] = i
                    if room[j] > dust:
                        found = j
                        break
                    for e in range(n):
                        if row_from[e] == -2 and flow[j, e] > dust:
                            row_from[e] = j
                            queue[tail] = e
                            tail += 1
        if found < 0:
            break
        j, push = found, room[found]
        while True:
            i = col_from[j]
            if row_from[i] < 0:
                push = min(push, left[i])
                break
            push = min(push, flow[row_from[i], i])
            j = row_from[i]
        j = found
        room[j] -= push
        while True:
            i = col_from[j]
            flow[j, i] += push
            if row_from[i] < 0:
                left[i] -= push
                break
            j = row_from[i]
            flow[j, i] -= push
    total = 0.0
    for i in range(n):
        rows_reached[i] = row_from[i] != -2
        total += max(left[i], 0.0)
    return total


@jit
def _columns_short(allowed, b, flow, dust):  # type: ignore[no-untyped-def]
    """The columns that lack mass, and those from which mass could be moved on to them."""
    m, n = allowed.shape
    short, row_known = np.zeros(m, np.bool_), np.zeros(n, np.bool_)
    queue = np.empty(m, np.int64)
    head = tail = 0
    for j in range(m):
        if b[j] - np.sum(flow[j]) > dust:
            short[j] = True
            queue[tail] = j
            tail += 1
    while head < tail:
        j = queue[head]
        head += 1
        for i in range(n):
            if allowed[j, i] and not row_known[i]:
                row_known[i] = True
                for e in range(m):
                    if not short[e] and flow[e, i] > dust:
                        short[e] = True
                        queue[tail] = e
                        tail += 1
    return short


class Support:
    """A set of allowed entries with a largest flow on it."""

    def __init__(self, allowed: Array, a: Array, b: Array, flow: Array | None = None) -> None:
        self.allowed, self.a, self.b = allowed, a, b
        self.dust = DUST * float(a.sum())
        self.flow = np.zeros(allowed.shape) if flow is None else np.where(allowed, flow, 0.0)
        self.reached = np.empty(a.size, bool)
        self.missing = max_flow(allowed, a, b, self.flow, self.reached, self.dust)

    @property
    def feasible(self) -> bool:
        """Whether all mass can be sent, up to rounding."""
        return self.missing <= 1e3 * self.dust * self.b.size

    def swapped(self, j: int, out: int | None, into: int) -> Support:
        """With one more entry in column j and, unless None, one less."""
        allowed = self.allowed.copy()
        if out is not None:
            allowed[j, out] = False
        allowed[j, into] = True
        return Support(allowed, self.a, self.b, self.flow)

    def spare(self, j: int, k: int) -> tuple[bool, int | None]:
        """Whether column j can take one more entry at no loss, and which idle one goes for it."""
        inside = np.flatnonzero(self.allowed[j])
        if inside.size < k:
            return True, None
        idle = inside[self.flow[j, inside] <= self.dust]
        return (True, int(idle[-1])) if idle.size else (False, None)


def check_open(cost: Array, a: Array, b: Array, tol: float) -> None:
    """Refuse transposed costs whose finite pairs cannot carry the masses."""
    mass = float(a.sum())
    missing = Support(np.isfinite(cost), a, b).missing
    if missing > tol * mass:
        raise ValueError(
            "C must leave pairs that can carry the masses, got an infeasible support: "
            f"{missing / mass:.3g} of the mass has no way"
        )


def repair(support: Support, k: int, reduced: Array) -> Support:
    """Swap entries, cheap ones (by reduced cost) first, until all mass is sent or no swap helps."""
    for _ in range(4 * support.a.size):
        if support.feasible:
            break
        better = _one_repair(support, k, reduced)
        if better is None:
            break
        support = better
    return support


def _one_repair(support: Support, k: int, reduced: Array) -> Support | None:
    short = _columns_short(support.allowed, support.b, support.flow, support.dust)
    rows, cols = np.flatnonzero(support.reached), np.flatnonzero(short)
    price = np.where(support.allowed, np.inf, reduced)[np.ix_(cols, rows)]
    free = [support.spare(int(j), k) for j in cols]
    spare = np.array([has for has, _ in free], bool)
    if spare.any():
        open_price = np.where(spare[:, None], price, np.inf)
        best = int(np.argmin(open_price))
        c, r = divmod(best, rows.size)
        if np.isfinite(open_price.flat[best]):
            return support.swapped(int(cols[c]), free[c][1], int(rows[r]))
    flows = np.where(support.allowed[cols], support.flow[cols], np.inf)
    outs = flows.argmin(axis=1)
    order = np.argsort(flows[np.arange(cols.size), outs], kind="stable")[:EXCHANGES]
    for c in order:
        for r in np.argsort(price[c], kind="stable")[:3]:
            if np.isfinite(price[c, r]):
                trial = support.swapped(int(cols[c]), int(outs[c]), int(rows[r]))
                if trial.missing < support.missing - 10 * support.dust:
                    return trial
    return None


def covering(
    a: Array, b: Array, k: int, open_entries: Array, prices: Array | None = None
) -> Array | None:
    """A support with at most k entries per column that carries a plan, or None.

    Columns are filled from the largest down, each with k - 1 whole rows and a part of one more:
    the smallest rows that reach, so that the large ones stay for later. With equal columns this
    succeeds whenever ``m (k - 1) >= n - 1``. With prices each column then changes single rows of
    its choice for cheaper ones, which may leave the last columns without a choice.
    """
    left, allowed = a.copy(), np.zeros((b.size, a.size), bool)
    dust = 1e3 * DUST * float(a.sum())
    for j in np.argsort(-b, kind="stable"):
        rows = np.flatnonzero((left > dust) & open_entries[j])
        rows = rows[np.argsort(left[rows], kind="stable")]
        chosen = _window(left[rows], float(b[j]), k, dust)
        if chosen is None:
            return None
        if prices is not None:
            chosen = _cheaper(chosen, left[rows], prices[j, rows], float(b[j]), dust)
        need = float(b[j])
        for i in rows[chosen]:
            taken = min(float(left[i]), need)
            left[i] -= taken
            need -= taken
            allowed[j, i] = True
    return allowed


def _window(sizes: Array, need: float, k: int, dust: float) -> Array | None:
    """Positions among ascending sizes: up to k - 1 taken whole and the last in part."""
    count = sizes.size
    if not count:
        return None
    sums = np.concatenate([[0.0], np.cumsum(sizes)])
    for width in range(min(k, count) - 1, -1, -1):
        for start in range(count - width):
            whole = sums[start + width] - sums[start]
            if whole > need + dust:
                break
            rest = sizes[start + width :]
            last = start + width + int(np.searchsorted(rest, need - whole - dust))
            if last < count:
                return np.append(np.arange(start, start + width), last)
    return None


def _cheaper(chosen: Array, sizes: Array, price: Array, need: float, dust: float) -> Array:
    """Change single rows of a choice for others as long as that is cheaper; the last is the part.

    Whole rows must fit in what is needed, and all together must reach it.
    """
    chosen = chosen.copy()
    for _ in range(4 * chosen.size):
        best, change = -1e-12 * max(float(np.abs(price[chosen]).max()) * need, 1e-300), None
        inside = np.zeros(sizes.size, bool)
        inside[chosen] = True
        whole = float(sizes[chosen[:-1]].sum())
        part = float(price[chosen[-1]])
        for place, at in enumerate(chosen):
            if place < chosen.size - 1:
                total = whole - sizes[at] + sizes
                fits = (total <= need + dust) & (total + sizes[chosen[-1]] >= need - dust)
                gain = price * sizes - price[at] * sizes[at] - part * (sizes - sizes[at])
            else:
                fits = whole + sizes >= need - dust
                gain = (price - part) * (need - whole)
            gain = np.where(fits & ~inside, gain, np.inf)
            to = int(np.argmin(gain))
            if gain[to] < best:
                best, change = float(gain[to]), (place, to)
        if change is None:
            break
        chosen[change[0]] = change[1]
    return chosen
