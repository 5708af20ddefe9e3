"""Every step: gradients, types, fused and unfused, train and test mode, bad arguments."""

import numpy as np
import pytest

from pairs import waves
from pellucid.gradcheck import check_model
from pellucid.models import (
    GELU,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    Pad,
    ReLU,
    Residual,
    Scale,
    SiLU,
    Softmax,
    Subsample,
)
from pellucid.tolerances import TOLERANCES

X, Y = waves(5, 4, 6, 7), np.array([0, 2, 1, 1, 0])


def same(filters=4, **settings):
    return Conv(filters, 3, pad=1, **settings)


def projecting(stride=1):
    return Residual(
        [Conv(6, 3, stride=stride, pad=1, bias=False), BatchNorm(), ReLU(), same(6, bias=False), BatchNorm()],
        shortcut=[Conv(6, 1, stride=stride, bias=False), BatchNorm()],
    )


STEPS = {
    "conv": [Conv(5, 3)],
    "conv, every setting": [Conv(6, (3, 2), stride=2, pad=2, dilation=2, groups=2, bias=False, init="lecun")],
    "depthwise": [same(groups=4, init="uniform")],
    "dirac": [same(6, init="dirac")],
    "affine": [Affine(7), Affine(5, bias=False, init=0.3)],
    "relu": [ReLU()],
    "gelu": [GELU()],
    "silu": [SiLU()],
    "max pool": [MaxPool(2)],
    "max pool, every setting": [MaxPool((3, 2), stride=1)],
    "average pool": [AvgPool(3, stride=2)],
    "global max pool": [GlobalMaxPool()],
    "global average pool": [GlobalAvgPool()],
    "batch norm": [BatchNorm()],
    "batch norm without scale": [BatchNorm(momentum=0.6, eps=1e-3, scale=False)],
    "batch norm without shift": [BatchNorm(shift=False)],
    "batch norm of rows": [Flatten(), Affine(6), BatchNorm(), ReLU()],
    "layer norm": [LayerNorm()],
    "layer norm of rows": [Affine(6), LayerNorm(eps=1e-3)],
    "group norm": [GroupNorm(2)],
    "dropout": [Dropout(0.6, seed=3)],
    "dropout that keeps all": [Dropout(1)],
    "flatten": [Flatten()],
    "scale": [Scale(-0.3)],
    "subsample": [Subsample(6, 2)],
    "softmax": [Softmax()],
    "softmax of rows": [Affine(6), Softmax()],
    "pad": [Pad(1, 0, 2, 3)],
    "pad with a number": [Pad(0, 1, 0, 2, value=0.5)],
    "pad, max pool": [Pad(1, 1, 1, 0, value=-np.inf), MaxPool(3, stride=2)],
    "conv, relu": [same(), ReLU()],
    "conv, relu, max pool": [same(bias=False), ReLU(), MaxPool(2)],
    "conv, bn, relu": [same(bias=False), BatchNorm(), ReLU()],
    "conv, bn, relu, max pool": [same(bias=False), BatchNorm(), ReLU(), MaxPool(2)],
    "conv, bn, relu, other max pool": [same(bias=False), BatchNorm(scale=False), ReLU(), MaxPool(3, stride=2)],
    "conv, max pool, bn, relu": [same(bias=False), MaxPool(2), BatchNorm(), ReLU()],
    "conv, max pool, bn, gelu": [same(bias=False), MaxPool(2), BatchNorm(scale=False), GELU()],
    "conv, bn, silu": [same(bias=False), BatchNorm(), SiLU()],
    "residual": [Residual([same(bias=False), BatchNorm(), ReLU(), same(bias=False), BatchNorm(), ReLU()])],
    "residual of conv, relu": [Residual([same(), ReLU()]), ReLU()],
    "residual of a step that hands on": [Residual([Dropout(1)])],
    "residual, projecting": [projecting(), ReLU()],
    "residual, projecting with stride": [projecting(2), ReLU()],
    "residual with a subsampled shortcut": [Residual([Conv(6, 3, stride=2, pad=1)], shortcut=[Subsample(6, 2)])],
    "residual in a residual": [Residual([same(), Residual([same(), ReLU(), same()]), GELU()])],
}


