"""From recipes to networks and solvers: what they say is what is built, and recipe, data and seed are all it takes."""

import numpy as np
import pytest

from pellucid import models, recipes
from pellucid.data import ByteImages, Dataset
from pellucid.training import Solver

CLASSES = ("red", "green", "blue")


def dataset(count=40, side=18, val=0):
    """Noise with one bright channel a class."""
    rng = np.random.default_rng(0)

    def part(count):
        y = np.arange(count) % 3
        pixels = rng.integers(0, 120, (count, side, side, 3), dtype=np.uint8)
        pixels[np.arange(count), :, :, y] += 100
        return ByteImages(pixels), y

    extra = dict(zip(("X_val", "y_val"), part(val), strict=True)) if val else {}
    (X_train, y_train), (X_test, y_test) = part(count), part(9)
    return Dataset("noise", CLASSES, X_train, y_train, X_test, y_test, **extra)


def small(name="94", **changes):
    """The recipe, made to take no time."""
    recipe = recipes.load(name).with_changes({"network.widths": [4, 5, 6], "train.epochs": 2, "train.batch_size": 8})
    return recipe.with_changes(changes)


def solver_of(recipe, seed=1, data=None, **options):
    data = recipes.split(recipe, dataset()) if data is None else data
    return recipes.build_solver(recipe, data, len(CLASSES), seed, verbose=False, progress=False, **options)


@pytest.mark.parametrize("name", [name for name in recipes.names() if name not in ("tutorial", "finetune")])
def test_each_recipe_trains(name):
    solver = solver_of(small(name))
    solver.train()
    assert solver.epoch == 2 and np.isfinite(solver.loss_history).all()


@pytest.mark.parametrize("network", [name for name in recipes.keys.NETWORKS if name not in ("vgg", "file")])
def test_each_network_is_built_and_gives_a_score_a_class(network):
    recipe = recipes.load("tutorial").with_changes({"network.name": network})
    model = recipes.build_network(recipe, (3, 18, 18), 3, rng=0)
    assert model.loss(np.zeros((2, 3, 18, 18), np.float32)).shape == (2, 3)


def test_arguments_reach_the_network():
    recipe = small(**{"network.convolutions": 3, "network.activation": "silu", "network.momentum": 0.7})
    model = recipes.build_network(recipe, (1, 18, 18), 5, rng=0)
    assert model.params["conv1.w"].shape == (4, 8, 3, 3) and "residual1.conv1.w" in model.params
    assert model.output_shape == (5,)
    assert isinstance(model.steps[1], models.SiLU)
    assert model.bn_params[0]["momentum"] == 0.7
    assert model.loss_function.smoothing == 0.2
    tutorial = recipes.load("tutorial").with_changes({"network.filters": 3, "network.hidden": [7], "loss.reg": 0.5})
    model = recipes.build_network(tutorial, (3, 18, 18), 4, rng=0)
    assert model.params["W1"].shape == (3, 3, 7, 7) and model.params["W3"].shape == (7, 4) and model.reg == 0.5


def test_groups_rates_and_decay_are_those_of_the_recipe():
    solver = solver_of(small())
    configs = solver.optim_configs
    assert configs["conv1.w"]["unit_norm"] is True and configs["conv1.w"]["learning_rate"] == 0.24
    assert configs["affine1.w"]["learning_rate"] == 1340 and configs["affine1.w"]["momentum"] == 0.85
    assert configs["affine1.w"]["weight_decay"] == 2e-5
    assert configs["batchnorm1.beta"]["weight_decay"] == 2.5e-4, "decay = 'all' reaches shifts"
    assert solver.groups["whiten.b"].until == 0.375
    only_weights = small(**{"optimizer.groups.shifts.decay": "weights"})
    assert solver_of(only_weights).optim_configs["batchnorm1.beta"]["weight_decay"] == 0


def test_whitening_filters_come_from_the_training_images_and_stay():
    recipe = small()
    data = recipes.split(recipe, dataset())
    solver = solver_of(recipe, data=data)
    expected = models.whitening_filters(data["X_train"]).astype(np.float32)
    np.testing.assert_array_equal(solver.model.params["whiten.w"], expected)
    bias = solver.model.params["whiten.b"].copy()
    solver.train()
    np.testing.assert_array_equal(solver.model.params["whiten.w"], expected)
    assert (solver.model.params["whiten.b"] != bias).any()
    random = solver_of(small(**{"network.whiten": False})).model
    assert (random.params["whiten.w"] != expected).any() and not random.param_options["whiten.w"].get("frozen")


