"""Whole training steps: scores, loss, gradients and update, on one batch again and again.

The learning rates are tiny, so that a few hundred steps on the same images neither learn them by heart nor diverge.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from benchmarks.case import Case, Contest, Runner
from benchmarks.compare import largest_error, norm_error
from benchmarks.networks import AIRBENCH94, CLASSES, IMAGE, RESNET9, forward_flops, parameters

GRADIENT_TOLERANCE = 5e-4
"""Of the largest value: the rounding of many layers, one after the other."""
KINKS = 40
"""How much more the gradients of a whole batch may differ, in length.

Among millions of numbers some stand so close to the kink of a ReLU, or to another pixel of their max pool, that
rounding decides on which side, and each of them moves a gradient by as much as it counts: PyTorch's own float32 and
float64 steps differ by up to 0.6 % in length; 40 times the tolerance is 2 %. Two images hold so few numbers that some
draws have none at a kink; only those can be compared closely. An error in a formula shows in every draw.
"""
DRAWS, FEW = 8, 2
TUTORIAL_BATCH, TUTORIAL_HIDDEN, TUTORIAL_FILTERS, TUTORIAL_SIZE = 50, 500, 32, 7
RATE = 1e-6


def tutorial_flops() -> float:
    """Of one step: the convolution twice (no gradient for the images), the linear layers three times."""
    C, H, W = IMAGE
    convolution = 2.0 * H * W * TUTORIAL_FILTERS * C * TUTORIAL_SIZE**2
    linear = 2.0 * TUTORIAL_HIDDEN * (TUTORIAL_FILTERS * H * W // 4 + CLASSES)
    return TUTORIAL_BATCH * (2 * convolution + 3 * linear)


DEEP = {network.name: network for network in (RESNET9, AIRBENCH94)}
BATCHES = {"tutorial": TUTORIAL_BATCH, **{name: network.batch for name, network in DEEP.items()}}
UPDATES = {name: "Adam" if name == "tutorial" else "SGD-Nesterov" for name in BATCHES}


def cases() -> list[Case]:
    """One row a network."""
    return [
        Case(
            f"step-{name}",
            f"batch {N}, {UPDATES[name]}",
            functools.partial(build, name),
            flops=N * forward_flops(DEEP[name], training=True) if name in DEEP else tutorial_flops(),
            tolerance=GRADIENT_TOLERANCE,
            error=gradient_error,
        )
        for name, N in BATCHES.items()
    ]


def gradient_error(got: list[Any], want: list[Any]) -> float:
    """How far losses and gradients of two sides differ: of the whole batch, and of the draw that differs least.

    Parameters
    ----------
    got, want : lists of (loss, gradients)
        Of the whole batch first, then of draws of a few images; a side may have none of these.
    """
    whole = norm_error(got[0], want[0]) / KINKS
    draws = [largest_error(a, b) for a, b in zip(got[1:], want[1:], strict=False)]
    return max(whole, min(draws, default=0.0))


def batch(N: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random images, channels-last in memory, and labels."""
    from benchmarks import ours

    rng = np.random.default_rng(seed)
    C, H, _ = IMAGE
    return ours.images(rng, N, C, H), rng.integers(CLASSES, size=N)


def small_batches() -> list[tuple[np.ndarray, np.ndarray]]:
    """A few images each, to compare closely."""
    return [batch(FEW, seed) for seed in range(1, DRAWS + 1)]


def our_model(name: str) -> Any:
    """Our side's model: `params` and `loss`."""
    from benchmarks import ours
    from pellucid.models import ThreeLayerConvNet

    if name == "tutorial":  # its settings, but weights large enough that every gradient has digits to compare
        return ThreeLayerConvNet(hidden_dim=TUTORIAL_HIDDEN, weight_scale=0.02, rng=0)
    return ours.OurNetwork(DEEP[name], parameters(DEEP[name]))


def our_step(name: str) -> Runner:
    """Our side; what is compared is losses and gradients, before any update."""
    from benchmarks import ours

    model, (x, y) = our_model(name), batch(BATCHES[name])
    function, settings = ours.RULES[UPDATES[name]]
    updater = ours.Updater(model.params, function, {**settings, "learning_rate": RATE})

    def outputs() -> list[Any]:
        return [model.loss(*each) for each in ((x, y), *small_batches())]

    return Runner(lambda: updater.step(model.loss(x, y)[1]), outputs)


def torch_step(name: str, variant: str) -> Runner:
    """PyTorch's side in one of its ways."""
    from benchmarks import torch_networks

    if name == "tutorial":
        module: Any = torch_networks.TutorialNetwork(our_model(name).params)
    else:
        module = torch_networks.DeepNetwork(DEEP[name], parameters(DEEP[name]))
    return torch_networks.step(module, batch(BATCHES[name]), small_batches(), UPDATES[name], variant)


def build(name: str, compiled: bool) -> Contest:
    """Both sides of one network."""
    variants = ["NCHW", "channels_last", *(["compile"] if compiled else [])]
    return Contest(our_step(name), {variant: torch_step(name, variant) for variant in variants})
