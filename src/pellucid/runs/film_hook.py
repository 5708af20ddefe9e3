"""What makes the film of a run: see `pellucid.runs.film`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pellucid.files import write_atomically
from pellucid.models import Conv, Network
from pellucid.runs.film import Frame, frame_bytes, frame_file, frame_files
from pellucid.training import Hook, Solver

FRAMES = 40
"""At equal distances, and so many again close together at the start, where filters change most."""

MOST_FILTERS = 100
MOST_NUMBERS = 2**17
"""Of a frame: a fully connected layer of large images gives fewer of its units."""


class Shown(NamedTuple):
    """The filters that are worth looking at."""

    layer: str
    through: str
    frozen: bool
    filters: np.ndarray


class FilmHook(Hook):
    """Keep the first layer's filters at some steps of a run, each in a small file of its own.

    Parameters
    ----------
    folder : path
        Where the frames go; made with the first one. A run that goes on keeps the frames up to its checkpoint.
    image_shape : (int, int, int)
        Channels, height, width: what a fully connected layer's rows are pictures of.

    Attributes
    ----------
    error : OSError or None
        What kept the last frame from being written. A film with a gap does not end a run; whoever started the run may
        look here, in the end, and say so.
    """

    def __init__(self, folder: Path, image_shape: tuple[int, int, int]) -> None:
        self.folder, self.image_shape = folder, image_shape
        self.error: OSError | None = None
        self._due: frozenset[int] = frozenset()

    def on_train_begin(self, solver: Solver) -> None:
        self._due = frames_of(solver.num_iterations)
        for step, file in frame_files(self.folder):
            if step > solver.iteration or solver.iteration == 0:
                file.unlink(missing_ok=True)
        if solver.iteration == 0:
            self._write(solver)

    def on_step(self, solver: Solver) -> None:
        if solver.iteration in self._due:
            self._write(solver)

    def on_train_end(self, solver: Solver) -> None:
        self._write(solver)

    def _write(self, solver: Solver) -> None:
        shown = shown_filters(solver.model, self.image_shape)
        epoch = solver.iteration / solver.iterations_per_epoch
        frame = Frame(solver.iteration, epoch, *shown)
        try:
            self.folder.mkdir(exist_ok=True)
            write_atomically(frame_file(self.folder, solver.iteration), frame_bytes(frame))
        except OSError as error:
            self.error = error


def frames_of(num_iterations: int) -> frozenset[int]:
    """The steps of which frames are kept, 0 and the last one among them."""
    if num_iterations < 1:
        return frozenset({0})
    early = np.geomspace(1, num_iterations, FRAMES)
    evenly = np.linspace(0, num_iterations, FRAMES + 1)
    return frozenset(np.rint(np.concatenate([early, evenly])).astype(int).tolist())


def shown_filters(model: Any, image_shape: tuple[int, int, int]) -> Shown:
    """The first layer's filters; where that layer is frozen, the next convolution's, seen through it.

    Parameters
    ----------
    model : Network, or a network of the course's classes
    image_shape : (int, int, int)
        Channels, height, width.

    Returns
    -------
    Shown
        Its filters are (F, C, HH, WW): at most a hundred.
    """
    if isinstance(model, Network):
        places = [place for depth, _, place in model.places() if depth == 0]
        convolutions = [(place.name, place.step) for place in places if type(place.step) is Conv]
        if len(convolutions) > 1 and _is_frozen(model, convolutions[0][0]) and _follow(convolutions):
            (first, _), (second, _) = convolutions[:2]
            filters = seen_through(model.params[f"{first}.w"], model.params[f"{second}.w"])
            return Shown(second, first, False, _cut(filters))
    name, w = next((name, array) for name, array in model.params.items() if array.ndim in (2, 4))
    filters = w if w.ndim == 4 else w.T.reshape(-1, *image_shape)
    frozen = bool(getattr(model, "param_options", {}).get(name, {}).get("frozen"))
    return Shown(name.removesuffix(".w"), "", frozen, _cut(filters))


def seen_through(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Filters behind other filters, as filters on the image: what both would be without the activation in between.

    Parameters
    ----------
    first : array (K, C, H1, W1)
    second : array (F, K, H2, W2)
        Both of stride 1.

    Returns
    -------
    array (F, C, H1 + H2 - 1, W1 + W2 - 1)
        ``out[f, c, r + i, s + j]`` collects ``second[f, k, i, j] * first[k, c, r, s]`` over k.
    """
    K, C, H1, W1 = first.shape
    F, _, H2, W2 = second.shape
    out = np.zeros((F, C, H1 + H2 - 1, W1 + W2 - 1), first.dtype)
    for i in range(H2):
        for j in range(W2):
            out[:, :, i : i + H1, j : j + W1] += np.einsum("fk,kcrs->fcrs", second[:, :, i, j], first)
    return out


def _is_frozen(model: Network, layer: str) -> bool:
    return bool(model.param_options[f"{layer}.w"].get("frozen"))


def _follow(convolutions: list[tuple[str, Any]]) -> bool:
    """Whether the second convolution can be seen through the first: strides of 1, no groups, no dilation."""
    plain = {"stride": 1, "dilation": 1, "groups": 1}
    return all(step.conv_param.get(key, usual) == usual for _, step in convolutions[:2] for key, usual in plain.items())


def _cut(filters: np.ndarray) -> np.ndarray:
    """As many of them as a frame has room for, in a memory of their own."""
    size = int(np.prod(filters.shape[1:]))
    return np.ascontiguousarray(filters[: max(1, min(MOST_FILTERS, MOST_NUMBERS // size))])
