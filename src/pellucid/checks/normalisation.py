"""The course's checks of normalisation: means and deviations as its notebooks print them for seed 231, and gradients.

Each draws what the course draws, in its order, so that the printed digits can be compared.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid import layers
from pellucid.checks.row import Rows, array_row, gradient_rows, random_state

TRAIN = {"mode": "train"}
PRINTED = 1e-8
"""The notebooks print eight decimals."""


def statistics_rows(what: str, x: np.ndarray, axis: int | tuple[int, ...], means: list, deviations: list) -> Rows:
    """Mean and standard deviation over some axes, against the course's."""
    yield array_row(f"{what}: means", means, x.mean(axis=axis), PRINTED)
    yield array_row(f"{what}: deviations", deviations, x.std(axis=axis), PRINTED)


def spatial_batchnorm() -> Rows:
    """Before, after, and after with a scale and a shift."""
    x = 4 * random_state().randn(2, 3, 4, 5) + 10
    axes, what = (0, 2, 3), "spatial batch norm"
    before = [9.33463814, 8.90909116, 9.11056338], [3.61447857, 3.19347686, 3.5168142]
    yield from statistics_rows(f"{what}, before", x, axes, *before)
    out, _ = layers.spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), dict(TRAIN))
    yield from statistics_rows(f"{what}, after", out, axes, [0, 0, 0], [0.99999962, 0.99999951, 0.9999996])
    out, _ = layers.spatial_batchnorm_forward(x, np.array([3, 4, 5.0]), np.array([6, 7, 8.0]), dict(TRAIN))
    yield from statistics_rows(f"{what}, scaled", out, axes, [6, 7, 8], [2.99999885, 3.99999804, 4.99999798])


def spatial_batchnorm_test_mode() -> Rows:
    """With the running statistics of 50 batches."""
    rng = random_state()
    bn_param: dict = dict(TRAIN)
    for _ in range(50):
        layers.spatial_batchnorm_forward(2.3 * rng.randn(10, 4, 11, 12) + 13, np.ones(4), np.zeros(4), bn_param)
    bn_param["mode"] = "test"
    out, _ = layers.spatial_batchnorm_forward(2.3 * rng.randn(10, 4, 11, 12) + 13, np.ones(4), np.zeros(4), bn_param)
    means = [-0.08034406, 0.07562881, 0.05716371, 0.04378383]
    deviations = [0.96718744, 1.0299714, 1.02887624, 1.00585577]
    yield from statistics_rows("spatial batch norm, test mode", out, (0, 2, 3), means, deviations)


def spatial_groupnorm() -> Rows:
    """Before and after, by group: two images of two groups."""
    x = 4 * random_state().randn(2, 6, 4, 5) + 10
    means = [9.72505327, 8.51114185, 8.9147544, 9.43448077]
    deviations = [3.67070958, 3.09892597, 4.27043622, 3.97521327]
    yield from statistics_rows("spatial group norm, before", x.reshape(4, -1), 1, means, deviations)
    out, _ = layers.spatial_groupnorm_forward(x, np.ones((1, 6, 1, 1)), np.zeros((1, 6, 1, 1)), 2, {})
    after = [deviation / math.sqrt(deviation**2 + 1e-5) for deviation in deviations]  # eps keeps them below 1
    yield from statistics_rows("spatial group norm, after", out.reshape(4, -1), 1, [0, 0, 0, 0], after)


def batchnorm() -> Rows:
    """Behind a small network: before, after, and after with a scale and a shift."""
    rng = random_state()
    X, W1, W2 = rng.randn(200, 50), rng.randn(50, 60), rng.randn(60, 3)
    x = np.maximum(0, X @ W1) @ W2
    before = [-2.3814598, -13.18038246, 1.91780462], [27.18502186, 34.21455511, 37.68611762]
    yield from statistics_rows("batch norm, before", x, 0, *before)
    out, _ = layers.batchnorm_forward(x, np.ones(3), np.zeros(3), dict(TRAIN))
    yield from statistics_rows("batch norm, after", out, 0, [0, 0, 0], [0.99999999, 1, 1])
    out, _ = layers.batchnorm_forward(x, np.array([1, 2, 3.0]), np.array([11, 12, 13.0]), dict(TRAIN))
    yield from statistics_rows("batch norm, scaled", out, 0, [11, 12, 13], [0.99999999, 1.99999999, 2.99999999])


