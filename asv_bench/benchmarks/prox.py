"""Operators on large arrays."""

from __future__ import annotations

import numpy as np

from sparseopt import prox

from ._timing import ratio


class L1:
    """Soft thresholding of ten million float64, into a given array."""

    number = 1

    def setup(self) -> None:
        self.v = np.random.default_rng(0).standard_normal(10_000_000)
        self.out = np.empty_like(self.v)
        self.ours()

    def ours(self) -> None:
        prox.l1(self.v, 0.5, out=self.out)

    def copy(self) -> None:
        np.copyto(self.out, self.v)

    def plain_numpy(self) -> None:
        np.multiply(np.sign(self.v), np.maximum(np.abs(self.v) - 0.5, 0.0), out=self.out)

    def time_l1(self) -> None:
        self.ours()

    def track_ratio_copy(self) -> float:
        return ratio(self.ours, self.copy)

    def track_ratio_numpy(self) -> float:
        return ratio(self.ours, self.plain_numpy, repeat=7)

    track_ratio_copy.unit = "ratio"
    track_ratio_numpy.unit = "ratio"


class L1PyProximal(L1):
    """The same against pyproximal."""

    time_l1 = track_ratio_copy = track_ratio_numpy = None

    def setup(self) -> None:
        try:
            import pyproximal
        except ImportError:
            raise NotImplementedError("pyproximal is not installed") from None
        super().setup()
        self.peer = pyproximal.L1(sigma=0.5)

    def track_ratio_pyproximal(self) -> float:
        return ratio(self.ours, lambda: self.peer.prox(self.v, 1.0), repeat=7)

    track_ratio_pyproximal.unit = "ratio"


def sorted_simplex(v: np.ndarray) -> np.ndarray:
    """The textbook projection onto the simplex, by sorting."""
    u = np.sort(v)[::-1]
    excess = np.cumsum(u) - 1.0
    last = np.flatnonzero(u * np.arange(1, u.size + 1) > excess)[-1]
    return np.maximum(v - excess[last] / (last + 1), 0.0)


class Simplex:
    """Projection of one million float64 onto the simplex."""

    number = 1

    def setup(self) -> None:
        self.v = np.random.default_rng(0).standard_normal(1_000_000)
        np.testing.assert_allclose(prox.project_simplex(self.v), sorted_simplex(self.v), atol=1e-12)

    def time_simplex(self) -> None:
        prox.project_simplex(self.v)

    def track_ratio_sort(self) -> float:
        return ratio(lambda: prox.project_simplex(self.v), lambda: sorted_simplex(self.v))

    track_ratio_sort.unit = "ratio"
