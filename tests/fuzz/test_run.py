"""The command: it counts, it keeps what it finds, and it shares the runs out."""

import json
import subprocess
import sys
from pathlib import Path

from fuzz.run import SHARES, Counter, died, shared_out
from fuzz.targets import TARGETS, Target

RUN = Path(__file__).with_name("run.py")


def test_a_finding_is_counted_and_kept(tmp_path):
    def read(data):
        if data == b"slow":
            raise RuntimeError("unexpected")
        if data == b"mute":
            raise ValueError
        if data in (b"long", b"lines"):
            raise ValueError("a" * 10_000 if data == b"long" else "a\nb")
        if data:
            raise ValueError("a sentence")

    counter = Counter("x", Target(read, [b""]), tmp_path)
    for data in (b"", b"slow", b"mute", b"no", b"no", b"long", b"lines"):
        counter.one_input(data)
    assert (counter.answers, counter.refusals, counter.findings, counter.inputs) == (1, 2, 4, 7)
    assert (tmp_path / "x-1").read_bytes() == b"slow"
    assert "RuntimeError: unexpected" in (tmp_path / "x-1.txt").read_text()


def test_the_input_of_a_process_that_dies_is_kept(tmp_path):
    counter = Counter("x", Target(len, [b""]), tmp_path)
    counter.one_input(b"longer than the next")
    counter.one_input(b"fatal")
    row = died("x", -11, tmp_path)
    assert (row["findings"], row["died"]) == (1, -11)
    assert (tmp_path / "x-died").read_bytes() == b"fatal"


def test_all_runs_are_shared_out():
    assert SHARES.keys() == TARGETS.keys()
    shares = shared_out(1_000_000, list(SHARES))
    assert 1_000_000 <= sum(shares.values()) < 1_000_100


def test_the_command_reads_so_many_files(tmp_path):
    command = [sys.executable, str(RUN), "idx", "--runs", "500", "--findings", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["inputs"], found["findings"], found["engine"]) == (500, 0, "random")
    assert 0 < found["answers"] < 500
