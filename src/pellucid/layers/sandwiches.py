"""Sandwich layers: what usually stands together, as one layer.

Each is its parts in a row: forward in order, backward in reverse, the caches side by side. The naive sandwiches are
made of naive layers, the fast ones of fast layers.

    affine_relu         affine -> relu
    conv_relu           convolution -> relu
    conv_relu_pool      convolution -> relu -> max pool
    conv_bn_relu        convolution -> spatial batch norm -> relu
    conv_bn_relu_pool   convolution -> spatial batch norm -> relu -> max pool
    conv_pool_bn_relu   convolution -> max pool -> spatial batch norm -> relu

The arguments are those of the parts, in their order: ``x, w, b`` (and ``gamma, beta``), then the dictionaries, as
`affine_forward_naive`, `conv_forward_naive`, `spatial_batchnorm_forward_naive` and `max_pool_forward_naive` describe
them; the way back takes ``dout``, of the shape of ``out``, and ``cache``. The gradients come in the order of the
arrays: ``dx, dw, db`` (and ``dgamma, dbeta``), as from `conv_backward_naive`; with ``skip_dx`` None stands in place of
dx, which nobody needs for the first layer of a network. An error names the part that refused.
"""

import numpy as np

from pellucid import check
from pellucid.layers.affine import (
    affine_backward_fast,
    affine_backward_naive,
    affine_forward_fast,
    affine_forward_naive,
)
from pellucid.layers.conv_pool import conv_pool_backward, convolve_and_pool
from pellucid.layers.convolution import (
    conv_backward_fast,
    conv_backward_naive,
    conv_forward_fast,
    conv_forward_naive,
    convolve,
)
from pellucid.layers.pooling import (
    max_pool_backward_naive,
    max_pool_forward_naive,
)
from pellucid.layers.relu import (
    relu_backward_fast,
    relu_backward_naive,
    relu_forward_fast,
    relu_forward_naive,
)
from pellucid.layers.spatial_norm import (
    bn_relu_backward_fast,
    bn_relu_forward_fast,
    bn_relu_pool_backward_fast,
    bn_relu_pool_forward_fast,
    spatial_batchnorm_backward_naive,
    spatial_batchnorm_forward_naive,
)


