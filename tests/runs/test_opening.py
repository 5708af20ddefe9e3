"""Run folders: held by one process, asked about by many, summed up without a kernel, opened as a whole model."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from pellucid.runs.folder import RunFolder
from pellucid.runs.opening import model_of_run
from pellucid.runs.summary import found, summary

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nobody can tell there who holds a file")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run that was trained by the program."""
    path = tmp_path_factory.mktemp("runs") / "digits-1"
    command = [sys.executable, "-m", "pellucid", "train", "digits", "--epochs", "2", "--filters", "4", "--hidden", "8"]
    subprocess.run([*command, "--run", str(path)], check=True, capture_output=True)
    return RunFolder(path, "test")


def test_a_run_begins_while_others_ask_whether_it_does(tmp_path):
    folder, asking = RunFolder(tmp_path), threading.Event()

    def ask():
        while not asking.is_set():
            RunFolder(tmp_path).is_held()

    folder.lock.touch()
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            folder.hold()
            folder.release()
    finally:
        asking.set()
        for thread in threads:
            thread.join()


def test_a_run_that_another_holds_is_not_begun(tmp_path):
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    first.hold()
    assert second.is_held()
    with pytest.raises(ValueError, match="another process is training in"):
        second.hold()
    first.release()
    assert not second.is_held()
    second.hold()
    second.release()


def test_the_summary_says_what_the_run_reached(run):
    told = summary(run)
    result = run.read(run.result)
    assert (told.state, told.epochs_done, told.epochs, told.data) == ("finished", 2, 2, "digits")
    assert told.test_accuracy == result["test_accuracy"]
    assert told.val_accuracy == max(result["val_accuracy_by_epoch"])
    assert [folder.path for folder in found(run.path.parent)] == [run.path]


def test_a_young_run_has_no_accuracies(tmp_path, run):
    young = RunFolder(tmp_path, "test")
    young.record.write_bytes(run.record.read_bytes())
    told = summary(young)
    assert (told.state, told.epochs_done, told.val_accuracy, told.test_accuracy) == ("stopped", 0, None, None)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', '{"format": 2, "recipe": 3, "data": "digits"}'])
def test_a_damaged_record_is_one_sentence(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match="damaged"):
        summary(RunFolder(tmp_path, "test"))


def test_summaries_need_no_kernel():
    code = "import sys, pellucid.runs.summary, pellucid.runs.film; print([m for m in ('numba', 'sklearn', 'scipy', "
    code += "'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_run_is_opened_as_the_model_that_it_left(run):
    from pellucid import load

    model, data, dataset = model_of_run(run)
    left = load(run.model)
    np.testing.assert_array_equal(model.scores(data["X_test"][:9]), left.scores(data["X_test"][:9]))
    assert tuple(model.classes) == tuple(dataset.classes)


def test_a_run_without_a_checkpoint_says_so(tmp_path, run):
    young = RunFolder(tmp_path, "test")
    young.record.write_bytes(run.record.read_bytes())
    with pytest.raises(FileNotFoundError, match="has no checkpoint yet"):
        model_of_run(young)
