"""Training: update rules, schedules, the Solver, its hooks, and checkpoints that resume to the bit.

Reading order: optim, schedules, weights, scoring, checkpoint, interrupt, hooks, state, solver.
"""

from pellucid.training import optim, schedules
from pellucid.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from pellucid.training.hooks import CheckpointHook, Hook, PrintHook
from pellucid.training.interrupt import Terminated
from pellucid.training.nonfinite import NonFiniteLoss
from pellucid.training.optim import adam, adamw, nesterov, rmsprop, sgd, sgd_momentum
from pellucid.training.progress import ProgressHook
from pellucid.training.scoring import accuracy
from pellucid.training.solver import Solver
from pellucid.training.state import load_weights

__all__ = [
    "CheckpointError",
    "CheckpointHook",
    "Hook",
    "NonFiniteLoss",
    "PrintHook",
    "ProgressHook",
    "Solver",
    "Terminated",
    "accuracy",
    "adam",
    "adamw",
    "load_checkpoint",
    "load_weights",
    "nesterov",
    "optim",
    "rmsprop",
    "save_checkpoint",
    "schedules",
    "sgd",
    "sgd_momentum",
]
