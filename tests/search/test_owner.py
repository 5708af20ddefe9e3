"""Whether the process that a trial belongs to is still there."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from pellucid.search import owner as owner_module
from pellucid.search.owner import Owner, owner_of, this_process

PROC = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="there is no /proc")  # noqa: PTH110


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def owner_of_child(child):
    started = owner_module._started(child.pid) if owner_module._has_proc() else ""
    return replace(this_process(), pid=child.pid, started=started)


def test_this_process_is_here_and_not_gone():
    own = this_process()
    assert own.pid == os.getpid() and own.is_here and not own.is_gone
    assert owner_of(own.attributes()) == own


def test_a_process_that_was_killed_is_gone_also_before_its_parent_asks(child):
    owner = owner_of_child(child)
    assert not owner.is_gone
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert owner.is_gone
    child.wait()
    assert owner.is_gone


@PROC
def test_another_process_of_the_same_number_is_not_taken_for_it(child):
    owner = owner_of_child(child)
    assert replace(owner, started=str(int(owner.started) - 1)).is_gone


def test_of_other_machines_nothing_is_known():
    own = this_process()
    for elsewhere in (replace(own, host="elsewhere"), replace(own, system="another boot")):
        dead = replace(elsewhere, pid=2**22 + 1)
        assert not dead.is_here and not dead.is_gone


def test_without_proc_the_number_alone_counts(child, monkeypatch):
    monkeypatch.setattr(owner_module, "_has_proc", lambda: False)
    owner = replace(this_process(), pid=child.pid, started="")
    assert not owner.is_gone
    child.kill()
    child.wait()
    assert owner.is_gone


@PROC
def test_a_program_whose_name_looks_like_fields(tmp_path, monkeypatch):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) R 1 2 (b) " + "S " + " ".join(str(i) for i in range(4, 53)))
    monkeypatch.setattr(owner_module, "PROC", tmp_path)
    assert owner_module._started(7) == "22"
    assert owner_module._started(8) is None


@pytest.mark.parametrize("rubbish", [None, 3, "x", {}, {"pid": 1}, {"host": "a", "system": "", "pid": 1, "x": 2}])
def test_what_is_no_owner(rubbish):
    assert owner_of(rubbish) is None


def test_an_owner_is_plain_data():
    assert Owner("h", "s", 1, "2").attributes() == {"host": "h", "system": "s", "pid": 1, "started": "2"}
