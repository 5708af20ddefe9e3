"""The Solver: the course's behaviour, mended where the course's is broken."""

import numpy as np
import pytest
from toy_models import LinearSoftmax, NormalisedNet, blobs

from pellucid.training import CheckpointError, Hook, NonFiniteLoss, Solver, load_weights, optim

QUIET = {"verbose": False, "progress": False}


def make(model=None, data=None, **settings):
    return Solver(model or LinearSoftmax(), data or blobs(), **{"batch_size": 20, "num_epochs": 2, **QUIET, **settings})


class Counter(LinearSoftmax):
    """Scores that are right, for images that hold their label, and gradients of one; notes what it was given."""

    def __init__(self, right_from=0):
        super().__init__()
        self.batches, self.right_from = [], right_from

    def loss(self, X, y=None):
        if y is None:
            scores = np.zeros((len(X), 3))
            if len(self.batches) >= self.right_from:
                scores[np.arange(len(X)), X[:, 0].astype(int)] = 1
            return scores
        self.batches.append(X[:, 1].astype(int).tolist())
        return 1.0, {name: np.ones_like(w) for name, w in self.params.items()}


def numbered(num_train, num_val=4):
    """Images that hold their label and their number."""
    data = {}
    for part, N in (("train", num_train), ("val", num_val)):
        y = np.arange(N) % 3
        data[f"X_{part}"], data[f"y_{part}"] = np.stack([y, np.arange(N)], axis=1).astype(np.float32), y
    return data


# What the course's Solver does.


def test_constructed_solver_has_the_courses_attributes_and_defaults():
    model, data = LinearSoftmax(), blobs()
    solver = Solver(model, data)
    expected = {
        "lr_decay": 1.0, "batch_size": 100, "num_epochs": 10, "num_train_samples": 1000, "num_val_samples": None,
        "checkpoint_name": None, "print_every": 10, "verbose": True, "epoch": 0, "best_val_acc": 0, "best_params": {},
        "loss_history": [], "train_acc_history": [], "val_acc_history": [], "optim_config": {},
    }  # fmt: skip
    assert {name: getattr(solver, name) for name in expected} == expected
    assert solver.model is model and all(getattr(solver, key) is data[key] for key in data)
    assert solver.update_rule.__name__ == "sgd"
    assert solver.optim_configs.keys() == model.params.keys()
    assert (
        solver.optim_configs["W"] == {"learning_rate": 1e-2}
        and solver.optim_configs["W"] is not solver.optim_configs["b"]
    )


def test_printed_lines_as_a_whole(capsys, tmp_path):
    np.random.seed(3)
    model = Counter(right_from=5)
    settings = {"batch_size": 10, "num_epochs": 2, "print_every": 3, "progress": False}
    solver = Solver(model, numbered(40, 4), checkpoint_name=str(tmp_path / "run"), **settings)
    solver.train()
    printed = capsys.readouterr()
    assert printed.out == (
        "(Iteration 1 / 8) loss: 1.000000\n"
        f'Saving checkpoint to "{tmp_path}/run_epoch_0.safetensors"\n'
        "(Epoch 0 / 2) train acc: 0.350000; val_acc: 0.500000\n"
        "(Iteration 4 / 8) loss: 1.000000\n"
        f'Saving checkpoint to "{tmp_path}/run_epoch_1.safetensors"\n'
        "(Epoch 1 / 2) train acc: 0.350000; val_acc: 0.500000\n"
        "(Iteration 7 / 8) loss: 1.000000\n"
        f'Saving checkpoint to "{tmp_path}/run_epoch_2.safetensors"\n'
        "(Epoch 2 / 2) train acc: 1.000000; val_acc: 1.000000\n"
    )
    assert printed.err == ""


def test_quiet_solver_prints_nothing(capsys, tmp_path):
    make(checkpoint_path=tmp_path / "c").train()
    assert capsys.readouterr() == ("", "")


