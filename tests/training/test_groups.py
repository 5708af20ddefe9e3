"""Parameters that are trained in different ways."""

import numpy as np
import pytest

from pellucid.models import Affine, BatchNorm, Conv, Network, ReLU
from pellucid.training import Hook, Solver, optim, schedules

RNG = np.random.default_rng(0)
DATA = {
    "X_train": RNG.standard_normal((40, 2, 6, 6)).astype(np.float32),
    "y_train": np.arange(40) % 3,
    "X_val": RNG.standard_normal((10, 2, 6, 6)).astype(np.float32),
    "y_val": np.arange(10) % 3,
}


def network(**settings):
    steps = [Conv(4, 3, pad=1), BatchNorm(), ReLU(), Conv(5, 3, pad=1, bias=False), ReLU(), Affine(3)]
    return Network(steps, (2, 6, 6), rng=0, **settings)


def make(model=None, **settings):
    defaults = {"batch_size": 10, "num_epochs": 2, "verbose": False, "progress": False, "rng": 1, "shuffle": True}
    return Solver(model or network(), DATA, **{**defaults, **settings})


class Changes(Hook):
    """Which parameters each step moved, and what gradients there were."""

    def on_train_begin(self, solver):
        self.before = {name: w.copy() for name, w in solver.model.params.items()}
        self.moved = []

    def on_step(self, solver):
        now = solver.model.params
        self.moved.append({name for name, w in now.items() if not np.array_equal(w, self.before[name])})
        self.before = {name: w.copy() for name, w in now.items()}


def test_each_group_has_its_rule_and_settings_and_the_first_that_names_a_parameter_has_it():
    solver = make(
        update_rule="nesterov",
        optim_config={"learning_rate": 0.1, "momentum": 0.5},
        groups={
            "head": {"params": "affine1.*", "learning_rate": 0.3},
            "filters": {"params": ["conv*.w", "affine1.w"], "update_rule": "muon", "learning_rate": 0.02},
        },
    )
    rules = {name: group.update_rule for name, group in solver.groups.items()}
    assert rules == {
        "conv1.w": "muon", "conv1.b": "nesterov", "batchnorm1.gamma": "nesterov", "batchnorm1.beta": "nesterov",
        "conv2.w": "muon", "affine1.w": "nesterov", "affine1.b": "nesterov",
    }  # fmt: skip
    assert solver.optim_configs["affine1.w"] == {"learning_rate": 0.3, "momentum": 0.5}
    assert solver.optim_configs["conv1.b"] == {"learning_rate": 0.1, "momentum": 0.5}
    assert solver.optim_configs["conv1.w"]["momentum"] == optim.DEFAULTS["muon"]["momentum"]
    solver.train()
    assert "velocity" in solver.optim_configs["conv1.w"]


def test_a_step_is_the_rules_own_for_every_parameter():
    model = network()
    solver = make(
        model,
        update_rule="adam",
        groups={
            "filters": {"params": "conv*.w", "update_rule": "muon", "learning_rate": 0.02, "schedule": lambda p: 0.5}
        },
        num_epochs=1,
        batch_size=40,
    )
    before = {name: w.copy() for name, w in model.params.items()}
    _, grads = network().loss(
        DATA["X_train"][np.random.default_rng(1).permutation(40)],
        DATA["y_train"][np.random.default_rng(1).permutation(40)],
    )
    solver.train()
    last = solver.last_weights.params if solver.last_weights else model.params
    for name, w in before.items():
        rule, config = ("muon", {"learning_rate": 0.01}) if name in ("conv1.w", "conv2.w") else ("adam", {})
        expected, _ = optim.RULES[rule](w, grads[name], config)
        np.testing.assert_allclose(last[name], expected, atol=3e-5, err_msg=name)


def test_a_group_that_has_ended_stays_as_it_is_and_its_gradient_is_not_computed():
    model, changes = network(), Changes()
    seen = []
    loss = model.loss

    def noting(X, y=None):
        result = loss(X, y)
        if y is not None:
            seen.append(set(result[1]))
        return result

    model.loss = noting
    make(model, groups={"first": {"params": "conv1.*", "until": 3 / 8}}, hooks=[changes]).train()
    for step in range(8):
        assert ("conv1.w" in changes.moved[step]) == ("conv1.w" in seen[step]) == (step < 3), step
        assert "conv2.w" in changes.moved[step]
    assert "frozen" not in model.param_options["conv1.w"]


