"""Entropic transport with linear constraints on the plan: the front and its record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .._core._validate import choice, finite_array, positive
from ._constrained_newton import ConstrainedState, solve_constrained
from ._costs import MatrixCost
from ._entropic_result import EntropicResult
from ._problem import Problem, check_problem
from ._result import problem_fields

Array = np.ndarray[Any, Any]

_RELATIONS = (">=", "<=", "==")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ConstrainedResult(EntropicResult):
    r"""What `constrained` found; see there for the problem and its dual.

    With :math:`E_q = D_q - d_q / \sum_i a_i` for ``">="`` and ``"=="`` and minus that for
    ``"<="``, every constraint reads :math:`\langle E_q, P\rangle \ge 0` or :math:`= 0`.

    Attributes
    ----------
    multipliers : ndarray, shape (K,)
        The dual variables w of the constraints: the plan is that of the costs
        :math:`C - \sum_q w_q E_q`.
    slacks : ndarray, shape (K,)
        :math:`\langle E_q, P\rangle`.
    constraint_residuals : ndarray, shape (K,)
        :math:`|\langle E_q, P\rangle - s_q| / (\sum_i a_i \max |E_q|)` with
        :math:`s_q = e^{-w_q / \varepsilon}` for inequalities and 0 for equalities.
    certificate : float
        Marginal error plus the sum of these residuals.
    value : float
        The primal objective, slack entropies included, of the plan moved to exact marginals, which
        meets the constraints up to the residuals only.
    gap : float
        ``value - fun``, with what that plan violates charged at the multipliers: not negative but
        for rounding.
    bracket : tuple of float
        A lower bound of the unregularised constrained cost, and ``cost``, which is an upper one up
        to the residuals.
    """

    multipliers: Any = None
    at_least: Any = None

    @property
    def _tilts(self) -> Array:
        return self.problem["tilts"]

    def _tilted(self, w: Array, start: int, stop: int, C: Array) -> Array:
        """Costs less what the multipliers give back."""
        return C - np.tensordot(w, self._tilts[:, start:stop], 1)

    def _entries(self, start: int, stop: int, C: Array) -> Array:
        return super()._entries(start, stop, self._tilted(self.multipliers, start, stop, C))

    @cached_property
    def slacks(self) -> Array:
        r""":math:`\langle E_q, P\rangle`, at least zero where a constraint is fulfilled."""
        total = np.zeros(len(self._tilts))
        for start, stop, _, P in self._tiles():
            total += np.tensordot(self._tilts[:, start:stop], P, 2)
        return total

    @cached_property
    def constraint_residuals(self) -> Array:
        """How far each constraint is from what its multiplier says, relative."""
        wanted = np.where(self.at_least, np.exp(-self.multipliers / self.eps), 0.0)
        sizes = float(self.a.sum()) * np.abs(self._tilts).max(axis=(1, 2))
        residuals: Array = np.abs(self.slacks - wanted) / sizes
        return residuals

    @cached_property
    def _feasible(self) -> tuple[float, float, float]:
        """Cost and regulariser at exact marginals, and the price of what is violated there."""
        from scipy.special import xlogy

        P = self.sparse_plan(0.0).tocoo()
        C = self._cost.tile(0, P.shape[0])[P.row, P.col]
        inner = np.array([E[P.row, P.col] @ P.data for E in self._tilts])
        slacks = np.where(self.at_least, np.maximum(inner, 0.0), 0.0)
        entropies = self._regulariser(P.data) + self.eps * float(
            (xlogy(slacks, slacks) - slacks).sum()
        )
        return float(C @ P.data), entropies, float(self.multipliers @ (slacks - inner))

    @cached_property
    def _rounded(self) -> tuple[float, float]:
        return self._feasible[:2]

    @cached_property
    def gap(self) -> float:
        """Duality gap of the regularised problem."""
        return self.value + self._feasible[2] - self.fun

    @cached_property
    def bracket(self) -> tuple[float, float]:
        """Bounds of the unregularised constrained cost, the upper one up to the residuals."""
        g = self._duals[1]
        w = np.where(self.at_least, np.maximum(self.multipliers, 0.0), self.multipliers)
        lower = float(self.b @ g) + self._shift * float(self.a.sum())
        for start, stop, C, _ in self._tiles():
            C = self._tilted(w, start, stop, C)
            least = np.where(self.b > 0.0, C - g, np.inf).min(axis=1)
            lower += float(self.a[start:stop] @ np.where(self.a[start:stop] > 0.0, least, 0.0))
        return lower, self.cost


def constrained(
    C: Any,
    a: Any,
    b: Any,
    eps: float,
    constraints: Sequence[Any],
    *,
    x0: Any = None,
    tol: float = 1e-9,
    max_iter: int = 1000,
    sparse: bool = False,
    callback: Callable[[ConstrainedState], object] | None = None,
    progress: bool = False,
) -> ConstrainedResult:
    r"""Entropic transport under linear inequalities and equalities of the plan (experimental).

    .. math::
        \min_{P \ge 0, s \ge 0} \langle C, P\rangle + \varepsilon \sum_{ij} P_{ij}(\log P_{ij} - 1)
        + \varepsilon \sum_{q} s_q (\log s_q - 1) \quad \text{with } P1 = a,\ P^\top 1 = b,\
        \langle D_q, P\rangle - d_q = s_q \text{ or } 0

    The slacks of inequalities get an entropy of their own, so that the dual is smooth, with

    .. math:: P_{ij} = \exp\bigl((f_i + g_j - C_{ij} + \textstyle\sum_q w_q E_{q,ij}) /
        \varepsilon\bigr), \qquad s_q = \exp(-w_q / \varepsilon)

    and :math:`E_q = \pm(D_q - d_q / \sum_i a_i)`. It is climbed by exact steps on f and g and
    Newton steps on w, then by Newton steps on all with a thinned-out plan, along a path of falling
    strengths. Slacks are in the units of D: scaling a constraint changes the weight of its entropy.

    This function is experimental: its interface may change.

    Parameters
    ----------
    C : array_like, shape (n, m), or PointCost
        Costs; infinite entries forbid a pair.
    a, b : array_like, shapes (n,) and (m,), or None
        Nonnegative masses of equal total; None is uniform with total 1.
    eps : float
        The strength, in the units of the cost.
    constraints : list of tuple
        ``(D, relation)`` or ``(D, relation, d)``: D a matrix of shape (n, m), the relation
        ``">="``, ``"<="`` or ``"=="``, d a number, by default 0.
    x0 : ConstrainedResult, EntropicResult, pair of ndarray, or ndarray of shape (m,), optional
        Warm start: a result, potentials (f, g), or g alone; multipliers start at zero where they
        are not given.
    tol : float
        Bound for the certificate: the marginal error relative to the mass, plus the residuals of
        the constraints relative to the mass times the largest entry.
    max_iter : int
        Budget of sweeps and Newton steps together.
    sparse : bool
        Make ``plan`` a CSR array with exact marginals.
    callback : callable, optional
        Called with the state after each step; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.

    Returns
    -------
    ConstrainedResult
        With ``multipliers``, ``slacks`` and ``constraint_residuals``.

    Raises
    ------
    ValueError, TypeError
        For bad costs, masses or strengths as in `entropic`, for a constraint that is malformed,
        not finite or the same for all plans, and if the constraints are infeasible: no plan has an
        objective as large as a dual value that was found.

    Warns
    -----
    ConvergenceWarning
        If the certificate stayed above ``tol``; constraints that are infeasible by little, or that
        inequalities can meet only with equality, may end like this.

    References
    ----------
    X. Tang, H. Rahmanian, M. Shavlovsky, K. K. Thekumparampil, T. Xiao, L. Ying (2024). A
    Sinkhorn-type algorithm for constrained optimal transport. arXiv 2403.05054.

    Examples
    --------
    At most a tenth of the mass may stay where it is.

    >>> import numpy as np
    >>> from sparseopt import transport
    >>> C = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> result = transport.constrained(C, None, None, 0.01, [(np.eye(2), "<=", 0.1)])
    >>> round(float(np.trace(result.plan)), 6)
    0.1
    >>> result.plan.round(2)
    array([[0.05, 0.45],
           [0.45, 0.05]])
    """
    eps = positive("eps", eps)
    problem = check_problem(C, a, b)
    tilts, at_least = _check_constraints(constraints, problem)
    inner = np.ascontiguousarray(tilts[:, problem.rows][:, :, problem.cols])
    _require_effect(inner)
    start = problem.start(x0)
    if start is not None:
        w = getattr(x0, "multipliers", None)
        w = np.zeros(len(tilts)) if w is None else np.asarray(w, dtype=np.float64)
        if w.shape != (len(tilts),):
            raise ValueError(f"x0 must hold {len(tilts)} multipliers, got shape {w.shape}")
        start = (*start, w)  # type: ignore[assignment]
    run = solve_constrained(
        problem,
        inner,
        at_least,
        eps,
        start,  # type: ignore[arg-type]
        tol=tol,
        max_iter=max_iter,
        callback=callback,
        progress=progress,
    )
    state = run.state
    n = problem.given.shape[0]
    given = problem.given.tile(0, n) - np.tensordot(state.w, tilts, 1)
    fields = run.fields("newton-constrained")
    fields["fun"] += problem.shift * problem.mass
    seen = dataclasses.replace(problem, given=MatrixCost(given))
    fields |= problem_fields(seen, state.f, state.g, sparse)
    fields["problem"] |= {"cost": problem.given.data(), "tilts": tilts}
    return ConstrainedResult(**fields, eps=eps, multipliers=state.w, at_least=at_least)


def _check_constraints(constraints: Sequence[Any], problem: Problem) -> tuple[Array, Array]:
    """The matrices E of all constraints in the form >= 0 or == 0, and which are inequalities."""
    if not isinstance(constraints, list | tuple) or not constraints:
        raise ValueError(
            "constraints must be a non-empty list of (D, relation) or (D, relation, d), "
            f"got {constraints!r}"
        )
    tilts, at_least = [], []
    for k, entry in enumerate(constraints):
        name = f"constraints[{k}]"
        if not isinstance(entry, list | tuple) or len(entry) not in (2, 3):
            raise ValueError(f"{name} must be (D, relation) or (D, relation, d), got {entry!r}")
        D = finite_array(f"the matrix of {name}", entry[0])
        if D.dtype.kind == "c":
            raise TypeError(f"the matrix of {name} must be real, got dtype {D.dtype}")
        if D.shape != problem.given.shape:
            raise ValueError(
                f"the matrix of {name} must have the shape {problem.given.shape} of C, "
                f"got {D.shape}"
            )
        relation = entry[1]
        choice(f"the relation of {name}", relation, _RELATIONS)
        d = (
            float(finite_array(f"the bound of {name}", entry[2], ndim=(0,)))
            if len(entry) > 2
            else 0.0
        )
        E = D.astype(np.float64) - d / problem.mass
        tilts.append(-E if relation == "<=" else E)
        at_least.append(relation != "==")
    return np.stack(tilts), np.array(at_least)


def _require_effect(tilts: Array) -> None:
    """Refuse constraints that say 0 = 0 on the atoms with mass."""
    for k, E in enumerate(tilts):
        if not E.any():
            raise ValueError(
                f"constraints[{k}] must depend on the plan, got a matrix that equals its bound "
                "over the mass everywhere"
            )
