"""
Quickstart: recover real signals from too few or blurred data
==============================================================

Two real signals that ship with PyWavelets. An electrocardiogram is recovered from 384, and from
256, compressed measurements of its 1024 samples; a photograph is recovered from a 9 x 9 blur.
Both are sparse in a wavelet basis, and that is all the solver knows about them.

Run it with ``python examples/quickstart.py``; it prints a table and writes ``quickstart.png``.
"""

# %%
# The problem is always the same: ``1/2 ||A c - y||^2`` plus a penalty that wants the coefficients
# ``c`` to be few. Reweighting repeats the l1 solve with lower weights where coefficients were
# large, which removes most of the bias of the l1 norm (Candes, Wakin, Boyd 2008). The levels and
# weights below were chosen by hand, once for each task.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pywt
from scipy.interpolate import CubicSpline

import sparseopt as so


def solve(loss, weights, levels, x0=None, **options):
    """Weighted l1, warm-started along a few decreasing levels."""
    result, iterations = x0, 0
    for lam in levels:
        result = so.minimize(loss, so.penalties.L1(lam * weights), x0=result, **options)
        iterations += result.nit
    return result, iterations


def reweighted(loss, weights, lam, start, floor, rounds, **options):
    """Weighted l1 with weights that fall where the last solution was large."""
    result, iterations = start, 0
    for _ in range(rounds):
        size = np.abs(result.x) * weights
        lower = weights * floor / (size + floor)
        result, more = solve(loss, lower, [lam], x0=result, **options)
        iterations += more
    return result, iterations


table = []


def report(task, method, before, after, result=None, iterations=0, seconds=0.0):
    """Keep one row of the table."""
    row = [task, method, "", f"{after:.4f}", "", "", "", ""]
    if before is not None:
        row[2], row[4] = f"{before:.4f}", f"{20 * np.log10(before / after):.2f} dB"
    if result is not None:
        row[5:] = f"{iterations}", f"{seconds:.2f}", f"{result.certificate:.1e}"
    table.append(row)


# %%
# An electrocardiogram from compressed measurements
# -------------------------------------------------
# Each measurement is a random mixture of all samples: random signs, an orthonormal DCT, and a
# random choice of rows. The unknown is the signal's orthonormal wavelet transform.

ecg = pywt.data.ecg().astype(float)
n = ecg.size
wavelet = so.linop.Wavelet(n, "sym5", 4)
weights = np.ones(n)
weights[wavelet.approximation] = 0.2  # coarse coefficients are rarely zero: press them less
recovered = {}

for m in (384, 256):
    rng = np.random.default_rng(0)
    mixing = so.linop.DCT(n, rng.choice(n, m, replace=False)) @ so.linop.Diagonal(
        rng.choice([-1.0, 1.0], n)
    )
    y = mixing @ ecg
    A = mixing @ wavelet.T
    loss = so.losses.LeastSquares(A, y)
    lam_max = np.max(np.abs(A.T @ y) / weights)
    levels = lam_max * np.geomspace(1e-1, 5e-4, 4)  # the data are exact, so end near zero
    task = f"ECG, {m} of {n}"

    def error(x):
        """Relative error of a reconstruction."""
        return np.linalg.norm(x - ecg) / np.linalg.norm(ecg)

    minimum_norm = mixing.T @ y
    base = error(minimum_norm)
    report(task, "minimum norm", base, base)

    start = time.perf_counter()
    plain, iterations = solve(loss, weights, levels, tol=1e-5)
    seconds = time.perf_counter() - start
    report(task, "l1", base, error(wavelet.T @ plain.x), plain, iterations, seconds)

    start = time.perf_counter()
    floor = 0.03 * np.max(np.abs(plain.x) * weights)  # what counts as large when reweighting
    better, more = reweighted(loss, weights, 5 * levels[-1], plain, floor, 5, tol=1e-5)
    seconds += time.perf_counter() - start
    steps = iterations + more
    report(task, "reweighted l1", base, error(wavelet.T @ better.x), better, steps, seconds)

    errors = []
    for _ in range(100):
        samples = np.sort(rng.choice(n, m, replace=False))
        errors.append(error(CubicSpline(samples, ecg[samples])(np.arange(n))))
    report(task, "(spline, plain samples: median of 100 draws)", None, np.median(errors))
    report(task, "(spline, plain samples: best of 100 draws)", None, np.min(errors))
    recovered[m] = (minimum_norm, wavelet.T @ better.x)

