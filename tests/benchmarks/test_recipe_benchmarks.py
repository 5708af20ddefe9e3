"""The recipe in PyTorch is the recipe of ours: network, whitening, updates, views; and both are timed in turn.

What needs PyTorch is skipped where it is not installed; `make bench` makes an environment that has it.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks.recipe_folder import RecipeFolder

from benchmarks import recipe_time
from pellucid import models, recipes, training
from pellucid.data import ByteImages, Dataset
from pellucid.layers import SmoothedSoftmaxLoss

WIDTHS = (8, 12, 16)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed; .venv-bench has it")


@pytest.fixture
def sides(torch):
    """Our network and PyTorch's with the same weights, both in the type that is asked for."""
    from benchmarks.torch_airbench import Airbench

    def make(widths=WIDTHS, dtype=np.float32):
        steps = models.airbench(widths, head_init=1.0, scale=1 / 256)
        ours = models.Network(steps, (3, 32, 32), loss_function=SmoothedSoftmaxLoss(0.2), dtype=dtype, rng=0)
        rng = np.random.default_rng(1)
        for name in ours.params:
            if ours.kinds[name] != "weight":
                ours.params[name] += (0.1 * rng.standard_normal(ours.params[name].shape)).astype(dtype)
        for bn_param in ours.bn_params:
            bn_param["running_mean"] += 0.1 * rng.standard_normal(bn_param["running_mean"].shape).astype(dtype)
            bn_param["running_var"] += rng.random(bn_param["running_var"].shape).astype(dtype)
        theirs = Airbench(widths).to(torch.float64 if dtype == np.float64 else torch.float32)
        load(torch, theirs, ours)
        return ours, theirs

    return make


def weights_of(theirs):
    """PyTorch's parameters in the order of ours; the scale of batch norm, which is 1, is no parameter of ours."""
    parameters = theirs.named_parameters()
    return [w for name, w in parameters if not (w.ndim == 1 and name.endswith("weight"))]


def norms_of(torch, theirs):
    return [module for module in theirs.modules() if isinstance(module, torch.nn.BatchNorm2d)]


def in_our_order(arrays):
    """PyTorch's linear layer has its weights the other way round."""
    arrays = [np.asarray(array) for array in arrays]
    return [array.T if array.ndim == 2 else array for array in arrays]


def load(torch, theirs, ours):
    with torch.no_grad():
        for w, value in zip(weights_of(theirs), ours.params.values(), strict=True):
            w.copy_(torch.from_numpy(value.T if value.ndim == 2 else value))
        for norm, bn_param in zip(norms_of(torch, theirs), ours.bn_params, strict=True):
            norm.running_mean.copy_(torch.from_numpy(bn_param["running_mean"]))
            norm.running_var.copy_(torch.from_numpy(bn_param["running_var"]))


def images(N, dtype=np.float32, seed=2):
    """Normalised images, smooth as photographs are, channels last in memory."""
    noise = np.random.default_rng(seed).standard_normal((N, 3, 32, 32))
    for axis in (2, 3):
        noise = noise + np.roll(noise, 1, axis) + np.roll(noise, 2, axis)
    return (noise / noise.std()).astype(dtype).transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)


def dataset(N=64, seed=3):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (N, 32, 32, 3), dtype=np.uint8)
    y = np.arange(N) % 10
    classes = tuple("abcdefghij")
    return Dataset("noise", classes, ByteImages(pixels), y, ByteImages(pixels[:20]), y[:20])


def close(got, want, tolerance):
    return np.abs(np.asarray(got) - np.asarray(want)).max() <= tolerance * np.abs(np.asarray(want)).max()


# The network


def test_both_networks_have_the_same_parameters_and_scores(sides, torch):
    from benchmarks.torch_airbench import scores

    ours, theirs = sides((64, 256, 256))
    assert sum(w.numel() for w in weights_of(theirs)) == sum(w.size for w in ours.params.values())
    x = images(4)
    assert close(scores(theirs, torch.from_numpy(x)), ours.loss(x), 1e-4)


def test_loss_and_gradients_are_those_of_ours(sides, torch):
    ours, theirs = sides(dtype=np.float64)
    x, y = images(6, np.float64), np.arange(6)
    loss, grads = ours.loss(x, y)
    theirs.whiten.weight.requires_grad_(True)  # ours computes it, too, as long as nothing is frozen
    got = torch.nn.functional.cross_entropy(
        theirs.train()(torch.from_numpy(x)), torch.from_numpy(y), label_smoothing=0.2
    )
    got.backward()
    assert got.item() == pytest.approx(loss, rel=1e-9)
    for name, grad in zip(ours.params, in_our_order(w.grad for w in weights_of(theirs)), strict=True):
        assert close(grad, grads[name], 1e-6), name


