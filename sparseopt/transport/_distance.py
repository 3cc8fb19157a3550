"""What a Wasserstein distance adds to the record of a transport problem."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class WassersteinParts:
    """The distance of a result whose costs are distances to some power."""

    power: float = 1.0

    @property
    def distance(self) -> float:
        r""":math:`W_p = \langle C, \hat P\rangle^{1/p}`."""
        return self._root(self.cost)  # type: ignore[attr-defined]

    @property
    def distance_bracket(self) -> tuple[float, float]:
        """Lower and upper bound of the distance, from those of the transport cost."""
        low, high = self.bracket  # type: ignore[attr-defined]
        return self._root(low), self._root(high)

    def _root(self, cost: float) -> float:
        return float(max(cost, 0.0) ** (1.0 / self.power))
