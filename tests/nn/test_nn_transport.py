"""Differentiable transport and routing in PyTorch."""

import numpy as np
import pytest
from helpers import require

from sparseopt import ConvergenceWarning, nn, transport

pytestmark = pytest.mark.extras

TIGHT = {"tol": 1e-13}


@pytest.fixture
def torch():
    module = require("torch")
    module.manual_seed(0)
    return module


def problem(torch, *batch, n=4, m=3, dtype=None):
    """Costs, and logits of both masses, that require gradients."""
    dtype = dtype or torch.float64
    shapes = ((*batch, n, m), (*batch, n), (*batch, m))
    C, u, v = (torch.randn(s, dtype=dtype) for s in shapes)
    return [t.requires_grad_() for t in (C.sigmoid(), 0.5 * u, 0.5 * v)]


@pytest.mark.parametrize("function", ["transport_plan", "transport_value"])
@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_entropic_gradcheck(torch, function, eps):
    def solve(C, u, v):
        return getattr(nn, function)(C, u.softmax(-1), v.softmax(-1), eps=eps, **TIGHT)

    assert torch.autograd.gradcheck(solve, problem(torch), atol=1e-6)


@pytest.mark.parametrize("function", ["transport_plan", "transport_value"])
@pytest.mark.parametrize("gamma", [0.3, 3.0])
def test_quadratic_gradcheck(torch, function, gamma):
    def solve(C, u, v):
        return getattr(nn, function)(C, u.softmax(-1), v.softmax(-1), gamma=gamma, **TIGHT)

    assert torch.autograd.gradcheck(solve, problem(torch), atol=1e-6)


def test_cardinality_gradients_are_those_of_arrays(torch):
    C, u, v = problem(torch, n=5, m=4)
    a, b = u.softmax(0), v.softmax(0)
    result = transport.cardinality(*(t.detach().numpy() for t in (C, a, b)), k=3, gamma=3.0)
    G = torch.randn_like(C)
    plan = nn.transport_plan(C, a, b, gamma=3.0, k=3)
    np.testing.assert_array_equal(plan.detach(), result.plan)
    found = torch.autograd.grad(plan, (C, a, b), G, retain_graph=True)
    for tensor, array in zip(found, transport.plan_vjp(result, G.numpy()), strict=True):
        np.testing.assert_array_equal(tensor, array)
    value = nn.transport_value(C, a, b, gamma=3.0, k=3)
    found = torch.autograd.grad(value, (C, a, b))
    for tensor, array in zip(found, transport.value_gradient(result), strict=True):
        np.testing.assert_array_equal(tensor, array)


def test_values_are_those_of_the_solver(torch):
    C, u, v = problem(torch)
    a, b = u.softmax(0), v.softmax(0)
    arrays = [t.detach().numpy() for t in (C, a, b)]
    result = transport.entropic(*arrays, 0.1)
    plan = nn.transport_plan(C, a, b, eps=0.1)
    np.testing.assert_array_equal(plan.detach().numpy(), result.plan)
    value = nn.transport_value(C, a, b, eps=0.1)
    assert value.item() == pytest.approx(result.value, abs=1e-8) and value.shape == ()
    uniform = nn.transport_plan(C, eps=0.1)
    np.testing.assert_allclose(uniform.sum(1).detach(), 0.25, atol=1e-8)


