"""
Routing tokens to experts: who is left out?
===========================================

A sparse mixture of experts sends every token through few of its experts, and an expert has a fixed
number of slots. If every token takes its favourite (token choice), popular experts overflow and
tokens are dropped. If every expert takes its favourites (expert choice), all slots are used but
some tokens have no expert while others have several. Optimal transport with at most k tokens for
each expert balances both sides; a fixed number of passes, far from a full solve, is enough.

It needs the extra ``plot``.
"""

# %%
# The router
# ----------
# 512 tokens, 16 experts of unequal popularity. The affinities are the softmax of normal logits.

import time

import matplotlib.pyplot as plt
import numpy as np

from sparseopt import transport

rng = np.random.default_rng(0)
n, m = 512, 16
logits = rng.normal(size=(n, m)) + rng.normal(size=m)
affinity = np.exp(logits)
affinity /= affinity.sum(axis=1, keepdims=True)

# %%
# Tokens without an expert
# ------------------------
# The capacity factor c gives an expert ceil(c n / m) slots: at c = 1 there is one slot for each
# token. ``complete=True`` then moves the few tokens that were left out to slots that are free, or
# taken by tokens that have another expert.

rules = {
    "token choice": {"method": "token-choice"},
    "expert choice": {"method": "expert-choice"},
    "transport": {},
    "transport, completed": {"complete": True},
}
transport.route(affinity, complete=True)  # load the compiled parts first

capacities = np.array([1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0])
dropped = {
    name: [transport.route(affinity, c, **rule).drop_fraction for c in capacities]
    for name, rule in rules.items()
}
print("tokens without an expert, in %   c =", "  ".join(f"{c:5.2f}" for c in capacities))
for name, fractions in dropped.items():
    print(f"  {name:33}", "  ".join(f"{100 * x:5.1f}" for x in fractions))

# %%
# What it costs: a few milliseconds here, and time grows with the number of affinities. The affinity
# that the plan carries is close to that of an exactly solved transport problem.

for name, rule in rules.items():
    start = time.perf_counter()
    routing = transport.route(affinity, 1.25, **rule)
    print(
        f"{name:22} {1e3 * (time.perf_counter() - start):6.2f} ms, "
        f"affinity of the plan {routing.affinity:.4f}"
    )

# %%
# The picture
# -----------
# In the middle, the slots that are used: popular experts are full, the least wanted are nearly idle
# under token choice. On the right, how many experts a token has: expert choice gives a third of the
# tokens two to four and leaves others without.

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 4.6), layout="constrained")
for name, fractions in dropped.items():
    dash = "--" if "completed" in name else "-"
    left.plot(capacities, 100 * np.array(fractions), dash, marker="o", ms=4, label=name)
left.set(xlabel="capacity factor c", ylabel="% of tokens", title="tokens without an expert")
left.legend()

popularity = np.argsort(-np.bincount(affinity.argmax(axis=1), minlength=m))
width = 0.27
for i, (name, rule) in enumerate(list(rules.items())[:3]):
    routing = transport.route(affinity, 1.25, **rule)
    middle.bar(np.arange(m) + (i - 1) * width, routing.counts[popularity], width, label=name)
    experts = np.bincount(np.diff(routing.plan.indptr), minlength=6)
    right.bar(np.arange(6) + (i - 1) * width, experts[:6], width, label=name)
middle.axhline(n / m, color="0.4", lw=1, ls=":")
middle.set(
    xlabel="expert, by popularity", ylabel="tokens served", title="load at c = 1.25 (dots: n / m)"
)
middle.set_xticks(range(m))
right.set(xlabel="experts of a token", ylabel="tokens", title="experts per token at c = 1.25")
right.legend()
figure.savefig("routing.png", dpi=90)
