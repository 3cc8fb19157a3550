"""What several test files share."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def require(name):
    """Import an optional dependency; skip without it, or fail if every extra is expected."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("SPARSEOPT_REQUIRE_EXTRAS") == "1":
            pytest.fail(f"{name} is missing and SPARSEOPT_REQUIRE_EXTRAS=1")
        pytest.skip(f"needs {name}")


def run_python(source, *, path=ROOT, env=None):
    """Run a program in a fresh interpreter that imports the package from ``path``."""
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1", **(env or {})}
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment,
        cwd=path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
