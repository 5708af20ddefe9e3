"""A training run in a process of its own, for test_interrupt.py to stop: interrupt_me.py <checkpoint> [options]"""

import sys
import threading
import time

import numpy as np
from toy_models import NormalisedNet, blobs

from pellucid.training import Hook, Solver


class SlowNet(NormalisedNet):
    """Takes its time over a step, so that a signal arrives within one."""

    seconds = 0.03

    def loss(self, X, y=None):
        if y is not None:
            if self.seconds > 1:
                print("in the first step", flush=True)
            time.sleep(self.seconds)
        return super().loss(X, y)


def make(path=None, seconds=0.03, **settings):
    np.random.seed(3)
    model = SlowNet(rng=np.random.default_rng(1))
    model.seconds = seconds
    settings = {"update_rule": "adam", "batch_size": 10, "num_epochs": 3, "progress": False, **settings}
    return Solver(model, blobs(), checkpoint_path=path, print_every=1, **settings)


class SayWhenEnded(Hook):
    """Says when the last hook has been told, to see that the run ended in order."""

    def on_train_end(self, solver):
        print(f"ended after {solver.iteration} of {len(solver.loss_history)}", flush=True)


def main(path, *options):
    solver = make(path, hooks=[SayWhenEnded()])
    if "slow" in options:
        solver.model.seconds = 60
    try:
        if "thread" in options:
            thread = threading.Thread(target=solver.train)
            thread.start()
            thread.join()
        else:
            solver.train(stop_on_sigterm="sigterm" in options)
    except KeyboardInterrupt as stopped:
        print(f"{type(stopped).__name__}: {stopped}", flush=True)
        if "again" in options:
            solver.train()
            print("went on to the end", flush=True)
            return
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
