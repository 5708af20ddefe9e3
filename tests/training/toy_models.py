"""Models of a few lines that follow the Solver's protocol, and data that they can learn."""

import numpy as np


def softmax_loss(scores, y):
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return loss, p / len(y)


class LinearSoftmax:
    """scores = x W + b"""

    def __init__(self, D=6, C=3, dtype=np.float32, seed=0):
        rng = np.random.default_rng(seed)
        self.params = {"W": (0.01 * rng.standard_normal((D, C))).astype(dtype), "b": np.zeros(C, dtype)}
        self.calls = 0

    def loss(self, X, y=None):
        X = np.asarray(X).reshape(len(X), -1).astype(self.params["W"].dtype, copy=False)
        scores = X @ self.params["W"] + self.params["b"]
        if y is None:
            return scores
        self.calls += 1
        loss, dscores = softmax_loss(scores, y)
        return loss, {"W": X.T @ dscores, "b": dscores.sum(axis=0)}


class NormalisedNet:
    """normalise the inputs (running statistics at test time) - dropout - affine - relu - affine - softmax

    One filter array is laid out channels-last, as the fast layers keep theirs.
    """

    def __init__(self, D=6, H=8, C=3, dtype=np.float32, seed=0, rng=None):
        start = np.random.default_rng(seed)
        self.params = {
            "W1": np.asfortranarray(0.3 * start.standard_normal((D, H)), dtype=dtype),
            "b1": np.zeros(H, dtype),
            "W2": (0.3 * start.standard_normal((H, C))).astype(dtype),
            "b2": np.zeros(C, dtype),
        }
        self.rng = rng
        self.bn_params = [{"mode": "train"}]

    def loss(self, X, y=None):
        p, bn = self.params, self.bn_params[0]
        X = np.asarray(X).reshape(len(X), -1).astype(p["W1"].dtype, copy=False)
        if y is None:
            mean, var = bn.get("running_mean", np.float32(0)), bn.get("running_var", np.float32(1))
        else:
            mean, var = X.mean(axis=0), X.var(axis=0)
            bn["running_mean"] = 0.9 * bn.get("running_mean", np.zeros_like(mean)) + 0.1 * mean
            bn["running_var"] = 0.9 * bn.get("running_var", np.zeros_like(var)) + 0.1 * var
        x = (X - mean) / np.sqrt(var + 1e-5)
        if y is not None:
            draw = np.random.rand if self.rng is None else lambda *shape: self.rng.random(shape)
            x = x * (draw(*x.shape) < 0.8) / p["W1"].dtype.type(0.8)
        hidden = np.maximum(0, x @ p["W1"] + p["b1"])
        scores = hidden @ p["W2"] + p["b2"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dhidden = (dscores @ p["W2"].T) * (hidden > 0)
        grads = {"W2": hidden.T @ dscores, "b2": dscores.sum(axis=0), "W1": x.T @ dhidden, "b1": dhidden.sum(axis=0)}
        return loss, grads


def blobs(num_train=60, num_val=30, D=6, C=3, dtype=np.float32, seed=1):
    """Three clouds of points, one a class."""
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((C, D))
    data = {}
    for part, N in (("train", num_train), ("val", num_val)):
        y = rng.integers(C, size=N)
        data[f"X_{part}"] = (centres[y] + rng.standard_normal((N, D))).astype(dtype)
        data[f"y_{part}"] = y
    return data
