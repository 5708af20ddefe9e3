"""``cs231n.classifiers.cnn``: the three-layer convolutional network."""

from pellucid.models import ThreeLayerConvNet

__all__ = ["ThreeLayerConvNet"]
