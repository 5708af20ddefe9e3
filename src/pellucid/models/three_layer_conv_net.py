"""The tutorial's network: convolution, ReLU, 2x2 max pool, affine, ReLU, affine, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import check, draws
from pellucid.layers import (
    Workspace,
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
    softmax_loss,
)
from pellucid.models.parameters import as_input, float_type, l2_penalty

POOL_PARAM = {"pool_height": 2, "pool_width": 2, "stride": 2}


class ThreeLayerConvNet:
    """conv - relu - 2x2 max pool - affine - relu - affine - softmax

    Parameters
    ----------
    input_dim : tuple (C, H, W)
        Size of an image.
    num_filters, filter_size : int
        Filters of the convolution, and their height and width. Padding of (filter_size - 1) // 2 keeps the size of the
        image for odd filters; an even one makes it a pixel smaller, and the affine layer is sized to what comes out.
    hidden_dim, num_classes : int
        Units of the hidden affine layer, and scores.
    weight_scale : float
        Standard deviation of the initial weights; biases start at zero.
    reg : float
        Strength of the L2 penalty 0.5 * reg * sum(W**2) on the weights (not the biases).
    dtype : float32 or float64
        Type of the parameters, and of everything computed with them, whatever the type of the images.
    rng : Generator or int, optional
        Where the initial weights come from; NumPy's global state where absent, drawn in the course's order.

    Attributes
    ----------
    params : dict
        W1 (num_filters, C, filter_size, filter_size), b1, W2 (numbers after the pool, hidden_dim), b2,
        W3 (hidden_dim, num_classes), b3.
    workspace : Workspace
        The memory of a training step: what one step used, the next uses again.
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (3, 32, 32),
        num_filters: int = 32,
        filter_size: int = 7,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: Any = np.float32,
        rng: Any = None,
    ) -> None:
        where = "ThreeLayerConvNet"
        if len(input_dim) != 3:
            raise ValueError(f"{where}: input_dim is {input_dim}; it must be (C, H, W): channels, height, width")
        C, H, W = (check.whole_number(where, "input_dim", size, least=1) for size in input_dim)
        F = check.whole_number(where, "num_filters", num_filters, least=1)
        k = check.whole_number(where, "filter_size", filter_size, least=1)
        hidden_dim = check.whole_number(where, "hidden_dim", hidden_dim, least=1)
        num_classes = check.whole_number(where, "num_classes", num_classes, least=1)
        weight_scale = check.number(where, "weight_scale", weight_scale, least=0)
        self.input_dim = (C, H, W)
        self.workspace = Workspace()
        self.reg = check.number(where, "reg", reg, least=0)
        self.dtype = float_type(where, dtype)
        self.conv_param = {"stride": 1, "pad": (k - 1) // 2}

        H_conv, W_conv = check.window_fits(where, "the filter", (H, W), (k, k), **self.conv_param)
        H_pool, W_pool = check.window_fits(where, "the pooling window", (H_conv, W_conv), (2, 2), stride=2)
        rng = draws.generator(where, rng)
        params = {
            "W1": weight_scale * draws.normal(rng, (F, C, k, k)),
            "b1": np.zeros(F),
            "W2": weight_scale * draws.normal(rng, (F * H_pool * W_pool, hidden_dim)),
            "b2": np.zeros(hidden_dim),
            "W3": weight_scale * draws.normal(rng, (hidden_dim, num_classes)),
            "b3": np.zeros(num_classes),
        }
        self.params = {name: value.astype(self.dtype) for name, value in params.items()}

    def loss(self, X: Any, y: Any = None) -> Any:
        """Scores, or the loss and its gradients.

        Parameters
        ----------
        X : array (N, C, H, W)
            Images.
        y : integer array (N,), optional
            Labels.

        Returns
        -------
        scores : array (N, num_classes)
            Where ``y`` is None.
        loss, grads : scalar, dict
            Otherwise; ``grads`` has a gradient for each of ``params``.
        """
        X = as_input("ThreeLayerConvNet.loss", X, self.dtype)

        with self.workspace:
            return self._loss(X, y)

    def _loss(self, X: Any, y: Any) -> Any:
        W1, b1 = self.params["W1"], self.params["b1"]
        W2, b2 = self.params["W2"], self.params["b2"]
        W3, b3 = self.params["W3"], self.params["b3"]
        pooled, conv_cache = conv_relu_pool_forward(X, W1, b1, self.conv_param, POOL_PARAM)
        hidden, hidden_cache = affine_relu_forward(pooled, W2, b2)
        scores, scores_cache = affine_forward(hidden, W3, b3)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        grads = {}
        dhidden, grads["W3"], grads["b3"] = affine_backward(dscores, scores_cache)
        dpooled, grads["W2"], grads["b2"] = affine_relu_backward(dhidden, hidden_cache)
        _, grads["W1"], grads["b1"] = conv_relu_pool_backward(dpooled, conv_cache, skip_dx=True)
        loss += l2_penalty(self.params, grads, self.reg)
        return loss, grads
