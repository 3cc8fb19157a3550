"""The progress bar: tqdm when asked for, nothing otherwise."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class Bar:
    """A bar over iterations that shows the objective and the certificate."""

    def __init__(self, show: bool, total: int, label: str) -> None:
        self._bar: Any = None
        if show:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, desc=label, leave=True)

    def update(self, fun: float, certificate: float, advance: int = 1) -> None:
        """Move on by ``advance`` iterations."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"fun={fun:.6g} certificate={certificate:.2e}", refresh=False)
            self._bar.update(advance)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
