"""The record of an entropic transport problem, and what its solvers carry along."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from .._core import State
from ._result import TransportResult

Array = np.ndarray[Any, Any]

SINKHORN, NEWTON = 0.0, 1.0  # phases in the history
DOUBTS = 3  # times that the error of all entries may contradict that of the kept ones
NO_DIGITS = "the potentials divided by eps have no more digits"


@dataclasses.dataclass(eq=False, kw_only=True)
class EntropicState(State):
    """Potentials of the reduced problem; ``x`` is the pair, ``fun`` the dual objective F."""

    f: Array
    g: Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EntropicResult(TransportResult):
    r"""What `entropic` found; see `TransportResult` for what it shares with other problems.

    .. math:: P_{ij} = \exp((f_i + g_j - C_{ij}) / \varepsilon)

    Attributes
    ----------
    eps : float
        The entropic strength.
    value_kl : float
        The primal objective in the form with a reference measure,
        :math:`\langle C, P\rangle + \varepsilon\, \mathrm{KL}(P \,|\, a b^\top)` for masses of
        total 1.
    history : dict
        Beside ``fun``, ``certificate`` and ``time``: ``phase`` (0 for sweeps of Sinkhorn, 1 for
        Newton steps) and ``eps`` (the strength of the stage) after each step; with a path of
        strengths also ``error``, the marginal error at that strength, and with several sweeps in
        a step ``nit``. `sparseopt.plots.transport_history` draws it.
    """

    eps: float = 0.0

    def _entries(self, start: int, stop: int, C: Array) -> Array:
        f, g = self._duals
        P = np.subtract(g, C)
        P += f[start:stop, None]
        with np.errstate(over="ignore"):
            P *= 1.0 / self.eps  # as in the solvers
            return np.exp(P, out=P)

    def _regulariser(self, P: Array) -> float:
        from scipy.special import xlogy

        return self.eps * float(xlogy(P, P).sum() - P.sum())

    @cached_property
    def value_kl(self) -> float:
        """The primal objective with the product of the masses as reference measure."""
        from scipy.special import xlogy

        mass = float(self.a.sum())
        entropies = float(xlogy(self.a, self.a).sum() + xlogy(self.b, self.b).sum())
        return self.value + self.eps * (mass - entropies)
