"""The lasso family against its peers: ``python -m asv_bench.benchmarks.lasso`` prints a table."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from sparseopt import datasets, solvers

from ._peers import Peers, compare, ratio_to_best
from ._timing import fresh_processes

FIRST_LASSO = """
import numpy as np, scipy.sparse.linalg, numba, time
rng = np.random.default_rng(0)
A, y = rng.standard_normal((50, 500)), rng.standard_normal(50)
start = time.perf_counter()
from sparseopt import solvers
assert solvers.lasso(A, y, 1.0).history["solves"][-1] > 0  # exact steps, too
print(time.perf_counter() - start)
"""


@functools.cache
def design(name: str, labels: bool = False) -> Any:
    """A real design, or the correlated Gaussian one; dense columns contiguous."""
    if name == "ar":
        A, y, _ = datasets.ar_regression(1000, 10_000, 0.6, rng=0)
    elif name == "ar_groups":
        A, y, _ = datasets.ar_regression(500, 5000, 0.6, rng=0)
    else:
        A, y, *_ = datasets.load_regression(name, labels=labels)
    return (np.asfortranarray(A) if isinstance(A, np.ndarray) else A.tocsc()), np.asarray(y, float)


def lasso_problem(name: str, divisor: int) -> tuple[tuple[Any, ...], Callable[[], object]]:
    """A lasso at the level max / divisor."""
    A, y = design(name)
    lam = float(np.max(np.abs(A.T @ y))) / divisor
    return ("lasso", A, y, lam), lambda: solvers.lasso(A, y, lam, tol=1e-6)


def path_problem(name: str, divisor: int) -> tuple[tuple[Any, ...], Callable[[], object]]:
    """A path of 100 levels from max to max / divisor."""
    A, y = design(name)
    lams = float(np.max(np.abs(A.T @ y))) * np.geomspace(1.0, 1.0 / divisor, 100)
    return ("lasso", A, y, lams), lambda: solvers.lasso_path(A, y, lams=lams, tol=1e-4)


def logistic_problem(name: str, divisor: int) -> tuple[tuple[Any, ...], Callable[[], object]]:
    """Logistic regression at the level max / divisor."""
    A, y = design(name, labels=True)
    lam = 0.5 * float(np.max(np.abs(A.T @ y))) / divisor
    return ("logistic", A, y, lam), lambda: solvers.logistic_l1(A, y, lam, tol=1e-6)


def group_problem(name: str, divisor: int) -> tuple[tuple[Any, ...], Callable[[], object]]:
    """A group lasso with groups of 10."""
    A, y = design(name)
    slopes = np.linalg.norm((A.T @ y).reshape(-1, 10), axis=1) / np.sqrt(10.0)
    lam = float(np.max(slopes)) / divisor
    groups = np.repeat(np.arange(A.shape[1] // 10), 10)
    problem = ("group", A, y, lam, 10)
    return problem, lambda: solvers.group_lasso(A, y, lam, groups, tol=1e-6)


ROWS: dict[str, tuple[Callable[..., Any], str, int, float]] = {}
for _name in ("riboflavin", "leukemia", "basehock", "ar"):
    for _divisor in (10, 100):
        ROWS[f"lasso {_name} max/{_divisor}"] = lasso_problem, _name, _divisor, 1e-6
for _name in ("riboflavin", "leukemia", "basehock", "ar"):
    ROWS[f"path {_name}"] = path_problem, _name, 100, 1e-4
for _name in ("leukemia", "basehock"):
    for _divisor in (10, 100):
        ROWS[f"logistic {_name} max/{_divisor}"] = logistic_problem, _name, _divisor, 1e-6
for _divisor in (10, 50):
    ROWS[f"group max/{_divisor}"] = group_problem, "ar_groups", _divisor, 1e-6


def row(peers: Peers, name: str, repeat: int) -> dict[str, Any]:
    """Compare on one row of the table."""
    make, data, divisor, gap = ROWS[name]
    problem, ours = make(data, divisor)
    peers.load(*problem)
    names = ("celer", "skglm", "adelie") if problem[0] == "group" else None
    return compare(peers, ours, gap, repeat=repeat, **({"names": names} if names else {}))


class Lasso:
    """Ours over the best peer that reaches the same gap."""

    number = 1
    timeout = 900
    params = tuple(ROWS)

    def setup(self, name: str) -> None:
        self.peers = Peers()

    def teardown(self, name: str) -> None:
        self.peers.close()

    def track_ratio_best_peer(self, name: str) -> float:
        return ratio_to_best(row(self.peers, name, 7))

    track_ratio_best_peer.unit = "ratio"


class FirstLasso:
    """Seconds of the first lasso of a process, beyond the imports of NumPy, SciPy and Numba."""

    number = 1
    timeout = 300

    def track_second_process(self) -> float:
        return fresh_processes(FIRST_LASSO)

    def track_empty_cache(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            command = [sys.executable, "-c", FIRST_LASSO]
            run = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
        return float(run.stdout.split()[-1])

    track_second_process.unit = track_empty_cache.unit = "seconds"


def main(pattern: str = "", repeat: str = "7") -> None:
    """Print seconds of everyone on the rows whose name has the pattern."""
    peers = Peers()
    for name in ROWS:
        if pattern in name:
            result = row(peers, name, int(repeat))
            seconds = {k: round(1e3 * v, 2) for k, v in result["seconds"].items()}
            missed = {
                k: v.get("error", f"{v['certificate']:.1e}")
                for k, v in result["prepared"].items()
                if k not in seconds
            }
            print(f"{name:34} ratio {ratio_to_best(result):.3f}  ms {seconds}  missed {missed}")
            sys.stdout.flush()
    peers.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
