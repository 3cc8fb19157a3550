"""The record of transport whose marginals are free at a price."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np

from ._costs import tiles
from ._entropic_result import EntropicResult
from ._result import _inner

Array = np.ndarray[Any, Any]


def wanted(masses: Array, potential: Array, rho: float) -> Array:
    r"""The marginal that a potential asks for, :math:`a e^{-f/\rho}`."""
    if math.isinf(rho):
        return masses
    with np.errstate(over="ignore"):
        rest = np.exp(-np.where(masses > 0.0, potential, 0.0) / rho)
        return masses * rest  # infinite where the potential is below all that exp can tell


def dual_term(masses: Array, potential: Array, rho: float) -> float:
    r"""What a potential adds to the dual: :math:`-\rho \sum_i a_i (e^{-f_i/\rho} - 1)`."""
    if math.isinf(rho):
        return float(masses @ potential)
    with np.errstate(over="ignore"):
        rest = np.expm1(-np.where(masses > 0.0, potential, 0.0) / rho)
        return float(-rho * (masses @ rest))


def divergence_term(sums: Array, masses: Array, rho: float) -> float:
    r"""The price of a marginal, :math:`\rho\, \mathrm{KL}(P1 \,|\, a)`."""
    from scipy.special import xlogy

    if math.isinf(rho):
        return 0.0
    alive = masses > 0.0
    x, y = sums[alive], masses[alive]
    return float(rho * (xlogy(x, x / y) - x + y).sum())


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class UnbalancedResult(EntropicResult):
    r"""What `unbalanced` found; see `TransportResult` for what is not listed.

    Attributes
    ----------
    rho : tuple of float
        The prices of both marginals.
    potentials : tuple of ndarray
        f and g, not normalised: unless both prices are infinite they are unique.
    plan : ndarray or csr_array
        :math:`P_{ij} = \exp((f_i + g_j - C_{ij})/\varepsilon)`; the marginals of a sparse plan are
        those of the dense one.
    transported : float
        The mass of the plan.
    cost, value : float
        :math:`\langle C, P\rangle` and the whole primal objective, after rows or columns with an
        infinite price were scaled to their masses.
    gap : float
        ``value - fun``, a bound on how far ``value`` is from the least one.
    bracket : tuple of float
        Bounds of the least objective without the entropic term.
    certificate, marginal_error : float
        The L1 distance of both marginals from :math:`a e^{-f/\rho_a}` and
        :math:`b e^{-g/\rho_b}`, relative to the mass these have.
    """

    rho: tuple[float, float] = (math.inf, math.inf)

    @property
    def _targets(self) -> tuple[Array, Array]:
        """A sparse plan keeps the marginals of the dense one."""
        return (self.a, self.b) if self._held else self._sums

    @property
    def _held(self) -> bool:
        """Whether both marginals are."""
        return math.isinf(self.rho[0]) and math.isinf(self.rho[1])

    @property
    def transported(self) -> float:
        """The mass of the plan."""
        return float(self._sums[0].sum())

    @property
    def _wanted(self) -> tuple[Array, Array]:
        (f, g), (rho_a, rho_b) = self.potentials, self.rho
        return wanted(self.a, f, rho_a), wanted(self.b, g, rho_b)

    @property
    def marginal_error(self) -> float:
        """The certificate, recomputed from the plan."""
        pairs = list(zip(self._sums, self._wanted, strict=True))
        scale = float(pairs[0][1].sum())
        return float(sum(np.abs(s - w).sum() for s, w in pairs) / (scale or 1.0))

    @property
    def relative_marginal_error(self) -> float:
        """The largest relative error of a single atom."""
        pairs = zip(self._sums, self._wanted, strict=True)
        return max(float((np.abs(s - w)[w > 0.0] / w[w > 0.0]).max(initial=0.0)) for s, w in pairs)

    @cached_property
    def _rounded(self) -> tuple[float, float]:
        rho_a, rho_b = self.rho
        if self._held:
            return super()._rounded
        rows, cols = self._sums
        x, y = np.ones(rows.size), np.ones(cols.size)
        if math.isinf(rho_a):
            np.divide(self.a, rows, out=x, where=rows > 0.0)
        if math.isinf(rho_b):
            np.divide(self.b, cols, out=y, where=cols > 0.0)
        rows, cols, cost, extra = np.empty(rows.size), np.zeros(cols.size), 0.0, 0.0
        for start, stop, C, P in self._tiles():
            P *= x[start:stop, None]
            P *= y
            rows[start:stop], cols = P.sum(axis=1), cols + P.sum(axis=0)
            cost += _inner(C, P)
            extra += self._regulariser(P)
        self.__dict__["_prices"] = divergence_term(rows, self.a, rho_a) + divergence_term(
            cols, self.b, rho_b
        )
        return cost, extra

    @property
    def _paid(self) -> float:
        """The price of both marginals of the rounded plan."""
        self._rounded  # noqa: B018
        return float(self.__dict__.get("_prices", 0.0))

    @cached_property
    def value(self) -> float:
        """The primal objective."""
        return sum(self._rounded) + self._paid

    @cached_property
    def value_kl(self) -> float:
        r"""The objective of this plan with :math:`a b^\top` as reference of the entropy.

        It has another minimiser, as the mass of the plan is free.
        """
        from scipy.special import xlogy

        rows, cols = self._sums
        cross = float(xlogy(rows, self.a).sum() + xlogy(cols, self.b).sum())
        return self.value + self.eps * (float(self.a.sum() * self.b.sum()) - cross)

    @cached_property
    def bracket(self) -> tuple[float, float]:
        """Lower and upper bound of the objective without the entropic term."""
        (rho_a, rho_b), g = self.rho, self.potentials[1]
        f = np.empty(self.a.size)
        for start, stop, C in tiles(self._cost):
            f[start:stop] = np.where(self.b > 0.0, C - g, np.inf).min(axis=1)
        f[self.a == 0.0] = 0.0
        lower = dual_term(self.a, f, rho_a) + dual_term(self.b, g, rho_b)
        return lower, self.cost + self._paid
