"""Models: they own their parameters and know how their layers are joined.

Anything with ``params`` (a dictionary of arrays) and ``loss(X, y=None)``, which returns scores without ``y`` and
``(loss, grads)`` with it, can be trained by `pellucid.training.Solver`. A model with running statistics keeps them in
``bn_params``, one that draws random numbers while training keeps its generator in ``rng``: checkpoints hold both.

`Network` makes a model of a list of steps; a step of one's own derives from `Step`. `airbench`, `resnet9`, `resnet20`,
`tutorial` and `vgg` are such lists. The course's classes are written out;
`as_network` makes the same `Network` of one.
"""

from pellucid.models.airbench import airbench, whiten, whitening_filters
from pellucid.models.from_course import as_network
from pellucid.models.fully_connected import FullyConnectedNet, TwoLayerNet
from pellucid.models.inference import Inference
from pellucid.models.network import Network
from pellucid.models.norms import BatchNorm, GroupNorm, LayerNorm
from pellucid.models.padding import Pad
from pellucid.models.plain import (
    GELU,
    AvgPool,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    ReLU,
    Scale,
    SiLU,
    Softmax,
    Subsample,
)
from pellucid.models.residual import Residual
from pellucid.models.resnet9 import resnet9
from pellucid.models.resnet20 import resnet20
from pellucid.models.step import Step
from pellucid.models.three_layer_conv_net import ThreeLayerConvNet
from pellucid.models.tutorial import tutorial
from pellucid.models.vgg import vgg
from pellucid.models.weighted import Affine, Conv

__all__ = [
    "Network",
    "Inference",
    "Step",
    "Conv",
    "Affine",
    "BatchNorm",
    "LayerNorm",
    "GroupNorm",
    "ReLU",
    "GELU",
    "SiLU",
    "MaxPool",
    "AvgPool",
    "GlobalMaxPool",
    "GlobalAvgPool",
    "Dropout",
    "Flatten",
    "Scale",
    "Softmax",
    "Subsample",
    "Pad",
    "Residual",
    "airbench",
    "whiten",
    "whitening_filters",
    "resnet9",
    "resnet20",
    "tutorial",
    "vgg",
    "FullyConnectedNet",
    "ThreeLayerConvNet",
    "TwoLayerNet",
    "as_network",
]
