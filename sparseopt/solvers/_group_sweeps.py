"""Cyclic block coordinate descent on a quadratic plus a penalty of groups, one loop for each.

A block step minimises over one group with the others fixed. For a Euclidean norm it is exact: in
the eigenvectors of the group's own Gram matrix a single equation in the norm remains. For other
penalties it is a few proximal steps on the group. Loops are generated beside the formulas (see
`_sweeps`); several columns of unknowns are kept in step, as in a multitask problem.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .._core import compile_beside, jit
from ..prox._l1 import soft_threshold
from ._active_set import dot

_PROXIMAL = """
def loop(g, x, a, d, blocks, parameters, b, work, move):
 starts, V, places, D, l1 = blocks
 k = x.shape[1]
 L = 0.0
 for i in range(d):
  L = max(L, D[a + i])
 if L == 0.0:
  L = 1.0
 for i in range(d):
  for t in range(k):
   move[i, t] = 0.0
 first = 0.0
 for inner in range(30):
  square = 0.0
  for i in range(d):
   for t in range(k):
    v = soft_threshold(x[a + i, t] + move[i, t] - g[i, t] / L, l1[a + i] / L)
    work[i, t] = v
    square += v * v
  norm = np.sqrt(square)
  scale = formula(norm{entries}) / norm if norm > 0.0 else 0.0
  change = 0.0
  for i in range(d):
   for t in range(k):
    new = scale * work[i, t] if scale > 0.0 else 0.0
    work[i, t] = new - x[a + i, t] - move[i, t]
    move[i, t] = new - x[a + i, t]
    change += work[i, t] ** 2
  if inner == 0:
   first = change
  if change <= 1e-6 * first or inner == 29:
   break
  for t in range(k):
   for j in range(d):
    v = 0.0
    for i in range(d):
     v += V[places[b] + i * d + j] * work[i, t]
    v *= D[a + j]
    for i in range(d):
     g[i, t] += V[places[b] + i * d + j] * v
 moved = False
 for i in range(d):
  for t in range(k):
   if move[i, t] != 0.0:
    moved = True
    new = x[a + i, t] + move[i, t]
    x[a + i, t] = 0.0 if scale == 0.0 else new
 return moved
"""

_SWEEPS = """
def loop(storage, u, x, blocks, parameters, active, sweeps):
 starts, V, places, D, l1 = blocks
 k = x.shape[1]
 width = 1
 for b in active:
  width = max(width, starts[b + 1] - starts[b])
 g = np.empty((width, k))
 work = np.empty((width, k))
 move = np.empty((width, k))
{unpack}
 for _ in range(sweeps):
  for b in active:
   a = starts[b]
   d = starts[b + 1] - a
{slopes}
   if formula(g, x, a, d, blocks, parameters, b, work, move):
{update}
"""

_GRAM = {
    "unpack": "",
    "slopes": """
   for i in range(d):
    for t in range(k):
     g[i, t] = u[t, a + i]
""",
    "update": """
    for i in range(d):
     for t in range(k):
      s = move[i, t]
      if s != 0.0:
       for l in range(u.shape[1]):
        u[t, l] += s * storage[a + i, l]
""",
}

_ROWS = {
    "unpack": "",
    "slopes": """
   np.dot(storage[a : a + d], u.T, g[:d])
""",
    "update": """
    for t in range(k):
     for i in range(d):
      s = move[i, t]
      if s != 0.0:
       for l in range(u.shape[1]):
        u[t, l] += s * storage[a + i, l]
""",
}

_COLUMNS = {
    "unpack": """
 data, indices, first, last, root, mean, total = storage
 mass = np.sum(root * root)
""",
    "slopes": """
   for i in range(d):
    for t in range(k):
     v = -mean[a + i] * total[t]
     for l in range(first[a + i], last[a + i]):
      v += data[l] * u[t, indices[l]]
     g[i, t] = v
""",
    "update": """
    for i in range(d):
     for t in range(k):
      s = move[i, t]
      if s != 0.0:
       for l in range(first[a + i], last[a + i]):
        u[t, indices[l]] += s * data[l]
       total[t] += s * mean[a + i] * mass
