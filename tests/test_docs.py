"""The Python code blocks of the README and of the documentation run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from helpers import require

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXTRAS = {"sklearn.md": "sklearn.base"}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.extras] if page.name in EXTRAS else [])
        for page in PAGES
    ],
)
def test_code_blocks_run(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if page.name in EXTRAS:
        require(EXTRAS[page.name])
    text = page.read_text(encoding="utf-8")
    monkeypatch.setitem(os.environ, "MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        code = block.group(1)
        if code.startswith("# not run"):
            continue
        # Blank lines in front give an error the line number that it has in the page.
        lines_before = text[: block.start(1)].count("\n")
        exec(compile("\n" * lines_before + code, str(page), "exec"), scope)