# %%
# A photograph from a blurred one
# -------------------------------
# The camera sees 9 x 9 averages and a little noise (variance 0.308 on a scale of 255). Where the
# blur reaches outside the picture nothing is assumed: only pixels whose whole neighbourhood is
# inside are data. The unknown is a stationary (undecimated) wavelet transform of the image.

image = pywt.data.camera().astype(np.float32)
blur = so.linop.Convolution(image.shape, np.ones((9, 9)) / 81, "mask", dtype=np.float32)
rng = np.random.default_rng(0)
blurred = blur(image)
blurred += np.sqrt(0.308) * rng.standard_normal(blurred.shape).astype(np.float32)
inside = image[4:-4, 4:-4]


def error(x):
    """Relative error of a picture."""
    return np.linalg.norm(x - inside) / np.linalg.norm(inside)


task, base = "camera, 9 x 9 blur", error(blurred)
depth = 4
frame = so.linop.StationaryWavelet(image.shape, "haar", depth, dtype=np.float32)
weights = np.empty(frame.out_shape, np.float32)
weights[0] = 0.01  # the coarse image is not sparse
for scale in range(depth):  # the norm of an atom halves with every coarser scale
    weights[1 + 3 * scale : 4 + 3 * scale] = 2.0 ** (scale - depth)
weights = weights.ravel()
loss = so.losses.LeastSquares(blur @ frame.T, blurred.ravel())
guess = frame(np.pad(blurred, 4, mode="edge")).ravel()


def picture(result):
    """The image behind a result's coefficients."""
    return frame.H(result.x.reshape(frame.out_shape))[4:-4, 4:-4]


# %%
# A fixed budget of iterations is enough here; the warning that the gap is still above ``tol`` would
# only say what the table says too.

with warnings.catch_warnings():
    warnings.simplefilter("ignore", so.ConvergenceWarning)
    start = time.perf_counter()
    plain, iterations = solve(loss, weights, [0.045], x0=guess, tol=1e-6, max_iter=80)
    seconds = time.perf_counter() - start
    report(task, "l1", base, error(picture(plain)), plain, iterations, seconds)
    start = time.perf_counter()
    better, more = reweighted(loss, weights, 0.09, plain, 3.0, 3, tol=1e-6, max_iter=40)
    seconds += time.perf_counter() - start
deblurred = picture(better)
report(task, "reweighted l1", base, error(deblurred), better, iterations + more, seconds)

# %%
# What came out
# -------------
# "before" and "after" are relative errors, "before" that of the minimum-norm solution or of the
# blurred picture, and "gain" is their ratio. The last column bounds how far the objective is from
# its optimum, relative to its value at zero.

header = ["task", "method", "before", "after", "gain", "iterations", "seconds", "gap"]
widths = [max(len(row[i]) for row in [header, *table]) for i in range(len(header))]
for row in [header, ["-" * w for w in widths], *table]:
    print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())

# %%
# A spline through equally many plain samples is a fair opponent on so smooth a signal, and with
# luck a better one: all depends on whether samples fall on every peak. Mixtures cannot miss one.

figure, axes = plt.subplot_mosaic(
    [["ecg"] * 3, ["ecg256"] * 3, ["sharp", "blurred", "deblurred"]],
    figsize=(10, 10),
    height_ratios=[1, 1, 1.9],
    layout="constrained",
)
for name, m in (("ecg", 384), ("ecg256", 256)):
    minimum_norm, best = recovered[m]
    axes[name].plot(minimum_norm, color="0.75", lw=0.8, label="minimum norm")
    axes[name].plot(ecg, color="black", lw=2.0, label="signal")
    axes[name].plot(best, color="tab:red", lw=1.0, label="sparseopt, reweighted l1")
    axes[name].set_title(f"Electrocardiogram from {m} of {n} compressed measurements")
    axes[name].set_xlim(0, n - 1)
axes["ecg"].legend(ncols=3, loc="upper right", fontsize=8)
zoom = (slice(60, 260), slice(130, 330))
for name, picture_, title in (
    ("sharp", inside, "the scene (detail)"),
    ("blurred", blurred, "what the camera saw"),
    ("deblurred", deblurred, f"sparseopt: {20 * np.log10(base / error(deblurred)):.1f} dB better"),
):
    axes[name].imshow(picture_[zoom], cmap="gray", vmin=0, vmax=255)
    axes[name].set_title(title)
    axes[name].axis("off")
figure.savefig("quickstart.png", dpi=110)
