"""metrics.jsonl: what is written, what a resumed run makes of it, and what a damaged file says."""

import json
from pathlib import Path

import numpy as np
import pytest
from toy_models import LinearSoftmax, blobs

from pellucid.metrics import read_metrics
from pellucid.training import Hook, Solver
from pellucid.training import metrics as metrics_module
from pellucid.training.metrics import MetricsHook
from stop_at import StopAt

STEP = {"kind": "step", "step": 1, "epoch": 0.5, "loss": 1.5, "learning_rate": 0.1, "images_per_s": None, "time_s": 2}
EPOCH = {"kind": "epoch", "epoch": 0, "step": 1, "train_accuracy": 0.25, "val_accuracy": None, "time_s": 2.5}


def make(path, hooks=(), data=None, every=1, **settings):
    defaults = {"batch_size": 20, "num_epochs": 3, "verbose": False, "progress": False, "rng": 0}
    model = LinearSoftmax()
    return Solver(model, data or blobs(), hooks=[MetricsHook(path, every), *hooks], **{**defaults, **settings})


def lines_of(path):
    return [json.loads(row) for row in Path(path).read_text().splitlines()]


def without_measurements(path):
    measured = ("time_s", "images_per_s", "learning_rate")
    return [{key: value for key, value in line.items() if key not in measured} for line in lines_of(path)]


def write(path, *rows):
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def test_every_step_and_look_is_a_line_in_order(tmp_path):
    solver = make(tmp_path / "m", num_epochs=2)
    solver.train()
    lines = lines_of(tmp_path / "m")
    assert [(line["kind"], line["step"], line["epoch"]) for line in lines] == [
        ("step", 1, 1 / 3), ("epoch", 1, 0), ("step", 2, 2 / 3), ("step", 3, 1), ("epoch", 3, 1),
        ("step", 4, 4 / 3), ("step", 5, 5 / 3), ("step", 6, 2), ("epoch", 6, 2),
    ]  # fmt: skip
    metrics = read_metrics(tmp_path / "m")
    np.testing.assert_array_equal(metrics.steps.loss, solver.loss_history)
    np.testing.assert_array_equal(metrics.epochs.train_accuracy, solver.train_acc_history)
    np.testing.assert_array_equal(metrics.epochs.val_accuracy, solver.val_acc_history)
    times = [line["time_s"] for line in lines]
    assert times == sorted(times)
    assert times[0] > 0


def test_the_learning_rate_is_the_one_the_step_was_made_with(tmp_path):
    make(tmp_path / "m", schedule=lambda progress: 1 - progress, optim_config={"learning_rate": 0.5}).train()
    np.testing.assert_allclose(read_metrics(tmp_path / "m").steps.learning_rate, 0.5 * (1 - np.arange(9) / 9))


def test_every_so_many_steps(tmp_path):
    make(tmp_path / "m", every=4).train()
    metrics = read_metrics(tmp_path / "m")
    np.testing.assert_array_equal(metrics.steps.step, [1, 4, 8])
    np.testing.assert_array_equal(metrics.epochs.step, [1, 3, 6, 9])


def test_the_file_can_be_read_while_training_goes_on(tmp_path):
    seen = []

    class Look(Hook):
        def on_step(self, solver):
            seen.append(len(read_metrics(tmp_path / "m").steps.step))

    make(tmp_path / "m", hooks=[Look()], num_epochs=1).train()
    assert seen == [1, 2, 3]


def test_a_run_without_validation_also_when_it_is_resumed(tmp_path):
    data = {name: part for name, part in blobs().items() if "val" not in name}
    for stop in (4, 0):
        solver = make(tmp_path / "m", [StopAt(stop)], data, checkpoint_path=tmp_path / "c")
        if not stop:
            solver.resume(tmp_path / "c")
        solver.train()
    epochs = read_metrics(tmp_path / "m").epochs
    np.testing.assert_array_equal(epochs.train_accuracy, solver.train_acc_history)
    assert np.isnan(epochs.val_accuracy).all()
    assert len(epochs.step) == 4


def test_a_fresh_run_replaces_the_file(tmp_path):
    write(tmp_path / "m", STEP | {"step": 900})
    make(tmp_path / "m", num_epochs=1).train()
    assert [line["step"] for line in lines_of(tmp_path / "m") if line["kind"] == "step"] == [1, 2, 3]


