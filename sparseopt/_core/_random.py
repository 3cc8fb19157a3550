"""Random numbers: one rule for every ``rng`` argument (Scientific Python SPEC 7)."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


def as_rng(rng: Any) -> np.random.Generator:
    """A generator from ``None`` (fresh entropy), an integer seed or a generator."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, bool) or not isinstance(rng, numbers.Integral):
        raise TypeError(
            f"rng must be None, an integer or a numpy.random.Generator, got {type(rng).__name__}"
        )
    if rng < 0:
        raise ValueError(f"rng must be a non-negative seed, got {rng}")
    return np.random.default_rng(int(rng))