def test_a_groups_schedule_is_stretched_over_its_part_of_the_run():
    linear = schedules.triangle(peak=0, start=1, end=0)
    solver = make(
        groups={"first": {"params": "conv1.w", "until": 0.5, "schedule": linear}}, schedule=schedules.cosine()
    )
    group, rest = solver.groups["conv1.w"], solver.groups["conv2.w"]
    assert [group.factor(p) for p in (0, 0.25, 0.5, 0.9)] == [1, 0.5, 0, 0]
    assert rest.factor(0.5) == pytest.approx(0.5)


def test_what_the_model_freezes_does_not_move_and_needs_no_gradient():
    model, changes = network(), Changes()
    model.freeze(["conv1.w", "batchnorm1.gamma"])
    make(model, hooks=[changes]).train()
    assert all(moved == set(model.params) - {"conv1.w", "batchnorm1.gamma"} for moved in changes.moved)
    assert model.param_options["conv1.w"]["frozen"]


def test_factors_on_the_rate_and_on_the_decay_are_the_models():
    model = network()
    model.set_options("conv1.w", learning_rate=0.1, weight_decay=0.5)
    solver = make(model, update_rule="adamw", optim_config={"learning_rate": 0.2, "weight_decay": 0.04})
    assert solver.optim_configs["conv1.w"]["learning_rate"] == pytest.approx(0.02)
    assert solver.optim_configs["conv1.w"]["weight_decay"] == pytest.approx(0.02)
    assert solver.optim_configs["conv2.w"]["weight_decay"] == pytest.approx(0.04)
    biases = ("conv1.b", "batchnorm1.gamma", "batchnorm1.beta", "affine1.b")
    assert all(solver.optim_configs[name]["weight_decay"] == 0 for name in biases)


def test_without_validation_images_the_last_weights_are_kept():
    data = {key: DATA[key] for key in ("X_train", "y_train")}
    solver = Solver(network(), data, batch_size=10, num_epochs=2, verbose=False, progress=False, rng=1)
    solver.train()
    assert solver.val_acc_history == []
    assert len(solver.train_acc_history) == 3
    np.testing.assert_array_equal(solver.model.params["conv1.w"], solver.last_weights.params["conv1.w"])
    np.testing.assert_array_equal(solver.best_params["conv1.w"], solver.model.params["conv1.w"])


@pytest.mark.parametrize(
    ("groups", "kind", "message"),
    [
        ([], TypeError, "groups is a list"),
        ({"a": 3}, TypeError, r"groups\['a'\] is a int; it must be a dictionary"),
        ({"a": {}}, ValueError, r"groups\['a'\] lacks the key 'params'"),
        ({"a": {"params": "conv9.w"}}, ValueError, r"no parameter has the name 'conv9.w'"),
        ({"a": {"params": 3}}, TypeError, r"groups\['a'\]\['params'\] is 3"),
        ({"a": {"params": []}}, TypeError, "params"),
        ({"a": {"params": "*", "update_rule": "moun"}}, ValueError, r"did you mean 'muon'"),
        ({"a": {"params": "*", "momentum": 0.5}}, ValueError, r"unknown key 'momentum'"),
        ({"a": {"params": "*", "until": 0}}, ValueError, r"\['until'\] is 0"),
        ({"a": {"params": "*", "until": 1.5}}, ValueError, r"\['until'\] is 1.5"),
        ({"a": {"params": "*", "schedule": "cosine"}}, TypeError, r"\['schedule'\] is a str"),
        ({"a": {"params": "*", "learning_rate": -1}}, ValueError, r"\['learning_rate'\] is -1"),
    ],
)
def test_bad_groups_are_one_clear_error(groups, kind, message):
    with pytest.raises(kind, match=f"^Solver: .*{message}"):
        make(groups=groups)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"augmentation": "flip"}, TypeError, r"augmentation is a str; it must be Augmentation\(...\)"),
        ({"average": 0.99}, TypeError, r"average is a float; it must be Average\(...\)"),
        ({"keep": "first"}, ValueError, "keep is 'first'"),
    ],
)
def test_bad_settings_of_the_new_kinds_are_one_clear_error(settings, kind, message):
    with pytest.raises(kind, match=f"^Solver: {message}"):
        make(**settings)