def test_global_random_state_is_used_by_the_courses_very_calls(monkeypatch):
    calls = []
    real = np.random.choice
    monkeypatch.setattr(np.random, "choice", lambda *a, **k: calls.append((a, k)) or real(*a, **k))
    make(data=blobs(50, 30), batch_size=20, num_epochs=1, num_train_samples=10, num_val_samples=7).train()
    batch, train, val = ((50, 20), {}), ((50, 10), {}), ((30, 7), {})
    assert calls == [batch, train, val, batch, train, val]


def test_no_sample_is_drawn_where_all_images_are_looked_at(monkeypatch):
    calls = []
    real = np.random.choice
    monkeypatch.setattr(np.random, "choice", lambda *a: calls.append(a) or real(*a))
    make(data=blobs(40, 30), batch_size=40, num_epochs=1, num_train_samples=40, num_val_samples=None).train()
    assert calls == [(40, 40)]


def test_training_is_the_rule_applied_to_the_drawn_batches_by_hand():
    data, reference = blobs(), LinearSoftmax(dtype=np.float64)
    random = np.random.RandomState(5)
    losses = []
    for _ in range(6):
        batch = random.choice(60, 20)
        loss, grads = reference.loss(data["X_train"][batch], data["y_train"][batch])
        losses.append(loss)
        for name in reference.params:
            reference.params[name] = optim.sgd(reference.params[name], grads[name], {"learning_rate": 0.1})[0]
    np.random.seed(5)
    solver = make(LinearSoftmax(dtype=np.float64), data, optim_config={"learning_rate": 0.1}, num_train_samples=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "_evaluate", lambda: None)  # no best weights: the last ones stay
        solver.train()
    assert solver.loss_history == losses
    np.testing.assert_array_equal(solver.model.params["W"], reference.params["W"])


@pytest.mark.parametrize("N, batch_size, iterations", [(60, 20, 3), (59, 20, 2), (10, 25, 1)])
def test_epoch_length_and_history_lengths(N, batch_size, iterations):
    solver = make(data=blobs(N), batch_size=batch_size, num_epochs=3)
    solver.train()
    assert len(solver.loss_history) == solver.iteration == 3 * iterations
    assert all(type(loss) is float for loss in solver.loss_history)
    assert len(solver.val_acc_history) == len(solver.train_acc_history) == (4 if iterations > 1 else 3)
    assert solver.epoch == 3


def test_batch_larger_than_the_training_set_is_drawn_with_replacement():
    model = Counter()
    make(model, numbered(5), batch_size=12, num_epochs=1).train()
    assert [len(batch) for batch in model.batches] == [12]


def test_learning_rate_decays_after_each_epoch():
    solver = make(lr_decay=0.5, optim_config={"learning_rate": 0.4}, num_epochs=3)
    solver.train()
    assert solver.optim_configs["W"]["learning_rate"] == solver.learning_rate == 0.05


def test_accuracy_is_the_share_of_right_answers(monkeypatch):
    model = Counter()
    solver = make(model, numbered(10))
    X, y = numbered(10)["X_train"], np.arange(10) % 3
    assert solver.check_accuracy(X, y, batch_size=3) == 1.0
    y[[0, 4, 9]] = [1, 2, 2]
    assert solver.check_accuracy(X, y, batch_size=4) == 0.7


def test_all_rules_learn():
    for rule in ("sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw"):
        solver = make(update_rule=rule, optim_config={"learning_rate": 0.05}, num_epochs=30, rng=0)
        solver.train()
        assert solver.best_val_acc > 0.85, rule


# What is mended.


