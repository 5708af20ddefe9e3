"""Saves checkpoints in a loop until it is killed: save_me.py <path>. Generation g holds only the number g."""

import sys

import numpy as np

from pellucid.training import save_checkpoint


def content(generation):
    rows = 50_000 + 1000 * (generation % 7)
    return {"generation": generation, "params": {"W": np.full((rows, 8), generation, np.float32)}}


def main(path):
    generation = 0
    while True:
        generation += 1
        save_checkpoint(path, content(generation))
        print(generation, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
