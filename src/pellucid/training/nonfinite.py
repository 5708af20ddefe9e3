"""What is said when training has diverged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.training.solver import Solver


class NonFiniteLoss(ArithmeticError):
    """The loss, or a weight, is no longer a finite number: training has diverged.

    Attributes
    ----------
    step, epoch : int
        The step (from 1) at which it was seen, and the whole epochs done before.
    learning_rate : float
    checkpoint : str or None
        The last checkpoint that the run wrote or came from; its weights are finite.
    """

    def __init__(self, what: str, step: int, solver: Solver) -> None:
        self.step, self.epoch = step, solver.epoch
        self.learning_rate, self.checkpoint = solver.learning_rate, solver.last_checkpoint
        last = f"the last good checkpoint is {self.checkpoint!r}" if self.checkpoint else "no checkpoint was written"
        epochs = f"epoch {self.epoch} of {solver.end_epoch}"
        super().__init__(
            f"Solver: {what} at step {step} of {solver.num_iterations} ({epochs} done, learning rate "
            f"{self.learning_rate:g}); {last}. Try a tenth of the learning rate, images scaled to about -1 to 1, or "
            "smaller initial weights; a loss of your own must not take the logarithm of zero"
        )
