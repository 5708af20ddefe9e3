"""A training step after the first allocates nothing large, and memory does not grow."""

import resource
import tracemalloc

import numpy as np
import pytest

from pellucid.models import Network, ThreeLayerConvNet, airbench, resnet9, resnet20, vgg
from pellucid.training import optim

LARGE = 1 << 20


def trained(steps, model, X, y, configs):
    for _ in range(steps):
        _, grads = model.loss(X, y)
        for name, w in model.params.items():
            model.params[name], configs[name] = optim.adam(w, grads[name], configs[name], out=w)


@pytest.fixture
def setting():
    model = ThreeLayerConvNet(hidden_dim=100, rng=0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 32, 32, 3), dtype=np.float32).transpose(0, 3, 1, 2)
    return model, X, rng.integers(0, 10, 50), {name: {} for name in model.params}


def test_nothing_large_is_allocated_after_the_first_step(setting):
    model, *rest = setting
    trained(2, model, *rest)
    buffers = model.workspace.allocations
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        trained(3, model, *rest)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert model.workspace.allocations == buffers
    assert peak - before < LARGE


READY_MADE = {
    "airbench": airbench((32, 48, 64)),
    "airbench, three convolutions": airbench((32, 48, 64), convolutions=3),
    "resnet9": resnet9(16),
    "resnet20": resnet20(1),
    "resnet20 with projections": resnet20(1, shortcut="projection"),
    "vgg": vgg(11, (16, 32, 32, 32, 32)),
}


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "one by one"])
@pytest.mark.parametrize("steps", READY_MADE.values(), ids=READY_MADE)
def test_a_network_of_steps_allocates_nothing_large_after_the_first_step(steps, fuse, setting):
    _, X, y, _ = setting
    model = Network(steps, (3, 32, 32), rng=0, fuse=fuse)
    configs = {name: {} for name in model.params}
    trained(2, model, X, y, configs)
    model.loss(X)
    buffers = model.workspace.allocations
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        trained(2, model, X, y, configs)
        model.loss(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert model.workspace.allocations == buffers
    assert peak - before < LARGE


def test_memory_does_not_grow_over_a_thousand_steps():
    model = ThreeLayerConvNet(input_dim=(3, 16, 16), num_filters=8, filter_size=3, hidden_dim=20, rng=0)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3, 16, 16)).astype(np.float32), rng.integers(0, 10, 40)
    configs = {name: {} for name in model.params}
    trained(20, model, X, y, configs)
    buffers, before = model.workspace.allocations, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    trained(1000, model, X, y, configs)
    assert model.workspace.allocations == buffers
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2048  # kB, on Linux


def test_gradients_that_are_kept_are_not_overwritten(setting):
    model, X, y, _ = setting
    _, kept = model.loss(X, y)
    copies = {name: array.copy() for name, array in kept.items()}
    model.loss(2 * X, y)
    assert all(np.array_equal(kept[name], copies[name]) for name in kept)
