"""The result record: short repr, pickle, files without pickle."""

import dataclasses
import math
import pickle
from functools import cached_property

import numpy as np
import pytest

import sparseopt as so


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PlanResult(so.Result):
    """A subclass as a field would write it."""

    plan: object = None
    extra: object = None

    @cached_property
    def total(self):
        """Something that is computed on first use."""
        return float(np.sum(self.plan))


def make(kind=so.Result, **fields):
    fields = {
        "x": np.array([1.0, 0.0, -2.0]),
        "fun": 1.5,
        "success": True,
        "status": so.Status.CONVERGED,
        "message": "converged: gap 1e-7",
        "nit": 3,
        "certificate": 1e-7,
        "method": "fista",
        "history": {"fun": np.array([3.0, 1.5]), "time": np.array([0.0, 0.1])},
        **fields,
    }
    return kind(**fields)


def same(a, b):
    """Equality of nested values, types included."""
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        )
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def test_repr_is_short():
    text = repr(make(x=np.zeros((1000, 20))))
    assert "shape (1000, 20)" in text
    assert "converged: gap 1e-7" in text
    assert "fista" in text
    assert len(text) < 200
    assert repr(make(PlanResult)).startswith("PlanResult(")
    assert "x: shape ()" in repr(make(x=1.0))


def test_frozen():
    result = make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.x = None
    assert (result == make()) is False  # identity: arrays break equality


def test_pickle_leaves_out_what_can_be_computed_again():
    result = make(PlanResult, plan=np.ones((2, 2)))
    assert result.total == 4.0
    assert "total" in vars(result)
    again = pickle.loads(pickle.dumps(result))
    assert "total" not in vars(again)
    assert again.total == 4.0
    assert same(again.x, result.x)
    assert again.status is so.Status.CONVERGED
    assert "total" in vars(result)


EXTRAS = [
    None,
    True,
    -3,
    "text: ünïcode",
    2.5,
    math.inf,
    math.nan,
    1 - 2j,
    np.float32(1.5),
    np.arange(3),
    np.array(2.0 + 1j),
    np.array([1 + 2j, 3], np.complex64),
    np.array(["a", "bc"]),
    np.zeros((0, 3)),
    [],
    {},
    (1, [2.0, None], {"a": np.arange(2)}),
    {"a": {"b": np.zeros(2)}, "a.b": np.ones(3), "": None, "header": np.ones(1)},
    [{"x": [np.arange(2), np.arange(3.0)]}, "y"],
]


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda e: repr(e)[:30])
def test_save_and_load(tmp_path, extra):
    result = make(PlanResult, plan=np.eye(2), dual=np.array([1j, 2.0]), extra=extra)
    path = tmp_path / "result"
    result.save(path)
    assert path.exists()  # no suffix is added
    again = PlanResult.load(str(path))
    assert type(again) is PlanResult
    expected = extra[()] if isinstance(extra, np.ndarray) and extra.ndim == 0 else extra
    assert same(again.extra, expected)
    for field in dataclasses.fields(result):
        if field.name != "extra":
            assert same(getattr(result, field.name), getattr(again, field.name)), field.name
    assert again.status is so.Status.CONVERGED
    assert again.total == 2.0


def test_result_of_a_solver_survives(tmp_path):
    A = np.random.default_rng(0).standard_normal((6, 9))
    result = so.minimize(so.losses.LeastSquares(A, A[:, 0]), so.penalties.L1(0.1))
    result.save(tmp_path / "r.npz")
    for again in (so.Result.load(tmp_path / "r.npz"), pickle.loads(pickle.dumps(result))):
        assert repr(again) == repr(result)
        assert same(again.x, result.x)
        assert same(again.dual, result.dual)
        assert same(again.history, result.history)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", np.array([object()]), np.array([None, 1]), {1: "int key"}],
    ids=repr,
)
def test_what_cannot_be_saved(tmp_path, value):
    path = tmp_path / "r.npz"
    with pytest.raises(TypeError, match="extra"):
        make(PlanResult, extra=value).save(path)
    assert not path.exists()


def test_wrong_files(tmp_path):
    def check(name):
        with pytest.raises(ValueError, match=r"path must (name|hold)"):
            so.Result.load(tmp_path / name)

    (tmp_path / "empty").write_bytes(b"")
    check("empty")
    (tmp_path / "text").write_text("hello")
    check("text")
    np.save(tmp_path / "array.npy", np.arange(3))
    check("array.npy")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    check("other.npz")
    (tmp_path / "pickle").write_bytes(pickle.dumps([1]))
    check("pickle")
    with pytest.raises(FileNotFoundError):
        so.Result.load(tmp_path / "missing")


def test_load_as_another_class(tmp_path):
    make().save(tmp_path / "plain")
    make(PlanResult, plan=np.eye(2)).save(tmp_path / "plan")
    with pytest.raises(ValueError, match="PlanResult"):
        PlanResult.load(tmp_path / "plain")
    # A file never makes the reader import a module from outside the package.
    with pytest.raises(ValueError, match="record of sparseopt"):
        so.Result.load(tmp_path / "plan")
