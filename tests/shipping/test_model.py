"""Prediction: folded networks give what the network gives, on whatever shows a picture."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.data import ByteImages, load_digits
from pellucid.models import (
    GELU,
    Affine,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Inference,
    MaxPool,
    Network,
    ReLU,
    Residual,
    SiLU,
    TwoLayerNet,
    airbench,
    resnet9,
    resnet20,
)
from pellucid.shipping import Model, Preprocessing
from pellucid.training import Views, scores
from random_networks import networks

RNG = np.random.default_rng(1)


def unsettled(steps, input_shape=(3, 16, 16), dtype=np.float32):
    """A network whose scales are of both signs and whose statistics are not the first ones."""
    network = Network(steps, input_shape, rng=0, dtype=dtype)
    network.loss(RNG.standard_normal((6, *input_shape)), np.arange(6) % 3)
    for array in network.params.values():
        if array.ndim == 1:
            array += RNG.standard_normal(array.shape).astype(dtype)
    return network


def same(filters, **others):
    return Conv(filters, 3, pad=1, **others)


@pytest.mark.parametrize(
    "steps",
    [
        [same(4), BatchNorm(), ReLU(), Affine(3)],
        [same(4, bias=False), BatchNorm(scale=False), GELU(), MaxPool(2), Affine(3)],
        [same(4), BatchNorm(shift=False), SiLU(), Affine(3)],
        [same(8), MaxPool(2), BatchNorm(), ReLU(), Affine(3)],
        [same(8), MaxPool(2), BatchNorm(scale=False), ReLU(), Affine(3)],
        [same(8), MaxPool(2), BatchNorm(scale=False), GELU(), Affine(3)],
        [same(8), MaxPool(2), ReLU(), same(8), BatchNorm(), MaxPool(3, stride=2), GlobalAvgPool(), Affine(3)],
        [BatchNorm(), ReLU(), same(4), GELU(), Conv(4, 3), Affine(9), BatchNorm(), ReLU(), Affine(3)],
        [Residual([same(5), BatchNorm()], shortcut=[Conv(5, 1, bias=False), BatchNorm()]), ReLU(), Affine(3)],
        [Residual([Residual([same(3), BatchNorm(), ReLU()])]), Affine(3)],
        [Conv(6, 3, groups=3, dilation=2, stride=2), BatchNorm(), ReLU(), Affine(3)],
        resnet20(1, 4),
        [*resnet9(4)[:6], Affine(3)],
        airbench((4, 8)),
        airbench((4, 8), convolutions=3, activation=ReLU),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_folded_networks_give_the_same_scores(steps, dtype):
    network = unsettled(steps, dtype=dtype)
    X = RNG.standard_normal((5, 3, 16, 16))
    right = network.loss(X)
    found = Inference(network)(X)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, right, atol=(1e-5 if dtype == np.float32 else 1e-12) * np.abs(right).max())


@settings(deadline=None)
@given(networks(), st.integers(1, 4))
def test_any_folded_network_gives_the_same_scores(network, N):
    X = np.random.default_rng(0).standard_normal((N, *network.input_shape))
    right = network.loss(X)
    found = Inference(network)(X)
    np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5 * max(1, np.abs(right).max()))


def test_what_happens_to_the_network_later_changes_nothing():
    network = unsettled([same(4), BatchNorm(), ReLU(), Affine(3)])
    inference, X = Inference(network), RNG.standard_normal((2, 3, 16, 16))
    before = inference(X)
    for array in network.params.values():
        array[...] = 0
    np.testing.assert_array_equal(inference(X), before)


def test_bad_input_of_inference():
    inference = Inference(unsettled([same(4), Affine(3)]))
    with pytest.raises(ValueError, match=r"Inference: X has shape \(3, 16, 16\); it must be \(N, 3, 16, 16\)"):
        inference(np.zeros((3, 16, 16)))
    with pytest.raises(TypeError, match="Inference: X has type <U1"):
        inference(np.array("x"))


def test_after_the_second_prediction_nothing_is_allocated():
    inference = Inference(unsettled([same(32), BatchNorm(), ReLU(), same(32), MaxPool(2), Affine(3)], (3, 32, 32)))
    X = RNG.standard_normal((16, 3, 32, 32)).astype(np.float32)
    inference(X)
    inference(X)
    made = inference._workspace.allocations
    inference(X)
    assert inference._workspace.allocations == made > 0


@pytest.fixture(scope="module")
def model():
    network = unsettled([same(4), BatchNorm(), ReLU(), MaxPool(2), Affine(3)])
    how = Preprocessing((16, 16), mean=[120, 110, 100], scale=[60, 50, 70])
    return Model(network, ("ant", "bee", "cat"), how, views=Views(flip=True))


def test_predictions_are_sorted_and_add_up(model):
    pictures = RNG.integers(0, 256, (300, 16, 16, 3), np.uint8)
    found = model.predict(pictures, top=2)
    probabilities = model.probabilities(pictures)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert len(found) == 300
    for prediction, row in zip(found, probabilities, strict=True):
        assert prediction.label == ("ant", "bee", "cat")[row.argmax()]
        assert prediction.top[0] == (prediction.label, prediction.probability)
        assert [p for _, p in prediction.top] == sorted(row, reverse=True)[:2]
    assert len(model.predict(pictures[0], top=99)[0].top) == 3


def test_pictures_floats_and_byte_images_give_the_same_scores(model):
    pictures = RNG.integers(0, 256, (20, 16, 16, 3), np.uint8)
    right = model.scores(pictures)
    floats = model.preprocessing.floats(pictures)
    np.testing.assert_array_equal(model.scores(floats), right)
    np.testing.assert_array_equal(model.scores(ByteImages(pictures, [120, 110, 100], [60, 50, 70])), right)
    one_by_one = np.concatenate([model.scores(Image.fromarray(picture)) for picture in pictures])
    np.testing.assert_allclose(one_by_one, right, atol=1e-5 * np.abs(right).max())
    np.testing.assert_allclose(model.network.loss(floats), right, atol=1e-5 * np.abs(right).max())


def test_views_are_those_of_the_evaluation(model):
    pictures = RNG.integers(0, 256, (10, 16, 16, 3), np.uint8)
    floats = model.preprocessing.floats(pictures)
    right = scores(model.network, floats, Views(flip=True))
    np.testing.assert_allclose(model.scores(pictures, views=True), right, atol=1e-5 * np.abs(right).max())
    assert np.abs(model.scores(pictures) - right).max() > 1e-3


def test_threads_may_predict_at_once(model):
    pictures = RNG.integers(0, 256, (40, 16, 16, 3), np.uint8)
    right, found = model.scores(pictures), [None] * 8

    def work(i):
        found[i] = model.scores(pictures)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for scores_of_one in found:
        np.testing.assert_array_equal(scores_of_one, right)


def test_a_course_class_reads_images_as_rows():
    digits = load_digits().X_test[:9]
    course = TwoLayerNet(64, 8, weight_scale=0.1, dtype=np.float32, rng=0)
    model = Model(course, preprocessing=Preprocessing((8, 8), 1))
    np.testing.assert_allclose(model.scores(digits), course.loss(digits), rtol=1e-5, atol=1e-4)


def test_parts_that_do_not_fit(model):
    network = model.network
    for parts, error, message in [
        ({"classes": ("a", "b")}, ValueError, "classes has 2 names; it must have 3"),
        ({"classes": "abc"}, TypeError, "classes is 'abc'; it must be a list of names"),
        ({"classes": ("a", "b", "a")}, ValueError, "all different"),
        ({"preprocessing": Preprocessing((8, 8))}, ValueError, r"preprocessing makes \(3, 8, 8\)"),
    ]:
        with pytest.raises(error, match=message):
            Model(network, **parts)
    with pytest.raises(ValueError, match=r"the network gives \(4, 16, 16\)"):
        Model(Network([same(4), ReLU()], (3, 16, 16), loss_function=lambda scores, y: (0, scores), rng=0))
    with pytest.raises(TypeError, match="as_network: model is a str"):
        Model("resnet9")


def test_bad_images(model):
    for images, error, message in [
        (np.zeros((2, 3, 8, 8)), ValueError, r"floating images have shape \(2, 3, 8, 8\); they must have \(N, 3, 16"),
        (np.zeros((0, 3, 16, 16)), ValueError, "floating images have shape"),
        (np.float32(1), ValueError, "floating images have shape"),
        (np.full((1, 3, 16, 16), np.nan), ValueError, "the scores are not finite"),
        (3, TypeError, "Model.scores: image 0 is a int"),
        ([], ValueError, "there are no images"),
        ("none.png", FileNotFoundError, "none.png does not exist"),
    ]:
        with pytest.raises(error, match=message):
            model.scores(images)
    with pytest.raises(ValueError, match=r"Model\.predict: top is 0"):
        model.predict(np.zeros((16, 16, 3), np.uint8), top=0)
    with pytest.raises(TypeError, match="does not know how pictures become its input"):
        Model(model.network).scores("x.png")


def test_training_on_changes_nothing_that_was_made_ready():
    """Batch norm that is not folded, too: it stands in front of the convolution."""
    network = unsettled([BatchNorm(), same(4), ReLU(), Affine(3)])
    inference, X = Inference(network), RNG.standard_normal((6, 3, 16, 16))
    before = inference(X)
    network.loss(X + 5, np.arange(6) % 3)
    np.testing.assert_array_equal(inference(X), before)