def test_running_statistics_move_alike_but_for_the_last_place(sides, torch):
    ours, theirs = sides(dtype=np.float64)
    x = images(6, np.float64)
    ours.loss(x, np.arange(6))
    theirs.train()(torch.from_numpy(x))
    for norm, bn_param in zip(norms_of(torch, theirs), ours.bn_params, strict=True):
        assert close(norm.running_mean, bn_param["running_mean"], 1e-6)
        assert close(norm.running_var, bn_param["running_var"], 0.02)  # PyTorch divides by one less


def test_whitening_filters_are_ours_up_to_their_sign(sides, torch):
    from benchmarks.torch_airbench import whiten

    x = images(300)
    _, theirs = sides()
    whiten(theirs, torch.from_numpy(x))
    got, want = theirs.whiten.weight.numpy(), models.whitening_filters(x)
    signs = np.sign((got * want).sum(axis=(1, 2, 3), keepdims=True))
    assert close(signs * got, want, 1e-3)


def test_the_views_are_those_of_ours(sides, torch):
    from benchmarks.torch_airbench import scores

    ours, theirs = sides()
    x = images(5)
    want = training.scores(ours, x, training.Views(flip=True, shift=1))
    assert close(scores(theirs, torch.from_numpy(x), views=True), want, 1e-4)


def test_a_new_network_starts_as_airbench_does(torch):
    from benchmarks.torch_airbench import Airbench

    network = Airbench()
    assert network.head.weight.std().item() == pytest.approx(1, abs=1e-3)
    first = network.blocks[0][0].weight.detach().numpy()
    assert np.array_equal(first[:24, :, 1, 1], np.eye(24, dtype=np.float32))
    assert np.count_nonzero(first[:24]) == 24 and np.all(first[24:] != 0)
    assert [norm.momentum for norm in norms_of(torch, network)] == [0.4] * 6


# Updates


def muon_in_numpy(w, dw, velocity, rate, momentum, rounds):
    """As the papers write it, in float64."""
    velocity = momentum * velocity + dw
    x = (dw + momentum * velocity).reshape(len(w), -1)
    x = x / np.linalg.norm(x)
    for _ in range(rounds):
        squares = x @ x.T
        x = 3.4445 * x + (-4.7750 * squares + 2.0315 * squares @ squares) @ x
    return w * np.sqrt(len(w)) / np.linalg.norm(w) - rate * x.reshape(w.shape), velocity


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (40, 3, 3, 3)], ids=["wide", "tall"])
def test_muon_is_that_of_numpy_and_ours(torch, shape):
    from benchmarks.torch_muon import Muon

    rng = np.random.default_rng(5)
    w = rng.standard_normal(shape)
    theirs = torch.nn.Parameter(torch.from_numpy(w.copy()).to(memory_format=torch.channels_last))
    muon = Muon([theirs], lr=0.24, momentum=0.6, rounds=3)
    ours, config = w.copy(), {"learning_rate": 0.24, "momentum": 0.6, "unit_norm": True}
    velocity = np.zeros(shape)
    for _ in range(3):
        dw = rng.standard_normal(shape)
        theirs.grad = torch.from_numpy(dw)
        muon.step()
        w, velocity = muon_in_numpy(w, dw, velocity, 0.24, 0.6, 3)
        ours, config = training.muon(ours, dw, config)
    assert close(theirs.detach(), w, 1e-5)
    assert close(ours, w, 1e-5)


def test_rates_fall_to_zero_and_the_whitening_bias_stops_first(torch):
    from benchmarks.recipe_torch import Recipe
    from benchmarks.torch_airbench import Airbench
    from benchmarks.torch_muon import Optimizers

    network = Airbench(WIDTHS)
    optimizers = Optimizers(network, Recipe(), steps_per_epoch=25)
    assert optimizers.set_rates(0) == 0.24
    assert [group["lr"] for group in optimizers.groups] == [0.053, 0.053, 0.67, 0.24]
    assert [group["weight_decay"] * group["lr"] for group in optimizers.sgd.param_groups] == pytest.approx([0.004] * 3)
    optimizers.set_rates(50)
    assert [group["lr"] for group in optimizers.groups] == pytest.approx([0.053 / 3, 0.053 * 0.75, 0.67 * 0.75, 0.18])
    assert network.whiten.bias.requires_grad
    optimizers.set_rates(75)
    assert optimizers.groups[0]["lr"] == 0 and not network.whiten.bias.requires_grad
    assert optimizers.set_rates(200) == 0
    updated = {id(w) for group in optimizers.groups for w in group["params"]}
    assert len(updated) == 1 + 6 + 1 + 6  # whitening bias, shifts, head, filters


