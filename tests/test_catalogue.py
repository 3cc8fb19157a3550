"""Every operator minimises its own definition, and the catalogue would notice if it did not."""

import dataclasses

import catalogue
import numpy as np
import pytest
from helpers import require

from sparseopt import prox

CVXPY = [row for row in catalogue.ROWS if row.oracle is catalogue.by_cvxpy]
OTHERS = [row for row in catalogue.ROWS if row.oracle is not catalogue.by_cvxpy]


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row.name)
def test_against_search(row):
    assert catalogue.measure(row) < 1e-6


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("row", CVXPY, ids=lambda row: row.name)
def test_against_cvxpy(row):
    require("cvxpy")
    assert catalogue.measure(row) < 1e-6


def test_catalogue_is_complete():
    rows = {row.name for row in catalogue.ROWS}
    operators = {name for name in prox.__all__ if not name.startswith("solve_")}
    assert rows == operators, rows ^ operators


class Fraud:
    """A penalty with some of its methods replaced."""

    def __init__(self, penalty, **methods):
        self._penalty = penalty
        vars(self).update({name: method(penalty) for name, method in methods.items()})

    def __getattr__(self, name):
        return getattr(self._penalty, name)


def measure_fraud(name, **methods):
    """Deviation of the first row of this name with other methods, which take the penalty."""
    row = next(row for row in catalogue.ROWS if row.name == name)
    draw = row.penalty
    row = dataclasses.replace(row, penalty=lambda rng: Fraud(draw(rng), **methods), count=100)
    return catalogue.measure(row)


def identity(penalty):
    return lambda v, step: v


def zero(penalty):
    return lambda x: 0.0 * x


def twice(penalty):
    return lambda v, step: penalty.prox(v, 2.0 * step)


def halved(penalty):
    return lambda v, step: 0.5 * penalty.prox(v, step)


def not_a_number(penalty):
    return lambda v, step: np.nan * v


def no_function(penalty):
    return lambda x: 0.0


SEARCHED = ["l1", "lq", "group_mcp", "rank", "project_box", "project_sphere", "project_top_k"]
SOLVED = ["linf", "k_support", "nuclear", "project_l1_ball", "project_simplex"]
EITHER = [*SEARCHED, *(pytest.param(name, marks=pytest.mark.extras) for name in SOLVED)]


def skip_unless_solved(name):
    if name in SOLVED:
        require("cvxpy")


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("name", EITHER)
def test_identity_with_value_zero_is_caught(name):
    skip_unless_solved(name)
    assert not measure_fraud(name, prox=identity, value=zero) < 1e-3


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("name", EITHER)
def test_shrinking_too_far_is_caught(name):
    skip_unless_solved(name)
    assert not measure_fraud(name, prox=halved) < 1e-3


@pytest.mark.parametrize("name", ["l1", "mcp", "logistic", "group_lq", "schatten", "l1_minus_l2"])
def test_twice_the_level_is_caught(name):
    """Also with a value that agrees with it."""
    value = {"value": lambda penalty: lambda x: 2.0 * penalty.value(x)}
    assert not measure_fraud(name, prox=twice, **value) < 1e-3


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("name", EITHER)
def test_nan_is_caught(name):
    skip_unless_solved(name)
    assert not measure_fraud(name, prox=not_a_number) < 1e-3


@pytest.mark.extras
@pytest.mark.parametrize("name", SOLVED)
def test_wrong_cvxpy_is_caught(name):
    """Though the operator is right, and even if it solves the wrong problem."""
    require("cvxpy")
    wrong = {"as_cvxpy": no_function}
    with pytest.raises(AssertionError, match="as_cvxpy is another"):
        measure_fraud(name, **wrong)
    with pytest.raises(AssertionError, match="as_cvxpy is another"):
        measure_fraud(name, prox=identity, value=zero, **wrong)
