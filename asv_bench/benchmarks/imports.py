"""What an import costs."""

from __future__ import annotations

from ._timing import fresh_processes

IMPORT = """
import numpy, time
start = time.perf_counter()
import sparseopt
print(time.perf_counter() - start)
"""


def track_import() -> float:
    """Seconds of ``import sparseopt`` after ``import numpy``."""
    return fresh_processes(IMPORT, repeat=9)


track_import.unit = "seconds"
