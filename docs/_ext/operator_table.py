"""Write the table of operators: each measured, at build time, against its oracle."""

import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

HEAD = """\
The catalogue of operators
==========================

Every operator, measured while this page was built, over random inputs (the column says how many),
random parameters, and the steps {steps}; where the penalty is weakly convex with a constant
:math:`\\rho > 0`, also the step :math:`1/\\rho`. Each function is written once more, in plain NumPy
after the formula below, and that definition alone measures the objective
:math:`\\tfrac12 \\|x - v\\|^2 + s f(x)` at our point and at the point of an oracle. For a set it
measures the violation of the constraints instead, and the objective is
:math:`\\tfrac12 \\|x - v\\|^2`.

- *cvxpy* solves the convex problem that ``as_cvxpy`` states by an interior-point method. Its
  optimal value must agree with the definition at its own solution to a relative {agree:.0e}, and
  for a set the solution must satisfy the constraints as closely. Where the function has no closed
  formula, the definition minimises over its hidden variables: over all sets of full shares
  (enumeration), or over all splits on a grid.
- *enumeration* tries every set of coordinates, groups or singular values.
- *grid* looks at 20 001 or more points and refines around its three best basins; for angles around
  the best one. Grids of lengths and of singular values look for these alone, one by one, because
  the directions of the optimum are those of the input.

The largest deviation is that of our objective from the oracle's, either way, for cvxpy and for
enumeration. For a grid, which cannot go below the minimum, it is the excess of ours; ours may be
lower by up to {resolution:.0e}, and if it is lower by more, that counts too. For a set, the largest
violation counts as well, and a point that violates the constraints by more than
:math:`10^{{-9}} (1 + \\|v\\|)` fails the row. ``tests/catalogue.py`` holds the rows; the
tests assert that every deviation is below 1e-6, and that wrong operators do not pass.

.. list-table::
   :header-rows: 1
   :widths: 22 40 16 8 14

   * - operator
     - function or set
     - oracle
     - inputs
     - largest deviation
"""


def write_table(app: Sphinx) -> None:
    """Measure every row and write ``api/operators.rst``."""
    source = Path(app.srcdir)
    sys.path.insert(0, str(source.parent / "tests"))
    import catalogue

    logger = logging.getLogger(__name__)
    steps = ", ".join(f"{step:g}" for step in catalogue.STEPS)
    lines = [HEAD.format(steps=steps, agree=catalogue.AGREE, resolution=catalogue.RESOLUTION)]
    for row in catalogue.ROWS:
        deviation = catalogue.measure(row)
        logger.info("measured %s: %.1e", row.name, deviation)
        shown = "below 1e-15" if deviation < 1e-15 else f"{deviation:.0e}"
        lines.append(
            f"   * - `sparseopt.prox.{row.name}`\n     - :math:`{row.formula}`\n"
            f"     - {row.kind}\n     - {row.count}\n     - {shown}\n"
        )
    target = source / "api" / "operators.rst"
    text = "".join(lines)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Run after the API pages, which empty the folder, are written."""
    app.connect("builder-inited", write_table, priority=900)
    return {"parallel_read_safe": True}
