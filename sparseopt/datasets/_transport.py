"""Problems of optimal transport: two clouds, random assignment, a pair of digit images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._core import as_rng
from .._core._validate import choice, integer, parameter

Array = np.ndarray[Any, Any]

BLOCK = 1 << 20  # costs that are looked at together


class Transport(NamedTuple):
    """A cost ``C``, the marginals ``a`` and ``b``, and the points ``x`` and ``y``, or None."""

    C: Any
    a: Array
    b: Array
    x: Array | None = None
    y: Array | None = None


def transport_clouds(
    n: int, d: int = 5, m: int | None = None, *, lazy: bool = False, rng: Any = 0
) -> Transport:
    r"""Two clouds of points with uniform weights.

    The rows of x are standard normal. So are those of y, before 2 is added to every coordinate of
    the first ``m // 2`` of them and the others are halved.

    .. math:: C_{ij} = \|x_i - y_j\|^2 / \max_{kl} \|x_k - y_l\|^2

    Parameters
    ----------
    n : int
        Number of points of the first cloud.
    d : int
        Dimension of the points.
    m : int, optional
        Number of points of the second cloud; by default n.
    lazy : bool
        Give C as a `sparseopt.transport.PointCost`, for more points than a matrix has room for.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    Transport
        ``C`` (n, m), ``a`` (n,), ``b`` (m,), ``x`` (n, d) and ``y`` (m, d), float64.

    Raises
    ------
    ValueError, TypeError
        If a size is not a positive integer, or ``rng`` is none of the above.

    Examples
    --------
    >>> from sparseopt.datasets import transport_clouds
    >>> C, a, b, x, y = transport_clouds(4, m=6)
    >>> C.shape, x.shape, y.shape
    ((4, 6), (4, 5), (6, 5))
    """
    from scipy.spatial.distance import cdist

    n, d = integer("n", n, 1), integer("d", d, 1)
    m = n if m is None else integer("m", m, 1)
    rng = as_rng(rng)
    x = rng.standard_normal((n, d))
    y = rng.standard_normal((m, d))
    y[: m // 2] += 2.0
    y[m // 2 :] *= 0.5
    masses = np.full(n, 1.0 / n), np.full(m, 1.0 / m)
    if lazy:
        return Transport(_point_cost(x, y), *masses, x, y)
    C = cdist(x, y, "sqeuclidean")
    C /= C.max()
    return Transport(C, *masses, x, y)


def _point_cost(x: Array, y: Array) -> Any:
    """The squared Euclidean cost, divided by its maximum, without its matrix."""
    from ..transport import PointCost

    cost = PointCost(x, y)
    height = max(1, BLOCK // len(y))
    largest = max(cost.tile(i, i + height).max() for i in range(0, len(x), height))
    return PointCost(x, y, scale=1.0 / largest)


def transport_assignment(n: int, *, rng: Any = 0) -> Transport:
    """Random linear assignment: costs uniform on [0, 1), uniform weights.

    Parameters
    ----------
    n : int
        Number of atoms on each side.
    rng : None, int or numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    Transport
        ``C`` (n, n), ``a`` (n,) and ``b`` (n,), float64; ``x`` and ``y`` are None.

    Raises
    ------
    ValueError, TypeError
        If ``n`` is not a positive integer, or ``rng`` is none of the above.

    References
    ----------
    X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying (2024).
    Accelerating Sinkhorn algorithm with sparse Newton iterations. ICLR, arXiv 2401.12253. Its first
    experiment is of this kind, with n = 500.

    Examples
    --------
    >>> from sparseopt.datasets import transport_assignment
    >>> transport_assignment(3).a
    array([0.33333333, 0.33333333, 0.33333333])
    """
    n = integer("n", n, 1)
    C = as_rng(rng).random((n, n))
    return Transport(C, np.full(n, 1.0 / n), np.full(n, 1.0 / n))


def transport_digits(
    size: int = 28,
    pair: tuple[int, int] = (0, 1),
    power: int = 2,
    *,
    pedestal: float = 0.01,
) -> Transport:
    r"""Two images of handwritten digits as masses on the pixels of a square grid.

    The 8 x 8 images of `sklearn.datasets.load_digits` are interpolated linearly to ``size`` x
    ``size`` pixels, corner to corner, and divided by the largest possible grey level. Then the
    pedestal is added, and each image is divided by its sum. Between pixels x and y

    .. math:: C = \sum_k |x_k - y_k|^p / \max \sum_k |x_k - y_k|^p

    with p the ``power``.

    Parameters
    ----------
    size : int
        Pixels along an edge, at least 2.
    pair : tuple of int
        Which two images. The first ten are the digits 0 to 9.
    power : {1, 2}
        1 for the L1 distance, 2 for the squared Euclidean one.
    pedestal : float
        What is added to every pixel, white being 1. With 0, dark pixels have no mass.

    Returns
    -------
    Transport
        ``C`` (size^2, size^2), ``a`` and ``b`` (size^2,), and the pixels ``x`` and ``y``, the same
        array of shape (size^2, 2): row and column, in the order of a raveled image. Float64.

    Raises
    ------
    ImportError
        Without scikit-learn.
    ValueError, TypeError
        If an argument is out of range, or an image is left without mass.

    Examples
    --------
    >>> from sparseopt.datasets import transport_digits
    >>> C, a, b, x, y = transport_digits(8)  # doctest: +SKIP
    >>> C.shape, a.reshape(8, 8).argmax(axis=1)  # doctest: +SKIP
    ((64, 64), array([3, 3, 2, 2, 5, 5, 2, 3]))
    """
    from scipy.ndimage import zoom
    from scipy.spatial.distance import cdist

    size = integer("size", size, 2)
    metric = {1: "cityblock", 2: "sqeuclidean"}[choice("power", power, (1, 2))]
    pedestal = float(parameter("pedestal", pedestal, finite=True))
    images = _digit_images()
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"pair must be two indices of images, got {pair!r}")
    masses = []
    for index in pair:
        image = images[integer("pair", index, 0, len(images) - 1)]
        mass = zoom(image / 16.0, size / 8.0, order=1).ravel() + pedestal
        if not mass.any():
            raise ValueError(f"pedestal must be positive: image {index} has no mass at size {size}")
        masses.append(mass / mass.sum())
    x = np.indices((size, size), np.float64).reshape(2, -1).T.copy()
    C = cdist(x, x, metric)
    C /= C.max()
    return Transport(C, masses[0], masses[1], x, x)


def _digit_images() -> Array:
    """The 1797 images of 8 x 8 pixels with grey levels 0 to 16."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "transport_digits needs scikit-learn; install it with: pip install 'sparseopt[sklearn]'"
        ) from error
    return load_digits().images
