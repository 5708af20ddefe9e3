"""A hook that stops training where a test wants it."""

from pellucid.training.hooks import Hook


class StopAt(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def on_step(self, solver):
        if solver.iteration == self.iteration:
            solver.stop()
