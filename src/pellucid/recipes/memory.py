"""How much memory training needs, estimated before it starts.

    bytes = images a batch * numbers an image * 4 * KEPT  +  parameters * 4 * copies  +  FIXED

where the numbers of an image are those that all steps hand on. Fused steps write less than that and backward passes add
some: see KEPT. With it the estimate is about as large as the measured peak, 0.9 to 1.2 of it for the recipes' networks.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pellucid.recipes.recipe import Recipe
from pellucid.training import optim

KEPT = 0.8
"""Bytes at the peak of a step, for each byte that the steps hand on: measured with airbench, VGG, ResNets and the
tutorial's network."""

FIXED = 30e6
"""Bytes: the kernels' own buffers, Python's, and whatever is made and dropped between steps."""

FLOAT = 4
"""Bytes of a number: the networks of recipes are float32."""

SCORED_AT_ONCE = 250
"""Images that accuracies are measured with at a time, forward only."""


class MemoryNeeded(NamedTuple):
    """An estimate, in bytes."""

    batch_size: int
    an_image: float
    """What the layers keep of an image until the gradients are there."""
    parameters: float
    """Weights, gradients, what the update rule remembers, and the copies that are kept."""
    scoring: float
    """Of a measurement of the accuracy."""

    @property
    def total(self) -> float:
        """At the worst moment, without the data."""
        return self.parameters + FIXED + max(self.batch_size * self.an_image, self.scoring)

    def largest_batch(self, available: float) -> int:
        """The largest batch for which so many bytes are enough; 0 where not even one image fits."""
        return max(0, int((available - self.parameters - FIXED) / self.an_image))


def memory_needed(
    recipe: Recipe,
    model: Any,
    image_shape: tuple[int, int, int],
    num_images: int | None = None,
    processes: int = 1,
    kept_steps: int = 0,
) -> MemoryNeeded:
    """What training the model by the recipe needs beside the data, which is read already.

    Parameters
    ----------
    recipe : Recipe
    model : object
        What `build_network` gave.
    image_shape : (int, int, int)
        Channels, height, width.
    num_images : int, optional
        That there are to train on: no batch is larger.
    processes : int
        That share each batch; this is what one of them needs.
    kept_steps : int
        After how many steps the run is kept in memory: see `pellucid.training.LastSteps`.
    """
    batch_size = min(recipe["train"]["batch_size"], num_images or math.inf)
    numbers = [math.prod(image_shape)] * 2 + _handed_on(model, image_shape)  # a batch, and the one being made
    rules = {group["rule"] for group in (recipe["optimizer"], *recipe["optimizer"]["groups"].values())}
    remembered = max(len(optim.STATE_ARRAYS[rule]) for rule in rules)
    kept = 1 + bool(recipe["average"])
    parameters = sum(w.size for w in model.params.values())
    return MemoryNeeded(
        batch_size=math.ceil(batch_size / processes),
        an_image=FLOAT * KEPT * sum(numbers),
        parameters=FLOAT * parameters * (2 + (1 + kept_steps) * (remembered + kept)),
        scoring=FLOAT * SCORED_AT_ONCE * 2 * max(numbers),
    )


def _handed_on(model: Any, image_shape: tuple[int, int, int]) -> list[int]:
    """How many numbers an image each step hands on."""
    if hasattr(model, "summary"):
        return [math.prod(row.shape) for row in model.summary().rows]
    numbers = []
    for w in model.params.values():  # a class of the course: its weights tell its layers
        if w.ndim == 4:
            pixels = len(w) * math.prod(image_shape[1:])
            numbers += [pixels, pixels, pixels // 4]
        elif w.ndim == 2:
            numbers += [w.shape[1], w.shape[1]]
    return numbers


def check_memory(needed: MemoryNeeded, available: float | None) -> None:
    """Raise MemoryError where more is ``needed`` than is ``available``.

    That is in bytes, or None: nobody knows, and nothing is refused.
    """
    if available is None or needed.total <= available:
        return
    fits = needed.largest_batch(available)
    advice = f"take batches of {fits} or fewer" if fits else "take a smaller network"
    raise MemoryError(
        f"recipe: a batch of {needed.batch_size} images needs about {needed.total / 1e9:.2f} GB "
        f"({needed.an_image / 1e6:.2f} MB an image, {(needed.parameters + FIXED) / 1e9:.2f} GB for the parameters), "
        f"and {available / 1e9:.2f} GB are available; {advice}"
    )