def test_best_weights_come_back_together_with_their_running_statistics():
    class Judge(Hook):
        """Notes all weights at each look, as they were."""

        def __init__(self):
            self.seen = []

        def on_epoch(self, solver):
            params = {name: w.copy() for name, w in solver.model.params.items()}
            self.seen.append((params, solver.model.bn_params[0]["running_mean"].copy()))

    judge, model = Judge(), NormalisedNet()
    data = blobs()
    solver = make(model, data, num_epochs=6, optim_config={"learning_rate": 1.5}, rng=0, hooks=[judge])
    solver.train()
    best = int(np.argmax(solver.val_acc_history))
    assert best < len(judge.seen) - 1, "the test needs a run whose last weights are not its best"
    params, mean = judge.seen[best]
    for name, w in params.items():
        np.testing.assert_array_equal(model.params[name], w)
        np.testing.assert_array_equal(solver.best_params[name], w)
    np.testing.assert_array_equal(model.bn_params[0]["running_mean"], mean)
    np.testing.assert_array_equal(solver.best_bn_params[0]["running_mean"], mean)
    assert model.bn_params[0]["mode"] == "train", "the model's other settings stay"
    assert solver.check_accuracy(data["X_val"], data["y_val"]) == solver.best_val_acc == max(solver.val_acc_history)


def test_best_weights_are_not_the_models_own_arrays():
    solver = make()
    solver.train()
    solver.model.params["W"] += 1
    assert not np.allclose(solver.best_params["W"], solver.model.params["W"])


def test_no_epochs_leave_the_weights_alone():
    model = LinearSoftmax()
    before = {name: w.copy() for name, w in model.params.items()}
    solver = make(model, num_epochs=0)
    solver.train()
    assert solver.iteration == 0 and model.params.keys() == before.keys()
    assert all((model.params[name] == before[name]).all() for name in before)


def test_weights_survive_where_no_answer_was_ever_right():
    """The course's Solver then leaves the model without any parameter."""
    model = Counter(right_from=1000)
    data = numbered(40)
    data["y_val"] = np.full(4, 2)
    solver = make(model, data, num_epochs=2, optim_config={"learning_rate": 1})
    solver.train()
    assert solver.best_val_acc == 0 and solver.val_acc_history == [0, 0, 0]
    np.testing.assert_allclose(model.params["b"], -4, err_msg="the weights of the last of four steps")
    assert solver.best_params.keys() == model.params.keys()


def test_validation_samples_are_as_many_as_asked_for():
    seen = []

    class Model(Counter):
        def loss(self, X, y=None):
            if y is None:
                seen.append(len(X))
            return super().loss(X, y)

    make(Model(), numbered(40, 30), num_train_samples=8, num_val_samples=5, num_epochs=1).train()
    assert seen == [8, 5, 8, 5]


def test_with_a_generator_samples_are_drawn_without_replacement_and_nothing_global_moves():
    seen = []

    class Model(Counter):
        def loss(self, X, y=None):
            if y is None:
                seen.append(X[:, 1].tolist())
            return super().loss(X, y)

    before = np.random.get_state()[1].tolist()
    make(Model(), numbered(40), num_train_samples=39, num_epochs=1, rng=7).train()
    assert np.random.get_state()[1].tolist() == before
    assert len(set(seen[0])) == 39


def test_same_seed_same_bits_other_seed_others():
    losses = []
    for seed in (1, np.random.default_rng(1), 2):
        solver = make(rng=seed)
        solver.train()
        losses.append(solver.loss_history)
    assert losses[0] == losses[1] != losses[2]


def test_training_again_goes_on_as_if_it_had_never_stopped():
    settings = {"rng": 2, "optim_config": {"learning_rate": 4.0}}
    once, twice = make(NormalisedNet(), num_epochs=6, **settings), make(NormalisedNet(), num_epochs=3, **settings)
    for solver in (once, twice):
        np.random.seed(0)  # the model's dropout
        solver.train()
    assert twice.epoch == 3
    assert twice.val_acc_history[-1] < twice.best_val_acc, "the test needs a run whose last weights are not its best"
    twice.train()
    assert twice.epoch == 6 and twice.loss_history == once.loss_history
    assert twice.val_acc_history == once.val_acc_history
    for name in once.model.params:
        np.testing.assert_array_equal(once.model.params[name], twice.model.params[name])


def test_reset_forgets_the_training():
    solver = make(update_rule="adam")
    solver.train()
    solver._reset()
    assert (solver.epoch, solver.iteration, solver.loss_history, solver.best_params) == (0, 0, [], {})
    assert solver.optim_configs["W"].keys() == {"learning_rate", "beta1", "beta2", "epsilon", "t"}