def test_training_steps_are_those_of_our_recipe(torch):
    """But for momentum: our velocity has the rates of the steps that it is made of, PyTorch's takes the newest."""
    from benchmarks.recipe_torch import Recipe, Training

    data = dataset(64)  # one batch an epoch: in whatever order, it holds the same images
    bias_rate, head_rate, momentum = 0.053 * 64, 0.67 * 64, 1e-9
    changes = {
        "augment": {"flip": "none", "shift": 0},
        "train": {"batch_size": 64},
        "network": {"widths": list(WIDTHS)},
        "optimizer": {"learning_rate": bias_rate, "momentum": momentum},
        "optimizer.groups.whitening": {"learning_rate": bias_rate, "weight_decay": 0.004 / bias_rate},
        "optimizer.groups.shifts": {"learning_rate": bias_rate, "weight_decay": 0.004 / bias_rate},
        "optimizer.groups.head": {"learning_rate": head_rate, "weight_decay": 0.004 / head_rate},
    }
    flat = {f"{table}.{key}": value for table, keys in changes.items() for key, value in keys.items()}
    recipe = recipes.load("94").with_changes(flat)
    solver = recipes.build_solver(recipe, recipes.split(recipe, data), 10, verbose=False, progress=False)
    settings = Recipe(widths=WIDTHS, batch_size=64, shift=0, momentum=momentum, weight_decay=0.004 / 64)
    theirs = Training(settings, data)
    theirs.batches.is_mirrored[:] = False
    theirs._stream = iter([next(theirs.batches.epoch(0)) for _ in range(4)])
    load(torch, theirs.network, solver.model)
    losses = [theirs.step().loss for _ in range(4)]  # the whitening bias stands still from the fourth on
    solver.hooks = [*solver.hooks, StopAfter(4)]
    solver.train()
    assert losses == pytest.approx(solver.loss_history, rel=1e-4)
    got = in_our_order(w.detach() for w in weights_of(theirs.network))
    for (name, want), w in zip(solver.model.params.items(), got, strict=True):
        assert close(w, want, 5e-3), name


class StopAfter(training.Hook):
    def __init__(self, steps):
        self.steps = steps

    def on_step(self, solver):
        if solver.iteration == self.steps:
            solver.stop()


# Batches


def test_an_epoch_has_each_image_once_and_the_next_one_its_mirror_image(torch):
    from benchmarks.torch_batches import Batches

    data = dataset(30)
    torch.manual_seed(0)
    batches = Batches(data.X_train.pixels, np.arange(30), 10, shift=0)
    plain = batches.normalise(torch.from_numpy(data.X_train.pixels.copy()).permute(0, 3, 1, 2)).numpy()
    seen = []
    for epoch in range(2):
        x, y = (torch.cat(parts).numpy() for parts in zip(*batches.epoch(epoch), strict=True))
        assert sorted(y) == list(range(30))
        seen.append(x[np.argsort(y)])
    assert np.array_equal(seen[0][..., ::-1], seen[1])
    is_mirrored = [not np.array_equal(a, b) for a, b in zip(seen[0], plain, strict=True)]
    assert 5 < sum(is_mirrored) < 25
    assert np.array_equal(np.where(np.reshape(is_mirrored, (-1, 1, 1, 1)), plain[..., ::-1], plain), seen[0])
    assert plain.mean(axis=(0, 2, 3)) == pytest.approx([0] * 3, abs=1e-4)
    assert plain.std(axis=(0, 2, 3)) == pytest.approx([1] * 3, abs=1e-4)


def test_images_are_shifted_by_reflection_to_all_places(torch):
    from benchmarks.torch_batches import Batches

    pixels = dataset(1).X_train.pixels
    batches = Batches(np.repeat(pixels, 400, axis=0), np.zeros(400), 400, shift=2)
    batches.is_mirrored[:] = False
    padded = np.pad(pixels[0], ((2, 2), (2, 2), (0, 0)), "reflect")
    places = [
        torch.from_numpy(padded[i : i + 32, j : j + 32].copy()).permute(2, 0, 1)[None]
        for i in range(5)
        for j in range(5)
    ]
    wanted = [batches.normalise(place)[0].numpy() for place in places]
    x, _ = next(batches.epoch(0))
    found = [next(k for k, place in enumerate(wanted) if np.array_equal(image, place)) for image in x.numpy()]
    assert set(found) == set(range(25))
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_what_fills_no_batch_is_left_out_and_too_large_a_batch_is_refused(torch):
    from benchmarks.torch_batches import Batches

    data = dataset(30)
    assert [len(y) for _, y in Batches(data.X_train.pixels, data.y_train, 8, 2).epoch(0)] == [8, 8, 8]
    with pytest.raises(ValueError, match="batch_size is 31; it must be from 1 to the 30 images"):
        Batches(data.X_train.pixels, data.y_train, 31, 2)


