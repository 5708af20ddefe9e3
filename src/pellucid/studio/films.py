"""The film of the first layer's filters, as pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.inspect.maps import filter_picture, png
from pellucid.runs.film import Frame, frame_files, read_frame
from pellucid.runs.film_hook import shown_filters
from pellucid.runs.folder import RunFolder
from pellucid.studio.opened import WHERE, Opened


def frames_of(kind: str, path: str, opened: Opened) -> list[tuple[int, Path | None]]:
    """(step, file) of every frame; one without a file, the weights as they are, where there is no film."""
    files: list[tuple[int, Path | None]] = []
    if kind == "run":
        files = list(frame_files(RunFolder(Path(path), WHERE).film))
    return files or [(0, None)]


def film(kind: str, path: str, opened: Opened) -> dict[str, Any]:
    """What the film shows, and at which steps."""
    frames = [_frame(file, opened) for _, file in frames_of(kind, path, opened)]
    last = frames[-1]
    columns = math.ceil(math.sqrt(len(last.filters)))
    return {
        "layer": last.layer,
        "through": last.through,
        "frozen": last.frozen,
        "frames": [{"step": frame.step, "epoch": frame.epoch} for frame in frames],
        "filters": len(last.filters),
        "columns": columns,
        "rows": math.ceil(len(last.filters) / columns),
        "cell": list(last.filters.shape[2:]),
        "stamp": f"{opened.stamp}-{len(frames)}-{last.step}",
    }


def frame(kind: str, path: str, opened: Opened, number: int) -> bytes:
    """One frame: its filters in a grid, a pixel a weight, a pixel between."""
    frames = frames_of(kind, path, opened)
    if not 0 <= number < len(frames):
        raise ValueError(f"{WHERE}: there is no frame {number}; the film has {len(frames)}")
    filters = _frame(frames[number][1], opened).filters
    return png(grid(np.stack([filter_picture(w) for w in filters])))


def _frame(file: Path | None, opened: Opened) -> Frame:
    if file is not None:
        return read_frame(file)
    net: Any = opened.model.network
    return Frame(0, 0.0, *shown_filters(net, net.input_shape))


def grid(pictures: np.ndarray) -> np.ndarray:
    """uint8 (F, H, W, 3) -> one picture, as square as possible, a transparent pixel between: (.., .., 4)."""
    F, H, W, _ = pictures.shape
    columns = math.ceil(math.sqrt(F))
    rows = math.ceil(F / columns)
    whole = np.zeros((rows * (H + 1) - 1, columns * (W + 1) - 1, 4), np.uint8)
    for k, shown in enumerate(pictures):
        top, left = k // columns * (H + 1), k % columns * (W + 1)
        whole[top : top + H, left : left + W, :3] = shown
        whole[top : top + H, left : left + W, 3] = 255
    return whole
