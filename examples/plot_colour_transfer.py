"""
Colour transfer between two photographs
=======================================

Give one photograph the colours of another: the colours of both are clouds of points in the RGB
cube, and a transport plan says which colour becomes which. This script compares the plans of four
solvers: how close each is to the cheapest one, with proof, and how many colours it mixes.

The photographs ship with scikit-learn. It needs the extras ``sklearn`` and ``plot``.
"""

# %%
# Clouds of colours
# -----------------
# K-means reduces each photograph to 500 colours; the mass of a colour is its share of the pixels.
# The cost is the squared distance in the unit cube, so that moving from black to white costs 3.

import time

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_sample_images

from sparseopt import transport

china, flower = (image / 255.0 for image in load_sample_images().images)
n = 500


def colours(image):
    """Colours, their masses, and which colour each pixel has."""
    pixels = image.reshape(-1, 3)
    model = MiniBatchKMeans(n, batch_size=4096, n_init=1, max_iter=20, random_state=0)
    model.fit(pixels[::7])
    label = model.predict(pixels)
    mass = np.bincount(label, minlength=n).astype(float)
    sums = [np.bincount(label, channel, n) for channel in pixels.T]
    return np.stack(sums, axis=1) / np.maximum(mass, 1.0)[:, None], mass / mass.sum(), label


x, a, label_x = colours(china)
y, b, label_y = colours(flower)
cost = transport.PointCost(x, y)
print(
    f"{(a > 0).sum()} and {(b > 0).sum()} colours, the rarest with a mass of {a[a > 0].min():.1e}"
)

# %%
# Entropic plans
# --------------
# ``eps`` is in the units of the cost: at ``eps`` a colour is blurred over a distance of about
# sqrt(eps). Every run returns a bracket that provably contains the cost of the cheapest plan,
# without anyone having solved that problem. Each run starts from the potentials of the one before.

transport.entropic(transport.PointCost(x[:9], y[:9]), None, None, 0.01)  # load the compiled parts
strengths = np.array([1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5])
runs, warm = [], None
start = time.perf_counter()
for eps in strengths:
    warm = transport.entropic(cost, a, b, eps, x0=warm)
    runs.append(warm)
print(f"{len(runs)} strengths in {time.perf_counter() - start:.2f} s")
print("     eps   steps   certificate            bracket of the cost      width")
for eps, run in zip(strengths, runs, strict=True):
    low, high = run.bracket
    print(
        f"{eps:8.0e} {run.nit:7d} {run.certificate:13.1e}   [{low:.9f}, {high:.9f}]  "
        f"{high - low:.1e}"
    )

# %%
# Sparse plans
# ------------
# The quadratic regulariser leaves a few targets to every colour. The convex relaxation behind
# `cardinality` is told how many a column should have; here some have a few more than that. The
# exact plan is a vertex of the polytope: at most n + m - 1 entries.


def timed(solve, *arguments, **options):
    start = time.perf_counter()
    result = solve(*arguments, **options)
    return result, time.perf_counter() - start


plans = {
    "entropic, eps = 0.01": timed(transport.entropic, cost, a, b, 1e-2),
    "entropic, eps = 0.0001": timed(transport.entropic, cost, a, b, 1e-4),
    "quadratic, gamma = 10": timed(transport.quadratic, cost, a, b, 10.0),
    "cardinality, k = 3": timed(transport.cardinality, cost, a, b, 3, 10.0, tol=1e-6),
    "exact": timed(transport.exact, cost, a, b),
}
print(f"{'plan':24}{'s':>5}{'cost':>11}{'entries > 1e-8':>16}{'in a column: mean':>20}{'most':>6}")
for name, (result, seconds) in plans.items():
    counts = (result.plan > 1e-8).sum(axis=0)
    print(
        f"{name:24}{seconds:5.2f}{result.cost:11.6f}{counts.sum():16d}{counts.mean():20.1f}"
        f"{counts.max():6d}"
    )

# %%
# The photographs
# ---------------
# A plan moves every colour to the mean of its targets. For entropic plans this map is defined
# between the 500 colours as well: the potential g alone gives the weights of the targets of any
# colour, :math:`\exp((g_j - \|x - y_j\|^2) / \varepsilon)`, so that pixels of one cluster need not
# become equal. The same potentials, read the other way, recolour the other photograph. For sparse
# plans a pixel moves as the centre of its cluster does, which shows the borders of the clusters in
# the sky. At ``eps = 0.1`` the means of many targets are muted; at 0.01 the colours are as vivid as
# those of the sparse plan.


