"""Convolutions that are no longer trained."""

import threading

import numpy as np
import pytest

from pellucid.kernels.jit import at_most_threads
from pellucid.layers import (
    PreparedConvolution,
    conv_bn_relu_forward_naive,
    conv_forward_fast,
    conv_forward_naive,
    fold_batchnorm,
    gelu_forward_naive,
)
from pellucid.tolerances import TOLERANCES

PARAM = {"stride": 1, "pad": 1}
RNG = np.random.default_rng(0)


def made(N=2, C=3, F=5, size=6, dtype=np.float64):
    return [RNG.standard_normal(s).astype(dtype) for s in ((N, C, size, size), (F, C, 3, 3), (F,))]


@pytest.mark.parametrize("param", [PARAM, {"stride": 2, "pad": 0}, {"stride": 1, "pad": 1, "dilation": 2}], ids=str)
def test_the_same_as_the_layer(param):
    x, w, b = made()
    exact, _ = conv_forward_naive(x, w, b, param)
    layer = PreparedConvolution(w, b, param)
    for _ in range(2):
        assert np.allclose(layer(x), exact, rtol=0, atol=1e-12)
    assert np.allclose(PreparedConvolution(w, b, param, activation="relu")(x), np.maximum(exact, 0), rtol=0, atol=1e-12)


def test_any_number_of_images_whatever_the_plan_takes():
    _, w, b = made(C=32, F=64, dtype=np.float32)
    layer = PreparedConvolution(w, b, PARAM)
    for N, size in ((1, 4), (40, 8), (1, 5), (3, 17)):
        x = RNG.standard_normal((N, 32, size, size)).astype(np.float32)
        exact, _ = conv_forward_naive(x.astype(np.float64), w.astype(np.float64), b.astype(np.float64), PARAM)
        assert np.abs(layer(x) - exact).max() <= TOLERANCES["kernels, Winograd"].bound * np.abs(exact).max()
        assert layer(x).dtype == np.float32


def test_depthwise_with_relu():
    x, w, b = RNG.standard_normal((2, 20, 5, 5)), RNG.standard_normal((20, 1, 3, 3)), RNG.standard_normal(20)
    param = PARAM | {"groups": 20}
    exact, _ = conv_forward_naive(x, w, b, param)
    assert np.allclose(PreparedConvolution(w, b, param, activation="relu")(x), np.maximum(exact, 0), rtol=0, atol=1e-12)


def test_later_changes_of_the_weights_do_not_reach_it():
    x, w, b = made()
    layer = PreparedConvolution(w, b, PARAM)
    before = layer(x)
    w += 1
    b += 1
    assert np.array_equal(layer(x), before)


def test_folded_batch_norm_is_test_mode_batch_norm():
    x, w, b = made(dtype=np.float32)
    gamma, beta, mean = RNG.standard_normal((3, 5)).astype(np.float32)
    var = RNG.uniform(0.1, 3, 5).astype(np.float32)
    bn_param = {"mode": "test", "running_mean": mean, "running_var": var, "eps": 1e-3}
    exact, _ = conv_bn_relu_forward_naive(x, w, b, gamma, beta, PARAM, bn_param)
    folded = fold_batchnorm(w, b, gamma, beta, mean, var, eps=1e-3)
    assert all(array.dtype == np.float32 for array in folded)
    assert np.abs(PreparedConvolution(*folded, PARAM, activation="relu")(x) - exact).max() < 1e-5 * np.abs(exact).max()


def test_threads_may_share_one():
    x, w, b = made(N=8, C=16, F=16, size=12)
    layer, right, wrong = PreparedConvolution(w, b, PARAM), conv_forward_fast(x, w, b, PARAM)[0], []

    def work():
        for _ in range(20):
            if not np.allclose(layer(x), right, rtol=0, atol=1e-12):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_integers_and_lists_are_images_too():
    x, w, b = made()
    layer, pixels = PreparedConvolution(w, b, PARAM), RNG.integers(0, 255, x.shape)
    for images in (pixels.astype(np.uint8), pixels.tolist(), pixels.astype(np.uint8)):
        assert np.allclose(layer(images), layer(pixels.astype(np.float64)), rtol=0, atol=1e-10)


def test_bad_input():
    x, w, b = made()
    with pytest.raises(ValueError, match="PreparedConvolution: w has 3 input channels"):
        PreparedConvolution(w, b, PARAM)(x[:, :2])
    with pytest.raises(ValueError, match=r"fold_batchnorm: gamma has shape \(4,\)"):
        fold_batchnorm(w, b, b[:4], b, b, b * b)
    with pytest.raises(ValueError, match="fold_batchnorm: w has shape"):
        fold_batchnorm(w[0], b, b, b, b, b)


def test_gelu_follows():
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 3, 9, 8)), rng.standard_normal((5, 3, 3, 3)), rng.standard_normal(5)
    exact = gelu_forward_naive(conv_forward_naive(x, w, b, PARAM)[0])[0]
    assert np.allclose(PreparedConvolution(w, b, PARAM, activation="gelu")(x), exact, rtol=0, atol=1e-12)


def test_an_unknown_activation_is_refused_at_once():
    with pytest.raises(ValueError, match=r"PreparedConvolution: activation is 'tanh'; it must be .*relu.*gelu"):
        PreparedConvolution(np.zeros((2, 2, 3, 3)), np.zeros(2), PARAM, activation="tanh")


def test_the_number_of_threads_may_change_between_calls():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 16, 8, 8)).astype(np.float32), rng.standard_normal((16, 16, 3, 3)).astype(np.float32)
    convolve = PreparedConvolution(w, np.zeros(16, np.float32), PARAM)
    with at_most_threads(1):
        alone = convolve(x).copy()
    assert np.allclose(convolve(x), alone, rtol=0, atol=1e-4)
