"""The tutorial's network: sizes, types, losses, gradients, and the order of its random draws."""

import numpy as np
import pytest

from pairs import waves
from pellucid.gradcheck import check_model, eval_numerical_gradient, rel_error
from pellucid.models import ThreeLayerConvNet
from pellucid.tolerances import TOLERANCES

X, Y = waves(4, 3, 8, 8), np.array([0, 3, 9, 1])


def small(**options):
    return ThreeLayerConvNet(
        **{"input_dim": (3, 8, 8), "num_filters": 4, "filter_size": 3, "hidden_dim": 6, "rng": 1} | options
    )


def test_b4_b5_parameters_have_the_tutorials_names_shapes_and_type():
    model = ThreeLayerConvNet()
    shapes = {name: value.shape for name, value in model.params.items()}
    assert shapes == {
        "W1": (32, 3, 7, 7), "b1": (32,), "W2": (8192, 100), "b2": (100,), "W3": (100, 10), "b3": (10,),
    }  # fmt: skip
    assert {value.dtype for value in model.params.values()} == {np.dtype(np.float32)}
    assert model.params["W2"].std() == pytest.approx(1e-3, rel=0.01)
    assert not any(model.params[name].any() for name in ("b1", "b2", "b3"))


def test_b4_parameters_are_cast_on_python_3():
    assert small(dtype=np.float64).params["W1"].dtype == np.float64


def test_b5_the_affine_layer_has_an_integer_size():
    assert small(input_dim=(1, 10, 6)).params["W2"].shape == (4 * 5 * 3, 6)


def test_initial_losses_are_those_of_the_tutorial():
    model = ThreeLayerConvNet(rng=231)
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((50, 3, 32, 32)), rng.integers(10, size=50)
    assert model.loss(images, labels)[0] == pytest.approx(np.log(10), abs=1e-4)
    model.reg = 0.5
    # half of reg times the expected sum of squares: 0.25 * 1e-6 * 824,904 weights = 0.206226
    assert model.loss(images, labels)[0] == pytest.approx(2.508811, abs=1e-3)


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("filter_size", [1, 2, 3, 4])
def test_gradients(reg, filter_size):
    model = small(dtype=np.float64, weight_scale=0.05, reg=reg, filter_size=filter_size)
    report = check_model(model, X, Y, most=40)
    assert report.passed, f"\n{report}"


def test_the_tutorials_own_gradient_check():
    np.random.seed(231)
    images, labels = np.random.randn(2, 3, 16, 16), np.random.randint(10, size=2)
    model = ThreeLayerConvNet(num_filters=3, filter_size=3, input_dim=(3, 16, 16), hidden_dim=7, dtype=np.float64)
    _, grads = model.loss(images, labels)
    for name in sorted(grads):
        numeric = eval_numerical_gradient(
            lambda _: model.loss(images, labels)[0], model.params[name], verbose=False, h=1e-6
        )
        assert rel_error(numeric, grads[name]) < TOLERANCES["gradient, tutorial's network"].bound, name


@pytest.mark.parametrize("filter_size", [2, 4, 6])
def test_b14_even_filters_make_the_image_smaller_and_the_affine_layer_follows(filter_size):
    model = small(filter_size=filter_size)
    assert model.params["W2"].shape[0] == 4 * 3 * 3  # 8 -> 7 -> 3
    assert model.loss(X).shape == (4, 10)


@pytest.mark.parametrize("size", [(3, 7, 9), (3, 5, 5), (3, 2, 3), (1, 9, 8)])
def test_b15_odd_sizes_are_rounded_down_by_the_pool(size):
    model = small(input_dim=size)
    assert model.params["W2"].shape[0] == 4 * (size[1] // 2) * (size[2] // 2)
    loss, grads = model.loss(waves(4, *size), Y)
    assert np.isfinite(loss)
    assert {name: g.shape for name, g in grads.items()} == {name: p.shape for name, p in model.params.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.int64])
def test_b17_everything_is_computed_in_the_networks_type(dtype, kind):
    model = small(dtype=dtype, reg=np.float64(0.1), weight_scale=np.float64(0.01))
    model.reg = np.float64(0.1)  # a NumPy scalar must not widen float32 either
    images = (100 * np.abs(X)).astype(kind)
    loss, grads = model.loss(images, Y)
    assert loss.dtype == dtype
    assert model.loss(images).dtype == dtype
    assert {g.dtype for g in grads.values()} == {np.dtype(dtype)}


def test_weights_are_drawn_from_the_global_state_in_the_courses_order():
    np.random.seed(231)
    model = small(rng=None, weight_scale=1e-2, dtype=np.float64)
    after = np.random.rand()
    rng = np.random.RandomState(231)
    for name, shape in (("W1", (4, 3, 3, 3)), ("W2", (64, 6)), ("W3", (6, 10))):
        np.testing.assert_array_equal(model.params[name], 1e-2 * rng.randn(*shape))
    assert after == rng.rand()


def test_a_generator_repeats_and_leaves_the_global_state_alone():
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(small(rng=5).params["W2"], small(rng=np.random.default_rng(5)).params["W2"])
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_the_loss_changes_neither_images_nor_parameters():
    model = small(reg=0.1)
    before = {name: value.copy() for name, value in model.params.items()}
    images = X.astype(np.float32)
    images.setflags(write=False)
    model.loss(images, Y)
    for name, value in before.items():
        np.testing.assert_array_equal(model.params[name], value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_dim": (3, 8)}, ValueError, r"input_dim is \(3, 8\); it must be \(C, H, W\)"),
        ({"input_dim": (3, 8.0, 8)}, TypeError, "input_dim is 8.0, a float"),
        ({"filter_size": 0}, ValueError, "filter_size is 0; it must be at least 1"),
        ({"filter_size": 3.0}, TypeError, "filter_size is 3.0"),
        ({"input_dim": (3, 1, 8), "filter_size": 2}, ValueError, "the filter is 2x2, larger than the 1x8 image"),
        ({"input_dim": (3, 1, 8)}, ValueError, "the pooling window is 2x2, larger than the 1x8 image"),
        ({"num_filters": -1}, ValueError, "num_filters is -1"),
        ({"reg": -0.1}, ValueError, "reg is -0.1; it must be at least 0"),
        ({"reg": np.nan}, ValueError, "reg is nan"),
        ({"weight_scale": "big"}, TypeError, "weight_scale is 'big'"),
        ({"dtype": np.float16}, TypeError, "dtype is float16; it must be float32 or float64"),
        ({"rng": "seed"}, TypeError, "rng is a str"),
    ],
)
def test_bad_settings(options, error, message):
    with pytest.raises(error, match=f"ThreeLayerConvNet: {message}"):
        small(**options)


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (X[0], Y, ValueError, r"x has shape \(3, 8, 8\); it must have four axes"),
        (X[:0], Y[:0], ValueError, "x is empty"),
        (X[:, :2], Y, ValueError, "w has 3 input channels .* but x has 2"),
        (waves(4, 3, 9, 12), Y, ValueError, r"w has shape \(64, 6\); it must be \(96, M\)"),
        (X, Y[:2], ValueError, r"y has shape \(2,\); it must be \(4,\)"),
        (X, Y + 1, ValueError, r"y\[2\] is 10; for 10 classes it must be from 0 to 9"),
        (X.astype(str), Y, TypeError, "X has type <U"),
    ],
)
def test_bad_images_and_labels(images, labels, error, message):
    with pytest.raises(error, match=message):
        small().loss(images, labels)
