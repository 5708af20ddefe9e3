"""Bad input to the layers: one clear error that names the function, the argument, what it got and what it needs."""

import numpy as np
import pytest

import pellucid.layers as layers
from pairs import waves
from pellucid.layers import (
    affine_forward,
    conv_relu_pool_forward,
    dropout_forward,
    layernorm_forward,
    relu_forward,
    softmax_loss,
    spatial_batchnorm_forward,
    spatial_groupnorm_forward,
    svm_loss,
)

KINDS = pytest.mark.parametrize("kind", ["naive", "fast"])
X, W, B = waves(2, 3, 8, 8), waves(4, 3, 3, 3), waves(4)
SAME = {"stride": 1, "pad": 1}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}

BAD_CONV = {
    "wrong channels": (
        (X, waves(4, 4, 3, 3), B, SAME),
        ValueError,
        r"w has 4 input channels \(4, 4, 3, 3\) but x has 3",
    ),
    "filter too large": (
        (X, waves(4, 3, 11, 11), B, SAME),
        ValueError,
        r"the filter is 11x11, larger than the 10x10 image",
    ),
    "dilated filter too large": ((X, W, B, SAME | {"dilation": 5}), ValueError, r"3x3, 11x11 with dilation 5, larger"),
    "zero stride": (
        (X, W, B, {"stride": 0, "pad": 1}),
        ValueError,
        r"conv_param\['stride'\] is 0; it must be at least 1",
    ),
    "negative stride": ((X, W, B, {"stride": -1, "pad": 1}), ValueError, r"'stride'\] is -1"),
    "float stride": (
        (X, W, B, {"stride": 1.0, "pad": 1}),
        TypeError,
        r"'stride'\] is 1.0, a float; it must be an integer",
    ),
    "stride as text": ((X, W, B, {"stride": "1", "pad": 1}), TypeError, r"'stride'\] is '1', a str"),
    "boolean stride": ((X, W, B, {"stride": True, "pad": 1}), TypeError, r"'stride'\] is True, a bool"),
    "negative pad": ((X, W, B, {"stride": 1, "pad": -1}), ValueError, r"'pad'\] is -1; it must be at least 0"),
    "zero dilation": ((X, W, B, SAME | {"dilation": 0}), ValueError, r"'dilation'\] is 0"),
    "groups that do not divide": (
        (X, W, B, SAME | {"groups": 2}),
        ValueError,
        r"'groups'\] is 2; it must divide the 3",
    ),
    "groups and full filters": (
        (X, waves(3, 3, 3, 3), waves(3), SAME | {"groups": 3}),
        ValueError,
        "x has 3 .*, 1 a group",
    ),
    "misspelt key": ((X, W, B, {"strid": 1, "pad": 1}), ValueError, r"unknown key 'strid' \(did you mean 'stride'\?\)"),
    "missing key": ((X, W, B, {"stride": 1}), ValueError, r"conv_param lacks the key 'pad'"),
    "no dictionary": ((X, W, B, 1), TypeError, r"conv_param is a int; it must be a dictionary"),
    "wrong bias": ((X, W, waves(3), SAME), ValueError, r"b has shape \(3,\); it must be \(4,\)"),
    "scalar bias": ((X, W, 0.5, SAME), ValueError, r"b has shape \(\); it must be \(4,\)"),
    "image without batch": ((X[0], W, B, SAME), ValueError, r"x has shape \(3, 8, 8\); it must have four axes"),
    "empty batch": ((X[:0], W, B, SAME), ValueError, r"x is empty, with shape \(0, 3, 8, 8\)"),
    "no filters": ((X, W[:0], B[:0], SAME), ValueError, r"w is empty"),
    "filters with three axes": ((X, W[0], B, SAME), ValueError, r"w has shape \(3, 3, 3\); it must have four axes"),
    "complex": ((X + 0j, W, B, SAME), TypeError, r"x has type complex128; it must be float32 or float64"),
    "half precision": ((X.astype(np.float16), W, B, SAME), TypeError, r"x has type float16"),
    "text": ((X, W.astype(str), B, SAME), TypeError, r"w has type <U"),
    "None": ((X, None, B, SAME), TypeError, r"w has type object"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_CONV.values(), ids=BAD_CONV)
@KINDS
def test_bad_convolution(kind, arguments, error, message):
    with pytest.raises(error, match=f"^conv_forward_{kind}: .*{message}"):
        getattr(layers, f"conv_forward_{kind}")(*arguments)


BAD_POOL = {
    "window too large": (
        (X, POOL | {"pool_height": 9}),
        ValueError,
        "the pooling window is 9x2, larger than the 8x8 image",
    ),
    "zero stride": ((X, POOL | {"stride": 0}), ValueError, r"pool_param\['stride'\] is 0"),
    "float size": ((X, POOL | {"pool_width": 2.0}), TypeError, r"pool_param\['pool_width'\] is 2.0, a float"),
    "missing key": ((X, {"pool_height": 2, "pool_width": 2}), ValueError, "pool_param lacks the key 'stride'"),
    "misspelt key": ((X, POOL | {"pool_heigth": 2}), ValueError, r"'pool_heigth' \(did you mean 'pool_height'\?\)"),
    "empty batch": ((X[:0], POOL), ValueError, "x is empty"),
    "two axes": ((waves(4, 4), POOL), ValueError, r"x has shape \(4, 4\); it must have four axes"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_POOL.values(), ids=BAD_POOL)
@pytest.mark.parametrize("operation", ["max_pool", "avg_pool"])
@KINDS
def test_bad_pooling(operation, kind, arguments, error, message):
    with pytest.raises(error, match=f"^{operation}_forward_{kind}: .*{message}"):
        getattr(layers, f"{operation}_forward_{kind}")(*arguments)


SCORES, LABELS = waves(4, 3), np.array([0, 1, 2, 0])
BAD_LOSS = {
    "label too large": (
        (SCORES, np.array([0, 1, 3, 0])),
        ValueError,
        r"y\[2\] is 3; for 3 classes it must be from 0 to 2",
    ),
    "negative label": ((SCORES, np.array([0, -1, 2, 0])), ValueError, r"y\[1\] is -1"),
    "too few labels": ((SCORES, LABELS[:3]), ValueError, r"y has shape \(3,\); it must be \(4,\)"),
    "one-hot labels": ((SCORES, np.eye(3, dtype=int)[LABELS]), ValueError, r"y has shape \(4, 3\)"),
    "float labels": ((SCORES, LABELS.astype(float)), TypeError, r"y has type float64; labels must be integers"),
    "empty batch": ((SCORES[:0], LABELS[:0]), ValueError, "x is empty"),
    "flat scores": ((SCORES[0], LABELS), ValueError, r"x has shape \(3,\); it must have two axes"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_LOSS.values(), ids=BAD_LOSS)
@pytest.mark.parametrize("loss", ["softmax_loss", "svm_loss"])
@KINDS
def test_bad_loss(loss, kind, arguments, error, message):
    with pytest.raises(error, match=f"^{loss}_{kind}: .*{message}"):
        getattr(layers, f"{loss}_{kind}")(*arguments)


ROWS, ONES, ZEROS = waves(4, 3), np.ones(3), np.zeros(3)
BAD_NORM = {
    "no mode": ((ROWS, ONES, ZEROS, {}), ValueError, "bn_param lacks the key 'mode'"),
    "unknown mode": (
        (ROWS, ONES, ZEROS, {"mode": "tran"}),
        ValueError,
        r'Invalid forward batchnorm mode "tran".*mean \'train\'',
    ),
    "wrong gamma": (
        (ROWS, np.ones(4), ZEROS, {"mode": "train"}),
        ValueError,
        r"gamma has shape \(4,\); it must be \(3,\)",
    ),
    "wrong beta": ((ROWS, ONES, np.zeros((1, 3)), {"mode": "train"}), ValueError, r"beta has shape \(1, 3\)"),
    "momentum above one": ((ROWS, ONES, ZEROS, {"mode": "train", "momentum": 1.5}), ValueError, r"'momentum'\] is 1.5"),
    "negative eps": (
        (ROWS, ONES, ZEROS, {"mode": "train", "eps": -1}),
        ValueError,
        r"'eps'\] is -1; it must be at least 0",
    ),
    "NaN eps": ((ROWS, ONES, ZEROS, {"mode": "train", "eps": np.nan}), ValueError, r"'eps'\] is nan"),
    "misspelt key": ((ROWS, ONES, ZEROS, {"mode": "train", "momentun": 0.5}), ValueError, "did you mean 'momentum'"),
    "old statistics": (
        (ROWS, ONES, ZEROS, {"mode": "test", "running_mean": np.zeros(4)}),
        ValueError,
        r"bn_param\['running_mean'\] has shape \(4,\)",
    ),
    "images": ((X, ONES, ZEROS, {"mode": "train"}), ValueError, r"x has shape \(2, 3, 8, 8\); it must have two axes"),
    "empty batch": ((ROWS[:0], ONES, ZEROS, {"mode": "train"}), ValueError, "x is empty"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_NORM.values(), ids=BAD_NORM)
@KINDS
def test_bad_batchnorm(kind, arguments, error, message):
    before = dict(arguments[3])
    with pytest.raises(error, match=f"^batchnorm_forward_{kind}: .*{message}"):
        getattr(layers, f"batchnorm_forward_{kind}")(*arguments)
    assert arguments[3].keys() == before.keys()


BAD_GROUPS = {
    "groups that do not divide": (
        (X, np.ones((1, 3, 1, 1)), np.zeros((1, 3, 1, 1)), 2, {}),
        ValueError,
        "G is 2, which must",
    ),
    "no groups": ((X, np.ones((1, 3, 1, 1)), np.zeros((1, 3, 1, 1)), 0, {}), ValueError, "G is 0"),
    "wrong gamma": (
        (X, np.ones((3, 1)), np.zeros(3), 3, {}),
        ValueError,
        r"gamma has shape \(3, 1\); it must be \(1, 3, 1, 1\)",
    ),
    "unknown key": ((X, np.ones(3), np.zeros(3), 3, {"epsilon": 1}), ValueError, "unknown key 'epsilon'"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
@KINDS
def test_bad_groupnorm(kind, arguments, error, message):
    with pytest.raises(error, match=f"^spatial_groupnorm_forward_{kind}: .*{message}"):
        getattr(layers, f"spatial_groupnorm_forward_{kind}")(*arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: affine_forward(X, waves(100, 3), ZEROS), ValueError, r"w has shape \(100, 3\); it must be \(192, M\)"),
        (lambda: affine_forward(ROWS, waves(3, 2), ZEROS), ValueError, r"b has shape \(3,\); it must be \(2,\)"),
        (
            lambda: affine_forward(ONES, waves(3, 2), ZEROS),
            ValueError,
            r"x has shape \(3,\); it must have two axes or more",
        ),
        (lambda: affine_forward(ROWS[:0], waves(3, 2), np.zeros(2)), ValueError, "x is empty"),
        (lambda: relu_forward(np.zeros((0, 3))), ValueError, "x is empty"),
        (lambda: relu_forward(np.array(["a"])), TypeError, "x has type <U1"),
        (lambda: layers.silu_forward(np.zeros((0, 3))), ValueError, "silu_forward_fast: x is empty"),
        (lambda: layers.silu_forward(np.array(["a"])), TypeError, "silu_forward_fast: x has type <U1"),
        (
            lambda: dropout_forward(ROWS, {"p": 0, "mode": "train"}),
            ValueError,
            r"'p'\], the probability to keep, is 0; .* above 0",
        ),
        (lambda: dropout_forward(ROWS, {"p": 1.5, "mode": "train"}), ValueError, r"is 1.5; it must be .* at most 1"),
        (lambda: dropout_forward(ROWS, {"p": 0.5, "mode": "tests"}), ValueError, r"did you mean 'test'\?"),
        (lambda: dropout_forward(ROWS, {"p": 0.5}), ValueError, "dropout_param lacks the key 'mode'"),
        (lambda: dropout_forward(ROWS, {"p": 0.5, "mode": "train", "rng": "x"}), TypeError, "rng is a str"),
        (lambda: layernorm_forward(ROWS, ONES, ZEROS, {"ep": 1}), ValueError, r"'ep' \(did you mean 'eps'\?\)"),
        (lambda: layernorm_forward(ROWS, np.ones(4), ZEROS, {}), ValueError, r"gamma has shape \(4,\)"),
        (lambda: spatial_batchnorm_forward(ROWS, ONES, ZEROS, {"mode": "train"}), ValueError, "it must have four axes"),
        (lambda: spatial_batchnorm_forward(X[:0], ONES, ZEROS, {"mode": "train"}), ValueError, "x is empty"),
        (lambda: spatial_groupnorm_forward(ROWS, ONES, ZEROS, 1, {}), ValueError, "it must have four axes"),
        (lambda: softmax_loss(SCORES, [0, 1, 2]), ValueError, "one label for each of the 4 samples"),
        (lambda: svm_loss(SCORES, np.array([True] * 4)), TypeError, "y has type bool"),
        (
            lambda: conv_relu_pool_forward(X, W, B, SAME, {"stride": 2}),
            ValueError,
            "max_pool_forward_fast: pool_param lacks",
        ),
    ],
)
def test_other_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "operation", ["conv", "max_pool", "avg_pool", "affine", "relu", "silu", "batchnorm", "layernorm"]
)
@KINDS
def test_upstream_gradient_of_the_wrong_shape(operation, kind):
    from pairs import CASES, twin, upstream

    forward, backward = twin(operation, kind)
    out, cache = CASES[operation][0].call(forward)
    dout = upstream(out)
    with pytest.raises(ValueError, match=f"^{operation}_backward_{kind}: dout has shape .*the forward pass's output"):
        backward(dout[:, :-1], cache)
    with pytest.raises(TypeError, match=f"^{operation}_backward_{kind}: dout has type"):
        backward(dout.astype(str), cache)
