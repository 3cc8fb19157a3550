"""An indexed binary max-heap: the largest of many keys while few of them change.

``keys[item]`` is the key of an item, ``heap`` holds the items with the largest first, and
``place[item]`` is where an item stands in it. Of equal keys the lower item is above. Keys must not
be NaN. A change costs O(log n), the largest nothing, the t largest O(t log n).
"""

from __future__ import annotations

import numpy as np

from .._core import jit


@jit
def heap_build(keys, heap, place):  # type: ignore[no-untyped-def]
    """Fill ``heap`` and ``place`` from the keys, in linear time."""
    n = keys.size
    for item in range(n):
        heap[item] = item
        place[item] = item
    for at in range(n // 2 - 1, -1, -1):
        _sink(keys, heap, place, n, at)


@jit
def heap_change(keys, heap, place, item, key):  # type: ignore[no-untyped-def]
    """Give an item another key."""
    keys[item] = key
    _rise(keys, heap, place, place[item])
    _sink(keys, heap, place, keys.size, place[item])


@jit
def heap_change_many(keys, heap, place, items, values):  # type: ignore[no-untyped-def]
    """Give several items other keys: one by one, or by building anew where that is cheaper."""
    n = keys.size
    if items.size * np.log2(n + 1.0) > 2.0 * n:
        for i in range(items.size):
            keys[items[i]] = values[i]
        heap_build(keys, heap, place)
    else:
        for i in range(items.size):
            heap_change(keys, heap, place, items[i], values[i])


@jit
def heap_top(heap):  # type: ignore[no-untyped-def]
    """The item with the largest key."""
    return heap[0]


@jit
def heap_largest(keys, heap, place, largest):  # type: ignore[no-untyped-def]
    """Fill ``largest`` with the items of the largest keys, by decreasing key; the heap is kept.

    They are popped to the end of the array, and pushed back.
    """
    n = keys.size
    for i in range(largest.size):
        largest[i] = heap[0]
        _swap(heap, place, 0, n - 1 - i)
        _sink(keys, heap, place, n - 1 - i, 0)
    for at in range(n - largest.size, n):
        _rise(keys, heap, place, at)


@jit
def _above(keys, a, b):  # type: ignore[no-untyped-def]
    """Whether item ``a`` belongs above item ``b``."""
    return keys[a] > keys[b] or (keys[a] == keys[b] and a < b)


@jit
def _swap(heap, place, i, j):  # type: ignore[no-untyped-def]
    """Let the items at two places change places."""
    a, b = heap[i], heap[j]
    heap[i], heap[j] = b, a
    place[a], place[b] = j, i


@jit
def _rise(keys, heap, place, at):  # type: ignore[no-untyped-def]
    """Move the item at a place up until what is above belongs there."""
    while at > 0:
        up = (at - 1) // 2
        if not _above(keys, heap[at], heap[up]):
            break
        _swap(heap, place, at, up)
        at = up


@jit
def _sink(keys, heap, place, n, at):  # type: ignore[no-untyped-def]
    """Move the item at a place down until what is below belongs there, among the first n."""
    while 2 * at + 1 < n:
        down = 2 * at + 1
        if down + 1 < n and _above(keys, heap[down + 1], heap[down]):
            down += 1
        if not _above(keys, heap[down], heap[at]):
            break
        _swap(heap, place, at, down)
        at = down
