"""Runs the peers of optimal transport, in an environment of their own, on request.

The client writes one JSON object a line to standard input and reads one from standard output:
``prepare`` finds the loosest tolerance, in half decades, with which a peer's plan has the asked L1
marginal error (measured here, never taken from the peer), ``run`` times one solve with it.
Everything is one thread; compilation is not timed; every peer forms its plan.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

warnings.filterwarnings("ignore")
# JAX sizes its pool of threads by NPROC.
os.environ |= {"NPROC": "1", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"


class Problem:
    """Cost, marginals, strength of the regularisation, and nonzeros per column."""

    def __init__(self, path: str) -> None:
        with np.load(path) as stored:
            self.kind = str(stored["kind"])
            self.C = np.ascontiguousarray(stored["C"])
            self.a, self.b = stored["a"], stored["b"]
            self.reg, self.k = float(stored["reg"]), int(stored["k"])
        self.C_columns = np.asfortranarray(self.C)

    def error(self, P: np.ndarray) -> float:
        """The L1 error of both marginals, relative to the mass; infinite if P is no plan."""
        if P.shape != self.C.shape or not np.isfinite(P).all() or P.min() < 0:
            return float("inf")
        off = np.abs(P.sum(axis=1) - self.a).sum() + np.abs(P.sum(axis=0) - self.b).sum()
        return float(off / self.a.sum())


class Run(NamedTuple):
    """A plan, the iterations it took, the seconds, and the seconds of the processor."""

    plan: np.ndarray
    iterations: int
    seconds: float
    cpu: float


Peer = Callable[[Problem, float, int], Run]


def timed(solve: Callable[[], tuple[Any, Any]]) -> Run:
    """Run ``solve``, which returns a plan and a number of iterations."""
    start, cpu = time.perf_counter(), time.process_time()
    plan, iterations = solve()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Run(np.asarray(plan), int(iterations), seconds, cpu)


def regot(name: str) -> Peer:
    """A function of regot."""

    def solve(p: Problem, tol: float, limit: int) -> Run:
        import regot

        def call() -> tuple[Any, Any]:
            result = getattr(regot, name)(p.C_columns, p.a, p.b, p.reg, tol=tol, max_iter=limit)
            return result.plan, result.niter

        return timed(call)

    return solve


def pot_sinkhorn(name: str) -> Peer:
    """A function of POT's ``bregman``."""

    def solve(p: Problem, tol: float, limit: int) -> Run:
        import ot

        def call() -> tuple[Any, Any]:
            plan, log = getattr(ot.bregman, name)(
                p.a, p.b, p.C, p.reg, numItermax=limit, stopThr=tol, log=True, warn=False
            )
            return plan, log.get("niter", log.get("n_iter"))

        return timed(call)

    return solve


def pot_smooth(name: str) -> Peer:
    """A function of POT's ``smooth``: L-BFGS on the dual or the semi-dual."""

    def solve(p: Problem, tol: float, limit: int) -> Run:
        import ot

        options: dict[str, Any] = {"reg_type": "l2"}
        if p.kind == "cardinality":
            options = {"reg_type": "sparsity_constrained", "max_nz": p.k}

        def call() -> tuple[Any, Any]:
            plan, log = getattr(ot.smooth, name)(
                p.a, p.b, p.C, p.reg, numItermax=limit, stopThr=tol, log=True, **options
            )
            return plan, log["res"].nit

        return timed(call)

    return solve


def pot_emd(p: Problem, tol: float, limit: int) -> Run:
    """The network simplex of POT."""
    import ot

    return timed(lambda: (ot.emd(p.a, p.b, p.C, numItermax=10**7), 0))


@functools.lru_cache(maxsize=16)
def ott_program(variant: str, shape: tuple[int, int], ratio: float, limit: int) -> Any:
    """A compiled Sinkhorn of OTT that forms the plan; ``ratio`` is max C / eps."""
    import jax
    from ott.geometry import epsilon_scheduler, geometry
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import acceleration, sinkhorn

    options: dict[str, Any] = {
        "momentum": {"momentum": acceleration.Momentum(value=1.5)},
        "adaptive": {"momentum": acceleration.Momentum(start=100)},
        "anderson": {"anderson": acceleration.AndersonAcceleration(memory=5)},
        "kernel": {"lse_mode": False},
    }.get(variant, {})

    def program(C: Any, a: Any, b: Any, eps: Any, tol: Any) -> Any:
        solver = sinkhorn.Sinkhorn(threshold=tol, max_iterations=limit, **options)
        schedule = eps
        if variant == "schedule":
            schedule = epsilon_scheduler.Epsilon(eps, init=0.5 * ratio, decay=0.9)
        problem = linear_problem.LinearProblem(geometry.Geometry(C, epsilon=schedule), a, b)
        out = solver(problem)
        return out.matrix, out.n_iters

    arrays = [jax.ShapeDtypeStruct(s, np.float64) for s in (shape, shape[:1], shape[1:], (), ())]
    return jax.jit(program).lower(*arrays).compile()