# A whole run in PyTorch


def small_run(folder=None, seed=0, steps=None):
    from benchmarks.recipe_torch import Recipe, Training, train

    training_ = Training(Recipe(widths=WIDTHS, batch_size=32, epochs=3, whiten_epochs=1), dataset(), seed)
    return train(training_, folder, steps)


def test_a_run_leaves_a_folder_like_ours(torch, tmp_path, capsys):
    folder = RecipeFolder.create(tmp_path / "run")
    result = small_run(folder)
    folder.finish(result)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["step", "step", "epoch"] * 3
    assert [line["step"] for line in lines if line["kind"] == "step"] == [1, 2, 3, 4, 5, 6]
    times = [line["time_s"] for line in lines]
    assert times == sorted(times) and times[-1] == result["train_time_s"]
    assert result["iterations"] == 6 and 0 <= result["test_accuracy"] <= 1
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == result
    assert capsys.readouterr().out.count("epoch") == 3


def test_a_seed_is_a_run_and_a_run_stopped_early_has_no_result(torch):
    assert small_run(seed=1)["final_loss"] == small_run(seed=1)["final_loss"] != small_run(seed=2)["final_loss"]
    assert small_run(steps=2) is None


def test_images_of_another_size_are_refused(torch):
    from benchmarks.recipe_torch import Recipe, Training

    pixels = ByteImages(np.zeros((40, 28, 28, 3), np.uint8))
    grey = Dataset("small", ("a",), pixels, np.zeros(40, int), pixels, np.zeros(40, int))
    with pytest.raises(ValueError, match=r"the images are \(3, 28, 28\)"):
        Training(Recipe(), grey)


def test_bad_arguments_end_with_a_sentence(torch, tmp_path, capsys):
    from benchmarks import recipe_torch

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert recipe_torch.main("digits", out=tmp_path / "full") == 2
    assert "exists and is not empty" in capsys.readouterr().err
    assert recipe_torch.main("digits", threads=0) == 2
    assert recipe_time.main("digits", steps=0) == 2
    assert "must be at least 1" in capsys.readouterr().err


# Timing


def test_steps_are_timed_in_turn_and_the_first_do_not_count():
    now, stops = [0.0], []

    def passing(seconds):
        now[0] += seconds

    hook = recipe_time.InTurn(lambda: passing(6.0), 3, clock=lambda: now[0], sleep=passing)
    solver = SimpleNamespace(iteration=0, stop=lambda: stops.append(solver.iteration))
    hook.on_train_begin(solver)
    for seconds in (30.0, 5.0, 2.0, 3.0, 4.0):
        solver.iteration += 1
        passing(seconds)
        hook.on_step(solver)
    assert hook.ours == pytest.approx([2, 3, 4]) and hook.theirs == pytest.approx([6, 6, 6])
    assert stops == [recipe_time.WARM + 3]


def test_the_summary_of_times():
    measured = {"ours_s": [2.0, 9.0, 2.5], "pytorch_s": [6.0, 5.0, 5.0], "batch_s": 0.05}
    result = recipe_time.summary(measured, 2000)
    assert result["ratio"] == 2 and result["ours_images_per_s"] == 800 and result["batch_share"] == 0.02
    text = "\n".join(recipe_time.lines(result))
    assert "divided by ours: 2.00" in text and "2.0% of a step, below 3%" in text
    slow = "\n".join(recipe_time.lines(recipe_time.summary(measured | {"batch_s": 0.5}, 2000)))
    assert "20.0% of a step, NOT below 3%" in slow


@pytest.mark.slow
def test_both_sides_can_be_measured(torch):
    measured = recipe_time.measure(dataset(), steps=2, batch_size=16, widths=WIDTHS)
    assert len(measured["ours_s"]) == len(measured["pytorch_s"]) == 2
    assert min(*measured["ours_s"], *measured["pytorch_s"], measured["batch_s"]) > 0
    with pytest.raises(ValueError, match="steps is 40, but the recipe has only 30 to count"):
        recipe_time.measure(dataset(), steps=40, batch_size=16, widths=WIDTHS)