def by_potential(image, eps, targets, potential):
    """Every pixel to the mean of the targets, weighted by the potentials."""
    pixels = image.reshape(-1, 3).astype(np.float32)
    targets, shift = targets.astype(np.float32), np.float32(1 / eps)
    height = ((potential - (targets**2).sum(axis=1)) / eps).astype(np.float32)
    out = np.empty_like(pixels)
    for i in range(0, len(pixels), 2048):
        weight = pixels[i : i + 2048] @ (2 * shift * targets.T) + height
        weight -= weight.max(axis=1, keepdims=True)
        np.exp(weight, out=weight)
        out[i : i + 2048] = (weight @ targets) / weight.sum(axis=1, keepdims=True)
    return out.reshape(image.shape).clip(0, 1)


def by_plan(image, plan, mass, label, sources, targets):
    """Every pixel by the way its cluster goes."""
    way = (plan @ targets) / np.maximum(mass, 1e-300)[:, None] - sources
    return (image + way[label].reshape(image.shape)).clip(0, 1)


pictures = {"two photographs": (china, flower)}
for eps, run in list(zip(strengths, runs, strict=True))[:3:2]:
    f, g = run.potentials
    pair = by_potential(china, eps, y, g), by_potential(flower, eps, x, f)
    pictures[f"entropic, eps = {eps:g}"] = pair
few = plans["cardinality, k = 3"][0].plan
pictures["cardinality, k = 3"] = (
    by_plan(china, few, a, label_x, x, y),
    by_plan(flower, few.T, b, label_y, y, x),
)

figure, axes = plt.subplots(2, 4, figsize=(16, 5.7), layout="constrained")
for column, (title, pair) in zip(axes.T, pictures.items(), strict=True):
    for ax, image in zip(column, pair, strict=True):
        ax.imshow(image)
        ax.axis("off")
    column[0].set_title(title)
figure.savefig("colour_transfer.png", dpi=100)

# %%
# The plans, and what they prove
# ------------------------------
# The colours of both photographs in the plane of their largest variance, circles for the first and
# squares for the second; a line for every entry of the plan, as opaque as its mass (entries below a
# thousandth of the largest are left out).

clouds = np.concatenate([x, y])
plane = np.linalg.svd(clouds - clouds.mean(axis=0), full_matrices=False)[2][:2].T


def draw(ax, result, title):
    rows, cols = np.nonzero(result.plan > 1e-3 * result.plan.max())
    share = result.plan[rows, cols] / result.plan.max()
    ends = np.stack([x[rows] @ plane, y[cols] @ plane], axis=1)
    shade = np.concatenate([x[rows], np.minimum(0.15 + share, 1)[:, None]], axis=1)
    ax.add_collection(LineCollection(ends, colors=shade, linewidths=0.6, zorder=1))
    for places, mass, marker in ((x, a, "o"), (y, b, "s")):
        ax.scatter(
            *(places @ plane).T,
            s=6 + 4000 * mass,
            c=places.clip(0, 1),
            marker=marker,
            edgecolors="0.3",
            linewidths=0.4,
            zorder=2,
        )
    ax.set(title=title, xticks=[], yticks=[], aspect="equal")
    ax.margins(0.03)


figure, axes = plt.subplots(1, 3, figsize=(16, 3.6), layout="constrained")
for ax, name in zip(axes[:2], ("entropic, eps = 0.01", "cardinality, k = 3"), strict=True):
    result = plans[name][0]
    draw(ax, result, f"{name}: {(result.plan > 1e-8).sum()} entries")
best = plans["exact"][0].cost
low, high = np.array([run.bracket for run in runs]).T
axes[2].loglog(strengths, high - best, "o-", ms=4, label="plan above the optimum")
axes[2].loglog(strengths, best - low, "s-", ms=4, label="potentials below the optimum")
axes[2].loglog(strengths, high - low, "k:", lw=1.2, label="width of the bracket (known)")
axes[2].set(xlabel="eps", ylabel="cost", title="the bracket around the exact cost")
axes[2].legend(frameon=False)
figure.savefig("colour_plans.png", dpi=100)
