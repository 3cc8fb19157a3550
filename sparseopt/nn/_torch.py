"""The only way into PyTorch: imported on first use, with an error that says what to install."""

from __future__ import annotations

from typing import Any


def torch_module() -> Any:
    """The module ``torch``."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "sparseopt.nn needs PyTorch; install it with: pip install 'sparseopt[torch]'"
        ) from error
    return torch
