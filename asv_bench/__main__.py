"""Run the benchmarks in the present environment: ``python -m asv_bench [options of asv run]``.

For example ``python -m asv_bench --quick -b prox`` runs those of one file, once each. Everything
is measured with one thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_name("asv.conf.json")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: list[str]) -> int:
    """Describe the machine without asking, then run."""
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
    asv = [sys.executable, "-m", "asv"]
    config = ["--config", str(CONFIG)]
    machine = [*asv, "machine", "--yes", *config]
    known = subprocess.run(machine, env=environment, capture_output=True, text=True)
    if known.returncode:
        print(known.stdout + known.stderr, file=sys.stderr)
        return known.returncode
    run = [*asv, "run", *config, "--python=same", "--show-stderr", *arguments]
    return subprocess.run(run, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
