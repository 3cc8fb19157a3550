"""Total variation of images and volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import Result, State, iterate, to_host
from .._core._validate import steps
from ._group_l2 import single
from ._inexact import default_tolerance, dual_start, like, nothing_to_do, on_numpy
from ._tv_anisotropic import Anisotropic
from ._tv_grid import Grid
from ._tv_isotropic import Isotropic


def tv2d(
    v: Any,
    lam: Any,
    isotropic: bool = True,
    *,
    weights: Any = None,
    spacing: Any = 1.0,
    channel_axis: int | None = None,
    step: float = 1.0,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
) -> Any:
    r"""Proximal operator of the total variation of an image, a volume, or any grid.

    .. math:: \operatorname{argmin}_x \tfrac12 \sum_i w_i (x_i - v_i)^2
        + \text{step} \sum_i \lambda_i \|(Dx)_i\|

    with forward differences D along every axis, zero at the far borders, and the Euclidean norm
    at each point (isotropic) or the sum of absolute values (anisotropic).

    The answer is the ``x`` of `solve_tv2d`, which takes the same arguments and also returns the
    dual point and the duality gap: this operator is computed by iteration, up to ``tol``.

    Parameters
    ----------
    v : array_like, real
        Image; every axis but ``channel_axis`` is an axis of the grid.
    lam : float or array_like that broadcasts to the grid
        Level, >= 0 and finite, of all differences at a point.
    isotropic : bool
        Which norm of the differences at a point.
    weights : float or array_like that broadcasts to the grid, optional
        Weights w of the squares, > 0 and finite. Default 1.
    spacing : float or array_like, shape (number of axes,)
        Distance of neighbours along each axis, > 0.
    channel_axis : int, optional
        The axis of the channels of a colour image. The isotropic norm is over the differences of
        all channels, so that edges coincide; the anisotropic one treats channels separately.
    step : float
        Step, > 0.
    x0 : Result or array_like, shape (number of axes, \*v.shape), optional
        Warm start: the result of `solve_tv2d` for a similar problem, or its dual point.
    tol : float, optional
        Bound on the relative duality gap; by default 1e-6, and 1e-4 for float32.
    max_iter : int
        Iteration budget.

    Returns
    -------
    array
        Same shape and dtype as ``v``.

    Raises
    ------
    ValueError
        If ``v`` is not finite, a level is negative or not finite, a weight, spacing or the step is
        not positive, or a shape does not fit.
    TypeError
        If ``v`` is complex or a torch tensor that requires a gradient.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best image is returned.

    Notes
    -----
    The distance to the exact solution is at most ``sqrt(2 * gap)``, in the weighted norm. When the
    operator is nested in a solver, pass a ``tol`` that decreases and the last result as ``x0``.

    References
    ----------
    A. Beck, M. Teboulle (2009). Fast gradient-based algorithms for constrained total variation
    image denoising and deblurring problems. IEEE Trans. Image Process. 18(11).
    A. Chambolle, T. Pock (2015). A remark on accelerated block coordinate descent for computing
    the proximity operators of a sum of convex functions. SMAI J. Comput. Math. 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import prox
    >>> image = np.zeros((6, 6))
    >>> image[:, 3:] = 1.0
    >>> prox.tv2d(image, 0.3)[0].round(3)
    array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9])
    """
    result = solve_tv2d(
        v,
        steps(single("step", step)) * _host(lam),
        isotropic,
        weights=weights,
        spacing=spacing,
        channel_axis=channel_axis,
        x0=x0,
        tol=tol,
        max_iter=max_iter,
    )
    return like(result.x, v)


def solve_tv2d(
    v: Any,
    lam: Any,
    isotropic: bool = True,
    *,
    weights: Any = None,
    spacing: Any = 1.0,
    channel_axis: int | None = None,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int = 10_000,
    callback: Callable[[State], object] | None = None,
    progress: bool = False,
) -> Result:
    r"""Total variation denoising with its certificate: `tv2d` as a `Result`.

    The isotropic problem is solved by accelerated projected gradient on the dual, ten iterations
    between two looks at the gap; the anisotropic one by exact one-dimensional solutions along
    the axes with accelerated block splitting, which needs far fewer but dearer iterations.

    Parameters
    ----------
    v, lam, isotropic, weights, spacing, channel_axis, x0, tol, max_iter
        As in `tv2d`; NumPy only.
    callback : callable, optional
        Called with the state (``x``, ``fun``, ``certificate``, ``nit``, ``time``) after each look
        at the gap; raising ``StopIteration`` ends the run.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        ``certificate`` is the duality gap divided by the objective of the best constant image,
        for the best pair seen. ``dual`` has shape (number of axes, \*v.shape), and
        ``x = v - D^T dual / w``.

    Raises
    ------
    ValueError, TypeError
        As `tv2d`.

    Warns
    -----
    ConvergenceWarning
        If the gap does not reach ``tol``; the best image is returned.

    References
    ----------
    A. Beck, M. Teboulle (2009). Fast gradient-based algorithms for constrained total variation
    image denoising and deblurring problems. IEEE Trans. Image Process. 18(11).

    Examples
    --------
    >>> import numpy as np
    >>> from sparseopt import prox
    >>> image = np.random.default_rng(0).standard_normal((20, 30))
    >>> result = prox.solve_tv2d(image, 0.5)
    >>> result.certificate <= 1e-6
    True
    >>> again = prox.solve_tv2d(image, 0.51, x0=result)
    >>> again.nit < result.nit
    True
    """
    problem = Grid(on_numpy(v), _host(lam), weights, spacing, channel_axis)
    u = dual_start(x0, problem.dual_shape)
    kind = Isotropic if isotropic else Anisotropic
    if problem.y.size == 0:
        return nothing_to_do(problem.shape, problem.dual_shape, problem.dtype, kind.label)
    method: Any = kind(problem, max_iter)
    run = iterate(
        method.first(None if u is None else problem.dual_inside(u)),
        method.step,
        tol=default_tolerance(tol, problem.dtype),
        max_iter=max_iter,
        certificate="relative duality gap",
        callback=callback,
        progress=progress,
        label="tv",
    )
    dual = problem.dual_answer(method.dual(run.state))
    return Result(**run.fields(method.label), dual=dual)


def _host(lam: Any) -> Any:
    return to_host(lam) if np.ndim(lam) else lam
