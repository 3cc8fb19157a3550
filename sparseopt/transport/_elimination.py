"""Exact elimination of a graph Laplacian without subtractions, in minimum-degree order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]


TINY = 1e-290  # a pivot below this is zero: its inverse could overflow


@jit
def eliminate(rows, cols, weight, excess, limit):  # type: ignore[no-untyped-def]
    """Factor ``Laplacian(edges) + diag(excess)``, all weights and excesses nonnegative.

    The diagonal is never formed: a pivot is the sum of the edges a node still has and its excess
    (the elimination of Grassmann, Taksar and Heyman, 1985), so all numbers stay nonnegative and
    exact to a few roundings each, however far the weights are apart. The last node of a component
    without excess has the pivot 0; its inverse is taken as 0, which grounds the component there.

    Returns whether it was done, which it is not if all nodes left at some point have more than
    ``limit`` neighbours, and the factor in the order of elimination: column k holds the later
    positions ``later`` with ``ratio = weight / pivot``; ``position`` is where every node went.
    """
    nodes = excess.size
    excess = excess.copy()
    start, length, room, neighbour, value = _adjacency(rows, cols, weight, nodes)
    head, following, previous = _buckets(length)
    position = np.full(nodes, -1, np.int64)
    inverse_pivot = np.zeros(nodes)
    ptr = np.zeros(nodes + 1, np.int64)
    index = np.empty(2 * neighbour.size + nodes, np.int32)
    ratio = np.empty(index.size)
    place = np.full(nodes, -1, np.int64)
    low = 0
    for k in range(nodes):
        while head[low] < 0:
            low += 1
        if low > limit:
            return False, ptr, index, ratio, inverse_pivot, position
        node = head[low]
        _unlink(head, following, previous, length, node)
        position[node] = k
        first, begin, degree = ptr[k], start[node], length[node]
        if first + degree > index.size:
            index, ratio = _grown(index, first + degree), _grown(ratio, first + degree)
        pivot = excess[node]
        for e in range(degree):
            pivot += value[begin + e]
        solid = pivot > TINY
        inverse_pivot[k] = 1.0 / pivot if solid else 0.0
        for e in range(degree):
            index[first + e] = neighbour[begin + e]
            ratio[first + e] = value[begin + e] / pivot if solid else 0.0
        ptr[k + 1] = first + degree
        for e in range(degree):
            i = neighbour[begin + e]
            excess[i] += ratio[first + e] * excess[node]
            _unlink(head, following, previous, length, i)
            neighbour, value = _make_room(start, length, room, neighbour, value, i, degree)
            share = ratio[first + e]
            _join_neighbours(start, length, neighbour, value, place, node, i, share)
            _link(head, following, previous, length, i)
            low = min(low, length[i])
    for e in range(ptr[nodes]):
        index[e] = position[index[e]]
    return True, ptr, index[: ptr[nodes]], ratio[: ptr[nodes]], inverse_pivot, position


@jit
def _make_room(start, length, room, neighbour, value, i, degree):  # type: ignore[no-untyped-def]
    """Move the list of node i to the end if it cannot take ``degree`` more neighbours.

    ``start`` has one entry more than there are nodes: the end of what is used.
    """
    if length[i] + degree > room[i]:
        end = start[start.size - 1]
        space = 2 * (length[i] + degree)
        if end + space > neighbour.size:
            neighbour, value = _grown(neighbour, end + space), _grown(value, end + space)
        for s in range(length[i]):
            neighbour[end + s] = neighbour[start[i] + s]
            value[end + s] = value[start[i] + s]
        start[i] = end
        room[i] = space
        start[start.size - 1] = end + space
    return neighbour, value


@jit
def _join_neighbours(  # type: ignore[no-untyped-def]
    start, length, neighbour, value, place, node, i, share
):
    """Take the eliminated node from the list of i and join i with the node's other neighbours."""
    here, last = start[i], start[i] + length[i] - 1
    for s in range(here, last + 1):
        if neighbour[s] == node:
            neighbour[s] = neighbour[last]
            value[s] = value[last]
            break
    for s in range(here, last):
        place[neighbour[s]] = s
    filled = last
    for o in range(start[node], start[node] + length[node]):
        j = neighbour[o]
        if j == i:
            continue
        added = share * value[o]
        s = place[j]
        if s >= 0:
            value[s] += added
        else:
            neighbour[filled] = j
            value[filled] = added
            filled += 1
    for s in range(here, last):
        place[neighbour[s]] = -1
    length[i] = filled - here


@jit
def _adjacency(rows, cols, weight, nodes):  # type: ignore[no-untyped-def]
    """Neighbours and weights of every node, with the room that each has."""
    length = np.zeros(nodes, np.int64)
    for e in range(rows.size):
        length[rows[e]] += 1
        length[cols[e]] += 1
    start = np.zeros(nodes + 1, np.int64)
    for k in range(nodes):
        start[k + 1] = start[k] + length[k]
    room = length.copy()
    neighbour = np.empty(4 * start[nodes] + 64, np.int32)
    value = np.empty(neighbour.size)
    length[:] = 0
    for e in range(rows.size):
        i, j = rows[e], cols[e]
        neighbour[start[i] + length[i]] = j
        value[start[i] + length[i]] = weight[e]
        length[i] += 1
        neighbour[start[j] + length[j]] = i
        value[start[j] + length[j]] = weight[e]
        length[j] += 1
    return start, length, room, neighbour, value


@jit
def _buckets(length):  # type: ignore[no-untyped-def]
    """Doubly linked lists of the nodes of every degree."""
    nodes = length.size
    head = np.full(nodes + 1, -1, np.int64)
    following = np.full(nodes, -1, np.int64)
    previous = np.full(nodes, -1, np.int64)
    for k in range(nodes - 1, -1, -1):
        _link(head, following, previous, length, k)
    return head, following, previous


@jit
def _link(head, following, previous, length, node):  # type: ignore[no-untyped-def]
    first = head[length[node]]
    following[node] = first
    previous[node] = -1
    if first >= 0:
        previous[first] = node
    head[length[node]] = node


@jit
def _unlink(head, following, previous, length, node):  # type: ignore[no-untyped-def]
    if previous[node] >= 0:
        following[previous[node]] = following[node]
    else:
        head[length[node]] = following[node]
    if following[node] >= 0:
        previous[following[node]] = previous[node]


@jit
def _grown(array, needed):  # type: ignore[no-untyped-def]
    out = np.empty(max(2 * array.size, needed), array.dtype)
    out[: array.size] = array
    return out
