"""Saves checkpoints until it is killed. Generation g holds the number g everywhere.

save_me.py <path>       in a loop, telling of each generation that is written
save_me.py <path> <k>   generation 1, then 2 with SIGKILL at the k-th moment before or after a call to the disk
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from pellucid.training import save_checkpoint


def content(generation):
    rows = 50_000 + 1000 * (generation % 7)
    return {"generation": generation, "params": {"W": np.full((rows, 8), generation, np.float32)}}


def die_at(moment):
    """From now on count the moments before and after each call to the disk, and die at the one asked for."""
    left = [moment]

    def tick():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(function):
        def call(*arguments):
            tick()
            result = function(*arguments)
            tick()
            return result

        return call

    Path.open, Path.replace, os.fsync = watched(Path.open), watched(Path.replace), watched(os.fsync)


def main(path, moment=None):
    if moment is not None:
        save_checkpoint(path, content(1))
        die_at(int(moment))
        save_checkpoint(path, content(2))
        return
    generation = 0
    while True:
        generation += 1
        save_checkpoint(path, content(generation))
        print(generation, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
