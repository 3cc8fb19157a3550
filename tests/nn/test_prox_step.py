"""ProxStep: the package's operators inside PyTorch's training loops."""

import copy
import pickle

import numpy as np
import pytest
from helpers import require, run_python

import sparseopt as so
from sparseopt import penalties as pen
from sparseopt import prox

pytestmark = pytest.mark.extras


@pytest.fixture
def torch():
    module = require("torch")
    module.manual_seed(0)
    return module


def optimizers(torch):
    o = torch.optim
    return {
        "sgd": lambda p, lr=0.1: o.SGD(p, lr=lr),
        "momentum": lambda p, lr=0.1: o.SGD(p, lr=lr, momentum=0.9),
        "nesterov": lambda p, lr=0.1: o.SGD(p, lr=lr, momentum=0.9, nesterov=True),
        "adam": lambda p, lr=0.1: o.Adam(p, lr=lr),
        "amsgrad": lambda p, lr=0.1: o.Adam(p, lr=lr, amsgrad=True),
        "adamw": lambda p, lr=0.1: o.AdamW(p, lr=lr),
        "rmsprop": lambda p, lr=0.1: o.RMSprop(p, lr=lr, momentum=0.5, centered=True),
        "adagrad": lambda p, lr=0.1: o.Adagrad(p, lr=lr),
        "adadelta": lambda p, lr=0.1: o.Adadelta(p, lr=lr),
        "nadam": lambda p, lr=0.1: o.NAdam(p, lr=lr),
        "rprop": lambda p, lr=0.1: o.Rprop(p, lr=lr),
        "lbfgs": lambda p, lr=0.1: o.LBFGS(p, lr=lr, max_iter=2),
    }


NAMES = [
    "sgd",
    "momentum",
    "nesterov",
    "adam",
    "amsgrad",
    "adamw",
    "rmsprop",
    "adagrad",
    "adadelta",
    "nadam",
    "rprop",
    "lbfgs",
]


def parameter(torch, *shape, dtype=None):
    return torch.nn.Parameter(torch.randn(shape, dtype=dtype or torch.float32))


