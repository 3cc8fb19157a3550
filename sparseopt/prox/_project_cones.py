"""Projections onto the second-order cone and the cone of positive semidefinite matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import elementwise, formula, is_numpy, namespace, where
from .._core._validate import axis_index
from ._group_envelope import in_precision
from ._groups import apply_scale, group_norms
from ._project_l1 import height_of
from ._spectral import as_matrices
from ._vectors import as_array, as_columns, one_group


@formula
def cone_height(r, t):  # type: ignore[no-untyped-def]
    """Height of the nearest point of the cone ``r <= t``: its norm too, if the point moves."""
    return where(r <= t, t, where(r <= -t, 0.0 * r, 0.5 * (r + t)))


@formula
def cone_norm(r, t):  # type: ignore[no-untyped-def]
    """Norm of the nearest point of the cone ``r <= t``."""
    return where(r <= t, r, cone_height(r, t))


def project_second_order_cone(v: Any, t: Any, *, axis: int = -1) -> tuple[Any, Any]:
    r"""Projection onto the second-order cone.

    .. math:: \operatorname{argmin}_{x, s} \tfrac12 \|x - v\|^2 + \tfrac12 (s - t)^2 \quad
        \text{subject to} \quad \|x\|_2 \le s

    which is (v, t) itself inside, zero if :math:`\|v\| \le -t`, and otherwise
    :math:`s = (\|v\| + t)/2`, :math:`x = s\, v / \|v\|`.

    Parameters
    ----------
    v : array_like, real or complex
        Point.
    t : float or array_like that broadcasts to the shape of the other axes
        Height.
    axis : int
        Axis along which the norm is taken, independently for every fibre.

    Returns
    -------
    x : array
        Same shape and dtype as ``v``.
    s : array
        The new height of every fibre.

    Raises
    ------
    ValueError
        If ``v`` or ``t`` is not finite.

    References
    ----------
    N. Parikh, S. Boyd (2014). Proximal algorithms, section 6.3. Found. Trends Optim. 1(3).

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_second_order_cone([3.0, 4.0], 1.0)
    (array([1.8, 2.4]), np.float64(3.0))
    """
    v = as_array(v)
    columns, batch, back = as_columns(v, axis_index(axis, v.ndim))
    xp = namespace(v)
    group = one_group(columns.shape[0])
    norms = group_norms(columns, group)
    if not bool(xp.all(xp.isfinite(norms))):
        raise ValueError("v must be finite, got NaN or infinity")
    checked = height_of(t, batch)
    heights = checked if is_numpy(t) else xp.broadcast_to(t, batch).reshape(-1)
    lengths = norms.reshape(-1) if group.count else xp.zeros_like(in_precision(checked, norms))
    if not is_numpy(v):
        heights = in_precision(heights, norms)
    raised = elementwise(cone_height, lengths, (heights,)).reshape(batch)
    kept = elementwise(cone_norm, lengths, (heights,))
    scale = kept / xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    x = back(apply_scale(columns, scale[None], group))
    if is_numpy(raised):
        raised = np.asarray(raised, np.abs(np.empty(0, v.dtype)).dtype)[()]
    return x, raised


def project_psd(v: Any) -> Any:
    r"""Projection onto the cone of positive semidefinite matrices.

    .. math:: \operatorname{argmin}_X \tfrac12 \|X - V\|_F^2 \quad \text{subject to} \quad
        X = X^{*} \succeq 0

    which drops the negative eigenvalues of the Hermitian part of V.

    Parameters
    ----------
    v : array_like, shape (..., n, n)
        One matrix or a stack of them, real or complex.

    Returns
    -------
    array
        Same shape and dtype as ``v``. The gradient of a tensor is NaN where eigenvalues are equal.

    Raises
    ------
    ValueError
        If ``v`` is not finite or its matrices are not square.

    References
    ----------
    N. J. Higham (1988). Computing a nearest symmetric positive semidefinite matrix. Linear
    Algebra Appl. 103.

    Examples
    --------
    >>> from sparseopt import prox
    >>> prox.project_psd([[2.0, 0.0], [0.0, -1.0]])
    array([[2., 0.],
           [0., 0.]])
    """
    v = as_matrices(v)
    if v.shape[-1] != v.shape[-2]:
        raise ValueError(f"v must hold square matrices, got shape {tuple(v.shape)}")
    xp = namespace(v)
    if not bool(xp.all(xp.isfinite(v))):
        raise ValueError("v must be finite, got NaN or infinity")
    if 0 in v.shape:
        return v * 1.0
    flipped = xp.moveaxis(v, -1, -2)
    turned = xp.conj(flipped) if xp.isdtype(v.dtype, "complex floating") else flipped
    values, vectors = xp.linalg.eigh(0.5 * v + 0.5 * turned)
    kept = xp.where(values > 0, values, xp.zeros_like(values))
    back = xp.moveaxis(vectors, -1, -2)
    back = xp.conj(back) if xp.isdtype(v.dtype, "complex floating") else back
    return (vectors * kept[..., None, :]) @ back
