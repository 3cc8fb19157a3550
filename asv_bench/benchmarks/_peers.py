"""Processes beside this one that run the peers that need another environment.

The interpreter of each is named by an environment variable: ``SPARSEOPT_PEERS_PYTHON`` for sparse
regression, ``SPARSEOPT_TRANSPORT_PEERS_PYTHON`` for optimal transport. Make it with
``python -m venv DIR && DIR/bin/pip install -r asv_bench/peers/requirements.txt`` (for transport,
``transport_requirements.txt``).
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

FOLDER = Path(__file__).parents[1] / "peers"
NAMES = ("scikit-learn", "celer", "skglm", "adelie")


class Worker:
    """A process that answers requests, one JSON object a line."""

    script = ""
    variable = ""

    def __init__(self) -> None:
        python = os.environ.get(self.variable)
        if not python:
            raise NotImplementedError(f"{self.variable} does not name an interpreter")
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self._process = subprocess.Popen(
            [python, str(FOLDER / self.script)],
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
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of the peers ended at the request {request}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def send(self, **arrays: Any) -> None:
        """Give the worker a problem."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.npz"
            np.savez(path, **arrays)
            self.ask(do="load", path=str(path))

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


class Peers(Worker):
    """The peers of sparse regression."""

    script = "worker.py"
    variable = "SPARSEOPT_PEERS_PYTHON"

    def load(self, kind: str, A: Any, y: Any, lams: Any, group: int = 1) -> None:
        """Give the worker a problem."""
        from scipy.sparse import issparse

        parts: dict[str, Any] = {"X": A}
        if issparse(A):
            parts = {"data": A.data, "indices": A.indices, "indptr": A.indptr, "shape": A.shape}
        self.send(kind=kind, y=y, lams=np.atleast_1d(lams), group=group, **parts)


class TransportPeers(Worker):
    """The peers of optimal transport."""

    script = "transport_worker.py"
    variable = "SPARSEOPT_TRANSPORT_PEERS_PYTHON"

    def load(self, kind: str, C: Any, a: Any, b: Any, reg: float = 0.0, k: int = 0) -> None:
        """Give the worker a problem."""
        self.send(kind=kind, C=C, a=a, b=b, reg=reg, k=k)


def compare(
    peers: Worker,
    ours: Callable[[], object],
    target: float,
    names: tuple[str, ...] = NAMES,
    repeat: int = 7,
    seconds: float = 10.0,
    slack: float = float("inf"),
) -> dict[str, Any]:
    """Median seconds of ours and of each peer whose certificate reaches the target, in turn.

    A peer that took ``slack`` times as long as the fastest is not run again: the one time stands.
    """
    report: dict[str, Any] = {}
    result = ours()
    for name in names:
        report[name] = peers.ask(do="prepare", peer=name, target=target, seconds=seconds)
    able = {n: report[n].get("seconds", 0.0) for n in names if report[n].get("reached")}
    limit = slack * min(able.values(), default=0.0)
    again = [name for name, spent in able.items() if spent <= limit or not spent]
    times: dict[str, list[float]] = {"ours": []} | {n: [able[n]] for n in able if n not in again}
    times |= {name: [] for name in again}
    for _ in range(repeat):
        start = time.perf_counter()
        ours()
        times["ours"].append(time.perf_counter() - start)
        for name in again:
            times[name].append(peers.ask(do="run", peer=name)["seconds"])
    medians = {name: statistics.median(t) for name, t in times.items()}
    return {"seconds": medians, "prepared": report, "ours": result}


def ratio_to_best(result: dict[str, Any]) -> float:
    """Our time over that of the fastest peer."""
    seconds = dict(result["seconds"])
    return float(seconds.pop("ours") / min(seconds.values(), default=float("nan")))
