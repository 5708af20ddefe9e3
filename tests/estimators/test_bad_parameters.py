"""Parameters and data that cannot be: who complains, of what, and what is wanted instead."""

import re

import numpy as np
import pytest
from estimator_data import digits, quick, rows

from pellucid.estimators import ConvNetClassifier
from pellucid.models import Affine, Conv, ReLU

BAD = [
    ({"network": "small-net"}, ValueError, r"network is 'small-net'; it must be one of auto, .*did you mean 'small'"),
    ({"network": 3}, TypeError, "network is 3, a int; it must be one of auto, .*, a list of steps, or a function"),
    ({"network": None}, TypeError, "network is None, a NoneType; it must be one of"),
    ({"network": Affine(10)}, TypeError, r"network is Affine\(10\), a Affine; it must be .* a list of steps"),
    ({"network": Affine}, TypeError, "network is the class Affine; it must be"),
    ({"network": []}, ValueError, "network does not suit X with images of shape .*steps is empty"),
    ({"network": [Affine(10), "relu"]}, TypeError, r"network does not give a list of steps: .*steps\[1\] is a str"),
    ({"network": lambda num_classes: 3}, TypeError, "network does not give a list of steps: .*steps is a int"),
    ({"network": lambda: 3}, TypeError, "network does not give a list of steps: .*num_classes"),
    ({"network": [Affine(3)]}, ValueError, r"network ends with 3 scores, but y has 10 classes; end it with Affine\(10"),
    ({"network": [Conv(10, 3), ReLU()]}, ValueError, r"network does not suit X with images of shape \(1, 8, 8\)"),
    ({"network": "vgg"}, ValueError, r"network does not suit X with images of shape \(1, 8, 8\): .*pool"),
    ({"image_shape": 8}, TypeError, r"image_shape is 8, a int; it must be \(C, H, W\), or None"),
    ({"image_shape": "8x8"}, TypeError, r"image_shape is '8x8', a str; it must be \(C, H, W\)"),
    ({"image_shape": (8, 8)}, ValueError, r"image_shape is \(8, 8\); it must be three numbers .*grey images have one"),
    ({"image_shape": (1, 8, 0)}, ValueError, r"image_shape\[2\] is 0; it must be at least 1"),
    ({"image_shape": (1, 8, 8.0)}, TypeError, r"image_shape\[2\] is 8.0, a float; it must be an integer"),
    ({"image_shape": (3, 8, 8)}, ValueError, r"image_shape is \(3, 8, 8\), 192 numbers, but X has rows of 64 features"),
    ({"epochs": 0}, ValueError, "epochs is 0; it must be at least 1"),
    ({"epochs": 1.5}, TypeError, "epochs is 1.5, a float; it must be an integer"),
    ({"batch_size": -1}, ValueError, "batch_size is -1; it must be at least 1"),
    ({"update_rule": "adm"}, ValueError, r"update_rule is 'adm'; it must be one of sgd, .*\(did you mean 'adam'"),
    ({"update_rule": "muon"}, ValueError, "update_rule is 'muon'; it must be one of sgd, "),
    ({"learning_rate": 0}, ValueError, "learning_rate is 0; it must be above 0"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate is 'fast', a str; it must be a number"),
    ({"learning_rate": np.nan}, ValueError, "learning_rate is nan; it must be above 0"),
    ({"weight_decay": -1}, ValueError, "weight_decay is -1; it must be at least 0"),
    (
        {"weight_decay": 0.1, "update_rule": "adam"},
        ValueError,
        "weight_decay is 0.1, but update_rule 'adam' lets no weights decay; take 'adamw', or leave weight_decay out",
    ),
    ({"schedule": "linear"}, ValueError, "schedule is 'linear'; it must be one of constant, cosine, triangle"),
    ({"label_smoothing": 1}, ValueError, "label_smoothing is 1; it must be at least 0 and below 1"),
    ({"normalise": True}, ValueError, "normalise is True; it must be one of deviation, none"),
    ({"flip": "up"}, ValueError, "flip is 'up'; it must be one of none, random, alternating"),
    ({"shift": -1}, ValueError, "shift is -1; it must be at least 0"),
    ({"shift": 8}, ValueError, "shift is 8 and cutout 0, but the images have 8x8 pixels"),
    ({"cutout": 2.0}, TypeError, "cutout is 2.0, a float; it must be an integer"),
    ({"brightness": -0.1}, ValueError, "brightness is -0.1; it must be at least 0"),
    ({"contrast": 2}, ValueError, "contrast is 2; it must be at least 0 and at most 1"),
    ({"saturation": 2}, ValueError, "saturation is 2; it must be at least 0 and at most 1"),
    ({"early_stopping": "yes"}, TypeError, "early_stopping is 'yes'; it must be True or False"),
    ({"validation_fraction": 1}, ValueError, "validation_fraction is 1; it must be below 1"),
    ({"validation_fraction": 0}, ValueError, "validation_fraction is 0; it must be above 0"),
    (
        {"early_stopping": True, "validation_fraction": 0.01},
        ValueError,
        "early_stopping holds back a validation_fraction of 0.01, which 100 samples do not allow: ",
    ),
    ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change is 0; it must be at least 1"),
    ({"random_state": "today"}, ValueError, "random_state is 'today', a str; it must be an integer from 0"),
    ({"random_state": -1}, ValueError, "random_state is -1, a int; it must be an integer from 0"),
    ({"random_state": np.random.default_rng(0)}, ValueError, "random_state is Generator.*RandomState, or None"),
    ({"threads": 0}, ValueError, "threads is 0; it must be at least 1"),
    ({"threads": True}, TypeError, "threads is True, a bool; it must be an integer"),
    ({"warm_start": 1}, TypeError, "warm_start is 1; it must be True or False"),
    ({"verbose": "loud"}, TypeError, "verbose is 'loud', a str; it must be an integer"),
]


NAMES = [re.sub(r" at 0x\w+", "", str(list(case[0].items()))) for case in BAD]
"""Without addresses: the tests' names must be the same in every process."""


@pytest.mark.parametrize(("settings", "kind", "message"), BAD, ids=NAMES)
def test_bad_parameters(settings, kind, message):
    X, y = digits()
    who = "Augmentation" if settings.get("shift") == 8 else "ConvNetClassifier"
    with pytest.raises(kind, match=f"^{who}: {message}"):
        quick(**settings).fit(X[:100], y[:100])


def test_nothing_is_looked_at_before_fit():
    ConvNetClassifier(epochs="many").set_params(network=3.5)


def test_rows_are_no_images():
    X, y = rows()
    with pytest.raises(
        ValueError, match=r"network does not suit X with rows of 4 features \(for convolutions, set image"
    ):
        ConvNetClassifier("resnet9").fit(X, y)
    with pytest.raises(
        ValueError, match=r"flip is 'random', but X has rows of 4 features, .* set image_shape=\(C, H, W"
    ):
        ConvNetClassifier(flip="random").fit(X, y)


def test_images_of_another_shape():
    X, y = digits()
    images = X[:50].reshape(-1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"X has images of shape \(1, 4, 16\), but image_shape is \(1, 8, 8\)"):
        quick().fit(X[:50].reshape(-1, 1, 4, 16), y[:50])
    found = quick(epochs=1).fit(images, y[:50])
    with pytest.raises(ValueError, match=r"X has images of shape \(1, 4, 4\), but image_shape is \(1, 8, 8\)"):
        found.predict(images[:, :, :4, :4])
    with pytest.raises(ValueError, match="X has 16 features, but ConvNetClassifier is expecting 64 features"):
        found.predict(X[:, :16])
    with pytest.raises(ValueError, match=r"X has shape \(50, 1, 8, 0\); images .* need at least one pixel"):
        quick(image_shape=None).fit(images[..., :0], y[:50])
    of_rows = ConvNetClassifier(epochs=1).fit(X[:50], y[:50])
    with pytest.raises(ValueError, match=r"X has images of shape \(1, 8, 8\), but fit saw rows of 64 features"):
        of_rows.predict(images)


def test_images_and_labels_that_do_not_belong_together():
    X, y = digits()
    images = X[:50].reshape(-1, 1, 8, 8)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit(images, y[:49])
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        quick().fit(images, None)
    with pytest.raises(ValueError, match="Unknown label type"):
        quick().fit(images, np.linspace(0, 1, 50))
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        quick().fit(images[:0], y[:0])


@pytest.mark.parametrize("axes", [1, 3, 5])
def test_other_numbers_of_axes(axes):
    X = np.zeros((16, *[2] * (axes - 1)))
    with pytest.raises(ValueError, match=r"Expected 2D array, got 1D|Found array with dim"):
        ConvNetClassifier().fit(X, np.arange(16) % 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(bad):
    X, y = digits()
    X = X[:50].copy()
    X[3, 4] = bad
    for seen in (X, X.reshape(-1, 1, 8, 8)):
        with pytest.raises(ValueError, match="Input X contains"):
            quick().fit(seen, y[:50])
        with pytest.raises(ValueError, match="Input X contains"):
            quick(epochs=1).fit(np.nan_to_num(X, posinf=0), y[:50]).predict(seen)


def test_numbers_that_float32_cannot_hold():
    X, y = rows()
    huge = X.copy()
    huge[0, 0] = 1e300
    with pytest.raises(ValueError, match=r"X holds numbers that float32 cannot hold, up to 1e\+300; scale X before"):
        ConvNetClassifier(normalise="none").fit(huge, y)
    with pytest.raises(ValueError, match="X holds numbers whose squares overflow, so they have no deviation; scale X"):
        ConvNetClassifier().fit(huge, y)
    found = ConvNetClassifier(epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="X holds numbers that float32 cannot hold"):
        found.predict(X + 1e300)


def test_one_class_is_nothing_to_learn():
    X, y = rows()
    with pytest.raises(ValueError, match="y has only one class, 'no'; give samples of two classes or more"):
        ConvNetClassifier().fit(X[y == "no"], y[y == "no"])


def test_sample_weights_are_refused_rather_than_ignored():
    X, y = rows()
    with pytest.raises(TypeError, match="sample_weight"):
        ConvNetClassifier().fit(X, y, sample_weight=np.ones(60))
