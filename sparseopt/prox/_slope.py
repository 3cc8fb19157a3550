"""The sorted l1 norm (SLOPE, OWL) and the sum of the k largest entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import is_numpy, jit, on_host, to_host, to_native
from .._core._validate import integer, parameter, steps
from ._group_l2 import single
from ._pava import block_means, blocks_of, pool_adjacent
from ._vectors import as_array, as_columns, with_phase

_SHORT = 256  # rows up to this length are sorted all at once


@jit
def _candidates(a, levels, kept):  # type: ignore[no-untyped-def]
    """Indices of the entries that can be non-zero; returns their number.

    With ``c`` candidates left, these have the ranks 1 .. c, and whatever does not exceed
    ``levels[c-1]`` ends up at zero: a block of the regression has no smaller mean at its end.
    """
    count = a.size
    for i in range(count):
        kept[i] = i
    before = count + 1
    while 0 < count < before:
        before = count
        threshold = levels[before - 1]
        count = 0
        for j in range(before):
            i = kept[j]
            kept[count] = i
            count += a[i] > threshold
    return count


@jit
def _sorted_rows(rows, order, levels, out):  # type: ignore[no-untyped-def]
    """Write the prox for the entries of each row that ``order`` lists by increasing modulus."""
    n = order.shape[1]
    y = np.empty(n)
    w = np.ones(n)
    starts = np.empty(n, np.intp)
    means = np.empty(n)
    weights = np.empty(n)
    for r in range(rows.shape[0]):
        for i in range(n):
            y[i] = rows[r, order[r, i]] - levels[n - 1 - i]
        count = pool_adjacent(y, w, starts, means, weights)
        for b in range(count):
            for i in range(starts[b], starts[b + 1] if b + 1 < count else n):
                out[r, order[r, i]] = max(means[b], 0.0)


def sorted_threshold(
    rows: np.ndarray[Any, Any], levels: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Moduli of the prox of ``sum levels_i |x|_(i)`` for rows of moduli, levels nonincreasing."""
    out = np.zeros_like(rows)
    n = levels.size
    if n == 0 or levels[0] == np.inf:
        return out
    if n <= _SHORT:
        _sorted_rows(rows, np.argsort(rows, axis=1), levels, out)
        return out
    kept = np.empty(n, np.intp)
    for row, x in zip(rows, out, strict=True):
        some = kept[: _candidates(row, levels, kept)]
        order = some[np.argsort(row[some])]
        _sorted_rows(row[None], order[None], levels[: some.size], x[None])
    return out


def sorted_prox(v: Any, levels: np.ndarray[Any, Any], axis: Any, *, check: bool = True) -> Any:
    """Prox of the sorted l1 norm along ``axis`` for any library; levels include the step."""
    if not is_numpy(v) and on_host(v):
        return to_native(np.asarray(sorted_prox(to_host(v), levels, axis, check=check)), v)
    columns, _, back = as_columns(v, axis)
    sizes = np.ascontiguousarray(np.abs(to_host(columns)).T)
    if check and not np.isfinite(sizes).all():
        raise ValueError("v must be finite, got NaN or infinity")
    result = sorted_threshold(sizes, levels)
    if is_numpy(v):
        return back(with_phase(result.T, columns))
    labels = blocks_of(result)
    ones = np.ones(levels.size)
    fixed = np.asarray(sizes, float) - result  # in each block its mean is what the levels took
    blocks = labels.reshape(-1)
    if blocks.size:
        fixed = (np.bincount(blocks, fixed.reshape(-1)) / np.bincount(blocks))[labels]
    moduli = abs(columns).T
    survives = to_native((result > 0).astype(sizes.dtype), moduli)
    fixed = to_native(fixed.astype(sizes.dtype), moduli)
    moduli = (block_means(moduli, labels, ones) - fixed) * survives
    return back(with_phase(moduli.T, columns))