def train(torch, optimizer, parameters, steps=5, seed=7):
    """Steps on a quadratic loss with a target that changes."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        targets = [torch.randn(p.shape, generator=generator).to(p.dtype) for p in parameters]

        def closure(targets=targets):
            optimizer.zero_grad()
            loss = sum(((p - t) ** 2).sum() for p, t in zip(parameters, targets, strict=True))
            loss.backward()
            return loss

        optimizer.step(closure)


@pytest.mark.parametrize("name", NAMES)
def test_any_optimizer(torch, name):
    """One step with the operator = the step without it, then the prox function by hand."""
    start = torch.randn(7, 5)
    plain, ours = (torch.nn.Parameter(start.clone()) for _ in range(2))
    make = optimizers(torch)[name]
    first, second = make([plain]), make([ours])
    step = so.nn.ProxStep(second, pen.L1(3.0))
    train(torch, first, [plain], steps=1)
    train(torch, second, [ours], steps=1)
    expected = prox.l1(plain.detach().numpy(), 3.0, step=0.1)
    np.testing.assert_array_equal(ours.detach().numpy(), expected)
    assert 0 < step.nonzeros()[0] < 35
    assert step.steps == 1
    zero = ours.detach() == 0
    for key, buffer in second.state[ours].items():
        if getattr(buffer, "shape", None) == ours.shape:
            if key not in ("step_size", "ax"):  # no momentum
                assert not buffer[zero].any()
            assert name == "rprop" or buffer[~zero].any()


def test_the_operator_is_applied_in_place_and_outside_autograd(torch):
    p = parameter(torch, 4, 3)
    address, before = p.data_ptr(), p._version
    optimizer = torch.optim.SGD([p], lr=0.1)
    so.nn.ProxStep(optimizer, pen.L1(1.0))
    train(torch, optimizer, [p], steps=1)
    assert p.data_ptr() == address
    assert p._version > before  # autograd knows that the weights changed
    assert p.is_leaf
    assert p.requires_grad
    loss = (p**2).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_cpu_weights_are_seen_without_a_copy(torch):
    p = parameter(torch, 4, 3)
    seen = []

    class Spy:
        def value(self, x):
            return 0.0

        def prox(self, v, step=1.0):
            seen.append((type(v), v.__array_interface__["data"][0], v.flags.writeable, step))
            return v / 2

    optimizer = torch.optim.SGD([p], lr=0.25)
    so.nn.ProxStep(optimizer, Spy())
    seen.clear()
    before = p.detach().clone()
    optimizer.step()
    assert seen == [(np.ndarray, p.data_ptr(), True, 0.25)]
    torch.testing.assert_close(p.detach(), before / 2)


def test_learning_rate_is_read_at_every_step(torch):
    p, q = parameter(torch, 3, 4), parameter(torch, 3, 4)
    optimizer = torch.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.5}], lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    step = so.nn.ProxStep(optimizer, pen.L1(0.3))
    p0, q0 = p.detach().clone().numpy(), q.detach().clone().numpy()
    for _ in range(3):  # without gradients the optimiser leaves the weights alone
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(p.detach(), prox.l1(p0, 0.3, step=0.175), atol=1e-6)
    np.testing.assert_allclose(q.detach(), prox.l1(q0, 0.3, step=0.875), atol=1e-6)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = p.detach().clone()
    optimizer.step()
    assert torch.equal(p.detach(), before)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1)
    step.strength = 10.0
    optimizer.step()
    np.testing.assert_allclose(p.detach(), prox.l1(before.numpy(), 3.0, step=0.1), atol=1e-6)


def test_one_penalty_per_parameter_group(torch):
    p, q, r = parameter(torch, 3, 4), parameter(torch, 2, 5), parameter(torch, 2, 2)
    optimizer = torch.optim.Adam([{"params": [p]}, {"params": [q]}, {"params": [r]}], lr=0.5)
    step = so.nn.ProxStep(optimizer, [pen.L1(1.0), None, pen.KSparse(1)])
    starts = [x.detach().clone().numpy() for x in (p, q, r)]
    assert step.sizes == [12, 4]
    optimizer.step()
    np.testing.assert_array_equal(p.detach(), prox.l1(starts[0], 1.0, step=0.5))
    np.testing.assert_array_equal(q.detach(), starts[1])
    assert step.nonzeros()[1] == 1
    with pytest.raises(ValueError, match=r"params\[0\] is in parameter group 1, .* no penalty"):
        so.nn.ProxStep(optimizer, [pen.L1(1.0), None, None], params=[q])


def by_view(view, w):
    """The groups of a view by their definition, one list of flat indices each."""
    index = np.arange(w.size).reshape(w.shape)
    if view == "filter":
        return [index[i].ravel() for i in range(w.shape[0])]
    if view == "channel":
        return [index[:, i].ravel() for i in range(w.shape[1])]
    return [index[i, j].ravel() for i in range(w.shape[0]) for j in range(w.shape[1])]


PENALTIES = [
    pen.L1(2.0),
    pen.MCP(2.0, 1.5),
    pen.L0(1.0),
    pen.Lq(2.0, 0.5),
    pen.KSparse(2),
    2.0 * pen.L1(1.0),
    pen.GroupEnvelope(3.0, None, 2),
]


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("view", ["filter", "channel", "kernel"])
@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 3, 3), (5, 4, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_grouped_views(torch, penalty, view, shape, dtype):
    p = parameter(torch, *shape, dtype=getattr(torch, dtype))
    optimizer = torch.optim.SGD([p], lr=0.5)
    so.nn.ProxStep(optimizer, penalty, view=view)
    before = p.detach().double().numpy().copy().ravel()
    groups = by_view(view, before.reshape(shape))
    labels = np.empty(before.size, int)
    for g, members in enumerate(groups):
        labels[members] = g
    expected = pen.RadialLift(penalty, labels).prox(before, 0.5).reshape(shape)
    optimizer.step()
    tol = {"float64": 1e-12, "float32": 1e-6, "float16": 2e-3, "bfloat16": 1e-2}[dtype]
    after = p.detach().double().numpy()
    np.testing.assert_allclose(after, expected, rtol=tol, atol=tol)
    if tol <= 1e-6:
        np.testing.assert_array_equal(after == 0, expected == 0)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_elements_of_any_shape(torch, penalty, dtype):
    for shape in [(3, 4), (2, 3, 2, 2), (5,), (), (0, 3)]:
        p = parameter(torch, *shape, dtype=getattr(torch, dtype))
        if p.numel() < 2:
            penalty = pen.L1(0.5)
        optimizer = torch.optim.SGD([p], lr=0.5)
        step = so.nn.ProxStep(optimizer, penalty, params=[p])
        before = p.detach().double().numpy().copy()
        optimizer.step()
        expected = penalty.prox(before.reshape(-1), 0.5).reshape(shape)
        tol = {"float64": 1e-12, "float32": 1e-6, "float16": 2e-3, "bfloat16": 1e-2}[dtype]
        np.testing.assert_allclose(p.detach().double().numpy(), expected, rtol=tol, atol=tol)
        assert step.nonzeros() == [np.count_nonzero(p.detach().double().numpy())]


def test_float32_agrees_with_numpy_to_the_last_bit(torch):
    p = parameter(torch, 6, 7)
    before = p.detach().numpy().copy()
    optimizer = torch.optim.SGD([p], lr=0.5)
    labels = np.arange(42) % 5
    so.nn.ProxStep(optimizer, pen.GroupL2(2.0, labels))  # a penalty with groups of its own
    optimizer.step()
    expected = prox.group_l2(before.ravel(), 2.0, labels, step=0.5).reshape(6, 7)
    np.testing.assert_array_equal(p.detach().numpy(), expected)


def test_non_contiguous_parameters(torch):
    p = torch.nn.Parameter(torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last))
    q = torch.nn.Parameter(torch.randn(6, 4).T)
    assert not p.is_contiguous()
    for view in ("element", "filter", "channel", "kernel"):
        optimizer = torch.optim.SGD([p, q], lr=0.1)
        step = so.nn.ProxStep(optimizer, pen.L1(1.0), view=view)
        before = q.detach().clone()
        optimizer.step()
        assert not torch.equal(q.detach(), before)
        step.detach()
    assert not p.is_contiguous()


def test_views_by_labels(torch):
    p = parameter(torch, 6, 4)
    before = p.detach().numpy().copy()

    def blocks(w):
        rows, columns = np.indices(w.shape)
        return rows // 2 * 2 + columns // 2

    for dtype in (torch.float32, torch.bfloat16):
        w = torch.nn.Parameter(p.detach().clone().to(dtype))
        optimizer = torch.optim.Adam([w], lr=0.5)
        step = so.nn.ProxStep(optimizer, pen.L1(4.0), view=blocks)
        assert step.sizes == [6]
        optimizer.step()
        expected = prox.group_l2(before.ravel(), 4.0, blocks(p).ravel(), step=0.5)
        tol = 1e-6 if dtype == torch.float32 else 3e-2
        np.testing.assert_allclose(
            w.detach().float().numpy(), expected.reshape(6, 4), rtol=tol, atol=tol
        )
        assert 0 < step.nonzeros()[0] < 6


def test_weights_and_biases_go_together(torch):
    layer = torch.nn.Linear(5, 4)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.5)
    step = so.nn.ProxStep(
        optimizer, pen.KSparse(2), params=[(layer.weight, layer.bias)], view="filter"
    )
    both = np.column_stack([layer.weight.detach().numpy(), layer.bias.detach().numpy()])
    norms = np.linalg.norm(both, axis=1)
    train(torch, optimizer, [layer.weight, layer.bias], steps=1)
    after = np.column_stack([layer.weight.detach().numpy(), layer.bias.detach().numpy()])
    assert step.sizes == [4]
    assert step.nonzeros() == [2]
    assert np.count_nonzero(np.any(after, axis=1)) == 2
    dead = ~np.any(after, axis=1)
    for p in (layer.weight, layer.bias):
        for name in ("exp_avg", "exp_avg_sq"):
            assert not optimizer.state[p][name][torch.as_tensor(dead)].any()
            assert optimizer.state[p][name][torch.as_tensor(~dead)].all()
    assert norms.shape == (4,)


@pytest.mark.parametrize("view", ["element", "filter"])
def test_joint_vectors(torch, view):
    p, q = parameter(torch, 4, 5), parameter(torch, 6, 3, dtype=torch.float64)
    optimizer = torch.optim.SGD([p, q], lr=0.1)
    step = so.nn.ProxStep(optimizer, pen.KSparse(5), view=view, joint=True)
    scores = [
        np.linalg.norm(w.detach().numpy(), axis=1) if view == "filter" else abs(w.detach().numpy())
        for w in (p, q)
    ]
    least = np.sort(np.concatenate([s.ravel() for s in scores]))[-5]
    optimizer.step()
    assert step.sizes == ([4, 6] if view == "filter" else [20, 18])
    assert step.nonzeros() == [int((s >= least).sum()) for s in scores]
    assert sum(step.nonzeros()) == 5
    optimizer = torch.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.2}], lr=0.1)
    so.nn.ProxStep(optimizer, pen.L1(1.0), joint=True)
    with pytest.raises(ValueError, match="share a learning rate"):
        optimizer.step()


@pytest.mark.parametrize(("name", "kept"), [("Rprop", "step_size"), ("ASGD", "ax")])
def test_buffers_that_are_no_momentum_stay(torch, name, kept):
    p = torch.nn.Parameter(torch.tensor([3.0, 0.01]))
    optimizer = getattr(torch.optim, name)([p], lr=0.1)
    so.nn.ProxStep(optimizer, pen.L1(2.0), params=[p])
    p.grad = torch.zeros(2)
    optimizer.step()
    assert p[1] == 0.0
    assert optimizer.state[p][kept][1] != 0.0


def test_buffers(torch):
    kept = {}
    for choice in (True, False, ("exp_avg",)):
        torch.manual_seed(0)
        p = parameter(torch, 8, 6)
        optimizer = torch.optim.Adam([p], lr=0.1)
        so.nn.ProxStep(optimizer, pen.L1(4.0), view="filter", clear_buffers=choice)
        train(torch, optimizer, [p], steps=3)
        dead = ~p.detach().any(dim=1)
        assert 0 < dead.sum() < 8
        state = optimizer.state[p]
        kept[choice] = bool(state["exp_avg"][dead].any()), bool(state["exp_avg_sq"][dead].any())
        assert state["step"] == 3
    assert kept == {True: (False, False), False: (True, True), ("exp_avg",): (False, True)}


def test_cleared_momentum_does_not_revive_a_weight(torch):
    for clear in (True, False):
        p = torch.nn.Parameter(torch.tensor([[1.0, 0.0]]))
        optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
        so.nn.ProxStep(optimizer, pen.L1(2.0), clear_buffers=clear)
        for _ in range(8):
            optimizer.zero_grad()
            (3.0 * p[0, 0]).backward()
            optimizer.step()
            if p[0, 0] <= 0:
                break
        optimizer.zero_grad()
        (0.0 * p[0, 0]).backward()
        optimizer.step()
        assert (p[0, 0] == 0.0) == clear


def test_state_dict_round_trip(torch, tmp_path):
    def make():
        torch.manual_seed(0)
        layer = torch.nn.Linear(6, 8)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
        return layer, optimizer, so.nn.ProxStep(optimizer, pen.MCP(1.0, 2.0), view="filter")

    layer, optimizer, step = make()
    parameters = list(layer.parameters())
    train(torch, optimizer, parameters, steps=5)
    step.strength = 1.7
    saved = copy.deepcopy((layer.state_dict(), optimizer.state_dict(), step.state_dict()))
    torch.save(saved, tmp_path / "checkpoint.pt")
    train(torch, optimizer, parameters, steps=5, seed=1)

    layer2, optimizer2, step2 = make()
    for part, state in zip(
        (layer2, optimizer2, step2), torch.load(tmp_path / "checkpoint.pt"), strict=True
    ):
        part.load_state_dict(state)
    assert step2.strength == 1.7
    assert step2.steps == 5
    train(torch, optimizer2, list(layer2.parameters()), steps=5, seed=1)
    assert torch.equal(layer.weight, layer2.weight)
    assert torch.equal(layer.bias, layer2.bias)
    assert step.state_dict() == step2.state_dict()
    assert pickle.loads(pickle.dumps(step.state_dict())) == step.state_dict()
    with pytest.raises(ValueError, match="strength"):
        step.load_state_dict({})
    with pytest.raises(ValueError, match="of \\[8\\] coordinates"):
        step.load_state_dict({"strength": 1.0, "steps": 3, "sizes": [9]})


def test_attach_and_detach(torch):
    p = parameter(torch, 3, 3)
    optimizer = torch.optim.SGD([p], lr=0.1)
    step = so.nn.ProxStep(optimizer, pen.L1(1.0))
    step.attach()  # already is
    optimizer.step()
    assert step.steps == 1
    step.detach()
    step.detach()
    before = p.detach().clone()
    optimizer.step()
    assert torch.equal(p.detach(), before)
    step.step()
    assert step.steps == 2
    assert not torch.equal(p.detach(), before)
    step.attach()
    optimizer.step()
    assert step.steps == 3
    assert "L1(lam=1.0)" in repr(step)


def test_hard_projection_reports_what_it_cut(torch):
    p = parameter(torch, 8, 3)
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    step = so.nn.ProxStep(optimizer, pen.GroupEnvelope(0.1, None, 3), view="filter")
    train(torch, optimizer, [p], steps=2)
    before = step.nonzeros()[0]
    assert before > 3
    assert step.project(pen.KSparse(3)) == before - 3
    assert step.nonzeros() == [3]
    assert step.project(pen.KSparse(3)) == 0
    dead = ~p.detach().any(dim=1)
    assert not optimizer.state[p]["momentum_buffer"][dead].any()


def test_default_params_are_the_weights(torch):
    net = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(3, 2)
    )
    net[3].weight.requires_grad_(False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    step = so.nn.ProxStep(optimizer, pen.L1(1.0))
    assert step.sizes == [54]
    assert so.nn.ProxStep(optimizer, pen.L1(1.0), view="kernel").sizes == [6]


def test_it_is_the_proximal_gradient_method(torch, rng):
    """Without momentum a lasso trained to the end is the solver's lasso."""
    A, y = rng.standard_normal((30, 8)), rng.standard_normal(30)
    result = so.minimize(so.losses.LeastSquares(A, y), pen.L1(4.0), tol=1e-12)
    p = torch.nn.Parameter(torch.zeros(1, 8, dtype=torch.float64))
    lr = 1 / np.linalg.norm(A, 2) ** 2
    optimizer = torch.optim.SGD([p], lr=lr)
    so.nn.ProxStep(optimizer, pen.L1(4.0))
    matrix, data = torch.tensor(A), torch.tensor(y)
    for _ in range(500):
        optimizer.zero_grad()
        (0.5 * (matrix @ p[0] - data).square().sum()).backward()
        optimizer.step()
    np.testing.assert_allclose(p.detach()[0], result.x, atol=1e-6)
    np.testing.assert_array_equal(p.detach()[0].numpy() == 0, result.x == 0)


