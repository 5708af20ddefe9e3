"""The recipe that airbench trains with Muon, in PyTorch: what our recipe `94` is compared with.

    python -m benchmarks.recipe_torch ~/data/cifar-10-batches-bin --seed 0 --out runs/torch-94
    python -m benchmarks.recipe_torch ~/data/cifar-10-batches-bin --steps 3   # a look at the time of a step

float32 and channels_last; torch.compile gains a hundredth on this network (`docs/benchmarks.md`) and is left out. The
run folder is like one of `pellucid train`, without a checkpoint. Times are of training only: whitening, batches, steps.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from cyclopts import App, Parameter

from benchmarks import machine
from benchmarks.allocator import keep_memory
from benchmarks.recipe_folder import RecipeFolder
from benchmarks.torch_airbench import WHITENED, Airbench, scores, whiten
from benchmarks.torch_batches import Batches
from benchmarks.torch_muon import Optimizers
from pellucid.data import Dataset, open_dataset

EVALUATED = 1000
"""Training images whose accuracy is looked at after each epoch."""
TEST_BATCH = 1000
app = App(name="python -m benchmarks.recipe_torch", help_format="plaintext", version_flags=[])


@dataclass(frozen=True)
class Recipe:
    """airbench's settings. Rates are for the sum of the losses of a batch, not their mean."""

    name: str = "94 in PyTorch"
    widths: tuple[int, ...] = (64, 256, 256)
    epochs: int = 8
    batch_size: int = 2000
    shift: int = 2
    smoothing: float = 0.2
    score_scale: float = 1 / 256
    filter_rate: float = 0.24
    filter_momentum: float = 0.6
    rounds: int = 3
    bias_rate: float = 0.053
    head_rate: float = 0.67
    momentum: float = 0.85
    weight_decay: float = 2e-6
    """Times the batch's size, and divided by a group's rate: as the gradient's share, which momentum multiplies."""
    whiten_epochs: int = 3


class StepDone(NamedTuple):
    """What a step tells."""

    loss: float
    """The mean over the batch."""
    learning_rate: float
    """Muon's."""


class Training:
    """A network in training, a step at a time.

    Parameters
    ----------
    recipe : Recipe
    data : Dataset
        RGB images of 32x32.
    seed : int
    """

    def __init__(self, recipe: Recipe, data: Dataset, seed: int = 0) -> None:
        if data.image_shape != (3, 32, 32):
            raise ValueError(f"Training: the images are {data.image_shape}; airbench's last pool needs (3, 32, 32)")
        torch.manual_seed(seed)
        self.recipe = recipe
        self.batches = Batches(data.X_train.pixels, data.y_train, recipe.batch_size, recipe.shift)
        self.network = Airbench(recipe.widths, len(data.classes), recipe.score_scale)
        self.optimizers = Optimizers(self.network, recipe, self.batches.steps_per_epoch)
        self.images = Images(data, self.batches)
        started = time.perf_counter()
        whiten(self.network, self.images.first())
        self.time_s = time.perf_counter() - started
        self.steps_done = 0
        self.num_steps = self.optimizers.steps
        self._stream = self._batches()

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for epoch in itertools.count():
            yield from self.batches.epoch(epoch)

    def step(self) -> StepDone:
        """One update."""
        started = time.perf_counter()
        self.network.train()
        x, y = next(self._stream)
        rate = self.optimizers.set_rates(self.steps_done)
        loss = F.cross_entropy(self.network(x), y, label_smoothing=self.recipe.smoothing, reduction="sum")
        loss.backward()
        self.optimizers.update()
        self.steps_done += 1
        self.time_s += time.perf_counter() - started
        return StepDone(loss.item() / len(y), rate)


class Images:
    """Of a data set, normalised, as they are: to whiten with and to evaluate on."""

    def __init__(self, data: Dataset, batches: Batches) -> None:
        self.data, self.normalise = data, batches.normalise

    def first(self) -> torch.Tensor:
        """As many training images as whitening looks at."""
        return self._floats(self.data.X_train.pixels[:WHITENED])

    def accuracy(self, network: Airbench, part: str, count: int | None = None, views: bool = False) -> float:
        """The share of the first images of "train" or "test" that are classified right."""
        pixels = getattr(self.data, f"X_{part}").pixels[:count]
        y = torch.from_numpy(getattr(self.data, f"y_{part}")[:count])
        right = 0
        for start in range(0, len(y), TEST_BATCH):
            batch = slice(start, start + TEST_BATCH)
            right += int((scores(network, self._floats(pixels[batch]), views).argmax(1) == y[batch]).sum())
        return right / len(y)

    def _floats(self, pixels: np.ndarray) -> torch.Tensor:
        return self.normalise(torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2))


