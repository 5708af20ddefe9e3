"""The film of the first layer's filters: a small file for each of some steps of a run.

    RUN/film/00000120.safetensors    one tensor, filters (F, C, HH, WW); step, epoch and the layer's name beside it

What stands here only reads it; `pellucid.runs.film_hook` makes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pellucid import tensors

MOST_FRAME_BYTES = 2**22
"""No frame that a run writes is larger."""
MOST_HEADER_BYTES = 2**16


class Frame(NamedTuple):
    """The filters after one step."""

    step: int
    epoch: float
    layer: str
    """The name of the convolution or the fully connected layer: "conv1"."""
    through: str
    """The frozen layer in front that they are seen through ("whiten"), or nothing."""
    frozen: bool
    filters: np.ndarray
    """(F, C, HH, WW)"""


def frame_files(film: Path) -> list[tuple[int, Path]]:
    """(step, file) of every frame in the folder, the first step first; nothing where there is no film."""
    found = [(int(file.stem), file) for file in film.glob("*.safetensors") if file.stem.isdecimal()]
    return sorted(found)


def frame_file(film: Path, step: int) -> Path:
    """Where the frame of a step stands."""
    return film / f"{step:08d}.safetensors"


def read_frame(path: Path) -> Frame:
    """One frame.

    Raises
    ------
    ValueError
        The file is no frame, or damaged.
    OSError
        It cannot be read.
    """
    where = "read_frame"
    try:
        data = tensors.read_bytes(path, MOST_FRAME_BYTES, MOST_HEADER_BYTES)
        header = tensors.header_of(data)
        about = header.metadata
        step, epoch = int(about["step"]), float(about["epoch"])
        layer, through, frozen = about["layer"], about["through"], about["frozen"] == "yes"
        if set(header.shapes) != {"filters"} or len(header.shapes["filters"]) != 4:
            raise tensors.DamagedFile("it does not hold filters (F, C, HH, WW) alone")
        if not tensors.digest_is_right(data, about.get(tensors.DIGEST, "")):
            raise tensors.DamagedFile("its digest is not that of its content")
        filters = tensors.arrays_of(data)["filters"]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{where}: {path} is no frame of a film: {error}") from None
    return Frame(step, epoch, layer, through, frozen, filters)


def frame_bytes(frame: Frame) -> bytes:
    """A frame as its file has it."""
    about = {
        "step": str(frame.step),
        "epoch": repr(float(frame.epoch)),
        "layer": frame.layer,
        "through": frame.through,
        "frozen": "yes" if frame.frozen else "no",
    }
    return b"".join(bytes(part) for part in tensors.encoded({"filters": frame.filters}, about))
