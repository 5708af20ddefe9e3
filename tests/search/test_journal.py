"""The journal: whole lines or none, whoever is killed and whatever the disk does; Optuna's own reader agrees."""

import errno
import json
import os
import subprocess
import sys
import threading

import pytest

pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[search]'")

from pellucid.search import journal as journal_module
from pellucid.search.folder import SearchFolder
from pellucid.search.journal import CUT_BYTES, Journal


@pytest.fixture
def folder(tmp_path):
    return SearchFolder(tmp_path)


def lines(number, begin=0):
    return [{"op_code": i, "text": "x" * (i % 7)} for i in range(begin, begin + number)]


def test_what_is_appended_is_read_by_everybody(folder):
    one, other = Journal(folder), Journal(folder)
    assert list(one.read_logs(0)) == []
    one.append_logs(lines(3))
    other.append_logs(lines(2, 3))
    assert list(one.read_logs(0)) == list(other.read_logs(0)) == lines(5)
    one.append_logs(lines(1, 5))
    assert list(one.read_logs(4)) == lines(2, 4)
    assert list(Journal(folder).read_logs(4)) == lines(2, 4)
    assert list(one.read_logs(6)) == []


def test_optunas_own_backend_reads_it_and_writes_it(folder):
    from optuna.storages.journal import JournalFileBackend

    ours, theirs = Journal(folder), JournalFileBackend(str(folder.journal))
    ours.append_logs(lines(3))
    theirs.append_logs(lines(3, 3))
    assert list(ours.read_logs(0)) == list(theirs.read_logs(0)) == lines(6)


@pytest.mark.parametrize("torn", [b"{", b'{"op_code": 3', b"\x00" * 100, b"x" * (3 * CUT_BYTES + 5)])
def test_half_a_line_is_nothing_and_is_cut_off_before_the_next(folder, torn):
    journal = Journal(folder)
    journal.append_logs(lines(2))
    with folder.journal.open("ab") as file:
        file.write(torn)
    assert list(journal.read_logs(0)) == list(Journal(folder).read_logs(0)) == lines(2)
    journal.append_logs(lines(1, 2))
    assert list(journal.read_logs(0)) == list(Journal(folder).read_logs(0)) == lines(3)


def test_half_a_first_line(folder):
    folder.journal.write_bytes(b'{"op')
    journal = Journal(folder)
    assert list(journal.read_logs(0)) == []
    journal.append_logs(lines(1))
    assert list(journal.read_logs(0)) == lines(1)


@pytest.mark.parametrize("damage", [b"rubbish\n", b"[1]\n", b"\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n"])
def test_a_damaged_line_is_named(folder, damage):
    Journal(folder).append_logs(lines(2))
    with folder.journal.open("ab") as file:
        file.write(damage)
    with pytest.raises(ValueError, match=r"journal\.jsonl is damaged at line 3; search in another folder"):
        list(Journal(folder).read_logs(0))


@pytest.mark.parametrize("written", [0, 1, 10])
def test_a_disk_that_fills_up_within_a_line(folder, monkeypatch, written):
    journal = Journal(folder)
    journal.append_logs(lines(2))
    write = os.write

    def full(descriptor, data):
        if written:
            write(descriptor, data[:written])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", full)
        with pytest.raises(OSError, match="No space left") as error:
            journal.append_logs(lines(1, 2))
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(folder.journal)
    journal.append_logs(lines(1, 2))
    assert list(journal.read_logs(0)) == lines(3)


def test_a_write_in_pieces(folder, monkeypatch):
    write = os.write
    monkeypatch.setattr(journal_module.os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    Journal(folder).append_logs(lines(4))
    assert list(Journal(folder).read_logs(0)) == lines(4)


APPEND = """
import sys
from pathlib import Path
from pellucid.search.folder import SearchFolder
from pellucid.search.journal import Journal
journal = Journal(SearchFolder(Path(sys.argv[1])))
for i in range(int(sys.argv[3])):
    journal.append_logs([{"who": sys.argv[2], "i": i, "text": "x" * (i % 50)}])
    print(i, flush=True)
"""


def appending(folder, who, count):
    command = [sys.executable, "-c", APPEND, str(folder.path), who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_append_at_once_and_a_third_is_killed(folder):
    killed = appending(folder, "killed", 10**9)
    others = [appending(folder, who, 60) for who in ("a", "b")]
    for _ in range(20):
        told = killed.stdout.readline()
    killed.kill()
    told = int((told + killed.communicate()[0]).split()[-1])
    for other in others:
        other.communicate(timeout=60)
        assert other.returncode == 0
    found = {}
    for line in Journal(folder).read_logs(0):
        found.setdefault(line["who"], []).append(line["i"])
    assert found["a"] == found["b"] == list(range(60))
    assert found["killed"] in (list(range(told + 1)), list(range(told + 2)))  # the next one may be there, not yet told


def test_whoever_waits_too_long_for_the_lock_is_told_why(folder):
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with folder.locked("search"):
            entered.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert entered.wait(60)
        with (
            pytest.raises(TimeoutError, match=r"another process has held the lock for 0\.05 s"),
            folder.locked("search", patience_s=0.05),
        ):
            pass
        with folder.locked("journal"):  # another lock
            pass
    finally:
        leave.set()
        holder.join()
    with folder.locked("search"):
        pass


def test_lines_are_optunas_json(folder):
    Journal(folder).append_logs([{"a": [1, None, "ü"]}])
    assert [json.loads(line) for line in folder.journal.read_text().splitlines()] == [{"a": [1, None, "ü"]}]
