"""A run's metrics, read as they grow."""

import json
import os

import pytest

from pellucid.metrics import EPOCH_KEYS, STEP_KEYS
from pellucid.studio import tail as tail_module
from pellucid.studio.tail import MOST_POINTS, Tail


def step(number, **more):
    row = {"kind": "step"} | dict.fromkeys(STEP_KEYS, 1.0) | {"step": number} | more
    return json.dumps(row).encode() + b"\n"


def epoch(number, **more):
    row = {"kind": "epoch"} | dict.fromkeys(EPOCH_KEYS, 0.5) | {"epoch": number, "step": 10 * number} | more
    return json.dumps(row).encode() + b"\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "metrics.jsonl"


def numbers(tail):
    return [row[0] for row in tail.steps]


def append(file, content):
    with file.open("ab") as out:
        out.write(content)


def test_half_a_line_waits_for_its_other_half(file):
    tail = Tail(file)
    tail.read()
    assert tail.steps == []
    file.write_bytes(step(1) + step(2)[:20])
    tail.read()
    assert numbers(tail) == [1]
    append(file, step(2)[20:] + epoch(1))
    tail.read()
    assert numbers(tail) == [1, 2]
    assert [row[0] for row in tail.epochs] == [1]
    assert tail.error is None


def test_only_what_was_appended_is_read(file, monkeypatch):
    file.write_bytes(step(1))
    tail = Tail(file)
    tail.read()
    seen = []
    monkeypatch.setattr(tail_module, "parsed", lambda row: seen.append(row) or json.loads(row))
    append(file, step(2))
    tail.read()
    tail.read()
    assert seen == [step(2).rstrip()]


def test_a_long_file_is_read_in_pieces(file, monkeypatch):
    monkeypatch.setattr(tail_module, "PIECE_BYTES", 300)
    file.write_bytes(b"".join(step(number) for number in range(50)) + step(50)[:-5])
    tail = Tail(file)
    tail.read()
    assert numbers(tail) == list(range(50))
    append(file, step(50)[-5:])
    tail.read()
    assert numbers(tail) == list(range(51))


def test_a_line_without_end_is_no_line_of_ours(file, monkeypatch):
    monkeypatch.setattr(tail_module, "PIECE_BYTES", 300)
    file.write_bytes(step(1) + b"x" * 5000 + b"\n" + step(2))
    tail = Tail(file)
    tail.read()
    assert numbers(tail) == [1, 2]
    assert "line 2, is damaged" in tail.error


def test_a_file_that_no_run_writes_is_not_read(file, monkeypatch):
    monkeypatch.setattr(tail_module, "MOST_BYTES", 1000)
    file.write_bytes(step(1) * 50)
    tail = Tail(file)
    tail.read()
    assert tail.steps == []
    assert "at most 1,000" in tail.error


def test_a_damaged_line_is_left_out_and_named(file):
    file.write_bytes(step(1) + b"\xff\n\n" + step(2) + b"{}\n")
    tail = Tail(file)
    tail.read()
    assert numbers(tail) == [1, 2]
    assert "line 2, is damaged" in tail.error


def test_what_is_not_finite_is_nothing(file):
    file.write_bytes(step(1, loss=float("nan")) + epoch(1, val_accuracy=float("inf")))
    tail = Tail(file)
    tail.read()
    assert tail.steps[0][STEP_KEYS.index("loss")] is None
    assert tail.best_val is None


def test_the_best_so_far(file):
    file.write_bytes(epoch(1, val_accuracy=0.3) + epoch(2, val_accuracy=0.7) + epoch(3, val_accuracy=None))
    tail = Tail(file)
    tail.read()
    assert (tail.epochs_done, tail.best_val) == (3, 0.7)


def replaced(file, content):
    new = file.with_name("new")
    new.write_bytes(content)
    new.replace(file)


def rewritten_in_place(file, content):
    with file.open("r+b") as out:
        out.truncate()
        out.write(content)


@pytest.mark.parametrize("change", [replaced, rewritten_in_place])
@pytest.mark.parametrize("count", [1, 2, 9], ids=["shorter", "as long", "longer"])
def test_another_file_is_read_anew(file, change, count):
    file.write_bytes(step(1) + step(2))
    tail = Tail(file)
    tail.read()
    mark = tail.mark()
    content = b"".join(step(number) for number in range(3, 3 + count))
    change(file, content)
    tail.read()
    assert numbers(tail) == list(range(3, 3 + count))
    steps, epochs, is_new = tail.since(mark)
    assert ([row[0] for row in steps], epochs, is_new) == (list(range(3, 3 + count)), [], True)


def test_what_is_new_since_somebody_was_told(file):
    file.write_bytes(step(1))
    tail = Tail(file)
    tail.read()
    first = tail.mark()
    assert tail.since(first) == ([], [], False)
    append(file, step(2) + epoch(1))
    tail.read()
    append(file, step(3))
    tail.read()
    steps, epochs, is_new = tail.since(first)
    assert ([row[0] for row in steps], [row[0] for row in epochs], is_new) == ([2, 3], [1], False)
    assert tail.since(tail.mark()) == ([], [], False)


def test_too_many_to_be_told_one_by_one(file):
    tail = Tail(file)
    tail.read()
    first = tail.mark()
    file.write_bytes(b"".join(step(number) for number in range(MOST_POINTS + 1)))
    tail.read()
    assert tail.since(first) == ([], [], True)
    columns = tail.columns()["steps"]
    assert len(columns["step"]) <= MOST_POINTS
    assert columns["step"][-1] == MOST_POINTS


def test_a_file_that_goes_keeps_what_was_read(file):
    file.write_bytes(step(1))
    tail = Tail(file)
    tail.read()
    file.unlink()
    tail.read()
    assert numbers(tail) == [1]


def test_a_pipe_is_not_waited_for(file):
    os.mkfifo(file)
    tail = Tail(file)
    tail.read()
    assert "not a regular file" in tail.error
