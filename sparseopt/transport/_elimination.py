"""Exact elimination of a graph Laplacian without subtractions, in minimum-degree order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit

Array = np.ndarray[Any, Any]


@jit
def eliminate(rows, cols, weight, excess):  # type: ignore[no-untyped-def]
    """Factor ``Laplacian(edges) + diag(excess)``, all weights and excesses nonnegative.

    The diagonal is never formed: a pivot is the sum of the edges a node still has and its excess
    (Grassmann, Taksar and Heyman's elimination), so all numbers stay nonnegative and exact to a
    few roundings each, however far the weights are apart. The last node of a component without
    excess has the pivot 0; its inverse is taken as 0, which grounds the component there.

    Returns the factor in the order of elimination: column k holds the later positions
    ``index`` with ``ratio = weight / pivot``; ``position`` is where every node went.
    """
    nodes = excess.size
    excess = excess.copy()
    start, length, room, neighbour, value = _adjacency(rows, cols, weight, nodes)
    end = start[nodes]
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
        node = head[low]
        _unlink(head, following, previous, length, node)
        position[node] = k
        degree = length[node]
        first = ptr[k]
        if first + degree > index.size:
            index = _grown(index, first + degree)
            ratio = _grown(ratio, first + degree)
        begin = start[node]
        pivot = excess[node]
        for e in range(degree):
            pivot += value[begin + e]
        inverse = 1.0 / pivot if pivot > 0.0 else 0.0
        inverse_pivot[k] = inverse
        for e in range(degree):
            index[first + e] = neighbour[begin + e]
            ratio[first + e] = value[begin + e] / pivot if pivot > 0.0 else 0.0
        ptr[k + 1] = first + degree
        for e in range(degree):
            i = neighbour[begin + e]
            excess[i] += ratio[first + e] * excess[node]
            _unlink(head, following, previous, length, i)
            for s in range(start[i], start[i] + length[i]):
                if neighbour[s] == node:
                    last = start[i] + length[i] - 1
                    neighbour[s] = neighbour[last]
                    value[s] = value[last]
                    length[i] -= 1
                    break
            if length[i] + degree > room[i]:
                space = 2 * (length[i] + degree)
                if end + space > neighbour.size:
                    neighbour = _grown(neighbour, end + space)
                    value = _grown(value, end + space)
                for s in range(length[i]):
                    neighbour[end + s] = neighbour[start[i] + s]
                    value[end + s] = value[start[i] + s]
                start[i] = end
                room[i] = space
                end += space
            for s in range(start[i], start[i] + length[i]):
                place[neighbour[s]] = s
            for o in range(degree):
                j = neighbour[begin + o]
                if j == i:
                    continue
                added = ratio[first + e] * value[begin + o]
                if place[j] >= 0:
                    value[place[j]] += added
                else:
                    s = start[i] + length[i]
                    neighbour[s] = j
                    value[s] = added
                    length[i] += 1
            for s in range(start[i], start[i] + length[i]):
                place[neighbour[s]] = -1
            _link(head, following, previous, length, i)
            low = min(low, length[i])
    for e in range(ptr[nodes]):
        index[e] = position[index[e]]
    return ptr, index[: ptr[nodes]], ratio[: ptr[nodes]], inverse_pivot, position


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
