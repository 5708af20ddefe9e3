"""Files are written whole or not at all, whatever fails on the way."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

from pellucid import files
from pellucid.files import write_atomically

OLD, NEW = b"what was there before", [b"abc", np.arange(1000.0), b"xyz"]
NEW_BYTES = b"abc" + np.arange(1000.0).tobytes() + b"xyz"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def run_python(code, *arguments):
    """Run a script in its own process; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bytes_and_pieces_are_written_in_order(tmp_path):
    write_atomically(tmp_path / "a", b"hello")
    write_atomically(str(tmp_path / "b"), NEW)
    assert (tmp_path / "a").read_bytes() == b"hello"
    assert (tmp_path / "b").read_bytes() == NEW_BYTES
    assert names_in(tmp_path) == ["a", "b"]


def test_a_file_that_is_there_is_replaced_not_overwritten(tmp_path):
    """Whoever has the old file open goes on reading the old one."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with path.open("rb") as reader:
        write_atomically(path, NEW)
        assert reader.read() == OLD
    assert path.read_bytes() == NEW_BYTES


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "file")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "file").read_bytes() == b"new"


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permission_bits_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_file_and_folder_are_forced_to_the_disk_in_the_right_order(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def spy_replace(self, target):
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    write_atomically(tmp_path / "file", b"x")
    assert events == ["file", "rename", "folder"]


def test_whichever_call_fails_the_old_file_or_the_new_one_stands(tmp_path, monkeypatch):
    """Fail the first call to the system, then the second, ... until one write passes untouched."""
    path = tmp_path / "file"
    countdown = [0]

    def failing(function):
        def call(*arguments, **keywords):
            countdown[0] -= 1
            if countdown[0] == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return function(*arguments, **keywords)

        return call

    class FailingFile:
        def __init__(self, file):
            self.file = file
            self.write, self.flush, self.fileno = failing(file.write), failing(file.flush), file.fileno

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

    open_file = Path.open
    monkeypatch.setattr(Path, "open", failing(lambda self, mode: FailingFile(open_file(self, mode))))
    monkeypatch.setattr(Path, "replace", failing(Path.replace))
    monkeypatch.setattr(os, "fsync", failing(os.fsync))
    renamed = 0
    for fault in range(1, 100):
        with open_file(path, "wb") as file:
            file.write(OLD)
        countdown[0] = fault
        try:
            write_atomically(path, NEW)
        except OSError as error:
            assert error.errno == errno.EIO and error.filename == str(path) and "8,006 bytes" in str(error)
        with open_file(path, "rb") as file:
            content = file.read()
        assert content in (OLD, NEW_BYTES)
        renamed += content == NEW_BYTES
        assert names_in(tmp_path) == ["file"], "a temporary file was left behind"
        if countdown[0] > 0:
            break
    assert fault == 9, "open, three writes, flush, fsync, rename and the folder's fsync can fail; then it passes"
    assert renamed == 2, "only after the rename is the new file there"


def test_an_interrupt_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert names_in(tmp_path) == ["file"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"could not write 5 bytes.*nowhere' is missing: make it first"):
        write_atomically(tmp_path / "nowhere" / "file", b"hello")


def test_a_folder_in_the_files_place_is_refused(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        write_atomically(tmp_path / "file", b"x")
    assert names_in(tmp_path) == ["file"]


def test_text_is_refused_before_anything_is_touched(tmp_path):
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", ["text"])
    assert names_in(tmp_path) == []


def test_strays_of_dead_processes_go_and_others_stay(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    live = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        prefix = files._PREFIX
        dead = [f"{prefix}-{child.pid}-0.tmp", f"{prefix}-{os.getpid()}-99999.tmp"]  # a number can come again
        kept = [f"{prefix}-{live.pid}-0.tmp", ".pellucid-00000000-1-0.tmp", "notes.tmp", f"{prefix}-x-0.tmp"]
        for name in dead + kept:
            (tmp_path / name).write_bytes(b"half a file")
        write_atomically(tmp_path / "file", b"x")
        assert names_in(tmp_path) == sorted([*kept, "file"])
    finally:
        live.communicate()


def test_a_temporary_file_that_is_being_written_is_not_a_stray(tmp_path, monkeypatch):
    fsync = os.fsync

    def write_another_meanwhile(descriptor):
        monkeypatch.setattr(os, "fsync", fsync)
        write_atomically(tmp_path / "other", b"other")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", write_another_meanwhile)
    write_atomically(tmp_path / "file", b"x")
    assert names_in(tmp_path) == ["file", "other"]


def test_file_size_limit_stands_for_a_quota(tmp_path):
    pytest.importorskip("resource", reason="limits of the size of files are of Unix")
    (tmp_path / "file").write_bytes(OLD)
    printed = run_python(
        """
        import resource, sys
        from pellucid.files import write_atomically
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            write_atomically(sys.argv[1], b"x" * 100_000)
        except OSError as error:
            print(error)
        """,
        tmp_path / "file",
    )
    assert "File too large: could not write 100,000 bytes" in printed
    assert "what was there before is untouched" in printed and str(tmp_path / "file") in printed
    assert (tmp_path / "file").read_bytes() == OLD
    assert names_in(tmp_path) == ["file"]


def test_full_disk(tmp_path):
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"this machine does not let us mount a small disk: {mounted.stderr.strip()}")
    try:
        write_atomically(disk / "file", OLD)
        with pytest.raises(OSError, match=r"No space left.*100,000 bytes, [\d,]+ are free there") as caught:
            write_atomically(disk / "file", b"x" * 100_000)
        assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(disk / "file")
        assert (disk / "file").read_bytes() == OLD
        assert names_in(disk) == ["file"]
        write_atomically(disk / "file", b"small enough")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_read_only_folder():
    """Root may write anywhere, so as root the child becomes another user, who must be able to look into the folder."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        folder = Path(top) / "folder"
        folder.mkdir()
        (folder / "file").write_bytes(OLD)
        folder.chmod(0o555)
        printed = run_python(
            """
            import os, sys
            from pellucid.files import write_atomically
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                os.seteuid(65534)
            try:
                write_atomically(sys.argv[1], b"new")
            except OSError as error:
                print(type(error).__name__, error)
            """,
            folder / "file",
        )
        folder.chmod(0o755)
        assert printed.startswith("PermissionError") and "could not write 3 bytes" in printed
        assert (folder / "file").read_bytes() == OLD
        assert names_in(folder) == ["file"]