def made(steps, dtype=np.float64, **settings):
    """The steps between a convolution, whose gradients are only right if theirs are, and an affine layer."""
    return Network([same(), *steps, Affine(3, init="lecun")], (4, 6, 7), dtype=dtype, **{"rng": 7} | settings)


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "one by one"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_gradients(steps, fuse):
    bound = TOLERANCES["gradient, through batch norm" if "BatchNorm" in repr(steps) else "gradient, network"].bound
    report = check_model(made(steps, fuse=fuse, reg=0.1), X, Y, most=30, tolerance=bound)
    assert report.passed, f"\n{report}"
    assert sum(row.index is not None for row in report.rows) >= 0.8 * len(report.rows), f"nothing but kinks:\n{report}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_fused_and_one_by_one_agree_and_keep_the_type(steps, dtype):
    bound = TOLERANCES[f"twins, {np.dtype(dtype).name}"].bound
    nets = [made(steps, dtype, fuse=fuse) for fuse in (True, False)]
    (loss, grads), (right, right_grads) = (net.loss(X, Y) for net in nets)
    assert loss.dtype == dtype
    assert loss == pytest.approx(right, rel=bound)
    assert grads.keys() == right_grads.keys() == nets[0].params.keys()
    for name, gradient in grads.items():
        assert gradient.dtype == dtype, name
        assert gradient.shape == nets[0].params[name].shape, name
        assert np.max(np.abs(gradient - right_grads[name])) <= bound * max(1, np.max(np.abs(right_grads[name]))), name
    scores, right_scores = (net.loss(X) for net in nets)
    assert scores.dtype == dtype
    np.testing.assert_allclose(scores, right_scores, atol=10 * bound, rtol=10 * bound)


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_images_and_parameters_are_not_changed(steps):
    net = made(steps, np.float32)
    images = X.astype(np.float32)
    images.setflags(write=False)
    for array in net.params.values():
        array.setflags(write=False)
    net.loss(images, Y)
    net.loss(images)


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_in_test_mode_samples_do_not_depend_on_each_other_and_nothing_is_remembered(steps):
    net = made(steps)
    net.loss(X, Y)
    before = [{key: np.copy(value) for key, value in bn_param.items()} for bn_param in net.bn_params]
    whole = net.loss(X)
    np.testing.assert_allclose(np.concatenate([net.loss(X[:2]), net.loss(X[2:])]), whole, rtol=1e-10, atol=1e-12)
    for bn_param, old in zip(net.bn_params, before, strict=True):
        for key, value in old.items():
            np.testing.assert_array_equal(bn_param[key], value)


def test_running_statistics_follow_the_momentum():
    net = Network([BatchNorm(momentum=0.6), Affine(3)], (4, 6, 7), dtype=np.float64, rng=0)
    (bn_param,) = net.bn_params
    np.testing.assert_array_equal(bn_param["running_var"], np.ones(4))
    net.loss(X, Y)
    pixels = X.transpose(0, 2, 3, 1).reshape(-1, 4)
    np.testing.assert_allclose(bn_param["running_mean"], 0.4 * pixels.mean(axis=0))
    np.testing.assert_allclose(bn_param["running_var"], 0.6 + 0.4 * pixels.var(axis=0))


