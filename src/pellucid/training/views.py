"""Scores for images, seen once or in several views: test-time augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.layers import softmax
from pellucid.training.together import ALONE, Alone


@dataclass(frozen=True)
class Views:
    """Which views of an image the scores are the mean of.

    As in airbench (K. Jordan 2024), and the share as in CIFAR-10 speed runs of 2025.

    Parameters
    ----------
    flip : bool
        The image and its mirror image.
    shift : int
        Above 0: half of the mean is that of the image as it is, the other half that of the image moved by so many
        pixels up and left, and down and right; what it leaves is filled by reflection.
    share : float
        Of the images, from 0 to 1, for which this is done: those whose first answer is least certain, by the
        difference between the two largest probabilities. The others keep their plain scores, which saves time.
    """

    flip: bool = True
    shift: int = 0
    share: float = 1.0

    def __post_init__(self) -> None:
        check.flag("Views", "flip", self.flip)
        object.__setattr__(self, "shift", check.whole_number("Views", "shift", self.shift))
        object.__setattr__(self, "share", check.number("Views", "share", self.share, least=0, most=1))

    def of(self, images: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Each view of images (N, C, H, W), with its weight; the weights add up to 1."""
        for weight, moved in self._moved(images):
            if self.flip:
                yield weight / 2, moved
                yield weight / 2, moved[..., ::-1]
            else:
                yield weight, moved

    def _moved(self, images: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        if not self.shift:
            yield 1.0, images
            return
        yield 0.5, images
        H, W = images.shape[2:]
        if self.shift >= min(H, W):
            raise ValueError(
                f"Views: shift is {self.shift}; it must be smaller than the images, which have {H}x{W} pixels"
            )
        s = self.shift
        padded = np.pad(images.transpose(0, 2, 3, 1), ((0, 0), (s, s), (s, s), (0, 0)), mode="reflect")
        padded = padded.transpose(0, 3, 1, 2)
        for start in (0, 2 * s):
            yield 0.25, padded[:, :, start : start + H, start : start + W]


def scores(
    model: Any,
    X: Any,
    views: Views | None = None,
    batch_size: int = 250,
    chosen: np.ndarray | None = None,
    together: Alone = ALONE,
) -> np.ndarray:
    """What the model makes of images, in test mode.

    Parameters
    ----------
    model : object
        Its ``loss(X)`` returns scores, (N, classes).
    X : (N, ...)
        Images.
    views : Views, optional
        None: each image once, as it is.
    batch_size : int
        Images at a time.
    chosen : int array (N,), optional
        Which images of X; all of them where None.
    together : Alone or Together
        The processes that share the images out among them; each gets all scores.

    Returns
    -------
    array (N, classes)
    """
    where = "scores"
    batch_size = check.whole_number(where, "batch_size", batch_size, least=1)
    chosen = np.arange(len(X)) if chosen is None else chosen
    if len(chosen) == 0:
        raise ValueError(f"{where}: X has no images; give at least one")
    own = [_scores(where, model, X[chosen[turn]]) for turn in together.turns(len(chosen), batch_size)]
    result = together.joined(np.concatenate(own), len(chosen))
    if views is None or views.share == 0:
        return result
    if len(X.shape) != 4:
        raise ValueError(f"{where}: X has shape {tuple(X.shape)}; views need images (N, C, H, W)")
    rows = least_certain(result, views.share)
    if len(rows):
        turns = together.turns(len(rows), batch_size)
        own = [_mean_scores(where, model, views, X[chosen[rows[turn]]]) for turn in turns]
        result[rows] = together.joined(np.concatenate(own), len(rows))
    return result


def least_certain(scores: np.ndarray, share: float) -> np.ndarray:
    """The numbers of the rows whose two largest probabilities are closest, ``share`` of all, in rising order."""
    count = round(share * len(scores))
    if scores.shape[1] < 2 or count == len(scores):
        return np.arange(len(scores))
    second, first = np.partition(softmax(scores), -2, axis=1)[:, -2:].T
    return np.sort(np.argsort(first - second, kind="stable")[:count])


def _mean_scores(where: str, model: Any, views: Views, images: np.ndarray) -> np.ndarray:
    return np.asarray(sum(weight * _scores(where, model, view) for weight, view in views.of(images)))


def _scores(where: str, model: Any, images: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        result = np.asarray(model.loss(images))
    if result.ndim != 2 or len(result) != len(images):
        needed = f"({len(images)}, classes)"
        raise ValueError(f"{where}: model.loss(X) returned scores of shape {result.shape}; it must be {needed}")
    return result
