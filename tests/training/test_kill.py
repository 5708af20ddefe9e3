"""SIGKILL at random moments of writing: the checkpoint is always a whole one, of a generation that was written."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from save_me import content

from pellucid.training import load_checkpoint, save_checkpoint

SCRIPT = Path(__file__).with_name("save_me.py")
KILLS = 40


@pytest.mark.timeout(300)
def test_a_killed_writer_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    chance = random.Random(0)
    strays = 0
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-u", str(SCRIPT), str(path)], stdout=subprocess.PIPE, text=True)
        writer.stdout.readline()  # the first generation is written
        time.sleep(chance.uniform(0, 0.03))
        writer.kill()
        told, _ = writer.communicate()
        finished = int(told.split()[-1]) if told.strip() else 1
        loaded = load_checkpoint(path)
        generation = loaded["generation"]
        assert generation in (finished, finished + 1), (
            "the last one told of, or the one after, renamed but not yet told"
        )
        np.testing.assert_array_equal(loaded["params"]["W"], content(generation)["params"]["W"])
        left = [other for other in tmp_path.iterdir() if other != path]
        assert len(left) <= 1
        strays += len(left)
    assert strays > KILLS // 10, "hardly any kill fell into the writing: the test has lost its teeth"
    save_checkpoint(path, content(1))
    assert list(tmp_path.iterdir()) == [path], "the strays of dead writers are cleaned up"
