"""Random numbers, groups, the lazy front doors and which way imports run."""

import ast
import importlib
import pkgutil

import numpy as np
import pytest
from helpers import ROOT, require, run_python

import sparseopt
from sparseopt._core import Groups, as_groups, as_rng

PACKAGE = ROOT / "sparseopt"


def test_as_rng():
    assert as_rng(3).random() == as_rng(np.int64(3)).random() == np.random.default_rng(3).random()
    generator = np.random.default_rng(0)
    assert as_rng(generator) is generator
    assert as_rng(None).random() != as_rng(None).random()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    as_rng(None).random()
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (1.0, TypeError),
        (True, TypeError),
        ("0", TypeError),
        (np.random.RandomState(0), TypeError),
        ([1, 2], TypeError),
    ],
)
def test_as_rng_refuses(value, error):
    with pytest.raises(error, match="rng"):
        as_rng(value)


@pytest.mark.parametrize(
    ("groups", "n", "labels", "sizes"),
    [
        ([0, 0, 1], 3, [0, 0, 1], [2, 1]),
        ((2, 0, 2), 3, [2, 0, 2], [1, 0, 2]),
        (np.array([1, 1], np.uint8), 2, [1, 1], [0, 2]),
        ([[2, 0], [1]], 3, [0, 1, 0], [2, 1]),
        ([np.array([1]), [], (0, 2)], 3, [2, 0, 2], [1, 0, 2]),
        ([range(2), range(2, 4)], 4, [0, 0, 1, 1], [2, 2]),
        ([], 0, [], []),
        ([[]], 0, [], [0]),
    ],
)
def test_groups(groups, n, labels, sizes):
    found = as_groups(groups, n)
    assert found.labels.tolist() == labels
    assert found.sizes.tolist() == sizes
    assert found.n == n
    assert as_groups(found, n) is found
    assert len(repr(found)) < 60


def test_groups_are_copied():
    labels = np.array([0, 1, 1])
    found = as_groups(labels, 3)
    labels[:] = 0
    assert found.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("groups", "n", "error", "match"),
    [
        ([[0, 1], [1, 2]], 3, ValueError, "index 1 is covered twice"),
        ([[0, 0], [1]], 2, ValueError, "index 0 is covered twice"),
        ([[0], [3]], 4, ValueError, "index 1 is never covered"),
        ([[0], [4]], 4, ValueError, r"groups\[1\] must index 0 .. 3, got 4"),
        ([[0], [-1]], 2, ValueError, r"groups\[1\].*-1"),
        ([[0.0], [1]], 2, TypeError, r"groups\[0\]"),
        ([[True, False]], 2, TypeError, r"groups\[0\]"),
        ([0, [1, 2]], 3, TypeError, r"groups\[0\]"),
        ([0, 1], 3, ValueError, r"groups must be one label per coordinate, \(3,\)"),
        ([0, -1, 1], 3, ValueError, "groups must be labels >= 0, got -1"),
        ([0.0, 1.0], 2, TypeError, "groups"),
        ([True, False], 2, TypeError, "groups"),
        (["a", "b"], 2, TypeError, "groups"),
        (None, 2, TypeError, "groups"),
        (np.zeros((2, 2), int), 2, ValueError, "groups"),
        (Groups(np.array([0, 1]), 2), 3, ValueError, "groups must label 3 coordinates, got 2"),
    ],
)
def test_groups_that_are_no_partition(groups, n, error, match):
    with pytest.raises(error, match=match):
        as_groups(groups, n)


DOORS = sorted(
    [
        name
        for _, name, is_package in pkgutil.walk_packages([str(PACKAGE)], "sparseopt.")
        if is_package
    ]
    + ["sparseopt"]
)


@pytest.mark.parametrize("door", DOORS)
def test_front_door(door):
    if door == "sparseopt.sklearn":  # estimators cannot be defined without their base class
        require("sklearn.base")
    module = importlib.import_module(door)
    path = ROOT.joinpath(*door.split("."), "__init__.py")
    tree = ast.parse(path.read_text())
    typed = {}
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    assert alias.asname == alias.name, "re-export as `x as x`"
                    typed[alias.name] = statement.module
        else:  # a door defines nothing else
            assert isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign), ast.unparse(node)
    assert sorted(typed) == sorted(module.__all__) == sorted(set(module.__all__))
    assert dir(module) == sorted(module.__all__)
    for name, home in typed.items():
        value = getattr(module, name)
        if home is None:
            assert value is importlib.import_module(f"{door}.{name}")
        else:
            assert value is getattr(importlib.import_module(f"{door}.{home}"), name)
    with pytest.raises(AttributeError, match=f"{door}.*no_such_name"):
        module.no_such_name  # noqa: B018
    with pytest.raises(ImportError):
        exec(f"from {door} import no_such_name")
    assert module.__doc__


def test_star_import_and_version():
    scope = {}
    exec("from sparseopt import *", scope)
    assert scope["minimize"] is sparseopt.minimize
    assert sparseopt.__version__


FLOORS = {
    "_core": 0,
    "prox": 1,
    "linop": 1,
    "losses": 2,
    "penalties": 2,
    "solvers": 3,
    **dict.fromkeys(
        [
            "bayes",
            "lowrank",
            "transport",
            "wht",
            "sampling",
            "dictionary",
            "imaging",
            "pruning",
            "privacy",
        ],
        4,
    ),
    **dict.fromkeys(["nn", "sklearn", "plots", "datasets"], 5),
}
ALLOWED_UPWARD = {("solvers", "plots")}  # records draw themselves when they are asked to


def package_imports(path):
    """(part of the package, at module level?) for each import of the package in a file."""
    home = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = list(home[: -node.level]) if node.level else []
            module = [*base, *(node.module or "").split(".")] if node.module else base
            names = [[*module, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        for name in names:
            if name[0] == "sparseopt" and len(name) > 1:
                yield name[1]


def test_imports_run_downward():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if home == "__init__":
            continue
        assert home in FLOORS, f"{home} has no floor: add it to the table"
        for other in package_imports(path):
            if (home, other) in ALLOWED_UPWARD:
                continue
            if other in FLOORS and other != home and FLOORS[other] >= FLOORS[home]:
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert not wrong


def test_import_loads_nothing_heavy():
    out = run_python(
        "import sys; import numpy; before = set(sys.modules); import sparseopt\n"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    heavy = set(
        [
            "numba",
            "scipy",
            "pywt",
            "torch",
            "matplotlib",
            "tqdm",
            "sklearn",
            "cvxpy",
            "array_api_compat",
        ]
    )
    assert not heavy & set(out.split())


@pytest.mark.parametrize("part", ["prox", "penalties", "losses", "linop", "solvers", "datasets"])
def test_optional_dependencies_stay_out(part):
    out = run_python(
        f"import sys; import sparseopt; dir(sparseopt.{part})\n"
        "from sparseopt import *\n"
        f"[getattr(sparseopt.{part}, name) for name in sparseopt.{part}.__all__]\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    assert not {"torch", "matplotlib", "tqdm", "sklearn", "cvxpy"} & set(out.split())