def test_other_devices_take_the_native_path(torch, monkeypatch):
    """No second device here: pretend that no tensor can be viewed by NumPy."""
    from sparseopt._core import _elementwise, _namespace
    from sparseopt.nn import _prox_step, _views
    from sparseopt.prox import _groups

    def after(view, penalty, pretend):
        torch.manual_seed(1)
        p = parameter(torch, 5, 4)
        optimizer = torch.optim.Adam([p], lr=0.5)
        with monkeypatch.context() as patch:
            if pretend:
                for module in (_namespace, _elementwise, _groups, _prox_step, _views):
                    patch.setattr(module, "on_host", lambda x: False)
            step = so.nn.ProxStep(optimizer, penalty, view=view)
            train(torch, optimizer, [p], steps=2)
        assert step.nonzeros()[0] > 0
        return p.detach()

    def halves(w):
        return np.arange(w.numel()).reshape(w.shape) // 4

    for penalty in (pen.L1(0.8), pen.MCP(0.8, 1.5), pen.KSparse(2), pen.Lq(0.5, 0.5)):
        for view in ("element", "filter", "channel", halves):
            torch.testing.assert_close(
                after(view, penalty, True), after(view, penalty, False), rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o, p: so.nn.ProxStep(p, pen.L1(1.0)), TypeError, "optimizer"),
        (lambda o, p: so.nn.ProxStep(o, 3.0), TypeError, "penalty must be a penalty"),
        (lambda o, p: so.nn.ProxStep(o, [pen.L1(1.0)] * 2), ValueError, "1 parameter groups"),
        (lambda o, p: so.nn.ProxStep(o, [2.0]), TypeError, r"penalty\[0\]"),
        (lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), view="rows"), ValueError, "view"),
        (lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), params=[]), ValueError, "at least one"),
        (lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), params=["w"]), TypeError, r"params\[0\]"),
        (lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), params=[p, p]), ValueError, "twice"),
        (
            lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), params=[p.detach()]),
            ValueError,
            "not a parameter of optimizer",
        ),
        (
            lambda o, p: so.nn.ProxStep(o, pen.Simplex(), view="filter"),
            ValueError,
            r"does not fit params of shapes \[\(4, 3\)\]: f must not depend on signs",
        ),
        (
            lambda o, p: so.nn.ProxStep(o, pen.L1([1.0, 2.0])),
            ValueError,
            r"does not fit params of shapes \[\(4, 3\)\]: lam",
        ),
        (
            lambda o, p: so.nn.ProxStep(o, pen.GroupL2(1.0, [0, 1]), view="filter"),
            ValueError,
            "does not fit .* groups",
        ),
        (
            lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), view=lambda w: np.zeros(3, int)),
            ValueError,
            "view must label every entry",
        ),
        (
            lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), view=lambda w: np.ones((4, 3))),
            TypeError,
            "groups must be integer",
        ),
        (
            lambda o, p: setattr(so.nn.ProxStep(o, pen.L1(1.0)), "strength", 0.0),
            ValueError,
            "strength",
        ),
        (lambda o, p: so.nn.ProxStep(o, pen.L1(1.0)).project(2), TypeError, "penalty"),
        (
            lambda o, p: so.nn.ProxStep(o, pen.L1(1.0), clear_buffers="exp_avg"),
            TypeError,
            "clear_buffers",
        ),
    ],
)
def test_bad_input(torch, make, error, message):
    p = parameter(torch, 4, 3)
    with pytest.raises(error, match=message):
        make(torch.optim.SGD([p], lr=0.1), p)


