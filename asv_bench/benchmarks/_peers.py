"""A process beside this one that runs the peers that need another environment.

Its interpreter is named by the environment variable ``SPARSEOPT_PEERS_PYTHON``; make it with
``python -m venv DIR && DIR/bin/pip install -r asv_bench/peers/requirements.txt``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WORKER = Path(__file__).parents[1] / "peers" / "worker.py"
NAMES = ("scikit-learn", "celer", "skglm", "adelie")


class Peers:
    """The worker process."""

    def __init__(self) -> None:
        python = os.environ.get("SPARSEOPT_PEERS_PYTHON")
        if not python:
            raise NotImplementedError("SPARSEOPT_PEERS_PYTHON does not name an interpreter")
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self._process = subprocess.Popen(
            [python, str(WORKER)],
            env=os.environ | dict.fromkeys(threads, "1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def load(self, kind: str, A: Any, y: Any, lams: Any, group: int = 1) -> None:
        """Give the worker a problem."""
        from scipy.sparse import issparse

        parts: dict[str, Any] = {"X": A}
        if issparse(A):
            parts = {"data": A.data, "indices": A.indices, "indptr": A.indptr, "shape": A.shape}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.npz"
            np.savez(path, kind=kind, y=y, lams=np.atleast_1d(lams), group=group, **parts)
            self.ask(do="load", path=str(path))

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


def compare(
    peers: Peers,
    ours: Callable[[], object],
    gap: float,
    names: tuple[str, ...] = NAMES,
    repeat: int = 7,
    seconds: float = 10.0,
) -> dict[str, Any]:
    """Median seconds of ours and of each peer that reaches the gap, taken in turn."""
    report: dict[str, Any] = {}
    ours()
    for name in names:
        report[name] = peers.ask(do="prepare", peer=name, gap=gap, seconds=seconds)
    able = [name for name in names if report[name].get("reached")]
    times: dict[str, list[float]] = {name: [] for name in ("ours", *able)}
    for _ in range(repeat):
        start = time.perf_counter()
        ours()
        times["ours"].append(time.perf_counter() - start)
        for name in able:
            times[name].append(peers.ask(do="run", peer=name)["seconds"])
    medians = {name: statistics.median(t) for name, t in times.items()}
    return {"seconds": medians, "prepared": report}


def ratio_to_best(result: dict[str, Any]) -> float:
    """Our time over that of the fastest peer."""
    seconds = dict(result["seconds"])
    return float(seconds.pop("ours") / min(seconds.values(), default=float("nan")))
