"""What a run tells a watcher, and when it ends by itself."""

import os
import subprocess
import sys

import pytest

from pellucid.runs import progress as told
from pellucid.runs.progress import Progress, read_progress
from pellucid.runs.watched import end_when_stuck, is_stuck


def test_nothing_is_written_unless_somebody_asks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress = Progress.from_environment(environment={})
    progress.beat(told.TRAINING, 3, 10)
    progress.done()
    assert list(tmp_path.iterdir()) == []


def test_a_watcher_reads_what_was_told(tmp_path):
    file = tmp_path / "progress.json"
    environment = {told.FILE_VARIABLE: str(file), told.ATTEMPT_VARIABLE: "first"}
    progress = Progress.from_environment(0, 2, environment)
    assert read_progress(file, "first") is None
    progress.beat(told.TRAINING, 3, 10)
    found = read_progress(file, "first")
    assert (found.phase, found.step, found.steps, found.ranks, found.beats) == ("training", 3, 10, 2, 1)
    assert read_progress(file, "second") is None, "another attempt's file is not believed"
    progress.failed(2, "no such data")
    found = read_progress(file, "first")
    assert (found.phase, found.status, found.message, found.step) == ("failed", 2, "no such data", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_only_the_first_process_writes(tmp_path):
    environment = {told.FILE_VARIABLE: str(tmp_path / "progress.json"), told.ATTEMPT_VARIABLE: "first"}
    Progress.from_environment(1, 2, environment).beat(told.TRAINING, 1, 2)
    assert list(tmp_path.iterdir()) == []


def test_the_same_phase_is_written_now_and_then_a_new_one_at_once(tmp_path, monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(told.time, "monotonic", lambda: now_s[0])
    file = tmp_path / "progress.json"
    progress = Progress(file, "first")

    def step_after(seconds, step, phase=told.TRAINING):
        now_s[0] += seconds
        progress.beat(phase, step, 100)
        return read_progress(file, "first").step

    assert step_after(0, 1) == 1
    assert step_after(0.1, 2) == 1
    assert step_after(0.5, 3) == 3
    assert step_after(0, 4, told.FINISHING) == 4


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b'{"attempt": "first"}', b'{"attempt": "first", "phase": "x"}']
)
def test_a_file_that_says_nothing(content, tmp_path):
    (tmp_path / "progress.json").write_bytes(content)
    assert read_progress(tmp_path / "progress.json", "first") is None


def test_another_process_takes_over_what_is_told(tmp_path):
    """The first of the processes is lost: the next writes into the same file, and says how many are left."""
    file = tmp_path / "progress"
    progress = Progress(None, "a-1", 3)
    progress.beat(told.TRAINING, 5, 9)
    assert not file.exists()
    progress.take_over(2, {told.FILE_VARIABLE: str(file)})
    progress.beat(told.TRAINING, 6, 9)
    assert told.read_progress(file, "a-1") == told.Told("a-1", told.TRAINING, 6, 9, 2, 2)
    progress.take_over(1, {})
    progress.beat(told.DONE)
    assert told.read_progress(file, "a-1").step == 6, "nobody watches any more"


def test_when_a_process_is_stuck():
    progress = Progress(None)
    progress.last_beat_s = 100.0
    assert not is_stuck(progress, 10, 5, 110) and is_stuck(progress, 10, 5, 110.1)
    progress.phase = told.TRAINING
    assert not is_stuck(progress, 10, 5, 105) and is_stuck(progress, 10, 5, 105.1)


def test_limits_that_are_no_numbers():
    with pytest.raises(ValueError, match="PELLUCID_LIMITS is 'long'; it must be two numbers: 600,60"):
        end_when_stuck(Progress(None), {told.LIMITS_VARIABLE: "long"})
    assert end_when_stuck(Progress(None), {}) is None


STUCK = """
import threading
from pellucid.runs.progress import Progress
from pellucid.runs.watched import end_when_stuck
end_when_stuck(Progress(None))
threading.Event().wait()
"""


def test_a_stuck_process_ends_itself():
    environment = os.environ | {told.LIMITS_VARIABLE: "0.1,0.1"}
    done = subprocess.run([sys.executable, "-c", STUCK], env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == -9 and "got on no further" in done.stderr
