"""A run that was stopped, written and taken up again ends in the same bits as one that never stopped."""

import numpy as np
import pytest
from toy_models import LinearSoftmax, NormalisedNet, blobs

from pellucid.training import CheckpointError, Hook, Solver, load_checkpoint, save_checkpoint, schedules
from pellucid.training.weights import weights_of
from stop_at import StopAt

PLAIN = ["loss_history", "train_acc_history", "val_acc_history", "best_val_acc", "epoch", "iteration", "num_iterations"]
RULES = ["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw"]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def make(own_rng=True, model_seed=0, **settings):
    """A model with dropout and running statistics, and a solver; with own generators or NumPy's global state."""
    model = NormalisedNet(seed=model_seed, rng=np.random.default_rng(5) if own_rng else None)
    defaults = {"batch_size": 13, "num_epochs": 4, "num_train_samples": 20, "num_val_samples": 17, "verbose": False,
                "progress": False, "optim_config": {"learning_rate": 0.03}, "rng": 9 if own_rng else None}  # fmt: skip
    return Solver(model, blobs(), **{**defaults, **settings})


def everything(solver):
    """All that a run ends in, down to the state of the random numbers, as one comparable thing."""
    arrays = {}
    last = solver.last_weights or weights_of(solver.model)
    for name, params, bn_params in (
        ("model", solver.model.params, weights_of(solver.model).bn_params),
        ("last", last.params, last.bn_params),
        ("best", solver.best_params, solver.best_bn_params),
    ):
        arrays |= {f"{name} {key}": w for key, w in params.items()}
        arrays |= {f"{name} {i} {key}": a for i, layer in enumerate(bn_params) for key, a in layer.items()}
    for name, config in solver.optim_configs.items():
        arrays |= {f"config {name} {key}": np.asarray(value) for key, value in config.items()}
    arrays["epoch order"] = solver.epoch_order
    plain = {name: getattr(solver, name) for name in PLAIN}
    generators = [str(rng.bit_generator.state) for rng in (solver.rng, solver.model.rng) if rng is not None]
    states = generators or [np.random.get_state()[1].tolist(), np.random.get_state()[2:]]
    arrays = {k: (str(a.dtype), a.shape, a.strides, a.tobytes()) for k, a in arrays.items()}
    return arrays | plain | {"random numbers": states}


def uninterrupted(**settings):
    np.random.seed(77)
    solver = make(**settings)
    solver.train()
    return everything(solver)


def interrupted(path, at, **settings):
    """Stop after ``at`` steps, throw everything away, and go on from the file."""
    np.random.seed(77)
    make(**settings, checkpoint_path=path, hooks=[StopAt(at)]).train()
    np.random.seed(123)  # whatever other code drew meanwhile
    np.random.rand(7)
    solver = make(**settings)
    if solver.rng is not None:
        solver.rng.random(11)
    solver.resume(path)
    assert solver.iteration == at
    solver.train()
    return everything(solver)


@pytest.mark.parametrize("own_rng", [True, False], ids=["generators", "global"])
@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "drawn"])
@pytest.mark.parametrize("rule", RULES)
def test_resumed_run_ends_in_the_same_bits(tmp_path, rule, shuffle, own_rng):
    """In the middle of an epoch: 4 or 5 steps an epoch, stopped after 6."""
    settings = {"update_rule": rule, "shuffle": shuffle, "own_rng": own_rng}
    assert interrupted(tmp_path / "c", 6, **settings) == uninterrupted(**settings)


@pytest.mark.parametrize("at", [1, 2, 4, 5, 8, 10, 19, 20])
@pytest.mark.parametrize("schedule", [schedules.triangle(), None], ids=["schedule", "decay"])
def test_wherever_it_was_stopped(tmp_path, at, schedule):
    """After the first step, at the end of an epoch, within one, before and after the last step."""
    decay = {"schedule": schedule} if schedule else {"lr_decay": 0.7}
    settings = {"update_rule": "adam", "shuffle": True, **decay}
    assert interrupted(tmp_path / "c", at, **settings) == uninterrupted(**settings)


@pytest.mark.parametrize("every", [1, 3])
def test_stopping_again_and_again(tmp_path, every):
    settings = {"update_rule": "nesterov", "shuffle": True, "own_rng": False}
    np.random.seed(77)
    path = tmp_path / "c"
    make(**settings, checkpoint_path=path, hooks=[StopAt(every)]).train()
    for at in range(2 * every, 20 + every, every):
        np.random.seed(at)
        solver = make(**settings, checkpoint_path=path, hooks=[StopAt(at)])
        solver.resume(path)
        solver.train()
    assert everything(solver) == uninterrupted(**settings)


