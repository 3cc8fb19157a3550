"""What every part of sparseopt stands on. Private: import from the public doors instead."""

from typing import TYPE_CHECKING

from ._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_driver": ["Run", "State", "iterate"],
        "_elementwise": ["accumulate", "as_floating", "compile_beside", "elementwise", "total"],
        "_fibres": ["from_rows", "to_rows"],
        "_groups": ["Groups", "as_groups"],
        "_jit": ["cache_counts", "formula", "jit"],
        "_math": [
            "copysign",
            "exp",
            "expm1",
            "log",
            "log1p",
            "maximum",
            "minimum",
            "sqrt",
            "where",
        ],
        "_operator": ["Products", "as_scipy"],
        "_namespace": [
            "is_numpy",
            "namespace",
            "on_host",
            "over_namespace",
            "to_host",
            "to_native",
        ],
        "_random": ["as_rng"],
        "_result": ["Result", "Status"],
        "_warnings": ["ConvergenceWarning", "warn_outside"],
    },
)

if TYPE_CHECKING:
    from ._driver import Run as Run
    from ._driver import State as State
    from ._driver import iterate as iterate
    from ._elementwise import accumulate as accumulate
    from ._elementwise import as_floating as as_floating
    from ._elementwise import compile_beside as compile_beside
    from ._elementwise import elementwise as elementwise
    from ._elementwise import total as total
    from ._fibres import from_rows as from_rows
    from ._fibres import to_rows as to_rows
    from ._groups import Groups as Groups
    from ._groups import as_groups as as_groups
    from ._jit import cache_counts as cache_counts
    from ._jit import formula as formula
    from ._jit import jit as jit
    from ._math import copysign as copysign
    from ._math import exp as exp
    from ._math import expm1 as expm1
    from ._math import log as log
    from ._math import log1p as log1p
    from ._math import maximum as maximum
    from ._math import minimum as minimum
    from ._math import sqrt as sqrt
    from ._math import where as where
    from ._namespace import is_numpy as is_numpy
    from ._namespace import namespace as namespace
    from ._namespace import on_host as on_host
    from ._namespace import over_namespace as over_namespace
    from ._namespace import to_host as to_host
    from ._namespace import to_native as to_native
    from ._operator import Products as Products
    from ._operator import as_scipy as as_scipy
    from ._random import as_rng as as_rng
    from ._result import Result as Result
    from ._result import Status as Status
    from ._warnings import ConvergenceWarning as ConvergenceWarning
    from ._warnings import warn_outside as warn_outside