def test_more_bad_parameters(torch):
    p, b, c = parameter(torch, 4, 3), parameter(torch, 5), parameter(torch, 4)
    optimizer = torch.optim.SGD([{"params": [p, b]}, {"params": [c]}], lr=0.1)
    with pytest.raises(ValueError, match="equal sizes along dimension"):
        so.nn.ProxStep(optimizer, pen.L1(1.0), params=[(p, b)], view="filter")
    with pytest.raises(ValueError, match="of one parameter group"):
        so.nn.ProxStep(optimizer, pen.L1(1.0), params=[(p, c)], view="filter")
    with pytest.raises(ValueError, match="at least 2 dimension"):
        so.nn.ProxStep(optimizer, pen.L1(1.0), params=[b], view="channel")
    with pytest.raises(ValueError, match="can be coupled under the views"):
        so.nn.ProxStep(optimizer, pen.L1(1.0), params=[(p, b)])
    with pytest.raises(ValueError, match="one and the same for joint"):
        so.nn.ProxStep(optimizer, [pen.L1(1.0), pen.L1(1.0)], params=[p, c], joint=True)
    z = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))
    with pytest.raises(TypeError, match=r"params\[0\] must be real"):
        so.nn.ProxStep(torch.optim.SGD([z], lr=0.1), pen.L1(1.0))
    failed = torch.optim.SGD([p], lr=0.1)
    with pytest.raises(ValueError, match="does not fit"):
        so.nn.ProxStep(failed, pen.L1([1.0] * 2))
    before = p.detach().clone()
    failed.step()  # nothing was attached
    assert torch.equal(p.detach(), before)


def test_gradient_scaler_that_skips_a_step(torch):
    p = parameter(torch, 3, 3)
    optimizer = torch.optim.SGD([p], lr=0.1)
    step = so.nn.ProxStep(optimizer, pen.L1(1.0))
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale((p * np.inf).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert step.steps == 0


def test_torch_is_imported_lazily_and_its_absence_explained():
    out = run_python(
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import sparseopt as so\n"
        "assert 'nn' in dir(so)\n"
        "from sparseopt.nn import ProxStep\n"
        "try:\n"
        "    ProxStep(None, None)\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    assert "sparseopt[torch]" in out
    loaded = run_python(
        "import sys, sparseopt.nn\nsparseopt.nn.ProxStep\nprint('torch' in sys.modules)\n"
    )
    assert loaded.strip() == "False"
