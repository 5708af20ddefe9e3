"""One trial: the recipe with its changes, trained, and judged on training images that were held out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import recipes
from pellucid.data import Dataset
from pellucid.recipes import Recipe
from pellucid.training import Hook, Solver, accuracy
from pellucid.training.averaging import averaged

LEAST_LOOKS = 4
"""In a trial: where there are fewer epochs, accuracies are looked at within epochs, too, for the pruner."""

IMAGES_A_LOOK = 1000
"""Held-out images of a look within an epoch, always the same ones; at the end of an epoch all are looked at."""

Report = Callable[[int, float], bool]
"""(look, accuracy) -> whether the trial is not worth going on with."""


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes
    ----------
    accuracy : float
        Of the weights that the recipe keeps, on the held-out images.
    epochs, steps : int
        As many as were done.
    end : str
        reached; pruned; or asked, where somebody wanted it to stop.
    """

    accuracy: float
    epochs: int
    steps: int
    end: str


class Bench:
    """What all trials share: the images, the seed, and the part of the images that is held out.

    Parameters
    ----------
    recipe : Recipe
        It must hold images out.
    dataset : Dataset
    seed : int
    most_bytes : float, optional
        Refuse a batch that would need more memory.

    Raises
    ------
    ValueError
        Nothing is held out; the recipe and the images do not fit together.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset, seed: int, most_bytes: float | None = None) -> None:
        self.dataset, self.seed, self.most_bytes = dataset, seed, most_bytes
        self._shown: tuple[str, dict[str, Any]] = "", {}
        data = self.data(recipe)
        if not len(data.get("y_val", ())):
            raise ValueError("search: no training images are held out to judge trials by; take --validation tenth")
        self.images, self.held_out = len(data["y_train"]), len(data["y_val"])

    def data(self, recipe: Recipe) -> dict[str, Any]:
        """The images as the ``recipe`` wants them, without the test images; the last ones are kept."""
        how = json.dumps(recipe["data"])
        if self._shown[0] != how:
            self._shown = "", {}
            parts = recipes.split(recipe, self.dataset)
            self._shown = how, {name: part for name, part in parts.items() if name not in ("X_test", "y_test")}
        return self._shown[1]

    def train(self, recipe: Recipe, hook: TrialHook) -> Outcome:
        """Train by the ``recipe``, as `pellucid train` would with the same seed. Raises whatever goes wrong."""
        data = self.data(recipe)
        solver = recipes.build_solver(
            recipe,
            data,
            len(self.dataset.classes),
            self.seed,
            self.dataset.classes,
            hooks=[hook],
            verbose=False,
            progress=False,
        )
        needed = recipes.memory_needed(recipe, solver.model, data["X_train"].shape[1:], len(data["y_train"]))
        recipes.check_memory(needed, self.most_bytes)
        solver.train(stop_on_sigterm=True)
        return Outcome(solver.best_val_acc, solver.epoch, solver.iteration, hook.end)


class TrialHook(Hook):
    """What a search does beside a trial's training: looks at the held-out accuracy, and word that it gets on.

    Parameters
    ----------
    report : callable
        Told of each look, which are ``looks_an_epoch`` in each epoch; where it returns True, the trial is pruned. The
        look at the very end is reported, too, but a trial that has come so far is complete.
    looks_an_epoch : int
    on_step : callable
        ``on_step(steps done, steps in all)``, after each step.
    stop_asked : callable
        Whether somebody wants it to stop.

    Attributes
    ----------
    end : str
        See `Outcome`.
    """

    def __init__(
        self,
        report: Report,
        looks_an_epoch: int,
        on_step: Callable[[int, int], object],
        stop_asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self.report, self.looks_an_epoch, self.told_step, self.stop_asked = report, looks_an_epoch, on_step, stop_asked
        self.end = "reached"

    def on_train_begin(self, solver: Solver) -> None:
        self._looks = looks_of(solver.iterations_per_epoch, self.looks_an_epoch)

    def on_step(self, solver: Solver) -> None:
        self.told_step(solver.iteration, solver.num_iterations)
        if self.stop_asked():
            self.end = "asked"
            solver.stop()
            return
        look = self._looks.get(solver.iteration % solver.iterations_per_epoch)
        if look is not None:
            self._look(solver, solver.epoch * self.looks_an_epoch + look, self._measured(solver))

    def on_epoch(self, solver: Solver) -> None:
        if solver.iteration % solver.iterations_per_epoch == 0 and self.end == "reached":  # not after the first step
            self._look(solver, solver.epoch * self.looks_an_epoch, solver.val_acc_history[-1])

    def _look(self, solver: Solver, look: int, found: float) -> None:
        if self.report(look, found) and solver.iteration < solver.num_iterations:
            self.end = "pruned"
            solver.stop()

    def _measured(self, solver: Solver) -> float:
        """Within an epoch; without a draw from the solver's generator, so that training goes on as it would."""
        N = len(solver.y_val)
        some = np.linspace(0, N - 1, min(N, IMAGES_A_LOOK)).astype(int)  # from everywhere: they may be class by class
        X, y = solver.X_val[some], solver.y_val[some]
        with averaged(solver.model, solver.average, solver.average_weights):
            return accuracy(solver.model, X, y)


def looks_of(steps: int, looks: int) -> dict[int, int]:
    """After which steps of an epoch to look, but for its end, and the number of that look: 1, 2 ..."""
    return {place: i for i in range(1, looks) if 0 < (place := round(steps * i / looks)) < steps}


def looks_an_epoch(least_epochs: int) -> int:
    """So many that the shortest trial has a few."""
    return -(-LEAST_LOOKS // least_epochs)