def test_train_called_again_goes_on_in_the_file(tmp_path):
    whole, twice = make(tmp_path / "whole", num_epochs=2), make(tmp_path / "twice", num_epochs=1)
    whole.train()
    twice.train()
    twice.train()
    assert without_measurements(tmp_path / "twice") == without_measurements(tmp_path / "whole")


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("batch_size", [20, 60])  # three steps an epoch; one
def test_a_resumed_run_has_the_lines_of_one_that_never_stopped(tmp_path, stop, every, batch_size):
    settings = {"every": every, "batch_size": batch_size, "num_epochs": 3 if batch_size == 20 else 7}
    make(tmp_path / "whole", **settings).train()

    first = make(tmp_path / "m", hooks=[StopAt(stop)], checkpoint_path=tmp_path / "c", **settings)
    first.train()
    with (tmp_path / "m").open("a") as file:  # what a killed process may have written after its last checkpoint
        file.write(json.dumps(STEP | {"step": stop + 1, "loss": 77.0}) + "\n")
        file.write(json.dumps(EPOCH | {"step": stop + 1, "epoch": 9}) + "\n")
        file.write('{"kind": "step", "st')
    second = make(tmp_path / "m", **settings)
    second.resume(tmp_path / "c")
    second.train()
    assert without_measurements(tmp_path / "m") == without_measurements(tmp_path / "whole")
    times = [line["time_s"] for line in lines_of(tmp_path / "m")]
    assert times == sorted(times)
    rates = [line["learning_rate"] for line in lines_of(tmp_path / "m") if line["kind"] == "step"]
    assert None not in rates


@pytest.mark.parametrize("left", [0, 1, 2, "half"])
def test_lines_that_were_never_written_come_back_from_the_checkpoint(tmp_path, left):
    """A checkpoint is written before the line of its step: a process killed between the two leaves no line."""
    make(tmp_path / "whole").train()
    first = make(tmp_path / "m", hooks=[StopAt(3)], checkpoint_path=tmp_path / "c")
    first.train()
    rows = (tmp_path / "m").read_text().splitlines(keepends=True)
    write(tmp_path / "m", *(rows[:left] if left != "half" else [*rows[:2], rows[2][:30]]))
    second = make(tmp_path / "m")
    second.resume(tmp_path / "c")
    second.train()
    assert without_measurements(tmp_path / "m") == without_measurements(tmp_path / "whole")
    lost = [line["learning_rate"] is None for line in lines_of(tmp_path / "m") if line["kind"] == "step"]
    assert lost == [step > {0: 0, 1: 1, 2: 1, "half": 1}[left] for step in (1, 2, 3)] + 6 * [False]


def test_a_file_that_is_gone_or_rubbish_does_not_stop_a_resumed_run(tmp_path):
    first = make(tmp_path / "m", hooks=[StopAt(4)], checkpoint_path=tmp_path / "c")
    first.train()
    expected = without_measurements(tmp_path / "m")
    for content in (None, b"\x00\xff\n{}\n[]\n" + b"[" * 100_000 + b'\n{"kind": []}\n'):
        (tmp_path / "m").unlink()
        if content is not None:
            (tmp_path / "m").write_bytes(content)
        second = make(tmp_path / "m", hooks=[StopAt(5)])
        second.resume(tmp_path / "c")
        second.train()
        assert without_measurements(tmp_path / "m")[: len(expected)] == expected


def test_the_file_is_closed_where_a_run_fails(tmp_path):
    class Fail(Hook):
        def on_step(self, solver):
            raise RuntimeError("no more")

    solver = make(tmp_path / "m", hooks=[Fail()])
    with pytest.raises(RuntimeError, match="no more"):
        solver.train()
    assert solver.hooks[0]._file is None
    time_s = solver.hooks[0].time_s
    assert time_s == solver.hooks[0].time_s > 0


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is told to go on."""

    class Clock:
        now = 5.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(metrics_module, "time", clock)
    return clock


class Slow(Hook):
    """Takes its time wherever no step is being done."""

    def __init__(self, clock):
        self.clock = clock

    def on_epoch(self, solver):
        self.clock.now += 30

    on_train_begin = on_epoch

    def on_save(self, solver, path):
        self.clock.now += 20


class SlowModel(LinearSoftmax):
    """0.5 s a step, 10 s an evaluation."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def loss(self, X, y=None):
        self.clock.now += 10 if y is None else 0.5
        return super().loss(X, y)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    "settings", [{}, {"shuffle": True}, {"checkpoint_every": 4}, {"checkpoint_every": 2}, {"checkpoint_every": 1}]
)
def test_images_per_second_are_of_training_alone(tmp_path, clock, settings, before):
    solver = make(tmp_path / "m", checkpoint_path=tmp_path / "c", batch_size=10, **settings)
    solver.model = SlowModel(clock)
    solver.hooks = [Slow(clock), *solver.hooks] if before else [*solver.hooks, Slow(clock)]
    solver.train()
    speeds = read_metrics(tmp_path / "m").steps.images_per_s
    if settings.get("checkpoint_every") == 1:
        assert np.all(np.isnan(speeds))
    else:
        np.testing.assert_allclose(speeds[2:], 20)


def test_a_slow_step_now_and_then_does_not_count(tmp_path, clock):
    class Draw(Hook):
        def on_step(self, solver):
            clock.now += 9 * (solver.iteration % 5 == 4)

    solver = make(tmp_path / "m", hooks=[Draw()], batch_size=2)
    solver.model = SlowModel(clock)
    solver.train()
    np.testing.assert_allclose(read_metrics(tmp_path / "m").steps.images_per_s[4:], 4)


