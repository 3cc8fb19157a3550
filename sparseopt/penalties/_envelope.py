"""The group sparse envelope, and what the penalties built on it share."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .._core import Groups, as_groups, elementwise, namespace, to_host, total
from .._core._validate import integer, positive
from ..prox._group_envelope import Envelope, envelope_value, in_precision, scale_by_envelope
from ..prox._group_lifts import finite_level
from ..prox._groups import apply_scale, group_norms
from ._base import Penalty, as_vectors, frozen, quotient

Array = np.ndarray[Any, Any]


class EnvelopeCertificate(NamedTuple):
    """What `GroupEnvelope.certificate` tells; arrays with one entry per column of a batch.

    Attributes
    ----------
    kept : int or ndarray
        Number of groups that the prox keeps.
    exact : bool or ndarray
        Whether they use the budget with no share between 0 and 1: with costs of one, whether
        the prox keeps exactly k groups (all non-zero ones if there are fewer).
    step_needed : float or ndarray
        The smallest step for which it is exact.
    """

    kept: Any
    exact: Any
    step_needed: Any


class Enveloped(Penalty):
    """What the penalties over an `Envelope` share: the envelope of an array's length."""

    is_convex = True
    lam: float
    k: Any

    def _parts(self) -> tuple[Any, Any, Any]:
        return None, None, None

    def _budget(self, n: int) -> Any:
        return self.k

    def _envelope(self, n: int) -> Envelope:
        kept: Envelope | None = getattr(self, "_last", None)
        if kept is None or kept.groups.n != n:
            groups, weights, costs = self._parts()
            kept = Envelope(groups, self._budget(n), weights, costs, n)
            vars(self)["_last"] = kept  # a cache, no change of the penalty
        return kept

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_last"}

    def _norms(self, x: Any) -> tuple[Any, Any, Envelope]:
        x = as_vectors("x", x)
        envelope = self._envelope(x.shape[0])
        return x, group_norms(x, envelope.groups), envelope

    def _half_square(self, x: Any) -> Any:
        """The envelope itself, with no level: one number per column."""
        x, norms, envelope = self._norms(x)
        _, shares = envelope.solve(norms)
        shares = in_precision(shares, norms)
        weights = in_precision(envelope.finite_weights[:, None], norms)
        weights = weights + namespace(norms).zeros_like(norms)
        terms = elementwise(envelope_value, norms, (shares, weights))
        return total(terms if x.ndim > 1 else terms[:, 0])

    def _dual_half_square(self, y: Any) -> Any:
        """Half the best total of ``||y_g||^2 / d_g`` within the budget; one number per column."""
        y, norms, envelope = self._norms(to_host(y))
        gains = quotient(norms * norms, envelope.weights[:, None]).reshape(norms.shape)
        m, k = gains.shape[0], envelope.budget
        if np.all(envelope.costs == 1.0):
            best = np.partition(gains, m - int(k), axis=0)[m - int(k) :] if 0 < k < m else gains
            sums = np.sum(best, axis=0) if k > 0 else np.zeros(gains.shape[1])
        else:
            order = np.argsort(-gains / envelope.costs[:, None], axis=0)
            costs = envelope.costs[order]
            room = k - (np.cumsum(costs, axis=0) - costs)
            share = np.clip(room / costs, 0.0, 1.0)
            gains = np.take_along_axis(gains, order, axis=0)
            sums = np.sum(np.where(share > 0, gains, 0.0) * share, axis=0)
        return 0.5 * (sums if y.ndim > 1 else sums[0])


