"""
Two moons, thirty labels: label propagation by greedy forests
=============================================================

Thirty points of two interleaved half circles carry a label; every other point takes the mean of
its neighbours' labels. That is a sparse quadratic problem. Block coordinate descent can minimise
over a whole forest of nodes exactly and in linear time, by passing messages from the leaves to the
roots and back, so its blocks may hold half of all nodes.

It needs the extra ``plot``.
"""

# %%
# The problem
# -----------
# The graph joins every point with its five nearest neighbours. Each of its components needs a
# label, so the labelled points are drawn again until that is so.

import contextlib

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.linalg import spsolve

from sparseopt import datasets, losses, solvers

n, count = 600, 30
points, moon = datasets.two_moons(n, rng=0)
graph = datasets.neighbour_graph(points, 5)
rng = np.random.default_rng(0)
loss = None
while loss is None:
    labelled = rng.choice(n, count, replace=False)
    with contextlib.suppress(ValueError):
        loss = losses.LabelPropagation(graph, labelled, moon[labelled])

# %%
# Kinds of blocks
# ---------------
# Forests chosen anew at every step, by the gradient or at random; a fixed partition into forests; a
# colouring, whose blocks have no edge inside; and the largest gradients without regard to the
# graph, in blocks small enough for a dense solve in about the same time.

messages = {"update": "message-passing"}
general = round(loss.shape[0] ** (1 / 3))
grid = {
    "greedy forests": {"select": "gs", **messages},
    "fixed forests": {"select": "gs", "blocks": "forest"},
    "random forests": {"select": "random", **messages},
    "red-black": {"select": "gs", "blocks": "red-black"},
    f"general blocks of {general}": {"select": "gs", "update": "matrix", "block_size": general},
}
solvers.compare_bcd(loss, grid, max_iter=5)  # load the compiled parts first
runs = solvers.compare_bcd(loss, grid, max_iter=400, tol=1e-12, rng=0)
best = loss.value(spsolve(loss.Q.tocsc(), loss.q))

for name, run in runs.items():
    seconds, sizes = run.history["time"][-1], run.history["block"][1:]
    print(
        f"{name:22} {run.fun - best:9.2e} above the optimum after {run.nit} iterations, "
        f"{seconds:.2f} s, blocks of {sizes.mean():.0f} nodes"
    )

answer = loss.complete(runs["greedy forests"].x)
print(f"recognised: {100 * np.mean((answer > 0.5) == moon):.1f} % of the points")

# %%
# The picture
# -----------

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 4.8), layout="constrained")
edges = np.array(graph.nonzero()).T
for i, j in edges[edges[:, 0] < edges[:, 1]]:
    left.plot(*points[[i, j]].T, color="0.85", lw=0.6, zorder=1)
shown = left.scatter(*points.T, c=answer, cmap="coolwarm", s=14, zorder=2)
left.scatter(*points[labelled].T, facecolors="none", edgecolors="black", s=70, zorder=3)
left.set(title="labels (known ones are ringed)", aspect="equal", xticks=[], yticks=[])
figure.colorbar(shown, ax=left, shrink=0.8)
for name, run in runs.items():
    excess = np.maximum(run.history["fun"] - best, 1e-14)
    middle.semilogy(excess, label=name)
    right.loglog(np.maximum(run.history["time"] * 1e3, 0.05), excess, label=name)
middle.set(xlabel="iterations", ylabel="objective above its optimum", title="against iterations")
right.set(xlabel="milliseconds", title="against time")
middle.legend()
figure.savefig("label_propagation.png", dpi=100)
