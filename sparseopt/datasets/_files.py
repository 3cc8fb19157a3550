"""Real data, found through the environment variable ``SPARSEOPT_DATA``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .._core._validate import choice

Array = np.ndarray[Any, Any]

FILES = {
    "basehock": "basehock",
    "colon": "colon_discrete",
    "leukemia": "leukemia_allaml",
    "leukemia_discrete": "leukemia_discrete",
    "pcmac": "pcmac",
    "relathe": "relathe",
    "riboflavin": "riboflavin",
}


def load_regression(name: str, *, prepared: bool = True, labels: bool = False) -> tuple[Any, Array]:
    """A real design and its data, from the folder ``regression`` of ``SPARSEOPT_DATA``.

    Gene expressions (``"riboflavin"``, 71 x 4088, ``"leukemia"``, 72 x 7129, and the discretised
    ``"leukemia_discrete"``, 72 x 7070, ``"colon"``, 62 x 2000) are dense; word counts
    (``"basehock"``, 1993 x 4862, ``"pcmac"``, 1943 x 3289, ``"relathe"``, 1427 x 4322) are sparse.
    The data are two classes but for riboflavin, which measures a production rate.

    Parameters
    ----------
    name : str
        One of the names above.
    prepared : bool
        Dense: centre the columns and scale them to a mean square of one, and ``y`` likewise.
        Sparse: take ``log(1 + count)``, scale the columns alike without centring, leave ``y``.
        Columns that are constant (zero, if sparse) become or stay zero. If false, everything is
        as in the file.
    labels : bool
        Leave ``y`` as the classes -1 and 1 in any case, for classification.

    Returns
    -------
    A : ndarray, Fortran-ordered, or scipy.sparse.csc_array, shape (m, n)
        The design, float64.
    y : ndarray, shape (m,)
        The data, float64.

    Raises
    ------
    FileNotFoundError
        If ``SPARSEOPT_DATA`` is not set, or does not lead to the file.
    ValueError
        If the name is unknown, or ``labels`` is asked of riboflavin.

    Examples
    --------
    >>> from sparseopt.datasets import load_regression
    >>> A, y = load_regression("riboflavin")  # doctest: +SKIP
    >>> A.shape  # doctest: +SKIP
    (71, 4088)
    """
    stem = FILES[choice("name", name, FILES)]
    if labels and name == "riboflavin":
        raise ValueError("labels must be false for riboflavin, whose data are not classes")
    with np.load(_find(f"regression/{stem}.npz")) as file:
        y = file["y"].astype(np.float64)
        if "X" in file:
            A = np.asfortranarray(file["X"], np.float64)
            if not prepared:
                return A, y
            return _standardise(A), y if labels else _standardise(y)
        from scipy.sparse import csr_array

        parts = (file["data"].astype(np.float64), file["indices"].astype(np.int32), file["indptr"])
        words = csr_array(parts, shape=tuple(file["shape"])).tocsc()
    if prepared:
        np.log1p(words.data, out=words.data)
        square = np.asarray(words.power(2).mean(axis=0)).ravel()
        scale = np.sqrt(np.where(square > 0, square, 1.0))
        words.data /= np.repeat(scale, np.diff(words.indptr))
    return words, y


def _standardise(values: Array) -> Array:
    """Columns of mean zero and mean square one; constant columns become zero."""
    spread = np.ptp(values, axis=0)
    centred = values - values.mean(axis=0)
    scale = np.sqrt(np.mean(centred**2, axis=0))
    return np.where(spread > 0, centred / np.where(spread > 0, scale, 1.0), 0.0)


def _find(path: str) -> Path:
    root = os.environ.get("SPARSEOPT_DATA")
    if not root:
        raise FileNotFoundError(
            "set the environment variable SPARSEOPT_DATA to the folder of the data sets: "
            f"it is not set, and {path} is looked for there"
        )
    file = Path(root) / path
    if not file.is_file():
        raise FileNotFoundError(f"SPARSEOPT_DATA is {root!r}, but there is no file {file}")
    return file
