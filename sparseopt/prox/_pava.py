"""Pool adjacent violators: the one kernel behind isotonic regression and the sorted l1 norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit, namespace, to_native


@jit
def pool_adjacent(y, w, starts, means, weights):  # type: ignore[no-untyped-def]
    """Isotonic (nondecreasing) regression of ``y`` with weights ``w`` > 0.

    Writes where each block of equal values starts and its value, and returns their number. All
    arrays are float64 (``starts`` integer) and as long as ``y``. Values strictly increase.
    """
    count = 0
    for i in range(y.size):
        start, mean, weight = i, y[i], w[i]
        while count > 0 and means[count - 1] >= mean:
            count -= 1
            total = weight + weights[count]
            mean += (means[count] - mean) * (weights[count] / total)
            weight = total
            start = starts[count]
        starts[count], means[count], weights[count] = start, mean, weight
        count += 1
    return count


def blocks_of(result: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Labels of the entries of equal value in each row, distinct between rows."""
    labels = np.empty(result.shape, np.intp)
    count = 0
    for row, out in zip(result, labels, strict=True):
        values, inverse = np.unique(row, return_inverse=True)
        out[:] = inverse + count
        count += values.size
    return labels


def block_means(a: Any, labels: np.ndarray[Any, Any], w: np.ndarray[Any, Any]) -> Any:
    """Weighted mean of each block of ``a`` (rows of a foreign array), spread over the block."""
    xp = namespace(a)
    flat = labels.reshape(-1)
    w = np.broadcast_to(w, labels.shape).reshape(-1)
    share = w / np.bincount(flat, weights=w, minlength=1)[flat] if flat.size else w
    index = to_native(flat, a)
    weighted = xp.reshape(a, (flat.size,)) * xp.astype(to_native(share, a), a.dtype)
    sums = xp.zeros((int(flat.max(initial=-1)) + 1,), dtype=a.dtype, device=a.device)
    return xp.reshape(sums.index_add(0, index, weighted)[index], labels.shape)