def sorted_levels(lam: Any, n: int) -> np.ndarray[Any, Any]:
    """Check the levels of a sorted l1 norm of ``n`` entries."""
    lam = np.asarray(parameter("lam", lam), float)
    if lam.shape != (n,):
        raise ValueError(f"lam must have shape ({n},), one level per rank, got {lam.shape}")
    return nonincreasing(lam)


def nonincreasing(lam: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Refuse levels that grow with the rank."""
    rise = np.flatnonzero(lam[1:] > lam[:-1])
    if rise.size:
        i = int(rise[0])
        raise ValueError(f"lam must be nonincreasing, got {lam[i]} before {lam[i + 1]}")
    return lam


def largest_levels(lam: float, k: int, n: int) -> np.ndarray[Any, Any]:
    """The sum of the k largest as a sorted l1 norm."""
    return np.where(np.arange(n) < k, lam, 0.0)


def _length(v: Any, axis: Any) -> int:
    return int(as_columns(v, axis)[0].shape[0])


def slope(v: Any, lam: Any, *, step: Any = 1.0, axis: Any = -1) -> Any:
    r"""Proximal operator of the sorted l1 norm (SLOPE, OWL).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \sum_i \lambda_i |x|_{(i)}, \qquad
        \lambda_1 \ge \dots \ge \lambda_n \ge 0

    where :math:`|x|_{(i)}` is the i-th largest modulus: sort the moduli, subtract the levels,
    make the result monotone by isotonic regression, cut it at zero and undo the sorting. Equal
    levels give the l1 norm. Entries that cannot survive are not sorted.

    Parameters
    ----------
    v : array_like
        Point, real or complex.
    lam : array_like, shape (n,)
        Level of each rank, >= 0 and nonincreasing. ``inf`` forces zero.
    step : float
        Step, > 0.
    axis : int, tuple of int or None
        The axes along which entries are ranked, independently for every fibre; ``None`` takes
        the whole array.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, ``lam`` is negative, increases or has another length, or
        ``step`` <= 0.

    References
    ----------
    M. Bogdan, E. van den Berg, C. Sabatti, W. Su, E. J. Candes (2015). SLOPE: adaptive variable
    selection via convex optimization. Ann. Appl. Stat. 9(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.slope([3.0, -3.5, 1.0], [2.0, 1.0, 0.5])
    array([ 1.75, -1.75,  0.5 ])
    """
    v = as_array(v)
    return sorted_prox(v, steps(step) * sorted_levels(lam, _length(v, axis)), axis)


def sum_largest(v: Any, lam: Any, k: int, *, step: Any = 1.0, axis: Any = -1) -> Any:
    r"""Proximal operator of the sum of the ``k`` largest moduli (Ky Fan vector norm).

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda \sum_{i \le k} |x|_{(i)}

    which is `slope` with ``k`` levels :math:`\lambda` followed by zeros. ``k=1`` is the maximum
    norm, ``k=n`` the l1 norm.

    Parameters
    ----------
    v : array_like
        Point, real or complex.
    lam : float
        Level, >= 0.
    k : int
        Number of entries that count, between 0 and the length along ``axis``.
    step : float
        Step, > 0.
    axis : int, tuple of int or None
        The axes along which entries are ranked, independently for every fibre; ``None`` takes
        the whole array.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, ``lam`` < 0, ``k`` is out of range, or ``step`` <= 0.
    TypeError
        If ``k`` is not an integer.

    References
    ----------
    B. Wu, C. Ding, D. Sun, K.-C. Toh (2014). On the Moreau-Yosida regularization of the vector
    k-norm related functions. SIAM J. Optim. 24(2).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.sum_largest([3.0, -3.5, 1.0], 1.0, 2)
    array([ 2. , -2.5,  1. ])
    """
    v = as_array(v)
    n = _length(v, axis)
    k = integer("k", k, 0, n)
    return sorted_prox(v, largest_levels(steps(step) * single("lam", lam), k, n), axis)