def test_recipe_data_and_seed_are_all_it_takes():
    recipe = small(**{"augment.cutout": 3, "average.decay": 0.9})
    results = []
    for seed in (1, 1, 2):
        np.random.seed(len(results))
        solver = solver_of(recipe, seed)
        solver.train()
        results.append(solver)
    first, same, other = (solver.model.params for solver in results)
    for name in first:
        np.testing.assert_array_equal(first[name], same[name])
    assert (first["conv1.w"] != other["conv1.w"]).any()
    assert results[0].augmentation.seed == results[1].augmentation.seed != results[2].augmentation.seed


def test_the_tutorials_recipe_trains_as_its_settings_written_out():
    data = recipes.split(recipes.load("tutorial"), dataset())
    for_model, for_solver = (np.random.default_rng(s) for s in np.random.SeedSequence(3).spawn(2))
    model = models.ThreeLayerConvNet((3, 18, 18), hidden_dim=500, num_classes=3, reg=0.001, rng=for_model)
    plain = Solver(
        model, data, update_rule="adam", optim_config={"learning_rate": 1e-3}, batch_size=50, num_epochs=1,
        shuffle=True, rng=for_solver, verbose=False, progress=False,
    )  # fmt: skip
    by_recipe = solver_of(recipes.load("tutorial"), seed=3, data=data)
    for solver in (plain, by_recipe):
        solver.train()
    assert plain.loss_history == by_recipe.loss_history
    for name, array in plain.model.params.items():
        np.testing.assert_array_equal(array, by_recipe.model.params[name])


def test_what_changes_nothing_is_left_out():
    solver = solver_of(recipes.load("tutorial"))
    assert solver.augmentation is None and solver.average is None and solver.schedule is None
    assert recipes.views(recipes.load("tutorial")) is None
    views = recipes.views(recipes.load("94"))
    assert (views.flip, views.shift, views.share) == (True, 1, 1.0)
    assert recipes.views(small(**{"test.share": 0})) is None


@pytest.mark.parametrize(
    ("changes", "val", "trained_on", "validated_on"),
    [
        ({}, 0, 36, 4),
        ({}, 7, 40, 7),
        ({"data.validation": 5}, 0, 35, 5),
        ({"data.validation": 5}, 7, 40, 5),
        ({"data.validation": 0}, 0, 40, 0),
        ({"data.validation": 0}, 7, 40, 0),
    ],
)
def test_how_many_images_are_held_out(changes, val, trained_on, validated_on):
    data = recipes.split(recipes.load("tutorial").with_changes(changes), dataset(val=val))
    assert len(data["y_train"]) == trained_on
    assert len(data.get("y_val", ())) == validated_on


def test_at_most_a_thousand_are_held_out():
    data = recipes.split(recipes.load("tutorial"), dataset(count=12_000, side=1))
    assert len(data["y_val"]) == 1000


def test_normalisation():
    tutorial = recipes.load("tutorial")
    images = np.asarray(recipes.split(tutorial, dataset())["X_train"])
    np.testing.assert_allclose(images.mean(axis=0), 0, atol=1e-5)
    assert images.std() == pytest.approx(1, abs=1e-3)
    images = np.asarray(recipes.split(small(), dataset())["X_train"])
    np.testing.assert_allclose(images.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(images.std(axis=(0, 2, 3)), 1, atol=1e-4)
    plain = tutorial.with_changes({"data.normalise": "none", "data.scale": 2})
    images = np.asarray(recipes.split(plain, dataset())["X_train"])
    np.testing.assert_array_equal(images[0], dataset().X_train[0] / 2)


def test_what_does_not_fit_together():
    with pytest.raises(ValueError, match="50"):
        recipes.split(recipes.load("tutorial").with_changes({"data.validation": 50}), dataset())
    with pytest.raises(ValueError, match=r"groups\['head'\]: no parameter has the name 'fc\.w'"):
        solver_of(small(**{"optimizer.groups.head.params": "fc.w"}))
    with pytest.raises(ValueError, match="shift is 20"):
        solver_of(small(**{"augment.shift": 20}))
    with pytest.raises(ValueError, match="Network"):
        recipes.build_network(recipes.load("tutorial").with_changes({"network.name": "vgg"}), (3, 8, 8), 3, rng=0)
