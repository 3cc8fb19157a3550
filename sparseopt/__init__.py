"""sparseopt recovers what is sparse, low-rank or structured."""

from typing import TYPE_CHECKING

from ._core._lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(
    __name__,
    {"_core": ["ConvergenceWarning", "Result", "Status"], "solvers": ["minimize"]},
    submodules=[
        "datasets",
        "linop",
        "losses",
        "nn",
        "penalties",
        "plots",
        "prox",
        "sklearn",
        "solvers",
        "transport",
    ],
)

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import linop as linop
    from . import losses as losses
    from . import nn as nn
    from . import penalties as penalties
    from . import plots as plots
    from . import prox as prox
    from . import sklearn as sklearn
    from . import solvers as solvers
    from . import transport as transport
    from ._core import ConvergenceWarning as ConvergenceWarning
    from ._core import Result as Result
    from ._core import Status as Status
    from .solvers import minimize as minimize