def train(training: Training, folder: RecipeFolder | None, steps: int | None = None) -> dict[str, Any] | None:
    """To the end, or so many steps; prints a line an epoch. Returns the result, None where training stopped early."""
    end = training.num_steps if steps is None else min(steps, training.num_steps)
    per_epoch = training.batches.steps_per_epoch
    losses, by_epoch, epoch_began = [], [], training.time_s
    while training.steps_done < end:
        before = training.time_s
        done = training.step()
        losses.append(done.loss)
        rate = training.recipe.batch_size / (training.time_s - before)
        if folder:
            folder.log_step(training.steps_done, per_epoch, done.loss, done.learning_rate, rate, training.time_s)
        if steps is not None:
            print(f"step {training.steps_done}: loss {done.loss:.4f}, {training.time_s - before:.2f} s", flush=True)
        if training.steps_done % per_epoch == 0:
            accuracy = training.images.accuracy(training.network, "train", EVALUATED)
            by_epoch.append(accuracy)
            epoch, seconds = training.steps_done // per_epoch, training.time_s - epoch_began
            epoch_began = training.time_s
            print(f"epoch {epoch}: loss {np.mean(losses[-per_epoch:]):.4f}, training accuracy {accuracy:.1%}, "
                  f"{seconds:.1f} s", flush=True)  # fmt: skip
            if folder:
                folder.log_epoch(epoch, training.steps_done, accuracy, training.time_s)
    return None if training.steps_done < training.num_steps else result_of(training, losses, by_epoch)


def result_of(training: Training, losses: list[float], by_epoch: list[float]) -> dict[str, Any]:
    """What was reached; the test images are looked at here and nowhere else."""
    plain, views = (training.images.accuracy(training.network, "test", views=views) for views in (False, True))
    return {
        "val_accuracy": None,
        "test_accuracy": views,
        "test_accuracy_plain": plain,
        "epochs": training.recipe.epochs,
        "iterations": training.steps_done,
        "final_loss": losses[-1],
        "train_time_s": training.time_s,
        "train_accuracy_by_epoch": by_epoch,
        "val_accuracy_by_epoch": [],
    }


@app.default
def main(
    data: str,
    /,
    *,
    seed: int = 0,
    out: Annotated[Path | None, Parameter(help="The run folder to write; it must not exist.")] = None,
    steps: int | None = None,
    threads: int = 2,
    keep: Annotated[bool, Parameter(name="--keep-memory", negative="")] = False,
) -> int:
    """Train airbench with Muon in PyTorch, and test it with and without test-time augmentation.

    Parameters
    ----------
    data
        CIFAR-10: a folder, a zip or a name, as for `pellucid train`.
    seed
        Of the weights, the batches, the shifts and the first mirroring.
    steps
        Stop after so many, each with its time; nothing is tested then and no result written.
    threads
        Of PyTorch.
    keep
        Let the C library keep freed memory (`benchmarks/allocator.py`): PyTorch is then faster than as installed.
    """
    if threads < 1 or (steps is not None and steps < 1):
        print(f"recipe_torch: --threads is {threads} and --steps {steps}; both must be at least 1", file=sys.stderr)
        return 2
    recipe = Recipe()
    try:
        if keep:
            keep_memory()
        folder = RecipeFolder.create(out) if out else None
        dataset = open_dataset(data)
    except (OSError, ValueError) as error:
        print(f"recipe_torch: {error}", file=sys.stderr)
        return 2
    machine.set_threads(threads)
    if folder:
        folder.record(asdict(recipe) | {"keep_memory": keep}, data, seed, machine.describe(threads))
    result = train(Training(recipe, dataset, seed), folder, steps)
    if folder:
        folder.write_metrics()
    if result:
        print(f"test accuracy {result['test_accuracy']:.2%}, without test-time augmentation "
              f"{result['test_accuracy_plain']:.2%}; {result['train_time_s'] / 60:.1f} minutes")  # fmt: skip
        if folder:
            folder.finish(result)
    return 0


if __name__ == "__main__":
    sys.exit(app())
