"""``cs231n.classifiers``: the course's networks."""

from pellucid.cs231n.classifiers.cnn import ThreeLayerConvNet
from pellucid.cs231n.classifiers.fc_net import FullyConnectedNet, TwoLayerNet

__all__ = ["FullyConnectedNet", "ThreeLayerConvNet", "TwoLayerNet"]
