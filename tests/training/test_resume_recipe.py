"""A run with everything that a recipe may ask for is resumed to the bit, wherever it was stopped."""

import numpy as np
import pytest

from pellucid.layers import SmoothedSoftmaxLoss
from pellucid.models import GELU, Affine, BatchNorm, Conv, Dropout, GlobalMaxPool, MaxPool, Network
from pellucid.training import Augmentation, Average, CheckpointError, Solver, schedules
from pellucid.training.weights import weights_of
from stop_at import StopAt

RNG = np.random.default_rng(0)
DATA = {
    "X_train": RNG.standard_normal((37, 2, 9, 8)).astype(np.float32),
    "y_train": RNG.integers(3, size=37),
    "X_val": RNG.standard_normal((11, 2, 9, 8)).astype(np.float32),
    "y_val": RNG.integers(3, size=11),
}
STEPS = 4 * 5
AVERAGES = {
    "averaged": Average(0.9),
    "averaged, every third": Average(0.9, every=3, power=1),
    "look-ahead": Average(0.8, every=3, power=3, lookahead=True),
}


def make(**settings):
    steps = [
        Conv(6, 2, name="first"), GELU(),
        Conv(8, 3, pad=1, bias=False, init="dirac"), MaxPool(2), BatchNorm(momentum=0.6, scale=False), GELU(),
        GlobalMaxPool(), Dropout(0.8), Affine(3, bias=False),
    ]  # fmt: skip
    model = Network(steps, (2, 9, 8), loss_function=SmoothedSoftmaxLoss(0.2), rng=np.random.default_rng(5))
    model.freeze("first.w")
    linear = schedules.triangle(peak=0, start=1, end=0)
    defaults = {
        "update_rule": "muon", "optim_config": {"learning_rate": 0.1, "momentum": 0.6, "unit_norm": True},
        "groups": {
            "bias": {"params": "first.b", "update_rule": "nesterov", "learning_rate": 0.1, "until": 3 / 8},
            "shift": {"params": "*.beta", "update_rule": "adamw", "learning_rate": 0.05},
        },
        "schedule": linear, "batch_size": 8, "num_epochs": 4, "shuffle": True, "rng": 9, "num_train_samples": 20,
        "augmentation": Augmentation("alternating", 2, 3, 0.1, 0.2, 0.3, seed=4), "average": Average(0.9),
        "verbose": False, "progress": False,
    }  # fmt: skip
    return Solver(model, DATA, **{**defaults, **settings})


def everything(solver):
    """All that a run ends in, as one comparable thing."""
    weights = {"model": weights_of(solver.model), "last": solver.last_weights, "average": solver.average_weights}
    weights["best"] = (solver.best_params, solver.best_bn_params)
    arrays = {}
    for kind, both in weights.items():
        params, statistics = both or ({}, [])
        arrays |= {(kind, name): w.tobytes() for name, w in params.items()}
        arrays |= {(kind, i, key): a.tobytes() for i, layer in enumerate(statistics) for key, a in layer.items()}
    for name, config in solver.optim_configs.items():
        arrays |= {("config", name, key): np.asarray(value).tobytes() for key, value in config.items()}
    plain = (solver.loss_history, solver.train_acc_history, solver.val_acc_history, solver.iteration, solver.epoch)
    return arrays, plain, str(solver.rng.bit_generator.state), str(solver.model.rng.bit_generator.state)


def uninterrupted(**settings):
    solver = make(**settings)
    solver.train()
    assert solver.iteration == STEPS
    return everything(solver)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("at", [1, 3, 5, 7, 8, 13, 19, 20])
def test_wherever_it_was_stopped(tmp_path, at, average):
    """Within an epoch and at its end, before, at and after the end of a group (step 7.5), after the last step."""
    settings = {"average": AVERAGES[average]}
    make(**settings, checkpoint_path=tmp_path / "c", hooks=[StopAt(at)]).train()
    solver = make(**settings)
    solver.resume(tmp_path / "c")
    assert solver.iteration == at
    solver.train()
    assert everything(solver) == uninterrupted(**settings)


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("shuffle", [True, False])
def test_stopping_again_and_again(tmp_path, every, shuffle):
    path, steps = tmp_path / "c", STEPS if shuffle else 16
    for at in range(every, steps + every, every):
        solver = make(shuffle=shuffle, checkpoint_path=path, hooks=[StopAt(at)])
        if at > every:
            solver.resume(path)
        solver.train()
    whole = make(shuffle=shuffle)
    whole.train()
    assert everything(solver) == everything(whole)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"augmentation": Augmentation("alternating", 1, 3, 0.1, 0.2, 0.3, seed=4)}, "augmentation"),
        ({"augmentation": None}, "augmentation"),
        ({"average": Average(0.8)}, "average"),
        ({"keep": "last"}, "keep"),
        ({"groups": None}, "groups"),
    ],
)
def test_a_run_of_other_settings_is_refused_and_what_differs_is_named(tmp_path, settings, named):
    make(checkpoint_path=tmp_path / "c", hooks=[StopAt(2)]).train()
    solver = make(**settings)
    with pytest.raises(CheckpointError, match=f"{named} is "):
        solver.resume(tmp_path / "c")
    assert solver.iteration == 0
