"""
Choosing blocks: rules, partitions and updates of block coordinate descent
==========================================================================

Nutini, Laradji and Schmidt (JMLR 2022) compare ways of choosing a block, of cutting coordinates
into blocks and of updating one, on problems whose columns differ widely in scale. This is their
comparison in small (their figures 4, 5, 7 and 10), against iterations, as in the paper, and
against time, which counts what a rule costs.

It needs the extra ``plot``.
"""

# %%
# The problem: least squares with 300 rows and 3000 columns, 20 % of the entries kept, columns
# scaled by normal numbers. Its optimum is zero.

import itertools

import matplotlib.pyplot as plt
import numpy as np

from sparseopt import datasets, losses, penalties, solvers

data = datasets.sparse_regression(300, 3000, rng=1)
loss = losses.LeastSquares(data.A, data.y)
variable, fixed = {"blocks": "variable"}, {"blocks": "sort"}
common = {"block_size": 5, "max_iter": 200, "tol": 1e-300, "rng": 0}


def grid(*rules):
    """Every rule with variable and with fixed blocks."""
    kinds = (("variable", variable), ("fixed", fixed))
    return {
        f"{rule}, {kind}": {"select": rule, **blocks}
        for rule, (kind, blocks) in itertools.product(rules, kinds)
    }


def gradient_and_matrix():
    """Figures 4 and 5."""
    one = solvers.compare_bcd(
        loss, grid("gsl", "gs", "cyclic", "random"), update="gradient", **common
    )
    two = solvers.compare_bcd(loss, grid("gsq", "gsd", "gsl", "gs"), update="matrix", **common)
    return one, two


gradient_and_matrix()  # once to load the compiled parts, so that the times below are fair
gradient_runs, matrix_runs = gradient_and_matrix()

# %%
# With a gradient step of one over the block's Lipschitz constant, what counts is to know these
# constants (GSL), then to know the gradient (GS). With the exact step for the block, variable
# blocks whose scores know the scale of each coordinate (GSD, GSQ) leave everything else behind.


def report(title, runs, best=0.0):
    """A table: what is left of the objective, and the seconds it took."""
    print(title)
    for name, run in sorted(runs.items(), key=lambda item: item[1].fun):
        print(f"  {name:22} {max(run.fun - best, 0.0):10.3g}  {run.history['time'][-1]:6.3f} s")


report("gradient updates, 200 iterations of 5 coordinates", gradient_runs)
report("matrix updates, 200 iterations of 5 coordinates", matrix_runs)

# %%
# How to cut the coordinates into fixed blocks: similar Lipschitz constants together.

partition_runs = solvers.compare_bcd(
    loss,
    {
        f"{rule}, {blocks}": {"select": rule, "blocks": blocks, "diagonal": diagonal}
        for rule, diagonal in (("gsl", None), ("gsd", "lipschitz"), ("gs", None))
        for blocks in ("sort", "average", "order")
    },
    update="gradient",
    **common,
)
report("partitions, gradient updates", partition_runs)

# %%
# A non-negative lasso. A rule that may choose any coordinates finds the support within a few
# steps; with blocks as large as the support the second-order updates then end exactly, up to
# rounding. The star marks the iteration after which the support no longer changes.

lam = 0.22 * float(np.max(loss.pull_back(data.y)))
penalty = penalties.NonnegativeL1(lam)
exact = solvers.bcd(loss, penalty, block_size=100, update="two-metric", tol=1e-14)
updates = {"TMP": "two-metric", "PN": "proximal-newton", "PG": "proximal-gradient"}
composite_grid = {
    f"{short}, {kind}": {"update": update, **blocks}
    for short, update in updates.items()
    for kind, blocks in (("variable", variable), ("fixed", fixed))
}
settings = {**common, "block_size": 100, "tol": 1e-14}
solvers.compare_bcd(loss, composite_grid, penalty, **{**settings, "max_iter": 2})  # compiles
composite_runs = solvers.compare_bcd(loss, composite_grid, penalty, **settings)
print(f"support of the solution: {np.count_nonzero(exact.x)} of {exact.x.size}")
report("non-negative lasso, blocks of 100", composite_runs, exact.fun)

# %%
# The picture
# -----------
# Above against iterations, below against time.

panels = {
    "gradient updates": (gradient_runs, 0.0),
    "matrix updates": (matrix_runs, 0.0),
    "fixed blocks: partitions": (partition_runs, 0.0),
    "non-negative lasso, blocks of 100": (composite_runs, exact.fun),
}
figure, axes = plt.subplots(2, 4, figsize=(17, 8), sharey="col", layout="constrained")
for column, (title, (runs, best)) in enumerate(panels.items()):
    for name, run in runs.items():
        first, second = name.split(", ")
        colours = list(dict.fromkeys(n.split(", ")[0] for n in runs))
        dashes = list(dict.fromkeys(n.split(", ")[1] for n in runs))
        style = {
            "color": f"C{colours.index(first)}",
            "linestyle": ["-", "--", ":"][dashes.index(second)],
            "label": name,
            "lw": 1.5,
        }
        left = np.maximum(run.history["fun"] - best, 1e-9)
        axes[0, column].semilogy(left, **style)
        axes[1, column].loglog(np.maximum(run.history["time"], 1e-4) * 1e3, left, **style)
        if best:
            found = solvers.identify_active_set(loss, penalty, run, exact.x).iteration
            if found is not None:
                axes[0, column].plot(found, left[found], "*", color=style["color"], ms=12)
    axes[0, column].set(title=title, xlabel="iterations")
    axes[1, column].set(xlabel="milliseconds")
    axes[0, column].legend(fontsize=7)
for row in axes:
    row[0].set_ylabel("objective above its optimum")
figure.savefig("bcd_rules.png", dpi=90)