# What is new.


@pytest.mark.parametrize("N, batch_size, sizes", [(10, 5, [5, 5]), (11, 5, [4, 4, 3]), (7, 100, [7]), (5, 1, [1] * 5)])
def test_shuffled_epochs_show_every_image_once_in_even_batches(N, batch_size, sizes):
    model = Counter()
    solver = make(model, numbered(N), batch_size=batch_size, num_epochs=2, shuffle=True, rng=0)
    assert solver.iterations_per_epoch == len(sizes)
    solver.train()
    assert [len(batch) for batch in model.batches] == sizes * 2
    order = [image for batch in model.batches for image in batch]
    assert sorted(order[:N]) == sorted(order[N:]) == list(range(N))
    assert order[:N] != order[N:]


def test_schedule_multiplies_the_configured_rate():
    model = Counter()
    rates, progress = [], []

    class Rates(Hook):
        def on_step(self, solver):
            rates.append(float(-solver.model.params["b"][0]))

    def schedule(p):
        progress.append(p)
        return 1 - p

    solver = make(model, numbered(40), optim_config={"learning_rate": 0.5}, schedule=schedule, hooks=[Rates()])
    solver.train()
    assert progress == [0, 0.25, 0.5, 0.75]
    np.testing.assert_allclose(np.diff([0, *rates]), [0.5, 0.375, 0.25, 0.125], rtol=1e-6)
    assert solver.optim_configs["b"]["learning_rate"] == 0.5, "the base rate stays"


def test_schedule_gives_a_number_from_zero():
    with pytest.raises(ValueError, match=r"schedule\(0\) is -1"):
        make(schedule=lambda progress: -1).train()


def test_gradients_are_reduced_once_a_step_and_used():
    calls = []

    def halve(grads):
        calls.append(set(grads))
        return {name: dw / 2 for name, dw in grads.items()}

    model = Counter()
    solver = make(
        model, numbered(40), reduce_gradients=halve, optim_config={"learning_rate": 1}, num_train_samples=None
    )
    solver.train()
    assert calls == [{"W", "b"}] * 4
    np.testing.assert_allclose(solver.last_weights.params["b"], -2)


@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_float32_weights_stay_float32_under_numpy_settings(rule):
    solver = make(
        update_rule=rule,
        optim_config={"learning_rate": np.float64(0.01)},
        lr_decay=np.float64(0.9),
        schedule=None,
        num_epochs=2,
    )
    solver.train()
    assert {w.dtype for w in solver.model.params.values()} == {np.dtype(np.float32)}
    arrays = [a for config in solver.optim_configs.values() for a in config.values() if isinstance(a, np.ndarray)]
    assert all(array.dtype == np.float32 for array in arrays)


def test_images_of_any_array_like_are_taken_batch_by_batch():
    class Bytes:
        """Images held as bytes; refuses to be converted whole."""

        def __init__(self, pixels):
            self.pixels, self.shape, self.dtype, self.most = pixels, pixels.shape, np.dtype(np.float32), 0

        def __len__(self):
            return len(self.pixels)

        def __getitem__(self, key):
            part = self.pixels[key].astype(np.float32) / 255
            self.most = max(self.most, len(part))
            return part

    rng, data = np.random.default_rng(0), blobs(300, 150)
    for part, N in (("X_train", 300), ("X_val", 150)):
        data[part] = Bytes(rng.integers(256, size=(N, 6)).astype(np.uint8))
    make(LinearSoftmax(), data, num_train_samples=250).train()
    assert data["X_train"].most == data["X_val"].most == 100, "the accuracies' batches are the largest"


# Divergence.


