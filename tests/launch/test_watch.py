"""When an attempt is stuck, by a clock that stands still until it is told; who belongs to it; what it prints."""

import io
import os
import subprocess
import sys

import pytest
from launches import is_running, until

from pellucid.launch import processes
from pellucid.launch.attempt import Attempt, ending
from pellucid.launch.lines import Lines, write
from pellucid.launch.watch import NOWHERE, Watch
from pellucid.runs.progress import DONE, FINISHING, STARTING, TRAINING, Progress

linux = pytest.mark.skipif(sys.platform != "linux", reason="who belongs to an attempt is read from /proc")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def watched(tmp_path):
    """The run's side and the watcher's, with 60 s to start and 10 s for a step."""
    clock = Clock()
    told = Progress(tmp_path / "progress", "a-1", 2)
    watch = Watch(tmp_path / "progress", "a-1", 60.0, 10.0, clock)

    def after(seconds):
        for _ in range(int(seconds)):
            clock.now += 1.0
            watch.look()
        return watch.is_stuck

    return told, watch, after, clock


def tell(told, phase, step):
    told._written_s = -1e9  # the least time between two writes is not the matter here
    told.beat(phase, step, 20)


def test_a_run_that_says_nothing_has_the_time_to_start(watched):
    told, watch, after, _ = watched
    assert not after(60)
    assert watch.place == "before its first step"
    assert after(1)


def test_each_change_is_a_sign_of_life(watched):
    told, watch, after, _ = watched
    for _ in range(3):
        tell(told, STARTING, 0)
        assert not after(59)
    tell(told, TRAINING, 1)
    for step in range(2, 5):
        assert not after(9)
        tell(told, TRAINING, step)
    assert not after(10)
    assert after(2)
    assert watch.place == "at about step 4 of 20"


def test_the_same_again_is_none(watched):
    told, watch, after, _ = watched
    tell(told, TRAINING, 4)
    content = watch.path.read_bytes()
    assert not after(9)
    watch.path.write_bytes(content)
    assert after(3)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"attempt": "b-1", "phase": "done"}', b"\xff"])
def test_what_is_not_this_attempts_is_not_believed(watched, content):
    _, watch, after, _ = watched
    watch.path.write_bytes(content)
    assert watch.look() is None
    assert after(61)


def test_a_machine_that_slept_is_not_stuck(watched):
    """The watcher was not there for an hour, and the run probably neither."""
    told, watch, after, clock = watched
    tell(told, TRAINING, 4)
    after(5)
    clock.now += 3600.0
    watch.look()
    assert not watch.is_stuck
    assert after(7)


def test_how_far_it_came_can_be_compared(watched):
    told, watch, _, _ = watched
    reached = [watch.reached]
    for phase, step in ((STARTING, 0), (TRAINING, 3), (TRAINING, 20), (FINISHING, 20)):
        tell(told, phase, step)
        watch.look()
        reached.append(watch.reached)
    assert reached[:2] == [NOWHERE] * 2
    assert reached[1:] == sorted(reached[1:])
    assert len(set(reached)) == 4
    told.done()
    assert watch.look().phase == DONE


def test_what_another_machine_wrote_may_be_seen_a_little_later(watched):
    told, watch, _, _ = watched

    class Late:
        looks = 0

        def look(self):
            self.looks += 1
            if self.looks == 3:
                told.done()
            return watch.look()

    assert Attempt("a-1", [], {}, Late(), far=True)._settled() == "done"


def sleeper(environment=None):
    command = [sys.executable, "-c", "import time; print('there', flush=True); time.sleep(1000)"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


@linux
def test_processes_are_told_by_their_word_and_no_others():
    ours = sleeper(os.environ | {"PELLUCID_ATTEMPT": "w-1"})
    others = [sleeper(os.environ | {"PELLUCID_ATTEMPT": word}) for word in ("w-11", "w", "")] + [sleeper()]
    try:
        assert processes.marked("w-1") == [ours.pid]
        assert processes.end_marked("w-1", 30.0) == []
        assert ours.wait(30) == -9
        assert all(other.poll() is None for other in others)
        assert processes.marked("w-1") == []
    finally:
        for process in (ours, *others):
            process.kill()
            process.communicate()


@linux
def test_the_sweep_of_another_machine_ends_them_too():
    process = sleeper(os.environ | {"PELLUCID_ATTEMPT": "s-1"})
    try:
        swept = subprocess.run([sys.executable, "-m", "pellucid.launch.sweep", "s-1"], timeout=60)
        assert swept.returncode == 0
        assert process.wait(30) == -9
    finally:
        process.kill()
        process.communicate()


@linux
def test_what_cannot_be_ended_is_named(monkeypatch):
    process = sleeper(os.environ | {"PELLUCID_ATTEMPT": "n-1"})
    try:
        monkeypatch.setattr(processes.os, "kill", lambda number, signum: None)
        assert processes.end_marked("n-1", 0.1) == [process.pid]
    finally:
        monkeypatch.undo()
        process.kill()
        process.communicate()


@linux
def test_a_daemon_goes_with_its_processes(tmp_path):
    """What runs on another machine is started by a daemon that has not the word itself."""
    daemon = tmp_path / "prted"
    daemon.symlink_to("/bin/sh")
    process = subprocess.Popen([str(daemon), "-c", "PELLUCID_ATTEMPT=d-1 sleep 1000; true"])
    try:
        until(lambda: processes.marked("d-1"), "the daemon's process")
        assert process.pid not in processes.marked("d-1")
        assert process.pid in processes.marked("d-1", daemons=True)
        assert processes.end_marked("d-1", 30.0, daemons=True) == []
        process.wait(30)
        assert not is_running(process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_status_in_words():
    assert ending(0) == "left with status 0"
    assert ending(-9) == "was ended by SIGKILL"
    assert ending(-200) == "was ended by signal 200"


def test_what_is_printed_is_handed_on_as_it_is(capfd):
    printed = r"b'one\n' + b'caf\xc3\xa9 \xff\n\n' + b'x' * 100000 + b'\nlast'"
    code = f"import sys; sys.stdout.buffer.write({printed})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = Lines(process)
    lines.finish(60.0)
    process.wait()
    assert capfd.readouterr().out == "one\ncafé \ufffd\n\n" + "x" * 100000 + "\nlast"
    assert [line[:6] for line in lines.last] == ["one", "café \ufffd", "xxxxxx", "xxxxxx", "last"]
    assert max(map(len, lines.last)) == 300


def test_a_terminal_that_cannot_show_a_letter_gets_another():
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    write(terminal, "caf\u00e9\n")
    assert raw.getvalue() == b"caf?\n"
    terminal.close()
    write(terminal, "nobody reads it")
