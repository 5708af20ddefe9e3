"""``cs231n.classifiers.cnn``: the three-layer convolutional network."""

import numpy as np

from pellucid.cs231n.layer_utils import *
from pellucid.models import ThreeLayerConvNet
