"""The record of a regression."""

from __future__ import annotations

import dataclasses
from typing import Any

from .._core import Result


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fit(Result):
    """A `Result` of a regression on ``A``, with the constant beside ``A x``.

    Attributes
    ----------
    intercept : float
        The unpenalised constant; 0 where none was asked for.
    """

    intercept: Any = 0.0