class GroupEnvelope(Enveloped):
    r"""Group sparse envelope: the best convex stand-in for a ridge on at most k groups.

    .. math:: f(x) = \lambda\, GS_k(x), \qquad GS_k(x) = \min_u \Big\{ \tfrac12 \sum_g d_g
        \frac{\|x_g\|^2}{u_g} : 0 \le u_g \le 1,\ \sum_g c_g u_g \le k \Big\}

    With costs of one it is the biconjugate of :math:`\tfrac12 \sum_g d_g \|x_g\|^2` restricted to
    at most k non-zero groups, and equal to it there; its conjugate is half the sum of the k
    largest :math:`\|y_g\|^2 / d_g` (for :math:`\lambda = 1`). With other costs it is the
    perspective relaxation of the knapsack constraint :math:`\sum_{x_g \ne 0} c_g \le k`.

    Parameters
    ----------
    lam : float
        Level, >= 0 and finite.
    groups : None, array_like of int, shape (n,), or list of index arrays
        A partition; ``None`` makes every coordinate a group.
    k : int
        Budget: the number of groups; with ``costs`` a number > 0.
    weights : None, "sqrt" or array_like, shape (number of groups,)
        Weight d of each group's quadratic, >= 0. 0 frees a group, ``inf`` forces it to zero.
    costs : None or array_like, shape (number of groups,)
        What keeping each group costs, > 0 and finite.

    Raises
    ------
    ValueError
        If ``groups`` is not a partition, ``k`` is out of range, or a parameter is negative.
    TypeError
        If ``k`` is not an integer (without ``costs``).

    See Also
    --------
    sparseopt.prox.group_envelope : The proximal operator as a function.

    References
    ----------
    Y. Refael, I. Arbel, W. Huleihel (2022). Learning k-level structured sparse neural networks
    using group envelope regularization. arXiv 2212.12921.

    Examples
    --------
    >>> from sparseopt import penalties
    >>> f = penalties.GroupEnvelope(1.0, [0, 0, 1, 1], 1)
    >>> f.value([3.0, 4.0, 0.0, 0.0]), f.value([3.0, 4.0, 0.0, 5.0])
    (12.5, 50.0)
    >>> float(f.step_for_exact_k([3.0, 4.0, 0.0, 3.0]))
    1.5
    """

    def __init__(
        self, lam: Any, groups: Any, k: Any, weights: Any = None, costs: Any = None
    ) -> None:
        self.lam = finite_level("lam", lam)
        self.groups: Groups | None = None if groups is None else as_groups(groups)
        self.k = integer("k", k, 0) if costs is None else positive("k", k)
        self.weights = (
            weights if weights is None or isinstance(weights, str) else frozen("weights", weights)
        )
        self.costs = None if costs is None else frozen("costs", costs, strict=True, finite=True)
        if self.groups is not None:
            self._envelope(self.groups.n)

    def _parts(self) -> tuple[Any, Any, Any]:
        return self.groups, self.weights, self.costs

    def value(self, x: Any) -> Any:
        """``lam * GS_k(x)``, per column of a batch."""
        if self.lam == 0:
            return 0.0 * total(abs(as_vectors("x", x)))
        return self.lam * self._half_square(x)

    def prox(self, v: Any, step: Any = 1.0) -> Any:
        """``argmin_x 1/2 ||x - v||^2 + step * f(x)``."""
        v = as_vectors("v", v)
        return scale_by_envelope(v, self._envelope(v.shape[0]), self.lam * step)

    def conjugate(self, y: Any) -> Any:
        """``max(sum(u_g ||y_g||^2 / d_g)) / (2 lam)`` over the budget, per column of a batch."""
        return quotient(self._dual_half_square(y), self.lam)

    def gauge(self, x: Any) -> Any:
        """The group k-support norm ``sqrt(2 GS_k(x))``, per column of a batch."""
        square = 2.0 * self._half_square(x)
        return square**0.5

    def dual_gauge(self, y: Any) -> Any:
        """Dual of the gauge: root of the best total of ``||y_g||^2 / d_g`` in the budget."""
        return np.sqrt(2.0 * self._dual_half_square(y))

    def gradient(self, x: Any) -> Any:
        """A subgradient, the gradient where there is one: ``lam d_g x_g / u_g``, 0 on zeros."""
        x, norms, envelope = self._norms(x)
        _, shares = envelope.solve(norms)
        factor = self.lam * quotient(envelope.finite_weights[:, None], shares)
        factor = np.where(shares > 0, factor, 0.0)
        return apply_scale(x, in_precision(factor, norms), envelope.groups)

    def alpha_max(self, gradient: Any) -> Any:
        """``inf``: no multiple makes zero stationary, unless the gradient there is zero."""
        return quotient(self.dual_gauge(gradient), 0.0)

    def subdiff_distance(self, x: Any, gradient: Any) -> Any:
        """Distance of ``-gradient`` from the subdifferential at ``x``, for each group.

        On a zero group the subdifferential is a ball of radius ``lam sqrt(d_g c_g) / alpha``,
        alpha the multiplier of the budget; a budget that is not used up leaves only zero.
        """
        x, norms, envelope = self._norms(np.asarray(to_host(x)))
        weights, costs = envelope.finite_weights[:, None], envelope.costs[:, None]
        alphas, _ = envelope.solve(norms)
        used = norms > 0
        tight = np.isinf(alphas) & np.isclose(
            np.sum(np.where(used, costs, 0.0), axis=0), envelope.budget, rtol=1e-12, atol=0
        )
        slopes = quotient(1.0, np.where(used, norms * np.sqrt(weights / costs), 1.0))
        alphas = np.where(tight, np.max(np.where(used, slopes, 0.0), axis=0, initial=0.0), alphas)
        away = group_norms(np.asarray(gradient) + self.gradient(x), envelope.groups)
        with np.errstate(divide="ignore"):
            radius = self.lam * np.sqrt(weights * costs) / alphas
        distance = np.where(used, away, np.maximum(away - radius, 0.0))
        distance = np.where(np.isinf(envelope.weights)[:, None], 0.0, distance)
        return distance if x.ndim > 1 else distance[:, 0]

    def step_for_exact_k(self, v: Any) -> Any:
        """The smallest step for which the prox of ``v`` keeps exactly k groups.

        With weights and costs of one and sorted norms r it is ``r[k] / (r[k-1] - r[k]) / lam``
        (counted from zero). ``inf`` if there is none: a tie, or costs that do not add up to the
        budget; 0 if no more groups than the budget are non-zero. Groups with weight 0 do not
        count. One number per column of a batch.
        """
        x, norms, envelope = self._norms(np.asarray(to_host(v)))
        columns = [_exact_step(c, envelope) for c in norms.T]
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.array(columns) / self.lam
        return needed if x.ndim > 1 else needed[0]

    def certificate(self, v: Any, step: Any = 1.0) -> EnvelopeCertificate:
        """Whether ``prox(v, step)`` keeps exactly k groups, how many, and the step it takes."""
        x, norms, envelope = self._norms(np.asarray(to_host(v)))
        strength = self.lam * np.asarray(step, np.float64)
        _, shares = envelope.solve(norms, strength)
        kept = np.count_nonzero(shares > 0, axis=0)
        needed = self.step_for_exact_k(v)
        exact = np.asarray(step) >= needed
        return EnvelopeCertificate(kept if x.ndim > 1 else int(kept[0]), exact, needed)

    def as_cvxpy(self, x: Any) -> Any:
        """The penalty of a cvxpy expression ``x`` (extra ``cvx``).

        It holds variables of its own, the shares, so it has a value only once it was minimised.
        """
        import cvxpy as cp

        envelope = self._envelope(x.shape[0])
        members = [np.flatnonzero(envelope.groups.labels == g) for g in range(envelope.costs.size)]
        pieces = []
        for column in [x] if x.ndim == 1 else [x[:, j] for j in range(x.shape[1])]:
            u = cp.Variable(envelope.costs.size)
            limits = [u >= 0, u <= 1, envelope.costs @ u <= envelope.budget]
            terms = [
                weight * cp.quad_over_lin(column[index], u[g])
                for g, (index, weight) in enumerate(zip(members, envelope.weights, strict=True))
                if index.size and 0 < weight < np.inf
            ]
            limits += [
                column[index] == 0
                for index, weight in zip(members, envelope.weights, strict=True)
                if index.size and weight == np.inf
            ]
            pieces.append(0.5 * self.lam * sum(terms) + cp.transforms.indicator(limits))
        return sum(pieces)


def _exact_step(norms: Array, envelope: Envelope) -> float:
    """The strength from which on the shares of one column are 0 or 1 and fill the budget."""
    counted = (envelope.weights > 0) & (envelope.weights < np.inf) & (norms > 0)
    r, d, c = norms[counted], envelope.weights[counted], envelope.costs[counted]
    if np.sum(c) <= envelope.budget * (1 + 1e-12):
        return 0.0
    order = np.argsort(-r / np.sqrt(d * c), kind="stable")
    r, d, c = r[order], d[order], c[order]
    fill = np.cumsum(c)
    kept = int(np.searchsorted(fill, envelope.budget * (1 - 1e-12))) + 1
    if envelope.budget == 0:
        return 0.0
    if abs(fill[kept - 1] - envelope.budget) > 1e-12 * envelope.budget:
        return math.inf
    # A kept group saturates at alpha = (1 + s d) / t, the next one enters at s d / t.
    gap = np.sqrt(d * c)[kept] * r[:kept] - np.sqrt(d * c)[:kept] * r[kept]
    price = np.sqrt(c / d)[:kept] * r[kept]
    return float(np.max(np.where(gap > 0, price / np.where(gap > 0, gap, 1.0), np.inf)))
