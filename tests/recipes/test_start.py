"""Going on from a model file: what is kept, what is new, what stays frozen, what is refused."""

import numpy as np
import pytest
from PIL import Image

from pellucid import recipes
from pellucid.data import ByteImages, Dataset
from pellucid.models import Affine, BatchNorm, Conv, GlobalAvgPool, MaxPool, Network, ReLU, Residual, Scale, Softmax
from pellucid.shipping import Model, Preprocessing
from stop_at import StopAt

CLASSES = ("cat", "dog", "owl")
BODY = [Conv(4, pad=1, bias=False), BatchNorm(), ReLU(), MaxPool(2), Conv(5, name="last"), BatchNorm()]
STEPS = [*BODY, Affine(3), Scale(0.5)]


def saved(folder, steps=STEPS, shape=(3, 8, 8), dtype=np.float32, preprocessing=True):
    """A model file, and the model in it."""
    network = Network(steps, shape, rng=0, dtype=dtype)
    network.loss(np.random.default_rng(0).normal(size=(20, *shape)), np.arange(20) % 3)
    how = Preprocessing(shape[1:], shape[0], [90.0, 100.0, 110.0][: shape[0]], 50.0, "pad") if preprocessing else None
    model = Model(network, CLASSES, how)
    model.save(folder / "start.safetensors")
    return model


def recipe_for(folder, **changes):
    table = {"network.path": str(folder / "start.safetensors"), "augment.shift": 1, "train.epochs": 3}
    return recipes.load("finetune").with_changes(table | {"train.batch_size": 10} | changes)


def network_for(folder, classes=CLASSES, shape=(3, 8, 8), **changes):
    return recipes.build_network(recipe_for(folder, **changes), shape, len(classes), 1, classes)


def pictures(channels=3, side=8, count=40):
    rng = np.random.default_rng(1)

    def part(count):
        return ByteImages(rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)), np.arange(count) % 3

    (X_train, y_train), (X_test, y_test) = part(count), part(6)
    return Dataset("noise", CLASSES, X_train, y_train, X_test, y_test)