def affine_relu_forward_naive(x, w, b):
    """Affine, then ReLU. Returns ``out, cache``."""
    a, affine_cache = affine_forward_naive(x, w, b)
    out, relu_cache = relu_forward_naive(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward_naive(dout, cache):
    """The gradients of `affine_relu_forward_naive`: ``dx, dw, db``."""
    affine_cache, relu_cache = cache
    da = relu_backward_naive(dout, relu_cache)
    dx, dw, db = affine_backward_naive(da, affine_cache)
    return dx, dw, db


def affine_relu_forward_fast(x, w, b):
    """The fast twin of `affine_relu_forward_naive`."""
    a, affine_cache = affine_forward_fast(x, w, b)
    out, relu_cache = relu_forward_fast(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward_fast(dout, cache):
    """The fast twin of `affine_relu_backward_naive`."""
    affine_cache, relu_cache = cache
    da = relu_backward_fast(dout, relu_cache)
    dx, dw, db = affine_backward_fast(da, affine_cache)
    return dx, dw, db


def conv_relu_forward_naive(x, w, b, conv_param):
    """Convolution, then ReLU. Returns ``out, cache``."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    out, relu_cache = relu_forward_naive(a)
    return out, (conv_cache, relu_cache)


def conv_relu_backward_naive(dout, cache, skip_dx=False):
    """The gradients of `conv_relu_forward_naive`: ``dx, dw, db``."""
    conv_cache, relu_cache = cache
    da = relu_backward_naive(dout, relu_cache)
    dx, dw, db = conv_backward_naive(da, conv_cache, skip_dx)
    return dx, dw, db


def conv_relu_forward_fast(x, w, b, conv_param):
    """The fast twin of `conv_relu_forward_naive`: what is negative is cut off before it reaches memory."""
    out, conv_cache = convolve(x, w, b, conv_param, relu=True)
    return out, (conv_cache, out)


def conv_relu_backward_fast(dout, cache, skip_dx=False):
    """The fast twin of `conv_relu_backward_naive`: the result is positive where its pre-activation was."""
    conv_cache, out = cache
    da = relu_backward_fast(dout, out)
    dx, dw, db = conv_backward_fast(da, conv_cache, skip_dx)
    return dx, dw, db


def conv_relu_pool_forward_naive(x, w, b, conv_param, pool_param):
    """Convolution, then ReLU, then max pool. Returns ``out, cache``."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    s, relu_cache = relu_forward_naive(a)
    out, pool_cache = max_pool_forward_naive(s, pool_param)
    return out, (conv_cache, relu_cache, pool_cache)


def conv_relu_pool_backward_naive(dout, cache, skip_dx=False):
    """The gradients of `conv_relu_pool_forward_naive`: ``dx, dw, db``."""
    conv_cache, relu_cache, pool_cache = cache
    ds = max_pool_backward_naive(dout, pool_cache)
    da = relu_backward_naive(ds, relu_cache)
    dx, dw, db = conv_backward_naive(da, conv_cache, skip_dx)
    return dx, dw, db


def conv_relu_pool_forward_fast(x, w, b, conv_param, pool_param):
    """The fast twin of `conv_relu_pool_forward_naive`."""
    out, cache = convolve_and_pool(x, w, b, conv_param, pool_param, relu=True)
    return out, (cache, out)


def conv_relu_pool_backward_fast(dout, cache, skip_dx=False):
    """The fast twin of `conv_relu_pool_backward_naive`: a window's largest pixel was cut off if the result is zero."""
    conv_pool_cache, out = cache
    dout = check.upstream("max_pool_backward_fast", dout, out, out.shape)
    dx, dw, db = conv_pool_backward(relu_backward_fast(dout, out), conv_pool_cache, skip_dx)
    return dx, dw, db


def conv_bn_relu_forward_naive(x, w, b, gamma, beta, conv_param, bn_param):
    """Convolution, then spatial batch norm, then ReLU. Returns ``out, cache``."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    z, bn_cache = spatial_batchnorm_forward_naive(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward_naive(z)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward_naive(dout, cache, skip_dx=False):
    """The gradients of `conv_bn_relu_forward_naive`: ``dx, dw, db, dgamma, dbeta``."""
    conv_cache, bn_cache, relu_cache = cache
    dz = relu_backward_naive(dout, relu_cache)
    da, dgamma, dbeta = spatial_batchnorm_backward_naive(dz, bn_cache)
    dx, dw, db = conv_backward_naive(da, conv_cache, skip_dx)
    return dx, dw, db, dgamma, dbeta


def conv_bn_relu_forward_fast(x, w, b, gamma, beta, conv_param, bn_param):
    """The fast twin of `conv_bn_relu_forward_naive`: norm and ReLU in one walk over the pixels."""
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, bn_cache = bn_relu_forward_fast(a, gamma, beta, bn_param)
    return out, (conv_cache, bn_cache)


def conv_bn_relu_backward_fast(dout, cache, skip_dx=False):
    """The fast twin of `conv_bn_relu_backward_naive`."""
    conv_cache, bn_cache = cache
    da, dgamma, dbeta = bn_relu_backward_fast(dout, bn_cache)
    dx, dw, _ = conv_backward_fast(da, conv_cache, skip_dx, skip_db=True)
    return dx, dw, _bias_gradient(bn_cache, dbeta), dgamma, dbeta


def conv_bn_relu_pool_forward_naive(x, w, b, gamma, beta, conv_param, bn_param, pool_param):
    """Convolution, then spatial batch norm, then ReLU, then max pool. Returns ``out, cache``."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    z, bn_cache = spatial_batchnorm_forward_naive(a, gamma, beta, bn_param)
    s, relu_cache = relu_forward_naive(z)
    out, pool_cache = max_pool_forward_naive(s, pool_param)
    return out, (conv_cache, bn_cache, relu_cache, pool_cache)


def conv_bn_relu_pool_backward_naive(dout, cache, skip_dx=False):
    """The gradients of `conv_bn_relu_pool_forward_naive`: ``dx, dw, db, dgamma, dbeta``."""
    conv_cache, bn_cache, relu_cache, pool_cache = cache
    ds = max_pool_backward_naive(dout, pool_cache)
    dz = relu_backward_naive(ds, relu_cache)
    da, dgamma, dbeta = spatial_batchnorm_backward_naive(dz, bn_cache)
    dx, dw, db = conv_backward_naive(da, conv_cache, skip_dx)
    return dx, dw, db, dgamma, dbeta


def conv_bn_relu_pool_forward_fast(x, w, b, gamma, beta, conv_param, bn_param, pool_param):
    """The fast twin of `conv_bn_relu_pool_forward_naive`: norm, ReLU and pooling in one walk over the pixels."""
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, bn_cache = bn_relu_pool_forward_fast(a, gamma, beta, bn_param, pool_param)
    return out, (conv_cache, bn_cache)


def conv_bn_relu_pool_backward_fast(dout, cache, skip_dx=False):
    """The fast twin of `conv_bn_relu_pool_backward_naive`."""
    conv_cache, bn_cache = cache
    da, dgamma, dbeta = bn_relu_pool_backward_fast(dout, bn_cache)
    dx, dw, _ = conv_backward_fast(da, conv_cache, skip_dx, skip_db=True)
    return dx, dw, _bias_gradient(bn_cache[0], dbeta), dgamma, dbeta


def conv_pool_bn_relu_forward_naive(x, w, b, gamma, beta, conv_param, pool_param, bn_param):
    """Convolution, then max pool, then spatial batch norm, then ReLU. Returns ``out, cache``."""
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    p, pool_cache = max_pool_forward_naive(a, pool_param)
    z, bn_cache = spatial_batchnorm_forward_naive(p, gamma, beta, bn_param)
    out, relu_cache = relu_forward_naive(z)
    return out, (conv_cache, pool_cache, bn_cache, relu_cache)


def conv_pool_bn_relu_backward_naive(dout, cache, skip_dx=False):
    """The gradients of `conv_pool_bn_relu_forward_naive`: ``dx, dw, db, dgamma, dbeta``."""
    conv_cache, pool_cache, bn_cache, relu_cache = cache
    dz = relu_backward_naive(dout, relu_cache)
    dp, dgamma, dbeta = spatial_batchnorm_backward_naive(dz, bn_cache)
    da = max_pool_backward_naive(dp, pool_cache)
    dx, dw, db = conv_backward_naive(da, conv_cache, skip_dx)
    return dx, dw, db, dgamma, dbeta


def conv_pool_bn_relu_forward_fast(x, w, b, gamma, beta, conv_param, pool_param, bn_param):
    """The fast twin of `conv_pool_bn_relu_forward_naive`: norm and ReLU in one walk over the pooled pixels."""
    p, conv_pool_cache = convolve_and_pool(x, w, b, conv_param, pool_param)
    out, bn_cache = bn_relu_forward_fast(p, gamma, beta, bn_param)
    return out, (conv_pool_cache, bn_cache)


def conv_pool_bn_relu_backward_fast(dout, cache, skip_dx=False):
    """The fast twin of `conv_pool_bn_relu_backward_naive`."""
    conv_pool_cache, bn_cache = cache
    dp, dgamma, dbeta = bn_relu_backward_fast(dout, bn_cache)
    dx, dw, _ = conv_pool_backward(dp, conv_pool_cache, skip_dx, skip_db=True)
    return dx, dw, _bias_gradient(bn_cache, dbeta), dgamma, dbeta


def _bias_gradient(norm_cache, dbeta):
    """db of a convolution right in front of batch norm. In training the mean takes any bias away, so it has no
    effect; at test time a bias is added to what beta adds, scaled as every pixel is.
    """
    return np.zeros_like(dbeta) if norm_cache.train else norm_cache.scale * dbeta


affine_relu_forward = affine_relu_forward_fast
affine_relu_backward = affine_relu_backward_fast
conv_relu_forward = conv_relu_forward_fast
conv_relu_backward = conv_relu_backward_fast
conv_relu_pool_forward = conv_relu_pool_forward_fast
conv_relu_pool_backward = conv_relu_pool_backward_fast
conv_bn_relu_forward = conv_bn_relu_forward_fast
conv_bn_relu_backward = conv_bn_relu_backward_fast
conv_bn_relu_pool_forward = conv_bn_relu_pool_forward_fast
conv_bn_relu_pool_backward = conv_bn_relu_pool_backward_fast
conv_pool_bn_relu_forward = conv_pool_bn_relu_forward_fast
conv_pool_bn_relu_backward = conv_pool_bn_relu_backward_fast
