"""Optimal transport against its peers.

``python -m asv_bench.benchmarks.transport [pattern [repeat [seconds [peers]]]]`` prints a table of
the rows whose name has the pattern: medians of ``repeat`` solves taken in turn, to an L1 marginal
error of 1e-9 measured on the plans, and the peers that do not get there within ``seconds``. Names
of peers, separated by commas, choose some of them.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from sparseopt import datasets, transport

from ._peers import TransportPeers, compare, ratio_to_best
from ._timing import interleaved_medians

TOL = 1e-9
STABILIZED = "POT sinkhorn_stabilized"
UNIQUE = ("entropic", "quadratic")  # kinds of problems with one plan: peers must find its cost
ENTROPIC = (
    "regot ssns",
    "regot splr",
    "POT sinkhorn",
    STABILIZED,
    "POT sinkhorn_log",
    "OTT default",
    "OTT kernel",
    "OTT momentum",
    "OTT adaptive",
    "OTT anderson",
    "OTT schedule",
)
QUADRATIC = (
    "regot grssn",
    "regot assn",
    "regot bcd",
    "regot pdaam",
    "regot apdagd",
    "regot lbfgs_dual",
    "regot lbfgs_semi_dual",
    "POT dual",
    "POT semi-dual",
)

# What a process of its own prints: the seconds of one solve by warm code, the marginal error, and
# the most memory the process ever held. (The resource module counts the parent's memory, too.)
LARGE = """
import time
from pathlib import Path
from sparseopt import datasets, transport
for n in (100, {n}):
    C, a, b, *_ = datasets.transport_clouds(n, lazy={lazy})
    start = time.perf_counter()
    result = transport.entropic(C, a, b, {eps}, tol=1e-9)
    seconds = time.perf_counter() - start
peak = [s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("VmHWM")]
print(seconds, result.certificate, int(peak[0].split()[1]) / 1024)
"""


class Row(NamedTuple):
    """A problem, whom to compare with, and the strength (entropic: relative to the largest cost)"""

    kind: str
    data: str
    size: int
    strength: float
    peers: tuple[str, ...]
    k: int = 0


ROWS: dict[str, Row] = {}
for _data, _size in (("clouds", 500), ("assignment", 500), ("digits L2", 28), ("digits L1", 28)):
    for _eps in (1e-1, 1e-2, 1e-3, 1e-4):
        ROWS[f"entropic {_data} eps {_eps:g}"] = Row("entropic", _data, _size, _eps, ENTROPIC)
for _data in ("clouds", "assignment"):
    for _size in (1000, 2000):
        ROWS[f"exact {_data} {_size} eps 0.001"] = Row("exact", _data, _size, 1e-3, ("POT emd",))
for _data, _size, _gammas in (("clouds", 500, (10.0, 1.0, 0.1)), ("digits L2", 28, (100.0, 10.0))):
    for _gamma in _gammas:
        ROWS[f"quadratic {_data} gamma {_gamma:g}"] = Row(
            "quadratic", _data, _size, _gamma, QUADRATIC
        )
for _k in (2, 3, 5, 10):
    ROWS[f"cardinality clouds k {_k}"] = Row(
        "cardinality", "clouds", 100, 1.0, ("POT dual", "POT semi-dual"), _k
    )

LARGE_ROWS = {
    "large clouds 2000 eps 0.001": {"n": 2000, "eps": 1e-3, "lazy": False},
    "large clouds 10000 points eps 0.01": {"n": 10_000, "eps": 1e-2, "lazy": True},
}


@functools.lru_cache(maxsize=2)
def problem(data: str, size: int) -> datasets.Transport:
    """The problem of a row."""
    if data == "clouds":
        return datasets.transport_clouds(size)
    if data == "assignment":
        return datasets.transport_assignment(size)
    return datasets.transport_digits(size, power=int(data[-1]))


def solve(row: Row) -> Any:
    """Ours, with the plan, as the peers form theirs."""
    C, a, b, *_ = problem(row.data, row.size)
    if row.kind == "quadratic":
        result = transport.quadratic(C, a, b, row.strength, tol=TOL)
    elif row.kind == "cardinality":
        result = transport.cardinality(C, a, b, row.k, row.strength, tol=TOL)
    else:
        result = transport.entropic(C, a, b, row.strength * float(C.max()), tol=TOL)
    return result, result.plan


def measure(peers: TransportPeers, row: Row, repeat: int, seconds: float) -> dict[str, Any]:
    """Compare on one row; adds our marginal error, iterations and cost."""
    C, a, b, *_ = problem(row.data, row.size)
    scale = float(C.max()) if row.kind == "entropic" else 1.0
    peers.load(row.kind, C, a, b, row.strength * scale, row.k)
    result = compare(
        peers, lambda: solve(row), TOL, row.peers, repeat=repeat, seconds=seconds, slack=3.0
    )
    found, plan = result["ours"]
    P = plan.toarray() if hasattr(plan, "toarray") else plan
    error = np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()
    valid = np.isfinite(P).all() and P.min() >= 0.0 and found.success
    return result | {
        "error": float(error / a.sum()) if valid else float("inf"),
        "nit": found.nit,
        "cost": float(np.vdot(C, P)),
    }


def ratio(result: dict[str, Any]) -> float:
    """Our time over that of the fastest peer; NaN if we, or all of them, miss the tolerance."""
    return ratio_to_best(result) if result["error"] <= TOL else float("nan")


def large(name: str) -> tuple[float, float, float]:
    """Seconds, marginal error and MB of a large solve in its own process."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    run = subprocess.run(
        [sys.executable, "-c", LARGE.format(**LARGE_ROWS[name])],
        env=os.environ | dict.fromkeys(threads, "1"),
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RuntimeError(run.stderr)
    seconds, error, peak = map(float, run.stdout.split()[-3:])
    return seconds, error, peak


