"""Problems that the tests of cardinality-constrained transport share."""

import itertools

import numpy as np


def clouds(n, m, seed=0):
    """Two Gaussian clouds in five dimensions, squared distances over their maximum."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 5)), rng.standard_normal((m, 5))
    y[: m // 2] += 2.0
    y[m // 2 :] *= 0.5
    C = ((x[:, None] - y[None]) ** 2).sum(-1)
    return C / C.max()


def random_problem(rng, n, m):
    return rng.uniform(size=(n, m)), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))


def relaxation_by_cvxpy(cvxpy, C, a, b, k, gamma):
    """The relaxed problem as a cone program in the plan and the shares."""
    T = cvxpy.Variable(C.shape, nonneg=True)
    shares = cvxpy.Variable(C.shape, nonneg=True)
    terms = [
        cvxpy.quad_over_lin(T[i, j], shares[i, j])
        for i, j in itertools.product(*map(range, C.shape))
    ]
    objective = cvxpy.sum(cvxpy.multiply(C, T)) + 0.5 * gamma * sum(terms)
    limits = [shares <= 1, cvxpy.sum(shares, axis=0) <= k]
    marginals = [cvxpy.sum(T, axis=1) == a, cvxpy.sum(T, axis=0) == b]
    problem = cvxpy.Problem(cvxpy.Minimize(objective), limits + marginals)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return problem.value, T.value


def best_of_all_supports(C, a, b, k, gamma):
    """The hard problem by enumeration of what can be positive; infinite if there is no plan.

    With the support of a solution known, the solution is the projection of -C / gamma on the
    marginals there; every nonnegative projection is a plan within the limit.
    """
    n, m = C.shape
    best, target = np.inf, np.concatenate([a, b])
    sets = [s for size in range(1, k + 1) for s in itertools.combinations(range(n), size)]
    for chosen in itertools.product(sets, repeat=m):
        rows = np.array([i for column in chosen for i in column])
        cols = np.repeat(np.arange(m), [len(column) for column in chosen])
        if np.unique(rows).size < n:
            continue
        E = np.zeros((n + m, rows.size))
        E[rows, np.arange(rows.size)] = E[n + cols, np.arange(rows.size)] = 1.0
        point = -C[rows, cols] / gamma
        t = point + np.linalg.pinv(E) @ (target - E @ point)
        if np.abs(E @ t - target).max() < 1e-10 and t.min() > -1e-12:
            best = min(best, float(C[rows, cols] @ t + 0.5 * gamma * t @ t))
    return best
