"""Solvers: functions that take a loss, a penalty or an operator and return a `Result`."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {"_minimize": ["minimize"], "_proximal_gradient": ["proximal_gradient"]},
)

if TYPE_CHECKING:
    from ._minimize import minimize as minimize
    from ._proximal_gradient import proximal_gradient as proximal_gradient
