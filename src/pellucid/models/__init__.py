"""Models: they own their parameters and know how their layers are joined.

Anything with ``params`` (a dictionary of arrays) and ``loss(X, y=None)``, which returns scores without ``y`` and
``(loss, grads)`` with it, can be trained by `pellucid.training.Solver`. A model with running statistics keeps them in
``bn_params``, one that draws random numbers while training keeps its generator in ``rng``: checkpoints hold both.
"""

from pellucid.models.fully_connected import FullyConnectedNet, TwoLayerNet
from pellucid.models.three_layer_conv_net import ThreeLayerConvNet

__all__ = ["FullyConnectedNet", "ThreeLayerConvNet", "TwoLayerNet"]
