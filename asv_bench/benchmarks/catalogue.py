"""The larger operators of the catalogue: total variation, group envelope, SLOPE."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from sparseopt import prox

from ._timing import ratio


def _peer(name: str) -> Any:
    """An optional package, or a skipped benchmark."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotImplementedError(f"{name} is not installed") from None


class Elementwise:
    """Ten million float64 through formulas without transcendentals, against a copy."""

    number = 1
    params = ("l1", "elastic_net", "l0", "mcp", "scad", "capped_l1", "huber", "project_box")

    def setup(self, name: str) -> None:
        self.v = np.random.default_rng(0).standard_normal(10_000_000)
        self.out = np.empty_like(self.v)
        extra = {
            "elastic_net": (0.5, 0.5),
            "mcp": (0.5, 3.0),
            "scad": (0.5, 3.7),
            "capped_l1": (0.5, 1.0),
            "project_box": (-1.0, 1.0),
        }
        self.parameters = extra.get(name, (0.5,))

    def track_ratio_copy(self, name: str) -> float:
        function = getattr(prox, name)
        return ratio(
            lambda: function(self.v, *self.parameters, out=self.out),
            lambda: np.copyto(self.out, self.v),
            repeat=9,
        )

    track_ratio_copy.unit = "ratio"


class TV1D:
    """Total variation in one dimension: noisy steps, and the ramp that ruins Condat's method."""

    number = 1

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        steps = np.repeat(rng.standard_normal(1000), 1000)
        self.v = steps + 0.3 * rng.standard_normal(steps.size)
        self.ramp = np.arange(40_000, dtype=float)
        prox.tv1d(self.v, 1.0)

    def time_million(self) -> None:
        prox.tv1d(self.v, 1.0)

    def time_ramp(self) -> None:
        prox.tv1d(self.ramp, 4000.0)


class TV2D:
    """Isotropic total variation of a 512 x 512 image, at the peers' duality gap."""

    number = 1
    timeout = 600

    def setup(self) -> None:
        self.restoration = _peer("skimage.restoration")
        import pywt

        image = pywt.data.camera() / 255.0
        self.v = image + 0.1 * np.random.default_rng(0).standard_normal(image.shape)
        self.lam = 0.1

    def energy(self, x: np.ndarray) -> float:
        down = np.diff(x, axis=0, append=x[-1:])
        right = np.diff(x, axis=1, append=x[:, -1:])
        return float(0.5 * np.sum((x - self.v) ** 2) + self.lam * np.sum(np.hypot(down, right)))

    def ours_at(self, energy: float) -> float:
        """The loosest tolerance, on a grid, at which we are at least as good."""
        for tol in 10.0 ** -np.arange(2.0, 8.0, 0.25):
            if self.energy(prox.tv2d(self.v, self.lam, tol=tol)) <= energy:
                return float(tol)
        raise RuntimeError("no tolerance reaches the peer")

    def compare(self, peer: Any) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tol = self.ours_at(self.energy(np.asarray(peer()).reshape(self.v.shape)))
            return ratio(lambda: prox.tv2d(self.v, self.lam, tol=tol), peer, repeat=3)

    def track_ratio_skimage(self) -> float:
        return self.compare(
            lambda: self.restoration.denoise_tv_chambolle(
                self.v, weight=self.lam, eps=0.0, max_num_iter=200
            )
        )

    def track_ratio_pyproximal(self) -> float:
        pyproximal = _peer("pyproximal")
        peer = pyproximal.TV(self.v.shape, sigma=self.lam, niter=50, rtol=0.0)
        return self.compare(lambda: peer.prox(self.v.ravel(), 1.0))

    track_ratio_skimage.unit = track_ratio_pyproximal.unit = "ratio"


class GroupEnvelope:
    """A million groups of one."""

    number = 1

    def setup(self) -> None:
        self.v = np.random.default_rng(0).standard_normal(1_000_000)
        self.groups = np.arange(self.v.size)
        prox.group_envelope(self.v, 0.5, self.groups, 100_000)

    def time_group_envelope(self) -> None:
        prox.group_envelope(self.v, 0.5, self.groups, 100_000)


class Slope:
    """A million coordinates with linearly falling levels."""

    number = 1

    def setup(self) -> None:
        self.v = np.random.default_rng(0).standard_normal(1_000_000)
        self.lam = np.linspace(1.0, 0.1, self.v.size)
        prox.slope(self.v, self.lam)

    def time_slope(self) -> None:
        prox.slope(self.v, self.lam)