def test_dropout_draws_from_the_networks_generator_in_training_only():
    steps = [Dropout(0.5), Affine(3, init=1.0)]
    net, twin = (Network(steps, (60,), rng=4) for _ in range(2))
    rows = np.ones((5, 60), np.float32)
    first, second = net.loss(rows, Y)[0], net.loss(rows, Y)[0]
    assert first != second
    assert [twin.loss(rows, Y)[0], twin.loss(rows, Y)[0]] == [first, second]
    np.testing.assert_allclose(net.loss(rows), np.tile(net.loss(rows)[:1], (5, 1)), rtol=1e-6)
    np.random.seed(5)
    glob = Network(steps, (60,))
    first = glob.loss(rows, Y)[0]
    np.random.seed(5)
    assert Network(steps, (60,)).loss(rows, Y)[0] == first


def test_initial_weights():
    def start(init, step=Conv):
        step = Conv(400, 3, init=init) if step is Conv else Affine(400, init=init)
        shape = (4, 5, 5) if isinstance(step, Conv) else (36,)
        return Network([step, Affine(3)], shape, rng=0, dtype=np.float64).params[f"{type(step).__name__.lower()}1.w"]

    for step in (Conv, Affine):
        assert start("he", step).std() == pytest.approx(np.sqrt(2 / 36), rel=0.03)
        assert start("lecun", step).std() == pytest.approx(np.sqrt(1 / 36), rel=0.03)
        assert start(0.25, step).std() == pytest.approx(0.25, rel=0.03)
        uniform = start("uniform", step)
        assert 0.99 / 6 < np.abs(uniform).max() <= 1 / 6
        assert uniform.std() == pytest.approx(1 / 6 / np.sqrt(3), rel=0.03)
        np.testing.assert_array_equal(start(lambda shape, rng: np.full(shape, 2), step), 2)
    x = waves(2, 4, 5, 5)
    handed_on = Conv(6, 3, pad=1, bias=False, init="dirac")
    _, params = handed_on.build((4, 5, 5), np.random.default_rng(0))
    np.testing.assert_allclose(handed_on.forward(x, params, "test")[0][:, :4], x, atol=1e-12)
    assert params["w"][4:].any()
    grouped = Conv(8, 3, pad=1, groups=2, init="dirac")
    out, _ = grouped.forward(x, grouped.build((4, 5, 5), None)[1], "test")
    np.testing.assert_allclose(out[:, [0, 1, 4, 5]], x, atol=1e-12)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Conv(8), "Conv(8)"),
        (Conv(8, 5, pad=2, bias=False, name="first"), "Conv(8, size=5, pad=2, bias=False, name='first')"),
        (MaxPool(3, stride=1), "MaxPool(size=3, stride=1)"),
        (ReLU(), "ReLU()"),
        (Residual([ReLU()], shortcut=[Scale(2)]), "Residual([ReLU()], shortcut=[Scale(2.0)])"),
    ],
)
def test_a_step_prints_as_it_was_written(step, text):
    assert repr(step) == text


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Conv(0), ValueError, "Conv: filters is 0; it must be at least 1"),
        (lambda: Conv(8.0), TypeError, "Conv: filters is 8.0"),
        (lambda: Conv(8, 0), ValueError, "Conv: size is 0"),
        (lambda: Conv(8, (3, 3, 3)), ValueError, r"Conv: size is \(3, 3, 3\); it must be one number, or two"),
        (lambda: Conv(8, stride=0), ValueError, "Conv: stride is 0"),
        (lambda: Conv(8, pad=-1), ValueError, "Conv: pad is -1"),
        (lambda: Conv(8, pad="same"), TypeError, "Conv: pad is 'same'"),
        (lambda: Conv(8, groups=3), ValueError, "Conv: groups is 3; it must divide the 8 filters"),
        (lambda: Conv(8, init="hee"), ValueError, r"Conv: init is 'hee'; .*\(did you mean 'he'\?\)"),
        (lambda: Conv(8, init=-1.0), ValueError, "Conv: init is -1.0; it must be at least 0"),
        (lambda: Affine(0), ValueError, "Affine: units is 0"),
        (lambda: Affine(3, init="dirac"), ValueError, "Affine: init is 'dirac'"),
        (lambda: BatchNorm(momentum=1.5), ValueError, "BatchNorm: momentum is 1.5"),
        (lambda: BatchNorm(eps=-1), ValueError, "BatchNorm: eps is -1"),
        (lambda: LayerNorm(eps="x"), TypeError, "LayerNorm: eps is 'x'"),
        (lambda: GroupNorm(0), ValueError, "GroupNorm: groups is 0"),
        (lambda: MaxPool(0), ValueError, "MaxPool: size is 0"),
        (lambda: AvgPool((2, 3)), ValueError, r"AvgPool: size is \(2, 3\), not square, so stride must be given"),
        (lambda: AvgPool(2, stride=0), ValueError, "AvgPool: stride is 0"),
        (lambda: Dropout(0), ValueError, "Dropout: keep, the probability to keep a number, is 0"),
        (lambda: Dropout(0.5, seed=-1), ValueError, "Dropout: seed is -1"),
        (lambda: Pad(-1, 0, 0, 0), ValueError, "Pad: top is -1"),
        (lambda: Pad(0, 0, 0, 0, value=np.inf), ValueError, "Pad: value, finite or minus infinity, is inf"),
        (lambda: Conv(8, bias="no"), TypeError, "Conv: bias is 'no'; it must be True or False"),
        (lambda: Affine(8, bias=0), TypeError, "Affine: bias is 0"),
        (lambda: BatchNorm(scale=1), TypeError, "BatchNorm: scale is 1"),
        (lambda: Scale(np.nan), ValueError, "Scale: factor is nan"),
        (lambda: Subsample(4, 0), ValueError, "Subsample: stride is 0"),
        (lambda: Residual([]), ValueError, "Residual: steps is empty"),
        (lambda: Residual(ReLU()), TypeError, "Residual: steps is a ReLU; it must be a list of steps"),
        (lambda: Residual([ReLU]), TypeError, r"Residual: steps\[0\] is the class ReLU; write ReLU\(...\)"),
        (lambda: Residual([ReLU()], shortcut=[3]), TypeError, r"Residual's shortcut: steps\[0\] is a int"),
        (lambda: Residual([ReLU(name="shortcut")]), ValueError, "a step has the name 'shortcut'"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Conv(8, 9)], r"Network, step 'conv1': Conv: the filter is 9x9, larger than the 6x7 image"),
        ([Conv(8, groups=8)], "step 'conv1': Conv: groups is 8; it must divide the 4 channels"),
        ([Affine(5), Conv(8)], r"step 'conv1': Conv: what comes in has the shape \(5,\); it must be images"),
        ([MaxPool(9)], "step 'maxpool1': MaxPool: the pooling window is 9x9, larger than the 6x7 image"),
        ([Flatten(), GlobalAvgPool()], r"step 'globalavgpool1': GlobalAvgPool: what comes in has the shape \(168,\)"),
        ([GroupNorm(3)], "step 'groupnorm1': GroupNorm: groups is 3; it must divide the 4 channels"),
        ([Subsample(3)], "step 'subsample1': Subsample: filters is 3; it must be at least the 4 channels"),
        ([Residual([Conv(5, 1)])], r"step 'residual1': Residual: the steps give the shape \(5, 6, 7\) but what comes"),
        (
            [Residual([ReLU()], [Conv(5, 1)])],
            r"the steps give the shape \(4, 6, 7\) but the shortcut gives \(5, 6, 7\)",
        ),
        ([Residual([Conv(4, 9)])], "Network, step 'residual1': Residual, step 'conv1': Conv: the filter is 9x9"),
        ([Conv(4, init=lambda shape, rng: np.zeros(3))], r"the result of init has shape \(3,\)"),
    ],
)
def test_steps_that_do_not_fit(steps, message):
    with pytest.raises(ValueError, match=message):
        Network([*steps, Affine(3)], (4, 6, 7), rng=0)
