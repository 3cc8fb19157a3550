"""Projection onto a box."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .._core import elementwise, formula, maximum, minimum, to_host, where
from .._core._validate import parameter, real_input


@formula
def clip(v, lower, upper):  # type: ignore[no-untyped-def]
    """The nearest point of ``[lower, upper]``."""
    return minimum(maximum(v, lower), upper)


@formula
def box_value(x, lower, upper):  # type: ignore[no-untyped-def]
    """0 inside, infinite outside."""
    return where((x >= lower) & (x <= upper), 0.0 * abs(x), inf)


@formula
def box_left(x, lower, upper):  # type: ignore[no-untyped-def]
    """Slope to the left: infinitely steep at the lower bound, no subgradient outside."""
    inside = where(x > lower, 0.0 * abs(x), -inf)
    return where((x >= lower) & (x <= upper), inside, inf)


@formula
def box_right(x, lower, upper):  # type: ignore[no-untyped-def]
    """Slope to the right."""
    inside = where(x < upper, 0.0 * abs(x), inf)
    return where((x >= lower) & (x <= upper), inside, -inf)


def bounds(lower: Any, upper: Any) -> tuple[Any, Any]:
    """Checked bounds with ``lower <= upper``; either may be infinite on its own side."""
    lower = parameter("lower", lower, low=-inf)
    upper = parameter("upper", upper, low=-inf)
    low, high = to_host(lower), to_host(upper)
    try:
        crossed = (low > high) | (low == inf) | (high == -inf)
    except ValueError:
        raise ValueError(
            f"lower and upper must broadcast, got shapes {low.shape} and {high.shape}"
        ) from None
    if crossed.any():
        low, high, crossed = (a.ravel() for a in np.broadcast_arrays(low, high, crossed))
        i = int(np.argmax(crossed))
        raise ValueError(
            f"lower must be <= upper everywhere, and finite numbers must lie between them, got "
            f"{low[i]} and {high[i]}"
        )
    return lower, upper


def project_box(v: Any, lower: Any, upper: Any, *, out: Any = None) -> Any:
    r"""Projection onto a box.

    .. math:: \operatorname{argmin}_x \tfrac12 \|x - v\|^2 \quad \text{subject to} \quad
        l_i \le x_i \le u_i

    which is :math:`\min(\max(v, l), u)`.

    Parameters
    ----------
    v : array_like, any shape
        Point, real; float32 or float64 (integers become float64), NumPy or torch.
    lower, upper : float or array_like that broadcasts to ``v``
        Bounds; ``-inf`` and ``inf`` leave a side open.
    out : array, optional
        Where to write the result; may be ``v`` itself.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If an argument has NaN, ``lower > upper`` somewhere, or shapes do not broadcast.
    TypeError
        If ``v`` is complex or not numeric.

    References
    ----------
    S. Boyd, L. Vandenberghe (2004). Convex Optimization, section 8.1.1. Cambridge.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_box([-2.0, 0.5, 3.0], 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    return elementwise(clip, real_input("v", v), bounds(lower, upper), out=out, check=True)
