"""The difference of the l1 and the l2 norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import elementwise, formula, is_numpy, namespace, on_host, to_host, to_native, where
from .._core._validate import steps
from ._group_l2 import single
from ._group_lifts import finite_level
from ._groups import scale_groups
from ._l1 import soft_threshold
from ._vectors import as_array, as_columns, one_group, with_phase


@formula
def lengthen(r, extra):  # type: ignore[no-untyped-def]
    """A norm made longer by ``extra``, unless it is zero."""
    return where(r > 0.0, r + extra, r)


def share(name: str, value: Any) -> float:
    """A single number in [0, 1]."""
    value = float(single(name, value))
    if value > 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return value


def l1_minus_l2(v: Any, lam: Any, alpha: Any = 1.0, *, step: Any = 1.0, axis: Any = None) -> Any:
    r"""Proximal operator of the l1 norm minus a multiple of the l2 norm.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2
        + \text{step} \cdot \lambda (\|x\|_1 - \alpha \|x\|_2), \qquad 0 \le \alpha \le 1

    With :math:`t = \text{step}\,\lambda` and :math:`m = \max_i |v_i|`: if :math:`m > t`, soft
    thresholding by :math:`t`, then the result is made longer by :math:`\alpha t`; if
    :math:`(1 - \alpha) t < m \le t`, the first largest entry alone, of modulus
    :math:`m - (1 - \alpha) t`; else zero. Not convex unless :math:`\alpha = 0`.

    Parameters
    ----------
    v : array_like
        Point, real or complex.
    lam : float
        Level, >= 0 and finite.
    alpha : float
        Share of the l2 norm that is taken away, in [0, 1].
    step : float
        Step, > 0.
    axis : None, int or tuple of int
        The axes along which the norms are taken, independently for every fibre; ``None`` takes
        the whole array.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, ``lam`` < 0 or infinite, ``alpha`` is outside [0, 1], or
        ``step`` <= 0.

    References
    ----------
    Y. Lou, M. Yan (2018). Fast L1-L2 minimization via a proximal operator. J. Sci. Comput. 74.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.l1_minus_l2([4.0, -5.0, 0.5], 1.0, 1.0)
    array([ 3.6, -4.8,  0. ])
    >>> prox.l1_minus_l2([0.5, -0.75], 1.0, 1.0)
    array([ 0.  , -0.75])
    """
    t = float(steps(step) * finite_level("lam", lam))
    return difference_prox(as_array(v), t, share("alpha", alpha), axis, check=True)


def difference_prox(v: Any, t: Any, alpha: float, axis: Any, *, check: bool = False) -> Any:
    """The prox for a checked level ``t`` that includes the step; one per column is allowed."""
    if not is_numpy(v) and on_host(v):
        return to_native(np.asarray(difference_prox(to_host(v), t, alpha, axis, check=check)), v)
    columns, _, back = as_columns(v, axis)
    sizes = np.abs(to_host(columns))
    if check and not np.isfinite(sizes).all():
        raise ValueError("v must be finite, got NaN or infinity")
    if sizes.size == 0 or np.isinf(t).any():
        return back(columns * 0.0)
    single_entry, rest = _decide(sizes, t, alpha)
    soft = elementwise(soft_threshold, columns, (t,))
    spread = scale_groups(lengthen, soft, (alpha * t,), one_group(columns.shape[0]))
    xp = namespace(v)
    alone = with_phase(elementwise(soft_threshold, xp.abs(columns), ((1.0 - alpha) * t,)), columns)
    zero = xp.zeros_like(columns)
    pick, rest = to_native(single_entry, v), to_native(rest, v)
    return back(xp.where(pick, alone, xp.where(rest, spread, zero)))


def _decide(sizes: Any, t: Any, alpha: float) -> tuple[Any, Any]:
    """Which entries stand alone in their column, and which columns are spread."""
    peaks = sizes.max(axis=0).astype(float)
    alone = np.zeros(sizes.shape, bool)
    columns = np.flatnonzero((peaks <= t) & (peaks > (1.0 - alpha) * t))
    alone[sizes.argmax(axis=0)[columns], columns] = True
    return alone, np.broadcast_to(peaks > t, sizes.shape).copy()
