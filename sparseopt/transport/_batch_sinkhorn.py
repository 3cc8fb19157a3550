"""Sinkhorn's algorithm on many pairs of marginals at once: products of matrices, one kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._gibbs import DenseGibbs, Gibbs
from ._problem import Problem

Array = np.ndarray[Any, Any]

CHUNK = 10  # sweeps between two tests
PATIENCE = 500  # sweeps that are cheaper than the Newton steps of one member alone
LARGE = 1e100  # a factor beyond it, or below its inverse, may meet entries that have underflowed


class SharedSweeps:
    r"""Members :math:`P_k = \operatorname{diag}(u_k) K \operatorname{diag}(v_k)` of one kernel.

    K is the kernel of the mean of the marginals after a few sweeps, so that factors stay moderate
    where members do not differ much. A member leaves ``active`` when its error is at most ``tol``
    (it goes to ``settled``) or when it is better solved alone: its factors have grown too large, or
    its pace promises more sweeps than a Newton method would cost.

    Attributes
    ----------
    active : ndarray of int
        Members that are still swept.
    settled : list of int
        Members that left with a small error.
    f, g : ndarray, shapes (n, nb) and (m, nb)
        Potentials of the reduced problem, as of the last chunk.
    errors, funs : ndarray, shape (nb,)
        Marginal errors relative to the mass, and dual objectives.
    """

    def __init__(
        self, problem: Problem, eps: float, A: Array, B: Array, G: Array | None, tol: float
    ) -> None:
        self.eps, self.tol = eps, tol
        self.A, self.B, self.mass = A, B, A.sum(axis=0)
        common = np.zeros(problem.b.size) if G is None else G.mean(axis=1)
        kernel: Gibbs = DenseGibbs(problem, eps, np.zeros(problem.a.size), common)
        if G is None:
            for _ in range(CHUNK):
                kernel = kernel.sweep()
        if not isinstance(kernel, DenseGibbs):
            kernel = DenseGibbs(problem, eps, *kernel.potentials())
        kernel.absorb()
        self.K: Array = kernel.P
        self.f0, self.g0 = kernel.f, kernel.g
        nb = A.shape[1]
        self.f = np.repeat(self.f0[:, None], nb, axis=1)
        self.g = np.repeat(self.g0[:, None], nb, axis=1)
        self.errors, self.funs = np.full(nb, math.inf), np.zeros(nb)
        self.active, self.settled = np.arange(nb), list[int]()
        with np.errstate(over="ignore"):
            V = np.ones(B.shape) if G is None else np.exp((G - self.g0[:, None]) / eps)
        self._enter(V if G is None else np.where(B > 0.0, V, 0.0))
        self.advance(1)

    def _enter(self, V: Array) -> None:
        self.V = V
        with np.errstate(invalid="ignore", over="ignore"):
            self.product = self.K @ V

    def advance(self, sweeps: int) -> None:
        """Sweep the active members, measure them and let go those that are done."""
        members = self.active
        if not members.size:
            return
        A, B = self.A[:, members], self.B[:, members]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
            for _ in range(sweeps):
                U = np.where(A > 0.0, A / self.product, 0.0)
                self.V = np.where(B > 0.0, B / (self.K.T @ U), 0.0)
                self.product = self.K @ self.V
            rows = U * self.product
            errors = np.abs(rows - A).sum(axis=0) / self.mass[members]
            pace = (errors / self.errors[members]) ** (1.0 / sweeps)
        sane = self._moderate(U, A) & self._moderate(self.V, B) & np.isfinite(errors)
        self._write(members[sane], U[:, sane], rows[:, sane], errors[sane])
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.log(self.tol / errors) / np.log(pace)
        done = sane & (errors <= self.tol)
        hopeless = np.isfinite(pace) & (pace > 0.0) & ~((pace < 1.0) & (left <= PATIENCE))
        stay = sane & ~done & ~hopeless
        self.settled += members[done].tolist()
        self.active = members[stay]
        self._enter(self.V[:, stay]) if not stay.all() else None

    def _write(self, members: Array, U: Array, rows: Array, errors: Array) -> None:
        """Potentials and objectives; atoms without mass keep the common potentials."""
        V = self.V[:, np.isin(self.active, members)]
        with np.errstate(divide="ignore"):
            f = np.where(U > 0.0, self.f0[:, None] + self.eps * np.log(U), self.f0[:, None])
            g = np.where(V > 0.0, self.g0[:, None] + self.eps * np.log(V), self.g0[:, None])
        self.f[:, members], self.g[:, members] = f, g
        linear = np.einsum("ik,ik->k", self.A[:, members], f)
        linear += np.einsum("jk,jk->k", self.B[:, members], g)
        self.funs[members] = linear - self.eps * rows.sum(axis=0)
        self.errors[members] = errors

    @staticmethod
    def _moderate(U: Array, A: Array) -> Array:
        """Members whose factors, where there is mass, are neither huge nor tiny nor NaN."""
        found: Array = np.all((A == 0.0) | ((U < LARGE) & (U > 1.0 / LARGE)), axis=0)
        return found
