"""Cyclic coordinate descent on a quadratic plus a separable penalty, one loop for each formula.

The loops are generated beside the formula of the penalty's proximal operator, so that it is
compiled into them and they stay in the disk cache. Parameters of the formula are arrays with an
entry for each coordinate; they hold the step ``inverse[j] = 1 / H[j, j]`` already.
"""

from __future__ import annotations

import functools
from typing import Any

from .._core import compile_beside

_GRAM = """
def loop(H, g, x, inverse{parameters}, sweeps):
 biggest = 0.0
 for _ in range(sweeps):
  biggest = 0.0
  for j in range(x.size):
   old = x[j]
   new = formula(old - g[j] * inverse[j]{entries})
   d = new - old
   if d != 0.0:
    x[j] = new
    for i in range(x.size):
     g[i] += d * H[j, i]
    biggest = max(biggest, d * d / inverse[j])
 return biggest
"""

_COLUMNS = """
def loop(columns, chosen, u, total, mean, mass, x, inverse{parameters}):
 data, indices, starts, stops = columns
 biggest = 0.0
 for j in chosen:
  old = x[j]
  slope = -mean[j] * total
  for k in range(starts[j], stops[j]):
   slope += data[k] * u[indices[k]]
  new = formula(old - slope * inverse[j]{entries})
  d = new - old
  if d != 0.0:
   x[j] = new
   for k in range(starts[j], stops[j]):
    u[indices[k]] += d * data[k]
   total += d * mean[j] * mass
   biggest = max(biggest, d * d / inverse[j])
 return total, biggest
"""


@functools.cache
def gram_sweeps(formula: Any, parameters: int) -> Any:
    """``loop(H, g, x, inverse, *parameters, sweeps)``, with ``g = H x - q`` kept up to date.

    Returns the largest ``H[j, j] d_j^2`` of the last sweep.
    """
    return _loop(formula, parameters, "gram_sweeps", _GRAM)


@functools.cache
def column_sweep(formula: Any, parameters: int) -> Any:
    """The same from sparse columns and a residual ``u``, once over the ``chosen`` coordinates.

    ``columns`` is ``(data, indices, starts, stops)``, with the first and the end of each column.
    Where an intercept is minimised out, ``mean`` holds the means of the columns, ``mass`` the sum
    of the weights and ``total`` the weighted sum of ``u``: the gradient of coordinate j is
    ``X_j' u - mean_j total``. Otherwise ``mean`` is zero. Returns the new total and the largest
    move.
    """
    return _loop(formula, parameters, "column_sweep", _COLUMNS)


def _loop(formula: Any, parameters: int, kind: str, template: str) -> Any:
    names = [f"p{i}" for i in range(parameters)]
    source = template.format(
        parameters="".join(f", {p}" for p in names), entries="".join(f", {p}[j]" for p in names)
    )
    return compile_beside(formula, kind, source)
