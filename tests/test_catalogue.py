"""Every operator minimises its own definition."""

import catalogue
import pytest
from helpers import require

from sparseopt import prox

CVXPY = [row for row in catalogue.ROWS if row.oracle is catalogue.by_cvxpy]
OTHERS = [row for row in catalogue.ROWS if row.oracle is not catalogue.by_cvxpy]


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row.name)
def test_against_search(row):
    assert catalogue.measure(row, 400) < 1e-6


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("row", CVXPY, ids=lambda row: row.name)
def test_against_cvxpy(row):
    require("cvxpy")
    assert catalogue.measure(row, 100) < 1e-6


def test_catalogue_is_complete():
    rows = {row.name for row in catalogue.ROWS}
    operators = {name for name in prox.__all__ if not name.startswith("solve_")}
    assert rows == operators, rows ^ operators
