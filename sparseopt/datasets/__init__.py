"""Test problems: random designs of known truth, graphs, transport, and loaders of real data."""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_files": ["load_regression"],
        "_graphs": ["lattice_graph", "neighbour_graph", "two_moons"],
        "_regression": [
            "Design",
            "ar_regression",
            "sparse_classification",
            "sparse_multiclass",
            "sparse_regression",
        ],
        "_transport": [
            "Transport",
            "transport_assignment",
            "transport_clouds",
            "transport_digits",
        ],
    },
)

if TYPE_CHECKING:
    from ._files import load_regression as load_regression
    from ._graphs import lattice_graph as lattice_graph
    from ._graphs import neighbour_graph as neighbour_graph
    from ._graphs import two_moons as two_moons
    from ._regression import Design as Design
    from ._regression import ar_regression as ar_regression
    from ._regression import sparse_classification as sparse_classification
    from ._regression import sparse_multiclass as sparse_multiclass
    from ._regression import sparse_regression as sparse_regression
    from ._transport import Transport as Transport
    from ._transport import transport_assignment as transport_assignment
    from ._transport import transport_clouds as transport_clouds
    from ._transport import transport_digits as transport_digits
