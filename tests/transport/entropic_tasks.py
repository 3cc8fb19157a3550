"""Problems and ways to run a solver of entropic transport that several test files share."""

import numpy as np

from sparseopt.transport._entropic_result import EntropicResult
from sparseopt.transport._problem import check_problem
from sparseopt.transport._result import problem_fields


def run(solver, C, a, b, eps, *, x0=None, tol=1e-10, max_iter=20_000, **own):
    """The result of an internal solver."""
    problem = check_problem(C, a, b)
    done = solver(problem, eps, problem.start(x0), tol=tol, max_iter=max_iter, **own)
    f, g = done.state.f, done.state.g
    fields = done.fields(solver.__name__) | problem_fields(problem, f, g, False)
    fields["fun"] += problem.shift * problem.mass
    return EntropicResult(**fields, eps=eps)


def random_task(seed, n, m, mass=1.0):
    """Costs in [0, 1] and random positive masses."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.05, rng.random(m) + 0.05
    return rng.random((n, m)), mass * a / a.sum(), mass * b / b.sum()


def clouds(n, seed=0):
    """Two Gaussian clouds in five dimensions, squared distances with largest 1."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 5)), rng.standard_normal((n, 5))
    y[: n // 2] += 2.0
    y[n // 2 :] *= 0.5
    C = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    return C / C.max()


def digit_pair(power, size=28):
    """Two handwritten digits, enlarged, on a pedestal of 0.01, and the distances of their cells."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    images = [zoom(image / 16.0, size / 8, order=1) + 0.01 for image in load_digits().images[:2]]
    cells = np.indices((size, size)).reshape(2, -1).T
    C = (np.abs(cells[:, None] - cells[None]).astype(float) ** power).sum(axis=2)
    return C / C.max(), *(image.ravel() / image.sum() for image in images)


def reference_plan(C, a, b, eps, sweeps=3000):
    """Textbook scaling, for problems where nothing underflows."""
    K = np.exp(-np.asarray(C, float) / eps)
    v = np.ones(K.shape[1])
    for _ in range(sweeps):
        u = a / (K @ v)
        v = b / (K.T @ u)
    return u[:, None] * K * v
