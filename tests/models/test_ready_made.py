"""The ready-made networks: their sizes as published, gradients at small widths, and how they start."""

import numpy as np
import pytest

from pairs import waves
from pellucid.gradcheck import check_model
from pellucid.models import (
    Network,
    SiLU,
    ThreeLayerConvNet,
    airbench,
    resnet9,
    resnet20,
    tutorial,
    vgg,
    whiten,
    whitening_filters,
)
from pellucid.tolerances import TOLERANCES

IMAGE = (3, 32, 32)
PUBLISHED = {
    # parameters, and multiply-adds in millions
    "airbench93": (airbench((64, 128, 128)), 569_016, 54.2),
    "airbench94": (airbench(), 1_971_640, 118.1),
    "airbench95": (airbench((128, 384, 384)), 4_604_728, 301.6),
    "airbench96": (airbench((128, 384, 512), convolutions=3, momentum=0.9), 9_915_704, 452.0),
    "the 96 % recipe's small one": (airbench((32, 64, 64)), 146_424, 17.1),
    "between the two": (airbench((32, 128, 128)), 497_528, 33.1),
    "resnet9": (resnet9(), 6_573_120, 379.3),
    "resnet20": (resnet20(), 269_722, 40.6),  # 0.27 M in the paper
    "resnet20 with projections": (resnet20(shortcut="projection"), 272_474, 40.8),
    "resnet56": (resnet20(blocks=9), 853_018, 125.5),  # 0.85 M in the paper
    "vgg11": (vgg(11), 9_228_362, 152.8),
    "vgg16": (vgg(), 14_724_042, 313.2),
    "tutorial": (tutorial(hidden_dim=500), 4_106_246, 8.9),
}


@pytest.mark.parametrize(("steps", "parameters", "millions"), PUBLISHED.values(), ids=PUBLISHED)
def test_sizes_are_those_published(steps, parameters, millions):
    summary = Network(steps, IMAGE, rng=0).summary()
    assert summary.parameters == parameters
    assert summary.multiply_adds / 1e6 == pytest.approx(millions, abs=0.06)


SMALL = {
    "airbench": (airbench((4, 5, 6), 5), (3, 18, 18)),
    "airbench, three convolutions, SiLU": (airbench((4, 5), 5, convolutions=3, activation=SiLU), (3, 10, 11)),
    "airbench of grey images": (airbench((4,), 5, channels=1, head_init=1.0, scale=1 / 256), (1, 7, 7)),
    "resnet9": (resnet9(2, 5), (3, 16, 16)),
    "resnet20": (resnet20(1, 3, 5), (3, 9, 8)),
    "resnet20 with projections": (resnet20(1, 3, 5, shortcut="projection"), (3, 9, 8)),
    "vgg": (vgg(11, (2, 3, 4, 5, 6), 5), (3, 16, 16)),
    "tutorial": (tutorial(3, 5, 6, 5, weight_scale=0.1), (3, 8, 8)),
}


@pytest.mark.parametrize(("steps", "shape"), SMALL.values(), ids=SMALL)
def test_gradients(steps, shape):
    X, Y = np.random.default_rng(8).standard_normal((6, *shape)), np.array([0, 3, 4, 1, 2, 0])
    net = Network(steps, shape, dtype=np.float64, rng=0)
    bound = TOLERANCES["gradient, through batch norm" if net.bn_params else "gradient, network"].bound
    report = check_model(net, X, Y, most=12, tolerance=bound)
    assert report.passed, f"\n{report}"
    unfused = Network(steps, shape, dtype=np.float64, rng=0, fuse=False)
    (loss, grads), (right, right_grads) = net.loss(X, Y), unfused.loss(X, Y)
    assert loss == pytest.approx(right, rel=1e-12)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, right_grads[name], atol=1e-9 * max(1, np.abs(right_grads[name]).max()))


START = {
    "airbench94": (airbench((16, 32, 32)), 0.15),
    "airbench96": (airbench((16, 32, 32), convolutions=3), 0.15),
    "airbench for Muon": (airbench((16, 32, 32), head_init=1.0, scale=1 / 256), 0.1),
    "resnet9": (resnet9(16), 0.15),
    "resnet20": (resnet20(), 0.15),
    "vgg11": (vgg(11, (16, 32, 32, 64, 64)), 0.15),
    "tutorial": (tutorial(), 1e-4),
}


@pytest.mark.parametrize(("steps", "near"), START.values(), ids=START)
def test_the_first_loss_is_that_of_guessing(steps, near):
    rng = np.random.default_rng(0)
    net = Network(steps, IMAGE, rng=1)
    loss, grads = net.loss(rng.standard_normal((50, *IMAGE)), rng.integers(10, size=50))
    assert loss == pytest.approx(np.log(10), abs=near)
    assert all(gradient.any() for gradient in grads.values())
    scores = net.loss(rng.standard_normal((3, *IMAGE)))
    assert scores.shape == (3, 10)
    assert np.isfinite(scores).all()


