"""A whole model: a network, its classes, how pictures become its input, and how it was trained."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.layers import softmax
from pellucid.models import Inference, Network, as_network
from pellucid.shipping.preprocessing import Preprocessing
from pellucid.training.views import Views, scores

BATCH_NUMBERS = 2**25
"""Of the largest step, for the images that run together: 128 MB in float32."""
MOST_BATCH = 256
TOP = 5


class Prediction(NamedTuple):
    """What a picture shows, as the network sees it."""

    label: str
    """The most probable class."""
    probability: float
    top: tuple[tuple[str, float], ...]
    """The most probable classes with their probabilities, the first one first."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network that predicts on pictures.

    Parameters
    ----------
    network : Network, or a network of the course's classes
        What `pellucid.models.as_network` takes. It must give a score for each class.
    classes : sequence of str, optional
        The classes' names, in the order of the scores; their numbers where absent.
    preprocessing : Preprocessing, optional
        How pictures become its input. Without it, only arrays of ready-made input can be given.
    training : mapping, optional
        How it was trained, as plain data: numbers, strings, lists, dictionaries. For people; nothing depends on it.
    views : Views, optional
        Which views of a picture the scores are the mean of, where they are asked for.

    Raises
    ------
    ValueError, TypeError
        Parts that do not fit together.
    """

    network: Network
    classes: Sequence[str] = ()
    preprocessing: Preprocessing | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    views: Views | None = None

    def __post_init__(self) -> None:
        shape = None if self.preprocessing is None else self.preprocessing.image_shape
        network = as_network(self.network, shape)
        where = "Model"
        if len(network.output_shape) != 1:
            raise ValueError(f"{where}: the network gives {network.output_shape}; it must give a score for each class")
        if shape is not None and network.input_shape != shape:
            raise ValueError(
                f"{where}: the network reads images {network.input_shape} (C, H, W), but preprocessing makes {shape}; "
                "give the size and the channels that it was trained with"
            )
        (K,) = network.output_shape
        classes = tuple(self.classes) or tuple(map(str, range(K)))
        if isinstance(self.classes, str) or not all(isinstance(name, str) for name in classes):
            raise TypeError(f"{where}: classes is {self.classes!r}; it must be a list of names")
        if len(classes) != K or len(set(classes)) != K:
            raise ValueError(f"{where}: classes has {len(classes)} names; it must have {K}, all different: {classes}")
        object.__setattr__(self, "network", network)
        object.__setattr__(self, "classes", classes)

    @cached_property
    def inference(self) -> Inference:
        """The network made ready, at the first prediction. Later changes of its parameters are not seen."""
        return Inference(self.network)

    def scores(self, images: Any, *, views: bool = False) -> np.ndarray:
        """A score for each class.

        Parameters
        ----------
        images : path, bytes, Pillow image, array, or several of them
            Pictures: files, their content, Pillow images, or uint8 arrays with channels last, all of any size.
            Ready-made input: a floating array ``(N, *input_shape)``, or anything like one that is indexed by the image.
        views : bool
            The mean over the views that the model was evaluated with, which takes as many times as long.

        Returns
        -------
        array (N, K)

        Raises
        ------
        ValueError, TypeError, OSError
            What is no picture; scores that are not finite.
        """
        check.flag("Model.scores", "views", views)
        batches = [self._of_batch(batch, views) for batch in self._batches(images)]
        result = np.concatenate(batches)
        if not np.isfinite(result).all():
            raise ValueError("Model.scores: the scores are not finite; the input is too large, or the network diverged")
        return result

    def probabilities(self, images: Any, *, views: bool = False) -> np.ndarray:
        """Softmax of the `scores`, (N, K); every row adds up to 1."""
        return softmax(self.scores(images, views=views))

    def predict(self, images: Any, top: int = TOP, *, views: bool = False) -> list[Prediction]:
        """What every picture shows.

        Parameters
        ----------
        images, views
            See `scores`.
        top : int
            How many classes to name for each; all where there are fewer.
        """
        top = check.whole_number("Model.predict", "top", top, least=1)
        return [self._prediction(row, top) for row in self.probabilities(images, views=views)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as one file: see `pellucid.shipping.model_file`."""
        from pellucid.shipping.model_file import save_model

        save_model(path, self)

    def _prediction(self, row: np.ndarray, top: int) -> Prediction:
        order = np.argsort(-row, kind="stable")[:top]
        best = tuple((self.classes[i], float(row[i])) for i in order)
        return Prediction(best[0][0], best[0][1], best)

    def _of_batch(self, batch: np.ndarray, views: bool) -> np.ndarray:
        if views and self.views is not None:
            return scores(self.inference, batch, self.views, self._batch_size)
        return self.inference.loss(batch)

    @cached_property
    def _batch_size(self) -> int:
        """Images that run together: few enough that what they become fits into little memory."""
        largest = max(math.prod(place.out_shape) for _, _, place in self.network.places())
        return max(1, min(MOST_BATCH, BATCH_NUMBERS // max(largest, math.prod(self.network.input_shape))))

    def _batches(self, images: Any) -> Iterator[np.ndarray]:
        """Ready-made input, a few images at a time."""
        where = "Model.scores"
        kind = np.dtype(getattr(images, "dtype", object)).kind
        if kind == "f":
            if len(images.shape) == 0 or images.shape[1:] != self.network.input_shape or len(images) == 0:
                needed = ", ".join(map(str, ("N", *self.network.input_shape)))
                raise ValueError(f"{where}: floating images have shape {images.shape}; they must have ({needed})")
            for start in range(0, len(images), self._batch_size):
                yield images[start : start + self._batch_size]
            return
        if self.preprocessing is None:
            raise TypeError(
                f"{where}: images is a {type(images).__name__}, but the model does not know how pictures become its "
                "input; give a floating array (N, ...), or the model a Preprocessing"
            )
        if isinstance(images, Sequence) and not isinstance(images, str | bytes | bytearray) and images:
            for start in range(0, len(images), self._batch_size):
                pixels = self.preprocessing.pixels(images[start : start + self._batch_size], where)
                yield self.preprocessing.floats(pixels)
            return
        pixels = self.preprocessing.pixels(images, where)
        for start in range(0, len(pixels), self._batch_size):
            yield self.preprocessing.floats(pixels[start : start + self._batch_size])
