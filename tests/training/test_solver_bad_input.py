"""Bad input to the Solver: one clear error, when it is made wherever that can be known, and before the first step."""

import numpy as np
import pytest
from toy_models import LinearSoftmax, blobs

from pellucid.training import Hook, Solver, schedules

X, y = blobs()["X_train"], blobs()["y_train"]


def make(model=None, data=None, **settings):
    settings = {"batch_size": 20, "num_epochs": 2, "verbose": False, "progress": False, **settings}
    return Solver(model or LinearSoftmax(), data or blobs(), **settings)


def broken(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    "settings, kind, message",
    [
        ({"batch_sze": 5}, ValueError, r'Unrecognized arguments "batch_sze" \(did you mean \'batch_size\'\?\)'),
        ({"a": 1, "b": 2}, ValueError, 'Unrecognized arguments "a".*, "b"'),
        (
            {"update_rule": "adm"},
            ValueError,
            r'Invalid update_rule "adm" \(did you mean \'adam\'\?\); it must be one of sgd',
        ),
        ({"update_rule": np.sum}, ValueError, "Invalid update_rule"),
        (
            {"optim_config": {"learning_rat": 1}},
            ValueError,
            "optim_config has the unknown key 'learning_rat'.*learning_rate",
        ),
        ({"optim_config": {"momentum": 0.5}}, ValueError, "unknown key 'momentum'"),
        ({"optim_config": {"learning_rate": -1}}, ValueError, r"optim_config\['learning_rate'\] is -1"),
        ({"optim_config": [1]}, TypeError, "optim_config is a list"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; it must be at least 1"),
        ({"batch_size": 10.0}, TypeError, "batch_size is 10.0, a float; it must be an integer"),
        ({"num_epochs": -1}, ValueError, "num_epochs is -1"),
        ({"num_epochs": 1.5}, TypeError, "num_epochs"),
        ({"lr_decay": 0}, ValueError, "lr_decay is 0"),
        ({"lr_decay": "no"}, TypeError, "lr_decay"),
        ({"print_every": 0}, ValueError, "print_every"),
        ({"num_train_samples": 0}, ValueError, "num_train_samples"),
        ({"num_val_samples": True}, TypeError, "num_val_samples"),
        ({"rng": "seed"}, TypeError, "rng is a str"),
        ({"schedule": schedules.cosine(), "lr_decay": 0.9}, ValueError, "schedule and lr_decay 0.9 both"),
        ({"schedule": "cosine"}, TypeError, "schedule is a str"),
        ({"reduce_gradients": 1}, TypeError, "reduce_gradients is a int"),
        ({"hooks": Hook()}, TypeError, "put a single one into brackets"),
        ({"hooks": [Hook]}, TypeError, r"hooks\[0\] is the class Hook"),
        ({"hooks": [print]}, TypeError, r"hooks\[0\] is a builtin"),
        ({"checkpoint_path": 3}, TypeError, "checkpoint_path is a int"),
        ({"checkpoint_every": 10}, ValueError, "checkpoint_every needs checkpoint_path"),
        ({"checkpoint_every": 0, "checkpoint_path": "c"}, ValueError, "checkpoint_every is 0"),
    ],
)
def test_bad_settings_are_refused_when_the_solver_is_made(settings, kind, message):
    with pytest.raises(kind, match=message):
        make(**settings)


@pytest.mark.parametrize(
    "changes, kind, message",
    [
        ({"X_train": broken(X, (3, 2), np.nan)}, ValueError, r"X_train holds nan at \(3, 2\)"),
        ({"X_val": broken(X, (0, 0), -np.inf), "y_val": y}, ValueError, r"X_val holds -inf at \(0, 0\)"),
        ({"y_train": y[:-1]}, ValueError, r"y_train has shape \(59,\); it must be \(60,\)"),
        ({"y_train": y[:, None]}, ValueError, r"y_train has shape \(60, 1\)"),
        ({"y_val": np.zeros(30)}, TypeError, r"y_val has type float64; labels must be integers"),
        ({"y_train": broken(y, 5, -1)}, ValueError, r"y_train\[5\] is -1"),
        ({"X_train": X[:0], "y_train": y[:0]}, ValueError, r"X_train is empty, with shape \(0, 6\)"),
        ({"X_val": X[:0], "y_val": y[:0]}, ValueError, "X_val is empty"),
        ({"X_train": X.tolist()}, TypeError, "X_train is a list"),
        ({"X_train": X.astype(object)}, TypeError, "X_train has type object"),
        ({"X_train": X[:, 0]}, ValueError, r"X_train has shape \(60,\)"),
        ({"X_val": X[:30, :4]}, ValueError, r"X_val has images of shape \(4,\) but X_train of \(6,\)"),
    ],
)
def test_bad_data_is_refused_when_the_solver_is_made(changes, kind, message):
    with pytest.raises(kind, match=message):
        make(data={**blobs(), **changes})


def test_a_missing_key_of_the_data_is_named_with_its_near_miss():
    data = blobs()
    data["x_val"] = data.pop("X_val")
    with pytest.raises(ValueError, match=r"data lacks the key 'X_val' \(is it 'x_val'\?\); it has X_train"):
        make(data=data)
    with pytest.raises(TypeError, match="data is a list"):
        make(data=[X, y])


@pytest.mark.parametrize(
    "change, kind, message",
    [
        (lambda m: setattr(m, "loss", None), TypeError, r"without a method loss\(X, y=None\)"),
        (lambda m: setattr(m, "params", {}), TypeError, "at least one"),
        (lambda m: setattr(m, "params", [1]), TypeError, "must be a dictionary"),
        (lambda m: m.params.update(W=[1.0]), TypeError, r"model.params\['W'\] is a list"),
        (lambda m: m.params.update(W=np.ones(3, int)), TypeError, r"model.params\['W'\] is an array of int64"),
        (lambda m: m.params.update(b=np.array([0, np.nan, 0])), ValueError, r"model.params\['b'\] holds NaN"),
        (lambda m: m.params.update({1: np.ones(2)}), TypeError, "names of parameters must be strings"),
        (lambda m: setattr(m, "rng", 3), TypeError, "model.rng is a int"),
    ],
)
def test_bad_models_are_refused_when_the_solver_is_made(change, kind, message):
    model = LinearSoftmax()
    change(model)
    with pytest.raises(kind, match=message):
        make(model)


@pytest.mark.parametrize(
    "result, kind, message",
    [
        (lambda loss, grads: loss, TypeError, r"model.loss\(X, y\) returned a float.*must return \(loss, grads\)"),
        (lambda loss, grads: (np.ones(3), grads), TypeError, r"the loss is an array of float64 \(3,\)"),
        (lambda loss, grads: (loss, {"W": grads["W"]}), ValueError, "no gradient for the parameter 'b'"),
        (lambda loss, grads: (loss, {**grads, "W": grads["b"]}), ValueError, r"grads\['W'\] has shape \(3,\)"),
    ],
)
def test_what_the_models_loss_returns_is_checked(result, kind, message):
    class Model(LinearSoftmax):
        def loss(self, X, y=None):
            out = super().loss(X, y)
            return out if y is None else result(float(out[0]), out[1])

    model = Model()
    before = {name: w.copy() for name, w in model.params.items()}
    with pytest.raises(kind, match=message):
        make(model).train()
    assert all((model.params[name] == before[name]).all() for name in before)


def test_a_label_beyond_the_models_classes_is_caught_at_the_first_look():
    data = blobs()
    data["y_val"] = broken(data["y_val"], 4, 3)
    with pytest.raises(ValueError, match=r"check_accuracy: y\[4\] is 3.*3 classes"):
        make(data=data).train()


@pytest.mark.parametrize("scores", [lambda X: X[:-1], lambda X: X[:, 0]])
def test_scores_of_a_wrong_shape_are_refused(scores):
    model = LinearSoftmax()
    solver = make(model)
    model.loss = scores
    with pytest.raises(ValueError, match=r"returned scores of shape .*; it must be \(60, classes\)"):
        solver.check_accuracy(X, y)
    with pytest.raises(ValueError, match="X has 60 images and y 59 labels"):
        solver.check_accuracy(X, y[:-1])
    with pytest.raises(ValueError, match="num_samples is 0"):
        solver.check_accuracy(X, y, num_samples=0)


@pytest.mark.parametrize("argument", ["checkpoint_path", "checkpoint_name"])
def test_a_missing_folder_for_checkpoints_is_named_before_the_first_step(tmp_path, argument):
    model = LinearSoftmax()
    with pytest.raises(FileNotFoundError, match=rf"{argument} is .*no folder .*absent"):
        make(model, **{argument: tmp_path / "absent" / "run"}).train()
    assert model.calls == 0
