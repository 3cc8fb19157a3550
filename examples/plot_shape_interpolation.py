"""
Between two digits: displacement, barycenters and plain averages
================================================================

Halfway between two images lies their average, which shows both at once. Optimal transport moves
ink instead of fading it: along the lines of a sparse plan (displacement interpolation), or to the
masses that are closest to both (a barycenter). With more than two images the barycenter still has
a meaning, and four digits span a square of shapes.

The digits ship with scikit-learn. It needs the extras ``sklearn`` and ``plot``.
"""

# %%
# Digits as masses
# ----------------
# The 8 x 8 images of scikit-learn get a margin and are interpolated to 40 x 40 pixels; grey levels
# are masses.

import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits

from sparseopt import plots, transport

size = 40
images = load_digits().images


def density(index):
    small = np.pad(images[index], 1)
    image = np.maximum(zoom(small, size / 10, order=3), 0.0)
    image[image < 0.08 * image.max()] = 0.0
    return image / image.sum()


first, second = density(0), density(3)

# %%
# A sparse plan
# -------------
# The cost is the squared distance of pixels. Pixels without ink take no part. At ``eps = 0.3``
# square pixels the entropic plan is close to the cheapest: the bracket says how close.

cost = transport.GridCost((size, size))
start = time.perf_counter()
result = transport.entropic(cost, first.ravel(), second.ravel(), 0.3, sparse=True)
low, high = result.bracket
print(
    f"{np.count_nonzero(first)} and {np.count_nonzero(second)} pixels with ink, "
    f"{result.nit} steps, {time.perf_counter() - start:.2f} s\n"
    f"cost of the cheapest plan between {low:.4f} and {high:.4f}: pixels move "
    f"{np.sqrt(low):.2f} on (root mean square) average"
)
plan = result.sparse_plan(1e-6).tocoo()
print(f"{plan.nnz} entries above 1e-6, {plan.nnz / np.count_nonzero(first):.1f} for a pixel")

# %%
# Three ways from one to the other
# --------------------------------
# Displacement: the mass of every entry of the plan goes straight from its pixel to its target, and
# is shared between the four pixels around the place where it is at time t. Barycenter: on the same
# grid with weights (1 - t, t), blurred by its ``eps``; each starts from the one before.


def displaced(t):
    """The masses at time t on their way."""
    begin, end = (np.stack(np.unravel_index(i, (size, size)), axis=1) for i in (plan.row, plan.col))
    place = (1 - t) * begin + t * end
    corner = np.floor(place).astype(int)
    rest = place - corner
    image = np.zeros((size + 1, size + 1))
    for down in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - down - rest[:, 0]) * np.abs(1 - right - rest[:, 1])
            np.add.at(image, (corner[:, 0] + down, corner[:, 1] + right), plan.data * share)
    return image[:size, :size]


def barycenters(measures, weights, eps):
    """One barycenter for each row of the weights."""
    found, warm = [], None
    for w in weights:
        warm = transport.barycenter(cost, measures, eps, w, x0=warm, tol=1e-4)
        found.append(warm.x)
    return found


times = np.linspace(0, 1, 7)
start = time.perf_counter()
rows = {
    "average": [(1 - t) * first + t * second for t in times],
    "displacement": [displaced(t) for t in times],
    "barycenter": barycenters(np.stack([first, second]), np.stack([1 - times, times], 1), 0.5),
}
print(f"seven barycenters and the rest: {time.perf_counter() - start:.2f} s")

figure, axes = plt.subplots(3, 7, figsize=(12, 5.4), layout="constrained")
for line, (name, frames) in zip(axes, rows.items(), strict=True):
    for ax, frame, t in zip(line, frames, times, strict=True):
        ax.imshow(frame, cmap="Greys", vmin=0)
        ax.set(xticks=[], yticks=[])
        if name == "average":
            ax.set_title(f"t = {t:.2f}")
    line[0].set_ylabel(name)
figure.savefig("shape_interpolation.png", dpi=100)

# %%
# The plan itself, as lines from pixels of the 0 to pixels of the 3, and how its error fell: sweeps
# of Sinkhorn along a path of falling strengths, then Newton steps.

pixels = np.stack(np.unravel_index(np.arange(size**2), (size, size)), axis=1)[:, ::-1]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
plots.transport_plan(result, points=(pixels, pixels), threshold=0.1, ax=left)
left.invert_yaxis()
left.set(title="entries of the plan", xticks=[], yticks=[])
plots.transport_history(result, ax=right)
figure.savefig("shape_plan.png", dpi=100)

# %%
# Four digits
# -----------
# Barycenters of four digits, with bilinear weights.

corners = np.stack([density(index) for index in (0, 3, 2, 1)])
start = time.perf_counter()
side = np.linspace(0, 1, 5)
weights = np.array(
    [[(1 - s) * (1 - t), (1 - s) * t, s * (1 - t), s * t] for s in side for t in side]
)
square = barycenters(corners, weights, 0.7)
print(f"25 barycenters of four images: {time.perf_counter() - start:.2f} s")

figure, axes = plt.subplots(5, 5, figsize=(6, 6), layout="constrained")
for ax, image in zip(axes.flat, square, strict=True):
    ax.imshow(image, cmap="Greys", vmin=0)
    ax.axis("off")
figure.savefig("digit_square.png", dpi=100)