def test_images_per_second_where_an_epoch_is_two_steps_or_one(tmp_path, clock):
    for batch_size, expected in ((30, 60), (60, np.nan)):
        solver = make(tmp_path / "m", batch_size=batch_size)
        solver.model = SlowModel(clock)
        solver.train()
        np.testing.assert_allclose(read_metrics(tmp_path / "m").steps.images_per_s[2:], expected)


def test_images_per_second_count_the_images_of_shuffled_batches(tmp_path, clock):
    solver = make(tmp_path / "m", batch_size=25, shuffle=True)  # three batches of 20
    solver.model = SlowModel(clock)
    solver.train()
    np.testing.assert_allclose(read_metrics(tmp_path / "m").steps.images_per_s[4:], 40)


def test_the_time_is_all_of_train_and_goes_on_over_resumptions(tmp_path, clock):
    first = make(tmp_path / "m", hooks=[StopAt(3)], checkpoint_path=tmp_path / "c")
    first.model = SlowModel(clock)
    first.train()
    before = read_metrics(tmp_path / "m")
    assert before.steps.time_s.tolist() == [20.5, 21.0, 41.5]  # each look is at two parts, and comes before the line
    assert before.epochs.time_s.tolist() == [20.5, 41.5]
    clock.now += 1000
    second = make(tmp_path / "m")
    second.model = SlowModel(clock)
    second.resume(tmp_path / "c")
    second.train()
    assert read_metrics(tmp_path / "m").steps.time_s.tolist()[2:5] == [41.5, 42.0, 42.5]
    assert second.hooks[0].time_s == 41.5 + 2 * 21.5


def test_what_was_not_measured_is_nan(tmp_path):
    metrics = read_metrics(write(tmp_path / "m", STEP, EPOCH))
    assert metrics.steps.step.dtype == metrics.epochs.epoch.dtype == np.int64
    assert metrics.steps.loss == [1.5]
    assert np.isnan(metrics.steps.images_per_s)
    assert np.isnan(metrics.epochs.val_accuracy)
    assert metrics.epochs.train_accuracy == [0.25]


@pytest.mark.parametrize("content", ["", "\n", '{"kind": "st', "\x00\x00"])
def test_an_empty_file_is_a_run_that_did_not_get_far(tmp_path, content):
    metrics = read_metrics(write(tmp_path / "m", content))
    assert metrics.steps.loss.shape == metrics.epochs.step.shape == (0,)


@pytest.mark.parametrize("end", ["", '{"kind": "epoch"', '{"kind": "epoch"}', json.dumps(STEP | {"step": 2})[:-3]])
def test_half_a_line_at_the_end_is_left_out(tmp_path, end):
    assert read_metrics(write(tmp_path / "m", STEP, end)).steps.step.tolist() == [1]


def test_a_last_line_without_its_newline_counts(tmp_path):
    assert read_metrics(write(tmp_path / "m", STEP, json.dumps(STEP | {"step": 2}))).steps.step.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("rubbish\n", "'rubbish' is no JSON object"),
        ("[" * 100_000 + "\n", r"'\[+\.\.\.' is no JSON object"),
        ("[1]\n", "neither a step nor an epoch"),
        ('{"kind": "stop"}\n', "neither a step nor an epoch"),
        ('{"kind": ["step"]}\n', "neither a step nor an epoch"),
        ('{"kind": "step", "step": 1}\n', "lacks 'epoch'"),
        (STEP | {"loss": "1"}, "loss is '\"1\"'; it must be a number or null"),
        (STEP | {"step": 1.5}, "step is '1.5'; it must be an integer from 0"),
        (STEP | {"step": None}, "step is 'null'; it must be an integer"),
        (STEP | {"step": True}, "step is 'true'; it must be an integer"),
        (STEP | {"step": -1}, "step is '-1'; it must be an integer from 0"),
        (STEP | {"loss": 10**400}, r"loss is '1000*\.\.\.'; it must be a number"),
        (EPOCH | {"epoch": 0.5}, "epoch is '0.5'; it must be an integer"),
        (EPOCH | {"train_accuracy": [1]}, r"train_accuracy is '\[1\]'; it must be a number or null"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, row, message):
    path = write(tmp_path / "metrics.jsonl", STEP, row, STEP | {"step": 2})
    with pytest.raises(ValueError, match=rf"read_metrics: .*metrics\.jsonl, line 2, is damaged: .*{message}"):
        read_metrics(path)


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_metrics(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"the folder .* is missing"):
        make(tmp_path / "none" / "m").train()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((7,), TypeError, "MetricsHook: path is a int"),
        (("m", 0), ValueError, "MetricsHook: every is 0; it must be at least 1"),
        (("m", 1.5), TypeError, "MetricsHook: every is 1.5, a float; it must be an integer"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        MetricsHook(*arguments)
