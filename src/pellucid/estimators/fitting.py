"""Training a `ConvNetClassifier`'s network: the `Solver` with the estimator's settings, and what is told on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from pellucid.estimators.images import Images, Scaling
from pellucid.estimators.settings import SCHEDULES, WHERE, Settings
from pellucid.models import Network
from pellucid.training import Hook, Solver, optim

Parts = tuple[np.ndarray, np.ndarray | None]
"""Which samples to train on, and which to validate on."""

OptimState = dict[str, dict[str, Any]]
"""Of each parameter: its rule's settings and state."""


@dataclass
class Trainee:
    """A network, and all that its training goes on from."""

    network: Network
    scaling: Scaling
    classes: np.ndarray
    """(K,), sorted."""
    rng: np.random.Generator
    """For the order of the samples and augmentation."""
    optim_state: OptimState | None = None
    losses: list[float] = field(default_factory=list)
    """The mean of each epoch so far."""


class Epochs(Hook):
    """What an epoch came to: its mean loss, and the accuracy on what was held back.

    Parameters
    ----------
    patience : int or None
        Stop after so many epochs in a row without a better accuracy.
    verbose : bool
        Print a line an epoch.
    """

    def __init__(self, patience: int | None, verbose: bool) -> None:
        self.patience, self.verbose = patience, verbose
        self.losses: list[float] = []
        self.scores: list[float] = []

    def on_epoch(self, solver: Solver) -> None:
        steps = solver.iterations_per_epoch
        if solver.iteration % steps:  # after the first step, whose weights are not to be the best of all by chance
            solver.best_val_acc = 0.0
            return
        self.losses.append(float(np.mean(solver.loss_history[-steps:])))
        self.scores += solver.val_acc_history[-1:]
        if self.verbose:
            score = f", validation accuracy {self.scores[-1]:.4f}" if self.scores else ""
            print(f"epoch {solver.epoch} of {solver.end_epoch}: loss {self.losses[-1]:.6f}{score}", flush=True)
        if self.patience is not None and len(self.scores) - 1 - int(np.argmax(self.scores)) >= self.patience:
            solver.stop()


def generators(random_state: Any) -> tuple[np.random.Generator, np.random.Generator]:
    """Where the network draws from, and the order of the samples with all that happens to them."""
    try:
        seed = int(check_random_state(random_state).randint(2**31))
    except ValueError:
        kind = type(random_state).__name__
        raise ValueError(
            f"{WHERE}: random_state is {random_state!r}, a {kind}; it must be an integer from 0 to 2**32 - 1, a "
            "numpy.random.RandomState, or None"
        ) from None
    for_network, for_samples = np.random.SeedSequence(seed).spawn(2)
    return np.random.default_rng(for_network), np.random.default_rng(for_samples)


def train(
    trainee: Trainee,
    X: np.ndarray,
    labels: np.ndarray,
    settings: Settings,
    epochs: int,
    schedule: str = "constant",
    parts: Parts | None = None,
) -> Epochs:
    """Train the network, in place; returns what the epochs came to.

    Parameters
    ----------
    trainee : Trainee
        The network and its update rule's state become those after the last step.
    X : array (N, ...)
    labels : int64 array (N,)
    settings : Settings
    epochs : int
    schedule : str
    parts : (array, array or None), optional
        Which samples to train on, and which to validate on, as `hold_back` gives them; all and none where absent.
    """
    network, rng = trainee.network, trainee.rng
    data: dict[str, Any] = {}
    for name, part in zip(("train", "val"), parts or (np.arange(len(X)), None), strict=True):
        if part is not None:
            data[f"X_{name}"] = Images(X, network.input_shape, trainee.scaling, part)
            data[f"y_{name}"] = labels[part]
    hook = Epochs(settings.n_iter_no_change if "X_val" in data else None, settings.verbose)
    solver = Solver(
        network,
        data,
        update_rule=settings.update_rule,
        optim_config=settings.optim_config,
        schedule=SCHEDULES[schedule],
        batch_size=settings.batch_size,
        num_epochs=epochs,
        num_train_samples=1,  # nobody asks for the accuracy on the samples trained on; this is the least
        shuffle=True,
        augmentation=settings.augmentation(network.input_shape, int(rng.integers(2**31))),
        rng=rng,
        hooks=[hook],
        verbose=False,
        progress=False,
    )
    if trainee.optim_state is not None:
        solver.optim_configs = continued(solver.optim_configs, trainee.optim_state, settings.update_rule)
    solver.train()
    trainee.optim_state = solver.optim_configs
    trainee.losses += hook.losses
    return hook


def continued(fresh: OptimState, before: OptimState, rule: str) -> OptimState:
    """The settings as they are now, with the state as it was: settings may change between calls of partial_fit."""
    keys = {*optim.STATE_ARRAYS[rule], *(["t"] if "t" in optim.DEFAULTS[rule] else [])}
    return {
        name: config | {key: _own(before[name][key]) for key in keys if key in before[name]}
        for name, config in fresh.items()
    }


def _own(value: Any) -> Any:
    """An array that can be written to, also where the estimator was loaded as a memory map."""
    return np.array(value) if isinstance(value, np.ndarray) else value


def hold_back(y: np.ndarray, settings: Settings, rng: np.random.Generator) -> Parts:
    """Which samples to train on, and which to validate on where there is early stopping: every class its share."""
    everything = np.arange(len(y))
    if not settings.early_stopping:
        return everything, None
    share, seed = settings.validation_fraction, int(rng.integers(2**31))
    try:
        chosen, held = train_test_split(everything, test_size=share, stratify=y, random_state=seed)
    except ValueError as error:
        raise ValueError(
            f"{WHERE}: early_stopping holds back a validation_fraction of {share:g}, which {len(y)} samples do not "
            f"allow: {error}"
        ) from error
    return np.sort(chosen), np.sort(held)