""",
}

_STORAGE = {"gram": _GRAM, "rows": _ROWS, "columns": _COLUMNS}


@jit
def _norm_root(squares, D, level):  # type: ignore[no-untyped-def]
    """The s > 0 with ``sum q_i^2 / (D_i s + level)^2 = 1``; 0 if there is none.

    One over the root of the sum is concave in s, so Newton's method climbs from the left, where
    it starts with all eigenvalues at the largest.
    """
    total = 0.0
    largest = 0.0
    for i in range(squares.size):
        total += squares[i]
        largest = max(largest, D[i])
    if not total > level * level or largest == 0.0:
        return 0.0
    s = (np.sqrt(total) - level) / largest
    for _ in range(100):
        value = 0.0
        slope = 0.0
        for i in range(squares.size):
            inverse = 1.0 / (D[i] * s + level)
            part = squares[i] * inverse * inverse
            value += part
            slope += part * D[i] * inverse
        root = np.sqrt(value)
        step = (root - 1.0) * value / slope
        s += step
        if not step > 1e-14 * s:
            break
    return s


@jit
def _turn(V, place, d, source, first, target, forward):  # type: ignore[no-untyped-def]
    """Coordinates in the eigenvectors of a block, or back from them."""
    for j in range(d):
        for t in range(source.shape[1]):
            v = 0.0
            for i in range(d):
                at = place + i * d + j if forward else place + j * d + i
                v += V[at] * source[first + i, t]
            target[j, t] = v


@jit
def norm_block(g, x, a, d, blocks, parameters, b, work, move):  # type: ignore[no-untyped-def]
    """The exact step for a Euclidean norm of the group; whether anything moved.

    ``g`` is the gradient. The change of ``x`` is left in ``move``; ``g`` and ``work`` are scratch.
    """
    _, V, places, D, _ = blocks
    level = parameters[0, b]
    still = True
    square = 0.0
    for i in range(d):
        for t in range(x.shape[1]):
            still &= x[a + i, t] == 0.0
            square += g[i, t] * g[i, t]
    if still and square <= level * level:
        return False
    _turn(V, places[b], d, g, 0, work, True)
    _turn(V, places[b], d, x, a, g, True)
    squares = np.zeros(d)
    for j in range(d):
        for t in range(x.shape[1]):
            work[j, t] = D[a + j] * g[j, t] - work[j, t]
            squares[j] += work[j, t] * work[j, t]
    s = _norm_root(squares, D[a : a + d], level) if level > 0.0 else 1.0
    for j in range(d):
        # without a level this is least squares, in the directions that change the loss
        stays = level == 0.0 and D[a + j] == 0.0
        factor = 0.0 if stays or s == 0.0 else s / (D[a + j] * s + level)
        for t in range(x.shape[1]):
            work[j, t] = 0.0 if stays else factor * work[j, t] - g[j, t]
    _turn(V, places[b], d, work, 0, move, False)
    for i in range(d):
        for t in range(x.shape[1]):
            if s == 0.0:
                move[i, t] = -x[a + i, t]
            x[a + i, t] += move[i, t]
    return True


@functools.cache
def proximal_block(formula: Any, parameters: int) -> Any:
    """A step by repeated proximal steps on the group: soft thresholding, then ``formula``.

    ``formula(norm, *parameters)`` decides on the norm of the group; its parameters hold the step,
    one over the group's largest eigenvalue. Arguments are those of `norm_block`.
    """
    entries = "".join(f", parameters[{i}, b]" for i in range(parameters))
    source = _PROXIMAL.format(entries=entries)
    return compile_beside(formula, "group_block", source, soft_threshold=soft_threshold)


@functools.cache
def group_sweeps(block: Any, kind: str) -> Any:
    """``loop(storage, u, x, blocks, parameters, active, sweeps)`` with the given block step.

    ``x`` has shape (p, k). By kind, ``storage`` is the Gram matrix and ``u`` the gradient (k, p);
    or the columns as rows (p, m) and ``u`` the residual (k, m); or sparse columns ``(data,
    indices, first, last, root, mean, total)``, with rows scaled by the roots of the curvatures;
    ``total`` (k,) is ``u @ root``, kept up to date where there are means.
    ``blocks`` is ``(starts, V, places, D, l1)``: the first coordinate of each block, eigenvectors
    (flat, from ``places[b]`` on), eigenvalues, and levels of an l1 norm.
    """
    source = _SWEEPS.format(**_STORAGE[kind])
    return compile_beside(block, f"group_{kind}", source, dot=dot)
