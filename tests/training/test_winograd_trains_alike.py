"""Winograd's larger rounding error changes last digits of a training run, not what it learns.

The tutorial's network never meets Winograd's algorithm, because its only convolution is 7 x 7, on three channels. This
network does, in all three directions.
"""

import numpy as np
import pytest

from pellucid.data import load_digits
from pellucid.kernels import plan
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.processor import VECTOR_BYTES
from pellucid.layers import (
    affine_backward,
    affine_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
    softmax_loss,
)
from pellucid.training import Solver

PARAM, POOL = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}
BATCH, SEEDS = 100, 3


class TwoConvolutions:
    """conv 3x3 - relu - conv 3x3 - relu - 2x2 max pool - affine - softmax, for digits of 8 x 8 pixels"""

    def __init__(self, algorithm, seed):
        rng = np.random.default_rng(seed)
        shapes = {"W1": (16, 1, 3, 3), "W2": (32, 16, 3, 3), "W3": (512, 10)}
        self.params = {
            name: (rng.standard_normal(s) * np.sqrt(2 / np.prod(s[1:] if len(s) == 4 else s[:1]))).astype(np.float32)
            for name, s in shapes.items()
        }
        self.params |= {f"b{k}": np.zeros(n, np.float32) for k, n in ((1, 16), (2, 32), (3, 10))}
        self.conv_param = {**PARAM, "algorithm": algorithm} if algorithm else PARAM

    def loss(self, X, y=None):
        p = self.params
        h, first = conv_relu_forward(np.asarray(X, np.float32) / 64, p["W1"], p["b1"], PARAM)
        h, second = conv_relu_pool_forward(h, p["W2"], p["b2"], self.conv_param, POOL)
        scores, third = affine_forward(h, p["W3"], p["b3"])
        if y is None:
            return scores
        loss, dout = softmax_loss(scores, y)
        grads = {}
        dout, grads["W3"], grads["b3"] = affine_backward(dout, third)
        dout, grads["W2"], grads["b2"] = conv_relu_pool_backward(dout, second)
        _, grads["W1"], grads["b1"] = conv_relu_backward(dout, first, skip_dx=True)
        return loss, grads


def trained(algorithm, seed):
    data = load_digits().split(num_validation=150)
    model = TwoConvolutions(algorithm, seed)
    solver = Solver(
        model, data, update_rule="adam", optim_config={"learning_rate": 1e-3}, num_epochs=15, batch_size=BATCH,
        shuffle=True, rng=seed, verbose=False, progress=False,
    )  # fmt: skip
    solver.train()
    return solver.check_accuracy(data["X_test"], data["y_test"]), model.params["W2"], solver.loss_history


@pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")
@pytest.mark.slow
def test_training_with_and_without_winograd_ends_at_the_same_accuracy():
    g = Geometry(BATCH, 16, 8, 8, 32, 3, 3, pad=1)
    assert {plan.choose(d, g, np.float32).algorithm for d in plan.DIRECTIONS} == {"winograd"}
    runs = {name: [trained(name, seed) for seed in range(SEEDS)] for name in (None, "direct")}
    first, second = ([accuracy for accuracy, _, _ in runs[name]] for name in (None, "direct"))
    assert min(first + second) > 0.93
    assert abs(np.mean(first) - np.mean(second)) <= 0.01  # three test images of 297
    for (_, weights, losses), (_, direct_weights, direct_losses) in zip(runs[None], runs["direct"], strict=True):
        assert not np.array_equal(weights, direct_weights)  # they were not the same sums
        assert abs(losses[0] - direct_losses[0]) <= 1e-4 * losses[0]
