"""How the ``track_`` benchmarks measure: side by side, so that a busy machine hurts both sides."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable


def interleaved_medians(*functions: Callable[[], object], repeat: int = 15) -> list[float]:
    """Median seconds of each function, called in turn and each time in another order."""
    seconds: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()  # compile, load, touch the memory
    order = list(range(len(functions)))
    for _ in range(repeat):
        for i in order:
            start = time.perf_counter()
            functions[i]()
            seconds[i].append(time.perf_counter() - start)
        order = order[1:] + order[:1]
        order.reverse()
    return [statistics.median(s) for s in seconds]


def ratio(ours: Callable[[], object], theirs: Callable[[], object], repeat: int = 15) -> float:
    """Median time of ``ours`` over that of ``theirs``."""
    a, b = interleaved_medians(ours, theirs, repeat=repeat)
    return a / b


def fresh_processes(code: str, repeat: int = 5) -> float:
    """Median of the number that ``code`` prints, over fresh processes after one to warm up."""
    values = []
    for _ in range(repeat + 1):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(run.stderr)
        values.append(float(run.stdout.split()[-1]))
    return statistics.median(values[1:])