def test_the_epochs_own_checkpoints_resume_too(tmp_path):
    np.random.seed(77)
    make(checkpoint_name=tmp_path / "run", own_rng=False).train()
    assert names_in(tmp_path) == [f"run_epoch_{epoch}.safetensors" for epoch in range(5)]
    for epoch in range(5):
        solver = make(own_rng=False)
        solver.resume(tmp_path / f"run_epoch_{epoch}.safetensors")
        assert solver.epoch == epoch
        solver.train()
        assert everything(solver) == uninterrupted(own_rng=False)


def test_a_run_stopped_between_epochs_with_a_name_only_leaves_a_last_checkpoint(tmp_path):
    make(checkpoint_name=tmp_path / "run", hooks=[StopAt(6)]).train()
    names = ["run_epoch_0.safetensors", "run_epoch_1.safetensors", "run_last.safetensors"]
    assert names_in(tmp_path) == names
    assert load_checkpoint(tmp_path / "run_last.safetensors")["iteration"] == 6
    assert load_checkpoint(tmp_path / "run_epoch_1.safetensors")["iteration"] == 4


def test_more_epochs_can_be_asked_for(tmp_path):
    make(num_epochs=2, checkpoint_path=tmp_path / "c").train()
    longer = make(num_epochs=4)
    longer.resume(tmp_path / "c")
    longer.train()
    assert everything(longer) == uninterrupted(num_epochs=4)


class NeverSave(Hook):
    def on_save(self, solver, path):
        raise AssertionError


def test_a_finished_run_is_not_prolonged_by_resuming_it(tmp_path):
    make(checkpoint_path=tmp_path / "c").train()
    solver = make(checkpoint_path=tmp_path / "c", hooks=[NeverSave()])
    solver.resume(tmp_path / "c")
    solver.train()
    assert everything(solver) == uninterrupted()
    solver.hooks = ()
    solver.train()
    assert solver.epoch == 8


def test_saving_a_finished_run_by_hand_keeps_its_last_weights(tmp_path):
    solver = make(num_epochs=2)
    solver.train()
    solver.save(tmp_path / "c")
    longer = make(num_epochs=4)
    longer.resume(tmp_path / "c")
    longer.train()
    assert everything(longer) == uninterrupted(num_epochs=4)


def test_a_solver_that_has_trained_can_take_up_an_earlier_run(tmp_path):
    make(checkpoint_path=tmp_path / "c", hooks=[StopAt(6)]).train()
    solver = make(num_epochs=4)
    solver.train()
    solver.resume(tmp_path / "c")
    solver.train()
    assert everything(solver) == uninterrupted()


def test_running_statistics_that_were_not_there_yet_are_taken_away(tmp_path):
    make().save(tmp_path / "c")
    solver = make()
    solver.train()
    assert "running_mean" in solver.model.bn_params[0]
    solver.resume(tmp_path / "c")
    assert solver.model.bn_params == [{"mode": "train"}]
    solver.train()
    assert everything(solver) == uninterrupted()


def test_saving_changes_nothing(tmp_path):
    assert everything_after(checkpoint_path=tmp_path / "c", checkpoint_every=1) == uninterrupted()


def everything_after(**settings):
    np.random.seed(77)
    solver = make(**settings)
    solver.train()
    return everything(solver)


def test_running_statistics_of_the_best_weights_are_kept(tmp_path):
    settings = {"optim_config": {"learning_rate": 1.5}, "num_epochs": 8}
    solver = make(**settings, checkpoint_path=tmp_path / "c", hooks=[StopAt(30)])
    solver.train()
    again = make(**settings)
    again.resume(tmp_path / "c")
    mean, best = again.model.bn_params[0]["running_mean"], again.best_bn_params[0]["running_mean"]
    np.testing.assert_array_equal(mean, solver.last_weights.bn_params[0]["running_mean"])
    np.testing.assert_array_equal(best, solver.best_bn_params[0]["running_mean"])
    assert not np.array_equal(mean, best)


# Another run than this.