def test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_checkpoint(tmp_path):
    class Fails(LinearSoftmax):
        def loss(self, X, y=None):
            out = super().loss(X, y)
            return out if y is None or self.calls != 8 else (np.nan, out[1])

    path = tmp_path / "run.safetensors"
    solver = make(Fails(), blobs(), num_epochs=5, checkpoint_path=path, rng=0)
    with pytest.raises(
        NonFiniteLoss, match=r"the loss is nan at step 8 of 15 \(epoch 2 of 5 done, learning rate 0.01\)"
    ) as e:
        solver.train()
    assert (e.value.step, e.value.epoch, e.value.learning_rate, e.value.checkpoint) == (8, 2, 0.01, str(path))
    assert f"last good checkpoint is '{path}'" in str(e.value) and "a tenth of the learning rate" in str(e.value)
    assert isinstance(e.value, ArithmeticError)
    _, _, info = load_weights(path)
    assert info["iteration"] == 6
    assert len(solver.loss_history) == solver.iteration == 7 and np.isfinite(solver.loss_history).all()


def test_diverging_training_ends_in_one_error_and_no_numpy_warning():
    """Warnings are errors here, so an overflow's would surface."""
    with pytest.raises(NonFiniteLoss, match="no checkpoint was written"):
        make(LinearSoftmax(), optim_config={"learning_rate": 1e38}, num_epochs=50).train()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_named_and_moves_nothing(value):
    class Fails(LinearSoftmax):
        def loss(self, X, y=None):
            out = super().loss(X, y)
            if y is not None:
                out[1]["b"][1] = value
            return out

    model = Fails()
    before = model.params["W"].copy()
    with pytest.raises(NonFiniteLoss, match="the gradient of 'b' holds NaN or infinity at step 1 of 6"):
        make(model).train()
    np.testing.assert_array_equal(model.params["W"], before)


def test_large_finite_gradients_are_not_taken_for_infinite():
    class Large(LinearSoftmax):
        def loss(self, X, y=None):
            return super().loss(X) if y is None else (1.0, {k: np.full_like(w, 3e38) for k, w in self.params.items()})

    make(Large(), optim_config={"learning_rate": 1e-38}).train()


@pytest.mark.parametrize("where", ["params", "bn_params"])
def test_weights_that_are_not_finite_are_never_written(tmp_path, where):
    solver = make(NormalisedNet())
    solver.train()
    path = tmp_path / "c"
    solver.save(path)
    before = path.read_bytes()
    arrays = solver.last_weights.params if where == "params" else solver.last_weights.bn_params[0]
    name = "W1" if where == "params" else "running_var"
    arrays[name] = np.full_like(arrays[name], np.inf)
    with pytest.raises(NonFiniteLoss, match=f"'{name}' holds NaN or infinity"):
        solver.save(path)
    assert path.read_bytes() == before


# Weights alone.


def test_weights_can_be_taken_out_of_a_checkpoint(tmp_path):
    solver = make(
        NormalisedNet(), rng=0, num_epochs=6, optim_config={"learning_rate": 1.5}, checkpoint_path=tmp_path / "c"
    )
    solver.train()
    params, bn_params, info = load_weights(tmp_path / "c")
    for name, w in solver.best_params.items():
        np.testing.assert_array_equal(params[name], w)
    np.testing.assert_array_equal(bn_params[0]["running_var"], solver.best_bn_params[0]["running_var"])
    last, last_bn, _ = load_weights(str(tmp_path / "c"), which="last")
    np.testing.assert_array_equal(last["W1"], solver.last_weights.params["W1"])
    assert not np.array_equal(last["W1"], params["W1"])
    assert not np.array_equal(last_bn[0]["running_var"], bn_params[0]["running_var"])
    assert info["model"] == "NormalisedNet" and (info["epoch"], info["iteration"]) == (6, 18)
    assert info["val_acc_history"] == solver.val_acc_history and info["best_val_acc"] == solver.best_val_acc
    with pytest.raises(ValueError, match=r"load_weights: which is 'bset'.*did you mean 'best'"):
        load_weights(tmp_path / "c", which="bset")


def test_there_are_no_best_weights_before_the_first_step(tmp_path):
    make().save(tmp_path / "c")
    with pytest.raises(CheckpointError, match="which='last'"):
        load_weights(tmp_path / "c")
    assert load_weights(tmp_path / "c", which="last")[0].keys() == {"W", "b"}
