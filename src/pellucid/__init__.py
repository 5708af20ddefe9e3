"""Convolutional networks you can see through: every operation naive and fast, on NumPy arrays.

>>> from pellucid.layers import conv_forward_naive, conv_forward_fast
>>> from pellucid.models import ThreeLayerConvNet
>>> from pellucid.training import Solver

Read the package in the order in which it imports: shapes, check, tolerances, draws, gradcheck, data, layers,
models, training, shipping, recipes, inspect, cli. Importing ``pellucid`` itself loads none of them.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load(path: Any, steps: Any = ()) -> Any:
    """A whole model out of its file: `pellucid.shipping.load_model`.

    >>> model = pellucid.load("model.safetensors")
    >>> model.predict("photo.jpg")[0].label
    """
    from pellucid.shipping import load_model

    return load_model(path, steps)
