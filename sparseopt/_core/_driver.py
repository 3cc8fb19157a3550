"""The one loop behind every iterative solver."""

from __future__ import annotations

import dataclasses
import math
import time
from array import array
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from ._progress import Bar
from ._result import History, Status
from ._validate import integer, positive
from ._warnings import ConvergenceWarning, warn_outside


@dataclasses.dataclass(eq=False, kw_only=True)
class State:
    """What a solver knows after a step. Solvers subclass it with what they carry along.

    A step returns a new state and leaves the old one intact, so that an interrupted step loses
    nothing.

    Attributes
    ----------
    x : ndarray
        The iterate to return if the run ended here: solvers whose objective is not monotone keep
        their best.
    fun : float
        Objective at ``x``; a value that is not finite ends the run with the state before.
    certificate : float
        What ``tol`` bounds; NaN where it was not evaluated at this step.
    nit, time : int, float
        Iterations and seconds since the start, filled in by the driver.
    extra : dict of str to float
        Further quantities to record in the history.
    stalled : str
        Why no further step can help, such as ``"no step improves the objective"``; ends the run.
    advance : int
        Iterations of a compiled loop that the step made, for ``nit`` and ``max_iter``; the history
        has one entry for each step, and ``nit`` among its columns if a step made several.
    """

    x: Any
    fun: float
    certificate: float = math.nan
    nit: int = 0
    time: float = 0.0
    extra: dict[str, float] = dataclasses.field(default_factory=dict)
    advance: int = 1
    stalled: str = ""


S = TypeVar("S", bound=State)


@dataclasses.dataclass(frozen=True, eq=False)
class Run(Generic[S]):
    """How a run of the driver ended."""

    state: S
    status: Status
    message: str
    nit: int
    history: History

    def fields(self, method: str) -> dict[str, Any]:
        """The fields of a `Result` that every solver fills in the same way."""
        return {
            "x": self.state.x,
            "fun": float(self.state.fun),
            "success": self.status.is_success,
            "status": self.status,
            "message": self.message,
            "nit": self.nit,
            "certificate": float(self.state.certificate),
            "method": method,
            "history": self.history,
        }


def iterate(
    state: S,
    step: Callable[[S], S],
    *,
    tol: float,
    max_iter: int,
    certificate: str,
    callback: Callable[[S], object] | None = None,
    progress: bool = False,
    label: str = "",
) -> Run[S]:
    """Repeat ``step`` until the certificate is at most ``tol``, and never lose what was found.

    Parameters
    ----------
    state : State
        The start, with its objective (and certificate where it is known).
    step : callable
        ``step(state) -> state``, one iteration.
    tol, max_iter : float, int
        Stop when ``state.certificate <= tol``, or after ``max_iter`` steps.
    certificate : str
        Name of the certificate, for messages.
    callback : callable, optional
        Called with the state after each step; ``StopIteration`` ends the run.
    progress : bool
        Show a bar.
    label : str
        Text beside the bar.

    Warns
    -----
    ConvergenceWarning
        If the run ended by the budget, a stall, Ctrl-C or a value that is not finite.
    """
    tol = positive("tol", tol)
    max_iter = integer("max_iter", max_iter, 0)
    record = _Record()
    record.add(state, 0.0)
    status, detail, nit = Status.MAX_ITER, "", 0
    start = time.perf_counter()
    if math.isnan(state.fun):
        status, detail = Status.NON_FINITE, "the objective at the start point is not a number"
        max_iter = 0
    elif state.certificate <= tol:
        status, max_iter = Status.CONVERGED, 0
    try:
        with Bar(progress, max_iter, label) as bar:
            while nit < max_iter:
                new = step(state)
                if math.isnan(new.fun) or (math.isinf(new.fun) and math.isfinite(state.fun)):
                    status, detail = Status.NON_FINITE, f"the objective became {new.fun}"
                    break
                nit += new.advance
                new.nit = nit
                new.time = time.perf_counter() - start
                state = new
                record.add(state, new.time)
                bar.update(state.fun, state.certificate, state.advance)
                if callback is not None:
                    try:
                        callback(state)
                    except StopIteration:
                        status = Status.STOPPED
                        break
                if state.certificate <= tol:
                    status = Status.CONVERGED
                    break
                if state.stalled:
                    status, detail = Status.STALLED, state.stalled
                    break
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    message = _describe(status, certificate, state.certificate, tol, nit, detail)
    if not status.is_success and status is not Status.STOPPED:
        warn_outside(message, ConvergenceWarning)
    return Run(state, status, message, nit, record.arrays())


class _Record:
    """The history while it grows, eight bytes a number."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {
            name: array("d") for name in ("fun", "certificate", "time")
        }
        self._nit = array("d")
        self._rows = 0

    def add(self, state: State, seconds: float) -> None:
        columns = self._columns
        columns["fun"].append(state.fun)
        columns["certificate"].append(state.certificate)
        columns["time"].append(seconds)
        self._nit.append(state.nit)
        for name, value in state.extra.items():
            if name not in columns:
                columns[name] = array("d", [math.nan]) * self._rows
            columns[name].append(value)
        self._rows += 1
        for column in columns.values():
            if len(column) < self._rows:
                column.append(math.nan)

    def arrays(self) -> History:
        history = {name: np.array(column) for name, column in self._columns.items()}
        if self._nit[-1] != self._rows - 1:
            history["nit"] = np.array(self._nit)
        return history


def _describe(status: Status, name: str, value: float, tol: float, nit: int, detail: str) -> str:
    reached = f"{name} {value:.2e}"
    after = f"after {nit} iteration{'' if nit == 1 else 's'}"
    match status:
        case Status.CONVERGED:
            return f"converged: {reached} <= tol {tol:.1e} {after}"
        case Status.MAX_ITER:
            return f"not converged: {reached} > tol {tol:.1e} {after} (max_iter)"
        case Status.STOPPED:
            return f"stopped by the callback {after}: {reached}"
        case Status.STALLED:
            return f"not converged: {detail}; {reached} > tol {tol:.1e} {after}"
        case Status.INTERRUPTED:
            return f"interrupted {after}: {reached}"
        case _:
            return f"{detail} {after}; the last finite iterate is returned: {reached}"
