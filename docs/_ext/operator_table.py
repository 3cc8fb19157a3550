"""Write the table of operators: each measured, at build time, against its oracle."""

import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

COUNT = 400
HEAD = """\
The catalogue of operators
==========================

Every operator, measured while this page was built: the largest excess of the objective
:math:`\\tfrac12 \\|x - v\\|^2 + s f(x)` at our point over the best value that the oracle found,
over at least {count} random inputs, with random parameters and steps between 0.1 and 10. The oracle
knows only the definition: a fine grid for functions of one number, an interior-point solver for
convex functions, an enumeration for combinatorial ones. ``tests/catalogue.py`` holds the rows, and
the tests assert them.

.. list-table::
   :header-rows: 1
   :widths: 22 44 16 18

   * - operator
     - function or set
     - oracle
     - largest deviation
"""


def write_table(app: Sphinx) -> None:
    """Measure every row and write ``api/operators.rst``."""
    source = Path(app.srcdir)
    sys.path.insert(0, str(source.parent / "tests"))
    import catalogue

    logger = logging.getLogger(__name__)
    lines = [HEAD.format(count=COUNT)]
    for row in catalogue.ROWS:
        deviation = catalogue.measure(row, COUNT)
        logger.info("measured %s: %.1e", row.name, deviation)
        shown = "below 1e-15" if deviation < 1e-15 else f"{deviation:.0e}"
        lines.append(
            f"   * - `sparseopt.prox.{row.name}`\n     - :math:`{row.formula}`\n"
            f"     - {row.kind}\n     - {shown}\n"
        )
    target = source / "api" / "operators.rst"
    text = "".join(lines)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Run after the API pages, which empty the folder, are written."""
    app.connect("builder-inited", write_table, priority=900)
    return {"parallel_read_safe": True}