def batchnorm_test_mode() -> Rows:
    """With the running statistics of 50 batches of the small network."""
    rng = random_state()
    W1, W2 = rng.randn(50, 60), rng.randn(60, 3)
    bn_param: dict = dict(TRAIN)
    for _ in range(50):
        layers.batchnorm_forward(np.maximum(0, rng.randn(200, 50) @ W1) @ W2, np.ones(3), np.zeros(3), bn_param)
    bn_param["mode"] = "test"
    x = np.maximum(0, rng.randn(200, 50) @ W1) @ W2
    out, _ = layers.batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
    printed = [-0.03927354, -0.04349152, -0.10452688], [1.01531428, 1.01238373, 0.97819988]
    yield from statistics_rows("batch norm, test mode", out, 0, *printed)


def layernorm() -> Rows:
    """Behind a small network, sample by sample: before, after, and after with a scale and a shift."""
    rng = random_state()
    X, W1, W2 = rng.randn(4, 50), rng.randn(50, 60), rng.randn(60, 3)
    x = np.maximum(0, X @ W1) @ W2
    means = [-59.06673243, -47.60782686, -43.31137368, -26.40991744]
    yield from statistics_rows("layer norm, before", x, 1, means, [10.07429373, 28.39478981, 35.28360729, 4.01831507])
    out, _ = layers.layernorm_forward(x, np.ones(3), np.zeros(3), {})
    yield from statistics_rows("layer norm, after", out, 1, [0, 0, 0, 0], [0.99999995, 0.99999999, 1, 0.99999969])
    out, _ = layers.layernorm_forward(x, np.full(3, 3.0), np.full(3, 5.0), {})
    scaled = [5, 5, 5, 5], [2.99999985, 2.99999998, 2.99999999, 2.99999907]
    yield from statistics_rows("layer norm, scaled", out, 1, *scaled)


def spatial_gradients() -> Rows:
    """Gradients of the norms of images."""
    arrays, dout = _numbers((2, 3, 4, 5), (3,))
    sbn = layers.spatial_batchnorm_forward, layers.spatial_batchnorm_backward
    yield from _gradients("spatial batch norm", *sbn, arrays, (TRAIN,), "e-12 to e-6", dout)
    running = {"mode": "test", "running_mean": np.array([11, 12, 13.0]), "running_var": np.array([16, 25, 36.0])}
    yield from _gradients("spatial batch norm, test mode", *sbn, arrays, (running,), "no test mode", dout)
    arrays, dout = _numbers((2, 6, 4, 5), (1, 6, 1, 1))
    sgn = layers.spatial_groupnorm_forward, layers.spatial_groupnorm_backward
    yield from _gradients("spatial group norm", *sgn, arrays, (2, {}), "e-12 to e-7", dout)


def flat_gradients() -> Rows:
    """Gradients of the norms of flat vectors, batch norm's in the course's two forms."""
    arrays, dout = _numbers((4, 5), (5,))
    for name, backward in (("", layers.batchnorm_backward), (" (alt)", layers.batchnorm_backward_alt)):
        forward = layers.batchnorm_forward
        yield from _gradients(f"batch norm{name}", forward, backward, arrays, (TRAIN,), "e-13 to e-8", dout)
    ln = layers.layernorm_forward, layers.layernorm_backward
    yield from _gradients("layer norm", *ln, arrays, ({},), "e-12 to e-8", dout)


def _numbers(shape: tuple[int, ...], per_feature: tuple[int, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """x, gamma and beta, and the upstream gradient, drawn in the course's order."""
    rng = random_state()
    arrays = {"x": 5 * rng.randn(*shape) + 12, "gamma": rng.randn(*per_feature), "beta": rng.randn(*per_feature)}
    return arrays, rng.randn(*shape)


def _gradients(what, forward, backward, arrays, params, theirs, dout) -> Rows:
    expected = dict.fromkeys(arrays, theirs)
    yield from gradient_rows(what, forward, backward, arrays, params, expected, dout, "course's gradient check, norms")


CHECKS = [
    spatial_batchnorm,
    spatial_batchnorm_test_mode,
    spatial_groupnorm,
    batchnorm,
    batchnorm_test_mode,
    layernorm,
    spatial_gradients,
    flat_gradients,
]
