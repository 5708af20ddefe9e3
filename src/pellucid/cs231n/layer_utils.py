"""``cs231n.layer_utils``: the sandwich layers.

As in the course, the module also holds the layers that its sandwiches are made of.
"""

from pellucid.cs231n.fast_layers import *
from pellucid.cs231n.layers import *
from pellucid.layers import (
    affine_relu_backward,
    affine_relu_forward,
    conv_bn_relu_backward,
    conv_bn_relu_forward,
    conv_bn_relu_pool_backward,
    conv_bn_relu_pool_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
