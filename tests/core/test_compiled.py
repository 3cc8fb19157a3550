"""Compiled kernels: cached on disk, never stale, safe in threads, compiled on first use only."""

import json
import shutil
import threading
import time

import numpy as np
import pytest
from helpers import ROOT, require, run_python

from sparseopt import prox
from sparseopt._core import cache_counts

USE = """
import numpy as np
import sparseopt as so
from sparseopt import _core
v = np.linspace(-3, 3, 7)
prox, penalties = so.prox, so.penalties
prox.l1(v, 0.5), prox.l1(v.astype(np.float32), 0.5), prox.l1(v + 1j, 0.5), prox.l1(v, abs(v))
prox.l0(v, 0.5), prox.lq(v, 0.5, 0.3), prox.lq(v, 0.5, 0.5), prox.elastic_net(v, 0.5, 1.0)
prox.mcp(v, 1.0, 3.0)
prox.group_l2(v, 0.5, [0, 0, 0, 1, 1, 1, 1])
prox.project_simplex(v), prox.project_top_k(v, 2)
penalties.L1(0.5).prox(v, 2.0), penalties.L0(0.5).value(v), penalties.MCP(1.0, 3.0).value(v)
penalties.Lq(0.5, 0.5).value(v), penalties.GroupL2(0.5, [0] * 7).value(v)
A = np.random.default_rng(0).standard_normal((5, 7))
loss = so.losses.LeastSquares(A, A[:, 0])
for penalty in (penalties.L1(0.1), penalties.MCP(0.1, 3.0), penalties.GroupL2(0.1, [0] * 7)):
    assert so.minimize(loss, penalty, tol=1e-4).success
print(*_core.cache_counts())
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package without any compiled kernel, and its own user cache."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        ROOT / "sparseopt", root / "sparseopt", ignore=shutil.ignore_patterns("__pycache__")
    )
    (root / "sparseopt" / "_user.py").write_text(
        "from ._core import jit\n"
        "from .prox._l1 import soft_threshold\n"
        "@jit\n"
        "def total_after_threshold(v, t):\n"
        "    total = 0.0\n"
        "    for i in range(v.size):\n"
        "        total += abs(soft_threshold(v[i], t))\n"
        "    return total\n"
    )
    return root


def test_second_process_compiles_nothing(package):
    hits, misses = map(int, run_python(USE, path=package).split())
    assert misses > 10
    hits, misses = map(int, run_python(USE, path=package).split())
    assert misses == 0
    assert hits > 10


EDITED = """
import json
import numpy as np
from sparseopt import penalties, prox
from sparseopt._core import cache_counts
from sparseopt._user import total_after_threshold
v = np.array([3.0, -4.0])
answers = {
    "l1": prox.l1(v, 1.0).tolist(),
    "elastic_net": prox.elastic_net(v, 1.0, 1.0).tolist(),
    "group_l2": prox.group_l2(v, 1.0, [0, 0]).tolist(),
    "L1.prox": penalties.L1(1.0).prox(v).tolist(),
    "GroupL2.prox": penalties.GroupL2(1.0, [0, 1]).prox(v).tolist(),
    "lq": prox.lq(v, 1.0, 1.0).tolist(),
    "mcp": prox.mcp(v, 1.0, 1e9).round(6).tolist(),
    "kernel": total_after_threshold(v, 1.0),
    "misses": cache_counts()[1],
}
print(json.dumps(answers))
"""

EDITED_TORCH = """
import json
import torch
from sparseopt import prox
v = torch.tensor([3.0, -4.0])
print(json.dumps({
    "l1": prox.l1(v, 1.0).tolist(),
    "l1 with a gradient": prox.l1(v.requires_grad_(), 1.0).tolist(),
    "group_l2": prox.group_l2(v, 1.0, [0, 0]).tolist(),
    "misses": 0,
}))
"""

CHANGED = {
    "l1": [1.0, -2.0],
    "l1 with a gradient": [1.0, -2.0],
    "elastic_net": [0.5, -1.0],
    "group_l2": [3.0 * 0.6, -4.0 * 0.6],
    "L1.prox": [1.0, -2.0],
    "GroupL2.prox": [1.0, -2.0],
    "lq": [1.0, -2.0],
    "mcp": [1.0, -2.0],
    "kernel": 3.0,
}


def before_and_after(package, source):
    """Answers of a program before and after the threshold is doubled in the formula's source."""
    path = package / "sparseopt" / "prox" / "_l1.py"
    text = path.read_text()
    old = "return v - minimum(maximum(v, -t), t)"
    assert text.count(old) == 1
    before = json.loads(run_python(source, path=package))
    try:
        path.write_text(text.replace(old, "return v - minimum(maximum(v, -2 * t), 2 * t)"))
        return before, json.loads(run_python(source, path=package))
    finally:
        path.write_text(text)


