"""What a hostile file may do, case by case: claim or unpack to more than there is, or be no file at all."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fuzz import claims
from fuzz.targets import network
from pellucid import recipes
from pellucid.data import load_cifar10, load_idx_folder, load_image_folder, open_dataset, read_idx
from pellucid.data.idx import PARTS
from pellucid.shipping import Preprocessing, load_model, read_torch_weights
from pellucid.training.checkpoint import load_checkpoint

# Megabytes above what the process had. A member of a zip may have 256 of them, and is put together of two halves.
MOST_MB = 40
MORE = {"zip: a packed member": 600}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All claims, read in one process of their own, under a limit of a gigabyte above what it starts with."""
    if sys.platform != "linux":
        pytest.skip("the peak of memory is read from Linux")
    command = [sys.executable, claims.__file__]
    folder = tmp_path_factory.mktemp("claims")
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True, timeout=100)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", claims.CLAIMS)
def test_what_is_claimed_or_packed_is_refused_in_little_memory(measured, name):
    if name not in measured:
        pytest.skip("ONNX is not installed")
    row = measured[name]
    assert row["said"] != "answer"
    assert claims.CLAIMS[name][0] in row["said"], "the file is named"
    assert row["mb"] < MORE.get(name, MOST_MB)
    assert row["s"] < 3


READERS = {
    "load_model": load_model,
    "load_checkpoint": load_checkpoint,
    "read_torch_weights": lambda path: read_torch_weights(network(), path),
    "import_onnx": lambda path: pytest.importorskip("pellucid.extras.onnx_import").import_onnx(path),
    "read_idx": read_idx,
    "load_cifar10": load_cifar10,
    "load_image_folder": load_image_folder,
    "open_dataset": open_dataset,
    "pixels": lambda path: Preprocessing((4, 4)).pixels(path),
    "recipes.load": recipes.load,
}
every = pytest.mark.parametrize("name", READERS)


def refused(name, path, error=(ValueError, OSError)):
    """An error that names the file, and no waiting."""
    if name == "import_onnx":
        pytest.importorskip("onnx", reason="ONNX is not installed")

    def stop(signum, frame):
        raise AssertionError(f"{name} waited for {path}")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 10)
    try:
        with pytest.raises(error) as caught:
            READERS[name](path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@every
def test_an_empty_file(tmp_path, name):
    (tmp_path / "empty").write_bytes(b"")
    if name == "recipes.load":  # a recipe of defaults alone
        READERS[name](tmp_path / "empty")
        return
    refused(name, tmp_path / "empty", ValueError)


@every
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe(tmp_path, name):
    os.mkfifo(tmp_path / "pipe.toml")
    refused(name, tmp_path / "pipe.toml")


@every
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/stdin", "/dev/full"])
@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device(name, device):
    refused(name, Path(device))


@every
def test_a_link_to_nothing_and_a_link_to_itself(tmp_path, name):
    (tmp_path / "lost.toml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    refused(name, tmp_path / "lost.toml")
    refused(name, tmp_path / "loop.toml")


@every
def test_a_folder_in_place_of_a_file(tmp_path, name):
    (tmp_path / "folder.toml").mkdir()
    refused(name, tmp_path / "folder.toml")


@every
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path, name):
    (tmp_path / "secret.toml").write_bytes(b"x")
    (tmp_path / "secret.toml").chmod(0)
    refused(name, tmp_path / "secret.toml", OSError)


@pytest.mark.parametrize("where", ["a", "a/1.png"])
def test_links_in_a_folder_of_pictures(tmp_path, where):
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "pictures" / name / f"{i}.png").write_bytes(claims.png(2, 2))
    place = tmp_path / "pictures" / f"{where}-link"
    for target in (tmp_path, tmp_path / "nothing", place, Path("/dev/zero"), Path("/etc/passwd")):
        place.symlink_to(target)
        refused("load_image_folder", place.parents[len(Path(where).parts) - 1], ValueError)
        place.unlink()


def test_a_device_and_a_pipe_among_the_files_of_mnist(tmp_path):
    for part in PARTS:
        (tmp_path / part).write_bytes(b"\0\0\x08\1\0\0\0\1\0")
    (tmp_path / PARTS[1]).unlink()
    (tmp_path / PARTS[1]).symlink_to("/dev/zero")
    with pytest.raises((ValueError, OSError), match="labels"):
        load_idx_folder(tmp_path)


def test_a_file_that_grows_or_shrinks_while_it_is_read(tmp_path, monkeypatch):
    """What was looked at is not what is read: an answer or an error, and no more than was looked at."""
    from pellucid.data import idx

    content = claims.IDX + np.array([4, 3, 2], ">u4").tobytes() + bytes(24)
    plain = idx._header
    for change in (content[:30], content + bytes(10**6), b""):
        path = tmp_path / "changes-idx3-ubyte"
        path.write_bytes(content)

        def changing(where, path, stream, change=change):
            found = plain(where, path, stream)
            path.write_bytes(change)
            return found

        monkeypatch.setattr(idx, "_header", changing)
        with contextlib.suppress(ValueError):
            assert read_idx(path).shape == (4, 3, 2)