def test_the_same_classes_keep_everything(tmp_path):
    model = saved(tmp_path)
    network = network_for(tmp_path)
    X = np.random.default_rng(2).normal(size=(4, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(network.loss(X), model.network.loss(X))
    network.params["last.w"][...] = 0
    assert model.network.params["last.w"].any(), "it has copies"


@pytest.mark.parametrize("classes", [("a", "b", "c"), ("cat", "dog"), ("cat", "dog", "owl", "yak")])
def test_other_classes_get_a_new_head_and_keep_the_rest(tmp_path, classes):
    model = saved(tmp_path)
    network = network_for(tmp_path, classes)
    assert network.output_shape == (len(classes),)
    assert isinstance(network.steps[-1], Scale), "what stands behind the head stays"
    w = network.params["affine1.w"]
    assert 0.5 < w.std() / np.sqrt(2 / len(w)) < 1.5, "it starts as the step says"
    assert not network.params["affine1.b"].any()
    for name, array in model.network.params.items():
        if not name.startswith("affine1."):
            np.testing.assert_array_equal(network.params[name], array)
    for own, old in zip(network.bn_params, model.network.bn_params, strict=True):
        np.testing.assert_array_equal(own["running_var"], old["running_var"])


def test_by_hand_the_head_is_new_or_kept(tmp_path):
    old = saved(tmp_path).network.params["affine1.w"]
    assert (network_for(tmp_path, **{"network.head": "new"}).params["affine1.w"] != old).any()
    kept = network_for(tmp_path, ("a", "b", "c"), **{"network.head": "keep"})
    np.testing.assert_array_equal(kept.params["affine1.w"], old)


def test_only_what_is_asked_is_frozen(tmp_path):
    model = saved(tmp_path)
    model.network.freeze("last.*")  # in its own training
    model.network.set_options("conv1.w", learning_rate=0.5)
    model.save(tmp_path / "start.safetensors")
    options = network_for(tmp_path, **{"network.freeze": "conv*"}).param_options
    assert [name for name, own in options.items() if own.get("frozen")] == ["conv1.w"]
    assert options["conv1.w"]["learning_rate"] == 0.5


def test_everything_frozen_trains_a_new_head_alone(tmp_path):
    saved(tmp_path)
    network = network_for(tmp_path, ("a", "b"), **{"network.freeze": "*"})
    _, grads = network.loss(np.ones((4, 3, 8, 8), np.float32), np.array([0, 1, 0, 1]))
    assert set(grads) == {"affine1.w", "affine1.b"}
    with pytest.raises(ValueError, match="nothing is left to train"):
        network_for(tmp_path, **{"network.freeze": "*"})


def test_a_frozen_batch_norm_keeps_its_statistics_and_the_others_follow(tmp_path):
    saved(tmp_path)
    network = network_for(tmp_path, **{"network.freeze": ["conv1.*", "batchnorm1.*", "batchnorm2.beta"]})
    before = [own["running_mean"].copy() for own in network.bn_params]
    X = np.random.default_rng(2).normal(3, 2, size=(8, 3, 8, 8)).astype(np.float32)
    network.loss(X, np.arange(8) % 3)
    np.testing.assert_array_equal(network.bn_params[0]["running_mean"], before[0])
    assert (network.bn_params[1]["running_mean"] != before[1]).all()


def test_a_softmax_at_the_end_is_left_to_the_loss(tmp_path):
    saved(tmp_path, [*BODY, Affine(3), Softmax()])
    for classes in (CLASSES, ("a", "b")):
        assert isinstance(network_for(tmp_path, classes).steps[-1], Affine)


def test_a_model_of_float64_goes_on_in_float32(tmp_path):
    saved(tmp_path, dtype=np.float64)
    network = network_for(tmp_path)
    assert {array.dtype for array in network.params.values()} == {np.dtype(np.float32)}
    assert {own["running_var"].dtype for own in network.bn_params} == {np.dtype(np.float32)}


def test_the_data_are_normalised_by_the_model(tmp_path):
    model, dataset = saved(tmp_path), pictures()
    data = recipes.split(recipe_for(tmp_path), dataset)
    np.testing.assert_array_equal(data["X_test"][:], model.preprocessing.floats(dataset.X_test.pixels))
    assert len(data["X_val"]) == 4 and data["X_train"].scale == 50.0
    own = recipes.split(recipe_for(tmp_path, **{"data.normalise": "channel"}), dataset)
    assert abs(np.asarray(own["X_train"]).mean()) < 1e-3


@pytest.mark.parametrize("normalise", ["model", "channel"])
def test_colours_become_grey_as_pillow_makes_them_and_grey_becomes_colours(tmp_path, normalise):
    saved(tmp_path, shape=(1, 8, 8))
    recipe, dataset = recipe_for(tmp_path, **{"data.normalise": normalise}), pictures(count=1100)
    grey = recipes.split(recipe, dataset)["X_train"].pixels
    for i in (0, 500, 989):
        np.testing.assert_array_equal(grey[i, ..., 0], Image.fromarray(dataset.X_train.pixels[i]).convert("L"))
    saved(tmp_path)
    colour = recipes.split(recipe, pictures(channels=1))["X_train"].pixels
    assert colour.shape[3] == 3 and (colour[..., 0] == colour[..., 2]).all()


def test_pictures_are_brought_to_the_models_size_in_its_way_unless_the_recipe_says_another(tmp_path):
    saved(tmp_path)
    data = recipes.for_pictures(recipe_for(tmp_path))["data"]
    assert (data["image_size"], data["fit"]) == ([8, 8], "pad")
    data = recipes.for_pictures(recipe_for(tmp_path, **{"data.fit": "crop", "data.image_size": [9, 9]}))["data"]
    assert (data["image_size"], data["fit"]) == ([9, 9], "crop")


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    statistics = saved(tmp_path).network.bn_params
    recipe = recipe_for(tmp_path, **{"network.freeze": ["conv1.*", "batchnorm1.*"]})
    data = recipes.split(recipe, pictures())

    def solver(*hooks):
        options = {"checkpoint_path": tmp_path / "checkpoint", "checkpoint_every": 1, "hooks": hooks}
        return recipes.build_solver(recipe, data, 3, 5, ("a", "b", "c"), verbose=False, progress=False, **options)

    whole = solver()
    whole.train()
    for stop in (1, 4, 7):
        solver(StopAt(stop)).train()
        again = solver()
        again.resume(tmp_path / "checkpoint")
        assert again.iteration == stop
        again.train()
        for name, array in whole.model.params.items():
            np.testing.assert_array_equal(again.model.params[name], array, err_msg=name)
        for own, other in zip(again.model.bn_params, whole.model.bn_params, strict=True):
            np.testing.assert_array_equal(own["running_mean"], other["running_mean"])
    np.testing.assert_array_equal(whole.model.bn_params[0]["running_mean"], statistics[0]["running_mean"])


REFUSED = {
    "no file": ({"network.path": ""}, {}, "network.path is empty; name the model file to start from"),
    "another size": ({}, {"shape": (3, 9, 9)}, r"reads images \(3, 8, 8\) \(C, H, W\), but these are \(3, 9, 9\)"),
    "other channels": ({}, {"shape": (1, 8, 8)}, "reads images"),
    "kept for others": ({"network.head": "keep"}, {"classes": ("a", "b")}, "network.head is 'keep'"),
    "no such parameter": ({"network.freeze": "conv1.v"}, {}, r"no parameter has the name 'conv1.v' \(did you mean"),
}


@pytest.mark.parametrize(("changes", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit(tmp_path, changes, arguments, message):
    saved(tmp_path)
    with pytest.raises(ValueError, match=message):
        network_for(tmp_path, **arguments, **changes)


@pytest.mark.parametrize(
    "end",
    [[Conv(3, 2)], [Affine(3), BatchNorm()], [Affine(3), Residual([Affine(3)])]],
    ids=["convolution", "batch norm", "block"],
)
def test_a_head_that_cannot_be_replaced(tmp_path, end):
    saved(tmp_path, [*BODY, *end, *([GlobalAvgPool()] if isinstance(end[0], Conv) else [])])
    network_for(tmp_path)
    with pytest.raises(ValueError, match="a new head can only take the place of an affine layer"):
        network_for(tmp_path, ("a", "b"))


def test_a_model_that_does_not_know_how_pictures_become_its_input(tmp_path):
    saved(tmp_path, preprocessing=False)
    with pytest.raises(ValueError, match="does not say how pictures become its input"):
        recipes.split(recipe_for(tmp_path), pictures())
    assert recipes.for_pictures(recipe_for(tmp_path))["data"]["image_size"] == [8, 8]
    recipes.split(recipe_for(tmp_path, **{"data.normalise": "channel"}), pictures())


def test_a_scale_beside_the_models_own(tmp_path):
    with pytest.raises(ValueError, match=r"data\.scale is 2, but data\.normalise 'model' divides by the model's own"):
        recipe_for(tmp_path, **{"data.scale": 2})
