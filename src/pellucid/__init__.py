"""Convolutional networks you can see through: every operation naive and fast, on NumPy arrays.

>>> from pellucid.layers import conv_forward_naive, conv_forward_fast
>>> from pellucid.models import ThreeLayerConvNet
>>> from pellucid.training import Solver

Read the package in the order in which it imports: shapes, check, tolerances, draws, gradcheck, data, layers,
models, training, inspect, cli. Importing ``pellucid`` itself loads none of them.
"""

__version__ = "0.1.0"
