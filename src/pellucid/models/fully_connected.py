"""The course's fully connected networks: two layers, and any number with normalisation and dropout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pellucid import check, draws
from pellucid.layers import (
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    batchnorm_backward_alt,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
)
from pellucid.models.parameters import as_input, float_type, l2_penalty


class TwoLayerNet:
    """affine - relu - affine - softmax

    Parameters
    ----------
    input_dim, hidden_dim, num_classes : int
        Numbers a sample (a sample of any shape is read as one row), hidden units, scores.
    weight_scale : float
        Standard deviation of the initial weights; biases start at zero.
    reg : float
        Strength of the L2 penalty 0.5 * reg * sum(W**2) on the weights.
    dtype : float32 or float64, optional
        Type of everything that is computed. The course's class has no such argument and works in float64, so that is
        the default.
    rng : Generator or int, optional
        Where the initial weights come from; NumPy's global state where absent, drawn in the course's order.

    Attributes
    ----------
    params : dict
        W1 (input_dim, hidden_dim), b1, W2 (hidden_dim, num_classes), b2.
    """

    def __init__(
        self,
        input_dim: int = 3 * 32 * 32,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: Any = np.float64,
        rng: Any = None,
    ) -> None:
        where = "TwoLayerNet"
        D = check.whole_number(where, "input_dim", input_dim, least=1)
        hidden_dim = check.whole_number(where, "hidden_dim", hidden_dim, least=1)
        num_classes = check.whole_number(where, "num_classes", num_classes, least=1)
        weight_scale = check.number(where, "weight_scale", weight_scale, least=0)
        self.reg = check.number(where, "reg", reg, least=0)
        self.dtype = float_type(where, dtype)
        rng = draws.generator(where, rng)
        params = {
            "W1": weight_scale * draws.normal(rng, (D, hidden_dim)),
            "b1": np.zeros(hidden_dim),
            "W2": weight_scale * draws.normal(rng, (hidden_dim, num_classes)),
            "b2": np.zeros(num_classes),
        }
        self.params = {name: value.astype(self.dtype) for name, value in params.items()}

    def loss(self, X: Any, y: Any = None) -> Any:
        """Scores, or the loss and its gradients: as `ThreeLayerConvNet.loss`, for X of shape (N, d_1, ..., d_k)."""
        X = as_input("TwoLayerNet.loss", X, self.dtype)
        hidden, hidden_cache = affine_relu_forward(X, self.params["W1"], self.params["b1"])
        scores, scores_cache = affine_forward(hidden, self.params["W2"], self.params["b2"])
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        grads = {}
        dhidden, grads["W2"], grads["b2"] = affine_backward(dscores, scores_cache)
        _, grads["W1"], grads["b1"] = affine_relu_backward(dhidden, hidden_cache)
        loss += l2_penalty(self.params, grads, self.reg)
        return loss, grads


class FullyConnectedNet:
    """(affine - [batch or layer norm] - relu - [dropout]) x (L - 1) - affine - softmax

    Parameters
    ----------
    hidden_dims : list of int
        Units of each hidden layer.
    input_dim, num_classes : int
        Numbers a sample (a sample of any shape is read as one row), and scores.
    dropout_keep_ratio : float
        Probability to keep a hidden unit in training; 1 means no dropout.
    normalization : 'batchnorm', 'layernorm' or None
    reg : float
        Strength of the L2 penalty 0.5 * reg * sum(W**2) on the weights.
    weight_scale : float
        Standard deviation of the initial weights; biases and shifts start at zero, scales at one.
    dtype : float32 or float64
        Type of everything that is computed.
    seed : int, optional
        As in the course: dropout seeds NumPy's global state with it before every draw, so that the loss is repeatable
        and can be checked numerically.
    rng : Generator or int, optional
        Where the initial weights and dropout come from; NumPy's global state where absent, drawn in the course's order.

    Attributes
    ----------
    params : dict
        W1, b1, ..., WL, bL; with normalisation gamma1, beta1, ... for the hidden layers.
    bn_params : list of dict
        One for each hidden layer under batch normalisation, with its running statistics.
    """

    def __init__(
        self,
        hidden_dims: Any,
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        dropout_keep_ratio: float = 1,
        normalization: str | None = None,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: Any = np.float32,
        seed: int | None = None,
        rng: Any = None,
    ) -> None:
        where = "FullyConnectedNet"
        if not isinstance(hidden_dims, Iterable):
            kind = type(hidden_dims).__name__
            raise TypeError(f"{where}: hidden_dims is {hidden_dims!r}, a {kind}; it must be a list of integers")
        dims = [
            check.whole_number(where, "input_dim", input_dim, least=1),
            *(check.whole_number(where, "hidden_dims", dim, least=1) for dim in hidden_dims),
            check.whole_number(where, "num_classes", num_classes, least=1),
        ]
        if normalization is not None:
            check.one_of(where, "normalization", normalization, ("batchnorm", "layernorm"))
        keep = check.number(where, "dropout_keep_ratio", dropout_keep_ratio, above=0, most=1)
        weight_scale = check.number(where, "weight_scale", weight_scale, least=0)
        self.reg = check.number(where, "reg", reg, least=0)
        self.dtype = float_type(where, dtype)
        self.normalization = normalization
        self.num_layers = len(dims) - 1
        self.rng = draws.generator(where, rng)

        params = {}
        for layer in range(1, self.num_layers + 1):
            params[f"W{layer}"] = weight_scale * draws.normal(self.rng, (dims[layer - 1], dims[layer]))
            params[f"b{layer}"] = np.zeros(dims[layer])
            if normalization and layer < self.num_layers:
                params[f"gamma{layer}"] = np.ones(dims[layer])
                params[f"beta{layer}"] = np.zeros(dims[layer])
        self.params = {name: value.astype(self.dtype) for name, value in params.items()}

        self.use_dropout = keep != 1
        self.dropout_param: dict[str, Any] = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": keep}
            if seed is not None:
                self.dropout_param["seed"] = check.whole_number(where, "seed", seed)
            elif self.rng is not None:
                self.dropout_param["rng"] = self.rng
        self.bn_params: list[dict[str, Any]] = []
        if normalization == "batchnorm":
            self.bn_params = [{"mode": "train"} for _ in range(self.num_layers - 1)]
        elif normalization == "layernorm":
            self.bn_params = [{} for _ in range(self.num_layers - 1)]

    def loss(self, X: Any, y: Any = None) -> Any:
        """Scores (test mode), or the loss and its gradients (train mode): as `ThreeLayerConvNet.loss`.

        Training updates the running statistics in ``bn_params``.
        """
        out = as_input("FullyConnectedNet.loss", X, self.dtype)
        self._set_mode("test" if y is None else "train")
        caches = []
        for layer in range(1, self.num_layers):
            out, cache = self._hidden_forward(layer, out)
            caches.append(cache)
        last = self.num_layers
        scores, scores_cache = affine_forward(out, self.params[f"W{last}"], self.params[f"b{last}"])
        if y is None:
            return scores

        loss, dout = softmax_loss(scores, y)
        grads: dict[str, np.ndarray] = {}
        dout, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dout, scores_cache)
        for layer in reversed(range(1, last)):
            dout = self._hidden_backward(layer, dout, caches[layer - 1], grads)
        loss += l2_penalty(self.params, grads, self.reg)
        return loss, grads

    def _set_mode(self, mode: str) -> None:
        if self.use_dropout:
            self.dropout_param["mode"] = mode
        if self.normalization == "batchnorm":
            for bn_param in self.bn_params:
                bn_param["mode"] = mode

    def _hidden_forward(self, layer: int, x: np.ndarray) -> tuple[np.ndarray, tuple]:
        """affine - [norm] - relu - [dropout]; the cache of a part that is left out is None."""
        norm_cache = dropout_cache = None
        out, affine_cache = affine_forward(x, self.params[f"W{layer}"], self.params[f"b{layer}"])
        if self.normalization:
            forward = batchnorm_forward if self.normalization == "batchnorm" else layernorm_forward
            gamma, beta = self.params[f"gamma{layer}"], self.params[f"beta{layer}"]
            out, norm_cache = forward(out, gamma, beta, self.bn_params[layer - 1])
        out, relu_cache = relu_forward(out)
        if self.use_dropout:
            out, dropout_cache = dropout_forward(out, self.dropout_param)
        return out, (affine_cache, norm_cache, relu_cache, dropout_cache)

    def _hidden_backward(self, layer: int, dout: np.ndarray, cache: tuple, grads: dict) -> np.ndarray:
        """The parts in reverse; writes the layer's gradients into ``grads`` and returns dx."""
        affine_cache, norm_cache, relu_cache, dropout_cache = cache
        if self.use_dropout:
            dout = dropout_backward(dout, dropout_cache)
        dout = relu_backward(dout, relu_cache)
        if self.normalization:
            backward = batchnorm_backward_alt if self.normalization == "batchnorm" else layernorm_backward
            dout, grads[f"gamma{layer}"], grads[f"beta{layer}"] = backward(dout, norm_cache)
        dx, grads[f"W{layer}"], grads[f"b{layer}"] = affine_backward(dout, affine_cache)
        return dx
