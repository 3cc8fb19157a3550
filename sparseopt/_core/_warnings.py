"""Warnings of sparseopt, and how to point them at the caller's line."""

from __future__ import annotations

import sys
import warnings


class ConvergenceWarning(UserWarning):
    """A solver ended before its certificate reached ``tol``; the result says why."""


def warn_outside(message: str, category: type[Warning]) -> None:
    """Warn at the first line of the call stack that is not the package's own."""
    package = __name__.partition(".")[0] + "."
    level, frame = 2, sys._getframe(1)
    while frame.f_back and (frame.f_globals.get("__name__", "") + ".").startswith(package):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
