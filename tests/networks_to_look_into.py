"""Networks for the tests of what looks inside, with statistics that are not those of the start."""

import numpy as np

from pellucid.models import (
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAvgPool,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Step,
    ThreeLayerConvNet,
    airbench,
    as_network,
    resnet9,
    resnet20,
    tutorial,
)
from random_networks import fill


def small(dtype=np.float64):
    """Every kind of step that stands in the way of a gradient; both kinds of residual block."""
    block = [Conv(5, 3, pad=1, bias=False), BatchNorm(), ReLU()]
    wider = Residual([Conv(6, 3, stride=2, pad=1), ReLU()], shortcut=[Conv(6, 1, stride=2)])
    steps = [Conv(5, 3, pad=1), ReLU(), Residual(block), MaxPool(2), wider, Dropout(0.5), GlobalAvgPool(), Affine(4)]
    return fill(Network(steps, (3, 12, 10), dtype=dtype, rng=1))


NETWORKS = {
    "small": small,
    "airbench": lambda: fill(Network(airbench(widths=(8, 8, 8)), (3, 32, 32), rng=0)),
    "airbench96": lambda: fill(Network(airbench(widths=(8, 8, 8), convolutions=3), (3, 32, 32), rng=0)),
    "resnet9": lambda: fill(Network(resnet9(width=4), (3, 32, 32), rng=0)),
    "resnet20": lambda: fill(Network(resnet20(width=4), (3, 32, 32), rng=0)),
    "projections": lambda: fill(Network(resnet20(width=4, shortcut="projection"), (3, 32, 32), rng=0)),
    "tutorial": lambda: fill(Network(tutorial(), (3, 32, 32), rng=0)),
    "course": lambda: as_network(ThreeLayerConvNet((3, 8, 8), num_filters=4, hidden_dim=6, rng=0)),
}


class KeepsNothing(Step):
    """A step of the user's own that keeps its cache for training alone."""

    def forward(self, x, params, mode):
        return 2 * x, (2 if mode == "train" else None)

    def backward(self, dout, cache):
        return dout * cache, {}


class Halved(Residual):
    """A block of the user's own: its steps run as it likes."""

    def forward(self, x, params, mode):
        out, cache = super().forward(x, params, mode)
        return out / 2, cache

    def gradients(self, dout, cache, skip):
        return super().gradients(dout / 2, cache, skip)


def with_own_steps():
    """Convolution, a step that keeps nothing, a block of its own, then the scores."""
    block = Halved([Conv(4, 3, pad=1), ReLU()])
    return Network([Conv(4, 3), KeepsNothing(), block, GlobalAvgPool(), Affine(3)], (2, 6, 6), rng=0)


def numerical_gradient(net, X, y, h=1e-6):
    """Of each sample's score of its class for what comes in, by centred differences; float64."""
    X = X.copy()
    grads = np.zeros_like(X)
    rows = np.arange(len(X))
    for place in np.ndindex(X.shape[1:]):
        at = (slice(None), *place)
        old = X[at].copy()
        pair = []
        for moved in (old + h, old - h):
            X[at] = moved
            pair.append(net.loss(X)[rows, y])
        X[at] = old
        grads[at] = (pair[0] - pair[1]) / (2 * h)
    return grads