class Transport:
    """Ours over the best peer that reaches the same marginal error."""

    number = 1
    timeout = 1800
    params = tuple(ROWS)

    def setup(self, name: str) -> None:
        self.peers = TransportPeers()

    def teardown(self, name: str) -> None:
        self.peers.close()

    def track_ratio_best_peer(self, name: str) -> float:
        return ratio(measure(self.peers, ROWS[name], 5, 5.0))

    track_ratio_best_peer.unit = "ratio"


class LargeTransport:
    """Seconds and memory of large problems."""

    number = 1
    timeout = 1800
    params = tuple(LARGE_ROWS)

    def track_seconds(self, name: str) -> float:
        return large(name)[0]

    def track_peak_memory(self, name: str) -> float:
        return large(name)[2]

    track_seconds.unit = "seconds"
    track_peak_memory.unit = "MB"


def reference() -> str:
    """Two fixed jobs, to compare tables of different days: a copy and a matrix product."""
    big, square = np.ones(10_000_000), np.random.default_rng(0).random((500, 500))
    copy, product = interleaved_medians(big.copy, lambda: square @ square)
    return f"reference: copy of 1e7 {1e3 * copy:.1f} ms, 500 x 500 product {1e3 * product:.2f} ms"


def describe(name: str, row: Row, result: dict[str, Any]) -> str:
    """One row of the table."""
    seconds = sorted(result["seconds"].items(), key=lambda item: (item[0] != "ours", item[1]))
    times = ", ".join(f"{peer} {1e3 * t:.1f}" for peer, t in seconds)
    missed, other = [], []
    for peer, seen in result["prepared"].items():
        if not seen.get("reached"):
            missed.append(f"{peer} {seen['certificate']:.0e} in {seen.get('seconds', 0.0):.1f} s")
        elif row.kind in UNIQUE and abs(seen["cost"] - result["cost"]) > 1e-6 * result["cost"]:
            other.append(f"{peer} {seen['cost']:.8g}, ours {result['cost']:.8g}")
    text = f"{name:33} ratio {ratio(result):6.3f}  error {result['error']:.0e}"
    text += f"  nit {result['nit']:3d}  ms: {times}"
    text += f"\n{'':33} missed: {'; '.join(missed)}" if missed else ""
    return text + (f"\n{'':33} OTHER COST: {'; '.join(other)}" if other else "")


def summary(results: dict[str, dict[str, Any]]) -> None:
    """Worst ratio and geometric mean of each group of rows: a kind, with its eps if entropic."""
    groups: dict[str, list[float]] = {}
    for name, result in results.items():
        row = ROWS[name]
        group = f"{row.kind} eps {row.strength:g}" if row.kind == "entropic" else row.kind
        groups.setdefault(group, []).append(ratio(result))
        if row.kind == "entropic" and row.strength <= 1e-3:
            groups.setdefault("entropic eps <= 0.001", []).append(ratio(result))
        for peer in (STABILIZED, "POT sinkhorn"):
            if peer in result["seconds"] and result["error"] <= TOL:
                against = result["seconds"]["ours"] / result["seconds"][peer]
                groups.setdefault(f"{group} against {peer}", []).append(against)
    for group, ratios in groups.items():
        known = np.array([r for r in ratios if np.isfinite(r)])
        figures = ""
        if known.size:
            mean = float(np.exp(np.log(known).mean()))
            figures = f"worst {known.max():.3f}, geometric mean {mean:.3f} "
        print(f"{group:50} {figures}of {known.size} rows out of {len(ratios)}")


def main(pattern: str = "", repeat: str = "5", seconds: str = "20", peers: str = "") -> None:
    """Print seconds of everyone on the rows whose name has the pattern."""
    chosen = set(peers.split(",")) if peers else None
    print(reference())
    for name in LARGE_ROWS:
        if pattern in name:
            spent, error, peak = large(name)
            print(f"{name:33} {spent:.2f} s, error {error:.0e}, {peak:.0f} MB", flush=True)
    names = [name for name in ROWS if pattern in name]
    results: dict[str, dict[str, Any]] = {}
    start = time.perf_counter()
    worker = TransportPeers() if names else None
    for name in names:
        assert worker is not None
        row = ROWS[name]
        if chosen is not None:
            row = row._replace(peers=tuple(peer for peer in row.peers if peer in chosen))
        try:
            results[name] = measure(worker, row, int(repeat), float(seconds))
        except Exception as error:  # one row must not cost the others
            print(f"{name:33} failed: {error!r}", flush=True)
        else:
            print(describe(name, row, results[name]), flush=True)
    if worker is not None:
        worker.close()
    summary(results)
    print(f"{time.perf_counter() - start:.0f} s; {reference()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