def test_batches_broadcast(torch):
    C, u, v = problem(torch, 2, 3)
    shared = u[0, 0].detach().requires_grad_()
    a, b = shared.softmax(-1), v[:, :1].softmax(-1)
    G = torch.randn_like(C)
    plan = nn.transport_plan(C, a, b, eps=0.2)
    value = nn.transport_value(C, a, b, eps=0.2)
    assert plan.shape == (2, 3, 4, 3) and value.shape == (2, 3)
    ((plan * G).sum() + value.sum()).backward()
    found = [t.grad.clone() for t in (C, shared, v)]
    for t in (C, shared, v):
        t.grad = None
    for i in range(2):
        for j in range(3):
            a, b = shared.softmax(-1), v[i, 0].softmax(-1)
            one = nn.transport_plan(C[i, j], a, b, eps=0.2)
            np.testing.assert_array_equal(one.detach(), plan[i, j].detach())
            total = (one * G[i, j]).sum() + nn.transport_value(C[i, j], a, b, eps=0.2)
            total.backward()
    for grad, t in zip(found, (C, shared, v), strict=True):
        torch.testing.assert_close(grad, t.grad, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_lower_precision(torch, name):
    dtype = getattr(torch, name)
    C, _, _ = problem(torch)
    low = C.detach().to(dtype).requires_grad_()
    exact = low.detach().double().requires_grad_()
    G = torch.randn(C.shape, dtype=torch.float64)
    options = {"eps": 0.2, "tol": 1e-6}
    for t, g in ((low, G.to(dtype)), (exact, G)):
        plan = nn.transport_plan(t, **options)
        value = nn.transport_value(t, **options)
        assert plan.dtype == value.dtype == t.dtype
        ((plan * g).sum() + value).backward()
    assert low.grad.dtype == dtype
    tolerance = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(low.grad.double(), exact.grad, atol=2 * tolerance, rtol=tolerance)


def test_only_wanted_gradients_and_no_mutation(torch):
    C, u, v = problem(torch)
    kept = C.detach().clone()
    b = v.softmax(0).detach()
    nn.transport_value(C.detach(), u.softmax(0), b, eps=0.3).backward()
    assert u.grad is not None and C.grad is None
    assert abs(u.grad.sum()) < 1e-12
    torch.testing.assert_close(C.detach(), kept, atol=0, rtol=0)
    with torch.no_grad():
        assert not nn.transport_plan(C, eps=0.3).requires_grad


def test_training_step_lowers_the_cost(torch):
    """Points moved along the gradient of the value come closer to others."""
    x = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    y = torch.randn(10, 2, dtype=torch.float64) + 3.0
    values = []
    optimizer = torch.optim.SGD([x], lr=2.0)
    for _ in range(30):
        optimizer.zero_grad()
        value = nn.transport_value(torch.cdist(x, y).square(), eps=0.05)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.05 * values[0]


def test_second_derivatives_are_refused(torch):
    C, _, _ = problem(torch)
    for function in (nn.transport_plan, nn.transport_value):
        out = function(C, eps=0.3).square().sum()
        (gradient,) = torch.autograd.grad(out, C, create_graph=True)
        with pytest.raises(RuntimeError, match="differentiate twice"):
            gradient.sum().backward()


def test_an_unsolved_problem_warns(torch):
    C, _, _ = problem(torch)
    with pytest.warns(ConvergenceWarning):
        nn.transport_plan(C, eps=1e-3, max_iter=1, tol=1e-12)


def test_device_round_trip(torch):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    C, _, _ = problem(torch)
    on_device = C.detach().cuda().requires_grad_()
    plan = nn.transport_plan(on_device, eps=0.2)
    routing = nn.route(on_device, 1.0)
    assert plan.device == routing.weights.device == on_device.device
    (plan.square().sum() + routing.weights.sum()).backward()
    host = nn.transport_plan(C, eps=0.2)
    (host.square().sum() + nn.route(C, 1.0).weights.sum()).backward()
    torch.testing.assert_close(on_device.grad.cpu(), C.grad)


def test_bad_input(torch):
    C, _, _ = problem(torch)
    a = torch.full((4,), 0.25, dtype=torch.float64)
    cases = [
        ({"eps": None}, ValueError, "^eps or gamma must be given"),
        ({"gamma": 1.0}, ValueError, "^eps or gamma must be given"),
        ({"k": 2}, ValueError, "^k must come with gamma"),
        ({"eps": -1.0}, ValueError, "^eps must be"),
        ({"sparse": True}, ValueError, "^sparse must be False"),
        ({"C": C.detach().numpy()}, TypeError, "^C must be a floating-point tensor"),
        ({"C": torch.ones(2, 2, dtype=torch.int64)}, TypeError, "^C must be a floating"),
        ({"C": C[0]}, ValueError, "^C must have at least 2"),
        ({"C": C[None][:0]}, ValueError, "^C must hold at least one problem"),
        ({"a": a.numpy()}, TypeError, "^a must be a floating-point tensor"),
        ({"b": a[0]}, ValueError, "^b must have at least 1"),
        ({"a": a[:3]}, ValueError, "^a must have shape"),
        ({"a": 2.0 * a}, ValueError, "^b must have the total mass"),
        ({"C": C.expand(2, 4, 3), "a": a.expand(3, 4)}, ValueError, "leading dimensions"),
    ]
    for options, error, message in cases:
        arguments = {"C": C, "eps": 1.0, **options}
        for function in (nn.transport_plan, nn.transport_value):
            with pytest.raises(error, match=message):
                function(**arguments)


def affinities(torch, n=40, m=5, dtype=None):
    logits = torch.randn(n, m, dtype=dtype or torch.float64) + torch.randn(m)
    return logits.requires_grad_(), logits.softmax(1)


@pytest.mark.parametrize("method", ["semi-dual", "token-choice", "expert-choice"])
def test_route_is_that_of_arrays(torch, method):
    logits, affinity = affinities(torch)
    routing = nn.route(affinity, 1.25, method=method)
    record = transport.route(affinity.detach().numpy(), 1.25, method=method)
    np.testing.assert_array_equal(routing.indices, record.indices)
    np.testing.assert_array_equal(routing.weights.detach(), record.weights)
    again = nn.route(affinity, 1.25, method=method)
    assert torch.equal(again.indices, routing.indices)
    routing.weights.sum().backward()
    chosen = torch.zeros(40, 5, dtype=torch.float64)
    for j, tokens in enumerate(record.indices):
        chosen[tokens[tokens >= 0], j] = 1.0
    (expected,) = torch.autograd.grad((logits.softmax(1) * chosen).sum(), logits)
    torch.testing.assert_close(logits.grad, expected)
    assert "40 tokens to 5 experts" in repr(routing)


def test_dispatch_and_combine_against_a_loop(torch):
    _, affinity = affinities(torch)
    routing = nn.route(affinity, 2.0, gamma=1e-3)  # leaves slots free
    assert (routing.indices < 0).any() and routing.record.counts.min() > 0
    x = torch.randn(40, 3, dtype=torch.float64, requires_grad=True)
    experts = [torch.nn.Linear(3, 2, dtype=torch.float64) for _ in range(5)]
    slots = routing.dispatch(x)
    assert slots.shape == (5, routing.indices.shape[1], 3)
    assert not slots[routing.indices < 0].any()
    out = routing.combine(torch.stack([f(s) for f, s in zip(experts, slots, strict=True)]))
    expected = [torch.zeros(2, dtype=torch.float64) for _ in range(40)]
    for j, tokens in enumerate(routing.indices.tolist()):
        for i in tokens:
            if i >= 0:
                expected[i] = expected[i] + affinity[i, j] * experts[j](x[i])
    torch.testing.assert_close(out, torch.stack(expected))
    assert not out[~torch.from_numpy(routing.record.covered)].any()
    out.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_free_slots_cannot_spread_nan(torch):
    _, affinity = affinities(torch)
    routing = nn.route(affinity, 2.0, gamma=1e-3)
    y = torch.ones(*routing.indices.shape, 1, dtype=torch.float64)
    y[routing.indices < 0] = torch.nan
    assert torch.isfinite(routing.combine(y)).all()


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_route_in_lower_precision(torch, name):
    _, affinity = affinities(torch, dtype=getattr(torch, name))
    routing = nn.route(affinity)
    assert routing.weights.dtype == affinity.dtype
    y = torch.ones(*routing.indices.shape, 2)
    assert routing.combine(y).dtype == torch.float32


def test_route_refuses(torch):
    _, affinity = affinities(torch)
    routing = nn.route(affinity)
    for call, error, message in (
        (lambda: nn.route(affinity.detach().numpy()), TypeError, "^affinity must be a floating"),
        (lambda: nn.route(affinity[0]), ValueError, "^affinity must be a non-empty matrix"),
        (lambda: nn.route(affinity, 0.0), ValueError, "^capacity must be"),
        (lambda: routing.dispatch(torch.ones(3, 2)), ValueError, "^x must have a shape"),
        (lambda: routing.combine(torch.ones(3, 2)), ValueError, "^y must have a shape"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_value_of_the_hard_problem_is_refused_before_it_is_solved(torch):
    with pytest.raises(ValueError, match="mode must be 'relaxed'"):
        nn.transport_value(torch.rand(4, 3), gamma=1.0, k=2, mode="hard")