def ott(variant: str) -> Peer:
    """Sinkhorn of OTT, compiled before it is timed."""

    def solve(p: Problem, tol: float, limit: int) -> Run:
        import jax

        limit = max(10, limit // 10 * 10)  # it tests the error every 10 iterations
        program = ott_program(variant, p.C.shape, float(p.C.max() / p.reg), limit)
        arrays = [jax.device_put(np.asarray(v)) for v in (p.C, p.a, p.b, p.reg, tol)]
        jax.block_until_ready(arrays)
        return timed(lambda: jax.block_until_ready(program(*arrays)))

    return solve


PEERS: dict[str, Peer] = {
    "POT emd": pot_emd,
    "POT sinkhorn": pot_sinkhorn("sinkhorn_knopp"),
    "POT sinkhorn_stabilized": pot_sinkhorn("sinkhorn_stabilized"),
    "POT sinkhorn_log": pot_sinkhorn("sinkhorn_log"),
    "POT dual": pot_smooth("smooth_ot_dual"),
    "POT semi-dual": pot_smooth("smooth_ot_semi_dual"),
}
for _name in ("ssns", "splr"):
    PEERS[f"regot {_name}"] = regot(f"sinkhorn_{_name}")
for _name in ("grssn", "assn", "bcd", "pdaam", "apdagd", "lbfgs_dual", "lbfgs_semi_dual"):
    PEERS[f"regot {_name}"] = regot(f"qrot_{_name}")
for _name in ("default", "kernel", "momentum", "adaptive", "anderson", "schedule"):
    PEERS[f"OTT {_name}"] = ott(_name)


def attempt(
    peer: Peer, p: Problem, tol: float, cap: float, limit: int = 100
) -> tuple[Run, int, bool]:
    """Solve within about ``cap`` seconds: the run, its iteration limit, and whether it was cut.

    Compiled peers cannot be interrupted, so the limit grows until the peer stops by itself or the
    next run would take too long. The processor's seconds count, lest a busy machine cut it short.
    """
    while True:
        run = peer(p, tol, limit)
        if run.iterations < limit - 20:  # some look every 20 iterations
            return run, limit, False
        affordable = int(cap / run.cpu * limit)
        if affordable < 1.3 * limit:
            return run, limit, True
        limit = min(4 * limit, affordable)


def prepare(peer: Peer, p: Problem, target: float, cap: float) -> dict[str, Any]:
    """The loosest tolerance that reaches the target, or how near the peer came."""
    best: dict[str, Any] = {"reached": False, "certificate": float("inf"), "cut": False}

    def trial(tol: float) -> bool:
        try:
            run, limit, cut = attempt(peer, p, tol, cap, best.get("limit", 100))
        except Exception as error:  # some raise where others return what they have
            best.setdefault("error", repr(error)[:100])
            return False
        error = p.error(run.plan)
        reached = error <= target
        if reached or "limit" not in best or error < best["certificate"]:
            best.update(
                reached=reached,
                certificate=error,
                tol=float(tol),
                limit=limit,
                cut=cut,
                seconds=run.seconds,
                cpu=run.cpu,
                iterations=run.iterations,
                cost=float(np.vdot(p.C, run.plan)),
            )
        return reached

    start = tol = target / np.sqrt(max(p.C.shape))  # most test a Euclidean norm
    reached, before = trial(tol), float("inf")
    while not (reached or best["cut"]) and best["certificate"] < 0.9 * before and tol > 1e-16:
        before = best["certificate"]
        tol /= 10.0
        reached = trial(tol)
    while reached and tol < 1e-3 and p.kind != "exact":
        tol *= np.sqrt(10.0)
        reached = trial(tol)
    while "limit" not in best and start < 1e-2:
        start *= 10.0  # how near it comes where it does not raise
        trial(start)
    return best


def main() -> None:
    """Answer requests until the input ends."""
    problem: Problem | None = None
    chosen: dict[str, tuple[float, int]] = {}
    replies = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, Any] = {}
        if request["do"] == "load":
            problem, chosen = Problem(request["path"]), {}
        else:
            assert problem is not None
            name = request["peer"]
            if request["do"] == "prepare":
                target, cap = float(request["target"]), float(request["seconds"])
                reply = prepare(PEERS[name], problem, target, cap)
                if reply["reached"]:
                    chosen[name] = reply["tol"], reply["limit"]
            else:
                reply["seconds"] = PEERS[name](problem, *chosen[name]).seconds
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