def test_an_edited_formula_changes_every_caller(package):
    before, after = before_and_after(package, EDITED)
    assert after.pop("misses") > 0
    for name, value in after.items():
        assert value == pytest.approx(CHANGED[name], abs=1e-6), name
        assert value != pytest.approx(before[name], abs=1e-3), name
    back = json.loads(run_python(EDITED, path=package))
    assert {**back, "misses": 0} == {**before, "misses": 0}
    again = json.loads(run_python(EDITED, path=package))
    assert again == {**before, "misses": 0}


@pytest.mark.extras
def test_an_edited_formula_changes_the_torch_form(package):
    require("torch")
    before, after = before_and_after(package, EDITED_TORCH)
    assert after.pop("misses") == before.pop("misses") == 0
    for name, value in after.items():
        assert value == pytest.approx(CHANGED[name], abs=1e-6), name
        assert value != pytest.approx(before[name], abs=1e-3), name


def test_nothing_is_compiled_at_import():
    out = run_python(
        "from sparseopt import *\n"
        "import sparseopt\n"
        "for door in (prox, penalties, losses, solvers, linop):\n"
        "    [getattr(door, name) for name in door.__all__]\n"
        "from sparseopt._core import _jit\n"
        "assert _jit._compiled\n"
        "print(sum(len(d.signatures) for d in _jit._compiled))"
    )
    assert out.strip() == "0"


@pytest.mark.parametrize("home", ["writable", "blocked"])
def test_installation_that_cannot_be_written(tmp_path, home):
    """Without a place beside the source, kernels go to the user's cache, or nowhere."""
    root = tmp_path / "site"
    shutil.copytree(
        ROOT / "sparseopt", root / "sparseopt", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in [root / "sparseopt", *(p for p in (root / "sparseopt").iterdir() if p.is_dir())]:
        (folder / "__pycache__").write_text("a file where a folder should be, even for root")
    cache = tmp_path / "home"
    cache.mkdir()
    if home == "blocked":
        cache = cache / "file"
        cache.write_text("")
    env = {"HOME": str(cache), "XDG_CACHE_HOME": str(cache), "NUMBA_CACHE_DIR": ""}
    source = (
        "import numpy as np; from sparseopt import prox, _core\n"
        "print(prox.l1(np.array([3.0, -0.5]), 1.0)[0], *_core.cache_counts())"
    )
    for process in range(2):
        value, hits, _ = run_python(source, path=root, env=env).split()
        assert float(value) == 2.0
        if home == "writable":
            assert (int(hits) > 0) == (process == 1)


def test_threads_at_once(rng):
    v = rng.standard_normal(20_000)
    v32 = v.astype(np.float32)
    jobs = [
        lambda: prox.l1(v, 0.5),
        lambda: prox.l1(v32, 0.5),
        lambda: prox.lq(v, 0.5, 0.7),
        lambda: prox.project_simplex(v),
        lambda: prox.group_l2(v, 0.5, np.arange(v.size) // 4),
    ]
    expected = [job() for job in jobs]
    wrong = []

    def work(first):
        for repeat in range(20):
            i = (first + repeat) % len(jobs)
            if not np.array_equal(jobs[i](), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_that_both_compile(package):
    out = run_python(
        "import threading, numpy as np\n"
        "from sparseopt import prox\n"
        "v, found = np.linspace(-3, 3, 9).astype(np.complex64), []\n"
        "def work(): found.append(prox.mcp(v, np.ones(9), 3.0, step=2.0))\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "assert len(found) == 4 and all(np.array_equal(f, found[0]) for f in found)\n"
        "print('fine')",
        path=package,
    )
    assert out.strip() == "fine"


def test_the_gil_is_released():
    from sparseopt._core._elementwise import _array_loop
    from sparseopt.prox._l1 import soft_threshold

    loop = _array_loop(soft_threshold, (False,), False)
    assert loop.targetoptions["nogil"]
    assert loop.targetoptions["error_model"] == "numpy"


def test_a_loop_is_made_once():
    before = cache_counts()
    v = np.ones(3)
    prox.l1(v, 0.5)
    between = cache_counts()
    start = time.perf_counter()
    for _ in range(100):
        prox.l1(v, 0.5)
    assert time.perf_counter() - start < 0.5
    assert cache_counts() == between
    assert between[1] >= before[1]


def test_a_formula_that_leaves_the_language_is_refused():
    from sparseopt._core import over_namespace

    def uses_numpy(x):
        return np.sqrt(x)

    with pytest.raises(TypeError, match="np"):
        over_namespace(uses_numpy, np)
