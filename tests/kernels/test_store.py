"""Compiled kernels on disk: made once, never stale, never trusted blindly."""

import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pellucid.kernels import store
from pellucid.kernels.store import FOLDER_SETTING

PROGRAM = textwrap.dedent(
    """
    import numpy as np
    from pellucid.kernels import packing, store
    w, packed = np.arange(4, dtype=np.float32), np.zeros(16, np.float32)
    packing.pack(w, packed, np.arange(1), 1, 0, 1, 1, 4, 1, 16, 1)
    assert packed[:5].tolist() == [0, 1, 2, 3, 0], packed
    print(store.cache_folder())
    """
)
COMPILES = "compiling kernels"


def run(folder, program=PROGRAM, **settings):
    """The program in a process of its own; what it printed and what it told the user."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PELLUCID")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment | {FOLDER_SETTING: str(folder)} | settings,
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def files(folder):
    return sorted(folder.rglob("*.kernel"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder in which one kernel has been kept."""
    folder = tmp_path_factory.mktemp("filled")
    _, told = run(folder)
    assert COMPILES in told
    return folder


@pytest.fixture
def folder(filled, tmp_path):
    return Path(shutil.copytree(filled, tmp_path / "kernels", copy_function=shutil.copy2))


def test_the_second_process_compiles_nothing(folder):
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    assert len(before) == 1
    _, told = run(folder)
    assert told == ""
    assert {path: path.stat().st_mtime_ns for path in files(folder)} == before


def test_the_message_can_be_silenced(tmp_path):
    assert run(tmp_path, PELLUCID_QUIET="1")[1] == ""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_code_from_the_disk_gives_the_bits_of_code_that_was_just_compiled(tmp_path):
    """Else a run would not go on to the same bits in the first process after an update."""
    program, environment = Path(__file__).with_name("every_kernel.py"), os.environ | {FOLDER_SETTING: str(tmp_path)}
    for name in ("compiled", "kept"):
        subprocess.run([sys.executable, program, tmp_path / name], env=environment, check=True, timeout=300)
    compiled, kept = ((tmp_path / name).read_text().splitlines() for name in ("compiled", "kept"))
    assert len(compiled) > 1000
    assert compiled == kept


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["empty", "cut short", "rubbish", "a flipped bit", "a good sum over rubbish"])
def test_a_damaged_file_is_compiled_anew_and_replaced(folder, damage):
    import hashlib

    (path,) = files(folder)
    good = path.read_bytes()
    rubbish = b"\x80\x04nothing that unpickles"
    path.write_bytes(
        {
            "empty": b"",
            "cut short": good[: len(good) // 2],
            "rubbish": os.urandom(1000),
            "a flipped bit": good[:100] + bytes([good[100] ^ 1]) + good[101:],
            "a good sum over rubbish": hashlib.sha256(rubbish).digest() + rubbish,
        }[damage]
    )
    _, told = run(folder)
    assert COMPILES in told
    assert run(folder)[1] == ""  # the good one is there again


def test_any_changed_file_of_the_package_makes_another_folder(monkeypatch, tmp_path):
    copy = tmp_path / "kernels"
    shutil.copytree(Path(store.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(store, "__file__", str(copy / "store.py"))
    stamps = {store.stamp()}
    for path in copy.glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        stamps.add(store.stamp())
    assert len(stamps) == 1 + len(list(copy.glob("*.py")))


@pytest.mark.parametrize("what", ["numba", "processor", "width"])
def test_another_numba_processor_or_width_makes_another_folder(monkeypatch, what):
    before = store.stamp()
    if what == "numba":
        monkeypatch.setattr(store.numba, "__version__", "0.0.0")
    elif what == "processor":
        monkeypatch.setattr(store.llvm, "get_host_cpu_name", lambda: "another")
    else:
        monkeypatch.setattr(store, "VECTOR_BYTES", 7)
    assert store.stamp() != before


@pytest.mark.slow
def test_two_processes_at_once_do_each_other_no_harm(tmp_path):
    environment = os.environ | {FOLDER_SETTING: str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        _, told = process.communicate(timeout=100)
        assert process.returncode == 0, told
    assert len(files(tmp_path)) == 1
    assert run(tmp_path)[1] == ""


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path):
    tmp_path.chmod(0o500)
    _, told = run(tmp_path)
    assert f"set {FOLDER_SETTING}" in told


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    _, told = run(tmp_path / "file")
    assert "can't be kept" in told
    assert f"set {FOLDER_SETTING}" in told


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_folder_that_others_may_write_is_not_read(folder):
    (own,) = (path.parent for path in files(folder))
    own.chmod(own.stat().st_mode | stat.S_IWOTH)
    _, told = run(folder)
    assert "others may write there" in told
    assert COMPILES in told


def test_unused_versions_are_removed_after_a_while(tmp_path):
    old, recent, foreign = tmp_path / ("a" * 20), tmp_path / ("b" * 20), tmp_path / "notes"
    for path in (old, recent, foreign):
        path.mkdir()
    for path in (old, foreign):
        os.utime(path, (0, 0))
    run(tmp_path)
    assert not old.exists()
    assert recent.exists()
    assert foreign.exists()
