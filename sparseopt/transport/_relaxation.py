"""How far to go beyond a sweep of Sinkhorn."""

from __future__ import annotations

import dataclasses
import math

EVERY = 10  # sweeps between two looks at the rate


@dataclasses.dataclass(frozen=True)
class Relaxation:
    r"""Over-relaxation of alternating updates, :math:`f \leftarrow f + \omega (f^+ - f)`.

    Near the solution the sweeps are Gauss-Seidel iterations of a two-block system. Their rate r
    gives the best factor :math:`\omega = 2 / (1 + \sqrt{1 - r})`; and where :math:`\omega` is
    below it, the rate :math:`\lambda` observed tells r by
    :math:`(\lambda + \omega - 1)^2 = \lambda \omega^2 r` (Young's relation). A dual objective that
    falls brings :math:`\omega` back half the way to 1.

    References
    ----------
    A. Thibault, L. Chizat, C. Dossal, N. Papadakis (2021). Overrelaxed Sinkhorn-Knopp algorithm
    for regularized optimal transport. Algorithms 14(5), arXiv 1711.01851.
    D. Young (1954). Iterative methods for solving partial difference equations of elliptic type.
    Trans. Amer. Math. Soc. 76(1).
    """

    factor: float = 1.0
    count: int = 0
    fun: float = -math.inf
    mark: float = math.inf

    def after(self, error: float, fun: float) -> Relaxation:
        """The factor for the next sweep."""
        factor, count, mark = self.factor, self.count + 1, self.mark
        if fun < self.fun - 1e-13 * abs(self.fun):
            return Relaxation(0.5 + 0.5 * factor, 0, fun, error)
        if count % EVERY == 0:
            # The first sweeps are not yet linear.
            rate = (error / mark) ** (1.0 / EVERY) if count > EVERY else 1.0
            if factor - 1.0 < rate < 1.0:
                slow = (rate + factor - 1.0) ** 2 / (rate * factor**2)
                if slow < 1.0:
                    factor = max(factor, 2.0 / (1.0 + math.sqrt(1.0 - slow)))
            mark = error
        return Relaxation(factor, count, fun, mark)
