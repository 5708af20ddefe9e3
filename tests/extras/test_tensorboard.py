"""TensorBoard's event files, read back record by record."""

import struct
import sys

import numpy as np
import pytest

from pellucid.extras.tensorboard import TensorBoardHook
from pellucid.training import Hook, Solver
from stop_at import StopAt

try:
    from tensorboardX.proto.event_pb2 import Event, SessionLog
except ImportError:
    Event = None

needs_tensorboardx = pytest.mark.skipif(Event is None, reason="tensorboardX is not installed: pip install -e '.[tb]'")


def records(path):
    """The messages of an event file: length (8 bytes), its checksum (4), the message, its checksum (4)."""
    content, place = path.read_bytes(), 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        yield content[place + 12 : place + 12 + length]
        place += 16 + length
    assert place == len(content)


def scalars(folder):
    """{tag: {step: value}} as TensorBoard shows it: where a file says START, what is there of later steps goes."""
    shown = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        for record in records(path):
            event = Event.FromString(record)
            if event.session_log.status == SessionLog.START:
                for values in shown.values():
                    for step in [step for step in values if step >= event.step]:
                        del values[step]
            for value in event.summary.value:
                shown.setdefault(value.tag, {})[event.step] = value.simple_value
    return shown


class Linear:
    """Scores are x w; the loss is the mean square of what they lack to 1 for the right class and 0 for the others."""

    def __init__(self):
        self.params = {"w": np.zeros((6, 3))}

    def loss(self, X, y=None):
        scores = X @ self.params["w"]
        if y is None:
            return scores
        lacking = scores - np.eye(3)[y]
        return np.mean(lacking**2), {"w": 2 * X.T @ lacking / lacking.size}


def data():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=60)
    X = np.eye(6)[y] + 0.3 * rng.standard_normal((60, 6))
    return {"X_train": X, "y_train": y, "X_val": X[:30], "y_val": y[:30]}


def make(folder, hooks=(), **settings):
    defaults = {"batch_size": 20, "num_epochs": 3, "verbose": False, "progress": False, "rng": 0}
    return Solver(Linear(), data(), hooks=[TensorBoardHook(folder), *hooks], **{**defaults, **settings})


@needs_tensorboardx
def test_what_was_measured_can_be_read_back(tmp_path):
    solver = make(tmp_path / "new" / "tb", schedule=lambda progress: 1 - progress, optim_config={"learning_rate": 0.5})
    solver.train()
    shown = scalars(tmp_path / "new" / "tb")
    assert set(shown) == {"loss", "learning_rate", "images_per_s", "accuracy/train", "accuracy/validation"}
    assert list(shown["loss"]) == list(range(1, 10))
    np.testing.assert_allclose(list(shown["loss"].values()), solver.loss_history, rtol=1e-6)
    np.testing.assert_allclose(list(shown["learning_rate"].values()), 0.5 * (1 - np.arange(9) / 9), rtol=1e-6)
    assert list(shown["accuracy/train"]) == [1, 3, 6, 9]
    np.testing.assert_allclose(list(shown["accuracy/validation"].values()), solver.val_acc_history, rtol=1e-6)
    assert min(shown["images_per_s"].values()) > 0


@needs_tensorboardx
def test_a_resumed_run_hides_what_came_after_its_checkpoint(tmp_path):
    make(tmp_path / "whole").train()
    make(tmp_path / "tb", hooks=[StopAt(4)], checkpoint_path=tmp_path / "c").train()
    lost = make(tmp_path / "tb", hooks=[StopAt(8)])
    lost.resume(tmp_path / "c")
    lost.rng = np.random.default_rng(99)  # other steps than those that the resumed run will make
    lost.train()
    assert max(scalars(tmp_path / "tb")["loss"]) == 8
    again = make(tmp_path / "tb")
    again.resume(tmp_path / "c")
    again.train()
    shown, expected = scalars(tmp_path / "tb"), scalars(tmp_path / "whole")
    for tag in ("loss", "learning_rate", "accuracy/train", "accuracy/validation"):
        assert shown[tag] == expected[tag]


@needs_tensorboardx
def test_a_fresh_run_in_the_folder_of_an_old_one_hides_it(tmp_path):
    make(tmp_path).train()
    make(tmp_path, num_epochs=1).train()
    assert list(scalars(tmp_path)["loss"]) == [1, 2, 3]


@needs_tensorboardx
def test_train_called_again_adds_to_what_is_there(tmp_path):
    solver = make(tmp_path, num_epochs=1)
    solver.train()
    solver.train()
    assert len(list(tmp_path.iterdir())) == 2
    assert list(scalars(tmp_path)["loss"]) == list(range(1, 7))


@needs_tensorboardx
def test_the_file_is_whole_where_a_run_fails(tmp_path):
    class Fail(Hook):
        def on_step(self, solver):
            if solver.iteration == 2:
                raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        make(tmp_path, hooks=[Fail()]).train()
    assert list(scalars(tmp_path)["loss"]) == [1, 2]


def test_without_tensorboardx_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"TensorBoardHook: .*pip install 'pellucid\[tb\]'"):
        TensorBoardHook(tmp_path)


def test_a_folder_that_is_none():
    with pytest.raises(TypeError, match="TensorBoardHook: folder is a int"):
        TensorBoardHook(7)
