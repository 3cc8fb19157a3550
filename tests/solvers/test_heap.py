"""The indexed heap: against sorting, through every kind of change."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparseopt.solvers import _heap

KEYS = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40)


def ranking(keys):
    """Items by decreasing key, lower item first: stable sort."""
    return np.argsort(-keys, kind="stable")


def built(keys):
    keys = np.array(keys)
    heap, place = np.empty(keys.size, np.intp), np.empty(keys.size, np.intp)
    _heap.heap_build(keys, heap, place)
    return keys, heap, place


def check(keys, heap, place):
    np.testing.assert_array_equal(heap[place], np.arange(keys.size))
    for at in range(1, keys.size):
        up, down = heap[(at - 1) // 2], heap[at]
        assert (keys[up], -up) > (keys[down], -down)
    assert _heap.heap_top(heap) == ranking(keys)[0]


@given(KEYS, st.data())
def test_build_and_largest(keys, data):
    keys, heap, place = built(keys)
    check(keys, heap, place)
    largest = np.empty(data.draw(st.integers(0, keys.size)), np.intp)
    kept = keys.copy()
    _heap.heap_largest(keys, heap, place, largest)
    np.testing.assert_array_equal(largest, ranking(keys)[: largest.size])
    np.testing.assert_array_equal(keys, kept)
    check(keys, heap, place)


@given(KEYS, st.lists(st.tuples(st.integers(0, 39), st.integers(-6, 6)), max_size=30))
def test_changes_one_by_one(keys, changes):
    keys, heap, place = built(keys)
    expected = keys.copy()
    for item, key in changes:
        expected[item % keys.size] = key
        _heap.heap_change(keys, heap, place, item % keys.size, float(key))
        np.testing.assert_array_equal(keys, expected)
        check(keys, heap, place)


@given(st.integers(1, 300), st.integers(0, 2**32), st.floats(0, 1))
def test_many_changes_at_once(n, seed, share):
    rng = np.random.default_rng(seed)
    keys, heap, place = built(rng.standard_normal(n))
    items = np.flatnonzero(rng.random(n) < share)
    values = rng.standard_normal(items.size)
    expected = keys.copy()
    expected[items] = values
    _heap.heap_change_many(keys, heap, place, items, values)
    np.testing.assert_array_equal(keys, expected)
    check(keys, heap, place)


def test_infinite_keys():
    keys, heap, place = built([0.0, -np.inf, np.inf, -np.inf])
    largest = np.empty(4, np.intp)
    _heap.heap_largest(keys, heap, place, largest)
    np.testing.assert_array_equal(largest, [2, 0, 1, 3])
