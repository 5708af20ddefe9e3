"""``cs231n.fast_layers``: the fast convolution and pooling, needing no compiler.

The course has several methods behind these names (``im2col``, ``strides``, ``reshape``) that differ in what they
accept. Here all of them are the one fast layer, which accepts every stride, overlap and size.
"""

from pellucid.layers import conv_backward_fast, conv_forward_fast, max_pool_backward_fast, max_pool_forward_fast

conv_forward_im2col = conv_forward_strides = conv_forward_fast
conv_backward_im2col = conv_backward_strides = conv_backward_fast
max_pool_forward_im2col = max_pool_forward_reshape = max_pool_forward_fast
max_pool_backward_im2col = max_pool_backward_reshape = max_pool_backward_fast

__all__ = [
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_strides",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_strides",
    "max_pool_backward_fast",
    "max_pool_backward_im2col",
    "max_pool_backward_reshape",
    "max_pool_forward_fast",
    "max_pool_forward_im2col",
    "max_pool_forward_reshape",
]
