"""Layers: stateless functions on arrays, each operation naive and fast, with the same signature.

``xxx_forward_naive(x, ...) -> (out, cache)`` reads like the formula; ``xxx_backward_naive(dout, cache)`` gives the
gradients in the order of the arrays that went in. The fast twins end in ``_fast``; a name without either ending, such
as ``relu_forward``, is the fast one. Images are (N, C, H, W) in every signature. A cache is what its own backward
function needs and nobody else's business. No layer changes its inputs, but for the running statistics that batch
normalisation writes into ``bn_param``.
"""

from pellucid.kernels.workspace import Workspace  # handed on, so that models need not know the kernels
from pellucid.layers.affine import (
    affine_backward,
    affine_backward_fast,
    affine_backward_naive,
    affine_forward,
    affine_forward_fast,
    affine_forward_naive,
)
from pellucid.layers.batchnorm import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_backward_fast,
    batchnorm_backward_naive,
    batchnorm_forward,
    batchnorm_forward_fast,
    batchnorm_forward_naive,
)
from pellucid.layers.convolution import (
    conv_backward_fast,
    conv_backward_naive,
    conv_forward_fast,
    conv_forward_naive,
)
from pellucid.layers.dropout import (
    dropout_backward,
    dropout_backward_fast,
    dropout_backward_naive,
    dropout_forward,
    dropout_forward_fast,
    dropout_forward_naive,
)
from pellucid.layers.gelu import (
    gelu_backward,
    gelu_backward_fast,
    gelu_backward_naive,
    gelu_forward,
    gelu_forward_fast,
    gelu_forward_naive,
)
from pellucid.layers.layernorm import (
    layernorm_backward,
    layernorm_backward_fast,
    layernorm_backward_naive,
    layernorm_forward,
    layernorm_forward_fast,
    layernorm_forward_naive,
)
from pellucid.layers.losses import (
    SmoothedSoftmaxLoss,
    smoothed_softmax_loss,
    smoothed_softmax_loss_fast,
    smoothed_softmax_loss_naive,
    softmax,
    softmax_loss,
    softmax_loss_fast,
    softmax_loss_naive,
    svm_loss,
    svm_loss_fast,
    svm_loss_naive,
)
from pellucid.layers.penalty import add_l2_penalty
from pellucid.layers.pooling import (
    avg_pool_backward_fast,
    avg_pool_backward_naive,
    avg_pool_forward_fast,
    avg_pool_forward_naive,
    max_pool_backward_fast,
    max_pool_backward_naive,
    max_pool_forward_fast,
    max_pool_forward_naive,
)
from pellucid.layers.prepared import PreparedConvolution, fold_batchnorm
from pellucid.layers.relu import (
    relu_backward,
    relu_backward_fast,
    relu_backward_naive,
    relu_forward,
    relu_forward_fast,
    relu_forward_naive,
)
from pellucid.layers.sandwiches import (
    affine_relu_backward,
    affine_relu_backward_fast,
    affine_relu_backward_naive,
    affine_relu_forward,
    affine_relu_forward_fast,
    affine_relu_forward_naive,
    conv_bn_relu_backward,
    conv_bn_relu_backward_fast,
    conv_bn_relu_backward_naive,
    conv_bn_relu_forward,
    conv_bn_relu_forward_fast,
    conv_bn_relu_forward_naive,
    conv_bn_relu_pool_backward,
    conv_bn_relu_pool_backward_fast,
    conv_bn_relu_pool_backward_naive,
    conv_bn_relu_pool_forward,
    conv_bn_relu_pool_forward_fast,
    conv_bn_relu_pool_forward_naive,
    conv_pool_bn_relu_backward,
    conv_pool_bn_relu_backward_fast,
    conv_pool_bn_relu_backward_naive,
    conv_pool_bn_relu_forward,
    conv_pool_bn_relu_forward_fast,
    conv_pool_bn_relu_forward_naive,
    conv_relu_backward,
    conv_relu_backward_fast,
    conv_relu_backward_naive,
    conv_relu_forward,
    conv_relu_forward_fast,
    conv_relu_forward_naive,
    conv_relu_pool_backward,
    conv_relu_pool_backward_fast,
    conv_relu_pool_backward_naive,
    conv_relu_pool_forward,
    conv_relu_pool_forward_fast,
    conv_relu_pool_forward_naive,
)
from pellucid.layers.silu import (
    silu_backward,
    silu_backward_fast,
    silu_backward_naive,
    silu_forward,
    silu_forward_fast,
    silu_forward_naive,
)
from pellucid.layers.spatial_norm import (
    spatial_batchnorm_backward,
    spatial_batchnorm_backward_fast,
    spatial_batchnorm_backward_naive,
    spatial_batchnorm_forward,
    spatial_batchnorm_forward_fast,
    spatial_batchnorm_forward_naive,
    spatial_groupnorm_backward,
    spatial_groupnorm_backward_fast,
    spatial_groupnorm_backward_naive,
    spatial_groupnorm_forward,
    spatial_groupnorm_forward_fast,
    spatial_groupnorm_forward_naive,
)

_ENDINGS = ("naive", "fast", "forward", "backward", "alt", "loss")
_OTHERS = ("add_l2_penalty", "softmax", "Workspace", "PreparedConvolution", "fold_batchnorm")
__all__ = [name for name in dir() if name.rpartition("_")[2] in _ENDINGS or name in _OTHERS]