def test_the_tutorials_network_is_three_layer_conv_net():
    written_out = ThreeLayerConvNet(input_dim=(3, 16, 16), num_filters=8, reg=0.1, rng=3)
    net = Network(tutorial(num_filters=8), (3, 16, 16), reg=0.1, rng=3)
    X, Y = waves(6, 3, 16, 16), np.array([0, 3, 9, 1, 2, 0])
    names = dict(zip(("W1", "b1", "W2", "b2", "W3", "b3"), net.params, strict=True))
    for name, ours in names.items():
        np.testing.assert_array_equal(net.params[ours], written_out.params[name])
    (loss, grads), (right, right_grads) = net.loss(X, Y), written_out.loss(X, Y)
    assert loss == pytest.approx(right, rel=1e-6)
    for name, ours in names.items():
        np.testing.assert_array_equal(grads[ours], right_grads[name])
    np.testing.assert_array_equal(net.loss(X), written_out.loss(X))


def smooth_images(count=400, channels=3):
    """Images whose neighbouring pixels are alike, as in photographs."""
    rng = np.random.default_rng(2)
    images = rng.standard_normal((count, channels, 12, 12))
    images = images + 2 * images.mean(axis=(1, 2, 3), keepdims=True) + np.roll(images, 1, axis=3)
    return images.astype(np.float32)


def test_whitened_patches_are_uncorrelated():
    images = smooth_images()
    filters = whitening_filters(images, eps=1e-12)
    assert filters.shape == (24, 3, 2, 2)
    np.testing.assert_array_equal(filters[12:], -filters[:12])
    patches = np.lib.stride_tricks.sliding_window_view(images.astype(np.float64), (2, 2), axis=(2, 3))
    results = np.einsum("nchwij,fcij->fnhw", patches, filters[:12]).reshape(12, -1)
    np.testing.assert_allclose(results @ results.T / results.shape[1], np.eye(12), atol=1e-5)
    strength = np.linalg.norm(filters[:12].reshape(12, -1), axis=1)
    assert (np.diff(strength) > 0).all()  # the rarest patterns are enlarged most, and come last


def test_whiten_sets_the_first_convolution_and_freezes_it():
    net = Network(airbench((8, 8)), (3, 12, 12), rng=0)
    images = smooth_images()
    whiten(net, images)
    np.testing.assert_allclose(net.params["whiten.w"], whitening_filters(images), rtol=1e-6)
    assert net.params["whiten.w"].dtype == np.float32
    _, grads = net.loss(images[:6], np.arange(6))
    assert set(net.params) - set(grads) == {"whiten.w"}
    net.freeze("whiten.b")
    assert set(net.params) - set(net.loss(images[:6], np.arange(6))[1]) == {"whiten.w", "whiten.b"}


def test_identity_start_hands_images_on():
    net = Network(airbench((24,)), (3, 12, 12), rng=0)
    w = net.params["conv2.w"]
    centres = w[np.arange(24), np.arange(24), 1, 1]
    np.testing.assert_array_equal(centres, 1)
    assert np.count_nonzero(w) == 24


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: vgg(12), ValueError, "vgg: depth is 12; it must be one of 11, 13, 16, 19"),
        (lambda: vgg(11, (4, 4)), ValueError, r"vgg: widths is \(4, 4\); it must be five numbers"),
        (
            lambda: Network(vgg(11), (3, 8, 8), rng=0),
            ValueError,
            "the pooling window is 2x2, larger than the 1x1 image",
        ),
        (lambda: resnet20(0), ValueError, "resnet20: blocks is 0"),
        (lambda: resnet20(shortcut="none"), ValueError, "resnet20: shortcut is 'none'"),
        (lambda: resnet9(0), ValueError, "Conv: filters is 0"),
        (lambda: airbench(convolutions=4), ValueError, "airbench: convolutions is 4; it must be 2 or 3"),
        (lambda: airbench(channels=0), ValueError, "airbench: channels is 0"),
        (lambda: airbench((64, 0)), ValueError, "Conv: filters is 0"),
        (lambda: airbench(momentum=2), ValueError, "BatchNorm: momentum is 2"),
        (lambda: whiten(Network(tutorial(), IMAGE, rng=0), waves(2, *IMAGE)), ValueError, "no parameter 'whiten.w'"),
        (
            lambda: whiten(Network(airbench((4,)), IMAGE, rng=0), waves(2, 1, 32, 32)),
            ValueError,
            r"whiten: whiten.w has shape \(24, 3, 2, 2\); it must be \(8, 1, 2, 2\)",
        ),
        (lambda: whitening_filters(waves(4, 5)), ValueError, "whitening_filters: images has shape .* four axes"),
        (lambda: whitening_filters(waves(2, 3, 1, 4)), ValueError, "the patch is 2x2, larger than the 1x4 image"),
        (lambda: whitening_filters(waves(2, 3, 4, 4), eps=0), ValueError, "eps is 0"),
        (lambda: tutorial(filter_size=0), ValueError, "Conv: size is 0"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
