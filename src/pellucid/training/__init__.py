"""Training: update rules, schedules, the Solver, its hooks, and checkpoints that resume to the bit.

Reading order: optim, schedules, groups, weights, updating, augmentation, batches, averaging, ranks, together, views,
scoring, checkpoint, interrupt, hooks, metrics, curves, report, state, last_steps, solver.
"""

from pellucid.metrics import Metrics, read_metrics
from pellucid.training import optim, schedules
from pellucid.training.augmentation import Augmentation
from pellucid.training.averaging import Average
from pellucid.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from pellucid.training.curves import CurvesHook
from pellucid.training.hooks import CheckpointHook, Hook, PrintHook
from pellucid.training.interrupt import Terminated
from pellucid.training.last_steps import LastSteps
from pellucid.training.metrics import MetricsHook
from pellucid.training.nonfinite import NonFiniteLoss
from pellucid.training.optim import adam, adamw, muon, nesterov, rmsprop, sgd, sgd_momentum
from pellucid.training.progress import ProgressHook
from pellucid.training.ranks import RankLost, Ranks
from pellucid.training.report import ClassReport, Report, evaluate
from pellucid.training.scoring import accuracy
from pellucid.training.solver import Solver
from pellucid.training.state import load_weights
from pellucid.training.together import Together
from pellucid.training.views import Views, scores

__all__ = [
    "Augmentation",
    "Average",
    "CheckpointError",
    "CheckpointHook",
    "ClassReport",
    "CurvesHook",
    "Hook",
    "LastSteps",
    "Metrics",
    "MetricsHook",
    "NonFiniteLoss",
    "PrintHook",
    "ProgressHook",
    "RankLost",
    "Ranks",
    "Report",
    "Solver",
    "Terminated",
    "Together",
    "Views",
    "accuracy",
    "adam",
    "adamw",
    "evaluate",
    "load_checkpoint",
    "load_weights",
    "muon",
    "nesterov",
    "optim",
    "read_metrics",
    "rmsprop",
    "save_checkpoint",
    "schedules",
    "scores",
    "sgd",
    "sgd_momentum",
]