OTHER = [
    ({"batch_size": 14}, "batch_size is 13 in the checkpoint but 14 here"),
    ({"update_rule": "adam"}, "update_rule is 'sgd' in the checkpoint but 'adam' here"),
    ({"optim_config": {"learning_rate": 0.1}}, r"optim_config is \{'learning_rate': 0.03\} in the checkpoint"),
    ({"lr_decay": 0.9}, "lr_decay is 1.0 in the checkpoint but 0.9 here"),
    ({"shuffle": True}, "shuffle is False in the checkpoint but True here"),
    ({"schedule": schedules.cosine()}, r"schedule is None in the checkpoint but 'cosine\(final=0.0\)' here"),
    ({"num_train_samples": None}, "num_train_samples is 20 in the checkpoint but None here"),
    ({"num_val_samples": 3}, "num_val_samples is 17 in the checkpoint but 3 here"),
    ({"num_epochs": 3}, "num_epochs is 4 in the checkpoint but 3 here: it may only grow"),
    ({"rng": None}, "solver's random numbers is 'PCG64' in the checkpoint but \"NumPy's global state\" here"),
    ({"rng": np.random.Generator(np.random.MT19937(1))}, "solver's random numbers is 'PCG64' .* but 'MT19937' here"),
    ({"own_rng": False, "rng": 1}, "model's random numbers is 'PCG64'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "c.safetensors"
    make(checkpoint_path=path, hooks=[StopAt(6)]).train()
    return path


@pytest.mark.parametrize("settings, message", OTHER, ids=[next(iter(case[0])) for case in OTHER])
def test_what_differs_is_named_and_nothing_is_taken_over(checkpoint, settings, message):
    np.random.seed(1)
    solver = make(**settings)
    before = everything(solver)
    with pytest.raises(CheckpointError, match=f"Solver.resume: .*c.safetensors is of another run: .*{message}"):
        solver.resume(checkpoint)
    assert everything(solver) == before


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d["y_train"].__setitem__(0, (d["y_train"][0] + 1) % 3), "training data is '"),
        (lambda d: d["X_train"].__setitem__(0, 0), "training data is '"),
        (lambda d: d["X_val"].__setitem__(-1, 0), "validation data is '"),
        (lambda d: d.update(X_train=d["X_train"][:-1], y_train=d["y_train"][:-1]), "number of training images is 60"),
        (lambda d: d.update(X_train=d["X_train"].astype(np.float64)), "training data is '"),
    ],
)
def test_other_data_is_noticed(checkpoint, change, message):
    data = blobs()
    change(data)
    other = make()
    solver = Solver(other.model, data, **{k: getattr(other, k) for k in ("batch_size", "num_epochs", "rng", "verbose")})
    with pytest.raises(CheckpointError, match=message):
        solver.resume(checkpoint)


def test_another_model_is_noticed_by_name_shape_and_type(checkpoint):
    settings = {k: getattr(make(), k) for k in ("batch_size", "num_epochs", "rng", "verbose", "optim_config")}
    with pytest.raises(CheckpointError) as caught:
        Solver(LinearSoftmax(), blobs(), **settings).resume(checkpoint)
    assert "parameter 'W' is missing in the checkpoint but float32 (6, 3) here" in str(caught.value)
    assert "parameter 'b1' is float32 (8,) in the checkpoint but missing here" in str(caught.value)
    assert "bn_params has 1 layers in the checkpoint but 0 here" in str(caught.value)
    with pytest.raises(CheckpointError, match=r"'W1' is float32 \(6, 8\) in the checkpoint but float32 \(6, 9\) here"):
        Solver(NormalisedNet(H=9), blobs(), **settings).resume(checkpoint)
    with pytest.raises(CheckpointError, match=r"'b2' is float32 \(3,\) in the checkpoint but float64 \(3,\) here"):
        Solver(NormalisedNet(dtype=np.float64), blobs(), **settings).resume(checkpoint)


def test_a_damaged_file_is_refused_and_nothing_is_taken_over(checkpoint, tmp_path):
    data = bytearray(checkpoint.read_bytes())
    data[-5] ^= 1
    (tmp_path / "c").write_bytes(data)
    solver = make()
    before = everything(solver)
    with pytest.raises(CheckpointError, match="SHA-256"):
        solver.resume(tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        solver.resume(tmp_path / "absent")
    assert everything(solver) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved.pop("params"),
        lambda saved: saved.update(params=[1, 2]),
        lambda saved: saved["params"].pop("W1"),
        lambda saved: saved["best_params"].update(W1=np.zeros(3, np.float32)),
        lambda saved: saved["best_params"].update(other=np.zeros(3, np.float32)),
        lambda saved: saved["optim_configs"].pop("W1"),
        lambda saved: saved.update(optim_configs=None),
        lambda saved: saved.update(loss_history=3),
        lambda saved: saved.update(settings=None),
        lambda saved: saved.update(bn_params=[None]),
        lambda saved: saved["randomness"].pop("model"),
        lambda saved: saved["randomness"]["solver"].pop("state"),
        lambda saved: saved.update(epoch="three"),
    ],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused_and_nothing_is_taken_over(checkpoint, tmp_path, change):
    """A file with a right digest can still have been made up."""
    saved = load_checkpoint(checkpoint)
    change(saved)
    save_checkpoint(tmp_path / "c", saved)
    solver = make()
    before = everything(solver)
    with pytest.raises(CheckpointError):
        solver.resume(tmp_path / "c")
    assert everything(solver) == before


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    save_checkpoint(tmp_path / "c", {"params": {"W": np.ones(2)}})
    with pytest.raises(CheckpointError, match="not the checkpoint of a Solver: it lacks best_bn_params"):
        make().resume(tmp_path / "c")
