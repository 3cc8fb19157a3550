"""Bridges to PyTorch: the operators of `sparseopt.penalties` inside training loops.

Needs the extra ``torch``: ``pip install 'sparseopt[torch]'``.
"""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {"_prox_step": ["ProxStep"]})

if TYPE_CHECKING:
    from ._prox_step import ProxStep as ProxStep
