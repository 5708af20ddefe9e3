"""SIGKILL while a checkpoint is written: what is left is always a whole one, of a generation that was written."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from save_me import content

from pellucid.training import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
SCRIPT = Path(__file__).with_name("save_me.py")
KILLS = 40


def generation_in(path):
    loaded = load_checkpoint(path)
    np.testing.assert_array_equal(loaded["params"]["W"], content(loaded["generation"])["params"]["W"])
    return loaded["generation"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random_moments_of_forty_runs(tmp_path):
    path = tmp_path / "c.safetensors"
    chance = random.Random(0)
    strays = 0
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, str(SCRIPT), str(path)], stdout=subprocess.PIPE, text=True)
        writer.stdout.readline()  # the first generation is written
        time.sleep(chance.uniform(0, 0.03))
        writer.kill()
        told, _ = writer.communicate()
        finished = int(told.split()[-1]) if told.strip() else 1
        assert generation_in(path) in (finished, finished + 1), (
            "the last one told of, or the next, not told of any more"
        )
        left = [other for other in tmp_path.iterdir() if other != path]
        assert len(left) <= 1, "each writer clears up after the one before"
        strays += len(left)
    assert strays, "no kill at all fell into the writing: the test has lost its teeth"
    save_checkpoint(path, content(1))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_killed_before_and_after_each_call_to_the_disk(tmp_path):
    """open, fsync of the file, rename, fsync of the folder: eight moments, and the ninth is never reached."""
    generations, codes = [], []
    for moment in range(1, 10):
        path = tmp_path / str(moment) / "c.safetensors"
        path.parent.mkdir()
        codes.append(subprocess.run([sys.executable, str(SCRIPT), str(path), str(moment)], timeout=60).returncode)
        generations.append(generation_in(path))
        save_checkpoint(path, content(3))
        assert list(path.parent.iterdir()) == [path]
    assert codes == [-signal.SIGKILL] * 8 + [0]
    assert generations == [1] * 5 + [2] * 4, "the new one from the rename on"
