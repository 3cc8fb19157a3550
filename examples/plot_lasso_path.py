"""
Choosing the level of a lasso
=============================

The lasso trades fit against size by one number, its level ``lam``. `sparseopt.solvers.lasso_path`
solves for a hundred levels at once, each with a certificate; cross-validation and three rules
without held-out data then choose among them.

It needs the extra ``plot``.
"""

# %%
# Data
# ----
# 200 observations of 1000 correlated variables, of which 15 matter, with a third as much noise as
# signal.

import time

import matplotlib.pyplot as plt
import numpy as np

from sparseopt import datasets, plots, solvers

A, y, x = datasets.ar_regression(200, 1000, 0.5, 15, snr=3.0, rng=0)
noise = np.std(y - A @ x)

# %%
# The path
# --------
# From the smallest level at which everything is zero down to a hundredth of it. Each level starts
# from the solution before.

start = time.perf_counter()
path = solvers.lasso_path(A, y)
seconds = time.perf_counter() - start
print(path.message)
print(f"{seconds:.2f} s; every relative duality gap is below {path.certificate.max():.1e}")

# %%
# Cross-validation
# ----------------
# Ten folds. The careful choice is the largest level whose held-out loss is within one standard
# error of the best.

careful = solvers.lasso_cv(A, y, folds=10, rng=0)
best = path[careful.best]

# %%
# Rules without folds
# -------------------
# The discrepancy principle and SURE take the level of the noise, which we know here; GCV does not.

choices = {
    "discrepancy principle": solvers.discrepancy_principle(path, noise),
    "SURE": solvers.sure(path, noise),
    "GCV": solvers.gcv(path),
}

rows = {"cross-validation, best": best, "cross-validation, one standard error": careful}
rows |= {name: path[choice.index] for name, choice in choices.items()}
print(f"{'':38}{'variables':>10}{'of the 15':>10}{'error':>8}")
for name, fit in rows.items():
    found = np.count_nonzero(fit.x)
    right = np.count_nonzero(fit.x[x != 0])
    error = np.linalg.norm(A @ (fit.x - x)) / np.linalg.norm(A @ x)
    print(f"{name:38}{found:10d}{right:10d}{error:8.3f}")

# %%
# Pictures
# --------
# Left: coefficients against the level, the number of variables on top, with the careful choice
# dotted. Right: the held-out loss with its standard error, and both choices.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
plots.path(path, chosen=careful, ax=left)
plots.cross_validation(careful, ax=right)
plt.show()

# %%
# Every rule that minimises an error of prediction lets in many variables besides the right ones:
# the lasso shrinks what it keeps, and pays for that with company. A larger level, or a penalty
# that shrinks less, such as MCP, gives a smaller model.

assert np.count_nonzero(careful.x[x != 0]) >= 10
